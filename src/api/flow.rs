//! Operations on flow-controlled streams.
//!
//! An offer is decided at once, or waits if its sender says how long. One that does not wait is treated as if the
//! delay or pause asked of senders had just passed: where there is room it is accepted, where there is none the policy
//! acts; and the answer says how long to wait before the next message. What does not get in comes back in the answer.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Quorate;
use super::caller::Watch;
use super::dto::{
    ConfigureFlow, DrainFlow, FlowAdviceView, FlowDrained, FlowFigures, FlowOpened, FlowStatus,
    FlowsOverview, GapView, MessageOffered, MessageView, OfferMessage, OpenFlow,
};
use super::json;
use super::ops::parse;
use super::shedding::deadline as deadline_at;
use super::texts;
use super::wait::longest;
use crate::core::kernel::ids::EntityId;
use crate::core::load::flow::record::{FlowTotals, Rejection};
use crate::core::load::flow::{Carries, FlowConfig, FlowStats, SuggestedAction};
use crate::core::trust::stop::Acting;
use crate::error::{Error, ErrorKind};
use crate::shell::flows::{self, Fate, Key, Live, Message, NotLive, Outcome, Seen, Why};
use crate::shell::host::Host;
use crate::shell::stops::stopped;

/// Messages of a page when nothing is said.
const DEFAULT_DRAINED: i64 = 100;
/// Most messages of one page.
const MOST_DRAINED: usize = 1_000;
/// When to come again to streams that take as much memory as they may.
const MEMORY_AGAIN_MS: u64 = 500;

/// Operations on flow-controlled streams.
#[derive(Clone, Copy, Debug)]
pub struct Flows<'a> {
    pub(super) q: &'a Quorate,
}

