//! Whose request is worked on next: of one client so many at a time, the others of it in the order they came.
//!
//! ```text
//!  eve  ●●●● │ ○○○○○○○○○○○○○…   worked on │ in line, up to all she may have under way
//!  ann  ●    │                   her next one finds a turn, whatever stands in the line of eve
//! ```
//!
//! A thread of the server works on what is ready in the order in which it became so. Were all that one client has under way
//! ready at once, each request of another would stand behind all of them. So only as many are made ready as have a turn. Refusals
//! take their turn too: what is refused costs work like what is served. A request that waits for something, or for the rest of
//! its body, gives its turn back after a moment, and so does one that takes long. Control stands in front of what else its client
//! asks for: a heartbeat does not wait for reports.
//!
//! # Source
//! Fair queueing: Nagle, "On Packet Switches with Infinite Storage", RFC 970 (1985), section 4: a queue for each source, served
//! in turn, so that a source that sends more lengthens its own queue alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::places::Visitor;

/// Who waits for something keeps its turn for so long: what is there at once is no waiting.
pub(super) const KEPT: Duration = Duration::from_millis(5);
/// Who is worked on keeps it for so long: what takes longer is not worked on here.
pub(super) const KEPT_AT_WORK: Duration = Duration::from_millis(100);

/// The lines of all clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    lines: Arc<Mutex<BTreeMap<Visitor, Line>>>,
}

#[derive(Debug, Default)]
struct Line {
    worked_on: usize,
    /// Control.
    ahead: VecDeque<oneshot::Sender<Turn>>,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A turn, given to the next in line when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// None once it is given back.
    of: Option<(Turns, Visitor)>,
}

impl Turns {
    /// A turn of this client, of whom so many have one; who cannot be told from others needs none. Control comes first.
    pub(super) async fn take(&self, client: Option<&Visitor>, most: usize, is_control: bool) -> Option<Turn> {
        let client = client?;
        let next = {
            let mut lines = self.lines();
            let line = lines.entry(client.clone()).or_default();
            if line.worked_on < most {
                line.worked_on += 1;
                return Some(Turn { of: Some((self.clone(), client.clone())) });
            }
            let (turn, next) = oneshot::channel();
            let behind = if is_control { &mut line.ahead } else { &mut line.waiting };
            behind.push_back(turn);
            next
        };
        // The line gives every turn it has; it lives as long as anybody is in it.
        next.await.ok()
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<Visitor, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives one turn back, and to whoever is next and still there.
    fn give_back(&self, client: &Visitor) {
        loop {
            let next = {
                let mut lines = self.lines();
                let Some(line) = lines.get_mut(client) else { return };
                match line.ahead.pop_front().or_else(|| line.waiting.pop_front()) {
                    Some(next) => next,
                    None => {
                        line.worked_on = line.worked_on.saturating_sub(1);
                        if line.worked_on == 0 {
                            lines.remove(client);
                        }
                        return;
                    }
                }
            };
            let turn = Turn { of: Some((self.clone(), client.clone())) };
            match next.send(turn) {
                Ok(()) => return,
                // It has hung up; the turn is for the one behind it.
                Err(mut turn) => turn.of = None,
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((turns, client)) = self.of.take() {
            turns.give_back(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Visitor {
        Visitor::Identity(name.parse().unwrap())
    }

    /// Has it a turn by now?
    async fn has(task: &mut tokio::task::JoinHandle<Option<Turn>>) -> bool {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        task.is_finished()
    }

    fn asked(turns: &Turns, name: &str) -> tokio::task::JoinHandle<Option<Turn>> {
        let (turns, client) = (turns.clone(), of(name));
        tokio::spawn(async move { turns.take(Some(&client), 2, false).await })
    }

    async fn both(turns: &Turns) -> [Option<Turn>; 2] {
        [turns.take(Some(&of("eve")), 2, false).await, turns.take(Some(&of("eve")), 2, false).await]
    }

    #[tokio::test]
    async fn one_client_waits_in_its_own_line_and_nobody_else_does() {
        let turns = Turns::default();
        let held = both(&turns).await;
        let mut line: Vec<_> = (0..3).map(|_| asked(&turns, "eve")).collect();
        assert!(!has(&mut line[0]).await);
        // Another has its own, and who has no name needs none.
        assert!(has(&mut asked(&turns, "ann")).await);
        assert!(turns.take(None, 2, false).await.is_none());
        // One for one, in the order they came.
        let [first, second] = held;
        drop(first);
        assert!(has(&mut line[0]).await && !has(&mut line[1]).await);
        drop(second);
        assert!(has(&mut line[1]).await && !has(&mut line[2]).await);
    }

    #[tokio::test]
    async fn control_stands_in_front_of_what_else_its_client_asks_for() {
        let turns = Turns::default();
        let [first, _second] = both(&turns).await;
        let mut other = asked(&turns, "eve");
        assert!(!has(&mut other).await);
        let (lines, eve) = (turns.clone(), of("eve"));
        let mut control = tokio::spawn(async move { lines.take(Some(&eve), 2, true).await });
        assert!(!has(&mut control).await);
        drop(first);
        assert!(has(&mut control).await && !has(&mut other).await);
    }

    #[tokio::test]
    async fn who_has_hung_up_is_passed_over_and_no_turn_is_lost() {
        let turns = Turns::default();
        let held = both(&turns).await;
        let mut gone = asked(&turns, "eve");
        let mut last = asked(&turns, "eve");
        assert!(!has(&mut gone).await);
        gone.abort();
        assert!(has(&mut gone).await && !has(&mut last).await);
        drop(held);
        assert!(has(&mut last).await);
        drop(last.await);
        assert!(turns.lines().is_empty(), "who has nothing under way is not remembered");
    }
}
