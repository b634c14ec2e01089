//! What a decision costs the core alone: every rule of the table with its plain parameters, and some that are harder,
//! at 10 to 1,000 voters. No actor, no journal, no clock.
//!
//! ```text
//! cargo bench --bench rules               all
//! cargo bench --bench rules -- dual veto  only rules whose name holds one of the words
//! ```
//!
//! *one vote* is the whole poll divided by its votes: each adds a vote to the count and asks where the question stands.
//! *slowest vote* is the dearest of them. Polls go on to the last vote, also where the question is decided before.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::rules::{Choice, Count, Formula, Param, RULES, RuleSpec, build, prepare};

const VOTERS: [usize; 4] = [10, 20, 50, 1_000];
/// How long each poll is repeated.
const TURN: Duration = Duration::from_millis(200);

fn main() {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let samples = RULES.iter().map(|entry| (entry.name.to_owned(), (entry.sample)()));
    let mut rules: Vec<(String, RuleSpec)> = samples.chain(harder()).collect();
    rules.retain(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word.as_str())));
    println!(
        "{:<34} {:>7} {:>10} {:>12} {:>12} {:>12}",
        "rule", "voters", "one vote", "slowest vote", "whole poll", "making ready"
    );
    for (name, spec) in rules {
        for voters in VOTERS {
            let measured = measure(&spec, voters);
            println!(
                "{name:<34} {voters:>7} {:>10} {:>12} {:>12} {:>12}",
                shown(measured.poll / voters as u32),
                shown(measured.slowest),
                shown(measured.poll),
                shown(measured.ready)
            );
        }
    }
}

/// Rules of real bodies, and rules whose parts pull apart, so that sums alone cannot tell.
fn harder() -> Vec<(String, RuleSpec)> {
    let weights: BTreeMap<String, Param> =
        (0..1_000u32).map(|i| (name(i as usize), Param::from(1 + i * i % 97))).collect();
    let weights = Param::Map(weights);
    let permanent: Vec<Param> = (0..5).map(|i| Param::from(name(i).as_str())).collect();
    let weighted = RuleSpec::new("weighted").with("agent_weights", weights.clone());
    let council = RuleSpec::new("dual").with("agent_weights", weights).with("blocking_minority", 4);
    let veto = RuleSpec::new("veto").with("voters", permanent).with("rule", "at_least:9/15");
    let not = |spec: &RuleSpec| RuleSpec::new("not").with("rule", spec.clone());
    let cast = RuleSpec::new("threshold").with("denominator", "cast");
    let apart = RuleSpec::new("all").with("rules", vec![weighted.clone(), not(&council), cast.clone()]);
    [
        ("weighted, many weights", weighted.clone()),
        ("dual, blocking minority", council.clone()),
        ("veto of five", veto),
        ("threshold of the cast", cast),
        ("all: weighted, not dual, cast", apart),
        (
            "any: weighted, not weighted",
            RuleSpec::new("any").with("rules", vec![weighted.clone(), not(&weighted)]),
        ),
    ]
    .map(|(name, spec)| (name.to_owned(), spec))
    .into()
}

fn name(index: usize) -> String {
    format!("v{index:04}")
}

/// Medians.
struct Measured {
    poll: Duration,
    slowest: Duration,
    ready: Duration,
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn measure(spec: &RuleSpec, n: usize) -> Measured {
    let rule = build(spec).expect("a rule");
    let voters: Vec<VoterId> = (0..n).map(|i| VoterId::new(name(i)).expect("an id")).collect();
    let formula = prepare(rule.as_ref(), &voters).formula;
    let (mut polls, mut ready) = (Vec::new(), Vec::new());
    let mut votes = vec![Duration::MAX; n];
    let begun = Instant::now();
    while begun.elapsed() < TURN || polls.len() < 3 {
        let start = Instant::now();
        black_box(prepare(rule.as_ref(), &voters));
        ready.push(start.elapsed());
        let start = Instant::now();
        let mut count = Count::new(&formula, Some(n as u32));
        (0..n).for_each(|voter| vote(&formula, &mut count, voter, n));
        polls.push(start.elapsed());
    }
    // Single votes are timed in polls of their own, for reading a clock costs as much as a vote.
    for _ in 0..polls.len().min(50) {
        let mut count = Count::new(&formula, Some(n as u32));
        for (voter, took) in votes.iter_mut().enumerate() {
            let start = Instant::now();
            vote(&formula, &mut count, voter, n);
            *took = start.elapsed().min(*took);
        }
    }
    let slowest = votes.into_iter().max().unwrap_or_default();
    Measured { poll: median(polls), slowest, ready: median(ready) }
}

/// Near a tie, so that most questions stay open for long.
fn vote(formula: &Formula, count: &mut Count, voter: usize, n: usize) {
    let choice = if voter % 7 == 6 { Choice::Abstain } else { [Choice::For, Choice::Against][voter % 2] };
    count.add(formula, voter, choice);
    black_box(formula.outcome(count, || (voter + 1..n).collect()));
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn shown(time: Duration) -> String {
    match time.as_nanos() {
        ns @ 0..10_000 => format!("{ns} ns"),
        ns @ 10_000..10_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        ns => format!("{:.1} ms", ns as f64 / 1e6),
    }
}
