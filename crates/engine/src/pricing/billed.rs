//! What of a call is billed, and what a receipt of it consists of.

use domain::{NanoUsd, Timestamp, TokenUsage, UsageDetails};
use serde::{Deserialize, Serialize};

use super::PriceRow;

/// What a line of a receipt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BilledAs {
    /// Fresh input.
    Input,
    /// Input read from the prompt cache.
    CacheRead,
    /// Input written to the prompt cache for five minutes, or for an unknown time.
    CacheWrite5m,
    /// Input written to the prompt cache for an hour.
    CacheWrite1h,
    /// Sound in the input.
    InputAudio,
    /// Pictures in the input.
    InputImage,
    /// Moving pictures in the input.
    InputVideo,
    /// Sound read from the prompt cache.
    CacheReadAudio,
    /// Pictures read from the prompt cache.
    CacheReadImage,
    /// Output, reasoning included.
    Output,
    /// Sound in the output.
    OutputAudio,
    /// Pictures in the output.
    OutputImage,
    /// Moving pictures in the output.
    OutputVideo,
    /// Reasoning, where it has a rate of its own.
    OutputReasoning,
    /// Tokens of cited pages.
    Citations,
    /// Searches of files.
    FileSearch,
    /// Sessions of the provider's code interpreter.
    CodeInterpreter,
    /// Uses of another tool of the provider.
    Tool,
    /// Searches of the web.
    WebSearch,
    /// The call itself.
    Request,
}

/// One line: a count, a rate, and what they come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLine {
    /// What for.
    pub bucket: BilledAs,
    /// How many: tokens, searches or calls.
    pub tokens: i64,
    /// Nano-dollars for a million of them.
    pub rate_nano_usd_per_mtok: i64,
    /// The row does not say the rate; it follows from the rate for input.
    pub is_derived: bool,
    /// Quantity times rate, rounded once, in nano-dollars.
    pub cost: NanoUsd,
}

/// A cost with how it came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The price row.
    pub price_id: String,
    /// Its lines; they add up to the total.
    pub lines: Vec<ReceiptLine>,
    /// The service tier whose rates were used; `None` for the ordinary ones.
    pub service_tier: Option<String>,
    /// The limit above which these rates hold, where much input made them others.
    pub above_input_tokens: Option<i64>,
    /// The cost, rounded once to whole nano-dollars.
    pub total: NanoUsd,
}

/// Why a price row does not say what a call costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpriced {
    /// The usage was not reported, or not all of it; or a count is below zero.
    Uncounted,
    /// It was served at a tier that costs something else, and the row does not say what.
    ServiceTier(String),
    /// It searched the web, and the row has no fee for that.
    WebSearch,
    /// It used tokens that the row has no rate for.
    Rate,
    /// It used sound or pictures, and which of them were cached, or how they are billed, was not reported.
    Parts,
    /// It ran where that costs something else, and the row does not say what.
    Geography(String),
    /// It used a tool that is billed by number, and the row has no fee for it.
    Tool(String),
    /// The fee depends on how much was searched, which was not reported or is not listed.
    SearchContext,
    /// It used something that nobody can price from what was reported.
    Other(String),
    /// The sum is beyond what one step may cost.
    TooMuch,
}

/// Service tiers that cost something else than an ordinary call, wherever they exist. Whatever else a provider calls
/// its tier (`standard`, `default`, `auto`, `scale`, `on_demand`) is an ordinary one.
const OTHER_TIERS: &[&str] = &[
    "balanced",
    "batch",
    "decisions",
    "fast",
    "flex",
    "priority",
    "provisioned_throughput",
    "reserved",
    "ultrafast",
];

/// Whether a call at this tier costs something else than an ordinary one, wherever the tier exists.
pub fn costs_otherwise(service_tier: &str) -> bool {
    OTHER_TIERS
        .iter()
        .any(|tier| tier.eq_ignore_ascii_case(service_tier))
}

/// What of a call is billed.
#[derive(Clone, Copy, Debug)]
pub struct Billed<'a> {
    /// Its tokens in buckets.
    pub tokens: &'a TokenUsage,
    /// Parts of them, and what else is billed.
    pub details: &'a UsageDetails,
    /// The model under the name by which the row was found: some names say a tier.
    pub model: Option<&'a str>,
    /// The tier at which it was served.
    pub service_tier: Option<&'a str>,
    /// Searches of the web.
    pub web_searches: Option<i64>,
    /// When it began, where rates depend on the hour.
    pub at: Option<Timestamp>,
}

/// Anthropic's models, at any provider.
pub(super) fn is_anthropic(row: &PriceRow) -> bool {
    row.provider.eq_ignore_ascii_case("anthropic") || row.model.to_ascii_lowercase().contains("claude")
}
