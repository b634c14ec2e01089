//! `quorate backup` and `quorate restore`: a journal into one file, and out of it into a new folder.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::open::{self, when_free};
use super::ops::{Place, owner_of};
use super::output::{Output, Stop};
use super::{args, remote};
use quorate_runtime::api::Quorate;
use quorate_runtime::api::backup::{Backup, restore as restore_from};
use quorate_runtime::api::dto::{GroupPage, LogCheckpoint};
use quorate_runtime::api::ops;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::shell::clock::Stopwatch;

/// What `quorate backup --help` says.
const BACKUP: &str = "\
Write the journal of a data folder into one file.

A folder that a process serves is read through that process, which goes on serving: the backup holds everything that was \
recorded when it began. A folder that nobody serves is read as it is. Nothing in the folder changes.

The file holds every record, the hashes of tokens of identities, and, unless --without-log-key is given, the key with which \
the log over all records is signed: keep it as you keep the folder (it is made with mode 0600). Without that key a restored \
folder begins a log of its own, under another name; checkpoints that were signed before are still checked with the old \
public key.

Each group, its links and its records are checked before they are written; a damaged journal is refused (exit code 14). FILE \
must be new. Until it is whole it stands as FILE.partial.";

/// What `quorate restore --help` says.
const RESTORE: &str = "\
Make a new data folder of a file that `quorate backup` wrote.

Every byte of the file is checked first; what does not fit is named, and nothing is made (exit code 14). The folder is made \
beside its place as NEW.restoring and put there when all of it is durable. After a kill the same command begins anew, and \
what is left of the work before is not opened by anybody.

The new folder goes on where the backup ends: the same ids, hashes, positions and checkpoints. It begins a new life of the \
journal: tokens of jobs are minted above every one that the journal the backup was made of can have minted since, so a \
leader of the old folder that lives on is refused by whoever has seen a leader of the new one. The two must not both \
be served: each would decide by itself. A backup of a folder of one store becomes one of another by --store.";

/// The two commands.
pub(super) fn commands() -> [Command; 2] {
    let file = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).value_name(value).value_parser(clap::value_parser!(PathBuf)).required(true).help(help)
    };
    let backup = Command::new("backup")
        .about("Write the journal of a data folder, served or not, into one file")
        .long_about(BACKUP)
        .arg(file("folder", "DIR", "The data folder"))
        .arg(args::path("to", "FILE", "The backup; a new file").required(true))
        .arg(
            Arg::new("without-log-key")
                .long("without-log-key")
                .action(ArgAction::SetTrue)
                .help("Leave out the key with which the log over all records is signed"),
        );
    let restore = Command::new("restore")
        .about("Make a new data folder of a backup")
        .long_about(RESTORE)
        .arg(file("file", "FILE", "The backup"))
        .arg(args::path("to", "NEW", "The new folder; missing or empty").required(true))
        .arg(open::new_store());
    [backup, restore]
}

fn given(matches: &ArgMatches, name: &str) -> Result<PathBuf, Error> {
    matches.get_one::<PathBuf>(name).cloned().ok_or_else(|| Error::missing(name))
}

