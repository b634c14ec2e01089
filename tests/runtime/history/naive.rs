//! What a query finds, written anew from what its fields promise.

use std::collections::BTreeMap;

use quorate_core::kernel::time::Timestamp;
use serde_json::{Map, Value, json};

use super::random::Dice;

/// Every text in a value with the member it stands in, alone or in a list.
fn texts(of: &Value, member: &str, out: &mut Vec<(String, String)>) {
    match of {
        Value::String(text) => out.push((member.to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, member, out)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            out.push(("*".to_owned(), name.clone()));
            texts(value, name, out);
        }),
        _ => {}
    }
}

/// Does an event fit? Written anew from what the fields promise.
pub fn fits(event: &Value, asked: &Map<String, Value>, about: &BTreeMap<(String, String), String>) -> bool {
    let data = &event["data"];
    let mut all = Vec::new();
    texts(data, "", &mut all);
    let (kind, id) = (event["kind"].as_str().unwrap(), event["entity_id"].as_str().unwrap());
    let about = about.get(&(kind.to_owned(), id.to_owned())).map_or("", String::as_str);
    let says =
        |members: &[&str], what: &str| all.iter().any(|(m, t)| members.contains(&m.as_str()) && t == what);
    let voted = |who: &str| {
        data["voter_id"] == who || data["vote"]["voter_id"] == who || data["first"]["vote"]["voter_id"] == who
    };
    let number = |field: &str| event[field].as_u64().unwrap();
    let at = |text: &Value| Timestamp::parse(text.as_str().unwrap()).unwrap();
    asked.iter().all(|(field, wanted)| {
        let text = wanted.as_str().unwrap_or_default();
        match field.as_str() {
            "kind" => kind == text,
            "entity_id" => id == text,
            "party_id" => id == text || all.iter().any(|(_, said)| said == text),
            "voter_id" => voted(text) || (kind == "voter" && id == text),
            "agent_id" => voted(text) || (kind == "agent" && id == text),
            "worker_id" => says(&["worker_id", "worker"], text) || (kind == "worker" && id == text),
            "node_id" => {
                let members = ["node", "node_id", "peer", "leader", "leader_id", "gate_id", "forgotten"];
                says(&members, text) || (kind == "coordinate" && id == text)
            }
            "cell_id" => match kind {
                "topology" => data["cell_id"] == text,
                "cell" | "budget" => {
                    let parts = ["cell", "cell_id", "source", "holder", "destination", "from", "to", "by"];
                    (kind == "cell" && id == text) || says(&parts, text)
                }
                "quorum" => about == text,
                _ => false,
            },
            "datacenter" => {
                let members = [
                    "datacenter",
                    "datacenter_id",
                    "datacenters",
                    "primary_datacenters",
                    "fallback_datacenters",
                ];
                match kind {
                    "job" => id.ends_with(&format!("@{text}")) || says(&members, text),
                    "worker" => about == text,
                    "gate" | "datacenter" => says(&members, text),
                    "route" => says(&members, text) || says(&["from", "to"], text),
                    _ => false,
                }
            }
            "identity" => event["identity"] == text,
            "event" => event["event"] == text,
            "outcome" => {
                let said = match (kind, event["event"].as_str().unwrap()) {
                    ("quorum", "closed") => &data["state"],
                    ("proposal", "closed") => &data["decision"],
                    ("session", "closed") => &data["outcome"],
                    ("job", "ended") | ("gate", "finished") => &data["status"],
                    ("cell", "granted") => &json!("granted"),
                    ("cell", "need_expired") => &json!("expired"),
                    ("cell", "need_cancelled") => &json!("cancelled"),
                    _ => &Value::Null,
                };
                said == text
            }
            "refused" => {
                let name = event["event"].as_str().unwrap();
                let is_one = name == "refused"
                    || ["_refused", "_rejected", "_denied"].iter().any(|end| name.ends_with(end))
                    || ["late_result", "late_final"].contains(&name);
                *wanted == is_one && event["refused"].as_bool().unwrap_or_default() == is_one
            }
            "since" => at(&event["at"]) >= at(wanted),
            "until" => at(&event["at"]) <= at(wanted),
            "from_seq" => number("seq") >= wanted.as_u64().unwrap(),
            "upto_seq" => number("seq") <= wanted.as_u64().unwrap(),
            "from_position" => number("position") >= wanted.as_u64().unwrap(),
            "upto_position" => number("position") <= wanted.as_u64().unwrap(),
            other => panic!("{other}"),
        }
    })
}

