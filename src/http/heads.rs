//! Follows where the head of a request begins and ends on a connection, and finds what is too long in it.
//!
//! ```text
//!  ┌──► head ──blank line──► body of so many bytes ──┐
//!  │     │  └──────────────► chunks, trailers ───────┤
//!  │     ▼                                           │
//!  │  target too long, name too long                 │
//!  └─────────────────────────────────────────────────┘
//! ```
//!
//! The server below the door says 400 to an address that is longer than it keeps, as to what is no HTTP at all, and has no answer
//! to the name of a header that is longer than it keeps: there it panics (actix-http 3.20, `h1/decoder.rs`, `set_headers`). So
//! such a name is broken on its way in, by a byte that no name has, and refused like any other that is none.
//!
//! Source: RFC 9112, sections 3, 6.3 and 7.1; RFC 9110, section 15.5.15 (414); RFC 6585, section 5 (431).

/// Most bytes of the address in the first line of a request: path and query.
pub(super) const TARGET: usize = 65_534;
/// Most bytes of the name of a header.
pub(super) const NAME: usize = 65_535;
/// Bytes of a line that are kept: as many as a line has that says how long the body is.
const KEPT: usize = 256;

/// What is too long in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooLong {
    /// The address in the first line.
    Target,
    /// The name of a header.
    Name,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the first line of a head, or before it.
    First,
    /// In a later one.
    Header,
    /// In a body, or a part of one, of which so many bytes are to come.
    Body { left: u64, chunked: bool },
    /// In the line that says how long a part of a body is.
    Chunk,
    /// Behind the last part of a body.
    Trailer,
    /// Behind something that has no end, or cannot be followed.
    Lost,
}

/// The heads of the requests of one connection.
#[derive(Debug)]
pub(super) struct Heads {
    at: At,
    /// The first bytes of the line, and how long it is so far.
    line: Vec<u8>,
    length: usize,
    /// Of a header: its name has ended.
    named: bool,
    /// What the head said of the body.
    body: Option<u64>,
    chunked: bool,
    tunnel: bool,
    /// Found in the last head there is.
    too_long: Option<TooLong>,
}

impl Default for Heads {
    fn default() -> Self {
        Heads {
            at: At::First,
            line: Vec::new(),
            length: 0,
            named: false,
            body: None,
            chunked: false,
            tunnel: false,
            too_long: None,
        }
    }
}

impl Heads {
    /// What is too long in a head.
    pub(super) fn too_long(&self) -> Option<TooLong> {
        self.too_long
    }

