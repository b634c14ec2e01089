//! Capacity as a hold: asked for, waited for, kept and given back by one value of the program.
//!
//! ```text
//!  acquire ──► asked ──► waits ──► granted ──► acknowledged ──► Held ── renewed in time ── release, drop ──► given back
//!    dropped:    │         │          │             │
//!                └─────────┴─ need cancelled; what was granted in that instant ─┴──────────────────────────► given back
//! ```
//!
//! Choices, each with its reason:
//!
//! - *Whoever no longer waits gives up its place*, as with a semaphore: nobody is left who could use the grant. A
//!   `capacity.request` that waits is a look at a need that stands by itself, and leaves it standing.
//! - *The hold acknowledges and renews.* The lease begins again when the program has the hold, and lasts as long as
//!   the program runs. When the process dies, nobody renews: the lease brings the capacity back.
//! - *Dropping is giving back, in the background.* Closing the runtime waits a moment for it.
//!
//! # Source
//! Leases: Gray and Cheriton, *Leases*, SOSP 1989. A value that gives back when it goes out of scope: Stroustrup, *The
//! Design and Evolution of C++*, 1994, on resource acquisition as initialisation.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Quorate;
use super::capacity::Capacity;
use super::capacity_view::{overloaded, refused_need, unexpected};
use super::dto::RequestCapacity;
use super::wait::AbortOnDrop;
use crate::core::capacity::cell::event::Granted;
use crate::core::capacity::cell::{Amount, Lease, Op, Rejection, Release, Reply};
use crate::core::kernel::ids::{CellId, EntityId, NeedId, Resource, TokenId};
use crate::core::kernel::time::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::journal::Fault;
use crate::shell::access::{Access, Asks};
use crate::shell::joint::{self, Answered};
use crate::shell::lock;
use crate::shell::needs::{Ended, Waiter, give_back, insist};
use crate::shell::writer::Failure;

/// A lease is renewed when a third of it has passed: two more tries fit into the rest.
const RENEWED_EVERY: u32 = 3;
/// After a renewal that the runtime did not serve the next one follows sooner by this.
const SOONER: u32 = 10;
/// Shortest pause between two renewals.
const SHORTEST: Duration = Duration::from_millis(1);

impl Capacity<'_> {
    /// Asks for capacity and waits until it is granted; gives it back when the hold is dropped.
    ///
    /// The wait ends with the `timeout_seconds` of the request. The hold acknowledges its tokens and keeps their lease
    /// going: the lease is renewable unless the request says otherwise. A need has one holder: give each acquisition a
    /// `need_id` of its own, or none. Under the `need_id` of a process that died the same request takes over its need.
    /// In virtual time it waits as well, for a release or for somebody who moves the clock, and nobody renews.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place in the queue, and gives back what was granted in that instant.
    ///
    /// ```
    /// use quorate::{Config, Quorate, RequestCapacity};
    ///
    /// # #[tokio::main] async fn main() -> Result<(), quorate::Error> {
    /// let q = Quorate::open(Config::memory()).await?;
    /// let first = q.capacity().acquire(RequestCapacity::new("gpu")?.of(0.6)).await?;
    /// let second = tokio::spawn({
    ///     let q = q.clone();
    ///     async move { q.capacity().acquire(RequestCapacity::new("gpu")?.of(0.6)).await }
    /// });
    /// assert_eq!(first.amount(), 0.6);
    /// first.release().await?; // or drop it
    /// assert_eq!(second.await.unwrap()?.token_ids().len(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Capacity::request`]; `overloaded` when too many needs wait, or when the wait is over (the detail
    /// `status` says which: `overloaded`, `expired`); `conflict` when somebody cancelled the need; those of
    /// [`Capacity::ack`] when what was granted is out of reach already.
    pub async fn acquire(&self, request: RequestCapacity) -> Result<Held, Error> {
        self.q.allow("capacity.request", &request).await?;
        let host = self.q.host();
        let renewable = Some(request.renewable.unwrap_or(true));
        let asked = self.asked(RequestCapacity { renewable, ..request }).await?;
        let lease = asked.lease;
        // Dropped after the claim, so that a runtime that closes sees who is about to give back.
        let mut waiter = Waiter::new(host, &asked.cell, &asked.need).map_err(Failure::Refused)?;
        let mut claim = Claim::ask(host, asked.cell.clone(), asked.need.clone(), Op::Request(asked));
        let ended = match claim.answered().await? {
            Reply::Granted { cell: _, granted } => Ended::Granted(granted),
            Reply::NeedExpired { cell: _, need: _, deadline } => Ended::Expired(deadline),
            Reply::NeedCancelled { cell: _, need: _, deadline: _ } => Ended::Cancelled,
            Reply::Pending { .. } => waiter.ended().await.map_err(Failure::Refused)?,
            Reply::Overloaded { cell: _, pending_requests, low_water } => {
                claim.over();
                return Err(overloaded(pending_requests, low_water));
            }
            other => return Err(unexpected(&other)),
        };
        let granted = match ended {
            Ended::Granted(granted) => granted,
            Ended::Expired(deadline) => {
                claim.over();
                return Err(expired(&claim.need, deadline));
            }
            Ended::Cancelled => {
                claim.over();
                return Err(cancelled(&claim.need));
            }
        };
        claim.granted(&granted);
        let expires = claim.acknowledge(&granted).await?;
        claim.over();
        Ok(Held::new(self.q.clone(), granted, lease, expires))
    }
}

