//! Pages and server functions wait for their turn, as all that is read does.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::{SERVER_FUNCTIONS, busy_function};
use crate::auth::{Auth, Visitor};
use crate::plain_page::Audience;
use crate::read_limits::{ReadLimits, Reader, off_request_threads, reader_at};

/// Middleware of pages and server functions, inside the one that finds the visitor.
pub async fn in_turn(
    State(auth): State<Auth>,
    State(reads): State<ReadLimits>,
    request: Request,
    next: Next,
) -> Response {
    let is_sign_in = matches!(request.uri().path(), "/login" | "/setup");
    if is_sign_in {
        return next.run(request).await;
    }
    let user = request
        .extensions()
        .get::<Visitor>()
        .and_then(|visitor| visitor.viewer.user.as_ref().map(|user| user.id));
    let (reader, request) = match user {
        Some(user) => (Reader::User(user), request),
        None => reader_at(&auth, request).await,
    };
    let is_function = request.uri().path().starts_with(SERVER_FUNCTIONS);
    let audience = Audience::of(request.headers(), request.extensions());
    match reads.turn(reader).await {
        Ok(turn) => off_request_threads(turn, next.run(request)).await,
        Err(error) if is_function => busy_function(error.status),
        Err(error) => audience.refuse(error),
    }
}
