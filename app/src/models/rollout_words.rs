//! What deploys moved, in words. Honest ones: what came after a deploy is not yet its effect.

use domain::Deploy;
use engine::compare::{Effect, Measure};
use engine::rollout::MixPart;
#[cfg(feature = "ssr")]
use engine::rollout::RolloutEffect;
use engine::series::{percent, text};

/// `×2.5`, `+12 %`, `−29 %`, `+5.7 pt`: a change in few characters.
pub(crate) fn change(effect: &Effect) -> Option<String> {
    effect
        .change
        .map(|change| change_text(effect.measure, change.estimate))
}

/// A change of a measure: a ratio less one, or a difference of shares.
pub(crate) fn change_text(measure: Measure, estimate: f64) -> String {
    if measure.is_share() {
        return signed(estimate * 100.0, 1, "pt");
    }
    ratio(estimate)
}

/// `×2.5` from twice on, else `+12 %`.
pub(crate) fn ratio(estimate: f64) -> String {
    if estimate >= 1.0 {
        let times = estimate + 1.0;
        return if times < 9.95 {
            format!("×{times:.1}")
        } else {
            format!("×{times:.0}")
        };
    }
    signed(estimate * 100.0, 0, "%")
}

fn signed(value: f64, digits: usize, unit: &str) -> String {
    let magnitude = format!("{:.digits$}", value.abs());
    let is_nothing = magnitude.bytes().all(|byte| byte == b'0' || byte == b'.');
    let sign = match value {
        _ if is_nothing => "±",
        ..0.0 => "−",
        _ => "+",
    };
    format!("{sign}{magnitude} {unit}")
}

/// A value of a measure, or `unknown`.
pub(crate) fn value(effect: &Effect, after: bool) -> String {
    let value = if after { effect.after } else { effect.before };
    value.map_or_else(|| "unknown".to_owned(), |value| text(value.as_f64(), effect.unit))
}

/// `PR 2 “switch the model”`.
pub(crate) fn deploy_name(deploy: &Deploy) -> String {
    match &deploy.title {
        Some(title) => format!("{} “{}”", deploy.name(), domain::text::first_line(title, 60)),
        None => deploy.name(),
    }
}

/// The end of a sentence that begins with the deploy: `cost per call of prod-frontend rose ×2.5: $0.0084 → $0.0214`.
pub(crate) fn moved(key: &str, effect: &Effect) -> String {
    let rose = effect.change.is_some_and(|change| change.estimate > 0.0);
    let verb = if rose { "rose" } else { "fell" };
    let measure = effect.measure.label();
    // The first letter only: `p95` stays.
    let mut measure = measure.to_owned();
    if let Some(first) = measure.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    format!(
        "{measure} of {key} {verb} {}: {} → {}",
        change(effect).unwrap_or_default().trim_start_matches(['+', '−']),
        value(effect, false),
        value(effect, true)
    )
}

/// `25 calls before, 79 after; 95 % interval +90 % to ×3.2`.
pub(crate) fn basis(effect: &Effect) -> String {
    let few = if effect.is_of_few() { "only " } else { "" };
    let calls = format!(
        "{few}{} before, {} after",
        domain::text::counted(effect.n_before, "call"),
        domain::text::grouped(effect.n_after.unsigned_abs())
    );
    match effect.change {
        Some(change) => format!(
            "{calls}; 95 % interval {} to {}",
            change_text(effect.measure, change.low),
            change_text(effect.measure, change.high)
        ),
        None => calls,
    }
}

/// The value that most calls moved to, with its shares before and after, where that is a third of all or more. What had
/// no calls on one side has no shares there, so nothing moved.
pub(crate) fn switched(mix: &[MixPart]) -> Option<(String, f64, f64)> {
    let sum = |count: fn(&MixPart) -> i64| mix.iter().map(count).sum::<i64>();
    let (before, after) = (sum(|part| part.before), sum(|part| part.after));
    if before == 0 || after == 0 {
        return None;
    }
    let (before, after) = (before as f64, after as f64);
    mix.iter()
        .filter_map(|part| {
            let value = part.value.clone()?;
            Some((value, part.before as f64 / before, part.after as f64 / after))
        })
        .filter(|(_, before, after)| after - before >= 0.33)
        .max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)))
}

/// `claude-sonnet-4-6 went from 8.00 % to 89.0 % of its calls`.
pub(crate) fn switch_words(mix: &[MixPart]) -> Option<String> {
    let (value, before, after) = switched(mix)?;
    Some(format!(
        "{value} went from {} to {} of its calls",
        percent(before),
        percent(after)
    ))
}

