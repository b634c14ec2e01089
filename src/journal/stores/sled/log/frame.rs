//! One frame as bytes.

use std::sync::Arc;

use super::{Bound, SECTOR, is_zero, u32_at, u64_at};
use crate::group::{GROUP_HEADER, GROUP_TRAILER, Group, GroupHeader};

pub(super) const HEADER: usize = 80;
pub(super) const SEAL: usize = 32;
const MAGIC: &[u8; 4] = b"QFRM";
const SEAL_MAGIC: &[u8; 4] = b"SEAL";
const ROLL_MAGIC: &[u8; 8] = b"quorroll";
/// Fills up a zero list that came out longer than it had to be.
const NO_SECTOR: u32 = u32::MAX;

/// What the header of a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub sectors: u32,
    payload: u64,
    pub first: u64,
    pub groups: u32,
    zeros: u32,
    digest: [u8; 32],
}

impl Header {
    /// Reads a header at the start of a sector; `None` when it does not verify there.
    pub fn read(bound: Bound<'_>, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        if &bytes[..4] != MAGIC || bound.sum(&[&bytes[..64]])[..16] != bytes[64..] {
            return None;
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[32..64]);
        let header = Header {
            sectors: u32_at(bytes, 4),
            payload: u64_at(bytes, 8),
            first: u64_at(bytes, 16),
            groups: u32_at(bytes, 24),
            zeros: u32_at(bytes, 28),
            digest,
        };
        let inside = header.content() <= header.len().saturating_sub(SEAL as u64);
        (inside && header.groups > 0 && header.first > 0).then_some(header)
    }

    /// Bytes of the frame.
    pub fn len(&self) -> u64 {
        u64::from(self.sectors) * SECTOR as u64
    }

    pub fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.groups) - 1)
    }

    /// Bytes before the padding.
    fn content(&self) -> u64 {
        (HEADER as u64).saturating_add(4 * u64::from(self.zeros)).saturating_add(self.payload)
    }

    fn payload_start(&self) -> usize {
        HEADER + 4 * self.zeros as usize
    }

    /// The bytes that should be groups.
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(self.payload_start()..self.content() as usize).unwrap_or_default()
    }

    /// The groups of a frame that verifies whole, `None` for any other.
    pub fn groups<'a>(&self, bound: Bound<'_>, frame: &'a [u8]) -> Option<Vec<Group<'a>>> {
        let mut rest = self.payload(frame);
        let mut groups = Vec::new();
        for number in self.first..=self.last() {
            let group = Group::parse_checked(rest).ok().filter(|group| group.header.number == number)?;
            rest = rest.get(group.header.total_len()..)?;
            groups.push(group);
        }
        let hashes: Vec<u8> = groups.iter().flat_map(|group| group.hash.0).collect();
        let list = frame.get(HEADER..self.payload_start())?;
        let fits = bound.sum(&[frame.get(..32)?, list, &hashes]) == self.digest;
        (rest.is_empty() && fits).then_some(groups)
    }

    /// Whether some sector of the content still holds zeros that the frame would not have put there.
    pub fn is_unfinished(&self, frame: &[u8]) -> bool {
        let list = frame.get(HEADER..self.payload_start()).unwrap_or_default();
        let listed = |sector: usize| list.chunks(4).any(|entry| u32_at(entry, 0) as usize == sector);
        let content = frame.get(..self.content() as usize).unwrap_or_default();
        content.chunks(SECTOR).enumerate().any(|(sector, bytes)| is_zero(bytes) && !listed(sector))
    }

    /// Nothing was ever written where the seal goes.
    pub fn is_unsealed(&self, frame: &[u8]) -> bool {
        frame.len() >= SEAL && is_zero(&frame[frame.len() - SEAL..])
    }

    /// The seal of this frame.
    pub fn seal(&self, bound: Bound<'_>) -> [u8; SEAL] {
        let mut seal = [0; SEAL];
        seal[..4].copy_from_slice(SEAL_MAGIC);
        seal[4..8].copy_from_slice(&self.sectors.to_be_bytes());
        seal[8..16].copy_from_slice(&self.digest[..8]);
        let check = bound.sum(&[&seal[..16]]);
        seal[16..].copy_from_slice(&check[..16]);
        seal
    }
}

