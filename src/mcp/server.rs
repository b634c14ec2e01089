//! The requests of the protocol.

use std::sync::Arc;
use std::time::Duration;

use quorate_runtime::api::ops::OPERATIONS;
use quorate_runtime::error::{Error, ErrorKind};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CreateTaskResult, GetTaskParams,
    GetTaskResult, Implementation, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::waits::{self, Begun, Known, Wait};
use crate::{Operations, Selection, answers, resources, tools};

/// What a model is told about the server as a whole.
const INSTRUCTIONS: &str = "\
Quorate keeps decisions, leases and shared limits of agents on record, and survives crashes. Ask before you act: \
consensus_request asks the registered agents, quorum_start asks named voters. Only an approval lets you go on: rejected, timed out, \
cancelled and aborted are different answers, and none of them is a yes. What you put goes on when you stop waiting; keep its id and \
come back with it. A failed call says in its last line what to do next.";

/// A server for one caller. Cheap to clone; it keeps nothing.
#[derive(Clone)]
pub struct Mcp {
    ops: Arc<dyn Operations>,
    tools: Selection,
}

impl std::fmt::Debug for Mcp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mcp").field("tools", &self.tools).finish_non_exhaustive()
    }
}

impl Mcp {
    /// A server on these operations that shows those selected.
    pub fn new(ops: impl Operations, tools: Selection) -> Self {
        Mcp { ops: Arc::new(ops), tools }
    }

    /// Waits as long as clients wait, and tells the progress to those that ask for it.
    async fn wait(
        &self,
        wait: &Wait,
        context: &RequestContext<RoleServer>,
    ) -> Result<(Value, Option<String>), Error> {
        let told = Progress { token: context.meta.get_progress_token(), peer: context.peer.clone() };
        tokio::select! {
            done = wait.plainly(self.ops.as_ref(), &told) => done,
            () = context.ct.cancelled() => Err(Error::new(ErrorKind::Cancelled, "the client does not wait any more")),
        }
    }
}

/// Where the progress of a wait is told.
pub(crate) struct Progress {
    token: Option<ProgressToken>,
    peer: Peer<RoleServer>,
}

impl Progress {
    /// Tells how long is waited already, and how it stands, if the client asks for it.
    pub(crate) async fn tell(&self, elapsed: Duration, longest: Duration, message: String) {
        let Some(token) = self.token.clone() else { return };
        let progress = ProgressNotificationParam::new(token, elapsed.as_secs_f64())
            .with_total(longest.as_secs_f64())
            .with_message(message);
        // Who is gone needs no progress; the answer finds that out.
        let _ = self.peer.notify_progress(progress).await;
    }
}

/// An error of a request that is no call of a tool.
fn protocol(error: &Error) -> ErrorData {
    let data = Some(json!({ "error": error.to_json(), "next": answers::next(error.kind()) }));
    match error.kind() {
        ErrorKind::NotFound => ErrorData::resource_not_found(error.message().to_owned(), data),
        ErrorKind::InvalidArgument | ErrorKind::NotAuthorized | ErrorKind::UnknownOperation => {
            ErrorData::invalid_params(error.message().to_owned(), data)
        }
        _ => ErrorData::internal_error(error.message().to_owned(), data),
    }
}

fn known(task_id: &str) -> Result<Known<'_>, ErrorData> {
    Known::read(task_id).ok_or_else(|| ErrorData::invalid_params("no task has this id", None))
}

/// A task that is not there is a parameter that does not fit, not a resource.
fn of_task(error: &Error) -> ErrorData {
    match error.kind() {
        ErrorKind::NotFound => {
            ErrorData::invalid_params("no task has this id", Some(json!({ "error": error.to_json() })))
        }
        _ => protocol(error),
    }
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_tasks().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("quorate", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let covered = self.ops.covered().await.map_err(|e| protocol(&e))?;
        let shown = OPERATIONS.iter().filter(|op| self.tools.has(op) && covered.contains(op.name));
        Ok(ListToolsResult::with_all_items(shown.map(tools::tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let op = tools::operation(&request.name).filter(|op| self.tools.has(op)).ok_or_else(|| {
            ErrorData::invalid_params(format!("no such tool is shown. given={:?}", request.name), None)
        })?;
        let fields = tools::fields(request.arguments);
        let Some(wait) = waits::of(op, &fields) else {
            return Ok(match self.ops.call(op, waits::bounded(op, fields)).await {
                Ok(reply) => answers::reply(op, reply, None).into(),
                Err(error) => answers::failure(&error).into(),
            });
        };
        if context.client_capabilities().is_some_and(|client| client.supports_tasks()) {
            match wait.as_task(self.ops.as_ref()).await {
                Ok(Some(Begun::Task(task))) => {
                    return Ok(CallToolResponse::Task(CreateTaskResult::new(task)));
                }
                Ok(Some(Begun::Over(reply))) => return Ok(answers::reply(op, reply, None).into()),
                Ok(None) => {}
                Err(error) => return Ok(answers::failure(&error).into()),
            }
        }
        Ok(match self.wait(&wait, &context).await {
            Ok((reply, note)) => answers::reply(op, reply, note).into(),
            Err(error) => answers::failure(&error).into(),
        })
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let task = known(&request.task_id)?.get(self.ops.as_ref()).await.map_err(|e| of_task(&e))?;
        Ok(GetTaskResult::new(task))
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        known(&request.task_id)?.cancel(self.ops.as_ref()).await.map_err(|e| of_task(&e))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let open = resources::open(self.ops.as_ref()).await.map_err(|e| protocol(&e))?;
        Ok(ListResourcesResult::with_all_items(open))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let contents = resources::read(self.ops.as_ref(), &request.uri).await.map_err(|e| protocol(&e))?;
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
