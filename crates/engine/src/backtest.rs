//! Judging stored steps again with other rules, fast enough to follow a slider.
//!
//! A row keeps which codes hit and the three metrics with limits, not texts: the limits of layer 4, the points,
//! the muted codes and the threshold can change, what the other rules found cannot. Rows of steps whose scoring
//! stopped early know nothing of the layers after it; [`Outcome::incomplete`] counts those that got that far.

use domain::Severity;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::facts::StepFacts;
use crate::history::{History, RecentStep, RecentSteps};
use crate::limits::{Limits, threshold};
use crate::rules::{LimitMode, Rules, Threshold};
use crate::score::{Score, severity};

/// One stored step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Latency in microseconds.
    pub latency_us: Option<i64>,
    /// All tokens.
    pub tokens: Option<i64>,
    /// Cost in nano-dollars.
    pub cost_nano_usd: Option<i64>,
    /// Whether the step called a model: only then it has limits and counts for them.
    pub is_model_call: bool,
    /// Whether the step failed.
    pub is_failed: bool,
    /// Whether layer 5 had a band for latency, tokens and cost, so that 4001, 4002 and 4003 stood down.
    pub has_band: [bool; 3],
    /// The layer after which scoring stopped.
    pub stopped_at_layer: Option<u8>,
    /// Points above those of the codes themselves: code 4011 has some when the context is nearly full.
    pub extra_points: i32,
    /// The codes that hit, except 4001 to 4003, which are worked out again.
    pub codes: Vec<u16>,
}

impl Row {
    /// The row of a step that was scored with these rules, before it is pushed to the history.
    pub fn of(facts: &StepFacts<'_>, score: &Score, history: &History, rules: &Rules) -> Self {
        let is_limit = |code: u16| LIMIT_CODES.contains(&code);
        let own_points = |code: u16| codes::find(code).map_or(0, |code| rules.points_of(code));
        let context = score
            .conditions
            .iter()
            .find(|condition| condition.code == codes::CONTEXT_NEAR_FULL.code);
        Self {
            latency_us: facts.latency_us(),
            tokens: facts.tokens(),
            cost_nano_usd: facts.cost.map(|cost| cost.0),
            is_model_call: facts.calls_model(),
            is_failed: facts.status == domain::StepStatus::Error,
            has_band: history.has_band(facts),
            extra_points: context.map_or(0, |condition| condition.points - own_points(condition.code)),
            stopped_at_layer: score.stopped_at_layer,
            codes: score
                .conditions
                .iter()
                .map(|condition| condition.code)
                .filter(|code| !is_limit(*code))
                .collect(),
        }
    }
}

const LIMIT_CODES: [u16; 3] = [
    codes::LATENCY_THRESHOLD.code,
    codes::TOKENS_THRESHOLD.code,
    codes::COST_THRESHOLD.code,
];

/// Stored steps, oldest first, packed for judging them over and over.
#[derive(Clone, Debug, Default)]
pub struct Backtest {
    rows: Vec<Packed>,
    /// The code indexes of all rows, one after the other.
    hits: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    metrics: [Option<i64>; 3],
    first_hit: u32,
    extra_points: i32,
    hits: u16,
    stopped_at_layer: u8,
    is_model_call: bool,
    is_failed: bool,
    has_band: [bool; 3],
}

/// What became of every row under one set of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The total of each row.
    pub totals: Vec<i32>,
    /// The severity of each row.
    pub severities: Vec<Severity>,
    /// Rows that these rules would judge further than they were stored.
    pub incomplete: usize,
}

/// Two outcomes side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Critical rows before.
    pub before: usize,
    /// Critical rows after.
    pub after: usize,
    /// Rows that are no longer critical.
    pub go_quiet: Vec<u32>,
    /// Rows that become critical.
    pub come_up: Vec<u32>,
}

