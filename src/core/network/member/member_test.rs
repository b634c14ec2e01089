use std::time::Duration;

use proptest::prelude::*;

use super::wire::{Body, Sender, Update, WireError, decode, encode};
use super::*;
use crate::kernel::ids::{DatacenterId, NodeId};
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;
use crate::network::coordinate::{NetworkCoordinate, VivaldiConfig};

const START: Timestamp = Timestamp::EPOCH;

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn datacenter(name: &str) -> DatacenterId {
    DatacenterId::new(name).unwrap()
}

fn me() -> LocalNode {
    let (role, datacenter) = (NodeRole::Manager, datacenter("dc1"));
    LocalNode { id: id("me"), address: address("me:1"), role, datacenter }
}

/// A manager that may speak, and that is told what happens.
struct Host {
    node: Membership,
    rng: Rng,
}

impl Host {
    fn new() -> Self {
        let me = me();
        let (node, _) = Membership::new(me, 0, MemberConfig::default(), START).unwrap();
        let mut host = Host { node, rng: Rng::new(1) };
        host.tell(Command::IncarnationsStored { upto: 17 }, START);
        host
    }

    fn tell(&mut self, command: Command, now: Timestamp) -> Vec<Effect> {
        self.node.handle(Input::Command(command), now, &mut self.rng)
    }

    fn hear(
        &mut self,
        from: &str,
        incarnation: u64,
        body: Body,
        updates: Vec<Update>,
        now: Timestamp,
    ) -> Vec<Effect> {
        let bytes = datagram(from, incarnation, &body, updates);
        let from = address(&format!("{from}:1"));
        self.node.handle(Input::Datagram { from: &from, bytes: &bytes }, now, &mut self.rng)
    }

    /// Lets time pass, with every timer at its instant.
    fn wait(&mut self, until: Timestamp) -> Vec<Effect> {
        let mut all = Vec::new();
        while let Some(due) = self.node.due().filter(|due| *due <= until) {
            all.extend(self.node.handle(Input::Timer, due, &mut self.rng));
        }
        all
    }

    fn state(&self, peer: &str) -> Option<MemberState> {
        self.node.member(&id(peer)).map(Member::state)
    }
}

fn sender(name: &str, incarnation: u64) -> Sender {
    Sender {
        id: id(name),
        address: address(&format!("{name}:1")),
        incarnation,
        role: Some(NodeRole::Manager),
        health: PeerHealth::Healthy,
        datacenter: datacenter("dc1"),
    }
}

fn datagram(from: &str, incarnation: u64, body: &Body, updates: Vec<Update>) -> Vec<u8> {
    let coordinate = NetworkCoordinate::origin(&VivaldiConfig::default(), START);
    let mut updates = updates.into_iter();
    encode(&sender(from, incarnation), &coordinate, body, |_| updates.next()).0
}

fn about(name: &str, claim: Claim, incarnation: u64, role: Option<NodeRole>) -> Update {
    let accuser = (claim == Claim::Suspect).then(|| id("accuser"));
    let (id, address) = (id(name), address(&format!("{name}:1")));
    Update { claim, id, address, incarnation, role, accuser, datacenter: Some(datacenter("dc1")) }
}

fn removals(effects: &[Effect]) -> Vec<(String, RemovalReason)> {
    let removed = effects.iter().filter_map(|effect| match effect {
        Effect::Happened(MemberEvent::Removed { peer, reason }) => Some((peer.to_string(), *reason)),
        _ => None,
    });
    removed.collect()
}

fn pings(effects: &[Effect], to: &str) -> usize {
    let to = address(&format!("{to}:1"));
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send { to: address, bytes } if *address == to => Some(decode(bytes, START).unwrap().body),
        _ => None,
    });
    sent.filter(|body| matches!(body, Body::Ping { .. })).count()
}

