//! Keys of data subjects: made before the first record that needs one, kept outside of the journal, and destroyed.
//!
//! ```text
//!  DIR/subjects/<hash of the name>.key     64 hexadecimal digits, mode 0600; the folder 0700
//!
//!  first data of a subject ──► key file synced ──► Registered durable ──► sealed text in the record of the entity
//!  shred ──► ShredAsked durable ──► overwritten, synced, unlinked, folder synced ──► Shredded durable
//! ```
//!
//! A process that is killed between two steps leaves a key that sealed nothing, which is taken up again, or a record that a key is
//! to be destroyed, which the next one does before it serves. Overwriting reaches the file's own blocks: what a flash drive, a
//! copy-on-write file system, a snapshot or a backup of the folder keeps of them it cannot reach.

mod reveal;
pub(crate) mod seal;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub(crate) use self::reveal::Revealing;
use self::seal::{SECRET, SubjectKey};
use super::counters::Counters;
use super::entity::Action;
use super::host::Host;
use super::hosts::subjects_id;
use super::lock;
use super::runtime::ask;
use super::transparency::put;
use super::writer::Failure;
use crate::config::Config;
use crate::core::kernel::ids::EntityId;
use crate::core::trust::subject::event::KeyId;
use crate::core::trust::subject::{Command, Rejection, Reply, Status};
use crate::journal::chain::digest;
use crate::journal::{Fault, Store};

/// The folder of the keys in a data folder.
pub(crate) const FOLDER: &str = "subjects";

/// Where the keys are.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Memory(Mutex<BTreeMap<EntityId, [u8; SECRET]>>),
    /// Nobody said where.
    Nowhere,
}

/// Why there is no key for new data, or none to open what is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// Its data was shredded, or is about to be.
    Shredded,
    /// Its key is not where it is kept, though nobody asked for it to be destroyed.
    Missing,
    /// Another key stands where its key is kept.
    Wrong,
    /// This store keeps no keys.
    NotKept,
    /// As many data subjects are known as may be.
    TooMany(usize),
}

/// The keys of the data subjects of one runtime.
#[derive(Debug)]
pub(crate) struct Subjects {
    place: Place,
    /// What makes the same keys again in memory, in runs that are to be repeated.
    seed: Option<u64>,
    counters: Arc<Counters>,
    /// Keys that were read.
    known: Mutex<BTreeMap<EntityId, SubjectKey>>,
    /// Held by whoever makes a key.
    making: tokio::sync::Mutex<()>,
}

impl Subjects {
    pub(crate) fn new(config: &Config, store: &dyn Store, counters: Arc<Counters>) -> Self {
        let named = config.subject_keys.clone();
        let place = match named.or_else(|| Some(config.store_options.path.as_ref()?.join(FOLDER))) {
            Some(folder) => Place::Folder(folder),
            // What outlives the process is not sealed with keys that do not; those that follow from a seed do.
            None if store.outlives_the_process() && config.seed.is_none() => Place::Nowhere,
            None => Place::Memory(Mutex::default()),
        };
        let (known, making) = (Mutex::default(), tokio::sync::Mutex::default());
        Subjects { place, seed: config.seed, counters, known, making }
    }

    /// Is anybody known?
    pub(crate) fn any(&self) -> bool {
        !lock(&self.counters.subjects).all.is_empty()
    }

    /// The key by which data of this subject is opened.
    ///
    /// # Errors
    /// The fault of a disk that does not answer.
    pub(crate) fn key(&self, subject: &EntityId) -> Result<Result<SubjectKey, NoKey>, Fault> {
        let standing = lock(&self.counters.subjects).all.get(subject).map(|one| (one.status(), one.key_id));
        match standing {
            Some((Status::Active, key_id)) => self.kept(subject, key_id),
            Some((Status::Asked | Status::Shredded, _)) => {
                lock(&self.known).remove(subject);
                Ok(Err(NoKey::Shredded))
            }
            // Sealed elsewhere: its key stayed there.
            None => Ok(Err(NoKey::Missing)),
        }
    }

    /// The key that is on record under this id, if it is still there.
    fn kept(&self, subject: &EntityId, key_id: KeyId) -> Result<Result<SubjectKey, NoKey>, Fault> {
        let known = lock(&self.known).get(subject).filter(|key| key.id == key_id).cloned();
        if let Some(known) = known {
            return Ok(Ok(known));
        }
        let key = match self.read(subject)? {
            None => return Ok(Err(NoKey::Missing)),
            Some(secret) => SubjectKey::new(&secret),
        };
        if key.id != key_id {
            return Ok(Err(NoKey::Wrong));
        }
        lock(&self.known).insert(subject.clone(), key.clone());
        Ok(Ok(key))
    }

