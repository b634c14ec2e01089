//! Leadership over random scripts on the runtime: whatever dies and whenever, every grant has a higher token than all
//! before it. Compared with a naive twin that knows a number, a leader, and a lease with an end.

use std::sync::Arc;
use std::time::Duration;

use quorate::{Config, ErrorKind, Quorate};
use quorate_core::kernel::ids::EntityId;
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{JobProgress, JobRef, LeaseJob, SubmitJob, TransferJob};
use quorate_runtime::config::ClockConfig;

use crate::manual;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

/// What stands in a job, as simply as it can be said.
#[derive(Debug)]
struct Twin {
    token: i64,
    leader: String,
    /// Holder, the token it was taken under, its end in ms, whether it dies with the process.
    lease: Option<(String, i64, i64, bool)>,
}

impl Twin {
    fn grant(&mut self, leader: &str) {
        self.token += 1;
        self.leader = leader.to_owned();
        self.lease = None;
    }

    fn holder(&self, now: i64) -> Option<&str> {
        self.lease.as_ref().filter(|(_, _, end, _)| now < *end).map(|(holder, ..)| holder.as_str())
    }

    fn dies(&mut self) {
        self.token += 1;
        self.lease = self.lease.take().filter(|(_, _, _, in_process)| !in_process);
    }
}

fn lease(holder: &str, fence_token: Option<i64>, lease_ms: Option<i64>, in_process: bool) -> LeaseJob {
    LeaseJob {
        job_id: id("j"),
        datacenter: None,
        holder_id: id(holder),
        incarnation: 1,
        holder_addr: String::new(),
        force: false,
        fence_token,
        lease_ms,
        in_process: Some(in_process),
    }
}

async fn check(q: &Quorate, twin: &Twin, said: &str) {
    let status = q.jobs().status(JobRef { job_id: id("j"), datacenter: None }).await.unwrap();
    let view = &status.datacenters[0];
    assert_eq!(
        (view.fence_token as i64, view.leader_id.as_str()),
        (twin.token, twin.leader.as_str()),
        "{said}"
    );
    let now = q.now().as_millis();
    assert_eq!(view.lease_holder.as_ref().map(EntityId::as_str), twin.holder(now), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_grow_with_every_leadership_whatever_dies_and_at_whatever_instant() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let disk = MemoryStore::new();
        let open = async |at: Timestamp| {
            let config = Config { clock: ClockConfig::Manual(at), ..manual() };
            Quorate::open_with(config, Arc::new(disk.reopen())).await.unwrap()
        };
        let mut q = open(Timestamp::EPOCH).await;
        let submit = SubmitJob {
            job_id: Some(id("j")),
            leader_id: Some(id("a")),
            stuck_threshold: Some(1e9),
            ..SubmitJob::default()
        };
        q.jobs().submit(submit).await.unwrap();
        let mut twin = Twin { token: 1, leader: "a".into(), lease: None };
        for step in 0..40 {
            let name = ["a", "b", "c"][(rng.next_u64() % 3) as usize];
            let said = format!("seed {seed}, step {step}");
            let now = q.now().as_millis();
            match rng.next_u64() % 8 {
                // Half of the time nothing passes between two lives.
                0..=2 => {
                    let down = if rng.next_u64().is_multiple_of(2) { 0 } else { rng.next_u64() % 40_000 };
                    let at = q.now().plus(Duration::from_millis(down));
                    q.crash().await;
                    q = open(at).await;
                    twin.dies();
                }
                3 => {
                    let request = TransferJob {
                        job_id: id("j"),
                        datacenter: None,
                        new_leader_id: id(name),
                        new_leader_addr: String::new(),
                        force: true,
                        fence_token: None,
                    };
                    let led = q.jobs().transfer(request).await.unwrap();
                    // The same name in a later process is another leader; in the same one it leads already.
                    if led.fence_token as i64 > twin.token {
                        twin.grant(name);
                    }
                    assert_eq!((led.fence_token as i64, twin.leader.as_str()), (twin.token, name), "{said}");
                }
                4 | 5 => {
                    let (length, in_process) =
                        (1 + (rng.next_u64() % 60_000) as i64, rng.next_u64().is_multiple_of(3));
                    let taken = q.jobs().acquire(lease(name, None, Some(length), in_process)).await;
                    let before = twin.holder(now).map(str::to_owned);
                    match before {
                        Some(other) if other != name => {
                            assert_eq!(taken.unwrap_err().kind(), ErrorKind::LeaseHeld, "{said}");
                        }
                        before => {
                            let under = match (before, &twin.lease) {
                                (Some(_), Some((_, under, _, same))) if *same == in_process => *under,
                                (Some(_), _) => twin.token,
                                (None, _) => {
                                    twin.grant(name);
                                    twin.token
                                }
                            };
                            twin.lease = Some((name.into(), under, now + length, in_process));
                            assert_eq!(taken.unwrap().fence_token as i64, twin.token, "{said}");
                        }
                    }
                }
                6 => {
                    let shown = 1 + (rng.next_u64() % twin.token as u64) as i64;
                    let kept = q.jobs().renew(lease(name, Some(shown), Some(20_000), false)).await;
                    match twin
                        .lease
                        .as_mut()
                        .filter(|(holder, under, end, _)| now < *end && holder == name && shown >= *under)
                    {
                        Some(held) => {
                            held.2 = now + 20_000;
                            assert_eq!(
                                kept.unwrap().fence_token as i64,
                                twin.token,
                                "{said}: it is told the token"
                            );
                        }
                        None => drop(kept.unwrap_err()),
                    }
                }
                _ => {
                    q.advance(Duration::from_millis(rng.next_u64() % 20_000)).await.unwrap();
                    let old = JobProgress {
                        job_id: id("j"),
                        datacenter: None,
                        workflow_id: None,
                        completed_count: None,
                        fence_token: Some(twin.token - 1),
                    };
                    let answer = q.jobs().progress(old).await;
                    if twin.token > 1 {
                        let error = answer.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::StaleToken, "{said}");
                        assert_eq!(error.detail("leader_id").unwrap(), twin.leader.as_str(), "{said}");
                    }
                }
            }
            check(&q, &twin, &said).await;
        }
        q.close().await.unwrap();
    }
}
