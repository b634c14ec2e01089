//! `quorate shards`: one journal over several databases or schemas. And `quorate serve` on one that is so.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::args::path;
use super::open;
use super::output::{Output, Stop, table};
use super::serve::warn_if_plain;
use super::signals::{Signals, Wish};
use quorate_http::{Listeners, Options};
use quorate_runtime::api::Quorate;
use quorate_runtime::api::shards::Shards;
use quorate_runtime::api::shards::follow::Follower;
use quorate_runtime::api::shards::owner::Owner;
use quorate_runtime::config::Config;
use quorate_runtime::core::kernel::shards::{MOST, ShardMap};
use quorate_runtime::error::Error;
use quorate_runtime::store::DatabaseUrl;
use quorate_runtime::store::postgres::shards::{Book, Layout, Place, ShardState};

/// `quorate shards`.
pub(super) fn command() -> Command {
    let store = || path("store", "URL", "The first database, postgres://…; QUORATE_DATA when left out");
    let init = Command::new("init")
        .about("Divide a journal that is still empty into shards, each with an owner of its own")
        .long_about(INIT)
        .arg(store())
        .arg(
            Arg::new("shards")
                .long("shards")
                .value_name("N")
                .value_parser(clap::value_parser!(u16))
                .required_unless_present("place")
                .help("How many, 1 to 1000, all in the first database: a schema each"),
        )
        .arg(
            Arg::new("place")
                .long("place")
                .value_name("URL|SCHEMA")
                .action(ArgAction::Append)
                .conflicts_with("shards")
                .help(
                    "Where a further shard is: another database, or a schema of the first; may be said again",
                ),
        );
    let list = Command::new("list").about("Show each shard: its owner, epoch, lease and end").arg(store());
    Command::new("shards")
        .about("One journal over several databases or schemas")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([init, list])
}

/// What `quorate shards init --help` says.
const INIT: &str = "\
Divide a journal that is still empty into shards, each with an owner of its own.

The first shard is the journal that --store names; with --shards the others are schemas beside it, with --place they are where \
that says. The map stands in the first database. Every place must be an empty journal that nobody owns; the same words again \
change nothing, and go on where they were cut off. How many shards there are cannot be changed later.

Then begin `quorate serve --store URL` with the first database, as often as there are to be processes: they share the shards \
out among themselves.";

fn first(matches: &ArgMatches) -> Result<DatabaseUrl, Error> {
    let outside = || std::env::var_os("QUORATE_DATA").filter(|data| !data.is_empty()).map(PathBuf::from);
    let named = matches.get_one::<PathBuf>("store").cloned().or_else(outside);
    let named = named.ok_or_else(|| Error::missing("store"))?;
    match open::database(&named)? {
        Some((_, url)) => Ok(url),
        None => Err(Error::invalid("store", named.display().to_string(), "postgres://…")),
    }
}

/// Divides a journal, or shows how it is divided.
pub(super) fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    match matches.subcommand() {
        Some(("init", matches)) => init(matches, output),
        Some(("list", matches)) => list(matches, output),
        Some(_) | None => Ok(2),
    }
}

fn init(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let book = Book::open(&first(matches)?).map_err(Error::from)?;
    let few = |given: usize| Error::invalid("shards", given, &format!("1 to {MOST}"));
    let places = match (matches.get_one::<u16>("shards"), matches.get_many::<String>("place")) {
        (Some(shards), _) if !(1..=MOST).contains(shards) => return Err(few(usize::from(*shards)).into()),
        (Some(shards), _) => book.beside(*shards).map_err(Error::from)?,
        (None, named) => {
            let named = named.into_iter().flatten().map(|place| Place::of(place));
            std::iter::once(Place::First).chain(named).collect()
        }
    };
    let count = u16::try_from(places.len()).ok();
    let map = count.and_then(ShardMap::spread).ok_or_else(|| few(places.len()))?;
    let layout = book.divide(&places, map.slots()).map_err(Error::from)?;
    let shown: Vec<String> = layout.places.iter().map(ToString::to_string).collect();
    output.reply(
        &json!({ "map": layout.map, "epoch": layout.epoch, "shards": shown.len(), "places": shown }),
    )?;
    Ok(0)
}

