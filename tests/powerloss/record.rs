//! The record of what children did to a folder: every change in order, every sync, every acknowledgement.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{child, shim};

const DIR: &str = "QUORATE_SHIM_DIR";
const TRACE: &str = "QUORATE_SHIM_TRACE";
const ENDS: &str = "QUORATE_SHIM_ENDS";
const FAIL: &str = "QUORATE_SHIM_FAIL";

/// One change, sync or word of a child, in the order in which they took effect.
#[derive(Debug, PartialEq)]
pub enum Event {
    /// A process began; whatever ran before is dead.
    Started,
    /// A file or folder below the data folder was opened; `made` when that made it.
    Opened {
        file: u64,
        path: PathBuf,
        made: bool,
        is_dir: bool,
    },
    /// Bytes were written; where they stand in the record.
    Written {
        file: u64,
        at: u64,
        bytes: Range<usize>,
    },
    SyncBegan {
        file: u64,
        token: i64,
    },
    SyncEnded {
        file: u64,
        token: i64,
        failed: bool,
    },
    Sized {
        file: u64,
        to: u64,
    },
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Linked {
        from: PathBuf,
        to: PathBuf,
    },
    Unlinked {
        path: PathBuf,
    },
    MadeDir {
        file: u64,
        path: PathBuf,
    },
    RemovedDir {
        path: PathBuf,
    },
    /// A line of the child on standard output.
    Said(String),
}

/// A life of the recorded folder.
#[derive(Clone, Copy, Debug)]
pub enum Life {
    /// The process ends, as if killed, with the acknowledgement of this number.
    Killed(usize),
    /// So many rounds of the load, then the store is closed.
    Closed(usize),
}

/// What happened to one folder over several lives.
pub struct Recording {
    pub events: Vec<Event>,
    bytes: Vec<u8>,
    /// The folder, where the children saw it.
    pub root: PathBuf,
    /// The folder as it was before the first life, when there was one.
    pub start: Option<PathBuf>,
}

const HEAD: usize = 24;

/// Waits for a child, which must end by itself.
fn wait(child: &mut Child) -> ExitStatus {
    for _ in 0..120_000 / 5 {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    panic!("a child hung for two minutes");
}

impl Recording {
    /// Runs the lives one after the other on `home/data`, a folder of this store, and keeps the record in `home`.
    pub fn make(home: &Path, store: &str, lives: &[Life], fail: Option<&str>) {
        let library = shim::library().expect("the caller looked whether there is a shim");
        for (n, life) in lives.iter().enumerate() {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command
                .args([
                    "child::the_child_votes_until_it_is_killed",
                    "--exact",
                    "--nocapture",
                    "--test-threads=1",
                ])
                .env("LD_PRELOAD", library)
                .env(DIR, home.join("data"))
                .env(TRACE, home.join("trace"))
                .env(child::FOLDER, home.join("data"))
                .env(child::STORE, store)
                .env(child::LIFE, (n + 1).to_string())
                .env(child::EARLY, "0")
                // So few that the store archives all the time.
                .env(child::SLOTS, "16")
                .stdout(Stdio::null())
                .stderr(std::fs::File::create(home.join("stderr")).unwrap());
            match life {
                Life::Killed(acknowledged) => command.env(ENDS, acknowledged.to_string()),
                Life::Closed(rounds) => command.env(child::ROUNDS, rounds.to_string()),
            };
            if let Some(fail) = fail {
                command.env(FAIL, fail);
            }
            let status = wait(&mut command.spawn().unwrap());
            let as_planned = match life {
                Life::Killed(_) => status.code() == Some(42),
                Life::Closed(_) => status.success(),
            };
            let said = std::fs::read_to_string(home.join("stderr")).unwrap();
            assert!(as_planned || fail.is_some(), "life {n}, {life:?}: {status}, {said}");
        }
    }

    /// Reads a record that was made in `home`.
    pub fn read(home: &Path) -> Self {
        let bytes = std::fs::read(home.join("trace")).unwrap();
        let start = Some(home.join("start")).filter(|start| start.is_dir());
        let mut recording = Recording { events: Vec::new(), bytes, root: home.join("data"), start };
        let mut at = 0;
        while at < recording.bytes.len() {
            let (event, next) = recording.event(at);
            recording.events.push(event);
            at = next;
        }
        recording
    }

    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.bytes[range.clone()]
    }

    fn event(&self, at: usize) -> (Event, usize) {
        let head = &self.bytes[at..at + HEAD];
        let u32_at = |from: usize| u32::from_le_bytes(head[from..from + 4].try_into().unwrap());
        let (kind, length) = (u32_at(0), u32_at(4) as usize);
        let file = u64::from_le_bytes(head[8..16].try_into().unwrap());
        let number = i64::from_le_bytes(head[16..24].try_into().unwrap());
        let data = at + HEAD..at + HEAD + length;
        let text = || String::from_utf8_lossy(&self.bytes[data.clone()]).into_owned();
        let path = |text: &str| Path::new(text).strip_prefix(&self.root).unwrap().to_owned();
        let two = || {
            let text = text();
            let (from, to) = text.split_once('\n').unwrap();
            (path(from), path(to))
        };
        let event = match kind {
            1 => Event::Opened { file, path: path(&text()), made: number & 1 != 0, is_dir: number & 2 != 0 },
            2 => Event::Written { file, at: number as u64, bytes: data.clone() },
            3 => Event::SyncBegan { file, token: number },
            4 => Event::SyncEnded { file, token: number, failed: length > 0 },
            5 => Event::Sized { file, to: number as u64 },
            6 => {
                let (from, to) = two();
                Event::Renamed { from, to }
            }
            7 => Event::Unlinked { path: path(&text()) },
            8 => Event::MadeDir { file, path: path(&text()) },
            9 => Event::Said(text()),
            10 => Event::RemovedDir { path: path(&text()) },
            11 => {
                let (from, to) = two();
                Event::Linked { from, to }
            }
            12 => Event::Started,
            other => panic!("the record holds a note of an unknown kind {other}"),
        };
        (event, data.end)
    }
}
