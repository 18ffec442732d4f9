//! Before and after, over all steps that were looked at and by model.

use std::collections::BTreeMap;

use domain::{CostSource, NanoUsd, usage};
use serde::{Deserialize, Serialize};
use storage::reprice::{NewCost, PricedStep};

/// Models that are listed; the rest is one line.
const MAX_MODELS: usize = 500;
/// What that line is called.
const OTHERS: &str = "(other models)";

/// What re-pricing changed, or would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// All models together.
    #[serde(flatten)]
    pub all: Sum,
    /// By model: the one that answered, else the one that was asked for.
    pub models: BTreeMap<String, Sum>,
}

/// Steps that can cost something, and what they cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// How many were looked at.
    pub steps: i64,
    /// How many have another cost, source or price row now.
    pub changed: i64,
    /// What they cost before; `None` when none of it was known.
    pub before_nano_usd: Option<NanoUsd>,
    /// What they cost now, likewise.
    pub after_nano_usd: Option<NanoUsd>,
    /// How many had no price before.
    pub unpriced_before: i64,
    /// How many have none now.
    pub unpriced_after: i64,
}

impl Totals {
    pub(super) fn add(&mut self, step: &PricedStep, new: &NewCost, is_other: bool) {
        self.all.add(step, new, is_other);
        let model = step.model.as_deref().or(step.request_model.as_deref());
        let mut model = model.unwrap_or_default();
        if self.models.len() >= MAX_MODELS && !self.models.contains_key(model) {
            model = OTHERS;
        }
        self.models
            .entry(model.to_owned())
            .or_default()
            .add(step, new, is_other);
    }
}

impl Sum {
    fn add(&mut self, step: &PricedStep, new: &NewCost, is_other: bool) {
        self.steps += 1;
        self.changed += i64::from(is_other);
        self.before_nano_usd = known(self.before_nano_usd, step.cost);
        self.after_nano_usd = known(self.after_nano_usd, new.cost);
        self.unpriced_before += i64::from(step.source == CostSource::Unknown);
        self.unpriced_after += i64::from(new.source == CostSource::Unknown);
    }
}

fn known(sum: Option<NanoUsd>, more: Option<NanoUsd>) -> Option<NanoUsd> {
    usage::known_sum(sum.map(|cost| cost.0), more.map(|cost| cost.0)).map(NanoUsd)
}
