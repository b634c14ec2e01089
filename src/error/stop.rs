//! What stops refuse, in the words of the public interface.

use super::{Error, ErrorKind, typed};
use crate::core::trust::stop::Rejection;

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Error::new(ErrorKind::NotFound, "no stop of this id was ever engaged"),
            Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "another stop of this id is, or was, engaged; choose another id",
            )
            .with("field", "stop_id"),
            Rejection::TooMany { limit } => Error::new(
                ErrorKind::LimitExceeded,
                format!("as many stops are in force as may be. limit={limit}"),
            )
            .with("limit", limit),
            Rejection::NotReleasing { why, detail } => Error::new(
                ErrorKind::NotReleasing,
                format!("the decision does not release the stop: {detail}"),
            )
            .with("why", why),
            Rejection::Invalid { field, given, expected } => {
                Error::invalid(field, typed(field, &given), &expected)
            }
        }
    }
}
