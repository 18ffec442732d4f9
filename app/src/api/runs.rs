//! Reading runs.

#[cfg(feature = "ssr")]
mod part;

use std::collections::BTreeMap;

use domain::run::{ActivityBucket, Facets, Neighbours, RunTotals};
use domain::skeleton::Skeleton;
use domain::{RunFilter, RunSummary, StepSummary, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::timeline::groups::Group;

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
    /// Text is searched for, and texts of this project are encrypted.
    #[serde(default)]
    pub(crate) are_texts_encrypted: bool,
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
    let are_texts_encrypted = filter.q.is_some()
        && storage::payloads::sealing(&mut snapshot, project)
            .await?
            .is_some();
    Ok(RunsView {
        are_texts_encrypted,
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

/// A run of more steps is sent in part; the browser reads the whole as columns.
#[cfg(feature = "ssr")]
pub(crate) const MAX_STEPS_WHOLE: u32 = crate::timeline::layout::LONG_RUN as u32;
/// The most steps of a run that are laid out for its first screen.
#[cfg(feature = "ssr")]
const MAX_STEPS_LAID_OUT: u32 = 500_000;

/// One run, without its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunView {
    /// When it was read: where running steps end in the drawing.
    pub(crate) now: Timestamp,
    pub(crate) run: RunSummary,
    /// Its steps in the order of time; of a run that is sent in part, those with the gravest problems.
    pub(crate) steps: Vec<StepSummary>,
    /// Steps that sent a prompt which others of the run sent too, those of one prompt with one number.
    #[serde(default)]
    pub(crate) same_calls: BTreeMap<String, u32>,
    /// What is shown of a long run before the browser has read all of it.
    #[serde(default)]
    pub(crate) part: Option<RunPart>,
    /// The runs listed beside it.
    pub(crate) neighbours: Neighbours,
    /// The latest deploy that its release is of.
    #[serde(default)]
    pub(crate) deploy: Option<RunDeploy>,
    /// What people said about its conditions.
    pub(crate) feedback: Vec<domain::anomaly::Feedback>,
}

/// The deploy behind a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunDeploy {
    pub(crate) id: String,
    /// `PR 2`, or the beginning of its sha.
    pub(crate) name: String,
}

/// The first screen of a long run, and what else its page says of all steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunPart {
    /// The steps of some lines, with all that contain them.
    pub(crate) skeleton: Skeleton,
    /// Which of them lie on the critical path.
    pub(crate) on_path: Vec<bool>,
    /// The first of the lines, and how many all steps make.
    pub(crate) first_line: u32,
    pub(crate) line_count: u32,
    /// From the run's first to its last instant, in microseconds since 1970.
    pub(crate) bounds: (i64, i64),
    /// The overview strip as SVG.
    pub(crate) strip: String,
    /// The largest groups by name and model, and how many there are.
    pub(crate) groups: Vec<Group>,
    pub(crate) group_count: u32,
}

/// A run; of a long one the lines from `first_line` on and the selected step. Who has the whole of a long run already
/// says so, and gets neither lines nor steps.
#[server(prefix = "/ui", endpoint = "runs/get", input = Json)]
pub(crate) async fn read_run(
    slug: String,
    run_id: String,
    #[server(default)] first_line: u32,
    #[server(default)] selected: Option<String>,
    #[server(default)] has_whole: bool,
) -> Result<RunView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let run = storage::runs::get(&mut snapshot, project, &run_id).await?;
    let skeleton = if has_whole {
        Skeleton::default()
    } else {
        storage::steps::skeleton(&mut snapshot, project, &run_id, None, MAX_STEPS_LAID_OUT).await?
    };
    let is_long = skeleton.steps.len() > MAX_STEPS_WHOLE as usize;
    let (part, steps) = if is_long {
        let (part, mut ids) = part::of_long_run(&skeleton, &run, first_line as usize, now.micros());
        ids.extend(selected);
        let steps = storage::steps::of_ids(&mut snapshot, project, &run_id, &ids).await?;
        (Some(part), steps)
    } else if has_whole {
        (None, Vec::new())
    } else {
        let steps = storage::steps::of_run(&mut snapshot, project, &run_id, MAX_STEPS_WHOLE).await?;
        (None, steps)
    };
    let neighbours = storage::runs::neighbours(&mut snapshot, project, &run_id).await?;
    let feedback = storage::feedback::of_run(&mut snapshot, project, &run_id).await?;
    let deploy = match run.release.as_deref().and_then(domain::deploy::parse_sha) {
        Some(sha) => deploy_of(&mut snapshot, project, sha).await?,
        None => None,
    };
    let calls = skeleton.ids.iter().zip(&skeleton.steps);
    let same_calls = if is_long {
        BTreeMap::new()
    } else {
        calls
            .filter_map(|(id, step)| Some((id.clone(), step.same_call?)))
            .collect()
    };
    Ok(RunView {
        now,
        run,
        steps,
        same_calls,
        part,
        neighbours,
        deploy,
        feedback,
    })
}

/// The latest deploy of a sha, which may be only its beginning.
#[cfg(feature = "ssr")]
async fn deploy_of(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    sha: String,
) -> Result<Option<RunDeploy>, ApiError> {
    use storage::deploys::{self, DeployFilter};

    let filter = DeployFilter {
        sha: Some(sha),
        ..DeployFilter::default()
    };
    let found = deploys::list(snapshot, project, &filter, None, 1).await?;
    let deploy = found.items.into_iter().next();
    Ok(deploy.map(|deploy| RunDeploy {
        name: deploy.name(),
        id: deploy.id,
    }))
}

/// One step of a long run with its conditions; `None` when the run has no such step.
#[server(prefix = "/ui", endpoint = "steps/get", input = Json)]
pub(crate) async fn read_step(
    slug: String,
    run_id: String,
    step_id: String,
) -> Result<Option<StepSummary>, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let steps = storage::steps::of_ids(&mut snapshot, project, &run_id, &[step_id]).await?;
    Ok(steps.into_iter().next())
}
