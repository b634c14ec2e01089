//! What becomes of a token: acknowledged, kept, handed on, given back, taken away.

use super::*;
use crate::kernel::ids::IdempotencyKey;

/// A world in which `a` holds 0.4 of `b`, called `t-o`, granted at 0.
fn borrowed(lease: Lease) -> World {
    let mut world = World::default();
    let mut all = ask("a", "all", 1.0);
    all.lease = Lease::Unlimited;
    status(&mut world, &Op::Request(all), 0);
    status(&mut world, &Op::Request(Request { lease, ..ask("a", "n", 0.4) }), 0);
    status(&mut world, &offer("o", "b", "a", 0.4), 0);
    world
}

fn transfer(id: &str, from: &str, to: &str) -> Op {
    Op::Transfer { token: token(id), from: cell(from), to: cell(to) }
}

fn keyed(of: &str, x: f64, key: &str) -> Op {
    let key = Some(IdempotencyKey::new(key).unwrap());
    Op::Release { cell: cell(of), what: Release::Amount { resource: capacity(), amount: amount(x), key } }
}

fn whole(id: &str, by: &str) -> Op {
    Op::Release { cell: cell(by), what: Release::Token(token(id)) }
}

fn ends_at(world: &World, id: &str) -> [Option<Timestamp>; 2] {
    let held = world.cell(&cell("a")).held.get(&token(id)).and_then(|held| held.token.expires);
    let lent = world.cell(&cell("b")).lent.get(&token(id)).and_then(|lent| lent.token.expires);
    [held, lent]
}

#[test]
fn only_the_holder_acknowledges_and_a_stranger_is_on_record_once() {
    let mut world = borrowed(Lease::default());
    let refused = Rejection::NotOwner { holder: cell("a"), given: cell("b") };
    let from = world.log.len();
    for _ in 0..2 {
        assert_eq!(world.run(&ack("t-o", "b"), ms(1)), Err(refused.clone()));
    }
    assert_eq!(names(&world, from), ["b use_refused"]);
    assert_eq!(status(&mut world, &ack("t-o", "a"), 2), "acknowledged");
    assert_eq!(world.run(&ack("nobody", "a"), ms(2)), Err(Rejection::TokenNotFound));
    assert_eq!((world.stats.total_tokens, world.stats.refused_uses), (1, 1));
}

#[test]
fn the_first_acknowledgement_starts_the_lease_again_and_a_second_does_not() {
    let mut world = borrowed(Lease::limited(Duration::from_secs(60)));
    assert_eq!(ends_at(&world, "t-o"), [Some(ms(60_000)); 2]);
    let Ok(Reply::Acknowledged { expires, duplicate, capacity, source, destination, .. }) =
        world.run(&ack("t-o", "a"), ms(60_000))
    else {
        panic!("the last instant of the lease is on time")
    };
    assert_eq!((expires, duplicate, capacity), (Some(ms(120_000)), false, amount(0.4)));
    assert_eq!((source, destination), (cell("b"), cell("a")));
    assert_eq!(available(&world, "b"), 0.6, "an acknowledgement returns nothing");
    let Ok(Reply::Acknowledged { expires, duplicate, .. }) = world.run(&ack("t-o", "a"), ms(61_000)) else {
        panic!()
    };
    assert_eq!((expires, duplicate), (Some(ms(120_000)), true));
    assert_eq!((ends_at(&world, "t-o"), world.stats.total_tokens), ([Some(ms(120_000)); 2], 1));
}

#[test]
fn a_lease_that_ends_gives_back_on_both_sides_independently() {
    let mut world = borrowed(Lease::limited(Duration::from_secs(60)));
    let from = world.log.len();
    world.tick_alone(ms(60_000));
    assert_eq!(world.log.len(), from);
    world.tick_alone(ms(70_000));
    let returned = Returned {
        token: token("t-o"),
        source: cell("b"),
        holder: cell("a"),
        resource: capacity(),
        amount: amount(0.4),
        left: Amount::ZERO,
        why: Return::Expired,
        at: ms(60_000),
    };
    let sides: Vec<_> = world.log[from..].iter().map(|(stream, event)| (stream.id.as_str(), event)).collect();
    let event = exchange::Event::Cell(Event::Returned(returned));
    assert_eq!(sides, [("a", &event), ("b", &event)]);
    assert_eq!((available(&world, "b"), world.stats.expired), (1.0, 1));
    assert_eq!(world.run(&ack("t-o", "a"), ms(70_000)), Err(Rejection::TokenExpired));
}

