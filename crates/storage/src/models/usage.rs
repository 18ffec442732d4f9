//! What calls to models came to, and what those under way may come to. Both are counted against the month's budget, so
//! that calls side by side can't pass it together.

use std::collections::BTreeMap;

use domain::{Feature, NanoUsd, ProjectId, Timestamp};
use uuid::Uuid;

use crate::{Db, Result, Snapshot, Tx};

/// How long a call that nobody settles holds its reservation: longer than any call takes. After that whoever made it is
/// gone, and what it cost is unknown.
pub const RESERVED_MICROS: i64 = 30 * 60 * 1_000_000;

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Reservation<'a> {
    pub call_id: Uuid,
    /// `YYYY-MM`, UTC.
    pub month: &'a str,
    pub feature: Feature,
    pub provider_id: &'a str,
    pub model: &'a str,
    /// The most it may cost.
    pub most: NanoUsd,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    Made,
    /// It would pass what this use may spend of the budget.
    Refused {
        spent: NanoUsd,
        budget: NanoUsd,
    },
}

/// Reserves what a call may cost, or counts it as not made. What others reserved too long ago is given free first.
pub async fn reserve(
    db: &Db,
    project: ProjectId,
    call: &Reservation<'_>,
    now: Timestamp,
) -> Result<Reserved> {
    let mut tx = db.project(project).await?;
    // Its row is held until the commit: reservations of one project follow each other.
    let budget = sqlx::query_scalar!(
        "select budget_nano_usd from model_settings where project_id = $1 for update",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .flatten();
    expire(&mut tx, project, now).await?;
    if let Some(budget) = budget {
        let spent = sum(&mut tx, project, call.month, now).await?;
        let limit = call.feature.part_of_budget(NanoUsd(budget));
        if spent.0.saturating_add(call.most.0) > limit.0 {
            count_refusal(&mut tx, project, call).await?;
            tx.commit().await?;
            return Ok(Reserved::Refused { spent, budget: limit });
        }
    }
    sqlx::query!(
        "insert into model_reservations (project_id, call_id, month, nano_usd, made_at, feature, provider_id, model)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        project.0,
        call.call_id,
        call.month,
        call.most.0,
        now.to_offset_date_time(),
        call.feature.as_str(),
        call.provider_id,
        call.model
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Reserved::Made)
}

/// Counts calls that were never settled as failed ones of unknown cost, and gives their reservations free.
async fn expire(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "with gone as (
           delete from model_reservations where project_id = $1 and made_at <= $2
           returning month, feature, provider_id, model)
         insert into model_usage as u (project_id, month, feature, provider_id, model, calls, failed, unpriced_calls)
         select $1, month, feature, provider_id, model, count(*), count(*), count(*) from gone
         where feature is not null and provider_id is not null and model is not null
         group by month, feature, provider_id, model
         on conflict (project_id, month, feature, provider_id, model) do update set calls = u.calls + excluded.calls,
           failed = u.failed + excluded.failed, unpriced_calls = u.unpriced_calls + excluded.unpriced_calls",
        project.0,
        now.plus_micros(-RESERVED_MICROS).to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives a reservation free whose call was certainly not sent.
pub async fn release(db: &Db, project: ProjectId, call_id: Uuid) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "delete from model_reservations where project_id = $1 and call_id = $2",
        project.0,
        call_id
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

async fn count_refusal(tx: &mut Tx, project: ProjectId, call: &Reservation<'_>) -> Result<()> {
    sqlx::query!(
        "insert into model_usage as u (project_id, month, feature, provider_id, model, not_made)
         values ($1, $2, $3, $4, $5, 1)
         on conflict (project_id, month, feature, provider_id, model) do update set not_made = u.not_made + 1",
        project.0,
        call.month,
        call.feature.as_str(),
        call.provider_id,
        call.model
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a call came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// `None` when it is unknown.
    pub cost: Option<NanoUsd>,
    pub has_failed: bool,
}

/// Counts a call that began at `at` in the place of its reservation.
pub async fn settle(
    db: &Db,
    project: ProjectId,
    call: &Reservation<'_>,
    spent: Spent,
    at: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "delete from model_reservations where project_id = $1 and call_id = $2",
        project.0,
        call.call_id
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into model_usage as u (project_id, month, feature, provider_id, model, calls, failed, input_tokens,
           output_tokens, cost_nano_usd, unpriced_calls, last_call_at)
         values ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11)
         on conflict (project_id, month, feature, provider_id, model) do update set calls = u.calls + 1,
           failed = u.failed + excluded.failed, input_tokens = u.input_tokens + excluded.input_tokens,
           output_tokens = u.output_tokens + excluded.output_tokens,
           cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd,
           unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
           last_call_at = greatest(u.last_call_at, excluded.last_call_at)",
        project.0,
        call.month,
        call.feature.as_str(),
        call.provider_id,
        call.model,
        i64::from(spent.has_failed),
        spent.input_tokens.unwrap_or(0),
        spent.output_tokens.unwrap_or(0),
        spent.cost.map_or(0, |cost| cost.0),
        i64::from(spent.cost.is_none()),
        at.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// What a month's calls of one use to one model came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    pub feature: Feature,
    pub provider_id: String,
    pub model: String,
    pub calls: i64,
    pub failed: i64,
    /// Those for which the budget left no room.
    pub not_made: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// Of the calls whose cost is known.
    pub cost: NanoUsd,
    pub unpriced_calls: i64,
}

/// A month by use and model, what cost most first.
pub async fn usage(snapshot: &mut Snapshot, project: ProjectId, month: &str) -> Result<Vec<UsageRow>> {
    let rows = sqlx::query!(
        "select feature, provider_id, model, calls, failed, not_made, input_tokens, output_tokens, cost_nano_usd,
           unpriced_calls
         from model_usage where project_id = $1 and month = $2
         order by cost_nano_usd desc, calls desc, feature, provider_id, model",
        project.0,
        month
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(UsageRow {
                feature: Feature::parse(&row.feature)?,
                provider_id: row.provider_id,
                model: row.model,
                calls: row.calls,
                failed: row.failed,
                not_made: row.not_made,
                input_tokens: row.input_tokens,
                output_tokens: row.output_tokens,
                cost: NanoUsd(row.cost_nano_usd),
                unpriced_calls: row.unpriced_calls,
            })
        })
        .collect())
}

