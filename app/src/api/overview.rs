//! Reading a project's home: what calls cost and how that moves, what shipped, what went wrong.

use domain::run::Facets;
use domain::series::{Metric, SeriesBy};
use domain::{Deploy, NanoUsd, RunSummary, Timestamp};
use engine::compare::Effect;
use engine::usual_range::UsualRange;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::api::incidents::ListedIncident;
use crate::error::ApiError;
use crate::models::overview_query::{OverviewQuery, OverviewSpan};

/// Critical runs beside the movers.
#[cfg(feature = "ssr")]
const FEW_RUNS: u32 = 7;
/// Incidents of a window.
#[cfg(feature = "ssr")]
const FEW_INCIDENTS: u32 = 50;
/// Keys, models and steps that are listed as movers.
#[cfg(feature = "ssr")]
const FEW_MOVERS: u32 = 8;

/// The metrics in the cells above the chart.
#[cfg(feature = "ssr")]
pub(crate) const CELLS: [Metric; 8] = [
    Metric::Cost,
    Metric::Calls,
    Metric::CostPerCall,
    Metric::LatencyP50,
    Metric::LatencyP95,
    Metric::ErrorRate,
    Metric::Tokens,
    Metric::AnomalyRate,
];

/// One metric of all calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) metric: Metric,
    /// In the window; `None` is unknown.
    pub(crate) now: Option<f64>,
    /// In the window before, or before the deploy.
    pub(crate) before: Option<f64>,
    /// One value for each bucket.
    pub(crate) buckets: Vec<Option<f64>>,
}

/// A metric of one key, model, step or environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// `None` for calls without one; several of the smallest together are `others`.
    pub(crate) name: Option<String>,
    /// How many were added up, where it is the rest.
    pub(crate) others: usize,
    /// One value for each bucket.
    pub(crate) buckets: Vec<Option<f64>>,
    /// Between what each usually lies, where that was worked out: of the largest series.
    pub(crate) usual: Vec<Option<UsualRange>>,
}

/// A deploy after which something was clearly worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Worse {
    pub(crate) deploy: Deploy,
    /// The key where that was.
    pub(crate) key: String,
    pub(crate) effect: Effect,
    /// The model or prompt that its calls moved to, in words.
    pub(crate) switched: Option<String>,
}

/// What moved most against the window before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mover {
    pub(crate) by: SeriesBy,
    pub(crate) name: String,
    pub(crate) before: Option<NanoUsd>,
    pub(crate) now: Option<NanoUsd>,
}

/// Everything the overview shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OverviewView {
    /// When it was read.
    pub(crate) now: Timestamp,
    pub(crate) span: OverviewSpan,
    /// In the order of [`CELLS`].
    pub(crate) cells: Vec<Cell>,
    /// The chart's series, the largest first.
    pub(crate) parts: Vec<Part>,
    /// What shipped in the window, the latest first.
    pub(crate) deploys: Vec<Deploy>,
    /// How many of them were compared with what was before.
    pub(crate) compared: usize,
    /// What the one of them made worse that made something clearly worse.
    pub(crate) worse: Option<Worse>,
    /// The deploy that the window is compared around, and the moment at which the comparison parts. Without one it is
    /// compared with the window before.
    pub(crate) since: Option<(Deploy, Timestamp)>,
    /// Incidents of the window, the latest first.
    pub(crate) incidents: Vec<ListedIncident>,
    pub(crate) movers: Vec<Mover>,
    /// They compare the halves of the window, because there was too little before it.
    pub(crate) movers_of_halves: bool,
    /// The latest critical runs.
    pub(crate) critical: Vec<RunSummary>,
    /// What the menus offer.
    pub(crate) facets: Facets,
    /// Steps in the window nobody has a price for.
    pub(crate) unpriced: i64,
    /// Whether any run was ever received; read only when the window is empty.
    pub(crate) any_run: bool,
}

