//! Operations on the algorithms proposals are decided by.

use std::sync::Arc;

use super::Quorate;
use super::dto::{
    AlgorithmDefault, AlgorithmList, AlgorithmRef, AlgorithmRegistered, AlgorithmUnregistered, AlgorithmView,
    ParameterView, RegisterAlgorithm, RuleView,
};
use super::quorum::{check_label, rule_of};
use crate::core::voting::algorithms::{self, AlgorithmsMachine, Changed, Command};
use crate::core::voting::rules::{CustomRule, Param, RULES, RuleEntry, WeightTable};
use crate::error::{Error, ErrorKind};
use crate::shell::entity::{Action, View};
use crate::shell::lock;
use crate::shell::proposals::{algorithms_id, reconsider};
use crate::shell::runtime::ask;

/// Longest name, in bytes.
const MAX_NAME: usize = 256;

/// Operations on the algorithms proposals are decided by.
#[derive(Clone, Copy, Debug)]
pub struct Algorithms<'a> {
    pub(super) q: &'a Quorate,
}

impl Algorithms<'_> {
    /// Gives a rule a name, for ever or until it is unregistered. Durable on return. The same name and rule again change
    /// nothing, and the answer says so. With `replace` another rule takes the place of the one of this name, on record;
    /// open proposals keep the rule they were opened with.
    ///
    /// # Errors
    /// `invalid_argument` for the name, the rule or its parameters, `already_exists` when the name stands for another
    /// rule or for a function, `limit_exceeded`, and the faults of the store.
    pub async fn register(&self, request: RegisterAlgorithm) -> Result<AlgorithmRegistered, Error> {
        self.q.allow("algorithm.register", &request).await?;
        let RegisterAlgorithm { name, rule, params, replace, by } = request;
        check_label("name", Some(&name), MAX_NAME)?;
        check_label("by", by.as_deref(), MAX_NAME)?;
        let rule = match (rule, params) {
            (Param::Text(rule), Some(params)) if !rule.contains(':') => {
                Param::Map([("rule".into(), Param::Text(rule)), ("params".into(), Param::Map(params))].into())
            }
            (rule, None) => rule,
            (_, Some(params)) => {
                let given = Param::Map(params).to_string();
                return Err(Error::invalid("params", given, "none when the rule has its own"));
            }
        };
        let rule = rule_of("rule", &rule)?;
        if self.q.host().custom.weights(&name).is_some() {
            let message = format!(
                "this name stands for a function of this process; choose another name, or unregister it. \
                 name={name:?}, given={rule}"
            );
            let error = Error::new(ErrorKind::AlreadyExists, message).with("field", "name");
            return Err(error.with("held", "a function").with("given", rule.to_string()));
        }
        let command = Command::Register { name: name.clone(), rule, replace: replace.unwrap_or(false), by };
        self.command(command, move |state, Changed { changed, earlier }| {
            let rule = state.rule(&name).cloned();
            AlgorithmRegistered { name, registered: changed, rule, replaced: earlier }
        })
        .await
    }

    /// Gives a function a name, as long as this process lives. Open proposals of an earlier process that wait for a
    /// function of this name are decided by it at once. False when the process has a function of this name: the first
    /// one stays, for whether two functions are the same cannot be told.
    ///
    /// # Errors
    /// `invalid_argument` for the name, `already_exists` when it stands for a registered rule.
    pub fn register_custom(
        &self,
        name: &str,
        weights: WeightTable,
        rule: impl CustomRule + 'static,
    ) -> Result<bool, Error> {
        self.q.owned("a function of a program")?;
        check_label("name", Some(name), MAX_NAME)?;
        let host = self.q.host();
        if let Some(held) = lock(&host.counters.algorithms).rule(name) {
            let message =
                format!("this name stands for a rule; choose another name. name={name:?}, held={held}");
            let error = Error::new(ErrorKind::AlreadyExists, message).with("field", "name");
            return Err(error.with("held", held.to_string()).with("given", "a function"));
        }
        let registered = host.custom.register(name, weights, Arc::new(rule));
        if registered {
            reconsider(host, name);
        }
        Ok(registered)
    }

    /// Takes a name away; open proposals keep the rule they were opened with. When it was the default, the first that
    /// is left takes its place. Durable on return; a custom one is forgotten by this process.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn unregister(&self, request: AlgorithmRef) -> Result<AlgorithmUnregistered, Error> {
        self.q.allow("algorithm.unregister", &request).await?;
        let AlgorithmRef { name } = request;
        let host = self.q.host();
        let was_custom = host.custom.unregister(&name);
        let command = Command::Unregister { name: name.clone() };
        let gone = self.command(command, move |state, Changed { changed: unregistered, .. }| {
            let default = state.default_name().map(str::to_owned);
            AlgorithmUnregistered { name, unregistered: unregistered || was_custom, default }
        });
        let gone = gone.await?;
        // No rule is left: a function may be.
        match host.custom.names().into_iter().next() {
            Some(own) if gone.default.is_none() => {
                let default = self.set_default(AlgorithmRef { name: own }).await?.default;
                Ok(AlgorithmUnregistered { default, ..gone })
            }
            Some(_) | None => Ok(gone),
        }
    }

    /// Makes an algorithm the one that decides when no other is named. Durable on return.
    ///
    /// # Errors
    /// The faults of the store.
    pub async fn set_default(&self, request: AlgorithmRef) -> Result<AlgorithmDefault, Error> {
        self.q.allow("algorithm.set_default", &request).await?;
        let AlgorithmRef { name } = request;
        let is_custom = self.q.host().custom.weights(&name).is_some();
        let command = Command::SetDefault { name: name.clone(), is_custom };
        self.command(command, move |state, Changed { changed: set, .. }| {
            let default = state.default_name().map(str::to_owned);
            AlgorithmDefault { name, set, default }
        })
        .await
    }

    /// What is registered, and the rules that can be given a name.
    ///
    /// # Errors
    /// `store_error` when the store refuses work.
    pub fn list(&self) -> Result<AlgorithmList, Error> {
        self.q.allow_reading("algorithm.list")?;
        let host = self.q.host();
        drop(host.admit(false)?);
        let algorithms = lock(&host.counters.algorithms);
        let default = algorithms.default_name().map(str::to_owned);
        let is_default = |name: &str| default.as_deref() == Some(name);
        let named = algorithms.list().map(|(name, rule)| AlgorithmView {
            name: name.to_owned(),
            rule: Some(rule.clone()),
            custom: false,
            default: is_default(name),
        });
        let custom = host.custom.names().into_iter().map(|name| AlgorithmView {
            default: is_default(&name),
            name,
            rule: None,
            custom: true,
        });
        Ok(AlgorithmList {
            algorithms: named.chain(custom).collect(),
            default: default.clone(),
            rules: RULES.iter().map(rule_view).collect(),
        })
    }

    async fn command<R: Send + 'static>(
        &self,
        command: Command,
        view: impl FnOnce(&algorithms::Algorithms, Changed) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let host = self.q.host();
        let action = Action::Command(command, None);
        let answer = move |seen: View<'_, AlgorithmsMachine>| match seen.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(changed)) => Ok(view(seen.state, changed)),
            None => Ok(view(seen.state, Changed::default())),
        };
        ask(host, &host.kinds.algorithms, &algorithms_id(), action, answer).await?
    }
}

fn rule_view(entry: &RuleEntry) -> RuleView {
    let parameter = |p: &crate::core::voting::rules::Parameter| ParameterView {
        name: p.name.into(),
        summary: p.summary.into(),
    };
    RuleView {
        name: entry.name.into(),
        summary: entry.summary.into(),
        parameters: entry.parameters.iter().map(parameter).collect(),
        law: entry.law.text().into(),
        source: entry.source.into(),
    }
}
