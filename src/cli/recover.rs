//! `quorate recover`: what is sound of a damaged folder, into a new one.

use std::path::PathBuf;

use clap::ArgMatches;

use super::output::{Output, Stop};
use quorate_runtime::api::recover::recover;
use quorate_runtime::error::{Error, ErrorKind};

/// Recovers a folder. When something is missing, the exit code is that of a damaged store.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let path = |name: &str| {
        let given = matches.get_one::<PathBuf>(name).cloned();
        given.ok_or_else(|| Error::missing(name))
    };
    let recovered = recover(path("folder")?, path("to")?).await?;
    let reply = serde_json::to_value(&recovered)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))?;
    output.reply(&reply)?;
    Ok(if recovered.ok { 0 } else { ErrorKind::StoreCorrupt.entry().exit })
}
