//! Operations on proposals: put a question to the agents, vote, and learn the decision.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use super::caller::{Watch, begun};
use super::dto::{
    AlgorithmStats, BallotView, ConsensusHistory, ConsensusHistoryPage, ConsensusMetadata, ConsensusRef,
    ConsensusResult, ConsensusStats, ConsensusVote, ConsensusVoted, OpenProposals, OpenProposalsPage,
    RequestConsensus,
};
use super::quorum::{MAX_REASON, check_sentence, page_limit};
use super::{Quorate, closed, cursor, json, keyed, wait};
use crate::config::HealthPolicy;
use crate::core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind, VoterId};
use crate::core::kernel::keyed::KeyedRequest;
use crate::core::kernel::time::Timestamp;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal;
use crate::core::voting::proposal::command::Decider;
use crate::core::voting::proposal::event::Cause;
use crate::core::voting::proposal::stats::Tallied;
use crate::core::voting::proposal::{
    Ballot, Closed, Command, Open, Opened, Proposal, ProposalMachine, Rejection, Reply, VoteChange,
    VoteOutcome,
};
use crate::core::voting::rules::{Choice, WHOLE_WEIGHT};
use crate::error::{Error, ErrorKind};
use crate::journal::Fault;
use crate::journal::chain::digest;
use crate::shell::coordinator::{ConsensusRequest, ask_outside};
use crate::shell::entity::Action;
use crate::shell::host::{Host, wait as ready};
use crate::shell::inbox::open_inbox;
use crate::shell::keyed::keyed_request;
use crate::shell::lock;
use crate::shell::runtime::{Answer, ask};
use crate::shell::writer::Failure;

/// Words that stand where an id would in HTTP paths.
const RESERVED: [&str; 4] = ["request", "history", "stats", "open"];
/// Time for votes when none is named, in milliseconds.
const DEFAULT_TIMEOUT_MS: i64 = 30_000;
/// Shortest and longest time for votes.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 100..=300_000;
/// Bytes of what an agent adds to its vote.
const MAX_METADATA_BYTES: usize = 16 << 10;
/// How long one wait for a decision lasts at most; whoever waits on begins another.
const ONE_WAIT: Duration = Duration::from_secs(60);

/// Operations on proposals.
#[derive(Clone, Copy, Debug)]
pub struct Consensus<'a> {
    pub(super) q: &'a Quorate,
}

