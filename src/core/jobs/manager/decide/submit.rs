//! Taking a job on.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{inbox, lead, recall, work};
use crate::jobs::manager::command::{Reply, Submit};
use crate::jobs::manager::event::{Event, GateSeat, Submitted, Terms};
use crate::jobs::manager::rejection::{Rejection, invalid};
use crate::jobs::manager::settings::{MAX_DEPENDENCIES, MAX_WORKFLOWS, check_addr, check_sent_addr};
use crate::jobs::manager::state::Run;
use crate::jobs::manager::timeout::{self, Asked, Limits};
use crate::jobs::protocol::message::{AckOutcome, Body, FinalStatus, Message, Party, WorkflowPlan};
use crate::jobs::protocol::recall::Charter;
use crate::jobs::protocol::token::{Standing, standing};
use crate::kernel::ids::EntityId;

/// Takes the job on. A gate that asks for it is answered: one that can never be taken on has failed here; one that
/// meets another submission of the job gets no answer, since nothing can be said about it.
pub(super) fn submit(draft: &mut Draft<'_>, submit: Submit) -> Result<Reply, Rejection> {
    let gate = submit.gate.as_ref().filter(|_| submit.dispatch_number != 0);
    let answer = gate.map(|gate| Message {
        job_id: submit.job_id.clone(),
        datacenter: submit.datacenter.clone(),
        from: Party::Manager { datacenter: submit.datacenter.clone(), node: submit.leader.clone() },
        to: Party::Gate(gate.gate_id.clone()),
        number: submit.dispatch_number,
        body: Body::ReportAck(inbox::ack(draft, AckOutcome::Accepted)),
        signal: None,
    });
    let reply = take_on(draft, submit);
    if let (Some(answer), Err(Rejection::StaleGate { .. })) = (&answer, &reply) {
        recall::tell(draft, answer.to.clone(), 0);
    }
    let outcome = match &reply {
        Ok(_) => AckOutcome::Accepted,
        Err(Rejection::AlreadyTerminal { status }) => AckOutcome::AlreadyFinal(*status),
        Err(Rejection::StaleGate { .. }) => AckOutcome::Stale,
        Err(Rejection::Invalid { .. }) => AckOutcome::AlreadyFinal(FinalStatus::Failed),
        Err(_) => return reply,
    };
    if let Some(answer) = answer {
        let body = Body::ReportAck(inbox::ack(draft, outcome));
        draft.post(Message { body, ..answer });
    }
    reply
}

fn take_on(draft: &mut Draft<'_>, submit: Submit) -> Result<Reply, Rejection> {
    let limits = check(draft, &submit)?;
    if let Some(gate) = &submit.gate {
        check_gate(draft, gate)?;
    }
    let terms = Terms {
        timeout_ms: submit.timeout_ms,
        stuck_threshold_ms: submit.stuck_threshold_ms,
        settings: submit.settings,
        class: submit.class,
        timeout_rule: submit.timeout_rule,
        workflows: submit.workflows,
    };
    if let Ok(run) = draft.run() {
        let (token, is_taken_over) = (run.token, submit.above > draft.state().highest_token);
        let asked_for = run.payloads == submit.payloads || submit.dispatch_number != 0;
        let same = run.terms == terms && asked_for && run.gate.is_some() == submit.gate.is_some();
        match run.ended.as_ref().map(|ended| ended.status) {
            None if !same => return Err(Rejection::AlreadyTracked),
            None => {
                if let Some(gate) = submit.gate {
                    adopt_gate(draft, gate);
                }
                recall::note_charter(draft, submit.charter);
                if is_taken_over {
                    // It led the job before, another one did since, and it is to go on with what it has of it.
                    let token = lead::lead_above(draft, submit.leader, submit.leader_addr, submit.above)?;
                    work::give_up_all(draft, "another manager led the job meanwhile");
                    work::dispatch_ready(draft);
                    return Ok(Reply::Submitted { token, again: true });
                }
                return Ok(Reply::Submitted { token, again: true });
            }
            // Whoever lost the reply and asks again must not run the job twice.
            Some(_) if submit.dispatch_number == 0 && same => {
                return Ok(Reply::Submitted { token, again: true });
            }
            Some(status) if submit.dispatch_number == 0 => return Err(Rejection::IdOfEnded { status }),
            // It ended here under a leadership that was replaced since: that end does not count.
            Some(status) if is_repeat(run, &submit.gate, &submit.charter) && !is_taken_over => {
                return Err(Rejection::AlreadyTerminal { status });
            }
            // A gate begins a run only in an epoch of its own.
            Some(_) => {}
        }
    }
    let began = submit.charter.as_ref().map(|charter| charter.epoch);
    let refused =
        draft.state().refused_run.filter(|refused| began.is_some_and(|epoch| epoch <= refused.epoch));
    if let Some(refused) = refused {
        return Err(Rejection::AlreadyTerminal { status: refused.status });
    }
    let token = draft.state().highest_token.max(submit.above).next(draft.context().floor());
    let token = token.ok_or(Rejection::TokensExhausted)?;
    draft.push(Event::Submitted(Box::new(Submitted {
        job_id: submit.job_id,
        datacenter: submit.datacenter,
        leader: submit.leader,
        leader_addr: submit.leader_addr,
        gate: submit.gate,
        dispatch_number: submit.dispatch_number,
        token,
        terms,
        limits,
        at: draft.now,
    })));
    recall::note_charter(draft, submit.charter);
    if !submit.payloads.is_empty() {
        draft.push(Event::PayloadNoted { payloads: Box::new(submit.payloads), at: draft.now });
    }
    work::dispatch_ready(draft);
    Ok(Reply::Submitted { token, again: false })
}

