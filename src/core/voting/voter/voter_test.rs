use std::time::Duration;

use super::state::OFFLINE_AFTER;
use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::{EntityId, VoterId};
use ed25519_dalek::{Signer, SigningKey};

use crate::voting::judgement::{Judgement, Part};
use crate::voting::signature::{BadKey, Digest, PublicKey, Signature};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn id() -> VoterId {
    VoterId::new("ann").unwrap()
}

fn registered() -> Driver<VoterMachine> {
    let mut voter = Driver::default();
    let register =
        Command::Register { voter_id: id(), public_key: None, handle_hash: None, weight: 1_000_000 };
    voter.step(register, at(0)).reply.unwrap();
    voter
}

fn note(voter: &mut Driver<VoterMachine>, marks: &[(u64, Mark)], ms: i64) -> Vec<&'static str> {
    let report =
        |(number, mark): &(u64, Mark)| Report { number: *number, voter_id: id(), mark: *mark, at: at(ms) };
    let session_id = EntityId::new("s").ok();
    let reports = marks.iter().map(report).collect();
    let command = Command::Note { session_id, reports, last_seen: None, room: true };
    voter.step(command, at(ms)).events.iter().map(Event::name).collect()
}

const VIOLATION: Mark = Mark::Violation(FaultKind::ProtocolViolation);

fn proven() -> Mark {
    let evidence = Digest::new([9; 32]);
    Mark::Proven { fault: FaultKind::Equivocation, level: ProofLevel::Transferable, evidence }
}

#[test]
fn flags_alone_convict_nobody() {
    let mut voter = registered();
    let flags: Vec<_> = (1..=5_000).map(|k| (k, Mark::Flagged)).collect();
    assert_eq!(note(&mut voter, &flags, 10), ["noted"]);
    assert_eq!(voter.state().state_name(), "honest");
}

#[test]
fn violations_lead_to_suspicion_quarantine_probation_and_back() {
    let mut voter = registered();
    let mut seen = Vec::new();
    for k in 1..=20 {
        seen.extend(note(&mut voter, &[(k, VIOLATION)], 2_000 * k as i64));
        if voter.state().state_name() == "quarantined" {
            break;
        }
    }
    assert!(seen.starts_with(&["noted", "standing_changed", "noted"]), "{seen:?}");
    let Standing::Quarantined { until, since, offence, .. } = voter.state().standing.clone() else {
        panic!("{:?}", voter.state().standing)
    };
    assert_eq!((until.since(since), offence), (Duration::from_secs(60), 1));
    assert_eq!(voter.state().owed().len(), 1);
    // A tick that comes late changes nothing: the settling is lazy, too.
    let later = until.plus(Duration::from_secs(5));
    voter.settle(later);
    assert_eq!(voter.state().state_name(), "probation");
    assert_eq!((voter.state().power(), voter.state().suspicion.score()), (500_000, 250_000));
    let clean: Vec<_> = (100..120).map(|k| (k, Mark::Clean)).collect();
    let ms = later.as_millis();
    note(&mut voter, &clean[..19], ms);
    assert_eq!(voter.state().state_name(), "probation");
    note(&mut voter, &clean[19..], ms);
    assert_eq!((voter.state().state_name(), voter.state().power()), ("honest", 1_000_000));
}

#[test]
fn a_violation_in_probation_doubles_the_quarantine() {
    let mut voter = registered();
    let quarantine = Command::Quarantine { reason: "look at it".into(), duration: None };
    voter.step(quarantine.clone(), at(0)).reply.unwrap();
    voter.settle(at(60_000));
    assert_eq!(voter.state().state_name(), "probation");
    note(&mut voter, &[(1, VIOLATION)], 61_000);
    let Standing::Quarantined { since, until, offence: 2, .. } = voter.state().standing.clone() else {
        panic!("{:?}", voter.state().standing)
    };
    assert_eq!(until.since(since), Duration::from_secs(120));
    for _ in 0..40 {
        voter.step(quarantine.clone(), at(61_000)).reply.unwrap();
    }
    let Standing::Quarantined { until, .. } = voter.state().standing else { panic!() };
    assert_eq!(until.since(at(61_000)), Duration::from_secs(24 * 60 * 60));
}

