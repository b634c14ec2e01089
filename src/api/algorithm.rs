//! Operations on the algorithms proposals are decided by.

use std::sync::Arc;

use super::Quorate;
use super::dto::{
    AlgorithmDefault, AlgorithmList, AlgorithmRef, AlgorithmRegistered, AlgorithmUnregistered, AlgorithmView,
    ParameterView, RegisterAlgorithm, RuleView,
};
use super::quorum::{check_label, rule_of};
use crate::core::algorithms::{Algorithms, AlgorithmsMachine, Command};
use crate::core::rules::{CustomRule, Param, RULES, RuleEntry, WeightTable};
use crate::error::Error;
use crate::shell::entity::{Action, View};
use crate::shell::lock;
use crate::shell::proposals::{algorithms_id, reconsider};
use crate::shell::runtime::ask;

/// Longest name, in bytes.
const MAX_NAME: usize = 256;

/// Operations on the algorithms proposals are decided by.
#[derive(Clone, Copy, Debug)]
pub struct AlgorithmsApi<'a> {
    pub(super) q: &'a Quorate,
}

impl AlgorithmsApi<'_> {
    /// Gives a rule a name, for ever or until it is unregistered. Durable on return. A name that is taken keeps what
    /// was registered first, and the answer says so.
    ///
    /// # Errors
    /// `invalid_argument` for the name, the rule or its parameters, `limit_exceeded`, and the faults of the store.
    pub async fn register(&self, request: RegisterAlgorithm) -> Result<AlgorithmRegistered, Error> {
        let RegisterAlgorithm { name, rule, params } = request;
        check_label("name", Some(&name), MAX_NAME)?;
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
            return Ok(AlgorithmRegistered { name, registered: false, rule: None });
        }
        let command = Command::Register { name: name.clone(), rule };
        self.command(command, move |state, registered| {
            let rule = state.rule(&name).cloned();
            AlgorithmRegistered { name, registered, rule }
        })
        .await
    }

    /// Gives a function a name, as long as this process lives. Open proposals of an earlier process that wait for a
    /// function of this name are decided by it at once. False when the name is taken.
    ///
    /// # Errors
    /// `invalid_argument` for the name.
    pub fn register_custom(
        &self,
        name: &str,
        weights: WeightTable,
        rule: impl CustomRule + 'static,
    ) -> Result<bool, Error> {
        check_label("name", Some(name), MAX_NAME)?;
        let host = self.q.host();
        let taken = lock(&host.counters.algorithms).rule(name).is_some();
        let registered = !taken && host.custom.register(name, weights, Arc::new(rule));
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
        let AlgorithmRef { name } = request;
        let host = self.q.host();
        let was_custom = host.custom.unregister(&name);
        let command = Command::Unregister { name: name.clone() };
        let gone = self.command(command, move |state, unregistered| {
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
        let AlgorithmRef { name } = request;
        let is_custom = self.q.host().custom.weights(&name).is_some();
        let command = Command::SetDefault { name: name.clone(), is_custom };
        self.command(command, move |state, set| {
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
        view: impl FnOnce(&Algorithms, bool) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let host = self.q.host();
        let action = Action::Command(command, None);
        let answer = move |seen: View<'_, AlgorithmsMachine>| match seen.reply {
            Some(Err(rejection)) => Err(Error::from(rejection)),
            Some(Ok(changed)) => Ok(view(seen.state, changed)),
            None => Ok(view(seen.state, false)),
        };
        ask(host, &host.algorithms, &algorithms_id(), action, answer).await?
    }
}

fn rule_view(entry: &RuleEntry) -> RuleView {
    let parameter =
        |p: &crate::core::rules::Parameter| ParameterView { name: p.name.into(), summary: p.summary.into() };
    RuleView {
        name: entry.name.into(),
        summary: entry.summary.into(),
        parameters: entry.parameters.iter().map(parameter).collect(),
        law: entry.law.text().into(),
        source: entry.source.into(),
    }
}
