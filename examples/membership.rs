//! Nodes that find each other: a gate, two managers and a worker in one process, each with its own folder and UDP address, and
//! the table that one of them draws of the others. `quorate node` runs the same as a process.
//!
//! Run with `cargo run --example membership --features node`.

use std::time::Duration;

use quorate::{KeyRing, Node, NodeConfig, NodeRole};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // Whoever has a key is a member. The same file goes to every machine.
    let keys = folder.path().join("keys");
    KeyRing::create(&keys)?;

    let mut nodes: Vec<Node> = Vec::new();
    for (name, role) in [
        ("gate-1", NodeRole::Gate),
        ("manager-1", NodeRole::Manager),
        ("manager-2", NodeRole::Manager),
        ("worker-1", NodeRole::Worker),
    ] {
        let listen = ([127, 0, 0, 1], 0).into();
        let mut config = NodeConfig::new(role, "paris", folder.path().join(name), listen, &keys);
        config.name = Some(name.to_owned());
        // One that is there is enough to find the others.
        config.join = nodes.first().map(|node| node.address().to_string()).into_iter().collect();
        config.members.probe_period = Duration::from_millis(200);
        nodes.push(Node::start(config)?);
    }

    let all_ok = |node: &Node| {
        let members = node.list().members;
        members.len() == 4 && members.iter().all(|member| member.state == "OK")
    };
    while !all_ok(&nodes[0]) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    show(&nodes[0]);

    let worker = nodes.pop().ok_or("there is a worker")?;
    println!("\n{} leaves", worker.name());
    worker.leave().await?;
    let is_dead = |node: &Node| node.list().members.iter().any(|member| member.state == "DEAD");
    while !is_dead(&nodes[0]) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    show(&nodes[0]);
    for node in nodes {
        node.leave().await?;
    }
    Ok(())
}

fn show(node: &Node) {
    println!("as {} sees it:", node.name());
    for member in node.list().members {
        let far = member.rtt_ms.map_or("here".to_owned(), |ms| format!("{ms:.1} ms"));
        let role = member.role.unwrap_or_default();
        println!("  {:10} {role:8} {:6} {far}", member.node_id, member.state);
    }
}
