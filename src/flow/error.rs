//! Errors that hand the message back.

use std::fmt;

use crate::core::load::flow::Lagged;

/// A message that was not sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// There was no room and the policy refuses new messages.
    Dropped(T),
    /// It waited too long.
    Timeout(T),
    /// The stream is closed.
    Closed(T),
    /// There is no room, or others wait already, and the sender would not wait.
    Full(T),
    /// It is larger than the whole buffer.
    TooLarge(T),
}

impl<T> SendError<T> {
    /// The message.
    pub fn into_message(self) -> T {
        match self {
            SendError::Dropped(message)
            | SendError::Timeout(message)
            | SendError::Closed(message)
            | SendError::Full(message)
            | SendError::TooLarge(message) => message,
        }
    }

    fn parts(&self) -> (&'static str, &'static str) {
        match self {
            SendError::Dropped(_) => ("Dropped", "no room, refused by the drop policy"),
            SendError::Timeout(_) => ("Timeout", "waited too long for room"),
            SendError::Closed(_) => ("Closed", "the stream is closed"),
            SendError::Full(_) => ("Full", "no room, or others wait already"),
            SendError::TooLarge(_) => ("TooLarge", "larger than the whole buffer"),
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(..)", self.parts().0)
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parts().1)
    }
}

impl<T> std::error::Error for SendError<T> {}

/// No message was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecvError {
    /// Messages are missing. Receiving goes on after them.
    #[error("messages are missing. count={}, first={}, last={}", .0.count, .0.first_seq, .0.last_seq)]
    Lagged(Lagged),
    /// The stream is closed and empty.
    #[error("the stream is closed")]
    Closed,
}

/// No message was received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// Messages are missing. Receiving goes on after them.
    #[error("messages are missing. count={}, first={}, last={}", .0.count, .0.first_seq, .0.last_seq)]
    Lagged(Lagged),
    /// There is none at the moment.
    #[error("no message at the moment")]
    Empty,
    /// The stream is closed and empty.
    #[error("the stream is closed")]
    Closed,
}
