//! The transition table, row by row.

use std::time::Duration;

use super::command::{Create, Grant, Refuse};
use super::event::{Granted, Refused, RefusedFor, TokenHash};
use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::EntityId;

const T0: Timestamp = Timestamp::EPOCH;

fn later(seconds: u64) -> Timestamp {
    T0.plus(Duration::from_secs(seconds))
}

fn create() -> Command {
    Command::Create(Box::new(Create {
        scopes: [Scope::Admin].into(),
        token: Some(([1; 32], None)),
        ..Create::default()
    }))
}

fn made() -> Driver<IdentityMachine> {
    let mut driver = Driver::default();
    assert_eq!(driver.step(create(), T0).reply, Ok(Reply::Done { changed: true }));
    driver
}

fn rotate(byte: u8, others_end: Timestamp, expires_at: Option<Timestamp>) -> Command {
    Command::Rotate { hash: [byte; 32], others_end, expires_at }
}

#[test]
fn what_was_never_made_can_only_be_made() {
    let refuse = Refuse { operation: "x.y".into(), subject: None, kind: None, party_id: "a".into() };
    for command in [
        rotate(1, T0, None),
        Command::Grant(Box::default()),
        Command::Revoke { reason: None },
        Command::RevokeToken { number: 1 },
        Command::Use,
        Command::Refuse(Box::new(refuse)),
    ] {
        let mut driver = Driver::<IdentityMachine>::default();
        assert_eq!(driver.step(command, T0).reply, Err(Rejection::NotFound));
        assert_eq!(driver.revision(), 0);
    }
}

#[test]
fn a_name_is_never_used_twice() {
    let mut driver = made();
    assert_eq!(driver.step(create(), T0).reply, Err(Rejection::AlreadyExists));
    driver.step(Command::Revoke { reason: None }, T0).reply.unwrap();
    assert_eq!(driver.step(create(), T0).reply, Err(Rejection::AlreadyExists));
    let again = driver.step(Command::Revoke { reason: Some("once more".into()) }, later(1));
    assert_eq!((again.reply, again.events.len()), (Ok(Reply::Done { changed: false }), 0));
    for command in [rotate(2, T0, None), Command::Grant(Box::default()), Command::RevokeToken { number: 1 }] {
        assert_eq!(driver.step(command, later(1)).reply, Err(Rejection::Over));
    }
}

#[test]
fn tokens_overlap_while_they_are_rotated_and_end_by_themselves() {
    let mut driver = made();
    let step = driver.step(rotate(2, later(10), Some(later(100))), later(1));
    assert_eq!(
        step.events,
        [
            Event::TokensEnding { ends_at: later(10), at: later(1) },
            Event::TokenIssued {
                number: 2,
                hash: TokenHash([2; 32]),
                expires_at: Some(later(100)),
                at: later(1)
            },
        ]
    );
    assert_eq!(driver.due(), Some(later(10)));
    assert_eq!(driver.settle(later(10)).events, [Event::TokenExpired { numbers: vec![1], at: later(10) }]);
    assert!(driver.state().token(1).is_none() && driver.state().token(2).is_some());
    assert_eq!(driver.due(), Some(later(100)));
    // Without an overlap the others end with the same step.
    let step = driver.step(rotate(3, later(11), None), later(11));
    assert_eq!(step.events[0], Event::TokenRevoked { number: 2, at: later(11) });
    assert_eq!(driver.state().tokens.iter().map(|token| token.number).collect::<Vec<_>>(), [3]);
    assert_eq!(driver.due(), None);
}

#[test]
fn live_tokens_are_bounded_and_one_may_be_ended_alone() {
    let mut driver = made();
    for n in 1..MAX_TOKENS {
        driver.step(rotate(n as u8 + 1, later(1_000), None), T0).reply.unwrap();
    }
    assert_eq!(driver.step(rotate(99, later(1_000), None), T0).reply, Err(Rejection::TooManyTokens));
    assert_eq!(driver.step(Command::RevokeToken { number: 3 }, T0).reply, Ok(Reply::Done { changed: true }));
    assert_eq!(driver.step(Command::RevokeToken { number: 3 }, T0).reply, Ok(Reply::Done { changed: false }));
    for number in [0, 99] {
        let unknown = driver.step(Command::RevokeToken { number }, T0).reply;
        assert_eq!(unknown, Err(Rejection::UnknownToken { number }));
    }
    driver.step(rotate(99, later(1_000), None), T0).reply.unwrap();
}

