//! What a whole run cost, line by line.

use domain::NanoUsd;
use engine::pricing::Bill;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The most steps of a run that are summed up.
#[cfg(feature = "ssr")]
const MAX_STEPS: u32 = 20_000;

/// The receipts of a run's steps as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunReceipt {
    pub(crate) bill: Bill,
    /// Known cost of the steps that were summed up; `None` when nothing is known.
    pub(crate) cost: Option<NanoUsd>,
    /// How many steps can cost something.
    pub(crate) steps: i64,
    /// The run has more.
    pub(crate) is_cut: bool,
}

/// The receipts of all steps of a run as one.
#[server(prefix = "/ui", endpoint = "runs/receipt", input = Json)]
pub(crate) async fn read_run_receipt(slug: String, run_id: String) -> Result<RunReceipt, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let steps = storage::prices::billed_steps(&mut snapshot, project, &run_id, MAX_STEPS + 1).await?;
    let mut ids: Vec<String> = steps
        .iter()
        .filter_map(|step| step.price_version.clone())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = storage::prices::with_ids(&mut snapshot, project, &ids).await?;
    let rows: Vec<_> = rows.into_iter().filter_map(crate::api::prices::row_of).collect();
    let (steps, rest) = steps.split_at(steps.len().min(MAX_STEPS as usize));
    Ok(RunReceipt {
        is_cut: !rest.is_empty(),
        ..receipt_of(steps, &rows)
    })
}

/// The receipt of steps, by the price rows behind them as they are now.
#[cfg(feature = "ssr")]
fn receipt_of(steps: &[storage::prices::BilledStep], rows: &[engine::pricing::PriceRow]) -> RunReceipt {
    use std::collections::HashMap;

    use domain::{CostSource, usage};
    use engine::pricing::{Billed, try_price_of};

    let rows: HashMap<&str, _> = rows.iter().map(|row| (row.price_id.as_str(), row)).collect();
    let mut bill = Bill::default();
    let mut sum = None;
    for step in steps {
        sum = usage::known_sum(sum, step.cost.map(|cost| cost.0));
        let Some(cost) = step.cost else {
            bill.unknown += 1;
            continue;
        };
        if step.source == CostSource::Reported {
            bill.add_stated(cost);
            continue;
        }
        // A cost below zero is a mistake and counts nowhere.
        if let Some(stated) = step.reported.filter(|stated| stated.0 >= 0) {
            bill.compare(cost, stated);
        }
        let row = step.price_version.as_deref().and_then(|id| rows.get(id));
        let billed = Billed {
            tokens: &step.tokens,
            details: &step.usage_details,
            model: step.model.as_deref(),
            service_tier: step.service_tier.as_deref(),
            web_searches: step.web_searches,
            at: Some(step.started_at),
        };
        // Prices are changed; only a receipt that comes to what is stored explains it.
        match row.and_then(|row| try_price_of(row, &billed).ok()) {
            Some(receipt) if receipt.total == cost => bill.add(&receipt),
            _ => bill.add_unexplained(cost),
        }
    }
    RunReceipt {
        bill,
        cost: sum.map(NanoUsd),
        steps: i64::try_from(steps.len()).unwrap_or(i64::MAX),
        is_cut: false,
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use domain::{CostSource, Timestamp, TokenUsage, UsageDetails};
    use engine::pricing::{BilledAs, PriceRow};
    use storage::prices::BilledStep;

    use super::*;

    fn step(source: CostSource, price: Option<&str>, cost: Option<i64>, stated: Option<i64>) -> BilledStep {
        BilledStep {
            started_at: Timestamp::from_micros(0),
            model: Some("gpt-4o".to_owned()),
            service_tier: None,
            tokens: TokenUsage {
                input_fresh: Some(1_000),
                output: Some(100),
                ..TokenUsage::default()
            },
            usage_details: UsageDetails::default(),
            web_searches: None,
            cost: cost.map(NanoUsd),
            source,
            price_version: price.map(str::to_owned),
            reported: stated.map(NanoUsd),
        }
    }

    #[test]
    fn a_run_is_explained_as_far_as_its_prices_are_what_they_were() {
        let row: PriceRow = serde_json::from_value(serde_json::json!({
            "price_id": "p", "provider": "openai", "model_match": "exact", "model": "gpt-4o",
            "valid_from": "2020-01-01T00:00:00Z", "source": "s", "rates": {"input": 2_000_000, "output": 10_000_000}
        }))
        .unwrap();
        let steps = [
            step(CostSource::Computed, Some("p"), Some(3_000), Some(3_300)),
            step(CostSource::Computed, Some("p"), Some(2_999), None),
            step(CostSource::Computed, Some("gone"), Some(5), Some(-1)),
            step(CostSource::Reported, None, Some(71), Some(71)),
            step(CostSource::Unknown, Some("p"), None, None),
        ];
        let RunReceipt {
            bill, cost, steps, ..
        } = receipt_of(&steps, &[row]);
        assert_eq!(
            (cost, bill.total(), steps),
            (Some(NanoUsd(6_075)), Some(NanoUsd(6_075)), 5)
        );
        let line = |bucket| bill.lines.get(&bucket).map(|line| (line.count, line.cost.0));
        assert_eq!(line(BilledAs::Input), Some((1_000, 2_000)));
        assert_eq!(line(BilledAs::Output), Some((100, 1_000)));
        assert_eq!((bill.unexplained.count, bill.unexplained.cost.0), (2, 3_004));
        assert_eq!((bill.stated.count, bill.unknown), (1, 1));
        assert_eq!(
            (bill.compared.count, bill.compared.cost.0, bill.compared_stated.0),
            (1, 3_000, 3_300)
        );
    }
}
