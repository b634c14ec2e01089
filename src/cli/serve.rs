//! `quorate serve`: the HTTP door on a data folder or a database, until a signal comes.

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
use super::shards;
use super::signals::{Signals, Wish};
use quorate_http::{Listeners, Options};
use quorate_runtime::api::Quorate;
use quorate_runtime::api::shards::owner::divided;
use quorate_runtime::error::Error;
#[cfg(unix)]
use quorate_runtime::owner::OwnerSocket;
use quorate_runtime::shell::clock::Stopwatch;
use quorate_runtime::shell::sampler::ThisMachine;
use quorate_runtime::store::store_in;

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
    let (data, store) = open::named(matches)?;
    let data = data.or_else(|| said.data.as_ref().map(PathBuf::from));
    let data = data.or_else(outside).ok_or_else(|| {
        let expected = "a data folder: --data DIR, or data in the file; or a database: --store postgres://…";
        Error::invalid("data", Value::Null, expected)
    })?;
    let data = data.as_path();
    // Heard from here on: a signal during recovery stops the server as soon as it is up.
    let mut signals = Signals::listen()?;
    let mut options = said.http;
    options.insecure |= matches.get_flag("insecure");
    options.allowed_hosts.extend(matches.get_many::<String>("allow-host").unwrap_or_default().cloned());
    options.tls_cert = matches.get_one::<PathBuf>("tls-cert").cloned().or(options.tls_cert);
    options.tls_key = matches.get_one::<PathBuf>("tls-key").cloned().or(options.tls_key);
    if options.tls_cert.is_some() {
        signals.hear_hangup()?;
    }
    let database = open::database(data)?;
    let divided = match &database {
        Some((_, url)) => divided(url).await?,
        None => None,
    };
    // First, so that who cannot serve leaves the folder as it is. One that is not there knows no identity.
    options.check_listen(listen, data.exists() || database.is_some())?;
    let listener = quorate_http::bind(listen, &options)?;
    let mut config = said.runtime;
    match &database {
        Some((entry, url)) => {
            config.store = entry.name.into();
            config.store_options.url = Some(url.clone());
        }
        None => {
            // What stands there, or is asked for here, goes before what the file of settings says.
            if store.is_some() || store_in(data).is_some() {
                config.store = open::store_of(data, store.as_deref())?.name.into();
            }
            config.store_options.path = Some(data.to_owned());
        }
    }
    config.store_options.accept_loss |= open::accepts_loss(matches);
    config.capacity.strict_cells |= matches.get_flag("strict-cells");
    config.hooks.allow_private |= matches.get_flag("hook-allow-private");
    if matches.get_flag("sample-machine") {
        config.sampler = Some(Arc::new(ThisMachine::default()));
    }
    if let Some(divided) = divided {
        return shards::serve(divided, (listener, options, config), (matches, signals), output).await;
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
    if let Err(refused) = options.check_listen(listen, q.knows_identities()) {
        q.close().await?;
        return Err(refused.into());
    }
    warn_if_plain(&options, listen, output)?;
    let listeners = match database {
        // Who names the database is not on this machine, as far as anybody knows.
        Some(_) => Listeners::from(listener),
        None => listeners(listener, data, output)?,
    };
    let deliveries = q.deliver_hooks()?;
    let mut server = quorate_http::serve_on(q.clone(), listeners, options)?;
    let url = server.url().unwrap_or_default();
    if output.is_json() {
        output.reply(&json!({ "listening": url }))?;
    } else {
        output.text(&format!("listening on {url}\n"))?;
    }
    loop {
        tokio::select! {
            wish = signals.wish() => match wish {
                Wish::Stop => break,
                Wish::ReadAgain => {
                    server.read_certificate();
                    continue;
                }
            },
            // It only ends by itself when something is wrong; the stop below says what.
            _ = server.ended() => break,
            // Nothing can be taken any more; whoever started this process must know. The close below says why.
            () = failure(&q) => break,
        }
    }
    let stopped = server.stop().await;
    drop(deliveries);
    q.close().await?;
    stopped?;
    Ok(0)
}

/// Says so where whoever can listen to the network reads everything.
pub(super) fn warn_if_plain(options: &Options, listen: SocketAddr, output: &Output) -> Result<(), Stop> {
    if options.tls_cert.is_none() && !listen.ip().to_canonical().is_loopback() {
        output.complain(
            "warning: nothing is encrypted, so whoever can listen to the network reads tokens. Say --tls-cert and \
             --tls-key, or put what encrypts in front\n",
        )?;
    }
    Ok(())
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
pub(super) async fn failure(q: &Quorate) {
    while q.health().failure.is_none() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
