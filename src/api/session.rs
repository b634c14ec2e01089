//! Operations on sessions: open, vote, look, end, and the certificate of a decision.

mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::caller::Watch;
use super::dto::{
    CancelSession, CertifySession, EndRound, ListSessions, ListedSessions, OpenSession, SessionAlgorithm,
    SessionPage, SessionRef, SessionResult, SessionVote, SessionVoted,
};
use super::known::Sort;
use super::quorum::{MAX_LABEL, MAX_REASON, check_label, check_sentence, page_limit};
use super::sealing::DataKey;
use super::session_plan::{cast, elector, gated, keyed_fields, remind_every, span, terms, text_of, whole};
use super::session_view::{held_view, line_view, result_view, status_name};
use super::spend::mandate;
use super::voter::handle_hash;
use super::voter::trust::{Known, context_parts, weigh};
use super::{Quorate, closed, keyed, opened, wait};
use crate::core::kernel::ids::{EntityId, IdempotencyKey, StreamId, StreamKind, VoterId};
use crate::core::kernel::keyed::KeyedRequest;
use crate::core::kernel::time::Timestamp;
use crate::core::voting::session::certificate::{Certificate, Place, certify};
use crate::core::voting::session::watch::Watch as Watched;
use crate::core::voting::session::{
    self, Beside, Cast, Command, Commit, Elector, Open, Proof, Rejection, Reply, Session, SessionMachine,
    Weighed,
};
use crate::core::voting::signature::{Digest, PublicKey};
use crate::core::voting::voter::{FaultKind, Mark, Report, Standing};
use crate::error::{Error, ErrorKind};
use crate::journal::Fault;
use crate::shell::entity::Action;
use crate::shell::host::{Host, wait as ready};
use crate::shell::keyed::keyed_request;
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::voters::note;
use crate::shell::writer::Failure;

/// Words that stand where an id would in HTTP paths.
const RESERVED: [&str; 1] = ["open"];
/// Time for votes when none is named, in milliseconds.
const DEFAULT_TIMEOUT_MS: i64 = 30_000;
/// Shortest time for votes, in milliseconds.
const SHORTEST_MS: u64 = 100;
/// When to come again, where sessions end by themselves.
const AGAIN_MS: u64 = 1_000;

/// Who may vote, where the powers come from when they were learned, and the keys that took the place of others.
type Electorate = (Vec<Elector>, Option<Weighed>, BTreeMap<VoterId, u32>);

/// Operations on sessions.
#[derive(Clone, Copy, Debug)]
pub struct Sessions<'a> {
    pub(super) q: &'a Quorate,
}

