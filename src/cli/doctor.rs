//! `quorate doctor`: is this folder, or this database, to be trusted with a journal?

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::args::path;
use super::open;
use super::ops::{self, Named};
use super::output::{Output, Stop, narrow_table};
use super::remote;
use quorate_runtime::api::dto::{MemberList, NameConflict};
use quorate_runtime::api::ops as runtime_ops;
use quorate_runtime::api::proofs::signed_size;
use quorate_runtime::core::kernel::time::Timestamp;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::journal::Fault;
use quorate_runtime::shell::clock::Clock;
use quorate_runtime::store::check::{Check, CheckStatus};
use quorate_runtime::store::postgres::examine;
use quorate_runtime::store::salvage::ReadStore;

/// Less room than this, in bytes, is refused and told.
const ROOM: (u64, u64) = (64 << 20, 1 << 30);

/// What is left by a crash and removed by the next owner, with who leaves it.
const LEFT: [&str; 5] = ["FORMAT.new", "fjall.new", "mark.new", "quorate.sock.new", "sled/conf.new"];

/// The command.
pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Check whether a folder or a database is to be trusted with a journal")
        .long_about(DOCTOR)
        .arg(path("data", "DIR", "The data folder, or postgres://…; QUORATE_DATA when left out"))
        .arg(path("store", "URL", "The database, postgres://…").conflicts_with("data"))
}

/// What `quorate doctor --help` says.
const DOCTOR: &str = "\
Check whether a folder or a database is to be trusted with a journal. Nothing is written.

Each check ends with ok, warn (it works, and somebody should know of it) or fail (what was acknowledged may be lost, or \
nothing works), with what was found and what to do about it. Of a database: connection, version, primary, fsync, \
full_page_writes, synchronous_commit, synchronous standby, pooler, clock, journal, owner. Of a folder: store, file \
system, room, writable, left over, checkpoint, owner.

Exit codes: 0 no check failed · 10 one did.";

/// Looks, and says what it found. The exit code is that of a store that failed when a check did.
pub(super) fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let data = match open::named(matches)? {
        (Some(data), _) => data,
        (None, _) => match ops::named_outside()? {
            Some(Named::Data(data)) => data,
            _ => {
                let expected = "--data DIR, or --store postgres://…";
                return Err(Error::invalid("data", Value::Null, expected).into());
            }
        },
    };
    let checks = match open::database(&data)? {
        Some((_, url)) => {
            let clock = Clock::system(Timestamp::MIN, None);
            examine(&url, || clock.now()).map_err(Error::from)?
        }
        None => folder(&data),
    };
    let worst = checks.iter().map(|check| check.status).max().unwrap_or(CheckStatus::Ok);
    if output.is_json() {
        output.reply(&json!({ "ok": worst != CheckStatus::Fail, "checks": checks }))?;
    } else {
        let status = |check: &Check| match check.status {
            CheckStatus::Ok => "ok",
            CheckStatus::Warn => "warn",
            CheckStatus::Fail => "fail",
        };
        let rows = checks.iter().map(|check| {
            vec![check.check.to_owned(), status(check).to_owned(), check.found.clone(), check.remedy.clone()]
        });
        output.text(&narrow_table(ops::columns(), &["check", "status", "found", "remedy"], rows))?;
    }
    Ok(if worst == CheckStatus::Fail { ErrorKind::StoreError.entry().exit } else { 0 })
}

