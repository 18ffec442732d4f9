//! Run totals: every batch adds what its new steps bring. All of it is addition, minimum and maximum, so any order
//! of arrival ends with the same row.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use domain::{NanoUsd, ProjectId, RunStatus, Severity, Timestamp, TokenUsage};
use uuid::Uuid;

use super::BatchTx;
use super::columns::{MAX_HASHES, columns, insert, json, names, rows};
use crate::Result;
use crate::counts::{COUNT_RUNS, COUNTED, lock_counts};

/// What the new steps of one batch add to one part of a run.
#[derive(Clone, Debug)]
pub struct RunDelta {
    pub project_id: ProjectId,
    pub run_id: String,
    /// The part, which the steps are filed under.
    pub partition_at: Timestamp,
    /// Whether that is a later part than the run's first.
    pub is_continued: bool,
    /// The name these steps propose, and whose it is: (nested, started_at, step_id) — the least wins.
    pub name: String,
    /// True when no step of the batch is top-level.
    pub name_nested: bool,
    /// Start of the step behind the name.
    pub name_at: Timestamp,
    /// Id of the step behind the name.
    pub name_step_id: String,
    /// Earliest start.
    pub started_at: Timestamp,
    /// Latest end.
    pub ended_at: Timestamp,
    /// When the batch was received.
    pub received_at: Timestamp,
    /// Top-level steps.
    pub roots: i32,
    /// Top-level steps that failed.
    pub root_errors: i32,
    /// Steps that have not ended.
    pub open: i32,
    /// Until when more of the run may come; `None` where nobody waits for it.
    pub waits_until: Option<Timestamp>,
    pub key_label: String,
    pub environment: Option<String>,
    pub release: Option<String>,
    pub session_id: Option<String>,
    /// End user.
    pub user_id: Option<String>,
    pub tags: Vec<String>,
    /// Attributes that runs are found by, `key=value`. Of a run's all, the 256 with the least hashes are kept.
    pub attributes: BTreeSet<String>,
    /// Models that answered.
    pub models: Vec<String>,
    pub step_names: Vec<String>,
    pub steps: i32,
    /// Failed steps.
    pub errors: i32,
    /// Model calls among the steps.
    pub calls: i32,
    /// Known tokens.
    pub tokens: TokenUsage,
    /// Known cost.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Steps without a price.
    pub unpriced: i32,
    /// Steps whose cost is known.
    pub priced: i32,
    pub score_max: Option<i32>,
    pub score_sum: Option<i64>,
    /// Worst severity.
    pub severity: Severity,
    /// The step that went most wrong.
    pub problem: Option<Problem>,
}

/// A candidate for a run's "what went wrong". The highest rank wins, then the earliest, then the least step id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its weight: the step's score, at least 1.
    pub rank: i32,
    /// Start of the step.
    pub at: Timestamp,
    pub step_id: String,
    pub step_name: String,
    /// The gravest condition's code.
    pub code: Option<u16>,
    pub text: String,
}

