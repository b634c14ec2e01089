//! What is sound of a damaged folder, into a new one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::event_view::event_view;
use super::on_thread;
use crate::error::Error;
use crate::journal::{Fault, Record};
use crate::store::salvage::ReadStore;

/// What was recovered, and what was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recovered {
    /// Nothing is missing.
    pub ok: bool,
    /// The new folder.
    pub folder: PathBuf,
    /// Commit groups in it.
    pub groups: u64,
    /// Records in it.
    pub records: u64,
    /// Hash of its last group: covers everything before it.
    pub tip_hash: String,
    /// Records that stand behind a gap, and so in a file beside the folder.
    pub beyond_records: u64,
    /// That file.
    pub beyond_file: Option<PathBuf>,
    /// What is missing, in order.
    pub missing: Vec<Missing>,
    /// Entities whose records are not all there, as far as that is known.
    pub entities: Vec<Incomplete>,
    /// What else is not as it should be.
    pub notes: Vec<String>,
}

/// Commit groups that are missing in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// The first group.
    pub first_group: u64,
    /// The last one.
    pub last_group: u64,
    /// The first record.
    pub first_position: u64,
    /// The last one, when it is known.
    pub last_position: Option<u64>,
    /// The file the damaged bytes are in, or the one in which the group before ends.
    pub file: Option<PathBuf>,
    /// Where in the file.
    pub offset: Option<u64>,
}

/// An entity whose records are not all there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incomplete {
    /// Kind of the entity.
    pub kind: String,
    /// Which entity.
    pub entity_id: String,
    /// Place in its log of the first record that is missing.
    pub first_seq: u64,
}

/// Writes what is sound of the folder `from` into the new folder `to`; `from` is only read. Records behind the first
/// gap are written to the file `to` with `.rest.jsonl` behind its name, one a line.
///
/// # Errors
/// `store_missing`, `store_locked` and `store_version` for `from`, `store_foreign` when `to` or the file beside it is there
/// already, `store_error` when a disk does not answer. Damage is no error: the answer lists it.
pub async fn recover(from: PathBuf, to: PathBuf) -> Result<Recovered, Error> {
    on_thread(move || {
        let store = ReadStore::open(&from)?;
        let mut name = to.clone().into_os_string();
        name.push(".rest.jsonl");
        let beside = PathBuf::from(name);
        if beside.exists() {
            return Err(Fault::Foreign { path: beside.display().to_string() });
        }
        let tip = store.restore(&to)?;
        let mut lines = Lines { path: &beside, file: None };
        let beyond_records = store.beyond(|record| lines.add(record))?;
        let beyond_file = lines.finish()?.then(|| beside.clone());
        let damage = store.damage();
        let missing = damage.gaps.iter().map(|gap| Missing {
            first_group: gap.first_group,
            last_group: gap.last_group,
            first_position: gap.first_position,
            last_position: gap.last_position,
            file: gap.place.as_ref().map(|(path, _)| path.clone()),
            offset: gap.place.as_ref().map(|(_, offset)| *offset),
        });
        let entities = damage.streams.iter().map(|(stream, seq)| Incomplete {
            kind: stream.kind.name().into(),
            entity_id: stream.id.to_string(),
            first_seq: *seq,
        });
        Ok(Recovered {
            ok: damage.is_none(),
            groups: tip.group,
            records: tip.position,
            tip_hash: tip.hash.to_string(),
            beyond_records,
            beyond_file,
            missing: missing.collect(),
            entities: entities.collect(),
            notes: notes(&store),
            folder: to,
        })
    })
    .await
}

/// What is odd about a folder besides what is missing.
fn notes(store: &ReadStore) -> Vec<String> {
    let mut notes = store.damage().notes.clone();
    notes.extend(store.refusal().filter(|why| !notes.iter().any(|note| note == why)).map(str::to_owned));
    notes
}

/// A file of records, made when the first one comes.
struct Lines<'a> {
    path: &'a Path,
    file: Option<BufWriter<File>>,
}

impl Lines<'_> {
    fn add(&mut self, record: Record) -> Result<(), Fault> {
        let line = line(record);
        let path = self.path;
        let mut write = || -> io::Result<()> {
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(BufWriter::new(File::create_new(path)?)),
            };
            writeln!(file, "{line}")
        };
        write().map_err(|e| unwritten(path, &e))
    }

    /// Says whether there was anything to write.
    fn finish(self) -> Result<bool, Fault> {
        let Some(file) = self.file else { return Ok(false) };
        let synced =
            file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.map_err(|e| unwritten(self.path, &e))?;
        Ok(true)
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("file cannot be written. path={}, error={error}", path.display()) }
}

/// A record as `history.query` shows it; one of a kind this program does not know, with its bytes.
fn line(record: Record) -> String {
    let bytes: String = record.payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let bare = json!({
        "position": record.position, "kind": record.stream.kind.name(), "entity_id": record.stream.id.to_string(),
        "seq": record.seq, "at": record.at, "payload": bytes, "hash": record.hash.to_string(),
    });
    match event_view(record).map(serde_json::to_value) {
        Ok(Ok(view)) => view.to_string(),
        Ok(Err(_)) | Err(_) => bare.to_string(),
    }
}
