//! Attributes of spans and steps. The first that is spoken counts, those behind it fill in what it does not say.

use domain::step::InputMeaning::{ExcludesCache, Unknown};

use super::Modality::{Audio, Image, Video};
use super::names::LANGFUSE;
use super::{Dialect, Key, Of, Place};

pub(in crate::usage) const SPANS: &[Dialect] = &[
    // Langfuse's usage details: every key is a bucket of its own.
    Dialect {
        place: Place::MapIn("langfuse.observation.usage_details"),
        marks: &["input", "output"],
        input: ExcludesCache,
        reasoning_beside: true,
        keys: LANGFUSE,
    },
    Dialect {
        place: Place::MapIn("langfuse.observation.cost_details"),
        marks: &["total"],
        input: Unknown,
        reasoning_beside: false,
        keys: &[("total", Key::Cost)],
    },
    // The Vercel AI SDK's spans.
    Dialect {
        place: Place::Attributes,
        marks: &[
            "ai.usage.inputTokens",
            "ai.usage.outputTokens",
            "ai.usage.promptTokens",
            "ai.usage.completionTokens",
        ],
        input: Unknown,
        reasoning_beside: false,
        keys: &[
            ("ai.usage.inputTokens", Key::Input),
            ("ai.usage.promptTokens", Key::Input),
            ("ai.usage.outputTokens", Key::Output),
            ("ai.usage.completionTokens", Key::Output),
            ("ai.usage.totalTokens", Key::Total),
            ("ai.usage.tokens", Key::Total),
            ("ai.usage.reasoningTokens", Key::Reasoning),
            ("ai.usage.outputTokenDetails.reasoningTokens", Key::Reasoning),
            ("ai.usage.cachedInputTokens", Key::CacheRead),
            ("ai.usage.inputTokenDetails.cacheReadTokens", Key::CacheRead),
            ("ai.usage.inputTokenDetails.cacheWriteTokens", Key::CacheWrite),
        ],
    },
    // Claude Code's events.
    Dialect {
        place: Place::Attributes,
        marks: &["cache_read_tokens", "cache_creation_tokens", "cost_usd"],
        input: ExcludesCache,
        reasoning_beside: false,
        keys: &[
            ("input_tokens", Key::Input),
            ("output_tokens", Key::Output),
            ("cache_read_tokens", Key::CacheRead),
            ("cache_creation_tokens", Key::CacheWrite),
            ("cost_usd", Key::Cost),
        ],
    },
    // OpenInference.
    Dialect {
        place: Place::Attributes,
        marks: &["llm.token_count.prompt", "llm.token_count.completion"],
        input: Unknown,
        reasoning_beside: false,
        keys: &[
            ("llm.token_count.prompt", Key::Input),
            ("llm.token_count.completion", Key::Output),
            ("llm.token_count.total", Key::Total),
            ("llm.token_count.completion_details.reasoning", Key::Reasoning),
            ("llm.token_count.prompt_details.cache_read", Key::CacheRead),
            ("llm.token_count.prompt_details.cache_input", Key::CacheRead),
            ("llm.token_count.prompt_details.cache_write", Key::CacheWrite),
            (
                "llm.token_count.prompt_details.audio",
                Key::Part(Of::Input, Audio),
            ),
            (
                "llm.token_count.completion_details.audio",
                Key::Part(Of::Output, Audio),
            ),
            ("llm.cost.total", Key::Cost),
        ],
    },
    // OpenTelemetry old and new, OpenLLMetry (Traceloop), Sentry. The conventions say that input contains the cache;
    // not every emitter keeps to it, so the total has a word.
    Dialect {
        place: Place::Attributes,
        marks: &[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.prompt_tokens",
            "llm.usage.completion_tokens",
        ],
        input: Unknown,
        reasoning_beside: false,
        keys: &[
            ("gen_ai.usage.input_tokens", Key::Input),
            ("gen_ai.usage.prompt_tokens", Key::Input),
            ("llm.usage.prompt_tokens", Key::Input),
            ("gen_ai.usage.output_tokens", Key::Output),
            ("gen_ai.usage.completion_tokens", Key::Output),
            ("llm.usage.completion_tokens", Key::Output),
            ("gen_ai.usage.total_tokens", Key::Total),
            ("llm.usage.total_tokens", Key::Total),
            ("gen_ai.usage.reasoning.output_tokens", Key::Reasoning),
            ("gen_ai.usage.output_tokens.reasoning", Key::Reasoning),
            ("gen_ai.usage.reasoning_tokens", Key::Reasoning),
            ("gen_ai.usage.details.reasoning_tokens", Key::Reasoning),
            ("gen_ai.usage.cache_read.input_tokens", Key::CacheRead),
            ("gen_ai.usage.cache_read_input_tokens", Key::CacheRead),
            ("gen_ai.usage.input_tokens.cached", Key::CacheRead),
            ("gen_ai.usage.input_cached_tokens", Key::CacheRead),
            ("gen_ai.usage.details.cache_read_tokens", Key::CacheRead),
            ("gen_ai.usage.cache_write.input_tokens", Key::CacheWrite),
            ("gen_ai.usage.cache_creation.input_tokens", Key::CacheWrite),
            ("gen_ai.usage.cache_creation_input_tokens", Key::CacheWrite),
            ("gen_ai.usage.input_tokens.cache_write", Key::CacheWrite),
            ("gen_ai.usage.details.cache_write_tokens", Key::CacheWrite),
            ("gen_ai.usage.audio.input_tokens", Key::Part(Of::Input, Audio)),
            ("gen_ai.usage.image.input_tokens", Key::Part(Of::Input, Image)),
            ("gen_ai.usage.video.input_tokens", Key::Part(Of::Input, Video)),
            (
                "gen_ai.usage.audio.cache_read.input_tokens",
                Key::Part(Of::CacheRead, Audio),
            ),
            (
                "gen_ai.usage.image.cache_read.input_tokens",
                Key::Part(Of::CacheRead, Image),
            ),
            ("gen_ai.usage.audio.output_tokens", Key::Part(Of::Output, Audio)),
            ("gen_ai.usage.image.output_tokens", Key::Part(Of::Output, Image)),
            (
                "gen_ai.usage.details.input_audio_tokens",
                Key::Part(Of::Input, Audio),
            ),
            (
                "gen_ai.usage.details.output_audio_tokens",
                Key::Part(Of::Output, Audio),
            ),
            ("openai.response.service_tier", Key::ServiceTier),
            ("gen_ai.openai.response.service_tier", Key::ServiceTier),
            ("gen_ai.cost.total_tokens", Key::Cost),
            ("gen_ai.usage.cost", Key::Cost),
            ("gen_ai.usage.total_cost", Key::Cost),
            ("operation.cost", Key::Cost),
        ],
    },
];
