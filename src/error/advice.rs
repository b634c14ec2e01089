//! What to do about an error: the second line of an error on the command line, and the last one of a failed tool.

use super::{Error, ErrorKind};

/// What whoever asked can do about this error: what it says itself, or what its kind does.
pub fn advice_of(error: &Error) -> &str {
    error.detail("next").and_then(serde_json::Value::as_str).unwrap_or_else(|| advice(error.kind()))
}

/// What whoever asked can do about an error of this kind, as a sentence without its full stop. Commands stand in backquotes as the
/// command line has them; a door that calls them otherwise writes them otherwise.
pub fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "correct the value named above; --help lists what is allowed",
        ErrorKind::MalformedRequest => "correct the input at the place named above",
        ErrorKind::PayloadTooLarge => "send less at once",
        ErrorKind::RequestTimeout => "send the whole request at once, or over a faster line",
        ErrorKind::UnknownOperation => "`quorate ops` lists every operation",
        ErrorKind::NotFound => "check the id; `quorate history query` shows what was ever recorded",
        ErrorKind::Pruned => "nothing; `quorate retention list` shows what was pruned, and by which rule",
        ErrorKind::LedElsewhere => {
            "ask the node that is named above, which has the job now; `quorate members` says where it is"
        }
        ErrorKind::AlreadyExists => "choose another id, or ask for the status of the one that exists",
        ErrorKind::KeyReused => "use a new idempotency key; the entity named above has this one",
        ErrorKind::UnreachableRequirement => "require at most as many approvals as there are voters",
        ErrorKind::UnknownMembership => {
            "register the cells or authorities first (`quorate cell register`, `quorate cmp register`)"
        }
        ErrorKind::UnknownAlgorithm => {
            "`quorate algorithm list` shows them; `quorate algorithm register` adds one"
        }
        ErrorKind::CoordinatorError => "look at the cause, then try again; nothing was opened",
        ErrorKind::NotEligible => "vote as one of those who were asked",
        ErrorKind::ForeignHost => "use an address of the loopback in --url, or serve with --allow-host NAME",
        ErrorKind::ProofInvalid => "do not believe what it claims; ask who gave it for another",
        ErrorKind::ForeignOrigin => "ask from a program, not from a web page of elsewhere",
        ErrorKind::AlreadyVoted => "nothing; the first vote stands",
        ErrorKind::QuorumClosed | ErrorKind::QuorumTimeout => {
            "nothing; the outcome is final, and `quorate quorum status` shows it"
        }
        ErrorKind::ProposalClosed => {
            "nothing; the decision is final, and `quorate consensus result` shows it"
        }
        ErrorKind::Aborted => "look at the reason; `quorate agent list` shows who can be asked",
        ErrorKind::Expired => "ask again, with more time",
        ErrorKind::Cancelled => "nothing; ask again if it is still wanted",
        ErrorKind::NothingDone => "look at the reason; nothing changed",
        ErrorKind::NotAuthenticated => {
            "give the token of an identity with --token-file, --token or QUORATE_TOKEN; on the server's machine, `quorate identity rotate NAME --data DIR` makes a new one"
        }
        ErrorKind::NotAuthorized => "an admin may grant what is missing: `quorate identity grant`",
        ErrorKind::TokenNotFound => "`quorate history query --kind cell` shows the tokens that were granted",
        ErrorKind::NotTokenOwner => "the holder named in the message may act, or transfer the token",
        ErrorKind::TokenExpired | ErrorKind::TokenReleased | ErrorKind::TokenRevoked => {
            "request capacity again"
        }
        ErrorKind::NotRenewable => "request a renewable lease next time",
        ErrorKind::StaleToken => {
            "stop what is done under this token; `held` is in force. After a restart of the server the holder of a lease is told its new token by `quorate job renew`"
        }
        ErrorKind::TokenMissing => {
            "show the token of the lease with --fence-token: `quorate job acquire` told its holder"
        }
        ErrorKind::UnknownToken => {
            "use the token that was granted; `quorate job status` shows the one in force"
        }
        ErrorKind::JobEnded => "nothing; `quorate job why` shows how it ended",
        ErrorKind::IllegalTransition => "`quorate job status` shows where the workflow is",
        ErrorKind::LeaseHeld => "wait until the lease ends, or take it with --force",
        ErrorKind::LeaseLost => "stop what is done under it, then take the lease again",
        ErrorKind::NoLeader => "take the job over first (`quorate job transfer`, `quorate job acquire`)",
        ErrorKind::UnknownDatacenter => "name a datacenter of the job, or of the configuration",
        ErrorKind::NoDatacenter => {
            "look how they are (`quorate datacenter list`), and try again when one is well"
        }
        ErrorKind::LimitExceeded => "wait until something ends, or raise the limit named above",
        ErrorKind::Overloaded | ErrorKind::Conflict => "try again",
        ErrorKind::ShareExceeded => {
            "wait until something that you asked for is answered, then try again; `max_requests_each` and the like of `serve --config` say how much one client may have"
        }
        ErrorKind::Fenced => "stop this process; another one owns the journal now",
        ErrorKind::OutcomeUnknown => {
            "repeat the same command: under the same ids a repeat of what was done changes nothing"
        }
        ErrorKind::NoAnswer => "start the server, or check its address; then try again: nothing took effect",
        ErrorKind::StoreError => "look at the cause, then try again; nothing took effect",
        ErrorKind::StoreLocked => {
            "stop the process that holds the folder, or ask it: it answers for the folder only if it is a server"
        }
        ErrorKind::StoreMissing => {
            "check the path; `quorate serve`, and operations that begin something (`quorum start`, `agent register`, `job submit`), make a store"
        }
        ErrorKind::StoreForeign => "choose a folder that is empty or holds a Quorate store",
        ErrorKind::StoreMoved => {
            "open the journal where it is now, or begin `quorate move` again to end a move"
        }
        ErrorKind::StoreVersion => "use the newer version of quorate that wrote this folder",
        ErrorKind::InsufficientParticipants => {
            "register more voters (`quorate voter register`), or declare fewer faults"
        }
        ErrorKind::SessionClosed => "nothing; the outcome is final, and `quorate session result` shows it",
        ErrorKind::InvalidVote => "look at the reason; `quorate session result` shows round and hashes",
        ErrorKind::ByzantineFault => "`quorate voter state` shows why the voter is not trusted",
        ErrorKind::RateLimited => "wait a second, then try again",
        ErrorKind::NotCertifiable => {
            "unsigned votes: let voters register a key and sign; a decision that rests on a proven liar: ask again without it"
        }
        ErrorKind::IntegrityViolation => {
            "do not act on it; ask for the certificate again, and from whom it came"
        }
        ErrorKind::NothingToSpend => "name the operation when the question is put (--operation)",
        ErrorKind::NotDecided => "wait until it is decided, then use it",
        ErrorKind::NotApproved => "do not do it; ask again if there is a reason to",
        ErrorKind::DecisionTainted => "do not do it; let other voters decide anew",
        ErrorKind::OperationMismatch => {
            "do exactly what was decided, with the arguments that were, or have this decided about too"
        }
        ErrorKind::ApprovalExpired | ErrorKind::AlreadySpent => "have it decided anew",
        ErrorKind::Stopped => "wait until the stop is released; `quorate stop list` shows who may release it",
        ErrorKind::NotReleasing => {
            "have those whom the stop names decide about `stop.release` of this stop, then show that decision"
        }
        ErrorKind::Delegated => "nothing; the one named above votes in that place",
        ErrorKind::StoreCorrupt => {
            "try `quorate recover DIR --to NEW` first: it keeps everything that verifies, in a new folder, and lists what is missing; --accept-loss opens this one, may keep less, and puts the loss on record"
        }
    }
}
