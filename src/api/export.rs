//! Records with what proves them, and the check of an export without a store.
//!
//! ```text
//!  line       event · previous_hash · bytes · proof     the bytes make the event and the hash, the proof leads to the log
//!  …
//!  manifest   range · filter · count · checkpoint       signed by the log
//! ```

use std::collections::HashMap;

use quorate_proofs::checkpoint::{Checkpoint, PublicKey};
use quorate_proofs::entry::Entry;
use quorate_proofs::proof::{INCLUSION, Inclusion, ShownRecord, hex};
use quorate_proofs::tree::Tree;
use quorate_proofs::{Hash, Refusal};
use serde::{Deserialize, Serialize};

use super::dto::{ExportLine, ExportManifest, ProveRecords, ProvenRecord, ProvenRecords};
use super::event_view::event_view;
use super::hidden::is_secret;
use super::history::{History, kind_of};
use super::proofs::{on_log, public_key};
use crate::core::kernel::ids::StreamId;
use crate::error::{Error, ErrorKind};
use crate::journal::Record;
use crate::journal::chain::{ChainHash, RunningDigest};
use crate::journal::codec::record_bytes;
use crate::shell::transparency::Nowhere;

/// The form of an export.
pub const EXPORT: &str = "quorate.export.v1";
/// Most records of one request.
const MOST: usize = 1_000;

impl History<'_> {
    /// Records with what proves them, by their positions.
    ///
    /// # Errors
    /// `invalid_argument` for positions that do not grow or are too many, `not_found` for a record that is not in a log of this
    /// size, and as [`History::checkpoint`].
    pub async fn prove_records(&self, request: ProveRecords) -> Result<ProvenRecords, Error> {
        self.q.allow("history.prove_records", &request).await?;
        let ProveRecords { positions, log_size, paths } = request;
        let grow = positions.windows(2).all(|pair| pair[0] < pair[1]);
        if positions.len() > MOST || !grow {
            let given = format!("{} positions", positions.len());
            return Err(Error::invalid(
                "positions",
                given,
                &format!("at most {MOST}, each higher than the one before"),
            ));
        }
        let paths = paths.unwrap_or(true);
        let read = on_log(self.q.host(), move |host| {
            host.transparency.inclusions(host.store.as_ref(), &positions, log_size, paths)
        });
        let (log_size, found) = read.await?;
        let sight = self.q.sight();
        let mut records = Vec::with_capacity(found.len());
        for (record, previous, hashes) in found {
            let (position, bytes) = (record.position, hex(&record_bytes(&record)));
            let mut view = event_view(record)?;
            let hidden = is_secret(&view) || sight.as_ref().is_some_and(|sight| sight.event(&mut view));
            records.push(ProvenRecord {
                position,
                previous_hash: previous.to_string(),
                bytes: (!hidden).then_some(bytes),
                proof: hashes.map(|hashes| hashes.iter().map(Hash::to_string).collect()),
            });
        }
        Ok(ProvenRecords { log_size, records })
    }
}

/// What an export was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedExport {
    /// The name of the log.
    pub origin: String,
    /// How many records the checkpoint is signed over.
    pub log_size: u64,
    /// Lines in it.
    pub count: u64,
    /// Every record of the log is in it. Of a part nobody can say whether something was left out of it.
    pub whole: bool,
    /// Lines whose record is kept back: their place, entity and instant are proven, what happened is not.
    pub kept_back: u64,
}

/// The check of an export, line by line.
#[derive(Debug)]
pub struct ExportCheck {
    manifest: ExportManifest,
    checkpoint: Checkpoint,
    key: PublicKey,
    tree: Tree<Nowhere>,
    /// The last record of each entity that was seen.
    heads: HashMap<StreamId, (u64, ChainHash)>,
    digest: RunningDigest,
    last: u64,
    count: u64,
    kept_back: u64,
    tip_hash: Option<String>,
}

impl ExportCheck {
    /// Begins the check of the export with this manifest, by the public key that is trusted.
    ///
    /// # Errors
    /// `invalid_argument` for a key that is none; `proof_invalid` for a checkpoint that it did not sign.
    pub fn begin(manifest: ExportManifest, key: &str) -> Result<Self, Error> {
        let key = public_key(key)?;
        if manifest.format != EXPORT {
            let why = format!("this is no export. format={:?}, expected={EXPORT:?}", manifest.format);
            return Err(Error::new(ErrorKind::MalformedRequest, why));
        }
        let checkpoint = key.read(&manifest.checkpoint).map_err(|e| misfit(None, &e.to_string()))?;
        Ok(ExportCheck {
            manifest,
            checkpoint,
            key,
            tree: Tree::new(Nowhere),
            heads: HashMap::new(),
            digest: RunningDigest::default(),
            last: 0,
            count: 0,
            kept_back: 0,
            tip_hash: None,
        })
    }

