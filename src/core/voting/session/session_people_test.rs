//! More time, places that go to other voters, being told again; and who is silent.

use super::*;
use crate::voting::extension::{Extend, Until};

/// A voter by itself, whose vote is not asked for.
fn stranger(k: usize, signs: bool) -> Elector {
    elector(k, signs)
}

fn delegate(from: usize, to: Elector, ms: i64) -> Delegate {
    Delegate {
        from: voter(from),
        to,
        issued_at: at(ms),
        proof: Proof { handle_hash: Some(handle(from)), ..Proof::default() },
        standing: None,
        reason: Some("on leave".into()),
    }
}

impl Room {
    fn hand(&mut self, delegate: Delegate, ms: i64) -> Result<Reply, Rejection> {
        self.step(Command::Delegate(Box::new(delegate)), ms)
    }

    fn signed_delegate(&self, from: usize, to: Elector, ms: i64) -> Delegate {
        let plain = delegate(from, to, ms);
        let public_key = plain.to.credential.public_key;
        let to = plain.to.voter_id.clone();
        let given = Delegation { from: plain.from.clone(), to, public_key, issued_at: plain.issued_at };
        let message = given.message(&self.state().binding().unwrap());
        let signature = Some(Signature::new(key(from).sign(&message).to_bytes()));
        Delegate { proof: Proof { signature, ..Proof::default() }, ..plain }
    }

    fn signing(n: usize, terms: Terms) -> Room {
        Room::open(Open { electors: (0..n).map(|k| elector(k, true)).collect(), ..open(n, terms) })
    }

    fn sign(&mut self, k: usize, stance: Stance, ms: i64) -> Result<Reply, Rejection> {
        let cast = self.signed(k, 1, Ballot::Approve(stance), ms);
        self.step(Command::Vote(Box::new(cast)), ms)
    }
}

const NEW: Result<Reply, Rejection> = Ok(Reply::Delegated { duplicate: false, other_reason: false });

