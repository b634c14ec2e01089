//! The algorithms proposals are decided by: names for rules, in the order in which they were registered, and which
//! of them is the default. One stream, `algorithms`.
//!
//! | command | condition | events | reply |
//! |---|---|---|---|
//! | Register | new name, a rule that can be built | Registered | true |
//! | Register | the name stands for the same rule | – | false |
//! | Register | … for another rule, `replace` | Replaced | true, and the earlier rule |
//! | Register | … for another rule otherwise | – | `Taken` |
//! | Register | no such rule, or bad parameters | – | `Invalid` |
//! | Unregister | known name, or the default one | Unregistered | true |
//! | Unregister | unknown | – | false |
//! | SetDefault | known name, or one the caller vouches for | DefaultSet | true |
//! | SetDefault | unknown | – | false |
//!
//! `quorum`, a plain majority, is there from the beginning, and the default. When the default is unregistered the
//! first that is left takes its place. Open proposals keep the rule they were opened with. Two rules are the same when
//! they say the same, however they are written: `threshold` and `threshold:0.5` are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kernel::ids::StreamKind;
use crate::kernel::time::Timestamp;
use crate::kernel::{Decision, Machine};
use crate::voting::rules::{self, RuleSpec};

/// Id of the one stream.
pub const STREAM: &str = "algorithms";
/// The algorithm that is there from the beginning.
pub const QUORUM: &str = "quorum";
/// Most algorithms registered at the same time.
pub const MAX_ALGORITHMS: usize = 10_000;

/// A request to the registry.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Give a rule a name.
    Register {
        /// The name.
        name: String,
        /// The rule.
        rule: RuleSpec,
        /// Let it take the place of another rule of this name.
        replace: bool,
        /// Who asks.
        by: Option<String>,
    },
    /// Take a name away.
    Unregister {
        /// The name.
        name: String,
    },
    /// Make a name the default.
    SetDefault {
        /// The name.
        name: String,
        /// The caller knows it as a custom algorithm.
        is_custom: bool,
    },
    /// Time has passed.
    Tick,
}

/// What happened. Stored: variants are only ever appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A rule got a name.
    Registered {
        /// The name.
        name: String,
        /// The rule.
        rule: RuleSpec,
    },
    /// A name was taken away.
    Unregistered {
        /// The name.
        name: String,
    },
    /// A name became the default.
    DefaultSet {
        /// The name.
        name: String,
    },
    /// A name stands for another rule from here on.
    Replaced {
        /// The name.
        name: String,
        /// The rule it stands for now.
        rule: RuleSpec,
        /// The rule it stood for.
        earlier: RuleSpec,
        /// Who replaced it, as far as they said.
        by: Option<String>,
    },
}

impl Event {
    /// The name of the variant, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Registered { .. } => "registered",
            Event::Unregistered { .. } => "unregistered",
            Event::DefaultSet { .. } => "default_set",
            Event::Replaced { .. } => "replaced",
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The rule cannot be built.
    Invalid {
        /// The rule in words.
        given: String,
        /// What does not fit.
        expected: String,
    },
    /// No more algorithms can be registered.
    Full,
    /// The name stands for another rule.
    Taken {
        /// The name.
        name: String,
        /// The rule it stands for.
        held: RuleSpec,
        /// The rule that was to be registered.
        given: RuleSpec,
    },
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Something is other than before.
    pub changed: bool,
    /// The rule that was replaced.
    pub earlier: Option<RuleSpec>,
}

/// The registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Algorithms {
    rules: BTreeMap<String, RuleSpec>,
    /// Names in the order in which they were registered.
    order: Vec<String>,
    default: Option<String>,
}

impl Default for Algorithms {
    fn default() -> Self {
        let quorum = QUORUM.to_owned();
        Algorithms {
            rules: [(quorum.clone(), RuleSpec::new("threshold"))].into(),
            order: vec![quorum.clone()],
            default: Some(quorum),
        }
    }
}

impl Algorithms {
    /// The rule of a name.
    pub fn rule(&self, name: &str) -> Option<&RuleSpec> {
        self.rules.get(name)
    }

    /// The default, when there is one.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Names and rules in the order in which they were registered.
    pub fn list(&self) -> impl Iterator<Item = (&str, &RuleSpec)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.rules.get(name)?)))
    }

    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Registered { name, rule } => {
                self.rules.insert(name.clone(), rule.clone());
                self.order.push(name.clone());
                self.default.get_or_insert_with(|| name.clone());
            }
            Event::Unregistered { name } => {
                self.rules.remove(name);
                self.order.retain(|other| other != name);
                if self.default.as_ref() == Some(name) {
                    self.default = self.order.first().cloned();
                }
            }
            Event::DefaultSet { name } => self.default = Some(name.clone()),
            Event::Replaced { name, rule, .. } => {
                self.rules.insert(name.clone(), rule.clone());
            }
        }
    }
}

/// The machine of the registry.
#[derive(Debug)]
pub struct AlgorithmsMachine;

impl Machine for AlgorithmsMachine {
    const KIND: StreamKind = StreamKind::Algorithms;
    const STATE_VERSION: u16 = 1;
    type State = Algorithms;
    type Command = Command;
    type Event = Event;
    type Reply = Changed;
    type Rejection = Rejection;
    type Effect = ();
    type Context = ();

