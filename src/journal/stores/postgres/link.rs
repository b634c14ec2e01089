//! One connection: made, looked at, and made again when it is lost.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{AsyncMessage, Client, Error, Statement};

use super::target::{Target, plain};
use crate::Fault;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone, or the server goes: another one may do it, and whether it was done is not known.
    Lost(String),
    /// The server said no and did nothing.
    Told(Fault),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let said = plain(&error);
        let Some(code) = error.code() else {
            // An error without a code comes from the way to the server, or from a value that is not what it should be.
            return match std::error::Error::source(&error) {
                Some(source) if source.is::<tokio_postgres::types::WrongType>() => {
                    Trouble::Told(Fault::Corrupt { what: format!("the database: {said}") })
                }
                _ => Trouble::Lost(said),
            };
        };
        let class = &code.code()[..2];
        let full = [SqlState::DISK_FULL, SqlState::OUT_OF_MEMORY];
        if full.contains(code) {
            return Trouble::Told(Fault::Full { reason: format!("the database: {said}") });
        }
        // Connection exceptions, the server going or coming, a primary that became a replica, and what is to be sent again.
        let passing = [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::TOO_MANY_CONNECTIONS];
        if ["08", "57", "40"].contains(&class) || passing.contains(code) {
            return Trouble::Lost(said);
        }
        Trouble::Told(Fault::Unavailable { reason: format!("the database: {said}") })
    }
}

/// What must hold of a server before anything is written to it.
const SETTINGS: &str = "SELECT pg_is_in_recovery(), current_setting('fsync'), \
     current_setting('full_page_writes'), current_setting('synchronous_commit'), \
     current_setting('synchronous_standby_names') <> ''";
/// How long one of several servers may take to let somebody in before the next one is tried.
const KNOCK: Duration = Duration::from_secs(3);

/// A connection that is open, to a primary that keeps what it says.
#[derive(Debug)]
pub(super) struct Link {
    pub client: Client,
    /// The place of its server in the address.
    pub server: usize,
    /// Did the server wait for standbys when it was opened?
    pub waits: bool,
    commit: OnceCell<Statement>,
    warned: Arc<AtomicBool>,
}

impl Link {
    /// Connects to a server that takes writes, beginning with this one.
    async fn open(target: &Target, first: usize) -> Result<Self, Trouble> {
        let servers = target.servers();
        let (mut found, mut trouble) = (None, None);
        for at in 0..servers.len() {
            let at = (first + at) % servers.len();
            // A server that is stopped lets the kernel accept, and says nothing: the others are not to wait for it.
            let limit = if servers.len() == 1 { Duration::MAX } else { KNOCK };
            let why = match tokio::time::timeout(limit, servers[at].connect(target.tls.clone())).await {
                Ok(Ok(link)) => {
                    found = Some((at, link));
                    break;
                }
                Ok(Err(e)) => refusal(target, e),
                Err(_) => Trouble::Lost(format!("{} does not answer", target.shown)),
            };
            // One that is away may be the primary, whatever the others are.
            if !matches!(trouble, Some(Trouble::Lost(_))) {
                trouble = Some(why);
            }
        }
        let Some((server, (client, mut connection))) = found else {
            return Err(trouble.unwrap_or_else(|| Trouble::Lost("no server is named".into())));
        };
        let warned = Arc::new(AtomicBool::new(false));
        let heard = warned.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.parsed_severity() == Some(Severity::Warning)
                {
                    heard.store(true, Ordering::Release);
                }
            }
        });
        // What a role or a database sets for its people must not end a commit half way.
        client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
        let row = client.query_one(SETTINGS, &[]).await?;
        if row.get(0) {
            return Err(Trouble::Told(replica()));
        }
        settings([row.get(1), row.get(2), row.get(3)]).map_err(Trouble::Told)?;
        let waits = row.get(4);
        Ok(Link { client, server, waits, commit: OnceCell::new(), warned })
    }

    /// The statement of a commit, prepared once.
    pub async fn commit(&self, sql: &str) -> Result<&Statement, Error> {
        self.commit.get_or_try_init(|| self.client.prepare(sql)).await
    }

    /// Forgets warnings of before.
    pub fn listen(&self) {
        self.warned.store(false, Ordering::Release);
    }

    /// Was there a warning since? A commit has one when the wait for a synchronous standby was cancelled.
    pub fn warned(&self) -> bool {
        self.warned.load(Ordering::Acquire)
    }

    /// As [`Link::warned`], for what is simply done again then.
    pub fn kept(&self) -> Result<(), Trouble> {
        if self.warned() {
            return Err(Trouble::Lost("the wait for a synchronous standby was cancelled".into()));
        }
        Ok(())
    }

    /// Does the server wait for standbys now?
    pub async fn waits_now(&self) -> Result<bool, Error> {
        const WAITS: &str = "SELECT current_setting('synchronous_standby_names') <> ''";
        self.client.query_one(WAITS, &[]).await?.try_get(0)
    }
}

