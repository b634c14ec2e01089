//! What each rule needs in literal electorates, and how bad parameters are refused.

use super::*;

fn voters(n: usize) -> Vec<VoterId> {
    (0..n).map(|i| VoterId::new(format!("v{i:02}")).unwrap()).collect()
}

fn needed(rule: &str, n: usize) -> Option<u32> {
    needed_by(&RuleSpec::from_text(rule), n)
}

fn needed_by(spec: &RuleSpec, n: usize) -> Option<u32> {
    let rule = build(spec).unwrap_or_else(|e| panic!("{e}"));
    prepare(rule.as_ref(), &voters(n)).formula.fewest_for(Some(n as u32))
}

#[test]
fn each_rule_needs_as_many_as_its_worked_example_says() {
    assert_eq!((1..=7).map(|n| needed("threshold", n).unwrap()).collect::<Vec<_>>(), [1, 2, 2, 3, 3, 4, 4]);
    assert_eq!(needed("threshold:1", 5), Some(5));
    assert_eq!(needed("at_least", 5), Some(4));
    assert_eq!(needed("at_least:0.5", 6), Some(3));
    assert_eq!(needed("unanimous", 13), Some(13));
    assert_eq!(needed("required:9", 13), Some(9));
    assert_eq!(needed("required:9", 8), None);
    let experts = RuleSpec::new("weighted").with("agent_weights", [("v00", "3")]).with("threshold", "0.5");
    assert_eq!(needed_by(&experts, 3), Some(1));
}

#[test]
fn copies_of_a_voter_are_one_voice_together() {
    let pair = Param::List(vec![vec!["v00", "v01"].into()]);
    let voices = RuleSpec::new("effective_voters").with("groups", pair);
    let outcome = |spec: &RuleSpec, who: &[usize]| {
        let Prepared { formula, .. } = prepare(build(spec).unwrap().as_ref(), &voters(4));
        let mut count = Count::new(&formula, Some(4));
        (0..4).for_each(|i| {
            count.add(&formula, i, if who.contains(&i) { Choice::For } else { Choice::Against })
        });
        formula.outcome(&count, Vec::new)
    };
    assert_eq!(outcome(&voices, &[0, 1]), Outcome::Lost);
    assert_eq!(outcome(&voices, &[0, 2]), Outcome::Lost);
    assert_eq!(outcome(&voices, &[0, 1, 2]), Outcome::Won);
    assert_eq!(outcome(&voices.clone().with("min", "1.5"), &[0, 2]), Outcome::Won);
    // With ρ one third, two of a pair are one voice and a half.
    let loose = voices.with("correlation", "1/3");
    assert_eq!(outcome(&loose.clone().with("min", "1.5"), &[0, 1]), Outcome::Won);
    assert_eq!(outcome(&loose.with("min", "1.6"), &[0, 1]), Outcome::Lost);
    // One group of everyone: four with ρ a third are two voices. Without anything said, each is one.
    let all = RuleSpec::new("effective_voters").with("correlation", "1/3");
    assert_eq!((outcome(&all, &[0, 1, 2, 3]), outcome(&all, &[0, 1, 2])), (Outcome::Won, Outcome::Lost));
    assert_eq!(outcome(&RuleSpec::from_text("effective_voters:2"), &[2, 3]), Outcome::Won);
    let learned = RuleSpec::new("effective_voters").with("shares", [("v02", "0.4"), ("v03", "0.6")]);
    assert_eq!((outcome(&learned, &[0, 2, 3]), outcome(&learned, &[0, 2])), (Outcome::Won, Outcome::Lost));
    let twice = Param::List(vec![vec!["v00"].into(), vec!["v00", "v01"].into()]);
    let refused = build(&RuleSpec::new("effective_voters").with("groups", twice)).unwrap_err();
    assert!(refused.to_string().starts_with("groups of rule effective_voters"), "{refused}");
    assert!(build(&RuleSpec::from_text("effective_voters:0")).is_err());
}

#[test]
fn half_must_take_part_when_the_bar_lies_below_half() {
    let rule = build(&RuleSpec::from_text("threshold:0.3")).unwrap();
    let Prepared { formula, .. } = prepare(rule.as_ref(), &voters(10));
    let mut count = Count::new(&formula, Some(10));
    (0..4).for_each(|i| count.add(&formula, i, Choice::For));
    assert_eq!(formula.outcome(&count, || (4..10).collect()), Outcome::Pending);
    count.add(&formula, 4, Choice::Abstain);
    assert_eq!(formula.outcome(&count, || (5..10).collect()), Outcome::Won);
}

