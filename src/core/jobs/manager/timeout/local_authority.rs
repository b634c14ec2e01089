//! `local_authority`: the manager decides alone. The only rule for a job that no gate coordinates.

use super::{Asked, Limits, Strategy, TimeoutRuleEntry, as_asked};
use crate::jobs::manager::rejection::{Rejection, invalid};

pub(super) const ENTRY: TimeoutRuleEntry = TimeoutRuleEntry {
    name: "local_authority",
    summary: "the manager ends the job when its budget is used up or nothing moves",
    source: "deadlines per operation and idle limits: B. Beyer et al., Site Reliability Engineering, chapter 22",
    limits,
};

fn limits(asked: &Asked<'_>) -> Result<Limits, Rejection> {
    if asked.has_gate {
        return Err(invalid(
            "timeout_rule",
            ENTRY.name,
            "gate_coordinated or learned, since there is a gate",
        ));
    }
    Ok(as_asked(ENTRY.name, Strategy::LocalAuthority, asked))
}
