//! Links to runs, as members list them and as whoever holds one opens them. They are made and taken back by plain forms.

#[cfg(any(feature = "ssr", test))]
mod hide;

use domain::{Share, ShareContent, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::api::runs::RunView;
use crate::api::steps::StepTexts;
use crate::error::ApiError;

/// What whoever holds a link sees of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SharedRun {
    /// The run with its first steps, without what is left out.
    pub(crate) view: RunView,
    pub(crate) content: ShareContent,
    pub(crate) leaves_out_people: bool,
    pub(crate) leaves_out_key: bool,
    pub(crate) expires_at: Timestamp,
}

/// The link that a request came by, once the server has found it. Without one in the context nothing is answered.
#[cfg(feature = "ssr")]
#[derive(Clone, Debug)]
pub struct OpenedShare {
    /// Whose run it is.
    pub project: domain::ProjectId,
    pub share: Share,
}

#[cfg(feature = "ssr")]
fn opened() -> Result<OpenedShare, ApiError> {
    use_context().ok_or_else(|| ApiError::NotFound.with_status())
}

/// The run of a link. The server has looked at the token before; here it only tells requests apart.
#[server(prefix = "/ui", endpoint = "shares/opened", input = GetUrl)]
pub(crate) async fn read_shared_run(token: String) -> Result<SharedRun, ApiError> {
    let _looked_at_before = token;
    let OpenedShare { project, share } = opened()?;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let run = storage::runs::get(&mut snapshot, project, &share.run_id).await?;
    let most = crate::api::runs::MAX_STEPS_WHOLE;
    let steps = storage::steps::of_run(&mut snapshot, project, &share.run_id, most).await?;
    let now = crate::context::use_page_request().now;
    Ok(SharedRun {
        view: hide::of_run(now, run, steps, &share),
        content: share.content,
        leaves_out_people: share.leaves_out_people,
        leaves_out_key: share.leaves_out_key,
        expires_at: share.expires_at,
    })
}

/// The texts of one step of that run, as far as the link shows them.
#[server(prefix = "/ui", endpoint = "shares/opened_step", input = GetUrl)]
pub(crate) async fn read_shared_step(
    token: String,
    step_id: String,
    full: bool,
) -> Result<StepTexts, ApiError> {
    let _looked_at_before = token;
    let OpenedShare { project, share } = opened()?;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let mut texts =
        crate::api::steps::texts_of(&mut snapshot, project, &share.run_id, &step_id, full).await?;
    if share.leaves_out_people {
        hide::without_people(&mut texts);
    }
    Ok(hide::of_texts(texts, share.content))
}

/// The links of one run, or of all runs where it is empty, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShareList {
    pub(crate) now: Timestamp,
    /// The run's name; `None` for all runs.
    pub(crate) run_name: Option<String>,
    pub(crate) items: Vec<Share>,
}

/// The links of one run, or of the project where `run_id` is empty.
#[server(prefix = "/ui", endpoint = "shares/list", input = GetUrl)]
pub(crate) async fn list_shares(slug: String, run_id: String) -> Result<ShareList, ApiError> {
    use crate::context::{authorise, database, use_page_request};

    let project = authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = database()?.snapshot(project).await?;
    let run_id = Some(run_id.as_str()).filter(|run_id| !run_id.is_empty());
    let run_name = match run_id {
        Some(run_id) => Some(storage::runs::get(&mut snapshot, project, run_id).await?.name),
        None => None,
    };
    let items = storage::shares::list(&mut snapshot, project, run_id, storage::shares::MAX_ROWS).await?;
    Ok(ShareList {
        now: use_page_request().now,
        run_name,
        items,
    })
}

/// The token of the link that was made a moment ago, once: `made` is what the form's answer put into the address.
#[server(prefix = "/ui", endpoint = "shares/reveal", input = GetUrl)]
pub(crate) async fn reveal_share(slug: String, made: String) -> Result<Option<String>, ApiError> {
    use crate::context::{OneTimeSecrets, authorise};

    let project = authorise(&slug, domain::Role::Member)?.id;
    Ok(OneTimeSecrets::take(project, &made))
}
