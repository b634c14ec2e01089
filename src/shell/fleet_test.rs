//! Who gets a job, and who is gone.

use super::*;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

fn seen(node: &str, role: NodeRole, datacenter: &str, state: MemberState) -> Seen {
    Seen {
        node: id(node),
        role: Some(role),
        datacenter: Some(id(datacenter)),
        state,
        incarnation: 1,
        addr: format!("{node}:1"),
        rtt_ucb_ms: None,
        quality: 0.0,
    }
}

fn fleet(role: NodeRole) -> Fleet {
    let fleet = Fleet::default();
    fleet.own.set(Own { node: id("me"), role, datacenter: id("paris") }).unwrap();
    fleet
}

#[test]
fn a_process_manages_its_own_datacenter_if_it_is_a_manager_and_each_if_it_is_no_node() {
    let manages = |fleet: &Fleet| ["paris", "oslo", LOCAL].map(|name| fleet.manages(&id(name)));
    assert_eq!(manages(&Fleet::default()), [true, true, true]);
    assert_eq!(manages(&fleet(NodeRole::Manager)), [true, false, true]);
    assert_eq!(manages(&fleet(NodeRole::Gate)), [false, false, true]);
    assert_eq!(manages(&fleet(NodeRole::Worker)), [false, false, true]);
}

#[test]
fn a_job_goes_to_a_manager_of_its_datacenter_and_to_a_suspected_one_only_where_no_other_is() {
    use MemberState::{Alive, Down, Suspect, Unconfirmed};
    use NodeRole::Manager;
    let fleet = fleet(NodeRole::Gate);
    let pick = |all: &[Seen], job: &str| {
        fleet.see(all, vec![id("me")], false, Default::default());
        fleet.pick(&id("paris"), &id(job)).map(|(leader, addr)| (leader.node.to_string(), addr))
    };
    let picked = |node: &str| Some((node.to_owned(), format!("{node}:1")));
    let both = |one, other| [seen("m1", Manager, "paris", one), seen("m2", Manager, "paris", other)];
    for job in (0..20).map(|n| format!("job-{n}")) {
        assert_eq!(pick(&both(Alive, Suspect), &job), picked("m1"));
        assert_eq!(pick(&both(Down, Suspect), &job), picked("m2"));
        assert_eq!(pick(&both(Down, Unconfirmed), &job), None);
        assert_eq!(pick(&[seen("m3", Manager, "oslo", Alive)], &job), None);
        assert_eq!(pick(&[seen("g", NodeRole::Gate, "paris", Alive)], &job), None);
    }
    let some: BTreeSet<_> = (0..20).map(|n| pick(&both(Alive, Alive), &format!("job-{n}"))).collect();
    assert_eq!(some.len(), 2, "jobs are shared out");
}

#[test]
fn the_next_gate_is_the_same_for_everybody_and_never_the_one_that_is_gone() {
    use MemberState::{Alive, Down, Suspect};
    let gate = |name: &str, state| seen(name, NodeRole::Gate, "paris", state);
    let all = [gate("g1", Down), gate("g2", Alive), gate("g3", Alive), gate("g4", Suspect)];
    let mut reversed = all.to_vec();
    reversed.reverse();
    let here = fleet(NodeRole::Manager).see(&all, vec![id("me")], false, Default::default());
    let there = fleet(NodeRole::Manager).see(&reversed, vec![id("you")], false, Default::default());
    let next = |known: &Known, job: &str| known.successor(&id("g1"), &id(job)).cloned();
    for job in (0..20).map(|n| format!("job-{n}")) {
        let one = next(&here, &job).unwrap();
        assert_eq!(Some(&one), next(&there, &job).as_ref());
        assert!(["g2", "g3"].contains(&one.as_str()), "{one}");
    }
    let alone = fleet(NodeRole::Manager).see(&[gate("g1", Alive)], vec![id("me")], false, Default::default());
    assert_eq!(next(&alone, "job"), None);
}

#[test]
fn who_is_down_is_gone_and_who_is_not_known_only_after_a_while_and_nobody_is_gone_from_itself() {
    use MemberState::{Alive, Down};
    let all = [seen("a", NodeRole::Gate, "paris", Alive), seen("b", NodeRole::Gate, "paris", Down)];
    let gone = |is_complete| {
        let known = fleet(NodeRole::Gate).see(&all, vec![id("me")], is_complete, Default::default());
        ["a", "b", "never-seen", "me"].map(|name| known.is_gone(&id(name)))
    };
    assert_eq!(gone(false), [false, true, false, false]);
    assert_eq!(gone(true), [false, true, true, false]);
}

#[test]
fn a_datacenter_is_dead_when_all_its_managers_have_been_for_long_enough_and_a_flap_begins_anew() {
    use MemberState::{Alive, Down, Suspect, Unconfirmed};
    use NodeRole::Manager;
    let after = Duration::from_secs(5);
    let mut dark = Dark::default();
    let mut dead = |one, other, at: u64| {
        // Gates and workers of a datacenter take no jobs of it.
        let gate = seen("g", NodeRole::Gate, "paris", Alive);
        let seen = [seen("m1", Manager, "paris", one), seen("m2", Manager, "paris", other), gate];
        let (living, dead) = dark.look(&seen, Duration::from_millis(at), after);
        assert_eq!(living.len() + dead.len(), 1);
        dead.contains(&id("paris"))
    };
    assert!(!dead(Down, Alive, 0));
    assert!(!dead(Down, Down, 1_000));
    assert!(!dead(Down, Down, 5_999));
    assert!(dead(Down, Down, 6_000));
    // Whoever may be there is there.
    for state in [Alive, Suspect, Unconfirmed] {
        assert!(!dead(Down, state, 7_000));
        assert!(!dead(Down, Down, 8_000), "it begins anew");
        assert!(dead(Down, Down, 13_000));
    }
    assert_eq!(dark.look(&[], Duration::from_secs(14), after), Default::default());
    let known = |is_complete| {
        let living = BTreeSet::from([id("oslo")]);
        Known { is_complete, living, dead: BTreeSet::from([id("paris")]), ..Known::default() }
    };
    let judged = |is_complete| ["paris", "oslo", "lima"].map(|name| known(is_complete).is_dead(&id(name)));
    assert_eq!(judged(false), [true, false, false], "of whom nothing is known yet is not dead");
    assert_eq!(judged(true), [true, false, true]);
}
