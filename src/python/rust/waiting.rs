//! Work on threads of its own, and Python that waits for it: blocked, with the lock of the interpreter let go and signals
//! heard; or told by a call, as an event loop wants it.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use quorate_runtime::shell::clock::Stopwatch;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

/// How often a thread that waits looks for signals.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// The threads of this process. After a fork there are none, so that the child gets its own.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The threads of this process.
pub(crate) fn runtime() -> PyResult<&'static Runtime> {
    // Only taken while the interpreter's lock is held, so a fork finds it free.
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match *known {
        Some((owner, runtime)) if owner == process => Ok(runtime),
        _ => {
            let mut builder = Builder::new_multi_thread();
            let built = builder.worker_threads(2).thread_name("quorate-python").enable_all().build()?;
            let runtime: &'static Runtime = Box::leak(Box::new(built));
            *known = Some((process, runtime));
            Ok(runtime)
        }
    }
}

/// Ends work that nobody waits for any more.
struct EndOnDrop(AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs work and waits for it. A signal whose handler raises, such as that of the keyboard, ends the wait and the work.
///
/// # Errors
/// What the handler of a signal raises; `RuntimeError` when the work panicked.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = T> + Send + 'static,
) -> PyResult<T> {
    let (done, mut answer) = sync_channel(1);
    let task = runtime()?.spawn(async move {
        // Whoever waited may be gone.
        let _ = done.send(work.await);
    });
    let _end = EndOnDrop(task.abort_handle());
    loop {
        let (back, got) = py.detach(move || {
            let got = answer.recv_timeout(SIGNALS_EVERY);
            (answer, got)
        });
        answer = back;
        match got {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the operation panicked; what it did is on record"));
            }
        }
    }
}

/// Work under way.
#[pyclass(frozen, module = "quorate._native")]
pub(crate) struct Started(AbortHandle);

#[pymethods]
impl Started {
    /// Ends the work; nobody is called any more, unless it was done before.
    fn cancel(&self) {
        self.0.abort();
    }
}

/// Runs work, and calls `done(value, error)` with what `tell` makes of its result, on a thread of its own.
///
/// # Errors
/// `RuntimeError` when no thread is to be had.
pub(crate) fn start<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    done: Py<PyAny>,
    tell: impl FnOnce(Python<'_>, T, &Py<PyAny>) -> PyResult<()> + Send + 'static,
) -> PyResult<Started> {
    let task = runtime()?.spawn(async move {
        let result = work.await;
        let Some(_call) = Call::begin() else { return };
        // An event loop that has ended does not want to know.
        Python::try_attach(|py| {
            if let Err(error) = tell(py, result, &done) {
                error.write_unraisable(py, None);
            }
        });
    });
    Ok(Started(task.abort_handle()))
}

/// Added to [`CALLS`] once the interpreter ends.
const ENDING: usize = 1 << 32;
/// How long the last calls may take.
const LONGEST_CALL: Duration = Duration::from_secs(5);
/// How many threads of these are inside the interpreter.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// A thread that is inside the interpreter. One that were there when the interpreter is taken down would be torn out of
/// its code.
struct Call;

impl Call {
    fn begin() -> Option<Self> {
        let call = Call;
        (CALLS.fetch_add(1, Ordering::SeqCst) < ENDING).then_some(call)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        CALLS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until nobody calls Python any more, and lets nobody begin. For the end of the interpreter.
#[pyfunction]
pub(crate) fn end_calls(py: Python<'_>) {
    CALLS.fetch_add(ENDING, Ordering::SeqCst);
    py.detach(|| {
        // In the child of a fork some never end.
        let since = Stopwatch::start();
        while !CALLS.load(Ordering::SeqCst).is_multiple_of(ENDING) && since.elapsed() < LONGEST_CALL {
            std::thread::yield_now();
        }
    });
}