impl Consensus<'_> {
    /// Puts a question to the registered agents and waits for the decision: approved, rejected, timeout, or aborted when
    /// nobody, or too few, could be asked.
    ///
    /// With `wait: false`, and in virtual time, it answers as soon as the question is put. Dropping the future cancels
    /// nothing: the proposal goes on, and [`Consensus::result`] tells how it ended, also after a restart. With an
    /// idempotency key the same request again answers with the proposal it opened first.
    ///
    /// # Errors
    /// `invalid_argument`, `unknown_algorithm`, `unreachable_requirement` for an algorithm that no votes of these agents
    /// can meet, `already_exists`, `limit_exceeded`, `coordinator_error`, and the faults of the store. That nobody can be
    /// asked is a result, not an error.
    pub async fn request(&self, request: RequestConsensus) -> Result<ConsensusResult, Error> {
        let watch = self.q.allow_waiting("consensus.request", &request).await?;
        Watch::until_over(watch, self.decided(request)).await
    }

    async fn decided(&self, request: RequestConsensus) -> Result<ConsensusResult, Error> {
        let waits = request.wait.unwrap_or(true);
        let opened = self.open(request).await?;
        if !waits || opened.decision.is_some() || self.q.host().clock.is_manual() {
            return Ok(opened);
        }
        loop {
            let request = ConsensusRef {
                proposal_id: opened.proposal_id.clone(),
                wait_ms: i64::try_from(ONE_WAIT.as_millis()).ok(),
            };
            let result = self.result(request).await?;
            if result.decision.is_some() {
                return Ok(ConsensusResult { duplicate: opened.duplicate, ..result });
            }
        }
    }

    async fn open(&self, request: RequestConsensus) -> Result<ConsensusResult, Error> {
        let host = self.q.host();
        let plan = Plan::check(host, &request)?;
        let keyed =
            request.idempotency_key.clone().map(|key| (key, keyed::proposal(host, plan.timeout, &request)));
        let same_id = request.proposal_id.clone();
        if let Some((key, keyed)) = &keyed {
            let sought = key.clone();
            let found = host.blocking(move |store| ready(store.find_key(&sought))).await?;
            if let Some(stream) = found {
                return self.opened_before(&stream, key, keyed, same_id.as_ref()).await;
            }
        }
        check_room(host)?;
        let decider = decider(host, request.algorithm.as_deref())?;
        let registered = registered(host).await.map_err(|reason| {
            let message = format!("the coordinator cannot say who is registered; try again. cause={reason}");
            Error::new(ErrorKind::CoordinatorError, message)
        })?;
        let key = request.idempotency_key.clone();
        let id = request.proposal_id.clone().unwrap_or_else(|| host.ids.mint());
        let mut open = plan.with_agents(host, registered, request, decider)?;
        open.keyed = keyed.as_ref().map(|(_, keyed)| keyed.clone());
        let named = id.clone();
        let action = Action::Command(Command::Open(Box::new(open)), key);
        let opened = ask(host, &host.kinds.proposals, &id, action, move |view| match view.reply {
            Some(Err(rejection)) => Err(rejection.into()),
            Some(Ok(_)) | None => result_view(&named, view.state, view.now),
        });
        match (opened.await, &keyed) {
            (Err(Failure::Refused(Fault::KeyTaken { stream })), Some((key, keyed))) => {
                self.opened_before(&stream, key, keyed, same_id.as_ref()).await
            }
            (other, _) => Ok(ConsensusResult { duplicate: Some(false), ..other?? }),
        }
    }

    /// The proposal the key opened, if it was opened by this request.
    async fn opened_before(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
        request: &KeyedRequest,
        proposal_id: Option<&EntityId>,
    ) -> Result<ConsensusResult, Error> {
        let id = ("proposal_id", proposal_id);
        let asked =
            keyed::Asked { operation: "consensus.request", key, kind: StreamKind::Proposal, id, request };
        asked.check_entity(stream)?;
        let host = self.q.host();
        let named = stream.id.clone();
        let seen = ask(host, &host.kinds.proposals, &stream.id, Action::Read, move |view| {
            let before = view.state.opened.as_deref().map(keyed::proposal_before);
            (before, result_view(&named, view.state, view.now))
        });
        let (before, result) = seen.await?;
        let kept = keyed_request(host, stream, |event: &proposal::Event| match event {
            proposal::Event::Keyed(kept) => Some(kept.clone()),
            _ => None,
        });
        asked.check_request(stream, kept.await?.as_ref(), &before.unwrap_or_default())?;
        Ok(ConsensusResult { duplicate: Some(true), ..result? })
    }

    /// Votes on a proposal. Durable on return; repeating it is safe: the first vote of an agent stands, and the same vote
    /// again is answered as a duplicate. A vote that is refused is on record, with its reason.
    ///
    /// The vote is on its way when this returns, before the future is polled.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `not_eligible` for an agent that is not asked, `already_voted` for another choice
    /// than the one that stands, `proposal_closed`, and the faults of the store.
    pub fn vote(
        &self,
        vote: ConsensusVote,
    ) -> impl Future<Output = Result<ConsensusVoted, Error>> + Send + use<> {
        begun(self.q.allow_now("consensus.vote", &vote).map(|()| self.send(vote)))
    }

    fn send(&self, vote: ConsensusVote) -> Result<Answer<Result<ConsensusVoted, Error>>, Error> {
        let ConsensusVote { proposal_id, agent_id, vote, weight, metadata, reason } = vote;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        if let Some(metadata) = &metadata {
            json::check_members("metadata", metadata)?;
        }
        let metadata = metadata.map(|map| Value::Object(map).to_string());
        if let Some(text) = metadata.as_ref().filter(|text| text.len() > MAX_METADATA_BYTES) {
            let expected = format!("up to {MAX_METADATA_BYTES} bytes of JSON");
            return Err(Error::invalid("metadata", format!("{} bytes", text.len()), &expected));
        }
        let host = self.q.host();
        let id = proposal_id.clone();
        let ballot = Ballot { voter_id: agent_id.clone(), vote, weight, metadata, reason };
        let action = Action::Command(Command::Vote(ballot), None);
        Ok(ask(host, &host.kinds.proposals, &proposal_id, action, move |view| {
            let (outcome, changed) = match view.reply {
                Some(Ok(Reply::Voted { outcome, changed })) => (outcome, changed),
                Some(Err(rejection)) => return Err(rejection.into()),
                Some(Ok(Reply::Opened | Reply::Done)) | None => return Err(Rejection::NotFound.into()),
            };
            Ok(ConsensusVoted {
                proposal_id: id,
                agent_id,
                vote,
                recorded: outcome == VoteOutcome::Recorded,
                outcome,
                duplicate: outcome == VoteOutcome::Duplicate,
                changed,
                state: state_name(view.state),
            })
        }))
    }

    /// How a proposal stands or ended; waits for the decision as long as asked.
    ///
    /// # Errors
    /// `invalid_argument` for the time, `not_found` when it never existed, and the faults of the store.
    pub async fn result(&self, request: ConsensusRef) -> Result<ConsensusResult, Error> {
        let watch = self.q.allow_waiting("consensus.result", &request).await?;
        Watch::until_over(watch, self.result_after(request)).await
    }

    async fn result_after(&self, request: ConsensusRef) -> Result<ConsensusResult, Error> {
        let longest = wait::longest("wait_ms", request.wait_ms.unwrap_or(0))?;
        // A proposal that does not exist will not be decided either.
        let ended = |state: &Proposal| state.closed.is_some() || state.opened.is_none();
        wait::until::<ProposalMachine>(self.q.host(), &request.proposal_id, ended, longest).await;
        self.look(&request.proposal_id).await
    }

    async fn look(&self, id: &EntityId) -> Result<ConsensusResult, Error> {
        let host = self.q.host();
        let named = id.clone();
        ask(host, &host.kinds.proposals, id, Action::Read, move |view| {
            result_view(&named, view.state, view.now)
        })
        .await?
    }

    /// The questions an agent of this process is asked: first every open one that awaits its vote, whenever it was put
    /// and however often the agent was told of it before, then those that come. So an agent that died, or a process
    /// that was killed, misses nothing: open the inbox again, and vote.
    ///
    /// An earlier inbox of the same agent hears no more. An inbox that is dropped takes nothing more. Only the built-in
    /// coordinator hands questions to inboxes. An identity that may not vote as the agent gets one that is closed.
    pub fn inbox(&self, agent_id: &VoterId) -> mpsc::UnboundedReceiver<ConsensusRequest> {
        let as_agent = serde_json::json!({ "agent_id": agent_id });
        if self.q.allow_now("consensus.vote", &as_agent).is_err() {
            return mpsc::unbounded_channel().1;
        }
        open_inbox(self.q.host(), agent_id.clone())
    }

    /// Open proposals by id, or those of them that await the vote of one agent.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list_open(&self, request: OpenProposals) -> Result<OpenProposalsPage, Error> {
        self.q.allow("consensus.open", &request).await?;
        let limit = page_limit(request.limit)?;
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        cursor::check(host, StreamKind::Proposal, request.cursor.as_ref().map(EntityId::as_str)).await?;
        let ids: Vec<EntityId> = {
            let watch = lock(&host.counters.watch);
            watch.open_after(request.cursor.as_ref()).take(limit + 1).cloned().collect()
        };
        let more = ids.len() > limit;
        let next_cursor = ids.iter().take(limit).next_back().cloned().or(request.cursor);
        let asked: Vec<_> = ids
            .into_iter()
            .take(limit)
            .map(|id| {
                let (named, agent) = (id.clone(), request.agent_id.clone());
                ask(host, &host.kinds.proposals, &id, Action::Read, move |view| {
                    let is_open = view.state.closed.is_none();
                    let awaits = agent.is_none_or(|agent| view.state.awaits(&agent));
                    (is_open && awaits).then(|| result_view(&named, view.state, view.now))
                })
            })
            .collect();
        let mut proposals = Vec::new();
        for answer in asked {
            if let Some(view) = answer.await? {
                proposals.push(view?);
            }
        }
        Ok(OpenProposalsPage { proposals, next_cursor, more })
    }

    /// The latest proposals that ended, oldest first, with their votes.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn history(&self, request: ConsensusHistory) -> Result<ConsensusHistoryPage, Error> {
        self.q.allow("consensus.history", &request).await?;
        self.q.settle().await;
        let host = self.q.host();
        let page = closed::page::<ProposalMachine, _>(host, request.limit, request.cursor, |id, state| {
            state.closed.as_ref().and_then(|end| result_view(id, state, end.closed_at).ok())
        });
        let page = page.await?;
        let stats = lock(&host.counters.proposals);
        Ok(ConsensusHistoryPage {
            total: page.entries.len() as u64,
            history: page.entries,
            total_available: stats.ended.total() + stats.aborted,
            next_cursor: page.next_cursor,
            more: page.more,
        })
    }

    /// Counters over all proposals that ever were.
    ///
    /// # Errors
    /// `store_error` when the store refuses work.
    pub async fn stats(&self) -> Result<ConsensusStats, Error> {
        self.q.allow("consensus.stats", &()).await?;
        let host = self.q.host();
        drop(host.admit(false)?);
        self.q.settle().await;
        let stats = lock(&host.counters.proposals).clone();
        let line = |tallied: &Tallied| AlgorithmStats {
            proposals: tallied.total(),
            approved: tallied.approved,
            rejected: tallied.rejected,
            timeouts: tallied.timeouts,
            approval_rate: tallied.approval_rate(),
        };
        Ok(ConsensusStats {
            total_proposals: stats.ended.total(),
            approved: stats.ended.approved,
            rejected: stats.ended.rejected,
            timeouts: stats.ended.timeouts,
            avg_duration_ms: stats.avg_duration_ms(),
            approval_rate: stats.ended.approval_rate(),
            active_proposals: stats.active(),
            aborted: stats.aborted,
            votes: stats.votes,
            refused_votes: stats.refused_votes,
            late_votes: stats.late_votes,
            by_algorithm: stats.by_algorithm.iter().map(|(name, t)| (name.clone(), line(t))).collect(),
        })
    }
}

