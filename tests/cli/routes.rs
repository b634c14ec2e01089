//! Datacenters and routes from the command line.

use serde_json::json;
use tempfile::TempDir;

use super::{run, text};

#[test]
fn a_choice_of_one_command_holds_for_the_next() {
    let folder = TempDir::new().unwrap();
    let at = |args: &[&str]| run(&[args, &["--data", text(folder.path()), "--json"]].concat());
    let heard = |name: &str, field: &str, value: &str| at(&["datacenter", "update", name, field, value]).ok();
    heard("east", "--rtt-ucb-ms", "20");
    heard("west", "--rtt-ucb-ms", "80");
    let chosen = at(&["route", "job", "train"]).ok().json();
    let told = |reply: &serde_json::Value| (reply["primary_datacenters"][0].clone(), reply["reason"].clone());
    assert_eq!(told(&chosen), (json!("east"), json!("INITIAL_SELECTION")));
    heard("west", "--rtt-ucb-ms", "1");
    let kept = at(&["route", "job", "train"]).ok().json();
    assert_eq!(told(&kept), (json!("east"), json!("HOLD_DOWN_RETAINED")));
    let submitted = at(&["job", "submit", "--job-id", "j"]).ok().json();
    assert_eq!(submitted["target_datacenters"], json!(["west"]));
    assert_eq!(submitted["routed"]["reason"], "INITIAL_SELECTION");

    for name in ["east", "west"] {
        heard(name, "--health-bucket", "unhealthy");
    }
    let nowhere = at(&["job", "submit", "--job-id", "k"]);
    let error = nowhere.json()["error"].clone();
    assert_eq!((nowhere.code(), &error["kind"]), (7, &json!("no_datacenter")));
    assert_eq!(error["excluded"], json!(["east UNHEALTHY_STATUS", "west UNHEALTHY_STATUS"]));
    assert_eq!(at(&["job", "status", "k"]).code(), 3, "nothing was submitted");
}

/// A place that one process measured is there for the next, which trusts it as before: it takes nothing over.
#[test]
fn what_a_command_measured_the_next_one_estimates_by() {
    let folder = TempDir::new().unwrap();
    let at = |args: &[&str]| run(&[args, &["--data", text(folder.path()), "--json"]].concat());
    for _ in 0..5 {
        at(&["coordinate", "update", "--from", "a", "--to", "b", "--rtt-ms", "40"]).ok();
    }
    let estimate = at(&["coordinate", "estimate", "--from", "a", "--to", "b"]).ok().json();
    assert_eq!(estimate["measured"]["samples"], 5);
    let upper = estimate["rtt_ucb_ms"].as_f64().unwrap();
    assert!((40.0..=80.0).contains(&upper), "{estimate}");
    assert_eq!(at(&["coordinate", "update", "--from", "a", "--to", "b", "--rtt-ms", "0"]).code(), 2);
}
