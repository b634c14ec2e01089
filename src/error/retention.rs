//! What retention refuses, in the words of the public interface.

use super::{Error, ErrorKind};
use crate::core::trust::retention::Rejection;

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Error::new(ErrorKind::NotFound, "nothing is held so"),
            Rejection::HeldFor { reason } => Error::new(
                ErrorKind::AlreadyExists,
                "it is held for another reason, which one release would end too; name both in one hold",
            )
            .with("held_reason", reason),
            Rejection::TooMany { limit } => Error::new(
                ErrorKind::LimitExceeded,
                format!("as many holds are there as may be. limit={limit}"),
            )
            .with("limit", limit),
        }
    }
}
