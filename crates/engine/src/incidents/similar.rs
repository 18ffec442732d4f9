//! Which earlier incidents are like one: computed from what was judged, so that the same two are always as far apart.
//!
//! Five things are compared, each from 0 (nothing in common) to 1 (the same): what moved (metric and kind of metric), by
//! what it moved (the terms of the decomposition as shares of it), how it moved (the shape of its days against the
//! baseline), where (key, step, model), and with which prompts (the fingerprints of the templates that most calls had once
//! the candidates were live). A weighted mean of those that both have.

use std::collections::{BTreeMap, BTreeSet};

use domain::{IncidentStatus, Timestamp};

use super::Incident;
use super::decomposition::TermKind;
use super::words;

/// Fewer than this in common is nothing in common.
pub const LEAST: f64 = 0.45;

const METRIC: f64 = 0.26;
const MECHANISM: f64 = 0.26;
const SHAPE: f64 = 0.13;
const PLACE: f64 = 0.22;
const PROMPTS: f64 = 0.13;
/// Days of a shape that are compared.
const DAYS: usize = 7;

/// How much two incidents have in common, 0 to 1, and in what.
#[derive(Clone, Debug, PartialEq)]
pub struct Likeness {
    /// The weighted mean.
    pub score: f64,
    /// In words, the strongest first: `the same metric`, `the same mechanism`.
    pub because: Vec<&'static str>,
}

/// How much two incidents have in common.
pub fn likeness(one: &Incident, other: &Incident) -> Likeness {
    let parts = [
        (METRIC, metric(one, other), "the same metric"),
        (MECHANISM, mechanism(one, other), "the same mechanism"),
        (PLACE, place(one, other), "the same place"),
        (PROMPTS, prompts(one, other), "the same prompts"),
        (SHAPE, shape(one, other), "the same shape"),
    ];
    let known = parts
        .iter()
        .filter_map(|(weight, value, _)| Some((weight, (*value)?)));
    let (sum, weights) = known.fold((0.0, 0.0), |(sum, weights), (weight, value)| {
        (sum + weight * value, weights + weight)
    });
    let score = if weights > 0.0 { sum / weights } else { 0.0 };
    let because = parts
        .iter()
        .filter(|(_, value, _)| value.is_some_and(|value| value >= 0.7))
        .map(|(_, _, words)| *words)
        .collect();
    Likeness { score, because }
}

/// The places of the nearest among `others`, the nearest first, at most `limit`; only those that are alike.
pub fn nearest(one: &Incident, others: &[Incident], limit: usize) -> Vec<(usize, Likeness)> {
    let mut found: Vec<(usize, Likeness)> = others
        .iter()
        .enumerate()
        .map(|(place, other)| (place, likeness(one, other)))
        .filter(|(_, likeness)| likeness.score >= LEAST)
        .collect();
    found.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
    found.truncate(limit);
    found
}

/// How one came out, in words: `accepted as normal after 8 d 20 h`.
pub fn outcome(status: IncidentStatus, onset: Timestamp, ended_at: Option<Timestamp>) -> String {
    let after = ended_at.map_or_else(String::new, |ended| {
        format!(" after {}", words::lasted(ended.ms_since(onset)))
    });
    match status {
        IncidentStatus::Open => "goes on".to_owned(),
        IncidentStatus::Closed => format!("over{after}"),
        IncidentStatus::Accepted => format!("accepted as normal{after}"),
    }
}

fn metric(one: &Incident, other: &Incident) -> Option<f64> {
    Some(if one.metric == other.metric {
        1.0
    } else if words::unit(one.metric) == words::unit(other.metric) {
        0.6
    } else {
        0.0
    })
}

/// The cosine of what the terms of the two decompositions come to. Without terms only the kinds of verdict are known.
fn mechanism(one: &Incident, other: &Incident) -> Option<f64> {
    let (a, b) = (terms(one), terms(other));
    if a.is_empty() || b.is_empty() {
        return one
            .verdict
            .null_cause
            .zip(other.verdict.null_cause)
            .map(|(a, b)| if a == b { 1.0 } else { 0.0 });
    }
    let dot: f64 = a
        .iter()
        .map(|(kind, value)| value * b.get(kind).copied().unwrap_or(0.0))
        .sum();
    let length =
        |terms: &BTreeMap<TermKind, f64>| terms.values().map(|value| value * value).sum::<f64>().sqrt();
    let lengths = length(&a) * length(&b);
    (lengths > 0.0).then(|| (dot / lengths).clamp(0.0, 1.0))
}

fn terms(incident: &Incident) -> BTreeMap<TermKind, f64> {
    words::parts(&incident.decomposition)
        .into_iter()
        .map(|part| (part.kind, part.amount))
        .collect()
}

/// How near the days' ratios to the baseline are, on a logarithmic scale.
fn shape(one: &Incident, other: &Incident) -> Option<f64> {
    let (a, b) = (ratios(one), ratios(other));
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).collect();
    if differences.is_empty() {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    // One that lasted a day and one that went on are no longer of one shape.
    let lengths = a.len().min(b.len()) as f64 / a.len().max(b.len()) as f64;
    Some((1.0 - mean).max(0.0) * (0.5 + 0.5 * lengths))
}

fn ratios(incident: &Incident) -> Vec<f64> {
    incident
        .days
        .iter()
        .take(DAYS)
        .filter_map(|day| {
            let (actual, baseline) = (day.actual.as_f64(), day.baseline.as_f64());
            (actual > 0.0 && baseline > 0.0).then(|| (actual / baseline).ln())
        })
        .collect()
}

/// Of the templates of both how many are the same. What had none says nothing.
fn prompts(one: &Incident, other: &Incident) -> Option<f64> {
    let (a, b) = (templates(one), templates(other));
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let both = a.intersection(&b).count() as f64;
    Some(both / a.union(&b).count() as f64)
}

