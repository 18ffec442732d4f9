//! What the numbers say, in words.

use domain::Timestamp;
use domain::text::grouped;

use super::super::metric::Metric;
use super::case::Case;
use super::contrast::Contrast;
use super::rollout::Candidate;
use super::weights::{FEW_CALLS, OF_DEPLOYS};
use super::{Attribution, Evidence, Feature, Features, NullCause, VerdictKind, Weights};

/// Evidence that changes the odds by less is not listed.
const LEAST_FACTOR: f64 = 1.1;

/// `14:05`, UTC.
fn clock(at: Timestamp) -> String {
    let minutes = at.micros().div_euclid(60_000_000).rem_euclid(1_440);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

pub(super) fn evidence(
    case: &Case<'_>,
    candidate: &Candidate<'_>,
    features: &Features,
    contrast: Option<&Contrast>,
    weights: &Weights,
) -> Vec<Evidence> {
    let mut found: Vec<Evidence> = OF_DEPLOYS
        .iter()
        .filter_map(|feature| {
            let value = features.get(*feature as usize).copied()?;
            let factor = (weights.of(*feature) * value / weights.temperature).exp();
            let is_worth = factor >= LEAST_FACTOR || factor <= 1.0 / LEAST_FACTOR;
            is_worth.then(|| item(case, candidate, *feature, value, contrast, factor))
        })
        .collect();
    found.sort_by(|a, b| b.factor.ln().abs().total_cmp(&a.factor.ln().abs()));
    found
}

fn item(
    case: &Case<'_>,
    candidate: &Candidate<'_>,
    kind: Feature,
    value: f64,
    contrast: Option<&Contrast>,
    factor: f64,
) -> Evidence {
    let samples = match (kind, contrast) {
        (Feature::ReleaseContrast, Some(contrast)) => contrast.calls,
        _ => (case.before.samples, case.after.samples),
    };
    let (before, after) = match (kind, contrast) {
        (Feature::ReleaseContrast, Some(contrast)) => (Some(contrast.old), Some(contrast.new)),
        (Feature::Mechanism, _) => main_switch(case, candidate)
            .map_or((None, Some(value)), |switch| (Some(switch.0), Some(switch.1))),
        _ => (None, None),
    };
    let mut description = describe(case, candidate, kind, value, contrast);
    if samples.0.min(samples.1) < FEW_CALLS {
        description.push_str(&format!(
            " Only {} calls before and {} after.",
            samples.0, samples.1
        ));
    }
    Evidence {
        kind,
        description,
        before,
        after,
        samples,
        factor,
    }
}

/// The parts of the calls that the main switch during a rollout had before and after.
fn main_switch(case: &Case<'_>, candidate: &Candidate<'_>) -> Option<(f64, f64)> {
    let during = case
        .switches
        .iter()
        .filter(|switch| candidate.covers(switch.from, switch.to));
    during
        .max_by(|a, b| (a.shares.1 - a.shares.0).total_cmp(&(b.shares.1 - b.shares.0)))
        .map(|switch| switch.shares)
}

fn describe(
    case: &Case<'_>,
    candidate: &Candidate<'_>,
    kind: Feature,
    value: f64,
    contrast: Option<&Contrast>,
) -> String {
    let (from, to) = (clock(candidate.from), clock(candidate.to));
    match kind {
        Feature::Time => format!(
            "The change began between {} and {}; the rollout went from {from} to {to}.",
            clock(case.onset.from),
            clock(case.onset.to)
        ),
        Feature::ReleaseContrast => match contrast {
            Some(found) if value > 0.0 => format!(
                "Its release differs from the one before: {} against {} a call.",
                in_unit(case.metric, found.new),
                in_unit(case.metric, found.old)
            ),
            Some(found) => format!(
                "Its release does what the one before did: {} and {} a call.",
                in_unit(case.metric, found.new),
                in_unit(case.metric, found.old)
            ),
            None => String::new(),
        },
        Feature::Mechanism => {
            let during = case
                .switches
                .iter()
                .find(|switch| candidate.covers(switch.from, switch.to));
            let what = during.map_or_else(String::new, |switch| {
                format!(
                    " In {} {} went from {} to {} of the calls.",
                    switch.step,
                    if switch.value.is_empty() {
                        "it"
                    } else {
                        &switch.value
                    },
                    percent(switch.shares.0),
                    percent(switch.shares.1)
                )
            });
            format!(
                "{} of the change, more runs left out, is on what was switched during its rollout.{what}",
                percent(value)
            )
        }
        Feature::FirstSeen => "What carries the change was switched at another time.".to_owned(),
        Feature::BlastRadius if value > 0.0 => "What it switched is what changed.".to_owned(),
        Feature::BlastRadius => "It switched steps that did not change.".to_owned(),
        Feature::Controls if value > 0.0 => "Other keys did not move.".to_owned(),
        Feature::Controls => "Other keys moved too.".to_owned(),
        Feature::PreTrend if value > 0.0 => "The change came at once.".to_owned(),
        Feature::PreTrend => "It was rising before, or grew slowly.".to_owned(),
        Feature::Reversal => "It ended when this deploy was taken back.".to_owned(),
        Feature::Scope => "It was rolled out to another environment.".to_owned(),
        Feature::DiffHint if value > 0.0 => "Its title or files name what changed.".to_owned(),
        Feature::DiffHint => "Its title speaks of something harmless.".to_owned(),
        _ => String::new(),
    }
}

fn in_unit(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Cost | Metric::CostPerCall | Metric::CostPerRun | Metric::Calls => {
            domain::NanoUsd(value.round() as i64).to_short()
        }
        Metric::ErrorRate | Metric::AnomalyRate | Metric::ShapeMix => percent(value),
        Metric::LatencyP95 | Metric::TtftP95 => domain::text::duration(value / 1_000.0),
        Metric::OutputTokens => format!("{} tokens", grouped(value.round().max(0.0) as u64)),
    }
}

