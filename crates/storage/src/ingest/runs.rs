//! Run totals: every batch adds what its new steps bring. All of it is addition, minimum and maximum, so any order
//! of arrival ends with the same row.

use domain::{NanoUsd, ProjectId, Severity, Timestamp, TokenUsage};

use uuid::Uuid;

use super::BatchTx;
use crate::{Result, Tx};

/// What the new steps of one batch add to one run.
#[derive(Clone, Debug)]
pub struct RunDelta {
    /// The tenant.
    pub project_id: ProjectId,
    /// The run.
    pub run_id: String,
    /// The time it is filed under.
    pub run_at: Timestamp,
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
    /// Label of the key.
    pub key_label: String,
    /// Environment.
    pub environment: Option<String>,
    /// Release.
    pub release: Option<String>,
    /// Session.
    pub session_id: Option<String>,
    /// End user.
    pub user_id: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Attributes that runs are found by, `key=value`.
    pub attributes: Vec<String>,
    /// Models that answered.
    pub models: Vec<String>,
    /// Names of the steps.
    pub step_names: Vec<String>,
    /// Steps.
    pub steps: i32,
    /// Failed steps.
    pub errors: i32,
    /// Known tokens.
    pub tokens: TokenUsage,
    /// Known cost.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Steps without a price.
    pub unpriced: i32,
    /// Highest score.
    pub score_max: Option<i32>,
    /// Sum of the scores.
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
    /// The step.
    pub step_id: String,
    /// Its name.
    pub step_name: String,
    /// The gravest condition's code.
    pub code: Option<u16>,
    /// The sentence.
    pub text: String,
}

/// Keeps apart what travels as one text; text columns can't hold it, see `domain` clean-up at decoding.
const SEPARATOR: &str = "\u{1f}";

/// Waits until nobody else adds to what these projects' runs and hours are summed up in. Triggers do that, once for new
/// rows and once for known ones, and in two passes no order of locks holds.
pub(crate) async fn lock_counts(tx: &mut Tx, projects: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended(p.project_id::text, 0))::text as locked
         from (select distinct project_id from unnest($1::uuid[]) as d (project_id) order by project_id) p",
        projects
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(())
}

