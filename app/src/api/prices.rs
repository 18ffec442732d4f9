//! Reading prices, models without one, and how far pricing history again is.

use domain::{Timestamp, UnpricedModel};
use engine::pricing::PriceRow;
use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Rows of the shipped list that are shown at once.
pub(crate) const MAX_SHOWN: usize = 50;
/// How far back models without a price are looked for.
#[cfg(feature = "ssr")]
const UNPRICED_DAYS: i64 = 90;
/// Models without a price that are named.
#[cfg(feature = "ssr")]
pub(crate) const MAX_UNPRICED: u32 = 20;
#[cfg(feature = "ssr")]
const MAX_JOBS: u32 = 5;
/// The kind of the jobs that re-price history.
#[cfg(feature = "ssr")]
const REPRICE: &str = "reprice";

/// Prices, and what has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PricesView {
    /// When it was read.
    pub(crate) now: Timestamp,
    /// The project's own.
    pub(crate) own: Vec<PriceRow>,
    /// The shipped ones that were asked for, at most [`MAX_SHOWN`].
    pub(crate) shipped: Vec<PriceRow>,
    /// How many shipped ones there are that were asked for.
    pub(crate) found: usize,
    /// How many shipped ones there are.
    pub(crate) total: usize,
    /// Which edition of the shipped prices is stored.
    pub(crate) edition: Option<String>,
    /// Models that have calls without a price.
    pub(crate) unpriced: Vec<UnpricedModel>,
}

/// A time that history was priced again, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RepriceView {
    pub(crate) job_id: String,
    /// `waiting`, `running`, `done`, `failed`, `cancelled`.
    pub(crate) state: String,
    /// Something is still to be done.
    pub(crate) is_open: bool,
    /// Nothing is written: it only counts what would change.
    pub(crate) is_preview: bool,
    /// The one model, where not all.
    pub(crate) model: Option<String>,
    /// Steps checked.
    pub(crate) done: i64,
    /// Steps to look at, once that is known.
    pub(crate) total: Option<i64>,
    /// What came of it so far.
    pub(crate) result: Option<serde_json::Value>,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// When it was asked for.
    pub(crate) created_at: Timestamp,
    /// When it ended.
    pub(crate) finished_at: Option<Timestamp>,
}

/// The project's own prices, and the shipped ones whose provider or model holds `text`.
#[server(prefix = "/ui", endpoint = "prices/list", input = GetUrl)]
pub(crate) async fn list_prices(slug: String, text: String) -> Result<PricesView, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let db = crate::context::database()?;
    let edition = storage::prices::edition(&db).await?;
    let mut snapshot = db.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let stored = storage::prices::of_project(&mut snapshot, project).await?;
    let from = now.plus_micros(-UNPRICED_DAYS * 86_400_000_000);
    let unpriced = storage::prices::unpriced_models(&mut snapshot, project, from, MAX_UNPRICED).await?;
    let (own, shipped): (Vec<_>, Vec<_>) = stored
        .into_iter()
        .filter_map(row_of)
        .partition(|row| row.project_own);
    let total = shipped.len();
    let words = text.to_lowercase();
    let mut shipped: Vec<PriceRow> = shipped
        .into_iter()
        .filter(|row| {
            let name = format!("{} {}", row.provider, row.model).to_lowercase();
            words.split_whitespace().all(|word| name.contains(word))
        })
        .collect();
    let found = shipped.len();
    // An exact name comes first.
    let is_other = |row: &PriceRow| !words.split_whitespace().any(|word| word == row.model);
    shipped.sort_by(|a, b| {
        (is_other(a), &a.provider, &a.model)
            .cmp(&(is_other(b), &b.provider, &b.model))
            .then_with(|| b.valid_from.cmp(&a.valid_from))
    });
    shipped.truncate(MAX_SHOWN);
    Ok(PricesView {
        now,
        own,
        shipped,
        found,
        total,
        edition,
        unpriced,
    })
}

/// The latest times that history was priced again, newest first.
#[server(prefix = "/ui", endpoint = "prices/reprices", input = GetUrl)]
pub(crate) async fn list_reprices(slug: String) -> Result<Vec<RepriceView>, ApiError> {
    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let jobs = storage::jobs::list(&crate::context::database()?, project, REPRICE, MAX_JOBS).await?;
    Ok(jobs
        .into_iter()
        .map(|job| RepriceView {
            job_id: job.job_id.to_string(),
            state: job.state.as_str().to_owned(),
            is_open: job.state.is_open(),
            is_preview: job.arguments["dry_run"].as_bool().unwrap_or(false),
            model: job.arguments["model"].as_str().map(str::to_owned),
            done: job.progress_done,
            total: job.progress_total,
            result: job.result,
            error: job.error,
            created_at: job.created_at,
            finished_at: job.finished_at,
        })
        .collect())
}

/// The row as the engine knows it; `None` when it can't be read.
#[cfg(feature = "ssr")]
pub(crate) fn row_of(stored: storage::prices::StoredPrice) -> Option<PriceRow> {
    serde_json::to_value(stored).and_then(serde_json::from_value).ok()
}
