//! Who sent a request.
//!
//! ```text
//!  Authorization: Bearer quorate_…  ─► the identity of the token
//!  none, a certificate with its key ─► the identity that was given this public key
//!  none, over the folder's socket   ─► its owner is asked nothing; another user is the identity that has the uid
//!  none otherwise                   ─► 401 not_authenticated, with WWW-Authenticate: Bearer
//!  none, and no identity was made   ─► everybody: the door is as open as ever
//! ```
//!
//! `/healthz`, `/openapi.json` and the files of the page for people are open to all: they say nothing of what is
//! recorded. `/metrics` and `/api/v1/events` need a scope that covers reading.
//!
//! The first identity may be made by whoever has the machine already: over a connection from the loopback. Otherwise
//! whoever came first to a door that is open to a network would own it.
//!
//! Source: RFC 6750, §2.1 (the header) and §3 (the challenge).

use std::net::SocketAddr;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use quorate_runtime::Quorate;
use quorate_runtime::api::caller::Credential;
use quorate_runtime::api::ops::Operation;
use quorate_runtime::core::trust::identity::check::Need;
use quorate_runtime::error::{Error, ErrorKind};

use super::browsers::is_loopback_address;
use super::fields::header_text;
use super::places::Visitor;

/// The challenge of an answer to whoever is not known.
pub(super) const CHALLENGE: &str = "Bearer realm=\"quorate\"";

/// The user at the other end of a connection, where that is a socket in the file system.
#[cfg(unix)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(Option<u32>);

#[cfg(unix)]
impl Peer {
    /// Whom the system names.
    pub(super) fn of(connection: &dyn std::any::Any) -> Self {
        let socket = connection.downcast_ref::<actix_web::rt::net::UnixStream>();
        Peer(socket.and_then(|socket| socket.peer_cred().ok()).map(|peer| peer.uid()))
    }
}

/// Who sent a request without a token: the owner of the folder and the administrator of the machine, who can read it
/// anyway, are asked nothing; another user is the identity that has the user.
#[cfg(unix)]
fn by_peer(q: &Quorate, request: &HttpRequest) -> Result<Quorate, Error> {
    match request.conn_data::<Peer>() {
        Some(Peer(Some(uid))) if *uid == rustix::process::geteuid().as_raw() || *uid == 0 => Ok(q.clone()),
        Some(Peer(Some(uid))) => q.admit(Credential::Uid(*uid)),
        Some(Peer(None)) | None => q.admit(Credential::None),
    }
}

/// The key a client proved to have by its certificate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(pub(super) [u8; 32]);

#[cfg(not(unix))]
fn by_peer(q: &Quorate, _: &HttpRequest) -> Result<Quorate, Error> {
    q.admit(Credential::None)
}

/// The handle under which a request is served.
///
/// # Errors
/// `not_authenticated` when identities exist and the request proves none that is live.
pub(super) fn admit(q: &Quorate, request: &HttpRequest) -> Result<Quorate, Error> {
    if !q.knows_identities() {
        return Ok(q.clone());
    }
    let header = header_text(request.headers(), AUTHORIZATION.as_str()).map_err(|_| {
        Error::new(ErrorKind::NotAuthenticated, "one Authorization header is taken, as ASCII")
    })?;
    match header.as_deref().map(bearer) {
        None => match request.conn_data::<Key>() {
            Some(Key(key)) => q.admit(Credential::Key(*key)),
            None => by_peer(q, request),
        },
        Some(Some(token)) => q.admit(Credential::Token(token)),
        Some(None) => {
            let message = "the Authorization header is not Bearer TOKEN";
            Err(Error::new(ErrorKind::NotAuthenticated, message).with("missing", "credential"))
        }
    }
}

/// The token behind the scheme, whose name may be written in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The client of which a request is one: the identity it was admitted as, or the address of another machine. Programs of
/// this machine that say no name cannot be told from each other.
pub(super) fn client(q: &Quorate, request: &HttpRequest) -> Option<Visitor> {
    if let Some(name) = q.caller_name() {
        return Some(Visitor::Identity(name.clone()));
    }
    let peer = request.peer_addr()?.ip();
    (!is_loopback_address(peer)).then(|| Visitor::at(peer))
}

/// Whose turn it is to be told that it is not known.
pub(super) fn stranger(request: &HttpRequest) -> Visitor {
    let peer = request.peer_addr().map(|peer| peer.ip()).filter(|peer| !is_loopback_address(*peer));
    peer.map_or(Visitor::Unknown, Visitor::at)
}

/// Refuses the first identity to whoever is not on this machine.
///
/// # Errors
/// `not_authorized`.
pub(super) fn check_first(q: &Quorate, op: &Operation, peer: Option<SocketAddr>) -> Result<(), Error> {
    // Whoever has no address came over a socket in the file system.
    let is_near = peer.is_none_or(|peer| is_loopback_address(peer.ip()));
    if op.scope != Need::Admin || is_near || q.knows_identities() {
        return Ok(());
    }
    let message = "the first identity is made from this machine: over the loopback, or with --data";
    Err(Error::new(ErrorKind::NotAuthorized, message).with("missing", "owner"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_as_it_is_written() {
        for header in ["Bearer abc", "bearer abc", "BEARER   abc ", " Bearer abc"] {
            assert_eq!(bearer(header), Some("abc"), "{header}");
        }
        for header in ["", "Bearer", "Bearer ", "abc", "Basic abc", "Bearerabc"] {
            assert_eq!(bearer(header), None, "{header}");
        }
    }
}
