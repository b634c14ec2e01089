//! `quorate move`: a journal from one store to another.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::open;
use super::output::{Output, Stop};
use quorate_runtime::api::moving::{Moved, move_journal};
use quorate_runtime::error::Error;
use quorate_runtime::store::DatabaseUrl;
use quorate_runtime::store::moving::Place;

/// The command.
pub(super) fn command() -> Command {
    let place = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("DIR|URL").required(true).help(help)
    };
    Command::new("move")
        .about("Move a journal to another store, a folder or a database; the old one never opens again")
        .long_about(MOVE)
        .arg(place("from", "Where the journal is"))
        .arg(place("to", "Where it is to be: empty, or where a move that was cut off left it"))
        .arg(open::new_store())
}

/// What `quorate move --help` says.
const MOVE: &str = "\
Move a journal to another store: from a data folder to a PostgreSQL database, back, or to another folder, of the same store \
or another.

Every record keeps its position, sequence and hash, so `quorate history verify` ends at the same tip. Tokens go on growing: \
the next owner has a higher epoch than every earlier one.

At no instant do both stores open. The new one opens only when everything is there and the old one says durably that it \
is there; the old one never opens again, but can still be read. Between two folders the log and the keys of data subjects \
go along, and no key stays behind. A move that was cut off anywhere is begun again with the \
same words and goes on where it stood.

A folder must not be in use: stop its server first. A database is copied while its owner serves, and taken when the owner \
has stopped: begin the move, then stop the server and begin it once more if it says that the journal is owned. Then start \
the server on the new store.";

/// Moves it and says where it ends.
pub(super) fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let place = |name: &str, store: Option<&String>| {
        let given = matches.get_one::<String>(name).ok_or_else(|| Error::missing(name))?;
        Ok::<_, Error>(match DatabaseUrl::of(given) {
            Some(url) => Place::Database(url),
            None => match store {
                Some(store) => Place::FolderOf(PathBuf::from(given), store.clone()),
                None => Place::Folder(PathBuf::from(given)),
            },
        })
    };
    let (from, to) = (place("from", None)?, place("to", matches.get_one::<String>("store"))?);
    let bar = ProgressBar::new(0).with_message("groups");
    let bar = match ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len} {per_sec} eta {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    let moved = move_journal(&from, &to, |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    let Moved { tip, keys_left } = moved?;
    let mut reply = json!({
        "from": from.to_string(), "to": to.to_string(), "groups": tip.group, "records": tip.position,
        "tip_hash": tip.hash.to_string(),
    });
    if let (Some(keys), Some(reply)) = (keys_left, reply.as_object_mut()) {
        output.complain(&format!(
            "the keys of data subjects are still in {}: a database keeps none. Name a folder for them, `subject_keys`, and bring them there",
            keys.display()
        ))?;
        reply.insert("keys_left".into(), keys.display().to_string().into());
    }
    output.reply(&reply)?;
    Ok(0)
}
