//! The way to the provider and back, and the provider's word that a session is over.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, FromRef, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use domain::Timestamp;
use serde::Deserialize;
use storage::Db;
use storage::openid::Arrival;
use storage::sessions::ProviderSession;

use super::provider::{Person, Provider};
use super::refusal::Refusal;
use super::ticket::{self, Ticket, seal_id_token};
use super::{BACKCHANNEL_LOGOUT, CALLBACK, START};
use crate::auth::failure_log::Failure;
use crate::auth::sign_in::too_many_attempts;
use crate::auth::token::{random_token, token_sha256};
use crate::auth::{Auth, Client, cookie};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::local_path::local_path;
use crate::plain_page;

/// Far above what any logout token has.
const MAX_LOGOUT_BYTES: usize = 64 * 1024;
/// Codes and states are shorter at every provider.
const MAX_CODE_BYTES: usize = 8 * 1024;
const HOUR_MICROS: i64 = 3_600 * 1_000_000;

/// The routes of a sign-in at the provider. They know nobody yet, and need [`crate::auth::guard::protect`] around them.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
    Option<Provider>: FromRef<S>,
    Db: FromRef<S>,
{
    Router::new()
        .route(START, get(start))
        .route(CALLBACK, get(callback))
        .route(BACKCHANNEL_LOGOUT, post(backchannel_logout))
        .layer(DefaultBodyLimit::max(MAX_LOGOUT_BYTES))
        .layer(from_fn(plain_page::for_people))
}

#[derive(Deserialize)]
struct StartQuery {
    #[serde(default)]
    next: String,
}

/// `GET /auth/oidc/start?next=`: leads to the provider, and gives the browser what it has to come back with.
async fn start(
    State(auth): State<Auth>,
    State(provider): State<Option<Provider>>,
    Query(query): Query<StartQuery>,
) -> HttpResult<Response> {
    let provider = configured(provider.as_ref())?;
    let ticket = Ticket::new(local_path(&query.next), clock::now()).ok_or_else(no_randomness)?;
    let url = provider.authorize_url(&ticket).await?;
    let sealed = ticket.seal(provider.secrets()).ok_or_else(no_randomness)?;
    let https = auth.inner.settings.is_https();
    let cookie = cookie::set_openid(&sealed, ticket::SECONDS, https).ok_or_else(no_randomness)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&url)).into_response())
}

/// What the provider sends a person back with.
#[derive(Deserialize)]
struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    /// Who sends them back, where the provider says so (RFC 9207).
    iss: Option<String>,
}

/// `GET /auth/oidc/callback?state=&code=`: begins a session, or says why not.
async fn callback(
    State(auth): State<Auth>,
    State(provider): State<Option<Provider>>,
    client: Client,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> HttpResult<Response> {
    let provider = configured(provider.as_ref())?;
    let now = clock::now();
    let https = auth.inner.settings.is_https();
    let returning = Returning {
        auth: &auth,
        provider,
        client: &client,
        headers: &headers,
        now,
    };
    let answer = match Box::pin(returning.run(&query)).await {
        Ok((next, session)) => {
            let cookies = AppendHeaders([(header::SET_COOKIE, session)]);
            (cookies, Redirect::to(&next)).into_response()
        }
        Err(error) => error.into_response(),
    };
    // Whatever came of it, it was this one's only use.
    let used = cookie::set_openid("", 0, https).map(|cookie| AppendHeaders([(header::SET_COOKIE, cookie)]));
    Ok((used, answer).into_response())
}

/// Somebody who comes back from the provider.
struct Returning<'a> {
    auth: &'a Auth,
    provider: &'a Provider,
    client: &'a Client,
    headers: &'a HeaderMap,
    now: Timestamp,
}

