//! Grants that must fit the cell, its ring and the fleet.

use super::*;

fn budget(id: &str) -> BudgetId {
    BudgetId::new(id).unwrap()
}

fn limit(id: &str, x: f64) -> Op {
    Op::SetLimits { budget: budget(id), limits: BTreeMap::from([(capacity(), amount(x))]) }
}

fn within(of: &str, id: &str, x: f64, budgets: &[&str]) -> Op {
    Op::Request(Request { budgets: budgets.iter().map(|id| budget(id)).collect(), ..ask(of, id, x) })
}

fn used(world: &World, id: &str) -> f64 {
    world.budget(&budget(id)).used(&capacity()).to_f64()
}

fn waiting(world: &World, id: &str) -> Vec<String> {
    world.budget(&budget(id)).waiting.iter().map(|waiter| waiter.cell.to_string()).collect()
}

#[test]
fn a_grant_must_fit_every_budget_to_the_last_millionth() {
    let mut world = World::default();
    status(&mut world, &limit("ring", 1.5), 0);
    status(&mut world, &limit("fleet", 2.0), 0);
    assert_eq!(status(&mut world, &within("a", "n", 0.8, &["ring", "fleet"]), 0), "granted");
    assert_eq!(status(&mut world, &within("b", "n", 0.700_001, &["ring", "fleet"]), 0), "pending");
    assert_eq!(status(&mut world, &within("c", "n", 0.2, &["fleet"]), 0), "granted");
    assert_eq!((used(&world, "ring"), used(&world, "fleet")), (0.8, 1.0));
    let too_much = Rejection::OverBudget { budget: budget("small"), limit: amount(0.1), asked: amount(0.2) };
    status(&mut world, &limit("small", 0.1), 0);
    assert_eq!(world.run(&within("c", "m", 0.2, &["small"]), ms(0)), Err(too_much));
}

#[test]
fn whoever_waits_for_a_budget_is_not_overtaken_and_is_served_when_there_is_room() {
    let mut world = World::default();
    status(&mut world, &limit("ring", 1.0), 0);
    status(&mut world, &within("a", "n", 0.8, &["ring"]), 0);
    assert_eq!(status(&mut world, &within("b", "n", 0.5, &["ring"]), 1), "pending");
    assert_eq!(status(&mut world, &within("c", "n", 0.1, &["ring"]), 2), "pending");
    assert_eq!(waiting(&world, "ring"), ["b", "c"]);
    let from = world.log.len();
    world.run_alone(&release("a", 0.3), ms(3)).unwrap();
    assert_eq!(world.owed(), [Effect::Serve(cell("b"))]);
    // After a crash the same is owed.
    world.restart();
    world.run_owed(ms(3));
    let expected = ["a returned", "ring refunded", "b granted", "ring wait_ended", "ring charged"];
    assert_eq!(names(&world, from), expected);
    assert_eq!(status(&mut world, &release("a", 0.1), 4), "released");
    assert_eq!((waiting(&world, "ring").len(), used(&world, "ring")), (0, 1.0));
}

#[test]
fn a_need_waits_for_one_budget_at_a_time_and_blocks_nobody_elsewhere() {
    let mut world = World::default();
    status(&mut world, &limit("ring", 0.5), 0);
    status(&mut world, &limit("fleet", 1.0), 0);
    status(&mut world, &within("a", "n", 0.5, &["fleet", "ring"]), 0);
    assert_eq!(status(&mut world, &within("b", "n", 0.4, &["fleet", "ring"]), 1), "pending");
    assert_eq!((waiting(&world, "ring"), waiting(&world, "fleet")), (vec!["b".to_owned()], vec![]));
    // The fleet has room, and nobody waits for it.
    assert_eq!(status(&mut world, &within("c", "n", 0.4, &["fleet"]), 2), "granted");
    // Now the ring has room, but the fleet has not: the need waits there instead.
    status(&mut world, &limit("ring", 2.0), 3);
    assert_eq!((waiting(&world, "ring"), waiting(&world, "fleet")), (vec![], vec!["b".to_owned()]));
    status(&mut world, &release("c", 0.4), 4);
    assert_eq!((used(&world, "ring"), used(&world, "fleet")), (0.9, 0.9));
}

