//! Tokens of capacity and leases of jobs say which identity asked for them, to those who may see them.

use quorate::{
    Asker, Capacity, Config, CreateIdentity, JobRef, LeaseJob, ListHolders, ListLeases, OfferCapacity,
    Quorate, ReleaseCapacity, RequestCapacity, SubmitJob,
};
use quorate_core::kernel::ids::CellId;
use quorate_runtime::api::dto::id;
use tempfile::TempDir;

fn cell(name: &str) -> CellId {
    id("cell_id", name).unwrap()
}

fn asker(identity: &str, party: &str) -> Option<Asker> {
    Some(Asker { identity: id("identity", identity).unwrap(), party: party.to_owned() })
}

async fn holders(capacity: Capacity<'_>, of: &str) -> Vec<(String, Option<Asker>)> {
    let request = ListHolders { cell_id: cell(of), resource: None, limit: None, cursor: None };
    let page = capacity.holders(request).await.unwrap();
    page.holders.into_iter().map(|line| (line.holder.to_string(), line.asked_by)).collect()
}

fn asked(of: &str, amount: f64, need: &str) -> RequestCapacity {
    RequestCapacity {
        need_id: Some(id("need_id", need).unwrap()),
        lease_seconds: Some(0.0),
        timeout_seconds: Some(600.0),
        ..RequestCapacity::new(of).unwrap().of(amount)
    }
}

async fn opened(folder: &TempDir) -> Quorate {
    Quorate::open(Config::at(folder.path())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_which_identity_asked_for_it_also_when_it_waited_was_lent_or_came_after_a_crash() {
    let folder = TempDir::new().unwrap();
    let mut q = opened(&folder).await;
    for (name, scopes, parties) in [
        ("root", vec!["admin"], vec!["*"]),
        ("ci", vec!["read", "capacity.*"], vec!["cell:a", "cell:c"]),
        ("guest", vec!["read"], vec![]),
    ] {
        let create = CreateIdentity::new(name, scopes).unwrap().acting_as(parties);
        q.identities().create(create).await.unwrap();
    }
    let ci = q.as_identity("ci").unwrap();
    let [root, guest] = ["root", "guest"].map(|name| q.as_identity(name).unwrap());
    // At once, by nobody that is known, and after waiting.
    ci.capacity().request(asked("a", 0.6, "n1")).await.unwrap();
    q.capacity().request(asked("a", 0.4, "n2")).await.unwrap();
    ci.capacity().request(asked("a", 0.5, "n3")).await.unwrap();
    let seen = |name: &str| asker(name, "cell:a");
    assert_eq!(holders(root.capacity(), "a").await.len(), 2, "the third waits");
    // Lent by another cell, in the name of the one that asks.
    ci.capacity().request(asked("c", 1.0, "n4")).await.unwrap();
    ci.capacity().request(asked("c", 0.5, "n5")).await.unwrap();
    let offer = OfferCapacity {
        source_cell_id: cell("b"),
        destination_cell_id: cell("c"),
        capacity: Some(0.5),
        resource: None,
        offer_id: None,
        ttl_seconds: None,
    };
    q.capacity().offer(offer).await.unwrap();
    assert_eq!(holders(root.capacity(), "b").await, [("c".to_owned(), asker("ci", "cell:c"))]);
    drop((ci, root, guest));
    q.crash().await;
    q = opened(&folder).await;
    let (token_id, resource, idempotency_key) = (None, None, None);
    let freed =
        ReleaseCapacity { cell_id: cell("a"), capacity: Some(0.6), token_id, resource, idempotency_key };
    q.capacity().release(freed).await.unwrap();
    let [root, ci, guest] = ["root", "ci", "guest"].map(|name| q.as_identity(name).unwrap());
    let mut of_a = holders(root.capacity(), "a").await;
    of_a.sort_by_key(|(_, asked_by)| asked_by.is_none());
    assert_eq!(of_a, [("a".to_owned(), seen("ci")), ("a".to_owned(), None)]);
    assert_eq!(holders(ci.capacity(), "b").await[0].1, asker("ci", "cell:c"), "it may act as the holder");
    assert!(
        holders(guest.capacity(), "b").await.iter().all(|(_, asked_by)| asked_by.is_none()),
        "not for its eyes"
    );
    drop((root, ci, guest));
    q.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_says_which_identity_took_it_to_those_who_may_act_as_its_holder() {
    let folder = TempDir::new().unwrap();
    let q = opened(&folder).await;
    for (name, scopes, parties) in [
        ("root", vec!["admin"], vec!["*"]),
        ("ci", vec!["read", "job.*"], vec!["holder:w1"]),
        ("guest", vec!["read"], vec![]),
    ] {
        q.identities().create(CreateIdentity::new(name, scopes).unwrap().acting_as(parties)).await.unwrap();
    }
    let job_id = id("job_id", "j").unwrap();
    q.jobs().submit(SubmitJob { job_id: Some(job_id), ..SubmitJob::default() }).await.unwrap();
    let elsewhere =
        LeaseJob { in_process: Some(false), lease_ms: Some(600_000), ..LeaseJob::new("j", "w1").unwrap() };
    let ci = q.as_identity("ci").unwrap();
    ci.jobs().acquire(elsewhere.clone()).await.unwrap();
    drop(ci);
    q.crash().await;
    let q = opened(&folder).await;
    for (name, sees) in [("root", true), ("ci", true), ("guest", false)] {
        let expected = asker("ci", "holder:w1").filter(|_| sees);
        let of = q.as_identity(name).unwrap();
        let leases = of.leases().list(ListLeases::default()).await.unwrap().leases;
        assert_eq!(leases[0].asked_by, expected, "{name}");
        let request = JobRef { job_id: id("job_id", "j").unwrap(), datacenter: None };
        let status = of.jobs().status(request).await.unwrap().datacenters.remove(0);
        assert_eq!((status.lease_holder.is_some(), status.lease_asked_by), (true, expected), "{name}");
    }
    // Whoever takes it next, under no identity, is not taken for the one before.
    q.jobs().acquire(LeaseJob { force: true, ..LeaseJob::new("j", "w2").unwrap() }).await.unwrap();
    assert_eq!(q.leases().list(ListLeases::default()).await.unwrap().leases[0].asked_by, None);
    q.close().await.unwrap();
}
