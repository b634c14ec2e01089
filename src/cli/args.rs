//! The tree of commands. Nouns and verbs come from the table of operations, their flags from the request schemas.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use super::server_args::{TOKEN, TOKEN_FILE, server_args};
use quorate_runtime::api::events::{FILTERS, NOT_FOLLOWED};
use quorate_runtime::api::nouns::NOUNS;
use quorate_runtime::api::ops::{self, Field, Group, OPERATIONS, Operation};
use quorate_runtime::api::shards::group::SHARD;
use quorate_runtime::error::{Error, ErrorKind};
use quorate_runtime::store::STORES;

/// What the exit codes mean, below the help text.
const AFTER: &str = "\
Exit codes: 0 done · 1 output that cannot be written · 2 bad request or usage · 3 not found · 4 exists or ended already · 5 not eligible · \
6 limit · 7 busy · 8 fenced · 9 outcome unknown · 10 store or server failed · 11 store in use · \
12 no such store · 13 newer store · 14 damaged store · 15 idempotency key of another request · \
16 not known who calls · 17 the identity may not do this · 18 certificate that does not hold · \
19 proof that does not hold · 32 not decided yet · 33 not approved · 34 approved by votes that do not stand · \
35 approved for another operation · 36 approval expired · 37 used as often as it may be · 38 stopped · \
39 does not release the stop · 40 handed its place on · 41 pruned · 42 led by another gate · 43 no answer from the server · 44 another process has the shard · 45 not done on several shards · \
46 personal data shredded · 47 its key is missing · 48 its key is another · 49 under a legal hold · 130 interrupted

Commands that ask for an outcome (`quorum wait`, `consensus request`, `consensus result`, `session result`, `capacity request`, `capacity need`, `capacity reserve`, `job wait`) \
exit with it: 0 approved, decided, granted, completed · 20 open, not decided or ended yet · 21 rejected · 22 timeout · 23 expired · \
24 cancelled · 25 aborted, could not be put or answered · 26 failed · 28 no quorum · 29 fault budget exceeded · 30 tainted, decided by voters that were proven to lie since. Commands that only show (`status`, `list`, `history`) exit with 0 once they have shown it. \
`capacity offer`, `capacity release`, `capacity cancel`, `job extend`, `flow offer` and `shed release` exit with 27 when nothing was \
done, and `shed check` with 7 when the message is not let in.";

/// The whole command line.
pub(super) fn command() -> Command {
    let mut root = Command::new("quorate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Durable quorums for long-running agents")
        .after_help(AFTER)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(switch("json", "Write JSON, one line, instead of tables").global(true))
        .arg(switch("utc", "Tell times in UTC instead of the zone of this machine").global(true));
    for (noun, about) in NOUNS {
        root = root.subcommand(noun_command(noun, about));
    }
    {
        root = root.subcommand(serve_command());
    }
    for (name, op) in SHORTCUTS {
        root = root.subcommands(ops::find(op).map(|op| verb_command(name, op)));
    }
    root.subcommand(mcp_command())
        .subcommands(super::node::commands())
        .subcommand(watch_command())
        .subcommand(completions_command())
        .subcommand(play_command())
        .subcommand(replay_command())
        .subcommands(super::backup::commands())
        .subcommand(super::moving::command())
        .subcommand(super::prune::command())
        .subcommand(super::recover::command())
        .subcommand(super::doctor::command())
        .subcommand(super::shards::command())
        .subcommand(verify_certificate_command())
        .subcommand(super::proof::checkpoint_command())
        .subcommand(super::proof::proof_command())
        .subcommand(Command::new("ops").about("List every operation: name, method, path, what it does"))
        .subcommand(Command::new("rules").about("List the vote rules of `quorate replay`"))
}

/// Commands of one word, and the operations they are.
pub(super) const SHORTCUTS: &[(&str, &str)] = &[("status", "overview.show"), ("inbox", "overview.inbox")];

/// The operation that a command of one word is.
pub(super) fn shortcut(name: &str) -> Option<&'static str> {
    SHORTCUTS.iter().find(|(of, _)| *of == name).map(|(_, op)| *op)
}

fn completions_command() -> Command {
    Command::new("completions")
        .about("Write the completions of a shell: `quorate completions bash > FILE`, to be read by the shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(clap::value_parser!(Shell))
                .help("Which shell"),
        )
}

