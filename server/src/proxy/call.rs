//! One call on its way through: what is noted while it passes, and that it is recorded however it ends.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use domain::Timestamp;

use super::api::Api;
use super::capture::{Capture, Reservation};
use super::recorder::{PendingCall, Recorder};
use super::request_context::RequestContext;
use crate::auth::Caller;
use crate::auth::credentials::Credentials;

/// How many chunks of an answer are kept with the time they came at. The first content is among them, or the
/// provider sent nothing but shells for a long time.
const MAX_MARKS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The answer came and was passed on to its end.
    Whole,
    /// The caller went away before that.
    CallerGone,
    /// The provider's connection ended in the middle of the answer, or before it.
    Cut,
    /// What the provider sent is no answer in HTTP, or one with too many headers.
    Malformed,
    /// No connection to the provider.
    Unreachable,
    /// The provider sent nothing for too long.
    TimedOut,
    /// The server was stopping, and could not wait any longer.
    Stopped,
}

/// The answer as it passed by.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Whether it is a stream of events.
    pub is_stream: bool,
    pub encoding: Option<HeaderValue>,
    /// The provider's id of the request.
    pub request_id: Option<HeaderValue>,
    /// Its bytes, before anything was taken out of it.
    pub body: Capture,
    /// Up to which byte the answer had come at which time.
    pub marks: Vec<(usize, Duration)>,
    /// The longest pause between two chunks.
    pub max_gap: Option<Duration>,
}

/// A call and everything that passed by.
#[derive(Debug)]
pub struct Exchange {
    /// Which API was called.
    pub api: Api,
    pub caller: Caller,
    /// What its headers say.
    pub context: RequestContext,
    /// What it authenticates itself with at the provider: nothing of it may be recorded.
    pub credentials: Credentials,
    /// The id of the step it becomes: made once, so that whatever is tried again stays one step.
    pub step_id: String,
    /// The provider, in a word.
    pub provider: String,
    /// When it was sent on.
    pub started_at: Timestamp,
    /// Its body as the caller sent it; `None` when that was too large to keep.
    pub request: Option<Bytes>,
    /// The body's `Content-Encoding`.
    pub request_encoding: Option<HeaderValue>,
    /// The answer, if one began.
    pub answer: Option<Answer>,
    pub ended: Ended,
    /// How long it took.
    pub latency: Duration,
    /// What of the budget its request takes.
    pub held: Reservation,
    /// That it is still to be recorded.
    pub pending: PendingCall,
}

/// An [`Exchange`] under way. Dropped before its end, it ended because the caller went away.
#[derive(Debug)]
pub struct Call {
    recorder: Recorder,
    exchange: Option<Box<Exchange>>,
    sent: Instant,
    last_chunk_at: Option<Instant>,
}

impl Call {
    /// The call is sent now.
    pub fn begin(recorder: Recorder, exchange: Box<Exchange>) -> Self {
        Self {
            recorder,
            exchange: Some(exchange),
            sent: Instant::now(),
            last_chunk_at: None,
        }
    }

    /// An answer begins.
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let first = |names: [&str; 2]| names.iter().find_map(|name| headers.get(*name)).cloned();
        exchange.answer = Some(Answer {
            status,
            is_stream: is_event_stream(headers),
            encoding: headers.get(header::CONTENT_ENCODING).cloned(),
            request_id: first(["request-id", "x-request-id"]),
            body: self.recorder.capture(),
            marks: Vec::new(),
            max_gap: None,
        });
    }

    /// A chunk of the answer came.
    pub fn chunk(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let last = self.last_chunk_at.replace(now);
        let Some(answer) = self
            .exchange
            .as_mut()
            .and_then(|exchange| exchange.answer.as_mut())
        else {
            return;
        };
        answer.body.push(bytes);
        if answer.marks.len() < MAX_MARKS {
            answer
                .marks
                .push((answer.body.total(), now.duration_since(self.sent)));
        }
        if let Some(last) = last {
            answer.max_gap = answer.max_gap.max(Some(now.duration_since(last)));
        }
    }

    /// It is over; only the first word counts.
    pub fn end(&mut self, ended: Ended) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.ended = ended;
            exchange.latency = self.sent.elapsed();
            self.recorder.record(exchange);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Ended::CallerGone);
    }
}

/// Whether an answer is a stream of events.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.len() >= 17 && kind[..17].eq_ignore_ascii_case(b"text/event-stream")
    })
}
