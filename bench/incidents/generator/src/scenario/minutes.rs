//! The calls of an hour by the minute.

use super::{Cell, MinuteCell};
use crate::random::Random;

/// How the calls of an hour are spread over its minutes: a weight each.
pub(super) struct Pace([f64; 60]);

impl Pace {
    /// As many in each.
    pub(super) const EVEN: Self = Self([1.0; 60]);

    /// Unevenly, which is the rule.
    pub(super) fn draw(random: &mut Random, (noise, on_the_hour): (f64, f64)) -> Self {
        const MEMORY: f64 = 0.6;
        let mut state = random.normal();
        let mut pace = [0.0; 60];
        for (minute, own) in pace.iter_mut().enumerate() {
            state = MEMORY * state + (1.0 - MEMORY * MEMORY).sqrt() * random.normal();
            let more = if minute == 0 { 1.0 + on_the_hour } else { 1.0 };
            *own = (noise * state).exp() * more;
        }
        Self(pace)
    }

    /// How much of the hour's calls come between two of its minutes.
    pub(super) fn between(&self, from: f64, to: f64) -> f64 {
        let first = from.floor() as i64;
        (first..to.ceil() as i64)
            .map(|minute| {
                let part = to.min((minute + 1) as f64) - from.max(minute as f64);
                part.max(0.0) * self.of(minute)
            })
            .sum()
    }

    fn of(&self, minute: i64) -> f64 {
        self.0[minute.rem_euclid(60) as usize]
    }
}

/// Calls by the minute, in the order of time.
pub(super) fn spread(
    random: &mut Random,
    pace: &Pace,
    (from, to): (f64, f64),
    cell: &Cell,
) -> Vec<(i64, MinuteCell)> {
    let first = from.floor() as i64;
    let mut minutes: Vec<(i64, MinuteCell)> = (first..(to.ceil() as i64).max(first + 1))
        .map(|minute| (minute, MinuteCell::default()))
        .collect();
    let mut sums = Vec::with_capacity(minutes.len());
    let mut sum = 0.0;
    for (minute, _) in &minutes {
        sum += pace.of(*minute);
        sums.push(sum);
    }
    let any = |random: &mut Random| {
        let at = random.unit() * sum;
        sums.partition_point(|known| *known < at).min(sums.len() - 1)
    };
    for stratum in &cell.strata {
        for _ in 0..stratum.calls {
            let (_, own) = &mut minutes[any(random)];
            own.calls += 1;
            own.cost_nano += stratum.cost_nano;
            own.output += stratum.output;
            own.latency_sum_us += stratum.latency_us;
        }
    }
    // A failed call is one of those that were made.
    let mut left = (cell.calls, cell.errors, cell.anomalies);
    for (_, own) in &mut minutes {
        let part = own.calls as f64 / left.0.max(1) as f64;
        own.errors = random.binomial(left.1, part).min(own.calls);
        own.anomalies = random.binomial(left.2, part).min(own.calls);
        left = (left.0 - own.calls, left.1 - own.errors, left.2 - own.anomalies);
    }
    minutes.retain(|(_, own)| own.calls > 0);
    minutes
}