/// What a shell needs to complete every command and flag.
pub(super) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "quorate", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn noun_command(noun: &'static str, about: &'static str) -> Command {
    let verbs = OPERATIONS.iter().filter_map(|op| match op.name.split_once('.') {
        Some((of, verb)) if of == noun => Some(verb_command(verb, op)),
        _ => None,
    });
    let of_files = (noun == "history").then(super::export::commands).into_iter().flatten();
    let command = Command::new(noun).about(about).subcommand_required(true).arg_required_else_help(true);
    command.subcommands(verbs).subcommands(of_files)
}

fn verb_command(verb: &'static str, op: &Operation) -> Command {
    let subject = op.subject();
    let fields = op.fields().into_iter().map(|field| {
        let is_subject = subject == Some(field.name.as_str());
        let arg = field_arg(&field);
        if is_subject { arg.required(false).required_unless_present(SUBJECT) } else { arg }
    });
    let command = Command::new(verb).about(sentence(op.summary));
    // `set_default` is the name in the table; on a command line words are joined by a hyphen.
    let command = if verb.contains('_') { command.alias(verb.replace('_', "-")) } else { command };
    let command = match subject {
        Some(name) => command.arg(
            Arg::new(SUBJECT)
                .value_name(name.to_uppercase())
                .conflicts_with(field_name_id(name))
                .help("What it is about, instead of the flag of that name"),
        ),
        None => command,
    };
    let command = with_place(command.args(fields));
    if op.group == Group::First { command } else { command.arg(shard_arg().conflicts_with("data")) }
}

/// The flag that names a shard.
fn shard_arg() -> Arg {
    Arg::new(SHARD_FLAG)
        .long(SHARD)
        .value_name("NUMBER")
        .value_parser(clap::value_parser!(u16))
        .help("Which shard is meant, at a server whose journal is several")
        .help_heading("Where")
}

/// The id of the flag that names a shard.
pub(super) const SHARD_FLAG: &str = ":shard:";

/// The same command with the flags that say where it is carried out.
pub(super) fn with_place(command: Command) -> Command {
    command
        .arg(
            path("data", "DIR", "The data folder; whoever has opened it is asked, else it is opened. Or a database, postgres://…. QUORATE_DATA when left out")
                .help_heading("Where"),
        )
        .arg(accept_loss().help_heading("Where"))
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .conflicts_with("data")
                .help("A running server, such as http://127.0.0.1:7171. QUORATE_URL when left out")
                .help_heading("Where"),
        )
        .args(server_args())
}

/// The flag of a request field; its id is the field's name behind a colon, so that it never meets another flag's.
pub(super) fn field_arg(field: &Field) -> Arg {
    let is = |name: &str| field.types.iter().any(|t| t == name);
    let arg = Arg::new(field_id(field))
        .long(flag_name(&field.name))
        .help(field.description.split_whitespace().collect::<Vec<_>>().join(" "))
        .required(field.required);
    if is("array") {
        arg.value_name("A,B,…").action(ArgAction::Append)
    } else if is("boolean") {
        let arg = arg.value_name("true|false");
        // A flag alone says yes only where silence says no: what must be answered must be answered in a word.
        if field.required { arg } else { arg.num_args(0..=1).default_missing_value("true") }
    } else if is("integer") || is("number") {
        arg.value_name("NUMBER").allow_negative_numbers(true)
    } else if field.types.is_empty() || is("object") {
        arg.value_name("JSON").allow_hyphen_values(true)
    } else if !field.choices.is_empty() {
        arg.value_name(field.choices.join("|"))
    } else {
        // `-5m` is a bad time, and no flag.
        arg.value_name("TEXT").allow_hyphen_values(["since", "until", "at"].contains(&field.name.as_str()))
    }
}

/// The flag of a field: its name, unless the flag of that name says where a command is carried out.
fn flag_name(field: &str) -> String {
    match field {
        "url" => "to-url".to_owned(),
        name => name.replace('_', "-"),
    }
}

/// The id of the value that stands without a flag.
pub(super) const SUBJECT: &str = ":subject:";

/// The id of a field's flag.
pub(super) fn field_id(field: &Field) -> String {
    field_name_id(&field.name)
}

fn field_name_id(name: &str) -> String {
    format!(":{name}")
}

/// What `--store` of `quorate serve` says.
const STORE: &str = "\
The store that a folder is made with, sled when left out, or fjall: afterwards the folder says it. Or the database, \
postgres://…, instead of a folder";

