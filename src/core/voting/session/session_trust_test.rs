use std::time::Duration;

use super::beside::Gated;
use super::command::EVIDENCE_MAX_AGE;
use super::tests::{Room, at, candidate, elector, key, open, terms, voter};
use super::*;
use crate::kernel::driver::Driver;
use crate::kernel::ids::EntityId;
use crate::voting::extension::{Extend, Until};
use crate::voting::gates::Verdict;
use crate::voting::judgement::Judgement;
use crate::voting::rules::Choice as Stance;
use crate::voting::signature::PublicKey;
use crate::voting::voter::Mark;

fn told(truth: &str) -> Judge {
    Judge { truth: truth.into(), ..Judge::default() }
}

fn judged(room: &mut Room, judge: Judge, ms: i64) -> Result<Reply, Rejection> {
    room.step(Command::Judge(Box::new(judge)), ms)
}

fn of(room: &Room, k: usize) -> Judgement {
    let told = room.state().truth.as_ref().unwrap();
    told.judged.iter().find(|(name, _)| *name == voter(k)).unwrap().1
}

fn gated(gates: &[&str]) -> Beside {
    let gates = gates.iter().map(|gate| (*gate).to_owned()).collect();
    Beside { gated: Some(Gated { gates, retry_of: None, retries: 0 }), ..Beside::default() }
}

#[test]
fn an_ended_session_is_told_once_what_was_right_and_tells_each_voter() {
    let mut room = Room::of(4);
    assert_eq!(judged(&mut room, told("for"), 1), Err(Rejection::StillOpen));
    room.vote(0, Stance::For, 1_000).unwrap();
    room.vote(1, Stance::Against, 2_000).unwrap();
    room.vote(2, Stance::For, 3_000).unwrap();
    room.vote(3, Stance::For, 6_000).unwrap();
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    let own = Judge { by: Some("v1".into()), ..told("for") };
    assert_eq!(judged(&mut room, own, 7_000), Err(Rejection::OwnCause { voter: voter(1) }));
    let own = Judge { tellers: vec![voter(9), voter(2)], ..told("for") };
    assert_eq!(judged(&mut room, own, 7_000), Err(Rejection::OwnCause { voter: voter(2) }));
    let unknown = judged(&mut room, told("perhaps"), 7_000).unwrap_err();
    assert!(matches!(unknown, Rejection::Invalid { field: "truth", .. }), "{unknown:?}");
    let by = |truth: &str| Judge { by: Some("ops".into()), ..told(truth) };
    assert_eq!(judged(&mut room, by("against"), 8_000), Ok(Reply::Judged { duplicate: false }));
    assert_eq!(judged(&mut room, by("against"), 9_000), Ok(Reply::Judged { duplicate: true }));
    let other = judged(&mut room, by("for"), 9_000);
    assert_eq!(other, Err(Rejection::ToldOtherwise { held: "against".into() }));
    let (liked, alone) = (of(&room, 3), of(&room, 1));
    assert_eq!((liked.is_right(), alone.is_right()), (Some(false), Some(true)));
    let (liked, alone) = (liked.part.unwrap(), alone.part.unwrap());
    // The decision was wrong; the crowd is nearer to the truth without those who made it.
    assert_eq!((liked.outcome, liked.effect, alone.effect), (0, Some(false), Some(true)));
    assert_eq!((liked.latency_us, liked.time_us), (Some(6_000_000), 30_000_000));
    let [Effect::Tell(reports)] = &room.state().owed()[..] else { panic!() };
    let told = reports.iter().filter(|report| matches!(report.mark, Mark::Judged(_))).count();
    assert_eq!(told, 4);
    assert_eq!(room.log.iter().filter(|event| matches!(event, Event::TruthTold(_))).count(), 1);
    room.replays();
}

#[test]
fn of_candidates_each_is_right_who_picked_the_right_one() {
    let list = ["a", "b"].map(|name| Candidate { candidate_id: candidate(name), kind: String::new() });
    let terms = Terms { ballot_type: BallotType::Choice, candidates: list.into(), ..terms() };
    let mut room = Room::open(open(4, terms));
    room.choose(0, "a", 1_000_000, 10).unwrap();
    for k in 1..4 {
        room.choose(k, "b", 1_000_000, 20).unwrap();
    }
    judged(&mut room, Judge { score: Some(250_000), ..told("b") }, 30).unwrap();
    assert_eq!((of(&room, 0).is_right(), of(&room, 1).is_right()), (Some(false), Some(true)));
    assert_eq!(of(&room, 0).part.unwrap().outcome, 250_000);
}