    /// The key for new data of this subject: made, kept and on record before this returns, when there is none.
    ///
    /// # Errors
    /// The faults of the store, and that of a disk that does not answer.
    pub(crate) async fn key_for_new(
        host: &Arc<Host>,
        subject: &EntityId,
    ) -> Result<Result<SubjectKey, NoKey>, Failure> {
        let this = &host.subjects;
        if matches!(this.place, Place::Nowhere) {
            return Ok(Err(NoKey::NotKept));
        }
        if this.status(subject).is_some() {
            return this.key(subject).map_err(Failure::Refused);
        }
        let _alone = this.making.lock().await;
        if this.status(subject).is_some() {
            return this.key(subject).map_err(Failure::Refused);
        }
        let (making, name) = (host.clone(), subject.clone());
        // On disk before the record that names it.
        let made = host.blocking(move |_| making.subjects.make(&name)).await.map_err(Failure::Refused)?;
        let command = Command::Register { data_subject: subject.clone(), key_id: made.id };
        let action = Action::Command(command, None);
        let reply = ask(host, &host.kinds.subjects, &subjects_id(), action, |view| match view.reply {
            Some(Ok(Reply::Active { key_id })) => Ok(key_id),
            Some(Err(Rejection::TooMany { limit })) => Err(NoKey::TooMany(limit)),
            Some(Ok(_) | Err(_)) | None => Err(NoKey::Shredded),
        })
        .await?;
        Ok(match reply {
            Ok(key_id) if key_id == made.id => Ok(made),
            Ok(_) => Err(NoKey::Wrong),
            Err(no_key) => Err(no_key),
        })
    }

    fn status(&self, subject: &EntityId) -> Option<Status> {
        lock(&self.counters.subjects).all.get(subject).map(|standing| standing.status())
    }

    /// The key that stands in the place of this subject, made now when there is none.
    fn make(&self, subject: &EntityId) -> Result<SubjectKey, Fault> {
        // One that a process made that was killed before it was on record sealed nothing.
        if let Some(secret) = self.read(subject)? {
            return Ok(SubjectKey::new(&secret));
        }
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret).map_err(|e| Fault::Unavailable {
            reason: format!("the system has no random bytes. cause={e}"),
        })?;
        match &self.place {
            Place::Folder(folder) => {
                let path = folder.join(file_name(subject));
                put(&path, hex(&secret).as_bytes(), true)
                    .and_then(|()| private(folder))
                    .map_err(|e| unavailable("the key of a data subject cannot be written", &path, &e))?;
            }
            Place::Memory(secrets) => {
                lock(secrets).insert(subject.clone(), secret);
            }
            Place::Nowhere => {}
        }
        Ok(SubjectKey::new(&secret))
    }

    /// The bytes that stand where the key of this subject is kept; what is no key is none of ours, and is told as a wrong one.
    fn read(&self, subject: &EntityId) -> Result<Option<[u8; SECRET]>, Fault> {
        match &self.place {
            Place::Memory(secrets) => {
                let seeded = |seed| digest(format!("quorate subject key {seed} {subject}").as_bytes()).0;
                Ok(lock(secrets).get(subject).copied().or_else(|| self.seed.map(seeded)))
            }
            Place::Nowhere => Ok(None),
            Place::Folder(folder) => {
                let path = folder.join(file_name(subject));
                match fs::read(&path) {
                    Ok(bytes) => Ok(Some(unhex(&bytes))),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(e) => Err(unavailable("the key of a data subject cannot be read", &path, &e)),
                }
            }
        }
    }

    /// Destroys the key of a subject. Once this returns it is gone for good, as far as the file system can be told.
    fn destroy(&self, subject: &EntityId) -> Result<(), Fault> {
        lock(&self.known).remove(subject);
        match &self.place {
            Place::Memory(secrets) => {
                if let Some(mut secret) = lock(secrets).remove(subject) {
                    secret.fill(0);
                }
                Ok(())
            }
            Place::Nowhere => Ok(()),
            Place::Folder(folder) => {
                let path = folder.join(file_name(subject));
                let whole = erase(&path).and_then(|()| erase(&path.with_extension("new")));
                whole
                    .and_then(|()| if folder.exists() { File::open(folder)?.sync_all() } else { Ok(()) })
                    .map_err(|e| unavailable("the key of a data subject cannot be destroyed", &path, &e))
            }
        }
    }

    /// Carries out what was asked for on record: destroys the key, and puts on record that it is gone. Safe to repeat.
    ///
    /// # Errors
    /// The faults of the store, and that of a disk that does not answer.
    pub(crate) async fn shred(host: &Arc<Host>, subject: &EntityId) -> Result<(), Failure> {
        let (at_work, name) = (host.clone(), subject.clone());
        host.blocking(move |_| at_work.subjects.destroy(&name)).await.map_err(Failure::Refused)?;
        let command = Command::Destroyed { data_subject: subject.clone() };
        ask(host, &host.kinds.subjects, &subjects_id(), Action::Command(command, None), |_| ()).await
    }

    /// Destroys the keys that were asked to be destroyed when the last process ended. What cannot be done now is said, and is
    /// done when it is asked for again, or at the next opening; nothing is opened with such a key meanwhile.
    pub(crate) async fn go_on(host: &Arc<Host>) {
        let asked: Vec<EntityId> = lock(&host.counters.subjects).asked().cloned().collect();
        for subject in asked {
            match Subjects::shred(host, &subject).await {
                Ok(()) => tracing::info!(%subject, "the key of a data subject was still to be destroyed"),
                Err(failure) => {
                    tracing::error!(%subject, ?failure, "the key of a data subject is still to be destroyed");
                }
            }
        }
    }
}

