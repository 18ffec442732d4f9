//! What a rule found on a step.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How bad a step or a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No condition.
    #[default]
    Ok,
    /// Points, but fewer than the threshold.
    Warning,
    /// The threshold reached, or any condition of layer 1.
    Critical,
}

impl Severity {
    /// The word in the database, the API and the URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a word, `None` for any other text.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Warning, Self::Critical]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// One rule hit on a step, with the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Condition {
    /// The rule's number, for instance 2001.
    pub code: u16,
    /// The layer the rule belongs to, 1 to 5.
    pub layer: u8,
    /// The rule's name, for instance `json_contract_violation`.
    pub name: String,
    /// What the hit adds to the step's score.
    pub points: i32,
    /// One sentence that says what is wrong.
    pub message: String,
    /// What was found.
    pub observed: String,
    /// What the rule wanted to find.
    pub expected: String,
    /// Where in the output, when the rule can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Place))]
    pub place: Option<Place>,
    /// The sample that set the limit, for rules with a learned limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Sample))]
    pub sample: Option<Sample>,
}

/// A place in a step's output, or several of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Bytes `start..end` of the UTF-8 output. `start == end` is a point, for instance the end of the output.
    Bytes {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// Further places of the same finding, for instance each bracket that is never closed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<ByteRange>,
    },
    /// A JSON pointer (RFC 6901) into the parsed output.
    Pointer(String),
}

impl Place {
    /// Bytes `start..end` and nothing more.
    pub const fn at_bytes(start: usize, end: usize) -> Self {
        Self::Bytes {
            start,
            end,
            more: Vec::new(),
        }
    }

    /// Every range of bytes, in the order in which the finding names them; none for a pointer.
    pub fn bytes(&self) -> Vec<Range<usize>> {
        match self {
            Self::Bytes { start, end, more } => {
                let more = more.iter().map(|bytes| bytes.start..bytes.end);
                std::iter::once(*start..*end).chain(more).collect()
            }
            Self::Pointer(_) => Vec::new(),
        }
    }
}

/// Bytes `start..end` of the UTF-8 output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ByteRange {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The sample behind a learned limit or a band. Latency (4001, 5001) is in milliseconds, tokens (4002, 5002, 5004) in
/// tokens, cost (4003, 5003) in nano-dollars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sample {
    /// How many steps it holds.
    pub n: u32,
    /// Their median, in the code's unit.
    pub p50: f64,
    /// Their 95th percentile, in the code's unit.
    pub p95: f64,
    /// In words, which steps those are.
    pub window: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_written_as_it_always_was() {
        let check = |json: &str, expected: &[(usize, usize)]| {
            let place: Place = serde_json::from_str(json).unwrap();
            let bytes: Vec<_> = place
                .bytes()
                .iter()
                .map(|range| (range.start, range.end))
                .collect();
            assert_eq!(bytes, expected, "{json}");
            assert_eq!(serde_json::to_string(&place).unwrap(), json);
        };
        check(r#"{"bytes":{"start":1,"end":3}}"#, &[(1, 3)]);
        check(
            r#"{"bytes":{"start":0,"end":1,"more":[{"start":38,"end":39}]}}"#,
            &[(0, 1), (38, 39)],
        );
        check(r#"{"pointer":"/a"}"#, &[]);
    }
}
