//! Every bounded field of a job at its bound goes the whole way, from the door through gate, manager and worker and back;
//! one beyond it is refused at the door, and nothing is left of it.

use quorate::{Error, ErrorKind, Quorate};
use quorate_runtime::api::ops;
use serde_json::{Map, Value, json};

use crate::manual;

async fn call(q: &Quorate, name: &str, request: Value) -> Result<Value, Error> {
    let fields: Map<String, Value> = request.as_object().unwrap().clone();
    ops::find(name).unwrap().call(q.clone(), fields).await
}

async fn done(q: &Quorate, name: &str, request: Value) -> Value {
    let reply = call(q, name, request).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    // What follows from it comes first.
    q.advance(std::time::Duration::ZERO).await.unwrap();
    reply
}

/// Refused at the door, naming the field, what was given and what is allowed.
async fn refused(q: &Quorate, name: &str, request: Value, field: &str, given: &str, expected: &str) {
    let error = call(q, name, request).await.unwrap_err();
    let said = |detail| {
        error.detail(detail).map_or(String::new(), |value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}: {error:?}");
    assert_eq!((said("field"), said("value")), (field.to_owned(), given.to_owned()), "{name}");
    assert!(said("expected").contains(expected), "{name}: {error:?}");
}

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

async fn ms(q: &Quorate, ms: u64) {
    q.advance(std::time::Duration::from_millis(ms)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_address_that_a_door_takes_is_heard_of_by_the_gate() {
    let q = Quorate::open(manual()).await.unwrap();
    let gate = json!({"job_id":"j","target_datacenters":["a"],"timeout_seconds":3600,"gate_addr":text(1024)});
    done(&q, "job.submit", gate).await;
    ms(&q, 1_000).await;
    done(&q, "job.transfer", json!({"job_id":"j","new_leader_id":"m2","new_leader_addr":text(1024)})).await;
    for _ in 0..20 {
        ms(&q, 30_000).await;
        done(&q, "job.progress", json!({"job_id":"j"})).await;
    }
    let status = done(&q, "gate.status", json!({"job_id":"j"})).await;
    assert_eq!(status["datacenters"][0]["fence_token"], 2, "{status}");
    assert_eq!(status["final_status"], Value::Null, "a job that gets on is not ended as stuck");
    done(&q, "job.acquire", json!({"job_id":"j","holder_id":"m3","holder_addr":text(1024)})).await;
    done(&q, "gate.transfer", json!({"job_id":"j","new_gate_id":"g2","new_gate_addr":text(1024)})).await;
    let long = || text(1025);
    for (name, request, field) in [
        ("job.submit", json!({"job_id":"k","gate_addr":long()}), "gate_addr"),
        (
            "job.transfer",
            json!({"job_id":"j","new_leader_id":"m4","new_leader_addr":long()}),
            "new_leader_addr",
        ),
        (
            "job.acquire",
            json!({"job_id":"j","holder_id":"m4","holder_addr":long(),"force":true}),
            "holder_addr",
        ),
        ("gate.transfer", json!({"job_id":"j","new_gate_id":"g3","new_gate_addr":long()}), "new_gate_addr"),
    ] {
        refused(&q, name, request, field, "1025 bytes", "at most 1024 bytes").await;
    }
    let status = done(&q, "gate.status", json!({"job_id":"j"})).await;
    assert_eq!(status["datacenters"][0]["fence_token"], 3, "{status}");
    assert!(call(&q, "job.status", json!({"job_id":"k"})).await.is_err(), "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_counts_and_results_at_their_bounds_go_the_whole_way() {
    let q = Quorate::open(manual()).await.unwrap();
    let (job, dc, worker, workflow) =
        (text(128), text(127), format!("k{}", text(255)), format!("w{}", text(255)));
    done(&q, "worker.register", json!({"worker_id":worker,"datacenter":dc,"capacity":1_000_000})).await;
    let plan = json!([{"workflow_id":workflow,"worker_id":worker}]);
    let submit = json!({
        "job_id":job,"target_datacenters":[dc],"workflows":plan,"class":text(256),"leader_id":text(256),
        "timeout_seconds":3_153_600_000u64,"stuck_threshold":3_153_600_000u64,"max_attempts":1000,
        "max_total_extension_seconds":3_153_600_000u64,
    });
    done(&q, "job.submit", submit.clone()).await;
    let extend = |id: usize| {
        json!({
            "job_id":job,"worker_id":worker,"reason":text(4096),"current_progress":f64::MAX,
            "estimated_completion":3_153_600_000u64,"completed_items":i64::MAX,"total_items":i64::MAX,
            "request_id":text(id),
        })
    };
    assert_eq!(done(&q, "job.extend", extend(256)).await["granted"], true);
    let report = |outcome: &str, result: usize| {
        json!({
            "job_id":job,"worker_id":worker,"workflow_id":workflow,"outcome":outcome,"completed_count":i64::MAX,
            "result":text(result),
        })
    };
    done(&q, "worker.report", report("running", 0)).await;
    let status = done(&q, "job.status", json!({"job_id":job})).await;
    assert_eq!(status["status"], "running", "{status}");
    refused(&q, "worker.report", report("completed", 65_537), "result", "65537 bytes", "at most 65536 bytes")
        .await;
    done(&q, "worker.report", report("completed", 65_536)).await;
    let status = done(&q, "job.status", json!({"job_id":job})).await;
    assert_eq!(
        (status["status"].as_str(), &status["datacenters"][0]["unanswered"]),
        (Some("completed"), &json!(0))
    );
    assert_eq!(done(&q, "gate.status", json!({"job_id":job})).await["final_status"], "completed");
    assert_eq!(done(&q, "worker.status", json!({"worker_id":worker})).await["unanswered"], 0);

    let with = |field: &str, value: Value| {
        let mut more = submit.clone();
        more["job_id"] = json!("other");
        more[field] = value;
        more
    };
    let span = "up to 3153600000";
    for (field, value, given, expected) in [
        ("job_id", json!(text(129)), "129 bytes", "at most 128 bytes"),
        ("timeout_seconds", json!(3_153_600_001.0), "3153600001", span),
        ("stuck_threshold", json!(3_153_600_001.0), "3153600001", span),
        ("max_total_extension_seconds", json!(3_153_600_001.0), "3153600001", span),
        ("max_attempts", json!(1001), "1001", "1 to 1000"),
    ] {
        refused(&q, "job.submit", with(field, value), field, given, expected).await;
    }
    for field in ["class", "leader_id", "target_datacenters", "workflows"] {
        let long = text(257);
        let value = match field {
            "target_datacenters" => json!([long]),
            "workflows" => json!([{"workflow_id":long}]),
            _ => json!(long),
        };
        let error = call(&q, "job.submit", with(field, value)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{field}: {error:?}");
    }
    assert!(call(&q, "job.status", json!({"job_id":"other"})).await.is_err(), "nothing is left of them");
    refused(&q, "job.extend", extend(257), "request_id", "257 bytes", "1 to 256 bytes").await;
    let mut long = extend(1);
    long["reason"] = json!(text(4097));
    refused(&q, "job.extend", long, "reason", "4097 bytes", "at most 4096 bytes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_at_its_bound_arrives_whole_and_a_longer_one_is_refused_by_job_and_gate_alike() {
    let q = Quorate::open(manual()).await.unwrap();
    done(&q, "worker.register", json!({"worker_id":"w","datacenter":"a"})).await;
    let workflows = json!([{"workflow_id":"x","worker_id":"w"}]);
    done(&q, "job.submit", json!({"job_id":"far","target_datacenters":["a"],"workflows":workflows})).await;
    done(&q, "job.submit", json!({"job_id":"near"})).await;
    for job in ["far", "near"] {
        for field in ["reason", "requester_id"] {
            let mut request = json!({"job_id":job});
            request[field] = json!(text(4097));
            refused(&q, "job.cancel", request, field, "4097 bytes", "at most 4096 bytes").await;
        }
        let request = json!({"job_id":job,"reason":text(4096),"requester_id":text(4096)});
        assert_eq!(done(&q, "job.cancel", request).await["success"], true);
    }
    for job in ["far", "near"] {
        let status = done(&q, "job.status", json!({"job_id":job})).await;
        let said = format!("cancelled by {0}: {0}", text(4096));
        assert_eq!(status["datacenters"][0]["ended_reason"], said, "{job}");
    }
    done(&q, "job.submit", json!({"job_id":"fails"})).await;
    let complete = |bytes| json!({"job_id":"fails","status":"failed","reason":text(bytes)});
    refused(&q, "job.complete", complete(4097), "reason", "4097 bytes", "at most 4096 bytes").await;
    done(&q, "job.complete", complete(4096)).await;
}
