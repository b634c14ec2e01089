//! Operations on the voters of sessions: register, look, quarantine, release.

pub(in crate::api) mod trust;

use std::time::Duration;

use super::Quorate;
use super::cursor;
use super::dto::{
    ListVoters, QuarantineVoter, RegisterVoter, ReleaseVoter, VoterPage, VoterRef, VoterRegistered,
    VoterView, VotersStatus,
};
use super::quorum::{MAX_REASON, check_sentence, page_limit};
use super::session_plan::{millionths, whole};
use crate::core::kernel::ids::{EntityId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::voting::signature::{Digest, Domain};
use crate::core::voting::voter::{Cause, Command, Rejection, Reply, Standing, Voter};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Words that stand where an id would in HTTP paths.
const RESERVED: [&str; 2] = ["register", "feedback"];
/// Fewest and most bytes of a handle.
const HANDLE: std::ops::RangeInclusive<usize> = 16..=256;
/// Shortest and longest quarantine that an operator may name, in milliseconds.
const QUARANTINE_MS: std::ops::RangeInclusive<u64> = 1_000..=31_536_000_000;
/// The largest weight.
pub(super) const MAX_WEIGHT: f64 = 1e9;

/// Operations on the voters of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Voters<'a> {
    pub(super) q: &'a Quorate,
}

/// The hash of a handle, which is all that is kept of it.
pub(super) fn handle_hash(handle: &str) -> Digest {
    Domain::Handle.hash(handle.as_bytes())
}

impl Voters<'_> {
    /// Registers a voter: it signs its votes with a key, or presents a handle with them. Durable on return; the same
    /// registration again changes nothing.
    ///
    /// # Errors
    /// `invalid_argument`, also for a key under which signatures prove nothing; `already_exists` for a key of another
    /// voter, and for a voter that is registered otherwise; the faults of the store.
    pub async fn register(&self, request: RegisterVoter) -> Result<VoterRegistered, Error> {
        self.q.allow("voter.register", &request).await?;
        let RegisterVoter { voter_id, public_key, handle, weight } = request;
        if RESERVED.contains(&voter_id.as_str()) {
            return Err(Error::invalid(
                "voter_id",
                voter_id.as_str(),
                "an id other than register and feedback",
            ));
        }
        if let Some(given) = handle.as_ref().filter(|handle| !HANDLE.contains(&handle.len())) {
            // What it is stays a secret.
            return Err(Error::invalid("handle", format!("{} bytes", given.len()), "16 to 256 bytes"));
        }
        let weight = millionths("weight", weight.unwrap_or(1.0), MAX_WEIGHT)?;
        let host = self.q.host();
        let was_own = public_key.is_some_and(|key| lock(&host.counters.voters).is_own(&key, &voter_id));
        if let Some(key) = public_key
            && !lock(&host.counters.voters).claim(key, &voter_id)
        {
            return Err(shared_key());
        }
        let known = lock(&host.counters.voters).contains(&voter_id);
        let mints = handle.is_none() && public_key.is_none() && !known;
        let minted = mints.then(|| format!("{}{}", host.ids.mint(), host.ids.mint()).replace('-', ""));
        let hash = handle.as_deref().or(minted.as_deref()).map(handle_hash);
        let register =
            Command::Register { voter_id: voter_id.clone(), public_key, handle_hash: hash, weight };
        let id = EntityId::from(&voter_id);
        let named = voter_id.clone();
        let asked = ask(host, &host.kinds.voters, &id, Action::Command(register, None), move |view| {
            let new = match view.reply {
                Some(Ok(Reply::Registered { new })) => new,
                Some(Err(rejection)) => return Err(Error::from(rejection)),
                Some(Ok(Reply::State(_) | Reply::Known(_) | Reply::Done)) | None => {
                    return Err(Rejection::NotRegistered.into());
                }
            };
            let seen = voter_view(view.state, view.now)?;
            Ok(VoterRegistered {
                voter_id: named,
                registered: new,
                handle: minted.filter(|_| new),
                public_key: seen.public_key,
                weight: seen.weight,
                state: seen.state,
            })
        });
        let registered = asked.await.map_err(Error::from).and_then(|answer| answer);
        if let Some(key) = public_key.filter(|_| registered.is_err() && !was_own) {
            lock(&host.counters.voters).unclaim(&key, &voter_id);
        }
        registered
    }

    /// How far a voter is trusted, and why.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn state(&self, request: VoterRef) -> Result<VoterView, Error> {
        self.q.allow("voter.state", &request).await?;
        self.look(request.voter_id).await
    }

    async fn look(&self, voter_id: VoterId) -> Result<VoterView, Error> {
        let host = self.q.host();
        let id = EntityId::from(&voter_id);
        let asked = ask(host, &host.kinds.voters, &id, Action::Read, |view| voter_view(view.state, view.now));
        asked.await?
    }

    /// Registered voters by id, and how many are in which state.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListVoters) -> Result<VoterPage, Error> {
        self.q.allow("voter.list", &request).await?;
        let limit = page_limit(request.limit)?;
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        cursor::check(host, StreamKind::Voter, request.cursor.as_ref().map(VoterId::as_str)).await?;
        let (ids, counts) = {
            let voters = lock(&host.counters.voters);
            let ids: Vec<VoterId> = voters.after(request.cursor.as_ref()).take(limit + 1).cloned().collect();
            (ids, voters.counts())
        };
        let more = ids.len() > limit;
        let next_cursor = ids.iter().take(limit).next_back().cloned().or(request.cursor);
        let mut voters = Vec::new();
        for voter_id in ids.into_iter().take(limit) {
            voters.push(self.look(voter_id).await?);
        }
        let status = VotersStatus {
            total: counts.total,
            honest: counts.honest,
            suspicious: counts.suspicious,
            quarantined: counts.quarantined,
            byzantine: counts.byzantine,
            probation: counts.probation,
            offline: counts.offline,
            fault_capacity: counts.fault_capacity(),
            current_faults: counts.current_faults(),
            is_fault_tolerant: counts.is_fault_tolerant(),
            safety_margin: counts.safety_margin(),
            recommended_actions: counts.recommended_actions().into_iter().map(str::to_owned).collect(),
        };
        Ok(VoterPage { voters, status, next_cursor, more })
    }

    /// Lets a voter vote in no session for a while; what it contributes to open ones becomes nothing.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `nothing_done` when a fault of it is proven, and the faults of the store.
    pub async fn quarantine(&self, request: QuarantineVoter) -> Result<VoterView, Error> {
        self.q.allow("voter.quarantine", &request).await?;
        let QuarantineVoter { voter_id, reason, duration_ms } = request;
        let reason = given_reason(reason)?;
        let duration = duration_ms.map(|ms| {
            let span = u64::try_from(ms).ok().filter(|ms| QUARANTINE_MS.contains(ms));
            span.map(Duration::from_millis)
                .ok_or_else(|| Error::invalid("duration_ms", ms, "1000 to 31536000000"))
        });
        let duration = duration.transpose()?;
        self.command(&voter_id, Command::Quarantine { reason, duration }).await
    }

    /// Lets a quarantined voter vote again, on probation; with `pardon` also one whose fault is proven.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `nothing_done`, and the faults of the store.
    pub async fn release(&self, request: ReleaseVoter) -> Result<VoterView, Error> {
        self.q.allow("voter.release", &request).await?;
        let ReleaseVoter { voter_id, reason, pardon } = request;
        let (reason, pardon) = (given_reason(reason)?, pardon.unwrap_or(false));
        self.command(&voter_id, Command::Release { reason, pardon }).await
    }

    async fn command(&self, voter: &VoterId, command: Command) -> Result<VoterView, Error> {
        let host = self.q.host();
        let id = EntityId::from(voter);
        let asked =
            ask(host, &host.kinds.voters, &id, Action::Command(command, None), |view| match view.reply {
                Some(Err(rejection)) => Err(rejection.into()),
                Some(Ok(_)) | None => voter_view(view.state, view.now),
            });
        asked.await?
    }
}

