//! An incident with all that is asked about its causes.

mod terms;

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;

use super::super::decomposition::{Term, TermKind};
use super::super::detect::Detected;
use super::super::grid::{Grid, Scope};
use super::super::merge::Group;
use super::super::metric::Metric;
use super::super::onset::Onset;
use super::super::shift::Status;
use super::super::tables::{Cell, Table, WeightedHours, same_hours};
use super::super::window::MinuteRow;
use super::switches::{Switch, switches};
use terms::{by_step, terms_of};

const HOUR: i64 = 3_600_000_000;
/// Hours behind an onset that say what changed.
const AFTER: usize = 24;
/// A part of the change that is worth a word.
const LEAST_PART: f64 = 0.10;
/// A provider's change that is smaller is none.
const LEAST_DRIFT: f64 = 0.03;
/// Calls that another series has to have to say anything.
const LEAST_CALLS: f64 = 30.0;

/// An incident with all that is asked about its causes.
pub(in super::super) struct Case<'a> {
    pub(in super::super) grid: &'a Grid<'a>,
    /// Minutes, where somebody looked.
    pub(super) minutes: &'a [MinuteRow],
    pub(in super::super) scope: Scope,
    pub(in super::super) metric: Metric,
    pub(in super::super) onset: Onset,
    pub(super) before: Table<'a>,
    pub(super) after: Table<'a>,
    /// What became more, by step and kind.
    pub(super) terms: Vec<Term<f64>>,
    pub(super) switches: Vec<Switch>,
    /// Switches on other keys.
    pub(super) elsewhere: Vec<Switch>,
    pub(super) ended: Option<Timestamp>,
    /// What the incident multiplied a call's value by, as a logarithm.
    pub(super) effect: f64,
    /// The part of other keys that moved too; `None` without any.
    pub(super) others_moved: Option<f64>,
    /// Of other series with the same model, and of those with another, the part that moved.
    pub(super) by_model: (Option<f64>, Option<f64>),
    /// From 0, grown over many hours or before, to 1, at once.
    pub(super) sudden: f64,
    pub(super) prices_changed: bool,
}

impl<'a> Case<'a> {
    pub(in super::super) fn of(
        grid: &'a Grid<'a>,
        minutes: &'a [MinuteRow],
        detected: &Detected,
        group: &Group<'_>,
    ) -> Self {
        let lead = group.lead;
        let scope = detected.scopes[lead.scope].clone();
        let end = lead.shift.end;
        let first = grid
            .hour_of(group.onset.at.plus_micros(HOUR - 1))
            .min(end.saturating_sub(1));
        let after: Vec<usize> = (first..end.min(first + AFTER).max(first + 1)).collect();
        let mut days = detected.days_before(lead.scope, grid.hour_of(group.onset.from));
        if days.is_empty() {
            days = (0..first / 24).rev().take(7).map(|day| day * 24).collect();
        }
        let before = same_hours(&after, &days);
        let now: WeightedHours = after.iter().map(|hour| (*hour, 1.0)).collect();
        let (old, new) = (Table::of(grid, &before, &scope), Table::of(grid, &now, &scope));
        let around = (group.onset.from, group.onset.to);
        let mut found = switches(grid, minutes, &scope.key, &old, &new, around);
        let mut elsewhere = Vec::new();
        if let Some(step) = &scope.step {
            let whole = Scope {
                key: scope.key.clone(),
                step: None,
            };
            let (old, new) = (Table::of(grid, &before, &whole), Table::of(grid, &now, &whole));
            elsewhere = switches(grid, minutes, &scope.key, &old, &new, around);
            elsewhere.retain(|switch| switch.step != *step);
            found.retain(|switch| switch.step == *step);
        }
        let keys: BTreeSet<&str> = grid.window.series.iter().map(|name| name.key.as_str()).collect();
        for key in keys.iter().filter(|key| **key != scope.key) {
            let whole = Scope {
                key: (*key).to_owned(),
                step: None,
            };
            let (old, new) = (Table::of(grid, &before, &whole), Table::of(grid, &now, &whole));
            elsewhere.extend(switches(grid, minutes, key, &old, &new, around));
        }
        let delta_nano = new.total().nano - old.total().nano;
        let terms = terms_of(
            grid,
            &scope,
            group.component,
            group.metric,
            &before,
            &now,
            delta_nano,
        );
        let terms = by_step(terms, &old, &new);
        let mut case = Self {
            grid,
            minutes,
            metric: group.metric,
            onset: group.onset.clone(),
            terms,
            switches: found,
            elsewhere,
            ended: lead
                .shift
                .ended
                .filter(|_| lead.shift.status == Status::Closed)
                .map(|_| grid.at(end)),
            effect: value_change(group.metric, &old.total(), &new.total()),
            others_moved: None,
            by_model: (None, None),
            sudden: 0.5,
            prices_changed: grid.window.rates.iter().any(|row| {
                row.valid_from >= group.onset.from.plus_micros(-HOUR)
                    && row.valid_from <= group.onset.to.plus_micros(HOUR)
            }),
            scope,
            before: old,
            after: new,
        };
        case.onset = case.closer(&before, &now);
        case.look_around(&before, &now, &keys);
        case.sudden = case.suddenness(&after, &days);
        case
    }

