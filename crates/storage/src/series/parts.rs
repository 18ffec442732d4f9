//! What the calls of a window consist of: by key, model, step, environment and template, in one reading.

use domain::series::{Bucket, CallSums, PartSums, SeriesBy, SeriesFilter};
use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage};

use super::{Span, template};
use crate::hours::whole_days;
use crate::{Result, Snapshot};

/// A row of a part, as each of the statements below returns it.
macro_rules! part_sums {
    ($row:ident) => {
        Some(PartSums {
            by: SeriesBy::parse(&$row.dimension)?,
            name: $row.name,
            sums: CallSums {
                calls: $row.calls,
                errors: $row.errors,
                anomalies: $row.anomalies,
                unpriced: $row.unpriced,
                tokens: TokenUsage {
                    input_fresh: $row.input,
                    output: $row.output,
                    ..TokenUsage::default()
                },
                cost_nano_usd: $row.cost.map(NanoUsd),
                ..CallSums::default()
            },
            first: Timestamp::from_offset_date_time($row.first),
            last: Timestamp::from_offset_date_time($row.last),
        })
    };
}

/// The values of each of `dimensions` in the window, those with most calls first, at most `limit` of each. What is
/// counted is what [`super::series`] counts; input tokens are all of them, as fresh ones. Without latencies.
pub async fn parts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    dimensions: &[SeriesBy],
    limit: u32,
) -> Result<Vec<PartSums>> {
    let dimensions: Vec<String> = dimensions.iter().map(|by| by.as_str().to_owned()).collect();
    match span.bucket {
        Bucket::Minute | Bucket::FiveMinutes => {
            of_steps(snapshot, project, filter, span, &dimensions, limit).await
        }
        Bucket::Hour | Bucket::Day => of_rollups(snapshot, project, filter, span, &dimensions, limit).await,
    }
}

async fn of_rollups(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    dimensions: &[String],
    limit: u32,
) -> Result<Vec<PartSums>> {
    let (first_day, last_day) = whole_days(span.from, span.to);
    let rows = sqlx::query!(
        "select p.dimension as \"dimension!\", p.name, p.calls as \"calls!\", p.errors as \"errors!\",
           p.anomalies as \"anomalies!\", p.unpriced as \"unpriced!\", p.input, p.output, p.cost, p.first as \"first!\",
           p.last as \"last!\"
         from (
           select d.dimension, d.name, coalesce(sum(r.calls) filter (where r.counts), 0)::bigint as calls,
             coalesce(sum(r.errors) filter (where r.counts), 0)::bigint as errors,
             coalesce(sum(r.anomalies) filter (where r.counts), 0)::bigint as anomalies, sum(r.unpriced)::bigint as unpriced,
             case when count(r.input) > 0 then least(sum(r.input), 9223372036854775807)::bigint end as input,
             case when count(r.output) > 0 then least(sum(r.output), 9223372036854775807)::bigint end as output,
             case when count(r.cost) > 0
               then greatest(least(sum(r.cost), 9223372036854775807), -9223372036854775808)::bigint end as cost,
             min(r.first) as first, max(r.last) as last,
             row_number() over (partition by d.dimension
               order by sum(r.calls) filter (where r.counts) desc nulls last, d.name) as nth
           from (
             select hour as first, hour as last, key_label, model, step_name, environment, template_fingerprint, calls,
               errors, anomalies, unpriced, output::numeric as output, cost_nano_usd::numeric as cost,
               case when coalesce(input_fresh, cache_read, cache_write) is not null
                 then coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) end as input,
               model is not null or $6::text is not null as counts
             from rollups
             where project_id = $1 and hour >= $2 and hour < $3 and (hour < $8 or hour >= $9)
             union all
             select first_hour, last_hour, key_label, model, step_name, environment, template_fingerprint, calls, errors,
               anomalies, unpriced, output, cost_nano_usd,
               case when coalesce(input_fresh, cache_read, cache_write) is not null
                 then coalesce(input_fresh, 0) + coalesce(cache_read, 0) + coalesce(cache_write, 0) end,
               model is not null or $6::text is not null
             from rollup_days where project_id = $1 and day >= $8 and day < $9
           ) r
           cross join lateral (values ('key', r.key_label), ('model', r.model), ('step', r.step_name),
             ('environment', r.environment), ('template', encode(r.template_fingerprint, 'hex'))) d (dimension, name)
           where d.dimension = any($11)
             and ($4::text is null or r.key_label = $4) and ($5::text is null or r.model = $5)
             and ($6::text is null or r.step_name = $6) and ($7::text is null or r.environment = $7)
             and ($10::bytea is null or r.template_fingerprint = $10)
           group by 1, 2
           having coalesce(sum(r.calls) filter (where r.counts), 0) > 0 or count(r.cost) > 0
         ) p
         where p.nth <= $12
         order by p.dimension, p.nth",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        first_day.to_offset_date_time(),
        last_day.to_offset_date_time(),
        template(filter),
        dimensions,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().filter_map(|row| part_sums!(row)).collect())
}

