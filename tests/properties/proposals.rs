//! Proposals beside a naive twin that tries every completion, and the laws of their logs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::kernel::driver::Driver;
use quorate_core::kernel::ids::VoterId;
use quorate_core::kernel::time::Timestamp;
use quorate_core::voting::proposal::command::Decider;
use quorate_core::voting::proposal::event::Delivered;
use quorate_core::voting::proposal::stats::ProposalStats;
use quorate_core::voting::proposal::{
    Ballot, Command, Delegate, Event, Open, Proposal as State, ProposalMachine, Rejection, Reply, Verdict,
    VoteChange, VoteOutcome,
};
use quorate_core::voting::rules::{Choice, Param, RuleSpec};
use quorate_journal::codec::{decode, encode};

type Proposal = Driver<ProposalMachine>;

/// Votes are taken for the shortest time there is, in microseconds.
const TIMEOUT_US: i64 = 100_000;

/// The names are not in the order of their numbers.
fn agent(n: usize) -> VoterId {
    VoterId::new(["fig", "ash", "oak", "elm", "yew", "bay", "fir", "box"][n % 8]).unwrap()
}

/// A rule as a sentence one can check against the votes of everybody; `None` is silence.
#[derive(Clone, Debug)]
enum Naive {
    Threshold(u64, u64, bool),
    Weighted(u64, u64),
    Unanimous,
    Dual(u64, u64),
    Veto(BTreeSet<usize>, Box<Naive>),
    Not(Box<Naive>),
    All(Vec<Naive>),
    Any(Vec<Naive>),
}

type Votes = [Option<Choice>];

impl Naive {
    fn holds(&self, votes: &Votes, weights: &[u64]) -> bool {
        let heads = votes.len() as u64;
        let yes = votes.iter().filter(|vote| **vote == Some(Choice::For)).count() as u64;
        let voted = votes.iter().flatten().count() as u64;
        let weight: u64 = weights[..votes.len()].iter().sum();
        let yes_weight: u64 =
            votes.iter().zip(weights).filter(|(vote, _)| **vote == Some(Choice::For)).map(|(_, w)| w).sum();
        let more = |part, whole, n, d| if n == d { part == whole && whole > 0 } else { part * d > whole * n };
        match self {
            Naive::Threshold(n, d, majority) => more(yes, heads, *n, *d) && (!majority || 2 * voted >= heads),
            Naive::Weighted(n, d) => more(yes_weight, weight, *n, *d),
            Naive::Unanimous => yes == heads,
            Naive::Dual(by_heads, by_power) => {
                yes * 4 >= heads * by_heads && yes_weight * 4 >= weight * by_power && weight > 0
            }
            Naive::Veto(blockers, rule) => {
                let blocked = blockers.iter().any(|b| votes.get(*b) == Some(&Some(Choice::Against)));
                rule.holds(votes, weights) && !blocked
            }
            Naive::Not(rule) => !rule.holds(votes, weights),
            Naive::All(rules) => rules.iter().all(|rule| rule.holds(votes, weights)),
            Naive::Any(rules) => rules.iter().any(|rule| rule.holds(votes, weights)),
        }
    }