/// Every cell of the table, by hand: what is not listed changes nothing.
#[test]
fn the_lifecycle_is_exactly_the_table() {
    use MemberState::{Alive, Down, Suspect, Unconfirmed};
    let causes = [
        Cause::Configured,
        Cause::Hearsay(Claim::Alive, 5),
        Cause::Hearsay(Claim::Suspect, 5),
        Cause::Hearsay(Claim::Dead, 5),
        Cause::Direct(5),
        Cause::Left(5),
        Cause::ProbeFailed,
        Cause::SuspicionPassed,
        Cause::ConfirmationPassed,
        Cause::RetentionPassed,
    ];
    let (none, gone) = (Verdict::Ignored, Verdict::Removed);
    let now = Verdict::Now;
    // The peer is known by a lower incarnation (4), the same (5), and a higher one (6).
    let rows: [(Option<MemberState>, [[Verdict; 3]; 10]); 5] = [
        (
            None,
            [
                [now(Unconfirmed, 0); 3],
                [now(Unconfirmed, 5); 3],
                [now(Unconfirmed, 5); 3],
                [none; 3],
                [now(Alive, 5); 3],
                [none; 3],
                [none; 3],
                [none; 3],
                [none; 3],
                [none; 3],
            ],
        ),
        (
            Some(Unconfirmed),
            [
                [none; 3],
                [Verdict::Raised(5), none, none],
                [Verdict::Raised(5), none, none],
                [gone; 3],
                [now(Alive, 5), now(Alive, 5), now(Alive, 6)],
                [gone; 3],
                [none; 3],
                [none; 3],
                [gone; 3],
                [none; 3],
            ],
        ),
        (
            Some(Alive),
            [
                [none; 3],
                [Verdict::Raised(5), none, none],
                [now(Suspect, 5), now(Suspect, 5), none],
                [now(Down, 5), now(Down, 5), none],
                [Verdict::Raised(5), none, none],
                [now(Down, 5), now(Down, 5), none],
                [now(Suspect, 4), now(Suspect, 5), now(Suspect, 6)],
                [none; 3],
                [none; 3],
                [none; 3],
            ],
        ),
        (
            Some(Suspect),
            [
                [none; 3],
                [now(Alive, 5), none, none],
                [Verdict::Raised(5), none, none],
                [now(Down, 5), now(Down, 5), none],
                [now(Alive, 5), none, none],
                [now(Down, 5), now(Down, 5), none],
                [none; 3],
                [now(Down, 4), now(Down, 5), now(Down, 6)],
                [none; 3],
                [none; 3],
            ],
        ),
        (
            Some(Down),
            [
                [none; 3],
                [now(Alive, 5), none, none],
                [none; 3],
                [Verdict::Raised(5), none, none],
                [now(Alive, 5), none, none],
                [none; 3],
                [none; 3],
                [none; 3],
                [none; 3],
                [gone; 3],
            ],
        ),
    ];
    for (state, cells) in rows {
        for (cause, cells) in causes.iter().zip(cells) {
            for (known, expected) in [4, 5, 6].into_iter().zip(cells) {
                let given = verdict(state.map(|state| (state, known)), *cause);
                assert_eq!(given, expected, "{state:?} known by {known}, {cause:?}");
            }
        }
    }
}

#[test]
fn nothing_is_sent_before_the_first_incarnation_is_stored() {
    let me = me();
    let (mut node, effects) = Membership::new(me, 40, MemberConfig::default(), START).unwrap();
    assert_eq!(effects, [Effect::StoreIncarnations { upto: 57 }]);
    let mut rng = Rng::new(1);
    let join = Command::Join(vec![address("a:1")]);
    assert_eq!(node.handle(Input::Command(join), START, &mut rng), []);
    let ping = datagram("a", 1, &Body::Ping { nonce: 1, to: id("me") }, Vec::new());
    let input = Input::Datagram { from: &address("a:1"), bytes: &ping };
    let effects = node.handle(input, START, &mut rng);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Send { .. })));
    let stored = Input::Command(Command::IncarnationsStored { upto: 57 });
    let effects = node.handle(stored, START, &mut rng);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send { .. })), "it joins now");
    assert_eq!(node.incarnation(), 41);
}

