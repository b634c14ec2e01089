use serde_json::Value;

use super::harness::{Cluster, give, program, wait_for};
use quorate_node::KeyRing;

/// The names of events, and of the states a member moved to.
fn told(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| match event["data"]["to"].as_str() {
        Some(to) => format!("moved to {to}"),
        None => event["event"].as_str().unwrap_or_default().to_owned(),
    };
    events.iter().map(name).collect()
}

#[test]
fn what_membership_decided_is_on_record_at_each_node_and_goes_on_after_kill_9() {
    let mut cluster = Cluster::new();
    for (name, role) in [("g1", "gate"), ("m1", "manager"), ("m2", "manager")] {
        let at = cluster.add(name, role, "paris");
        cluster.start(at);
    }
    cluster.agree(&[], "after the start");
    let (watcher, lost) = (cluster.find("m1"), cluster.find("m2"));
    let of = |cluster: &Cluster, member: &str| cluster.nodes[watcher].events("member", member);
    let has = |cluster: &Cluster, member: &str, what: &str| {
        wait_for(&format!("{member}: {what} is on record"), || {
            told(&of(cluster, member)).iter().any(|told| told == what).then_some(())
        });
    };
    has(&cluster, "m2", "confirmed");
    has(&cluster, "m2", "role_learned");
    cluster.nodes[lost].kill();
    cluster.agree(&[], "one was killed");
    has(&cluster, "m2", "moved to DEAD");
    let before = of(&cluster, "m2");
    let moved = told(&before);
    let suspected = moved.iter().position(|told| told == "moved to SUSPECT");
    let died = moved.iter().position(|told| told == "moved to DEAD");
    assert!(moved[0] == "discovered" && (suspected.is_none() || suspected < died), "{moved:?}");
    // Who said so is named, and found by that.
    let by = before[died.unwrap()]["data"]["said_by"].as_str().unwrap().to_owned();
    assert!(["m1", "g1"].contains(&by.as_str()), "{by}");
    let found = cluster.nodes[watcher]
        .call("GET", &format!("/history?kind=member&node_id={by}&event=moved"), &Value::Null)
        .unwrap();
    assert!(
        found.1["events"].as_array().unwrap().iter().any(|event| event["entity_id"] == "m2"),
        "{found:?}"
    );
    let found = cluster.nodes[watcher].call("GET", "/history?node_id=m2&limit=1000", &Value::Null).unwrap();
    assert!(
        found.1["events"].as_array().unwrap().len() >= before.len(),
        "its own record is found by its name"
    );
    let data = cluster.nodes[watcher].data.to_str().unwrap().to_owned();
    let why = program().args(["history", "why", "m2", "--kind", "member", "--data", &data]).output().unwrap();
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.contains("was heard from, and is OK from then on") && why.contains("and is DEAD"), "{why}");
    // The one that watches is killed, and so forgets what it believed: the record goes on where it was.
    cluster.nodes[watcher].kill();
    cluster.start(watcher);
    cluster.start(lost);
    cluster.agree(&[], "both are back");
    wait_for("it is on record that m2 is back", || {
        let events = of(&cluster, "m2");
        let state = cluster.nodes[watcher].call(
            "GET",
            &format!("/history/state/m2?kind=member&seq={}", events.len()),
            &Value::Null,
        );
        let is_ok =
            || state.filter(|(status, _)| *status == 200)?.1.to_string().contains("\"OK\"").then_some(());
        (events.len() > before.len()).then(is_ok)?
    });
    let after = of(&cluster, "m2");
    assert_eq!(after[..before.len()], before[..], "nothing is lost and nothing is written over");
    let own = told(&of(&cluster, "m1"));
    assert_eq!(own.iter().filter(|told| *told == "began").count(), 2, "{own:?}");
    // Keys are changed while it runs.
    let mut ring = KeyRing::read(&cluster.keys).unwrap();
    ring.rotate().unwrap();
    ring.write(&cluster.keys).unwrap();
    give(&cluster.keys, &cluster.nodes[watcher].key);
    has(&cluster, "m1", "keys_changed");
    assert!(cluster.nodes[watcher].stop());
    let shown = program()
        .args(["history", "entity", "m1", "--kind", "member", "--limit", "1000", "--json", "--data", &data])
        .output()
        .unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let last = told(shown["events"].as_array().unwrap()).pop();
    assert_eq!(last.as_deref(), Some("left"), "what it said last is on record, too");
}
