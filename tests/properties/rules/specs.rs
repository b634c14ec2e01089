//! Random rules, drawn from the table: every entry, every parameter, given or left out.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::Union;
use quorate_core::voting::rules::{Param, RULES, RuleEntry, RuleSpec};

use super::name;

/// Any rule of the table for about `pool` voters, with rules inside it up to `depth` deep.
pub fn any_rule(pool: usize, depth: u32) -> BoxedStrategy<RuleSpec> {
    let entries = RULES.iter().filter(|entry| depth > 0 || !nests(entry));
    Union::new(entries.map(|entry| rule_of(entry, pool, depth))).boxed()
}

/// Does it take other rules?
pub fn nests(entry: &RuleEntry) -> bool {
    entry.parameters.iter().any(|parameter| matches!(parameter.name, "rule" | "rules"))
}

/// One entry of the table with random parameters.
pub fn rule_of(entry: &'static RuleEntry, pool: usize, depth: u32) -> BoxedStrategy<RuleSpec> {
    let parameters: Vec<_> =
        entry.parameters.iter().map(|p| parameter(entry.name, p.name, pool, depth)).collect();
    parameters
        .prop_map(|given| {
            let mut spec = RuleSpec::new(entry.name);
            for (parameter, value) in entry.parameters.iter().zip(given) {
                if let Some(value) = value {
                    spec = spec.with(parameter.name, value);
                }
            }
            // At least nothing is no bar, and refused.
            if spec.params.get("comparison") == Some(&Param::from("at_least"))
                && spec.params.get("threshold").is_some_and(is_zero)
            {
                spec.params.remove("threshold");
            }
            spec
        })
        .boxed()
}

fn is_zero(param: &Param) -> bool {
    matches!(param, Param::Text(text) | Param::Number(text) if text == "0")
}

fn parameter(rule: &str, parameter: &str, pool: usize, depth: u32) -> BoxedStrategy<Option<Param>> {
    let count = || (1..=pool as u32 + 1).prop_map(Param::from);
    let word = |words: &[&'static str]| option::of(select(words.to_vec()).prop_map(Param::from)).boxed();
    match (parameter, rule) {
        ("threshold", _) => {
            option::weighted(0.8, prop_oneof![1 => Just(Param::from("0")), 12 => share()]).boxed()
        }
        ("fraction" | "heads" | "power", _) => option::weighted(0.7, share()).boxed(),
        ("require_majority", _) => option::of(any::<bool>().prop_map(Param::from)).boxed(),
        ("comparison", _) => word(&["more_than", "at_least"]),
        ("denominator", _) => word(&["all", "cast"]),
        ("group", _) => option::weighted(0.3, names(pool)).boxed(),
        ("agent_weights", _) => option::weighted(0.8, weights(pool)).boxed(),
        ("default_weight", _) => option::weighted(0.3, weight()).boxed(),
        ("count", "required") => count().prop_map(Some).boxed(),
        ("heads_count" | "blocking_minority", "dual") => option::weighted(0.4, count()).boxed(),
        ("min", _) => option::weighted(0.8, weight().prop_filter("above nothing", |w| !is_zero(w))).boxed(),
        ("correlation", _) => {
            option::weighted(0.6, prop_oneof![1 => Just(Param::from("0")), 6 => share()]).boxed()
        }
        ("groups", _) => option::weighted(0.6, groups(pool)).boxed(),
        ("shares", _) => option::weighted(0.4, weights(pool)).boxed(),
        ("default_share", _) => option::weighted(0.3, weight()).boxed(),
        ("voters", "veto") => names(pool).prop_map(Some).boxed(),
        ("rule", "veto") => option::weighted(0.8, inside(pool, depth)).boxed(),
        ("rule", "not") => inside(pool, depth).prop_map(Some).boxed(),
        ("rules", "all" | "any") => prop::collection::vec(inside(pool, depth), 1..=3)
            .prop_map(|rules| Some(Param::List(rules)))
            .boxed(),
        _ => panic!("parameter {parameter} of rule {rule} is not drawn: add it here and to the twin"),
    }
}

/// A rule as it is written inside another one.
fn inside(pool: usize, depth: u32) -> BoxedStrategy<Param> {
    let texts =
        ["threshold", "threshold:0.4", "at_least:3/4", "supermajority", "supermajority:1/3", "required:2"];
    let rule = any_rule(pool, depth.saturating_sub(1)).prop_map(Param::from);
    prop_oneof![1 => select(texts.to_vec()).prop_map(Param::from), 4 => rule].boxed()
}

/// A fraction above 0 and up to 1, in the ways it may be written.
fn share() -> BoxedStrategy<Param> {
    let fraction =
        (1..=12u32).prop_flat_map(|d| (1..=d).prop_map(move |n| Param::from(format!("{n}/{d}").as_str())));
    let decimal = (1..=99u32).prop_map(|n| Param::Number(format!("0.{n:02}")));
    let edges =
        ["1", "1.0", "0.5", "0.6666666666666666", "0.6666666666666667", "0.33333333333333331", "0.001"];
    prop_oneof![3 => fraction, 2 => decimal, 2 => select(edges.to_vec()).prop_map(|t| Param::Number(t.into()))].boxed()
}

/// Some voters, and sometimes one who is not in the electorate.
fn names(pool: usize) -> BoxedStrategy<Param> {
    let names: Vec<String> = (0..=pool).map(name).collect();
    subsequence(names, 0..=pool + 1)
        .prop_map(|names| names.iter().map(String::as_str).collect::<Vec<_>>().into())
        .boxed()
}

/// Each voter in one of two groups, or in none.
fn groups(pool: usize) -> BoxedStrategy<Param> {
    prop::collection::vec(0..3usize, pool + 1)
        .prop_map(|of| {
            let group = |wanted: usize| {
                let inside = of.iter().enumerate().filter(|(_, group)| **group == wanted);
                Param::List(inside.map(|(voter, _)| Param::Text(name(voter))).collect())
            };
            Param::List(vec![group(0), group(1)])
        })
        .boxed()
}

fn weights(pool: usize) -> BoxedStrategy<Param> {
    let names: Vec<String> = (0..=pool).map(name).collect();
    subsequence(names, 0..=pool + 1)
        .prop_flat_map(|names| names.into_iter().map(|name| (Just(name), weight())).collect::<Vec<_>>())
        .prop_map(|named| Param::Map(named.into_iter().collect()))
        .boxed()
}

/// Few values, so that ties and exact bars are common; observers; fractions, some with places that are rounded.
fn weight() -> BoxedStrategy<Param> {
    let weights = [
        "0",
        "0.5",
        "1",
        "1.0",
        "1.5",
        "2",
        "3",
        "0.1",
        "0.2",
        "0.3",
        "0.000001",
        "0.0000014",
        "0.0000015",
        "0.33333349",
        "0.3333335",
        "12.10",
        "1000000000",
    ];
    prop_oneof![
        select(weights.to_vec()).prop_map(|t| Param::Number(t.into())),
        select(weights.to_vec()).prop_map(Param::from),
    ]
    .boxed()
}
