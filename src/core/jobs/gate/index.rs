//! Which jobs gates track, and where: a fold over the events of all gates, from which lists are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{Event, Target};
use super::state::Gate;
use crate::kernel::ids::EntityId;
use crate::kernel::openings::Openings;
use crate::kernel::time::Timestamp;

/// The jobs that are tracked, each in each of its datacenters in which it has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateIndex {
    /// `job@datacenter`, by the time of the submission.
    pub places: Openings,
    /// How many of them are in each datacenter.
    pub counts: BTreeMap<EntityId, u64>,
    /// What leaders that were replaced said, by the message.
    pub fenced: BTreeMap<String, u64>,
}

/// The name of a job in a datacenter; none where it is longer than a name may be, as no such job is tracked.
fn place(job_id: &EntityId, datacenter: &EntityId) -> Option<EntityId> {
    EntityId::stored(format!("{job_id}@{datacenter}")).ok()
}

/// The job and the datacenter that a place names. Neither has an `@` in front of the last one.
pub fn parts(place: &EntityId) -> Option<(EntityId, EntityId)> {
    let (job_id, datacenter) = place.as_str().rsplit_once('@')?;
    Some((EntityId::stored(job_id).ok()?, EntityId::stored(datacenter).ok()?))
}

impl GateIndex {
    /// Adds one durable event of the job of this id.
    pub fn apply(&mut self, job_id: &EntityId, event: &Event) {
        match event {
            Event::Tracked(tracked) => self.begin(job_id, &tracked.targets, tracked.at),
            Event::Rebuilt(rebuilt) => self.begin(job_id, &rebuilt.tracked.targets, rebuilt.submitted_at),
            Event::DatacenterEnded { datacenter, provisional: false, .. } => {
                self.close(job_id, datacenter);
            }
            Event::Redirected { from, to, at, .. } | Event::Moved { from, to, at, .. } => {
                let since = self.close(job_id, from).unwrap_or(*at);
                self.open(job_id, &to.datacenter, since);
            }
            Event::Finished { .. } | Event::GateReplaced { .. } => self.end(job_id),
            Event::FenceRejected(rejected) => {
                *self.fenced.entry(rejected.message.clone()).or_default() += 1;
            }
            Event::DatacenterEnded { .. }
            | Event::LeaderChanged { .. }
            | Event::Progressed { .. }
            | Event::DatacenterTimedOut { .. }
            | Event::Declared { .. }
            | Event::Delivered { .. }
            | Event::CancelRequested { .. }
            | Event::CancelDelivered { .. }
            | Event::Abandoned { .. }
            | Event::GateTransferred { .. }
            | Event::Resumed { .. }
            | Event::LateFinal { .. }
            | Event::Recalled { .. }
            | Event::EpochAdopted { .. }
            | Event::PayloadNoted { .. }
            | Event::TakenOver { .. }
            | Event::LeadershipAsked { .. }
            | Event::DatacenterLost { .. }
            | Event::DatacenterBack { .. } => {}
        }
    }

    /// How many are tracked in datacenters that fit.
    pub fn count(&self, fits: impl Fn(&EntityId) -> bool) -> u64 {
        self.counts.iter().filter(|(datacenter, _)| fits(datacenter)).map(|(_, count)| count).sum()
    }

    /// Takes a job as it stands, where its events were not counted from the first one on.
    pub fn stands(&mut self, job_id: &EntityId, gate: &Gate) {
        self.end(job_id);
        let Some(run) = &gate.run else { return };
        for datacenter in run.open() {
            self.open(job_id, datacenter, run.submitted_at);
        }
    }

    fn begin(&mut self, job_id: &EntityId, targets: &[Target], since: Timestamp) {
        self.end(job_id);
        for target in targets {
            self.open(job_id, &target.datacenter, since);
        }
    }

