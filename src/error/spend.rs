//! What decisions that allow one operation refuse, in the words of the public interface.

use super::{Error, ErrorKind};
use crate::core::voting::mandate::Refusal;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        let error = |kind| Error::new(kind, message.clone());
        match refusal {
            Refusal::NoMandate => error(ErrorKind::NothingToSpend),
            Refusal::Pending => error(ErrorKind::NotDecided),
            Refusal::NotApproved { outcome } => error(ErrorKind::NotApproved).with("outcome", outcome),
            Refusal::Tainted => error(ErrorKind::DecisionTainted),
            Refusal::OtherOperation { tool, expected, given } => error(ErrorKind::OperationMismatch)
                .with("tool", tool)
                .with("expected", expected.to_string())
                .with("given", given.to_string()),
            Refusal::Expired { at, now: _ } => {
                error(ErrorKind::ApprovalExpired).with("expires_at", at.to_string())
            }
            Refusal::Fence { held, given } => {
                error(ErrorKind::StaleToken).with("held", held).with("given", given)
            }
            Refusal::Exhausted { uses } => error(ErrorKind::AlreadySpent).with("uses", uses),
            Refusal::KeyReused { number } => error(ErrorKind::KeyReused).with("number", number),
            Refusal::NoSuchToken => error(ErrorKind::TokenNotFound).with("field", "spend.spend_token"),
            Refusal::TokenUsed { job_id } => error(ErrorKind::AlreadySpent).with("job_id", job_id.as_str()),
        }
    }
}
