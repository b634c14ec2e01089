//! What the router hears of the jobs that gates send to datacenters: that one is not answered or refused, where it goes
//! then, and that it has ended.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::access::Asks;
use super::counters::{Counters, Sent};
use super::entity::Action;
use super::host::Host;
use super::hosts::track;
use super::lock;
use super::runtime::ask;
use super::tell::tell;
use super::writer::Failure;
use crate::core::jobs::gate::{self, GateMachine, Target};
use crate::core::jobs::protocol::message::{AckOutcome, Body, Message, ReportAck};
use crate::core::kernel::ids::{DatacenterId, EntityId, NodeId};
use crate::core::network::datacenter::Datacenters;
use crate::core::network::route::DatacenterCandidate;
use crate::core::network::route::record::{self as route, Ask, FailureReason, RouteMachine};

/// A datacenter that did not answer a dispatch for so long did not take the job, as far as the router knows.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Tells the router that a job has ended, where there is anything to route to.
pub(in crate::shell) fn forget_route(host: &Arc<Host>, job_id: &EntityId) {
    if !lock(&host.counters.datacenters).known.is_empty() {
        tell::<RouteMachine>(host, job_id, route::Command::Forget);
    }
}

/// A message of a gate goes out. A dispatch that goes out again long after the first time was not answered.
pub(in crate::shell) fn note_dispatch(host: &Arc<Host>, message: &Message) {
    if !matches!(message.body, Body::JobDispatch(_)) || lock(&host.counters.datacenters).known.is_empty() {
        return;
    }
    let now = host.clock.now();
    let sent = Sent { number: message.number, since: now, is_told: false };
    let is_overdue = {
        let mut unanswered = lock(&host.counters.unanswered);
        let known = unanswered.entry((message.job_id.clone(), message.datacenter.clone())).or_insert(sent);
        if known.number != sent.number {
            // Another leader is asked, or the same one under another token: it has its own time.
            *known = sent;
        }
        let is_overdue = !known.is_told && now.since(known.since) >= ANSWERS_WITHIN;
        known.is_told |= is_overdue;
        is_overdue
    };
    if is_overdue {
        fail(host, &message.job_id, DatacenterId::from(&message.datacenter), FailureReason::NoAnswer);
    }
}

/// Dispatches that were answered, and those of jobs that have ended, wait for nothing.
pub(in crate::shell) fn forget_dispatches(counters: &Counters, job_id: &EntityId, events: &[gate::Event]) {
    let mut unanswered = lock(&counters.unanswered);
    if unanswered.is_empty() {
        return;
    }
    for event in events {
        match event {
            gate::Event::Delivered { datacenter, .. }
            | gate::Event::Progressed { datacenter, .. }
            | gate::Event::DatacenterTimedOut { datacenter, .. }
            | gate::Event::DatacenterEnded { datacenter, .. } => {
                unanswered.remove(&(job_id.clone(), datacenter.clone()));
            }
            gate::Event::Finished { .. } | gate::Event::GateReplaced { .. } => {
                unanswered.retain(|(job, _), _| job != job_id)
            }
            gate::Event::Tracked(_)
            | gate::Event::LeaderChanged { .. }
            | gate::Event::Declared { .. }
            | gate::Event::CancelRequested { .. }
            | gate::Event::CancelDelivered { .. }
            | gate::Event::Abandoned { .. }
            | gate::Event::GateTransferred { .. }
            | gate::Event::Resumed { .. }
            | gate::Event::FenceRejected(_)
            | gate::Event::LateFinal { .. }
            | gate::Event::Rebuilt(_)
            | gate::Event::Recalled { .. }
            | gate::Event::PayloadNoted { .. }
            | gate::Event::LeadershipAsked { .. }
            | gate::Event::DatacenterLost { .. }
            | gate::Event::DatacenterBack { .. }
            | gate::Event::EpochAdopted { .. } => {}
            gate::Event::TakenOver { datacenter, .. } => {
                unanswered.remove(&(job_id.clone(), datacenter.clone()));
            }
            gate::Event::Redirected { from, .. } | gate::Event::Moved { from, .. } => {
                unanswered.remove(&(job_id.clone(), from.clone()));
            }
        }
    }
}

/// The number of what was sent, where the answer is: come again later.
pub(in crate::shell) fn refused_number(message: &Message) -> Option<u64> {
    let Body::ReportAck(ReportAck { outcome: AckOutcome::Refused { .. }, .. }) = &message.body else {
        return None;
    };
    Some(message.number)
}

/// A datacenter said that it is too busy for a job.
pub(in crate::shell) fn note_refusal(host: &Arc<Host>, job_id: &EntityId, datacenter: DatacenterId) {
    fail(host, job_id, datacenter, FailureReason::Busy);
}

/// A job that no router sent there is refused by its route, and nothing is written.
fn fail(host: &Arc<Host>, job_id: &EntityId, datacenter: DatacenterId, reason: FailureReason) {
    let failed = route::Command::Fail { datacenter: datacenter.clone(), reason, fence: None };
    tell::<RouteMachine>(host, job_id, failed);
    redirect(host, job_id.clone(), EntityId::from(&datacenter), reason);
}