columns!(COLUMNS, bind_deltas<'q>, |delta: RunDelta| {
    project_id: "uuid" = delta.project_id.0,
    run_id: "text" = delta.run_id.as_str(),
    partition_at: "timestamptz" = delta.partition_at.to_offset_date_time(),
    is_continued: "bool" = delta.is_continued,
    name: "text" = delta.name.as_str(),
    name_nested: "bool" = delta.name_nested,
    name_at: "timestamptz" = delta.name_at.to_offset_date_time(),
    name_step_id: "text" = delta.name_step_id.as_str(),
    started_at: "timestamptz" = delta.started_at.to_offset_date_time(),
    ended_at: "timestamptz" = delta.ended_at.to_offset_date_time(),
    last_received_at: "timestamptz" = delta.received_at.to_offset_date_time(),
    status: "text" = delta.status().as_str(),
    root_count: "int4" = delta.roots,
    root_error_count: "int4" = delta.root_errors,
    open_count: "int4" = delta.open,
    waits_until: "timestamptz" = delta.waits_until.map(|at| at.to_offset_date_time()),
    key_label: "text" = delta.key_label.as_str(),
    environment: "text" = delta.environment.as_deref(),
    release: "text" = delta.release.as_deref(),
    session_id: "text" = delta.session_id.as_deref(),
    user_id: "text" = delta.user_id.as_deref(),
    tags: "text[]" = json(&delta.tags),
    models: "text[]" = json(&delta.models),
    step_names: "text[]" = json(&delta.step_names),
    attribute_hashes: "int4[]" = json(&delta.attributes),
    step_count: "int4" = delta.steps,
    error_count: "int4" = delta.errors,
    call_count: "int4" = delta.calls,
    input_fresh: "int8" = delta.tokens.input_fresh,
    cache_read: "int8" = delta.tokens.cache_read,
    cache_write: "int8" = delta.tokens.cache_write,
    output: "int8" = delta.tokens.output,
    reasoning: "int8" = delta.tokens.reasoning,
    cost_nano_usd: "int8" = delta.cost_nano_usd.map(|cost| cost.0),
    unpriced_steps: "int4" = delta.unpriced,
    priced_steps: "int4" = delta.priced,
    score_max: "int4" = delta.score_max,
    score_sum: "int8" = delta.score_sum,
    severity: "int2" = delta.severity as i16,
    problem_rank: "int4" = delta.problem.as_ref().map_or(0, |p| p.rank),
    problem_at: "timestamptz" = delta.problem.as_ref().map(|p| p.at.to_offset_date_time()),
    problem_step_id: "text" = delta.problem.as_ref().map(|p| p.step_id.as_str()),
    problem_step_name: "text" = delta.problem.as_ref().map(|p| p.step_name.as_str()),
    problem_code: "int2" = delta.problem.as_ref().and_then(|p| p.code).and_then(|code| i16::try_from(code).ok()),
    problem_text: "text" = delta.problem.as_ref().map(|p| p.text.as_str()),
});

impl RunDelta {
    /// The state of a run that has nothing else. The top-level step of a part that goes on lies in an earlier one.
    fn status(&self) -> RunStatus {
        let awaited = self.open + i32::from(self.waits_until.is_some());
        RunStatus::of(
            self.roots + i32::from(self.is_continued),
            self.root_errors,
            awaited,
        )
    }
}

