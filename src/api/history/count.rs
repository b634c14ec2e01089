//! How much of what happened: counts over all events that fit a filter, in one walk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use serde_json::Value;

use super::super::dto::{
    Agreement, CountHistory, DurationCounts, EventCount, EventView, HistoryCounts, OutcomeCount, VoterCount,
};
use super::super::event_names::misspelt;
use super::super::quorum::page_limit;
use super::filter::Filter;
use super::gone::pruned_between;
use super::{kind_of, lore};
use crate::core::kernel::ids::{EntityId, StreamId, StreamKind, VoterId};
use crate::core::kernel::time::{Timestamp, millis};
use crate::error::Error;
use crate::journal::{Fault, Store};
use crate::shell::host::{Host, wait};

/// Microseconds of the spans that outcomes are counted by.
const SPANS: [(&str, i64); 2] = [("hour", 3_600_000_000), ("day", 86_400_000_000)];

/// What is counted, and how.
#[derive(Debug)]
pub(super) struct Count {
    filter: Filter,
    span: Option<i64>,
    compare: Option<[VoterId; 2]>,
    limit: usize,
}

impl Count {
    /// What a request asks for.
    ///
    /// # Errors
    /// `invalid_argument` for what cannot be counted so.
    pub(super) fn of(request: &CountHistory) -> Result<Self, Error> {
        let limit = page_limit(request.limit)?;
        let (filter, _) = Filter::of(request.filters())?;
        let span_of = |name: &str| {
            let known = SPANS.map(|(name, _)| name);
            let found = SPANS.into_iter().find(|(known, _)| *known == name).map(|(_, span)| span);
            found.ok_or_else(|| misspelt("per", name, &known, &format!("one of {}", known.join(", "))))
        };
        let span = request.per.as_deref().map(span_of).transpose()?;
        let compare = match request.compare.as_deref() {
            None => None,
            Some([one, other]) if one != other => Some([one.clone(), other.clone()]),
            Some(given) => {
                let given: Vec<&str> = given.iter().map(VoterId::as_str).collect();
                return Err(Error::invalid("compare", given, "two different voters"));
            }
        };
        Ok(Count { filter, span, compare, limit })
    }

    /// Finds the kind of the entity where one is named without it.
    ///
    /// # Errors
    /// As [`Filter::settle`].
    pub(super) async fn settle(&mut self, host: &Host) -> Result<(), Error> {
        self.filter.settle(host).await
    }

    /// The counts; none when an entity is named that never was.
    pub(super) fn run(&self, store: &dyn Store) -> Result<Option<HistoryCounts>, Fault> {
        if !self.filter.names_what_is(store)? {
            return Ok(None);
        }
        let mut sums = Sums::default();
        let mut failed = None;
        self.filter.walk(store, 0, &mut 0, |view| match sums.add(self, store, view) {
            Ok(()) => ControlFlow::Continue(()),
            Err(fault) => {
                failed = Some(fault);
                ControlFlow::Break(())
            }
        })?;
        match failed {
            Some(fault) => Err(fault),
            None => {
                let pruned = match self.filter.all_places(store)? {
                    Some((after, upto)) => pruned_between(store, after, upto)?,
                    None => Vec::new(),
                };
                Ok(Some(HistoryCounts { pruned, ..sums.told(self) }))
            }
        }
    }
}

/// What one voter did so far.
#[derive(Default)]
struct Votes {
    votes: u64,
    refused: u64,
    questions: HashSet<(StreamKind, EntityId)>,
}

/// The sums so far.
#[derive(Default)]
struct Sums {
    events: u64,
    refused: u64,
    by_event: BTreeMap<(StreamKind, String), u64>,
    outcomes: BTreeMap<(Option<Timestamp>, StreamKind, String), u64>,
    durations: BTreeMap<StreamKind, Vec<u64>>,
    voters: HashMap<String, Votes>,
    /// The last votes of the two that are compared, by question.
    compared: HashMap<(StreamKind, EntityId), [Option<Value>; 2]>,
}

