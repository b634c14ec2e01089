//! What earlier runs left in the journal: read once from end to end, which is cheaper than asking every poll.

use std::collections::HashMap;

use indicatif::ProgressBar;
use serde_json::Value;

use super::contest::{Contest, End};
use super::votes::Votes;
use quorate_runtime::api::Quorate;
use quorate_runtime::api::dto::{EventView, HistoryQuery};
use quorate_runtime::core::kernel::ids::{EntityId, VoterId};
use quorate_runtime::core::voting::quorum::QuorumState;
use quorate_runtime::error::{Error, ErrorKind};

/// Events read at a time.
const PAGE: i64 = 1000;

/// One entry on a poll's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Who voted.
    pub(super) voter: u32,
    /// For the answer or against it.
    pub(super) vote: bool,
    /// The vote was not taken.
    pub(super) refused: bool,
}

/// The record of one poll.
#[derive(Debug, Default)]
struct Record {
    entries: Vec<Entry>,
    closed: Option<(QuorumState, Option<VoterId>)>,
    late_votes: u32,
}

/// Notes on every poll whether it was opened, how many of its votes were cast, and, where all were, how it ended.
///
/// # Errors
/// The faults of the store.
pub(super) async fn look_back(q: &Quorate, contests: &mut [Contest], votes: &Votes) -> Result<(), Error> {
    let mut records: HashMap<EntityId, Option<Record>> =
        contests.iter().flat_map(|contest| &contest.polls).map(|poll| (poll.id.clone(), None)).collect();
    let voters: HashMap<&str, u32> = votes.workers.iter().map(VoterId::as_str).zip(0..).collect();
    let bar = ProgressBar::new_spinner().with_message("looking back");
    let mut cursor = None;
    loop {
        let kind = Some("quorum".to_owned());
        let query = HistoryQuery { kind, cursor, limit: Some(PAGE), ..HistoryQuery::default() };
        let page = q.history().query(query).await?;
        for event in &page.events {
            if let Some(record) = records.get_mut(&event.entity_id) {
                record.get_or_insert_default().add(event, &voters)?;
            }
        }
        bar.inc(page.events.len() as u64);
        cursor = page.next_cursor;
        if !page.more {
            break;
        }
    }
    bar.finish_and_clear();
    for poll in contests.iter_mut().flat_map(|contest| &mut contest.polls) {
        let Some(record) = records.remove(&poll.id).flatten() else { continue };
        poll.known = true;
        poll.on_record = poll.cast_before(votes, &record.entries);
        let all = votes.questions[poll.question].rows.len();
        if poll.on_record as usize == all
            && let Some((state, decided_by)) = record.closed
        {
            poll.end = Some(End { state, decided_by, late_votes: record.late_votes });
        }
    }
    Ok(())
}

impl Record {
    fn add(&mut self, event: &EventView, voters: &HashMap<&str, u32>) -> Result<(), Error> {
        let refused = match event.event.as_str() {
            "vote_cast" => false,
            "vote_refused" => true,
            "closed" => {
                let closed = (field(event, "state")?, field(event, "decided_by")?);
                self.closed = Some(closed);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.late_votes += u32::from(refused);
        // A voter the file does not have matches none of its votes.
        let voter = event.data["voter_id"].as_str().and_then(|id| voters.get(id)).copied();
        let (voter, vote) = (voter.unwrap_or(u32::MAX), field(event, "vote")?);
        self.entries.push(Entry { voter, vote, refused });
        Ok(())
    }
}

fn field<T: serde::de::DeserializeOwned>(event: &EventView, name: &str) -> Result<T, Error> {
    let value = event.data.get(name).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|e| {
        let message = format!("event cannot be read. position={}, field={name}, cause={e}", event.position);
        Error::new(ErrorKind::StoreCorrupt, message)
    })
}
