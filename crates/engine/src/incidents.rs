//! Incidents: what left its baseline, since when, how much of it comes from where, and which deploy or what else it
//! was. `docs/attribution.md` says how, why, and how well.
//!
//! [`judge`] is all there is to call: a window of hourly sums, deploys and settings in, incidents out. It is a pure
//! function, so live, back-filled and shuffled data give the same answer.

mod assemble;
pub mod attribution;
mod baseline;
pub mod daily;
pub mod decomposition;
mod detect;
mod grid;
pub mod incident;
mod judge;
mod merge;
pub mod metric;
mod movers;
mod numbers;
pub mod onset;
pub mod rubric;
mod shift;
pub mod similar;
mod standing;
mod tables;
mod wanted;
pub mod window;
mod wire;
pub mod words;

use domain::Timestamp;

pub use attribution::Weights;
pub use incident::Incident;
pub use metric::{MAX_QUIET, Metric, Minimums, Settings};
pub use movers::{Learning, learning, movers};
pub use shift::{Door, Status};
pub use standing::{Since, Standing};
pub use wanted::{WantedMinutes, wanted_minutes};
pub use window::{MinuteRow, Window};

/// Every incident of the window, in the order of their onsets.
pub fn judge(window: &Window, settings: &Settings, weights: &Weights) -> Vec<Incident> {
    match Judgement::of(window, settings, None) {
        Some(judgement) => judgement.incidents(settings, weights, &window.minutes),
        None => Vec::new(),
    }
}

/// The same, and how every series stood, so that the hours that come until midnight can be judged alone. `None` where
/// there is nothing to read.
pub fn judge_and_keep(
    window: &Window,
    settings: &Settings,
    weights: &Weights,
) -> (Vec<Incident>, Option<Standing>) {
    let keep = Some(Standing::settled_until(window.now));
    let Some(judgement) = Judgement::of(window, settings, keep) else {
        return (Vec::new(), None);
    };
    let incidents = judgement.incidents(settings, weights, &window.minutes);
    let standing = Standing::of(&judgement.grid, settings, judgement.detected, &incidents);
    (incidents, Some(standing))
}

/// The same with the minutes that `look` brings of the hours it is asked for, where anything was found. Two calls of
/// [`judge`] do the same, with [`wanted_minutes`] between them, in twice the time.
pub fn judge_closely(
    window: &Window,
    settings: &Settings,
    weights: &Weights,
    look: impl FnOnce(&[WantedMinutes]) -> Vec<MinuteRow>,
) -> Vec<Incident> {
    let Some(judgement) = Judgement::of(window, settings, None) else {
        return Vec::new();
    };
    let incidents = judgement.incidents(settings, weights, &window.minutes);
    let wanted = wanted_minutes(window, &incidents);
    if wanted.is_empty() {
        return incidents;
    }
    judgement.incidents(settings, weights, &look(&wanted))
}

/// What was found in a window, before anybody asks for its cause.
struct Judgement<'a> {
    grid: grid::Grid<'a>,
    detected: detect::Detected,
}

impl<'a> Judgement<'a> {
    fn of(window: &'a Window, settings: &Settings, keep: Option<Timestamp>) -> Option<Self> {
        let grid = grid::Grid::of(window)?;
        let keep = keep.map(|at| grid.hour_of(at));
        let detected = detect::detect(&grid, settings, keep);
        Some(Self { grid, detected })
    }

    fn incidents(&self, settings: &Settings, weights: &Weights, minutes: &[MinuteRow]) -> Vec<Incident> {
        let groups = merge::merge(&self.grid, settings, &self.detected);
        let mut incidents: Vec<Incident> = groups
            .iter()
            .map(|group| assemble::assemble(&self.grid, minutes, weights, &self.detected, group))
            .collect();
        incidents.sort_by(|a, b| {
            (a.onset.at, &a.key, &a.step, a.metric).cmp(&(b.onset.at, &b.key, &b.step, b.metric))
        });
        incidents
    }
}
