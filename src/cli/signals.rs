//! Requests from outside to stop.

use quorate_runtime::error::Error;
#[cfg(unix)]
use quorate_runtime::error::ErrorKind;

/// The signals that ask a program to stop, listened to from when this is made.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To stop.
    Stop,
    /// To read files again (SIGHUP).
    ReadAgain,
}

impl Signals {
    /// Begins to listen; from now on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// `store_error` when the system does not allow it.
    pub(super) fn listen() -> Result<Self, Error> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let refused = |e: std::io::Error| {
                Error::new(ErrorKind::StoreError, format!("signals cannot be heard. cause={e}"))
            };
            let interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
            let terminate = signal(SignalKind::terminate()).map_err(refused)?;
            Ok(Signals { interrupt, terminate, hangup: None })
        }
        #[cfg(not(unix))]
        Ok(Signals {})
    }

    /// Takes SIGHUP for the wish to read files again; it no longer ends the process.
    ///
    /// # Errors
    /// As [`Signals::listen`].
    pub(super) fn hear_hangup(&mut self) -> Result<(), Error> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let heard = signal(SignalKind::hangup()).map_err(|e| {
                Error::new(ErrorKind::StoreError, format!("signals cannot be heard. cause={e}"))
            })?;
            self.hangup = Some(heard);
        }
        Ok(())
    }

    /// Waits for the next signal to stop.
    pub(super) async fn next(&mut self) {
        while self.wish().await != Wish::Stop {}
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    pub(super) async fn wish(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
            () = hung_up(&mut self.hangup) => Wish::ReadAgain,
        }
    }

    /// Waits for the next signal.
    #[cfg(not(unix))]
    pub(super) async fn wish(&mut self) -> Wish {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Wish::Stop
    }
}

#[cfg(unix)]
async fn hung_up(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            let _ = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
