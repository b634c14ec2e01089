//! Every event as a sentence: a line for each event of each kind.
//!
//! ```text
//!  "{voter_id} voted {vote:vote}[: {reason}]"
//!    │           │                │
//!    │           │                └── left out when a member in it has no value
//!    │           └── as `for` or `against`
//!    └── the member of that name in the data of the event; `a.b` stands inside
//! ```
//!
//! A member is told as `count` (how many it has), `ms` (from microseconds), `units` (from millionths), `vote`, `name` (of a
//! variant, without what it holds) or `word` (only when it is one). A line that begins with `~` is told once for several in
//! a row, with how many there were. Jobs have a machine of their own that tells
//! [why](crate::core::jobs::manager::why).

mod of_the_system;
mod questions;

use serde_json::Value;

use self::of_the_system::{HOOK, MEMBER, RETENTION, STOPS, SUBJECTS};
use self::questions::{PROPOSAL, QUORUM};
use crate::core::kernel::ids::StreamKind;

/// The sentences of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tale {
    /// By the name of the event.
    Lines(&'static [(&'static str, &'static str)]),
    /// The machine of jobs tells what decided.
    Job,
}

/// The sentences of a kind: one line for each.
pub(super) fn of(kind: StreamKind) -> Tale {
    Tale::Lines(match kind {
        StreamKind::Job => return Tale::Job,
        StreamKind::Quorum => QUORUM,
        StreamKind::Proposal => PROPOSAL,
        StreamKind::Session => SESSION,
        StreamKind::Voter => VOTER,
        StreamKind::Agent => AGENT,
        StreamKind::Cell => CELL,
        StreamKind::Budget => BUDGET,
        StreamKind::Gate => GATE,
        StreamKind::Worker => WORKER,
        StreamKind::Durations => DURATIONS,
        StreamKind::Flow => FLOW,
        StreamKind::Load => LOAD,
        StreamKind::Topology => TOPOLOGY,
        StreamKind::Algorithms => ALGORITHMS,
        StreamKind::Identity => IDENTITY,
        StreamKind::Datacenter => DATACENTER,
        StreamKind::Route => ROUTE,
        StreamKind::Coordinate => COORDINATE,
        StreamKind::Stops => STOPS,
        StreamKind::Hook => HOOK,
        StreamKind::Retention => RETENTION,
        StreamKind::Member => MEMBER,
        StreamKind::Subjects => SUBJECTS,
    })
}

type Lines = &'static [(&'static str, &'static str)];

const SESSION: Lines = &[
    (
        "opened",
        "opened with {electors:count} voters until {deadline}, by {terms.ballot_type} in {terms.rounds} rounds; \
         it bears {most_faults} faults",
    ),
    ("keyed", "the request that opened it bore a name, so that a repeat is known"),
    (
        "vote_received",
        "{vote.voter_id} voted {vote.ballot} in round {vote.round}[: {reasoning}][; flags: {flags}]",
    ),
    ("commit_received", "{voter_id} promised a vote"),
    ("vote_rejected", "{voter_id} was refused a vote in round {round}: {reason}"),
    (
        "evidence_recorded",
        "{fault} of {first.vote.voter_id} was proven ({level}): it voted {first.vote.ballot} and \
         {second.vote.ballot}; evidence {evidence_id}",
    ),
    ("voter_excluded", "{voter_id} contributes nothing from then on: {reason}"),
    ("commits_closed", "{commits} promises were made; from then on votes are taken"),
    ("round_closed", "round {round} ended with {votes} votes"),
    (
        "closed",
        "closed as {outcome} in round {round} as of {closed_at}, with {total_votes} votes[; {pick} has \
         {power_share:units} of the power][; the vote of {decided_by} decided][; ended by {cancelled}]\
         [; dissenters: {dissenters}]",
    ),
    (
        "extended",
        "votes are taken until {deadline}, not only until {before}[; {by} asked for it][: {reason}]",
    ),
    (
        "delegated",
        "{from} handed its place on to {to.voter_id}, who votes in the place of {place}[: {reason}]",
    ),
    ("reminders_asked", "those whose votes are outstanding are told again every {every_ms} ms"),
    ("reminded", "{voter_ids} were told again[; {by} asked for it]"),
    ("decision_tainted", "the decision does not stand without {voters}, whose fault was proven since"),
    ("silence_noted", "{voters} owe a vote and have been silent"),
    ("told", "~the voters' records were told what was seen of them"),
    (
        "mandated",
        "its decision allows {tool} and nothing else, {uses} times[, until {expires_at}][, under fence {fence}]",
    ),
    ("spent", "its decision was used, use {number}[; {by} asked for it][, under fence {fence}]"),
    ("redeemed", "use {number} of its decision was bound to job {job_id}, which it lets begin"),
    (
        "weighed",
        "its powers were learned by {source}, version {version}, from {answers} answers to {questions} questions",
    ),
    ("keys_named", "keys of its voters had taken the place of others"),
    ("truth_told", "{truth} had been right[, as {by} told]; it turned out {score:units}"),
    ("gates_set", "gates look at its decision: {gates}[; it follows {retry_of}]"),
    ("deadline_extended", "votes are taken until {deadline}"),
    ("gate_evaluated", "the gates say {verdict}"),
    ("remedy_triggered", "{remedy} was triggered, as {key}"),
    ("remedy_ended", "{key} came to this: {outcome}"),
    (
        "old_evidence_recorded",
        "{fault} of {first.vote.voter_id} was proven by votes too old to be held against it; evidence {evidence_id}",
    ),
];

