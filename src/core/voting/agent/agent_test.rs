//! Registering, watching, beating and grading, event by event.

use std::sync::Mutex;
use std::time::Duration;

use super::command::{Again, Asked};
use super::event::GradeChanged;
use super::rejection::Differs;
use super::state::KeptBeat;
use super::*;
use crate::kernel::driver::Driver;

#[path = "directory_test.rs"]
mod directory;

type A = Driver<AgentMachine>;

/// An interval of one second, failed after three, checked every half second, two beats kept.
const SHORT: Settings =
    Settings { interval_ms: 1_000, failure_threshold: 3, check_period_ms: 500, history_size: 2 };

const CHANGED: Result<Reply, Rejection> = Ok(Reply { changed: true, replaced: false });
const UNCHANGED: Result<Reply, Rejection> = Ok(Reply { changed: false, replaced: false });

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn ann() -> VoterId {
    VoterId::new("ann").unwrap()
}

fn explicit(settings: Settings) -> Asked {
    Asked { settings, explicit: true, again: Again::default() }
}

fn register(settings: Settings) -> Command {
    Command::Register { agent_id: ann(), asked: explicit(settings) }
}

fn plain_beat() -> Command {
    Command::Beat { metadata: None }
}

fn beat_at(at: Timestamp) -> Event {
    Event::Beat { at, metadata: None }
}

/// Ann, registered at 0 with these settings.
fn watched(settings: Settings) -> A {
    let mut agent = A::default();
    assert_eq!(agent.step(register(settings), ms(0)).reply, CHANGED);
    agent
}

/// Ticks at every instant at which one is due up to `to`, as the runtime does.
fn ticks_until(agent: &mut A, to: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(due) = agent.due().filter(|due| *due <= to) {
        events.extend(agent.settle(due).events);
        assert!(agent.due().is_none_or(|next| next > due), "a tick must move what is due");
    }
    events
}

/// When, from what and to what the recorded grade changed.
fn changes(events: &[Event]) -> Vec<(Timestamp, Grade, Grade)> {
    let change = |event: &Event| match event {
        Event::GradeChanged(change) => Some((change.at, change.from, change.to)),
        _ => None,
    };
    events.iter().filter_map(change).collect()
}

fn grades(settings: Settings, elapsed: [u64; 6]) -> [Grade; 6] {
    elapsed.map(|us| settings.grade(us))
}

#[test]
fn a_grade_begins_exactly_at_its_boundary() {
    use Grade::{Critical, Degraded, Failed, Healthy};
    let at = [999_999, 1_000_000, 1_999_999, 2_000_000, 2_999_999, 3_000_000];
    assert_eq!(grades(SHORT, at), [Healthy, Degraded, Degraded, Critical, Critical, Failed]);
    assert_eq!((SHORT.grade(0), SHORT.grade(u64::MAX)), (Healthy, Failed));
}

#[test]
fn with_two_intervals_to_failure_nothing_is_critical_and_with_one_nothing_is_degraded() {
    use Grade::{Degraded, Failed, Healthy};
    let at = [0, 999_999, 1_000_000, 1_999_999, 2_000_000, 9_000_000];
    let two = Settings { failure_threshold: 2, ..SHORT };
    assert_eq!(grades(two, at), [Healthy, Healthy, Degraded, Degraded, Failed, Failed]);
    let one = Settings { failure_threshold: 1, ..SHORT };
    assert_eq!(grades(one, at), [Healthy, Healthy, Failed, Failed, Failed, Failed]);
}

#[test]
fn what_is_worse_than_a_grade_begins_where_the_grades_say() {
    for failure_threshold in 1..=5 {
        let settings = Settings { failure_threshold, ..SHORT };
        for grade in Grade::ALL {
            match settings.worse_after_us(grade) {
                Some(us) => assert!(settings.grade(us) > grade && settings.grade(us - 1) <= grade),
                None => assert_eq!(grade, Grade::Failed),
            }
        }
    }
}

#[test]
fn registering_also_starts_to_watch() {
    let mut agent = A::default();
    let step = agent.step(register(SHORT), ms(7));
    let started = Event::MonitoringStarted { settings: SHORT, explicit: true, at: ms(7) };
    assert_eq!(step.events, [Event::Registered { agent_id: ann(), at: ms(7) }, started]);
    assert_eq!(step.reply, CHANGED);
    assert_eq!(agent.due(), Some(ms(1007)));
}

