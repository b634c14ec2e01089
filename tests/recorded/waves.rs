//! How many votes are needed when the best voters are asked first and asking stops in time.
//!
//! Error tables are learned, without any known answer, from one half of the questions and used on the other, so that
//! no question is weighed by what was learned from it.

use std::collections::BTreeMap;

use quorate_core::kernel::ids::VoterId;
use quorate_core::voting::reliability::dawid_skene::{self, fit};
use quorate_core::voting::reliability::{Estimate, History};
use quorate_core::voting::waves::{By, Model, Plan, Settings, Why, plan};

use super::data::{Recorded, recorded};

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    asked: usize,
    right: usize,
    certain: usize,
    unlikely: usize,
}

/// The questions of one half, and a model learned from the other; voters and options have the numbers of `all`.
struct Half {
    model: Model,
    questions: Vec<u32>,
}

fn halves(all: &History) -> [Half; 2] {
    [0, 1].map(|wanted: u32| {
        let mut other = History::default();
        // Every voter and option is known, if only by its name, under the number it has in the whole.
        for option in all.options() {
            other.option(option);
        }
        for cast in all.votes().iter().filter(|cast| cast.question % 2 != wanted) {
            let question = &all.questions()[cast.question as usize];
            other.vote(question, &all.voters()[cast.voter as usize], &all.options()[cast.option as usize]);
        }
        let fit = fit(&other, &BTreeMap::new(), &dawid_skene::Settings::default()).unwrap();
        let k = fit.options;
        let numbers: BTreeMap<&VoterId, usize> = other.voters().iter().zip(0..).collect();
        let mut errors = Vec::new();
        let known = Model::of(&fit).unwrap();
        for voter in all.voters() {
            for at in 0..k * k {
                errors.push(match numbers.get(voter) {
                    Some(number) => known.error(*number as u32, (at / k) as u32, (at % k) as u32),
                    None if at / k == at % k => 0.5,
                    None => 0.5 / (k - 1) as f64,
                });
            }
        }
        let model = Model::new(fit.prior.clone(), errors).unwrap();
        Half { model, questions: (0..all.questions().len() as u32).filter(|q| q % 2 == wanted).collect() }
    })
}

fn measure(recorded: &Recorded, all: &History, halves: &[Half; 2], settings: &Settings) -> Measured {
    let by_question = all.by_question();
    let mut measured = Measured::default();
    for half in halves {
        for question in &half.questions {
            let casts = &by_question[*question as usize];
            let mut left: Vec<u32> = casts.iter().map(|cast| cast.voter).collect();
            let mut votes = Vec::new();
            loop {
                match plan(&half.model, settings, &votes, &left).unwrap() {
                    Plan::Ask(voters) => {
                        left.retain(|voter| !voters.contains(voter));
                        let said = casts.iter().filter(|cast| voters.contains(&cast.voter));
                        votes.extend(said.map(|cast| (cast.voter, cast.option)));
                    }
                    Plan::Stop { decision, why, .. } => {
                        let truth = &recorded.truth[&all.questions()[*question as usize]];
                        let option = all.options().iter().position(|option| option == truth);
                        measured.asked += votes.len();
                        measured.right += usize::from(
                            matches!(decision, Estimate::Option(o, _) if Some(o as usize) == option),
                        );
                        measured.certain += usize::from(why == Why::Certain);
                        measured.unlikely += usize::from(why == Why::Unlikely);
                        break;
                    }
                }
            }
        }
    }
    measured
}

/// One line of the curve.
fn line(recorded: &Recorded, by: By, bound: u64) -> (f64, f64) {
    let all = recorded.history();
    let measured = measure(recorded, &all, &halves(&all), &Settings { by, wave: 1, bound });
    let questions = all.questions().len() as f64;
    let (votes, right) = (measured.asked as f64 / questions, measured.right as f64 / questions);
    let of = all.votes().len() as f64 / questions;
    eprintln!(
        "{} {by:?}, bound {bound}: {votes:.3} votes of {of:.3}, right {right:.4}, {measured:?}",
        recorded.name
    );
    (of / votes, right)
}

#[test]
fn three_times_fewer_votes_on_the_dog_questions_cost_no_accuracy_of_the_majority() {
    let Some(recorded) = recorded("dogs") else { return };
    let (fewer, everyone) = line(&recorded, By::Heads, 0);
    assert!(fewer > 1.3, "what is certain is decided early: {fewer}");
    let (fewer, right) = line(&recorded, By::Heads, 200_000);
    assert!(fewer >= 3.0 && right >= everyone - 0.001, "{fewer} {right} {everyone}");
}

#[test]
fn little_more_than_a_third_of_the_votes_on_the_product_questions_cost_no_accuracy_by_error_tables() {
    let Some(recorded) = recorded("product") else { return };
    let (fewer, everyone) = line(&recorded, By::Tables, 0);
    assert!(fewer > 1.8, "what is certain is decided early: {fewer}");
    let (fewer, right) = line(&recorded, By::Tables, 300_000);
    assert!(fewer >= 2.9 && right >= everyone - 0.001, "{fewer} {right} {everyone}");
    // Three votes on each question are there, so that one is the least. It costs a little more.
    let (fewer, right) = line(&recorded, By::Tables, 1_000_000);
    assert!(fewer >= 3.0 && right >= everyone - 0.0015, "{fewer} {right} {everyone}");
}
