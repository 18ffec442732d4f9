//! Prices as dated data, and what a call costs by them.
//!
//! A price row says what one provider asks for one model (or a family of models) from a day on. The shipped rows lie
//! in `data/prices.json`, a project's own in the table `prices`; both hold the same JSON:
//!
//! ```
//! let file = r#"{
//!   "version": "2026-11-20",
//!   "prices": [
//!     {
//!       "price_id": "anthropic/claude-sonnet-4-5/2025-09-29",
//!       "provider": "anthropic",
//!       "model_match": "exact",
//!       "model": "claude-sonnet-4-5",
//!       "valid_from": "2025-09-29T00:00:00Z",
//!       "context_window": 1000000,
//!       "source": "https://www.anthropic.com/pricing",
//!       "rates": {
//!         "input": 3000000000,
//!         "output": 15000000000,
//!         "cache_read": 300000000,
//!         "cache_write_5m": 3750000000,
//!         "cache_write_1h": 6000000000,
//!         "web_search_per_1k": 10000000000,
//!         "per_request": 0,
//!         "tiers": [
//!           {
//!             "above_input_tokens": 200000,
//!             "input": 6000000000,
//!             "output": 22500000000,
//!             "cache_read": 600000000,
//!             "cache_write_5m": 7500000000,
//!             "cache_write_1h": 12000000000
//!           }
//!         ],
//!         "service_tiers": {
//!           "batch": { "permille": 500 },
//!           "priority": { "input": 4000000000, "output": 20000000000 }
//!         }
//!       }
//!     },
//!     {
//!       "price_id": "openai/text-embedding-3-small/2024-01-25",
//!       "provider": "openai",
//!       "model_match": "prefix",
//!       "model": "text-embedding-3-small",
//!       "valid_from": "2024-01-25T00:00:00Z",
//!       "source": "https://openai.com/api/pricing",
//!       "rates": { "input": 20000000 }
//!     }
//!   ]
//! }"#;
//! let prices: engine::pricing::PriceFile = serde_json::from_str(file).unwrap();
//! assert_eq!(prices.prices.len(), 2);
//! assert!(prices.prices.iter().all(|row| row.problem().is_none()));
//! ```
//!
//! **Units.** Token rates are nano-dollars per million tokens: $3 per million is `3000000000`. `web_search_per_1k` is
//! nano-dollars per thousand searches, `per_request` nano-dollars per call.
//!
//! **Parts.** Sound, pictures and moving pictures have rates of their own (`input_audio`, `output_image`, …). One that
//! is left out makes a call that used such tokens one without a price, but for pictures in the input, which providers
//! bill as text where their lists say nothing else.
//!
//! **Modifiers multiply** in this order: size of the input or time of day, service tier, geography, factors of the cache.
//!
//! **Keys that are left out.** `output` for models without output (embeddings). A cache rate that is left out is
//! derived ([`price()`] says how). A tier and a service tier replace only the rates that they name.
//!
//! **Tiers** count the whole input, cache included; above the limit all tokens of the call cost the tier's rates.
//! **Service tiers** are named by the provider's word in lower case (`batch`, `flex`, `priority`, `fast`); `permille`
//! multiplies all token rates, tiers included (500 is half price), and a rate that is named wins over it. A tier that
//! costs something else and is not listed has no price: [`try_price()`] says which those are.
//! **Model names** are compared in lower case; `prefix` is the beginning of a name, `regex` has to match all of it.

mod bill;
mod billed;
mod inherit;
mod lines;
mod model_name;
mod receipt;
mod seller;
mod table;
mod token_lines;

use std::collections::BTreeMap;

use domain::Timestamp;
use serde::{Deserialize, Serialize};

pub use bill::{Bill, BillLine};
pub use billed::{Billed, BilledAs, Receipt, ReceiptLine, Unpriced, costs_otherwise};
pub use receipt::{drift, price, try_price, try_price_of};
pub use table::{CUSTOM, MAX_REGEX_ROWS, PriceTable};

/// A file of prices, such as the one that is shipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceFile {
    /// Which edition of the list it is, usually its day.
    pub version: String,
    /// One row per provider, model and date of validity.
    pub prices: Vec<PriceRow>,
}

/// What one provider asks for one model, or a family of them, from a day on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRow {
    /// Its identity: the `price_version` of every cost that is computed with it.
    pub price_id: String,
    /// A project's own row, which wins over shipped ones. Not a key of the file.
    #[serde(default, skip_serializing_if = "is_false")]
    pub project_own: bool,
    /// Who bills it, for instance `anthropic`.
    pub provider: String,
    /// How `model` is compared.
    pub model_match: ModelMatch,
    /// The model's name, the beginning of names, or a regular expression for whole names.
    pub model: String,
    /// The moment from which it is billed so.
    pub valid_from: Timestamp,
    /// What it costs.
    pub rates: Rates,
    /// How many tokens fit into the model's context, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<i64>,
    /// Where the figures come from.
    #[serde(default)]
    pub source: String,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// How a price row's model is compared with a call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelMatch {
    /// Equals the model's name, in any case.
    Exact,
    /// The name begins with it; of several rows, the longest beginning wins.
    Prefix,
    /// A regular expression matches the whole name.
    Regex,
}

