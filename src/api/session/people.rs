//! Sessions that people take part in: more time, places that go to other voters, and being told again.

use std::time::Duration;

use super::Sessions;
use crate::api::dto::{DelegateSession, ExtendSession, RemindSession, SessionReminded, SessionResult};
use crate::api::quorum::{MAX_LABEL, MAX_REASON, check_label, check_sentence};
use crate::api::session_plan::elector;
use crate::api::session_view::{reminded, result_view};
use crate::api::voter::handle_hash;
use crate::core::kernel::ids::{EntityId, VoterId};
use crate::core::voting::extension::{Extend, Until};
use crate::core::voting::session::{Command, Delegate, Elector, Proof, Rejection, Reply};
use crate::core::voting::voter::Standing;
use crate::error::{Error, ErrorKind};
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

impl Sessions<'_> {
    /// Takes votes longer than was said. Durable on return; the same deadline again changes nothing. Votes are never taken
    /// shorter.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `session_closed`, and the faults of the store.
    pub async fn extend(&self, request: ExtendSession) -> Result<SessionResult, Error> {
        self.q.allow("session.extend", &request).await?;
        let ExtendSession { session_id, timeout_ms, deadline, by, reason } = request;
        let until = match (timeout_ms, deadline) {
            (None, Some(deadline)) => Until::At(deadline),
            (Some(ms), None) => {
                let given = u64::try_from(ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis);
                Until::FromNow(given.ok_or_else(|| Error::invalid("timeout_ms", ms, "1 or more"))?)
            }
            (Some(ms), Some(_)) => return Err(Error::invalid("timeout_ms", ms, "none beside a deadline")),
            (None, None) => {
                return Err(Error::missing("timeout_ms").with("expected", "timeout_ms or deadline"));
            }
        };
        check_label("by", by.as_deref(), MAX_LABEL)?;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        let longest = self.q.host().config.session.max_timeout;
        self.told(&session_id, Command::Extend(Extend { until, longest, by, reason })).await
    }

    /// Hands the place of a voter, who neither voted nor promised a vote, to another registered voter. From then on that one
    /// votes in it, under its own name and key, and the first one may not vote any more; what the place counts stays as it was.
    /// Shown as a vote is, by handle or signature; a signature names the key of the other voter, and only then a vote in the
    /// place stands in a certificate. Durable on return; repeating it is safe, and the first reason stands. Nobody has two
    /// places, and a place goes on eight times at most.
    ///
    /// # Errors
    /// `invalid_argument` for one who has voted or may not take the place, `not_found`, `not_eligible` for one who has no
    /// place or is not trusted in full, `delegated` for one who handed it to another before, `session_closed`, `invalid_vote` and
    /// `byzantine_fault` with a `reason` as votes are refused, `rate_limited`, and the faults of the store.
    pub async fn delegate(&self, request: DelegateSession) -> Result<SessionResult, Error> {
        self.q.allow("session.delegate", &request).await?;
        let DelegateSession { session_id, from, to, reason, issued_at, handle, signature } = request;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        if signature.is_some() && issued_at.is_none() {
            return Err(Error::missing("issued_at"));
        }
        let host = self.q.host();
        let is_there =
            ask(host, &host.kinds.sessions, &session_id, Action::Read, |view| view.state.opened.is_some());
        if !is_there.await? {
            return Err(Rejection::NotFound.into());
        }
        let now = host.clock.now();
        let handle_hash = handle.as_deref().map(handle_hash);
        if let Some(channel) = handle_hash {
            self.admit(&from, channel, now).await?;
        }
        let (standing, present_key) = self.standing(&from).await?;
        let to = self.substitute(&to).await?;
        let proof = Proof { signature, handle_hash, hash: None, present_key };
        let issued_at = issued_at.unwrap_or(now);
        let delegate = Delegate { from, to, issued_at, proof, standing, reason };
        self.told(&session_id, Command::Delegate(Box::new(delegate))).await
    }

    /// A voter that may take a place, as it shows that a vote is its own.
    async fn substitute(&self, voter: &VoterId) -> Result<Elector, Error> {
        let host = self.q.host();
        let unknown = || Error::invalid("to", voter.as_str(), "a registered voter");
        if !lock(&host.counters.voters).contains(voter) {
            return Err(unknown());
        }
        let id = EntityId::from(voter);
        let seen = ask(host, &host.kinds.voters, &id, Action::Read, |view| {
            // A place counts as much as when the session opened, and a voter on probation must not count in full.
            let trusted = match view.state.standing {
                Standing::Probation { .. } => Some(Err(view.state.standing.clone())),
                _ => None,
            };
            trusted.or_else(|| elector(view.state, None))
        });
        seen.await?.ok_or_else(unknown)?.map_err(|standing| {
            let name = standing.name();
            let message = format!("a voter may not take a place now. voter_id={voter}, state={name}");
            Error::new(ErrorKind::NotEligible, message)
                .with("field", "to")
                .with("voter_id", voter.as_str())
                .with("state", name)
        })
    }

    async fn told(&self, id: &EntityId, command: Command) -> Result<SessionResult, Error> {
        let host = self.q.host();
        let seen = ask(host, &host.kinds.sessions, id, Action::Command(command, None), |view| {
            let (duplicate, other_reason) = match view.reply {
                Some(Ok(Reply::Extended { duplicate })) => (duplicate, false),
                Some(Ok(Reply::Delegated { duplicate, other_reason })) => (duplicate, other_reason),
                Some(Err(rejection)) => return Err(Error::from(rejection)),
                Some(Ok(_)) | None => (false, false),
            };
            let differs = other_reason.then(|| "reason".to_owned()).into_iter().collect();
            let result = result_view(view.state)?;
            Ok(SessionResult { duplicate: Some(duplicate), differs, ..result })
        });
        self.q.revealed(seen.await??)
    }

    /// Tells those whose votes are outstanding again: whoever listens to the session hears it, hooks do, and inboxes say how
    /// often. Nobody is reminded more than once a minute; those who were are left out. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument` for a voter whose vote is not outstanding, `not_found`, `session_closed`, `rate_limited` with
    /// `retry_after_ms` when all of them were reminded within the last minute, and the faults of the store.
    pub async fn remind(&self, request: RemindSession) -> Result<SessionReminded, Error> {
        self.q.allow("session.remind", &request).await?;
        let RemindSession { session_id, voter, by } = request;
        check_label("by", by.as_deref(), MAX_LABEL)?;
        let host = self.q.host();
        let action = Action::Command(Command::Remind { voter, by }, None);
        let named = session_id.clone();
        let seen = ask(host, &host.kinds.sessions, &session_id, action, move |view| {
            let told = match view.reply {
                Some(Ok(Reply::Reminded(told))) => told,
                Some(Err(rejection)) => return Err(Error::from(rejection)),
                Some(Ok(_)) | None => Vec::new(),
            };
            let counts = reminded(view.state);
            let count = |voter: VoterId| (counts.get(&voter).copied().unwrap_or(0), voter);
            let reminded = told.into_iter().map(count).map(|(count, voter)| (voter, count)).collect();
            Ok(SessionReminded { session_id: named, reminded, outstanding: view.state.outstanding() })
        });
        seen.await?
    }
}