const VOTER: Lines = &[
    ("registered", "registered with the weight {weight:units}"),
    (
        "noted",
        "~{marks} votes and attempts were noted; its score is {score:units}[, by session {session_id}]",
    ),
    (
        "standing_changed",
        "its standing went from {from:name} to {to:name}[ until {to.quarantined.until}][; {cause:word}]\
         [; its score was {cause.score.score:units}][; an operator said: {cause.operator.reason}]\
         [; {cause.violation.fault}][ in session {cause.violation.session_id}]\
         [; evidence {cause.evidence.evidence}][ in session {cause.evidence.session_id}]",
    ),
    ("went_offline", "it owes a vote and gave no sign of life[ since {last_seen}]"),
    ("returned", "it gave a sign of life again"),
    (
        "escalated",
        "it would be quarantined at the score {score:units}, but as many are as may be: a person is asked",
    ),
    ("spread", "~the open sessions know of change {number} of its standing"),
    (
        "judged",
        "it was judged by {question}[, as {by} told]; by the eight measures it weighs {weight:units} then",
    ),
    (
        "profiled",
        "it may be chosen, as {profile.kind} with the fitness {profile.fitness:units}[; {by} declared it]",
    ),
    (
        "considered",
        "it stood in choice {selection_id} among {candidates}[; it was chosen at place {place}][ with {utility:units}]\
         [; it was not chosen: {why}]",
    ),
    ("key_rotated", "it signs with another key, version {version}[; {by} asked for it][: {reason}]"),
];

const AGENT: Lines = &[
    ("registered", "registered"),
    ("left", "struck off"),
    (
        "monitoring_started",
        "watched from then on: every {settings.interval_ms} ms a beat is expected, and \
         {settings.failure_threshold} missed ones are a failure",
    ),
    ("monitoring_stopped", "no longer watched"),
    ("beat", "~gave a sign of life"),
    ("heard", "~a vote showed that it lives"),
    (
        "grade_changed",
        "its health went from {from} to {to} after {elapsed_us:ms} ms of silence[; last heard of at {last_beat}]",
    ),
    ("resumed", "a new process serves; silence counts from then on"),
];

