//! Counters and gauges as OpenMetrics text.
//!
//! What the runtime counts is read when the page is asked for; only requests are counted here. Totals of quorums,
//! proposals, votes and beats are those of the journal: a restart does not reset them.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::places::{Places, Shared};
use quorate_runtime::api::dto::{
    AgentStats, CapacityStats, ConsensusStats, FlowsOverview, Health, JobStats, QuorumStatsReply, ShedStatus,
};
use quorate_runtime::api::{LAGS_MS, Lag};

/// Content type of the page.
pub(super) const CONTENT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Served {
    operation: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Taken {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Graded {
    health: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Classed {
    class: &'static str,
}

/// What the runtime counts; what a store that refuses work cannot tell is missing.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Quorums and their votes.
    pub(super) quorums: Option<QuorumStatsReply>,
    /// Proposals and their votes.
    pub(super) proposals: Option<ConsensusStats>,
    /// Agents and their beats.
    pub(super) agents: Option<AgentStats>,
    /// Load, and what was shed for it.
    pub(super) load: Option<ShedStatus>,
    /// Cells and their tokens.
    pub(super) capacity: Option<CapacityStats>,
    /// Jobs.
    pub(super) jobs: Option<JobStats>,
    /// Flow-controlled streams.
    pub(super) flows: FlowsOverview,
    /// How late deadlines were noticed.
    pub(super) lag: Lag,
}

/// Requests served, by operation.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    requests: Family<Served, Counter>,
    latency: Family<Timed, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        // From 0.25 ms to 8 s, and what waits longer.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        Metrics { requests: Family::default(), latency: Family::new_with_constructor(histogram) }
    }
}

impl Metrics {
    /// Counts a request that was answered.
    pub(super) fn served(&self, operation: &'static str, status: StatusCode, took: Duration) {
        let class = match status.as_u16() {
            0..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&Served { operation, status: class }).inc();
        self.latency.get_or_create(&Timed { operation }).observe(took.as_secs_f64());
    }

    /// The page.
    pub(super) fn page(&self, counted: &Counted, health: &Health, places: &Places) -> String {
        let mut registry = Registry::with_prefix("quorate");
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from the head of a request to its answer",
            self.latency.clone(),
        );
        gauges(&mut registry, health);
        of_places(&mut registry, places);
        let lag = "Time from a deadline to when it was noticed, since the process began";
        registry.register("deadline_lag_seconds", lag, Lags(counted.lag));
        if let Some(stats) = &counted.quorums {
            of_quorums(&mut registry, stats);
        }
        if let Some(stats) = &counted.proposals {
            of_proposals(&mut registry, stats);
        }
        if let Some(stats) = &counted.agents {
            of_agents(&mut registry, stats);
        }
        if let Some(status) = &counted.load {
            of_load(&mut registry, status);
        }
        if let Some(stats) = &counted.capacity {
            of_capacity(&mut registry, stats);
        }
        if let Some(stats) = &counted.jobs {
            of_jobs(&mut registry, stats);
        }
        of_flows(&mut registry, &counted.flows);
        let mut page = String::new();
        match encode(&mut page, &registry) {
            Ok(()) => page,
            // Writing to a string cannot fail; if it ever does, an empty page is still a page.
            Err(std::fmt::Error) => "# EOF\n".to_owned(),
        }
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}

fn gauges(registry: &mut Registry, health: &Health) {
    let mut gauge = |name, help, value| gauge(registry, name, help, value);
    gauge("healthy", "1 while the store serves, 0 when it refuses work", u64::from(health.failure.is_none()));
    gauge("requests_in_flight", "Operations admitted and not yet answered", health.in_flight);
    gauge("entities_awake", "Entity actors in memory", health.awake_entities);
    gauge("entities_awake_most", "The most of them at the same time", health.most_awake_entities);
    gauge("entities_parked", "Entities that used up their restart budget", health.parked_entities);
    gauge("deadlines_tracked", "Entities with an open deadline", health.tracked_deadlines);
    let offset = ConstGauge::new(health.clock_offset_ms as f64 / 1_000.0);
    let help = "By how much the journal's time is ahead of the wall clock";
    registry.register("clock_offset_seconds", help, offset);
    counter(registry, "clock_steps", "Times the wall clock was set", health.clock_steps);
    counter(registry, "process_gaps", "Times the process did not run for a while", health.process_gaps);
}

