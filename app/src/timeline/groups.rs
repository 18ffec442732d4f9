//! Time, tokens and cost of a run by step name and model.

use std::collections::HashMap;

use domain::{NanoUsd, StepKind, StepSummary, Timestamp, TokenUsage};

use super::layout::Layout;
use super::scale::drawn_end;

/// All steps of one name, kind and model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) kind: StepKind,
    pub(crate) name: String,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// How many there are.
    pub(crate) count: i64,
    /// Their durations added up, in milliseconds.
    pub(crate) time_ms: f64,
    pub(crate) tokens: TokenUsage,
    /// Their known cost; `None` when none is known.
    pub(crate) cost_nano_usd: Option<NanoUsd>,
    /// Steps whose cost is unknown.
    pub(crate) unpriced: i64,
    /// Whole percent of the run's known cost; the groups' percents add up to 100.
    pub(crate) cost_percent: Option<u8>,
}

/// The groups of a run, longest first. A step that only contains others is left out: its time is theirs.
pub(crate) fn by_name_and_model(layout: &Layout, steps: &[StepSummary], now: Timestamp) -> Vec<Group> {
    let mut places: HashMap<(&str, StepKind, Option<&str>), usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (row, place) in layout.rows.iter().enumerate() {
        let step = &steps[place.step];
        if layout.is_parent(row) && step.cost_nano_usd.is_none() && step.tokens.total().is_none() {
            continue;
        }
        let key = (step.name.as_str(), step.kind, step.model.as_deref());
        let at = *places.entry(key).or_insert_with(|| {
            groups.push(Group {
                kind: step.kind,
                name: step.name.clone(),
                model: step.model.clone(),
                count: 0,
                time_ms: 0.0,
                tokens: TokenUsage::default(),
                cost_nano_usd: None,
                unpriced: 0,
                cost_percent: None,
            });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.count += 1;
        group.time_ms += drawn_end(step, now).ms_since(step.started_at);
        group.tokens = group.tokens.plus(&step.tokens);
        if let Some(cost) = step.cost_nano_usd {
            group.cost_nano_usd = Some(group.cost_nano_usd.unwrap_or_default().saturating_add(cost));
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
    use crate::timeline::sample::{BEGIN, step};

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
        let groups = by_name_and_model(&Layout::of(&steps), &steps, BEGIN);
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
}
