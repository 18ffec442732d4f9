//! All steps of a run as figures, however many it has.

use domain::skeleton::{RawStep, Skeleton, SkeletonBuilder};
use domain::{ProjectId, StepKind, StepStatus, Timestamp};
use futures::TryStreamExt as _;

use crate::runs::severity;
use crate::{Result, Snapshot};

/// The steps of a run in the order of time, at most `limit`; with `since` only those received from then on. Empty when
/// there is no such run. One index range: the run's rows lie side by side under their key.
pub async fn skeleton(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    since: Option<Timestamp>,
    limit: u32,
) -> Result<Skeleton> {
    let mut rows = sqlx::query!(
        "select s.step_id, s.parent_step_id, s.name, s.kind, s.model, s.started_at, s.ended_at, s.latency_ms, s.status,
           left(s.error, 500) as error, s.input_fresh, s.cache_read, s.cache_write, s.output, s.cost_nano_usd, s.score,
           s.severity, s.prompt_hash, s.received_at, c.layer as \"layer?\"
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         left join (
           select c.partition_at, c.step_id, min(c.layer) as layer
           from step_conditions c
           where c.project_id = $1 and c.run_id = $2
           group by c.partition_at, c.step_id
         ) c on c.partition_at = s.partition_at and c.step_id = s.step_id
         where k.project_id = $1 and k.run_id = $2 and ($3::timestamptz is null or s.received_at >= $3)
         order by s.started_at, s.step_index nulls first, s.step_id, s.partition_at
         limit $4",
        project.0,
        run_id,
        since.map(Timestamp::to_offset_date_time),
        i64::from(limit)
    )
    .fetch(&mut *snapshot);
    let mut builder = SkeletonBuilder::default();
    let mut received_us = 0;
    while let Some(s) = rows.try_next().await? {
        received_us = received_us.max(Timestamp::from_offset_date_time(s.received_at).micros());
        let tokens = [s.input_fresh, s.cache_read, s.cache_write, s.output];
        builder.push(RawStep {
            step_id: s.step_id,
            parent_step_id: s.parent_step_id,
            name: s.name,
            model: s.model,
            error: s.error,
            prompt_hash: s.prompt_hash,
            kind: StepKind::parse(&s.kind).unwrap_or(StepKind::Other),
            status: StepStatus::parse(&s.status).unwrap_or(StepStatus::Error),
            severity: severity(s.severity),
            started_at: Timestamp::from_offset_date_time(s.started_at),
            ended_at: s.ended_at.map(Timestamp::from_offset_date_time),
            latency_ms: s.latency_ms,
            score: s.score,
            layer: s.layer.and_then(|layer| u8::try_from(layer).ok()),
            cost_nano_usd: s.cost_nano_usd,
            tokens: tokens.iter().flatten().copied().reduce(i64::saturating_add),
        });
    }
    let mut skeleton = builder.finish();
    skeleton.received_us = received_us;
    Ok(skeleton)
}
