//! What data subjects refuse, in the words of the public interface.

use super::{Error, ErrorKind};
use crate::core::trust::subject::Rejection;

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound => {
                Error::new(ErrorKind::NotFound, "nothing was ever sealed for a data subject of this name")
            }
            Rejection::Shredded => Error::new(
                ErrorKind::SubjectShredded,
                "the data of this data subject was shredded, and its name takes no more",
            ),
            Rejection::NotAsked => Error::new(
                ErrorKind::NothingDone,
                "nobody asked for the key of this data subject to be destroyed",
            ),
            Rejection::TooMany { limit } => Error::new(
                ErrorKind::LimitExceeded,
                format!("as many data subjects are known as may be. limit={limit}"),
            )
            .with("field", "data_subject")
            .with("limit", limit),
        }
    }
}
