//! Time, tokens and cost of steps by name and model: of a whole run, or of an area of its drawing.

use std::collections::HashMap;

use domain::skeleton::Skeleton;
use domain::{NanoUsd, StepKind};
use serde::{Deserialize, Serialize};

use super::layout::Layout;

/// All steps of one name, kind, model and error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) kind: StepKind,
    pub(crate) name: String,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// How many there are.
    pub(crate) count: i64,
    /// How many of them failed.
    pub(crate) failed: i64,
    /// Their durations added up, in milliseconds.
    pub(crate) time_ms: f64,
    /// Their tokens; `None` when none were reported.
    pub(crate) tokens: Option<i64>,
    /// Their known cost; `None` when none is known.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Steps whose cost is unknown.
    pub(crate) unpriced: i64,
    /// Whole percent of the known cost; the groups' percents add up to 100.
    pub(crate) cost_percent: Option<u8>,
}

/// The groups of a run, longest first. A step that only contains others is left out: its time is theirs.
pub(crate) fn by_name_and_model(layout: &Layout, skeleton: &Skeleton, now_us: i64) -> Vec<Group> {
    of_rows(
        layout,
        skeleton,
        0..layout.rows.len(),
        (i64::MIN, i64::MAX),
        now_us,
    )
}

/// The groups of what these rows do between two moments (microseconds since 1970), longest first: count, tokens and
/// cost of the steps that are at work in between, and the time that falls into it.
pub(crate) fn of_rows(
    layout: &Layout,
    skeleton: &Skeleton,
    rows: impl Iterator<Item = usize>,
    (from_us, to_us): (i64, i64),
    now_us: i64,
) -> Vec<Group> {
    let mut places: HashMap<(u32, StepKind, Option<u32>), usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let Some(step) = layout.rows.get(row).map(|place| &skeleton.steps[place.step]) else {
            continue;
        };
        let end_us = step.end_us(now_us);
        let is_empty = layout.is_parent(row) && step.cost_nano_usd.is_none() && step.tokens.is_none();
        if is_empty || end_us < from_us || step.started_us > to_us {
            continue;
        }
        let at = *places
            .entry((step.name, step.kind, step.model))
            .or_insert_with(|| {
                groups.push(Group {
                    kind: step.kind,
                    name: skeleton.name_of(step).to_owned(),
                    model: skeleton.model_of(step).map(str::to_owned),
                    count: 0,
                    failed: 0,
                    time_ms: 0.0,
                    tokens: None,
                    cost_nano_usd: None,
                    unpriced: 0,
                    cost_percent: None,
                });
                groups.len() - 1
            });
        let group = &mut groups[at];
        group.count += 1;
        group.failed += i64::from(step.status == domain::StepStatus::Error);
        let within = end_us.min(to_us).saturating_sub(step.started_us.max(from_us));
        group.time_ms += within as f64 / 1_000.0;
        if let Some(tokens) = step.tokens {
            group.tokens = Some(group.tokens.unwrap_or(0).saturating_add(tokens));
        }
        if let Some(cost) = step.cost_nano_usd {
            group.cost_nano_usd = Some(
                group
                    .cost_nano_usd
                    .unwrap_or_default()
                    .saturating_add(NanoUsd(cost)),
            );
        } else if step.kind.is_billable() {
            group.unpriced += 1;
        }
    }
    let costs: Vec<Option<i64>> = groups.iter().map(|g| g.cost_nano_usd.map(|c| c.0)).collect();
    for (group, percent) in groups.iter_mut().zip(percents(&costs)) {
        group.cost_percent = percent;
    }
    groups.sort_by(|a, b| b.time_ms.total_cmp(&a.time_ms).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// Whole percents that add up to 100 (largest remainder). `None` where the part is unknown, or all are when the
/// whole is not above zero.
fn percents(parts: &[Option<i64>]) -> Vec<Option<u8>> {
    let whole: i128 = parts
        .iter()
        .flatten()
        .map(|part| i128::from((*part).max(0)))
        .sum();
    if whole <= 0 {
        return vec![None; parts.len()];
    }
    let scaled: Vec<Option<i128>> = parts
        .iter()
        .map(|p| p.map(|p| i128::from(p.max(0)) * 100))
        .collect();
    let mut out: Vec<Option<u8>> = scaled.iter().map(|p| p.map(|p| (p / whole) as u8)).collect();
    let given: i128 = out.iter().flatten().map(|p| i128::from(*p)).sum();
    let mut order: Vec<usize> = (0..parts.len()).filter(|i| parts[*i].is_some()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(scaled[*i].unwrap_or(0) % whole));
    let missing = usize::try_from(100 - given).unwrap_or(0);
    for index in order.into_iter().take(missing) {
        out[index] = out[index].map(|p| p + 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::timeline::sample::{BEGIN, skeleton, step};

    #[test]
    fn percents_add_up() {
        let check = |parts: &[Option<i64>], expected: &[Option<u8>]| assert_eq!(percents(parts), expected);
        check(&[], &[]);
        check(&[Some(1), Some(1), Some(1)], &[Some(34), Some(33), Some(33)]);
        check(&[Some(5), None, Some(0)], &[Some(100), None, Some(0)]);
        check(&[None, None], &[None, None]);
        check(&[Some(0)], &[None]);
        check(&[Some(i64::MAX), Some(i64::MAX)], &[Some(50), Some(50)]);
        check(&[Some(-3), Some(3)], &[Some(0), Some(100)]);
    }

    #[test]
    fn parents_without_a_cost_are_left_out() {
        let mut call = step("call", Some("agent"), 0, 20);
        call.kind = StepKind::Llm;
        let mut paid = step("call", Some("agent"), 20, 5);
        paid.kind = StepKind::Llm;
        paid.cost_nano_usd = Some(NanoUsd(7));
        paid.step_id = "call-2".to_owned();
        let steps = [
            step("agent", None, 0, 30),
            call,
            paid,
            step("look", Some("agent"), 0, 90),
        ];
        let skeleton = skeleton(&steps);
        let groups = by_name_and_model(&Layout::of(&skeleton), &skeleton, BEGIN.micros());
        let said: Vec<String> = groups
            .iter()
            .map(|g| {
                format!(
                    "{} {} {} {:?} {}",
                    g.name, g.count, g.time_ms, g.cost_percent, g.unpriced
                )
            })
            .collect();
        assert_eq!(said, ["look 1 90 None 0", "call 2 25 Some(100) 1"]);
    }

    proptest! {
        /// Areas side by side add up to the whole.
        #[test]
        fn an_area_is_the_sum_of_what_lies_in_it(
            steps in prop::collection::vec((0i64..900, 1i64..200, 0i64..50), 1..40),
            cut in 0i64..1_100,
        ) {
            let steps: Vec<_> = steps
                .iter()
                .enumerate()
                .map(|(at, (start, length, cost))| {
                    let mut step = step(&at.to_string(), None, *start, *length);
                    step.name = format!("n{}", at % 3);
                    step.cost_nano_usd = Some(NanoUsd(*cost));
                    step
                })
                .collect();
            let skeleton = skeleton(&steps);
            let layout = Layout::of(&skeleton);
            let cut_us = BEGIN.micros() + cut * 1_000;
            let sums = |span: (i64, i64)| {
                let groups = of_rows(&layout, &skeleton, 0..layout.rows.len(), span, BEGIN.micros());
                let time: f64 = groups.iter().map(|g| g.time_ms).sum();
                (time, groups.iter().map(|g| g.count).sum::<i64>())
            };
            let (before, after, whole) = (sums((i64::MIN, cut_us)), sums((cut_us, i64::MAX)), sums((i64::MIN, i64::MAX)));
            prop_assert!((before.0 + after.0 - whole.0).abs() < 1e-6);
            let in_both = skeleton.steps.iter().filter(|s| s.started_us <= cut_us && s.end_us(0) >= cut_us).count();
            prop_assert_eq!(before.1 + after.1, whole.1 + in_both as i64);
        }
    }
}
