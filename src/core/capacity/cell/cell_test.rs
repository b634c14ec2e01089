//! Needs, offers, overload and time, at their boundaries.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::command::Release;
use super::event::{Return, Returned, Unused};
use super::exchange::{self, Lookup, Outcome};
use super::state::{NeedState, Queued};
use super::view::Mode;
use super::*;
use crate::kernel::ids::{BudgetId, CellId, EntityId, NeedId, OfferId, Resource, StreamId, TokenId};

#[path = "budget_test.rs"]
mod budgets;
#[path = "queue_test.rs"]
mod queues;
#[path = "token_test.rs"]
mod tokens;

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn cell(id: &str) -> CellId {
    CellId::new(id).unwrap()
}

fn amount(x: f64) -> Amount {
    Amount::new(x).unwrap()
}

fn token(id: &str) -> TokenId {
    TokenId::new(id).unwrap()
}

fn need(id: &str) -> NeedId {
    NeedId::new(id).unwrap()
}

fn capacity() -> Resource {
    Resource::capacity()
}

/// A request of a cell under a name: the token is called `t-` and the name.
fn ask(of: &str, id: &str, x: f64) -> Request {
    Request::new(cell(of), need(id), token(&format!("t-{id}")), amount(x))
}

fn request(of: &str, id: &str, x: f64) -> Op {
    Op::Request(ask(of, id, x))
}

fn make(id: &str, source: &str, destination: &str, x: f64) -> MakeOffer {
    let (offer, name) = (OfferId::new(id).unwrap(), token(&format!("t-{id}")));
    MakeOffer::new(offer, name, cell(source), cell(destination), amount(x))
}

fn offer(id: &str, source: &str, destination: &str, x: f64) -> Op {
    Op::Offer(make(id, source, destination, x))
}

fn release(of: &str, x: f64) -> Op {
    Op::Release {
        cell: cell(of),
        what: Release::Amount { resource: capacity(), amount: amount(x), key: None },
    }
}

fn ack(id: &str, by: &str) -> Op {
    Op::Ack { token: token(id), cell: cell(by) }
}

/// Runs an operation that must not be refused; its status word.
fn status(world: &mut World, op: &Op, at: i64) -> &'static str {
    world.run(op, ms(at)).unwrap().status()
}

fn available(world: &World, of: &str) -> f64 {
    world.cell(&cell(of)).available(&capacity()).to_f64()
}

/// Events since a place of the log, as `stream name`.
fn names(world: &World, from: usize) -> Vec<String> {
    let name = |event: &exchange::Event| match event {
        exchange::Event::Cell(event) => event.name(),
        exchange::Event::Budget(event) => event.name(),
    };
    world.log[from..].iter().map(|(stream, event)| format!("{} {}", stream.id, name(event))).collect()
}

#[test]
fn a_request_that_fits_is_granted_from_the_cell_itself() {
    let mut world = World::default();
    let Ok(Reply::Granted { cell: who, granted }) = world.run(&request("a", "n", 0.3), ms(0)) else {
        panic!()
    };
    let [token] = &granted.tokens[..] else { panic!() };
    assert_eq!((&who, &token.source, &token.holder), (&cell("a"), &cell("a"), &cell("a")));
    assert_eq!((token.amount, token.expires), (amount(0.3), Some(ms(60_000))));
    assert_eq!(names(&world, 0), ["a opened", "a granted"]);
    assert_eq!((available(&world, "a"), world.cell(&cell("a")).mode()), (0.7, Mode::Idle));
}

#[test]
fn ten_tenths_fill_a_cell_exactly_and_their_release_restores_it_exactly() {
    let mut world = World::default();
    for n in 0..10 {
        assert_eq!(status(&mut world, &request("a", &format!("n{n}"), 0.1), 0), "granted");
    }
    assert_eq!(available(&world, "a"), 0.0);
    let mut more = ask("a", "more", 0.000_001);
    more.wait = Duration::from_micros(1);
    assert_eq!(status(&mut world, &Op::Request(more), 0), "pending");
    for n in 1..=10 {
        assert_eq!(status(&mut world, &release("a", 0.1), 1), "released");
        assert_eq!(world.cell(&cell("a")).available(&capacity()).millionths(), n * 100_000);
    }
    assert_eq!(status(&mut world, &release("a", 0.1), 1), "nothing_to_release");
}

