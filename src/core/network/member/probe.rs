//! Who is probed when, how long it is waited for, and what silence means.

use std::collections::BTreeSet;
use std::time::Duration;

use super::address::Address;
use super::lifecycle::{Cause, MemberState};
use super::node::{Membership, Timer};
use super::role::NodeRole;
use super::table::Member;
use super::timeout::{PeerHealth, TimeoutFactors};
use super::wire::Body;
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::kernel::time::{Timestamp, millis};

/// An answer to a ping is measured however late it comes, upto this.
const REMEMBERED: Duration = Duration::from_secs(10);
/// A suspect is told again after this.
const REMINDED: Duration = Duration::from_secs(1);
/// Those who are asked to probe get at least so many bases to do it.
const LEAST_WAIT: u32 = 5;
/// A relay says that it got no answer after this part of what the asking node waits.
const NACK_PART: f64 = 0.6;
/// A relay holds a request no longer than this.
const MAX_RELAY_WAIT: Duration = Duration::from_secs(60);
/// Requests that are held at once.
const MAX_RELAYS: usize = 1_024;

/// One look at one peer: directly, then by way of others.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) target: NodeId,
    timeout: Duration,
    factors: TimeoutFactors,
    /// Those who were asked and did not say yet that they got no answer either.
    pub(super) relays: BTreeSet<NodeId>,
    asked: usize,
}

/// A ping whose answer is waited for.
#[derive(Clone, Debug)]
pub(super) struct Ping {
    pub(super) to: NodeId,
    pub(super) sent_at: Timestamp,
    pub(super) purpose: Purpose,
}

/// What a ping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A round.
    Round(u64),
    /// Somebody else asked: the nonce under which that is kept.
    Relay(u64),
    /// An answer is enough.
    Contact,
}

/// What somebody else asked for.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) from: Address,
    pub(super) nonce: u64,
}

impl Membership {
    /// How long a probe of a peer waits, and why.
    pub fn probe_timeout(&self, peer: &NodeId) -> (Duration, TimeoutFactors) {
        let has_coordinate = self.coordinates.get_peer_coordinate(peer).is_some();
        let rtt = has_coordinate.then(|| self.coordinates.estimate_rtt_ucb_ms(peer, self.now));
        let quality = self.coordinates.coordinate_quality(peer, self.now);
        let health = self.table.get(peer).map_or(PeerHealth::Healthy, |member| member.health(self.now));
        let factors = TimeoutFactors::new(self.health.score(), self.health.level(), rtt, quality, health);
        (factors.timeout(self.config.probe_timeout_base, self.config.probe_timeout_max), factors)
    }

    pub(super) fn start_round(&mut self, rng: &mut Rng) {
        let period = self.config.probe_period * self.health.multiplier();
        self.timers.insert((self.now.plus(period), Timer::Probe));
        if let Some(target) = self.next_target(rng) {
            self.open_round(target, rng);
        }
    }

    fn open_round(&mut self, target: NodeId, rng: &mut Rng) {
        let (timeout, factors) = self.probe_timeout(&target);
        let round = rng.next_u64();
        self.counters.probes += 1;
        self.ping(&target, Purpose::Round(round), rng);
        self.timers.insert((self.now.plus(timeout), Timer::Direct(round)));
        let relays = BTreeSet::new();
        self.rounds.insert(round, Round { target, timeout, factors, relays, asked: 0 });
    }

    /// A peer is suspected. Whoever found it out says so to the peer, again and again; of the others a few look for
    /// themselves at once: an accusation that is wrong is refuted sooner, and one that is right is confirmed sooner.
    pub(super) fn look_again(&mut self, id: &NodeId, is_own: bool, rng: &mut Rng) {
        if is_own {
            self.remind(id, rng);
        } else if self.config.suspicion_confirmers > 0
            && self.table.get(id).is_some_and(|member| self.is_probed(member))
            && !self.rounds.values().any(|round| round.target == *id)
        {
            let others = self.table.count_there().max(1) as u64;
            if rng.next_u64() % others < self.config.suspicion_confirmers as u64 + 1 {
                self.open_round(id.clone(), rng);
            }
        }
    }

