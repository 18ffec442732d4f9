//! Prices as the pipeline uses them: the shipped table once, and each project's own rows over it, read from the
//! database when the project is first seen and again when a price changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{CostSource, NanoUsd, ProjectId, Timestamp, TokenUsage, UsageDetails};
use engine::pricing::{self, Billed, ModelMatch, PriceRow, PriceTable, Rates};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use storage::prices::StoredPrice;

/// What all projects' own rows may take in memory. A project that has to go is read again when it has its next step.
const MAX_BYTES: u64 = 16 << 20;
/// About what one row takes, with its place in the maps.
const ROW_BYTES: usize = 1_024;
/// About what a project takes beside its rows.
const PROJECT_BYTES: usize = 256;

/// All projects' prices. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Prices {
    db: storage::Db,
    shipped: Arc<Mutex<Option<Arc<PriceTable>>>>,
    tables: Cache<ProjectId, Arc<PriceTable>>,
    invalidations: Arc<AtomicU64>,
}

impl Prices {
    /// Nothing is read before a project is seen.
    pub fn new(db: storage::Db) -> Self {
        let weigh = |_: &ProjectId, table: &Arc<PriceTable>| {
            u32::try_from(PROJECT_BYTES + ROW_BYTES * table.own_len()).unwrap_or(u32::MAX)
        };
        Self {
            db,
            shipped: Arc::default(),
            tables: Cache::builder()
                .max_capacity(MAX_BYTES)
                .eviction_policy(EvictionPolicy::lru())
                .weigher(weigh)
                .build(),
            invalidations: Arc::default(),
        }
    }

    /// The shipped prices with the project's own, as they are now.
    pub async fn of(&self, project: ProjectId) -> storage::Result<Arc<PriceTable>> {
        loop {
            if let Some(table) = self.tables.get(&project) {
                return Ok(table);
            }
            let invalidations_before = self.invalidations.load(Ordering::Acquire);
            let mut snapshot = self.db.snapshot(project).await?;
            let known = self.shipped().clone();
            let shipped = match known {
                Some(shipped) => shipped,
                None => {
                    let stored = storage::prices::shipped(&mut snapshot, project).await?;
                    Arc::new(PriceTable::new(stored.into_iter().filter_map(row_of).collect()))
                }
            };
            let own = storage::prices::own(&mut snapshot, project).await?;
            drop(snapshot);
            let table = Arc::new(PriceTable::over(
                &shipped,
                own.into_iter().filter_map(row_of).collect(),
            ));
            let mut known = self.shipped();
            // Invalidated meanwhile: what was read may be out of date.
            if self.invalidations.load(Ordering::Acquire) == invalidations_before {
                *known = Some(shipped);
                self.tables.insert(project, Arc::clone(&table));
                return Ok(table);
            }
        }
    }

    /// Invalidates a project's prices: the next step reads them again.
    pub fn invalidate(&self, project: ProjectId) {
        let _held = self.shipped();
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        self.tables.invalidate(&project);
    }

    /// Forgets everything.
    pub fn invalidate_all(&self) {
        let mut shipped = self.shipped();
        self.invalidations.fetch_add(1, Ordering::AcqRel);
        *shipped = None;
        self.tables.invalidate_all();
    }

    fn shipped(&self) -> MutexGuard<'_, Option<Arc<PriceTable>>> {
        self.shipped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a price depends on.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who served it.
    pub provider: Option<&'a str>,
    /// The model that answered.
    pub model: Option<&'a str>,
    /// The model that was asked for.
    pub request_model: Option<&'a str>,
    /// When it began.
    pub started_at: Timestamp,
    /// Its tokens in buckets.
    pub tokens: &'a TokenUsage,
    /// Parts of the tokens, and what else is billed.
    pub details: &'a UsageDetails,
    /// The tier at which it was served.
    pub service_tier: Option<&'a str>,
    pub web_searches: Option<i64>,
    /// What the client said it costs.
    pub reported: Option<NanoUsd>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The cost; `None` when unknown.
    pub cost: Option<NanoUsd>,
    /// Where it comes from.
    pub source: CostSource,
    /// The price row behind a computed cost; behind an unknown one the row that fits the model, where there is one and
    /// the call can't be priced by it: then no price is missing.
    pub price_version: Option<String>,
    /// Size of the model's context window, where the price list says so.
    pub context_window: Option<i64>,
}

/// By the price of the model that answered, or of the one that was asked for where the answer names none. Where that
/// has no price, or the call can't be priced by it, the cost is what the client said.
pub fn cost_of(prices: &PriceTable, call: &Call<'_>) -> Cost {
    let model = [call.model, call.request_model]
        .into_iter()
        .flatten()
        .find(|model| !model.trim().is_empty());
    let row = model.and_then(|model| prices.find(call.provider, model, call.started_at));
    let billed = Billed {
        tokens: call.tokens,
        details: call.details,
        model,
        service_tier: call.service_tier,
        web_searches: call.web_searches,
        at: Some(call.started_at),
    };
    let receipt = row.and_then(|row| pricing::try_price_of(row, &billed).ok());
    // A cost below zero is a mistake: it is kept as reported, and counts nowhere.
    let reported = call.reported.filter(|reported| reported.0 >= 0);
    let (cost, source, price_version) = match (receipt, reported) {
        (Some(receipt), _) => (Some(receipt.total), CostSource::Computed, Some(receipt.price_id)),
        (None, Some(reported)) => (Some(reported), CostSource::Reported, None),
        (None, None) => (None, CostSource::Unknown, row.map(|row| row.price_id.clone())),
    };
    Cost {
        cost,
        source,
        price_version,
        context_window: row.and_then(|row| row.context_window),
    }
}

/// A stored row as the engine prices with it. One that can't be used is said in the log and left out: its models are
/// then shown as without a price.
pub fn row_of(stored: StoredPrice) -> Option<PriceRow> {
    let price_id = stored.price_id;
    let useless = |why: String| tracing::error!(price.id = %price_id, why, "a price can't be used");
    let Some(model_match) = ModelMatch::parse(&stored.model_match) else {
        useless(format!("{} is not a way to match a model", stored.model_match));
        return None;
    };
    let rates: Rates = match serde_json::from_value(stored.rates) {
        Ok(rates) => rates,
        Err(cause) => {
            useless(cause.to_string());
            return None;
        }
    };
    let row = PriceRow {
        project_own: stored.project_own,
        provider: stored.provider,
        model_match,
        model: stored.model,
        valid_from: stored.valid_from,
        rates,
        context_window: stored.context_window,
        source: stored.source,
        price_id: price_id.clone(),
    };
    match row.problem() {
        Some(problem) => {
            useless(problem);
            None
        }
        None => Some(row),
    }
}
