//! What the prompts pages say, worked out from sums: versions of a step's prompt, shares, what changed.

use std::collections::BTreeMap;

use domain::{NanoUsd, PromptUse, Timestamp};

/// A step and the templates it used, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepPrompts {
    pub(crate) step_name: String,
    /// Its calls in the window.
    pub(crate) calls: i64,
    /// Its templates, by when the project first saw them.
    pub(crate) versions: Vec<Version>,
}

/// One template as one step used it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) fingerprint: String,
    /// When the project first saw it.
    pub(crate) first_seen_at: Timestamp,
    /// The hour of its last call in the window.
    pub(crate) last_hour: Timestamp,
    pub(crate) calls: i64,
    /// Failed calls.
    pub(crate) errors: i64,
    /// Calls without a price.
    pub(crate) unpriced: i64,
    /// What the others cost.
    pub(crate) cost: Option<NanoUsd>,
    /// Calls by model, the most used first.
    pub(crate) models: Vec<(Option<String>, i64)>,
}

impl Version {
    /// The mean cost of a call that has a price.
    pub(crate) fn cost_per_call(&self) -> Option<NanoUsd> {
        let priced = self.calls.saturating_sub(self.unpriced);
        let cost = self.cost?;
        (priced > 0).then(|| NanoUsd(cost.0 / priced))
    }

    fn of(use_: &PromptUse) -> Self {
        Self {
            fingerprint: use_.fingerprint.clone(),
            first_seen_at: use_.first_seen_at,
            last_hour: use_.last_hour,
            calls: 0,
            errors: 0,
            unpriced: 0,
            cost: None,
            models: Vec::new(),
        }
    }

    fn add(&mut self, use_: &PromptUse) {
        self.last_hour = self.last_hour.max(use_.last_hour);
        self.calls += use_.calls;
        self.errors += use_.errors;
        self.unpriced += use_.unpriced;
        self.cost = match (self.cost, use_.cost_nano_usd) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        self.models.push((use_.model.clone(), use_.calls));
    }
}

/// The steps with their versions, the busiest step first.
pub(crate) fn by_step(uses: &[PromptUse]) -> Vec<StepPrompts> {
    let mut steps: BTreeMap<&str, BTreeMap<&str, Version>> = BTreeMap::new();
    for use_ in uses {
        let versions = steps.entry(&use_.step_name).or_default();
        versions
            .entry(&use_.fingerprint)
            .or_insert_with(|| Version::of(use_))
            .add(use_);
    }
    let mut steps: Vec<StepPrompts> = steps
        .into_iter()
        .map(|(step_name, versions)| {
            let mut versions: Vec<Version> = versions.into_values().collect();
            for version in &mut versions {
                version
                    .models
                    .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            }
            versions.sort_by(|a, b| {
                (b.first_seen_at, b.calls, &b.fingerprint).cmp(&(a.first_seen_at, a.calls, &a.fingerprint))
            });
            StepPrompts {
                step_name: step_name.to_owned(),
                calls: versions.iter().map(|version| version.calls).sum(),
                versions,
            }
        })
        .collect();
    steps.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.step_name.cmp(&b.step_name)));
    steps
}

/// The template that a step of this one used before it: the newest of those that the project saw earlier.
#[cfg(any(feature = "ssr", test))]
pub(crate) fn used_before<'a>(uses: &'a [PromptUse], template: &domain::PromptTemplate) -> Option<&'a str> {
    let is_step_of_it = |name: &str| {
        uses.iter()
            .any(|own| own.fingerprint == template.fingerprint && own.step_name == name)
    };
    uses.iter()
        .filter(|other| other.fingerprint != template.fingerprint)
        .filter(|other| other.first_seen_at < template.first_seen_at && is_step_of_it(&other.step_name))
        .max_by_key(|other| (other.first_seen_at, other.calls))
        .map(|other| other.fingerprint.as_str())
}

/// A step whose prompt changed within the window.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PromptChange {
    pub(crate) step_name: String,
    /// When its newest template was first seen.
    pub(crate) at: Timestamp,
    /// The newest template.
    pub(crate) to: String,
    /// The one before.
    pub(crate) from: String,
    /// How much more a call costs since, in per cent; `None` where either cost is unknown or nothing.
    pub(crate) cost_percent: Option<i64>,
}

/// The steps whose newest template was first seen after `from`, the latest change first.
pub(crate) fn changes(steps: &[StepPrompts], from: Timestamp) -> Vec<PromptChange> {
    let mut changes: Vec<PromptChange> = steps
        .iter()
        .filter_map(|step| {
            let [newest, before, ..] = step.versions.as_slice() else {
                return None;
            };
            (newest.first_seen_at >= from).then(|| PromptChange {
                step_name: step.step_name.clone(),
                at: newest.first_seen_at,
                to: newest.fingerprint.clone(),
                from: before.fingerprint.clone(),
                cost_percent: percent_more(newest.cost_per_call(), before.cost_per_call()),
            })
        })
        .collect();
    changes.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.step_name.cmp(&b.step_name)));
    changes
}

fn percent_more(new: Option<NanoUsd>, old: Option<NanoUsd>) -> Option<i64> {
    let (new, old) = (i128::from(new?.0), i128::from(old?.0));
    if old <= 0 {
        return None;
    }
    i64::try_from((new - old) * 100 / old).ok()
}

/// A part of a whole in words: `38 %`, `< 1 %`; `–` of nothing.
pub(crate) fn share(part: i64, whole: i64) -> String {
    if whole <= 0 || part < 0 {
        return "–".to_owned();
    }
    let permille = i128::from(part) * 1_000 / i128::from(whole);
    match permille {
        0 if part == 0 => "0 %".to_owned(),
        0..10 => "< 1 %".to_owned(),
        _ => format!("{} %", (permille + 5) / 10),
    }
}

/// The sentence above the list.
pub(crate) fn sentence(changed: usize, steps: usize, window: &str) -> String {
    let all = domain::text::counted(i64::try_from(steps).unwrap_or(i64::MAX), "step");
    match changed {
        0 => format!("No prompt changed in the last {window}"),
        1 => format!("1 of {all} changed its prompt in the last {window}"),
        n => format!("{n} of {all} changed their prompts in the last {window}"),
    }
}

/// How a change reads beside the sentence: what calls cost since.
pub(crate) fn cost_words(percent: Option<i64>) -> &'static str {
    match percent {
        None => "whether calls cost more since then is unknown",
        Some(-2..=2) => "calls cost the same since then",
        Some(..0) => "calls cost less since then",
        Some(_) => "calls cost more since then",
    }
}

#[cfg(test)]
mod tests;
