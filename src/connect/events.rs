//! Live events from afar: the server-sent events of the HTTP door, followed across restarts.
//!
//! A follower says where it stands when it comes again (`Last-Event-ID`), so that it misses nothing and hears nothing
//! twice.
//!
//! Source: WHATWG HTML Living Standard, §9.2 "Server-sent events".

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::again::UNHEARD;
use super::client::Client;
use super::{Connected, Line, here};
use crate::api::caller::fields_of;
use crate::api::dto::{EventView, HistoryQuery, PrunedSpan};
use crate::api::events::{Events, FILTERS};
use crate::api::ops;
use crate::api::wait::AbortOnDrop;
use crate::api::wire;
use crate::error::Error;
use crate::shell::clock::Stopwatch;

/// Events that were read and not taken yet.
const AHEAD: usize = 64;
/// How often is tried.
const TRY_EVERY: Duration = Duration::from_millis(25);

impl Connected {
    /// Follows what is recorded, as [`Quorate::events`](crate::Quorate::events), also while the server is started again.
    ///
    /// # Errors
    /// Those of [`Quorate::events`](crate::Quorate::events).
    pub async fn events(&self, filter: HistoryQuery) -> Result<FarEvents, Error> {
        let (client, threads, patience) = match &*self.line {
            Line::Near(q) => return Ok(FarEvents(Origin::Near(Box::new(q.events(filter).await?)))),
            Line::Far { client, threads, patience } => (client.clone(), threads, *patience),
        };
        let mut fields = fields_of(&filter)?;
        fields.retain(|_, value| !value.is_null());
        let target = format!("/api/v1/events{}", wire::query(&fields));
        let (told, mut heard) = mpsc::channel(AHEAD);
        let follower = Follower { client, target, patience, told };
        let handle = threads.handle().ok_or_else(here)?;
        let task = AbortOnDrop(handle.spawn(follower.follow()));
        // The first that is told says whether the filter is taken, and where the follower stands.
        let mut pruned = Vec::new();
        loop {
            match heard.recv().await {
                Some(Ok(Told::Pruned(spans))) => pruned = spans,
                Some(Ok(Told::At(position))) => {
                    let _line = self.clone();
                    return Ok(FarEvents(Origin::Far { heard, position, pruned, _line, _task: task }));
                }
                Some(Err(error)) => return Err(error),
                Some(Ok(Told::Event(_))) | None => return Err(here()),
            }
        }
    }
}

/// Events as they are recorded. Made by [`Connected::events`].
#[derive(Debug)]
pub struct FarEvents(Origin);

#[derive(Debug)]
enum Origin {
    Near(Box<Events>),
    Far {
        heard: mpsc::Receiver<Result<Told, Error>>,
        position: u64,
        pruned: Vec<PrunedSpan>,
        /// Keeps the thread that reads.
        _line: Connected,
        _task: AbortOnDrop<()>,
    },
}

impl FarEvents {
    /// Where to go on: a cursor that leaves out what was told, and nothing else.
    pub fn position(&self) -> u64 {
        match &self.0 {
            Origin::Near(events) => events.position(),
            Origin::Far { position, .. } => *position,
        }
    }

    /// What was pruned of the places that were there when it began, by pruning: of it nothing is told.
    pub fn pruned(&self) -> &[PrunedSpan] {
        match &self.0 {
            Origin::Near(events) => events.pruned(),
            Origin::Far { pruned, .. } => pruned,
        }
    }

    /// The next event, when there is one; none when there is no more to come. May be asked again after it was cut short.
    ///
    /// # Errors
    /// What the server answers, such as `not_authenticated` for an identity that was revoked; `no_answer` when it did not
    /// come back. Then it is over; a new follower goes on at [`FarEvents::position`].
    pub async fn next(&mut self) -> Result<Option<EventView>, Error> {
        let (heard, position) = match &mut self.0 {
            Origin::Near(events) => return events.next().await,
            Origin::Far { heard, position, .. } => (heard, position),
        };
        loop {
            match heard.recv().await {
                Some(Ok(Told::At(at))) => *position = at,
                // Told when it began; the server was started again meanwhile.
                Some(Ok(Told::Pruned(_))) => {}
                Some(Ok(Told::Event(event))) => {
                    *position = event.position;
                    return Ok(Some(*event));
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }
}

/// What a follower hears.
#[derive(Debug)]
enum Told {
    /// Everything up to here was told.
    At(u64),
    Event(Box<EventView>),
    /// What was pruned of what is followed.
    Pruned(Vec<PrunedSpan>),
}

struct Follower {
    client: Arc<Client>,
    target: String,
    patience: Duration,
    told: mpsc::Sender<Result<Told, Error>>,
}

impl Follower {
    async fn follow(self) {
        let mut at: Option<u64> = None;
        let mut away = Stopwatch::start();
        loop {
            let before = at;
            let ended = self.once(&mut at).await;
            if at != before {
                away = Stopwatch::start();
            }
            let Err(error) = ended else { return };
            let comes_again =
                error.detail(UNHEARD).is_some() && at.is_some() && away.elapsed() < self.patience;
            if !comes_again {
                // Whoever followed may be gone.
                let _ = self.told.send(Err(error)).await;
                return;
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    /// Follows on one connection, until it ends. Nobody is left who hears: that is no error.
    async fn once(&self, at: &mut Option<u64>) -> Result<(), Error> {
        let answer = self.client.ask(&self.target, None, *at).await;
        let (answer, _connection) = answer.map_err(|lost| self.client.unanswered(lost))?;
        let is_stream = answer.status().is_success();
        let mut body = answer.into_body();
        let mut text = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| self.client.cut_off(&e.to_string()))?;
            text.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
            if !is_stream {
                continue;
            }
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = text.drain(..end + 2).collect();
                let Some(told) = self.read(&block)? else { continue };
                match &told {
                    Told::At(position) => *at = Some(*position),
                    Told::Event(event) => *at = Some(event.position),
                    Told::Pruned(_) => {}
                }
                if self.told.send(Ok(told)).await.is_err() {
                    return Ok(());
                }
            }
        }
        if is_stream {
            return Err(self.client.cut_off("the server ended it"));
        }
        let body: Value = serde_json::from_slice(&text).unwrap_or_default();
        match wire::answer(ops::find(FILTERS)?, body) {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(self.client.foreign("neither events nor error")),
        }
    }

    /// One block of lines: an event, or where the follower stands.
    fn read(&self, block: &[u8]) -> Result<Option<Told>, Error> {
        let block = std::str::from_utf8(block).map_err(|e| self.client.foreign(&e.to_string()))?;
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        if let Some(data) = field("data: ") {
            let foreign = |e: serde_json::Error| self.client.foreign(&e.to_string());
            if field("event: ") == Some("failure") {
                let failure: Value = serde_json::from_str(data).map_err(foreign)?;
                return Err(wire::error_of(failure.as_object().cloned().unwrap_or_default()));
            }
            if field("event: ") == Some("pruned") {
                return serde_json::from_str(data).map(|spans| Some(Told::Pruned(spans))).map_err(foreign);
            }
            return serde_json::from_str(data).map(|event| Some(Told::Event(event))).map_err(foreign);
        }
        Ok(field("id: ").and_then(|id| id.parse().ok()).map(Told::At))
    }
}
