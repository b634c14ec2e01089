//! Operations on hooks: what is recorded, posted to a URL.
//!
//! ```text
//!  hook.register ──► Registered, Keyed ──► journal         a record, wherever it is made
//!  deliver_hooks ──► cursor ─ page ─► sign ─ post ─► Delivered, Failed, Disabled
//!  (quorate serve)                                         requests, where somebody delivers
//! ```
//!
//! A hook is only registered here. It is delivered by a process that does so: `quorate serve`, and a program that calls
//! [`Quorate::deliver_hooks`] under the feature `hooks`. Until one does it waits at its cursor; nothing is lost meanwhile.
//! `quorate play` has no network and never does.
//!
//! | file | holds |
//! |---|---|
//! | `target` | what a URL may be, and the addresses to which nothing is sent |
//! | `secret` | secrets, and the signature of a request |
//! | `deliver` | which hook is attempted when |
//! | `attempt` | one attempt: what is sent, under whose eyes, and what becomes of it |
//! | `post` | the request |

#[cfg(feature = "hooks")]
mod attempt;
#[cfg(feature = "hooks")]
mod deliver;
#[cfg(feature = "hooks")]
mod post;
mod secret;
mod target;

use serde_json::Value;

#[cfg(feature = "hooks")]
pub use self::deliver::Deliveries;
use self::target::{Target, why_refused};
use super::Quorate;
use super::dto::{HistoryQuery, HookChanged, HookList, HookRef, HookSecret, HookView, RegisterHook};
use super::events::{FILTERS, endless};
use super::hidden::sees_all;
use super::history::Filter;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::trust::hook::{Command, Hook, Register, Rejection, Reply, Secret, Standing};
use crate::error::{Error, ErrorKind};
use crate::journal::Position;
use crate::shell::entity::Action;
use crate::shell::host::{Host, wait};
use crate::shell::lock;
use crate::shell::runtime::ask;

/// Operations on hooks.
#[derive(Clone, Copy, Debug)]
pub struct Hooks<'a> {
    q: &'a Quorate,
}

impl Quorate {
    /// Operations on hooks: what is recorded, posted to a URL.
    pub fn hooks(&self) -> Hooks<'_> {
        Hooks { q: self }
    }
}

