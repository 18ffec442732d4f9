//! Why a model gave no answer, in words for people. What a provider wrote is shortened and never holds our key.

use domain::{NanoUsd, WorkState};

/// Why there is no answer. `Display` is for people: it says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No provider or no model is chosen for this use.
    #[error("No model is chosen for this; choose one in Settings, Model providers")]
    NotSet,
    /// What the call may cost does not fit into what is left of the month's budget.
    #[error(
        "This call could pass the month's budget: {} of {} is spent or reserved; raise the budget in Settings, Model \
         providers, or wait for next month",
        NanoUsd(*spent_nano_usd),
        NanoUsd(*budget_nano_usd)
    )]
    Budget {
        spent_nano_usd: i64,
        budget_nano_usd: i64,
    },
    /// The request is larger than is sent.
    #[error("The request is {} kB and at most {} kB are sent; ask about less", bytes / 1_000, limit / 1_000)]
    TooLarge { bytes: usize, limit: usize },
    /// The provider does not want this request: a wrong key, an unknown model. Trying again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// The provider was asked often enough and is away, overloaded, or broke off.
    #[error("{0}")]
    Unavailable(String),
    /// What the provider sent is no answer.
    #[error("{0}")]
    Malformed(String),
    /// The stored key can't be used.
    #[error("The provider's key can't be used: {0}")]
    Key(#[from] crate::secrets::OpenError),
    /// The provider's address is none that may be called.
    #[error("{0}")]
    Target(#[from] crate::outbound::BadTarget),
    #[error("The database does not answer; try again in a moment")]
    Database(#[from] storage::Error),
}

impl ModelError {
    /// The state of work that ends with it.
    pub fn state(&self) -> WorkState {
        match self {
            Self::Budget { .. } => WorkState::Refused,
            _ => WorkState::Failed,
        }
    }
}
