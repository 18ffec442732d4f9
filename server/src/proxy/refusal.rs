//! Errors of our own, in the words of the provider that the caller believes to talk to: its SDK raises what it always
//! raises.

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::Response;
use serde_json::json;

use super::api::Provider;
use crate::error::HttpError;

/// The error as `provider` would put it.
pub fn refuse(provider: Provider, error: &HttpError) -> Response {
    let kind = provider.error_type(error.status);
    // Our errors must not be mistaken for the provider's.
    let message = format!("Plumbline: {}", error.message);
    let body = match provider {
        Provider::Anthropic => json!({ "type": "error", "error": { "type": kind, "message": message } }),
        Provider::OpenAi => {
            json!({ "error": { "message": message, "type": kind, "param": null, "code": error.code } })
        }
    };
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = error.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
