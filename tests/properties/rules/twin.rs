//! What each rule means when everybody's choice or silence is known, in exact fractions and from the rules'
//! documentation alone. Nothing is shared with the code under test but the rule as it is written down.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::voting::rules::{Choice, Param, RuleSpec};

use super::{Done, name};

/// A rule that is understood.
#[derive(Debug)]
pub enum Twin {
    /// Those for are enough of all, or of what is cast for or against.
    Bar { units: Units, bar: Bar, of_cast: bool, half_takes_part: bool },
    /// So many are for.
    Required { units: Units, count: u128 },
    /// Enough heads, and enough power or too few who are not in favour.
    Dual { heads: Bar, heads_count: Option<u128>, power: Bar, weights: Units, blocking: Option<u128> },
    /// The rule is met, and none of these is against.
    Veto { voters: BTreeSet<String>, rule: Box<Twin> },
    /// Those for make so many voices.
    Voices { min: u128, groups: Option<Vec<BTreeSet<String>>>, alike: (u128, u128), shares: Units },
    /// Each is met.
    All(Vec<Twin>),
    /// One is met.
    Any(Vec<Twin>),
    /// It is not met.
    Not(Box<Twin>),
}

/// A fraction, and whether it must be exceeded.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    numerator: u128,
    denominator: u128,
    strictly: bool,
}

impl Bar {
    /// Is the part enough of the whole? Of nothing nothing is enough. More than everything is not asked for.
    fn met(self, part: u128, whole: u128) -> bool {
        let (part, bar) = (part * self.denominator, whole * self.numerator);
        let whole_is_asked = self.numerator == self.denominator;
        whole > 0 && if self.strictly && !whole_is_asked { part > bar } else { part >= bar }
    }
}

/// How much each voter counts: as a head or by weight, in a group or everywhere.
#[derive(Debug)]
pub struct Units {
    group: Option<BTreeSet<String>>,
    /// By name, and of everybody else; `None` counts heads.
    weights: Option<(BTreeMap<String, u128>, u128)>,
}

impl Units {
    fn of(&self, voter: &str) -> u128 {
        let inside = self.group.as_ref().is_none_or(|group| group.contains(voter));
        match &self.weights {
            _ if !inside => 0,
            None => 1,
            Some((named, others)) => *named.get(voter).unwrap_or(others),
        }
    }

    /// What is held by those who did one of these.
    fn held(&self, votes: &[Done], by: &[Done]) -> u128 {
        let chosen = votes.iter().enumerate().filter(|(_, vote)| by.contains(vote));
        chosen.map(|(voter, _)| self.of(&name(voter))).sum()
    }
}

const FOR: Done = Some(Choice::For);
const AGAINST: Done = Some(Choice::Against);
const ABSTAIN: Done = Some(Choice::Abstain);
const EVERYONE: &[Done] = &[FOR, AGAINST, ABSTAIN, None];

impl Twin {
    /// Is the rule met by finished votes?
    pub fn met(&self, votes: &[Done]) -> bool {
        match self {
            Twin::Bar { units, bar, of_cast, half_takes_part } => {
                let everyone = units.held(votes, EVERYONE);
                let whole = if *of_cast { units.held(votes, &[FOR, AGAINST]) } else { everyone };
                let present = units.held(votes, &[FOR, AGAINST, ABSTAIN]);
                let enough_present = !half_takes_part || present * 2 >= everyone;
                bar.met(units.held(votes, &[FOR]), whole) && enough_present
            }
            Twin::Required { units, count } => units.held(votes, &[FOR]) >= *count,
            Twin::Dual { heads, heads_count, power, weights, blocking } => {
                let total = votes.len() as u128;
                let in_favour = votes.iter().filter(|vote| **vote == FOR).count() as u128;
                let enough_heads = match heads_count {
                    Some(count) => in_favour >= *count,
                    None => heads.met(in_favour, total),
                };
                let enough_power = power.met(weights.held(votes, &[FOR]), weights.held(votes, EVERYONE));
                let too_few_block = blocking.is_some_and(|least| total - in_favour < least);
                enough_heads && (enough_power || too_few_block)
            }
            Twin::Veto { voters, rule } => {
                let vetoed =
                    votes.iter().enumerate().any(|(i, vote)| *vote == AGAINST && voters.contains(&name(i)));
                rule.met(votes) && !vetoed
            }
            Twin::Voices { min, groups, alike: (n, d), shares } => {
                let size = |voter: usize| match groups {
                    None => votes.len(),
                    Some(groups) => {
                        groups.iter().find(|group| group.contains(&name(voter))).map_or(1, |group| {
                            (0..votes.len()).filter(|other| group.contains(&name(*other))).count()
                        })
                    }
                };
                // 1 ÷ (1 + (m − 1)·n/d) in millionths, and what is left over makes one more.
                let part = |voter: usize| {
                    let below = d + (size(voter) as u128 - 1) * n;
                    let whole = 1_000_000 * d / below + u128::from(1_000_000 * d % below > 0);
                    whole.min(shares.of(&name(voter)))
                };
                let in_favour = votes.iter().enumerate().filter(|(_, vote)| **vote == FOR);
                in_favour.map(|(voter, _)| part(voter)).sum::<u128>() >= *min
            }
            Twin::All(rules) => rules.iter().all(|rule| rule.met(votes)),
            Twin::Any(rules) => rules.iter().any(|rule| rule.met(votes)),
            Twin::Not(rule) => !rule.met(votes),
        }
    }

