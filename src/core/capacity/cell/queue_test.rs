//! Queues: needs that are cancelled, and a queue that is as long as a program makes it.

use super::*;
use crate::capacity::cell::budget::{self, WaitEnd};

fn cancel(of: &str, id: &str) -> Op {
    Op::Cancel { cell: cell(of), need: need(id) }
}

fn ring() -> BudgetId {
    BudgetId::new("ring").unwrap()
}

fn charged(of: &str, id: &str, x: f64) -> Op {
    Op::Request(Request { budgets: [ring()].into(), ..ask(of, id, x) })
}

#[test]
fn a_need_that_is_cancelled_leaves_its_place_to_those_behind_it() {
    let mut world = World::default();
    status(&mut world, &request("a", "own", 0.5), 0);
    status(&mut world, &request("a", "large", 0.9), 0);
    status(&mut world, &request("a", "middle", 0.8), 0);
    status(&mut world, &request("a", "small", 0.3), 0);
    let from = world.log.len();
    // From the middle: nobody moves, for the head still waits.
    assert_eq!(status(&mut world, &cancel("a", "middle"), 1), "cancelled");
    assert_eq!(names(&world, from), ["a need_cancelled"]);
    // The one behind the head is served in the same decision, and owed to nobody.
    world.run_alone(&cancel("a", "large"), ms(2)).unwrap();
    assert_eq!(names(&world, from + 1), ["a need_cancelled", "a granted"]);
    assert!(matches!(world.cell(&cell("a")).need(&need("small")), Some(NeedState::Granted(_))));
    assert_eq!((available(&world, "a"), world.stats.needs_cancelled), (0.2, 2));
    // No deadline is left of them.
    world.tick(ms(5_001));
    assert_eq!(world.log.len(), from + 3);
}

#[test]
fn a_need_that_ended_is_told_as_it_ended_however_often_it_is_cancelled() {
    let mut world = World::default();
    assert_eq!(world.run(&cancel("a", "n"), ms(0)), Err(Rejection::NeedNotFound { need: need("n") }));
    assert!(world.log.is_empty());
    status(&mut world, &request("a", "granted", 0.8), 0);
    status(&mut world, &request("a", "expired", 0.5), 0);
    assert_eq!(world.run(&cancel("a", "n"), ms(0)), Err(Rejection::NeedNotFound { need: need("n") }));
    assert_eq!(
        world.run(&cancel("b", "granted"), ms(0)),
        Err(Rejection::NeedNotFound { need: need("granted") })
    );
    let deadline = ms(5_000);
    let reply = Reply::NeedExpired { cell: cell("a"), need: need("expired"), deadline };
    assert_eq!(world.run(&cancel("a", "expired"), deadline.next()), Ok(reply));
    status(&mut world, &request("a", "cancelled", 0.5), 6_000);
    // The last instant of its wait is early enough.
    let reply = Reply::NeedCancelled { cell: cell("a"), need: need("cancelled"), deadline: ms(11_000) };
    assert_eq!(world.run(&cancel("a", "cancelled"), ms(11_000)), Ok(reply.clone()));
    let from = world.log.len();
    let again = Reply::Again(Box::new(reply));
    assert_eq!(world.run(&cancel("a", "cancelled"), ms(11_001)), Ok(again.clone()));
    // Asked for again under its name, it stays cancelled; another need may not have the name.
    assert_eq!(world.run(&request("a", "cancelled", 0.5), ms(11_001)), Ok(again));
    let other = world.run(&request("a", "cancelled", 0.4), ms(11_001));
    assert_eq!(other, Err(Rejection::AlreadyExists { what: "need", id: "cancelled".into() }));
    assert_eq!(status(&mut world, &cancel("a", "granted"), 11_001), "granted");
    assert_eq!((world.log.len(), available(&world, "a")), (from, 0.2));
    let before = world.cell(&cell("a"));
    world.restart();
    assert_eq!(world.cell(&cell("a")), before);
}

#[test]
fn a_head_that_is_blocked_holds_up_nobody_who_waits_for_another_resource() {
    let money = Resource::new("money").unwrap();
    let settings = Settings {
        totals: BTreeMap::from([(capacity(), amount(1.0)), (money.clone(), amount(1.0))]),
        ..Settings::default()
    };
    let mut world = World::new(settings);
    let of_money = |id: &str, x: f64| {
        let lease = Lease::limited(Duration::from_secs(1));
        Op::Request(Request { resource: money.clone(), lease, ..ask("a", id, x) })
    };
    status(&mut world, &request("a", "own", 1.0), 0);
    status(&mut world, &of_money("spent", 1.0), 0);
    assert_eq!(status(&mut world, &request("a", "blocked", 0.5), 0), "pending");
    assert_eq!(status(&mut world, &of_money("next", 0.5), 0), "pending");
    // Time alone brings the money back, and serves whoever waits for it.
    world.tick_alone(ms(1_001));
    assert!(matches!(world.cell(&cell("a")).need(&need("next")), Some(NeedState::Granted(_))));
    assert!(matches!(world.cell(&cell("a")).need(&need("blocked")), Some(NeedState::Queued(_))));
}

