//! Needs and offers: how capacity is asked for, offered and granted.

use std::collections::BTreeMap;

use super::super::budget::{self, Charge, WaitEnd, Waiter};
use super::super::command::{MakeOffer, OfferFate, Reply, Request};
use super::super::decide::{self, Cover};
use super::super::event::{Event, Granted, Need, Offer, Token, Unused};
use super::super::rejection::{Rejection, invalid};
use super::super::settings::{MAX_WAIT, Settings, check_amounts, check_budgets, check_span};
use super::super::state::{NeedState, Queued};
use super::super::{Amount, MAX_OPEN_OFFERS};
use super::desk::{Desk, Stop};
use crate::kernel::ids::{BudgetId, CellId, EntityId, NeedId, Resource};

fn above_zero(amount: Amount) -> Result<(), Rejection> {
    if amount.is_zero() { Err(invalid("amount", amount, "at least 0.000001")) } else { Ok(()) }
}

/// Above 0 and at most what the cell has in total.
fn check_amount(amount: Amount, resource: &Resource, settings: &Settings) -> Result<(), Rejection> {
    match settings.totals.get(resource) {
        None => Err(Rejection::UnknownResource { resource: resource.clone() }),
        Some(total) if amount > *total => {
            Err(invalid("amount", amount, format!("at most what the cell has in total, {total}")))
        }
        Some(_) => above_zero(amount),
    }
}

pub(super) fn request(desk: &mut Desk<'_>, asked: &Request) -> Result<Reply, Stop> {
    above_zero(asked.amount)?;
    check_span("wait", asked.wait, MAX_WAIT)?;
    asked.lease.check()?;
    desk.bring([&asked.cell], [])?;
    let cell = desk.cell(&asked.cell);
    if let Some(known) = cell.need(&asked.need) {
        return repeated(known, asked, cell.pending());
    }
    let settings = desk.settings(&asked.cell);
    check_amount(asked.amount, &asked.resource, &settings)?;
    if desk.cell(&asked.cell).knows_token(&asked.token) {
        return Err(Rejection::AlreadyExists { what: "token", id: asked.token.to_string() }.into());
    }
    let mut budgets = settings.budgets.clone();
    budgets.extend(asked.budgets.iter().cloned());
    check_budgets(&budgets)?;
    desk.bring([], &budgets)?;
    for id in &budgets {
        match desk.budget(id).limits.get(&asked.resource) {
            Some(limit) if asked.amount > *limit => {
                let (budget, limit, asked) = (id.clone(), *limit, asked.amount);
                return Err(Rejection::OverBudget { budget, limit, asked }.into());
            }
            Some(_) | None => {}
        }
    }
    if desk.cell(&asked.cell).overloaded {
        return Ok(overloaded(desk, &asked.cell, settings.low_water));
    }
    let need = Need {
        id: asked.need.clone(),
        token: asked.token.clone(),
        resource: asked.resource.clone(),
        amount: asked.amount,
        lease: asked.lease,
        budgets,
        asked_at: desk.now,
        deadline: desk.now.plus(asked.wait),
    };
    desk.open(&asked.cell);
    let alone = desk.cell(&asked.cell).head(&need.resource).is_none();
    let own = decide::cover(desk.cell(&asked.cell), &need) == Cover::Own;
    let at_once = alone && own && held_up_by(desk, &asked.cell, &need).is_none();
    let is_taken = at_once || desk.cell(&asked.cell).pending() < settings.max_pending;
    if let Some(by) = asked.by.clone().filter(|_| is_taken) {
        let (need, at) = (need.id.clone(), desk.now);
        desk.happen(&asked.cell, Event::NeedAskedBy { need, by, at });
    }
    if at_once {
        let granted = grant(desk, &asked.cell, need, None, Cover::Own)?;
        return Ok(Reply::Granted { cell: asked.cell.clone(), granted });
    } else if !is_taken {
        let (pending, at) = (desk.cell(&asked.cell).pending(), desk.now);
        desk.happen(&asked.cell, Event::OverloadRaised { pending, at });
        return Ok(overloaded(desk, &asked.cell, settings.low_water));
    } else {
        desk.happen(&asked.cell, Event::NeedQueued(need));
        serve_resource(desk, &asked.cell, &asked.resource)?;
    }
    Ok(answer(desk, &asked.cell, &asked.need))
}

