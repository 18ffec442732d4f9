//! Steps with their texts, events and conditions.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::{Condition, StepEvent, Timestamp};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::columns::{columns, insert, insert_into, json, json_object};
use super::{BatchTx, StepRow};
use crate::Result;

columns!(STEPS, bind_steps<'q>, |row: &'q StepRow<'q>| {
    project_id: "uuid" = row.project_id.0,
    run_id: "text" = row.step.run_id.as_str(),
    step_id: "text" = row.step.step_id.as_str(),
    partition_at: "timestamptz" = row.partition_at.to_offset_date_time(),
    parent_step_id: "text" = row.step.parent_step_id.as_deref(),
    kind: "text" = row.step.kind.as_str(),
    name: "text" = row.step.name.as_str(),
    step_index: "int4" = row.step.step_index,
    provider: "text" = row.step.provider.as_deref(),
    model: "text" = row.step.model.as_deref(),
    request_model: "text" = row.step.request_model.as_deref(),
    started_at: "timestamptz" = row.step.started_at.to_offset_date_time(),
    ended_at: "timestamptz" = row.step.ended_at.map(|at| at.to_offset_date_time()),
    received_at: "timestamptz" = row.received_at.to_offset_date_time(),
    sequence: "int8" = row.sequence,
    latency_ms: "float8" = row.step.latency_ms,
    ttft_ms: "float8" = row.step.ttft_ms,
    max_gap_ms: "float8" = row.step.max_gap_ms,
    stream_incomplete: "bool" = row.step.stream_incomplete.then_some(true),
    status: "text" = row.step.status.as_str(),
    error: "text" = row.step.error.as_deref(),
    error_class: "text" = row.step.error_class.as_deref(),
    stop_reason: "text" = row.step.stop_reason.as_deref(),
    service_tier: "text" = row.step.service_tier.as_deref(),
    input_fresh: "int8" = row.tokens.input_fresh,
    cache_read: "int8" = row.tokens.cache_read,
    cache_write: "int8" = row.tokens.cache_write,
    cache_write_1h: "int8" = row.tokens.cache_write_1h,
    output: "int8" = row.tokens.output,
    reasoning: "int8" = row.tokens.reasoning,
    usage_semantics: "text" = row.usage_semantics,
    web_searches: "int8" = row.step.web_searches,
    usage_details: "jsonb" = Some(&row.step.usage_details).filter(|details| !details.is_empty()).and_then(json),
    usage_shape: "text" = row.step.usage_details.unknown_shape.as_deref(),
    cost_nano_usd: "int8" = row.cost_nano_usd.map(|cost| cost.0),
    reported_cost_nano_usd: "int8" = row.step.reported_cost.map(|cost| cost.0),
    cost_source: "text" = row.cost_source.map(|source| source.as_str()),
    price_version: "text" = row.price_version.as_deref(),
    key_label: "text" = row.key_label,
    environment: "text" = row.step.environment.as_deref(),
    release: "text" = row.step.release.as_deref(),
    session_id: "text" = row.step.session_id.as_deref(),
    user_id: "text" = row.step.user_id.as_deref(),
    tool_name: "text" = row.step.tool_name.as_deref(),
    prompt_hash: "int8" = row.prompt_hash,
    template_fingerprint: "bytea" = row.template_fingerprint.as_deref(),
    output_shape: "text" = row.output_shape,
    score: "int4" = row.score,
    threshold: "int4" = row.threshold,
    severity: "int2" = row.severity as i16,
    stopped_at_layer: "int2" = row.stopped_at_layer.map(i16::from),
    other_series: "uuid" = row.other_series,
    release_is_other: "bool" = row.release_is_other.then_some(true),
    attributes: "jsonb" = json_object(&row.step.attributes),
});

columns!(PAYLOADS, bind_payloads<'q>, |row: &'q StepRow<'q>| {
    project_id: "uuid" = row.project_id.0,
    run_id: "text" = row.step.run_id.as_str(),
    step_id: "text" = row.step.step_id.as_str(),
    partition_at: "timestamptz" = row.partition_at.to_offset_date_time(),
    input: "text" = row.step.input.as_deref().filter(|_| row.sealed.is_none()),
    output: "text" = row.step.output.as_deref().filter(|_| row.sealed.is_none()),
    prompt_template: "text" = row.step.prompt_template.as_deref().filter(|_| row.sealed.is_none()),
    input_sealed: "bytea" = row.sealed.as_ref().and_then(|sealed| sealed.input.as_deref()),
    output_sealed: "bytea" = row.sealed.as_ref().and_then(|sealed| sealed.output.as_deref()),
    prompt_template_sealed: "bytea" = row.sealed.as_ref().and_then(|sealed| sealed.prompt_template.as_deref()),
});

/// A point in time inside a step, and which one of the step's.
struct Event<'a> {
    row: &'a StepRow<'a>,
    ordinal: usize,
    event: &'a StepEvent,
}

columns!(EVENTS, bind_events<'q>, |it: Event<'q>| {
    project_id: "uuid" = it.row.project_id.0,
    run_id: "text" = it.row.step.run_id.as_str(),
    step_id: "text" = it.row.step.step_id.as_str(),
    partition_at: "timestamptz" = it.row.partition_at.to_offset_date_time(),
    ordinal: "int4" = i32::try_from(it.ordinal).unwrap_or(i32::MAX),
    at: "timestamptz" = it.event.at.to_offset_date_time(),
    name: "text" = it.event.name.as_str(),
    attributes: "jsonb" = json_object(&it.event.attributes).filter(|_| it.row.sealed.is_none()),
    attributes_sealed: "bytea" = it.row.sealed.as_ref()
        .and_then(|sealed| sealed.event_attributes.get(it.ordinal)?.as_deref()),
});

