//! What the engine reads: hourly sums of one project, and what happened meanwhile.

use std::collections::BTreeMap;

use domain::{NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Histogram;

/// What a row's calls have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesName {
    /// The key's label.
    pub key: String,
    /// Where they ran.
    pub environment: Option<String>,
    /// The step's name.
    pub step: String,
    /// The model that answered; empty when none did.
    pub model: String,
    /// The template's fingerprint in hex; empty when there is none.
    pub template: String,
}

/// What is added up of the calls of an hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Runs that its key started; rows have none, [`RunRow`] says them.
    pub runs: i64,
    /// Calls.
    pub calls: i64,
    /// Those that failed.
    pub errors: i64,
    /// Those that are warning or critical.
    pub anomalies: i64,
    /// Those whose cost is unknown.
    pub unpriced: i64,
    /// Input tokens that came from no cache.
    pub input_fresh: i64,
    /// Input tokens that came from a cache.
    pub cache_read: i64,
    /// Input tokens that went into a cache.
    pub cache_write: i64,
    /// Output tokens.
    pub output: i64,
    /// What is known of their cost.
    pub cost: NanoUsd,
    /// Sum of the squares of the costs in nano-dollars.
    pub cost_squares: i128,
    /// Sum of the squares of the output tokens.
    pub output_squares: i128,
    /// Latencies in microseconds.
    pub latency_us: Histogram,
    /// Times to the first token in microseconds.
    pub ttft_us: Histogram,
    /// How many outputs had which shape.
    pub shapes: BTreeMap<String, i64>,
}

impl Sums {
    /// Adds the calls of other sums.
    pub fn add(&mut self, other: &Self) {
        self.add_figures(other);
        self.latency_us.merge(&other.latency_us);
        self.ttft_us.merge(&other.ttft_us);
        for (shape, count) in &other.shapes {
            let known = self.shapes.entry(shape.clone()).or_default();
            *known = known.saturating_add(*count);
        }
    }

    /// Adds everything but histograms and shapes.
    pub(super) fn add_figures(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.runs, other.runs),
            (&mut self.calls, other.calls),
            (&mut self.errors, other.errors),
            (&mut self.anomalies, other.anomalies),
            (&mut self.unpriced, other.unpriced),
            (&mut self.input_fresh, other.input_fresh),
            (&mut self.cache_read, other.cache_read),
            (&mut self.cache_write, other.cache_write),
            (&mut self.output, other.output),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.cost = self.cost.saturating_add(other.cost);
        self.cost_squares = self.cost_squares.saturating_add(other.cost_squares);
        self.output_squares = self.output_squares.saturating_add(other.output_squares);
    }

    /// Input tokens of all buckets.
    pub fn input(&self) -> i64 {
        self.input_fresh
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
    }

    /// Calls whose cost is known.
    pub fn priced(&self) -> i64 {
        self.calls.saturating_sub(self.unpriced).max(0)
    }
}

/// One hour of one series, as a rollup holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Index into [`Window::series`].
    pub series: u32,
    /// Any time within the hour.
    pub hour: Timestamp,
    /// What its calls add up to. Rows of the same hour and series are added.
    pub sums: Sums,
}

/// Runs that a key started in an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The key's label.
    pub key: String,
    /// Any time within the hour.
    pub hour: Timestamp,
    /// How many.
    pub runs: i64,
}

/// Calls of one minute, where somebody looked that closely: [`super::wanted_minutes`] says where that is worth it. For
/// the rubric an hour of a series with such rows is told by them alone, any other hour is taken as evenly spread; for
/// the onset, minutes without rows in an hour that has some were quiet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteRow {
    /// Index into [`Window::series`].
    pub series: u32,
    /// Any time within the minute.
    pub minute: Timestamp,
    /// Calls.
    pub calls: i64,
    /// Those that failed.
    pub errors: i64,
    /// Those that are warning or critical.
    pub anomalies: i64,
    /// What is known of their cost.
    pub cost: NanoUsd,
    /// Output tokens.
    pub output: i64,
    /// Sum of the latencies in microseconds.
    pub latency_us: i64,
}

