//! Re-pricing: every step costs what it would cost had it been received with the prices of today. A job; see
//! [`crate::jobs`].

mod totals;

use std::collections::{BTreeMap, BTreeSet};

use domain::{CostSource, NanoUsd, ProjectId, Timestamp};
use engine::pricing::PriceTable;
use serde::{Deserialize, Serialize};
use storage::Db;
use storage::jobs::{self, JobChunk, NewJob, Progress};
pub use storage::reprice::KIND;
use storage::reprice::{self, Cursor, Delta, NewCost, PricedStep, ReleaseKey, Which};
use uuid::Uuid;

use crate::background_job::{BackgroundJob, ChunkError, JobContext};
use crate::pipeline::series_id;
use crate::prices;

pub use totals::{Sum, Totals};

/// What is to be re-priced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    #[serde(flatten)]
    pub which: Which,
    /// Work out what would change, and change nothing.
    pub dry_run: bool,
}

/// Starts re-pricing in the background; the job's result is a [`Totals`] as soon as its first chunk is done.
/// `Conflict` when the project is being re-priced already.
pub async fn start(
    db: &Db,
    project: ProjectId,
    request: &Request,
    actor: &str,
    now: Timestamp,
) -> storage::Result<Uuid> {
    let new = NewJob {
        kind: KIND,
        // Two of them would undo each other.
        deduplicated: true,
        arguments: &serde_json::to_value(request).unwrap_or_default(),
    };
    jobs::start(db, project, &new, actor, now).await
}

/// What all chunks of one job need: what it is asked. Each reads the prices, so that none has older ones than when its
/// job began, or began again because they changed.
#[derive(Debug)]
pub struct Repricing {
    request: Request,
}

impl BackgroundJob for Repricing {
    const NAME: &'static str = KIND;
    type Arguments = Request;

    async fn prepare(_: &JobContext, _: ProjectId, request: Request) -> Result<Self, ChunkError> {
        Ok(Self { request })
    }

    async fn run_chunk(
        &self,
        context: &JobContext,
        chunk: JobChunk,
        now: Timestamp,
    ) -> Result<(), ChunkError> {
        let project = chunk.job.project_id;
        let stored = storage::prices::of_project(&mut context.db.snapshot(project).await?, project).await?;
        let prices = PriceTable::new(stored.into_iter().filter_map(prices::row_of).collect());
        let done = self.price_chunk(chunk, &prices, now).await?;
        if done.is_last {
            // Limits are learned from costs, and pages show them.
            context
                .tell(storage::live::notify_settings(&context.db, project))
                .await;
        }
        let runs: Vec<&str> = done.changed_runs.iter().map(String::as_str).collect();
        if !runs.is_empty() {
            let changed = storage::live::notify_costs(&context.db, project, &runs);
            context.tell(changed).await;
        }
        Ok(())
    }
}

/// What a chunk came to.
struct ChunkDone {
    is_last: bool,
    /// Runs whose cost is another now.
    changed_runs: BTreeSet<String>,
}

impl Repricing {
    /// Prices the next steps, writes what changed and commits it with the progress.
    async fn price_chunk(
        &self,
        mut chunk: JobChunk,
        prices: &PriceTable,
        now: Timestamp,
    ) -> Result<ChunkDone, ChunkError> {
        let which = &self.request.which;
        let cursor: Option<Cursor> = chunk
            .cursor
            .as_ref()
            .map(Cursor::deserialize)
            .transpose()
            .map_err(ChunkError::Arguments)?;
        let total = match chunk.job.progress_total {
            Some(total) => total,
            None => reprice::count(&mut chunk, which).await?,
        };
        let mut totals: Totals = match &chunk.job.result {
            Some(result) => Totals::deserialize(result).map_err(ChunkError::Arguments)?,
            None => Totals::default(),
        };
        let page = reprice::page(&mut chunk, which, cursor.as_ref()).await?;
        let mut changes = Vec::new();
        for step in &page.steps {
            let new = cost_of(prices, step);
            let is_other =
                (new.cost, new.source, &new.price_version) != (step.cost, step.source, &step.price_version);
            totals.add(step, &new, is_other);
            if is_other {
                changes.push((step, new));
            }
        }
        let changed_runs = if self.request.dry_run || changes.is_empty() {
            BTreeSet::new()
        } else {
            write(&mut chunk, &changes).await?
        };
        let progress = Progress {
            done: chunk.job.progress_done + page.passed_steps,
            // Steps that arrive meanwhile are looked at as well.
            total: Some(total.max(chunk.job.progress_done + page.passed_steps)),
            next: page
                .next
                .as_ref()
                .map(serde_json::to_value)
                .transpose()
                .map_err(ChunkError::Arguments)?,
            result: serde_json::to_value(&totals).map_err(ChunkError::Arguments)?,
        };
        chunk.commit(&progress, now).await?;
        Ok(ChunkDone {
            is_last: page.next.is_none(),
            changed_runs,
        })
    }
}

