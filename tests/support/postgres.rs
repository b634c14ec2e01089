//! A PostgreSQL server of this test program alone, started with nothing set up: it finds the programs, gives up being
//! root, listens on a unix socket in a temporary folder, and ends with the test program however that ends.
//!
//! Where no server is installed the tests say so loudly and pass; under `CI=true` they fail.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The user that runs the server when the tests run as root.
const NOBODY: &str = "65534";

/// A running server. Whoever can write its folder may do everything with it.
pub struct Server {
    /// The folder of the server's programs.
    pub bin: PathBuf,
    /// Its data folder, its log and its socket.
    pub folder: PathBuf,
    next: AtomicU32,
    /// Ends the server and removes its folder when this process is gone.
    _reaper: Child,
}

/// The server of this test program, if one is installed.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::made(|_| {})).as_ref()
}

/// The folder of the server's programs with the highest version, or one on the path.
fn programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = installed
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = found.into_iter().rev().map(|(_, bin)| bin).chain(std::env::split_paths(&path));
    all.find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// A command as somebody whom the server lets run it.
pub fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(program);
    command
}

/// Runs a command that must succeed; answers what it prints.
pub fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Server {
    /// Starts a server; its data folder is prepared first.
    pub fn made(prepare: impl Fn(&Server)) -> Option<Server> {
        let Some(bin) = programs() else {
            let missing =
                "PostgreSQL is not installed: what needs it was NOT tested (apt-get install postgresql)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
            eprintln!("!!! {missing}");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("quorate-pg-").tempdir().unwrap().keep();
        if is_root() {
            done(Command::new("chown").arg(format!("{NOBODY}:{NOBODY}")).arg(&folder));
        }
        let reap = "cat >/dev/null; p=$(head -1 \"$0/data/postmaster.pid\"); kill -QUIT $p; kill -CONT $p $(pgrep -P $p); sleep 0.3; rm -rf \"$0\"";
        let mut reaper = Command::new("sh");
        reaper.args(["-c", reap]).arg(&folder).stdin(Stdio::piped());
        let reaper = reaper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Server { bin, folder, next: AtomicU32::new(0), _reaper: reaper };
        server.copy_template();
        prepare(&server);
        server.go();
        Some(server)
    }

    /// A data folder, copied from one that is made once for all test programs.
    fn copy_template(&self) {
        let data = self.folder.join("data");
        let version = done(Command::new(self.bin.join("postgres")).arg("--version"));
        let number = version.split_whitespace().nth(2).unwrap_or_default();
        let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{number}"));
        if !template.exists() {
            done(
                unprivileged(&self.bin.join("initdb"))
                    .args(["-U", "quorate", "-A", "trust", "-E", "UTF8"])
                    .args(["--locale=C", "-N", "-D", data.to_str().unwrap()]),
            );
            let mine = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let new = template.with_extension(format!("new-{mine}"));
            done(Command::new("cp").arg("-a").arg(&data).arg(&new));
            // Another test program may have been faster.
            let _ = std::fs::rename(&new, &template);
            return;
        }
        done(Command::new("cp").arg("-a").arg(&template).arg(&data));
    }

    /// Starts the server, again after it was killed.
    pub fn go(&self) {
        let folder = self.folder.display();
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200 -c shared_buffers=32MB"
        );
        let mut start = unprivileged(&self.bin.join("pg_ctl"));
        start.args([
            "-D",
            &format!("{folder}/data"),
            "-l",
            &format!("{folder}/log"),
            "-w",
            "-s",
            "-o",
            &options,
            "start",
        ]);
        // Not its own output: the server keeps that open.
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // What was killed with a server before it may take a moment to be gone.
        let started = (0..20).any(|_| {
            let started = start.status().unwrap().success();
            if !started {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            started
        });
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(started, "the server does not start: {log}");
    }

    /// The address of a schema of its own, empty, in which a journal can be made.
    pub fn fresh(&self) -> String {
        let schema = format!("j{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE SCHEMA {schema}"));
        self.within(&schema)
    }

    /// The address of that schema.
    pub fn within(&self, schema: &str) -> String {
        let host = self.host();
        format!("postgres://quorate@{host}/postgres?options=-csearch_path%3D{schema}")
    }

    /// Its folder as the host of an address.
    pub fn host(&self) -> String {
        self.folder.to_str().unwrap().replace('/', "%2F")
    }

    /// What `psql` prints for these statements.
    pub fn sql(&self, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-h", self.folder.to_str().unwrap(), "-U", "quorate", "-d", "postgres", "-XAtqc", sql]);
        done(&mut psql)
    }
}
