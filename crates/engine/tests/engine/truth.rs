//! What calls cost by the list that is shipped: inputs that other tools, and this one once, had wrong.

use domain::step::ReportedTokens;
use domain::{Timestamp, UsageDetails};
use engine::pricing::{Billed, PriceFile, PriceTable, Unpriced, try_price_of};
use engine::usage::{self, Usage};
use serde_json::{Value, json};

fn table() -> PriceTable {
    let file: PriceFile = serde_json::from_str(include_str!("../../../../data/prices.json")).unwrap();
    for row in &file.prices {
        assert_eq!(row.problem(), None, "{}", row.price_id);
    }
    PriceTable::new(file.prices)
}

/// In nano-dollars, or why it is unknown; `None` where no row is found.
fn cost(
    table: &PriceTable,
    provider: &str,
    model: &str,
    at: &str,
    used: &Usage,
) -> Option<Result<i64, Unpriced>> {
    let at = Timestamp::parse_rfc3339(at).unwrap();
    let row = table.find(Some(provider).filter(|name| !name.is_empty()), model, at)?;
    let (tokens, _) = usage::normalise(&used.tokens);
    let billed = Billed {
        tokens: &tokens,
        details: &used.details,
        model: Some(model),
        service_tier: used.service_tier.as_deref(),
        web_searches: used.web_searches,
        at: Some(at),
    };
    Some(try_price_of(row, &billed).map(|receipt| receipt.total.0))
}

const NOW: &str = "2026-11-30T12:00:00Z";

#[test]
fn what_others_have_wrong() {
    let table = table();
    let check = |provider: &str, model: &str, at: &str, used: Value, expected: i64| {
        let used_by = usage::from_provider(&used).unwrap();
        assert_eq!(
            cost(&table, provider, model, at, &used_by),
            Some(Ok(expected)),
            "{provider} {model} {at} {used}"
        );
    };
    let audio = json!({"prompt_tokens": 17, "completion_tokens": 592, "total_tokens": 609,
        "completion_tokens_details": {"audio_tokens": 482}});
    check("openai", "gpt-audio", NOW, audio, 31_990_500);
    let sonar =
        |size: &str| json!({"prompt_tokens": 6, "completion_tokens": 144, "search_context_size": size});
    check("perplexity", "sonar", NOW, sonar("low"), 5_150_000);
    check("perplexity", "sonar", NOW, sonar("high"), 12_150_000);
    let plain = |input: i64, output: i64| json!({"input_tokens": input, "output_tokens": output});
    let mut in_us = plain(1_000, 800);
    in_us["inference_geo"] = json!("us");
    check("anthropic", "claude-opus-4-8", NOW, plain(1_000, 800), 25_000_000);
    check("anthropic", "claude-opus-4-8", NOW, in_us.clone(), 27_500_000);
    in_us["speed"] = json!("fast");
    check("anthropic", "claude-opus-4-8", NOW, in_us, 55_000_000);
    let compacted = json!({"input_tokens": 23_000, "output_tokens": 1_000, "iterations": [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000}]});
    check(
        "anthropic",
        "claude-opus-4-8",
        NOW,
        compacted.clone(),
        1_127_500_000,
    );
    // Two requests below the limit are no request above it.
    check(
        "anthropic",
        "claude-sonnet-4-5",
        NOW,
        compacted,
        203 * 3_000_000 + 67_500_000,
    );
    check(
        "openrouter",
        "anthropic/claude-opus-4.8-fast",
        NOW,
        plain(1_000_000, 1_000_000),
        60_000_000_000,
    );
    check(
        "anthropic",
        "claude-sonnet-5[1m]",
        NOW,
        plain(1_000_000, 0),
        2_000_000_000,
    );
    check(
        "anthropic",
        "claude-opus-4-8@20260528",
        NOW,
        plain(1_000, 800),
        25_000_000,
    );
    check(
        "anthropic",
        "claude-opus-4-8-thinking",
        NOW,
        plain(1_000, 800),
        25_000_000,
    );
    let batched = json!({"prompt_tokens": 1_000_000, "completion_tokens": 0});
    check("openai", "gpt-5:batch", NOW, batched, 625_000_000);
    let million = || json!({"prompt_tokens": 2_000_000, "completion_tokens": 1_000_000, "prompt_cache_hit_tokens": 1_000_000});
    check(
        "deepseek",
        "deepseek-chat",
        "2025-12-01T12:00:00Z",
        million(),
        280_000_000 + 28_000_000 + 420_000_000,
    );
    check(
        "deepseek",
        "deepseek-chat",
        "2025-05-01T12:00:00Z",
        million(),
        270_000_000 + 70_000_000 + 1_100_000_000,
    );
    check(
        "deepseek",
        "deepseek-chat",
        "2025-05-01T17:00:00Z",
        million(),
        135_000_000 + 35_000_000 + 550_000_000,
    );
    // The 27th of November 2026 is a Friday.
    check(
        "deepseek",
        "deepseek-v4-pro",
        "2026-11-27T02:00:00Z",
        million(),
        1_320_000_000 + 44_000_000 + 3_960_000_000,
    );
    check(
        "deepseek",
        "deepseek-v4-pro",
        "2026-11-28T02:00:00Z",
        million(),
        660_000_000 + 22_000_000 + 1_980_000_000,
    );
    let long = plain(250_000, 1_000_000);
    check(
        "anthropic",
        "claude-sonnet-4-20250514",
        "2025-09-15T00:00:00Z",
        long,
        1_500_000_000 + 22_500_000_000,
    );
    let searched = json!({"prompt_tokens": 1_000_000, "completion_tokens": 0});
    check(
        "openai",
        "gpt-4o-search-preview",
        NOW,
        searched,
        2_500_000_000 + 25_000_000,
    );
    let image = json!({"promptTokenCount": 1_000_000, "candidatesTokenCount": 0, "totalTokenCount": 1_000_000,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 500_000}, {"modality": "IMAGE", "tokenCount": 500_000}]});
    check(
        "google",
        "gemini-2.5-flash",
        NOW,
        image,
        500_000_000 + 150_000_000,
    );
    let deep = json!({"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "citation_tokens": 20016,
        "num_search_queries": 18, "reasoning_tokens": 73997});
    let expected = 33 * 2_000 + 7_163 * 8_000 + 73_997 * 3_000 + 20_016 * 2_000 + 18 * 5_000_000;
    check("perplexity", "sonar-deep-research", NOW, deep, expected);
}

