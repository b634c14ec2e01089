//! Reads what a message of sled's log sets, without sled.

use super::inspect_format::varint;

/// Keys, and where their values stand, in the body of a message that sets one or holds a whole page.
pub(in crate::stores) fn values(body: &[u8]) -> Vec<(Vec<u8>, std::ops::Range<usize>)> {
    let mut reader = Body { body, at: 0 };
    if let Some(set) = reader.set() {
        return vec![set];
    }
    let mut reader = Body { body, at: 0 };
    reader.page().unwrap_or_default()
}

struct Body<'a> {
    body: &'a [u8],
    at: usize,
}

impl Body<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut rest = self.body.get(self.at..)?;
        let before = rest.len();
        let value = varint(&mut rest)?;
        self.at += before - rest.len();
        Some(value)
    }

    fn text(&mut self) -> Option<std::ops::Range<usize>> {
        let length = usize::try_from(self.number()?).ok()?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len())?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    /// `0 · key · value`
    fn set(&mut self) -> Option<(Vec<u8>, std::ops::Range<usize>)> {
        (self.number()? == 0).then_some(())?;
        let key = self.text().filter(|key| !key.is_empty())?;
        let value = self.text().filter(|value| value.end == self.body.len())?;
        Some((self.body[key].to_vec(), value))
    }

    /// `next · merging child · merging 1 · prefix length 1 · lo · hi · 0 · count · keys · values`
    fn page(&mut self) -> Option<Vec<(Vec<u8>, std::ops::Range<usize>)>> {
        self.number()?;
        self.number()?;
        let prefix = usize::from(*self.body.get(self.at + 1)?);
        self.at += 2;
        let low = self.text()?;
        let prefix = self.body[low].get(..prefix)?.to_vec();
        self.text()?;
        (*self.body.get(self.at)? == 0).then_some(())?;
        self.at += 1;
        let count = self.number()?;
        let keys = (0..count).map(|_| self.text()).collect::<Option<Vec<_>>>()?;
        keys.into_iter().map(|key| Some(([&prefix, &self.body[key]].concat(), self.text()?))).collect()
    }
}
