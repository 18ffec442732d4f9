//! Calls of one kind in one stretch of time, added up.

use super::{Cell, Stratum};
use crate::random::Random;
use crate::world::{Model, Step};

/// Calls beyond which strata stand for several each.
const ONE_BY_ONE: i64 = 40;

/// A call's latency in microseconds, to its first token and to its end.
struct Timing {
    first_us: f64,
    whole_us: f64,
}

/// Simulates `n` calls of a step with a model.
pub(super) fn simulate(
    random: &mut Random,
    step: &Step,
    model: &Model,
    rates: (f64, f64, f64),
    n: i64,
    into: &mut Cell,
) {
    let strata = n.min(ONE_BY_ONE);
    if strata <= 0 {
        return;
    }
    let wander = step.wander_state.exp();
    // Where one stands for several, each stratum draws from its own part of the distribution: together they are as even
    // as many calls would be.
    let is_dense = n > ONE_BY_ONE;
    let (mut lengths, mut paces): (Vec<i64>, Vec<i64>) = ((0..strata).collect(), (0..strata).collect());
    if is_dense {
        shuffle(random, &mut lengths);
        shuffle(random, &mut paces);
    }
    for stratum in 0..strata {
        let place = |random: &mut Random, of: &[i64]| match of.get(stratum as usize) {
            Some(own) if is_dense => quantile((*own as f64 + random.unit()) / strata as f64),
            _ => random.normal(),
        };
        // The rest is spread over the first ones.
        let weight = n / strata + i64::from(stratum < n % strata);
        let input = (step.input * wander * heavy(random, step.input_spread)).clamp(1.0, 900_000.0);
        let spread = step.output_spread;
        let length = (spread * place(random, &lengths) - spread * spread / 2.0).exp();
        let output = (step.output * wander * model.verbosity * length).clamp(1.0, 64_000.0);
        let cached = if random.chance(0.9) {
            (step.cached * random.between(0.85, 1.1)).min(0.98)
        } else {
            0.0
        };
        let (fresh, read, out) = (
            (input * (1.0 - cached)).round(),
            (input * cached).round(),
            output.round(),
        );
        let nano = (fresh * rates.0 + read * rates.1 + out * rates.2).round();
        // A few calls take far longer than the rest.
        let pace = place(random, &paces);
        let noise = (0.25 * pace).exp() * if pace > 2.0 { random.between(2.0, 5.0) } else { 1.0 };
        let first_us = model.first_ms * 1_000.0 * step.slowness * noise * (1.0 + input / 60_000.0);
        let timing = Timing {
            first_us,
            whole_us: first_us + out * model.token_ms * 1_000.0 * step.slowness * noise,
        };
        into.strata.push(Stratum {
            calls: weight,
            cost_nano: nano as i64,
            output: out as i64,
            latency_us: timing.whole_us as i64,
        });
        let (w, wide) = (weight as f64, i128::from(weight));
        into.calls += weight;
        into.input_fresh += (fresh * w) as i64;
        into.cache_read += (read * w) as i64;
        into.output += (out * w) as i64;
        into.cost_nano += nano as i64 * weight;
        into.cost_squares += (nano as i128) * (nano as i128) * wide;
        into.output_squares += (out as i128) * (out as i128) * wide;
        into.latency_us.push((timing.whole_us as i64, weight));
        into.first_us.push((timing.first_us as i64, weight));
        into.latency_sum_us += timing.whole_us as i64 * weight;
    }
    into.errors += random.binomial(n, step.errors);
    into.anomalies += random.binomial(n, step.anomalies);
    let json = random.binomial(n, step.shapes[0]);
    let list = random.binomial(
        n - json,
        (step.shapes[2] / (1.0 - step.shapes[0]).max(1e-6)).min(1.0),
    );
    for (known, more) in into.shapes.iter_mut().zip([json, n - json - list, list]) {
        *known += more;
    }
}

fn shuffle(random: &mut Random, values: &mut [i64]) {
    for at in (1..values.len()).rev() {
        values.swap(at, random.whole(0, at as i64) as usize);
    }
}

/// The normal value below which a share `p` lies, by its logistic cousin with a correction: within 0.02 of it.
fn quantile(p: f64) -> f64 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    // Tukey's lambda.
    4.91 * (p.powf(0.14) - (1.0 - p).powf(0.14))
}

/// A factor of mean 1 with a heavier tail than a logarithmic normal's: Weibull's and Gamma's cousins mixed.
fn heavy(random: &mut Random, spread: f64) -> f64 {
    if random.chance(0.85) {
        (spread * random.normal() - spread * spread / 2.0).exp()
    } else {
        random.exponential(1.0)
    }
}
