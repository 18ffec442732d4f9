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
/// How much of a template's text is shown as the page opens, in bytes.
#[cfg(feature = "ssr")]
const SHOWN_BYTES: usize = 16 * 1024;
/// How much of a comparison, in lines and bytes: as the page opens, and where all was asked for.
#[cfg(feature = "ssr")]
const COMPARED: [(usize, usize); 2] = [(200, SHOWN_BYTES), (4_000, 160 * 1024)];

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
    /// Its text is cut unless all of it was asked for.
    pub(crate) template: PromptTemplate,
    /// How long its whole text is, in bytes, where only the beginning is here.
    pub(crate) cut_text_bytes: Option<usize>,
    /// Everything within the window, of this template and others, so that shares can be computed.
    pub(crate) window: PromptsView,
    /// Its calls by day and model.
    pub(crate) days: Vec<PromptDay>,
    /// The template it is compared with: the one asked for, else the one that its step used before. Its text is in
    /// `changes` alone.
    pub(crate) before: Option<PromptTemplate>,
    /// The text of `before` is no longer kept.
    pub(crate) is_before_gone: bool,
    /// What changed from `before` to it; empty without `before`.
    pub(crate) changes: Vec<DiffLine>,
    /// Only the beginning of the comparison is in `changes`.
    pub(crate) are_changes_cut: bool,
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

/// One template within the window of `query`, by its first digits or all of them; with `full` all of its text.
#[server(prefix = "/ui", endpoint = "prompts/get", input = Json)]
pub(crate) async fn read_prompt(
    slug: String,
    fingerprint: String,
    query: OverviewQuery,
    full: bool,
) -> Result<PromptView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let now = crate::context::use_page_request().now;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let mut template = storage::prompts::template(&mut snapshot, project, &fingerprint).await?;
    let span = query.span(now);
    let window = within_window(&mut snapshot, project, (span.from, span.to.min(now))).await?;
    let (from, to) = (window.from, window.now);
    let days = storage::prompts::days(&mut snapshot, project, &template.fingerprint, from, to).await?;
    let before = query
        .before
        .or_else(|| crate::models::prompts::used_before(&window.uses, &template).map(str::to_owned));
    let mut before = match before {
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
    let [opened, whole] = COMPARED;
    let (changes, are_changes_cut) = diff::beginning(changes, if full { whole } else { opened });
    let is_before_gone = before.as_ref().is_some_and(|before| before.canonical.is_empty());
    if let Some(before) = &mut before {
        before.canonical.clear();
    }
    let length = template.canonical.len();
    let cut_text_bytes = (!full && length > SHOWN_BYTES).then_some(length);
    if cut_text_bytes.is_some() {
        let end = template.canonical.floor_char_boundary(SHOWN_BYTES);
        template.canonical.truncate(end);
    }
    Ok(PromptView {
        template,
        cut_text_bytes,
        window,
        days,
        before,
        is_before_gone,
        changes,
        are_changes_cut,
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
