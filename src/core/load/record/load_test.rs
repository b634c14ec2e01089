use super::*;
use crate::kernel::driver::Driver;
use crate::load::shed::{self, Class, Verdict};
use crate::load::stats::{Level, Sample};

type Node = Driver<LoadMachine>;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// So many samples, one a millisecond up to `ms`.
fn samples(count: i64, ms: i64) -> Vec<Sample> {
    (0..count).map(|n| Sample::of(n as f64, at(ms - count + 1 + n))).collect()
}

fn filled(count: i64, ms: i64) -> Node {
    let mut node = Node::default();
    let reply = node.step(Command::Record(samples(count, ms)), at(ms)).reply.unwrap();
    assert_eq!((reply.taken, reply.refused), (count as u64, 0));
    node
}

fn verdict(state: Load, cause: shed::Cause, measured: f64, threshold: f64) -> Verdict {
    Verdict { state, cause, measured, threshold }
}

#[test]
fn samples_fill_the_buffer_and_move_the_level_at_its_exact_thresholds() {
    for (count, level) in
        [(699, Level::None), (700, Level::Throttle), (850, Level::Batch), (950, Level::Reject)]
    {
        let node = filled(count, 10_000);
        assert_eq!((node.state().level, node.state().stats.hot().count() as i64), (level, count));
    }
}

#[test]
fn the_level_falls_by_itself_at_the_instant_at_which_enough_has_aged() {
    // The samples are one a millisecond, the first at 9,002: 950 of them are reject until one has aged.
    let mut node = filled(950, 9_951);
    assert_eq!(node.due(), Some(at(69_002)));
    assert_eq!(node.settle(at(69_001)).events, []);
    let falls = |from, to, hot, ms| Event::LevelChanged { from, to, hot, hot_max: 1_000, at: at(ms) };
    assert_eq!(node.settle(at(69_002)).events, [falls(Level::Reject, Level::Batch, 949, 69_002)]);
    assert_eq!(node.due(), Some(at(69_102)));
    assert_eq!(node.settle(at(69_102)).events, [falls(Level::Batch, Level::Throttle, 849, 69_102)]);
    assert_eq!(node.due(), Some(at(69_252)));
    assert_eq!(node.settle(at(69_252)).events, [falls(Level::Throttle, Level::None, 699, 69_252)]);
    assert_eq!(node.due(), None);
    // After a long silence it falls in one step.
    let mut node = filled(950, 10_000);
    assert_eq!(node.settle(at(999_999)).events, [falls(Level::Reject, Level::None, 0, 999_999)]);
}

#[test]
fn at_reject_only_what_is_critical_is_taken() {
    let mut node = filled(950, 10_000);
    let plain = Sample::of(1.0, at(10_000));
    let critical = Sample { critical: true, ..plain };
    let step = node.step(Command::Record(vec![plain, critical, plain]), at(10_000));
    assert_eq!(step.reply, Ok(Reply { taken: 1, refused: 2, level: Level::Reject }));
    assert_eq!(step.events, [Event::Sampled { samples: vec![critical.into()], at: at(10_000) }]);
    let step = node.step(Command::Record(vec![plain]), at(10_000));
    assert_eq!((step.events, step.reply.unwrap().refused), (vec![], 1));
}

#[test]
fn a_value_that_is_not_one_refuses_the_whole_request() {
    let mut node = Node::default();
    for bad in [f64::NAN, f64::INFINITY, 2e15] {
        let step = node.step(Command::Record(vec![Sample::of(1.0, at(1)), Sample::of(bad, at(1))]), at(1));
        let Err(Rejection::Invalid(invalid)) = step.reply else { panic!("{bad} was taken") };
        assert_eq!((invalid.field, step.events), ("value", vec![]));
    }
    for count in [0, MOST_SAMPLES as i64 + 1] {
        let step = node.step(Command::Record(samples(count, 5_000)), at(5_000));
        assert!(matches!(step.reply, Err(Rejection::Invalid(invalid)) if invalid.field == "values"));
    }
    assert_eq!(node.state(), &NodeLoad::default());
}

#[test]
fn a_change_of_state_tells_cause_measure_and_threshold_in_whole_millionths() {
    let mut node = Node::default();
    let stressed = verdict(Load::Stressed, shed::Cause::Cpu, 91.25, 85.0);
    let change = Change { from: Load::Healthy, to: stressed, at: at(7) };
    let step = node.step(Command::Note { changes: vec![change], shed: None }, at(8));
    let expected = StateChanged {
        from: Load::Healthy,
        to: Load::Stressed,
        cause: Cause::Cpu,
        measured_millionths: 91_250_000,
        threshold_millionths: 85_000_000,
        at: at(7),
    };
    assert_eq!(step.events, [Event::StateChanged(expected)]);
    let state = node.state();
    assert_eq!((state.state, state.since, state.transitions), (Load::Stressed, at(7), 1));
}

