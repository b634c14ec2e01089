//! The refusals that the server below the door gives by itself, in the form of every other.
//!
//! ```text
//!  server ── HTTP/1.1 431 …, content-length: 0 ──► Told ── the same, with the JSON error as its body ──► socket
//! ```
//!
//! A request of which the head cannot be read, is too large or does not come reaches no door: the server answers with a
//! bare status and closes. Here the status gets its body on its way out, and says what is too long ([`heads`](super::heads)).
//! Everything else passes as it is.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::heads::{Heads, NAME, TARGET, TooLong};
use super::places::Spot;
use super::reply;
use super::sockets::Ended;
use quorate_runtime::error::{Error, ErrorKind};

/// The longest head of such an answer.
const HEAD: usize = 256;
/// Most bytes of the head of a request.
const REQUEST_HEAD: usize = 131_072;
/// Most headers of a request.
const HEADERS: usize = 96;

/// A connection on which no refusal is bare.
#[derive(Debug)]
pub(super) struct Told<T> {
    io: T,
    heads: Heads,
    ended: Arc<Ended>,
    /// How long a client may take to send the head of a request.
    head_ms: u128,
    /// An answer of our own, and how much of it is sent.
    own: Vec<u8>,
    sent: usize,
    /// Its place among the connections of its client.
    _place: Spot,
}

impl<T> Told<T> {
    pub(super) fn new(io: T, head_ms: u128, place: Spot) -> Self {
        Told {
            io,
            heads: Heads::default(),
            ended: Arc::default(),
            head_ms,
            own: Vec::new(),
            sent: 0,
            _place: place,
        }
    }

    /// The connection below.
    pub(super) fn below(&self) -> &T {
        &self.io
    }

    /// Whether whoever is at its other end sends nothing more.
    pub(super) fn ended(&self) -> Arc<Ended> {
        self.ended.clone()
    }
}

