//! Judging stored steps again with other rules, fast enough to follow a slider.
//!
//! A row keeps which codes hit and the step's figures, not its texts. Limits, threshold, bands and every code that
//! follows from figures alone are worked out again; what the rules about texts found stays as it was found. Rows of
//! steps whose scoring stopped early know nothing of the texts' rules after that; [`Outcome::incomplete`] counts
//! those that these rules would have judged further.
//!
//! [`Recording`] is what the server sends and the browser keeps, [`Report`] what a page says about two outcomes.

mod incremental;
mod recording;
mod report;
mod texts;
mod wire;

use domain::Severity;

use incremental::{Bands, Learned, LearnedBar, RecentWindow, SeriesWindows};
pub use recording::{Mark, Recording, Series, Step};
pub use report::{ChangedRun, Fate, Report};
pub use texts::StepText;

use crate::codes;
use crate::facts::StepFacts;
use crate::history::StepMetric;
use crate::limits::{STATIC_COST, STATIC_LATENCY_MS, STATIC_TOKENS};
use crate::rules::{LimitMode, Rules, Threshold};
use crate::score::{Score, severity};

/// One stored step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its name, model and template together as a number from 0: layer 5 looks back on the same ones.
    pub series: u32,
    /// Latency in microseconds.
    pub latency_us: Option<i64>,
    /// Input, output and cache tokens together.
    pub tokens: Option<i64>,
    /// Cost in nano-dollars.
    pub cost_nano_usd: Option<i64>,
    /// Fresh and cached input tokens.
    pub input_tokens: Option<i64>,
    /// Output tokens, reasoning included.
    pub output_tokens: Option<i64>,
    /// Thousandths of the input that came from the prompt cache.
    pub cache_permille: Option<i64>,
    /// Whether the step called a model: only then it has limits and counts for them.
    pub is_model_call: bool,
    /// Whether the step failed.
    pub is_failed: bool,
    /// The layer after which scoring stopped.
    pub stopped_at_layer: Option<u8>,
    /// Points above those of the codes themselves: code 4011 has some when the context is nearly full.
    pub extra_points: i32,
    /// The codes that hit, except those that are worked out again from limits and bands.
    pub codes: Vec<u16>,
}

impl Row {
    /// The row of a step that was scored with these rules.
    pub fn of(facts: &StepFacts<'_>, score: &Score, series: u32, rules: &Rules) -> Self {
        let own_points = |code: u16| codes::find(code).map_or(0, |code| rules.points_of(code));
        let context = score
            .conditions
            .iter()
            .find(|condition| condition.code == codes::CONTEXT_NEAR_FULL.code);
        Self {
            series,
            latency_us: facts.latency_us(),
            tokens: facts.tokens(),
            cost_nano_usd: facts.cost.map(|cost| cost.0),
            input_tokens: facts.usage.input(),
            output_tokens: facts.usage.output,
            cache_permille: facts.cache_permille(),
            is_model_call: facts.calls_model(),
            is_failed: facts.status == domain::StepStatus::Error,
            extra_points: context.map_or(0, |condition| condition.points - own_points(condition.code)),
            stopped_at_layer: score.stopped_at_layer,
            codes: score
                .conditions
                .iter()
                .map(|condition| condition.code)
                .filter(|code| !is_learned(*code))
                .collect(),
        }
    }
}

const LIMIT_CODES: [codes::Code; 3] = [
    codes::LATENCY_THRESHOLD,
    codes::TOKENS_THRESHOLD,
    codes::COST_THRESHOLD,
];
const BAND_CODES: [codes::Code; 4] = [
    codes::LATENCY_OUTLIER,
    codes::TOKENS_OUTLIER,
    codes::COST_OUTLIER,
    codes::OUTPUT_TOKENS_OUTLIER,
];
const BAND_METRICS: [StepMetric; 4] = [
    StepMetric::LatencyUs,
    StepMetric::Tokens,
    StepMetric::Cost,
    StepMetric::OutputTokens,
];

/// Whether a code follows from what came before the step, which other rules change.
fn is_learned(code: u16) -> bool {
    let mut learned = LIMIT_CODES.iter().chain(&BAND_CODES);
    code == codes::CACHE_COLLAPSE.code || learned.any(|known| known.code == code)
}