    fn spec(&self, weights: &[u64]) -> RuleSpec {
        let text = |n: &u64, d: &u64| format!("{n}/{d}");
        let table = weights.iter().enumerate().map(|(n, w)| (agent(n).to_string(), Param::from(*w as u32)));
        let table = Param::Map(table.collect());
        match self {
            Naive::Threshold(n, d, majority) => RuleSpec::new("threshold")
                .with("threshold", text(n, d).as_str())
                .with("require_majority", *majority),
            Naive::Weighted(n, d) => {
                RuleSpec::new("weighted").with("threshold", text(n, d).as_str()).with("agent_weights", table)
            }
            Naive::Unanimous => RuleSpec::new("unanimous"),
            Naive::Dual(heads, power) => RuleSpec::new("dual")
                .with("heads", text(heads, &4).as_str())
                .with("power", text(power, &4).as_str())
                .with("agent_weights", table),
            Naive::Veto(blockers, rule) => {
                let names: Vec<Param> = blockers.iter().map(|b| Param::from(agent(*b).as_str())).collect();
                RuleSpec::new("veto").with("voters", Param::List(names)).with("rule", rule.spec(weights))
            }
            Naive::Not(rule) => RuleSpec::new("not").with("rule", rule.spec(weights)),
            Naive::All(rules) => RuleSpec::new("all")
                .with("rules", rules.iter().map(|rule| rule.spec(weights)).collect::<Vec<_>>()),
            Naive::Any(rules) => RuleSpec::new("any")
                .with("rules", rules.iter().map(|rule| rule.spec(weights)).collect::<Vec<_>>()),
        }
    }
}

fn rule() -> impl Strategy<Value = Naive> {
    let share = (0..=4u64, 3..=4u64).prop_map(|(n, d)| (n.min(d), d));
    let leaf = prop_oneof![
        (share.clone(), any::<bool>()).prop_map(|((n, d), majority)| Naive::Threshold(n, d, majority)),
        share.prop_map(|(n, d)| Naive::Weighted(n, d)),
        Just(Naive::Unanimous),
        (1..=4u64, 1..=4u64).prop_map(|(heads, power)| Naive::Dual(heads, power)),
    ];
    leaf.prop_recursive(3, 6, 2, |inner| {
        let two = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            (prop::collection::btree_set(0..6usize, 1..3), inner.clone())
                .prop_map(|(blockers, rule)| Naive::Veto(blockers, Box::new(rule))),
            inner.prop_map(|rule| Naive::Not(Box::new(rule))),
            two.clone().prop_map(Naive::All),
            two.prop_map(Naive::Any),
        ]
    })
}

/// A proposal and what is asked of it, each command with the instant it comes in.
#[derive(Clone, Debug)]
struct Script {
    rule: Naive,
    weights: Vec<u64>,
    agents: usize,
    replace: bool,
    fail_fast: bool,
    absent: Vec<usize>,
    commands: Vec<(i64, Act)>,
}

#[derive(Clone, Debug)]
enum Act {
    Vote(usize, Choice),
    Delegate(usize, usize),
    Absent(usize, bool),
    Told(bool),
    Tick,
    Reconsider,
}

impl Script {
    fn open(&self) -> Open {
        let absent = self.absent.iter().filter(|n| self.fail_fast && **n < self.agents);
        Open {
            keyed: None,
            mandate: None,
            answer: None,
            remind_every: None,
            proposal: "{}".to_owned(),
            digest: "d".to_owned(),
            algorithm: "named".to_owned(),
            decider: Decider::Rule(self.rule.spec(&self.weights)),
            participants: (0..self.agents).map(agent).collect(),
            excluded: Vec::new(),
            timeout: Duration::from_micros(TIMEOUT_US as u64),
            vote_change: if self.replace { VoteChange::Replace } else { VoteChange::Reject },
            fail_fast: self.fail_fast,
            absent: absent.map(|n| agent(*n)).collect(),
        }
    }

    fn all(&self) -> Vec<(Timestamp, Command)> {
        let command = |act: &Act| match act {
            Act::Vote(n, vote) => Command::Vote(Ballot {
                voter_id: agent(*n),
                vote: *vote,
                weight: Some(*n as f64),
                metadata: None,
                reason: None,
                value: None,
            }),
            Act::Delegate(n, to) => {
                let (from, to) = (agent(*n), agent(*to));
                Command::Delegate(Box::new(Delegate { from, to, absent: false, reason: None }))
            }
            Act::Absent(n, absent) => Command::RecordAbsence { agent_id: agent(*n), absent: *absent },
            Act::Told(true) => Command::RecordBroadcast(Ok(Delivered::default())),
            Act::Told(false) => Command::RecordBroadcast(Err("no route".to_owned())),
            Act::Tick => Command::Tick,
            Act::Reconsider => Command::Reconsider,
        };
        let later = self.commands.iter().map(|(at, act)| (Timestamp::from_micros(*at), command(act)));
        std::iter::once((Timestamp::EPOCH, Command::Open(Box::new(self.open())))).chain(later).collect()
    }
}

