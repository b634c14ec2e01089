//! Operations on identities: who may do what, and in whose name.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Quorate;
use super::caller::TOKEN_PREFIX;
use super::capacity_view::up_to;
use super::cursor::unknown;
use super::dto::{
    CreateIdentity, GrantIdentity, IdentityChanged, IdentityPage, IdentityToken, IdentityView,
    ListIdentities, RevokeIdentity, RotateIdentity,
};
use super::ops::OPERATIONS;
use super::quorum::{MAX_REASON, check_sentence, page_limit};
use crate::core::kernel::ids::EntityId;
use crate::core::kernel::time::{Timestamp, whole_parts};
use crate::core::trust::identity::command::{Create, Grant};
use crate::core::trust::identity::{
    Command, Identity, MAX_LISTED, MAX_NAME, Party, PublicKey, Rejection, Reply, Scope,
};
use crate::core::voting::signature;
use crate::error::{Error, ErrorKind};
use crate::journal::chain::secret_hash;
use crate::shell::entity::Action;
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Longest life that may be asked for: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Operations on identities.
#[derive(Clone, Copy, Debug)]
pub struct Identities<'a> {
    pub(super) q: &'a Quorate,
}

/// A token, and the hash under which it is kept.
struct Minted {
    token: String,
    hash: [u8; 32],
}