#[test]
fn a_violation_counts_at_most_once_a_second_and_marks_told_again_not_at_all() {
    let mut voter = registered();
    note(&mut voter, &[(1, VIOLATION), (2, VIOLATION), (3, VIOLATION)], 5);
    let score = voter.state().suspicion.score();
    assert_eq!(score, 250_000);
    assert!(note(&mut voter, &[(1, VIOLATION), (3, VIOLATION)], 5_000).is_empty());
    assert_eq!(note(&mut voter, &[(3, VIOLATION), (4, VIOLATION)], 5_000), ["standing_changed", "noted"]);
}

#[test]
fn a_proven_fault_is_left_only_by_a_pardon() {
    let mut voter = registered();
    note(&mut voter, &[(1, proven())], 5);
    assert_eq!(voter.state().state_name(), "byzantine");
    voter.settle(at(1_000_000_000));
    let release = |pardon| Command::Release { reason: "it was a broken disk".into(), pardon };
    assert_eq!(voter.step(release(false), at(1_000_000_001)).reply, Err(Rejection::PardonNeeded));
    let quarantine = Command::Quarantine { reason: "x".into(), duration: None };
    assert_eq!(voter.step(quarantine, at(1_000_000_001)).reply, Err(Rejection::Proven));
    voter.step(release(true), at(1_000_000_002)).reply.unwrap();
    assert_eq!(voter.state().state_name(), "probation");
    let nothing = Rejection::NothingToRelease { standing: "probation" };
    assert_eq!(voter.step(release(true), at(1_000_000_003)).reply, Err(nothing));
}

#[test]
fn when_as_many_are_quarantined_as_may_be_a_person_is_asked() {
    let mut voter = registered();
    let mut events = Vec::new();
    for k in 1..=30 {
        let report = Report { number: k, voter_id: id(), mark: VIOLATION, at: at(2_000 * k as i64) };
        let command = Command::Note { session_id: None, reports: vec![report], last_seen: None, room: false };
        let step = voter.step(command, at(2_000 * k as i64));
        events.extend(step.events.iter().map(Event::name).collect::<Vec<_>>());
    }
    assert!(events.contains(&"escalated"), "{events:?}");
    assert_eq!(voter.state().state_name(), "suspicious");
}

#[test]
fn being_offline_keeps_the_state_of_before() {
    let mut voter = registered();
    note(&mut voter, &[(1, VIOLATION)], 5);
    note(&mut voter, &[(2, VIOLATION)], 5_000);
    assert_eq!(voter.state().state_name(), "suspicious");
    let silent = 5_000 + OFFLINE_AFTER.as_millis() as i64;
    note(&mut voter, &[(3, Mark::Silent)], silent - 1);
    assert_eq!(voter.state().state_name(), "suspicious");
    note(&mut voter, &[(4, Mark::Silent)], silent);
    assert_eq!((voter.state().state_name(), voter.state().standing.name()), ("offline", "suspicious"));
    voter.step(Command::Seen { at: at(silent + 9) }, at(silent + 9)).reply.unwrap();
    assert_eq!(voter.state().state_name(), "suspicious");
}

#[test]
fn weak_keys_are_refused_and_a_second_registration_must_be_the_same() {
    let mut voter = Driver::<VoterMachine>::default();
    let mut key = [0; 32];
    key[0] = 1;
    let register = |public_key, weight| Command::Register {
        voter_id: id(),
        public_key,
        handle_hash: Some(Digest::new([1; 32])),
        weight,
    };
    let weak = voter.step(register(Some(PublicKey::new(key)), 1), at(0));
    assert_eq!(weak.reply, Err(Rejection::BadKey(BadKey::Weak)));
    voter.step(register(None, 1), at(0)).reply.unwrap();
    assert_eq!(voter.step(register(None, 1), at(1)).reply, Ok(Reply::Registered { new: false }));
    assert_eq!(voter.step(register(None, 2), at(1)).reply, Err(Rejection::Differs { field: "weight" }));
}

