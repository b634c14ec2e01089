//! Jobs that go through processes which are killed and stopped: two gates and two managers of a datacenter, each with its own
//! journal, and workers outside of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use quorate_core::kernel::rng::Rng;
use quorate_runtime::shell::clock::Stopwatch;
use serde_json::{Value, json};

use super::harness::{Cluster, call, wait_for};

/// What the work of jobs changes: it takes nothing under a lower number of leadership than it ever saw of a job.
#[derive(Default)]
struct Resource {
    /// By job: the number of leadership, and how many effects there were.
    jobs: Mutex<BTreeMap<String, (u64, u64)>>,
    /// Effects that came under a number that was replaced.
    stale: AtomicU64,
    /// Work that a worker dropped dead over.
    dropped: AtomicU64,
}

impl Resource {
    fn change(&self, job: &str, fence: u64) -> bool {
        let mut jobs = self.jobs.lock().unwrap();
        let entry = jobs.entry(job.to_owned()).or_default();
        if fence < entry.0 {
            self.stale.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        *entry = (fence, entry.1 + 1);
        true
    }
}

/// A worker outside: it asks the managers of its datacenter for work by turns, does it, and says so where it got it. Now and then it
/// drops dead in the middle, and another life of it begins.
fn work(
    managers: Vec<PathBuf>,
    name: String,
    seed: u64,
    resource: Arc<Resource>,
    stop: Arc<AtomicBool>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut rng, mut life) = (Rng::new(seed), 1);
        let mut known = vec![0; managers.len()];
        while !stop.load(Ordering::Relaxed) {
            for (at, data) in managers.iter().enumerate() {
                let register = json!({"worker_id": name, "datacenter": "paris", "capacity": 4, "beat_ms": 500, "incarnation": life});
                if known[at] != life {
                    match call(data, "POST", "/workers/register", &register) {
                        Some((200, _)) => known[at] = life,
                        _ => continue,
                    }
                }
                let take = json!({"limit": 4, "wait_ms": 100});
                let Some((status, taken)) = call(data, "POST", &format!("/workers/{name}/take"), &take)
                else {
                    continue;
                };
                if status != 200 {
                    known[at] = 0;
                    continue;
                }
                for work in taken["taken"]["work"].as_array().into_iter().flatten() {
                    std::thread::sleep(Duration::from_millis(rng.next_u64() % 120));
                    if rng.next_u64().is_multiple_of(25) {
                        resource.dropped.fetch_add(1, Ordering::Relaxed);
                        life += 1;
                        break;
                    }
                    let (job, fence) =
                        (work["job_id"].as_str().unwrap(), work["fence_token"].as_u64().unwrap());
                    // Where somebody leads above it, it is put down.
                    let outcome = if resource.change(job, fence) { "completed" } else { "cancelled" };
                    let report = json!({"job_id": job, "workflow_id": work["workflow_id"],
                        "dispatch_token": work["dispatch_token"], "outcome": outcome});
                    // Whoever does not take it hands the work out again, or is replaced.
                    let _ = call(data, "POST", &format!("/workers/{name}/report"), &report);
                }
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    })
}

fn paris() -> Cluster {
    let mut cluster = Cluster::new();
    for (name, role) in
        [("g1", "gate"), ("g2", "gate"), ("m1", "manager"), ("m2", "manager"), ("w1", "worker")]
    {
        let at = cluster.add(name, role, "paris");
        cluster.start(at);
    }
    cluster.agree(&[], "after the start");
    cluster
}

fn submit(cluster: &Cluster, job: &str) -> bool {
    submit_at(cluster, "g1", job)
}

fn submit_at(cluster: &Cluster, gate: &str, job: &str) -> bool {
    let gate = &cluster.nodes[cluster.find(gate)];
    let asked = json!({"job_id": job, "target_datacenters": ["paris"], "payload": {"do": job},
        "timeout_seconds": 3_600, "stuck_threshold": 3_600, "max_attempts": 100});
    matches!(gate.call("POST", "/jobs/submit", &asked), Some((200, _)))
}

fn status(cluster: &Cluster, job: &str) -> Option<String> {
    status_at(cluster, "g1", job)
}