#[test]
fn cells_that_wait_for_each_others_budgets_do_not_block_forever() {
    let mut world = World::default();
    for id in ["x", "y"] {
        status(&mut world, &limit(id, 1.0), 0);
    }
    status(&mut world, &within("a", "n", 1.0, &["x"]), 0);
    status(&mut world, &within("b", "n", 1.0, &["y"]), 0);
    assert_eq!(status(&mut world, &within("c", "n", 1.0, &["x", "y"]), 1), "pending");
    assert_eq!(status(&mut world, &within("d", "n", 1.0, &["y", "x"]), 1), "pending");
    status(&mut world, &release("a", 1.0), 2);
    status(&mut world, &release("b", 1.0), 3);
    assert_eq!(used(&world, "x"), 1.0);
    status(&mut world, &release("c", 1.0), 4);
    status(&mut world, &release("d", 1.0), 4);
    assert_eq!((world.stats.granted, used(&world, "x"), used(&world, "y")), (4, 0.0, 0.0));
}

#[test]
fn a_budget_lets_go_of_charges_and_waiters_by_itself_at_the_same_instant_as_the_cells() {
    let mut world = World::default();
    status(&mut world, &limit("ring", 1.0), 0);
    status(&mut world, &within("a", "n", 1.0, &["ring"]), 0);
    assert_eq!(status(&mut world, &within("b", "n", 0.5, &["ring"]), 0), "pending");
    world.tick(ms(5_001));
    assert_eq!((waiting(&world, "ring").len(), world.cell(&cell("b")).pending()), (0, 0));
    world.tick(ms(60_000));
    assert_eq!(used(&world, "ring"), 1.0);
    world.tick(ms(60_001));
    assert_eq!((used(&world, "ring"), available(&world, "a")), (0.0, 1.0));
}

#[test]
fn acknowledging_moves_the_end_of_the_charge_too() {
    let mut world = World::default();
    status(&mut world, &within("a", "n", 1.0, &["ring"]), 0);
    status(&mut world, &ack("t-n", "a"), 60_000);
    world.tick(ms(119_000));
    assert_eq!(used(&world, "ring"), 1.0);
    world.tick(ms(120_001));
    assert_eq!(used(&world, "ring"), 0.0);
}

#[test]
fn a_waiter_whose_cell_gave_its_capacity_away_stands_aside() {
    let mut world = World::default();
    status(&mut world, &limit("ring", 0.5), 0);
    status(&mut world, &within("a", "n", 0.5, &["ring"]), 0);
    assert_eq!(status(&mut world, &within("b", "n", 0.5, &["ring"]), 0), "pending");
    // b lends what its own head is waiting for a budget to use.
    status(&mut world, &request("d", "all", 1.0), 0);
    status(&mut world, &request("d", "n", 1.0), 0);
    status(&mut world, &offer("o", "b", "d", 1.0), 0);
    assert_eq!(status(&mut world, &within("c", "n", 0.5, &["ring"]), 1), "pending");
    status(&mut world, &release("a", 0.5), 2);
    assert_eq!((waiting(&world, "ring").len(), used(&world, "ring")), (0, 0.5));
    let state = world.cell(&cell("b"));
    let Some(Queued { waits_for: None, .. }) = state.head(&capacity()) else { panic!("{state:?}") };
    // Its own capacity comes back: it waits for the ring again.
    status(&mut world, &release("d", 2.0), 3);
    assert_eq!(waiting(&world, "ring"), ["b"]);
}

#[test]
fn borrowed_grants_are_charged_to_the_budgets_of_who_uses_them() {
    let mut world = World::default();
    status(&mut world, &limit("ring", 0.5), 0);
    status(&mut world, &request("a", "all", 1.0), 0);
    assert_eq!(status(&mut world, &within("a", "n", 0.5, &["ring"]), 0), "pending");
    status(&mut world, &offer("o1", "b", "a", 0.2), 1);
    status(&mut world, &offer("o2", "c", "a", 0.3), 1);
    assert_eq!(used(&world, "ring"), 0.5);
    status(&mut world, &Op::Transfer { token: token("t-o1"), from: cell("a"), to: cell("d") }, 2);
    assert_eq!(used(&world, "ring"), 0.5);
    status(&mut world, &release("d", 0.1), 3);
    assert_eq!(used(&world, "ring"), 0.4);
    status(&mut world, &Op::Revoke { token: token("t-o2") }, 4);
    assert_eq!(used(&world, "ring"), 0.1);
}

#[test]
fn a_limit_may_not_fall_below_what_is_charged() {
    let mut world = World::default();
    status(&mut world, &within("a", "n", 0.6, &["ring"]), 0);
    let refused = Rejection::InUse { resource: capacity(), used: amount(0.6), given: amount(0.5) };
    assert_eq!(world.run(&limit("ring", 0.5), ms(0)), Err(refused));
    assert_eq!(world.run(&limit("ring", 0.6), ms(0)), Ok(Reply::Configured { changed: true }));
    assert_eq!(world.run(&limit("ring", 0.6), ms(0)), Ok(Reply::Configured { changed: false }));
}