fn folder(path: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let server = ops::owner_of(path);
    let is_served = server.is_some();
    // Whoever serves the folder writes it meanwhile: what is read beside that says nothing.
    let opened = if is_served { None } else { Some(ReadStore::open(path)) };
    let exists = !matches!(opened, Some(Err(Fault::Missing { .. })));
    let records = match &opened {
        Some(Ok(store)) => Some(store.records()),
        Some(Err(_)) | None => None,
    };
    checks.push(opened.map_or_else(|| Check::ok("store", "served by a process: not read"), store));
    checks.extend(names(path));
    // Of a folder that is still to be made the one above it says what the disk is like.
    let there = path.ancestors().find(|at| at.exists()).unwrap_or(Path::new("."));
    checks.extend(file_system(there));
    checks.push(if is_served {
        Check::ok("writable", "served by a process: that one writes")
    } else {
        writable(path, there)
    });
    if exists {
        let left: Vec<&str> = LEFT.into_iter().filter(|name| path.join(name).exists()).collect();
        let generating = std::fs::read_dir(path.join("sled")).into_iter().flatten().flatten();
        let generating =
            generating.filter(|entry| entry.file_name().to_string_lossy().ends_with(".generating"));
        let mut left: Vec<String> = left.into_iter().map(str::to_owned).collect();
        left.extend(generating.map(|entry| format!("sled/{}", entry.file_name().to_string_lossy())));
        checks.push(match (left.is_empty(), beside(path)) {
            (true, None) => Check::ok("left over", "nothing"),
            (false, None) => Check::warn("left over", left.join(", "), "left by a crash; the next owner removes it"),
            (_, Some(pruning)) => {
                left.push(pruning.display().to_string());
                let remedy = "left by a pruning that was cut off, and of no use: `quorate prune` removes it when it begins, \
                              or remove it by hand";
                Check::warn("left over", left.join(", "), remedy)
            }
        });
        checks.push(checkpoint(path, records));
        checks.extend(private(path));
        checks.push(match server {
            Some(server) if remote::answers(&server) => {
                Check::ok("owner", "served by a process that answers")
            }
            Some(_) => Check::fail(
                "owner",
                "a process has the folder and does not answer",
                "let it go on if it is stopped (`kill -CONT`), or end it: another takes the folder over",
            ),
            None => owner(path),
        });
    }
    checks
}

/// Names that two nodes use, where a node serves the folder.
fn names(path: &Path) -> Option<Check> {
    let server = ops::owner_of(path)?;
    let reply = remote::call(&server, runtime_ops::find("member.list").ok()?, Map::new()).ok()?;
    let list: MemberList = serde_json::from_value(reply).ok()?;
    let two = |conflict: &NameConflict| {
        format!(
            "two nodes are called {}, at {} and at {}",
            conflict.node_id, conflict.address, conflict.other_address
        )
    };
    let found: Vec<String> = list.name_conflicts.iter().map(two).collect();
    let remedy = "give one of the two a name and a folder of its own";
    (!found.is_empty()).then(|| Check::warn("node name", found.join("; "), remedy))
}

/// What a pruning of the folder left beside it that was cut off.
fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = path.canonicalize().ok()?.into_os_string();
    name.push(".pruning");
    Some(PathBuf::from(name)).filter(|left| left.exists())
}

/// How much of the journal the newest checkpoint is signed over.
fn checkpoint(path: &Path, records: Option<u64>) -> Check {
    const CHECK: &str = "checkpoint";
    let serve = "`quorate serve` signs within a second of what is recorded";
    match (signed_size(path), records) {
        (Err(error), _) if error.kind() == ErrorKind::StoreError => {
            Check::warn(CHECK, error.message().to_owned(), "ask as the user who serves the folder")
        }
        (Err(error), _) => Check::fail(
            CHECK,
            format!("the newest one does not hold: {}", error.message()),
            "`quorate history verify` with a checkpoint that was kept elsewhere says what is still there",
        ),
        (Ok(None), _) => Check::warn(CHECK, "none: nothing was ever signed here", serve),
        (Ok(Some(size)), Some(records)) if size > records => Check::fail(
            CHECK,
            format!("it is signed over {size} records, and there are {records}"),
            "records are gone: look for the folder as it was, or a backup",
        ),
        (Ok(Some(size)), Some(records)) if size < records => {
            Check::warn(CHECK, format!("{} of {records} records are not signed yet", records - size), serve)
        }
        (Ok(Some(size)), _) => Check::ok(CHECK, format!("signed over {size} records")),
    }
}

/// What a folder that nobody serves holds.
fn store(opened: Result<ReadStore, Fault>) -> Check {
    match opened {
        Err(Fault::Missing { .. }) => Check::ok("store", "none yet; `quorate serve` makes it"),
        Err(fault @ Fault::NewerVersion { .. }) => Check::fail("store", fault.to_string(), "a newer quorate"),
        Err(Fault::Locked { holder }) => Check::warn(
            "store",
            format!("held by a process that answers nobody: not read. holder={holder}"),
            "wait until it ends; only `quorate serve` and what waits answer meanwhile",
        ),
        Err(fault) => Check::fail(
            "store",
            fault.to_string(),
            "name the data folder; `quorate recover` reads a damaged one",
        ),
        Ok(store) => match (store.damage().sentence(), store.refusal()) {
            (None, None) => Check::ok("store", "a journal, sound as far as it was read"),
            (Some(damage), _) => {
                Check::fail("store", damage, "`quorate recover` writes what is sound into a new folder")
            }
            (None, Some(why)) => {
                Check::fail("store", why, "`quorate recover` writes everything into a new folder")
            }
        },
    }
}

