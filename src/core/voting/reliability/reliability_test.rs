use super::dawid_skene::{ErrorTable, Settings, fit};
use super::factors::{Base, Conduct, Context, Marked, Scored, Took, Used, feedback, multiplied, reckon};
use super::online::Online;
use super::*;
use crate::kernel::rng::Rng;
use std::time::Duration;

fn voter(name: &str) -> VoterId {
    VoterId::new(name).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// Four voters on four questions; `d` says the contrary of the others.
fn small() -> History {
    let mut history = History::default();
    for (question, right) in [("q1", "yes"), ("q2", "no"), ("q3", "yes"), ("q4", "no")] {
        let wrong = if right == "yes" { "no" } else { "yes" };
        for name in ["a", "b", "c"] {
            history.vote(question, &voter(name), right);
        }
        history.vote(question, &voter("d"), wrong);
    }
    history
}

/// Voters that are right with these probabilities, on questions whose answers are drawn.
fn simulated(rng: &mut Rng, right: &[f64], questions: u32) -> (History, Vec<u32>) {
    let mut history = History::default();
    history.option("0");
    history.option("1");
    let mut truth = Vec::new();
    let mut chance = |p: f64| ((rng.next_u64() >> 11) as f64) < p * (1u64 << 53) as f64;
    for question in 0..questions {
        let answer = u32::from(chance(0.5));
        truth.push(answer);
        for (number, p) in right.iter().enumerate() {
            let said = if chance(*p) { answer } else { 1 - answer };
            history.vote(&format!("q{question}"), &voter(&format!("v{number}")), &said.to_string());
        }
    }
    (history, truth)
}

fn right_share(estimates: &[Estimate], truth: &[u32]) -> f64 {
    let right =
        |(estimate, truth): &(&Estimate, &u32)| matches!(estimate, Estimate::Option(o, _) if o == *truth);
    estimates.iter().zip(truth).filter(right).count() as f64 / truth.len() as f64
}

#[test]
fn every_source_is_built_by_name_and_learns_something_of_a_small_history() {
    let mut past = Past { history: small(), trusted: vec![voter("a")], ..Past::default() };
    past.declared.insert(voter("d"), 5_000_000);
    for entry in SOURCES {
        let learned = build(entry.name, &BTreeMap::new()).unwrap().learn(&past).unwrap();
        assert_eq!(learned.weights.len(), 4, "{}", entry.name);
        assert_eq!(learned.estimates.len(), 4, "{}", entry.name);
        assert!(learned.unanchored, "{}", entry.name);
        assert_eq!(
            learned,
            read(entry.name).unwrap().learn(&past).unwrap(),
            "{} learns the same twice",
            entry.name
        );
    }
    let declared = read("declared").unwrap().learn(&past).unwrap();
    assert_eq!(declared.weights[&voter("d")], 5_000_000);
    // The heaviest voter alone outweighs the other three.
    assert_eq!(declared.estimates[0], Estimate::Option(1, 625_000));
    past.history.outcome("q1", "yes").unwrap();
    assert!(!read("wawa").unwrap().learn(&past).unwrap().unanchored);
}

#[test]
fn wrong_names_and_numbers_are_refused_with_field_value_and_range() {
    let refused = |text: &str| read(text).unwrap_err();
    assert_eq!(refused("plurality").field, "weights");
    assert!(refused("plurality").range.contains("dawid_skene_online"));
    assert_eq!(refused("dawid_skene:passes=0").field, "weights.dawid_skene.passes");
    assert_eq!(refused("dawid_skene:passes=NaN").value, "NaN");
    assert_eq!(refused("dawid_skene:agree=inf").field, "weights.dawid_skene.agree");
    assert_eq!(refused("equal:passes=3").range, "only no parameters");
    for text in ["dawid_skene:passes", "dawid_skene:passes=x", "dawid_skene:passes=3,passes=4"] {
        assert_eq!(refused(text).value, text);
    }
    assert!(read("dawid_skene:passes=50,tolerance=-1").is_ok());
}

/// Three agree and one contradicts them: after one pass the contradiction speaks for them. By hand: the shares are 3/4
/// and 1/4, so `a` says yes where yes is right in 1.5 of 2 votes, and `d` in 0.5 of 2. The odds of q1 are then
/// (3/4)^3·(3/4) to (1/4)^3·(1/4), which is 81 to 1.
#[test]
fn one_pass_of_the_model_is_what_one_computes_by_hand() {
    let history = small();
    let fit = fit(
        &history,
        &BTreeMap::new(),
        &Settings { passes: 1, agree: 0.0, differ: 0.0, ..Settings::default() },
    )
    .unwrap();
    assert!((fit.answer(0)[0] - 81.0 / 82.0).abs() < 1e-12, "{:?}", fit.answer(0));
    assert!((fit.answer(1)[1] - 81.0 / 82.0).abs() < 1e-12);
    assert!((fit.accuracy(0) - 81.0 / 82.0).abs() < 1e-12);
    assert!((fit.accuracy(3) - 1.0 / 82.0).abs() < 1e-12);
}

#[test]
fn known_outcomes_turn_a_colluding_majority_around() {
    // Two honest voters, three who lie together.
    let mut history = History::default();
    for question in 0..40 {
        let (right, wrong) = if question % 3 == 0 { ("x", "y") } else { ("y", "x") };
        for name in ["h1", "h2"] {
            history.vote(&format!("q{question}"), &voter(name), right);
        }
        for name in ["l1", "l2", "l3"] {
            history.vote(&format!("q{question}"), &voter(name), wrong);
        }
    }
    let answer_of_q39 = |history: &History| {
        let learned =
            read("dawid_skene").unwrap().learn(&Past { history: history.clone(), ..Past::default() });
        let learned = learned.unwrap();
        let Estimate::Option(option, _) = learned.estimates[39] else {
            panic!("{:?}", learned.estimates[39])
        };
        (history.options()[option as usize].clone(), learned.unanchored, learned.weights[&voter("l1")])
    };
    let (answer, unanchored, liar) = answer_of_q39(&history);
    assert_eq!(
        (answer.as_str(), unanchored),
        ("y", true),
        "the liars have it their way, and the result says so"
    );
    assert!(liar > 2_900_000);
    for question in 0..10 {
        history.outcome(&format!("q{question}"), if question % 3 == 0 { "x" } else { "y" }).unwrap();
    }
    let (answer, unanchored, liar) = answer_of_q39(&history);
    assert_eq!((answer.as_str(), unanchored, liar), ("x", false, 0));
}

#[test]
fn earlier_error_tables_are_where_a_later_history_begins() {
    let (history, _) = simulated(&mut Rng::new(7), &[0.95, 0.9, 0.6], 200);
    let first = fit(&history, &BTreeMap::new(), &Settings::default()).unwrap();
    let tables: BTreeMap<VoterId, ErrorTable> =
        (0..3).map(|n| (history.voters()[n as usize].clone(), first.table(&history, n))).collect();
    // One question on which the two better ones are divided by the third.
    let mut later = History::default();
    later.vote("new", &voter("v0"), "1");
    later.vote("new", &voter("v2"), "0");
    let fresh = fit(&later, &BTreeMap::new(), &Settings::default()).unwrap();
    assert!((fresh.answer(0)[0] - 0.5).abs() < 1e-9);
    let known = fit(&later, &tables, &Settings::default()).unwrap();
    let one = later.options().iter().position(|o| o == "1").unwrap();
    assert!(known.answer(0)[one] > 0.85, "{:?}", known.answer(0));
}

#[test]
fn good_voters_are_found_among_bad_ones_by_the_whole_and_by_single_votes() {
    let right = [0.95, 0.9, 0.55, 0.55, 0.5, 0.5, 0.45];
    let (history, truth) = simulated(&mut Rng::new(20_260), &right, 600);
    let past = Past { history, ..Past::default() };
    let share = |source: &str| right_share(&read(source).unwrap().learn(&past).unwrap().estimates, &truth);
    let (equal, batch, online) = (share("equal"), share("dawid_skene"), share("dawid_skene_online"));
    assert!(equal < 0.85 && batch > 0.93, "{equal} {batch}");
    assert!((batch - online).abs() <= 0.01, "{batch} {online}");
    let weights = read("dawid_skene_online").unwrap().learn(&past).unwrap().weights;
    assert!(weights[&voter("v0")] > weights[&voter("v2")] * 3);
}

#[test]
fn a_vote_that_is_changed_leaves_no_trace_of_the_first() {
    let cast = |voter, option| Cast { question: 0, voter, option };
    let settings = online::Settings { revisits: 0, ..online::Settings::default() };
    let mut changed = Online::new(2, settings).unwrap();
    changed.vote(cast(0, 1)).unwrap();
    changed.vote(cast(0, 0)).unwrap();
    let mut straight = Online::new(2, settings).unwrap();
    straight.vote(cast(0, 0)).unwrap();
    let near = |a: f64, b: f64| (a - b).abs() < 0.1;
    assert!(near(changed.accuracy(0), straight.accuracy(0)));
    assert_eq!(changed.vote(cast(0, 2)).unwrap_err().field, "option");
    assert_eq!(Online::new(1, settings).unwrap_err().field, "options");
    assert_eq!(changed.outcome(9, 0).unwrap_err().field, "outcome.question");
    changed.outcome(0, 1).unwrap();
    assert_eq!(changed.estimate(0), Estimate::Option(1, 1_000_000));
}

#[test]
fn all_factors_at_a_half_at_one_and_at_nothing_weigh_as_published() {
    let settings = factors::Settings::default();
    let fresh = reckon(&Conduct::default(), at(0), &settings).unwrap();
    assert_eq!((fresh.factors, fresh.base, fresh.weight), ([500_000; 8], 500_000, 500_000));
    // Without history the blend is 0.7·base + 0.15.
    let ends = |good: bool| {
        let marks = vec![Marked { at: at(0), good }; 5];
        let score = f64::from(u8::from(good));
        let mut outcomes =
            vec![Scored { at: at(0), score: 1.0 - score, context: Some(Context::default()) }; 5];
        let changed = Context { volatility: 0.2, ..Context::default() };
        outcomes.extend([Scored { at: at(0), score, context: Some(changed) }; 5]);
        Conduct {
            outcomes,
            duties: marks.clone(),
            answers: marks.clone(),
            took: vec![
                Took {
                    at: at(0),
                    latency: Duration::from_secs(u64::from(!good)),
                    deadline: Duration::from_secs(1)
                };
                5
            ],
            used: vec![Used { at: at(0), cpu: if good { 0.0 } else { 1e9 }, memory: 0.0 }; 5],
            votes: marks.clone(),
            effects: marks,
            ..Conduct::default()
        }
    };
    // The scores change with the context, so adaptation is at its end and performance at a half.
    let best = reckon(&ends(true), at(0), &settings).unwrap();
    assert_eq!((best.factors[2], best.factors[0]), (1_000_000, 500_000));
    let mut importance = [0.0; 8];
    importance[2] = 1.0;
    let only = factors::Settings { importance, ..settings.clone() };
    assert_eq!(reckon(&ends(true), at(0), &only).unwrap().weight, 850_000);
    assert_eq!(reckon(&ends(false), at(0), &only).unwrap().weight, 150_000);
    let volatile = Context { volatility: 0.8, volume: 0.9, ..Context::default() };
    let stirred = factors::Settings { context: Some(volatile), ..only };
    assert_eq!(reckon(&ends(true), at(0), &stirred).unwrap().weight, 981_750);
}

#[test]
fn samples_age_and_leave_the_window_and_history_is_made_of_bases() {
    let settings = factors::Settings {
        decay: 0.5,
        window: Duration::from_secs(2 * 3_600),
        ..factors::Settings::default()
    };
    let score = |hour: i64, score: f64| Scored { at: at(hour * 3_600), score, context: None };
    // Three hours old and outside the window; two hours old counts a quarter, now counts one.
    let mut outcomes = vec![score(0, 1.0); 9];
    outcomes.extend(vec![score(1, 1.0); 4]);
    outcomes.extend(vec![score(3, 0.0); 4]);
    let mut conduct = Conduct { outcomes, ..Conduct::default() };
    let performance = |conduct: &Conduct| reckon(conduct, at(3 * 3_600), &settings).unwrap().factors[0];
    assert_eq!(performance(&conduct), 200_000);
    // A time to come is not yet so.
    conduct.outcomes.push(score(4, 1.0));
    assert_eq!(performance(&conduct), 200_000);
    conduct.bases = vec![Base { at: at(3 * 3_600), millionths: 1_000_000 }; 5];
    let reckoned = reckon(&conduct, at(3 * 3_600), &settings).unwrap();
    assert_eq!(reckoned.weight, (reckoned.base * 7 + 3_000_000) / 10);
}

#[test]
fn feedback_moves_a_weight_and_stays_within_bounds_for_ever() {
    assert_eq!(feedback(0, 1.0, 0.1), Ok(50_000));
    assert_eq!(feedback(50_000, 0.0, 0.1), Ok(0));
    let up = (0..1_000).fold(0, |bias, _| feedback(bias, 1.0, 0.5).unwrap());
    let conduct = Conduct { bias: up, ..Conduct::default() };
    let settings = factors::Settings::default();
    assert_eq!(reckon(&conduct, at(0), &settings).unwrap().weight, 3_000_000);
    let conduct =
        Conduct { bias: (0..1_000).fold(0, |b, _| feedback(b, 0.0, 0.5).unwrap()), ..Conduct::default() };
    assert_eq!(reckon(&conduct, at(0), &settings).unwrap().weight, 100_000);
    assert_eq!(feedback(0, f64::NAN, 0.1).unwrap_err().field, "feedback");
    assert_eq!(feedback(0, 0.5, 0.6).unwrap_err().field, "rate");
    assert_eq!(multiplied(1_000_000, 0.0, 0.1), Ok(1_000_000));
    assert_eq!(multiplied(1_000_000, 1.0, 0.1), Ok(904_837));
    assert_eq!(multiplied(100_000, 1.0, 0.5), Ok(100_000));
}

#[test]
fn numbers_that_are_none_never_enter_a_weight() {
    let settings = factors::Settings::default();
    let conduct = Conduct {
        outcomes: vec![Scored { at: at(0), score: f64::NAN, context: None }],
        ..Conduct::default()
    };
    assert_eq!(reckon(&conduct, at(0), &settings).unwrap_err().field, "outcome.score");
    let conduct =
        Conduct { used: vec![Used { at: at(0), cpu: f64::INFINITY, memory: 0.0 }], ..Conduct::default() };
    assert_eq!(reckon(&conduct, at(0), &settings).unwrap_err().field, "used.cpu");
    let mut importance = settings.importance;
    importance[0] = 0.26;
    let uneven = factors::Settings { importance, ..settings.clone() };
    assert_eq!(reckon(&Conduct::default(), at(0), &uneven).unwrap_err().field, "importance");
    let short = factors::Settings { window: Duration::from_secs(60), ..settings };
    assert_eq!(reckon(&Conduct::default(), at(0), &short).unwrap_err().field, "window_h");
}

#[test]
fn a_ring_that_nobody_trusted_endorses_ends_with_nothing() {
    let voters: Vec<VoterId> = ["a", "b", "c", "r1", "r2", "r3"].map(voter).into();
    let says = |from: &str, to: &str, score: f64| eigentrust::Endorsement {
        from: voter(from),
        to: voter(to),
        score,
    };
    let endorsements = [
        says("a", "b", 1.0),
        says("b", "c", 3.0),
        says("b", "a", 1.0),
        says("r1", "r2", 1e6),
        says("r2", "r3", 1e6),
        says("r3", "r1", 1e6),
        says("r1", "a", 5.0),
        says("c", "c", 9.0),
        says("c", "r1", -4.0),
    ];
    let settings = eigentrust::Settings { jump: 0.15, passes: 100, tolerance: 1e-9 };
    let (trust, _, settled) = eigentrust::spread(&voters, &endorsements, &[voter("a")], &settings).unwrap();
    assert!(settled);
    assert!((trust.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(trust[3..].iter().all(|t| *t < 1e-9), "{trust:?}");
    // By hand: a = 0.15 + 0.85·(b/4 + c), b = 0.85·a, c = 0.85·3b/4.
    let a = 0.15 / (1.0 - 0.85 * (0.85 / 4.0 + 0.85 * 0.75 * 0.85));
    assert!((trust[0] - a).abs() < 1e-8 && (trust[1] - 0.85 * a).abs() < 1e-8, "{trust:?}");
    let nobody = eigentrust::spread(&voters, &endorsements, &[voter("z")], &settings);
    assert_eq!(nobody.unwrap_err().field, "trusted");
    let wild = [says("a", "b", f64::NAN)];
    let refused = eigentrust::spread(&voters, &wild, &[voter("a")], &settings);
    assert_eq!(refused.unwrap_err().field, "endorsement.score");
}

#[test]
fn shares_sum_to_the_whole_and_an_import_is_taken_whole_or_not_at_all() {
    let weights: BTreeMap<VoterId, u64> =
        [("a", 1_000_000), ("b", 1_000_000), ("c", 1_000_000), ("d", 100_000)]
            .map(|(v, w)| (voter(v), w))
            .into();
    let readout = readout::read_out(&weights);
    assert_eq!(readout.voters.values().map(|s| s.share).sum::<u64>(), 1_000_000);
    assert_eq!(readout.voters[&voter("d")].percentile, 125_000);
    assert_eq!(readout.voters[&voter("a")].percentile, 625_000);
    assert_eq!(readout.top, ["a", "b", "c", "d"].map(voter));
    assert_eq!(readout.buckets.iter().map(|(_, n)| n).sum::<u32>(), 4);
    assert_eq!(readout.buckets[1], (100_000, 1));
    assert_eq!(readout::import(&weights), Ok(weights.clone()));
    let mut heavy = weights;
    heavy.insert(voter("e"), 3_000_001);
    assert_eq!(readout::import(&heavy).unwrap_err().field, "weights.e");
}
