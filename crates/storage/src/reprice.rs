//! What re-pricing reads and writes. Pages of runs in the order of the list, and in them the steps that can cost
//! something; changed costs are written to the step and, in the same transaction, to the run's total and to the hour
//! of its series.
//!
//! Locks are taken in the order of the batch writer: steps, runs, releases, rollups.

mod releases;

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::{CostSource, NanoUsd, Timestamp, TokenUsage, UsageDetails};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use crate::Result;
use crate::counts::{ADD_UP_DAYS, COUNT_RUNS, COUNTED, MARK_CHANGED, SUMMED, lock_counts};
use crate::jobs::JobChunk;

pub use releases::{ReleaseKey, add_to_releases};

/// The kind of the jobs that re-price.
pub const KIND: &str = "reprice";

/// Runs that are looked at in one chunk.
const PAGE_RUNS: i64 = 500;
/// Steps that are priced in one chunk.
const PAGE_STEPS: i64 = 5_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Which {
    /// The model that answered, else the one that was asked for; any without.
    pub model: Option<String>,
    /// Steps that began then or later.
    pub from: Option<Timestamp>,
    /// Steps that began before.
    pub to: Option<Timestamp>,
}

/// Up to where everything has been looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The time its run is filed under.
    partition_at: Timestamp,
    run_id: String,
    /// The step; `None` when it was the run's last.
    step_id: Option<String>,
}

/// A step that can cost something.
#[derive(Clone, Debug)]
pub struct PricedStep {
    pub run_id: String,
    /// The time its run is filed under.
    pub partition_at: Timestamp,
    pub step_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Who served it.
    pub provider: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// The model that was asked for.
    pub request_model: Option<String>,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// The tier at which it was served.
    pub service_tier: Option<String>,
    /// Parts of the tokens, and what else is billed.
    pub usage_details: UsageDetails,
    pub web_searches: Option<i64>,
    /// What it costs by now.
    pub cost: Option<NanoUsd>,
    /// Where that comes from.
    pub source: CostSource,
    /// The price row behind it.
    pub price_version: Option<String>,
    /// What the client said it costs.
    pub reported: Option<NanoUsd>,
    pub key_label: String,
    pub environment: Option<String>,
    pub name: String,
    pub template_fingerprint: Option<Vec<u8>>,
    /// The series that counts it, when that is not its own.
    pub other_series: Option<Uuid>,
    /// The release that counts it.
    pub release: Option<String>,
}

/// Steps to price, and where the next page begins.
#[derive(Clone, Debug)]
pub struct Page {
    pub steps: Vec<PricedStep>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
    /// How many steps, of any kind, the runs that are behind us have.
    pub passed_steps: i64,
}

/// How many steps, of any kind, the runs have that will be looked at.
pub async fn count(chunk: &mut JobChunk, which: &Which) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "select coalesce(sum(step_count), 0) as \"steps!\" from runs
         where project_id = $1 and ended_at >= coalesce($2::timestamptz, '-infinity')
           and started_at < coalesce($3::timestamptz, 'infinity')",
        chunk.job.project_id.0,
        which.from.map(Timestamp::to_offset_date_time),
        which.to.map(Timestamp::to_offset_date_time)
    )
    .fetch_one(&mut *chunk.tx)
    .await?)
}

