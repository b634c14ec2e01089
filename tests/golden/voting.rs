//! The events of quorums, proposals and agents.

use std::time::Duration;

use quorate_core::kernel::ids::{CellId, EntityId, VoterId};
use quorate_core::kernel::keyed::{KeyedField, KeyedRequest};
use quorate_core::voting::agent::event::GradeChanged;
use quorate_core::voting::agent::{self, Grade, Settings};
use quorate_core::voting::proposal::answer::{AnswerField, AnswerSchema, AnswerShape};
use quorate_core::voting::proposal::event::{self as proposal, Algorithm, Cause, Decision, Delivered};
use quorate_core::voting::quorum::event::{self as quorum, Counting, Outsiders, Policy, VoteChange};
use quorate_core::voting::quorum::tally::Tally;
use quorate_core::voting::quorum::{Electorate, FallbackPlan, QuorumState, QuorumType};
use quorate_core::voting::rules::{Choice, Formula, RuleSpec};

use crate::events::{at, variants};

fn voter(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

fn opened(electorate: Electorate, fallback: Option<FallbackPlan>) -> quorum::Opened {
    quorum::Opened {
        quorum_type: QuorumType::Radial,
        required_votes: 300,
        opened_at: at(-1),
        deadline: at(30_000_000),
        cell_id: CellId::new("hub").ok(),
        neighbor_count: 6,
        electorate,
        topic: "radial/ost".into(),
        membership_epoch: 70_000,
        subject: Some("{\"é\":1}".into()),
        subject_digest: None,
        policy: Policy {
            vote_change: VoteChange::Reject,
            outsiders: Outsiders::Refuse,
            min_confidence: 0.25,
            ..Policy::default()
        },
        fallback,
        parent: EntityId::new("窓").ok(),
    }
}

pub(crate) fn quorums() -> Vec<quorum::Event> {
    let plan = FallbackPlan { child_id: EntityId::new("child").unwrap(), timeout_us: 5_000_000 };
    let closed_electorate = Electorate::Closed(vec![voter("ann"), voter("bob")]);
    let by_rule = quorum::OpenedByRule {
        opened: opened(closed_electorate.clone(), None),
        rule: RuleSpec::new("required").with("count", 2u32),
        formula: Formula::required(2),
    };
    let cast = |counting, supersedes| quorum::VoteCast {
        voter_id: voter("ann"),
        vote: true,
        confidence: 0.5,
        cast_at: at(1),
        counting,
        supersedes,
    };
    let refused = |refusal| quorum::VoteRefused {
        voter_id: voter("bob"),
        vote: false,
        confidence: 1.0,
        cast_at: at(2),
        refusal,
    };
    let ends = QuorumState::ALL.map(|state| {
        quorum::Event::Closed(quorum::Closed {
            state,
            opened_at: at(-1),
            closed_at: at(3),
            noticed_at: at(4),
            tally: Tally { approvals: 2, rejections: 300, unconfident: 1 },
            decided_by: Some(voter("ann")),
            cancelled_by: None,
            reason: Some("so".into()),
        })
    });
    let casts = [(Counting::Counted, false), (Counting::Outsider, true), (Counting::LowConfidence, false)];
    let refusals = [quorum::Refusal::Late, quorum::Refusal::ChangeNotAllowed, quorum::Refusal::NotEligible];
    let mut events = vec![quorum::Event::Opened(Box::new(opened(closed_electorate, Some(plan.clone()))))];
    events.push(quorum::Event::Opened(Box::new(opened(Electorate::Open, None))));
    events.extend(casts.map(|(counting, supersedes)| quorum::Event::VoteCast(cast(counting, supersedes))));
    events.extend(refusals.map(|refusal| quorum::Event::VoteRefused(refused(refusal))));
    events.extend(ends);
    events.push(quorum::Event::FallbackOpened { child_id: plan.child_id.clone() });
    events.push(quorum::Event::FallbackFailed { child_id: plan.child_id, reason: "nobody".into() });
    events.push(quorum::Event::OpenedByRule(Box::new(by_rule)));
    events.push(quorum::Event::Keyed(keyed()));
    events.push(quorum::Event::VoteCastWithReason(Box::new(quorum::VoteReasoned {
        cast: cast(Counting::Counted, false),
        reason: "it is due".into(),
    })));
    events.push(quorum::Event::VoteRefusedWithReason(Box::new(quorum::RefusalReasoned {
        refused: refused(quorum::Refusal::Late),
        reason: "it will break".into(),
    })));
    events.push(quorum::Event::Extended(Box::new(extended())));
    events
}

fn extended() -> proposal::Extended {
    proposal::Extended { deadline: at(9), before: at(7), by: Some("ops".into()), reason: None, at: at(6) }
}

fn keyed() -> KeyedRequest {
    let field = |value: &str, given| KeyedField { value: value.into(), given };
    let fields = [("required_votes", field("2", true)), ("timeout_seconds", field("30.0", false))];
    KeyedRequest { fields: fields.map(|(name, field)| (name.to_owned(), field)).into() }
}

pub(crate) fn proposals() -> Vec<proposal::Event> {
    let opened = |decider| proposal::Opened {
        proposal: "{\"deploy\":7}".into(),
        digest: "d1".into(),
        algorithm: "quorum".into(),
        decider,
        threshold: Some(0.5),
        participants: vec![voter("ann"), voter("bob")],
        weights: vec![1_000_000, 0],
        excluded: vec![voter("cyd")],
        opened_at: at(-1),
        deadline: at(30_000_000),
        vote_change: VoteChange::Replace,
        fail_fast: true,
        absent: vec![voter("bob")],
    };
    let rule = Algorithm::Rule {
        rule: RuleSpec::new("required").with("count", 2u32),
        formula: Formula::required(2),
    };
    let cast = |vote| proposal::VoteCast {
        voter_id: voter("ann"),
        vote,
        weight: Some(2.5),
        metadata: Some("{}".into()),
        cast_at: at(1),
        supersedes: true,
    };
    let refused = |refusal| proposal::VoteRefused {
        voter_id: voter("bob"),
        vote: Choice::Abstain,
        weight: None,
        cast_at: at(2),
        refusal,
    };
    let closed = |decision, cause| {
        proposal::Event::Closed(proposal::Closed {
            decision,
            cause,
            algorithm: "quorum".into(),
            opened_at: at(-1),
            closed_at: at(3),
            noticed_at: at(4),
            votes: [1, 2, 300],
            decided_by: Some(voter("ann")),
        })
    };
    let refusals = [
        proposal::Refusal::Late,
        proposal::Refusal::AlreadyVoted,
        proposal::Refusal::NotParticipant,
        proposal::Refusal::Delegated,
    ];
    let causes = [
        Cause::NoAgents,
        Cause::InsufficientHealthyAgents,
        Cause::BroadcastFailed("no route".into()),
        Cause::AlgorithmError("panicked".into()),
        Cause::AlgorithmUnavailable,
        Cause::ZeroTotalWeight,
        Cause::Unreachable,
        Cause::Cancelled { by: Some("ops".into()), reason: Some("asked twice".into()) },
    ];
    let delivered = Delivered { reached: 2, unreached: vec![voter("bob")] };
    let mut events = vec![
        proposal::Event::Opened(Box::new(opened(rule))),
        proposal::Event::Opened(Box::new(opened(Algorithm::Custom))),
        proposal::Event::Broadcast(delivered),
    ];
    events.extend(Choice::ALL.map(|choice| proposal::Event::VoteCast(cast(choice))));
    events.extend(refusals.map(|refusal| proposal::Event::VoteRefused(refused(refusal))));
    events.push(proposal::Event::AbsenceChanged { voter_id: voter("bob"), absent: true, at: at(5) });
    events.extend(Decision::ALL.map(|decision| closed(decision, None)));
    events.extend(causes.map(|cause| closed(Decision::Rejected, Some(cause))));
    events.push(proposal::Event::Keyed(keyed()));
    events.push(proposal::Event::Handed { voter_ids: vec![voter("ann"), voter("bob")], at: at(6) });
    events.push(proposal::Event::VoteCastWithReason(Box::new(proposal::VoteReasoned {
        cast: cast(Choice::For),
        reason: "it is due".into(),
    })));
    events.push(proposal::Event::VoteRefusedWithReason(Box::new(proposal::RefusalReasoned {
        refused: refused(proposal::Refusal::Late),
        metadata: Some("{}".into()),
        reason: None,
    })));
    events.push(proposal::Event::Extended(Box::new(extended())));
    let (mandate, spent, redeemed) = crate::sessions::mandated();
    events.push(proposal::Event::Mandated(Box::new(mandate)));
    events.push(proposal::Event::Spent(Box::new(spent)));
    events.push(proposal::Event::Redeemed(Box::new(redeemed)));
    events.extend(people(cast(Choice::For), refused(proposal::Refusal::Delegated)));
    events
}

/// Answers, places that went on, and reminders.
fn people(cast: proposal::VoteCast, refused: proposal::VoteRefused) -> Vec<proposal::Event> {
    let asked =
        |shape| AnswerSchema { title: Some("Amount".into()), description: Some("in cents".into()), shape };
    let integer = AnswerShape::Integer { minimum: Some(-1), maximum: Some(300), choices: vec![7] };
    let text = AnswerShape::Text { min_length: Some(1), max_length: Some(2), choices: vec!["a".into()] };
    let field = |name: &str, required, shape| AnswerField {
        name: name.into(),
        required,
        schema: AnswerSchema { title: None, description: None, shape },
    };
    let fields = vec![field("sure", true, AnswerShape::Boolean), field("amount", false, integer.clone())];
    let shapes = [AnswerShape::Boolean, integer, text, AnswerShape::Object { fields }];
    let mut events: Vec<proposal::Event> =
        shapes.into_iter().map(|shape| proposal::Event::AnswerAsked(Box::new(asked(shape)))).collect();
    events.push(proposal::Event::VoteCastWithValue(Box::new(proposal::VoteValued {
        cast,
        reason: Some("it is due".into()),
        value: "{\"amount\":5}".into(),
    })));
    events.push(proposal::Event::VoteRefusedWithValue(Box::new(proposal::RefusalValued {
        refused,
        metadata: Some("{}".into()),
        reason: None,
        value: "5".into(),
    })));
    events.push(proposal::Event::Delegated(Box::new(proposal::Delegated {
        from: voter("ann"),
        to: voter("dan"),
        place: voter("ann"),
        absent: true,
        reason: Some("away".into()),
        at: at(7),
    })));
    events.push(proposal::Event::RemindersAsked { every_ms: 60_000 });
    events.push(proposal::Event::Reminded(Box::new(proposal::Reminded {
        voter_ids: vec![voter("bob"), voter("dan")],
        by_itself: true,
        by: Some("ops".into()),
        at: at(8),
    })));
    events.push(proposal::Event::Told(Box::new(proposal::Told {
        voter_ids: vec![voter("bob"), voter("dan")],
        taken: vec![voter("bob")],
        at: at(9),
    })));
    events
}

pub(crate) fn agents() -> Vec<agent::Event> {
    let settings =
        Settings { interval_ms: 300, failure_threshold: 3, check_period_ms: 70_000, history_size: 1 };
    let started = |explicit| agent::Event::MonitoringStarted { settings, explicit, at: at(2) };
    let changed = |from, to| {
        agent::Event::GradeChanged(GradeChanged {
            from,
            to,
            last_beat: Some(at(-5)),
            elapsed_us: Duration::from_secs(3).as_micros() as u64,
            at: at(7),
        })
    };
    vec![
        agent::Event::Registered { agent_id: voter("ann"), at: at(1) },
        agent::Event::Left { at: at(9) },
        started(true),
        started(false),
        agent::Event::MonitoringStopped { at: at(8) },
        agent::Event::Beat { at: at(3), metadata: Some("{}".into()) },
        agent::Event::Heard { at: at(4) },
        changed(Grade::Healthy, Grade::Degraded),
        changed(Grade::Critical, Grade::Failed),
        agent::Event::Resumed { at: at(10) },
    ]
}

variants!(quorum_variants of quorum::Event: Opened, VoteCast, VoteRefused, Closed, FallbackOpened, FallbackFailed,
    OpenedByRule, Keyed, VoteCastWithReason, VoteRefusedWithReason, Extended);
variants!(proposal_variants of proposal::Event: Opened, Broadcast, VoteCast, VoteRefused, AbsenceChanged, Closed, Keyed,
    Handed, VoteCastWithReason, VoteRefusedWithReason, Extended, Mandated, Spent, Redeemed, AnswerAsked, VoteCastWithValue,
    VoteRefusedWithValue, Delegated, RemindersAsked, Reminded, Told);
variants!(agent_variants of agent::Event: Registered, Left, MonitoringStarted, MonitoringStopped, Beat, Heard,
    GradeChanged, Resumed);
