//! The weights, refitted: the largest likelihood of what was right, with no weight below 0.

use engine::incidents::Weights;
use engine::incidents::attribution::{Choice, FEATURES, Feature, probabilities};

use crate::outcome::{Label, Outcome};

/// Pulls every weight a little towards what it began with: what the generator never shows keeps its place.
const RIDGE: f64 = 2e-4;
/// Made-up titles say more than real ones do: whatever they are worth here, they count for no more than this.
const MOST_OF_A_HINT: f64 = 1.0;
const STEPS: usize = 1_500;
/// The second moment's memory, the first's, and the pace, as Adam has them.
const MEMORY: (f64, f64) = (0.9, 0.999);
const PACE: f64 = 0.03;

/// An incident's options and which of them are right.
pub struct Example {
    choice: Choice,
    deploys: Vec<bool>,
    nulls: [bool; 6],
}

impl Example {
    /// `None` where nothing was found, or what is right was no candidate.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let found = outcome.found.as_ref().filter(|_| outcome.truth.gates >= 1.0)?;
        let (mut deploys, mut nulls) = (Vec::new(), [false; 6]);
        for (label, ..) in &found.options {
            match label {
                Label::Null(cause) => nulls[*cause as usize] = outcome.is_right(label),
                _ => deploys.push(outcome.is_right(label)),
            }
        }
        let any = deploys.iter().chain(&nulls).any(|right| *right);
        any.then(|| Self {
            choice: found.choice(),
            deploys,
            nulls,
        })
    }

    fn right(&self, (deploys, nulls): &(Vec<f64>, [f64; 6])) -> f64 {
        let sum = |right: &[bool], p: &[f64]| -> f64 {
            right
                .iter()
                .zip(p)
                .filter(|(right, _)| **right)
                .map(|(_, p)| p)
                .sum()
        };
        sum(&self.deploys, deploys) + sum(&self.nulls, nulls)
    }
}

/// Mean negative log likelihood.
pub fn loss(examples: &[Example], weights: &Weights) -> f64 {
    let sum: f64 = examples
        .iter()
        .map(|example| {
            -example
                .right(&probabilities(&example.choice, weights))
                .max(1e-9)
                .ln()
        })
        .sum();
    sum / examples.len().max(1) as f64
}

/// Weights for the examples of training; the temperature from those of validation.
pub fn fit(train: &[Example], validation: &[Example], version: &str, fitted_on: &str) -> Weights {
    let mut weights = Weights {
        temperature: 1.0,
        ..Weights::unfitted()
    };
    let size = FEATURES.len() + 6;
    let (mut first, mut second) = (vec![0.0; size], vec![0.0; size]);
    for step in 1..=STEPS {
        let gradient = gradient(train, &weights);
        for (at, slope) in gradient.iter().enumerate() {
            first[at] = MEMORY.0 * first[at] + (1.0 - MEMORY.0) * slope;
            second[at] = MEMORY.1 * second[at] + (1.0 - MEMORY.1) * slope * slope;
            let bias = |memory: f64| 1.0 - memory.powi(step as i32);
            let move_by = PACE * (first[at] / bias(MEMORY.0)) / ((second[at] / bias(MEMORY.1)).sqrt() + 1e-8);
            match at.checked_sub(FEATURES.len()) {
                None => {
                    let most = if FEATURES[at] == Feature::DiffHint {
                        MOST_OF_A_HINT
                    } else {
                        f64::INFINITY
                    };
                    weights.features[at] = (weights.features[at] - move_by).clamp(0.0, most);
                }
                Some(null) => weights.nulls[null] -= move_by,
            }
        }
    }
    weights.temperature = temperature(validation, &weights);
    weights.version = version.to_owned();
    weights.fitted_on = fitted_on.to_owned();
    // As the file holds them, so that what is reported is what is shipped.
    Weights::parse(&weights.to_json()).unwrap_or(weights)
}

fn gradient(examples: &[Example], weights: &Weights) -> Vec<f64> {
    let mut sum = vec![0.0; FEATURES.len() + 6];
    for example in examples {
        let found = probabilities(&example.choice, weights);
        let right = example.right(&found).max(1e-9);
        let mut add = |features: &[f64], null: Option<usize>, p: f64, is_right: bool| {
            let pull = p - if is_right { p / right } else { 0.0 };
            for (sum, x) in sum.iter_mut().zip(features) {
                *sum += pull * x;
            }
            if let Some(null) = null {
                sum[FEATURES.len() + null] += pull;
            }
        };
        for ((features, p), is_right) in example.choice.deploys.iter().zip(&found.0).zip(&example.deploys) {
            add(features, None, *p, *is_right);
        }
        for (null, features) in example.choice.nulls.iter().enumerate() {
            add(features, Some(null), found.1[null], example.nulls[null]);
        }
    }
    let n = examples.len().max(1) as f64;
    let begun = Weights::unfitted();
    let known = weights.features.iter().chain(&weights.nulls);
    let begun = begun.features.iter().chain(&begun.nulls);
    sum.iter()
        .zip(known.zip(begun))
        .map(|(sum, (weight, begun))| sum / n + 2.0 * RIDGE * (weight - begun))
        .collect()
}

fn temperature(examples: &[Example], weights: &Weights) -> f64 {
    let candidates = (0..61).map(|at| 0.5 * (2.0f64.ln() * at as f64 / 20.0).exp());
    let loss = |temperature: f64| {
        loss(
            examples,
            &Weights {
                temperature,
                ..weights.clone()
            },
        )
    };
    candidates
        .min_by(|a, b| loss(*a).total_cmp(&loss(*b)))
        .unwrap_or(1.0)
}
