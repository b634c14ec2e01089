//! Jobs that no datacenter is named for, over three datacenters of real processes: they go where somebody is, away from a datacenter
//! whose managers died, and there again when it is back.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Value, json};

use super::harness::{Cluster, wait_for};

const PLACES: [&str; 3] = ["paris", "oslo", "lima"];

/// Three datacenters with a gate, two managers and three workers each, of which the node processes are started.
fn world() -> Cluster {
    let mut cluster = Cluster::new();
    for place in PLACES {
        for (name, role) in [
            ("gate", "gate"),
            ("manager-1", "manager"),
            ("manager-2", "manager"),
            ("worker-1", "worker"),
            ("worker-2", "worker"),
            ("worker-3", "worker"),
        ] {
            let at = cluster.add(&format!("{place}-{name}"), role, place);
            cluster.start(at);
        }
    }
    cluster.agree(&[], "after the start");
    cluster
}

/// Asks this gate for a job; the datacenter it was sent to.
fn submit(cluster: &Cluster, gate: &str, job: &str) -> Result<String, Value> {
    let gate = &cluster.nodes[cluster.find(gate)];
    let asked =
        json!({"job_id": job, "payload": {"do": job}, "timeout_seconds": 3_600, "stuck_threshold": 3_600});
    let (status, answer) = gate.call("POST", "/jobs/submit", &asked).ok_or(Value::Null)?;
    match (status, answer["job"]["target_datacenters"][0].as_str()) {
        (200, Some(place)) => Ok(place.to_owned()),
        _ => Err(answer),
    }
}

/// Does all the work that the managers of a datacenter have.
fn work(cluster: &Cluster, place: &str) {
    for manager in ["manager-1", "manager-2"] {
        let node = &cluster.nodes[cluster.find(&format!("{place}-{manager}"))];
        if !node.is_running() {
            continue;
        }
        let worker = format!("{place}-does-it");
        let register = json!({"worker_id": worker, "datacenter": place, "capacity": 64, "beat_ms": 600_000});
        node.call("POST", "/workers/register", &register);
        let taken =
            node.call("POST", &format!("/workers/{worker}/take"), &json!({"limit": 64, "wait_ms": 50}));
        let Some((200, taken)) = taken else { continue };
        for work in taken["taken"]["work"].as_array().into_iter().flatten() {
            let report = json!({"job_id": work["job_id"], "workflow_id": work["workflow_id"],
                "dispatch_token": work["dispatch_token"], "outcome": "completed"});
            node.call("POST", &format!("/workers/{worker}/report"), &report);
        }
    }
}

fn is_completed(cluster: &Cluster, gate: &str, job: &str) -> bool {
    let gate = &cluster.nodes[cluster.find(gate)];
    let shown = gate.call("GET", &format!("/jobs/{job}/status"), &Value::Null);
    shown.is_some_and(|(status, shown)| status == 200 && shown["status"]["status"] == "completed")
}

#[test]
fn jobs_go_where_somebody_is_and_not_to_a_datacenter_that_died() {
    let mut cluster = world();
    let mut jobs: BTreeMap<String, String> = BTreeMap::new();
    let mut number = 0;
    let mut ask = |cluster: &Cluster, jobs: &mut BTreeMap<String, String>| {
        number += 1;
        let job = format!("job-{number}");
        let place = submit(cluster, "paris-gate", &job)?;
        jobs.insert(job, place.clone());
        Ok::<_, Value>(place)
    };
    // All three are heard of before the first job.
    wait_for("the gate hears of every datacenter", || {
        let gate = &cluster.nodes[cluster.find("paris-gate")];
        let (_, list) = gate.call("GET", "/datacenters", &Value::Null)?;
        let there = |one: &&Value| one["healthy_managers"] == 2;
        (list["datacenters"].as_array()?.iter().filter(there).count() == PLACES.len()).then_some(())
    });
    for _ in 0..12 {
        ask(&cluster, &mut jobs).unwrap();
    }
    // The datacenter that gets jobs dies, with all its managers.
    let dead = ask(&cluster, &mut jobs).unwrap();
    for manager in ["manager-1", "manager-2"] {
        let at = cluster.find(&format!("{dead}-{manager}"));
        cluster.nodes[at].kill();
    }
    // Until that is known jobs still go there, and wait. From then on none does, however often it is asked.
    let (since, mut last, mut elsewhere) = (Stopwatch::start(), Duration::ZERO, 0);
    wait_for("jobs go elsewhere", || {
        let is_there = match ask(&cluster, &mut jobs) {
            Ok(place) => place == dead,
            Err(refused) => panic!("{refused}"),
        };
        (last, elsewhere) = if is_there { (since.elapsed(), 0) } else { (last, elsewhere + 1) };
        (elsewhere == 40).then_some(())
    });
    for manager in ["manager-1", "manager-2"] {
        let at = cluster.find(&format!("{dead}-{manager}"));
        cluster.start(at);
    }
    cluster.agree(&[], "it is back");
    wait_for("the gate hears that it is back", || {
        let gate = &cluster.nodes[cluster.find("paris-gate")];
        let (_, list) = gate.call("GET", "/datacenters", &Value::Null)?;
        let back = |one: &Value| one["datacenter_id"] == dead.as_str() && one["healthy_managers"] == 2;
        list["datacenters"].as_array()?.iter().any(back).then_some(())
    });
    let places: Vec<String> = (0..10).map(|_| ask(&cluster, &mut jobs).unwrap()).collect();
    // Those that it had taken and those that went elsewhere: all end.
    for job in jobs.keys() {
        wait_for(&format!("{job} is completed"), || {
            PLACES.iter().for_each(|place| work(&cluster, place));
            is_completed(&cluster, "paris-gate", job).then_some(())
        });
    }
    println!(
        "{dead} died; {:.1} s later the last job went there; of {} jobs none was lost; after it was back: {places:?}",
        last.as_secs_f64(),
        jobs.len()
    );
    cluster.check(&[]);
}