impl Identities<'_> {
    /// Makes an identity. Durable on return. The token in the reply is told once; only its hash is kept.
    ///
    /// The first identity must have the scope `admin`. From then on whoever comes through a door has to say who calls.
    ///
    /// # Errors
    /// `invalid_argument`, `already_exists` for a name that was ever used, and the faults of the store.
    pub async fn create(&self, request: CreateIdentity) -> Result<IdentityChanged, Error> {
        self.q.allow("identity.create", &request).await?;
        let name = request.name;
        if name.as_str().len() > MAX_NAME || name.as_str().starts_with(TOKEN_PREFIX) {
            let expected = format!("1 to {MAX_NAME} bytes that do not begin with {TOKEN_PREFIX}");
            return Err(Error::invalid("name", name.as_str(), &expected));
        }
        let public_key = key(request.public_key)?;
        let scopes = scopes(&request.scopes)?;
        if !self.q.knows_identities() && !scopes.contains(&Scope::Admin) {
            let expected = "admin among them: from the first identity on only an admin makes others";
            return Err(Error::invalid("scopes", request.scopes.join(","), expected));
        }
        let uids = self.uids(&name, request.uids.unwrap_or_default())?;
        let now = self.q.now();
        let minted = if request.issue_token.unwrap_or(true) { Some(self.mint()?) } else { None };
        let token_end = end("token_expires_in_seconds", request.token_expires_in_seconds, now)?;
        let create = Create {
            scopes,
            acts_as: parties(&request.acts_as.unwrap_or_default())?,
            public_key,
            uids,
            expires_at: end("expires_in_seconds", request.expires_in_seconds, now)?,
            token: minted.as_ref().map(|minted| (minted.hash, token_end)),
        };
        self.change(name, Command::Create(Box::new(create)), minted).await
    }

    /// Gives an identity a new token, and says how long those it has go on. Durable on return; the token is told once.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `limit_exceeded` when too many tokens are live, `nothing_done` when the identity
    /// is over, and the faults of the store.
    pub async fn rotate(&self, request: RotateIdentity) -> Result<IdentityChanged, Error> {
        self.q.allow("identity.rotate", &request).await?;
        let now = self.q.now();
        let minted = self.mint()?;
        let overlap = match request.overlap_seconds {
            Some(0.0) => None,
            given => end("overlap_seconds", given, now)?,
        };
        let command = Command::Rotate {
            hash: minted.hash,
            others_end: overlap.unwrap_or(now),
            expires_at: end("token_expires_in_seconds", request.token_expires_in_seconds, now)?,
        };
        self.change(request.name, command, Some(minted)).await
    }

    /// Says anew what an identity may do. Durable on return, and in force at once; repeating it is safe.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, `nothing_done` when the identity is over, and the faults of the store.
    pub async fn grant(&self, request: GrantIdentity) -> Result<IdentityChanged, Error> {
        self.q.allow("identity.grant", &request).await?;
        let grant = Grant {
            scopes: request.scopes.as_deref().map(scopes).transpose()?,
            acts_as: request.acts_as.as_deref().map(parties).transpose()?,
            public_key: key(request.public_key)?,
            uids: request.uids.map(|uids| self.uids(&request.name, uids)).transpose()?,
            expires_at: end("expires_in_seconds", request.expires_in_seconds, self.q.now())?,
        };
        self.change(request.name, Command::Grant(Box::new(grant)), None).await
    }

    /// Ends an identity for good, or one of its tokens. Durable on return, and in force at once: waits and followers
    /// under it end too. Repeating it is safe.
    ///
    /// # Errors
    /// `invalid_argument`, `not_found`, and the faults of the store.
    pub async fn revoke(&self, request: RevokeIdentity) -> Result<IdentityChanged, Error> {
        self.q.allow("identity.revoke", &request).await?;
        check_sentence("reason", request.reason.as_deref(), MAX_REASON)?;
        let command = match request.token_number {
            Some(number) => Command::RevokeToken { number },
            None => Command::Revoke { reason: request.reason },
        };
        self.change(request.name, command, None).await
    }

    /// The identities by name, live ones and those that are over. No token is shown.
    ///
    /// # Errors
    /// `invalid_argument` for limit or cursor, and the faults of the store.
    pub async fn list(&self, request: ListIdentities) -> Result<IdentityPage, Error> {
        self.q.allow("identity.list", &request).await?;
        let limit = page_limit(request.limit)?;
        let after = request.cursor.as_deref().map(|text| EntityId::stored(text).map_err(|_| unknown(text)));
        let after = after.transpose()?;
        self.q.settle().await;
        let host = self.q.host();
        drop(host.admit(false)?);
        let (directory, used) = (lock(&host.counters.identities), lock(&host.counters.identities_used));
        let now = self.q.now();
        let mut following = directory.after(after.as_ref());
        let used = |name: &EntityId| used.get(name).and_then(|noted| noted.last);
        let identities: Vec<IdentityView> = following
            .by_ref()
            .take(limit)
            .map(|(name, identity)| view(name, identity, used(name), now))
            .collect();
        let more = following.next().is_some();
        let last = identities.last().map(|identity| identity.name.as_str().to_owned());
        Ok(IdentityPage { next_cursor: last.or(request.cursor), identities, more })
    }

    /// The identity under which this handle asks; none where nobody is asked who calls. It needs no scope: whoever is
    /// let in may know as whom.
    pub fn own(&self) -> Option<IdentityView> {
        let name = self.q.caller_name()?;
        let host = self.q.host();
        let (directory, used) = (lock(&host.counters.identities), lock(&host.counters.identities_used));
        let last = used.get(name).and_then(|noted| noted.last);
        directory.get(name).map(|identity| view(name, identity, last, self.q.now()))
    }

    async fn change(
        &self,
        name: EntityId,
        command: Command,
        minted: Option<Minted>,
    ) -> Result<IdentityChanged, Error> {
        let host = self.q.host();
        let used = lock(&host.counters.identities_used).get(&name).and_then(|noted| noted.last);
        let named = name.clone();
        let changed =
            ask(host, &host.kinds.identities, &name, Action::Command(command, None), move |seen| match seen
                .reply
            {
                Some(Ok(Reply::Done { changed })) => {
                    let token_number = minted.as_ref().map(|_| seen.state.issued);
                    let identity = view(&named, seen.state, used, seen.now);
                    let token = minted.map(|minted| minted.token);
                    Ok(IdentityChanged { identity, changed, token, token_number })
                }
                Some(Err(rejection)) => Err(rejection.into()),
                None => Err(Rejection::NotFound.into()),
            });
        changed.await?
    }

    fn mint(&self) -> Result<Minted, Error> {
        let host = self.q.host();
        let secret = host.ids.mint_secret(host.clock.is_manual()).map_err(|e| {
            Error::new(
                ErrorKind::StoreError,
                format!("the system gives no randomness for a token. cause={e}"),
            )
        })?;
        let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("{TOKEN_PREFIX}{digits}");
        Ok(Minted { hash: secret_hash(token.as_bytes()), token })
    }

    /// A user of the operating system is one identity at most.
    fn uids(&self, name: &EntityId, uids: Vec<u32>) -> Result<BTreeSet<u32>, Error> {
        check_count("uids", uids.len())?;
        let directory = lock(&self.q.host().counters.identities);
        let now = self.q.now();
        let taken = uids.iter().find(|uid| directory.by_uid(**uid, now).is_some_and(|other| other != name));
        match taken {
            Some(uid) => Err(Error::invalid("uids", *uid, "users that are no other identity")),
            None => Ok(uids.into_iter().collect()),
        }
    }
}

