//! The body of a call on its way to the provider, and the copy of it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
pub use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::capture::{MAX_KEPT_BYTES, Reservation};
use crate::error::{HttpError, HttpResult};

/// How long nothing may arrive in the middle of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long all of it may take that is kept: at a byte a minute it would hold its memory and a connection for days.
const KEPT_TIMEOUT: Duration = Duration::from_secs(300);

/// A body to send on.
#[derive(Debug)]
pub struct Sent {
    /// What is sent, byte for byte.
    pub body: Body,
    /// All of it; `None` when it is too large to keep.
    pub whole: Option<Bytes>,
}

/// Reads a body to its end, so that it can be looked at; of one that is too large, or for which there is no memory, the
/// beginning: the rest is sent on as it comes.
pub async fn read(body: Body, held: &mut Reservation) -> HttpResult<Sent> {
    timeout(KEPT_TIMEOUT, read_kept(body, held))
        .await
        .unwrap_or_else(|_elapsed| Err(too_slow()))
}

async fn read_kept(mut body: Body, held: &mut Reservation) -> HttpResult<Sent> {
    if body.is_end_stream() {
        return Ok(Sent {
            body: Body::empty(),
            whole: Some(Bytes::new()),
        });
    }
    let hint = body.size_hint();
    let mut read = Read::default();
    loop {
        let frame = timeout(IDLE_TIMEOUT, body.frame())
            .await
            .map_err(|_elapsed| too_slow())?;
        let Some(frame) = frame else { break };
        // Trailers are hop-by-hop unless agreed on; they are not used here.
        let Ok(chunk) = frame.map_err(unreadable)?.into_data() else {
            continue;
        };
        let fits = read.length() + chunk.len() <= MAX_KEPT_BYTES && held.grow(chunk.len());
        read.push(chunk);
        if !fits {
            let first = Some(read.whole());
            return Ok(Sent {
                body: Body::new(Continued {
                    first,
                    rest: body,
                    hint,
                }),
                whole: None,
            });
        }
    }
    let whole = read.whole();
    Ok(Sent {
        body: Body::from(whole.clone()),
        whole: Some(whole),
    })
}

/// Chunks that have come. Most bodies are one, which is not copied.
#[derive(Default)]
struct Read {
    only: Option<Bytes>,
    joined: BytesMut,
}

impl Read {
    fn length(&self) -> usize {
        self.only.as_ref().map_or(self.joined.len(), Bytes::len)
    }

    fn push(&mut self, chunk: Bytes) {
        if self.joined.is_empty() && self.only.is_none() {
            self.only = Some(chunk);
            return;
        }
        if let Some(first) = self.only.take() {
            self.joined.extend_from_slice(&first);
        }
        self.joined.extend_from_slice(&chunk);
    }

    fn whole(self) -> Bytes {
        self.only.unwrap_or_else(|| self.joined.freeze())
    }
}

/// A body whose beginning was read.
struct Continued {
    first: Option<Bytes>,
    rest: Body,
    /// Of both together.
    hint: SizeHint,
}

impl HttpBody for Continued {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(first) = self.first.take() {
            // A length that is no longer known is only asked for before the beginning.
            self.hint = SizeHint::default();
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

fn unreadable(cause: axum::Error) -> HttpError {
    HttpError {
        cause: Some(cause.into()),
        ..HttpError::new(StatusCode::BAD_REQUEST, "unreadable_body", "the body ended early")
    }
}

fn too_slow() -> HttpError {
    HttpError::new(
        StatusCode::REQUEST_TIMEOUT,
        "too_slow",
        "the body came too slowly; send it again",
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::super::capture::Budget;
    use super::*;

    /// A body of so many bytes, one each `pause`.
    fn trickle(bytes: usize, pause: Duration) -> Body {
        Body::from_stream(stream::unfold(bytes, move |left| async move {
            let left = left.checked_sub(1)?;
            tokio::time::sleep(pause).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), left))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_in_ends_in_408_and_one_that_is_only_slow_does_not() {
        let budget = Budget::new(1_024);
        let read = async |bytes, seconds| {
            read(
                trickle(bytes, Duration::from_secs(seconds)),
                &mut Reservation::of(&budget),
            )
            .await
        };
        let whole = read(5, 59).await.map(|sent| sent.whole);
        assert_eq!(whole.unwrap().as_deref(), Some(&b"xxxxx"[..]));
        assert_eq!(read(1, 61).await.unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(
            read(1_000, 59).await.unwrap_err().status,
            StatusCode::REQUEST_TIMEOUT
        );
        assert_eq!(budget.used(), 0);
    }
}