async fn of_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
    dimensions: &[String],
    limit: u32,
) -> Result<Vec<PartSums>> {
    let rows = sqlx::query!(
        "select p.dimension as \"dimension!\", p.name, p.calls as \"calls!\", p.errors as \"errors!\",
           p.anomalies as \"anomalies!\", p.unpriced as \"unpriced!\", p.input, p.output, p.cost, p.first as \"first!\",
           p.last as \"last!\"
         from (
           select d.dimension, d.name, count(*) filter (where s.counts) as calls,
             count(*) filter (where s.counts and s.status = 'error') as errors,
             count(*) filter (where s.counts and s.severity > 0) as anomalies,
             count(*) filter (where s.cost_source = 'unknown') as unpriced,
             case when count(s.input) > 0 then least(sum(s.input), 9223372036854775807)::bigint end as input,
             case when count(s.output) > 0 then least(sum(s.output), 9223372036854775807)::bigint end as output,
             case when count(s.cost_nano_usd) > 0
               then greatest(least(sum(s.cost_nano_usd), 9223372036854775807), -9223372036854775808)::bigint end as cost,
             min(s.started_at) as first, max(s.started_at) as last,
             row_number() over (partition by d.dimension order by count(*) filter (where s.counts) desc, d.name) as nth
           from (
             select key_label, model, name, environment, template_fingerprint, status, severity, cost_source, output,
               cost_nano_usd, started_at,
               case when coalesce(input_fresh, cache_read, cache_write) is not null
                 then coalesce(input_fresh, 0)::numeric + coalesce(cache_read, 0) + coalesce(cache_write, 0) end as input,
               model is not null or $6::text is not null as counts
             from steps
             where project_id = $1 and started_at >= $2 and started_at < $3
               and ($4::text is null or key_label = $4) and ($5::text is null or model = $5)
               and ($6::text is null or name = $6) and ($7::text is null or environment = $7)
               and ($8::bytea is null or template_fingerprint = $8)
           ) s
           cross join lateral (values ('key', s.key_label), ('model', s.model), ('step', s.name),
             ('environment', s.environment), ('template', encode(s.template_fingerprint, 'hex'))) d (dimension, name)
           where d.dimension = any($9)
           group by 1, 2
           having count(*) filter (where s.counts) > 0 or count(s.cost_nano_usd) > 0
         ) p
         where p.nth <= $10
         order by p.dimension, p.nth",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        template(filter),
        dimensions,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().filter_map(|row| part_sums!(row)).collect())
}

/// When calls first named a model or a step, as far as is known.
pub async fn first_seen(
    snapshot: &mut Snapshot,
    project: ProjectId,
    by: SeriesBy,
    name: &str,
) -> Result<Option<Timestamp>> {
    let at = sqlx::query_scalar!(
        "select at from first_seen where project_id = $1 and dimension = $2 and value = $3",
        project.0,
        by.as_str(),
        name
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(at.map(Timestamp::from_offset_date_time))
}
