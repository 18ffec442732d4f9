//! Sessions: how they begin and end.

use std::net::IpAddr;

use app::Theme;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Timestamp, UserId};
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};
use storage::users;

use super::{Auth, Visitor, cookie};
use crate::error::{HttpError, HttpResult};

pub(super) const SESSION_SECONDS: u64 = 30 * 86_400;
pub(super) const SESSION_MICROS: i64 = 30 * 86_400 * 1_000_000;

impl Auth {
    /// The account that address and password belong to. Who fails too often has to wait, by address and by peer.
    pub(crate) async fn check_password(
        &self,
        email: &str,
        password: &str,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> HttpResult<Option<UserId>> {
        let inner = &self.inner;
        let email = users::normalise_email(email);
        let mut who = vec![email.clone()];
        who.extend(peer.map(|ip| ip.to_string()));
        inner.attempts.begin(&who, now).map_err(too_many_attempts)?;
        let (user, stored) = users::by_email(&inner.db, &email).await?.unzip();
        let verified = inner.passwords.verify(password.to_owned(), stored).await;
        let user = user.filter(|_| matches!(verified, Ok(true)));
        if user.is_some() {
            inner.attempts.succeeded(&who);
        } else {
            verified.map_err(HttpError::internal)?;
        }
        Ok(user.map(|user| user.id))
    }

    /// The hash of a new password, worked out off the request threads.
    pub(crate) async fn hash_password(&self, password: &str) -> HttpResult<String> {
        let hash = self.inner.passwords.hash(password.to_owned()).await;
        hash.map_err(HttpError::internal)
    }

    /// Begins a session and returns its cookie; the one that the browser had ends.
    pub(crate) async fn sign_in(
        &self,
        user: UserId,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> HttpResult<HeaderValue> {
        let db = &self.inner.db;
        let https = self.inner.settings.is_https();
        if let Some(old) = cookie::session(headers, https) {
            storage::sessions::delete(db, &token_sha256(&old)).await?;
        }
        let no_randomness = || HttpError::internal(anyhow::anyhow!("no randomness for a session"));
        let token = random_token().ok_or_else(no_randomness)?;
        let expires_at = now.plus_micros(SESSION_MICROS);
        storage::sessions::create(db, &token_sha256(&token), user, now, expires_at).await?;
        cookie::set_session(&token, SESSION_SECONDS, https).ok_or_else(no_randomness)
    }

    /// Ends a visitor's session and returns the cookie that takes theirs away.
    pub(crate) async fn sign_out(&self, visitor: &Visitor) -> HttpResult<Option<HeaderValue>> {
        if let Some(session) = &visitor.session {
            storage::sessions::delete(&self.inner.db, session).await?;
            storage::live::notify_access(&self.inner.db).await?;
        }
        Ok(cookie::set_session("", 0, self.inner.settings.is_https()))
    }

    pub(crate) fn theme_cookie(&self, theme: Theme) -> Option<HeaderValue> {
        cookie::set_theme(theme.as_str(), self.inner.settings.is_https())
    }
}

fn too_many_attempts(wait_seconds: u32) -> HttpError {
    HttpError {
        retry_after_seconds: Some(wait_seconds),
        ..HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("Too many attempts to sign in; try again in {wait_seconds} seconds"),
        )
    }
}

/// 256 random bits as text; `None` when the system has none.
pub(super) fn random_token() -> Option<String> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a session's token.
pub(super) fn token_sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ() {
        let (a, b) = (random_token().unwrap(), random_token().unwrap());
        assert_eq!(a.len(), 43);
        assert_ne!(a, b);
    }
}