#[test]
fn a_minute_in_which_nothing_was_refused_is_not_recorded() {
    let mut node = Node::default();
    let mut minute = Shed { minute: at(60_000), at: at(70_000), ..Shed::default() };
    minute.admitted.add(Class::Data, 9);
    let note = |minute| Command::Note { changes: vec![], shed: Some(Box::new(minute)) };
    assert_eq!(node.step(note(minute), at(70_000)).events, []);
    minute.full.add(Class::Data, 2);
    minute.shed.add(Class::Telemetry, 3);
    minute.expired.add(Class::Dispatch, 4);
    minute.samples_refused = 5;
    for _ in 0..2 {
        assert_eq!(node.step(note(minute), at(70_000)).events, [Event::Shed(Box::new(minute))]);
    }
    let state = node.state();
    assert_eq!(
        (state.full.data, state.shed.telemetry, state.expired.dispatch, state.samples_refused),
        (4, 6, 8, 10)
    );
    let only = Shed { samples_refused: 1, ..Shed::default() };
    assert_eq!(node.step(note(only), at(70_000)).events.len(), 1);
}

#[test]
fn a_new_process_is_healthy_whatever_the_old_one_was() {
    let mut node = Node::default();
    let busy = verdict(Load::Busy, shed::Cause::Pending, 0.5, 0.5);
    let change = Change { from: Load::Healthy, to: busy, at: at(100) };
    node.step(Command::Note { changes: vec![change], shed: None }, at(100)).reply.unwrap();
    let mut same = Node::default().restore(node.state().clone(), node.revision());
    assert_eq!(same.resume(Downtime::none(at(99))).events, [], "it woke in the process that recorded it");
    let resumed = node.resume(Downtime::none(at(100))).events;
    assert!(
        matches!(&resumed[..], [Event::StateChanged(c)] if c.cause == Cause::Restarted && c.at == at(100))
    );
    assert_eq!(node.state().state, Load::Healthy);
    assert_eq!(node.resume(Downtime::none(at(200))).events, []);
}

#[test]
fn statistics_after_a_replay_are_those_that_were_live() {
    let mut node = Node::default();
    let mut events = Vec::new();
    for minute in 0..200 {
        let ms = minute * 30_000;
        let mut step = node.step(Command::Record(samples(1_000, ms + 5_000)), at(ms + 5_000));
        events.append(&mut step.events);
    }
    let mut again = Node::default();
    events.iter().for_each(|event| again.replay(event));
    assert_eq!(node.state(), again.state());
    let counted: u64 = {
        let stats = &node.state().stats;
        let tiers = stats.hot().chain(stats.warm()).chain(stats.cold());
        tiers.map(|entry| entry.count).sum::<u64>() + stats.archive().map_or(0, |entry| entry.count)
    };
    assert_eq!(Some(counted), node.state().stats.summary().map(|all| all.count));
}

#[test]
fn reports_of_progress_take_places_and_add_no_value() {
    let mut node = Node::default();
    node.step(Command::Record(vec![Sample::of(7.0, at(0))]), at(0));
    let arrived = |count| (0..count).map(|_| Arrived { at: at(1_000), critical: false }).collect();
    let reply = node.step(Command::Report(arrived(699)), at(1_000)).reply.unwrap();
    assert_eq!((reply.taken, reply.refused, reply.level), (699, 0, Level::Throttle));
    let stats = &node.state().stats;
    assert_eq!((stats.hot().count(), stats.places(at(1_000)).count()), (700, 700));
    let all = stats.summary().unwrap();
    assert_eq!((all.count, all.min, all.value()), (1, 7.0, 7.0));
    assert_eq!(stats.recent_average(std::time::Duration::from_secs(60), at(1_000)), Some(7.0));
    // At reject only what is critical finds a place; with their age the places go, and leave nothing behind.
    assert_eq!(node.step(Command::Report(arrived(251)), at(1_000)).reply.unwrap().taken, 250);
    let critical = vec![Arrived { at: at(1_000), critical: true }];
    assert_eq!(node.step(Command::Report(critical), at(1_000)).reply.unwrap().taken, 1);
    node.settle(at(61_000));
    let mut stats = node.state().stats.clone();
    let seen = stats.metrics(at(61_000));
    assert_eq!((seen.hot, seen.warm, seen.level, seen.totals.recorded), (0, 1, Level::None, 1));
}
