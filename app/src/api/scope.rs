//! Reading one step, key, model or template over time: how it does, what it consists of, what shipped meanwhile.

use domain::anomaly::AnomalousSteps;
use domain::run::Facets;
use domain::series::{LayerCount, Metric, SeriesBy};
use domain::{Deploy, NanoUsd, Timestamp};
use engine::compare::Effect;
use engine::usual_range::UsualRange;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde::{Deserialize, Serialize};

use super::overview::Cell;
use crate::error::ApiError;
use crate::models::overview_query::{OverviewQuery, OverviewSpan};

/// Values of each dimension that a page lists.
#[cfg(feature = "ssr")]
const LISTED: u32 = 12;
/// Steps with conditions at the foot of the page.
#[cfg(feature = "ssr")]
const FEW_STEPS: u32 = 6;

/// What is drawn, from top to bottom, below the conditions.
#[cfg(feature = "ssr")]
const DRAWN: [Metric; 6] = [
    Metric::LatencyP95,
    Metric::LatencyP50,
    Metric::ErrorRate,
    Metric::Calls,
    Metric::Cost,
    Metric::CostPerCall,
];

/// One key, model, step, environment or template among the calls of the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedPart {
    pub(crate) by: SeriesBy,
    /// `None` for calls without one.
    pub(crate) name: Option<String>,
    pub(crate) calls: i64,
    pub(crate) errors: i64,
    /// Calls that are warning or critical.
    pub(crate) anomalies: i64,
    pub(crate) unpriced: i64,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) cost_per_call: Option<NanoUsd>,
    /// The hour of its first call in the window.
    pub(crate) first: Timestamp,
}

/// One metric over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DrawnMetric {
    pub(crate) metric: Metric,
    /// One value for each bucket.
    pub(crate) buckets: Vec<Option<f64>>,
    /// Between what each usually lies; empty where nothing is usual, as below the hour.
    pub(crate) usual: Vec<Option<UsualRange>>,
}

/// A deploy and what its calls did before and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ComparedDeploy {
    pub(crate) deploy: Deploy,
    /// Every measure of the page's calls.
    pub(crate) effects: Vec<Effect>,
    /// The model or prompt that they moved to, in words.
    pub(crate) switched: Option<String>,
}

/// A deploy after which something was clearly worse, and what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScopeWorse {
    pub(crate) deploy: Deploy,
    pub(crate) effect: Effect,
    pub(crate) switched: Option<String>,
}

/// Everything that the page of a step, key, model or template shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScopeView {
    /// When it was read.
    pub(crate) now: Timestamp,
    pub(crate) span: OverviewSpan,
    pub(crate) by: SeriesBy,
    /// The whole name: a template may have been asked for by its first digits.
    pub(crate) name: String,
    /// The figures of the window and of the one before.
    pub(crate) cells: Vec<Cell>,
    /// What is drawn below the conditions.
    pub(crate) drawn: Vec<DrawnMetric>,
    pub(crate) layers: Vec<LayerCount>,
    /// Of each dimension but its own, those with most calls first.
    pub(crate) parts: Vec<ListedPart>,
    /// What shipped in the window, the latest first.
    pub(crate) deploys: Vec<Deploy>,
    /// How many of them were compared.
    pub(crate) compared: usize,
    /// The latest that went live and has calls on both sides.
    pub(crate) latest: Option<ComparedDeploy>,
    pub(crate) worse: Option<ScopeWorse>,
    /// When calls first named it, where that is known.
    pub(crate) first_seen: Option<Timestamp>,
    /// The latest steps with conditions; `None` where they can't be narrowed to the page's calls.
    pub(crate) steps: Option<AnomalousSteps>,
    /// Steps in the window nobody has a price for.
    pub(crate) unpriced: i64,
    /// What the menus offer.
    pub(crate) facets: Facets,
}

