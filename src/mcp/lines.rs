//! What no request can be made of is answered before the protocol sees it: text that is no JSON or no request, numbers that
//! cannot be kept as they are written, members that are given twice, and parameters that do not fit their method.
//!
//! ```text
//!  stdin ── line ──► refused? ── no ──► protocol ──┐
//!                        └──── error ──────────────┴──► stdout, a line at a time
//! ```
//!
//! The protocol takes a line that it cannot read for none, and a method whose parameters do not fit for one that it does not know:
//! a client would wait for ever, or look for the fault in the wrong place.
//!
//! Source: JSON-RPC 2.0, section 5.1; Model Context Protocol, revision 2026-07-28, *Error Responses*.

use quorate_runtime::api::json;
use quorate_runtime::error::ErrorKind;
use rmcp::model::{CallToolRequestParams, CancelTaskParams, GetTaskParams, ReadResourceRequestParams};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream,
};
use tokio::sync::mpsc;

/// What waits between the client and the protocol, in each direction.
const BETWEEN: usize = 64 << 10;
/// Longest line; the protocol takes no longer one either.
const LONGEST: u64 = 16 << 20;

const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const INVALID_PARAMS: i32 = -32_602;

/// What says which request a text is. The rest of it need not be readable.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    id: Value,
    method: Option<Value>,
    result: Option<Value>,
    error: Option<Value>,
}

/// An error of the protocol; `id` is null where no request says which it is.
pub(crate) fn failure(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

/// An error about what is no request.
pub(crate) fn no_request(message: &str) -> Value {
    failure(&Value::Null, INVALID_REQUEST, message)
}

/// The answer to a text that no request can be made of; none where the protocol answers.
pub(crate) fn refused(text: &[u8]) -> Option<Value> {
    let envelope = serde_json::from_slice::<Envelope>(text).unwrap_or_default();
    let value = match std::str::from_utf8(text).map(json::read) {
        Ok(Ok(value)) => value,
        Ok(Err(error)) if error.kind() == ErrorKind::InvalidArgument => {
            return Some(failure(&envelope.id, INVALID_PARAMS, error.message()));
        }
        Ok(Err(error)) => return Some(failure(&envelope.id, PARSE_ERROR, error.message())),
        Err(e) => return Some(failure(&envelope.id, PARSE_ERROR, &format!("this is no UTF-8. cause={e}"))),
    };
    if !value.is_object() {
        return Some(no_request("a request is one JSON object; several at once are not taken"));
    }
    if envelope.method.is_none() && envelope.result.is_none() && envelope.error.is_none() {
        return Some(failure(&envelope.id, INVALID_REQUEST, "the request names no method"));
    }
    let (method, id) = (value.get("method")?.as_str()?, value.get("id")?);
    let params = value.get("params").cloned().unwrap_or(Value::Object(Map::new()));
    let fits = match method {
        "tools/call" => fits::<CallToolRequestParams>(params),
        "resources/read" => fits::<ReadResourceRequestParams>(params),
        "tasks/get" => fits::<GetTaskParams>(params),
        "tasks/cancel" => fits::<CancelTaskParams>(params),
        _ => return None,
    };
    let message = format!("the parameters do not fit. method={method}, cause={}", fits.err()?);
    Some(failure(id, INVALID_PARAMS, &message))
}

fn fits<T: DeserializeOwned>(params: Value) -> Result<(), serde_json::Error> {
    serde_json::from_value::<T>(params).map(drop)
}

/// Stands between a client and the protocol: what is to be given to the protocol. It ends with the client's end of input.
pub(crate) fn between(
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> (DuplexStream, DuplexStream) {
    let (heard, to_protocol) = tokio::io::duplex(BETWEEN);
    let (from_protocol, told) = tokio::io::duplex(BETWEEN);
    let (refuse, refusals) = mpsc::channel(1);
    tokio::spawn(hear(BufReader::new(input), to_protocol, refuse));
    tokio::spawn(tell(BufReader::new(from_protocol), output, refusals));
    (heard, told)
}

/// Hands on what the protocol can read, and answers the rest.
async fn hear(
    mut input: BufReader<impl AsyncRead + Unpin>,
    mut to_protocol: DuplexStream,
    refuse: mpsc::Sender<Value>,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut input).take(LONGEST).read_until(b'\n', &mut line).await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        // A line that is cut off here goes on with the next part: the protocol drops it as a whole.
        let is_whole = line.ends_with(b"\n");
        let refusal = if is_whole && !line.trim_ascii().is_empty() { refused(&line) } else { None };
        let gone = match refusal {
            Some(refusal) => refuse.send(refusal).await.is_err(),
            None => to_protocol.write_all(&line).await.is_err(),
        };
        if gone {
            return;
        }
    }
}

