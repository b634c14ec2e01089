//! When a job's time is over everywhere: the rules, when they can next hold, and how the whole ends.
//!
//! | order | rule | holds when |
//! |---|---|---|
//! | 1 | `overall` | a datacenter has not ended, and the job is older than its timeout with the largest sum of extensions any datacenter granted; at exactly that age it is alive |
//! | 2 | `all_stuck` | a datacenter runs, and every one that runs was without progress for the stuck threshold or longer |
//! | 3 | `majority_timed_out` | time is over in more than half of all datacenters |
//! | | `any_timed_out` | with another policy: time is over in one datacenter (without extensions) |
//! | 4 | `none_running` | nowhere does it run, and somewhere time is over |
//!
//! A datacenter *has ended* by its own final status that no correction can follow. It *runs* when it has not ended and
//! did not report that its time is over. After the gate lost its memory of the job, the first rule waits until every
//! datacenter was heard of, or the stuck threshold has passed since the rebuild; a decision that was carried out before is
//! taken over as the rule `recalled`. Rules 3 and 4 hold at the message that makes them true, so only the first two
//! need a deadline. The policy `all` is rule 4 alone. While a datacenter is gone and the job waits for it, the second rule
//! does not hold for a job that has a budget: its deadline ends it.

use serde::{Deserialize, Serialize};

use super::settings::TimeoutPolicy;
use super::state::{Datacenter, DcStatus, Run};
use crate::jobs::protocol::message::FinalStatus;
use crate::kernel::ids::EntityId;
use crate::kernel::time::{Timestamp, micros};
use std::time::Duration;

/// The rule by which a gate decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GlobalRule {
    /// The budget with its extensions is used up.
    Overall,
    /// Wherever the job runs, nothing moves.
    AllStuck,
    /// Time is over in more than half of the datacenters.
    MajorityTimedOut,
    /// The job runs nowhere, and somewhere its time is over.
    NoneRunning,
    /// Time is over in one datacenter, and the policy says that this is enough.
    AnyTimedOut,
    /// It was decided before the gate lost its memory of the job, and carried out in a datacenter.
    Recalled,
}

impl GlobalRule {
    /// The name used in JSON, reasons and logs.
    pub fn name(self) -> &'static str {
        match self {
            GlobalRule::Overall => "overall",
            GlobalRule::AllStuck => "all_stuck",
            GlobalRule::MajorityTimedOut => "majority_timed_out",
            GlobalRule::NoneRunning => "none_running",
            GlobalRule::AnyTimedOut => "any_timed_out",
            GlobalRule::Recalled => "recalled",
        }
    }
}

/// What a rule looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Age of the job, in ms.
    pub elapsed_ms: u64,
    /// The timeout with extensions, in ms.
    pub effective_timeout_ms: Option<u64>,
    /// Where the job runs, and for how many ms nothing moved there.
    pub idle_ms: Vec<(EntityId, u64)>,
    /// Where its time is over.
    pub timed_out: Vec<EntityId>,
}

/// The rule that holds at `now`, if one does.
pub(super) fn verdict(run: &Run, now: Timestamp) -> Option<GlobalRule> {
    let overall = || overall_due(run).is_some_and(|due| due <= now);
    let stuck = || stuck_due(run).is_some_and(|due| due <= now);
    let open = run.datacenters.values().any(|dc| !dc.ended);
    match () {
        () if !open => None,
        () if overall() => Some(GlobalRule::Overall),
        () if stuck() => Some(GlobalRule::AllStuck),
        () => by_policy(run).or_else(|| none_running(run).then_some(GlobalRule::NoneRunning)),
    }
}

/// When the first or second rule holds if nothing happens before.
pub(super) fn due(run: &Run) -> Option<Timestamp> {
    overall_due(run).into_iter().chain(stuck_due(run)).min().filter(|due| *due < Timestamp::MAX)
}

/// The first instant at which the job is too old; the deadline itself is still inside.
fn overall_due(run: &Run) -> Option<Timestamp> {
    let limit = effective_timeout_ms(run)?;
    let over = aged_from(run).plus(Duration::from_millis(limit)).next();
    // Extensions that may be forgotten count as long as somebody may still tell of them.
    let over = run.held_until().map_or(over, |held| held.max(over));
    run.datacenters.values().any(|dc| !dc.ended).then_some(over)
}

/// The last instant of the budget with its extensions, as they are known now.
pub fn deadline(run: &Run) -> Option<Timestamp> {
    let limit = effective_timeout_ms(run)?;
    Some(aged_from(run).plus(Duration::from_millis(limit)))
}

/// Where the job's age counts from.
fn aged_from(run: &Run) -> Timestamp {
    run.submitted_at.plus(Duration::from_micros(run.skipped_us))
}

