//! Reading invitations. They are made, taken back and accepted by plain forms, which work without WASM.

use domain::account::Invitation;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The open invitations of a project, newest first.
#[server(prefix = "/ui", endpoint = "invitations/list", input = GetUrl)]
pub(crate) async fn invitations(slug: String) -> Result<Vec<Invitation>, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Admin)?;
    Ok(storage::invitations::list(&database()?, project.id, use_page_request().now).await?)
}

/// The link that was made a moment ago, once: `invited` is the token that the form's answer put into the address.
#[server(prefix = "/ui", endpoint = "invitations/reveal", input = GetUrl)]
pub(crate) async fn reveal_invitation(slug: String, invited: String) -> Result<Option<String>, ApiError> {
    use crate::context::{OneTimeSecrets, authorise, use_page_request};

    let project = authorise(&slug, domain::Role::Admin)?;
    let token = OneTimeSecrets::take(project.id, &invited);
    Ok(token.map(|token| format!("{}/invite?token={token}", use_page_request().origin)))
}

/// What the page of an invitation shows. Whether its address has an account is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    pub project: String,
    pub invitation: Invitation,
}

/// What a link is for, for whoever holds it; `None` when it is not good any more.
#[server(prefix = "/ui", endpoint = "invitations/get", input = GetUrl)]
pub(crate) async fn read_invitation(token: String) -> Result<Option<InvitationView>, ApiError> {
    use crate::context::{LinkHash, database, use_page_request};

    let Some(sha256) = LinkHash::of(&token) else {
        return Ok(None);
    };
    let found = storage::invitations::find(&database()?, &sha256, use_page_request().now).await?;
    Ok(found.map(|found| InvitationView {
        project: found.project.name,
        invitation: found.invitation,
    }))
}
