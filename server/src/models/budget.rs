//! The most that a call may cost, before it is made.

use domain::{NanoUsd, ProviderKind, Timestamp, TokenUsage, UsageDetails};
use engine::pricing::PriceTable;

use super::request::{Part, Request};
use crate::prices::{self, Call};

/// Hardly any text has more tokens than half its bytes: letters have a quarter, figures and signs up to a third, other
/// scripts than Latin two or three bytes a character. Rare scripts and rows of signs can have more.
const BYTES_PER_TOKEN: usize = 2;
/// More than providers count for one picture: most have one or two thousand tokens, gpt-4o-mini tens of thousands.
const TOKENS_PER_IMAGE: usize = 50_000;

/// The month that a call is counted in: `2026-11`, UTC.
pub fn month_of(at: Timestamp) -> String {
    at.to_string().chars().take(7).collect()
}

/// Who sells a kind's models, in the words of the price list.
pub(super) fn seller(kind: ProviderKind) -> Option<&'static str> {
    match kind {
        ProviderKind::Anthropic => Some("anthropic"),
        ProviderKind::OpenAi => Some("openai"),
        ProviderKind::Gemini => Some("google"),
        ProviderKind::OpenAiCompatible => None,
    }
}

/// The most that a request can cost. Zero where the model has no price: what is unknown can't be held to a budget, and is
/// counted apart.
pub(super) fn most(
    table: &PriceTable,
    kind: ProviderKind,
    model: &str,
    request: &Request,
    body_bytes: usize,
    now: Timestamp,
) -> NanoUsd {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let images = parts.filter(|part| matches!(part, Part::Image { .. })).count();
    let text_tokens = body_bytes.saturating_sub(request.image_bytes()) / BYTES_PER_TOKEN;
    let input = text_tokens + images * TOKENS_PER_IMAGE;
    let tokens = TokenUsage {
        input_fresh: i64::try_from(input).ok(),
        output: Some(i64::from(request.max_output_tokens)),
        ..TokenUsage::default()
    };
    let cost = prices::cost_of(
        table,
        &Call {
            provider: seller(kind),
            model: Some(model),
            request_model: None,
            started_at: now,
            tokens: &tokens,
            details: &UsageDetails::default(),
            service_tier: None,
            web_searches: None,
            reported: None,
        },
    );
    cost.cost.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_of_utc() {
        assert_eq!(
            month_of(Timestamp::parse_rfc3339("2026-11-30T23:59:59+00:00").unwrap()),
            "2026-11"
        );
        assert_eq!(
            month_of(Timestamp::parse_rfc3339("2026-12-01T00:30:00+02:00").unwrap()),
            "2026-11"
        );
    }
}
