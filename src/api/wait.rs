//! Waiting until an entity has come to an end, also across the deaths of its actor.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::core::kernel::ids::EntityId;
use crate::error::Error;
use crate::journal::Fault;
use crate::shell::entity::{Action, Holds};
use crate::shell::host::Host;
use crate::shell::hosts::Hosted;
use crate::shell::runtime::ask;
use crate::shell::writer::Failure;

/// Pause before a waiter that was lost or refused comes again.
const AGAIN: Duration = Duration::from_millis(20);
/// Longest wait that may be asked for, in milliseconds.
const MAX_WAIT_MS: i64 = 300_000;

/// Reads how long somebody wants to wait.
///
/// # Errors
/// `invalid_argument` for the field.
pub(super) fn longest(field: &str, ms: i64) -> Result<Duration, Error> {
    match u64::try_from(ms) {
        Ok(given) if ms <= MAX_WAIT_MS => Ok(Duration::from_millis(given)),
        Ok(_) | Err(_) => Err(Error::invalid(field, ms, "0 to 300000")),
    }
}

/// Waits until the state of an entity is so, at most this long. However the wait ended, the entity says where it
/// stands. Time that only moves when told to is not waited for.
pub(super) async fn until<M: Hosted>(
    host: &Arc<Host>,
    id: &EntityId,
    holds: impl Fn(&M::State) -> bool + Send + Sync + 'static,
    longest: Duration,
) {
    if host.clock.is_manual() || longest.is_zero() {
        return;
    }
    let (waiting, id) = (host.clone(), id.clone());
    let holds: Holds<M> = Arc::new(holds);
    let held = async move {
        loop {
            let token = Arc::new(());
            let action = Action::Until(holds.clone(), Arc::downgrade(&token));
            match ask(&waiting, M::registry(&waiting), &id, action, |_| ()).await {
                // What was pruned does not come to an end any more; whoever looks next is told.
                Err(Failure::Refused(Fault::Pruned { .. })) => return,
                // A waiter is lost when its actor dies, and refused while the runtime is busy; it comes again, unless
                // the store refuses for good.
                Err(_) if !waiting.is_closing() && waiting.writer.failure().is_none() => {
                    tokio::time::sleep(AGAIN).await
                }
                Ok(()) | Err(_) => return,
            }
        }
    };
    let _ = at_most(host, longest, held).await;
}

/// Waits for something, but not longer than this; none when that was too short or the runtime ended.
pub(super) async fn at_most<T: Send + 'static>(
    host: &Host,
    longest: Duration,
    something: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    // On the runtime's own threads: the caller may poll from any executor.
    let mut task =
        AbortOnDrop(host.tokio.spawn(async move { tokio::time::timeout(longest, something).await }));
    (&mut task.0).await.ok()?.ok()
}

/// A task that ends when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct AbortOnDrop<T>(pub(crate) tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