#[test]
fn offers_that_nobody_needs_after_a_cancellation_go_back() {
    let mut world = World::default();
    status(&mut world, &request("a", "own", 1.0), 0);
    status(&mut world, &request("a", "n", 0.8), 0);
    status(&mut world, &offer("o", "b", "a", 0.5), 0);
    world.run_alone(&cancel("a", "n"), ms(1)).unwrap();
    assert_eq!(world.owed(), [Effect::ReturnOffers(cell("a"))]);
    world.run_owed(ms(1));
    assert_eq!((available(&world, "b"), world.cell(&cell("a")).offers_received.len()), (1.0, 0));
    // With somebody behind it they serve that one.
    status(&mut world, &request("a", "n2", 0.8), 2);
    status(&mut world, &request("a", "n3", 0.4), 2);
    status(&mut world, &offer("o2", "b", "a", 0.5), 2);
    status(&mut world, &cancel("a", "n2"), 3);
    assert!(matches!(world.cell(&cell("a")).need(&need("n3")), Some(NeedState::Granted(_))));
    assert_eq!(available(&world, "b"), 0.6);
}

#[test]
fn a_cancelled_need_no_longer_waits_for_its_budget() {
    let mut world = World::default();
    let limits = BTreeMap::from([(capacity(), amount(1.0))]);
    status(&mut world, &Op::SetLimits { budget: ring(), limits }, 0);
    status(&mut world, &charged("a", "n", 0.7), 0);
    assert_eq!(status(&mut world, &charged("b", "large", 0.6), 0), "pending");
    assert_eq!(status(&mut world, &charged("b", "behind", 0.3), 0), "pending");
    assert_eq!(status(&mut world, &charged("c", "small", 0.2), 0), "pending");
    // Behind the head nobody waits for the budget yet.
    let from = world.log.len();
    assert_eq!(status(&mut world, &cancel("b", "behind"), 1), "cancelled");
    assert_eq!(names(&world, from), ["b need_cancelled"]);
    let from = world.log.len();
    world.run_alone(&cancel("b", "large"), ms(2)).unwrap();
    let ended = world.log[from..].iter().find_map(|(_, event)| match event {
        exchange::Event::Budget(budget::Event::WaitEnded { why, .. }) => Some(*why),
        _ => None,
    });
    assert_eq!(ended, Some(WaitEnd::Cancelled));
    assert_eq!(world.owed(), [Effect::Serve(cell("c"))]);
    world.run_owed(ms(2));
    assert!(world.budget(&ring()).waiting.is_empty());
    assert!(matches!(world.cell(&cell("c")).need(&need("small")), Some(NeedState::Granted(_))));
}

#[test]
fn cancellations_end_an_overload_at_the_low_water_mark() {
    let settings = Settings { max_pending: 4, low_water: 2, ..Settings::default() };
    let mut world = World::new(settings);
    status(&mut world, &request("a", "own", 1.0), 0);
    for id in ["1", "2", "3", "4"] {
        status(&mut world, &request("a", id, 0.5), 0);
    }
    assert_eq!(status(&mut world, &request("a", "5", 0.5), 0), "overloaded");
    status(&mut world, &cancel("a", "2"), 1);
    assert_eq!(status(&mut world, &request("a", "5", 0.5), 1), "overloaded");
    status(&mut world, &cancel("a", "1"), 1);
    assert_eq!(status(&mut world, &request("a", "5", 0.5), 1), "pending");
}

#[test]
fn ten_thousand_needs_are_served_in_order_cancelled_or_expired() {
    const MANY: usize = 10_000;
    let settings = Settings { max_pending: MANY as u32, low_water: 0, ..Settings::default() };
    let mut world = World::new(settings);
    status(&mut world, &request("a", "own", 1.0), 0);
    for n in 0..MANY {
        let asked = Request { wait: Duration::from_secs(60), ..ask("a", &n.to_string(), 0.01) };
        assert_eq!(status(&mut world, &Op::Request(asked), n as i64), "pending");
    }
    assert_eq!(status(&mut world, &request("a", "one more", 0.01), 20_000), "overloaded");
    // Every third of the first 6,000 is no longer wanted.
    for n in (0..6_000).step_by(3) {
        status(&mut world, &cancel("a", &n.to_string()), 20_000);
    }
    // All that comes free goes to the front, a hundredth at a time.
    let from = world.log.len();
    status(&mut world, &release("a", 1.0), 30_000);
    for at in 1..40 {
        status(&mut world, &release("a", 1.0), 30_000 + at);
    }
    let served = |world: &World| -> Vec<usize> {
        let granted = world.log[from..].iter().filter_map(|(_, event)| match event {
            exchange::Event::Cell(Event::Granted(granted)) => granted.need.id.as_str().parse().ok(),
            exchange::Event::Cell(_) | exchange::Event::Budget(_) => None,
        });
        granted.collect()
    };
    let wanted: Vec<usize> = (0..6_000).filter(|n| n % 3 != 0).collect();
    assert_eq!(served(&world), wanted);
    assert_eq!(world.cell(&cell("a")).pending(), 4_000);
    // The rest expires, each at its own instant, in order; the last hundred leases end with them.
    world.tick(ms(200_000));
    assert_eq!((world.stats.needs_expired, world.stats.needs_cancelled), (4_000, 2_000));
    assert_eq!((available(&world, "a"), world.cell(&cell("a")).overloaded), (1.0, false));
}