    /// Follows what was read. A name that is too long is broken in it.
    pub(super) fn read(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            match self.at {
                At::Lost => return,
                At::Body { left, chunked } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &mut bytes[here..];
                    let left = left.saturating_sub(here as u64);
                    self.at = match (left, chunked) {
                        (0, true) => At::Chunk,
                        (0, false) => At::First,
                        _ => At::Body { left, chunked },
                    };
                }
                At::First | At::Header | At::Chunk | At::Trailer => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (part, rest) = bytes.split_at_mut(end.map_or(bytes.len(), |end| end + 1));
                    self.grow(part);
                    if end.is_some() {
                        self.end_line();
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// Takes a part of a line.
    fn grow(&mut self, part: &mut [u8]) {
        if self.at == At::Header && !self.named {
            let colon = part.iter().position(|byte| *byte == b':');
            self.named = colon.is_some();
            let ends = colon.unwrap_or(part.len());
            if self.length + ends > NAME
                && let Some(byte) = part.get_mut(ends.saturating_sub(1))
            {
                *byte = 0;
                self.too_long = Some(TooLong::Name);
                self.at = At::Lost;
            }
        }
        let kept = KEPT.saturating_sub(self.line.len()).min(part.len());
        self.line.extend_from_slice(&part[..kept]);
        self.length += part.len();
        if self.at == At::First {
            let version = " HTTP/1.1\r\n".len();
            let method = self.line.iter().position(|byte| *byte == b' ').map_or(0, |space| space + 1);
            if self.length.saturating_sub(method + version) > TARGET {
                self.too_long = Some(TooLong::Target);
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        (self.length, self.named) = (0, false);
        let text = line.trim_ascii();
        match self.at {
            At::First if text.is_empty() => {}
            // With it the connection ends.
            At::First if self.too_long.is_some() => self.at = At::Lost,
            At::First => {
                (self.body, self.chunked, self.tunnel) = (None, false, text.starts_with(b"CONNECT "));
                self.at = At::Header;
            }
            At::Header if text.is_empty() => self.at = self.behind_head(),
            At::Header => self.header(text),
            At::Chunk => {
                let size = text.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(size.trim_ascii()).ok();
                self.at = match size.and_then(|size| u64::from_str_radix(size, 16).ok()) {
                    Some(0) => At::Trailer,
                    // With the end of the line behind it.
                    Some(size) => At::Body { left: size.saturating_add(2), chunked: true },
                    None => At::Lost,
                };
            }
            At::Trailer if text.is_empty() => self.at = At::First,
            At::Trailer | At::Lost | At::Body { .. } => {}
        }
    }

    fn header(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            self.body = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = value.to_ascii_lowercase().ends_with(b"chunked");
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.tunnel = true;
        }
    }

    fn behind_head(&self) -> At {
        match (self.tunnel, self.chunked, self.body) {
            (true, _, _) => At::Lost,
            (false, true, _) => At::Chunk,
            (false, false, None | Some(0)) => At::First,
            (false, false, Some(left)) => At::Body { left, chunked: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found too long when these bytes come in parts of this size, and what is handed on.
    fn found(text: &str, at_once: usize) -> (Option<TooLong>, Vec<u8>, At) {
        let (mut heads, mut out) = (Heads::default(), Vec::new());
        for part in text.as_bytes().chunks(at_once) {
            let mut part = part.to_vec();
            heads.read(&mut part);
            out.extend(part);
        }
        (heads.too_long(), out, heads.at)
    }

    const SIZES: [usize; 5] = [1, 7, 1_000, 65_536, 1 << 20];

    #[test]
    fn an_address_is_too_long_by_one_byte_and_not_before() {
        for size in SIZES {
            let text = |length| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(length - 1));
            assert_eq!(found(&text(TARGET), size), (None, text(TARGET).into_bytes(), At::First));
            let long = text(TARGET + 1) + &text(1);
            let expected = (Some(TooLong::Target), long.clone().into_bytes(), At::Lost);
            assert_eq!(found(&long, size), expected);
        }
        // Before its line has an end.
        assert_eq!(found(&format!("GET /{}", "a".repeat(70_000)), 4_096).0, Some(TooLong::Target));
    }

    #[test]
    fn a_name_is_too_long_by_one_byte_and_broken_only_then() {
        for size in SIZES {
            let text = |length: usize| format!("GET / HTTP/1.1\r\n{}: x\r\n\r\n", "n".repeat(length));
            assert_eq!(found(&text(NAME), size), (None, text(NAME).into_bytes(), At::First));
            let (too_long, out, _) = found(&text(NAME + 1), size);
            assert_eq!((too_long, out.contains(&0)), (Some(TooLong::Name), true), "{size}");
        }
    }

    #[test]
    fn no_byte_of_a_body_is_taken_for_a_head() {
        let long = "n".repeat(NAME + 9);
        let sized = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n\n{long}", long.len() + 1);
        let parts = format!("{:x};x=y\r\n\n{long}\r\n3\r\n\n\n\n\r\n0\r\nt: u\r\n\r\n", long.len() + 1);
        let chunked = format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{parts}");
        let next = format!("\r\nGET /{} HTTP/1.1\r\n", "a".repeat(TARGET));
        for size in SIZES {
            for body in [&sized, &chunked] {
                assert_eq!(found(body, size), (None, body.clone().into_bytes(), At::First));
                assert_eq!(found(&format!("{body}{next}"), size).0, Some(TooLong::Target));
            }
            let tunnel = format!("GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n{next}");
            assert_eq!(found(&tunnel, size), (None, tunnel.clone().into_bytes(), At::Lost));
        }
    }
}
