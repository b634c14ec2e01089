//! What an operator looks at first: what is open, what waits for whom, what is overdue, what is wrong.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Quorate;
use super::dto::{
    AwaitedVoter, Health, OpenCounts, OpenQuestion, OverdueLine, Overview, ProblemLine, ShowOverview,
};
use super::quorum_view::subject_value;
use crate::core::jobs::manager::{Job, JobMachine};
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::kernel::openings::Openings;
use crate::core::kernel::time::{Timestamp, millis};
use crate::core::trust::hook::Standing;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal::{Proposal, ProposalMachine};
use crate::core::voting::quorum::{Quorum, QuorumMachine};
use crate::core::voting::session::{Session, SessionMachine};
use crate::error::Error;
use crate::shell::answer_schema::to_json;
use crate::shell::clock::Clock;
use crate::shell::entity::{Action, View};
use crate::shell::hosts::Hosted;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Lines of each list when nothing is said.
const DEFAULT_LIMIT: i64 = 5;
/// The newest entities of each kind that are looked at.
pub(super) const LOOKED_AT: usize = 500;
/// Outstanding voters named beside a question.
const NAMED: usize = 10;

/// The overview of everything.
#[derive(Clone, Copy, Debug)]
pub struct Overviews<'a> {
    pub(super) q: &'a Quorate,
}

/// An open question, and everybody it waits for.
pub(super) struct Question {
    kind: &'static str,
    answer_with: &'static str,
    pub(super) id: EntityId,
    question: Value,
    opened_at: Timestamp,
    pub(super) deadline: Timestamp,
    voted: usize,
    asked: Option<u64>,
    outstanding: Vec<VoterId>,
    answer_schema: Option<Value>,
    in_place_of: Option<VoterId>,
    reminded: Option<u32>,
}

impl Question {
    pub(super) fn line(self, now: Timestamp) -> OpenQuestion {
        OpenQuestion {
            kind: self.kind.into(),
            answer_with: self.answer_with.into(),
            id: self.id.to_string(),
            question: self.question,
            opened_at: self.opened_at,
            deadline: self.deadline,
            left_ms: millis(self.deadline.since(now)),
            voted: self.voted as u64,
            asked: self.asked,
            outstanding_count: self.outstanding.len() as u64,
            outstanding: self.outstanding.iter().take(NAMED).map(VoterId::to_string).collect(),
            answer_schema: self.answer_schema,
            in_place_of: self.in_place_of,
            reminded: self.reminded,
        }
    }

    fn overdue(&self, now: Timestamp) -> OverdueLine {
        OverdueLine {
            kind: self.kind.into(),
            id: self.id.to_string(),
            what: "its deadline has passed; it is settled when the folder is next served".into(),
            since: self.deadline,
            for_ms: millis(now.since(self.deadline)),
        }
    }
}

