//! What a recovered store must show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use quorate::Quorate;
use quorate::api::dto::HistoryQuery;
use quorate::config::Config;
use quorate::core::ids::{EntityId, StreamId, StreamKind};
use quorate::core::quorum::Event;
use quorate::journal::codec::{AppendBuilder, decode};
use quorate::journal::{Due, Store};

/// Something the child was told had taken effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acknowledged {
    Start(String),
    Cancel(String),
    Vote(String, String, bool),
}

impl Acknowledged {
    pub fn parse(line: &str) -> Option<Self> {
        // The test harness may put its own words before the first line.
        let (_, told) = line.split_once("ACK ")?;
        match told.split(' ').collect::<Vec<_>>()[..] {
            ["start", quorum] => Some(Acknowledged::Start(quorum.into())),
            ["cancel", quorum] => Some(Acknowledged::Cancel(quorum.into())),
            ["vote", quorum, voter, yes] => {
                Some(Acknowledged::Vote(quorum.into(), voter.into(), yes.parse().ok()?))
            }
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Naive {
    votes: BTreeMap<String, bool>,
    /// Everything a voter ever voted: an acknowledged vote may have been changed since.
    ever: BTreeSet<(String, bool)>,
    closed: Option<String>,
}

#[derive(Debug)]
pub struct Found {
    pub quorums: usize,
}

/// Recounts everything from the recorded events and compares with what was acknowledged and with live state.
pub async fn audit(q: &Quorate, acknowledged: &BTreeSet<Acknowledged>) -> Result<Found, String> {
    let verified = q.history().verify(|_| ()).await.map_err(|e| e.to_string())?;
    if !verified.ok {
        return Err(format!("chain broken: {verified:?}"));
    }
    let mut quorums: BTreeMap<String, Naive> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let request = HistoryQuery { limit: Some(1000), cursor, ..Default::default() };
        let page = q.history().query(request).await.map_err(|e| e.to_string())?;
        for event in page.events {
            let naive = quorums.entry(event.entity_id.to_string()).or_default();
            let voter = event.data["voter_id"].as_str().unwrap_or_default().to_owned();
            match event.event.as_str() {
                "vote_cast" => {
                    let vote = event.data["vote"].as_bool().unwrap_or_default();
                    let before = naive.votes.insert(voter.clone(), vote);
                    if before == Some(vote) || before.is_some() != (event.data["supersedes"] == true) {
                        return Err(format!("twice: {event:?}"));
                    }
                    naive.ever.insert((voter, vote));
                }
                "closed" => {
                    let state = event.data["state"].as_str().unwrap_or_default().to_owned();
                    if let Some(before) = naive.closed.replace(state) {
                        return Err(format!("closed twice, first {before}: {event:?}"));
                    }
                }
                _ => {}
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    for told in acknowledged {
        let there = match told {
            Acknowledged::Start(quorum) => quorums.contains_key(quorum),
            Acknowledged::Cancel(quorum) => {
                quorums.get(quorum).is_some_and(|n| n.closed.as_deref() == Some("cancelled"))
            }
            Acknowledged::Vote(quorum, voter, yes) => {
                quorums.get(quorum).is_some_and(|n| n.ever.contains(&(voter.clone(), *yes)))
            }
        };
        if !there {
            return Err(format!("lost: {told:?}"));
        }
    }
    for (id, naive) in &quorums {
        let status =
            q.quorums().status(&EntityId::new(id.as_str()).unwrap()).await.map_err(|e| e.to_string())?;
        let approvals = naive.votes.values().filter(|yes| **yes).count();
        let live = (status.approve_votes as usize, status.total_votes as usize);
        if live != (approvals, naive.votes.len()) {
            return Err(format!("counted {live:?}, recorded {approvals} of {}: {id}", naive.votes.len()));
        }
        let state = naive.closed.as_deref().unwrap_or("open");
        // An open quorum may fall due while it is looked at.
        if status.state.name() != state && !(state == "open" && status.state.name() == "timed_out") {
            return Err(format!("{id} is {:?}, recorded {state}", status.state));
        }
    }
    Ok(Found { quorums: quorums.len() })
}

/// Plants what a bug would leave behind: the last vote of a quorum recorded once more.
pub async fn append_the_last_record_again(folder: &Path, quorum: &EntityId) {
    let entry = quorate::store::STORES.iter().find(|entry| entry.name == "sled").unwrap();
    let store = (entry.open)(&Config::at(folder).store_options).unwrap();
    let epoch = store.acquire("a planted bug").await.unwrap();
    let stream = StreamId::new(StreamKind::Quorum, quorum.clone());
    let head = store.head(&stream).await.unwrap().unwrap();
    let last = store.read(&stream, head.revision - 1, 1).await.unwrap().remove(0);
    let event: Event = decode(&last.payload).unwrap();
    let mut append = AppendBuilder::new(stream, head.revision, head.hash);
    append.push(last.at, &event).unwrap();
    store.commit(epoch, last.at, &[append.finish(Due::Unchanged, None)]).await.unwrap();
    store.close().await.unwrap();
}