fn list(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let url = first(matches)?;
    let book = Book::open(&url).map_err(Error::from)?;
    let layout = book.layout().map_err(Error::from)?.ok_or_else(|| {
        Error::invalid(
            "store",
            url.to_string(),
            "a journal of several shards: `quorate shards init` makes one",
        )
    })?;
    let states = book.states(&layout).map_err(Error::from)?;
    if output.is_json() {
        output.reply(&json!({ "map": layout.map, "epoch": layout.epoch, "shards": states }))?;
        return Ok(0);
    }
    let row = |state: &ShardState| {
        let owned = state.lease_left_ms > 0;
        let owner = state.owner.clone().filter(|_| owned).unwrap_or_else(|| "nobody".into());
        vec![
            state.shard.to_string(),
            state.place.clone(),
            state.failure.clone().unwrap_or(owner),
            state.door.clone().unwrap_or_default(),
            state.epoch.to_string(),
            format!("{} ms", state.lease_left_ms),
            format!("{} in {} groups", state.tip_position, state.tip_group),
        ]
    };
    let titles = ["shard", "place", "owner", "address", "epoch", "lease left", "records"];
    output.text(&table(&titles, states.iter().map(row)))?;
    Ok(0)
}

/// Where others reach this server.
///
/// # Errors
/// `invalid_argument` for what is no URL, and where the address that is listened on is that of no machine.
fn door(matches: &ArgMatches, scheme: &str, listen: SocketAddr) -> Result<String, Error> {
    let expected = "http://HOST:PORT or https://HOST:PORT, by which other machines reach this server";
    match matches.get_one::<String>("advertise") {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        Some(url) => Err(Error::invalid("advertise", url.as_str(), expected)),
        None if !listen.ip().is_unspecified() => Ok(format!("{scheme}://{listen}")),
        None => Err(Error::invalid("advertise", Value::Null, expected)),
    }
}

/// Serves what this process can own of the shards, and says where the others are, until a signal comes.
pub(super) async fn serve(
    (book, layout, map): (Arc<Book>, Layout, Arc<ShardMap>),
    (listener, options, config): (TcpListener, Options, Config),
    (matches, mut signals): (&ArgMatches, Signals),
    output: &Output,
) -> Result<u8, Stop> {
    // The door stands in front of a runtime that keeps nothing, so that it is there before any shard is.
    let front = Quorate::open(Config::memory()).await?;
    let listen = listener.local_addr().map_err(|e| Error::invalid("listen", e.to_string(), "an address"))?;
    let scheme = if options.tls_cert.is_some() { "https" } else { "http" };
    let door = door(matches, scheme, listen)?;
    let shards = Shards::new(map, front.clone());
    let owner = Owner::new(book, layout, config, shards.clone());
    warn_if_plain(&options, listen, output)?;
    let follower = Follower::begin(owner.config_of(0)?, &shards).await?;
    let mut server =
        quorate_http::serve_on(Quorate::in_front_of(shards), Listeners::from(listener), options)?;
    let url = server.url().unwrap_or_default();
    let (stop, stopping) = watch::channel(false);
    let owning = tokio::spawn(owner.run(door, stopping));
    if output.is_json() {
        output.reply(&json!({ "listening": url }))?;
    } else {
        output.text(&format!("listening on {url}\n"))?;
    }
    loop {
        tokio::select! {
            wish = signals.wish() => match wish {
                Wish::Stop => break,
                Wish::ReadAgain => server.read_certificate(),
            },
            // It only ends by itself when something is wrong; the stop below says what.
            _ = server.ended() => break,
        }
    }
    let stopped = server.stop().await;
    stop.send_replace(true);
    // A panic there was told; the leases run out by themselves.
    let _ = owning.await;
    drop(follower);
    front.close().await?;
    stopped?;
    Ok(0)
}