const CELL: Lines = &[
    ("opened", "takes part from then on[, with {settings.totals:units}]"),
    ("configured", "set up anew[, with {settings.totals:units}]"),
    ("need_queued", "need {id} of {amount:units} {resource} waits until {deadline}"),
    ("need_blocked", "need {need} is the first to be served[, and waits for budget {budget}]"),
    ("need_expired", "need {need} waited until its deadline in vain"),
    ("need_cancelled", "need {need} is no longer wanted"),
    ("need_asked_by", "identity {by} asks for need {need}"),
    ("token_asked_by", "a token was granted that identity {by} asked for, in the name of cell {cell}"),
    (
        "granted",
        "need {need.id} of {need.amount:units} {need.resource} was granted from {tokens.*.source}[, as {tokens.*.id}]\
         [, until {tokens.*.expires}]",
    ),
    ("overload_raised", "{pending} needs wait; more are refused"),
    ("overload_cleared", "{pending} needs wait; more are taken again"),
    (
        "offer_made",
        "{amount:units} {resource} is held ready for {destination} until {expires}, as offer {id}",
    ),
    ("offer_received", "{source} holds {amount:units} {resource} ready until {expires}, as offer {id}"),
    ("offer_closed", "offer {offer.id} of {offer.source} to {offer.destination} ended unused: {why}"),
    (
        "lent",
        "{token.amount:units} {token.resource} is lent to {token.holder} from offer {offer}[, as {token.id}][, until {token.expires}]",
    ),
    ("acked", "{holder} received what {source} lent[, as {token}][; the lease ends at {expires}]"),
    ("renewed", "{holder} renewed its lease of what {source} lent[, as {token}][; it ends at {expires}]"),
    ("use_refused", "{by} was refused the use of what it does not hold[: {token}]"),
    (
        "returned",
        "{amount:units} {resource} went back from {holder} to {source}: {why}; {left:units} is left[; it was {token}]",
    ),
    ("handed_over", "what {source} lent went from {from} to {to}[, as {token}]"),
    (
        "received",
        "{from} handed over {token.amount:units} {token.resource} of {token.source}[, as {token.id}]",
    ),
    ("released", "{amount:units} {resource} was given back of the {asked:units} asked for"),
];

const BUDGET: Lines = &[
    ("limits_set", "limits were set[: {limits:units}]"),
    (
        "charged",
        "{charge.amount:units} {charge.resource} was charged for need {charge.need} of {charge.cell}",
    ),
    ("extended", "the lease of a grant of {source} begins anew[, until {expires}]"),
    ("refunded", "{amount:units} {resource} of {source} was refunded: {why}; {left:units} stays charged"),
    ("waiting", "need {waiter.need} of {waiter.cell} waits for room until {waiter.deadline}"),
    ("wait_ended", "need {need} of {cell} no longer waits: {why}"),
    ("rates_set", "rates were set"),
    (
        "reserved",
        "{taken.reservation.units} was reserved for {taken.reservation.holder}[, to be settled until \
         {taken.reservation.expires}]",
    ),
    ("settled", "a reservation was settled[ with {actual}]"),
    ("reservation_expired", "a reservation was not settled in time; the estimate counts as used"),
];

const GATE: Lines = &[
    ("tracked", "tracked by gate {gate.node} in {targets.*.datacenter}"),
    ("leader_changed", "{leader.node} leads in {datacenter}"),
    (
        "progressed",
        "~{datacenter} reported {totals.workflows_completed} of {totals.workflows_total} workflows done",
    ),
    ("datacenter_timed_out", "time was over in {datacenter}: {reason}"),
    ("datacenter_ended", "ended in {datacenter} as {status}: {reason}"),
    ("declared", "the gate decided that time is over everywhere, decision {decision_id}: {reason}"),
    ("delivered", "~{datacenter} answered message {number}: {outcome}"),
    ("cancel_requested", "somebody asked to stop it[: {reason}][; it was {requester_id}]"),
    ("cancel_delivered", "{datacenter} stops {cancelled_workflow_count} workflows"),
    ("abandoned", "{datacenters} did not end in time and were given up"),
    ("finished", "ended everywhere as {status}"),
    ("gate_transferred", "gate {gate.node} leads under epoch {gate_epoch}"),
    ("resumed", "a new process serves under epoch {gate_epoch}; nobody watched for {away_us:ms} ms ({gap})"),
    ("fence_rejected", "{leader.node} of {datacenter} was refused {message}: its leadership is over"),
    ("late_final", "{datacenter} ended as {status} after it was given up, too late to count"),
    ("rebuilt", "the memory of it was lost, and {told_by} told it again"),
    ("recalled", "{datacenter} told what it knows"),
    ("epoch_adopted", "leads under epoch {gate_epoch}, higher than a datacenter knew"),
    ("payload_noted", "what is to be done was kept"),
    ("taken_over", "{to.node} in {datacenter} gets it from {from.node}, which is gone: {reason}"),
    ("redirected", "{from} did not take it, and {to.datacenter} gets it: {reason}"),
    ("gate_replaced", "gate {gate} leads instead of this one, under epoch {gate_epoch}, as {told_by} told"),
    ("moved", "{from} is gone, and {to.datacenter} gets it above token {above_token}: {reason}"),
    ("datacenter_lost", "{datacenter} is gone, and it waits for it: {reason}"),
    ("datacenter_back", "{datacenter} has a manager again"),
    ("leadership_asked", "~the gate had been away, and asked every datacenter whether it still leads"),
];