/// The templates that most calls had after each candidate.
fn templates(incident: &Incident) -> BTreeSet<&str> {
    incident
        .attributions
        .iter()
        .filter_map(|candidate| candidate.points.as_ref()?.sides.template_after.as_ref())
        .map(|(template, _)| template.as_str())
        .filter(|template| !template.is_empty())
        .collect()
}

fn place(one: &Incident, other: &Incident) -> Option<f64> {
    let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => Some(if a == b { 1.0 } else { 0.0 }),
        _ => None,
    };
    let parts: Vec<f64> = [
        same(&one.key, &other.key),
        same(&one.step, &other.step),
        same(&one.model, &other.model),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.iter().sum::<f64>() / parts.len() as f64)
}

#[cfg(test)]
mod tests {
    use domain::NanoUsd;

    use super::super::attribution::{Attribution, FEATURES, NullCause, Verdict, VerdictKind};
    use super::super::decomposition::Term;
    use super::super::incident::{Amount, Decomposition, IncidentDay};
    use super::super::onset::Onset;
    use super::super::rubric::{Points, Sides};
    use super::super::{Door, Metric, Status};
    use super::*;

    /// One whose cost became `times` as much because of `kind`.
    fn incident(key: &str, metric: Metric, kind: TermKind, times: i64) -> Incident {
        let at = Timestamp::from_micros(1_800_000_000_000_000);
        let amount = |times: i64| Amount::Whole(times * 1_000_000_000);
        Incident {
            key: Some(key.to_owned()),
            step: None,
            model: None,
            metric,
            status: Status::Closed,
            is_provisional: false,
            door: Door::Evidence,
            onset: Onset::default(),
            opened_at: at,
            last_at: at,
            ended_at: None,
            flaps: 0,
            flagged_on: None,
            days: vec![IncidentDay {
                date: at.day(),
                actual: amount(times),
                baseline: amount(1),
                sigma: None,
                samples: 100,
            }],
            decomposition: Decomposition::NanoUsd(vec![Term {
                kind,
                step: None,
                model: None,
                amount: NanoUsd((times - 1) * 1_000_000_000),
            }]),
            also_moved: Vec::new(),
            verdict: Verdict {
                kind: VerdictKind::NoDeploy,
                deploy_id: None,
                release: None,
                null_cause: Some(NullCause::Traffic),
                probability: 0.7,
                sentence: String::new(),
                weights_version: String::new(),
            },
            attributions: Vec::new(),
            nulls: Vec::new(),
        }
    }

    #[test]
    fn the_nearest_has_metric_mechanism_and_place_in_common() {
        let one = incident("prod", Metric::Cost, TermKind::ModelSwitch, 4);
        let others = [
            incident("other", Metric::LatencyP95, TermKind::Volume, 2),
            incident("prod", Metric::Cost, TermKind::Volume, 4),
            incident("prod", Metric::Cost, TermKind::ModelSwitch, 3),
        ];
        let near = nearest(&one, &others, 5);
        let places: Vec<usize> = near.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [2, 1], "{near:?}");
        assert!(
            near[0]
                .1
                .because
                .starts_with(&["the same metric", "the same mechanism"])
        );
        let same = likeness(&one, &one);
        assert!((same.score - 1.0).abs() < 1e-9, "{same:?}");
        assert_eq!(likeness(&one, &others[1]), likeness(&others[1], &one));
        assert_eq!(nearest(&one, &others, 1).len(), 1);
    }

    /// A candidate after which most calls had this template.
    fn after(template: &str) -> Attribution {
        let at = Timestamp::from_micros(1_800_000_000_000_000);
        Attribution {
            deploy_id: None,
            release: None,
            sha: String::new(),
            pr_number: None,
            title: String::new(),
            rolled_out: (at, at),
            points: Some(Points {
                rollout: 0,
                kinds: Vec::new(),
                points: 0,
                sides: Sides {
                    template_after: Some((template.to_owned(), 9)),
                    ..Sides::default()
                },
            }),
            probability: 0.5,
            cleared_because: None,
            evidence: Vec::new(),
            features: [0.0; FEATURES.len()],
        }
    }

    #[test]
    fn of_two_alike_the_one_with_the_same_prompts_is_nearer() {
        let with = |templates: &[&str]| Incident {
            attributions: templates.iter().map(|template| after(template)).collect(),
            ..incident("prod", Metric::Cost, TermKind::ModelSwitch, 4)
        };
        let one = with(&["19e9", "a1"]);
        let others = [with(&["77"]), with(&["a1", "19e9", "19e9"]), with(&[""])];
        let near = nearest(&one, &others, 3);
        let places: Vec<usize> = near.iter().map(|(place, _)| *place).collect();
        // Where nothing is known of prompts, nothing is held against it.
        assert_eq!(places, [1, 2, 0], "{near:?}");
        assert!(near[0].1.because.contains(&"the same prompts"), "{near:?}");
        assert!(!near[1].1.because.contains(&"the same prompts"), "{near:?}");
        assert_eq!(likeness(&one, &others[1]), likeness(&others[1], &one));
    }

    #[test]
    fn an_outcome_is_said_with_how_long_it_took() {
        let onset = Timestamp::from_micros(0);
        let ended = Some(onset.plus_micros(212 * 3_600_000_000));
        let check = |status, ended, expected: &str| assert_eq!(outcome(status, onset, ended), expected);
        check(IncidentStatus::Open, None, "goes on");
        check(
            IncidentStatus::Accepted,
            ended,
            "accepted as normal after 8 d 20 h",
        );
        check(IncidentStatus::Closed, None, "over");
    }
}
