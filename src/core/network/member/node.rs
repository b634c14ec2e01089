//! One node: what it is told, and what it does about it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::address::{Address, check_datacenter, check_id};
use super::config::MemberConfig;
use super::event::{Command, Effect, Input, MemberEvent, RemovalReason};
use super::gossip::Gossip;
use super::lifecycle::{Cause, Claim, MemberState, Verdict, verdict};
use super::probe::{Ping, Relay, Round};
use super::report::MemberCounters;
use super::role::NodeRole;
use super::suspicion::Suspicion;
use super::table::{Member, MemberTable};
use super::timeout::{LocalHealth, TimeoutFactors};
use super::twin::Twins;
use super::wire::Body;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;
use crate::network::OutOfRange;
use crate::network::coordinate::CoordinateTracker;

/// Incarnations that are reserved at a time: so many refutations need no write.
const RESERVED: u64 = 16;
/// An incarnation beyond this is no count of refutations.
pub(super) const MAX_INCARNATION: u64 = 1 << 62;
/// Peers that a leaving node says goodbye to.
const FAREWELLS: usize = 8;
/// After so long an unconfirmed peer is worth a warning.
pub(super) const UNCONFIRMED_LONG: Duration = Duration::from_secs(60);

/// Something that is due at an instant. One that no longer fits the state when it comes is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Probe,
    Direct(u64),
    RoundEnd(u64),
    Forget(u64),
    RelayEnd(u64),
    Suspicion(NodeId),
    Remind(NodeId),
    Check(NodeId),
    Warn(NodeId),
    Retention(NodeId),
    Gossip,
    Sync,
    SyncRetry(u64),
    Reconnect,
}

/// Who a node is, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNode {
    /// Its name, which no other node has.
    pub id: NodeId,
    /// Where others reach it.
    pub address: Address,
    /// What it does.
    pub role: NodeRole,
    /// Where it stands.
    pub datacenter: DatacenterId,
}

/// A node among others: who is there, as far as it can tell.
///
/// It does nothing by itself. The host hands it datagrams, timers and commands with the time and a generator, and carries out the
/// effects in order. See the [module](super) for an example.
#[derive(Clone, Debug)]
pub struct Membership {
    pub(super) id: NodeId,
    pub(super) address: Address,
    pub(super) role: NodeRole,
    pub(super) datacenter: DatacenterId,
    pub(super) began: Timestamp,
    /// Sent with every datagram; 0 until the first one is stored.
    pub(super) incarnation: u64,
    /// Incarnations upto this one are stored.
    stored: u64,
    /// What is asked to be stored.
    asked: u64,
    /// The incarnation that is wanted, once it is stored.
    wanted: u64,
    has_left: bool,
    pub(super) config: MemberConfig,
    /// The instant of the input that is handled; it never goes back.
    pub(super) now: Timestamp,
    pub(super) table: MemberTable,
    pub(super) gossip: Gossip,
    pub(super) coordinates: CoordinateTracker,
    pub(super) health: LocalHealth,
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    pub(super) is_gossiping: bool,
    pub(super) rotation: Vec<NodeId>,
    pub(super) position: usize,
    pub(super) rounds: BTreeMap<u64, Round>,
    pub(super) pings: BTreeMap<u64, Ping>,
    pub(super) relays: BTreeMap<u64, Relay>,
    pub(super) seeds: Vec<Address>,
    pub(super) syncing: Option<super::sync::Syncing>,
    pub(super) burst: (Timestamp, u32),
    /// This node was last found not to have run until then.
    pub(super) stalled_at: Timestamp,
    pub(super) counters: MemberCounters,
    pub(super) twins: Twins,
    pub(super) effects: Vec<Effect>,
}

