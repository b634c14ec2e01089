//! Operations on proposals: put a question to the agents, vote, and learn the decision.

mod answer;
mod people;
mod view;

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

pub(super) use self::view::result_view;
use self::view::state_name;
use super::caller::{Watch, begun};
use super::dto::{
    AlgorithmStats, ConsensusHistory, ConsensusHistoryPage, ConsensusRef, ConsensusResult, ConsensusStats,
    ConsensusVote, ConsensusVoted, OpenProposals, OpenProposalsPage, RequestConsensus,
};
use super::inbox::until_awaited;
use super::known::Sort;
use super::quorum::{MAX_REASON, check_sentence, page_limit};
use super::session_plan::remind_every;
use super::spend::mandate;
use super::{Quorate, closed, json, keyed, opened, wait};
use crate::config::HealthPolicy;
use crate::core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind, VoterId};
use crate::core::kernel::keyed::KeyedRequest;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal;
use crate::core::voting::proposal::answer::{AnswerSchema, AnswerValue};
use crate::core::voting::proposal::command::Decider;
use crate::core::voting::proposal::stats::Tallied;
use crate::core::voting::proposal::watch::Watch as Watched;
use crate::core::voting::proposal::{
    Ballot, Command, Open, Proposal, ProposalMachine, Rejection, Reply, VoteChange, VoteOutcome,
};
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
/// Shortest time for votes, in milliseconds.
const SHORTEST_MS: u64 = 100;
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
        self.q.revealed(Watch::until_over(watch, self.decided(request)).await?)
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
        let mut plan = Plan::check(host, &request)?;
        let data_key = self.q.data_key(request.data_subject.as_ref()).await?;
        // What is sealed is remembered by a fingerprint.
        let asked = data_key.as_ref().filter(|_| request.idempotency_key.is_some()).map(|key| {
            let proposal = key.fingerprint("proposal", &request.proposal);
            RequestConsensus { proposal, ..request.clone() }
        });
        let asked = asked.as_ref().unwrap_or(&request);
        let keyed =
            request.idempotency_key.clone().map(|key| (key, keyed::proposal(host, plan.timeout, asked)));
        let same_id = request.proposal_id.clone();
        if let Some((key, keyed)) = &keyed {
            let sought = key.clone();
            let found = host.blocking(move |store| ready(store.find_key(&sought))).await?;
            if let Some(stream) = found {
                return self.opened_before(&stream, key, keyed, same_id.as_ref()).await;
            }
        }
        self.q.check_open(StreamKind::Proposal, host.config.consensus.max_open)?;
        check_room(host)?;
        let decider = decider(host, request.algorithm.as_deref())?;
        let registered = registered(host).await.map_err(|reason| {
            let message = format!("the coordinator cannot say who is registered; try again. cause={reason}");
            Error::new(ErrorKind::CoordinatorError, message)
        })?;
        let key = request.idempotency_key.clone();
        let id = request.proposal_id.clone().unwrap_or_else(|| host.ids.mint());
        if let Some(key) = &data_key {
            plan.proposal = key.json(StreamKind::Proposal, &id, "proposal", &plan.proposal)?;
        }
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
    /// than the one that stands or another answer, `delegated` for an agent that handed its place on, `proposal_closed`, and the
    /// faults of the store.
    pub fn vote(
        &self,
        vote: ConsensusVote,
    ) -> impl Future<Output = Result<ConsensusVoted, Error>> + Send + use<> {
        // For what is sealed a key may have to be kept first; everything else is on its way at once.
        let sent = match vote.data_subject {
            Some(_) => Err((self.q.clone(), vote)),
            None => Ok(begun(self.q.allow_now("consensus.vote", &vote).map(|()| self.send(vote)))),
        };
        async move {
            match sent {
                Ok(begun) => begun.await,
                Err((q, vote)) => q.consensus().vote_sealed(vote).await,
            }
        }
    }

    fn send(&self, vote: ConsensusVote) -> Result<Answer<Result<ConsensusVoted, Error>>, Error> {
        let (proposal_id, ballot) = ballot_of(vote)?;
        Ok(self.cast(proposal_id, ballot))
    }

    /// The same for a vote with personal data: what fits is looked at first, for what is sealed shows nothing of itself.
    async fn vote_sealed(&self, vote: ConsensusVote) -> Result<ConsensusVoted, Error> {
        self.q.allow("consensus.vote", &vote).await?;
        let host = self.q.host();
        let subject = vote.data_subject.clone();
        let (id, mut ballot) = ballot_of(vote)?;
        if let Some(value) = &ballot.value {
            let asked = ask(host, &host.kinds.proposals, &id, Action::Read, |view| view.state.answer.clone());
            if let Some(schema) = asked.await? {
                schema.fits(value).map_err(|misfit| Error::from(Rejection::Misfit(Box::new(misfit))))?;
            }
        }
        let Some(key) = self.q.data_key(subject.as_ref()).await? else {
            return Err(Rejection::NotFound.into());
        };
        let field = |name: &str| format!("{name}/{}", ballot.voter_id);
        let (reason, metadata) = (field("reason"), field("metadata"));
        let sealed = |text: &String| key.text(StreamKind::Proposal, &id, &reason, text);
        ballot.reason = ballot.reason.as_ref().map(sealed).transpose()?;
        let sealed = |text: &String| key.json(StreamKind::Proposal, &id, &metadata, text);
        ballot.metadata = ballot.metadata.as_ref().map(sealed).transpose()?;
        // Not of this voter: of answers that are the same that is known, also when nobody can read them any more.
        let sealed = |value: &AnswerValue| key.value(StreamKind::Proposal, &id, "value", &value.to_json());
        ballot.value = ballot.value.as_ref().map(sealed).transpose()?.map(AnswerValue::Sealed);
        self.cast(id, ballot).await?
    }

    fn cast(&self, proposal_id: EntityId, ballot: Ballot) -> Answer<Result<ConsensusVoted, Error>> {
        let host = self.q.host();
        let (id, agent_id, vote) = (proposal_id.clone(), ballot.voter_id.clone(), ballot.vote);
        let action = Action::Command(Command::Vote(ballot), None);
        ask(host, &host.kinds.proposals, &proposal_id, action, move |view| {
            let (outcome, changed) = match view.reply {
                Some(Ok(Reply::Voted { outcome, changed })) => (outcome, changed),
                Some(Err(rejection)) => {
                    let held = view.state.vote_of(&agent_id).map(|standing| standing.vote.name());
                    return Err(Error::from(rejection).beside_vote(held.map(Value::from), vote.name()));
                }
                Some(Ok(
                    Reply::Opened
                    | Reply::Extended { .. }
                    | Reply::Cancelled { .. }
                    | Reply::Delegated { .. }
                    | Reply::Reminded(_)
                    | Reply::Spent(_)
                    | Reply::Redeemed(_)
                    | Reply::Done,
                ))
                | None => return Err(Rejection::NotFound.into()),
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
        })
    }

    /// How a proposal stands or ended; waits for the decision as long as asked.
    ///
    /// # Errors
    /// `invalid_argument` for the time, `not_found` when it never existed, and the faults of the store.
    pub async fn result(&self, request: ConsensusRef) -> Result<ConsensusResult, Error> {
        let watch = self.q.allow_waiting("consensus.result", &request).await?;
        self.q.revealed(Watch::until_over(watch, self.result_after(request)).await?)
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

    /// Open proposals by id, or those of them that await the vote of one agent. Waits for one as long as asked, when there is
    /// none.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list_open(&self, request: OpenProposals) -> Result<OpenProposalsPage, Error> {
        let watch = self.q.allow_waiting("consensus.open", &request).await?;
        self.q.revealed(Watch::until_over(watch, self.awaited(request)).await?)
    }

    async fn awaited(&self, request: OpenProposals) -> Result<OpenProposalsPage, Error> {
        let longest = wait::longest("wait_ms", request.wait_ms.unwrap_or(0))?;
        let host = self.q.host();
        // Heard from before the first look on, so that nothing is missed between the two.
        let notices = host.bus.subscribe();
        let page = self.page_of_open(request.clone()).await?;
        if page.more || !page.proposals.is_empty() {
            return Ok(page);
        }
        match until_awaited(host, notices, request.agent_id.clone(), &[StreamKind::Proposal], longest).await {
            true => self.page_of_open(request).await,
            false => Ok(page),
        }
    }

    async fn page_of_open(&self, request: OpenProposals) -> Result<OpenProposalsPage, Error> {
        let limit = page_limit(request.limit)?;
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        let of = (&host.counters.watch, (|watch: &Watched| &watch.open) as fn(&Watched) -> &_);
        let (cursor, newest_first) = (request.cursor.as_deref(), request.newest_first.unwrap_or(false));
        let page = opened::page(host, StreamKind::Proposal, of, limit, cursor, newest_first).await?;
        let asked: Vec<_> = page
            .ids
            .into_iter()
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
        let is_first = request.cursor.is_none();
        let next_cursor = page.next_cursor.or(request.cursor);
        let mut page = OpenProposalsPage { proposals, next_cursor, more: page.more, unknown: Vec::new() };
        if page.proposals.is_empty() && !page.more && is_first {
            let agent = request.agent_id.as_ref().map(VoterId::as_str);
            page.unknown = self.q.unknown_names(&[("agent_id", agent, Sort::Voter)]).await?;
        }
        Ok(page)
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
        let ended = {
            let stats = lock(&host.counters.proposals);
            stats.ended.total() + stats.aborted + stats.cancelled
        };
        let page = ConsensusHistoryPage {
            total: page.entries.len() as u64,
            history: page.entries,
            total_available: ended,
            next_cursor: page.next_cursor,
            more: page.more,
            pruned: page.pruned,
        };
        self.q.revealed(page)
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
            cancelled: stats.cancelled,
            votes: stats.votes,
            refused_votes: stats.refused_votes,
            late_votes: stats.late_votes,
            by_algorithm: stats.by_algorithm.iter().map(|(name, t)| (name.clone(), line(t))).collect(),
        })
    }
}

