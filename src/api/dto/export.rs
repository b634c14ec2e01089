//! Requests and replies about records with what proves them, and exports as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{EventView, PrunedSpan};

/// Asks for records with what proves them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveRecords {
    /// Their positions, each higher than the one before; at most 1000.
    pub positions: Vec<u64>,
    /// The size of the log at which they are proven; that of the newest checkpoint when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_size: Option<u64>,
    /// Give the path of each to the root of the log? True when left out. Whoever has every record needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<bool>,
}

/// Records with what proves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvenRecords {
    /// The size of the log at which they are proven.
    pub log_size: u64,
    /// The records, in the order of their positions.
    pub records: Vec<ProvenRecord>,
}

/// A record with what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvenRecord {
    /// Its place in the global order.
    pub position: u64,
    /// Chain hash of the record before it in the log of its entity, in hex; zeros for the first.
    pub previous_hash: String,
    /// The record as it is stored, without its hash, in hex; `null` when a part of it is not for the eyes of who asks.
    pub bytes: Option<String>,
    /// The hashes that lead from it to the root of the log, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<String>>,
}

/// One line of an export: an event as `history.query` shows it, with what proves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportLine {
    /// What happened.
    #[serde(flatten)]
    pub event: EventView,
    /// Chain hash of the record before it in the log of its entity, in hex; zeros for the first.
    pub previous_hash: String,
    /// The record as it is stored, without its hash, in hex; `null` when a part of it was not for the eyes of who exported.
    pub bytes: Option<String>,
    /// The hashes that lead from it to the root of the log, in base64; left out where every record is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<String>>,
}

/// What an export says of itself, behind its last line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportManifest {
    /// `quorate.export.v1`.
    pub format: String,
    /// The first position that was looked at.
    pub from: u64,
    /// The last one.
    pub upto: u64,
    /// What was asked for, as in `history.query`; everything when empty.
    pub filter: Map<String, Value>,
    /// Lines in it.
    pub count: u64,
    /// Every record of the log is in it, so that none can be missing.
    pub whole: bool,
    /// The public key of the log. Whoever checks the export trusts another copy, not this one.
    pub public_key: String,
    /// The checkpoint under which everything in it is proven.
    pub checkpoint: String,
    /// Chain hash of the last line, in hex.
    pub tip_hash: Option<String>,
    /// Hash (blake3) of all lines before this one with their ends, in hex. It is not signed: it shows accidents.
    pub lines_hash: String,
    /// What was pruned of the range, by pruning: of it there are no lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<PrunedSpan>,
}