/// Takes a need that waits out of its queue; whoever it held up is served. One that has ended stays as it ended.
pub(super) fn cancel(desk: &mut Desk<'_>, cell: &CellId, need: &NeedId) -> Result<Reply, Stop> {
    desk.bring([cell], [])?;
    let state = desk.cell(cell);
    let (resource, cancelled) = match state.need(need) {
        None => return Err(Rejection::NeedNotFound { need: need.clone() }.into()),
        Some(NeedState::Queued(queued)) => {
            (queued.resource.clone(), NeedState::Cancelled(queued).reply(cell, 0))
        }
        Some(NeedState::Cancelled(need)) => {
            return Ok(Reply::Again(Box::new(NeedState::Cancelled(need).reply(cell, state.pending()))));
        }
        Some(ended) => return Ok(ended.reply(cell, state.pending())),
    };
    let waits_for = state.head(&resource).filter(|head| &head.need.id == need);
    let waits_for = waits_for.and_then(|head| head.waits_for.clone());
    desk.bring([], &waits_for)?;
    desk.happen(cell, Event::NeedCancelled { need: need.clone(), at: desk.now });
    if let Some(budget) = &waits_for {
        end_wait(desk, budget, cell, need, WaitEnd::Cancelled);
    }
    serve_resource(desk, cell, &resource)?;
    Ok(cancelled)
}

fn overloaded(desk: &mut Desk<'_>, cell: &CellId, low_water: u32) -> Reply {
    let pending_requests = desk.cell(cell).pending();
    Reply::Overloaded { cell: cell.clone(), pending_requests, low_water }
}

fn answer(desk: &mut Desk<'_>, cell: &CellId, need: &NeedId) -> Reply {
    let state = desk.cell(cell);
    state.need(need).map_or(Reply::Settled, |known| known.reply(cell, state.pending()))
}

/// The same request again is answered from the record; another one under the same name is refused. The name it gives
/// its token is not part of what is asked: a caller that repeats itself need not remember it.
fn repeated(known: NeedState<'_>, asked: &Request, pending: u32) -> Result<Reply, Stop> {
    let need = known.need();
    let same = need.resource == asked.resource
        && need.amount == asked.amount
        && need.lease == asked.lease
        && need.deadline == need.asked_at.plus(asked.wait)
        && asked.budgets.is_subset(&need.budgets);
    if !same {
        return Err(Rejection::AlreadyExists { what: "need", id: need.id.to_string() }.into());
    }
    Ok(Reply::Again(Box::new(known.reply(&asked.cell, pending))))
}

impl NeedState<'_> {
    /// What was asked.
    pub fn need(&self) -> &Need {
        match self {
            NeedState::Queued(need) | NeedState::Expired(need) | NeedState::Cancelled(need) => need,
            NeedState::Granted(granted) => &granted.need,
        }
    }

    /// The answer to whoever asks what has become of the need.
    pub fn reply(&self, cell: &CellId, pending_requests: u32) -> Reply {
        let cell = cell.clone();
        match *self {
            NeedState::Granted(granted) => Reply::Granted { cell, granted: granted.clone() },
            NeedState::Expired(need) => {
                Reply::NeedExpired { cell, need: need.id.clone(), deadline: need.deadline }
            }
            NeedState::Cancelled(need) => {
                Reply::NeedCancelled { cell, need: need.id.clone(), deadline: need.deadline }
            }
            NeedState::Queued(need) => Reply::Pending {
                cell,
                need: need.id.clone(),
                resource: need.resource.clone(),
                requested_capacity: need.amount,
                pending_requests,
                deadline: need.deadline,
            },
        }
    }
}

/// The first budget of the need that has no room for it or makes it wait its turn. All of them are at the desk.
fn held_up_by(desk: &mut Desk<'_>, cell: &CellId, need: &Need) -> Option<BudgetId> {
    need.budgets.iter().find(|id| !desk.budget(id).admits(cell, need)).cloned()
}

/// Serves the head of one queue as long as it can be covered, in which way ever.
fn serve_resource(desk: &mut Desk<'_>, cell: &CellId, resource: &Resource) -> Result<(), Stop> {
    while let Some(head) = desk.cell(cell).head(resource).cloned() {
        let cover = decide::cover(desk.cell(cell), &head.need);
        desk.bring([], &head.need.budgets)?;
        let short = cover == Cover::Short;
        let budget = if short { None } else { held_up_by(desk, cell, &head.need) };
        if short || budget.is_some() {
            wait_for(desk, cell, &head, budget);
            break;
        }
        grant(desk, cell, Need::clone(&head.need), head.waits_for.as_ref(), cover)?;
    }
    desk.serve_alone(cell);
    Ok(())
}

/// Lets the head of a queue wait for this budget, or for none.
fn wait_for(desk: &mut Desk<'_>, cell: &CellId, head: &Queued, budget: Option<BudgetId>) {
    if head.waits_for == budget {
        return;
    }
    let at = desk.now;
    let Need { id, resource, amount, deadline, .. } = Need::clone(&head.need);
    desk.happen(cell, Event::NeedBlocked { need: id.clone(), budget: budget.clone(), at });
    if let Some(before) = &head.waits_for {
        end_wait(desk, before, cell, &id, WaitEnd::Elsewhere);
    }
    if let Some(budget) = &budget {
        let waiter = Waiter { cell: cell.clone(), need: id, resource, amount, deadline };
        desk.happen_to_budget(budget, budget::Event::Waiting { waiter, at });
    }
}

