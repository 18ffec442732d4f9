//! Anthropic's `iterations`: what a call really consisted of, where the provider compacted its context or had another
//! model advise. The figures at the top leave that out; the bill is the sum.

use domain::usage::UsageDetails;
use serde_json::{Map, Value};

use super::numbers::count;

/// More iterations than any call has.
const MAX_ITERATIONS: usize = 10_000;
/// The figures of an iteration that are summed.
const COUNTS: [&str; 4] = [
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
];
const WRITES: [&str; 2] = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"];

pub(super) struct Summed {
    /// The usage object with the sums in place of what stands at its top.
    pub(super) usage: Map<String, Value>,
    pub(super) details: UsageDetails,
}

/// The sum over the iterations; `None` where there are none. What no iteration says stays as it stands at the top.
pub(super) fn summed(usage: &Map<String, Value>) -> Option<Summed> {
    let iterations = usage.get("iterations")?.as_array()?;
    if iterations.is_empty() {
        return None;
    }
    let mut details = UsageDetails::default();
    let mut whole = usage.clone();
    for name in COUNTS {
        if let Some(sum) = sum(iterations, |iteration| &iteration[name]) {
            whole.insert(name.to_owned(), sum.into());
        }
    }
    let mut writes = match usage.get("cache_creation") {
        Some(Value::Object(writes)) => writes.clone(),
        _ => Map::new(),
    };
    for name in WRITES {
        if let Some(sum) = sum(iterations, |iteration| &iteration["cache_creation"][name]) {
            writes.insert(name.to_owned(), sum.into());
        }
    }
    if !writes.is_empty() {
        whole.insert("cache_creation".to_owned(), writes.into());
    }
    if iterations.len() > MAX_ITERATIONS {
        details.unpriced.insert("too many iterations".to_owned());
    }
    for iteration in iterations {
        // What another model did costs what that one does.
        if iteration["model"].is_string()
            && iteration["type"] != "message"
            && iteration["type"] != "compaction"
        {
            details.unpriced.insert("tokens of another model".to_owned());
        }
        let input = [COUNTS[0], COUNTS[2], COUNTS[3]]
            .into_iter()
            .filter_map(|name| count(&iteration[name]))
            .fold(0, i64::saturating_add);
        details.smallest_input = Some(details.smallest_input.map_or(input, |known| known.min(input)));
        details.largest_input = Some(details.largest_input.map_or(input, |known| known.max(input)));
    }
    if iterations.len() == 1 {
        (details.smallest_input, details.largest_input) = (None, None);
    }
    Some(Summed {
        usage: whole,
        details,
    })
}

fn sum(iterations: &[Value], of: impl Fn(&Value) -> &Value) -> Option<i64> {
    iterations
        .iter()
        .filter_map(|iteration| count(of(iteration)))
        .reduce(i64::saturating_add)
}