fn expired(need: &NeedId, deadline: Timestamp) -> Error {
    let message = format!("nothing came free in time; ask again under another need_id. need_id={need}");
    let error = Error::new(ErrorKind::Overloaded, message).with("status", "expired");
    error.with("need_id", need.as_str()).with("deadline", deadline.to_string())
}

fn cancelled(need: &NeedId) -> Error {
    let message = format!("somebody cancelled the need; ask again under another need_id. need_id={need}");
    Error::new(ErrorKind::Conflict, message).with("status", "cancelled").with("need_id", need.as_str())
}

/// How far an acquisition is.
enum Stage {
    /// The request is on its way.
    Asked(JoinHandle<Answered>),
    /// The need waits, as far as is known.
    Waits,
    /// These tokens are out.
    Granted(Vec<TokenId>),
}

/// What an acquisition has a claim to. Dropped before it is over, everything is given up.
struct Claim {
    host: Access,
    cell: CellId,
    need: NeedId,
    stage: Option<Stage>,
}

impl Claim {
    /// The request is carried out whether or not somebody waits for its answer: so nothing overtakes it that gives up
    /// what it asks for.
    fn ask(host: &Access, cell: CellId, need: NeedId, op: Op) -> Self {
        let surroundings = host.clone();
        let asking = host.tokio.spawn(async move { joint::run(&surroundings, op).await });
        Claim { host: host.clone(), cell, need, stage: Some(Stage::Asked(asking)) }
    }

    async fn answered(&mut self) -> Result<Reply, Error> {
        let Some(Stage::Asked(asking)) = &mut self.stage else { return Err(ended()) };
        // A request whose answer is lost may have been carried out.
        let answer = asking.await.map_err(|_| ended());
        self.stage = Some(Stage::Waits);
        match answer?? {
            Ok(reply) => Ok(reply),
            Err(rejection) => {
                self.over();
                Err(refused_need(rejection))
            }
        }
    }

    fn granted(&mut self, granted: &Granted) {
        self.stage = Some(Stage::Granted(ids(granted)));
    }

    /// Nothing is left that somebody else would have to give up.
    fn over(&mut self) {
        self.stage = None;
    }

