//! What new steps add to their runs. A recount of all steps of a run gives the same sums; a test holds it to that.

use std::collections::{BTreeSet, HashMap};

use domain::ledger::OTHER;
use domain::{NanoUsd, NewStep, ProjectId, StepStatus, Timestamp, text, usage};
use serde_json::Value;
use storage::ingest::{Problem, RunDelta, StepRow};

/// Longest "what went wrong" that a list keeps, in characters.
const PROBLEM_CHARS: usize = 200;
/// Items that a run's lists of tags, models and step names keep, as `merge_list` in the database does.
const LIST_ITEMS: usize = 100;
/// Attributes of one step that runs are found by, at most.
const MAX_ATTRIBUTES: usize = 32;
/// Longest `key=value` that runs are found by.
const MAX_ATTRIBUTE_BYTES: usize = 200;

/// One delta per part of a run that occurs in `rows`.
pub fn run_deltas<'a>(rows: impl IntoIterator<Item = &'a StepRow<'a>>) -> Vec<RunDelta> {
    let mut by_run: HashMap<(ProjectId, &str, Timestamp), RunDelta> = HashMap::new();
    for row in rows {
        let delta = of_step(row);
        match by_run.entry((row.project_id, row.step.run_id.as_str(), row.partition_at)) {
            std::collections::hash_map::Entry::Vacant(vacant) => _ = vacant.insert(delta),
            std::collections::hash_map::Entry::Occupied(mut sum) => add(sum.get_mut(), delta),
        }
    }
    let mut deltas: Vec<RunDelta> = by_run.into_values().collect();
    for delta in &mut deltas {
        bound(&mut delta.tags);
        bound(&mut delta.models);
        bound(&mut delta.step_names);
    }
    deltas
}

fn of_step(row: &StepRow<'_>) -> RunDelta {
    let step = row.step;
    let is_root = step.parent_step_id.is_none();
    let failed = step.status == StepStatus::Error;
    let priceless = row.cost_source == Some(domain::CostSource::Unknown);
    RunDelta {
        project_id: row.project_id,
        run_id: step.run_id.clone(),
        partition_at: row.partition_at,
        is_continued: row.is_continued,
        name: step.name.clone(),
        name_nested: !is_root,
        name_at: step.started_at,
        name_step_id: step.step_id.clone(),
        started_at: step.started_at,
        ended_at: step.ended_at.unwrap_or(step.started_at),
        received_at: row.received_at,
        roots: i32::from(is_root),
        root_errors: i32::from(is_root && failed),
        open: i32::from(step.ended_at.is_none()),
        waits_until: row.waits_until,
        key_label: row.key_label.to_owned(),
        environment: step.environment.clone(),
        release: step.release.as_ref().map(|release| {
            if row.release_is_other {
                OTHER.to_owned()
            } else {
                release.clone()
            }
        }),
        session_id: step.session_id.clone(),
        user_id: step.user_id.clone(),
        tags: step.tags.clone(),
        attributes: searchable_attributes(step),
        models: step
            .model
            .iter()
            .filter(|model| !model.trim().is_empty())
            .cloned()
            .collect(),
        // A name that is one of too many is no word that lists are narrowed by.
        step_names: [row
            .other_series
            .map_or_else(|| step.name.clone(), |_| OTHER.to_owned())]
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect(),
        steps: 1,
        errors: i32::from(failed),
        calls: i32::from(step.kind.is_model_call()),
        tokens: row.tokens,
        cost_nano_usd: row.cost_nano_usd,
        unpriced: i32::from(priceless),
        priced: i32::from(row.cost_nano_usd.is_some()),
        score_max: row.score,
        score_sum: row.score.map(i64::from),
        severity: row.severity,
        problem: problem(row),
    }
}

/// The attributes that runs are found by: short ones with a single value, each as `key=value`.
fn searchable_attributes(step: &NewStep) -> BTreeSet<String> {
    step.attributes
        .iter()
        .filter_map(|(key, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some(format!("{key}={value}"))
        })
        .filter(|attribute| attribute.len() <= MAX_ATTRIBUTE_BYTES)
        .take(MAX_ATTRIBUTES)
        .collect()
}

