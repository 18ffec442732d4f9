//! What the rules found over time: the filter of the anomalies page, counts, and what people said about them.

use serde::{Deserialize, Serialize};

use crate::{Condition, Severity, Timestamp};

/// What a person said about a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Feedback))]
pub enum Verdict {
    /// It says something true and useful.
    Real,
    /// It does not.
    Noise,
}

impl Verdict {
    /// The word in the database, the API and forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Noise => "noise",
        }
    }

    /// The verdict of a word, `None` for any other text.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Real, Self::Noise].into_iter().find(|v| v.as_str() == word)
    }
}

/// One verdict on one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Unique within the run.
    pub step_id: String,
    /// Number of the rule, such as 2001.
    pub code: u16,
    /// What was said.
    pub verdict: Verdict,
}

/// How often a code was right, by what people said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodePrecision {
    /// Number of the rule, such as 2001.
    pub code: u16,
    /// Conditions marked real.
    pub real: i64,
    /// Conditions marked noise.
    pub noise: i64,
}

impl CodePrecision {
    /// How many conditions were marked at all.
    pub const fn n(&self) -> i64 {
        self.real + self.noise
    }

    /// real / (real + noise) in whole per cent; `None` when nothing was marked.
    pub fn percent(&self) -> Option<i64> {
        let n = self.n();
        (n > 0).then(|| (self.real * 200 + n).div_euclid(2 * n))
    }
}

/// Which conditions are meant. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionFilter {
    /// The key's label.
    pub key: Option<String>,
    /// The model that answered, exact match.
    pub model: Option<String>,
    /// Steps of this name.
    pub step: Option<String>,
    /// The layer, 1 to 5.
    pub layer: Option<u8>,
    /// Conditions of this rule.
    pub code: Option<u16>,
}

impl ConditionFilter {
    /// Whether conditions of this code are meant, as far as code and layer go.
    pub fn has_code(&self, code: u16) -> bool {
        self.code.is_none_or(|wanted| wanted == code)
            && self.layer.is_none_or(|layer| code / 1_000 == u16::from(layer))
    }

    /// The codes meant, as a range: first and last.
    pub fn code_range(&self) -> (u16, u16) {
        let of_layer = |layer: u8| (u16::from(layer) * 1_000, u16::from(layer) * 1_000 + 999);
        let (from, to) = self.layer.map_or((0, i16::MAX as u16), of_layer);
        self.code
            .map_or((from, to), |code| (code.max(from), code.min(to)))
    }
}

/// A span of time cut into equal buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSpan {
    /// First instant; the beginning of an hour.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
    /// The length of a bucket in hours, at least 1.
    pub bucket_hours: u32,
}

impl BucketSpan {
    /// How many buckets there are.
    pub fn count(&self) -> usize {
        let hours = (self.to.micros() - self.from.micros()).div_euclid(3_600_000_000);
        usize::try_from(hours / i64::from(self.bucket_hours.max(1))).unwrap_or(0)
    }

    /// The beginning of a bucket.
    pub fn start_of(&self, bucket: usize) -> Timestamp {
        let hours = i64::try_from(bucket).unwrap_or(0) * i64::from(self.bucket_hours);
        self.from.plus_micros(hours * 3_600_000_000)
    }
}

/// Conditions of one code in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeCount {
    /// Index into the span's buckets, from 0.
    pub bucket: u32,
    /// Number of the rule, such as 2001.
    pub code: u16,
    /// How many.
    pub count: i64,
}

/// Conditions under one name (a step's or a model's) in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameCount {
    /// Index into the span's buckets, from 0.
    pub bucket: u32,
    /// The name; empty where there is none.
    pub name: String,
    /// How many.
    pub count: i64,
}

/// Conditions of one code on steps of one name, in the second half of a span and in the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellCount {
    /// Number of the rule, such as 2001.
    pub code: u16,
    /// The step's name; may be blank.
    pub step: String,
    /// How many in the second half.
    pub now: i64,
    /// How many in the first half.
    pub before: i64,
}

/// Everything counted over a span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionCounts {
    /// By bucket and code.
    pub by_code: Vec<CodeCount>,
    /// By bucket and the name that was asked for.
    pub by_name: Vec<NameCount>,
    /// By code and step.
    pub cells: Vec<CellCount>,
    /// Steps in the second half of the span, with and without conditions.
    pub steps_now: i64,
    /// Steps in the first half.
    pub steps_before: i64,
}

/// Steps of one severity in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeverityCount {
    /// Index into the span's buckets, from 0.
    pub bucket: u32,
    /// `Warning` or `Critical`.
    pub severity: Severity,
    /// How many steps.
    pub count: i64,
}

/// One code on one step's name through time, with the prompt template it came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateCount {
    /// Index into the span's buckets, from 0.
    pub bucket: u32,
    /// The template's fingerprint in hex; `None` where a step has none.
    pub template: Option<String>,
    /// Steps of this template in the bucket, with and without the condition.
    pub steps: i64,
    /// Conditions of the code on them.
    pub count: i64,
}

/// A step with at least one condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalousStep {
    /// The client's id of the run.
    pub run_id: String,
    /// When its run is filed.
    pub partition_at: Timestamp,
    /// Unique within the run.
    pub step_id: String,
    /// The step's name; may be blank.
    pub name: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Label of the API key that sent it.
    pub key_label: String,
    /// The model that answered, else the requested one.
    pub model: Option<String>,
    /// Sum of the points of its conditions.
    pub score: i32,
    /// From how many points it was critical; `None` where it was not stored.
    pub threshold: Option<i32>,
    /// `Warning` or `Critical`.
    pub severity: Severity,
    /// Its conditions, the one that weighs most first.
    pub conditions: Vec<Condition>,
    /// What was said about those.
    pub feedback: Vec<Feedback>,
}

/// One page of anomalous steps, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnomalousSteps {
    /// At most one page, newest first.
    pub items: Vec<AnomalousStep>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_rounded_and_unknown_without_marks() {
        let check = |real: i64, noise: i64, expected: Option<i64>| {
            assert_eq!(CodePrecision { code: 1, real, noise }.percent(), expected);
        };
        check(0, 0, None);
        check(9, 21, Some(30));
        check(14, 1, Some(93));
        check(0, 3, Some(0));
        check(1, 7, Some(13));
    }

    #[test]
    fn codes_of_a_layer() {
        let check = |layer: Option<u8>, code: Option<u16>, range: (u16, u16)| {
            let filter = ConditionFilter {
                layer,
                code,
                ..ConditionFilter::default()
            };
            assert_eq!(filter.code_range(), range);
            for code in [0, 1_001, 2_000, 2_007, 4_001, 5_004] {
                assert_eq!(
                    filter.has_code(code),
                    (range.0..=range.1).contains(&code),
                    "{code}"
                );
            }
        };
        check(None, None, (0, 32_767));
        check(Some(2), None, (2_000, 2_999));
        check(None, Some(4_001), (4_001, 4_001));
        check(Some(2), Some(2_007), (2_007, 2_007));
        check(Some(2), Some(4_001), (4_001, 2_999));
    }

    #[test]
    fn spans_are_cut_evenly() {
        let span = BucketSpan {
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(14 * 86_400_000_000),
            bucket_hours: 24,
        };
        assert_eq!(span.count(), 14);
        assert_eq!(span.start_of(13).micros(), 13 * 86_400_000_000);
    }
}
