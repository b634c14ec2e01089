//! One datagram as it goes over the wire: who may read it, and that nobody changed it.
//!
//! ```text
//!  0        1        5                                29                              end − 16
//!  ┌────────┬────────┬────────────────────────────────┬─────────────────────────────────┬────────┐
//!  │version │ key id │ nonce                          │ sealed                          │ tag    │
//!  │ u8 = 1 │ 4      │ life 8, number u64, salt 8     │ XChaCha20                       │Poly1305│
//!  └────────┴────────┴────────────────────────────────┴─────────────────────────────────┴────────┘
//!  sealed   to 8 (the life it is meant for, 0 for none) · kind u8 (0 greeting, 1 message)
//!           keys u8 and 4 each (what the sender can open) · address u8 and its bytes (where the sender is reached) · message
//! ```
//!
//! The tag covers all that stands in front of it. A node lives from its start to its end, and draws a name for that life; the number counts its
//! datagrams; the salt is drawn for each, so that a copy of a whole machine, which goes on with the same life and number,
//! still never seals two texts with one nonce. The address that the network names as the sender is not looked at anywhere.
//!
//! # Source
//! S. Arciszewski, *XChaCha: eXtended-nonce ChaCha and AEAD_XChaCha20_Poly1305*, draft-irtf-cfrg-xchacha-03.

use chacha20poly1305::{AeadInOut, Tag, XNonce};

use super::ring::{KeyId, KeyRing, MAX_KEYS};
use quorate_core::network::member::{Address, DATAGRAM_BYTES};

/// The version that is written, and the only one that is read.
const VERSION: u8 = 1;
const HEAD: usize = 1 + 4 + NONCE;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Longest address of a node: an IPv6 address with a port.
pub(crate) const MAX_ADDRESS_BYTES: usize = 64;
/// Longest datagram on the wire, in bytes: it passes an Ethernet in one piece, also with IPv6.
pub const MAX_SEALED_BYTES: usize = 1_452;
const MIN_SEALED_BYTES: usize = HEAD + 8 + 1 + 1 + 1 + TAG;
const _: () = assert!(
    HEAD + 8 + 1 + 1 + 4 * MAX_KEYS + 1 + MAX_ADDRESS_BYTES + DATAGRAM_BYTES + TAG <= MAX_SEALED_BYTES
);

/// Why bytes were dropped. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SealError {
    /// Longer than any datagram.
    #[error("datagram is too long")]
    TooLong,
    /// Shorter than any datagram.
    #[error("datagram is too short")]
    TooShort,
    /// Another version.
    #[error("datagram has an unknown version")]
    Version,
    /// Sealed with a key that is not in the ring.
    #[error("datagram is sealed with an unknown key")]
    UnknownKey,
    /// It is not what somebody with the key sealed.
    #[error("datagram was not sealed with its key")]
    Forged,
    /// Somebody with the key sealed what is no datagram.
    #[error("datagram holds none")]
    Malformed,
    /// It came before, or is too old to tell.
    #[error("datagram came before")]
    Replayed,
    /// It comes from a life of its sender that is over.
    #[error("datagram comes from a life that is over")]
    Ended,
    /// It was meant for somebody else, or for an earlier life of this node.
    #[error("datagram is not meant for this life")]
    Unbound,
    /// This node sent it itself.
    #[error("datagram came back to its sender")]
    Reflected,
}

impl SealError {
    /// The class it is counted under.
    pub fn name(self) -> &'static str {
        match self {
            SealError::TooLong => "too_long",
            SealError::TooShort => "too_short",
            SealError::Version => "version",
            SealError::UnknownKey => "unknown_key",
            SealError::Forged => "forged",
            SealError::Malformed => "malformed",
            SealError::Replayed => "replayed",
            SealError::Ended => "ended",
            SealError::Unbound => "unbound",
            SealError::Reflected => "reflected",
        }
    }
}

