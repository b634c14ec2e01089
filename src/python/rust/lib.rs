//! The Python package: what its Python part stands on. Every operation of the table by name, over JSON, in a folder, in
//! memory or at a server; and what is renewed in the background.
//!
//! | file | holds |
//! |---|---|
//! | `place` | where operations are carried out |
//! | `client` | the way to a server |
//! | `guard` | holds of capacity and leases of jobs |
//! | `waiting` | how Python waits |
//!
//! A result is a pair: what came about, or the error as JSON. The Python part makes exceptions of errors.

mod guard;
mod place;
mod waiting;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use quorate_runtime::api::json;
use quorate_runtime::api::nouns::NOUNS;
use quorate_runtime::api::ops::{self, OPERATIONS};
use quorate_runtime::connect::client::Client;
use quorate_runtime::error::{Error, KINDS};
use serde_json::{Map, Value};

use self::guard::Guard;
use self::place::Place;
use self::waiting::Started;

/// What work came to.
enum Got {
    Nothing,
    Text(String),
    Door(Arc<Place>, Vec<String>),
    Held(Guard),
}

type Work = Pin<Box<dyn Future<Output = Result<Got, Error>> + Send>>;

/// The result as Python has it: what came about, and the error as JSON.
fn pair(py: Python<'_>, result: Result<Got, Error>) -> PyResult<(Py<PyAny>, Option<String>)> {
    let process = std::process::id();
    let got = match result {
        Ok(Got::Nothing) => py.None(),
        Ok(Got::Text(text)) => text.into_pyobject(py)?.into_any().unbind(),
        Ok(Got::Door(place, told)) => Py::new(py, Door { place, told, process })?.into_any(),
        Ok(Got::Held(guard)) => Py::new(py, Held { guard: Arc::new(guard), process })?.into_any(),
        Err(error) => return Ok((py.None(), Some(error.to_json().to_string()))),
    };
    Ok((got, None))
}

/// Runs work and waits for it.
fn run(py: Python<'_>, work: Work) -> PyResult<(Py<PyAny>, Option<String>)> {
    let result = waiting::wait(py, work)?;
    pair(py, result)
}

/// Runs work and calls `done(value, error)`.
fn start(work: Work, done: Py<PyAny>) -> PyResult<Started> {
    waiting::start(work, done, |py, result, done| {
        let (value, error) = pair(py, result)?;
        done.call1(py, (value, error)).map(drop)
    })
}

/// Work that is an error already.
fn refused(error: Error) -> Work {
    Box::pin(async move { Err(error) })
}

/// The threads of a handle live in the process that opened it.
fn same_process(opened: u32) -> PyResult<()> {
    if opened == std::process::id() {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "this handle was opened before a fork; open another one in the child process",
    ))
}

/// A request is one object; its numbers are kept exactly, or refused.
fn fields(text: &str) -> Result<Map<String, Value>, Error> {
    match json::read(text)? {
        Value::Object(fields) => Ok(fields),
        other => Err(Error::invalid("request", other, "a JSON object")),
    }
}

fn opening(folder: Option<PathBuf>, create: bool, accept_loss: bool) -> Work {
    Box::pin(async move {
        let (place, told) = match folder {
            Some(folder) => Place::folder(folder, create, accept_loss).await?,
            None => (Place::memory().await?, Vec::new()),
        };
        Ok(Got::Door(Arc::new(place), told))
    })
}

/// Opens a folder, or a journal in memory, and waits for it.
#[pyfunction]
fn open(
    py: Python<'_>,
    folder: Option<PathBuf>,
    create: bool,
    accept_loss: bool,
) -> PyResult<(Py<PyAny>, Option<String>)> {
    run(py, opening(folder, create, accept_loss))
}

/// The same; calls `done(value, error)`.
#[pyfunction]
fn start_open(
    done: Py<PyAny>,
    folder: Option<PathBuf>,
    create: bool,
    accept_loss: bool,
) -> PyResult<Started> {
    start(opening(folder, create, accept_loss), done)
}

/// A handle to a server.
#[pyfunction]
fn connect(
    py: Python<'_>,
    url: &str,
    token: Option<&str>,
    timeout: f64,
) -> PyResult<(Py<PyAny>, Option<String>)> {
    let timeout = Duration::try_from_secs_f64(timeout)
        .map_err(|_| PyValueError::new_err("timeout is a number of seconds, at least 0"))?;
    let place = Client::at(url, token, timeout).map(Place::server);
    pair(py, place.map(|place| Got::Door(Arc::new(place), Vec::new())))
}

/// Where operations are carried out.
#[pyclass(frozen, module = "quorate._native")]
struct Door {
    place: Arc<Place>,
    told: Vec<String>,
    process: u32,
}

