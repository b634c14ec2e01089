//! Is a name that somebody asks for the name of an event?

use crate::core::kernel::ids::StreamKind;
use crate::error::Error;
use crate::shell::hosts::event_names;

/// Refuses a name that no event has, of this kind when one is named: an audit that is misspelt must not read as if
/// nothing had happened.
pub(super) fn check(name: &str, kind: Option<StreamKind>) -> Result<(), Error> {
    let kinds = kind.map_or_else(|| StreamKind::ALL.to_vec(), |kind| vec![kind]);
    let known: Vec<&str> = kinds.into_iter().flat_map(event_names).copied().collect();
    if known.contains(&name) {
        return Ok(());
    }
    let nearest = known.iter().min_by_key(|known| distance(name, known)).copied().unwrap_or_default();
    let what = kind.map_or("an event".to_owned(), |kind| format!("an event of the kind {}", kind.name()));
    Err(Error::invalid("event", name, &format!("the name of {what}; the nearest is {nearest}"))
        .with("nearest", nearest))
}

/// How many letters must be put in, left out or exchanged.
fn distance(left: &str, right: &str) -> usize {
    // A long input is no name, and need not be measured to its end.
    let left: Vec<char> = left.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=left.len()).collect();
    for (n, right) in right.chars().enumerate() {
        let mut corner = row[0];
        row[0] = n + 1;
        for (at, left) in left.iter().enumerate() {
            let exchanged = corner + usize::from(*left != right);
            corner = row[at + 1];
            row[at + 1] = exchanged.min(corner + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_events_and_a_misspelt_one_is_told_the_nearest() {
        for kind in StreamKind::ALL {
            assert!(!event_names(kind).is_empty(), "{}", kind.name());
        }
        assert!(check("vote_cast", None).is_ok() && check("closed", Some(StreamKind::Quorum)).is_ok());
        for (given, nearest) in [("vote_cst", "vote_cast"), ("Closed", "closed"), ("vote-cast", "vote_cast")]
        {
            let refused = check(given, Some(StreamKind::Quorum)).unwrap_err();
            assert_eq!(refused.detail("nearest").unwrap(), nearest);
        }
        assert!(check("banana", None).is_err());
    }
}
