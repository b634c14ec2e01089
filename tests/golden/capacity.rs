//! The events of cells and budgets.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::capacity::cell::budget::{self, Charge, WaitEnd, Waiter};
use quorate_core::capacity::cell::event::{
    self as cell, Extended, Granted, Need, Offer, Return, Returned, Token, Unused,
};
use quorate_core::capacity::cell::reservation::{Difference, Reservation, Taken};
use quorate_core::capacity::cell::{Amount, Bucket, Lease, Rate, Settings};
use quorate_core::kernel::ids::{
    BudgetId, CellId, EntityId, IdempotencyKey, NeedId, OfferId, Resource, TokenId,
};

use crate::events::{at, variants};

fn cell_id(name: &str) -> CellId {
    CellId::new(name).unwrap()
}

fn need_id() -> NeedId {
    NeedId::new("need").unwrap()
}

fn token_id() -> TokenId {
    TokenId::new("token").unwrap()
}

fn resource() -> Resource {
    Resource::new("gpu").unwrap()
}

fn amount(millionths: u64) -> Amount {
    Amount::from_millionths(millionths)
}

fn budgets() -> BTreeSet<BudgetId> {
    ["fleet", "ring"].map(|name| BudgetId::new(name).unwrap()).into()
}

fn settings() -> Settings {
    Settings {
        totals: [(resource(), amount(1_000_000)), (Resource::capacity(), amount(250))].into(),
        budgets: budgets(),
        max_pending: 300,
        low_water: 50,
    }
}

fn need() -> Need {
    Need {
        id: need_id(),
        token: token_id(),
        resource: resource(),
        amount: amount(70_000),
        lease: Lease::Limited { us: 60_000_000, renewable: true },
        budgets: budgets(),
        asked_at: at(1),
        deadline: at(5_000_001),
    }
}

fn offer() -> Offer {
    Offer {
        id: OfferId::new("offer").unwrap(),
        token: token_id(),
        source: cell_id("b"),
        destination: cell_id("窓"),
        resource: resource(),
        amount: amount(251),
        made_at: at(2),
        expires: at(i64::MAX),
    }
}

fn token() -> Token {
    Token {
        id: token_id(),
        source: cell_id("b"),
        holder: cell_id("窓"),
        resource: resource(),
        amount: amount(250),
        lease: Lease::Unlimited,
        budgets: BTreeSet::new(),
        granted_at: at(3),
        expires: None,
        acked: false,
    }
}

fn extended() -> Extended {
    let (token, source, holder) = (token_id(), cell_id("b"), cell_id("窓"));
    Extended { token, source, holder, expires: Some(at(60_000_004)), at: at(4) }
}

fn returned(why: Return) -> cell::Event {
    cell::Event::Returned(Returned {
        token: token_id(),
        source: cell_id("b"),
        holder: cell_id("窓"),
        resource: resource(),
        amount: amount(u64::MAX),
        left: Amount::ZERO,
        why,
        at: at(5),
    })
}

fn rates() -> BTreeMap<Resource, Rate> {
    let weights = [(resource(), 15)].into();
    [(resource(), Rate { amount: 500, period_us: 60_000_000, burst: 50, debt: 251, weights })].into()
}

fn buckets() -> BTreeMap<Resource, Bucket> {
    [(resource(), Bucket { level: -251, rest: 59_999_999, at: at(7) })].into()
}

fn taken() -> Taken {
    let reservation = Reservation {
        token: token_id(),
        holder: cell_id("窓"),
        by: Some(EntityId::new("ann").unwrap()),
        units: [(resource(), 10)].into(),
        budgets: budgets(),
        made_at: at(8),
        expires: at(300_000_008),
    };
    Taken { reservation, costs: [(resource(), 150)].into() }
}

