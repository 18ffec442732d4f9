//! One call on its way through: what is noted while it passes, and that it is recorded however it ends.

use std::time::Instant;

use axum::http::{HeaderMap, StatusCode, header};

use super::exchange::{Answer, Ended, Exchange};
use super::recorder::Recorder;

/// How many chunks of an answer are kept with the time they came at. The first content is among them, or the
/// provider sent nothing but shells for a long time.
const MAX_MARKS: usize = 64;

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
