//! Errors as clients see them: a public text, and a private cause that is logged once and never leaves.

mod described;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// An answer that is not a success. Answered as an [`ErrorBody`]; the request id is added by
/// `router::with_request_id`, which is also where the cause is logged.
#[derive(Debug)]
pub struct HttpError {
    pub status: StatusCode,
    /// A word for programs, for instance `missing_field`.
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub message: String,
    /// The field or parameter that is wrong.
    pub field: Option<String>,
    /// Seconds after which it makes sense to try again.
    pub retry_after_seconds: Option<u32>,
    /// For the log alone.
    pub cause: Option<anyhow::Error>,
}

pub(crate) use described::{BodyErrors, NotFound, ReadErrors};

/// How an error is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorDetails,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetails {
    /// A word for programs, for instance `missing_field`.
    #[schema(value_type = String)]
    pub(crate) code: &'static str,
    /// What happened and what to do, for people.
    pub(crate) message: String,
    /// The field or parameter that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub(crate) field: Option<String>,
    /// Also in the header `x-request-id` and in the server's log.
    pub(crate) request_id: String,
}

/// The result of every handler.
pub type HttpResult<T> = Result<T, HttpError>;

/// A path below those that programs call: never a page, never a way to the sign-in.
pub(crate) async fn unknown_route() -> HttpError {
    HttpError::not_found("route; GET /api/openapi.json lists them")
}

impl HttpError {
    /// An error without field and cause.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            retry_after_seconds: None,
            cause: None,
        }
    }

    /// 400: `field` is wrong, `message` says what it has to be.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_field", message)
        }
    }

    /// 401: no key, or one that is unknown or revoked.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 403: known, but not allowed.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404: not there, or not in a project the caller may see. The two look the same.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("There is no such {what}"),
        )
    }

    /// 503 with Retry-After: the same request may succeed soon.
    pub fn overloaded(message: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
        }
    }

    /// 504: it took longer than an answer may take.
    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    /// 500: our defect. The public text never says which.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let message = "Plumbline failed to answer; the log has the details under this request id";
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
        }
    }
}

/// What is said where the texts of a project can't be opened or sealed.
pub const SEALED: &str =
    "The texts of this project are encrypted, and this server can't use their key; the log says why";

impl From<storage::Error> for HttpError {
    fn from(cause: storage::Error) -> Self {
        match cause {
            storage::Error::NotFound => Self::not_found("object in this project"),
            storage::Error::Conflict(constraint) => Self {
                cause: Some(anyhow::anyhow!("constraint {constraint}")),
                ..Self::new(
                    StatusCode::CONFLICT,
                    "conflict",
                    "Something with that name already exists",
                )
            },
            storage::Error::Unavailable(_) => Self {
                cause: Some(cause.into()),
                ..Self::overloaded("The database does not answer; try again in a moment")
            },
            storage::Error::TooSlow(_) => Self {
                cause: Some(cause.into()),
                ..Self::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    "query_timeout",
                    "The query took longer than 5 seconds and was stopped; ask for a shorter time range or fewer \
                     filters",
                )
            },
            storage::Error::Sealed(_) => Self {
                cause: Some(cause.into()),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "encryption_key", SEALED)
            },
            storage::Error::Internal(_) => Self::internal(cause),
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let error = ErrorDetails {
            code: self.code,
            message: self.message.clone(),
            field: self.field.clone(),
            request_id: String::new(),
        };
        let mut response = (self.status, Json(ErrorBody { error })).into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(std::sync::Arc::new(ErrorReport {
            code: self.code,
            message: self.message,
            field: self.field,
            cause: self.cause,
        }));
        response
    }
}

/// What `router::with_request_id` finds beside an error's response.
#[derive(Debug)]
pub struct ErrorReport {
    /// The word for programs.
    pub code: &'static str,
    /// The text for people.
    pub message: String,
    /// The field that is wrong.
    pub field: Option<String>,
    /// For the log alone.
    pub cause: Option<anyhow::Error>,
}
