//! How long the pure part of a step takes before it is scored: `cargo run -p engine --release --example measure_step`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::time::Instant;

use domain::{Timestamp, TokenUsage};
use engine::pricing::{ModelMatch, PriceRow, PriceTable, Rates, TokenRates, price};
use engine::{answer, fingerprint, usage};
use serde_json::json;

/// The best of five hundred rounds: what others do on the machine only makes it slower.
fn measure<T>(what: &str, times: u32, mut work: impl FnMut() -> T) {
    let round = || {
        let begin = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        begin.elapsed()
    };
    let best = std::iter::repeat_with(round).take(500).min().unwrap_or_default();
    println!(
        "{what:<60} {:>9.3} µs",
        best.as_secs_f64() * 1e6 / f64::from(times)
    );
}

fn rows() -> Vec<PriceRow> {
    let row = |at: usize, model_match: ModelMatch, model: String| PriceRow {
        price_id: format!("row-{at}"),
        project_own: false,
        provider: ["anthropic", "openai", "google", "groq"][at % 4].to_owned(),
        model_match,
        model,
        valid_from: Timestamp::from_micros(0),
        rates: Rates {
            tokens: TokenRates {
                input: Some(3_000_000_000),
                output: Some(15_000_000_000),
                ..TokenRates::default()
            },
            ..Rates::default()
        },
        context_window: None,
        source: String::new(),
    };
    let many = (0..1_500).map(|at| row(at, ModelMatch::Exact, format!("model-{at}")));
    let families = (0..500).map(|at| row(at, ModelMatch::Prefix, format!("family-{at}-")));
    let patterns = (0..20).map(|at| row(at, ModelMatch::Regex, format!("pattern-{at}(-mini)?-[0-9]+")));
    many.chain(families)
        .chain(patterns)
        .chain([row(0, ModelMatch::Exact, "claude-haiku-4-5".to_owned())])
        .collect()
}

fn main() {
    let table = PriceTable::new(rows());
    let now = Timestamp::from_micros(1);
    let find =
        |model: &'static str| move |table: &PriceTable| table.find(Some("anthropic"), model, now).is_some();
    for model in [
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "family-77-large",
        "a-model-nobody-has-heard-of",
    ] {
        let find = find(model);
        measure(&format!("find the price of {model}"), 200, || find(&table));
    }
    let tokens = TokenUsage {
        input_fresh: Some(1_200),
        cache_read: Some(8_000),
        cache_write: Some(500),
        output: Some(350),
        ..TokenUsage::default()
    };
    if let Some(row) = table.find(None, "claude-haiku-4-5", now) {
        measure("price a call", 200, || {
            price(row, &tokens, Some("standard"), None)
        });
    }
    let reported = json!({"input_tokens": 1200, "cache_read_input_tokens": 8000, "output_tokens": 350});
    measure("read a provider's usage", 200, || usage::from_provider(&reported));

    let sentence =
        "You classify support tickets of order 1234 for \"Example Shop\" into refund, shipping or other. ";
    let system = sentence.repeat(4_000 / sentence.len());
    let chat = json!({"model": "m", "system": system, "messages": [{"role": "user", "content": "Where is my order?"}]});
    let chat = chat.to_string();
    let plain = format!("{system}\n\nTicket: where is my order?");
    let user =
        json!({"model": "m", "system": "Be brief.", "messages": [{"role": "user", "content": system}]})
            .to_string();
    measure("fingerprint 4 kB, all of it system text", 10, || {
        fingerprint::fingerprints(&chat, None)
    });
    measure("fingerprint 4 kB of plain text", 10, || {
        fingerprint::fingerprints(&plain, None)
    });
    measure("fingerprint 4 kB, all of it a user's", 10, || {
        fingerprint::fingerprints(&user, None)
    });
    let long = plain.repeat(250);
    measure("fingerprint 1 MB of plain text", 2, || {
        fingerprint::fingerprints(&long, None)
    });
    let call = r#"{"role":"assistant","content":[{"type":"tool_use","name":"look","input":{"id":7}}]}"#;
    measure("take an answer of text apart", 200, || {
        answer::read(Some("shipping"), &chat)
    });
    measure("take a tool call apart", 200, || answer::read(Some(call), &chat));
}
