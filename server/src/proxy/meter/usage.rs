//! Providers' counts as Plumbline's.

use domain::step::{InputMeaning, ReportedTokens};
use serde_json::Value;

/// More than any call can use, so that sums over millions of steps fit their column.
const MAX_TOKENS: i64 = 1_000_000_000_000;

/// A count, none where it is absent or cannot be one.
pub(super) fn count(value: &Value) -> Option<i64> {
    value.as_i64().filter(|tokens| (0..=MAX_TOKENS).contains(tokens))
}

/// Takes over what Anthropic's `usage` says, and keeps the rest: later ones of a stream are cumulative and leave out
/// what has not changed.
pub(super) fn merge_anthropic(tokens: &mut ReportedTokens, usage: &Value) {
    let take = |to: &mut Option<i64>, value: &Value| *to = count(value).or(*to);
    take(&mut tokens.input, &usage["input_tokens"]);
    take(&mut tokens.output, &usage["output_tokens"]);
    take(&mut tokens.cache_read, &usage["cache_read_input_tokens"]);
    take(&mut tokens.cache_write, &usage["cache_creation_input_tokens"]);
    take(
        &mut tokens.cache_write_1h,
        &usage["cache_creation"]["ephemeral_1h_input_tokens"],
    );
    take(
        &mut tokens.reasoning,
        &usage["output_tokens_details"]["thinking_tokens"],
    );
    tokens.input_meaning = InputMeaning::ExcludesCache;
}

/// What OpenAI's `usage` says, in the words of Chat Completions or of Responses. Details are parts of the two counts.
pub(super) fn openai(usage: &Value) -> ReportedTokens {
    let first = |a: &str, b: &str| count(&usage[a]).or_else(|| count(&usage[b]));
    let detail = |a: &str, b: &str, name: &str| count(&usage[a][name]).or_else(|| count(&usage[b][name]));
    let input = ("prompt_tokens_details", "input_tokens_details");
    let output = ("completion_tokens_details", "output_tokens_details");
    ReportedTokens {
        input: first("prompt_tokens", "input_tokens"),
        output: first("completion_tokens", "output_tokens"),
        reasoning: detail(output.0, output.1, "reasoning_tokens"),
        total: count(&usage["total_tokens"]),
        cache_read: detail(input.0, input.1, "cached_tokens"),
        cache_write: detail(input.0, input.1, "cache_write_tokens"),
        cache_write_1h: None,
        input_meaning: InputMeaning::IncludesCache,
    }
}
