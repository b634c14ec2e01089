//! Tokens are shown to those who may use them: the party that holds them, and whoever did what gave them out.
//!
//! | token | shown to an identity that may act as |
//! |---|---|
//! | of capacity | the cell that holds it, or the cell whose log it stands in |
//! | of leadership | the leader it was given to |
//! | of a handing over | the leader, or the worker it was given to |
//! | of the use of a decision | the identity that used it |
//! | that a URL of a hook may hold | the identity that registered it |
//!
//! An admin sees all of them, and so does whoever opened the runtime. In history what is hidden is left out of the data of
//! an event, whose hash stays that of the whole; where a number stands in a reply it is 0, which no token is. What was
//! done under the identity itself is shown to it as it is. What signs the requests of a hook is shown to nobody.

use serde_json::Value;

use super::Quorate;
use super::dto::{EventView, JobStatusView};
use crate::core::jobs::gate::GateStatus;
use crate::core::jobs::protocol::token::{DispatchToken, FenceToken};
use crate::core::jobs::worker::WorkerStatus;
use crate::core::kernel::ids::{EntityId, StreamKind};
use crate::core::trust::identity::{Identity, PartyKind, Scope};
use crate::shell::host::Host;
use crate::shell::lock;

/// What an identity sees of tokens.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    name: EntityId,
    identity: Identity,
}

impl Quorate {
    /// What the caller sees of tokens; none who sees all of them.
    pub(super) fn sight(&self) -> Option<Sight> {
        let name = self.caller_name()?.clone();
        let identity = lock(&self.host().counters.identities).get(&name).cloned().unwrap_or_default();
        Sight::of(name, identity)
    }
}

/// Does this identity see everything?
pub(super) fn sees_all(host: &Host, name: &EntityId) -> bool {
    let directory = lock(&host.counters.identities);
    directory.get(name).is_some_and(|identity| identity.scopes().any(|scope| *scope == Scope::Admin))
}

/// What an identity sees of tokens when somebody looks in its name; none when it may not read history now.
#[cfg(feature = "hooks")]
pub(super) fn eyes_of(host: &Host, name: &EntityId) -> Option<Option<Sight>> {
    use super::events::FILTERS;
    use crate::core::trust::identity::check::{Need, permits};

    let directory = lock(&host.counters.identities);
    let identity = directory.get(name).filter(|identity| identity.is_active(host.clock.now()))?;
    permits(identity, name.as_str(), FILTERS, Need::Read, &[]).ok()?;
    Some(Sight::of(name.clone(), identity.clone()))
}

/// Is it what nobody is shown, whose stored bytes would show it?
pub(super) fn is_secret(view: &EventView) -> bool {
    view.kind == StreamKind::Hook.name() && view.event == "keyed"
}

/// Members that say whose the tokens beside them are.
const HOLDERS: [&str; 5] = ["holder", "leader", "leader_id", "cell", "cell_id"];

impl Sight {
    fn of(name: EntityId, identity: Identity) -> Option<Self> {
        let sees_all = identity.scopes().any(|scope| *scope == Scope::Admin);
        (!sees_all).then_some(Sight { name, identity })
    }

    /// May it use tokens of this party?
    pub(super) fn may(&self, kind: PartyKind, id: &str) -> bool {
        self.identity.parties().any(|party| party.covers(Some(kind), id))
    }

    /// Leaves out of events what is not for its eyes.
    pub(super) fn events(&self, views: &mut [EventView]) {
        for view in views {
            self.event(view);
        }
    }

    /// Leaves out of an event what is not for its eyes. Says whether something was.
    pub(super) fn event(&self, view: &mut EventView) -> bool {
        if view.kind == StreamKind::Hook.name() {
            let own = view.identity.as_deref() == Some(self.name.as_str());
            let fields = view.data.as_object_mut().filter(|_| !own && view.event == "registered");
            return fields.is_some_and(|fields| fields.remove("url").is_some());
        }
        let kind = match StreamKind::from_name(&view.kind) {
            Some(StreamKind::Cell | StreamKind::Budget) => PartyKind::Cell,
            Some(StreamKind::Job | StreamKind::Gate | StreamKind::Worker | StreamKind::Route) => {
                PartyKind::Holder
            }
            // Whoever has the token of a use may begin its job.
            Some(StreamKind::Session | StreamKind::Proposal) if view.event == "spent" => PartyKind::Voter,
            Some(_) | None => return false,
        };
        let own = view.kind == StreamKind::Cell.name() && self.may(kind, view.entity_id.as_str());
        if own || view.identity.as_deref() == Some(self.name.as_str()) {
            return false;
        }
        self.leave_out(kind, &mut view.data, false)
    }

