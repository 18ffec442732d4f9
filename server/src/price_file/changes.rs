//! What another list of prices says otherwise than the one that is stored, and of which calls it is.

use std::collections::{BTreeMap, BTreeSet};

use domain::{NanoUsd, Timestamp, usage};
use engine::pricing::{PriceRow, PriceTable};
use serde::Serialize;
use serde_json::Value;
use storage::prices::ModelDay;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Changed,
    Added,
    Removed,
}

/// A row that the two lists do not have alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangedRow {
    pub change: Change,
    pub price_id: String,
    /// What it says otherwise, by its path: `input`, `tiers.0.output`, `valid_from`. All of it where only one list has it.
    pub fields: BTreeMap<String, BeforeAfter>,
}

/// A value of a row; rates are nano-dollars. `None` where a list does not say it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BeforeAfter {
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// The calls of a model that may cost something else by the other list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AffectedModel {
    pub model: String,
    pub calls: i64,
    /// What is known of their cost as it is stored.
    pub cost_nano_usd: Option<NanoUsd>,
    pub first_day: Timestamp,
    pub last_day: Timestamp,
}

/// The rows that differ: changed ones first, then those that are new, then those that are gone.
pub fn changed_rows(before: &[PriceRow], after: &[PriceRow]) -> Vec<ChangedRow> {
    let by_id = |rows: &[PriceRow]| -> BTreeMap<String, BTreeMap<String, Value>> {
        rows.iter()
            .map(|row| (row.price_id.clone(), fields_of(row)))
            .collect()
    };
    let (before, after) = (by_id(before), by_id(after));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut changed: Vec<ChangedRow> = ids
        .into_iter()
        .filter_map(|id| {
            let (old, new) = (before.get(id), after.get(id));
            let change = match (old, new) {
                (Some(_), Some(_)) => Change::Changed,
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
            };
            let none = BTreeMap::new();
            let fields = differences(old.unwrap_or(&none), new.unwrap_or(&none));
            (!fields.is_empty()).then(|| ChangedRow {
                change,
                price_id: id.clone(),
                fields,
            })
        })
        .collect();
    changed.sort_by_key(|row| row.change);
    changed
}

fn differences(
    old: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
) -> BTreeMap<String, BeforeAfter> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            let values = BeforeAfter {
                before: old.get(name).cloned(),
                after: new.get(name).cloned(),
            };
            (name.clone(), values)
        })
        .collect()
}

/// Every value of a row by its path, but for its id and where its figures come from.
fn fields_of(row: &PriceRow) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    let whole = serde_json::to_value(row).unwrap_or_default();
    for (name, value) in whole.as_object().into_iter().flatten() {
        match name.as_str() {
            "price_id" | "source" => {}
            "rates" => flatten("", value, &mut fields),
            _ => flatten(name, value, &mut fields),
        }
    }
    fields
}

fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    let under = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| flatten(&under(name), value, into)),
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&under(&index.to_string()), value, into);
            }
        }
        _ => {
            into.insert(path.to_owned(), value.clone());
        }
    }
}

