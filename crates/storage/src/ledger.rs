//! Reading the ledger: what became of every received step.

use domain::{LedgerMinute, NanoUsd, ProjectId, StatedCost, Timestamp, UsageShape};

use crate::{Result, Snapshot};

/// The most minutes one answer may have.
pub const MAX_MINUTES: u32 = 10_000;

/// One row per minute and key within `from..to`, newest first, at most `limit`.
pub async fn minutes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Result<Vec<LedgerMinute>> {
    let rows = sqlx::query!(
        "with wanted as (
           select distinct minute, key_label from ledger
           where project_id = $1 and minute >= $2 and minute < $3
           order by minute desc, key_label limit $4
         )
         select minute, key_label, outcome, reason, steps from ledger join wanted using (minute, key_label)
         where project_id = $1 and minute >= $2 and minute < $3
         order by minute desc, key_label",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        i64::from(limit.clamp(1, MAX_MINUTES))
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut minutes: Vec<LedgerMinute> = Vec::new();
    for row in rows {
        let minute = Timestamp::from_offset_date_time(row.minute);
        if minutes
            .last()
            .is_none_or(|last| (last.minute, last.key_label.as_str()) != (minute, row.key_label.as_str()))
        {
            minutes.push(LedgerMinute {
                minute,
                key_label: row.key_label,
                received: 0,
                stored: 0,
                duplicate: 0,
                rejected: Default::default(),
                limited: Default::default(),
            });
        }
        if let Some(last) = minutes.last_mut() {
            match row.outcome.as_str() {
                // What the sums made of stored steps; these are counted as stored already.
                "limited" => *last.limited.entry(row.reason).or_insert(0) += row.steps,
                "stored" => last.stored += row.steps,
                "duplicate" => last.duplicate += row.steps,
                _ => *last.rejected.entry(row.reason).or_insert(0) += row.steps,
            }
            last.received = last.stored + last.duplicate + last.rejected.values().sum::<i64>();
        }
    }
    Ok(minutes)
}

/// The most shapes one answer may have.
pub const MAX_SHAPES: u32 = 200;

/// The usage objects of steps that began within `from..to` and were not understood, by shape and model, the most frequent
/// first.
pub async fn usage_shapes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Result<Vec<UsageShape>> {
    let rows = sqlx::query!(
        "select usage_shape as \"shape!\", coalesce(model, '') as \"model!\", count(*) as \"steps!\",
           max(started_at) as \"last_at!\", (array_agg(run_id order by started_at desc))[1] as \"run_id!\"
         from steps
         where project_id = $1 and usage_shape is not null and started_at >= $2 and started_at < $3
         group by 1, 2 order by 3 desc, 1, 2 limit $4",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        i64::from(limit.clamp(1, MAX_SHAPES))
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| UsageShape {
            shape: row.shape,
            model: row.model,
            steps: row.steps,
            last_at: Timestamp::from_offset_date_time(row.last_at),
            run_id: row.run_id,
        })
        .collect())
}

/// The most models one answer may have.
pub const MAX_STATED: u32 = 200;
/// The latest calls that are compared.
pub const MAX_STATED_CALLS: i64 = 50_000;

/// What was computed and what was stated for the calls that began within `from..to` and have both, by model and provider,
/// those furthest apart first. Of very many the latest [`MAX_STATED_CALLS`].
pub async fn stated_costs(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Result<Vec<StatedCost>> {
    let rows = sqlx::query!(
        "select coalesce(model, '') as \"model!\", coalesce(provider, '') as \"provider!\", count(*) as \"calls!\",
           least(sum(cost_nano_usd), 9223372036854775807)::bigint as \"computed!\",
           least(sum(reported_cost_nano_usd), 9223372036854775807)::bigint as \"stated!\",
           max(started_at) as \"last_at!\", (array_agg(run_id order by started_at desc))[1] as \"run_id!\"
         from (
           select model, provider, cost_nano_usd, reported_cost_nano_usd, started_at, run_id from steps
           where project_id = $1 and reported_cost_nano_usd is not null and reported_cost_nano_usd >= 0
             and cost_source = 'computed' and cost_nano_usd is not null and started_at >= $2 and started_at < $3
           order by started_at desc limit $5
         ) latest
         group by 1, 2 order by abs(sum(reported_cost_nano_usd) - sum(cost_nano_usd)) desc, 1, 2 limit $4",
        project.0,
        from.to_offset_date_time(),
        to.to_offset_date_time(),
        i64::from(limit.clamp(1, MAX_STATED)),
        MAX_STATED_CALLS
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StatedCost {
            model: row.model,
            provider: row.provider,
            calls: row.calls,
            computed_nano_usd: NanoUsd(row.computed),
            stated_nano_usd: NanoUsd(row.stated),
            last_at: Timestamp::from_offset_date_time(row.last_at),
            run_id: row.run_id,
        })
        .collect())
}
