//! What quiet projects are disturbed by.

use engine::incidents::{Door, Metric};

use super::line;
use crate::outcome::{FalseIncident, QuietOutcome};

/// False incidents of projects in which nothing happens, by what opened them.
pub fn quiet(outcomes: &[QuietOutcome]) -> String {
    let weeks: f64 = outcomes.iter().map(|outcome| outcome.weeks).sum();
    let key_weeks: f64 = outcomes
        .iter()
        .map(|outcome| outcome.weeks * outcome.keys as f64)
        .sum();
    let count = |chosen: &dyn Fn(&FalseIncident) -> bool| -> f64 {
        outcomes
            .iter()
            .flat_map(|outcome| &outcome.incidents)
            .filter(|found| chosen(found))
            .count() as f64
    };
    let mut out = String::from("| figure | bar | measured |\n|---|---|---|\n");
    let mut row = |name: &str, bar: &str, value: String| line(&mut out, &[name, bar, &value]);
    let by_evidence = count(&|found| found.door != Door::Daily) / weeks;
    row(
        "false incidents a project and week, by evidence",
        "≤ 0.5",
        format!("{by_evidence:.3} (n {weeks:.0} weeks)"),
    );
    let daily = count(&|found| found.door == Door::Daily) / weeks;
    row(
        "by the daily rule alone, a project and week",
        "",
        format!("{daily:.3}"),
    );
    for door in [Door::Evidence, Door::Deploy, Door::ExtremeHour] {
        row(
            &format!("of these by {door:?}"),
            "",
            format!("{:.3}", count(&|found| found.door == door) / weeks),
        );
    }
    for metric in Metric::ALL {
        let of = |is_step: bool| {
            count(&|found| found.metric == metric && found.is_step == is_step && found.door != Door::Daily)
                / key_weeks
        };
        if of(true) + of(false) > 0.0 {
            let bar = if metric == Metric::Cost {
                "≤ 0.02"
            } else {
                "≤ 0.005"
            };
            let name = format!("{} by evidence, a key and week", metric.as_str());
            row(
                &name,
                bar,
                format!("{:.4} of keys, {:.4} of steps", of(false), of(true)),
            );
        }
    }
    out
}
