//! `quorate serve`: the HTTP door on a data folder, until a signal comes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::open;
use super::output::{Output, Stop};
use super::signals::Signals;
use quorate_http::Options;
use quorate_runtime::api::Quorate;
use quorate_runtime::error::Error;
use quorate_runtime::shell::sampler::ThisMachine;

/// How often the store is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Serves until SIGINT or SIGTERM, then answers what is under way and closes the store.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    let text = matches.get_one::<String>("listen").map_or("", String::as_str);
    let listen: SocketAddr =
        text.parse().map_err(|_| Error::invalid("listen", text, "ADDRESS:PORT, such as 127.0.0.1:7171"))?;
    let data = matches
        .get_one::<PathBuf>("data")
        .ok_or_else(|| Error::invalid("data", Value::Null, "a data folder"))?;
    // Heard from here on: a signal during recovery stops the server as soon as it is up.
    let mut signals = Signals::listen()?;
    let allowed_hosts = matches.get_many::<String>("allow-host").unwrap_or_default().cloned().collect();
    let options = Options { insecure: matches.get_flag("insecure"), allowed_hosts, ..Options::default() };
    // First, so that who cannot serve leaves the folder as it is.
    let listener = quorate_http::bind(listen, &options)?;
    let mut config = open::folder(data, true, matches)?;
    config.capacity.strict_cells = matches.get_flag("strict-cells");
    if matches.get_flag("sample-machine") {
        config.sampler = Some(Arc::new(ThisMachine::default()));
    }
    let q = Quorate::open(config).await?;
    open::tell(&q.recovery_report().store);
    let mut server = quorate_http::serve_on(q.clone(), listener, options)?;
    let url = format!("http://{}", server.addr());
    if output.is_json() {
        output.reply(&json!({ "listening": url }))?;
    } else {
        output.text(&format!("listening on {url}\n"))?;
    }
    tokio::select! {
        () = signals.next() => {}
        // It only ends by itself when something is wrong; the stop below says what.
        _ = server.ended() => {}
        // Nothing can be taken any more; whoever started this process must know. The close below says why.
        () = failure(&q) => {}
    }
    let stopped = server.stop().await;
    q.close().await?;
    stopped?;
    Ok(0)
}

/// Ends when the store has failed for good.
async fn failure(q: &Quorate) {
    while q.health().failure.is_none() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
