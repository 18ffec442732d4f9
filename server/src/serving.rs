//! Connections from outside. Served as `axum::serve` would, with room for more headers: those of one call come from an
//! SDK, a mesh, tracing and several gateways, and hyper's hundred are refused without a word that an SDK understands.

pub mod grpc;
mod head_timer;
mod limits;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use futures::TryFutureExt as _;
use futures::future::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::state::AppState;
use crate::{open_files, proxy};
use head_timer::{HEAD_TIMEOUT, HeadTimer};
pub use limits::ConnectionLimits;
use limits::{AnswerBody, Connections};

/// Answers what `listener` accepts until `shutdown`, then returns once requests under way are answered. What passes
/// through the proxy is neither judged by our rules for browsers nor changed; all else is the router's.
pub async fn serve<L>(mut listener: L, state: AppState, router: Router, shutdown: CancellationToken)
where
    L: Listener<Addr = SocketAddr>,
{
    // Once, and not for each request.
    let router: Router = router.with_state(());
    let limits = ConnectionLimits::of(&state.config, open_files::limit());
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
        let (state, router, open) = (state.clone(), router.clone(), Arc::clone(&place));
        let service = service_fn(move |request: Request<Incoming>| {
            let under_way = open.request();
            let mut request = request.map(Body::new);
            let answer = if proxy::is_ours(request.uri().path()) {
                let state = state.clone();
                Either::Left(async move { Ok(proxy::respond(state.proxy(), request).await) })
            } else {
                request.extensions_mut().insert(ConnectInfo(addr));
                Either::Right(router.clone().oneshot(request))
            };
            answer.map_ok(|response| {
                response.map(|body| AnswerBody {
                    body,
                    _under_way: under_way,
                })
            })
        });
        let served = http1::Builder::new()
            .max_headers(proxy::MAX_HEADERS)
            .timer(HeadTimer::default())
            .header_read_timeout(HEAD_TIMEOUT)
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
                tracing::trace!(%cause, "a connection failed");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}
