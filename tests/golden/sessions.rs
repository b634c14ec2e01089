//! The events of sessions and of their voters.

use quorate_core::kernel::ids::{CandidateId, EntityId, IdempotencyKey, VoterId};
use quorate_core::kernel::keyed::KeyedRequest;
use quorate_core::voting::extension::Extended;
use quorate_core::voting::gates::{Remedy, Verdict};
use quorate_core::voting::judgement::{Judgement, Part};
use quorate_core::voting::mandate;
use quorate_core::voting::people::Reminded;
use quorate_core::voting::rules::Choice;
use quorate_core::voting::session::beside::{GateFinding, RemedyEnded, RemedyTriggered};
use quorate_core::voting::session::event::{
    self as session, Exhibit, Flag, Promised, Received, Rejected, Selection,
};
use quorate_core::voting::session::{
    Authentication, Authenticity, Ballot, BallotType, Basis, Candidate, ClosePolicy, Credential, Delegated,
    Elector, Evidence, Exclusion, GateEvaluated, Gated, Opened, Outcome, Pick, Quorum, Refusal, Revision,
    SwitchPolicy, Terms, Threshold, TruthTold, Vote, Weighed,
};
use quorate_core::voting::signature::{Digest, PublicKey, Signature};
use quorate_core::voting::voter::event::{self as voter, Noted, StandingChanged};
use quorate_core::voting::voter::{Cause, FaultKind, ProofLevel, Registered, Standing, Suspicion};
use quorate_core::voting::voter::{Considered, Profile, Profiled};

use crate::events::{at, variants};

variants!(voter_variants of voter::Event: Registered, Noted, StandingChanged, WentOffline, Returned, Escalated, Spread,
    Judged, KeyRotated, Profiled, Considered);
variants!(session_variants of session::Event: Opened, VoteReceived, CommitReceived, VoteRejected, EvidenceRecorded,
    VoterExcluded, CommitsClosed, RoundClosed, Closed, DecisionTainted, SilenceNoted, Told, Keyed, Mandated,
    Spent, Redeemed, Weighed, KeysNamed, TruthTold, GatesSet, DeadlineExtended, GateEvaluated, RemedyTriggered, RemedyEnded,
    OldEvidenceRecorded, Extended, Delegated, RemindersAsked, Reminded);

fn named(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::new([byte; 32])
}

fn candidate(name: &str) -> CandidateId {
    CandidateId::new(name).unwrap()
}

pub(crate) fn voters() -> Vec<voter::Event> {
    let registered = |public_key, handle_hash| {
        let weight = 70_000;
        let registered = Registered { voter_id: named("ann"), public_key, handle_hash, weight, at: at(-1) };
        voter::Event::Registered(Box::new(registered))
    };
    let session_id = EntityId::new("窓").ok();
    let suspicion = Suspicion::released(at(5));
    let noted = |session_id, clean_needed| {
        voter::Event::Noted(Box::new(Noted {
            session_id,
            upto: 300,
            marks: 2,
            suspicion,
            score: 250_000,
            last_seen: Some(at(4)),
            last_violation: None,
            clean_needed,
            at: at(6),
        }))
    };
    let quarantined =
        Standing::Quarantined { reason: "é".into(), since: at(7), until: at(60_000_007), offence: 300 };
    let changes = [
        (Standing::Honest, Standing::Suspicious { since: at(7) }, Cause::Score { score: 300_001 }, None),
        (Standing::Honest, quarantined.clone(), Cause::Operator { reason: "so".into() }, None),
        (
            quarantined,
            Standing::Probation { since: at(8), clean_needed: 20 },
            Cause::TimeServed,
            Some(suspicion),
        ),
        (
            Standing::Probation { since: at(8), clean_needed: 3 },
            Standing::Byzantine {
                fault: FaultKind::Equivocation,
                at: at(9),
                level: ProofLevel::Transferable,
            },
            Cause::Evidence { evidence: digest(7), session_id: session_id.clone() },
            None,
        ),
        (
            Standing::Honest,
            Standing::Honest,
            Cause::Violation { fault: FaultKind::SpamAttack, session_id: None },
            None,
        ),
        (Standing::Honest, Standing::Honest, Cause::CleanVotes, None),
    ];
    let mut events = vec![registered(Some(PublicKey::new([3; 32])), None), registered(None, Some(digest(4)))];
    events.extend([noted(session_id, Some(19)), noted(None, None)]);
    events.extend((1..).zip(changes).map(|(number, (from, to, cause, suspicion))| {
        let change = StandingChanged { number, from, to, cause, suspicion, at: at(9) };
        voter::Event::StandingChanged(Box::new(change))
    }));
    events.push(voter::Event::WentOffline { last_seen: Some(at(1)), at: at(60_000_001) });
    events.push(voter::Event::Returned { at: at(70_000_000) });
    events.push(voter::Event::Escalated { score: 700_001, at: at(10) });
    events.push(voter::Event::Spread { number: 300, at: at(11) });
    let judged = |part, by: Option<&str>| {
        voter::Event::Judged(Box::new(voter::Judged {
            question: EntityId::new("窓").unwrap(),
            judgement: judgement(part),
            factors: [1, 2, 3, 4, 5, 6, 7, 1_000_000],
            base: 500_000,
            weight: 650_000,
            bias: -300,
            by: by.map(str::to_owned),
            at: at(12),
        }))
    };
    events.push(judged(true, None));
    events.push(judged(false, Some("ops")));
    events.push(voter::Event::KeyRotated(Box::new(voter::KeyRotated {
        version: 2,
        from: PublicKey::new([3; 32]),
        to: PublicKey::new([5; 32]),
        signature: Some(Signature::new(std::array::from_fn(|i| i as u8))),
        by: Some("ops".into()),
        reason: Some("é".into()),
        at: at(13),
    })));
    let profile = voter_profile();
    let profiled = Profiled { profile, by: Some("ops".into()), at: at(14) };
    events.push(voter::Event::Profiled(Box::new(profiled)));
    let considered = |place, why: Option<&str>| Considered {
        selection_id: EntityId::new("窓").unwrap(),
        place,
        why: why.map(str::to_owned),
        utility: place.map(|_| 700_000),
        contributions: [("latency".to_owned(), 300)].into(),
        candidates: 70_000,
        settings: "{}".into(),
        by: None,
        at: at(15),
    };
    events.push(voter::Event::Considered(Box::new(considered(Some(300), None))));
    events.push(voter::Event::Considered(Box::new(considered(None, Some("é")))));
    events
}