/// Who is registered, as the coordinator says within its time.
async fn registered(host: &Host) -> Result<Vec<VoterId>, String> {
    let longest = host.config.consensus.list_timeout;
    ask_outside(host, move |coordinator| {
        Box::pin(async move {
            match tokio::time::timeout(longest, coordinator.agents()).await {
                Ok(told) => told,
                Err(_) => Err(format!("it did not answer. limit_ms={}", longest.as_millis())),
            }
        })
    })
    .await
}

/// May one more proposal be open?
fn check_room(host: &Host) -> Result<(), Error> {
    let (open, limit) = (lock(&host.counters.proposals).active(), host.config.consensus.max_open);
    if open >= limit {
        let message = format!("too many open proposals. open={open}, limit={limit}");
        return Err(Error::new(ErrorKind::LimitExceeded, message).with("limit", limit));
    }
    Ok(())
}

/// The checked parts of a request that do not depend on the agents.
struct Plan {
    proposal: String,
    timeout: Duration,
}

impl Plan {
    fn check(host: &Host, request: &RequestConsensus) -> Result<Self, Error> {
        let config = &host.config.consensus;
        if let Some(id) = request.proposal_id.as_ref().filter(|id| RESERVED.contains(&id.as_str())) {
            let expected = format!("an id other than {}", RESERVED.join(", "));
            return Err(Error::invalid("proposal_id", id.as_str(), &expected));
        }
        if request.proposal.is_null() {
            return Err(Error::invalid("proposal", Value::Null, "any JSON value but null"));
        }
        json::check_payload("proposal", &request.proposal)?;
        let proposal = request.proposal.to_string();
        if proposal.len() > config.max_proposal_bytes {
            let expected = format!("up to {} bytes of JSON", config.max_proposal_bytes);
            return Err(Error::invalid("proposal", format!("{} bytes", proposal.len()), &expected));
        }
        let ms = request.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        let timeout = u64::try_from(ms).ok().filter(|ms| TIMEOUT_MS.contains(ms)).map(Duration::from_millis);
        let timeout = timeout.ok_or_else(|| Error::invalid("timeout_ms", ms, "100 to 300000"))?;
        if let Some(grade) = request.exclude_grade.filter(|grade| *grade == Grade::Healthy) {
            let expected = "degraded, critical or failed";
            return Err(Error::invalid("exclude_grade", grade.name(), expected));
        }
        Ok(Plan { proposal, timeout })
    }

