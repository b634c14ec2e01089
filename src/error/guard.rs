//! What guards of resources refuse, in the words of the public interface.

use super::{Error, ErrorKind};
use crate::guard::{Refusal, TOKEN_HEADER};

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::Stale { held, given } => {
                return Error::new(ErrorKind::StaleToken, refusal.to_string())
                    .with("held", held.get())
                    .with("given", given.get());
            }
            Refusal::Stopped(stopped) => {
                return Error::new(ErrorKind::Stopped, refusal.to_string())
                    .with("stop_id", stopped.stop_id.as_str())
                    .with("scope", stopped.scope.as_str())
                    .with("sequence", stopped.sequence);
            }
            Refusal::NotMinted => return Error::invalid(TOKEN_HEADER, 0, "1 or more"),
            Refusal::Busy { .. } => ErrorKind::StoreLocked,
            Refusal::Damaged { .. } => ErrorKind::StoreCorrupt,
            Refusal::Io { .. } | Refusal::Broken { .. } => ErrorKind::StoreError,
        };
        Error::new(kind, refusal.to_string())
    }
}