/// Stored steps, oldest first, packed for judging them over and over.
#[derive(Clone, Debug, Default)]
pub struct Backtest {
    rows: Vec<Packed>,
    /// The code indexes of all rows, one after the other.
    hits: Vec<u8>,
    /// The rows of each series.
    series: Vec<Vec<u32>>,
    /// The rows that call a model.
    calls: Vec<u32>,
    /// What [`Backtest::remember`] learned, row by row and once more behind the last; empty before.
    memory: Vec<Learned>,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    /// Latency, tokens, cost, output tokens, cache share: what layer 5 looks at.
    metrics: [Option<i64>; 5],
    input_tokens: Option<i64>,
    series: u32,
    place_in_series: u32,
    /// Its place among the rows that call a model, or that of the next one.
    place_in_calls: u32,
    first_hit: u32,
    extra_points: i32,
    hits: u16,
    stopped_at_layer: u8,
    is_model_call: bool,
    is_failed: bool,
}

/// What became of every row under one set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The total of each row.
    pub totals: Vec<i32>,
    /// The severity of each row.
    pub severities: Vec<Severity>,
    /// Rows that these rules would judge further than they were stored: their totals may be too low.
    pub incomplete: usize,
    /// From how many points the step after the last row is critical.
    pub threshold: i32,
}

