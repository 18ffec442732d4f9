//! Reading the steps of one run.

pub mod calls;
mod skeleton;
mod texts;

use std::collections::HashMap;

use domain::{
    Condition, CostSource, NanoUsd, Place, ProjectId, Sample, StepKind, StepStatus, StepSummary, Timestamp,
    TokenUsage, UsageDetails,
};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::runs::severity;
use crate::{Result, Snapshot};

pub use skeleton::skeleton;
pub use texts::{StepTexts, answer_hashes, payload, texts};
pub(crate) use texts::{sealed_beginnings, sealed_hashes};

/// A step as it is stored.
struct StoredStep {
    step_id: String,
    partition_at: OffsetDateTime,
    parent_step_id: Option<String>,
    name: String,
    kind: String,
    step_index: Option<i32>,
    provider: Option<String>,
    model: Option<String>,
    request_model: Option<String>,
    started_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    latency_ms: Option<f64>,
    ttft_ms: Option<f64>,
    status: String,
    error: Option<String>,
    stop_reason: Option<String>,
    input_fresh: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    cost_nano_usd: Option<i64>,
    cost_source: Option<String>,
    reported_cost_nano_usd: Option<i64>,
    key_label: String,
    environment: Option<String>,
    release: Option<String>,
    tool_name: Option<String>,
    score: Option<i32>,
    severity: i16,
    stopped_at_layer: Option<i16>,
    error_class: Option<String>,
    service_tier: Option<String>,
    max_gap_ms: Option<f64>,
    stream_incomplete: Option<bool>,
    usage_semantics: Option<String>,
    web_searches: Option<i64>,
    cache_write_1h: Option<i64>,
    price_version: Option<String>,
    threshold: Option<i32>,
    usage_details: Option<Json<UsageDetails>>,
    template_fingerprint: Option<String>,
}