fn of_places(registry: &mut Registry, places: &Places) {
    gauge(registry, "connections", "Connections open", places.sockets.len() as u64);
    let (held, refused) = (Family::<Taken, Gauge>::default(), Family::<Taken, Counter>::default());
    for (what, count, times) in places.shared().map(Shared::told) {
        held.get_or_create(&Taken { what }).set(i64::try_from(count).unwrap_or(i64::MAX));
        refused.get_or_create(&Taken { what }).inc_by(times);
    }
    registry.register("door_places", "What requests hold at the door", held);
    registry.register("door_shares_exceeded", "Requests of clients that had their share", refused);
}

fn of_quorums(registry: &mut Registry, stats: &QuorumStatsReply) {
    gauge(registry, "quorums_open", "Quorums open and not past their deadline", stats.active_quorums);
    let closed = Family::<Closed, Counter>::default();
    let outcomes = [
        ("approved", stats.successful_quorums),
        ("rejected", stats.rejected_quorums),
        ("timed_out", stats.timed_out_quorums),
        ("cancelled", stats.cancelled_quorums),
    ];
    for (outcome, count) in outcomes {
        closed.get_or_create(&Closed { outcome }).inc_by(count);
    }
    registry.register("quorums_closed", "Quorums closed, by outcome", closed);
    let mut counter = |name, help, value| counter(registry, name, help, value);
    counter("votes", "Votes recorded, changes and outsiders among them", stats.votes);
    counter("votes_changed", "Votes that replaced an earlier one", stats.changed_votes);
    counter("votes_outsider", "Votes from outside the electorate", stats.outsider_votes);
    counter("votes_late", "New or changed votes after the close", stats.late_votes);
    counter("votes_refused", "Refused attempts, late ones among them", stats.refused_votes);
    counter(
        "recovery_closures",
        "Quorums whose end was noticed only after downtime",
        stats.recovery_closures,
    );
}

fn of_capacity(registry: &mut Registry, stats: &CapacityStats) {
    gauge(registry, "cells", "Cells that ever took part in the exchange of capacity", stats.total_cells);
    gauge(registry, "cells_overloaded", "Cells that refuse requests now", stats.overloaded_cells);
    gauge(registry, "tokens_live", "Tokens of capacity that are out", stats.active_tokens);
    let mut counter = |name, help, value| counter(registry, name, help, value);
    counter("capacity_granted", "Needs granted", stats.granted);
    counter("tokens_expired", "Tokens whose lease ended", stats.expired);
    counter("needs_expired", "Needs that waited in vain", stats.needs_expired);
    counter("needs_cancelled", "Needs cancelled before they were granted", stats.needs_cancelled);
}

