//! Calls of a step by its name, whatever runs they belong to: what one call is compared with.
//!
//! There is no index of steps by name: one of all steps of a project misleads the plans of the batch writer (see
//! `steps_sequence_idx`). Runs are found by the names of their steps, and a run's steps lie side by side under its key.

use domain::{NanoUsd, ProjectId, Severity, StepStatus, Timestamp, TokenUsage};
use time::OffsetDateTime;

use crate::payloads::{Field, Opener, TextPlace};
use crate::runs::severity;
use crate::{Error, Result, Snapshot};

/// How far back calls are looked for, in days.
pub const LOOK_BACK_DAYS: i64 = 30;
/// The latest runs with a step of the name whose calls are looked through.
pub const LOOKED_THROUGH_RUNS: i32 = 200;
/// A run is looked through as long as those before it have no more steps than this, and it has no more itself: all of a
/// run's steps are read.
const MAX_STEPS: i32 = 20_000;
const DAY_MICROS: i64 = 86_400_000_000;

/// One call of a step, without its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct StepCall {
    pub run_id: String,
    pub step_id: String,
    pub name: String,
    /// Where its row lies, beside its run and its id.
    pub partition_at: Timestamp,
    pub started_at: Timestamp,
    /// In milliseconds.
    pub latency_ms: Option<f64>,
    pub tokens: TokenUsage,
    pub cost: Option<NanoUsd>,
    pub status: StepStatus,
    pub severity: Severity,
}

/// What a call was given, gave and failed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallTexts {
    pub input: Option<String>,
    pub output: Option<String>,
    pub error: Option<String>,
}

/// Which earlier calls are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    /// Those that completed without anything critical.
    Good,
}

struct CallRow {
    run_id: String,
    step_id: String,
    name: String,
    partition_at: OffsetDateTime,
    started_at: OffsetDateTime,
    latency_ms: Option<f64>,
    input_fresh: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    cost_nano_usd: Option<i64>,
    status: String,
    severity: i16,
}

impl From<CallRow> for StepCall {
    fn from(row: CallRow) -> Self {
        Self {
            run_id: row.run_id,
            step_id: row.step_id,
            name: row.name,
            partition_at: Timestamp::from_offset_date_time(row.partition_at),
            started_at: Timestamp::from_offset_date_time(row.started_at),
            latency_ms: row.latency_ms,
            tokens: TokenUsage {
                input_fresh: row.input_fresh,
                cache_read: row.cache_read,
                cache_write: row.cache_write,
                output: row.output,
                ..TokenUsage::default()
            },
            cost: row.cost_nano_usd.map(NanoUsd),
            status: StepStatus::parse(&row.status).unwrap_or(StepStatus::Error),
            severity: severity(row.severity),
        }
    }
}

