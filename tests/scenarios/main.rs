//! Readable scripts and what they print: `x.jsonl` goes in, `x.out` must come out.
//!
//! `QUORATE_REWRITE_GOLDEN=1` writes the transcripts anew; they are reviewed like code.

#[path = "../support/postgres.rs"]
mod postgres;

use std::path::{Path, PathBuf};
use std::process::Command;

struct Played {
    text: String,
    code: i32,
}

fn play(script: &Path, more: &[&str]) -> Played {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .arg("play")
        .arg(script)
        .args(more)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors, "", "{} {more:?}", script.display());
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    Played { text, code: output.status.code().expect("an exit code") }
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 10, "{scripts:?}");
    scripts
}

fn first_difference(got: &str, expected: &str) -> String {
    let differs = got.lines().zip(expected.lines()).enumerate().find(|(_, (a, b))| a != b);
    match differs {
        Some((n, (a, b))) => format!("line {}\n     got: {a}\nexpected: {b}", n + 1),
        None => format!("{} lines, expected {}", got.lines().count(), expected.lines().count()),
    }
}

#[test]
fn every_scenario_prints_its_transcript() {
    let rewrite = std::env::var_os("QUORATE_REWRITE_GOLDEN").is_some();
    for script in scripts() {
        let played = play(&script, &[]);
        let transcript = script.with_extension("out");
        if rewrite {
            std::fs::write(&transcript, &played.text).expect("the transcript can be written");
        }
        let expected = std::fs::read_to_string(&transcript).unwrap_or_default();
        assert!(
            played.text == expected,
            "{}: {}\nwrite it anew: QUORATE_REWRITE_GOLDEN=1 cargo test --test scenarios",
            transcript.display(),
            first_difference(&played.text, &expected)
        );
    }
}

#[test]
fn the_exit_code_is_2_exactly_when_a_line_was_malformed() {
    for script in scripts() {
        let played = play(&script, &[]);
        let malformed = played.text.lines().any(|line| line.starts_with("{\"line\":"));
        assert_eq!(played.code, if malformed { 2 } else { 0 }, "{}", script.display());
    }
}

#[test]
fn the_journal_on_disk_gives_the_same_bytes_as_the_one_in_memory() {
    for script in scripts() {
        let (memory, disk) = (play(&script, &[]), play(&script, &["--store", "sled"]));
        let difference = first_difference(&disk.text, &memory.text);
        assert!(memory.text == disk.text, "{}: {difference}", script.display());
    }
}

#[test]
fn the_journal_in_a_database_gives_the_same_bytes_as_the_one_in_memory() {
    let Some(server) = postgres::server() else { return };
    for script in scripts() {
        let memory = play(&script, &[]);
        let database = play(&script, &["--store", "postgres", "--data", &server.fresh()]);
        let difference = first_difference(&database.text, &memory.text);
        assert!(memory.text == database.text, "{}: {difference}", script.display());
    }
}