impl Membership {
    /// A node that begins at `now`, with the highest incarnation that was ever stored for it (0 for none). It sends nothing
    /// before the host has said that its first incarnation is stored.
    ///
    /// # Errors
    /// [`OutOfRange`] for a name that does not fit a datagram, or a knob that does not fit.
    pub fn new(
        me: LocalNode,
        stored: u64,
        config: MemberConfig,
        now: Timestamp,
    ) -> Result<(Self, Vec<Effect>), OutOfRange> {
        let LocalNode { id, address, role, datacenter } = me;
        check_id(&id)?;
        check_datacenter(&datacenter)?;
        config.check()?;
        let mut node = Membership {
            id,
            address,
            role,
            datacenter,
            began: now,
            incarnation: 0,
            stored,
            asked: stored,
            wanted: stored.saturating_add(1),
            has_left: false,
            coordinates: CoordinateTracker::new(config.vivaldi.clone(), now)?,
            table: MemberTable::default(),
            gossip: Gossip::default(),
            health: LocalHealth::default(),
            timers: BTreeSet::new(),
            is_gossiping: false,
            rotation: Vec::new(),
            position: 0,
            rounds: BTreeMap::new(),
            pings: BTreeMap::new(),
            relays: BTreeMap::new(),
            seeds: Vec::new(),
            syncing: None,
            burst: (now, 0),
            stalled_at: Timestamp::MIN,
            now,
            counters: MemberCounters::default(),
            twins: Twins::default(),
            effects: Vec::new(),
            config,
        };
        node.want_stored();
        let effects = std::mem::take(&mut node.effects);
        Ok((node, effects))
    }

    /// Takes one input, and gives what is to be done, in order.
    pub fn handle(&mut self, input: Input<'_>, now: Timestamp, rng: &mut Rng) -> Vec<Effect> {
        self.now = self.now.max(now);
        if !self.has_left {
            self.notice_lag();
            match input {
                Input::Datagram { from, bytes } => self.receive(from, bytes, rng),
                Input::Timer => {}
                Input::Command(command) => self.command(command, rng),
            }
            self.run_timers(rng);
            self.start_gossip();
        }
        std::mem::take(&mut self.effects)
    }

    /// When the next [`Input::Timer`] is needed.
    pub fn due(&self) -> Option<Timestamp> {
        if self.has_left { None } else { self.timers.first().map(|(at, _)| *at) }
    }

    fn command(&mut self, command: Command, rng: &mut Rng) {
        match command {
            Command::Join(seeds) => {
                self.seeds = seeds.into_iter().filter(|seed| *seed != self.address).collect();
                self.join(rng);
            }
            Command::AddPeer { id, address, role } => {
                if id != self.id && check_id(&id).is_ok() {
                    let is_new = self.table.get(&id).is_none();
                    self.apply(&id, &address, Cause::Configured, None, None, rng);
                    if is_new && let Some(role) = role {
                        self.learn_role(&id, role, false);
                    }
                }
            }
            Command::RemovePeer(id) => {
                self.remove_node(&id, RemovalReason::Requested);
            }
            Command::IncarnationsStored { upto } => {
                let is_first = self.incarnation == 0;
                self.stored = self.stored.max(upto);
                self.raise();
                if is_first && self.incarnation > 0 {
                    self.begin(rng);
                }
            }
            Command::Leave => self.leave(rng),
        }
    }

