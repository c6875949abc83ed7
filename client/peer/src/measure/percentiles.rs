//! Many measurements as a few numbers.

use serde::{Deserialize, Serialize};

/// Percentiles of a set, by the nearest-rank method: each is a value that was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were measured. With none, the rest is 0.
    pub count: usize,
    /// The middle one.
    pub p50: f64,
    /// Nine in ten are not above it.
    pub p90: f64,
    /// 19 in twenty are not above it.
    pub p95: f64,
    /// 99 in a hundred are not above it.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Percentiles {
    /// The percentiles of `values`; what is not a number is left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let Some(&max) = values.last() else { return Self::default() };
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        Self {
            count: values.len(),
            p50: rank(50),
            p90: rank(90),
            p95: rank(95),
            p99: rank(99),
            max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let to = |count: u32| (1..=count).rev().map(f64::from);
        for (values, expected) in [
            (vec![], [0.0; 5]),
            (vec![7.0], [7.0; 5]),
            (vec![f64::NAN, 3.0, 1.0], [1.0, 3.0, 3.0, 3.0, 3.0]),
            (to(10).collect(), [5.0, 9.0, 10.0, 10.0, 10.0]),
            (to(200).collect(), [100.0, 180.0, 190.0, 198.0, 200.0]),
        ] {
            let found = Percentiles::of(values.clone());
            assert_eq!(
                [found.p50, found.p90, found.p95, found.p99, found.max],
                expected,
                "{values:?}"
            );
        }
    }
}
