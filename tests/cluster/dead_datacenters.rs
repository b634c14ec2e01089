//! What becomes of the jobs of a datacenter all of whose managers are killed, or stopped and woken again; and what is to be seen of
//! it at the gate.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Value, json};

use super::harness::{Cluster, Process, wait_for};

const PLACES: [&str; 3] = ["paris", "oslo", "lima"];
const MANAGERS: [&str; 2] = ["manager-1", "manager-2"];
const DEADLINE: Duration = Duration::from_secs(600);

/// A gate, and two managers in each of three datacenters.
fn world() -> Cluster {
    let mut cluster = Cluster::new();
    let at = cluster.add("g1", "gate", "paris");
    cluster.start(at);
    for place in PLACES {
        for manager in MANAGERS {
            let at = cluster.add(&format!("{place}-{manager}"), "manager", place);
            cluster.start(at);
        }
    }
    cluster.agree(&[], "after the start");
    wait_for("the gate hears of every datacenter", || {
        let list = get(gate(&cluster), "/datacenters")?;
        let there = |one: &&Value| one["healthy_managers"] == 2;
        (list["datacenters"].as_array()?.iter().filter(there).count() == PLACES.len()).then_some(())
    });
    cluster
}

fn gate(cluster: &Cluster) -> &Process {
    &cluster.nodes[cluster.find("g1")]
}

fn get(node: &Process, path: &str) -> Option<Value> {
    let (status, answer) = node.call("GET", path, &Value::Null)?;
    (status == 200).then_some(answer)
}

fn submit(cluster: &Cluster, job: &str, pinned: Option<&str>, timeout: u64) -> String {
    let mut asked =
        json!({"job_id": job, "payload": {"do": job}, "timeout_seconds": timeout, "stuck_threshold": 3_600});
    if let Some(place) = pinned {
        asked["target_datacenters"] = json!([place]);
    }
    let (status, answer) = gate(cluster).call("POST", "/jobs/submit", &asked).expect("the gate answers");
    assert_eq!(status, 200, "{answer}");
    answer["job"]["target_datacenters"][0].as_str().unwrap().to_owned()
}

/// The work that the managers of a datacenter hand to this worker, each with who handed it out.
fn taken(cluster: &Cluster, place: &str, worker: &str) -> Vec<(usize, Value)> {
    let mut all = Vec::new();
    for manager in MANAGERS {
        let at = cluster.find(&format!("{place}-{manager}"));
        let node = &cluster.nodes[at];
        if !node.is_running() {
            continue;
        }
        let register = json!({"worker_id": worker, "datacenter": place, "capacity": 64, "beat_ms": 600_000});
        node.call("POST", "/workers/register", &register);
        let taken =
            node.call("POST", &format!("/workers/{worker}/take"), &json!({"limit": 64, "wait_ms": 50}));
        let Some((200, taken)) = taken else { continue };
        let work = taken["taken"]["work"].as_array().cloned().unwrap_or_default();
        all.extend(work.into_iter().map(|work| (at, work)));
    }
    all
}

fn report(cluster: &Cluster, worker: &str, (at, work): &(usize, Value)) {
    let said = json!({"job_id": work["job_id"], "workflow_id": work["workflow_id"],
        "dispatch_token": work["dispatch_token"], "outcome": "completed"});
    // Whoever does not take it has lost the job, or hands it out again.
    cluster.nodes[*at].call("POST", &format!("/workers/{worker}/report"), &said);
}

fn status(cluster: &Cluster, job: &str) -> Option<String> {
    Some(get(gate(cluster), &format!("/jobs/{job}/status"))?["status"]["status"].as_str()?.to_owned())
}

fn count(cluster: &Cluster, job: &str, event: &str) -> usize {
    gate(cluster).events("gate", job).iter().filter(|found| found["event"] == event).count()
}

fn listed(cluster: &Cluster, filter: &str) -> Option<Vec<Value>> {
    get(gate(cluster), &format!("/jobs?{filter}"))?["jobs"].as_array().cloned()
}