fn field(reply: Result<Reply, Rejection>) -> &'static str {
    match reply {
        Err(Rejection::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_counts_as_much_in_other_hands_and_its_first_owner_votes_no_more() {
    let mut electors: Vec<Elector> = (0..4).map(|k| elector(k, false)).collect();
    electors[0].power = 2_000_000;
    let mut room = Room::open(Open { electors, ..open(4, terms()) });
    let before = room.state().opened.clone();
    assert_eq!(room.hand(delegate(0, stranger(7, false), 5), 5), NEW);
    assert_eq!(room.state().opened, before, "the electorate stays as it was frozen");
    assert_eq!(room.state().elector(&voter(7)).unwrap().power, 2_000_000);
    assert_eq!(room.state().outstanding(), [voter(1), voter(2), voter(3), voter(7)]);
    assert_eq!((room.state().awaits(&voter(0)), room.state().awaits(&voter(7))), (false, true));
    assert_eq!(reason(room.vote(0, Stance::Against, 6)), Refusal::Delegated);
    room.vote(7, Stance::For, 6).unwrap();
    room.vote(1, Stance::For, 6).unwrap();
    room.vote(2, Stance::For, 6).unwrap();
    let closed = room.state().closed.clone().unwrap();
    assert_eq!((closed.outcome, closed.power_share), (Outcome::Decided, 800_000));
    // The same again is answered from the record, also after the end.
    let again = |room: &mut Room, reason: Option<&str>| {
        room.hand(Delegate { reason: reason.map(str::to_owned), ..delegate(0, stranger(7, false), 9) }, 9)
    };
    for (reason, other_reason) in [(Some("on leave"), false), (None, false), (Some("ill"), true)] {
        assert_eq!(again(&mut room, reason), Ok(Reply::Delegated { duplicate: true, other_reason }));
    }
    let elsewhere = room.hand(delegate(0, stranger(8, false), 9), 9);
    assert_eq!(elsewhere, Err(Rejection::Delegated { to: voter(7) }));
    room.replays();
}

#[test]
fn nobody_hands_on_what_it_has_not_or_to_one_who_may_not_take_it() {
    let mut room = Room::of(5);
    room.vote(1, Stance::For, 5).unwrap();
    assert_eq!(field(room.hand(delegate(1, stranger(7, false), 6), 6)), "from", "it has voted");
    assert_eq!(field(room.hand(delegate(0, stranger(2, false), 6), 6)), "to", "it is asked");
    assert_eq!(field(room.hand(delegate(0, stranger(0, false), 6), 6)), "to", "to itself");
    let mute =
        Elector { credential: Credential { public_key: None, handle_hash: None }, ..stranger(7, false) };
    assert_eq!(field(room.hand(delegate(0, mute, 6), 6)), "to", "it could never vote");
    let refusal = |reply: Result<Reply, Rejection>| match reply {
        Err(Rejection::Delegation { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(room.hand(delegate(7, stranger(8, false), 6), 6)), Refusal::NotEligible);
    assert_eq!(refusal(room.hand(delegate(0, stranger(7, false), 70_000), 6)), Refusal::Skew);
    let other = Proof { handle_hash: Some(handle(2)), ..Proof::default() };
    let forged = Delegate { proof: other, ..delegate(0, stranger(7, false), 6) };
    assert_eq!(refusal(room.hand(forged, 6)), Refusal::BadSignature);
    let unshown = Delegate { proof: Proof::default(), ..delegate(0, stranger(7, false), 6) };
    assert_eq!(refusal(room.hand(unshown, 6)), Refusal::Unauthenticated);
    assert_eq!(room.names(), ["opened", "vote_received"], "a refusal writes nothing");
    // A place goes on, eight times, and never back.
    for k in 0..8 {
        let from = if k == 0 { 0 } else { 9 + k };
        assert_eq!(room.hand(delegate(from, stranger(10 + k, false), 6), 6), NEW);
    }
    assert_eq!(field(room.hand(delegate(17, stranger(18, false), 6), 6)), "from");
    assert_eq!(field(room.hand(delegate(2, stranger(10, false), 6), 6)), "to", "it handed a place on");
    assert_eq!(field(room.hand(delegate(2, stranger(17, false), 6), 6)), "to", "it has a place");
    assert_eq!(room.state().place_of(&voter(17)), &voter(0));
    room.step(Command::Tick, 40_000).unwrap();
    let late = room.hand(delegate(2, stranger(20, false), 40_000), 40_000);
    assert_eq!(late, Err(Rejection::Ended { outcome: Outcome::Timeout }));
    room.replays();
}

#[test]
fn who_promised_or_missed_its_promise_keeps_its_place() {
    let mut room = Room::open(open(7, Terms { commit_reveal: true, ..terms() }));
    let commit = |k: usize| {
        let proof = Proof { handle_hash: Some(handle(k)), ..Proof::default() };
        Command::Commit(Box::new(Commit { voter_id: voter(k), commit: handle(k), proof, standing: None }))
    };
    room.step(commit(0), 5).unwrap();
    assert_eq!(field(room.hand(delegate(0, stranger(7, false), 6), 6)), "from");
    assert_eq!(room.hand(delegate(1, stranger(7, false), 6), 6), NEW);
    for k in [7, 3, 4, 5] {
        room.step(commit(k), 6).unwrap();
    }
    room.step(Command::EndRound { round: None }, 7).unwrap();
    assert_eq!(field(room.hand(delegate(2, stranger(8, false), 8), 8)), "from", "it may not vote any more");
}

#[test]
fn who_votes_in_a_place_is_convicted_of_its_own_lies_and_its_owner_is_not() {
    let mut room = Room::signing(7, terms());
    let hand = room.signed_delegate(0, stranger(7, true), 5);
    assert_eq!(room.hand(hand, 5), NEW);
    room.sign(7, Stance::For, 6).unwrap();
    let other = room.signed(7, 2, Ballot::Approve(Stance::Against), 7);
    assert_eq!(reason(room.step(Command::Vote(Box::new(other)), 7)), Refusal::Equivocation);
    let evidence = &room.state().evidence[0];
    assert_eq!((&evidence.first.vote.voter_id, evidence.level), (&voter(7), ProofLevel::Transferable));
    assert_eq!(evidence.credential, stranger(7, true).credential);
    assert_eq!(room.state().malicious(), [voter(7)]);
    assert!(room.state().is_excluded(&voter(7)) && !room.state().excluded.contains_key(&voter(0)));
    let marks: Vec<_> =
        room.state().outbox.values().filter(|one| matches!(one.mark, Mark::Proven { .. })).collect();
    assert_eq!(marks.iter().map(|one| &one.voter_id).collect::<Vec<_>>(), [&voter(7)]);
    room.replays();
}

/// A liar must not go on counting through the one it chose.
#[test]
fn a_place_counts_nothing_when_one_who_had_it_is_excluded() {
    let mut room = Room::of(4);
    room.hand(delegate(0, stranger(7, false), 5), 5).unwrap();
    room.vote(7, Stance::For, 6).unwrap();
    let reason_ = Exclusion::Byzantine;
    room.step(Command::Exclude { voter_id: voter(0), reason: reason_ }, 7).unwrap();
    assert!(room.state().is_excluded(&voter(7)));
    room.vote(1, Stance::For, 8).unwrap();
    room.vote(2, Stance::For, 8).unwrap();
    assert_eq!(room.outcome(), None, "two of four");
    room.vote(3, Stance::For, 8).unwrap();
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    room.replays();
}

#[test]
fn a_certificate_says_who_voted_in_whose_place_and_only_by_signatures() {
    let place = || Place { seq: 5, position: 9, record_hash: "00".into() };
    let mut room = Room::signing(4, terms());
    // From the first to the seventh, who hands it on to the eighth.
    let hand = room.signed_delegate(0, stranger(7, true), 5);
    assert_eq!(room.hand(hand, 5), NEW);
    let hand = room.signed_delegate(7, stranger(8, true), 5);
    assert_eq!(room.hand(hand, 5), NEW);
    for k in [8, 1, 2] {
        room.sign(k, Stance::For, 10).unwrap();
    }
    let good = certify(room.state(), place()).unwrap();
    let checked = good.check().unwrap();
    assert_eq!((checked.heads, checked.in_place_of), (3, [(voter(8), voter(0))].into()));
    assert_eq!(good.delegations.len(), 2);
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Certificate>(&json).unwrap(), good);
    let flaw = |change: &dyn Fn(&mut Certificate)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.check().unwrap_err()
    };
    assert!(matches!(flaw(&|c| drop(c.delegations.pop())), Flaw::Stranger(_)));
    assert!(matches!(flaw(&|c| drop(c.delegations.remove(0))), Flaw::Handover(..)));
    assert!(matches!(flaw(&|c| c.delegations.swap(0, 1)), Flaw::Handover(..)));
    assert!(matches!(flaw(&|c| c.delegations[1].to = voter(3)), Flaw::Handover(..)));
    assert!(matches!(flaw(&|c| c.delegations[1].to = voter(0)), Flaw::Handover(..)));
    assert!(matches!(flaw(&|c| c.delegations[0].from = voter(3)), Flaw::HandoverSignature(_)));
    assert!(matches!(flaw(&|c| c.delegations[0].issued_at_us += 1), Flaw::HandoverSignature(_)));
    let own = PublicKey::new(key(1).verifying_key().to_bytes());
    assert!(matches!(flaw(&|c| c.delegations[1].public_key = own), Flaw::SharedKey(_)));
    let other = PublicKey::new(key(20).verifying_key().to_bytes());
    assert!(matches!(flaw(&|c| c.delegations[1].public_key = other), Flaw::HandoverSignature(_)));
    assert!(matches!(flaw(&|c| c.session_id = EntityId::new("t").unwrap()), Flaw::HandoverSignature(_)));
    // Who handed its place on does not vote beside the one who has it.
    let beside = room.signed(0, 1, Ballot::Approve(Stance::For), 10);
    let twice = |c: &mut Certificate| {
        let mut own = c.ballots[0].clone();
        own.voter_id = voter(0);
        own.signature = beside.proof.signature.unwrap();
        c.ballots.insert(0, own);
    };
    assert!(matches!(flaw(&twice), Flaw::Stranger(_)));

    // A place that was handed on by handle proves nothing to others, though the vote in it is signed.
    let by_handle = |k: usize| {
        let mut one = elector(k, true);
        one.credential.handle_hash = Some(handle(k));
        one
    };
    let electors = (0..4).map(by_handle).collect();
    let mut room = Room::open(Open { electors, ..open(4, terms()) });
    assert_eq!(room.hand(delegate(0, stranger(7, true), 5), 5), NEW);
    for k in [7, 1, 2] {
        room.sign(k, Stance::For, 10).unwrap();
    }
    assert_eq!(room.outcome(), Some(Outcome::Decided));
    assert_eq!(certify(room.state(), place()), Err(Uncertifiable::Unsigned { signed: 2, needed: 3 }));
}

#[test]
fn a_signature_names_the_key_of_who_takes_the_place_and_no_key_stands_for_two() {
    let mut room = Room::signing(4, terms());
    let mut other = room.signed_delegate(0, stranger(7, true), 5);
    other.to.credential = stranger(8, true).credential;
    assert!(matches!(room.hand(other, 5), Err(Rejection::Delegation { reason: Refusal::BadSignature, .. })));
    let shared = Elector { credential: elector(2, true).credential, ..stranger(7, true) };
    let hand = room.signed_delegate(0, shared, 5);
    assert_eq!(field(room.hand(hand, 5)), "to");
}

#[test]
fn votes_are_taken_longer_and_never_shorter() {
    let extend = |until| {
        let longest = Duration::from_secs(60);
        Command::Extend(Extend { until, longest, by: Some("ops".into()), reason: None })
    };
    let mut room = Room::of(4);
    room.vote(0, Stance::For, 5).unwrap();
    assert_eq!(field(room.step(extend(Until::At(at(29_999))), 6)), "deadline");
    assert_eq!(field(room.step(extend(Until::FromNow(Duration::from_secs(60))), 6)), "timeout_ms");
    assert_eq!(room.step(extend(Until::At(at(30_000))), 6), Ok(Reply::Extended { duplicate: true }));
    assert_eq!(room.step(extend(Until::At(at(50_000))), 6), Ok(Reply::Extended { duplicate: false }));
    assert_eq!(room.step(extend(Until::At(at(50_000))), 7), Ok(Reply::Extended { duplicate: true }));
    room.step(Command::Tick, 30_001).unwrap();
    assert_eq!(room.outcome(), None);
    room.vote(1, Stance::For, 50_000).unwrap();
    // A deadline that has passed is over, though nobody noticed: no extension brings it back.
    let late = room.step(extend(Until::At(at(60_000))), 50_001);
    assert_eq!(late, Err(Rejection::Ended { outcome: Outcome::Timeout }));
    let closed = room.state().closed.clone().unwrap();
    assert_eq!((closed.outcome, closed.closed_at), (Outcome::Timeout, at(50_000)));
    room.replays();
}

#[test]
fn outstanding_voters_are_told_again_once_a_minute_at_most() {
    let long = Duration::from_secs(3_600);
    let every = Some(Duration::from_secs(600));
    let mut room = Room::open(Open { timeout: long, remind_every: every, ..open(4, terms()) });
    room.vote(0, Stance::For, 5).unwrap();
    let remind = |voter: Option<usize>| Command::Remind { voter: voter.map(super::voter), by: None };
    assert_eq!(field(room.step(remind(Some(0)), 10)), "voter");
    assert_eq!(room.step(remind(Some(1)), 10), Ok(Reply::Reminded(vec![voter(1)])));
    assert_eq!(room.step(remind(None), 20), Ok(Reply::Reminded(vec![voter(2), voter(3)])));
    let soon = room.step(remind(None), 30);
    assert_eq!(soon, Err(Rejection::RemindedBefore { retry_after_ms: 59_980 }));
    room.step(Command::Tick, 60_000).unwrap();
    // By itself ten minutes after each was told last.
    assert_eq!(room.state().due(), Some(at(600_010)));
    room.step(Command::Tick, 600_010).unwrap();
    assert_eq!(room.state().reminded[&voter(1)], (2, at(600_010)));
    assert_eq!(room.state().reminded[&voter(2)], (1, at(20)));
    room.hand(delegate(1, stranger(7, false), 600_011), 600_011).unwrap();
    assert_eq!(room.state().reminded[&voter(7)], (0, at(600_011)));
    room.replays();
    let short = Open { remind_every: Some(Duration::from_secs(59)), ..open(4, terms()) };
    let mut refused = Room { driver: Driver::default(), log: Vec::new() };
    assert_eq!(field(refused.step(Command::Open(Box::new(short)), 0)), "remind_every_ms");
}

#[test]
fn who_took_a_place_over_was_not_silent_since_the_session_opened() {
    let mut room = Room::open(Open { timeout: Duration::from_secs(300), ..open(4, terms()) });
    room.hand(delegate(0, stranger(7, false), 59_000), 59_000).unwrap();
    room.step(Command::Tick, 60_000).unwrap();
    let noted = room.log.iter().find_map(|event| match event {
        Event::SilenceNoted { voters, .. } => Some(voters.clone()),
        _ => None,
    });
    assert_eq!(noted, Some(vec![voter(1), voter(2), voter(3)]));
}

#[test]
fn silent_voters_are_told_of_once_and_votes_when_the_session_ends() {
    let mut room = Room::open(Open { timeout: Duration::from_secs(300), ..open(4, terms()) });
    room.vote(0, Stance::For, 10).unwrap();
    assert!(room.state().owed().is_empty(), "a vote can wait");
    room.step(Command::Tick, 60_000).unwrap();
    let [Effect::Tell(reports)] = &room.state().owed()[..] else { panic!() };
    assert_eq!(reports.iter().filter(|report| report.mark == Mark::Silent).count(), 3);
    room.step(Command::RecordTold { upto: 4 }, 60_001).unwrap();
    assert!(room.state().owed().is_empty());
    room.step(Command::Tick, 70_000).unwrap();
    assert_eq!(room.names().iter().filter(|name| **name == "silence_noted").count(), 1);
}
