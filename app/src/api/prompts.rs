//! Reading prompt templates.

use domain::{PromptDay, PromptTemplate, PromptUse, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::models::overview_query::OverviewQuery;

/// The most rows of template, step and model that a page is given.
#[cfg(feature = "ssr")]
const MAX_USES: u32 = 2_000;

/// What each step did with each template within a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PromptsView {
    /// When it was read: the window's end.
    pub(crate) now: Timestamp,
    /// The window's beginning.
    pub(crate) from: Timestamp,
    /// Busiest first.
    pub(crate) uses: Vec<PromptUse>,
    /// There were more than a page is given.
    pub(crate) is_cut: bool,
}

/// One template, what uses it, and how it differs from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PromptView {
    pub(crate) template: PromptTemplate,
    /// Everything within the window, of this template and others, so that shares can be computed.
    pub(crate) window: PromptsView,
    /// Its calls by day and model.
    pub(crate) days: Vec<PromptDay>,
    /// The template it is compared with: the one asked for, else the one that its step used before.
    pub(crate) before: Option<PromptTemplate>,
    /// What changed from `before` to it; empty without `before`.
    pub(crate) changes: Vec<DiffLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiffLine {
    pub(crate) change: Change,
    /// Its text in segments; those that are new or gone within a changed line are marked.
    pub(crate) segments: Vec<(bool, String)>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// It stands in both.
    Same,
    Added,
    Removed,
    /// Lines that stand in both were left out here.
    Cut,
}

/// Every template that was used in the last `minutes` minutes.
#[server(prefix = "/ui", endpoint = "prompts/list", input = GetUrl)]
pub(crate) async fn list_prompts(slug: String, minutes: u32) -> Result<PromptsView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let from = now.plus_micros(-i64::from(minutes) * 60_000_000);
    within_window(&mut snapshot, project, (from, now)).await
}

/// One template within the window of `query`, by its first digits or all of them.
#[server(prefix = "/ui", endpoint = "prompts/get", input = Json)]
pub(crate) async fn read_prompt(
    slug: String,
    fingerprint: String,
    query: OverviewQuery,
) -> Result<PromptView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let now = crate::context::use_page_request().now;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let template = storage::prompts::template(&mut snapshot, project, &fingerprint).await?;
    let span = query.span(now);
    let window = within_window(&mut snapshot, project, (span.from, span.to.min(now))).await?;
    let (from, to) = (window.from, window.now);
    let days = storage::prompts::days(&mut snapshot, project, &template.fingerprint, from, to).await?;
    let before = query
        .before
        .or_else(|| crate::models::prompts::used_before(&window.uses, &template).map(str::to_owned));
    let before = match before {
        Some(digits) => Some(storage::prompts::template(&mut snapshot, project, &digits).await?),
        None => None,
    };
    drop(snapshot);
    // A text that is no longer kept can't be compared.
    let changes = match &before {
        Some(before) if !before.canonical.is_empty() && !template.canonical.is_empty() => {
            diff::lines_in_turn(before.canonical.clone(), template.canonical.clone()).await
        }
        _ => Vec::new(),
    };
    Ok(PromptView {
        template,
        window,
        days,
        before,
        changes,
    })
}

#[cfg(feature = "ssr")]
async fn within_window(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    (from, to): (Timestamp, Timestamp),
) -> Result<PromptsView, ApiError> {
    let mut uses = storage::prompts::uses(snapshot, project, from, to, MAX_USES + 1).await?;
    let is_cut = u32::try_from(uses.len()).is_ok_and(|rows| rows > MAX_USES);
    uses.truncate(MAX_USES as usize);
    Ok(PromptsView {
        now: to,
        from,
        uses,
        is_cut,
    })
}

#[cfg(feature = "ssr")]
pub(crate) mod diff;
