//! The choice between all causes.

use std::collections::BTreeSet;

use domain::Timestamp;

use super::super::numbers::normalise_logs;
use super::super::rubric::{CallCount, Rollout, rubric};
use super::super::window::SeriesName;
use super::case::Case;
use super::responsible::Responsible;
use super::rollout::{Candidate, candidates};
use super::sentences::{cleared, evidence, verdict_sentence};
use super::weights::{FEW_CALLS, Features, Weights};
use super::{Attribution, NullCause, NullOption, Verdict, VerdictKind};

/// A deploy at least this likely is named.
pub const NAMED: f64 = 0.60;
/// One at least this likely is shown beside the next.
const PROBABLE: f64 = 0.35;
/// So likely together, the other causes are the answer.
pub const NO_DEPLOY: f64 = 0.50;
const FEW_CALLS_CAP: f64 = 0.70;

/// What an incident may have been caused by, as numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Of each deploy.
    pub deploys: Vec<Features>,
    /// Of each of [`NullCause::ALL`].
    pub nulls: [Features; 6],
}

/// How likely each deploy is, then each other cause.
pub fn probabilities(choice: &Choice, weights: &Weights) -> (Vec<f64>, [f64; 6]) {
    let sum = |features: &Features| -> f64 {
        features
            .iter()
            .zip(&weights.features)
            .map(|(x, weight)| x * weight)
            .sum()
    };
    // All deploys together are as likely beforehand as one would be.
    let share = (choice.deploys.len().max(1) as f64).ln();
    let deploys = choice.deploys.iter().map(|features| sum(features) - share);
    let nulls = choice
        .nulls
        .iter()
        .zip(weights.nulls)
        .map(|(features, prior)| prior + sum(features));
    let mut utilities: Vec<f64> = deploys
        .chain(nulls)
        .map(|utility| utility / weights.temperature)
        .collect();
    normalise_logs(&mut utilities);
    let nulls = utilities.split_off(choice.deploys.len());
    let mut found = [0.0; 6];
    found
        .iter_mut()
        .zip(nulls)
        .for_each(|(found, null)| *found = null);
    (utilities, found)
}

/// What was found out about the causes of an incident.
pub(in super::super) struct Answer {
    pub(in super::super) verdict: Verdict,
    pub(in super::super) attributions: Vec<Attribution>,
    pub(in super::super) nulls: Vec<NullOption>,
}

/// Chooses. `t` is what the rubric calls T.
pub(in super::super) fn attribute(case: &Case<'_>, weights: &Weights, t: Timestamp) -> Answer {
    let onset = (case.onset.from, case.onset.to);
    let found = candidates(case.grid, t, onset);
    let mut choice = Choice::default();
    let mut contrasts = Vec::new();
    let shared = Responsible::of(&found, &case.switches, &case.elsewhere);
    for (index, candidate) in found.iter().enumerate() {
        let (features, contrast) = case.of_deploy(candidate, index, &shared);
        choice.deploys.push(features);
        contrasts.push(contrast);
    }
    for (cause, features) in NullCause::ALL.iter().zip(choice.nulls.iter_mut()) {
        *features = case.of_null(*cause, &found);
    }
    let (mut deploys, mut nulls) = probabilities(&choice, weights);
    let few = case.before.samples < FEW_CALLS || case.after.samples < FEW_CALLS;
    if few {
        cap(&mut deploys, &mut nulls);
    }
    let points = points_of(case, t);
    let mut attributions: Vec<Attribution> = found
        .iter()
        .enumerate()
        .map(|(index, candidate)| {
            let own = candidate
                .index
                .and_then(|own| points.iter().find(|points| points.rollout == own))
                .cloned();
            let features = choice.deploys[index];
            let deploy = candidate.deploy;
            Attribution {
                deploy_id: deploy.map(|deploy| deploy.id.clone()),
                release: candidate.release.filter(|_| deploy.is_none()).map(str::to_owned),
                sha: deploy.map_or_else(String::new, |deploy| deploy.sha.clone()),
                pr_number: deploy.and_then(|deploy| deploy.pr_number),
                title: deploy.map_or_else(|| candidate.name(), |deploy| deploy.title.clone()),
                rolled_out: (candidate.from, candidate.to),
                points: own,
                probability: deploys[index],
                cleared_because: None,
                evidence: evidence(case, candidate, &features, contrasts[index].as_ref(), weights),
                features,
            }
        })
        .collect();
    let best = deploys.iter().copied().fold(0.0, f64::max);
    for (attribution, candidate) in attributions.iter_mut().zip(&found) {
        attribution.cleared_because = cleared(case, candidate, attribution, best, &nulls);
    }
    let verdict = decide(case, &attributions, &found, &nulls, few, weights);
    attributions.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let all = NullCause::ALL.into_iter().zip(nulls).zip(choice.nulls);
    let mut nulls: Vec<NullOption> = all
        .map(|((cause, probability), features)| NullOption {
            cause,
            probability,
            features,
        })
        .collect();
    nulls.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Answer {
        verdict,
        attributions,
        nulls,
    }
}

