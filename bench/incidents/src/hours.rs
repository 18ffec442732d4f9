//! What it costs to judge the latest hours of a large project alone, beside judging all of it.

use std::time::{Duration, Instant};

use domain::{NanoUsd, Timestamp};
use engine::incidents::window::{Row, RunRow, SeriesName, Sums, Window};
use engine::incidents::{Settings, Since, Standing, Weights, judge_and_keep};

const HOUR_MICROS: i64 = 3_600_000_000;
/// A Monday, 00:00 UTC.
const BEGINS: i64 = 1_793_577_600_000_000;
/// Of a key: this many steps with two models each.
const STEPS: u32 = 25;
const MODELS: [&str; 2] = ["haiku", "sonnet"];
const SERIES_OF_KEY: u32 = 2 * STEPS;
/// Every series has calls in every hour: at least, and up to so many more.
const LEAST_CALLS: u64 = 4;
const MORE_CALLS: u64 = 8;
/// How often the latest hours are judged, for a median.
const ROUNDS: usize = 15;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Hours of series of the whole window.
    pub rows: usize,
    /// Metrics of keys and steps that may open an incident.
    pub metrics: usize,
    /// Judging all of it.
    pub whole: Duration,
    /// Hours of series that are read to judge the running hour: it, and one or two before it.
    pub recent_rows: usize,
    /// Judging those; the median of several times.
    pub hours: Duration,
    /// What they said.
    pub since: Since,
}

/// Judges `days` of a project with about `series` series, all of them busy, and then the hour after alone. `None` where
/// there is nothing to judge.
pub fn cost(series: u32, days: i64) -> Option<Cost> {
    let midnight = BEGINS + days * 24 * HOUR_MICROS;
    let at = |hour: i64, minutes: i64| {
        Timestamp::from_micros(midnight + hour * HOUR_MICROS + minutes * HOUR_MICROS / 60)
    };
    let mut all = window(series, days, at(12, 30));
    let settings = Settings::default();
    let begun = Instant::now();
    let (_, standing) = judge_and_keep(&all, &settings, &Weights::shipped());
    let whole = begun.elapsed();
    let standing = standing?;
    all.now = at(13, 59);
    let recent = latest(&all, &standing);
    let mut since = Since::Everything;
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            since = standing.since(&recent, &settings);
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    Some(Cost {
        rows: all.rows.len(),
        metrics: standing.len(),
        whole,
        recent_rows: recent.rows.len(),
        hours: took.get(ROUNDS / 2).copied()?,
        since,
    })
}

/// What a server reads as of the window's `now`.
fn latest(window: &Window, standing: &Standing) -> Window {
    let from = standing.reads_from();
    let rows = window.rows.iter().filter(|row| row.hour >= from);
    let runs = window.runs.iter().filter(|row| row.hour >= from);
    Window {
        series: window.series.clone(),
        rows: rows.cloned().collect(),
        runs: runs.cloned().collect(),
        now: window.now,
        ..Window::default()
    }
}

fn window(series: u32, days: i64, now: Timestamp) -> Window {
    let keys = series.div_ceil(SERIES_OF_KEY);
    let mut window = Window {
        now,
        ..Window::default()
    };
    for key in 0..keys {
        for step in 0..STEPS {
            window.series.extend(MODELS.map(|model| SeriesName {
                key: format!("key-{key}"),
                step: format!("step-{step}"),
                model: model.to_owned(),
                template: format!("{:08x}", key * STEPS + step),
                ..SeriesName::default()
            }));
        }
    }
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut unit = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    for hour in 0..days * 24 + 14 {
        let hour = Timestamp::from_micros(BEGINS + hour * HOUR_MICROS);
        for series in 0..window.series.len() {
            let calls = LEAST_CALLS + (unit() * MORE_CALLS as f64) as u64;
            window.rows.push(Row {
                series: u32::try_from(series).unwrap_or(u32::MAX),
                hour,
                sums: sums(calls, &mut unit),
            });
        }
        window.runs.extend((0..keys).map(|key| RunRow {
            key: format!("key-{key}"),
            hour,
            runs: 100,
        }));
    }
    window
}

fn sums(calls: u64, unit: &mut impl FnMut() -> f64) -> Sums {
    let mut sums = Sums::default();
    for _ in 0..calls {
        let around = 0.4 + (unit() + unit() + unit()) * 0.4;
        let (input, output) = ((3_500.0 * around) as i64, (800.0 * around) as i64);
        let nano = input * 1_000 + output * 5_000;
        let has_failed = i64::from(unit() < 0.01);
        sums.calls += 1;
        sums.errors += has_failed;
        sums.anomalies += has_failed;
        sums.input_fresh += input;
        sums.output += output;
        sums.cost = sums.cost.saturating_add(NanoUsd(nano));
        sums.cost_squares += i128::from(nano) * i128::from(nano);
        sums.output_squares += i128::from(output) * i128::from(output);
        sums.latency_us.add_ms(1_500.0 * around);
        sums.ttft_us.add_ms(300.0 * around);
        *sums.shapes.entry("json".to_owned()).or_default() += 1;
    }
    sums
}
