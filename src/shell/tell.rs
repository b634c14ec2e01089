//! Telling an entity something nobody waits for.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::entity::{Action, Ask, Release, View};
use super::host::Host;
use super::hosts::{Hosted, track};
use super::writer::Failure;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::stop::Acting;

/// Sends a command that is not a request of a caller: it takes no place of one, and counts as an effect under way until
/// it is durable. Two of them in a row reach one entity in that order.
pub(crate) fn tell<M: Hosted>(host: &Arc<Host>, id: &EntityId, command: M::Command) {
    let (done, durable) = oneshot::channel::<()>();
    let stream = id.clone();
    let respond = move |seen: Result<View<'_, M>, Failure>| -> Option<Release> {
        match seen {
            Ok(_) => Some(Box::new(move |told| {
                if let Err(failure) = told {
                    tracing::warn!(%stream, ?failure, "what was told did not become durable");
                }
                drop(done);
            })),
            Err(failure) => {
                tracing::warn!(%stream, ?failure, "what was told was not heard");
                None
            }
        }
    };
    M::registry(host).ask(
        host,
        id,
        Ask {
            action: Action::Command(command, None),
            by: None,
            also: Acting::default(),
            respond: Box::new(respond),
        },
    );
    track(host, async move {
        // Ends when the other side is dropped, whatever became of it.
        let _ = durable.await;
    });
}
