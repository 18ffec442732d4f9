//! What new steps add to the hours of the releases that they ran.

use std::collections::BTreeMap;

use domain::{CostSource, ProjectId, StepStatus, Timestamp};
use storage::ingest::{KeyedReleaseHour, ReleaseHour, StepRow};

use super::cardinality::CountedAs;

/// One row per hour, release, key, step and model that occurs in `rows`, in the order of their locks. Steps without a
/// release add nothing.
pub(super) fn release_hours<'a>(
    rows: impl IntoIterator<Item = (&'a StepRow<'a>, &'a CountedAs<'a>)>,
) -> Vec<KeyedReleaseHour> {
    type Key<'a> = (ProjectId, Timestamp, &'a str, &'a str, &'a str, Option<&'a str>);
    let mut sums: BTreeMap<Key<'a>, ReleaseHour> = BTreeMap::new();
    for (row, counted) in rows {
        let Some(release) = counted.release else {
            continue;
        };
        let hour = row.step.started_at.hour();
        let key = (
            row.project_id,
            hour,
            release,
            row.key_label,
            counted.step_name,
            counted.model,
        );
        add(sums.entry(key).or_default(), row);
    }
    sums.into_iter()
        .map(|((project, hour, release, key_label, step_name, model), sum)| {
            let named = ReleaseHour {
                release: release.to_owned(),
                key_label: key_label.to_owned(),
                step_name: step_name.to_owned(),
                model: model.map(str::to_owned),
                ..sum
            };
            (project, hour, named)
        })
        .collect()
}

fn add(sum: &mut ReleaseHour, row: &StepRow<'_>) {
    sum.calls += 1;
    sum.errors += i64::from(row.step.status == StepStatus::Error);
    sum.unpriced += i64::from(row.cost_source == Some(CostSource::Unknown));
    if let Some(cost) = row.cost_nano_usd {
        sum.priced += 1;
        sum.cost_nano_usd = sum.cost_nano_usd.saturating_add(cost.0);
        let square = i128::from(cost.0) * i128::from(cost.0);
        sum.cost_squares = sum.cost_squares.saturating_add(square);
    }
    if let Some(tokens) = row.tokens.input() {
        sum.metered_input += 1;
        sum.input = sum.input.saturating_add(tokens);
    }
    if let Some(tokens) = row.tokens.output {
        sum.metered_output += 1;
        sum.output = sum.output.saturating_add(tokens);
    }
    // As the histograms have it: what is below 0 or no number is unknown.
    if let Some(latency_ms) = row.step.latency_ms.filter(|ms| *ms >= 0.0) {
        sum.timed += 1;
        sum.latency_us = sum.latency_us.saturating_add((latency_ms * 1_000.0) as i64);
    }
}
