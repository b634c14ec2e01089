//! `quorate node`: a node of a cluster on a data folder, until a signal comes; its keys; and what it sees, as a table and as a
//! map.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::args::path;
use super::open;
use super::ops::owner_of;
use super::output::{Output, Stop, table};
use super::remote;
use super::serve::failure;
use super::signals::Signals;
#[cfg(unix)]
use quorate_http::Listeners;
use quorate_node::{KeyRing, Node, NodeConfig, RingError};
use quorate_runtime::api::Quorate;
use quorate_runtime::api::dto::{MemberList, MemberView, NameConflict};
use quorate_runtime::api::ops;
use quorate_runtime::config::Config;
use quorate_runtime::core::network::member::NodeRole;
use quorate_runtime::error::{Error, ErrorKind};
#[cfg(unix)]
use quorate_runtime::owner::OwnerSocket;
use quorate_runtime::shell::clock::Stopwatch;
use quorate_runtime::shell::post::Nowhere;

const NODE: &str = "\
Run a node of a cluster until SIGINT or SIGTERM, when it tells the others that it leaves. It finds the others through those \
it joins, watches them over UDP, and answers for its data folder: `quorate members`, `quorate map` and every other \
operation with --data DIR. What changes is told on stderr.

Every datagram is sealed with a key of the file, so make one first (`quorate node key new FILE`) and copy it to every \
machine. A file that changes is read again. Messages of jobs go over TCP, at the port of the same number: a gate hands \
a job for a datacenter to one of its managers, and to another one when that is gone.

Exit codes: 0 it left · 2 bad setting · 11 another process has the folder, or another node the name · 14 a damaged file · others as below `quorate --help`.";

const KEY: &str = "\
Make and change the file of keys. A file holds up to eight keys; the first one seals, all open. To change the key of a \
cluster that runs: `rotate` one file, copy it to every node in any order, and once all have it `drop` the old key and copy \
it again. Who does not get the new file is out when the old key is dropped: so a member is revoked.";

/// A node that joins others waits so long at its start for one that answers.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// After so many probe periods without a manager a datacenter is dead, where nothing is said.
const PERIODS_TO_DEAD: u32 = 5;

fn key_file() -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .required(true)
        .help("The file of keys, readable by its owner alone")
}

fn data(help: &'static str) -> Arg {
    path("data", "DIR", help)
}

/// The commands of this file.
pub(super) fn commands() -> [Command; 3] {
    let roles = NodeRole::ALL.map(NodeRole::name);
    let verb = |name: &'static str, about: &'static str| Command::new(name).about(about).arg(key_file());
    let key = Command::new("key")
        .about("Make and change the keys of a cluster")
        .long_about(KEY)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(verb("new", "Make a file with one new key; a file that is there stays"))
        .subcommand(verb("rotate", "Put a new key in front; the others still open"))
        .subcommand(verb("list", "Show the names of the keys, not the keys"))
        .subcommand(
            verb("drop", "Take a key out; what is sealed with it is refused from then on")
                .arg(Arg::new("key").value_name("KEY").required(true).help("Its name, as `list` shows it")),
        );
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let node = Command::new("node")
        .about("Run a node of a cluster until SIGINT or SIGTERM")
        .long_about(NODE)
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
        .subcommand(key)
        .arg(text("role", "ROLE", "What the node does").required(true).value_parser(roles))
        .arg(
            text("datacenter", "DC", "Where it stands: nodes of one datacenter are near each other")
                .required(true),
        )
        .arg(data("The data folder; made when it is not there. QUORATE_DATA when left out"))
        .arg(
            text(
                "listen",
                "ADDR",
                "The UDP address to listen on, such as 10.0.0.1:7946; port 0 takes a free one",
            )
            .required(true),
        )
        .arg(text("advertise", "ADDR", "Where others reach it, if that is another address"))
        .arg(
            text("join", "ADDR", "A node that is asked who is there, HOST:PORT; may be said again")
                .action(ArgAction::Append),
        )
        .arg(path("key", "FILE", "The keys of the cluster: see `quorate node key --help`").required(true))
        .arg(text("name", "NAME", "Its name, which no other node has; made at the first start when left out"))
        .arg(
            text(
                "probe-period-ms",
                "NUMBER",
                "Between two probes, 10 to 60000; 1000 when left out. Shorter finds a death sooner",
            )
            .value_parser(clap::value_parser!(u64).range(10..=60_000)),
        )
        .arg(
            text(
                "datacenter-dead-ms",
                "NUMBER",
                "How long every manager of a datacenter has to be dead before its jobs go elsewhere, 0 to 86400000; five probe \
                 periods when left out. Too short moves jobs that are only cut off for a moment, and does them twice",
            )
            .value_parser(clap::value_parser!(u64).range(0..=86_400_000)),
        );
    let folder = "The data folder of a running node. QUORATE_DATA when left out";
    let members = Command::new("members")
        .about("List the nodes of the cluster as the node of a data folder sees them: state, role, distance")
        .arg(data(folder));
    let map = Command::new("map")
        .about("Draw the nodes of the cluster as SVG: a distance on paper is a round trip")
        .arg(data(folder))
        .arg(
            Arg::new("out")
                .value_name("OUT.svg")
                .value_parser(clap::value_parser!(PathBuf))
                .required(true)
                .help("The file to write; one that is there is written over"),
        );
    [node, members, map]
}

