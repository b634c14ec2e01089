//! Operations on capacity: cells that lend and borrow, and the budgets above them.

use std::time::Duration;

use serde_json::Value;

use super::caller::Watch;
use super::capacity_view::{
    Names, amount, amounts, budget_view, capacity_view, check_name, ended_view, granted_view, need_view,
    real, refused, refused_need, span, unexpected, up_to,
};
use super::dto::{
    BudgetRef, BudgetStatus, CapacityConfigured, CapacityOffered, CapacityRef, CapacityReleased,
    CapacityRequested, CapacityStats, CapacityStatus, CapacityToken, ConfigureCapacity, HeldToken, NeedRef,
    OfferCapacity, ReleaseCapacity, RequestCapacity, SetBudget, TokenRef, TransferCapacity,
};
use super::{Quorate, nearest, reserve, wait};
use crate::core::capacity::cell::budget::Budget;
use crate::core::capacity::cell::event::{Return, Unused};
use crate::core::capacity::cell::settings::{DEFAULT_WAIT, MAX_LEASE, MAX_WAIT};
use crate::core::capacity::cell::{
    Amount, Lease, MakeOffer, OfferFate, Op, Rejection, Release, Reply, Request, Settings,
};
use crate::core::kernel::ids::{BudgetId, CellId, EntityId, NeedId, OfferId, Resource, TokenId};
use crate::core::trust::identity::PartyKind;
use crate::error::{Error, ErrorKind};
use crate::shell::access::Asks;
use crate::shell::entity::Action;
use crate::shell::hosts::mesh_id;
use crate::shell::joint::{self, Told};
use crate::shell::lock;
use crate::shell::needs::{Ended, Waiter};
use crate::shell::runtime::ask;
use crate::shell::writer::Failure;

/// How long one wait for a grant lasts at most; whoever waits on begins another.
const ONE_WAIT: Duration = Duration::from_secs(300);

/// Operations on capacity.
#[derive(Clone, Copy, Debug)]
pub struct Capacity<'a> {
    pub(super) q: &'a Quorate,
}