fn status_at(cluster: &Cluster, gate: &str, job: &str) -> Option<String> {
    let gate = &cluster.nodes[cluster.find(gate)];
    let (status, shown) = gate.call("GET", &format!("/jobs/{job}/status"), &Value::Null)?;
    (status == 200).then(|| shown["status"]["status"].as_str().map(str::to_owned))?
}

fn finals(cluster: &Cluster, job: &str) -> usize {
    count(cluster, "g1", job, "finished")
}

/// How often something is on record of a job at a gate.
fn count(cluster: &Cluster, gate: &str, job: &str, event: &str) -> usize {
    let gate = &cluster.nodes[cluster.find(gate)];
    gate.events("gate", job).iter().filter(|found| found["event"] == event).count()
}

/// The manager that hands a job to a worker of this name, and under which number of leadership.
fn taken(cluster: &Cluster, job: &str, worker: &str, among: &[&str]) -> (String, Value) {
    wait_for("a manager hands the job out", || {
        among.iter().find_map(|name| {
            let node = &cluster.nodes[cluster.find(name)];
            let register = json!({"worker_id": worker, "datacenter": "paris", "beat_ms": 600_000});
            node.call("POST", "/workers/register", &register)?;
            let (_, taken) =
                node.call("POST", &format!("/workers/{worker}/take"), &json!({"wait_ms": 200}))?;
            let work = taken["taken"]["work"].as_array()?.iter().find(|work| work["job_id"] == job)?.clone();
            Some(((*name).to_owned(), work))
        })
    })
}

#[test]
fn the_jobs_of_a_manager_that_is_killed_or_stopped_are_taken_over_above_its_tokens() {
    let mut cluster = paris();
    for way in ["kill", "stop"] {
        let job = format!("job-{way}");
        assert!(submit(&cluster, &job));
        let (first, work) = taken(&cluster, &job, &format!("w-{way}"), &["m1", "m2"]);
        let second = if first == "m1" { "m2" } else { "m1" };
        let at = cluster.find(&first);
        if way == "kill" {
            cluster.nodes[at].kill()
        } else {
            cluster.nodes[at].signal("-STOP")
        }
        let (_, again) = taken(&cluster, &job, &format!("x-{way}"), &[second]);
        let fence = |work: &Value| work["fence_token"].as_u64().unwrap();
        assert!(fence(&again) > fence(&work) + 1_000, "{again} {work}");
        // The first one is back before the job ends, and its worker says that it has done the work.
        if way == "kill" {
            cluster.start(at)
        } else {
            cluster.nodes[at].signal("-CONT")
        }
        let report = |work: &Value| {
            json!({"job_id": job, "workflow_id": work["workflow_id"],
                "dispatch_token": work["dispatch_token"], "outcome": "completed"})
        };
        cluster.agree(&[], "the first one is back");
        cluster.nodes[at].call("POST", &format!("/workers/w-{way}/report"), &report(&work));
        wait_for("the gate refused what the first one said", || {
            let events = cluster.nodes[cluster.find("g1")].events("gate", &job);
            events.iter().any(|event| event["event"] == "fence_rejected").then_some(())
        });
        assert_ne!(
            status(&cluster, &job).as_deref(),
            Some("completed"),
            "nothing under the old token counts"
        );
        let done = cluster.nodes[cluster.find(second)].call(
            "POST",
            &format!("/workers/x-{way}/report"),
            &report(&again),
        );
        assert_eq!(done.as_ref().map(|(status, _)| *status), Some(200), "{done:?}");
        wait_for("the job has ended", || (status(&cluster, &job)? == "completed").then_some(()));
        assert_eq!(finals(&cluster, &job), 1);
        let events = cluster.nodes[cluster.find("g1")].events("gate", &job);
        assert_eq!(events.iter().filter(|event| event["event"] == "taken_over").count(), 1, "{events:?}");
    }
    cluster.check(&[]);
}

