//! Counters over all entities, updated when events are durable and kept beside the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::asked::AskedBy;
use super::hosts::{Hosted, cell_of};
use super::idle::Takers;
use super::lock;
use crate::core::capacity::cell::CellStats;
use crate::core::jobs::gate::index::GateIndex;
use crate::core::jobs::manager::heard;
use crate::core::jobs::manager::{self as job, index::JobIndex};
use crate::core::jobs::worker;
use crate::core::kernel::Machine;
use crate::core::kernel::ids::{DatacenterId, EntityId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::network::datacenter::Datacenters;
use crate::core::network::member::record as member;
use crate::core::trust::hook::{self, Hook, HookMachine};
use crate::core::trust::identity;
use crate::core::trust::subject::Subjects;
use crate::core::voting::agent::Directory;
use crate::core::voting::algorithms::Algorithms;
use crate::core::voting::proposal::{self, ProposalMachine, stats::ProposalStats, watch::Watch};
use crate::core::voting::quorum::{self, QuorumMachine, stats::QuorumStats};
use crate::core::voting::session::{self, SessionMachine, watch::Watch as Sessions};
use crate::core::voting::voter::{Directory as Voters, rate::Rates};
use crate::journal::codec::decode;
use crate::journal::{Fault, Record};

/// Counters kept over all entities, updated when events are durable.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) quorums: Mutex<QuorumStats>,
    pub(crate) open_quorums: Mutex<quorum::watch::Watch>,
    pub(crate) agents: Mutex<Directory>,
    pub(crate) proposals: Mutex<ProposalStats>,
    pub(crate) watch: Mutex<Watch>,
    pub(crate) algorithms: Mutex<Algorithms>,
    pub(crate) cells: Mutex<CellStats>,
    pub(crate) jobs: Mutex<JobIndex>,
    /// Jobs that gates track.
    pub(crate) gates: Mutex<GateIndex>,
    /// Workers that are registered and did not leave.
    pub(crate) workers: Mutex<BTreeSet<EntityId>>,
    /// Workers that wait for work that nobody has.
    pub(crate) takers: Takers,
    pub(crate) identities: Mutex<identity::Directory>,
    /// Rung when an identity has changed.
    pub(crate) identities_changed: watch::Sender<u64>,
    /// When identities were used that is not on record yet.
    pub(crate) identities_used: Mutex<BTreeMap<EntityId, Used>>,
    /// Open questions by the identity that asked them.
    pub(crate) asked: Mutex<AskedBy>,
    /// Hooks that were not removed.
    pub(crate) hooks: Mutex<BTreeMap<EntityId, Hook>>,
    /// Rung when a hook has changed.
    pub(crate) hooks_changed: watch::Sender<u64>,
    /// Whose data is sealed. Read as a whole at open.
    pub(crate) subjects: Mutex<Subjects>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) voters: Mutex<Voters>,
    /// How often each channel spoke within the last second.
    pub(crate) rates: Mutex<Rates>,
    /// What the datacenters say of themselves.
    pub(crate) datacenters: Mutex<Datacenters>,
    /// Members of the cluster that are known, as far as is on record.
    pub(crate) members: Mutex<BTreeSet<EntityId>>,
    /// Progress of jobs that is not on record, and so not kept either.
    pub(crate) heard: Mutex<heard::Memory>,
    /// Jobs sent to each datacenter since its last word about its queue. Not kept: its next word settles it.
    pub(crate) dispatched: Mutex<BTreeMap<DatacenterId, u64>>,
    /// Dispatches that were not answered yet, by job and datacenter. Not kept: whoever goes on sends them again.
    pub(crate) unanswered: Mutex<BTreeMap<(EntityId, EntityId), Sent>>,
}

/// A dispatch of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Its number.
    pub(crate) number: u64,
    /// When it was first sent.
    pub(crate) since: Timestamp,
    /// Does the router know that nobody answers?
    pub(crate) is_told: bool,
}

/// When an identity was used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// The last time.
    pub(crate) last: Option<Timestamp>,
    /// The last time that its entity was told.
    pub(crate) told: Option<Timestamp>,
}

/// What the counters say, in the form that is kept beside the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) former: FormerKept,
    pub(crate) gates: GateIndex,
}

/// The form before that of now, without what gates track.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FormerKept {
    quorums: QuorumStats,
    open_quorums: quorum::watch::Watch,
    agents: Directory,
    proposals: ProposalStats,
    watch: Watch,
    algorithms: Algorithms,
    cells: CellStats,
    jobs: JobIndex,
    workers: BTreeSet<EntityId>,
    identities: identity::Directory,
    sessions: Sessions,
    voters: Voters,
    rates: Rates,
    datacenters: Datacenters,
    members: BTreeSet<EntityId>,
    hooks: BTreeMap<EntityId, Hook>,
    asked: AskedBy,
}