#[test]
fn few_cannot_block_many() {
    // 24 of 27 hold only 60 % of the power, but three are too few to block.
    let weights: Vec<(String, Param)> =
        (0..27).map(|i| (format!("v{i:02}"), Param::from(if i < 3 { "160" } else { "30" }))).collect();
    let dual = RuleSpec::new("dual").with("agent_weights", Param::Map(weights.into_iter().collect()));
    let outcome = |spec: &RuleSpec| {
        let Prepared { formula, .. } = prepare(build(spec).unwrap().as_ref(), &voters(27));
        let mut count = Count::new(&formula, Some(27));
        (3..27).for_each(|i| count.add(&formula, i, Choice::For));
        (0..3).for_each(|i| count.add(&formula, i, Choice::Against));
        formula.outcome(&count, Vec::new)
    };
    assert_eq!(outcome(&dual), Outcome::Lost);
    assert_eq!(outcome(&dual.with("blocking_minority", 4)), Outcome::Won);
}

#[test]
fn bad_parameters_are_named_with_what_is_expected() {
    let message = |spec: &RuleSpec| build(spec).unwrap_err().to_string();
    assert!(message(&RuleSpec::new("plurality")).contains("threshold"));
    for bad in ["threshold:NaN", "threshold:1.1", "at_least:0", "required:0", "required:-1", "unanimous:1"] {
        assert!(build(&RuleSpec::from_text(bad)).is_err(), "{bad}");
    }
    for missing in ["required", "veto", "all", "any", "not"] {
        assert!(build(&RuleSpec::new(missing)).is_err(), "{missing}");
    }
    let told = message(&RuleSpec::new("weighted").with("agent_weights", [("a", "-2")]));
    assert!(told.contains("agent_weights.a") && told.contains("-2"), "{told}");
    let told = message(&RuleSpec::new("threshold").with("treshold", "0.5"));
    assert!(told.contains("treshold") && told.contains("require_majority"), "{told}");
    let told = message(&RuleSpec::new("all").with("rules", vec!["threshold", "required"]));
    assert!(told.contains("count of rule required"), "{told}");
}

#[test]
fn rules_nest_only_so_deep() {
    let nested = |depth| {
        (0..depth).fold(RuleSpec::new("threshold"), |spec, _| RuleSpec::new("not").with("rule", spec))
    };
    assert!(build(&nested(spec::MAX_DEPTH)).is_ok());
    assert!(build(&nested(spec::MAX_DEPTH + 1)).is_err());
}

#[test]
fn a_rule_inside_a_rule_may_be_written_in_four_ways() {
    let inner = |param: Param| RuleSpec::from_param(&param).unwrap();
    let expected = RuleSpec::new("required").with("count", "9");
    assert_eq!(inner("required:9".into()), expected);
    assert_eq!(inner(expected.clone().into()), expected);
    assert_eq!(inner([("rule", "required"), ("count", "9")].into()), expected);
    let by_name = |value: Param| inner(Param::Map([("required".to_owned(), value)].into()));
    assert_eq!(by_name([("count", "9")].into()), expected);
    assert_eq!(by_name("9".into()), expected);
    assert!(RuleSpec::from_param(&Param::Flag(true)).is_err());
}

#[test]
fn a_value_after_the_colon_stands_beside_named_parameters_and_is_not_given_twice() {
    let group: Param = [("group", "x")].into();
    let both =
        |param: Param| Param::Map([("rule".into(), "required:9".into()), ("params".into(), param)].into());
    let expected = RuleSpec::new("required").with("count", "9").with("group", "x");
    assert_eq!(RuleSpec::from_param(&both(group)), Ok(expected));
    assert!(RuleSpec::from_param(&both([("count", "8")].into())).is_err());
    assert!(RuleSpec::from_param(&[("rule", "required:9"), ("count", "8")].into()).is_err());
}

#[test]
fn every_entry_builds_its_sample_and_is_written_as_it_is_read() {
    for entry in RULES {
        let spec = (entry.sample)();
        assert!(build(&spec).is_ok(), "{}", entry.name);
        assert_eq!(spec.rule, entry.name);
        assert_eq!(RuleSpec::from_param(&spec.clone().into()), Ok(spec));
    }
    assert_eq!(RuleSpec::from_text("at_least:2/3").to_string(), "at_least:2/3");
    let veto =
        RuleSpec::new("veto").with("rule", RuleSpec::from_text("required:9")).with("voters", vec!["a"]);
    assert_eq!(veto.to_string(), "veto(rule=required:9, voters=[a])");
    let not: Param = RuleSpec::new("not").with("rule", veto).into();
    let all = RuleSpec::new("all").with("rules", vec!["threshold".into(), not]);
    assert_eq!(all.to_string(), "all(threshold, not(veto(rule=required:9, voters=[a])))");
}
