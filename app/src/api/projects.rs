//! Facts of this server, and projects that are being deleted.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// What the settings say about this server. The server puts it into the context; an empty text is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    pub version: String,
    /// What stores the data: `private Postgres 18`.
    pub database: String,
    /// Where the data lies.
    pub data_folder: String,
    /// Where calls of Anthropic's SDKs go on to.
    pub upstream_anthropic: String,
    /// Where calls of OpenAI's SDKs go on to.
    pub upstream_openai: String,
    /// Who signs people in, where somebody does.
    pub openid_issuer: String,
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

/// Whether the project holds demo data.
#[server(prefix = "/ui", endpoint = "projects/demo_data", input = GetUrl)]
pub(crate) async fn has_demo_data(slug: String) -> Result<bool, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    Ok(storage::demo_runs::any(&mut snapshot, project).await?)
}

/// Whether spans of OpenTelemetry are kept that belong to no call of a model.
#[server(prefix = "/ui", endpoint = "projects/keeps_plain_spans", input = GetUrl)]
pub(crate) async fn keeps_plain_spans(slug: String) -> Result<bool, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    Ok(storage::spans::keeps_plain(&database()?, project).await?)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedProject {
    pub name: String,
    /// Since when.
    pub deleted_at: domain::Timestamp,
    /// Rows deleted so far.
    pub rows: i64,
    /// About how many there were, once that was estimated.
    pub total_rows: Option<i64>,
    /// Whether the last attempt failed; it is made again.
    pub is_failing: bool,
}

/// The projects of whoever looks that are being deleted.
#[server(prefix = "/ui", endpoint = "projects/deleted", input = GetUrl)]
pub(crate) async fn list_deleted_projects(slug: String) -> Result<Vec<DeletedProject>, ApiError> {
    use crate::context::{authorise, database, use_viewer};

    authorise(&slug, domain::Role::Viewer)?;
    // On an open server everybody is everything.
    let of = use_viewer().user.map(|user| user.id);
    let under_way = storage::projects::deletion::under_way(&database()?, of).await?;
    Ok(under_way
        .into_iter()
        .map(|deletion| DeletedProject {
            name: deletion.name,
            deleted_at: deletion.deleted_at,
            rows: deletion.rows,
            total_rows: deletion.total_rows,
            is_failing: deletion.error.is_some(),
        })
        .collect())
}
