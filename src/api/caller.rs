//! Who calls, and whether it may: the one check that every door passes before an operation is called.
//!
//! ```text
//!  HTTP      Authorization: Bearer … ─┐
//!  TLS       key of a certificate ────┤
//!  socket    uid of the peer          ├─► admit(credential) ─► handle of an identity ─┐
//!  Rust      as_identity(token, name) ┘   not_authenticated                           │ permit(operation, fields)
//!                                                                                     │   not_authorized: scope, party
//!  Rust, play, a folder of one's own ──► plain handle: nobody is asked ───────────────┴─► op.call, a typed method
//! ```
//!
//! While no identity was ever made, every credential is ignored and the plain handle serves all. From the first one on
//! nobody is served unknown. What an operation needs stands in its row: the scope, and the fields that name who acts.
//! Whether the identity is live is looked at before every call, and again whenever an identity changes, so that what was
//! revoked ends at once.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::Quorate;
use super::ops::{self, Acts, Operation};
use crate::core::kernel::ids::{EntityId, StreamKind, VoterId};
use crate::core::kernel::shards::OneShard;
use crate::core::kernel::time::Timestamp;
use crate::core::trust::identity::check::{Acting, Missing, Need, permits};
use crate::core::trust::identity::command::Refuse;
use crate::core::trust::identity::event::PublicKey;
use crate::core::trust::identity::scope::{PartyKind, Reach};
use crate::core::trust::identity::{Command, Directory, Identity, IdentityMachine, USE_EVERY};
use crate::error::{Error, ErrorKind};
use crate::journal::chain::{same_hash, secret_hash};
use crate::shell::entity::Action;
use crate::shell::host::Host;
use crate::shell::lock;
use crate::shell::runtime::ask;
use crate::shell::tell::tell;
use crate::shell::writer::Failure;

/// How tokens begin.
pub(super) const TOKEN_PREFIX: &str = "quorate_";

/// What a door has in hand of whoever calls.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A bearer token.
    Token(&'a str),
    /// The user at the other end of a unix socket.
    Uid(u32),
    /// An ed25519 key, which the other end has proved to have.
    Key([u8; 32]),
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Credential::None => "None",
            Credential::Token(_) => "Token(…)",
            Credential::Uid(_) => "Uid(…)",
            Credential::Key(_) => "Key(…)",
        })
    }
}

/// What proved who calls.
#[derive(Clone, Debug)]
enum Proof {
    Token(u32),
    Uid(u32),
    Key(PublicKey),
    /// The program that embeds the runtime says so.
    Named,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    name: EntityId,
    proof: Proof,
    /// The call that is under way was let through.
    let_through: bool,
}

/// Why a call is not let through.
#[derive(Debug)]
enum Refusal {
    /// The identity or its credential is over.
    Over,
    /// It lacks this.
    Missing(Missing),
}

/// A call that was let through.
pub(super) struct Permitted {
    /// The handle under which it is carried out.
    pub(super) q: Quorate,
    /// What ends it when it waits and the caller may no longer ask for it.
    pub(super) watch: Option<Watch>,
}

/// What a call comes to that was begun before it is awaited, or why it was not.
///
/// # Errors
/// Those of the call; what it was refused with.
pub(super) async fn begun<R>(
    sent: Result<Result<impl Future<Output = Result<Result<R, Error>, Failure>> + Send, Error>, Refusing>,
) -> Result<R, Error> {
    match sent {
        Ok(sent) => sent?.await?,
        Err(refused) => Err(refused.await),
    }
}

/// Puts a refusal on record, and says it.
pub(super) type Refusing = Pin<Box<dyn Future<Output = Error> + Send>>;

/// Looks, whenever an identity changes, whether a call that waits may still do so.
pub(super) struct Watch {
    q: Quorate,
    op: &'static Operation,
    fields: Map<String, Value>,
}

impl Watch {
    /// Waits for what a call comes to, while its caller may ask for it.
    ///
    /// # Errors
    /// Those of the call; those of [`Quorate::permit`], as soon as it may not.
    pub(super) async fn until_over<T>(
        watch: Option<Watch>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(watch) = watch else { return call.await };
        tokio::select! {
            biased;
            done = call => done,
            refused = watch.over() => Err(refused),
        }
    }