fn serve_command() -> Command {
    Command::new("serve")
        .about("Serve the operations over HTTP until SIGINT or SIGTERM")
        .arg(path(
            "data",
            "DIR",
            "The data folder, or postgres://…; made when it is not there. QUORATE_DATA when left out",
        ))
        .arg(
            path("store", "NAME|URL", STORE),
        )
        .arg(path("config", "FILE", "Settings in TOML; what is said by a flag counts instead"))
        .arg(switch("print-config", "Write every setting with its default, as such a file, and end"))
        .arg(accept_loss())
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDR")
                .help("The address to listen on, 127.0.0.1:7171 when left out; port 0 takes a free one"),
        )
        .arg(
            Arg::new("advertise")
                .long("advertise")
                .value_name("URL")
                .help("Where other machines reach this server, on a journal of several shards; the address listened on when left out"),
        )
        .arg(switch(
            "insecure",
            "Serve also on an address that other machines reach while there are no identities: whoever reaches it may do \
             everything",
        ))
        .arg(path("tls-cert", "FILE", "Speak TLS, with the certificates in this file of PEM").requires("tls-key"))
        .arg(path("tls-key", "FILE", "The private key of the first of them").requires("tls-cert"))
        .arg(
            Arg::new("allow-host")
                .long("allow-host")
                .value_name("NAME")
                .action(ArgAction::Append)
                .help("A name under which the server may be called, besides localhost; may be said again"),
        )
        .arg(switch(
            "strict-cells",
            "Refuse cells and budgets that nobody has set up, instead of making them",
        ))
        .arg(switch(
            "hook-allow-private",
            "Deliver hooks also to loopback, private and other addresses within: whoever may register one then reaches what \
             this machine reaches",
        ))
        .arg(
            Arg::new("sample-machine")
                .long("sample-machine")
                .action(ArgAction::SetTrue)
                .help("Measure processor and memory of this machine, and shed load when they are scarce"),
        )
}

fn mcp_command() -> Command {
    // A token counts for a folder too: the tools act in the name of its identity.
    let [_, _, tls_ca, tls_cert, tls_key] = server_args();
    let token = Arg::new(TOKEN)
        .long("token")
        .value_name("TOKEN")
        .help("The token of the identity in whose name the tools act; QUORATE_TOKEN says the same");
    Command::new("mcp")
        .about("Serve the operations as tools of a Model Context Protocol server on stdin and stdout")
        .long_about(MCP)
        .arg(path("data", "DIR", "The data folder; made when it is not there. QUORATE_DATA when left out"))
        .arg(accept_loss())
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .conflicts_with("data")
                .help("A running server, such as http://127.0.0.1:7171. QUORATE_URL when left out"),
        )
        .arg(
            Arg::new(TOOLS)
                .long("tools")
                .value_name("core|all|NOUN,…")
                .default_value("core")
                .help("Which operations are shown"),
        )
        .arg(token)
        .arg(path(TOKEN_FILE, "FILE", "A file with that token").conflicts_with(TOKEN))
        .args([tls_ca, tls_cert, tls_key])
}

/// What `quorate mcp --help` says.
const MCP: &str = "\
Serve the operations as tools of a Model Context Protocol server on stdin and stdout, until the client closes them. A running \
server has the same at /mcp.

With --data the process that has opened the folder is asked; where there is none the folder is opened, and others that name it \
come in meanwhile. With a token, only the tools that the scopes of its identity cover are shown; without one, and where \
identities exist, whoever starts this program acts as the owner of the folder.

Calls that wait become tasks where the client knows them; their id is that of what is waited for, so they are there after a \
restart. Elsewhere a wait ends after 50 seconds, and the answer says how to go on.";

fn watch_command() -> Command {
    let filters = OPERATIONS.iter().find(|op| op.name == FILTERS);
    let fields = filters.into_iter().flat_map(Operation::fields);
    let args = fields.filter(|field| !NOT_FOLLOWED.contains(&field.name.as_str()));
    Command::new("watch")
        .about("Follow what a running server records, as it is recorded, until SIGINT or SIGTERM")
        .long_about(WATCH)
        .args(args.map(|field| field_arg(&field)))
        .arg(
            Arg::new("url")
                .long("url")
                .value_name("URL")
                .conflicts_with("data")
                .help("The running server; QUORATE_URL, or http://127.0.0.1:7171, when left out")
                .help_heading("Where"),
        )
        .arg(
            path("data", "DIR", "The data folder of a running server, instead of its URL")
                .help_heading("Where"),
        )
        .arg(shard_arg().conflicts_with("data"))
        .args(server_args())
}

