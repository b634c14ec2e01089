//! The lines of those who wait for a refill of a budget: one is asking, the others wait for their turn. Not kept: whoever
//! waits after a restart asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::futures::Notified;
use tokio::sync::{Mutex as Turn, Notify, OwnedMutexGuard};

use super::lock;
use crate::core::kernel::ids::BudgetId;

/// Who waits for which budget.
#[derive(Debug, Default)]
pub(crate) struct Refills {
    lines: Mutex<BTreeMap<BudgetId, Line>>,
    /// Something may be there earlier than those were told whose turn it is.
    back: Notify,
}

/// A line that somebody stands in.
#[derive(Debug, Default)]
struct Line {
    turn: Arc<Turn<()>>,
    /// How many stand in it, the one whose turn it is among them.
    length: usize,
}

/// A place in a line. Leaves it when dropped, whether or not its turn came.
struct Standing {
    refills: Arc<Refills>,
    budget: BudgetId,
}

/// The turn of whoever has it, until it is dropped.
pub(crate) struct Place {
    // In this order: the turn is given on before the line can be forgotten.
    _turn: OwnedMutexGuard<()>,
    _standing: Standing,
}

impl Refills {
    /// Does anybody wait for this budget?
    pub(crate) fn is_waited_for(&self, budget: &BudgetId) -> bool {
        lock(&self.lines).contains_key(budget)
    }

    /// Something came back, or a rate is another.
    pub(crate) fn tell(&self) {
        self.back.notify_waiters();
    }

    /// Waits until something comes back from now on.
    pub(crate) fn came_back(&self) -> Notified<'_> {
        self.back.notified()
    }

    /// Waits for one's turn, first come, first served.
    pub(crate) async fn wait_in_line(self: &Arc<Self>, budget: BudgetId) -> Place {
        let turn = {
            let mut lines = lock(&self.lines);
            let line = lines.entry(budget.clone()).or_default();
            line.length += 1;
            line.turn.clone()
        };
        let standing = Standing { refills: self.clone(), budget };
        Place { _turn: turn.lock_owned().await, _standing: standing }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut lines = lock(&self.refills.lines);
        if let Some(line) = lines.get_mut(&self.budget) {
            line.length -= 1;
            if line.length == 0 {
                lines.remove(&self.budget);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_came_first_has_the_first_turn_and_a_line_nobody_stands_in_is_forgotten() {
        let refills = Arc::new(Refills::default());
        let budget = BudgetId::new("b").unwrap();
        let first = refills.wait_in_line(budget.clone()).await;
        let mut second = Box::pin(refills.wait_in_line(budget.clone()));
        let mut third = Box::pin(refills.wait_in_line(budget.clone()));
        for waiting in [&mut second, &mut third] {
            assert!(tokio::time::timeout(std::time::Duration::ZERO, waiting).await.is_err());
        }
        drop(first);
        drop(second); // gone before it noticed that its turn had come
        let last = third.await;
        assert!(refills.is_waited_for(&budget));
        drop(last);
        assert!(!refills.is_waited_for(&budget));
    }
}
