//! Calls that wait for a decision, a grant or an end.
//!
//! ```text
//!  the client knows tasks   ──► the question is put ──► task KIND:ID ──► tasks/get … ──► the result, as long as the journal is kept
//!  it does not              ──► the question is put ──► looks, a second each, with progress ──► the result, or how it stands
//! ```
//!
//! A task is the entity itself: its id is that of the entity, and asking for it asks the entity. So it is there after the
//! server was killed, in every later session, and for every client that may look at the entity.

use std::time::Duration;

use quorate_runtime::api::ops::{Operation, find};
use quorate_runtime::api::outcome::outcome_of;
use quorate_runtime::error::{Error, ErrorKind, OutcomeEntry, outcome};
use quorate_runtime::shell::clock::Stopwatch;
use rmcp::model::{DetailedTask, Task, TaskPayload, TaskStatus};
use serde_json::{Map, Value};

use crate::server::Progress;
use crate::{Operations, answers, tools};

/// How long a call waits at most: clients commonly give a request up after a minute.
pub(crate) const LONGEST: Duration = Duration::from_secs(50);
/// How long one look waits; between two of them the progress is told.
const LOOK: Duration = Duration::from_secs(1);
/// How often a task is worth asking for.
const POLL_MS: u64 = 1_000;
/// How long the operations wait at most; more they refuse.
const LONGEST_ASKED_MS: u64 = 300_000;
/// How long the operations wait that say nothing about it.
const UNSAID_MS: u64 = 30_000;

/// What is waited for.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in the id of a task.
    name: &'static str,
    /// The operation that shows how it stands.
    look: &'static str,
    /// The fields of requests and replies that say which, the one of its own last.
    ids: &'static [&'static str],
    /// The field by which `look` waits; none when it answers at once.
    longest: Option<&'static str>,
    /// The operation that ends it without a decision.
    cancel: &'static str,
}

/// Everything that is waited for.
const KINDS: &[Kind] = &[
    Kind {
        name: "quorum",
        look: "quorum.wait",
        ids: &["quorum_id"],
        longest: Some("timeout_ms"),
        cancel: "quorum.cancel",
    },
    Kind {
        name: "consensus",
        look: "consensus.result",
        ids: &["proposal_id"],
        longest: Some("wait_ms"),
        cancel: "consensus.cancel",
    },
    Kind {
        name: "session",
        look: "session.result",
        ids: &["session_id"],
        longest: Some("wait_ms"),
        cancel: "session.cancel",
    },
    Kind {
        name: "job",
        look: "job.wait",
        ids: &["job_id"],
        longest: Some("timeout_ms"),
        cancel: "job.cancel",
    },
    Kind {
        name: "capacity",
        look: "capacity.need",
        ids: &["cell_id", "need_id"],
        longest: None,
        cancel: "capacity.cancel",
    },
];

/// An operation that waits, what it waits for, and whether it begins that.
const WAITS: &[(&str, &str, bool)] = &[
    ("quorum.wait", "quorum", false),
    ("consensus.request", "consensus", true),
    ("consensus.result", "consensus", false),
    ("session.result", "session", false),
    ("job.wait", "job", false),
    ("capacity.request", "capacity", true),
];

impl Kind {
    /// The field of its own.
    fn id(&self) -> &'static str {
        self.ids.last().copied().unwrap_or_default()
    }
}

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Wait {
    op: &'static Operation,
    look: &'static Operation,
    kind: &'static Kind,
    begins: bool,
    fields: Map<String, Value>,
}

fn named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// May a call of this operation wait so that its client notices?
pub(crate) fn can_wait(op: &Operation) -> bool {
    WAITS.iter().any(|(name, _, _)| *name == op.name)
}

