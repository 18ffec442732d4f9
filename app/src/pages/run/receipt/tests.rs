use super::*;
use crate::timeline::sample::step;

#[test]
fn an_unknown_cost_says_what_is_missing() {
    let price: PriceRow = serde_json::from_value(serde_json::json!({
        "price_id": "p", "provider": "openai", "model_match": "exact", "model": "gpt-4o",
        "valid_from": "2026-01-01T00:00:00Z", "rates": { "input": 1, "output": 2 },
    }))
    .unwrap();
    let mut step = step("s", None, 0, 1);
    step.cost_nano_usd = None;
    step.cost_source = Some(CostSource::Unknown);
    step.status = StepStatus::Aborted;
    let check = |step: &StepSummary, price: Option<&PriceRow>, expected: &str| {
        let priced = price.map(|price| pricing::try_price_of(price, &billed(step)));
        assert_eq!(source_words(step, priced.as_ref()), expected);
    };
    step.tokens = domain::TokenUsage::default();
    check(&step, None, "no price for this model");
    check(
        &step,
        Some(&price),
        "usage unknown: the caller disconnected before it was reported",
    );
    step.tokens.input_fresh = Some(5);
    step.tokens.output = Some(5);
    step.web_searches = Some(1);
    check(&step, Some(&price), "no fee for web searches");
    step.service_tier = Some("fast".to_owned());
    check(&step, Some(&price), "tier fast: no rate known");
}

#[test]
fn a_receipt_names_rates_and_adds_up() {
    let price: PriceRow = serde_json::from_value(serde_json::json!({
        "price_id": "p", "provider": "anthropic", "model_match": "exact", "model": "m",
        "valid_from": "2026-01-01T00:00:00Z",
        "rates": { "input": 3_000_000_000_i64, "output": 15_000_000_000_i64 },
    }))
    .unwrap();
    let mut step = step("s", None, 0, 1);
    step.tokens = domain::TokenUsage {
        input_fresh: Some(1_000),
        cache_read: Some(10_000),
        cache_write: Some(500),
        cache_write_1h: Some(200),
        output: Some(100),
        reasoning: Some(40),
    };
    step.web_searches = Some(2);
    let receipt = pricing::price(&price, &step.tokens, None, step.web_searches).unwrap();
    let rows = rows(&step, Some(&receipt.lines));
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (row.name, row.count, row.rate.clone().unwrap_or_default()))
        .collect();
    let expected = [
        ("Input, fresh", Some(1_000), "$3 / M"),
        ("Cache read", Some(10_000), "$0.3 / M *"),
        ("Cache write", Some(300), "$3.75 / M *"),
        ("Cache write, 1 h", Some(200), "$6 / M *"),
        ("Output", Some(100), "$15 / M"),
        ("of it reasoning", Some(40), ""),
        ("Web searches", Some(2), "$0.0100 each *"),
    ]
    .map(|(name, count, rate)| (name, count, rate.to_owned()));
    assert_eq!(shown, expected);
    let sum: i64 = rows.iter().filter_map(|row| row.cost).map(|cost| cost.0).sum();
    assert_eq!(sum, receipt.total.0);
}
