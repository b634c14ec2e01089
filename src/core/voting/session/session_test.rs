use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};

use super::ballot::WHOLE;
use super::certificate::{Certificate, Flaw, Place, Uncertifiable, certify};
use super::*;
use crate::kernel::driver::{Driver, Step};
use crate::kernel::ids::{CandidateId, EntityId};
use crate::voting::rules::Choice as Stance;
use crate::voting::signature::{Domain, PublicKey, Signature};
use crate::voting::voter::{FaultKind, Mark, ProofLevel};

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

pub(super) fn voter(k: usize) -> VoterId {
    VoterId::new(format!("v{k}")).unwrap()
}

pub(super) fn candidate(name: &str) -> CandidateId {
    CandidateId::new(name).unwrap()
}

pub(super) fn key(k: usize) -> SigningKey {
    SigningKey::from_bytes(&[k as u8 + 1; 32])
}

pub(super) fn handle(k: usize) -> Digest {
    Domain::Handle.hash(&[k as u8])
}

pub(super) fn elector(k: usize, signs: bool) -> Elector {
    let public_key = signs.then(|| PublicKey::new(key(k).verifying_key().to_bytes()));
    let credential = Credential { public_key, handle_hash: (!signs).then(|| handle(k)) };
    Elector { voter_id: voter(k), credential, power: 1_000_000, uncapped: 1_000_000 }
}

pub(super) fn terms() -> Terms {
    Terms {
        proposal: "\"deploy\"".into(),
        ballot_type: BallotType::Approve,
        candidates: Vec::new(),
        rounds: 1,
        switch_policy: SwitchPolicy::Allow,
        close_policy: ClosePolicy::OnQuorum,
        revision: Revision::Final,
        authentication: Authentication::Required,
        commit_reveal: false,
        power_cap: false,
    }
}

pub(super) fn open(n: usize, terms: Terms) -> Open {
    Open {
        beside: Beside::default(),
        session_id: EntityId::new("s").unwrap(),
        terms,
        electors: (0..n).map(|k| elector(k, false)).collect(),
        basis: Basis::Both,
        threshold: Threshold::Strict,
        declared_faults: None,
        max_voters: 1_024,
        context: None,
        timeout: Duration::from_secs(30),
        round_timeout: None,
        commit_timeout: None,
        keyed: None,
        remind_every: None,
    }
}

pub(super) struct Room {
    pub(super) driver: Driver<SessionMachine>,
    pub(super) log: Vec<Event>,
}

impl Room {
    pub(super) fn open(open: Open) -> Room {
        let mut room = Room { driver: Driver::default(), log: Vec::new() };
        room.step(Command::Open(Box::new(open)), 0).unwrap();
        room
    }

    pub(super) fn of(n: usize) -> Room {
        Room::open(super::tests::open(n, terms()))
    }

    pub(super) fn step(&mut self, command: Command, ms: i64) -> Result<Reply, Rejection> {
        let Step { events, reply, .. } = self.driver.step(command, at(ms));
        self.log.extend(events);
        reply
    }

    pub(super) fn cast(&self, k: usize, ballot: Ballot, ms: i64) -> Cast {
        let vote = Vote {
            round: self.state().round,
            voter_id: voter(k),
            seq: 0,
            issued_at: at(ms),
            ballot,
            score: WHOLE,
            confidence: WHOLE,
            claimed_weight: None,
            reasoning_hash: None,
        };
        let proof = Proof { handle_hash: Some(handle(k)), ..Proof::default() };
        Cast::new(vote, proof)
    }

    pub(super) fn signed(&self, k: usize, seq: u64, ballot: Ballot, ms: i64) -> Cast {
        let mut cast = self.cast(k, ballot, ms);
        cast.vote.seq = seq;
        let message = cast.vote.message(&self.state().binding().unwrap());
        let signature = Signature::new(key(k).sign(&message).to_bytes());
        cast.proof = Proof { signature: Some(signature), ..Proof::default() };
        cast
    }

    pub(super) fn vote(&mut self, k: usize, stance: Stance, ms: i64) -> Result<Reply, Rejection> {
        let cast = self.cast(k, Ballot::Approve(stance), ms);
        self.step(Command::Vote(Box::new(cast)), ms)
    }

