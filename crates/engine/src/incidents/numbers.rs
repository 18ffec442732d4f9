//! Order statistics and densities that the detector is made of.

/// The middle value; `None` of nothing. Reorders what it is given.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let (middle, is_odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if is_odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(f64::midpoint(lower, upper))
}

/// The logarithm of how much likelier `value` is under a Student distribution around `mean` than around 0.
pub(super) fn student_log_ratio(value: f64, mean: f64, freedom: f64) -> f64 {
    let away = value - mean;
    (freedom + 1.0) / 2.0 * ((freedom + value * value) / (freedom + away * away)).ln()
}

/// The logarithm of how much likelier `k` of `n` are when each has probability `p1` instead of `p0`.
pub(super) fn binomial_log_ratio(k: f64, n: f64, p0: f64, p1: f64) -> f64 {
    k * (p1 / p0).ln() + (n - k).max(0.0) * ((1.0 - p1) / (1.0 - p0)).ln()
}

/// Wilson's interval of 95 % for `k` of `n`.
pub(super) fn wilson(k: f64, n: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let p = k / n;
    let scale = 1.0 + Z * Z / n;
    let middle = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).max(0.0).sqrt();
    (middle - half, middle + half)
}

/// The mean without the largest hundredth part, so that one bad hour does not say how wild all are.
pub(super) fn trimmed_mean(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let kept = values.len() - values.len().div_ceil(50).min(values.len().saturating_sub(1));
    let kept = values.get(..kept).filter(|kept| !kept.is_empty())?;
    Some(kept.iter().sum::<f64>() / kept.len() as f64)
}

/// Turns logarithms of weights into shares of 1.
pub(super) fn normalise_logs(logs: &mut [f64]) {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        let even = 1.0 / logs.len().max(1) as f64;
        logs.fill(even);
        return;
    }
    let mut sum = 0.0;
    for log in logs.iter_mut() {
        *log = (*log - top).exp();
        sum += *log;
    }
    logs.iter_mut().for_each(|weight| *weight /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0]), Some(3.0));
        assert_eq!(median(&mut [4.0, 1.0]), Some(2.5));
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), Some(5.0));
    }

    #[test]
    fn logs_become_shares() {
        let mut logs = [-1000.0, -1000.0 + 2f64.ln(), f64::NEG_INFINITY];
        normalise_logs(&mut logs);
        assert!((logs[0] - 1.0 / 3.0).abs() < 1e-12 && logs[2] < 1e-300);
        let mut none = [f64::NEG_INFINITY; 2];
        normalise_logs(&mut none);
        assert_eq!(none, [0.5, 0.5]);
    }
}
