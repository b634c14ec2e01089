//! Looks at a database before it is trusted with a journal. Writes nothing.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::{Client, Error};

use super::super::check::Check;
use super::super::url::DatabaseUrl;
use super::schema::NEWEST;
use super::target::{Target, plain};
use crate::Fault;
use quorate_core::kernel::time::Timestamp;

/// How long all of it may take.
const LONGEST: Duration = Duration::from_secs(20);
/// The oldest version that is tested, as the server counts them.
const OLDEST: i32 = 150_000;
/// Where Patroni answers unless it is told otherwise, and how long it may take.
const PATRONI: (u16, Duration) = (8008, Duration::from_secs(1));
/// Clocks further apart than this, in milliseconds, make instants of the journal and leases look odd.
const SKEW_MS: i64 = 1_000;

const SETTINGS: &str = "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
     pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'), \
     current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), \
     (SELECT count(*) FROM pg_stat_replication), \
     (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), \
     (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, to_regclass('quorate_owner') IS NOT NULL, \
     (SELECT count(*) FROM pg_stat_replication WHERE usename = 'streaming_replica')";

/// Every check of a database. `now` is the clock of this machine, asked when the database has answered.
///
/// # Errors
/// [`Fault::Config`] when the address cannot be read. A database that cannot be reached is a check that failed.
pub fn examine(url: &DatabaseUrl, now: impl Fn() -> Timestamp + Sync) -> Result<Vec<Check>, Fault> {
    let mut target = Target::of(url)?;
    target.config.target_session_attrs(TargetSessionAttrs::Any);
    let mut checks = Vec::new();
    // On a thread of its own, for whoever asks may run on another runtime.
    let ask = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Fault::Unavailable { reason: format!("no runtime: {e}") })?;
        Ok::<_, Fault>(
            runtime.block_on(async { tokio::time::timeout(LONGEST, look(&target, &now, &mut checks)).await }),
        )
    };
    let asked = std::thread::scope(|scope| scope.spawn(ask).join());
    let looked = asked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let remedy =
        "see that the server runs and that this machine, user and database may connect (pg_hba.conf)";
    match looked {
        Ok(Ok(())) => {}
        Ok(Err(e)) => checks.push(Check::fail("connection", plain(&e), remedy)),
        Err(_) => checks.push(Check::fail(
            "connection",
            format!("no answer within {} s", LONGEST.as_secs()),
            remedy,
        )),
    }
    Ok(checks)
}

async fn connect(target: &Target) -> Result<Client, Error> {
    let (client, mut connection) = target.config.connect(target.tls.clone()).await?;
    tokio::spawn(async move { while let Some(Ok(_)) = poll_fn(|cx| connection.poll_message(cx)).await {} });
    Ok(client)
}