#[test]
fn what_nobody_can_say_is_unknown() {
    let table = table();
    let found = |provider: &str, model: &str, used: Value| {
        cost(
            &table,
            provider,
            model,
            NOW,
            &usage::from_provider(&used).unwrap(),
        )
    };
    let plain = || json!({"prompt_tokens": 1_000, "completion_tokens": 10});
    for model in [
        "gpt-5-hypermini",
        "claude-opus-4-8-turbo",
        "claude-sonnet-4-5:free",
        "gpt-4o:online",
        "gemini-2.5-pro-x",
    ] {
        assert_eq!(found("", model, plain()), None, "{model}");
    }
    let check = |provider: &str, model: &str, used: Value, expected: Unpriced| {
        assert_eq!(
            found(provider, model, used.clone()),
            Some(Err(expected)),
            "{model} {used}"
        );
    };
    check("perplexity", "sonar", plain(), Unpriced::SearchContext);
    check(
        "anthropic",
        "claude-haiku-4-5-fast",
        plain(),
        Unpriced::ServiceTier("fast".to_owned()),
    );
    let mut somewhere = json!({"input_tokens": 10, "output_tokens": 10, "inference_geo": "mars"});
    check(
        "anthropic",
        "claude-opus-4-8",
        somewhere.clone(),
        Unpriced::Geography("mars".to_owned()),
    );
    somewhere["inference_geo"] = json!("us");
    check(
        "anthropic",
        "claude-3-opus",
        somewhere,
        Unpriced::Geography("us".to_owned()),
    );
    let sound =
        json!({"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"audio_tokens": 50}});
    check("openai", "gpt-4o", sound.clone(), Unpriced::Rate);
    let cached = json!({"prompt_tokens": 100, "completion_tokens": 10,
        "prompt_tokens_details": {"audio_tokens": 50, "cached_tokens": 60}});
    check("google", "gemini-2.5-flash", cached, Unpriced::Parts);
    let drawn = json!({"prompt_tokens": 100, "completion_tokens": 90, "completion_tokens_details": {"image_tokens": 80}});
    check("openai", "gpt-4o", drawn, Unpriced::Rate);
    // Several sizes on both sides of a limit.
    let mixed = json!({"input_tokens": 1, "output_tokens": 1, "iterations": [
        {"type": "compaction", "input_tokens": 300_000, "output_tokens": 10}, {"type": "message", "input_tokens": 10, "output_tokens": 10}]});
    check(
        "anthropic",
        "claude-sonnet-4-5",
        mixed,
        Unpriced::Other("requests of several sizes".to_owned()),
    );
    let negative = UsageDetails {
        unpriced: ["a count below zero".to_owned()].into(),
        ..UsageDetails::default()
    };
    let used = Usage {
        tokens: ReportedTokens {
            input: Some(5),
            output: Some(5),
            cache_read: Some(-4),
            ..ReportedTokens::default()
        },
        details: negative,
        ..Usage::default()
    };
    assert!(matches!(
        cost(&table, "openai", "gpt-5", NOW, &used),
        Some(Err(Unpriced::Other(_)))
    ));
}

/// A price that would be of somebody else, or of parts that nobody told, is unknown.
#[test]
fn what_is_not_told_is_unknown() {
    let table = table();
    let used = |used: Value| usage::from_provider(&used).unwrap();
    let untold = used(json!({"prompt_tokens": 17, "completion_tokens": 592}));
    assert_eq!(
        cost(&table, "openai", "gpt-audio", NOW, &untold),
        Some(Err(Unpriced::Parts))
    );
    // Nothing was answered, so nothing has parts.
    let asked = used(json!({"prompt_tokens": 1_000, "completion_tokens": 0}));
    assert_eq!(
        cost(&table, "openai", "gpt-audio", NOW, &asked),
        Some(Ok(2_500_000))
    );

    // Bedrock's regions have prices of their own, whoever is said to be the provider.
    let million = used(json!({"input_tokens": 1_000_000, "output_tokens": 0}));
    let bedrock = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    for provider in ["", "anthropic", "aws"] {
        assert_eq!(
            cost(&table, provider, bedrock, NOW, &million),
            Some(Ok(3_300_000_000)),
            "{provider}"
        );
    }
    for dropped in ["sonar-pro-search", "llama-3.1-sonar-large-128k-online"] {
        assert_eq!(
            cost(&table, "perplexity", dropped, NOW, &million),
            None,
            "{dropped}"
        );
    }
}
