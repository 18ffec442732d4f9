//! Token counts as reported, sorted into disjoint billable buckets.
//!
//! Reporters disagree about what "input" contains. Readers ([`from_provider`], [`from_attributes`])
//! say what was reported and in which sense; [`normalise`] decides once and for all of them.

mod dialects;
mod iterations;
mod numbers;
mod read;
mod shape;
mod stream;

use domain::step::{InputMeaning, ReportedTokens};
use domain::{NanoUsd, TokenUsage, UsageDetails};

pub use read::{from_attributes, from_provider};
pub use shape::shape;
pub use stream::merge_anthropic;

/// The most tokens, searches or the like of one step, whoever reports them: sums over millions of steps have to fit.
pub const MAX_TOKENS: u64 = 1_000_000_000_000;
/// The highest cost of one step, for the same reason.
pub const MAX_NANO_USD: u64 = 100_000_000_000_000;

/// What a call used, as reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The token counts, and what they mean.
    pub tokens: ReportedTokens,
    /// Parts of them, and what else is billed.
    pub details: UsageDetails,
    /// Searches of the web, which are billed by number.
    pub web_searches: Option<i64>,
    /// The tier at which the call was served.
    pub service_tier: Option<String>,
    /// What it cost, in the reporter's opinion.
    pub reported_cost: Option<NanoUsd>,
}

impl Usage {
    /// Whether all of it can be stored.
    pub fn is_within_bounds(&self) -> bool {
        let tokens = &self.tokens;
        let counts = [
            tokens.input,
            tokens.output,
            tokens.reasoning,
            tokens.total,
            tokens.cache_read,
            tokens.cache_write,
            tokens.cache_write_1h,
            self.web_searches,
            self.details.citations,
        ];
        let parts = [self.details.input, self.details.cache_read, self.details.output];
        counts
            .into_iter()
            .chain(parts.iter().flat_map(|parts| parts.all()))
            .flatten()
            .chain(self.details.tools.values().copied())
            .all(|count| count.unsigned_abs() <= MAX_TOKENS)
            && self
                .reported_cost
                .is_none_or(|cost| cost.0.unsigned_abs() <= MAX_NANO_USD)
    }
}

/// The buckets, and in a word how they were found; no word when nothing was reported. Never a negative bucket: what was
/// reported as negative is unknown.
pub fn normalise(reported: &ReportedTokens) -> (TokenUsage, Option<&'static str>) {
    let counts = [
        reported.input,
        reported.output,
        reported.reasoning,
        reported.cache_read,
        reported.cache_write,
        reported.cache_write_1h,
    ];
    if counts.iter().all(Option::is_none) {
        return (TokenUsage::default(), None);
    }
    let known = |count: Option<i64>| count.filter(|count| *count >= 0);
    let reported = &ReportedTokens {
        input: known(reported.input),
        output: known(reported.output),
        reasoning: known(reported.reasoning),
        total: known(reported.total),
        cache_read: known(reported.cache_read),
        cache_write: known(reported.cache_write),
        cache_write_1h: known(reported.cache_write_1h),
        input_meaning: reported.input_meaning,
    };
    let cache_write = reported.cache_write.or(reported.cache_write_1h);
    let cached = cached(reported);
    let cache_inside = cache_is_inside(reported, cached);
    let input_fresh = if cache_inside {
        reported.input.map(|input| input.saturating_sub(cached))
    } else {
        reported.input
    };
    let reasoning_beside = reasoning_is_beside(reported, cached);
    let output = match (reported.output, reported.reasoning) {
        (Some(output), Some(reasoning)) if reasoning_beside => Some(output.saturating_add(reasoning)),
        (None, Some(reasoning)) => Some(reasoning),
        (output, _) => output,
    };
    let word = match (cache_inside, reasoning_beside) {
        (false, false) => "exclusive",
        (true, false) => "inclusive",
        (false, true) => "exclusive, reasoning beside output",
        (true, true) => "inclusive, reasoning beside output",
    };
    let usage = TokenUsage {
        input_fresh,
        cache_read: reported.cache_read,
        cache_write,
        // It is a part and can't be more than the whole.
        cache_write_1h: match (reported.cache_write_1h, cache_write) {
            (Some(hour), Some(all)) => Some(hour.min(all)),
            (hour, _) => hour,
        },
        output,
        reasoning: reported.reasoning,
    };
    (usage, Some(word))
}

/// Cache tokens of both kinds.
fn cached(reported: &ReportedTokens) -> i64 {
    let write = reported.cache_write.or(reported.cache_write_1h);
    [reported.cache_read, write]
        .into_iter()
        .map(|count| count.unwrap_or(0).max(0))
        .fold(0, i64::saturating_add)
}

/// Whether the input count contains the cache. Where that is not stated: an input that is smaller than the cache does
/// not; the total decides where it matches one reading only; and what is left is taken to contain it, as
/// OpenTelemetry and OpenAI have it.
fn cache_is_inside(reported: &ReportedTokens, cached: i64) -> bool {
    let Some(input) = reported.input.filter(|input| *input >= cached) else {
        return false;
    };
    match reported.input_meaning {
        InputMeaning::ExcludesCache => false,
        InputMeaning::IncludesCache => true,
        InputMeaning::Unknown => {
            let output = reported.output.unwrap_or(0);
            let reasoning = reported.reasoning.unwrap_or(0);
            let adds_up = |input: i64| {
                let sum = input.saturating_add(output);
                reported.total == Some(sum) || reported.total == Some(sum.saturating_add(reasoning))
            };
            adds_up(input) || !adds_up(input.saturating_add(cached))
        }
    }
}

/// The total decides: input + output and no more reasoning than output is inside; input + output + reasoning is
/// beside. Without a total that decides, inside, unless the reasoning is larger than the output it would be part of.
fn reasoning_is_beside(reported: &ReportedTokens, cached: i64) -> bool {
    let (Some(output), Some(reasoning)) = (reported.output, reported.reasoning) else {
        return false;
    };
    if reasoning <= 0 {
        return false;
    }
    let Some(total) = reported.total else {
        return reasoning > output.max(0);
    };
    let without = reported.input.unwrap_or(0).saturating_add(output);
    let matches = |sum: i64| total == sum || total == sum.saturating_add(cached);
    if matches(without) && reasoning <= output {
        false
    } else {
        matches(without.saturating_add(reasoning)) || reasoning > output.max(0)
    }
}

#[cfg(test)]
mod tests;
