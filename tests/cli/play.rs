use super::{file, quorate, run, text};
use serde_json::Value;
use std::io::Write;
use std::process::Stdio;
use tempfile::TempDir;

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

const SCRIPT: &str = r#"
{"op":"quorum.start","quorum_type":"global","timeout_seconds":5}
{"op":"quorum.start","quorum_type":"ring","ring":1,"timeout_seconds":5,"cmp_fallback":true}
{"op":"crash","down_ms":6000}
{"op":"quorum.start","quorum_type":"global","timeout_seconds":5}
{"op":"crash"}
{"op":"quorum.start","quorum_type":"global","timeout_seconds":5}
{"op":"quorum.history"}
{"op":"events"}
"#;

#[test]
fn the_same_script_and_seed_give_the_same_bytes_on_every_store() {
    let (folder, script) = file(SCRIPT);
    let script = text(&script);
    let first = run(&["play", script]).ok();
    let data = folder.path().join("data");
    for more in [&[][..], &["--store", "sled"], &["--data", text(&data)], &["--seed", "0"]] {
        let again = run(&[&["play", script], more].concat()).ok();
        assert!(first.out() == again.out(), "{more:?}\n{}\n{}", first.out(), again.out());
    }
    let other = run(&["play", script, "--seed", "1"]).ok();
    assert!(first.out() != other.out());
}

#[test]
fn ids_made_after_a_crash_or_in_a_second_run_are_new_ones() {
    let (folder, script) = file(SCRIPT);
    let data = folder.path().join("data");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let ran = run(&["play", text(&script), "--data", text(&data)]).ok();
        for line in lines(ran.out()).iter().filter(|line| line["op"] == "quorum.start") {
            assert!(line["error"].is_null(), "{line}");
            ids.push(line["reply"]["quorum_id"].clone());
            ids.extend(line["reply"].get("fallback_quorum_id").filter(|id| !id.is_null()).cloned());
        }
    }
    assert_eq!(ids.len(), 10);
    let mut distinct: Vec<String> = ids.iter().map(ToString::to_string).collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 10, "{ids:?}");
}

#[test]
fn each_line_is_an_op_an_instant_and_an_answer_in_this_order() {
    let (_folder, script) =
        file("{\"op\":\"clock.advance\",\"ms\":5}\n{\"op\":\"quorum.stats\"}\n{\"op\":\"x\"}");
    let ran = run(&["play", text(&script), "--start", "1788-06-21T00:00:00Z"]);
    assert_eq!(ran.code(), 2);
    let starts = [
        "{\"op\":\"clock.advance\",\"at_ms\":-5728492799995,\"reply\":{",
        "{\"op\":\"quorum.stats\",\"at_ms\":-5728492799995,\"reply\":{",
        "{\"line\":3,\"error\":{\"kind\":\"unknown_operation\"",
    ];
    for (line, start) in ran.out().lines().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(ran.out().lines().count(), 3);
}

#[test]
fn a_script_comes_through_a_pipe_and_is_answered_line_by_line() {
    let mut child = quorate(&["play", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut script = child.stdin.take().unwrap();
    // A mark of byte order, line ends of another system, and no end of line at the end.
    script
        .write_all(
            "\u{feff}{\"op\":\"quorum.stats\"}\r\n\r\n  # note\r\n{\"op\":\"events\"}\n\"x\"".as_bytes(),
        )
        .unwrap();
    drop(script);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let lines = lines(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["line"], &lines[1]["error"]["kind"]), (&5.into(), &"malformed_request".into()));
}

#[test]
fn a_line_of_any_length_or_bytes_is_only_an_error_line() {
    let mut script = b"\xff\xfe\n".to_vec();
    script.extend(vec![b'['; 100_000]);
    script.push(b'\n');
    script.extend(vec![b'x'; (16 << 20) + 1]);
    script.extend(b"\n{\"op\":\"quorum.stats\"}\n");
    let (_folder, script) = file(script);
    let ran = run(&["play", text(&script)]);
    let kinds: Vec<Value> = lines(ran.out()).iter().map(|line| line["error"]["kind"].clone()).collect();
    assert_eq!(
        kinds,
        ["malformed_request".into(), "malformed_request".into(), "payload_too_large".into(), Value::Null]
    );
    assert_eq!(ran.code(), 2);
}

#[test]
fn every_page_of_events_is_printed_once() {
    let mut script = String::new();
    for n in 0..1_005 {
        script.push_str(&format!("{{\"op\":\"cmp.register\",\"authority_id\":\"a{n}\"}}\n"));
    }
    script.push_str("{\"op\":\"events\"}\n{\"op\":\"cmp.register\",\"authority_id\":\"last\"}\n{\"op\":\"events\"}\n{\"op\":\"events\"}\n");
    let (_folder, script) = file(script);
    let ran = run(&["play", text(&script)]).ok();
    let positions: Vec<u64> =
        lines(ran.out()).iter().filter_map(|line| line.get("position")?.as_u64()).collect();
    assert!(positions.iter().copied().eq(1..=1_006), "{} positions", positions.len());
}

#[test]
fn a_script_that_cannot_be_read_or_a_start_that_is_no_instant_is_named() {
    let folder = TempDir::new().unwrap();
    let ran = run(&["play", text(&folder.path().join("missing.jsonl"))]);
    assert_eq!((ran.code(), ran.out()), (2, ""));
    assert!(ran.err().contains("missing.jsonl"), "{}", ran.err());
    assert_eq!(run(&["play", text(folder.path())]).code(), 2);
    let (_folder, script) = file("");
    run(&["play", text(&script)]).ok();
    let ran = run(&["play", text(&script), "--start", "soon", "--json"]);
    assert_eq!((ran.code(), &ran.json()["error"]["field"]), (2, &"start".into()));
    assert_eq!(run(&["play", text(&script), "--store", "memory", "--data", "x"]).code(), 2);
}