fn problem(row: &StepRow<'_>) -> Option<Problem> {
    let step = row.step;
    let gravest = row
        .conditions
        .iter()
        .max_by_key(|c| (c.points, std::cmp::Reverse(c.code)));
    let (rank, code, message) = match gravest {
        Some(condition) => (
            row.score.unwrap_or(0).max(1),
            Some(condition.code),
            condition.message.clone(),
        ),
        None if step.status == StepStatus::Error => (1, None, "It failed without an error text".to_owned()),
        None => return None,
    };
    // What the program itself said went wrong reads better than our rule about it.
    let text = match &step.error {
        Some(error) if !error.trim().is_empty() => text::first_line(error, PROBLEM_CHARS),
        _ => message,
    };
    Some(Problem {
        rank,
        at: step.started_at,
        step_id: step.step_id.clone(),
        step_name: step.name.clone(),
        code,
        text,
    })
}

fn add(sum: &mut RunDelta, more: RunDelta) {
    if (more.name_nested, more.name_at, &more.name_step_id)
        < (sum.name_nested, sum.name_at, &sum.name_step_id)
    {
        sum.name = more.name;
        sum.name_nested = more.name_nested;
        sum.name_at = more.name_at;
        sum.name_step_id = more.name_step_id;
    }
    sum.started_at = sum.started_at.min(more.started_at);
    sum.ended_at = sum.ended_at.max(more.ended_at);
    sum.received_at = sum.received_at.max(more.received_at);
    sum.roots += more.roots;
    sum.root_errors += more.root_errors;
    sum.open += more.open;
    sum.waits_until = sum.waits_until.max(more.waits_until);
    sum.key_label = std::mem::take(&mut sum.key_label).min(more.key_label);
    least(&mut sum.environment, more.environment);
    least(&mut sum.release, more.release);
    least(&mut sum.session_id, more.session_id);
    least(&mut sum.user_id, more.user_id);
    unite(&mut sum.tags, more.tags);
    sum.attributes.extend(more.attributes);
    unite(&mut sum.models, more.models);
    unite(&mut sum.step_names, more.step_names);
    sum.steps += more.steps;
    sum.errors += more.errors;
    sum.calls += more.calls;
    sum.tokens = sum.tokens.plus(&more.tokens);
    sum.cost_nano_usd = known_sum(sum.cost_nano_usd, more.cost_nano_usd);
    sum.unpriced += more.unpriced;
    sum.priced += more.priced;
    sum.score_max = sum.score_max.max(more.score_max);
    sum.score_sum = match (sum.score_sum, more.score_sum) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    sum.severity = sum.severity.max(more.severity);
    if let Some(candidate) = more.problem {
        let order = |p: &Problem| (-i64::from(p.rank), p.at, p.step_id.clone());
        if sum
            .problem
            .as_ref()
            .is_none_or(|current| order(&candidate) < order(current))
        {
            sum.problem = Some(candidate);
        }
    }
}

/// The sum of what is known: `None` only when neither is.
pub(super) fn known_sum(a: Option<NanoUsd>, b: Option<NanoUsd>) -> Option<NanoUsd> {
    usage::known_sum(a.map(|money| money.0), b.map(|money| money.0)).map(NanoUsd)
}

/// Steps of a run seldom disagree; where they do the least text wins, whatever the order of arrival.
fn least(sum: &mut Option<String>, more: Option<String>) {
    match (&sum, &more) {
        (Some(a), Some(b)) if b < a => *sum = more,
        (None, Some(_)) => *sum = more,
        _ => {}
    }
}

fn unite(sum: &mut Vec<String>, more: Vec<String>) {
    for item in more {
        if let Err(place) = sum.binary_search(&item) {
            sum.insert(place, item);
        }
    }
}

/// The first of a sorted list, and `other` for the rest.
fn bound(list: &mut Vec<String>) {
    if list.len() > LIST_ITEMS {
        list.retain(|item| item != OTHER);
        list.truncate(LIST_ITEMS);
        list.push(OTHER.to_owned());
    }
}
