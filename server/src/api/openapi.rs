//! `GET /api/openapi.json`: the contract, as a file beside this one. A test compares it with the list of routes.

use axum::http::header;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The contract.
pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