/// The keys of a data folder, under their names, in another folder too: whatever is done to a key there is done to it here.
#[cfg(feature = "store-sled")]
pub(crate) fn take_along(from: &Path, into: &Path) -> Result<(), Fault> {
    let (from, into) = (from.join(FOLDER), into.join(FOLDER));
    let failed = |e: io::Error| unavailable("the keys of data subjects cannot be taken along", &into, &e);
    let items = match fs::read_dir(&from) {
        Ok(items) => items,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    fs::create_dir_all(&into).and_then(|()| private(&into)).map_err(failed)?;
    for item in items {
        let item = item.map_err(failed)?;
        let to = into.join(item.file_name());
        // The same file and no copy, so that overwriting it later overwrites the only one.
        match fs::hard_link(item.path(), &to) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
    }
    File::open(&into).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// The folder of the keys in a data folder, if there is any.
#[cfg(all(any(feature = "store-fjall", feature = "store-postgres"), feature = "store-sled"))]
pub(crate) fn keys_in(folder: &Path) -> Option<PathBuf> {
    let keys = folder.join(FOLDER);
    let has_some = fs::read_dir(&keys).is_ok_and(|mut items| items.next().is_some());
    has_some.then_some(keys)
}

/// The keys of a data folder, brought into the one where its journal is now: afterwards they are there alone. Safe to repeat.
#[cfg(all(any(feature = "store-fjall", feature = "store-postgres"), feature = "store-sled"))]
pub(crate) fn bring(from: &Path, into: &Path) -> Result<(), Fault> {
    let (from, into) = (from.join(FOLDER), into.join(FOLDER));
    let failed = |e: io::Error| unavailable("the keys of data subjects cannot be brought along", &into, &e);
    let items = match fs::read_dir(&from) {
        Ok(items) => items.collect::<Result<Vec<_>, _>>().map_err(failed)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed(e)),
    };
    fs::create_dir_all(&into).and_then(|()| private(&into)).map_err(failed)?;
    for item in &items {
        let to = into.join(item.file_name());
        let text = fs::read(item.path()).map_err(failed)?;
        match fs::read(&to) {
            Ok(there) if there == text => {}
            Ok(_) => {
                let other = io::Error::other("another key stands there");
                return Err(unavailable("the key of a data subject cannot be brought along", &to, &other));
            }
            Err(_) => put(&to, &text, true).map_err(failed)?,
        }
    }
    File::open(&into).and_then(|folder| folder.sync_all()).map_err(failed)?;
    // The copy is durable: what is left here would outlive a shredding there.
    items.iter().try_for_each(|item| erase(&item.path())).map_err(failed)?;
    File::open(&from)
        .and_then(|folder| folder.sync_all())
        .and_then(|()| fs::remove_dir(&from))
        .map_err(failed)
}

/// Overwrites a file and removes it; one that is not there is gone already.
fn erase(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
            file.write_all(&vec![b'0'; length])?;
            file.sync_all()?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    }
    fs::remove_file(path)
}

/// Only its owner may look into the folder.
fn private(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// The name of the file of a key: an id may hold what no file name may.
fn file_name(subject: &EntityId) -> String {
    format!("{}.key", digest(format!("data subject {subject}").as_bytes()))
}

fn hex(secret: &[u8; SECRET]) -> String {
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a key. A file that holds none gives a key of its own, which is not the one on record.
fn unhex(text: &[u8]) -> [u8; SECRET] {
    let digit = |at: usize| text.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let mut secret = [0; SECRET];
    for (at, byte) in secret.iter_mut().enumerate() {
        match (digit(2 * at), digit(2 * at + 1)) {
            (Some(high), Some(low)) => *byte = u8::try_from(high * 16 + low).unwrap_or(0),
            _ => return digest(text).0,
        }
    }
    secret
}

fn unavailable(what: &str, path: &Path, cause: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("{what}. path={}, cause={cause}", path.display()) }
}