#[test]
fn a_refutation_beyond_what_is_stored_waits_for_the_disk() {
    let mut host = Host::new();
    let accused = vec![about("me", Claim::Suspect, 900, None)];
    let effects = host.hear("a", 1, Body::Ping { nonce: 7, to: id("me") }, accused, at(1));
    assert!(effects.contains(&Effect::StoreIncarnations { upto: 917 }));
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Send { bytes, .. } => Some(decode(bytes, START).unwrap().sender.incarnation),
        _ => None,
    });
    assert_eq!((told, host.node.incarnation()), (Some(1), 1));
    host.tell(Command::IncarnationsStored { upto: 917 }, at(1));
    assert_eq!((host.node.incarnation(), host.node.counters().refutations), (901, 1));
}

#[test]
fn an_ordinary_ping_is_answered_and_refutes_nothing() {
    let mut host = Host::new();
    let effects = host.hear("a", 3, Body::Ping { nonce: 7, to: id("me") }, Vec::new(), at(1));
    let answer = effects.iter().find_map(|effect| match effect {
        Effect::Send { bytes, .. } => Some(decode(bytes, START).unwrap().body),
        _ => None,
    });
    assert_eq!(answer, Some(Body::Ack { nonce: 7, held_us: 0, rtt_us: 0 }));
    assert_eq!((host.state("a"), host.node.incarnation()), (Some(MemberState::Alive), 1));
    host.hear("a", 3, Body::Ping { nonce: 8, to: id("other") }, Vec::new(), at(1));
    assert_eq!(host.node.counters().misdirected, 1);
}

#[test]
fn a_manager_never_heard_from_is_probed_at_45_50_55_s_and_removed_at_90() {
    let mut host = Host::new();
    let peer = Command::AddPeer { id: id("m"), address: address("m:1"), role: Some(NodeRole::Manager) };
    host.tell(peer, START);
    host.wait(at(44));
    assert_eq!(host.node.counters().confirmation_attempts.get("manager"), None);
    for (seconds, attempts) in [(45, 1), (49, 1), (50, 2), (55, 3), (80, 3)] {
        host.wait(at(seconds));
        assert_eq!(host.node.counters().confirmation_attempts["manager"], attempts, "{seconds} s");
    }
    assert_eq!(removals(&host.wait(at(89))), []);
    let reason = RemovalReason::ExhaustedProactiveAttempts;
    assert_eq!(removals(&host.wait(at(90))), [("m".to_owned(), reason)]);
    assert_eq!((host.state("m"), host.node.local_health().0), (None, 0), "no death, and no doubt of oneself");
    assert_eq!(host.node.counters().transitions.len(), 0);
}

#[test]
fn a_worker_never_heard_from_gets_no_packet_and_is_removed_at_180_s() {
    let mut host = Host::new();
    let heard =
        vec![about("w", Claim::Alive, 1, Some(NodeRole::Worker)), about("u", Claim::Suspect, 1, None)];
    host.hear("a", 1, Body::Gossip, heard, START);
    assert_eq!(
        (host.state("w"), host.state("u")),
        (Some(MemberState::Unconfirmed), Some(MemberState::Unconfirmed))
    );
    // Nobody is left to probe, so this node has no reason to doubt itself and to wait longer.
    host.hear("a", 1, Body::Leave, Vec::new(), START);
    let effects = host.wait(at(200));
    assert_eq!((pings(&effects, "w"), pings(&effects, "u")), (0, 0));
    let reason = RemovalReason::PassiveTimeoutExpired;
    let mut removed = removals(&effects);
    removed.sort();
    assert_eq!(removed, [("u".to_owned(), reason), ("w".to_owned(), reason)]);
}

