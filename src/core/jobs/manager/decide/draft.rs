//! What decisions about a job share: who leads it, what is refused on record, and what is sent.

use crate::jobs::manager::JobMachine;
use crate::jobs::manager::command::Effect;
use crate::jobs::manager::event::{Event, FenceRejected};
use crate::jobs::manager::outbox::{Entry, Notice, Recipient};
use crate::jobs::manager::rejection::{Rejection, invalid};
use crate::jobs::manager::state::{MAX_REMEMBERED, Refused, Run};
use crate::jobs::protocol::message::{Body, Message, Party};
use crate::jobs::protocol::token::{FenceToken, Shown, Standing, standing};
use crate::kernel::draft;
use crate::kernel::ids::EntityId;

/// See the [module](self).
pub(super) type Draft<'a> = draft::Draft<'a, JobMachine>;

impl Draft<'_> {
    /// The latest run, over or not.
    pub(super) fn run(&self) -> Result<&Run, Rejection> {
        self.state().run.as_ref().ok_or(Rejection::UnknownJob)
    }

    /// The run, if somebody leads it and it has not ended.
    pub(super) fn live(&self) -> Result<&Run, Rejection> {
        let run = self.led()?;
        match &run.ended {
            Some(ended) => Err(Rejection::AlreadyTerminal { status: ended.status }),
            None => Ok(run),
        }
    }

    /// The run, if somebody leads it or it has ended.
    pub(super) fn led(&self) -> Result<&Run, Rejection> {
        let run = self.run()?;
        match run.suspended_at {
            Some(_) => Err(Rejection::Suspended { token: run.token }),
            None => Ok(run),
        }
    }

    pub(super) fn ids(&self) -> Result<(&EntityId, &EntityId), Rejection> {
        match (&self.state().job_id, &self.state().datacenter) {
            (Some(job_id), Some(datacenter)) => Ok((job_id, datacenter)),
            (_, _) => Err(Rejection::UnknownJob),
        }
    }

    /// Is the leadership shown the one on record? A refusal is recorded once until something changes.
    pub(super) fn check_fence(&mut self, what: &str, shown: Option<FenceToken>) -> Result<(), Rejection> {
        let run = self.led()?;
        let Some(given) = shown else { return Ok(()) };
        let held = run.token;
        if given == FenceToken::NONE {
            return Err(invalid("fence_token", given, "at least 1"));
        }
        let rejection = match standing(given, held) {
            Standing::Current => return Ok(()),
            Standing::Stale => Rejection::Stale { held, given },
            Standing::Newer => Rejection::UnknownToken { held, given },
        };
        self.record_fence(what, given, held.get());
        Err(rejection)
    }

    /// The same of what only the leader does: while somebody holds the lease of the job, no token is not let through.
    pub(super) fn check_leads(&mut self, what: &str, shown: Option<FenceToken>) -> Result<(), Rejection> {
        self.check_fence(what, shown)?;
        let live = self.run()?.ended.is_none();
        match self.state().lease.holder_at(self.now) {
            Some(holder) if live && shown.is_none() => {
                Err(Rejection::TokenMissing { holder: holder.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The same, of a job that has not ended.
    pub(super) fn check_live(&mut self, what: &str, shown: Option<FenceToken>) -> Result<(), Rejection> {
        self.check_leads(what, shown)?;
        self.live().map(|_| ())
    }

    /// Puts on record that somebody showed another token, once until something changes.
    pub(super) fn record_fence(&mut self, what: &str, shown: impl Into<Shown>, held: u64) {
        let (domain, given) = shown.into();
        let key = Refused::Fence(what.to_owned(), domain, given);
        if self.is_new(&key) {
            let (what, at) = (what.to_owned(), self.now);
            self.push(Event::FenceRejected(FenceRejected { what, domain, held, given, at }));
        }
    }

    /// Was this refusal not recorded since the last change? When too many are remembered none is new.
    pub(super) fn is_new(&self, key: &Refused) -> bool {
        let refused = &self.state().refused;
        refused.len() < MAX_REMEMBERED && !refused.contains(key)
    }

    /// Puts a message into the outbox, and sends it for the first time.
    pub(super) fn queue(&mut self, to: Recipient, notice: Notice) {
        let (Ok(run), runs) = (self.run(), self.state().runs) else { return };
        if to == Recipient::Gate && run.gate.is_none() {
            return;
        }
        let entry = Entry {
            number: self.state().last_number.saturating_add(1),
            run: runs,
            to,
            notice,
            token: run.token,
            since: self.now,
            deferred: false,
        };
        self.push(Event::Queued(Box::new(entry.clone())));
        self.send_entry(&entry);
    }

    /// Sends what stands in the outbox.
    pub(super) fn send_entry(&mut self, entry: &Entry) {
        super::post::message_of(self.state(), entry)
            .into_iter()
            .for_each(|message| self.owe(Effect::Send(message)));
    }

    /// Sends a message that is neither kept nor answered, or that answers another.
    pub(super) fn send(&mut self, to: Party, number: u64, body: Body) {
        super::post::message(self.state(), to, number, body)
            .into_iter()
            .for_each(|message| self.post(message));
    }

    /// Answers a message. One that asks for no answer gets none.
    pub(super) fn answer(&mut self, message: &Message, body: Body) {
        if message.number == 0 {
            return;
        }
        self.post(message.answer(body));
    }

    /// Sends a message as it is.
    pub(super) fn post(&mut self, message: Message) {
        self.owe(Effect::Send(Box::new(message)));
    }
}
