//! Keys, their steps, and what a call of a step is like.

use crate::random::Random;
use crate::traffic::Traffic;

/// What a model costs and how fast it is.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// Nano-dollars per million tokens.
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cache_read: i64,
    /// Milliseconds.
    pub(crate) first_ms: f64,
    pub(crate) token_ms: f64,
    /// Relative length of answers.
    pub(crate) verbosity: f64,
}

pub(crate) const MODELS: [(&str, i64, i64, f64, f64, f64); 6] = [
    ("claude-haiku-4-5", 1_000_000_000, 5_000_000_000, 350.0, 6.0, 1.0),
    (
        "claude-sonnet-4-6",
        3_000_000_000,
        15_000_000_000,
        700.0,
        14.0,
        1.1,
    ),
    (
        "claude-opus-4-6",
        5_000_000_000,
        25_000_000_000,
        1_100.0,
        22.0,
        1.15,
    ),
    ("gpt-5-mini", 250_000_000, 2_000_000_000, 400.0, 8.0, 0.95),
    ("gpt-5.2", 1_750_000_000, 14_000_000_000, 900.0, 15.0, 1.05),
    ("gemini-3-flash", 500_000_000, 3_000_000_000, 300.0, 5.0, 1.0),
];

pub(crate) fn models() -> Vec<Model> {
    let model =
        |(name, input, output, first_ms, token_ms, verbosity): &(&'static str, i64, i64, f64, f64, f64)| {
            Model {
                name,
                input: *input,
                output: *output,
                cache_read: *input / 10,
                first_ms: *first_ms,
                token_ms: *token_ms,
                verbosity: *verbosity,
            }
        };
    MODELS.iter().map(model).collect()
}

/// What calls of a step are like.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// Calls of it in a run.
    pub(crate) per_run: f64,
    /// Parts of the calls by model.
    pub(crate) models: Vec<(usize, f64)>,
    pub(crate) template: u64,
    pub(crate) input: f64,
    pub(crate) input_spread: f64,
    pub(crate) cached: f64,
    pub(crate) output: f64,
    pub(crate) output_spread: f64,
    pub(crate) slowness: f64,
    pub(crate) errors: f64,
    pub(crate) anomalies: f64,
    /// json, prose, list
    pub(crate) shapes: [f64; 3],
    /// Every call's tokens wander together by this much, hour by hour.
    pub(crate) wander: f64,
    pub(crate) wander_state: f64,
    pub(crate) drift_a_week: f64,
}

impl Step {
    pub(crate) fn new(random: &mut Random, name: String, model_pool: &[usize]) -> Self {
        let main = *random.pick(model_pool);
        let mut split = vec![(main, 1.0)];
        if model_pool.len() > 1 && random.chance(0.3) {
            let other = *random.pick(model_pool);
            if other != main {
                let part = random.between(0.03, 0.25);
                split = vec![(main, 1.0 - part), (other, part)];
            }
        }
        let json = if random.chance(0.5) {
            random.between(0.85, 0.99)
        } else {
            random.between(0.0, 0.3)
        };
        let list = (1.0 - json) * random.between(0.05, 0.3);
        Self {
            name,
            per_run: random.log_between(0.5, 2.5),
            models: split,
            template: (random.unit() * 1e15) as u64,
            input: random.log_between(300.0, 12_000.0),
            input_spread: random.between(0.2, 0.9),
            cached: if random.chance(0.5) {
                random.between(0.2, 0.8)
            } else {
                0.0
            },
            output: random.log_between(40.0, 1_200.0),
            output_spread: random.between(0.3, 0.9),
            slowness: random.log_between(0.7, 1.6),
            errors: random.log_between(0.001, 0.03),
            anomalies: random.log_between(0.005, 0.08),
            shapes: [json, 1.0 - json - list, list],
            wander: random.between(0.01, 0.06),
            wander_state: 0.0,
            drift_a_week: if random.chance(0.33) {
                0.07 * random.normal()
            } else {
                0.0
            },
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) label: String,
    pub(crate) traffic: Traffic,
    pub(crate) steps: Vec<Step>,
    pub(crate) environment: &'static str,
}

const STEP_NAMES: [&str; 10] = [
    "summarize",
    "classify",
    "extract",
    "answer",
    "plan",
    "rerank",
    "rewrite",
    "judge",
    "translate",
    "route",
];
const KEY_NAMES: [&str; 6] = [
    "prod-frontend",
    "internal-tools",
    "background-jobs",
    "mobile",
    "partner-api",
    "etl",
];

pub(crate) fn keys(random: &mut Random, models: usize) -> Vec<Key> {
    let count = [1, 2, 2, 3, 3, 4, 6][random.whole(0, 6) as usize];
    let mut pool: Vec<usize> = (0..models).collect();
    while pool.len() > 3 {
        pool.remove(random.whole(0, pool.len() as i64 - 1) as usize);
    }
    let key = |random: &mut Random, label: &str| {
        let base = if random.chance(0.4) {
            random.log_between(3.0, 15.0)
        } else {
            random.log_between(15.0, 1_500.0)
        };
        let traffic = Traffic::new(random, base);
        let first = random.whole(0, 9) as usize;
        let steps = random.whole(1, 4) as usize;
        let steps = (0..steps)
            .map(|at| {
                Step::new(
                    random,
                    STEP_NAMES[(first + at) % STEP_NAMES.len()].to_owned(),
                    &pool,
                )
            })
            .collect();
        Key {
            label: label.to_owned(),
            traffic,
            steps,
            environment: "production",
        }
    };
    KEY_NAMES
        .iter()
        .take(count)
        .map(|label| key(random, label))
        .collect()
}