#[test]
fn own_word_about_a_role_beats_hearsay() {
    let mut host = Host::new();
    host.hear("a", 1, Body::Gossip, vec![about("b", Claim::Alive, 1, Some(NodeRole::Worker))], START);
    assert_eq!(host.node.member(&id("b")).unwrap().role(), Some(NodeRole::Worker));
    host.hear("b", 1, Body::Heartbeat, Vec::new(), at(1));
    assert_eq!(host.node.member(&id("b")).unwrap().role(), Some(NodeRole::Manager));
    host.hear("a", 1, Body::Gossip, vec![about("b", Claim::Alive, 2, Some(NodeRole::Gate))], at(2));
    assert_eq!(host.node.member(&id("b")).unwrap().role(), Some(NodeRole::Manager));
}

#[test]
fn a_peer_that_leaves_is_dead_and_not_called_again() {
    let mut host = Host::new();
    host.hear("a", 1, Body::Heartbeat, Vec::new(), START);
    host.hear("a", 1, Body::Leave, Vec::new(), START);
    assert_eq!(host.state("a"), Some(MemberState::Down));
    assert_eq!(pings(&host.wait(at(120)), "a"), 0);
    host.tell(Command::Leave, at(121));
    assert_eq!(host.node.due(), None);
}

#[test]
fn timeouts_have_every_factor_of_the_formula() {
    let factors = |score, level, rtt, quality, peer| TimeoutFactors::new(score, level, rtt, quality, peer);
    let (base, most) = (Duration::from_millis(100), Duration::from_secs(60));
    let calm = factors(0, Degradation::Normal, None, 0.0, PeerHealth::Healthy);
    assert_eq!(calm.timeout(base, most), base);
    let one = factors(2, Degradation::Light, Some(50.0), 0.5, PeerHealth::Busy);
    let product = 3.0 * 1.2 * 5.0 * 1.25 * 1.25;
    assert!((one.timeout(base, most).as_secs_f64() - 0.1 * product).abs() < 1e-6);
    let worst = factors(99, Degradation::Critical, Some(1e9), 0.0, PeerHealth::Overloaded);
    assert_eq!((worst.local_health, worst.latency, worst.confidence), (9.0, 10.0, 1.5));
    assert_eq!(worst.timeout(base, most), most);
}

#[test]
fn knobs_of_membership_that_do_not_fit_are_refused_by_name() {
    let base = MemberConfig::default;
    let refused = |config: MemberConfig| config.check().unwrap_err().field;
    assert_eq!(refused(MemberConfig { probe_period: Duration::ZERO, ..base() }), "probe_period");
    assert_eq!(refused(MemberConfig { suspicion_periods: f64::NAN, ..base() }), "suspicion_periods");
    assert_eq!(refused(MemberConfig { health_score_max: 9, ..base() }), "health_score_max");
    assert_eq!(refused(MemberConfig { max_nodes: 0, ..base() }), "max_nodes");
    assert!(Address::new("a b").is_err() && Address::new("").is_err() && Address::new("[::1]:7946").is_ok());
}

fn any_id() -> impl Strategy<Value = NodeId> {
    "[a-d]{1,2}".prop_map(|text| id(&text))
}

fn any_body() -> impl Strategy<Value = Body> {
    let to = prop_oneof![Just(id("me")), any_id()];
    prop_oneof![
        (any::<u64>(), to.clone()).prop_map(|(nonce, to)| Body::Ping { nonce, to }),
        (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(nonce, held_us, rtt_us)| Body::Ack {
            nonce,
            held_us,
            rtt_us
        }),
        (any::<u64>(), any::<u32>(), to).prop_map(|(nonce, wait_ms, to)| Body::PingRequest {
            nonce,
            wait_ms,
            to,
            address: address("x:1"),
        }),
        any::<u64>().prop_map(|nonce| Body::Nack { nonce }),
        any::<u64>().prop_map(|nonce| Body::RelayedAck { nonce }),
        (any::<u64>(), prop::option::of(any_id())).prop_map(|(nonce, after)| Body::Sync { nonce, after }),
        any::<u64>().prop_map(|nonce| Body::Page { nonce }),
        Just(Body::Gossip),
        Just(Body::Leave),
        Just(Body::Heartbeat),
    ]
}

