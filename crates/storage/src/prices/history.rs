//! What was called on which day, for telling what another list of prices would price again.

use domain::{NanoUsd, Timestamp};

use crate::{Result, Snapshot};

/// Calls of one model on one day, of all projects together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelDay {
    /// The model that answered.
    pub model: String,
    /// The first instant of the day.
    pub day: Timestamp,
    pub calls: i64,
    /// Their known cost; `None` when none is.
    pub cost: Option<NanoUsd>,
}

/// Every day of every model, by model and day.
pub async fn model_days(snapshot: &mut Snapshot) -> Result<Vec<ModelDay>> {
    let rows = sqlx::query!(
        "select model as \"model!\", day, least(sum(calls), 9223372036854775807)::bigint as \"calls!\",
           least(greatest(sum(cost_nano_usd), -9223372036854775808), 9223372036854775807)::bigint as cost
         from rollup_days where model is not null group by model, day order by model, day"
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ModelDay {
            model: row.model,
            day: Timestamp::from_offset_date_time(row.day),
            calls: row.calls,
            cost: row.cost.map(NanoUsd),
        })
        .collect())
}
