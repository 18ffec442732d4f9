//! Reading runs.

use domain::run::{ActivityBucket, Facets, Neighbours, RunTotals};
use domain::{RunFilter, RunSummary, StepSummary, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Rows of one page of the list.
pub(crate) const RUNS_PER_PAGE: u32 = 50;

/// A page of the runs list and what stands around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunsView {
    /// When it was read.
    pub(crate) now: Timestamp,
    /// The rows, newest first.
    pub(crate) items: Vec<RunSummary>,
    /// Where the next page begins.
    pub(crate) next_cursor: Option<String>,
    /// Sums over the filter, its status and severity left aside.
    pub(crate) totals: RunTotals,
    /// Runs over time.
    pub(crate) activity: Vec<ActivityBucket>,
    /// What the filter bar suggests.
    pub(crate) facets: Facets,
    /// Models whose calls in the window have no price, where a listed run has such a call.
    pub(crate) unpriced: Vec<domain::UnpricedModel>,
    /// Runs in the same window without any other filter; read only when no row was found.
    pub(crate) in_window: Option<RunTotals>,
    /// Runs over all time without any filter; read only when no row was found.
    pub(crate) ever: Option<RunTotals>,
}

/// The runs list with everything around it.
#[server(prefix = "/ui", endpoint = "runs/view", input = Json)]
pub(crate) async fn read_runs(
    slug: String,
    filter: RunFilter,
    cursor: Option<String>,
) -> Result<RunsView, ApiError> {
    use crate::models::activity::Buckets;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let page = storage::runs::list(
        &mut snapshot,
        project,
        &filter,
        now,
        cursor.as_deref(),
        RUNS_PER_PAGE,
    )
    .await?;
    let strip = Buckets::of(filter.window, now);
    let strip = storage::runs::Strip {
        from: strip.from,
        to: strip.to,
        buckets: strip.count,
    };
    let (totals, activity) = storage::runs::summary(&mut snapshot, project, &filter, now, strip).await?;
    let facets = storage::runs::facets(&mut snapshot, project).await?;
    let unpriced = if totals.unpriced_steps > 0 {
        let (from, _) = filter.window.bounds(now);
        let from = from.unwrap_or_default();
        storage::prices::unpriced_models(&mut snapshot, project, from, crate::api::prices::MAX_UNPRICED)
            .await?
    } else {
        Vec::new()
    };
    let (mut in_window, mut ever) = (None, None);
    if page.items.is_empty() && cursor.is_none() {
        let whole_window = RunFilter {
            window: filter.window,
            ..RunFilter::default()
        };
        in_window = Some(storage::runs::totals(&mut snapshot, project, &whole_window, now).await?);
        ever = Some(storage::runs::totals(&mut snapshot, project, &RunFilter::default(), now).await?);
    }
    Ok(RunsView {
        now,
        items: page.items,
        next_cursor: page.next_cursor,
        totals,
        activity,
        facets,
        unpriced,
        in_window,
        ever,
    })
}

/// Rows alone: older ones, or what is new.
#[server(prefix = "/ui", endpoint = "runs/list", input = Json)]
pub(crate) async fn list_runs(
    slug: String,
    filter: RunFilter,
    cursor: Option<String>,
) -> Result<domain::run::RunPage, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    Ok(storage::runs::list(
        &mut snapshot,
        project,
        &filter,
        now,
        cursor.as_deref(),
        RUNS_PER_PAGE,
    )
    .await?)
}

/// The most steps one page is given: more would take the browser seconds and the server's threads from ingest.
#[cfg(feature = "ssr")]
const MAX_STEPS_SHOWN: u32 = 5_000;

/// One run with its first steps, without their texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunView {
    /// When it was read: where running steps end in the drawing.
    pub(crate) now: Timestamp,
    pub(crate) run: RunSummary,
    /// Its steps in the order of time.
    pub(crate) steps: Vec<StepSummary>,
    /// The runs listed beside it.
    pub(crate) neighbours: Neighbours,
    /// What people said about its conditions.
    pub(crate) feedback: Vec<domain::anomaly::Feedback>,
}

#[server(prefix = "/ui", endpoint = "runs/get", input = Json)]
pub(crate) async fn read_run(slug: String, run_id: String) -> Result<RunView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let run = storage::runs::get(&mut snapshot, project, &run_id).await?;
    let steps = storage::steps::of_run(&mut snapshot, project, &run_id, MAX_STEPS_SHOWN).await?;
    let neighbours = storage::runs::neighbours(&mut snapshot, project, &run_id).await?;
    let feedback = storage::feedback::of_run(&mut snapshot, project, &run_id).await?;
    Ok(RunView {
        now: crate::context::use_page_request().now,
        run,
        steps,
        neighbours,
        feedback,
    })
}