/// The jobs of a datacenter that is gone in this way end once, elsewhere, before their deadline.
fn a_datacenter_goes(signal: Option<&str>) {
    let mut cluster = world();
    let mut jobs: BTreeMap<String, String> = BTreeMap::new();
    for number in 0..12 {
        let job = format!("job-{number}");
        let place = submit(&cluster, &job, None, DEADLINE.as_secs());
        jobs.insert(job, place);
    }
    // The one that has most of them.
    let has = |place: &str| jobs.values().filter(|of| *of == place).count();
    let dead = PLACES.into_iter().max_by_key(|place| has(place)).unwrap();
    submit(&cluster, "pinned-short", Some(dead), 25);
    submit(&cluster, "pinned", Some(dead), DEADLINE.as_secs());
    wait_for("every job is led by a manager", || {
        let lines = listed(&cluster, "limit=100")?;
        (lines.len() == 14 && lines.iter().all(|line| line["status"] == "running")).then_some(())
    });
    // Its workers are at it.
    let old = taken(&cluster, dead, "old-worker");
    assert!(old.len() >= has(dead), "{old:?}");
    let since = Stopwatch::start();
    let managers = MANAGERS.map(|manager| cluster.find(&format!("{dead}-{manager}")));
    for at in managers {
        match signal {
            Some(signal) => cluster.nodes[at].signal(signal),
            None => cluster.nodes[at].kill(),
        }
    }
    wait_for("jobs that may go nowhere else wait", || {
        let lines = listed(&cluster, "state=waiting_for_datacenter")?;
        let names: Vec<&str> = lines.iter().filter_map(|line| line["job_id"].as_str()).collect();
        (names == ["pinned-short", "pinned"]).then_some(())
    });
    assert_eq!(status(&cluster, "pinned").as_deref(), Some("waiting_for_datacenter"));
    let shown = get(gate(&cluster), "/overview").unwrap();
    let problems = shown["overview"]["problems"].to_string();
    assert!(problems.contains("datacenter_dead") && problems.contains(dead), "{shown}");
    assert!(shown["overview"]["overdue"].to_string().contains("waiting_for_datacenter"), "{shown}");
    let moved: Vec<&String> = jobs.iter().filter(|(_, place)| *place == dead).map(|(job, _)| job).collect();
    for job in &moved {
        wait_for(&format!("{job} goes elsewhere"), || (count(&cluster, job, "moved") == 1).then_some(()));
    }
    let went = since.elapsed();
    // Some of them are done elsewhere before the first datacenter is back, and some after it.
    let living: Vec<&str> = PLACES.into_iter().filter(|place| *place != dead).collect();
    let mut works: Vec<(usize, Value)> =
        living.iter().flat_map(|place| taken(&cluster, place, "new-worker")).collect();
    for work in works.drain(..works.len() / 2) {
        report(&cluster, "new-worker", &work);
    }
    wait_for("the job that waited in vain has ended", || {
        (status(&cluster, "pinned-short")? == "timeout").then_some(())
    });
    let why = get(gate(&cluster), "/jobs/pinned-short/why").unwrap().to_string();
    assert!(why.contains(&format!("waiting_for_datacenter={dead}")), "{why}");
    for at in managers {
        match signal {
            Some(_) => cluster.nodes[at].signal("-CONT"),
            None => cluster.start(at),
        }
    }
    cluster.agree(&[], "it is back");
    for work in &old {
        report(&cluster, "old-worker", work);
    }
    for job in &moved {
        wait_for(&format!("what the first datacenter says of {job} is refused"), || {
            (count(&cluster, job, "fence_rejected") > 0).then_some(())
        });
    }
    for job in jobs.keys().map(String::as_str).chain(["pinned"]) {
        wait_for(&format!("{job} is completed"), || {
            for place in PLACES {
                for worker in ["new-worker", "old-worker"] {
                    for work in taken(&cluster, place, worker) {
                        report(&cluster, worker, &work);
                    }
                }
            }
            (status(&cluster, job)? == "completed").then_some(())
        });
    }
    assert!(since.elapsed() < DEADLINE, "before their deadline");
    for job in jobs.keys().map(String::as_str).chain(["pinned", "pinned-short"]) {
        assert_eq!(count(&cluster, job, "finished"), 1, "{job}");
    }
    for job in &moved {
        assert_eq!(count(&cluster, job, "moved"), 1, "{job} does not move back");
    }
    let stats = get(gate(&cluster), "/jobs/stats").unwrap();
    let stale = stats["stats"]["stale_reports"].as_object().unwrap();
    assert!(!stale.is_empty(), "{stats}");
    assert_eq!(stats["stats"]["tracked_elsewhere"], 0, "{stats}");
    println!(
        "{dead} {}; {:.1} s later its {} jobs were elsewhere; refused of it: {}",
        if signal.is_some() { "was stopped and woken" } else { "was killed" },
        went.as_secs_f64(),
        moved.len(),
        stats["stats"]["stale_reports"],
    );
    cluster.check(&[]);
}

#[test]
fn the_jobs_of_a_datacenter_that_is_killed_end_once_elsewhere_before_their_deadline() {
    a_datacenter_goes(None);
}

#[test]
fn a_datacenter_that_was_stopped_and_wakes_up_ends_nothing_twice() {
    a_datacenter_goes(Some("-STOP"));
}