impl Hooks<'_> {
    /// Registers a hook. Durable on return; from then on what is recorded is posted to the URL by whoever delivers. The same
    /// again under its id changes nothing. A secret that was made is told in the reply, once.
    ///
    /// # Errors
    /// `invalid_argument` for the URL, the secret and the filter, with the refusals of `history.query`; `not_authorized` for an
    /// identity that may not read history; `already_exists`, `limit_exceeded`, and the faults of the store.
    pub async fn register(&self, request: RegisterHook) -> Result<HookChanged, Error> {
        self.q.allow("hook.register", &request).await?;
        // It hears no more than its owner may ask for.
        self.q.allow_reading(FILTERS)?;
        let host = self.q.host();
        let RegisterHook { hook_id, url, filter, secret, .. } = request;
        check_url(&url, host)?;
        let filter = filter.unwrap_or_default();
        let begins = filter.cursor.is_some() || filter.since.is_some() || filter.from_position.is_some();
        let of_filter = |error: Error| error.inside("filter");
        endless(&filter).map_err(of_filter)?;
        let before = filter.from_position.map_or(0, |from| from.saturating_sub(1));
        let (mut checked, mark) = Filter::of(filter.clone()).map_err(of_filter)?;
        checked.settle(host).await.map_err(of_filter)?;
        let text = kept(filter, checked.kind()).map_err(of_filter)?;
        let at = host.blocking(move |store| {
            let (checked, tip) = (mark.check(store)?, wait(store.tip())?.position);
            let at = if begins { mark.at.max(before) } else { tip };
            // What is recorded until then would be passed over, and nobody would know.
            let ahead = || {
                let expected =
                    format!("up to {}: nothing is recorded from there on yet", tip.saturating_add(1));
                Error::invalid("from_position", before.saturating_add(1), &expected)
            };
            Ok(checked.and_then(|()| if before > tip { Err(ahead()) } else { Ok(at) }))
        });
        let position = at.await?.map_err(of_filter)?;
        let given = secret.as_ref().map(|secret| secret::read(&secret.0)).transpose()?;
        let is_given = given.is_some();
        let signs = match given {
            Some(secret) => secret,
            None => self.mint()?,
        };
        let made = (!is_given).then(|| HookSecret(secret::text(&signs)));
        let hook_id = hook_id.unwrap_or_else(|| host.ids.mint());
        let owner = self.q.caller_name().cloned();
        let id = hook_id.clone();
        let register = Register { hook_id, url, filter: text, secret: signs, is_given, owner, position };
        let _counted = host.hooks.registering.lock().await;
        let limit = host.config.hooks.max_hooks;
        let is_one_more = {
            let hooks = lock(&host.counters.hooks);
            !hooks.contains_key(&id) && hooks.len() >= limit
        };
        if is_one_more {
            let message = format!("there are as many hooks as may be; remove one first. limit={limit}");
            return Err(Error::new(ErrorKind::LimitExceeded, message)
                .with("field", "hook_id")
                .with("limit", limit));
        }
        let changed = self.change(id, Command::Register(Box::new(register))).await?;
        Ok(HookChanged { secret: made.filter(|_| changed.changed), ..changed })
    }

    /// The hooks that were not removed, by their ids: one's own, and all of them for an admin and for whoever opened the
    /// runtime. No secret is shown.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn list(&self) -> Result<HookList, Error> {
        self.q.allow("hook.list", &()).await?;
        let host = self.q.host();
        drop(host.admit(false)?);
        let tip = host.blocking(|store| Ok(wait(store.tip())?.position)).await?;
        let hooks = lock(&host.counters.hooks);
        let seen = lock(&host.hooks.seen);
        let shown = hooks.iter().filter(|(_, hook)| self.may_touch(hook));
        let hooks = shown.map(|(id, hook)| view(id, hook, seen.get(id).copied(), tip)).collect();
        let delivers = host.hooks.delivers.load(std::sync::atomic::Ordering::Acquire);
        Ok(HookList { hooks, delivers })
    }

    /// Attempts a hook again that is failing, disabled or waits for its next attempt: at once, from where its cursor stands.
    /// Durable on return; repeating it is safe.
    ///
    /// # Errors
    /// `not_found`, `not_authorized` for the hook of somebody else, `nothing_done` for one that was removed, and the faults of
    /// the store.
    pub async fn resume(&self, request: HookRef) -> Result<HookChanged, Error> {
        self.q.allow("hook.resume", &request).await?;
        self.owns(&request.hook_id).await?;
        self.change(request.hook_id, Command::Resume).await
    }

    /// Ends a hook for good, with what it had not delivered. Durable on return; repeating it is safe. What is under way is not
    /// called back.
    ///
    /// # Errors
    /// `not_found`, `not_authorized` for the hook of somebody else, and the faults of the store.
    pub async fn remove(&self, request: HookRef) -> Result<HookChanged, Error> {
        self.q.allow("hook.remove", &request).await?;
        self.owns(&request.hook_id).await?;
        self.change(request.hook_id, Command::Remove).await
    }

    async fn change(&self, id: EntityId, command: Command) -> Result<HookChanged, Error> {
        let (host, named) = (self.q.host(), id.clone());
        let asked = ask(host, &host.kinds.hooks, &id, Action::Command(command, None), move |view| {
            let changed = match view.reply {
                Some(Ok(Reply::Done { changed })) => changed,
                Some(Err(rejection)) => return Err(rejection),
                None => return Err(Rejection::NotFound),
            };
            Ok((view.state.clone(), changed))
        });
        let (hook, changed) = asked.await??;
        let tip = host.blocking(|store| Ok(wait(store.tip())?.position)).await?;
        let seen = lock(&host.hooks.seen).get(&named).copied();
        Ok(HookChanged { hook: view(&named, &hook, seen, tip), changed, secret: None })
    }

    /// Refuses what belongs to somebody else.
    async fn owns(&self, id: &EntityId) -> Result<(), Error> {
        let host = self.q.host();
        let asked = ask(host, &host.kinds.hooks, id, Action::Read, |view| view.state.clone());
        let hook = asked.await?;
        if !hook.exists() {
            return Err(Rejection::NotFound.into());
        }
        if self.may_touch(&hook) {
            return Ok(());
        }
        let message = format!("the hook belongs to whoever registered it, and to admins. hook_id={id}");
        let error = Error::new(ErrorKind::NotAuthorized, message).with("hook_id", id.as_str());
        Err(error.with("missing", "owner"))
    }

    /// Is it one's own, or is the caller one who sees all?
    fn may_touch(&self, hook: &Hook) -> bool {
        let Some(caller) = self.q.caller_name() else { return true };
        let owner = hook.registered.as_ref().and_then(|registered| registered.owner.as_ref());
        owner == Some(caller) || sees_all(self.q.host(), caller)
    }

    fn mint(&self) -> Result<Secret, Error> {
        let host = self.q.host();
        let secret = host.ids.mint_secret(host.clock.is_manual()).map_err(|e| {
            let message = format!("the system gives no randomness for a secret. cause={e}");
            Error::new(ErrorKind::StoreError, message)
        })?;
        Ok(Secret(secret.to_vec()))
    }
}