#[test]
fn a_grant_says_anew_what_it_names_and_leaves_the_rest() {
    let mut driver = made();
    assert_eq!(driver.step(Command::Grant(Box::default()), T0).reply, Ok(Reply::Done { changed: false }));
    let grant = Grant { scopes: Some([Scope::Read].into()), expires_at: Some(later(5)), ..Grant::default() };
    let step = driver.step(Command::Grant(Box::new(grant)), later(1));
    let granted = Granted {
        scopes: [Scope::Read].into(),
        acts_as: [].into(),
        public_key: None,
        uids: [].into(),
        expires_at: Some(later(5)),
        at: later(1),
    };
    assert_eq!(step.events, [Event::Granted(Box::new(granted))]);
    assert!(driver.state().is_active(later(4)) && !driver.state().is_active(later(5)));
    assert_eq!(driver.settle(later(6)).events, [Event::Expired { at: later(6) }]);
    assert_eq!(driver.step(Command::Grant(Box::default()), later(6)).reply, Err(Rejection::Over));
    assert_eq!(driver.due(), None);
    // What has expired may still be revoked, so that the reason is on record.
    driver.step(Command::Revoke { reason: Some("lost".into()) }, later(7)).reply.unwrap();
    assert!(driver.state().end.as_ref().unwrap().revoked);
}

#[test]
fn use_is_put_on_record_now_and_then() {
    let mut driver = made();
    let mut events = |at| driver.step(Command::Use, at).events.len();
    assert_eq!([events(T0), events(later(3_599)), events(later(3_600)), events(later(3_601))], [1, 0, 1, 0]);
    assert_eq!(driver.state().last_used, Some(later(3_600)));
}

#[test]
fn an_attempt_in_a_name_of_another_stays_on_record() {
    let mut driver = made();
    let refuse = Refuse {
        operation: "quorum.vote".into(),
        subject: Some("q".into()),
        kind: Some(PartyKind::Voter),
        party_id: "bob".into(),
    };
    let step = driver.step(Command::Refuse(Box::new(refuse)), later(1));
    let refused = Refused {
        operation: "quorum.vote".into(),
        entity_id: Some("q".into()),
        reason: RefusedFor::NotAuthorized,
        missing: Party::one(Some(PartyKind::Voter), "bob"),
        party_id: "bob".into(),
        at: later(1),
    };
    assert_eq!(step.events, [Event::Refused(Box::new(refused))]);
    assert_eq!(driver.state().refused, 1);
}

#[test]
fn a_credential_leads_to_its_identity_while_it_is_live() {
    let mut directory = Directory::default();
    let (ann, bob) = (EntityId::new("ann").unwrap(), EntityId::new("bob").unwrap());
    let mut drivers = [Driver::<IdentityMachine>::default(), Driver::default()];
    let mut tell = |who: usize, command: Command| {
        let name = if who == 0 { &ann } else { &bob };
        let step = drivers[who].step(command, T0);
        step.events.iter().for_each(|event| directory.apply(name, event));
        directory.clone()
    };
    let with_uid =
        |token| Command::Create(Box::new(Create { uids: [1000].into(), token, ..Create::default() }));
    assert!(!Directory::default().is_used());
    let one = tell(0, with_uid(Some(([1; 32], None))));
    assert_eq!(one.by_token(&[1; 32]), Some((&ann, 1, &[1; 32])));
    assert_eq!((one.by_token(&[2; 32]), one.by_uid(1000, T0)), (None, Some(&ann)));
    // A user whom two claim is nobody's.
    let two = tell(1, with_uid(None));
    assert_eq!(two.by_uid(1000, T0), None);
    let rotated = tell(0, rotate(2, T0, None));
    assert_eq!((rotated.by_token(&[1; 32]), rotated.by_token(&[2; 32]).is_some()), (None, true));
    let revoked = tell(0, Command::Revoke { reason: None });
    assert_eq!((revoked.by_token(&[2; 32]), revoked.by_uid(1000, T0)), (None, Some(&bob)));
    assert!(revoked.is_used());
}
