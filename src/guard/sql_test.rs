//! The statements on SQLite.

use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::*;

fn guard() -> RowGuard {
    RowGuard::new("jobs", "id", "value", "fence").unwrap()
}

fn open(path: &std::path::Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::from_secs(60)).unwrap();
    db.execute_batch(
        r#"CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, value TEXT, fence INTEGER NOT NULL)"#,
    )
    .unwrap();
    db
}

fn run(db: &Connection, statement: &str, value: &str, token: u64, id: &str) -> usize {
    let token = RowGuard::parameter(FenceToken::shown(token)).unwrap();
    db.execute(statement, params![value, token, id]).unwrap()
}

fn row(db: &Connection, id: &str) -> Option<(String, i64)> {
    let query = "SELECT value, fence FROM jobs WHERE id = ?1";
    db.query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?))).optional().unwrap()
}

#[test]
fn a_paused_leader_that_wakes_up_after_its_successor_changed_the_row_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let (old, new) = (open(&path), open(&path));
    let (update, upsert) = (guard().update(), guard().upsert());
    assert_eq!(run(&old, &update, "x", 7, "a"), 0, "no such row");
    assert_eq!(run(&old, &upsert, "old", 7, "a"), 1);
    assert_eq!(run(&old, &update, "old again", 7, "a"), 1);
    // The old leader reads, decides, and is paused here.
    assert_eq!(row(&old, "a"), Some(("old again".into(), 7)));
    assert_eq!(run(&new, &update, "new", 8, "a"), 1);
    for late in [&update, &upsert] {
        assert_eq!(run(&old, late, "late", 7, "a"), 0);
        assert_eq!(row(&old, "a"), Some(("new".into(), 8)));
    }
    assert_eq!(run(&new, &upsert, "new again", 8, "a"), 1);
    assert_eq!(run(&new, &upsert, "third", 9, "a"), 1);
    assert_eq!(row(&old, "a"), Some(("third".into(), 9)));
    // Rows do not know each other.
    assert_eq!(run(&old, &upsert, "other", 1, "b"), 1);
    let held: i64 = old.query_row(&guard().held(), ["a"], |row| row.get(0)).unwrap();
    assert_eq!(held, 9);
}

#[test]
fn of_leaders_that_race_none_ever_changes_the_row_after_a_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    open(&path);
    let writers: Vec<_> = (1..=4_u64)
        .map(|token| {
            let path = path.clone();
            thread::spawn(move || {
                let db = open(&path);
                let statements = [guard().update(), guard().upsert()];
                let mut seen = 0;
                for round in 0..20 {
                    let changed = run(&db, &statements[round % 2], &token.to_string(), token, "a");
                    let Some((value, fence)) = row(&db, "a") else { continue };
                    assert_eq!(value, fence.to_string());
                    assert!(fence >= seen, "{fence} after {seen}");
                    assert!(changed == 0 || fence >= token as i64);
                    seen = fence;
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(row(&open(&path), "a"), Some(("4".into(), 4)));
}

#[test]
fn a_token_that_would_be_negative_is_refused() {
    assert_eq!(RowGuard::parameter(FenceToken::shown(i64::MAX as u64)), Ok(i64::MAX));
    let large = i64::MAX as u64 + 1;
    assert_eq!(RowGuard::parameter(FenceToken::shown(large)), Err(TokenTooLarge(large)));
}

#[test]
fn names_that_would_end_the_statement_are_refused() {
    let long = "x".repeat(64);
    for name in ["", "1st", "a b", "a\"; DROP TABLE jobs; --", "é", &long] {
        let found = [
            RowGuard::new(name, "id", "value", "fence"),
            RowGuard::new("jobs", name, "value", "fence"),
            RowGuard::new("jobs", "id", name, "fence"),
            RowGuard::new("jobs", "id", "value", name),
        ];
        let what = found.map(|guard| guard.err().map(|bad| bad.what));
        assert_eq!(
            what,
            [Some("table"), Some("id column"), Some("value column"), Some("fence column")],
            "{name}"
        );
    }
    assert!(RowGuard::new("_Jobs9", &long[..63], "value", "fence").is_ok());
}

#[test]
fn what_is_stopped_is_neither_made_nor_changed_and_goes_on_after() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("db"));
    db.execute_batch("CREATE TABLE stops (scope TEXT)").unwrap();
    let guard = guard().under_stops("stops", "scope").unwrap();
    let write = |statement: &str, value: &str, id: &str, scope: &str| {
        db.execute(statement, params![value, 7, id, scope]).unwrap()
    };
    let (update, upsert) = (guard.update(), guard.upsert());
    assert_eq!(write(&upsert, "first", "a", "job_class:deploy"), 1);
    for stop in ["job_class:deploy", "everything"] {
        db.execute(&guard.stop().unwrap(), [stop]).unwrap();
        for statement in [&update, &upsert] {
            assert_eq!(write(statement, "late", "a", "job_class:deploy"), 0, "{stop}");
            // Another class goes on, unless everything is stopped.
            let other = usize::from(stop != "everything");
            assert_eq!(write(&upsert, "other", "b", "job_class:other"), other, "{stop}");
        }
        assert_eq!(write(&upsert, "made", "c", "job_class:deploy"), 0, "{stop}");
        assert_eq!(row(&db, "a"), Some(("first".into(), 7)));
        db.execute(&guard.go_on().unwrap(), [stop]).unwrap();
    }
    assert_eq!(write(&update, "second", "a", "job_class:deploy"), 1);
    assert!(RowGuard::new("jobs", "id", "value", "fence").unwrap().under_stops("a;b", "scope").is_err());
}
