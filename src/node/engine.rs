//! Membership, links and disk as one: datagrams, timers and commands in, datagrams out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::config::NodeConfig;
use super::disk::{Disk, no_random};
use super::links::Links;
use super::ring::KeyRing;
use super::seal::SealError;
use quorate_core::kernel::ids::NodeId;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::network::member::record::{Change, Notebook, Noted, Standing};
use quorate_core::network::member::{
    Address, Command, Effect, Input, LocalNode, MemberEvent, MemberState, Membership,
};
use quorate_runtime::error::{Error, ErrorKind};

/// Datagrams, and where they go.
pub(crate) type Sent = Vec<(SocketAddr, Vec<u8>)>;

/// A node without a socket.
#[derive(Debug)]
pub(crate) struct Engine {
    membership: Membership,
    links: Links,
    disk: Arc<Disk>,
    config: Arc<NodeConfig>,
    rng: Rng,
    /// What happened and is not on record yet.
    notebook: Arc<Mutex<Notebook>>,
    /// Incarnations that are to be stored, and could not be yet.
    unstored: Option<u64>,
    /// Datagrams that could not be sent.
    unsent: u64,
    /// Datagrams that were dropped unread.
    crowded_out: u64,
    /// Times the node was started again after a fall.
    restarts: u64,
    /// What was said of the key file last, so that it is not said again.
    key_complaint: String,
    /// Dropped datagrams that were told of.
    told: BTreeMap<&'static str, u64>,
    /// Whom it knows could not be stored, and that was said.
    is_unsaved: bool,
    /// A test lets it fall.
    #[cfg(test)]
    pub(crate) falls: bool,
}

/// The ring of a node, or an error that names its file.
pub(crate) fn ring(config: &NodeConfig) -> Result<KeyRing, Error> {
    KeyRing::read(&config.key_file).map_err(|e| e.of(&config.key_file))
}

impl Engine {
    /// A node as it was left, and what it sends first.
    ///
    /// # Errors
    /// `invalid_argument`, `store_corrupt`, `store_error`.
    pub(crate) fn open(
        me: &LocalNode,
        config: Arc<NodeConfig>,
        disk: Arc<Disk>,
        notebook: Arc<Mutex<Notebook>>,
        restarts: u64,
        now: Timestamp,
    ) -> Result<(Self, Sent), Error> {
        let ring = ring(&config)?;
        let stored = disk.incarnation()?;
        let seed = getrandom::u64().map_err(|e| no_random(&e))?;
        let members = config.members.clone();
        let made = match disk.members() {
            Some(saved) => Membership::restored(me.clone(), stored, members, &saved, now),
            None => Membership::new(me.clone(), stored, members, now),
        };
        let (membership, effects) = made.map_err(|e| Error::invalid(e.field, e.given, e.expected))?;
        let draw = Box::new(|| getrandom::u64().ok());
        let links = Links::new(me.address.clone(), ring, draw).ok_or_else(|| {
            Error::new(ErrorKind::StoreError, "the system gives no random bytes for a life")
        })?;
        let mut engine = Engine {
            membership,
            links,
            disk,
            config,
            rng: Rng::new(seed),
            notebook,
            unstored: None,
            unsent: 0,
            crowded_out: 0,
            restarts,
            key_complaint: String::new(),
            told: BTreeMap::new(),
            is_unsaved: false,
            #[cfg(test)]
            falls: false,
        };
        engine.note_beginning(now);
        let sent = engine.carry_out(effects, now);
        match engine.unstored {
            Some(_) => Err(Error::new(ErrorKind::StoreError, "the node's incarnation cannot be stored")),
            None => Ok((engine, sent)),
        }
    }

    fn notebook(&self) -> MutexGuard<'_, Notebook> {
        // Each change of it is whole.
        self.notebook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much happened that is not on record yet.
    pub(crate) fn unrecorded(&self) -> u64 {
        self.notebook().len()
    }

    /// Notes that this node begins, and whom it knows from before.
    fn note_beginning(&self, now: Timestamp) {
        let began = Change::Began {
            role: self.membership.role(),
            datacenter: self.membership.datacenter().clone(),
            address: self.membership.address().to_string(),
            keys: self.links.ring().ids().map(|key| key.to_string()).collect(),
        };
        self.note(None, began, now);
        let known: Vec<NodeId> = self.membership.members().map(|(id, _)| id.clone()).collect();
        for id in known {
            let found = Change::Found(self.standing(&id));
            self.note(Some(id), found, now);
        }
    }

