//! `quorate verify-proof`: a proof in a file, checked with nothing but the file and the public key of the log.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::output::{Output, Stop};
use quorate_runtime::api::proofs::{CheckedProof, check_checkpoint, check_proof};
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

/// `quorate verify-proof`.
pub(super) fn proof_command() -> Command {
    Command::new("verify-proof")
        .about("Check a proof without a store: that a record is in a log, or that a log only grew")
        .long_about(VERIFY_PROOF)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .required(true)
                .help("The proof; - reads stdin"),
        )
        .arg(
            Arg::new("public-key")
                .long("public-key")
                .value_name("KEY")
                .required(true)
                .help("The public key of the log, as `history checkpoint` showed it to somebody you trust"),
        )
}

/// What `quorate verify-proof --help` says.
const VERIFY_PROOF: &str = "\
Check a proof without a store. FILE is what `quorate history prove --json` or `quorate history consistency --json` wrote.

A proof of a record holds when the signature of the checkpoint fits the key, the hashes lead from the record to the signed \
root, and the event shown is the one in the record. A proof of consistency holds when the tree of the newer checkpoint \
begins with that of the older one: nothing before it was changed, dropped or put between. A proof says nothing about what \
was never recorded, and nothing about what was recorded after its checkpoint.

The key decides what the proof is worth: take it from where the log's operator published it, not from the proof.

Exit codes: 0 it holds · 19 it does not · 2 FILE or KEY is not of its form.";

/// What `quorate verify-checkpoint --help` says.
const CHECKPOINT: &str = "\
Check a signed checkpoint without a store: that the log signed it, and that every witness named cosigned it (C2SP tlog-cosignature). \
FILE is the text that `quorate history checkpoint` prints, without the line of the public key, with the lines of witnesses below \
it.

A witness signs a checkpoint only when the log goes on from the last one it signed. So a checkpoint that enough witnesses cosigned \
cannot be one of two histories, unless they all err.

Exit codes: 0 all signatures hold \u{b7} 19 one does not, or is missing \u{b7} 2 FILE or a key is not of its form.";

/// The command that checks a checkpoint.
pub(super) fn checkpoint_command() -> Command {
    let key = |name: &'static str, help: &'static str| Arg::new(name).long(name).value_name("KEY").help(help);
    Command::new("verify-checkpoint")
        .about("Check a signed checkpoint without a store, and the cosignatures of witnesses below it")
        .long_about(CHECKPOINT)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .required(true)
                .help("The checkpoint; - reads stdin"),
        )
        .arg(key("public-key", "The public key of the log, name+hash+base64").required(true))
        .arg(
            key("witness", "The public key of a witness, name+hash+base64; may be said again")
                .action(ArgAction::Append),
        )
}

/// Checks a checkpoint.
///
/// # Errors
/// Those of [`check_checkpoint`]; `invalid_argument` for a file that cannot be read.
pub(super) fn checkpoint(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let file = matches.get_one::<PathBuf>("file").map_or(Path::new("-"), PathBuf::as_path);
    let key = matches.get_one::<String>("public-key").map_or("", String::as_str);
    let witnesses: Vec<String> =
        matches.get_many::<String>("witness").into_iter().flatten().cloned().collect();
    let checked = check_checkpoint(&read(file)?, key, &witnesses)?;
    let witnesses: Vec<_> =
        checked.witnesses.iter().map(|seen| json!({ "witness": seen.witness, "time": seen.time })).collect();
    output.reply(&json!({
        "holds": true, "origin": checked.origin, "log_size": checked.size, "root": checked.root,
        "witnesses": witnesses,
    }))?;
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
