//! Where a command keeps its journal: a data folder, a temporary one, or memory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches};

use super::args::ACCEPT_LOSS;
use quorate_runtime::config::Config;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::journal::{Fault, OpenReport, Store};
use quorate_runtime::shell::clock::Stopwatch;
use quorate_runtime::store::memory::MemoryStore;
use quorate_runtime::store::{DatabaseUrl, STORES, StoreEntry, StoreOptions, store_in};

/// How long a store that the run before has not quite let go of is waited for.
const RELEASE: (u32, Duration) = (250, Duration::from_millis(20));

/// The stores of data folders.
pub(super) fn of_folders() -> impl Iterator<Item = &'static StoreEntry> {
    STORES.iter().filter(|store| store.persistent && !store.database)
}

/// The flag that says which store a new folder is made with.
pub(super) fn new_store() -> Arg {
    Arg::new("store")
        .long("store")
        .value_name("NAME")
        .value_parser(PossibleValuesParser::new(of_folders().map(|store| store.name)))
        .help("The store that a new folder is made with; sled when left out")
}

/// The default store of data folders: the first of the table.
pub(super) fn persistent() -> Result<&'static StoreEntry, Error> {
    of_folders().next().ok_or_else(|| {
        Error::invalid("store", "none", "a build with a store that keeps its data, such as the default build")
    })
}

/// The store of a data folder: the one that stands there, else the one of this name, else the default one.
pub(super) fn store_of(path: &Path, asked: Option<&str>) -> Result<&'static StoreEntry, Error> {
    match (store_in(path), asked) {
        (Some(here), Some(asked)) if here.name != asked => {
            Err(Error::invalid("store", asked, &format!("{}, which the folder was made with", here.name)))
        }
        (Some(here), _) => Ok(here),
        (None, Some(asked)) => of_folders()
            .find(|store| store.name == asked)
            .ok_or_else(|| Error::invalid("store", asked, "a store that keeps its data, with --data")),
        (None, None) => persistent(),
    }
}

/// The database that stands where a data folder may, with the store that is kept in one.
pub(super) fn database(data: &Path) -> Result<Option<(&'static StoreEntry, DatabaseUrl)>, Error> {
    let Some(url) = data.to_str().and_then(DatabaseUrl::of) else { return Ok(None) };
    let entry = STORES.iter().find(|store| store.database);
    let entry = entry.ok_or_else(|| {
        Error::invalid("data", url.to_string(), "a folder: this build has no store in a database")
    })?;
    Ok(Some((entry, url)))
}

/// How a folder that is in use is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// So long for one that has it: of many commands at once each has it for a moment, and their number is no reason to give up.
    pub(super) most: Duration,
    /// So long in all.
    pub(super) in_all: Duration,
    /// It is looked at so often.
    pub(super) every: Duration,
}

/// A command waits as long as another one takes, or an owner to be started again; and for many of them one after the other.
pub(super) const COMMAND: Patience = Patience {
    most: Duration::from_secs(5),
    in_all: Duration::from_secs(60),
    every: Duration::from_millis(25),
};
/// A server waits longer, and comes before commands that wait: it answers them all.
pub(super) const SERVER: Patience = Patience {
    most: Duration::from_secs(10),
    in_all: Duration::from_secs(60),
    every: Duration::from_millis(2),
};

/// A step that needs the folder, again while another process has it.
///
/// # Errors
/// Those of the step; `store_locked` when the folder stays in use.
pub(super) async fn when_free<T>(
    since: Stopwatch,
    patience: Patience,
    step: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    // Who has it, as the refusal says, and from when on it was waited for that one.
    let (mut holder, mut from) = (None, Duration::ZERO);
    loop {
        let refused = match step().await {
            Err(e) if e.kind() == ErrorKind::StoreLocked => e,
            done => return done,
        };
        let now = since.elapsed();
        let named = Some(who(refused.message()).to_owned());
        if holder != named {
            from = if holder.is_some() { now } else { from };
            holder = named;
        }
        if now.saturating_sub(from) >= patience.most || now >= patience.in_all {
            return Err(refused);
        }
        tokio::time::sleep(patience.every).await;
    }
}

