use domain::{NanoUsd, TokenUsage};
use engine::pricing::{PriceTable, Rates, TokenRates, price};

use super::*;

/// Dollars per million in nano-dollars.
const DOLLAR: i64 = 1_000_000_000;

fn shipped() -> PriceFile {
    parse(SHIPPED).unwrap()
}

fn at(day: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("{day}T12:00:00Z")).unwrap()
}

/// Every set of token rates of a row, and whether it is the ordinary one.
fn token_rates(rates: &Rates) -> Vec<TokenRates> {
    let variants = rates.service_tiers.values();
    let tiers = rates.tiers.iter().chain(variants.clone().flat_map(|v| &v.tiers));
    [rates.tokens]
        .into_iter()
        .chain(variants.map(|variant| variant.tokens))
        .chain(tiers.map(|tier| tier.tokens))
        .chain(rates.hours.iter().map(|hour| hour.tokens))
        .collect()
}

#[test]
fn the_shipped_file_is_whole_and_sane() {
    let file = shipped();
    assert!(
        Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", file.version)).is_some(),
        "editions are compared as text, so they are days: {}",
        file.version
    );
    let models: HashSet<_> = file
        .prices
        .iter()
        .map(|row| (&row.provider, &row.model))
        .collect();
    assert!(models.len() >= 300, "{} models", models.len());
    let providers: HashSet<_> = file.prices.iter().map(|row| row.provider.as_str()).collect();
    for provider in [
        "anthropic",
        "aws",
        "azure",
        "cohere",
        "deepseek",
        "fireworks",
        "google",
        "groq",
        "mistral",
        "openai",
        "perplexity",
        "together",
        "x-ai",
    ] {
        assert!(providers.contains(provider), "nothing of {provider}");
    }
    for row in &file.prices {
        let id = &row.price_id;
        assert!(row.source.starts_with("https://"), "{id}: {}", row.source);
        assert_eq!(row.model, row.model.to_lowercase(), "{id}");
        for rates in token_rates(&row.rates) {
            for rate in rates.named().filter_map(|(_, rate)| rate) {
                // The most expensive output of any public list is $600.
                assert!((0..=1_200 * DOLLAR).contains(&rate), "{id}: {rate}");
            }
        }
        let ordinary = row.rates.tokens;
        if let (Some(read), Some(input)) = (ordinary.cache_read, ordinary.input) {
            assert!(
                read <= input,
                "{id}: reading the cache is never dearer than input"
            );
        }
        if let (Some(hour), Some(minutes)) = (ordinary.cache_write_1h, ordinary.cache_write_5m) {
            assert!(
                hour >= minutes,
                "{id}: an hour is never cheaper than five minutes"
            );
        }
        assert!(
            row.rates.tiers.is_sorted_by_key(|tier| tier.above_input_tokens),
            "{id}"
        );
        assert!(
            row.rates
                .tiers
                .iter()
                .all(|tier| tier.above_input_tokens >= 32_000),
            "{id}"
        );
        assert!(
            row.context_window
                .is_none_or(|tokens| (256..=20_000_000).contains(&tokens)),
            "{id}"
        );
        let variants = row.rates.service_tiers.values();
        for tier in row
            .rates
            .tiers
            .iter()
            .chain(variants.flat_map(|variant| &variant.tiers))
        {
            assert!(
                row.context_window
                    .is_none_or(|window| tier.above_input_tokens < window),
                "{id}: the tier above {} begins where the window ends",
                tier.above_input_tokens
            );
        }
        assert!(
            row.rates
                .web_search_per_1k
                .is_none_or(|fee| (DOLLAR..=100 * DOLLAR).contains(&fee)),
            "{id}"
        );
    }
}