/// The first instant at which all that runs is stuck.
fn stuck_due(run: &Run) -> Option<Timestamp> {
    // A job with a budget waits for a datacenter that is gone until that is used up.
    if run.timeout_ms.is_some() && run.lost().next().is_some() {
        return None;
    }
    let last = run.datacenters.values().filter(|dc| dc.runs()).map(|dc| dc.last_progress).max()?;
    Some(last.plus(Duration::from_millis(run.settings.stuck_ms)))
}

fn by_policy(run: &Run) -> Option<GlobalRule> {
    let mut timed_out = run.datacenters.values().filter(|dc| dc.status == DcStatus::TimedOut);
    match run.settings.dc_timeout_policy {
        TimeoutPolicy::Majority => {
            (2 * timed_out.count() > run.datacenters.len()).then_some(GlobalRule::MajorityTimedOut)
        }
        TimeoutPolicy::Any => timed_out.next().map(|_| GlobalRule::AnyTimedOut),
        TimeoutPolicy::AnyWithoutExtensions => {
            timed_out.any(|dc| dc.totals.extensions_ms == 0).then_some(GlobalRule::AnyTimedOut)
        }
        TimeoutPolicy::All => None,
    }
}

fn none_running(run: &Run) -> bool {
    let mut open = run.datacenters.values().filter(|dc| !dc.ended).peekable();
    open.peek().is_some() && open.all(Datacenter::waits)
}

/// The timeout with the largest sum of extensions of any datacenter, in ms.
pub(super) fn effective_timeout_ms(run: &Run) -> Option<u64> {
    let extensions = run.datacenters.values().map(|dc| dc.totals.extensions_ms).max().unwrap_or(0);
    run.timeout_ms.map(|timeout| timeout.saturating_add(extensions))
}

/// What the rules see at `now`.
pub(super) fn evidence(run: &Run, now: Timestamp) -> Evidence {
    let running = run.datacenters.iter().filter(|(_, dc)| dc.runs());
    let timed_out = run.datacenters.iter().filter(|(_, dc)| dc.status == DcStatus::TimedOut);
    Evidence {
        elapsed_ms: ms_between(aged_from(run), now),
        effective_timeout_ms: effective_timeout_ms(run),
        idle_ms: running.map(|(name, dc)| (name.clone(), ms_between(dc.last_progress, now))).collect(),
        timed_out: timed_out.map(|(name, _)| name.clone()).collect(),
    }
}

/// The decision as a sentence.
pub(super) fn reason(run: &Run, rule: GlobalRule, evidence: &Evidence) -> String {
    let Evidence { elapsed_ms, effective_timeout_ms, idle_ms, timed_out } = evidence;
    let (name, targets) = (rule.name(), run.datacenters.len());
    let lost: Vec<&str> = run.lost().map(EntityId::as_str).collect();
    let waited =
        if lost.is_empty() { String::new() } else { format!(", waiting_for_datacenter={}", lost.join(",")) };
    let said = match rule {
        GlobalRule::Overall => {
            let base = run.timeout_ms.unwrap_or(0);
            let effective = effective_timeout_ms.unwrap_or(0);
            let extensions = effective.saturating_sub(base);
            format!(
                "{name}: the budget is used up. elapsed_ms={elapsed_ms}, effective_timeout_ms={effective}, \
                 timeout_ms={base}, extensions_ms={extensions}"
            )
        }
        GlobalRule::AllStuck => {
            let idle = idle_ms.iter().map(|(_, idle)| *idle).min().unwrap_or(0);
            let stuck_ms = run.settings.stuck_ms;
            format!("{name}: nothing moves anywhere. idle_ms={idle}, stuck_ms={stuck_ms}")
        }
        GlobalRule::MajorityTimedOut
        | GlobalRule::AnyTimedOut
        | GlobalRule::NoneRunning
        | GlobalRule::Recalled => {
            let over = timed_out.len();
            format!("{name}: time is over in datacenters. timed_out={over}, datacenters={targets}")
        }
    };
    said + &waited
}

/// How a job ended whose datacenters have all ended or were given up.
pub(super) fn global_status(run: &Run) -> FinalStatus {
    // What was asked to stop and never answered is taken to have stopped.
    let silent = run.cancel.is_some().then_some(FinalStatus::Cancelled);
    let own = || run.datacenters.values().map(|dc| dc.own_final().or(silent));
    if own().all(|status| status == Some(FinalStatus::Completed)) {
        FinalStatus::Completed
    } else if run.decision.is_some() {
        FinalStatus::Timeout
    } else if own().any(|status| status == Some(FinalStatus::Failed)) {
        FinalStatus::Failed
    } else if own().any(|status| status == Some(FinalStatus::Cancelled)) {
        FinalStatus::Cancelled
    } else {
        FinalStatus::Timeout
    }
}

/// Whole milliseconds from one instant to another; zero when they are the other way round.
pub(super) fn ms_between(earlier: Timestamp, later: Timestamp) -> u64 {
    micros(later.since(earlier)) / 1_000
}