/// Who has the folder and since when, of the sentence that says so; what stands behind may be another each time, as how long a
/// lease still lasts.
fn who(message: &str) -> &str {
    let since = message.find("since=").unwrap_or(message.len());
    let rest = message.get(since..).and_then(|rest| rest.find(','));
    rest.and_then(|length| message.get(..since + length)).unwrap_or(message)
}

/// What `--data` names, or `--store` as a database; and the store that a folder is made with, as `--store` names it.
pub(super) fn named(matches: &ArgMatches) -> Result<(Option<PathBuf>, Option<String>), Error> {
    let data = matches.get_one::<PathBuf>("data").cloned();
    let Some(store) = matches.get_one::<PathBuf>("store") else { return Ok((data, None)) };
    let shown = store.display().to_string();
    match (&data, database(store)?) {
        (None, Some(_)) => Ok((Some(store.clone()), None)),
        (Some(folder), None) if database(folder)?.is_none() => Ok((data, Some(shown))),
        _ => {
            let expected = "postgres://… without --data, or the store that the folder --data is made with";
            Err(Error::invalid("store", shown, expected))
        }
    }
}

/// The settings of a runtime on a data folder, or a database. Only with `create` is a missing one made.
pub(super) fn folder(path: &Path, create: bool, matches: &ArgMatches) -> Result<Config, Error> {
    let accept_loss = accepts_loss(matches);
    if let Some((entry, url)) = database(path)? {
        let store_options = StoreOptions { create, ..StoreOptions::in_database(url) };
        return Ok(Config { store: entry.name.into(), store_options, ..Config::default() });
    }
    let store_options =
        StoreOptions { path: Some(path.to_owned()), create, accept_loss, ..StoreOptions::default() };
    Ok(Config { store: store_of(path, None)?.name.into(), store_options, ..Config::default() })
}

/// The settings under which a data folder is only read.
pub(super) fn folder_to_read(path: &Path) -> Result<Config, Error> {
    let store_options = StoreOptions { create: false, ..StoreOptions::at(path) };
    Ok(Config { store: store_of(path, None)?.name.into(), store_options, ..Config::default() })
}

/// Whether `--accept-loss` was given.
pub(super) fn accepts_loss(matches: &ArgMatches) -> bool {
    matches.get_flag(ACCEPT_LOSS)
}

/// Says on stderr what opening found to be gone or made good: whoever looks on must know, whatever the command.
pub(super) fn tell(report: &OpenReport) {
    let mut stderr = std::io::stderr().lock();
    for dropped in &report.dropped {
        // A closed stderr is no reason to end.
        let _ = writeln!(stderr, "warning: {dropped}");
    }
    for repaired in &report.repaired {
        let _ = writeln!(stderr, "warning: {repaired}; nothing is lost");
    }
    if let Some(refusal) = &report.refusal {
        let _ = writeln!(stderr, "warning: a server will refuse this folder: {refusal}");
    }
}

/// A journal that can be opened again and again, as after a crash.
#[derive(Debug)]
pub(super) enum Place {
    /// In memory; kept here between two lives of a runtime.
    Memory(MemoryStore),
    /// In a folder or a database; a temporary folder is removed when this is dropped.
    Kept {
        /// Which store.
        entry: &'static StoreEntry,
        /// Where.
        options: StoreOptions,
        /// The folder to remove.
        _scratch: Option<Scratch>,
    },
}