    async fn over(self) -> Error {
        let mut changed = self.q.host().counters.identities_changed.subscribe();
        loop {
            if let Some(caller) = &self.q.caller
                && let Err(refusal) = self.q.judge(caller, self.op, &self.fields, None)
            {
                return error_of(caller, self.op, refusal, false);
            }
            // The sender is in the host; it cannot be gone.
            let _ = changed.changed().await;
        }
    }
}

impl Caller {
    /// The identity, while it and what proved it are live.
    fn live<'d>(&self, directory: &'d Directory, now: Timestamp) -> Option<&'d Identity> {
        let identity = directory.get(&self.name).filter(|identity| identity.is_active(now))?;
        let proved = match &self.proof {
            Proof::Token(number) => identity.token(*number).is_some_and(|token| !token.is_over(now)),
            Proof::Uid(uid) => directory.by_uid(*uid, now) == Some(&self.name),
            Proof::Key(key) => directory.by_key(key, now) == Some(&self.name),
            Proof::Named => true,
        };
        proved.then_some(identity)
    }
}

fn not_authenticated(message: &str) -> Error {
    Error::new(ErrorKind::NotAuthenticated, message).with("missing", "credential")
}

impl Quorate {
    /// Was an identity ever made here? From then on whoever comes through a door has to say who calls.
    pub fn knows_identities(&self) -> bool {
        lock(&self.host().counters.identities).is_used()
    }

    /// The handle for whoever has this credential: the same one while there are no identities.
    ///
    /// # Errors
    /// `not_authenticated` when nothing live is proved.
    pub fn admit(&self, credential: Credential<'_>) -> Result<Quorate, Error> {
        let now = self.now();
        let caller = {
            let directory = lock(&self.host().counters.identities);
            if !directory.is_used() {
                return Ok(self.clone());
            }
            let found = match credential {
                Credential::None => {
                    let message = "this server asks who calls: send the token of an identity, as Authorization: Bearer \
                                   TOKEN, --token or QUORATE_TOKEN";
                    return Err(not_authenticated(message));
                }
                Credential::Token(token) => {
                    let hash = secret_hash(token.as_bytes());
                    directory
                        .by_token(&hash)
                        .filter(|(_, _, held)| same_hash(held, &hash))
                        .map(|(name, number, _)| (name.clone(), Proof::Token(number)))
                }
                Credential::Uid(uid) => {
                    directory.by_uid(uid, now).map(|name| (name.clone(), Proof::Uid(uid)))
                }
                Credential::Key(key) => {
                    let key = PublicKey(key);
                    directory.by_key(&key, now).map(|name| (name.clone(), Proof::Key(key)))
                }
            };
            let caller = found.map(|(name, proof)| Caller { name, proof, let_through: false });
            caller.filter(|caller| caller.live(&directory, now).is_some())
        };
        let caller = caller.ok_or_else(|| {
            not_authenticated("the credential is that of no live identity: it is unknown, expired or revoked")
        })?;
        self.note_use(&caller.name, now);
        Ok(self.under(caller))
    }

    /// A handle on which everything is checked, and recorded, as asked for by this identity.
    ///
    /// # Errors
    /// `not_authenticated` when the token, or the name, is that of no live identity.
    pub(super) fn known_as(&self, token_or_name: &str) -> Result<Quorate, Error> {
        if token_or_name.starts_with(TOKEN_PREFIX) && self.knows_identities() {
            return self.admit(Credential::Token(token_or_name));
        }
        let now = self.now();
        let name = EntityId::stored(token_or_name).ok();
        let caller = name.map(|name| Caller { name, proof: Proof::Named, let_through: false });
        let directory = lock(&self.host().counters.identities);
        let live = caller.filter(|caller| caller.live(&directory, now).is_some());
        drop(directory);
        let caller = live.ok_or_else(|| not_authenticated("no live identity has this token or name"))?;
        self.note_use(&caller.name, now);
        Ok(self.under(caller))
    }

    /// The same caller at the runtime of a shard.
    pub(super) fn known_here(&self, caller: Option<Caller>) -> Quorate {
        caller.map_or_else(|| self.clone(), |caller| self.under(caller))
    }