    fn with_agents(
        self,
        host: &Host,
        registered: Vec<VoterId>,
        request: RequestConsensus,
        (algorithm, decider): (String, Decider),
    ) -> Result<Open, Error> {
        let config = &host.config.consensus;
        let agents = chosen(registered, request.participants)?;
        if agents.len() > config.max_participants {
            let limit = config.max_participants;
            let message = format!("too many agents to ask. registered={}, limit={limit}", agents.len());
            return Err(Error::new(ErrorKind::LimitExceeded, message).with("limit", limit));
        }
        let (now, began) = (host.clock.now(), host.hears_since());
        let directory = lock(&host.counters.agents);
        let policy = request.health_policy.or(config.health_policy);
        let policy = policy.unwrap_or(match directory.uses_heartbeats() {
            true => HealthPolicy::ExcludeFailed,
            false => HealthPolicy::Ignore,
        });
        let grade = |agent: &VoterId| directory.grade(agent, now, began).unwrap_or(Grade::Healthy);
        let worst = request.exclude_grade.unwrap_or(config.exclude_grade);
        let is_sick = |agent: &VoterId| policy == HealthPolicy::ExcludeFailed && grade(agent) >= worst;
        let (excluded, participants): (Vec<_>, Vec<_>) = agents.into_iter().partition(is_sick);
        let fail_fast = request.fail_fast.unwrap_or(false);
        let absent = participants.iter().filter(|agent| fail_fast && grade(agent) == Grade::Failed);
        Ok(Open {
            digest: digest(self.proposal.as_bytes()).to_string(),
            proposal: self.proposal,
            algorithm,
            decider,
            absent: absent.cloned().collect(),
            participants,
            excluded,
            timeout: self.timeout,
            vote_change: request.vote_change.unwrap_or(VoteChange::Reject),
            fail_fast,
            keyed: None,
        })
    }
}

