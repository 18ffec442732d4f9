//! Reading what the rules found over time.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;
use domain::anomaly::{
    AnomalousSteps, BucketSpan, CodePrecision, ConditionCounts, SeverityCount, TemplateCount,
};
use domain::run::Facets;
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::models::anomalies_query::AnomaliesQuery;

/// Rows of the list beside the counts.
#[cfg(feature = "ssr")]
const FEW_STEPS: u32 = 8;
/// Rows of one page of the list alone.
#[cfg(feature = "ssr")]
const STEPS_PER_PAGE: u32 = 50;
/// How far back verdicts count for a code's precision, in microseconds: 90 days.
#[cfg(feature = "ssr")]
const PRECISION_MICROS: i64 = 90 * 86_400_000_000;

/// Everything the anomalies page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnomaliesView {
    /// When it was read.
    pub(crate) now: Timestamp,
    /// What was counted: the window and as much time before it.
    pub(crate) span: BucketSpan,
    pub(crate) counts: ConditionCounts,
    /// Steps by severity; read only when the chart shows them.
    pub(crate) severities: Vec<SeverityCount>,
    /// What rose most, by template; empty when nothing rose.
    pub(crate) rise: Vec<TemplateCount>,
    /// How often each code was right.
    pub(crate) precision: Vec<CodePrecision>,
    /// The latest steps of the window.
    pub(crate) steps: AnomalousSteps,
    /// Codes that are muted.
    pub(crate) muted: BTreeSet<u16>,
    /// Points that the project gives codes itself.
    pub(crate) points: BTreeMap<u16, i32>,
    /// What the filters offer.
    pub(crate) facets: Facets,
    /// Whether any step ever had a condition; read only when nothing was found.
    pub(crate) ever: bool,
    /// Whether any step was ever received; read only when nothing was found.
    pub(crate) any_run: bool,
}

#[server(prefix = "/ui", endpoint = "anomalies/view", input = Json)]
pub(crate) async fn read_anomalies(slug: String, query: AnomaliesQuery) -> Result<AnomaliesView, ApiError> {
    use crate::models::anomalies_query::Split;
    use crate::models::rise;
    use storage::anomalies::{self, ByName};

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let span = query.span(now);
    let window = BucketSpan {
        from: span.start_of(span.count() / 2),
        ..span
    };
    let filter = &query.filter;
    let by = if query.split == Split::Model {
        ByName::Model
    } else {
        ByName::Step
    };
    let rows = if query.as_list { STEPS_PER_PAGE } else { FEW_STEPS };
    let steps = anomalies::latest(
        &mut snapshot,
        project,
        filter,
        window,
        query.cursor.as_deref(),
        rows,
    )
    .await?;
    let counts = anomalies::counts(&mut snapshot, project, filter, span, by).await?;
    let precision =
        storage::feedback::precision_by_code(&mut snapshot, project, precision_since(now)).await?;
    let severities = if query.split == Split::Severity {
        anomalies::severities(&mut snapshot, project, filter, span).await?
    } else {
        Vec::new()
    };
    let rise = match rise::steepest(&counts.cells, &precision) {
        Some(cell) => {
            anomalies::templates(&mut snapshot, project, filter, span, (cell.code, &cell.step)).await?
        }
        None => Vec::new(),
    };
    let rules: engine::Rules =
        serde_json::from_value(storage::scoring::settings(&mut snapshot, project).await?).unwrap_or_default();
    let is_empty = counts.by_code.is_empty() && steps.items.is_empty();
    Ok(AnomaliesView {
        now,
        span,
        severities,
        rise,
        precision,
        muted: rules.muted,
        points: rules.points,
        facets: storage::runs::facets(&mut snapshot, project).await?,
        ever: !is_empty || anomalies::any_condition(&mut snapshot, project).await?,
        any_run: !is_empty || storage::runs::any(&mut snapshot, project).await?,
        counts,
        steps,
    })
}

/// How often each code was right: read again when a condition is marked real or noise.
#[server(prefix = "/ui", endpoint = "anomalies/precision", input = GetUrl)]
pub(crate) async fn read_precision(slug: String) -> Result<Vec<CodePrecision>, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let since = precision_since(crate::context::use_page_request().now);
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    Ok(storage::feedback::precision_by_code(&mut snapshot, project, since).await?)
}

/// From when on verdicts count for a code's precision.
#[cfg(feature = "ssr")]
fn precision_since(now: Timestamp) -> Timestamp {
    now.plus_micros(-PRECISION_MICROS)
}
