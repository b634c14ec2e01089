//! `gate_coordinated`: the manager reports that time is over here, and the gate decides for all datacenters. A gate
//! that is silent or does not decide is waited for only so long.

use super::{Asked, Limits, Strategy, TimeoutRuleEntry, as_asked};
use crate::jobs::manager::rejection::{Rejection, invalid};

pub(super) const ENTRY: TimeoutRuleEntry = TimeoutRuleEntry {
    name: "gate_coordinated",
    summary: "the manager reports, the gate decides for all datacenters; a silent gate is waited for 300 s",
    source: "one coordinator with a bounded wait: J. Gray, Notes on Data Base Operating Systems, 1978",
    limits,
};

fn limits(asked: &Asked<'_>) -> Result<Limits, Rejection> {
    if !asked.has_gate {
        return Err(invalid("gate_addr", "none", "the gate that coordinates the job"));
    }
    Ok(as_asked(ENTRY.name, Strategy::GateCoordinated, asked))
}
