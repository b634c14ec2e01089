//! The transition table of the [job](super), one function per row.

mod clock;
mod draft;
mod inbox;
mod lead;
mod more;
mod over;
mod post;
mod recall;
mod stop;
mod submit;
mod work;

pub(super) use lead::{clock_stepped, resume};
pub(super) use post::{errand, owed, owes};

use super::JobMachine;
use super::command::{Command, Reply};
use super::heard::Heard;
use super::rejection::Rejection;
use super::state::Job;
use crate::kernel::Decision;
use crate::kernel::time::Timestamp;
use draft::Draft;

pub(super) fn decide(
    state: &Job,
    command: Command,
    now: Timestamp,
    heard: &Heard,
) -> Result<Decision<JobMachine>, Rejection> {
    let mut draft = Draft::within(state, now, heard.clone());
    let reply = handle(&mut draft, command, heard);
    draft.finish(reply)
}

fn handle(draft: &mut Draft<'_>, command: Command, heard: &Heard) -> Result<Reply, Rejection> {
    match command {
        Command::Submit(submit) => submit::submit(draft, *submit),
        Command::Progress { workflow_id, completed_count, token } => {
            draft.check_live("progress", token)?;
            work::progress(draft, workflow_id, completed_count, heard)
        }
        Command::Extend { request, in_every_job, token } => {
            draft.check_fence("extend", token)?;
            more::extend(draft, &request, in_every_job)
        }
        Command::Assign { workflow_id, worker_id, token } => {
            draft.check_live("assign", token)?;
            work::assign_asked(draft, &workflow_id, &worker_id)
        }
        Command::Transition { workflow_id, to, reason, result, token } => {
            draft.check_leads("transition", token)?;
            work::transition(draft, &workflow_id, to, &reason, result)
        }
        Command::Transfer { to, addr, force, token } => lead::transfer(draft, to, addr, force, token),
        Command::Complete { status, reason, token } => {
            draft.check_leads("complete", token)?;
            stop::complete(draft, status, &reason)
        }
        Command::Cancel(request) => stop::cancel(draft, &request),
        Command::WorkerLost { worker_id } => work::worker_lost(draft, &worker_id),
        Command::WorkerHealthy { worker_id } => more::worker_healthy(draft, &worker_id),
        Command::WorkerReady { worker_id, places } => Ok(work::worker_ready(draft, &worker_id, places)),
        Command::Claim { worker_id, places } => work::claim(draft, &worker_id, places),
        Command::Suspend { token, reason } => lead::suspend(draft, token, &reason),
        Command::AcquireLease { holder, addr, seen, force, lease_ms, in_process, by } => {
            lead::acquire(draft, holder, addr, lead::Terms { seen, force, lease_ms, in_process, by })
        }
        Command::RenewLease { holder, token, lease_ms } => lead::renew(draft, &holder, token, lease_ms),
        Command::ReleaseLease { holder, token } => lead::release(draft, &holder, token),
        Command::Receive(message) => inbox::receive(draft, *message, heard),
        Command::TellGate { gate } => recall::succeed(draft, gate),
        Command::RunErrands { due } => Ok(post::run_errands(draft, due)),
        Command::Tick => Ok(clock::tick(draft, heard)),
    }
}
