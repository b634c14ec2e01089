//! `learned`: budget and idle limit come from how long jobs of the same class took. Where too few are known, the
//! numbers that were asked for hold. The numbers decided stand in the job's first event, with what they rest on.

use super::{Asked, Limits, TimeoutRuleEntry, as_asked, authority};
use crate::jobs::manager::rejection::Rejection;
use crate::jobs::manager::settings::{check_span, check_text};

pub(super) const ENTRY: TimeoutRuleEntry = TimeoutRuleEntry {
    name: "learned",
    summary: "budget and idle limit come from how long jobs of the same class took",
    source: "timeouts from measured times: V. Jacobson, Congestion Avoidance and Control, SIGCOMM 1988",
    limits,
};

fn limits(asked: &Asked<'_>) -> Result<Limits, Rejection> {
    let mut limits = as_asked(ENTRY.name, authority(asked), asked);
    if let Some(estimate) = asked.estimate {
        check_text("estimate.evidence", &estimate.evidence)?;
        if let Some(ms) = estimate.overall_ms {
            check_span("estimate.overall_ms", ms)?;
            limits.overall_ms = Some(ms);
        }
        if let Some(ms) = estimate.stuck_ms {
            check_span("estimate.stuck_ms", ms)?;
            limits.stuck_ms = ms;
        }
        if estimate.overall_ms.is_some() || estimate.stuck_ms.is_some() {
            limits.learned_from = Some(estimate.clone());
        }
    }
    Ok(limits)
}