    fn under(&self, caller: Caller) -> Quorate {
        Quorate {
            runtime: self.runtime.clone(),
            access: self.access.under(caller.name.clone()),
            caller: Some(caller),
            members: self.members.clone(),
            shards: self.shards.clone(),
        }
    }

    /// Remembers that an identity was used, and puts it on record once in a while.
    fn note_use(&self, name: &EntityId, now: Timestamp) {
        let host = self.host();
        let is_old = |last: Option<Timestamp>| last.is_none_or(|last| last.plus(USE_EVERY) <= now);
        let recorded = lock(&host.counters.identities).get(name).and_then(|identity| identity.last_used);
        let mut used = lock(&host.counters.identities_used);
        let noted = used.entry(name.clone()).or_default();
        noted.last = Some(now);
        if !host.reads_only
            && self.shards.is_none()
            && has_identities(host)
            && is_old(recorded)
            && is_old(noted.told)
        {
            noted.told = Some(now);
            drop(used);
            tell::<IdentityMachine>(host, name, Command::Use);
        }
    }

    /// Voters that whoever calls is, or is named to act as one by one.
    pub(super) fn own_voters(&self) -> Vec<VoterId> {
        let Some(caller) = &self.caller else { return Vec::new() };
        let directory = lock(&self.host().counters.identities);
        let parties = directory.get(&caller.name).into_iter().flat_map(Identity::parties);
        let named = parties.filter(|party| party.kind.is_none_or(|kind| kind == PartyKind::Voter));
        let ids = named.filter_map(|party| match &party.reach {
            Reach::Id(id) => VoterId::stored(id.clone()).ok(),
            Reach::Prefix(_) => None,
        });
        ids.chain([VoterId::from(&caller.name)]).collect()
    }

