//! Tokens in four disjoint billable buckets.

mod details;

use serde::{Deserialize, Serialize};

pub use details::{Parts, UsageDetails};

/// Tokens of one step or the known sum of many. A bucket that was not reported is `None`, never 0.
/// The four buckets are disjoint; `reasoning` is a known part of `output` and
/// `cache_write_1h` one of `cache_write`: neither is a bucket of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Tokens))]
pub struct TokenUsage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input_fresh: Option<i64>,
    /// Input tokens read from the provider's prompt cache.
    pub cache_read: Option<i64>,
    /// Input tokens written to the provider's prompt cache.
    pub cache_write: Option<i64>,
    /// The part of `cache_write` that is kept for an hour, where it is known; it costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub cache_write_1h: Option<i64>,
    /// Output tokens, reasoning included.
    pub output: Option<i64>,
    /// The part of `output` spent on reasoning, where it is known.
    pub reasoning: Option<i64>,
}

impl TokenUsage {
    /// All four buckets together; `None` when none is known.
    pub fn total(&self) -> Option<i64> {
        [self.input_fresh, self.cache_read, self.cache_write, self.output]
            .into_iter()
            .flatten()
            .reduce(i64::saturating_add)
    }

    /// The three input buckets together; `None` when none is known.
    pub fn input(&self) -> Option<i64> {
        [self.input_fresh, self.cache_read, self.cache_write]
            .into_iter()
            .flatten()
            .reduce(i64::saturating_add)
    }

    /// The known sum of both: a bucket stays `None` only while both sides are `None`.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input_fresh: known_sum(self.input_fresh, other.input_fresh),
            cache_read: known_sum(self.cache_read, other.cache_read),
            cache_write: known_sum(self.cache_write, other.cache_write),
            cache_write_1h: known_sum(self.cache_write_1h, other.cache_write_1h),
            output: known_sum(self.output, other.output),
            reasoning: known_sum(self.reasoning, other.reasoning),
        }
    }
}

/// The sum of what is known: `None` only when both are.
pub fn known_sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_not_zero() {
        let nothing = TokenUsage::default();
        assert_eq!(nothing.total(), None);
        let some = TokenUsage {
            output: Some(3),
            ..nothing
        };
        assert_eq!(some.plus(&nothing), some);
        assert_eq!(some.plus(&some).output, Some(6));
        assert_eq!(some.plus(&some).input_fresh, None);
        assert_eq!(some.input(), None);
        assert_eq!(some.total(), Some(3));
    }
}
