//! What a provider says was used, by the engine's table of dialects.

use engine::usage::{self, Usage};
use serde_json::Value;

use super::Reading;

/// Takes over what a provider's usage object says. Counts that no call can have say nothing.
pub(super) fn take_usage(reading: &mut Reading, usage: &Value) {
    let Some(used) = usage::from_provider(usage).filter(Usage::is_within_bounds) else {
        return;
    };
    reading.tokens = used.tokens;
    reading.web_searches = used.web_searches.or(reading.web_searches);
    if used.service_tier.is_some() {
        reading.service_tier = used.service_tier;
    }
}