/// A bar on stderr, for people alone.
fn bar(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_message(what);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} groups {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Who gives the groups of a folder: its owner, or the folder itself.
async fn source(folder: &Path, since: Stopwatch) -> Result<Place, Error> {
    let step = async || match owner_of(folder) {
        Some(owner) => Ok(Place::Server(owner)),
        None => {
            let q = Quorate::open_to_read(open::folder_to_read(folder)?).await?;
            if let Some(missing) = q.recovery_report().store.dropped.first() {
                let why = format!("no backup is made of a damaged journal: {missing}");
                return Err(Error::new(ErrorKind::StoreCorrupt, why));
            }
            Ok(Place::Folder { q, served: None })
        }
    };
    when_free(since, open::COMMAND, step).await
}

/// What an operation answers, as the type of its reply.
pub(super) async fn ask<T: DeserializeOwned>(
    place: &Place,
    op: &str,
    fields: Map<String, Value>,
) -> Result<T, Error> {
    let reply = place.call(ops::find(op)?, fields).await?;
    serde_json::from_value(reply).map_err(|e| {
        Error::new(ErrorKind::StoreError, format!("the answer cannot be read. operation={op}, cause={e}"))
    })
}

/// Did whoever gave the groups go away? Another owner, or the folder, has the same ones.
fn is_gone(error: &Error) -> bool {
    error.detail(remote::UNHEARD).is_some()
}

/// The newest checkpoint before the cut, if there is a log.
async fn checkpoint(place: &Place) -> Result<Option<LogCheckpoint>, Error> {
    match ask::<LogCheckpoint>(place, "history.checkpoint", Map::new()).await {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Ok(log) if log.checkpoint.is_empty() => Ok(None),
        asked => asked.map(Some),
    }
}

/// The folder that a file is to stand in.
fn beside(above: &Path) -> std::io::Result<PathBuf> {
    if above.as_os_str().is_empty() { Path::new(".").canonicalize() } else { above.canonicalize() }
}

/// Makes a backup.
pub(super) async fn backup(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let (folder, file) = (given(matches, "folder")?, given(matches, "to")?);
    if open::database(&folder)?.is_some() {
        let expected = "a data folder; a database has its own means";
        return Err(Error::invalid("folder", folder.display().to_string(), expected).into());
    }
    if let (Ok(folder), Some(Ok(above))) = (folder.canonicalize(), file.parent().map(beside))
        && above.starts_with(&folder)
    {
        let expected = "a file outside the folder, in which nothing is changed";
        return Err(Error::invalid("to", file.display().to_string(), expected).into());
    }
    let with_key = !matches.get_flag("without-log-key");
    let began = Stopwatch::start();
    let (mut place, mut backup) = loop {
        let place = source(&folder, began).await?;
        // Before the cut, so that the backup holds everything that is signed.
        let begun = async {
            let log = checkpoint(&place).await?;
            let page: GroupPage = ask(&place, "journal.groups", Map::new()).await?;
            Backup::begin(&folder, &file, &page, log, with_key)
        };
        let begun = begun.await;
        match begun {
            Err(e) if is_gone(&e) && began.elapsed() < open::COMMAND.most => {
                tokio::time::sleep(open::COMMAND.every).await;
            }
            begun => break (place, begun?),
        }
    };
    let bar = bar("backing up");
    let mut lost: Option<Stopwatch> = None;
    while !backup.is_whole() {
        let before = backup.after();
        let fields = Map::from_iter([("after".to_owned(), Value::from(before))]);
        match ask::<GroupPage>(&place, "journal.groups", fields).await {
            Ok(page) => {
                lost = None;
                backup.add(&page)?;
                bar.set_length(page.tip_group);
                bar.set_position(backup.after());
                if backup.after() == before {
                    let why = "the journal ends before where it ended when the backup began";
                    return Err(Error::new(ErrorKind::StoreCorrupt, why).into());
                }
            }
            Err(e) if is_gone(&e) => {
                let since = *lost.get_or_insert_with(Stopwatch::start);
                if since.elapsed() >= open::COMMAND.most {
                    return Err(e.into());
                }
                tokio::time::sleep(open::COMMAND.every).await;
                place = source(&folder, since).await?;
            }
            Err(e) => return Err(e.into()),
        }
    }
    bar.finish_and_clear();
    told(&backup.finish()?, output)
}

/// Restores a backup.
pub(super) async fn restore(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let bar = bar("restoring");
    let shown = bar.clone();
    let (file, to) = (given(matches, "file")?, given(matches, "to")?);
    let store = matches.get_one::<String>("store").cloned();
    let restored = restore_from(file, to, store, move |done, all| {
        shown.set_length(all);
        shown.set_position(done);
    });
    let restored = restored.await;
    bar.finish_and_clear();
    let restored = restored.map_err(|error| match error.kind() {
        ErrorKind::StoreCorrupt => {
            error.advising("this file is no whole backup; take another one, or make one anew")
        }
        _ => error,
    });
    told(&restored?, output)
}

fn told(what: &impl serde::Serialize, output: &Output) -> Result<u8, Stop> {
    let reply = serde_json::to_value(what)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))?;
    output.reply(&reply)?;
    Ok(0)
}