fn choice() -> impl Strategy<Value = Choice> {
    prop::sample::select(vec![Choice::For, Choice::For, Choice::Against, Choice::Abstain])
}

/// Instants: mostly early, then around the deadline; they only move forward.
fn script(most_agents: usize) -> impl Strategy<Value = Script> {
    let act = prop_oneof![
        20 => (0..8usize, choice()).prop_map(|(n, vote)| Act::Vote(n, vote)),
        6 => (0..8usize, 0..8usize).prop_map(|(from, to)| Act::Delegate(from, to)),
        4 => (0..8usize, any::<bool>()).prop_map(|(n, absent)| Act::Absent(n, absent)),
        1 => prop::bool::weighted(0.8).prop_map(Act::Told),
        2 => Just(Act::Tick),
        1 => Just(Act::Reconsider),
    ];
    let pause = prop_oneof![8 => 0..3i64, 1 => Just(TIMEOUT_US - 4)];
    let commands = prop::collection::vec((pause, act), 0..24);
    let setting = (1..=most_agents, prop::collection::vec(0..4u64, 8), any::<bool>(), any::<bool>());
    (rule(), setting, prop::collection::vec(0..8usize, 0..3), commands).prop_map(
        |(rule, (agents, weights, replace, fail_fast), absent, paused)| {
            let mut now = 0;
            let commands = paused.into_iter().map(|(pause, act)| {
                now += pause;
                (now, act)
            });
            let commands = commands.collect();
            Script { rule, weights, agents, replace, fail_fast, absent, commands }
        },
    )
}

/// The outcome on which all completions agree, found by trying every one of them.
fn agreed(script: &Script, votes: &Votes, silent: &BTreeSet<usize>) -> Option<bool> {
    fn go(script: &Script, votes: &mut Vec<Option<Choice>>, open: &[usize], seen: &mut [bool; 2]) {
        let Some((first, rest)) = open.split_first() else {
            seen[usize::from(script.rule.holds(votes, &script.weights))] = true;
            return;
        };
        for choice in [None, Some(Choice::For), Some(Choice::Against), Some(Choice::Abstain)] {
            votes[*first] = choice;
            go(script, votes, rest, seen);
            if *seen == [true, true] {
                break;
            }
        }
        votes[*first] = None;
    }
    let open: Vec<usize> = (0..votes.len()).filter(|n| votes[*n].is_none() && !silent.contains(n)).collect();
    let mut seen = [false, false];
    go(script, &mut votes.to_vec(), &open, &mut seen);
    match seen {
        [true, false] => Some(false),
        [false, true] => Some(true),
        _ => None,
    }
}

/// What the votes alone make of the question.
fn judged(script: &Script, votes: &Votes, absent: &BTreeSet<usize>) -> Option<Verdict> {
    match agreed(script, votes, &BTreeSet::new()) {
        Some(true) => return Some(Verdict::Approved),
        Some(false) => return Some(Verdict::Rejected),
        None => {}
    }
    let hopeless = script.fail_fast && agreed(script, votes, absent) == Some(false);
    (hopeless && !absent.is_empty()).then_some(Verdict::Timeout)
}

/// The twin: what stands in which place, whose the places are, who is away, and how it ended.
struct Twin {
    votes: Vec<Option<Choice>>,
    heads: Vec<usize>,
    gave: BTreeMap<usize, usize>,
    absent: BTreeSet<usize>,
    told: bool,
    end: Option<Verdict>,
}

impl Twin {
    /// Who has the place of this one now, wherever it went since.
    fn holder(&self, n: usize) -> usize {
        self.gave.get(&n).map_or(n, |to| self.holder(*to))
    }