/// One step, key, model or template within the window and the filters of `query`.
#[server(prefix = "/ui", endpoint = "scope/view", input = Json)]
pub(crate) async fn read_scope(
    slug: String,
    by: SeriesBy,
    name: String,
    query: OverviewQuery,
) -> Result<ScopeView, ApiError> {
    use domain::anomaly::BucketSpan;
    use domain::{ConditionFilter, SeriesFilter};
    use storage::{anomalies, deploys, series};

    use super::overview::server::{Table, usual_from};
    use super::rollouts;

    let project = crate::context::authorise(&slug, domain::Role::Viewer)?.id;
    let mut snapshot = crate::context::database()?.snapshot(project).await?;
    let now = crate::context::use_page_request().now;
    let span = query.span(now);
    let (name, first_seen) = match by {
        SeriesBy::Template => {
            let template = storage::prompts::template(&mut snapshot, project, &name).await?;
            (template.fingerprint, Some(template.first_seen_at))
        }
        _ => {
            let at = series::first_seen(&mut snapshot, project, by, &name).await?;
            (name, at)
        }
    };
    let filter: SeriesFilter = query.filter.clone().with(by, Some(name.clone()));
    // What is usual needs more than the window before.
    let from = if span.is_of_hours() {
        span.before_from.min(usual_from(span))
    } else {
        span.before_from
    };
    let read = series::Span {
        from,
        to: span.to,
        bucket: span.bucket,
    };
    let found = series::series(&mut snapshot, project, &filter, read, None, true).await?;
    let compared_with: Vec<_> = found
        .iter()
        .filter(|bucket| bucket.at >= span.before_from)
        .cloned()
        .collect();
    let sums = Table::of(&compared_with, &span);
    let window = series::Span {
        from: span.from,
        ..read
    };
    let layers = series::layers(&mut snapshot, project, &filter, window).await?;
    let dimensions: Vec<SeriesBy> = SeriesBy::ALL
        .iter()
        .copied()
        .filter(|other| *other != by)
        .collect();
    let parts = series::parts(&mut snapshot, project, &filter, window, &dimensions, LISTED).await?;
    let shipped = deploys::DeployFilter {
        from: Some(span.from),
        to: Some(span.to),
        sha: None,
    };
    let shipped = deploys::list(&mut snapshot, project, &shipped, None, deploys::MAX_PAGE)
        .await?
        .items;
    let latest: Vec<Deploy> = shipped
        .iter()
        .filter(|deploy| deploy.went_live())
        .take(engine::rollout::COMPARED_DEPLOYS)
        .cloned()
        .collect();
    let moved = rollouts::compare(&mut snapshot, project, &filter, &latest, &shipped, now).await?;
    let latest = match server::latest(&moved) {
        Some((deploy, moved)) => Some(ComparedDeploy {
            deploy: deploy.clone(),
            effects: moved.effects.clone(),
            switched: rollouts::switched(&mut snapshot, project, &filter, moved.windows, None).await?,
        }),
        None => None,
    };
    let worse = match server::worse(&moved) {
        Some((deploy, moved, effect)) => Some(ScopeWorse {
            deploy: deploy.clone(),
            effect: *effect,
            switched: rollouts::switched(&mut snapshot, project, &filter, moved.windows, None).await?,
        }),
        None => None,
    };
    let steps = if filter.environment.is_none() && filter.template.is_none() {
        let conditions = ConditionFilter {
            key: filter.key.clone(),
            model: filter.model.clone(),
            step: filter.step.clone(),
            ..ConditionFilter::default()
        };
        let window = BucketSpan {
            from: span.from,
            to: span.to,
            bucket_hours: 1,
        };
        Some(anomalies::latest(&mut snapshot, project, &conditions, window, None, FEW_STEPS).await?)
    } else {
        None
    };
    Ok(ScopeView {
        now,
        span,
        by,
        name,
        cells: sums.cells(&super::overview::CELLS),
        drawn: server::drawn(&found, span),
        layers,
        parts: parts.into_iter().map(server::listed).collect(),
        compared: moved.len(),
        latest,
        worse,
        deploys: shipped,
        first_seen,
        steps,
        unpriced: sums.unpriced(),
        facets: storage::runs::facets(&mut snapshot, project).await?,
    })
}

