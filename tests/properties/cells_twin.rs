//! Cells of one resource behave like a plain book of needs, offers and tokens that knows everything at once.
//!
//! The book has no entities, no joint decisions and no debts: it keeps three lists, throws out what is over, and goes
//! through all cells until nothing changes any more. After every act both must have answered with the same word and
//! have the same available.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::capacity::cell::{Amount, Lease, MakeOffer, Op, Release, Request, Settings, World};
use quorate_core::kernel::ids::{CellId, NeedId, OfferId, Resource, TokenId};
use quorate_core::kernel::time::Timestamp;

const CELLS: usize = 4;
const WHOLE: u64 = 10;
const MAX_PENDING: usize = 3;
const LOW_WATER: usize = 1;
const STEP: i64 = 10;

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    Request { cell: usize, tenths: u64, wait: i64, lease: i64 },
    Offer { source: usize, destination: usize, tenths: u64, ttl: i64 },
    Cancel { nth: usize },
    Ack { token: usize, by: usize },
    Release { cell: usize, tenths: u64 },
    Transfer { token: usize, from: usize, to: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let cell = 0..CELLS;
    let times = 1..10i64;
    prop_oneof![
        4 => (0..4i64, -1..=1i64).prop_map(|(steps, off)| Act::Wait((steps * STEP + off).max(0))),
        8 => (cell.clone(), 1..=WHOLE, times.clone(), times.clone())
            .prop_map(|(cell, tenths, wait, lease)| Act::Request { cell, tenths, wait, lease }),
        8 => (cell.clone(), cell.clone(), 1..=WHOLE, times)
            .prop_map(|(source, destination, tenths, ttl)| Act::Offer { source, destination, tenths, ttl }),
        2 => (0..6usize).prop_map(|nth| Act::Cancel { nth }),
        3 => (0..8usize, cell.clone()).prop_map(|(token, by)| Act::Ack { token, by }),
        3 => (cell.clone(), 1..=WHOLE).prop_map(|(cell, tenths)| Act::Release { cell, tenths }),
        3 => (0..8usize, cell.clone(), cell).prop_map(|(token, from, to)| Act::Transfer { token, from, to }),
    ]
}

struct BookNeed {
    cell: usize,
    tenths: u64,
    lease: i64,
    deadline: i64,
    token: usize,
}

struct BookOffer {
    source: usize,
    destination: usize,
    tenths: u64,
    expires: i64,
    token: usize,
}

struct BookToken {
    name: usize,
    source: usize,
    holder: usize,
    tenths: u64,
    lease: i64,
    expires: i64,
    granted_at: i64,
    came: usize,
    acked: bool,
    /// Who handed it on last.
    giver: Option<usize>,
}

/// Everything, in three lists.
#[derive(Default)]
struct Book {
    needs: Vec<BookNeed>,
    offers: Vec<BookOffer>,
    tokens: Vec<BookToken>,
    overloaded: [bool; CELLS],
    ended: Vec<usize>,
    came: usize,
}

impl Book {
    fn available(&self, cell: usize) -> u64 {
        let offered: u64 = self.offers.iter().filter(|o| o.source == cell).map(|o| o.tenths).sum();
        let lent: u64 = self.tokens.iter().filter(|t| t.source == cell).map(|t| t.tenths).sum();
        WHOLE - offered - lent
    }

    fn head(&self, cell: usize) -> Option<usize> {
        self.needs.iter().position(|need| need.cell == cell)
    }

    fn waiting(&self, cell: usize) -> usize {
        self.needs.iter().filter(|need| need.cell == cell).count()
    }

    fn purge(&mut self, now: i64) {
        self.needs.retain(|need| need.deadline >= now);
        self.offers.retain(|offer| offer.expires >= now);
        self.ended.extend(self.tokens.iter().filter(|token| token.expires < now).map(|token| token.name));
        self.tokens.retain(|token| token.expires >= now);
    }

    fn mint(&mut self, need: &BookNeed, name: usize, source: usize, tenths: u64, now: i64) {
        self.came += 1;
        let (holder, lease, expires) = (need.cell, need.lease, now + need.lease);
        let (granted_at, came, acked, giver) = (now, self.came, false, None);
        self.tokens.push(BookToken {
            name,
            source,
            holder,
            tenths,
            lease,
            expires,
            granted_at,
            came,
            acked,
            giver,
        });
    }

