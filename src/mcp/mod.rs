//! The MCP door: the operations of the table as tools of a Model Context Protocol server.
//!
//! ```text
//!  tools/list      ──► the selected rows that the caller's scopes cover, as tools
//!  tools/call      ──► one operation by name with JSON ──► structured content and text, or an error and what to do next
//!   that waits     ──► a task, whose id is that of the entity, or a wait that is bounded and tells its progress
//!  tasks/get       ──► how the entity stands: the answer is in the journal and nowhere else
//!  tasks/cancel    ──► the entity is cancelled
//!  resources/read  ──► the history or the state of an entity
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `selection` | which operations are shown when nobody says which |
//! | `tools` | a row of the table as a tool |
//! | `answers` | a reply or an error as the result of a tool |
//! | `waits` | calls that wait, and the tasks they become |
//! | `resources` | the history and the state of an entity |
//! | `server` | the requests of the protocol |
//! | `lines` | what no request can be made of |
//! | `http` | the same over streamable HTTP, one request at a time |
//!
//! The door keeps nothing of its own: no session, no task. A server that is killed and started again answers a task as if
//! nothing had happened.
//!
//! Source: Model Context Protocol, revisions 2024-11-05 to 2026-07-28; SEP-2663 (tasks).

#![forbid(unsafe_code)]

mod answers;
pub mod http;
mod lines;
mod resources;
pub mod selection;
mod server;
mod tools;
mod waits;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use quorate_runtime::Quorate;
use quorate_runtime::api::ops::{Called, OPERATIONS, Operation};
use quorate_runtime::error::{Error, ErrorKind};
use rmcp::ServiceExt;
use serde_json::{Map, Value};

pub use self::selection::Selection;
pub use self::server::Mcp;
pub use self::tools::operation;

/// The names of operations, some time later.
pub type Names = Pin<Box<dyn Future<Output = Result<BTreeSet<&'static str>, Error>> + Send>>;

/// Where operations are carried out, and in whose name: a runtime in this process, or a server.
pub trait Operations: Send + Sync + 'static {
    /// Carries out an operation.
    fn call(&self, op: &'static Operation, fields: Map<String, Value>) -> Called;

    /// The operations that whoever calls could ask for.
    fn covered(&self) -> Names;
}

impl Operations for Quorate {
    fn call(&self, op: &'static Operation, fields: Map<String, Value>) -> Called {
        op.call(self.clone(), fields)
    }

    fn covered(&self) -> Names {
        let covered = OPERATIONS.iter().filter(|op| self.covers(op)).map(|op| op.name).collect();
        Box::pin(std::future::ready(Ok(covered)))
    }
}

/// Serves on stdin and stdout until the client closes them.
///
/// # Errors
/// `malformed_request` when the client does not begin as the protocol asks.
pub async fn serve_stdio(mcp: Mcp) -> Result<(), Error> {
    let (stdin, stdout) = rmcp::transport::stdio();
    let ended = match mcp.serve(lines::between(stdin, stdout)).await {
        Ok(running) => running.waiting().await.map(|_| ()).map_err(|e| e.to_string()),
        // A client that goes away before it has said anything has asked for nothing.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(e) => Err(e.to_string()),
    };
    ended.map_err(|cause| {
        Error::new(ErrorKind::MalformedRequest, format!("the MCP session cannot go on. cause={cause}"))
    })
}