/// Random filters, each of them often enough beside others.
pub fn asked(dice: &mut Dice, known: &[Value]) -> Map<String, Value> {
    let mut asked = Map::new();
    let event = &known[dice.roll(known.len())];
    let parts: usize = 1 + dice.roll(3);
    for _ in 0..parts {
        let (low, high) = (dice.roll(known.len()), dice.roll(known.len()));
        let (low, high) = (&known[low.min(high)], &known[low.max(high)]);
        let field = dice.pick(&[
            "kind",
            "entity_id",
            "party_id",
            "voter_id",
            "agent_id",
            "worker_id",
            "node_id",
            "cell_id",
            "datacenter",
            "event",
            "outcome",
            "refused",
            "time",
            "seq",
            "position",
            "identity",
        ]);
        match field {
            "kind" => drop(asked.insert("kind".into(), event["kind"].clone())),
            "entity_id" => {
                asked.insert("kind".into(), event["kind"].clone());
                asked.insert("entity_id".into(), event["entity_id"].clone());
            }
            "party_id" => {
                drop(asked.insert(field.into(), dice.pick(&["ann", "c1", "m1", "east", "w1", "ring"]).into()))
            }
            "voter_id" | "agent_id" => {
                drop(asked.insert(field.into(), dice.pick(&["ann", "bob", "eve", "beats"]).into()))
            }
            "worker_id" => drop(asked.insert(field.into(), dice.pick(&["w1", "w2"]).into())),
            "node_id" => drop(asked.insert(field.into(), dice.pick(&["m1", "m2", "gate"]).into())),
            "cell_id" => drop(asked.insert(field.into(), dice.pick(&["c1", "c2", "c9"]).into())),
            "datacenter" => drop(asked.insert(field.into(), dice.pick(&["east", "west"]).into())),
            "event" => drop(asked.insert(field.into(), event["event"].clone())),
            "outcome" => {
                let words = [
                    "approved",
                    "rejected",
                    "cancelled",
                    "timeout",
                    "timed_out",
                    "decided",
                    "completed",
                    "granted",
                ];
                asked.insert(field.into(), words[dice.roll(words.len())].into());
            }
            "refused" => drop(asked.insert(field.into(), (dice.roll(2) == 0).into())),
            "time" => {
                asked.insert("since".into(), low["at"].clone());
                asked.insert("until".into(), high["at"].clone());
            }
            "seq" => {
                asked.insert("from_seq".into(), low["seq"].as_u64().unwrap().min(3).into());
                asked.insert("upto_seq".into(), (3 + high["seq"].as_u64().unwrap()).into());
            }
            "position" => {
                asked.insert("from_position".into(), low["position"].clone());
                asked.insert("upto_position".into(), high["position"].clone());
            }
            _ => drop(asked.insert(field.into(), dice.pick(&["root", "nobody"]).into())),
        }
    }
    asked
}

/// What the first event of a quorum or a worker says it is about.
pub fn abouts(all: &[Value]) -> BTreeMap<(String, String), String> {
    let mut abouts = BTreeMap::new();
    for event in all.iter().filter(|event| event["seq"] == 1) {
        let said = ["/cell_id", "/opened/cell_id", "/datacenter"];
        let said = said.iter().find_map(|place| event["data"].pointer(place)?.as_str());
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        abouts.insert((text("kind"), text("entity_id")), said.unwrap_or_default().to_owned());
    }
    abouts
}
