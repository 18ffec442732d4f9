//! Reading who has access to a project.

use domain::account::Member;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::error::ApiError;

/// The people of a project, by name.
#[server(prefix = "/ui", endpoint = "members/list", input = GetUrl)]
pub(crate) async fn members(slug: String) -> Result<Vec<Member>, ApiError> {
    use crate::context::{authorise, database};

    let project = authorise(&slug, domain::Role::Viewer)?;
    Ok(storage::members::list(&database()?, project.id).await?)
}
