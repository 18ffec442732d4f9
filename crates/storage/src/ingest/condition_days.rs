//! Steps with conditions by the day, for windows of weeks.

use std::sync::LazyLock;

use domain::{ProjectId, Timestamp};

use super::BatchTx;
use super::columns::{columns, insert, insert_into};
use crate::Result;

/// So many steps of a day had a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionDay {
    pub project_id: ProjectId,
    /// The beginning of the day in which the steps began.
    pub day: Timestamp,
    /// The condition's code; the number of a layer for steps with any of that layer, 0 for steps with any at all.
    pub code: u16,
    pub key_label: String,
    pub step_name: String,
    /// Blank without one.
    pub model: String,
    /// Steps by severity: a condition without points leaves its step as it is.
    pub ok: i64,
    pub warning: i64,
    pub critical: i64,
}

columns!(COLUMNS, bind_days<'q>, |row: ConditionDay| {
    project_id: "uuid" = row.project_id.0,
    day: "timestamptz" = row.day.to_offset_date_time(),
    ok: "int8" = row.ok,
    warning: "int8" = row.warning,
    critical: "int8" = row.critical,
    code: "int2" = i16::try_from(row.code).unwrap_or(i16::MAX),
    key_label: "text" = row.key_label.as_str(),
    step_name: "text" = row.step_name.as_str(),
    model: "text" = row.model.as_str(),
});

/// Adds to the days. There is at most one of a key, and they are in the order of their keys.
pub async fn add_to_condition_days(batch: &mut BatchTx, days: &[ConditionDay]) -> Result<()> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        insert_into(
            "condition_days as d",
            COLUMNS,
            "on conflict (project_id, day, code, step_name, model, key_label) do update set
               ok = d.ok + excluded.ok, warning = d.warning + excluded.warning,
               critical = d.critical + excluded.critical",
        )
    });
    if !days.is_empty() {
        bind_days(insert(&STATEMENT), days)
            .execute(&mut *batch.tx)
            .await?;
    }
    Ok(())
}
