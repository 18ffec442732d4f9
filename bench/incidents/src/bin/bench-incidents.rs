//! Prints how well incidents are found and attributed; with `fit`, refits the weights first and prints what changed.
//!
//!     bench-incidents                      the test set with the weights as shipped
//!     bench-incidents --fit 1              fits version 1 on the training set, writes data/attribution.json
//!     bench-incidents --test 500           fewer incidents
//!     bench-incidents --misses             lists what went wrong, one line each
//!     bench-incidents --seed 3000045       one of them in detail

#![expect(clippy::print_stdout, reason = "printing tables is what this program does")]
#![expect(clippy::print_stderr, reason = "progress")]

use std::collections::BTreeMap;
use std::process::ExitCode;

use bench_incidents::convert;
use bench_incidents::fit::{Example, fit, loss};
use bench_incidents::outcome::{Label, Outcome, delay_hours, onset_error_hours, outcome, quiet_outcome};
use bench_incidents::{QUIET, TEST, TRAIN, VALIDATION, in_parallel, plot, report};
use engine::incidents::attribution::FEATURES;
use engine::incidents::{Settings, Weights, judge};
use incident_generator::{Options, scenario};

const WEIGHTS: &str = "data/attribution.json";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        arguments
            .iter()
            .position(|word| word == name)
            .and_then(|at| arguments.get(at + 1))
    };
    let number = |name: &str, default: u64| value(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let has = |name: &str| arguments.iter().any(|word| word == name);
    let mut weights = Weights::shipped();
    if let Some(seed) = value("--seed").and_then(|text| text.parse().ok()) {
        show(seed, &weights);
        return ExitCode::SUCCESS;
    }
    if let Some(version) = value("--fit") {
        weights = match refit(
            version,
            &weights,
            number("--train", 3_000),
            number("--validation", 2_000),
        ) {
            Ok(weights) => weights,
            Err(cause) => {
                eprintln!("bench-incidents: {cause}");
                return ExitCode::FAILURE;
            }
        };
    }
    let (set, from) = if has("--on-validation") {
        ("validation", VALIDATION)
    } else {
        ("test", TEST)
    };
    let options = Options {
        held_out: from == TEST,
    };
    let count = number("--test", 5_000);
    let outcomes: Vec<Outcome> = in_parallel(from, count, |seed| outcome(seed, options, &weights))
        .into_iter()
        .flatten()
        .collect();
    println!(
        "## {} incidents of the {set} set, weights {}\n",
        outcomes.len(),
        weights.version
    );
    println!("{}", report::attribution(&outcomes));
    println!("{}", report::beside_each_other(&outcomes));
    println!("{}", report::by_cause(&outcomes));
    println!("{}", report::ablation(&outcomes, &weights));
    let quiet = in_parallel(QUIET, number("--quiet", 500), |seed| {
        quiet_outcome(seed, &weights)
    });
    println!("{}", report::quiet(&quiet));
    if has("--misses") {
        outcomes.iter().for_each(list_miss);
    }
    if let Some(path) = value("--svg")
        && let Err(cause) = std::fs::write(path, plot::svg(&report::reliability(&outcomes)))
    {
        eprintln!("bench-incidents: {path}: {cause}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn refit(version: &str, before: &Weights, train: u64, validation: u64) -> std::io::Result<Weights> {
    let examples = |from: u64, count: u64| -> Vec<Example> {
        let outcomes = in_parallel(from, count, |seed| outcome(seed, Options::default(), before));
        outcomes.iter().flatten().filter_map(Example::of).collect()
    };
    eprintln!("judging {train} incidents of training and {validation} of validation …");
    let (train, validation) = (examples(TRAIN, train), examples(VALIDATION, validation));
    let fitted_on = format!(
        "{} found incidents of training, temperature on {} of validation, generator of this version",
        train.len(),
        validation.len()
    );
    let weights = fit(&train, &validation, version, &fitted_on);
    println!(
        "validation log loss {:.3} → {:.3}\n",
        loss(&validation, before),
        loss(&validation, &weights)
    );
    println!("| weight | before | after |\n|---|---|---|");
    for (at, feature) in FEATURES.iter().enumerate() {
        println!(
            "| {} | {:.3} | {:.3} |",
            feature.as_str(),
            before.features[at],
            weights.features[at]
        );
    }
    println!(
        "| temperature | {:.3} | {:.3} |\n",
        before.temperature, weights.temperature
    );
    std::fs::write(WEIGHTS, weights.to_json())?;
    Ok(weights)
}

/// One incident in detail.
fn show(seed: u64, weights: &Weights) {
    let made = scenario(
        seed,
        Options {
            held_out: seed >= TEST,
        },
    );
    println!(
        "{:?}\nkeys {} days {} series {}",
        made.truth,
        made.keys,
        made.days,
        made.series.len()
    );
    if let Some(truth) = &made.truth {
        println!(
            "began {}, half {}, until {}",
            convert::at(truth.onset),
            convert::at(truth.half),
            convert::at(made.now)
        );
    }
    for incident in judge(&convert::window(&made), &Settings::default(), weights) {
        println!(
            "{:?} {:?} {:?} {:?} {:?} onset {} ({} to {}) opened {} last {} {:?}",
            incident.key,
            incident.step,
            incident.metric,
            incident.door,
            incident.status,
            incident.onset.at,
            incident.onset.from,
            incident.onset.to,
            incident.opened_at,
            incident.last_at,
            incident.verdict.sentence
        );
        for moved in &incident.also_moved {
            println!(
                "    {} {:?} {:?} {} {:+.2}",
                moved.key, moved.step, moved.metric, moved.onset, moved.change
            );
        }
    }
}

fn list_miss(outcome: &Outcome) {
    let cause = format!("{:?}", outcome.truth.cause);
    let truth = &outcome.truth;
    let Some(found) = &outcome.found else {
        if truth.gates >= 1.0 {
            println!(
                "{} missed {cause} gates {:.1} calls {:.0} dev {:.1}",
                outcome.seed, truth.gates, truth.calls_after, truth.deviations
            );
        }
        return;
    };
    let Some((label, features, p)) = found.top() else {
        return;
    };
    if outcome.is_right(label) {
        return;
    }
    let shown = |features: &[f64]| -> BTreeMap<&str, String> {
        let all = FEATURES.iter().zip(features).filter(|(_, value)| **value != 0.0);
        all.map(|(feature, value)| (feature.as_str(), format!("{value:.2}")))
            .collect()
    };
    println!(
        "{} {:?} {cause} delay {:.1} onset error {:.1} gates {:.1} tagged {} said {label:?} {p:.2} {:?}",
        outcome.seed,
        found.incident.metric,
        delay_hours(found, truth),
        onset_error_hours(found, truth),
        truth.gates,
        outcome.is_tagged,
        shown(features),
    );
    for (label, features, p) in found.options.iter().filter(|(label, ..)| outcome.is_right(label)) {
        println!("    right {label:?} {p:.2} {:?}", shown(features));
    }
    if !found.options.iter().any(|(label, ..)| outcome.is_right(label)) {
        println!("    right is no candidate; {}", matches!(label, Label::Null(_)));
    }
}
