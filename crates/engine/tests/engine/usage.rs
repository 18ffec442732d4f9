//! The same call as everybody reports it: fresh input 1,200, read from the cache 8,000, written to it 500, output 350
//! of which 120 are reasoning. Whoever reports it, the buckets and the cost are the same to the nano-dollar.

use domain::step::{InputMeaning, ReportedTokens};
use domain::{NanoUsd, Timestamp, TokenUsage};
use engine::pricing::{ModelMatch, PriceRow, PriceTable, Rates, TokenRates, price};
use engine::usage::{self, Usage};
use serde_json::{Value, json};

/// Rates at which every bucket costs something else, so that no two mistakes cancel out.
fn table() -> PriceTable {
    PriceTable::new(vec![PriceRow {
        price_id: "row".to_owned(),
        project_own: false,
        provider: "anthropic".to_owned(),
        model_match: ModelMatch::Prefix,
        model: "claude-sonnet-4-5".to_owned(),
        valid_from: Timestamp::from_micros(0),
        rates: Rates {
            tokens: TokenRates {
                input: Some(3_000_000_000),
                output: Some(15_000_000_000),
                cache_read: Some(300_000_000),
                cache_write_5m: Some(3_750_000_000),
                cache_write_1h: Some(6_000_000_000),
                ..TokenRates::default()
            },
            ..Rates::default()
        },
        context_window: None,
        source: String::new(),
    }])
}

fn cost(tokens: &TokenUsage) -> NanoUsd {
    let table = table();
    let row = table
        .find(
            Some("anthropic"),
            "claude-sonnet-4-5-20250929",
            Timestamp::from_micros(1),
        )
        .unwrap();
    price(row, tokens, None, None).unwrap().total
}

/// 1,200 × $3 + 8,000 × $0.30 + 500 × $3.75 + 350 × $15, by the million.
const COST: NanoUsd = NanoUsd(3_600_000 + 2_400_000 + 1_875_000 + 5_250_000);
/// With 200 of the 500 written for an hour at $6.
const COST_1H: NanoUsd = NanoUsd(COST.0 + 200 * (6_000 - 3_750));

/// What a report says beside the four buckets.
struct Knows {
    hour: Option<i64>,
    reasoning: Option<i64>,
}

const ALL_BUT_HOUR: Knows = Knows {
    hour: None,
    reasoning: Some(120),
};
const BUCKETS_ONLY: Knows = Knows {
    hour: None,
    reasoning: None,
};

fn check(who: &str, reported: &ReportedTokens, knows: &Knows) {
    let (tokens, _) = usage::normalise(reported);
    let expected = TokenUsage {
        input_fresh: Some(1_200),
        cache_read: Some(8_000),
        cache_write: Some(500),
        cache_write_1h: knows.hour,
        output: Some(350),
        reasoning: knows.reasoning,
    };
    assert_eq!(tokens, expected, "{who}");
    let expected = if knows.hour.is_some() { COST_1H } else { COST };
    assert_eq!(cost(&tokens), expected, "{who}");
}

