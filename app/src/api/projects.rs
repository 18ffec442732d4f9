//! Facts of this server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// What the settings say about this server. The server puts it into the context; an empty text is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// The version of the program.
    pub version: String,
    /// What stores the data: `private Postgres 18`.
    pub database: String,
    /// Where the data lies.
    pub data_folder: String,
    /// Where calls of Anthropic's SDKs go on to.
    pub upstream_anthropic: String,
    /// Where calls of OpenAI's SDKs go on to.
    pub upstream_openai: String,
}

/// The facts of this server. Its folder is for admins.
#[server(prefix = "/ui", endpoint = "projects/server_facts", input = GetUrl)]
pub(crate) async fn read_server_facts(slug: String) -> Result<ServerFacts, ApiError> {
    use crate::context::{authorise, use_viewer};

    authorise(&slug, domain::Role::Viewer)?;
    let facts = use_context::<ServerFacts>().unwrap_or_default();
    let is_admin = use_viewer()
        .project(&slug)
        .is_some_and(|(_, role)| *role == domain::Role::Admin);
    Ok(if is_admin {
        facts
    } else {
        ServerFacts {
            data_folder: String::new(),
            ..facts
        }
    })
}
