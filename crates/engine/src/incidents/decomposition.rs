//! Where a change comes from, with no residual.
//!
//! Cost is taken apart from the outside in: runs, calls per run, the mix of steps, within a step the mix of models,
//! within a model the tokens of a call and what they cost. Each level takes apart what the level above left as
//! "dearer calls", with the logarithmic mean where factors multiply and Bennet's means where shares shift. Templates
//! are no level: an edited prompt would make a new cell out of every call and leave nothing but "mix".

mod bennet;
mod exact;
mod latency;

use std::collections::{BTreeMap, BTreeSet};

use domain::{NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};

use super::window::{ModelRates, Sums};
pub(super) use bennet::{RateCell, rate_terms};
pub(super) use latency::{LatencyCell, latency_terms, mean_terms};

/// What part of a change a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermKind {
    /// More or fewer runs, or calls where runs are unknown.
    Volume,
    /// Retries and loops.
    CallsPerRun,
    /// Dearer steps are called more often.
    StepMix,
    /// A step is answered by another model.
    ModelSwitch,
    /// Prompts became longer.
    InputLength,
    /// Answers became longer.
    OutputLength,
    /// Another part of the input came from a cache.
    Cache,
    /// Tokens cost something else.
    Price,
    /// What is billed by the call, and what rates don't explain.
    Fees,
    /// There were no calls before.
    NewSeries,
    /// There are no calls any more.
    GoneSeries,
    /// Other steps or models have more of the calls.
    Mix,
    /// The same steps and models became slower, or fail more often.
    Within,
    /// Answers became longer, so they take longer.
    Tokens,
    /// Each token takes longer.
    Speed,
    /// The first token comes later.
    FirstToken,
}

/// A part of a change, in the unit of the whole: nano-dollars, milliseconds or a share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term<Amount> {
    /// What it stands for.
    pub kind: TermKind,
    /// The step it is in, where it is in one.
    pub step: Option<String>,
    /// The model it is in, where it is in one.
    pub model: Option<String>,
    /// How much.
    pub amount: Amount,
}

/// The calls of one step and model in a period; averages of several days are no whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CostCell {
    /// Calls.
    pub calls: f64,
    /// Input from no cache, from a cache, into a cache, and output, in tokens.
    pub tokens: [f64; 4],
    /// Nano-dollars.
    pub nano: f64,
}

impl CostCell {
    /// Adds `weight` times the sums.
    pub fn add(&mut self, sums: &Sums, weight: f64) {
        self.calls += weight * sums.calls as f64;
        self.nano += weight * sums.cost.0 as f64;
        let tokens = [sums.input_fresh, sums.cache_read, sums.cache_write, sums.output];
        for (sum, more) in self.tokens.iter_mut().zip(tokens) {
            *sum += weight * more as f64;
        }
    }
}

/// By step and model.
pub type CostCells = BTreeMap<(String, String), CostCell>;

/// What is compared: a period and its baseline.
#[derive(Clone, Debug, Default)]
pub struct CostPeriod {
    /// Runs started; 0 where that is unknown.
    pub runs: f64,
    /// Calls by step and model.
    pub cells: CostCells,
    /// A time in it: which prices hold.
    pub at: Timestamp,
}

impl CostPeriod {
    fn calls(&self) -> f64 {
        self.cells.values().map(|cell| cell.calls).sum()
    }

    fn nano(&self) -> f64 {
        self.cells.values().map(|cell| cell.nano).sum()
    }
}

/// What a model costs at a time, in nano-dollars per token by bucket, and per call.
struct Rates {
    per_token: [f64; 4],
    per_call: f64,
}

fn rates_at(rates: &[ModelRates], model: &str, at: Timestamp) -> Option<Rates> {
    let row = rates
        .iter()
        .filter(|row| row.model == model && row.valid_from <= at)
        .max_by_key(|row| row.valid_from)?;
    let rate = |per_million: i64| per_million as f64 / 1e6;
    Some(Rates {
        per_token: [row.input, row.cache_read, row.cache_write, row.output].map(rate),
        per_call: row.per_request as f64,
    })
}

/// The logarithmic mean: what a change of a logarithm is worth.
fn log_mean(a: f64, b: f64) -> f64 {
    if a <= 0.0 || b <= 0.0 {
        return 0.0;
    }
    let (ratio, close) = (a / b, (a - b).abs() <= 1e-9 * a.max(b));
    if close {
        f64::midpoint(a, b)
    } else {
        (a - b) / ratio.ln()
    }
}

