//! Operations on quorums.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;

use super::caller::{Watch, begun};
use super::capacity_view::up_to;
use super::dto::{
    CancelQuorum, Cancelled, ExtendQuorum, QuorumHistory, QuorumHistoryPage, QuorumStatsReply, QuorumStatus,
    StartQuorum, Started, Vote, Voted, WaitQuorum,
};
use super::quorum_view::{admits, history_entry, started_view, status_view};
use super::{Quorate, closed, json, keyed, wait};
use crate::core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind};
use crate::core::kernel::keyed::KeyedRequest;
use crate::core::kernel::names::check_name;
use crate::core::kernel::time::whole_parts;
use crate::core::voting::extension::{Extend, Until};
use crate::core::voting::quorum;
use crate::core::voting::quorum::{
    Ballot, Cancel, Command, FallbackPlan, Policy, Quorum, QuorumMachine, QuorumState, QuorumType, Rejection,
    Reply, Start,
};
use crate::core::voting::rules::{self, Param, RuleError, RuleSpec};
use crate::core::voting::topology::{Asked, Membership};
use crate::error::{Error, ErrorKind};
use crate::journal::Fault;
use crate::journal::chain::digest;
use crate::shell::entity::{Action, View};
use crate::shell::host::{Host, wait as ready};
use crate::shell::hosts::mesh_id;
use crate::shell::keyed::keyed_request;
use crate::shell::lock;
use crate::shell::runtime::{Answer, ask};
use crate::shell::writer::Failure;

/// Words that stand where an id would in HTTP paths.
const RESERVED: [&str; 4] = ["history", "stats", "start", "offer"];
/// Wait when none is named, in milliseconds.
const DEFAULT_WAIT_MS: i64 = 30_000;
/// Longest text naming who cancelled or what is an arm, in bytes.
pub(super) const MAX_LABEL: usize = 256;
/// Longest reason, in bytes.
pub(super) const MAX_REASON: usize = 1024;

/// Operations on quorums.
#[derive(Clone, Copy, Debug)]
pub struct Quorums<'a> {
    pub(super) q: &'a Quorate,
}

