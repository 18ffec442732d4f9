//! Which price a call gets, and what it comes to.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use domain::{NanoUsd, Timestamp, TokenUsage};
use engine::pricing::{BilledAs, PriceRow, PriceTable, Receipt, drift, price};
use proptest::prelude::*;
use serde_json::{Value, json};

fn row(id: &str, provider: &str, how: &str, model: &str, from: &str, rates: Value) -> PriceRow {
    serde_json::from_value(
        json!({"price_id": id, "provider": provider, "model_match": how, "model": model,
        "valid_from": format!("{from}T00:00:00Z"), "rates": rates}),
    )
    .unwrap()
}

fn at(day: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("{day}T12:00:00Z")).unwrap()
}

#[test]
fn the_right_row_is_found() {
    let rates = || json!({"input": 1_000_000});
    let own = |id: &str, how: &str, model: &str| PriceRow {
        project_own: true,
        ..row(id, "acme", how, model, "2020-01-01", rates())
    };
    let shipped = |id: &str, provider: &str, how: &str, model: &str| {
        row(id, provider, how, model, "2020-01-01", rates())
    };
    let table = PriceTable::new(vec![
        shipped("sonnet", "anthropic", "prefix", "claude-sonnet-4"),
        shipped("sonnet-4-5", "anthropic", "prefix", "claude-sonnet-4-5"),
        row(
            "sonnet-4-5-new",
            "anthropic",
            "prefix",
            "claude-sonnet-4-5",
            "2026-06-01",
            rates(),
        ),
        shipped("any-claude", "anthropic", "regex", "claude-.*"),
        shipped(
            "aws-sonnet-4-5",
            "aws",
            "exact",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        shipped("gpt-4o", "openai", "exact", "gpt-4o"),
        shipped("gpt-4o-may", "openai", "exact", "gpt-4o-2024-05-13"),
        shipped("gemini", "google", "exact", "gemini-2.5-pro"),
        shipped("groq-llama", "groq", "exact", "llama-3.3-70b"),
        shipped("together-llama", "together", "exact", "llama-3.3-70b"),
        shipped("only-groq", "groq", "exact", "kimi-k2"),
        shipped("bad", "openai", "regex", "("),
        own("own-mini", "exact", "gpt-4o-mini"),
        own("own-house", "regex", "house-(small|large)"),
    ]);
    let check = |provider: Option<&str>, model: &str, day: &str, expected: Option<&str>| {
        let found = table.find(provider, model, at(day));
        assert_eq!(
            found.map(|row| row.price_id.as_str()),
            expected,
            "{provider:?} {model} {day}"
        );
    };
    let day = "2025-10-01";
    // Exact before the longest beginning before an expression.
    check(None, "gpt-4o", day, Some("gpt-4o"));
    check(None, "gpt-4o-2024-05-13", day, Some("gpt-4o-may"));
    check(None, "gpt-4o-2024-11-20", day, Some("gpt-4o"));
    check(None, "claude-sonnet-4-20250514", day, Some("sonnet"));
    check(None, "claude-sonnet-4-5-20250929", day, Some("sonnet-4-5"));
    check(None, "claude-haiku-9", day, Some("any-claude"));
    check(None, "not-claude-haiku-9", day, None);
    // The newest that was valid by then.
    check(None, "claude-sonnet-4-5", "2026-05-31", Some("sonnet-4-5"));
    check(None, "claude-sonnet-4-5", "2026-06-01", Some("sonnet-4-5-new"));
    check(None, "gpt-4o", "2019-12-31", None);
    // The names that clouds and gateways use.
    check(
        Some("openrouter"),
        "anthropic/claude-sonnet-4.5",
        day,
        Some("sonnet-4-5"),
    );
    check(
        Some("gcp.vertex_ai"),
        "claude-sonnet-4-5@20250929",
        day,
        Some("sonnet-4-5"),
    );
    check(
        Some("aws.bedrock"),
        "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        day,
        Some("sonnet-4-5"),
    );
    check(
        Some("bedrock"),
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        day,
        Some("aws-sonnet-4-5"),
    );
    check(Some("gcp.gemini"), "models/gemini-2.5-pro", day, Some("gemini"));
    check(Some("azure.ai.openai"), "GPT-4o", day, Some("gpt-4o"));
    check(Some("openai.chat"), "gpt-4o", day, Some("gpt-4o"));
    // Open models have no price unless somebody says who serves them, or one seller has them.
    check(Some("groq"), "llama-3.3-70b", day, Some("groq-llama"));
    check(None, "llama-3.3-70b", day, None);
    check(Some("elsewhere"), "llama-3.3-70b", day, None);
    check(None, "kimi-k2", day, Some("only-groq"));
    // A project's own rows win.
    check(Some("openai"), "gpt-4o-mini", day, Some("own-mini"));
    check(None, "house-large", day, Some("own-house"));
    check(None, "house-huge", day, None);
    check(None, "", day, None);
    assert_eq!(table.len(), 13, "the row that can't be used is left out");
}

#[test]
fn rows_that_cannot_be_used_say_why() {
    let check = |how: &str, model: &str, rates: Value, expected: Option<&str>| {
        let problem = row("id", "p", how, model, "2020-01-01", rates).problem();
        let begins =
            expected.is_none_or(|words| problem.as_deref().is_some_and(|found| found.starts_with(words)));
        assert!(
            begins && problem.is_some() == expected.is_some(),
            "{model}: {problem:?}"
        );
    };
    let free = || json!({"input": 0});
    check("exact", "m", free(), None);
    check("regex", "gpt-[0-9]+(-mini)?", free(), None);
    check(
        "regex",
        "gpt-(",
        free(),
        Some("The regular expression does not compile"),
    );
    check(
        "regex",
        "a)|(b",
        free(),
        Some("The regular expression does not compile"),
    );
    check(
        "regex",
        "(((((((a{99}){99}){99}){99}){99}){99}){99})",
        free(),
        Some("The regular expression does not compile"),
    );
    check(
        "regex",
        &"a".repeat(501),
        free(),
        Some("The regular expression is longer"),
    );
    check("exact", " ", free(), Some("The model is blank"));
    check(
        "exact",
        "m",
        json!({"output": 1}),
        Some("The price has no rate for input"),
    );
    check(
        "exact",
        "m",
        json!({"input": 1, "cache_read": -1}),
        Some("A rate is below zero"),
    );
    check(
        "exact",
        "m",
        json!({"input": 1, "service_tiers": {"batch": {"permille": -1}}}),
        Some("A rate is below zero"),
    );
}

fn sonnet() -> PriceRow {
    row(
        "sonnet",
        "anthropic",
        "exact",
        "claude-sonnet-4-5",
        "2025-09-29",
        json!({"input": 3_000_000_000_i64, "output": 15_000_000_000_i64, "cache_read": 300_000_000,
            "cache_write_5m": 3_750_000_000_i64, "cache_write_1h": 6_000_000_000_i64, "per_request": 7,
            "tiers": [{"above_input_tokens": 200_000, "input": 6_000_000_000_i64, "output": 22_500_000_000_i64}],
            "service_tiers": {"batch": {"permille": 500}, "priority": {"input": 5_000_000_000_i64}}}),
    )
}

fn tokens(input: i64, output: i64) -> TokenUsage {
    TokenUsage {
        input_fresh: Some(input),
        output: Some(output),
        ..TokenUsage::default()
    }
}

#[test]
fn a_receipt_says_how_a_cost_came_about() {
    let usage = TokenUsage {
        cache_read: Some(8_000),
        cache_write: Some(500),
        cache_write_1h: Some(200),
        reasoning: Some(120),
        ..tokens(1_200, 350)
    };
    let receipt = price(&sonnet(), &usage, Some("standard"), Some(2)).unwrap();
    let lines: Vec<_> = receipt
        .lines
        .iter()
        .map(|line| {
            (
                line.bucket,
                line.tokens,
                line.rate_nano_usd_per_mtok,
                line.is_derived,
                line.cost.0,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (BilledAs::Input, 1_200, 3_000_000_000, false, 3_600_000),
            (BilledAs::CacheRead, 8_000, 300_000_000, false, 2_400_000),
            (BilledAs::CacheWrite5m, 300, 3_750_000_000, false, 1_125_000),
            (BilledAs::CacheWrite1h, 200, 6_000_000_000, false, 1_200_000),
            (BilledAs::Output, 350, 15_000_000_000, false, 5_250_000),
            (BilledAs::WebSearch, 2, 10_000_000_000_000, true, 20_000_000),
            (BilledAs::Request, 1, 7_000_000, false, 7),
        ]
    );
    assert_eq!(receipt.total, NanoUsd(33_575_007));
    assert_eq!(
        (receipt.price_id.as_str(), receipt.service_tier),
        ("sonnet", None)
    );
}

#[test]
fn tiers_and_service_tiers_replace_what_they_name() {
    let check = |usage: TokenUsage, tier: Option<&str>, expected: i64| {
        let receipt = price(&sonnet(), &usage, tier, None).unwrap();
        assert_eq!(receipt.total.0, expected + 7, "{usage:?} {tier:?}");
    };
    check(tokens(200_000, 10), None, 600_000_000 + 150_000);
    check(tokens(200_001, 10), None, 1_200_006_000 + 225_000);
    // Cache counts for the size.
    let cached = TokenUsage {
        cache_read: Some(200_000),
        ..tokens(1, 0)
    };
    check(cached, None, 6_000 + 60_000_000);
    check(tokens(1_000, 10), Some("Batch"), 1_500_000 + 75_000);
    check(tokens(300_000, 10), Some("batch"), 900_000_000 + 112_500);
    check(tokens(1_000, 10), Some("priority"), 5_000_000 + 150_000);
    for ordinary in ["default", "standard", "auto", "scale", "flex"] {
        check(tokens(1_000, 10), Some(ordinary), 3_000_000 + 150_000);
    }
}

#[test]
fn a_rate_that_is_not_said_is_derived_and_marked() {
    let lean = |provider: &str, rates: Value| row("lean", provider, "exact", "m", "2020-01-01", rates);
    let check = |row: PriceRow, expected: [i64; 3]| {
        let usage = TokenUsage {
            cache_read: Some(1_000_000),
            cache_write: Some(2_000_000),
            cache_write_1h: Some(1_000_000),
            ..tokens(0, 0)
        };
        let receipt = price(&row, &usage, None, None).unwrap();
        let rates: Vec<_> = receipt
            .lines
            .iter()
            .map(|line| line.rate_nano_usd_per_mtok)
            .collect();
        assert_eq!(rates, expected);
    };
    check(
        lean("anthropic", json!({"input": 1_000, "output": 1})),
        [100, 1_250, 2_000],
    );
    check(
        lean("openai", json!({"input": 1_000, "output": 1})),
        [1_000, 1_000, 1_000],
    );
    check(
        lean(
            "openai",
            json!({"input": 1_000, "output": 1, "cache_write_5m": 1_200}),
        ),
        [1_000, 1_200, 1_200],
    );
    let receipt = price(
        &lean("openai", json!({"input": 1_000_000})),
        &tokens(5, 0),
        None,
        None,
    )
    .unwrap();
    assert!(!receipt.lines[0].is_derived);
}

#[test]
fn what_cannot_be_priced_costs_nobody_knows_what() {
    let check = |row: &PriceRow, usage: TokenUsage, searches: Option<i64>, expected: Option<i64>| {
        let total = price(row, &usage, None, searches).map(|receipt| receipt.total.0);
        assert_eq!(total, expected, "{usage:?}");
    };
    let plain = row(
        "p",
        "openai",
        "exact",
        "m",
        "2020-01-01",
        json!({"input": 1_000_000_000, "output": 2_000_000_000}),
    );
    let embedding = row(
        "e",
        "openai",
        "exact",
        "m",
        "2020-01-01",
        json!({"input": 20_000_000}),
    );
    let none = TokenUsage::default();
    check(&plain, tokens(10, 5), None, Some(20_000));
    check(&plain, none, None, None);
    check(
        &plain,
        TokenUsage {
            output: Some(5),
            ..none
        },
        None,
        None,
    );
    check(
        &plain,
        TokenUsage {
            input_fresh: Some(5),
            ..none
        },
        None,
        None,
    );
    check(
        &embedding,
        TokenUsage {
            input_fresh: Some(50),
            ..none
        },
        None,
        Some(1_000),
    );
    check(&embedding, tokens(50, 1), None, None);
    check(&plain, tokens(-1, 5), None, None);
    check(&plain, tokens(1, 5), Some(1), None);
    check(&plain, tokens(1, 5), Some(0), Some(11_000));
    check(&plain, tokens(i64::MAX, i64::MAX), None, None);
    // Nothing was used and nothing is owed.
    check(&plain, tokens(0, 0), None, Some(0));
}

#[test]
fn a_drift_above_one_per_cent_is_said() {
    let check = |computed: i64, reported: i64, expected: Option<i64>| {
        assert_eq!(
            drift(NanoUsd(computed), NanoUsd(reported)),
            expected,
            "{computed} {reported}"
        );
    };
    check(1_000, 1_000, None);
    check(1_000, 1_010, None);
    check(1_000, 1_011, Some(11));
    check(1_000, 500, Some(-500));
    check(0, 0, None);
    check(0, 5, Some(1_000));
    check(1, i64::MAX, Some(i64::MAX));
}

#[test]
fn a_row_reads_as_it_was_written() {
    let row = sonnet();
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(serde_json::from_str::<PriceRow>(&text).unwrap(), row);
    assert_eq!(
        serde_json::to_value(&row.rates).unwrap()["service_tiers"]["batch"],
        json!({"permille": 500})
    );
}

proptest! {
    #[test]
    fn lines_add_up_to_the_total(
        counts in prop::array::uniform5(0i64..10_000_000), rates in prop::array::uniform5(0i64..99_000_000_001),
        permille in 0i64..3_000, searches in 0i64..9,
    ) {
        let [input, output, cache_read, cache_write_5m, cache_write_1h] = rates;
        let row = row("r", "p", "exact", "m", "2020-01-01", json!({"input": input, "output": output,
            "cache_read": cache_read, "cache_write_5m": cache_write_5m, "cache_write_1h": cache_write_1h,
            "web_search_per_1k": 10_000_000_000_i64, "service_tiers": {"batch": {"permille": permille}}}));
        let usage = TokenUsage {
            cache_read: Some(counts[2]),
            cache_write: Some(counts[3] + counts[4]),
            cache_write_1h: Some(counts[4]),
            ..tokens(counts[0], counts[1])
        };
        let Receipt { lines, total, .. } = price(&row, &usage, Some("batch"), Some(searches)).unwrap();
        prop_assert_eq!(lines.iter().map(|line| line.cost.0).sum::<i64>(), total.0);
        for line in lines {
            let exact = i128::from(line.tokens) * i128::from(line.rate_nano_usd_per_mtok);
            prop_assert!((i128::from(line.cost.0) * 1_000_000 - exact).abs() <= 1_000_000, "off by more than one");
        }
    }

    #[test]
    fn no_name_panics(model in any::<String>(), provider in any::<String>(), odd in "[a-z0-9@:./é-]{0,30}") {
        let table = PriceTable::new(vec![sonnet()]);
        table.find(Some(&provider), &model, Timestamp::from_micros(0));
        table.find(None, &odd, Timestamp::from_micros(i64::MAX));
    }

    /// The index finds what a walk over all rows would.
    #[test]
    fn the_longest_beginning_wins(prefixes in prop::collection::btree_set("[ab]{1,5}", 1..12), model in "[ab]{1,7}") {
        let rows = prefixes.iter().map(|prefix| row(prefix, "openai", "prefix", prefix, "2020-01-01", json!({"input": 1})));
        let table = PriceTable::new(rows.collect());
        let expected = prefixes.iter().filter(|prefix| model.starts_with(prefix.as_str())).max_by_key(|prefix| prefix.len());
        let found = table.find(None, &model, at("2025-01-01")).map(|row| &row.price_id);
        prop_assert_eq!(found, expected);
    }
}
