//! What a call used beside the four buckets: parts of them by modality, and whatever else is billed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The parts of some tokens that are not text. What was not reported is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TokenParts))]
pub struct Parts {
    /// Sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub audio: Option<i64>,
    /// Still pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub image: Option<i64>,
    /// Moving pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64))]
    pub video: Option<i64>,
}

impl Parts {
    /// All of them: audio, image, video.
    pub const fn all(&self) -> [Option<i64>; 3] {
        [self.audio, self.image, self.video]
    }

    /// Whether none of them is known.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(Option::is_none)
    }

    /// The known ones together.
    pub fn sum(&self) -> i64 {
        self.all()
            .into_iter()
            .flatten()
            .fold(0, |sum: i64, part| sum.saturating_add(part))
    }
}

/// What a call used beside the four buckets. Nothing here is a bucket of its own: the parts are contained in them, and
/// the rest decides which rates hold, or is billed by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageDetails {
    /// What of the whole input, cached or not, is not text.
    #[serde(skip_serializing_if = "Parts::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub input: Parts,
    /// What of the input that was read from the cache is not text.
    #[serde(skip_serializing_if = "Parts::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub cache_read: Parts,
    /// What of the output is not text.
    #[serde(skip_serializing_if = "Parts::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub output: Parts,
    /// Tokens of cited pages, which some providers bill beside input and output.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, required = false))]
    pub citations: Option<i64>,
    /// How often the provider's own tools were used that it bills by number: `file_search`, `code_interpreter`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub tools: BTreeMap<String, i64>,
    /// How much was searched for the answer, where a fee depends on it: `low`, `medium`, `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = false))]
    pub search_context: Option<String>,
    /// Where the model ran, where that costs something else: `us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = false))]
    pub geography: Option<String>,
    /// The input of the smallest of the requests that the call consisted of, where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, required = false))]
    pub smallest_input: Option<i64>,
    /// The input of the largest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = i64, required = false))]
    pub largest_input: Option<i64>,
    /// What of it nobody can price, in words: a cost is unknown then.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false, value_type = Vec<String>))]
    pub unpriced: BTreeSet<String>,
    /// The names in a usage object that was not understood, the object itself being kept among the attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, required = false))]
    pub unknown_shape: Option<String>,
}

impl UsageDetails {
    /// What a call adds to the sums beside the four buckets, by the name under which it is summed: tokens that are not text
    /// (`input_audio`, `output_image`, …), `citations`, `cache_write_1h`, and uses that are billed by number
    /// (`web_search`, `file_search`, `code_interpreter`, `other_tool`). Nothing that is none, and nothing below zero.
    pub fn counted_parts(
        &self,
        web_searches: Option<i64>,
        cache_write_1h: Option<i64>,
    ) -> BTreeMap<&'static str, i64> {
        let mut counted = BTreeMap::new();
        let mut add = |word: &'static str, n: Option<i64>| {
            if let Some(n) = n.filter(|n| *n > 0) {
                let sum = counted.entry(word).or_insert(0_i64);
                *sum = sum.saturating_add(n);
            }
        };
        for (parts, [audio, image, video]) in [
            (&self.input, ["input_audio", "input_image", "input_video"]),
            (
                &self.cache_read,
                ["cache_read_audio", "cache_read_image", "cache_read_video"],
            ),
            (&self.output, ["output_audio", "output_image", "output_video"]),
        ] {
            add(audio, parts.audio);
            add(image, parts.image);
            add(video, parts.video);
        }
        add("citations", self.citations);
        add("cache_write_1h", cache_write_1h);
        add("web_search", web_searches);
        for (tool, uses) in &self.tools {
            // Names come from outside; few of them are those of a provider.
            let word = match tool.as_str() {
                "file_search" => "file_search",
                "code_interpreter" => "code_interpreter",
                _ => "other_tool",
            };
            add(word, Some(*uses));
        }
        counted
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_summed_beside_the_buckets() {
        let mut details = UsageDetails::default();
        assert!(details.counted_parts(None, Some(0)).is_empty());
        details.output.audio = Some(482);
        details.input.image = Some(-3);
        details.tools = [("file_search", 2), ("x_search", 1), ("y_search", 4), ("z", -1)]
            .map(|(name, uses)| (name.to_owned(), uses))
            .into();
        let counted = details.counted_parts(Some(3), Some(1_000));
        let expected = [
            ("cache_write_1h", 1_000),
            ("file_search", 2),
            ("other_tool", 5),
            ("output_audio", 482),
            ("web_search", 3),
        ];
        assert_eq!(counted, expected.into());
    }
}
