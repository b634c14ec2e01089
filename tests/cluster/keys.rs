use quorate_node::KeyRing;

use super::harness::{Cluster, give, wait_for};

#[test]
fn keys_change_under_a_live_cluster_and_one_member_is_revoked() {
    let mut cluster = Cluster::new();
    for (name, role) in
        [("g1", "gate"), ("m1", "manager"), ("m2", "manager"), ("w1", "worker"), ("w2", "worker")]
    {
        let at = cluster.add(name, role, "dc1");
        cluster.start(at);
    }
    cluster.agree(&[], "after the start");
    let (absent, revoked) = (cluster.find("m2"), cluster.find("w2"));
    cluster.nodes[absent].kill();
    cluster.agree(&[], "one is absent");
    let names_of = |cluster: &Cluster, at: usize| cluster.nodes[at].metrics().keys;
    for rotation in 0..3 {
        let mut ring = KeyRing::read(&cluster.keys).unwrap();
        ring.rotate().unwrap();
        ring.write(&cluster.keys).unwrap();
        let ids: Vec<String> = ring.ids().map(|key| key.to_string()).collect();
        // One by one, each time from another end: there is no order to be kept.
        let mut order: Vec<usize> = (0..cluster.nodes.len()).filter(|at| *at != absent).collect();
        order.rotate_left(rotation);
        for at in order {
            give(&cluster.keys, &cluster.nodes[at].key);
            wait_for("the node reads its keys", || (names_of(&cluster, at) == ids).then_some(()));
            cluster.agree(&[], &format!("rotation {rotation}"));
        }
    }
    // It missed three rotations, and has the first key alone.
    assert_eq!(KeyRing::read(&cluster.nodes[absent].key).unwrap().ids().count(), 1);
    cluster.start(absent);
    cluster.agree(&[], "who missed three rotations is back");
    give(&cluster.keys, &cluster.nodes[absent].key);
    // One joins that was given the newest key alone.
    let newest = cluster.folder.path().join("newest");
    let mut ring = KeyRing::read(&cluster.keys).unwrap();
    let old: Vec<String> = ring.ids().skip(1).map(|key| key.to_string()).collect();
    old.iter().for_each(|key| ring.drop_key(key).unwrap());
    ring.write(&newest).unwrap();
    let new = cluster.add("m3", "manager", "dc1");
    give(&newest, &cluster.nodes[new].key);
    cluster.start(new);
    cluster.agree(&[], "a new node joined after the rotations");
    let ids: Vec<String> = ring.ids().map(|key| key.to_string()).collect();
    // The old keys go everywhere but at the one that is revoked, and it is made to have nothing but these.
    let mut old = KeyRing::read(&cluster.keys).unwrap();
    old.drop_key(&ids[0]).unwrap();
    old.write(&cluster.nodes[revoked].key).unwrap();
    for at in (0..cluster.nodes.len()).filter(|at| *at != revoked) {
        give(&newest, &cluster.nodes[at].key);
        wait_for("the node reads its keys", || (names_of(&cluster, at) == ids).then_some(()));
    }
    cluster.agree(&[revoked], "the revoked one is out");
    for at in (0..cluster.nodes.len()).filter(|at| *at != revoked) {
        let node = &cluster.nodes[at];
        let died = |name: &str| {
            let died = format!("{name} in dc1 was SUSPECT and is DEAD");
            node.log().lines().any(|line| line.contains(&died))
        };
        for other in cluster.nodes.iter().filter(|other| !matches!(other.name.as_str(), "m2" | "w2")) {
            assert!(!died(&other.name), "{} took {} for dead:\n{}", node.name, other.name, node.log());
        }
    }
    wait_for("what the revoked one sends is counted", || {
        let dropped = cluster.nodes[cluster.find("m1")].metrics().dropped;
        (dropped.get("unknown_key").copied().unwrap_or(0) > 0).then_some(())
    });
    cluster.check(&[revoked]);
}