/// The next of the chain gets the job, where the router chose; the gate knows which of it are left. What is not told
/// because the process ends is told after the next failure.
fn redirect(host: &Arc<Host>, job_id: EntityId, from: EntityId, reason: FailureReason) {
    let shared = host.clone();
    track(host, async move {
        let chain = chain_of(&shared, &job_id, &from, otherwise(&shared, &job_id)).await;
        let Some(chain) = chain.filter(|chain| !chain.is_empty()) else { return };
        let reason = format!("the datacenter did not take the job. reason={}", reason.name());
        tell::<GateMachine>(&shared, &job_id, gate::Command::Redirect { from, chain, reason });
    });
}

/// Where a job may go that is in this datacenter, the best first, as far as anybody manages it now; nothing where the router did
/// not choose. None while that cannot be found out.
async fn chain_of(
    host: &Arc<Host>,
    job_id: &EntityId,
    from: &EntityId,
    chosen: impl Future<Output = Result<Vec<EntityId>, Failure>>,
) -> Option<Vec<Target>> {
    let chosen = match chosen.await {
        Ok(chosen) => chosen,
        Err(failure) => {
            tracing::warn!(%job_id, ?failure, "the route of a job was not read");
            return None;
        }
    };
    let place = from.clone();
    let led = ask(host, &host.kinds.gates, job_id, Action::Read, move |view| {
        let dc = view.state.datacenters()?.get(&place)?;
        Some((dc.leader.clone(), dc.addr.clone()))
    });
    let led = led.await.ok().flatten();
    let target = |datacenter: EntityId| {
        let picked = host.fleet.pick(&datacenter, job_id);
        // In one process the manager of a datacenter is that of every other one.
        let same = || led.clone().filter(|_| host.fleet.manages(&datacenter));
        let (manager, manager_addr) = picked.or_else(same)?;
        Some(Target { datacenter, manager, manager_addr })
    };
    Some(chosen.into_iter().filter(|one| one != from).filter_map(target).collect())
}

/// Where the job of a datacenter that is gone goes: where the router sends it now.
pub(in crate::shell) async fn chain_now(
    host: &Arc<Host>,
    job_id: &EntityId,
    from: &EntityId,
) -> Option<Vec<Target>> {
    chain_of(host, job_id, from, choose_again(host, job_id)).await
}

/// What the router chose otherwise for a job that it sent somewhere, the best first.
async fn otherwise(host: &Arc<Host>, job_id: &EntityId) -> Result<Vec<EntityId>, Failure> {
    let chosen = ask(host, &host.kinds.routes, job_id, Action::Read, |view| {
        let chosen = view.state.chosen.as_ref().filter(|_| view.state.routing.is_some());
        chosen.map(|chosen| chosen.fallback_datacenters.iter().map(EntityId::from).collect())
    });
    Ok(chosen.await?.unwrap_or_default())
}

/// What the router chooses now for a job for which it chose before, the best first.
async fn choose_again(host: &Arc<Host>, job_id: &EntityId) -> Result<Vec<EntityId>, Failure> {
    let was_chosen = ask(host, &host.kinds.routes, job_id, Action::Read, |view| view.state.chosen.is_some());
    if !was_chosen.await? {
        return Ok(Vec::new());
    }
    let here = NodeId::from(&host.config.jobs.node);
    let (_, candidates, _) = seen(host, &here).await?;
    let asked = Ask {
        job: job_id.clone(),
        fence: None,
        is_converged: candidates.iter().any(|candidate| candidate.has_coordinate),
        candidates,
        preferred: BTreeSet::new(),
        dispatched: lock(&host.counters.dispatched).clone(),
        targets: Some(1),
    };
    let action = Action::Command(route::Command::Decide(Box::new(asked)), None);
    let decided = ask(host, &host.kinds.routes, job_id, action, |view| match view.reply {
        Some(Ok(route::Reply::Decided(now))) => {
            let all = now.primary_datacenters.iter().chain(&now.fallback_datacenters);
            all.map(EntityId::from).collect()
        }
        _ => Vec::new(),
    });
    decided.await
}

/// Every datacenter as it looks from a node, and whether the node has settled.
pub(crate) async fn seen(
    caller: &impl Asks,
    from: &NodeId,
) -> Result<(Datacenters, Vec<DatacenterCandidate>, bool), Failure> {
    let host = caller.host();
    let known = lock(&host.counters.datacenters).clone();
    if known.known.is_empty() {
        return Ok((known, Vec::new(), false));
    }
    let config = host.config.network.coordinates.clone();
    let id = EntityId::from(from);
    let looked = ask(caller, &host.kinds.coordinates, &id, Action::Read, move |view| {
        let candidates = known.candidates(view.state, &config, view.now);
        let settled = view.state.is_converged(&config);
        (known, candidates, settled)
    });
    looked.await
}

/// The router hears which datacenter has the job now.
pub(in crate::shell) fn accept(host: &Arc<Host>, job_id: &EntityId, events: &[gate::Event]) {
    for event in events {
        if let gate::Event::Redirected { to, .. } | gate::Event::Moved { to, .. } = event {
            let datacenter = DatacenterId::from(&to.datacenter);
            tell::<RouteMachine>(host, job_id, route::Command::Accept { datacenter });
        }
    }
}
