//! What a model's claims about a run are held to: each step with its figures, conditions and texts, the deploys around it,
//! and the run as a whole.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Deploy, RunSummary, StepStatus, StepSummary};

use super::{StepTexts, ended_at, name_of};
use crate::citations::{Evidence, Facts, Figure};

/// Everything that can be cited of a run.
pub fn evidence(
    run: &RunSummary,
    steps: &[StepSummary],
    texts: &BTreeMap<String, StepTexts>,
    deploys: &[Deploy],
) -> Evidence {
    let mut groups: BTreeMap<&str, Sums> = BTreeMap::new();
    for step in steps {
        groups.entry(name_of(step)).or_default().add(step);
    }
    Evidence {
        steps: steps
            .iter()
            .map(|step| {
                let group = groups.get(name_of(step));
                (
                    step.step_id.clone(),
                    step_facts(run, step, group, texts.get(&step.step_id)),
                )
            })
            .collect(),
        deploys: deploys
            .iter()
            .map(|deploy| (deploy.id.clone(), deploy_facts(deploy)))
            .collect(),
        results: BTreeMap::new(),
        whole: whole(run),
    }
}

/// What all steps of one name come to.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: i64,
    failed: i64,
    micros: i64,
    cost: i64,
}

impl Sums {
    fn add(&mut self, step: &StepSummary) {
        self.count += 1;
        self.failed += i64::from(step.status == StepStatus::Error);
        self.micros = self.micros.saturating_add(micros_of(step).unwrap_or(0));
        self.cost = self
            .cost
            .saturating_add(step.cost_nano_usd.map_or(0, |cost| cost.0));
    }
}

/// How long a step took, in microseconds, as reported or else by its times.
fn micros_of(step: &StepSummary) -> Option<i64> {
    match step.latency_ms {
        Some(ms) if ms.is_finite() => Some((ms * 1_000.0) as i64),
        _ => Some(step.ended_at?.micros() - step.started_at.micros()),
    }
}

fn step_facts(
    run: &RunSummary,
    step: &StepSummary,
    group: Option<&Sums>,
    texts: Option<&StepTexts>,
) -> Facts {
    let mut figures = Vec::new();
    let micros = micros_of(step);
    // Its own first: they are what is added up where several steps are cited.
    figures.extend(step.cost_nano_usd.map(|cost| Figure::usd(cost.0)));
    figures.extend(micros.map(Figure::micros));
    figures.extend(step.tokens.total().map(Figure::count));
    let tokens = &step.tokens;
    let counts = [
        tokens.input(),
        tokens.input_fresh,
        tokens.cache_read,
        tokens.cache_write,
        tokens.output,
        tokens.reasoning,
        step.score.map(i64::from),
        step.threshold.map(i64::from),
        step.step_index.map(i64::from),
    ];
    figures.extend(counts.into_iter().flatten().map(Figure::count));
    for ms in [step.ttft_ms, step.max_gap_ms]
        .into_iter()
        .flatten()
        .filter(|ms| ms.is_finite())
    {
        figures.push(Figure::micros((ms * 1_000.0) as i64));
    }
    let begin = run.started_at.micros();
    figures.push(Figure::micros(step.started_at.micros() - begin));
    figures.push(Figure::micros(ended_at(step).micros() - begin));
    let run_micros = run.ended_at.micros() - begin;
    let run_cost = run.cost_nano_usd.map_or(0, |cost| cost.0);
    figures.extend(micros.and_then(|micros| Figure::percent_of(micros, run_micros)));
    figures.extend(
        step.cost_nano_usd
            .and_then(|cost| Figure::percent_of(cost.0, run_cost)),
    );
    if let Some(group) = group {
        figures.push(Figure::count(group.count));
        figures.push(Figure::count(group.failed));
        figures.push(Figure::micros(group.micros));
        figures.push(Figure::usd(group.cost));
        figures.extend(Figure::percent_of(group.micros, run_micros));
        figures.extend(Figure::percent_of(group.cost, run_cost));
    }
    let words = [
        &step.model,
        &step.request_model,
        &step.provider,
        &step.error,
        &step.error_class,
        &step.stop_reason,
        &step.release,
        &step.environment,
        &step.tool_name,
    ];
    let mut own: Vec<String> = words.into_iter().flatten().cloned().collect();
    own.push(step.kind.as_str().to_owned());
    for found in &step.conditions {
        own.extend([&found.message, &found.observed, &found.expected, &found.name].map(String::clone));
        figures.push(Figure::count(i64::from(found.points)));
    }
    let bodies = texts.map(|texts| [&texts.input, &texts.output]);
    Facts {
        name: name_of(step).to_owned(),
        failed: match step.status {
            StepStatus::Error => Some(true),
            StepStatus::Ok => Some(false),
            StepStatus::Running | StepStatus::Aborted => None,
        },
        codes: step.conditions.iter().map(|found| found.code).collect(),
        texts: own,
        bodies: bodies.into_iter().flatten().flatten().cloned().collect(),
        figures,
    }
}

fn deploy_facts(deploy: &Deploy) -> Facts {
    let words = [
        &deploy.title,
        &deploy.author,
        &deploy.environment,
        &deploy.branch,
        &deploy.repo,
    ];
    let mut texts: Vec<String> = words.into_iter().flatten().cloned().collect();
    texts.push(deploy.sha.clone());
    texts.push(deploy.at().to_string());
    texts.extend(deploy.pr_number.map(|number| format!("PR {number}")));
    Facts {
        name: deploy.title.clone().unwrap_or_default(),
        texts,
        ..Facts::default()
    }
}

fn whole(run: &RunSummary) -> Facts {
    let mut figures = Vec::new();
    figures.extend(run.cost_nano_usd.map(|cost| Figure::usd(cost.0)));
    figures.push(Figure::micros((run.latency_ms.clamp(0.0, 1e15) * 1_000.0) as i64));
    let counts = [
        run.tokens.total(),
        run.tokens.input(),
        run.tokens.output,
        run.tokens.cache_read,
        Some(run.step_count),
        Some(run.error_count),
        Some(run.unpriced_steps),
        run.score_max.map(i64::from),
    ];
    figures.extend(counts.into_iter().flatten().map(Figure::count));
    let words = [&run.environment, &run.release, &run.session_id, &run.user_id];
    let mut texts: Vec<String> = words.into_iter().flatten().cloned().collect();
    texts.push(run.name.clone());
    texts.push(run.key_label.clone());
    texts.extend(run.models.iter().cloned());
    Facts {
        name: run.name.clone(),
        failed: None,
        codes: BTreeSet::new(),
        texts,
        bodies: Vec::new(),
        figures,
    }
}
