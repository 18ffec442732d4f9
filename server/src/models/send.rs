//! One question to a provider: sent, read while it comes, and sent again at most twice where the provider is busy.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use domain::{ModelChoice, ProjectId, ProviderKind};
use serde_json::Value;
use storage::models::Route;
use tokio::time::{Instant, sleep};

use super::error::ModelError;
use super::held::Held;
use super::wire::{Heard, Outgoing, ProviderError, Reader, error_in};
use super::{Models, OnText};
use crate::outbound::{CallError, StreamLimits, TargetUrl};

/// How often a busy provider is asked again.
const RETRIES: u32 = 2;
/// How long to wait where the provider does not say; twice as long the second time.
const PAUSE: Duration = Duration::from_millis(500);
/// A provider that wants us to wait longer than this is not asked again.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How much of an error's body is read, and how much of it is shown.
const MAX_ERROR_BYTES: usize = 64 * 1024;
const MAX_ERROR_CHARS: usize = 300;
const CLIENT: &str = concat!("plumbline/", env!("CARGO_PKG_VERSION"));

/// Where a question goes, and with which key.
pub(super) struct Destination {
    kind: ProviderKind,
    target: TargetUrl,
    key: Option<String>,
}

impl Destination {
    pub(super) fn of(
        models: &Models,
        project: ProjectId,
        choice: &ModelChoice,
        route: &Route,
        path: &str,
    ) -> Result<Self, ModelError> {
        let url = route.base_url.as_deref().or(route.kind.default_url());
        let target = models.outbound.target(url.unwrap_or_default())?.below(path)?;
        let field = super::settings::key_field(&choice.provider);
        let key = route
            .sealed_key
            .as_deref()
            .map(|sealed| models.secrets.open(project, &field, sealed))
            .transpose()?;
        Ok(Self {
            kind: route.kind,
            target,
            key,
        })
    }

    fn request(&self, outgoing: &Outgoing, body: &str) -> Request<Bytes> {
        let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(CLIENT));
        for &(name, value) in &outgoing.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let (name, prefix) = outgoing.key_header;
        if let Some(key) = &self.key
            && let Ok(mut value) = HeaderValue::from_str(&format!("{prefix}{key}"))
        {
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        request
    }

    /// A provider's words as they may be shown: short, in one line, without the key should they repeat it.
    fn shown(&self, words: &str) -> String {
        let words = match &self.key {
            Some(key) if !key.is_empty() => words.replace(key.as_str(), "•••"),
            _ => words.to_owned(),
        };
        domain::text::first_line(
            &words.split_whitespace().collect::<Vec<_>>().join(" "),
            MAX_ERROR_CHARS,
        )
    }
}

/// What came of a question.
pub(super) struct Asked {
    /// What was heard, also of an answer that broke off.
    pub(super) heard: Heard,
    pub(super) result: Result<(), ModelError>,
    /// The provider's word for its error.
    pub(super) error_class: Option<String>,
    /// How often it was sent.
    pub(super) attempts: u32,
    pub(super) latency: Duration,
    /// From the last sending to the first text or call.
    pub(super) first_token: Option<Duration>,
}

/// An attempt that did not end well.
struct Failed {
    error: ModelError,
    class: Option<String>,
    /// After which time it makes sense to try again; `None` where it does not.
    again: Option<Option<Duration>>,
}

/// Asks, and asks again where the provider is busy and nothing of an answer has come. `held` knows at each moment whether the
/// provider may be at it.
pub(super) async fn ask(
    models: &Models,
    destination: &Destination,
    (outgoing, body): (&Outgoing, &str),
    held: &Held,
    on_text: OnText<'_>,
) -> Asked {
    let begun = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let started = Instant::now();
        let mut heard = Heard::default();
        let mut first_token = None;
        held.may_be_sent();
        let tried = attempt(
            models,
            destination,
            destination.request(outgoing, body),
            (begun, started),
            (&mut heard, &mut first_token),
            on_text,
        )
        .await;
        let (result, error_class) = match tried {
            Ok(()) => (Ok(()), None),
            Err(failed) => {
                let pause = failed
                    .again
                    .map(|asked| asked.unwrap_or(PAUSE * 2u32.pow(attempts - 1)));
                let left = models.limits.total.saturating_sub(begun.elapsed());
                let longest = MAX_PAUSE.min(left);
                if let Some(pause) = pause.filter(|pause| *pause <= longest && attempts <= RETRIES) {
                    held.is_refused();
                    sleep(pause).await;
                    continue;
                }
                (Err(failed.error), failed.class)
            }
        };
        return Asked {
            heard,
            result,
            error_class,
            attempts,
            latency: started.elapsed(),
            first_token,
        };
    }
}