/// Why a candidate that is not the cause is not.
pub(super) fn cleared(
    case: &Case<'_>,
    candidate: &Candidate<'_>,
    attribution: &Attribution,
    best: f64,
    nulls: &[f64; 6],
) -> Option<String> {
    const UNLIKELY: f64 = 0.10;
    if attribution.probability >= UNLIKELY && attribution.probability * 3.0 >= best {
        return None;
    }
    if candidate.from > case.onset.to {
        return Some(format!(
            "Its rollout began at {}, after the change had begun (by {} at the latest).",
            clock(candidate.from),
            clock(case.onset.to)
        ));
    }
    let against = attribution.evidence.iter().find(|item| item.factor < 1.0);
    let no_deploy: f64 = nulls.iter().sum();
    Some(match against {
        Some(item) => item.description.clone(),
        None if no_deploy > best => "Something that is no deploy explains the change better.".to_owned(),
        None => "Another deploy explains the change better.".to_owned(),
    })
}

pub(super) fn verdict_sentence(
    case: &Case<'_>,
    kind: VerdictKind,
    candidate: Option<&Candidate<'_>>,
    cause: Option<NullCause>,
    few: bool,
) -> String {
    let what = what_rose(case);
    let name = candidate.map_or_else(String::new, |candidate| match candidate.deploy {
        Some(deploy) if !deploy.title.is_empty() => format!("{} “{}”", deploy.name(), deploy.title),
        _ => candidate.name(),
    });
    let mut sentence = match kind {
        VerdictKind::Deploy => format!("{name} raised {what}."),
        VerdictKind::Probably => format!("{name} probably raised {what}."),
        VerdictKind::NoDeploy => format!(
            "No deploy explains why {what} rose: it looks like {}.",
            cause.unwrap_or(NullCause::Unknown).words()
        ),
        VerdictKind::Unclear => format!("It is unclear what raised {what}."),
        VerdictKind::Learning => format!("Too little is known yet to say what raised {what}."),
    };
    if few {
        sentence.push_str(&format!(
            " Only {} calls before and {} after say so.",
            case.before.samples, case.after.samples
        ));
    }
    sentence
}

fn what_rose(case: &Case<'_>) -> String {
    let metric = match case.metric {
        Metric::Cost | Metric::CostPerRun => "the cost",
        Metric::Calls => "the number of calls",
        Metric::CostPerCall => "the cost per call",
        Metric::LatencyP95 => "the p95 latency",
        Metric::TtftP95 => "the p95 time to the first token",
        Metric::ErrorRate => "the error rate",
        Metric::OutputTokens => "the output tokens",
        Metric::AnomalyRate => "the anomaly rate",
        Metric::ShapeMix => "the mix of output shapes",
    };
    match &case.scope.step {
        Some(step) => format!("{metric} of {step} in {}", case.scope.key),
        None => format!("{metric} of {}", case.scope.key),
    }
}
