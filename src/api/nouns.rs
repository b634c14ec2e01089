//! What the nouns of the table stand for, in the order in which they are listed.

/// Every noun, and one line of help.
pub static NOUNS: &[(&str, &str)] = &[
    ("cell", "The mesh registry: cells, rings, arms"),
    ("cmp", "The authorities at the hub"),
    ("quorum", "Quorums: start, vote, look, wait"),
    ("capacity", "Capacity of cells: ask, offer, hold, give back"),
    ("budget", "Limits on what many cells are granted together"),
    ("agent", "Agents: register, beat, look"),
    ("consensus", "Proposals: ask the agents, vote, look, wait, use what was decided"),
    ("algorithm", "Named rules that decide proposals"),
    (
        "session",
        "Questions that hold against voters that lie: open, vote, look, certify, use what was decided",
    ),
    ("emergence", "What a crowd does beyond its votes: look for patterns"),
    ("candidate", "Candidates: declare what there is to choose by, choose such that not all are alike"),
    ("voter", "Voters of sessions: register, look, quarantine, release, tell what was right, change keys"),
    ("job", "Jobs: submit, lead, report, end, look"),
    ("lease", "Leases of jobs: who holds which, and how long still"),
    ("gate", "Where a job came in: how it stands over all datacenters"),
    ("worker", "Who runs the workflows of jobs: register, report, look"),
    ("member", "The nodes of the cluster, as this one sees them: list, measure, check"),
    ("coordinate", "Where nodes stand in the space of round trips: measure, estimate"),
    ("datacenter", "Datacenters: how they are, and how far away"),
    ("route", "Which datacenter a job goes to: decide, report a failure, look"),
    ("flow", "Streams of messages with flow control: offer, drain, look"),
    ("shed", "Overload: what is let in, what the load is, and why"),
    ("pressure", "Who asks whom to slow down"),
    ("stats", "Statistics of running work, and what their fill asks of senders"),
    ("stop", "What may not be done until those who were named let it go on: engage, release, look"),
    ("retention", "What must not be pruned of the journal, and what was: hold, release, look"),
    ("subject", "Whose personal data is sealed: look, and destroy its key"),
    ("hook", "What is recorded, posted to a URL: register, look, resume, remove"),
    ("identity", "Who may do what, and in whose name: create, rotate, grant, revoke"),
    ("overview", "What is open, what waits for whom, what is overdue, what is wrong"),
    ("journal", "The journal as it is stored: what a backup is made of"),
    ("history", "What happened, and whether it was changed"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ops::OPERATIONS;

    #[test]
    fn every_noun_of_the_table_is_described_and_every_described_one_is_used() {
        let mut used: Vec<&str> = OPERATIONS.iter().filter_map(|op| op.name.split('.').next()).collect();
        let mut told: Vec<&str> = NOUNS.iter().map(|(noun, _)| *noun).collect();
        used.sort_unstable();
        used.dedup();
        told.sort_unstable();
        assert_eq!(used, told);
        for (noun, about) in NOUNS {
            assert!(about.len() > noun.len() + 10, "{noun}: {about}");
        }
    }
}
