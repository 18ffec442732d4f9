//! What of two runs is read and worked out.

use domain::{ProjectId, RunSummary, StepStatus, StepSummary, Timestamp, text};
use engine::alignment::{AlignedRow, Side, StepChange, align};
use storage::Snapshot;

use super::{ComparedRuns, ComparedStep, Comparison, ComparisonWish, StepOfOne};
use crate::api::prompts::DiffLine;
use crate::api::prompts::diff::lines_in_turn;
use crate::error::ApiError;

/// Steps of each run that are compared.
const MAX_STEPS: u32 = 5_000;
/// Steps of each run whose answers are compared as well: all of them have to be read.
const MAX_ANSWERS: u32 = 1_000;
/// What of a text is compared, in bytes.
const COMPARED_BYTES: usize = 128 * 1024;
/// The most of an error that is said, in characters.
const ERROR_CHARS: usize = 120;

pub(super) async fn compare(
    snapshot: &mut Snapshot,
    project: ProjectId,
    wish: ComparisonWish,
    now: Timestamp,
) -> Result<Comparison, ApiError> {
    let second = storage::runs::get(snapshot, project, &wish.second).await?;
    let first = match wish.first {
        Some(first) => first,
        None => {
            let good = storage::runs::last_good(snapshot, project, &second.name, second.partition_at).await?;
            match good {
                Some(good) => good,
                None => return Ok(Comparison::NoGoodRun(Box::new(second))),
            }
        }
    };
    let first = storage::runs::get(snapshot, project, &first).await?;
    let a = storage::steps::of_run(snapshot, project, &first.run_id, MAX_STEPS).await?;
    let b = storage::steps::of_run(snapshot, project, &second.run_id, MAX_STEPS).await?;
    let is_few = |run: &RunSummary| run.step_count <= i64::from(MAX_ANSWERS);
    let compares_answers = is_few(&first) && is_few(&second);
    let (mut said_a, mut said_b) = (Vec::new(), Vec::new());
    if compares_answers {
        said_a = answers(snapshot, project, &first.run_id, &a).await?;
        said_b = answers(snapshot, project, &second.run_id, &b).await?;
    }
    let rows = align(
        Side {
            steps: &a,
            answers: &said_a,
        },
        Side {
            steps: &b,
            answers: &said_b,
        },
    );
    let is_asked_for = |row: &AlignedRow| {
        let is =
            |step: Option<&StepSummary>| step.is_some_and(|step| wish.step.as_ref() == Some(&step.step_id));
        is(row.second.and_then(|index| b.get(index))) || is(row.first.and_then(|index| a.get(index)))
    };
    let parts = |row: &AlignedRow| row.changes.iter().copied().any(StepChange::parts);
    let selected = rows
        .iter()
        .position(is_asked_for)
        .or_else(|| rows.iter().position(parts));
    let (mut lines, mut has_texts) = (Vec::new(), (false, false));
    if let Some(row) = selected.and_then(|index| rows.get(index)) {
        let step_a = row.first.and_then(|index| a.get(index));
        let step_b = row.second.and_then(|index| b.get(index));
        let before = text_of(snapshot, project, &first.run_id, step_a, wish.of_input).await?;
        let after = text_of(snapshot, project, &second.run_id, step_b, wish.of_input).await?;
        has_texts = (before.is_some(), after.is_some());
        lines = changed_lines(before, after).await;
    }
    let rows = rows
        .iter()
        .filter_map(|row| {
            let step_a = row.first.and_then(|index| a.get(index));
            let step_b = row.second.and_then(|index| b.get(index));
            let named = step_b.or(step_a)?;
            Some(ComparedStep {
                name: named.name.clone(),
                kind: named.kind,
                depth: row.depth,
                first: step_a.map(|step| of_one(step, first.started_at, now)),
                second: step_b.map(|step| of_one(step, second.started_at, now)),
                changes: row.changes.clone(),
            })
        })
        .collect();
    let is_cut = first.step_count > i64::from(MAX_STEPS) || second.step_count > i64::from(MAX_STEPS);
    Ok(Comparison::Runs(Box::new(ComparedRuns {
        first,
        second,
        rows,
        is_cut,
        compares_answers,
        selected,
        lines,
        has_texts,
    })))
}

/// A hash of each step's answer, in the order of the steps.
async fn answers(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    steps: &[StepSummary],
) -> Result<Vec<Option<[u8; 16]>>, ApiError> {
    let hashes = storage::steps::answer_hashes(snapshot, project, run_id, MAX_ANSWERS).await?;
    Ok(steps
        .iter()
        .map(|step| hashes.get(&step.step_id).copied())
        .collect())
}

async fn text_of(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step: Option<&StepSummary>,
    of_input: bool,
) -> Result<Option<String>, ApiError> {
    let Some(step) = step else { return Ok(None) };
    let payload = storage::steps::payload(snapshot, project, run_id, &step.step_id).await?;
    let text = if of_input { payload.input } else { payload.output };
    let text = if of_input {
        text
    } else {
        text.or_else(|| step.error.clone())
    };
    Ok(text.map(|mut text| {
        text.truncate(text.floor_char_boundary(COMPARED_BYTES));
        text
    }))
}

/// What one text alone has counts as added or removed as a whole.
async fn changed_lines(before: Option<String>, after: Option<String>) -> Vec<DiffLine> {
    if before.is_none() && after.is_none() {
        return Vec::new();
    }
    let [before, after] = [before, after].map(|text| text.map(|text| spread(&text)).unwrap_or_default());
    lines_in_turn(before, after).await
}

/// JSON over several lines, so that what changed in it stands alone; any other text as it is.
fn spread(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .ok()
        .filter(|value| value.is_object() || value.is_array())
        .and_then(|value| serde_json::to_string_pretty(&value).ok())
        .unwrap_or_else(|| text.to_owned())
}

/// How long a step took or has been running, in milliseconds: as reported, else from its times.
fn shown_ms(step: &StepSummary, now: Timestamp) -> f64 {
    step.latency_ms.unwrap_or_else(|| {
        let end = step.ended_at.unwrap_or(if step.status == StepStatus::Running {
            now
        } else {
            step.started_at
        });
        end.ms_since(step.started_at).max(0.0)
    })
}

fn of_one(step: &StepSummary, began_at: Timestamp, now: Timestamp) -> StepOfOne {
    StepOfOne {
        step_id: step.step_id.clone(),
        start_ms: step.started_at.ms_since(began_at),
        length_ms: shown_ms(step, now),
        cost: step.cost_nano_usd,
        status: step.status,
        severity: step.severity,
        error: step
            .error
            .as_deref()
            .map(|error| text::first_line(error, ERROR_CHARS)),
    }
}
