//! Writes a backup. What does not fit is not written: a backup of a damaged journal would be taken for one of a sound one.

use std::io::{self, Write};

use super::super::verify::check_next;
use super::{END, Header, told};
use crate::chain::RunningDigest;
use crate::{Fault, VerifyCursor};

/// A backup in the making.
#[derive(Debug)]
pub struct BackupWriter<W> {
    to: W,
    header: Header,
    cursor: VerifyCursor,
    digest: RunningDigest,
}

impl<W: Write> BackupWriter<W> {
    /// Begins one with its header.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when it cannot be written.
    pub fn begin(to: W, header: Header) -> Result<Self, Fault> {
        let text = header.text()?;
        let mut writer =
            BackupWriter { to, header, cursor: VerifyCursor::default(), digest: RunningDigest::default() };
        writer.put(text.as_bytes())?;
        Ok(writer)
    }

    /// Adds the next group, if it fits. Those behind the cut are left out.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for a group that does not follow, or whose hashes do not fit; [`Fault::Unavailable`] when it cannot
    /// be written.
    pub fn add(&mut self, group: &[u8]) -> Result<(), Fault> {
        if self.is_whole() {
            return Ok(());
        }
        check_next(group, &mut self.cursor).map_err(|broken| Fault::Corrupt {
            what: format!("the journal is broken, and no backup is made of it: {}", told(&broken)),
        })?;
        self.put(group)
    }

    /// What the backup says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the last group that was added.
    pub fn group(&self) -> u64 {
        self.cursor.group
    }

    /// Are all groups in it?
    pub fn is_whole(&self) -> bool {
        self.cursor.group >= self.header.groups
    }

    /// Writes the end.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] when the groups do not end as the header says; [`Fault::Unavailable`] when it cannot be written.
    pub fn finish(mut self) -> Result<W, Fault> {
        let (groups, records, hash) = (self.cursor.group, self.cursor.position, self.cursor.hash.to_string());
        if (groups, records, &hash) != (self.header.groups, self.header.records, &self.header.tip_hash) {
            let what = format!(
                "the journal does not end where it said, and no backup is made of it. said_groups={}, groups={groups}, \
                 said_tip={}, tip={hash}",
                self.header.groups, self.header.tip_hash
            );
            return Err(Fault::Corrupt { what });
        }
        let end = format!("{END}{}\n", self.digest.finish());
        self.put(end.as_bytes())?;
        self.to.flush().map_err(|e| unwritten(&e))?;
        Ok(self.to)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.digest.update(bytes);
        self.to.write_all(bytes).map_err(|e| unwritten(&e))
    }
}

fn unwritten(error: &io::Error) -> Fault {
    Fault::Unavailable { reason: format!("the backup cannot be written. cause={error}") }
}
