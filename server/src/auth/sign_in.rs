//! Sessions: how they begin and end.

use app::Theme;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use domain::account::{is_email, normalise_email};
use domain::{Timestamp, UserId};
use storage::sessions::{Ended, NewSession, ProviderSession};
use storage::users;

use super::failure_log::Failure;
use super::password::PasswordError;
use super::token::{random_token, token_sha256};
use super::{Auth, Client, Visitor, cookie};
use crate::error::{HttpError, HttpResult};

const SESSION_SECONDS: u64 = 30 * 86_400;
/// How long a session lasts that is not used.
pub(super) const SESSION_MICROS: i64 = 30 * 86_400 * 1_000_000;
/// How long it lasts at most, however much it is used.
const MAX_SESSION_MICROS: i64 = 90 * 86_400 * 1_000_000;

impl Auth {
    /// The account that address and password belong to. Who fails too often waits, longer each time; see
    /// [`super::attempts`].
    pub(crate) async fn check_password(
        &self,
        email: &str,
        password: &str,
        client: &Client,
        now: Timestamp,
    ) -> HttpResult<Option<UserId>> {
        self.require_passwords()?;
        let inner = &self.inner;
        let email = normalise_email(email);
        if !is_email(&email) {
            // No account has it: nothing is compared, and nothing kept.
            self.note_failure(Failure::Credentials, &email, client, now).await;
            return Ok(None);
        }
        let attempt = match inner.attempts.begin(&email, client.address, now) {
            Ok(attempt) => attempt,
            Err(seconds) => {
                self.note_failure(Failure::Delayed { seconds }, &email, client, now)
                    .await;
                return Err(too_many_attempts(seconds));
            }
        };
        if !attempt.hold.is_zero() {
            tokio::time::sleep(attempt.hold).await;
        }
        let compared = async {
            let (user, stored) = users::by_email(&inner.db, &email).await?.unzip();
            let verified = inner.passwords.verify(password.to_owned(), stored).await;
            let is_right = verified.map_err(password_error)?;
            Ok::<_, HttpError>(user.filter(|_| is_right))
        };
        match compared.await {
            Err(error) => {
                attempt.take_back();
                Err(error)
            }
            Ok(Some(user)) => {
                attempt.succeeded(now);
                Ok(Some(user.id))
            }
            Ok(None) => {
                self.note_failure(Failure::Credentials, &email, client, now).await;
                Ok(None)
            }
        }
    }

    /// The hash of a new password, worked out off the request threads.
    pub(crate) async fn hash_password(&self, password: &str) -> HttpResult<String> {
        let hash = self.inner.passwords.hash(password.to_owned()).await;
        hash.map_err(password_error)
    }

    /// Fails where only the provider signs people in.
    pub(crate) fn require_passwords(&self) -> HttpResult<()> {
        let ways = &self.inner.settings.ways_in;
        if !ways.passwords_off {
            return Ok(());
        }
        let name = ways.provider.as_deref().unwrap_or("the provider");
        Err(HttpError::new(
            StatusCode::FORBIDDEN,
            "passwords_off",
            format!(
                "Passwords do not sign in to this server. Go to the page of the sign-in and choose {name}"
            ),
        ))
    }

    /// Whether passwords sign in.
    pub(crate) fn takes_passwords(&self) -> bool {
        !self.inner.settings.ways_in.passwords_off
    }

    /// Begins a session and returns its cookie; the one that the browser had ends.
    pub(crate) async fn sign_in(
        &self,
        user: UserId,
        headers: &HeaderMap,
        client: &Client,
        now: Timestamp,
    ) -> HttpResult<HeaderValue> {
        let ends_at = now.plus_micros(MAX_SESSION_MICROS);
        self.begin_session(user, headers, client, ends_at, None, now)
            .await
    }

    /// The same for a session that ends at `ends_at` and may have begun at a provider.
    pub(super) async fn begin_session(
        &self,
        user: UserId,
        headers: &HeaderMap,
        client: &Client,
        ends_at: Timestamp,
        provider: Option<ProviderSession<'_>>,
        now: Timestamp,
    ) -> HttpResult<HeaderValue> {
        let https = self.inner.settings.is_https();
        let no_randomness = || HttpError::internal(anyhow::anyhow!("no randomness for a session"));
        let token = random_token().ok_or_else(no_randomness)?;
        let new = NewSession {
            token_sha256: &token_sha256(&token),
            user,
            expires_at: now.plus_micros(SESSION_MICROS),
            ends_at,
            address: &client.address_text(),
            browser: &client.browser,
            provider,
        };
        let replaced: Vec<Vec<u8>> = cookie::sessions(headers, https)
            .iter()
            .map(|old| token_sha256(old).to_vec())
            .collect();
        storage::sessions::create(&self.inner.db, new, &replaced, now).await?;
        let seconds_left = (ends_at.micros() - now.micros()).max(0).unsigned_abs() / 1_000_000;
        cookie::set_session(&token, SESSION_SECONDS.min(seconds_left), https).ok_or_else(no_randomness)
    }

    /// Ends a visitor's session and returns the cookie that takes theirs away, with what is known of the session.
    pub(crate) async fn sign_out(
        &self,
        visitor: &Visitor,
        now: Timestamp,
    ) -> HttpResult<(Option<HeaderValue>, Ended)> {
        let ended = match &visitor.session {
            Some(session) => storage::sessions::sign_out(&self.inner.db, session, now).await?,
            None => Ended::default(),
        };
        Ok((self.no_session_cookie(), ended))
    }

    /// The cookie that takes a browser's session away.
    pub(crate) fn no_session_cookie(&self) -> Option<HeaderValue> {
        cookie::set_session("", 0, self.inner.settings.is_https())
    }

    pub(crate) fn theme_cookie(&self, theme: Theme) -> Option<HeaderValue> {
        cookie::set_theme(theme.as_str(), self.inner.settings.is_https())
    }
}

fn password_error(cause: PasswordError) -> HttpError {
    match cause {
        PasswordError::Busy => HttpError::overloaded("Many people sign in at this moment; try again"),
        other => HttpError::internal(other),
    }
}

pub(super) fn too_many_attempts(wait_seconds: u32) -> HttpError {
    let unit = if wait_seconds == 1 { "second" } else { "seconds" };
    HttpError {
        retry_after_seconds: Some(wait_seconds),
        ..HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("Too many attempts to sign in; try again in {wait_seconds} {unit}"),
        )
    }
}
