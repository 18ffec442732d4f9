//! Errors as a page shows them. The private cause stays in the server's log.

use domain::Role;
use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// The error of every server function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ApiError {
    /// It does not exist, or the viewer may not know that it does.
    #[error("Not found")]
    NotFound,
    /// The visitor is not signed in.
    #[error("Sign in first")]
    Unauthorized,
    /// The viewer's role is too low.
    #[error("This needs the role {}", needs.as_str())]
    Forbidden {
        /// The lowest role that may.
        needs: Role,
    },
    /// The request can't be understood or would contradict what is stored.
    #[error("{message}")]
    Invalid {
        /// The field, empty when no single one is wrong.
        field: String,
        /// What it has to be.
        message: String,
    },
    /// The database did not answer.
    #[error("The database did not answer")]
    Unavailable {
        /// Reference id, also in the server's log.
        request_id: String,
    },
    /// The answer took longer than it may.
    #[error("The request took too long")]
    TimedOut {
        /// Reference id, also in the server's log.
        request_id: String,
    },
    /// The project's texts are encrypted, and the server can't use their key.
    #[error("The texts can’t be decrypted")]
    Sealed {
        /// Reference id, also in the server's log.
        request_id: String,
    },
    /// Too much is being read at once, by this viewer or by all.
    #[error("Too much is being read at once")]
    Busy,
    /// The server could not be reached from the browser.
    #[error("The server could not be reached")]
    Unreachable,
    /// Anything else; the cause is in the server's log.
    #[error("An internal error")]
    Internal {
        /// Reference id, also in the server's log.
        request_id: String,
    },
}

impl ApiError {
    /// What happened and what to do, as one or two sentences.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::NotFound => {
                "It does not exist, or it belongs to a project you have no access to.".to_owned()
            }
            Self::Unauthorized => "Your session has ended. Sign in again.".to_owned(),
            Self::Forbidden { needs } => {
                format!(
                    "This needs the role {}. An admin of the project can give it to you.",
                    needs.as_str()
                )
            }
            Self::Invalid { field, message } if field.is_empty() => message.clone(),
            Self::Invalid { field, message } => format!("{field}: {message}"),
            Self::Unavailable { .. } => {
                "The database did not answer. What was stored is safe; try again in a moment.".to_owned()
            }
            Self::TimedOut { .. } => {
                "The request took too long and was cancelled. Try again in a moment, or with a shorter time window."
                    .to_owned()
            }
            Self::Sealed { .. } => {
                "This project’s texts are encrypted, and the server has not the key that they were encrypted with, or a text was changed in the database. Its log says which."
                    .to_owned()
            }
            Self::Busy => "Too much is being read at once. Wait a moment, then try again.".to_owned(),
            Self::Unreachable => {
                "The server could not be reached. Check that it runs and that you are online.".to_owned()
            }
            Self::Internal { .. } => {
                "The server failed to answer. The cause is in its log under this reference.".to_owned()
            }
        }
    }

    /// The id that leads to the log line, where there is one.
    pub(crate) fn reference(&self) -> Option<&str> {
        match self {
            Self::Unavailable { request_id }
            | Self::TimedOut { request_id }
            | Self::Sealed { request_id }
            | Self::Internal { request_id } => Some(request_id.as_str()).filter(|id| !id.is_empty()),
            _ => None,
        }
    }
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let error = match error {
            ServerFnErrorErr::Request(_) => Self::Unreachable,
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_) => Self::Invalid {
                field: String::new(),
                message: "The request is invalid. Reload the page.".to_owned(),
            },
            _ => Self::Internal {
                request_id: crate::request::use_page_request().request_id,
            },
        };
        #[cfg(feature = "ssr")]
        let error = error.with_status();
        error
    }
}

#[cfg(feature = "ssr")]
mod server {
    use http::StatusCode;
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    use super::ApiError;
    use crate::request::use_page_request;

    impl ApiError {
        /// Sets the answer's status to the one that fits, and returns the error.
        pub(crate) fn with_status(self) -> Self {
            let status = match &self {
                Self::NotFound => StatusCode::NOT_FOUND,
                Self::Unauthorized => StatusCode::UNAUTHORIZED,
                Self::Forbidden { .. } => StatusCode::FORBIDDEN,
                Self::Invalid { .. } => StatusCode::BAD_REQUEST,
                Self::Busy => StatusCode::TOO_MANY_REQUESTS,
                Self::Unavailable { .. } | Self::Sealed { .. } | Self::Unreachable => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
                Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            };
            if let Some(response) = use_context::<ResponseOptions>() {
                response.set_status(status);
            }
            self
        }
    }

    impl From<storage::Error> for ApiError {
        fn from(error: storage::Error) -> Self {
            let request_id = use_page_request().request_id;
            match error {
                storage::Error::NotFound => Self::NotFound,
                storage::Error::Conflict(_) => Self::Invalid {
                    field: String::new(),
                    message: "That conflicts with what is stored. Reload the page.".to_owned(),
                },
                storage::Error::Unavailable(cause) => {
                    tracing::error!(%request_id, error = %cause, "the database did not answer a page");
                    Self::Unavailable { request_id }
                }
                storage::Error::TooSlow(cause) => {
                    tracing::warn!(%request_id, error = %cause, "a page's query took too long");
                    Self::TimedOut { request_id }
                }
                storage::Error::Sealed(cause) => {
                    tracing::error!(%request_id, error = %cause, "a page's texts can't be opened");
                    Self::Sealed { request_id }
                }
                storage::Error::Internal(cause) => {
                    tracing::error!(%request_id, error = %cause, "a page's query failed");
                    Self::Internal { request_id }
                }
            }
            .with_status()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_way_to_the_browser() {
        let check = |error: ApiError| assert_eq!(ApiError::de(error.ser()), error);
        check(ApiError::NotFound);
        check(ApiError::Forbidden { needs: Role::Admin });
        check(ApiError::Invalid {
            field: "name".to_owned(),
            message: "is empty".to_owned(),
        });
        check(ApiError::Internal {
            request_id: "7f3a-c21".to_owned(),
        });
    }

    #[test]
    fn only_logged_errors_carry_a_reference() {
        let check = |error: ApiError, expected: Option<&str>| assert_eq!(error.reference(), expected);
        check(ApiError::NotFound, None);
        check(
            ApiError::Internal {
                request_id: "7f3a".to_owned(),
            },
            Some("7f3a"),
        );
        check(
            ApiError::Unavailable {
                request_id: String::new(),
            },
            None,
        );
    }
}
