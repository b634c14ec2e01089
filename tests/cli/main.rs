//! What does a stranger at the command line see?

mod backup;
mod book;
mod capacity;
mod certificates;
#[cfg(unix)]
mod connected;
mod consensus;
mod database;
mod export;
mod folder;
mod full_disk;
mod help;
mod histories;
#[cfg(unix)]
mod hooks;
#[cfg(unix)]
mod hostile;
mod identities;
mod jobs;
mod outcomes;
mod outside;
mod people;
mod play;
#[path = "../support/postgres.rs"]
mod postgres;
mod proofs;
mod pruning;
#[path = "../support/receiver.rs"]
mod receiver;
mod replay;
mod routes;
mod salvage;
mod server;
#[cfg(unix)]
mod shared;
mod shredding;
mod tls;
mod watch;
mod workers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The program, in a quiet environment.
fn quorate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command
        .args(args)
        .env_remove("QUORATE_LOG")
        .env_remove("QUORATE_URL")
        .env_remove("QUORATE_DATA")
        .env("COLUMNS", "100");
    command
}

fn run(args: &[&str]) -> Ran {
    Ran(quorate(args).output().expect("the program runs"))
}

struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().expect("an exit code")
    }

    fn out(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).expect("stdout is UTF-8")
    }

    fn err(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).expect("stderr is UTF-8")
    }

    /// The one line of JSON on stdout.
    fn json(&self) -> Value {
        assert_eq!(self.out().lines().count(), 1, "{}{}", self.out(), self.err());
        serde_json::from_str(self.out()).expect("stdout is JSON")
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code(), 0, "{}{}", self.out(), self.err());
        self
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn project(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// A folder with one file of this content.
fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("input");
    std::fs::write(&path, content).expect("the file can be written");
    (folder, path)
}