pub(crate) fn cells() -> Vec<cell::Event> {
    let granted = Granted {
        need: need(),
        tokens: vec![token(), Token { acked: true, expires: Some(at(9)), ..token() }],
        offers: vec![OfferId::new("offer").unwrap()],
        at: at(-5),
    };
    let key = IdempotencyKey::new("request-é").unwrap();
    vec![
        cell::Event::Opened { cell: cell_id("窓"), settings: settings(), at: at(-5) },
        cell::Event::Configured { settings: Settings::default(), at: at(6) },
        cell::Event::NeedQueued(need()),
        cell::Event::NeedQueued(Need { lease: Lease::Unlimited, ..need() }),
        cell::Event::NeedExpired { need: need_id(), at: at(7) },
        cell::Event::NeedBlocked { need: need_id(), budget: budgets().pop_last(), at: at(8) },
        cell::Event::NeedBlocked { need: need_id(), budget: None, at: at(8) },
        cell::Event::Granted(granted),
        cell::Event::OverloadRaised { pending: 300, at: at(9) },
        cell::Event::OverloadCleared { pending: 50, at: at(10) },
        cell::Event::OfferMade(offer()),
        cell::Event::OfferReceived(offer()),
        cell::Event::OfferClosed { offer: offer(), why: Unused::Expired, at: at(11) },
        cell::Event::OfferClosed { offer: offer(), why: Unused::NoNeed, at: at(11) },
        cell::Event::Lent { offer: offer().id, token: token(), returned: amount(1), at: at(12) },
        cell::Event::Acked(extended()),
        cell::Event::Renewed(Extended { expires: None, ..extended() }),
        cell::Event::UseRefused { token: token_id(), by: cell_id("thief"), at: at(13) },
        returned(Return::Released),
        returned(Return::Expired),
        returned(Return::Revoked),
        cell::Event::HandedOver {
            token: token_id(),
            source: cell_id("b"),
            from: cell_id("c"),
            to: cell_id("d"),
            at: at(14),
        },
        cell::Event::Received { token: token(), from: cell_id("c"), at: at(15) },
        cell::Event::Released { key, resource: resource(), asked: amount(9), amount: amount(8), at: at(16) },
        cell::Event::NeedCancelled { need: need_id(), at: at(17) },
        cell::Event::NeedAskedBy { need: need_id(), by: EntityId::new("ci").unwrap(), at: at(18) },
        cell::Event::TokenAskedBy {
            token: token_id(),
            by: EntityId::new("ci").unwrap(),
            cell: cell_id("a"),
            at: at(19),
        },
    ]
}

pub(crate) fn all_budgets() -> Vec<budget::Event> {
    let charge = Charge {
        token: token_id(),
        source: cell_id("b"),
        cell: cell_id("c"),
        need: need_id(),
        resource: resource(),
        amount: amount(300),
        expires: Some(at(60_000_001)),
    };
    let waiter = Waiter {
        cell: cell_id("c"),
        need: need_id(),
        resource: resource(),
        amount: amount(70_000),
        deadline: at(5_000_000),
    };
    let refunded = |why| budget::Event::Refunded {
        token: token_id(),
        source: cell_id("b"),
        resource: resource(),
        amount: amount(200),
        left: amount(100),
        why,
        at: at(4),
    };
    let ended = |why| budget::Event::WaitEnded { cell: cell_id("c"), need: need_id(), why, at: at(6) };
    vec![
        budget::Event::LimitsSet { limits: [(resource(), amount(1_500_000))].into(), at: at(-1) },
        budget::Event::LimitsSet { limits: BTreeMap::new(), at: at(1) },
        budget::Event::Charged { charge: charge.clone(), at: at(2) },
        budget::Event::Charged { charge: Charge { expires: None, ..charge }, at: at(2) },
        budget::Event::Extended { token: token_id(), source: cell_id("b"), expires: None, at: at(3) },
        refunded(Return::Released),
        refunded(Return::Expired),
        refunded(Return::Revoked),
        budget::Event::Waiting { waiter, at: at(5) },
        ended(WaitEnd::Granted),
        ended(WaitEnd::Expired),
        ended(WaitEnd::Elsewhere),
        ended(WaitEnd::Cancelled),
        budget::Event::RatesSet { rates: rates(), buckets: buckets(), at: at(7) },
        budget::Event::Reserved { taken: taken(), buckets: buckets(), at: at(8) },
        budget::Event::Settled {
            token: token_id(),
            actual: [(resource(), 7)].into(),
            differences: [(resource(), Difference { given_back: 3, debited: 250, uncovered: u64::MAX })]
                .into(),
            buckets: buckets(),
            at: at(9),
        },
        budget::Event::ReservationExpired { token: token_id(), at: at(10) },
    ]
}

variants!(cell_variants of cell::Event: Opened, Configured, NeedQueued, NeedExpired, NeedBlocked, Granted, OverloadRaised,
    OverloadCleared, OfferMade, OfferReceived, OfferClosed, Lent, Acked, Renewed, UseRefused, Returned, HandedOver,
    Received, Released, NeedCancelled, NeedAskedBy, TokenAskedBy);
variants!(budget_variants of budget::Event: LimitsSet, Charged, Extended, Refunded, Waiting, WaitEnded, RatesSet,
    Reserved, Settled, ReservationExpired);