/// Adds the deltas. There is at most one per run.
pub async fn add_to_runs(batch: &mut BatchTx, deltas: &mut [RunDelta]) -> Result<()> {
    if deltas.is_empty() {
        return Ok(());
    }
    deltas.sort_unstable_by(|a, b| (a.project_id, &a.run_id).cmp(&(b.project_id, &b.run_id)));
    let all = &*deltas;
    fn column<'a, T>(all: &'a [RunDelta], value: impl Fn(&'a RunDelta) -> T) -> Vec<T> {
        all.iter().map(value).collect()
    }
    let joined = |texts: &[String]| texts.join(SEPARATOR);
    lock_counts(&mut batch.tx, &column(all, |d| d.project_id.0)).await?;
    sqlx::query!(
        "insert into runs as r (project_id, run_id, run_at, name, name_nested, name_at, name_step_id, started_at,
           ended_at, last_received_at, status, root_count, root_error_count, open_count, key_label, environment,
           release, session_id, user_id, tags, models, step_names, attribute_hashes, step_count, error_count, input_fresh, cache_read,
           cache_write, output, reasoning, cost_nano_usd, unpriced_steps, score_max, score_sum, severity,
           problem_rank, problem_at, problem_step_id, problem_step_name, problem_code, problem_text)
         select project_id, run_id, run_at, name, name_nested, name_at, name_step_id, started_at,
           ended_at, received_at,
           case when root_errors > 0 then 'error' when open > 0 or roots = 0 then 'running' else 'ok' end,
           roots, root_errors, open, key_label, environment, release, session_id, user_id,
           coalesce(string_to_array(nullif(tags, ''), e'\\x1f'), '{}'),
           coalesce(string_to_array(nullif(models, ''), e'\\x1f'), '{}'),
           coalesce(string_to_array(nullif(step_names, ''), e'\\x1f'), '{}'),
           (select array_agg(distinct hashtext(a)) from unnest(string_to_array(nullif(attributes, ''), e'\\x1f')) a),
           steps, errors, input_fresh, cache_read, cache_write, output, reasoning, cost, unpriced, score_max,
           score_sum, severity, problem_rank, problem_at, problem_step_id, problem_step_name, problem_code,
           problem_text
         from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::bool[], $6::timestamptz[], $7::text[],
           $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::int[], $12::int[], $13::int[], $14::text[],
           $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::int[],
           $23::int[], $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[],
           $30::int[], $31::int[], $32::bigint[], $33::smallint[], $34::int[], $35::timestamptz[], $36::text[],
           $37::text[], $38::smallint[], $39::text[], $40::text[])
           as d (project_id, run_id, run_at, name, name_nested, name_at, name_step_id, started_at, ended_at,
             received_at, roots, root_errors, open, key_label, environment, release, session_id, user_id, tags, models,
             step_names, steps, errors, input_fresh, cache_read, cache_write, output, reasoning, cost, unpriced,
             score_max, score_sum, severity, problem_rank, problem_at, problem_step_id, problem_step_name,
             problem_code, problem_text, attributes)
         on conflict (project_id, run_id, run_at) do update set
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
             when r.open_count + excluded.open_count > 0 or r.root_count + excluded.root_count = 0 then 'running'
             else 'ok' end,
           root_count = r.root_count + excluded.root_count,
           root_error_count = r.root_error_count + excluded.root_error_count,
           open_count = r.open_count + excluded.open_count,
           key_label = least(r.key_label, excluded.key_label),
           environment = least(r.environment, excluded.environment),
           release = least(r.release, excluded.release),
           session_id = least(r.session_id, excluded.session_id),
           user_id = least(r.user_id, excluded.user_id),
           tags = merge_list(r.tags, excluded.tags),
           models = merge_list(r.models, excluded.models),
           step_names = merge_list(r.step_names, excluded.step_names),
           attribute_hashes = case
             when excluded.attribute_hashes is null or r.attribute_hashes @> excluded.attribute_hashes
               or cardinality(r.attribute_hashes) >= 256 then r.attribute_hashes
             else array(select distinct unnest(r.attribute_hashes || excluded.attribute_hashes)) end,
           step_count = r.step_count + excluded.step_count,
           error_count = r.error_count + excluded.error_count,
           input_fresh = coalesce(r.input_fresh + excluded.input_fresh, r.input_fresh, excluded.input_fresh),
           cache_read = coalesce(r.cache_read + excluded.cache_read, r.cache_read, excluded.cache_read),
           cache_write = coalesce(r.cache_write + excluded.cache_write, r.cache_write, excluded.cache_write),
           output = coalesce(r.output + excluded.output, r.output, excluded.output),
           reasoning = coalesce(r.reasoning + excluded.reasoning, r.reasoning, excluded.reasoning),
           cost_nano_usd = coalesce(r.cost_nano_usd + excluded.cost_nano_usd, r.cost_nano_usd, excluded.cost_nano_usd),
           unpriced_steps = r.unpriced_steps + excluded.unpriced_steps,
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
                      or (r.problem_rank = 0 and excluded.problem_rank > 0)) as ranked (worse))",
        &column(all, |d| d.project_id.0),
        &column(all, |d| d.run_id.as_str()) as _,
        &column(all, |d| d.run_at.to_offset_date_time()),
        &column(all, |d| d.name.as_str()) as _,
        &column(all, |d| d.name_nested),
        &column(all, |d| d.name_at.to_offset_date_time()),
        &column(all, |d| d.name_step_id.as_str()) as _,
        &column(all, |d| d.started_at.to_offset_date_time()),
        &column(all, |d| d.ended_at.to_offset_date_time()),
        &column(all, |d| d.received_at.to_offset_date_time()),
        &column(all, |d| d.roots),
        &column(all, |d| d.root_errors),
        &column(all, |d| d.open),
        &column(all, |d| d.key_label.as_str()) as _,
        &column(all, |d| d.environment.as_deref()) as _,
        &column(all, |d| d.release.as_deref()) as _,
        &column(all, |d| d.session_id.as_deref()) as _,
        &column(all, |d| d.user_id.as_deref()) as _,
        &column(all, |d| joined(&d.tags)) as _,
        &column(all, |d| joined(&d.models)) as _,
        &column(all, |d| joined(&d.step_names)) as _,
        &column(all, |d| d.steps),
        &column(all, |d| d.errors),
        &column(all, |d| d.tokens.input_fresh) as _,
        &column(all, |d| d.tokens.cache_read) as _,
        &column(all, |d| d.tokens.cache_write) as _,
        &column(all, |d| d.tokens.output) as _,
        &column(all, |d| d.tokens.reasoning) as _,
        &column(all, |d| d.cost_nano_usd.map(|cost| cost.0)) as _,
        &column(all, |d| d.unpriced),
        &column(all, |d| d.score_max) as _,
        &column(all, |d| d.score_sum) as _,
        &column(all, |d| d.severity as i16),
        &column(all, |d| d.problem.as_ref().map_or(0, |p| p.rank)),
        &column(all, |d| d.problem.as_ref().map(|p| p.at.to_offset_date_time())) as _,
        &column(all, |d| d.problem.as_ref().map(|p| p.step_id.as_str())) as _,
        &column(all, |d| d.problem.as_ref().map(|p| p.step_name.as_str())) as _,
        &column(all, |d| d.problem.as_ref().and_then(|p| p.code).and_then(|code| i16::try_from(code).ok())) as _,
        &column(all, |d| d.problem.as_ref().map(|p| p.text.as_str())) as _,
        &column(all, |d| joined(&d.attributes)) as _,
    )
    .execute(&mut *batch.tx)
    .await?;
    Ok(())
}
