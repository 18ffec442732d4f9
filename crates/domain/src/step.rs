//! A step: one timed operation in a run.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Condition, NanoUsd, Severity, Timestamp, TokenUsage, UsageDetails};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in the order pages show them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the database, the API and the URL.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word, `None` for any other text.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let words = Self::ALL.iter().map(|value| value.as_str());
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .enum_values(Some(words))
                    .into()
            }
        }
    };
}
pub(crate) use words;

words!(
    /// What a step does.
    StepKind {
        /// A call to a language model.
        Llm = "llm",
        /// A tool or function call.
        Tool = "tool",
        /// An agent that drives other steps.
        Agent = "agent",
        /// A fixed sequence of steps.
        Chain = "chain",
        /// A search for context.
        Retrieval = "retrieval",
        /// A call to an embedding model.
        Embedding = "embedding",
        /// A check on input or output.
        Guardrail = "guardrail",
        /// Anything else.
        Other = "other",
    }
);

impl StepKind {
    /// Whether a step of this kind is expected to cost money, so that a missing price has to be said.
    pub const fn is_billable(self) -> bool {
        matches!(self, Self::Llm | Self::Embedding)
    }

    /// Whether a step of this kind is a call to a model.
    pub const fn is_model_call(self) -> bool {
        matches!(self, Self::Llm | Self::Embedding)
    }
}

words!(
    /// How a step ended.
    StepStatus {
        /// It completed.
        Ok = "ok",
        /// It failed.
        Error = "error",
        /// The caller went away.
        Aborted = "aborted",
        /// It has not ended yet.
        Running = "running",
    }
);

words!(
    /// Where a step's cost comes from.
    CostSource {
        /// A price row and the token buckets.
        Computed = "computed",
        /// The client, because no price row matches.
        Reported = "reported",
        /// Unknown: the cost is `None`.
        Unknown = "unknown",
    }
);

/// A point in time inside a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepEvent {
    /// Point in time inside the step; not checked against its start and end.
    pub at: Timestamp,
    /// What, in the client's words.
    pub name: String,
    /// Details as sent.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object, required))]
    pub attributes: Map<String, Value>,
}

/// Whether a reported input count contains the two cache counts. Providers and instrumentations disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputMeaning {
    /// It does not: Anthropic's way, and that of `/ingest` by default.
    #[default]
    ExcludesCache,
    /// It does: the way of OpenAI and OpenTelemetry.
    IncludesCache,
    /// Not stated; the reported total decides.
    Unknown,
}

/// Token counts as a client reported them, before they are sorted into buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportedTokens {
    /// Input tokens; whether they include the cache is `input_meaning`.
    pub input: Option<i64>,
    /// Output tokens; whether they include the reasoning is decided by the total.
    pub output: Option<i64>,
    /// Reported reasoning tokens, a part of the output or beside it.
    pub reasoning: Option<i64>,
    /// All tokens, as the client counted them.
    pub total: Option<i64>,
    /// Tokens read from the prompt cache.
    pub cache_read: Option<i64>,
    /// Tokens written to the prompt cache.
    pub cache_write: Option<i64>,
    /// The part of `cache_write` that is kept for an hour.
    pub cache_write_1h: Option<i64>,
    /// What `input` contains.
    pub input_meaning: InputMeaning,
}

impl ReportedTokens {
    /// Whether a count is below zero, which no call can have used: it fills no bucket and makes a cost unknown.
    pub fn has_negative(&self) -> bool {
        [
            self.input,
            self.output,
            self.reasoning,
            self.total,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
        ]
        .into_iter()
        .flatten()
        .any(|count| count < 0)
    }
}