    /// Goes through all cells until nothing changes.
    fn serve(&mut self, now: i64) {
        while self.serve_own(now) || self.serve_by_offers(now) {}
        for cell in 0..CELLS {
            self.overloaded[cell] &= self.waiting(cell) > LOW_WATER;
        }
    }

    fn serve_own(&mut self, now: i64) -> bool {
        for cell in 0..CELLS {
            let fits = |at: &usize| self.needs[*at].tenths <= self.available(cell);
            if let Some(at) = self.head(cell).filter(fits) {
                let need = self.needs.remove(at);
                self.mint(&need, need.token, cell, need.tenths, now);
                return true;
            }
        }
        false
    }

    fn serve_by_offers(&mut self, now: i64) -> bool {
        for cell in 0..CELLS {
            let to_cell = |offer: &BookOffer| offer.destination == cell;
            let sum: u64 = self.offers.iter().filter(|offer| to_cell(offer)).map(|offer| offer.tenths).sum();
            match self.head(cell) {
                Some(at) if sum >= self.needs[at].tenths => {
                    let need = self.needs.remove(at);
                    let mut open = need.tenths;
                    while open > 0 {
                        let at = self.offers.iter().position(to_cell).unwrap();
                        let offer = self.offers.remove(at);
                        let part = offer.tenths.min(open);
                        open -= part;
                        self.mint(&need, offer.token, offer.source, part, now);
                    }
                    return true;
                }
                None if sum > 0 => {
                    self.offers.retain(|offer| !to_cell(offer));
                    return true;
                }
                Some(_) | None => {}
            }
        }
        false
    }

    fn request(&mut self, need: BookNeed, now: i64) -> &'static str {
        let (cell, name) = (need.cell, need.token);
        if self.overloaded[cell] {
            return "overloaded";
        }
        let fits = self.head(cell).is_none() && need.tenths <= self.available(cell);
        if !fits && self.waiting(cell) >= MAX_PENDING {
            self.overloaded[cell] = true;
            return "overloaded";
        }
        self.needs.push(need);
        self.serve(now);
        if self.needs.iter().any(|need| need.token == name) { "pending" } else { "granted" }
    }

    fn offer(&mut self, offer: BookOffer, now: i64) -> &'static str {
        if offer.source == offer.destination {
            return "invalid";
        }
        if self.available(offer.source) < offer.tenths {
            return "insufficient_capacity";
        }
        if self.head(offer.destination).is_none() {
            return "no_pending_need";
        }
        self.offers.push(offer);
        self.serve(now);
        "offered"
    }

    /// The nth need that waits, whoever's it is.
    fn cancel(&mut self, nth: usize, now: i64) -> Option<(usize, usize)> {
        if nth >= self.needs.len() {
            return None;
        }
        let need = self.needs.remove(nth);
        self.serve(now);
        Some((need.cell, need.token))
    }

    fn ack(&mut self, name: usize, by: usize, now: i64) -> &'static str {
        let Some(token) = self.tokens.iter_mut().find(|token| token.name == name) else { return "gone" };
        if token.holder != by {
            return "not_token_owner";
        }
        if !token.acked {
            token.acked = true;
            token.expires = now + token.lease;
        }
        "acknowledged"
    }

    fn release(&mut self, cell: usize, tenths: u64, now: i64) -> &'static str {
        let mut open = tenths;
        self.tokens.sort_by_key(|token| (token.granted_at, token.came));
        for token in self.tokens.iter_mut().filter(|token| token.holder == cell) {
            let part = token.tenths.min(open);
            token.tenths -= part;
            open -= part;
        }
        self.tokens.retain(|token| token.tenths > 0);
        self.serve(now);
        if open < tenths { "released" } else { "nothing_to_release" }
    }

    fn transfer(&mut self, name: usize, from: usize, to: usize) -> &'static str {
        if from == to {
            return "invalid";
        }
        let Some(token) = self.tokens.iter_mut().find(|token| token.name == name) else { return "gone" };
        if token.holder == to && token.giver == Some(from) {
            return "transferred";
        }
        if token.holder != from {
            return "not_token_owner";
        }
        token.giver = Some(from);
        self.came += 1;
        (token.holder, token.acked, token.came) = (to, false, self.came);
        "transferred"
    }
}

fn us(us: i64) -> Timestamp {
    Timestamp::from_micros(us)
}

fn span(us: i64) -> Duration {
    Duration::from_micros(us.unsigned_abs())
}

fn cell(n: usize) -> CellId {
    CellId::new(format!("c{n}")).unwrap()
}