fn given_reason(reason: String) -> Result<String, Error> {
    check_sentence("reason", Some(&reason), MAX_REASON)?;
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", reason, "a sentence that says why"));
    }
    Ok(reason)
}

/// The key is another voter's.
pub(super) fn shared_key() -> Error {
    let message = "this key is another voter's; a key stands for one voter";
    Error::new(ErrorKind::AlreadyExists, message).with("field", "public_key")
}

/// A voter as it is shown.
pub(super) fn voter_view(state: &Voter, now: Timestamp) -> Result<VoterView, Error> {
    let registered = state.registered.as_deref().ok_or(Rejection::NotRegistered)?;
    let (mut since, mut until, mut clean_needed, mut fault) = (None, None, None, None);
    let mut reason = None;
    match &state.standing {
        Standing::Honest => {}
        Standing::Suspicious { since: at } => since = Some(*at),
        Standing::Quarantined { reason: why, since: at, until: end, offence: _ } => {
            (since, until, reason) = (Some(*at), Some(*end), Some(why.clone()));
        }
        Standing::Byzantine { fault: what, at, level } => {
            (since, fault) = (Some(*at), Some(what.name().to_owned()));
            reason = Some(format!("proven, {}", level.name()));
        }
        Standing::Probation { since: at, clean_needed: needed } => {
            (since, clean_needed) = (Some(*at), Some(*needed));
        }
    }
    let cause = state.last_change.as_ref().map(|change| &change.cause);
    let (session_id, evidence_id) = match cause {
        Some(Cause::Evidence { evidence, session_id }) => (session_id.clone(), Some(evidence.to_string())),
        Some(Cause::Violation { session_id, .. }) => (session_id.clone(), None),
        Some(Cause::Operator { reason: why }) => {
            reason = reason.or(Some(why.clone()));
            (None, None)
        }
        Some(Cause::Score { .. } | Cause::TimeServed | Cause::CleanVotes) | None => (None, None),
    };
    Ok(VoterView {
        voter_id: registered.voter_id.clone(),
        state: state.state_name().to_owned(),
        previous: state.offline.map(|_| state.standing.name().to_owned()),
        suspicion_score: whole(state.suspicion.on(now).score().into()),
        reason,
        session_id: session_id.map(|id| id.to_string()),
        evidence_id,
        fault,
        since,
        until,
        clean_needed,
        offences: state.offences,
        last_seen: state.last_seen,
        public_key: registered.public_key,
        key_version: Some(state.key_version()).filter(|version| *version > 1),
        learned: trust::learned_view(&state.record),
        weight: whole(registered.weight),
        power: whole(state.power()),
        registered_at: registered.at,
    })
}
