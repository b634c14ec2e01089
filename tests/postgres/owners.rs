//! Two owners: one of them writes, and the other is told so.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use quorate_journal::Fault;

use super::postgres::server;
use super::support::{Load, now, open};

/// Where a child finds its database.
const URL: &str = "QUORATE_POSTGRES_CHILD";

#[test]
fn a_second_owner_is_refused_by_name_as_long_as_the_first_is_alive() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let (first, second) = (open(&url).unwrap(), open(&url).unwrap());
    let epoch = now(first.acquire("the first owner")).unwrap();
    let Err(Fault::Locked { holder }) = now(second.acquire("the second")) else { panic!("not refused") };
    assert!(holder.contains("the first owner") && holder.contains("lease_ends_in_ms="), "{holder}");
    Load::new("q").commit(&*first, epoch, 1).unwrap();
    assert!(matches!(now(second.commit(epoch, Default::default(), &[])), Err(Fault::Fenced { .. })));
    // Who closes or drops the store is not waited for.
    now(first.close()).unwrap();
    assert_eq!(now(second.acquire("the second")).unwrap(), epoch + 1);
    drop(second);
    assert_eq!(now(open(&url).unwrap().acquire("a third")).unwrap(), epoch + 2);
}

/// Does nothing unless it was started by the test below: commits and says so until it is told that it may not.
#[test]
fn the_child_commits_until_it_is_fenced() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = open(&url).unwrap();
    let epoch = now(store.acquire("the child")).unwrap();
    let mut load = Load::new("child");
    let tell = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
        out.flush().unwrap();
    };
    loop {
        match load.commit(&*store, epoch, 3) {
            Ok(()) => tell(format!("ACK {}", load.position)),
            Err(fault) => {
                tell(format!("FAULT {fault}"));
                let again = load.commit(&*store, epoch, 1).unwrap_err();
                assert!(now(store.save_projection("late", 0, vec![1])).is_err());
                tell(format!("AGAIN {again}"));
                return;
            }
        }
    }
}

#[test]
fn an_owner_that_was_stopped_past_its_lease_wakes_up_fenced_and_writes_nothing() {
    let Some(server) = server() else { return };
    for round in 0..3 {
        let url = server.fresh();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "owners::the_child_commits_until_it_is_fenced",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(URL, &url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id().to_string();
        let signal =
            |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acknowledged = 0;
        let mut told = |line: &str| {
            if let Some(position) = line.strip_prefix("ACK ") {
                acknowledged = position.parse().unwrap();
            }
        };
        for line in lines.by_ref().filter(|line| line.starts_with("ACK")).take(20 + 7 * round) {
            told(&line);
        }
        signal("-STOP");
        let store = open(&url).unwrap();
        // Waits for the lease, which nobody renews.
        let epoch = now(store.acquire("the heir")).unwrap();
        let before = now(store.tip()).unwrap();
        let mut load = Load::new("heir");
        load.position = before.position;
        load.commit(&*store, epoch, 4).unwrap();
        signal("-CONT");
        let rest: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
        child.wait().unwrap();
        rest.iter().for_each(|line| told(line));
        // What it was told before it was stopped may be said afterwards, and nothing more.
        assert!(acknowledged <= before.position, "{acknowledged} {before:?}");
        let fenced = format!("journal has a newer owner. held={epoch}, given={}", epoch - 1);
        assert!(rest.iter().any(|line| *line == format!("FAULT {fenced}")), "{rest:?}");
        assert!(rest.iter().any(|line| *line == format!("AGAIN {fenced}")), "{rest:?}");
        load.commit(&*store, epoch, 4).unwrap();
        assert_eq!(now(store.tip()).unwrap().position, before.position + 8);
        assert_eq!(now(store.load_projection("late")).unwrap(), None);
        assert_eq!(now(store.verify(Default::default(), usize::MAX)).unwrap().broken, None);
    }
}
