//! A call that went by, as the step it becomes. Runs after the answer was passed on, in the recorder.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::HeaderValue;
use domain::{NewStep, StepStatus};
use engine::StepFacts;
use serde_json::{Map, Value};

use super::api::Api;
use super::capture::Reservation;
use super::decode::unpacked;
use super::exchange::{Answer, Ended, Exchange};
use super::meter::{
    ProviderError, Reading, RequestedModel, failure_of, looks_like_events, read_stream, read_whole,
    requested_model,
};
use crate::auth::credentials::Credentials;
use crate::step_builder::{StepBuilder, cut_word};

/// How much of an answer that is no JSON is taken for its error's text.
const ERROR_TEXT_BYTES: usize = 16 * 1024;

/// Reads a call. What has to be unpacked for that is added to `held`.
pub fn step_of(exchange: &Exchange, held: &mut Reservation) -> NewStep {
    let mut attributes = Map::new();
    let request = exchange
        .request
        .as_ref()
        .and_then(|body| plain(exchange.request_encoding.as_ref(), body, held));
    if request.is_none() {
        attributes.insert(StepFacts::INPUT_NOT_KEPT.to_owned(), true.into());
    }
    let RequestedModel {
        model: requested,
        service_tier: requested_tier,
    } = request.as_deref().map(requested_model).unwrap_or_default();
    let mut reading = match &exchange.answer {
        Some(answer) => read(exchange, answer, held, &mut attributes),
        None => Reading::default(),
    };
    attributes.append(&mut reading.attributes);
    describe_answer(exchange, &reading, &mut attributes);
    let error = error_of(exchange, &mut reading);
    let (ttft, max_gap) = stream_times(exchange, &reading);
    let is_stream = reading.is_stream;
    // A caller who disconnects does not wait for the end; that is no failure of the stream.
    let was_awaited = exchange.ended != Ended::CallerGone;
    let status = match (exchange.ended, &error) {
        (Ended::CallerGone, None) => StepStatus::Aborted,
        (_, Some(_)) => StepStatus::Error,
        (_, None) => StepStatus::Ok,
    };
    let context = exchange.context.clone();
    let model = reading.model.or_else(|| requested.clone());
    let mut step = NewStep {
        run_id: context.run_id.unwrap_or_else(|| exchange.step_id.clone()),
        step_id: exchange.step_id.clone(),
        parent_step_id: context.parent_step_id,
        kind: exchange.api.kind(),
        name: context.name.unwrap_or_else(|| exchange.api.word().to_owned()),
        step_index: None,
        provider: Some(exchange.provider.clone()),
        request_model: requested.filter(|requested| Some(requested) != model.as_ref()),
        model,
        started_at: exchange.started_at,
        ended_at: Some(
            exchange
                .started_at
                .plus_micros(i64::try_from(exchange.latency.as_micros()).unwrap_or(i64::MAX)),
        ),
        latency_ms: Some(milliseconds(exchange.latency)),
        ttft_ms: ttft.map(milliseconds),
        status,
        error_class: error.as_ref().and_then(|error| error.class.clone()),
        error: error.map(|error| error.message),
        stop_reason: reading.stop_reason,
        service_tier: reading.service_tier.or(requested_tier),
        max_gap_ms: max_gap.map(milliseconds),
        stream_incomplete: is_stream && was_awaited && !reading.is_complete,
        tokens: reading.tokens,
        usage_details: reading.usage_details,
        web_searches: reading.web_searches,
        reported_cost: reading.reported_cost,
        environment: context.environment,
        release: context.release,
        session_id: context.session_id,
        user_id: context.user_id,
        tags: Vec::new(),
        tool_name: None,
        attributes,
        prompt_template: None,
        input: request.map(text),
        output: reading.output,
        events: Vec::new(),
    };
    // Before anything is cut: half a key would not be found.
    exchange.credentials.hide_in_step(&mut step);
    StepBuilder::new(step).or_cut()
}

/// A body as text, without a second copy where it is one already.
fn text(body: Cow<'_, [u8]>) -> String {
    match body {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned()),
    }
}

/// A body without its `Content-Encoding`.
fn plain<'a>(
    encoding: Option<&HeaderValue>,
    body: &'a [u8],
    held: &mut Reservation,
) -> Option<Cow<'a, [u8]>> {
    match encoding {
        None => Some(Cow::Borrowed(body)),
        Some(encoding) => unpacked(encoding, body, held).map(Cow::Owned),
    }
}

