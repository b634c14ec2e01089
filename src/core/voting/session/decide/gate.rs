//! Gates: what they find when a session ends, and what is done about it. The decision stays what it is.

use super::super::ballot::BallotType;
use super::super::beside::{GateEvaluated, GateFinding, Gated, RemedyTriggered};
use super::super::command::{Open, Rejection};
use super::super::event::{Event, Flag, Opened, Outcome};
use super::super::state::Session;
use super::super::tally::{After, Tally};
use super::Sketch;
use crate::kernel::time::Timestamp;
use crate::voting::emergence::{AnomalyKind, Pattern, scan};
use crate::voting::gates::{self, Bars, Facts, MOST_RETRIES, Remedies, Remedy};
use crate::voting::session::beside::Beside;
use crate::voting::session::event::Exclusion;

/// The gates that a session can evaluate by itself, in the order of their table.
pub(in crate::voting) const GATES: [&str; 8] =
    ["quorum", "participation", "faults", "suspects", "margin", "confidence", "attack", "tainted"];
/// How sensitive the look for attacks is.
const SENSITIVITY: f64 = 0.80;

/// # Errors
/// `Invalid` for a gate that there is not, twice, or about candidates where there are none.
pub(super) fn check(open: &Open) -> Result<(), Rejection> {
    let Some(gated) = &open.beside.gated else { return Ok(()) };
    let invalid = |given: &str, expected: String| {
        Err(Rejection::Invalid { field: "gates", given: given.to_owned(), expected })
    };
    for (at, name) in gated.gates.iter().enumerate() {
        if !GATES.contains(&name.as_str()) || gated.gates[..at].contains(name) {
            return invalid(name, format!("each once, of {}", GATES.join(", ")));
        }
        let asks_candidates = matches!(name.as_str(), "margin" | "confidence");
        if asks_candidates && open.terms.ballot_type == BallotType::Approve {
            return invalid(name, "another gate, where for and against is voted".to_owned());
        }
    }
    if gated.gates.is_empty() { invalid("none", "at least one gate".to_owned()) } else { Ok(()) }
}

/// What is known of the session now.
fn facts(state: &Session, opened: &Opened) -> Facts {
    let closed = state.closed.as_deref();
    let votes = state.votes.get(&state.round);
    let is_odd = |flag: &Flag| matches!(flag, Flag::Suspicious | Flag::Probation);
    let odd = votes.into_iter().flatten().filter(|(_, vote)| vote.flags.iter().any(is_odd));
    let held = odd.filter_map(|(voter, _)| state.elector(voter)).map(|elector| elector.power).sum();
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let f = opened.quorum.declared_faults.unwrap_or(opened.most_faults);
    let decides = closed.map(|closed| matches!(closed.outcome, Outcome::Decided | Outcome::Rejected));
    Facts {
        quorum: decides,
        voters: Some((opened.quorum.n, count(votes.map_or(0, |votes| votes.len())))),
        faults: Some((count(state.malicious().len()), f)),
        suspects: Some((held, opened.quorum.power)),
        candidates: opened.terms.ballot_type != BallotType::Approve,
        margin: closed.map(|closed| closed.margin.into()),
        confidence: closed.map(|closed| closed.confidence_score.into()),
        anomalies: anomalies(state),
        tainted: Some(state.tainted.is_some()),
        ..Facts::default()
    }
}

/// Was a coordinated attack seen, and how much power does the greatest anomaly concern? Unknown when the detectors fail.
fn anomalies(state: &Session) -> Option<(bool, u64)> {
    let signals = scan(&state.scene(None)?, SENSITIVITY).ok()?;
    let odd = signals.iter().filter_map(|signal| match &signal.pattern {
        Pattern::Anomaly { kind, .. } => Some((*kind == AnomalyKind::CoordinatedAttack, signal.strength)),
        _ => None,
    });
    Some(odd.fold((false, 0), |(attack, most), (is, power)| (attack || is, most.max(power))))
}