    /// May whoever calls ask for this operation where it needs more than its row says?
    ///
    /// # Errors
    /// `not_authenticated` for an identity that is over, `not_authorized` for one that may not.
    pub(super) fn allow_as(&self, operation: &str, need: Need) -> Result<(), Error> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let directory = lock(&self.host().counters.identities);
        let Some(identity) = caller.live(&directory, self.now()) else { return Err(over(&caller.name)) };
        let permitted = permits(identity, caller.name.as_str(), operation, need, &[]);
        permitted.map_err(|missing| not_authorized(&caller.name, operation, &missing, false))
    }

    /// Who calls, where that is asked.
    pub fn caller_name(&self) -> Option<&EntityId> {
        self.caller.as_ref().map(|caller| &caller.name)
    }

    /// May the caller ask for this operation with these fields?
    ///
    /// # Errors
    /// `not_authenticated` when the identity is over; `not_authorized` naming the scope or the party that is missing. The
    /// attempt is on record where the row says so.
    pub(super) async fn permit(
        &self,
        op: &'static Operation,
        fields: &Map<String, Value>,
    ) -> Result<Permitted, Error> {
        let Some(caller) = self.caller.as_ref().filter(|caller| !caller.let_through) else {
            return Ok(Permitted { q: self.clone(), watch: None });
        };
        let leader = self.leader_meant(op, fields).await;
        if let Err(refusal) = self.judge(caller, op, fields, leader.as_deref()) {
            return Err(self.refused(caller, op, fields, refusal).await);
        }
        let q = self.let_through();
        let watch = (op.waits)(fields).then(|| Watch { q: q.clone(), op, fields: fields.clone() });
        Ok(Permitted { q, watch })
    }

    /// The same for a typed method, with its request. A plain handle pays nothing for it.
    ///
    /// # Errors
    /// As [`Quorate::permit`].
    pub(super) async fn allow<T: Serialize + Sync>(&self, name: &str, request: &T) -> Result<(), Error> {
        if self.is_let_through() {
            return Ok(());
        }
        self.permit(ops::find(name)?, &fields_of(request)?).await.map(|_| ())
    }

    /// The same for a method that may wait; gives what ends the wait.
    ///
    /// # Errors
    /// As [`Quorate::permit`].
    pub(super) async fn allow_waiting<T: Serialize + Sync>(
        &self,
        name: &str,
        request: &T,
    ) -> Result<Option<Watch>, Error> {
        if self.is_let_through() {
            return Ok(None);
        }
        self.permit(ops::find(name)?, &fields_of(request)?).await.map(|permitted| permitted.watch)
    }

    /// The same for a method that begins before it is awaited. What is refused is put on record by the future.
    pub(super) fn allow_now<T: Serialize>(&self, name: &str, request: &T) -> Result<(), Refusing> {
        let (Some(caller), false) = (&self.caller, self.is_let_through()) else { return Ok(()) };
        let (op, fields) = match (ops::find(name), fields_of(request)) {
            (Ok(op), Ok(fields)) => (op, fields),
            (Err(error), _) | (_, Err(error)) => return Err(Box::pin(std::future::ready(error))),
        };
        self.judge(caller, op, &fields, None).map_err(|refusal| {
            let (this, caller) = (self.clone(), caller.clone());
            let refused = async move { this.refused(&caller, op, &fields, refusal).await };
            Box::pin(refused) as Refusing
        })
    }

    /// Could whoever calls ask for this operation, in its own name or that of somebody it may act as? Whether it may with
    /// the fields of a request is looked at when it asks.
    pub fn covers(&self, op: &Operation) -> bool {
        let Some(caller) = &self.caller else { return true };
        let directory = lock(&self.host().counters.identities);
        caller
            .live(&directory, self.now())
            .is_some_and(|identity| permits(identity, caller.name.as_str(), op.name, op.scope, &[]).is_ok())
    }

    /// May whoever calls read what is no operation, such as the counters of a server?
    ///
    /// # Errors
    /// `not_authenticated` for an identity that is over, `not_authorized` for one that may not read.
    pub fn allow_reading(&self, what: &str) -> Result<(), Error> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let directory = lock(&self.host().counters.identities);
        let Some(identity) = caller.live(&directory, self.now()) else { return Err(over(&caller.name)) };
        let permitted = permits(identity, caller.name.as_str(), what, Need::Read, &[]);
        permitted.map_err(|missing| not_authorized(&caller.name, what, &missing, false))
    }

    /// Refuses what belongs to the program that opened the runtime, and to no identity.
    ///
    /// # Errors
    /// `not_authorized` for an identity.
    pub(super) fn owned(&self, what: &str) -> Result<(), Error> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let message = format!("{what} belongs to whoever opened the runtime. identity={}", caller.name);
        Err(Error::new(ErrorKind::NotAuthorized, message)
            .with("identity", caller.name.as_str())
            .with("missing", "owner"))
    }

    /// May whoever calls ask one more question of this kind, of which so many may be open in all?
    ///
    /// # Errors
    /// `limit_exceeded` for an identity that has its share.
    pub(super) fn check_open(&self, kind: StreamKind, most: u64) -> Result<(), Error> {
        let Some(name) = self.caller_name() else { return Ok(()) };
        let host = self.host();
        let limit = host.config.max_open_each.min((most / 2).max(1));
        let open = lock(&host.counters.asked).open(name, kind);
        if open < limit {
            return Ok(());
        }
        let kind = kind.name();
        let message = format!(
            "the identity has as many questions open as one may; others are served. identity={name}, kind={kind}, \
             open={open}, limit={limit}"
        );
        Err(Error::new(ErrorKind::LimitExceeded, message)
            .with("what", "max_open_each")
            .with("identity", name.as_str())
            .with("limit", limit))
    }

    /// Hears when identities change, for those who follow under one.
    pub(super) fn watch_caller(&self) -> Option<watch::Receiver<u64>> {
        self.caller.as_ref().map(|_| self.host().counters.identities_changed.subscribe())
    }

    fn is_let_through(&self) -> bool {
        self.caller.as_ref().is_none_or(|caller| caller.let_through)
    }

    fn let_through(&self) -> Quorate {
        let caller = self.caller.clone().map(|caller| Caller { let_through: true, ..caller });
        Quorate { caller, ..self.clone() }
    }

    /// The one check.
    fn judge(
        &self,
        caller: &Caller,
        op: &Operation,
        fields: &Map<String, Value>,
        leader: Option<&str>,
    ) -> Result<(), Refusal> {
        let directory = lock(&self.host().counters.identities);
        let identity = caller.live(&directory, self.now()).ok_or(Refusal::Over)?;
        let acting: Vec<Acting<'_>> = op.acts.iter().filter_map(|acts| acts.named(fields, leader)).collect();
        permits(identity, caller.name.as_str(), op.name, op.scope, &acting).map_err(Refusal::Missing)
    }

    /// Who leads the job, where the request is one of its leader's or shows its token.
    async fn leader_meant(&self, op: &Operation, fields: &Map<String, Value>) -> Option<String> {
        let asks = |acts: &Acts| matches!(acts, Acts::Leader(_) | Acts::Leads(_));
        if !op.acts.iter().any(|acts| asks(acts) && is_given(fields, acts.field())) {
            return None;
        }
        let id =
            |field: &str| fields.get(field).and_then(Value::as_str).and_then(|id| EntityId::stored(id).ok());
        let leader = self.jobs().leader_of(&id("job_id")?, id("datacenter").as_ref()).await;
        leader.map(|leader| leader.as_str().to_owned())
    }

    /// What whoever was refused is told, after it is on record where that is called for.
    async fn refused(
        &self,
        caller: &Caller,
        op: &'static Operation,
        fields: &Map<String, Value>,
        refusal: Refusal,
    ) -> Error {
        let host = self.host();
        let recorded = match &refusal {
            Refusal::Missing(Missing::Party(party))
                if op.records_refusals && !host.reads_only && has_identities(host) =>
            {
                let refuse = Refuse {
                    operation: op.name.to_owned(),
                    subject: op.subject().and_then(|field| fields.get(field)?.as_str().map(str::to_owned)),
                    kind: party.kind,
                    party_id: party.reach.text().to_owned(),
                };
                let command = Action::Command(Command::Refuse(Box::new(refuse)), None);
                let kept = ask(host, &host.kinds.identities, &caller.name, command, |_| ());
                match kept.await {
                    Ok(()) => true,
                    // What should be on record and is not is told as what it is.
                    Err(failure) => return failure.into(),
                }
            }
            Refusal::Missing(_) | Refusal::Over => false,
        };
        error_of(caller, op, refusal, recorded)
    }
}