    /// Tells a suspect of the suspicion, as long as it stands.
    pub(super) fn remind(&mut self, id: &NodeId, rng: &mut Rng) {
        if self.config.suspicion_confirmers > 0
            && self.table.get(id).is_some_and(|member| member.state == MemberState::Suspect)
        {
            self.ping(id, Purpose::Contact, rng);
            self.timers.insert((self.now.plus(REMINDED), Timer::Remind(id.clone())));
        }
    }

    /// The next of a shuffled list, which is shuffled anew at its end.
    fn next_target(&mut self, rng: &mut Rng) -> Option<NodeId> {
        for _ in 0..2 {
            while let Some(id) = self.rotation.get(self.position) {
                self.position += 1;
                if self.table.get(id).is_some_and(|member| self.is_probed(member)) {
                    return Some(id.clone());
                }
            }
            self.position = 0;
            self.rotation = self.table.iter().map(|(id, _)| id.clone()).collect();
            for at in (1..self.rotation.len()).rev() {
                self.rotation.swap(at, (rng.next_u64() % (at as u64 + 1)) as usize);
            }
        }
        None
    }

    /// Workers are never probed to confirm them; the managers of their datacenter watch those that are confirmed.
    fn is_probed(&self, member: &Member) -> bool {
        match member.state {
            MemberState::Down => false,
            MemberState::Unconfirmed => member.coordinates(),
            MemberState::Alive | MemberState::Suspect => member.coordinates() || self.leads(member),
        }
    }

    /// Asks an address whether this node is there.
    pub(super) fn ping_at(&mut self, target: &NodeId, address: &Address, purpose: Purpose, rng: &mut Rng) {
        let nonce = rng.next_u64();
        let ping = Ping { to: target.clone(), sent_at: self.now, purpose };
        self.pings.insert(nonce, ping);
        self.timers.insert((self.now.plus(REMEMBERED), Timer::Forget(nonce)));
        self.send(address, None, &Body::Ping { nonce, to: target.clone() });
    }

    pub(super) fn ping(&mut self, target: &NodeId, purpose: Purpose, rng: &mut Rng) {
        let nonce = rng.next_u64();
        let ping = Ping { to: target.clone(), sent_at: self.now, purpose };
        self.pings.insert(nonce, ping);
        self.timers.insert((self.now.plus(REMEMBERED), Timer::Forget(nonce)));
        let member = self.table.get(target);
        if member.is_some_and(|m| !m.is_confirmed() && !m.coordinates()) {
            self.counters.worker_confirmations += 1;
        }
        self.send_to(target, &Body::Ping { nonce, to: target.clone() });
    }

    /// No answer came: try again, and ask others to try.
    pub(super) fn ask_others(&mut self, id: u64, rng: &mut Rng) {
        let Some(round) = self.rounds.get(&id) else { return };
        let (target, timeout) = (round.target.clone(), round.timeout);
        let wait = timeout.max(self.config.probe_timeout_base * LEAST_WAIT);
        self.timers.insert((self.now.plus(wait), Timer::RoundEnd(id)));
        let Some(member) = self.table.get(&target).filter(|m| self.is_probed(m)) else { return };
        let (address, is_confirmed) = (member.address.clone(), member.is_confirmed());
        self.ping(&target, Purpose::Round(id), rng);
        if !is_confirmed {
            return;
        }
        let now = self.now;
        let relays = self.some_peers(self.config.indirect_probes, rng, |id, member| {
            *id != target
                && member.state == MemberState::Alive
                && member.coordinates()
                && member.health(now) < PeerHealth::Stressed
        });
        let wait_ms = u32::try_from(millis(wait)).unwrap_or(u32::MAX);
        for relay in &relays {
            let (to, address) = (target.clone(), address.clone());
            self.counters.indirect_requests += 1;
            self.send_to(relay, &Body::PingRequest { nonce: id, wait_ms, to, address });
        }
        if let Some(round) = self.rounds.get_mut(&id) {
            round.asked = relays.len();
            round.relays = relays.into_iter().collect();
        }
    }