/// What a rule found in a step.
struct Found<'a> {
    row: &'a StepRow<'a>,
    condition: &'a Condition,
}

columns!(CONDITIONS, bind_conditions<'q>, |it: Found<'q>| {
    project_id: "uuid" = it.row.project_id.0,
    run_id: "text" = it.row.step.run_id.as_str(),
    step_id: "text" = it.row.step.step_id.as_str(),
    partition_at: "timestamptz" = it.row.partition_at.to_offset_date_time(),
    code: "int2" = i16::try_from(it.condition.code).unwrap_or(i16::MAX),
    layer: "int2" = i16::from(it.condition.layer),
    points: "int4" = it.condition.points,
    message: "text" = it.condition.message.as_str(),
    observed: "text" = it.condition.observed.as_str(),
    expected: "text" = it.condition.expected.as_str(),
    place: "jsonb" = it.condition.place.as_ref().and_then(json),
    sample: "jsonb" = it.condition.sample.as_ref().and_then(json),
    rule_version: "int2" = i16::try_from(it.row.rule_version).unwrap_or(i16::MAX),
});

/// Inserts the steps with their texts, events and conditions. Returns, for each row, whether it was new; a step
/// that is already there is left as it is. Those that `find_new` found are not tried.
pub async fn insert_steps(
    batch: &mut BatchTx,
    rows: &[StepRow<'_>],
    looks_new: &[bool],
) -> Result<Vec<bool>> {
    let mut order: Vec<usize> = (0..rows.len())
        .filter(|&i| looks_new.get(i) == Some(&true))
        .collect();
    order.sort_by_key(|&i| key(&rows[i]));
    let candidates: Vec<&StepRow<'_>> = order.iter().map(|&i| &rows[i]).collect();
    let inserted = insert_rows(&mut batch.tx, &candidates).await?;
    let mut is_new = vec![false; rows.len()];
    for (index, is_inserted) in order.iter().zip(&inserted) {
        is_new[*index] = *is_inserted;
    }
    let mut stored = candidates;
    let mut flags = inserted.into_iter();
    stored.retain(|_| flags.next() == Some(true));
    insert_payloads(&mut batch.tx, &stored).await?;
    insert_events(&mut batch.tx, &stored).await?;
    insert_conditions(&mut batch.tx, &stored).await?;
    Ok(is_new)
}

/// What makes a step one step.
fn identity<'a>(row: &'a StepRow<'_>) -> (Uuid, &'a str, &'a str) {
    (
        row.project_id.0,
        row.step.run_id.as_str(),
        row.step.step_id.as_str(),
    )
}

/// The key of the table. Rows that come in its order fill the pages of its index; those of one batch in another order
/// would leave every other page half empty.
fn key<'a>(row: &'a StepRow<'_>) -> (Uuid, Timestamp, &'a str, &'a str) {
    let (project, run_id, step_id) = identity(row);
    (project, row.partition_at, run_id, step_id)
}

/// For each row, whether another batch has not stored its step meanwhile.
async fn insert_rows(tx: &mut PgConnection, rows: &[&StepRow<'_>]) -> Result<Vec<bool>> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        let conflict = "on conflict (project_id, run_id, step_id, partition_at) do nothing \
                        returning project_id, run_id, step_id";
        insert_into("steps", STEPS, conflict)
    });
    let mut inserted = vec![false; rows.len()];
    if rows.is_empty() {
        return Ok(inserted);
    }
    let positions: HashMap<_, _> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| (identity(row), i))
        .collect();
    let returned = bind_steps(insert(&STATEMENT), rows).fetch_all(&mut *tx).await?;
    for row in &returned {
        let key = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if let Some(position) = positions.get(&key) {
            inserted[*position] = true;
        }
    }
    Ok(inserted)
}

async fn insert_payloads(tx: &mut PgConnection, stored: &[&StepRow<'_>]) -> Result<()> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| insert_into("step_payloads", PAYLOADS, ""));
    let mut rows = stored.to_vec();
    rows.retain(|row| {
        let step = row.step;
        step.input.is_some() || step.output.is_some() || step.prompt_template.is_some()
    });
    if !rows.is_empty() {
        bind_payloads(insert(&STATEMENT), &rows).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_events(tx: &mut PgConnection, stored: &[&StepRow<'_>]) -> Result<()> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| insert_into("step_events", EVENTS, ""));
    let events: Vec<Event<'_>> = stored
        .iter()
        .flat_map(|row| {
            let events = row.step.events.iter().enumerate();
            events.map(move |(ordinal, event)| Event { row, ordinal, event })
        })
        .collect();
    if !events.is_empty() {
        bind_events(insert(&STATEMENT), &events).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn insert_conditions(tx: &mut PgConnection, stored: &[&StepRow<'_>]) -> Result<()> {
    static STATEMENT: LazyLock<String> =
        LazyLock::new(|| insert_into("step_conditions", CONDITIONS, "on conflict do nothing"));
    let found: Vec<Found<'_>> = stored
        .iter()
        .flat_map(|row| {
            row.conditions
                .iter()
                .map(move |condition| Found { row, condition })
        })
        .collect();
    if !found.is_empty() {
        bind_conditions(insert(&STATEMENT), &found)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
