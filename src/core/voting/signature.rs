//! Keys, signatures, hashes and the one way to turn a value into the bytes that are hashed and signed.
//!
//! ```text
//!  value ──Canon──► bytes ──hash(domain)──► Digest          BLAKE3 in its mode for deriving keys: one domain a purpose
//!                     └───signed(domain)──► message ──► ed25519
//! ```
//!
//! *Canonical bytes.* Numbers are big-endian and of fixed width, texts and byte strings stand behind their length (four
//! bytes), fields in one order, the version of the layout and the number of the hash first. No two values have the same
//! bytes, and nothing depends on a library's way of writing maps.
//!
//! *What they prove.* A hash finds an accident, and a change by somebody who cannot compute it anew. It says nothing
//! about who wrote it; a signature does, and so does a handle, towards the one process that gave it out.
//!
//! Checking a signature reads only its arguments and always comes to the same result, so it stands in the core: what the
//! simulator and the properties run is what the runtime runs, and a certificate is checked by the same lines.
//!
//! # Source
//! RFC 8032 (Ed25519). J. O'Connor et al., *BLAKE3*, 2020, section 2.3 (`derive_key`). Chalkias, Garillot and Nikolaenko,
//! *Taming the many EdDSAs*, 2020: why keys of small order and second encodings are refused.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The number of BLAKE3-256 in canonical bytes, so that another hash can stand there one day.
pub const BLAKE3: u8 = 1;

/// What is hashed for, and what is signed for: a value of one purpose never passes for one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A vote in a session.
    Vote,
    /// A promise of a vote.
    Commit,
    /// Who may vote in a session.
    Electorate,
    /// What a session asks and by which rule.
    Terms,
    /// What a voter says about its vote.
    Reasoning,
    /// The handle of a voter.
    Handle,
    /// Two votes that contradict each other.
    Evidence,
    /// An operation that is decided about.
    Operation,
    /// A new key of a voter.
    Rotation,
    /// A place in a session that goes to another voter.
    Delegation,
}

impl Domain {
    /// The context string of the hash.
    pub fn context(self) -> &'static str {
        match self {
            Domain::Vote => "quorate session vote v1",
            Domain::Commit => "quorate session commit v1",
            Domain::Electorate => "quorate session electorate v1",
            Domain::Terms => "quorate session terms v1",
            Domain::Reasoning => "quorate session reasoning v1",
            Domain::Handle => "quorate voter handle v1",
            Domain::Evidence => "quorate session evidence v1",
            Domain::Operation => "quorate operation v1",
            Domain::Rotation => "quorate voter rotation v1",
            Domain::Delegation => "quorate session delegation v1",
        }
    }

    /// The hash of bytes for this purpose.
    pub fn hash(self, bytes: &[u8]) -> Digest {
        Digest(blake3::derive_key(self.context(), bytes))
    }

    /// What is signed of bytes for this purpose: the context, a zero byte, the bytes.
    pub fn message(self, bytes: &[u8]) -> Vec<u8> {
        [self.context().as_bytes(), &[0], bytes].concat()
    }
}

/// Bytes in the making. See the [module](self).
#[derive(Debug, Default)]
pub struct Canon(Vec<u8>);

impl Canon {
    /// Begins with the version of the layout and the number of the hash.
    pub fn new(version: u8) -> Self {
        Canon(vec![version, BLAKE3])
    }

    /// One byte.
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Four bytes.
    pub fn u32(self, value: u32) -> Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(self, value: u64) -> Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Eight bytes, two's complement.
    pub fn i64(self, value: i64) -> Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Bytes of a length that the layout knows.
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes behind their length.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        // Nothing that is hashed here is longer than a request may be.
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).fixed(bytes)
    }

    /// A text behind its length.
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// A byte that says whether there is something, and then that.
    pub fn maybe<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.u8(0),
            Some(value) => write(self.u8(1), value),
        }
    }

    /// How many there are, and then each.
    pub fn each<T>(
        self,
        items: impl ExactSizeIterator<Item = T>,
        write: impl FnMut(Self, T) -> Self,
    ) -> Self {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.fold(self.u32(count), write)
    }

    /// The bytes.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Why a text is not such bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected} hexadecimal digits in lower case, expected {expected} hexadecimal digits")]
pub struct BadHex {
    expected: usize,
}

fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], BadHex> {
    let refused = BadHex { expected: 2 * N };
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(refused),
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(refused);
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(out)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident: $len:literal, $stored:ty, $read:expr, $write:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// These bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                $name(bytes)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadHex;
            fn from_str(text: &str) -> Result<Self, BadHex> {
                from_hex(text).map($name)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let write: fn(&[u8; $len]) -> $stored = $write;
                match s.is_human_readable() {
                    true => s.collect_str(self),
                    false => write(&self.0).serialize(s),
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let read: fn($stored) -> [u8; $len] = $read;
                match d.is_human_readable() {
                    true => String::deserialize(d)?.parse().map_err(D::Error::custom),
                    false => <$stored>::deserialize(d).map(read).map($name),
                }
            }
        }
    };
}

bytes_type! {
    /// A hash for one purpose.
    Digest: 32, [u8; 32], |bytes| bytes, |bytes| *bytes
}
bytes_type! {
    /// An Ed25519 key by which signatures are checked.
    PublicKey: 32, [u8; 32], |bytes| bytes, |bytes| *bytes
}
bytes_type! {
    /// An Ed25519 signature.
    Signature: 64, ([u8; 32], [u8; 32]), joined, halved
}

fn joined((left, right): ([u8; 32], [u8; 32])) -> [u8; 64] {
    std::array::from_fn(|i| if i < 32 { left[i] } else { right[i - 32] })
}

fn halved(bytes: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    (std::array::from_fn(|i| bytes[i]), std::array::from_fn(|i| bytes[i + 32]))
}

/// Why a key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// No point of the curve has this encoding.
    #[error("no point of the curve")]
    NoPoint,
    /// The point has another, shorter encoding.
    #[error("not the canonical encoding of a point")]
    NotCanonical,
    /// One signature fits every message under such a key.
    #[error("a point of small order, under which one signature fits many messages")]
    Weak,
}

impl PublicKey {
    /// Can signatures be trusted under this key?
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn check(&self) -> Result<(), BadKey> {
        self.verifying().map(drop)
    }

    fn verifying(&self) -> Result<VerifyingKey, BadKey> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadKey::NoPoint)?;
        // 2^255 - 19 and above stand for a smaller number a second time.
        let [first, middle @ .., last] = &self.0;
        if *first >= 0xed && middle.iter().all(|byte| *byte == 0xff) && last & 0x7f == 0x7f {
            return Err(BadKey::NotCanonical);
        }
        if key.is_weak() { Err(BadKey::Weak) } else { Ok(key) }
    }

    /// Was the message signed by the holder of this key? Strictly: one message, one key, one answer on every machine.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.verifying().is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

#[cfg(test)]
#[path = "signature_test.rs"]
mod tests;
