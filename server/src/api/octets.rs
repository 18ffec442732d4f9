//! Answers that are bytes for our own pages: columns of figures, compressed as the browser likes.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;

use crate::error::HttpResult;

/// The answer to a request: these bytes, kept by nobody.
pub(crate) async fn compressed(parts: Parts, bytes: Vec<u8>) -> HttpResult<Response> {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut answer = Some((headers, bytes).into_response());
    let compressed = CompressionLayer::new()
        .layer(service_fn(move |_: Request| {
            // Asked once.
            std::future::ready(Ok::<_, Infallible>(answer.take().unwrap_or_default()))
        }))
        .oneshot(Request::from_parts(parts, Body::empty()))
        .await;
    match compressed {
        Ok(response) => Ok(response.map(Body::new)),
        Err(never) => match never {},
    }
}
