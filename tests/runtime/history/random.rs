//! Random histories over most kinds of entity.

use quorate::Quorate;
use quorate_runtime::api::ops;
use quorate_runtime::error::Error;
use serde_json::{Value, json};

/// A small generator, so that a run is told by its seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }
}

pub async fn call(q: &Quorate, name: &str, fields: Value) -> Result<Value, Error> {
    let Value::Object(fields) = fields else { panic!("{fields}") };
    ops::find(name).unwrap().call(q.clone(), fields).await
}

pub const VOTERS: [&str; 5] = ["ann", "bob", "cid", "dan", "eve"];
const CELLS: [&str; 3] = ["c1", "c2", "c3"];
const HANDLE: &str = "handle-of-a-voter-01";

/// What the actions act on.
pub async fn begin(q: &Quorate) {
    let personal = json!({ "quorum_id": "sealed", "quorum_type": "global", "voters": ["ann"], "subject": "a name",
        "data_subject": "zoe" });
    call(q, "quorum.start", personal).await.unwrap();
    let nobody = json!({ "stop_id": "halt", "scope": { "party": "nobody" }, "release_voters": ["ann"] });
    call(q, "stop.engage", nobody).await.unwrap();
    call(q, "retention.hold", json!({ "entity_id": "sealed", "reason": "case 7" })).await.unwrap();
    call(
        q,
        "hook.register",
        json!({ "hook_id": "h", "url": "https://example.com/", "filter": { "kind": "quorum" } }),
    )
    .await
    .unwrap();
    for voter in ["ann", "bob", "cid", "dan"] {
        call(q, "voter.register", json!({ "voter_id": voter, "handle": format!("{HANDLE}{voter}") }))
            .await
            .unwrap();
        call(q, "agent.register", json!({ "agent_id": voter })).await.unwrap();
    }
    call(q, "agent.register", json!({ "agent_id": "beats", "monitor": true })).await.unwrap();
    for (n, cell) in CELLS.iter().enumerate() {
        let neighbors = [CELLS[(n + 1) % 3], CELLS[(n + 2) % 3]];
        call(q, "cell.register", json!({ "cell_id": cell, "neighbors": neighbors })).await.unwrap();
        call(q, "capacity.configure", json!({ "cell_id": cell, "totals": { "capacity": 2.0 } }))
            .await
            .unwrap();
    }
    call(q, "budget.set", json!({ "budget_id": "ring", "limits": { "capacity": 1.5 } })).await.unwrap();
    call(q, "identity.create", json!({ "name": "root", "scopes": ["admin"] })).await.unwrap();
    call(q, "flow.open", json!({ "flow_id": "stream" })).await.unwrap();
    for (worker, datacenter) in [("w1", "east"), ("w2", "west")] {
        let worker = json!({ "worker_id": worker, "datacenter": datacenter, "capacity": 4 });
        call(q, "worker.register", worker).await.unwrap();
    }
}

/// One random action; what is refused is refused.
pub async fn act(q: &Quorate, dice: &mut Dice, n: usize) {
    // Among the newest, so that most of what is acted on is still open.
    let name = |stem: &str, dice: &mut Dice| format!("{stem}{}", (n / 8).saturating_sub(dice.roll(4)));
    let voter = dice.pick(&VOTERS);
    let cell = dice.pick(&CELLS);
    let vote = dice.roll(2) == 0;
    let datacenter = dice.pick(&["east", "west"]);
    let (op, fields) = match dice.roll(24) {
        0 | 1 => {
            let mut fields = json!({ "quorum_id": name("q", dice), "quorum_type": "global",
                "voters": ["ann", "bob", "cid"], "required_votes": 2, "timeout_seconds": 20 });
            if vote {
                fields["cell_id"] = (*cell).into();
            }
            ("quorum.start", fields)
        }
        2..=6 => {
            let mut fields = json!({ "quorum_id": name("q", dice), "voter_id": voter, "vote": vote });
            if dice.roll(3) == 0 {
                fields["reason"] = "so it is".into();
            }
            ("quorum.vote", fields)
        }
        7 => ("quorum.cancel", json!({ "quorum_id": name("q", dice), "by": voter })),
        8 => (
            "consensus.request",
            json!({ "proposal": { "n": n }, "proposal_id": name("p", dice), "wait": false, "timeout_ms": 30_000 }),
        ),
        9..=11 => {
            let vote = dice.pick(&["for", "against", "abstain"]);
            ("consensus.vote", json!({ "proposal_id": name("p", dice), "agent_id": voter, "vote": vote }))
        }
        12 => ("agent.beat", json!({ "agent_id": dice.pick(&["ann", "beats"]) })),
        13 => (
            "capacity.request",
            json!({ "cell_id": cell, "need_id": name("n", dice), "requested_capacity": 0.4,
                "budgets": ["ring"], "lease_seconds": 5, "timeout_seconds": 3 }),
        ),
        14 => ("capacity.release", json!({ "cell_id": cell, "released_capacity": 0.2 })),
        15 => {
            let other = CELLS[(CELLS.iter().position(|c| *c == cell).unwrap() + 1) % 3];
            (
                "capacity.offer",
                json!({ "source_cell_id": cell, "destination_cell_id": other, "capacity": 0.5 }),
            )
        }
        16 => ("session.open", json!({ "session_id": name("s", dice), "proposal": n, "timeout_ms": 20_000 })),
        17 | 18 => (
            "session.vote",
            json!({ "session_id": name("s", dice), "voter_id": voter,
                "vote": if vote { "for" } else { "against" }, "handle": format!("{HANDLE}{voter}") }),
        ),
        19 => (
            "job.submit",
            json!({ "job_id": name("j", dice), "target_datacenters": [datacenter], "timeout_seconds": 40, "class": "build" }),
        ),
        20 => {
            let id = name("j", dice);
            let status = dice.pick(&["completed", "failed"]);
            (
                "job.complete",
                json!({ "job_id": id, "datacenter": datacenter, "status": status, "fence_token": 1 + dice.roll(2) }),
            )
        }
        21 => (
            "datacenter.update",
            json!({ "datacenter_id": datacenter, "available_cores": dice.roll(9), "total_cores": 9, "total_managers": 1,
                "rtt_ucb_ms": 10 + dice.roll(5) }),
        ),
        22 => ("route.job", json!({ "job_id": name("r", dice) })),
        _ => ("coordinate.update", json!({ "from": "m1", "to": "m2", "rtt_ms": 5 + dice.roll(9) })),
    };
    let _ = call(q, op, fields).await;
}
