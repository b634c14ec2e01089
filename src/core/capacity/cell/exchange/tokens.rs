//! Tokens: acknowledged, renewed, released, handed on, taken away.

use super::super::Amount;
use super::super::budget;
use super::super::command::{Release, Reply};
use super::super::decide;
use super::super::event::{Event, Extended, Return, Returned, Token};
use super::super::rejection::{Rejection, invalid};
use super::super::settings::Lease;
use super::super::shared::Shared;
use super::super::state::{EndedToken, ReleasedBefore};
use super::desk::{Desk, Stop};
use crate::kernel::ids::{CellId, IdempotencyKey, Resource, TokenId};

/// A token as its source knows it, with source, holder and budgets at the desk.
fn find(desk: &mut Desk<'_>, id: &TokenId, asks: Option<&CellId>) -> Result<Found, Stop> {
    let source = match (desk.world().source_of(id), asks) {
        (Some(source), _) => source,
        (None, None) => return Err(unknown(desk, id).into()),
        (None, Some(cell)) => {
            desk.bring([cell], [])?;
            let state = desk.cell(cell);
            if let Some(held) = state.held.get(id) {
                held.token.source.clone()
            } else if let Some(ended) = state.ended_tokens.get(id) {
                return Ok(Err(ended.clone()));
            } else {
                // It may be a token of its own that somebody else holds.
                cell.clone()
            }
        }
    };
    desk.bring([&source], [])?;
    let state = desk.cell(&source);
    if let Some(lent) = state.lent.get(id) {
        let token = lent.token.clone();
        desk.bring([&token.holder], &token.budgets)?;
        return Ok(Ok(token));
    }
    let ended = state.ended_tokens.get(id).cloned();
    ended.map(Err).ok_or_else(|| unknown(desk, id).into())
}

/// Nothing is known of a token: it never was, ended long ago, or is a reservation, which has an end of its own.
fn unknown(desk: &Desk<'_>, id: &TokenId) -> Rejection {
    match desk.world().budgets_of(id) {
        Some(_) => invalid(
            "token_id",
            id,
            "a token of capacity; this is a reservation, which `capacity.settle` ends",
        ),
        None => Rejection::TokenNotFound,
    }
}

/// A token that lives, or how it ended.
type Found = Result<Shared<Token>, EndedToken>;

/// A live token that this cell holds. A stranger's attempt is recorded, once in a row.
fn find_own(desk: &mut Desk<'_>, id: &TokenId, cell: &CellId) -> Result<Shared<Token>, Stop> {
    let token = match find(desk, id, Some(cell))? {
        Ok(token) => token,
        Err(ended) if &ended.holder != cell => return Err(not_owner(ended.holder, cell).into()),
        Err(ended) => return Err(gone(ended.why).into()),
    };
    if &token.holder == cell {
        return Ok(token);
    }
    let before = desk.cell(&token.source).lent.get(id).and_then(|lent| lent.refused.clone());
    if before.as_ref() != Some(cell) {
        let refused = Event::UseRefused { token: id.clone(), by: cell.clone(), at: desk.now };
        desk.happen(&token.source, refused);
    }
    Err(Stop::OnRecord(not_owner(token.holder.clone(), cell)))
}

fn not_owner(holder: CellId, given: &CellId) -> Rejection {
    Rejection::NotOwner { holder, given: given.clone() }
}

fn gone(why: Return) -> Rejection {
    match why {
        Return::Released => Rejection::TokenReleased,
        Return::Expired => Rejection::TokenExpired,
        Return::Revoked => Rejection::TokenRevoked,
    }
}

/// The same event on the streams of the source and of the holder, which may be one.
fn happen_to_both(desk: &mut Desk<'_>, source: &CellId, holder: &CellId, event: Event) {
    if source != holder {
        desk.happen(holder, event.clone());
    }
    desk.happen(source, event);
}