    /// Notes what happened to a peer, or to this node itself.
    fn note(&self, peer: Option<NodeId>, change: Change, at: Timestamp) {
        let id = peer.as_ref().unwrap_or_else(|| self.membership.id());
        self.notebook().note(id, Noted { change, at }, &self.standing(id));
    }

    /// What is believed of a node now.
    fn standing(&self, id: &NodeId) -> Standing {
        if id == self.membership.id() {
            return Standing {
                state: Some(MemberState::Alive),
                incarnation: self.membership.incarnation(),
                role: Some(self.membership.role()),
            };
        }
        self.membership.member(id).map_or_else(Standing::default, |member| Standing {
            state: Some(member.state()),
            incarnation: member.incarnation(),
            role: member.role(),
        })
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    pub(crate) fn unsent(&self) -> u64 {
        self.unsent
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    pub(crate) fn crowded_out(&self) -> u64 {
        self.crowded_out
    }

    /// A datagram was dropped unread, for too many came from where no member was heard.
    pub(crate) fn crowd_out(&mut self) {
        self.crowded_out += 1;
    }

    /// A datagram could not be sent.
    pub(crate) fn not_sent(&mut self) {
        self.unsent += 1;
    }

    /// When the next [`Engine::timer`] is needed.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.membership.due()
    }

    /// Bytes came from the network.
    /// What is to be sent, and did a member say something that was never said before?
    pub(crate) fn datagram(&mut self, bytes: &[u8], now: Timestamp) -> (Sent, bool) {
        let (taken, out) = self.links.receive(bytes, now);
        let mut sent = self.addressed(out);
        let Some((from, message)) = taken else { return (sent, false) };
        sent.extend(self.give(Input::Datagram { from: &from, bytes: &message }, now));
        (sent, true)
    }

    pub(crate) fn timer(&mut self, now: Timestamp) -> Sent {
        #[cfg(test)]
        assert!(!self.falls, "a planted fall");
        self.give(Input::Timer, now)
    }

    pub(crate) fn join(&mut self, seeds: &[SocketAddr], now: Timestamp) -> Sent {
        let seeds = seeds.iter().filter_map(|seed| Address::new(seed.to_string()).ok()).collect();
        self.give(Input::Command(Command::Join(seeds)), now)
    }

    /// Says goodbye, and keeps whom it knew.
    pub(crate) fn leave(&mut self, now: Timestamp) -> Sent {
        self.save();
        self.note(None, Change::Left, now);
        self.give(Input::Command(Command::Leave), now)
    }

    /// Is anybody there whom this node heard from?
    pub(crate) fn is_alone(&self) -> bool {
        self.membership.count(MemberState::Alive) + self.membership.count(MemberState::Suspect) == 0
    }

    fn give(&mut self, input: Input<'_>, now: Timestamp) -> Sent {
        let effects = self.membership.handle(input, now, &mut self.rng);
        self.carry_out(effects, now)
    }

    fn carry_out(&mut self, effects: Vec<Effect>, now: Timestamp) -> Sent {
        let mut sent = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, bytes } => {
                    let out = self.links.send(&to, bytes, now);
                    sent.extend(self.addressed(out));
                }
                Effect::StoreIncarnations { upto } => sent.extend(self.store(upto, now)),
                Effect::Happened(event) => {
                    tell(&event, &self.membership);
                    if let Some((peer, change)) = Change::of(&event) {
                        self.note(peer, change, now);
                    }
                }
            }
        }
        sent
    }

    /// Durable, then visible: nothing is sent under an incarnation that the disk does not know.
    fn store(&mut self, upto: u64, now: Timestamp) -> Sent {
        match self.disk.store_incarnation(upto) {
            Ok(()) => {
                self.unstored = None;
                self.give(Input::Command(Command::IncarnationsStored { upto }), now)
            }
            Err(error) => {
                tracing::error!(%error, upto, "this node cannot store its incarnation; it tries again, and refutes nothing meanwhile");
                self.unstored = Some(upto);
                Vec::new()
            }
        }
    }

    fn addressed(&mut self, out: Vec<(Address, Vec<u8>)>) -> Sent {
        let mut sent = Vec::with_capacity(out.len());
        for (to, bytes) in out {
            // Only a member with a key can say that it is reached at what is no address.
            match to.as_str().parse() {
                Ok(to) => sent.push((to, bytes)),
                Err(_) => self.unsent += 1,
            }
        }
        sent
    }

    /// What is looked at once a second: the disk that failed, the key file, and what others seem to get wrong.
    pub(crate) fn look(&mut self, now: Timestamp) -> Sent {
        self.read_keys(now);
        self.complain();
        match self.unstored {
            Some(upto) => self.store(upto, now),
            None => Vec::new(),
        }
    }

    fn read_keys(&mut self, now: Timestamp) {
        match KeyRing::read(&self.config.key_file) {
            Ok(ring) => {
                self.key_complaint.clear();
                if ring != *self.links.ring() {
                    let keys: Vec<String> = ring.ids().map(|key| key.to_string()).collect();
                    tracing::info!(
                        keys = keys.join(","),
                        "the key ring is another one now; the first key seals"
                    );
                    let before: Vec<String> = self.links.ring().ids().map(|key| key.to_string()).collect();
                    self.links.set_ring(ring);
                    let not_in = |of: &[String], others: &[String]| {
                        of.iter().filter(|key| !others.contains(key)).cloned().collect::<Vec<_>>()
                    };
                    let (added, dropped) = (not_in(&keys, &before), not_in(&before, &keys));
                    self.note(None, Change::KeysChanged { keys, added, dropped }, now);
                }
            }
            Err(error) => {
                let error = error.to_string();
                if error != self.key_complaint {
                    let file = self.config.key_file.display();
                    tracing::warn!(%error, %file, "the key file cannot be read; the keys read before count");
                    self.key_complaint = error;
                }
            }
        }
    }

    fn complain(&mut self) {
        let dropped = &self.links.counters().dropped;
        for (fault, hint) in [
            (SealError::UnknownKey, "their sender has a key that this node's key file does not have"),
            (SealError::Forged, "somebody without a key makes them up, or a network breaks them"),
            (SealError::Replayed, "somebody repeats them, or a network doubles them"),
        ] {
            let now = dropped.get(fault.name()).copied().unwrap_or(0);
            let before = self.told.entry(fault.name()).or_default();
            // The first, and then ten times as many each.
            if now > 0 && now >= before.saturating_mul(10) {
                tracing::warn!(reason = fault.name(), count = now, "datagrams are dropped: {hint}");
                *before = now;
            }
        }
    }

    /// Stores whom the node knows.
    pub(crate) fn save(&mut self) {
        let stored = self.disk.store_members(&self.membership.save());
        if let (Err(error), false) = (&stored, self.is_unsaved) {
            tracing::warn!(%error, "whom this node knows cannot be stored; after a restart it begins with those it joins");
        }
        self.is_unsaved = stored.is_err();
    }
}

