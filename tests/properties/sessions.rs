//! What sessions promise, over random electorates, powers, schedules and crashes, with up to f voters that do anything:
//! vote twice, switch, forge, replay, flood, come late, lie about the time.
//!
//! A thousand schedules; `QUORATE_SESSION_SCHEDULES=1000000` runs as many, `QUORATE_SESSION_SEED` begins elsewhere. A
//! failure prints the seed of its schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::{CandidateId, EntityId, VoterId};
use quorate_core::kernel::rng::Rng;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::rules::Choice as Stance;
use quorate_core::voting::session::certificate::{Place, certify};
use quorate_core::voting::session::{
    Authentication, Authenticity, Ballot, BallotType, Basis, Beside, Candidate, Cast, ClosePolicy, Command,
    Credential, Effect, Elector, Event, Exclusion, Open, Outcome, Pick, Proof, Refusal, Rejection, Reply,
    Revision, SessionMachine, SwitchPolicy, Terms, Threshold, Vote,
};
use quorate_core::voting::signature::{Digest, Domain, PublicKey, Signature};
use quorate_core::voting::voter::{self, ProofLevel, Standing, VoterMachine};

/// One voter that lies takes part in at most so many sessions of a schedule.
const STEPS: u64 = 60;

struct World {
    seed: u64,
    rng: Rng,
    now: Timestamp,
    session: Driver<SessionMachine>,
    log: Vec<Event>,
    voters: Vec<Driver<VoterMachine>>,
    signs: bool,
    n: usize,
    liars: BTreeSet<usize>,
    /// What each honest voter thinks.
    opinion: Vec<Ballot>,
    /// Every vote that was ever made, with its proof: what an attacker may send again.
    pool: Vec<Cast>,
    /// Ballots that were let in, by round and voter.
    taken: BTreeMap<(u32, usize), Ballot>,
    /// Voters that contradicted a ballot of theirs that is in.
    caught: BTreeSet<usize>,
}

fn name(k: usize) -> VoterId {
    VoterId::new(format!("v{k:02}")).unwrap()
}

fn key(k: usize) -> SigningKey {
    SigningKey::from_bytes(&[k as u8 + 1; 32])
}

fn handle(k: usize) -> Digest {
    Domain::Handle.hash(&[k as u8])
}

