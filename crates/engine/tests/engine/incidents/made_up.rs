//! Traffic of a project, call by call, from a seed.

use std::collections::BTreeMap;

use domain::{NanoUsd, Timestamp};
use engine::incidents::window::{
    FirstSeen, MinuteRow, ModelRates, Novelty, Row, RunRow, SeriesName, Shipped, Sums, Window,
};

pub(crate) const MINUTE: i64 = 60_000_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// A Monday, 00:00 UTC.
const MONDAY: i64 = 1_793_577_600_000_000;

/// A time of a day, counted from 1.
pub(crate) fn on_day(day: i64, hour: i64, minute: i64) -> Timestamp {
    Timestamp::from_micros(MONDAY + (day - 1) * DAY + hour * HOUR + minute * MINUTE)
}

/// What one call is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) model: &'static str,
    pub(crate) template: &'static str,
    pub(crate) input: f64,
    pub(crate) output: f64,
    pub(crate) ms: f64,
    pub(crate) errors: f64,
}

pub(crate) const USUAL: Call = Call {
    model: "haiku",
    template: "aaaa",
    input: 3_500.0,
    output: 800.0,
    ms: 1_500.0,
    errors: 0.01,
};

/// A small generator of numbers: the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Around 1, seldom beyond 0.4 and 1.8.
    pub(crate) fn around(&mut self) -> f64 {
        0.4 + (self.unit() + self.unit() + self.unit()) * 0.4
    }
}

/// Collects calls into a window.
pub(crate) struct Project {
    dice: Dice,
    series: Vec<SeriesName>,
    sums: BTreeMap<(usize, i64), Sums>,
    runs: BTreeMap<(String, i64), i64>,
    minutes: BTreeMap<(usize, i64), MinuteRow>,
    /// Hours whose minutes are kept.
    pub(crate) looked_at: std::ops::Range<Timestamp>,
    seen: BTreeMap<(Novelty, String, String, String), Timestamp>,
    pub(crate) deploys: Vec<Shipped>,
    pub(crate) rates: Vec<ModelRates>,
}

fn rate(model: &str, from: Timestamp, input: i64, output: i64) -> ModelRates {
    ModelRates {
        model: model.to_owned(),
        valid_from: from,
        input,
        cache_read: input / 10,
        cache_write: input * 5 / 4,
        output,
        per_request: 0,
    }
}

impl Project {
    pub(crate) fn new(seed: u64) -> Self {
        let always = Timestamp::from_micros(0);
        Self {
            dice: Dice::new(seed),
            series: Vec::new(),
            sums: BTreeMap::new(),
            runs: BTreeMap::new(),
            minutes: BTreeMap::new(),
            looked_at: always..always,
            seen: BTreeMap::new(),
            deploys: Vec::new(),
            rates: vec![
                rate("haiku", always, 1_000_000_000, 5_000_000_000),
                rate("sonnet", always, 3_000_000_000, 15_000_000_000),
            ],
        }
    }

    pub(crate) fn price(&mut self, model: &str, from: Timestamp, input: i64, output: i64) {
        self.rates.push(rate(model, from, input, output));
    }

    pub(crate) fn deploy(&mut self, number: i64, title: &str, started: Timestamp, completed: Timestamp) {
        self.deploys.push(Shipped {
            id: format!("deploy-{number}"),
            sha: format!("{number:07}a"),
            pr_number: Some(number),
            title: title.to_owned(),
            started_at: started,
            completed_at: Some(completed),
            ..Shipped::default()
        });
    }

