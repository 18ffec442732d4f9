//! The tables.

mod beside;
mod quiet;

use engine::incidents::Weights;
use engine::incidents::attribution::{FEATURES, probabilities};
use incident_generator::{Cause, HELD_OUT, Random};

use crate::outcome::{Label, Outcome, covers, delay_hours, onset_error_hours};
use crate::plot::calibration_error;
pub use beside::{beside_each_other, by_cause};
pub use quiet::quiet;

/// Calls that an effect needs before anybody can be asked to see it: 20 after it, as the detector says aloud.
const ENOUGH_CALLS: f64 = 100.0;

/// A line of a table.
fn line(out: &mut String, cells: &[&str]) {
    out.push_str(&format!("| {} |\n", cells.join(" | ")));
}

/// A part of some, with Wilson's interval.
fn part(hits: f64, n: f64) -> String {
    if n <= 0.0 {
        return "none".to_owned();
    }
    let (z, p) = (1.96f64, hits / n);
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    format!(
        "{:.1} % ({:.1}–{:.1}, n {n:.0})",
        p * 100.0,
        (middle - half) * 100.0,
        (middle + half) * 100.0
    )
}

fn rate(outcomes: &[&Outcome], hit: impl Fn(&Outcome) -> bool) -> String {
    part(
        outcomes.iter().filter(|outcome| hit(outcome)).count() as f64,
        outcomes.len() as f64,
    )
}

/// Whether a deploy is the likeliest option and the right one.
fn is_top(outcome: &Outcome) -> bool {
    rank_of(outcome).is_some_and(|rank| rank == 0)
}

/// The place of the right one among all options.
fn rank_of(outcome: &Outcome) -> Option<usize> {
    let found = outcome.found.as_ref()?;
    let mut options: Vec<_> = found.options.iter().collect();
    options.sort_by(|a, b| b.2.total_cmp(&a.2));
    options.iter().position(|(label, ..)| outcome.is_right(label))
}

/// Pairs of what was said of the likeliest option, and whether it was right.
pub fn reliability(outcomes: &[Outcome]) -> Vec<(f64, bool)> {
    let found = detected(outcomes).into_iter().filter_map(|outcome| {
        let (label, _, p) = outcome.found.as_ref()?.top()?;
        Some((*p, outcome.is_right(label)))
    });
    found.collect()
}

/// What a perfectly calibrated chooser with these probabilities would show.
fn error_by_chance(pairs: &[(f64, bool)]) -> f64 {
    let mut random = Random::new(7);
    let rounds = 40;
    let sum: f64 = (0..rounds)
        .map(|_| {
            let drawn: Vec<(f64, bool)> = pairs.iter().map(|(p, _)| (*p, random.chance(*p))).collect();
            calibration_error(&drawn, 15)
        })
        .sum();
    sum / f64::from(rounds)
}

