//! `quorate verify-proof`: a proof in a file, checked with nothing but the file and the public key of the log.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde_json::json;

use super::output::{Output, Stop};
use quorate_runtime::api::proofs::{CheckedProof, check_proof};
use quorate_runtime::error::{Error, ErrorKind};

/// The longest proof that is read, in bytes: a record has at most a few MiB.
const MAX_PROOF: u64 = 64 << 20;

/// Checks the proof and says what it shows.
///
/// # Errors
/// Those of [`check_proof`]; `invalid_argument` for a file that cannot be read.
pub(super) fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let file = matches.get_one::<PathBuf>("file").map_or(Path::new("-"), PathBuf::as_path);
    let key = matches.get_one::<String>("public-key").map_or("", String::as_str);
    let shown = match check_proof(&read(file)?, key)? {
        CheckedProof::Record { origin, size, position, kind, entity_id, seq, event } => json!({
            "holds": true, "origin": origin, "log_size": size, "position": position, "kind": kind,
            "entity_id": entity_id, "seq": seq, "event": event,
        }),
        CheckedProof::Consistency { origin, old_size, size } => json!({
            "holds": true, "origin": origin, "old_log_size": old_size, "log_size": size,
        }),
    };
    output.reply(&shown)?;
    Ok(0)
}

fn read(file: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_PROOF).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_PROOF).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(e) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("the proof cannot be read. path={}, cause={e}", file.display()),
        )
        .with("field", "file")),
    }
}