fn end_wait(desk: &mut Desk<'_>, budget: &BudgetId, cell: &CellId, need: &NeedId, why: WaitEnd) {
    let (cell, need, at) = (cell.clone(), need.clone(), desk.now);
    desk.happen_to_budget(budget, budget::Event::WaitEnded { cell, need, why, at });
}

/// Puts on record, with the source of each token, which identity asked for it.
fn asked_for(desk: &mut Desk<'_>, cell: &CellId, by: Option<&EntityId>, tokens: &[Token]) {
    let Some(by) = by else { return };
    for token in tokens {
        let (id, by, cell, at) = (token.id.clone(), by.clone(), cell.clone(), desk.now);
        desk.happen(&token.source, Event::TokenAskedBy { token: id, by, cell, at });
    }
}

/// Grants a need that is covered and that all its budgets admit.
fn grant(
    desk: &mut Desk<'_>,
    cell: &CellId,
    need: Need,
    waits_for: Option<&BudgetId>,
    cover: Cover,
) -> Result<Granted, Stop> {
    let at = desk.now;
    let used = match cover {
        Cover::Offers(used) => used,
        Cover::Own | Cover::Short => Vec::new(),
    };
    desk.bring(used.iter().map(|(offer, _)| &offer.source), &need.budgets)?;
    let tokens: Vec<_> = if used.is_empty() {
        vec![decide::make_token(&need, need.token.clone(), cell, cell, need.amount, at)]
    } else {
        let token = |(offer, part): &(Offer, Amount)| {
            decide::make_token(&need, offer.token.clone(), &offer.source, cell, *part, at)
        };
        used.iter().map(token).collect()
    };
    if let Some(budget) = waits_for {
        end_wait(desk, budget, cell, &need.id, WaitEnd::Granted);
    }
    for budget in &need.budgets {
        for token in &tokens {
            let charge = Charge {
                token: token.id.clone(),
                source: token.source.clone(),
                cell: cell.clone(),
                need: need.id.clone(),
                resource: token.resource.clone(),
                amount: token.amount,
                expires: token.expires,
            };
            desk.happen_to_budget(budget, budget::Event::Charged { charge, at });
        }
    }
    let by = desk.cell(cell).asked_by.get(&need.id).cloned();
    let granted = Granted { need, tokens, offers: decide::names(&used), at };
    desk.happen(cell, Event::Granted(granted.clone()));
    if used.is_empty() {
        asked_for(desk, cell, by.as_ref(), &granted.tokens);
    }
    for ((offer, part), token) in used.into_iter().zip(&granted.tokens) {
        let (returned, token) = (offer.amount.minus(part), token.clone());
        let lent = [token.clone()];
        desk.happen(&offer.source, Event::Lent { offer: offer.id.clone(), token, returned, at });
        asked_for(desk, cell, by.as_ref(), &lent);
        desk.serve_alone(&offer.source);
    }
    Ok(granted)
}

pub(super) fn offer(desk: &mut Desk<'_>, made: &MakeOffer) -> Result<Reply, Stop> {
    above_zero(made.amount)?;
    check_span("ttl", made.ttl, MAX_WAIT)?;
    if made.source == made.destination {
        return Err(invalid("destination", &made.destination, "another cell than the source").into());
    }
    desk.bring([&made.source, &made.destination], [])?;
    if let Some((known, fate)) = desk.cell(&made.source).offer(&made.offer) {
        return offered_before(known, fate, made);
    }
    let settings = desk.settings(&made.source);
    check_amount(made.amount, &made.resource, &settings)?;
    let taken = desk.cell(&made.source).knows_token(&made.token)
        || desk.cell(&made.destination).knows_token(&made.token);
    if taken {
        return Err(Rejection::AlreadyExists { what: "token", id: made.token.to_string() }.into());
    }
    let untouched = settings.totals.get(&made.resource).copied().unwrap_or_default();
    let source = desk.cell(&made.source);
    let available = if source.is_open() { source.available(&made.resource) } else { untouched };
    if available < made.amount {
        let (source, requested) = (made.source.clone(), made.amount);
        return Ok(Reply::InsufficientCapacity { source, available, requested });
    }
    if desk.cell(&made.destination).head(&made.resource).is_none() {
        return Ok(Reply::NoPendingNeed { destination: made.destination.clone() });
    }
    if desk.cell(&made.destination).offers_received.len() >= MAX_OPEN_OFFERS {
        return Err(
            Rejection::Limit { what: "open offers to one cell", limit: MAX_OPEN_OFFERS as u32 }.into()
        );
    }
    let offer = Offer {
        id: made.offer.clone(),
        token: made.token.clone(),
        source: made.source.clone(),
        destination: made.destination.clone(),
        resource: made.resource.clone(),
        amount: made.amount,
        made_at: desk.now,
        expires: desk.now.plus(made.ttl),
    };
    desk.open(&made.source);
    desk.happen(&made.source, Event::OfferMade(offer.clone()));
    desk.happen(&made.destination, Event::OfferReceived(offer.clone()));
    serve_resource(desk, &made.destination, &made.resource)?;
    let fate = desk.cell(&made.source).offer(&made.offer).map_or(OfferFate::Open, |(_, fate)| fate);
    Ok(offered(&offer, fate))
}