async fn look(target: &Target, now: &impl Fn() -> Timestamp, checks: &mut Vec<Check>) -> Result<(), Error> {
    let client = connect(target).await?;
    checks.push(Check::ok("connection", target.shown.clone()));
    let row = client.query_one(SETTINGS, &[]).await?;
    let here = now();
    let (number, version): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    checks.push(if number < OLDEST {
        Check::warn(
            "version",
            format!("PostgreSQL {version}, older than what is tested"),
            "PostgreSQL 15 or later",
        )
    } else {
        Check::ok("version", format!("PostgreSQL {version}"))
    });
    let replica: bool = row.try_get(2)?;
    checks.push(if replica {
        Check::fail(
            "primary",
            "a replica: it cannot be written, and what it says may be old",
            "name the primary, or all servers with commas between them",
        )
    } else {
        Check::ok("primary", "takes writes")
    });
    for (at, name, loses) in [
        (3, "fsync", "what is committed is lost with the power"),
        (4, "full_page_writes", "a page that is half written when the power goes stays damaged"),
    ] {
        checks.push(match row.try_get(at)? {
            "on" => Check::ok(name, "on"),
            other => Check::fail(
                name,
                format!("{other}: {loses}"),
                format!("ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"),
            ),
        });
    }
    let (connected, synchronous): (i64, i64) = (row.try_get(7)?, row.try_get(8)?);
    checks.push(acknowledged(row.try_get(5)?, synchronous > 0));
    if !replica {
        checks.push(standbys(row.try_get(6)?, connected, synchronous));
        checks.extend(cloud_native(row.try_get(6)?, row.try_get(11)?));
    }
    checks.push(patroni(target));
    checks.push(pooler(target, &client).await?);
    let skew = (Timestamp::from_micros(row.try_get(9)?).as_micros() - here.as_micros()) / 1_000;
    checks.push(if skew.abs() > SKEW_MS {
        let found = format!("the clock of the database is {skew} ms ahead of this machine's");
        Check::warn("clock", found, "run a time service (chrony, systemd-timesyncd) on both")
    } else {
        Check::ok("clock", format!("{skew} ms apart"))
    });
    if row.try_get(10)? {
        journal(&client, checks).await?;
    } else {
        checks.push(Check::ok("journal", "none yet; the first owner makes the tables"));
    }
    Ok(())
}

/// What a commit waits for before it is acknowledged.
fn acknowledged(setting: &str, standbys: bool) -> Check {
    let name = "synchronous_commit";
    let remedy =
        "ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf(); also for role and database";
    match (setting, standbys) {
        ("off", _) => Check::fail(name, "off: commits are acknowledged before they are on disk", remedy),
        ("local", true) => {
            Check::fail(name, "local: a failover loses commits that were acknowledged", remedy)
        }
        ("remote_write", true) => {
            Check::warn(name, "remote_write: standbys that lose power together may lose commits", remedy)
        }
        (other, _) => Check::ok(name, other),
    }
}

fn standbys(names: &str, connected: i64, synchronous: i64) -> Check {
    let name = "synchronous standby";
    match (names.is_empty(), connected, synchronous) {
        (true, 0, _) => Check::ok(name, "one node: its disk is all there is"),
        (true, n, _) => Check::fail(
            name,
            format!("{n} standbys and none is waited for: a failover loses commits that were acknowledged"),
            "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'; SELECT pg_reload_conf(); Patroni 4 with \
             synchronous_mode and synchronous_mode_strict, CloudNativePG with dataDurability: required",
        ),
        (false, _, 0) => Check::warn(
            name,
            "none of those that are waited for is connected: commits wait",
            "start a standby, or look why it is not connected",
        ),
        (false, ..) => Check::ok(name, format!("{synchronous} waited for, {connected} connected")),
    }
}

/// CloudNativePG, known by the role with which its standbys connect.
fn cloud_native(names: &str, standbys: i64) -> Option<Check> {
    let remedy = "spec.postgresql.synchronous with method: any, number: 1, dataDurability: required";
    match (standbys, names) {
        (0, _) => None,
        (n, "") => Some(Check::fail(
            "CloudNativePG",
            format!(
                "{n} standbys of streaming_replica, and synchronous_standby_names is empty: durability is not required"
            ),
            remedy,
        )),
        (n, names) => Some(Check::warn(
            "CloudNativePG",
            format!(
                "{n} standbys of streaming_replica, and {names} is waited for now; whether that stays so when they are away \
                 (dataDurability) cannot be told from here"
            ),
            remedy,
        )),
    }
}

/// What manages the server, if it says so.
fn patroni(target: &Target) -> Check {
    let hosts: Vec<&str> = target
        .config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.as_str(),
            #[cfg(unix)]
            Host::Unix(_) => "127.0.0.1",
        })
        .collect();
    // The oldest one says what may happen.
    let answers: Vec<_> = hosts.iter().filter_map(|host| Patroni::at(host, PATRONI.0)).collect();
    match answers.into_iter().min_by_key(|found| found.major) {
        Some(found) => found.check(),
        None => {
            let port = PATRONI.0;
            Check::ok("Patroni", format!("none answers on port {port}; whether one is there cannot be told"))
        }
    }
}

