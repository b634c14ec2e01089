//! What does a client of the Model Context Protocol see at `/mcp`?

use quorate_mcp::selection::CORE;
use serde_json::{Value, json};

use crate::authorisation::token;
use crate::client::{Answer, Running};

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");
const VERSION: &str = "2026-07-28";

/// A request as clients of the older revisions send it.
fn old(running: &Running, path: &str, headers: &[(&str, &str)], method: &str, params: Value) -> Answer {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let headers = [&[ACCEPT, JSON], headers].concat();
    running.client.send("POST", path, &headers, body.to_string().as_bytes())
}

/// A request of a client that knows tasks.
fn new(running: &Running, method: &str, name: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": { "io.modelcontextprotocol/tasks": {} },
        },
    });
    let headers = [("mcp-protocol-version", VERSION), ("mcp-method", method), ("mcp-name", name)];
    let answer = old(running, "/mcp", &headers, method, params);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json
}

fn call(running: &Running, tool: &str, arguments: Value) -> Value {
    let answer = old(running, "/mcp", &[], "tools/call", json!({ "name": tool, "arguments": arguments }));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["result"].clone()
}

fn names(answer: &Answer) -> Vec<String> {
    let tools = answer.json["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_operations_an_agent_needs_are_tools_and_the_others_on_request() {
    let running = Running::start();
    let listed = names(&old(&running, "/mcp", &[], "tools/list", json!({})));
    let core: Vec<String> = CORE.iter().map(|(name, _)| name.replace('.', "_")).collect();
    assert!(listed.iter().all(|name| core.contains(name)) && listed.len() == core.len(), "{listed:?}");
    let nouns = names(&old(&running, "/mcp?tools=quorum,flow", &[], "tools/list", json!({})));
    assert!(nouns.iter().all(|name| name.starts_with("quorum_") || name.starts_with("flow_")), "{nouns:?}");
    assert_eq!(
        old(&running, "/mcp?tools=none", &[], "tools/list", json!({})).error(),
        (422, "invalid_argument")
    );
    // What is not shown is not called.
    let hidden = json!({ "name": "flow_close", "arguments": { "flow_id": "f" } });
    let answer = old(&running, "/mcp", &[], "tools/call", hidden);
    assert_eq!(answer.json["error"]["code"], -32602, "{answer:?}");
}

#[test]
fn a_call_gives_structured_content_and_an_error_says_what_to_do_next() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let done = call(&running, "quorum_vote", json!({ "quorum_id": id, "voter_id": "ann", "vote": true }));
    assert_eq!((&done["isError"], &done["structuredContent"]["state"]), (&json!(false), &json!("approved")));
    let text: Value = serde_json::from_str(done["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, done["structuredContent"]);
    for (tool, arguments, kind) in [
        ("quorum_status", json!({ "quorum_id": "none" }), "not_found"),
        ("quorum_status", json!({}), "invalid_argument"),
        ("quorum_vote", json!({ "quorum_id": id, "voter_id": "eve", "vote": true }), "quorum_closed"),
        ("quorum_wait", json!({ "quorum_id": id, "timeout_ms": -1 }), "invalid_argument"),
    ] {
        let refused = call(&running, tool, arguments);
        assert_eq!(refused["isError"], true, "{refused}");
        assert_eq!(refused["structuredContent"]["error"]["kind"], kind, "{refused}");
        let next = refused["content"][1]["text"].as_str().unwrap();
        assert!(next.starts_with("Next: ") && !next.contains("`quorate "), "{next}");
    }
}

#[test]
fn a_wait_that_ends_first_says_how_to_go_on() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let open = call(&running, "quorum_wait", json!({ "quorum_id": id, "timeout_ms": 50 }));
    assert_eq!((&open["isError"], &open["structuredContent"]["state"]), (&json!(false), &json!("open")));
    assert!(open["content"][1]["text"].as_str().unwrap().contains("Next: call quorum_wait with quorum_id"));
}

#[test]
fn a_wait_is_a_task_that_is_the_entity_itself() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    let begun = new(
        &running,
        "tools/call",
        "quorum_wait",
        json!({ "name": "quorum_wait", "arguments": { "quorum_id": id } }),
    );
    let task = format!("quorum:{id}");
    assert_eq!((&begun["result"]["resultType"], &begun["result"]["taskId"]), (&json!("task"), &json!(task)));
    let get = || new(&running, "tasks/get", &task, json!({ "taskId": task }))["result"].clone();
    assert_eq!(get()["status"], "working");
    call(&running, "quorum_vote", json!({ "quorum_id": id, "voter_id": "ann", "vote": true }));
    let done = get();
    assert_eq!(
        (&done["status"], &done["result"]["structuredContent"]["state"]),
        (&json!("completed"), &json!("approved"))
    );
    // A task that is over stays as it is.
    new(&running, "tasks/cancel", &task, json!({ "taskId": task }));
    assert_eq!(get(), done);
    let other = running.quorum(&["ann"], 1);
    let task = format!("quorum:{other}");
    new(&running, "tasks/cancel", &task, json!({ "taskId": task }));
    assert_eq!(new(&running, "tasks/get", &task, json!({ "taskId": task }))["result"]["status"], "cancelled");
    // Over at once: no task is needed.
    let arguments = json!({ "name": "quorum_wait", "arguments": { "quorum_id": other } });
    let over = new(&running, "tools/call", "quorum_wait", arguments);
    assert_eq!(over["result"]["structuredContent"]["state"], "cancelled", "{over}");
}

