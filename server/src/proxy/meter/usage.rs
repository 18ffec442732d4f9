//! What a provider says was used, by the engine's table of dialects.

use engine::usage;
use serde_json::Value;

use super::Reading;

/// Where the object is kept that was not understood.
const RAW: &str = "usage";
/// A provider's usage object is a few hundred bytes; a larger one is something else.
const MAX_RAW_BYTES: usize = 16 * 1024;

/// Takes over what a provider's usage object says. Counts that no call can have say nothing; an object that is not
/// understood is kept as it came, and its shape is counted.
pub(super) fn take_usage(reading: &mut Reading, usage: &Value) {
    let Some(used) = usage::from_provider(usage) else {
        let is_new = reading.tokens == domain::step::ReportedTokens::default();
        if is_new
            && let Some(shape) = usage::shape(usage)
            && usage.to_string().len() <= MAX_RAW_BYTES
        {
            reading.usage_details.unknown_shape = Some(shape);
            reading.attributes.insert(RAW.to_owned(), usage.clone());
        }
        return;
    };
    if !used.is_within_bounds() {
        return;
    }
    if reading.usage_details.unknown_shape.take().is_some() {
        reading.attributes.remove(RAW);
    }
    let tools = std::mem::take(&mut reading.usage_details.tools);
    reading.tokens = used.tokens;
    reading.usage_details = used.details;
    // What was seen in the answer itself counts where the usage does not.
    for (tool, uses) in tools {
        reading.usage_details.tools.entry(tool).or_insert(uses);
    }
    reading.web_searches = used.web_searches.or(reading.web_searches);
    reading.reported_cost = used.reported_cost.or(reading.reported_cost);
    if used.service_tier.is_some() {
        reading.service_tier = used.service_tier;
    }
}