/// Writes what the protocol says and what was refused, whole lines.
async fn tell(
    mut from_protocol: BufReader<DuplexStream>,
    mut output: impl AsyncWrite + Unpin,
    mut refusals: mpsc::Receiver<Value>,
) {
    let mut line = Vec::new();
    let mut hears = true;
    loop {
        let is_over = tokio::select! {
            // What was read of a line so far stays in it when a refusal comes between.
            read = from_protocol.read_until(b'\n', &mut line) => !matches!(read, Ok(1..)),
            refusal = refusals.recv(), if hears => {
                match refusal {
                    Some(refusal) => {
                        let text = format!("{refusal}\n");
                        if output.write_all(text.as_bytes()).await.is_err() || output.flush().await.is_err() {
                            return;
                        }
                    }
                    None => hears = false,
                }
                continue;
            }
        };
        if is_over || output.write_all(&line).await.is_err() || output.flush().await.is_err() {
            return;
        }
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<i64> {
        refused(text.as_bytes()).map(|answer| answer["error"]["code"].as_i64().unwrap())
    }

    #[test]
    fn what_is_no_json_and_what_does_not_fit_its_method_is_told_so() {
        for broken in ["{bad json", "", "{\"a\":NaN}", "{\"jsonrpc\":\"2.0\",\"id\":1"] {
            assert_eq!(code(broken), Some(-32_700), "{broken}");
        }
        let call = |method: &str, params: Value| {
            code(&json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }).to_string())
        };
        assert_eq!(call("tools/call", json!({})), Some(-32_602));
        assert_eq!(call("tools/call", json!({ "name": "job_list", "arguments": "x" })), Some(-32_602));
        assert_eq!(call("resources/read", json!({})), Some(-32_602));
        assert_eq!(call("tasks/get", json!({ "taskId": 7 })), Some(-32_602));
        let refusal = refused(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\"}").unwrap();
        assert_eq!(refusal["id"], 7);
        assert!(refusal["error"]["message"].as_str().unwrap().contains("name"), "{refusal}");
    }

    #[test]
    fn an_error_says_which_request_it_answers() {
        let told = |text: &str| {
            let refusal = refused(text.as_bytes()).unwrap();
            (refusal["id"].clone(), refusal["error"]["code"].as_i64().unwrap())
        };
        let call = |arguments: &str| {
            told(&format!(
                r#"{{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{{"name":"quorum_vote","arguments":{arguments}}}}}"#
            ))
        };
        assert_eq!(call(r#"{"confidence":1e400}"#), (json!(12), -32_602));
        assert_eq!(call(r#"{"amount":1.0000000000000001}"#), (json!(12), -32_602));
        assert_eq!(call(r#"{"amount":18446744073709551616}"#), (json!(12), -32_602));
        assert_eq!(call(r#"{"proposal":{"d":1,"d":2}}"#), (json!(12), -32_602));
        assert_eq!(told(r#"{"jsonrpc":"2.0","id":"a"}"#), (json!("a"), -32_600));
        for nobody in ["[]", "7", "{}", "{bad"] {
            assert_eq!(told(nobody).0, Value::Null, "{nobody}");
        }
    }

    #[test]
    fn what_the_protocol_can_read_is_left_to_it() {
        for sound in [
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"job_list","arguments":{"limit":1}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"job_list"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        ] {
            assert_eq!(code(sound), None, "{sound}");
        }
    }

    #[tokio::test]
    async fn refusals_and_answers_come_as_whole_lines_and_the_end_of_input_is_passed_on() {
        let (mut client, input) = tokio::io::duplex(1 << 16);
        let (output, mut shown) = tokio::io::duplex(1 << 16);
        let (heard, mut told) = between(input, output);
        client.write_all(b"{bad\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
        drop(client);
        let mut lines = BufReader::new(heard).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(""));
        let ping = lines.next_line().await.unwrap().unwrap();
        assert!(ping.contains("ping"), "{ping}");
        assert_eq!(lines.next_line().await.unwrap(), None);
        told.write_all(b"{\"answer\":1}\n").await.unwrap();
        drop(told);
        let mut text = String::new();
        shown.read_to_string(&mut text).await.unwrap();
        let mut all: Vec<&str> = text.lines().collect();
        all.sort_by_key(|line| !line.contains("32700"));
        assert_eq!(all.len(), 2, "{text}");
        assert!(all[0].contains("-32700") && all[1] == "{\"answer\":1}", "{text}");
    }
}
