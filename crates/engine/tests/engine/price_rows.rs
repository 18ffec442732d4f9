//! Which price row is a call's, and which can't be used.

use std::sync::Arc;

use domain::Timestamp;
use engine::pricing::{PriceRow, PriceTable};
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
    let own = |id: &str, provider: &str, how: &str, model: &str| PriceRow {
        project_own: true,
        ..row(id, provider, how, model, "2020-01-01", rates())
    };
    let shipped = |id: &str, provider: &str, how: &str, model: &str| {
        row(id, provider, how, model, "2020-01-01", rates())
    };
    let rows = vec![
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
        shipped("mini", "openai", "exact", "gpt-4o-mini"),
        shipped("chat", "deepseek", "exact", "deepseek-chat"),
        shipped("oss", "openai", "exact", "gpt-oss-120b"),
        own("own-mini", "acme", "exact", "gpt-4o-mini"),
        own("own-house", "acme", "regex", "house-(small|large)"),
        own("own-gpt", "OpenAI", "prefix", "gpt-4.1"),
        own("own-any", "Custom", "exact", "llama-3.3-8b"),
        shipped("groq-8b", "groq", "exact", "llama-3.3-8b"),
    ];
    let (own_rows, shipped_rows) = rows.iter().cloned().partition(|row| row.project_own);
    let over = PriceTable::over(&Arc::new(PriceTable::new(shipped_rows)), own_rows);
    let table = PriceTable::new(rows);
    let check = |provider: Option<&str>, model: &str, day: &str, expected: Option<&str>| {
        let found = table.find(provider, model, at(day));
        assert_eq!(
            found.map(|row| row.price_id.as_str()),
            expected,
            "{provider:?} {model} {day}"
        );
        let found_over = over.find(provider, model, at(day));
        assert_eq!(
            found_over, found,
            "own rows over shipped ones: {provider:?} {model} {day}"
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
    // A machine of one's own has nobody's price, whatever its model is called. What only its maker has, the maker bills.
    for host in ["ollama", "vllm", "localhost:11434", "127.0.0.1"] {
        for model in ["gpt-oss-120b", "deepseek-chat", "kimi-k2", "gpt-4o"] {
            check(Some(host), model, day, None);
        }
    }
    for model in ["gpt-oss-120b", "deepseek-chat", "kimi-k2"] {
        check(Some("gateway.corp"), model, day, None);
    }
    check(Some("openai"), "deepseek-chat", day, None);
    check(Some("openai"), "kimi-k2", day, None);
    check(None, "deepseek-chat", day, Some("chat"));
    check(Some("deepseek"), "deepseek-chat", day, Some("chat"));
    check(Some("gateway.corp"), "gpt-4o", day, Some("gpt-4o"));
    check(
        Some("openai"),
        "anthropic/claude-sonnet-4.5",
        day,
        Some("sonnet-4-5"),
    );
    // A project's own rows win, for the provider that they name.
    check(Some("acme"), "gpt-4o-mini", day, Some("own-mini"));
    check(Some("openai"), "gpt-4o-mini", day, Some("mini"));
    check(Some("azure"), "gpt-4o-mini", day, Some("mini"));
    check(None, "gpt-4o-mini", day, Some("mini"));
    check(Some("openai.chat"), "gpt-4.1-nano", day, Some("own-gpt"));
    check(None, "gpt-4.1-nano", day, Some("own-gpt"));
    check(Some("groq"), "gpt-4.1-nano", day, None);
    check(None, "house-large", day, Some("own-house"));
    check(Some("elsewhere"), "house-large", day, None);
    check(None, "house-huge", day, None);
    // `custom` is everybody's, also before the provider's own list and on a machine of one's own.
    check(Some("groq"), "llama-3.3-8b", day, Some("own-any"));
    check(Some("ollama"), "llama-3.3-8b", day, Some("own-any"));
    check(None, "llama-3.3-8b", day, Some("own-any"));
    check(None, "", day, None);
    assert_eq!(table.len(), 19, "the row that can't be used is left out");
    assert_eq!(
        (over.len(), over.own_len()),
        (19, 4),
        "only its own are not shared"
    );
    assert_eq!(over.by_id("groq-8b"), table.by_id("groq-8b"));
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
    let most = 100_000_000_000_000_i64;
    check("exact", "m", json!({"input": most, "per_request": most}), None);
    check(
        "exact",
        "m",
        json!({"input": 0, "output": most + 1}),
        Some("A rate is above"),
    );
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
