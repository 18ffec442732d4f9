//! What the command menu asks.

use domain::RunSummary;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::error::ApiError;

/// The newest runs whose id, name or problem holds `text`.
#[server(prefix = "/ui", endpoint = "commands/runs", input = GetUrl)]
pub(crate) async fn find_runs(slug: String, text: String) -> Result<Vec<RunSummary>, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?;
    let filter = domain::RunFilter {
        q: Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        ..Default::default()
    };
    let mut snapshot = database()?.snapshot(project.id).await?;
    let now = use_page_request().now;
    let page = storage::runs::list(&mut snapshot, project.id, &filter, now, None, 6).await?;
    Ok(page.items)
}
