//! What a call used and said, read from a copy of its bytes after they have been passed on.
//!
//! Nothing here can fail: fields that are missing, new or of another type say nothing, and events that are unknown
//! are passed over.

mod anthropic;
mod chat;
mod completions;
mod embeddings;
mod json;
mod responses;
mod tools;
mod usage;

use domain::step::ReportedTokens;
use domain::{NanoUsd, UsageDetails};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::api::Api;
use super::sse::{Event, Scanner};

/// What an answer says. Everything it doesn't is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The model that answered.
    pub model: Option<String>,
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// What was used, in the provider's counts.
    pub tokens: ReportedTokens,
    /// Parts of it, and what else is billed.
    pub usage_details: UsageDetails,
    /// Searches of the web that are billed by number.
    pub web_searches: Option<i64>,
    /// What it cost, as the provider or a gateway says.
    pub reported_cost: Option<NanoUsd>,
    /// The text; where there is more than text, the JSON of one assistant message.
    pub output: Option<String>,
    /// Why the model stopped.
    pub stop_reason: Option<String>,
    /// The tier at which it was served.
    pub service_tier: Option<String>,
    /// What the provider says went wrong.
    pub error: Option<ProviderError>,
    /// It came as events.
    pub is_stream: bool,
    /// The stream's final event was seen; for a whole answer, that it could be read.
    pub is_complete: bool,
    /// The length of the stream up to the end of the first event that carries something of the answer, in bytes.
    pub first_content_end: Option<usize>,
    /// Details for the step's attributes.
    pub attributes: Map<String, Value>,
}

/// An error in the provider's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// Its kind, for instance `rate_limit_error`.
    pub class: Option<String>,
    pub message: String,
}

/// What a request's body asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedModel {
    pub model: Option<String>,
    /// The tier, where it names one and does not leave it to the provider.
    pub service_tier: Option<String>,
}

/// Reads what a request's body asks for.
pub fn requested_model(body: &[u8]) -> RequestedModel {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        model: Option<&'a RawValue>,
        #[serde(borrow)]
        service_tier: Option<&'a RawValue>,
    }
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else {
        return RequestedModel::default();
    };
    let text = |value: Option<&RawValue>| {
        let text: String = serde_json::from_str(value?.get()).ok()?;
        (!text.is_empty()).then_some(text)
    };
    RequestedModel {
        model: text(body.model),
        service_tier: text(body.service_tier)
            .filter(|tier| !matches!(tier.as_str(), "auto" | "default" | "standard_only")),
    }
}

/// Reads a stream event by event.
trait Meter {
    /// Takes one event; true when it carries something of the answer.
    fn event(&mut self, event: &Event) -> bool;
    /// What the events said together.
    fn finish(self: Box<Self>) -> Reading;
}

pub fn read_whole(api: Api, body: &[u8]) -> Reading {
    let mut reading = match api {
        Api::Messages => anthropic::whole(body),
        Api::Chat => chat::whole(body),
        Api::Responses => responses::whole(body),
        Api::Completions => completions::whole(body),
        Api::Embeddings => embeddings::whole(body),
    };
    if reading.error.is_none() {
        reading.error = json::error_of(body);
    }
    reading
}

/// Whether a body is a stream of events, whatever its header says: its first line is a field or a comment of one.
pub fn looks_like_events(body: &[u8]) -> bool {
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii_start();
    [b"data:".as_slice(), b"event:", b"id:", b"retry:", b": ", b":\n"]
        .iter()
        .any(|begin| body.starts_with(begin))
}

/// What a body at a status of failure says went wrong.
pub fn failure_of(body: &[u8]) -> Option<ProviderError> {
    json::failure_of(body)
}

/// Reads a stream; where its middle was not kept, `parts` are its beginning and its end, with where each begins.
pub fn read_stream(api: Api, parts: &[(usize, &[u8])]) -> Reading {
    let mut meter: Box<dyn Meter> = match api {
        Api::Messages => Box::<anthropic::Stream>::default(),
        Api::Responses => Box::<responses::Stream>::default(),
        Api::Chat | Api::Embeddings => Box::<chat::Stream>::default(),
        Api::Completions => Box::<completions::Stream>::default(),
    };
    let mut first_content_end = None;
    let mut scanner = Scanner::default();
    let mut named_error = None;
    let mut take = |event: Event| {
        // Whoever's stream it is.
        if event.name == "error" && named_error.is_none() {
            named_error = json::error_event(&event.data);
        }
        if meter.event(&event) && first_content_end.is_none() {
            first_content_end = Some(event.end);
        }
    };
    for (index, (start, bytes)) in parts.iter().enumerate() {
        if index > 0 {
            scanner.skip_to(*start);
        }
        scanner.feed(bytes).into_iter().for_each(&mut take);
    }
    scanner.finish().into_iter().for_each(take);
    let reading = meter.finish();
    Reading {
        first_content_end,
        error: reading.error.or(named_error),
        ..reading
    }
}

#[cfg(test)]
#[path = "meter/recorded_tests.rs"]
mod recorded_tests;
#[cfg(test)]
#[path = "meter/tests.rs"]
mod tests;
#[cfg(test)]
#[path = "meter/truth_tests.rs"]
mod truth_tests;