impl ModelMatch {
    /// The word in the database and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Regex => "regex",
        }
    }

    /// The value of a word, `None` for any other text.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Exact, Self::Prefix, Self::Regex]
            .into_iter()
            .find(|value| value.as_str() == word)
    }
}

/// Declares the token rates once, with what goes over all of them.
macro_rules! token_rates {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What a million tokens cost, by bucket, in nano-dollars. `None` is: not said here.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct TokenRates {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<i64>),+
        }

        impl TokenRates {
            /// Every rate by its name.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, Option<i64>)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }

            /// The place of every rate, in the same order.
            fn places(&mut self) -> impl Iterator<Item = &mut Option<i64>> {
                [$(&mut self.$name),+].into_iter()
            }

            /// Each rate made of the same rate of two others.
            fn zipped(a: Self, b: Self, f: impl Fn(Option<i64>, Option<i64>) -> Option<i64>) -> Self {
                Self { $($name: f(a.$name, b.$name)),+ }
            }
        }
    };
}

token_rates!(
    /// Fresh input.
    input,
    /// Output, reasoning included.
    output,
    /// Read from the prompt cache.
    cache_read,
    /// Written to the prompt cache, kept for five minutes or for an unknown time.
    cache_write_5m,
    /// Written to the prompt cache, kept for an hour.
    cache_write_1h,
    /// Sound in the input.
    input_audio,
    /// Pictures in the input.
    input_image,
    /// Moving pictures in the input.
    input_video,
    /// Sound that was read from the prompt cache.
    cache_read_audio,
    /// Pictures that were read from the prompt cache.
    cache_read_image,
    /// Sound in the output.
    output_audio,
    /// Pictures in the output.
    output_image,
    /// Moving pictures in the output.
    output_video,
    /// Reasoning, where it costs something else than the rest of the output.
    output_reasoning,
    /// Tokens of cited pages, where they are billed.
    citations,
);

/// All that a row asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// The rates of an ordinary call.
    #[serde(flatten)]
    pub tokens: TokenRates,
    /// Nano-dollars for a thousand searches of the web.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search_per_1k: Option<i64>,
    /// Nano-dollars for each call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_request: Option<i64>,
    /// Nano-dollars for each call by how much is searched for it, by the provider's word: `low`, `medium`, `high`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub per_request_by_context: BTreeMap<String, i64>,
    /// Nano-dollars for a thousand uses of a tool of the provider: `file_search`, `code_interpreter`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools_per_1k: BTreeMap<String, i64>,
    /// Thousandths of all token rates by where the model runs: `us` at 1100.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub geographies: BTreeMap<String, i64>,
    /// Other rates by the time of day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<HourRates>,
    /// Other rates for calls with much input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<InputTier>,
    /// Other rates by service tier, by the provider's word in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub service_tiers: BTreeMap<String, ServiceTierRates>,
}

/// Rates for calls that begin within some hours of the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HourRates {
    /// The first minute of the day at which they hold, in UTC.
    pub from_minute: i64,
    /// The first minute at which they do not; at or before the other, that of the next day.
    pub to_minute: i64,
    /// They hold from Monday to Friday alone, by the day in UTC.
    #[serde(skip_serializing_if = "is_false")]
    pub weekdays_only: bool,
    /// Something else is asked in these hours, and nobody says what: a call has no price then.
    #[serde(skip_serializing_if = "is_false")]
    pub is_unknown: bool,
    /// The rates that are other than the ordinary ones.
    #[serde(flatten)]
    pub tokens: TokenRates,
}

/// Rates for calls with more input than a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputTier {
    /// The limit, cache included; a call of exactly this size is below it.
    pub above_input_tokens: i64,
    /// The rates that are other than the ordinary ones.
    #[serde(flatten)]
    pub tokens: TokenRates,
}

/// Rates for calls that were served at a tier of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceTierRates {
    /// Thousandths of the ordinary rates, for those that are not named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permille: Option<i64>,
    /// The rates that are named.
    #[serde(flatten)]
    pub tokens: TokenRates,
    /// Its own rates for calls with much input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<InputTier>,
}

impl PriceRow {
    /// With what it does not say itself taken from another row, the shipped one for the same model: fees, the context
    /// window, and what much input and each service tier cost, as factors of its own ordinary rates.
    pub fn completed_by(self, shipped: &Self) -> Self {
        inherit::completed(self, shipped)
    }

    /// Why this row can't be used, in a sentence for the person who wrote it; `None` when it can.
    pub fn problem(&self) -> Option<String> {
        table::problem(self)
    }
}
