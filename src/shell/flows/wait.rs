//! Senders that wait: for their delay, for a pause to end, for room. Each is a future in the gate's line.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Live, Message, Outcome, Why, give_back, put};
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::{Claim, FlowConfig, Manner, Pass, Returned};
use crate::shell::host::Host;
use crate::shell::lock;

/// How it stands with a sender that may wait.
enum Entered {
    /// Its offer is decided.
    Done(Box<Outcome>),
    /// It comes again after so long.
    Delay(Duration, Message),
    /// It stands in line.
    Wait { ticket: u64, paused: bool, message: Message },
}

impl Live {
    pub(super) async fn offer_in_time(
        &self,
        host: &Arc<Host>,
        mut message: Message,
        wait: Duration,
    ) -> Outcome {
        let until = host.clock.now().plus(wait);
        let mut manner = Manner::Send;
        loop {
            match self.enter(host, message, manner, until) {
                Entered::Done(outcome) => return *outcome,
                Entered::Wait { ticket, paused, message } => {
                    let place = Place { live: self, host, ticket, left: false };
                    return place.stand(message, paused, until).await;
                }
                Entered::Delay(delay, kept) => {
                    sleep(host, delay).await;
                    lock(&self.inner).gate.buffer().flow().record_throttle_time(delay);
                    (message, manner) = (kept, Manner::SendAfterDelay);
                }
            }
        }
    }

    fn enter(&self, host: &Arc<Host>, message: Message, manner: Manner, until: Timestamp) -> Entered {
        let now = host.clock.now();
        let mut inner = lock(&self.inner);
        let gate = &mut inner.gate;
        let (fate, gave_way) = match gate.enter(&|| now, message.bytes, manner) {
            Pass::Go => put(gate, now, message, None),
            Pass::Closed => give_back(gate, Why::Closed, message),
            Pass::TooLarge => give_back(gate, Why::TooLarge, message),
            Pass::Full => give_back(gate, Why::Full, message),
            Pass::Delay(delay) if now.plus(delay) > until => give_back(gate, Why::TimedOut, message),
            Pass::Delay(delay) => return Entered::Delay(delay, message),
            Pass::Wait { ticket, paused } => return Entered::Wait { ticket, paused, message },
        };
        self.after(host, &mut inner, now);
        Entered::Done(Box::new(Outcome { fate, gave_way, seen: inner.seen() }))
    }
}

/// A place in the line, left when dropped: what was granted goes to the next.
struct Place<'a> {
    live: &'a Live,
    host: &'a Arc<Host>,
    ticket: u64,
    left: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left {
            let mut inner = lock(&self.live.inner);
            inner.gate.cancel(self.ticket);
            inner.gate.buffer().flow().record_returned(Returned::Cancelled);
            self.live.after(self.host, &mut inner, self.host.clock.now());
        }
    }
}

impl Place<'_> {
    async fn stand(mut self, mut message: Message, paused: bool, until: Timestamp) -> Outcome {
        let host = self.host;
        let mut patience = {
            let inner = lock(&self.live.inner);
            let config = inner.gate.buffer().flow().config();
            Patience::new(config, host.clock.now(), paused, until)
        };
        loop {
            let (waker, woken) = oneshot::channel();
            let now = host.clock.now();
            match self.look(message, &mut patience, now, waker) {
                Ok(outcome) => return *outcome,
                Err(kept) => message = *kept,
            }
            tokio::select! {
                _ = woken => {}
                () = sleep(host, patience.next().since(now)) => {}
            }
        }
    }

    /// Looks whether it is its turn; the message comes back while it is not.
    fn look(
        &mut self,
        message: Message,
        patience: &mut Patience,
        now: Timestamp,
        waker: oneshot::Sender<()>,
    ) -> Result<Box<Outcome>, Box<Message>> {
        let live = self.live;
        let mut inner = lock(&live.inner);
        if patience.pause_is_over(now) {
            inner.gate.ripen(self.ticket);
        }
        let held = message.bytes;
        let (fate, gave_way) = match inner.gate.claim(self.ticket, |_| waker) {
            Claim::Granted => put(&mut inner.gate, now, message, Some(held)),
            Claim::Act => put(&mut inner.gate, now, message, None),
            Claim::Closed => give_back(&mut inner.gate, Why::Closed, message),
            Claim::Waiting if now >= patience.ends => {
                inner.gate.cancel(self.ticket);
                give_back(&mut inner.gate, Why::TimedOut, message)
            }
            Claim::Waiting => {
                live.after(self.host, &mut inner, now);
                return Err(Box::new(message));
            }
        };
        self.left = true;
        inner.gate.buffer().flow().record_pause_time(now.since(patience.began));
        live.after(self.host, &mut inner, now);
        Ok(Box::new(Outcome { fate, gave_way, seen: inner.seen() }))
    }
}

/// How long somebody stands in line.
struct Patience {
    began: Timestamp,
    /// When its pause is over, while it pauses.
    pause_until: Option<Timestamp>,
    block_timeout: Option<Duration>,
    /// What the caller said.
    until: Timestamp,
    /// When it gives up.
    ends: Timestamp,
}

impl Patience {
    fn new(config: &FlowConfig, began: Timestamp, paused: bool, until: Timestamp) -> Self {
        let pause_until = paused.then(|| began.plus(config.pause_duration));
        let mut patience =
            Patience { began, pause_until, block_timeout: config.block_timeout, until, ends: until };
        if !paused {
            patience.block_from(began);
        }
        patience
    }

    /// The limit of blocking counts from the end of the pause.
    fn block_from(&mut self, at: Timestamp) {
        self.ends = self.block_timeout.map_or(self.until, |block| self.until.min(at.plus(block)));
    }

    fn pause_is_over(&mut self, now: Timestamp) -> bool {
        let over = self.pause_until.is_some_and(|at| at <= now);
        if over {
            self.pause_until = None;
            self.block_from(now);
        }
        over
    }

    /// When to look again if nobody wakes it.
    fn next(&self) -> Timestamp {
        self.pause_until.map_or(self.ends, |at| at.min(self.ends))
    }
}

/// Sleeps on the runtime's own threads: the caller may poll from any executor.
async fn sleep(host: &Host, duration: Duration) {
    // Made there too: a timer belongs to the runtime in which it is made, and that of the caller may end first.
    let _ = host.tokio.spawn(async move { tokio::time::sleep(duration).await }).await;
}
