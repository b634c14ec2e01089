//! `GET /api/v1/events`: what is recorded, as it is recorded, as server-sent events.
//!
//! ```text
//!  event: pruned         only where there is any: what was pruned of the places from there on. Of it nothing is told
//!  data: [{"pruning":1,"records":30,…}]
//!
//!  : after 41            where the follower stands, so that it misses nothing if it is cut off before the first event
//!  id: 41
//!
//!  id: 42                the position; a browser sends the last one as Last-Event-ID when it comes again
//!  data: {"position":42,"kind":"quorum","entity_id":"q","event":"vote_cast",…}
//!
//!  :                     a sign of life after 15 s without an event
//!  id: 57                nothing up to here fitted the filter
//! ```
//!
//! The body is made as fast as it is taken and no faster: a slow reader reads on in the journal later. It ends when the
//! server stops; a failure of the store is told as the event `failure` before the end.
//!
//! Source: WHATWG HTML Living Standard, §9.2 "Server-sent events".

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use quorate_runtime::Quorate;
use quorate_runtime::api::dto::{EventView, HistoryQuery};
use quorate_runtime::api::events::{Events, FILTERS};
use quorate_runtime::api::ops;
use quorate_runtime::api::shards::group::SHARD;
use quorate_runtime::error::Error;
use tokio::sync::watch;

use super::fields::{header_text, query_fields};
use super::over;
use super::places::Spot;
use super::sockets::Busy;

/// The header by which a follower that was cut off says where it stands.
pub(super) const LAST_EVENT_ID: &str = "Last-Event-ID";
/// A sign of life after so long: proxies and clients give up on what is silent for a minute.
const BEAT: Duration = Duration::from_secs(15);
/// Bytes after which events that are at hand wait for the next part.
const PART: usize = 64 << 10;

/// What a follower holds while it follows.
#[derive(Debug)]
pub(super) struct Holds {
    pub(super) _place: Spot,
    pub(super) _busy: Option<Busy>,
}

/// The events that fit the filter in the query, of which these fields are known.
///
/// # Errors
/// Those of `history.query`; `invalid_argument` for a position that none is.
pub(super) async fn follow(
    q: &Quorate,
    request: &HttpRequest,
    known: &[String],
    holds: Holds,
    stopping: watch::Receiver<bool>,
) -> Result<HttpResponse, Error> {
    let op = ops::find(FILTERS)?;
    let mut fields = query_fields(op, known, request.query_string())?;
    // Later than what the address says, which a browser repeats as it is.
    if let Some(last) = header_text(request.headers(), LAST_EVENT_ID)?.filter(|last| !last.is_empty()) {
        fields.insert("cursor".into(), last.into());
    }
    let named = if q.is_sharded() { fields.shift_remove(SHARD) } else { None };
    let q = q.of_shard(named.as_ref())?;
    let filter: HistoryQuery = ops::parse(fields)?;
    let events = q.events(filter).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "text/event-stream")).insert_header((CACHE_CONTROL, "no-store"));
    if *request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let mut first = String::new();
    if !events.pruned().is_empty()
        && let Ok(spans) = serde_json::to_string(events.pruned())
    {
        first = format!("event: pruned\ndata: {spans}\n\n");
    }
    first.push_str(&format!(": after {at}\nid: {at}\n\n", at = events.position()));
    let first = first.into();
    let over = Box::pin(over(request));
    let turn = Turn { events, stopping, over, is_over: false, _holds: holds };
    Ok(response.body(Body { turn: Box::pin(async { Some((turn, first)) }) }))
}

struct Turn {
    events: Events,
    stopping: watch::Receiver<bool>,
    /// Ready when whoever follows has hung up.
    over: Pin<Box<dyn Future<Output = ()>>>,
    is_over: bool,
    _holds: Holds,
}

impl Turn {
    /// The next part of the body; none at its end.
    async fn next(mut self) -> Option<(Turn, Bytes)> {
        if self.is_over {
            return None;
        }
        let part = tokio::select! {
            biased;
            _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            () = &mut self.over => return None,
            event = self.events.next() => match event {
                Ok(Some(event)) => {
                    let mut part = text(&event);
                    while part.len() < PART && let Some(event) = self.events.at_hand() {
                        part.push_str(&text(&event));
                    }
                    part
                }
                Ok(None) => return None,
                Err(error) => {
                    self.is_over = true;
                    format!("event: failure\ndata: {}\n\n", error.to_json())
                }
            },
            () = tokio::time::sleep(BEAT) => format!(":\nid: {}\n\n", self.events.position()),
        };
        Some((self, part.into()))
    }
}

/// One event. JSON of one line has no line breaks, so it is one line of data.
fn text(event: &EventView) -> String {
    match serde_json::to_string(event) {
        Ok(data) => format!("id: {}\ndata: {data}\n\n", event.position),
        // What came from the journal as JSON can be written as JSON.
        Err(e) => format!(": event {} cannot be written. {e}\n\n", event.position),
    }
}

/// What comes next; nothing at the end.
type Coming = Pin<Box<dyn Future<Output = Option<(Turn, Bytes)>>>>;

/// The body of the answer.
struct Body {
    turn: Coming,
}

impl MessageBody for Body {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Some((turn, part)) = ready!(self.turn.as_mut().poll(context)) else {
            self.turn = Box::pin(async { None });
            return Poll::Ready(None);
        };
        self.turn = Box::pin(turn.next());
        Poll::Ready(Some(Ok(part)))
    }
}
