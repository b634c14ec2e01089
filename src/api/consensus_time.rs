//! Questions that stay open longer, or are withdrawn.

use std::time::Duration;

use super::consensus::{Consensus, result_view};
use super::dto::{CancelConsensus, ConsensusResult, ExtendConsensus};
use super::quorum::{MAX_LABEL, MAX_REASON, check_label, check_sentence};
use crate::core::kernel::ids::EntityId;
use crate::core::voting::proposal::{Command, Extend, Rejection, Reply, Until};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::runtime::ask;

impl Consensus<'_> {
    /// Takes votes longer than was said. Durable on return; the same deadline again changes nothing. Votes are never taken
    /// shorter.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `proposal_closed`, and the faults of the store.
    pub async fn extend(&self, request: ExtendConsensus) -> Result<ConsensusResult, Error> {
        self.q.allow("consensus.extend", &request).await?;
        let ExtendConsensus { proposal_id, timeout_ms, deadline, by, reason } = request;
        let until = match (timeout_ms, deadline) {
            (None, Some(deadline)) => Until::At(deadline),
            (Some(ms), None) => {
                let given = u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis);
                Until::FromNow(given.ok_or_else(|| Error::invalid("timeout_ms", ms, "1 or more"))?)
            }
            (Some(ms), Some(_)) => return Err(Error::invalid("timeout_ms", ms, "none beside a deadline")),
            (None, None) => {
                return Err(Error::missing("timeout_ms").with("expected", "timeout_ms or deadline"));
            }
        };
        check_label("by", by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        let longest = self.q.host().config.consensus.max_timeout;
        self.told(&proposal_id, Command::Extend(Extend { until, longest, by, reason })).await
    }

    /// Withdraws a question: it ends as cancelled, without a decision. Durable on return; repeating it is safe.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `proposal_closed`, and the faults of the store.
    pub async fn cancel(&self, request: CancelConsensus) -> Result<ConsensusResult, Error> {
        self.q.allow("consensus.cancel", &request).await?;
        let CancelConsensus { proposal_id, by, reason } = request;
        check_label("by", by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        self.told(&proposal_id, Command::Cancel { by, reason }).await
    }

    async fn told(&self, id: &EntityId, command: Command) -> Result<ConsensusResult, Error> {
        let (host, named) = (self.q.host(), id.clone());
        let action = Action::Command(command, None);
        let seen = ask(host, &host.kinds.proposals, id, action, move |view| {
            let duplicate = match view.reply {
                Some(Ok(Reply::Extended { duplicate } | Reply::Cancelled { duplicate })) => duplicate,
                Some(Ok(
                    Reply::Opened
                    | Reply::Voted { .. }
                    | Reply::Delegated { .. }
                    | Reply::Reminded(_)
                    | Reply::Spent(_)
                    | Reply::Redeemed(_)
                    | Reply::Done,
                ))
                | None => false,
                Some(Err(rejection)) => return Err(unchanged(rejection)),
            };
            let result = result_view(&named, view.state, view.now)?;
            Ok(ConsensusResult { duplicate: Some(duplicate), ..result })
        });
        self.q.revealed(seen.await??)
    }
}

/// The error of a request that is no vote: one that comes too late is not said to be on record.
pub(super) fn unchanged(rejection: Rejection) -> Error {
    match rejection {
        Rejection::Closed { decision } => {
            let message = format!("the proposal has ended; nothing changed. state={}", decision.name());
            Error::new(ErrorKind::ProposalClosed, message).with("state", decision.name())
        }
        rejection => rejection.into(),
    }
}
