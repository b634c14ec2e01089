//! Names like the one that was given: what somebody who misspelt it may have meant.

/// Most names that are named.
const MOST: usize = 3;
/// Most names that are looked at: a refusal must not cost more than what was asked for.
const LOOKED_AT: usize = 10_000;

/// Up to three of these names that differ little from the one given, the nearest first.
pub(super) fn names<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> Vec<String> {
    let length = given.chars().count();
    let most = length.div_ceil(3).max(1);
    let near = known.take(LOOKED_AT).filter(|name| name.chars().count().abs_diff(length) <= most);
    let mut near: Vec<(usize, &str)> = near.map(|name| (distance(given, name), name)).collect();
    // What has no letter in common is not like it, however short both are.
    near.retain(|(apart, name)| *apart <= most && *apart < length.max(name.chars().count()));
    near.sort_unstable();
    near.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
}

/// The known name that may have been meant by this one: at most a third of its letters is another.
pub fn nearest<'n>(known: impl Iterator<Item = &'n str>, given: &str) -> Option<&'n str> {
    let near =
        known.map(|name| (distance(name, given), name)).filter(|(apart, name)| *apart <= name.len() / 3);
    near.min_by_key(|(apart, _)| *apart).map(|(_, name)| name)
}

/// How many letters must be put in, left out or exchanged (Levenshtein, 1966).
pub(super) fn distance(left: &str, right: &str) -> usize {
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
    fn the_nearest_come_first_and_what_has_nothing_in_common_does_not_come() {
        let known = ["web-1", "web-2", "db", "wep-1", "web-11"];
        assert_eq!(names("web-1", known.into_iter()), ["web-1", "web-11", "web-2"]);
        assert_eq!(names("wbe", known.into_iter()), Vec::<String>::new());
        assert_eq!(names("bd", known.into_iter()), Vec::<String>::new());
        assert_eq!(names("d", known.into_iter()), ["db"]);
        assert_eq!(names("f", ["a", "b"].into_iter()), Vec::<String>::new());
    }
}