fn read(
    exchange: &Exchange,
    answer: &Answer,
    held: &mut Reservation,
    attributes: &mut Map<String, Value>,
) -> Reading {
    let api: Api = exchange.api;
    let body = answer
        .body
        .whole()
        .and_then(|body| plain(answer.encoding.as_ref(), body, held));
    let Some(body) = body else {
        attributes.insert(StepFacts::OUTPUT_NOT_KEPT.to_owned(), true.into());
        if answer.is_stream && answer.encoding.is_none() {
            // Its text has a hole, so it is none; model and usage stand at its ends.
            return Reading {
                output: None,
                is_stream: true,
                ..read_stream(api, &answer.body.parts())
            };
        }
        return Reading::default();
    };
    // The body says what it is, whatever its header says.
    let is_events = looks_like_events(&body);
    let is_json = body.trim_ascii_start().starts_with(b"{");
    if is_events || (answer.is_stream && answer.status.is_success() && !is_json) {
        let reading = Reading {
            is_stream: true,
            ..read_stream(api, &[(0, &body)])
        };
        if answer.status.is_success() || reading.error.is_some() {
            return reading;
        }
    }
    let mut reading = read_whole(api, &body);
    if !answer.status.is_success() && reading.error.is_none() {
        reading.error = failure_of(&body);
    }
    if !answer.status.is_success() && reading.error.is_none() {
        // Not the provider's words but those of something in between, often a page.
        reading.error = Some(ProviderError {
            class: None,
            message: beginning_of(&body, &exchange.credentials),
        });
    }
    reading
}

/// The beginning of a text, without the credentials that stand there. They are hidden before it is cut, because half of
/// one would not be found.
fn beginning_of(body: &[u8], credentials: &Credentials) -> String {
    // As long as a credential, and a character that is cut.
    let rest = credentials.longest_bytes() + char::MAX.len_utf8();
    let read = &body[..body.len().min(ERROR_TEXT_BYTES + rest)];
    let mut text = credentials.hide(String::from_utf8_lossy(read).into_owned());
    // What is hidden before it moves the end, where half of one may stand, to the front.
    let is_cut = read.len() < body.len();
    let whole_bytes = text.len().saturating_sub(if is_cut { rest } else { 0 });
    text.truncate(text.floor_char_boundary(whole_bytes.min(ERROR_TEXT_BYTES)));
    text.trim().to_owned()
}

fn describe_answer(exchange: &Exchange, reading: &Reading, attributes: &mut Map<String, Value>) {
    let Some(answer) = &exchange.answer else { return };
    attributes.insert(
        "http.response.status_code".to_owned(),
        answer.status.as_u16().into(),
    );
    attributes.insert("gen_ai.request.stream".to_owned(), answer.is_stream.into());
    let mut insert_word = |name: &str, word: String| {
        let mut word = exchange.credentials.hide(word);
        cut_word(&mut word);
        attributes.insert(name.to_owned(), word.into());
    };
    if let Some(id) = &reading.response_id {
        insert_word("gen_ai.response.id", id.clone());
    }
    if let Some(id) = &answer.request_id {
        let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
        insert_word("provider_request_id", id);
    }
}

/// What went wrong: in the provider's words where it had any, otherwise in ours.
fn error_of(exchange: &Exchange, reading: &mut Reading) -> Option<ProviderError> {
    let status = exchange.answer.as_ref().map(|answer| answer.status);
    let failed = status.filter(|status| !status.is_success());
    if let Some(mut error) = reading.error.take() {
        if error.message.is_empty() {
            error.message = failed.map_or_else(String::new, |status| format!("answered {status}"));
        }
        error.class = error
            .class
            .or_else(|| failed.map(|status| format!("http_{}", status.as_u16())));
        return Some(error);
    }
    let ours = |class: &str, message: &str| {
        Some(ProviderError {
            class: Some(class.to_owned()),
            message: message.to_owned(),
        })
    };
    match exchange.ended {
        Ended::Cut => ours(
            "upstream_disconnected",
            "The provider's connection ended before the answer did",
        ),
        Ended::Malformed => ours("upstream_malformed", "The provider's answer has an invalid head"),
        Ended::Unreachable => ours("upstream_unreachable", "No connection to the provider"),
        Ended::TimedOut => ours("upstream_timeout", "The provider sent nothing for too long"),
        Ended::Stopped => ours("server_stopped", "Plumbline was stopped before the answer ended"),
        Ended::Whole | Ended::CallerGone => failed.and_then(|status| {
            ours(
                &format!("http_{}", status.as_u16()),
                &format!("answered {status}"),
            )
        }),
    }
}

/// When the first content came, and the longest pause; of streams alone.
fn stream_times(exchange: &Exchange, reading: &Reading) -> (Option<Duration>, Option<Duration>) {
    let Some(answer) = exchange.answer.as_ref().filter(|answer| answer.is_stream) else {
        return (None, None);
    };
    let first = answer.marks.first().map(|(_, at)| *at);
    let content = reading
        .first_content_end
        // Positions are those of the unpacked stream.
        .filter(|_| answer.encoding.is_none())
        .and_then(|end| answer.marks.iter().find(|(position, _)| *position >= end))
        .map(|(_, at)| *at);
    (content.or(first), answer.max_gap)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
