//! A job goes from one datacenter to another: from one that did not take it, or from one that had it and is gone.
//!
//! ```text
//!  every manager there is dead, for as long as is set
//!    ├── another datacenter may get it ──► Moved ── dispatch, above every token of the first one ──► another datacenter
//!    └── none may ─────────────────────► DatacenterLost ── a manager is there again ──► DatacenterBack
//!                                              └── its deadline, or a request to stop ──► Abandoned, Finished
//!  the first one comes back ── whatever it says ──► stale, and a request to stop
//! ```
//!
//! - *It runs anew.* What was completed in the first datacenter and not ended at the gate is done again, as where a manager
//!   takes over.
//! - *It does not come back* to a datacenter that it left: that one may still have a run of it to stop.
//! - *Time that was granted stays granted*, so the deadline of the whole comes no nearer by a move.
//! - *What is to end moves nowhere.* A datacenter that is gone is then given up at once; when it is back, it is told how it
//!   ended.
//!
//! # Source
//! Whether a process that is silent is dead is a guess of a failure detector, and the guess may be wrong: A. Das, I. Gupta,
//! A. Motivala, *SWIM*, DSN 2002, section 4.2. So the resource behind it is fenced: M. Burrows, *Chubby*, OSDI 2006, section 2.4.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Datacenters;
use super::command::Reply;
use super::decide::{Decided, Draft, addr, block_above, running};
use super::event::{Event, Target};
use super::outbox::{What, fingerprint};
use super::rejection::Rejection;
use super::state::{Datacenter, Gate, Run};
use super::verdict::ms_between;
use crate::jobs::protocol::limits::clip;
use crate::jobs::protocol::message::{JobDispatch, Leader};
use crate::jobs::protocol::token::FenceToken;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// A datacenter that had a job, was gone, and has it no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The job is led above this token since; what that datacenter shows is lower.
    pub above: FenceToken,
    /// What was fenced of it, so that a repeat is not recorded again.
    pub fenced: BTreeSet<(String, FenceToken)>,
}

/// What is said of a datacenter that is gone.
pub(super) struct Gone {
    pub(super) datacenter: EntityId,
    pub(super) from: Leader,
    pub(super) chain: Vec<Target>,
    pub(super) plan: JobDispatch,
    pub(super) reason: String,
}

/// Gives the job of a datacenter that is gone to the next of the chain, or notes that it waits.
pub(super) fn gone(mut draft: Draft, gone: Gone, known: &Datacenters) -> Decided {
    let (state, at) = (draft.state(), draft.now);
    let Gone { datacenter, from, chain, plan, reason } = gone;
    let run = running(state)?;
    let Some(dc) = run.datacenters.get(&datacenter) else {
        return Err(Rejection::UnknownDatacenter { datacenter });
    };
    if dc.ended || dc.leader != from {
        return Ok(draft.decided(Ok(Reply::Done)));
    }
    if run.plan.is_none() && fingerprint(&plan) != run.fingerprint {
        return Err(Rejection::AlreadyTracked { gate_epoch: state.gate_epoch });
    }
    let reason = clip(&reason);
    // Where its time is over, it waits for the decision and not for a datacenter.
    let next = run.next_of(&chain, known).filter(|_| dc.runs() && !run.is_over()).cloned();
    if let Some(to) = next {
        addr("manager_addr", &to.manager_addr)?;
        let above_token = above(state, dc.fence_token.max(dc.earlier), &to)?;
        let plan = run.plan.is_none().then(|| Box::new(plan));
        draft.push(Event::Moved { from: datacenter, to, above_token, plan, reason, at });
    } else if dc.lost_at.is_none() {
        draft.push(Event::DatacenterLost { datacenter, reason, at });
    }
    Ok(draft.decided(Ok(Reply::Done)))
}

/// The token above all that were held where the job was, and where it goes.
pub(super) fn above(state: &Gate, held: FenceToken, to: &Target) -> Result<FenceToken, Rejection> {
    block_above(held.max(state.floors.get(&to.datacenter).copied().unwrap_or_default()))
}

/// Notes that a datacenter which the job waits for has a manager again.
pub(super) fn back(mut draft: Draft, datacenter: EntityId) -> Decided {
    let at = draft.now;
    let run = draft.state().run.as_ref();
    if run.is_some_and(|run| run.datacenters.get(&datacenter).is_some_and(|dc| dc.lost_at.is_some())) {
        draft.push(Event::DatacenterBack { datacenter, at });
    }
    Ok(draft.decided(Ok(Reply::Done)))
}

impl Run {
    /// Was its end decided, or asked for?
    pub(super) fn is_over(&self) -> bool {
        self.decision.is_some() || self.cancel.is_some()
    }

    /// The first of a chain that may get the job: one that has it, or had it, may not.
    pub(super) fn next_of<'a>(&self, chain: &'a [Target], known: &Datacenters) -> Option<&'a Target> {
        let fits = |Target { datacenter: name, .. }: &&Target| {
            !self.datacenters.contains_key(name) && !self.withdrawn.contains(name) && known.knows(name)
        };
        chain.iter().find(fits)
    }

    /// Datacenters that the job waits for.
    pub(super) fn lost(&self) -> impl Iterator<Item = &EntityId> {
        let is_lost = |dc: &Datacenter| dc.runs() && dc.lost_at.is_some();
        self.datacenters.iter().filter(move |(_, dc)| is_lost(dc)).map(|(name, _)| name)
    }

    /// Was its end decided, and is nobody left who could say that it ended?
    pub(super) fn ends_without_the_lost(&self) -> bool {
        self.is_over() && self.datacenters.values().filter(|dc| !dc.ended).all(|dc| dc.lost_at.is_some())
    }

    /// Was nothing new in a datacenter of it for as long as it may be silent?
    pub(super) fn is_stuck(&self, dc: &Datacenter, now: Timestamp) -> bool {
        dc.runs() && dc.lost_at.is_none() && ms_between(dc.last_progress, now) >= self.settings.stuck_ms
    }
}