    fn place_of(&self, head: usize) -> Option<usize> {
        self.heads.iter().position(|one| *one == head)
    }

    fn judge(&self, script: &Script) -> Option<Verdict> {
        let absent = self.absent.iter().filter_map(|head| self.place_of(*head)).collect();
        judged(script, &self.votes, &absent)
    }

    fn act(&mut self, script: &Script, at: i64, act: &Act) -> Option<Result<VoteOutcome, Rejection>> {
        if self.end.is_none() && at > TIMEOUT_US {
            self.end = Some(Verdict::Timeout);
        }
        let is_open = self.end.is_none();
        let mut outcome = None;
        match act {
            Act::Vote(n, vote) => {
                let place = self.place_of(*n);
                outcome = Some(match (place.map(|place| self.votes[place]), self.end) {
                    (None, _) if self.gave.contains_key(n) => {
                        Err(Rejection::Delegated { to: agent(self.holder(*n)) })
                    }
                    (None, _) => Err(Rejection::NotParticipant),
                    (Some(Some(standing)), _) if standing == *vote => Ok(VoteOutcome::Duplicate),
                    (Some(Some(held)), Some(decision)) => {
                        let (held_value, given_value) = (None, None);
                        Err(Rejection::Late { decision, held, given: *vote, held_value, given_value })
                    }
                    (Some(None), Some(decision)) => Err(Rejection::Closed { decision }),
                    (Some(Some(held)), None) if !script.replace => {
                        let given = *vote;
                        Err(Rejection::AlreadyVoted { held, given, held_value: None, given_value: None })
                    }
                    (Some(_), None) => {
                        self.votes[place.unwrap()] = Some(*vote);
                        self.absent.remove(n);
                        Ok(VoteOutcome::Recorded)
                    }
                });
            }
            Act::Delegate(from, to) => {
                let place = self.place_of(*from).filter(|place| self.votes[*place].is_none() && is_open);
                let is_free = self.place_of(*to).is_none() && !self.gave.contains_key(to);
                if let Some(place) = place.filter(|_| is_free) {
                    self.heads[place] = *to;
                    self.gave.insert(*from, *to);
                    self.absent.remove(from);
                }
            }
            Act::Absent(n, absent) => {
                let awaited = self.place_of(*n).is_some_and(|place| self.votes[place].is_none());
                if script.fail_fast && awaited && is_open {
                    if *absent {
                        self.absent.insert(*n)
                    } else {
                        self.absent.remove(n)
                    };
                }
            }
            Act::Told(true) => self.told = true,
            Act::Told(false) if is_open && !self.told => self.end = Some(Verdict::Aborted),
            Act::Told(false) | Act::Tick | Act::Reconsider => {}
        }
        if self.end.is_none() {
            self.end = self.judge(script);
        }
        outcome
    }
}

fn replayed<'a>(events: impl IntoIterator<Item = &'a Event>) -> Proposal {
    let mut proposal = Proposal::default();
    events.into_iter().for_each(|event| proposal.replay(event));
    proposal
}

fn recorded(script: &Script) -> (Vec<Event>, Proposal) {
    let mut proposal = Proposal::default();
    let mut events = Vec::new();
    for (now, command) in script.all() {
        events.extend(proposal.step(command, now).events);
    }
    (events, proposal)
}

