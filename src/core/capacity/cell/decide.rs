//! What time alone does to a cell, and what a cell can do for its own queue without asking anybody.

use super::CellMachine;
use super::command::{Command, Effect, Reply};
use super::event::{Event, Granted, Need, Offer, Return, Returned, Token, Unused};
use super::rejection::Rejection;
use super::state::{Cell, Queued};
use crate::kernel::Decision;
use crate::kernel::ids::{CellId, OfferId, Resource};
use crate::kernel::time::Timestamp;

pub(super) fn decide(
    state: &Cell,
    command: Command,
    now: Timestamp,
) -> Result<Decision<CellMachine>, Rejection> {
    match command {
        Command::Tick => Ok(match settle(state, now) {
            Some((after, events)) => Decision::accept(events, Reply::Settled).with_effects(owed(&after)),
            None => Decision::answer(Reply::Settled).with_effects(owed(state)),
        }),
    }
}

/// When something first ends by itself. A deadline is inclusive: it falls due right after.
pub(super) fn due(state: &Cell) -> Option<Timestamp> {
    state.first_end().filter(|last| *last < Timestamp::MAX).map(Timestamp::next)
}

/// Ends everything that is over, in the order of the deadlines; then serves who can be served *now*. A need that
/// expired meanwhile is not served after the fact, and a need that is served gets its full lease. Gives the state then,
/// with the events, or `None` when there is nothing to do: most cells that are looked at have nothing to settle, and
/// are not copied for it.
pub(super) fn settle(cell: &Cell, now: Timestamp) -> Option<(Cell, Vec<Event>)> {
    let over = cell.first_end().is_some_and(|last| last < now);
    if !over && !can_serve_alone(cell) {
        return None;
    }
    let (mut after, mut events) = (cell.clone(), Vec::new());
    if over {
        for (_, event) in overdue(cell, now) {
            happen(&mut after, event, &mut events);
        }
    }
    serve_alone(&mut after, now, &mut events);
    Some((after, events))
}

/// What is over, ordered by deadline; a token that a cell lends to itself is one thing.
fn overdue(cell: &Cell, now: Timestamp) -> Vec<(Timestamp, Event)> {
    let mut over: Vec<(Timestamp, Event)> = Vec::new();
    for Queued { need, .. } in &cell.queue {
        over.push((need.deadline, Event::NeedExpired { need: need.id.clone(), at: need.deadline }));
    }
    for offer in cell.offers_made.values().chain(&cell.offers_received) {
        let (offer, at) = (offer.clone(), offer.expires);
        over.push((at, Event::OfferClosed { offer, why: Unused::Expired, at }));
    }
    let lent = cell.lent.values().map(|lent| &lent.token);
    let borrowed = cell.held.values().map(|held| &held.token).filter(|token| token.is_borrowed());
    for token in lent.chain(borrowed) {
        if let Some(at) = token.expires {
            over.push((at, Event::Returned(returned(token, Return::Expired, at))));
        }
    }
    over.retain(|(last, _)| *last < now);
    over.sort_by_key(|(last, _)| *last);
    over
}

/// All that is left of the token goes back.
pub(super) fn returned(token: &Token, why: Return, at: Timestamp) -> Returned {
    Returned {
        token: token.id.clone(),
        source: token.source.clone(),
        holder: token.holder.clone(),
        resource: token.resource.clone(),
        amount: token.amount,
        left: super::Amount::ZERO,
        why,
        at,
    }
}

/// Serves heads of queues that need neither a budget nor an offer, and ends an overload that is over.
pub(super) fn serve_alone(cell: &mut Cell, now: Timestamp, events: &mut Vec<Event>) {
    while let (Some(id), Some(need)) = (&cell.id, first_servable_alone(cell)) {
        let token = make_token(need, need.token.clone(), id, id, need.amount, now);
        let by = cell.asked_by.get(&need.id).cloned();
        let asked =
            by.map(|by| Event::TokenAskedBy { token: token.id.clone(), by, cell: id.clone(), at: now });
        let granted = Granted { need: need.clone(), tokens: vec![token], offers: Vec::new(), at: now };
        happen(cell, Event::Granted(granted), events);
        asked.into_iter().for_each(|event| happen(cell, event, events));
    }
    if cell.is_relieved() {
        let pending = cell.pending();
        happen(cell, Event::OverloadCleared { pending, at: now }, events);
    }
}

/// Does [`serve_alone`] do anything?
pub(super) fn can_serve_alone(cell: &Cell) -> bool {
    (cell.is_open() && first_servable_alone(cell).is_some()) || cell.is_relieved()
}

fn first_servable_alone(cell: &Cell) -> Option<&Need> {
    let servable = |need: &Need| need.budgets.is_empty() && need.amount <= cell.available(&need.resource);
    cell.heads().into_iter().find(|head| servable(&head.need)).map(|head| &*head.need)
}

/// The token of a grant that begins now.
pub(super) fn make_token(
    need: &Need,
    id: crate::kernel::ids::TokenId,
    source: &CellId,
    holder: &CellId,
    amount: super::Amount,
    now: Timestamp,
) -> Token {
    Token {
        id,
        source: source.clone(),
        holder: holder.clone(),
        resource: need.resource.clone(),
        amount,
        lease: need.lease,
        budgets: need.budgets.clone(),
        granted_at: now,
        expires: need.lease.expires(now),
        acked: false,
    }
}

fn happen(cell: &mut Cell, event: Event, events: &mut Vec<Event>) {
    cell.evolve(&event);
    events.push(event);
}

/// How a need can be covered now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cover {
    /// By the cell itself.
    Own,
    /// By these offers, oldest first; of each so much.
    Offers(Vec<(Offer, super::Amount)>),
    /// Not at all.
    Short,
}

/// The cell's own capacity covers a need whole, or offers do; the two are not mixed.
pub(super) fn cover(cell: &Cell, need: &Need) -> Cover {
    if need.amount <= cell.available(&need.resource) {
        return Cover::Own;
    }
    let mut open = need.amount;
    let mut used = Vec::new();
    for offer in cell.offers_received.iter().filter(|offer| offer.resource == need.resource) {
        let part = offer.amount.min(open);
        open = open.minus(part);
        used.push((offer.clone(), part));
        if open.is_zero() {
            return Cover::Offers(used);
        }
    }
    Cover::Short
}

/// A head that could be granted, but not by the cell alone; and offers nobody here needs. A head that waits for a
/// budget is not owed anything by its cell: the budget sees to it.
pub(super) fn owed(cell: &Cell) -> Vec<Effect> {
    let Some(id) = &cell.id else { return Vec::new() };
    let ready = |head: &&Queued| head.waits_for.is_none() && cover(cell, &head.need) != Cover::Short;
    let serve = cell.heads().iter().any(ready).then(|| Effect::Serve(id.clone()));
    let give_back = (!unneeded(cell).is_empty()).then(|| Effect::ReturnOffers(id.clone()));
    serve.into_iter().chain(give_back).collect()
}

/// Open offers of which nobody here waits for the resource.
pub(super) fn unneeded(cell: &Cell) -> Vec<Offer> {
    let needed = |resource: &Resource| cell.head(resource).is_some();
    cell.offers_received.iter().filter(|offer| !needed(&offer.resource)).cloned().collect()
}

/// The names of the offers.
pub(super) fn names(used: &[(Offer, super::Amount)]) -> Vec<OfferId> {
    used.iter().map(|(offer, _)| offer.id.clone()).collect()
}