/// A datagram that somebody with a key sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// The key it was sealed with.
    pub key: KeyId,
    /// The life of its sender.
    pub life: u64,
    /// Which datagram of that life it is.
    pub number: u64,
    /// The life it is meant for; 0 for none.
    pub to: u64,
    /// The keys that its sender can open.
    pub keys: Vec<KeyId>,
    /// Where its sender is reached.
    pub address: Address,
    /// What it says; nothing in a greeting.
    pub message: Option<Vec<u8>>,
}

impl Sealed {
    /// The bytes on the wire, sealed with a key of this ring; `None` where the ring does not have it, or they would be too
    /// many.
    pub fn seal(&self, ring: &KeyRing, salt: u64) -> Option<Vec<u8>> {
        let cipher = ring.cipher(self.key)?;
        let mut out = Vec::with_capacity(MAX_SEALED_BYTES);
        out.push(VERSION);
        out.extend(self.key.0);
        out.extend(self.life.to_be_bytes());
        out.extend(self.number.to_be_bytes());
        out.extend(salt.to_be_bytes());
        out.extend(self.to.to_be_bytes());
        out.push(u8::from(self.message.is_some()));
        out.push(u8::try_from(self.keys.len()).ok()?);
        self.keys.iter().for_each(|key| out.extend(key.0));
        out.push(u8::try_from(self.address.as_str().len()).ok()?);
        out.extend(self.address.as_str().bytes());
        out.extend(self.message.iter().flatten());
        if out.len() + TAG > MAX_SEALED_BYTES {
            return None;
        }
        let (head, text) = out.split_at_mut(HEAD);
        let tag = cipher.encrypt_inout_detached(&nonce(head), head, text.into()).ok()?;
        out.extend(tag);
        Some(out)
    }

    /// Opens what came over the wire. Nothing but the key is known of whoever sealed it, and it may have come before.
    ///
    /// # Errors
    /// [`SealError`] for whatever nobody with a key of this ring sealed.
    pub fn open(ring: &KeyRing, bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() > MAX_SEALED_BYTES {
            return Err(SealError::TooLong);
        }
        if bytes.len() < MIN_SEALED_BYTES {
            return Err(SealError::TooShort);
        }
        if bytes[0] != VERSION {
            return Err(SealError::Version);
        }
        let Some((rest, tag)) = bytes.split_last_chunk::<TAG>() else { return Err(SealError::TooShort) };
        let tag = *tag;
        let (head, text) = rest.split_at(HEAD);
        let key = KeyId([head[1], head[2], head[3], head[4]]);
        let cipher = ring.cipher(key).ok_or(SealError::UnknownKey)?;
        let mut text = text.to_vec();
        cipher
            .decrypt_inout_detached(&nonce(head), head, text.as_mut_slice().into(), &Tag::from(tag))
            .map_err(|_| SealError::Forged)?;
        let (life, number) = (number_at(head, 5), number_at(head, 13));
        let read = Reader(&text).sealed(key, life, number);
        read.ok_or(SealError::Malformed)
    }
}

fn nonce(head: &[u8]) -> XNonce {
    let mut nonce = [0; NONCE];
    nonce.copy_from_slice(&head[HEAD - NONCE..]);
    nonce.into()
}