    /// A call, and the run it belongs to alone.
    pub(crate) fn call(&mut self, key: &str, step: &str, at: Timestamp, of: Call) {
        let name = SeriesName {
            key: key.to_owned(),
            environment: None,
            step: step.to_owned(),
            model: of.model.to_owned(),
            template: of.template.to_owned(),
        };
        for (what, value) in [
            (Novelty::Model, of.model),
            (Novelty::Template, of.template),
            (Novelty::Step, step),
        ] {
            let seen = self
                .seen
                .entry((what, value.to_owned(), key.to_owned(), step.to_owned()))
                .or_insert(at);
            *seen = (*seen).min(at);
        }
        let series = self
            .series
            .iter()
            .position(|known| *known == name)
            .unwrap_or_else(|| {
                self.series.push(name);
                self.series.len() - 1
            });
        let (input, output) = (
            (of.input * self.dice.around()) as i64,
            (of.output * self.dice.around()) as i64,
        );
        let rate = self
            .rates
            .iter()
            .filter(|rate| rate.model == of.model && rate.valid_from <= at)
            .max_by_key(|rate| rate.valid_from)
            .unwrap();
        let nano = (input * rate.input + output * rate.output) / 1_000_000;
        let ms = of.ms * self.dice.around();
        let has_failed = i64::from(self.dice.unit() < of.errors);
        let sums = self.sums.entry((series, at.hour().micros())).or_default();
        sums.calls += 1;
        sums.errors += has_failed;
        sums.anomalies += has_failed;
        sums.input_fresh += input;
        sums.output += output;
        sums.cost = sums.cost.saturating_add(NanoUsd(nano));
        sums.cost_squares += i128::from(nano) * i128::from(nano);
        sums.output_squares += i128::from(output) * i128::from(output);
        sums.latency_us.add_ms(ms);
        sums.ttft_us.add_ms(ms / 5.0);
        *sums.shapes.entry("json".to_owned()).or_default() += 1;
        *self.runs.entry((key.to_owned(), at.hour().micros())).or_default() += 1;
        if self.looked_at.contains(&at) {
            let minute = self.minutes.entry((series, at.minute().micros())).or_default();
            minute.series = series as u32;
            minute.minute = at.minute();
            minute.calls += 1;
            minute.errors += has_failed;
            minute.anomalies += has_failed;
            minute.cost = minute.cost.saturating_add(NanoUsd(nano));
            minute.output += output;
            minute.latency_us += (ms * 1_000.0) as i64;
        }
    }

    /// An hour of calls at random times, about `n`, each as `of` says of its time.
    pub(crate) fn hour(
        &mut self,
        key: &str,
        step: &str,
        from: Timestamp,
        n: f64,
        of: impl Fn(&mut Dice, Timestamp) -> Call,
    ) {
        let spread = n.sqrt() * (self.dice.around() - 1.0) * 2.5;
        let count = (n + spread).round().max(0.0) as i64;
        for _ in 0..count {
            let at = from.plus_micros((self.dice.unit() * HOUR as f64) as i64);
            let call = of(&mut self.dice, at);
            self.call(key, step, at, call);
        }
    }

    pub(crate) fn window(&self, now: Timestamp) -> Window {
        let row = |((series, hour), sums): (&(usize, i64), &Sums)| Row {
            series: *series as u32,
            hour: Timestamp::from_micros(*hour),
            sums: sums.clone(),
        };
        Window {
            series: self.series.clone(),
            rows: self.sums.iter().map(row).collect(),
            runs: self
                .runs
                .iter()
                .map(|((key, hour), runs)| RunRow {
                    key: key.clone(),
                    hour: Timestamp::from_micros(*hour),
                    runs: *runs,
                })
                .collect(),
            minutes: self.minutes.values().cloned().collect(),
            releases: Vec::new(),
            first_seen: self
                .seen
                .iter()
                .map(|((what, value, key, step), at)| FirstSeen {
                    what: *what,
                    value: value.clone(),
                    key: key.clone(),
                    step: step.clone(),
                    at: *at,
                })
                .collect(),
            deploys: self.deploys.clone(),
            rates: self.rates.clone(),
            now,
        }
    }
}

/// What is usual in an hour of the day: few at night, most in the afternoon; mean 1.
pub(crate) fn by_hour(at: Timestamp) -> f64 {
    let hour = at.micros().div_euclid(HOUR).rem_euclid(24) as f64;
    1.0 + 0.6 * (std::f64::consts::TAU * (hour - 14.0) / 24.0).cos()
}