impl<T: AsyncWrite + Unpin> Told<T> {
    /// Sends what is left of an answer of our own.
    fn send_own(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.own.len() {
            let sent = ready!(Pin::new(&mut self.io).poll_write(context, &self.own[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Told<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(context, into));
        if read.is_err() || (into.filled().len() == before && into.remaining() > 0) {
            self.ended.end();
        }
        self.heads.read(&mut into.filled_mut()[before..]);
        Poll::Ready(read)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Told<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.send_own(context))?;
        match bare(bytes) {
            None => Pin::new(&mut self.io).poll_write(context, bytes),
            // What stands before it goes out first.
            Some((at, _)) if at > 0 => Pin::new(&mut self.io).poll_write(context, &bytes[..at]),
            Some((_, status)) => {
                (self.own, self.sent) = (answer(told(status, self.heads.too_long()), bytes, self.head_ms), 0);
                // What cannot be sent now goes with the flush that follows.
                if let Poll::Ready(Err(error)) = self.send_own(context) {
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send_own(context))?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send_own(context))?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// Where a bare refusal begins that is the last thing in these bytes, and its status. An answer of the door has a body, and
/// its bytes do not end like a head.
fn bare(bytes: &[u8]) -> Option<(usize, StatusCode)> {
    let head = bytes.strip_suffix(b"\r\n\r\n")?;
    let from = head.len().saturating_sub(HEAD);
    let begins = head[from..].windows(9).rposition(|window| window == b"HTTP/1.1 ")? + from;
    let text = std::str::from_utf8(&head[begins..]).ok()?;
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
    let mut is_empty = false;
    for line in lines {
        match line.to_ascii_lowercase().as_str() {
            "content-length: 0" => is_empty = true,
            "connection: close" => {}
            other if other.starts_with("date: ") => {}
            _ => return None,
        }
    }
    (is_empty && (status.is_client_error() || status.is_server_error())).then_some((begins, status))
}

/// The whole answer to a connection for which there is no place.
pub(super) fn no_place(error: &Error) -> Vec<u8> {
    let body = reply::form(error).to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: {length}\r\n\
         content-type: application/json\r\ncache-control: no-store\r\n\r\n{body}"
    )
    .into_bytes()
}

/// What a refusal of a head is called, of which this is too long.
fn told(status: StatusCode, too_long: Option<TooLong>) -> (StatusCode, Option<TooLong>) {
    let of_the_head = matches!(status, StatusCode::BAD_REQUEST | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    match too_long.filter(|_| of_the_head) {
        Some(TooLong::Target) => (StatusCode::URI_TOO_LONG, too_long),
        Some(TooLong::Name) => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, too_long),
        None => (status, None),
    }
}

/// The same refusal with its body, under this status.
fn answer(told: (StatusCode, Option<TooLong>), head: &[u8], head_ms: u128) -> Vec<u8> {
    let (status, too_long) = told;
    let body = reply::form(&error(status, too_long, head_ms)).to_string();
    let kept = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let kept = String::from_utf8_lossy(kept);
    let lines = kept.split("\r\n").skip(1);
    let head: Vec<&str> =
        lines.filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")).collect();
    let length = body.len();
    let own = format!(
        "HTTP/1.1 {status}\r\n{}\r\ncontent-length: {length}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\r\n{body}",
        head.join("\r\n")
    );
    own.into_bytes()
}

fn error(status: StatusCode, too_long: Option<TooLong>, head_ms: u128) -> Error {
    let malformed = |message: String| Error::new(ErrorKind::MalformedRequest, message);
    let large = |what: &str, limit: usize| {
        let message = format!("{what} is too long. limit={limit} bytes");
        Error::new(ErrorKind::PayloadTooLarge, message).with("limit", limit)
    };
    match status {
        StatusCode::REQUEST_TIMEOUT => {
            let message = format!("the head of the request did not arrive in time. limit_ms={head_ms}");
            let error = Error::new(ErrorKind::RequestTimeout, message);
            error.with("limit_ms", u64::try_from(head_ms).unwrap_or(u64::MAX))
        }
        StatusCode::URI_TOO_LONG => large("the address of the request, path and query,", TARGET),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if too_long == Some(TooLong::Name) => {
            large("the name of a header", NAME)
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let message = format!(
                "the head of the request is too large: its first line and its headers. limit={REQUEST_HEAD} bytes, \
                 {HEADERS} headers"
            );
            let error = Error::new(ErrorKind::PayloadTooLarge, message);
            error.with("limit", REQUEST_HEAD).with("max_headers", HEADERS)
        }
        status if status.is_server_error() => {
            Error::new(ErrorKind::StoreError, format!("the server cannot answer. status={}", status.as_u16()))
        }
        _ => malformed(
            "what was sent is no HTTP/1.1 request: the first line, a header, or what it says of its length cannot be read"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\
                        date: Sun, 29 Nov 2026 16:29:25 GMT\r\n\r\n";
    const FULL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    /// What arrives of these writes at the other end of a pipe that takes so many bytes at a time.
    async fn sent(writes: &[&str], at_once: usize) -> String {
        let (near, mut far) = tokio::io::duplex(at_once);
        let read = tokio::spawn(async move {
            let mut text = String::new();
            far.read_to_string(&mut text).await.unwrap();
            text
        });
        let mut told = Told::new(near, 10_000, Places::default().connect(None, 1).unwrap());
        for write in writes {
            told.write_all(write.as_bytes()).await.unwrap();
        }
        told.flush().await.unwrap();
        told.shutdown().await.unwrap();
        drop(told);
        read.await.unwrap()
    }

    #[tokio::test]
    async fn a_bare_refusal_gets_its_body_wherever_it_stands_and_however_little_goes_out_at_once() {
        for at_once in [1, 7, 64, 100_000] {
            let both = format!("{FULL}{BARE}");
            for writes in [&[both.as_str()][..], &[FULL, BARE]] {
                let out = sent(writes, at_once).await;
                let own = out.strip_prefix(FULL).unwrap();
                let (head, body) = own.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with("HTTP/1.1 431 ") && head.contains("\r\ndate: "), "{head}");
                assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["error"]["kind"], "payload_too_large");
                assert_eq!(body["error"]["limit"], 131_072);
            }
        }
    }

    #[tokio::test]
    async fn everything_else_passes_as_it_is() {
        let empty = "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";
        let own = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nx-own: 1\r\n\r\n";
        let body = "HTTP/1.1 400 Bad Request\r\ncontent-length: 24\r\n\r\ncontent-length: 0\r\n\r\n\r\n\r\n";
        for writes in [&[FULL][..], &[empty], &[own], &[body], &["", "\r\n\r\n"]] {
            assert_eq!(sent(writes, 100_000).await, writes.concat());
        }
    }

    #[test]
    fn every_status_has_a_kind_and_says_what_is_wrong() {
        for (status, kind) in [
            (StatusCode::BAD_REQUEST, "malformed_request"),
            (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            (StatusCode::URI_TOO_LONG, "payload_too_large"),
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "payload_too_large"),
            (StatusCode::INTERNAL_SERVER_ERROR, "store_error"),
        ] {
            assert_eq!(error(status, None, 10_000).kind().name(), kind, "{status}");
        }
        assert!(error(StatusCode::REQUEST_TIMEOUT, None, 10_000).message().ends_with("limit_ms=10000"));
    }
}