#[cfg(feature = "ssr")]
mod server {
    use domain::series::{BucketSums, Metric, PartSums};
    use domain::{Deploy, NanoUsd, Timestamp};
    use engine::compare::{Effect, Measure, Reading};
    use engine::rollout::{RolloutEffect, looked_at};
    use engine::series::{MetricValue, Sums};
    use engine::usual_range::usual_ranges;

    use super::{DRAWN, DrawnMetric, ListedPart, OverviewSpan};
    use crate::models::rollout_words::rank;

    /// Each metric in each bucket of the window. What was found before it says what is usual.
    pub(super) fn drawn(found: &[BucketSums], span: OverviewSpan) -> Vec<DrawnMetric> {
        let sums: Vec<(Timestamp, Sums)> = found
            .iter()
            .map(|bucket| (bucket.at, Sums::from(&bucket.sums)))
            .filter(|(_, sums)| sums.calls > 0 || sums.cost.is_some())
            .collect();
        let buckets = span.buckets();
        DRAWN
            .iter()
            .map(|metric| {
                let values: Vec<(Timestamp, f64)> = sums
                    .iter()
                    .filter_map(|(at, sums)| Some((*at, sums.value(*metric).0?.as_f64())))
                    .collect();
                let value_at = |at: &Timestamp| {
                    let place = values.binary_search_by_key(at, |(at, _)| *at).ok()?;
                    values.get(place).map(|(_, value)| *value)
                };
                let usual = usual_ranges(&values, &buckets, span.bucket);
                let is_known = usual.iter().any(Option::is_some);
                DrawnMetric {
                    metric: *metric,
                    buckets: buckets.iter().map(value_at).collect(),
                    usual: if is_known { usual } else { Vec::new() },
                }
            })
            .collect()
    }

    pub(super) fn listed(part: PartSums) -> ListedPart {
        let sums = Sums::from(&part.sums);
        ListedPart {
            by: part.by,
            name: part.name,
            calls: sums.calls,
            errors: sums.errors,
            anomalies: sums.anomalies,
            unpriced: sums.unpriced,
            cost: sums.cost,
            cost_per_call: match sums.value(Metric::CostPerCall).0 {
                Some(MetricValue::Whole(nano)) => Some(NanoUsd(nano)),
                _ => None,
            },
            first: part.first,
        }
    }

    /// The latest with calls on both sides: of the others there is nothing to say.
    pub(super) fn latest(rollouts: &[(Deploy, RolloutEffect)]) -> Option<(&Deploy, &RolloutEffect)> {
        let has_both = |moved: &RolloutEffect| {
            let calls = moved.effect(Measure::CallsPerDay);
            calls.is_some_and(|calls| calls.n_before > 0 && calls.n_after > 0)
        };
        let found = rollouts.iter().find(|(_, moved)| has_both(moved))?;
        Some((&found.0, &found.1))
    }

    /// The deploy after which something was clearly worse: of several what matters most, then what is surest.
    pub(super) fn worse(rollouts: &[(Deploy, RolloutEffect)]) -> Option<(&Deploy, &RolloutEffect, &Effect)> {
        let is_named = |effect: &&Effect| {
            effect.reading == Reading::Worse
                && effect.is_notable(looked_at(1))
                && rank(effect.measure).is_some()
        };
        let order = |effect: &Effect| {
            let surely = effect.change.map_or(0.0, |change| change.standard_errors.abs());
            (rank(effect.measure), surely)
        };
        let named = rollouts.iter().flat_map(|(deploy, moved)| {
            let worse = moved.effects.iter().filter(is_named);
            worse.map(move |effect| (deploy, moved, effect))
        });
        named.max_by(|a, b| {
            let (a, b) = (order(a.2), order(b.2));
            a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
        })
    }
}
