//! A change of one metric of one series.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::baseline::{Baseline, Reading};

/// What opened a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Evidence of several hours.
    Evidence,
    /// Evidence since a deploy.
    Deploy,
    /// One hour was enough.
    ExtremeHour,
    /// The daily rule.
    Daily,
}

/// How a shift stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on.
    Open,
    /// The series returned.
    Closed,
    /// It became normal.
    Accepted,
}

/// A change of one metric of one series.
#[derive(Clone, Debug)]
pub(super) struct Shift {
    pub(super) door: Door,
    pub(super) status: Status,
    /// Where the evidence begins.
    pub(super) start: usize,
    /// When it was enough.
    pub(super) opened: usize,
    /// One hour was extreme and none followed yet.
    pub(super) is_provisional: bool,
    /// Behind its last hour.
    pub(super) end: usize,
    /// When it was closed or accepted: behind the hour whose reading did it.
    pub(super) ended: Option<usize>,
    /// How often it came back.
    pub(super) flaps: u32,
    /// Mean effect while it went on.
    pub(super) effect: f64,
    /// The baseline it is measured against.
    pub(super) baseline: Arc<Baseline>,
    /// Blocks since its start: when each began, and what it said.
    pub(super) readings: Vec<(usize, Reading)>,
    pub(super) calm: f64,
}

impl Shift {
    /// The mean effect of the blocks in which it went on.
    pub(super) fn settle(&mut self) {
        let end = self.end;
        let inside: Vec<_> = self
            .readings
            .iter()
            .filter(|(at, _)| *at < end)
            .copied()
            .collect();
        self.effect = mean_effect(&inside);
    }

    /// A shift that another door opened on this series: nothing of it was judged by evidence.
    pub(super) fn by_door(
        door: Door,
        baseline: Arc<Baseline>,
        hours: std::ops::Range<usize>,
        status: Status,
    ) -> Self {
        Self {
            door,
            status,
            start: hours.start,
            opened: hours.end,
            is_provisional: false,
            end: hours.end,
            ended: None,
            flaps: 0,
            effect: baseline.gate(),
            baseline,
            readings: Vec::new(),
            calm: 0.0,
        }
    }
}

pub(super) fn mean_effect(readings: &[(usize, Reading)]) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (_, reading) in readings {
        sum += reading.effect * reading.weight;
        weight += reading.weight;
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}