/// A gate sends its dispatch until it is answered, under a new number when leadership changed meanwhile; one that comes
/// after the end must not start the job again. A run of a gate keeps the epoch it began in, whichever gate leads it, and the next
/// begins in a higher one than anybody has seen.
fn is_repeat(run: &Run, gate: &Option<GateSeat>, charter: &Option<Charter>) -> bool {
    if let (Some(held), Some(given)) = (&run.charter, charter) {
        return given.epoch <= held.epoch;
    }
    match (&run.gate, gate) {
        (Some(held), Some(given)) => given.epoch <= held.epoch,
        (Some(_), None) | (None, Some(_)) | (None, None) => false,
    }
}

/// A gate that was replaced starts nothing, and of two gates to which the same job was submitted only one does: the other one
/// is told of it, and they settle which.
fn check_gate(draft: &mut Draft<'_>, gate: &GateSeat) -> Result<(), Rejection> {
    let held = draft.state().highest_epoch;
    let led = draft.run().ok().filter(|run| run.ended.is_none()).and_then(|run| run.gate.as_ref());
    let is_others = led.is_some_and(|led| led.gate_id != gate.gate_id && led.epoch == gate.epoch);
    match standing(gate.epoch, held) {
        Standing::Current | Standing::Newer if !is_others => Ok(()),
        Standing::Stale | Standing::Current | Standing::Newer => {
            draft.record_fence("dispatch", gate.epoch, held.get());
            Err(Rejection::StaleGate { held, given: gate.epoch })
        }
    }
}

/// A gate of a higher epoch takes the place of the one before, which hears of it when it says anything.
pub(super) fn adopt_gate(draft: &mut Draft<'_>, gate: GateSeat) {
    if gate.epoch > draft.state().highest_epoch {
        let at = draft.now;
        draft.push(Event::GateChanged { gate, at });
    }
}

fn check(draft: &Draft<'_>, submit: &Submit) -> Result<Limits, Rejection> {
    if let Ok((job_id, datacenter)) = draft.ids() {
        check_same("job_id", job_id, &submit.job_id)?;
        check_same("datacenter", datacenter, &submit.datacenter)?;
    }
    submit.settings.check()?;
    // A gate that hands the job out said its address before, when perhaps more was allowed.
    let check = if submit.dispatch_number == 0 { check_addr } else { check_sent_addr };
    check("leader_addr", &submit.leader_addr)?;
    if let Some(gate) = &submit.gate {
        check("gate_addr", &gate.addr)?;
    }
    check_workflows(&submit.workflows)?;
    if let Some((field, given, expected)) = submit.payloads.too_long() {
        return Err(invalid(field, given, expected));
    }
    timeout::limits(
        &submit.timeout_rule,
        &Asked {
            timeout_ms: submit.timeout_ms,
            stuck_ms: submit.stuck_threshold_ms,
            has_gate: submit.gate.is_some(),
            estimate: submit.estimate.as_ref(),
        },
    )
}

/// One stream is one job in one datacenter.
pub(super) fn check_same(field: &'static str, held: &EntityId, given: &EntityId) -> Result<(), Rejection> {
    if held == given { Ok(()) } else { Err(invalid(field, given, held)) }
}

fn check_workflows(plans: &[WorkflowPlan]) -> Result<(), Rejection> {
    if plans.len() > MAX_WORKFLOWS {
        return Err(invalid("workflows", plans.len(), format!("at most {MAX_WORKFLOWS}")));
    }
    let mut waits_for: BTreeMap<&EntityId, BTreeSet<&EntityId>> = BTreeMap::new();
    for plan in plans {
        if plan.depends_on.len() > MAX_DEPENDENCIES {
            let given = format!("{} of {}", plan.depends_on.len(), plan.workflow_id);
            return Err(invalid("depends_on", given, format!("at most {MAX_DEPENDENCIES}")));
        }
        if waits_for.insert(&plan.workflow_id, plan.depends_on.iter().collect()).is_some() {
            return Err(invalid("workflow_id", &plan.workflow_id, "each id once"));
        }
    }
    let unknown = plans.iter().flat_map(|plan| &plan.depends_on).find(|id| !waits_for.contains_key(id));
    if let Some(unknown) = unknown {
        return Err(invalid("depends_on", unknown, "a workflow of the job"));
    }
    check_acyclic(waits_for)
}

/// Takes away what waits for nothing until all is gone, or what is left waits for itself (A. B. Kahn, *Topological
/// sorting of large networks*, CACM 1962).
fn check_acyclic(mut waits_for: BTreeMap<&EntityId, BTreeSet<&EntityId>>) -> Result<(), Rejection> {
    let mut dependents: BTreeMap<&EntityId, Vec<&EntityId>> = BTreeMap::new();
    for (id, dependencies) in &waits_for {
        dependencies.iter().for_each(|on| dependents.entry(*on).or_default().push(*id));
    }
    let mut free: Vec<&EntityId> =
        waits_for.iter().filter(|(_, on)| on.is_empty()).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        waits_for.remove(id);
        for dependent in dependents.remove(id).unwrap_or_default() {
            if let Some(on) = waits_for.get_mut(dependent) {
                on.remove(id);
                if on.is_empty() {
                    free.push(dependent);
                }
            }
        }
    }
    match waits_for.keys().next() {
        Some(id) => Err(invalid("depends_on", id, "no workflow that waits for itself")),
        None => Ok(()),
    }
}
