//! Prints how well incidents are found and attributed; with `fit`, refits the weights first and prints what changed.
//!
//!     bench-incidents                      the test set with the weights as shipped
//!     bench-incidents --fit 1              fits version 1 on the training set, writes data/attribution.json
//!     bench-incidents --test 500           fewer incidents
//!     bench-incidents --misses             lists what went wrong, one line each
//!     bench-incidents --seed 2000045       one of them in detail
//!     bench-incidents --speed 50           what judging costs
//!     bench-incidents --hour 2000          what judging an hour of so many series costs; --days 9 of them before it
//!     bench-incidents --on-validation      the validation set, for looking at while something is made
//!     bench-incidents --threads 1          leaves the other cores alone
//!     bench-incidents --weights FILE       other weights than those that are built in

#![expect(clippy::print_stdout, reason = "printing tables is what this program does")]
#![expect(clippy::print_stderr, reason = "progress")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench_incidents::baselines::ceiling;
use bench_incidents::convert;
use bench_incidents::fit::{Example, fit, loss};
use bench_incidents::hours;
use bench_incidents::outcome::{
    Label, Outcome, delay_hours, judged, onset_error_hours, outcome, quiet_outcome,
};
use bench_incidents::{QUIET, QUIET_VALIDATION, TEST, TRAIN, VALIDATION, in_parallel, plot, report, threads};
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
    let mut weights = match value("--weights").map(std::fs::read_to_string) {
        None => Weights::shipped(),
        Some(read) => match read.ok().and_then(|json| Weights::parse(&json)) {
            Some(weights) => weights,
            None => {
                eprintln!("bench-incidents: these weights can't be read");
                return ExitCode::FAILURE;
            }
        },
    };
    if let Some(seed) = value("--seed").and_then(|text| text.parse().ok()) {
        show(seed, &weights);
        return ExitCode::SUCCESS;
    }
    let count = number("--test", 5_000);
    let on_validation = has("--on-validation");
    let threads = threads(value("--threads").and_then(|text| text.parse().ok()));
    let mut outcomes = Vec::new();
    if has("--speed") {
        print_speed(number("--speed", 50), &weights);
        return ExitCode::SUCCESS;
    }
    if has("--hour") {
        print_hour(number("--hour", 2_000), number("--days", 9));
        return ExitCode::SUCCESS;
    }
    if let Some(version) = value("--fit") {
        let train = judge_all(
            threads,
            TRAIN,
            number("--train", 3_000),
            Options::default(),
            &weights,
        );
        let validation = number("--validation", 2_000);
        let mut validation = judge_all(threads, VALIDATION, validation, Options::default(), &weights);
        weights = match refit(version, &weights, &train, &validation) {
            Ok(weights) => weights,
            Err(cause) => {
                eprintln!("bench-incidents: {cause}");
                return ExitCode::FAILURE;
            }
        };
        if on_validation {
            let found = validation.iter_mut().filter_map(|outcome| outcome.found.as_mut());
            found.for_each(|found| found.rescore(&weights));
            outcomes = validation;
        }
    } else if on_validation {
        outcomes = judge_all(threads, VALIDATION, count, Options::default(), &weights);
    }
    let set = if on_validation { "validation" } else { "test" };
    if !on_validation {
        outcomes = judge_all(threads, TEST, count, Options { held_out: true }, &weights);
    }
    println!(
        "## {} incidents of the {set} set, weights {}\n",
        outcomes.len(),
        weights.version
    );
    println!("{}", report::attribution(&outcomes));
    println!("{}", report::beside_each_other(&outcomes));
    println!("{}", report::by_cause(&outcomes));
    println!("{}", report::ablation(&outcomes, &weights));
    let quiet_from = if on_validation { QUIET_VALIDATION } else { QUIET };
    let quiet = in_parallel(threads, quiet_from, number("--quiet", 500), |seed| {
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

fn judge_all(threads: u64, from: u64, count: u64, options: Options, weights: &Weights) -> Vec<Outcome> {
    eprintln!("judging {count} incidents from seed {from} on …");
    let begun = Instant::now();
    let outcomes = in_parallel(threads, from, count, |seed| outcome(seed, options, weights));
    eprintln!("… took {:.0} s", begun.elapsed().as_secs_f64());
    outcomes.into_iter().flatten().collect()
}

fn refit(
    version: &str,
    before: &Weights,
    train: &[Outcome],
    validation: &[Outcome],
) -> std::io::Result<Weights> {
    let examples =
        |outcomes: &[Outcome]| -> Vec<Example> { outcomes.iter().filter_map(Example::of).collect() };
    let (train, validation) = (examples(train), examples(validation));
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

/// What it costs to judge a window from its beginning.
fn print_speed(count: u64, weights: &Weights) {
    let (mut seconds, mut series_hours, mut judged) = (0.0, 0.0, 0);
    for seed in VALIDATION..VALIDATION + count {
        let made = scenario(seed, Options::default());
        let window = convert::window(&made);
        let scopes: BTreeSet<(&str, &str)> = window
            .series
            .iter()
            .flat_map(|name| [(name.key.as_str(), ""), (name.key.as_str(), name.step.as_str())])
            .collect();
        let begun = Instant::now();
        let found = judge(&window, &Settings::default(), weights);
        seconds += begun.elapsed().as_secs_f64();
        series_hours += scopes.len() as f64 * made.days as f64 * 24.0;
        judged += found.len();
    }
    println!(
        "{count} windows, {judged} incidents: {:.1} ms each, {:.2} µs for each hour of a key or step",
        seconds * 1e3 / count as f64,
        seconds * 1e6 / series_hours
    );
}

/// What it costs to judge the running hour of a large project.
fn print_hour(series: u64, days: u64) {
    let series = u32::try_from(series).unwrap_or(2_000);
    let Some(cost) = hours::cost(series, i64::try_from(days).unwrap_or(9)) else {
        return;
    };
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    println!(
        "| {series} series, {days} days | hours of series read | ms |\n|---|---|---|\n| the running hour | {} | {:.1} |\n| all of it | {} | {:.0} |\n",
        cost.recent_rows,
        ms(cost.hours),
        cost.rows,
        ms(cost.whole)
    );
    println!(
        "{} metrics of keys and steps; the hour says {:?}. Without the database.",
        cost.metrics, cost.since
    );
}

/// One incident in detail.
fn show(seed: u64, weights: &Weights) {
    let made = scenario(
        seed,
        Options {
            held_out: (TEST..QUIET).contains(&seed),
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
    for incident in judged(&made, weights) {
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
        "{} {} {:?} {cause} delay {:.1} onset error {:.1} gates {:.1} tagged {} said {label:?} {p:.2} {:?}",
        outcome.seed,
        if ceiling(truth).top_one(outcome) > 0.5 {
            "decidable"
        } else {
            "undecidable"
        },
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
