//! `quorate move`: a journal from one store to another.

use std::path::PathBuf;

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::output::{Output, Stop};
use quorate_runtime::error::Error;
use quorate_runtime::store::DatabaseUrl;
use quorate_runtime::store::moving::{Place, move_journal};

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
    let tip = moved.map_err(Error::from)?;
    output.reply(&json!({
        "from": from.to_string(), "to": to.to_string(), "groups": tip.group, "records": tip.position,
        "tip_hash": tip.hash.to_string(),
    }))?;
    Ok(0)
}
