//! Every known name of a usage count, as data.
//!
//! Sources: the providers' SDKs and references; the OpenTelemetry semantic conventions for generative AI before 1.37,
//! 1.37 to 1.41 and the repository they moved to; OpenInference; OpenLLMetry; the Vercel AI SDK; Langfuse; Sentry.

use domain::step::InputMeaning::{self, ExcludesCache, IncludesCache, Unknown};

/// What a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Input,
    /// Input that the provider counts beside the input.
    MoreInput,
    Output,
    Reasoning,
    Total,
    CacheRead,
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    WebSearches,
    ServiceTier,
    /// A tier that counts where the other is the ordinary one.
    Speed,
    Cost,
}

/// Where a dialect is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The `usage` object of a provider's answer. Dots in a key lead into objects.
    Usage,
    /// The attributes of a span or step. Dots are part of the key.
    Attributes,
    /// The map in an attribute, which may be JSON text.
    MapIn(&'static str),
}

/// One way to report usage.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) place: Place,
    /// It is spoken where one of these keys is. The first dialect that is spoken counts, those behind it only fill
    /// in what it does not say (attributes), or nothing (usage objects).
    pub(super) marks: &'static [&'static str],
    /// Whether input contains the cache.
    pub(super) input: InputMeaning,
    /// Whether reasoning is counted beside the output.
    pub(super) reasoning_beside: bool,
    /// Names and what they count; the first that is there wins.
    pub(super) keys: &'static [(&'static str, Key)],
}

pub(super) const DIALECTS: &[Dialect] = &[
    // Gemini.
    Dialect {
        place: Place::Usage,
        marks: &["promptTokenCount", "candidatesTokenCount", "totalTokenCount"],
        input: IncludesCache,
        reasoning_beside: true,
        keys: &[
            ("promptTokenCount", Key::Input),
            ("toolUsePromptTokenCount", Key::MoreInput),
            ("candidatesTokenCount", Key::Output),
            ("responseTokenCount", Key::Output),
            ("thoughtsTokenCount", Key::Reasoning),
            ("cachedContentTokenCount", Key::CacheRead),
            ("totalTokenCount", Key::Total),
        ],
    },
    // OpenAI chat completions, completions and embeddings, and all who speak it: DeepSeek, LiteLLM, OpenRouter, xAI.
    Dialect {
        place: Place::Usage,
        marks: &["prompt_tokens", "completion_tokens"],
        input: IncludesCache,
        reasoning_beside: false,
        keys: &[
            ("prompt_tokens", Key::Input),
            ("completion_tokens", Key::Output),
            ("total_tokens", Key::Total),
            ("completion_tokens_details.reasoning_tokens", Key::Reasoning),
            ("prompt_tokens_details.cached_tokens", Key::CacheRead),
            ("cache_read_input_tokens", Key::CacheRead),
            ("prompt_cache_hit_tokens", Key::CacheRead),
            ("prompt_tokens_details.cache_write_tokens", Key::CacheWrite),
            ("prompt_tokens_details.cache_creation_tokens", Key::CacheWrite),
            ("cache_creation_input_tokens", Key::CacheWrite),
            ("server_tool_use.web_search_requests", Key::WebSearches),
            ("service_tier", Key::ServiceTier),
            ("cost", Key::Cost),
        ],
    },
    // Anthropic messages.
    Dialect {
        place: Place::Usage,
        marks: &[
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_creation",
            "server_tool_use",
        ],
        input: ExcludesCache,
        reasoning_beside: false,
        keys: ANTHROPIC,
    },
    // OpenAI responses, and LangChain's usage_metadata.
    Dialect {
        place: Place::Usage,
        marks: &["input_tokens_details", "input_token_details", "total_tokens"],
        input: IncludesCache,
        reasoning_beside: false,
        keys: &[
            ("input_tokens", Key::Input),
            ("output_tokens", Key::Output),
            ("total_tokens", Key::Total),
            ("output_tokens_details.reasoning_tokens", Key::Reasoning),
            ("output_token_details.reasoning", Key::Reasoning),
            ("input_tokens_details.cached_tokens", Key::CacheRead),
            ("input_token_details.cache_read", Key::CacheRead),
            ("input_tokens_details.cache_write_tokens", Key::CacheWrite),
            ("input_token_details.cache_creation", Key::CacheWrite),
            ("service_tier", Key::ServiceTier),
            ("cost", Key::Cost),
        ],
    },
    // Anthropic messages without a word about the cache.
    Dialect {
        place: Place::Usage,
        marks: &["input_tokens", "output_tokens"],
        input: ExcludesCache,
        reasoning_beside: false,
        keys: ANTHROPIC,
    },
    // Bedrock's Converse.
    Dialect {
        place: Place::Usage,
        marks: &["cacheReadInputTokens", "cacheWriteInputTokens"],
        input: ExcludesCache,
        reasoning_beside: false,
        keys: &[
            ("inputTokens", Key::Input),
            ("outputTokens", Key::Output),
            ("totalTokens", Key::Total),
            ("cacheReadInputTokens", Key::CacheRead),
            ("cacheWriteInputTokens", Key::CacheWrite),
        ],
    },
    // The Vercel AI SDK's usage object: before version 6 what its provider says, whatever that contains.
    Dialect {
        place: Place::Usage,
        marks: &["inputTokens", "outputTokens", "promptTokens", "completionTokens"],
        input: Unknown,
        reasoning_beside: false,
        keys: &[
            ("inputTokens", Key::Input),
            ("promptTokens", Key::Input),
            ("outputTokens", Key::Output),
            ("completionTokens", Key::Output),
            ("totalTokens", Key::Total),
            ("outputTokenDetails.reasoningTokens", Key::Reasoning),
            ("reasoningTokens", Key::Reasoning),
            ("inputTokenDetails.cacheReadTokens", Key::CacheRead),
            ("cachedInputTokens", Key::CacheRead),
            ("inputTokenDetails.cacheWriteTokens", Key::CacheWrite),
        ],
    },
    // Langfuse's usage details: every key is a bucket of its own.
    Dialect {
        place: Place::MapIn("langfuse.observation.usage_details"),
        marks: &["input", "output"],
        input: ExcludesCache,
        reasoning_beside: true,
        keys: LANGFUSE,
    },
    Dialect {
        place: Place::Usage,
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
            ("openai.response.service_tier", Key::ServiceTier),
            ("gen_ai.openai.response.service_tier", Key::ServiceTier),
            ("gen_ai.cost.total_tokens", Key::Cost),
            ("gen_ai.usage.cost", Key::Cost),
            ("gen_ai.usage.total_cost", Key::Cost),
            ("operation.cost", Key::Cost),
        ],
    },
];

