//! Stops: the table of the module, row by row.

use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{EntityId, VoterId};

fn id(text: &str) -> EntityId {
    EntityId::new(text).unwrap()
}

fn voters(names: &[&str]) -> Vec<VoterId> {
    names.iter().map(|name| VoterId::new(*name).unwrap()).collect()
}

fn engage(stop: &str, scope: Scope) -> Command {
    let release = Release { voters: voters(&["bob", "ann", "cid", "ann"]), need: 2 };
    Command::Engage(Box::new(Engage { stop_id: id(stop), scope, release, by: None, reason: None }))
}

fn shown() -> Shown {
    let hash = [1; 32];
    Shown {
        kind: "session".into(),
        id: id("decision"),
        decided: Decided::For,
        operation_hash: Some(hash),
        needed_hash: hash,
        expires_at: Some(Timestamp::EPOCH),
        used_up: false,
        fenced: false,
        older: false,
        electorate: voters(&["ann", "bob", "cid"]),
        supporters: voters(&["ann", "cid"]),
        by: None,
    }
}

fn release(driver: &mut Driver<StopsMachine>, shown: Shown) -> Result<Reply, Rejection> {
    driver.step(Command::Release { stop_id: id("s"), shown: Box::new(shown) }, Timestamp::EPOCH).reply
}

#[test]
fn a_stop_goes_on_only_by_those_who_were_named_deciding_about_it() {
    let mut driver = Driver::<StopsMachine>::default();
    assert_eq!(release(&mut driver, shown()), Err(Rejection::NotFound));
    let engaged = driver.step(engage("s", Scope::Everything), Timestamp::EPOCH);
    assert_eq!((engaged.reply, engaged.events.len()), (Ok(Reply::Engaged { duplicate: false }), 1));
    let why = |shown: Shown| {
        let mut copy = Driver::<StopsMachine>::default().restore(driver.state().clone(), 1);
        match release(&mut copy, shown) {
            Err(Rejection::NotReleasing { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    let other = [2; 32];
    assert_eq!(why(Shown { operation_hash: Some(other), ..shown() }), "other_operation");
    assert_eq!(why(Shown { operation_hash: None, ..shown() }), "other_operation");
    let before = Timestamp::from_millis(-1);
    assert_eq!(why(Shown { expires_at: Some(before), ..shown() }), "expired");
    assert_eq!(why(Shown { used_up: true, ..shown() }), "used_up");
    assert_eq!(why(Shown { fenced: true, ..shown() }), "fenced");
    assert_eq!(why(Shown { older: true, ..shown() }), "older");
    assert_eq!(why(Shown { decided: Decided::No, ..shown() }), "not_decided");
    assert_eq!(why(Shown { decided: Decided::Otherwise("rejected"), ..shown() }), "not_approved");
    assert_eq!(why(Shown { decided: Decided::Tainted, ..shown() }), "tainted");
    // More voters, fewer, others: the stop named its own.
    for electorate in [&["ann", "bob", "cid", "dan"][..], &["ann", "bob"], &["ann", "bob", "eve"]] {
        assert_eq!(why(Shown { electorate: voters(electorate), ..shown() }), "other_voters");
    }
    for supporters in [&["ann"][..], &["ann", "ann"], &["ann", "dan"]] {
        assert_eq!(why(Shown { supporters: voters(supporters), ..shown() }), "too_few");
    }
    assert_eq!(release(&mut driver, shown()), Ok(Reply::Released { duplicate: false }));
    assert_eq!(release(&mut driver, shown()), Ok(Reply::Released { duplicate: true }));
    assert_eq!(driver.state().engaged().count(), 0);
    // Its name is used up: nobody is let go by an old decision about a new stop.
    let again = driver.step(engage("s", Scope::Everything), Timestamp::EPOCH);
    assert_eq!(again.reply, Err(Rejection::AlreadyExists));
}

#[test]
fn the_same_stop_again_changes_nothing_and_another_under_its_id_is_refused() {
    let mut driver = Driver::<StopsMachine>::default();
    driver.step(engage("s", Scope::Party(id("x"))), Timestamp::EPOCH);
    let again = driver.step(engage("s", Scope::Party(id("x"))), Timestamp::EPOCH);
    assert_eq!((again.reply, again.events.len()), (Ok(Reply::Engaged { duplicate: true }), 0));
    let other = driver.step(engage("s", Scope::Party(id("y"))), Timestamp::EPOCH);
    assert_eq!(other.reply, Err(Rejection::AlreadyExists));
    for (voters_, need) in [(&[][..], 1), (&["ann"], 0), (&["ann"], 2)] {
        let release = Release { voters: voters(voters_), need };
        let engage = Engage { stop_id: id("t"), scope: Scope::Everything, release, by: None, reason: None };
        let refused = driver.step(Command::Engage(Box::new(engage)), Timestamp::EPOCH);
        assert!(matches!(refused.reply, Err(Rejection::Invalid { .. })), "{voters_:?} {need}");
    }
}

#[test]
fn a_scope_covers_what_it_names_and_nothing_else() {
    let acting = Acting::as_parties(["billing-7", "ops"]).for_class(Some(id("migrate")));
    let nobody = Acting::default();
    for (scope, covers) in [
        (Scope::Everything, true),
        (Scope::Party(id("ops")), true),
        (Scope::Party(id("op")), false),
        // Also as identities name parties, and whatever kind it is there: better one too many than one that goes on.
        (Scope::Party(id("agent:ops")), true),
        (Scope::Party(id("agent:op")), false),
        (Scope::Party(id("crew:ops")), false),
        (Scope::Prefix("worker:billing-".into()), true),
        (Scope::Prefix("worker:".into()), true),
        (Scope::Prefix("billing-".into()), true),
        (Scope::Prefix("illing".into()), false),
        (Scope::JobClass(id("migrate")), true),
        (Scope::JobClass(id("mig")), false),
    ] {
        assert_eq!(scope.covers(&acting), covers, "{scope}");
        assert_eq!(scope.covers(&nobody), scope == Scope::Everything, "{scope}");
    }
}
