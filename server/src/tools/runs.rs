//! Runs, their steps, and what those were sent and answered.

use domain::RunFilter;
use serde_json::{Value, json};

use super::{Answer, Call, ToolError};
use crate::answers::{Run, Step};

/// How much of each text of a step is shown, in characters.
const MAX_TEXT_CHARS: usize = 6_000;
/// How much of an error in a list.
const MAX_ERROR_CHARS: usize = 300;
/// Events of a step.
const MAX_EVENTS: usize = 20;

fn absent(cause: storage::Error, what: &str) -> ToolError {
    match cause {
        storage::Error::NotFound => ToolError::Asked(format!("There is no such {what} in this project")),
        other => other.into(),
    }
}

pub(super) async fn list(call: &Call<'_>) -> Result<Answer, ToolError> {
    const FILTERS: [&str; 8] = [
        "key", "model", "step", "status", "severity", "q", "session", "user",
    ];
    let times = ["from", "to"].map(|name| (name, call.arguments.time(name).map(|at| at.to_string())));
    let pairs = FILTERS
        .iter()
        .filter_map(|name| Some((*name, call.arguments.text(name)?)))
        .chain(
            times
                .iter()
                .filter_map(|(name, at)| Some((*name, at.as_deref()?))),
        );
    let filter = RunFilter::from_query(pairs)
        .map_err(|error| ToolError::Asked(format!("{} {}", error.field, error.message)))?;
    let limit = u32::try_from(call.arguments.integer("limit")).unwrap_or(1);
    let mut snapshot = call.snapshot().await?;
    let page = storage::runs::list(&mut snapshot, call.project, &filter, call.now, None, limit).await?;
    let line = match page.items.first() {
        None => "no such runs".to_owned(),
        Some(first) => format!(
            "{}, the latest {} at {}",
            domain::text::counted(page.items.len() as i64, "run"),
            first.run_id,
            first.started_at
        ),
    };
    let there_are_more = page.next_cursor.is_some();
    let items: Vec<Value> = page
        .items
        .into_iter()
        .map(|run| short_run(&Run::from(run)))
        .collect();
    Ok(Answer::new(
        line,
        json!({ "runs": items, "there_are_more": there_are_more }),
    ))
}

fn short_run(run: &Run) -> Value {
    json!({
        "run_id": run.run_id, "name": run.name, "status": run.status, "severity": run.severity,
        "started_at": run.started_at, "latency_ms": run.latency_ms, "key": run.key, "models": run.models,
        "release": run.release, "steps": run.step_count, "errors": run.error_count, "cost_usd": run.cost_usd,
        "score": run.score_max,
        "problem": run.problem.as_ref().map(|problem| json!({
            "step": problem.step_name, "code": problem.code, "text": short(&problem.text, MAX_ERROR_CHARS),
        })),
    })
}

fn short(text: &str, chars: usize) -> String {
    let kept: String = text.chars().take(chars).collect();
    if kept.len() < text.len() {
        format!("{kept} (cut here: {} of {} bytes shown)", kept.len(), text.len())
    } else {
        kept
    }
}

fn short_step(step: &Step) -> Value {
    let conditions: Vec<Value> = step
        .conditions
        .iter()
        .map(|condition| json!({ "code": condition.code, "name": condition.name }))
        .collect();
    json!({
        "step_id": step.step_id, "parent": step.parent_step_id, "name": step.name, "kind": step.kind,
        "model": step.model, "started_at": step.started_at, "latency_ms": step.latency_ms, "status": step.status,
        "error": step.error.as_ref().map(|error| short(error, MAX_ERROR_CHARS)), "stop_reason": step.stop_reason,
        "tokens": step.tokens, "cost_usd": step.cost_usd, "score": step.score, "severity": step.severity,
        "tool": step.tool_name, "conditions": conditions,
    })
}

pub(super) async fn get(call: &Call<'_>) -> Result<Answer, ToolError> {
    let run_id = call.arguments.text("run_id").unwrap_or_default();
    let limit = u32::try_from(call.arguments.integer("limit")).unwrap_or(1);
    let mut snapshot = call.snapshot().await?;
    let run = storage::runs::get(&mut snapshot, call.project, run_id)
        .await
        .map_err(|cause| absent(cause, "run"))?;
    let steps = storage::steps::of_run(&mut snapshot, call.project, run_id, limit).await?;
    let run = Run::from(run);
    let line = format!(
        "{}: {}, {} of {} steps{}",
        run.name,
        run.status.as_str(),
        steps.len(),
        run.step_count,
        run.problem.as_ref().map_or_else(String::new, |problem| format!(
            ", problem in {}",
            problem.step_name
        ))
    );
    let steps: Vec<Value> = steps
        .into_iter()
        .map(|step| short_step(&Step::from(step)))
        .collect();
    Ok(Answer::new(
        line,
        json!({ "run": short_run(&run), "steps": steps }),
    ))
}

pub(super) async fn step(call: &Call<'_>) -> Result<Answer, ToolError> {
    let run_id = call.arguments.text("run_id").unwrap_or_default();
    let step_id = call.arguments.text("step_id").unwrap_or_default();
    let mut snapshot = call.snapshot().await?;
    let payload = storage::steps::payload(&mut snapshot, call.project, run_id, step_id)
        .await
        .map_err(|cause| absent(cause, "step"))?;
    let steps = storage::steps::of_ids(&mut snapshot, call.project, run_id, &[step_id.to_owned()]).await?;
    let step = steps.into_iter().next().map(Step::from);
    let text = |text: &Option<String>| text.as_ref().map(|text| short(text, MAX_TEXT_CHARS));
    let line = match &step {
        None => step_id.to_owned(),
        Some(step) => format!("{}: {}", step.name, step.status.as_str()),
    };
    let events: Vec<Value> = payload
        .events
        .iter()
        .take(MAX_EVENTS)
        .map(|event| json!({ "at": event.at, "name": short(&event.name, MAX_ERROR_CHARS) }))
        .collect();
    let attributes = serde_json::to_string(&payload.attributes).unwrap_or_default();
    let data = json!({
        "step": step.as_ref().map(short_step), "input": text(&payload.input), "output": text(&payload.output),
        "prompt_template": text(&payload.prompt_template), "attributes": short(&attributes, MAX_ERROR_CHARS * 4),
        "events": events,
    });
    Ok(Answer::new(line, data))
}
