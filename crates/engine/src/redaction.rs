//! What is taken out of a step before anything of it is stored: keys, e-mail addresses, numbers of cards and accounts,
//! phone numbers, and what a project's own patterns match. Each kind is left alone, masked, or replaced by a keyed hash,
//! by which equal values stay equal and nobody without the key can try values out.
//!
//! Entry points: [`Settings`] is what a project chose, [`Redactor`] does it.
//!
//! **Invariants:** time linear in the text for each kind; a bounded number of looks at a bounded part of it for each pattern; a text without a finding comes back as it was, byte
//! for byte; JSON stays JSON; what is done a second time changes nothing.

mod find;
mod json;
mod settings;
mod step;

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use regex::Regex;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

pub use find::PROVIDER_KEY_PREFIXES;
pub use settings::{MAX_OWN, MAX_PATTERN_BYTES, OwnPattern, Settings, SettingsError, Treatment};

use find::{Found, Wanted};
use settings::compile;

/// Values that are hidden one by one in a text. One with more is hidden as a whole: what stands in their place would make
/// it many times as long.
const MAX_VALUES: usize = 10_000;
/// What an own pattern has to match at least, in bytes, for the same reason.
const MIN_OWN_BYTES: usize = 4;
/// Hexadecimal digits of a hash: 48 bits tell the values of a project apart.
const HASH_DIGITS: usize = 12;
/// A block of SHA-256.
const HMAC_BLOCK_BYTES: usize = 64;
/// How everything begins that stands where a value was.
const OPEN: &str = "[hidden ";
/// What stands where a text was that had more than [`MAX_VALUES`].
const HIDDEN_TEXT: &str = "[hidden text]";

/// What is known without a pattern of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Keys and tokens whose form is known, JSON Web Tokens, private keys.
    Key,
    /// E-mail addresses.
    Email,
    /// Payment cards: an issuer's beginning and length, and Luhn's check digit (ISO/IEC 7812-1).
    Card,
    /// Bank accounts: a country's length and the check digits (ISO 13616, mod 97).
    Iban,
    /// Phone numbers, international (E.164 with `+`) or North American with separators.
    Phone,
}

impl Kind {
    /// All of them, in the order in which pages show them.
    pub const ALL: [Self; 5] = [Self::Key, Self::Email, Self::Card, Self::Iban, Self::Phone];

    /// The word in settings, in counts, and where a value was.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Phone => "phone",
        }
    }
}

/// How many values were hidden, by the word of a kind or the name of an own pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub BTreeMap<String, u64>);

impl Hidden {
    /// Whether nothing was hidden.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Adds what was hidden elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (kind, values) in &other.0 {
            self.count(kind, *values);
        }
    }

    fn count(&mut self, kind: &str, values: u64) {
        match self.0.get_mut(kind) {
            Some(sum) => *sum += values,
            None => _ = self.0.insert(kind.to_owned(), values),
        }
    }
}

/// Hides what a project's settings say.
#[derive(Clone, Debug)]
pub struct Redactor {
    wanted: Wanted,
    /// Own patterns; what they find has an index behind the known kinds'.
    own: Vec<Own>,
    treatments: [Treatment; Kind::ALL.len()],
    hash: Hmac<Sha256>,
}

#[derive(Clone, Debug)]
struct Own {
    name: String,
    pattern: Regex,
    treatment: Treatment,
}

/// Whether a value is hidden as its kind says, or always as a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    Said,
    /// Of ids: two of them must never become one.
    Hash,
}

impl Redactor {
    /// With a key of 32 bytes for the hashes, which no other project has.
    pub fn new(settings: &Settings, key: &[u8; 32]) -> Result<Self, SettingsError> {
        settings.check()?;
        let own = settings
            .own
            .iter()
            .filter(|own| own.treatment != Treatment::Off)
            .map(|own| {
                Ok(Own {
                    name: own.name.clone(),
                    pattern: compile(&own.pattern)?,
                    treatment: own.treatment,
                })
            })
            .collect::<Result<_, SettingsError>>()?;
        Ok(Self::with(|kind| settings.of(kind), own, key))
    }

    /// Masks every known kind.
    pub fn strictest(key: &[u8; 32]) -> Self {
        Self::with(|_kind| Treatment::Mask, Vec::new(), key)
    }