/// The models whose calls on `days` are priced by other rates in `after`, the most expensive first. Which provider served
/// them is not known of days: a model counts where its price is another at any provider whose rows differ.
pub fn affected_models(before: Vec<PriceRow>, after: Vec<PriceRow>, days: &[ModelDay]) -> Vec<AffectedModel> {
    let changed: BTreeSet<String> = changed_rows(&before, &after)
        .into_iter()
        .map(|row| row.price_id)
        .collect();
    let mut providers: Vec<Option<String>> = before
        .iter()
        .chain(&after)
        .filter(|row| changed.contains(&row.price_id))
        .map(|row| Some(row.provider.clone()))
        .collect();
    if providers.is_empty() {
        return Vec::new();
    }
    // Calls that name none.
    providers.push(None);
    providers.sort();
    providers.dedup();
    let (before, after) = (PriceTable::new(before), PriceTable::new(after));
    let is_other = |day: &ModelDay| {
        // A price may begin within a day.
        let ends = [day.day, day.day.plus_micros(86_400_000_000 - 1)];
        providers.iter().any(|provider| {
            ends.iter().any(|at| {
                let rates = |table: &PriceTable| {
                    let row = table.find(provider.as_deref(), &day.model, *at)?;
                    Some(row.rates.clone())
                };
                rates(&before) != rates(&after)
            })
        })
    };
    let mut models: BTreeMap<&str, AffectedModel> = BTreeMap::new();
    for day in days.iter().filter(|day| is_other(day)) {
        let model = models.entry(&day.model).or_insert_with(|| AffectedModel {
            model: day.model.clone(),
            calls: 0,
            cost_nano_usd: None,
            first_day: day.day,
            last_day: day.day,
        });
        model.calls = model.calls.saturating_add(day.calls);
        let sum = usage::known_sum(
            model.cost_nano_usd.map(|cost| cost.0),
            day.cost.map(|cost| cost.0),
        );
        model.cost_nano_usd = sum.map(NanoUsd);
        model.first_day = model.first_day.min(day.day);
        model.last_day = model.last_day.max(day.day);
    }
    let mut models: Vec<AffectedModel> = models.into_values().collect();
    models.sort_by(|a, b| b.cost_nano_usd.cmp(&a.cost_nano_usd).then(b.calls.cmp(&a.calls)));
    models
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(model: &str, from: &str, rates: Value) -> PriceRow {
        serde_json::from_value(json!({
            "price_id": format!("openai/{model}/{from}"), "provider": "openai", "model_match": "exact", "model": model,
            "valid_from": format!("{from}T00:00:00Z"), "rates": rates, "source": "https://example.com",
        }))
        .unwrap()
    }

    fn day(model: &str, day: &str, calls: i64, cost: Option<i64>) -> ModelDay {
        ModelDay {
            model: model.to_owned(),
            day: serde_json::from_value(json!(format!("{day}T00:00:00Z"))).unwrap(),
            calls,
            cost: cost.map(NanoUsd),
        }
    }

    #[test]
    fn a_report_names_each_rate_that_is_another_now() {
        let before = [
            row("gpt-4o", "2026-01-01", json!({"input": 5, "output": 15})),
            row("gpt-old", "2026-01-01", json!({"input": 1})),
            row("gpt-same", "2026-01-01", json!({"input": 1})),
        ];
        let mut same = before[2].clone();
        same.source = "https://example.com/elsewhere".to_owned();
        let after = [
            row(
                "gpt-4o",
                "2026-01-01",
                json!({"input": 5, "output": 10, "tiers": [{"above_input_tokens": 9, "input": 7}]}),
            ),
            row("gpt-new", "2026-02-01", json!({"input": 2})),
            same,
        ];
        let changed = changed_rows(&before, &after);
        let seen: Vec<_> = changed
            .iter()
            .map(|row| (row.change, row.price_id.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (Change::Changed, "openai/gpt-4o/2026-01-01"),
                (Change::Added, "openai/gpt-new/2026-02-01"),
                (Change::Removed, "openai/gpt-old/2026-01-01"),
            ]
        );
        let values = |before: Value, after: Value| BeforeAfter {
            before: (!before.is_null()).then_some(before),
            after: (!after.is_null()).then_some(after),
        };
        let expected = BTreeMap::from([
            ("output".to_owned(), values(json!(15), json!(10))),
            (
                "tiers.0.above_input_tokens".to_owned(),
                values(Value::Null, json!(9)),
            ),
            ("tiers.0.input".to_owned(), values(Value::Null, json!(7))),
        ]);
        assert_eq!(changed[0].fields, expected);
        assert!(changed_rows(&after, &after).is_empty());
    }

    #[test]
    fn history_is_that_of_days_whose_price_is_another() {
        let old = row("gpt-4o", "2026-01-01", json!({"input": 5, "output": 15}));
        let before = vec![old.clone(), row("gpt-same", "2026-01-01", json!({"input": 1}))];
        let mut after = before.clone();
        after.push(row("gpt-4o", "2026-03-01", json!({"input": 4, "output": 15})));
        let days = [
            day("gpt-4o", "2026-02-27", 5, Some(50)),
            day("gpt-4o", "2026-03-02", 7, Some(70)),
            day("gpt-4o", "2026-03-05", 1, None),
            day("gpt-same", "2026-03-05", 100, Some(1_000)),
            day("nobody-knows", "2026-03-05", 3, None),
        ];
        let affected = affected_models(before.clone(), after, &days);
        assert_eq!(affected.len(), 1, "{affected:?}");
        let model = &affected[0];
        assert_eq!(
            (model.model.as_str(), model.calls, model.cost_nano_usd),
            ("gpt-4o", 8, Some(NanoUsd(70)))
        );
        assert_eq!((model.first_day, model.last_day), (days[1].day, days[2].day));
        assert_eq!(affected_models(before.clone(), before, &days), []);
    }
}
