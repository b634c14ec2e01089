//! Lists of quorums.

use super::dto::{ListQuorums, ListedQuorums, QuorumLine, QuorumPage};
use super::known::Sort;
use super::quorum::{Quorums, page_limit};
use super::quorum_view::line_view;
use super::{closed, cursor, opened};
use crate::core::kernel::ids::{CellId, StreamKind, VoterId};
use crate::core::voting::quorum::QuorumMachine;
use crate::core::voting::quorum::watch::Watch;
use crate::error::Error;
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// What a cursor among open ones begins with.
const OPEN: &str = "open:";
/// What a cursor among closed ones begins with; alone it stands before the latest of them.
const CLOSED: &str = "closed:";

/// Where a page begins.
enum Place<'c> {
    /// Among open ones, behind this mark.
    Open(Option<&'c str>),
    /// Among closed ones, before this position.
    Closed(Option<&'c str>),
}

impl Quorums<'_> {
    /// Quorums, newest first: those that are open, then those that have closed, the latest end first. A quorum that
    /// closes between two pages may stand on both.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListQuorums) -> Result<QuorumPage, Error> {
        self.q.allow("quorum.list", &request).await?;
        self.q.revealed(self.listed(request).await?)
    }

    async fn listed(&self, request: ListQuorums) -> Result<QuorumPage, Error> {
        let mut limit = page_limit(request.limit)?;
        if let (Some(voter), Some(listed)) = (&request.voter_id, request.state)
            && listed != ListedQuorums::Open
        {
            return Err(Error::invalid("voter_id", voter.as_str(), "none unless open ones are listed"));
        }
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        let open = lock(&host.counters.open_quorums).open.len() as u64;
        let (shows_open, shows_closed) = match request.state {
            // A vote is awaited only while a quorum is open.
            None => (true, request.voter_id.is_none()),
            Some(ListedQuorums::Open) => (true, false),
            Some(_) => (false, true),
        };
        let mut place = match request.cursor.as_deref() {
            None if shows_open => Place::Open(None),
            None => Place::Closed(None),
            Some(given) => match (given.strip_prefix(OPEN), given.strip_prefix(CLOSED)) {
                (Some(mark), _) if shows_open => Place::Open(Some(mark)),
                (_, Some("")) if shows_closed => Place::Closed(None),
                (_, Some(position)) if shows_closed => Place::Closed(Some(position)),
                _ => return Err(cursor::unknown(given)),
            },
        };
        let mut page = QuorumPage {
            quorums: Vec::new(),
            open,
            next_cursor: request.cursor.clone(),
            more: false,
            unknown: Vec::new(),
        };
        if let Place::Open(after) = place {
            let of = (&host.counters.open_quorums, (|watch: &Watch| &watch.open) as fn(&Watch) -> &_);
            let ids = opened::page(host, StreamKind::Quorum, of, limit, after, true).await?;
            for id in &ids.ids {
                let (named, voter) = (id.clone(), request.voter_id.clone());
                let seen = ask(host, &host.kinds.quorums, id, Action::Read, move |view| {
                    let awaits = voter.is_none_or(|voter| view.state.awaits(&voter));
                    (awaits && view.state.closed.is_none()).then(|| line_view(&named, view.state)).flatten()
                });
                page.quorums.extend(seen.await?.filter(|line| fits(&request, line)));
            }
            page.more = ids.more;
            page.next_cursor = ids.next_cursor.map(|at| format!("{OPEN}{at}")).or(page.next_cursor);
            if ids.more || !shows_closed {
                return self.with_unknown(&request, page).await;
            }
            limit -= ids.ids.len();
            if limit == 0 {
                page.more = lock(&host.counters.quorums).closed() > 0;
                page.next_cursor = Some(CLOSED.to_owned());
                return Ok(page);
            }
            place = Place::Closed(None);
        }
        let before = match place {
            Place::Closed(position) => position.map(str::to_owned),
            Place::Open(_) => None,
        };
        let limit = i64::try_from(limit).ok();
        let ends = closed::page::<QuorumMachine, _>(host, limit, before, |id, state| {
            state.closed.as_ref().and_then(|_| line_view(id, state))
        });
        let ends = ends.await?;
        page.quorums.extend(ends.entries.into_iter().rev().filter(|line| fits(&request, line)));
        page.more = ends.more;
        page.next_cursor = ends.next_cursor.map(|at| format!("{CLOSED}{at}")).or(page.next_cursor);
        self.with_unknown(&request, page).await
    }

    /// The page, with what nobody has heard of where it is the whole list and nothing is on it.
    async fn with_unknown(&self, request: &ListQuorums, mut page: QuorumPage) -> Result<QuorumPage, Error> {
        if page.quorums.is_empty() && !page.more && request.cursor.is_none() {
            let filters = [
                ("cell_id", request.cell_id.as_ref().map(CellId::as_str), Sort::Cell),
                ("voter_id", request.voter_id.as_ref().map(VoterId::as_str), Sort::Voter),
            ];
            page.unknown = self.q.unknown_names(&filters).await?;
        }
        Ok(page)
    }
}

/// Is this one asked for?
fn fits(request: &ListQuorums, line: &QuorumLine) -> bool {
    let state = request.state.and_then(ListedQuorums::ends_as);
    request.cell_id.as_ref().is_none_or(|cell| line.cell_id.as_ref() == Some(cell))
        && state.is_none_or(|state| state == line.state)
}
