//! Whether a run is one that a detector judges.

use domain::detector::{Amount, ConditionField, ConditionOp, DetectorCondition, JudgedRun};
use serde_json::Value;

/// Whether all conditions hold for a run. A figure that is not known holds nothing; a text that is not there is no other.
pub fn all_hold(conditions: &[DetectorCondition], run: &JudgedRun) -> bool {
    conditions.iter().all(|condition| holds(condition, run))
}

/// The keys of metadata that conditions ask for, each once.
pub fn metadata_keys<'a>(conditions: impl IntoIterator<Item = &'a DetectorCondition>) -> Vec<String> {
    let mut keys: Vec<String> = conditions
        .into_iter()
        .filter_map(|condition| match &condition.field {
            ConditionField::Metadata(key) => Some(key.as_str().to_owned()),
            _ => None,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn holds(condition: &DetectorCondition, run: &JudgedRun) -> bool {
    let summary = &run.summary;
    match &condition.field {
        ConditionField::Model => text_holds(condition, summary.models.iter().map(String::as_str)),
        ConditionField::Environment => text_holds(condition, summary.environment.as_deref()),
        ConditionField::CostUsd => {
            let Some(Amount::Money(wanted)) = condition.amount() else {
                return false;
            };
            summary
                .cost_nano_usd
                .is_some_and(|cost| compares(condition.op, &cost, &wanted))
        }
        ConditionField::TotalTokens => {
            number_holds(condition, summary.tokens.total().map(|total| total as f64))
        }
        ConditionField::DurationMs => number_holds(condition, Some(summary.latency_ms)),
        ConditionField::Errors => number_holds(condition, Some(summary.error_count as f64)),
        ConditionField::Metadata(key) => {
            let values = run
                .metadata
                .get(key.as_str())
                .map(Vec::as_slice)
                .unwrap_or_default();
            metadata_holds(condition, values)
        }
    }
}

fn number_holds(condition: &DetectorCondition, value: Option<f64>) -> bool {
    match (condition.amount(), value) {
        (Some(Amount::Number(wanted)), Some(value)) => compares(condition.op, &value, &wanted),
        _ => false,
    }
}

fn compares<T: PartialOrd>(op: ConditionOp, value: &T, wanted: &T) -> bool {
    match op {
        ConditionOp::Is => value == wanted,
        ConditionOp::IsNot => value != wanted,
        ConditionOp::Above => value > wanted,
        ConditionOp::AtLeast => value >= wanted,
        ConditionOp::Below => value < wanted,
        ConditionOp::AtMost => value <= wanted,
        ConditionOp::Contains => false,
    }
}

/// Whether any of the values is it, or none of them where the condition says so.
fn text_holds<'a>(condition: &DetectorCondition, values: impl IntoIterator<Item = &'a str>) -> bool {
    let wanted = condition.texts();
    let mut values = values.into_iter();
    match condition.op {
        ConditionOp::Is => values.any(|value| wanted.iter().any(|wanted| wanted == value)),
        ConditionOp::IsNot => values.all(|value| wanted.iter().all(|wanted| wanted != value)),
        ConditionOp::Contains => {
            values.any(|value| wanted.iter().any(|wanted| value.contains(wanted.as_str())))
        }
        ConditionOp::Above | ConditionOp::AtLeast | ConditionOp::Below | ConditionOp::AtMost => false,
    }
}

fn metadata_holds(condition: &DetectorCondition, values: &[Value]) -> bool {
    let texts: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        })
        .collect();
    match condition.op {
        ConditionOp::Is | ConditionOp::IsNot | ConditionOp::Contains => {
            text_holds(condition, texts.iter().map(String::as_str))
        }
        _ => texts
            .iter()
            .filter_map(|text| text.parse().ok())
            .any(|value| number_holds(condition, Some(value))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detectors::rules::tests::{run, step};

    #[test]
    fn conditions_hold_or_do_not() {
        let mut run = run(vec![step("a", "parse")]);
        run.summary.models = vec!["claude-haiku-4-5".to_owned(), "gpt-4o".to_owned()];
        run.summary.environment = Some("production".to_owned());
        run.summary.cost_nano_usd = Some(domain::NanoUsd(20_000_000));
        run.summary.tokens.input_fresh = Some(1_500);
        run.summary.tokens.output = Some(500);
        run.summary.latency_ms = 5_120.0;
        run.summary.error_count = 1;
        run.metadata
            .insert("tenant".to_owned(), vec![json!("acme"), json!(7)]);
        let check = |field: &str, op: &str, value: Value, expected: bool| {
            let condition: DetectorCondition =
                serde_json::from_value(json!({ "field": field, "op": op, "value": value })).unwrap();
            assert_eq!(condition.problem(), None);
            assert_eq!(all_hold(&[condition], &run), expected, "{field} {op} {value}");
        };
        check("model", "=", json!("gpt-4o"), true);
        check("model", "!=", json!("gpt-4o"), false);
        check("model", "!=", json!("o3"), true);
        check("model", "contains", json!("haiku"), true);
        check("model", "=", json!(["o3", "gpt-4o"]), true);
        check("environment", "=", json!("staging"), false);
        check("cost_usd", ">", json!(0.02), false);
        check("cost_usd", ">=", json!("0.020"), true);
        check("total_tokens", "=", json!(2000), true);
        check("duration_ms", "<", json!(5000), false);
        check("errors", ">", json!(0), true);
        check("metadata.tenant", "=", json!("acme"), true);
        check("metadata.tenant", ">", json!(6), true);
        check("metadata.tenant", "!=", json!("acme"), false);
        check("metadata.other", "=", json!("acme"), false);
        check("metadata.other", "!=", json!("acme"), true);
    }

    #[test]
    fn what_is_unknown_holds_nothing() {
        let run = run(vec![step("a", "parse")]);
        for op in ["=", "!=", "<", ">="] {
            for field in ["cost_usd", "total_tokens"] {
                let condition: DetectorCondition =
                    serde_json::from_value(json!({ "field": field, "op": op, "value": 1 })).unwrap();
                assert!(!all_hold(&[condition], &run), "{field} {op}");
            }
        }
        assert!(all_hold(&[], &run));
    }
}
