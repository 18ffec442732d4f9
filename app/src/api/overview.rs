//! Reading a project's home: what calls cost and how that moves, what shipped, what went wrong.

use domain::run::Facets;
use domain::series::{Metric, SeriesBy};
use domain::{Deploy, NanoUsd, RunSummary, Timestamp};
use engine::compare::Effect;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::models::overview_query::{OverviewQuery, OverviewSpan};

/// Critical runs beside the movers.
#[cfg(feature = "ssr")]
const FEW_RUNS: u32 = 7;
/// Keys, models and steps that are listed as movers.
#[cfg(feature = "ssr")]
const FEW_MOVERS: u32 = 8;
/// The latest deploys of a window whose before and after are compared.
#[cfg(feature = "ssr")]
const COMPARED_DEPLOYS: usize = 8;

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
    /// In the window before.
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
        .take(COMPARED_DEPLOYS)
        .cloned()
        .collect();
    let rollouts = crate::api::rollouts::compare(&mut snapshot, project, &latest, &shipped, now).await?;
    // Sums are of hours: of less there is nothing to compare.
    let changes = if span.is_of_hours() {
        let hours = match sums.is_comparable() {
            true => (span.before_from, span.from, span.to),
            false => (span.from, span.middle(), span.to),
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
        cells: sums.cells(&CELLS),
        movers_of_halves: !sums.is_comparable(),
        parts: sums.parts(query.metric),
        unpriced: sums.unpriced(),
        deploys: shipped,
        compared: rollouts.len(),
        worse: server::worse(&rollouts),
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
pub(crate) mod server {
    use std::collections::BTreeMap;

    use domain::Deploy;
    use domain::series::{BucketSums, Metric};
    use engine::rollout::RolloutEffect;
    use engine::series::Sums;

    use super::{Cell, OverviewSpan, Part, Worse};
    use crate::models::rollout_words;

    /// Series with a name of their own in the chart; the others are one.
    const NAMED: usize = 7;

    /// What was read, by group and bucket.
    pub(crate) struct Table {
        /// By group, one for each bucket that has any.
        groups: BTreeMap<Option<String>, BTreeMap<usize, Sums>>,
        before: Sums,
        /// The window before is nothing to compare with when its first half has no call: the project only began.
        is_comparable: bool,
        buckets: usize,
    }

    impl Table {
        pub(crate) fn of(found: &[BucketSums], span: &OverviewSpan) -> Self {
            let mut table = Self {
                groups: BTreeMap::new(),
                before: Sums::default(),
                is_comparable: false,
                buckets: span.buckets().len(),
            };
            let half = (span.from.micros() - span.before_from.micros()) / 2;
            for bucket in found {
                if bucket.at < span.from {
                    table.before.add_read(&bucket.sums);
                    table.is_comparable |= bucket.at.micros() - span.before_from.micros() <= half;
                    continue;
                }
                let place = (bucket.at.micros() - span.from.micros()) / span.bucket.micros();
                let group = table.groups.entry(bucket.group.clone()).or_default();
                group
                    .entry(usize::try_from(place).unwrap_or(0))
                    .or_default()
                    .add_read(&bucket.sums);
            }
            table
        }

        pub(crate) fn is_comparable(&self) -> bool {
            self.is_comparable
        }

        pub(crate) fn unpriced(&self) -> i64 {
            let all = self.groups.values().flat_map(BTreeMap::values);
            all.map(|sums| sums.unpriced).sum()
        }

        /// Each metric of all calls.
        pub(crate) fn cells(&self, metrics: &[Metric]) -> Vec<Cell> {
            let all = merged(self.groups.values());
            let mut total = Sums::default();
            for sums in all.values() {
                total.add(sums);
            }
            let value = |sums: &Sums, metric| sums.value(metric).0.map(|value| value.as_f64());
            metrics
                .iter()
                .map(|metric| Cell {
                    metric: *metric,
                    now: value(&total, *metric).filter(|_| total.calls > 0 || *metric == Metric::Cost),
                    before: value(&self.before, *metric)
                        .filter(|_| self.is_comparable && (self.before.calls > 0 || *metric == Metric::Cost)),
                    buckets: self.row(&all, *metric),
                })
                .collect()
        }

        /// The metric of each group, the largest first, and of all that have no room together.
        pub(crate) fn parts(&self, metric: Metric) -> Vec<Part> {
            let weight = |rows: &BTreeMap<usize, Sums>| {
                // By what it adds up to; of rates and percentiles by the number of calls.
                let by = if metric.adds_up() { metric } else { Metric::Calls };
                let values = rows.values().filter_map(|sums| sums.value(by).0);
                values.map(|value| value.as_f64()).sum::<f64>()
            };
            let mut groups: Vec<_> = self
                .groups
                .iter()
                .map(|(name, rows)| (weight(rows), name, rows))
                .collect();
            groups.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
            let rest = if groups.len() > NAMED + 1 {
                groups.split_off(NAMED)
            } else {
                Vec::new()
            };
            let mut parts: Vec<Part> = groups
                .into_iter()
                .map(|(_, name, rows)| Part {
                    name: name.clone(),
                    others: 0,
                    buckets: self.row(rows, metric),
                })
                .collect();
            if !rest.is_empty() {
                let others = rest.len();
                let rows = merged(rest.into_iter().map(|(_, _, rows)| rows));
                parts.push(Part {
                    name: None,
                    others,
                    buckets: self.row(&rows, metric),
                });
            }
            parts.retain(|part| part.buckets.iter().any(Option::is_some));
            parts
        }

        fn row(&self, rows: &BTreeMap<usize, Sums>, metric: Metric) -> Vec<Option<f64>> {
            (0..self.buckets)
                .map(|bucket| {
                    let sums = rows
                        .get(&bucket)
                        .filter(|sums| sums.calls > 0 || sums.cost.is_some())?;
                    sums.value(metric).0.map(|value| value.as_f64())
                })
                .collect()
        }
    }

    fn merged<'a>(groups: impl Iterator<Item = &'a BTreeMap<usize, Sums>>) -> BTreeMap<usize, Sums> {
        let mut all: BTreeMap<usize, Sums> = BTreeMap::new();
        for rows in groups {
            for (bucket, sums) in rows {
                all.entry(*bucket).or_default().add(sums);
            }
        }
        all
    }

    /// The deploy to name, if one made something clearly worse.
    pub(crate) fn worse(rollouts: &[(Deploy, RolloutEffect)]) -> Option<Worse> {
        let (deploy, moved, key, effect) = rollout_words::worst(rollouts)?;
        let part = moved.keys.iter().find(|part| part.key == key);
        Some(Worse {
            deploy: deploy.clone(),
            key: key.to_owned(),
            effect: *effect,
            switched: part.and_then(|part| {
                rollout_words::switch_words(&part.models)
                    .or_else(|| rollout_words::switch_words(&part.templates))
            }),
        })
    }
}
