//! What is said of two runs beside each other, and the address that says which.

use std::collections::BTreeMap;

use domain::filter::encode_query;
use domain::{NanoUsd, RunSummary, StepKind, StepStatus, text};
use engine::alignment::StepChange;

use crate::api::comparison::{ComparedRuns, ComparedStep, ComparisonWish, StepOfOne};

/// The state of the page, all of it in the URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CompareQuery {
    /// Without one the last good run of the second one's name.
    pub(crate) first: Option<String>,
    pub(crate) second: String,
    pub(crate) step: Option<String>,
    pub(crate) of_input: bool,
    /// Only rows with a change are shown.
    pub(crate) only_changed: bool,
}

impl CompareQuery {
    /// Reads the parameters (already percent-decoded). The list of runs sends `run` twice, the newer one first.
    pub(crate) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut query = Self::default();
        let mut chosen = Vec::new();
        for (name, value) in pairs {
            match name {
                "a" if !value.is_empty() => query.first = Some(value.to_owned()),
                "b" => query.second = value.to_owned(),
                "run" if !value.is_empty() => chosen.push(value.to_owned()),
                "step" if !value.is_empty() => query.step = Some(value.to_owned()),
                "text" => query.of_input = value == "input",
                "show" => query.only_changed = value == "changed",
                _ => {}
            }
        }
        let mut chosen = chosen.into_iter();
        if query.second.is_empty() {
            query.second = chosen.next().unwrap_or_default();
        }
        if query.first.is_none() {
            query.first = chosen.next();
        }
        query
    }

    /// A link to this state on the same page.
    pub(crate) fn to_href(&self) -> String {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        pairs.extend(self.first.as_deref().map(|id| ("a", id)));
        pairs.push(("b", &self.second));
        pairs.extend(self.step.as_deref().map(|id| ("step", id)));
        if self.of_input {
            pairs.push(("text", "input"));
        }
        if self.only_changed {
            pairs.push(("show", "changed"));
        }
        format!("?{}", encode_query(pairs))
    }

    /// What is read for it.
    pub(crate) fn wish(&self) -> ComparisonWish {
        ComparisonWish {
            first: self.first.clone(),
            second: self.second.clone(),
            step: self.step.clone(),
            of_input: self.of_input,
        }
    }
}

/// `+76 %`, `−11 %`; nothing where the first is nil.
pub(crate) fn percent(before: f64, after: f64) -> Option<String> {
    if !before.is_finite() || !after.is_finite() || before <= 0.0 {
        return None;
    }
    let percent = ((after - before) / before * 100.0).round();
    Some(signed(percent, |percent| format!("{percent:.0} %")))
}

/// A figure with its sign; what rounds to nothing is `±0`.
fn signed(value: f64, words: impl Fn(f64) -> String) -> String {
    let sign = if value > 0.0 {
        "+"
    } else if value < 0.0 {
        "−"
    } else {
        "±"
    };
    format!("{sign}{}", words(value.abs()))
}

/// `+16.7 s`, `−334 ms`.
pub(crate) fn more_time(before_ms: f64, after_ms: f64) -> String {
    signed(after_ms - before_ms, text::duration)
}

/// `+$0.0687`; nothing where a side is unknown or both are equal.
pub(crate) fn more_cost(before: Option<NanoUsd>, after: Option<NanoUsd>) -> Option<String> {
    let more = after?.0.saturating_sub(before?.0);
    let sign = if more < 0 { "−" } else { "+" };
    (more != 0).then(|| format!("{sign}{}", NanoUsd(more.saturating_abs()).to_short()))
}

/// What a change is called, and its tone.
pub(crate) fn change_words(change: StepChange, row: &ComparedStep) -> (String, &'static str) {
    let lengths = row.first.as_ref().zip(row.second.as_ref());
    let by_time = |word: &str| {
        let percent = lengths.and_then(|(a, b)| percent(a.length_ms, b.length_ms));
        percent.map_or_else(|| word.to_owned(), |percent| format!("{word} {percent}"))
    };
    match change {
        StepChange::Added => ("added".to_owned(), "line"),
        StepChange::Missing => ("missing".to_owned(), "line"),
        StepChange::Failed => ("failed".to_owned(), "bad"),
        StepChange::Recovered => ("failed before".to_owned(), "ok"),
        StepChange::Found => ("new finding".to_owned(), "warn"),
        StepChange::OtherAnswer => ("other answer".to_owned(), "info"),
        StepChange::OtherModel => ("other model".to_owned(), "info"),
        StepChange::OtherTemplate => ("other template".to_owned(), "info"),
        StepChange::Slower => (by_time("slower"), ""),
        StepChange::Faster => (by_time("faster"), ""),
        StepChange::Costlier => ("costlier".to_owned(), ""),
        StepChange::Cheaper => ("cheaper".to_owned(), ""),
    }
}

/// The sentence of the page and what else there is to know. `parts_at` is the row at which the runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComparisonVerdict {
    /// A word of `data-tone`.
    pub(crate) tone: &'static str,
    /// The row that the sentence names.
    pub(crate) parts_at: Option<usize>,
    /// What follows the name, or all of the sentence.
    pub(crate) says: String,
    pub(crate) details: String,
}