fn any_update() -> impl Strategy<Value = Update> {
    let claim = prop_oneof![Just(Claim::Alive), Just(Claim::Suspect), Just(Claim::Dead)];
    let incarnation = prop_oneof![0_u64..4, any::<u64>()];
    let about = prop_oneof![Just(id("me")), any_id()];
    let role = prop_oneof![Just(None), Just(Some(NodeRole::Worker)), Just(Some(NodeRole::Gate))];
    (claim, about, incarnation, role, prop::option::of(any_id())).prop_map(
        |(claim, id, incarnation, role, accuser)| Update {
            claim,
            id,
            address: address("x:1"),
            incarnation,
            role,
            accuser,
            datacenter: Some(datacenter("dc2")),
        },
    )
}

/// Who was there is asked anew, who was dead stays dead, and the place is kept while the trust is not.
#[test]
fn a_restart_knows_whom_to_ask_and_suspects_nobody() {
    let mut host = Host::new();
    host.hear("m", 3, Body::Gossip, vec![about("w", Claim::Alive, 4, Some(NodeRole::Worker))], at(1));
    host.hear("gone", 5, Body::Gossip, Vec::new(), at(1));
    host.hear("m", 3, Body::Gossip, vec![about("gone", Claim::Dead, 5, None)], at(2));
    host.hear("s", 2, Body::Gossip, Vec::new(), at(2));
    host.hear("m", 3, Body::Gossip, vec![about("s", Claim::Suspect, 2, None)], at(2));
    assert_eq!(host.state("s"), Some(MemberState::Suspect));
    let saved = host.node.save();
    let (node, _) = Membership::restored(me(), 17, MemberConfig::default(), &saved, at(10)).unwrap();
    let mut host = Host { node, rng: Rng::new(2) };
    for peer in ["m", "w", "s"] {
        assert_eq!(host.state(peer), Some(MemberState::Unconfirmed), "{peer}");
    }
    assert_eq!(host.state("gone"), Some(MemberState::Down));
    let known = host.node.member(&id("m")).unwrap();
    assert_eq!(
        (known.incarnation(), known.role(), known.discovered_at()),
        (3, Some(NodeRole::Manager), at(10))
    );
    assert_eq!(known.datacenter(), Some(&datacenter("dc1")));
    assert!(host.node.validate_state().overall_valid);
    host.tell(Command::IncarnationsStored { upto: 34 }, at(10));
    let effects = host.wait(at(60));
    assert!(pings(&effects, "m") > 0, "a manager is asked");
    assert_eq!(pings(&effects, "w"), 0, "a worker is not");
    // The dead one speaks with the incarnation that it died with: an old word.
    host.hear("gone", 5, Body::Gossip, Vec::new(), at(61));
    assert_eq!(host.state("gone"), Some(MemberState::Down));
    host.hear("gone", 6, Body::Gossip, Vec::new(), at(62));
    assert_eq!(host.state("gone"), Some(MemberState::Alive));
    host.wait(at(10_000));
    assert_eq!(host.state("w"), None, "nobody spoke for it, and that was no death");
    let transitions = &host.node.counters().transitions;
    assert!(!transitions.contains_key(&("UNCONFIRMED", "SUSPECT")), "{transitions:?}");
}

#[test]
fn only_the_managers_of_its_datacenter_watch_a_worker() {
    let mut host = Host::new();
    let worker = |name: &str, dc: &str| {
        let sender = Sender { role: Some(NodeRole::Worker), datacenter: datacenter(dc), ..sender(name, 1) };
        let coordinate = NetworkCoordinate::origin(&VivaldiConfig::default(), START);
        encode(&sender, &coordinate, &Body::Heartbeat, |_| None).0
    };
    for (name, dc) in [("near", "dc1"), ("far", "dc2")] {
        let (from, bytes) = (address(&format!("{name}:1")), worker(name, dc));
        host.node.handle(Input::Datagram { from: &from, bytes: &bytes }, at(1), &mut host.rng);
    }
    let effects = host.wait(at(10));
    assert!(pings(&effects, "near") > 0);
    assert_eq!(pings(&effects, "far"), 0);
    assert_eq!(host.state("far"), Some(MemberState::Alive));
}