const WORKER: Lines = &[
    ("registered", "serves in {datacenter} with room for {capacity} workflows"),
    ("enrolled", "gives a sign of life every {beat_ms} ms[, in its life {incarnation}]"),
    ("dispatched", "took workflow {workflow_id} of job {job_id}, attempt {attempt}, from {leader.node}"),
    ("reported", "workflow {workflow_id} of job {job_id} is {outcome}[: {result}]"),
    ("report_delivered", "~the leader heard of workflow {workflow_id} of job {job_id}"),
    ("leader_changed", "{leader.node} leads job {job_id}[; taken over: {rescued}]"),
    ("transfer_parked", "{leader.node} leads job {job_id}, whose workflows {workflow_ids} did not come yet"),
    ("parked_expired", "transfers whose workflows did not come were dropped"),
    ("stop_asked", "workflows {workflow_ids} of job {job_id} were asked to stop: {reason}"),
    ("aborted", "workflows {workflow_ids} of job {job_id} were stopped by force"),
    ("leader_lost", "the leader of job {job_id} cannot be reached; another is waited for until {until}"),
    ("extension_requested", "asked for more time for job {job_id}[: {request.reason}]"),
    ("extension_answered", "more time for job {job_id}: {granted}, {extension_ms} ms[; {denial_reason}]"),
    ("fence_rejected", "a leader of job {job_id} that was replaced was refused {message}"),
    ("draining", "takes nothing new"),
    ("left", "gone: everything ended and was heard of"),
    ("resumed", "a new process serves; nobody watched for {away_us:ms} ms"),
    (
        "reports_dropped",
        "{count} reports of workflow {workflow_id} of job {job_id} were dropped, since less was asked for",
    ),
    ("took", "~asked for work[, and got {handed.*.workflow_id}]"),
    ("beat", "~gave a sign of life"),
    ("given_back", "workflows {workflow_ids} of job {job_id} were not taken and go elsewhere"),
    ("revoked", "workflows {workflow_ids} of job {job_id} were taken back by their leader: {reason}"),
    (
        "lost",
        "silent since {silent_since}, longer than the {limit_us:ms} ms allowed: lost, and what it ran goes elsewhere",
    ),
];

const DURATIONS: Lines = &[
    ("recorded", "~a job took {record.duration_us:ms} ms and ended: {record.ended}"),
    ("aged", "all that is remembered lost half of its weight"),
];

const FLOW: Lines = &[
    ("opened", "opened with room for {config.max_buffer_size} messages"),
    ("configured", "configured with room for {config.max_buffer_size} messages"),
    (
        "state_changed",
        "went from {from} to {to}, {cause}, with {buffer_size} of {max_buffer_size} messages buffered",
    ),
    ("dropped", "{count} messages were dropped by {policy}: {reason}"),
    ("counted", "~the totals are {totals.sent} sent and {totals.delivered} delivered"),
    ("restarted", "life {life} began with an empty buffer; {lost} messages were lost"),
    ("closed", "closed"),
];

const LOAD: Lines = &[
    ("sampled", "~{samples:count} samples were taken"),
    ("level_changed", "the level went from {from} to {to}, with {hot} of {hot_max} entries"),
    (
        "state_changed",
        "went from {from} to {to}; cause: {cause}, {measured_millionths:units} against {threshold_millionths:units}",
    ),
    ("shed", "~requests were refused in the minute of {minute}; let in were {admitted}"),
    ("updates_dropped", "worker {worker_id} dropped {count} reports of job {job_id}"),
    ("loss_accepted", "the store was opened in spite of damage: {what}"),
];

const TOPOLOGY: Lines = &[
    (
        "cell_registered",
        "cell {cell_id} was entered[ on ring {cell.ring}][ and arm {cell.arm}][; its neighbours are {cell.neighbors}]",
    ),
    ("authority_registered", "{authority_id} became an authority at the hub"),
];

const ALGORITHMS: Lines = &[
    ("registered", "{name} stands for the rule {rule.rule}"),
    ("unregistered", "{name} stands for nothing any more"),
    ("default_set", "{name} became the default"),
    ("replaced", "{name} stands for the rule {rule.rule}, no longer for {earlier.rule}[; {by} replaced it]"),
];

