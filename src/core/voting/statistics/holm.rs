//! Many tests at once.
//!
//! Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
//! 1979, pp. 65–70. It needs no independence of the tests.

/// The p-values adjusted so that rejecting those up to α errs anywhere with probability at most α: the i-th smallest
/// of m is multiplied by m − i + 1, and none is below a smaller one. The answers stand in the order of the inputs.
///
/// `tests` may be larger than the list: then the p-values not listed count as 1, which is what a test that cannot be
/// significant may be taken for.
pub fn holm(p_values: &[f64], tests: usize) -> Vec<f64> {
    let m = tests.max(p_values.len());
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        least = least.max(p_values[index] * (m - rank) as f64).min(1.0);
        adjusted[index] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")
    /// is 0.05 0.08 0.09 0.09 0.09.
    #[test]
    fn adjusted_values_are_those_of_the_published_procedure() {
        let adjusted = holm(&[0.04, 0.01, 0.03, 0.05, 0.02], 5);
        let expected = [0.09, 0.05, 0.09, 0.09, 0.08];
        assert!(adjusted.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-12), "{adjusted:?}");
        assert_eq!(holm(&[0.01], 50), [0.5]);
        assert!(holm(&[], 0).is_empty());
    }
}