#[test]
fn a_key_that_ended_signs_no_vote_and_frames_nobody() {
    let electors = (0..4).map(|k| elector(k, true)).collect();
    let mut room = Room::open(Open { electors, ..open(4, terms()) });
    let present = Some(PublicKey::new(key(9).verifying_key().to_bytes()));
    let with = |mut cast: Cast| {
        cast.proof.present_key = present;
        Command::Vote(Box::new(cast))
    };
    let first = room.signed(0, 1, Ballot::Approve(Stance::For), 10);
    room.step(Command::Vote(Box::new(first.clone())), 10).unwrap();
    // In between, voters 0 and 1 changed their keys. What is in stays in, also when it is sent again.
    let again = room.step(with(first), 20).unwrap();
    assert!(matches!(again, Reply::Voted(receipt) if receipt.duplicate));
    let stolen = room.signed(0, 2, Ballot::Approve(Stance::Against), 30);
    let other = room.signed(1, 1, Ballot::Approve(Stance::For), 30);
    for cast in [stolen, other] {
        let refused = room.step(with(cast), 30).unwrap_err();
        assert!(matches!(refused, Rejection::Vote { reason: Refusal::KeyEnded, .. }), "{refused:?}");
    }
    assert!(room.state().evidence.is_empty() && room.state().outbox.values().all(|r| r.mark == Mark::Clean));
    room.replays();
}

#[test]
fn old_evidence_is_kept_and_nobody_is_told() {
    for (age, told) in [(EVIDENCE_MAX_AGE, true), (EVIDENCE_MAX_AGE + Duration::from_micros(1), false)] {
        let mut room = Room::of(4);
        for k in 0..3 {
            room.vote(k, Stance::For, 0).unwrap();
        }
        let mut cast = room.cast(0, Ballot::Approve(Stance::Against), 0);
        cast.vote.seq = 2;
        let late = at(0).plus(age);
        let step = room.driver.step(Command::Vote(Box::new(cast)), late);
        assert!(step.reply.is_err());
        let proven = room.state().outbox.values().any(|report| matches!(report.mark, Mark::Proven { .. }));
        assert_eq!((room.state().evidence.len(), proven), (1, told));
        assert!(room.state().tainted.is_some(), "the decision is known not to stand either way");
    }
}

#[test]
fn gates_find_what_is_wrong_and_never_edit_the_decision() {
    let all = ["quorum", "participation", "faults", "suspects", "attack", "tainted"];
    let mut room = Room::open(Open { beside: gated(&all), ..open(4, terms()) });
    for k in 0..3 {
        room.vote(k, Stance::For, 1_000 * k as i64).unwrap();
    }
    let gate = room.state().gate.clone().unwrap();
    assert_eq!((gate.verdict, gate.findings.len()), (Verdict::Pass, 6));
    assert_eq!(room.names()[..2], ["opened", "gates_set"]);
    assert!(room.state().remedies.is_empty());
    // A contradiction comes to light: the gate is asked again, and the decision stays.
    let mut cast = room.cast(0, Ballot::Approve(Stance::Against), 9_000);
    cast.vote.seq = 2;
    let _ = room.step(Command::Vote(Box::new(cast)), 9_000);
    let gate = room.state().gate.clone().unwrap();
    assert_eq!((gate.verdict, room.outcome()), (Verdict::EscalateToHuman, Some(Outcome::Decided)));
    let done: Vec<_> = room.state().remedies.keys().map(String::as_str).collect();
    assert_eq!(done, ["s/notify_operator", "s/quarantine_node"]);
    room.replays();
    for bad in [&["nonsense"][..], &["quorum", "quorum"], &["margin"], &[]] {
        let open = Open { beside: gated(bad), ..open(4, terms()) };
        let step = Driver::<SessionMachine>::default().step(Command::Open(Box::new(open)), at(0));
        assert!(matches!(step.reply, Err(Rejection::Invalid { field: "gates", .. })), "{bad:?}");
    }
}

#[test]
fn who_does_not_vote_is_given_time_once_and_the_question_is_put_anew_twice() {
    let mut room = Room::open(Open { beside: gated(&["quorum", "participation"]), ..open(4, terms()) });
    room.vote(0, Stance::For, 10).unwrap();
    room.step(Command::Tick, 30_001).unwrap();
    assert_eq!((room.outcome(), room.state().extended), (None, Some(at(60_000))));
    room.vote(1, Stance::For, 40_000).unwrap();
    room.step(Command::Tick, 60_001).unwrap();
    // The look for silent voters falls due first.
    room.step(Command::Tick, 60_002).unwrap();
    assert_eq!(room.outcome(), Some(Outcome::Timeout));
    assert_eq!(room.state().gate.as_ref().unwrap().verdict, Verdict::Fail);
    let key = "s/reopen_session".to_owned();
    assert!(room.state().owed().contains(&Effect::Reopen { key: key.clone() }));
    let second = reopened(room.state()).unwrap();
    assert_eq!(second.session_id, EntityId::new("s-retry-1").unwrap());
    let gated = second.beside.gated.clone().unwrap();
    assert_eq!((gated.retry_of.unwrap().as_str(), gated.retries, second.timeout.as_secs()), ("s", 1, 30));
    let ended = Command::EndRemedy { key: key.clone(), outcome: "opened".into() };
    room.step(ended.clone(), 60_003).unwrap();
    room.step(ended, 60_004).unwrap();
    assert!(!room.state().owed().contains(&Effect::Reopen { key }));
    assert_eq!(room.names().iter().filter(|name| **name == "remedy_ended").count(), 1);
    room.replays();
    let mut room = Room::open(second);
    room.step(Command::Cancel { by: None, reason: None }, 1).unwrap();
    assert!(room.state().gate.is_none(), "who cancels asks for nothing");
    let third = reopened(room.state()).unwrap();
    assert_eq!(third.session_id.as_str(), "s-retry-2");
    assert_eq!(reopened(Room::open(third).state()), None);
}