/// `merge_list` is called only where it changes something: the call costs more than the rest of the row.
fn add_to_run() -> String {
    format!(
        "
    on conflict (project_id, run_id, partition_at) do update set
      (name, name_nested, name_at, name_step_id) = (
        select case when least_name then excluded.name else r.name end,
          case when least_name then excluded.name_nested else r.name_nested end,
          case when least_name then excluded.name_at else r.name_at end,
          case when least_name then excluded.name_step_id else r.name_step_id end
        from (select (excluded.name_nested, excluded.name_at, excluded.name_step_id)
                   < (r.name_nested, r.name_at, r.name_step_id)) as named (least_name)),
      started_at = least(r.started_at, excluded.started_at),
      ended_at = greatest(r.ended_at, excluded.ended_at),
      last_received_at = greatest(r.last_received_at, excluded.last_received_at),
      status = case when r.root_error_count + excluded.root_error_count > 0 then 'error'
        when r.open_count + excluded.open_count > 0 or coalesce(r.waits_until, excluded.waits_until) is not null
               or (r.root_count + excluded.root_count = 0 and not r.is_continued) then 'running'
        else 'ok' end,
      root_count = r.root_count + excluded.root_count,
      root_error_count = r.root_error_count + excluded.root_error_count,
      open_count = r.open_count + excluded.open_count,
      waits_until = greatest(r.waits_until, excluded.waits_until),
      key_label = least(r.key_label, excluded.key_label),
      environment = least(r.environment, excluded.environment),
      release = least(r.release, excluded.release),
      session_id = least(r.session_id, excluded.session_id),
      user_id = least(r.user_id, excluded.user_id),
      tags = case when r.tags @> excluded.tags then r.tags else merge_list(r.tags, excluded.tags) end,
      models = case when r.models @> excluded.models then r.models else merge_list(r.models, excluded.models) end,
      step_names = case when r.step_names @> excluded.step_names then r.step_names else merge_list(r.step_names, excluded.step_names) end,
      attribute_hashes = case
        when excluded.attribute_hashes is null or r.attribute_hashes @> excluded.attribute_hashes
          then r.attribute_hashes
        else array(select distinct h from unnest(r.attribute_hashes || excluded.attribute_hashes) h
          order by h limit {MAX_HASHES}) end,
      step_count = r.step_count + excluded.step_count,
      error_count = r.error_count + excluded.error_count,
      call_count = r.call_count + excluded.call_count,
      input_fresh = coalesce(r.input_fresh + excluded.input_fresh, r.input_fresh, excluded.input_fresh),
      cache_read = coalesce(r.cache_read + excluded.cache_read, r.cache_read, excluded.cache_read),
      cache_write = coalesce(r.cache_write + excluded.cache_write, r.cache_write, excluded.cache_write),
      output = coalesce(r.output + excluded.output, r.output, excluded.output),
      reasoning = coalesce(r.reasoning + excluded.reasoning, r.reasoning, excluded.reasoning),
      cost_nano_usd = coalesce(r.cost_nano_usd + excluded.cost_nano_usd, r.cost_nano_usd, excluded.cost_nano_usd),
      unpriced_steps = r.unpriced_steps + excluded.unpriced_steps,
      priced_steps = r.priced_steps + excluded.priced_steps,
      score_max = greatest(r.score_max, excluded.score_max),
      score_sum = coalesce(r.score_sum + excluded.score_sum, r.score_sum, excluded.score_sum),
      severity = greatest(r.severity, excluded.severity),
      (problem_rank, problem_at, problem_step_id, problem_step_name, problem_code, problem_text) = (
        select case when worse then excluded.problem_rank else r.problem_rank end,
          case when worse then excluded.problem_at else r.problem_at end,
          case when worse then excluded.problem_step_id else r.problem_step_id end,
          case when worse then excluded.problem_step_name else r.problem_step_name end,
          case when worse then excluded.problem_code else r.problem_code end,
          case when worse then excluded.problem_text else r.problem_text end
        from (select (-excluded.problem_rank, excluded.problem_at, excluded.problem_step_id)
                   < (-r.problem_rank, r.problem_at, r.problem_step_id)
                 or (r.problem_rank = 0 and excluded.problem_rank > 0)) as ranked (worse))"
    )
}

/// Adds the deltas. There is at most one per part of a run.
pub async fn add_to_runs(batch: &mut BatchTx, deltas: &mut [RunDelta]) -> Result<()> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        let (names, rows, add_to_run) = (names(COLUMNS), rows(COLUMNS), add_to_run());
        format!(
            "with incoming as (
               {rows}
             ), removed as (
               select {COUNTED} from incoming i
               join runs r on r.project_id = i.project_id and r.run_id = i.run_id and r.partition_at = i.partition_at
             ), added as (
               insert into runs as r ({names}) select {names} from incoming {add_to_run} returning {COUNTED}
             ) {COUNT_RUNS}"
        )
    });
    if deltas.is_empty() {
        return Ok(());
    }
    let projects: Vec<Uuid> = deltas.iter().map(|delta| delta.project_id.0).collect();
    lock_counts(&mut batch.tx, &projects).await?;
    deltas.sort_unstable_by(|a, b| {
        (a.project_id, &a.run_id, a.partition_at).cmp(&(b.project_id, &b.run_id, b.partition_at))
    });
    bind_deltas(insert(&STATEMENT), deltas)
        .execute(&mut *batch.tx)
        .await?;
    Ok(())
}