/// How much a measure matters where only one is named; `None` for those that never are.
#[cfg(feature = "ssr")]
pub(crate) const fn rank(measure: Measure) -> Option<u8> {
    match measure {
        Measure::CostPerCall => Some(2),
        Measure::ErrorRate => Some(1),
        Measure::LatencyP95 => Some(0),
        _ => None,
    }
}

/// The deploy that made something clearly worse, of several with what they moved: the one whose calls differ most
/// surely. With the key and the effect.
#[cfg(feature = "ssr")]
pub(crate) fn worst<'a>(
    rollouts: impl IntoIterator<Item = &'a (Deploy, RolloutEffect)>,
) -> Option<(&'a Deploy, &'a RolloutEffect, &'a str, &'a Effect)> {
    let surely = |effect: &Effect| effect.change.map_or(0.0, |change| change.standard_errors.abs());
    rollouts
        .into_iter()
        .filter_map(|(deploy, moved)| {
            let (key, effect) = moved.worst()?;
            Some((deploy, moved, key, effect))
        })
        .max_by(|a, b| {
            (rank(a.3.measure), surely(a.3))
                .partial_cmp(&(rank(b.3.measure), surely(b.3)))
                .unwrap_or(std::cmp::Ordering::Equal)
        })
}

#[cfg(test)]
mod tests {
    use domain::series::MetricUnit;
    use engine::compare::{Change, Reading};
    use engine::series::MetricValue;

    use super::*;

    fn effect(measure: Measure, before: f64, after: f64, estimate: f64) -> Effect {
        Effect {
            measure,
            unit: measure.unit(),
            before: Some(MetricValue::Real(before)),
            after: Some(MetricValue::Real(after)),
            n_before: 25,
            n_after: 1_079,
            change: Some(Change {
                estimate,
                low: estimate * 0.6,
                high: estimate * 1.4,
                standard_errors: 5.0,
            }),
            reading: Reading::Worse,
        }
    }

    #[test]
    fn changes_read_in_few_characters() {
        let check = |measure: Measure, estimate: f64, expected: &str| {
            assert_eq!(change_text(measure, estimate), expected, "{estimate}");
        };
        check(Measure::CostPerCall, 1.55, "×2.5");
        check(Measure::CostPerCall, 12.0, "×13");
        check(Measure::LatencyP95, 0.154, "+15 %");
        check(Measure::LatencyP95, -0.29, "−29 %");
        check(Measure::LatencyP95, 0.001, "±0 %");
        check(Measure::ErrorRate, 0.0566, "+5.7 pt");
        check(Measure::ErrorRate, -0.0002, "±0.0 pt");
    }

    #[test]
    fn few_calls_are_said_to_be_few() {
        let few = Effect {
            n_before: 17,
            ..effect(Measure::CostPerCall, 8_400_000.0, 21_400_000.0, 1.548)
        };
        assert!(basis(&few).starts_with("only 17 calls before"), "{}", basis(&few));
    }

    #[test]
    fn the_sentence_names_measure_key_and_values() {
        let cost = effect(Measure::CostPerCall, 8_400_000.0, 21_400_000.0, 1.548);
        assert_eq!(cost.unit, MetricUnit::NanoUsd);
        assert_eq!(
            moved("prod-frontend", &cost),
            "cost per call of prod-frontend rose ×2.5: $0.0084 → $0.0214"
        );
        assert_eq!(
            basis(&cost),
            "25 calls before, 1,079 after; 95 % interval +93 % to ×3.2"
        );
        let p95 = effect(Measure::LatencyP95, 2_310.0, 1_880.0, -0.19);
        assert_eq!(
            moved("tools", &p95),
            "latency p95 of tools fell 19 %: 2.31 s → 1.88 s"
        );
    }

    #[test]
    fn a_switch_is_what_a_third_of_the_calls_moved_to() {
        let part = |value: &str, before, after| MixPart {
            value: Some(value.to_owned()),
            before,
            after,
        };
        let mix = [part("sonnet", 2, 70), part("haiku", 23, 9)];
        assert_eq!(
            switch_words(&mix).as_deref(),
            Some("sonnet went from 8.00 % to 88.6 % of its calls")
        );
        assert_eq!(switched(&[part("sonnet", 20, 21), part("haiku", 20, 19)]), None);
        assert_eq!(switched(&[]), None);
        assert_eq!(
            switched(&[part("sonnet", 0, 6)]),
            None,
            "new here, not switched to"
        );
        assert_eq!(switched(&[part("sonnet", 6, 0)]), None);
    }
}