    /// Understands a rule.
    pub fn of(spec: &RuleSpec) -> Twin {
        let p = Given(&spec.params);
        match spec.rule.as_str() {
            "threshold" => Twin::Bar {
                units: Units { group: p.names("group"), weights: None },
                bar: p.bar("threshold", "1/2", !p.is("comparison", "at_least")),
                of_cast: p.is("denominator", "cast"),
                half_takes_part: p.0.get("require_majority") != Some(&Param::Flag(false)),
            },
            "at_least" => Twin::Bar {
                units: Units { group: p.names("group"), weights: None },
                bar: p.bar("fraction", "2/3", false),
                of_cast: false,
                half_takes_part: false,
            },
            "supermajority" => Twin::Bar {
                units: Units { group: None, weights: None },
                bar: p.bar("fraction", "2/3", false),
                of_cast: true,
                half_takes_part: false,
            },
            "weighted" => Twin::Bar {
                units: Units { group: p.names("group"), weights: p.weights() },
                bar: p.bar("threshold", "0.6", !p.is("comparison", "at_least")),
                of_cast: p.is("denominator", "cast"),
                half_takes_part: false,
            },
            "unanimous" => Twin::Bar {
                units: Units { group: p.names("group"), weights: None },
                bar: p.bar("", "1/1", false),
                of_cast: false,
                half_takes_part: false,
            },
            "required" => Twin::Required {
                units: Units { group: p.names("group"), weights: None },
                count: p.count("count").expect("a count"),
            },
            "dual" => Twin::Dual {
                heads: p.bar("heads", "0.55", p.is("comparison", "more_than")),
                heads_count: p.count("heads_count"),
                power: p.bar("power", "0.65", p.is("comparison", "more_than")),
                weights: Units { group: None, weights: p.weights() },
                blocking: p.count("blocking_minority"),
            },
            "veto" => Twin::Veto {
                voters: p.names("voters").expect("voters"),
                rule: Box::new(p.0.get("rule").map_or_else(|| Twin::of(&RuleSpec::new("threshold")), inner)),
            },
            "effective_voters" => {
                let groups = p.0.get("groups").map(|groups| match groups {
                    Param::List(lists) => lists.iter().map(list).collect::<Vec<_>>(),
                    other => panic!("no lists: {other:?}"),
                });
                let alike = p.bar("correlation", if groups.is_some() { "1/1" } else { "0/1" }, false);
                let shares = Units { group: None, weights: Some(p.weights_of("shares", "default_share")) };
                Twin::Voices {
                    min: p.digits("min").map_or(2_000_000, millionths),
                    groups,
                    alike: (alike.numerator, alike.denominator),
                    shares,
                }
            }
            "all" => Twin::All(p.rules()),
            "any" => Twin::Any(p.rules()),
            "not" => Twin::Not(Box::new(inner(&p.0["rule"]))),
            other => panic!("rule {other} has no twin: write here what it means on finished votes"),
        }
    }