impl Overviews<'_> {
    /// What is open, what waits for whom, what is overdue, what is wrong.
    ///
    /// # Errors
    /// `invalid_argument` for the limit, and the faults of the store.
    pub async fn show(&self, request: ShowOverview) -> Result<Overview, Error> {
        self.q.allow("overview.show", &request).await?;
        self.q.revealed(self.shown(request).await?)
    }

    async fn shown(&self, request: ShowOverview) -> Result<Overview, Error> {
        let given = request.limit.unwrap_or(DEFAULT_LIMIT);
        let limit = match usize::try_from(given) {
            Ok(lines @ 1..=100) => lines,
            Ok(_) | Err(_) => return Err(Error::invalid("limit", given, "1 to 100")),
        };
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        let (recorded, now) = (host.clock.now(), seen_at(self.q));
        let newest = |open: &Openings| -> Vec<EntityId> {
            open.before(None).take(LOOKED_AT).map(|(_, id)| id.clone()).collect()
        };
        let quorums = newest(&lock(&host.counters.open_quorums).open);
        let proposals = newest(&lock(&host.counters.watch).open);
        let sessions = newest(&lock(&host.counters.sessions).open);
        let jobs = newest(&lock(&host.counters.jobs).open);
        let elsewhere = self.elsewhere();
        // Nobody heard agents since the last record, so none of them is blamed for the time after it.
        let open = self.counts(recorded);
        let mut looked_at = [&quorums, &proposals, &sessions, &jobs].map(|ids| ids.len() as u64);
        looked_at[3] += elsewhere.len() as u64;
        let complete = looked_at == [open.quorums, open.proposals, open.sessions, open.jobs];
        let mut questions =
            self.look::<QuorumMachine, _>(&quorums, |id, view| quorum(id, view.state)).await?;
        questions
            .extend(self.look::<ProposalMachine, _>(&proposals, |id, view| proposal(id, view.state)).await?);
        questions
            .extend(self.look::<SessionMachine, _>(&sessions, |id, view| session(id, view.state)).await?);
        questions.sort_by(|one, other| (one.deadline, &one.id).cmp(&(other.deadline, &other.id)));
        let (awaiting, awaiting_total) = awaited(&questions, now, limit);
        let mut overdue =
            self.look::<JobMachine, _>(&jobs, |_, view| overdue_job(view.state, view.now)).await?;
        overdue.extend(self.overdue_elsewhere(&elsewhere).await?);
        overdue.extend(self.silent_agents(recorded));
        if host.reads_only {
            let passed = questions.iter().filter(|question| question.deadline <= now);
            overdue.extend(passed.map(|question| question.overdue(now)));
        }
        overdue.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        let overdue_total = overdue.len() as u64;
        overdue.truncate(limit);
        let health = self.q.health();
        let mut problems = self.problems(&health);
        let problems_total = problems.len() as u64;
        problems.truncate(limit);
        Ok(Overview {
            now,
            as_of: host.reads_only.then_some(recorded),
            status: match health.status.as_str() {
                "ok" if problems_total > 0 => "problems".into(),
                _ => health.status,
            },
            open,
            questions: questions.into_iter().take(limit).map(|question| question.line(now)).collect(),
            awaiting,
            awaiting_total,
            overdue,
            overdue_total,
            problems,
            problems_total,
            complete,
        })
    }

    /// What these entities are found to be.
    async fn look<M: Hosted, L: Send + 'static>(
        &self,
        ids: &[EntityId],
        line: impl FnOnce(&EntityId, View<'_, M>) -> Option<L> + Copy + Send + 'static,
    ) -> Result<Vec<L>, Error> {
        let host = self.q.host();
        let asked = ids.iter().map(|id| {
            let named = id.clone();
            ask(host, M::registry(host), id, Action::Read, move |view| line(&named, view))
        });
        let asked: Vec<_> = asked.collect();
        let mut lines = Vec::with_capacity(asked.len());
        for answer in asked {
            lines.extend(answer.await?);
        }
        Ok(lines)
    }

    fn counts(&self, now: Timestamp) -> OpenCounts {
        let host = self.q.host();
        let (registered, grades) = {
            let directory = lock(&host.counters.agents);
            (directory.registered().len() as u64, directory.distribution(now, host.hears_since()))
        };
        let watched = grades.healthy + grades.degraded + grades.critical + grades.failed;
        let agents = [
            ("healthy", grades.healthy),
            ("degraded", grades.degraded),
            ("critical", grades.critical),
            ("failed", grades.failed),
            ("unmonitored", registered.saturating_sub(watched)),
        ];
        let (cells, tokens) = {
            let stats = lock(&host.counters.cells);
            (stats.total_cells(), stats.active_tokens())
        };
        OpenCounts {
            quorums: lock(&host.counters.open_quorums).open.len() as u64,
            proposals: lock(&host.counters.watch).open.len() as u64,
            sessions: lock(&host.counters.sessions).open.len() as u64,
            jobs: lock(&host.counters.jobs).open.len() as u64
                + lock(&host.counters.gates).count(|datacenter| !host.fleet.manages(datacenter)),
            agents: agents.into_iter().map(|(grade, count)| (grade.to_owned(), count)).collect(),
            cells,
            tokens,
        }
    }

    /// Agents that beat no more, each since its last sign of life.
    fn silent_agents(&self, now: Timestamp) -> Vec<OverdueLine> {
        let host = self.q.host();
        let began = host.hears_since();
        let directory = lock(&host.counters.agents);
        let silent = directory.registered().filter(|(_, presence)| {
            matches!(presence.grade(now, began), Some(Grade::Critical | Grade::Failed))
        });
        let line = |(id, presence): (&VoterId, &crate::core::voting::agent::directory::Presence)| {
            let since = presence.last_beat.max(presence.last_vote).unwrap_or(presence.registered_at);
            let grade = presence.grade(now, began).map_or("silent", Grade::name);
            OverdueLine {
                kind: "agent".into(),
                id: id.to_string(),
                what: format!("no sign of life; it is {grade}"),
                since,
                for_ms: millis(now.since(since)),
            }
        };
        silent.map(line).collect()
    }

    fn problems(&self, health: &Health) -> Vec<ProblemLine> {
        let host = self.q.host();
        let line = |problem: &str, detail: String, next: &str| ProblemLine {
            problem: problem.into(),
            detail,
            next: next.into(),
        };
        let mut problems = Vec::new();
        if let Some(failure) = &health.failure {
            problems.push(line(
                "store_failed",
                failure.clone(),
                "look at the cause; restart once it is mended",
            ));
        }
        problems.extend(host.stops.in_force().iter().map(|engaged| {
            let detail = format!("stop {} stops {}", engaged.stop_id, engaged.scope);
            line("stopped", detail, &format!("quorate stop status {}", engaged.stop_id))
        }));
        if health.status == "clock_off" {
            let detail = format!("the journal's time is {} ms off the wall clock", health.clock_offset_ms);
            problems.push(line("clock_off", detail, "look at the clock of this machine"));
        }
        if health.parked_entities > 0 {
            let detail = format!("{} entities failed too often and rest", health.parked_entities);
            problems.push(line("parked_entities", detail, "look at the log for why they failed"));
        }
        let conflicts = self.q.members.get().map(|node| node.list().name_conflicts).unwrap_or_default();
        problems.extend(conflicts.into_iter().map(|conflict| {
            let (one, other) = (conflict.address, conflict.other_address);
            let detail = format!("two nodes are called {}, at {one} and at {other}", conflict.node_id);
            line("node_name_taken", detail, "give one of them a name and a folder of its own")
        }));
        problems.extend(host.fleet.dead().iter().map(|datacenter| {
            let detail = format!("every manager of {datacenter} is dead, as far as this node knows");
            line("datacenter_dead", detail, "quorate members")
        }));
        if !health.dropped_at_open.is_empty() {
            let detail = format!("{} damaged ends were dropped at open", health.dropped_at_open.len());
            problems.push(line("journal_damaged", detail, "quorate history verify"));
        }
        let overloaded = lock(&host.counters.cells).overloaded.clone();
        problems.extend(overloaded.iter().map(|cell| {
            let next = format!("quorate capacity holders {cell}");
            line("overloaded_cell", format!("cell {cell} refuses requests: its queue is full"), &next)
        }));
        let failed = lock(&host.counters.agents).distribution(host.clock.now(), host.hears_since()).failed;
        let hooks = lock(&host.counters.hooks);
        problems.extend(hooks.iter().filter(|(_, hook)| hook.standing != Standing::Active).map(
            |(id, hook)| {
                let detail = format!("hook {id} is {}; what it is to deliver waits", hook.state());
                line("hook_not_delivered", detail, &format!("quorate hook resume {id}"))
            },
        ));
        drop(hooks);
        if failed > 0 {
            problems.push(line("failed_agents", format!("{failed} agents failed"), "quorate agent list"));
        }
        problems
    }
}