/// Starts the lease again.
fn extend(desk: &mut Desk<'_>, mut token: Shared<Token>, as_event: fn(Extended) -> Event) -> Shared<Token> {
    let (expires, at) = (token.lease.expires(desk.now), desk.now);
    let (id, source, holder) = (token.id.clone(), token.source.clone(), token.holder.clone());
    for budget in &token.budgets {
        let (token, source) = (id.clone(), source.clone());
        desk.happen_to_budget(budget, budget::Event::Extended { token, source, expires, at });
    }
    let extended = Extended { token: id, source, holder, expires, at };
    happen_to_both(desk, &token.source, &token.holder, as_event(extended));
    token.expires = expires;
    token
}

pub(super) fn ack(desk: &mut Desk<'_>, id: &TokenId, cell: &CellId) -> Result<Reply, Stop> {
    let token = find_own(desk, id, cell)?;
    let duplicate = token.acked;
    let token = if duplicate { token } else { extend(desk, token, Event::Acked) };
    Ok(Reply::Acknowledged {
        token: id.clone(),
        source: token.source.clone(),
        destination: token.holder.clone(),
        resource: token.resource.clone(),
        capacity: token.amount,
        expires: token.expires,
        duplicate,
    })
}

pub(super) fn renew(desk: &mut Desk<'_>, id: &TokenId, cell: &CellId) -> Result<Reply, Stop> {
    let token = find_own(desk, id, cell)?;
    let token = match token.lease {
        Lease::Limited { us: _, renewable: true } => extend(desk, token, Event::Renewed),
        Lease::Limited { us: _, renewable: false } => return Err(Rejection::NotRenewable.into()),
        Lease::Unlimited => token,
    };
    Ok(Reply::Renewed { token: id.clone(), expires: token.expires })
}

/// Gives so much of a token back to its source.
fn give_back(desk: &mut Desk<'_>, token: &Token, amount: Amount, why: Return) {
    let left = token.amount.minus(amount);
    let at = desk.now;
    for budget in &token.budgets {
        let (token, source, resource) = (token.id.clone(), token.source.clone(), token.resource.clone());
        let refund = budget::Event::Refunded { token, source, resource, amount, left, why, at };
        desk.happen_to_budget(budget, refund);
    }
    let returned = Returned { amount, left, ..decide::returned(token, why, at) };
    happen_to_both(desk, &token.source, &token.holder, Event::Returned(returned));
}

pub(super) fn release(desk: &mut Desk<'_>, cell: &CellId, what: &Release) -> Result<Reply, Stop> {
    match what {
        Release::Token(id) => release_token(desk, cell, id),
        Release::Amount { resource, amount, key } => {
            if amount.is_zero() {
                return Err(invalid("amount", amount, "at least 0.000001").into());
            }
            release_amount(desk, cell, resource, *amount, key.as_ref())
        }
    }
}

fn released(
    desk: &mut Desk<'_>,
    cell: &CellId,
    resource: &Resource,
    capacity: Amount,
    duplicate: bool,
) -> Reply {
    let untouched = desk.settings(cell).totals.get(resource).copied().unwrap_or_default();
    let state = desk.cell(cell);
    let total_capacity = if state.is_open() { state.available(resource) } else { untouched };
    Reply::Released { cell: cell.clone(), resource: resource.clone(), capacity, total_capacity, duplicate }
}

fn release_token(desk: &mut Desk<'_>, cell: &CellId, id: &TokenId) -> Result<Reply, Stop> {
    let token = find_own(desk, id, cell)?;
    if &token.source == cell && desk.is_quiet(cell) {
        // Nobody waits for what comes back, so all of it is available. There is no need to look, which would copy.
        let total_capacity = desk.cell(cell).available(&token.resource).plus(token.amount);
        give_back(desk, &token, token.amount, Return::Released);
        let (cell, resource, capacity) = (cell.clone(), token.resource.clone(), token.amount);
        return Ok(Reply::Released { cell, resource, capacity, total_capacity, duplicate: false });
    }
    give_back(desk, &token, token.amount, Return::Released);
    desk.serve_alone(&token.source);
    Ok(released(desk, cell, &token.resource, token.amount, false))
}

