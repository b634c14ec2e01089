//! The journal as it is stored: what a backup is made of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Quorate;
use super::dto::{GroupPage, ReadGroups};
use crate::error::{Error, ErrorKind};
use crate::shell::host::wait;

/// Bytes of a page unless told otherwise.
const PAGE: u64 = 4 << 20;
/// Most bytes of a page.
const MOST: u64 = 16 << 20;

/// The journal as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'a> {
    pub(super) q: &'a Quorate,
}

impl Journal<'_> {
    /// The commit groups after one, verbatim, and where the journal ends now: whoever asks until it has the group that ended the
    /// first answer has a consistent copy, whatever was recorded meanwhile. They hold everything, also what other
    /// questions keep back.
    ///
    /// # Errors
    /// `invalid_argument` for a size out of bounds, and the faults of the store.
    pub async fn groups(&self, request: ReadGroups) -> Result<GroupPage, Error> {
        self.q.allow("journal.groups", &request).await?;
        let max_bytes = request.max_bytes.unwrap_or(PAGE);
        if !(1..=MOST).contains(&max_bytes) {
            return Err(Error::invalid("max_bytes", max_bytes, &format!("1 to {MOST}")));
        }
        let after = request.after.unwrap_or(0);
        let host = self.q.host();
        let most = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let read = host.blocking(move |store| {
            // The end first: every group up to it can be read then.
            let tip = wait(store.tip())?;
            Ok((tip, wait(store.groups(after, most))?))
        });
        let (tip, groups) = read.await?;
        Ok(GroupPage {
            tip_group: tip.group,
            tip_position: tip.position,
            tip_hash: tip.hash.to_string(),
            epoch: host.epoch,
            groups: groups.iter().map(|group| BASE64.encode(group)).collect(),
        })
    }
}

impl GroupPage {
    /// The bytes of the groups.
    ///
    /// # Errors
    /// `store_error` for what is no base64: the answer was not that of this operation.
    pub fn bytes(&self) -> Result<Vec<Vec<u8>>, Error> {
        let decode = |text: &String| {
            let foreign = |e: base64::DecodeError| {
                Error::new(ErrorKind::StoreError, format!("a group is not in base64. cause={e}"))
            };
            BASE64.decode(text).map_err(foreign)
        };
        self.groups.iter().map(decode).collect()
    }
}