/// Takes the change from `before` to `after` apart. The amounts are whole nano-dollars and sum to `delta`, which the
/// caller shows as the change.
pub fn cost_terms(
    before: &CostPeriod,
    after: &CostPeriod,
    rates: &[ModelRates],
    delta: NanoUsd,
) -> Vec<Term<NanoUsd>> {
    let mut terms = Terms::default();
    let (c0, c1) = (before.nano(), after.nano());
    let (n0, n1) = (before.calls(), after.calls());
    if n0 <= 0.0 || n1 <= 0.0 {
        let kind = if n0 <= 0.0 {
            TermKind::NewSeries
        } else {
            TermKind::GoneSeries
        };
        terms.add(kind, None, None, c1 - c0);
        return terms.exact(delta);
    }
    if c0 <= 0.0 || c1 <= 0.0 {
        // Calls that cost nothing on one side: all of it is what a call costs.
        per_call_terms(before, after, rates, f64::midpoint(n0, n1), &mut terms);
        terms.add(
            TermKind::Volume,
            None,
            None,
            (n1 - n0) * f64::midpoint(c0 / n0, c1 / n1),
        );
        return terms.exact(delta);
    }
    let mean = log_mean(c1, c0);
    if before.runs > 0.0 && after.runs > 0.0 {
        terms.add(
            TermKind::Volume,
            None,
            None,
            mean * (after.runs / before.runs).ln(),
        );
        let per_run = (n1 / after.runs) / (n0 / before.runs);
        terms.add(TermKind::CallsPerRun, None, None, mean * per_run.ln());
    } else {
        terms.add(TermKind::Volume, None, None, mean * (n1 / n0).ln());
    }
    let weight = mean / log_mean(c1 / n1, c0 / n0);
    per_call_terms(before, after, rates, weight, &mut terms);
    terms.exact(delta)
}

/// What made a call dearer, times `weight`.
fn per_call_terms(
    before: &CostPeriod,
    after: &CostPeriod,
    rates: &[ModelRates],
    weight: f64,
    terms: &mut Terms,
) {
    let (n0, n1) = (before.calls(), after.calls());
    let overall = f64::midpoint(before.nano() / n0, after.nano() / n1);
    let steps: BTreeSet<&String> = before
        .cells
        .keys()
        .chain(after.cells.keys())
        .map(|(step, _)| step)
        .collect();
    for step in steps {
        let (own0, own1) = (cells_of(&before.cells, step), cells_of(&after.cells, step));
        let total = |own: &BTreeMap<&str, CostCell>| {
            own.values()
                .fold((0.0, 0.0), |sum, cell| (sum.0 + cell.calls, sum.1 + cell.nano))
        };
        let ((calls0, nano0), (calls1, nano1)) = (total(&own0), total(&own1));
        let per_call = |calls: f64, nano: f64| (calls > 0.0).then(|| nano / calls);
        let (each0, each1) = (per_call(calls0, nano0), per_call(calls1, nano1));
        // A step that is new or gone is taken to have cost the same while it was not there.
        let Some((each0, each1)) = each0.or(each1).zip(each1.or(each0)) else {
            continue;
        };
        let (share0, share1) = (calls0 / n0, calls1 / n1);
        let mixed = (share1 - share0) * (f64::midpoint(each0, each1) - overall);
        terms.add(TermKind::StepMix, Some(step), None, weight * mixed);
        if calls0 > 0.0 && calls1 > 0.0 {
            let inner = weight * f64::midpoint(share0, share1);
            let times = (before.at, after.at);
            model_terms(
                step,
                (&own0, calls0, each0),
                (&own1, calls1, each1),
                times,
                rates,
                inner,
                terms,
            );
        }
    }
}

fn cells_of<'a>(cells: &'a CostCells, step: &str) -> BTreeMap<&'a str, CostCell> {
    cells
        .iter()
        .filter(|((name, _), cell)| name == step && cell.calls > 0.0)
        .map(|((_, model), cell)| (model.as_str(), *cell))
        .collect()
}

/// The models of a step in a period, its calls, and what each of them cost.
type StepSide<'a> = (&'a BTreeMap<&'a str, CostCell>, f64, f64);

fn model_terms(
    step: &str,
    (own0, calls0, each0): StepSide<'_>,
    (own1, calls1, each1): StepSide<'_>,
    (at0, at1): (Timestamp, Timestamp),
    rates: &[ModelRates],
    weight: f64,
    terms: &mut Terms,
) {
    let overall = f64::midpoint(each0, each1);
    let models: BTreeSet<&str> = own0.keys().chain(own1.keys()).copied().collect();
    for model in models {
        let (cell0, cell1) = (own0.get(model), own1.get(model));
        // A model that was not there would have cost what it asks for the step's usual tokens.
        let each = |cell: Option<&CostCell>,
                    other: Option<&CostCell>,
                    side: &BTreeMap<&str, CostCell>,
                    calls: f64,
                    at: Timestamp| {
            cell.map(|cell| cell.nano / cell.calls)
                .or_else(|| usual_tokens_at(side, calls, rates_at(rates, model, at)?))
                .or_else(|| other.map(|other| other.nano / other.calls))
                .unwrap_or(0.0)
        };
        let model0 = each(cell0, cell1, own0, calls0, at0);
        let model1 = each(cell1, cell0, own1, calls1, at1);
        let share = |cell: Option<&CostCell>, calls: f64| cell.map_or(0.0, |cell| cell.calls / calls);
        let (share0, share1) = (share(cell0, calls0), share(cell1, calls1));
        let switched = (share1 - share0) * (f64::midpoint(model0, model1) - overall);
        terms.add(TermKind::ModelSwitch, Some(step), Some(model), weight * switched);
        let inner = weight * f64::midpoint(share0, share1);
        match (cell0, cell1) {
            (Some(cell0), Some(cell1)) => {
                let sides = [(cell0, at0), (cell1, at1)]
                    .map(|(cell, at)| Buckets::of(cell, rates_at(rates, model, at)));
                token_terms(step, model, &sides, inner, terms);
            }
            // Its price before is a guess from the tokens of others: what differs is part of the switch.
            _ => terms.add(
                TermKind::ModelSwitch,
                Some(step),
                Some(model),
                inner * (model1 - model0),
            ),
        }
    }
}

