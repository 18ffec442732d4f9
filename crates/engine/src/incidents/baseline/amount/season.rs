//! Hours of the day, and weekdays apart from weekends.

use super::super::super::numbers::median;
use super::super::{DAY, LEVEL_HOURS};
use super::AmountKind;

/// By place in the day, on weekdays and weekends: what a block is above the level.
pub(super) fn season(
    kind: AmountKind,
    blocks: &[(usize, f64, f64)],
    places: usize,
    block: usize,
    weekend: &[bool],
    is_long: bool,
) -> [Vec<f64>; 2] {
    let none = || vec![0.0; places];
    // A ratio of fused hours has no hours of the day.
    if places == 1 && !kind.is_sum() || (!kind.is_sum() && block > 3) {
        return [none(), none()];
    }
    let place = |start: usize| start % DAY / block;
    let is_weekend = |start: usize| weekend.get(start).copied().unwrap_or(false);
    // Away from its own week, so that drift is no season.
    let mut rests: Vec<(usize, f64)> = Vec::with_capacity(blocks.len());
    for week in blocks.chunk_by(|a, b| a.0 / LEVEL_HOURS == b.0 / LEVEL_HOURS) {
        let level = median(&mut week.iter().map(|(_, y, _)| *y).collect::<Vec<_>>()).unwrap_or(0.0);
        rests.extend(week.iter().map(|(start, y, _)| (*start, y - level)));
    }
    let cell = |chosen: &dyn Fn(usize) -> bool, known: &[f64]| -> Vec<f64> {
        let mut by_place: Vec<Vec<f64>> = vec![Vec::new(); places];
        for (start, rest) in rests.iter().filter(|(start, _)| chosen(*start)) {
            let at = place(*start);
            by_place[at].push(rest - known.get(at).copied().unwrap_or(0.0));
        }
        let raw: Vec<f64> = by_place
            .iter_mut()
            .map(|rests| {
                let n = rests.len() as f64;
                n / (n + kind.shrinkage()) * median(rests).unwrap_or(0.0)
            })
            .collect();
        smoothed(&raw)
    };
    let all = cell(&|_| true, &[]);
    if !is_long {
        return [all.clone(), all];
    }
    [false, true].map(|weekend| {
        let own = cell(&|start| is_weekend(start) == weekend, &all);
        all.iter().zip(own).map(|(all, own)| all + own).collect()
    })
}

/// A quarter of each neighbour, around the clock.
fn smoothed(raw: &[f64]) -> Vec<f64> {
    let n = raw.len();
    if n < 6 {
        return raw.to_vec();
    }
    (0..n)
        .map(|at| raw[(at + n - 1) % n] / 4.0 + raw[at] / 2.0 + raw[(at + 1) % n] / 4.0)
        .collect()
}
