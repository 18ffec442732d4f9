//! The map between time and percent of the drawing's width, and the ticks on its ruler.

/// Percent of the width left free before the first step.
const BEFORE_PERCENT: f64 = 1.2;
/// Percent of the width that time takes; the rest is room for the labels behind the last bars.
const TIME_PERCENT: f64 = 86.3;
/// A ruler carries at most this many steps.
const MAX_TICKS: f64 = 8.0;
/// Distances between ticks, in milliseconds.
const TICK_STEPS_MS: [f64; 34] = [
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1_000.0,
    2_000.0,
    5_000.0,
    10_000.0,
    15_000.0,
    30_000.0,
    60_000.0,
    120_000.0,
    300_000.0,
    600_000.0,
    900_000.0,
    1_800_000.0,
    3_600_000.0,
    7_200_000.0,
    21_600_000.0,
    43_200_000.0,
];

/// The time a drawing covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    start_us: i64,
    length_us: i64,
    before_percent: f64,
    time_percent: f64,
}

impl Scale {
    /// The scale of the waterfall: from the first to the last instant, in microseconds since 1970, with room for labels
    /// behind the bars.
    pub(crate) fn with_labels(bounds: (i64, i64)) -> Self {
        Self::over(bounds, BEFORE_PERCENT, TIME_PERCENT)
    }

    /// The scale of the overview strip: the whole run over the whole width.
    pub(crate) fn full_width(bounds: (i64, i64)) -> Self {
        Self::over(bounds, 0.0, 100.0)
    }

    fn over((start_us, end_us): (i64, i64), before_percent: f64, time_percent: f64) -> Self {
        Self {
            start_us,
            // A run of zero length still needs a length to divide by.
            length_us: end_us.saturating_sub(start_us).max(1),
            before_percent,
            time_percent,
        }
    }

    /// The length of the run, in milliseconds.
    pub(crate) fn length_ms(&self) -> f64 {
        self.length_us as f64 / 1_000.0
    }

    /// Where an instant (microseconds since 1970) lies, in percent of the width.
    pub(crate) fn percent_from_us(&self, at_us: i64) -> f64 {
        let share = at_us.saturating_sub(self.start_us) as f64 / self.length_us as f64;
        self.before_percent + share * self.time_percent
    }

    /// The ruler: (percent, label) on even steps, beginning with 0.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let length_ms = self.length_ms();
        ticks(0.0, length_ms)
            .into_iter()
            .map(|(ms, label)| (self.before_percent + ms / length_ms * self.time_percent, label))
            .collect()
    }
}

/// Even moments between two, in milliseconds since the beginning, with their labels: at most nine.
pub(crate) fn ticks(from_ms: f64, to_ms: f64) -> Vec<(f64, String)> {
    let length_ms = (to_ms - from_ms).max(0.001);
    let step_ms = TICK_STEPS_MS
        .into_iter()
        .find(|step| length_ms / step <= MAX_TICKS)
        .unwrap_or_else(|| (length_ms / MAX_TICKS / 86_400_000.0).ceil() * 86_400_000.0);
    let first = (from_ms / step_ms).ceil().max(0.0) as u64;
    let last = (to_ms / step_ms).floor().max(0.0) as u64;
    (first..=last.min(first + 20))
        .map(|n| n as f64 * step_ms)
        .filter(|ms| *ms <= to_ms)
        .map(|ms| (ms, tick_label(ms)))
        .collect()
}

/// A round duration in as few characters as possible: `5 s`, `250 ms`, `1 m 15 s`.
fn tick_label(ms: f64) -> String {
    let seconds = (ms / 1_000.0).round() as u64;
    let (value, unit) = match ms {
        ms if ms <= 0.0 => return "0".to_owned(),
        ms if ms < 0.9995 => (ms * 1_000.0, "µs"),
        ms if ms < 999.5 => (ms, "ms"),
        ms if ms < 59_999.0 => (ms / 1_000.0, "s"),
        ms if ms < 3_599_999.0 => return two_units(seconds, "m", "s"),
        _ => return two_units(seconds / 60, "h", "m"),
    };
    let text = format!("{value:.1}");
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

fn two_units(value: u64, large: &str, small: &str) -> String {
    match (value / 60, value % 60) {
        (whole, 0) => format!("{whole} {large}"),
        (whole, rest) => format!("{whole} {large} {rest:02} {small}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_zero_length_can_be_drawn() {
        let scale = Scale::with_labels((5, 5));
        assert!(scale.percent_from_us(5).is_finite());
        assert!(!scale.ticks().is_empty());
    }

    #[test]
    fn rulers() {
        let check = |length_ms: i64, expected: &str| {
            let scale = Scale::with_labels((7, 7 + length_ms * 1_000));
            let labels: Vec<String> = scale.ticks().into_iter().map(|t| t.1).collect();
            assert_eq!(labels.join(" "), expected, "{length_ms}");
        };
        check(38_600, "0 5 s 10 s 15 s 20 s 25 s 30 s 35 s");
        check(900, "0 200 ms 400 ms 600 ms 800 ms");
        check(96_000, "0 15 s 30 s 45 s 1 m 1 m 15 s 1 m 30 s");
        check(780_000, "0 2 m 4 m 6 m 8 m 10 m 12 m");
        check(200_000_000, "0 12 h 24 h 36 h 48 h");
        check(0, "0 1 µs");
    }

    #[test]
    fn a_part_of_a_run_has_the_ticks_that_lie_in_it() {
        let labels: Vec<String> = ticks(14_200.0, 21_000.0).into_iter().map(|t| t.1).collect();
        assert_eq!(labels.join(" "), "15 s 16 s 17 s 18 s 19 s 20 s 21 s");
        assert!(ticks(-50.0, -1.0).len() <= 1);
    }
}
