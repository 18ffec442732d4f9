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

    let project = authorise(&slug, domain::Role::Admin)?.id;
    let Some(secret) = OneTimeSecrets::take(project, &made) else {
        return Ok(None);
    };
    note_reveal(project, &secret).await?;
    Ok(Some(secret))
}

/// Whether the key that was made together with the project waits to be shown, which a form does. No longer where the
/// project has a run: then the page for the first step is not needed.
#[server(prefix = "/ui", endpoint = "keys/first", input = GetUrl)]
pub(crate) async fn first_key_waits(slug: String) -> Result<bool, ApiError> {
    use crate::context::{OneTimeSecrets, authorise, database};

    let project = authorise(&slug, domain::Role::Admin)?.id;
    if storage::runs::any(&mut database()?.snapshot(project).await?, project).await? {
        return Ok(false);
    }
    Ok(OneTimeSecrets::has_first(project))
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