impl Quorums<'_> {
    /// Opens a quorum. Durable on return.
    ///
    /// With an idempotency key the same request again answers with the quorum it opened first.
    ///
    /// # Errors
    /// `invalid_argument`, `unreachable_requirement`, `unknown_membership` (strict only), `already_exists`,
    /// `limit_exceeded`, and the faults of the store.
    pub async fn start(&self, request: StartQuorum) -> Result<Started, Error> {
        self.q.allow("quorum.start", &request).await?;
        let host = self.q.host();
        let mut plan = Plan::check(host, &request)?;
        let data_key = self.q.data_key(request.data_subject.as_ref()).await?;
        // What is sealed is remembered by a fingerprint.
        let asked = data_key.as_ref().filter(|_| request.idempotency_key.is_some()).map(|key| {
            let subject = request.subject.as_ref().map(|subject| key.fingerprint("subject", subject));
            StartQuorum { subject, ..request.clone() }
        });
        let asked = asked.as_ref().unwrap_or(&request);
        let keyed = request
            .idempotency_key
            .clone()
            .map(|key| (key, keyed::quorum(host, plan.timeout, plan.rule.as_ref(), asked)));
        let same_id = request.quorum_id.clone();
        if let Some((key, keyed)) = &keyed {
            let sought = key.clone();
            let found = host.blocking(move |store| ready(store.find_key(&sought))).await?;
            if let Some(stream) = found {
                return self.started_before(&stream, key, keyed, same_id.as_ref()).await;
            }
        }
        self.q.check_open(StreamKind::Quorum, host.config.quorum.max_open)?;
        check_room(host)?;
        let asked = Asked {
            quorum_type: request.quorum_type.0,
            cell_id: request.cell_id.clone(),
            ring: request.ring,
            arm: request.arm.clone(),
        };
        let members = ask(host, &host.kinds.topology, &mesh_id(), Action::Read, move |view| {
            view.state.membership(&asked)
        })
        .await?;
        let quorum_id = request.quorum_id.clone().unwrap_or_else(|| host.ids.mint());
        let key = request.idempotency_key.clone();
        if let (Some(key), Some((text, _))) = (&data_key, &plan.subject) {
            plan.subject = Some(digested(key.json(StreamKind::Quorum, &quorum_id, "subject", text)?));
        }
        let mut start = plan.with_members(host, request, members)?;
        start.keyed = keyed.as_ref().map(|(_, keyed)| keyed.clone());
        let command = Action::Command(Command::Start(Box::new(start)), key);
        let id = quorum_id.clone();
        let started = ask(host, &host.kinds.quorums, &quorum_id, command, move |view| match view.reply {
            Some(Err(rejection)) => Err(rejection.into()),
            Some(Ok(_)) | None => started_view(&id, view.state, false),
        });
        match (started.await, &keyed) {
            (Err(Failure::Refused(Fault::KeyTaken { stream })), Some((key, keyed))) => {
                self.started_before(&stream, key, keyed, same_id.as_ref()).await
            }
            (other, _) => other?,
        }
    }

    /// The quorum the key opened, if it was opened by this request.
    async fn started_before(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
        request: &KeyedRequest,
        quorum_id: Option<&EntityId>,
    ) -> Result<Started, Error> {
        let id = ("quorum_id", quorum_id);
        let asked = keyed::Asked { operation: "quorum.start", key, kind: StreamKind::Quorum, id, request };
        asked.check_entity(stream)?;
        let named = stream.id.clone();
        let host = self.q.host();
        let seen = self.look(&stream.id, move |view| {
            let before =
                view.state.opened.as_deref().map(|o| keyed::quorum_before(o, view.state.rule.as_ref()));
            (before, started_view(&named, view.state, true))
        });
        let (before, started) = seen.await?;
        let kept = keyed_request(host, stream, |event: &quorum::Event| match event {
            quorum::Event::Keyed(kept) => Some(kept.clone()),
            _ => None,
        });
        asked.check_request(stream, kept.await?.as_ref(), &before.unwrap_or_default())?;
        started
    }

    /// Casts or changes a vote. Durable on return; repeating it is safe.
    ///
    /// The vote is on its way when this returns, before the future is polled: votes called in a row reach one
    /// quorum in that order, and many may be awaited together.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `quorum_closed`, `quorum_timeout`, `already_voted`, `not_eligible`,
    /// `limit_exceeded`, and the faults of the store.
    pub fn vote(&self, vote: Vote) -> impl Future<Output = Result<Voted, Error>> + Send + use<> {
        // For what is sealed a key may have to be kept first; everything else is on its way at once.
        let sent = match vote.data_subject {
            Some(_) => Err((self.q.clone(), vote)),
            None => Ok(begun(self.q.allow_now("quorum.vote", &vote).map(|()| self.send(vote)))),
        };
        async move {
            match sent {
                Ok(begun) => begun.await,
                Err((q, vote)) => q.quorums().vote_sealed(vote).await,
            }
        }
    }

    async fn vote_sealed(&self, vote: Vote) -> Result<Voted, Error> {
        self.q.allow("quorum.vote", &vote).await?;
        check_sentence("reason", vote.reason.as_deref(), MAX_REASON)?;
        let Some(key) = self.q.data_key(vote.data_subject.as_ref()).await? else {
            return Err(Rejection::NotFound.into());
        };
        let field = format!("reason/{}", vote.voter_id);
        let sealed = |text: &String| key.text(StreamKind::Quorum, &vote.quorum_id, &field, text);
        let reason = vote.reason.as_ref().map(sealed).transpose()?;
        self.cast(Vote { reason, ..vote }).await?
    }

    fn send(&self, vote: Vote) -> Result<Answer<Result<Voted, Error>>, Error> {
        check_sentence("reason", vote.reason.as_deref(), MAX_REASON)?;
        Ok(self.cast(vote))
    }

    fn cast(&self, vote: Vote) -> Answer<Result<Voted, Error>> {
        let host = self.q.host();
        let Vote { quorum_id, voter_id, vote: value, confidence, reason, data_subject: _ } = vote;
        let ballot = Ballot { voter_id: voter_id.clone(), vote: value, confidence, reason };
        let id = quorum_id.clone();
        let command = Action::Command(Command::Cast(ballot), None);
        ask(host, &host.kinds.quorums, &quorum_id, command, move |view| match view.reply {
            Some(Ok(Reply::Voted(voted))) => {
                let opened = view.state.opened.as_deref().ok_or(Rejection::NotFound)?;
                let tally = view.state.tally();
                let is_neighbor = opened.quorum_type != QuorumType::Local || admits(opened, &voter_id);
                Ok(Voted {
                    quorum_id: id,
                    voter_id,
                    vote: value,
                    total_votes: tally.total(),
                    approve_votes: tally.approvals,
                    reject_votes: tally.rejections,
                    required_votes: opened.required_votes,
                    quorum_reached: view.state.outcome() == rules::Outcome::Won,
                    consensus: tally.consensus(),
                    is_neighbor,
                    counted: voted.counted,
                    duplicate: voted.duplicate,
                    changed: voted.changed,
                    state: view.state.state().unwrap_or(QuorumState::Open),
                })
            }
            Some(Err(rejection)) => {
                let held = view.state.votes.get(&voter_id).map(|standing| standing.vote);
                Err(Error::from(rejection).beside_vote(held.map(Value::from), value))
            }
            Some(Ok(Reply::Started | Reply::Extended { .. } | Reply::Cancelled { .. } | Reply::Done))
            | None => Err(Rejection::NotFound.into()),
        })
    }

    /// Everything about a quorum, also after it closed.
    ///
    /// # Errors
    /// `not_found` when it never existed, and the faults of the store.
    pub async fn status(&self, id: &EntityId) -> Result<QuorumStatus, Error> {
        self.q.allow("quorum.status", &()).await?;
        self.status_now(id).await
    }

    async fn status_now(&self, id: &EntityId) -> Result<QuorumStatus, Error> {
        let named = id.clone();
        self.q.revealed(self.look(id, move |view| status_view(&named, view.state, view.now)).await??)
    }

    /// Waits until the quorum closes, at most as long as asked, and answers with its status then.
    ///
    /// # Errors
    /// `invalid_argument` for the time, `not_found`, and the faults of the store.
    pub async fn wait(&self, request: WaitQuorum) -> Result<QuorumStatus, Error> {
        let watch = self.q.allow_waiting("quorum.wait", &request).await?;
        Watch::until_over(watch, self.ended(request)).await
    }

    async fn ended(&self, request: WaitQuorum) -> Result<QuorumStatus, Error> {
        let longest = wait::longest("timeout_ms", request.timeout_ms.unwrap_or(DEFAULT_WAIT_MS))?;
        // A quorum that does not exist will not close either.
        let ended = |state: &Quorum| state.closed.is_some() || state.opened.is_none();
        wait::until::<QuorumMachine>(self.q.host(), &request.quorum_id, ended, longest).await;
        self.status_now(&request.quorum_id).await
    }

    /// Ends a quorum without a decision. Durable on return; repeating it is safe.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `quorum_closed`, `quorum_timeout`, and the faults of the store.
    pub async fn cancel(&self, request: CancelQuorum) -> Result<Cancelled, Error> {
        self.q.allow("quorum.cancel", &request).await?;
        check_label("by", request.by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", request.reason.as_deref(), MAX_REASON)?;
        let host = self.q.host();
        let id = request.quorum_id.clone();
        let command = Command::Cancel(Cancel { by: request.by, reason: request.reason });
        ask(host, &host.kinds.quorums, &request.quorum_id, Action::Command(command, None), move |view| {
            match view.reply {
                Some(Err(rejection)) => Err(rejection.into()),
                Some(Ok(reply)) => Ok(Cancelled {
                    quorum_id: id,
                    state: view.state.state().unwrap_or(QuorumState::Open),
                    closed_at: view.state.closed.as_ref().map(|c| c.closed_at),
                    duplicate: reply == Reply::Cancelled { duplicate: true },
                }),
                None => Err(Rejection::NotFound.into()),
            }
        })
        .await?
    }

    /// Takes votes longer than was said. Durable on return; the same deadline again changes nothing. Votes are never taken
    /// shorter.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `quorum_closed`, `quorum_timeout`, and the faults of the store.
    pub async fn extend(&self, request: ExtendQuorum) -> Result<QuorumStatus, Error> {
        self.q.allow("quorum.extend", &request).await?;
        let ExtendQuorum { quorum_id, timeout_seconds, deadline, by, reason } = request;
        let host = self.q.host();
        let longest = host.config.quorum.max_timeout;
        let until = match (timeout_seconds, deadline) {
            (None, Some(deadline)) => Until::At(deadline),
            (Some(_), None) => Until::FromNow(seconds("timeout_seconds", timeout_seconds, longest, host)?),
            (Some(seconds), Some(_)) => {
                return Err(Error::invalid("timeout_seconds", seconds, "none beside a deadline"));
            }
            (None, None) => {
                let expected = "timeout_seconds or deadline";
                return Err(Error::missing("timeout_seconds").with("expected", expected));
            }
        };
        check_label("by", by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        let (command, named) = (Command::Extend(Extend { until, longest, by, reason }), quorum_id.clone());
        let extended = ask(
            host,
            &host.kinds.quorums,
            &quorum_id,
            Action::Command(command, None),
            move |view| match view.reply {
                Some(Err(rejection)) => Err(Error::from(rejection)),
                Some(Ok(_)) | None => status_view(&named, view.state, view.now),
            },
        );
        self.q.revealed(extended.await??)
    }

    /// The latest closed quorums, oldest first.
    ///
    /// # Errors
    /// `invalid_argument` for the limit or cursor, and the faults of the store.
    pub async fn history(&self, request: QuorumHistory) -> Result<QuorumHistoryPage, Error> {
        self.q.allow("quorum.history", &request).await?;
        self.q.settle().await;
        let host = self.q.host();
        let page =
            closed::page::<QuorumMachine, _>(host, request.limit, request.cursor, history_entry).await?;
        let total_available = lock(&host.counters.quorums).closed();
        self.q.revealed(QuorumHistoryPage {
            total: page.entries.len() as u64,
            history: page.entries,
            total_available,
            next_cursor: page.next_cursor,
            more: page.more,
            pruned: page.pruned,
        })
    }

    /// Counters over all quorums that ever were.
    ///
    /// # Errors
    /// `store_error` when the store refuses work.
    pub async fn stats(&self) -> Result<QuorumStatsReply, Error> {
        self.q.allow("quorum.stats", &()).await?;
        let host = self.q.host();
        drop(host.admit(false)?);
        self.q.settle().await;
        let stats = lock(&host.counters.quorums).clone();
        Ok(QuorumStatsReply {
            active_quorums: stats.active(),
            total_quorums: stats.closed(),
            successful_quorums: stats.approved,
            success_rate: stats.success_rate(),
            rejected_quorums: stats.rejected,
            timed_out_quorums: stats.timed_out,
            cancelled_quorums: stats.cancelled,
            votes: stats.votes,
            changed_votes: stats.changed_votes,
            outsider_votes: stats.outsider_votes,
            late_votes: stats.late_votes,
            refused_votes: stats.refused_votes,
            recovery_closures: stats.recovery_closures,
            avg_time_to_decision_ms: stats.avg_time_to_decision_ms(),
        })
    }

    fn look<R: Send + 'static>(
        &self,
        id: &EntityId,
        view: impl FnOnce(View<'_, QuorumMachine>) -> R + Send + 'static,
    ) -> impl Future<Output = Result<R, Failure>> + Send {
        let host = self.q.host();
        ask(host, &host.kinds.quorums, id, Action::Read, view)
    }
}

/// The checked numbers of a start request.
struct Plan {
    required_votes: Option<u32>,
    rule: Option<RuleSpec>,
    timeout: Duration,
    policy: Policy,
    fallback: Option<FallbackPlan>,
    subject: Option<(String, String)>,
}

impl Plan {
    fn check(host: &Host, request: &StartQuorum) -> Result<Self, Error> {
        let config = &host.config.quorum;
        if let Some(id) = request.quorum_id.as_ref().filter(|id| RESERVED.contains(&id.as_str())) {
            return Err(Error::invalid(
                "quorum_id",
                id.as_str(),
                "an id other than history, stats, start, offer",
            ));
        }
        let kind = request.quorum_type.0;
        if request.ring.is_some() && kind != QuorumType::Ring {
            return Err(Error::invalid("ring", request.ring, "none unless quorum_type is ring"));
        }
        if request.arm.is_some() && kind != QuorumType::Radial {
            return Err(Error::invalid("arm", request.arm.clone(), "none unless quorum_type is radial"));
        }
        check_label("arm", request.arm.as_deref(), MAX_LABEL)?;
        if let Some(voters) = &request.voters
            && voters.len() > config.max_voters as usize
        {
            let message = format!("too many voters. given={}, limit={}", voters.len(), config.max_voters);
            return Err(Error::new(ErrorKind::LimitExceeded, message)
                .with("field", "voters")
                .with("limit", config.max_voters));
        }
        let required_votes = match request.required_votes {
            None => None,
            Some(n) => Some(u32::try_from(n).ok().filter(|n| *n >= 1).ok_or_else(|| {
                Error::invalid("required_votes", n, "a whole number from 1 to the number of voters")
            })?),
        };
        let rule = request.rule.as_ref().map(|param| rule_of("rule", param)).transpose()?;
        let timeout = seconds("timeout_seconds", request.timeout_seconds, config.default_timeout, host)?;
        let fallback = if request.cmp_fallback == Some(true) {
            let own = seconds("fallback_timeout_seconds", request.fallback_timeout_seconds, timeout, host)?;
            let timeout_us = u64::try_from(own.as_micros()).unwrap_or(u64::MAX);
            Some(FallbackPlan { child_id: host.ids.mint(), timeout_us })
        } else if let Some(given) = request.fallback_timeout_seconds {
            return Err(Error::invalid(
                "fallback_timeout_seconds",
                given,
                "none unless cmp_fallback is true",
            ));
        } else {
            None
        };
        if let Some(subject) = &request.subject {
            json::check_payload("subject", subject)?;
        }
        let subject = request.subject.as_ref().map(Value::to_string);
        if let Some(text) = subject.as_ref().filter(|text| text.len() > config.max_subject_bytes) {
            let expected = format!("up to {} bytes of JSON", config.max_subject_bytes);
            return Err(Error::invalid("subject", format!("{} bytes", text.len()), &expected));
        }
        let mut policy = config.policy();
        policy.vote_change = request.vote_change.unwrap_or(policy.vote_change);
        policy.outsiders = request.outsiders.unwrap_or(policy.outsiders);
        policy.min_confidence = request.min_confidence.unwrap_or(policy.min_confidence);
        Ok(Plan { required_votes, rule, timeout, policy, fallback, subject: subject.map(digested) })
    }

    fn with_members(self, host: &Host, request: StartQuorum, members: Membership) -> Result<Start, Error> {
        let strict = request.strict_membership.unwrap_or(host.config.quorum.strict_membership);
        if strict && request.voters.is_none() && members.voters.is_none() {
            let message = format!("nobody is registered there. sought={}", members.sought);
            return Err(Error::new(ErrorKind::UnknownMembership, message).with("sought", members.sought));
        }
        Ok(Start {
            quorum_type: request.quorum_type.0,
            required_votes: self.required_votes,
            rule: self.rule,
            timeout: self.timeout,
            cell_id: request.cell_id,
            named: request.voters.is_some(),
            voters: request.voters.or(members.voters),
            neighbor_count: members.neighbor_count,
            topic: members.topic,
            membership_epoch: members.epoch,
            subject: self.subject,
            policy: self.policy,
            fallback: self.fallback,
            parent: None,
            keyed: None,
        })
    }
}

/// A text, with its digest.
fn digested(text: String) -> (String, String) {
    let hash = digest(text.as_bytes()).to_string();
    (text, hash)
}

/// May one more quorum be open?
fn check_room(host: &Host) -> Result<(), Error> {
    let (open, limit) = (lock(&host.counters.quorums).active(), host.config.quorum.max_open);
    if open >= limit {
        let message = format!("too many open quorums. open={open}, limit={limit}");
        return Err(Error::new(ErrorKind::LimitExceeded, message).with("limit", limit));
    }
    Ok(())
}

/// Reads a rule as it is written in a request, and checks that it can be built.
pub(super) fn rule_of(field: &str, param: &Param) -> Result<RuleSpec, Error> {
    let spec =
        RuleSpec::from_param(param).map_err(|expected| Error::invalid(field, param.to_string(), expected))?;
    match rules::check(&spec) {
        Ok(()) => Ok(spec),
        Err(RuleError::Unknown { given, expected }) => {
            Err(Error::invalid(field, given, &format!("one of {expected}")))
        }
        Err(RuleError::Parameter { rule, parameter, given, expected }) => {
            let named = format!("{parameter} of rule {rule}");
            Err(Error::invalid(&named, given, &expected).with("field", parameter))
        }
    }
}

fn seconds(field: &str, given: Option<f64>, default: Duration, host: &Host) -> Result<Duration, Error> {
    let longest = host.config.quorum.max_timeout;
    match given {
        None => Ok(default),
        Some(s) => match whole_parts(s, 1_000_000) {
            Some(us) if us > 0 && u128::from(us) <= longest.as_micros() => Ok(Duration::from_micros(us)),
            // NaN and the infinities have no JSON number; they are named as text.
            Some(_) | None => {
                let value = if s.is_finite() { Value::from(s) } else { s.to_string().into() };
                Err(Error::invalid(field, value, &up_to(longest)))
            }
        },
    }
}

/// A label that is given must be a short text, as clear as an id: it is compared with others.
pub(super) fn check_label(field: &str, text: Option<&str>, longest: usize) -> Result<(), Error> {
    check_sentence(field, text, longest)?;
    let Some(text) = text else { return Ok(()) };
    check_name(text).map_err(|unclear| Error::invalid(field, text, &unclear.expected()))
}

/// A sentence that is given must be a short visible text.
pub(super) fn check_sentence(field: &str, text: Option<&str>, longest: usize) -> Result<(), Error> {
    match text {
        Some(t) if t.trim().is_empty() || t.len() > longest || t.chars().any(char::is_control) => {
            let expected = format!("1 to {longest} bytes, not blank, without control characters");
            Err(Error::invalid(field, t, &expected))
        }
        _ => Ok(()),
    }
}

/// How many entries a page may hold. A page of none would say that there are more, and not where they begin.
pub(super) fn page_limit(given: Option<i64>) -> Result<usize, Error> {
    let limit = given.unwrap_or(100);
    match usize::try_from(limit) {
        Ok(n @ 1..=1000) => Ok(n),
        _ => Err(Error::invalid("limit", limit, "1 to 1000")),
    }
}