impl Backtest {
    /// Packs rows, oldest first. Codes that no longer exist are left out.
    pub fn new<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Self {
        let mut backtest = Self::default();
        for row in rows {
            let first_hit = backtest.hits.len();
            let known = row.codes.iter().filter(|code| !LIMIT_CODES.contains(*code));
            // The table has fewer than 256 codes; a test holds it to that.
            backtest.hits.extend(
                known
                    .filter_map(|code| codes::index(*code))
                    .map(|index| index as u8),
            );
            backtest.rows.push(Packed {
                metrics: [row.latency_us, row.tokens, row.cost_nano_usd],
                first_hit: first_hit as u32,
                hits: (backtest.hits.len() - first_hit) as u16,
                stopped_at_layer: row.stopped_at_layer.unwrap_or(u8::MAX),
                is_model_call: row.is_model_call,
                is_failed: row.is_failed,
                has_band: row.has_band,
                extra_points: row.extra_points,
            });
        }
        backtest
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Judges every row with a set of rules.
    pub fn run(&self, rules: &Rules) -> Outcome {
        let prices = Prices::of(rules);
        let learns = rules.mode == LimitMode::Dynamic || rules.threshold == Threshold::Dynamic;
        let mut recent = RecentSteps::default();
        let mut bar = Bar::of(&recent, rules);
        let mut outcome = Outcome {
            totals: Vec::with_capacity(self.rows.len()),
            severities: Vec::with_capacity(self.rows.len()),
            incomplete: 0,
        };
        for row in &self.rows {
            if learns {
                bar = Bar::of(&recent, rules);
            }
            let start = row.first_hit as usize;
            let hits = self.hits.get(start..start + usize::from(row.hits)).unwrap_or(&[]);
            let (total, severity, last_layer) = judge(row, hits, &bar, &prices);
            outcome.incomplete += usize::from(last_layer > row.stopped_at_layer);
            outcome.totals.push(total);
            outcome.severities.push(severity);
            if learns && row.is_model_call {
                let is_usable = !row.is_failed && severity != Severity::Critical;
                recent.push(RecentStep {
                    metrics: row.metrics,
                    total,
                    is_usable,
                });
            }
        }
        outcome
    }
}

impl Outcome {
    /// Compares with the outcome of other rules, over the rows that pass a filter (a key, a step, all).
    pub fn compare(&self, after: &Self, mut filter: impl FnMut(usize) -> bool) -> Comparison {
        let mut comparison = Comparison::default();
        let pairs = self.severities.iter().zip(&after.severities).enumerate();
        for (index, (before, after)) in pairs.filter(|(index, _)| filter(*index)) {
            let (was, is) = (*before == Severity::Critical, *after == Severity::Critical);
            comparison.before += usize::from(was);
            comparison.after += usize::from(is);
            match (was, is) {
                (true, false) => comparison.go_quiet.push(index as u32),
                (false, true) => comparison.come_up.push(index as u32),
                _ => {}
            }
        }
        comparison
    }
}

/// What each code costs under a set of rules; `None` when it is off.
struct Prices {
    by_index: [Option<i32>; codes::ALL.len()],
    limits: [Option<i32>; 3],
    extended: bool,
}

impl Prices {
    fn of(rules: &Rules) -> Self {
        let price = |code: &codes::Code| rules.is_on(code).then(|| rules.points_of(code));
        let mut by_index = [None; codes::ALL.len()];
        for (slot, code) in by_index.iter_mut().zip(codes::ALL) {
            *slot = price(code);
        }
        let limits = [
            codes::LATENCY_THRESHOLD,
            codes::TOKENS_THRESHOLD,
            codes::COST_THRESHOLD,
        ]
        .map(|code| price(&code));
        Self {
            by_index,
            limits,
            extended: rules.extended,
        }
    }
}

/// The limits and the threshold in force for one row.
struct Bar {
    limits: [f64; 3],
    threshold: i32,
}

impl Bar {
    fn of(recent: &RecentSteps, rules: &Rules) -> Self {
        let limits = Limits::of(recent, rules);
        Self {
            // Rows keep microseconds. Nano-dollars are exact in a float up to nine million dollars a step.
            limits: [
                limits.latency_ms.limit * 1_000.0,
                limits.tokens.limit,
                limits.cost_nano_usd.limit.0 as f64,
            ],
            threshold: threshold(recent, rules),
        }
    }
}

/// The total, the severity and the last layer that was judged.
fn judge(row: &Packed, hits: &[u8], bar: &Bar, prices: &Prices) -> (i32, Severity, u8) {
    let mut by_layer = [0i32; 5];
    let mut has_hard_failure = false;
    for index in hits.iter().map(|index| usize::from(*index)) {
        let (Some(code), Some(Some(points))) = (codes::ALL.get(index), prices.by_index.get(index)) else {
            continue;
        };
        has_hard_failure |= code.layer() == 1;
        let extra = if code.code == codes::CONTEXT_NEAR_FULL.code {
            row.extra_points
        } else {
            0
        };
        if let Some(sum) = by_layer.get_mut(usize::from(code.layer()) - 1) {
            *sum = sum.saturating_add(*points).saturating_add(extra);
        }
    }
    for (metric, points) in prices.limits.iter().enumerate() {
        let stands_down = !row.is_model_call || (row.has_band[metric] && prices.extended);
        if let (Some(value), Some(points)) = (row.metrics[metric], points)
            && !stands_down
            && value as f64 > bar.limits[metric]
        {
            by_layer[3] = by_layer[3].saturating_add(*points);
        }
    }
    let mut total = 0i32;
    let mut last_layer = 5;
    for (layer, sum) in (1u8..).zip(by_layer) {
        total = total.saturating_add(sum);
        if total >= bar.threshold {
            last_layer = layer;
            break;
        }
    }
    (
        total,
        severity(total, bar.threshold, has_hard_failure),
        last_layer,
    )
}
