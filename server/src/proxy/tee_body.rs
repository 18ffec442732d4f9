//! The body of an answer on its way through: each chunk is passed on as it comes, and a copy is kept.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::call::Call;
use super::exchange::Ended;
use super::include_usage::ChunkRemover;
use super::refused::Replayed;

/// Why an answer was not passed on to its end. The caller sees the connection end.
#[derive(Debug, thiserror::Error)]
pub enum TeeError {
    /// The provider's connection ended.
    #[error("the provider's connection ended in the middle of the answer")]
    Cut(#[source] hyper::Error),
    /// Nothing came for too long.
    #[error("the provider sent nothing for too long")]
    TimedOut,
    /// The server stops.
    #[error("the server stops")]
    Stopped,
}

/// An answer's body.
#[derive(Debug)]
pub struct TeeBody {
    upstream: Replayed,
    call: Option<Call>,
    remover: Option<ChunkRemover>,
    idle_timeout: Duration,
    last_chunk_at: Instant,
    idle_timer: Pin<Box<Sleep>>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    has_ended: bool,
}

impl TeeBody {
    /// Passes `upstream` on until it ends, is silent for too long, or `stopping` says that the server can't wait.
    pub fn new(
        upstream: Replayed,
        call: Option<Call>,
        remover: Option<ChunkRemover>,
        idle_timeout: Duration,
        stopping: CancellationToken,
    ) -> Self {
        let now = Instant::now();
        Self {
            upstream,
            call,
            remover,
            idle_timeout,
            last_chunk_at: now,
            idle_timer: Box::pin(sleep_until(now + idle_timeout)),
            stopping: Box::pin(stopping.cancelled_owned()),
            has_ended: false,
        }
    }

    fn end(&mut self, ended: Ended) {
        self.has_ended = true;
        if let Some(call) = &mut self.call {
            call.end(ended);
        }
    }

    /// What is to be passed on of a chunk.
    fn forward(&mut self, chunk: Bytes) -> Bytes {
        self.last_chunk_at = Instant::now();
        if let Some(call) = &mut self.call {
            call.chunk(&chunk);
        }
        match &mut self.remover {
            Some(remover) => remover.feed(&chunk),
            None => chunk,
        }
    }

    /// Nothing came. Ready once the provider was silent for too long or the server stops.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<TeeError> {
        if self.stopping.as_mut().poll(cx).is_ready() {
            self.end(Ended::Stopped);
            return Poll::Ready(TeeError::Stopped);
        }
        // The timer is not reset with each chunk: it checks when the last one came when it fires.
        while self.idle_timer.as_mut().poll(cx).is_ready() {
            let until = self.last_chunk_at + self.idle_timeout;
            if until <= Instant::now() {
                self.end(Ended::TimedOut);
                return Poll::Ready(TeeError::TimedOut);
            }
            self.idle_timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

impl HttpBody for TeeBody {
    type Data = Bytes;
    type Error = TeeError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TeeError>>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(None);
        }
        loop {
            let frame = match Pin::new(&mut this.upstream).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let error = ready!(this.poll_timeout(cx));
                    return Poll::Ready(Some(Err(error)));
                }
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(chunk) => {
                        let chunk = this.forward(chunk);
                        // A body of known length is not asked for its end.
                        if this.remover.is_none() && this.upstream.is_end_stream() {
                            this.end(Ended::Whole);
                        }
                        if !chunk.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(chunk))));
                        }
                        if this.has_ended {
                            return Poll::Ready(None);
                        }
                    }
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(cause)) => {
                    this.end(Ended::Cut);
                    return Poll::Ready(Some(Err(TeeError::Cut(cause))));
                }
                None => {
                    this.end(Ended::Whole);
                    let rest = this.remover.take().map(|mut remover| remover.finish());
                    return Poll::Ready(
                        rest.filter(|rest| !rest.is_empty())
                            .map(|rest| Ok(Frame::data(rest))),
                    );
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || (self.remover.is_none() && self.upstream.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.remover {
            Some(_) => SizeHint::default(),
            None => self.upstream.size_hint(),
        }
    }
}

impl Drop for TeeBody {
    fn drop(&mut self) {
        // An empty body is never asked for anything.
        if self.upstream.is_end_stream() {
            self.end(Ended::Whole);
        }
    }
}