/// Identities stand on the first shard, where there are several.
fn has_identities(host: &Host) -> bool {
    host.config.shard.as_ref().is_none_or(OneShard::is_first)
}

fn error_of(caller: &Caller, op: &Operation, refusal: Refusal, recorded: bool) -> Error {
    match refusal {
        Refusal::Over => over(&caller.name),
        Refusal::Missing(missing) => not_authorized(&caller.name, op.name, &missing, recorded),
    }
}

fn over(name: &EntityId) -> Error {
    not_authenticated("the identity, or the credential it was proved with, has expired or was revoked")
        .with("identity", name.as_str())
}

fn not_authorized(name: &EntityId, operation: &str, missing: &Missing, recorded: bool) -> Error {
    let (what, text, message, flag) = match missing {
        Missing::Scope(scope) => {
            ("scope", scope.to_string(), "the identity has no scope that covers the operation", "scopes")
        }
        Missing::Party(party) => {
            ("party", party.to_string(), "the identity may not act as this party", "acts-as")
        }
    };
    let next = format!(
        "an admin may grant it, beside what the identity has: `quorate identity grant {name} --{flag} …,{text}`"
    );
    let record = if recorded { "; the attempt is on record" } else { "" };
    let message = format!("{message}{record}. identity={name}, operation={operation}, missing {what}={text}");
    Error::new(ErrorKind::NotAuthorized, message)
        .with("identity", name.as_str())
        .with("operation", operation)
        .with("missing", what)
        .with(what, text)
        .advising(next)
}

fn is_given(fields: &Map<String, Value>, field: &str) -> bool {
    fields.get(field).is_some_and(|value| !value.is_null())
}

/// The fields of a typed request.
///
/// # Errors
/// `invalid_argument` for one that cannot be read.
pub(crate) fn fields_of<T: Serialize>(request: &T) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(e) => {
            Err(Error::new(ErrorKind::InvalidArgument, format!("the request cannot be read. cause={e}")))
        }
    }
}

#[cfg(test)]
#[path = "caller_test.rs"]
mod tests;
