//! A program beside a server: the same typed methods, over the socket of the folder or over HTTP.

use std::path::Path;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate::{
    Beat, CapacityRef, Choice, Config, ConnectOptions, Connected, ConsensusVote, CreateIdentity,
    EntityHistory, Error, ErrorKind, HistoryQuery, Quorate, RegisterAgent, ReleaseCapacity, RequestCapacity,
    RequestConsensus, StartQuorum, VerifyHistory, Vote, WaitQuorum, id,
};
use serde_json::json;
use tempfile::TempDir;

use crate::server::{serve, signal};
use crate::text;
use crate::tls::{Place, ed25519};

/// Asks again where whoever calls must know: what has no name of its own is not repeated by itself.
async fn known<T>(mut ask: impl AsyncFnMut() -> Result<T, Error>) -> (T, u64) {
    let mut unknown = 0;
    loop {
        match ask().await {
            Err(e) if e.kind() == ErrorKind::OutcomeUnknown => unknown += 1,
            answer => return (answer.unwrap(), unknown),
        }
    }
}

fn end(mut server: Child) {
    signal(&server, "-TERM");
    assert!(server.wait().unwrap().success());
}

fn kill(server: &mut Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

fn capacity_of(cell: &str) -> CapacityRef {
    serde_json::from_value(json!({ "cell_id": cell })).unwrap()
}

fn released(cell: &str, capacity: f64) -> ReleaseCapacity {
    serde_json::from_value(json!({ "cell_id": cell, "capacity": capacity })).unwrap()
}

#[tokio::test]
async fn a_server_answers_the_typed_methods_as_a_runtime_of_ones_own_does() {
    let q = Quorate::open(Config::memory()).await.unwrap();
    let server = quorate_http::serve(q.clone(), "127.0.0.1:0".parse().unwrap(), Default::default()).unwrap();
    let url = format!("http://{}", server.addr().unwrap());
    let far = Quorate::connect(url.as_str()).await.unwrap();
    let near = Connected::from(q.clone());

    let started =
        far.quorums().start(StartQuorum::global().with_voters(["a/b ?", "c"]).unwrap()).await.unwrap();
    let voted = far.quorums().vote(Vote::new(&started.quorum_id, "a/b ?", true).unwrap()).await.unwrap();
    assert_eq!((voted.approve_votes, voted.duplicate), (1, false));
    let status = q.quorums().status(&started.quorum_id).await.unwrap();
    for way in [&far, &near] {
        assert_eq!(
            way.quorums().status(&started.quorum_id).await.unwrap().approve_votes,
            status.approve_votes
        );
        assert_eq!(way.quorums().stats().await.unwrap(), q.quorums().stats().await.unwrap());
        assert_eq!(way.algorithms().list().await.unwrap(), q.algorithms().list().unwrap());
        // Errors have the same kind, sentence and details.
        let unknown = id("quorum_id", "nowhere").unwrap();
        let error = way.quorums().status(&unknown).await.unwrap_err();
        assert_eq!(error, q.quorums().status(&unknown).await.unwrap_err());
        let refused = || HistoryQuery { limit: Some(-1), ..HistoryQuery::default() };
        let error = way.history().query(refused()).await.unwrap_err();
        assert_eq!(error, q.history().query(refused()).await.unwrap_err());
        assert_eq!(error.detail("field"), Some(&json!("limit")));
    }
    server.stop().await.unwrap();
}

#[test]
fn futures_are_polled_from_any_executor_and_outlive_the_handle() {
    let folder = TempDir::new().unwrap();
    let (server, _) = serve(text(folder.path()));
    let q = block_on(Quorate::connect(folder.path())).unwrap();
    let stats = q.quorums().stats();
    drop(q);
    assert_eq!(block_on(stats).unwrap().active_quorums, 0);
    end(server);
}

/// No runtime of tokio is here.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(done) => return done,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[tokio::test]
async fn who_calls_is_told_by_a_token_or_by_the_key_of_a_certificate() {
    let place = Place::new();
    let ann = place.client("ann", &ed25519());
    let data = place.data();
    {
        let q = Quorate::open(Config::at(&data)).await.unwrap();
        q.identities().create(CreateIdentity::new("root", ["admin"]).unwrap()).await.unwrap();
        let ann =
            CreateIdentity { public_key: Some(ann), ..CreateIdentity::new("ann", ["quorum.*"]).unwrap() };
        q.identities().create(ann.acting_as(["voter:ann"])).await.unwrap();
        let bob = CreateIdentity::new("bob", ["quorum.*"]).unwrap().acting_as(["voter:bob"]);
        std::fs::write(
            data.with_extension("token"),
            q.identities().create(bob).await.unwrap().token.unwrap(),
        )
        .unwrap();
        q.close().await.unwrap();
    }
    let token = std::fs::read_to_string(data.with_extension("token")).unwrap();
    let (server, url) = place.serve("127.0.0.1:0");
    let to = || ConnectOptions { tls_ca: Some(place.file("ca.pem")), ..ConnectOptions::to(&url) };
    let by_key = ConnectOptions {
        tls_cert: Some(place.file("ann.pem")),
        tls_key: Some(place.file("ann.key")),
        ..to()
    };
    let (ann, bob) =
        (Quorate::connect(by_key).await.unwrap(), Quorate::connect(to().with_token(&token)).await.unwrap());
    let question = StartQuorum::global().with_voters(["ann", "bob"]).unwrap();
    let quorum_id = ann.quorums().start(question).await.unwrap().quorum_id;
    for (who, name, other) in [(&ann, "ann", "bob"), (&bob, "bob", "ann")] {
        let refused = who.quorums().vote(Vote::new(&quorum_id, other, true).unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotAuthorized);
        assert_eq!(refused.detail("party"), Some(&json!(format!("voter:{other}"))));
        who.quorums().vote(Vote::new(&quorum_id, name, true).unwrap()).await.unwrap();
    }
    let nobody = Quorate::connect(to()).await.unwrap();
    assert_eq!(nobody.quorums().stats().await.unwrap_err().kind(), ErrorKind::NotAuthenticated);
    // Nobody vouches for the server among those whom the system trusts.
    let hasty = ConnectOptions { patience: Duration::ZERO, ..ConnectOptions::to(&url) };
    assert_eq!(Quorate::connect(hasty).await.unwrap_err().kind(), ErrorKind::NoAnswer);
    end(server);
}

#[tokio::test]
async fn where_nobody_answers_that_is_said() {
    let folder = TempDir::new().unwrap();
    let kind = async |to: &Path| {
        let hasty = ConnectOptions { patience: Duration::ZERO, ..ConnectOptions::to(to) };
        Quorate::connect(hasty).await.unwrap_err().kind()
    };
    assert_eq!(kind(&folder.path().join("nowhere")).await, ErrorKind::StoreMissing);
    assert_eq!(kind(folder.path()).await, ErrorKind::NoAnswer);
    assert_eq!(kind(Path::new("http://127.0.0.1:1")).await, ErrorKind::NoAnswer);
    for not_a_server in ["http://127.0.0.1:1/path", "https://[::", "http://a@b:1"] {
        assert_eq!(kind(Path::new(not_a_server)).await, ErrorKind::InvalidArgument, "{not_a_server}");
    }
    let token = ConnectOptions::to("http://127.0.0.1:1").with_token("with space");
    assert_eq!(Quorate::connect(token).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn waits_outlive_the_server_at_which_they_began() {
    let folder = TempDir::new().unwrap();
    let (mut server, _) = serve(text(folder.path()));
    let q = Quorate::connect(folder.path()).await.unwrap();
    q.agents().register(RegisterAgent::new("ann").unwrap()).await.unwrap();
    let question =
        StartQuorum { required_votes: Some(1), ..StartQuorum::global().with_voters(["ann"]).unwrap() };
    let quorum_id = q.quorums().start(question).await.unwrap().quorum_id;
    q.capacity().request(RequestCapacity::new("gpu").unwrap().of(1.0)).await.unwrap();
    let waits = |q: &Connected| {
        let wait = WaitQuorum { quorum_id: quorum_id.clone(), timeout_ms: Some(60_000) };
        let asked =
            RequestConsensus { timeout_ms: Some(60_000), ..RequestConsensus::new(json!({ "deploy": 7 })) };
        let need = RequestCapacity {
            wait: Some(true),
            timeout_seconds: Some(600.0),
            ..RequestCapacity::new("gpu").unwrap().of(0.5)
        };
        (
            tokio::spawn(q.quorums().wait(wait)),
            tokio::spawn(q.consensus().request(asked)),
            tokio::spawn(q.capacity().request(need)),
        )
    };
    let (closed, decided, granted) = waits(&q);
    // Each is on its way: the question is open and the need is queued.
    let proposal_id = loop {
        let open = q.consensus().list_open(Default::default()).await.unwrap();
        let queued = q.capacity().status(capacity_of("gpu")).await.unwrap();
        if let (Some(first), 1) = (open.proposals.first(), queued.pending_needs) {
            break first.proposal_id.clone();
        }
    };
    for _ in 0..2 {
        kill(&mut server);
        server = serve(text(folder.path())).0;
    }
    q.quorums().vote(Vote::new(&quorum_id, "ann", true).unwrap()).await.unwrap();
    q.consensus().vote(ConsensusVote::new(&proposal_id, "ann", Choice::For).unwrap()).await.unwrap();
    let whole = released("gpu", 1.0);
    q.capacity().release(whole).await.unwrap();
    assert_eq!(closed.await.unwrap().unwrap().state.name(), "approved");
    let decided = decided.await.unwrap().unwrap();
    assert_eq!((decided.state.as_str(), decided.proposal_id), ("approved", proposal_id));
    assert_eq!(granted.await.unwrap().unwrap().status, "granted");
    assert_eq!(q.consensus().stats().await.unwrap().total_proposals, 1, "the question was put once");
    end(server);
}

#[tokio::test]
async fn events_are_followed_over_restarts_without_a_gap_or_a_repeat() {
    let folder = TempDir::new().unwrap();
    let (mut server, _) = serve(text(folder.path()));
    let q = Quorate::connect(folder.path()).await.unwrap();
    let filter = || HistoryQuery { kind: Some("quorum".into()), ..HistoryQuery::default() };
    let mut events = q.events(filter()).await.unwrap();
    for _ in 0..3 {
        for _ in 0..20 {
            q.quorums().start(StartQuorum::global()).await.unwrap();
        }
        kill(&mut server);
        server = serve(text(folder.path())).0;
    }
    let recorded = q.history().query(HistoryQuery { limit: Some(1_000), ..filter() }).await.unwrap().events;
    let mut heard = Vec::new();
    while heard.len() < recorded.len() {
        heard.push(events.next().await.unwrap().unwrap());
    }
    assert_eq!(heard, recorded);
    assert_eq!(events.position(), recorded.last().unwrap().position);
    let refused = HistoryQuery { kind: Some("nothing".into()), ..HistoryQuery::default() };
    assert_eq!(q.events(refused).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    end(server);
}

const MEMBERS: usize = 16;
const ROUNDS: usize = 12;
const KILLS: usize = 4;

/// What a member of the crowd was answered.
#[derive(Default)]
struct Answered {
    beats: u64,
    beats_unknown: u64,
    granted: f64,
}

/// Votes, beats and takes capacity; each member has a connection of its own.
async fn member(folder: &Path, name: &str, done: &AtomicUsize) -> Answered {
    let q = Quorate::connect(folder).await.unwrap();
    let mut answered = Answered::default();
    q.agents().register(RegisterAgent::new(name).unwrap()).await.unwrap();
    for round in 0..ROUNDS {
        let quorum_id = id("quorum_id", &format!("q{round}")).unwrap();
        let voted = q.quorums().vote(Vote::new(&quorum_id, name, true).unwrap()).await;
        if let Err(e) = voted {
            // The repeat of the vote that decided it.
            assert_eq!(
                (e.kind(), e.detail("repeated")),
                (ErrorKind::QuorumClosed, Some(&json!(true))),
                "{e}"
            );
        }
        let (_, unknown) = known(async || q.agents().beat(Beat::new(name).unwrap()).await).await;
        answered.beats += 1;
        answered.beats_unknown += unknown;
        // Kept without a limit, however slow the machine is.
        let need =
            RequestCapacity { lease_seconds: Some(0.0), ..RequestCapacity::new("pool").unwrap().of(2.0) };
        let granted = q.capacity().request(need).await.unwrap();
        assert_eq!(granted.status, "granted");
        let part = released("pool", 0.5);
        let released = q.capacity().release(part).await.unwrap();
        answered.granted += granted.capacity.unwrap() - released.capacity;
        done.fetch_add(1, Ordering::AcqRel);
    }
    answered
}

#[test]
fn a_crowd_that_is_connected_loses_and_doubles_nothing_over_kill_9_of_the_server() {
    let folder = TempDir::new().unwrap();
    let names: Vec<String> = (0..MEMBERS).map(|n| format!("m{n:02}")).collect();
    let server = Mutex::new(serve(text(folder.path())).0);
    let done = AtomicUsize::new(0);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tokio = runtime();
    let q = tokio.block_on(Quorate::connect(folder.path())).unwrap();
    tokio.block_on(async {
        let pool =
            serde_json::from_value(json!({ "cell_id": "pool", "totals": { "capacity": 1_000 } })).unwrap();
        q.capacity().configure(pool).await.unwrap();
        for round in 0..ROUNDS {
            let question = StartQuorum {
                quorum_id: Some(id("quorum_id", &format!("q{round}")).unwrap()),
                required_votes: Some(MEMBERS as i64),
                timeout_seconds: Some(3_600.0),
                ..StartQuorum::global().with_voters(names.iter().map(String::as_str)).unwrap()
            };
            q.quorums().start(question).await.unwrap();
        }
    });
    let answered: Vec<Answered> = std::thread::scope(|scope| {
        let members: Vec<_> = names
            .iter()
            .map(|name| {
                let (folder, done) = (folder.path(), &done);
                scope.spawn(move || runtime().block_on(member(folder, name, done)))
            })
            .collect();
        for part in 1..=KILLS {
            while done.load(Ordering::Acquire) < part * MEMBERS * ROUNDS / (KILLS + 1) {
                std::thread::sleep(Duration::from_millis(2));
            }
            let mut server = server.lock().unwrap();
            kill(&mut server);
            *server = serve(text(folder.path())).0;
        }
        members.into_iter().map(|member| member.join().unwrap()).collect()
    });
    tokio.block_on(async {
        for round in 0..ROUNDS {
            let quorum_id = id("quorum_id", &format!("q{round}")).unwrap();
            let status = q.quorums().status(&quorum_id).await.unwrap();
            assert_eq!((status.approve_votes as usize, status.state.name()), (MEMBERS, "approved"));
            let log = EntityHistory { kind: None, entity_id: quorum_id, limit: Some(1_000), cursor: None };
            let log = q.history().entity(log).await.unwrap();
            let cast = log.events.iter().filter(|event| event.event == "vote_cast").count();
            assert_eq!(cast, MEMBERS, "each vote is on record once");
        }
        let lent = q.capacity().status(capacity_of("pool")).await.unwrap().lent;
        assert_eq!(lent, answered.iter().map(|one| one.granted).sum::<f64>());
        let beats = q.agents().stats().await.unwrap().total_heartbeats;
        let acknowledged: u64 = answered.iter().map(|one| one.beats).sum();
        let unknown: u64 = answered.iter().map(|one| one.beats_unknown).sum();
        assert!((acknowledged..=acknowledged + unknown).contains(&beats), "{beats} {acknowledged} {unknown}");
        assert!(q.history().verify_against(VerifyHistory::default()).await.unwrap().ok);
        eprintln!("{KILLS} kills, {beats} beats, {unknown} of them asked for again");
    });
    end(server.into_inner().unwrap());
}
