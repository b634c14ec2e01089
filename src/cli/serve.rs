//! `quorate serve`: the HTTP door on a data folder, until a signal comes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::open;
use super::output::{Output, Stop};
use super::signals::Signals;
use crate::api::Quorate;
use crate::api::http::{self, Options};
use crate::error::Error;
use crate::shell::sampler::ThisMachine;

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
    // First, so that who cannot serve leaves the folder as it is.
    let listener = http::bind(listen)?;
    let mut config = open::folder(data, true)?;
    config.capacity.strict_cells = matches.get_flag("strict-cells");
    if matches.get_flag("sample-machine") {
        config.sampler = Some(Arc::new(ThisMachine::default()));
    }
    let q = Quorate::open(config).await?;
    let mut server = http::serve_on(q.clone(), listener, Options::default())?;
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
    }
    let stopped = server.stop().await;
    q.close().await?;
    stopped?;
    Ok(0)
}