fn brier(outcome: &Outcome) -> Option<f64> {
    let found = outcome.found.as_ref()?;
    let rights = found
        .options
        .iter()
        .filter(|(label, ..)| outcome.is_right(label))
        .count()
        .max(1) as f64;
    let sum: f64 = found
        .options
        .iter()
        .map(|(label, _, p)| {
            let target = if outcome.is_right(label) {
                1.0 / rights
            } else {
                0.0
            };
            (p - target) * (p - target)
        })
        .sum();
    Some(sum)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What was found and was large enough to be found: below the minimum there is nothing to attribute.
fn detected(outcomes: &[Outcome]) -> Vec<&Outcome> {
    outcomes
        .iter()
        .filter(|outcome| outcome.found.is_some() && outcome.truth.gates >= 1.0)
        .collect()
}

/// Everything about causes and detection.
pub fn attribution(outcomes: &[Outcome]) -> String {
    let detected = detected(outcomes);
    let by_deploy: Vec<&Outcome> = detected
        .iter()
        .copied()
        .filter(|outcome| outcome.is_deploy())
        .collect();
    let nulls: Vec<&Outcome> = detected
        .iter()
        .copied()
        .filter(|outcome| !outcome.is_deploy())
        .collect();
    let crowded: Vec<&Outcome> = by_deploy
        .iter()
        .copied()
        .filter(|outcome| outcome.truth.within_an_hour >= 2)
        .collect();
    let held_out: Vec<&Outcome> = by_deploy
        .iter()
        .copied()
        .filter(|outcome| matches!(outcome.truth.cause, Cause::Deploy { mechanism, .. } if HELD_OUT.contains(&mechanism)))
        .collect();
    let named: Vec<&Outcome> = detected
        .iter()
        .copied()
        .filter(|outcome| outcome.found.as_ref().is_some_and(|found| found.is_named()))
        .collect();
    let said_none: Vec<&Outcome> = detected
        .iter()
        .copied()
        .filter(|outcome| outcome.found.as_ref().is_some_and(|found| found.says_no_deploy()))
        .collect();
    let named_right = |outcome: &Outcome| {
        let named = outcome.found.as_ref().and_then(|found| found.named());
        named.is_some_and(|label| outcome.is_right(label))
    };
    let kind_right = |outcome: &Outcome| {
        let best = outcome.found.as_ref().and_then(|found| {
            found
                .options
                .iter()
                .filter(|(label, ..)| !matches!(label, Label::Deploy(_)))
                .max_by(|a, b| a.2.total_cmp(&b.2))
        });
        best.is_some_and(|(label, ..)| outcome.is_right(label))
    };
    let pairs = reliability(outcomes);
    let (error, chance) = (calibration_error(&pairs, 15), error_by_chance(&pairs));
    let mean_brier =
        detected.iter().filter_map(|outcome| brier(outcome)).sum::<f64>() / detected.len().max(1) as f64;
    let mut out = String::from("| figure | bar | measured |\n|---|---|---|\n");
    let mut row = |name: &str, bar: &str, value: String| {
        line(&mut out, &[name, bar, &value]);
    };
    row(
        "top-1, deploy-caused and detected",
        "≥ 95 %",
        rate(&by_deploy, is_top),
    );
    row(
        "top-1, two or more deploys inside an hour",
        "≥ 88 %",
        rate(&crowded, is_top),
    );
    row(
        "top-1, mechanisms kept out of training",
        "≥ 85 %",
        rate(&held_out, is_top),
    );
    row(
        "top-3",
        "≥ 99 %",
        rate(&by_deploy, |outcome| {
            rank_of(outcome).is_some_and(|rank| rank < 3)
        }),
    );
    row(
        "precision when a deploy is named",
        "≥ 97 %",
        rate(&named, named_right),
    );
    row(
        "deploy-caused and named at all",
        "",
        rate(&by_deploy, |o| o.found.as_ref().is_some_and(|f| f.is_named())),
    );
    row(
        "null recall",
        "≥ 92 %",
        rate(&nulls, |o| o.found.as_ref().is_some_and(|f| f.says_no_deploy())),
    );
    row(
        "null precision",
        "≥ 90 %",
        rate(&said_none, |outcome| !outcome.is_deploy()),
    );
    row(
        "null kind right, of nulls detected",
        "≥ 80 %",
        rate(&nulls, kind_right),
    );
    row("Brier, all options", "≤ 0.10", format!("{mean_brier:.3}"));
    row(
        "ECE of the likeliest option, 15 bins",
        "≤ 0.02",
        format!(
            "{error:.3} (a calibrated one shows {chance:.3}; the excess is {:.3})",
            (error - chance).max(0.0)
        ),
    );
    let visible: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.truth.calls_after >= ENOUGH_CALLS)
        .collect();
    let between = |low: f64, high: f64| -> Vec<&Outcome> {
        visible
            .iter()
            .copied()
            .filter(|outcome| (low..high).contains(&outcome.truth.gates))
            .collect()
    };
    let is_found = |outcome: &Outcome| outcome.found.is_some();
    row(
        "recall, effect ≥ 3 × the minimum",
        "≥ 99 %",
        rate(&between(3.0, f64::INFINITY), is_found),
    );
    row(
        "recall, 1 to 3 × the minimum",
        "≥ 85 %",
        rate(&between(1.0, 3.0), is_found),
    );
    row("found below the minimum", "", rate(&between(0.0, 1.0), is_found));
    let far: Vec<f64> = detected
        .iter()
        .filter(|outcome| outcome.truth.deviations >= 3.0 && outcome.truth.calls_after >= ENOUGH_CALLS)
        .filter_map(|outcome| Some(delay_hours(outcome.found.as_ref()?, &outcome.truth)))
        .collect();
    row(
        "median delay, ≥ 3 sd",
        "≤ 6 h",
        format!("{:.1} h (n {})", median(far.clone()), far.len()),
    );
    let close = |outcome: &Outcome| {
        outcome
            .found
            .as_ref()
            .is_some_and(|found| onset_error_hours(found, &outcome.truth) <= 1.0)
    };
    let covered = |outcome: &Outcome| {
        outcome
            .found
            .as_ref()
            .is_some_and(|found| covers(found, &outcome.truth))
    };
    row("onset within an hour", "≥ 90 %", rate(&detected, close));
    let strong: Vec<&Outcome> = detected
        .iter()
        .copied()
        .filter(|o| o.truth.gates >= 3.0)
        .collect();
    row(
        "onset within an hour, effect ≥ 3 × the minimum",
        "",
        rate(&strong, close),
    );
    row(
        "90 % interval holds the onset",
        "88–95 %",
        rate(&detected, covered),
    );
    row("detected and named right, of all deploy-caused", "", {
        let all: Vec<&Outcome> = outcomes
            .iter()
            .filter(|outcome| outcome.is_deploy() && outcome.truth.gates >= 1.0)
            .collect();
        rate(&all, |outcome| {
            is_top(outcome) && outcome.found.as_ref().is_some_and(|found| found.is_named())
        })
    });
    let extra = outcomes
        .iter()
        .map(|outcome| outcome.fragments.saturating_sub(1))
        .sum::<usize>();
    row(
        "incidents beside the first, of one cause",
        "",
        format!("{:.2} each", extra as f64 / detected.len().max(1) as f64),
    );
    out
}

