use super::*;

fn id(name: &str) -> EntityId {
    EntityId::new(name).unwrap()
}

/// A candidate in the middle of everything.
fn candidate(name: &str, kind: &str) -> Candidate {
    let metrics = CRITERIA
        .iter()
        .map(|criterion| (criterion.name.to_owned(), f64::midpoint(criterion.bounds.0, criterion.bounds.1)));
    Candidate {
        id: id(name),
        kind: kind.into(),
        fitness: 0.8,
        metrics: metrics.collect(),
        traits: BTreeMap::new(),
    }
}

fn chosen(selection: &Selection) -> Vec<&str> {
    selection.chosen.iter().map(|one| one.id.as_str()).collect()
}

#[test]
fn every_criterion_can_change_who_is_chosen() {
    let settings = Settings { maximum: 1, ..Settings::default() };
    for criterion in CRITERIA {
        let (mut better, worse) = (candidate("z", "k"), candidate("a", "k"));
        assert_eq!(
            chosen(&select(&[better.clone(), worse.clone()], &settings).unwrap()),
            ["a"],
            "equal: by id"
        );
        let (low, high) = criterion.bounds;
        let good = if criterion.direction == Direction::More { high } else { low };
        better.metrics.insert(criterion.name.into(), good);
        assert_eq!(chosen(&select(&[better, worse], &settings).unwrap()), ["z"], "{}", criterion.name);
    }
}

/// By hand: U8 0.5, fitness 0.8, traits 1, suitability 0.5, no emergence: (0.24 + 0.2 + 0.2 + 0.075)/1.15.
#[test]
fn the_utility_is_what_one_computes_by_hand() {
    let selection = select(&[candidate("a", "k")], &Settings::default()).unwrap();
    let one = &selection.chosen[0];
    assert_eq!((one.criteria, one.traits, one.suitability, one.emergence), (500_000, 1_000_000, 500_000, 0));
    assert_eq!(one.utility, (0.715 / 1.15 * 1e6_f64).round_ties_even() as u64);
    assert_eq!(one.contributions.values().sum::<u64>(), one.criteria);
    let mut ideal = candidate("a", "k");
    ideal.fitness = 1.0;
    for criterion in CRITERIA {
        let (low, high) = criterion.bounds;
        ideal
            .metrics
            .insert(criterion.name.into(), if criterion.direction == Direction::More { high } else { low });
    }
    ideal.traits = [("cooperation", 1.0), ("adaptability", 1.0)].map(|(n, v)| (n.to_owned(), v)).into();
    let context =
        Context { volatility: 1.0, volume: 1.0, spread: 1.0, trend_strength: 1.0, noise_level: 1.0 };
    let affinity = [("cooperation".to_owned(), [1.0; 5])].into();
    let settings = Settings { context: Some(context), affinity, sensitivity: 0.99, ..Settings::default() };
    let one = &select(&[ideal], &settings).unwrap().chosen[0];
    assert_eq!((one.suitability, one.criteria), (1_000_000, 1_000_000));
    assert_eq!(one.utility, (1.149 / 1.15 * 1e6_f64).round_ties_even() as u64);
}

#[test]
fn a_candidate_is_excluded_by_itself_and_with_a_reason() {
    let mut all = vec![
        candidate("fine", "k"),
        candidate("unfit", "k"),
        candidate("wild", "k"),
        candidate("poor", "k"),
        candidate("unknown", "k"),
    ];
    let wanted = Wanted { weight: 0.5, floor: 0.4 };
    let settings = Settings { wanted: [("resilience".to_owned(), wanted)].into(), ..Settings::default() };
    for candidate in &mut all {
        candidate.traits.insert("resilience".into(), 0.7);
    }
    all[1].fitness = 0.59;
    all[2].metrics.insert("latency".into(), f64::NAN);
    all[3].traits.insert("resilience".into(), 0.3);
    all[4].metrics.remove("stability");
    let selection = select(&all, &settings).unwrap();
    assert_eq!((chosen(&selection), selection.chosen[0].traits), (vec!["fine"], 700_000));
    let why = |name: &str| selection.excluded[&id(name)].to_string();
    assert_eq!(why("unfit"), "fitness is below the least. given=590000, least=600000");
    assert_eq!(
        why("wild"),
        "metrics.latency does not fit. given=NaN, expected a number from -1000000000000 to 1000000000000"
    );
    assert_eq!(
        why("poor"),
        "a required trait is below its floor. trait=resilience, given=300000, floor=400000"
    );
    assert_eq!(why("unknown"), "stability was not measured, and there is no default");
    all[4].id = id("fine");
    assert_eq!(select(&all, &settings).unwrap_err().field, "candidate_id");
}

