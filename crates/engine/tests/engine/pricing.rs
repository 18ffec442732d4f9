//! Which price a call gets, and what it comes to.

use domain::{NanoUsd, Timestamp, TokenUsage};
use engine::pricing::{BilledAs, PriceRow, PriceTable, Receipt, Unpriced, drift, price, try_price};
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
    for ordinary in ["default", "standard", "auto", "scale", "on_demand"] {
        check(tokens(1_000, 10), Some(ordinary), 3_000_000 + 150_000);
    }
}

#[test]
fn a_tier_that_costs_something_else_has_no_ordinary_price() {
    for tier in ["flex", "Fast"] {
        let unlisted = try_price(&sonnet(), &tokens(1_000, 10), Some(tier), None);
        assert_eq!(unlisted, Err(Unpriced::ServiceTier(tier.to_lowercase())));
    }
    // What a project enters is what it pays, at every tier that it does not list.
    let own = PriceRow {
        project_own: true,
        ..sonnet()
    };
    let entered = price(&own, &tokens(1_000, 10), Some("fast"), None).unwrap();
    assert_eq!(entered.total.0, 3_000_000 + 150_000 + 7);
}

#[test]
fn an_own_price_takes_from_the_shipped_one_what_it_does_not_say() {
    let shipped = PriceRow {
        context_window: Some(1_000_000),
        ..row(
            "shipped",
            "openai",
            "exact",
            "gpt-5",
            "2025-09-29",
            json!({"input": 3_000_000_000_i64, "output": 15_000_000_000_i64, "cache_read": 300_000_000,
                "web_search_per_1k": 10_000_000_000_i64,
                "tiers": [{"above_input_tokens": 200_000, "input": 6_000_000_000_i64, "output": 22_500_000_000_i64}],
                "service_tiers": {"batch": {"permille": 500},
                    "flex": {"input": 1_500_000_000_i64, "output": 7_500_000_000_i64, "cache_read": 150_000_000,
                        "tiers": [{"above_input_tokens": 200_000, "input": 3_000_000_000_i64}]}}}),
        )
    };
    // Two thirds for input, a third for output.
    let own = row(
        "own",
        "openai",
        "exact",
        "gpt-5",
        "2026-01-01",
        json!({"input": 2_000_000_000_i64, "output": 5_000_000_000_i64}),
    )
    .completed_by(&shipped);
    let check = |input: i64, tier: Option<&str>, searches: i64, expected: i64| {
        let receipt = price(&own, &tokens(input, 1_000), tier, Some(searches)).unwrap();
        assert_eq!(receipt.total.0, expected, "{input} {tier:?}");
    };
    check(1_000, None, 0, 2_000_000 + 5_000_000);
    check(1_000, None, 1, 2_000_000 + 5_000_000 + 10_000_000);
    check(1_000, Some("batch"), 0, 1_000_000 + 2_500_000);
    check(1_000, Some("flex"), 0, 1_000_000 + 2_500_000);
    check(300_000, None, 0, 1_200_000_000 + 7_500_000);
    check(300_000, Some("flex"), 0, 600_000_000 + 2_500_000);
    assert_eq!((own.context_window, own.problem()), (Some(1_000_000), None));
    let said = row(
        "own",
        "openai",
        "exact",
        "gpt-5",
        "2026-01-01",
        json!({"input": 1, "web_search_per_1k": 5,
        "service_tiers": {"batch": {"permille": 900}}}),
    );
    let said = PriceRow {
        context_window: Some(8),
        ..said
    }
    .completed_by(&shipped);
    assert_eq!(
        (said.rates.web_search_per_1k, said.context_window),
        (Some(5), Some(8))
    );
    assert_eq!(said.rates.service_tiers["batch"].permille, Some(900));
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
    // The most that a step may cost, and a dollar more.
    check(
        &plain,
        tokens(100_000_000_000, 0),
        None,
        Some(100_000_000_000_000),
    );
    check(&plain, tokens(100_001_000_000, 0), None, None);
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
        let rows = prefixes.iter().map(|prefix| PriceRow {
            // What follows a shipped one has to be understood.
            project_own: true,
            ..row(prefix, "openai", "prefix", prefix, "2020-01-01", json!({"input": 1}))
        });
        let table = PriceTable::new(rows.collect());
        let expected = prefixes.iter().filter(|prefix| model.starts_with(prefix.as_str())).max_by_key(|prefix| prefix.len());
        let found = table.find(None, &model, at("2025-01-01")).map(|row| &row.price_id);
        prop_assert_eq!(found, expected);
    }
}