/// Puts on record what the gates find now, and what is done about it.
pub(super) fn evaluate(draft: &mut Sketch<'_>, opened: &Opened) {
    let Some(gated) = draft.state().gated.clone() else { return };
    if draft.state().outcome() == Some(Outcome::Cancelled) {
        return;
    }
    let mut evaluation = gates::evaluate(&facts(draft.state(), opened), &Bars::default());
    evaluation.findings.retain(|finding| gated.gates.iter().any(|gate| gate == finding.rule));
    let Some(verdict) = evaluation.findings.iter().map(|finding| finding.verdict).max() else { return };
    let findings = evaluation.findings.iter().map(|finding| GateFinding {
        gate: finding.rule.to_owned(),
        input: finding.input.clone(),
        threshold: finding.threshold.clone(),
        verdict: finding.verdict,
    });
    let (findings, at) = (findings.collect(), draft.now);
    draft.push(Event::GateEvaluated(Box::new(GateEvaluated { verdict, findings, at })));
    let mut started = Remedies::default();
    draft.state().remedies.keys().for_each(|key| {
        started.start(key);
    });
    for (remedy, key) in started.due(opened.session_id.as_str(), &evaluation, gated.retries) {
        // More time is given before the end, or not at all.
        if remedy != Remedy::ExtendDeadline {
            draft.push(Event::RemedyTriggered(Box::new(RemedyTriggered { remedy, key, at })));
        }
    }
}

/// More time, once: as much more as there was at first, where the gate on participation would fail and nothing is decided.
pub(super) fn extends(state: &Session, opened: &Opened) -> bool {
    let named =
        state.gated.as_ref().is_some_and(|gated| gated.gates.iter().any(|gate| gate == "participation"));
    let votes = state.votes.get(&state.round).map_or(0, |votes| votes.len() as u64);
    let few = votes * 3 < u64::from(opened.quorum.n) * 2;
    let reached = || Tally::count(state, opened, After::Now).reached(&opened.quorum).is_some();
    named && few && !state.remedies.contains_key(&extension(opened)) && !state.sealed && !reached()
}

/// By which more time is given once.
fn extension(opened: &Opened) -> String {
    format!("{}/{}", opened.session_id, Remedy::ExtendDeadline.name())
}

pub(super) fn extend(draft: &mut Sketch<'_>, opened: &Opened, now: Timestamp) {
    let key = extension(opened);
    let triggered = RemedyTriggered { remedy: Remedy::ExtendDeadline, key, at: now };
    draft.push(Event::RemedyTriggered(Box::new(triggered)));
    let deadline = draft.state().deadline(opened).plus(opened.deadline.since(opened.opened_at));
    draft.push(Event::DeadlineExtended { deadline, at: now });
}

/// The session that a gate asks to open anew: the same question to the same voters, but for those who are proven to lie or
/// quarantined.
pub(in crate::voting::session) fn reopened(state: &Session) -> Option<Open> {
    let (opened, gated) = (state.opened.as_deref()?, state.gated.as_ref()?);
    let retries = gated.retries + 1;
    if retries > MOST_RETRIES {
        return None;
    }
    let first = match &gated.retry_of {
        // The names are those of the first session, counted.
        Some(_) => opened.session_id.as_str().rsplit_once("-retry-").map_or("", |(first, _)| first),
        None => opened.session_id.as_str(),
    };
    let session_id = crate::kernel::ids::EntityId::new(format!("{first}-retry-{retries}")).ok()?;
    let lied = state.malicious();
    let keeps = |voter| {
        let excluded = state.excluded.get(voter);
        !lied.contains(voter)
            && !matches!(
                excluded,
                Some(Exclusion::Byzantine | Exclusion::Quarantined | Exclusion::Equivocation)
            )
    };
    let electors = opened.electors.iter().filter(|elector| keeps(&elector.voter_id));
    let electors: Vec<_> = electors.cloned().collect();
    let keys = state.key_versions.clone().into_iter();
    Some(Open {
        session_id,
        terms: opened.terms.clone(),
        basis: opened.quorum.basis,
        threshold: opened.quorum.threshold,
        declared_faults: opened.quorum.declared_faults,
        max_voters: opened.quorum.n,
        context: opened.context.clone(),
        timeout: opened.deadline.since(opened.opened_at),
        round_timeout: opened.round_us.map(std::time::Duration::from_micros),
        commit_timeout: opened.commits_until.map(|until| until.since(opened.opened_at)),
        keyed: None,
        remind_every: state.remind_every_ms.map(std::time::Duration::from_millis),
        beside: Beside {
            mandate: state.mandate.as_deref().cloned(),
            weighed: state.weighed.as_deref().cloned(),
            keys: keys.filter(|(voter, _)| electors.iter().any(|one| one.voter_id == *voter)).collect(),
            gated: Some(Gated {
                gates: gated.gates.clone(),
                retry_of: Some(opened.session_id.clone()),
                retries,
            }),
        },
        electors,
    })
}
