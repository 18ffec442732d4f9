//! What is known of a candidate as numbers, and how much each of them counts.

use serde::{Deserialize, Serialize};

use super::NullCause;

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Something that is known of a candidate. Larger values never make it less likely.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Feature { $($(#[$doc])* $name,)* }

        /// All of them, in the order of [`Features`].
        pub const FEATURES: [Feature; COUNT] = [$(Feature::$name,)*];

        impl Feature {
            /// The word of the data file and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

/// How many features there are.
pub(super) const COUNT: usize = 19;

features! {
    /// Of a deploy: how well the onset fits its rollout, a log likelihood ratio.
    Time = "time",
    /// Of a deploy: its release against the one before, at the same time, a log likelihood ratio.
    ReleaseContrast = "release_contrast",
    /// Of a deploy: the part of the change on what was switched during its rollout.
    Mechanism = "mechanism",
    /// Of a deploy: −1 where what carries the change was switched at another time.
    FirstSeen = "first_seen",
    /// Of a deploy: whether what it switched is what changed.
    BlastRadius = "blast_radius",
    /// Of a deploy: keys that it can't have touched did not move.
    Controls = "controls",
    /// Of a deploy: the change came at once, and nothing was rising before.
    PreTrend = "pre_trend",
    /// Of a deploy: taking it back took the change back.
    Reversal = "reversal",
    /// Of a deploy: −1 where it went somewhere else.
    Scope = "scope",
    /// Of a deploy: what its title and files say.
    DiffHint = "diff_hint",
    /// Of traffic: the part of the change that more runs carry.
    TrafficVolume = "traffic_volume",
    /// Of price: the part of the change that prices carry.
    PriceShare = "price_share",
    /// Of the provider: other series of the same model moved, those of other models did not.
    DriftSpread = "drift_spread",
    /// Of users: longer questions, other steps, with prompts and models as before.
    MixShare = "mix_share",
    /// Of configuration: models or prompts were switched while nothing was rolled out.
    UndeployedSwitch = "undeployed_switch",
    /// Of traffic, price, provider and users: nothing was switched on what changed.
    NothingSwitched = "nothing_switched",
    /// Of configuration and unknown causes: the change came at once while nothing was rolled out.
    SuddenAlone = "sudden_alone",
    /// Of configuration: calls of a run, models or lengths of answers moved.
    SettingShare = "setting_share",
    /// Of the provider: latency, errors or lengths of answers moved within models.
    DriftKind = "drift_kind",
}

/// One number for each of [`FEATURES`].
pub type Features = [f64; COUNT];

/// How much each feature counts, and how likely causes are that nothing is known of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Changes with every fit.
    pub version: String,
    /// Where they come from: incidents and seeds they were fitted on.
    pub fitted_on: String,
    /// The log odds of each null cause against all deploys together, before anything is known.
    pub nulls: [f64; 6],
    /// By feature, none below 0.
    pub features: Features,
    /// Divides all utilities: above 1 makes probabilities less sure.
    pub temperature: f64,
}

impl Weights {
    /// The weights that this version ships with.
    pub fn shipped() -> Self {
        Self::parse(include_str!("../../../../../data/attribution.json")).unwrap_or_else(Self::unfitted)
    }

    /// Weights to begin a fit with, and to use where the shipped file can't be read.
    pub fn unfitted() -> Self {
        let mut features = [1.0; COUNT];
        for (feature, weight) in FEATURES.iter().zip(features.iter_mut()) {
            *weight = match feature {
                Feature::ReleaseContrast | Feature::Controls | Feature::PreTrend => 0.3,
                Feature::Time | Feature::FirstSeen | Feature::SuddenAlone | Feature::SettingShare => 0.5,
                Feature::DiffHint | Feature::NothingSwitched | Feature::MixShare => 0.7,
                Feature::Mechanism | Feature::TrafficVolume => 1.5,
                Feature::Reversal | Feature::Scope | Feature::PriceShare | Feature::DriftSpread => 2.0,
                _ => 1.0,
            };
        }
        Self {
            version: "unfitted".to_owned(),
            fitted_on: String::new(),
            nulls: [-1.5, -3.0, -2.5, -2.0, -2.5, -1.5],
            features,
            temperature: 1.0,
        }
    }

    /// The same for a project whose people said so often that it was a deploy, and so often that it was something else: the
    /// odds of a deploy before anything is known are moved from 6 to 4 by what they said.
    #[must_use]
    pub fn with_answers(mut self, deploys: i64, others: i64) -> Self {
        const USUAL: (f64, f64) = (6.0, 4.0);
        /// Answers beyond which one more says little.
        const MOST: i64 = 1_000;
        let counted = |n: i64| n.clamp(0, MOST) as f64;
        let odds = (USUAL.0 + counted(deploys)) / (USUAL.1 + counted(others));
        let shift = (odds / (USUAL.0 / USUAL.1)).ln() * self.temperature;
        self.nulls.iter_mut().for_each(|null| *null -= shift);
        self
    }

    /// Reads a data file: `{"version", "fitted_on", "temperature", "nulls": {cause: log odds}, "features": {name:
    /// weight}}`. `None` when one is missing, negative, or no number.
    pub fn parse(json: &str) -> Option<Self> {
        let file: serde_json::Value = serde_json::from_str(json).ok()?;
        let text = |name: &str| file.get(name)?.as_str().map(str::to_owned);
        let number = |of: &str, name: &str| file.get(of)?.get(name)?.as_f64();
        let mut nulls = [0.0; 6];
        for (cause, value) in NullCause::ALL.iter().zip(nulls.iter_mut()) {
            *value = number("nulls", null_word(*cause))?;
        }
        let mut features = [0.0; COUNT];
        for (feature, value) in FEATURES.iter().zip(features.iter_mut()) {
            *value = number("features", feature.as_str()).filter(|weight| *weight >= 0.0)?;
        }
        let temperature = file.get("temperature")?.as_f64().filter(|t| *t > 0.0)?;
        Some(Self {
            version: text("version")?,
            fitted_on: text("fitted_on")?,
            nulls,
            features,
            temperature,
        })
    }

    /// As the data file holds them.
    pub fn to_json(&self) -> String {
        let entry = |name: &str, value: f64| format!("    \"{name}\": {value:.4}");
        let nulls: Vec<_> = NullCause::ALL
            .iter()
            .zip(self.nulls)
            .map(|(cause, value)| entry(null_word(*cause), value))
            .collect();
        let features: Vec<_> = FEATURES
            .iter()
            .zip(self.features)
            .map(|(feature, value)| entry(feature.as_str(), value))
            .collect();
        format!(
            "{{\n  \"version\": \"{}\",\n  \"fitted_on\": \"{}\",\n  \"temperature\": {:.4},\n  \"nulls\": {{\n{}\n  }},\n  \"features\": {{\n{}\n  }}\n}}\n",
            self.version,
            self.fitted_on,
            self.temperature,
            nulls.join(",\n"),
            features.join(",\n")
        )
    }

    pub(super) fn of(&self, feature: Feature) -> f64 {
        self.features.get(feature as usize).copied().unwrap_or(0.0)
    }
}

const fn null_word(cause: NullCause) -> &'static str {
    match cause {
        NullCause::Traffic => "traffic",
        NullCause::Price => "price",
        NullCause::ProviderDrift => "provider_drift",
        NullCause::UserMix => "user_mix",
        NullCause::Configuration => "configuration",
        NullCause::Unknown => "unknown",
    }
}

/// Fewer calls than this on a side are said aloud, and nobody is that sure of them.
pub(super) const FEW_CALLS: i64 = 20;

/// Which features a deploy may have.
pub(super) const OF_DEPLOYS: [Feature; 10] = {
    let mut of = [Feature::Time; 10];
    let mut at = 0;
    while at < of.len() {
        of[at] = FEATURES[at];
        at += 1;
    }
    of
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_read_and_written_back() {
        let text = include_str!("../../../../../data/attribution.json");
        let weights = Weights::parse(text).unwrap();
        assert_eq!(weights, Weights::shipped());
        assert_eq!(weights.to_json(), text);
        assert_eq!(
            Weights::parse(&text.replacen("\"time\": ", "\"time\": -", 1)),
            None
        );
        assert_eq!(Weights::parse("{}"), None);
    }

    #[test]
    fn answers_move_the_odds_of_a_deploy_and_nothing_else() {
        let choice = super::super::Choice {
            deploys: vec![[0.0; COUNT]],
            ..super::super::Choice::default()
        };
        let odds = |weights: &Weights| {
            let (deploys, nulls) = super::super::probabilities(&choice, weights);
            (deploys[0] / nulls.iter().sum::<f64>(), nulls[0] / nulls[1])
        };
        let usual = Weights::shipped();
        assert_eq!(usual.clone().with_answers(0, 0), usual);
        let (before, among) = odds(&usual);
        let (after, still) = odds(&usual.clone().with_answers(6, 0));
        assert!((after / before - 2.0).abs() < 1e-9, "12 to 4 instead of 6 to 4");
        assert!((among - still).abs() < 1e-9);
        let (less, _) = odds(&usual.with_answers(0, 4));
        assert!((less / before - 0.5).abs() < 1e-9);
    }

    #[test]
    fn features_have_the_order_of_their_numbers() {
        for (index, feature) in FEATURES.iter().enumerate() {
            assert_eq!(*feature as usize, index);
            assert_eq!(serde_json::to_value(feature).unwrap(), feature.as_str());
        }
    }
}