#[test]
fn the_scopes_of_an_identity_are_its_tools() {
    let running = Running::start();
    let id = running.quorum(&["ann"], 1);
    token(&running, "root", &["admin"], &[]);
    let token = token(&running, "agent", &["quorum.status", "flow.*"], &[]);
    let bearer = format!("Bearer {token}");
    let known = [("authorization", bearer.as_str())];
    assert_eq!(names(&old(&running, "/mcp", &known, "tools/list", json!({}))), ["quorum_status"]);
    let all = names(&old(&running, "/mcp?tools=all", &known, "tools/list", json!({})));
    assert!(all.iter().all(|name| name == "quorum_status" || name.starts_with("flow_")), "{all:?}");
    let cancel = json!({ "name": "quorum_cancel", "arguments": { "quorum_id": id } });
    let refused = old(&running, "/mcp", &known, "tools/call", cancel).json["result"].clone();
    assert_eq!(refused["structuredContent"]["error"]["kind"], "not_authorized", "{refused}");
    let read = json!({ "uri": format!("quorate://history/{id}") });
    let refused = old(&running, "/mcp", &known, "resources/read", read);
    assert_eq!(refused.json["error"]["data"]["error"]["kind"], "not_authorized", "{refused:?}");
    let unknown = old(&running, "/mcp", &[], "tools/list", json!({}));
    assert_eq!(unknown.error(), (401, "not_authenticated"));
}

#[test]
fn no_web_page_of_elsewhere_reaches_a_tool() {
    let running = Running::start();
    for headers in
        [[("origin", "https://evil.example")], [("origin", "null")], [("sec-fetch-site", "cross-site")]]
    {
        let answer = old(&running, "/mcp", &headers, "tools/list", json!({}));
        assert_eq!(answer.error(), (403, "foreign_origin"), "{headers:?}");
    }
    let request =
        "POST /mcp HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(running.client.raw(request.as_bytes()).error(), (403, "foreign_host"));
}

#[test]
fn what_no_request_can_be_made_of_is_told_so_with_the_code_of_the_protocol() {
    let running = Running::start();
    let send = |body: &str| running.client.send("POST", "/mcp", &[ACCEPT, JSON], body.as_bytes());
    let broken = send("{bad json");
    assert_eq!((broken.status, &broken.json["error"]["code"]), (400, &json!(-32_700)), "{broken:?}");
    for params in [json!({}), json!({ "name": "quorum_status", "arguments": "x" })] {
        let answer = old(&running, "/mcp", &[], "tools/call", params);
        let (code, id) = (&answer.json["error"]["code"], &answer.json["id"]);
        assert_eq!((answer.status, code, id), (200, &json!(-32_602), &json!(1)), "{answer:?}");
    }
    let answer = old(&running, "/mcp", &[], "resources/read", json!({}));
    assert_eq!(answer.json["error"]["code"], json!(-32_602), "{answer:?}");
}
