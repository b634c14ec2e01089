//! `quorate <noun> <verb>`: one operation, against a data folder or a running server; and the lists.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::output::{Output, Stop, narrow_table, table};
use super::{args, open, remote};
use crate::api::Quorate;
use crate::api::ops::{self, Method, OPERATIONS, Operation};
use crate::core::rules::{Parameter, RULES};
use crate::error::{Error, ErrorKind};

/// Operations that make the data folder when it is not there. The others have nothing to say about an empty one.
const FOUNDERS: &[&str] = &["quorum.start", "cell.register", "cell.mesh", "cmp.register", "agent.register"];

/// Columns of a terminal that the list of rules fits into.
const RULES_WIDTH: u16 = 118;

/// Runs one operation. A journal that `history verify` finds broken gives the exit code of a damaged store.
pub(super) async fn run(name: &str, matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let op = ops::find(name)?;
    let fields = fields(op, matches);
    let reply = match (matches.get_one::<String>("url"), matches.get_one::<PathBuf>("data")) {
        (Some(url), _) => remote::call(url, op, fields)?,
        (None, Some(data)) => {
            let q = Quorate::open(open::folder(data, FOUNDERS.contains(&op.name))?).await?;
            let reply = call(&q, op, fields).await;
            let closed = q.close().await;
            let reply = reply?;
            closed?;
            reply
        }
        (None, None) => return Err(Error::invalid("data", Value::Null, "--data DIR or --url URL").into()),
    };
    output.reply(&reply)?;
    let broken = op.name == "history.verify" && reply["ok"] == false;
    Ok(if broken { ErrorKind::StoreCorrupt.entry().exit } else { 0 })
}

async fn call(q: &Quorate, op: &Operation, fields: Map<String, Value>) -> Result<Value, Error> {
    if op.name != "history.verify" || !std::io::stderr().is_terminal() {
        return (op.call)(q.clone(), fields).await;
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    let verified =
        q.history().verify(|groups| bar.set_message(format!("{groups} commit groups checked"))).await;
    bar.finish_and_clear();
    serde_json::to_value(verified?)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))
}

/// The request that the flags spell.
fn fields(op: &Operation, matches: &ArgMatches) -> Map<String, Value> {
    let mut request = Map::new();
    for field in op.fields() {
        let Some(texts) = matches.get_many::<String>(&args::field_id(&field)) else { continue };
        let mut values: Vec<Value> = texts.map(|text| op.field_from_text(&field.name, text)).collect();
        let value = if values.len() == 1 {
            values.remove(0)
        } else {
            // A list may be given in several parts.
            let parts = values.into_iter().flat_map(|value| match value {
                Value::Array(items) => items,
                single => vec![single],
            });
            parts.collect()
        };
        request.insert(field.name, value);
    }
    request
}

/// Lists the operations.
pub(super) fn list(output: &Output) -> Result<u8, Stop> {
    let method = |op: &Operation| match op.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let path = |op: &Operation| format!("/api/v1{}", op.path);
    if output.is_json() {
        let line = |op: &Operation| {
            json!({ "name": op.name, "method": method(op), "path": path(op), "summary": op.summary,
                "request": (op.request)().to_value(), "reply": (op.reply)().to_value() })
        };
        output.reply(&json!({ "operations": OPERATIONS.iter().map(line).collect::<Vec<_>>() }))?;
    } else {
        let rows =
            OPERATIONS.iter().map(|op| vec![op.name.into(), method(op).into(), path(op), op.summary.into()]);
        output.text(&table(&["name", "method", "path", "summary"], rows))?;
    }
    Ok(0)
}

/// Lists the vote rules.
pub(super) fn rules(output: &Output) -> Result<u8, Stop> {
    if output.is_json() {
        let line = |rule: &crate::core::rules::RuleEntry| {
            let parameter = |p: &Parameter| json!({ "name": p.name, "summary": p.summary });
            json!({ "name": rule.name, "summary": rule.summary,
                "parameters": rule.parameters.iter().map(parameter).collect::<Vec<_>>(),
                "law": rule.law.text(), "source": rule.source })
        };
        output.reply(&json!({ "rules": RULES.iter().map(line).collect::<Vec<_>>() }))?;
    } else {
        let rows = RULES.iter().map(|rule| {
            let names: Vec<&str> = rule.parameters.iter().map(|p| p.name).collect();
            vec![rule.name.into(), names.join(", "), rule.summary.into(), rule.source.into()]
        });
        output.text(&narrow_table(RULES_WIDTH, &["name", "parameters", "summary", "source"], rows))?;
    }
    Ok(0)
}