proptest! {
    #[test]
    fn a_proposal_closes_exactly_when_all_completions_agree(script in script(6)) {
        let mut proposal = Proposal::default();
        let mut all = script.all().into_iter();
        let (now, open) = all.next().unwrap();
        let opened = proposal.step(open, now);
        // What no votes can meet is refused, and was never asked; where nobody weighs anything it is rejected at once.
        if agreed(&script, &vec![None; script.agents], &BTreeSet::new()) == Some(false) {
            if let Ok(reply) = opened.reply {
                prop_assert!(script.weights[..script.agents].iter().all(|weight| *weight == 0), "{:?}", reply);
                prop_assert_eq!(proposal.state().decision(), Some(Verdict::Rejected));
            } else {
                prop_assert!(matches!(opened.reply, Err(Rejection::Unmeetable(_))), "{:?}", opened.reply);
                prop_assert!(opened.events.is_empty() && proposal.state().opened.is_none());
            }
            return Ok(());
        }
        let absent = script.absent.iter().copied().filter(|n| script.fail_fast && *n < script.agents);
        let mut twin = Twin {
            votes: vec![None; script.agents],
            heads: (0..script.agents).collect(),
            gave: BTreeMap::new(),
            absent: absent.collect(),
            told: false,
            end: None,
        };
        twin.end = twin.judge(&script);
        prop_assert_eq!(proposal.state().decision(), twin.end);
        for ((now, command), (at, act)) in all.zip(&script.commands) {
            let step = proposal.step(command, now);
            let expected = twin.act(&script, *at, act);
            if let Some(expected) = expected {
                let outcome = match step.reply {
                    Ok(Reply::Voted { outcome, .. }) => Ok(outcome),
                    Ok(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
                    Err(rejection) => Err(rejection),
                };
                prop_assert_eq!(outcome, expected);
            }
            prop_assert_eq!(proposal.state().decision(), twin.end, "after {:?}", act);
            let standing: BTreeMap<_, _> = proposal.state().votes.iter().map(|(id, v)| (id.clone(), v.vote)).collect();
            let naive = twin.votes.iter().enumerate().filter_map(|(n, vote)| Some((agent(n), (*vote)?)));
            prop_assert_eq!(standing, naive.collect());
            let gave = proposal.state().delegated.values().map(|one| (one.from.clone(), one.to.clone()));
            let naive = twin.gave.iter().map(|(from, to)| (agent(*from), agent(*to)));
            prop_assert_eq!(gave.collect::<BTreeMap<_, _>>(), naive.collect());
            let outstanding = twin.votes.iter().zip(&twin.heads).filter(|(vote, _)| vote.is_none() && twin.end.is_none());
            let naive: BTreeSet<_> = outstanding.map(|(_, head)| agent(*head)).collect();
            prop_assert_eq!(proposal.state().outstanding().into_iter().cloned().collect::<BTreeSet<_>>(), naive);
        }
    }

    #[test]
    fn the_log_of_a_proposal_is_the_proposal(script in script(8)) {
        let (events, live) = recorded(&script);
        let stored: Vec<Vec<u8>> = events.iter().map(|event| encode(event).unwrap()).collect();
        let decoded: Vec<Event> = stored.iter().map(|bytes| decode(bytes).unwrap()).collect();
        prop_assert_eq!(&decoded, &events);
        let again = replayed(&decoded);
        prop_assert_eq!(again.state(), live.state());
        prop_assert_eq!((again.revision(), again.due(), again.wake()), (live.revision(), live.due(), live.wake()));
        let closes = events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        prop_assert_eq!(closes, usize::from(live.state().closed.is_some()));
        prop_assert!(live.state().heads().iter().sum::<u32>() as usize == live.state().votes.len());
        // Nobody votes once it has ended.
        let end = events.iter().position(|event| matches!(event, Event::Closed(_))).unwrap_or(events.len());
        prop_assert!(!events[end..].iter().any(|event| matches!(event, Event::VoteCast(_))));
    }

    #[test]
    fn a_proposal_rebuilt_before_every_step_comes_to_the_same_end(script in script(8)) {
        let (straight, live) = recorded(&script);
        let mut log: Vec<Event> = Vec::new();
        let mut kept = Proposal::default();
        for (now, command) in script.all() {
            let mut reborn = replayed(&log);
            let state: State = decode(&encode(kept.state()).unwrap()).unwrap();
            kept = Proposal::default().restore(state, kept.revision());
            let (one, other) = (reborn.step(command.clone(), now), kept.step(command, now));
            prop_assert_eq!(&one.events, &other.events);
            log.extend(one.events);
        }
        prop_assert_eq!(&log, &straight);
        prop_assert_eq!(kept.state(), live.state());
    }

    #[test]
    fn a_log_cut_anywhere_and_carried_on_has_one_end_and_the_votes_it_had(script in script(6), cut in any::<prop::sample::Index>()) {
        let (events, live) = recorded(&script);
        let kept = cut.index(events.len() + 1);
        let mut survivor = replayed(&events[..kept]);
        if kept == 0 {
            return Ok(());
        }
        let later = Timestamp::from_micros(9 * TIMEOUT_US);
        let settled = survivor.settle(later).events;
        prop_assert!(survivor.settle(later).events.is_empty());
        prop_assert!(survivor.state().closed.is_some());
        // The close that was cut off is the first thing that was to come: it is made up for as it was.
        if let Some(Event::Closed(lost)) = events.get(kept)
            && lost.cause.is_none()
            && (lost.decided_by.is_some() || lost.decision == Verdict::Timeout)
        {
            let [Event::Closed(made_up)] = settled.as_slice() else {
                return Err(TestCaseError::fail(format!("{settled:?}")));
            };
            prop_assert_eq!((made_up.decision, made_up.closed_at), (lost.decision, lost.closed_at));
            prop_assert_eq!((made_up.votes, &made_up.decided_by), (lost.votes, &lost.decided_by));
            prop_assert_eq!(survivor.state().decision(), live.state().decision());
        }
    }

    #[test]
    fn statistics_are_a_recount_of_the_logs(scripts in prop::collection::vec(script(5), 1..6)) {
        let logs: Vec<Vec<Event>> = scripts.iter().map(|script| recorded(script).0).collect();
        let mut stats = ProposalStats::default();
        // Interleaved, as the journal has them.
        for n in 0..logs.iter().map(Vec::len).max().unwrap_or(0) {
            logs.iter().filter_map(|log| log.get(n)).for_each(|event| stats.apply(event));
        }
        let all = || logs.iter().flatten();
        let ends: Vec<_> = all().filter_map(|event| match event { Event::Closed(c) => Some(c), _ => None }).collect();
        let aborted = ends.iter().filter(|end| end.decision == Verdict::Aborted).count();
        let counted: Vec<_> = ends.iter().filter(|end| end.decision != Verdict::Aborted).collect();
        let opened = logs.iter().filter(|log| !log.is_empty()).count();
        let of = |verdict| counted.iter().filter(|end| end.decision == verdict).count() as u64;
        let expected = [of(Verdict::Approved), of(Verdict::Rejected), of(Verdict::Timeout)];
        prop_assert_eq!([stats.ended.approved, stats.ended.rejected, stats.ended.timeouts], expected);
        prop_assert_eq!((stats.opened, stats.aborted), (opened as u64, aborted as u64));
        prop_assert_eq!(stats.active(), (opened - ends.len()) as u64);
        let casts = all().filter(|event| matches!(event, Event::VoteCast(_))).count() as u64;
        let refused = all().filter(|event| matches!(event, Event::VoteRefused(_))).count() as u64;
        prop_assert_eq!((stats.votes, stats.refused_votes), (casts, refused));
        let took: u128 = counted.iter().map(|end| end.closed_at.since(end.opened_at).as_micros()).sum();
        let mean = if counted.is_empty() { 0.0 } else { took as f64 / 1000.0 / counted.len() as f64 };
        prop_assert!((stats.avg_duration_ms() - mean).abs() < 1e-9);
        let rate = if counted.is_empty() { 0.0 } else { expected[0] as f64 / counted.len() as f64 };
        prop_assert_eq!(stats.ended.approval_rate(), rate);
        prop_assert_eq!(stats.by_algorithm.values().map(|t| t.total()).sum::<u64>(), stats.ended.total());
    }
}
