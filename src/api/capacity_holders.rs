//! Who holds the capacity of a cell.

use super::capacity::Capacity;
use super::cursor;
use super::dto::{Asker, HolderLine, HolderPage, ListHolders};
use super::quorum::page_limit;
use crate::core::capacity::cell::event::Token;
use crate::core::capacity::cell::state::LentToken;
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::Timestamp;
use crate::core::trust::identity::PartyKind;
use crate::error::Error;
use crate::journal::chain::digest;
use crate::shell::entity::Action;
use crate::shell::runtime::ask;

/// The place of a token in the list: by its grant, and among those of one instant by a digest of its name, so that a
/// cursor gives no token away.
type Place = (Timestamp, String);

fn place(token: &Token) -> Place {
    (token.granted_at, digest(token.id.as_str().as_bytes()).to_string())
}

fn cursor_of((granted_at, digest): &Place) -> String {
    format!("{}:{digest}", granted_at.as_micros())
}

fn read(cursor: &str) -> Option<Place> {
    let (micros, digest) = cursor.split_once(':')?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let granted_at = Timestamp::from_micros(micros.parse().ok()?);
    is_digest.then(|| (granted_at, digest.to_owned()))
}

impl Capacity<'_> {
    /// Who holds the capacity of a cell: every live token made of it, whoever may use it, the newest grant first.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, `not_found` as [`Capacity::status`], and the faults of the store.
    pub async fn holders(&self, request: ListHolders) -> Result<HolderPage, Error> {
        self.q.allow("capacity.holders", &request).await?;
        let limit = page_limit(request.limit)?;
        let given = request.cursor.as_deref();
        let before = given.map(|given| read(given).ok_or_else(|| cursor::unknown(given))).transpose()?;
        self.check_to_show(&request.cell_id).await?;
        let (host, cell_id, resource) = (self.q.host(), request.cell_id.clone(), request.resource);
        let id = EntityId::from(&cell_id);
        let seen = ask(host, &host.kinds.cells, &id, Action::Read, move |view| {
            let lent = view.state.lent.values();
            let asked = lent.filter(|lent| resource.as_ref().is_none_or(|of| lent.token.resource == *of));
            let line =
                |lent: &LentToken| (place(&lent.token), (Token::clone(&lent.token), lent.asked_by.clone()));
            let mut tokens: Vec<(Place, _)> = asked.map(line).collect();
            tokens.sort_unstable_by(|(left, _), (right, _)| right.cmp(left));
            let total = tokens.len() as u64;
            tokens.retain(|(place, _)| before.as_ref().is_none_or(|before| place < before));
            let more = tokens.len() > limit;
            tokens.truncate(limit);
            (tokens, total, more, view.now)
        });
        let (tokens, total, more, now) = seen.await?;
        let sight = self.q.sight();
        let shown = |token: &Token| {
            let may = |cell: &str| sight.as_ref().is_none_or(|sight| sight.may(PartyKind::Cell, cell));
            may(token.holder.as_str()) || may(token.source.as_str())
        };
        let next_cursor = tokens.last().map(|(place, _)| cursor_of(place)).or(request.cursor);
        let holders = tokens.into_iter().map(|(_, (token, asked_by))| HolderLine {
            token_id: shown(&token).then(|| token.id.clone()),
            asked_by: asked_by.filter(|_| shown(&token)).map(|(identity, cell)| Asker {
                identity,
                party: format!("{}:{cell}", PartyKind::Cell.name()),
            }),
            amount: token.amount.to_f64(),
            acked: token.acked,
            granted_at: token.granted_at,
            age_seconds: now.since(token.granted_at).as_secs_f64(),
            expires_at: token.expires,
            left_seconds: token.expires.map(|last| last.since(now).as_secs_f64()),
            renewable: token.lease.is_renewable(),
            budgets: token.budgets,
            holder: token.holder,
            resource: token.resource,
        });
        Ok(HolderPage { cell_id, holders: holders.collect(), total, next_cursor, more })
    }
}
