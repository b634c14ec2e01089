//! Jobs and their gates, kept anew from what the journal says. Every event is checked against what came before it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::jobs::gate;
use quorate_core::jobs::manager::{self as job};
use quorate_core::jobs::protocol::message::{FinalStatus, Leader};
use quorate_core::jobs::protocol::token::{FenceToken, GateEpoch};
use quorate_core::jobs::worker;
use quorate_core::kernel::time::{Gap, Timestamp};
use quorate_runtime::api::dto::EventView;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A job in one datacenter.
#[derive(Debug, Default)]
pub struct JobBook {
    /// The highest token ever minted, and so the one in force.
    pub token: FenceToken,
    /// How the latest run ended; none while it is under way.
    pub ended: Option<FinalStatus>,
    /// Who was last granted the lease, under which token.
    lease: Option<(Leader, FenceToken)>,
    deadline: Option<Timestamp>,
}

/// A job at its gate.
#[derive(Debug, Default)]
pub struct GateBook {
    epoch: GateEpoch,
    pub finished: Option<FinalStatus>,
    decided: bool,
}

#[derive(Debug, Default)]
pub struct Work {
    /// By the name of the stream.
    pub jobs: BTreeMap<String, JobBook>,
    pub gates: BTreeMap<String, GateBook>,
    /// Everything that was asked for and happened: what, where, which.
    pub done: BTreeSet<(&'static str, String, String)>,
}

fn read<T: DeserializeOwned>(event: &EventView) -> Result<T, String> {
    serde_json::from_value(json!({ &event.event: event.data })).map_err(|e| format!("{e}: {event:?}"))
}

fn must(holds: bool, what: &str, event: &EventView) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: {event:?}")) }
}