/// What a call of a step would cost with the tokens that its calls have on average.
fn usual_tokens_at(side: &BTreeMap<&str, CostCell>, calls: f64, rates: Rates) -> Option<f64> {
    if calls <= 0.0 {
        return None;
    }
    let mut each = rates.per_call;
    for (bucket, rate) in rates.per_token.iter().enumerate() {
        each += side.values().map(|cell| cell.tokens[bucket]).sum::<f64>() / calls * rate;
    }
    Some(each)
}

/// What a call of one step and model costs, by bucket.
struct Buckets {
    /// Input tokens of a call.
    input: f64,
    /// Tokens of a call by bucket.
    tokens: [f64; 4],
    /// Nano-dollars per token.
    rate: [f64; 4],
    /// What a call costs beside its tokens.
    fees: f64,
}

impl Buckets {
    fn of(cell: &CostCell, rates: Option<Rates>) -> Self {
        let tokens = cell.tokens.map(|tokens| tokens / cell.calls);
        let each = cell.nano / cell.calls;
        let all: f64 = tokens.iter().sum();
        let rate = match rates {
            Some(rates) => rates.per_token,
            // Without a list every token costs the same.
            None if all > 0.0 => [each / all; 4],
            None => [0.0; 4],
        };
        let by_rates: f64 = tokens.iter().zip(rate).map(|(tokens, rate)| tokens * rate).sum();
        Self {
            input: tokens[..3].iter().sum(),
            tokens,
            rate,
            fees: each - by_rates,
        }
    }
}

fn token_terms(step: &str, model: &str, [old, new]: &[Buckets; 2], weight: f64, terms: &mut Terms) {
    let mut add = |kind, amount: f64| terms.add(kind, Some(step), Some(model), weight * amount);
    for bucket in 0..4 {
        let (t0, t1) = (old.tokens[bucket], new.tokens[bucket]);
        let (p0, p1) = (old.rate[bucket], new.rate[bucket]);
        let (x0, x1) = (t0 * p0, t1 * p1);
        let is_output = bucket == 3;
        if x0 <= 0.0 || x1 <= 0.0 {
            // The whole change belongs to the factor that was nothing.
            let kind = match (t0 > 0.0 && t1 > 0.0, is_output) {
                (true, _) => TermKind::Price,
                (false, true) => TermKind::OutputLength,
                (false, false) if old.input > 0.0 && new.input > 0.0 => TermKind::Cache,
                (false, false) => TermKind::InputLength,
            };
            add(kind, x1 - x0);
            continue;
        }
        let mean = log_mean(x1, x0);
        add(TermKind::Price, mean * (p1 / p0).ln());
        if is_output {
            add(TermKind::OutputLength, mean * (t1 / t0).ln());
        } else {
            add(TermKind::InputLength, mean * (new.input / old.input).ln());
            add(TermKind::Cache, mean * ((t1 / new.input) / (t0 / old.input)).ln());
        }
    }
    add(TermKind::Fees, new.fees - old.fees);
}

/// Terms as they are found.
#[derive(Default)]
struct Terms(BTreeMap<(TermKind, Option<String>, Option<String>), f64>);

impl Terms {
    fn add(&mut self, kind: TermKind, step: Option<&str>, model: Option<&str>, amount: f64) {
        if amount.is_finite() {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            *self.0.entry((kind, owned(step), owned(model))).or_default() += amount;
        }
    }

    /// Whole nano-dollars that sum to `delta`, largest first; nothing of what is zero.
    fn exact(self, delta: NanoUsd) -> Vec<Term<NanoUsd>> {
        let (keys, amounts): (Vec<_>, Vec<f64>) = self.0.into_iter().unzip();
        let whole = exact::whole_parts(&amounts, delta.0);
        let mut terms: Vec<_> = keys
            .into_iter()
            .zip(whole)
            .filter(|(_, amount)| *amount != 0)
            .map(|((kind, step, model), amount)| Term {
                kind,
                step,
                model,
                amount: NanoUsd(amount),
            })
            .collect();
        terms.sort_by_key(|term| std::cmp::Reverse(term.amount.0.unsigned_abs()));
        terms
    }
}

#[cfg(test)]
mod tests;
