//! Reads a backup and believes nothing of it: every hash is computed anew.

use std::io::{self, BufRead, Read};

use super::super::verify::check_next;
use super::{CHECK, END, Header, LONGEST, PREFIX, VERSION, damaged, told};
use crate::chain::{RunningDigest, digest};
use crate::codec::RECORD_BY_IDENTITY;
use crate::group::{GROUP_HEADER, GROUP_VERSION, GroupHeader};
use crate::{Fault, VerifyCursor};

/// A backup that is read from its beginning to its end.
#[derive(Debug)]
pub struct BackupReader<R> {
    from: R,
    header: Header,
    cursor: VerifyCursor,
    digest: RunningDigest,
    at: u64,
}

fn unread(error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("the backup cannot be read. cause={error}") }
}

/// A line with its end, and nothing where there is none of a fair length.
fn line(from: &mut impl BufRead) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    from.by_ref().take(LONGEST).read_until(b'\n', &mut bytes).map_err(|e| unread(&e))?;
    let line = String::from_utf8(bytes).ok().filter(|line| line.ends_with('\n'));
    Ok(line.unwrap_or_default())
}

impl<R: BufRead> BackupReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for a file that is no backup, or whose header is damaged; [`Fault::NewerVersion`] for one of a later
    /// program; [`Fault::Unavailable`] when it cannot be read.
    pub fn open(mut from: R) -> Result<Self, Fault> {
        let (first, json, check) = (line(&mut from)?, line(&mut from)?, line(&mut from)?);
        let lines = [first.as_str(), json.as_str()].concat();
        if !first.starts_with(PREFIX) {
            let what = "its first line is not that of a backup, so it is none, or damaged there";
            return Err(damaged(what, 0));
        }
        if check != format!("{CHECK}{}\n", digest(lines.as_bytes())) {
            return Err(damaged("its header does not fit its check", first.len() as u64));
        }
        let version = first.trim_end().strip_prefix(PREFIX).and_then(|version| version.parse::<u32>().ok());
        match version {
            Some(VERSION) => {}
            Some(found) => return Err(Fault::NewerVersion { found, supported: VERSION }),
            None => return Err(damaged("its first line names no version", 0)),
        }
        let header: Header = serde_json::from_str(&json)
            .map_err(|e| damaged(&format!("its header cannot be read: {e}"), first.len() as u64))?;
        for (found, supported) in
            [(header.group_version, GROUP_VERSION), (header.record_version, RECORD_BY_IDENTITY)]
        {
            if found > supported {
                return Err(Fault::NewerVersion { found: found.into(), supported: supported.into() });
            }
        }
        let mut digest = RunningDigest::default();
        digest.update(lines.as_bytes());
        digest.update(check.as_bytes());
        let at = (lines.len() + check.len()) as u64;
        Ok(BackupReader { from, header, cursor: VerifyCursor::default(), digest, at })
    }

    /// What the backup says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the last group that was read.
    pub fn group(&self) -> u64 {
        self.cursor.group
    }

    /// The next group, with every hash and link in it checked; `None` behind the last one, when the end fits too.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] that names the first thing that does not fit; [`Fault::Unavailable`] when it cannot be read.
    pub fn next_group(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        if self.cursor.group >= self.header.groups {
            return self.end().map(|()| None);
        }
        let at = self.at;
        let number = self.cursor.group + 1;
        let broken = |why: &str| damaged(&format!("group {number} {why}"), at);
        let mut bytes = self.take(GROUP_HEADER as u64)?;
        // A version that is no other one's was checked in the header of the file.
        let header =
            GroupHeader::parse(&bytes).map_err(|fault| broken(&format!("has no header: {fault}")))?;
        let rest = (header.total_len() - GROUP_HEADER) as u64;
        let body = self.take(rest)?;
        if (body.len() as u64) < rest {
            return Err(broken("is cut short, or its length is damaged"));
        }
        bytes.extend_from_slice(&body);
        check_next(&bytes, &mut self.cursor)
            .map_err(|misfit| broken(&format!("does not fit: {}", told(&misfit))))?;
        self.digest.update(&bytes);
        self.at += bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// At most so many bytes.
    fn take(&mut self, count: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.from.by_ref().take(count).read_to_end(&mut bytes).map_err(|e| unread(&e))?;
        Ok(bytes)
    }

    fn end(&mut self) -> Result<(), Fault> {
        let cursor = (self.cursor.position, self.cursor.hash.to_string());
        if cursor != (self.header.records, self.header.tip_hash.clone()) {
            return Err(damaged("its groups do not end as its header says", self.at));
        }
        let end = format!("{END}{}\n", self.digest.finish());
        let found = self.take(end.len() as u64 + 1)?;
        if found != end.as_bytes() {
            return Err(damaged("its end is missing, does not fit, or has something behind it", self.at));
        }
        Ok(())
    }
}