impl Counters {
    /// Goes on from what was kept.
    pub(crate) fn resume(kept: Kept) -> Self {
        let Kept { former: kept, gates } = kept;
        Counters {
            quorums: Mutex::new(kept.quorums),
            open_quorums: Mutex::new(kept.open_quorums),
            agents: Mutex::new(kept.agents),
            proposals: Mutex::new(kept.proposals),
            watch: Mutex::new(kept.watch),
            algorithms: Mutex::new(kept.algorithms),
            cells: Mutex::new(kept.cells),
            jobs: Mutex::new(kept.jobs),
            gates: Mutex::new(gates),
            workers: Mutex::new(kept.workers),
            takers: Takers::default(),
            identities: Mutex::new(kept.identities),
            identities_changed: watch::Sender::default(),
            identities_used: Mutex::default(),
            asked: Mutex::new(kept.asked),
            hooks: Mutex::new(kept.hooks),
            hooks_changed: watch::Sender::default(),
            subjects: Mutex::default(),
            sessions: Mutex::new(kept.sessions),
            voters: Mutex::new(kept.voters),
            rates: Mutex::new(kept.rates),
            datacenters: Mutex::new(kept.datacenters),
            members: Mutex::new(kept.members),
            heard: Mutex::default(),
            dispatched: Mutex::default(),
            unanswered: Mutex::default(),
        }
    }

    /// What is to be kept.
    pub(crate) fn keep(&self) -> Kept {
        let former = FormerKept {
            quorums: lock(&self.quorums).clone(),
            open_quorums: lock(&self.open_quorums).clone(),
            agents: lock(&self.agents).clone(),
            proposals: lock(&self.proposals).clone(),
            watch: lock(&self.watch).clone(),
            algorithms: lock(&self.algorithms).clone(),
            cells: lock(&self.cells).clone(),
            jobs: lock(&self.jobs).clone(),
            workers: lock(&self.workers).clone(),
            identities: lock(&self.identities).clone(),
            sessions: lock(&self.sessions).clone(),
            voters: lock(&self.voters).clone(),
            rates: lock(&self.rates).clone(),
            datacenters: lock(&self.datacenters).clone(),
            members: lock(&self.members).clone(),
            hooks: lock(&self.hooks).clone(),
            asked: lock(&self.asked).clone(),
        };
        Kept { former, gates: lock(&self.gates).clone() }
    }

    /// Adds one durable event, made under this identity, as far as it opens or ends a question.
    pub(crate) fn note_asked<M: Hosted>(&self, id: &EntityId, by: Option<&EntityId>, event: &M::Event) {
        if let Some(change) = M::question(event) {
            lock(&self.asked).apply(M::KIND, id, by, change);
        }
    }

    /// Adds one durable event of a hook.
    pub(crate) fn count_hook(&self, id: &EntityId, event: &hook::Event) {
        let mut hooks = lock(&self.hooks);
        let hook = hooks.entry(id.clone()).or_default();
        HookMachine::evolve(hook, event);
        if hook.is_removed() {
            hooks.remove(id);
        }
    }

    /// Adds one durable event of a worker.
    pub(crate) fn count_worker(&self, id: &EntityId, event: &worker::Event) {
        match event {
            worker::Event::Registered { .. } => {
                lock(&self.workers).insert(id.clone());
            }
            worker::Event::Left { .. } => {
                lock(&self.workers).remove(id);
            }
            worker::Event::Dispatched { .. }
            | worker::Event::Reported { .. }
            | worker::Event::ReportDelivered { .. }
            | worker::Event::LeaderChanged { .. }
            | worker::Event::TransferParked { .. }
            | worker::Event::ParkedExpired { .. }
            | worker::Event::StopAsked { .. }
            | worker::Event::Aborted { .. }
            | worker::Event::LeaderLost { .. }
            | worker::Event::ExtensionRequested { .. }
            | worker::Event::ExtensionAnswered { .. }
            | worker::Event::FenceRejected { .. }
            | worker::Event::Draining { .. }
            | worker::Event::Resumed { .. }
            | worker::Event::ReportsDropped { .. }
            | worker::Event::Enrolled { .. }
            | worker::Event::Took { .. }
            | worker::Event::Beat { .. }
            | worker::Event::GivenBack { .. }
            | worker::Event::Lost { .. }
            | worker::Event::Revoked { .. } => {}
        }
    }

    /// Adds one durable event of a job. Work that nobody has wakes a worker that waits for some.
    pub(crate) fn count_job(&self, stream: &EntityId, event: &job::Event) {
        let mut index = lock(&self.jobs);
        index.apply(stream, event);
        if let Some(datacenter) = index.is_open(stream) {
            self.takers.wake(datacenter);
        }
    }

    /// Adds one durable event of a member.
    pub(crate) fn count_member(&self, id: &EntityId, event: &member::Event) {
        match event.is_known() {
            Some(true) => {
                lock(&self.members).insert(id.clone());
            }
            Some(false) => {
                lock(&self.members).remove(id);
            }
            None => {}
        }
    }