fn voter_profile() -> Profile {
    Profile {
        kind: "wasp".into(),
        fitness: 800_000,
        metrics: [("latency".to_owned(), -300)].into(),
        traits: [("stealth".to_owned(), 1_000_000)].into(),
    }
}

fn judgement(part: bool) -> Judgement {
    let part = part.then_some(Part {
        voted: true,
        steady: false,
        effect: Some(true),
        outcome: 300,
        latency_us: Some(70_000),
        time_us: 30_000_000,
        context: Some([1, 2, 3, 4, 1_000_000]),
    });
    Judgement { truth: true, said: Some(false), rating: Some(300), part }
}

fn vote(ballot: Ballot) -> Vote {
    Vote {
        round: 2,
        voter_id: named("ann"),
        seq: 300,
        issued_at: at(-7),
        ballot,
        score: 500_000,
        confidence: 1_000_000,
        claimed_weight: Some(70_000),
        reasoning_hash: Some(digest(1)),
    }
}

fn opened() -> Opened {
    let credential = |public_key, handle_hash| Credential { public_key, handle_hash };
    let elector =
        |name, credential, power| Elector { voter_id: named(name), credential, power, uncapped: 300 };
    Opened {
        session_id: EntityId::new("窓").unwrap(),
        terms: Terms {
            proposal: "{\"é\":1}".into(),
            ballot_type: BallotType::Approval { most: 2 },
            candidates: vec![Candidate { candidate_id: candidate("a"), kind: "wasp".into() }],
            rounds: 3,
            switch_policy: SwitchPolicy::Flag,
            close_policy: ClosePolicy::AllOrDeadline,
            revision: Revision::Revisable,
            authentication: Authentication::Optional,
            commit_reveal: true,
            power_cap: true,
        },
        electors: vec![
            elector("ann", credential(Some(PublicKey::new([3; 32])), None), 1),
            elector("bob", credential(None, Some(digest(4))), 300),
        ],
        quorum: Quorum {
            basis: Basis::Power,
            threshold: Threshold::AtLeast,
            declared_faults: Some(1),
            n: 4,
            heads: 3,
            power: 301,
        },
        most_faults: 16,
        cap_failed: true,
        electorate_hash: digest(5),
        terms_hash: digest(6),
        context: Some("{}".into()),
        round_us: Some(5_000_000),
        commits_until: Some(at(15_000_000)),
        opened_at: at(-1),
        deadline: at(30_000_000),
    }
}