/// When each provider was called last.
pub async fn last_calls(snapshot: &mut Snapshot, project: ProjectId) -> Result<BTreeMap<String, Timestamp>> {
    let rows = sqlx::query!(
        "select provider_id, max(last_call_at) as \"at!\" from model_usage
         where project_id = $1 and last_call_at is not null group by provider_id",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.provider_id, Timestamp::from_offset_date_time(row.at)))
        .collect())
}

/// The months in which something was counted, newest first.
pub async fn months(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select distinct month from model_usage where project_id = $1 order by month desc limit 24",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?)
}

/// What a month's calls cost, with what those under way may cost.
pub async fn spent(
    snapshot: &mut Snapshot,
    project: ProjectId,
    month: &str,
    now: Timestamp,
) -> Result<NanoUsd> {
    let nano_usd = sqlx::query_scalar!(
        "select (coalesce((select sum(cost_nano_usd) from model_usage where project_id = $1 and month = $2), 0)
           + coalesce((select sum(nano_usd) from model_reservations
                       where project_id = $1 and month = $2 and made_at > $3), 0))::bigint
           as \"nano_usd!\"",
        project.0,
        month,
        now.plus_micros(-RESERVED_MICROS).to_offset_date_time()
    )
    .fetch_one(&mut *snapshot)
    .await?;
    Ok(NanoUsd(nano_usd))
}

async fn sum(tx: &mut Tx, project: ProjectId, month: &str, now: Timestamp) -> Result<NanoUsd> {
    let nano_usd = sqlx::query_scalar!(
        "select (coalesce((select sum(cost_nano_usd) from model_usage where project_id = $1 and month = $2), 0)
           + coalesce((select sum(nano_usd) from model_reservations
                       where project_id = $1 and month = $2 and made_at > $3), 0))::bigint
           as \"nano_usd!\"",
        project.0,
        month,
        now.plus_micros(-RESERVED_MICROS).to_offset_date_time()
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(NanoUsd(nano_usd))
}
