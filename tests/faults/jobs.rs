//! Jobs over a gate and two datacenters: dispatch, work, more time, another leader, and all ends, with every store call
//! failing in every way.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate::{Error, ErrorKind, Quorate};
use quorate_core::kernel::ids::EntityId;
use quorate_journal::stores::faulty::FaultKind;
use quorate_journal::stores::memory::MemoryStore;
use quorate_runtime::api::dto::{
    CancelJob, CompleteJob, ExtendJob, HistoryQuery, JobProgress, JobRef, JobStatusView, MoveWorkflow,
    PastState, PlanWorkflow, RegisterWorker, SubmitJob, TransferJob, WorkerReport,
};

use crate::work::Work;
use crate::{Op, config, entity, faulty_run, folded_to_the_end, run};

const DCS: [&str; 2] = ["east", "west"];
const JOBS: [&str; 3] = ["done", "late", "stopped"];

/// One line of the script. What is already so when it is asked again is done.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A worker in a datacenter.
    Hire(&'static str, &'static str),
    /// A job with one workflow in both datacenters, and its budget in seconds.
    Submit(&'static str, f64),
    /// Its workflow goes to a worker.
    Assign(&'static str, &'static str, &'static str),
    Progress(&'static str, &'static str),
    Extend(&'static str, &'static str, &'static str),
    Transfer(&'static str, &'static str, &'static str),
    /// A worker has done its workflow.
    Report(&'static str, &'static str, &'static str),
    Complete(&'static str, &'static str),
    Cancel(&'static str),
}

/// One job is done by its worker in one datacenter and by word in the other; one is over in both before the gate
/// decides; one is stopped while a worker runs it.
fn script() -> Vec<Op> {
    // Five seconds in between: a message whose receiver could not write is sent again within them.
    let acts = |acts: &[Act]| acts.iter().copied().map(Op::Job).collect::<Vec<_>>();
    let mut ops = acts(&[Act::Hire("w", "east"), Act::Submit("done", 600.0)]);
    ops.push(Op::Advance(5_000));
    ops.extend(acts(&[
        Act::Assign("done", "east", "w"),
        Act::Progress("done", "west"),
        Act::Extend("done", "west", "w"),
        Act::Transfer("done", "west", "other"),
    ]));
    ops.push(Op::Advance(5_000));
    ops.push(Op::Job(Act::Report("done", "east", "w")));
    ops.push(Op::Advance(5_000));
    ops.push(Op::Job(Act::Complete("done", "west")));
    ops.push(Op::Advance(5_000));
    ops.push(Op::Job(Act::Submit("late", 20.0)));
    ops.push(Op::Advance(30_000));
    ops.push(Op::Job(Act::Submit("stopped", 600.0)));
    ops.push(Op::Advance(5_000));
    ops.push(Op::Job(Act::Assign("stopped", "east", "w")));
    ops.push(Op::Advance(5_000));
    ops.push(Op::Job(Act::Cancel("stopped")));
    // Time for whom nobody answers: repeats, and what a worker is given to stop.
    ops.push(Op::Advance(60_000));
    ops
}

fn at(job: &str, datacenter: &str) -> (EntityId, Option<EntityId>) {
    (entity(job), Some(entity(datacenter)))
}

fn timeless(job: JobStatusView) -> JobStatusView {
    JobStatusView { elapsed_seconds: 0.0, idle_seconds: 0.0, remaining_seconds: None, ..job }
}

/// How the only workflow of a job stands.
async fn stands(q: &Quorate, job: &str, dc: &str) -> Result<String, Error> {
    let (job_id, datacenter) = at(job, dc);
    let view = q.jobs().status(JobRef { job_id, datacenter }).await?;
    Ok(view.datacenters[0].workflows[&entity("one")].clone())
}

pub async fn act(q: &Quorate, act: Act) -> Result<(), Error> {
    let (jobs, reason) = (q.jobs(), String::new());
    match act {
        Act::Hire(worker, dc) => {
            let capacity = Some(4);
            let request = RegisterWorker {
                worker_id: entity(worker),
                datacenter: Some(entity(dc)),
                capacity,
                beat_ms: None,
                incarnation: None,
            };
            q.workers().register(request).await.map(drop)
        }
        Act::Submit(job, timeout) => {
            let one = PlanWorkflow {
                workflow_id: entity("one"),
                depends_on: Vec::new(),
                worker_id: None,
                payload: None,
            };
            let request = SubmitJob {
                job_id: Some(entity(job)),
                timeout_seconds: Some(timeout),
                target_datacenters: DCS.map(entity).into(),
                workflows: vec![one],
                ..SubmitJob::default()
            };
            jobs.submit(request).await.map(drop)
        }
        Act::Assign(job, dc, worker) => {
            if stands(q, job, dc).await? != "pending" {
                return Ok(());
            }
            let (job_id, datacenter) = at(job, dc);
            let (workflow_id, to) = (entity("one"), "dispatched".into());
            let (worker_id, result, fence_token) = (Some(entity(worker)), None, None);
            let request =
                MoveWorkflow { job_id, datacenter, workflow_id, to, worker_id, reason, result, fence_token };
            jobs.workflow(request).await.map(drop)
        }
        Act::Progress(job, dc) => {
            let (job_id, datacenter) = at(job, dc);
            let (workflow_id, completed_count, fence_token) = (None, None, None);
            let request = JobProgress { job_id, datacenter, workflow_id, completed_count, fence_token };
            jobs.progress(request).await.map(drop)
        }
        Act::Extend(job, dc, worker) => {
            let (job_id, datacenter) = at(job, dc);
            let request = ExtendJob {
                job_id: Some(job_id),
                datacenter,
                worker_id: entity(worker),
                reason,
                current_progress: 1.0,
                estimated_completion: 1.0,
                active_workflow_count: 1,
                completed_items: None,
                total_items: None,
                request_id: Some("more".into()),
                fence_token: None,
            };
            let extended = jobs.extend(request).await?;
            assert!(extended.granted, "{extended:?}");
            Ok(())
        }
        Act::Transfer(job, dc, to) => {
            let (job_id, datacenter) = at(job, dc);
            let (new_leader_id, new_leader_addr) = (entity(to), String::new());
            let (force, fence_token) = (false, None);
            let request =
                TransferJob { job_id, datacenter, new_leader_id, new_leader_addr, force, fence_token };
            jobs.transfer(request).await.map(drop)
        }
        Act::Report(job, dc, worker) => {
            if stands(q, job, dc).await? == "completed" {
                return Ok(());
            }
            let request = WorkerReport {
                data_subject: None,
                worker_id: entity(worker),
                job_id: entity(job),
                workflow_id: entity("one"),
                outcome: "completed".into(),
                completed_count: None,
                result: None,
                dispatch_token: None,
            };
            q.workers().report(request).await.map(drop)
        }
        Act::Complete(job, dc) => {
            let (job_id, datacenter) = at(job, dc);
            let (status, fence_token) = (None, None);
            jobs.complete(CompleteJob { job_id, datacenter, status, reason, fence_token }).await.map(drop)
        }
        Act::Cancel(job) => {
            let (job_id, datacenter, requester_id, fence_token) = (entity(job), None, "u".into(), None);
            jobs.cancel(CancelJob { job_id, datacenter, requester_id, reason, fence_token }).await.map(drop)
        }
    }
}

/// The end of every job: how at its gate, and how and with which workflow in each datacenter.
type Ends = BTreeMap<&'static str, (Option<&'static str>, Vec<(String, String)>)>;

async fn ends(q: &Quorate) -> Ends {
    let mut ends = Ends::new();
    for job in JOBS {
        let request = |datacenter| JobRef { job_id: entity(job), datacenter };
        let Ok(gate) = q.jobs().gate_status(request(None)).await else { continue };
        let mut dcs = Vec::new();
        for dc in DCS {
            let view = q.jobs().status(request(Some(entity(dc)))).await.unwrap().datacenters.remove(0);
            dcs.push((view.status, view.workflows[&entity("one")].clone()));
        }
        ends.insert(job, (gate.final_status.map(|status| status.name()), dcs));
    }
    ends
}

/// What is on record follows the rules, holds all that was acknowledged, and is what is live.
async fn check(q: &Quorate, acknowledged: &[Op], case: &str) -> Work {
    assert!(q.history().verify(|_| ()).await.unwrap().ok, "{case}: chain");
    let query = HistoryQuery { limit: Some(1000), ..Default::default() };
    let page = q.history().query(query).await.unwrap();
    assert!(!page.more);
    let mut work = Work::default();
    for event in &page.events {
        work.add(event).unwrap_or_else(|broken| panic!("{case}: {broken}"));
    }
    let stream = |job: &str, dc: &str| format!("{job}@{dc}");
    let done = |what, name: &str| work.done.iter().any(|(did, of, _)| (*did, of.as_str()) == (what, name));
    for op in acknowledged {
        let Op::Job(act) = op else { continue };
        let there = match *act {
            Act::Submit(job, _) => done("submit", job),
            Act::Extend(job, dc, _) => done("extend", &stream(job, dc)),
            Act::Transfer(job, dc, _) => done("transfer", &stream(job, dc)),
            Act::Report(job, ..) => done("report", job),
            Act::Complete(job, dc) => done("complete", &stream(job, dc)),
            Act::Cancel(job) => done("cancel", job),
            // Progress that is not on record may be lost, and these are seen in how it ends.
            Act::Hire(..) | Act::Assign(..) | Act::Progress(..) => true,
        };
        assert!(there, "{case}: lost {act:?}");
    }
    for name in work.jobs.keys() {
        let (job, dc) = name.split_once('@').unwrap();
        let (job_id, datacenter) = at(job, dc);
        let live = q.jobs().status(JobRef { job_id, datacenter }).await.unwrap().datacenters.remove(0);
        let PastState::Job(folded) = folded_to_the_end(q, "job", name).await.unwrap() else {
            panic!("{case}: {name} is no job");
        };
        let (live, folded) = (format!("{:?}", timeless(live)), format!("{:?}", timeless(*folded)));
        assert_eq!(live, folded, "{case}: live state is not the fold");
    }
    work
}

/// Runs the script with a fault, looks at what was left, and runs what is missing of it.
async fn fails_once(call: u64, kind: FaultKind, expected: Arc<Ends>) {
    let case = format!("call {call} {kind:?}");
    let disk = MemoryStore::new();
    let (acknowledged, _) = faulty_run(&script(), &disk, call, kind).await;
    let q = Quorate::open_with(config(), Arc::new(disk.reopen())).await.unwrap();
    check(&q, &acknowledged, &case).await;
    // From where it stopped; what was repeated already changes nothing.
    for op in script().into_iter().skip(acknowledged.len().saturating_sub(1)) {
        if let Err(error) = run(&q, &op).await {
            assert_eq!(error.kind(), ErrorKind::JobEnded, "{case}: again {op:?}: {error}");
        }
    }
    let work = check(&q, &script(), &case).await;
    assert_eq!(ends(&q).await, *expected, "{case}");
    assert_eq!((work.open(), work.gates.len()), (0, JOBS.len()), "{case}");
    q.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_two_datacenters_end_as_if_no_store_call_had_failed() {
    let calm = MemoryStore::new();
    let (acknowledged, calls) = faulty_run(&script(), &calm, u64::MAX, FaultKind::FailBefore).await;
    assert_eq!(acknowledged.len(), script().len());
    let q = Quorate::open_with(config(), Arc::new(calm.reopen())).await.unwrap();
    let expected = Arc::new(ends(&q).await);
    q.crash().await;
    let both = |status: &str, workflow: &str| vec![(status.to_owned(), workflow.to_owned()); 2];
    let done = [both("completed", "completed").remove(0), both("completed", "cancelled").remove(0)];
    let literal = [
        ("done", (Some("completed"), done.to_vec())),
        ("late", (Some("timeout"), both("timeout", "cancelled"))),
        ("stopped", (Some("cancelled"), both("cancelled", "cancelled"))),
    ];
    assert_eq!(*expected, literal.into());

    for call in 1..=calls {
        let kinds = FaultKind::ALL.map(|kind| tokio::spawn(fails_once(call, kind, expected.clone())));
        for kind in kinds {
            kind.await.unwrap();
        }
    }
    println!("{} faults, each recovered from", calls as usize * FaultKind::ALL.len());
}
