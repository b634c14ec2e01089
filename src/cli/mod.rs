//! The command line: a door onto the table of operations, and the programs around it.
//!
//! ```text
//!  args      the tree of commands, made from the table and the request schemas
//!  ops       <noun> <verb>  against a folder (ops) or a running server (remote, socket) · ops · rules
//!  wait      commands that wait for a decision say so, and end at a signal
//!  serve     the HTTP door until a signal comes; its settings in a file (settings)
//!  mcp       the tools of a Model Context Protocol server, on stdin and stdout
//!  node      a node of a cluster, its keys, and what it sees
//!  watch     what a running server records, as it is recorded
//!  play      a script in virtual time
//!  certificate  whether the certificate of a decision holds
//!  export    what happened, as a file that proves itself
//!  doctor    whether a folder or a database is to be trusted with a journal
//!  shards    one journal over several: divided, shown, and served
//!  backup    a journal into one file, and out of it into a new folder
//!  move      a journal from one store to another
//!  prune     a folder without what ended long ago
//!  recover   what is sound of a damaged folder, into a new one
//!  proof     a proof, checked without a store
//!  replay    recorded votes through real quorums
//!  fit       tables that fit the columns of a terminal
//!  human     times and durations as people read and write them
//!  output    tables for people, JSON for machines, exit codes from the table of error kinds
//! ```
//!
//! Nothing here decides anything about quorums. Logs go to stderr; `QUORATE_LOG` says which, in the syntax of
//! `RUST_LOG`, and without it errors are shown, clocks that do not agree, and what a node sees change.

#![forbid(unsafe_code)]

mod args;
mod backup;
mod certificate;
mod doctor;
mod export;
mod fit;
mod human;
mod input;
mod logging;
mod mcp;
mod moving;
mod node;
mod open;
mod ops;
mod output;
mod play;
mod proof;
mod prune;
mod recover;
mod remote;
mod replay;
mod serve;
mod server_args;
mod settings;
mod shards;
mod signals;
#[cfg(unix)]
mod socket;
mod wait;
mod watch;

use std::ffi::OsString;

use clap::ArgMatches;
use output::{Output, Stop};
use quorate_runtime::error::{Error, ErrorKind};

/// Runs the command line. Returns the exit code: 0 when the command did what was asked, else the code that the
/// tables of error kinds ([`quorate_runtime::error::KINDS`]) and outcomes ([`quorate_runtime::error::OUTCOMES`]) give.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let log = logging::begin();
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args.iter().any(|arg| arg == "--json");
    let output = Output::new(json, args.iter().any(|arg| arg == "--utc"));
    let done = match args::command().try_get_matches_from(args) {
        Ok(matches) => dispatch(&matches, &output),
        Err(help) if !help.use_stderr() => output.text(&help.render().to_string()).map(|()| 0),
        Err(usage) if json => Err(Stop::Failed(args::usage_error(&usage))),
        Err(usage) => output.complain(&usage.render().to_string()).map(|()| 2),
    };
    let code = match done {
        Ok(code) => code,
        Err(stop) => output.stop(&stop),
    };
    log.end();
    code
}

fn dispatch(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorKind::StoreError, format!("the program cannot start. cause={e}")))?;
    let done = runtime.block_on(async {
        match matches.subcommand() {
            Some(("map", matches)) => node::map(matches, output).await,
            Some(("members", matches)) => node::members(matches, output).await,
            Some(("node", matches)) => node::run(matches, output).await,
            Some(("ops", _)) => ops::list(output),
            Some(("rules", _)) => ops::rules(output),
            Some(("doctor", matches)) => doctor::run(matches, output),
            Some(("play", matches)) => play::run(matches, output).await,
            Some(("mcp", matches)) => mcp::run(matches).await,
            Some(("backup", matches)) => backup::backup(matches, output).await,
            Some(("restore", matches)) => backup::restore(matches, output).await,
            Some(("move", matches)) => moving::run(matches, output),
            Some(("prune", matches)) => prune::run(matches, output).await,
            Some(("recover", matches)) => recover::run(matches, output).await,
            Some(("replay", matches)) => replay::run(matches, output).await,
            Some(("verify-certificate", matches)) => certificate::run(matches, output),
            Some(("shards", matches)) => shards::run(matches, output),
            Some(("serve", matches)) => serve::run(matches, output).await,
            Some(("verify-checkpoint", matches)) => proof::checkpoint(matches, output),
            Some(("verify-proof", matches)) => proof::run(matches, output),
            Some(("watch", matches)) => watch::run(matches, output).await,
            Some(("completions", matches)) => match matches.get_one::<clap_complete::Shell>("shell") {
                Some(shell) => output.text(&args::completions(*shell)).map(|()| 0),
                None => Ok(2),
            },
            Some(("history", verb)) if verb.subcommand_name() == Some("verify-export") => {
                match verb.subcommand() {
                    Some((_, matches)) => export::verify(matches, output),
                    None => Ok(2),
                }
            }
            Some(("history", verb)) if verb.subcommand_name() == Some("export") => match verb.subcommand() {
                Some((_, matches)) => export::export(matches, output).await,
                None => Ok(2),
            },
            Some((noun, matches)) => match (args::shortcut(noun), matches.subcommand()) {
                (Some(op), _) => ops::run(op, matches, output).await,
                (None, Some((verb, matches))) => ops::run(&format!("{noun}.{verb}"), matches, output).await,
                (None, None) => Ok(2),
            },
            None => Ok(2),
        }
    });
    // A read of stdin that nobody answers would keep the program.
    runtime.shutdown_background();
    done
}
