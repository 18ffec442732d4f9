//! Reading how the month ends, and what it may cost.

use engine::forecast::KeyForecast;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// How far back spend is read.
#[cfg(feature = "ssr")]
const HISTORY_DAYS: i64 = 120;
/// How old a deploy may be whose change is still told apart.
#[cfg(feature = "ssr")]
const DEPLOY_DAYS: i64 = 45;
/// The latest deploys that are compared with what was before them.
#[cfg(feature = "ssr")]
const COMPARED: usize = 8;

/// What the overview and the page of budgets show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ForecastView {
    /// The project first, then its keys, those that spent most first.
    pub(crate) forecasts: Vec<KeyForecast>,
    /// Labels of keys that send steps, or may.
    pub(crate) labels: Vec<String>,
}

/// How the month ends.
#[server(prefix = "/ui", endpoint = "forecast/view", input = GetUrl)]
pub(crate) async fn read_forecast(slug: String) -> Result<ForecastView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let db = crate::context::database()?;
    let mut snapshot = db.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let forecasts = forecasts(&mut snapshot, project, now).await?;
    drop(snapshot);
    let mut labels: Vec<String> = storage::keys::list(&db, project)
        .await?
        .into_iter()
        .filter(|key| key.revoked_at.is_none())
        .map(|key| key.label)
        .chain(forecasts.iter().filter_map(|forecast| forecast.key.clone()))
        .collect();
    labels.sort();
    labels.dedup();
    Ok(ForecastView { forecasts, labels })
}

/// The project's forecast, then those of its keys, as pages and the API show them.
#[cfg(feature = "ssr")]
pub async fn forecasts(
    snapshot: &mut storage::Snapshot,
    project: domain::ProjectId,
    now: domain::Timestamp,
) -> storage::Result<Vec<KeyForecast>> {
    use domain::Deploy;
    use domain::series::{Bucket, SeriesBy, SeriesFilter};
    use storage::deploys::{self, DeployFilter, MAX_PAGE};

    const DAY: i64 = Bucket::Day.micros();
    let to = now.day().plus_micros(DAY);
    let span = storage::series::Span {
        from: to.plus_micros(-HISTORY_DAYS * DAY),
        to,
        bucket: Bucket::Day,
    };
    let filter = SeriesFilter::default();
    let rows = storage::series::series(snapshot, project, &filter, span, Some(SeriesBy::Key), false).await?;
    // Those that cut the windows of the first ones too.
    let since = now.plus_micros(-DEPLOY_DAYS * DAY);
    let filter = DeployFilter {
        from: Some(since.plus_micros(-engine::rollout::REACH_MICROS)),
        ..DeployFilter::default()
    };
    let known = deploys::list(snapshot, project, &filter, None, MAX_PAGE)
        .await?
        .items;
    let latest: Vec<Deploy> = known
        .iter()
        .filter(|deploy| deploy.went_live() && deploy.at() >= since)
        .take(COMPARED)
        .cloned()
        .collect();
    let rollouts = super::rollouts::compare(
        snapshot,
        project,
        &domain::SeriesFilter::default(),
        &latest,
        &known,
        now,
    )
    .await?;
    let budgets: Vec<_> = storage::budgets::list(snapshot, project)
        .await?
        .into_iter()
        .map(|budget| (budget.key, budget.monthly))
        .collect();
    Ok(engine::forecast::forecasts(&rows, &rollouts, &budgets, now))
}
