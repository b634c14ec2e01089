//! Runs a part of a test in a process of its own and watches it: one that panics, aborts or hangs is seen from outside.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How a watched process ended.
#[derive(Debug)]
pub enum End {
    Exited(ExitStatus),
    /// It said nothing for too long and was killed.
    Hung,
}

/// A command that runs exactly this test of this program.
pub fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// Runs a process and hands on what it says behind `SAYS `, line by line. Killed when silent for `patience`.
pub fn watch(mut command: Command, patience: Duration, mut hear: impl FnMut(&str)) -> End {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (told, lines) = channel();
    let reader = std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if told.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        match lines.recv_timeout(patience) {
            // The test harness may put its own words before the first line.
            Ok(line) => {
                if let Some((_, said)) = line.split_once("SAYS ") {
                    hear(said);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                child.wait().unwrap();
                reader.join().unwrap();
                return End::Hung;
            }
        }
    }
    reader.join().unwrap();
    End::Exited(child.wait().unwrap())
}

/// Says one line to whoever watches.
pub fn say(line: &str) {
    println!("SAYS {}", line.replace('\n', " / "));
}

/// A folder that is gone with the value; in memory where there is such a place, because nothing here needs a disk.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::Builder::new().prefix("quorate-").tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