const ANTHROPIC: &[(&str, Key)] = &[
    ("input_tokens", Key::Input),
    ("output_tokens", Key::Output),
    ("total_tokens", Key::Total),
    ("output_tokens_details.thinking_tokens", Key::Reasoning),
    ("cache_read_input_tokens", Key::CacheRead),
    ("cache_creation_input_tokens", Key::CacheWrite),
    ("cache_creation.ephemeral_5m_input_tokens", Key::CacheWrite5m),
    ("cache_creation.ephemeral_1h_input_tokens", Key::CacheWrite1h),
    ("server_tool_use.web_search_requests", Key::WebSearches),
    ("service_tier", Key::ServiceTier),
    ("speed", Key::Speed),
];

const LANGFUSE: &[(&str, Key)] = &[
    ("input", Key::Input),
    ("output", Key::Output),
    ("total", Key::Total),
    ("output_reasoning", Key::Reasoning),
    ("output_reasoning_tokens", Key::Reasoning),
    ("reasoning_tokens", Key::Reasoning),
    ("cache_read_input_tokens", Key::CacheRead),
    ("input_cache_read", Key::CacheRead),
    ("input_cached_tokens", Key::CacheRead),
    ("input_cached", Key::CacheRead),
    ("cache_creation_input_tokens", Key::CacheWrite),
    ("input_cache_creation", Key::CacheWrite),
    ("input_cache_write", Key::CacheWrite),
    ("input_cache_creation_5m", Key::CacheWrite5m),
    ("input_cache_creation_1h", Key::CacheWrite1h),
];