impl World {
    fn chance(&mut self, of: u64) -> bool {
        self.rng.next_u64().is_multiple_of(of)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.rng.next_u64() % n as u64) as usize
    }

    fn random_ballot(&mut self, kind: BallotType) -> Ballot {
        match kind {
            BallotType::Approve => {
                Ballot::Approve([Stance::For, Stance::Against, Stance::Abstain][self.below(3)])
            }
            _ => Ballot::Choice(CandidateId::new(["a", "b", "c"][self.below(3)]).unwrap()),
        }
    }

    fn begin(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        let mut pick = |n: u64| rng.next_u64() % n;
        let n = 4 + pick(10) as usize;
        let f = (n - 1) / 3;
        let signs = pick(4) == 0;
        let kind = if pick(2) == 0 { BallotType::Approve } else { BallotType::Choice };
        let rounds = [1, 1, 1, 3][pick(4) as usize];
        let terms = Terms {
            proposal: "1".into(),
            ballot_type: kind,
            candidates: match kind {
                BallotType::Approve => Vec::new(),
                _ => ["a", "b", "c"]
                    .map(|name| Candidate {
                        candidate_id: CandidateId::new(name).unwrap(),
                        kind: String::new(),
                    })
                    .to_vec(),
            },
            rounds,
            switch_policy: [SwitchPolicy::Exclude, SwitchPolicy::Flag, SwitchPolicy::Allow][pick(3) as usize],
            close_policy: [ClosePolicy::OnQuorum, ClosePolicy::AllOrDeadline][pick(2) as usize],
            revision: [Revision::Final, Revision::Final, Revision::Revisable][pick(3) as usize],
            authentication: Authentication::Required,
            commit_reveal: false,
            power_cap: pick(2) == 0,
        };
        let electors: Vec<Elector> = (0..n)
            .map(|k| {
                let power = [1_000_000, 100_000 + pick(2_900_000)][pick(2) as usize];
                let public_key = signs.then(|| PublicKey::new(key(k).verifying_key().to_bytes()));
                let credential = Credential { public_key, handle_hash: (!signs).then(|| handle(k)) };
                Elector { voter_id: name(k), credential, power, uncapped: power }
            })
            .collect();
        let open = Open {
            session_id: EntityId::new("s").unwrap(),
            terms,
            electors,
            basis: [Basis::Heads, Basis::Both][pick(2) as usize],
            threshold: Threshold::Strict,
            declared_faults: (pick(2) == 0).then_some(f as u32),
            max_voters: 100,
            context: None,
            timeout: Duration::from_secs(30 + pick(60)),
            round_timeout: (pick(2) == 0).then(|| Duration::from_secs(9)),
            commit_timeout: None,
            keyed: None,
            remind_every: None,
            beside: Beside::default(),
        };
        let liars: BTreeSet<usize> = (0..pick(f as u64 + 1)).map(|_| pick(n as u64) as usize).collect();
        let mut world = World {
            seed,
            rng,
            now: Timestamp::from_millis(1_000_000),
            session: Driver::default(),
            log: Vec::new(),
            voters: (0..n).map(|_| Driver::default()).collect(),
            signs,
            n,
            liars,
            opinion: Vec::new(),
            pool: Vec::new(),
            taken: BTreeMap::new(),
            caught: BTreeSet::new(),
        };
        // Most honest voters think alike, or nothing would ever be decided.
        let common = world.random_ballot(kind);
        for _ in 0..n {
            let own = if world.chance(6) { world.random_ballot(kind) } else { common.clone() };
            world.opinion.push(own);
        }
        for k in 0..n {
            let register = voter::Command::Register {
                voter_id: name(k),
                public_key: None,
                handle_hash: None,
                weight: 1,
            };
            world.voters[k].step(register, world.now).reply.unwrap();
        }
        world.step(Command::Open(Box::new(open))).unwrap();
        world
    }

    fn step(&mut self, command: Command) -> Result<Reply, Rejection> {
        let step = self.session.step(command, self.now);
        self.log.extend(step.events);
        step.reply
    }

    /// A vote of a voter, made with what only it has.
    fn made(&mut self, k: usize, ballot: Ballot, seq: u64, issued_at: Timestamp) -> Cast {
        let state = self.session.state();
        let vote = Vote {
            round: state.round,
            voter_id: name(k),
            seq,
            issued_at,
            ballot,
            score: 1_000_000,
            confidence: 1_000_000,
            claimed_weight: None,
            reasoning_hash: None,
        };
        let proof = if self.signs {
            let message = vote.message(&state.binding().unwrap());
            let signature = Signature::new(key(k).sign(&message).to_bytes());
            Proof { signature: Some(signature), ..Proof::default() }
        } else {
            Proof { handle_hash: Some(handle(k)), ..Proof::default() }
        };
        let cast = Cast::new(vote, proof);
        // A handle is a secret between the voter and this process: nobody can send it again.
        if self.signs || self.liars.contains(&k) {
            self.pool.push(cast.clone());
        }
        cast
    }

    fn deliver(&mut self, mut cast: Cast) {
        let k = (0..self.n).find(|k| name(*k) == cast.vote.voter_id);
        cast.standing = k.map(|k| self.voters[k].state().standing.clone());
        let (round, ballot) = (cast.vote.round, cast.vote.ballot.clone());
        let final_votes = self.session.state().opened.as_ref().unwrap().terms.revision == Revision::Final;
        let reply = self.step(Command::Vote(Box::new(cast)));
        let Some(k) = k else { return };
        match reply {
            Ok(Reply::Voted(receipt)) if !receipt.duplicate => drop(self.taken.insert((round, k), ballot)),
            Err(Rejection::Vote { reason: Refusal::Equivocation, .. }) => drop(self.caught.insert(k)),
            Err(Rejection::Vote { reason, .. })
                if final_votes && reason.layer() != 4 && reason.layer() != 1 =>
            {
                // What passed layer 4 and contradicts what is in must have been told as such.
                let contradicts = self.taken.get(&(round, k)).is_some_and(|held| !held.agrees_with(&ballot));
                assert!(!contradicts, "seed {}: {reason:?}", self.seed);
            }
            _ => {}
        }
    }

    /// What one step of an honest voter is: its opinion, perhaps again, with a clock that is a little off.
    fn honest(&mut self, k: usize) {
        let off = Duration::from_secs(self.rng.next_u64() % 50);
        let issued = if self.chance(2) { self.now.plus(off) } else { self.now.minus(off) };
        let seq = self.session.state().next_number(&name(k));
        let cast = self.made(k, self.opinion[k].clone(), seq, issued);
        self.deliver(cast);
    }

    fn lie(&mut self, k: usize) {
        let kind = self.session.state().opened.as_ref().unwrap().terms.ballot_type;
        let ballot = self.random_ballot(kind);
        let victim = self.below(self.n);
        let seq = 1 + self.rng.next_u64() % 4;
        match self.below(9) {
            0 | 1 => {
                let cast = self.made(k, ballot, seq, self.now);
                self.deliver(cast);
            }
            // In the name of another: with one's own proof, with none, with a claim of the right hash.
            2 => {
                let mut cast = self.made(k, ballot, seq, self.now);
                self.pool.pop();
                cast.vote.voter_id = name(victim);
                if victim != k {
                    self.deliver(cast);
                }
            }
            3 => {
                let mut cast = self.made(k, ballot, seq, self.now);
                self.pool.pop();
                cast.vote.voter_id = name(victim);
                cast.proof = Proof {
                    hash: Some(cast.vote.hash(&self.session.state().binding().unwrap())),
                    ..Proof::default()
                };
                self.deliver(cast);
            }
            // What others made, word by word, and with one word changed.
            4 if !self.pool.is_empty() => {
                let at = self.below(self.pool.len());
                let cast = self.pool[at].clone();
                self.deliver(cast);
            }
            5 if self.signs && !self.pool.is_empty() => {
                let at = self.below(self.pool.len());
                let mut cast = self.pool[at].clone();
                cast.vote.seq += 1;
                self.deliver(cast);
            }
            6 => {
                let cast = self.made(k, ballot, seq, self.now.plus(Duration::from_secs(3_600)));
                self.deliver(cast);
            }
            7 => {
                for _ in 0..5 {
                    let cast = self.made(k, ballot.clone(), seq, self.now);
                    self.deliver(cast);
                }
            }
            _ => {
                let mut cast = self.made(k, ballot, seq, self.now);
                self.pool.pop();
                cast.vote.round += 1;
                self.deliver(cast);
            }
        }
    }

    /// Voters hear what sessions saw of them, and the session what became of them; perhaps twice.
    fn tell(&mut self) {
        for effect in self.session.state().opened.iter().flat_map(|_| owed(&self.session)).collect::<Vec<_>>()
        {
            let Effect::Tell(reports) = effect else { continue };
            let upto = reports.iter().map(|report| report.number).max().unwrap_or(0);
            for k in 0..self.n {
                let own =
                    reports.iter().filter(|report| report.voter_id == name(k)).cloned().collect::<Vec<_>>();
                for _ in 0..1 + self.below(2) {
                    let command = voter::Command::Note {
                        session_id: EntityId::new("s").ok(),
                        reports: own.clone(),
                        last_seen: None,
                        room: false,
                    };
                    self.voters[k].step(command, self.now).reply.unwrap();
                }
                let reason = match self.voters[k].state().standing {
                    Standing::Byzantine { .. } => Exclusion::Byzantine,
                    _ => continue,
                };
                self.step(Command::Exclude { voter_id: name(k), reason }).unwrap();
            }
            // A crash may come before it is known that they were told.
            if !self.chance(3) {
                self.step(Command::RecordTold { upto }).unwrap();
            }
        }
    }

    fn crash(&mut self) {
        let mut again = Driver::<SessionMachine>::default();
        self.log.iter().for_each(|event| again.replay(event));
        assert_eq!(again.state(), self.session.state(), "seed {}: replay is not live", self.seed);
        self.session = again;
    }

    fn run(seed: u64) -> Option<Outcome> {
        let mut world = World::begin(seed);
        for _ in 0..STEPS {
            let k = world.below(world.n);
            if world.liars.contains(&k) {
                world.lie(k)
            } else {
                world.honest(k)
            }
            if world.chance(4) {
                let ms = world.rng.next_u64() % 2_500;
                world.now = world.now.plus(Duration::from_millis(ms));
            }
            if world.chance(5) {
                world.tell();
            }
            if world.chance(25) {
                world.crash();
            }
            if world.chance(30) {
                let _ = world.step(Command::EndRound { round: None });
            }
        }
        world.now = world.now.plus(Duration::from_secs(1_000));
        world.step(Command::Tick).unwrap();
        // The liars go on after the end.
        for k in world.liars.clone() {
            (0..4).for_each(|_| world.lie(k));
        }
        world.tell();
        world.check()
    }

    fn check(mut self) -> Option<Outcome> {
        let seed = self.seed;
        self.crash();
        let state = self.session.state();
        let opened = state.opened.as_deref().unwrap();
        let ends = self.log.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        assert_eq!(ends, 1, "seed {seed}: one end");
        // Nobody honest is convicted, or costs itself its vote.
        for k in (0..self.n).filter(|k| !self.liars.contains(k)) {
            let voter = &self.voters[k];
            assert!(!matches!(voter.state().standing, Standing::Byzantine { .. }), "seed {seed}: v{k}");
            assert!(
                !state.malicious().contains(&name(k)) && !state.excluded.contains_key(&name(k)),
                "seed {seed}: v{k}"
            );
        }
        // Everybody who was caught is on record, with votes that convince.
        for k in &self.caught {
            assert!(state.malicious().contains(&name(*k)), "seed {seed}: v{k}");
            let standing = &self.voters[*k].state().standing;
            assert!(matches!(standing, Standing::Byzantine { .. }), "seed {seed}: v{k} {standing:?}");
        }
        for evidence in &state.evidence {
            let (first, second) = (&evidence.first, &evidence.second);
            assert!(
                !first.vote.ballot.agrees_with(&second.vote.ballot) && first.vote.round == second.vote.round
            );
            assert_eq!(first.vote.voter_id, second.vote.voter_id);
            assert_eq!(evidence.level == ProofLevel::Transferable, self.signs, "seed {seed}");
            if let Some(key) = &evidence.credential.public_key {
                for exhibit in [first, second] {
                    assert_eq!(exhibit.authenticity, Authenticity::Signature);
                    assert!(
                        exhibit.vote.is_signed(&opened.binding(), key, &exhibit.signature.unwrap()),
                        "seed {seed}"
                    );
                }
            }
        }
        let closed = state.closed.as_deref().unwrap();
        if let Some(pick) = &closed.pick {
            self.check_decision(pick, closed.round);
        }
        Some(closed.outcome)
    }

    /// Enough honest voters support what was decided, and no other option could have reached the quorum: not even with
    /// every vote that was ever made, each counted for the option it names.
    fn check_decision(&self, pick: &Pick, round: u32) {
        let (state, seed) = (self.session.state(), self.seed);
        let opened = state.opened.as_deref().unwrap();
        let honest = |k: &usize| !self.liars.contains(k);
        let supporters = state.votes[&round].iter().filter(|(_, vote)| vote.vote.ballot.picks(pick));
        let counted =
            supporters.filter(|(voter, _)| (0..self.n).filter(honest).any(|k| name(k) == **voter)).count();
        let f = (self.n - 1) / 3;
        assert!(counted > f, "seed {seed}: {counted} honest supporters of {}", self.n);
        if opened.terms.revision == Revision::Final {
            let mut behind: BTreeMap<Pick, BTreeSet<usize>> = BTreeMap::new();
            let honest_votes = self.taken.iter().filter(|((at, k), _)| *at == round && honest(k));
            let honest_votes = honest_votes.map(|((_, k), ballot)| (*k, ballot));
            let lies = self.pool.iter().filter(|cast| cast.vote.round == round);
            let lies = lies.filter_map(|cast| {
                let k = self.liars.iter().find(|k| name(**k) == cast.vote.voter_id)?;
                Some((*k, &cast.vote.ballot))
            });
            for (k, ballot) in honest_votes.chain(lies) {
                for (pick, _) in ballot.supports(1) {
                    behind.entry(pick).or_default().insert(k);
                }
            }
            let deciding = behind.iter().filter(|(_, voters)| voters.len() as u32 >= opened.quorum.heads);
            for (other, voters) in deciding {
                assert_eq!(other, pick, "seed {seed}: {voters:?} could decide otherwise");
            }
        }
        if self.signs && state.tainted.is_none() {
            let place = Place { seq: 1, position: 1, record_hash: String::new() };
            let certificate = certify(state, place).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
            certificate.check().unwrap_or_else(|flaw| panic!("seed {seed}: {flaw}"));
        }
    }
}

fn owed(session: &Driver<SessionMachine>) -> Vec<Effect> {
    use quorate_core::kernel::Machine;
    SessionMachine::owed(session.state())
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn up_to_f_liars_split_nothing_frame_nobody_and_leave_evidence() {
    let (first, count) = (number("QUORATE_SESSION_SEED", 1), number("QUORATE_SESSION_SCHEDULES", 1_000));
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first..first + count {
        let outcome = World::run(seed).map_or("none", Outcome::name);
        *ends.entry(outcome).or_default() += 1;
    }
    println!("{count} schedules: {ends:?}");
    // The schedules are such that something is decided, and not always.
    if count >= 1_000 {
        assert!(ends["decided"] * 5 > count && ends.len() >= 3, "{ends:?}");
    }
}