#[test]
fn a_number_out_of_range_leaves_no_trace() {
    let mut world = World::default();
    let with = |change: &dyn Fn(&mut Request)| {
        let mut bad = ask("a", "n", 0.5);
        change(&mut bad);
        Op::Request(bad)
    };
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let bad = [
        with(&|r| r.amount = Amount::ZERO),
        with(&|r| r.amount = Amount::from_millionths(1_000_001)),
        with(&|r| r.wait = Duration::ZERO),
        with(&|r| r.wait = Duration::from_secs(24 * 60 * 60) + Duration::from_micros(1)),
        with(&|r| r.lease = Lease::limited(Duration::ZERO)),
        with(&|r| r.lease = Lease::limited(year + Duration::from_micros(1))),
        with(&|r| r.budgets = (0..17).map(|n| BudgetId::new(format!("b{n}")).unwrap()).collect()),
        Op::Offer(MakeOffer { amount: Amount::ZERO, ..make("o", "a", "b", 0.5) }),
        Op::Offer(MakeOffer { amount: Amount::from_millionths(1_000_001), ..make("o", "a", "b", 0.5) }),
        Op::Offer(MakeOffer { ttl: Duration::ZERO, ..make("o", "a", "b", 0.5) }),
        offer("o", "a", "a", 0.5),
        Op::Release {
            cell: cell("a"),
            what: Release::Amount { resource: capacity(), amount: Amount::ZERO, key: None },
        },
        Op::Configure { cell: cell("a"), settings: Settings { max_pending: 0, ..Settings::default() } },
        Op::Configure { cell: cell("a"), settings: Settings { low_water: 100, ..Settings::default() } },
        Op::Configure {
            cell: cell("a"),
            settings: Settings { totals: BTreeMap::new(), ..Settings::default() },
        },
        Op::SetLimits {
            budget: BudgetId::new("b").unwrap(),
            limits: BTreeMap::from([(capacity(), Amount::ZERO)]),
        },
    ];
    for op in bad {
        let refused = world.run(&op, ms(0));
        assert!(matches!(refused, Err(Rejection::Invalid { .. })), "{op:?} {refused:?}");
    }
    let unknown = with(&|r| r.resource = Resource::new("money").unwrap());
    assert_eq!(
        world.run(&unknown, ms(0)),
        Err(Rejection::UnknownResource { resource: Resource::new("money").unwrap() })
    );
    assert!(world.log.is_empty());
    assert_eq!(status(&mut world, &with(&|r| r.lease = Lease::limited(year)), 0), "granted");
}

#[test]
fn the_status_of_an_unknown_cell_is_the_default_and_creates_nothing() {
    let world = World::default();
    let status = world.cell(&cell("a")).status(cell("a"), &capacity(), &world.defaults);
    assert_eq!((status.capacity, status.state, status.active_tokens), (Amount::ONE, Mode::Idle, 0));
    assert_eq!(world.stats.total_cells(), 0);
    assert_eq!(world.stats.avg_capacity(), 0.0);
}

#[test]
fn releasing_or_being_offered_nothing_does_not_create_a_cell() {
    let mut world = World::default();
    let reply = world.run(&release("a", 0.4), ms(0)).unwrap();
    let Reply::Released { capacity: returned, total_capacity, .. } = reply else { panic!() };
    assert_eq!((returned, total_capacity), (Amount::ZERO, Amount::ONE));
    assert_eq!(status(&mut world, &offer("o", "a", "b", 0.5), 0), "no_pending_need");
    assert!(world.log.is_empty());
}

#[test]
fn a_later_request_never_overtakes_one_that_waits() {
    let mut world = World::default();
    status(&mut world, &request("a", "big", 0.8), 0);
    assert_eq!(status(&mut world, &request("a", "head", 0.5), 1), "pending");
    let Ok(Reply::Pending { pending_requests, deadline, .. }) = world.run(&request("a", "small", 0.1), ms(2))
    else {
        panic!("0.1 would fit, but somebody waits before it")
    };
    assert_eq!((pending_requests, deadline), (2, ms(5_002)));
    let from = world.log.len();
    // 0.6 are free then: 0.5 for the head, 0.1 for the next.
    status(&mut world, &release("a", 0.4), 3);
    assert_eq!(names(&world, from), ["a returned", "a granted", "a granted"]);
    assert_eq!(available(&world, "a"), 0.0);
}