#[test]
fn an_acknowledgement_after_the_end_says_how_it_ended() {
    let mut world = borrowed(Lease::default());
    assert_eq!(status(&mut world, &whole("t-o", "a"), 1), "released");
    assert_eq!(world.run(&ack("t-o", "a"), ms(2)), Err(Rejection::TokenReleased));
    let mut world = borrowed(Lease::default());
    let revoked =
        Reply::Revoked { token: token("t-o"), holder: cell("a"), why: Return::Revoked, duplicate: false };
    assert_eq!(world.run(&Op::Revoke { token: token("t-o") }, ms(1)), Ok(revoked));
    assert_eq!(world.run(&ack("t-o", "a"), ms(2)), Err(Rejection::TokenRevoked));
    assert_eq!((available(&world, "b"), world.stats.revoked), (1.0, 1));
    let stranger = world.run(&ack("t-o", "b"), ms(2));
    assert_eq!(stranger, Err(Rejection::NotOwner { holder: cell("a"), given: cell("b") }));
}

#[test]
fn only_a_renewable_lease_is_renewed_and_an_unlimited_one_never_ends() {
    let renew = Op::Renew { token: token("t-o"), cell: cell("a") };
    let mut world = borrowed(Lease::limited(Duration::from_secs(60)));
    assert_eq!(world.run(&renew, ms(1)), Err(Rejection::NotRenewable));
    let mut world = borrowed(Lease::renewable(Duration::from_secs(60)));
    assert_eq!(status(&mut world, &renew, 50_000), "renewed");
    assert_eq!(status(&mut world, &renew, 110_000), "renewed");
    assert_eq!(ends_at(&world, "t-o"), [Some(ms(170_000)); 2]);
    world.tick(ms(170_001));
    assert_eq!(world.run(&renew, ms(170_001)), Err(Rejection::TokenExpired));
    let mut world = borrowed(Lease::Unlimited);
    assert_eq!(world.run(&renew, ms(1)), Ok(Reply::Renewed { token: token("t-o"), expires: None }));
    world.tick(Timestamp::MAX);
    assert_eq!(ends_at(&world, "t-o"), [None; 2]);
    assert_eq!(available(&world, "b"), 0.6);
}

#[test]
fn a_release_takes_the_oldest_grants_first_and_splits_the_last() {
    let mut world = World::default();
    for (id, x, at) in [("n1", 0.2, 0), ("n2", 0.3, 1), ("n3", 0.5, 2)] {
        status(&mut world, &request("a", id, x), at);
    }
    let Ok(Reply::Released { capacity: returned, total_capacity, .. }) = world.run(&release("a", 0.4), ms(3))
    else {
        panic!()
    };
    assert_eq!((returned, total_capacity), (amount(0.4), amount(0.4)));
    let held: Vec<_> =
        world.cell(&cell("a")).held.values().map(|h| (h.token.id.to_string(), h.token.amount)).collect();
    assert_eq!(held, [("t-n2".to_owned(), amount(0.1)), ("t-n3".to_owned(), amount(0.5))]);
    assert_eq!(world.stats.released, 1, "a split token lives on");
    // More than is outstanding returns what is outstanding.
    let Ok(Reply::Released { capacity: returned, total_capacity, .. }) = world.run(&release("a", 9.0), ms(3))
    else {
        panic!()
    };
    assert_eq!((returned, total_capacity), (amount(0.6), Amount::ONE));
}

#[test]
fn borrowed_capacity_goes_back_to_the_lender() {
    let mut world = borrowed(Lease::default());
    let reply = world.run(&release("a", 5.0), ms(1)).unwrap();
    let Reply::Released { capacity: returned, total_capacity, .. } = reply else { panic!() };
    assert_eq!((returned, total_capacity), (amount(1.4), Amount::ONE));
    assert_eq!((available(&world, "a"), available(&world, "b")), (1.0, 1.0));
}

#[test]
fn a_release_under_a_name_happens_once() {
    let mut world = borrowed(Lease::default());
    let first = world.run(&keyed("a", 0.5, "k"), ms(1)).unwrap();
    world.restart();
    let from = world.log.len();
    let Reply::Released { cell: by, resource, capacity, total_capacity, duplicate: false } = first else {
        panic!("{first:?}")
    };
    let again =
        Reply::Released { cell: by, resource: resource.clone(), capacity, total_capacity, duplicate: true };
    assert_eq!(world.run(&keyed("a", 0.5, "k"), ms(2)).unwrap(), again);
    assert_eq!(world.log.len(), from);
    let other = world.run(&keyed("a", 0.6, "k"), ms(2));
    let refused = Rejection::KeyReused {
        key: IdempotencyKey::new("k").unwrap(),
        cell: cell("a"),
        first: (resource.clone(), amount(0.5)),
        asked: (resource, amount(0.6)),
    };
    assert_eq!(other, Err(refused));
    assert_eq!(status(&mut world, &release("a", 0.5), 2), "released");
}

