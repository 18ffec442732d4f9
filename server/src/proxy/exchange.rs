//! A call as it was seen: what was asked, what came back, and how it ended.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use domain::Timestamp;

use super::api::Api;
use super::capture::{Capture, Reservation};
use super::request_context::RequestContext;
use super::unfinished::PendingCall;
use crate::auth::Caller;
use crate::auth::credentials::Credentials;

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