fn of_jobs(registry: &mut Registry, stats: &JobStats) {
    gauge(
        registry,
        "jobs_tracked",
        "Jobs that have not ended, each datacenter for itself",
        stats.tracked_jobs,
    );
    gauge(registry, "messages_in_transit", "Messages between gates, managers and workers", stats.in_transit);
    let (armed, unanswered) = (Family::<Kind, Gauge>::default(), Family::<Kind, Gauge>::default());
    for (gauges, counts) in [(&armed, &stats.armed), (&unanswered, &stats.unanswered)] {
        for (kind, count) in counts {
            let gauge = gauges.get_or_create(&Kind { kind: kind.clone() });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }
    registry.register("job_parties_armed", "Jobs, gates and workers with a deadline", armed);
    registry.register(
        "job_parties_unanswered",
        "Jobs, gates and workers with messages that were not answered yet",
        unanswered,
    );
    let ended = Family::<Ended, Counter>::default();
    for (status, count) in &stats.ended {
        ended.get_or_create(&Ended { status: status.clone() }).inc_by(*count);
    }
    registry.register("jobs_ended", "Jobs that ended, by status", ended);
    let found = by_kind(&stats.timeouts_detected);
    registry.register(
        "job_timeouts_detected",
        "Times at which a job's time was found to be over, by why",
        found,
    );
    let over = by_kind(&stats.timed_out);
    registry.register("jobs_timed_out", "Jobs that ended since their time was over, by why", over);
    let stale = by_kind(&stats.stale_rejections_by);
    registry.register(
        "job_stale_rejections",
        "Attempts under another leadership than that on record, by what was tried",
        stale,
    );
    let mut counter = |name, help, value| counter(registry, name, help, value);
    counter("job_extensions", "Extensions granted", stats.extensions);
    counter("job_extensions_denied", "Extensions denied", stats.extensions_denied);
    counter("job_transfers", "Changes of leadership", stats.transfers);
    counter(
        "messages_sent",
        "Messages sent, repeats among them, since the process began",
        stats.messages_sent,
    );
    counter("messages_repeated", "Messages sent again since the process began", stats.messages_repeated);
}

fn by_kind(counts: &BTreeMap<String, u64>) -> Family<Kind, Counter> {
    let family = Family::<Kind, Counter>::default();
    for (kind, count) in counts {
        family.get_or_create(&Kind { kind: kind.clone() }).inc_by(*count);
    }
    family
}

/// [`Lag`] as a histogram.
#[derive(Debug)]
struct Lags(Lag);

impl EncodeMetric for Lags {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let bounds = LAGS_MS.iter().map(|ms| *ms as f64 / 1e3).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.0.counts).collect();
        encoder.encode_histogram::<NoLabelSet>(
            self.0.sum.as_secs_f64(),
            self.0.counts.iter().sum(),
            &buckets,
            None,
        )
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn of_proposals(registry: &mut Registry, stats: &ConsensusStats) {
    gauge(registry, "proposals_open", "Proposals open and not past their deadline", stats.active_proposals);
    let closed = Family::<Decided, Counter>::default();
    let decisions = [("approved", stats.approved), ("rejected", stats.rejected), ("timeout", stats.timeouts)];
    for (decision, count) in decisions {
        closed.get_or_create(&Decided { decision }).inc_by(count);
    }
    registry.register("proposals_closed", "Proposals that ended, by decision; aborted ones apart", closed);
    let mut counter = |name, help, value| counter(registry, name, help, value);
    counter("proposals_aborted", "Proposals that could not be put to the agents", stats.aborted);
    counter("proposal_votes", "Votes on proposals recorded, changes among them", stats.votes);
    counter("proposal_votes_late", "Votes on proposals after their end", stats.late_votes);
    counter(
        "proposal_votes_refused",
        "Refused votes on proposals, late ones among them",
        stats.refused_votes,
    );
}

fn of_agents(registry: &mut Registry, stats: &AgentStats) {
    gauge(registry, "agents_registered", "Agents registered now", stats.total_agents);
    let graded = Family::<Graded, Gauge>::default();
    let health = &stats.health_distribution;
    let grades = [
        ("healthy", health.healthy),
        ("degraded", health.degraded),
        ("critical", health.critical),
        ("failed", health.failed),
    ];
    for (health, count) in grades {
        graded.get_or_create(&Graded { health }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("agents_monitored", "Monitored agents, by health at this instant", graded);
    counter(registry, "heartbeats", "Beats of agents, and votes that counted as one", stats.total_heartbeats);
}

fn of_load(registry: &mut Registry, status: &ShedStatus) {
    let state = "Load of this node: 0 healthy, 1 busy, 2 stressed, 3 overloaded";
    gauge(registry, "load_state", state, status.state as u64);
    let (admitted, shed) = (Family::<Classed, Counter>::default(), Family::<Classed, Counter>::default());
    let (held, refused) = (Family::<Classed, Gauge>::default(), Family::<Classed, Counter>::default());
    for class in &status.classes {
        let label = Classed { class: class.class.name() };
        admitted.get_or_create(&label).inc_by(class.operations_admitted);
        shed.get_or_create(&label).inc_by(class.operations_shed);
        held.get_or_create(&label).set(i64::try_from(class.in_flight).unwrap_or(i64::MAX));
        refused.get_or_create(&label).inc_by(class.shed_total);
    }
    registry.register("operations_admitted", "Operations carried out, by class", admitted);
    registry.register("operations_shed", "Operations refused for the load, by class", shed);
    registry.register("permits_held", "Places held by callers of shed.check, by class", held);
    registry.register("permits_refused", "Places refused since a cap was met, by class", refused);
    counter(registry, "load_changes", "Changes of the load's state", status.transitions);
    counter(registry, "shed_checks", "Messages judged by shed.check", status.total_requests);
    counter(registry, "shed_checks_refused", "Messages refused for the state", status.shed_requests);
}

fn of_flows(registry: &mut Registry, flows: &FlowsOverview) {
    gauge(registry, "flows_open", "Flow-controlled streams with a buffer", flows.open);
    gauge(registry, "flow_messages_buffered", "Messages buffered in all streams", flows.buffered);
    gauge(registry, "flow_memory_bytes", "Memory that the messages of all streams take", flows.memory_bytes);
    gauge(registry, "flows_pausing", "Streams whose senders are to pause", flows.pausing);
    let mut counter = |name, help, value| counter(registry, name, help, value);
    counter("flow_messages_sent", "Messages accepted by all streams", flows.sent);
    counter("flow_messages_delivered", "Messages read from all streams", flows.delivered);
    counter("flow_messages_dropped", "Messages dropped by all streams", flows.dropped);
    counter("flow_messages_returned", "Messages handed back by all streams", flows.returned);
}
