//! How often a month ends within the interval that was forecast for it, and how far off the forecast is: over a thousand
//! made-up months of spend in each of several shapes, asked on six days of the month.
//!
//! Prints the table of docs/cli.md. Deterministic: the same spend every time.

#![expect(clippy::print_stdout, reason = "it prints a table")]

use domain::{NanoUsd, Timestamp};
use engine::forecast::{Forecast, History};

const DAY_MICROS: i64 = 86_400_000_000;
/// Days of the month on whose noon the question is asked.
const ASKED_ON: [i64; 6] = [3, 7, 11, 16, 21, 26];
const MONTHS: u64 = 1_000;

/// How spend goes.
struct Shape {
    name: &'static str,
    /// Complete days before the month begins.
    before: i64,
    /// The mean of a day, given the day (0 is the first of the month) and its weekday (0 is Monday).
    mean: fn(i64, i64) -> f64,
    /// The standard deviation of a day's logarithm.
    noise: f64,
    /// That of what the level drifts by in a day.
    drift: f64,
    /// The day of the month on which something changes that nobody knew of before.
    changes_on: Option<i64>,
}

const SHAPES: [Shape; 10] = [
    Shape {
        name: "even",
        before: 60,
        mean: |_, _| 40.0,
        noise: 0.1,
        drift: 0.0,
        changes_on: None,
    },
    Shape {
        name: "quiet weekends",
        before: 60,
        mean: |_, weekday| if weekday >= 5 { 12.0 } else { 40.0 },
        noise: 0.15,
        drift: 0.01,
        changes_on: None,
    },
    Shape {
        name: "quiet weekends, two weeks old",
        before: 14,
        mean: |_, weekday| if weekday >= 5 { 12.0 } else { 40.0 },
        noise: 0.15,
        drift: 0.01,
        changes_on: None,
    },
    Shape {
        name: "growing by 1 % a day",
        before: 60,
        mean: |day, _| 40.0 * 1.01_f64.powf(day as f64),
        noise: 0.15,
        drift: 0.01,
        changes_on: None,
    },
    Shape {
        name: "restless",
        before: 60,
        mean: |_, _| 40.0,
        noise: 0.5,
        drift: 0.05,
        changes_on: None,
    },
    Shape {
        name: "begun on the first",
        before: 0,
        mean: |_, _| 40.0,
        noise: 0.2,
        drift: 0.02,
        changes_on: None,
    },
    Shape {
        name: "twice as dear from the 10th on",
        before: 60,
        mean: |day, _| if day < 9 { 20.0 } else { 40.0 },
        noise: 0.15,
        drift: 0.01,
        changes_on: Some(10),
    },
    Shape {
        name: "half as dear from the 10th on",
        before: 60,
        mean: |day, _| if day < 9 { 40.0 } else { 20.0 },
        noise: 0.15,
        drift: 0.01,
        changes_on: Some(10),
    },
    Shape {
        name: "three times as dear since three weeks before",
        before: 60,
        mean: |day, _| if day < -21 { 20.0 } else { 60.0 },
        noise: 0.15,
        drift: 0.01,
        changes_on: None,
    },
    Shape {
        name: "five times as dear on the 9th alone",
        before: 60,
        mean: |day, _| if day == 8 { 200.0 } else { 40.0 },
        noise: 0.15,
        drift: 0.01,
        changes_on: Some(9),
    },
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From the standard normal distribution, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let (a, b) = (self.share().max(1e-12), self.share());
        (-2.0 * a.ln()).sqrt() * (b * std::f64::consts::TAU).cos()
    }
}

/// What one day of the month was asked, over all months of a shape.
#[derive(Default)]
struct Outcome {
    asked: u32,
    within: u32,
    errors: Vec<f64>,
    widths: Vec<f64>,
}

fn main() {
    println!("| spend | asked on the | within (80 is right) | median error | median width |");
    println!("|---|---:|---:|---:|---:|");
    let mut all = Outcome::default();
    for (number, shape) in SHAPES.iter().enumerate() {
        let mut outcomes: [Outcome; ASKED_ON.len()] = Default::default();
        for month in 0..MONTHS {
            let mut random = Random((number as u64) << 32 | month);
            ask(shape, &mut random, &mut outcomes);
        }
        for (day, outcome) in ASKED_ON.iter().zip(&mut outcomes) {
            if outcome.asked == 0 {
                continue;
            }
            let is_before = shape.changes_on.is_some_and(|change| *day <= change);
            println!(
                "| {} | {day}.{} | {:.0} % | {:.1} % | ±{:.0} % |",
                shape.name,
                if is_before { ", before that" } else { "" },
                percent(outcome.within, outcome.asked),
                median(&mut outcome.errors) * 100.0,
                median(&mut outcome.widths) * 50.0
            );
            // Nobody can know what is yet to change.
            if is_before {
                continue;
            }
            all.asked += outcome.asked;
            all.within += outcome.within;
            all.errors.append(&mut outcome.errors);
        }
    }
    println!(
        "\nAll together, but for what was asked before a change: {:.1} % of {} months ended within the interval; median error {:.1} %.",
        percent(all.within, all.asked),
        all.asked,
        median(&mut all.errors) * 100.0
    );
}

/// Makes up a month and the days before it, and asks on each of the days.
fn ask(shape: &Shape, random: &mut Random, outcomes: &mut [Outcome]) {
    // A month of thirty days that begins on any weekday: one of the first dozen of 2026 to 2028.
    let months = [
        "2026-04", "2026-06", "2026-09", "2026-11", "2027-04", "2027-06", "2027-09", "2027-11",
    ];
    let month = months[(random.next() % 8) as usize];
    let Some(begin) = Timestamp::parse_rfc3339(&format!("{month}-01T00:00:00Z")) else {
        return;
    };
    let mut level = 0.0;
    let days: Vec<(Timestamp, f64)> = (-shape.before..30)
        .map(|day| {
            let at = begin.plus_micros(day * DAY_MICROS);
            let weekday = (at.micros().div_euclid(DAY_MICROS) + 3).rem_euclid(7);
            level += shape.drift * random.normal();
            let noise = shape.noise * random.normal() - shape.noise * shape.noise / 2.0;
            (at, (shape.mean)(day, weekday) * (level + noise).exp())
        })
        .collect();
    let of_month: f64 = days
        .iter()
        .filter(|(at, _)| *at >= begin)
        .map(|(_, spend)| spend)
        .sum();
    for (asked_on, outcome) in ASKED_ON.iter().zip(outcomes) {
        let now = begin.plus_micros((asked_on - 1) * DAY_MICROS + DAY_MICROS / 2);
        let known = days.iter().filter(|(at, _)| *at <= now).map(|(at, spend)| {
            let is_today = *at == now.day();
            let spend = if is_today { spend / 2.0 } else { *spend };
            (*at, NanoUsd((spend * 1e9) as i64))
        });
        let Some(forecast) = Forecast::of(&History::new(known, now)) else {
            continue;
        };
        let end = forecast.month_end().month_end;
        let dollars = |amount: NanoUsd| amount.0 as f64 / 1e9;
        outcome.asked += 1;
        outcome.within += u32::from((dollars(end.low)..=dollars(end.high)).contains(&of_month));
        outcome
            .errors
            .push((dollars(end.expected) / of_month - 1.0).abs());
        outcome
            .widths
            .push((dollars(end.high) - dollars(end.low)) / dollars(end.expected));
    }
}

fn percent(part: u32, of: u32) -> f64 {
    f64::from(part) * 100.0 / f64::from(of.max(1))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
