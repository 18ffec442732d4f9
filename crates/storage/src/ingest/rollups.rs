//! Hourly sums per series. Histograms and counts by word are merged by the caller, so a row is locked, read,
//! merged and written back within the batch's transaction, as late in it as possible.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use domain::{NanoUsd, ProjectId, Timestamp, TokenUsage};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Json;
use uuid::Uuid;

use super::BatchTx;
use super::columns::{Column, columns, insert as bind, join, json, json_counts, names, rows};
use crate::Result;
use crate::counts::{ADD_UP_DAYS, MARK_CHANGED, SUMMED};

/// Which row: an hour of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RollupKey {
    pub project_id: ProjectId,
    pub hour: Timestamp,
    /// Hash of the series' five dimensions.
    pub series_id: Uuid,
}

/// Sums of the squares of what each step cost, read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Squares {
    /// Of costs, in nano-dollars.
    pub cost_nano_usd: i128,
    /// Of input tokens, all three buckets together.
    pub input: i128,
    /// Of output tokens.
    pub output: i128,
}

impl Squares {
    /// The sums of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            cost_nano_usd: self.cost_nano_usd.saturating_add(other.cost_nano_usd),
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
        }
    }
}

/// The sums of one hour of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollup {
    pub key_label: String,
    pub environment: Option<String>,
    pub step_name: String,
    pub model: Option<String>,
    pub template_fingerprint: Option<Vec<u8>>,
    /// Steps.
    pub calls: i64,
    /// Failed steps.
    pub errors: i64,
    /// Steps that are warning or critical.
    pub anomalies: i64,
    /// Steps without a price.
    pub unpriced: i64,
    /// Steps whose cost is known.
    pub priced: i64,
    /// Known tokens.
    pub tokens: TokenUsage,
    /// Known cost.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Of what is known.
    pub squares: Squares,
    /// Histogram of the latency in microseconds, encoded.
    pub latency_us: Vec<u8>,
    /// Histogram of the time to the first token in microseconds, encoded.
    pub ttft_us: Vec<u8>,
    /// Count by output shape.
    pub output_shapes: BTreeMap<String, i64>,
    /// Count by stop reason.
    pub finish_reasons: BTreeMap<String, i64>,
    /// Count by condition code.
    pub conditions: BTreeMap<String, i64>,
    /// What was used beside the four buckets, by name: `UsageDetails::counted_parts`.
    pub usage_parts: BTreeMap<String, i64>,
}

columns!(COLUMNS, bind_rollups<'q>, |row: &'q (RollupKey, Rollup)| {
    project_id: "uuid" = row.0.project_id.0,
    hour: "timestamptz" = row.0.hour.to_offset_date_time(),
    series_id: "uuid" = row.0.series_id,
    key_label: "text" = row.1.key_label.as_str(),
    environment: "text" = row.1.environment.as_deref(),
    step_name: "text" = row.1.step_name.as_str(),
    model: "text" = row.1.model.as_deref(),
    template_fingerprint: "bytea" = row.1.template_fingerprint.as_deref(),
    calls: "int8" = row.1.calls,
    errors: "int8" = row.1.errors,
    anomalies: "int8" = row.1.anomalies,
    unpriced: "int8" = row.1.unpriced,
    priced: "int8" = row.1.priced,
    input_fresh: "int8" = row.1.tokens.input_fresh,
    cache_read: "int8" = row.1.tokens.cache_read,
    cache_write: "int8" = row.1.tokens.cache_write,
    output: "int8" = row.1.tokens.output,
    reasoning: "int8" = row.1.tokens.reasoning,
    cost_nano_usd: "int8" = row.1.cost_nano_usd.map(|cost| cost.0),
    cost_squares: "numeric" = row.1.squares.cost_nano_usd.to_string(),
    input_squares: "numeric" = row.1.squares.input.to_string(),
    output_squares: "numeric" = row.1.squares.output.to_string(),
    latency_us: "bytea" = row.1.latency_us.as_slice(),
    ttft_us: "bytea" = row.1.ttft_us.as_slice(),
    output_shapes: "jsonb" = json(&row.1.output_shapes),
    finish_reasons: "jsonb" = json(&row.1.finish_reasons),
    conditions: "jsonb" = json(&row.1.conditions),
    usage_parts: "jsonb" = json_counts(&row.1.usage_parts),
});

/// Locks the rows that exist of these and reads them; those that don't exist are absent from the answer.
/// They are inserted as they are in `new`, so that two batches can't both believe they begin a row: whoever
/// finds its row there meanwhile gets it back to merge into. Nearly always all of them exist: then one question is
/// all that is asked.
pub async fn lock_rollups(
    batch: &mut BatchTx,
    new: &[(RollupKey, Rollup)],
) -> Result<HashMap<RollupKey, Rollup>> {
    let mut rows: Vec<&(RollupKey, Rollup)> = new.iter().collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    let mut found = lock(batch, rows.iter().map(|(key, _)| key)).await?;
    rows.retain(|(key, _)| !found.contains_key(key));
    if rows.is_empty() {
        return Ok(found);
    }
    let inserted = insert(batch, &rows).await?;
    rows.retain(|(key, _)| !inserted.contains(key));
    found.extend(lock(batch, rows.iter().map(|(key, _)| key)).await?);
    Ok(found)
}