impl Work {
    /// Adds one event; others than those of jobs, gates and workers say nothing here.
    pub fn add(&mut self, event: &EventView) -> Result<(), String> {
        match event.kind.as_str() {
            "job" => self.job(event, &read(event)?),
            "gate" => self.gate(event, &read(event)?),
            "worker" => {
                if let worker::Event::Reported { job_id, .. } = read(event)? {
                    self.note("report", job_id.as_str(), "");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, what: &'static str, name: &str, which: &str) {
        self.done.insert((what, name.to_owned(), which.to_owned()));
    }

    fn job(&mut self, event: &EventView, what: &job::Event) -> Result<(), String> {
        // Nothing was begun by that, and what never began is no job.
        if matches!(what, job::Event::RunRefused { .. }) {
            return Ok(());
        }
        let name = event.entity_id.as_str();
        let is_new = !self.jobs.contains_key(name);
        let book = self.jobs.entry(name.to_owned()).or_default();
        let minted = match what {
            job::Event::Submitted(submitted) => Some(submitted.token),
            job::Event::LeaderChanged(changed) => Some(changed.token),
            // Only a restart is another leadership; the process that was paused goes on with its own.
            job::Event::Resumed(resumed) if resumed.gap == Gap::Restart => Some(resumed.token),
            job::Event::TokenAdopted { token, .. } => Some(*token),
            _ => None,
        };
        if let Some(minted) = minted {
            must(minted > book.token, "a token was used twice", event)?;
            book.token = minted;
        }
        // A process that goes on after a gap, and one that only carries a command out, go on under the token in force.
        if let job::Event::Resumed(resumed) = what {
            must(resumed.token == book.token, "a gap changed the token", event)?;
        }
        let mut leased = None;
        // A lease is granted under the token in force, to a holder that keeps what it has or to another under a new one.
        let granted = match what {
            job::Event::LeaseTaken { holder, token, .. } | job::Event::LeaseGranted { holder, token, .. } => {
                Some((holder, *token))
            }
            _ => None,
        };
        if let Some((holder, token)) = granted {
            let again = book.lease.as_ref().is_some_and(|(before, _)| before == holder);
            must(again || token == book.token, "a lease under another token", event)?;
            let held = book.lease.as_ref().map_or(FenceToken::NONE, |(_, held)| *held);
            must(token > held || (again && token == held), "a lease under a token of another grant", event)?;
            book.lease = Some((holder.clone(), token));
            leased = Some(token);
        }
        let under = match what {
            job::Event::Ended(ended) => Some(ended.token),
            job::Event::Queued(entry) => Some(entry.token),
            job::Event::WorkflowMoved(moved) => Some(moved.token),
            _ => None,
        };
        must(under.is_none_or(|under| under == book.token), "under another leadership", event)?;
        match what {
            job::Event::Submitted(_) => {
                must(is_new || book.ended.is_some(), "begun twice", event)?;
                (book.ended, book.deadline) = (None, None);
                self.note("submit", name, "");
            }
            job::Event::TimeoutDetected(found) => {
                must(book.deadline.is_none(), "noticed twice", event)?;
                must(found.deadline < found.at, "noticed too early", event)?;
                book.deadline = Some(found.deadline);
            }
            job::Event::Ended(ended) => {
                must(book.ended.is_none(), "ended twice", event)?;
                let alone = ended.kind.is_some_and(|kind| matches!(kind.name(), "overall" | "stuck"));
                let closed = Some(ended.closed_at) == book.deadline;
                must(!alone || closed, "not closed as of its deadline", event)?;
                book.ended = Some(ended.status);
                let what = match ended.status {
                    FinalStatus::Completed => "complete",
                    FinalStatus::Cancelled => "cancel",
                    FinalStatus::Failed | FinalStatus::Timeout => return Ok(()),
                };
                self.note(what, name, "");
            }
            job::Event::LeaderChanged(changed) => self.note("transfer", name, &changed.token.to_string()),
            job::Event::LeaseTaken { .. } | job::Event::LeaseGranted { .. } => {
                leased.into_iter().for_each(|token| self.note("lease", name, &token.to_string()));
            }
            job::Event::ExtensionGranted(granted) => {
                self.note("extend", name, granted.request_id.as_deref().unwrap_or_default());
            }
            _ => {}
        }
        Ok(())
    }

    fn gate(&mut self, event: &EventView, what: &gate::Event) -> Result<(), String> {
        let name = event.entity_id.as_str();
        let is_new = !self.gates.contains_key(name);
        let book = self.gates.entry(name.to_owned()).or_default();
        let minted = match what {
            gate::Event::Tracked(tracked) => Some(tracked.gate_epoch),
            gate::Event::GateTransferred { gate_epoch, .. }
            | gate::Event::Resumed { gate_epoch, gap: Gap::Restart, .. }
            | gate::Event::EpochAdopted { gate_epoch, .. } => Some(*gate_epoch),
            gate::Event::Rebuilt(rebuilt) => Some(rebuilt.tracked.gate_epoch),
            _ => None,
        };
        if let Some(minted) = minted {
            must(minted > book.epoch, "an epoch was used twice", event)?;
            book.epoch = minted;
        }
        if let gate::Event::Resumed { gate_epoch, .. } = what {
            must(*gate_epoch == book.epoch, "a gap changed the epoch", event)?;
        }
        match what {
            gate::Event::Tracked(_) => {
                must(is_new || book.finished.is_some(), "tracked twice", event)?;
                (book.finished, book.decided) = (None, false);
                self.note("submit", name, "");
            }
            gate::Event::Declared { .. } | gate::Event::CancelRequested { .. } => {
                must(!book.decided, "decided twice", event)?;
                book.decided = true;
                if matches!(what, gate::Event::CancelRequested { .. }) {
                    self.note("cancel", name, "");
                }
            }
            gate::Event::Finished { status, .. } => {
                must(book.finished.is_none(), "finished twice", event)?;
                book.finished = Some(*status);
            }
            _ => {}
        }
        Ok(())
    }

    /// Jobs that have not ended.
    pub fn open(&self) -> usize {
        self.jobs.values().filter(|job| job.ended.is_none()).count()
    }
}
