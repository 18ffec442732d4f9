//! Reading keys. They are made and revoked by plain forms, which work without WASM.

use domain::ApiKey;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::error::ApiError;

/// The keys of a project, revoked ones last.
#[server(prefix = "/ui", endpoint = "keys/list", input = GetUrl)]
pub(crate) async fn keys(slug: String) -> Result<Vec<ApiKey>, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?;
    let mut keys = storage::keys::list(&database()?, project.id).await?;
    keys.sort_by_key(|key| key.revoked_at.is_some());
    Ok(keys)
}

/// The key that was made a moment ago, once: `made` is the token that the form's answer put into the address.
#[server(prefix = "/ui", endpoint = "keys/reveal", input = GetUrl)]
pub(crate) async fn reveal_key(slug: String, made: String) -> Result<Option<String>, ApiError> {
    use crate::context::{OneTimeSecrets, authorise};

    let project = authorise(&slug, domain::Role::Admin)?;
    // Tokens of first keys can be guessed and belong to another question.
    if made.is_empty() || made.starts_with(crate::context::FIRST_KEY_PREFIX) {
        return Ok(None);
    }
    let Some(secret) = OneTimeSecrets::take(project.id, &made) else {
        return Ok(None);
    };
    note_reveal(project.id, &secret).await?;
    Ok(Some(secret))
}

/// The key that was made together with the project, once. `None` when it was shown before, and when the project has a
/// run: then the page for the first step is no longer needed.
#[server(prefix = "/ui", endpoint = "keys/first", input = GetUrl)]
pub(crate) async fn first_key(slug: String) -> Result<Option<String>, ApiError> {
    use crate::context::{OneTimeSecrets, authorise, database, first_key_token};

    let project = authorise(&slug, domain::Role::Admin)?;
    if storage::runs::any(&mut database()?.snapshot(project.id).await?, project.id).await? {
        return Ok(None);
    }
    let Some(secret) = OneTimeSecrets::take(project.id, &first_key_token(project.id)) else {
        return Ok(None);
    };
    note_reveal(project.id, &secret).await?;
    Ok(Some(secret))
}

/// Writes down who was shown a key, named by its first characters.
#[cfg(feature = "ssr")]
async fn note_reveal(project: domain::ProjectId, secret: &str) -> Result<(), ApiError> {
    use storage::audit::Entry;
    use storage::keys::secret::SHOWN_CHARS;

    use crate::context::{database, use_page_request, use_viewer};

    let shown = secret.get(..SHOWN_CHARS).unwrap_or_default();
    let entry = Entry::new(
        &use_viewer().name_in_log(),
        "key.reveal",
        shown,
        serde_json::json!({}),
    );
    Ok(storage::audit::record(&database()?, project, &entry, use_page_request().now).await?)
}
