//! Puts on record what happened to the members of the node of this process.
//!
//! ```text
//!  node ── Notebook ──► a few at a time ──► member/NAME
//! ```
//!
//! The node does not wait for it. What cannot be recorded now stays in the notebook, which is bounded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::entity::Action;
use super::host::Host;
use super::lock;
use super::runtime::ask;
use crate::core::kernel::ids::EntityId;
use crate::core::network::member::record::{Command, Notebook, Reply};

/// Between two looks at the notebook.
const EVERY: Duration = Duration::from_millis(250);
/// Members whose changes are recorded at one look: a bound on what all members together can have written.
const AT_ONCE: usize = 16;
/// After a fault the same is tried again so much later.
const AGAIN: Duration = Duration::from_secs(1);

/// Records what comes into a notebook, until the runtime ends.
pub(crate) fn keep(host: &Arc<Host>, notebook: Arc<Mutex<Notebook>>) {
    // Not the host itself: it must be able to end.
    let (tokio, weak) = (host.tokio.clone(), Arc::downgrade(host));
    tokio.spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(host) = weak.upgrade().filter(|host| !host.is_closing()) else { return };
            record(&host, &notebook).await;
        }
    });
}

/// Records what may be recorded now, of some members at most. True when it is worth asking again at once.
pub(crate) async fn record(host: &Arc<Host>, notebook: &Mutex<Notebook>) -> bool {
    for _ in 0..AT_ONCE {
        let now = host.clock.now();
        let (unnamed, taken) = {
            let mut notebook = lock(notebook);
            (notebook.take_unnamed(), notebook.take(now))
        };
        if let Some((changes, at)) = unnamed {
            let me = EntityId::from(lock(notebook).me());
            if said(host, &me, Command::CountUnnamed { changes, at }).await != Some(Reply::Noted) {
                lock(notebook).put_back_unnamed(changes, at);
            }
        }
        let Some((id, note)) = taken else { return false };
        match said(host, &EntityId::from(&id), Command::Note(Box::new(note.clone()))).await {
            Some(Reply::Noted) => {}
            Some(Reply::Full { until }) => lock(notebook).put_back(id, note, until),
            None => {
                lock(notebook).put_back(id, note, now.plus(AGAIN));
                return false;
            }
        }
    }
    true
}

/// The answer of a member's record; none after a fault.
async fn said(host: &Arc<Host>, id: &EntityId, command: Command) -> Option<Reply> {
    let action = Action::Command(command, None);
    let answered = ask(host, &host.kinds.members, id, action, |view| view.reply.and_then(Result::ok)).await;
    answered
        .inspect_err(
            |failure| tracing::warn!(%id, ?failure, "what happened to a member is not on record yet"),
        )
        .ok()
        .flatten()
}
