//! Reading what a project is connected to. It is changed by plain forms, which work without WASM.

use domain::github::{ConnectionState, GithubOptions};
use domain::{Deploy, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// The connection to GitHub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GithubView {
    pub(crate) state: ConnectionState,
    /// What is set; what is usual where it is not set up.
    pub(crate) options: GithubOptions,
    pub(crate) token: Option<SecretView>,
    pub(crate) webhook_secret: Option<SecretView>,
    pub(crate) paused_at: Option<Timestamp>,
    /// Whether GitHub is being asked at this moment.
    pub(crate) is_syncing: bool,
    pub(crate) last_attempt_at: Option<Timestamp>,
    pub(crate) last_ok_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub(crate) last_error: Option<String>,
    /// When it is asked next.
    pub(crate) next_at: Option<Timestamp>,
    pub(crate) last_event_at: Option<Timestamp>,
    /// What the last webhook was about.
    pub(crate) last_event: Option<String>,
    /// The latest deploy that came from there.
    pub(crate) last_deploy: Option<Deploy>,
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretView {
    /// Its last characters.
    pub(crate) shown: Option<String>,
    pub(crate) set_at: Timestamp,
}

/// How the project's connection to GitHub is set and how it goes; for admins, as in the API.
#[server(prefix = "/ui", endpoint = "integrations/github", input = GetUrl)]
pub(crate) async fn read_github(slug: String) -> Result<GithubView, ApiError> {
    use storage::integrations::{self, GITHUB};

    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Admin)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let Some(stored) = integrations::get(&mut snapshot, project, GITHUB).await? else {
        return Ok(GithubView {
            state: ConnectionState::Off,
            options: GithubOptions::default(),
            token: None,
            webhook_secret: None,
            paused_at: None,
            is_syncing: false,
            last_attempt_at: None,
            last_ok_at: None,
            last_error: None,
            next_at: None,
            last_event_at: None,
            last_event: None,
            last_deploy: None,
        });
    };
    let last_deploy = storage::deploys::latest_of(&mut snapshot, project, "github-").await?;
    let secret = |name: &str| {
        let found = stored.secrets.iter().find(|secret| secret.name == name)?;
        Some(SecretView {
            shown: found.shown.clone(),
            set_at: found.set_at,
        })
    };
    Ok(GithubView {
        state: stored.state(),
        token: secret("token"),
        webhook_secret: secret("webhook_secret"),
        paused_at: stored.paused_at,
        is_syncing: stored.is_claimed,
        last_attempt_at: stored.last_attempt_at,
        last_ok_at: stored.last_ok_at,
        last_error: stored.last_error,
        next_at: stored.paused_at.is_none().then_some(stored.due_at),
        last_event_at: stored.last_event_at,
        last_event: stored.last_event,
        last_deploy,
        options: serde_json::from_value(stored.options).unwrap_or_default(),
    })
}

/// The webhook secret that was made a moment ago, once: `made` is the token that the form's answer put into the address.
#[server(prefix = "/ui", endpoint = "integrations/secret", input = GetUrl)]
pub(crate) async fn reveal_webhook_secret(slug: String, made: String) -> Result<Option<String>, ApiError> {
    use storage::audit::{self, Entry};

    use crate::context::{OneTimeSecrets, authorise, database, use_page_request, use_viewer};

    let project = authorise(&slug, domain::Role::Admin)?.id;
    let Some(secret) = OneTimeSecrets::take(project, &made) else {
        return Ok(None);
    };
    let actor = use_viewer().name_in_log();
    let details = serde_json::json!({ "secret": "webhook_secret" });
    let entry = Entry::new(&actor, "integration.reveal", "github", details);
    audit::record(&database()?, project, &entry, use_page_request().now).await?;
    Ok(Some(secret))
}