/// What `quorate watch --help` says.
const WATCH: &str = "\
Follow what a running server records, as it is recorded, until SIGINT or SIGTERM: a line each, with --json one JSON object. \
Without --cursor and --since it begins now; --cursor POSITION goes on after that position, and --cursor 0 begins with the \
first event ever recorded. A server that is restarted is followed on; nothing is missed or told twice.";

fn play_command() -> Command {
    Command::new("play")
        .about("Run a script of operations in virtual time")
        .long_about(PLAY)
        .arg(Arg::new("file").value_name("FILE.jsonl").required(true).help("The script; - reads stdin"))
        .arg(path(
            "data",
            "DIR",
            "Keep the journal in this folder, or the database postgres://…, instead of in memory",
        ))
        .arg(accept_loss())
        .arg(store())
        .arg(
            Arg::new("start").long("start").value_name("INSTANT").help(
                "Where virtual time starts, RFC 3339 or YYYY-MM-DD; 1970-01-01T00:00:00Z when left out",
            ),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("N")
                .default_value("0")
                .value_parser(clap::value_parser!(u64))
                .help("Seed of the ids made for quorums that are started without one"),
        )
}

/// What `quorate play --help` says.
const PLAY: &str = "\
Run a script of operations in virtual time: the same runtime and journal, with a clock that moves only when the \
script moves it. One JSON object a line:

  {\"op\":\"NAME\", …request fields…}     runs an operation (`quorate ops` lists them)
  {\"op\":\"NAME\",\"as\":\"WHO\", …}      the same as the identity of this name or token; else as the owner
  {\"op\":\"clock.advance\",\"ms\":N}     moves the clock; every deadline on the way fires at its own time, in order
  {\"op\":\"crash\"}                    drops the runtime as kill -9 would, opens the same journal again, recovers
  {\"op\":\"crash\",\"down_ms\":N}        the same, with N ms passing while nothing runs
  {\"op\":\"network.fault\", …}         from now on messages between gates, managers and workers are lost (loss, 0 to \
1), doubled (duplicate), late (delay_ms, and at random up to jitter_ms more), or cut off from the datacenters, workers \
or gates named in cut; chance begins at seed; without fields the network is mended
  {\"op\":\"events\"}                   prints the journal's events since the last such line, one a line
  blank lines, # lines                are ignored

Each operation, clock.advance and crash prints one line, {\"op\",\"at_ms\",\"reply\"} or {\"op\",\"at_ms\",\"error\"}; at_ms \
counts milliseconds since 1970-01-01T00:00:00Z. A refused operation is an answer like any other. A line \
that is not a JSON object with a text \"op\", names no operation, or is a control line with fields it does not take \
prints {\"line\",\"error\"}, the run goes on, and the exit code is 2 at the end. The same script and seed give the same bytes.

On a folder that holds a journal already, the clock starts no earlier than its last commit and `events` shows what \
this run adds.";

fn replay_command() -> Command {
    Command::new("replay")
        .about("Put recorded votes to real quorums and compare vote rules")
        .long_about(REPLAY)
        .arg(
            Arg::new("votes")
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .value_name("VOTES.csv")
                .required(true)
                .help("question,worker,answer[,time]"),
        )
        .arg(path("truth", "TRUTH.csv", "question,truth: measures accuracy"))
        .arg(
            Arg::new("rule")
                .long("rule")
                .value_name("NAME[:PARAM]")
                .action(ArgAction::Append)
                .help("A vote rule, as `quorate rules` lists them; may be repeated"),
        )
        .arg(
            Arg::new("required")
                .long("required")
                .value_name("N")
                .action(ArgAction::Append)
                .help("Short for --rule required:N"),
        )
        .arg(
            Arg::new("weights")
                .long("weights")
                .value_name("SOURCE[:PARAM=N,…]")
                .action(ArgAction::Append)
                .help(format!(
                    "Say what the answers most probably are by a source of weights ({}); may be repeated",
                    super::replay::weights::names()
                )),
        )
        .arg(
            Arg::new("gold")
                .long("gold")
                .value_name("N")
                .value_parser(clap::value_parser!(usize))
                .requires("truth")
                .help("Tell the sources of weights the known answers of the first N questions, and do not score those"),
        )
        .arg(
            Arg::new("waves")
                .long("waves")
                .value_name("BOUND[,BOUND…]")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("Say how many votes are enough when asking stops at this chance of being overturned, 0 to 1"),
        )
        .arg(
            Arg::new("wave-size")
                .long("wave-size")
                .value_name("N")
                .value_parser(clap::value_parser!(u32).range(1..))
                .requires("waves")
                .help("Voters asked at a time; one by default"),
        )
        .arg(path(
            "data",
            "DIR",
            "Keep the journal in this folder; a run that was killed goes on where it was",
        ))
        .arg(accept_loss())
        .arg(store())
}

/// What `quorate replay --help` says.
const REPLAY: &str = "\
Put recorded votes to real quorums and compare vote rules.

For each rule and question, each distinct answer is one quorum whose voters are the workers who voted on that \
question: a vote for the answer approves, a vote for another answer rejects. The question is decided for the answer \
that is approved (the first one, when a low bar lets several through). Otherwise it is a tie, when two or more \
answers have equally many votes and none has more, or undecided. A rule that needs more approvals than a question \
has workers leaves it undecided.

VOTES.csv has the header question,worker,answer and may have a column time (RFC 3339 or YYYY-MM-DD); # lines are \
comments; gzip is read too. With times, votes are taken in time order while virtual time stands at each vote's \
time; votes of equal time are in flight together. A second vote of a worker on a question changes the first while \
the quorum is open. Without --rule, --weights and --waves, every rule is used with its plain parameters.

With --weights the answers are estimated from the votes alone, without quorums: all votes of the file are learned from, \
and of the truth only what --gold names. Without it nothing is told beforehand.

With --waves the best voters of a question are asked first, by what was learned from the other half of the questions, \
until the outcome is certain, or the others would overturn it with at most the bound. A bound of 0 stops only at \
certainty.

Without --data a temporary folder is used and removed. The result depends on the files and rules only; speed and \
latency are reported apart from it.";

fn verify_certificate_command() -> Command {
    Command::new("verify-certificate")
        .about("Check the certificate of a decision, without the store it comes from")
        .long_about(VERIFY_CERTIFICATE)
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The certificate, as `quorate session certificate --json` prints it; - reads stdin"),
        )
}

/// What `quorate verify-certificate --help` says.
const VERIFY_CERTIFICATE: &str = "\
Check the certificate of a decision, without the store it comes from.

It holds when the electorate, the rule and the terms have the hashes they stand beside, when every vote in it was signed \
by a voter of that electorate over just this session, and when those votes reach the quorum. Exit code 0 says that, 18 \
that it does not hold, 2 that it is no certificate.

It does not say whether these are the voters, keys and powers you trust: compare electorate_hash and terms_hash with what \
you were told when the session opened.";

pub(super) fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .help(help)
}

/// The id of the flag that says which operations are shown as tools.
pub(super) const TOOLS: &str = "tools";

/// The id of the flag that opens a damaged folder.
pub(super) const ACCEPT_LOSS: &str = "accept-loss";

fn accept_loss() -> Arg {
    switch(
        ACCEPT_LOSS,
        "Open a damaged folder with what can be read up to the damage; `quorate recover` may keep more",
    )
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn store() -> Arg {
    let names = STORES.iter().map(|store| store.name);
    Arg::new("store")
        .long("store")
        .value_name("NAME")
        .value_parser(PossibleValuesParser::new(names))
        .help("Where the journal is kept; a store of folders without --data uses a temporary one")
}

fn sentence(summary: &str) -> String {
    let mut chars = summary.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A mistake on the command line as an error for machines.
pub(super) fn usage_error(usage: &clap::Error) -> Error {
    let text = usage.render().to_string();
    let until_usage = text.split("\n\nUsage:").next().unwrap_or_default();
    let message: Vec<&str> = until_usage.trim_start_matches("error: ").split_whitespace().collect();
    Error::new(ErrorKind::InvalidArgument, message.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound_and_knows_every_operation() {
        command().debug_assert();
        for op in OPERATIONS {
            let (noun, verb) = op.name.split_once('.').unwrap();
            let noun = command().find_subcommand(noun).unwrap().clone();
            assert!(noun.find_subcommand(verb).is_some(), "{}", op.name);
        }
    }
}