/// The algorithm asked for, or the default one.
fn decider(host: &Host, asked: Option<&str>) -> Result<(String, Decider), Error> {
    let algorithms = lock(&host.counters.algorithms);
    let name = asked.or(algorithms.default_name()).map(str::to_owned);
    let found = name.as_ref().and_then(|name| match algorithms.rule(name) {
        Some(rule) => Some(Decider::Rule(rule.clone())),
        None => host.custom.weights(name).map(Decider::Custom),
    });
    match (name, found) {
        (Some(name), Some(decider)) => Ok((name, decider)),
        (name, _) => {
            let known: Vec<String> =
                algorithms.list().map(|(name, _)| name.to_owned()).chain(host.custom.names()).collect();
            let given: String = name.as_deref().unwrap_or("none").chars().take(100).collect();
            let message = format!(
                "no such algorithm; register it, or name another. given={given:?}, expected one of {}",
                known.join(", ")
            );
            let error = Error::new(ErrorKind::UnknownAlgorithm, message);
            Err(error.with("field", "algorithm").with("value", given).with("expected", known.join(", ")))
        }
    }
}

/// The registered agents, or those of them that are meant, by id, each once.
fn chosen(mut registered: Vec<VoterId>, meant: Option<Vec<VoterId>>) -> Result<Vec<VoterId>, Error> {
    registered.sort();
    registered.dedup();
    let Some(mut meant) = meant else { return Ok(registered) };
    meant.sort();
    meant.dedup();
    match meant.iter().find(|agent| registered.binary_search(agent).is_err()) {
        Some(stranger) => Err(Error::invalid("participants", stranger.as_str(), "registered agents")),
        None => Ok(meant),
    }
}