#[test]
fn at_a_gate_everything_is_to_be_seen_of_the_jobs_that_it_leads() {
    let cluster = world();
    for (job, place) in [("one", "oslo"), ("two", "lima"), ("three", "oslo")] {
        submit(&cluster, job, Some(place), 3_600);
    }
    let both = json!({"job_id": "both", "target_datacenters": ["oslo", "lima"], "payload": 1, "stuck_threshold": 3_600});
    assert_eq!(gate(&cluster).call("POST", "/jobs/submit", &both).unwrap().0, 200);
    wait_for("each is led by a manager", || {
        let lines = listed(&cluster, "state=running")?;
        (lines.len() == 5).then_some(())
    });
    let lines = listed(&cluster, "").unwrap();
    let names: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}", line["job_id"], line["datacenter"]).replace('"', ""))
        .collect();
    assert_eq!(names, ["both lima", "both oslo", "one oslo", "three oslo", "two lima"]);
    for line in &lines {
        let at = cluster.find(line["leader_id"].as_str().unwrap());
        assert!(cluster.nodes[at].name.starts_with(line["datacenter"].as_str().unwrap()), "{line}");
        assert_eq!((&line["gate_id"], &line["is_stuck"]), (&json!("g1"), &json!(false)), "{line}");
        assert_eq!(line["deadline"].is_null(), line["job_id"] == "both", "{line}");
        assert!(line["fence_token"].as_u64() > Some(0) && line["idle_seconds"].is_number(), "{line}");
    }
    // Newest first, a page at a time, filtered.
    let mut cursor = String::new();
    let mut paged = Vec::new();
    for _ in 0..3 {
        let page = get(gate(&cluster), &format!("/jobs?newest_first=true&limit=2{cursor}")).unwrap();
        paged.extend(page["jobs"].as_array().unwrap().iter().map(|line| line["job_id"].clone()));
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!((page["more"].as_bool(), &page["live"]), (Some(paged.len() < 5), &json!(5)), "{page}");
    }
    assert_eq!(paged, ["both", "both", "three", "two", "one"]);
    assert_eq!(listed(&cluster, "datacenter=lima").unwrap().len(), 2);
    let leader = lines[2]["leader_id"].as_str().unwrap();
    let led = listed(&cluster, &format!("leader_id={leader}")).unwrap();
    assert!(led.iter().all(|line| line["leader_id"] == leader), "{led:?}");
    assert!(led.iter().any(|line| line["job_id"] == lines[2]["job_id"]), "{led:?}");
    assert_eq!(gate(&cluster).call("GET", "/jobs?cursor=nobody@oslo", &Value::Null).unwrap().0, 422);
    // Each for itself.
    let told = get(gate(&cluster), "/jobs/both/status").unwrap();
    assert_eq!(told["status"]["elsewhere"].as_array().unwrap().len(), 2, "{told}");
    let told = get(gate(&cluster), "/jobs/both/status?datacenter=oslo").unwrap();
    assert_eq!(
        (&told["status"]["status"], &told["status"]["elsewhere"][0]["datacenter"]),
        (&json!("running"), &json!("oslo"))
    );
    let why = get(gate(&cluster), "/jobs/both/why").unwrap();
    let sentences = why["why"]["chain"].to_string();
    assert!(sentences.contains("tracked by gate g1") && sentences.contains("leads in lima"), "{why}");
    let why = get(gate(&cluster), "/jobs/both/why?datacenter=oslo").unwrap();
    assert_eq!(why["why"]["datacenter"], "oslo");
    assert!(!why["why"]["chain"].to_string().contains("leads in lima"), "{why}");
    let stuck = |seconds: &str| {
        let told = get(gate(&cluster), &format!("/jobs/both/stuck_workflows?threshold_seconds={seconds}"));
        told.unwrap()["stuck"]["elsewhere"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((stuck("3600"), wait_for("time passes", || (stuck("0.001") == 2).then_some(2))), (0, 2));
    let shown = get(gate(&cluster), "/overview").unwrap();
    assert_eq!(shown["overview"]["open"]["jobs"], 5, "{shown}");
    // What ends is waited for, in one datacenter and everywhere, and is listed then.
    let waited = get(gate(&cluster), "/jobs/both/wait?datacenter=oslo&timeout_ms=200").unwrap();
    assert_eq!(waited["status"]["status"], "running");
    for work in taken(&cluster, "oslo", "worker") {
        report(&cluster, "worker", &work);
    }
    let waited = get(gate(&cluster), "/jobs/one/wait?timeout_ms=4000").unwrap();
    assert_eq!(waited["status"]["status"], "completed");
    let waited = get(gate(&cluster), "/jobs/both/wait?datacenter=oslo&timeout_ms=4000").unwrap();
    assert_eq!(waited["status"]["status"], "completed");
    wait_for("those that are done are listed as ended", || {
        let ended = listed(&cluster, "state=completed&newest_first=true")?;
        let live = listed(&cluster, "")?;
        (ended.len() == 2 && live.len() == 2).then_some(())
    });
    cluster.check(&[]);
}
