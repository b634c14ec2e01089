//! A rule as it is written down: its name and its parameters, as data.
//!
//! ```text
//!  "threshold"   "at_least:2/3"   {"rule": "veto", "params": {"voters": ["fr"], "rule": {"required": {"count": 9}}}}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Parameter, Reading, Rule, RuleError, build_within, entry_of};
use crate::kernel::ids::VoterId;
use crate::kernel::number::{Fraction, Weight};

/// Deepest nesting of rules and of their parameters.
pub(super) const MAX_DEPTH: usize = 16;

/// The value of a parameter: what JSON can say. A number keeps the digits it was written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// Nothing.
    None,
    /// True or false.
    Flag(bool),
    /// A number, as text.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Param>),
    /// Named values.
    Map(BTreeMap<String, Param>),
}

/// How [`Param`] is stored; in JSON it is the value itself.
#[derive(Serialize, Deserialize)]
enum Stored {
    None,
    Flag(bool),
    Number(String),
    Text(String),
    List(Vec<Param>),
    Map(BTreeMap<String, Param>),
}

impl Serialize for Param {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return match self.clone() {
                Param::None => Stored::None,
                Param::Flag(flag) => Stored::Flag(flag),
                Param::Number(digits) => Stored::Number(digits),
                Param::Text(text) => Stored::Text(text),
                Param::List(items) => Stored::List(items),
                Param::Map(items) => Stored::Map(items),
            }
            .serialize(s);
        }
        match self {
            Param::None => s.serialize_unit(),
            Param::Flag(flag) => s.serialize_bool(*flag),
            Param::Number(digits) => {
                match (digits.parse::<i64>(), digits.parse::<u64>(), digits.parse::<f64>()) {
                    (Ok(whole), _, _) => s.serialize_i64(whole),
                    (_, Ok(whole), _) => s.serialize_u64(whole),
                    (_, _, Ok(number)) if number.is_finite() => s.serialize_f64(number),
                    _ => s.serialize_str(digits),
                }
            }
            Param::Text(text) => s.serialize_str(text),
            Param::List(items) => s.collect_seq(items),
            Param::Map(items) => s.collect_map(items),
        }
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return d.deserialize_any(AnyValue);
        }
        Ok(match Stored::deserialize(d)? {
            Stored::None => Param::None,
            Stored::Flag(flag) => Param::Flag(flag),
            Stored::Number(digits) => Param::Number(digits),
            Stored::Text(text) => Param::Text(text),
            Stored::List(items) => Param::List(items),
            Stored::Map(items) => Param::Map(items),
        })
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Param;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Param, E> {
        Ok(Param::None)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Param, E> {
        Ok(Param::Flag(flag))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Param, E> {
        Ok(Param::Number(number.to_string()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Param, E> {
        Ok(Param::Number(number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Param, E> {
        // The shortest digits that mean this number: those it was written with, up to seventeen places.
        Ok(Param::Number(number.to_string()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Param, E> {
        Ok(Param::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Param, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Param::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Param, A::Error> {
        let mut items = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Param>()? {
            if items.insert(name.clone(), value).is_some() {
                return Err(serde::de::Error::custom(format!("{name} is given twice")));
            }
        }
        Ok(Param::Map(items))
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Param::None => f.write_str("null"),
            Param::Flag(flag) => write!(f, "{flag}"),
            Param::Number(text) | Param::Text(text) => f.write_str(text),
            Param::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Param::Map(items) => {
                f.write_str("{")?;
                for (i, (name, item)) in items.iter().enumerate() {
                    write!(f, "{}{name}: {item}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A rule as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSpec {
    /// Name of a line of the table.
    pub rule: String,
    /// Its parameters.
    pub params: BTreeMap<String, Param>,
}

impl RuleSpec {
    /// A rule without parameters.
    pub fn new(rule: &str) -> Self {
        RuleSpec { rule: rule.to_owned(), params: BTreeMap::new() }
    }

    /// The same rule with one more parameter.
    pub fn with(mut self, name: &str, value: impl Into<Param>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// Reads a rule inside a parameter: its text, `{"rule": name, "params": {…}}`, `{"rule": name, …parameters}`
    /// or `{name: {…parameters}}`.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn from_param(param: &Param) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a rule: a text as in \"at_least:2/3\", or {\"rule\": name, \"params\": {…}}";
        match param {
            Param::Text(text) => Ok(RuleSpec::from_text(text)),
            Param::Map(map) => match (map.get("rule"), map.get("params")) {
                (Some(Param::Text(rule)), Some(Param::Map(params))) if map.len() == 2 => {
                    RuleSpec::from_text(rule).with_each(params.iter())
                }
                (Some(Param::Text(rule)), None) => {
                    RuleSpec::from_text(rule).with_each(map.iter().filter(|(name, _)| *name != "rule"))
                }
                _ => match map.iter().next() {
                    Some((rule, Param::Map(params))) if map.len() == 1 => {
                        Ok(RuleSpec { rule: rule.clone(), params: params.clone() })
                    }
                    Some((rule, value)) if map.len() == 1 => Ok(RuleSpec::main(rule, value.clone())),
                    _ => Err(EXPECTED),
                },
            },
            Param::None | Param::Flag(_) | Param::Number(_) | Param::List(_) => Err(EXPECTED),
        }
    }

    /// The same rule with more parameters, none of which the text of the rule has given already.
    fn with_each<'a>(
        mut self,
        params: impl Iterator<Item = (&'a String, &'a Param)>,
    ) -> Result<Self, &'static str> {
        for (name, value) in params {
            if self.params.insert(name.clone(), value.clone()).is_some() {
                return Err("each parameter once, after the colon or by name");
            }
        }
        Ok(self)
    }

    /// Reads `name` or `name:value`, where the value is that of the rule's main parameter.
    pub fn from_text(text: &str) -> Self {
        match text.split_once(':') {
            Some((rule, value)) => RuleSpec::main(rule, Param::Text(value.to_owned())),
            None => RuleSpec::new(text),
        }
    }

    fn main(rule: &str, value: Param) -> Self {
        // A rule without parameters refuses the empty name; one that does not exist is refused by its own.
        let name = entry_of(rule).and_then(|entry| entry.parameters.first()).map_or("", |p| p.name);
        RuleSpec::new(rule).with(name, value)
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Param::Text(text.to_owned())
    }
}

impl From<u32> for Param {
    fn from(number: u32) -> Self {
        Param::Number(number.to_string())
    }
}

impl From<bool> for Param {
    fn from(flag: bool) -> Self {
        Param::Flag(flag)
    }
}

impl From<RuleSpec> for Param {
    fn from(spec: RuleSpec) -> Self {
        let params = Param::Map(spec.params);
        Param::Map([("rule".to_owned(), Param::Text(spec.rule)), ("params".to_owned(), params)].into())
    }
}

impl<T: Into<Param>> From<Vec<T>> for Param {
    fn from(items: Vec<T>) -> Self {
        Param::List(items.into_iter().map(Into::into).collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Param {
    fn from(items: [(&str, &str); N]) -> Self {
        let item = |(name, value): (&str, &str)| (name.to_owned(), Param::Text(value.to_owned()));
        Param::Map(items.into_iter().map(item).collect())
    }
}

impl fmt::Display for RuleSpec {
    /// `threshold`, `at_least:2/3`, `all(threshold, not(required:2))` or `veto(rule=…, voters=…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)?;
        let main = entry_of(&self.rule).and_then(|entry| entry.parameters.first()).map(|p| p.name);
        let only = self.params.first_key_value().filter(|_| self.params.len() == 1);
        match only {
            None if self.params.is_empty() => Ok(()),
            Some((name, value)) if Some(name.as_str()) == main => match (name.as_str(), value) {
                ("rule", rule) => write!(f, "({})", Rules(std::slice::from_ref(rule))),
                ("rules", Param::List(rules)) => write!(f, "({})", Rules(rules)),
                (_, Param::Number(_) | Param::Text(_) | Param::Flag(_)) => write!(f, ":{value}"),
                (_, value) => write!(f, "({name}={value})"),
            },
            None | Some(_) => {
                f.write_str("(")?;
                for (i, (name, value)) in self.params.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    match value {
                        rule if name == "rule" => {
                            write!(f, "{comma}{name}={}", Rules(std::slice::from_ref(rule)))?;
                        }
                        value => write!(f, "{comma}{name}={value}")?,
                    }
                }
                f.write_str(")")
            }
        }
    }
}

/// Rules inside a rule, as text.
struct Rules<'a>(&'a [Param]);

impl fmt::Display for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, param) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            match RuleSpec::from_param(param) {
                Ok(spec) => write!(f, "{comma}{spec}")?,
                Err(_) => write!(f, "{comma}{param}")?,
            }
        }
        Ok(())
    }
}

/// Weights by voter, in millionths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightTable {
    named: BTreeMap<VoterId, u64>,
    others: u64,
}

impl Default for WeightTable {
    /// Everybody weighs one.
    fn default() -> Self {
        WeightTable { named: BTreeMap::new(), others: Weight::ONE.millionths() }
    }
}

impl WeightTable {
    /// These weights, and `others` for everybody else, each 0 to 10^9.
    ///
    /// # Errors
    /// The first weight that is out of range.
    pub fn new<'a>(weights: impl IntoIterator<Item = (&'a VoterId, f64)>, others: f64) -> Result<Self, f64> {
        let read = |weight: f64| weight.to_string().parse::<Weight>().map_err(|()| weight);
        let mut table = WeightTable { named: BTreeMap::new(), others: read(others)?.millionths() };
        for (voter, weight) in weights {
            table.named.insert(voter.clone(), read(weight)?.millionths());
        }
        Ok(table)
    }

    /// The weight of one voter.
    pub fn of(&self, voter: &VoterId) -> u64 {
        self.named.get(voter).copied().unwrap_or(self.others)
    }
}

/// Reads the parameters of one rule; every error names rule, parameter, value and what is expected.
#[derive(Debug)]
pub struct Params<'a> {
    pub(super) rule: &'static str,
    pub(super) known: &'static [Parameter],
    pub(super) given: &'a BTreeMap<String, Param>,
    pub(super) reading: Reading,
}

impl Params<'_> {
    pub(super) fn check_names(&self) -> Result<(), RuleError> {
        match self.given.iter().find(|(name, _)| !self.known.iter().any(|known| known.name == *name)) {
            None => Ok(()),
            Some((name, value)) => {
                let names: Vec<&str> = self.known.iter().map(|known| known.name).collect();
                let expected = match names.as_slice() {
                    [] => "no parameters".to_owned(),
                    names => format!("only {}", names.join(", ")),
                };
                Err(self.error(name, &value.to_string(), expected))
            }
        }
    }

    fn error(&self, parameter: &str, given: &str, expected: impl Into<String>) -> RuleError {
        let rule = self.rule.to_owned();
        let (parameter, given) = (parameter.to_owned(), given.chars().take(100).collect());
        RuleError::Parameter { rule, parameter, given, expected: expected.into() }
    }

    fn get(&self, name: &str) -> Option<&Param> {
        self.given.get(name).filter(|value| **value != Param::None)
    }

    fn refused<T>(&self, name: &str, expected: &str) -> Result<T, RuleError> {
        let given = self.get(name).map_or("null".to_owned(), Param::to_string);
        Err(self.error(name, &given, expected))
    }

    fn parsed<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, RuleError> {
        match self.get(name) {
            None => Ok(None),
            Some(Param::Number(text) | Param::Text(text)) => match text.trim().parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => self.refused(name, expected),
            },
            Some(_) => self.refused(name, expected),
        }
    }

    /// A fraction from 0 to 1.
    pub fn fraction(&self, name: &str, default: Fraction) -> Result<Fraction, RuleError> {
        Ok(self.parsed(name, "a fraction from 0 to 1, such as 0.6 or \"2/3\"")?.unwrap_or(default))
    }

    /// A fraction above 0 and up to 1.
    pub fn share(&self, name: &str, default: Fraction) -> Result<Fraction, RuleError> {
        match self.fraction(name, default)? {
            fraction if fraction.is_zero() => self.refused(name, "a fraction above 0 and up to 1"),
            fraction => Ok(fraction),
        }
    }

    /// A count from 1.
    pub fn count(&self, name: &str) -> Result<Option<u32>, RuleError> {
        match self.parsed::<u32>(name, "a whole number from 1 to 4294967295")? {
            Some(0) => self.refused(name, "a whole number from 1 to 4294967295"),
            count => Ok(count),
        }
    }

    /// The count that must be given.
    pub fn needed_count(&self, name: &str) -> Result<u32, RuleError> {
        match self.count(name)? {
            Some(count) => Ok(count),
            None => self.refused(name, "a whole number from 1 to 4294967295"),
        }
    }

    /// A weight above 0, in millionths.
    pub fn weight(&self, name: &str, default: u64) -> Result<u64, RuleError> {
        const EXPECTED: &str = "a number above 0 and up to 1000000000";
        match (self.parsed::<Weight>(name, EXPECTED)?, self.get(name)) {
            (Some(weight), Some(given)) if weight.millionths() > 0 => {
                self.whole_millionths(name, given).map(|()| weight.millionths())
            }
            (Some(_), _) => self.refused(name, EXPECTED),
            (None, _) => Ok(default),
        }
    }

    /// True or false.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, RuleError> {
        match self.get(name) {
            None => Ok(default),
            Some(Param::Flag(flag)) => Ok(*flag),
            Some(_) => self.refused(name, "true or false"),
        }
    }

    /// One of two words; true for the second.
    pub fn second_of(&self, name: &str, words: [&str; 2], default: bool) -> Result<bool, RuleError> {
        match self.get(name) {
            None => Ok(default),
            Some(Param::Text(text)) if text == words[0] => Ok(false),
            Some(Param::Text(text)) if text == words[1] => Ok(true),
            Some(_) => self.refused(name, &format!("{} or {}", words[0], words[1])),
        }
    }

    /// Distinct voters.
    pub fn voters(&self, name: &str) -> Result<Option<BTreeSet<VoterId>>, RuleError> {
        match self.get(name) {
            None => Ok(None),
            Some(list) => self.distinct(name, list, &mut BTreeSet::new()).map(Some),
        }
    }

    /// Lists of voters, no voter in two of them.
    pub fn groups(&self, name: &str) -> Result<Option<Vec<BTreeSet<VoterId>>>, RuleError> {
        let mut known = BTreeSet::new();
        match self.get(name) {
            None => Ok(None),
            Some(Param::List(lists)) => lists
                .iter()
                .map(|list| self.distinct(name, list, &mut known))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => self.refused(name, "lists of distinct ids"),
        }
    }

    /// The voters of a list, none of whom is known.
    fn distinct(
        &self,
        name: &str,
        list: &Param,
        known: &mut BTreeSet<VoterId>,
    ) -> Result<BTreeSet<VoterId>, RuleError> {
        const EXPECTED: &str = "a list of distinct ids, each 1 to 256 bytes, not blank";
        let Param::List(items) = list else { return self.refused(name, EXPECTED) };
        let mut voters = BTreeSet::new();
        for item in items {
            let Param::Text(text) = item else { return Err(self.error(name, &item.to_string(), EXPECTED)) };
            let voter = self.id(name, text)?;
            if !known.insert(voter.clone()) {
                return Err(self.error(name, &item.to_string(), EXPECTED));
            }
            voters.insert(voter);
        }
        Ok(voters)
    }

    /// Distinct voters that must be given, if only as an empty list.
    pub fn needed_voters(&self, name: &str) -> Result<BTreeSet<VoterId>, RuleError> {
        match self.voters(name)? {
            Some(voters) => Ok(voters),
            None => self.refused(name, "a list of ids"),
        }
    }

    /// Weights by voter, and the weight of everybody else.
    pub fn weights(&self, named: &str, default: &str) -> Result<WeightTable, RuleError> {
        const EXPECTED: &str = "a number from 0 to 1000000000, and 0 or at least 0.000001";
        let others = self.parsed::<Weight>(default, EXPECTED)?.unwrap_or(Weight::ONE).millionths();
        if let Some(given) = self.get(default) {
            self.whole_millionths(default, given)?;
        }
        let mut table = WeightTable { named: BTreeMap::new(), others };
        let items = match self.get(named) {
            None => return Ok(table),
            Some(Param::Map(items)) => items,
            Some(_) => return self.refused(named, "an object of weights by voter"),
        };
        for (voter, weight) in items {
            let id = self.id(named, voter)?;
            let parsed = match weight {
                Param::Number(text) | Param::Text(text) => text.parse::<Weight>().ok(),
                _ => None,
            };
            let field = format!("{named}.{voter}");
            let parsed = parsed.ok_or_else(|| self.error(&field, &weight.to_string(), EXPECTED))?;
            self.whole_millionths(&field, weight)?;
            table.named.insert(id, parsed.millionths());
        }
        Ok(table)
    }

    /// An id among the parameters.
    fn id(&self, name: &str, text: &str) -> Result<VoterId, RuleError> {
        let read = if self.reading.is_new { VoterId::new(text) } else { VoterId::stored(text) };
        read.map_err(|e| self.error(name, text, e.expected()))
    }

    /// A weight of a rule that is asked for now is kept as it is written, or refused.
    fn whole_millionths(&self, name: &str, weight: &Param) -> Result<(), RuleError> {
        match weight {
            Param::Number(text) | Param::Text(text)
                if self.reading.is_new && !Weight::is_exact(text.trim()) =>
            {
                Err(self.error(name, text, "a weight of at most six places after the point"))
            }
            _ => Ok(()),
        }
    }

    /// A rule inside this one.
    pub fn rule(&self, name: &str) -> Result<Option<Box<dyn Rule>>, RuleError> {
        self.get(name).map(|param| self.inner(name, param)).transpose()
    }

    /// The rule that must be given.
    pub fn needed_rule(&self, name: &str) -> Result<Box<dyn Rule>, RuleError> {
        match self.rule(name)? {
            Some(rule) => Ok(rule),
            None => self.refused(name, "a rule"),
        }
    }

    /// The rules that must be given, at least one.
    pub fn needed_rules(&self, name: &str) -> Result<Vec<Box<dyn Rule>>, RuleError> {
        match self.get(name) {
            Some(Param::List(items)) if !items.is_empty() => {
                items.iter().map(|item| self.inner(name, item)).collect()
            }
            Some(_) | None => self.refused(name, "a list of at least one rule"),
        }
    }

    fn inner(&self, name: &str, param: &Param) -> Result<Box<dyn Rule>, RuleError> {
        let spec =
            RuleSpec::from_param(param).map_err(|expected| self.error(name, &param.to_string(), expected))?;
        let Reading { depth, is_new } = self.reading;
        if depth >= MAX_DEPTH {
            return Err(self.error(name, &spec.rule, format!("rules nested up to {MAX_DEPTH} deep")));
        }
        build_within(&spec, Reading { depth: depth + 1, is_new })
    }
}