#[test]
fn every_emitter_gives_the_same_buckets_and_the_same_cost() {
    let provider = |who: &str, usage: Value, knows: &Knows| {
        check(who, &usage::from_provider(&usage).unwrap().tokens, knows);
    };
    provider(
        "Anthropic",
        json!({"input_tokens": 1200, "cache_read_input_tokens": 8000, "cache_creation_input_tokens": 500,
            "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 350, "output_tokens_details": {"thinking_tokens": 120},
            "service_tier": "standard", "server_tool_use": null,
            "iterations": [{"input_tokens": 600, "output_tokens": 200}, {"input_tokens": 600, "output_tokens": 150}]}),
        &Knows {
            hour: Some(200),
            reasoning: Some(120),
        },
    );
    provider(
        "Anthropic, only the parts of what was written",
        json!({"input_tokens": 1200, "cache_read_input_tokens": 8000, "output_tokens": 350,
            "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200}}),
        &Knows {
            hour: Some(200),
            reasoning: None,
        },
    );
    provider(
        "Anthropic's stream",
        usage::merge_anthropic(
            &json!({"input_tokens": 1200, "cache_read_input_tokens": 8000, "cache_creation_input_tokens": 500,
                "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 3}),
            &json!({"output_tokens": 350, "input_tokens": null, "cache_read_input_tokens": 0}),
        ),
        &Knows {
            hour: Some(200),
            reasoning: None,
        },
    );
    provider(
        "OpenAI chat",
        json!({"prompt_tokens": 9700, "completion_tokens": 350, "total_tokens": 10050,
            "prompt_tokens_details": {"cached_tokens": 8000, "cache_write_tokens": 500, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 120, "rejected_prediction_tokens": 0}}),
        &ALL_BUT_HOUR,
    );
    provider(
        "LiteLLM",
        json!({"prompt_tokens": 9700, "completion_tokens": 350, "total_tokens": 10050,
            "prompt_tokens_details": {"cached_tokens": 8000}, "cache_read_input_tokens": 8000,
            "cache_creation_input_tokens": 500}),
        &BUCKETS_ONLY,
    );
    provider(
        "OpenAI responses",
        json!({"input_tokens": 9700, "input_tokens_details": {"cached_tokens": 8000, "cache_write_tokens": 500},
            "output_tokens": 350, "output_tokens_details": {"reasoning_tokens": 120}, "total_tokens": 10050}),
        &ALL_BUT_HOUR,
    );
    provider(
        "LangChain",
        json!({"input_tokens": 9700, "output_tokens": 350, "total_tokens": 10050,
            "input_token_details": {"cache_read": 8000, "cache_creation": 500},
            "output_token_details": {"reasoning": 120}}),
        &ALL_BUT_HOUR,
    );
    provider(
        "Bedrock",
        json!({"inputTokens": 1200, "outputTokens": 350, "totalTokens": 10050, "cacheReadInputTokens": 8000,
            "cacheWriteInputTokens": 500}),
        &BUCKETS_ONLY,
    );
    provider(
        "Vercel AI SDK's object",
        json!({"inputTokens": 9700, "inputTokenDetails": {"noCacheTokens": 1200, "cacheReadTokens": 8000,
            "cacheWriteTokens": 500}, "outputTokens": 350, "outputTokenDetails": {"reasoningTokens": 120},
            "totalTokens": 10050}),
        &ALL_BUT_HOUR,
    );

    let attributes = |who: &str, attributes: Value, knows: &Knows| {
        let found = usage::from_attributes(attributes.as_object().unwrap()).unwrap();
        check(who, &found.tokens, knows);
    };
    attributes(
        "OpenTelemetry, new names",
        json!({"gen_ai.usage.input_tokens": 9700, "gen_ai.usage.output_tokens": 350,
            "gen_ai.usage.cache_read.input_tokens": 8000, "gen_ai.usage.cache_write.input_tokens": 500,
            "gen_ai.usage.reasoning.output_tokens": 120}),
        &ALL_BUT_HOUR,
    );
    attributes(
        "OpenTelemetry, 1.37 to 1.41",
        json!({"gen_ai.usage.input_tokens": 9700, "gen_ai.usage.output_tokens": 350,
            "gen_ai.usage.cache_read.input_tokens": 8000, "gen_ai.usage.cache_creation.input_tokens": 500}),
        &BUCKETS_ONLY,
    );
    attributes(
        "OpenTelemetry, old names",
        json!({"gen_ai.usage.prompt_tokens": "9700", "gen_ai.usage.completion_tokens": "350",
            "gen_ai.usage.cache_read_input_tokens": 8000, "gen_ai.usage.cache_creation_input_tokens": 500}),
        &BUCKETS_ONLY,
    );
    attributes(
        "OpenTelemetry by an emitter that leaves the cache out",
        json!({"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 350,
            "gen_ai.usage.total_tokens": 10050, "gen_ai.usage.cache_read.input_tokens": 8000,
            "gen_ai.usage.cache_creation.input_tokens": 500}),
        &BUCKETS_ONLY,
    );
    attributes(
        "Sentry",
        json!({"gen_ai.usage.input_tokens": 9700, "gen_ai.usage.input_tokens.cached": 8000,
            "gen_ai.usage.input_tokens.cache_write": 500, "gen_ai.usage.output_tokens": 350,
            "gen_ai.usage.output_tokens.reasoning": 120, "gen_ai.usage.total_tokens": 10050}),
        &ALL_BUT_HOUR,
    );
    attributes(
        "OpenInference, inclusive",
        json!({"llm.token_count.prompt": 9700, "llm.token_count.completion": 350, "llm.token_count.total": 10050,
            "llm.token_count.prompt_details.cache_read": 8000, "llm.token_count.prompt_details.cache_write": 500,
            "llm.token_count.completion_details.reasoning": 120}),
        &ALL_BUT_HOUR,
    );
    attributes(
        "OpenInference, exclusive",
        json!({"llm.token_count.prompt": 1200, "llm.token_count.completion": 350, "llm.token_count.total": 10050,
            "llm.token_count.prompt_details.cache_read": 8000, "llm.token_count.prompt_details.cache_write": 500}),
        &BUCKETS_ONLY,
    );
    attributes(
        "Traceloop",
        json!({"gen_ai.usage.prompt_tokens": 9700, "gen_ai.usage.completion_tokens": 350,
            "llm.usage.total_tokens": 10050, "gen_ai.usage.cache_read_input_tokens": 8000,
            "gen_ai.usage.cache_creation_input_tokens": 500, "gen_ai.usage.reasoning_tokens": 120}),
        &ALL_BUT_HOUR,
    );
    attributes(
        "Vercel AI SDK's spans, which speak OpenTelemetry beside",
        json!({"ai.usage.inputTokens": 9700, "ai.usage.outputTokens": 350, "ai.usage.totalTokens": 10050,
            "ai.usage.cachedInputTokens": 8000, "ai.usage.inputTokenDetails.cacheWriteTokens": 500,
            "ai.usage.reasoningTokens": 120, "gen_ai.usage.input_tokens": 9700, "gen_ai.usage.output_tokens": 350}),
        &ALL_BUT_HOUR,
    );
    let langfuse = json!({"input": 1200, "cache_read_input_tokens": 8000, "cache_creation_input_tokens": 500,
        "output": 230, "output_reasoning_tokens": 120, "total": 10050});
    attributes(
        "Langfuse, as text",
        json!({"langfuse.observation.usage_details": langfuse.to_string(), "gen_ai.usage.input_tokens": 9700}),
        &ALL_BUT_HOUR,
    );
    attributes(
        "Langfuse, as an object without a total",
        json!({"langfuse.observation.usage_details": {"input": 1200, "input_cached_tokens": 8000,
            "input_cache_creation": 500, "output": 230, "output_reasoning": 120}}),
        &ALL_BUT_HOUR,
    );

    // The native body's own fields, in both meanings.
    let native = |meaning: InputMeaning, input: i64| {
        let reported = ReportedTokens {
            input: Some(input),
            output: Some(350),
            reasoning: Some(120),
            total: None,
            cache_read: Some(8_000),
            cache_write: Some(500),
            cache_write_1h: Some(200),
            input_meaning: meaning,
        };
        check(
            "native",
            &reported,
            &Knows {
                hour: Some(200),
                reasoning: Some(120),
            },
        );
    };
    native(InputMeaning::ExcludesCache, 1_200);
    native(InputMeaning::IncludesCache, 9_700);
    native(InputMeaning::Unknown, 9_700);
}

#[test]
fn a_call_without_cache_writes_as_gemini_and_deepseek_report_it() {
    let check = |who: &str, usage: Value| {
        let (tokens, _) = usage::normalise(&usage::from_provider(&usage).unwrap().tokens);
        assert_eq!(tokens.input_fresh, Some(1_200), "{who}");
        assert_eq!(tokens.cache_read, Some(8_000), "{who}");
        assert_eq!((tokens.output, tokens.reasoning), (Some(350), Some(120)), "{who}");
        assert_eq!(cost(&tokens), NanoUsd(COST.0 - 1_875_000), "{who}");
    };
    check(
        "Gemini",
        json!({"promptTokenCount": 9000, "toolUsePromptTokenCount": 200, "cachedContentTokenCount": 8000,
            "candidatesTokenCount": 230, "thoughtsTokenCount": 120, "totalTokenCount": 9550}),
    );
    check(
        "DeepSeek",
        json!({"prompt_tokens": 9200, "completion_tokens": 350, "total_tokens": 9550,
            "prompt_cache_hit_tokens": 8000, "prompt_cache_miss_tokens": 1200,
            "completion_tokens_details": {"reasoning_tokens": 120}}),
    );
    // Reasoning beside the output, which only the total tells.
    check(
        "xAI",
        json!({"prompt_tokens": 9200, "completion_tokens": 230, "total_tokens": 9550,
            "prompt_tokens_details": {"cached_tokens": 8000}, "completion_tokens_details": {"reasoning_tokens": 120}}),
    );
}

#[test]
fn what_else_a_provider_says() {
    let check = |usage: Value, searches: Option<i64>, tier: Option<&str>, cost: Option<i64>| {
        let found = usage::from_provider(&usage).unwrap();
        assert_eq!(found.web_searches, searches, "{usage}");
        assert_eq!(found.service_tier.as_deref(), tier, "{usage}");
        assert_eq!(found.reported_cost, cost.map(NanoUsd), "{usage}");
    };
    check(
        json!({"input_tokens": 1, "output_tokens": 2, "service_tier": "batch",
            "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1}}),
        Some(3),
        Some("batch"),
        None,
    );
    check(
        json!({"input_tokens": 1, "output_tokens": 2, "service_tier": "standard", "speed": "fast"}),
        None,
        Some("fast"),
        None,
    );
    check(
        json!({"input_tokens": 1, "output_tokens": 2, "service_tier": "standard", "speed": "standard"}),
        None,
        Some("standard"),
        None,
    );
    check(
        json!({"prompt_tokens": 8, "total_tokens": 8, "cost": 0.00042}),
        None,
        None,
        Some(420_000),
    );
}

#[test]
fn nothing_is_made_up() {
    let check = |usage: Value, expected: Option<ReportedTokens>| {
        assert_eq!(
            usage::from_provider(&usage).map(|found| found.tokens),
            expected,
            "{usage}"
        );
    };
    check(json!(null), None);
    check(json!({}), None);
    check(json!({"seconds": 3}), None);
    check(json!({"input_tokens": null, "output_tokens": "many"}), None);
    let inclusive = InputMeaning::IncludesCache;
    check(
        json!({"prompt_tokens": 8, "total_tokens": 8}),
        Some(ReportedTokens {
            input: Some(8),
            total: Some(8),
            input_meaning: inclusive,
            ..ReportedTokens::default()
        }),
    );
    check(
        json!({"input_tokens": 5.0, "output_tokens": 0}),
        Some(ReportedTokens {
            input: Some(5),
            output: Some(0),
            ..ReportedTokens::default()
        }),
    );
    assert_eq!(
        usage::from_attributes(json!({"gen_ai.system": "openai"}).as_object().unwrap()),
        None
    );
    assert_eq!(
        usage::from_attributes(
            json!({"langfuse.observation.usage_details": "not json"})
                .as_object()
                .unwrap()
        ),
        None::<Usage>
    );
}

#[test]
fn a_stream_s_figures_are_merged_and_never_summed() {
    let check = |start: Value, delta: Value, expected: Value| {
        assert_eq!(usage::merge_anthropic(&start, &delta), expected);
    };
    check(
        json!({"input_tokens": 9, "output_tokens": 1}),
        json!({"output_tokens": 7}),
        json!({"input_tokens": 9, "output_tokens": 7}),
    );
    check(
        json!({"cache_read_input_tokens": 8}),
        json!({"cache_read_input_tokens": null}),
        json!({"cache_read_input_tokens": 8}),
    );
    check(
        json!({"input_tokens": 9}),
        json!({"input_tokens": 12}),
        json!({"input_tokens": 12}),
    );
    check(
        json!({"cache_creation": {"ephemeral_1h_input_tokens": 5}}),
        json!({"cache_creation": {"ephemeral_5m_input_tokens": 2}, "service_tier": "standard"}),
        json!({"cache_creation": {"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 2}, "service_tier": "standard"}),
    );
    check(
        json!(null),
        json!({"output_tokens": 7}),
        json!({"output_tokens": 7}),
    );
    check(
        json!({"output_tokens": 7}),
        json!(null),
        json!({"output_tokens": 7}),
    );
}
