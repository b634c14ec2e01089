//! The senders of a stream.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock::{Clock, FlowClock, TokioClock};
use super::error::SendError;
use super::observer::FlowObserver;
use super::receiver::FlowReceiver;
use super::shared::{Entered, Shared};
use super::wait::{Delayed, InLine, Won, delay};
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::{
    Drained, Evicted, FlowBuffer, FlowConfig, FlowConfigError, FlowController, FlowRecommendation, FlowStats,
    Manner, Pass, Returned, Sent, Shape, Verdict,
};

/// A sender and the reader of a new stream.
///
/// The stream ends when the reader or the last sender is dropped, or when either closes it.
///
/// # Errors
/// A configuration that does not fit; see [`FlowConfig::check`].
pub fn channel<T>(config: FlowConfig) -> Result<(FlowControlledSender<T>, FlowReceiver<T>), FlowConfigError> {
    FlowBuilder::new(config).channel()
}

/// A stream in the making: what is asked about messages, which clock, who observes.
pub struct FlowBuilder<T> {
    config: FlowConfig,
    shape: Shape<T>,
    clock: Option<Arc<dyn FlowClock>>,
    observer: Option<Arc<dyn FlowObserver>>,
}

impl<T> fmt::Debug for FlowBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<T> FlowBuilder<T> {
    /// Starts with a configuration.
    pub fn new(config: FlowConfig) -> Self {
        FlowBuilder { config, shape: Shape::default(), clock: None, observer: None }
    }

    /// How many bytes a message is, for `max_buffer_bytes`.
    pub fn size_of(mut self, size_of: fn(&T) -> usize) -> Self {
        self.shape.size_of = Some(size_of);
        self
    }

    /// Which messages take the place of each other: of one key only the newest is kept. The same message always has the
    /// same key. Called with a lock held: quick, and not back into the stream.
    pub fn key_of(mut self, key_of: fn(&T) -> Option<u64>) -> Self {
        self.shape.key_of = Some(key_of);
        self
    }

    /// Until when a message is of use; it is dropped as expired after that, and the reader told of the gap. The same message
    /// always has the same deadline. Called as [`FlowBuilder::key_of`].
    pub fn deadline_of(mut self, deadline_of: fn(&T) -> Option<Timestamp>) -> Self {
        self.shape.deadline_of = Some(deadline_of);
        self
    }

    /// Which messages never give way to others: a policy that drops spares them, and refuses the new one where nothing
    /// else is left. The same message always says the same. Called as [`FlowBuilder::key_of`].
    pub fn critical_of(mut self, critical_of: fn(&T) -> bool) -> Self {
        self.shape.critical_of = Some(critical_of);
        self
    }

