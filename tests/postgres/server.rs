//! What only these tests do to a server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::postgres::Server;

impl Server {
    /// Starts a server of its own.
    pub fn start() -> Option<Server> {
        Server::made(|_| {})
    }

    /// Starts a server that only reads, as a standby does that follows a primary.
    pub fn replica() -> Option<Server> {
        Server::made(|server| std::fs::write(server.folder.join("data/standby.signal"), "").unwrap())
    }

    /// Kills the server and everything it started, as a loss of power would, but for what the disk has not heard of.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        let all = std::iter::once(pid.as_str()).chain(children.lines());
        // Some of them may end first.
        let _ = Command::new("kill").arg("-9").args(all).stderr(Stdio::null()).status();
        while Path::new("/proc").join(&pid).join("exe").exists() {
            std::thread::yield_now();
        }
        // Nobody may have collected it yet, and the next server would take it for alive.
        for lock in ["data/postmaster.pid", ".s.PGSQL.5432.lock"] {
            std::fs::remove_file(self.folder.join(lock)).unwrap();
        }
    }

    /// The socket on which it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }
}
