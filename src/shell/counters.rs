//! Counters over all entities, updated when events are durable and kept beside the journal.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::hosts::cell_of;
use super::lock;
use crate::core::capacity::cell::CellStats;
use crate::core::jobs::manager::heard;
use crate::core::jobs::manager::index::JobIndex;
use crate::core::kernel::ids::{EntityId, StreamKind, VoterId};
use crate::core::kernel::time::Timestamp;
use crate::core::trust::identity;
use crate::core::voting::agent::Directory;
use crate::core::voting::algorithms::Algorithms;
use crate::core::voting::proposal::{self, stats::ProposalStats, watch::Watch};
use crate::core::voting::quorum::stats::QuorumStats;
use crate::core::voting::session::{self, watch::Watch as Sessions};
use crate::core::voting::voter::{Directory as Voters, rate::Rates};
use crate::journal::codec::decode;
use crate::journal::{Fault, Record};

/// Counters kept over all entities, updated when events are durable.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) quorums: Mutex<QuorumStats>,
    pub(crate) agents: Mutex<Directory>,
    pub(crate) proposals: Mutex<ProposalStats>,
    pub(crate) watch: Mutex<Watch>,
    pub(crate) algorithms: Mutex<Algorithms>,
    pub(crate) cells: Mutex<CellStats>,
    pub(crate) jobs: Mutex<JobIndex>,
    pub(crate) identities: Mutex<identity::Directory>,
    /// Rung when an identity has changed.
    pub(crate) identities_changed: watch::Sender<u64>,
    /// When identities were used that is not on record yet.
    pub(crate) identities_used: Mutex<BTreeMap<EntityId, Used>>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) voters: Mutex<Voters>,
    /// How often each channel spoke within the last second.
    pub(crate) rates: Mutex<Rates>,
    /// Progress of jobs that is not on record, and so not kept either.
    pub(crate) heard: Mutex<heard::Memory>,
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
    quorums: QuorumStats,
    agents: Directory,
    proposals: ProposalStats,
    watch: Watch,
    algorithms: Algorithms,
    cells: CellStats,
    jobs: JobIndex,
    identities: identity::Directory,
    sessions: Sessions,
    voters: Voters,
    rates: Rates,
}

impl Counters {
    /// Goes on from what was kept.
    pub(crate) fn resume(kept: Kept) -> Self {
        Counters {
            quorums: Mutex::new(kept.quorums),
            agents: Mutex::new(kept.agents),
            proposals: Mutex::new(kept.proposals),
            watch: Mutex::new(kept.watch),
            algorithms: Mutex::new(kept.algorithms),
            cells: Mutex::new(kept.cells),
            jobs: Mutex::new(kept.jobs),
            identities: Mutex::new(kept.identities),
            identities_changed: watch::Sender::default(),
            identities_used: Mutex::default(),
            sessions: Mutex::new(kept.sessions),
            voters: Mutex::new(kept.voters),
            rates: Mutex::new(kept.rates),
            heard: Mutex::default(),
        }
    }

    /// What is to be kept.
    pub(crate) fn keep(&self) -> Kept {
        Kept {
            quorums: lock(&self.quorums).clone(),
            agents: lock(&self.agents).clone(),
            proposals: lock(&self.proposals).clone(),
            watch: lock(&self.watch).clone(),
            algorithms: lock(&self.algorithms).clone(),
            cells: lock(&self.cells).clone(),
            jobs: lock(&self.jobs).clone(),
            identities: lock(&self.identities).clone(),
            sessions: lock(&self.sessions).clone(),
            voters: lock(&self.voters).clone(),
            rates: lock(&self.rates).clone(),
        }
    }

    /// Adds one durable event of a proposal.
    pub(crate) fn count_proposal(&self, id: &EntityId, event: &proposal::Event) {
        lock(&self.proposals).apply(event);
        match event {
            proposal::Event::Opened(_) | proposal::Event::Closed(_) => lock(&self.watch).apply(id, event),
            proposal::Event::VoteCast(cast) => {
                lock(&self.agents).voted(&cast.voter_id, cast.cast_at);
            }
            proposal::Event::VoteCastWithReason(with) => {
                lock(&self.agents).voted(&with.cast.voter_id, with.cast.cast_at);
            }
            proposal::Event::Broadcast(_)
            | proposal::Event::Handed { .. }
            | proposal::Event::VoteRefused(_)
            | proposal::Event::VoteRefusedWithReason(_)
            | proposal::Event::AbsenceChanged { .. }
            | proposal::Event::Keyed(_) => {}
        }
    }

    /// Adds a record read back from the journal.
    pub(crate) fn replay(&self, record: &Record) -> Result<(), Fault> {
        match record.stream.kind {
            StreamKind::Quorum => lock(&self.quorums).apply(&decode(&record.payload)?),
            StreamKind::Topology => {}
            StreamKind::Agent => {
                lock(&self.agents).apply(&VoterId::from(&record.stream.id), &decode(&record.payload)?);
            }
            StreamKind::Proposal => self.count_proposal(&record.stream.id, &decode(&record.payload)?),
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
            StreamKind::Session => self.replay_session(&record.stream.id, &decode(&record.payload)?),
            // A budget holds what its cells say. Nothing of the other kinds is recorded yet.
            StreamKind::Budget | StreamKind::Gate | StreamKind::Worker | StreamKind::Durations => {}
            // Each counts for itself, and is asked.
            StreamKind::Flow | StreamKind::Load => {}
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
