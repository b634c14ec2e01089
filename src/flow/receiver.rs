//! The reader of a stream.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::error::{RecvError, TryRecvError};
use super::sender::drain;
use super::shared::Shared;
use crate::core::kernel::time::Timestamp;
use crate::core::load::flow::{Drained, FlowStats, Gate, Read};

/// Reads a stream. Dropping it closes the stream.
#[derive(Debug)]
pub struct FlowReceiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> FlowReceiver<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        FlowReceiver { shared }
    }

    /// The next message. Cancel-safe: a message is taken only when it is returned.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] where messages are missing, once per gap; [`RecvError::Closed`] after the last message.
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The same for streams and hand-written futures; the latest waker is kept.
    ///
    /// # Errors
    /// As [`FlowReceiver::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        self.shared.with(|gate, now| match look(gate, now) {
            Ok(message) => Poll::Ready(Ok(message)),
            Err(TryRecvError::Lagged(gap)) => Poll::Ready(Err(RecvError::Lagged(gap))),
            Err(TryRecvError::Closed) => Poll::Ready(Err(RecvError::Closed)),
            Err(TryRecvError::Empty) => {
                gate.wait_to_read(cx.waker().clone());
                Poll::Pending
            }
        })
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none, else as [`FlowReceiver::recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.with(look)
    }

    /// Waits for at least one message or gap and takes up to `n` messages. Empty when the stream is closed, or when `n` is
    /// 0.
    pub async fn recv_many(&mut self, n: usize) -> Drained<T> {
        poll_fn(|cx| {
            let out = self.drain(n);
            if n == 0 || !out.messages.is_empty() || !out.lagged.is_empty() {
                return Poll::Ready(out);
            }
            // Between the two looks something may have come.
            let is_over = self.shared.with(|gate, _| {
                if gate.is_finished() {
                    return true;
                }
                gate.wait_to_read(cx.waker().clone());
                false
            });
            let out = self.drain(n);
            if is_over {
                return Poll::Ready(out);
            }
            if out.messages.is_empty() && out.lagged.is_empty() { Poll::Pending } else { Poll::Ready(out) }
        })
        .await
    }

    /// Takes up to `n` of the oldest messages, in order, with the gaps before and between them; never waits.
    pub fn drain(&mut self, n: usize) -> Drained<T> {
        drain(&self.shared, n)
    }

    /// Lets nobody send any more; what is buffered can still be received.
    pub fn close(&mut self) {
        self.shared.close();
    }

    /// All figures at one instant.
    pub fn stats(&self) -> FlowStats {
        self.shared.stats()
    }
}

fn look<T>(gate: &mut Gate<T, Waker>, now: &dyn Fn() -> Timestamp) -> Result<T, TryRecvError> {
    match gate.take(&now) {
        Some(Read::Message(_, message)) => Ok(message),
        Some(Read::Lagged(gap)) => Err(TryRecvError::Lagged(gap)),
        None if gate.is_finished() => Err(TryRecvError::Closed),
        None => Err(TryRecvError::Empty),
    }
}

impl<T> Drop for FlowReceiver<T> {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}
