//! Random scripts for one quorum, and the run of a script.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::kernel::driver::{Driver, Step};
use quorate_core::kernel::ids::{EntityId, VoterId};
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::quorum::event::{Outsiders, VoteChange};
use quorate_core::voting::quorum::{
    Ballot, Cancel, Command, Event, FallbackPlan, Policy, QuorumMachine, QuorumType, Start,
};

pub type Quorum = Driver<QuorumMachine>;

/// Voters there are; the first of them form a closed electorate, the others are outsiders to it.
const VOTERS: usize = 10;

/// A quorum and what is asked of it, each command with the instant it comes in.
#[derive(Clone, Debug)]
pub struct Script {
    pub start: Start,
    pub opened_at: Timestamp,
    pub commands: Vec<(Timestamp, Command)>,
}

/// The names are not in the order of their numbers, so that first votes and sorting do not agree by chance.
pub fn voter(n: usize) -> VoterId {
    let names = ["fig", "ash", "oak", "elm", "yew", "bay", "fir", "box", "sloe", "pear"];
    VoterId::new(names[n % VOTERS]).unwrap()
}

pub fn ballot(n: usize, vote: bool, confidence: f64) -> Command {
    Command::Cast(Ballot { voter_id: voter(n), vote, confidence, reason: None })
}

/// A quorum of the first `size` voters, or of anyone, that takes votes for `timeout_us` microseconds.
pub fn question(size: Option<usize>, required: Option<u32>, timeout_us: u64, policy: Policy) -> Start {
    Start {
        keyed: None,
        quorum_type: QuorumType::Local,
        required_votes: required,
        rule: None,
        timeout: Duration::from_micros(timeout_us),
        cell_id: None,
        voters: size.map(|n| (0..n).map(voter).collect()),
        named: false,
        neighbor_count: 0,
        topic: "cell/unknown/unknown".to_owned(),
        membership_epoch: 0,
        subject: None,
        policy,
        fallback: None,
        parent: None,
    }
}

pub fn confidence() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, 0.25, 0.5, 0.75, 1.0])
}

pub fn policy() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>(), confidence(), 0..4u32, 4..9u32).prop_map(
        |(replace, record, floor, max_outsiders, max_voters)| Policy {
            vote_change: if replace { VoteChange::Replace } else { VoteChange::Reject },
            outsiders: if record { Outsiders::Record } else { Outsiders::Refuse },
            // Half of the floors are none, as in most quorums.
            min_confidence: if floor > 0.5 { 0.0 } else { floor },
            max_outsiders,
            max_voters,
        },
    )
}

fn start() -> impl Strategy<Value = Start> {
    let size = prop_oneof![1 => Just(None), 4 => (1..=8usize).prop_map(Some)];
    let kind = prop::sample::select(QuorumType::ALL.to_vec());
    (size, any::<u32>(), any::<bool>(), kind, 1..60u64, policy(), any::<bool>()).prop_map(
        |(size, pick, given, quorum_type, timeout_us, policy, fallback)| {
            let reachable = size.map_or(4, |n| n as u32);
            let plan = FallbackPlan { child_id: EntityId::new("child").unwrap(), timeout_us: 9 };
            Start {
                quorum_type,
                fallback: (fallback && quorum_type != QuorumType::Global).then_some(plan),
                ..question(size, given.then_some(1 + pick % reachable), timeout_us, policy)
            }
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let cast = (0..VOTERS, any::<bool>(), confidence()).prop_map(|(n, vote, sure)| ballot(n, vote, sure));
    let cancel = Command::Cancel(Cancel { by: None, reason: Some("moot".to_owned()) });
    let again = Command::Start(Box::new(question(None, None, 5, Policy::default())));
    prop_oneof![
        40 => cast,
        4 => Just(Command::Tick),
        1 => Just(cancel),
        1 => Just(Command::RecordFallback(Ok(()))),
        1 => Just(Command::RecordFallback(Err("no authorities".to_owned()))),
        1 => Just(again),
    ]
}

/// Scripts whose clock only moves forward.
pub fn script() -> impl Strategy<Value = Script> {
    timed(0..6)
}

/// Scripts whose clock also steps back a little.
pub fn wild_script() -> impl Strategy<Value = Script> {
    timed(-4..8)
}

fn timed(pause: std::ops::Range<i64>) -> impl Strategy<Value = Script> {
    let commands = prop::collection::vec((pause, command()), 0..40);
    (start(), -1_000_000..1_000_000i64, commands).prop_map(|(start, opened_us, paused)| {
        let mut now = opened_us;
        let commands = paused.into_iter().map(|(pause, command)| {
            now += pause;
            (Timestamp::from_micros(now), command)
        });
        Script { start, opened_at: Timestamp::from_micros(opened_us), commands: commands.collect() }
    })
}

/// Steps through the script and shows each step with the quorum after it.
pub fn play(script: &Script, mut seen: impl FnMut(&Quorum, &Step<QuorumMachine>, Timestamp)) -> Quorum {
    let mut quorum = Quorum::default();
    let start = (script.opened_at, Command::Start(Box::new(script.start.clone())));
    for (now, command) in std::iter::once(&start).chain(&script.commands) {
        let step = quorum.step(command.clone(), *now);
        seen(&quorum, &step, *now);
    }
    quorum
}

/// The script's log and the quorum at its end.
pub fn recorded(script: &Script) -> (Vec<Event>, Quorum) {
    let mut events = Vec::new();
    let quorum = play(script, |_, step, _| events.extend(step.events.iter().cloned()));
    (events, quorum)
}

/// The same quorum once more, to try something on it.
pub fn fork(quorum: &Quorum) -> Quorum {
    Quorum::default().restore(quorum.state().clone(), quorum.revision())
}
