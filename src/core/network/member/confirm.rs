//! Peers that were only heard of: probed by their role's strategy, confirmed by the first word from them, removed without
//! one. A removal is no death: nobody is told, and nothing is suspected.

use std::time::Duration;

use super::lifecycle::Cause;
use super::node::{Membership, Timer};
use super::probe::Purpose;
use super::role::{ConfirmationStrategy, NodeRole};
use super::table::Member;
use crate::kernel::ids::NodeId;
use crate::kernel::rng::Rng;
use crate::kernel::time::Timestamp;

/// What does not fit into one burst is looked at after this.
const NEXT_BURST: Duration = Duration::from_millis(50);

impl Membership {
    /// How long a peer may stay unconfirmed.
    pub(super) fn confirmation_timeout(&self, id: &NodeId, role: Option<NodeRole>) -> Duration {
        let strategy = ConfirmationStrategy::of(role);
        let load = f64::from(self.health.multiplier()).min(strategy.load_cap);
        let (_, factors) = self.probe_timeout(id);
        let distance = if strategy.is_latency_aware { factors.latency * factors.confidence } else { 1.0 };
        strategy.passive.mul_f64(load * distance)
    }

    /// When an unconfirmed peer is looked at next.
    fn next_check(&self, id: &NodeId, member: &Member) -> Timestamp {
        let strategy = ConfirmationStrategy::of(member.role);
        let first = member.discovered_at.plus(strategy.passive / 2);
        if member.attempts < strategy.attempts {
            first.plus(strategy.interval * member.attempts)
        } else {
            member.discovered_at.plus(self.confirmation_timeout(id, member.role))
        }
    }

    pub(super) fn schedule_check(&mut self, id: &NodeId) {
        let Some(member) = self.table.get(id) else { return };
        let at = self.next_check(id, member).max(self.now.next());
        if let Some(member) = self.table.get_mut(id) {
            member.next_check = at;
        }
        self.timers.insert((at, Timer::Check(id.clone())));
    }

    /// The instant of a look: an attempt, or the end.
    pub(super) fn check(&mut self, id: &NodeId, at: Timestamp, rng: &mut Rng) {
        let Some(member) = self.table.get(id) else { return };
        if member.is_confirmed() || member.next_check != at {
            return;
        }
        let strategy = ConfirmationStrategy::of(member.role);
        if member.attempts < strategy.attempts {
            let role = member.role.map_or("unknown", NodeRole::name);
            if !self.may_burst() {
                self.check_at(id, self.now.plus(NEXT_BURST));
                return;
            }
            *self.counters.confirmation_attempts.entry(role).or_default() += 1;
            if let Some(member) = self.table.get_mut(id) {
                member.attempts += 1;
            }
            self.ping(id, Purpose::Contact, rng);
            self.schedule_check(id);
            return;
        }
        // The last attempt gets its interval, also when the time is over already.
        let last = member.discovered_at.plus(strategy.passive / 2);
        let answered_by = last.plus(strategy.interval * strategy.attempts);
        let timeout = self.confirmation_timeout(id, member.role);
        let is_over = self.now.since(member.discovered_at) >= timeout;
        if is_over && (strategy.attempts == 0 || self.now >= answered_by) {
            self.found(id, Cause::ConfirmationPassed, None, rng);
        } else {
            let at = member.discovered_at.plus(timeout).max(answered_by).max(self.now.next());
            self.check_at(id, at);
        }
    }

    fn check_at(&mut self, id: &NodeId, at: Timestamp) {
        if let Some(member) = self.table.get_mut(id) {
            member.next_check = at;
        }
        self.timers.insert((at, Timer::Check(id.clone())));
    }

    fn may_burst(&mut self) -> bool {
        let (since, sent) = self.burst;
        if self.now.since(since) >= NEXT_BURST {
            self.burst = (self.now, 1);
            return true;
        }
        self.burst.1 += 1;
        sent < self.config.confirmation_burst
    }
}
