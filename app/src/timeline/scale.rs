//! The map between time and percent of the drawing's width, and the ticks on its ruler.

use domain::{StepSummary, Timestamp};

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

/// When a step ended as far as the drawing is concerned: a running step goes on until `now`.
pub(crate) fn drawn_end(step: &StepSummary, now: Timestamp) -> Timestamp {
    let length_micros = step
        .latency_ms
        .filter(|ms| *ms > 0.0)
        .map(|ms| (ms * 1_000.0) as i64);
    match (step.ended_at, length_micros) {
        (Some(end), _) => end.max(step.started_at),
        (None, Some(micros)) => step.started_at.plus_micros(micros),
        (None, None) => now.max(step.started_at),
    }
}

/// The time a drawing covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    start: Timestamp,
    length_micros: i64,
    before_percent: f64,
    time_percent: f64,
}

impl Scale {
    /// The scale of the waterfall: the whole run, with room for labels behind the bars.
    pub(crate) fn with_labels(steps: &[StepSummary], now: Timestamp) -> Self {
        Self::over(steps, now, BEFORE_PERCENT, TIME_PERCENT)
    }

    /// The scale of the overview strip: the whole run over the whole width.
    pub(crate) fn full_width(steps: &[StepSummary], now: Timestamp) -> Self {
        Self::over(steps, now, 0.0, 100.0)
    }

    fn over(steps: &[StepSummary], now: Timestamp, before_percent: f64, time_percent: f64) -> Self {
        let start = steps.iter().map(|s| s.started_at).min().unwrap_or(now);
        let end = steps.iter().map(|s| drawn_end(s, now)).max().unwrap_or(now);
        Self {
            start,
            // A run of zero length still needs a length to divide by.
            length_micros: (end.micros() - start.micros()).max(1),
            before_percent,
            time_percent,
        }
    }

    /// The first instant.
    pub(crate) fn start(&self) -> Timestamp {
        self.start
    }

    /// The length of the run, in milliseconds.
    pub(crate) fn length_ms(&self) -> f64 {
        self.length_micros as f64 / 1_000.0
    }

    /// Where an instant lies, in percent of the width.
    pub(crate) fn percent_from_time(&self, at: Timestamp) -> f64 {
        let share = (at.micros() - self.start.micros()) as f64 / self.length_micros as f64;
        self.before_percent + share * self.time_percent
    }

    /// Which instant lies at a percentage of the width, held within the run.
    pub(crate) fn time_from_percent(&self, percent: f64) -> Timestamp {
        let share = ((percent - self.before_percent) / self.time_percent).clamp(0.0, 1.0);
        self.start
            .plus_micros((share * self.length_micros as f64).round() as i64)
    }

    /// Percent of the width between two instants, never negative.
    pub(crate) fn percent_between(&self, from: Timestamp, to: Timestamp) -> f64 {
        (self.percent_from_time(to) - self.percent_from_time(from)).max(0.0)
    }

    /// The ruler: (percent, label) on even steps, beginning with 0.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let length_ms = self.length_ms();
        let step_ms = TICK_STEPS_MS
            .into_iter()
            .find(|step| length_ms / step <= MAX_TICKS)
            .unwrap_or_else(|| (length_ms / MAX_TICKS / 86_400_000.0).ceil() * 86_400_000.0);
        let count = (length_ms / step_ms).floor() as u32;
        (0..=count)
            .map(|n| {
                let ms = f64::from(n) * step_ms;
                let percent = self.before_percent + ms / length_ms * self.time_percent;
                (percent, tick_label(ms))
            })
            .collect()
    }
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
    use domain::StepStatus;

    use super::*;
    use crate::timeline::sample::{BEGIN, step};

    #[test]
    fn time_and_percent_are_inverse() {
        let steps = [step("a", None, 0, 38_600), step("b", None, 1_000, 0)];
        for scale in [
            Scale::with_labels(&steps, BEGIN),
            Scale::full_width(&steps, BEGIN),
        ] {
            for ms in [0, 1, 999, 12_345, 38_600] {
                let at = BEGIN.plus_micros(ms * 1_000);
                let back = scale.time_from_percent(scale.percent_from_time(at));
                assert!((back.micros() - at.micros()).abs() <= 1, "{ms}");
            }
            assert_eq!(scale.time_from_percent(-50.0), BEGIN);
            assert_eq!(scale.time_from_percent(500.0), BEGIN.plus_micros(38_600_000));
        }
    }

    #[test]
    fn a_run_of_zero_length_can_be_drawn() {
        for steps in [&[][..], &[step("a", None, 0, 0)][..]] {
            let scale = Scale::with_labels(steps, BEGIN);
            assert!(scale.percent_from_time(BEGIN).is_finite());
            assert!(!scale.ticks().is_empty());
        }
    }

    #[test]
    fn a_running_step_goes_on_until_now() {
        let mut running = step("a", None, 0, 0);
        running.ended_at = None;
        running.latency_ms = None;
        running.status = StepStatus::Running;
        let now = BEGIN.plus_micros(5_000_000);
        assert_eq!(drawn_end(&running, now), now);
        assert_eq!(drawn_end(&running, BEGIN.plus_micros(-1)), BEGIN);
        running.latency_ms = Some(-4.0);
        assert_eq!(drawn_end(&running, now), now);
    }

    #[test]
    fn rulers() {
        let check = |length_ms: i64, expected: &str| {
            let scale = Scale::with_labels(&[step("a", None, 0, length_ms)], BEGIN);
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
}