    /// Another clock than tokio's.
    pub fn clock(mut self, clock: Arc<dyn FlowClock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Who hears of changes and losses.
    pub fn observer(mut self, observer: Arc<dyn FlowObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// A sender that is drained through itself.
    ///
    /// # Errors
    /// A configuration that does not fit; see [`FlowConfig::check`] and [`FlowBuffer::shaped`].
    pub fn sender(self) -> Result<FlowControlledSender<T>, FlowConfigError> {
        let buffer = FlowBuffer::shaped(self.config, self.shape)?;
        let clock = self.clock.map_or_else(|| Clock::Tokio(TokioClock::default()), Clock::Other);
        Ok(FlowControlledSender { shared: Arc::new(Shared::new(buffer, clock, self.observer)) })
    }

    /// A sender and a reader.
    ///
    /// # Errors
    /// As [`FlowBuilder::sender`].
    pub fn channel(self) -> Result<(FlowControlledSender<T>, FlowReceiver<T>), FlowConfigError> {
        let sender = self.sender()?;
        let receiver = FlowReceiver::new(Arc::clone(&sender.shared));
        Ok((sender, receiver))
    }
}

/// Sends into a buffer and is slowed down, paused or refused as the buffer fills.
///
/// | fill on arrival | [`send`](FlowControlledSender::send) |
/// |---|---|
/// | normal | enqueues |
/// | throttled | waits the delay, then enqueues |
/// | paused | waits until the buffer drained below `resume_threshold`, or one `pause_duration`; then enqueues if there is room |
/// | full | the drop policy acts |
///
/// First come, first served among those who wait; messages of one sender arrive in order. Clones send into the same stream.
/// Dropping the future of a send leaves nothing enqueued and frees its place, which goes to the next in line.
pub struct FlowControlledSender<T> {
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> FlowControlledSender<T> {
    /// A sender that is drained through itself; for one with a reader see [`channel`].
    ///
    /// # Errors
    /// A configuration that does not fit; see [`FlowConfig::check`].
    pub fn new(config: FlowConfig) -> Result<Self, FlowConfigError> {
        FlowBuilder::new(config).sender()
    }

    /// Sends, waiting as the fill and the policy demand. Needs tokio's timer when it has to wait.
    ///
    /// # Errors
    /// The message comes back: [`SendError::Dropped`] by the policy `drop_newest`, [`SendError::Timeout`] after the block
    /// timeout, [`SendError::Closed`], [`SendError::TooLarge`].
    pub async fn send(&self, message: T) -> Result<Sent<T>, SendError<T>> {
        let size = self.shared.size(&message);
        match self.shared.enter(message, size, Manner::Send) {
            Entered::Done(done) => done,
            waiting @ (Entered::Delay(..) | Entered::Wait(..)) => self.send_slowly(waiting, size, None).await,
        }
    }

    /// Sends, waiting at most so long in all.
    ///
    /// # Errors
    /// As [`FlowControlledSender::send`]; [`SendError::Timeout`] also after `limit`.
    pub async fn send_timeout(&self, message: T, limit: Duration) -> Result<Sent<T>, SendError<T>> {
        let size = self.shared.size(&message);
        match self.shared.enter(message, size, Manner::Send) {
            Entered::Done(done) => done,
            waiting @ (Entered::Delay(..) | Entered::Wait(..)) => {
                self.send_slowly(waiting, size, Some(limit)).await
            }
        }
    }

    async fn send_slowly(
        &self,
        entered: Entered<T>,
        size: usize,
        limit: Option<Duration>,
    ) -> Result<Sent<T>, SendError<T>> {
        let shared = &*self.shared;
        let until = limit.map(|limit| shared.clock.now().plus(limit));
        let mut entered = entered;
        if let Entered::Delay(message, wait) = entered {
            match delay(shared, wait, until, true).await {
                Delayed::Passed => entered = shared.enter(message, size, Manner::SendAfterDelay),
                Delayed::TimedOut => return Err(shared.returned(Returned::Timeout, message)),
            }
        }
        match entered {
            Entered::Done(done) => done,
            Entered::Wait(message, ticket, paused) => {
                match InLine::new(shared, ticket, paused, Some(message), size, until).wait().await {
                    Won::Put(done) => done,
                    Won::Held | Won::Closed | Won::TimedOut => {
                        unreachable!("a message in line is put or comes back")
                    }
                }
            }
            Entered::Delay(..) => unreachable!("one delay is enough"),
        }
    }

    /// Sends without waiting. Where there is no room a policy that drops acts at once. Delays and pauses are not kept:
    /// ask [`FlowControlledSender::verdict`] to keep them with a timer of one's own.
    ///
    /// # Errors
    /// The message comes back: [`SendError::Full`] when there is no room under `block`, or others wait already;
    /// [`SendError::Dropped`], [`SendError::Closed`], [`SendError::TooLarge`].
    pub fn try_send(&self, message: T) -> Result<Sent<T>, SendError<T>> {
        let size = self.shared.size(&message);
        match self.shared.enter(message, size, Manner::TrySend) {
            Entered::Done(done) => done,
            Entered::Delay(message, _) | Entered::Wait(message, ..) => {
                Err(self.shared.returned(Returned::Full, message))
            }
        }
    }

    /// Waits for room first and holds it; the message comes later and cannot fail for want of room. Slowed down and paused
    /// like a send. Under every policy it waits for room, since nothing is dropped for a message that does not exist yet.
    ///
    /// # Errors
    /// [`SendError::Timeout`] after the block timeout, [`SendError::Closed`].
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        self.reserve_bytes(0).await
    }

    /// The same for a message of up to so many bytes, where bytes are limited.
    ///
    /// # Errors
    /// As [`FlowControlledSender::reserve`], and [`SendError::TooLarge`].
    pub async fn reserve_bytes(&self, size: usize) -> Result<Permit<'_, T>, SendError<()>> {
        let shared = &*self.shared;
        let enter = |manner| shared.with(|gate, now| gate.enter(&now, size, manner));
        let mut pass = enter(Manner::Reserve);
        if let Pass::Delay(wait) = pass {
            delay(shared, wait, None, false).await;
            pass = enter(Manner::ReserveAfterDelay);
        }
        match pass {
            Pass::Go => Ok(Permit { shared, size, used: false }),
            Pass::Wait { ticket, paused } => {
                match InLine::new(shared, ticket, paused, None, size, None).wait().await {
                    Won::Held => Ok(Permit { shared, size, used: false }),
                    Won::TimedOut => Err(SendError::Timeout(())),
                    Won::Closed | Won::Put(_) => Err(SendError::Closed(())),
                }
            }
            Pass::Closed => Err(SendError::Closed(())),
            Pass::TooLarge => Err(SendError::TooLarge(())),
            Pass::Full | Pass::Delay(_) => Err(SendError::Full(())),
        }
    }

    /// Holds room if there is some and nobody waits for it.
    ///
    /// # Errors
    /// [`SendError::Full`], [`SendError::Closed`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        let shared = &*self.shared;
        match shared.with(|gate, now| gate.enter(&now, 0, Manner::TryReserve)) {
            Pass::Go => Ok(Permit { shared, size: 0, used: false }),
            Pass::Closed => Err(SendError::Closed(())),
            Pass::TooLarge => Err(SendError::TooLarge(())),
            Pass::Full | Pass::Delay(_) | Pass::Wait { .. } => Err(SendError::Full(())),
        }
    }