const IDENTITY: Lines = &[
    ("created", "made; it may do {scopes}[ and act as {acts_as}][, until {expires_at}]"),
    ("token_issued", "token {number} was issued[; it ends at {expires_at}]"),
    ("tokens_ending", "its live tokens end at {ends_at}, or before"),
    ("token_revoked", "token {number} was ended"),
    ("token_expired", "tokens {numbers} reached their end"),
    ("granted", "it may do {scopes}[ and act as {acts_as}][, until {expires_at}]"),
    ("used", "~used"),
    ("refused", "refused {operation}[ on {entity_id}]: it may not act as {missing}"),
    ("revoked", "ended[: {reason}]"),
    ("expired", "reached its end"),
];

const DATACENTER: Lines = &[
    (
        "updated",
        "{datacenter_id} is {report.health_bucket} with {report.available_cores} of {report.total_cores} cores free\
         [; {report.leader} leads it]",
    ),
    ("removed", "{datacenter_id} is no more"),
];

const ROUTE: Lines = &[
    (
        "decided",
        "decided: {decision.reason}[; it goes to {decision.primary_datacenters}][; then {decision.fallback_datacenters}]\
         [; left out: {decision.excluded.*.datacenter_id}]",
    ),
    ("switched", "went from {from} to {to}: {reason}"),
    ("bootstrap_entered", "decided by free room, for distances say nothing"),
    ("bootstrap_left", "decided by distances again"),
    ("cooldown_started", "{datacenter_id} did not take it ({reason}) and counts as farther until {until}"),
    ("accepted", "{datacenter_id} took it[, not {from}]"),
    ("forgotten", "nothing is kept of it any more: {why}"),
];

const COORDINATE: Lines = &[
    ("moved", "~a round trip of {rtt_us} µs to {peer} moved it"),
    ("placed", "it was told where it stands"),
    ("resumed", "a new process took over where it stood"),
];

/// Most entries of a list that are told.
const MOST_LISTED: usize = 8;
/// Most characters of a text that somebody brought along.
const LONGEST: usize = 200;

/// The line of an event, and whether several in a row are told once.
pub(super) fn line(lines: &'static [(&'static str, &'static str)], event: &str) -> (&'static str, bool) {
    let line = lines.iter().find(|(name, _)| *name == event).map_or("", |(_, line)| line);
    line.strip_prefix('~').map_or((line, false), |line| (line, true))
}

/// The sentence of an event. One without a line is told by its name.
pub(super) fn sentence(line: &str, event: &str, data: &Value) -> String {
    if line.is_empty() {
        return event.replace('_', " ");
    }
    let mut told = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['[', '{']) {
        told.push_str(&rest[..at]);
        let is_optional = rest[at..].starts_with('[');
        let (inside, behind) =
            rest[at + 1..].split_once(if is_optional { ']' } else { '}' }).unwrap_or_default();
        if is_optional {
            told.push_str(&filled(inside, data).unwrap_or_default());
        } else {
            told.push_str(&member(inside, data).unwrap_or_else(|| "something".to_owned()));
        }
        rest = behind;
    }
    told.push_str(rest);
    told
}

/// A part of a line with its members; none when one of them has no value.
fn filled(part: &str, data: &Value) -> Option<String> {
    let mut told = String::new();
    let mut rest = part;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind.split_once('}')?;
        told.push_str(before);
        told.push_str(&member(name, data)?);
        rest = behind;
    }
    told.push_str(rest);
    Some(told)
}

/// A member of the data as text; none when it has no value.
fn member(name: &str, data: &Value) -> Option<String> {
    let (path, manner) = name.split_once(':').unwrap_or((name, ""));
    let value = found(path, data)?;
    match manner {
        "count" => value.as_array().map(|items| items.len().to_string()),
        "ms" => value.as_u64().map(|us| (us / 1_000).to_string()),
        "units" => units(&value),
        "word" => value.as_str().map(|word| word.replace('_', " ")),
        "name" => match &value {
            Value::Object(fields) if fields.len() == 1 => fields.keys().next().cloned(),
            other => text(other),
        },
        "vote" => value.as_bool().map(|vote| if vote { "for" } else { "against" }.to_owned()),
        _ => text(&value),
    }
}