    fn open(&mut self, job_id: &EntityId, datacenter: &EntityId, since: Timestamp) {
        if let Some(place) = place(job_id, datacenter) {
            if !self.places.contains(&place) {
                *self.counts.entry(datacenter.clone()).or_default() += 1;
            }
            self.places.insert(place, since);
        }
    }

    /// Since when it was open, if it was.
    fn close(&mut self, job_id: &EntityId, datacenter: &EntityId) -> Option<Timestamp> {
        let place = place(job_id, datacenter)?;
        let since = self.places.since(&place)?;
        self.places.remove(&place);
        let left = self.counts.get(datacenter).map_or(0, |count| count.saturating_sub(1));
        match left {
            0 => self.counts.remove(datacenter),
            left => self.counts.insert(datacenter.clone(), left),
        };
        Some(since)
    }

    fn end(&mut self, job_id: &EntityId) {
        // Every place of the job stands behind its bare name with the mark, and nothing else among them.
        let mark = format!("{job_id}@");
        let Ok(from) = EntityId::stored(mark.clone()) else { return };
        let places = self.places.after(Some(&from)).take_while(|place| place.as_str().starts_with(&mark));
        let datacenters: Vec<EntityId> = places.filter_map(|place| Some(parts(place)?.1)).collect();
        for datacenter in datacenters {
            self.close(job_id, &datacenter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::gate::event::FenceRejected;
    use crate::jobs::protocol::message::{FinalStatus, Leader};
    use crate::jobs::protocol::token::FenceToken;

    fn id(name: &str) -> EntityId {
        EntityId::new(name).unwrap()
    }

    fn target(datacenter: &str) -> Target {
        let manager = Leader { node: id("m"), incarnation: 1 };
        Target { datacenter: id(datacenter), manager, manager_addr: "m:1".into() }
    }

    fn listed(index: &GateIndex) -> Vec<String> {
        index.places.after(None).map(EntityId::to_string).collect()
    }

    #[test]
    fn a_job_is_listed_where_it_is_open_and_no_job_of_a_similar_name_goes_with_it() {
        let mut index = GateIndex::default();
        let at = Timestamp::from_millis(5);
        for job in ["j", "j-1", "j2"] {
            index.begin(&id(job), &[target("a"), target("b")], at);
        }
        let (from, to) = (id("a"), target("c"));
        let moved = Event::Moved {
            from,
            to,
            above_token: FenceToken::shown(9),
            plan: None,
            reason: String::new(),
            at: Timestamp::from_millis(9),
        };
        index.apply(&id("j"), &moved);
        assert_eq!(listed(&index), ["j-1@a", "j-1@b", "j2@a", "j2@b", "j@b", "j@c"]);
        assert_eq!(index.places.since(&id("j-1@a")), Some(at));
        // What moved is as old as before.
        assert_eq!(index.places.since(&EntityId::stored("j@c").unwrap()), Some(at));
        let ended = |provisional| Event::DatacenterEnded {
            datacenter: id("b"),
            status: FinalStatus::Completed,
            reason: String::new(),
            kind: None,
            provisional,
            corrects: false,
            fence_token: FenceToken::NONE,
            at,
        };
        index.apply(&id("j2"), &ended(true));
        assert_eq!(index.count(|_| true), 6, "what may be corrected is open");
        index.apply(&id("j2"), &ended(false));
        let finished = Event::Finished { status: FinalStatus::Completed, late_completion: false, at };
        index.apply(&id("j"), &finished);
        assert_eq!(listed(&index), ["j-1@a", "j-1@b", "j2@a"]);
        assert_eq!((index.count(|dc| dc.as_str() == "a"), index.counts.get(&id("c"))), (2, None));
        let rejected = FenceRejected {
            datacenter: id("a"),
            message: "job_final_status".into(),
            leader: Leader { node: id("m"), incarnation: 1 },
            held: FenceToken::shown(9),
            given: FenceToken::shown(1),
            at,
        };
        index.apply(&id("j2"), &Event::FenceRejected(rejected));
        assert_eq!(index.fenced.get("job_final_status"), Some(&1));
    }
}