fn offered(offer: &Offer, fate: OfferFate) -> Reply {
    Reply::Offered {
        offer: offer.id.clone(),
        source: offer.source.clone(),
        destination: offer.destination.clone(),
        resource: offer.resource.clone(),
        capacity: offer.amount,
        expires: offer.expires,
        fate,
    }
}

fn offered_before(known: &Offer, fate: OfferFate, made: &MakeOffer) -> Result<Reply, Stop> {
    let same = known.destination == made.destination
        && known.resource == made.resource
        && known.amount == made.amount
        && known.expires == known.made_at.plus(made.ttl);
    if same {
        Ok(Reply::Again(Box::new(offered(known, fate))))
    } else {
        Err(Rejection::AlreadyExists { what: "offer", id: known.id.to_string() }.into())
    }
}

pub(super) fn serve_cell(desk: &mut Desk<'_>, cell: &CellId) -> Result<Reply, Stop> {
    desk.bring([cell], [])?;
    let resources: Vec<Resource> =
        desk.cell(cell).heads().into_iter().map(|head| head.need.resource.clone()).collect();
    for resource in &resources {
        serve_resource(desk, cell, resource)?;
    }
    Ok(Reply::Settled)
}

pub(super) fn return_offers(desk: &mut Desk<'_>, cell: &CellId) -> Result<Reply, Stop> {
    desk.bring([cell], [])?;
    let unneeded = decide::unneeded(desk.cell(cell));
    desk.bring(unneeded.iter().map(|offer| &offer.source), [])?;
    for offer in unneeded {
        let (why, at) = (Unused::NoNeed, desk.now);
        desk.happen(cell, Event::OfferClosed { offer: offer.clone(), why, at });
        let source = offer.source.clone();
        desk.happen(&source, Event::OfferClosed { offer, why, at });
        desk.serve_alone(&source);
    }
    Ok(Reply::Settled)
}

pub(super) fn configure(desk: &mut Desk<'_>, id: &CellId, settings: &Settings) -> Result<Reply, Stop> {
    settings.check()?;
    desk.bring([id], [])?;
    let cell = desk.cell(id);
    if cell.is_open() && &*cell.settings == settings {
        return Ok(Reply::Configured { changed: false });
    }
    let before = cell.settings.totals.clone();
    for resource in before.keys().filter(|_| cell.is_open()) {
        let used = cell.reserved(resource).plus(cell.lent(resource));
        let given = settings.totals.get(resource).copied().unwrap_or_default();
        let dropped = !settings.totals.contains_key(resource) && cell.head(resource).is_some();
        if used > given || dropped {
            return Err(Rejection::InUse { resource: resource.clone(), used, given }.into());
        }
    }
    let at = desk.now;
    if desk.cell(id).is_open() {
        desk.happen(id, Event::Configured { settings: settings.clone(), at });
    } else {
        desk.happen(id, Event::Opened { cell: id.clone(), settings: settings.clone(), at });
    }
    desk.serve_alone(id);
    Ok(Reply::Configured { changed: true })
}

pub(super) fn set_limits(
    desk: &mut Desk<'_>,
    id: &BudgetId,
    limits: &BTreeMap<Resource, Amount>,
) -> Result<Reply, Stop> {
    check_amounts("limits", limits)?;
    desk.bring([], [id])?;
    let budget = desk.budget(id);
    if &budget.limits == limits {
        return Ok(Reply::Configured { changed: false });
    }
    if let Some((resource, limit)) = limits.iter().find(|(of, limit)| budget.used(of) > **limit) {
        let used = budget.used(resource);
        return Err(Rejection::InUse { resource: resource.clone(), used, given: *limit }.into());
    }
    let (limits, at) = (limits.clone(), desk.now);
    desk.happen_to_budget(id, budget::Event::LimitsSet { limits, at });
    Ok(Reply::Configured { changed: true })
}
