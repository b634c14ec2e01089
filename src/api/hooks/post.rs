//! The request: to an address that was looked at, over a connection of its own, once.
//!
//! The name is looked up, every address that is refused is left out, and the connection is made to one of those that are left:
//! what the name leads to a moment later is not asked again. No redirect is followed, no proxy is used, and of the answer only
//! the status is read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::super::wait::AbortOnDrop;
use super::target::{HostName, Target, why_refused};
use crate::config::HooksConfig;
use crate::connect::tls::trusted;
use crate::core::trust::hook::Reason;
use crate::error::{Error, ErrorKind};

/// Most bytes of the head of an answer.
const HEAD: usize = 64 << 10;
/// Who sends.
const AGENT: &str = concat!("quorate/", env!("CARGO_PKG_VERSION"));

/// A request as it is sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    pub(super) body: String,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Delivered,
    /// Nothing more is wanted.
    Gone,
    Failed(Reason),
}

/// How requests are sent.
pub(super) struct Post {
    config: HooksConfig,
    tls: TlsConnector,
}

impl Post {
    /// # Errors
    /// `invalid_argument` for certificates that cannot be read.
    pub(super) fn new(config: &HooksConfig) -> Result<Self, Error> {
        let roots = trusted(config.tls_ca.as_deref())?;
        let settings = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new(ErrorKind::StoreError, format!("no TLS for hooks. cause={e}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Post { config: config.clone(), tls: TlsConnector::from(Arc::new(settings)) })
    }

    /// Sends a message, once.
    pub(super) async fn send(&self, target: &Target, message: Message) -> Sent {
        match tokio::time::timeout(self.config.timeout, self.status(target, message)).await {
            Ok(Ok(StatusCode::GONE)) => Sent::Gone,
            Ok(Ok(status)) if status.is_success() => Sent::Delivered,
            Ok(Ok(status)) => Sent::Failed(Reason::Status(status.as_u16())),
            Ok(Err(reason)) => Sent::Failed(reason),
            Err(_) => Sent::Failed(Reason::TimedOut),
        }
    }

    async fn status(&self, target: &Target, message: Message) -> Result<StatusCode, Reason> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&target.path)
            .header(HOST, &target.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signature)
            .body(Full::new(Bytes::from(message.body)))
            .map_err(|_| Reason::Broken)?;
        let within: Duration = self.config.connect_timeout;
        let late = |_| Reason::TimedOut;
        let stream = tokio::time::timeout(within, self.dial(target)).await.map_err(late)??;
        if !target.secure {
            return exchange(stream, request).await;
        }
        let name = match &target.host {
            HostName::Address(address) => ServerName::from(*address),
            HostName::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Reason::NotTrusted)?,
        };
        let encrypted = tokio::time::timeout(within, self.tls.connect(name, stream)).await.map_err(late)?;
        exchange(encrypted.map_err(|_| Reason::NotTrusted)?, request).await
    }

    /// A connection to an address of the target to which something may be sent.
    async fn dial(&self, target: &Target) -> Result<TcpStream, Reason> {
        let addresses: Vec<IpAddr> = match &target.host {
            HostName::Address(address) => vec![*address],
            HostName::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), target.port)).await;
                found.map_err(|_| Reason::NotResolved)?.map(|address| address.ip()).collect()
            }
        };
        if addresses.is_empty() {
            return Err(Reason::NotResolved);
        }
        let may = |address: &&IpAddr| self.config.allow_private || why_refused(**address).is_none();
        let allowed: Vec<SocketAddr> =
            addresses.iter().filter(may).map(|address| SocketAddr::new(*address, target.port)).collect();
        if allowed.is_empty() {
            return Err(Reason::AddressRefused);
        }
        for address in allowed {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(Reason::NotConnected)
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, Reason> {
    let shaken = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|_| Reason::Broken)?;
    // The body of the answer is not read: with the connection it is gone.
    let _driver = AbortOnDrop(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let answer = sender.send_request(request).await.map_err(|_| Reason::Broken)?;
    Ok(answer.status())
}