    /// What the incident multiplied a call's value by on some steps, as a logarithm.
    pub(super) fn effect_on(&self, steps: &BTreeSet<&str>) -> f64 {
        self.effect_of(self.metric, steps)
    }

    fn effect_of(&self, metric: Metric, steps: &BTreeSet<&str>) -> f64 {
        let sum = |table: &Table<'_>| {
            let own = table.cells.iter();
            let own = own.filter(|(name, _)| steps.is_empty() || steps.contains(name.step.as_str()));
            own.fold(Cell::default(), |mut sum, (_, cell)| {
                sum.merge(cell);
                sum
            })
        };
        value_change(metric, &sum(&self.before), &sum(&self.after))
    }

    /// What a provider can change behind a model's name: of money, how long answers are. Prices are known.
    fn drifting(&self) -> Metric {
        match self.metric {
            Metric::Cost | Metric::CostPerCall | Metric::CostPerRun => Metric::OutputTokens,
            other => other,
        }
    }

    /// What other keys and other series of the same model did meanwhile.
    fn look_around(&mut self, before: &WeightedHours, now: &WeightedHours, keys: &BTreeSet<&str>) {
        let own = self.effect;
        if own <= 0.0 {
            return;
        }
        let own_models: BTreeSet<&str> = self.main_models();
        let steps = self.changed_steps();
        let main_step = steps
            .into_iter()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(step, _)| step.to_owned());
        let main_step = main_step.as_deref();
        let drifting = self.drifting();
        let drift = self.effect_of(drifting, &main_step.into_iter().collect());
        let (mut moved, mut all) = (0.0, 0.0);
        let (mut same, mut other) = ((0.0, 0.0), (0.0, 0.0));
        for key in keys {
            let scope = Scope {
                key: (*key).to_owned(),
                step: None,
            };
            let (old, new) = (
                Table::of(self.grid, before, &scope),
                Table::of(self.grid, now, &scope),
            );
            let has_moved = |old: &Cell, new: &Cell| value_change(self.metric, old, new) >= 0.4 * own;
            if *key != self.scope.key {
                let (a, b) = (old.total(), new.total());
                if a.calls >= LEAST_CALLS && b.calls >= LEAST_CALLS {
                    all += 1.0;
                    moved += f64::from(u8::from(has_moved(&a, &b)));
                }
            }
            let mut cells: BTreeMap<(&str, &str), (Cell, Cell)> = BTreeMap::new();
            for (name, cell) in &old.cells {
                cells.entry((&name.step, &name.model)).or_default().0.merge(cell);
            }
            for (name, cell) in &new.cells {
                cells.entry((&name.step, &name.model)).or_default().1.merge(cell);
            }
            for ((step, model), (a, b)) in &cells {
                // What changed most says nothing of what it has in common with others.
                if *key == self.scope.key && main_step == Some(*step) {
                    continue;
                }
                if a.calls >= LEAST_CALLS && b.calls >= LEAST_CALLS {
                    let count = if own_models.contains(model) {
                        &mut same
                    } else {
                        &mut other
                    };
                    let weight = b.calls.ln();
                    count.1 += weight;
                    let has_drifted = drift > LEAST_DRIFT && value_change(drifting, a, b) >= 0.4 * drift;
                    count.0 += if has_drifted { weight } else { 0.0 };
                }
            }
        }
        let part = |(k, n): (f64, f64)| (n > 0.0).then(|| k / n);
        self.others_moved = part((moved, all));
        self.by_model = (part(same), part(other));
    }

    /// Models on what changed most.
    fn main_models(&self) -> BTreeSet<&'a str> {
        let changed = self.changed_steps();
        let mut calls: BTreeMap<&str, f64> = BTreeMap::new();
        for (name, cell) in &self.after.cells {
            if changed.is_empty() || changed.contains_key(name.step.as_str()) {
                *calls.entry(&name.model).or_default() += cell.calls;
            }
        }
        let all: f64 = calls.values().sum();
        calls
            .into_iter()
            .filter(|(_, n)| *n >= 0.2 * all)
            .map(|(model, _)| model)
            .collect()
    }

    /// How much of the change each step carries, of those that carry enough.
    pub(super) fn changed_steps(&self) -> BTreeMap<&str, f64> {
        let total = self.positive();
        let mut steps: BTreeMap<&str, f64> = BTreeMap::new();
        for term in self.terms.iter().filter(|term| term.amount > 0.0) {
            if let Some(step) = &term.step {
                *steps.entry(step).or_default() += term.amount / total;
            }
        }
        steps.retain(|_, part| *part >= LEAST_PART);
        steps
    }

    pub(super) fn positive(&self) -> f64 {
        self.terms
            .iter()
            .map(|term| term.amount.max(0.0))
            .sum::<f64>()
            .max(f64::MIN_POSITIVE)
    }

    /// The part of what became more that is of these kinds.
    pub(super) fn part_of(&self, kinds: &[TermKind]) -> f64 {
        let sum: f64 = self
            .terms
            .iter()
            .filter(|term| kinds.contains(&term.kind))
            .map(|term| term.amount.max(0.0))
            .sum();
        sum / self.positive()
    }

    /// Hourly values of the scope after the onset, early against late, and before it.
    fn suddenness(&self, after: &[usize], days: &[usize]) -> f64 {
        let change = |hours: &[usize]| -> Option<f64> {
            let now = Table::of(
                self.grid,
                &hours.iter().map(|hour| (*hour, 1.0)).collect(),
                &self.scope,
            )
            .total();
            let old = Table::of(self.grid, &same_hours(hours, days), &self.scope).total();
            (now.calls >= 10.0 && old.calls > 0.0).then(|| value_change(self.metric, &old, &now))
        };
        let first = after.first().copied().unwrap_or(0);
        let early: Vec<usize> = after.iter().copied().take(3).collect();
        let late: Vec<usize> = after.iter().copied().skip(6).collect();
        let onset = self.grid.hour_of(self.onset.from);
        let earlier: Vec<usize> = (onset.saturating_sub(6)..onset.min(first)).collect();
        let whole = self.effect.max(1e-6);
        let at_once = match (change(&early), change(&late)) {
            (Some(early), Some(late)) if late > 0.0 => (early / late).clamp(0.0, 1.0),
            _ => 0.7,
        };
        let rising = change(&earlier).map_or(0.0, |before| (before / whole).clamp(0.0, 1.0));
        at_once * (1.0 - rising)
    }
}

/// The logarithm of what the metric's value was multiplied by.
fn value_change(metric: Metric, old: &Cell, new: &Cell) -> f64 {
    let each = |cell: &Cell| match metric {
        Metric::Cost | Metric::CostPerCall | Metric::CostPerRun => cell.nano / cell.known_calls.max(1e-9),
        Metric::OutputTokens => cell.output / cell.calls.max(1e-9),
        Metric::ErrorRate => (cell.errors + 0.5) / (cell.calls + 25.0),
        Metric::AnomalyRate => (cell.anomalies + 0.5) / (cell.calls + 25.0),
        Metric::LatencyP95 | Metric::TtftP95 => cell.slow_ms / cell.calls.max(1e-9),
        Metric::Calls | Metric::ShapeMix => cell.calls,
    };
    let (a, b) = (each(old), each(new));
    if a > 0.0 && b > 0.0 { (b / a).ln() } else { 0.0 }
}