/// The next steps after `cursor`.
pub async fn page(chunk: &mut JobChunk, which: &Which, cursor: Option<&Cursor>) -> Result<Page> {
    let project = chunk.job.project_id.0;
    let (from, to) = (
        which.from.map(Timestamp::to_offset_date_time),
        which.to.map(Timestamp::to_offset_date_time),
    );
    let within = cursor.and_then(|cursor| cursor.step_id.as_deref());
    let runs = sqlx::query!(
        "select partition_at, run_id, step_count from runs
         where project_id = $1 and step_count > 0
           and (partition_at, run_id) >= (coalesce($2::timestamptz, '-infinity'), coalesce($3::text, ''))
           and ($4::text is not null or $3::text is null or (partition_at, run_id) <> ($2::timestamptz, $3::text))
           and ended_at >= coalesce($5::timestamptz, '-infinity') and started_at < coalesce($6::timestamptz, 'infinity')
         order by partition_at, run_id limit $7",
        project,
        cursor.map(|cursor| cursor.partition_at.to_offset_date_time()),
        cursor.map(|cursor| cursor.run_id.as_str()),
        within,
        from,
        to,
        PAGE_RUNS
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    let Some(last) = runs.last() else {
        return Ok(Page {
            steps: Vec::new(),
            next: None,
            passed_steps: 0,
        });
    };
    let rows = sqlx::query!(
        "select s.run_id, s.partition_at, s.step_id, s.started_at, s.provider, s.model, s.request_model, s.input_fresh,
           s.cache_read, s.cache_write, s.cache_write_1h, s.output, s.reasoning, s.service_tier, s.web_searches,
           s.usage_details as \"usage_details: Json<UsageDetails>\",
           s.cost_nano_usd, s.cost_source as \"cost_source!\", s.price_version, s.reported_cost_nano_usd, s.key_label,
           s.environment, s.name, s.template_fingerprint, s.other_series,
           case when s.release_is_other then 'other' else s.release end as release
         from unnest($2::timestamptz[], $3::text[]) as r (partition_at, run_id)
         join steps s on s.project_id = $1 and s.run_id = r.run_id and s.partition_at = r.partition_at
         where s.cost_source is not null
           and ($4::text is null or coalesce(s.model, s.request_model) = $4)
           and s.started_at >= coalesce($5::timestamptz, '-infinity')
           and s.started_at < coalesce($6::timestamptz, 'infinity')
           and ($7::text is null or (s.partition_at, s.run_id) <> ($8::timestamptz, $9::text) or s.step_id > $7)
         order by s.partition_at, s.run_id, s.step_id limit $10",
        project,
        &runs.iter().map(|run| run.partition_at).collect::<Vec<_>>(),
        &runs.iter().map(|run| run.run_id.clone()).collect::<Vec<_>>(),
        which.model,
        from,
        to,
        within,
        cursor.map(|cursor| cursor.partition_at.to_offset_date_time()),
        cursor.map(|cursor| cursor.run_id.as_str()),
        PAGE_STEPS
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    let steps: Vec<PricedStep> = rows
        .into_iter()
        .map(|s| PricedStep {
            run_id: s.run_id,
            partition_at: Timestamp::from_offset_date_time(s.partition_at),
            step_id: s.step_id,
            started_at: Timestamp::from_offset_date_time(s.started_at),
            provider: s.provider,
            model: s.model,
            request_model: s.request_model,
            tokens: TokenUsage {
                input_fresh: s.input_fresh,
                cache_read: s.cache_read,
                cache_write: s.cache_write,
                cache_write_1h: s.cache_write_1h,
                output: s.output,
                reasoning: s.reasoning,
            },
            service_tier: s.service_tier,
            usage_details: s.usage_details.map(|details| details.0).unwrap_or_default(),
            web_searches: s.web_searches,
            cost: s.cost_nano_usd.map(NanoUsd),
            source: CostSource::parse(&s.cost_source).unwrap_or(CostSource::Unknown),
            price_version: s.price_version,
            reported: s.reported_cost_nano_usd.map(NanoUsd),
            key_label: s.key_label,
            environment: s.environment,
            name: s.name,
            template_fingerprint: s.template_fingerprint,
            other_series: s.other_series,
            release: s.release,
        })
        .collect();
    let step_at = |run: usize| i64::from(runs[run].step_count);
    let (next, passed) = match steps.last().filter(|_| steps.len() as i64 == PAGE_STEPS) {
        // The page of steps is full before the page of runs is.
        Some(step) => {
            let before = runs.iter().position(|run| {
                run.run_id == step.run_id
                    && Timestamp::from_offset_date_time(run.partition_at) == step.partition_at
            });
            let cursor = Cursor {
                partition_at: step.partition_at,
                run_id: step.run_id.clone(),
                step_id: Some(step.step_id.clone()),
            };
            (Some(cursor), before.unwrap_or(0))
        }
        None => {
            let cursor = Cursor {
                partition_at: Timestamp::from_offset_date_time(last.partition_at),
                run_id: last.run_id.clone(),
                step_id: None,
            };
            let is_last = (runs.len() as i64) < PAGE_RUNS;
            ((!is_last).then_some(cursor), runs.len())
        }
    };
    Ok(Page {
        steps,
        next,
        passed_steps: (0..passed).map(step_at).sum(),
    })
}

/// What a step costs from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCost {
    pub cost: Option<NanoUsd>,
    /// Where that comes from.
    pub source: CostSource,
    /// The price row behind it.
    pub price_version: Option<String>,
}

/// Writes new costs to steps that still are as they were read; returns for each whether it was.
pub async fn update_steps(chunk: &mut JobChunk, changes: &[(&PricedStep, NewCost)]) -> Result<Vec<bool>> {
    let updated = sqlx::query!(
        "update steps s set cost_nano_usd = d.cost, cost_source = d.source, price_version = d.price_version
         from unnest($2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[],
           $9::text[]) as d (partition_at, run_id, step_id, cost, source, price_version, old_cost, old_source)
         where s.project_id = $1 and s.run_id = d.run_id and s.step_id = d.step_id and s.partition_at = d.partition_at
           and s.cost_nano_usd is not distinct from d.old_cost and s.cost_source = d.old_source
         returning s.partition_at, s.run_id, s.step_id",
        chunk.job.project_id.0,
        &changes
            .iter()
            .map(|(step, _)| step.partition_at.to_offset_date_time())
            .collect::<Vec<_>>(),
        &changes
            .iter()
            .map(|(step, _)| step.run_id.clone())
            .collect::<Vec<_>>(),
        &changes
            .iter()
            .map(|(step, _)| step.step_id.clone())
            .collect::<Vec<_>>(),
        &changes
            .iter()
            .map(|(_, new)| new.cost.map(|cost| cost.0))
            .collect::<Vec<_>>() as _,
        &changes
            .iter()
            .map(|(_, new)| new.source.as_str().to_owned())
            .collect::<Vec<_>>(),
        &changes
            .iter()
            .map(|(_, new)| new.price_version.clone())
            .collect::<Vec<_>>() as _,
        &changes
            .iter()
            .map(|(step, _)| step.cost.map(|cost| cost.0))
            .collect::<Vec<_>>() as _,
        &changes
            .iter()
            .map(|(step, _)| step.source.as_str().to_owned())
            .collect::<Vec<_>>(),
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    let updated: HashSet<(Timestamp, &str, &str)> = updated
        .iter()
        .map(|row| {
            let partition_at = Timestamp::from_offset_date_time(row.partition_at);
            (partition_at, row.run_id.as_str(), row.step_id.as_str())
        })
        .collect();
    let is_updated = |step: &PricedStep| {
        updated.contains(&(step.partition_at, step.run_id.as_str(), step.step_id.as_str()))
    };
    Ok(changes.iter().map(|(step, _)| is_updated(step)).collect())
}

/// What changed costs add to a sum of costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// To the known cost, in nano-dollars.
    pub cost: i64,
    /// To the sum of the squares of the costs.
    pub cost_squares: i128,
    /// To the steps without a price.
    pub unpriced: i64,
    /// To the steps whose cost is known. Without any the sum is unknown.
    pub priced: i64,
}

/// Adds to the totals of runs. In the order of the batch writer, that of the ids' bytes.
pub async fn add_to_runs(chunk: &mut JobChunk, deltas: &[((Timestamp, String), Delta)]) -> Result<()> {
    let mut sorted: Vec<_> = deltas.iter().collect();
    sorted.sort_unstable_by(|((_, a), _), ((_, b), _)| a.cmp(b));
    let project = chunk.job.project_id.0;
    let partition_ats: Vec<_> = sorted
        .iter()
        .map(|((at, _), _)| at.to_offset_date_time())
        .collect();
    let run_ids: Vec<_> = sorted.iter().map(|((_, id), _)| id.clone()).collect();
    lock_counts(&mut chunk.tx, &[project]).await?;
    sqlx::query!(
        "select r.run_id from unnest($2::timestamptz[], $3::text[]) with ordinality as d (partition_at, run_id, place)
         join runs r on r.project_id = $1 and r.run_id = d.run_id and r.partition_at = d.partition_at
         order by d.place for no key update of r",
        project,
        &partition_ats,
        &run_ids
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    // Nothing here reads steps: whatever stores steps of the project waits from here to the commit.
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with d as (
               select * from unnest($2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
                 as d (partition_at, run_id, cost, unpriced, priced)
             ), removed as (
               select {COUNTED} from d
               join runs r on r.project_id = $1 and r.run_id = d.run_id and r.partition_at = d.partition_at
             ), added as (
               update runs r set unpriced_steps = r.unpriced_steps + d.unpriced::int,
                 priced_steps = r.priced_steps + d.priced::int,
                 cost_nano_usd = case when r.priced_steps + d.priced > 0
                   then coalesce(r.cost_nano_usd, 0) + d.cost end
               from d
               where r.project_id = $1 and r.run_id = d.run_id and r.partition_at = d.partition_at
               returning {COUNTED}
             ) {COUNT_RUNS}"
        )
    });
    sqlx::query(STATEMENT.as_str())
        .bind(project)
        .bind(partition_ats)
        .bind(run_ids)
        .bind(sorted.iter().map(|(_, delta)| delta.cost).collect::<Vec<_>>())
        .bind(sorted.iter().map(|(_, delta)| delta.unpriced).collect::<Vec<_>>())
        .bind(sorted.iter().map(|(_, delta)| delta.priced).collect::<Vec<_>>())
        .execute(&mut *chunk.tx)
        .await?;
    Ok(())
}