    /// Adds one durable event of a quorum.
    pub(crate) fn count_quorum(&self, id: &EntityId, event: &quorum::Event) {
        lock(&self.quorums).apply(event);
        lock(&self.open_quorums).apply(id, event);
    }

    /// Adds one durable event of a proposal.
    pub(crate) fn count_proposal(&self, id: &EntityId, event: &proposal::Event) {
        lock(&self.proposals).apply(event);
        match event {
            proposal::Event::Opened(_) | proposal::Event::Closed(_) => lock(&self.watch).apply(id, event),
            proposal::Event::VoteCast(_)
            | proposal::Event::VoteCastWithReason(_)
            | proposal::Event::VoteCastWithValue(_) => {
                if let Some(cast) = event.vote_cast() {
                    lock(&self.agents).voted(&cast.voter_id, cast.cast_at);
                }
            }
            proposal::Event::Broadcast(_)
            | proposal::Event::Handed { .. }
            | proposal::Event::VoteRefused(_)
            | proposal::Event::VoteRefusedWithReason(_)
            | proposal::Event::AbsenceChanged { .. }
            | proposal::Event::Keyed(_)
            | proposal::Event::Mandated(_)
            | proposal::Event::Spent(_)
            | proposal::Event::Redeemed(_)
            | proposal::Event::VoteRefusedWithValue(_)
            | proposal::Event::AnswerAsked(_)
            | proposal::Event::Delegated(_)
            | proposal::Event::RemindersAsked { .. }
            | proposal::Event::Reminded(_)
            | proposal::Event::Told(_)
            | proposal::Event::Extended(_) => {}
        }
    }

    /// Adds a record read back from the journal.
    pub(crate) fn replay(&self, record: &Record) -> Result<(), Fault> {
        match record.stream.kind {
            StreamKind::Quorum => {
                let event = decode(&record.payload)?;
                self.note_asked::<QuorumMachine>(&record.stream.id, record.by.as_ref(), &event);
                self.count_quorum(&record.stream.id, &event);
            }
            StreamKind::Topology => {}
            StreamKind::Agent => {
                lock(&self.agents).apply(&VoterId::from(&record.stream.id), &decode(&record.payload)?);
            }
            StreamKind::Proposal => {
                let event = decode(&record.payload)?;
                self.note_asked::<ProposalMachine>(&record.stream.id, record.by.as_ref(), &event);
                self.count_proposal(&record.stream.id, &event);
            }
            StreamKind::Algorithms => lock(&self.algorithms).apply(&decode(&record.payload)?),
            StreamKind::Cell => {
                let event = decode(&record.payload)?;
                lock(&self.cells).apply(&cell_of(&record.stream.id)?, &event);
            }
            StreamKind::Job => lock(&self.jobs).apply(&record.stream.id, &decode(&record.payload)?),
            StreamKind::Identity => {
                lock(&self.identities).apply(&record.stream.id, &decode(&record.payload)?);
            }
            StreamKind::Voter => {
                lock(&self.voters).apply(&VoterId::from(&record.stream.id), &decode(&record.payload)?);
            }
            StreamKind::Session => {
                let event = decode(&record.payload)?;
                self.note_asked::<SessionMachine>(&record.stream.id, record.by.as_ref(), &event);
                self.replay_session(&record.stream.id, &event);
            }
            StreamKind::Budget => lock(&self.cells).apply_budget(&decode(&record.payload)?),
            StreamKind::Gate => lock(&self.gates).apply(&record.stream.id, &decode(&record.payload)?),
            // Nothing is counted of it.
            StreamKind::Durations => {}
            StreamKind::Worker => self.count_worker(&record.stream.id, &decode(&record.payload)?),
            // Each counts for itself, and is asked.
            StreamKind::Flow | StreamKind::Load => {}
            StreamKind::Route | StreamKind::Coordinate => {}
            StreamKind::Member => self.count_member(&record.stream.id, &decode(&record.payload)?),
            // What is stopped, and whose data is sealed, is read as a whole at open.
            StreamKind::Stops | StreamKind::Retention | StreamKind::Subjects => {}
            StreamKind::Hook => self.count_hook(&record.stream.id, &decode(&record.payload)?),
            StreamKind::Datacenter => lock(&self.datacenters).apply(&decode(&record.payload)?),
        }
        Ok(())
    }

    /// Adds an event of a session read back from the journal, with what it says of the rate of its voter.
    fn replay_session(&self, id: &EntityId, event: &session::Event) {
        lock(&self.sessions).apply(id, event);
        if let session::Event::VoteReceived(received) = event {
            let channel = lock(&self.voters).channel(&received.vote.voter_id, received.signature.is_some());
            if let Some(channel) = channel {
                lock(&self.rates).admitted(channel, received.received_at);
            }
        }
    }
}
