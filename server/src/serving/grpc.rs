//! Connections of gRPC: HTTP/2 without TLS on a port of its own, for OpenTelemetry's exporters alone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::limits::{AnswerBody, ConnectionLimits, Connections};
use crate::state::AppState;
use crate::{ingest, open_files};

/// Exporters have one connection each, which other connections leave this part of the places for.
const PART_OF_CONNECTIONS: usize = 8;
/// Calls of one connection at a time; an exporter has one under way.
const MAX_STREAMS: u32 = 32;
/// How large the headers of a call may be.
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// What may be on its way before it is read, of a call and of a connection.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// How long a connection may be silent before it is asked for a sign of life, and how long that may take.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Answers what `listener` accepts until `shutdown`, then returns once calls under way are answered.
pub async fn serve<L>(mut listener: L, state: AppState, shutdown: CancellationToken)
where
    L: Listener<Addr = SocketAddr>,
{
    let limits = ConnectionLimits::of(&state.config, open_files::limit()).part(PART_OF_CONNECTIONS);
    let places = Connections::new(limits, Arc::clone(&state.metrics));
    let connections = TaskTracker::new();
    loop {
        let (connection, addr) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let Some(place) = places.admit(addr.ip()) else {
            drop(connection);
            continue;
        };
        let place = Arc::new(place);
        let (state, open) = (state.clone(), Arc::clone(&place));
        let service = service_fn(move |request: Request<Incoming>| {
            let (under_way, state) = (open.request(), state.clone());
            async move {
                let response = ingest::otlp::grpc::respond(&state, request.map(Body::new)).await;
                Ok::<_, Infallible>(response.map(|body| AnswerBody {
                    body,
                    _under_way: under_way,
                }))
            }
        });
        let served = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .serve_connection(TokioIo::new(connection), service);
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let mut served = pin!(served);
            let ended = tokio::select! {
                ended = served.as_mut() => ended,
                () = place.given_away() => return,
                () = shutdown.cancelled() => {
                    served.as_mut().graceful_shutdown();
                    served.await
                }
            };
            if let Err(cause) = ended {
                tracing::trace!(%cause, "a connection of gRPC failed");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}
