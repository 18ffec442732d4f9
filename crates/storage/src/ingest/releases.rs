//! Calls by the hour and the release that they said they ran. Sums alone, so that one statement adds a batch.

use std::sync::LazyLock;

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use super::columns::{columns, insert, insert_into};
use crate::Result;

/// What a batch adds to one hour of one release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseHour {
    pub release: String,
    pub key_label: String,
    pub step_name: String,
    pub model: Option<String>,
    /// Steps.
    pub calls: i64,
    /// Failed steps.
    pub errors: i64,
    /// Steps without a price.
    pub unpriced: i64,
    /// Steps with a known cost, and what they cost in nano-dollars.
    pub priced: i64,
    pub cost_nano_usd: i64,
    /// Sum of the squares of those costs.
    pub cost_squares: i128,
    /// Steps with known input, and its tokens.
    pub metered_input: i64,
    pub input: i64,
    /// Steps with known output, and its tokens.
    pub metered_output: i64,
    pub output: i64,
    /// Steps with a known latency, and its sum in microseconds.
    pub timed: i64,
    pub latency_us: i64,
}

/// A row with whose it is.
pub type KeyedReleaseHour = (ProjectId, Timestamp, ReleaseHour);

columns!(COLUMNS, bind_releases<'q>, |row: KeyedReleaseHour| {
    project_id: "uuid" = row.0.0,
    hour: "timestamptz" = row.1.to_offset_date_time(),
    release: "text" = row.2.release.as_str(),
    key_label: "text" = row.2.key_label.as_str(),
    step_name: "text" = row.2.step_name.as_str(),
    model: "text" = row.2.model.as_deref(),
    calls: "int8" = row.2.calls,
    errors: "int8" = row.2.errors,
    unpriced: "int8" = row.2.unpriced,
    priced: "int8" = row.2.priced,
    cost_nano_usd: "numeric" = row.2.cost_nano_usd.to_string(),
    cost_squares: "numeric" = row.2.cost_squares.to_string(),
    metered_input: "int8" = row.2.metered_input,
    input: "numeric" = row.2.input.to_string(),
    metered_output: "int8" = row.2.metered_output,
    output: "numeric" = row.2.output.to_string(),
    timed: "int8" = row.2.timed,
    latency_us: "numeric" = row.2.latency_us.to_string(),
});

const ADD_TO_RELEASE: &str = "
    on conflict (project_id, hour, release, key_label, step_name, model) do update set
      calls = r.calls + excluded.calls,
      errors = r.errors + excluded.errors,
      unpriced = r.unpriced + excluded.unpriced,
      priced = r.priced + excluded.priced,
      cost_nano_usd = r.cost_nano_usd + excluded.cost_nano_usd,
      cost_squares = r.cost_squares + excluded.cost_squares,
      metered_input = r.metered_input + excluded.metered_input,
      input = r.input + excluded.input,
      metered_output = r.metered_output + excluded.metered_output,
      output = r.output + excluded.output,
      timed = r.timed + excluded.timed,
      latency_us = r.latency_us + excluded.latency_us";

/// Adds the rows, of which no two are of the same hour, release, key, step and model. Follows `add_to_runs`, which lets
/// one batch of a project at a time go on.
pub async fn add_to_releases(batch: &mut BatchTx, rows: &[KeyedReleaseHour]) -> Result<()> {
    static STATEMENT: LazyLock<String> =
        LazyLock::new(|| insert_into("release_hours as r", COLUMNS, ADD_TO_RELEASE));
    if !rows.is_empty() {
        bind_releases(insert(&STATEMENT), rows)
            .execute(&mut *batch.tx)
            .await?;
    }
    Ok(())
}
