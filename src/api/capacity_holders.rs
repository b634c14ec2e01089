//! Who holds the capacity of a cell.

use super::capacity::Capacity;
use super::cursor;
use super::dto::{Asker, HolderLine, HolderPage, ListHolders};
use super::quorum::page_limit;
use crate::core::capacity::cell::event::Token;
use crate::core::capacity::cell::state::LentToken;
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::identity::PartyKind;
use crate::error::Error;
use crate::journal::chain::digest;
use crate::shell::entity::Action;
use crate::shell::host::wait;
use crate::shell::runtime::ask;

/// Letters of the hash by which a cursor of another cell, or of another journal, is known.
const HASH_LETTERS: usize = 8;

/// The place of a token in the list: by its grant, and among those of one instant by a digest of its name, so that a
/// cursor gives no token away.
type Place = (Timestamp, String);

fn place(token: &Token) -> Place {
    (token.granted_at, digest(token.id.as_str().as_bytes()).to_string())
}

fn cursor_of((granted_at, digest): &Place, list: &str) -> String {
    format!("{}:{digest}:{list}", granted_at.as_micros())
}

/// The place that a cursor names, and the list that it is of.
fn read(cursor: &str) -> Option<(Place, String)> {
    let (micros, rest) = cursor.split_once(':')?;
    let (digest, list) = rest.split_once(':')?;
    let is_hex = |text: &str, letters: usize| {
        text.len() == letters && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let granted_at = Timestamp::from_micros(micros.parse().ok()?);
    (is_hex(digest, 64) && is_hex(list, HASH_LETTERS))
        .then(|| ((granted_at, digest.to_owned()), list.to_owned()))
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
        let mark = given.map(|given| read(given).ok_or_else(|| cursor::unknown(given))).transpose()?;
        self.check_to_show(&request.cell_id).await?;
        let (host, cell_id, resource) = (self.q.host(), request.cell_id.clone(), request.resource);
        let id = EntityId::from(&cell_id);
        let list = self.list_of(&id).await?;
        if let (Some((_, of)), Some(given)) = (&mark, given)
            && *of != list
        {
            let expected = "a next_cursor of an earlier page of this cell, of this journal";
            return Err(Error::invalid("cursor", given, expected));
        }
        let before = mark.map(|(place, _)| place);
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
        let next_cursor = tokens.last().map(|(place, _)| cursor_of(place, &list)).or(request.cursor);
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

    /// What the cursors of this cell in this journal have in common: the beginning of the hash of the cell's first record.
    /// Empty for a cell without one, which has lent nothing.
    async fn list_of(&self, cell: &EntityId) -> Result<String, Error> {
        let stream = StreamId::new(StreamKind::Cell, cell.clone());
        let first = self.q.host().blocking(move |store| wait(store.read(&stream, 0, 1))).await?;
        let hash = first.first().map(|record| record.hash.to_string()).unwrap_or_default();
        Ok(hash.chars().take(HASH_LETTERS).collect())
    }
}
