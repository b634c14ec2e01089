//! A reply or an error as the result of a tool: structured content for programs, text for models.

use quorate_runtime::api::ops::{Operation, find};
use quorate_runtime::api::outcome::not_done;
use quorate_runtime::error::{Error, ErrorKind, advice};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use crate::tools;

/// The result of an operation that was carried out; `note` is said after it. What was not done although nothing went wrong
/// is an error, with the reply beside.
pub(crate) fn reply(op: &Operation, reply: Value, note: Option<String>) -> CallToolResult {
    if let Some(error) = not_done(op, &reply) {
        return failed(&error, json!({ "error": error.to_json(), "reply": reply }));
    }
    let mut content = vec![ContentBlock::text(reply.to_string())];
    content.extend(note.map(ContentBlock::text));
    let mut result = CallToolResult::success(content);
    result.structured_content = Some(match reply {
        Value::Object(_) => reply,
        other => json!({ "reply": other }),
    });
    result
}

/// The result of one that was refused or failed.
pub(crate) fn failure(error: &Error) -> CallToolResult {
    failed(error, json!({ "error": error.to_json() }))
}

fn failed(error: &Error, structured: Value) -> CallToolResult {
    let next = match error.detail("next").and_then(Value::as_str) {
        // Who calls tools is in no place to grant anything.
        Some(said) if error.kind() != ErrorKind::NotAuthorized => as_tools(said),
        _ => next(error.kind()),
    };
    let next = format!("Next: {next}.");
    let mut result =
        CallToolResult::error(vec![ContentBlock::text(structured.to_string()), ContentBlock::text(next)]);
    result.structured_content = Some(structured);
    result
}

/// What to do about an error, in the words of this door.
pub(crate) fn next(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::InvalidArgument => {
            "correct the field named in the message; the input schema of the tool says what it takes".into()
        }
        ErrorKind::NotAuthenticated => {
            "ask the person who set up this server for the token of a live identity".into()
        }
        ErrorKind::NotAuthorized => {
            "do not try again: ask the person who set up this server to grant what `missing` names".into()
        }
        other => as_tools(advice(other)),
    }
}

/// The same text with tools where it names commands.
fn as_tools(text: &str) -> String {
    let mut parts = text.split("quorate ");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let word = |c: char| !(c.is_ascii_lowercase() || c == '-' || c == '_');
        let tool = part.split_once(' ').and_then(|(noun, rest)| {
            let verb = rest.split(word).next()?;
            let op = find(&format!("{noun}.{}", verb.replace('-', "_"))).ok()?;
            Some((tools::name(op), rest.get(verb.len()..)?))
        });
        match tool {
            Some((tool, rest)) => told.extend([tool.as_str(), rest]),
            None => told.extend(["quorate ", part]),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_runtime::error::KINDS;

    #[test]
    fn commands_in_advice_become_tools() {
        assert_eq!(as_tools("`quorate job status` shows it"), "`job_status` shows it");
        assert_eq!(
            as_tools("a `quorate job renew` b `quorate history query --kind cell`"),
            "a `job_renew` b `history_query --kind cell`"
        );
        assert_eq!(as_tools("try `quorate recover DIR`"), "try `quorate recover DIR`");
        assert_eq!(as_tools("nothing"), "nothing");
    }

    #[test]
    fn every_error_tells_what_to_do_next() {
        for entry in KINDS {
            let result = failure(&Error::new(entry.kind, "m"));
            assert_eq!(result.is_error, Some(true));
            assert_eq!(result.structured_content.unwrap()["error"]["kind"], entry.name);
            assert!(next(entry.kind).len() > 5, "{}", entry.name);
        }
    }

    #[test]
    fn what_was_not_done_is_an_error_with_its_reply() {
        let op = find("capacity.release").unwrap();
        let result = reply(op, json!({ "status": "nothing_to_release", "cell_id": "c" }), None);
        assert_eq!(result.is_error, Some(true));
        let told = result.structured_content.unwrap();
        assert_eq!(
            (&told["error"]["kind"], &told["reply"]["cell_id"]),
            (&json!("nothing_done"), &json!("c"))
        );
    }
}
