use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_runtime::api::dto::MemberList;

use super::harness::{Cluster, wait_for};

/// Between a node and all others: passes on what comes for it, and keeps it.
fn tap(to: SocketAddr, socket: UdpSocket, heard: Arc<Mutex<Vec<Vec<u8>>>>, stop: Arc<AtomicBool>) {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut buffer = [0; 2_000];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, _)) = socket.recv_from(&mut buffer) else { continue };
        let mut heard = heard.lock().unwrap();
        if heard.len() < 2_000 {
            heard.push(buffer[..length].to_vec());
        }
        // As any network, it may lose one.
        let _ = socket.send_to(&buffer[..length], to);
    }
}

/// Who is there, as far as an attacker must not change it.
fn essence(list: &MemberList) -> Vec<(String, String, Option<String>, String)> {
    let of = |m: &quorate_runtime::api::dto::MemberView| {
        (m.node_id.clone(), m.state.clone(), m.role.clone(), m.address.clone())
    };
    list.members.iter().map(of).collect()
}

/// Somebody who hears all that goes to one node, and may send whatever it likes to everybody, has no key.
#[test]
fn a_flood_of_made_up_changed_and_repeated_datagrams_changes_nothing() {
    let count: u64 = std::env::var("QUORATE_FLOOD").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut cluster = Cluster::new();
    for (name, role) in [("g1", "gate"), ("m1", "manager"), ("m2", "manager"), ("w1", "worker")] {
        cluster.add(name, role, "dc1");
    }
    let tapped = cluster.find("m2");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    cluster.nodes[tapped].advertise = Some(socket.local_addr().unwrap());
    for at in 0..cluster.nodes.len() {
        cluster.start(at);
    }
    let (heard, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
    let to = cluster.nodes[tapped].address.unwrap();
    let thread = {
        let (heard, stop) = (Arc::clone(&heard), Arc::clone(&stop));
        std::thread::spawn(move || tap(to, socket, heard, stop))
    };
    cluster.agree(&[], "after the start");
    wait_for("enough was overheard", || (heard.lock().unwrap().len() >= 200).then_some(()));
    let recorded = heard.lock().unwrap().clone();
    let before: Vec<_> = cluster.nodes.iter().map(|node| essence(&node.list().unwrap())).collect();
    let targets: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.address.unwrap()).collect();
    let attackers: Vec<UdpSocket> = (0..8).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let mut rng = Rng::new(1);
    for number in 0..count {
        let mut pick = |n: usize| (rng.next_u64() % n as u64) as usize;
        let real = &recorded[pick(recorded.len())];
        let bytes: Vec<u8> = match number % 6 {
            0 => real.clone(),
            1 => {
                let mut changed = real.clone();
                let at = pick(changed.len());
                changed[at] ^= 1 << pick(8);
                changed
            }
            2 => real[..pick(real.len())].to_vec(),
            3 => (0..pick(1_452)).map(|_| pick(256) as u8).collect(),
            4 => vec![1; 1_453 + pick(500)],
            _ => real[..29].iter().copied().chain((0..pick(400)).map(|_| pick(256) as u8)).collect(),
        };
        // What does not fit into the buffer of a socket is lost, as on any network.
        let _ = attackers[pick(8)].send_to(&bytes, targets[pick(targets.len())]);
        // A machine with one processor for all must let the nodes run.
        if number % 200 == 199 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    cluster.agree(&[], "after the flood");
    for (node, before) in cluster.nodes.iter().zip(before) {
        assert_eq!(essence(&node.list().unwrap()), before, "{}", node.name);
        assert!(!node.log().contains("is DEAD"), "{}", node.log());
    }
    cluster.check(&[]);
    let mut dropped = std::collections::BTreeMap::new();
    for node in &cluster.nodes {
        for (reason, times) in node.metrics().dropped {
            *dropped.entry(reason).or_insert(0_u64) += times;
        }
    }
    println!("{count} sent, dropped: {dropped:?}");
    for reason in ["too_long", "too_short", "version", "unknown_key", "forged", "replayed", "unbound"] {
        assert!(dropped.get(reason).copied().unwrap_or(0) > 0, "{reason}: {dropped:?}");
    }
    // Nothing that was taken by the seal was no message.
    assert!(!dropped.keys().any(|reason| reason.starts_with("message_")), "{dropped:?}");
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}