/// The wait in a call with these fields, if it waits.
pub(crate) fn of(op: &'static Operation, fields: &Map<String, Value>) -> Option<Wait> {
    let (_, kind, begins) = WAITS.iter().find(|(name, _, _)| *name == op.name)?;
    let kind = named(kind)?;
    let look = find(kind.look).ok()?;
    (op.waits)(fields).then(|| Wait { op, look, kind, begins: *begins, fields: fields.clone() })
}

/// The fields of a call that is no task and waits all the same, for no longer than clients do: who asks what awaits it, or for
/// work, asks again.
pub(crate) fn bounded(op: &Operation, mut fields: Map<String, Value>) -> Map<String, Value> {
    let asked = fields.get("wait_ms").and_then(Value::as_u64);
    if (op.waits)(&fields) && asked.is_some_and(|asked| (ms(LONGEST)..=LONGEST_ASKED_MS).contains(&asked)) {
        fields.insert("wait_ms".into(), ms(LONGEST).into());
    }
    // Its time is that of the wait alone; what is reserved does not know of it.
    let asked = fields.get("timeout_seconds").and_then(Value::as_f64);
    if op.name == "capacity.reserve" && asked.is_some_and(|asked| asked > LONGEST.as_secs_f64()) {
        fields.insert("timeout_seconds".into(), LONGEST.as_secs().into());
    }
    fields
}

/// What a call that waits came to.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It is over already, or stands as the reply says.
    Over(Value),
    /// It goes on as this task.
    Task(Task),
}

impl Wait {
    /// How long the caller wants to wait; none when what it says is no time, which the operation itself refuses.
    fn asked(&self) -> Option<Duration> {
        let field = self.kind.longest.filter(|_| !self.begins);
        let Some(field) = field else { return Some(LONGEST) };
        let ms = match self.fields.get(field) {
            None | Some(Value::Null) => UNSAID_MS,
            Some(ms) => ms.as_u64()?,
        };
        (ms <= LONGEST_ASKED_MS).then(|| Duration::from_millis(ms).min(LONGEST))
    }

    /// Puts the question, where the call does that; else looks.
    async fn begin(&self, ops: &dyn Operations) -> Result<Value, Error> {
        if !self.begins {
            return ops.call(self.look, self.looking(&Value::Null, Duration::ZERO)).await;
        }
        let mut fields = self.fields.clone();
        fields.insert("wait".into(), false.into());
        ops.call(self.op, fields).await
    }

    /// The fields of a look.
    fn looking(&self, begun: &Value, longest: Duration) -> Map<String, Value> {
        let mut fields = if self.begins { Map::new() } else { self.fields.clone() };
        for id in self.kind.ids {
            if let Some(given) = begun.get(*id) {
                fields.insert((*id).into(), given.clone());
            }
        }
        if let Some(field) = self.kind.longest {
            fields.insert(field.into(), ms(longest).into());
        }
        fields
    }

    /// The call as a task, if it is not over at once; none for what is not named by its ids alone.
    ///
    /// # Errors
    /// Those of the operation.
    pub(crate) async fn as_task(&self, ops: &dyn Operations) -> Result<Option<Begun>, Error> {
        // A job in one datacenter is not named by its id alone.
        if self.fields.contains_key("datacenter") {
            return Ok(None);
        }
        let reply = self.begin(ops).await?;
        let of: Option<Vec<&str>> = self.kind.ids.iter().map(|id| reply[*id].as_str()).collect();
        Ok(Some(match of {
            Some(ids) if is_open(self.look, &reply) => Begun::Task(task(&task_id(self.kind, &ids), &reply)),
            Some(_) | None => Begun::Over(reply),
        }))
    }