#[test]
fn weights_and_versions_of_keys_are_part_of_what_is_signed() {
    let plain = Room::of(4).state().opened.clone().unwrap();
    let weighed = Weighed { source: "factors:rate=0.1".into(), version: 1, questions: 9, answers: 30 };
    let beside = Beside { weighed: Some(weighed.clone()), ..Beside::default() };
    let room = Room::open(Open { beside, ..open(4, terms()) });
    assert_eq!(room.names(), ["opened", "weighed"]);
    assert_eq!(room.state().weighed.as_deref(), Some(&weighed));
    let keys: std::collections::BTreeMap<_, _> = [(voter(1), 2)].into();
    let keyed = Room::open(Open { beside: Beside { keys, ..Beside::default() }, ..open(4, terms()) });
    let hashes = [plain, room.state().opened.clone().unwrap(), keyed.state().opened.clone().unwrap()];
    let hashes: std::collections::BTreeSet<_> = hashes.iter().map(|opened| opened.terms_hash).collect();
    assert_eq!(hashes.len(), 3);
    room.replays();
}

#[test]
fn who_votes_in_a_place_is_judged_and_nobody_who_had_it_tells_the_truth() {
    let mut room = Room::of(4);
    let delegate = Delegate {
        from: voter(0),
        to: elector(7, false),
        issued_at: at(5),
        proof: Proof { handle_hash: Some(super::tests::handle(0)), ..Proof::default() },
        standing: None,
        reason: None,
    };
    room.step(Command::Delegate(Box::new(delegate)), 5).unwrap();
    for k in [7, 1, 2] {
        room.vote(k, Stance::For, 10).unwrap();
    }
    for k in [0, 7] {
        let own = Judge { by: Some(voter(k).to_string()), ..told("for") };
        assert_eq!(judged(&mut room, own, 20), Err(Rejection::OwnCause { voter: voter(k) }));
    }
    judged(&mut room, told("for"), 20).unwrap();
    let told = room.state().truth.clone().unwrap();
    let names: Vec<_> = told.judged.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, [voter(1), voter(2), voter(3), voter(7)]);
    assert_eq!((of(&room, 7).is_right(), of(&room, 3).is_right()), (Some(true), None));
    room.replays();
}

#[test]
fn time_that_a_gate_gives_comes_on_top_of_what_somebody_asked_for() {
    let extend = |ms| {
        let (until, longest) = (Until::FromNow(Duration::from_millis(ms)), Duration::from_secs(600));
        Command::Extend(Extend { until, longest, by: Some("ops".into()), reason: None })
    };
    let given = |room: &Room| {
        let extension = room.state().extension.as_ref().map(|extension| extension.deadline);
        (room.outcome(), room.state().extended, extension)
    };
    let open = || Room::open(Open { beside: gated(&["participation"]), ..open(4, terms()) });
    let mut room = open();
    room.step(extend(35_000), 5_000).unwrap();
    assert_eq!(given(&room), (None, Some(at(40_000)), Some(at(40_000))));
    room.step(Command::Tick, 40_001).unwrap();
    assert_eq!(given(&room), (None, Some(at(70_000)), Some(at(40_000))));
    room.step(extend(80_000), 50_000).unwrap();
    assert_eq!(given(&room), (None, Some(at(130_000)), Some(at(130_000))));
    // Once: the gate gives no more when that is over.
    room.step(Command::Tick, 130_001).unwrap();
    room.step(Command::Tick, 130_002).unwrap();
    assert_eq!(room.outcome(), Some(Outcome::Timeout));
    room.replays();
    // Nobody has noticed yet that the time is over: the gate gives some first.
    let mut room = open();
    assert_eq!(room.step(extend(50_000), 31_000), Ok(Reply::Extended { duplicate: false }));
    assert_eq!(given(&room), (None, Some(at(81_000)), Some(at(81_000))));
    assert_eq!(room.names()[2..], ["remedy_triggered", "deadline_extended", "extended"]);
    room.replays();
}