/// Why a server does not let us in.
fn refusal(target: &Target, error: Error) -> Trouble {
    let writes = "does not allow writes";
    if error.to_string().contains(writes) || plain(&error).contains(writes) {
        return Trouble::Told(replica());
    }
    match Trouble::from(error) {
        Trouble::Lost(why) => Trouble::Lost(format!("{} cannot be reached: {why}", target.shown)),
        told @ Trouble::Told(_) => told,
    }
}

fn replica() -> Fault {
    Fault::Config {
        knob: "pg_is_in_recovery",
        value: "true".into(),
        range: "false: only a primary is read and written; name the primary, or all servers with commas between them"
            .into(),
    }
}

/// Refuses a server that forgets what it acknowledged.
fn settings([fsync, full_page_writes, synchronous_commit]: [&str; 3]) -> Result<(), Fault> {
    let off = |knob, value: &str, remedy: &str| {
        (value == "off").then(|| Fault::Config {
            knob,
            value: value.to_owned(),
            range: format!("on, or commits that were acknowledged may be lost: {remedy}"),
        })
    };
    let reload = |name: &str| format!("ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()");
    let found = off("fsync", fsync, &reload("fsync"))
        .or_else(|| off("full_page_writes", full_page_writes, &reload("full_page_writes")))
        .or_else(|| {
            let remedy = format!(
                "{}, and for the role and the database if they say otherwise",
                reload("synchronous_commit")
            );
            off("synchronous_commit", synchronous_commit, &remedy)
        });
    found.map_or(Ok(()), Err)
}

/// A place for one connection.
#[derive(Debug, Default)]
pub(super) struct Slot {
    link: Mutex<Option<Arc<Link>>>,
    /// The server to begin with; another one after each connection that was given up, for an old primary that was cut off
    /// still lets everybody in.
    first: AtomicUsize,
}

impl Slot {
    /// The connection, made when there is none.
    pub async fn get(&self, target: &Target) -> Result<Arc<Link>, Trouble> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| !link.client.is_closed()) {
            return Ok(link.clone());
        }
        let link = Link::open(target, self.first.load(Ordering::Relaxed)).await?;
        self.first.store(link.server, Ordering::Relaxed);
        Ok(slot.insert(Arc::new(link)).clone())
    }

    /// As [`Slot::get`]. A server that is not to be used now, as in a failover, may be another one at the next try.
    pub async fn reached(&self, target: &Target) -> Result<Arc<Link>, Trouble> {
        self.get(target).await.map_err(|trouble| match trouble {
            Trouble::Told(fault) => Trouble::Lost(fault.to_string()),
            lost @ Trouble::Lost(_) => lost,
        })
    }

    /// Gives the connection up, so that the next one is a new one.
    pub async fn give_up(&self) {
        self.link.lock().await.take();
        self.first.fetch_add(1, Ordering::Relaxed);
    }

    /// The server that is connected to.
    pub async fn server(&self) -> Option<usize> {
        self.link.lock().await.as_ref().map(|link| link.server)
    }

    /// Gives the connection up for one to this server.
    pub async fn follow(&self, server: usize) {
        self.link.lock().await.take();
        self.first.store(server, Ordering::Relaxed);
    }
}