/// The first `limit` steps of a run with their conditions, by start, then index, then id. Empty when there is no such
/// run.
pub async fn of_run(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    limit: u32,
) -> Result<Vec<StepSummary>> {
    let rows = sqlx::query_as!(
        StoredStep,
        "select s.step_id, s.partition_at, s.parent_step_id, s.name, s.kind, s.step_index, s.provider, s.model, s.request_model,
           s.started_at, s.ended_at, s.latency_ms, s.ttft_ms, s.status, s.error, s.stop_reason, s.input_fresh,
           s.cache_read, s.cache_write, s.output, s.reasoning, s.cost_nano_usd, s.cost_source, s.reported_cost_nano_usd,
           s.key_label, s.environment, s.release, s.tool_name, s.score, s.severity, s.stopped_at_layer, s.error_class,
           s.service_tier, s.max_gap_ms, s.stream_incomplete, s.usage_semantics, s.web_searches, s.cache_write_1h,
           s.price_version, s.threshold, s.usage_details as \"usage_details: Json<UsageDetails>\",
           encode(s.template_fingerprint, 'hex') as template_fingerprint
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         where k.project_id = $1 and k.run_id = $2
         order by s.started_at, s.step_index nulls first, s.step_id, s.partition_at
         limit $3",
        project.0,
        run_id,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    with_conditions(snapshot, project, run_id, rows).await
}

/// These steps of a run with their conditions, in the order of [`of_run`]; those that there are.
pub async fn of_ids(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_ids: &[String],
) -> Result<Vec<StepSummary>> {
    let rows = sqlx::query_as!(
        StoredStep,
        "select s.step_id, s.partition_at, s.parent_step_id, s.name, s.kind, s.step_index, s.provider, s.model, s.request_model,
           s.started_at, s.ended_at, s.latency_ms, s.ttft_ms, s.status, s.error, s.stop_reason, s.input_fresh,
           s.cache_read, s.cache_write, s.output, s.reasoning, s.cost_nano_usd, s.cost_source, s.reported_cost_nano_usd,
           s.key_label, s.environment, s.release, s.tool_name, s.score, s.severity, s.stopped_at_layer, s.error_class,
           s.service_tier, s.max_gap_ms, s.stream_incomplete, s.usage_semantics, s.web_searches, s.cache_write_1h,
           s.price_version, s.threshold, s.usage_details as \"usage_details: Json<UsageDetails>\",
           encode(s.template_fingerprint, 'hex') as template_fingerprint
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         where k.project_id = $1 and k.run_id = $2 and s.step_id = any($3)
         order by s.started_at, s.step_index nulls first, s.step_id, s.partition_at",
        project.0,
        run_id,
        step_ids
    )
    .fetch_all(&mut *snapshot)
    .await?;
    with_conditions(snapshot, project, run_id, rows).await
}

async fn with_conditions(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    rows: Vec<StoredStep>,
) -> Result<Vec<StepSummary>> {
    let stored: Vec<(&str, OffsetDateTime)> = rows
        .iter()
        .map(|row| (row.step_id.as_str(), row.partition_at))
        .collect();
    let mut conditions = conditions_of_steps(snapshot, project, run_id, &stored).await?;
    Ok(rows
        .into_iter()
        .map(|s| StepSummary {
            conditions: conditions
                .remove(&(s.step_id.clone(), s.partition_at))
                .unwrap_or_default(),
            step_id: s.step_id,
            parent_step_id: s.parent_step_id,
            name: s.name,
            kind: StepKind::parse(&s.kind).unwrap_or(StepKind::Other),
            step_index: s.step_index,
            provider: s.provider,
            model: s.model,
            request_model: s.request_model,
            started_at: Timestamp::from_offset_date_time(s.started_at),
            ended_at: s.ended_at.map(Timestamp::from_offset_date_time),
            latency_ms: s.latency_ms,
            ttft_ms: s.ttft_ms,
            status: StepStatus::parse(&s.status).unwrap_or(StepStatus::Error),
            error: s.error,
            error_class: s.error_class,
            stop_reason: s.stop_reason,
            service_tier: s.service_tier,
            max_gap_ms: s.max_gap_ms,
            stream_incomplete: s.stream_incomplete.unwrap_or(false),
            tokens: TokenUsage {
                input_fresh: s.input_fresh,
                cache_read: s.cache_read,
                cache_write: s.cache_write,
                cache_write_1h: s.cache_write_1h,
                output: s.output,
                reasoning: s.reasoning,
            },
            usage_semantics: s.usage_semantics,
            usage_details: s.usage_details.map(|details| details.0).unwrap_or_default(),
            web_searches: s.web_searches,
            price_version: s.price_version,
            template_fingerprint: s.template_fingerprint,
            cost_nano_usd: s.cost_nano_usd.map(NanoUsd),
            cost_source: s.cost_source.as_deref().and_then(CostSource::parse),
            reported_cost_nano_usd: s.reported_cost_nano_usd.map(NanoUsd),
            key_label: s.key_label,
            environment: s.environment,
            release: s.release,
            tool_name: s.tool_name,
            score: s.score,
            threshold: s.threshold,
            severity: severity(s.severity),
            stopped_at_layer: s.stopped_at_layer.and_then(|layer| u8::try_from(layer).ok()),
        })
        .collect())
}

/// Conditions of these steps of one run, each named by its id and the part of the run that it lies in: as many steps as
/// are shown, however many the run has.
async fn conditions_of_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    steps: &[(&str, OffsetDateTime)],
) -> Result<HashMap<(String, OffsetDateTime), Vec<Condition>>> {
    let (step_ids, partition_ats): (Vec<&str>, Vec<OffsetDateTime>) = steps.iter().copied().unzip();
    let rows = sqlx::query!(
        "select c.step_id, c.partition_at, c.code, c.layer, c.points, c.message, c.observed, c.expected,
           c.place as \"place: Json<Place>\", c.sample as \"sample: Json<Sample>\"
         from unnest($3::text[], $4::timestamptz[]) as w (step_id, partition_at)
         join step_conditions c on c.project_id = $1 and c.run_id = $2 and c.step_id = w.step_id
           and c.partition_at = w.partition_at
         order by c.step_id, c.layer, c.points desc, c.code",
        project.0,
        run_id,
        &step_ids as _,
        &partition_ats
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut by_step: HashMap<(String, OffsetDateTime), Vec<Condition>> = HashMap::new();
    for row in rows {
        let code = u16::try_from(row.code).unwrap_or(0);
        let step = (row.step_id, row.partition_at);
        by_step.entry(step).or_default().push(Condition {
            code,
            layer: u8::try_from(row.layer).unwrap_or(0),
            name: String::new(),
            points: row.points,
            message: row.message,
            observed: row.observed,
            expected: row.expected,
            place: row.place.map(|place| place.0),
            sample: row.sample.map(|sample| sample.0),
        });
    }
    Ok(by_step)
}