    pub(super) fn choose(&mut self, k: usize, name: &str, score: u32, ms: i64) -> Result<Reply, Rejection> {
        let mut cast = self.cast(k, Ballot::Choice(candidate(name)), ms);
        cast.vote.score = score;
        self.step(Command::Vote(Box::new(cast)), ms)
    }

    pub(super) fn state(&self) -> &Session {
        self.driver.state()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.state().outcome()
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.log.iter().map(Event::name).collect()
    }

    /// The state is the fold of the events, whatever was decided on the way.
    pub(super) fn replays(&self) {
        let mut again = Driver::<SessionMachine>::default();
        self.log.iter().for_each(|event| again.replay(event));
        assert_eq!(again.state(), self.state());
    }
}

fn reason(reply: Result<Reply, Rejection>) -> Refusal {
    match reply {
        Err(Rejection::Vote { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn candidates(names: &[&str]) -> Vec<Candidate> {
    names.iter().map(|name| Candidate { candidate_id: candidate(name), kind: String::new() }).collect()
}

#[test]
fn three_of_four_decide_at_once_and_irrevocably() {
    let mut room = Room::of(4);
    for k in 0..3 {
        assert_eq!(room.outcome(), None);
        room.vote(k, Stance::For, 10).unwrap();
    }
    let closed = room.state().closed.clone().unwrap();
    assert_eq!((closed.outcome, closed.pick), (Outcome::Decided, Some(Pick::For)));
    assert_eq!((closed.decided_by, closed.byzantine_safe), (Some(voter(2)), true));
    assert_eq!((closed.support_share, closed.power_share), (750_000, 750_000));
    assert_eq!(reason(room.vote(3, Stance::Against, 20)), Refusal::SessionClosed);
    assert_eq!(
        room.names(),
        ["opened", "vote_received", "vote_received", "vote_received", "closed", "vote_rejected"]
    );
    room.replays();
}

#[test]
fn detectors_see_the_counted_votes_and_who_is_excluded_is_not_among_them() {
    let mut terms = terms();
    terms.close_policy = ClosePolicy::AllOrDeadline;
    let mut room = Room::open(open(7, terms));
    for (k, stance) in [(0, Stance::For), (1, Stance::Against), (2, Stance::Abstain), (3, Stance::For)] {
        room.vote(k, stance, 100 * k as i64).unwrap();
    }
    // A voter that says two things counts for nothing.
    let _ = room.vote(3, Stance::Against, 500);
    let scene = room.state().scene(None).unwrap();
    assert_eq!((scene.rounds.len(), scene.winner, scene.sealed), (1, None, false));
    let seen: Vec<_> = scene.rounds[0].votes.iter().map(|vote| (vote.option, vote.score, vote.at)).collect();
    assert_eq!(seen, [(0, 1.0, at(0)), (1, 1.0, at(100)), (2, 1.0, at(200))]);
    assert_eq!(scene.powers.len(), 7);
    assert!(Session::default().scene(None).is_none());
}

#[test]
fn the_ends_of_a_session_are_different_words() {
    let mut room = Room::of(4);
    (0..3).for_each(|k| drop(room.vote(k, Stance::Against, 10)));
    assert_eq!(room.outcome(), Some(Outcome::Rejected));
    let mut room = Room::of(4);
    room.vote(0, Stance::For, 10).unwrap();
    room.vote(1, Stance::For, 10).unwrap();
    room.vote(2, Stance::Against, 10).unwrap();
    assert_eq!(room.outcome(), None);
    // Abstaining is taking part, never support: now neither side can have three.
    room.vote(3, Stance::Abstain, 10).unwrap();
    assert_eq!(room.outcome(), Some(Outcome::NoQuorum));
    let mut room = Room::of(4);
    room.vote(0, Stance::For, 10).unwrap();
    room.step(Command::Tick, 30_000).unwrap();
    assert_eq!(room.outcome(), None);
    room.step(Command::Tick, 40_000).unwrap();
    let closed = room.state().closed.clone().unwrap();
    assert_eq!(
        (closed.outcome, closed.closed_at, closed.noticed_at),
        (Outcome::Timeout, at(30_000), at(40_000))
    );
    assert_eq!(closed.selections[0].votes_received, 1);
    let mut room = Room::of(4);
    let cancel = Command::Cancel { by: Some("ops".into()), reason: None };
    assert_eq!(room.step(cancel.clone(), 5), Ok(Reply::Cancelled { duplicate: false }));
    assert_eq!(room.outcome(), Some(Outcome::Cancelled));
    assert_eq!(room.step(cancel.clone(), 6), Ok(Reply::Cancelled { duplicate: true }));
    let mut ended = Room::of(4);
    (0..3).for_each(|voter| drop(ended.vote(voter, Stance::For, 10).unwrap()));
    assert_eq!(ended.step(cancel, 11), Err(Rejection::Ended { outcome: Outcome::Decided }));
}

#[test]
fn too_few_voters_are_told_apart_and_a_name_twice_is_one_voter() {
    let refused = |open: Open| {
        Driver::<SessionMachine>::default().step(Command::Open(Box::new(open)), at(0)).reply.unwrap_err()
    };
    let mut twice = open(2, terms());
    twice.electors.push(elector(0, false));
    assert_eq!(refused(twice), Rejection::InsufficientParticipants { need: 3, have: 2 });
    let declared = Open { declared_faults: Some(2), ..open(6, terms()) };
    assert_eq!(refused(declared), Rejection::InsufficientParticipants { need: 7, have: 6 });
    let choice = Terms { ballot_type: BallotType::Choice, ..terms() };
    assert!(matches!(refused(open(4, choice.clone())), Rejection::Invalid { field: "candidates", .. }));
    let doubled = Terms { candidates: candidates(&["a", "a"]), ..choice };
    assert!(matches!(refused(open(4, doubled)), Rejection::Invalid { field: "candidates", .. }));
    let mut heavy = open(4, terms());
    heavy.electors.iter_mut().for_each(|elector| elector.power = u64::MAX / 2);
    assert!(matches!(refused(heavy), Rejection::Invalid { field: "weight", .. }));
}

#[test]
fn the_same_vote_again_is_answered_by_the_first_receipt_also_after_the_end() {
    let mut room = Room::of(4);
    let Reply::Voted(first) = room.vote(0, Stance::For, 10).unwrap() else { panic!() };
    let events = room.log.len();
    let Reply::Voted(again) = room.vote(0, Stance::For, 90_000_000).unwrap() else { panic!() };
    assert_eq!((again.hash, again.seq, again.duplicate), (first.hash, first.seq, true));
    assert_eq!(room.outcome(), Some(Outcome::Timeout));
    // The timeout and what fell due before it, and nothing of the vote.
    assert!(room.log[events..].iter().all(|event| matches!(event, Event::Closed(_))));
}

#[test]
fn an_equivocation_is_kept_and_costs_the_voter_its_vote() {
    let mut room =
        Room::open(Open { electors: (0..7).map(|k| elector(k, true)).collect(), ..open(7, terms()) });
    let yes = room.signed(0, 1, Ballot::Approve(Stance::For), 10);
    let no = room.signed(0, 2, Ballot::Approve(Stance::Against), 11);
    room.step(Command::Vote(Box::new(yes)), 10).unwrap();
    assert_eq!(reason(room.step(Command::Vote(Box::new(no.clone())), 11)), Refusal::Equivocation);
    let evidence = room.state().evidence[0].clone();
    assert_eq!((evidence.level, evidence.fault), (ProofLevel::Transferable, FaultKind::Equivocation));
    // Whoever has the evidence can check it.
    let (binding, key) = (room.state().binding().unwrap(), evidence.credential.public_key.unwrap());
    for exhibit in [&evidence.first, &evidence.second] {
        assert!(exhibit.vote.is_signed(&binding, &key, &exhibit.signature.unwrap()));
    }
    assert_eq!(room.state().excluded[&voter(0)], Exclusion::Equivocation);
    let told = room.state().owed();
    let Effect::Tell(reports) = &told[0] else { panic!("{told:?}") };
    assert!(matches!(reports.last().unwrap().mark, Mark::Proven { .. }));
    // Sent again it is the same pair, kept once.
    assert_eq!(reason(room.step(Command::Vote(Box::new(no)), 12)), Refusal::Equivocation);
    assert_eq!(room.state().evidence.len(), 1);
    // The others need five of seven, and the denominator stays seven.
    (1..5).for_each(|k| {
        drop(room.step(Command::Vote(Box::new(room.signed(k, 1, Ballot::Approve(Stance::For), 20))), 20))
    });
    assert_eq!(room.outcome(), None);
    room.step(Command::Vote(Box::new(room.signed(5, 1, Ballot::Approve(Stance::For), 20))), 20).unwrap();
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    room.replays();
}

#[test]
fn nobody_is_framed_by_a_message_that_anybody_can_send() {
    let mut room =
        Room::open(Open { electors: (0..4).map(|k| elector(k, true)).collect(), ..open(4, terms()) });
    room.step(Command::Vote(Box::new(room.signed(0, 1, Ballot::Approve(Stance::For), 10))), 10).unwrap();
    let mut forged = room.signed(1, 2, Ballot::Approve(Stance::Against), 10);
    forged.vote.voter_id = voter(0);
    assert_eq!(reason(room.step(Command::Vote(Box::new(forged.clone())), 11)), Refusal::BadSignature);
    forged.proof = Proof::default();
    assert_eq!(reason(room.step(Command::Vote(Box::new(forged)), 12)), Refusal::Unauthenticated);
    assert!(room.state().evidence.is_empty() && room.state().excluded.is_empty());
    assert!(room.state().outbox.values().all(|report| report.mark == Mark::Clean));
    // Where nobody must show who it is, the first one stands.
    let mut room = Room::open(open(4, Terms { authentication: Authentication::Optional, ..terms() }));
    let bare =
        |room: &Room, stance| Cast { proof: Proof::default(), ..room.cast(0, Ballot::Approve(stance), 10) };
    room.step(Command::Vote(Box::new(bare(&room, Stance::For))), 10).unwrap();
    assert_eq!(
        reason(room.step(Command::Vote(Box::new(bare(&room, Stance::Against))), 11)),
        Refusal::AlreadyVoted
    );
    assert!(room.state().evidence.is_empty());
}

#[test]
fn the_layers_refuse_in_their_order() {
    let mut room = Room::of(4);
    let good = room.cast(0, Ballot::Approve(Stance::For), 10);
    let with = |change: &dyn Fn(&mut Cast)| {
        let mut cast = good.clone();
        change(&mut cast);
        Command::Vote(Box::new(cast))
    };
    type Fault<'f> = (Refusal, &'f dyn Fn(&mut Cast));
    let bad: [Fault<'_>; 9] = [
        (Refusal::Malformed, &|c| c.version = 2),
        (Refusal::Malformed, &|c| c.vote.score = WHOLE + 1),
        (Refusal::Malformed, &|c| c.vote.ballot = Ballot::Choice(candidate("x"))),
        (Refusal::WrongRound, &|c| (c.vote.round, c.vote.voter_id) = (2, voter(9))),
        (Refusal::NotEligible, &|c| (c.vote.voter_id, c.proof) = (voter(9), Proof::default())),
        (Refusal::BadSignature, &|c| c.proof.handle_hash = Some(handle(1))),
        (Refusal::HashMismatch, &|c| (c.proof.hash, c.vote.issued_at) = (Some(handle(1)), at(90_000))),
        (Refusal::Skew, &|c| c.vote.issued_at = at(60_011)),
        (Refusal::Malformed, &|c| c.reasoning = Some("other".into())),
    ];
    for (expected, change) in bad {
        assert_eq!(reason(room.step(with(change), 10)), expected);
    }
    room.step(with(&|c| c.vote.issued_at = at(60_010)), 10).unwrap();
    let violations = room.state().outbox.values().filter(|r| matches!(r.mark, Mark::Violation(_)));
    assert_eq!(violations.count(), 1, "the skewed vote was the voter's own");
}

#[test]
fn a_flood_of_refused_votes_leaves_three_of_a_second_on_record() {
    let mut room = Room::of(4);
    for k in 0..50 {
        let mut cast = room.cast(0, Ballot::Approve(Stance::For), 10);
        cast.vote.voter_id = VoterId::new(format!("stranger {k}")).unwrap();
        let reply = room.step(Command::Vote(Box::new(cast)), 10);
        let Err(Rejection::Vote { recorded, .. }) = reply else { panic!() };
        assert_eq!(recorded, k < 3);
    }
    assert_eq!(room.state().rejections, 3);
}

#[test]
fn where_votes_may_change_the_higher_number_stands_and_one_number_twice_is_a_lie() {
    let terms = Terms { revision: Revision::Revisable, close_policy: ClosePolicy::AllOrDeadline, ..terms() };
    let mut room = Room::open(open(4, terms));
    let numbered = |room: &Room, seq, stance| {
        let mut cast = room.cast(0, Ballot::Approve(stance), 10);
        cast.vote.seq = seq;
        Command::Vote(Box::new(cast))
    };
    room.step(numbered(&room, 5, Stance::For), 10).unwrap();
    assert_eq!(reason(room.step(numbered(&room, 3, Stance::Against), 10)), Refusal::Superseded);
    room.step(numbered(&room, 6, Stance::Against), 10).unwrap();
    assert_eq!(room.state().vote_of(1, &voter(0)).unwrap().vote.ballot, Ballot::Approve(Stance::Against));
    // What stood before, word by word, is a copy that somebody sends again.
    assert_eq!(reason(room.step(numbered(&room, 5, Stance::For), 10)), Refusal::Superseded);
    assert!(room.state().evidence.is_empty());
    assert_eq!(reason(room.step(numbered(&room, 5, Stance::Abstain), 10)), Refusal::Equivocation);
    assert_eq!(room.state().evidence[0].level, ProofLevel::Observed);
}

#[test]
fn rounds_are_real_and_who_switches_may_be_excluded() {
    let rounds = |switch_policy| Terms { rounds: 3, switch_policy, ..terms() };
    let mut room = Room::open(open(4, rounds(SwitchPolicy::Exclude)));
    (0..4).for_each(|k| drop(room.vote(k, Stance::For, 10)));
    assert_eq!((room.state().round, room.outcome()), (2, None));
    // A round that is missed is no switch.
    (0..3).for_each(|k| drop(room.vote(k, Stance::For, 20)));
    assert_eq!(
        room.step(Command::EndRound { round: Some(1) }, 30),
        Err(Rejection::OtherRound { held: 2, given: 1 })
    );
    room.step(Command::EndRound { round: Some(2) }, 30).unwrap();
    room.vote(0, Stance::Against, 40).unwrap();
    assert_eq!(room.state().excluded[&voter(0)], Exclusion::InconsistentAcrossRounds);
    assert!(room.state().evidence.is_empty(), "a switch proves nothing");
    (1..4).for_each(|k| drop(room.vote(k, Stance::For, 40)));
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    let mut room = Room::open(open(4, rounds(SwitchPolicy::Allow)));
    for round in 1..=3 {
        let stance = if round == 3 { Stance::For } else { Stance::Against };
        (0..4).for_each(|k| drop(room.vote(k, stance, 10 * round)));
    }
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    room.replays();
}

#[test]
fn more_faults_than_are_borne_end_the_session_instead_of_deciding() {
    let mut room = Room::open(Open { declared_faults: Some(1), ..open(5, terms()) });
    for k in 0..2 {
        room.vote(k, Stance::For, 10).unwrap();
        assert_eq!(reason(room.vote(k, Stance::Against, 11)), Refusal::Equivocation);
    }
    assert_eq!(room.outcome(), Some(Outcome::FaultBudgetExceeded));
    assert_eq!(room.state().closed.as_ref().unwrap().byzantine_faults_detected, 2);
}

#[test]
fn a_late_contradiction_is_evidence_and_taints_but_never_undoes() {
    let mut room = Room::of(4);
    (0..3).for_each(|k| drop(room.vote(k, Stance::For, 10)));
    assert_eq!(reason(room.vote(0, Stance::Against, 99_999_999)), Refusal::Equivocation);
    assert!(room.state().evidence[0].late);
    assert_eq!(room.state().tainted, Some(vec![voter(0)]));
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    let mut room = Room::open(open(7, Terms { close_policy: ClosePolicy::AllOrDeadline, ..terms() }));
    (0..7).for_each(|k| drop(room.vote(k, Stance::For, 10)));
    assert_eq!(reason(room.vote(0, Stance::Against, 20)), Refusal::Equivocation);
    assert_eq!((room.state().evidence.len(), room.state().tainted.clone()), (1, None));
}

#[test]
fn a_quorum_before_the_deadline_never_becomes_a_timeout() {
    let mut room = Room::open(open(4, Terms { close_policy: ClosePolicy::AllOrDeadline, ..terms() }));
    (0..3).for_each(|k| drop(room.vote(k, Stance::For, 10)));
    assert_eq!(room.outcome(), None);
    room.step(Command::Tick, 50_000).unwrap();
    let closed = room.state().closed.clone().unwrap();
    assert_eq!((closed.outcome, closed.closed_at), (Outcome::Decided, at(30_000)));
    // A log that ends between the deciding vote and its close decides as of the vote, however late it is opened.
    let mut whole = Room::of(4);
    (0..3).for_each(|k| drop(whole.vote(k, Stance::For, 7)));
    let mut cut = Room { driver: Driver::default(), log: Vec::new() };
    whole.log[..4].iter().for_each(|event| cut.driver.replay(event));
    cut.step(Command::Tick, 999_999).unwrap();
    let closed = cut.state().closed.clone().unwrap();
    assert_eq!(
        (closed.outcome, closed.closed_at, closed.decided_by),
        (Outcome::Decided, at(7), Some(voter(2)))
    );
}

#[test]
fn scores_are_weighed_by_all_power_and_order_is_total() {
    let terms =
        Terms { ballot_type: BallotType::Choice, candidates: candidates(&["b", "a", "c"]), ..terms() };
    let mut room = Room::open(open(4, Terms { close_policy: ClosePolicy::AllOrDeadline, ..terms }));
    room.choose(0, "a", 500_000, 10).unwrap();
    room.choose(1, "b", 500_000, 10).unwrap();
    assert_eq!(reason(room.choose(2, "d", WHOLE, 10)), Refusal::UnknownCandidate);
    assert_eq!(room.outcome(), None);
    room.choose(2, "a", WHOLE, 10).unwrap();
    room.choose(3, "a", 0, 10).unwrap();
    let closed = room.state().closed.clone().unwrap();
    assert_eq!(closed.pick, Some(Pick::Candidate(candidate("a"))));
    let ranked: Vec<_> =
        closed.selections.iter().map(|s| (s.pick.name(), s.selection_score, s.votes_received)).collect();
    assert_eq!(ranked, [("a", 375_000, 3), ("b", 125_000, 1), ("c", 0, 0)]);
    assert_eq!((closed.confidence_score, closed.margin), (750_000, 250_000));
    assert_eq!(closed.dissenters, [voter(1)]);
}

#[test]
fn approval_and_scores_support_several_candidates() {
    let approval = Terms {
        ballot_type: BallotType::Approval { most: 2 },
        candidates: candidates(&["a", "b", "c"]),
        ..terms()
    };
    let mut room = Room::open(open(4, approval));
    let set = |names: &[&str]| Ballot::Approval(names.iter().map(|name| candidate(name)).collect());
    let cast = room.cast(0, set(&["a", "b", "c"]), 10);
    assert_eq!(reason(room.step(Command::Vote(Box::new(cast)), 10)), Refusal::Malformed);
    for (k, names) in [["a", "b"], ["b", "c"], ["a", "b"]].iter().enumerate() {
        let cast = room.cast(k, set(names), 10);
        room.step(Command::Vote(Box::new(cast)), 10).unwrap();
    }
    assert_eq!(room.state().closed.as_ref().unwrap().pick, Some(Pick::Candidate(candidate("b"))));
    let scores = Terms { ballot_type: BallotType::Scores, candidates: candidates(&["a", "b"]), ..terms() };
    let mut room = Room::open(open(4, scores));
    for k in 0..3 {
        let map = [(candidate("a"), 400_000), (candidate("b"), 500_000)].into();
        let cast = room.cast(k, Ballot::Scores(map), 10);
        room.step(Command::Vote(Box::new(cast)), 10).unwrap();
    }
    assert_eq!(room.state().closed.as_ref().unwrap().pick, Some(Pick::Candidate(candidate("b"))));
}

#[test]
fn a_promise_binds_and_who_does_not_keep_it_abstains() {
    let mut room = Room::open(open(4, Terms { commit_reveal: true, ..terms() }));
    let promise = |k: usize, stance, salt: &[u8]| {
        let ballot = Ballot::Approve(stance);
        let id = EntityId::new("s").unwrap();
        let voter = voter(k);
        Promise {
            session_id: &id,
            round: 1,
            voter_id: &voter,
            ballot: &ballot,
            score: WHOLE,
            confidence: WHOLE,
            salt,
        }
        .digest()
    };
    let commit = |k: usize, commit: Digest| {
        let proof = Proof { handle_hash: Some(handle(k)), ..Proof::default() };
        Command::Commit(Box::new(Commit { voter_id: voter(k), commit, proof, standing: None }))
    };
    let salt = [7; 16];
    for k in 0..4 {
        assert_eq!(reason(room.vote(k, Stance::For, 5)), Refusal::Sealed);
        room.step(commit(k, promise(k, Stance::For, &salt)), 5).unwrap();
        let again = room.step(commit(k, promise(k, Stance::For, &salt)), 5);
        if k < 3 {
            assert_eq!(again, Ok(Reply::Promised { duplicate: true }));
            assert_eq!(reason(room.step(commit(k, promise(k, Stance::Against, &salt)), 5)), Refusal::Changed);
        }
    }
    assert!(!room.state().sealed);
    let told = |room: &Room, k, stance, salt: &[u8]| {
        Command::Vote(Box::new(Cast { salt: Some(salt.into()), ..room.cast(k, Ballot::Approve(stance), 6) }))
    };
    assert_eq!(reason(room.step(told(&room, 0, Stance::Against, &salt), 6)), Refusal::NotAsPromised);
    assert_eq!(reason(room.step(told(&room, 0, Stance::For, &salt[..15]), 6)), Refusal::NotAsPromised);
    (0..2).for_each(|k| drop(room.step(told(&room, k, Stance::For, &salt), 6).unwrap()));
    room.step(Command::Tick, 60_000).unwrap();
    let closed = room.state().closed.clone().unwrap();
    assert_eq!((closed.outcome, closed.unrevealed), (Outcome::Timeout, vec![voter(2), voter(3)]));
    room.replays();
}

#[test]
fn a_certificate_holds_and_no_changed_one_does() {
    let mut room =
        Room::open(Open { electors: (0..4).map(|k| elector(k, true)).collect(), ..open(4, terms()) });
    let place = || Place { seq: 5, position: 9, record_hash: "00".into() };
    assert_eq!(certify(room.state(), place()), Err(Uncertifiable::Undecided("open")));
    (0..3).for_each(|k| {
        drop(
            room.step(Command::Vote(Box::new(room.signed(k, 1, Ballot::Approve(Stance::For), 10))), 10)
                .unwrap(),
        )
    });
    let good = certify(room.state(), place()).unwrap();
    assert_eq!(good.check().unwrap().heads, 3);
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Certificate>(&json).unwrap(), good);
    let flaw = |change: &dyn Fn(&mut Certificate)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.check().unwrap_err()
    };
    assert!(matches!(flaw(&|c| c.version = 2), Flaw::Format(..)));
    assert!(matches!(flaw(&|c| c.electorate[3].power = 1), Flaw::Rule("power")));
    assert!(matches!(flaw(&|c| drop(c.electorate.pop())), Flaw::Rule("n")));
    assert!(matches!(flaw(&|c| c.electorate.swap(0, 1)), Flaw::Order(_)));
    assert!(matches!(flaw(&|c| c.electorate[1].public_key = c.electorate[0].public_key), Flaw::SharedKey(_)));
    assert!(matches!(flaw(&|c| c.rule.heads = 1), Flaw::Rule("heads")));
    assert!(matches!(flaw(&|c| c.terms.proposal = "1".into()), Flaw::Hash("terms_hash")));
    assert!(matches!(flaw(&|c| c.rule.basis = Basis::Heads), Flaw::Hash("terms_hash")));
    assert!(matches!(flaw(&|c| c.pick = Pick::Against), Flaw::Outcome));
    assert!(matches!(flaw(&|c| drop(c.ballots.pop())), Flaw::Quorum { heads: 2, needed: 3, .. }));
    assert!(matches!(flaw(&|c| c.ballots[1] = c.ballots[0].clone()), Flaw::Signer(_)));
    assert!(matches!(flaw(&|c| c.ballots[1].voter_id = voter(3)), Flaw::Signer(_) | Flaw::Signature(_)));
    assert!(matches!(flaw(&|c| c.ballots[0].issued_at_us += 1), Flaw::Signature(_)));
    assert!(matches!(flaw(&|c| c.ballots[0].ballot = Ballot::Approve(Stance::Against)), Flaw::Dissent(_)));
    assert!(matches!(flaw(&|c| c.session_id = EntityId::new("t").unwrap()), Flaw::Signature(_)));
    // Votes by handle convince nobody else.
    let mut seen = Room::of(4);
    (0..3).for_each(|k| drop(seen.vote(k, Stance::For, 10)));
    assert_eq!(certify(seen.state(), place()), Err(Uncertifiable::Unsigned { signed: 0, needed: 3 }));
}

#[path = "session_people_test.rs"]
mod people;