/// What stands at a path; `*` stands for every entry of a list.
fn found(path: &str, data: &Value) -> Option<Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let next = |value: &Value| match rest {
        Some(rest) => found(rest, value),
        None => Some(value.clone()),
    };
    match (first, data) {
        ("*", Value::Array(items)) => {
            let each: Vec<Value> = items.iter().filter_map(next).filter(|value| !value.is_null()).collect();
            (!each.is_empty()).then_some(Value::Array(each))
        }
        (index, Value::Array(items)) => next(items.get(index.parse::<usize>().ok()?)?),
        (name, Value::Object(fields)) => next(fields.get(name)?),
        _ => None,
    }
}

/// Millionths as a number; of several, each by its name.
fn units(value: &Value) -> Option<String> {
    if let Value::Object(fields) = value {
        let told: Option<Vec<String>> =
            fields.iter().map(|(name, value)| Some(format!("{name} {}", units(value)?))).collect();
        return told.filter(|told| !told.is_empty()).map(|told| told.join(", "));
    }
    let millionths = value.as_i64()?;
    let (sign, whole) = (if millionths < 0 { "-" } else { "" }, millionths.unsigned_abs());
    let text = format!("{sign}{}.{:06}", whole / 1_000_000, whole % 1_000_000);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// A value as people read it; none for what says nothing.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.clone(),
        }),
        Value::Array(items) => {
            let mut told: Vec<String> = items.iter().filter_map(text).take(MOST_LISTED).collect();
            if items.len() > MOST_LISTED {
                told.push(format!("and {} more", items.len() - MOST_LISTED));
            }
            (!told.is_empty()).then(|| told.join(", "))
        }
        Value::Object(fields) => {
            let pair = |(name, value): (&String, &Value)| {
                let name = name.replace('_', " ");
                text(value).map(|value| format!("{name} {value}"))
            };
            let told: Vec<String> = fields.iter().filter_map(pair).take(MOST_LISTED).collect();
            (!told.is_empty()).then(|| told.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::event_view::shown_name;
    use super::*;
    use crate::shell::hosts::event_names;

    #[test]
    fn every_event_of_every_kind_has_a_line_and_no_line_is_left_over() {
        for kind in StreamKind::ALL {
            let Tale::Lines(lines) = of(kind) else { continue };
            let names: Vec<&str> = event_names(kind).iter().map(|name| shown_name(name)).collect();
            for name in &names {
                assert!(!line(lines, name).0.is_empty(), "{} {name} has no line", kind.name());
            }
            for (name, line) in lines {
                assert!(names.contains(name), "{} has no event {name}", kind.name());
                let open = line.matches(['[', '{']).count();
                assert_eq!(open, line.matches([']', '}']).count(), "{name}: {line}");
            }
        }
    }

    #[test]
    fn a_line_is_filled_and_what_has_no_value_is_left_out() {
        let cast = "{voter_id} voted {vote:vote} ({counting})[: {reason}]";
        let data = json!({ "voter_id": "ann", "vote": true, "counting": "counted", "reason": "fits" });
        assert_eq!(sentence(cast, "vote_cast", &data), "ann voted for (counted): fits");
        let data = json!({ "voter_id": "ann", "vote": false, "counting": "outsider" });
        assert_eq!(sentence(cast, "vote_cast", &data), "ann voted against (outsider)");
        let many = json!({ "t": [{ "id": "a" }, { "id": "b" }], "n": 1_500_000, "us": 2_500, "none": [], "d": -250_000 });
        assert_eq!(
            sentence("{t.*.id} {n:units} {us:ms} {t:count}[ {none}] {d:units}", "e", &many),
            "a, b 1.5 2 2 -0.25"
        );
        assert_eq!(sentence("{votes.1} against", "e", &json!({ "votes": [1, 2] })), "2 against");
        let totals = json!({ "totals": { "capacity": 1_500_000, "gpu": 2_000_000 } });
        assert_eq!(sentence("with {totals:units}", "e", &totals), "with capacity 1.5, gpu 2");
        assert_eq!(sentence("", "some_event", &json!({})), "some event");
        assert_eq!(sentence("under {token}", "e", &json!({})), "under something");
        let long: Vec<u32> = (0..10).collect();
        assert_eq!(sentence("{l}", "e", &json!({ "l": long })), "0, 1, 2, 3, 4, 5, 6, 7, and 2 more");
    }
}