/// Whether the last bytes of a sector are a seal; `start` answers the bound of a frame that many sectors long and
/// ending with this one.
pub(super) fn ends_with_seal<'a>(sector: &[u8], start: impl FnOnce(u32) -> Option<Bound<'a>>) -> bool {
    let seal = &sector[sector.len() - SEAL..];
    &seal[..4] == SEAL_MAGIC
        && start(u32_at(seal, 4)).is_some_and(|bound| bound.sum(&[&seal[..16]])[..16] == seal[16..])
}

/// The sector behind the last frame of a segment.
pub(super) fn roll_marker(bound: Bound<'_>, next: u64) -> Vec<u8> {
    let mut marker = vec![0; SECTOR];
    marker[..8].copy_from_slice(ROLL_MAGIC);
    marker[8..16].copy_from_slice(&next.to_be_bytes());
    let check = bound.sum(&[&marker[..16]]);
    marker[16..48].copy_from_slice(&check);
    marker
}

/// The next segment, if this sector is a roll marker.
pub(super) fn read_roll(bound: Bound<'_>, sector: &[u8]) -> Option<u64> {
    let next = u64_at(sector, 8);
    (&sector[..8] == ROLL_MAGIC && roll_marker(bound, next) == sector).then_some(next)
}

/// Writes the frame of some groups, the first of which has number `first`, into `out`. Its seal is left open.
pub(super) fn encode(bound: Bound<'_>, first: u64, groups: &[Arc<[u8]>], out: &mut Vec<u8>) -> Header {
    let payload: usize = groups.iter().map(|group| group.len()).sum();
    let mut zeros = 0;
    loop {
        let content = HEADER + 4 * zeros + payload;
        let sectors = (content + SEAL).div_ceil(SECTOR);
        out.clear();
        out.reserve(sectors * SECTOR);
        out.resize(HEADER, 0);
        // Not zero, so that the list has no sector of zeros itself.
        out.resize(HEADER + 4 * zeros, 0xff);
        groups.iter().for_each(|group| out.extend_from_slice(group));
        // The header is not zero in the end either.
        let empty: Vec<u32> = (1..)
            .zip(out.chunks(SECTOR).skip(1))
            .filter(|(_, bytes)| is_zero(bytes))
            .map(|(sector, _)| sector)
            .collect();
        if empty.len() > zeros {
            // The list moves the groups, so other sectors may come out empty.
            zeros = empty.len();
            continue;
        }
        out.resize(sectors * SECTOR, 0);
        for (entry, sector) in empty.into_iter().chain(std::iter::repeat(NO_SECTOR)).take(zeros).enumerate() {
            let at = HEADER + 4 * entry;
            out[at..at + 4].copy_from_slice(&sector.to_be_bytes());
        }
        let mut header = Header {
            sectors: sectors as u32,
            payload: payload as u64,
            first,
            groups: groups.len() as u32,
            zeros: zeros as u32,
            digest: [0; 32],
        };
        out[..4].copy_from_slice(MAGIC);
        out[4..8].copy_from_slice(&header.sectors.to_be_bytes());
        out[8..16].copy_from_slice(&header.payload.to_be_bytes());
        out[16..24].copy_from_slice(&first.to_be_bytes());
        out[24..28].copy_from_slice(&header.groups.to_be_bytes());
        out[28..32].copy_from_slice(&header.zeros.to_be_bytes());
        let hashes: Vec<u8> =
            groups.iter().flat_map(|group| &group[group.len() - GROUP_TRAILER..]).copied().collect();
        header.digest = bound.sum(&[&out[..32], &out[HEADER..HEADER + 4 * zeros], &hashes]);
        out[32..64].copy_from_slice(&header.digest);
        let check = bound.sum(&[&out[..64]]);
        out[64..HEADER].copy_from_slice(&check[..16]);
        return header;
    }
}

/// Bytes a frame of these groups needs at most, if none of its sectors comes out empty.
pub(super) fn encoded_len(groups: &[Arc<[u8]>]) -> u64 {
    let payload: usize = groups.iter().map(|group| group.len()).sum();
    ((HEADER + payload + SEAL).div_ceil(SECTOR) * SECTOR) as u64
}

/// Names what can be read of groups that may be damaged: headers that fit and the streams of their frames.
pub(super) fn readable(mut payload: &[u8], mut see: impl FnMut(&GroupHeader, Option<Group<'_>>)) {
    while payload.len() > GROUP_HEADER {
        let Ok(header) = GroupHeader::parse(payload) else { return };
        let group = Group::parse(payload).ok();
        see(&header, group);
        let Some(rest) = payload.get(header.total_len()..) else { return };
        payload = rest;
    }
}
