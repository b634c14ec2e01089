//! Two processes under one name: the later one is refused at its start, both addresses are named where people look, and nobody takes
//! the second for the first.

use std::time::Duration;

use serde_json::Value;

use super::harness::{Cluster, program, wait_for};

/// A node answers for its name when it has been there for ten seconds.
const SETTLES: Duration = Duration::from_secs(12);

#[test]
fn a_second_node_of_a_name_is_refused_with_the_address_of_the_first_and_both_are_told() {
    let mut cluster = Cluster::new();
    for (name, role) in [("g1", "gate"), ("m1", "manager"), ("m2", "manager")] {
        let at = cluster.add(name, role, "paris");
        cluster.start(at);
    }
    cluster.agree(&[], "after the start");
    std::thread::sleep(SETTLES);
    let [g1, m1] = ["g1", "m1"].map(|name| cluster.find(name));
    let held = cluster.nodes[m1].address.unwrap().to_string();
    // It asks somebody who knows the first one, and then that one itself.
    for (number, seed) in [g1, m1].into_iter().enumerate() {
        let data = cluster.folder.path().join(format!("twin-{number}"));
        let join = cluster.nodes[seed].address.unwrap().to_string();
        let mut twin = program();
        twin.args(["--json", "node", "--role", "manager", "--datacenter", "paris", "--name", "m1"])
            .args(["--listen", "127.0.0.1:0", "--join", &join, "--probe-period-ms", "300"])
            .args([std::path::Path::new("--data"), &data, std::path::Path::new("--key"), &cluster.keys]);
        let ended = twin.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(11), "{said}");
        assert!(said.contains("node_name_taken") && said.contains(&held), "{said}");
        assert!(!said.contains("listening"), "it did nothing under the name: {said}");
    }
    for at in [g1, m1] {
        let node = &cluster.nodes[at];
        let conflicts = wait_for("the conflict is told", || {
            Some(node.list()?.name_conflicts).filter(|conflicts| !conflicts.is_empty())
        });
        assert_eq!((conflicts[0].node_id.as_str(), &conflicts[0].address), ("m1", &held));
        assert_ne!(conflicts[0].other_address, held);
        wait_for("it is on record", || {
            let events = node.events("member", "m1");
            events.iter().any(|event| event["event"] == "name_claimed").then_some(())
        });
        let (_, shown) = node.call("GET", "/overview", &Value::Null).unwrap();
        assert!(shown["overview"]["problems"].to_string().contains("node_name_taken"), "{shown}");
        for command in ["members", "doctor"] {
            let told = program().arg(command).arg("--data").arg(&node.data).output().unwrap();
            let told = String::from_utf8_lossy(&told.stdout).replace(char::is_whitespace, "");
            assert!(told.contains("twonodesarecalledm1") && told.contains(&held), "{command}: {told}");
        }
    }
    let list = cluster.nodes[g1].list().unwrap();
    let seen = list.members.iter().find(|member| member.node_id == "m1").unwrap();
    assert_eq!((seen.state.as_str(), &seen.address), ("OK", &held));
    cluster.check(&[]);
}