/// One hour of what a release did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRow {
    /// What the calls said they ran.
    pub release: String,
    /// The key's label.
    pub key: String,
    /// The step's name.
    pub step: String,
    /// The model that answered; empty when none did.
    pub model: String,
    /// Any time within the hour.
    pub hour: Timestamp,
    /// Calls.
    pub calls: i64,
    /// Those that failed.
    pub errors: i64,
    /// What is known of their cost.
    pub cost: NanoUsd,
    /// Sum of the squares of the costs in nano-dollars.
    pub cost_squares: i128,
    /// Output tokens.
    pub output: i64,
    /// Sum of the latencies in microseconds.
    pub latency_us: i64,
}

/// What can be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Novelty {
    /// A prompt template of a step.
    Template,
    /// A model of a step.
    Model,
    /// A release.
    Release,
    /// A step.
    Step,
}

/// When something was seen for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstSeen {
    /// What it is.
    pub what: Novelty,
    /// The fingerprint in hex, the model, the release, or the step's name.
    pub value: String,
    /// The key that sent it; empty for a release.
    pub key: String,
    /// The step it was seen in; empty for a release.
    pub step: String,
    /// When.
    pub at: Timestamp,
}

/// Something that shipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// Its id.
    pub id: String,
    /// Lower case, at least seven digits.
    pub sha: String,
    /// Number of the pull request.
    pub pr_number: Option<i64>,
    /// What it brings, in its author's words.
    pub title: String,
    /// Names of the files it touches, where known.
    pub files: Vec<String>,
    /// Where it was rolled out to.
    pub environment: Option<String>,
    /// When its rollout began.
    pub started_at: Timestamp,
    /// When it was live everywhere; `None` while it is on its way.
    pub completed_at: Option<Timestamp>,
}

impl Shipped {
    /// When it was live everywhere; when it began as long as it is not.
    pub fn done_at(&self) -> Timestamp {
        self.completed_at.unwrap_or(self.started_at).max(self.started_at)
    }

    /// What to call it in a few characters.
    pub fn name(&self) -> String {
        match self.pr_number {
            Some(number) => format!("PR {number}"),
            None => self.sha.chars().take(7).collect(),
        }
    }

    /// Whether what a step says it runs is this.
    pub fn is_release(&self, release: &str) -> bool {
        let (release, sha) = (release.trim().as_bytes(), self.sha.as_bytes());
        let shorter = release.len().min(sha.len());
        shorter >= 7
            && release
                .iter()
                .zip(sha)
                .all(|(ours, theirs)| ours.eq_ignore_ascii_case(theirs))
    }
}

/// What a model costs from a time on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRates {
    /// The model's name, as rows say it.
    pub model: String,
    /// From when on.
    pub valid_from: Timestamp,
    /// Nano-dollars per million tokens.
    pub input: i64,
    /// Nano-dollars per million tokens.
    pub cache_read: i64,
    /// Nano-dollars per million tokens.
    pub cache_write: i64,
    /// Nano-dollars per million tokens.
    pub output: i64,
    /// Nano-dollars per call.
    pub per_request: i64,
}

/// Everything a judgement rests on, in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The names that rows refer to.
    pub series: Vec<SeriesName>,
    /// Hourly sums: at least 7 days before what is to be judged, better 4 weeks.
    pub rows: Vec<Row>,
    /// Runs started.
    pub runs: Vec<RunRow>,
    /// Minutes, where known.
    pub minutes: Vec<MinuteRow>,
    /// What each release did, for as long as that is kept.
    pub releases: Vec<ReleaseRow>,
    /// What was new.
    pub first_seen: Vec<FirstSeen>,
    /// What shipped and went live.
    pub deploys: Vec<Shipped>,
    /// What models cost.
    pub rates: Vec<ModelRates>,
    /// Until when it is known what happened: the hour it lies in is the running one.
    pub now: Timestamp,
}
