//! The best that anybody could do who knows how incidents are made up, sees when a change began to the minute and what
//! was switched when, and does not know whose doing it was.

use std::sync::OnceLock;

use crate::causes::Cause;
use crate::random::Random;
use crate::scenario::{Neighbour, Touched, Truth, innocent_start, lag};

/// How likely each option is, relative to each other.
#[derive(Clone, Debug, Default)]
pub struct Ratio {
    /// Of each recorded deploy.
    pub deploys: Vec<f64>,
    /// That it was none of them.
    pub no_deploy: f64,
}

/// Minutes around an onset.
const REACH: i64 = 900;
const DRAWS: u64 = 400_000;
/// Deploys cause six incidents of ten; of those that none causes, this part looks as if one had.
const DEPLOYS: f64 = 0.6;
const LOOKS_LIKE_A_DEPLOY: f64 = 0.26;
/// Titles of guilty and of innocent deploys that name the step that changed.
const NAMES_IT: (f64, f64) = (0.5, 0.03);
/// What cannot be, and is only said to be impossible.
const NEVER: f64 = 1e-6;

/// How often a deploy begins so many minutes after the onset, per minute: a guilty one, and an innocent one; as its
/// calls say, and as its record says.
struct Offsets {
    guilty: [Vec<f64>; 2],
    innocent: [Vec<f64>; 2],
}

fn offsets() -> &'static Offsets {
    static TABLE: OnceLock<Offsets> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut random = Random::new(11);
        let empty = || vec![1e-4; (2 * REACH + 1) as usize];
        let mut table = Offsets {
            guilty: [empty(), empty()],
            innocent: [empty(), empty()],
        };
        let add = |to: &mut [Vec<f64>; 2], begun: i64, recorded: i64| {
            for (to, at) in to.iter_mut().zip([begun, recorded]) {
                if let Some(count) = usize::try_from(at + REACH).ok().and_then(|at| to.get_mut(at)) {
                    *count += 1.0;
                }
            }
        };
        let record = |random: &mut Random, begun: i64| {
            let off = if random.chance(0.3) {
                random.whole(-10, 10)
            } else {
                0
            };
            begun - random.whole(0, 6) + off
        };
        for draw in 0..DRAWS {
            let begun = -lag(&mut random);
            let recorded = record(&mut random, begun);
            add(&mut table.guilty, begun, recorded);
            // Half of the others belong to incidents without a guilty one.
            let train = (draw % 2 == 0).then_some((begun, 0));
            let is_before = random.chance(0.5);
            let (other, _) = innocent_start(&mut random, 0, is_before, train);
            let recorded = record(&mut random, other);
            add(&mut table.innocent, other, recorded);
        }
        table
    })
}

/// The likelihood of each option, from the generator's own densities.
pub fn ratios(truth: &Truth) -> Ratio {
    let table = offsets();
    let kind = usize::from(!truth.is_tagged);
    let at = |of: &[Vec<f64>; 2], minute: i64| {
        let place = usize::try_from(minute + REACH).ok();
        place
            .and_then(|place| of[kind].get(place))
            .copied()
            .unwrap_or(0.0)
    };
    let near = truth
        .neighbours
        .iter()
        .filter(|near| near.recorded_after_onset.abs() <= 780);
    let count = near.count().max(1) as f64;
    let plausible = if truth.looks_like_a_deploy { 1.0 } else { NEVER };
    let guilty = match truth.cause {
        Cause::Deploy { index, .. } => truth.neighbours.get(index),
        Cause::Null(_) => None,
    };
    // Two releases side by side say whose doing it is.
    let is_compared = |near: &Neighbour| truth.is_tagged && near.is_partial;
    let is_decided = guilty.is_some_and(is_compared);
    let deploys = truth.neighbours.iter().enumerate().map(|(index, near)| {
        let is_guilty = matches!(truth.cause, Cause::Deploy { index: of, .. } if of == index);
        let compared = if (is_decided || is_compared(near)) && !is_guilty {
            NEVER
        } else {
            1.0
        };
        let title = if near.names_it {
            NAMES_IT.0 / NAMES_IT.1
        } else {
            (1.0 - NAMES_IT.0) / (1.0 - NAMES_IT.1)
        };
        let minute = if truth.is_tagged {
            near.begun_after_onset
        } else {
            near.recorded_after_onset
        };
        let innocent = at(&table.innocent, minute);
        if innocent <= 0.0 {
            return 0.0;
        }
        // Who switched something else when it began did that, and not this as well.
        let trace = if near.trace == Touched::Elsewhere {
            NEVER
        } else {
            1.0
        };
        DEPLOYS * plausible * trace * compared * title * at(&table.guilty, minute) / innocent / count
    });
    Ratio {
        deploys: deploys.collect(),
        no_deploy: if is_decided { NEVER } else { 1.0 - DEPLOYS }
            * if truth.looks_like_a_deploy {
                LOOKS_LIKE_A_DEPLOY
            } else {
                1.0
            },
    }
}