impl Place {
    /// What `--store` and `--data` ask for. Without both, the store named by `default`.
    pub(super) fn asked(matches: &ArgMatches, default: &'static StoreEntry) -> Result<Self, Error> {
        let data = matches.get_one::<PathBuf>("data");
        let named = matches.get_one::<String>("store");
        if let Some((entry, url)) = data.map(|data| database(data)).transpose()?.flatten() {
            return match named.filter(|named| *named != entry.name) {
                Some(other) => {
                    Err(Error::invalid("store", other.as_str(), "postgres, with a database as --data"))
                }
                None => Ok(Place::Kept { entry, options: StoreOptions::in_database(url), _scratch: None }),
            };
        }
        let entry = match (named, data) {
            (Some(name), None) => STORES.iter().find(|store| store.name == *name).unwrap_or(default),
            (Some(name), Some(_)) if STORES.iter().any(|store| store.database && store.name == *name) => {
                return Err(Error::invalid(
                    "data",
                    data.map(|data| data.display().to_string()),
                    "postgres://…",
                ));
            }
            (named, Some(data)) => store_of(data, named.map(String::as_str))?,
            (None, None) => default,
        };
        if entry.database {
            return Err(Error::invalid("data", data.map(|data| data.display().to_string()), "postgres://…"));
        }
        match data {
            Some(path) => Ok(Place::at(entry, path.clone(), None, accepts_loss(matches))),
            None if entry.persistent => {
                let scratch = Scratch::new()?;
                Ok(Place::at(entry, scratch.0.clone(), Some(scratch), false))
            }
            None => Ok(Place::Memory(MemoryStore::new())),
        }
    }

    fn at(entry: &'static StoreEntry, path: PathBuf, scratch: Option<Scratch>, accept_loss: bool) -> Self {
        let options = StoreOptions { accept_loss, ..StoreOptions::at(path) };
        Place::Kept { entry, options, _scratch: scratch }
    }

    /// The name of the store.
    pub(super) fn store_name(&self) -> &'static str {
        match self {
            Place::Memory(_) => "memory",
            Place::Kept { entry, .. } => entry.name,
        }
    }

    /// Where the keys of data subjects are, in a folder that stays.
    pub(super) fn keys(&self) -> Option<PathBuf> {
        match self {
            Place::Kept { options, _scratch: None, .. } => Some(options.path.as_ref()?.join("subjects")),
            Place::Kept { .. } | Place::Memory(_) => None,
        }
    }

    /// Opens the journal. After a crash of this process's own runtime, waits until that has let go.
    pub(super) async fn open(&self, after_crash: bool) -> Result<Arc<dyn Store>, Error> {
        let (entry, options) = match self {
            Place::Memory(store) => return Ok(Arc::new(store.reopen())),
            Place::Kept { entry, options, .. } => (entry, options),
        };
        let mut tries = if after_crash { RELEASE.0 } else { 0 };
        loop {
            match (entry.open)(options) {
                Err(Fault::Locked { .. }) if tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(RELEASE.1).await;
                }
                opened => {
                    let store = opened?;
                    tell(&store.open_report());
                    return Ok(store);
                }
            }
        }
    }
}

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("quorate-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).map_err(|e| {
            Error::new(
                ErrorKind::StoreError,
                format!("no temporary folder. path={}, cause={e}", path.display()),
            )
        })?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Whoever waits for a folder that is had by another one each time it is looked at, or by the same one, until so many looks.
    async fn waits(patience: Patience, changes: bool, looks: u32) -> Result<u32, Error> {
        let seen = AtomicU32::new(0);
        let step = async || match seen.fetch_add(1, Ordering::Relaxed) {
            look if look >= looks => Ok(look),
            look => {
                let pid = if changes { look } else { 7 };
                let said = format!("held by another: pid={pid}, since=1, lease_ends_in_ms={look}");
                Err(Error::new(ErrorKind::StoreLocked, said))
            }
        };
        when_free(Stopwatch::start(), patience, step).await
    }

    #[tokio::test]
    async fn a_folder_that_goes_from_hand_to_hand_is_waited_for_and_one_that_is_kept_is_not() {
        let (most, every) = (Duration::from_millis(200), Duration::from_millis(5));
        let patience = Patience { most, in_all: Duration::from_secs(600), every };
        assert_eq!(
            waits(patience, true, 80).await.unwrap(),
            80,
            "at least 400 ms, of nobody more than one look"
        );
        assert_eq!(waits(patience, false, 80).await.unwrap_err().kind(), ErrorKind::StoreLocked);
        let in_all = Duration::from_millis(200);
        let bounded = waits(Patience { in_all, ..patience }, true, u32::MAX).await;
        assert_eq!(bounded.unwrap_err().kind(), ErrorKind::StoreLocked);
    }
}
