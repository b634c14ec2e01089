//! Decisions that are bound to one operation: what they allow, using them, and beginning a job under a use.

use serde_json::Value;

use super::canonical::canonical;
use super::consensus::Consensus;
use super::dto::{
    AllowedOperation, DecisionSpent, JobRef, JobSubmitted, OperationView, SpendConsensus, SpendSession,
    SpentFor, SubmitJob,
};
use super::job::Jobs;
use super::job_view::taken;
use super::json;
use super::quorum::{MAX_LABEL, check_label};
use super::session::Sessions;
use crate::core::kernel::ids::{EntityId, IdempotencyKey};
use crate::core::voting::mandate::{Mandate, Redeem, Spend, Use, Uses, operation_hash};
use crate::core::voting::proposal::{self, ProposalMachine};
use crate::core::voting::session::{self, SessionMachine};
use crate::core::voting::signature::Digest;
use crate::error::Error;
use crate::shell::entity::Action;
use crate::shell::hosts::Hosted;
use crate::shell::registry::Registry;
use crate::shell::runtime::ask;

/// The operation under which a job is approved.
pub(super) const SUBMIT: &str = "job.submit";

/// What a decision is to allow, as the machine keeps it.
///
/// # Errors
/// `invalid_argument` for arguments beside a hash.
pub(super) fn mandate(allowed: Option<&AllowedOperation>) -> Result<Option<Mandate>, Error> {
    let Some(allowed) = allowed else { return Ok(None) };
    let named = Some(&allowed.tool);
    let hash = hash_of("operation", allowed.operation_hash, named, allowed.arguments.as_ref())?;
    Ok(Some(Mandate {
        tool: allowed.tool.as_str().to_owned(),
        operation_hash: hash,
        expires_at: allowed.expires_at,
        uses: allowed.uses.unwrap_or(1),
        fence: allowed.fence,
    }))
}

fn hash_of(
    within: &str,
    given: Option<Digest>,
    tool: Option<&EntityId>,
    arguments: Option<&Value>,
) -> Result<Digest, Error> {
    let field = |name: &str| if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
    if let Some(arguments) = arguments {
        json::check_payload(&field("arguments"), arguments)?;
    }
    match (given, tool, arguments) {
        (Some(_), _, Some(_)) => {
            let expected = "nothing, beside operation_hash";
            Err(Error::invalid(&field("arguments"), "arguments", expected))
        }
        (Some(hash), _, None) => Ok(hash),
        (None, Some(tool), arguments) => {
            Ok(operation_hash(tool.as_str(), &canonical(arguments.unwrap_or(&Value::Null))))
        }
        (None, None, _) => Err(Error::missing(&field("operation_hash"))),
    }
}

/// What a decision allows, as it is shown.
pub(super) fn operation_view(mandate: Option<&Mandate>, uses: &Uses) -> Option<OperationView> {
    mandate.map(|mandate| OperationView {
        tool: mandate.tool.clone(),
        operation_hash: mandate.operation_hash,
        expires_at: mandate.expires_at,
        uses: mandate.uses,
        spent: uses.count(),
        fence: mandate.fence.max(uses.fence),
    })
}

fn spent_view(used: Use, mandate: Option<&Mandate>) -> Option<DecisionSpent> {
    let (Use { spent, duplicate }, mandate) = (used, mandate?);
    Some(DecisionSpent {
        spend_token: spent.token,
        tool: mandate.tool.clone(),
        operation_hash: mandate.operation_hash,
        number: spent.number,
        uses: mandate.uses,
        spent_at: spent.at,
        fence: spent.fence,
        spent_by: spent.by,
        duplicate,
    })
}

/// What is asked of either kind of question.
struct Asked {
    key: IdempotencyKey,
    hash: Option<Digest>,
    tool: Option<EntityId>,
    arguments: Option<Value>,
    fence: Option<u64>,
    by: Option<String>,
}