#[test]
fn the_jobs_of_a_gate_that_is_killed_or_stopped_are_led_by_another_above_its_epochs() {
    let mut cluster = paris();
    for way in ["kill", "stop"] {
        let job = format!("job-{way}");
        assert!(submit(&cluster, &job));
        let (manager, work) = taken(&cluster, &job, &format!("w-{way}"), &["m1", "m2"]);
        let at = cluster.find("g1");
        if way == "kill" {
            cluster.nodes[at].kill()
        } else {
            cluster.nodes[at].signal("-STOP")
        }
        wait_for("the other gate leads the job", || {
            (status_at(&cluster, "g2", &job)? != "completed").then_some(())
        });
        if way == "kill" {
            cluster.start(at)
        } else {
            cluster.nodes[at].signal("-CONT")
        }
        // The one that comes back is told so, before it says anything of the job again.
        wait_for("the gate that came back was replaced", || {
            (count(&cluster, "g1", &job, "gate_replaced") == 1).then_some(())
        });
        cluster.agree(&[], "the gate is back");
        let elsewhere = |method: &str, path: &str, body: Value| {
            let answer = cluster.nodes[at].call(method, &format!("/jobs/{path}"), &body).unwrap();
            assert_eq!((answer.0, &answer.1["error"]["kind"]), (421, &json!("led_elsewhere")), "{answer:?}");
            assert_eq!(answer.1["error"]["gate"], "g2", "{answer:?}");
        };
        elsewhere("GET", &format!("{job}/status"), Value::Null);
        elsewhere("GET", &format!("{job}/wait?timeout_ms=100"), Value::Null);
        elsewhere("POST", &format!("{job}/cancel"), json!({}));
        elsewhere(
            "POST",
            "submit",
            json!({"job_id": job, "target_datacenters": ["paris"], "payload": {"do": job},
            "timeout_seconds": 3_600, "stuck_threshold": 3_600, "max_attempts": 100}),
        );
        let report = json!({"job_id": job, "workflow_id": work["workflow_id"],
            "dispatch_token": work["dispatch_token"], "outcome": "completed"});
        let done =
            cluster.nodes[cluster.find(&manager)].call("POST", &format!("/workers/w-{way}/report"), &report);
        assert_eq!(done.as_ref().map(|(status, _)| *status), Some(200), "{done:?}");
        wait_for("the job has ended", || (status_at(&cluster, "g2", &job)? == "completed").then_some(()));
        assert_eq!((count(&cluster, "g2", &job, "finished"), finals(&cluster, &job)), (1, 0));
        let led = cluster.nodes[cluster.find("g2")].events("gate", &job);
        let rebuilt = led.iter().find(|event| event["event"] == "rebuilt").expect("it was told the job");
        let epoch = rebuilt["data"]["tracked"]["gate_epoch"].as_u64().unwrap_or_default();
        assert!(epoch >= 1 << 20, "{rebuilt}");
    }
    cluster.check(&[]);
}