#[test]
fn the_directory_counts_each_voter_once_and_keeps_a_third_free() {
    let mut directory = Directory::default();
    let name = |k: usize| VoterId::new(format!("v{k}")).unwrap();
    for k in 0..7 {
        let registered =
            Registered { voter_id: name(k), public_key: None, handle_hash: None, weight: 1, at: at(0) };
        directory.apply(&name(k), &Event::Registered(Box::new(registered)));
    }
    assert!(directory.reserve(&name(0)) && directory.reserve(&name(0)) && directory.reserve(&name(1)));
    assert!(!directory.reserve(&name(2)));
    directory.unreserve(&name(1));
    assert!(directory.reserve(&name(2)));
    directory.apply(&name(3), &Event::WentOffline { last_seen: None, at: at(1) });
    let counts = directory.counts();
    assert_eq!((counts.total, counts.honest, counts.offline), (7, 6, 1));
    assert_eq!((counts.fault_capacity(), counts.current_faults(), counts.safety_margin()), (2, 1, 1));
    assert!(counts.is_fault_tolerant());
    assert!(!Directory::default().counts().is_fault_tolerant());
}

fn right(session: bool) -> Judgement {
    let part = Part {
        voted: true,
        steady: true,
        effect: Some(true),
        outcome: 1_000_000,
        latency_us: Some(0),
        time_us: 1_000_000,
        context: None,
    };
    Judgement { truth: true, said: Some(true), rating: None, part: session.then_some(part) }
}

#[test]
fn what_was_right_raises_the_weight_and_counts_once() {
    let mut voter = registered();
    for k in 1..=5 {
        let names = note(&mut voter, &[(k, Mark::Judged(right(true)))], 1_000 * k as i64);
        assert_eq!(names, ["judged", "noted"]);
    }
    // Six measures are at (1 + 5)/(2 + 5) or 1 by now; two have no samples.
    let last = voter.state().record.judged.back().unwrap().clone();
    assert_eq!((last.factors[0], last.factors[4], last.factors[5]), (1_000_000, 1_000_000, 500_000));
    assert!(last.factors[3] > 850_000 && last.weight > 600_000, "{last:?}");
    assert_eq!(note(&mut voter, &[(5, Mark::Judged(right(true)))], 9_000), Vec::<&str>::new());
    assert_eq!(voter.state().record.count, 5);
    assert_eq!(voter.state().last_seen, None, "an old vote is no sign of life");
    let gold = |question: &str, judgement| Command::Judge {
        question: EntityId::new(question).unwrap(),
        judgement,
        by: Some("ops".into()),
    };
    let rated = Judgement { rating: Some(1_000_000), ..right(false) };
    voter.step(gold("g", rated), at(10_000)).reply.unwrap();
    assert_eq!(voter.state().record.bias(), 50_000);
    let again = voter.step(gold("g", rated), at(11_000));
    assert!(again.events.is_empty() && matches!(again.reply, Ok(Reply::Known(_))));
    let other = voter.step(gold("g", right(false)), at(11_000)).reply;
    assert!(matches!(other, Err(Rejection::JudgedOtherwise { .. })));
    let conduct = voter.state().record.conduct();
    assert_eq!((conduct.answers.len(), conduct.duties.len(), conduct.bases.len()), (6, 5, 6));
}

