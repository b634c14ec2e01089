//! Is a name that somebody asks for the name of an event?

use super::event_view::shown_name;
use super::nearest::distance;
use crate::core::kernel::ids::StreamKind;
use crate::error::Error;
use crate::shell::hosts::event_names;

/// Refuses a name that no event has, of this kind when one is named: an audit that is misspelt must not read as if
/// nothing had happened.
pub(super) fn check(name: &str, kind: Option<StreamKind>) -> Result<(), Error> {
    let kinds = kind.map_or_else(|| StreamKind::ALL.to_vec(), |kind| vec![kind]);
    let known: Vec<&str> = kinds.into_iter().flat_map(event_names).map(|stored| shown_name(stored)).collect();
    if known.contains(&name) {
        return Ok(());
    }
    let what = kind.map_or("an event".to_owned(), |kind| format!("an event of the kind {}", kind.name()));
    Err(misspelt("event", name, &known, &format!("the name of {what}")))
}

/// The error for a word that is none of those known, which tells the nearest of them.
pub(super) fn misspelt(field: &str, given: &str, known: &[&str], expected: &str) -> Error {
    let nearest = known.iter().min_by_key(|known| distance(given, known)).copied().unwrap_or_default();
    Error::invalid(field, given, &format!("{expected}; the nearest is {nearest}")).with("nearest", nearest)
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
        let stored = check("vote_cast_with_reason", None).unwrap_err();
        assert_eq!(stored.detail("nearest").unwrap(), "vote_cast", "no event is shown under this name");
    }
}
