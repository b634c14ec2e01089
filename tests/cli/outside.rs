//! Numbers, names and keys at the command line.

use tempfile::TempDir;

use crate::{run, text};

#[test]
fn numbers_names_and_keys_are_refused_with_their_field_and_exit_code() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path()).to_owned() + "/store";
    let start = |more: &[&str]| {
        let base = ["quorum", "start", "--quorum-type", "ring", "--voters", "ann", "--data", &data, "--json"];
        run(&[&base[..], more].concat())
    };
    let field = |ran: &crate::Ran| ran.json()["error"]["field"].as_str().unwrap_or_default().to_owned();
    for (flag, value, named) in [
        ("--subject", r#"{"cents":18446744073709551616}"#, "subject.cents"),
        ("--subject", "18446744073709551616", "subject"),
        ("--subject", r#"{"amount":1,"amount":5}"#, "subject.amount"),
        ("--timeout-seconds", "1.00000000000000000001", "timeout_seconds"),
        ("--timeout-seconds", "0.0000001", "timeout_seconds"),
        ("--required-votes", "1e999", "required_votes"),
        ("--quorum-id", "q\u{200b}", "quorum_id"),
        ("--arm", "Zoe\u{308}", "arm"),
    ] {
        let refused = start(&[flag, value]);
        assert_eq!((refused.code(), field(&refused)), (2, named.to_owned()), "{flag} {value}");
    }
    let keyed = |subject: &str| start(&["--idempotency-key", "k", "--subject", subject]);
    assert_eq!(keyed("1").ok().json()["duplicate"], false);
    assert_eq!(keyed("1").ok().json()["duplicate"], true);
    let reused = keyed("2");
    assert_eq!((reused.code(), reused.json()["error"]["kind"].as_str()), (15, Some("key_reused")));
}

#[test]
fn nothing_that_somebody_sent_steers_the_terminal() {
    let folder = TempDir::new().unwrap();
    let data = text(folder.path()).to_owned() + "/store";
    let subject = "{\"say\":\"yes\u{202e}on\u{9b}2J\"}";
    let more = ["--quorum-id", "q", "--subject", subject, "--data", &data];
    run(&[&["quorum", "start", "--quorum-type", "ring", "--voters", "ann"][..], &more].concat()).ok();
    let shown = run(&["quorum", "status", "q", "--data", &data]).ok();
    assert!(shown.out().contains("yes\\u{202e}on\\u{9b}2J"), "{}", shown.out());
    assert!(!shown.out().contains(['\u{202e}', '\u{9b}']));
    let refused = run(&["quorum", "status", "q\u{202e}\u{1b}[2J", "--data", &data]);
    assert!(!refused.err().contains(['\u{202e}', '\u{1b}']), "{}", refused.err());
    // For machines it is what it is.
    assert!(run(&["quorum", "status", "q", "--data", &data, "--json"]).ok().out().contains('\u{202e}'));
}