    fn decide(
        state: &Algorithms,
        command: Command,
        _now: Timestamp,
        (): &(),
    ) -> Result<Decision<Self>, Rejection> {
        let changed = |earlier| Changed { changed: true, earlier };
        let happened = |event| Ok(Decision::accept(vec![event], changed(None)));
        let nothing = || Ok(Decision::answer(Changed::default()));
        match command {
            Command::Register { rule, .. } if rules::build(&rule).is_err() => {
                let expected = rules::build(&rule).err().map_or_else(String::new, |e| e.to_string());
                Err(Rejection::Invalid { given: rule.to_string(), expected })
            }
            Command::Register { name, rule, replace, by } => match state.rules.get(&name) {
                Some(held) if rules::are_same(held, &rule) => nothing(),
                Some(held) if replace => {
                    let earlier = held.clone();
                    let reply = changed(Some(earlier.clone()));
                    Ok(Decision::accept(vec![Event::Replaced { name, rule, earlier, by }], reply))
                }
                Some(held) => Err(Rejection::Taken { held: held.clone(), name, given: rule }),
                None if state.order.len() >= MAX_ALGORITHMS => Err(Rejection::Full),
                None => happened(Event::Registered { name, rule }),
            },
            Command::Unregister { name }
                if state.rules.contains_key(&name) || state.default.as_ref() == Some(&name) =>
            {
                happened(Event::Unregistered { name })
            }
            Command::SetDefault { name, .. } if state.default.as_ref() == Some(&name) => {
                Ok(Decision::answer(changed(None)))
            }
            Command::SetDefault { name, is_custom } if is_custom || state.rules.contains_key(&name) => {
                happened(Event::DefaultSet { name })
            }
            Command::Unregister { .. } | Command::SetDefault { .. } | Command::Tick => nothing(),
        }
    }

    fn evolve(state: &mut Algorithms, event: &Event) {
        state.apply(event);
    }

    fn due(_state: &Algorithms) -> Option<Timestamp> {
        None
    }

    fn owed(_state: &Algorithms) -> Vec<()> {
        Vec::new()
    }

    fn tick() -> Command {
        Command::Tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::driver::Driver;

    fn ask(registry: &mut Driver<AlgorithmsMachine>, command: Command) -> Result<bool, Rejection> {
        registry.step(command, Timestamp::EPOCH).reply.map(|reply| reply.changed)
    }

    fn register(name: &str, rule: &str) -> Command {
        Command::Register { name: name.into(), rule: RuleSpec::from_text(rule), replace: false, by: None }
    }

    #[test]
    fn a_name_belongs_to_the_first_rule_registered_under_it() {
        let mut registry = Driver::default();
        let taken = |name: &str, held: &str, given: &str| {
            let (held, given) = (RuleSpec::from_text(held), RuleSpec::from_text(given));
            Err(Rejection::Taken { name: name.into(), held, given })
        };
        assert_eq!(ask(&mut registry, register("strict", "unanimous")), Ok(true));
        assert_eq!(ask(&mut registry, register("strict", "unanimous")), Ok(false));
        let other = ask(&mut registry, register("strict", "threshold"));
        assert_eq!(other, taken("strict", "unanimous", "threshold"));
        let other = ask(&mut registry, register("quorum", "unanimous"));
        assert_eq!(other, taken("quorum", "threshold", "unanimous"));
        assert_eq!(ask(&mut registry, register("quorum", "threshold:0.50")), Ok(false));
        assert_eq!(registry.state().rule("strict"), Some(&RuleSpec::new("unanimous")));
        assert!(ask(&mut registry, register("bad", "threshold:2")).is_err());
        assert_eq!(registry.revision(), 1);
    }

    #[test]
    fn a_rule_that_is_replaced_keeps_its_place_and_stays_on_record() {
        let mut registry = Driver::default();
        let replace = |rule: &str| Command::Register {
            name: QUORUM.into(),
            rule: RuleSpec::from_text(rule),
            replace: true,
            by: Some("ann".into()),
        };
        ask(&mut registry, register("late", "unanimous")).unwrap();
        let step = registry.step(replace("at_least:2/3"), Timestamp::EPOCH);
        let earlier = RuleSpec::from_text("threshold");
        assert_eq!(step.reply, Ok(Changed { changed: true, earlier: Some(earlier.clone()) }));
        let rule = RuleSpec::from_text("at_least:2/3");
        let event = Event::Replaced { name: QUORUM.into(), rule, earlier, by: Some("ann".into()) };
        assert_eq!(step.events, [event]);
        let names: Vec<&str> = registry.state().list().map(|(name, _)| name).collect();
        assert_eq!((names, registry.state().default_name()), (vec![QUORUM, "late"], Some(QUORUM)));
        assert_eq!(ask(&mut registry, replace("at_least:2/3")), Ok(false));
    }

    #[test]
    fn the_first_that_is_left_becomes_the_default() {
        let mut registry = Driver::default();
        for name in ["b", "a"] {
            ask(&mut registry, register(name, "threshold")).unwrap();
        }
        let unregister = |name: &str| Command::Unregister { name: name.into() };
        let set_default = |name: &str| Command::SetDefault { name: name.into(), is_custom: false };
        assert_eq!(ask(&mut registry, unregister("quorum")), Ok(true));
        assert_eq!(registry.state().default_name(), Some("b"));
        assert_eq!(ask(&mut registry, unregister("quorum")), Ok(false));
        assert_eq!(ask(&mut registry, set_default("c")), Ok(false));
        assert_eq!(ask(&mut registry, set_default("a")), Ok(true));
        for name in ["b", "a"] {
            ask(&mut registry, unregister(name)).unwrap();
        }
        assert_eq!(registry.state().default_name(), None);
        ask(&mut registry, register("late", "unanimous")).unwrap();
        assert_eq!(registry.state().default_name(), Some("late"));
        // A function of the caller's can be the default, and is gone like any other.
        let own = Command::SetDefault { name: "own".into(), is_custom: true };
        assert_eq!(ask(&mut registry, own), Ok(true));
        assert_eq!(ask(&mut registry, unregister("own")), Ok(true));
        assert_eq!((registry.state().default_name(), registry.revision()), (Some("late"), 9));
    }
}
