//! Reads the integers, hashes and texts of the format, never past the end.

use super::{ChainHash, Fault};
use quorate_core::kernel::time::Timestamp;

pub(super) fn damaged(what: &str) -> Fault {
    Fault::Corrupt { what: what.to_owned() }
}

#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| damaged(&format!("cut short. at_byte={}", self.at)))?;
        let out = &self.bytes[self.at..end];
        self.at = end;
        Ok(out)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, Fault> {
        self.array().map(i64::from_be_bytes).map(Timestamp::from_micros)
    }

    pub(super) fn hash(&mut self) -> Result<ChainHash, Fault> {
        self.array().map(ChainHash)
    }

    pub(super) fn text(&mut self, n: usize) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.take(n)?).map_err(|_| damaged("text is not UTF-8"))
    }
}
