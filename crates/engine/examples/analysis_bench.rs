//! How often the analysis by rules names the step where a made-up failure began, beside naming the first or the last error, and
//! how many planted claims the verifier judges rightly: `cargo run --release -p engine --example analysis_bench`. Ends with 1
//! where a bar is missed.

#![expect(clippy::unwrap_used, reason = "a program that may panic")]

#[path = "../tests/engine/failing_runs.rs"]
mod failing_runs;
#[path = "../tests/engine/planted_claims.rs"]
mod planted_claims;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use domain::{StepStatus, StepSummary};
use engine::analysis::{links, report};
use failing_runs::{FailingRun, MECHANISMS, failing_run};
use planted_claims::verifying;

const RUNS: u64 = 200;
/// The least share of origins that are named, of true claims that are kept and of false ones that are dropped, in percent.
const ORIGINS_BAR: usize = 90;
const KEPT_BAR: usize = 95;
const DROPPED_BAR: usize = 99;

fn is_origin(made: &FailingRun, id: &str) -> bool {
    let step = |id: &str| made.steps.iter().find(|step| step.step_id == id);
    let (Some(named), Some(known)) = (step(id), step(&made.origin)) else {
        return false;
    };
    named.name == known.name && named.parent_step_id == known.parent_step_id
}

#[expect(clippy::print_stdout, reason = "a program that prints a table")]
fn main() -> ExitCode {
    let mut right: BTreeMap<&str, [u32; 4]> = BTreeMap::new();
    let started = Instant::now();
    for seed in 0..RUNS {
        let made = failing_run(seed);
        let said = report(&made.run, &made.steps, &links(&made.steps, &made.texts));
        let named = said
            .root_cause
            .and_then(|cause| cause.step_id)
            .unwrap_or_default();
        let leaf = |step: &&StepSummary| {
            let is_parent = made
                .steps
                .iter()
                .any(|other| other.parent_step_id.as_ref() == Some(&step.step_id));
            step.status == StepStatus::Error && !is_parent
        };
        let first = made.steps.iter().filter(leaf).min_by_key(|step| step.started_at);
        let last = made.steps.iter().filter(leaf).max_by_key(|step| step.started_at);
        let of = |step: Option<&StepSummary>| step.is_some_and(|step| is_origin(&made, &step.step_id));
        let row = right.entry(made.mechanism).or_default();
        row[0] += 1;
        row[1] += u32::from(is_origin(&made, &named));
        row[2] += u32::from(of(first));
        row[3] += u32::from(of(last));
    }
    let took = started.elapsed();
    println!("| mechanism | runs | rules | first error | last error |\n|---|---|---|---|---|");
    let mut sum = [0; 4];
    for mechanism in MECHANISMS {
        let row = right.get(mechanism).copied().unwrap_or_default();
        println!(
            "| {mechanism} | {} | {} | {} | {} |",
            row[0], row[1], row[2], row[3]
        );
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
    println!("| all | {} | {} | {} | {} |", sum[0], sum[1], sum[2], sum[3]);
    println!(
        "\n{:.2} ms a run, its making included\n",
        took.as_secs_f64() * 1_000.0 / RUNS as f64
    );
    let claims = verifying(RUNS);
    println!("| planted claims | all | judged rightly | bar |\n|---|---|---|---|");
    for (what, all, right, bar) in [
        ("true, kept", claims.all_true, claims.kept, KEPT_BAR),
        ("false, dropped", claims.all_false, claims.dropped, DROPPED_BAR),
    ] {
        let percent = right as f64 * 100.0 / all as f64;
        println!("| {what} | {all} | {right} ({percent:.1} %) | {bar} % |");
    }
    let [runs, named, ..] = sum.map(|count| count as usize);
    let holds = named * 100 >= runs * ORIGINS_BAR
        && claims.kept * 100 >= claims.all_true * KEPT_BAR
        && claims.dropped * 100 >= claims.all_false * DROPPED_BAR;
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
