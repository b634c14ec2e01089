//! The server below the door: actix's own, with connections on which no refusal is bare.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite};

use super::bare::{Told, no_place};
use super::callers::Key;
#[cfg(unix)]
use super::callers::Peer;
use super::server::{Listeners, Options};
use super::{Door, tls};

/// How long the closing of a connection may take.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// What a service is given of a connection.
type Accepted<T> = (Told<T>, Protocol, Option<SocketAddr>);

/// Starts to serve a door on these listeners.
///
/// # Errors
/// Those of the listeners.
pub(super) fn start(
    door: &Door,
    listeners: &mut Listeners,
    encrypted: Option<rustls::ServerConfig>,
    options: &Options,
) -> io::Result<Server> {
    let stop_seconds = options.stop_timeout.as_millis().div_ceil(1000);
    let builder = Server::build()
        .workers(options.workers)
        .max_concurrent_connections(options.max_connections)
        .shutdown_timeout(u64::try_from(stop_seconds).unwrap_or(u64::MAX))
        .disable_signals();
    let builder = match (listeners.address.take(), encrypted) {
        (Some(address), Some(settings)) => listen_tls(builder, address, settings, door, options)?,
        (Some(address), None) => listen(builder, address, door, options)?,
        (None, _) => builder,
    };
    // The socket is removed when the listeners are dropped.
    #[cfg(unix)]
    let builder = match &listeners.folder {
        Some(socket) => listen_uds(builder, socket.listener()?, door, options)?,
        None => builder,
    };
    Ok(builder.run())
}

fn listen(
    builder: ServerBuilder,
    address: std::net::TcpListener,
    door: &Door,
    options: &Options,
) -> io::Result<ServerBuilder> {
    let (signal, door, options) = (builder.graceful_shutdown_signal(), door.clone(), options.clone());
    builder.listen("quorate-http", address, move || {
        let (head_ms, each, places) =
            (options.head_timeout.as_millis(), options.max_connections_each, door.places());
        fn_service(move |io: TcpStream| {
            let places = places.clone();
            async move {
                let peer = io.peer_addr().ok();
                let place = places.connect(peer, each).map_err(|error| {
                    // Told as far as it goes out at once; nobody waits for one who has too many.
                    let _ = io.try_write(&no_place(&error));
                    refused()
                })?;
                Ok((Told::new(io, head_ms, place), Protocol::Http1, peer))
            }
        })
        .and_then(service::<TcpStream>(&door, &options, &signal))
    })
}

fn listen_tls(
    builder: ServerBuilder,
    address: std::net::TcpListener,
    mut settings: rustls::ServerConfig,
    door: &Door,
    options: &Options,
) -> io::Result<ServerBuilder> {
    let (signal, door, options) = (builder.graceful_shutdown_signal(), door.clone(), options.clone());
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    builder.listen("quorate-https", address, move || {
        let (head_ms, each, places) =
            (options.head_timeout.as_millis(), options.max_connections_each, door.places());
        Acceptor::new(settings.clone())
            .map_err(TlsError::into_service_error)
            .and_then(move |io: TlsStream<TcpStream>| {
                let places = places.clone();
                async move {
                    let peer = io.get_ref().0.peer_addr().ok();
                    let place = places.connect(peer, each).map_err(|_| TlsError::Service(refused()))?;
                    Ok((Told::new(io, head_ms, place), Protocol::Http1, peer))
                }
            })
            .and_then(service::<TlsStream<TcpStream>>(&door, &options, &signal).map_err(TlsError::Service))
    })
}

#[cfg(unix)]
fn listen_uds(
    builder: ServerBuilder,
    socket: std::os::unix::net::UnixListener,
    door: &Door,
    options: &Options,
) -> io::Result<ServerBuilder> {
    use actix_web::rt::net::UnixStream;

    let (signal, door, options) = (builder.graceful_shutdown_signal(), door.clone(), options.clone());
    builder.listen_uds("quorate-folder", socket, move || {
        let (head_ms, each, places) =
            (options.head_timeout.as_millis(), options.max_connections_each, door.places());
        fn_service(move |io: UnixStream| {
            let places = places.clone();
            async move {
                let place = places.connect(None, each).map_err(|_| refused())?;
                Ok((Told::new(io, head_ms, place), Protocol::Http1, None))
            }
        })
        .and_then(service::<UnixStream>(&door, &options, &signal))
    })
}

/// The end of a connection for which there is no place.
fn refused() -> DispatchError {
    DispatchError::Io(io::Error::from(io::ErrorKind::ConnectionRefused))
}

/// Requests on connections of this sort, answered by the door.
fn service<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    door: &Door,
    options: &Options,
    signal: &GracefulShutdownSignal,
) -> impl ServiceFactory<Accepted<T>, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<T>
{
    let (door, places, signal) = (door.clone(), door.places(), signal.clone());
    let app = App::new().configure(|app| door.configure(app)).into_factory();
    let app = app.map_err(|error: actix_web::Error| error.error_response());
    HttpService::build()
        .graceful_shutdown_signal(move || notified(signal.clone()))
        .keep_alive(KeepAlive::Timeout(options.keep_alive))
        .client_request_timeout(options.head_timeout)
        .client_disconnect_timeout(CLOSES_WITHIN)
        // Who has said all it wants to say may still listen. Who hangs up while waiting is noticed by the wait.
        .h1_allow_half_closed(true)
        .on_connect_ext(move |told: &Told<T>, kept| {
            let connection: &dyn Any = told.below();
            kept.insert(places.sockets.accepted(connection, told.ended()));
            #[cfg(unix)]
            kept.insert(Peer::of(connection));
            if let Some(key) = tls::key_of(connection) {
                kept.insert(Key(key));
            }
        })
        .finish(map_config(app, |()| AppConfig::default()))
}

async fn notified(signal: GracefulShutdownSignal) {
    signal.notified().await;
}