    /// Nobody weighs anything in a table that something hangs on.
    pub fn weighs_nobody(&self, voters: usize) -> bool {
        let weightless =
            |units: &Units| units.weights.is_some() && units.held(&vec![None; voters], EVERYONE) == 0;
        match self {
            Twin::Bar { units, .. } => weightless(units),
            Twin::Dual { weights, .. } => weights.held(&vec![None; voters], EVERYONE) == 0,
            Twin::Required { .. } | Twin::Voices { .. } => false,
            Twin::Veto { rule, .. } | Twin::Not(rule) => rule.weighs_nobody(voters),
            Twin::All(rules) | Twin::Any(rules) => rules.iter().any(|rule| rule.weighs_nobody(voters)),
        }
    }
}

/// A rule inside a parameter: a text, or name and parameters.
fn inner(param: &Param) -> Twin {
    match param {
        Param::Text(text) => {
            let (rule, value) = text.split_once(':').map_or((text.as_str(), None), |(r, v)| (r, Some(v)));
            let main = match rule {
                "threshold" => "threshold",
                "at_least" | "supermajority" => "fraction",
                "required" => "count",
                other => panic!("what the text after {other} means is not known here"),
            };
            Twin::of(&value.into_iter().fold(RuleSpec::new(rule), |spec, value| spec.with(main, value)))
        }
        Param::Map(map) => match (&map["rule"], &map["params"]) {
            (Param::Text(rule), Param::Map(params)) => {
                Twin::of(&RuleSpec { rule: rule.clone(), params: params.clone() })
            }
            other => panic!("no rule: {other:?}"),
        },
        other => panic!("no rule: {other:?}"),
    }
}

struct Given<'a>(&'a BTreeMap<String, Param>);

impl Given<'_> {
    fn is(&self, name: &str, word: &str) -> bool {
        matches!(self.0.get(name), Some(Param::Text(text)) if text == word)
    }

    fn digits(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(digits)
    }

    fn count(&self, name: &str) -> Option<u128> {
        self.digits(name).map(|digits| digits.parse().unwrap())
    }

    fn bar(&self, name: &str, default: &str, strictly: bool) -> Bar {
        let text = self.digits(name).unwrap_or(default);
        let (numerator, denominator) = match text.split_once('/') {
            Some((n, d)) => (n.parse().unwrap(), d.parse().unwrap()),
            None => decimal(text),
        };
        Bar { numerator, denominator, strictly }
    }

    fn names(&self, name: &str) -> Option<BTreeSet<String>> {
        self.0.get(name).map(list)
    }

    fn weights(&self) -> Option<(BTreeMap<String, u128>, u128)> {
        Some(self.weights_of("agent_weights", "default_weight"))
    }

    fn weights_of(&self, named: &str, default: &str) -> (BTreeMap<String, u128>, u128) {
        let named = match self.0.get(named) {
            None => BTreeMap::new(),
            Some(Param::Map(map)) => {
                map.iter().map(|(name, w)| (name.clone(), millionths(digits(w)))).collect()
            }
            Some(other) => panic!("no weights: {other:?}"),
        };
        (named, self.digits(default).map_or(1_000_000, millionths))
    }

    fn rules(&self) -> Vec<Twin> {
        match &self.0["rules"] {
            Param::List(items) => items.iter().map(inner).collect(),
            other => panic!("no rules: {other:?}"),
        }
    }
}

fn list(param: &Param) -> BTreeSet<String> {
    match param {
        Param::List(items) => items.iter().map(|item| digits(item).to_owned()).collect(),
        other => panic!("no list: {other:?}"),
    }
}

fn digits(param: &Param) -> &str {
    match param {
        Param::Number(text) | Param::Text(text) => text,
        other => panic!("no number: {other:?}"),
    }
}

/// A decimal as a fraction.
fn decimal(text: &str) -> (u128, u128) {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    (format!("{whole}{places}").parse().unwrap(), 10u128.pow(places.len() as u32))
}

/// A weight is kept in millionths; a half of one is rounded up.
fn millionths(text: &str) -> u128 {
    let (numerator, denominator) = decimal(text);
    (numerator * 2_000_000 + denominator) / (2 * denominator)
}