impl Sessions<'_> {
    /// Opens a session. Its electorate, with powers and keys, and its rule are frozen with this.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found` for a voter that is not registered, `not_eligible` for one that is quarantined or
    /// proven to lie, `insufficient_participants`, `limit_exceeded` when as many are open as may be, `already_exists`,
    /// `key_reused`, and the faults of the store.
    pub async fn open(&self, request: OpenSession) -> Result<SessionResult, Error> {
        self.q.allow("session.open", &request).await?;
        let host = self.q.host();
        let data_key = self.q.data_key(request.data_subject.as_ref()).await?;
        // What is sealed is remembered by a fingerprint.
        let asked = data_key.as_ref().filter(|_| request.idempotency_key.is_some()).map(|key| {
            let proposal = request.proposal.as_ref().map(|proposal| key.fingerprint("proposal", proposal));
            OpenSession { proposal, ..request.clone() }
        });
        let asked = asked.as_ref().unwrap_or(&request);
        let keyed = request.idempotency_key.clone().map(|key| (key, keyed_fields(asked)));
        let same_id = request.session_id.clone();
        if let Some((key, keyed)) = &keyed {
            let sought = key.clone();
            let found = host.blocking(move |store| ready(store.find_key(&sought))).await?;
            if let Some(stream) = found {
                return self.opened_before(&stream, key, keyed, same_id.as_ref()).await;
            }
        }
        let key = request.idempotency_key.clone();
        let mut open = self.plan(request, data_key.as_ref()).await?;
        open.keyed = keyed.as_ref().map(|(_, keyed)| keyed.clone());
        let id = open.session_id.clone();
        let limit = host.config.session.max_open;
        self.q.check_open(StreamKind::Session, limit as u64)?;
        if !lock(&host.counters.sessions).reserve(&id, limit) {
            let message = format!("as many sessions are open as may be; wait until one ends. limit={limit}");
            return Err(Error::new(ErrorKind::LimitExceeded, message)
                .with("limit", limit)
                .with("retry_after_ms", AGAIN_MS));
        }
        let action = Action::Command(Command::Open(Box::new(open)), key);
        let opened = ask(host, &host.kinds.sessions, &id, action, |view| match view.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(_)) | None => result_view(view.state),
        })
        .await;
        if !matches!(opened, Ok(Ok(_))) {
            lock(&host.counters.sessions).unreserve(&id);
        }
        match (opened, &keyed) {
            (Err(Failure::Refused(Fault::KeyTaken { stream })), Some((key, keyed))) => {
                self.opened_before(&stream, key, keyed, same_id.as_ref()).await
            }
            (other, _) => self.q.revealed(SessionResult { duplicate: Some(false), ..other?? }),
        }
    }

    /// The session the key opened, if it was opened by this request.
    async fn opened_before(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
        request: &KeyedRequest,
        session_id: Option<&EntityId>,
    ) -> Result<SessionResult, Error> {
        let id = ("session_id", session_id);
        let asked = keyed::Asked { operation: "session.open", key, kind: StreamKind::Session, id, request };
        asked.check_entity(stream)?;
        let host = self.q.host();
        let kept = keyed_request(host, stream, |event: &session::Event| match event {
            session::Event::Keyed(kept) => Some(kept.clone()),
            _ => None,
        });
        asked.check_request(stream, kept.await?.as_ref(), &KeyedRequest::default())?;
        let result = self.look(&stream.id).await?;
        Ok(SessionResult { duplicate: Some(true), ..result })
    }

    /// Checks a request and looks up its voters.
    async fn plan(&self, request: OpenSession, key: Option<&DataKey>) -> Result<Open, Error> {
        let host = self.q.host();
        let config = &host.config.session;
        if let Some(id) = request.session_id.as_ref().filter(|id| RESERVED.contains(&id.as_str())) {
            return Err(Error::invalid("session_id", id.as_str(), "an id other than open"));
        }
        let ms = request.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        let longest = config.max_timeout.as_millis();
        let fits = |ms: &u64| *ms >= SHORTEST_MS && u128::from(*ms) <= longest;
        let timeout = u64::try_from(ms).ok().filter(fits).map(Duration::from_millis);
        let expected = format!("{SHORTEST_MS} to {longest}");
        let timeout = timeout.ok_or_else(|| Error::invalid("timeout_ms", ms, &expected))?;
        let session_id = request.session_id.clone().unwrap_or_else(|| host.ids.mint());
        let mut proposal =
            text_of("proposal", &request.proposal.clone().unwrap_or(Value::Null), config.max_proposal_bytes)?;
        if let Some(key) = key.filter(|_| request.proposal.is_some()) {
            proposal = key.json(StreamKind::Session, &session_id, "proposal", &proposal)?;
        }
        let context = request.context.clone().map(Value::Object);
        let context =
            context.map(|context| text_of("context", &context, config.max_proposal_bytes)).transpose()?;
        let terms = terms(&request, proposal)?;
        let byzantine = request.algorithm == Some(SessionAlgorithm::Byzantine);
        let allowed = mandate(request.operation.as_ref())?;
        let (electors, weighed, keys) = self.electors(&request).await?;
        let gated = request.gates.as_deref().map(gated);
        Ok(Open {
            session_id,
            terms,
            electors,
            basis: request.basis.unwrap_or_default(),
            threshold: request.threshold.unwrap_or_default(),
            declared_faults: request.fault_tolerance.or(byzantine.then_some(1)),
            max_voters: config.max_voters,
            context,
            timeout,
            round_timeout: span("round_timeout_ms", request.round_timeout_ms)?,
            commit_timeout: span("commit_timeout_ms", request.commit_timeout_ms)?,
            keyed: None,
            beside: Beside { mandate: allowed, weighed, keys, gated },
            remind_every: remind_every(request.remind_every_ms)?,
        })
    }

    async fn electors(&self, request: &OpenSession) -> Result<Electorate, Error> {
        let host = self.q.host();
        let named = request.voters.is_some();
        let mut voters = match &request.voters {
            Some(voters) => voters.clone(),
            None => lock(&host.counters.voters).eligible(),
        };
        voters.sort();
        voters.dedup();
        let most = host.config.session.max_voters as usize;
        if voters.len() > most {
            let given = format!("{} voters", voters.len());
            return Err(Error::invalid("voters", given, &format!("up to {most} voters")));
        }
        let powers = request.powers.clone().unwrap_or_default();
        if let Some(stranger) = powers.keys().find(|voter| voters.binary_search(voter).is_err()) {
            return Err(Error::invalid("powers", stranger.as_str(), "powers of voters of the session"));
        }
        let weighs = request.weights.is_some();
        if weighs && !powers.is_empty() {
            return Err(Error::invalid("powers", "powers", "nothing, beside weights"));
        }
        let asked: Vec<_> = voters
            .into_iter()
            .map(|voter| {
                let id = EntityId::from(&voter);
                let power = powers.get(&voter).copied();
                let known = lock(&host.counters.voters).contains(&voter);
                let seen = known.then(|| {
                    ask(host, &host.kinds.voters, &id, Action::Read, move |view| {
                        let seen = elector(view.state, power)?;
                        Some((seen, view.state.key_version(), weighs.then(|| Known::of(view.state))))
                    })
                });
                (voter, seen)
            })
            .collect();
        let mut electors = Vec::with_capacity(asked.len());
        let (mut keys, mut known) = (BTreeMap::new(), Vec::new());
        for (voter, seen) in asked {
            let found = match seen {
                Some(seen) => seen.await?,
                None => None,
            };
            match found {
                Some((Ok(elector), version, seen)) => {
                    if version > 1 {
                        keys.insert(voter, version);
                    }
                    known.extend(seen);
                    electors.push(elector);
                }
                // It was quarantined since the list was made.
                Some((Err(_), ..)) if !named => {}
                Some((Err(standing), ..)) => {
                    let message =
                        format!("a voter may not vote now. voter_id={voter}, state={}", standing.name());
                    return Err(Error::new(ErrorKind::NotEligible, message)
                        .with("voter_id", voter.as_str())
                        .with("state", standing.name()));
                }
                None => {
                    let message = format!("no voter of this id is registered. voter_id={voter}");
                    return Err(Error::new(ErrorKind::NotFound, message).with("field", "voters"));
                }
            }
        }
        let Some(source) = request.weights.clone() else { return Ok((electors, None, keys)) };
        let context = context_parts(request.context.as_ref())?;
        let now = host.clock.now();
        // A long past takes a while to learn from.
        let learned = host.blocking(move |_| {
            let weighed = weigh(&source, &mut electors, &known, context, now);
            Ok(weighed.map(|weighed| (electors, Some(weighed), keys)))
        });
        learned.await?
    }

    /// Votes, or promises a vote. Durable on return, with a receipt; the same vote again is answered with the first
    /// receipt. A vote that is refused is on record, and counts against nobody unless it was shown to be the voter's own.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `invalid_vote` with its `reason`, `session_closed`, `not_eligible`,
    /// `already_voted`, `byzantine_fault`, `rate_limited`, and the faults of the store.
    pub async fn vote(&self, vote: SessionVote) -> Result<SessionVoted, Error> {
        self.q.allow("session.vote", &vote).await?;
        let host = self.q.host();
        let now = host.clock.now();
        let handle = vote.handle.as_deref().map(handle_hash);
        if let Some(channel) = handle {
            self.admit(&vote.voter_id, channel, now).await?;
        }
        let (standing, present_key) = self.standing(&vote.voter_id).await?;
        let signed = vote.signature.is_some();
        let key_channel =
            if signed { lock(&host.counters.voters).channel(&vote.voter_id, true) } else { None };
        let (session_id, voter_id, commit) = (vote.session_id.clone(), vote.voter_id.clone(), vote.commit);
        let proof = Proof { signature: vote.signature, handle_hash: handle, hash: vote.hash, present_key };
        let command = match commit {
            Some(commit) => {
                let commit = Commit { voter_id: voter_id.clone(), commit, proof, standing };
                Command::Commit(Box::new(commit))
            }
            None => {
                let round = self.round(&vote).await?;
                let cast = cast(vote, round, proof, standing, now)?;
                let evidence_max_age = host.config.session.evidence_max_age;
                Command::Vote(Box::new(Cast { evidence_max_age, ..cast }))
            }
        };
        if let Some(channel) = key_channel
            && lock(&host.counters.rates).check(&channel, now).is_err()
            && self.is_signed(&session_id, &command).await?
        {
            self.admit(&voter_id, channel, now).await?;
        }
        let id = session_id.clone();
        let voter = voter_id.clone();
        let in_round = if let Command::Vote(cast) = &command { Some(cast.vote.round) } else { None };
        let asked =
            ask(host, &host.kinds.sessions, &session_id, Action::Command(command, None), move |view| {
                let status = status_name(view.state).to_owned();
                let outcome = view.state.outcome();
                let round = view.state.round;
                let held = in_round.and_then(|round| view.state.vote_of(round, &voter)).map(held_view);
                let handed_to =
                    view.state.delegated.get(&voter).map(|_| view.state.holder_of(&voter).clone());
                let plain = SessionVoted {
                    session_id: id,
                    voter_id: voter,
                    round,
                    duplicate: false,
                    supersedes: false,
                    promised: false,
                    seq: None,
                    log_seq: None,
                    vote_hash: None,
                    entry_hash: None,
                    received_at: None,
                    verification_score: None,
                    status,
                    outcome,
                };
                match view.reply {
                    Some(Ok(Reply::Voted(receipt))) => Ok(SessionVoted {
                        round: receipt.round,
                        duplicate: receipt.duplicate,
                        supersedes: receipt.supersedes,
                        seq: Some(receipt.vote_seq),
                        log_seq: Some(receipt.seq),
                        vote_hash: Some(receipt.hash),
                        received_at: Some(receipt.received_at),
                        verification_score: Some(whole(receipt.verification_score.into())),
                        ..plain
                    }),
                    Some(Ok(Reply::Promised { duplicate })) => {
                        Ok(SessionVoted { promised: true, duplicate, ..plain })
                    }
                    Some(Err(rejection)) => Err(Box::new((rejection, held, handed_to))),
                    Some(Ok(
                        Reply::Opened
                        | Reply::Extended { .. }
                        | Reply::Delegated { .. }
                        | Reply::Reminded(_)
                        | Reply::Cancelled { .. }
                        | Reply::Spent(_)
                        | Reply::Redeemed(_)
                        | Reply::Judged { .. }
                        | Reply::Done,
                    ))
                    | None => Err(Box::new((Rejection::NotFound, None, None))),
                }
            });
        let answer = asked.await?;
        let was_signed = match &answer {
            Ok(_) => true,
            Err(refused) => matches!(&refused.0, Rejection::Vote { reason, .. } if reason.layer() > 4),
        };
        if let Some(channel) = key_channel.filter(|_| was_signed) {
            lock(&host.counters.rates).admitted(channel, now);
        }
        let mut voted = answer.map_err(|refused| {
            let (rejection, held, handed_to) = *refused;
            match handed_to {
                Some(to) => beside(rejection, held).with("to", to.as_str()),
                None => beside(rejection, held),
            }
        })?;
        if let Some(seq) = voted.log_seq {
            voted.entry_hash = record_at(host, &session_id, seq).await?.map(|(_, hash)| hash);
        }
        Ok(voted)
    }

    /// Layer 0: may this channel speak? Who has the channel is told of a breach, and nobody else.
    async fn admit(&self, voter: &VoterId, channel: Digest, now: Timestamp) -> Result<(), Error> {
        let host = self.q.host();
        let refused = {
            let mut rates = lock(&host.counters.rates);
            let checked = rates.check(&channel, now);
            if checked.is_ok() {
                rates.admitted(channel, now);
            }
            checked.err()
        };
        let Some(wait) = refused else { return Ok(()) };
        let own = {
            let voters = lock(&host.counters.voters);
            [false, true].into_iter().any(|signs| voters.channel(voter, signs) == Some(channel))
        };
        if own {
            let mark = Mark::Violation(FaultKind::SpamAttack);
            let report = Report { number: 0, voter_id: voter.clone(), mark, at: now };
            note(host, voter, None, vec![report]).await?;
        }
        let ms = u64::try_from(wait.as_micros().div_ceil(1_000)).unwrap_or(AGAIN_MS);
        let message = format!("the voter votes too often, at most 10 times a second. retry_after_ms={ms}");
        Err(Error::new(ErrorKind::RateLimited, message).with("retry_after_ms", ms))
    }

    /// Is the vote really signed by the voter it names? Asked only where its key spoke too often: a forged vote must not
    /// cost the voter anything.
    async fn is_signed(&self, id: &EntityId, command: &Command) -> Result<bool, Error> {
        let Command::Vote(cast) = command else { return Ok(true) };
        let (vote, signature) = (cast.vote.clone(), cast.proof.signature);
        let host = self.q.host();
        let asked = ask(host, &host.kinds.sessions, id, Action::Read, move |view| {
            let key = view.state.elector(&vote.voter_id)?.credential.public_key?;
            Some(vote.is_signed(&view.state.binding()?, &key, &signature?))
        });
        Ok(asked.await?.unwrap_or(false))
    }

    /// How far a voter is trusted now, and the key it signs with; a quarantine that is over ends with this look.
    async fn standing(&self, voter: &VoterId) -> Result<(Option<Standing>, Option<PublicKey>), Error> {
        let host = self.q.host();
        if !lock(&host.counters.voters).contains(voter) {
            return Ok((None, None));
        }
        let id = EntityId::from(voter);
        let asked = ask(host, &host.kinds.voters, &id, Action::Read, |view| {
            (Some(view.state.standing.clone()), view.state.key())
        });
        Ok(asked.await?)
    }

    /// The round a vote is for: the one it names, or the one that is open.
    async fn round(&self, vote: &SessionVote) -> Result<u32, Error> {
        if let Some(round) = vote.round {
            return Ok(round);
        }
        if vote.signature.is_some() {
            return Err(Error::missing("round"));
        }
        let host = self.q.host();
        Ok(ask(host, &host.kinds.sessions, &vote.session_id, Action::Read, |view| view.state.round).await?)
    }

    /// Ends the round that is open, or the time for promises; the last round ends the session.
    ///
    /// # Errors
    /// `not_found`, `session_closed`, `invalid_argument` for another round, and the faults of the store.
    pub async fn end_round(&self, request: EndRound) -> Result<SessionResult, Error> {
        self.q.allow("session.end_round", &request).await?;
        self.command(&request.session_id, Command::EndRound { round: request.round }).await
    }

    /// Ends a session without a decision.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `session_closed`, and the faults of the store.
    pub async fn cancel(&self, request: CancelSession) -> Result<SessionResult, Error> {
        self.q.allow("session.cancel", &request).await?;
        let CancelSession { session_id, cancelled_by: by, reason } = request;
        check_sentence("reason", reason.as_deref(), MAX_REASON)?;
        check_label("cancelled_by", by.as_deref(), MAX_LABEL)?;
        self.command(&session_id, Command::Cancel { by, reason }).await
    }

    async fn command(&self, id: &EntityId, command: Command) -> Result<SessionResult, Error> {
        let host = self.q.host();
        let asked =
            ask(host, &host.kinds.sessions, id, Action::Command(command, None), |view| match view.reply {
                Some(Err(rejection)) => Err(Error::from(rejection)),
                Some(Ok(Reply::Cancelled { duplicate })) => result_view(view.state)
                    .map(|result| SessionResult { duplicate: Some(duplicate), ..result }),
                Some(Ok(_)) | None => result_view(view.state),
            });
        self.q.revealed(asked.await??)
    }

    /// How a session stands or ended; waits for the end as long as asked.
    ///
    /// # Errors
    /// `invalid_argument` for the time, `not_found`, and the faults of the store.
    pub async fn result(&self, request: SessionRef) -> Result<SessionResult, Error> {
        let watch = self.q.allow_waiting("session.result", &request).await?;
        Watch::until_over(watch, self.result_after(request)).await
    }

    async fn result_after(&self, request: SessionRef) -> Result<SessionResult, Error> {
        let longest = wait::longest("wait_ms", request.wait_ms.unwrap_or(0))?;
        let ended = |state: &Session| state.closed.is_some() || state.opened.is_none();
        wait::until::<SessionMachine>(self.q.host(), &request.session_id, ended, longest).await;
        self.look(&request.session_id).await
    }

    async fn look(&self, id: &EntityId) -> Result<SessionResult, Error> {
        let host = self.q.host();
        let seen = ask(host, &host.kinds.sessions, id, Action::Read, |view| result_view(view.state));
        self.q.revealed(seen.await??)
    }

    /// Open sessions by id, or ended ones, oldest first; newest first where that is asked for.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListSessions) -> Result<SessionPage, Error> {
        self.q.allow("session.list", &request).await?;
        self.q.revealed(self.listed(request).await?)
    }

    async fn listed(&self, request: ListSessions) -> Result<SessionPage, Error> {
        let limit = page_limit(request.limit)?;
        let newest_first = request.newest_first.unwrap_or(false);
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        let (open, most) = (lock(&host.counters.sessions).len() as u64, host.config.session.max_open as u64);
        if request.state == Some(ListedSessions::Ended) {
            let page = closed::page::<SessionMachine, _>(host, request.limit, request.cursor, |_, state| {
                state.closed.as_ref().and_then(|_| line_view(state))
            });
            let closed::Page { mut entries, next_cursor, more, .. } = page.await?;
            // One that was told of evidence after its end stands in the index of ends again.
            let mut seen = BTreeSet::new();
            entries.retain(|line| seen.insert(line.session_id.clone()));
            if newest_first {
                entries.reverse();
            }
            let unknown = Vec::new();
            return Ok(SessionPage { sessions: entries, open, limit: most, next_cursor, more, unknown });
        }
        let of = (&host.counters.sessions, (|watch: &Watched| &watch.open) as fn(&Watched) -> &_);
        let cursor = request.cursor.as_deref();
        let page = opened::page(host, StreamKind::Session, of, limit, cursor, newest_first).await?;
        let mut sessions = Vec::new();
        for id in page.ids {
            let voter = request.voter_id.clone();
            let asked = ask(host, &host.kinds.sessions, &id, Action::Read, move |view| {
                let awaits = voter.is_none_or(|voter| view.state.awaits(&voter));
                (awaits && view.state.closed.is_none()).then(|| line_view(view.state)).flatten()
            });
            sessions.extend(asked.await?);
        }
        let voter = request.voter_id.as_ref().map(VoterId::as_str);
        let unknown = match sessions.is_empty() && !page.more && request.cursor.is_none() {
            true => self.q.unknown_names(&[("voter_id", voter, Sort::Voter)]).await?,
            false => Vec::new(),
        };
        let next_cursor = page.next_cursor.or(request.cursor);
        Ok(SessionPage { sessions, open, limit: most, next_cursor, more: page.more, unknown })
    }

    /// The certificate of a decision: with it anybody can check, without this store, that the votes behind the decision
    /// were really signed. [`check_certificate`](super::certificate::check_certificate) does so.
    ///
    /// # Errors
    /// `not_found`, `not_certifiable`, and the faults of the store.
    pub async fn certificate(&self, request: CertifySession) -> Result<Certificate, Error> {
        self.q.allow("session.certificate", &request).await?;
        let host = self.q.host();
        let id = request.session_id;
        let asked = ask(host, &host.kinds.sessions, &id, Action::Read, |view| {
            view.state.opened.as_ref().map(|_| view.state.clone())
        });
        let state = asked.await?.ok_or(Rejection::NotFound)?;
        let seq = state.closed_seq.unwrap_or(0);
        let (position, record_hash) = record_at(host, &id, seq).await?.unwrap_or_default();
        Ok(certify(&state, Place { seq, position, record_hash })?)
    }
}

/// The refusal of a vote that a standing one is in the way of: it says which stands.
fn beside(rejection: Rejection, held: Option<(Value, f64, f64)>) -> Error {
    let stands = matches!(&rejection, Rejection::Vote { reason, .. } if reason.layer() == 6);
    let error = Error::from(rejection);
    let Some((vote, score, confidence)) = held.filter(|_| stands) else { return error };
    let values = format!("held={vote}, held_score={score}, held_confidence={confidence}");
    let message = error.with_values(&values);
    error.saying(message).with("held", vote).with("held_score", score).with("held_confidence", confidence)
}

/// A record of a session: its position in the journal, and the hash of the log up to it.
async fn record_at(host: &Host, id: &EntityId, seq: u64) -> Result<Option<(u64, String)>, Error> {
    let stream = StreamId::new(StreamKind::Session, id.clone());
    let read = host.blocking(move |store| ready(store.read(&stream, seq.saturating_sub(1), 1))).await?;
    Ok(read.first().map(|record| (record.position, record.hash.to_string())))
}