impl Asked {
    fn spend(self, token: EntityId) -> Result<Spend, Error> {
        check_label("by", self.by.as_deref(), MAX_LABEL)?;
        let hash = hash_of("", self.hash, self.tool.as_ref(), self.arguments.as_ref())?;
        let tool = self.tool.map(|tool| tool.as_str().to_owned());
        Ok(Spend { key: self.key, operation_hash: hash, tool, fence: self.fence, token, by: self.by })
    }
}

impl Sessions<'_> {
    /// Uses the decision of a session for the operation it allows. The check and the use are one step, durable on return; the
    /// same under the same key is answered as the first time.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `nothing_to_spend`, `not_decided`, `not_approved`, `decision_tainted`,
    /// `operation_mismatch`, `approval_expired`, `stale_token`, `already_spent`, `key_reused`, and the faults of the store.
    pub async fn spend(&self, request: SpendSession) -> Result<DecisionSpent, Error> {
        self.q.allow("session.spend", &request).await?;
        let host = self.q.host();
        let SpendSession { session_id: id, key, operation_hash: hash, tool, arguments, fence, by } = request;
        let spend = Asked { key, hash, tool, arguments, fence, by }.spend(host.ids.mint())?;
        let action = Action::Command(session::Command::Spend(Box::new(spend)), None);
        let asked = ask(host, &host.kinds.sessions, &id, action, |view| match view.reply {
            Some(Ok(session::Reply::Spent(used))) => {
                spent_view(*used, view.state.mandate.as_deref()).ok_or(session::Rejection::NotFound)
            }
            Some(Err(rejection)) => Err(rejection),
            Some(Ok(_)) | None => Err(session::Rejection::NotFound),
        });
        Ok(asked.await??)
    }
}

impl Consensus<'_> {
    /// Uses the decision of a proposal for the operation it allows. The check and the use are one step, durable on return; the
    /// same under the same key is answered as the first time.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `nothing_to_spend`, `not_decided`, `not_approved`, `operation_mismatch`,
    /// `approval_expired`, `stale_token`, `already_spent`, `key_reused`, and the faults of the store.
    pub async fn spend(&self, request: SpendConsensus) -> Result<DecisionSpent, Error> {
        self.q.allow("consensus.spend", &request).await?;
        let host = self.q.host();
        let SpendConsensus { proposal_id: id, key, operation_hash: hash, tool, arguments, fence, by } =
            request;
        let spend = Asked { key, hash, tool, arguments, fence, by }.spend(host.ids.mint())?;
        let action = Action::Command(proposal::Command::Spend(Box::new(spend)), None);
        let asked = ask(host, &host.kinds.proposals, &id, action, |view| match view.reply {
            Some(Ok(proposal::Reply::Spent(used))) => {
                spent_view(*used, view.state.mandate.as_deref()).ok_or(proposal::Rejection::NotFound)
            }
            Some(Err(rejection)) => Err(rejection),
            Some(Ok(_)) | None => Err(proposal::Rejection::NotFound),
        });
        Ok(asked.await??)
    }
}

/// A question whose decision can be used.
trait Spendable: Hosted {
    /// The command that binds a use to a job.
    fn redeem(redeem: Redeem, named: bool) -> Self::Command;
    /// The job it is bound to, and whether it was before.
    fn begun(reply: Self::Reply) -> Option<(EntityId, bool)>;
    /// What was used of it.
    fn uses(state: &Self::State) -> &Uses;
    /// No question of this id.
    fn missing() -> Error;
}

impl Spendable for SessionMachine {
    fn redeem(redeem: Redeem, named: bool) -> Self::Command {
        session::Command::Redeem(Box::new(redeem), named)
    }

    fn begun(reply: Self::Reply) -> Option<(EntityId, bool)> {
        match reply {
            session::Reply::Redeemed(begun) => Some((begun.redeemed.job_id, begun.duplicate)),
            _ => None,
        }
    }

    fn uses(state: &session::Session) -> &Uses {
        &state.uses
    }

    fn missing() -> Error {
        session::Rejection::NotFound.into()
    }
}

