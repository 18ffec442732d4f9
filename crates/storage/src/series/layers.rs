//! Conditions over time by layer: from the sums of days where those know what is asked for, else from hours, and for
//! buckets below the hour from the steps of a few hours.

use domain::series::{Bucket, LayerCount, SeriesFilter};
use domain::{ProjectId, Timestamp};
use time::OffsetDateTime;

use super::{Span, template};
use crate::{Result, Snapshot};

/// A count of conditions by bucket and layer.
struct Row {
    at: OffsetDateTime,
    layer: i32,
    count: i64,
}

/// How many conditions of each layer the steps of each bucket have; buckets without any are absent. Where buckets are
/// days, the window is one of whole days.
pub async fn layers(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
) -> Result<Vec<LayerCount>> {
    let is_of_days = span.bucket == Bucket::Day && span.from.day() == span.from && span.to.day() == span.to;
    let rows = match span.bucket {
        Bucket::Minute | Bucket::FiveMinutes => of_steps(snapshot, project, filter, span).await?,
        // Days are not summed up by environment and template.
        _ if is_of_days && filter.environment.is_none() && filter.template.is_none() => {
            of_days(snapshot, project, filter, span).await?
        }
        _ => of_rollups(snapshot, project, filter, span).await?,
    };
    let counts = rows.into_iter().map(|row| LayerCount {
        at: Timestamp::from_offset_date_time(row.at),
        layer: u8::try_from(row.layer).unwrap_or(0),
        count: row.count,
    });
    Ok(counts.collect())
}

async fn of_days(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
) -> Result<Vec<Row>> {
    // Codes below 6 are sums over codes.
    Ok(sqlx::query_as!(
        Row,
        "select day as \"at!\", (code / 1000)::int as \"layer!\", sum(ok + warning + critical)::bigint as \"count!\"
         from condition_days
         where project_id = $1 and day >= $2 and day < $3 and code > 5
           and ($4::text is null or key_label = $4) and ($5::text is null or model = $5)
           and ($6::text is null or step_name = $6)
         group by 1, 2 order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        filter.key,
        filter.model,
        filter.step
    )
    .fetch_all(&mut *snapshot)
    .await?)
}

async fn of_rollups(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
) -> Result<Vec<Row>> {
    Ok(sqlx::query_as!(
        Row,
        "select date_trunc($4, r.hour, 'UTC') as \"at!\", (c.key::int / 1000) as \"layer!\",
           sum(c.value::bigint)::bigint as \"count!\"
         from rollups r, jsonb_each_text(r.conditions) c
         where r.project_id = $1 and r.hour >= $2 and r.hour < $3 and r.conditions <> '{}'
           and ($5::text is null or r.key_label = $5) and ($6::text is null or r.model = $6)
           and ($7::text is null or r.step_name = $7) and ($8::text is null or r.environment = $8)
           and ($9::bytea is null or r.template_fingerprint = $9)
         group by 1, 2 order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        if span.bucket == Bucket::Day { "day" } else { "hour" },
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        template(filter)
    )
    .fetch_all(&mut *snapshot)
    .await?)
}

async fn of_steps(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: Span,
) -> Result<Vec<Row>> {
    Ok(sqlx::query_as!(
        Row,
        "select date_bin($4::bigint * interval '1 microsecond', s.started_at, 'epoch') as \"at!\",
           c.layer::int as \"layer!\", count(*) as \"count!\"
         from steps s
         join step_conditions c on c.project_id = s.project_id and c.partition_at = s.partition_at
           and c.run_id = s.run_id and c.step_id = s.step_id
         where s.project_id = $1 and s.started_at >= $2 and s.started_at < $3
           and ($5::text is null or s.key_label = $5) and ($6::text is null or s.model = $6)
           and ($7::text is null or s.name = $7) and ($8::text is null or s.environment = $8)
           and ($9::bytea is null or s.template_fingerprint = $9)
         group by 1, 2 order by 1, 2",
        project.0,
        span.from.to_offset_date_time(),
        span.to.to_offset_date_time(),
        span.bucket.micros(),
        filter.key,
        filter.model,
        filter.step,
        filter.environment,
        template(filter)
    )
    .fetch_all(&mut *snapshot)
    .await?)
}