    /// Waits, as long as clients wait. Gives the reply, and what to say when it is not over.
    ///
    /// # Errors
    /// Those of the operations.
    pub(crate) async fn plainly(
        &self,
        ops: &dyn Operations,
        progress: &Progress,
    ) -> Result<(Value, Option<String>), Error> {
        let Some(longest) = self.asked() else {
            return Ok((ops.call(self.op, self.fields.clone()).await?, None));
        };
        let since = Stopwatch::start();
        let begun = self.begin(ops).await?;
        let mut reply = begun.clone();
        while is_open(self.look, &reply) {
            let left = longest.saturating_sub(since.elapsed());
            if left.is_zero() {
                let note = self.note(&reply);
                return Ok((reply, Some(note)));
            }
            progress.tell(since.elapsed(), longest, stands(self.kind, self.look, &reply)).await;
            if self.kind.longest.is_none() {
                tokio::time::sleep(LOOK.min(left)).await;
            }
            reply = match ops.call(self.look, self.looking(&begun, LOOK.min(left))).await {
                Ok(reply) => reply,
                // Whoever may ask and not look has asked.
                Err(e) if self.begins && e.kind() == ErrorKind::NotAuthorized => {
                    return Ok((begun.clone(), Some(format!("It was put, and goes on. {}", e.message()))));
                }
                Err(e) => return Err(e),
            };
        }
        if let (Some(was), Some(fields)) = (begun.get("duplicate"), reply.as_object_mut()) {
            fields.insert("duplicate".into(), was.clone());
        }
        Ok((reply, None))
    }

    /// What to do about a wait that ended first.
    fn note(&self, reply: &Value) -> String {
        let id = format!("{} {}", self.kind.id(), reply[self.kind.id()]);
        let how = match self.kind.longest {
            Some(field) => format!("{} with {id} and {field} {}", tools::name(self.look), ms(LONGEST)),
            // A look does not wait; the same request does.
            None => format!("{} with the same fields and {id}", tools::name(self.op)),
        };
        format!(
            "{}. It goes on without you. Next: call {how} to wait on.",
            stands(self.kind, self.look, reply)
        )
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The outcome that a look tells.
fn told(look: &Operation, reply: &Value) -> Option<&'static OutcomeEntry> {
    outcome_of(look, reply)
}

fn is_open(look: &Operation, reply: &Value) -> bool {
    told(look, reply) == outcome("open")
}

/// How it stands, as a sentence without its full stop.
fn stands(kind: &Kind, look: &Operation, reply: &Value) -> String {
    let id = reply[kind.id()].as_str().unwrap_or_default();
    let word = told(look, reply).map_or("over", |told| told.name);
    let counted = |field: &str| reply[field].as_u64();
    let votes = match (counted("approve_votes"), counted("required_votes")) {
        (Some(given), Some(needed)) => format!(", {given} of {needed} approvals"),
        _ => match reply["participants"].as_array().map(Vec::len) {
            Some(voted) => format!(", {voted} have voted"),
            None => String::new(),
        },
    };
    format!("{} {id} is {word}{votes}", kind.name)
}

/// The id of a task: the kind and the names, with a colon between them. Names before the last have theirs written `%3A`.
fn task_id(kind: &Kind, ids: &[&str]) -> String {
    let (own, before) = ids.split_last().unwrap_or((&"", &[]));
    let before = before.iter().map(|id| id.replace('%', "%25").replace(':', "%3A") + ":");
    format!("{}:{}{own}", kind.name, before.collect::<String>())
}

/// The task of an entity that stands so.
fn task(task_id: &str, reply: &Value) -> Task {
    let first = |names: &[&str]| {
        let own = names.iter().find_map(|name| reply[*name].as_str());
        own.or_else(|| names.iter().find_map(|name| reply["datacenters"][0][*name].as_str()))
            .map(str::to_owned)
    };
    let created = first(&["opened_at", "started_at"]).unwrap_or_default();
    let updated = first(&["closed_at", "ended_at", "last_progress_at"]).unwrap_or_else(|| created.clone());
    Task::new(task_id, TaskStatus::Working, created, updated).with_poll_interval_ms(POLL_MS)
}

/// An entity that is a task.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    kind: &'static Kind,
    task_id: &'a str,
    ids: Vec<String>,
}

