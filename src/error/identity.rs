//! What identities reject, in the words of the public interface.

use super::{Error, ErrorKind};
use crate::core::trust::identity::{MAX_TOKENS, Rejection};

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Error::new(ErrorKind::NotFound, "no identity of this name was ever made"),
            Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "an identity of this name was made before; choose another name, or rotate and grant this one",
            ),
            Rejection::Over => Error::new(
                ErrorKind::NothingDone,
                "the identity has expired or was revoked, which is for good; make another one",
            ),
            Rejection::UnknownToken { number } => {
                Error::invalid("token_number", number, "the number of a token that was issued")
            }
            Rejection::TooManyTokens => {
                let message =
                    format!("the identity has too many live tokens; end one first. limit={MAX_TOKENS}");
                Error::new(ErrorKind::LimitExceeded, message).with("field", "name").with("limit", MAX_TOKENS)
            }
        }
    }
}
