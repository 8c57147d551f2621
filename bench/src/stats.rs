//! Percentiles of one run, medians over runs.

use hdrhistogram::Histogram;

/// Percentiles of the samples of one run, in their unit, to three figures.
#[derive(Debug, Clone, Copy)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// 99 of 100 are at or below it.
    pub p99: f64,
    /// 999 of 1000.
    pub p999: f64,
    /// The largest.
    pub max: f64,
}

impl Quantiles {
    /// All NaN without samples.
    pub fn of(samples: &[u64]) -> Quantiles {
        // 3 is within the limits of the histogram, which grows to hold any sample.
        let mut histogram = Histogram::<u64>::new(3).expect("three figures");
        histogram.auto(true);
        for sample in samples {
            histogram.record(*sample).expect("it grows");
        }
        let at = |quantile| match samples {
            [] => f64::NAN,
            _ => histogram.value_at_quantile(quantile) as f64,
        };
        Quantiles {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: samples.iter().max().map_or(f64::NAN, |max| *max as f64),
        }
    }
}

/// The middle value, of an even number the mean of two; NaN values are left out, and
/// without others the result is NaN.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([3.0, f64::NAN, 2.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn quantiles() {
        let mut samples: Vec<u64> = (1..=1000).collect();
        let found = Quantiles::of(&samples);
        assert_eq!(
            (found.p50, found.p99, found.p999, found.max),
            (500.0, 990.0, 999.0, 1000.0)
        );
        samples.fill(1 << 33);
        assert!(Quantiles::of(&samples).p50 >= (1u64 << 33) as f64);
        assert!(Quantiles::of(&[]).max.is_nan());
    }
}