pub(crate) fn verdict(runs: &ComparedRuns) -> ComparisonVerdict {
    let parts = |row: &ComparedStep| row.changes.iter().copied().any(StepChange::parts);
    let parts_at = runs.rows.iter().position(parts);
    let count = |change: StepChange| {
        runs.rows
            .iter()
            .filter(|row| row.changes.contains(&change))
            .count()
    };
    let says = match parts_at.and_then(|index| runs.rows.get(index)) {
        None => "They have the same steps, and each answers the same".to_owned(),
        Some(row) => how_they_part(row),
    };
    let says = if parts_at.is_none() && !runs.compares_answers {
        "They have the same steps".to_owned()
    } else {
        says
    };
    let mut details = Vec::new();
    if let Some(equal) = parts_at.filter(|equal| *equal > 0) {
        let steps = text::counted(equal as i64, "step");
        let are = if equal == 1 { "is" } else { "are" };
        details.push(format!("The first {steps} {are} equal."));
    }
    details.push(totals(&runs.first, &runs.second));
    let listed: Vec<String> = [
        (StepChange::Added, "added"),
        (StepChange::Missing, "missing"),
        (StepChange::Failed, "failed"),
        (StepChange::OtherAnswer, "with another answer"),
        (StepChange::Slower, "slower"),
        (StepChange::Costlier, "costlier"),
    ]
    .into_iter()
    .filter_map(|(change, word)| match count(change) {
        0 => None,
        n => Some(format!("{n} {word}")),
    })
    .collect();
    if !listed.is_empty() {
        details.push(format!("Steps: {}.", listed.join(", ")));
    }
    if let (Some(a), Some(b)) = (&runs.first.release, &runs.second.release) {
        details.push(if a == b {
            "Both ran the same release.".to_owned()
        } else {
            format!("A ran release {}, B {}.", text::short_id(a), text::short_id(b))
        });
    }
    let is_worse = count(StepChange::Failed) > 0 || runs.second.error_count > runs.first.error_count;
    ComparisonVerdict {
        tone: if is_worse { "critical" } else { "plain" },
        parts_at,
        says,
        details: details.join(" "),
    }
}

/// What happens at the first row that differs.
fn how_they_part(row: &ComparedStep) -> String {
    let error = |step: &Option<StepOfOne>| step.as_ref().and_then(|step| step.error.clone());
    let has = |change: StepChange| row.changes.contains(&change);
    if has(StepChange::Added) {
        "only B has it".to_owned()
    } else if has(StepChange::Missing) {
        "only A has it".to_owned()
    } else if has(StepChange::Failed) {
        error(&row.second).map_or_else(
            || "it failed in B".to_owned(),
            |error| format!("it failed in B: {error}"),
        )
    } else if has(StepChange::Recovered) {
        error(&row.first).map_or_else(
            || "it failed in A".to_owned(),
            |error| format!("it failed in A: {error}"),
        )
    } else {
        "its answer is another one".to_owned()
    }
}

/// `B is 16.7 s slower and $0.0148 cheaper.`
fn totals(a: &RunSummary, b: &RunSummary) -> String {
    let more_ms = b.latency_ms - a.latency_ms;
    let time = match text::duration(more_ms.abs()) {
        _ if more_ms.abs() < 0.5 => "as fast".to_owned(),
        time if more_ms > 0.0 => format!("{time} slower"),
        time => format!("{time} faster"),
    };
    let cost = match (a.cost_nano_usd, b.cost_nano_usd) {
        (Some(a), Some(b)) => match b.0.saturating_sub(a.0) {
            0 => "as expensive".to_owned(),
            more if more > 0 => format!("{} costlier", NanoUsd(more).to_short()),
            less => format!("{} cheaper", NanoUsd(less.saturating_abs()).to_short()),
        },
        _ => "of unknown cost beside it".to_owned(),
    };
    format!("B is {time} and {cost}.")
}

/// Steps of one name in both runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NameSum {
    pub(crate) name: String,
    pub(crate) kind: StepKind,
    pub(crate) calls: (usize, usize),
    /// Milliseconds.
    pub(crate) time_ms: (f64, f64),
    /// `None` where a call's cost is unknown or none has one.
    pub(crate) cost: (Option<NanoUsd>, Option<NanoUsd>),
}

/// Those whose time moved most first.
pub(crate) fn by_name(rows: &[ComparedStep]) -> Vec<NameSum> {
    let mut sums: BTreeMap<(&str, &str), NameSum> = BTreeMap::new();
    for row in rows {
        let sum = sums
            .entry((row.kind.as_str(), row.name.as_str()))
            .or_insert_with(|| NameSum {
                name: row.name.clone(),
                kind: row.kind,
                calls: (0, 0),
                time_ms: (0.0, 0.0),
                cost: (None, None),
            });
        let plus = |sum: Option<NanoUsd>, more: Option<NanoUsd>| match (sum, more) {
            (Some(sum), Some(more)) => Some(NanoUsd(sum.0.saturating_add(more.0))),
            (sum, more) => sum.or(more),
        };
        if let Some(step) = &row.first {
            sum.calls.0 += 1;
            sum.time_ms.0 += step.length_ms;
            sum.cost.0 = plus(sum.cost.0, step.cost);
        }
        if let Some(step) = &row.second {
            sum.calls.1 += 1;
            sum.time_ms.1 += step.length_ms;
            sum.cost.1 = plus(sum.cost.1, step.cost);
        }
    }
    let mut sums: Vec<NameSum> = sums.into_values().collect();
    let moved = |sum: &NameSum| (sum.time_ms.1 - sum.time_ms.0).abs();
    sums.sort_by(|a, b| moved(b).total_cmp(&moved(a)));
    sums
}