fn number_at(head: &[u8], at: usize) -> u64 {
    head[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn sealed(mut self, key: KeyId, life: u64, number: u64) -> Option<Sealed> {
        let to = self.take(8).map(|taken| number_at(taken, 0))?;
        let kind = self.u8()?;
        let count = usize::from(self.u8()?);
        if count > MAX_KEYS || life == 0 {
            return None;
        }
        let ids = self.take(4 * count)?;
        let keys = ids.chunks_exact(4).map(|id| KeyId([id[0], id[1], id[2], id[3]])).collect();
        let length = usize::from(self.u8()?);
        if length > MAX_ADDRESS_BYTES {
            return None;
        }
        let address = Address::new(std::str::from_utf8(self.take(length)?).ok()?).ok()?;
        let message = match kind {
            0 if self.0.is_empty() => None,
            1 => Some(self.0.to_vec()),
            _ => return None,
        };
        Some(Sealed { key, life, number, to, keys, address, message })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring() -> KeyRing {
        KeyRing::of(&[[1; 32], [2; 32]]).unwrap()
    }

    fn sealed(key: usize, message: Option<Vec<u8>>) -> Sealed {
        let keys: Vec<KeyId> = ring().ids().collect();
        let address = Address::new("127.0.0.1:7946").unwrap();
        Sealed { key: keys[key], life: 7, number: 3, to: 9, keys, address, message }
    }

    #[test]
    fn the_longest_message_fits_with_the_longest_address_and_most_keys() {
        let secrets: Vec<[u8; 32]> = (0..8).map(|n| [n; 32]).collect();
        let ring = KeyRing::of(&secrets).unwrap();
        let keys: Vec<KeyId> = ring.ids().collect();
        let address = Address::new("x".repeat(MAX_ADDRESS_BYTES)).unwrap();
        let message = Some(vec![5; DATAGRAM_BYTES]);
        let sealed = Sealed { key: keys[3], keys, address, message, ..sealed(0, None) };
        let bytes = sealed.seal(&ring, 1).unwrap();
        assert!(bytes.len() <= MAX_SEALED_BYTES);
        assert_eq!(Sealed::open(&ring, &bytes), Ok(sealed));
    }

    /// The nonce of a copied machine differs by its salt alone.
    #[test]
    fn the_same_datagram_with_another_salt_is_other_bytes_all_over() {
        let one = sealed(0, Some(vec![0; 64]));
        let (a, b) = (one.seal(&ring(), 1).unwrap(), one.seal(&ring(), 2).unwrap());
        assert_ne!(a[HEAD..HEAD + 16], b[HEAD..HEAD + 16]);
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(
            key in 0_usize..2, to in any::<u64>(), number in any::<u64>(), salt in any::<u64>(),
            message in prop::option::of(prop::collection::vec(any::<u8>(), 0..DATAGRAM_BYTES)),
        ) {
            let sealed = Sealed { to, number, ..sealed(key, message) };
            let bytes = sealed.seal(&ring(), salt).unwrap();
            prop_assert_eq!(Sealed::open(&ring(), &bytes), Ok(sealed));
        }

        #[test]
        fn bytes_of_any_kind_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(Sealed::open(&ring(), &bytes).is_err());
        }

        /// Version, key and nonce are right, and nothing else is.
        #[test]
        fn a_good_head_before_any_bytes_opens_nothing(text in prop::collection::vec(any::<u8>(), 0..1_500)) {
            let mut bytes = sealed(0, None).seal(&ring(), 1).unwrap();
            bytes.truncate(HEAD);
            bytes.extend(text);
            prop_assert!(Sealed::open(&ring(), &bytes).is_err());
        }

        #[test]
        fn a_changed_byte_or_another_length_opens_nothing(
            message in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
            at in any::<prop::sample::Index>(), flip in 1_u8..=255, cut in 1_usize..40, longer in any::<bool>(),
        ) {
            let bytes = sealed(0, message).seal(&ring(), 1).unwrap();
            let mut changed = bytes.clone();
            let at = at.index(changed.len());
            changed[at] ^= flip;
            prop_assert!(Sealed::open(&ring(), &changed).is_err());
            let mut other = bytes;
            if longer { other.extend(vec![0; cut]) } else { other.truncate(other.len() - cut) }
            prop_assert!(Sealed::open(&ring(), &other).is_err());
        }

        /// What somebody with the key seals need not be a datagram.
        #[test]
        fn sealed_nonsense_is_malformed_or_read(text in prop::collection::vec(any::<u8>(), 11..1_000)) {
            let mut bytes = sealed(0, None).seal(&ring(), 1).unwrap();
            bytes.truncate(HEAD);
            let mut text = text;
            let ring = ring();
            let cipher = ring.cipher(ring.ids().next().unwrap()).unwrap();
            let tag = cipher.encrypt_inout_detached(&nonce(&bytes), &bytes, text.as_mut_slice().into()).unwrap();
            bytes.extend(text);
            bytes.extend(tag);
            match Sealed::open(&ring, &bytes) {
                Ok(read) => prop_assert!(read.address.as_str().len() <= MAX_ADDRESS_BYTES),
                Err(error) => prop_assert_eq!(error, SealError::Malformed),
            }
        }
    }
}
