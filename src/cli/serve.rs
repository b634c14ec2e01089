//! `quorate serve`: the HTTP door on a data folder, until a signal comes.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::open;
use super::ops::owner_of;
use super::output::{Output, Stop};
use super::settings;
use super::signals::Signals;
use quorate_http::Listeners;
use quorate_runtime::api::Quorate;
use quorate_runtime::error::Error;
#[cfg(unix)]
use quorate_runtime::owner::OwnerSocket;
use quorate_runtime::shell::clock::Stopwatch;
use quorate_runtime::shell::sampler::ThisMachine;

/// How often the store is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Serves until SIGINT or SIGTERM, then answers what is under way and closes the store.
pub(super) async fn run(matches: &ArgMatches, output: &Output) -> Result<u8, Stop> {
    if matches.get_flag("print-config") {
        output.text(&settings::written()?)?;
        return Ok(0);
    }
    let said = settings::read_or_default(matches.get_one::<PathBuf>("config").map(PathBuf::as_path))?;
    let text = matches.get_one::<String>("listen").unwrap_or(&said.listen);
    let listen: SocketAddr = text
        .parse()
        .map_err(|_| Error::invalid("listen", text.as_str(), "ADDRESS:PORT, such as 127.0.0.1:7171"))?;
    let outside = || std::env::var_os("QUORATE_DATA").filter(|data| !data.is_empty()).map(PathBuf::from);
    let data = matches.get_one::<PathBuf>("data").cloned().or_else(|| said.data.as_ref().map(PathBuf::from));
    let data = data.or_else(outside).ok_or_else(|| {
        Error::invalid("data", Value::Null, "a data folder: --data DIR, or data in the file")
    })?;
    let data = data.as_path();
    // Heard from here on: a signal during recovery stops the server as soon as it is up.
    let mut signals = Signals::listen()?;
    let mut options = said.http;
    options.insecure |= matches.get_flag("insecure");
    options.allowed_hosts.extend(matches.get_many::<String>("allow-host").unwrap_or_default().cloned());
    // First, so that who cannot serve leaves the folder as it is.
    let listener = quorate_http::bind(listen, &options)?;
    let mut config = said.runtime;
    config.store_options.path = Some(data.to_owned());
    config.store_options.accept_loss |= open::accepts_loss(matches);
    config.capacity.strict_cells |= matches.get_flag("strict-cells");
    if matches.get_flag("sample-machine") {
        config.sampler = Some(Arc::new(ThisMachine::default()));
    }
    // Commands that have the folder are done soon; another server is not.
    let q = match owner_of(data) {
        Some(_) => Quorate::open(config).await?,
        None => {
            let step = async || Quorate::open(config.clone()).await;
            open::when_free(Stopwatch::start(), open::SERVER, step).await?
        }
    };
    open::tell(&q.recovery_report().store);
    let listeners = listeners(listener, data, output)?;
    let mut server = quorate_http::serve_on(q.clone(), listeners, options)?;
    let url = server.addr().map(|addr| format!("http://{addr}")).unwrap_or_default();
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

/// The address, and the socket by which processes that name the folder come in. Where there can be none they use the
/// address.
#[cfg(unix)]
fn listeners(address: TcpListener, folder: &Path, output: &Output) -> Result<Listeners, Stop> {
    let folder = match OwnerSocket::listen(folder) {
        Ok(socket) => Some(socket),
        Err(e) => {
            output.complain(&format!(
                "warning: no socket in {}, so commands with --data find no way in and need --url. cause={e}\n",
                folder.display()
            ))?;
            None
        }
    };
    Ok(Listeners { address: Some(address), folder })
}

#[cfg(not(unix))]
fn listeners(address: TcpListener, _: &Path, _: &Output) -> Result<Listeners, Stop> {
    Ok(Listeners::from(address))
}

/// Ends when the store has failed for good.
async fn failure(q: &Quorate) {
    while q.health().failure.is_none() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