/// Tells people what happened.
fn tell(event: &MemberEvent, membership: &Membership) {
    let who = |peer| {
        let member = membership.member(peer);
        let role = member.and_then(|m| m.role()).map_or("node", |role| role.name());
        let datacenter =
            member.and_then(|m| m.datacenter()).map_or("an unknown datacenter", |dc| dc.as_str());
        format!("{role} {peer} in {datacenter}")
    };
    match event {
        MemberEvent::Discovered { peer, by: Some(by), .. } => {
            tracing::debug!("heard of {} from {by}", who(peer));
        }
        MemberEvent::Discovered { peer, .. } => tracing::debug!("heard of {}", who(peer)),
        MemberEvent::Confirmed { peer } => tracing::info!("{} is OK: heard from it", who(peer)),
        MemberEvent::Removed { peer, reason } => tracing::info!(?reason, "{peer} is no longer known"),
        MemberEvent::Transition { peer, from, to, incarnation, by, factors } => {
            let (from, to) = (from.name(), to.name());
            let source =
                if by == membership.id() { "found by this node".to_owned() } else { format!("said by {by}") };
            tracing::info!(incarnation, "{} was {from} and is {to}, {source}", who(peer));
            if let Some(factors) = factors {
                tracing::debug!(?factors, "the probe of {peer} that went unanswered");
            }
        }
        MemberEvent::Recovered { peer } => tracing::info!("{} came back from the dead", who(peer)),
        MemberEvent::RoleLearned { peer, role } => tracing::debug!("{peer} is a {}", role.name()),
        MemberEvent::UnconfirmedLong { peer } => {
            tracing::warn!(
                "{} was heard of a minute ago and has not said a word itself; it may be unreachable from here",
                who(peer)
            );
        }
        MemberEvent::NameClaimed { peer, held, claimed } => {
            tracing::warn!(
                "two nodes are called {peer}: at {held}, and at {claimed}; give one of them a folder and a name of its own"
            );
        }
        MemberEvent::IncarnationRaised { incarnation } => {
            tracing::info!(incarnation, "this node speaks with a new incarnation");
        }
    }
}
