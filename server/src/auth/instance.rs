//! Who reads what concerns the whole server: its metrics, and the audit log of all of it.

use axum::http::HeaderMap;
use domain::Scope;

use super::key::{self, Presented};
use super::{Auth, Visitor};
use crate::clock;
use crate::error::{HttpError, HttpResult};

impl Auth {
    /// Lets people pass who answer for the server, and everybody where there are no accounts.
    pub async fn instance_admin(&self, headers: &HeaderMap) -> HttpResult<()> {
        if self.presented(headers).is_meant_as_key() {
            return Err(HttpError::forbidden(
                "A key belongs to a project; an admin of the server has to sign in for this",
            ));
        }
        let visitor = Visitor::find(self, headers, clock::now()).await?;
        match &visitor.viewer.user {
            Some(user) if user.is_instance_admin => Ok(()),
            None if visitor.viewer.open => Ok(()),
            None => Err(HttpError::unauthorized(key::MISSING)),
            Some(_) => Err(HttpError::forbidden(
                "This is for admins of the server; `plumbline accounts admin EMAIL` makes one",
            )),
        }
    }

    /// Lets whoever asks read the metrics: on a server with accounts a key with the scope `read`, unless the
    /// configuration says that none is needed. Does not wait for a database that is away.
    pub(crate) async fn metrics_reader(&self, headers: &HeaderMap) -> HttpResult<()> {
        if self.inner.settings.metrics_without_key {
            return Ok(());
        }
        match self.presented(headers) {
            Presented::Key(text) => self.key_or_stale(text, Scope::Read).await.map(drop),
            Presented::Malformed => Err(HttpError::unauthorized(key::MALFORMED)),
            Presented::OtherScheme | Presented::Nothing
                if self.instance_state_or_stale().await?.accounts_exist =>
            {
                Err(HttpError::unauthorized(key::MISSING))
            }
            Presented::OtherScheme | Presented::Nothing => Ok(()),
        }
    }
}
