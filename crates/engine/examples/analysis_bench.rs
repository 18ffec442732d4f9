//! How often the analysis by rules names the step where a made-up failure began, beside naming the first or the last error:
//! `cargo run --release -p engine --example analysis_bench`.

#![expect(clippy::unwrap_used, reason = "a program that may panic")]

#[path = "../tests/engine/failing_runs.rs"]
mod failing_runs;

use std::collections::BTreeMap;
use std::time::Instant;

use domain::{StepStatus, StepSummary};
use engine::analysis::{links, report};
use failing_runs::{FailingRun, MECHANISMS, failing_run};

const RUNS: u64 = 200;

fn is_origin(made: &FailingRun, id: &str) -> bool {
    let step = |id: &str| made.steps.iter().find(|step| step.step_id == id);
    let (Some(named), Some(known)) = (step(id), step(&made.origin)) else {
        return false;
    };
    named.name == known.name && named.parent_step_id == known.parent_step_id
}

#[expect(clippy::print_stdout, reason = "a program that prints a table")]
fn main() {
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
        "\n{:.2} ms a run, its making included",
        took.as_secs_f64() * 1_000.0 / RUNS as f64
    );
}