/// `QUORATE_KILLS=100` for the long form.
#[test]
fn jobs_go_through_kills_and_stops_of_every_role_with_one_end_each() {
    let number =
        |name: &str, usual: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
    let (kills, seed) = (number("QUORATE_KILLS", 6), number("QUORATE_SEED", 11));
    println!("QUORATE_KILLS={kills} QUORATE_SEED={seed}");
    let mut cluster = paris();
    let (resource, stop) = (Arc::new(Resource::default()), Arc::new(AtomicBool::new(false)));
    let managers: Vec<PathBuf> =
        ["m1", "m2"].iter().map(|name| cluster.nodes[cluster.find(name)].data.clone()).collect();
    let workers: Vec<JoinHandle<()>> = (0..3)
        .map(|n| work(managers.clone(), format!("worker-{n}"), seed + n, resource.clone(), stop.clone()))
        .collect();
    let mut rng = Rng::new(seed);
    let (mut acknowledged, mut asked, mut done) = (Vec::new(), 0, BTreeMap::<String, u64>::new());
    for kill in 0..kills {
        let role = ["g1", "m1", "m2", "g2", "m1", "m2", "w1"][(rng.next_u64() % 7) as usize];
        let at = cluster.find(role);
        let is_kill = rng.next_u64().is_multiple_of(2);
        let way = if is_kill { "kill -9" } else { "SIGSTOP" };
        *done.entry(format!("{way} {}", cluster.nodes[at].role)).or_default() += 1;
        // Jobs come at random instants around the kill.
        let before = rng.next_u64() % 6;
        // Every third one is away for so long that others take it for dead.
        let long = Duration::from_millis(if kill % 3 == 2 { 7_000 } else { 200 + rng.next_u64() % 3_000 });
        let mut more = |cluster: &Cluster, jobs: u64| {
            for _ in 0..jobs {
                asked += 1;
                let job = format!("job-{asked}");
                // Where it is asked for, and acknowledged.
                let gate = ["g1", "g2"][asked % 2];
                if gate != role && submit_at(cluster, gate, &job) {
                    acknowledged.push(job);
                }
            }
        };
        more(&cluster, before);
        std::thread::sleep(Duration::from_millis(rng.next_u64() % 300));
        if is_kill {
            cluster.nodes[at].kill()
        } else {
            cluster.nodes[at].signal("-STOP")
        }
        let since = Stopwatch::start();
        while since.elapsed() < long {
            more(&cluster, 1);
            std::thread::sleep(Duration::from_millis(150));
        }
        if is_kill {
            cluster.start(at)
        } else {
            cluster.nodes[at].signal("-CONT")
        }
        if kill % 10 == 9 {
            println!("{} kills, {} jobs", kill + 1, acknowledged.len());
        }
    }
    cluster.agree(&[], "after the last one");
    let since = Stopwatch::start();
    let mut statuses = BTreeMap::<String, u64>::new();
    for job in &acknowledged {
        let ends: Vec<Value> = wait_for(&format!("{job} ends"), || {
            let events = ["g1", "g2"].map(|gate| cluster.nodes[cluster.find(gate)].events("gate", job));
            let ends: Vec<Value> =
                events.into_iter().flatten().filter(|event| event["event"] == "finished").collect();
            (!ends.is_empty()).then_some(ends)
        });
        let statuses_of: BTreeSet<&str> =
            ends.iter().filter_map(|event| event["data"]["status"].as_str()).collect();
        assert_eq!(statuses_of.len(), 1, "{job} has one final status: {ends:?}");
        let ended = ends[0]["data"]["status"].as_str().unwrap().to_owned();
        if ended != "completed" {
            for (of, kind, id) in [
                ("g1", "gate", job.clone()),
                ("g2", "gate", job.clone()),
                ("m1", "job", format!("{job}@paris")),
                ("m2", "job", format!("{job}@paris")),
            ] {
                for event in cluster.nodes[cluster.find(of)].events(kind, &id) {
                    println!("{of} {} {} {}", event["at"], event["event"], event["data"]);
                }
            }
        }
        *statuses.entry(ended).or_default() += 1;
    }
    stop.store(true, Ordering::Relaxed);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let jobs = resource.jobs.lock().unwrap();
    let doubled = jobs.values().filter(|(_, effects)| *effects > 1).count();
    let lost = acknowledged.iter().filter(|job| !jobs.contains_key(*job)).count();
    for (gate, event) in [("g1", "taken_over"), ("g2", "taken_over"), ("g1", "rebuilt"), ("g2", "rebuilt")] {
        let path = format!("/history/count?kind=gate&event={event}");
        let counted = cluster.nodes[cluster.find(gate)].call("GET", &path, &Value::Null);
        println!("{gate} {event}: {}", counted.map(|(_, counts)| counts).unwrap_or_default());
    }
    println!(
        "{done:?}; {asked} jobs asked for, {} acknowledged, ended as {statuses:?} {:?} after the last kill; \
         {doubled} were done more than once, {} refused as stale, {} dropped by a dying worker, {lost} lost",
        acknowledged.len(),
        since.elapsed(),
        resource.stale.load(Ordering::Relaxed),
        resource.dropped.load(Ordering::Relaxed),
    );
    assert_eq!(lost, 0, "what completed was done");
    assert_eq!(statuses.get("completed").copied(), Some(acknowledged.len() as u64), "{statuses:?}");
    cluster.check(&[]);
}