/// One step as a call. Where two parts of a run have a step of this id, that of the earlier one, as
/// [`super::payload`].
pub async fn call(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_id: &str,
) -> Result<StepCall> {
    let row = sqlx::query_as!(
        CallRow,
        "select s.run_id, s.step_id, s.name, s.partition_at, s.started_at, s.latency_ms, s.input_fresh, s.cache_read,
           s.cache_write, s.output, s.cost_nano_usd, s.status, s.severity
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         where k.project_id = $1 and k.run_id = $2 and s.step_id = $3
         order by s.started_at, s.step_index nulls first, s.partition_at limit 1",
        project.0,
        run_id,
        step_id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(StepCall::from).ok_or(Error::NotFound)
}

/// At most `limit` calls of the name of `own` that began before it, the latest first: of the [`LOOK_BACK_DAYS`] before
/// it, and of the [`LOOKED_THROUGH_RUNS`] latest runs with such a step, fewer where they are long.
pub async fn calls_before(
    snapshot: &mut Snapshot,
    project: ProjectId,
    own: &StepCall,
    wanted: Wanted,
    limit: u32,
) -> Result<Vec<StepCall>> {
    // A run may be filed under a later time than that of a step which came late.
    let latest = own.started_at.max(own.partition_at).plus_micros(1);
    let from = own.started_at.plus_micros(-LOOK_BACK_DAYS * DAY_MICROS);
    let rows = sqlx::query_as!(
        CallRow,
        "select s.run_id as \"run_id!\", s.step_id as \"step_id!\", s.name as \"name!\",
           s.partition_at as \"partition_at!\", s.started_at as \"started_at!\", s.latency_ms as \"latency_ms?\",
           s.input_fresh as \"input_fresh?\", s.cache_read as \"cache_read?\", s.cache_write as \"cache_write?\",
           s.output as \"output?\", s.cost_nano_usd as \"cost_nano_usd?\", s.status as \"status!\",
           s.severity as \"severity!\"
         from (
           select r.run_id, r.partition_at,
             coalesce(sum(r.step_count) over (order by r.partition_at desc, r.run_id desc
               rows between unbounded preceding and 1 preceding), 0) as steps_before
           from search_runs(jsonb_build_object('step', $2::text), $3, $4, null, null, $5) r
           where r.project_id = $1 and r.step_count <= $11) r
         cross join lateral (
           select s.run_id, s.step_id, s.name, s.partition_at, s.started_at, s.latency_ms, s.input_fresh, s.cache_read,
             s.cache_write, s.output, s.cost_nano_usd, s.status, s.severity
           from steps s
           where s.project_id = $1 and s.partition_at = r.partition_at and s.run_id = r.run_id and s.name = $2
             and s.started_at >= $3 and (s.started_at, s.run_id, s.step_id) < ($6, $7, $8)
             and (not $9 or (s.status = 'ok' and s.severity < 2))
           order by s.started_at desc, s.step_id desc limit $10) s
         where r.steps_before <= $11
         order by s.started_at desc, s.run_id desc, s.step_id desc limit $10",
        project.0,
        own.name,
        from.to_offset_date_time(),
        latest.to_offset_date_time(),
        LOOKED_THROUGH_RUNS,
        own.started_at.to_offset_date_time(),
        own.run_id,
        own.step_id,
        wanted == Wanted::Good,
        i64::from(limit),
        MAX_STEPS
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(StepCall::from).collect())
}

/// The texts of a call, each up to `max_chars` characters. Empty where they are no longer kept.
pub async fn call_texts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    call: &StepCall,
    max_chars: i32,
) -> Result<CallTexts> {
    let row = sqlx::query!(
        "select left(p.input, $5) as \"input?\", left(p.output, $5) as \"output?\", left(s.error, $5) as \"error?\",
           p.input_sealed as \"input_sealed?\", p.output_sealed as \"output_sealed?\"
         from steps s
         left join step_payloads p on p.project_id = s.project_id and p.run_id = s.run_id and p.step_id = s.step_id
           and p.partition_at = s.partition_at
         where s.project_id = $1 and s.partition_at = $2 and s.run_id = $3 and s.step_id = $4",
        project.0,
        call.partition_at.to_offset_date_time(),
        call.run_id,
        call.step_id,
        max_chars
    )
    .fetch_optional(&mut *snapshot)
    .await?
    .ok_or(Error::NotFound)?;
    let is_sealed = row.input_sealed.is_some() || row.output_sealed.is_some();
    let opener = Opener::of(snapshot, project, is_sealed).await?;
    let at = |field| TextPlace {
        run_id: &call.run_id,
        step_id: &call.step_id,
        field,
    };
    Ok(CallTexts {
        input: opener.beginning(
            at(Field::Input),
            row.input,
            row.input_sealed.as_deref(),
            max_chars,
        )?,
        output: opener.beginning(
            at(Field::Output),
            row.output,
            row.output_sealed.as_deref(),
            max_chars,
        )?,
        error: row.error,
    })
}