#[test]
fn what_is_so_already_changes_nothing_and_is_no_error() {
    let mut agent = watched(SHORT);
    let other = Settings { interval_ms: 9_000, ..SHORT };
    for command in [register(other), Command::StartMonitoring(explicit(other))] {
        let step = agent.step(command.clone(), ms(1));
        assert_eq!((step.reply, step.events), (UNCHANGED, vec![]), "{command:?}, watched");
    }
    agent.step(Command::StopMonitoring, ms(2));
    for command in [Command::StopMonitoring, register(other)] {
        let step = agent.step(command.clone(), ms(3));
        assert_eq!((step.reply, step.events), (UNCHANGED, vec![]), "{command:?}, not watched");
    }
    assert_eq!((agent.due(), agent.state().grade(ms(9_999), None)), (None, None));
    agent.step(Command::Leave, ms(4));
    let step = agent.step(Command::Leave, ms(5));
    assert_eq!((step.reply, step.events), (UNCHANGED, vec![]), "left before");
}

/// Ann is registered, or watched, again: these of the settings are given.
fn given(settings: Settings, given: [bool; 4], judged: Option<bool>, replace: bool) -> [Command; 2] {
    let asked = |judged: Option<bool>| Asked {
        settings,
        explicit: judged.unwrap_or(false),
        again: Again { given, judged, implied: false, replace },
    };
    [
        Command::Register { agent_id: ann(), asked: asked(judged) },
        Command::StartMonitoring(asked(judged.or(Some(true)))),
    ]
}

#[test]
fn another_setting_than_the_one_that_holds_is_refused_by_name() {
    let mut agent = watched(SHORT);
    let other = Settings { interval_ms: 9_000, failure_threshold: 7, ..SHORT };
    for command in given(other, [true, false, true, false], Some(true), false) {
        let step = agent.step(command.clone(), ms(1));
        let interval = Differs { field: "interval_ms", held: "1000".into(), given: "9000".into() };
        let refused = Err(Rejection::OtherSettings { differs: vec![interval] });
        assert_eq!((step.reply, step.events), (refused, vec![]), "{command:?}");
    }
    for command in given(SHORT, [true; 4], Some(true), true) {
        let step = agent.step(command.clone(), ms(1));
        assert_eq!((step.reply, step.events), (UNCHANGED, vec![]), "{command:?}, as it is");
    }
    let [register, _] = given(SHORT, [false; 4], Some(false), false);
    let judged = Differs { field: "monitor", held: "true".into(), given: "false".into() };
    let step = agent.step(register.clone(), ms(1));
    assert_eq!(step.reply, Err(Rejection::OtherSettings { differs: vec![judged] }));
    // One that beats is judged whatever was asked for.
    agent.step(plain_beat(), ms(2));
    assert_eq!(agent.step(register, ms(3)).reply, UNCHANGED);
    let unjudged = unjudged().step(given(SHORT, [false; 4], Some(true), false)[0].clone(), ms(1));
    assert!(matches!(unjudged.reply, Err(Rejection::OtherSettings { .. })), "{:?}", unjudged.reply);
}

#[test]
fn a_setting_that_asks_for_judgement_is_named_itself() {
    let again =
        Again { given: [true, false, false, false], judged: Some(true), implied: true, replace: false };
    let asked = Asked { settings: SHORT, explicit: true, again };
    let step = unjudged().step(Command::Register { agent_id: ann(), asked }, ms(1));
    let Err(Rejection::OtherSettings { differs }) = step.reply else { panic!("{:?}", step.reply) };
    assert_eq!(
        differs.iter().map(|one| (one.field, one.given.as_str())).collect::<Vec<_>>(),
        [("interval_ms", "1000")]
    );
}

