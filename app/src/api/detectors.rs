//! Reading detectors and what they found.

#[cfg(feature = "ssr")]
mod server;
#[cfg(feature = "ssr")]
pub(crate) mod trial;

use domain::detector::{Detector, Finding, FindingMark, JudgementState};
use domain::{NanoUsd, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::{GetUrl, Json};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

/// Days that the sums of the pages are of.
pub(crate) const DAYS: i64 = 7;
/// Runs that a detector is tried on.
pub(crate) const TRIED_RUNS: u32 = 50;

/// What became of judgements, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) judged: i64,
    pub(crate) found: i64,
    pub(crate) failed: i64,
    /// Not judged: the cap of the day was reached.
    pub(crate) capped: i64,
    /// Not judged: no model, or the budget of the project is used up.
    pub(crate) refused: i64,
    pub(crate) retried: i64,
    pub(crate) dropped_quotes: i64,
    pub(crate) cost: NanoUsd,
    /// Judgements whose cost is unknown.
    pub(crate) unpriced: i64,
    pub(crate) real: i64,
    pub(crate) noise: i64,
    pub(crate) unmarked: i64,
}

impl Sums {
    /// How many of those that people marked are real, as a part of 1; `None` where nothing is marked.
    pub(crate) fn precision(&self) -> Option<f64> {
        let marked = self.real + self.noise;
        (marked > 0).then(|| self.real as f64 / marked as f64)
    }

    /// These and others together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            judged: self.judged + other.judged,
            found: self.found + other.found,
            failed: self.failed + other.failed,
            capped: self.capped + other.capped,
            refused: self.refused + other.refused,
            retried: self.retried + other.retried,
            dropped_quotes: self.dropped_quotes + other.dropped_quotes,
            cost: self.cost.saturating_add(other.cost),
            unpriced: self.unpriced + other.unpriced,
            real: self.real + other.real,
            noise: self.noise + other.noise,
            unmarked: self.unmarked + other.unmarked,
        }
    }
}

/// A detector in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedDetector {
    pub(crate) detector: Detector,
    /// Of seven days.
    pub(crate) week: Sums,
    pub(crate) today: Sums,
    /// What was found on each of the days, today last.
    pub(crate) found_by_day: Vec<i64>,
    /// The same of what was judged.
    pub(crate) judged_by_day: Vec<i64>,
}

/// All detectors with the latest findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DetectorsView {
    pub(crate) now: Timestamp,
    pub(crate) detectors: Vec<ListedDetector>,
    pub(crate) findings: Vec<Finding>,
}

/// The project's detectors.
#[server(prefix = "/ui", endpoint = "detectors/list", input = GetUrl)]
pub(crate) async fn list_detectors(slug: String) -> Result<DetectorsView, ApiError> {
    server::list(&slug).await
}

/// A version of a detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedVersion {
    pub(crate) version: i32,
    pub(crate) since: Timestamp,
    /// Of seven days.
    pub(crate) sums: Sums,
    /// What is another than in the version before.
    pub(crate) changed: String,
}

/// What a detector would have found in the latest runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrialView {
    pub(crate) runs: u32,
    pub(crate) matching: u32,
    pub(crate) sampled: u32,
    /// `None` of a detector that asks a model.
    pub(crate) found: Option<Vec<TrialFinding>>,
}

/// Something that would have been found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrialFinding {
    pub(crate) run_id: String,
    pub(crate) summary: String,
}

/// One detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DetectorView {
    pub(crate) now: Timestamp,
    pub(crate) listed: ListedDetector,
    pub(crate) versions: Vec<ListedVersion>,
    /// The latest first.
    pub(crate) findings: Vec<Finding>,
    pub(crate) trial: Option<TrialView>,
}

/// One detector, and where `try_it` is said what it would have found.
#[server(prefix = "/ui", endpoint = "detectors/get", input = Json)]
pub(crate) async fn read_detector(
    slug: String,
    detector_id: String,
    try_it: bool,
) -> Result<DetectorView, ApiError> {
    server::detector(&slug, &detector_id, try_it).await
}

/// Which findings the list of all shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FindingsWish {
    /// Only of this detector, by its id.
    pub(crate) detector: Option<String>,
    pub(crate) mark: Option<FindingMark>,
    /// Only those of the last so many days.
    pub(crate) days: Option<u32>,
    /// Only those before this one.
    pub(crate) cursor: Option<String>,
}

/// A page of findings of all detectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FindingsView {
    /// The latest first.
    pub(crate) findings: Vec<Finding>,
    /// Where the next page begins; `None` on the last one.
    pub(crate) next_cursor: Option<String>,
    /// Every detector: id and name.
    pub(crate) detectors: Vec<(String, String)>,
}

/// What detectors found, whichever.
#[server(prefix = "/ui", endpoint = "findings/list", input = Json)]
pub(crate) async fn list_findings(slug: String, wish: FindingsWish) -> Result<FindingsView, ApiError> {
    server::findings(&slug, wish).await
}

/// The words of a finding with what stands around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownQuote {
    pub(crate) before: String,
    pub(crate) quote: String,
    pub(crate) after: String,
}

/// What another detector said of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OtherJudgement {
    pub(crate) detector_id: String,
    pub(crate) detector: String,
    pub(crate) state: JudgementState,
    pub(crate) reason: Option<String>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FindingView {
    pub(crate) finding: Finding,
    /// For each piece of evidence its words within their text; `None` where it has none or the text is gone.
    pub(crate) quotes: Vec<Option<ShownQuote>>,
    /// Of the detector, in seven days.
    pub(crate) week: Sums,
    pub(crate) others: Vec<OtherJudgement>,
    /// What the detector found in other runs, the latest first.
    pub(crate) alike: Vec<Finding>,
}

/// One finding with what it rests on.
#[server(prefix = "/ui", endpoint = "findings/get", input = Json)]
pub(crate) async fn read_finding(slug: String, finding_id: String) -> Result<FindingView, ApiError> {
    server::finding(&slug, &finding_id).await
}

/// What detectors found in a run.
#[server(prefix = "/ui", endpoint = "findings/of-run", input = Json)]
pub(crate) async fn findings_of_run(slug: String, run_id: String) -> Result<Vec<Finding>, ApiError> {
    server::of_run(&slug, run_id).await
}
