use super::*;

/// n, f, strict, at least: as the reference publishes them.
const PUBLISHED: [(u32, u32, u32, u32); 9] = [
    (3, 0, 3, 2),
    (4, 1, 3, 3),
    (6, 1, 5, 4),
    (7, 2, 5, 5),
    (9, 2, 7, 6),
    (10, 3, 7, 7),
    (13, 4, 9, 9),
    (48, 15, 33, 32),
    (49, 16, 33, 33),
];

#[test]
fn the_published_table_is_met() {
    for (n, f, strict, at_least) in PUBLISHED {
        assert_eq!(most_faults(n), f, "{n}");
        assert_eq!(heads(Threshold::Strict, None, n), strict, "{n}");
        assert_eq!(heads(Threshold::AtLeast, None, n), at_least, "{n}");
    }
    assert_eq!((most_faults(1_000), heads(Threshold::Strict, None, 1_000)), (16, 667));
}

/// Counts one by one until the fraction is passed: a twin that shares nothing with the formulas.
fn counted(n: u32, enough: impl Fn(u32) -> bool) -> u32 {
    (0..=n + 1).find(|heads| enough(*heads)).unwrap()
}

#[test]
fn the_formulas_agree_with_counting() {
    for n in 1..=2_000 {
        assert_eq!(heads(Threshold::Strict, None, n), counted(n, |q| 3 * q > 2 * n), "{n}");
        assert_eq!(heads(Threshold::AtLeast, None, n), counted(n, |q| 3 * q >= 2 * n), "{n}");
    }
}

#[test]
fn the_strict_count_is_the_largest_that_f_silent_voters_cannot_block() {
    for n in 1..=5_000 {
        let f = (n - 1) / 3;
        assert_eq!(heads(Threshold::Strict, None, n), n - f);
    }
}

#[test]
fn the_other_count_is_the_smallest_of_which_two_share_an_honest_voter() {
    for n in 1..=5_000 {
        let f = (n - 1) / 3;
        let q = heads(Threshold::AtLeast, None, n);
        assert_eq!(q, (n + f) / 2 + 1);
        assert!(2 * q > n + f && 2 * (q - 1) <= n + f, "{n}");
    }
}

#[test]
fn a_declared_f_is_safe_and_live_for_every_electorate_that_bears_it() {
    for n in 3..=400 {
        for f in 0..=(n - 1) / 3 {
            let q = heads(Threshold::Strict, Some(f), n);
            assert!(2 * q > n + f, "two quorums share more than f: n={n} f={f}");
            assert!(q <= n - f, "f silent voters do not block: n={n} f={f}");
            if n == 3 * f + 1 {
                assert_eq!(q, 2 * f + 1);
            }
        }
    }
    // A flat 2f+1 would let three of ten approve while seven oppose.
    assert_eq!(heads(Threshold::Strict, Some(1), 10), 6);
}

#[test]
fn why_there_is_no_two_thirds_in_floating_point() {
    let float = |n: u32| (0.67 * f64::from(n)).ceil() as u32;
    assert!((1..=102).all(|n| float(n) <= n - (n - 1) / 3));
    assert!(float(103) > 103 - 34);
    assert!((301..=3_000).all(|n| float(n) > n - (n - 1) / 3));
}

#[test]
fn one_heavy_voter_decides_by_power_and_not_by_both() {
    let powers = [3_000_000, 100_000, 100_000, 100_000, 100_000, 100_000];
    let whole = powers.iter().sum();
    let rule = |basis| Quorum::new(basis, Threshold::Strict, None, 6, whole);
    assert!(rule(Basis::Power).is_reached(1, powers[0]));
    assert!(!rule(Basis::Both).is_reached(1, powers[0]));
    assert!(!rule(Basis::Both).is_reached(5, 500_000));
    assert!(rule(Basis::Both).is_reached(6, whole));
    let huge = Quorum::new(Basis::Power, Threshold::Strict, None, 4, u64::MAX);
    assert!(huge.is_reached(4, u64::MAX) && !huge.is_reached(4, u64::MAX / 3 * 2));
    let third = |threshold| Quorum::new(Basis::Power, threshold, None, 3, 3);
    assert!(third(Threshold::AtLeast).is_reached(2, 2) && !third(Threshold::Strict).is_reached(2, 2));
}

/// The largest cap, found by trying each.
fn tried(powers: &[u64]) -> Option<Vec<u64>> {
    let top = *powers.iter().max()?;
    let cut = |c: u64| powers.iter().map(move |p| (*p).min(c));
    (1..=top).rev().find(|c| 3 * c < cut(*c).sum()).map(|c| cut(c).collect())
}

#[test]
fn the_cap_is_the_largest_that_leaves_nobody_a_third() {
    let mut rng = crate::kernel::rng::Rng::new(7);
    for _ in 0..2_000 {
        let n = 1 + rng.next_u64() % 9;
        let powers: Vec<u64> = (0..n).map(|_| rng.next_u64() % 40).collect();
        let capped = capped(&powers);
        assert_eq!(capped, tried(&powers), "{powers:?}");
        for power in capped.iter().flatten() {
            assert!(3 * power < capped.iter().flatten().sum::<u64>(), "{powers:?}");
        }
    }
    assert_eq!(capped(&[5, 5, 5]), None);
    assert_eq!(capped(&[u64::MAX, u64::MAX / 2, 7, 7, 7, 7]), Some(vec![27, 27, 7, 7, 7, 7]));
}
