//! What is refused before anything is written.

use quorate_journal::Fault;
use quorate_journal::stores::StoreOptions;
use quorate_journal::stores::postgres::PostgresStore;

use super::postgres::{Server, server};
use super::support::{Load, now, open, options};

fn refused(url: &str) -> (&'static str, String, String) {
    match open(url).err() {
        Some(Fault::Config { knob, value, range }) => (knob, value, range),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_forgets_what_it_acknowledged_is_refused_with_setting_value_and_remedy() {
    let Some(server) = Server::start() else { return };
    let url = server.fresh();
    let (knob, value, remedy) = refused(&format!("{url}%20-csynchronous_commit%3Doff"));
    assert_eq!((knob, value.as_str()), ("synchronous_commit", "off"));
    assert!(remedy.contains("ALTER SYSTEM SET synchronous_commit = on"), "{remedy}");
    for name in ["fsync", "full_page_writes"] {
        server.sql(&format!("ALTER SYSTEM SET {name} = off"));
        server.sql("SELECT pg_reload_conf(), pg_sleep(0.3)");
        let (knob, value, remedy) = refused(&url);
        assert_eq!((knob, value.as_str()), (name, "off"));
        assert!(remedy.contains(&format!("ALTER SYSTEM SET {name} = on")), "{remedy}");
        server.sql(&format!("ALTER SYSTEM RESET {name}"));
        server.sql("SELECT pg_reload_conf(), pg_sleep(0.3)");
    }
    drop(open(&url).unwrap());
}

#[test]
fn a_replica_is_neither_written_nor_read() {
    let Some(server) = Server::replica() else { return };
    let (knob, value, remedy) = refused(&server.within("public"));
    assert_eq!((knob, value.as_str()), ("pg_is_in_recovery", "true"));
    assert!(remedy.contains("primary"), "{remedy}");
}

#[test]
fn a_database_without_a_journal_is_missing_unless_it_may_be_made_and_a_newer_one_is_refused() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let bare = StoreOptions { create: false, ..options(&url) };
    assert!(matches!(PostgresStore::open(&bare).err(), Some(Fault::Missing { .. })));
    drop(open(&url).unwrap());
    drop(PostgresStore::open(&bare).unwrap());
    let schema = url.rsplit_once("%3D").unwrap().1;
    server.sql(&format!("INSERT INTO {schema}.quorate_migrations VALUES (9, 'later', '')"));
    assert_eq!(open(&url).err(), Some(Fault::NewerVersion { found: 9, supported: 3 }));
    server.sql(&format!("DELETE FROM {schema}.quorate_migrations WHERE number = 9"));
    server.sql(&format!("UPDATE {schema}.quorate_migrations SET digest = ''"));
    assert!(matches!(open(&url).err(), Some(Fault::Corrupt { .. })));
}

#[test]
fn a_database_that_lost_what_it_acknowledged_is_damage_and_takes_no_more_writes() {
    let Some(server) = server() else { return };
    let url = server.fresh();
    let store = open(&url).unwrap();
    let epoch = now(store.acquire("a")).unwrap();
    let mut load = Load::new("q");
    load.commit(&*store, epoch, 1).unwrap();
    let schema = url.rsplit_once("%3D").unwrap().1;
    server.sql(&format!("CREATE TABLE {schema}.earlier AS SELECT * FROM {schema}.quorate_owner"));
    load.commit(&*store, epoch, 1).unwrap();
    // As a standby that had not heard of the second commit when it became the primary.
    server.sql(&format!(
        "DELETE FROM {schema}.quorate_owner; INSERT INTO {schema}.quorate_owner SELECT * FROM {schema}.earlier"
    ));
    let Err(Fault::Corrupt { what }) = load.commit(&*store, epoch, 1) else { panic!("taken") };
    assert!(what.contains("acknowledged_group=2, found_group=1"), "{what}");
    assert!(matches!(load.commit(&*store, epoch, 1), Err(Fault::Unavailable { .. })));
}