#[test]
fn what_replaces_the_settings_takes_those_that_are_given_and_begins_anew() {
    for command in given(
        Settings { interval_ms: 9_000, history_size: 7, ..SHORT },
        [true, false, false, false],
        Some(true),
        true,
    ) {
        let mut agent = watched(SHORT);
        let step = agent.step(command.clone(), ms(500));
        let settings = Settings { interval_ms: 9_000, ..SHORT };
        let started = Event::MonitoringStarted { settings, explicit: true, at: ms(500) };
        assert_eq!((step.reply, step.events), (Ok(Reply { changed: false, replaced: true }), vec![started]));
        assert_eq!(agent.state().grade(ms(9_499), None), Some(Grade::Healthy), "{command:?}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_not_recorded() {
    let mut agent = A::default();
    for command in [Command::Leave, Command::StopMonitoring, plain_beat()] {
        let step = agent.step(command.clone(), ms(0));
        assert_eq!((step.reply, step.events), (Err(Rejection::NotRegistered), vec![]), "{command:?}");
    }
    let mut agent = watched(SHORT);
    agent.step(Command::StopMonitoring, ms(1));
    let step = agent.step(plain_beat(), ms(2));
    assert_eq!((step.reply, step.events), (Err(Rejection::NotMonitored), vec![]));
}

/// Ann, registered at 0 by somebody who did not ask for monitoring.
fn unjudged() -> A {
    let mut agent = A::default();
    let asked = Asked { settings: SHORT, explicit: false, again: Again::default() };
    assert_eq!(agent.step(Command::Register { agent_id: ann(), asked }, ms(0)).reply, CHANGED);
    agent
}

#[test]
fn an_agent_that_never_beat_and_was_not_asked_to_is_not_judged_by_its_silence() {
    let mut agent = unjudged();
    assert_eq!((agent.due(), agent.state().grade(ms(99_000), None)), (None, Some(Grade::Healthy)));
    assert_eq!(agent.step(Command::Tick, ms(99_000)).events, []);
    assert_eq!(agent.resume(Downtime::none(ms(99_500))).events, [], "and a restart changes nothing");
    // A vote is no promise to beat.
    assert_eq!(agent.state().grade(ms(200_000), Some(ms(99_900))), Some(Grade::Healthy));
    // From the first beat on it is.
    agent.step(plain_beat(), ms(100_000));
    assert_eq!(agent.state().grade(ms(102_999), None), Some(Grade::Critical));
    let last = ticks_until(&mut agent, ms(200_000));
    assert_eq!(changes(&last).last().map(|(at, _, to)| (*at, *to)), Some((ms(103_000), Grade::Failed)));
    // Who comes back begins anew.
    agent.step(Command::Leave, ms(200_001));
    let asked = Asked { settings: SHORT, explicit: false, again: Again::default() };
    agent.step(Command::Register { agent_id: ann(), asked }, ms(200_002));
    assert_eq!((agent.due(), agent.state().grade(ms(300_000), None)), (None, Some(Grade::Healthy)));
}

#[test]
fn monitoring_that_is_asked_for_later_judges_from_then_on() {
    let mut agent = unjudged();
    let step = agent.step(Command::StartMonitoring(explicit(SHORT)), ms(50_000));
    assert_eq!((step.reply, step.events.len()), (CHANGED, 1));
    assert_eq!(agent.state().grade(ms(50_999), None), Some(Grade::Healthy));
    assert_eq!((agent.state().grade(ms(53_000), None), agent.due()), (Some(Grade::Failed), Some(ms(51_000))));
}

#[test]
fn an_agent_that_is_not_registered_cannot_be_watched() {
    let mut agent = A::default();
    let step = agent.step(Command::StartMonitoring(explicit(SHORT)), ms(0));
    assert_eq!((step.reply, step.events), (Err(Rejection::NotRegistered), vec![]));
}

#[test]
fn an_agent_that_left_can_come_back() {
    let mut agent = watched(SHORT);
    assert_eq!(agent.step(Command::Leave, ms(10)).events, [Event::Left { at: ms(10) }]);
    assert_eq!(agent.step(plain_beat(), ms(20)).reply, Err(Rejection::NotRegistered));
    assert_eq!(agent.due(), None);
    let other = Settings { interval_ms: 2_000, ..SHORT };
    assert_eq!(agent.step(register(other), ms(30)).reply, CHANGED);
    assert_eq!((agent.state().settings, agent.due()), (other, Some(ms(2030))));
}

#[test]
fn every_setting_has_bounds() {
    let refused = |settings: Settings| match A::default().step(register(settings), ms(0)).reply {
        Err(Rejection::Invalid { field, given, expected }) => (field, given, expected),
        other => panic!("{other:?}"),
    };
    let invalid = |field, given, expected: &str| (field, given, expected.to_owned());
    assert_eq!(refused(Settings { interval_ms: 99, ..SHORT }), invalid("interval_ms", 99, "100 to 86400000"));
    assert_eq!(
        refused(Settings { failure_threshold: 0, ..SHORT }),
        invalid("failure_threshold", 0, "1 to 1000")
    );
    assert_eq!(
        refused(Settings { check_period_ms: 86_400_001, ..SHORT }),
        invalid("check_period_ms", 86_400_001, "100 to 86400000")
    );
    assert_eq!(refused(Settings { history_size: 0, ..SHORT }), invalid("history_size", 0, "1 to 10000"));
    let monitor = Command::StartMonitoring(explicit(Settings { interval_ms: 0, ..SHORT }));
    assert!(matches!(watched(SHORT).step(monitor, ms(0)).reply, Err(Rejection::Invalid { .. })));
    for outside in [-1, 0, 99, 86_400_001, i64::from(u32::MAX) + 101, i64::MIN, i64::MAX] {
        assert!(Settings::INTERVAL_MS.check(outside).is_err(), "{outside}");
    }
    assert_eq!(Settings::INTERVAL_MS.check(100), Ok(100));
    assert_eq!(Settings::INTERVAL_MS.check(86_400_000), Ok(86_400_000));
}

#[test]
fn an_agent_that_never_beat_is_graded_from_the_start_of_monitoring() {
    let mut agent = watched(SHORT);
    let at = |us_: i64| agent.state().grade(us(us_), None);
    assert_eq!(at(999_999), Some(Grade::Healthy));
    assert_eq!(at(1_000_000), Some(Grade::Degraded));
    assert_eq!(at(2_999_999), Some(Grade::Critical));
    assert_eq!(at(3_000_000), Some(Grade::Failed));
    let events = ticks_until(&mut agent, ms(1_000));
    let change = GradeChanged {
        from: Grade::Healthy,
        to: Grade::Degraded,
        last_beat: None,
        elapsed_us: 1_000_000,
        at: ms(1_000),
    };
    assert_eq!(events, [Event::GradeChanged(change)]);
}

#[test]
fn a_beat_counts_from_its_own_microsecond() {
    let mut agent = watched(SHORT);
    agent.step(plain_beat(), us(700_001));
    assert_eq!(agent.state().grade(us(1_700_000), None), Some(Grade::Healthy));
    assert_eq!(agent.state().grade(us(1_700_001), None), Some(Grade::Degraded));
    assert_eq!(agent.state().grade(us(3_700_000), None), Some(Grade::Critical));
    assert_eq!(agent.state().grade(us(3_700_001), None), Some(Grade::Failed));
}

#[test]
fn the_record_changes_at_checks_once_per_change() {
    use Grade::{Critical, Degraded, Failed, Healthy};
    let mut agent = watched(SHORT);
    agent.step(plain_beat(), ms(200));
    assert_eq!(agent.due(), Some(ms(1_500)));
    let events = ticks_until(&mut agent, ms(60_000));
    let expected =
        [(ms(1_500), Healthy, Degraded), (ms(2_500), Degraded, Critical), (ms(3_500), Critical, Failed)];
    assert_eq!(changes(&events), expected);
    assert_eq!((events.len(), agent.due()), (3, None), "nothing more is due of a failed agent");
    assert_eq!(agent.step(Command::Tick, ms(70_000)).events, []);
}

#[test]
fn a_boundary_that_falls_on_a_check_is_found_by_it() {
    let mut agent = watched(SHORT);
    agent.step(plain_beat(), ms(500));
    assert_eq!(agent.due(), Some(ms(1_500)));
    agent.step(plain_beat(), us(500_001));
    assert_eq!(agent.due(), Some(ms(2_000)));
}

#[test]
fn a_coarse_check_skips_grades() {
    let mut agent = watched(Settings { check_period_ms: 2_500, ..SHORT });
    let events = ticks_until(&mut agent, ms(60_000));
    let expected =
        [(ms(2_500), Grade::Healthy, Grade::Critical), (ms(5_000), Grade::Critical, Grade::Failed)];
    assert_eq!(changes(&events), expected);
}

#[test]
fn a_late_check_records_the_grade_it_finds() {
    let mut agent = watched(SHORT);
    let step = agent.step(Command::Tick, ms(9_999));
    assert_eq!(changes(&step.events), [(ms(9_999), Grade::Healthy, Grade::Failed)]);
}

#[test]
fn silence_that_ends_before_a_check_is_never_on_record() {
    let mut agent = watched(Settings { check_period_ms: 60_000, ..SHORT });
    assert_eq!(agent.state().grade(ms(59_000), None), Some(Grade::Failed));
    assert_eq!(agent.step(plain_beat(), ms(59_500)).events, [beat_at(ms(59_500))]);
    assert_eq!(ticks_until(&mut agent, ms(60_000)), []);
}

#[test]
fn a_recovery_is_a_change_too_and_recorded_once() {
    let mut agent = watched(SHORT);
    agent.step(plain_beat(), ms(100));
    ticks_until(&mut agent, ms(60_000));
    let recovery = GradeChanged {
        from: Grade::Failed,
        to: Grade::Healthy,
        last_beat: Some(ms(100)),
        elapsed_us: 59_900_000,
        at: ms(60_000),
    };
    let step = agent.step(plain_beat(), ms(60_000));
    assert_eq!(step.events, [beat_at(ms(60_000)), Event::GradeChanged(recovery)]);
    assert_eq!(agent.step(plain_beat(), ms(60_001)).events, [beat_at(ms(60_001))]);
    assert_eq!(agent.due(), Some(ms(61_500)));
}

#[test]
fn watching_again_begins_anew() {
    let mut agent = watched(SHORT);
    ticks_until(&mut agent, ms(5_000));
    agent.step(Command::StopMonitoring, ms(5_000));
    let step = agent.step(Command::StartMonitoring(explicit(SHORT)), ms(9_300));
    assert_eq!(changes(&step.events), [], "nobody is told of a grade nobody watched");
    assert_eq!(agent.state().grade(ms(9_300), None), Some(Grade::Healthy));
    assert_eq!(agent.due(), Some(ms(10_300)), "checks count from the new start");
}

/// Ann, watched since 0, who last voted at what the mutex holds.
fn voting() -> (A, Arc<Mutex<Option<Timestamp>>>) {
    let voted = Arc::new(Mutex::new(None));
    let asked = voted.clone();
    let mut agent = A::new(LastVote::of(move |id| asked.lock().unwrap().filter(|_| *id == ann())));
    agent.step(register(SHORT), ms(0));
    (agent, voted)
}

#[test]
fn a_vote_counts_as_a_beat_and_is_not_recorded_before_it_matters() {
    let (mut agent, voted) = voting();
    *voted.lock().unwrap() = Some(ms(600));
    assert_eq!(agent.step(Command::Tick, ms(600)).events, [Event::Heard { at: ms(600) }]);
    *voted.lock().unwrap() = Some(ms(900));
    assert_eq!(agent.state().grade(ms(1_700), *voted.lock().unwrap()), Some(Grade::Healthy));
    assert_eq!(agent.due(), Some(ms(2_000)));
    let events = ticks_until(&mut agent, ms(2_000));
    let Some((first, rest)) = events.split_first() else { panic!("the vote and the change") };
    assert_eq!(*first, Event::Heard { at: ms(900) });
    let [Event::GradeChanged(change)] = rest else { panic!("{rest:?}") };
    assert_eq!((change.to, change.last_beat, change.elapsed_us), (Grade::Degraded, Some(ms(900)), 1_100_000));
    assert_eq!(agent.step(Command::Tick, ms(2_000)).events, [], "the same vote is heard once");
    assert_eq!(agent.state().total_beats, 0);
}

#[test]
fn a_check_that_hears_of_a_recent_vote_does_not_alert() {
    let (mut agent, voted) = voting();
    *voted.lock().unwrap() = Some(ms(999));
    assert_eq!(ticks_until(&mut agent, ms(1_500)), [Event::Heard { at: ms(999) }]);
    assert_eq!(agent.due(), Some(ms(2_000)));
}

#[test]
fn a_vote_brings_a_failed_agent_back_at_the_next_tick() {
    let (mut agent, voted) = voting();
    ticks_until(&mut agent, ms(10_000));
    assert_eq!(agent.due(), None);
    *voted.lock().unwrap() = Some(ms(10_100));
    let events = agent.step(Command::Tick, ms(10_101)).events;
    assert_eq!(events[0], Event::Heard { at: ms(10_100) });
    assert_eq!(changes(&events), [(ms(10_101), Grade::Failed, Grade::Healthy)]);
    assert_eq!(agent.due(), Some(ms(11_500)));
}

#[test]
fn a_vote_that_is_older_than_the_last_beat_says_nothing_new() {
    let (mut agent, voted) = voting();
    *voted.lock().unwrap() = Some(ms(300));
    agent.step(plain_beat(), ms(300));
    assert_eq!(agent.step(Command::Tick, ms(400)).events, []);
}

#[test]
fn a_restart_counts_silence_from_its_own_beginning_without_an_alert() {
    let mut agent = watched(SHORT);
    ticks_until(&mut agent, ms(1_000));
    let resumed = agent.resume(Downtime::none(ms(90_000))).events;
    assert_eq!(resumed, [Event::Resumed { at: ms(90_000) }]);
    assert_eq!(agent.state().grade(us(90_999_999), None), Some(Grade::Healthy));
    assert_eq!(agent.due(), Some(ms(91_000)));
    assert_eq!(
        agent.resume(Downtime::none(ms(90_000))).events,
        [],
        "waking again in the same process changes nothing"
    );
    let events = ticks_until(&mut agent, ms(91_000));
    assert_eq!(changes(&events), [(ms(91_000), Grade::Healthy, Grade::Degraded)]);
}

#[test]
fn a_restart_means_nothing_to_an_agent_heard_of_since_or_not_watched() {
    let mut agent = watched(SHORT);
    agent.step(plain_beat(), ms(500));
    assert_eq!(agent.resume(Downtime::none(ms(500))).events, []);
    agent.step(Command::StopMonitoring, ms(600));
    assert_eq!(agent.resume(Downtime::none(ms(900))).events, []);
    assert_eq!(A::default().resume(Downtime::none(ms(900))).events, []);
}

#[test]
fn the_newest_beats_are_kept_and_outlast_stopping_and_leaving() {
    let mut agent = watched(SHORT);
    for n in 1..=3 {
        let metadata = Some(format!("{{\"n\":{n}}}"));
        assert_eq!(agent.step(Command::Beat { metadata }, ms(n)).reply, CHANGED);
    }
    let kept = |n: i64| KeptBeat { at: ms(n), metadata: Some(format!("{{\"n\":{n}}}")) };
    assert_eq!(agent.state().history, [kept(2), kept(3)]);
    agent.step(Command::StopMonitoring, ms(10));
    agent.step(Command::StartMonitoring(explicit(SHORT)), ms(20));
    agent.resume(Downtime::none(ms(30)));
    agent.step(Command::Leave, ms(40));
    assert_eq!(agent.state().history, [kept(2), kept(3)]);
    agent.step(register(Settings { history_size: 1, ..SHORT }), ms(50));
    assert_eq!(
        (agent.state().history.iter().collect::<Vec<_>>(), agent.state().total_beats),
        (vec![&kept(3)], 3)
    );
}

#[test]
fn metadata_has_a_bound() {
    let mut agent = watched(SHORT);
    let beat = |bytes| Command::Beat { metadata: Some("x".repeat(bytes)) };
    assert_eq!(agent.step(beat(MAX_METADATA_BYTES), ms(1)).reply, CHANGED);
    let step = agent.step(beat(MAX_METADATA_BYTES + 1), ms(2));
    let refused = Err(Rejection::MetadataTooLarge { given: MAX_METADATA_BYTES + 1 });
    assert_eq!((step.reply, step.events), (refused, vec![]));
}

#[test]
fn the_end_of_time_is_never_due() {
    let mut agent = A::default();
    agent.step(register(SHORT), Timestamp::MAX);
    assert_eq!(agent.due(), None);
    let mut agent = A::default();
    agent.step(register(SHORT), Timestamp::MIN);
    assert_eq!(agent.due(), Some(Timestamp::MIN.plus(Duration::from_secs(1))));
    assert_eq!(changes(&agent.settle(Timestamp::MAX).events).len(), 1);
}