/// What the REST interface of Patroni says.
struct Patroni {
    version: String,
    major: u32,
    /// Do commits wait when no standby is there? None where it does not say.
    strict: Option<bool>,
}

impl Patroni {
    fn at(host: &str, port: u16) -> Option<Self> {
        let status = answer(host, port, "/patroni")?;
        let version = status.get("patroni")?.get("version")?.as_str()?.to_owned();
        let major = version.split('.').next()?.parse().ok()?;
        let strict = answer(host, port, "/config").map(|config| {
            let on = |name: &str| config.get(name).is_some_and(|value| value == true || value == "on");
            let by_quorum = config.get("synchronous_mode").is_some_and(|mode| mode == "quorum");
            (on("synchronous_mode") || by_quorum) && on("synchronous_mode_strict")
        });
        Some(Patroni { version, major, strict })
    }

    fn check(&self) -> Check {
        let version = &self.version;
        if self.major < 4 {
            return Check::fail(
                "Patroni",
                format!(
                    "{version}: a primary that was paused may take writes after another one was made, and lose them"
                ),
                "Patroni 4 or later with synchronous_mode and synchronous_mode_strict",
            );
        }
        let found = match self.strict {
            Some(true) => return Check::ok("Patroni", format!("{version}, synchronous_mode_strict")),
            Some(false) => "a primary without standbys goes on acknowledging what they never hear of",
            None => "whether it is strict cannot be told: its settings were not answered",
        };
        let remedy = "patronictl edit-config: synchronous_mode: true, synchronous_mode_strict: true";
        Check::warn("Patroni", format!("{version}, and {found}"), remedy)
    }
}

/// The JSON that a page answers, whatever its status.
fn answer(host: &str, port: u16, page: &str) -> Option<serde_json::Value> {
    let (longest, most) = (PATRONI.1, 1 << 20);
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let mut way = TcpStream::connect_timeout(&address, longest).ok()?;
    way.set_read_timeout(Some(longest)).ok()?;
    way.set_write_timeout(Some(longest)).ok()?;
    let request = format!("GET {page} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    way.write_all(request.as_bytes()).ok()?;
    let mut said = String::new();
    way.take(most).read_to_string(&mut said).ok()?;
    serde_json::from_str(said.split_once("\r\n\r\n")?.1).ok()
}

/// A pooler that hands out connections by transaction: what is said in one is not known in the next.
async fn pooler(target: &Target, client: &Client) -> Result<Check, Error> {
    const WHO: &str = "SELECT pg_backend_pid(), coalesce(current_setting('quorate.doctor', true), '')";
    client.batch_execute("SET quorate.doctor = 'here'").await?;
    let before: i32 = client.query_one(WHO, &[]).await?.try_get(0)?;
    // Holds the server's process that the first connection would get again.
    let other = connect(target).await?;
    other.batch_execute("BEGIN").await?;
    other.query_one("SELECT 1", &[]).await?;
    let asked = client.simple_query(WHO).await;
    let _ = other.batch_execute("ROLLBACK").await;
    let kept = asked?.iter().any(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            row.get(0) == Some(before.to_string().as_str()) && row.get(1) == Some("here")
        }
        _ => false,
    });
    Ok(if kept {
        Check::ok("pooler", "none between, or one by session")
    } else {
        Check::fail(
            "pooler",
            "a pooler in transaction mode: settings and prepared statements are lost between two transactions",
            "pool_mode = session for this database, or its own port without the pooler",
        )
    })
}