impl Flows<'_> {
    /// Opens a stream. Durable on return. The same again changes nothing, and the answer says so.
    ///
    /// # Errors
    /// `invalid_argument` naming the knob that does not fit, `already_exists` for an id of another configuration or of
    /// a closed stream, `limit_exceeded`, and the faults of the store.
    pub async fn open(&self, request: OpenFlow) -> Result<FlowOpened, Error> {
        self.q.allow("flow.open", &request).await?;
        let OpenFlow { flow_id, config } = request;
        let host = self.q.host();
        check_size(host, &config)?;
        let opened = flows::open(host, &flow_id, config.clone()).await;
        let (live, changed) = opened.map_err(|e| refused(host, e, Some(&config)))?;
        Ok(self.opened(flow_id, &live, changed))
    }

    /// Changes knobs of an open stream. Durable on return, and in force for the next offer. A smaller buffer drops
    /// nothing: what is more than fits is read out first.
    ///
    /// # Errors
    /// `invalid_argument` naming the knob that does not fit or may not change, `not_found`, `already_exists` when the
    /// stream is closed, and the faults of the store.
    pub async fn configure(&self, request: ConfigureFlow) -> Result<FlowOpened, Error> {
        self.q.allow("flow.configure", &request).await?;
        let ConfigureFlow { flow_id, config: changes } = request;
        let host = self.q.host();
        let mut asked = None;
        let configured = flows::configure(host, &flow_id, |current| {
            let config = overlaid(current, changes)?;
            check_size(host, &config)?;
            asked = Some(config.clone());
            Ok::<_, Error>(config)
        });
        let (live, changed) = configured.await?.map_err(|e| refused(host, e, asked.as_ref()))?;
        Ok(self.opened(flow_id, &live, changed))
    }

    /// Offers a message. Every one of them is buffered, or comes back with a reason; also when the messages of all
    /// streams take as much memory as they may.
    ///
    /// # Errors
    /// `invalid_argument` for a message that is too large for any stream or a wait out of bounds, `not_found`, and the
    /// faults of the store.
    pub async fn offer(&self, request: OfferMessage) -> Result<MessageOffered, Error> {
        let watch = self.q.allow_waiting("flow.offer", &request).await?;
        Watch::until_over(watch, self.offered(request)).await
    }

    async fn offered(&self, request: OfferMessage) -> Result<MessageOffered, Error> {
        let OfferMessage { flow_id, message, sender, wait_ms, key, deadline_ms, critical } = request;
        if let Some(key) = &key {
            texts::name("key", key)?;
        }
        let deadline = deadline_ms.map(|ms| deadline_at(self.q.now(), ms)).transpose()?;
        json::check_payload("message", &message)?;
        let wait = wait_ms.map_or(Ok(Duration::ZERO), |ms| longest("wait_ms", ms))?;
        let host = self.q.host();
        let acting = Acting::as_parties(sender.iter().map(EntityId::as_str));
        if let Some(engaged) = host.stops.covering(&acting) {
            return Err(stopped(&engaged).into());
        }
        let bytes = message.to_string().len();
        let most = host.config.flow.max_message_bytes;
        if bytes > most {
            let expected = format!("up to {most} bytes of JSON");
            return Err(Error::invalid("message", format!("{bytes} bytes"), &expected));
        }
        let live = self.live(&flow_id).await?;
        let sender = sender.map(|sender| sender.as_str().to_owned());
        let carries = live.config().0.carries;
        let loses = [("key", key.is_some()), ("deadline_ms", deadline.is_some())];
        if let Some((field, _)) = loses.iter().find(|(_, given)| *given && carries != Carries::Anything) {
            let given: Value = if *field == "key" { key.into() } else { deadline_ms.into() };
            let expected = format!("nothing, since the stream carries {} and loses none", carries.name());
            return Err(Error::invalid(field, given, &expected));
        }
        let mut message = Message::new(message, bytes);
        (message.sender, message.key, message.deadline) = (sender, key.map(Key::new), deadline);
        message.critical = critical.unwrap_or(false);
        let outcome = live.offer(host, message, wait).await;
        Ok(offered(flow_id, outcome))
    }

    /// Takes messages out, oldest first, and tells of every gap before and between them. They are delivered with the
    /// answer: a reader that loses it has lost them.
    ///
    /// # Errors
    /// `invalid_argument` for the count, `not_found`, and the faults of the store.
    pub async fn drain(&self, request: DrainFlow) -> Result<FlowDrained, Error> {
        self.q.allow("flow.drain", &request).await?;
        let DrainFlow { flow_id, count } = request;
        let given = count.unwrap_or(DEFAULT_DRAINED);
        let count = usize::try_from(given).ok().filter(|count| *count <= MOST_DRAINED);
        let count = count.ok_or_else(|| Error::invalid("count", given, &format!("0 to {MOST_DRAINED}")))?;
        let live = self.live(&flow_id).await?;
        let (drained, seen) = live.drain(self.q.host(), count);
        let message = |m: Message| MessageView {
            seq: m.seq,
            message: m.value,
            sender: m.sender,
            key: m.key.map(|key| key.name),
            deadline: m.deadline,
            critical: m.critical,
        };
        let gap = |gap: &crate::core::load::flow::Lagged| GapView {
            count: gap.count,
            first_seq: gap.first_seq,
            last_seq: gap.last_seq,
        };
        Ok(FlowDrained {
            flow_id,
            life: live.life,
            messages: drained.messages.into_iter().map(message).collect(),
            lagged: drained.lagged.iter().map(gap).collect(),
            buffer_size: seen.buffered as u64,
            fill_percentage: seen.fill,
            flow_state: seen.state,
        })
    }

    /// How a stream stands. Asking changes nothing.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn status(&self, flow_id: &EntityId) -> Result<FlowStatus, Error> {
        self.q.allow("flow.status", &()).await?;
        let live = self.live(flow_id).await?;
        let (stats, totals, seen, closed) = live.figures(self.q.now());
        let (config, waiting) = live.config();
        Ok(FlowStatus {
            flow_id: flow_id.clone(),
            figures: figures(&stats, &totals, live.max_bytes()),
            can_send: seen.can_send,
            delay_ms: ms(seen.delay),
            pacing_delay_ms: ms(seen.pace),
            waiting: waiting as u64,
            closed,
            life: live.life,
            opened_at: live.opened_at,
            config,
        })
    }

    /// What to do about a stream, and why. Asking changes nothing.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn recommendation(&self, flow_id: &EntityId) -> Result<FlowAdviceView, Error> {
        self.q.allow("flow.recommendation", &()).await?;
        let live = self.live(flow_id).await?;
        let advice = live.recommendation(self.q.now());
        let (suggested, delay) = match advice.suggested_action {
            SuggestedAction::Continue => ("continue", None),
            SuggestedAction::SlowDown { delay } => ("slow_down", Some(delay)),
            SuggestedAction::WaitAndLookAgain { pause } => ("wait_and_look_again", Some(pause)),
            SuggestedAction::GrowOrSlowDown => ("grow_or_slow_down", None),
            SuggestedAction::Disconnect => ("disconnect", None),
        };
        Ok(FlowAdviceView {
            flow_id: flow_id.clone(),
            action: advice.action,
            reason: advice.reason,
            buffer_fill: advice.buffer_fill,
            suggested_action: suggested.to_owned(),
            suggested_delay_ms: delay.map(ms),
            drop_rate: advice.drop_rate,
            health: advice.health,
        })
    }

    /// Ends a stream: who waits hears of it, nobody sends any more, what is buffered may still be read. Durable on
    /// return; again changes nothing.
    ///
    /// # Errors
    /// `not_found`, and the faults of the store.
    pub async fn close(&self, flow_id: &EntityId) -> Result<FlowOpened, Error> {
        self.q.allow("flow.close", &()).await?;
        let host = self.q.host();
        let (live, changed) = flows::close(host, flow_id).await.map_err(|e| refused(host, e, None))?;
        Ok(self.opened(flow_id.clone(), &live, changed))
    }

    /// All streams of this process together.
    pub fn overview(&self) -> FlowsOverview {
        let host = self.q.host();
        let memory_bytes = host.flows.memory() as u64;
        let mut all = FlowsOverview { memory_bytes, ..FlowsOverview::default() };
        for live in host.flows.all() {
            let (_, totals, seen, closed) = live.figures(self.q.now());
            all.open += u64::from(!closed);
            all.buffered += seen.buffered as u64;
            all.pausing += u64::from(!closed && !seen.can_send);
            all.sent = all.sent.saturating_add(totals.sent);
            all.delivered = all.delivered.saturating_add(totals.delivered);
            all.dropped = all.dropped.saturating_add(totals.dropped());
            all.returned = all.returned.saturating_add(totals.returned());
        }
        all
    }

    async fn live(&self, flow_id: &EntityId) -> Result<std::sync::Arc<Live>, Error> {
        let host = self.q.host();
        drop(host.admit(false)?);
        flows::live(host, flow_id).await.map_err(|e| refused(host, e, None))
    }

    fn opened(&self, flow_id: EntityId, live: &Live, changed: bool) -> FlowOpened {
        let (_, _, seen, closed) = live.figures(self.q.now());
        FlowOpened {
            flow_id,
            changed,
            config: live.config().0,
            life: live.life,
            opened_at: live.opened_at,
            closed,
            flow_state: seen.state,
            buffer_size: seen.buffered as u64,
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn check_size(host: &Host, config: &FlowConfig) -> Result<(), Error> {
    let most = host.config.flow.max_buffer_size;
    if config.max_buffer_size == 0 || config.max_buffer_size > most {
        let given = config.max_buffer_size as u64;
        return Err(Error::invalid("config.max_buffer_size", given, &format!("1 to {most}")));
    }
    let most = host.config.flow.max_stream_bytes;
    if let Some(bytes) = config.max_buffer_bytes.filter(|bytes| *bytes > most) {
        return Err(Error::invalid("config.max_buffer_bytes", bytes as u64, &format!("1 to {most}")));
    }
    Ok(())
}

/// The configuration with these knobs changed.
fn overlaid(current: &FlowConfig, changes: Map<String, Value>) -> Result<FlowConfig, Error> {
    #[derive(Deserialize)]
    struct Asked {
        config: FlowConfig,
    }
    let mut config = match serde_json::to_value(current) {
        Ok(Value::Object(config)) => config,
        Ok(_) | Err(_) => {
            return Err(Error::new(ErrorKind::StoreError, "the configuration cannot be written as JSON"));
        }
    };
    config.extend(changes);
    let fields = Map::from_iter([("config".to_owned(), Value::Object(config))]);
    parse::<Asked>(fields).map(|asked| asked.config)
}

fn refused(host: &Host, why: NotLive, config: Option<&FlowConfig>) -> Error {
    match why {
        NotLive::Failed(failure) => failure.into(),
        NotLive::TooMany => {
            let limit = host.config.flow.max_open as u64;
            let message = format!("too many streams. limit={limit}");
            Error::new(ErrorKind::LimitExceeded, message).with("field", "flow_id").with("limit", limit)
        }
        NotLive::Rejected(Rejection::Invalid(e)) => {
            let shown = config.and_then(|config| serde_json::to_value(config).ok()).unwrap_or_default();
            // Durations have another name on the wire.
            let wire = format!("{}_ms", e.field);
            let name = if shown.get(&wire).is_some() { wire.as_str() } else { e.field };
            let value = shown.get(name).cloned().unwrap_or(Value::String(e.given));
            Error::invalid(&format!("config.{name}"), value, &e.expected)
        }
        NotLive::Rejected(Rejection::NotFound) => {
            Error::new(ErrorKind::NotFound, "no stream of this id was ever opened; open it with flow.open")
        }
        NotLive::Rejected(Rejection::AlreadyExists { closed: true }) => Error::new(
            ErrorKind::AlreadyExists,
            "a stream of this id was opened before and is closed; choose another id",
        ),
        NotLive::Rejected(Rejection::AlreadyExists { closed: false }) => Error::new(
            ErrorKind::AlreadyExists,
            "a stream of this id is open with another configuration; change it with flow.configure",
        ),
        NotLive::Rejected(Rejection::Closed) => {
            Error::new(ErrorKind::AlreadyExists, "the stream is closed and cannot be changed")
        }
    }
}

fn offered(flow_id: EntityId, outcome: Outcome) -> MessageOffered {
    let Outcome { fate, gave_way, seen } = outcome;
    let Seen { state, can_send, buffered, fill, delay, pace: _ } = seen;
    let evicted =
        gave_way.map(|gap| GapView { count: gap.count, first_seq: gap.first_seq, last_seq: gap.last_seq });
    let (seq, came_back) = match fate {
        Fate::Accepted(seq) => (Some(seq), None),
        Fate::Returned(why, message) => (None, Some((why, *message))),
    };
    let reason = came_back.as_ref().map(|(why, _)| match why {
        Why::Refused => "rejected_newest",
        Why::Full => "full",
        Why::TimedOut => "timeout",
        Why::Expired => "expired",
        Why::Closed => "closed",
        Why::TooLarge => "too_large",
        Why::MemoryFull => "memory_full",
    });
    let memory_full = came_back.as_ref().is_some_and(|(why, _)| *why == Why::MemoryFull);
    let worth_trying = came_back.as_ref().is_some_and(|(why, _)| match why {
        Why::Refused | Why::Full | Why::TimedOut | Why::MemoryFull => true,
        Why::Closed | Why::TooLarge | Why::Expired => false,
    });
    MessageOffered {
        flow_id,
        accepted: seq.is_some(),
        seq,
        reason: reason.map(str::to_owned),
        message: came_back.map(|(_, message)| message.value),
        retry_after_ms: worth_trying.then(|| ms(delay).max(u64::from(memory_full) * MEMORY_AGAIN_MS)),
        evicted,
        flow_state: state,
        can_send,
        delay_ms: ms(delay),
        buffer_size: buffered as u64,
        fill_percentage: fill,
    }
}

fn figures(stats: &FlowStats, totals: &FlowTotals, max_bytes: usize) -> FlowFigures {
    FlowFigures {
        buffer_size: stats.buffer_size as u64,
        max_buffer_size: stats.max_buffer_size as u64,
        buffer_bytes: stats.buffer_bytes as u64,
        max_buffer_bytes: max_bytes as u64,
        fill_percentage: stats.fill_percentage,
        flow_state: stats.flow_state,
        messages_sent: totals.sent,
        messages_delivered: totals.delivered,
        messages_dropped: totals.dropped(),
        messages_rejected: totals.rejected_newest,
        messages_evicted: totals.evicted(),
        messages_returned: totals.returned(),
        messages_offered: totals.offered(),
        evicted_oldest: totals.evicted_oldest,
        rejected_newest: totals.rejected_newest,
        cleared: totals.cleared,
        shed: totals.shed,
        expired: totals.expired,
        conflated: totals.conflated,
        lost_in_restart: totals.lost_in_restart,
        timed_out: totals.timed_out,
        refused_full: totals.refused_full,
        refused_closed: totals.refused_closed,
        refused_too_large: totals.refused_too_large,
        cancelled: totals.cancelled,
        total_pause_time_ms: totals.pause_ms,
        total_throttle_time_ms: totals.throttle_ms,
        current_throttle_delay_ms: stats.current_throttle_delay_ms,
        throttle_events: totals.throttle_events,
        pause_events: totals.pause_events,
        drop_rate: stats.drop_rate,
        lifetime_drop_rate: totals.drop_rate(),
        health: stats.health,
    }
}
