//! Counting what calls used beside the four buckets in hours that were written before they had a count of it. A job, a
//! few hours at a time.

use domain::Timestamp;
use serde_json::json;

use crate::Result;
use crate::counts::lock_counts;
use crate::jobs::{JobChunk, Progress};

/// The kind of the job. A migration asks for it.
pub const KIND: &str = "count_usage_parts";
/// Hours that one chunk counts.
const CHUNK_HOURS: i64 = 4;

/// Counts the next hours and commits the chunk. A count that is right already is left alone, and so is one whose steps are
/// gone.
pub async fn count_chunk(mut chunk: JobChunk, now: Timestamp) -> Result<()> {
    let project = chunk.job.project_id.0;
    // One that can't be read is as good as none: counting again changes nothing.
    let after: Option<Timestamp> = chunk
        .cursor
        .clone()
        .and_then(|cursor| serde_json::from_value(cursor).ok());
    // As whoever changes hours does: what a batch adds meanwhile waits, and is added to what is counted here.
    lock_counts(&mut chunk.tx, &[project]).await?;
    let hours = sqlx::query_scalar!(
        "select distinct hour from rollups where project_id = $1 and hour > coalesce($2::timestamptz, '-infinity')
         order by hour limit $3",
        project,
        after.map(Timestamp::to_offset_date_time),
        CHUNK_HOURS
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    sqlx::query!(
        "update rollups r set usage_parts = c.parts
         from (
           select hour, series_id, jsonb_object_agg(word, n) as parts from (
             select o.hour, o.series_id, s.word, least(sum(s.n), 9223372036854775807)::bigint as n
             from (
               select h.hour, s.other_series, s.key_label, s.name, s.environment, s.model, s.template_fingerprint,
                 p.word, sum(p.n) as n
               from unnest($2::timestamptz[]) h (hour)
               join steps s on s.project_id = $1 and s.started_at >= h.hour and s.started_at < h.hour + interval '1 hour'
                 and (s.usage_details is not null or s.web_searches is not null or s.cache_write_1h is not null)
               cross join lateral parts_of_usage(coalesce(s.usage_semantics, s.cost_source), s.usage_details,
                 s.web_searches, s.cache_write_1h) p
               group by 1, 2, 3, 4, 5, 6, 7, 8
             ) s
             join rollups o on o.project_id = $1 and o.hour = s.hour
               and (s.other_series = o.series_id or s.other_series is null and s.key_label = o.key_label
                 and s.name = o.step_name and s.environment is not distinct from o.environment
                 and s.model is not distinct from o.model
                 and s.template_fingerprint is not distinct from o.template_fingerprint)
             group by 1, 2, 3
           ) counted group by 1, 2
         ) c
         where r.project_id = $1 and r.hour = c.hour and r.series_id = c.series_id
           and r.usage_parts is distinct from c.parts",
        project,
        &hours
    )
    .execute(&mut *chunk.tx)
    .await?;
    let counted = i64::try_from(hours.len()).unwrap_or(i64::MAX);
    let last = hours.last().filter(|_| counted == CHUNK_HOURS);
    let progress = Progress {
        next: last.map(|hour| json!(Timestamp::from_offset_date_time(*hour))),
        done: chunk.job.progress_done.saturating_add(counted),
        total: None,
        result: json!({}),
    };
    chunk.commit(&progress, now).await
}
