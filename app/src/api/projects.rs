//! Facts of a project and of this server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::error::ApiError;

/// Whether the project has ever received a step.
#[server(prefix = "/ui", endpoint = "projects/any_run", input = GetUrl)]
pub(crate) async fn any_run(slug: String) -> Result<bool, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?;
    Ok(storage::runs::any(&database()?, project.id).await?)
}