/// Figures that stand alike in both lists that the file is made from.
#[test]
fn well_known_prices() {
    let table = PriceTable::new(shipped().prices);
    let usage = |input, output| TokenUsage {
        input_fresh: Some(input),
        output: Some(output),
        ..TokenUsage::default()
    };
    let check = |provider: &str, model: &str, tier: Option<&str>, input: i64, output: i64, dollars: &str| {
        let row = table
            .find(Some(provider), model, at("2026-11-21"))
            .unwrap_or_else(|| panic!("no price for {provider} {model}"));
        let receipt = price(row, &usage(input, output), tier, None).unwrap();
        assert_eq!(
            receipt.total,
            NanoUsd::parse_decimal(dollars).unwrap(),
            "{provider} {model} {tier:?} by {}",
            row.price_id
        );
    };
    const M: i64 = 100_000;
    // A tenth of a million of each.
    check("anthropic", "claude-haiku-4-5-20251001", None, M, M, "0.6");
    check("anthropic", "claude-sonnet-4-5-20250929", None, M, M, "1.8");
    check("anthropic", "claude-opus-4-1", None, M, M, "9");
    check("anthropic", "claude-opus-4-5", None, M, M, "3");
    check("anthropic", "claude-opus-4-5", Some("batch"), M, M, "1.5");
    check("openai", "gpt-4o-2024-08-06", None, M, M, "1.25");
    check("openai", "gpt-4o-mini", None, M, M, "0.075");
    check("openai", "gpt-4.1", None, M, M, "1");
    check("openai", "gpt-5", None, M, M, "1.125");
    check("openai", "gpt-5", Some("flex"), M, M, "0.5625");
    check("openai", "gpt-5", Some("priority"), M, M, "2.25");
    check("openai", "o3", None, M, M, "1");
    check("google", "gemini-2.5-pro", None, M, M, "1.125");
    check("google", "gemini-2.5-pro", None, 300_000, M, "2.25");
    check("google", "gemini-2.5-pro", Some("batch"), 300_000, M, "1.125");
    check("google", "gemini-2.5-flash", None, M, M, "0.28");
    check("mistral", "codestral-2508", None, M, M, "0.12");
    // The maker's price counts where a call names no provider, and for a cloud without a list of its own.
    check("", "claude-haiku-4-5", None, M, M, "0.6");
    check(
        "aws.bedrock",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        None,
        M,
        M,
        "1.98",
    );
}

/// A server of one's own that speaks like OpenAI is called `openai`, whatever runs there.
#[test]
fn open_models_have_no_price_but_that_of_who_serves_them() {
    let table = PriceTable::new(shipped().prices);
    let check = |provider: &str, model: &str, expected: Option<&str>| {
        let row = table.find(Some(provider), model, at("2026-11-21"));
        assert_eq!(
            row.map(|row| row.provider.as_str()),
            expected,
            "{provider} {model}"
        );
    };
    for provider in ["openai", "ollama", "vllm", "localhost", "127.0.0.1:8000"] {
        for model in [
            "gpt-oss-120b",
            "deepseek-chat",
            "llama-3.3-70b-versatile",
            "mistral-small-latest",
        ] {
            check(provider, model, None);
        }
    }
    check("deepseek", "deepseek-chat", Some("deepseek"));
    check("groq", "llama-3.3-70b-versatile", Some("groq"));
    check("mistral_ai", "mistral-small-latest", Some("mistral"));
    check("openai", "gpt-4o", Some("openai"));
    check("openrouter", "anthropic/claude-sonnet-4.5", Some("anthropic"));
}

#[test]
fn a_price_that_changed_has_both_rows() {
    let table = PriceTable::new(shipped().prices);
    let check = |day: &str, dollars: i64| {
        let row = table.find(Some("openai"), "o3", at(day)).unwrap();
        assert_eq!(row.rates.tokens.input, Some(dollars * DOLLAR), "{day}");
    };
    check("2025-06-09", 10);
    check("2025-06-10", 2);
}

#[test]
fn a_bad_row_is_named() {
    let row = |change: &str| {
        let mut row = serde_json::json!({
            "price_id": "a/b", "provider": "a", "model_match": "exact", "model": "b",
            "valid_from": "2026-01-01T00:00:00Z", "rates": { "input": 1 }, "source": "https://example.com"
        });
        let change: serde_json::Value = serde_json::from_str(change).unwrap();
        for (key, value) in change.as_object().unwrap() {
            row[key] = value.clone();
        }
        row
    };
    let check = |changes: &[&str], expected: &str| {
        let rows: Vec<_> = changes.iter().map(|change| row(change)).collect();
        let text = serde_json::json!({ "version": "2026-01-01", "prices": rows }).to_string();
        match parse(&text) {
            Ok(_) => assert_eq!("", expected),
            Err(cause) => assert!(
                cause.to_string().contains(expected) && !expected.is_empty(),
                "{cause}; expected: {expected}"
            ),
        }
    };
    check(&["{}"], "");
    check(&[], "no prices");
    check(
        &["{}", r#"{"model": "c"}"#],
        "Row 2 (a/b): Its price_id occurs twice",
    );
    check(
        &["{}", r#"{"price_id": "a/c"}"#],
        "Row 2 (a/c): There is another row",
    );
    check(&[r#"{"source": " "}"#], "no source");
    check(&[r#"{"price_id": "own/1"}"#], "a project's own");
    check(&[r#"{"rates": {"input": -1}}"#], "below zero");
    check(&[r#"{"rates": {"output": 1}}"#], "no rate for input");
    check(&[r#"{"rates": {"input": 1.5}}"#], "Row 1 can't be read");
    check(&[r#"{"model_match": "like"}"#], "Row 1 can't be read");
    check(&[r#"{"model_match": "regex", "model": "("}"#], "does not compile");
    assert!(parse("[]").unwrap_err().to_string().contains("not a price file"));
}