/// Adds to hours of series, in the order of the batch writer.
pub async fn add_to_rollups(chunk: &mut JobChunk, deltas: &[((Timestamp, Uuid), Delta)]) -> Result<()> {
    let mut sorted: Vec<_> = deltas.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let project = chunk.job.project_id.0;
    let hours: Vec<_> = sorted
        .iter()
        .map(|((hour, _), _)| hour.to_offset_date_time())
        .collect();
    let series: Vec<_> = sorted.iter().map(|((_, series), _)| *series).collect();
    sqlx::query!(
        "select r.series_id from unnest($2::timestamptz[], $3::uuid[]) with ordinality as d (hour, series_id, place)
         join rollups r on r.project_id = $1 and r.hour = d.hour and r.series_id = d.series_id
         order by d.place for no key update of r",
        project,
        &hours,
        &series
    )
    .fetch_all(&mut *chunk.tx)
    .await?;
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with d as (
               select * from unnest($2::timestamptz[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
                 as d (hour, series_id, cost, unpriced, priced, cost_squares)
             ), removed as (
               select {SUMMED} from d
               join rollups r on r.project_id = $1 and r.hour = d.hour and r.series_id = d.series_id
             ), added as (
               update rollups r set unpriced = r.unpriced + d.unpriced, priced = r.priced + d.priced,
                 cost_squares = r.cost_squares + d.cost_squares::numeric,
                 cost_nano_usd = case when r.priced + d.priced > 0 then coalesce(r.cost_nano_usd, 0) + d.cost end
               from d
               where r.project_id = $1 and r.hour = d.hour and r.series_id = d.series_id
               returning {SUMMED}
             ), changed as ({MARK_CHANGED}) {ADD_UP_DAYS}"
        )
    });
    sqlx::query(STATEMENT.as_str())
        .bind(project)
        .bind(hours)
        .bind(series)
        .bind(sorted.iter().map(|(_, delta)| delta.cost).collect::<Vec<_>>())
        .bind(sorted.iter().map(|(_, delta)| delta.unpriced).collect::<Vec<_>>())
        .bind(sorted.iter().map(|(_, delta)| delta.priced).collect::<Vec<_>>())
        .bind(
            sorted
                .iter()
                .map(|(_, delta)| delta.cost_squares.to_string())
                .collect::<Vec<_>>(),
        )
        .execute(&mut *chunk.tx)
        .await?;
    Ok(())
}
