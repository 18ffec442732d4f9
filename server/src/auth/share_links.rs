//! Who holds a link to a run. How fast links may be guessed is how fast passwords may be, by network: after a few that
//! open nothing, whoever asks from there waits, longer each time.

use app::OpenedShare;
use axum::http::StatusCode;
use domain::Timestamp;

use super::token::token_sha256;
use super::{Auth, Client};
use crate::error::{HttpError, HttpResult};
use crate::network::network_of;

impl Auth {
    /// What a link's token opens; `None` for one that opens nothing, whatever the reason.
    pub(crate) async fn open_share(
        &self,
        token: &str,
        client: &Client,
        now: Timestamp,
    ) -> HttpResult<Option<OpenedShare>> {
        let found = storage::shares::find(&self.inner.db, &token_sha256(token), now).await?;
        let network = client.address.map(network_of);
        // Addresses of accounts have an @: the two are never counted together.
        let place = format!("share links of {network:?}");
        let attempt = self.inner.attempts.begin(&place, client.address, now);
        if let Some((project, share)) = found {
            // 256 random bits are not guessed: whoever has them never waits for what others try from the same network, and
            // what was mistyped before is forgotten.
            if let Ok(attempt) = attempt {
                attempt.succeeded(now);
            }
            return Ok(Some(OpenedShare { project, share }));
        }
        let attempt = attempt.map_err(too_many)?;
        if !attempt.hold.is_zero() {
            tokio::time::sleep(attempt.hold).await;
        }
        Ok(None)
    }
}

fn too_many(wait_seconds: u32) -> HttpError {
    let unit = if wait_seconds == 1 { "second" } else { "seconds" };
    HttpError {
        retry_after_seconds: Some(wait_seconds),
        ..HttpError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_attempts",
            format!("Too many links that open nothing; try again in {wait_seconds} {unit}"),
        )
    }
}