impl<'a> Known<'a> {
    /// Reads the id of a task.
    pub(crate) fn read(task_id: &'a str) -> Option<Self> {
        let (name, ids) = task_id.split_once(':')?;
        let kind = named(name)?;
        let ids: Vec<&str> = ids.splitn(kind.ids.len(), ':').collect();
        let (own, before) = ids.split_last()?;
        let read = before.iter().map(|id| id.replace("%3A", ":").replace("%25", "%"));
        let ids: Vec<String> = read.chain([(*own).to_owned()]).collect();
        let is_whole = ids.len() == kind.ids.len() && ids.iter().all(|id| !id.is_empty());
        is_whole.then_some(Known { kind, task_id, ids })
    }

    fn fields(&self) -> Map<String, Value> {
        let named = self.kind.ids.iter().zip(&self.ids);
        named.map(|(field, id)| ((*field).to_owned(), id.as_str().into())).collect()
    }

    async fn look(&self, ops: &dyn Operations) -> Result<(&'static Operation, Value), Error> {
        let look = find(self.kind.look)?;
        let mut fields = self.fields();
        if let Some(field) = self.kind.longest {
            fields.insert(field.into(), 0.into());
        }
        Ok((look, ops.call(look, fields).await?))
    }

    /// How the task stands: the entity is asked.
    ///
    /// # Errors
    /// Those of the operation.
    pub(crate) async fn get(&self, ops: &dyn Operations) -> Result<DetailedTask, Error> {
        let (look, reply) = self.look(ops).await?;
        let task = task(self.task_id, &reply).with_status_message(stands(self.kind, look, &reply));
        let payload = match told(look, &reply).map(|told| told.name) {
            Some("open") => TaskPayload::Working,
            Some("cancelled") => TaskPayload::Cancelled,
            Some(_) | None => {
                let result = serde_json::to_value(answers::reply(look, reply, None));
                let result = result.ok().and_then(|result| result.as_object().cloned());
                TaskPayload::Completed { result: result.unwrap_or_default() }
            }
        };
        Ok(DetailedTask::new(task, payload))
    }

    async fn end(&self, ops: &dyn Operations) -> Result<(), Error> {
        let op = find(self.kind.cancel)?;
        let mut fields = self.fields();
        if op.fields().iter().any(|field| field.name == "reason") {
            fields.insert("reason".into(), "its task was cancelled".into());
        }
        ops.call(op, fields).await.map(|_| ())
    }

