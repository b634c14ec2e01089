//! Requests and replies about hooks.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HistoryQuery;
use crate::core::kernel::ids::{EntityId, known};
use crate::core::kernel::time::Timestamp;

/// What signs the requests of a hook, as text. Never shown by `{:?}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct HookSecret(pub String);

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret")
    }
}

/// Posts what is recorded to a URL, from now on, in order, at least once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterHook {
    /// Id of the hook; a random one when left out. An id is never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_id: Option<EntityId>,
    /// Where to: `http://` or `https://`, up to 2,048 bytes, without credentials and fragment. An address that is not of the
    /// public Internet is refused unless the server allows it.
    pub url: String,
    /// Which events: the filters of `history.query`, and its `cursor`, `since` or `from_position` to begin earlier than now.
    /// Everything but what hooks themselves do, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<HistoryQuery>,
    /// What signs the requests: `whsec_` and 24 to 64 bytes in base64. One is made, and told once, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<HookSecret>,
}

impl RegisterHook {
    /// Everything from now on, to this URL, signed by a secret that is made.
    pub fn to(url: &str) -> Self {
        RegisterHook { hook_id: None, url: url.to_owned(), filter: None, secret: None }
    }
}

/// Names a hook.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookRef {
    /// Which hook.
    #[serde(deserialize_with = "known")]
    pub hook_id: EntityId,
}

/// A hook, as it stands. Its secret is not shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookView {
    /// Its id.
    pub hook_id: EntityId,
    /// `active`; `retrying` after an attempt that failed; `failing` after 100 in a row, and `disabled`, until it is resumed;
    /// `removed`.
    pub state: String,
    /// Where to.
    pub url: String,
    /// Which events.
    pub filter: Value,
    /// What fits up to this place of the global order was delivered.
    pub position: u64,
    /// Records behind it that were not looked at yet: an upper bound of what waits.
    pub behind: u64,
    /// Events delivered.
    pub delivered: u64,
    /// When some were delivered last.
    pub delivered_at: Option<Timestamp>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// Why the last one failed that did, or why it is disabled.
    pub last_error: Option<String>,
    /// When that was.
    pub last_failed_at: Option<Timestamp>,
    /// When it is attempted again.
    pub next_attempt_at: Option<Timestamp>,
    /// The identity that registered it, whose eyes it has.
    pub owner: Option<EntityId>,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
}

/// What became of a request about a hook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookChanged {
    /// The hook from here on.
    pub hook: HookView,
    /// It is other than before.
    pub changed: bool,
    /// The secret, if one was made. It is told here and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<HookSecret>,
}

/// Hooks, by their ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HookList {
    /// Those that were not removed: one's own, and all for an admin.
    pub hooks: Vec<HookView>,
    /// This process delivers; otherwise they wait for one that does, which `quorate serve` is.
    pub delivers: bool,
}