    /// The first incarnation is stored: from here on the node speaks.
    fn begin(&mut self, rng: &mut Rng) {
        let spread = |period: Duration, rng: &mut Rng| {
            self.now.plus(period.mul_f64((rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64))
        };
        let probe = spread(self.config.probe_period, rng);
        let sync = self.now.plus(self.config.sync_period);
        let reconnect = spread(self.config.reconnect_period, rng);
        self.timers.insert((probe, Timer::Probe));
        self.timers.insert((sync, Timer::Sync));
        self.timers.insert((reconnect, Timer::Reconnect));
        if !self.seeds.is_empty() {
            self.join(rng);
        }
    }

    fn leave(&mut self, rng: &mut Rng) {
        for id in self.some_peers(FAREWELLS, rng, |_, member| member.is_there()) {
            self.send_to(&id, &Body::Leave);
        }
        self.has_left = true;
    }

    /// Somebody said of this node what is not so: say so with an incarnation that is higher.
    pub(super) fn refute(&mut self, heard: u64) {
        let next = self.incarnation.max(heard).saturating_add(1);
        if next > self.wanted || self.wanted == self.incarnation {
            self.wanted = next.max(self.wanted);
            self.counters.refutations += 1;
            self.health.change(1, self.config.health_score_max, self.now);
        }
        self.raise();
    }

    /// Takes the wanted incarnation if it is stored; asks for more to be stored otherwise.
    fn raise(&mut self) {
        if self.wanted > self.incarnation && self.wanted <= self.stored {
            self.incarnation = self.wanted;
            self.gossip.add(&self.id, None);
            let incarnation = self.incarnation;
            self.happened(MemberEvent::IncarnationRaised { incarnation });
        }
        self.want_stored();
    }

    fn want_stored(&mut self) {
        if self.wanted > self.stored && self.wanted > self.asked {
            self.asked = self.wanted.saturating_add(RESERVED);
            self.effects.push(Effect::StoreIncarnations { upto: self.asked });
        }
    }

    /// Was this node not running? Then silence in that time proves nothing about others.
    fn notice_lag(&mut self) {
        let lag = self.due().map_or(Duration::ZERO, |due| self.now.since(due));
        self.health.lagged(lag.as_secs_f64() / self.config.probe_period.as_secs_f64(), self.now);
        if lag < self.config.stall || self.config.health_score_max == 0 {
            return;
        }
        self.counters.stalls += 1;
        self.stalled_at = self.now;
        self.rounds.clear();
        let suspects: Vec<NodeId> = self.with_state(MemberState::Suspect).cloned().collect();
        for id in suspects {
            if let Some(suspicion) = self.table.get_mut(&id).and_then(|m| m.suspicion.as_mut()) {
                suspicion.extend(lag);
                let deadline = suspicion.deadline;
                self.timers.insert((deadline, Timer::Suspicion(id)));
            }
        }
    }

    fn run_timers(&mut self, rng: &mut Rng) {
        while let Some((at, _)) = self.timers.first()
            && *at <= self.now
        {
            let Some((at, timer)) = self.timers.pop_first() else { break };
            match timer {
                Timer::Probe => self.start_round(rng),
                Timer::Direct(round) => self.ask_others(round, rng),
                Timer::RoundEnd(round) => self.end_round(round, rng),
                Timer::Forget(nonce) => {
                    self.pings.remove(&nonce);
                }
                Timer::RelayEnd(nonce) => self.relay_failed(nonce),
                Timer::Suspicion(id) => {
                    let deadline = self.table.get(&id).and_then(|m| m.suspicion.as_ref());
                    if deadline.is_some_and(|suspicion| suspicion.deadline <= self.now) {
                        self.found(&id, Cause::SuspicionPassed, None, rng);
                    }
                }
                Timer::Remind(id) => self.remind(&id, rng),
                Timer::Check(id) => self.check(&id, at, rng),
                Timer::Warn(id) => {
                    if self.table.get(&id).is_some_and(|member| !member.is_confirmed()) {
                        self.happened(MemberEvent::UnconfirmedLong { peer: id });
                    }
                }
                Timer::Retention(id) => {
                    let is_old = |m: &Member| self.now.since(m.since) >= self.config.retention;
                    if self.table.get(&id).is_some_and(is_old) {
                        self.found(&id, Cause::RetentionPassed, None, rng);
                    }
                }
                Timer::Gossip => self.gossip_round(rng),
                Timer::Sync => self.sync_round(rng),
                Timer::SyncRetry(nonce) => self.sync_again(nonce, rng),
                Timer::Reconnect => self.reconnect(rng),
            }
        }
    }

    /// What this node itself found out about a peer it knows.
    pub(super) fn found(
        &mut self,
        id: &NodeId,
        cause: Cause,
        factors: Option<TimeoutFactors>,
        rng: &mut Rng,
    ) {
        let Some(address) = self.table.get(id).map(|member| member.address.clone()) else { return };
        self.apply(id, &address, cause, None, factors, rng);
    }

    /// The one place where a state changes. `by` is who said so, none for this node.
    pub(super) fn apply(
        &mut self,
        id: &NodeId,
        address: &Address,
        cause: Cause,
        by: Option<&NodeId>,
        factors: Option<TimeoutFactors>,
        rng: &mut Rng,
    ) {
        let known = self.table.get(id).map(|member| (member.state, member.incarnation));
        let accuser = by.unwrap_or(&self.id).clone();
        match verdict(known, cause) {
            Verdict::Ignored => {}
            Verdict::Raised(incarnation) => {
                if let Some(member) = self.table.get_mut(id) {
                    member.incarnation = incarnation;
                    member.address = address.clone();
                    if cause == Cause::Hearsay(Claim::Alive, incarnation) {
                        self.gossip.add(id, None);
                    }
                }
            }
            Verdict::Removed => {
                let reason = match cause {
                    Cause::RetentionPassed => RemovalReason::RetentionExpired,
                    Cause::ConfirmationPassed => match self.table.get(id).map_or(0, |m| m.attempts) {
                        0 => RemovalReason::PassiveTimeoutExpired,
                        _ => RemovalReason::ExhaustedProactiveAttempts,
                    },
                    Cause::Hearsay(..) | Cause::Left(_) => RemovalReason::ReportedDead,
                    Cause::Configured | Cause::Direct(_) | Cause::ProbeFailed | Cause::SuspicionPassed => {
                        RemovalReason::Requested
                    }
                };
                self.remove_node(id, reason);
            }
            Verdict::Now(state, incarnation) => {
                let Some((from, _)) = known else {
                    self.discover(id, address, state, incarnation, by, rng);
                    return;
                };
                self.table.set_state(id, state, self.now);
                if let Some(member) = self.table.get_mut(id) {
                    member.incarnation = incarnation;
                    member.has_left = matches!(cause, Cause::Left(_));
                    member.suspicion = None;
                    if matches!(cause, Cause::Hearsay(Claim::Alive, _)) {
                        member.address = address.clone();
                    }
                }
                self.entered(id, from, state, &accuser);
                if state == MemberState::Suspect {
                    self.look_again(id, by.is_none(), rng);
                }
                let peer = id.clone();
                if from == MemberState::Unconfirmed {
                    self.counters.confirmed += 1;
                    self.happened(MemberEvent::Confirmed { peer });
                } else {
                    *self.counters.transitions.entry((from.name(), state.name())).or_default() += 1;
                    self.happened(MemberEvent::Transition {
                        peer,
                        from,
                        to: state,
                        incarnation,
                        by: accuser,
                        factors,
                    });
                }
                if from == MemberState::Down {
                    self.happened(MemberEvent::Recovered { peer: id.clone() });
                }
            }
        }
        self.accuse(id, cause, by);
    }

    /// A suspicion that stands already, found by somebody else, too.
    fn accuse(&mut self, id: &NodeId, cause: Cause, by: Option<&NodeId>) {
        if !matches!(cause, Cause::ProbeFailed | Cause::Hearsay(Claim::Suspect, _)) {
            return;
        }
        let accuser = by.unwrap_or(&self.id).clone();
        let Some(member) = self.table.get_mut(id) else { return };
        if let Cause::Hearsay(_, heard) = cause
            && heard < member.incarnation
        {
            return;
        }
        if let Some(suspicion) = member.suspicion.as_mut()
            && suspicion.confirm(&accuser)
        {
            let deadline = suspicion.deadline;
            self.timers.insert((deadline, Timer::Suspicion(id.clone())));
            self.gossip.add(id, Some(accuser));
        }
    }

    /// A peer is in another state now: what follows from that.
    fn entered(&mut self, id: &NodeId, from: MemberState, state: MemberState, accuser: &NodeId) {
        match state {
            MemberState::Suspect => {
                let n = self.table.count_there() + 1;
                let suspicion = Suspicion::new(accuser.clone(), n, &self.config, self.now);
                self.timers.insert((suspicion.deadline, Timer::Suspicion(id.clone())));
                if let Some(member) = self.table.get_mut(id) {
                    member.suspicion = Some(Box::new(suspicion));
                }
                self.gossip.add(id, Some(accuser.clone()));
            }
            MemberState::Down => {
                self.timers.insert((self.now.plus(self.config.retention), Timer::Retention(id.clone())));
                self.gossip.add(id, None);
                self.coordinates.forget_peer(id);
            }
            MemberState::Alive => {
                if from != MemberState::Unconfirmed {
                    self.gossip.add(id, None);
                }
            }
            MemberState::Unconfirmed => {}
        }
    }

    fn discover(
        &mut self,
        id: &NodeId,
        address: &Address,
        state: MemberState,
        incarnation: u64,
        by: Option<&NodeId>,
        rng: &mut Rng,
    ) {
        while self.table.len() >= self.config.max_nodes {
            let Some(least) = self.table.least() else { break };
            self.remove_node(&least, RemovalReason::Evicted);
            self.counters.evicted += 1;
        }
        self.table.insert(id.clone(), Member::new(address.clone(), state, incarnation, self.now));
        self.gossip.add(id, None);
        // Somewhere in what is left of this pass, so that a new peer neither waits for ever nor comes first.
        let left = self.rotation.len() - self.position;
        let place = self.position + (rng.next_u64() % (left as u64 + 1)) as usize;
        self.rotation.push(id.clone());
        let last = self.rotation.len() - 1;
        self.rotation.swap(place, last);
        self.happened(MemberEvent::Discovered { peer: id.clone(), role: None, by: by.cloned() });
        if state == MemberState::Unconfirmed {
            self.timers.insert((self.now.plus(UNCONFIRMED_LONG).next(), Timer::Warn(id.clone())));
            self.schedule_check(id);
        } else {
            self.counters.confirmed += 1;
            self.happened(MemberEvent::Confirmed { peer: id.clone() });
        }
    }

    /// Forgets a peer; was it known? It is no death: nobody is told.
    pub(super) fn remove_node(&mut self, id: &NodeId, reason: RemovalReason) -> bool {
        let Some(member) = self.table.remove(id) else { return false };
        self.gossip.forget(id);
        self.coordinates.forget_peer(id);
        *self.counters.removed.entry(member.role.map_or("unknown", NodeRole::name)).or_default() += 1;
        self.happened(MemberEvent::Removed { peer: id.clone(), reason });
        true
    }

    pub(super) fn learn_role(&mut self, id: &NodeId, role: NodeRole, is_own: bool) {
        let Some(member) = self.table.get_mut(id) else { return };
        let counts = is_own || (!member.is_own_role && member.role.is_none());
        if !counts {
            return;
        }
        member.is_own_role |= is_own;
        if member.role != Some(role) {
            member.role = Some(role);
            let is_open = !member.is_confirmed();
            self.happened(MemberEvent::RoleLearned { peer: id.clone(), role });
            if is_open {
                self.schedule_check(id);
            }
        }
    }

    pub(super) fn happened(&mut self, event: MemberEvent) {
        self.effects.push(Effect::Happened(event));
    }

    pub(super) fn with_state(&self, state: MemberState) -> impl Iterator<Item = &NodeId> {
        let all = self.table.iter().filter(move |(_, member)| member.state == state);
        // Most often there is nobody to look for.
        all.map(|(id, _)| id).take(self.table.count(state))
    }
}
