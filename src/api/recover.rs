//! What is sound of a damaged folder, into a new one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::backup::now;
use super::event_view::event_view;
use super::on_thread;
use crate::error::Error;
use crate::journal::{Fault, Record, next_life};
use crate::shell::log_files;
use crate::store::backup;
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
/// `invalid_argument` when one of the folders lies in the other, or they are one, whatever links lead there;
/// `store_missing`, `store_locked` and `store_version` for `from`, `store_foreign` when `to` or the file beside it is there
/// already, `store_error` when a disk does not answer. Damage is no error: the answer lists it.
pub async fn recover(from: PathBuf, to: PathBuf) -> Result<Recovered, Error> {
    check_apart(&from, &to)?;
    on_thread(move || {
        let store = ReadStore::open(&from)?;
        let mut name = to.clone().into_os_string();
        name.push(".rest.jsonl");
        let beside = PathBuf::from(name);
        if beside.exists() && !unfinished(&to)? {
            return Err(Fault::Foreign { path: beside.display().to_string() });
        }
        let mut notes = notes(&store);
        let mut lines = Lines { path: &beside, file: None };
        let (mut beyond_records, mut beyond_file) = (0, None);
        // All of it before the new folder has its name: whoever is cut off begins anew.
        let tip = store.restore(&to, next_life(store.epoch(), now()), |work| {
            notes.extend(carry_log(&store, &from, work)?);
            beyond_records = store.beyond(|record| lines.add(record))?;
            beyond_file = lines.finish()?.then(|| beside.clone());
            Ok(())
        })?;
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
            notes,
            folder: to,
        })
    })
    .await
}

/// Gives the new folder the log of the old one, so that it goes on; a sentence when it cannot. A checkpoint over records that
/// were lost is put beside.
fn carry_log(store: &ReadStore, from: &Path, to: &Path) -> Result<Option<String>, Fault> {
    let key = match log_files::key_text(from) {
        Ok(Some(key)) => key,
        Ok(None) => return Ok(None),
        Err(Fault::Corrupt { what }) => {
            return Ok(Some(format!(
                "the new folder begins a log of its own, for the key of the old one is damaged: {what}"
            )));
        }
        Err(fault) => return Err(fault),
    };
    let newest = log_files::checkpoint_text(from)?;
    let contained = match &newest {
        // Up to a gap alone, for behind it nothing follows.
        Some(text) => match log_files::begins_with(store, &key, text) {
            Err(Fault::Corrupt { .. }) => false,
            begins => begins?,
        },
        None => false,
    };
    log_files::adopt(to, &key, newest.as_deref().map(|text| (text, contained)))?;
    let lost = newest.filter(|_| !contained).map(|_| {
        "the newest checkpoint of the log is not contained in the new folder, and stands there as checkpoint.before-loss".to_owned()
    });
    Ok(lost)
}

/// What is damaged is evidence: nothing is written into it, nor around it.
fn check_apart(from: &Path, to: &Path) -> Result<(), Error> {
    // A folder that is not there has nothing in it; opening it says so.
    let Ok(held) = from.canonicalize() else { return Ok(()) };
    let new = place_of(to);
    let expected = if new.starts_with(&held) {
        "a folder outside the one that is recovered"
    } else if held.starts_with(&new) {
        "a folder in which the one that is recovered does not lie"
    } else {
        return Ok(());
    };
    let refused = Error::invalid("to", to.display().to_string(), expected);
    Err(refused.with("folder", held.display().to_string()).with("place", new.display().to_string()))
}

/// Where a path leads to that need not be there yet: as far as it is there its links are followed.
fn place_of(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut place = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                place.push(part);
                place = place.canonicalize().unwrap_or(place);
            }
        }
    }
    place
}

/// What is odd about a folder besides what is missing.
fn notes(store: &ReadStore) -> Vec<String> {
    let mut notes = store.damage().notes.clone();
    notes.extend(store.refusal().filter(|why| !notes.iter().any(|note| note == why)).map(str::to_owned));
    notes
}

/// Was an earlier recovery into this place cut off? Then what stands beside is its own.
fn unfinished(to: &Path) -> Result<bool, Fault> {
    let work = backup::work_of(to)?;
    Ok(backup::unfinished(&work)? || backup::unfinished(to)?)
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
                None => self.file.insert(BufWriter::new(File::create(path)?)),
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
