//! One connection between two nodes, as bytes: who may read it, and that nothing is changed, left out, repeated or put in.
//!
//! ```text
//!  hello     caller → called   "QJ" · version u8 = 2 · key id 4 · random 24
//!  welcome   called → caller   random 24
//!  frames    both ways         length u32 · XChaCha20 of that many bytes · Poly1305 16
//! ```
//!
//! Each direction has a key of its own, made of the key of the ring and both random numbers; the number of the frame is the nonce, and
//! the length is covered by the tag. So a frame fits one place of one connection, and who has no key says nothing. The first
//! frame of the caller holds its name.
//!
//! # Source
//! T. Perrin, *The Noise Protocol Framework*, revision 34, 2018 (the pattern NNpsk0 without the Diffie-Hellman: a key that becomes
//! known opens what was recorded under it, as with the datagrams of the same ring).

use chacha20poly1305::{AeadInOut, Tag, XChaCha20Poly1305, XNonce};

use super::ring::{KeyId, KeyRing};

/// Longest text of a frame: a job with all it may hold.
pub(crate) const MAX_FRAME_BYTES: usize = 4 << 20;
pub(crate) const HELLO_BYTES: usize = 3 + 4 + RANDOM;
pub(crate) const RANDOM: usize = 24;
pub(crate) const LENGTH: usize = 4;
const TAG: usize = 16;
const MAGIC: [u8; 3] = [b'Q', b'J', 2];

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum FrameError {
    /// It begins otherwise than those of this version.
    #[error("connection does not begin as one of this version")]
    Version,
    /// It is sealed with a key that is not in the ring, or not any more.
    #[error("connection is sealed with a key that is not in the ring")]
    UnknownKey,
    /// A frame is longer than any.
    #[error("frame is too long")]
    TooLong,
    /// A frame is shorter than any.
    #[error("frame is too short")]
    TooShort,
    /// It is not what the other end sealed at this place.
    #[error("frame was not sealed by the other end for this place")]
    Forged,
    /// It holds no message, or one of somebody else.
    #[error("frame holds no message of its sender")]
    Malformed,
}

impl FrameError {
    /// The class it is counted under.
    pub(crate) fn name(self) -> &'static str {
        match self {
            FrameError::Version => "frame_version",
            FrameError::UnknownKey => "frame_unknown_key",
            FrameError::TooLong => "frame_too_long",
            FrameError::TooShort => "frame_too_short",
            FrameError::Forged => "frame_forged",
            FrameError::Malformed => "frame_malformed",
        }
    }
}

/// The first bytes of a caller.
pub(crate) fn hello(key: KeyId, random: &[u8; RANDOM]) -> [u8; HELLO_BYTES] {
    let mut bytes = [0; HELLO_BYTES];
    bytes[..3].copy_from_slice(&MAGIC);
    bytes[3..7].copy_from_slice(&key.0);
    bytes[7..].copy_from_slice(random);
    bytes
}

/// The key that a caller names, and its random number.
pub(crate) fn read_hello(bytes: &[u8; HELLO_BYTES]) -> Result<(KeyId, [u8; RANDOM]), FrameError> {
    if bytes[..3] != MAGIC {
        return Err(FrameError::Version);
    }
    let mut random = [0; RANDOM];
    random.copy_from_slice(&bytes[7..]);
    Ok((KeyId([bytes[3], bytes[4], bytes[5], bytes[6]]), random))
}

/// One direction of one connection.
pub(crate) struct Direction {
    cipher: XChaCha20Poly1305,
    /// Frames so far.
    frames: u64,
}

/// Both directions of a connection under a key of the ring: from the caller, and to it.
pub(crate) fn directions(
    ring: &KeyRing,
    key: KeyId,
    caller: &[u8; RANDOM],
    called: &[u8; RANDOM],
) -> Result<(Direction, Direction), FrameError> {
    let (from, to) = ring.session(key, caller, called).ok_or(FrameError::UnknownKey)?;
    Ok((Direction { cipher: from, frames: 0 }, Direction { cipher: to, frames: 0 }))
}

impl Direction {
    fn nonce(&mut self) -> XNonce {
        let mut nonce = [0; 24];
        nonce[..8].copy_from_slice(&self.frames.to_be_bytes());
        // A connection that has sent so many frames has lived for longer than any machine.
        self.frames = self.frames.saturating_add(1);
        nonce.into()
    }

