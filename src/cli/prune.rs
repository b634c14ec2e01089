//! `quorate prune`: a data folder without what ended long ago.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};

use super::human;
use super::output::{Output, Stop};
use quorate_runtime::api::retention::prune::{OLDEST, PruneReport, PruneRule, prune};
use quorate_runtime::error::{Error, ErrorKind};

/// What `quorate prune --help` says.
const PRUNE: &str = "\
Write a data folder anew without entities that have ended.

Quorums, proposals, sessions, jobs and gates go that ended at least --older-than ago, of the kinds named and but for \
the last of each kind (--keep-last). Nothing goes that is open, of which something is due or owed, whose decision can \
still be used, or that a hold keeps (`quorate retention hold`); what a hold keeps is named. A job goes as a whole, with its \
gate.

Of each record that goes its hash in the log over all records stays, so that checkpoints, proofs and exports from before hold. \
An id that went is never used again, nor is an idempotency key: whoever asks is told that it was pruned. Statistics stay as \
they are. That something was pruned, by which rule, is on record.

The folder must not be in use: stop its server first. Its journal is checked first, and nothing is pruned of a damaged one (exit \
code 14). The new folder is made beside the old one, as DIR.pruning, and takes its place in one step when all of it is \
durable: there must be room for both, and they are on the same file system. After a kill the old folder or the new one is \
there, whole; the same command begins anew and removes what was left.";

/// The command.
pub(super) fn command() -> Command {
    Command::new("prune")
        .about("Write a data folder anew without entities that ended long ago")
        .long_about(PRUNE)
        .arg(
            Arg::new("folder")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .required(true)
                .help("The data folder"),
        )
        .arg(
            Arg::new("older-than")
                .long("older-than")
                .value_name("TIME")
                .help("What ended so long ago or longer, as 30d, 12h or 0s; without it how long ago does not matter"),
        )
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_name("KIND")
                .action(ArgAction::Append)
                .help("Of this kind alone; several may be named: quorum, proposal, session, job, gate. A job goes with its gate: either name means both"),
        )
        .arg(
            Arg::new("keep-last")
                .long("keep-last")
                .value_name("N")
                .value_parser(clap::value_parser!(u64))
                .help("Keep those of each kind that ended last, so many"),
        )
        .arg(Arg::new("by").long("by").value_name("NAME").help("Who does it, up to 256 bytes; on record"))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Change nothing, and tell what would go"),
        )
}

fn rule(matches: &ArgMatches) -> Result<PruneRule, Error> {
    let older_than = match matches.get_one::<String>("older-than") {
        None => None,
        Some(text) => Some(human::span(text).ok_or_else(|| {
            let days = OLDEST.as_secs() / 86_400;
            let expected = format!("a time with its unit, as 30d, 12h or 0s, and at most {days}d");
            Error::invalid("older-than", text.as_str(), &expected)
        })?),
    };
    let kinds: Vec<String> = matches.get_many::<String>("kind").into_iter().flatten().cloned().collect();
    let keep_last = matches.get_one::<u64>("keep-last").copied();
    if older_than.is_none() && keep_last.is_none() && kinds.is_empty() {
        return Err(Error::missing("older-than").with(
            "expected",
            "--older-than, --keep-last or --kind: everything that ended is asked for with --older-than 0s",
        ));
    }
    let by = matches.get_one::<String>("by").cloned();
    Ok(PruneRule { older_than, kinds, keep_last, by })
}

/// Prunes, or says what would be.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let folder = matches.get_one::<PathBuf>("folder").cloned().ok_or_else(|| Error::missing("folder"))?;
    if super::open::database(&folder)?.is_some() {
        let expected = "a data folder: of a database nothing is pruned yet";
        return Err(Error::invalid("folder", folder.display().to_string(), expected).into());
    }
    let dry_run = matches.get_flag("dry-run");
    if !dry_run && stands_in(&folder) {
        let expected = "the folder named from outside of it: another one takes its place, and who stands in it would be left \
                        in the old one, which is removed";
        return Err(Error::invalid("folder", folder.display().to_string(), expected).into());
    }
    let bar = bar();
    let shown = bar.clone();
    let pruned = prune(folder, rule(matches)?, dry_run, move |done, of| {
        shown.set_length(of);
        shown.set_position(done);
    });
    let report: Result<PruneReport, Error> = pruned.await;
    bar.finish_and_clear();
    let reply = serde_json::to_value(report?)
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("reply cannot be written as JSON: {e}")))?;
    output.reply(&reply)?;
    Ok(0)
}

/// Does this process stand in the folder, or below it?
fn stands_in(folder: &Path) -> bool {
    match (std::env::current_dir().and_then(|at| at.canonicalize()), folder.canonicalize()) {
        (Ok(at), Ok(folder)) => at.starts_with(folder),
        _ => false,
    }
}

/// A bar on stderr, for people alone.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("pruning {wide_bar} {pos}/{len} groups {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
