//! Even steps for an axis.

use domain::series::MetricUnit;

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

/// Ticks from 0 to the first even step at or above `highest`, which may lie far below 1 or be billions.
pub(super) fn value_ticks(highest: f64, unit: MetricUnit) -> Vec<f64> {
    // Half a minute is an even step of milliseconds, a tenth of a cent one of nano-dollars: both are decimal enough.
    let least = match unit {
        MetricUnit::NanoUsd => 1_000.0,
        MetricUnit::Ms => 1.0,
        MetricUnit::Share => 0.001,
        MetricUnit::Calls | MetricUnit::Tokens => return even_ticks(highest),
    };
    let highest = if highest.is_finite() {
        highest.max(least)
    } else {
        least
    };
    even_ticks(highest / least * 100.0)
        .into_iter()
        .map(|tick| tick * least / 100.0)
        .collect()
}

/// How a tick reads: `$20`, `$0.005`, `2.5 s`, `12 %`, `1.5k`.
pub(super) fn axis_text(value: f64, unit: MetricUnit) -> String {
    match unit {
        MetricUnit::NanoUsd => format!("${}", decimal(value / 1e9, 7)),
        MetricUnit::Ms if value >= 60_000.0 => format!("{} m", decimal(value / 60_000.0, 2)),
        MetricUnit::Ms if value >= 1_000.0 => format!("{} s", decimal(value / 1_000.0, 2)),
        MetricUnit::Ms => format!("{} ms", decimal(value, 2)),
        MetricUnit::Share => format!("{} %", decimal(value * 100.0, 3)),
        MetricUnit::Calls | MetricUnit::Tokens if value >= 10_000.0 => {
            domain::text::short_count(value as i64).replace(".0", "")
        }
        MetricUnit::Calls | MetricUnit::Tokens => domain::text::grouped(value.max(0.0) as u64),
    }
}

/// A number with at most so many digits behind the point, and no zeros at the end of them.
fn decimal(value: f64, digits: usize) -> String {
    if value >= 1_000.0 {
        return domain::text::grouped(value.round() as u64);
    }
    let text = format!("{value:.digits$}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_reads_evenly_whatever_its_unit() {
        let check = |highest: f64, unit: MetricUnit, expected: &[&str]| {
            let ticks = value_ticks(highest, unit);
            let texts: Vec<String> = ticks.iter().map(|tick| axis_text(*tick, unit)).collect();
            assert_eq!(texts, expected, "{highest}");
        };
        check(18.5e9, MetricUnit::NanoUsd, &["$0", "$5", "$10", "$15", "$20"]);
        check(21.4e6, MetricUnit::NanoUsd, &["$0", "$0.01", "$0.02", "$0.03"]);
        check(4_850.0, MetricUnit::Ms, &["0 ms", "2 s", "4 s", "6 s"]);
        check(0.012, MetricUnit::Share, &["0 %", "0.5 %", "1 %", "1.5 %"]);
        check(
            0.0,
            MetricUnit::Share,
            &["0 %", "0.025 %", "0.05 %", "0.075 %", "0.1 %"],
        );
        check(45_000.0, MetricUnit::Tokens, &["0", "20k", "40k", "60k"]);
        check(
            f64::NAN,
            MetricUnit::Ms,
            &["0 ms", "0.25 ms", "0.5 ms", "0.75 ms", "1 ms"],
        );
    }

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
