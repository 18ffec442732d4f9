//! Language models that Plumbline itself asks: who serves them, what they are asked for, and how an asking goes.

use serde::{Deserialize, Serialize};

use crate::NanoUsd;
use crate::step::words;

words!(
    /// What a call of ours is for. It decides which model is asked, and is what usage is counted by.
    Feature {
        /// Analyze run.
        Analysis = "analysis",
        /// Investigate incident.
        Investigation = "investigation",
        /// Ask.
        Chat = "chat",
        /// Detectors that are judged by a model.
        Detectors = "detectors",
    }
);

impl Feature {
    /// What pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Analysis => "Analyze run",
            Self::Investigation => "Investigation",
            Self::Chat => "Ask",
            Self::Detectors => "Detectors",
        }
    }

    /// How much of a month's budget this use may spend. What goes by itself, or is asked in passing, stops at 92 %: the
    /// rest is kept for analyses and investigations, which are asked for when something is wrong.
    pub const fn part_of_budget(self, budget: NanoUsd) -> NanoUsd {
        match self {
            Self::Analysis | Self::Investigation => budget,
            Self::Chat | Self::Detectors => NanoUsd(budget.0 - budget.0 / 100 * 8),
        }
    }
}

words!(
    /// Which API a provider speaks.
    ProviderKind {
        /// Anthropic's Messages.
        Anthropic = "anthropic",
        /// OpenAI's Chat Completions.
        OpenAi = "openai",
        /// Google's generateContent.
        Gemini = "gemini",
        /// Chat Completions at an address of one's own.
        OpenAiCompatible = "openai_compatible",
    }
);

impl ProviderKind {
    /// What pages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Anthropic => "Anthropic",
            Self::OpenAi => "OpenAI",
            Self::Gemini => "Gemini",
            Self::OpenAiCompatible => "OpenAI-compatible",
        }
    }

    /// Where it is called unless an address is given; `None` where one has to be.
    pub const fn default_url(self) -> Option<&'static str> {
        match self {
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::OpenAiCompatible => None,
        }
    }
}

words!(
    /// How something that a model works at is going.
    WorkState {
        /// Nobody works at it yet.
        Queued = "queued",
        /// Somebody does.
        Running = "running",
        /// It has an answer.
        Done = "done",
        /// It has none, and the error says why.
        Failed = "failed",
        /// The budget left no room for it.
        Refused = "refused",
    }
);

impl WorkState {
    /// Whether nothing more will come of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Refused)
    }
}

/// A model of one of the project's providers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelChoice {
    /// The provider's id in the settings.
    pub provider: String,
    /// The model's id as the provider knows it.
    pub model: String,
}

/// Whether a text can be a provider's id: a slug of at most 40 characters.
pub fn is_provider_id(text: &str) -> bool {
    const MAX_BYTES: usize = 40;
    !text.is_empty()
        && text.len() <= MAX_BYTES
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_by_itself_leaves_some_of_the_budget() {
        let budget = NanoUsd(25_000_000_000);
        let check = |feature: Feature, nano_usd: i64| {
            assert_eq!(feature.part_of_budget(budget), NanoUsd(nano_usd), "{feature:?}");
        };
        check(Feature::Detectors, 23_000_000_000);
        check(Feature::Chat, 23_000_000_000);
        check(Feature::Analysis, 25_000_000_000);
        check(Feature::Investigation, 25_000_000_000);
    }

    #[test]
    fn ids_of_providers_are_slugs() {
        for (id, is_one) in [
            ("anthropic", true),
            ("local-2", true),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a/b", false),
        ] {
            assert_eq!(is_provider_id(id), is_one, "{id}");
        }
        assert!(!is_provider_id(&"x".repeat(41)));
    }
}