impl Returning<'_> {
    /// Where to go, and the cookie of the session.
    async fn run(&self, query: &CallbackQuery) -> HttpResult<(String, HeaderValue)> {
        let https = self.auth.inner.settings.is_https();
        let opened = cookie::openid(self.headers, https)
            .iter()
            .find_map(|sealed| Ticket::open(self.provider.secrets(), sealed, &query.state, self.now));
        let Some(ticket) = opened else {
            return Err(self.refuse(Refusal::state(), "").await);
        };
        // Each sign-in is one thing to guess at; many of one network are slowed down, as guesses of passwords are.
        let attempts = &self.auth.inner.attempts;
        let attempt = match attempts.begin(&ticket.state, self.client.address, self.now) {
            Ok(attempt) => attempt,
            Err(seconds) => {
                let failure = Failure::Delayed { seconds };
                self.auth.note_failure(failure, "", self.client, self.now).await;
                return Err(too_many_attempts(seconds));
            }
        };
        if !attempt.hold.is_zero() {
            tokio::time::sleep(attempt.hold).await;
        }
        let person = match self.person(&ticket, query).await {
            Ok(person) => person,
            Err(refusal) => {
                if refusal.is_outage() {
                    attempt.take_back();
                }
                return Err(self.refuse(refusal, "").await);
            }
        };
        let cookie = self.let_in(&ticket, &person).await?;
        attempt.succeeded(self.now);
        Ok((ticket.next, cookie))
    }

    async fn person(&self, ticket: &Ticket, query: &CallbackQuery) -> Result<Person, Refusal> {
        let config = self.provider.config();
        let is_of_another = query.iss.as_ref().is_some_and(|issuer| *issuer != config.issuer);
        if query.error.is_some() || is_of_another {
            return Err(Refusal::by_provider(&config.name));
        }
        match &query.code {
            Some(code) if code.len() <= MAX_CODE_BYTES => self.provider.redeem(ticket, code.clone()).await,
            _ => Err(Refusal::by_provider(&config.name)),
        }
    }

    /// Finds or makes the account, gives it what its groups give, and begins the session.
    async fn let_in(&self, ticket: &Ticket, person: &Person) -> HttpResult<HeaderValue> {
        let (db, config) = (&self.auth.inner.db, self.provider.config());
        let projects = storage::projects::list(db).await?;
        let roles = config.groups.roles(&person.groups, &projects);
        let is_known = storage::openid::is_known(db, &config.issuer, &person.subject).await?;
        let password_hash = if is_known {
            String::new()
        } else {
            // Nobody knows this password: the account has none until a link sets one.
            let password = random_token().ok_or_else(no_randomness)?;
            self.auth.hash_password(&password).await?
        };
        let arrival = Arrival {
            provider: &config.name,
            issuer: &config.issuer,
            subject: &person.subject,
            email: &person.email,
            name: &person.name,
            password_hash: &password_hash,
            roles: &roles,
            state_sha256: &token_sha256(&ticket.state),
            state_expires_at: ticket.until(),
        };
        let arrived = storage::openid::arrive(db, arrival, self.now).await?;
        self.auth.invalidate();
        let user = match arrived {
            Ok(user) => user,
            Err(turned) => {
                let refusal = Refusal::turned(turned, &config.name, &person.email);
                return Err(self.refuse(refusal, &person.email).await);
            }
        };
        let ends_at = match i64::from(config.session_hours) {
            0 => person.expires_at,
            hours => self.now.plus_micros(hours * HOUR_MICROS),
        };
        let id_token = seal_id_token(self.provider.secrets(), &person.id_token);
        let session = ProviderSession {
            name: &config.name,
            issuer: &config.issuer,
            subject: &person.subject,
            sid: person.sid.as_deref(),
            id_token: id_token.as_deref(),
        };
        self.auth
            .begin_session(
                user.id,
                self.headers,
                self.client,
                ends_at,
                Some(session),
                self.now,
            )
            .await
    }

    /// Writes down that the sign-in came to nothing.
    async fn refuse(&self, refusal: Refusal, email: &str) -> HttpError {
        let failure = Failure::Provider {
            reason: refusal.class,
        };
        self.auth
            .note_failure(failure, email, self.client, self.now)
            .await;
        let error = HttpError::from(refusal);
        if let Some(cause) = &error.cause {
            tracing::warn!(%cause, "a sign-in at the provider was refused");
        }
        error
    }
}

#[derive(Deserialize)]
struct LogoutForm {
    logout_token: String,
}

/// `POST /auth/oidc/backchannel-logout` {logout_token}: ends the sessions that the provider says are over.
async fn backchannel_logout(
    State(db): State<Db>,
    State(provider): State<Option<Provider>>,
    Form(form): Form<LogoutForm>,
) -> HttpResult<StatusCode> {
    let provider = configured(provider.as_ref())?;
    let over = match provider.logged_out(&form.logout_token).await {
        Ok(over) => over,
        Err(refusal) => {
            let error = HttpError::from(refusal);
            tracing::warn!(cause = ?error.cause, "a logout token was refused");
            let message = "That is no logout token of the provider for this server";
            return Err(HttpError::new(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                message,
            ));
        }
    };
    let issuer = &provider.config().issuer;
    let (subject, sid) = (Some(over.subject.as_str()), over.sid.as_deref());
    storage::sessions::end_of_provider(&db, issuer, subject, sid, clock::now()).await?;
    Ok(StatusCode::OK)
}

fn configured(provider: Option<&Provider>) -> HttpResult<&Provider> {
    provider.ok_or_else(|| HttpError::not_found("provider: none is configured"))
}

fn no_randomness() -> HttpError {
    HttpError::internal(anyhow::anyhow!("no randomness for a sign-in"))
}