impl Spendable for ProposalMachine {
    fn redeem(redeem: Redeem, named: bool) -> Self::Command {
        proposal::Command::Redeem(Box::new(redeem), named)
    }

    fn begun(reply: Self::Reply) -> Option<(EntityId, bool)> {
        match reply {
            proposal::Reply::Redeemed(begun) => Some((begun.redeemed.job_id, begun.duplicate)),
            _ => None,
        }
    }

    fn uses(state: &proposal::Proposal) -> &Uses {
        &state.uses
    }

    fn missing() -> Error {
        proposal::Rejection::NotFound.into()
    }
}

impl Jobs<'_> {
    /// Begins the job that a decision allows, once: the use is bound to the job before the job begins, and a repeat goes on
    /// with that job or tells what became of it.
    pub(super) async fn submit_spent(
        &self,
        spent: SpentFor,
        mut request: SubmitJob,
    ) -> Result<JobSubmitted, Error> {
        let arguments = serde_json::to_value(&request)
            .map_err(|e| Error::invalid("spend", e.to_string(), "a request that can be read"))?;
        let redeem = Redeem {
            token: spent.spend_token,
            operation_hash: operation_hash(SUBMIT, &canonical(&arguments)),
            job_id: request.job_id.clone().unwrap_or_else(|| self.host().ids.mint()),
        };
        let named = request.job_id.is_some();
        // One at a time: a repeat must find the job that the first one began.
        let _turn = self.host().redeeming.lock().await;
        let kinds = &self.host().kinds;
        let (job_id, again) = match (spent.session_id, spent.proposal_id) {
            (Some(id), None) => self.bind(&kinds.sessions, &id, redeem, named).await?,
            (None, Some(id)) => self.bind(&kinds.proposals, &id, redeem, named).await?,
            (given, _) => {
                let told = if given.is_some() { "both" } else { "neither" };
                return Err(Error::invalid("spend", told, "one of session_id and proposal_id"));
            }
        };
        if again && (self.is_known(&job_id).await? || !self.datacenters(&job_id).await?.is_empty()) {
            return self.submitted_before(job_id).await;
        }
        request.job_id = Some(job_id);
        self.taken(request).await
    }

    async fn bind<M: Spendable>(
        &self,
        registry: &Registry<M>,
        id: &EntityId,
        redeem: Redeem,
        named: bool,
    ) -> Result<(EntityId, bool), Error>
    where
        Error: From<M::Rejection>,
    {
        if named {
            let token = redeem.token.clone();
            let bound = ask(self.host(), registry, id, Action::Read, move |view| {
                M::uses(view.state).bound_to(&token).is_some()
            });
            // A job that began without the use does not begin under it, and the use is not lost to it.
            if !bound.await? {
                self.check_new(&redeem.job_id).await?;
            }
        }
        let action = Action::Command(M::redeem(redeem, named), None);
        let asked = ask(self.host(), registry, id, action, |view| view.reply);
        match asked.await? {
            Some(Ok(reply)) => M::begun(reply).ok_or_else(M::missing),
            Some(Err(rejection)) => Err(rejection.into()),
            None => Err(M::missing()),
        }
    }

    async fn check_new(&self, job_id: &EntityId) -> Result<(), Error> {
        match self.is_known(job_id).await? || !self.datacenters(job_id).await?.is_empty() {
            true => Err(taken("a job of this id began without the use of the decision")),
            false => Ok(()),
        }
    }

    async fn submitted_before(&self, job_id: EntityId) -> Result<JobSubmitted, Error> {
        let told = self.status_now(JobRef { job_id: job_id.clone(), datacenter: None }).await?;
        let first = told.datacenters.first();
        Ok(JobSubmitted {
            job_id,
            status: told.status,
            strategy_type: first.map(|job| job.strategy_type.clone()).unwrap_or_default(),
            fence_token: None,
            gate_epoch: None,
            target_datacenters: told.datacenters.iter().map(|job| job.datacenter.clone()).collect(),
            routed: None,
            duplicate: true,
        })
    }
}