fn state_name(state: &Proposal) -> String {
    state.decision().map_or("open", |decision| decision.name()).to_owned()
}

/// How a proposal stands at `now`.
pub(super) fn result_view(id: &EntityId, state: &Proposal, now: Timestamp) -> Result<ConsensusResult, Error> {
    let opened = state.opened.as_deref().ok_or(Rejection::NotFound)?;
    let closed = state.closed.as_ref();
    let [votes_for, votes_against, votes_abstain] = state.heads().map(u64::from);
    let end = closed.map_or(now, |closed| closed.closed_at);
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let ballots = state.votes.iter().map(|(agent, vote)| {
        let metadata = vote.metadata.as_deref().map(json);
        let (cast_at, reason) = (vote.cast_at, vote.reason.clone());
        let view = BallotView { vote: vote.vote, weight: vote.weight, metadata, cast_at, reason };
        (agent.clone(), view)
    });
    Ok(ConsensusResult {
        proposal_id: id.clone(),
        state: state_name(state),
        decision: state.decision(),
        votes_for,
        votes_against,
        votes_abstain,
        threshold: opened.threshold,
        participants: state.voters_in_order().into_iter().cloned().collect(),
        algorithm_used: opened.algorithm.clone(),
        duration_ms: end.since(opened.opened_at).as_micros() as f64 / 1_000.0,
        metadata: metadata_view(state, opened, votes_for),
        proposal: json(&opened.proposal),
        votes: ballots.collect::<BTreeMap<_, _>>(),
        decided_by: closed.and_then(|closed| closed.decided_by.clone()),
        opened_at: opened.opened_at,
        deadline: opened.deadline,
        closed_at: closed.map(|closed| closed.closed_at),
        noticed_at: closed.map(|closed| closed.noticed_at),
        duplicate: None,
    })
}

fn metadata_view(state: &Proposal, opened: &Opened, votes_for: u64) -> ConsensusMetadata {
    let asked = opened.participants.len();
    let rate = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let weights = (!opened.weights.is_empty()).then_some(&opened.weights);
    let whole = |millionths: u128| millionths as f64 / WHOLE_WEIGHT as f64;
    let total = weights.map(|weights| whole(weights.iter().map(|w| u128::from(*w)).sum()));
    let cast = |choice| weights.map(|_| whole(state.weight(choice)));
    let cause = state.closed.as_ref().and_then(|closed| closed.cause.as_ref());
    let text = |cause: &Cause| cause.text().to_owned();
    ConsensusMetadata {
        total_participants: asked as u64,
        participation_rate: rate(state.votes.len() as f64, asked as f64),
        approval_rate: rate(votes_for as f64, asked as f64),
        total_weight: total,
        weighted_for: cast(Choice::For),
        weighted_against: cast(Choice::Against),
        weighted_approval: cast(Choice::For).zip(total).map(|(part, total)| rate(part, total)),
        excluded_agents: opened.excluded.clone(),
        registered_count: (asked + opened.excluded.len()) as u64,
        reached: state.reached(),
        unreached_agents: state.unreached(),
        error: cause.filter(|_| state.closed.as_ref().is_some_and(Closed::is_error)).map(text),
        reason: cause.map(text),
        detail: cause.and_then(Cause::detail).map(str::to_owned),
    }
}
