//! The operations as tools of a Model Context Protocol server: streamable HTTP at `/mcp`.
//!
//! A request says who calls as any other does, and acts in that name. Names and origins are looked at before, so that no web
//! page of elsewhere reaches a tool. A request takes one place among those that wait.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use quorate_mcp::http::{Answer, Parts};
use quorate_mcp::{Mcp, Names, Operations, Selection};
use quorate_runtime::Quorate;
use quorate_runtime::api::ops::{Called, Operation};
use quorate_runtime::error::Error;
use serde_json::{Map, Value};

use super::places::{Spot, Visitor};
use super::routes::decode;
use super::sockets::{Busy, Kept};
use super::{Inner, callers, hung_up, over, reply, stops};

/// The part of the query that says which operations are shown.
const TOOLS: &str = "tools";

/// Whoever sent a request.
struct Caller {
    q: Quorate,
    peer: Option<SocketAddr>,
}

impl Operations for Caller {
    fn call(&self, op: &'static Operation, fields: Map<String, Value>) -> Called {
        match callers::check_first(&self.q, op, self.peer) {
            Ok(()) => op.call(self.q.clone(), fields),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn covered(&self) -> Names {
        self.q.covered()
    }
}

impl Inner {
    /// Answers a request of the protocol.
    pub(super) async fn mcp(
        &self,
        q: &Quorate,
        request: &HttpRequest,
        body: Bytes,
        client: Option<&Visitor>,
    ) -> HttpResponse {
        let refused = |error: Error| reply::failure(&error, reply::status_of(error.kind()));
        let tools = match selection(request.query_string()) {
            Ok(tools) => tools,
            Err(error) => return refused(error),
        };
        let place = match self.place_to_wait(client) {
            Ok(place) => place,
            Err(error) => return refused(error),
        };
        let caller = Caller { q: q.clone(), peer: request.peer_addr() };
        let headers: Vec<(String, Vec<u8>)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut stopping = self.stopping.subscribe();
        let answered =
            quorate_mcp::http::answer(Mcp::new(caller, tools), request.method().as_str(), headers, body);
        let Answer { status, headers, body: parts } = tokio::select! {
            biased;
            answer = answered => answer,
            _ = stopping.wait_for(|stopping| *stopping) => return refused(stops()),
            () = over(request) => return refused(hung_up()),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        for (name, value) in headers {
            // How long the body is, is said by whoever sends it.
            if name != CONTENT_LENGTH.as_str() && name != TRANSFER_ENCODING.as_str() {
                response.append_header((name, value));
            }
        }
        response.insert_header((CACHE_CONTROL, "no-store"));
        let over = over(request);
        let stops = async move {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = over => {}
            }
        };
        let busy = request.conn_data::<Kept>().map(Kept::busy);
        response.body(BoxBody::new(Streamed { parts, stops: Box::pin(stops), _place: place, _busy: busy }))
    }
}

/// Which operations the query asks for; those that an agent needs when it does not say.
fn selection(query: &str) -> Result<Selection, Error> {
    let mut selection = Selection::default();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, text) = part.split_once('=').unwrap_or((part, ""));
        match decode(text, true) {
            Some(text) if name == TOOLS => selection = Selection::parse(&text)?,
            Some(_) | None => return Err(Error::invalid(name, text, "only tools=core, all or nouns")),
        }
    }
    Ok(selection)
}

/// A body that is sent as it comes about, until the server stops.
struct Streamed {
    parts: Parts,
    stops: Pin<Box<dyn Future<Output = ()>>>,
    _place: Option<Spot>,
    _busy: Option<Busy>,
}

impl MessageBody for Streamed {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.parts.length().map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        match self.parts.poll_next(context) {
            Poll::Pending if self.stops.as_mut().poll(context).is_ready() => Poll::Ready(None),
            part => part.map(|part| part.map(Ok)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_selects_tools_and_nothing_else() {
        assert_eq!(selection(""), Ok(Selection::Core));
        assert_eq!(selection("tools=all"), Ok(Selection::All));
        assert_eq!(selection("tools=quorum%2Cjob"), Selection::parse("quorum,job"));
        for broken in ["tools", "tools=none", "tools=%zz", "toolz=all"] {
            assert!(selection(broken).is_err(), "{broken}");
        }
    }
}