    /// Starts the leases again; gives the first instant at which one of them ends.
    async fn acknowledge(&self, granted: &Granted) -> Result<Option<Timestamp>, Error> {
        let ack = |token| {
            let (host, op) = (self.host.clone(), Op::Ack { token, cell: self.cell.clone() });
            self.host.tokio.spawn(async move { joint::run(&host, op).await })
        };
        // All at once, so that they share a flush.
        let acks: Vec<_> = ids(granted).into_iter().map(ack).collect();
        let mut first = None;
        for ack in acks {
            if let Reply::Acknowledged { expires: Some(expires), .. } =
                ack.await.map_err(|_| ended())???
            {
                first = Some(first.map_or(expires, |first: Timestamp| first.min(expires)));
            }
        }
        Ok(first)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(stage) = self.stage.take() else { return };
        let (host, cell, need) = (self.host.clone(), self.cell.clone(), self.need.clone());
        give_back(&self.host, async move {
            let tokens = match stage {
                Stage::Granted(tokens) => tokens,
                Stage::Waits => withdraw(&host, &cell, need).await,
                Stage::Asked(asking) => match asking.await {
                    Ok(Ok(Ok(Reply::Granted { cell: _, granted }))) => ids(&granted),
                    Ok(Ok(Err(_))) => Vec::new(),
                    Ok(Ok(Ok(_)) | Err(_)) | Err(_) => withdraw(&host, &cell, need).await,
                },
            };
            release(&host, &cell, tokens).await;
        });
    }
}

/// Takes a need out of its queue; gives the tokens of one that was granted before.
async fn withdraw(host: &Access, cell: &CellId, need: NeedId) -> Vec<TokenId> {
    match insist(host, Op::Cancel { cell: cell.clone(), need }).await {
        Some(Ok(Reply::Granted { cell: _, granted })) => ids(&granted),
        Some(Ok(_) | Err(_)) | None => Vec::new(),
    }
}

async fn release(host: &Access, cell: &CellId, tokens: Vec<TokenId>) {
    for token in tokens {
        // One that has ended is back where it came from.
        let _ = insist(host, Op::Release { cell: cell.clone(), what: Release::Token(token) }).await;
    }
}

fn ids(granted: &Granted) -> Vec<TokenId> {
    granted.tokens.iter().map(|token| token.id.clone()).collect()
}

fn ended() -> Error {
    Fault::Unavailable { reason: "the runtime ended".into() }.into()
}

/// Capacity that is held. Given back when dropped; keeps the runtime open meanwhile.
///
/// Dropping it releases in the background: until that is durable, and when the process dies first, the capacity is out
/// until the lease ends. [`Held::release`] says when it is back. Each renewal, one in every third of the lease, is a
/// record of its own.
#[derive(Debug)]
pub struct Held {
    q: Quorate,
    cell: CellId,
    need: NeedId,
    resource: Resource,
    amount: Amount,
    tokens: Vec<TokenId>,
    lost: watch::Receiver<Option<Error>>,
    keeper: Option<AbortOnDrop<()>>,
}

impl Held {
    fn new(q: Quorate, granted: Granted, lease: Lease, expires: Option<Timestamp>) -> Self {
        let (tell, lost) = watch::channel(None);
        let tokens = ids(&granted);
        let cell = granted.tokens.first().map(|token| token.holder.clone());
        let need = granted.need;
        let (host, cell) = (q.host().clone(), cell.unwrap_or_else(|| unreachable!("a grant has a token")));
        let keeper = match (lease, expires) {
            (Lease::Limited { us, renewable }, Some(expires)) if !host.clock.is_manual() => {
                let kept = Kept { host: host.clone(), cell: cell.clone(), tokens: tokens.clone(), tell };
                Some(AbortOnDrop(if renewable {
                    host.tokio.spawn(kept.renew(Duration::from_micros(us)))
                } else {
                    host.tokio.spawn(kept.watch(expires))
                }))
            }
            (Lease::Limited { .. } | Lease::Unlimited, _) => None,
        };
        Held { q, cell, need: need.id, resource: need.resource, amount: need.amount, tokens, lost, keeper }
    }