fn token(n: usize) -> TokenId {
    TokenId::new(format!("t{n}")).unwrap()
}

fn tenths(n: u64) -> Amount {
    Amount::from_millionths(n * 100_000)
}

/// The act as an operation of the world, and what the book says to it.
fn both(book: &mut Book, act: &Act, minted: usize, now: i64) -> Option<(Op, &'static str)> {
    let one_of = |n: &usize| minted.saturating_sub(*n);
    Some(match act {
        Act::Wait(_) => return None,
        Act::Request { cell: of, tenths: n, wait, lease } => {
            let (wait, lease) = (wait * STEP, lease * STEP);
            let request = Request {
                wait: span(wait),
                lease: Lease::limited(span(lease)),
                ..Request::new(
                    cell(*of),
                    NeedId::new(format!("n{minted}")).unwrap(),
                    token(minted),
                    tenths(*n),
                )
            };
            let need = BookNeed { cell: *of, tenths: *n, lease, deadline: now + wait, token: minted };
            (Op::Request(request), book.request(need, now))
        }
        Act::Offer { source, destination, tenths: n, ttl } => {
            let ttl = ttl * STEP;
            let name = OfferId::new(format!("o{minted}")).unwrap();
            let made = MakeOffer::new(name, token(minted), cell(*source), cell(*destination), tenths(*n));
            let (source, destination) = (*source, *destination);
            let offer = BookOffer { source, destination, tenths: *n, expires: now + ttl, token: minted };
            (Op::Offer(MakeOffer { ttl: span(ttl), ..made }), book.offer(offer, now))
        }
        Act::Cancel { nth } => {
            let (of, name) = book.cancel(*nth, now)?;
            let need = NeedId::new(format!("n{name}")).unwrap();
            (Op::Cancel { cell: cell(of), need }, "cancelled")
        }
        Act::Ack { token: n, by } => {
            let op = Op::Ack { token: token(one_of(n)), cell: cell(*by) };
            (op, book.ack(one_of(n), *by, now))
        }
        Act::Release { cell: of, tenths: n } => {
            let what = Release::Amount { resource: Resource::capacity(), amount: tenths(*n), key: None };
            (Op::Release { cell: cell(*of), what }, book.release(*of, *n, now))
        }
        Act::Transfer { token: n, from, to } => {
            let op = Op::Transfer { token: token(one_of(n)), from: cell(*from), to: cell(*to) };
            (op, book.transfer(one_of(n), *from, *to))
        }
    })
}

/// The words in which both can agree.
fn word(
    reply: Result<quorate_core::capacity::cell::Reply, quorate_core::capacity::cell::Rejection>,
) -> &'static str {
    use quorate_core::capacity::cell::Rejection as No;
    match reply {
        Ok(reply) => reply.status(),
        Err(No::Invalid { .. }) => "invalid",
        Err(No::TokenNotFound | No::TokenExpired | No::TokenReleased | No::TokenRevoked) => "gone",
        Err(No::NotOwner { .. }) => "not_token_owner",
        Err(_) => "another rejection",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cells_of_one_resource_behave_like_a_plain_book(acts in prop::collection::vec(act(), 0..300)) {
        let settings = Settings { max_pending: MAX_PENDING as u32, low_water: LOW_WATER as u32, ..Settings::default() };
        let (mut world, mut book, mut now) = (World::new(settings.clone()), Book::default(), 0);
        for (minted, act) in acts.iter().enumerate() {
            if let Act::Wait(pause) = act {
                now += pause;
            }
            world.tick(us(now));
            book.purge(now);
            book.serve(now);
            if let Some((op, expected)) = both(&mut book, act, minted, now) {
                // The book forgets who held what has ended.
                let mut said = word(world.run(&op, us(now)));
                if expected == "gone" && said == "not_token_owner" {
                    said = "gone";
                }
                prop_assert_eq!(said, expected, "{:?} at {}", op, now);
            }
            for n in 0..CELLS {
                let status = world.cell(&cell(n)).status(cell(n), &Resource::capacity(), &settings);
                let held: u64 = book.tokens.iter().filter(|t| t.holder == n).map(|t| t.tenths).sum();
                prop_assert_eq!(status.capacity, tenths(book.available(n)), "{:?} at {}", act, now);
                prop_assert_eq!((status.held, status.pending_needs as usize), (tenths(held), book.waiting(n)));
                prop_assert_eq!(world.cell(&cell(n)).overloaded, book.overloaded[n]);
            }
        }
    }
}
