//! Every known name of a usage count, as data.
//!
//! Sources: the providers' SDKs and references; the OpenTelemetry semantic conventions for generative AI before 1.37,
//! 1.37 to 1.41 and the repository they moved to; OpenInference; OpenLLMetry; the Vercel AI SDK; Langfuse; Sentry.

mod names;
mod objects;
mod spans;

use domain::step::InputMeaning;

pub(super) use objects::OBJECTS;
pub(super) use spans::SPANS;

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
    /// Writes to the cache as a list of `{ttl, inputTokens}`.
    CacheWriteList,
    /// Reasoning that is billed beside the output, and that the total leaves out.
    ReasoningApart,
    WebSearches,
    ServiceTier,
    /// A count that is there at this tier alone.
    CountAtTier(&'static str),
    /// A tier that counts where the other is the ordinary one.
    Speed,
    Cost,
    /// A cost in ten-billionths of a dollar.
    CostTicks,
    /// What a gateway paid to the provider, where the caller's own key was used: its cost is the gateway's fee alone.
    UpstreamCost,
    CallersAccount,
    /// Where it ran.
    Geography,
    /// How much was searched.
    SearchContext,
    Citations,
    /// A use of a tool of the provider, which is billed by number.
    Tool(&'static str),
    /// Something that is billed in a way of its own: any of it makes the cost unknown.
    Unpriced(&'static str),
    /// Parts that are not text.
    Part(Of, Modality),
    /// Parts as a list of `{modality, tokenCount}`.
    PartList(Of),
}

/// What a part is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// The whole input, cached or not.
    Input,
    /// Input beside the input, in words of its own.
    MoreInput,
    CacheRead,
    Output,
}

/// What tokens stand for. Text is what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modality {
    Audio,
    Image,
    Video,
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

/// Parts in a provider's details that are billed as the whole they are in.
pub(super) const ORDINARY_PARTS: &[&str] = &[
    "accepted_prediction_tokens",
    "cache_miss_tokens",
    "no_cache_tokens",
    "rejected_prediction_tokens",
    "text_tokens",
    "thinking_tokens",
    "uncached_tokens",
];

/// What a bucket of Langfuse beside those listed is: of input or output, by its name; `None` for others.
pub(super) fn bucket_beside(name: &str) -> Option<(Of, Option<Modality>)> {
    if names::LANGFUSE.iter().any(|(known, _)| *known == name) {
        return None;
    }
    let of = if name.starts_with("input_") {
        Of::Input
    } else if name.starts_with("output_") {
        Of::Output
    } else {
        return None;
    };
    let modality = [
        ("audio", Modality::Audio),
        ("image", Modality::Image),
        ("video", Modality::Video),
    ]
    .into_iter()
    .find(|(word, _)| name.contains(word))
    .map(|(_, modality)| modality);
    Some((of, modality))
}

/// Whether a list of keys is that in which every key is a bucket of its own.
pub(super) fn are_all_buckets(dialect: &Dialect) -> bool {
    dialect.marks == ["input", "output"]
}
