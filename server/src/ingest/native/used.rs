//! What a call used, in whichever of three ways the body says it.

use domain::UsageDetails;
use domain::step::{InputMeaning, ReportedTokens};
use engine::usage::{self, Usage};
use serde_json::{Map, Value};

use super::RawStep;
use crate::ingest::rejection::Rejection;

/// A provider's usage object is a few hundred bytes.
const MAX_USAGE_BYTES: usize = 64 * 1024;

/// What the call used: by the body's own fields, else by the provider's object in `usage`, else by attributes in a
/// dialect that is known. An object that says nothing understandable is kept among the attributes.
pub(super) fn reported_usage(
    raw: &RawStep<'_>,
    attributes: &mut Map<String, Value>,
) -> Result<Usage, Rejection> {
    let tokens = tokens(raw)?;
    let sent = raw.usage().object(MAX_USAGE_BYTES)?;
    let mut unknown_shape = None;
    let found = if sent.is_empty() {
        (tokens == no_tokens(&tokens))
            .then(|| usage::from_attributes(attributes))
            .flatten()
            .filter(Usage::is_within_bounds)
    } else {
        let sent = Value::Object(sent);
        let found = usage::from_provider(&sent);
        match found {
            Some(found) if !found.is_within_bounds() => {
                let message = "usage must have counts within ±10¹²".to_owned();
                return Err(Rejection::field("usage", message));
            }
            Some(found) => Some(found),
            None => {
                unknown_shape = usage::shape(&sent);
                attributes.entry("usage").or_insert(sent);
                None
            }
        }
    };
    let mut found = found.unwrap_or_default();
    if let Some(details) = details(raw)? {
        found.details = details;
    }
    found.details.unknown_shape = found.details.unknown_shape.or(unknown_shape);
    if tokens != no_tokens(&tokens) || found.tokens == ReportedTokens::default() {
        found.tokens = tokens;
    }
    Ok(found)
}

/// What the body says of its own beside the counts, as an export has it.
fn details(raw: &RawStep<'_>) -> Result<Option<UsageDetails>, Rejection> {
    let sent = raw.usage_details().object(MAX_USAGE_BYTES)?;
    if sent.is_empty() {
        return Ok(None);
    }
    let invalid = |message: &str| Rejection::field("usage_details", message.to_owned());
    let details: UsageDetails = serde_json::from_value(Value::Object(sent))
        .map_err(|_other_shape| invalid("usage_details must have the fields that a step answers with"))?;
    let usage = Usage {
        details,
        ..Usage::default()
    };
    if usage.is_within_bounds() {
        Ok(Some(usage.details))
    } else {
        Err(invalid("usage_details must have counts within ±10¹²"))
    }
}

/// The same without a single count.
fn no_tokens(tokens: &ReportedTokens) -> ReportedTokens {
    ReportedTokens {
        input_meaning: tokens.input_meaning,
        ..ReportedTokens::default()
    }
}

fn tokens(raw: &RawStep<'_>) -> Result<ReportedTokens, Rejection> {
    let semantics = raw.usage_semantics().word()?;
    let input_meaning = match semantics.as_deref() {
        None | Some("exclusive") => InputMeaning::ExcludesCache,
        Some("inclusive") => InputMeaning::IncludesCache,
        Some(_) => {
            let message = "usage_semantics must be inclusive or exclusive".to_owned();
            return Err(Rejection::field("usage_semantics", message));
        }
    };
    Ok(ReportedTokens {
        input: raw.input_tokens().integer()?,
        output: raw.output_tokens().integer()?,
        reasoning: raw.reasoning_tokens().integer()?,
        total: raw.total_tokens().integer()?,
        cache_read: raw.cache_read_tokens().integer()?,
        cache_write: raw.cache_write_tokens().integer()?,
        cache_write_1h: raw.cache_write_1h_tokens().integer()?,
        input_meaning,
    })
}