impl Capacity<'_> {
    /// Asks for capacity: granted at once if it fits and nobody waits, else queued. Durable on return.
    ///
    /// With `wait: true` it answers when the need has ended: granted, expired or cancelled; after 300 seconds it says
    /// `pending`, and the same request under the same `need_id` waits on. In virtual time nobody waits. Dropping the
    /// future cancels nothing: the need waits until its deadline, and what is granted is out until its lease ends.
    /// The same request under the same `need_id` tells what became of it, also after a restart.
    /// [`Capacity::acquire`] gives up its place instead.
    ///
    /// # Errors
    /// `invalid_argument`, `already_exists` when the need's name stands for another request, and the faults of the
    /// store. A full queue is an answer (`overloaded`), not an error.
    pub async fn request(&self, request: RequestCapacity) -> Result<CapacityRequested, Error> {
        let watch = self.q.allow_waiting("capacity.request", &request).await?;
        Watch::until_over(watch, self.requested(request)).await
    }

    async fn requested(&self, request: RequestCapacity) -> Result<CapacityRequested, Error> {
        let host = self.q.host();
        let waits = request.wait.unwrap_or(false) && !host.clock.is_manual();
        let asked = self.asked(request).await?;
        if !waits {
            return self.on_need(Op::Request(asked)).await;
        }
        // There before the request goes out, so that no end of the need is missed.
        let mut waiter = Waiter::new(host, &asked.cell, &asked.need).map_err(Failure::Refused)?;
        let pending = self.on_need(Op::Request(asked.clone())).await?;
        if pending.status != "pending" {
            return Ok(pending);
        }
        match wait::at_most(host, ONE_WAIT, async move { waiter.ended().await }).await {
            Some(Ok(ended)) => {
                let view = match ended {
                    Ended::Granted(granted) => granted_view(asked.cell, &granted),
                    Ended::Expired(_) => ended_view("expired", asked.cell, asked.need, pending.deadline),
                    Ended::Cancelled => ended_view("cancelled", asked.cell, asked.need, pending.deadline),
                };
                Ok(CapacityRequested { created: pending.created, duplicate: pending.duplicate, ..view })
            }
            Some(Err(fault)) => Err(fault.into()),
            None => {
                let waits = self.on_need(Op::Request(asked)).await?;
                Ok(CapacityRequested { created: pending.created, duplicate: pending.duplicate, ..waits })
            }
        }
    }

    /// What became of a need: it waits, or how it ended. Its tokens are shown to whom the history shows them.
    ///
    /// # Errors
    /// `not_found` when nothing is known of the need, and the faults of the store.
    pub async fn need(&self, request: NeedRef) -> Result<CapacityRequested, Error> {
        self.q.allow("capacity.need", &request).await?;
        self.q.settle().await;
        let (host, NeedRef { cell_id: cell, need_id }) = (self.q.host(), request);
        let (id, of) = (EntityId::from(&cell), cell.clone());
        let seen = ask(host, &host.kinds.cells, &id, Action::Read, move |view| {
            let known = view.state.need(&need_id).map(|need| need.reply(&of, view.state.pending()));
            known.ok_or(Rejection::NeedNotFound { need: need_id })
        });
        let mut view = need_view(seen.await?.map_err(refused_need)?)?;
        if self.q.sight().is_some_and(|sight| !sight.may(PartyKind::Cell, cell.as_str())) {
            (view.token_id, view.tokens) = (None, Vec::new());
        }
        Ok(view)
    }

    /// Gives up the place of a need that waits; those behind it move up. Durable on return; repeating it is safe. One
    /// that has ended is answered as it ended, and nothing is given back: `granted`, `expired`, `cancelled`.
    ///
    /// # Errors
    /// `not_found` when nothing is known of the need, and the faults of the store.
    pub async fn cancel(&self, request: NeedRef) -> Result<CapacityRequested, Error> {
        self.q.allow("capacity.cancel", &request).await?;
        self.on_need(Op::Cancel { cell: request.cell_id, need: request.need_id }).await
    }

    /// The request as the cell understands it.
    pub(super) async fn asked(&self, request: RequestCapacity) -> Result<Request, Error> {
        check_name("cell_id", &request.cell_id)?;
        if request.strict_cells.unwrap_or(self.q.host().config.capacity.strict_cells) {
            self.check_known("cell_id", &request.cell_id).await?;
            for budget in &request.budgets {
                self.check_limited(budget).await?;
            }
        }
        let amount = amount("requested_capacity", request.requested_capacity)?;
        let wait = span("timeout_seconds", request.timeout_seconds, DEFAULT_WAIT, MAX_WAIT)?;
        let lease = self.lease(request.lease_seconds, request.renewable.unwrap_or(false))?;
        Ok(Request {
            cell: request.cell_id,
            need: request.need_id.map_or_else(|| self.mint::<NeedId>(), Ok)?,
            token: self.mint::<TokenId>()?,
            resource: request.resource.unwrap_or_else(Resource::capacity),
            amount,
            wait,
            lease,
            budgets: request.budgets,
            by: self.q.host().by().cloned(),
        })
    }

    /// Has somebody set this cell up, or registered it in the mesh, or did it take part before?
    async fn check_known(&self, field: &str, cell: &CellId) -> Result<(), Error> {
        let host = self.q.host();
        if lock(&host.counters.cells).totals.contains_key(cell) {
            return Ok(());
        }
        let sought = cell.clone();
        let registered = ask(host, &host.kinds.topology, &mesh_id(), Action::Read, move |view| {
            view.state.cells.contains_key(&sought)
        });
        if registered.await? {
            return Ok(());
        }
        let message = format!("nobody has set this cell up; set it up first, or register it. {field}={cell}");
        let refused = Error::new(ErrorKind::NotFound, message);
        Err(self.beside_cells(refused.with("field", field).with("given", cell.as_str()), cell))
    }

    /// Refuses to tell of a cell that nobody has set up, registered or used: a name that is misspelt must not read as a
    /// cell that nobody uses.
    pub(super) async fn check_to_show(&self, cell: &CellId) -> Result<(), Error> {
        // What was granted a moment ago is seen.
        self.q.settle().await;
        self.check_known("cell_id", cell).await
    }

    /// The same refusal with the cells that have names like this one.
    fn beside_cells(&self, refused: Error, cell: &CellId) -> Error {
        refused.beside(self.like(cell))
    }

    /// Cells that have names like this one.
    fn like(&self, cell: &CellId) -> Vec<String> {
        let cells = lock(&self.q.host().counters.cells);
        nearest::names(cell.as_str(), cells.totals.keys().map(CellId::as_str))
    }

    /// Has this budget limits? One without charges nobody anything.
    async fn check_limited(&self, budget: &BudgetId) -> Result<(), Error> {
        let host = self.q.host();
        let limited = ask(host, &host.kinds.budgets, &EntityId::from(budget), Action::Read, |view| {
            !(view.state.limits.is_empty() && view.state.rates.is_empty())
        });
        if limited.await? {
            return Ok(());
        }
        let message = format!("nobody has set limits for this budget. budget={budget}");
        Err(Error::new(ErrorKind::NotFound, message).with("field", "budgets").with("given", budget.as_str()))
    }

    /// An operation on a need.
    async fn on_need(&self, op: Op) -> Result<CapacityRequested, Error> {
        let (reply, Told { created, duplicate }) = joint::run_and_tell(self.q.host(), op).await?;
        let answer = need_view(reply.map_err(refused_need)?)?;
        Ok(CapacityRequested { created, duplicate, ..answer })
    }

    /// Reserves capacity for a cell that needs it; as soon as the offers cover the need it is granted. Durable on
    /// return.
    ///
    /// # Errors
    /// `invalid_argument`, `already_exists`, `limit_exceeded`, and the faults of the store. Too little capacity and
    /// nobody in need are answers, not errors.
    pub async fn offer(&self, request: OfferCapacity) -> Result<CapacityOffered, Error> {
        self.q.allow("capacity.offer", &request).await?;
        check_name("source_cell_id", &request.source_cell_id)?;
        check_name("destination_cell_id", &request.destination_cell_id)?;
        if self.q.host().config.capacity.strict_cells {
            self.check_known("source_cell_id", &request.source_cell_id).await?;
            self.check_known("destination_cell_id", &request.destination_cell_id).await?;
        }
        let offered = amount("capacity", request.capacity)?;
        let default = self.q.host().config.capacity.offer_ttl;
        let ttl = span("ttl_seconds", request.ttl_seconds, default, MAX_WAIT)?;
        let (from, to) = (request.source_cell_id, request.destination_cell_id);
        let op = Op::Offer(MakeOffer {
            offer: request.offer_id.map_or_else(|| self.mint::<OfferId>(), Ok)?,
            token: self.mint::<TokenId>()?,
            source: from.clone(),
            destination: to.clone(),
            resource: request.resource.unwrap_or_else(Resource::capacity),
            amount: offered,
            ttl,
        });
        let plain = |status: &str| CapacityOffered {
            status: status.into(),
            source: from.clone(),
            destination: to.clone(),
            capacity: offered.to_f64(),
            offer_id: None,
            token_id: None,
            used: None,
            expires_at: None,
            available: None,
            requested: None,
            created: false,
            duplicate: false,
        };
        let names = Names { amount: "capacity", wait: "ttl_seconds" };
        let (reply, Told { created, duplicate }) = joint::run_and_tell(self.q.host(), op).await?;
        match reply.map_err(|rejection| refused(rejection, names))? {
            Reply::Offered { offer, expires, fate, .. } => {
                let (status, token_id, used) = match fate {
                    OfferFate::Open => ("offered", None, None),
                    OfferFate::Used { token, amount } => ("offered", Some(token), Some(amount.to_f64())),
                    // The need that it was for was over, as where there was none.
                    OfferFate::Unused(Unused::NoNeed) => ("no_pending_need", None, None),
                    OfferFate::Unused(Unused::Expired) => ("expired", None, None),
                };
                let (offer_id, expires_at) = (Some(offer), Some(expires));
                let told = CapacityOffered { offer_id, token_id, used, expires_at, ..plain(status) };
                Ok(CapacityOffered { created, duplicate, ..told })
            }
            Reply::InsufficientCapacity { available, requested, .. } => Ok(CapacityOffered {
                available: Some(available.to_f64()),
                requested: Some(requested.to_f64()),
                ..plain("insufficient_capacity")
            }),
            Reply::NoPendingNeed { .. } => Ok(plain("no_pending_need")),
            other => Err(unexpected(&other)),
        }
    }

    /// Says that the holder has its token; its lease starts again. Durable on return.
    ///
    /// # Errors
    /// `token_not_found`, `not_token_owner`, `token_expired`, `token_released`, `token_revoked`, and the faults of the
    /// store.
    pub async fn ack(&self, request: HeldToken) -> Result<CapacityToken, Error> {
        self.q.allow("capacity.ack", &request).await?;
        self.token(Op::Ack { token: request.token_id, cell: request.cell_id }).await
    }

    /// Starts a renewable lease again. Durable on return.
    ///
    /// # Errors
    /// As [`Capacity::ack`], and `not_renewable`.
    pub async fn renew(&self, request: HeldToken) -> Result<CapacityToken, Error> {
        self.q.allow("capacity.renew", &request).await?;
        self.token(Op::Renew { token: request.token_id, cell: request.cell_id }).await
    }

    /// Hands a token to another cell. Durable on return.
    ///
    /// # Errors
    /// As [`Capacity::ack`], and `invalid_argument`.
    pub async fn transfer(&self, request: TransferCapacity) -> Result<CapacityToken, Error> {
        self.q.allow("capacity.transfer", &request).await?;
        let (token, from, to) = (request.token_id, request.cell_id, request.destination_cell_id);
        self.token(Op::Transfer { token, from, to }).await
    }

    /// Takes a token away from whoever holds it. Durable on return.
    ///
    /// # Errors
    /// `token_not_found`, and the faults of the store.
    pub async fn revoke(&self, request: TokenRef) -> Result<CapacityToken, Error> {
        self.q.allow("capacity.revoke", &request).await?;
        self.token(Op::Revoke { token: request.token_id }).await
    }

    /// Gives capacity back to whoever lent it. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, for a token as [`Capacity::ack`], and the faults of the store. Nothing to release is an
    /// answer, not an error.
    pub async fn release(&self, request: ReleaseCapacity) -> Result<CapacityReleased, Error> {
        self.q.allow("capacity.release", &request).await?;
        let what = match request.token_id {
            Some(_) if request.capacity.is_some() || request.idempotency_key.is_some() => {
                let both = "left out, since a token is released as a whole and once";
                let field = if request.capacity.is_some() { "capacity" } else { "idempotency_key" };
                return Err(Error::invalid(field, "given with token_id", both));
            }
            Some(token) => Release::Token(token),
            None => Release::Amount {
                resource: request.resource.unwrap_or_else(Resource::capacity),
                amount: amount("capacity", request.capacity)?,
                key: request.idempotency_key,
            },
        };
        let op = Op::Release { cell: request.cell_id, what };
        match self.run(op, Names { amount: "capacity", wait: "timeout_seconds" }).await? {
            Reply::Released { cell, capacity, total_capacity, duplicate, .. } => Ok(CapacityReleased {
                status: if capacity.is_zero() { "nothing_to_release".into() } else { "released".into() },
                cell_id: cell,
                capacity: capacity.to_f64(),
                total_capacity: total_capacity.to_f64(),
                duplicate,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Sets a cell up: what it has, which budgets its grants are charged to, how long its queue may be. Durable on
    /// return.
    ///
    /// # Errors
    /// `invalid_argument`, `limit_exceeded` for less than is in use, and the faults of the store.
    pub async fn configure(&self, request: ConfigureCapacity) -> Result<CapacityConfigured, Error> {
        self.q.allow("capacity.configure", &request).await?;
        check_name("cell_id", &request.cell_id)?;
        let defaults = self.q.host().config.capacity.settings();
        // What fits into the number but not into its range the cell refuses, in the same words.
        let count = |field: &str, given: Option<i64>, default: u32, expected: &str| match given {
            None => Ok(default),
            Some(n) => u32::try_from(n).map_err(|_| Error::invalid(field, n, expected)),
        };
        let max_pending = count("max_pending", request.max_pending, defaults.max_pending, "1 to 100000")?;
        let low_water = match (request.low_water, request.max_pending) {
            (None, None) => defaults.low_water,
            (given, _) => count("low_water", given, max_pending / 2, "less than max_pending")?,
        };
        let totals = request.totals.map_or(Ok(defaults.totals), |totals| amounts("totals", totals))?;
        let settings = Settings { totals, budgets: request.budgets, max_pending, low_water };
        let op = Op::Configure { cell: request.cell_id, settings };
        self.configured(op, "totals").await
    }

    /// Sets the limits of a budget, its rates, or both, one after the other. Durable on return.
    ///
    /// # Errors
    /// `invalid_argument`, `limit_exceeded` for less than is in use, and the faults of the store.
    pub async fn set_budget(&self, request: SetBudget) -> Result<CapacityConfigured, Error> {
        self.q.allow("budget.set", &request).await?;
        if request.limits.is_none() && request.rates.is_none() {
            return Err(Error::missing("limits"));
        }
        let (budget, mut changed) = (request.budget_id, false);
        let limits = request.limits.map(|limits| amounts("limits", limits)).transpose()?;
        let rates = request.rates.map(reserve::rates).transpose()?;
        if let Some(limits) = limits {
            changed |=
                self.configured(Op::SetLimits { budget: budget.clone(), limits }, "limits").await?.changed;
        }
        if let Some(rates) = rates {
            changed |= self.configured(Op::SetRates { budget, rates }, "rates").await?.changed;
        }
        Ok(CapacityConfigured { changed })
    }

    /// How a cell stands. One that nobody has set up, registered or used is marked as unknown, and shown as it would
    /// begin, beside those with names like it.
    ///
    /// # Errors
    /// `not_found` for an unknown cell where cells are strict, and the faults of the store.
    pub async fn status(&self, request: CapacityRef) -> Result<CapacityStatus, Error> {
        self.q.allow("capacity.status", &request).await?;
        let (host, cell) = (self.q.host(), request.cell_id);
        let nearest = match self.check_to_show(&cell).await {
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::NotFound && !host.config.capacity.strict_cells => {
                Some(self.like(&cell))
            }
            Err(error) => return Err(error),
        };
        let resource = request.resource.unwrap_or_else(Resource::capacity);
        let defaults = host.config.capacity.settings();
        let id = EntityId::from(&cell);
        // Seen at a time when it is settled; what it owes to its own queue is carried out first.
        let status = ask(host, &host.kinds.cells, &id, Action::Read, move |view| {
            view.state.status(cell, &resource, &defaults)
        });
        let status = capacity_view(status.await?);
        let unknown = nearest.is_some();
        Ok(CapacityStatus { unknown, nearest: nearest.unwrap_or_default(), ..status })
    }

    /// How a budget stands.
    ///
    /// # Errors
    /// `not_found` for one that has no limits and that nobody was ever charged under, and the faults of the store.
    pub async fn budget(&self, request: BudgetRef) -> Result<BudgetStatus, Error> {
        self.q.allow("budget.status", &request).await?;
        let (host, budget_id) = (self.q.host(), request.budget_id);
        let id = EntityId::from(&budget_id);
        let named = budget_id.clone();
        let status = ask(host, &host.kinds.budgets, &id, Action::Read, move |view| {
            (*view.state != Budget::default()).then(|| budget_view(budget_id, view.state, view.now))
        });
        status.await?.ok_or_else(|| {
            let message = format!(
                "the budget has no limits and no rates, and nothing is charged to it. budget_id={named}"
            );
            Error::new(ErrorKind::NotFound, message).with("field", "budget_id").with("given", named.as_str())
        })
    }

    /// Counters over all cells.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn stats(&self) -> Result<CapacityStats, Error> {
        self.q.allow("capacity.stats", &()).await?;
        self.q.settle().await;
        self.q.effects_done().await;
        let stats = lock(&self.q.host().counters.cells);
        Ok(CapacityStats {
            total_cells: stats.total_cells(),
            overloaded_cells: stats.overloaded_cells(),
            total_tokens: stats.total_tokens,
            active_tokens: stats.active_tokens(),
            avg_capacity: stats.avg_capacity(),
            granted: stats.granted,
            released: stats.released,
            expired: stats.expired,
            revoked: stats.revoked,
            needs_expired: stats.needs_expired,
            offers: stats.offers,
            offers_expired: stats.offers_expired,
            overloads: stats.overloads,
            transfers: stats.transfers,
            refused_uses: stats.refused_uses,
            needs_cancelled: stats.needs_cancelled,
        })
    }

    pub(super) fn mint<T: std::str::FromStr<Err = crate::core::kernel::ids::IdError>>(
        &self,
    ) -> Result<T, Error> {
        let minted = self.q.host().ids.mint();
        minted.as_str().parse().map_err(|e: crate::core::kernel::ids::IdError| {
            Error::invalid("id", minted.as_str(), &e.to_string())
        })
    }

    fn lease(&self, given: Option<f64>, renewable: bool) -> Result<Lease, Error> {
        if given == Some(0.0) {
            return Ok(Lease::Unlimited);
        }
        let default = self.q.host().config.capacity.lease;
        let span = span("lease_seconds", given, default, MAX_LEASE).map_err(|_| {
            let expected = format!("0 for no limit, or {}", up_to(MAX_LEASE));
            Error::invalid("lease_seconds", given.map_or(Value::Null, real), &expected)
        })?;
        Ok(if renewable { Lease::renewable(span) } else { Lease::limited(span) })
    }

    pub(super) async fn run(&self, op: Op, names: Names) -> Result<Reply, Error> {
        joint::run(self.q.host(), op).await?.map_err(|rejection| refused(rejection, names))
    }

    async fn token(&self, op: Op) -> Result<CapacityToken, Error> {
        let gone = |token_id, why: Return, duplicate| CapacityToken {
            status: match why {
                Return::Revoked => "revoked".into(),
                Return::Released => "released".into(),
                Return::Expired => "expired".into(),
            },
            token_id,
            source: None,
            destination: None,
            capacity: None,
            expires_at: None,
            duplicate,
        };
        let held = |status: &str,
                    token_id,
                    (source, destination): (CellId, CellId),
                    capacity: Amount,
                    expires_at,
                    duplicate| {
            CapacityToken {
                status: status.into(),
                token_id,
                source: Some(source),
                destination: Some(destination),
                capacity: Some(capacity.to_f64()),
                expires_at,
                duplicate,
            }
        };
        match self.run(op, Names { amount: "capacity", wait: "timeout_seconds" }).await? {
            Reply::Acknowledged { token, source, destination, capacity, expires, duplicate, .. } => {
                Ok(held("acknowledged", token, (source, destination), capacity, expires, duplicate))
            }
            Reply::Transferred { token, source, destination, capacity, expires, duplicate, .. } => {
                Ok(held("transferred", token, (source, destination), capacity, expires, duplicate))
            }
            Reply::Renewed { token, expires } => Ok(CapacityToken {
                status: "renewed".into(),
                expires_at: expires,
                ..gone(token, Return::Released, false)
            }),
            Reply::Revoked { token, holder: _, why, duplicate } => Ok(gone(token, why, duplicate)),
            other => Err(unexpected(&other)),
        }
    }

    async fn configured(&self, op: Op, amount: &'static str) -> Result<CapacityConfigured, Error> {
        match self.run(op, Names { amount, wait: "timeout_seconds" }).await? {
            Reply::Configured { changed } => Ok(CapacityConfigured { changed }),
            other => Err(unexpected(&other)),
        }
    }
}
