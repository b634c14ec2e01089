use std::process::Output;

use serde_json::Value;

use super::harness::{Cluster, exists, program};

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn members_are_a_table_for_people_json_for_machines_and_a_map() {
    let mut cluster = Cluster::new();
    for (name, role) in [("g1", "gate"), ("m1", "manager"), ("w1", "worker")] {
        let at = cluster.add(name, role, "paris");
        cluster.start(at);
    }
    cluster.agree(&[], "after the start");
    let data = cluster.nodes[0].data.to_str().unwrap().to_owned();
    let table = out(&run(&["members", "--data", &data]));
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..5], ["NODE", "ROLE", "DATACENTER", "STATE", "INCARNATION"]);
    assert_eq!(lines[1][..4], ["g1", "gate", "paris", "OK"]);
    assert!(table.contains("here") && table.contains(" ms"), "{table}");
    assert_eq!(lines[3][..4], ["w1", "worker", "paris", "OK"]);
    let listed = run(&["members", "--data", &data, "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["node_id"], "g1");
    assert_eq!(listed["members"].as_array().unwrap().len(), 3);
    // The same through the table of operations.
    let again = run(&["member", "list", "--data", &data, "--json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["members"][0]["node_id"], "g1");
    let metrics = run(&["member", "metrics", "--data", &data, "--json"]);
    let metrics: Value = serde_json::from_slice(&metrics.stdout).unwrap();
    assert_eq!(metrics["states"]["OK"], 2);
    assert_eq!((&metrics["config"]["dimensions"], metrics["peer_count"].is_u64()), (&8.0.into(), true));
    let picture = cluster.folder.path().join("map.svg");
    let drawn = run(&["map", picture.to_str().unwrap(), "--data", &data]);
    assert!(out(&drawn).starts_with("drew 3 nodes into "), "{}", err(&drawn));
    let svg = std::fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("m1") && svg.ends_with("</svg>\n"));
    // A second node in the same folder is told that somebody has it.
    let key = cluster.nodes[0].key.to_str().unwrap();
    let args = ["node", "--role", "gate", "--datacenter", "paris", "--listen", "127.0.0.1:0"];
    let second = run(&[&args[..], &["--data", &data, "--key", key]].concat());
    assert_eq!(second.status.code(), Some(11), "{}", err(&second));
    assert!(cluster.nodes[0].stop());
    let gone = run(&["members", "--data", &data]);
    assert_eq!(gone.status.code(), Some(3));
    assert!(err(&gone).contains("no node runs in this folder"), "{}", err(&gone));
}

#[test]
fn who_cannot_run_is_told_what_to_do_and_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, key) = (path("data"), path("keys"));
    let node = |more: &[&str]| {
        let all = ["node", "--role", "manager", "--datacenter", "dc", "--data", &data];
        run(&[&all[..], more].concat())
    };
    let without = node(&["--listen", "127.0.0.1:0", "--key", &key]);
    assert_eq!(without.status.code(), Some(2));
    assert!(err(&without).contains("quorate node key new FILE"), "{}", err(&without));
    let made = run(&["node", "key", "new", &key]);
    assert!(out(&made).contains("seals and opens"), "{}", err(&made));
    assert_eq!(run(&["node", "key", "new", &key]).status.code(), Some(2), "a ring is not written over");
    assert_eq!(out(&run(&["node", "key", "rotate", &key])).lines().count(), 3);
    let listed = run(&["node", "key", "list", &key, "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let second = listed["keys"][1].as_str().unwrap();
    assert_eq!(out(&run(&["node", "key", "drop", &key, second])).lines().count(), 2);
    assert_eq!(run(&["node", "key", "drop", &key, second]).status.code(), Some(2));
    for (more, field) in [
        (&["--listen", "nowhere"][..], "listen"),
        (&["--listen", "0.0.0.0:0"], "advertise"),
        (&["--listen", "127.0.0.1:0", "--join", "nobody"], "join"),
    ] {
        let refused = node(&[more, &["--key", &key, "--json"]].concat());
        let answer: Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert_eq!((refused.status.code(), &answer["error"]["field"]), (Some(2), &field.into()), "{answer}");
    }
    assert!(!exists(folder.path().join("data").as_path()));
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = node(&["--listen", "127.0.0.1:0", "--key", &key]);
    assert!(err(&open).contains("chmod 600"), "{}", err(&open));
}
