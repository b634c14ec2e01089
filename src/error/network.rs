//! What datacenters, routes and coordinates reject, and gates, in the words of the public interface.

use super::{Error, ErrorKind, in_seconds, stale, typed};
use crate::core::jobs::gate;
use crate::core::network::coordinate::Refused;
use crate::core::network::route::{Excluded, StaleFence, record};
use crate::core::network::{OutOfRange, datacenter};

impl From<OutOfRange> for Error {
    fn from(refused: OutOfRange) -> Self {
        Error::invalid(refused.field, typed(refused.field, &refused.given), refused.expected)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::RoundTrip(out) => {
                Error::invalid("rtt_ms", typed("rtt_ms", &out.given), "above 0, at most 10000 milliseconds")
            }
            Refused::Dimensions { expected, given } => {
                let expected = format!("{expected} components, as all nodes have");
                Error::invalid("vivaldi_coord.vec", format!("{given} components"), &expected)
            }
        }
    }
}

impl From<datacenter::Rejection> for Error {
    fn from(rejection: datacenter::Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            datacenter::Rejection::OutOfRange(out) => out.into(),
            datacenter::Rejection::Full { limit } => Error::new(ErrorKind::LimitExceeded, message)
                .with("field", "datacenter_id")
                .with("limit", limit),
            datacenter::Rejection::Unknown { datacenter } => {
                Error::new(ErrorKind::UnknownDatacenter, message).with("datacenter", datacenter.as_str())
            }
        }
    }
}

impl From<record::Rejection> for Error {
    fn from(rejection: record::Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            record::Rejection::Unknown => Error::new(ErrorKind::NotFound, message).with("field", "job_id"),
            record::Rejection::Stale(StaleFence { held, given }) => stale(held, given, message),
            record::Rejection::NeverTried { datacenter } => {
                Error::new(ErrorKind::UnknownDatacenter, message).with("datacenter", datacenter.as_str())
            }
        }
    }
}

impl Error {
    /// No datacenter may take a job: each with the reason.
    pub(crate) fn no_datacenter(excluded: &[Excluded]) -> Self {
        let named = |excluded: &Excluded| format!("{} {}", excluded.datacenter_id, excluded.reason.name());
        let names: Vec<String> = excluded.iter().take(16).map(named).collect();
        let more = excluded.len().saturating_sub(names.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let message = format!("no datacenter may take the job. excluded={}{more}", names.join(", "));
        Error::new(ErrorKind::NoDatacenter, message).with("excluded", names)
    }
}

impl From<gate::Rejection> for Error {
    fn from(rejection: gate::Rejection) -> Self {
        let message = rejection.to_string();
        let plain = |kind| Error::new(kind, message.clone());
        match rejection {
            gate::Rejection::Invalid { field, given, expected } => in_seconds(field, &given, &expected),
            gate::Rejection::NoTargets => {
                Error::invalid("target_datacenters", "none", "at least one datacenter")
            }
            gate::Rejection::DuplicateTarget { datacenter } => {
                Error::invalid("target_datacenters", datacenter.as_str(), "each datacenter once")
            }
            gate::Rejection::UnknownDatacenter { datacenter } => {
                plain(ErrorKind::UnknownDatacenter).with("datacenter", datacenter.as_str())
            }
            gate::Rejection::AlreadyTracked { .. } => plain(ErrorKind::AlreadyExists).with("field", "job_id"),
            gate::Rejection::IdOfEnded { status } => {
                plain(ErrorKind::AlreadyExists).with("field", "job_id").with("status", status)
            }
            gate::Rejection::NotTracked => plain(ErrorKind::NotFound).with("field", "job_id"),
            gate::Rejection::Unheard { .. } => plain(ErrorKind::NotFound).with("field", "datacenter"),
            gate::Rejection::Ended { status } => plain(ErrorKind::JobEnded).with("status", status),
            gate::Rejection::OtherJob { .. } | gate::Rejection::NotForGate { .. } => {
                Error::invalid("message", message, "one for this gate")
            }
            gate::Rejection::Stale { held, given } => stale(held.get(), given.get(), message),
            gate::Rejection::OtherLeader { held, .. } => stale(held.get(), held.get(), message),
            gate::Rejection::TokenMismatch { expected, given } => stale(expected.get(), given.get(), message),
            gate::Rejection::LedElsewhere { gate, .. } => {
                plain(ErrorKind::LedElsewhere).with("gate", gate.as_str())
            }
            gate::Rejection::EpochsExhausted => plain(ErrorKind::LimitExceeded),
        }
    }
}