fn cost_of(prices: &PriceTable, step: &PricedStep) -> NewCost {
    let call = prices::Call {
        provider: step.provider.as_deref(),
        model: step.model.as_deref(),
        request_model: step.request_model.as_deref(),
        started_at: step.started_at,
        tokens: &step.tokens,
        details: &step.usage_details,
        service_tier: step.service_tier.as_deref(),
        web_searches: step.web_searches,
        reported: step.reported,
    };
    let priced = prices::cost_of(prices, &call);
    NewCost {
        cost: priced.cost,
        source: priced.source,
        price_version: priced.price_version,
    }
}

/// Writes new costs to the steps, and what they make of the sums to runs and rollups.
async fn write(
    chunk: &mut JobChunk,
    changes: &[(&PricedStep, NewCost)],
) -> storage::Result<BTreeSet<String>> {
    let written = reprice::update_steps(chunk, changes).await?;
    let mut runs: BTreeMap<(Timestamp, String), Delta> = BTreeMap::new();
    let mut hours: BTreeMap<(Timestamp, Uuid), Delta> = BTreeMap::new();
    let mut releases: BTreeMap<ReleaseKey, Delta> = BTreeMap::new();
    for ((step, new), _) in changes.iter().zip(&written).filter(|(_, written)| **written) {
        let delta = delta(step, new);
        if delta == Delta::default() {
            continue;
        }
        let own_series = || {
            series_id(
                &step.key_label,
                step.environment.as_deref(),
                &step.name,
                step.model.as_deref(),
                step.template_fingerprint.as_deref(),
            )
        };
        let series = step.other_series.unwrap_or_else(own_series);
        add(
            runs.entry((step.partition_at, step.run_id.clone())).or_default(),
            delta,
        );
        add(hours.entry((step.started_at.hour(), series)).or_default(), delta);
        if let Some(release) = &step.release {
            let key = ReleaseKey {
                hour: step.started_at.hour(),
                release: release.clone(),
                key_label: step.key_label.clone(),
                step_name: step.name.clone(),
                model: step.model.clone(),
                other_series: step.other_series,
            };
            add(releases.entry(key).or_default(), delta);
        }
    }
    let changed = runs.keys().map(|(_, run_id)| run_id.clone()).collect();
    reprice::add_to_runs(chunk, &runs.into_iter().collect::<Vec<_>>()).await?;
    reprice::add_to_releases(chunk, &releases.into_iter().collect::<Vec<_>>()).await?;
    reprice::add_to_rollups(chunk, &hours.into_iter().collect::<Vec<_>>()).await?;
    Ok(changed)
}

fn delta(step: &PricedStep, new: &NewCost) -> Delta {
    let nano = |cost: Option<NanoUsd>| cost.map_or(0, |cost| cost.0);
    let square = |cost: Option<NanoUsd>| i128::from(nano(cost)) * i128::from(nano(cost));
    let unpriced = |source: CostSource| i64::from(source == CostSource::Unknown);
    Delta {
        cost: nano(new.cost).saturating_sub(nano(step.cost)),
        cost_squares: square(new.cost) - square(step.cost),
        unpriced: unpriced(new.source) - unpriced(step.source),
        priced: i64::from(new.cost.is_some()) - i64::from(step.cost.is_some()),
    }
}

fn add(sum: &mut Delta, more: Delta) {
    sum.cost = sum.cost.saturating_add(more.cost);
    sum.cost_squares = sum.cost_squares.saturating_add(more.cost_squares);
    sum.unpriced += more.unpriced;
    sum.priced += more.priced;
}
