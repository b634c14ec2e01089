//! Hooks: the table of the module, row by row, and the waits between attempts.

use super::event::Disabling;
use super::*;
use crate::kernel::driver::{Driver, Step};

fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn register(url: &str, secret: u8, is_given: bool) -> Command {
    Command::Register(Box::new(Register {
        hook_id: id("h"),
        url: url.into(),
        filter: "{}".into(),
        secret: Secret(vec![secret; 24]),
        is_given,
        owner: None,
        position: 7,
    }))
}

fn registered() -> Driver<HookMachine> {
    let mut driver = Driver::default();
    let step = driver.step(register("https://a.example/", 1, true), at(0));
    assert_eq!(step.reply, Ok(Reply::Done { changed: true }));
    assert_eq!(step.events.iter().map(Event::name).collect::<Vec<_>>(), ["registered", "keyed"]);
    driver
}

fn names(step: &Step<HookMachine>) -> Vec<&'static str> {
    step.events.iter().map(Event::name).collect()
}

#[test]
fn the_cursor_moves_on_by_what_was_delivered_from_where_it_stands_and_never_back() {
    let mut driver = registered();
    assert_eq!((driver.state().position, driver.state().attempts_from()), (7, Some(None)));
    for (from, upto, changes) in [(7, 9, true), (7, 12, false), (9, 9, false), (9, 8, false), (9, 20, true)] {
        let step = driver.step(Command::Deliver { from, upto, count: 2 }, at(1));
        assert_eq!(step.reply, Ok(Reply::Done { changed: changes }), "{from} {upto}");
        assert_eq!(step.events.len(), usize::from(changes));
    }
    assert_eq!((driver.state().position, driver.state().delivered), (20, 4));
    let before = driver.step(Command::Fail { from: 9, reason: Reason::TimedOut }, at(2));
    assert_eq!(names(&before), [""; 0], "what was delivered since did not fail");
}

#[test]
fn after_failures_in_a_row_it_is_failing_with_its_cursor_where_it_was_until_somebody_resumes_it() {
    let mut driver = registered();
    let fail = Command::Fail { from: 7, reason: Reason::Status(500) };
    let mut now = at(0);
    for failures in 1..MAX_FAILURES {
        let step = driver.step(fail.clone(), now);
        assert_eq!(names(&step), ["failed"]);
        assert_eq!((driver.state().failures, driver.state().state()), (failures, "retrying"));
        let next = driver.state().attempts_from().unwrap().unwrap();
        assert_eq!(next.since(now), wait_after(&id("h"), 7, failures));
        now = next;
    }
    driver.step(fail.clone(), now);
    assert_eq!((driver.state().state(), driver.state().attempts_from()), ("failing", None));
    // About four days.
    assert!((3.0..5.0).contains(&(now.since(at(0)).as_secs_f64() / 86_400.0)));
    assert_eq!(names(&driver.step(fail, now)), [""; 0]);
    assert_eq!(names(&driver.step(Command::Deliver { from: 7, upto: 8, count: 1 }, now)), [""; 0]);
    assert_eq!(driver.state().position, 7);
    assert_eq!(names(&driver.step(Command::Resume, now)), ["resumed"]);
    assert_eq!((driver.state().state(), driver.state().attempts_from()), ("active", Some(None)));
    assert_eq!(names(&driver.step(Command::Resume, now)), [""; 0]);
    assert_eq!(names(&driver.step(Command::Deliver { from: 7, upto: 8, count: 1 }, now)), ["delivered"]);
}

#[test]
fn one_that_was_disabled_is_resumed_and_one_that_was_removed_is_over() {
    let mut driver = registered();
    let step = driver.step(Command::Disable { from: 7, reason: Disabling::Gone }, at(1));
    assert_eq!((names(&step), driver.state().state()), (vec!["disabled"], "disabled"));
    assert_eq!(names(&driver.step(Command::Resume, at(2))), ["resumed"]);
    assert_eq!(names(&driver.step(Command::Remove, at(3))), ["removed"]);
    assert_eq!(driver.state().secret, None, "a secret of which nobody has use is not kept in the state");
    assert_eq!(driver.step(Command::Remove, at(4)).reply, Ok(Reply::Done { changed: false }));
    assert_eq!(driver.step(Command::Resume, at(4)).reply, Err(Rejection::Over));
    let again = driver.step(register("https://a.example/", 1, true), at(5));
    assert_eq!(again.reply, Err(Rejection::AlreadyExists));
}

#[test]
fn the_same_hook_again_changes_nothing_and_another_under_its_id_is_refused() {
    let mut driver = registered();
    for (url, secret, is_given, same) in [
        ("https://a.example/", 1, true, true),
        ("https://a.example/", 9, false, true),
        ("https://a.example/", 9, true, false),
        ("https://b.example/", 1, true, false),
    ] {
        let step = driver.step(register(url, secret, is_given), at(1));
        let expected = if same { Ok(Reply::Done { changed: false }) } else { Err(Rejection::AlreadyExists) };
        assert_eq!((step.reply, step.events.len()), (expected, 0), "{url} {secret}");
    }
}

#[test]
fn nothing_is_asked_of_a_hook_that_never_was() {
    let mut driver = Driver::<HookMachine>::default();
    for command in [
        Command::Deliver { from: 0, upto: 1, count: 1 },
        Command::Fail { from: 0, reason: Reason::Broken },
        Command::Disable { from: 0, reason: Disabling::Gone },
        Command::Resume,
        Command::Remove,
    ] {
        assert_eq!(driver.step(command, at(0)).reply, Err(Rejection::NotFound));
    }
    assert_eq!(driver.state().attempts_from(), None);
}

#[test]
fn waits_double_from_a_second_to_an_hour_move_by_a_fifth_and_are_always_the_same() {
    let nominal = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 3_600, 3_600];
    let mut spread = std::collections::BTreeSet::new();
    for position in 0..200 {
        for (failures, nominal) in (1..).zip(nominal) {
            let wait = wait_after(&id("h"), position, failures);
            assert_eq!(wait, wait_after(&id("h"), position, failures));
            let off = (wait.as_secs_f64() - f64::from(nominal)).abs();
            assert!(off <= f64::from(nominal) / 5.0, "{position} {failures}: {wait:?}");
        }
        spread.insert(wait_after(&id("h"), position, 1));
    }
    assert!(spread.len() > 180, "{}", spread.len());
    assert_eq!(
        wait_after(&id("h"), 1, u32::MAX).as_secs().clamp(2_880, 4_320),
        wait_after(&id("h"), 1, u32::MAX).as_secs()
    );
}
