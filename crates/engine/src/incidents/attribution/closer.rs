//! An onset looked at more closely: what was switched, and the minutes of the calls that carry the change.

use std::collections::{BTreeMap, BTreeSet};

use domain::Timestamp;

use super::super::decomposition::TermKind;
use super::super::metric::Metric;
use super::super::onset::{Measure, Minute, News, Onset};
use super::super::tables::WeightedHours;
use super::super::window::{MinuteRow, Sums};
use super::case::Case;
use super::switches::Switch;

const MINUTE: i64 = 60_000_000;
/// Changes that are smaller say nothing by the minute.
const LEAST_RATIO: f64 = 1.03;

/// What is added up of a minute's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Cost,
    Output,
    Latency,
    Errors,
    Anomalies,
    Calls,
}

/// Calls, and their values and squares added up.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    calls: f64,
    total: f64,
    squares: f64,
}

impl Case<'_> {
    /// The onset by minutes where they are known, then by what was first seen.
    pub(super) fn closer(&self, before: &WeightedHours, now: &WeightedHours) -> Onset {
        let steps = self.carrying_steps();
        let by_minutes = match self.measure(&steps, before, now) {
            Some((counted, measure)) => {
                let minutes = self.minutes(&steps, counted);
                self.onset.by_minutes(measure, |hour| minutes.get(&hour).copied())
            }
            None => self.onset.clone(),
        };
        by_minutes.by_news(&self.news(now.len()))
    }

    /// The steps that carry most of the change.
    pub(super) fn carrying_steps(&self) -> BTreeSet<&str> {
        const MOST: f64 = 0.6;
        let mut steps: Vec<(&str, f64)> = self.changed_steps().into_iter().collect();
        steps.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut sum = 0.0;
        steps
            .into_iter()
            .take_while(|(_, part)| {
                let is_needed = sum < MOST;
                sum += part;
                is_needed
            })
            .map(|(step, _)| step)
            .collect()
    }

    /// What of these steps is measured by the minute.
    fn measure(
        &self,
        steps: &BTreeSet<&str>,
        before: &WeightedHours,
        now: &WeightedHours,
    ) -> Option<(Counted, Measure)> {
        let counts = [
            TermKind::Volume,
            TermKind::CallsPerRun,
            TermKind::StepMix,
            TermKind::NewSeries,
        ];
        let is_money = matches!(
            self.metric,
            Metric::Cost | Metric::CostPerCall | Metric::CostPerRun
        );
        let counted = match self.metric {
            Metric::Calls => Counted::Calls,
            _ if is_money && self.part_of(&counts) > 0.5 => Counted::Calls,
            _ if is_money => Counted::Cost,
            Metric::LatencyP95 | Metric::TtftP95 => Counted::Latency,
            Metric::OutputTokens => Counted::Output,
            Metric::ErrorRate => Counted::Errors,
            Metric::AnomalyRate => Counted::Anomalies,
            Metric::Cost | Metric::CostPerCall | Metric::CostPerRun | Metric::ShapeMix => return None,
        };
        let (old, new) = (
            self.moments(steps, before, counted),
            self.moments(steps, now, counted),
        );
        if counted == Counted::Calls {
            let ratio = (new.calls / old.calls.max(0.5)).clamp(0.05, 50.0);
            return (ratio >= LEAST_RATIO).then_some((counted, Measure::Count { ratio }));
        }
        if old.calls < 1.0 || new.calls < 1.0 {
            return None;
        }
        if matches!(counted, Counted::Errors | Counted::Anomalies) {
            let share = |side: Moments| (side.total + 0.5) / (side.calls + 25.0);
            let (before, after) = (share(old), share(new).min(0.99));
            return (after > before * LEAST_RATIO).then_some((counted, Measure::Share { before, after }));
        }
        let mean = |side: Moments| side.total / side.calls;
        let (before, after) = (mean(old), mean(new));
        let relative = |side: Moments| side.squares * side.calls / (side.total * side.total) - 1.0;
        let variance = relative(old).max(relative(new)).clamp(0.02, 50.0);
        let is_larger = before > 0.0 && after > before * LEAST_RATIO && variance.is_finite();
        is_larger.then_some((
            counted,
            Measure::Mean {
                before,
                after,
                variance,
            },
        ))
    }

    fn moments(&self, steps: &BTreeSet<&str>, hours: &WeightedHours, counted: Counted) -> Moments {
        let mut sum = Moments::default();
        for (hour, weight) in hours {
            for (_, name, sums) in self.grid.rows(*hour..hour + 1) {
                if self.is_carried_by(steps, &name.key, &name.step) {
                    let own = moments_of(sums, counted);
                    sum.calls += weight * own.calls;
                    sum.total += weight * own.total;
                    sum.squares += weight * own.squares;
                }
            }
        }
        sum
    }

    fn is_carried_by(&self, steps: &BTreeSet<&str>, key: &str, step: &str) -> bool {
        self.scope.contains(key, step) && (steps.is_empty() || steps.contains(step))
    }

    /// The minutes of the hours that somebody looked at.
    fn minutes(&self, steps: &BTreeSet<&str>, counted: Counted) -> BTreeMap<Timestamp, [Minute; 60]> {
        let mut hours: BTreeMap<Timestamp, [Minute; 60]> = BTreeMap::new();
        let window = self.grid.window;
        for row in self.minutes {
            let Some(name) = window.series.get(row.series as usize) else {
                continue;
            };
            if name.key != self.scope.key {
                continue;
            }
            let own = hours.entry(row.minute.hour()).or_insert([Minute::default(); 60]);
            if !self.is_carried_by(steps, &name.key, &name.step) {
                continue;
            }
            let minute = row.minute.micros().div_euclid(MINUTE).rem_euclid(60);
            if let Some(own) = usize::try_from(minute)
                .ok()
                .and_then(|minute| own.get_mut(minute))
            {
                own.calls += row.calls as f64;
                own.total += value_of(row, counted);
            }
        }
        hours
    }

    /// What was first seen, with the part of the change that it carries.
    fn news(&self, hours: usize) -> Vec<News> {
        let own = self.switches.iter();
        let switched = own.filter_map(|switch| {
            let calls_a_minute = if switch.is_new {
                self.calls_of(switch) / (hours.max(1) * 60) as f64
            } else {
                // Of what was there before, minutes say between which two calls it was switched.
                let minutes = (switch.to.micros() - switch.from.micros()) as f64 / MINUTE as f64;
                (minutes < 60.0).then(|| 2.0 / minutes.max(1.0))?
            };
            Some(News {
                at: switch.to,
                part: self.part_on(switch),
                calls_a_minute,
            })
        });
        let part = self.part_of(&[TermKind::Price]);
        let priced = self.price_times().into_iter().map(|at| News {
            // From the minute on in which it is valid.
            at: at.plus_micros(MINUTE / 2),
            part,
            calls_a_minute: f64::INFINITY,
        });
        switched.chain(priced).filter(|new| new.part > 0.0).collect()
    }

    /// When prices changed in the time in which it may have begun.
    pub(super) fn price_times(&self) -> Vec<Timestamp> {
        let (from, to) = (self.onset.from.hour(), self.onset.to.plus_micros(60 * MINUTE));
        let rates = self.grid.window.rates.iter().map(|rates| rates.valid_from);
        let mut times: Vec<Timestamp> = rates.filter(|at| *at >= from && *at <= to).collect();
        times.sort();
        times.dedup();
        times
    }

    fn calls_of(&self, switch: &Switch) -> f64 {
        let step = self
            .after
            .cells
            .iter()
            .filter(|(name, _)| name.step == switch.step);
        step.map(|(_, cell)| cell.calls).sum::<f64>() * switch.shares.1
    }
}

fn value_of(row: &MinuteRow, counted: Counted) -> f64 {
    match counted {
        Counted::Cost => row.cost.0 as f64,
        Counted::Output => row.output as f64,
        Counted::Latency => row.latency_us as f64,
        Counted::Errors => row.errors as f64,
        Counted::Anomalies => row.anomalies as f64,
        Counted::Calls => row.calls as f64,
    }
}

fn moments_of(sums: &Sums, counted: Counted) -> Moments {
    let calls = sums.calls as f64;
    let (total, squares) = match counted {
        Counted::Cost => (sums.cost.0 as f64, sums.cost_squares as f64),
        Counted::Output => (sums.output as f64, sums.output_squares as f64),
        Counted::Latency => sums
            .latency_us
            .bars()
            .map(|(middle, count)| (middle as f64, count as f64))
            .fold((0.0, 0.0), |(sum, squares), (us, n)| {
                (sum + us * n, squares + us * us * n)
            }),
        Counted::Errors => (sums.errors as f64, 0.0),
        Counted::Anomalies => (sums.anomalies as f64, 0.0),
        Counted::Calls => (calls, 0.0),
    };
    Moments {
        calls,
        total,
        squares,
    }
}