    /// The next frame of this direction.
    pub(crate) fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, FrameError> {
        if text.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLong);
        }
        let length = u32::try_from(text.len() + TAG).map_err(|_| FrameError::TooLong)?.to_be_bytes();
        let mut out = Vec::with_capacity(LENGTH + text.len() + TAG);
        out.extend(length);
        out.extend(text);
        let nonce = self.nonce();
        let (head, sealed) = out.split_at_mut(LENGTH);
        let tag = self.cipher.encrypt_inout_detached(&nonce, head, sealed.into());
        out.extend(tag.map_err(|_| FrameError::TooLong)?);
        Ok(out)
    }

    /// How many bytes stand behind these of a length.
    pub(crate) fn length(head: [u8; LENGTH]) -> Result<usize, FrameError> {
        let length = usize::try_from(u32::from_be_bytes(head)).map_err(|_| FrameError::TooLong)?;
        match length {
            0..TAG => Err(FrameError::TooShort),
            length if length > MAX_FRAME_BYTES + TAG => Err(FrameError::TooLong),
            length => Ok(length),
        }
    }

    /// The text of the next frame of this direction.
    pub(crate) fn open(&mut self, head: [u8; LENGTH], sealed: &[u8]) -> Result<Vec<u8>, FrameError> {
        let Some((text, tag)) = sealed.split_last_chunk::<TAG>() else { return Err(FrameError::TooShort) };
        let (mut text, tag) = (text.to_vec(), Tag::from(*tag));
        let nonce = self.nonce();
        self.cipher
            .decrypt_inout_detached(&nonce, &head, text.as_mut_slice().into(), &tag)
            .map_err(|_| FrameError::Forged)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(ring: &KeyRing) -> ((Direction, Direction), (Direction, Direction)) {
        let key = ring.ids().next().unwrap();
        let (caller, called) = ([1; RANDOM], [2; RANDOM]);
        let bytes = hello(key, &caller);
        let (named, random) = read_hello(&bytes).unwrap();
        let at_caller = directions(ring, key, &caller, &called).unwrap();
        let at_called = directions(ring, named, &random, &called).unwrap();
        (at_caller, at_called)
    }

    fn open(direction: &mut Direction, frame: &[u8]) -> Result<Vec<u8>, FrameError> {
        let (head, sealed) = frame.split_first_chunk::<LENGTH>().ok_or(FrameError::TooShort)?;
        let length = Direction::length(*head)?;
        if length != sealed.len() {
            return Err(FrameError::TooShort);
        }
        direction.open(*head, sealed)
    }

    #[test]
    fn frames_pass_in_their_order_and_in_no_other_nor_back_nor_with_another_key() {
        let ring = KeyRing::of(&[[7; 32]]).unwrap();
        let ((mut out, mut back), (mut heard, mut said)) = pair(&ring);
        let first = out.seal(b"one").unwrap();
        let second = out.seal(b"").unwrap();
        assert_eq!(open(&mut heard, &first).unwrap(), b"one");
        assert_eq!(open(&mut heard, &first), Err(FrameError::Forged), "repeated");
        assert_eq!(open(&mut heard, &second), Err(FrameError::Forged), "its place is over");
        let answer = said.seal(b"two").unwrap();
        assert_eq!(open(&mut back, &answer).unwrap(), b"two");
        let ((mut again, _), (mut there, _)) = pair(&ring);
        assert_eq!(open(&mut there, &answer), Err(FrameError::Forged), "the other direction");
        let other = KeyRing::of(&[[8; 32]]).unwrap();
        let ((_, _), (mut foreign, _)) = pair(&other);
        assert_eq!(open(&mut foreign, &again.seal(b"x").unwrap()), Err(FrameError::Forged));
        let key = ring.ids().next().unwrap();
        assert_eq!(directions(&other, key, &[1; RANDOM], &[2; RANDOM]).err(), Some(FrameError::UnknownKey));
        assert!(out.seal(&vec![0; MAX_FRAME_BYTES + 1]).is_err());
    }

    proptest! {
        #[test]
        fn bytes_that_nobody_sealed_are_refused_and_break_nothing(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let ring = KeyRing::of(&[[7; 32]]).unwrap();
            let ((mut out, _), (mut heard, _)) = pair(&ring);
            prop_assert!(open(&mut heard, &bytes).is_err());
            let ((_, _), (mut heard, _)) = pair(&ring);
            let mut frame = out.seal(&bytes).unwrap();
            let place = at.index(frame.len());
            frame[place] ^= 1 << bit;
            prop_assert!(open(&mut heard, &frame).is_err());
        }
    }
}