    /// Takes out up to `n` of the oldest messages, in order, with the gaps before and between them. Wakes as many waiting
    /// senders as there is room for.
    pub fn drain(&self, n: usize) -> Drained<T> {
        drain(&self.shared, n)
    }

    /// Drops up to `n` of the oldest messages, counted as shed.
    pub fn shed(&self, n: usize) -> Evicted<T> {
        self.shared.with(|gate, now| gate.shed(now(), n))
    }

    /// Ends the stream: senders get [`SendError::Closed`], the reader what is left. Permits given out may still be used.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Closed?
    pub fn is_closed(&self) -> bool {
        self.shared.lock().is_closed()
    }

    /// Messages buffered. Takes no lock.
    #[inline]
    pub fn buffer_size(&self) -> usize {
        self.shared.flow.load().messages
    }

    /// State and delay as of now, without counting. Takes no lock.
    #[inline]
    pub fn verdict(&self) -> Verdict {
        self.shared.flow.peek(self.shared.flow.load())
    }

    /// May a message go without waiting for the buffer to drain? Takes no lock.
    #[inline]
    pub fn can_send(&self) -> bool {
        self.verdict().state.can_send()
    }

    /// All figures at one instant; every message is accounted for.
    pub fn stats(&self) -> FlowStats {
        self.shared.stats()
    }

    /// Fewer than a tenth of the latest offers were lost. Takes no lock.
    pub fn is_healthy(&self) -> bool {
        self.shared.flow.is_healthy(self.shared.clock.now())
    }

    /// What to do about the stream. Takes no lock.
    pub fn recommendation(&self) -> FlowRecommendation {
        self.shared.flow.recommendation(self.shared.clock.now())
    }

    /// Counters from zero; what is buffered stays.
    pub fn reset_stats(&self) {
        let _gate = self.shared.lock();
        self.shared.flow.reset_stats();
    }

    /// The controller with the configuration and the counters.
    pub fn flow(&self) -> &Arc<FlowController> {
        &self.shared.flow
    }
}

pub(super) fn drain<T>(shared: &Shared<T>, n: usize) -> Drained<T> {
    // Room for the messages is found before the lock is taken.
    let likely = n.min(shared.flow.load().messages);
    let mut out = Drained { messages: Vec::with_capacity(likely), lagged: Vec::new() };
    shared.with(|gate, now| gate.take_many(&now, n, &mut out));
    out
}

impl<T> Clone for FlowControlledSender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed);
        FlowControlledSender { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for FlowControlledSender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.close();
        }
    }
}

impl<T> fmt::Debug for FlowControlledSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowControlledSender").field("verdict", &self.verdict()).finish_non_exhaustive()
    }
}

/// Room for one message, held until it is used or dropped. Also valid after a close, as long as there is a reader.
#[must_use = "room is held until the permit is used or dropped"]
pub struct Permit<'a, T> {
    shared: &'a Shared<T>,
    size: usize,
    used: bool,
}

impl<T> Permit<'_, T> {
    /// Sends into the room that is held.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the reader is gone. Where bytes are limited, a message larger than what was reserved needs
    /// further room: [`SendError::Full`], [`SendError::TooLarge`], or the drop policy.
    pub fn send(mut self, message: T) -> Result<Sent<T>, SendError<T>> {
        let shared = self.shared;
        if shared.is_abandoned() {
            return Err(shared.returned(Returned::Closed, message));
        }
        self.used = true;
        let size = shared.size(&message);
        shared.with(|gate, now| shared.sent(gate.put_held(&now, message, size, self.size)))
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        if !self.used {
            self.shared.with(|gate, _| gate.release(self.size));
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("bytes", &self.size).finish_non_exhaustive()
    }
}