pub(crate) fn all_sessions() -> Vec<session::Event> {
    let received = |ballot, authenticity, signature| {
        session::Event::VoteReceived(Box::new(Received {
            vote: vote(ballot),
            hash: digest(8),
            authenticity,
            signature,
            reasoning: Some("it is due".into()),
            supersedes: true,
            flags: vec![Flag::WeightClaim, Flag::Suspicious, Flag::Probation, Flag::Switched],
            verification_score: 750_000,
            received_at: at(2),
        }))
    };
    let signature = Signature::new(std::array::from_fn(|i| i as u8));
    let set = [candidate("a"), candidate("b")].into();
    let scores = [(candidate("a"), 300), (candidate("b"), 1_000_000)].into();
    let refusals = [
        Refusal::Malformed,
        Refusal::SessionClosed,
        Refusal::WrongRound,
        Refusal::UnknownCandidate,
        Refusal::NotEligible,
        Refusal::Quarantined,
        Refusal::Byzantine,
        Refusal::Excluded,
        Refusal::Unauthenticated,
        Refusal::BadSignature,
        Refusal::HashMismatch,
        Refusal::Skew,
        Refusal::Replay,
        Refusal::Superseded,
        Refusal::Equivocation,
        Refusal::Changed,
        Refusal::AlreadyVoted,
        Refusal::Sealed,
        Refusal::NotSealed,
        Refusal::NotAsPromised,
        Refusal::KeyEnded,
        Refusal::Delegated,
    ];
    let exhibit = |stance, signature| Exhibit {
        vote: vote(Ballot::Approve(stance)),
        hash: digest(9),
        authenticity: Authenticity::Signature,
        signature,
        received_at: at(3),
    };
    let evidence = Evidence {
        evidence_id: digest(10),
        fault: FaultKind::Equivocation,
        level: ProofLevel::Observed,
        session_id: EntityId::new("s").unwrap(),
        electorate_hash: digest(5),
        terms_hash: digest(6),
        credential: Credential { public_key: Some(PublicKey::new([3; 32])), handle_hash: None },
        first: exhibit(Choice::For, Some(signature)),
        second: exhibit(Choice::Against, None),
        late: true,
        verifier_version: 1,
        at: at(4),
    };
    let exclusions = [
        Exclusion::Equivocation,
        Exclusion::InconsistentAcrossRounds,
        Exclusion::Quarantined,
        Exclusion::Byzantine,
    ];
    let closed = |outcome| {
        let picks = [Pick::For, Pick::Against, Pick::Candidate(candidate("a"))];
        let selection = |pick| Selection { pick, selection_score: 300, voting_power: 301, votes_received: 2 };
        session::Event::Closed(Box::new(session::Closed {
            outcome,
            pick: Some(Pick::For),
            selections: picks.into_iter().map(selection).collect(),
            confidence_score: 1,
            margin: 2,
            support_share: 3,
            power_share: 4,
            total_votes: 5,
            byzantine_faults_detected: 6,
            byzantine_safe: true,
            round: 3,
            dissenters: vec![named("bob")],
            decided_by: Some(named("ann")),
            unrevealed: vec![named("cyd")],
            cancelled: Some((Some("ops".into()), None)),
            opened_at: at(-1),
            closed_at: at(5),
            noticed_at: at(6),
        }))
    };
    let mut events = vec![
        session::Event::Opened(Box::new(opened())),
        received(Ballot::Approve(Choice::Abstain), Authenticity::None, None),
        received(Ballot::Choice(candidate("a")), Authenticity::Handle, None),
        received(Ballot::Approval(set), Authenticity::Signature, Some(signature)),
        received(Ballot::Scores(scores), Authenticity::Handle, None),
        session::Event::CommitReceived(Box::new(Promised {
            voter_id: named("ann"),
            commit: digest(11),
            authenticity: Authenticity::Handle,
            received_at: at(2),
        })),
    ];
    events.extend(refusals.map(|reason| {
        session::Event::VoteRejected(Box::new(Rejected {
            voter_id: named("bob"),
            round: 1,
            reason,
            authenticity: Authenticity::None,
            vote: Some(vote(Ballot::Approve(Choice::For))),
            nth: 3,
            received_at: at(2),
        }))
    }));
    events.push(session::Event::EvidenceRecorded(Box::new(evidence.clone())));
    events.extend(exclusions.map(|reason| session::Event::VoterExcluded {
        voter_id: named("ann"),
        reason,
        at: at(4),
    }));
    events.push(session::Event::CommitsClosed { commits: 300, at: at(5) });
    events.push(session::Event::RoundClosed { round: 1, votes: 300, at: at(5) });
    events.extend(Outcome::ALL.map(closed));
    events.push(session::Event::DecisionTainted { voters: vec![named("ann")], at: at(7) });
    events.push(session::Event::SilenceNoted { voters: vec![named("bob")], at: at(8) });
    events.push(session::Event::Told { upto: 300, at: at(9) });
    events.push(session::Event::Keyed(KeyedRequest::default().with("rounds", 3)));
    let (mandate, spent, redeemed) = mandated();
    events.push(session::Event::Mandated(Box::new(mandate)));
    events.push(session::Event::Spent(Box::new(spent)));
    events.push(session::Event::Redeemed(Box::new(redeemed)));
    events.extend(trusted());
    events.push(session::Event::OldEvidenceRecorded(Box::new(evidence)));
    events.extend(handed_on(signature));
    events
}