/// Nobody is named with certainty by a handful of calls: what is above the cap is shared by the others.
fn cap(deploys: &mut [f64], nulls: &mut [f64; 6]) {
    let all = || deploys.iter().copied().chain(*nulls);
    let top = all().fold(0.0, f64::max);
    if top <= FEW_CALLS_CAP {
        return;
    }
    let rest = 1.0 - top;
    let scale = if rest > 0.0 {
        (1.0 - FEW_CALLS_CAP) / rest
    } else {
        0.0
    };
    let rescale = |p: &mut f64| *p = if *p >= top { FEW_CALLS_CAP } else { *p * scale };
    deploys.iter_mut().for_each(rescale);
    nulls.iter_mut().for_each(rescale);
    if scale == 0.0 {
        nulls[5] += 1.0 - FEW_CALLS_CAP;
    }
}

fn decide(
    case: &Case<'_>,
    attributions: &[Attribution],
    found: &[Candidate<'_>],
    nulls: &[f64; 6],
    few: bool,
    weights: &Weights,
) -> Verdict {
    let best = attributions
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.probability.total_cmp(&b.1.probability));
    let no_deploy: f64 = nulls.iter().sum();
    let likeliest = NullCause::ALL
        .into_iter()
        .zip(*nulls)
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let top = best.map_or(0.0, |(_, attribution)| attribution.probability);
    let kind = if top >= NAMED {
        VerdictKind::Deploy
    } else if no_deploy >= NO_DEPLOY {
        VerdictKind::NoDeploy
    } else if top >= PROBABLE {
        VerdictKind::Probably
    } else if few {
        VerdictKind::Learning
    } else {
        VerdictKind::Unclear
    };
    let names_deploy = matches!(kind, VerdictKind::Deploy | VerdictKind::Probably);
    let named = best.filter(|_| names_deploy);
    let cause = likeliest
        .map(|(cause, _)| cause)
        .filter(|_| kind == VerdictKind::NoDeploy);
    let candidate = named.and_then(|(index, _)| found.get(index));
    Verdict {
        kind,
        deploy_id: named.and_then(|(_, named)| named.deploy_id.clone()),
        release: named.and_then(|(_, named)| named.release.clone()),
        null_cause: cause,
        probability: if kind == VerdictKind::NoDeploy {
            no_deploy
        } else {
            top.max(0.0)
        },
        sentence: verdict_sentence(case, kind, candidate, cause, few),
        weights_version: weights.version.clone(),
    }
}

/// The rubric on the minutes that are known, else on hours taken as evenly spread.
fn points_of(case: &Case<'_>, t: Timestamp) -> Vec<super::super::rubric::Points> {
    let window = case.grid.window;
    let rollouts: Vec<Rollout> = window
        .deploys
        .iter()
        .map(|deploy| Rollout {
            started_at: deploy.started_at,
            completed_at: deploy.done_at(),
        })
        .collect();
    rubric(&rollouts, t, &calls_by_minute(case, t))
}

/// Calls of the incident's series around `t`: by the minute in hours that a rollout's windows cut, else by the hour.
fn calls_by_minute<'a>(case: &Case<'a>, t: Timestamp) -> Vec<CallCount<'a>> {
    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    const REACH: i64 = 80 * HOUR;
    let (grid, window) = (case.grid, case.grid.window);
    let range = grid.hour_of(t.plus_micros(-REACH))..grid.hour_of(t.plus_micros(REACH)) + 1;
    let cut: BTreeSet<Timestamp> = window
        .deploys
        .iter()
        .flat_map(|deploy| [-48, 0, 48].map(|hours| deploy.done_at().plus_micros(hours * HOUR).hour()))
        .collect();
    let is_own = |name: &SeriesName| case.scope.contains(&name.key, &name.step);
    let mut known = BTreeSet::new();
    let mut calls = Vec::new();
    for row in case.minutes {
        let Some(name) = window.series.get(row.series as usize).filter(|name| is_own(name)) else {
            continue;
        };
        known.insert((name, row.minute.hour()));
        calls.push(CallCount {
            at: row.minute,
            model: &name.model,
            template: &name.template,
            calls: row.calls,
            errors: row.errors,
        });
    }
    for (hour, name, sums) in grid.rows(range) {
        let from = grid.at(hour);
        if !is_own(name) || known.contains(&(name, from)) {
            continue;
        }
        let until =
            |total: i64, minute: i64| i64::try_from(i128::from(total) * i128::from(minute) / 60).unwrap_or(0);
        let part = |total: i64, minute: i64| until(total, minute + 1).saturating_sub(until(total, minute));
        let mut push = |at: Timestamp, n: i64, errors: i64| {
            if n > 0 || errors > 0 {
                calls.push(CallCount {
                    at,
                    model: &name.model,
                    template: &name.template,
                    calls: n,
                    errors,
                });
            }
        };
        if cut.contains(&from) {
            for minute in 0..60 {
                let at = from.plus_micros(minute * MINUTE);
                push(at, part(sums.calls, minute), part(sums.errors, minute));
            }
        } else {
            push(from, sums.calls, sums.errors);
        }
    }
    calls
}