/// Locks those that exist, in the order of their keys.
async fn lock(
    batch: &mut BatchTx,
    keys: impl Iterator<Item = &RollupKey>,
) -> Result<HashMap<RollupKey, Rollup>> {
    let keys: Vec<&RollupKey> = keys.collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let found = sqlx::query!(
        "select r.project_id, r.hour, r.series_id, r.key_label, r.environment, r.step_name, r.model,
           r.template_fingerprint, r.calls, r.errors, r.anomalies, r.unpriced, r.priced, r.input_fresh, r.cache_read,
           r.cache_write, r.output, r.reasoning, r.cost_nano_usd, r.cost_squares::text as \"cost_squares!\",
           r.input_squares::text as \"input_squares!\", r.output_squares::text as \"output_squares!\", r.latency_us,
           r.ttft_us,
           r.output_shapes as \"output_shapes: Json<BTreeMap<String, i64>>\",
           r.finish_reasons as \"finish_reasons: Json<BTreeMap<String, i64>>\",
           r.conditions as \"conditions: Json<BTreeMap<String, i64>>\",
           r.usage_parts as \"usage_parts: Json<BTreeMap<String, i64>>\"
         from unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) as wanted (project_id, hour, series_id)
         join rollups r on r.project_id = wanted.project_id and r.hour = wanted.hour and r.series_id = wanted.series_id
         order by r.project_id, r.hour, r.series_id
         for update of r",
        &keys.iter().map(|key| key.project_id.0).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.hour.to_offset_date_time()).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.series_id).collect::<Vec<_>>(),
    )
    .fetch_all(&mut *batch.tx)
    .await?;
    Ok(found
        .into_iter()
        .map(|r| {
            let key = RollupKey {
                project_id: ProjectId(r.project_id),
                hour: Timestamp::from_offset_date_time(r.hour),
                series_id: r.series_id,
            };
            let rollup = Rollup {
                key_label: r.key_label,
                environment: r.environment,
                step_name: r.step_name,
                model: r.model,
                template_fingerprint: r.template_fingerprint,
                calls: r.calls,
                errors: r.errors,
                anomalies: r.anomalies,
                unpriced: r.unpriced,
                priced: r.priced,
                tokens: TokenUsage {
                    input_fresh: r.input_fresh,
                    cache_read: r.cache_read,
                    cache_write: r.cache_write,
                    cache_write_1h: None,
                    output: r.output,
                    reasoning: r.reasoning,
                },
                cost_nano_usd: r.cost_nano_usd.map(NanoUsd),
                squares: Squares {
                    cost_nano_usd: whole(&r.cost_squares),
                    input: whole(&r.input_squares),
                    output: whole(&r.output_squares),
                },
                latency_us: r.latency_us.unwrap_or_default(),
                ttft_us: r.ttft_us.unwrap_or_default(),
                output_shapes: r.output_shapes.0,
                finish_reasons: r.finish_reasons.0,
                conditions: r.conditions.0,
                usage_parts: r.usage_parts.map(|counts| counts.0).unwrap_or_default(),
            };
            (key, rollup)
        })
        .collect())
}

/// A whole number that Postgres wrote.
fn whole(digits: &str) -> i128 {
    digits.parse().unwrap_or(i128::MAX)
}

/// Inserts those that nobody else has inserted meanwhile, and answers which.
async fn insert(batch: &mut BatchTx, new: &[&(RollupKey, Rollup)]) -> Result<Vec<RollupKey>> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        let (names, rows) = (names(COLUMNS), rows(COLUMNS));
        format!(
            "with added as (
               insert into rollups as r ({names}) {rows}
               on conflict (project_id, hour, series_id) do nothing returning {SUMMED}
             ), removed as (
               select a.* from added a where false
             ), changed as ({MARK_CHANGED}), days as ({ADD_UP_DAYS})
             select project_id, hour, series_id from added"
        )
    });
    let inserted = bind_rollups(bind(&STATEMENT), new)
        .fetch_all(&mut *batch.tx)
        .await?;
    let key = |row: &PgRow| -> Result<RollupKey> {
        Ok(RollupKey {
            project_id: ProjectId(row.try_get(0)?),
            hour: Timestamp::from_offset_date_time(row.try_get(1)?),
            series_id: row.try_get(2)?,
        })
    };
    inserted.iter().map(key).collect()
}

/// Which row of the table it is, and what its series is: what stays as it is.
const IDENTITY: [&str; 8] = [
    "project_id",
    "hour",
    "series_id",
    "key_label",
    "environment",
    "step_name",
    "model",
    "template_fingerprint",
];

/// Writes merged rows back. They are locked by this transaction.
pub async fn write_rollups(batch: &mut BatchTx, merged: &[(RollupKey, Rollup)]) -> Result<()> {
    write_rollups_within(&mut batch.tx, merged).await
}

/// The same within any transaction that has locked the counts of the project.
pub(crate) async fn write_rollups_within(
    tx: &mut PgConnection,
    merged: &[(RollupKey, Rollup)],
) -> Result<()> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        let sums: Vec<Column> = COLUMNS
            .iter()
            .filter(|column| !IDENTITY.contains(&column.name))
            .copied()
            .collect();
        let set = join(&sums, |_, Column { name, .. }| format!("{name} = i.{name}"));
        let rows = rows(COLUMNS);
        format!(
            "with incoming as (
               {rows}
             ), removed as (
               select {SUMMED} from incoming i
               join rollups r on r.project_id = i.project_id and r.hour = i.hour and r.series_id = i.series_id
             ), added as (
               update rollups r set {set} from incoming i
               where r.project_id = i.project_id and r.hour = i.hour and r.series_id = i.series_id
               returning {SUMMED}
             ), changed as ({MARK_CHANGED}) {ADD_UP_DAYS}"
        )
    });
    if merged.is_empty() {
        return Ok(());
    }
    let merged: Vec<&(RollupKey, Rollup)> = merged.iter().collect();
    bind_rollups(bind(&STATEMENT), &merged).execute(tx).await?;
    Ok(())
}