    /// Ends the entity without a decision. One that has ended already stays as it is.
    ///
    /// # Errors
    /// Those of the operation.
    pub(crate) async fn cancel(&self, ops: &dyn Operations) -> Result<(), Error> {
        let Err(error) = self.end(ops).await else { return Ok(()) };
        match self.look(ops).await {
            Ok((look, reply)) if !is_open(look, &reply) => Ok(()),
            Ok(_) | Err(_) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_runtime::api::ops::OPERATIONS;
    use serde_json::json;

    fn wait(name: &str, fields: Value) -> Option<Wait> {
        of(find(name).unwrap(), fields.as_object().unwrap())
    }

    #[test]
    fn every_operation_that_always_waits_is_bounded_here() {
        for op in OPERATIONS.iter().filter(|op| (op.waits)(&Map::new())) {
            assert!(can_wait(op), "{}", op.name);
        }
        for (name, kind, _) in WAITS {
            let look = find(named(kind).unwrap().look).unwrap();
            let fields = look.fields();
            let knows = |name: &str| fields.iter().any(|field| field.name == name);
            let Kind { ids, longest, cancel, .. } = named(kind).unwrap();
            assert!(find(name).is_ok() && ids.iter().all(|id| knows(id)), "{name}");
            assert!(longest.is_none_or(knows) && find(cancel).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_wait_is_as_long_as_is_asked_and_no_longer_than_clients_wait() {
        let asked = |name: &str, fields: Value| wait(name, fields).map(|wait| wait.asked());
        let second = Duration::from_secs(1);
        assert_eq!(asked("quorum.wait", json!({ "timeout_ms": 1_000 })), Some(Some(second)));
        assert_eq!(asked("quorum.wait", json!({})), Some(Some(30 * second)));
        assert_eq!(asked("quorum.wait", json!({ "timeout_ms": 300_000 })), Some(Some(LONGEST)));
        assert_eq!(asked("quorum.wait", json!({ "timeout_ms": 300_001 })), Some(None));
        assert_eq!(asked("quorum.wait", json!({ "timeout_ms": "x" })), Some(None));
        assert_eq!(asked("consensus.request", json!({ "timeout_ms": 1_000 })), Some(Some(LONGEST)));
        assert_eq!(asked("consensus.request", json!({ "wait": false })), None);
        assert_eq!(asked("consensus.result", json!({})), None);
    }

    #[test]
    fn a_look_asks_for_the_entity_and_for_nothing_else() {
        let request = wait("consensus.request", json!({ "proposal": 1, "timeout_ms": 9_000 })).unwrap();
        let look = Value::Object(request.looking(&json!({ "proposal_id": "p" }), Duration::from_millis(5)));
        assert_eq!(look, json!({ "proposal_id": "p", "wait_ms": 5 }));
        let need = wait("capacity.request", json!({ "cell_id": "c", "wait": true })).unwrap();
        let look = Value::Object(
            need.looking(&json!({ "cell_id": "c", "need_id": "n", "status": "pending" }), LOOK),
        );
        assert_eq!(look, json!({ "cell_id": "c", "need_id": "n" }));
    }

    #[test]
    fn the_id_of_a_task_is_that_of_its_entity() {
        let read = |task: &str| {
            let known = Known::read(task)?;
            let ids: Vec<&str> = known.ids.iter().map(String::as_str).collect();
            assert_eq!(task_id(known.kind, &ids), task);
            Some((known.kind.name, known.ids))
        };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(read("quorum:a:b/ c"), Some(("quorum", ids(&["a:b/ c"]))));
        assert_eq!(read("quorum:50%3A"), Some(("quorum", ids(&["50%3A"]))));
        assert_eq!(read("capacity:eu%3A1%253A:n:%3A"), Some(("capacity", ids(&["eu:1%3A", "n:%3A"]))));
        for unknown in ["", "quorum", "quorum:", "capacity:n", "capacity::n", "capacity:c:", "Quorum:q", ":q"]
        {
            assert!(Known::read(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn what_else_waits_waits_no_longer_than_clients_do() {
        let bounded = |name: &str, fields: Value| {
            let fields = bounded(find(name).unwrap(), fields.as_object().unwrap().clone());
            Value::Object(fields)
        };
        let take = |ms: Value| json!({ "worker_id": "w", "wait_ms": ms });
        assert_eq!(bounded("worker.take", take(300_000.into())), take(50_000.into()));
        assert_eq!(bounded("worker.take", take(20.into())), take(20.into()));
        // What is no time, or too long a one, is for the operation to refuse.
        for absurd in [json!("x"), json!(300_001), json!(-1), json!(null)] {
            assert_eq!(bounded("worker.take", take(absurd.clone())), take(absurd));
        }
        let reserve = |s: u64| json!({ "cell_id": "c", "amounts": { "tokens": 1 }, "wait": true, "timeout_seconds": s });
        assert_eq!(bounded("capacity.reserve", reserve(3_600)), reserve(50));
        for op in OPERATIONS.iter().filter(|op| !can_wait(op)) {
            let waits = json!({ "wait_ms": 300_000, "wait": true });
            let field = op.fields().into_iter().find(|field| field.name == "wait_ms");
            let may_wait = (op.waits)(waits.as_object().unwrap());
            assert!(!may_wait || field.is_some() || op.name == "capacity.reserve", "{}", op.name);
        }
    }
}
