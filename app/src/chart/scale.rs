//! Even steps for an axis.

/// Ticks from 0 to the first even step at or above `highest`: three to six of them, each 1, 2, 2.5 or 5 times a power
/// of ten apart, never below 1. What is not a finite positive number counts as 1.
pub(super) fn even_ticks(highest: f64) -> Vec<f64> {
    let highest = if highest.is_finite() {
        highest.max(1.0)
    } else {
        1.0
    };
    let power = 10_f64.powf((highest / 4.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|step| step * power)
        .into_iter()
        .find(|step| *step >= 1.0 && step.fract() == 0.0 && step * 4.0 >= highest)
        .unwrap_or(power.max(1.0));
    let count = (highest / step).ceil().clamp(1.0, 10.0) as u32;
    (0..=count).map(|n| f64::from(n) * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_even_and_whole() {
        let check = |highest: f64, expected: &[f64]| assert_eq!(even_ticks(highest), expected, "{highest}");
        check(0.0, &[0.0, 1.0]);
        check(1.0, &[0.0, 1.0]);
        check(3.0, &[0.0, 1.0, 2.0, 3.0]);
        check(7.0, &[0.0, 2.0, 4.0, 6.0, 8.0]);
        check(53.0, &[0.0, 20.0, 40.0, 60.0]);
        check(100.0, &[0.0, 25.0, 50.0, 75.0, 100.0]);
        check(137.0, &[0.0, 50.0, 100.0, 150.0]);
        check(20_000.0, &[0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0]);
        check(f64::NAN, &[0.0, 1.0]);
        check(f64::INFINITY, &[0.0, 1.0]);
        check(-5.0, &[0.0, 1.0]);
    }
}
