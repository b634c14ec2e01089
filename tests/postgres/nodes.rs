//! Three servers: a primary and two standbys of which a commit waits for one.

use std::process::Command;
use std::time::Duration;

use super::postgres::{Server, done, unprivileged};

/// How often what takes a moment is looked for.
const LOOKS: usize = 1_500;

pub struct Nodes {
    pub all: Vec<Server>,
    pub primary: usize,
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("not after {LOOKS} looks: {what}");
}

/// Sends a signal to these processes; some of them may have ended.
fn signal(name: &str, pids: &[String]) {
    let _ = Command::new("kill").arg(name).args(pids).output();
}

impl Server {
    /// Makes the data anew as a copy of that of `primary`, which it follows when it is started.
    fn follow(&self, primary: &Server) {
        let data = self.folder.join("data");
        std::fs::remove_dir_all(&data).unwrap();
        let mut copy = unprivileged(&self.bin.join("pg_basebackup"));
        copy.arg("-h").arg(&primary.folder).args(["-U", "quorate", "-c", "fast", "-R", "-D"]).arg(&data);
        done(&mut copy);
    }

    /// Its processes.
    fn pids(&self) -> Vec<String> {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &pid]).output().unwrap();
        let children = String::from_utf8_lossy(&children.stdout).into_owned();
        std::iter::once(pid).chain(children.lines().map(str::to_owned)).collect()
    }

    pub fn stop(&self) {
        signal("-STOP", &self.pids());
    }

    pub fn wake(&self) {
        signal("-CONT", &self.pids());
    }

    /// Sets something that is read anew at once.
    pub fn set(&self, name: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.sql("SELECT pg_reload_conf()");
    }

    /// Has it follow this one from now on.
    fn turn_to(&self, primary: &Server) {
        self.set("primary_conninfo", &format!("host={} user=quorate", primary.folder.display()));
    }

    fn count(&self, what: &str) -> usize {
        self.sql(&format!("SELECT count(*) FROM {what}")).parse().unwrap()
    }

    /// Ends, or cancels, what a program of ours waits for there; answers how many there were.
    pub fn disturb(&self, how: &str, whom: &str) -> usize {
        self.count(&format!(
            "(SELECT {how}(pid) FROM pg_stat_activity WHERE application_name = 'quorate' AND {whom}) AS them"
        ))
    }
}

impl Nodes {
    pub fn start() -> Option<Nodes> {
        let primary = Server::start()?;
        primary.set("wal_keep_size", "1GB");
        let standby = || Server::made(|server| server.follow(&primary));
        let (second, third) = (standby()?, standby()?);
        let nodes = Nodes { all: vec![primary, second, third], primary: 0 };
        nodes.all.iter().for_each(|node| node.set("synchronous_standby_names", "ANY 1 (*)"));
        nodes.whole();
        Some(nodes)
    }

    pub fn primary(&self) -> &Server {
        &self.all[self.primary]
    }

    pub fn standbys(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|at| *at != self.primary).collect()
    }

    /// Waits until both standbys are waited for.
    pub fn whole(&self) {
        let quorum = "pg_stat_replication WHERE sync_state = 'quorum' AND state = 'streaming'";
        until("both standbys follow", || self.primary().count(quorum) == self.all.len() - 1);
    }

    /// The address of a new journal, with all nodes.
    pub fn fresh(&self) -> String {
        let one = self.primary().fresh();
        let all: Vec<_> = self.all.iter().map(Server::host).collect();
        one.replace(&self.primary().host(), &all.join(","))
    }

    /// The standbys hear nothing more of the primary, which does not know it. Answers what heals that.
    pub fn cut(&self) -> impl FnOnce() + use<> {
        let senders = self.primary().sql("SELECT pid FROM pg_stat_replication");
        let senders: Vec<String> = senders.lines().map(str::to_owned).collect();
        assert!(!senders.is_empty());
        signal("-STOP", &senders);
        move || signal("-CONT", &senders)
    }

    /// Makes the standby a primary that has heard most, when neither hears any more. Answers the former one.
    pub fn fail_over(&mut self) -> usize {
        let standbys = self.standbys();
        for at in &standbys {
            self.all[*at].set("primary_conninfo", "");
        }
        const HEARD: &str =
            "SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn";
        let heard = |at: &usize| {
            until("a standby hears nothing", || self.all[*at].count("pg_stat_wal_receiver") == 0);
            self.all[*at].sql(HEARD).parse::<u64>().unwrap()
        };
        let next = standbys.iter().copied().max_by_key(heard).unwrap();
        assert_eq!(self.all[next].sql("SELECT pg_promote(true, 30)"), "t");
        for at in standbys {
            if at != next {
                self.all[at].turn_to(&self.all[next]);
            }
        }
        std::mem::replace(&mut self.primary, next)
    }

    /// Makes a former primary, which was killed, a standby.
    pub fn rejoin(&self, former: usize) {
        self.all[former].follow(self.primary());
        self.all[former].go();
        self.whole();
    }
}
