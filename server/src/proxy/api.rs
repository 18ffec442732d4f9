//! What is proxied: which provider's words a path speaks, and what a call to it is called.

use axum::http::{HeaderMap, StatusCode};
use domain::StepKind;

/// Whose words a call speaks, and so who gets it and how errors of ours are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Anthropic's API, or one that speaks like it.
    Anthropic,
    /// OpenAI's API, or one that speaks like it.
    OpenAi,
}

impl Provider {
    /// The provider of a path that both have.
    pub fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// The provider's word for the kind of an error with this status.
    pub fn error_type(self, status: StatusCode) -> &'static str {
        match (self, status.as_u16()) {
            (Self::Anthropic, 401) => "authentication_error",
            (Self::Anthropic, 403) => "permission_error",
            (Self::Anthropic, 404 | 405) => "not_found_error",
            (Self::Anthropic, 413) => "request_too_large",
            (Self::Anthropic | Self::OpenAi, 429) => "rate_limit_error",
            (Self::Anthropic, 504) => "timeout_error",
            (Self::Anthropic, 500..) => "api_error",
            (Self::OpenAi, 500..) => "server_error",
            (_, _) => "invalid_request_error",
        }
    }
}

/// A call that becomes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
}

impl Api {
    pub fn provider(self) -> Provider {
        match self {
            Self::Messages => Provider::Anthropic,
            Self::Chat | Self::Responses | Self::Completions | Self::Embeddings => Provider::OpenAi,
        }
    }

    /// What a step of it is called where the caller gives no name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Chat => "chat.completions",
            Self::Responses => "responses",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }

    pub fn kind(self) -> StepKind {
        match self {
            Self::Embeddings => StepKind::Embedding,
            Self::Messages | Self::Chat | Self::Responses | Self::Completions => StepKind::Llm,
        }
    }

    /// Whether its streams say what they used only when `stream_options.include_usage` asks for it.
    pub fn has_usage_on_request(self) -> bool {
        matches!(self, Self::Chat | Self::Completions)
    }
}