#[test]
fn a_key_is_followed_by_another_that_it_signs_for() {
    let pair = |k: u8| SigningKey::from_bytes(&[k; 32]);
    let public = |k: u8| PublicKey::new(pair(k).verifying_key().to_bytes());
    let mut voter = Driver::<VoterMachine>::default();
    let register =
        Command::Register { voter_id: id(), public_key: Some(public(1)), handle_hash: None, weight: 1 };
    voter.step(register, at(0)).reply.unwrap();
    let signed = |by: u8, version, from: u8, to: u8| {
        let message = rotation_message(&id(), version, &public(from), &public(to));
        let signature = Some(Signature::new(pair(by).sign(&message).to_bytes()));
        Command::Rotate { to: public(to), signature, by: None, reason: None }
    };
    let refused = voter.step(signed(2, 2, 1, 2), at(1)).reply.unwrap_err();
    assert_eq!(refused, Rejection::NotSigned { version: 1 });
    voter.step(signed(1, 2, 1, 2), at(2)).reply.unwrap();
    assert_eq!((voter.state().key(), voter.state().key_version()), (Some(public(2)), 2));
    // What the old key signed once does not bring it back, and what it signs now counts no more.
    assert_eq!(voter.step(signed(1, 2, 1, 2), at(3)).events, []);
    assert_eq!(voter.step(signed(1, 3, 1, 3), at(3)).reply, Err(Rejection::NotSigned { version: 2 }));
    assert_eq!(voter.step(signed(2, 3, 2, 1), at(3)).reply, Err(Rejection::OldKey { version: 1 }));
    let operator = Command::Rotate { to: public(3), signature: None, by: None, reason: Some("lost".into()) };
    voter.step(operator, at(4)).reply.unwrap();
    assert_eq!((voter.state().ended_keys.len(), voter.state().key_version()), (2, 3));
    let mut directory = Directory::default();
    for event in voter.state().registered.iter().map(|r| Event::Registered(r.clone())) {
        directory.apply(&id(), &event);
    }
    let other = VoterId::new("bob").unwrap();
    let rotated = KeyRotated {
        version: 2,
        from: public(3),
        to: public(4),
        signature: None,
        by: None,
        reason: None,
        at: at(5),
    };
    directory.apply(&id(), &Event::KeyRotated(Box::new(rotated)));
    assert!(!directory.claim(public(3), &other) && !directory.claim(public(4), &other));
}

#[test]
fn a_choice_is_on_record_once_with_its_reason() {
    let mut voter = registered();
    let profile = Profile { kind: "wasp".into(), fitness: 800_000, ..Profile::default() };
    let declare = |profile: Profile| Command::Profile { profile, by: None };
    assert_eq!(voter.step(declare(profile.clone()), at(1)).events.len(), 1);
    assert!(voter.step(declare(profile.clone()), at(2)).events.is_empty());
    let fitter = Profile { fitness: 900_000, ..profile };
    assert_eq!(voter.step(declare(fitter.clone()), at(3)).events.len(), 1);
    assert_eq!(voter.state().profile.as_deref(), Some(&fitter));
    let considered = Considered {
        selection_id: EntityId::new("first").unwrap(),
        place: Some(2),
        why: None,
        utility: Some(700_000),
        contributions: [("latency".to_owned(), 50_000)].into(),
        candidates: 9,
        settings: "{}".into(),
        by: None,
        at: at(4),
    };
    let consider = |considered: &Considered| Command::Consider(Box::new(considered.clone()));
    assert_eq!(voter.step(consider(&considered), at(4)).events.len(), 1);
    let again = Considered { at: at(5), by: Some("ops".into()), ..considered.clone() };
    assert!(voter.step(consider(&again), at(5)).events.is_empty());
    let otherwise = Considered { place: None, why: Some("unfit".into()), ..considered };
    let refused = voter.step(consider(&otherwise), at(6)).reply.unwrap_err();
    let selection_id = EntityId::new("first").unwrap();
    assert_eq!(refused, Rejection::ChosenOtherwise { selection_id });
}
