//! What new steps add to the days of their conditions.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ProjectId, Severity, Timestamp};
use storage::ingest::{ConditionDay, StepRow};

use super::cardinality::CountedAs;

/// Project, day, code, step, model, key: the order of the table's key.
type Key<'a> = (ProjectId, Timestamp, u16, &'a str, &'a str, &'a str);

/// One row per day and code, layer or anything at all, in the order of their keys.
pub(super) fn condition_days<'a>(
    rows: impl IntoIterator<Item = (&'a StepRow<'a>, &'a CountedAs<'a>)>,
) -> Vec<ConditionDay> {
    let mut sums: BTreeMap<Key<'a>, [i64; 3]> = BTreeMap::new();
    for (row, counted) in rows {
        let (day, model) = (row.step.started_at.day(), counted.model.unwrap_or_default());
        for code in codes(row) {
            let key = (row.project_id, day, code, counted.step_name, model, row.key_label);
            let by_severity = sums.entry(key).or_default();
            by_severity[match row.severity {
                Severity::Ok => 0,
                Severity::Warning => 1,
                Severity::Critical => 2,
            }] += 1;
        }
    }
    let day_of = |((project_id, day, code, step_name, model, key_label), steps): (Key<'_>, [i64; 3])| {
        let [ok, warning, critical] = steps;
        ConditionDay {
            project_id,
            day,
            code,
            key_label: key_label.to_owned(),
            step_name: step_name.to_owned(),
            model: model.to_owned(),
            ok,
            warning,
            critical,
        }
    };
    sums.into_iter().map(day_of).collect()
}

/// Under which codes a step is counted: once for each, for each layer, and once in all.
fn codes(row: &StepRow<'_>) -> BTreeSet<u16> {
    row.conditions
        .iter()
        .flat_map(|condition| [0, condition.code / 1_000, condition.code])
        .collect()
}