/// `quorate node …`.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    match matches.subcommand() {
        Some((_, key)) => keys(key, output),
        None => serve(matches, output).await,
    }
}

fn folder(matches: &ArgMatches) -> Result<PathBuf, Error> {
    let outside = || std::env::var_os("QUORATE_DATA").filter(|data| !data.is_empty()).map(PathBuf::from);
    matches
        .get_one::<PathBuf>("data")
        .cloned()
        .or_else(outside)
        .ok_or_else(|| Error::invalid("data", Value::Null, "a data folder: --data DIR, or QUORATE_DATA"))
}

fn config(matches: &ArgMatches, data: &Path) -> Result<NodeConfig, Error> {
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let address = |name: &'static str| -> Result<SocketAddr, Error> {
        let expected = "ADDRESS:PORT, such as 10.0.0.1:7946";
        text(name).parse().map_err(|_| Error::invalid(name, text(name), expected))
    };
    let role = NodeRole::ALL.into_iter().find(|role| role.name() == text("role")).unwrap_or_default();
    let key = matches.get_one::<PathBuf>("key").cloned().unwrap_or_default();
    let mut config = NodeConfig::new(role, text("datacenter"), data, address("listen")?, key);
    if matches.contains_id("advertise") {
        config.advertise = Some(address("advertise")?);
    }
    config.join = matches.get_many::<String>("join").unwrap_or_default().cloned().collect();
    config.name = matches.get_one::<String>("name").cloned();
    if let Some(period) = matches.get_one::<u64>("probe-period-ms") {
        config.members.probe_period = Duration::from_millis(*period);
    }
    config.check()?;
    Ok(config)
}

/// Runs until a signal comes, then leaves.
async fn serve(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let data = folder(matches)?;
    let config = config(matches, &data)?;
    // Before the folder is made, so that who cannot run leaves it as it is.
    KeyRing::read(&config.key_file).map_err(|e| e.of(&config.key_file))?;
    let mut signals = Signals::listen()?;
    let given = matches.get_one::<u64>("datacenter-dead-ms").map(|ms| Duration::from_millis(*ms));
    let datacenter_dead = given.unwrap_or(config.members.probe_period * PERIODS_TO_DEAD);
    // What a process before this one did not get answered is sent again at open, before there is a node.
    let opened = || {
        let mut opened = Config { transport: Some(Arc::new(Nowhere)), ..Config::at(&data) };
        opened.jobs.datacenter_dead = datacenter_dead;
        opened
    };
    let step = async || Quorate::open(opened()).await;
    let q = match owner_of(&data) {
        Some(_) => step().await?,
        None => open::when_free(Stopwatch::start(), open::SERVER, step).await?,
    };
    open::tell(&q.recovery_report().store);
    let joins = !config.join.is_empty();
    let mut node = Node::start(config)?;
    if joins {
        // Before it leads anything under its name.
        node.joined(FIRST_ANSWER).await?;
    }
    node.attach(&q)?;
    #[cfg(unix)]
    let served = {
        let socket = OwnerSocket::listen(&data).map_err(|e| {
            let message =
                format!("no socket can be made in the folder. folder={}, cause={e}", data.display());
            Error::new(ErrorKind::StoreError, message)
        })?;
        let listeners = Listeners { folder: Some(socket), ..Listeners::default() };
        let options = quorate_http::Options { workers: 1, ..quorate_http::Options::default() };
        quorate_http::serve_on(q.clone(), listeners, options)?
    };
    let (name, address) = (node.name().to_owned(), node.address().to_string());
    if output.is_json() {
        output.reply(&json!({ "node_id": name, "listening": address }))?;
    } else {
        output.text(&format!("{name} listens on {address}\n"))?;
    }
    let ended = tokio::select! {
        () = signals.next() => Ok(()),
        () = failure(&q) => Ok(()),
        ended = node.ended() => ended,
    };
    let left = node.leave().await;
    // What came last, the leaving among it.
    q.members().record().await?;
    #[cfg(unix)]
    let stopped = served.stop().await;
    #[cfg(not(unix))]
    let stopped: Result<(), Error> = Ok(());
    q.close().await?;
    ended.and(left).and(stopped)?;
    Ok(0)
}

