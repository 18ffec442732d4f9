//! What the rubric looked for, and what it saw, in words.

use super::super::rubric::{Kind, Points};
use crate::series::percent;

/// The word of the API for what the rubric gives points for.
pub const fn rubric_name(kind: Kind) -> &'static str {
    match kind {
        Kind::TimeWindow => "time_window",
        Kind::ModelChange => "model_change",
        Kind::PromptChange => "prompt_change",
        Kind::ErrorSpike => "error_spike",
    }
}

/// One row of the rubric: what it looked for, and what it saw.
#[derive(Clone, Debug, PartialEq)]
pub struct RubricRow {
    /// What points are given for.
    pub kind: Kind,
    /// Whether they are.
    pub holds: bool,
    /// In words.
    pub finding: String,
    /// What was before, where there is something to say.
    pub before: Option<String>,
    /// What is after.
    pub after: Option<String>,
}

/// All four rows of a candidate's rubric, those that hold first.
pub fn rubric_rows(points: &Points) -> Vec<RubricRow> {
    let sides = &points.sides;
    let dominant = |kind: Kind, before: &Option<(String, i64)>, after: &Option<(String, i64)>, noun: &str| {
        let holds = points.kinds.contains(&kind);
        let share = |side: &Option<(String, i64)>, of: i64| {
            side.as_ref()
                .map(|(value, calls)| format!("{} of {value}", percent(ratio(*calls, of))))
        };
        let short =
            |side: &Option<(String, i64)>| side.as_ref().map(|(value, calls)| (called(kind, value), *calls));
        let (before, after) = (&short(before), &short(after));
        let finding = match (before, after) {
            (Some((before, _)), Some((after, calls))) if holds => format!(
                "dominant {noun} shifted from {before} to {after} ({} of the calls after)",
                percent(ratio(*calls, sides.calls_after))
            ),
            (Some((before, _)), Some((after, calls))) if before != after => format!(
                "{after} is dominant after it with only {} of the calls",
                percent(ratio(*calls, sides.calls_after))
            ),
            (Some((before, _)), Some(_)) => format!("{before} stayed dominant"),
            _ => format!("no {noun} is known on both sides"),
        };
        RubricRow {
            kind,
            holds,
            finding,
            before: share(before, sides.calls_before),
            after: share(after, sides.calls_after),
        }
    };
    let rate = |errors: i64, calls: i64| (calls > 0).then(|| percent(ratio(errors, calls)));
    let spike = points.kinds.contains(&Kind::ErrorSpike);
    let mut rows = vec![
        dominant(
            Kind::ModelChange,
            &sides.model_before,
            &sides.model_after,
            "model",
        ),
        RubricRow {
            kind: Kind::TimeWindow,
            holds: points.kinds.contains(&Kind::TimeWindow),
            finding: "shipped in the window of the incident".to_owned(),
            before: None,
            after: None,
        },
        dominant(
            Kind::PromptChange,
            &sides.template_before,
            &sides.template_after,
            "prompt",
        ),
        RubricRow {
            kind: Kind::ErrorSpike,
            holds: spike,
            finding: if spike {
                "errors rose by more than 5 points".to_owned()
            } else {
                "errors did not rise by more than 5 points".to_owned()
            },
            before: rate(sides.errors_before, sides.calls_before),
            after: rate(sides.errors_after, sides.calls_after),
        },
    ];
    rows.sort_by_key(|row| !row.holds);
    rows
}

/// A template by the beginning of its fingerprint, a model by its name.
fn called(kind: Kind, value: &str) -> String {
    match kind {
        Kind::PromptChange => domain::prompt::short_fingerprint(value).to_owned(),
        _ => value.to_owned(),
    }
}

fn ratio(part: i64, of: i64) -> f64 {
    if of > 0 { part as f64 / of as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::super::rubric::Sides;
    use super::*;

    #[test]
    fn the_rubric_says_what_it_saw() {
        let points = Points {
            rollout: 0,
            kinds: vec![Kind::TimeWindow, Kind::ModelChange],
            points: 55,
            sides: Sides {
                calls_before: 25,
                calls_after: 100,
                errors_before: 1,
                errors_after: 3,
                model_before: Some(("haiku".to_owned(), 23)),
                model_after: Some(("sonnet".to_owned(), 89)),
                template_before: Some(("19e9".to_owned(), 25)),
                template_after: Some(("19e9".to_owned(), 100)),
            },
        };
        let rows = rubric_rows(&points);
        let said: Vec<_> = rows.iter().map(|row| (row.holds, row.finding.as_str())).collect();
        assert_eq!(
            said,
            [
                (
                    true,
                    "dominant model shifted from haiku to sonnet (89.0 % of the calls after)"
                ),
                (true, "shipped in the window of the incident"),
                (false, "19e9 stayed dominant"),
                (false, "errors did not rise by more than 5 points"),
            ]
        );
        assert_eq!(rows[0].before.as_deref(), Some("92.0 % of haiku"));
        assert_eq!(rows[3].after.as_deref(), Some("3.00 %"));
    }
}
