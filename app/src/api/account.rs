//! Reading one's own account.

use domain::account::WebSession;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// A session, and whether it is the one that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    pub session: WebSession,
    pub is_current: bool,
}

/// Where whoever asks is signed in, the browser used last first.
#[server(prefix = "/ui", endpoint = "account/sessions", input = GetUrl)]
pub(crate) async fn own_sessions() -> Result<Vec<SessionView>, ApiError> {
    use crate::context::{CurrentSession, database, use_page_request, use_viewer};

    let Some(user) = use_viewer().user else {
        return Err(ApiError::Unauthorized.with_status());
    };
    let current = use_context::<CurrentSession>().map(|current| current.0);
    let current = current.as_ref().map_or(&[][..], |sha256| &sha256[..]);
    let sessions = storage::sessions::list(&database()?, user.id, current, use_page_request().now).await?;
    Ok(sessions
        .into_iter()
        .map(|(session, is_current)| SessionView { session, is_current })
        .collect())
}

/// Whose password a link sets, for whoever holds it; `None` when it is not good any more.
#[server(prefix = "/ui", endpoint = "account/reset_link", input = GetUrl)]
pub(crate) async fn read_reset_link(token: String) -> Result<Option<String>, ApiError> {
    use crate::context::{LinkHash, database, use_page_request};

    let Some(sha256) = LinkHash::of(&token) else {
        return Ok(None);
    };
    let found = storage::password_resets::find(&database()?, &sha256, use_page_request().now).await?;
    Ok(found.map(|user| user.email))
}
