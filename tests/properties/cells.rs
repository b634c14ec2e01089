//! Capacity is conserved: at every entity after every event, whatever is asked of whom, whenever, and however often
//! the process dies.
//!
//! A few cells with two resources, three budgets and short times, so that "exactly at the end" is common. Beside the
//! world runs a *shadow*: it folds the log event by event and checks each one against the state before it. A case has
//! some two hundred operations; `PROPTEST_CASES=10000` in a release build asks for two million.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::capacity::cell::budget::{self, WaitEnd};
use quorate_core::capacity::cell::event::{Return, Unused};
use quorate_core::capacity::cell::exchange::Event;
use quorate_core::capacity::cell::state::NeedState;
use quorate_core::capacity::cell::{
    self, Amount, Budget, BudgetMachine, Cell, CellMachine, Lease, MakeOffer, Op, Rejection, Release, Reply,
    Request, Settings, World,
};
use quorate_core::kernel::Machine;
use quorate_core::kernel::ids::{
    BudgetId, CellId, IdempotencyKey, NeedId, OfferId, Resource, StreamId, StreamKind, TokenId,
};
use quorate_core::kernel::time::Timestamp;
use quorate_journal::codec::{decode, encode};

/// One act of a script; small numbers name cells, budgets, tokens and amounts.
#[derive(Clone, Debug)]
enum Act {
    /// Time passes, in microseconds; then everybody ticks, or only what is owed is left open, or nobody looks.
    Wait(i64, Look),
    Request {
        cell: u8,
        money: bool,
        tenths: u8,
        wait: u8,
        lease: u8,
        budgets: u8,
    },
    Offer {
        source: u8,
        destination: u8,
        money: bool,
        tenths: u8,
        ttl: u8,
    },
    Cancel {
        need: u8,
    },
    Ack {
        token: u8,
        stranger: Option<u8>,
    },
    Renew {
        token: u8,
    },
    Release {
        cell: u8,
        money: bool,
        tenths: u8,
        key: Option<u8>,
    },
    ReleaseToken {
        token: u8,
    },
    Transfer {
        token: u8,
        to: u8,
    },
    Revoke {
        token: u8,
    },
    Total {
        cell: u8,
        tenths: u8,
        pending: u8,
    },
    Limit {
        budget: u8,
        tenths: u8,
    },
    /// The last operation again.
    Repeat,
    Owed {
        cell: u8,
        offers: bool,
    },
    /// The process dies; the next one folds the log.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    Nobody,
    Alone,
    All,
}

const CELLS: u8 = 5;
/// One short time, in microseconds. All waits and leases are a few of these.
const STEP: i64 = 10;