    /// Who holds it.
    pub fn cell_id(&self) -> &CellId {
        &self.cell
    }

    /// The need it was granted to.
    pub fn need_id(&self) -> &NeedId {
        &self.need
    }

    /// Of what.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// How much.
    pub fn amount(&self) -> f64 {
        self.amount.to_f64()
    }

    /// Its tokens: one of the cell's own, or one of each neighbour that lent.
    pub fn token_ids(&self) -> &[TokenId] {
        &self.tokens
    }

    /// Waits until some of it is gone in spite of the hold, and says why: `token_expired`, `token_revoked`,
    /// `token_released`, `not_token_owner`. Never, for a lease without end and in virtual time.
    pub async fn lost(&self) -> Error {
        if self.keeper.is_none() {
            return std::future::pending().await;
        }
        let mut lost = self.lost.clone();
        match lost.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_else(ended),
            Err(_) => ended(),
        }
    }

    /// Gives it back. Durable on return. Dropping the future gives it back in the background.
    ///
    /// # Errors
    /// `token_expired`, `token_revoked`, `token_released`, `not_token_owner` when some of it was gone before; the rest
    /// is given back all the same. The faults of the store; it is tried again in the background then.
    pub async fn release(mut self) -> Result<(), Error> {
        let mut gone = None;
        while let Some(token) = self.tokens.last().cloned() {
            let op = Op::Release { cell: self.cell.clone(), what: Release::Token(token) };
            if let Err(rejection) = joint::run(self.q.host(), op).await? {
                gone.get_or_insert(rejection);
            }
            self.tokens.pop();
        }
        gone.map_or(Ok(()), |rejection: Rejection| Err(rejection.into()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        if !tokens.is_empty() {
            let (host, cell) = (self.q.host().clone(), self.cell.clone());
            give_back(self.q.host(), async move { release(&host, &cell, tokens).await });
        }
    }
}

/// May this identity still do anything?
fn is_active(host: &Access, name: &EntityId) -> bool {
    let directory = lock(&host.counters.identities);
    directory.get(name).is_some_and(|identity| identity.is_active(host.clock.now()))
}

/// What a hold keeps in the background.
struct Kept {
    host: Access,
    cell: CellId,
    tokens: Vec<TokenId>,
    tell: watch::Sender<Option<Error>>,
}

impl Kept {
    /// Renews the leases in time, until all tokens are gone or the hold is.
    async fn renew(mut self, span: Duration) {
        let pause = (span / RENEWED_EVERY).max(SHORTEST);
        let mut next = pause;
        while !self.tokens.is_empty() && !self.host.is_closing() {
            tokio::time::sleep(next).await;
            next = pause;
            if let Some(over) = self.host.by().filter(|by| !is_active(&self.host, by)) {
                let message =
                    format!("the identity has expired or was revoked; nothing is renewed. identity={over}");
                self.lose(Error::new(ErrorKind::NotAuthenticated, message));
                return;
            }
            for token in self.tokens.clone() {
                let op = Op::Renew { token: token.clone(), cell: self.cell.clone() };
                match joint::run(&self.host, op).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(rejection)) => {
                        self.tokens.retain(|kept| *kept != token);
                        self.lose(rejection);
                    }
                    Err(_) => next = (pause / SOONER).max(SHORTEST),
                }
            }
        }
    }

    /// Tells when a lease that nobody can renew is over.
    async fn watch(self, expires: Timestamp) {
        loop {
            let left = expires.since(self.host.clock.now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.max(SHORTEST)).await;
        }
        self.lose(Rejection::TokenExpired);
    }

    fn lose(&self, why: impl Into<Error>) {
        self.tell.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert_with(|| why.into());
            first
        });
    }
}
