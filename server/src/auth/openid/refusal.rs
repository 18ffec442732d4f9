//! Why somebody is not signed in: words for them, a word for the audit log, and a cause for the log alone.

use axum::http::StatusCode;
use openidconnect::{ClaimsVerificationError, SignatureVerificationError};
use storage::openid::Turned;

use crate::error::HttpError;

/// A sign-in that came to nothing.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For the audit log.
    pub(super) class: &'static str,
    status: StatusCode,
    words: String,
    cause: Option<String>,
}

impl Refusal {
    fn new(class: &'static str, words: impl Into<String>) -> Self {
        Self {
            class,
            status: StatusCode::FORBIDDEN,
            words: words.into(),
            cause: None,
        }
    }

    /// Whether it is no fault of whoever signs in.
    pub(super) fn is_outage(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// No ticket, one of another sign-in, or one that is too old.
    pub(super) fn state() -> Self {
        Self::new(
            "state",
            "This sign-in was not begun in this browser, or it took longer than ten minutes. Begin again on the page of \
             the sign-in",
        )
    }

    /// It was completed before.
    fn replayed() -> Self {
        Self::new(
            "replayed",
            "This sign-in was completed before. Begin again on the page of the sign-in",
        )
    }

    /// The provider sent the person back without a code.
    pub(super) fn by_provider(name: &str) -> Self {
        Self::new(
            "provider_refused",
            format!("{name} did not sign you in. Try again, or ask whoever runs it"),
        )
    }

    /// The provider does not take the code.
    pub(super) fn code(name: &str, cause: String) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(
                "code",
                format!("{name} did not confirm the sign-in. Begin again on the page of the sign-in"),
            )
        }
    }

    /// The provider can't be asked.
    pub(super) fn unreachable(name: &str, cause: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            cause: Some(cause),
            ..Self::new(
                "provider_unreachable",
                format!("{name} does not answer, so nobody can sign in with it. Try again in a moment"),
            )
        }
    }

    /// What the provider answered is not to be believed.
    pub(super) fn token(name: &str, cause: &ClaimsVerificationError) -> Self {
        let class = match cause {
            ClaimsVerificationError::Expired(_) => "expired",
            ClaimsVerificationError::InvalidAudience(_) => "audience",
            ClaimsVerificationError::InvalidIssuer(_) => "issuer",
            ClaimsVerificationError::InvalidNonce(_) => "nonce",
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoSignature) => {
                "unsigned"
            }
            ClaimsVerificationError::SignatureVerification(_) => "signature",
            _ => "token",
        };
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(
                class,
                format!(
                    "What {name} said of you could not be verified ({class}). Whoever runs this server finds the reason in \
                     its log"
                ),
            )
        }
    }

    /// The token names no address.
    pub(super) fn no_email(name: &str) -> Self {
        Self::new(
            "no_email",
            format!("{name} did not say your e-mail address. Whoever runs it can add the claim `email`"),
        )
    }

    /// The provider does not vouch for the address.
    pub(super) fn unverified(name: &str, email: &str) -> Self {
        Self::new(
            "email_unverified",
            format!("{name} has not verified that {email} is yours. Verify it there, then sign in again"),
        )
    }

    /// The address is of a domain that is not let in.
    pub(super) fn domain(email: &str) -> Self {
        Self::new(
            "email_domain",
            format!("Addresses such as {email} may not sign in to this server"),
        )
    }

    /// What storage decided.
    pub(super) fn turned(turned: Turned, name: &str, email: &str) -> Self {
        match turned {
            Turned::Replayed => Self::replayed(),
            Turned::NotLinked => Self::new(
                "not_linked",
                format!(
                    "{email} has an account here that is not linked to {name}. Sign in with its password, or ask whoever \
                     runs this server to link it: plumbline accounts link {email}"
                ),
            ),
            Turned::NoAccess => Self::new(
                "no_access",
                format!(
                    "None of your groups at {name} may see anything here. Ask an admin for an invitation"
                ),
            ),
        }
    }
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        Self {
            cause: refusal.cause.map(anyhow::Error::msg),
            ..Self::new(refusal.status, "sign_in_refused", refusal.words)
        }
    }
}
