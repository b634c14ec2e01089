//! Tests whose p-values are sums of probabilities, not approximations.
//!
//! | test | asks | source |
//! |---|---|---|
//! | [`binomial_at_least`] | are so many successes of n by chance? | J. Bernoulli, *Ars conjectandi*, 1713 |
//! | [`sign_test`] | do more go one way than chance lets them? | J. Arbuthnot, Philosophical Transactions 27, 1710 |
//! | [`fisher_at_least`] | do two things happen together by chance? | R. A. Fisher, *The Design of Experiments*, 1935 |
//! | [`runs_at_most`] | are there too few runs in a sequence of two kinds? | A. Wald, J. Wolfowitz, Annals of Mathematical Statistics 11, 1940 |

/// Factorials of which the logarithms are summed; beyond them Stirling's series is exact to the last bits.
const SMALL: u64 = 32;

/// ln n!
pub fn ln_factorial(n: u64) -> f64 {
    if n < SMALL {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let x = n as f64;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    x * x.ln() - x + 0.5 * (std::f64::consts::TAU * x).ln() + series
}

/// ln of n over k; minus infinity where k is more than n.
pub fn ln_choose(n: u64, k: u64) -> f64 {
    match n.checked_sub(k) {
        Some(rest) => ln_factorial(n) - ln_factorial(k) - ln_factorial(rest),
        None => f64::NEG_INFINITY,
    }
}

/// The chance of at least `k` successes in `n` independent trials that each succeed with probability `p`, which is
/// taken as the nearer end where it lies outside 0 to 1.
pub fn binomial_at_least(n: u64, k: u64, p: f64) -> f64 {
    let p = p.clamp(0.0, 1.0);
    if k == 0 || p >= 1.0 {
        return if k <= n { 1.0 } else { 0.0 };
    }
    if k > n || p <= 0.0 {
        return 0.0;
    }
    let (ln_p, ln_q) = (p.ln(), (-p).ln_1p());
    let at = |i: u64| (ln_choose(n, i) + i as f64 * ln_p + (n - i) as f64 * ln_q).exp();
    let odds = p / (1.0 - p);
    if (k as f64) > n as f64 * p {
        // The terms fall from here on.
        let mut term = at(k);
        let mut sum = 0.0;
        for i in k..=n {
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
            term *= (n - i) as f64 / (i + 1) as f64 * odds;
        }
        return sum.min(1.0);
    }
    let mut term = at(k - 1);
    let mut below = 0.0;
    for i in (0..k).rev() {
        below += term;
        if term < below * 1e-17 {
            break;
        }
        term *= i as f64 / (n - i + 1) as f64 / odds;
    }
    (1.0 - below).clamp(0.0, 1.0)
}

/// One-sided: the chance that at least `up` of `up + down` go up when each way is as likely. Ties are left out by the
/// caller. 1 when nothing moved.
pub fn sign_test(up: u64, down: u64) -> f64 {
    binomial_at_least(up + down, up, 0.5)
}

/// Two-sided: twice the smaller tail, at most 1.
pub fn sign_test_two_sided(up: u64, down: u64) -> f64 {
    (2.0 * sign_test(up.max(down), up.min(down))).min(1.0)
}

/// One-sided Fisher: the chance of at least `both` in the first cell of the table (both, only first, only second,
/// neither) when its margins are given and the two things are independent.
pub fn fisher_at_least(both: u64, first: u64, second: u64, neither: u64) -> f64 {
    let (row, column, n) = (both + first, both + second, both + first + second + neither);
    let low = (row + column).saturating_sub(n);
    let high = row.min(column);
    if both <= low {
        return 1.0;
    }
    let whole = ln_choose(n, column);
    let term = |k: u64| (ln_choose(row, k) + ln_choose(n - row, column - k) - whole).exp();
    (both..=high).map(term).sum::<f64>().min(1.0)
}

/// One-sided Wald–Wolfowitz: the chance of at most `runs` runs in a random sequence of `ones` of one kind and
/// `others` of another. `None` where there is only one kind: runs say nothing then.
pub fn runs_at_most(runs: u64, ones: u64, others: u64) -> Option<f64> {
    if ones == 0 || others == 0 {
        return None;
    }
    let whole = ln_choose(ones + others, ones);
    let ways = |a: u64, b: u64| (ln_choose(ones - 1, a - 1) + ln_choose(others - 1, b - 1) - whole).exp();
    let exactly = |r: u64| match (r / 2, r % 2) {
        (half, 0) => 2.0 * ways(half, half),
        (half, _) => ways(half + 1, half) + ways(half, half + 1),
    };
    Some((2..=runs).map(exactly).sum::<f64>().min(1.0))
}

/// The number of runs to expect in a random sequence.
pub fn expected_runs(ones: u64, others: u64) -> f64 {
    let (a, b) = (ones as f64, others as f64);
    if a + b > 0.0 { 1.0 + 2.0 * a * b / (a + b) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, theirs: f64) {
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{ours} instead of {theirs}");
    }

    // The numbers of the first three tests were printed by SciPy 1.17.1: `binom.sf`, `binomtest`, `fisher_exact` with
    // the alternative "greater", and `special.gammaln`.

    #[test]
    fn binomial_tails_are_those_of_scipy() {
        for (n, k, p, tail) in [
            (10, 8, 0.5, 0.054_687_5),
            (20, 3, 0.05, 0.075_483_673_788_496_26),
            (100, 60, 0.5, 0.028_443_966_820_490_444),
            (1000, 30, 0.02, 0.020_696_518_673_239_49),
            (50, 1, 0.01, 0.394_993_932_862_463_37),
            (5000, 2600, 0.5, 0.002_441_824_868_758_747),
            (30, 3, 0.2, 0.955_821_014_848_002_9),
        ] {
            close(binomial_at_least(n, k, p), tail);
        }
        assert_eq!((binomial_at_least(5, 0, 0.3), binomial_at_least(5, 6, 0.3)), (1.0, 0.0));
        assert_eq!((binomial_at_least(5, 5, 1.0), binomial_at_least(5, 1, 0.0)), (1.0, 0.0));
    }

    #[test]
    fn sign_tests_are_those_of_scipy() {
        for (up, down, one, two) in [
            (8, 2, 0.054_687_5, 0.109_375),
            (15, 5, 0.020_694_732_666_015_625, 0.041_389_465_332_031_25),
            (60, 40, 0.028_443_966_820_490_444, 0.056_887_933_640_980_89),
            (7, 0, 0.007_812_5, 0.015_625),
        ] {
            close(sign_test(up, down), one);
            close(sign_test_two_sided(down, up), two);
        }
        assert_eq!((sign_test(0, 0), sign_test_two_sided(4, 4)), (1.0, 1.0));
    }

    #[test]
    fn fishers_test_is_that_of_scipy() {
        for ([a, b, c, d], p) in [
            // The lady tasting tea: 17/70.
            ([3, 1, 1, 3], 17.0 / 70.0),
            ([12, 5, 29, 2], 0.994_525_206_021_882_2),
            ([8, 2, 1, 89], 2.134_335_038_490_885_6e-9),
            ([10, 10, 10, 70], 0.000_647_518_442_456_267_9),
            ([40, 60, 60, 840], 6.940_175_420_722_337e-18),
            ([0, 5, 5, 0], 1.0),
        ] {
            close(fisher_at_least(a, b, c, d), p);
        }
        for (n, ln) in [
            (20, 42.335_616_460_753_485),
            (31, 78.092_223_553_315_3),
            (32, 81.557_959_456_115_03),
            (100, 363.739_375_555_563_47),
            (100_000, 1_051_299.221_899_121_8),
        ] {
            assert!((ln_factorial(n) - ln).abs() <= 1e-14 * ln, "{n}");
        }
    }

    /// F. Swed, C. Eisenhart, "Tables for testing randomness of grouping in a sequence of alternatives", Annals of
    /// Mathematical Statistics 14, 1943, table I, three places.
    #[test]
    fn chances_of_few_runs_are_those_of_the_published_table() {
        for (ones, others, runs, p) in [
            (5, 5, 2, 0.008),
            (5, 5, 3, 0.040),
            (5, 5, 4, 0.167),
            (10, 10, 6, 0.019),
            (10, 10, 8, 0.128),
            (3, 7, 2, 0.017),
        ] {
            let ours = runs_at_most(runs, ones, others).unwrap();
            assert!((ours - p).abs() < 0.000_5, "{ones} {others} {runs}: {ours}");
        }
        assert_eq!(runs_at_most(1, 4, 0), None);
        close(runs_at_most(10, 5, 5).unwrap(), 1.0);
        assert_eq!(expected_runs(5, 5), 6.0);
    }
}
