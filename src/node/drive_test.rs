use std::path::Path;
use std::time::Duration;

use super::config::NodeConfig;
use super::drive::Node;
use super::ring::KeyRing;
use quorate_core::network::member::NodeRole;
use quorate_runtime::error::ErrorKind;
use quorate_runtime::shell::clock::Stopwatch;

fn config(folder: &Path, name: &str, join: Option<&Node>) -> NodeConfig {
    let keys = folder.join("keys");
    let listen = ([127, 0, 0, 1], 0).into();
    let mut config = NodeConfig::new(NodeRole::Manager, "dc1", folder.join(name), listen, keys);
    config.name = Some(name.to_owned());
    config.join = join.map(|node| node.address().to_string()).into_iter().collect();
    config.members.probe_period = Duration::from_millis(100);
    config
}

fn sees(node: &Node, other: &str, state: &str) -> bool {
    node.list().members.iter().any(|member| member.node_id == other && member.state == state)
}

/// Only a fault takes that long.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let since = Stopwatch::start();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(120), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn leave(node: Node) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(node.leave()).unwrap();
}

#[test]
fn a_node_that_falls_begins_again_with_a_higher_incarnation() {
    let folder = tempfile::tempdir().unwrap();
    KeyRing::create(&folder.path().join("keys")).unwrap();
    let one = Node::start(config(folder.path(), "one", None)).unwrap();
    let two = Node::start(config(folder.path(), "two", Some(&one))).unwrap();
    wait_until("they see each other", || sees(&one, "two", "OK") && sees(&two, "one", "OK"));
    let before = two.metrics().incarnation;
    two.fall();
    wait_until("it fell and came back", || two.metrics().counts["restarts"] == 1);
    wait_until("they see each other again", || sees(&one, "two", "OK") && sees(&two, "one", "OK"));
    assert!(two.metrics().incarnation > before);
    leave(two);
    wait_until("it said that it leaves", || sees(&one, "two", "DEAD"));
}

#[test]
fn a_node_that_was_here_before_finds_the_others_without_being_told_whom_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    KeyRing::create(&folder.path().join("keys")).unwrap();
    let one = Node::start(config(folder.path(), "one", None)).unwrap();
    let two = Node::start(config(folder.path(), "two", Some(&one))).unwrap();
    wait_until("they see each other", || sees(&one, "two", "OK") && sees(&two, "one", "OK"));
    let before = two.metrics().incarnation;
    let locked = Node::start(config(folder.path(), "two", None)).unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::StoreLocked);
    leave(two);
    let two = Node::start(config(folder.path(), "two", None)).unwrap();
    assert!(sees(&two, "one", "UNCONFIRMED"), "whom it knew has to say a word first");
    wait_until("they see each other again", || sees(&one, "two", "OK") && sees(&two, "one", "OK"));
    assert!(two.metrics().incarnation > before);
    assert!(two.validate().overall_valid);
}
