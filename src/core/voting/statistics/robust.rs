//! Measures that one wild value does not move, and measures of spread.
//!
//! Sources: B. Iglewicz, D. Hoaglin, *How to Detect and Handle Outliers*, ASQC 1993 (the modified z); C. Gini,
//! *Variabilità e mutabilità*, 1912.

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// How far a value lies from the others in robust standard deviations, signed: `0.6745·(x − median)/MAD`, and where
/// more than half of them are equal `(x − median)/(1.253314·mean absolute deviation)`. `None` when they are all equal,
/// or there are none: nothing can be said then.
pub fn modified_z(value: f64, others: &[f64]) -> Option<f64> {
    let middle = median(others)?;
    let deviations: Vec<f64> = others.iter().map(|x| (x - middle).abs()).collect();
    let mad = median(&deviations)?;
    if mad > 0.0 {
        return Some(0.6745 * (value - middle) / mad);
    }
    let mean = mean(&deviations)?;
    (mean > 0.0).then(|| (value - middle) / (1.253_314 * mean))
}

/// How unevenly a whole is spread, from 0 (all equal) up to 1 − 1/n (one has everything). 0 of nothing.
pub fn gini(amounts: &[u64]) -> f64 {
    let total: u128 = amounts.iter().map(|a| u128::from(*a)).sum();
    if total == 0 {
        return 0.0;
    }
    let mut sorted = amounts.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let weighted: f64 = sorted.iter().enumerate().map(|(i, a)| (i + 1) as f64 * *a as f64).sum();
    (2.0 * weighted / (n * total as f64) - (n + 1.0) / n).max(0.0)
}

/// The entropy of a distribution given by amounts, in nats; its exponential is the effective number of kinds.
pub fn entropy(amounts: &[f64]) -> f64 {
    let total: f64 = amounts.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    amounts.iter().map(|a| a / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>().max(0.0)
}

/// The correlation of two yes-or-no variables: both, only the first, only the second, neither. `None` where one of
/// them never varies.
pub fn phi(both: u64, first: u64, second: u64, neither: u64) -> Option<f64> {
    let [a, b, c, d] = [both, first, second, neither].map(|n| n as f64);
    let margins = (a + b) * (c + d) * (a + c) * (b + d);
    (margins > 0.0).then(|| (a * d - b * c) / margins.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_modified_z_scores_follow_their_definition() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        // Median 2.1, deviations 0, 0.1, 0.2, 0.3, 0.5 and their median 0.2.
        let z = modified_z(6.1, &[1.6, 1.9, 2.1, 2.2, 2.4]).unwrap();
        assert!((z - 13.49).abs() < 1e-9, "{z}");
        // More than half are equal: the mean absolute deviation of 0, 0, 0, 0, 1 is 0.2.
        let z = modified_z(3.0, &[1.0, 1.0, 1.0, 1.0, 2.0]).unwrap();
        assert!((z - 2.0 / (1.253_314 * 0.2)).abs() < 1e-9, "{z}");
        assert_eq!(modified_z(9.0, &[1.0; 10]), None);
    }

    #[test]
    fn gini_entropy_and_phi_have_their_known_values() {
        assert_eq!(gini(&[5, 5, 5, 5]), 0.0);
        assert!((gini(&[0, 0, 0, 1]) - 0.75).abs() < 1e-12);
        assert!((gini(&[1, 2, 3, 4]) - 0.25).abs() < 1e-12);
        assert_eq!(gini(&[]), 0.0);
        assert!((entropy(&[1.0, 1.0, 1.0, 1.0]).exp() - 4.0).abs() < 1e-12);
        assert_eq!(entropy(&[7.0]), 0.0);
        assert_eq!(phi(5, 0, 0, 5), Some(1.0));
        assert_eq!(phi(0, 5, 5, 0), Some(-1.0));
        assert_eq!(phi(5, 0, 5, 0), None);
    }
}