/// Which question a vote is on, and the vote, checked as far as that is possible without the question.
fn ballot_of(vote: ConsensusVote) -> Result<(EntityId, Ballot), Error> {
    let ConsensusVote { proposal_id, agent_id, vote, weight, metadata, reason, value, data_subject: _ } =
        vote;
    check_sentence("reason", reason.as_deref(), MAX_REASON)?;
    if let Some(metadata) = &metadata {
        json::check_members("metadata", metadata)?;
    }
    let metadata = metadata.map(|map| Value::Object(map).to_string());
    if let Some(text) = metadata.as_ref().filter(|text| text.len() > MAX_METADATA_BYTES) {
        let expected = format!("up to {MAX_METADATA_BYTES} bytes of JSON");
        return Err(Error::invalid("metadata", format!("{} bytes", text.len()), &expected));
    }
    let value = value.as_ref().map(answer::value).transpose()?;
    Ok((proposal_id, Ballot { voter_id: agent_id, vote, weight, metadata, reason, value }))
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
    answer: Option<Box<AnswerSchema>>,
    remind_every: Option<Duration>,
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
        let longest = config.max_timeout.as_millis();
        let fits = |ms: &u64| *ms >= SHORTEST_MS && u128::from(*ms) <= longest;
        let timeout = u64::try_from(ms).ok().filter(fits).map(Duration::from_millis);
        let expected = format!("{SHORTEST_MS} to {longest}");
        let timeout = timeout.ok_or_else(|| Error::invalid("timeout_ms", ms, &expected))?;
        if let Some(grade) = request.exclude_grade.filter(|grade| *grade == Grade::Healthy) {
            let expected = "degraded, critical or failed";
            return Err(Error::invalid("exclude_grade", grade.name(), expected));
        }
        let answer = request.answer_schema.as_ref().map(answer::read).transpose()?.map(Box::new);
        let remind_every = remind_every(request.remind_every_ms)?;
        Ok(Plan { proposal, timeout, answer, remind_every })
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
            return Err(Error::new(ErrorKind::LimitExceeded, message)
                .with("field", "participants")
                .with("limit", limit));
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
            mandate: mandate(request.operation.as_ref())?,
            answer: self.answer,
            remind_every: self.remind_every,
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