/// `quorate node key …`.
fn keys(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(2) };
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    let bad = |e: RingError| e.of(&file);
    let ring = match verb {
        "new" => KeyRing::create(&file).map_err(bad)?,
        "rotate" => {
            let mut ring = KeyRing::read(&file).map_err(bad)?;
            ring.rotate().map_err(bad)?;
            ring.write(&file).map_err(bad)?;
            ring
        }
        "drop" => {
            let key = matches.get_one::<String>("key").map_or("", String::as_str);
            let mut ring = KeyRing::read(&file).map_err(bad)?;
            ring.drop_key(key).map_err(|e| {
                Error::invalid("key", key, "one of several keys that `list` shows")
                    .with("cause", e.to_string())
            })?;
            ring.write(&file).map_err(bad)?;
            ring
        }
        _ => KeyRing::read(&file).map_err(bad)?,
    };
    let ids: Vec<String> = ring.ids().map(|id| id.to_string()).collect();
    if output.is_json() {
        output.reply(&json!({ "keys": ids }))?;
    } else {
        let does = |at: usize| if at == 0 { "seals and opens" } else { "opens" };
        let rows = ids.into_iter().enumerate().map(|(at, id)| vec![id, does(at).to_owned()]);
        output.text(&table(&["key", "does"], rows))?;
    }
    Ok(0)
}

/// What the node of the folder answers.
async fn asked(matches: &ArgMatches) -> Result<Value, Error> {
    let data = folder(matches)?;
    let server = owner_of(&data).ok_or_else(|| {
        let message =
            format!("no node runs in this folder; start it with `quorate node --data {}`", data.display());
        let next = "start one, or name the folder of a node that runs; what a folder without one holds, `quorate status` shows";
        Error::new(ErrorKind::NotFound, message).with("field", "data").advising(next)
    })?;
    remote::call(&server, ops::find("member.list")?, Map::new())
}

fn listed(reply: &Value) -> Result<MemberList, Error> {
    serde_json::from_value(reply.clone()).map_err(|e| {
        Error::new(ErrorKind::StoreError, format!("the node answered with no list of members. cause={e}"))
    })
}

/// `quorate members`.
pub(super) async fn members(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let reply = asked(matches).await?;
    if output.is_json() {
        output.reply(&reply)?;
        return Ok(0);
    }
    let list = listed(&reply)?;
    let header = ["node", "role", "datacenter", "state", "incarnation", "distance", "upper", "address"];
    output.text(&table(&header, list.members.iter().map(row)))?;
    for conflict in &list.name_conflicts {
        let NameConflict { node_id, address, other_address, .. } = conflict;
        output.text(&format!(
            "warning: two nodes are called {node_id}, at {address} and at {other_address}; the one at {address} counts\n"
        ))?;
    }
    Ok(0)
}

fn row(member: &MemberView) -> Vec<String> {
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    let ms = |ms: Option<f64>| match ms {
        Some(ms) => format!("{ms:.1} ms"),
        None if member.is_self => "here".to_owned(),
        None => "?".to_owned(),
    };
    vec![
        member.node_id.clone(),
        or_unknown(&member.role),
        or_unknown(&member.datacenter),
        member.state.clone(),
        member.incarnation.to_string(),
        ms(member.rtt_ms),
        ms(member.rtt_upper_ms),
        member.address.clone(),
    ]
}

/// `quorate map`.
pub(super) async fn map(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let list = listed(&asked(matches).await?)?;
    let out = matches.get_one::<PathBuf>("out").cloned().unwrap_or_default();
    std::fs::write(&out, quorate_node::draw(&list)).map_err(|e| {
        Error::invalid("out", out.display().to_string(), "a file that can be written")
            .with("cause", e.to_string())
    })?;
    let nodes = list.members.len();
    if output.is_json() {
        output.reply(&json!({ "file": out.display().to_string(), "nodes": nodes }))?;
    } else {
        output.text(&format!("drew {nodes} nodes into {}\n", out.display()))?;
    }
    Ok(0)
}
