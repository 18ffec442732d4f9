//! All causes of an incident on one axis: a prior, and factors that multiply. Pure.

use engine::incidents::attribution::{Attribution, FEATURES, NullOption, VerdictKind};
use engine::incidents::{Incident, Weights, words};

use super::{Cause, Factor, RubricLine};

/// Factors that change the odds by less are shown as one.
const LEAST: f64 = 0.095;

/// Every cause, the likeliest first.
pub(super) fn causes(incident: &Incident) -> Vec<Cause> {
    let weights = Weights::shipped();
    // Other weights judged it: what they made of the features is not known any more, only what was said.
    let are_known = weights.version == incident.verdict.weights_version;
    let deploys = incident
        .attributions
        .iter()
        .map(|own| of_deploy(incident, own, are_known, &weights));
    let nulls = incident
        .nulls
        .iter()
        .map(|null| of_null(incident, null, are_known, &weights));
    let mut causes: Vec<Cause> = deploys.chain(nulls).collect();
    causes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    causes
}

fn of_deploy(incident: &Incident, own: &Attribution, are_known: bool, weights: &Weights) -> Cause {
    let is_named = words::named(incident).is_some_and(|named| std::ptr::eq(named, own));
    let name = words::candidate_name(own);
    let share = (incident.attributions.len().max(1) as f64).ln();
    let mut factors: Vec<Factor> = own
        .evidence
        .iter()
        .map(|item| Factor {
            label: item.kind.as_str().replace('_', " "),
            log_odds: item.factor.max(1e-9).ln(),
            description: item.description.clone(),
            samples: (item.samples.0 + item.samples.1 > 0).then_some(item.samples),
        })
        .collect();
    if are_known {
        let whole: f64 = FEATURES
            .iter()
            .zip(own.features)
            .map(|(feature, value)| weights.features[*feature as usize] * value / weights.temperature)
            .sum();
        add_rest(&mut factors, whole);
    }
    Cause {
        name: if own.title.is_empty() || own.title == name {
            name
        } else {
            format!("{name} {}", own.title)
        },
        deploy_id: own.deploy_id.clone(),
        is_deploy: true,
        rolled_out: Some(own.rolled_out),
        probability: own.probability,
        confidence: own.points.as_ref().map(|_| own.confidence()),
        is_named,
        cleared_because: own.cleared_because.clone(),
        prior: -share / weights.temperature,
        factors,
        rubric: rubric(own),
    }
}

fn rubric(own: &Attribution) -> Vec<RubricLine> {
    let Some(points) = &own.points else {
        return Vec::new();
    };
    let calls = (points.sides.calls_before, points.sides.calls_after);
    words::rubric_rows(points)
        .into_iter()
        .map(|row| RubricLine {
            kind: words::rubric_name(row.kind).to_owned(),
            points: f64::from(row.kind.points()) / 100.0,
            holds: row.holds,
            finding: row.finding,
            before: row.before,
            after: row.after,
            calls,
        })
        .collect()
}

fn of_null(incident: &Incident, null: &NullOption, are_known: bool, weights: &Weights) -> Cause {
    let verdict = &incident.verdict;
    let mut factors = Vec::new();
    let mut whole = 0.0;
    for (feature, value) in FEATURES.iter().zip(null.features).filter(|_| are_known) {
        let log_odds = weights.features[*feature as usize] * value / weights.temperature;
        whole += log_odds;
        if log_odds.abs() >= LEAST {
            factors.push(Factor {
                label: feature.as_str().replace('_', " "),
                log_odds,
                description: String::new(),
                samples: None,
            });
        }
    }
    factors.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()));
    add_rest(&mut factors, whole);
    Cause {
        name: words::null_label(null.cause).to_owned(),
        deploy_id: None,
        is_deploy: false,
        rolled_out: None,
        probability: null.probability,
        confidence: None,
        is_named: verdict.kind == VerdictKind::NoDeploy && verdict.null_cause == Some(null.cause),
        cleared_because: None,
        prior: weights.nulls[null.cause as usize] / weights.temperature,
        factors,
        rubric: Vec::new(),
    }
}

/// What is too small to be named, in one factor, so that the sum is exact.
fn add_rest(factors: &mut Vec<Factor>, whole: f64) {
    let named: f64 = factors.iter().map(|factor| factor.log_odds).sum();
    let rest = whole - named;
    if rest.abs() > 0.02 {
        factors.push(Factor {
            label: "the rest".to_owned(),
            log_odds: rest,
            description: "What changes the odds by less than a tenth each.".to_owned(),
            samples: None,
        });
    }
}