#[test]
fn queues_of_different_resources_do_not_block_each_other() {
    let money = Resource::new("money").unwrap();
    let totals = BTreeMap::from([(capacity(), Amount::ONE), (money.clone(), amount(50.0))]);
    let mut world = World::new(Settings { totals, ..Settings::default() });
    status(&mut world, &request("a", "all", 1.0), 0);
    assert_eq!(status(&mut world, &request("a", "waits", 0.1), 0), "pending");
    let mut pay = ask("a", "pay", 50.0);
    pay.resource = money.clone();
    assert_eq!(status(&mut world, &Op::Request(pay), 0), "granted");
    assert_eq!(world.cell(&cell("a")).available(&money), Amount::ZERO);
}

#[test]
fn a_need_waits_until_its_deadline_and_not_longer() {
    let mut world = World::default();
    status(&mut world, &request("a", "all", 1.0), 0);
    status(&mut world, &request("a", "n", 0.5), 1_000);
    assert_eq!(world.due(), Some(ms(6_000).next()));
    world.tick(ms(6_000));
    assert!(matches!(world.cell(&cell("a")).need(&need("n")), Some(NeedState::Queued(_))));
    world.tick(ms(6_000).next());
    assert!(matches!(world.cell(&cell("a")).need(&need("n")), Some(NeedState::Expired(_))));
    let (_, last) = world.log.last().unwrap();
    assert_eq!(*last, exchange::Event::Cell(Event::NeedExpired { need: need("n"), at: ms(6_000) }));
    // Released afterwards, nothing is granted to it.
    status(&mut world, &release("a", 1.0), 7_000);
    assert_eq!(available(&world, "a"), 1.0);
    assert_eq!(world.stats.needs_expired, 1);
}

#[test]
fn a_release_at_the_deadline_still_serves_the_need() {
    let mut world = World::default();
    status(&mut world, &request("a", "all", 1.0), 0);
    status(&mut world, &request("a", "n", 0.5), 1_000);
    status(&mut world, &release("a", 1.0), 6_000);
    assert!(matches!(world.cell(&cell("a")).need(&need("n")), Some(NeedState::Granted(_))));
}

#[test]
fn an_expired_head_frees_the_way_for_the_next() {
    let mut world = World::default();
    status(&mut world, &request("a", "most", 0.8), 0);
    let mut head = ask("a", "head", 0.5);
    head.wait = Duration::from_millis(10);
    status(&mut world, &Op::Request(head), 0);
    assert_eq!(status(&mut world, &request("a", "next", 0.2), 1), "pending");
    let from = world.log.len();
    world.tick(ms(11));
    assert_eq!(names(&world, from), ["a need_expired", "a granted"]);
}

#[test]
fn what_ended_while_nobody_looked_ends_in_order_and_no_dead_need_is_served() {
    let mut world = World::default();
    let mut short = ask("a", "short", 1.0);
    short.lease = Lease::limited(Duration::from_millis(10));
    status(&mut world, &Op::Request(short), 0);
    let waiting = |id, wait| Request { wait: Duration::from_millis(wait), ..ask("a", id, 1.0) };
    status(&mut world, &Op::Request(waiting("dead", 15)), 0);
    status(&mut world, &Op::Request(waiting("alive", 500)), 0);
    world.restart();
    let from = world.log.len();
    world.tick(ms(100));
    // The lease ended at 10, while `dead` still waited; but nobody was there to serve it.
    assert_eq!(names(&world, from), ["a returned", "a need_expired", "a granted"]);
    let state = world.cell(&cell("a"));
    let Some(NeedState::Granted(granted)) = state.need(&need("alive")) else { panic!() };
    assert_eq!((granted.at, granted.tokens[0].expires), (ms(100), Some(ms(60_100))));
}

#[test]
fn a_full_queue_overloads_the_cell_until_half_of_it_is_gone() {
    let mut world = World::new(Settings { max_pending: 4, low_water: 2, ..Settings::default() });
    status(&mut world, &request("a", "all", 1.0), 0);
    for n in 0..4 {
        let wait = Duration::from_millis(10 + n);
        let waits = Request { wait, ..ask("a", &format!("n{n}"), 0.5) };
        assert_eq!(status(&mut world, &Op::Request(waits), 0), "pending");
    }
    assert_eq!(world.cell(&cell("a")).mode(), Mode::Need);
    assert_eq!(status(&mut world, &request("a", "x", 0.5), 1), "overloaded");
    assert_eq!(world.cell(&cell("a")).mode(), Mode::Overloaded);
    let from = world.log.len();
    assert_eq!(status(&mut world, &request("a", "x", 0.5), 2), "overloaded");
    assert_eq!(world.log.len(), from, "a refusal of an overloaded cell is not recorded again");
    // Three left: still overloaded. Two left: no longer.
    assert_eq!(status(&mut world, &request("a", "x", 0.5), 11), "overloaded");
    assert_eq!(status(&mut world, &request("a", "x", 0.5), 12), "pending");
    assert_eq!((world.stats.overloads, world.stats.overloaded_cells()), (1, 0));
}

