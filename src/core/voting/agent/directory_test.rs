//! The directory follows the agents.

use super::*;
use crate::voting::agent::directory::Distribution;

fn bob() -> VoterId {
    VoterId::new("bob").unwrap()
}

/// One agent and what the directory knows of it.
struct Known {
    agent: A,
    directory: Directory,
}

impl Known {
    fn new() -> Self {
        Known { agent: A::default(), directory: Directory::default() }
    }

    fn step(&mut self, command: Command, at: Timestamp) {
        let events = self.agent.step(command, at).events;
        self.learn(&events);
    }

    fn learn(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.directory.apply(&ann(), event));
        let presence = self.directory.get(&ann());
        assert_eq!(presence.is_some(), self.agent.state().registered);
        assert_eq!(presence.and_then(|p| p.watch.as_ref()), self.agent.state().watch.as_ref());
    }
}

fn quietly(settings: Settings) -> Command {
    Command::Register { agent_id: ann(), asked: Asked { settings, explicit: false, again: Again::default() } }
}

#[test]
fn the_directory_grades_like_the_agent_and_spares_the_time_before_the_process() {
    let mut known = Known::new();
    known.step(register(SHORT), ms(0));
    known.step(plain_beat(), ms(100));
    for at in [1_099, 1_100, 2_099, 2_100, 3_099, 3_100].map(ms) {
        assert_eq!(known.directory.grade(&ann(), at, ms(0)), known.agent.state().grade(at, None));
        assert_eq!(known.directory.grade(&ann(), at, at), Some(Grade::Healthy));
    }
    assert_eq!(known.directory.grade(&ann(), ms(3_500), ms(2_500)), Some(Grade::Degraded));
    assert_eq!(known.directory.grade(&bob(), ms(0), ms(0)), None);
    known.step(Command::StopMonitoring, ms(4_000));
    assert_eq!(known.directory.grade(&ann(), ms(4_000), ms(0)), None);
    assert_eq!(known.directory.registered().len(), 1);
    known.step(Command::Leave, ms(5_000));
    assert_eq!(known.directory.registered().len(), 0);
}

#[test]
fn the_directory_follows_checks_recoveries_and_restarts() {
    let mut known = Known::new();
    known.step(register(SHORT), ms(0));
    let events = ticks_until(&mut known.agent, ms(9_000));
    known.learn(&events);
    known.step(plain_beat(), ms(9_000));
    let events = ticks_until(&mut known.agent, ms(20_000));
    known.learn(&events);
    let events = known.agent.resume(Downtime::none(ms(30_000))).events;
    known.learn(&events);
    assert_eq!(known.directory.grade(&ann(), ms(30_999), ms(0)), Some(Grade::Healthy));
}

#[test]
fn a_vote_of_a_watched_agent_is_remembered_and_counted() {
    let mut known = Known::new();
    known.directory.voted(&ann(), ms(1));
    known.step(register(SHORT), ms(10));
    assert_eq!(known.directory.last_vote(&ann()), None);
    known.directory.voted(&ann(), ms(500));
    // Heard of late, and older.
    known.directory.voted(&ann(), ms(400));
    assert!(!known.directory.is_given_up(&ann()));
    assert_eq!(known.directory.last_vote(&ann()), Some(ms(500)));
    assert_eq!(known.directory.grade(&ann(), ms(1_499), ms(0)), Some(Grade::Healthy));
    assert_eq!(known.directory.grade(&ann(), ms(1_500), ms(0)), Some(Grade::Degraded));
    let events = ticks_until(&mut known.agent, ms(9_000));
    known.learn(&events);
    known.directory.voted(&ann(), ms(9_000));
    assert!(known.directory.is_given_up(&ann()), "a tick is wanted to record the recovery");
    known.step(plain_beat(), ms(9_001));
    known.directory.voted(&ann(), ms(9_002));
    assert!(!known.directory.is_given_up(&ann()));
    assert_eq!(known.directory.total_heartbeats(), 5);
    known.step(Command::StopMonitoring, ms(9_003));
    known.directory.voted(&ann(), ms(9_004));
    assert_eq!((known.directory.last_vote(&ann()), known.directory.total_heartbeats()), (Some(ms(9_002)), 5));
    known.step(Command::Leave, ms(9_005));
    assert_eq!((known.directory.last_vote(&ann()), known.directory.total_heartbeats()), (None, 5));
}

#[test]
fn heartbeats_are_in_use_from_the_first_beat_or_setting_on() {
    let mut known = Known::new();
    known.step(quietly(SHORT), ms(0));
    known.directory.voted(&ann(), ms(1));
    assert!(!known.directory.uses_heartbeats());
    known.step(plain_beat(), ms(2));
    assert!(known.directory.uses_heartbeats());
    known.step(Command::Leave, ms(3));
    assert!(known.directory.uses_heartbeats(), "and stay so");
    let mut known = Known::new();
    known.step(register(SHORT), ms(0));
    assert!(known.directory.uses_heartbeats());
    let mut known = Known::new();
    known.step(quietly(SHORT), ms(0));
    known.step(Command::StopMonitoring, ms(1));
    known.step(Command::StartMonitoring(explicit(SHORT)), ms(2));
    assert!(known.directory.uses_heartbeats());
}

#[test]
fn the_distribution_counts_watched_agents_by_grade() {
    let mut directory = Directory::default();
    for (n, at) in [(1, 0), (2, 1_500), (3, 2_500), (4, 2_900), (5, 2_900)] {
        let id = VoterId::new(format!("agent-{n}")).unwrap();
        directory.apply(&id, &Event::Registered { agent_id: id.clone(), at: ms(at) });
        if n < 5 {
            let started = Event::MonitoringStarted { settings: SHORT, explicit: true, at: ms(at) };
            directory.apply(&id, &started);
        }
    }
    let expected = Distribution { healthy: 2, degraded: 1, critical: 0, failed: 1 };
    assert_eq!(directory.distribution(ms(3_000), ms(0)), expected);
    let all = Distribution { healthy: 4, ..Distribution::default() };
    assert_eq!(directory.distribution(ms(3_000), ms(3_000)), all);
    let after = VoterId::new("agent-3").unwrap();
    let rest: Vec<_> = directory.registered_after(Some(&after)).map(|(id, _)| id.to_string()).collect();
    assert_eq!(rest, ["agent-4", "agent-5"]);
}
