//! The transition table in code.

use super::command::{Command, Create, Grant, Rejection, Reply};
use super::event::{Event, Granted, Refused, RefusedFor, TokenHash};
use super::scope::Party;
use super::state::Identity;
use super::{IdentityMachine, MAX_TOKENS, USE_EVERY};
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;

type Decided = Result<Decision<IdentityMachine>, Rejection>;

pub(super) fn decide(state: &Identity, command: Command, now: Timestamp) -> Decided {
    if !state.exists() {
        return match command {
            Command::Create(create) => created(state, *create, now),
            Command::Tick => unchanged(),
            Command::Rotate { .. }
            | Command::Grant(_)
            | Command::Revoke { .. }
            | Command::RevokeToken { .. }
            | Command::Use
            | Command::Refuse(_) => Err(Rejection::NotFound),
        };
    }
    let active = state.is_active(now);
    match command {
        Command::Create(_) => Err(Rejection::AlreadyExists),
        Command::Refuse(refuse) => changed(vec![Event::Refused(Box::new(Refused {
            operation: refuse.operation,
            entity_id: refuse.subject,
            reason: RefusedFor::NotAuthorized,
            missing: Party::one(refuse.kind, &refuse.party_id),
            party_id: refuse.party_id,
            at: now,
        }))]),
        Command::Revoke { reason } if state.end.as_ref().is_none_or(|end| !end.revoked) => {
            changed(vec![Event::Revoked { reason, at: now }])
        }
        Command::Tick => ticked(state, now),
        Command::Revoke { .. } => unchanged(),
        Command::Rotate { .. } | Command::Grant(_) | Command::RevokeToken { .. } if !active => {
            Err(Rejection::Over)
        }
        Command::Rotate { hash, others_end, expires_at } => rotated(state, hash, others_end, expires_at, now),
        Command::Grant(grant) => granted(state, *grant, now),
        Command::RevokeToken { number } if state.token(number).is_some() => {
            changed(vec![Event::TokenRevoked { number, at: now }])
        }
        Command::RevokeToken { number } if (1..=state.issued).contains(&number) => unchanged(),
        Command::RevokeToken { number } => Err(Rejection::UnknownToken { number }),
        Command::Use if active && state.last_used.is_none_or(|last| last.plus(USE_EVERY) <= now) => {
            changed(vec![Event::Used { at: now }])
        }
        Command::Use => unchanged(),
    }
}

fn changed(events: Vec<Event>) -> Decided {
    Ok(Decision::accept(events, Reply::Done { changed: true }))
}

fn unchanged() -> Decided {
    Ok(Decision::answer(Reply::Done { changed: false }))
}

fn created(state: &Identity, create: Create, now: Timestamp) -> Decided {
    let granted = Granted {
        scopes: create.scopes,
        acts_as: create.acts_as,
        public_key: create.public_key,
        uids: create.uids,
        expires_at: create.expires_at,
        at: now,
    };
    let mut events = vec![Event::Created(Box::new(granted))];
    events.extend(create.token.map(|(hash, expires_at)| issued(state, hash, expires_at, now)));
    changed(events)
}

fn issued(state: &Identity, hash: [u8; 32], expires_at: Option<Timestamp>, now: Timestamp) -> Event {
    Event::TokenIssued { number: state.issued.saturating_add(1), hash: TokenHash(hash), expires_at, at: now }
}

fn rotated(
    state: &Identity,
    hash: [u8; 32],
    others_end: Timestamp,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Decided {
    let mut events = Vec::new();
    if others_end <= now {
        // Those that end at once leave no trace among the live ones.
        let ended = state.tokens.iter().map(|token| Event::TokenRevoked { number: token.number, at: now });
        events.extend(ended);
    } else if state.tokens.len() >= MAX_TOKENS {
        return Err(Rejection::TooManyTokens);
    } else if state.tokens.iter().any(|token| token.expires_at.is_none_or(|end| end > others_end)) {
        events.push(Event::TokensEnding { ends_at: others_end, at: now });
    }
    events.push(issued(state, hash, expires_at, now));
    changed(events)
}

fn granted(state: &Identity, grant: Grant, now: Timestamp) -> Decided {
    let Some(held) = &state.granted else { return Err(Rejection::NotFound) };
    let granted = Granted {
        scopes: grant.scopes.unwrap_or_else(|| held.scopes.clone()),
        acts_as: grant.acts_as.unwrap_or_else(|| held.acts_as.clone()),
        public_key: grant.public_key.or(held.public_key),
        uids: grant.uids.unwrap_or_else(|| held.uids.clone()),
        expires_at: grant.expires_at.or(held.expires_at),
        at: held.at,
    };
    if granted == *held {
        return unchanged();
    }
    changed(vec![Event::Granted(Box::new(Granted { at: now, ..granted }))])
}

fn ticked(state: &Identity, now: Timestamp) -> Decided {
    if state.end.is_some() {
        return unchanged();
    }
    if !state.is_active(now) {
        return changed(vec![Event::Expired { at: now }]);
    }
    let over = state.tokens.iter().filter(|token| token.is_over(now));
    let numbers: Vec<u32> = over.map(|token| token.number).collect();
    if numbers.is_empty() { unchanged() } else { changed(vec![Event::TokenExpired { numbers, at: now }]) }
}