async fn journal(client: &Client, checks: &mut Vec<Check>) -> Result<(), Error> {
    let row = client.query_one("SELECT coalesce(max(number), 0) FROM quorate_migrations", &[]).await?;
    let version: i32 = row.try_get(0)?;
    checks.push(if u32::try_from(version).is_ok_and(|version| version > NEWEST) {
        Check::fail(
            "journal",
            format!("tables of version {version}, newer than this program"),
            "a newer quorate",
        )
    } else {
        Check::ok("journal", format!("tables of version {version}"))
    });
    const OWNER: &str = "SELECT owner, epoch, tip_group, \
         (extract(epoch FROM lease_until - clock_timestamp()) * 1000)::bigint FROM quorate_owner";
    let row = client.query_one(OWNER, &[]).await?;
    let (owner, epoch, groups, left): (String, i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    checks.push(Check::ok(
        "owner",
        if left > 0 {
            format!("{owner}, epoch {epoch}, {groups} groups, lease ends in {left} ms unless renewed")
        } else {
            format!("nobody; the last one was of epoch {epoch}, {groups} groups")
        },
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;

    use super::super::super::check::CheckStatus;
    use super::*;

    /// Answers as Patroni does.
    fn pretends(version: &'static str, config: &'static str) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut way in listener.incoming().take(2).flatten() {
                let mut request = String::new();
                let mut lines = std::io::BufReader::new(way.try_clone().unwrap());
                while !request.ends_with("\r\n\r\n") && lines.read_line(&mut request).unwrap() > 0 {}
                let status = format!(
                    r#"{{"state": "running", "role": "primary", "patroni": {{"version": "{version}", "scope": "q"}}}}"#
                );
                let body = if request.starts_with("GET /config ") { config } else { status.as_str() };
                let _ = write!(way, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}");
            }
        });
        port
    }

    #[test]
    fn patroni_is_asked_for_its_version_and_whether_it_is_strict() {
        let strict = r#"{"synchronous_mode": true, "synchronous_mode_strict": true}"#;
        for (version, config, status) in [
            ("3.0.2", strict, CheckStatus::Fail),
            ("4.0.5", r#"{"ttl": 30, "synchronous_mode": true}"#, CheckStatus::Warn),
            ("4.0.5", strict, CheckStatus::Ok),
            ("4.0.5", "no settings", CheckStatus::Warn),
            ("4.1.0", r#"{"synchronous_mode": "quorum", "synchronous_mode_strict": true}"#, CheckStatus::Ok),
        ] {
            let check = Patroni::at("127.0.0.1", pretends(version, config)).unwrap().check();
            assert_eq!(check.status, status, "{version} {config}");
            assert!(check.found.starts_with(version), "{}", check.found);
        }
        assert!(Patroni::at("127.0.0.1", pretends("none", "{}")).is_none());
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(Patroni::at("127.0.0.1", closed).is_none());
    }

    #[test]
    fn standbys_of_cloud_native_pg_must_be_waited_for_and_what_is_not_seen_is_said() {
        assert!(cloud_native("", 0).is_none());
        assert_eq!(cloud_native("", 2).unwrap().status, CheckStatus::Fail);
        let waited = cloud_native("ANY 1 (q-1, q-2)", 2).unwrap();
        assert_eq!(waited.status, CheckStatus::Warn);
        assert!(waited.found.contains("cannot be told"), "{}", waited.found);
    }

    #[test]
    fn standbys_that_nobody_waits_for_fail_and_a_lonely_primary_does_not() {
        assert_eq!(standbys("", 0, 0).status, CheckStatus::Ok);
        assert_eq!(standbys("", 2, 0).status, CheckStatus::Fail);
        assert_eq!(standbys("ANY 1 (*)", 0, 0).status, CheckStatus::Warn);
        assert_eq!(standbys("ANY 1 (*)", 2, 2).status, CheckStatus::Ok);
        assert_eq!(acknowledged("local", true).status, CheckStatus::Fail);
        assert_eq!(acknowledged("local", false).status, CheckStatus::Ok);
        assert_eq!(acknowledged("off", false).status, CheckStatus::Fail);
    }
}
