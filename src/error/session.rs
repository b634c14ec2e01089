//! What sessions and voters reject, in the words of the public interface.

use super::voting::{delegated, reminded_before};
use super::{Error, ErrorKind, typed};
use crate::core::voting::session::certificate::{Flaw, Uncertifiable};
use crate::core::voting::session::{self, Refusal};
use crate::core::voting::voter;

/// The kind of error of a vote, or of a request shown as a vote is, that is refused for this reason.
fn kind_of(reason: Refusal) -> ErrorKind {
    match reason {
        Refusal::SessionClosed => ErrorKind::SessionClosed,
        Refusal::NotEligible => ErrorKind::NotEligible,
        Refusal::AlreadyVoted => ErrorKind::AlreadyVoted,
        Refusal::Delegated => ErrorKind::Delegated,
        Refusal::Quarantined | Refusal::Byzantine | Refusal::Excluded | Refusal::Equivocation => {
            ErrorKind::ByzantineFault
        }
        Refusal::Malformed
        | Refusal::WrongRound
        | Refusal::UnknownCandidate
        | Refusal::Unauthenticated
        | Refusal::BadSignature
        | Refusal::HashMismatch
        | Refusal::KeyEnded
        | Refusal::Skew
        | Refusal::Replay
        | Refusal::Superseded
        | Refusal::Changed
        | Refusal::Sealed
        | Refusal::NotSealed
        | Refusal::NotAsPromised => ErrorKind::InvalidVote,
    }
}

impl From<session::Rejection> for Error {
    fn from(rejection: session::Rejection) -> Self {
        match rejection {
            session::Rejection::NotFound => {
                Error::new(ErrorKind::NotFound, "no session of this id was ever opened")
            }
            session::Rejection::AlreadyExists => Error::new(
                ErrorKind::AlreadyExists,
                "a session of this id was opened before; choose another id",
            )
            .with("field", "session_id"),
            session::Rejection::InsufficientParticipants { need, have } => Error::new(
                ErrorKind::InsufficientParticipants,
                format!("too few voters may vote. need={need}, have={have}"),
            )
            .with("need", need)
            .with("have", have),
            session::Rejection::Ended { outcome } => Error::new(
                ErrorKind::SessionClosed,
                format!("the session has ended. outcome={}", outcome.name()),
            )
            .with("outcome", outcome.name()),
            session::Rejection::OtherRound { held, given } => {
                Error::invalid("round", given, &format!("{held}, the round that is open"))
            }
            session::Rejection::Vote { reason, detail, recorded } => {
                let kind = kind_of(reason);
                Error::new(kind, format!("the vote does not count: {detail}"))
                    .with("reason", reason.name())
                    .with("layer", reason.layer())
                    .with("recorded", recorded)
            }
            session::Rejection::StillOpen => Error::new(
                ErrorKind::NotDecided,
                "the session is open, so nobody knows yet what was right in it; tell it when it has ended",
            ),
            session::Rejection::ToldOtherwise { held } => Error::new(
                ErrorKind::AlreadyExists,
                format!("something else was told of the session before, and that stands. truth={held}"),
            )
            .with("field", "truth")
            .with("held", held),
            session::Rejection::OwnCause { voter } => Error::new(
                ErrorKind::NotEligible,
                format!("a voter of the question does not tell what was right in it. voter_id={voter}"),
            )
            .with("voter_id", voter.as_str()),
            session::Rejection::Delegation { reason, detail } => {
                Error::new(kind_of(reason), format!("the place is not handed on: {detail}"))
                    .with("reason", reason.name())
                    .with("layer", reason.layer())
            }
            session::Rejection::Delegated { to } => delegated(to.as_str()),
            session::Rejection::RemindedBefore { retry_after_ms } => reminded_before(retry_after_ms),
            session::Rejection::Unspendable(refusal) => (*refusal).into(),
            session::Rejection::Invalid { field, given, expected } => {
                Error::invalid(field, typed(field, &given), &expected)
            }
        }
    }
}

impl From<voter::Rejection> for Error {
    fn from(rejection: voter::Rejection) -> Self {
        match rejection {
            voter::Rejection::NotRegistered => {
                Error::new(ErrorKind::NotFound, "no voter of this id is registered; register it first")
                    .with("field", "voter_id")
            }
            voter::Rejection::Differs { field } => Error::new(
                ErrorKind::AlreadyExists,
                format!(
                    "the voter is registered otherwise, and a voter keeps its key and weight. differs={field}"
                ),
            )
            .with("field", field),
            voter::Rejection::BadKey(bad) => Error::invalid(
                "public_key",
                bad.to_string(),
                "an Ed25519 key under which a signature proves something",
            ),
            voter::Rejection::PardonNeeded => {
                let expected = "true: a fault of the voter is proven, and only a pardon lets it vote again";
                Error::invalid("pardon", false, expected)
            }
            voter::Rejection::NothingToRelease { standing } => Error::new(
                ErrorKind::NothingDone,
                format!("the voter is not quarantined; nothing changed. state={standing}"),
            )
            .with("state", standing),
            voter::Rejection::Proven => Error::new(
                ErrorKind::NothingDone,
                "a fault of the voter is proven, which is more than quarantine; nothing changed",
            )
            .with("state", "byzantine"),
            voter::Rejection::JudgedOtherwise { question } => Error::new(
                ErrorKind::AlreadyExists,
                format!(
                    "something else was told of this question before, and that stands. question_id={question}"
                ),
            )
            .with("field", "question_id"),
            voter::Rejection::ChosenOtherwise { selection_id } => Error::new(
                ErrorKind::AlreadyExists,
                format!(
                    "a choice of this id came out otherwise, and that stands; take another id. \
                     selection_id={selection_id}"
                ),
            )
            .with("field", "selection_id"),
            voter::Rejection::NoKey => Error::new(
                ErrorKind::NothingDone,
                "the voter has no key that another could take the place of; nothing changed",
            ),
            voter::Rejection::OldKey { version } => Error::new(
                ErrorKind::AlreadyExists,
                format!(
                    "the voter had this key before, and a key that ended stays so. key_version={version}"
                ),
            )
            .with("field", "public_key")
            .with("key_version", version),
            voter::Rejection::NotSigned { version } => {
                let expected = "the signature of the voter's present key over the change";
                Error::invalid("signature", "another signature", expected).with("key_version", version)
            }
        }
    }
}

impl From<Uncertifiable> for Error {
    fn from(why: Uncertifiable) -> Self {
        let error = Error::new(ErrorKind::NotCertifiable, why.to_string());
        match why {
            Uncertifiable::Proven { proven, .. } => {
                error.with("malicious_agents", proven.iter().map(|voter| voter.as_str()).collect::<Vec<_>>())
            }
            Uncertifiable::Undecided(_) | Uncertifiable::Unsigned { .. } => error,
        }
    }
}

impl From<Flaw> for Error {
    fn from(flaw: Flaw) -> Self {
        Error::new(ErrorKind::IntegrityViolation, format!("the certificate does not hold: {flaw}"))
    }
}
