//! A refusal of a stream that we asked what it used: was it the question that was refused? Only then is the call sent
//! again without it; every other refusal is the caller's, and a second call would count against their limits.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::http::{Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::capture::Reservation;
use super::decode;

/// How much of a refusal is read to see what it names.
const MAX_READ_BYTES: usize = 64 * 1024;
/// How providers name the question, whole or in part.
const NAMES: [&[u8]; 2] = [b"stream_options", b"include_usage"];

/// The body of an answer of which a part may have been read already; it comes again.
#[derive(Debug)]
pub struct Replayed {
    read: VecDeque<Result<Frame<Bytes>, hyper::Error>>,
    rest: Incoming,
}

impl Replayed {
    /// A body of which nothing was read.
    pub fn new(rest: Incoming) -> Self {
        Self {
            read: VecDeque::new(),
            rest,
        }
    }

    /// Reads up to so many bytes and returns them; they are still passed on.
    async fn peek(&mut self, max_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < max_bytes
            && let Some(frame) = self.rest.frame().await
        {
            let has_failed = frame.is_err();
            if let Some(data) = frame.as_ref().ok().and_then(Frame::data_ref) {
                bytes.extend_from_slice(data);
            }
            self.read.push_back(frame);
            if has_failed {
                break;
            }
        }
        bytes
    }
}

/// Whether an answer refuses our question. What was read for that is unpacked within `held`.
pub async fn refuses_question(
    answer: &mut Response<Replayed>,
    held: &mut Reservation,
    idle_timeout: Duration,
) -> bool {
    let is_refusal = matches!(
        answer.status(),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
    );
    if !is_refusal {
        return false;
    }
    let encoding = answer.headers().get(header::CONTENT_ENCODING).cloned();
    let Ok(bytes) = timeout(idle_timeout, answer.body_mut().peek(MAX_READ_BYTES)).await else {
        return false;
    };
    let text = match encoding {
        Some(encoding) => decode::unpacked(&encoding, &bytes, held).unwrap_or_default(),
        None => bytes,
    };
    NAMES
        .iter()
        .any(|name| text.windows(name.len()).any(|window| window == *name))
}

impl HttpBody for Replayed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        match this.read.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let data = self
            .read
            .iter()
            .filter_map(|frame| frame.as_ref().ok()?.data_ref());
        let read = data.map(|data| data.len() as u64).sum::<u64>();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + read);
        }
        hint
    }
}
