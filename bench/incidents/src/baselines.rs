//! Simpler rules on the same incidents, and the best that anybody could do.

use domain::Timestamp;
use incident_generator::{Cause, Touched, Truth};

use crate::convert::at;
use crate::outcome::{Found, Label, Outcome};

const HOUR: i64 = 3_600_000_000;
const ALL_NULLS: usize = 6;

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

/// What the generator's own likelihood says when it is told the exact onset and what every deploy touched, and only
/// not which one it was: the ceiling.
pub fn ceiling(truth: &Truth) -> Answer {
    // Recorded starts are up to 6 minutes early; on 3 projects of 10 the clock is off by up to 10 more.
    let clock = |after: i64| -> f64 {
        let exact = if (-6..=0).contains(&after) { 0.7 / 7.0 } else { 0.0 };
        let off =
            (-10..=10).filter(|off| (-6..=0).contains(&(after - off))).count() as f64 * 0.3 / (21.0 * 7.0);
        exact + off
    };
    let weigh = |touched: Touched| {
        if touched == Touched::WhatChanged {
            1.0
        } else {
            1e-6
        }
    };
    let deploys: Vec<(usize, f64)> = truth
        .neighbours
        .iter()
        .enumerate()
        .map(|(index, near)| {
            (
                index,
                0.6 * clock(near.recorded_after_onset) * weigh(near.touched),
            )
        })
        .collect();
    // A cause that is no deploy begins at any minute of the day.
    let no_deploy = 0.4 / (28.0 * 60.0 * ALL_NULLS as f64);
    let sum: f64 = deploys.iter().map(|(_, p)| p).sum::<f64>() + no_deploy;
    Answer {
        deploys: deploys.into_iter().map(|(index, p)| (index, p / sum)).collect(),
        no_deploy: no_deploy / sum,
    }
}
