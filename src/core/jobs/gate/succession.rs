//! One gate after another: who leads a job when a gate is gone, and what becomes of one that comes back.
//!
//! ```text
//!  manager: its gate is gone ── recall ──► another gate ── nothing of the job here ──► Rebuilt, under an epoch of the next block
//!                                               └── transfer ──► manager: that gate leads now
//!  the gate that was gone comes back ── transfer ──► manager ── stale, and a recall that names its successor ──► GateReplaced
//! ```
//!
//! | the recall names | that gate is | then |
//! |---|---|---|
//! | this gate, or the process is no node | – | nothing changes hands |
//! | another one | gone, as far as is known here | this gate leads, above every epoch that one may mint by itself |
//! | another one, under a higher epoch | there | this gate was replaced |
//! | another one, under the same epoch | there | the job was submitted to both: the one of the greater name leads it, above both |
//! | another one, under no higher epoch | there | nothing yet: a manager that is behind hears of this gate by itself |
//!
//! Two gates may take each other for gone, when the network is cut between them. Each leads for the managers that it reaches,
//! and none of those has two: epochs only grow, and an epoch is one gate's. When the cut heals, the lower one is replaced.
//!
//! # Source
//! A leader's block of numbers of its own: the ballot numbers of L. Lamport, *Paxos Made Simple*, 2001, section 2.2.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Datacenters;
use super::command::{Command, Reply};
use super::decide::{Decided, Draft};
use super::event::Event;
use super::rejection::Rejection;
use super::state::Gate;
use crate::jobs::protocol::message::{Body, Leader};
use crate::jobs::protocol::recall::JobRecall as Recall;
use crate::jobs::protocol::token::GateEpoch;
use crate::kernel::ids::EntityId;
use crate::kernel::time::Timestamp;

/// Epochs of one gate: as many as it may mint by itself while it leads, for instance one for each of its restarts.
const EPOCHS_OF_A_GATE: u64 = 1 << 20;

/// What the node of a gate knows of other gates.
pub trait Others: Send + Sync {
    /// Is it a gate other than this one?
    fn is_other(&self, gate: &EntityId) -> bool;
    /// Is that gate gone, as far as is known?
    fn is_gone(&self, gate: &EntityId) -> bool;
}

/// A gate that is one of several.
#[derive(Clone)]
pub struct Seat {
    /// This gate, in this life.
    pub gate: Leader,
    /// Where it listens.
    pub addr: String,
    /// The others.
    pub others: Arc<dyn Others>,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// The gate that leads a job instead of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Which.
    pub gate: EntityId,
    /// Its epoch, as far as is known here.
    pub gate_epoch: GateEpoch,
    /// When that was heard.
    pub at: Timestamp,
}

/// To whom a job belongs.
pub(super) enum Succession {
    /// This gate leads, or takes it.
    Ours,
    /// Another gate leads.
    Theirs { gate: EntityId, gate_epoch: GateEpoch },
    /// Another gate may lead, of whom too little is known.
    Unsettled,
}

/// Who leads a job of which a manager tells everything.
pub(super) fn of(state: &Gate, recall: &Recall, known: &Datacenters) -> Succession {
    let Some(seat) = &known.seat else { return Succession::Ours };
    let told = (&recall.gate.gate_id, recall.gate.epoch);
    let held = state.replaced.as_ref().map(|by| (&by.gate, by.gate_epoch)).filter(|held| held.1 > told.1);
    let (gate, gate_epoch) = held.unwrap_or(told);
    if !seat.others.is_other(gate) || seat.others.is_gone(gate) {
        return Succession::Ours;
    }
    let is_higher = (gate_epoch, gate) > (state.gate_epoch, &seat.gate.node);
    if state.replaced.is_some() || (state.finished.is_none() && is_higher) {
        Succession::Theirs { gate: gate.clone(), gate_epoch }
    } else if state.run.is_some() && gate_epoch == state.gate_epoch {
        Succession::Ours
    } else {
        Succession::Unsettled
    }
}

/// Who leads from now on, and where it listens: the gate that the manager names, or this one in its place.
pub(super) fn seat(recall: &Recall, known: &Datacenters) -> (Leader, String) {
    match known.seat.as_ref().filter(|seat| seat.others.is_other(&recall.gate.gate_id)) {
        Some(seat) => (seat.gate.clone(), seat.addr.clone()),
        None => {
            let incarnation = recall.gate.incarnation.unwrap_or(0);
            (Leader { node: recall.gate.gate_id.clone(), incarnation }, recall.gate.addr.clone())
        }
    }
}

/// The epoch after all that were seen; in place of another gate, above every one that it may mint meanwhile.
pub(super) fn next_epoch(seen: GateEpoch, recall: &Recall, known: &Datacenters) -> Option<GateEpoch> {
    let succeeds = known.seat.as_ref().is_some_and(|seat| seat.others.is_other(&recall.gate.gate_id));
    let next = seen.next(known.floor())?;
    if !succeeds {
        return Some(next);
    }
    let block = (next.get() / EPOCHS_OF_A_GATE).checked_add(1)?.checked_mul(EPOCHS_OF_A_GATE)?;
    Some(GateEpoch::shown(block))
}

/// A gate that was replaced takes nothing but what a manager tells it of the job.
pub(super) fn check_leads(state: &Gate, command: &Command) -> Result<(), Rejection> {
    match command {
        Command::Receive(message) if matches!(message.body, Body::JobRecall(_)) => Ok(()),
        Command::Tick | Command::RunErrands { .. } => Ok(()),
        Command::Receive(_)
        | Command::Track(_)
        | Command::Cancel { .. }
        | Command::Redirect { .. }
        | Command::TakeOver { .. }
        | Command::DatacenterGone { .. }
        | Command::DatacenterBack { .. }
        | Command::Transfer { .. }
        | Command::AskLeads => state.leads(),
    }
}

/// Tells every datacenter in which the job is open that this gate leads, and is told if it does not.
pub(super) fn ask_leads(mut draft: Draft) -> Decided {
    if draft.state().run.is_some() {
        let at = draft.now;
        draft.push(Event::LeadershipAsked { at });
    }
    Ok(draft.decided(Ok(Reply::Done)))
}

impl Gate {
    /// Is it this gate that is to be asked of the job?
    ///
    /// # Errors
    /// [`Rejection::LedElsewhere`].
    pub fn leads(&self) -> Result<(), Rejection> {
        match &self.replaced {
            None => Ok(()),
            Some(Replaced { gate, gate_epoch, .. }) => {
                Err(Rejection::LedElsewhere { gate: gate.clone(), gate_epoch: *gate_epoch })
            }
        }
    }

    /// What is known of the job here is another gate's to end.
    pub(super) fn replaced(&mut self, gate: &EntityId, gate_epoch: GateEpoch, at: Timestamp) {
        self.run = None;
        self.gate_epoch = self.gate_epoch.max(gate_epoch);
        self.replaced = Some(Replaced { gate: gate.clone(), gate_epoch, at });
    }
}
