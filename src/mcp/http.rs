//! Streamable HTTP: one request, one answer. There are no sessions, so nothing is lost when the server is started again, and
//! every request says anew who calls.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use crate::Mcp;
use crate::lines::no_request;

const CONTENT_TYPE: &str = "content-type";
const JSON: &[u8] = b"application/json";

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body, in parts as they come about.
    pub body: Parts,
}

/// The parts of a body. Dropping them ends what the request waits for.
#[derive(Debug)]
pub struct Parts(BoxBody<Bytes, Infallible>);

impl Parts {
    /// How many bytes are to come, where that is known.
    pub fn length(&self) -> Option<u64> {
        Body::size_hint(&self.0).exact()
    }

    /// The next part; none when there are no more.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match Body::poll_frame(Pin::new(&mut self.0), context) {
                // Trailers say nothing here.
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(part) = frame.into_data() {
                        return Poll::Ready(Some(part));
                    }
                }
                Poll::Ready(Some(Err(never))) => match never {},
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// An answer in one part.
fn told(status: StatusCode, mut headers: Vec<(String, Vec<u8>)>, what: &Value) -> Answer {
    headers.retain(|(name, _)| name != CONTENT_TYPE);
    headers.push((CONTENT_TYPE.to_owned(), JSON.to_vec()));
    let body = Full::new(Bytes::from(what.to_string())).boxed();
    Answer { status: status.as_u16(), headers, body: Parts(body) }
}

/// Answers a request. Which names the server answers to, and which pages may ask, was looked at before.
pub async fn answer(mcp: Mcp, method: &str, headers: Vec<(String, Vec<u8>)>, body: Bytes) -> Answer {
    if let Some(refusal) =
        Some(&body).filter(|_| method == "POST").and_then(|body| crate::lines::refused(body))
    {
        // Whoever wrote what is no JSON wrote no request.
        let status = if refusal["id"].is_null() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        return told(status, Vec::new(), &refusal);
    }
    let mut request = Request::builder().method(method).uri("/mcp");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(Full::new(body)) else {
        let refusal = no_request("the headers are not those of a request");
        return told(StatusCode::BAD_REQUEST, Vec::new(), &refusal);
    };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .disable_allowed_hosts()
        .with_max_request_body_bytes(usize::MAX);
    let service =
        StreamableHttpService::new(move || Ok(mcp.clone()), Arc::new(NeverSessionManager::default()), config);
    let (head, body) = service.handle(request).await.into_parts();
    let headers =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let headers: Vec<(String, Vec<u8>)> = headers.collect();
    let is_json = |(name, value): &(String, Vec<u8>)| name == CONTENT_TYPE && value.starts_with(JSON);
    if head.status.is_client_error() && !headers.iter().any(is_json) {
        // Refused as a request of HTTP, in a sentence alone.
        let why = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        return told(head.status, headers, &no_request(&String::from_utf8_lossy(&why)));
    }
    Answer { status: head.status.as_u16(), headers, body: Parts(body) }
}