/// The instant from which open things are seen. Where nothing is recorded the clock of the journal stands still, and that of
/// the world does not.
pub(super) fn seen_at(q: &Quorate) -> Timestamp {
    let recorded = q.now();
    if q.host().reads_only { Clock::system(recorded, None).now() } else { recorded }
}

/// Who is waited for, those whom most questions wait for first; and how many they are.
fn awaited(questions: &[Question], now: Timestamp, limit: usize) -> (Vec<AwaitedVoter>, u64) {
    let mut waits: BTreeMap<&VoterId, (u64, Timestamp)> = BTreeMap::new();
    for question in questions {
        for voter in &question.outstanding {
            let (count, next) = waits.entry(voter).or_insert((0, question.deadline));
            *count += 1;
            *next = question.deadline.min(*next);
        }
    }
    let total = waits.len() as u64;
    let mut lines: Vec<_> = waits.into_iter().collect();
    // By name where all else is equal: the sort is stable.
    lines.sort_by_key(|(_, (count, next))| (std::cmp::Reverse(*count), *next));
    let line = |(voter, (questions, next_deadline)): (&VoterId, (u64, Timestamp))| AwaitedVoter {
        voter_id: voter.to_string(),
        questions,
        next_deadline,
        left_ms: millis(next_deadline.since(now)),
    };
    (lines.into_iter().take(limit).map(line).collect(), total)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

pub(super) fn quorum(id: &EntityId, state: &Quorum) -> Option<Question> {
    let opened = state.opened.as_deref().filter(|_| state.closed.is_none())?;
    Some(Question {
        kind: "quorum",
        answer_with: "quorum.vote",
        id: id.clone(),
        question: subject_value(opened).unwrap_or(Value::Null),
        opened_at: opened.opened_at,
        deadline: opened.deadline,
        voted: state.voters_in_order(false).len(),
        asked: opened.electorate.size().map(u64::from),
        outstanding: state.awaited().into_iter().cloned().collect(),
        answer_schema: None,
        in_place_of: None,
        reminded: None,
    })
}

pub(super) fn proposal(id: &EntityId, state: &Proposal) -> Option<Question> {
    let opened = state.opened.as_deref().filter(|_| state.closed.is_none())?;
    Some(Question {
        kind: "proposal",
        answer_with: "consensus.vote",
        id: id.clone(),
        question: json(&opened.proposal),
        opened_at: opened.opened_at,
        deadline: state.deadline().unwrap_or(opened.deadline),
        voted: state.votes.len(),
        asked: Some(opened.participants.len() as u64),
        outstanding: state.outstanding().into_iter().cloned().collect(),
        answer_schema: state.answer.as_deref().map(to_json),
        in_place_of: None,
        reminded: None,
    })
}

/// The same as it stands for one who is asked.
pub(super) fn proposal_for(id: &EntityId, state: &Proposal, voter: &VoterId) -> Option<Question> {
    let question = proposal(id, state)?;
    let in_place_of = state.place_of(voter).filter(|place| *place != voter).cloned();
    let reminded = state.told.get(voter).map(|(count, _)| *count).filter(|count| *count > 0);
    Some(Question { in_place_of, reminded, ..question })
}

pub(super) fn session(id: &EntityId, state: &Session) -> Option<Question> {
    let opened = state.opened.as_deref().filter(|_| state.closed.is_none())?;
    Some(Question {
        kind: "session",
        answer_with: "session.vote",
        id: id.clone(),
        question: json(&opened.terms.proposal),
        opened_at: opened.opened_at,
        deadline: state.deadline(opened),
        voted: state.votes.get(&state.round).map_or(0, |votes| votes.len()),
        asked: Some(opened.electors.len() as u64),
        outstanding: state.outstanding(),
        answer_schema: None,
        in_place_of: None,
        reminded: None,
    })
}

/// The same as it stands for one who may vote.
pub(super) fn session_for(id: &EntityId, state: &Session, voter: &VoterId) -> Option<Question> {
    let question = session(id, state)?;
    let in_place_of = state.substitutes.get(voter).cloned();
    let reminded = state.reminded.get(voter).map(|(count, _)| *count).filter(|count| *count > 0);
    Some(Question { in_place_of, reminded, ..question })
}

/// A job whose time is over and that has not ended: it is being stopped, or its gate has not decided.
fn overdue_job(state: &Job, now: Timestamp) -> Option<OverdueLine> {
    let run = state.run.as_ref().filter(|run| run.ended.is_none())?;
    let found = run.timed_out.as_ref()?;
    Some(OverdueLine {
        kind: "job".into(),
        id: state.job_id.clone()?.to_string(),
        what: found.reason.clone(),
        since: found.at,
        for_ms: millis(now.since(found.at)),
    })
}