fn release_amount(
    desk: &mut Desk<'_>,
    cell: &CellId,
    resource: &Resource,
    asked: Amount,
    key: Option<&IdempotencyKey>,
) -> Result<Reply, Stop> {
    desk.bring([cell], [])?;
    if let Some(key) = key
        && let Some(ReleasedBefore { resource: of, asked: before, amount }) =
            desk.cell(cell).releases.get(key)
    {
        if of != resource || *before != asked {
            let (first, asked) = ((of.clone(), *before), (resource.clone(), asked));
            return Err(Rejection::KeyReused { key: key.clone(), cell: cell.clone(), first, asked }.into());
        }
        let amount = *amount;
        return Ok(released(desk, cell, resource, amount, true));
    }
    let mut held: Vec<_> =
        desk.cell(cell).held.values().filter(|held| &held.token.resource == resource).collect();
    held.sort_by_key(|held| (held.token.granted_at, held.order));
    let mut open = asked;
    let mut parts: Vec<(Shared<Token>, Amount)> = Vec::new();
    for held in held {
        let part = held.token.amount.min(open);
        if part.is_zero() {
            break;
        }
        open = open.minus(part);
        parts.push((held.token.clone(), part));
    }
    let budgets = parts.iter().flat_map(|(token, _)| &token.budgets);
    desk.bring(parts.iter().map(|(token, _)| &token.source), budgets)?;
    for (token, part) in &parts {
        give_back(desk, token, *part, Return::Released);
    }
    let amount = asked.minus(open);
    if let Some(key) = key
        && desk.cell(cell).is_open()
    {
        let (key, resource, at) = (key.clone(), resource.clone(), desk.now);
        desk.happen(cell, Event::Released { key, resource, asked, amount, at });
    }
    for (token, _) in &parts {
        desk.serve_alone(&token.source);
    }
    Ok(released(desk, cell, resource, amount, false))
}

pub(super) fn transfer(desk: &mut Desk<'_>, id: &TokenId, from: &CellId, to: &CellId) -> Result<Reply, Stop> {
    if from == to {
        return Err(invalid("to", to, "another cell than the holder").into());
    }
    desk.bring([from, to], [])?;
    let before = desk.cell(to).held.get(id);
    if let Some(held) = before.filter(|held| held.from.as_ref() == Some(from)) {
        return Ok(transferred(&held.token, true));
    }
    let token = find_own(desk, id, from)?;
    if to != &token.source && desk.cell(to).knows_token(id) {
        return Err(Rejection::AlreadyExists { what: "token", id: id.to_string() }.into());
    }
    let at = desk.now;
    desk.open(to);
    let handed = Event::HandedOver {
        token: id.clone(),
        source: token.source.clone(),
        from: from.clone(),
        to: to.clone(),
        at,
    };
    happen_to_both(desk, &token.source, from, handed);
    let token = Token { holder: to.clone(), acked: false, ..Token::clone(&token) };
    desk.happen(to, Event::Received { token: token.clone(), from: from.clone(), at });
    Ok(transferred(&token, false))
}

fn transferred(token: &Token, duplicate: bool) -> Reply {
    Reply::Transferred {
        token: token.id.clone(),
        source: token.source.clone(),
        destination: token.holder.clone(),
        resource: token.resource.clone(),
        capacity: token.amount,
        expires: token.expires,
        duplicate,
    }
}

pub(super) fn revoke(desk: &mut Desk<'_>, id: &TokenId) -> Result<Reply, Stop> {
    let token = match find(desk, id, None)? {
        Ok(token) => token,
        Err(EndedToken { holder, why }) => {
            return Ok(Reply::Revoked { token: id.clone(), holder, why, duplicate: true });
        }
    };
    give_back(desk, &token, token.amount, Return::Revoked);
    desk.serve_alone(&token.source);
    let (holder, why) = (token.holder.clone(), Return::Revoked);
    Ok(Reply::Revoked { token: id.clone(), holder, why, duplicate: false })
}