#[test]
fn an_overloaded_cell_is_relieved_by_offers() {
    let mut world = World::new(Settings { max_pending: 1, low_water: 0, ..Settings::default() });
    status(&mut world, &request("a", "all", 1.0), 0);
    status(&mut world, &request("a", "n", 0.5), 0);
    assert_eq!(status(&mut world, &request("a", "m", 0.5), 0), "overloaded");
    assert_eq!(status(&mut world, &offer("o", "b", "a", 0.5), 1), "offered");
    assert!(!world.cell(&cell("a")).overloaded);
}

#[test]
fn an_offer_reserves_at_once_and_cannot_be_promised_twice() {
    let mut world = World::default();
    status(&mut world, &request("a", "all", 1.0), 0);
    status(&mut world, &request("a", "n", 1.0), 0);
    assert_eq!(status(&mut world, &offer("o1", "b", "a", 0.6), 1), "offered");
    let state = world.cell(&cell("b"));
    assert_eq!((state.available(&capacity()), state.reserved(&capacity())), (amount(0.4), amount(0.6)));
    assert_eq!(state.mode(), Mode::Offer);
    let reply = world.run(&offer("o2", "b", "a", 0.5), ms(1)).unwrap();
    let (available, requested) = (amount(0.4), amount(0.5));
    assert_eq!(reply, Reply::InsufficientCapacity { source: cell("b"), available, requested });
    // Too much is named before the missing need.
    assert_eq!(status(&mut world, &offer("o2", "b", "c", 0.5), 1), "insufficient_capacity");
    assert_eq!(status(&mut world, &offer("o2", "b", "c", 0.4), 1), "no_pending_need");
}

#[test]
fn small_offers_are_combined_oldest_first_and_the_surplus_returns() {
    let mut world = World::default();
    status(&mut world, &request("a", "all", 1.0), 0);
    status(&mut world, &request("a", "n", 0.8), 0);
    assert_eq!(status(&mut world, &offer("o1", "b", "a", 0.5), 1), "offered");
    let Ok(Reply::Offered { fate, .. }) = world.run(&offer("o2", "c", "a", 0.5), ms(2)) else { panic!() };
    assert_eq!(fate, OfferFate::Used { token: token("t-o2"), amount: amount(0.3) });
    let state = world.cell(&cell("a"));
    let Some(NeedState::Granted(granted)) = state.need(&need("n")) else { panic!() };
    let parts: Vec<_> = granted.tokens.iter().map(|t| (t.source.as_str(), t.amount.to_f64())).collect();
    assert_eq!(parts, [("b", 0.5), ("c", 0.3)]);
    assert_eq!((available(&world, "b"), available(&world, "c")), (0.5, 0.7));
    assert_eq!((state.mode(), world.cell(&cell("b")).mode()), (Mode::Need, Mode::Offer));
    assert_eq!(status(&mut world, &ack("t-o1", "a"), 3), "acknowledged");
    assert_eq!(status(&mut world, &ack("t-o2", "a"), 3), "acknowledged");
    let modes = ["a", "b", "c"].map(|id| world.cell(&cell(id)).mode());
    assert_eq!(modes, [Mode::Ack, Mode::Idle, Mode::Idle]);
}

#[test]
fn an_offer_ends_with_its_time_or_with_the_last_need() {
    let mut world = World::default();
    status(&mut world, &request("a", "all", 1.0), 0);
    let long = Request { wait: Duration::from_secs(60), ..ask("a", "n", 0.8) };
    status(&mut world, &Op::Request(long), 0);
    status(&mut world, &offer("o1", "b", "a", 0.2), 0);
    world.tick(ms(5_000));
    assert_eq!(available(&world, "b"), 0.8);
    world.tick(ms(5_000).next());
    assert_eq!(available(&world, "b"), 1.0);
    let closed = |world: &World, id: &str| {
        world.cell(&cell("b")).offer(&OfferId::new(id).unwrap()).map(|(_, fate)| fate)
    };
    assert_eq!(closed(&world, "o1"), Some(OfferFate::Unused(Unused::Expired)));
    assert_eq!(world.stats.offers_expired, 1);
    status(&mut world, &offer("o2", "b", "a", 0.2), 6_000);
    // The need is served by its own cell; the offer has nobody left to go to.
    status(&mut world, &release("a", 1.0), 6_001);
    assert_eq!(closed(&world, "o2"), Some(OfferFate::Unused(Unused::NoNeed)));
    assert_eq!((available(&world, "b"), world.stats.offers_expired), (1.0, 1));
}

