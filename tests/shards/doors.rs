//! Every request finds its shard, whichever process is asked, and no part is shown as the whole.

use quorate::{JobRef, Quorate, StartQuorum, SubmitJob, Vote, id};
use quorate_core::kernel::shards::ShardMap;
use quorate_runtime::api::ops;
use serde_json::{Value, json};

use super::fleet::{Fleet, answer, quorate, said, until};
use super::postgres::server;

fn code(args: &[&str]) -> Option<i32> {
    quorate(args).status.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_process_is_asked_a_request_is_carried_out_by_the_owner_of_its_shard() {
    let Some(server) = server() else { return };
    let fleet = Fleet::start(server, 4, 3);
    let map = ShardMap::spread(4).unwrap();
    let mut seen = [0; 4];
    for n in 0..24 {
        let process = &fleet.processes[n % 3];
        let q = Quorate::connect(process.url().as_str()).await.unwrap();
        // Without an id the key says where it goes, so that its repeat goes there too.
        let ask = StartQuorum {
            required_votes: Some(2),
            idempotency_key: Some(format!("key-{n}").parse().unwrap()),
            ..StartQuorum::global()
        };
        let ask = ask.with_voters(["ann", "bob"]).unwrap();
        let started = q.quorums().start(ask.clone()).await.unwrap();
        let other = Quorate::connect(fleet.processes[(n + 1) % 3].url().as_str()).await.unwrap();
        let again = other.quorums().start(ask).await.unwrap();
        assert_eq!((&again.quorum_id, again.duplicate), (&started.quorum_id, true));
        seen[usize::from(map.shard_of(started.quorum_id.as_str()))] += 1;
        q.quorums().vote(Vote::new(&started.quorum_id, "ann", true).unwrap()).await.unwrap();
        let last = other.quorums().vote(Vote::new(&started.quorum_id, "bob", true).unwrap()).await.unwrap();
        assert_eq!(last.state.name(), "approved");
        let job =
            SubmitJob { job_id: Some(id("job_id", &format!("job-{n}")).unwrap()), ..SubmitJob::default() };
        q.jobs().submit(job).await.unwrap();
        let url = fleet.processes[(n + 2) % 3].url();
        let shown = said(&["quorum", "status", "--url", &url, "--quorum-id", started.quorum_id.as_str()]);
        assert_eq!(shown["state"], "approved");
        let shown = other
            .jobs()
            .status(JobRef { job_id: id("job_id", &format!("job-{n}")).unwrap(), datacenter: None });
        assert_eq!(shown.await.unwrap().job_id.as_str(), format!("job-{n}"));
        // Begun without a name, it falls on a shard of whoever was asked.
        let nameless = q.jobs().submit(SubmitJob::default()).await.unwrap();
        said(&["job", "status", "--url", &url, "--job-id", nameless.job_id.as_str()]);
    }
    assert!(seen.iter().all(|n| *n > 0), "{seen:?}");
    let q = Quorate::connect(fleet.processes[0].url().as_str()).await.unwrap();
    let mut jobs = 0;
    for shard in 0..4 {
        let op = ops::find("job.list").unwrap();
        let fields = json!({ "shard": shard }).as_object().unwrap().clone();
        jobs += q.call(op, fields).await.unwrap()["jobs"].as_array().unwrap().len();
    }
    assert_eq!(jobs, 48);
}

#[test]
fn a_part_is_not_shown_as_the_whole_and_what_needs_all_shards_is_refused() {
    let Some(server) = server() else { return };
    let fleet = Fleet::start(server, 4, 2);
    let url = fleet.processes[0].url();
    for list in [["quorum", "list"], ["job", "list"], ["history", "query"], ["overview", "show"]] {
        let asked = [&list[..], &["--url", &url]].concat();
        assert_eq!(code(&asked), Some(2), "{list:?}");
        for shard in ["0", "1", "2", "3"] {
            assert_eq!(code(&[&asked[..], &["--shard", shard]].concat()), Some(0), "{list:?} {shard}");
        }
        assert_eq!(code(&[&asked[..], &["--shard", "4"]].concat()), Some(2), "{list:?}");
    }
    for (path, status) in [("/api/v1/events", 422), ("/metrics", 422), ("/page/view", 422), ("/healthz", 200)]
    {
        assert_eq!(fleet.processes[0].get(path).0, status, "{path}");
    }
    let near = (0..4).find(|shard| fleet.owner(*shard) == 0).unwrap();
    let (status, _) = fleet.processes[0].get(&format!("/metrics?shard={near}"));
    assert_eq!(status, 200);
    assert_eq!(code(&["quorum", "start", "--url", &url, "--quorum-type", "global"]), Some(45));
    // The first shard is not the journal, and neither is any other.
    assert_eq!(code(&["quorum", "list", "--data", &fleet.store]), Some(2));
    // The same division again changes nothing; another one is refused.
    assert_eq!(code(&["shards", "init", "--store", &fleet.store, "--shards", "4"]), Some(0));
    assert_eq!(code(&["shards", "init", "--store", &fleet.store, "--shards", "5"]), Some(2));
}

#[test]
fn a_journal_that_is_not_empty_or_has_an_owner_is_not_divided() {
    let Some(server) = server() else { return };
    let store = server.fresh();
    assert_eq!(code(&["agent", "register", "--data", &store, "--agent-id", "ann"]), Some(0));
    assert_eq!(code(&["shards", "init", "--store", &store, "--shards", "2"]), Some(2));
    assert_eq!(code(&["agent", "health", "--data", &store, "--agent-id", "ann"]), Some(0));
    assert_eq!(code(&["shards", "list", "--store", &store]), Some(2));
}

#[test]
fn a_division_that_is_refused_changes_nothing() {
    let Some(server) = server() else { return };
    let store = server.fresh();
    let dead = "postgres://postgres@127.0.0.1:1/nobody";
    for (places, expected) in [(["a", "a"], 2), (["bad\"name", "a"], 2), (["9", "a"], 2), (["a", dead], 10)] {
        let words = ["shards", "init", "--store", store.as_str(), "--place", places[0], "--place", places[1]];
        assert_eq!(code(&words), Some(expected), "{places:?}");
    }
    assert_eq!(code(&["shards", "init", "--store", &store, "--place", "a"]), Some(0));
    assert_eq!(code(&["shards", "init", "--store", &store, "--place", "b"]), Some(2));
}

/// A process that answers from what it has in memory shows how things stood before another one took over.
#[test]
fn a_process_that_was_stopped_past_its_lease_shows_nothing_that_another_one_has_changed_since() {
    let Some(server) = server() else { return };
    let fleet = Fleet::start(server, 4, 2);
    for round in 0..3 {
        let quorum = format!("q{round}");
        let shard = ShardMap::spread(4).unwrap().shard_of(&quorum);
        let (old, url) = (fleet.owner(shard), fleet.processes[0].url());
        let new = 1 - old;
        said(&[
            "quorum",
            "start",
            "--url",
            &url,
            "--quorum-id",
            &quorum,
            "--quorum-type",
            "global",
            "--voters",
            "ann,bob",
            "--required-votes",
            "1",
            "--timeout-seconds",
            "3600",
        ]);
        let path = format!("/api/v1/quorum/{quorum}/status");
        assert_eq!(fleet.processes[old].get(&path).1["status"]["state"], "open");
        fleet.processes[old].signal("-STOP");
        until("the other one takes over", || (fleet.processes[new].get(&path).0 == 200).then_some(()));
        let url = fleet.processes[new].url();
        said(&[
            "quorum",
            "vote",
            "--url",
            &url,
            "--quorum-id",
            &quorum,
            "--voter-id",
            "ann",
            "--vote",
            "true",
        ]);
        // On their way before it wakes up, so that it answers them before it looks at anything else.
        let asked: Vec<_> = (0..8).map(|_| fleet.processes[old].ask(&path)).collect();
        fleet.processes[old].signal("-CONT");
        for stream in asked {
            let (status, body) = answer(stream);
            let fresh = status == 200 && body["status"]["state"] == "approved";
            assert!(fresh || matches!(status, 421 | 503), "{status} {body}");
        }
        until("the one that was stopped is there again", || {
            let (status, body) = fleet.processes[old].get(&path);
            assert!(matches!(status, 421 | 503) || body["status"]["state"] == "approved", "{status} {body}");
            matches!((status, &body["error"]["kind"]), (421, Value::String(kind)) if kind == "owned_elsewhere")
                .then_some(())
                .or((status == 200).then_some(()))
        });
        fleet.shared_out();
    }
}

/// They stand on the first shard, and each process reads them there.
#[test]
fn an_identity_and_a_stop_hold_on_every_shard_when_their_maker_is_answered() {
    let Some(server) = server() else { return };
    let mut fleet = Fleet::start(server, 4, 3);
    let urls: Vec<String> = fleet.processes.iter().map(|process| process.url()).collect();
    let made = said(&["identity", "create", "--url", &urls[0], "--name", "root", "--scopes", "admin"]);
    let token = made["token"].as_str().unwrap().to_owned();
    for (n, url) in urls.iter().enumerate() {
        for shard in 0..4 {
            let at = shard.to_string();
            assert_eq!(code(&["quorum", "list", "--url", url, "--shard", &at]), Some(16), "{n} {shard}");
            assert_eq!(code(&["quorum", "list", "--url", url, "--shard", &at, "--token", &token]), Some(0));
        }
    }
    let start = |id: &str, url: &str| {
        code(&[
            "quorum",
            "start",
            "--url",
            url,
            "--token",
            &token,
            "--quorum-id",
            id,
            "--quorum-type",
            "global",
            "--voters",
            "ann,bob",
        ])
    };
    let map = ShardMap::spread(4).unwrap();
    let ids: Vec<String> = (0..4)
        .map(|shard| (0..).map(|n| format!("s{n}")).find(|id| map.shard_of(id) == shard).unwrap())
        .collect();
    let stopped = said(&[
        "stop",
        "engage",
        "--url",
        &urls[1],
        "--token",
        &token,
        "--stop-id",
        "halt",
        "--scope",
        r#"{"everything":true}"#,
        "--release-voters",
        "ann",
    ]);
    assert_eq!(stopped["stop_id"], "halt");
    for (id, url) in ids.iter().zip(urls.iter().cycle()) {
        assert_eq!(start(id, url), Some(38), "{id}");
    }
    // A process that begins later knows it from the start.
    fleet.processes[2].kill();
    fleet.go(2);
    fleet.all_owned_as(&token);
    for id in &ids {
        assert_eq!(start(id, &urls[2]), Some(38), "{id}");
    }
    assert_eq!(code(&["identity", "revoke", "--url", &urls[0], "--token", &token, "root"]), Some(0));
    for url in &urls {
        assert_eq!(code(&["quorum", "list", "--url", url, "--shard", "1", "--token", &token]), Some(16));
    }
}
