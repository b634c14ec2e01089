//! Questions to people: answers with a value, places that go to somebody else, and being told again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Consensus, registered, result_view};
use crate::api::consensus_time::unchanged;
use crate::api::dto::{
    BallotView, ConsensusReminded, ConsensusResult, DelegateConsensus, DelegationView, RemindConsensus,
};
use crate::api::quorum::{MAX_LABEL, MAX_REASON, check_label, check_sentence};
use crate::core::kernel::ids::VoterId;
use crate::core::voting::agent::Grade;
use crate::core::voting::proposal::{Command, Delegate, Proposal, Rejection, Reply, Verdict};
use crate::core::voting::rules::Choice;
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

impl Consensus<'_> {
    /// Hands the place of an agent that is asked and has not voted to another registered agent. From then on that one is
    /// asked, its vote counts as the vote of the one whose place it was, and the first one may not vote any more. Durable
    /// on return; repeating it is safe, and the first reason stands. Nobody has two places, and a place goes on eight times at most.
    ///
    /// # Errors
    /// `invalid_argument` for one who has voted or may not take the place, `not_found`, `not_eligible` for one who has no
    /// place, `delegated` for one who handed it to another before, `proposal_closed`, `coordinator_error`, and the faults of
    /// the store.
    pub async fn delegate(&self, request: DelegateConsensus) -> Result<ConsensusResult, Error> {
        self.q.allow("consensus.delegate", &request).await?;
        let DelegateConsensus { proposal_id, from, to, reason } = request;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        let host = self.q.host();
        let known = registered(host).await.map_err(|reason| {
            let message = format!("the coordinator cannot say who is registered; try again. cause={reason}");
            Error::new(ErrorKind::CoordinatorError, message)
        })?;
        if !known.contains(&to) {
            return Err(Error::invalid("to", to.as_str(), "a registered agent"));
        }
        let grade = lock(&host.counters.agents).grade(&to, host.clock.now(), host.hears_since());
        let absent = grade == Some(Grade::Failed);
        let command = Command::Delegate(Box::new(Delegate { from, to, absent, reason }));
        let (action, named) = (Action::Command(command, None), proposal_id.clone());
        let handed = ask(host, &host.kinds.proposals, &proposal_id, action, move |view| {
            let (duplicate, other_reason) = match view.reply {
                Some(Ok(Reply::Delegated { duplicate, other_reason })) => (duplicate, other_reason),
                Some(Err(Rejection::NotParticipant)) => {
                    let message = "who is to hand its place on has none in this proposal";
                    return Err(Error::new(ErrorKind::NotEligible, message));
                }
                Some(Err(rejection)) => return Err(unchanged(rejection)),
                Some(Ok(_)) | None => (false, false),
            };
            let result = result_view(&named, view.state, view.now)?;
            let differs = other_reason.then(|| "reason".to_owned()).into_iter().collect();
            Ok(ConsensusResult { duplicate: Some(duplicate), differs, ..result })
        });
        self.q.revealed(handed.await??)
    }

    /// Tells those whose votes are outstanding again: their inboxes get the question once more, with how often they were
    /// reminded. Nobody is reminded more than once a minute; those who were are left out. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument` for a voter whose vote is not outstanding, `not_found`, `proposal_closed`, `rate_limited` with
    /// `retry_after_ms` when all of them were reminded within the last minute, and the faults of the store.
    pub async fn remind(&self, request: RemindConsensus) -> Result<ConsensusReminded, Error> {
        self.q.allow("consensus.remind", &request).await?;
        let RemindConsensus { proposal_id, voter, by } = request;
        check_label("by", by.as_deref(), MAX_LABEL)?;
        let host = self.q.host();
        let action = Action::Command(Command::Remind { voter, by }, None);
        let named = proposal_id.clone();
        ask(host, &host.kinds.proposals, &proposal_id, action, move |view| {
            let told = match view.reply {
                Some(Ok(Reply::Reminded(told))) => told,
                Some(Err(rejection)) => return Err(unchanged(rejection)),
                Some(Ok(_)) | None => Vec::new(),
            };
            let counts = reminded(view.state);
            let count = |voter: VoterId| (counts.get(&voter).copied().unwrap_or(0), voter);
            let told = told.into_iter().map(count).map(|(count, voter)| (voter, count)).collect();
            let outstanding = view.state.outstanding().into_iter().cloned().collect();
            Ok(ConsensusReminded { proposal_id: named, reminded: told, outstanding })
        })
        .await?
    }
}

/// The answers of the votes that prevailed.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) values: Option<BTreeMap<VoterId, Value>>,
    pub(super) answer: Option<Value>,
}

/// What those gave whose votes prevailed, and what all of them gave, if it is the same.
pub(super) fn answers(state: &Proposal, votes: &BTreeMap<VoterId, BallotView>) -> Answers {
    let side = match state.decision() {
        Some(Verdict::Approved) => Choice::For,
        Some(Verdict::Rejected) => Choice::Against,
        Some(Verdict::Timeout | Verdict::Aborted | Verdict::Cancelled) | None => return Answers::default(),
    };
    if state.answer.is_none() {
        return Answers::default();
    }
    let mut prevailed = votes.iter().filter(|(_, ballot)| ballot.vote == side);
    let given = prevailed.clone().filter_map(|(voter, ballot)| Some((voter.clone(), ballot.value.clone()?)));
    let values: BTreeMap<VoterId, Value> = given.collect();
    let first = values.values().next().cloned();
    let agree = first.is_some() && prevailed.all(|(_, ballot)| ballot.value == first);
    Answers { values: Some(values), answer: first.filter(|_| agree) }
}

/// Places that went to somebody else, in that order.
pub(super) fn delegations(state: &Proposal) -> Vec<DelegationView> {
    let view = |one: &crate::core::voting::proposal::event::Delegated| DelegationView {
        from: one.from.clone(),
        to: one.to.clone(),
        in_place_of: one.place.clone(),
        reason: one.reason.clone(),
        at: one.at,
    };
    let mut views: Vec<DelegationView> = state.delegated.values().map(view).collect();
    views.sort_by(|one, other| (one.at, &one.from).cmp(&(other.at, &other.from)));
    views
}

/// How often those whose votes are outstanding were reminded.
pub(super) fn reminded(state: &Proposal) -> BTreeMap<VoterId, u32> {
    let reminded = state.told.iter().filter(|(voter, (count, _))| *count > 0 && state.awaits(voter));
    reminded.map(|(voter, (count, _))| (voter.clone(), *count)).collect()
}
