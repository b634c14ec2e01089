//! A middleware for actix-web that refuses the requests of leaders that were replaced.
//!
//! ```text
//!  request ─► header ─► line of the resource ─► floor ─────► handler ─► answer
//!             │ 422                            │ 412 stale   a lower token waits for nobody: it is refused
//!             missing, not a number            │ 503         a higher one waits until those below it are done
//! ```
//!
//! A request carries its token in [`TOKEN_HEADER`]. What it is about, its *resource*, is said by the program, from the path
//! or with [`of_header`] from [`RESOURCE_HEADER`]: whoever may name the resource itself may name the wrong one.
//!
//! - The head alone decides; the body of a refused request is not read.
//! - A higher token is durable in the [`TokenFloor`] before the handler runs, and before it waits: from then on every lower
//!   one is refused, also after a crash.
//! - A handler of a lower token that is under way would write late. So the first request with a higher one waits until
//!   they are done; requests with the same token run side by side. A client that is slow in sending its body
//!   holds its successor up, so give bodies a time limit. What a handler leaves behind, in a task of its own or in a
//!   body that is still being sent, is not seen.
//!
//! The answer to a stale token is 412 with `{"error": {"kind": "stale_token", "held": 8, "given": 7, …}, …}`.
//!
//! # Source
//! RFC 9110, section 15.5.13: 412 when a condition in the head of the request is not met.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpMessage;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::web;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::cut_off;
use quorate_runtime::core::jobs::protocol::token::FenceToken;
use quorate_runtime::core::kernel::ids::EntityId;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::guard::TokenFloor;

pub use quorate_runtime::guard::TOKEN_HEADER;

/// The header that names the resource, where the program leaves that to its callers.
pub const RESOURCE_HEADER: &str = "quorate-fencing-resource";

/// Tells what a request is about; `None` when that cannot be told.
type ResourceOf = dyn Fn(&ServiceRequest) -> Option<String> + Send + Sync;

/// The resource that [`RESOURCE_HEADER`] names.
pub fn of_header(request: &ServiceRequest) -> Option<String> {
    one_header(request, RESOURCE_HEADER).map(str::to_owned)
}

/// The text of a header that stands there exactly once.
fn one_header<'r>(request: &'r ServiceRequest, name: &str) -> Option<&'r str> {
    let mut values = request.headers().get_all(name);
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// The middleware. Clones share the floor, so make it once, outside of the factory of the app.
///
/// ```
/// use actix_web::{App, web};
/// use quorate::guard::MemoryFloor;
/// use quorate_http::guard::FencingGuard;
///
/// let guard = FencingGuard::new(MemoryFloor::default(), |request| {
///     request.match_info().get("job").map(str::to_owned)
/// });
/// let app = App::new().service(web::resource("/jobs/{job}").wrap(guard.clone()).to(|| async { "done" }));
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct FencingGuard {
    inner: Arc<Inner>,
}

struct Inner {
    floor: Arc<dyn TokenFloor>,
    resource_of: Box<ResourceOf>,
    /// Where requests run side by side: those of one token, which stands in the line.
    lines: Mutex<BTreeMap<EntityId, Arc<RwLock<FenceToken>>>>,
}

impl std::fmt::Debug for FencingGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FencingGuard")
    }
}

impl FencingGuard {
    /// A guard that keeps its floor here, and is told by this function what a request is about.
    pub fn new(
        floor: impl TokenFloor,
        resource_of: impl Fn(&ServiceRequest) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner {
            floor: Arc::new(floor),
            resource_of: Box::new(resource_of),
            lines: Mutex::new(BTreeMap::new()),
        };
        FencingGuard { inner: Arc::new(inner) }
    }
}

/// Leave to run, until it is dropped.
struct Leave {
    inner: Arc<Inner>,
    resource: EntityId,
    /// `None` only while it is dropped.
    line: Option<OwnedRwLockReadGuard<FenceToken>>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.line = None;
        let mut lines = self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody runs and nobody waits, and nobody can come while the lines are locked.
        if lines.get(&self.resource).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.resource);
        }
    }
}