impl Backtest {
    /// Packs rows, oldest first. Codes that no longer exist are left out.
    pub fn new<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Self {
        let mut backtest = Self::default();
        // Any numbers name the series; here they count from 0 without gaps.
        let mut series = std::collections::BTreeMap::new();
        for (index, row) in rows.into_iter().enumerate() {
            let first_hit = backtest.hits.len();
            let known = row.codes.iter().filter(|code| !is_learned(**code));
            // The table has fewer than 256 codes; a test holds it to that.
            backtest.hits.extend(
                known
                    .filter_map(|code| codes::index(*code))
                    .map(|index| index as u8),
            );
            let next = series.len();
            let place = *series.entry(row.series).or_insert(next);
            if place == next {
                backtest.series.push(Vec::new());
            }
            let members = &mut backtest.series[place];
            backtest.rows.push(Packed {
                metrics: [
                    row.latency_us,
                    row.tokens,
                    row.cost_nano_usd,
                    row.output_tokens,
                    row.cache_permille,
                ],
                input_tokens: row.input_tokens,
                series: place as u32,
                place_in_series: members.len() as u32,
                place_in_calls: backtest.calls.len() as u32,
                first_hit: first_hit as u32,
                hits: (backtest.hits.len() - first_hit) as u16,
                stopped_at_layer: row.stopped_at_layer.unwrap_or(u8::MAX),
                is_model_call: row.is_model_call,
                is_failed: row.is_failed,
                extra_points: row.extra_points,
            });
            members.push(index as u32);
            if row.is_model_call {
                backtest.calls.push(index as u32);
            }
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

    /// Learns with the rules in force, so that runs with rules that differ little are quick. Changes no outcome.
    pub fn remember(&mut self, rules: &Rules) {
        // Bands are learned even where the rules in force have no use for them: others may.
        let rules = Rules {
            extended: true,
            ..rules.clone()
        };
        self.memory = Vec::new();
        let mut memory = Vec::with_capacity(self.rows.len() + 1);
        self.evaluate_all(&rules, true, |learned| memory.push(learned));
        self.memory = memory;
    }

    /// Judges every row with a set of rules.
    pub fn run(&self, rules: &Rules) -> Outcome {
        let learns = rules.mode == LimitMode::Dynamic || rules.threshold == Threshold::Dynamic;
        self.evaluate_all(rules, learns, |_| ())
    }

    fn evaluate_all(&self, rules: &Rules, learns: bool, mut note: impl FnMut(Learned)) -> Outcome {
        let prices = Prices::of(rules);
        let by_total = rules.threshold == Threshold::Dynamic;
        let mut recent = RecentWindow::new(&self.rows, &self.calls, &self.memory, by_total);
        let mut series = SeriesWindows::new(&self.rows, &self.series, &self.memory);
        let mut outcome = Outcome {
            totals: Vec::with_capacity(self.rows.len()),
            severities: Vec::with_capacity(self.rows.len()),
            incomplete: 0,
            threshold: 0,
        };
        for (index, row) in self.rows.iter().enumerate() {
            let start = row.first_hit as usize;
            let hits = self.hits.get(start..start + usize::from(row.hits)).unwrap_or(&[]);
            let learned_bar = recent.bar(index);
            let bar = Bar::of(learned_bar, rules);
            let bands = if prices.extended {
                series.bands(index, row)
            } else {
                Bands::default()
            };
            let verdict = evaluate(row, hits, &bar, &prices, bands);
            // Codes from figures alone are known whatever was stored; after layer 3 nearly all of them are.
            let is_known = row.stopped_at_layer >= 4 || verdict.last_layer <= row.stopped_at_layer;
            outcome.incomplete += usize::from(!is_known);
            outcome.totals.push(verdict.total);
            outcome.severities.push(verdict.severity);
            let is_usable = !row.is_failed && verdict.severity != Severity::Critical;
            if prices.extended {
                series.push(index, row, is_usable);
            }
            if learns && row.is_model_call {
                recent.push(index, row, verdict.total, is_usable);
            }
            note(Learned {
                bands,
                bar: learned_bar,
                is_usable,
                total: verdict.total,
            });
        }
        // What the step after the last one would find.
        let bar = recent.bar(self.rows.len());
        note(Learned {
            bar,
            ..Learned::default()
        });
        outcome.threshold = Bar::of(bar, rules).threshold;
        outcome
    }
}

/// What each code costs under a set of rules; `None` when it is off.
struct Prices {
    by_index: [Option<i32>; codes::ALL.len()],
    limits: [Option<i32>; 3],
    bands: [Option<i32>; 4],
    cache_collapse: Option<i32>,
    extended: bool,
}

impl Prices {
    fn of(rules: &Rules) -> Self {
        let price = |code: &codes::Code| rules.is_on(code).then(|| rules.points_of(code));
        let mut by_index = [None; codes::ALL.len()];
        for (slot, code) in by_index.iter_mut().zip(codes::ALL) {
            *slot = price(code);
        }
        Self {
            by_index,
            limits: LIMIT_CODES.map(|code| price(&code)),
            bands: BAND_CODES.map(|code| price(&code)),
            cache_collapse: price(&codes::CACHE_COLLAPSE),
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
    fn of(learned: LearnedBar, rules: &Rules) -> Self {
        let [latency_us, tokens, cost] = match rules.mode {
            LimitMode::Dynamic => learned.limits,
            LimitMode::Manual => [STATIC_LATENCY_MS * 1_000.0, STATIC_TOKENS, STATIC_COST.0 as f64],
        };
        let manual = &rules.limits;
        let manual_ms = manual.latency_ms.filter(|limit| limit.is_finite());
        Self {
            limits: [
                manual_ms.map_or(latency_us, |ms| ms * 1_000.0),
                manual.tokens.map_or(tokens, |tokens| tokens as f64),
                manual.cost_nano_usd.map_or(cost, |cost| cost.0 as f64),
            ],
            threshold: match rules.threshold {
                Threshold::Fixed(points) => points.max(1),
                Threshold::Dynamic => learned.threshold,
            },
        }
    }
}

struct Verdict {
    total: i32,
    severity: Severity,
    /// The last layer that was judged.
    last_layer: u8,
}

fn evaluate(row: &Packed, hits: &[u8], bar: &Bar, prices: &Prices, bands: Bands) -> Verdict {
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
    let mut total = 0i32;
    let mut last_layer = 5;
    for (layer, sum) in (1u8..).zip(by_layer) {
        let learned = match layer {
            4 => limits_and_cache(row, bar, prices, bands),
            5 => outliers(prices, bands),
            _ => 0,
        };
        total = total.saturating_add(sum).saturating_add(learned);
        if total >= bar.threshold {
            last_layer = layer;
            break;
        }
    }
    Verdict {
        total,
        severity: severity(total, bar.threshold, has_hard_failure),
        last_layer,
    }
}

/// The points of 4001 to 4003 and of 4014.
fn limits_and_cache(row: &Packed, bar: &Bar, prices: &Prices, bands: Bands) -> i32 {
    let mut sum = 0i32;
    if row.is_model_call {
        for (metric, points) in prices.limits.iter().enumerate() {
            if let (Some(value), Some(points)) = (row.metrics[metric], points)
                && value as f64 > bar.limits[metric]
                // A muted band watches nothing, so its limit stands.
                && !(bands.has_band(metric) && prices.bands[metric].is_some())
            {
                sum = sum.saturating_add(*points);
            }
        }
    }
    match prices.cache_collapse {
        Some(points) if bands.cache_collapsed() => sum.saturating_add(points),
        _ => sum,
    }
}

/// The points of layer 5.
fn outliers(prices: &Prices, bands: Bands) -> i32 {
    let outside = prices.bands.iter().enumerate();
    outside
        .filter(|(metric, _)| bands.is_outside(*metric))
        .filter_map(|(_, points)| *points)
        .fold(0, i32::saturating_add)
}