    /// Takes in the bytes of a line with its end, as they stand in the file.
    pub fn digest(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// Checks the next line.
    ///
    /// # Errors
    /// `proof_invalid` that names the line, its position and its entity.
    pub fn add(&mut self, line: &ExportLine) -> Result<(), Error> {
        self.count += 1;
        let bad = |why: &str| misfit(Some((self.count, line)), why);
        let event = &line.event;
        if event.position <= self.last {
            return Err(bad("its position is not above that of the line before"));
        }
        let in_range = (self.manifest.from..=self.manifest.upto).contains(&event.position);
        if !in_range {
            return Err(bad("its position is outside of the range"));
        }
        let hash = chain_hash(&event.hash).ok_or_else(|| bad("its hash is none"))?;
        let previous = chain_hash(&line.previous_hash).ok_or_else(|| bad("the hash before it is none"))?;
        let kind = kind_of(&event.kind).map_err(|_| bad("its kind is unknown"))?;
        let stream = StreamId::new(kind, event.entity_id.clone());
        let known = match (event.seq, self.heads.get(&stream)) {
            (1, _) => Some(ChainHash::default()),
            (seq, Some((last, hash))) if last + 1 == seq => Some(*hash),
            (seq, Some((last, _))) if *last >= seq => {
                return Err(bad("its seq is not above that of the record before it of its entity"));
            }
            (_, _) => None,
        };
        if known.is_some_and(|known| known != previous) {
            return Err(bad("it does not follow the record before it of its entity"));
        }
        let entry = Entry {
            position: event.position,
            stream: stream.clone(),
            seq: event.seq,
            at: event.at,
            record_hash: hash,
        };
        let shown =
            line.bytes.clone().map(|bytes| ShownRecord { previous_hash: line.previous_hash.clone(), bytes });
        let refused = |e: Refusal| bad(&e.to_string());
        let size = self.checkpoint.size;
        let read = match (&line.proof, self.manifest.whole) {
            (Some(hashes), false) => {
                let inclusion = Inclusion {
                    format: INCLUSION.into(),
                    public_key: String::new(),
                    checkpoint: String::new(),
                    leaf_index: event.position - 1,
                    entry: hex(&entry.to_bytes()),
                    hashes: hashes.clone(),
                    record: shown,
                };
                let shown = inclusion.check_in(&self.checkpoint).map_err(refused)?;
                shown.payload.map(|payload| (shown.by, payload))
            }
            (None, true) => {
                if event.position != self.tree.size() + 1 {
                    return Err(bad("a record before it is missing"));
                }
                self.tree.push(entry.leaf()).map_err(refused)?;
                shown.map(|shown| shown.check(&entry, size)).transpose().map_err(refused)?
            }
            (None, false) => return Err(bad("its proof is missing")),
            (Some(_), true) => return Err(bad("it has a proof of its own, where every record is there")),
        };
        match read {
            None => self.kept_back += 1,
            Some((by, payload)) => {
                let record = Record {
                    position: event.position,
                    stream: stream.clone(),
                    seq: event.seq,
                    at: event.at,
                    by,
                    payload,
                    hash,
                    settles: false,
                };
                let view = event_view(record).map_err(|e| bad(&e.to_string()))?;
                if view != *event {
                    return Err(bad("what it shows is not what its record says"));
                }
            }
        }
        self.heads.insert(stream, (event.seq, hash));
        self.last = event.position;
        self.tip_hash = Some(event.hash.clone());
        Ok(())
    }

    /// Ends the check.
    ///
    /// # Errors
    /// `proof_invalid` when the lines are not those of the manifest, or of the log.
    pub fn finish(self) -> Result<CheckedExport, Error> {
        let manifest = &self.manifest;
        let bad = |why: &str| Err(misfit(None, why));
        if manifest.whole {
            let root = self.tree.root().map_err(|e| misfit(None, &e.to_string()))?;
            if (self.tree.size(), root) != (self.checkpoint.size, self.checkpoint.root) {
                return bad("its records are not those that the checkpoint was signed over");
            }
        }
        if self.count != manifest.count || self.tip_hash != manifest.tip_hash {
            return bad("its lines do not end as the manifest says");
        }
        if self.digest.finish().to_string() != manifest.lines_hash {
            return bad("its bytes are not those of the manifest");
        }
        Ok(CheckedExport {
            origin: self.key.name().to_owned(),
            log_size: self.checkpoint.size,
            count: self.count,
            whole: manifest.whole,
            kept_back: self.kept_back,
        })
    }
}

fn misfit(at: Option<(u64, &ExportLine)>, why: &str) -> Error {
    let place = at.map_or(String::new(), |(line, shown)| {
        let event = &shown.event;
        format!(
            ". line={line}, position={}, entity={}/{}, seq={}",
            event.position, event.kind, event.entity_id, event.seq
        )
    });
    let error = Error::new(ErrorKind::ProofInvalid, format!("the export does not hold: {why}{place}"));
    match at {
        Some((line, shown)) => error.with("line", line).with("position", shown.event.position),
        None => error,
    }
}

fn chain_hash(text: &str) -> Option<ChainHash> {
    quorate_proofs::proof::unhex("a hash", text).ok()?.try_into().ok().map(ChainHash)
}
