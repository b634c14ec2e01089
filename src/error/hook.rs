//! What hooks reject, in the words of the public interface.

use super::{Error, ErrorKind};
use crate::core::trust::hook::Rejection;

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => Error::new(ErrorKind::NotFound, "no hook of this id was ever registered"),
            Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "another hook of this id is, or was, registered; choose another id",
            )
            .with("field", "hook_id"),
            Rejection::Over => Error::new(
                ErrorKind::NothingDone,
                "the hook was removed, which is for good; register another one",
            ),
        }
    }
}