fn check_count(field: &str, count: usize) -> Result<(), Error> {
    if count > MAX_LISTED {
        return Err(Error::invalid(field, count, &format!("up to {MAX_LISTED} entries")));
    }
    Ok(())
}

fn scopes(texts: &[String]) -> Result<BTreeSet<Scope>, Error> {
    check_count("scopes", texts.len())?;
    let expected = "admin, read, NOUN.* or NOUN.VERB of an operation; quorate ops lists them";
    let known = |text: &String| {
        let scope = Scope::parse(text).filter(|scope| match scope {
            Scope::Admin | Scope::Read => true,
            Scope::Noun(noun) => {
                OPERATIONS.iter().any(|op| op.name.split_once('.').is_some_and(|(known, _)| known == noun))
            }
            Scope::Operation(name) => OPERATIONS.iter().any(|op| op.name == name),
        });
        scope.ok_or_else(|| Error::invalid("scopes", text.as_str(), expected))
    };
    texts.iter().map(known).collect()
}

fn parties(texts: &[String]) -> Result<BTreeSet<Party>, Error> {
    check_count("acts_as", texts.len())?;
    let expected = "KIND:ID, KIND:PREFIX* or *, where KIND is voter, agent, worker, holder or cell";
    let known =
        |text: &String| Party::parse(text).ok_or_else(|| Error::invalid("acts_as", text.as_str(), expected));
    texts.iter().map(known).collect()
}

fn key(text: Option<String>) -> Result<Option<PublicKey>, Error> {
    let parse = |text: String| {
        let Some(key) = PublicKey::parse(&text) else {
            let expected = "64 hexadecimal digits, the 32 bytes of an ed25519 key";
            return Err(Error::invalid("public_key", text, expected));
        };
        // Under some keys one signature fits many messages; voters have none of those either.
        match signature::PublicKey::new(key.0).check() {
            Ok(()) => Ok(key),
            Err(bad) => {
                let expected = "an ed25519 key under which a signature proves something";
                Err(Error::invalid("public_key", bad.to_string(), expected))
            }
        }
    };
    text.map(parse).transpose()
}

/// When something ends that lives so long from now on.
fn end(field: &str, seconds: Option<f64>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let Some(seconds) = seconds else { return Ok(None) };
    match whole_parts(seconds, 1_000_000) {
        Some(us) if us > 0 && u128::from(us) <= LONGEST.as_micros() => {
            Ok(Some(now.plus(Duration::from_micros(us))))
        }
        Some(_) | None => {
            let given = if seconds.is_finite() { seconds.into() } else { seconds.to_string().into() };
            let given: serde_json::Value = given;
            Err(Error::invalid(field, given, &up_to(LONGEST)))
        }
    }
}

pub(super) fn view(
    name: &EntityId,
    identity: &Identity,
    used: Option<Timestamp>,
    now: Timestamp,
) -> IdentityView {
    let granted = identity.granted.as_ref();
    let end = identity.end.as_ref();
    let state = match end {
        Some(end) if end.revoked => "revoked",
        Some(_) => "expired",
        None if identity.is_active(now) => "active",
        None => "expired",
    };
    IdentityView {
        name: name.clone(),
        state: state.into(),
        scopes: identity.scopes().map(Scope::to_string).collect(),
        acts_as: identity.parties().map(Party::to_string).collect(),
        public_key: granted.and_then(|granted| granted.public_key).map(|key| key.to_string()),
        uids: granted.map(|granted| granted.uids.iter().copied().collect()).unwrap_or_default(),
        tokens: identity
            .tokens
            .iter()
            .map(|token| IdentityToken {
                number: token.number,
                issued_at: token.issued_at,
                expires_at: token.expires_at,
            })
            .collect(),
        created_at: identity.created_at,
        expires_at: granted.and_then(|granted| granted.expires_at),
        ended_at: end.map(|end| end.at),
        end_reason: end.and_then(|end| end.reason.clone()),
        last_used: used.max(identity.last_used),
        refused: identity.refused,
    }
}