proptest! {
    #[test]
    fn what_is_written_is_read(body in any_body(), updates in prop::collection::vec(any_update(), 0..60)) {
        let coordinate = NetworkCoordinate::origin(&VivaldiConfig::default(), START);
        let mut next = updates.clone().into_iter();
        let (bytes, taken) = encode(&sender("a", 9), &coordinate, &body, |_| next.next());
        prop_assert!(bytes.len() <= DATAGRAM_BYTES);
        let read = decode(&bytes, START).unwrap();
        prop_assert_eq!(read.sender, sender("a", 9));
        prop_assert_eq!(read.body, body);
        prop_assert_eq!(&read.updates[..], &updates[..taken]);
        prop_assert_eq!(read.coordinate.unwrap().unwrap().dimensions(), 8);
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..1_500)) {
        let _ = decode(&bytes, START);
    }

    /// A good datagram with a few bytes changed, cut or appended: it is another one or none, and nobody falls over it.
    #[test]
    fn broken_datagrams_break_nothing(
        body in any_body(),
        updates in prop::collection::vec(any_update(), 0..5),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = datagram("a", 1, &body, updates);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut host = Host::new();
        let from = address("a:1");
        host.node.handle(Input::Datagram { from: &from, bytes: &bytes }, at(1), &mut host.rng);
        prop_assert!(host.node.validate_state().overall_valid);
    }

    /// Whatever is said in whatever order: an UNCONFIRMED peer is never suspected, no worker is probed to confirm it, and
    /// all that is kept hangs together.
    #[test]
    fn no_talk_makes_a_node_suspect_whom_it_never_heard_from(
        talk in prop::collection::vec((any_id(), 0_u64..5, any_body(), prop::collection::vec(any_update(), 0..4), 0_u64..20), 1..40),
    ) {
        let (mut host, mut now) = (Host::new(), START);
        let mut confirmed = std::collections::BTreeSet::new();
        for (from, incarnation, body, updates, wait) in talk {
            now = now.plus(Duration::from_secs(wait));
            let mut effects = host.wait(now);
            effects.extend(host.hear(from.as_str(), incarnation, body, updates, now));
            for effect in effects {
                match effect {
                    Effect::Happened(MemberEvent::Confirmed { peer }) => { confirmed.insert(peer); }
                    Effect::Happened(MemberEvent::Removed { peer, .. }) => { confirmed.remove(&peer); }
                    Effect::Happened(MemberEvent::Transition { peer, .. }) => {
                        prop_assert!(confirmed.contains(&peer), "{} was never heard from", peer);
                    }
                    Effect::Happened(_) | Effect::StoreIncarnations { .. } => {}
                    Effect::Send { bytes, .. } => prop_assert!(bytes.len() <= DATAGRAM_BYTES),
                }
            }
            let report = host.node.validate_state();
            prop_assert!(report.overall_valid, "{:?}", report.errors);
            prop_assert_eq!(host.node.counters().worker_confirmations, 0);
        }
    }
}

#[test]
fn malformed_datagrams_are_counted_by_their_fault() {
    let good = datagram("a", 1, &Body::Gossip, Vec::new());
    let changed = |at: usize, value| {
        let mut bytes = good.clone();
        bytes[at] = value;
        decode(&bytes, START).unwrap_err()
    };
    assert_eq!(changed(0, 2), WireError::Version(2));
    assert_eq!(changed(3, 99), WireError::Kind(99));
    assert_eq!(changed(2, 0), WireError::Length("length"));
    assert_eq!(decode(&[0; 1_301], START), Err(WireError::TooLong(1_301)));
    let mut host = Host::new();
    host.node.handle(Input::Datagram { from: &address("a:1"), bytes: &[9, 9] }, START, &mut host.rng);
    assert_eq!(host.node.counters().malformed["version"], 1);
    assert_eq!(host.node.members().count(), 0);
}