/// The overview, of one moment.
#[server(prefix = "/ui", endpoint = "overview/view", input = Json)]
pub(crate) async fn read_overview(slug: String, query: OverviewQuery) -> Result<OverviewView, ApiError> {
    use domain::{RunFilter, Severity, Window};
    use storage::{deploys, series};

    use super::rollouts;
    use crate::models::rollout_words;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let span = query.span(now);
    let read = series::Span {
        from: span.before_from,
        to: span.to,
        bucket: span.bucket,
    };
    let found = series::series(&mut snapshot, project, &query.filter, read, Some(query.by), true).await?;
    let sums = server::Table::of(&found, &span);
    let filter = deploys::DeployFilter {
        from: Some(span.from),
        to: Some(span.to),
        sha: None,
    };
    let shipped = deploys::list(&mut snapshot, project, &filter, None, deploys::MAX_PAGE)
        .await?
        .items;
    let latest: Vec<Deploy> = shipped
        .iter()
        .filter(|deploy| deploy.went_live())
        .take(engine::rollout::COMPARED_DEPLOYS)
        .cloned()
        .collect();
    let all = domain::SeriesFilter::default();
    let moved = rollouts::compare(&mut snapshot, project, &all, &latest, &shipped, now).await?;
    let worse = match rollout_words::worst(&moved) {
        Some((deploy, moved, key, effect)) => Some(Worse {
            deploy: deploy.clone(),
            key: key.to_owned(),
            effect: *effect,
            switched: rollouts::switched(&mut snapshot, project, &all, moved.windows, Some(key)).await?,
        }),
        None => None,
    };
    let since = query.against.as_deref().and_then(|id| {
        let deploy = shipped
            .iter()
            .find(|deploy| deploy.id == id && deploy.went_live())?;
        Some((deploy, span.around(deploy.at())?))
    });
    let cells = match since {
        Some((_, (before, middle, to))) => {
            let sides = [(before, middle), (middle, to)];
            let [before, after] = server::sides(&mut snapshot, project, &query.filter, span, sides).await?;
            sums.cells_between(&CELLS, &before, &after)
        }
        None => sums.cells(&CELLS),
    };
    let mut parts = sums.parts(query.metric);
    if let Some(largest) = parts.first_mut() {
        server::add_usual(&mut snapshot, project, &query, span, largest).await?;
    }
    let incidents = storage::incidents::IncidentFilter {
        since: Some(span.from),
        until: Some(span.to),
        key: query.filter.key.clone(),
        ..storage::incidents::IncidentFilter::default()
    };
    let incidents = storage::incidents::list(&mut snapshot, project, &incidents, FEW_INCIDENTS).await?;
    // Sums are of hours: of less there is nothing to compare.
    let changes = if span.is_of_hours() {
        let hours = match (since, sums.is_comparable()) {
            (Some((_, around)), _) => around,
            (None, true) => (span.before_from, span.from, span.to),
            (None, false) => (span.from, span.middle(), span.to),
        };
        series::changes(&mut snapshot, project, &query.filter, hours, FEW_MOVERS).await?
    } else {
        Vec::new()
    };
    let critical = RunFilter {
        window: Window::Fixed {
            from: Some(span.from),
            to: Some(span.to),
        },
        severity: Some(Severity::Critical),
        key: query.filter.key.clone(),
        model: query.filter.model.clone(),
        step: query.filter.step.clone(),
        environment: query.filter.environment.clone(),
        ..RunFilter::default()
    };
    let critical = storage::runs::list(&mut snapshot, project, &critical, now, None, FEW_RUNS).await?;
    let facets = storage::runs::facets(&mut snapshot, project).await?;
    let is_empty = found.is_empty();
    Ok(OverviewView {
        now,
        span,
        cells,
        movers_of_halves: since.is_none() && !sums.is_comparable(),
        since: since.map(|(deploy, (_, middle, _))| (deploy.clone(), middle)),
        parts,
        unpriced: sums.unpriced(),
        deploys: shipped,
        compared: moved.len(),
        worse,
        incidents: incidents
            .iter()
            .filter_map(crate::api::incidents::listed)
            .collect(),
        movers: changes
            .into_iter()
            .map(|change| Mover {
                by: change.by,
                name: change.name,
                before: change.before,
                now: change.now,
            })
            .collect(),
        critical: critical.items,
        facets,
        any_run: !is_empty || storage::runs::any(&mut snapshot, project).await?,
    })
}

#[cfg(feature = "ssr")]
pub(crate) mod server;