    fn leave_out(&self, kind: PartyKind, value: &mut Value, in_token: bool) -> bool {
        match value {
            Value::Object(fields) => {
                let holder = HOLDERS.iter().find_map(|name| {
                    let named = fields.get(*name)?;
                    named.as_str().or_else(|| named.get("node")?.as_str())
                });
                if holder.is_some_and(|holder| self.may(kind, holder)) {
                    return false;
                }
                let before = fields.len();
                fields.retain(|name, value| {
                    let nested = matches!(value, Value::Object(_) | Value::Array(_));
                    nested || !(name.contains("token") || (in_token && name == "id"))
                });
                let mut hidden = fields.len() < before;
                for (name, value) in fields.iter_mut() {
                    hidden |= self.leave_out(kind, value, in_token || name.contains("token"));
                }
                hidden
            }
            Value::Array(values) => {
                let before = values.len();
                // A list of tokens by name alone has nothing beside them that says whose they are.
                values.retain(|value| !(in_token && matches!(value, Value::String(_) | Value::Number(_))));
                let mut hidden = values.len() < before;
                for value in values {
                    hidden |= self.leave_out(kind, value, in_token);
                }
                hidden
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    /// The token of a job that is led by this party, as it is shown.
    pub(super) fn token(&self, leader: &EntityId, token: u64) -> u64 {
        if self.may(PartyKind::Holder, leader.as_str()) { token } else { 0 }
    }

    pub(super) fn job(&self, view: &mut JobStatusView) {
        view.fence_token = self.token(&view.leader_id, view.fence_token);
        view.timeout_fence_token = self.token(&view.leader_id, view.timeout_fence_token);
        let holder = view.lease_holder.as_ref();
        if !holder.is_some_and(|holder| self.may(PartyKind::Holder, holder.as_str())) {
            view.lease_asked_by = None;
        }
    }

    /// What led to how a job stands, as it is shown to whoever does not lead it.
    pub(super) fn sentence(sentence: &str) -> String {
        let mut parts = sentence.split("token ");
        let mut shown = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            shown.push_str("token ");
            shown.push_str(if rest.len() < part.len() { "hidden" } else { "" });
            shown.push_str(rest);
        }
        shown
    }

    pub(super) fn gate(&self, status: &mut GateStatus) {
        for datacenter in &mut status.datacenters {
            if !self.may(PartyKind::Holder, datacenter.leader.node.as_str()) {
                datacenter.fence_token = FenceToken::default();
                status.dc_fence_tokens.insert(datacenter.datacenter.clone(), FenceToken::default());
            }
        }
    }

    pub(super) fn worker(&self, id: &EntityId, status: &mut WorkerStatus) {
        if self.may(PartyKind::Worker, id.as_str()) {
            return;
        }
        for workflow in &mut status.workflows {
            if !self.may(PartyKind::Holder, workflow.leader.node.as_str()) {
                (workflow.fence_token, workflow.dispatch_token) =
                    (FenceToken::default(), DispatchToken::default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::kernel::driver::Driver;
    use crate::core::kernel::time::Timestamp;
    use crate::core::trust::identity::command::Create;
    use crate::core::trust::identity::{Command, IdentityMachine, Party};

    fn sight(parties: &[&str]) -> Sight {
        let mut driver = Driver::<IdentityMachine>::default();
        let acts_as = parties.iter().map(|party| Party::parse(party).unwrap()).collect();
        let create = Create { acts_as, ..Create::default() };
        driver.step(Command::Create(Box::new(create)), Timestamp::EPOCH);
        Sight { name: EntityId::new("ann").unwrap(), identity: driver.state().clone() }
    }

    fn seen(sight: &Sight, kind: &str, entity: &str, identity: Option<&str>, data: Value) -> Value {
        let mut view = EventView {
            position: 1,
            kind: kind.into(),
            entity_id: EntityId::new(entity).unwrap(),
            seq: 1,
            at: Timestamp::EPOCH,
            at_ms: 0,
            event: "e".into(),
            data,
            refused: false,
            identity: identity.map(str::to_owned),
            hash: String::new(),
        };
        sight.event(&mut view);
        view.data
    }

    #[test]
    fn a_token_of_another_is_left_out_wherever_it_stands() {
        let ann = sight(&["cell:a", "holder:h"]);
        let granted = json!({ "need": "n", "tokens": [
            { "id": "t1", "source": "s", "holder": "a" }, { "id": "t2", "source": "s", "holder": "b" },
        ] });
        let shown = json!({ "need": "n", "tokens": [
            { "id": "t1", "source": "s", "holder": "a" }, { "source": "s", "holder": "b" },
        ] });
        assert_eq!(seen(&ann, "cell", "s", None, granted.clone()), shown);
        assert_eq!(seen(&ann, "cell", "a", None, granted.clone()), granted, "the log of its own cell");
        assert_eq!(seen(&ann, "cell", "s", Some("ann"), granted.clone()), granted, "its own doing");
        assert_eq!(seen(&ann, "quorum", "q", None, granted.clone()), granted, "there are none");
        let led = json!({ "leader": { "node": "h", "incarnation": 1 }, "token": 7 });
        assert_eq!(seen(&ann, "job", "j", None, led.clone()), led);
        let led = json!({ "leader": { "node": "g", "incarnation": 1 }, "token": 7 });
        assert_eq!(seen(&ann, "job", "j", None, led), json!({ "leader": { "node": "g", "incarnation": 1 } }));
        assert_eq!(seen(&ann, "job", "j", None, json!({ "fence_token": 7, "x": 1 })), json!({ "x": 1 }));
        assert_eq!(seen(&ann, "cell", "s", None, json!({ "tokens": ["t1", "t2"] })), json!({ "tokens": [] }));
        let spent = json!({ "key": "k", "number": 1, "token": "t" });
        assert_eq!(seen(&ann, "session", "s", Some("bob"), spent.clone()), spent, "no use");
        assert_eq!(
            Sight::sentence("led under token 12 (x), then token of"),
            "led under token hidden (x), then token of"
        );
    }
}
