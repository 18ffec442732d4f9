//! Simpler rules on the same incidents, and the best that anybody could do.

use domain::Timestamp;
use incident_generator::{Cause, Ratio, Truth, ratios};

use crate::convert::at;
use crate::outcome::{Found, Label, Outcome};

const HOUR: i64 = 3_600_000_000;

/// A rule's answer: deploys and "no deploy" with probabilities that sum to 1.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub deploys: Vec<(usize, f64)>,
    pub no_deploy: f64,
}

impl Answer {
    /// How much of a point it gets: ties share.
    pub fn top_one(&self, outcome: &Outcome) -> f64 {
        let best = self
            .deploys
            .iter()
            .map(|(_, p)| *p)
            .fold(self.no_deploy, f64::max);
        let tied = |p: f64| p >= best - 1e-9;
        let right = |index: usize| outcome.is_right(&Label::Deploy(index));
        let ties = self.deploys.iter().filter(|(_, p)| tied(*p)).count() + usize::from(tied(self.no_deploy));
        let hits = match outcome.truth.cause {
            Cause::Deploy { .. } => self
                .deploys
                .iter()
                .filter(|(index, p)| tied(*p) && right(*index))
                .count(),
            Cause::Null(_) => usize::from(tied(self.no_deploy)),
        };
        hits.min(1) as f64 / ties.max(1) as f64
    }
}

/// The rubric: most points; five points are none.
pub fn rubric(found: &Found) -> Answer {
    let best = found.points.iter().map(|(_, points)| *points).max().unwrap_or(0);
    if best <= 5 {
        return Answer {
            deploys: Vec::new(),
            no_deploy: 1.0,
        };
    }
    Answer {
        deploys: found
            .points
            .iter()
            .map(|(index, points)| (*index, f64::from(*points)))
            .collect(),
        no_deploy: 0.0,
    }
}

/// The deploy that began last before the onset.
pub fn latest_before(outcome: &Outcome, onset: Timestamp) -> Answer {
    let window = onset.plus_micros(-4 * HOUR)..=onset;
    let last = outcome
        .deploys
        .iter()
        .enumerate()
        .filter(|(_, (start, _))| window.contains(&at(*start)))
        .max_by_key(|(_, (start, _))| *start);
    match last {
        Some((index, _)) => Answer {
            deploys: vec![(index, 1.0)],
            no_deploy: 0.0,
        },
        None => Answer {
            deploys: Vec::new(),
            no_deploy: 1.0,
        },
    }
}

/// The deploy whose rollout is nearest to the onset.
pub fn nearest(outcome: &Outcome, onset: Timestamp) -> Answer {
    let away = |start: i64| (at(start).micros() - onset.micros()).abs();
    let near = outcome
        .deploys
        .iter()
        .enumerate()
        .filter(|(_, (start, _))| away(*start) <= 4 * HOUR)
        .min_by_key(|(_, (start, _))| away(*start));
    match near {
        Some((index, _)) => Answer {
            deploys: vec![(index, 1.0)],
            no_deploy: 0.0,
        },
        None => Answer {
            deploys: Vec::new(),
            no_deploy: 1.0,
        },
    }
}

/// Every candidate alike.
pub fn prior_only(found: &Found) -> Answer {
    let candidates: Vec<usize> = found
        .options
        .iter()
        .filter_map(|(label, ..)| match label {
            Label::Deploy(index) => Some(*index),
            _ => None,
        })
        .collect();
    if candidates.is_empty() {
        return Answer {
            deploys: Vec::new(),
            no_deploy: 1.0,
        };
    }
    let each = 0.6 / candidates.len() as f64;
    Answer {
        deploys: candidates.into_iter().map(|index| (index, each)).collect(),
        no_deploy: 0.4,
    }
}

/// What the generator's own likelihood says of an onset that is known to the minute: the ceiling.
pub fn ceiling(truth: &Truth) -> Answer {
    let Ratio { deploys, no_deploy } = ratios(truth);
    let sum = deploys.iter().sum::<f64>() + no_deploy;
    let deploys = deploys.into_iter().enumerate();
    Answer {
        deploys: deploys.map(|(index, p)| (index, p / sum)).collect(),
        no_deploy: no_deploy / sum,
    }
}