fn act() -> impl Strategy<Value = Act> {
    let small = 0..CELLS;
    let tenths = 1..=12u8;
    let pause = (0..6i64, -1..=1i64).prop_map(|(steps, off)| (steps * STEP + off).max(0));
    let look = prop_oneof![Just(Look::Nobody), Just(Look::Alone), Just(Look::All)];
    prop_oneof![
        6 => (pause, look).prop_map(|(us, look)| Act::Wait(us, look)),
        10 => (small.clone(), prop::bool::weighted(0.2), tenths.clone(), 1..16u8, 0..12u8, 0..12u8).prop_map(
            |(cell, money, tenths, wait, lease, budgets)| Act::Request { cell, money, tenths, wait, lease, budgets }
        ),
        10 => (small.clone(), 0..4u8, prop::bool::weighted(0.2), 1..=8u8, 1..8u8).prop_map(
            |(source, destination, money, tenths, ttl)| Act::Offer { source, destination, money, tenths, ttl }
        ),
        3 => any::<u8>().prop_map(|need| Act::Cancel { need }),
        5 => (any::<u8>(), prop::option::weighted(0.2, small.clone()))
            .prop_map(|(token, stranger)| Act::Ack { token, stranger }),
        2 => any::<u8>().prop_map(|token| Act::Renew { token }),
        4 => (small.clone(), prop::bool::weighted(0.2), tenths.clone(), prop::option::weighted(0.4, 0..4u8))
            .prop_map(|(cell, money, tenths, key)| Act::Release { cell, money, tenths, key }),
        2 => any::<u8>().prop_map(|token| Act::ReleaseToken { token }),
        4 => (any::<u8>(), small.clone()).prop_map(|(token, to)| Act::Transfer { token, to }),
        1 => any::<u8>().prop_map(|token| Act::Revoke { token }),
        1 => (small.clone(), 1..30u8, 1..4u8)
            .prop_map(|(cell, tenths, pending)| Act::Total { cell, tenths, pending }),
        2 => (0..3u8, 3..30u8).prop_map(|(budget, tenths)| Act::Limit { budget, tenths }),
        2 => Just(Act::Repeat),
        1 => (small, any::<bool>()).prop_map(|(cell, offers)| Act::Owed { cell, offers }),
        1 => Just(Act::Restart),
    ]
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn cell_id(n: u8) -> CellId {
    CellId::new(format!("c{n}")).unwrap()
}

fn budget_id(n: u8) -> BudgetId {
    BudgetId::new(["fleet", "ring-1", "ring-2"][usize::from(n % 3)]).unwrap()
}

fn resource(money: bool) -> Resource {
    if money { Resource::new("money").unwrap() } else { Resource::capacity() }
}

fn tenths(n: u8) -> Amount {
    Amount::from_millionths(u64::from(n) * 100_000)
}

fn steps(n: u8) -> Duration {
    Duration::from_micros(u64::from(n) * STEP.unsigned_abs())
}

/// None, the fleet, or a ring and the fleet.
fn budgets(n: u8) -> BTreeSet<BudgetId> {
    match n {
        0..=5 => BTreeSet::new(),
        6..=7 => BTreeSet::from([budget_id(0)]),
        _ => BTreeSet::from([budget_id(0), budget_id(1 + n % 2)]),
    }
}

fn lease(n: u8) -> Lease {
    match n {
        0 => Lease::Unlimited,
        1 => Lease::renewable(steps(3)),
        _ => Lease::limited(steps(n)),
    }
}

fn settings(total: u8, max_pending: u32) -> Settings {
    let totals = BTreeMap::from([(resource(false), tenths(total)), (resource(true), tenths(20))]);
    Settings { totals, max_pending, low_water: max_pending / 2, ..Settings::default() }
}

/// The states as the log makes them, one event at a time.
#[derive(Default)]
struct Shadow {
    cells: BTreeMap<StreamId, Cell>,
    budgets: BTreeMap<StreamId, Budget>,
    seen: usize,
    /// The need that left the front of a budget to be granted, until its grant is charged.
    leaving: BTreeMap<StreamId, (CellId, NeedId)>,
}

impl Shadow {
    fn catch_up(&mut self, world: &World, now: Timestamp) -> Result<(), TestCaseError> {
        for (stream, event) in &world.log[self.seen..] {
            match event {
                Event::Cell(event) => self.cell(stream, event, now)?,
                Event::Budget(event) => self.budget(stream, event, now)?,
            }
        }
        self.seen = world.log.len();
        Ok(())
    }

    fn cell(&mut self, stream: &StreamId, event: &cell::Event, now: Timestamp) -> Result<(), TestCaseError> {
        let state = self.cells.entry(stream.clone()).or_default();
        match event {
            cell::Event::Granted(granted) => {
                let need = &granted.need;
                let first = state.head(&need.resource).is_none_or(|head| head.need.id == need.id);
                prop_assert!(first, "somebody was overtaken. by={:?}", need.id);
                prop_assert!(granted.at == now && now <= need.deadline, "granted after its deadline");
                let sum: Amount = granted.tokens.iter().map(|token| token.amount).sum();
                prop_assert_eq!(sum, need.amount);
                let ends = granted.tokens.iter().all(|token| token.expires == need.lease.expires(now));
                prop_assert!(ends, "a lease does not run from its grant");
            }
            cell::Event::NeedExpired { need, at } => {
                let deadline = state.queue.iter().find(|queued| &queued.need.id == need);
                prop_assert_eq!(deadline.map(|queued| queued.need.deadline), Some(*at));
                prop_assert!(*at < now);
            }
            cell::Event::NeedCancelled { need, at } => {
                let waits = state.queue.iter().any(|queued| &queued.need.id == need);
                prop_assert!(waits && *at == now, "cancelled, but it does not wait");
            }
            cell::Event::Returned(returned) if returned.why == Return::Expired => {
                let lent = state.lent.get(&returned.token).map(|lent| &lent.token);
                let token = lent.or(state.held.get(&returned.token).map(|held| &held.token));
                prop_assert_eq!(token.and_then(|token| token.expires), Some(returned.at));
                prop_assert!(returned.at < now && returned.left.is_zero());
            }
            cell::Event::OfferClosed { offer, why: Unused::Expired, at } => {
                prop_assert!(offer.expires == *at && *at < now);
            }
            cell::Event::NeedQueued(_) => {
                prop_assert!(!state.overloaded && state.pending() < state.settings.max_pending);
            }
            _ => {}
        }
        CellMachine::evolve(state, event);
        prop_assert_eq!(state.unbalanced(), vec![], "{:?} broke the balance of {}", event, stream);
        let counted: BTreeMap<_, _> = state.ends.iter().map(|(last, count)| (*last, *count)).collect();
        prop_assert_eq!(counted, ends(state), "{:?} lost count of what ends at {}", event, stream);
        for (of, available) in &state.available {
            prop_assert!(Some(available) <= state.settings.totals.get(of), "more available than there is");
        }
        Ok(())
    }

    fn budget(
        &mut self,
        stream: &StreamId,
        event: &budget::Event,
        now: Timestamp,
    ) -> Result<(), TestCaseError> {
        let state = self.budgets.entry(stream.clone()).or_default();
        match event {
            budget::Event::WaitEnded { cell, need, why: WaitEnd::Granted, .. } => {
                let waiter = state.waiting.iter().find(|w| &w.cell == cell && &w.need == need);
                let first = state.waiting.iter().find(|w| waiter.is_some_and(|of| of.resource == w.resource));
                prop_assert!(first.is_some() && first == waiter, "somebody was overtaken at {}", stream);
                self.leaving.insert(stream.clone(), (cell.clone(), need.clone()));
            }
            budget::Event::Charged { charge, .. } => {
                let turn = self.leaving.get(stream) == Some(&(charge.cell.clone(), charge.need.clone()));
                let free = !state.waiting.iter().any(|waiter| waiter.resource == charge.resource);
                prop_assert!(turn || free, "somebody was overtaken at {}", stream);
            }
            budget::Event::Refunded { why: Return::Expired, token, source, at, .. } => {
                let charge = state.charges.get(&(source.clone(), token.clone()));
                prop_assert_eq!(charge.and_then(|charge| charge.expires), Some(*at));
                prop_assert!(*at < now);
            }
            _ => {}
        }
        BudgetMachine::evolve(state, event);
        prop_assert_eq!(state.overspent(), vec![], "{:?} broke the limit of {}", event, stream);
        Ok(())
    }
}

/// Counts anew when everything a cell knows ends.
fn ends(cell: &Cell) -> BTreeMap<Timestamp, u32> {
    let borrowed = cell.held.values().filter(|held| held.token.is_borrowed());
    let tokens = cell.lent.values().map(|lent| &lent.token).chain(borrowed.map(|held| &held.token));
    let offers = cell.offers_made.values().chain(&cell.offers_received).map(|offer| offer.expires);
    let needs = cell.queue.iter().map(|queued| queued.need.deadline);
    let mut ends = BTreeMap::new();
    for last in tokens.filter_map(|token| token.expires).chain(offers).chain(needs) {
        *ends.entry(last).or_default() += 1;
    }
    ends
}

struct Play {
    world: World,
    shadow: Shadow,
    now: i64,
    minted: u32,
    tokens: Vec<TokenId>,
    /// The last operation; and it took effect, so that a repeat of it must not.
    last: Option<(Op, bool)>,
}

impl Play {
    fn new() -> Self {
        let (world, shadow) = (World::new(settings(10, 3)), Shadow::default());
        Play { world, shadow, now: 0, minted: 0, tokens: Vec::new(), last: None }
    }

    fn mint(&mut self) -> String {
        self.minted += 1;
        format!("{}", self.minted)
    }

    fn mint_token(&mut self) -> TokenId {
        let token = TokenId::new(format!("t{}", self.minted)).unwrap();
        self.tokens.push(token.clone());
        token
    }

    /// One of the newest tokens, and who holds it.
    fn pick(&self, n: u8) -> (TokenId, CellId) {
        let recent = &self.tokens[self.tokens.len().saturating_sub(12)..];
        let token = match recent.len() {
            0 => TokenId::new("nothing").unwrap(),
            some => recent[usize::from(n) % some].clone(),
        };
        let holder = (0..CELLS).map(cell_id).find(|id| self.world.cell(id).held.contains_key(&token));
        (token, holder.unwrap_or(cell_id(n % CELLS)))
    }

    fn op(&mut self, act: &Act) -> Option<Op> {
        Some(match act {
            Act::Wait(..) | Act::Restart => return None,
            Act::Repeat => return self.last.clone().map(|(op, _)| op),
            Act::Request { cell, money, tenths: n, wait, lease: kind, budgets: of } => {
                let need = NeedId::new(self.mint()).unwrap();
                let token = self.mint_token();
                Op::Request(Request {
                    resource: resource(*money),
                    wait: steps(*wait),
                    lease: lease(*kind),
                    budgets: budgets(*of),
                    ..Request::new(cell_id(*cell), need, token, tenths(*n))
                })
            }
            Act::Offer { source, destination, money, tenths: n, ttl } => {
                let offer = OfferId::new(self.mint()).unwrap();
                let token = self.mint_token();
                // Most often to somebody who waits for it.
                let waiting: Vec<_> = self.world.cells().filter_map(|cell| cell.queue.front()).collect();
                let (to, of) = match waiting.get(usize::from(*destination)) {
                    Some(head) => {
                        let place = self.world.cells().find(|cell| cell.queue.front() == Some(head));
                        (place.and_then(|cell| cell.id.clone()), head.need.resource.clone())
                    }
                    None => (None, resource(*money)),
                };
                let destination = to.unwrap_or_else(|| cell_id(*destination));
                let made = MakeOffer::new(offer, token, cell_id(*source), destination, tenths(*n));
                Op::Offer(MakeOffer { resource: of, ttl: steps(*ttl), ..made })
            }
            Act::Cancel { need } => {
                // Somebody who waits, at the front or behind it; or one of the newest needs, however it stands.
                let waiting = self.world.cells().flat_map(|cell| {
                    cell.queue.iter().map(|queued| (cell.id.clone(), queued.need.id.clone()))
                });
                let waiting: Vec<_> = waiting.collect();
                let newest = || NeedId::new(self.minted.saturating_sub(u32::from(*need % 8)).to_string());
                let (cell, need) = match waiting.get(usize::from(*need) % (waiting.len() + 1)) {
                    Some((Some(cell), need)) => (cell.clone(), need.clone()),
                    Some((None, _)) | None => (cell_id(*need % CELLS), newest().unwrap()),
                };
                Op::Cancel { cell, need }
            }
            Act::Ack { token, stranger } => {
                let (token, holder) = self.pick(*token);
                Op::Ack { token, cell: stranger.map_or(holder, cell_id) }
            }
            Act::Renew { token } => {
                let (token, cell) = self.pick(*token);
                Op::Renew { token, cell }
            }
            Act::Release { cell, money, tenths: n, key } => {
                let key = key.map(|key| IdempotencyKey::new(format!("k{key}")).unwrap());
                let what = Release::Amount { resource: resource(*money), amount: tenths(*n), key };
                Op::Release { cell: cell_id(*cell), what }
            }
            Act::ReleaseToken { token } => {
                let (token, cell) = self.pick(*token);
                Op::Release { cell, what: Release::Token(token) }
            }
            Act::Transfer { token, to } => {
                let (token, from) = self.pick(*token);
                Op::Transfer { token, from, to: cell_id(*to) }
            }
            Act::Revoke { token } => Op::Revoke { token: self.pick(*token).0 },
            Act::Total { cell, tenths, pending } => {
                Op::Configure { cell: cell_id(*cell), settings: settings(*tenths, u32::from(*pending)) }
            }
            Act::Limit { budget, tenths: n } => {
                let limits = BTreeMap::from([(resource(false), tenths(*n)), (resource(true), tenths(*n))]);
                Op::SetLimits { budget: budget_id(*budget), limits }
            }
            Act::Owed { cell, offers: true } => Op::ReturnOffers { cell: cell_id(*cell) },
            Act::Owed { cell, offers: false } => Op::Serve { cell: cell_id(*cell) },
        })
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Wait(pause, look) => {
                self.now += pause;
                match look {
                    Look::Nobody => {}
                    Look::Alone => self.world.tick_alone(us(self.now)),
                    Look::All => {
                        self.world.tick(us(self.now));
                        let next = self.world.due();
                        prop_assert!(next.is_none_or(|due| due > us(self.now)), "a tick moves what is due");
                        self.shadow.catch_up(&self.world, us(self.now))?;
                        self.agrees()?;
                    }
                }
            }
            Act::Restart => {
                let before = Play::states(&self.world);
                self.world.restart();
                prop_assert_eq!(before, Play::states(&self.world), "replay is not what was live");
            }
            _ => {
                if let Some(op) = self.op(act) {
                    let before = self.world.log.len();
                    let reply = self.world.run_alone(&op, us(self.now));
                    self.told(&reply)?;
                    self.world.run_owed(us(self.now));
                    if matches!((act, &self.last), (Act::Repeat, Some((_, true)))) {
                        let own = self.world.log[before..].iter().filter(|(_, event)| is_asked_for(event));
                        prop_assert_eq!(own.count(), 0, "a repeat did something. op={:?}", op);
                    }
                    let refused = ["overloaded", "insufficient_capacity", "no_pending_need"];
                    let done = reply.is_ok_and(|reply| !refused.contains(&reply.status()));
                    self.last = Some((op.clone(), done && is_repeatable(&op)));
                }
            }
        }
        self.shadow.catch_up(&self.world, us(self.now))
    }

    /// An answer says what is so after it.
    fn told(&self, reply: &Result<Reply, Rejection>) -> Result<(), TestCaseError> {
        match &reply.clone().map(|reply| reply.plain().0) {
            Ok(Reply::Granted { cell, granted }) => {
                let state = self.world.cell(cell);
                prop_assert_eq!(state.need(&granted.need.id), Some(NeedState::Granted(granted)));
            }
            Ok(Reply::NeedCancelled { cell, need, .. }) => {
                let state = self.world.cell(cell);
                prop_assert!(!matches!(state.need(need), Some(NeedState::Queued(_))), "cancelled, and waits");
            }
            Ok(Reply::Released { cell, resource, total_capacity, .. }) if self.world.cell(cell).is_open() => {
                prop_assert_eq!(self.world.cell(cell).available(resource), *total_capacity);
            }
            _ => {}
        }
        Ok(())
    }

    fn states(world: &World) -> (Vec<Cell>, Vec<Budget>, cell::CellStats) {
        (world.cells().cloned().collect(), world.budgets().cloned().collect(), world.stats.clone())
    }

    /// When everybody is up to date, all that is known twice is known alike, and nobody waits who could be served.
    fn agrees(&self) -> Result<(), TestCaseError> {
        let (cells, budgets, stats) = Play::states(&self.world);
        prop_assert_eq!(cells.clone(), self.shadow.cells.values().cloned().collect::<Vec<_>>());
        prop_assert_eq!(budgets, self.shadow.budgets.values().cloned().collect::<Vec<_>>());
        let of = |id: &CellId| self.world.cell(id);
        let mut charges = BTreeSet::new();
        for cell in &cells {
            for lent in cell.lent.values() {
                let held = of(&lent.token.holder).held.get(&lent.token.id).map(|held| held.token.clone());
                prop_assert_eq!(Some(&lent.token), held.as_ref(), "lent is not held");
                for budget in &lent.token.budgets {
                    charges.insert((budget.clone(), lent.token.id.clone()));
                    let state = self.world.budget(budget);
                    let key = (lent.token.source.clone(), lent.token.id.clone());
                    let charge = state.charges.get(&key).map(|charge| (charge.amount, charge.expires));
                    prop_assert_eq!(charge, Some((lent.token.amount, lent.token.expires)));
                }
            }
            for held in cell.held.values() {
                prop_assert!(of(&held.token.source).lent.contains_key(&held.token.id), "held is not lent");
            }
            for offer in cell.offers_made.values() {
                prop_assert!(of(&offer.destination).offers_received.contains(offer), "an offer is lost");
            }
            for offer in &cell.offers_received {
                let made = of(&offer.source).offers_made.get(&offer.id).cloned();
                prop_assert_eq!(made.as_ref(), Some(offer), "an offer nobody made");
                prop_assert!(cell.head(&offer.resource).is_some(), "nobody needs this offer");
            }
            for queued in &cell.queue {
                let head = cell.head(&queued.need.resource).is_some_and(|head| head == queued);
                prop_assert!(head || queued.waits_for.is_none());
                let fits = queued.need.amount <= cell.available(&queued.need.resource);
                let waits = queued.waits_for.as_ref().map(|id| self.world.budget(id));
                prop_assert!(!(head && fits && waits.is_none()), "the head fits and is not served");
                if let Some(budget) = waits {
                    let waiter = budget.waiting.iter().find(|w| w.need == queued.need.id);
                    prop_assert_eq!(waiter.map(|w| w.deadline), Some(queued.need.deadline));
                    let room = budget.limits.get(&queued.need.resource).is_none_or(|limit| {
                        let free = limit.millionths() - budget.used(&queued.need.resource).millionths();
                        free >= queued.need.amount.millionths()
                    });
                    let front = budget.waiting.iter().find(|w| w.resource == queued.need.resource);
                    prop_assert!(!(room && front == waiter), "there is room, and the first is not served");
                }
            }
            prop_assert!(!cell.overloaded || cell.pending() > cell.settings.low_water, "overloaded for ever");
        }
        let charged: usize = self.shadow.budgets.values().map(|budget| budget.charges.len()).sum();
        prop_assert_eq!(charged, charges.len(), "a charge without a token");
        let live: usize = cells.iter().map(|cell| cell.lent.len()).sum();
        prop_assert_eq!((stats.active_tokens(), stats.total_cells()), (live as u64, cells.len() as u64));
        let overloaded = cells.iter().filter(|cell| cell.overloaded).count();
        prop_assert_eq!(stats.overloaded_cells(), overloaded as u64);
        let available: f64 = cells.iter().map(|cell| cell.available(&Resource::capacity()).to_f64()).sum();
        prop_assert!((stats.avg_capacity() * cells.len() as f64 - available).abs() < 1e-6);
        Ok(())
    }

    /// Takes away what has no end, waits for all the rest: everything is back where it came from.
    fn end(&mut self) -> Result<(), TestCaseError> {
        // No lease and no wait is longer than sixteen steps; a need may be granted late.
        for _ in 0..4 {
            for token in self.tokens.clone() {
                let _ = self.world.run(&Op::Revoke { token }, us(self.now));
            }
            self.shadow.catch_up(&self.world, us(self.now))?;
            self.now += 16 * STEP + 1;
            self.world.tick(us(self.now));
            self.shadow.catch_up(&self.world, us(self.now))?;
        }
        self.agrees()?;
        for cell in self.world.cells() {
            prop_assert_eq!(&*cell.available, &cell.settings.totals, "capacity leaked");
            prop_assert!(cell.queue.is_empty() && cell.held.is_empty() && cell.lent.is_empty());
        }
        for budget in self.world.budgets() {
            prop_assert!(budget.charges.is_empty() && budget.waiting.is_empty(), "a budget leaked");
        }
        Ok(())
    }
}

