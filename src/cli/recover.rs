//! `quorate recover`: what is sound of a damaged folder, into a new one.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::args;
use super::output::{Output, Stop};
use quorate_runtime::api::recover::recover;
use quorate_runtime::error::{Error, ErrorKind};

/// What `quorate recover --help` says.
const RECOVER: &str = "\
Write what is sound of a damaged data folder into a new one.

The folder is read from its raw bytes: every commit group that fits its own hash counts, wherever it stands, whether \
the database can still be opened or not. Nothing in it is changed and it is not locked, so a read-only mount will do; \
a folder that is in use is refused.

NEW becomes a store with every group from the first one on, byte for byte, up to the first that is missing: the same \
hashes, positions and sequences, so `quorate history verify` holds. Groups behind a gap cannot follow in the same \
journal. Their records are written to NEW.rest.jsonl, one a line, as `quorate history query` shows them, and can be \
read there.

What is missing is listed: positions, files and offsets, and the entities whose records they were, as far as that can \
still be read. Exit codes: 0 when everything was recovered, 14 when something is missing.";

/// The command.
pub(super) fn command() -> Command {
    Command::new("recover")
        .about("Write what is sound of a damaged data folder into a new one")
        .long_about(RECOVER)
        .arg(
            Arg::new("folder")
                .value_name("DIR")
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .required(true)
                .help("The damaged folder; it is only read"),
        )
        .arg(args::path("to", "NEW", "The new folder; missing or empty").required(true))
}

/// Recovers a folder. When something is missing, the exit code is that of a damaged store.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let path = |name: &str| {
        let given = matches.get_one::<PathBuf>(name).cloned();
        given.ok_or_else(|| Error::missing(name))
    };
    let (folder, to) = (path("folder")?, path("to")?);
    let whole = |path: &PathBuf| path.canonicalize().ok();
    if whole(&folder).is_some_and(|folder| whole(&to) == Some(folder)) {
        let expected = "another folder than the damaged one, which is only read";
        return Err(Error::invalid("to", to.display().to_string(), expected).into());
    }
    let recovered = recover(folder, to).await?;
    let reply = serde_json::to_value(&recovered)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))?;
    output.reply(&reply)?;
    Ok(if recovered.ok { 0 } else { ErrorKind::StoreCorrupt.entry().exit })
}
