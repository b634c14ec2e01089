//! What the node of a gate hears of datacenters: which managers they have and how far away they are, told to the router as
//! heartbeats.
//!
//! ```text
//!  node ── seen ──► managers of each datacenter ──► differs, or ten seconds are over ──► Update ──► candidates of the router
//! ```
//!
//! A datacenter all of whose managers are gone has none that is well, and no job goes there. What operators tell of it beside
//! that (`datacenter.update`: cores, queue, health) stays as they told it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fleet::Seen;
use super::host::Host;
use super::hosts::datacenters_id;
use super::jobs::LOCAL;
use super::tell::tell;
use crate::core::kernel::ids::{DatacenterId, EntityId, NodeId};
use crate::core::network::datacenter::{Change, Command, DatacentersMachine};
use crate::core::network::member::NodeRole;

/// Between two heartbeats that say the same. The router takes health for old after 30 s.
const EVERY: Duration = Duration::from_secs(10);

/// The managers of a datacenter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Managers {
    all: u64,
    there: u64,
    /// The first of those that are there, by their names.
    first: Option<EntityId>,
}

/// What was told, and when.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    told: BTreeMap<EntityId, (Managers, Duration)>,
}

impl Heartbeats {
    /// Tells the router what is new, `now` after this process began to look.
    pub(super) fn tell(&mut self, host: &Arc<Host>, seen: &[Seen], now: Duration) {
        for change in self.news(seen, now) {
            let known = &host.config.jobs.datacenters;
            if known.is_empty() || known.contains(&EntityId::from(&change.datacenter_id)) {
                tell::<DatacentersMachine>(host, &datacenters_id(), Command::Update(Box::new(change)));
            }
        }
    }

    fn news(&mut self, seen: &[Seen], now: Duration) -> Vec<Change> {
        // A datacenter that was told of and has no manager any more is told so, for as long as it is known here.
        let mut all: BTreeMap<EntityId, Managers> =
            self.told.keys().map(|name| (name.clone(), Managers::default())).collect();
        let managers = seen.iter().filter(|one| one.role == Some(NodeRole::Manager));
        for one in managers.clone() {
            let Some(name) = one.datacenter.as_ref().filter(|name| name.as_str() != LOCAL) else { continue };
            let of = all.entry(name.clone()).or_default();
            of.all += 1;
            if one.is_there() {
                of.there += 1;
                of.first = of.first.take().into_iter().chain([one.node.clone()]).min();
            }
        }
        let mut news = Vec::new();
        for (name, of) in all {
            let is_told =
                self.told.get(&name).is_some_and(|(told, at)| *told == of && now < at.saturating_add(EVERY));
            // Until one was there, a datacenter is only a name.
            if is_told || (of.there == 0 && !self.told.contains_key(&name)) {
                continue;
            }
            let far = managers
                .clone()
                .filter(|one| one.is_there() && one.datacenter.as_ref() == Some(&name))
                .filter_map(|one| Some((one.rtt_ucb_ms?, one.quality)))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            news.push(Change {
                total_managers: Some(of.all.max(1)),
                healthy_managers: Some(of.there),
                leader: of.first.as_ref().map(NodeId::from),
                rtt_ucb_ms: far.map(|far| far.0),
                coordinate_quality: far.map(|far| far.1),
                ..Change::of(DatacenterId::from(&name))
            });
            self.told.insert(name, (of, now));
        }
        news
    }
}

#[cfg(test)]
#[path = "heartbeats_test.rs"]
mod tests;