/// The URL is one to which something may be sent, as far as it can be told without asking anybody.
fn check_url(url: &str, host: &Host) -> Result<(), Error> {
    // It is not repeated: a URL may hold what is secret.
    let target = Target::parse(url).map_err(|expected| Error::invalid("url", "hidden", expected))?;
    if host.config.hooks.allow_private {
        return Ok(());
    }
    match target.address().and_then(|address| Some((address, why_refused(address)?))) {
        None => Ok(()),
        Some((address, what)) => {
            let expected = format!(
                "an address of the public Internet: this one is {what}; `quorate serve --hook-allow-private` sends there too"
            );
            Err(Error::invalid("url", address.to_string(), &expected))
        }
    }
}

/// The filter as it is kept: where it begins is the cursor of the hook, and the kind is the one that was meant.
fn kept(filter: HistoryQuery, kind: Option<StreamKind>) -> Result<String, Error> {
    if kind == Some(StreamKind::Hook) {
        let expected =
            "another kind: what hooks themselves do is not sent, for sending it would be more of it";
        return Err(Error::invalid("kind", StreamKind::Hook.name(), expected));
    }
    let kind = kind.map(|kind| kind.name().to_owned());
    let kept = HistoryQuery { kind, cursor: None, from_position: None, ..filter };
    serde_json::to_string(&kept)
        .map_err(|e| Error::new(ErrorKind::InvalidArgument, format!("the filter cannot be kept. cause={e}")))
}

fn view(id: &EntityId, hook: &Hook, seen: Option<Position>, tip: Position) -> HookView {
    let registered = hook.registered.as_ref();
    let filter = registered.and_then(|registered| serde_json::from_str(&registered.filter).ok());
    let failure = hook.last_failure.as_ref();
    let last_error = match hook.standing {
        Standing::Disabled(reason) => Some(reason.to_string()),
        Standing::Active | Standing::Failing | Standing::Removed(_) => {
            failure.map(|failed| failed.reason.to_string())
        }
    };
    HookView {
        hook_id: id.clone(),
        state: hook.state().to_owned(),
        url: registered.map(|registered| registered.url.clone()).unwrap_or_default(),
        filter: filter.unwrap_or(Value::Null),
        position: hook.position,
        behind: tip.saturating_sub(seen.unwrap_or(0).max(hook.position)),
        delivered: hook.delivered,
        delivered_at: hook.delivered_at,
        failures: hook.failures,
        last_error,
        last_failed_at: failure.map(|failed| failed.at),
        next_attempt_at: hook.attempts_from().flatten(),
        owner: registered.and_then(|registered| registered.owner.clone()),
        registered_at: registered.map(|registered| registered.at),
    }
}