/// What each feature is worth: top-1 of all causes and the loss without it, the other weights as they are.
pub fn ablation(outcomes: &[Outcome], weights: &Weights) -> String {
    let measure = |weights: &Weights| {
        let (mut hits, mut loss, mut n) = (0.0, 0.0, 0.0);
        for outcome in detected(outcomes) {
            let Some(found) = &outcome.found else { continue };
            let (deploys, nulls) = probabilities(&found.choice(), weights);
            let mut deploys = deploys.into_iter();
            let mut best = (0.0, false);
            let mut right = 0.0;
            for (label, ..) in &found.options {
                let p = match label {
                    Label::Null(cause) => nulls[*cause as usize],
                    _ => deploys.next().unwrap_or(0.0),
                };
                let is_right = outcome.is_right(label);
                right += if is_right { p } else { 0.0 };
                if p > best.0 {
                    best = (p, is_right);
                }
            }
            hits += f64::from(u8::from(best.1));
            loss -= right.max(1e-6).ln();
            n += 1.0;
        }
        (hits / n * 100.0, loss / n)
    };
    let whole = measure(weights);
    let mut out = format!(
        "| without | weight | top-1 of all causes | log loss |\n|---|---|---|---|\n| nothing | | {:.1} % | {:.3} |\n",
        whole.0, whole.1
    );
    for (at, feature) in FEATURES.iter().enumerate() {
        let mut less = weights.clone();
        less.features[at] = 0.0;
        let (top, loss) = measure(&less);
        let weight = format!("{:.2}", weights.features[at]);
        line(
            &mut out,
            &[
                feature.as_str(),
                &weight,
                &format!("{top:.1} %"),
                &format!("{loss:.3}"),
            ],
        );
    }
    out
}
