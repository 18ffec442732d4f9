//! What a project chose to hide.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::Kind;

/// Own patterns of a project.
pub const MAX_OWN: usize = 10;
/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 200;
/// The longest name of one, in bytes.
const MAX_NAME_BYTES: usize = 24;
/// What a pattern may take once it is compiled, in bytes: the time for a text is in proportion to it at worst.
const MAX_COMPILED_BYTES: usize = 192 * 1024;
/// The memory in which it remembers where it was in a text.
const MAX_CACHE_BYTES: usize = 1024 * 1024;
/// Names that mean something else where a value was.
const RESERVED: [&str; 2] = ["text", "id"];

/// What is done with a kind of value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Treatment {
    /// It is stored as it came.
    #[default]
    Off,
    /// `[hidden email]` stands in its place.
    Mask,
    /// `[hidden email 3fa94c01b2d7]` does: the same for the same value of this project.
    Hash,
}

impl Treatment {
    /// All of them, in the order in which pages show them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Mask, Self::Hash];

    /// The word in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Mask => "mask",
            Self::Hash => "hash",
        }
    }

    /// The treatment with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|treatment| treatment.as_str() == word)
    }
}

/// A pattern of the project's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnPattern {
    /// What stands where a value was: `ticket` makes `[hidden ticket]`.
    pub name: String,
    /// A regular expression without look-around and back-references, so that a search takes linear time.
    pub pattern: String,
    /// What is done with what it matches.
    pub treatment: Treatment,
}

/// All of it. Everything is off unless it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is done with each known kind; those that are off may be left out.
    pub kinds: BTreeMap<Kind, Treatment>,
    /// The project's own patterns.
    pub own: Vec<OwnPattern>,
}

/// Why settings can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// More than [`MAX_OWN`] patterns.
    TooMany,
    /// The name of this pattern is none: lower-case letters, digits, `_`, `-`, and no name twice.
    Name(String),
    /// This pattern is invalid, too large, or matches nothing but empty texts.
    Pattern(String),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "a project has at most {MAX_OWN} patterns of its own"),
            Self::Name(name) => write!(
                f,
                "{name:?} can't be the name of a pattern: 1 to {MAX_NAME_BYTES} lower-case letters, digits, _ or -, none of \
                 them twice, and no name of a known kind"
            ),
            Self::Pattern(pattern) => write!(
                f,
                "{pattern:?} is no regular expression that can be used: at most {MAX_PATTERN_BYTES} bytes, without look-around \
                 and back-references, with small repetitions, and never matching an empty text"
            ),
        }
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// What is done with a known kind.
    pub fn of(&self, kind: Kind) -> Treatment {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// What was stored; `None` where it can't be read, because a later version wrote it.
    pub fn stored(value: Option<serde_json::Value>) -> Option<Self> {
        value.map_or_else(
            || Some(Self::default()),
            |value| serde_json::from_value(value).ok(),
        )
    }

    /// Whether they can be used.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.own.len() > MAX_OWN {
            return Err(SettingsError::TooMany);
        }
        for (nth, own) in self.own.iter().enumerate() {
            let is_name =
                (1..=MAX_NAME_BYTES).contains(&own.name.len()) && own.name.bytes().all(is_name_byte);
            let is_known = Kind::ALL.iter().any(|kind| kind.as_str() == own.name);
            let is_taken = self.own.iter().take(nth).any(|other| other.name == own.name);
            if !is_name || is_known || is_taken || RESERVED.contains(&own.name.as_str()) {
                return Err(SettingsError::Name(own.name.clone()));
            }
            compile(&own.pattern)?;
        }
        Ok(())
    }
}

/// What names of kinds and patterns consist of.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
}

pub(super) fn compile(pattern: &str) -> Result<Regex, SettingsError> {
    let refused = || SettingsError::Pattern(pattern.to_owned());
    if pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES || pattern.chars().any(char::is_control) {
        return Err(refused());
    }
    let compiled = RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_CACHE_BYTES)
        .nest_limit(20)
        .build()
        .map_err(|_invalid| refused())?;
    if compiled.is_match("") {
        return Err(refused());
    }
    Ok(compiled)
}