#[test]
fn a_release_by_name_of_the_token_is_for_its_holder() {
    let mut world = borrowed(Lease::default());
    let refused = Rejection::NotOwner { holder: cell("a"), given: cell("b") };
    assert_eq!(world.run(&whole("t-o", "b"), ms(1)), Err(refused));
    assert_eq!(status(&mut world, &whole("t-o", "a"), 1), "released");
    assert_eq!(world.run(&whole("t-o", "a"), ms(1)), Err(Rejection::TokenReleased));
    assert_eq!(available(&world, "b"), 1.0);
}

#[test]
fn capacity_that_comes_back_serves_who_waits_at_the_lender() {
    let mut world = borrowed(Lease::default());
    assert_eq!(status(&mut world, &request("b", "wants", 0.9), 1), "pending");
    let from = world.log.len();
    status(&mut world, &whole("t-o", "a"), 2);
    assert_eq!(names(&world, from), ["a returned", "b returned", "b granted"]);
}

#[test]
fn a_release_serves_who_waits_in_the_same_decision_and_answers_what_is_left() {
    let mut world = World::default();
    status(&mut world, &request("a", "has", 0.8), 0);
    status(&mut world, &request("a", "wants", 0.5), 1);
    let from = world.log.len();
    let Ok(Reply::Released { total_capacity, .. }) = world.run_alone(&whole("t-has", "a"), ms(2)) else {
        panic!()
    };
    assert_eq!(names(&world, from), ["a returned", "a granted"]);
    assert_eq!((total_capacity, world.owed()), (amount(0.5), vec![]));
}

#[test]
fn a_token_that_is_handed_on_keeps_its_lease_and_must_be_acknowledged_again() {
    let mut world = borrowed(Lease::default());
    status(&mut world, &ack("t-o", "a"), 1_000);
    let Ok(Reply::Transferred { source, destination, capacity, expires, duplicate, .. }) =
        world.run(&transfer("t-o", "a", "c"), ms(2_000))
    else {
        panic!()
    };
    assert_eq!((source, destination, capacity), (cell("b"), cell("c"), amount(0.4)));
    assert_eq!((expires, duplicate), (Some(ms(61_000)), false));
    let from = world.log.len();
    let again = world.run(&transfer("t-o", "a", "c"), ms(2_000)).unwrap();
    assert!(matches!(again, Reply::Transferred { duplicate: true, .. }) && world.log.len() == from);
    let refused = Rejection::NotOwner { holder: cell("c"), given: cell("a") };
    assert_eq!(world.run(&ack("t-o", "a"), ms(3_000)), Err(refused));
    assert_eq!(world.cell(&cell("c")).mode(), Mode::Need);
    assert_eq!(status(&mut world, &ack("t-o", "c"), 3_000), "acknowledged");
    assert_eq!(world.cell(&cell("c")).mode(), Mode::Ack);
    // Handed to the lender it is a token of its own.
    assert_eq!(status(&mut world, &transfer("t-o", "c", "b"), 4_000), "transferred");
    assert_eq!(status(&mut world, &release("b", 1.0), 5_000), "released");
    assert_eq!((available(&world, "b"), world.stats.transfers), (1.0, 2));
}

#[test]
fn a_token_handed_on_expires_at_all_three_cells_at_once() {
    let mut world = borrowed(Lease::default());
    status(&mut world, &transfer("t-o", "a", "c"), 1_000);
    world.tick(ms(60_001));
    assert_eq!(available(&world, "b"), 1.0);
    assert!(world.cell(&cell("c")).held.is_empty() && world.cell(&cell("b")).lent.is_empty());
    let own = world.run(&transfer("t-o", "c", "c"), ms(60_001));
    assert!(matches!(own, Err(Rejection::Invalid { field: "to", .. })));
}

#[test]
fn without_an_index_the_holder_still_finds_its_token() {
    struct NoIndex(World);
    impl Lookup for NoIndex {
        fn cell(&self, stream: &StreamId) -> Option<&Cell> {
            self.0.cells().find(|state| state.id.as_ref().map(CellId::as_str) == Some(stream.id.as_str()))
        }
        fn budget(&self, _: &StreamId) -> Option<&Budget> {
            None
        }
    }
    let world = NoIndex(borrowed(Lease::default()));
    let done = exchange::decide(&world, &ack("t-o", "a"), ms(1));
    assert!(matches!(done, Outcome::Done { reply: Reply::Acknowledged { .. }, .. }));
    let strange = exchange::decide(&world, &ack("t-o", "b"), ms(1));
    assert!(matches!(strange, Outcome::Refused { rejection: Rejection::NotOwner { .. }, .. }));
}