    fn with(of: impl Fn(Kind) -> Treatment, own: Vec<Own>, key: &[u8; 32]) -> Self {
        // HMAC fills a key up with zeros to the length of a block.
        let mut block = [0; HMAC_BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self {
            wanted: Wanted::of(|kind| of(kind) != Treatment::Off),
            own,
            treatments: Kind::ALL.map(of),
            hash: Hmac::new(&block.into()),
        }
    }

    /// Whether it hides nothing at all.
    pub fn is_off(&self) -> bool {
        self.wanted.is_empty() && self.own.is_empty()
    }

    /// The text without what is to be hidden; `None` where nothing is.
    pub fn text(&self, text: &str, hidden: &mut Hidden) -> Option<String> {
        self.hide(text, As::Said, hidden)
    }

    fn hide(&self, text: &str, how: As, hidden: &mut Hidden) -> Option<String> {
        if json::begins(text) {
            let hidden_before = hidden.total();
            let left = json::hide(self, text, how, 0, hidden)?;
            let is_too_many = hidden.total().saturating_sub(hidden_before) > MAX_VALUES as u64;
            Some(if is_too_many { HIDDEN_TEXT.to_owned() } else { left })
        } else {
            self.plain(text, how, hidden)
        }
    }

    /// A text that is no JSON, or a string of it.
    fn plain(&self, text: &str, how: As, hidden: &mut Hidden) -> Option<String> {
        let found = self.found(text);
        if found.is_empty() {
            return None;
        }
        if found.len() > MAX_VALUES {
            hidden.count("text", 1);
            return Some(HIDDEN_TEXT.to_owned());
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for value in found {
            out.push_str(text.get(at..value.start).unwrap_or_default());
            out.push_str(&self.instead(text, &value, how, hidden));
            at = value.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        Some(out)
    }

    /// What stands where a value was; counts it.
    fn instead(&self, text: &str, value: &Found, how: As, hidden: &mut Hidden) -> String {
        let (name, treatment) = self.named(value.kind);
        hidden.count(name, 1);
        if how == As::Hash || treatment == Treatment::Hash {
            let value = text.get(value.start..value.end).unwrap_or_default();
            format!("{OPEN}{name} {}]", self.hash_of(value))
        } else {
            format!("{OPEN}{name}]")
        }
    }

    /// A kind's word, and what is done with it.
    fn named(&self, kind: usize) -> (&str, Treatment) {
        match (Kind::ALL.get(kind), self.treatments.get(kind)) {
            (Some(kind), Some(treatment)) => (kind.as_str(), *treatment),
            _ => kind
                .checked_sub(Kind::ALL.len())
                .and_then(|nth| self.own.get(nth))
                .map_or(("text", Treatment::Mask), |own| {
                    (own.name.as_str(), own.treatment)
                }),
        }
    }

    fn hash_of(&self, value: &str) -> String {
        let mut mac = self.hash.clone();
        mac.update(value.as_bytes());
        let mut digits = hex::encode(mac.finalize().into_bytes());
        digits.truncate(HASH_DIGITS);
        digits
    }

    /// The values of a text in their order, none of which touches another. Where several kinds overlap, the first says
    /// what it is, and all of them are hidden.
    fn found(&self, text: &str) -> Vec<Found> {
        let mut found = find::known(text, self.wanted);
        for (nth, own) in self.own.iter().enumerate() {
            find::of_own(&own.pattern, text, &mut |start, end| {
                found.push(Found {
                    start,
                    end,
                    kind: Kind::ALL.len() + nth,
                });
            });
        }
        if found.is_empty() {
            return found;
        }
        let hidden_before = find::placeholders(text);
        found.retain(|value| !find::is_within(value, &hidden_before));
        found.sort_unstable_by_key(|value| (value.start, std::cmp::Reverse(value.end), value.kind));
        let mut apart: Vec<Found> = Vec::with_capacity(found.len());
        for value in found {
            match apart.last_mut() {
                Some(last) if value.start < last.end => last.end = last.end.max(value.end),
                _ => apart.push(value),
            }
        }
        apart
    }
}

#[cfg(test)]
mod tests;