    /// The peer answered, here or by way of another one.
    pub(super) fn answered(&mut self, round: u64) {
        if self.rounds.remove(&round).is_some() {
            self.health.change(-1, self.config.health_score_max, self.now);
        }
    }

    /// Nobody got an answer. Whoever was asked and did not even say that makes this node doubt itself.
    pub(super) fn end_round(&mut self, id: u64, rng: &mut Rng) {
        let Some(round) = self.rounds.remove(&id) else { return };
        let Some(member) = self.table.get(&round.target) else { return };
        if !member.is_there() {
            return;
        }
        self.counters.probe_failures += 1;
        let missing = if round.asked == 0 { 1 } else { round.relays.len() as i64 };
        self.health.change(missing, self.config.health_score_max, self.now);
        self.found(&round.target, Cause::ProbeFailed, Some(round.factors), rng);
    }

    /// Somebody asks this node to look at another one.
    pub(super) fn relay(
        &mut self,
        from: &Address,
        nonce: u64,
        wait: Duration,
        (to, address): (NodeId, Address),
        rng: &mut Rng,
    ) {
        if to == self.id {
            self.send(from, None, &Body::RelayedAck { nonce });
            return;
        }
        let is_known = self.table.get(&to).is_some_and(|m| m.is_confirmed() || m.coordinates());
        if !is_known || self.relays.len() >= MAX_RELAYS {
            self.counters.relays_refused += 1;
            return;
        }
        let kept = rng.next_u64();
        self.counters.relays += 1;
        self.relays.insert(kept, Relay { from: from.clone(), nonce });
        let wait = wait.min(MAX_RELAY_WAIT).mul_f64(NACK_PART);
        self.timers.insert((self.now.plus(wait), Timer::RelayEnd(kept)));
        let ping = rng.next_u64();
        let waiting = Ping { to: to.clone(), sent_at: self.now, purpose: Purpose::Relay(kept) };
        self.pings.insert(ping, waiting);
        self.timers.insert((self.now.plus(REMEMBERED), Timer::Forget(ping)));
        self.send(&address, Some(&to), &Body::Ping { nonce: ping, to: to.clone() });
    }

    /// The one this node was asked to look at did not answer yet.
    pub(super) fn relay_failed(&mut self, kept: u64) {
        if let Some(relay) = self.relays.remove(&kept) {
            self.counters.nacks_sent += 1;
            self.send(&relay.from, None, &Body::Nack { nonce: relay.nonce });
        }
    }

    /// Tries to reach one of the dead that never said goodbye: a partition may have healed.
    pub(super) fn reconnect(&mut self, rng: &mut Rng) {
        self.timers.insert((self.now.plus(self.config.reconnect_period), Timer::Reconnect));
        let dead: Vec<NodeId> = self
            .with_state(MemberState::Down)
            .filter(|id| self.table.get(id).is_some_and(|m| !m.has_left && self.may_reconnect(m)))
            .cloned()
            .collect();
        if !dead.is_empty() {
            let id = dead[(rng.next_u64() % dead.len() as u64) as usize].clone();
            self.ping(&id, Purpose::Contact, rng);
        }
    }

    fn may_reconnect(&self, member: &Member) -> bool {
        member.coordinates() || self.leads(member)
    }

    /// Is it for this node to watch a worker?
    fn leads(&self, worker: &Member) -> bool {
        self.role == NodeRole::Manager && worker.datacenter.as_ref() == Some(&self.datacenter)
    }
}
