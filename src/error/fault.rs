//! What the store, the writer and stops refuse, in the words of the public interface.

use super::{Error, ErrorKind, typed};
use crate::journal::Fault;
use crate::shell::writer::Failure;

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let kind = match &fault {
            Fault::Conflict { .. } | Fault::KeyTaken { .. } => ErrorKind::Conflict,
            Fault::Fenced { .. } => ErrorKind::Fenced,
            Fault::Stopped { stop_id, scope, number } => {
                return Error::new(ErrorKind::Stopped, fault.to_string())
                    .with("stop_id", stop_id.as_str())
                    .with("scope", scope.as_str())
                    .with("sequence", *number);
            }
            Fault::Pruned { what, pruning } => {
                return Error::new(ErrorKind::Pruned, fault.to_string())
                    .with("what", what.as_str())
                    .with("pruning", *pruning);
            }
            Fault::Overloaded { .. } => ErrorKind::Overloaded,
            Fault::Unavailable { .. } | Fault::Full { .. } => ErrorKind::StoreError,
            Fault::Corrupt { .. } => ErrorKind::StoreCorrupt,
            Fault::Locked { .. } => ErrorKind::StoreLocked,
            Fault::NewerVersion { .. } => ErrorKind::StoreVersion,
            Fault::Foreign { .. } => ErrorKind::StoreForeign,
            Fault::Missing { .. } => ErrorKind::StoreMissing,
            Fault::Moved { .. } | Fault::Moving { .. } => ErrorKind::StoreMoved,
            Fault::Config { knob, value, range } => return Error::invalid(knob, typed(knob, value), range),
        };
        Error::new(kind, fault.to_string())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(fault) => fault.into(),
            Failure::Unknown(fault) => Error::new(
                ErrorKind::OutcomeUnknown,
                format!("it is not known whether the request took effect; repeat it. cause={fault}"),
            ),
        }
    }
}