/// Where powers come from, what was right, and what gates found.
fn trusted() -> Vec<session::Event> {
    let (source, gates) = ("factors:decay=0.95".to_owned(), vec!["quorum".to_owned(), "faults".to_owned()]);
    let weighed = Weighed { source, version: 1, questions: 300, answers: 70_000 };
    let truth = TruthTold {
        truth: Pick::Candidate(candidate("a")),
        score: 300,
        judged: vec![(named("ann"), judgement(true)), (named("bob"), judgement(false))],
        by: Some("ops".into()),
        at: at(12),
    };
    let verdicts =
        [Verdict::Pass, Verdict::RequireRemediation, Verdict::Fail, Verdict::EscalateToHuman, Verdict::Block];
    let finding = |verdict| GateFinding {
        gate: "faults".into(),
        input: "1".into(),
        threshold: "0, at most 1".into(),
        verdict,
    };
    let remedies = [
        Remedy::ExtendDeadline,
        Remedy::ReassignVoters,
        Remedy::QuarantineNode,
        Remedy::ReopenSession,
        Remedy::RebuildIndex,
        Remedy::RecomputeWeights,
        Remedy::NotifyOperator,
    ];
    let gated = Gated { gates, retry_of: EntityId::new("窓").ok(), retries: 1 };
    let found = verdicts.map(finding).into();
    let evaluated = GateEvaluated { verdict: Verdict::Block, findings: found, at: at(13) };
    let mut events = vec![
        session::Event::Weighed(Box::new(weighed)),
        session::Event::KeysNamed([(named("ann"), 300)].into()),
        session::Event::TruthTold(Box::new(truth)),
        session::Event::GatesSet(Box::new(gated)),
        session::Event::DeadlineExtended { deadline: at(60_000_000), at: at(30_000_001) },
        session::Event::GateEvaluated(Box::new(evaluated)),
    ];
    events.extend(remedies.map(|remedy| {
        let triggered = RemedyTriggered { remedy, key: format!("s/{}", remedy.name()), at: at(14) };
        session::Event::RemedyTriggered(Box::new(triggered))
    }));
    let ended =
        RemedyEnded { key: "s/reopen_session".into(), outcome: "opened s-retry-1".into(), at: at(15) };
    events.push(session::Event::RemedyEnded(Box::new(ended)));
    events
}

/// More time, a place that went to another voter, and who was told again.
fn handed_on(signature: Signature) -> Vec<session::Event> {
    let mut events = vec![session::Event::Extended(Box::new(Extended {
        deadline: at(60_000_000),
        before: at(30_000_000),
        by: Some("ops".into()),
        reason: Some("bob is away".into()),
        at: at(10),
    }))];
    let delegated = |authenticity, signature| {
        let credential =
            Credential { public_key: Some(PublicKey::new([5; 32])), handle_hash: Some(digest(4)) };
        session::Event::Delegated(Box::new(Delegated {
            from: named("bob"),
            to: Elector { voter_id: named("eve"), credential, power: 300, uncapped: 301 },
            place: named("ann"),
            issued_at: at(11),
            authenticity,
            signature,
            reason: Some("on leave".into()),
            at: at(12),
        }))
    };
    events.push(delegated(Authenticity::Signature, Some(signature)));
    events.push(delegated(Authenticity::Handle, None));
    events.push(session::Event::RemindersAsked { every_ms: 60_000 });
    events.push(session::Event::Reminded(Box::new(Reminded {
        voter_ids: vec![named("ann"), named("bob")],
        by_itself: true,
        by: Some("ops".into()),
        at: at(13),
    })));
    events
}

/// What a decision allows, a use of it, and the job that began under that.
pub(crate) fn mandated() -> (mandate::Mandate, mandate::Spent, mandate::Redeemed) {
    let mandate = mandate::Mandate {
        tool: "job.submit".into(),
        operation_hash: digest(9),
        expires_at: Some(at(20)),
        uses: 3,
        fence: Some(300),
    };
    let spent = mandate::Spent {
        key: IdempotencyKey::new("k").unwrap(),
        number: 1,
        token: EntityId::new("t").unwrap(),
        fence: Some(301),
        by: Some("ops".into()),
        at: at(10),
    };
    let redeemed = mandate::Redeemed { number: 1, job_id: EntityId::new("j").unwrap(), at: at(11) };
    (mandate, spent, redeemed)
}