impl Sums {
    fn add(&mut self, count: &Count, store: &dyn Store, view: EventView) -> Result<(), Fault> {
        // The view was made from a kind.
        let Ok(kind) = kind_of(&view.kind) else { return Ok(()) };
        self.events += 1;
        self.refused += u64::from(view.refused);
        *self.by_event.entry((kind, view.event.clone())).or_default() += 1;
        if let Some(outcome) = lore::outcome(kind, &view.event, &view.data) {
            let began = count.span.map(|span| {
                let us = view.at.as_micros();
                Timestamp::from_micros(us - us.rem_euclid(span))
            });
            *self.outcomes.entry((began, kind, outcome.to_owned())).or_default() += 1;
            if let Some(ms) = took_ms(store, kind, &view)? {
                self.durations.entry(kind).or_default().push(ms);
            }
        }
        if let Some((voter, vote)) = lore::vote(kind, &view.event, &view.data) {
            let question = (kind, view.entity_id.clone());
            if let Some(two) = &count.compare
                && let Some(which) = two.iter().position(|one| one.as_str() == voter)
            {
                self.compared.entry(question.clone()).or_default()[which] = Some(vote.clone());
            }
            let votes = self.voters.entry(voter.to_owned()).or_default();
            votes.votes += 1;
            votes.questions.insert(question);
        } else if view.refused
            && !lore::of(kind).votes.is_empty()
            && let Some(voter) = view.data.get("voter_id").and_then(Value::as_str)
        {
            self.voters.entry(voter.to_owned()).or_default().refused += 1;
        }
        Ok(())
    }

    fn told(self, count: &Count) -> HistoryCounts {
        let voters = self.voters.len() as u64;
        let mut votes: Vec<VoterCount> = self
            .voters
            .into_iter()
            .filter_map(|(voter, seen)| {
                Some(VoterCount {
                    voter_id: VoterId::stored(voter).ok()?,
                    votes: seen.votes,
                    questions: seen.questions.len() as u64,
                    refused: seen.refused,
                })
            })
            .collect();
        votes.sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.voter_id.cmp(&b.voter_id)));
        votes.truncate(count.limit);
        let agreement = count.compare.clone().map(|two| {
            let both = self.compared.values().filter(|votes| votes.iter().all(Option::is_some));
            let agreed = both.clone().filter(|[one, other]| one == other);
            Agreement { both: both.clone().count() as u64, agreed: agreed.count() as u64, voters: two.into() }
        });
        HistoryCounts {
            events: self.events,
            refused: self.refused,
            by_event: self
                .by_event
                .into_iter()
                .map(|((kind, event), count)| EventCount { kind: kind.name().into(), event, count })
                .collect(),
            outcomes: self
                .outcomes
                .into_iter()
                .map(|((began_at, kind, outcome), count)| OutcomeCount {
                    began_at,
                    kind: kind.name().into(),
                    outcome,
                    count,
                })
                .collect(),
            durations: self.durations.into_iter().filter_map(|(kind, ms)| spread(kind, ms)).collect(),
            votes,
            voters,
            agreement,
            pruned: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

/// How long it took until an entity ended, by the instants that its end names, else by those of its records. None for an end
/// of which the entity is not the one that ended: the needs of a cell.
fn took_ms(store: &dyn Store, kind: StreamKind, end: &EventView) -> Result<Option<u64>, Fault> {
    if kind == StreamKind::Cell {
        return Ok(None);
    }
    let instant = |name: &str| Timestamp::parse(end.data.get(name)?.as_str()?).ok();
    let ended = instant("closed_at").unwrap_or(end.at);
    let began = match instant("opened_at") {
        Some(began) => Some(began),
        None => {
            let stream = StreamId::new(kind, end.entity_id.clone());
            wait(store.read(&stream, 0, 1))?.first().map(|first| first.at)
        }
    };
    Ok(began.map(|began| millis(ended.since(began))))
}

/// The quantiles of durations, by the nearest rank.
fn spread(kind: StreamKind, mut ms: Vec<u64>) -> Option<DurationCounts> {
    ms.sort_unstable();
    let rank = |hundredths: usize| ms[(ms.len() * hundredths).div_ceil(100).max(1) - 1];
    let (min_ms, max_ms) = (*ms.first()?, *ms.last()?);
    Some(DurationCounts {
        kind: kind.name().into(),
        count: ms.len() as u64,
        min_ms,
        p50_ms: rank(50),
        p90_ms: rank(90),
        p99_ms: rank(99),
        max_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_smallest_that_so_many_do_not_exceed() {
        let of = |ms: Vec<u64>| spread(StreamKind::Quorum, ms).unwrap();
        let told = of((1..=100).rev().collect());
        assert_eq!((told.min_ms, told.p50_ms, told.p90_ms, told.p99_ms, told.max_ms), (1, 50, 90, 99, 100));
        let told = of(vec![7]);
        assert_eq!((told.count, told.min_ms, told.p50_ms, told.p99_ms, told.max_ms), (1, 7, 7, 7, 7));
        let told = of(vec![1, 2, 3]);
        assert_eq!((told.p50_ms, told.p90_ms), (2, 3));
        assert!(spread(StreamKind::Quorum, Vec::new()).is_none());
    }
}
