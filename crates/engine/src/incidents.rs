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
mod numbers;
pub mod onset;
pub mod rubric;
mod shift;
mod tables;
pub mod window;

pub use attribution::Weights;
pub use incident::Incident;
pub use metric::{Metric, Minimums, Settings};
pub use shift::{Door, Status};
pub use window::Window;

/// Every incident of the window, in the order of their onsets.
pub fn judge(window: &Window, settings: &Settings, weights: &Weights) -> Vec<Incident> {
    let Some(grid) = grid::Grid::of(window) else {
        return Vec::new();
    };
    let detected = detect::detect(&grid, settings);
    let groups = merge::merge(&grid, settings, &detected);
    let mut incidents: Vec<Incident> = groups
        .iter()
        .map(|group| assemble::assemble(&grid, weights, &detected, group))
        .collect();
    incidents.sort_by(|a, b| {
        (a.onset.at, &a.key, &a.step, a.metric).cmp(&(b.onset.at, &b.key, &b.step, b.metric))
    });
    incidents
}