impl Door {
    fn work(&self, what: &str, name: &str, text: &str) -> PyResult<Work> {
        same_process(self.process)?;
        let place = self.place.clone();
        if what == "close" {
            return Ok(Box::pin(async move { place.close().await.map(|()| Got::Nothing) }));
        }
        if what == "serve" {
            let listen = name.to_owned();
            return Ok(Box::pin(async move { place.serve(&listen).await.map(Got::Text) }));
        }
        let fields = match fields(text) {
            Ok(fields) => fields,
            Err(error) => return Ok(refused(error)),
        };
        Ok(match what {
            "call" => {
                match ops::find(name) {
                    Ok(op) => Box::pin(async move {
                        place.call(op, fields).await.map(|reply| Got::Text(reply.to_string()))
                    }),
                    Err(error) => refused(error),
                }
            }
            "hold" => Box::pin(async move { guard::hold(place, fields).await.map(Got::Held) }),
            "lead" => {
                let mut fields = fields;
                let patience = fields.remove("wait_seconds").and_then(|seconds| seconds.as_f64());
                let patience = Duration::try_from_secs_f64(patience.unwrap_or_default());
                match patience {
                    Ok(patience) => {
                        Box::pin(async move { guard::lead(place, fields, patience).await.map(Got::Held) })
                    }
                    Err(_) => refused(Error::invalid("wait_seconds", "not a span", "a number, at least 0")),
                }
            }
            _ => return Err(PyValueError::new_err("call, hold, lead, serve or close")),
        })
    }
}

#[pymethods]
impl Door {
    /// What opening found to be gone or made good, as sentences.
    #[getter]
    fn told(&self) -> Vec<String> {
        self.told.clone()
    }

    /// Does `what` and waits for it.
    fn run(
        &self,
        py: Python<'_>,
        what: &str,
        name: &str,
        text: &str,
    ) -> PyResult<(Py<PyAny>, Option<String>)> {
        run(py, self.work(what, name, text)?)
    }

    /// The same; calls `done(value, error)`.
    fn start(&self, done: Py<PyAny>, what: &str, name: &str, text: &str) -> PyResult<Started> {
        start(self.work(what, name, text)?, done)
    }
}

/// What is held and renewed.
#[pyclass(frozen, module = "quorate._native")]
struct Held {
    guard: Arc<Guard>,
    process: u32,
}

impl Held {
    fn work(&self, what: &str) -> PyResult<Work> {
        same_process(self.process)?;
        Ok(match what {
            "release" => {
                let guard = self.guard.clone();
                Box::pin(async move { guard.release().await.map(|()| Got::Nothing) })
            }
            "lost" => {
                let lost = self.guard.watch();
                Box::pin(async move { Ok(Got::Text(Guard::wait_lost(lost).await.to_json().to_string())) })
            }
            _ => return Err(PyValueError::new_err("release or lost")),
        })
    }
}

#[pymethods]
impl Held {
    /// What was answered last, as JSON.
    fn latest(&self) -> String {
        self.guard.latest().to_string()
    }

    /// Why it is lost, as JSON, if it is.
    fn lost(&self) -> Option<String> {
        self.guard.lost().map(|why| why.to_json().to_string())
    }

    /// Renews no more, and gives nothing back.
    fn ended(&self) {
        self.guard.ended();
    }

    /// Does `what` and waits for it.
    fn run(&self, py: Python<'_>, what: &str) -> PyResult<(Py<PyAny>, Option<String>)> {
        run(py, self.work(what)?)
    }

    /// The same; calls `done(value, error)`.
    fn start(&self, done: Py<PyAny>, what: &str) -> PyResult<Started> {
        start(self.work(what)?, done)
    }
}

/// The nouns, the operations with their fields, and the kinds of errors, as JSON.
#[pyfunction]
fn table() -> String {
    let operations = OPERATIONS.iter().map(|op| {
        let any = |types: &[String]| types.is_empty();
        let field = |field: ops::Field| {
            serde_json::json!({
                "name": field.name, "required": field.required, "description": field.description,
                "any": any(&field.types),
            })
        };
        serde_json::json!({
            "name": op.name, "summary": op.summary, "subject": op.subject(),
            "fields": op.fields().into_iter().map(field).collect::<Vec<_>>(),
        })
    });
    let nouns: Map<String, Value> =
        NOUNS.iter().map(|(noun, about)| ((*noun).to_owned(), (*about).into())).collect();
    let kinds = KINDS.iter().map(|kind| serde_json::json!({ "name": kind.name, "retry": kind.retry }));
    let table = serde_json::json!({
        "nouns": nouns, "operations": operations.collect::<Vec<_>>(), "kinds": kinds.collect::<Vec<_>>(),
    });
    table.to_string()
}

/// What the Python part of the package stands on.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Door>()?;
    module.add_class::<Held>()?;
    module.add_class::<Started>()?;
    module.add_function(wrap_pyfunction!(open, module)?)?;
    module.add_function(wrap_pyfunction!(start_open, module)?)?;
    module.add_function(wrap_pyfunction!(connect, module)?)?;
    module.add_function(wrap_pyfunction!(table, module)?)?;
    module.add_function(wrap_pyfunction!(waiting::end_calls, module)?)?;
    module.add("VERSION", env!("CARGO_PKG_VERSION"))
}