impl Datacenter {
    /// The name of how the job stands there.
    pub(super) fn shown(&self) -> &'static str {
        if self.runs() && self.lost_at.is_some() { "waiting_for_datacenter" } else { self.status.name() }
    }
}

impl Gate {
    /// Who says something is not gone.
    pub(super) fn see_again(&mut self, event: &Event) {
        if let Event::LeaderChanged { datacenter, .. }
        | Event::Progressed { datacenter, .. }
        | Event::DatacenterTimedOut { datacenter, .. }
        | Event::DatacenterEnded { datacenter, .. }
        | Event::TakenOver { datacenter, .. }
        | Event::Recalled { datacenter, .. }
        | Event::DatacenterBack { datacenter, .. } = event
        {
            self.change(datacenter, |dc| dc.lost_at = None);
        }
    }

    /// Another datacenter gets the job of one that did not take it.
    pub(super) fn redirected(&mut self, from: &EntityId, to: &Target, at: Timestamp) {
        let datacenter = self.unheard_of(to, at);
        if let Some(run) = &mut self.run {
            run.datacenters.remove(from);
            run.withdrawn.insert(from.clone());
            run.datacenters.insert(to.datacenter.clone(), datacenter);
        }
        // First, so that the plan is still needed.
        self.send(to.datacenter.clone(), What::Dispatch, at);
        self.drop_errands(|errand| errand.datacenter == *from);
    }

    /// Another datacenter gets the job of one that had it.
    pub(super) fn moved(
        &mut self,
        from: &EntityId,
        to: &Target,
        above: FenceToken,
        plan: Option<&JobDispatch>,
        at: Timestamp,
    ) {
        self.floors.insert(to.datacenter.clone(), above);
        let before = self.run.as_ref().and_then(|run| run.datacenters.get(from)).map(|dc| dc.totals);
        if let Some(run) = &mut self.run {
            run.left.insert(from.clone(), Left { above, fenced: BTreeSet::new() });
            if let (None, Some(plan)) = (&run.plan, plan) {
                run.plan = Some(Box::new(plan.clone()));
            }
        }
        self.redirected(from, to, at);
        self.change(&to.datacenter, |dc| {
            if let Some(before) = before {
                dc.totals.extensions_ms = before.extensions_ms;
                dc.totals.max_extension_ms = before.max_extension_ms;
            }
        });
    }

    /// Another manager of a datacenter gets the job, or hears how it is to end.
    pub(super) fn given_anew(&mut self, datacenter: &EntityId, plan: Option<&JobDispatch>, at: Timestamp) {
        let Some(run) = &mut self.run else { return };
        if let (None, Some(plan)) = (&run.plan, plan) {
            run.plan = Some(Box::new(plan.clone()));
        }
        let is_over = run.is_over();
        if !is_over {
            // First, so that the plan is still needed.
            self.send(datacenter.clone(), What::Dispatch, at);
        }
        let newest = self.last_number;
        self.drop_errands(|errand| {
            let is_for_it = errand.datacenter == *datacenter && errand.number != newest;
            is_for_it && matches!(errand.what, What::Dispatch | What::GateTransfer | What::Recall)
        });
        if is_over {
            let what = match self.run.as_ref().map(|run| run.decision.is_some()) {
                Some(true) => What::GlobalTimeout,
                Some(false) | None => What::Cancel,
            };
            self.drop_errands(|errand| errand.datacenter == *datacenter);
            self.send(datacenter.clone(), what, at);
        }
    }

    /// Was the job taken from this datacenter, in the run under way or in the last one?
    pub(super) fn is_withdrawn(&self, datacenter: &EntityId) -> bool {
        let running = self.run.as_ref().map(|run| &run.withdrawn);
        let all = running.or(self.finished.as_ref().map(|finished| &finished.withdrawn));
        all.is_some_and(|all| all.contains(datacenter))
    }

    /// Datacenters that had the run under way, or the last one, and are gone.
    pub(super) fn all_left(&self) -> Option<&BTreeMap<EntityId, Left>> {
        let running = self.run.as_ref().map(|run| &run.left);
        running.or(self.finished.as_ref().map(|finished| &finished.left))
    }

    /// Is this datacenter one of them?
    pub(super) fn left(&self, datacenter: &EntityId) -> Option<&Left> {
        self.all_left()?.get(datacenter)
    }

    /// A note of what was fenced.
    pub(super) fn note_fenced(&mut self, datacenter: &EntityId, note: (String, FenceToken)) {
        let running = self.run.as_mut().map(|run| &mut run.left);
        let all = running.or(self.finished.as_mut().map(|finished| &mut finished.left));
        match all.and_then(|all| all.get_mut(datacenter)) {
            Some(left) => {
                left.fenced.insert(note);
            }
            None => self.change(datacenter, |dc| {
                dc.fenced.insert(note);
            }),
        }
    }
}
