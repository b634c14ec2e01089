//! What one identity may have open: so much that others find room, and no more after a restart.

use quorate::{
    Choice, Config, ConsensusVote, CreateIdentity, EntityId, Error, ErrorKind, Identified, Quorate,
    RegisterAgent, RequestConsensus, StartQuorum, Vote,
};
use serde_json::json;
use tempfile::TempDir;

async fn start(q: &Identified) -> Result<EntityId, Error> {
    let started = q.quorums().start(StartQuorum::global().with_voters(["v"]).unwrap()).await;
    started.map(|started| started.quorum_id)
}

async fn ask(q: &Identified) -> Result<EntityId, Error> {
    let request = RequestConsensus { wait: Some(false), ..RequestConsensus::new(json!("?")) };
    q.consensus().request(request).await.map(|asked| asked.proposal_id)
}

/// Refused by the share of an identity, which the error names.
fn is_full<T: std::fmt::Debug>(answer: Result<T, Error>, limit: u64) {
    let refused = answer.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded, "{refused:?}");
    assert_eq!(
        (refused.detail("limit"), refused.detail("identity")),
        (Some(&json!(limit)), Some(&json!("ann")))
    );
    assert_eq!(refused.detail("what"), Some(&json!("max_open_each")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_identity_has_its_share_of_open_questions_also_after_a_crash_and_others_have_theirs() {
    let folder = TempDir::new().unwrap();
    let config = || Config { max_open_each: 2, ..Config::at(folder.path()) };
    let mut q = Quorate::open(config()).await.unwrap();
    for name in ["root", "ann", "bob"] {
        let create = CreateIdentity::new(name, ["admin"]).unwrap().acting_as(["*"]);
        q.identities().create(create).await.unwrap();
    }
    q.agents().register(RegisterAgent::new("v").unwrap()).await.unwrap();
    let ann = q.as_identity("ann").unwrap();
    let first = start(&ann).await.unwrap();
    start(&ann).await.unwrap();
    is_full(start(&ann).await, 2);
    // Another kind is counted by itself.
    let asked = ask(&ann).await.unwrap();
    ask(&ann).await.unwrap();
    is_full(ask(&ann).await, 2);
    drop(ann);
    for crashes in [true, false, true] {
        // Others, and whoever opened the runtime, are served.
        let bob = q.as_identity("bob").unwrap();
        let his = start(&bob).await.unwrap();
        bob.quorums().vote(Vote::new(&his, "v", true).unwrap()).await.unwrap();
        q.quorums().start(StartQuorum::global().with_voters(["v"]).unwrap()).await.unwrap();
        drop(bob);
        // With and without the counters that were kept.
        if crashes {
            q.crash().await
        } else {
            q.close().await.unwrap()
        }
        q = Quorate::open(config()).await.unwrap();
        let ann = q.as_identity("ann").unwrap();
        is_full(start(&ann).await, 2);
        is_full(ask(&ann).await, 2);
    }
    // Whoever ends one makes room for another.
    let (ann, bob) = (q.as_identity("ann").unwrap(), q.as_identity("bob").unwrap());
    bob.quorums().vote(Vote::new(&first, "v", true).unwrap()).await.unwrap();
    start(&ann).await.unwrap();
    is_full(start(&ann).await, 2);
    let vote = ConsensusVote::new(&asked, "v", Choice::For).unwrap();
    bob.consensus().vote(vote).await.unwrap();
    ask(&ann).await.unwrap();
    is_full(ask(&ann).await, 2);
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_never_more_than_half_of_all_there_is() {
    let mut config = Config::memory();
    config.quorum.max_open = 3;
    let q = Quorate::open(config).await.unwrap();
    for name in ["root", "ann"] {
        q.identities().create(CreateIdentity::new(name, ["admin"]).unwrap()).await.unwrap();
    }
    let ann = q.as_identity("ann").unwrap();
    start(&ann).await.unwrap();
    is_full(start(&ann).await, 1);
    q.close().await.unwrap();
}