/// May this user write what a server writes: the folder, or the one in which it is to be made? Nothing is tried: the system is
/// asked.
fn writable(path: &Path, there: &Path) -> Check {
    let remedy = "ask as the user who serves the folder, or let this one write it";
    let fail =
        |at: &Path, why: &str| Check::fail("writable", format!("{why}. path={}", at.display()), remedy);
    if !there.is_dir() {
        return fail(there, "this is no folder");
    }
    let inside =
        ["LOCK", "fjall", "index", "log", "mark", "ring", "sled", "tlog"].map(|name| path.join(name));
    let all = std::iter::once(there.to_owned()).chain(inside.into_iter().filter(|at| at.exists()));
    for at in all {
        if let Err(why) = may_write(&at) {
            return fail(&at, &why);
        }
    }
    let found = if there == path { "by this user" } else { "the folder above it, by this user" };
    Check::ok("writable", found)
}

#[cfg(target_os = "linux")]
fn may_write(path: &Path) -> Result<(), String> {
    use rustix::fs::{Access, access};
    // What is put into a folder needs the right to go through it.
    let through = if path.is_dir() { Access::EXEC_OK } else { Access::empty() };
    access(path, Access::WRITE_OK | through).map_err(|e| format!("this user may not write here: {e}"))
}

#[cfg(not(target_os = "linux"))]
fn may_write(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.permissions().readonly() => Err("this is read-only".into()),
        _ => Ok(()),
    }
}

/// Who else of this machine can look into the folder.
fn private(path: &Path) -> Option<Check> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        let found = format!("mode {mode:03o}");
        Some(match mode & 0o077 {
            0 => Check::ok("private", found),
            _ => Check::warn(
                "private",
                found,
                "others of this machine may read what is recorded, secrets of hooks among it: chmod 700",
            ),
        })
    }
    #[cfg(not(unix))]
    None
}

fn owner(path: &Path) -> Check {
    #[cfg(unix)]
    if quorate_runtime::owner::has_socket(path) {
        return Check::warn(
            "owner",
            "a socket with nobody behind it: the last owner was killed",
            "`quorate serve` takes the folder over",
        );
    }
    Check::ok("owner", "nobody serves it")
}

/// The kind of file system, and how much room it has.
#[cfg(target_os = "linux")]
fn file_system(path: &Path) -> Vec<Check> {
    // linux/magic.h, and cifs, ceph and 9p in their own folders of the kernel.
    const NETWORK: [(u64, &str); 8] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFE53_4D42, "SMB"),
        (0xFF53_4D42, "CIFS"),
        (0x00C3_6400, "Ceph"),
        (0x0102_1997, "9p"),
        (0x5346_414F, "AFS"),
        (0x6573_5546, "FUSE"),
    ];
    const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58F6];
    let stat = match rustix::fs::statfs(path) {
        Ok(stat) => stat,
        Err(e) => {
            return vec![Check::warn(
                "file system",
                format!("cannot be asked: {e}"),
                "look with df and mount",
            )];
        }
    };
    let kind = u64::try_from(stat.f_type).unwrap_or_default() & 0xFFFF_FFFF;
    let network = NETWORK.iter().find(|(number, _)| *number == kind);
    let mut checks = vec![match network {
        Some((_, name)) => Check::fail(
            "file system",
            format!("{name}: locks and syncs of a network are not those of a disk"),
            "a folder on a local disk; for several machines --store postgres://…",
        ),
        None if MEMORY.contains(&kind) => {
            Check::warn("file system", "memory: everything is lost with the power", "a folder on a disk")
        }
        None => Check::ok("file system", format!("local, kind {kind:#x}")),
    }];
    let free = u64::try_from(stat.f_bsize).unwrap_or(0).saturating_mul(stat.f_bavail);
    let found = format!("{} MiB free", free >> 20);
    let remedy = "make room, or move the folder to a larger disk";
    checks.push(match free {
        _ if free < ROOM.0 => Check::fail("room", found, remedy),
        _ if free < ROOM.1 => Check::warn("room", found, remedy),
        _ => Check::ok("room", found),
    });
    checks
}

#[cfg(not(target_os = "linux"))]
fn file_system(_: &Path) -> Vec<Check> {
    vec![Check::warn("file system", "not looked at on this system", "see that it is a local disk")]
}