/// A repeat of these does nothing more.
fn is_repeatable(op: &Op) -> bool {
    match op {
        Op::Request(_) | Op::Cancel { .. } | Op::Offer(_) | Op::Ack { .. } | Op::Revoke { .. } => true,
        Op::Configure { .. } | Op::SetLimits { .. } | Op::Serve { .. } | Op::ReturnOffers { .. } => true,
        Op::Release { what: Release::Amount { key, .. }, .. } => key.is_some(),
        Op::Release { what: Release::Token(_), .. } | Op::Transfer { .. } | Op::Renew { .. } => true,
        // Rates have properties of their own.
        Op::SetRates { .. } | Op::Reserve(_) | Op::Settle { .. } => false,
    }
}

/// Not what time, or somebody's owed turn, does.
fn is_asked_for(event: &Event) -> bool {
    match event {
        Event::Cell(event) => match event {
            cell::Event::NeedQueued(_) | cell::Event::OfferMade(_) | cell::Event::Acked(_) => true,
            cell::Event::NeedCancelled { .. } => true,
            cell::Event::HandedOver { .. } | cell::Event::Released { .. } => true,
            cell::Event::Returned(returned) => returned.why != Return::Expired,
            _ => false,
        },
        Event::Budget(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn capacity_is_conserved_at_every_entity_after_every_event(
        acts in prop::collection::vec(act(), 0..400),
    ) {
        let mut play = Play::new();
        for act in &acts {
            play.act(act)?;
        }
        play.end()?;
    }

    #[test]
    fn stored_bytes_of_cells_and_budgets_are_read_back(acts in prop::collection::vec(act(), 0..100)) {
        let mut play = Play::new();
        for act in &acts {
            play.act(act)?;
        }
        for (stream, event) in &play.world.log {
            match event {
                Event::Cell(event) => {
                    prop_assert_eq!(stream.kind, StreamKind::Cell);
                    prop_assert_eq!(&decode::<cell::Event>(&encode(event).unwrap()).unwrap(), event);
                }
                Event::Budget(event) => {
                    prop_assert_eq!(stream.kind, StreamKind::Budget);
                    prop_assert_eq!(&decode::<budget::Event>(&encode(event).unwrap()).unwrap(), event);
                }
            }
        }
        for cell in play.world.cells() {
            prop_assert_eq!(&decode::<Cell>(&encode(cell).unwrap()).unwrap(), cell);
        }
        for budget in play.world.budgets() {
            prop_assert_eq!(&decode::<Budget>(&encode(budget).unwrap()).unwrap(), budget);
        }
        let kept: cell::CellStats = decode(&encode(&play.world.stats).unwrap()).unwrap();
        prop_assert_eq!(kept, play.world.stats);
    }
}
