//! Totals of runs that lost some of their steps, worked out from those that are left.

use super::{Going, run};
use crate::counts::{COUNT_RUNS, COUNTED};
use crate::ingest::MAX_HASHES;
use crate::{Result, Tx};

/// Parts without a step go; of the others everything is what the steps that are left say. Whose a tag was nobody knows any
/// more: there are none left.
pub(super) async fn total_again(tx: &mut Tx, going: &Going) -> Result<()> {
    let emptied = format!(
        "with removed as (
           delete from runs r
           where r.project_id = $1 and r.run_id = any ($2) and r.partition_at >= $3 and r.partition_at <= $4
             and not exists (
               select from steps s where s.project_id = $1 and s.run_id = r.run_id and s.partition_at = r.partition_at)
           returning {COUNTED}
         ), added as (
           select r.* from removed r where false
         ) {COUNT_RUNS}"
    );
    run(tx, going, None, emptied).await?;
    run(tx, going, None, statement()).await?;
    Ok(())
}

/// As `pipeline::run_delta` adds steps up. A run whose top-level step is gone will get no other: it is not running.
fn statement() -> String {
    const LEFT: &str =
        "s.project_id = $1 and s.run_id = any ($2) and s.partition_at >= $3 and s.partition_at <= $4";
    const NAMED: &str = "order by s.parent_step_id is not null, s.started_at, s.step_id";
    format!(
        "with removed as (
           select {COUNTED} from runs r
           where r.project_id = $1 and r.run_id = any ($2) and r.partition_at >= $3 and r.partition_at <= $4
         ), counted as (
           select s.run_id, s.partition_at, count(*)::int as steps,
             (count(*) filter (where s.status = 'error'))::int as errors,
             (count(*) filter (where s.kind in ('llm', 'embedding')))::int as calls,
             (count(*) filter (where s.parent_step_id is null))::int as roots,
             (count(*) filter (where s.parent_step_id is null and s.status = 'error'))::int as root_errors,
             (count(*) filter (where s.ended_at is null))::int as open,
             (count(*) filter (where s.cost_source = 'unknown'))::int as unpriced, count(s.cost_nano_usd)::int as priced,
             sum(s.input_fresh)::bigint as input_fresh, sum(s.cache_read)::bigint as cache_read,
             sum(s.cache_write)::bigint as cache_write, sum(s.output)::bigint as output,
             sum(s.reasoning)::bigint as reasoning, sum(s.cost_nano_usd)::bigint as cost,
             sum(s.score)::bigint as score_sum, max(s.score) as score_max, max(s.severity) as severity,
             min(s.started_at) as started_at, max(coalesce(s.ended_at, s.started_at)) as ended_at,
             max(s.received_at) as received_at, min(s.key_label) as key_label, min(s.environment) as environment,
             min(s.release) as release, min(s.session_id) as session_id, min(s.user_id) as user_id,
             (array_agg(s.name {NAMED}))[1] as name, (array_agg(s.parent_step_id is not null {NAMED}))[1] as name_nested,
             (array_agg(s.started_at {NAMED}))[1] as name_at, (array_agg(s.step_id {NAMED}))[1] as name_step_id,
             coalesce(array_agg(distinct s.model) filter (where btrim(s.model) <> ''), '{{}}') as models,
             coalesce(array_agg(distinct case when s.other_series is null then s.name else 'other' end)
               filter (where s.other_series is not null or s.name <> ''), '{{}}') as step_names
           from steps s where {LEFT} group by s.run_id, s.partition_at
         ), hashed as (
           select h.run_id, h.partition_at, (array_agg(h.hash order by h.hash))[1:{MAX_HASHES}] as hashes
           from (
             select distinct s.run_id, s.partition_at, hashtext(a.key || '=' || (a.value #>> '{{}}')) as hash
             from steps s cross join lateral jsonb_each(s.attributes) a
             where {LEFT} and jsonb_typeof(a.value) in ('string', 'number', 'boolean')
               and octet_length(a.key || '=' || (a.value #>> '{{}}')) <= 200
           ) h
           group by h.run_id, h.partition_at
         ), problems as (
           select distinct on (s.run_id, s.partition_at) s.run_id, s.partition_at, s.started_at as at, s.step_id, s.name,
             case when g.code is null then 1 else greatest(coalesce(s.score, 0), 1) end as rank, g.code,
             left(case when btrim(coalesce(s.error, '')) <> '' then split_part(btrim(s.error, E' \\t\\r\\n'), E'\\n', 1)
               else coalesce(g.message, 'It failed without an error text') end, 200) as said
           from steps s
           left join lateral (
             select c.code, c.message from step_conditions c
             where c.project_id = $1 and c.run_id = s.run_id and c.step_id = s.step_id
               and c.partition_at = s.partition_at
             order by c.points desc, c.code limit 1
           ) g on true
           where {LEFT} and (g.code is not null or s.status = 'error')
           order by s.run_id, s.partition_at,
             case when g.code is null then 1 else greatest(coalesce(s.score, 0), 1) end desc, s.started_at, s.step_id
         ), added as (
           update runs r set name = c.name, name_nested = c.name_nested, name_at = c.name_at,
             name_step_id = c.name_step_id, started_at = c.started_at, ended_at = c.ended_at,
             last_received_at = c.received_at, waits_until = null,
             status = case when c.root_errors > 0 then 'error' when c.open > 0 then 'running' else 'ok' end,
             root_count = c.roots, root_error_count = c.root_errors, open_count = c.open, key_label = c.key_label,
             environment = c.environment, release = case when r.release = 'other' then r.release else c.release end,
             session_id = c.session_id, user_id = c.user_id, tags = '{{}}',
             models = merge_list('{{}}'::text[], c.models), step_names = merge_list('{{}}'::text[], c.step_names),
             attribute_hashes = h.hashes, step_count = c.steps, error_count = c.errors, call_count = c.calls,
             input_fresh = c.input_fresh, cache_read = c.cache_read, cache_write = c.cache_write, output = c.output,
             reasoning = c.reasoning, cost_nano_usd = c.cost, unpriced_steps = c.unpriced, priced_steps = c.priced,
             score_max = c.score_max, score_sum = c.score_sum, severity = c.severity,
             problem_rank = coalesce(p.rank, 0), problem_at = p.at, problem_step_id = p.step_id,
             problem_step_name = p.name, problem_code = p.code, problem_text = p.said
           from counted c
           left join hashed h on h.run_id = c.run_id and h.partition_at = c.partition_at
           left join problems p on p.run_id = c.run_id and p.partition_at = c.partition_at
           where r.project_id = $1 and r.run_id = c.run_id and r.partition_at = c.partition_at
           returning {COUNTED}
         ) {COUNT_RUNS}"
    )
}
