//! What models cost, as the decomposition of a change of cost reads it.

use std::collections::BTreeSet;

use domain::Timestamp;
use engine::incidents::window::ModelRates;
use engine::pricing::{PriceRow, PriceTable};

const DAY: i64 = 86_400_000_000;
/// What writing to and reading from a cache costs at Anthropic, in thousandths of fresh input, where a row does not say.
const ANTHROPIC_READ: i64 = 100;
const ANTHROPIC_WRITE: i64 = 1_250;

/// The rates of each model that held at `from` or from some moment until `to` on. Providers are not known of hours, so a
/// model has its maker's price.
pub(super) fn rates(
    table: &PriceTable,
    models: &BTreeSet<String>,
    from: Timestamp,
    to: Timestamp,
) -> Vec<ModelRates> {
    let mut found = Vec::new();
    for model in models {
        let mut known: Option<&str> = None;
        let mut at = from;
        while at <= to {
            let row = table
                .find(None, model, at)
                .filter(|row| known != Some(row.price_id.as_str()));
            if let Some(row) = row {
                // The first one holds from before the window on.
                let valid_from = if known.is_none() {
                    row.valid_from.min(from)
                } else {
                    row.valid_from
                };
                found.extend(of_row(row, model, valid_from));
                known = Some(&row.price_id);
            }
            at = at.plus_micros(DAY);
        }
    }
    found
}

fn of_row(row: &PriceRow, model: &str, valid_from: Timestamp) -> Option<ModelRates> {
    let rates = row.rates.tokens;
    let input = rates.input?;
    let is_anthropic =
        row.provider.eq_ignore_ascii_case("anthropic") || row.model.to_ascii_lowercase().contains("claude");
    let derived = |permille: i64| {
        if is_anthropic {
            i64::try_from(i128::from(input) * i128::from(permille) / 1_000).unwrap_or(input)
        } else {
            input
        }
    };
    Some(ModelRates {
        model: model.to_owned(),
        valid_from,
        input,
        cache_read: rates.cache_read.unwrap_or_else(|| derived(ANTHROPIC_READ)),
        cache_write: rates.cache_write_5m.unwrap_or_else(|| derived(ANTHROPIC_WRITE)),
        output: rates.output.unwrap_or(0),
        per_request: row.rates.per_request.unwrap_or(0),
    })
}
