//! What the senders and the reader of one stream share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

use super::clock::{Clock, FlowClock};
use super::error::SendError;
use super::observer::FlowObserver;
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::{
    FlowBuffer, FlowController, FlowStats, Gate, Manner, Notice, Offered, Pass, Returned, Sent, Ticket,
};

pub(super) struct Shared<T> {
    gate: Mutex<Gate<T, Waker>>,
    pub flow: Arc<FlowController>,
    pub size_of: Option<fn(&T) -> usize>,
    pub clock: Clock,
    observer: Option<Arc<dyn FlowObserver>>,
    /// Somebody is telling the observer and will look again before it stops.
    telling: AtomicBool,
    pub senders: AtomicUsize,
    /// The reader is gone for good.
    abandoned: AtomicBool,
    /// Wakes those who wait in a delay, which need no place in line.
    pub closing: Notify,
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("flow", &self.flow).finish_non_exhaustive()
    }
}

/// What became of a message at the gate.
pub(super) enum Entered<T> {
    Done(Result<Sent<T>, SendError<T>>),
    Delay(T, std::time::Duration),
    Wait(T, Ticket, bool),
}

impl<T> Shared<T> {
    pub fn new(mut buffer: FlowBuffer<T>, clock: Clock, observer: Option<Arc<dyn FlowObserver>>) -> Self {
        if observer.is_some() {
            buffer.watch();
        }
        Shared {
            flow: Arc::clone(buffer.flow()),
            size_of: buffer.shape().size_of,
            gate: Mutex::new(Gate::new(buffer)),
            clock,
            observer,
            telling: AtomicBool::new(false),
            senders: AtomicUsize::new(1),
            abandoned: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }

    /// The size of a message, worked out before the lock is taken.
    #[inline]
    pub fn size(&self, message: &T) -> usize {
        self.size_of.map_or(0, |size_of| size_of(message))
    }

    /// The lock. No code of others runs under it except `size_of` and `key_of`.
    pub fn lock(&self) -> MutexGuard<'_, Gate<T, Waker>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One critical section; afterwards, outside of it, the waking, the letting go and the telling.
    #[inline]
    pub fn with<R>(&self, act: impl FnOnce(&mut Gate<T, Waker>, &dyn Fn() -> Timestamp) -> R) -> R {
        let now = || self.clock.now();
        let mut gate = self.lock();
        let out = act(&mut gate, &now);
        if gate.has_work() {
            self.work(gate);
        }
        out
    }

    /// What a critical section left to do outside of it.
    fn work(&self, mut gate: MutexGuard<'_, Gate<T, Waker>>) {
        let wakes = gate.take_wakes();
        let trash = gate.take_trash();
        let has_news = gate.buffer().has_notices();
        drop(gate);
        wakes.into_iter().for_each(Waker::wake);
        drop(trash);
        if has_news {
            self.tell();
        }
    }

    /// Comes to the gate with a message, and puts it if it may.
    #[inline]
    pub fn enter(&self, message: T, size: usize, manner: Manner) -> Entered<T> {
        self.with(|gate, now| match gate.enter(&now, size, manner) {
            Pass::Go => Entered::Done(self.sent(gate.put(&now, message, size))),
            Pass::Delay(delay) => Entered::Delay(message, delay),
            Pass::Wait { ticket, paused } => Entered::Wait(message, ticket, paused),
            Pass::Full => Entered::Done(Err(self.returned(Returned::Full, message))),
            Pass::Closed => Entered::Done(Err(self.returned(Returned::Closed, message))),
            Pass::TooLarge => Entered::Done(Err(self.returned(Returned::TooLarge, message))),
        })
    }

    /// The answer for one who put a message.
    #[inline]
    pub fn sent(&self, offered: Offered<T>) -> Result<Sent<T>, SendError<T>> {
        match offered {
            Offered::Sent(sent) => Ok(sent),
            Offered::Refused(message) => Err(SendError::Dropped(message)),
            Offered::MustWait(message) => Err(self.returned(Returned::Full, message)),
            // Counted by the buffer.
            Offered::TooLarge(message) => Err(SendError::TooLarge(message)),
        }
    }

    /// Counts a message that goes back.
    pub fn returned(&self, why: Returned, message: T) -> SendError<T> {
        self.flow.record_returned(why);
        match why {
            Returned::Timeout | Returned::Cancelled => SendError::Timeout(message),
            Returned::Closed => SendError::Closed(message),
            Returned::Full => SendError::Full(message),
            Returned::TooLarge => SendError::TooLarge(message),
        }
    }

    pub fn close(&self) {
        self.with(|gate, _| gate.close());
        self.closing.notify_waiters();
    }

    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.close();
    }

    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Under the lock, so that every message is accounted for.
    pub fn stats(&self) -> FlowStats {
        let _gate = self.lock();
        self.flow.stats(self.clock.now())
    }

    #[cold]
    fn tell(&self) {
        if self.telling.swap(true, Ordering::AcqRel) {
            return;
        }
        let guard = Telling(&self.telling);
        loop {
            let mut gate = self.lock();
            let notices = gate.notices();
            if notices.is_empty() {
                // Under the lock: who adds something from here on finds nobody telling.
                drop(guard);
                return;
            }
            drop(gate);
            self.hand_over(notices);
        }
    }

    fn hand_over(&self, notices: Vec<Notice>) {
        let Some(observer) = &self.observer else { return };
        for notice in &notices {
            match notice {
                Notice::Transition(change) => observer.transition(change),
                Notice::Dropped(run) => observer.dropped(run),
            }
        }
    }
}

/// Ends the telling, also when the observer panics.
struct Telling<'a>(&'a AtomicBool);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
