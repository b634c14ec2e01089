//! Waiting outside of the lock: delays, and places in line. Leaving early leaves nothing behind.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::clock::{FlowClock, Sleep};
use super::error::SendError;
use super::shared::Shared;
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::{Claim, FlowController, Load, Returned, Sent, Ticket};

/// Decides about a buffer of one's own, waits as long as was decided, and counts it. Returns the delay.
///
/// One paused wait is one `pause_duration`, after which the caller looks again.
pub async fn wait_if_needed(flow: &FlowController, load: impl Into<Load>, clock: &dyn FlowClock) -> Duration {
    let verdict = flow.decide(load);
    if !verdict.delay.is_zero() {
        let started = clock.now();
        clock.sleep(verdict.delay).await;
        let waited = clock.now().since(started);
        if verdict.state.can_send() {
            flow.record_throttle_time(waited);
        } else {
            flow.record_pause_time(waited);
        }
    }
    verdict.delay
}

/// How a delay ended.
pub(super) enum Delayed {
    Passed,
    TimedOut,
}

/// Counts the time of a delay, and a sender that gives up in it.
struct InDelay<'a, T> {
    shared: &'a Shared<T>,
    started: Timestamp,
    throttled: bool,
    message: bool,
    over: bool,
}

impl<T> Drop for InDelay<'_, T> {
    fn drop(&mut self) {
        if self.throttled {
            self.shared.flow.record_throttle_time(self.shared.clock.now().since(self.started));
        }
        if !self.over && self.message {
            self.shared.flow.record_returned(Returned::Cancelled);
        }
    }
}

/// Waits out a delay; a close ends it.
pub(super) async fn delay<T>(
    shared: &Shared<T>,
    delay: Duration,
    until: Option<Timestamp>,
    message: bool,
) -> Delayed {
    let started = shared.clock.now();
    let mut guard = InDelay { shared, started, throttled: true, message, over: false };
    let end = started.plus(delay);
    let stop = until.map_or(end, |until| until.min(end));
    let mut closing = pin!(shared.closing.notified());
    // Registered before looking, so that no close is missed.
    closing.as_mut().enable();
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        if shared.lock().is_closed() || closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        alarm.poll(cx, &shared.clock, stop)
    })
    .await;
    guard.over = true;
    if stop < end && !shared.lock().is_closed() { Delayed::TimedOut } else { Delayed::Passed }
}

/// A sleep that is made when needed.
#[derive(Default)]
struct Alarm(Option<(Timestamp, Sleep)>);

impl Alarm {
    /// Ready at `at` by the clock.
    fn poll(&mut self, cx: &mut Context<'_>, clock: &dyn FlowClock, at: Timestamp) -> Poll<()> {
        loop {
            let now = clock.now();
            if now >= at {
                self.0 = None;
                return Poll::Ready(());
            }
            if self.0.as_ref().is_none_or(|(set, _)| *set != at) {
                self.0 = Some((at, clock.sleep(at.since(now))));
            }
            if let Some((_, sleep)) = &mut self.0 {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // It may end early; then once more.
                self.0 = None;
            }
        }
    }
}

/// How waiting in line ended.
pub(super) enum Won<T> {
    /// The message was put.
    Put(Result<Sent<T>, SendError<T>>),
    /// Room is held for a permit.
    Held,
    /// Without a message: the stream closed.
    Closed,
    /// Without a message: too late.
    TimedOut,
}

/// A place in line. Dropped before its turn, it leaves the line and passes on what it was granted.
pub(super) struct InLine<'a, T> {
    shared: &'a Shared<T>,
    ticket: Option<Ticket>,
    message: Option<T>,
    size: usize,
    started: Timestamp,
    /// The end of the pause, while it has not passed.
    pause_end: Option<Timestamp>,
    /// When to give up waiting for room.
    block_end: Option<Timestamp>,
    /// When to give up whatever it waits for.
    until: Option<Timestamp>,
    alarm: Alarm,
}

impl<'a, T> InLine<'a, T> {
    pub fn new(
        shared: &'a Shared<T>,
        ticket: Ticket,
        paused: bool,
        message: Option<T>,
        size: usize,
        until: Option<Timestamp>,
    ) -> Self {
        let started = shared.clock.now();
        let mut place = InLine {
            shared,
            ticket: Some(ticket),
            message,
            size,
            started,
            pause_end: None,
            block_end: None,
            until,
            alarm: Alarm::default(),
        };
        if paused {
            place.pause_end = Some(started.plus(shared.flow.config().pause_duration));
        } else {
            place.block(started);
        }
        place
    }

    /// From here on it waits for room.
    fn block(&mut self, now: Timestamp) {
        let config = self.shared.flow.config();
        self.pause_end = None;
        // With a policy that drops it waits only for those before it.
        if self.message.is_none() || !config.drop_policy.is_lossy() {
            self.block_end = config.block_timeout.map(|timeout| now.plus(timeout));
        }
    }

    pub async fn wait(mut self) -> Won<T> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Won<T>> {
        loop {
            let ends = [self.until, self.pause_end, self.block_end];
            // Without an end to wait for the time does not matter.
            let now = if ends == [None; 3] { self.started } else { self.shared.clock.now() };
            if let Poll::Ready(won) = self.claim(cx.waker(), now) {
                return Poll::Ready(won);
            }
            if self.pause_end.is_some_and(|end| now >= end) {
                self.block(now);
                let ticket = self.ticket.unwrap_or_default();
                self.shared.with(|gate, _| gate.ripen(ticket));
                continue;
            }
            let Some(next) = [self.until, self.pause_end, self.block_end].into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if self.alarm.poll(cx, &self.shared.clock, next).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Looks how it stands; a wait that is over ends under the same lock.
    fn claim(&mut self, waker: &Waker, now: Timestamp) -> Poll<Won<T>> {
        let Some(ticket) = self.ticket else { return Poll::Pending };
        let shared = self.shared;
        let is_late = [self.until, self.block_end].into_iter().flatten().any(|end| now >= end);
        let keep = |held: Option<Waker>| match held {
            Some(held) if held.will_wake(waker) => held,
            Some(_) | None => waker.clone(),
        };
        let won = shared.with(|gate, clock| match gate.claim(ticket, keep) {
            Claim::Granted => match self.message.take() {
                Some(message) => {
                    Some(Won::Put(shared.sent(gate.put_held(&clock, message, self.size, self.size))))
                }
                None => Some(Won::Held),
            },
            Claim::Act => match self.message.take() {
                Some(message) => Some(Won::Put(shared.sent(gate.put(&clock, message, self.size)))),
                None => Some(Won::Closed),
            },
            Claim::Closed => Some(match self.message.take() {
                Some(message) => Won::Put(Err(shared.returned(Returned::Closed, message))),
                None => Won::Closed,
            }),
            Claim::Waiting if is_late => {
                gate.cancel(ticket);
                Some(match self.message.take() {
                    Some(message) => Won::Put(Err(shared.returned(Returned::Timeout, message))),
                    None => Won::TimedOut,
                })
            }
            Claim::Waiting => None,
        });
        match won {
            Some(won) => {
                self.ticket = None;
                Poll::Ready(won)
            }
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for InLine<'_, T> {
    fn drop(&mut self) {
        self.shared.flow.record_pause_time(self.shared.clock.now().since(self.started));
        if let Some(ticket) = self.ticket {
            self.shared.with(|gate, _| gate.cancel(ticket));
            if self.message.is_some() {
                self.shared.flow.record_returned(Returned::Cancelled);
            }
        }
    }
}
