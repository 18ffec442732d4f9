//! Any rows as a project's own prices, and any names of models looked up in them.

#![no_main]

use std::sync::Arc;

use domain::Timestamp;
use engine::pricing::{ModelMatch, PriceRow, PriceTable, Rates, TokenRates};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(u8, String)>, Vec<String>)| {
    let (rows, names) = input;
    let rows: Vec<PriceRow> = rows.into_iter().map(row).collect();
    let shipped = Arc::new(PriceTable::new(rows.iter().take(2).cloned().collect()));
    let table = PriceTable::over(&shipped, rows);
    for name in names {
        let found = |provider| {
            table
                .find(provider, &name, Timestamp::from_micros(1))
                .map(|row| row.price_id.clone())
        };
        assert_eq!(found(None), found(None), "the same name, the same price");
        assert_eq!(found(Some("openai")), found(Some("openai")));
    }
});

fn row((kind, model): (u8, String)) -> PriceRow {
    PriceRow {
        price_id: format!("{kind} {model}"),
        project_own: kind & 4 == 0,
        provider: if kind & 8 == 0 { "openai" } else { "custom" }.to_owned(),
        model_match: match kind % 3 {
            0 => ModelMatch::Exact,
            1 => ModelMatch::Prefix,
            _ => ModelMatch::Regex,
        },
        model,
        valid_from: Timestamp::from_micros(0),
        rates: Rates {
            tokens: TokenRates {
                input: Some(1),
                ..TokenRates::default()
            },
            ..Rates::default()
        },
        context_window: None,
        source: String::new(),
    }
}