/// A step as it was received, decoded and checked. What Plumbline works out (buckets, cost, score) is added by
/// the pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewStep {
    /// The run it belongs to: the client's text, never blank.
    pub run_id: String,
    /// Its identity within the run: the client's text or one we gave it, never blank.
    pub step_id: String,
    /// The step that contains it; `None` for a top-level step.
    pub parent_step_id: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// Its name; may be blank (a condition says so).
    pub name: String,
    /// Position within the run as the client counts.
    pub step_index: Option<i32>,
    /// Provider of the model, for instance `anthropic`.
    pub provider: Option<String>,
    /// The model that was asked for, where it differs from the one that answered.
    pub request_model: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs. Never before `started_at`, also when the reported latency is negative.
    pub ended_at: Option<Timestamp>,
    /// Duration as reported, in milliseconds; may be negative (a condition says so).
    pub latency_ms: Option<f64>,
    /// Time to the first token, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// How it ended.
    pub status: StepStatus,
    /// The error text.
    pub error: Option<String>,
    /// The kind of error in a word that can be counted: the provider's (`rate_limit_error`), or ours
    /// (`upstream_unreachable`).
    pub error_class: Option<String>,
    /// Why the model stopped, in the provider's word.
    pub stop_reason: Option<String>,
    /// The tier at which the provider served and bills it: `standard`, `batch`, `flex`, `priority`.
    pub service_tier: Option<String>,
    /// Longest pause between two chunks of a stream, in milliseconds.
    pub max_gap_ms: Option<f64>,
    /// A stream ended without its final event.
    pub stream_incomplete: bool,
    /// Token counts as reported.
    pub tokens: ReportedTokens,
    /// What the call used beside the counts.
    #[serde(default, skip_serializing_if = "UsageDetails::is_empty")]
    pub usage_details: UsageDetails,
    /// Searches of the web that the provider made and bills by number.
    pub web_searches: Option<i64>,
    /// The client's own idea of the cost.
    pub reported_cost: Option<NanoUsd>,
    /// Environment, for instance `production`.
    pub environment: Option<String>,
    /// Release, usually a commit sha.
    pub release: Option<String>,
    /// Session the run belongs to.
    pub session_id: Option<String>,
    /// End user the run belongs to.
    pub user_id: Option<String>,
    /// Free labels of the run.
    pub tags: Vec<String>,
    /// Name of the tool, for tool steps.
    pub tool_name: Option<String>,
    /// Everything else the client sent along.
    pub attributes: Map<String, Value>,
    /// The prompt template before substitution.
    pub prompt_template: Option<String>,
    /// The prompt: plain text, or the JSON text of `{system, messages}`.
    pub input: Option<String>,
    /// What came back.
    pub output: Option<String>,
    /// Points in time inside the step.
    pub events: Vec<StepEvent>,
}

/// A stored step as lists and timelines show it: everything but its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSummary {
    /// Its identity within the run.
    pub step_id: String,
    /// The step that contains it, which may not have been received.
    pub parent_step_id: Option<String>,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: StepKind,
    /// Position within the run as the client counts.
    pub step_index: Option<i32>,
    /// Provider of the model.
    pub provider: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// The model that was asked for, where it differs.
    pub request_model: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Duration as reported, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Time to the first token, in milliseconds.
    pub ttft_ms: Option<f64>,
    /// How it ended.
    pub status: StepStatus,
    /// The error text.
    pub error: Option<String>,
    /// The kind of error, in a word.
    pub error_class: Option<String>,
    /// Why the model stopped.
    pub stop_reason: Option<String>,
    /// The tier at which the provider served it.
    pub service_tier: Option<String>,
    /// Longest pause between two chunks of its stream, in milliseconds.
    pub max_gap_ms: Option<f64>,
    /// Its stream ended without its final event.
    pub stream_incomplete: bool,
    /// Its tokens in buckets.
    pub tokens: TokenUsage,
    /// How the buckets were worked out, in a word.
    pub usage_semantics: Option<String>,
    /// What it used beside the buckets.
    #[serde(default, skip_serializing_if = "UsageDetails::is_empty")]
    pub usage_details: UsageDetails,
    /// Searches of the web that the provider bills by number.
    pub web_searches: Option<i64>,
    /// The price row behind a computed cost, or the one by which an unknown one can't be computed.
    pub price_version: Option<String>,
    /// Identity of the prompt's template, 64 hexadecimal digits.
    pub template_fingerprint: Option<String>,
    /// Its cost; `None` when unknown or when nothing costs.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Where the cost comes from; `None` for steps that cost nothing by nature.
    pub cost_source: Option<CostSource>,
    /// The client's own idea of the cost.
    pub reported_cost_nano_usd: Option<NanoUsd>,
    /// Label of the key that sent it.
    pub key_label: String,
    /// Environment.
    pub environment: Option<String>,
    /// Release.
    pub release: Option<String>,
    /// Name of the tool, for tool steps.
    pub tool_name: Option<String>,
    /// Sum of its conditions' points; `None` when it has not been scored.
    pub score: Option<i32>,
    /// From how many points a step was critical when this one was scored; `None` where it was not stored.
    pub threshold: Option<i32>,
    /// From the score and the threshold in force when it was scored.
    pub severity: Severity,
    /// The layer after which scoring stopped early.
    pub stopped_at_layer: Option<u8>,
    /// What the rules found.
    pub conditions: Vec<Condition>,
}

/// The texts of a step, read only when it is selected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Payload))]
pub struct StepPayload {
    /// The prompt as sent.
    pub input: Option<String>,
    /// What came back.
    pub output: Option<String>,
    /// The prompt template before substitution.
    pub prompt_template: Option<String>,
    /// Everything else the client sent along.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub attributes: Map<String, Value>,
    /// Points in time inside the step, in order.
    pub events: Vec<StepEvent>,
}
