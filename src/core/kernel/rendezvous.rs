//! Rendezvous hashing: of those that are there, each key has its own, and few keys go elsewhere when one comes or goes.
//!
//! # Source
//! D. Thaler, C. Ravishankar, *Using Name-Based Mappings to Increase Hit Rates*, IEEE/ACM Transactions on Networking 6(1), 1998. The
//! hash is FNV-1a with the beginning of the finaliser of MurmurHash3: FNV-1a alone does not do, for names that differ early stand
//! in the same order whatever follows.

use super::resend::fnv1a;

/// How much a place counts for a key: the one of the greatest weight has it.
pub fn weight(key: &str, place: &str) -> u64 {
    let hash = fnv1a(key.bytes().chain([0]).chain(place.bytes()));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shared_out_among_places_of_similar_names() {
        for places in [
            ["m1", "m2", "m3"],
            ["paris-manager-1", "paris-manager-2", "paris-manager-3"],
            ["a", "aa", "aaa"],
        ] {
            let mut had = [0; 3];
            for n in 0..3_000 {
                let key = format!("job-{n}");
                let best = (0..3).max_by_key(|at| weight(&key, places[*at])).unwrap();
                had[best] += 1;
            }
            assert!(had.iter().all(|n| (850..1_150).contains(n)), "{places:?} {had:?}");
        }
    }
}