impl Inner {
    /// What the head says, or why it cannot be used.
    fn read_head(&self, request: &ServiceRequest) -> Result<(EntityId, FenceToken), Error> {
        if !request.headers().contains_key(TOKEN_HEADER) {
            return Err(Error::missing(TOKEN_HEADER));
        }
        let expected = "one number in decimal digits, 1 to 18446744073709551615";
        let text = one_header(request, TOKEN_HEADER).unwrap_or_default();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u64> = if digits { text.parse().ok() } else { None };
        let token = number.filter(|number| *number > 0).map(FenceToken::shown);
        let token = token.ok_or_else(|| Error::invalid(TOKEN_HEADER, text, expected))?;
        let resource = (self.resource_of)(request).ok_or_else(|| Error::missing(RESOURCE_HEADER))?;
        let id = EntityId::stored(resource.as_str());
        let id = id.map_err(|e| Error::invalid("resource", resource.as_str(), &e.to_string()))?;
        Ok((id, token))
    }

    /// Asks the floor, on a thread that may block.
    async fn admit(self: &Arc<Self>, resource: &EntityId, token: FenceToken) -> Result<(), Error> {
        let (inner, resource) = (self.clone(), resource.clone());
        match web::block(move || inner.floor.admit(&resource, token)).await {
            Ok(answer) => answer.map(|_| ()).map_err(Error::from),
            Err(e) => Err(Error::new(ErrorKind::StoreError, format!("the floor was not asked. cause={e}"))),
        }
    }

    fn line(&self, resource: &EntityId) -> Arc<RwLock<FenceToken>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.entry(resource.clone()).or_default().clone()
    }

    /// Leave to run with this token, which lasts until it is dropped.
    async fn enter(self: &Arc<Self>, resource: EntityId, token: FenceToken) -> Result<Leave, Error> {
        let mut leave = Leave { inner: self.clone(), resource, line: None };
        // From here on every lower token is refused, also those that wait.
        self.admit(&leave.resource, token).await?;
        let line = self.line(&leave.resource);
        let mut side = line.clone().read_owned().await;
        if *side < token {
            // The first of its token waits for those below it that run.
            drop(side);
            let mut alone = line.write_owned().await;
            *alone = token.max(*alone);
            side = OwnedRwLockWriteGuard::downgrade(alone);
        }
        leave.line = Some(side);
        // While it waited a higher one may have come, which then waits for this one or is done.
        self.admit(&leave.resource, token).await?;
        Ok(leave)
    }
}

impl<S, B> Transform<S, ServiceRequest> for FencingGuard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = Fenced<S>;
    type InitError = ();
    type Future = Ready<Result<Fenced<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Fenced { service: Rc::new(service), inner: self.inner.clone() }))
    }
}

/// A service behind a [`FencingGuard`].
pub struct Fenced<S> {
    service: Rc<S>,
    inner: Arc<Inner>,
}

impl<S> std::fmt::Debug for Fenced<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fenced")
    }
}

impl<S, B> Service<ServiceRequest> for Fenced<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, actix_web::Error>>>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let (service, inner) = (self.service.clone(), self.inner.clone());
        Box::pin(async move {
            let entered = match inner.read_head(&request) {
                Ok((resource, token)) => inner.enter(resource, token).await,
                Err(error) => Err(error),
            };
            let leave = match entered {
                Ok(leave) => leave,
                Err(error) => {
                    let unread = request.take_payload();
                    return Ok(request.into_response(cut_off(&error, unread)).map_into_right_body());
                }
            };
            let response = service.call(request).await;
            drop(leave);
            response.map(ServiceResponse::map_into_left_body)
        })
    }
}

#[cfg(test)]
#[path = "guard_test.rs"]
mod tests;