#[test]
fn a_choice_is_diverse_and_exactly_as_large_as_it_can_be() {
    let mut all: Vec<Candidate> =
        ["a1", "a2", "a3", "b1", "c1"].map(|name| candidate(name, &name[..1])).into();
    // The kind a is best.
    for one in &mut all[..3] {
        one.fitness = 0.95;
    }
    let settings = Settings { maximum: 3, ..Settings::default() };
    let diverse = select(&all, &settings).unwrap();
    assert_eq!(chosen(&diverse), ["a1", "b1", "c1"]);
    assert_eq!((diverse.effective_kinds, diverse.least_distance), (3_000_000, Some(600_000)));
    let merit = select(&all, &Settings { diversity: 0.0, ..settings.clone() }).unwrap();
    assert_eq!(chosen(&merit), ["a1", "a2", "a3"]);
    let everyone = select(&all, &Settings { maximum: 9, ..settings.clone() }).unwrap();
    assert_eq!(everyone.chosen.iter().map(|one| &one.id).collect::<BTreeSet<_>>().len(), 5);
    // Different kinds without traits are 0.6 apart: at 0.6 three fit, at 0.7 only the first.
    let strict = Settings { strict: true, maximum: 5, diversity: 0.6, ..settings };
    let some = select(&all, &strict).unwrap();
    assert_eq!((chosen(&some), some.shortfall), (vec!["a1", "b1", "c1"], 2));
    let one = select(&all, &Settings { diversity: 0.7, ..strict }).unwrap();
    assert_eq!((one.chosen.len(), one.shortfall, one.least_distance), (1, 4, None));
}

#[test]
fn those_that_no_other_beats_are_the_front() {
    let (mut fast, mut sure, worse) =
        (candidate("fast", "k"), candidate("sure", "k"), candidate("worse", "k"));
    fast.metrics.insert("latency".into(), 0.1);
    sure.metrics.insert("success_rate".into(), 0.9);
    let selection = select(&[fast, sure, worse], &Settings::default()).unwrap();
    assert_eq!(selection.front, ["fast", "sure"].map(id).into());
}

/// Three items, the first two alike: the determinant of {0, 2} is greatest. By hand, with qualities 1, 0.9, 0.8 and a
/// likeness of 0.95 between the first two: 1·0.81·(1 − 0.95²) < 1·0.64.
#[test]
fn a_determinantal_choice_takes_the_set_with_the_greatest_determinant() {
    let likeness = |i: usize, j: usize| match (i, j) {
        _ if i == j => 1.0,
        (0, 1) | (1, 0) => 0.95,
        _ => 0.0,
    };
    assert_eq!(determinantal(&[1.0, 0.9, 0.8], likeness, 2), [0, 2]);
    assert_eq!(determinantal(&[1.0, 0.9, 0.8], likeness, 9), [0, 2, 1]);
    assert_eq!(determinantal(&[1.0, 0.9], |_, _| 1.0, 2), [0], "a copy adds nothing");
}

#[test]
fn traits_learn_within_their_bounds() {
    assert_eq!(learn_trait(100_000, 1.0), Ok(190_000));
    assert_eq!(learn_trait(500_000, 1.0), Ok(500_000));
    assert_eq!(learn_trait(10_000, 0.0), Ok(10_000));
    assert_eq!(learn_trait(600_000, 0.5).unwrap_err().field, "trait.weight");
    assert_eq!(learn_trait(100_000, f64::NAN).unwrap_err().field, "performance");
}
