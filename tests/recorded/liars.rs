//! What is left of the accuracy when a share of the workers lie, all in the same way.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::kernel::rng::Rng;
use quorate_core::voting::reliability::{History, Past, read};

use super::data::{Recorded, recorded};

/// Gold questions, whose answers are known beforehand.
const GOLD: usize = 200;

/// So many of the workers, drawn by the seed.
fn liars(recorded: &Recorded, share: f64, seed: u64) -> BTreeSet<String> {
    let workers: BTreeSet<&String> = recorded.votes.iter().map(|[_, worker, _]| worker).collect();
    let mut workers: Vec<&String> = workers.into_iter().collect();
    let mut rng = Rng::new(seed);
    let wanted = (workers.len() as f64 * share).round() as usize;
    let mut drawn = BTreeSet::new();
    for _ in 0..wanted {
        let at = (rng.next_u64() % workers.len() as u64) as usize;
        drawn.insert(workers.swap_remove(at).clone());
    }
    drawn
}

/// The same votes, but every liar says the one wrong answer that the liars have agreed upon.
fn with_liars(recorded: &Recorded, share: f64, seed: u64) -> Recorded {
    let liars = liars(recorded, share, seed);
    let answers: BTreeSet<&String> = recorded.truth.values().collect();
    let answers: Vec<&String> = answers.into_iter().collect();
    let lie = |question: &String| {
        let truth = answers.iter().position(|answer| *answer == &recorded.truth[question]).unwrap();
        answers[(truth + 1) % answers.len()].clone()
    };
    let told = |[question, worker, answer]: &[String; 3]| {
        let answer = if liars.contains(worker) { lie(question) } else { answer.clone() };
        [question.clone(), worker.clone(), answer]
    };
    let votes = recorded.votes.iter().map(told).collect();
    Recorded { name: recorded.name, votes, truth: recorded.truth.clone() }
}

fn accuracy(recorded: &Recorded, history: &History, source: &str) -> f64 {
    let past = Past { history: history.clone(), ..Past::default() };
    recorded.score(history, &read(source).unwrap().learn(&past).unwrap().estimates).accuracy
}

#[test]
fn weights_that_are_learned_lose_less_to_colluding_liars_than_heads_do() {
    for name in ["product", "dogs"] {
        let Some(recorded) = recorded(name) else { return };
        for share in [0.0, 0.2, 0.3] {
            let mut mean: BTreeMap<&str, f64> = BTreeMap::new();
            for seed in 1..=3 {
                let lied = with_liars(&recorded, share, seed);
                let mut history = lied.history();
                for source in ["equal", "wawa", "dawid_skene", "dawid_skene_online"] {
                    *mean.entry(source).or_default() += accuracy(&lied, &history, source) / 3.0;
                }
                // Now every so many-th question is gold, and not scored.
                let questions: Vec<String> = history.questions().to_vec();
                for question in questions.iter().step_by(questions.len() / GOLD.min(questions.len() / 4)) {
                    history.outcome(question, &lied.truth[question]).unwrap();
                }
                for (name, source) in
                    [("dawid_skene, gold", "dawid_skene"), ("online, gold", "dawid_skene_online")]
                {
                    *mean.entry(name).or_default() += accuracy(&lied, &history, source) / 3.0;
                }
            }
            eprintln!("{name}, {share} liars: {mean:.4?}");
            if share > 0.0 {
                assert!(mean["dawid_skene, gold"] > mean["equal"], "{name} {share}: {mean:?}");
            }
        }
    }
}