/// The longer of the two runs, in milliseconds: what a whole drawing stands for.
pub(crate) fn length_ms(runs: &ComparedRuns) -> f64 {
    runs.first.latency_ms.max(runs.second.latency_ms).max(1.0)
}

/// How a row is drawn, as SVG: A hollow above, B filled below. Percent across, only figures and class names in it.
pub(crate) fn bars(row: &ComparedStep, kind_class: &str, length_ms: f64) -> String {
    let mut out = String::new();
    let mut bar = |step: &Option<StepOfOne>, y: u32, class: &str| {
        if let Some(step) = step {
            let percent = |ms: f64| (ms / length_ms * 100.0).clamp(0.0, 100.0);
            let x = percent(step.start_ms);
            let width = percent(step.length_ms.max(0.0)).min(100.0 - x).max(0.3);
            out.push_str(&format!(
                r#"<rect class="{class}" x="{x:.2}%" y="{y}" width="{width:.2}%" height="6"/>"#
            ));
        }
    };
    bar(&row.first, 4, "cmp-a");
    bar(&row.second, 13, &format!("cmp-b {kind_class}"));
    out
}

/// Whether a step failed, for its glyph.
pub(crate) fn has_failed(step: &Option<StepOfOne>) -> bool {
    step.as_ref().is_some_and(|step| step.status == StepStatus::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_holds_both_runs_and_what_is_looked_at() {
        let check = |pairs: &[(&str, &str)], expected: &str| {
            let query = CompareQuery::from_pairs(pairs.iter().copied());
            assert_eq!(query.to_href(), expected);
        };
        check(&[("a", "x"), ("b", "y z")], "?a=x&b=y%20z");
        check(&[("run", "newer"), ("run", "older")], "?a=older&b=newer");
        check(&[("b", "y")], "?b=y");
        check(
            &[
                ("b", "y"),
                ("step", "s"),
                ("text", "input"),
                ("show", "changed"),
                ("odd", "1"),
            ],
            "?b=y&step=s&text=input&show=changed",
        );
    }

    #[test]
    fn figures_beside_each_other() {
        assert_eq!(percent(100.0, 176.0).as_deref(), Some("+76 %"));
        assert_eq!(percent(100.0, 89.0).as_deref(), Some("−11 %"));
        assert_eq!(percent(100.0, 100.0).as_deref(), Some("±0 %"));
        assert_eq!(percent(0.0, 5.0), None);
        assert_eq!(more_time(2_620.0, 2_286.0), "−334 ms");
        let cost = |nano: i64| Some(NanoUsd(nano));
        assert_eq!(more_cost(cost(0), cost(68_700_000)).as_deref(), Some("+$0.0687"));
        assert_eq!(more_cost(cost(5), cost(5)), None);
        assert_eq!(more_cost(None, cost(5)), None);
    }

    fn of_one(start_ms: f64, length_ms: f64) -> Option<StepOfOne> {
        Some(StepOfOne {
            step_id: "s".to_owned(),
            start_ms,
            length_ms,
            cost: Some(NanoUsd(10)),
            status: StepStatus::Ok,
            severity: domain::Severity::Ok,
            error: None,
        })
    }

    fn row(name: &str, first: Option<StepOfOne>, second: Option<StepOfOne>) -> ComparedStep {
        ComparedStep {
            name: name.to_owned(),
            kind: StepKind::Tool,
            depth: 0,
            first,
            second,
            changes: Vec::new(),
        }
    }

    #[test]
    fn what_moved_most_comes_first_and_bars_stay_within() {
        let rows = [
            row("a", of_one(0.0, 10.0), of_one(0.0, 12.0)),
            row("b", None, of_one(12.0, 50.0)),
            row("b", of_one(10.0, 5.0), of_one(62.0, 1_000.0)),
        ];
        let sums = by_name(&rows);
        assert_eq!(sums[0].name, "b");
        assert_eq!((sums[0].calls, sums[0].time_ms), ((1, 2), (5.0, 1_050.0)));
        assert_eq!(sums[0].cost, (Some(NanoUsd(10)), Some(NanoUsd(20))));
        assert_eq!(
            bars(&rows[2], "kind-tool", 100.0),
            r#"<rect class="cmp-a" x="10.00%" y="4" width="5.00%" height="6"/><rect class="cmp-b kind-tool" x="62.00%" y="13" width="38.00%" height="6"/>"#
        );
        assert_eq!(bars(&row("none", None, None), "", 100.0), "");
    }
}