async fn attempt(
    models: &Models,
    destination: &Destination,
    request: Request<Bytes>,
    (begun, started): (Instant, Instant),
    (heard, first_token): (&mut Heard, &mut Option<Duration>),
    on_text: OnText<'_>,
) -> Result<(), Failed> {
    // Asked again, it takes no longer in all.
    let limits = StreamLimits {
        total: models.limits.total.saturating_sub(started - begun),
        ..models.limits
    };
    let opened = models.outbound.open(&destination.target, request, limits).await;
    let mut answer = opened.map_err(|cause| not_reached(&cause))?;
    if !answer.status.is_success() {
        let body = answer.beginning(MAX_ERROR_BYTES).await;
        return Err(refused(destination, answer.status, &answer.headers, &body));
    }
    let is_stream = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("text/event-stream"));
    let mut reader = Reader::new(destination.kind);
    let mut document = Vec::new();
    let ended = loop {
        match answer.next().await {
            Ok(Some(bytes)) if is_stream => reader.feed(&bytes, on_text),
            Ok(Some(bytes)) => document.extend_from_slice(&bytes),
            Ok(None) => break Ok(()),
            Err(cause) => break Err(cause),
        }
        if first_token.is_none() && reader.heard().has_begun() {
            *first_token = Some(started.elapsed());
        }
    };
    if !is_stream {
        reader.whole(&document, on_text);
    }
    let (read, unreadable) = reader.finish(on_text);
    *heard = read;
    ended.map_err(|cause| not_reached(&cause))?;
    if let Some(ProviderError { class, message }) = heard.error.clone() {
        let is_busy = class.as_deref().is_some_and(|class| {
            [
                "overloaded_error",
                "rate_limit_error",
                "api_error",
                "UNAVAILABLE",
                "INTERNAL",
            ]
            .contains(&class)
        });
        let words = format!("The provider broke off: {}", destination.shown(&message));
        return Err(Failed {
            error: ModelError::Unavailable(words),
            class: class.map(|class| destination.shown(&class)),
            // What was heard already may have been shown.
            again: (is_busy && !heard.has_begun()).then_some(None),
        });
    }
    if heard.is_complete && (heard.stop.is_some() || heard.has_begun()) {
        return Ok(());
    }
    let host = destination.target.host();
    let error = if unreadable > 0 || !heard.has_begun() {
        ModelError::Malformed(format!(
            "{host} did not answer in the words of {}; check the provider's kind and address",
            destination.kind.label()
        ))
    } else {
        ModelError::Unavailable(format!("{host} broke off its answer; try again"))
    };
    Err(Failed {
        error,
        class: Some("incomplete".to_owned()),
        again: None,
    })
}

/// A call that did not get through. It may have arrived, so it is not made again.
fn not_reached(cause: &CallError) -> Failed {
    let class = match cause {
        CallError::TimedOut { .. } | CallError::Silent { .. } => "timeout",
        CallError::Broken { .. } => "disconnected",
        _ => "upstream_unreachable",
    };
    Failed {
        error: ModelError::Unavailable(cause.to_string()),
        class: Some(class.to_owned()),
        again: None,
    }
}

/// An answer that says no.
fn refused(destination: &Destination, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failed {
    let said = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|value| error_in(&value));
    let class = said
        .as_ref()
        .and_then(|said| said.class.as_deref())
        .map(|class| destination.shown(class));
    let words = match said {
        Some(said) => destination.shown(&said.message),
        None => destination.shown(&String::from_utf8_lossy(body)),
    };
    let code = status.as_u16();
    let host = destination.target.host();
    let colon = if words.is_empty() { "" } else { ": " };
    if matches!(code, 429 | 500..=599) {
        return Failed {
            error: ModelError::Unavailable(format!("{host} answered {code}{colon}{words}")),
            class: class.or_else(|| Some(format!("http_{code}"))),
            again: Some(asked_wait(headers)),
        };
    }
    let advice = match code {
        401 | 403 => "; check the key in Settings, Model providers",
        404 => "; check the model's name and the address in Settings, Model providers",
        _ => "",
    };
    Failed {
        error: ModelError::Refused(format!("{host} answered {code}{colon}{words}{advice}")),
        class: class.or_else(|| Some(format!("http_{code}"))),
        again: None,
    }
}

/// How long the provider wants us to wait: `retry-after-ms`, or `retry-after` in seconds.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &HeaderName| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    number(&HeaderName::from_static("retry-after-ms"))
        .map(Duration::from_millis)
        .or_else(|| number(&RETRY_AFTER).map(Duration::from_secs))
}