#[test]
fn an_offer_whose_head_died_goes_to_the_next() {
    let mut world = World::default();
    status(&mut world, &request("a", "all", 1.0), 0);
    let head = Request { wait: Duration::from_millis(10), ..ask("a", "head", 0.9) };
    status(&mut world, &Op::Request(head), 0);
    status(&mut world, &request("a", "next", 0.3), 0);
    status(&mut world, &offer("o", "b", "a", 0.3), 0);
    let from = world.log.len();
    world.tick_alone(ms(11));
    assert_eq!(world.owed(), [Effect::Serve(cell("a"))]);
    world.run_owed(ms(11));
    assert_eq!(names(&world, from), ["a need_expired", "a granted", "b lent"]);
}

#[test]
fn a_repeat_is_answered_from_the_record_and_another_under_the_same_name_is_refused() {
    let mut world = World::default();
    let asked = [request("a", "n1", 1.0), request("a", "n2", 0.5), offer("o", "b", "a", 0.2)];
    let first: Vec<_> = asked.iter().map(|op| world.run(op, ms(0)).unwrap()).collect();
    world.restart();
    let from = world.log.len();
    let again: Vec<_> = asked.iter().map(|op| world.run(op, ms(1)).unwrap()).collect();
    let first: Vec<_> = first.into_iter().map(|reply| Reply::Again(Box::new(reply))).collect();
    assert_eq!((first, world.log.len()), (again, from));
    for (op, what) in [(request("a", "n1", 0.9), "need"), (offer("o", "b", "a", 0.3), "offer")] {
        assert!(matches!(world.run(&op, ms(1)), Err(Rejection::AlreadyExists { what: w, .. }) if w == what));
    }
    let mut same_token = ask("a", "n3", 0.1);
    same_token.token = token("t-n1");
    let refused = world.run(&Op::Request(same_token), ms(1));
    assert_eq!(refused, Err(Rejection::AlreadyExists { what: "token", id: "t-n1".to_owned() }));
    world.tick(ms(5_001));
    assert_eq!(status(&mut world, &asked[1], 5_001), "expired");
    assert_eq!(status(&mut world, &asked[0], 5_001), "granted");
}

#[test]
fn a_decision_says_which_entities_it_lacks() {
    struct Nothing;
    impl Lookup for Nothing {
        fn cell(&self, _: &StreamId) -> Option<&Cell> {
            None
        }
        fn budget(&self, _: &StreamId) -> Option<&Budget> {
            None
        }
    }
    let stream = |id| StreamId::new(StreamKind::Cell, EntityId::new(id).unwrap());
    let outcome = exchange::decide(&Nothing, &offer("o", "b", "a", 0.2), ms(0));
    assert_eq!(outcome, Outcome::Missing(BTreeSet::from([stream("a"), stream("b")])));
}

#[test]
fn a_total_may_not_fall_below_what_is_in_use() {
    let mut world = World::default();
    status(&mut world, &request("a", "n", 0.6), 0);
    let total = |x| Op::Configure {
        cell: cell("a"),
        settings: Settings { totals: BTreeMap::from([(capacity(), amount(x))]), ..Settings::default() },
    };
    let refused = Rejection::InUse { resource: capacity(), used: amount(0.6), given: amount(0.5) };
    assert_eq!(world.run(&total(0.5), ms(0)), Err(refused));
    assert_eq!(world.run(&total(0.6), ms(0)), Ok(Reply::Configured { changed: true }));
    assert_eq!(status(&mut world, &request("a", "m", 0.5), 0), "pending");
    assert_eq!(world.run(&total(3.0), ms(0)), Ok(Reply::Configured { changed: true }));
    assert_eq!(world.run(&total(3.0), ms(0)), Ok(Reply::Configured { changed: false }));
    assert_eq!(available(&world, "a"), 1.9);
}
