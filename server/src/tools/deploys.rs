//! What shipped, and what it switched.

use domain::deploy::{Deploy, parse_sha};
use engine::rollout::{self, MixPart, PartEffect, REACH_MICROS, RolloutEffect};
use engine::series::{percent, text};
use serde_json::{Value, json};
use storage::Snapshot;
use storage::deploys::{self, DeployFilter, MAX_PAGE};

use super::{Answer, Call, ToolError};
use engine::incidents::words::clock;

const DAY: i64 = 86_400_000_000;
/// The most deploys of one answer.
const MAX_DEPLOYS: u32 = 50;
/// The most steps, and the most values of each.
const MAX_PARTS: usize = 30;
const MAX_VALUES: usize = 6;
/// A share that moved by less is not said to be switched.
const SWITCHED: f64 = 0.2;
/// How much of a template is shown, in characters, and of how many.
const MAX_TEMPLATE_CHARS: usize = 2_500;
const MAX_TEMPLATES: usize = 6;

/// What a deploy is called.
pub(super) fn name(deploy: &Deploy) -> String {
    match deploy.pr_number {
        Some(number) => format!("PR {number}"),
        None => deploy.sha.chars().take(7).collect(),
    }
}

fn facts(deploy: &Deploy) -> Value {
    json!({
        "deploy_id": deploy.id, "pr_number": deploy.pr_number, "title": deploy.title, "author": deploy.author,
        "sha": deploy.sha, "status": deploy.status, "environment": deploy.environment, "started_at": deploy.started_at,
        "completed_at": deploy.completed_at,
    })
}

pub(super) async fn in_window(call: &Call<'_>) -> Result<Answer, ToolError> {
    let to = call.arguments.time("to").unwrap_or(call.now);
    let from = call
        .arguments
        .time("from")
        .unwrap_or_else(|| to.plus_micros(-14 * DAY));
    if from >= to {
        return Err(ToolError::Asked("from must lie before to".to_owned()));
    }
    let filter = DeployFilter {
        from: Some(from),
        to: Some(to),
        sha: None,
    };
    let mut snapshot = call.snapshot().await?;
    let page = deploys::list(&mut snapshot, call.project, &filter, None, MAX_DEPLOYS).await?;
    let mut names: Vec<String> = page
        .items
        .iter()
        .take(6)
        .map(|deploy| format!("{} {}", name(deploy), clock(deploy.at())))
        .collect();
    names.reverse();
    let count = domain::text::counted(page.items.len() as i64, "deploy");
    let line = if names.is_empty() {
        "nothing shipped in that time".to_owned()
    } else {
        format!("{count}: {}", names.join(", "))
    };
    let items: Vec<Value> = page.items.iter().map(facts).collect();
    Ok(Answer::new(
        line,
        json!({ "from": from, "to": to, "deploys": items, "there_are_more": page.next_cursor.is_some() }),
    ))
}

/// The deploy that is meant: by id, number of its pull request, or sha.
async fn meant(call: &Call<'_>, snapshot: &mut Snapshot) -> Result<Deploy, ToolError> {
    let wanted = call.arguments.text("deploy").unwrap_or_default();
    match deploys::get(snapshot, call.project, wanted).await {
        Ok(deploy) => return Ok(deploy),
        Err(storage::Error::NotFound) => {}
        Err(other) => return Err(other.into()),
    }
    let digits = wanted
        .trim_start_matches(|c: char| c.is_ascii_alphabetic() || "#- ".contains(c))
        .parse::<i64>()
        .ok();
    let filter = DeployFilter {
        sha: parse_sha(wanted).filter(|_| digits.is_none()),
        ..DeployFilter::default()
    };
    if digits.is_some() || filter.sha.is_some() {
        let known = deploys::list(snapshot, call.project, &filter, None, MAX_PAGE)
            .await?
            .items;
        let found = known
            .into_iter()
            .find(|deploy| filter.sha.is_some() || deploy.pr_number == digits);
        if let Some(deploy) = found {
            return Ok(deploy);
        }
    }
    Err(ToolError::Asked(
        "There is no such deploy; get_deploys_in_window lists those there are".to_owned(),
    ))
}

async fn effect(call: &Call<'_>) -> Result<(Deploy, RolloutEffect, Snapshot), ToolError> {
    let mut snapshot = call.snapshot().await?;
    let deploy = meant(call, &mut snapshot).await?;
    let neighbours = deploys::around(&mut snapshot, call.project, &deploy, REACH_MICROS).await?;
    let windows = rollout::windows(&deploy, &neighbours, call.now);
    let rows = storage::series::windows(&mut snapshot, call.project, &windows.sides()).await?;
    let effect = rollout::rollout_effect(windows, &rows);
    Ok((deploy, effect, snapshot))
}

struct Share<'a> {
    value: &'a str,
    before: f64,
    after: f64,
}

fn shares(parts: &[MixPart]) -> Vec<Share<'_>> {
    let sum = |side: fn(&MixPart) -> i64| parts.iter().map(side).sum::<i64>();
    let (before, after) = (sum(|part| part.before), sum(|part| part.after));
    // One side without calls has no mix to compare.
    if before == 0 || after == 0 {
        return Vec::new();
    }
    parts
        .iter()
        .map(|part| Share {
            value: part.value.as_deref().unwrap_or("unknown"),
            before: part.before as f64 / before as f64,
            after: part.after as f64 / after as f64,
        })
        .collect()
}

/// What took over, where something did.
fn switched<'a, 'b>(shares: &'b [Share<'a>]) -> Option<&'b Share<'a>> {
    shares
        .iter()
        .filter(|share| share.after - share.before >= SWITCHED)
        .max_by(|a, b| (a.after - a.before).total_cmp(&(b.after - b.before)))
}

fn rows(shares: &[Share<'_>]) -> Vec<Value> {
    shares
        .iter()
        .take(MAX_VALUES)
        .map(|share| json!({ "value": share.value, "before": percent(share.before), "after": percent(share.after) }))
        .collect()
}

fn step_row(part: &PartEffect, models: &[Share<'_>], templates: &[Share<'_>]) -> Value {
    let calls = |side: fn(&MixPart) -> i64| part.models.iter().map(side).sum::<i64>();
    let effects: Vec<Value> = part
        .effects
        .iter()
        .map(|effect| {
            let unit = effect.measure.unit();
            let words =
                |value: Option<engine::series::MetricValue>| value.map(|value| text(value.as_f64(), unit));
            json!({ "measure": effect.measure, "before": words(effect.before), "after": words(effect.after) })
        })
        .collect();
    json!({
        "key": part.key, "step": part.step, "calls_before": calls(|part| part.before),
        "calls_after": calls(|part| part.after), "models": rows(models), "templates": rows(templates),
        "model_switched": switched(models).is_some(), "prompt_switched": switched(templates).is_some(),
        "measures": effects,
    })
}

pub(super) async fn mix(call: &Call<'_>) -> Result<Answer, ToolError> {
    let (deploy, effect, _) = effect(call).await?;
    let key = call.arguments.text("key");
    let mut said = Vec::new();
    let mut steps = Vec::new();
    let parts = effect
        .steps
        .iter()
        .filter(|part| key.is_none_or(|key| part.key == key));
    for part in parts {
        let (models, templates) = (shares(&part.models), shares(&part.templates));
        let step = part.step.as_deref().unwrap_or(&part.key);
        let model = switched(&models);
        let template = switched(&templates);
        if let Some(model) = model {
            let prompt = if template.is_some() {
                "switched too"
            } else {
                "the same"
            };
            said.push(format!(
                "{step}: {} {} → {} of calls, prompt {prompt}",
                model.value,
                percent(model.before),
                percent(model.after)
            ));
        } else if template.is_some() {
            said.push(format!("{step}: another prompt, model the same"));
        }
        let row = step_row(part, &models, &templates);
        // What was switched first: the list is cut.
        if model.is_some() || template.is_some() {
            steps.insert(0, row);
        } else {
            steps.push(row);
        }
    }
    steps.truncate(MAX_PARTS);
    let line = if steps.is_empty() {
        "no calls around it".to_owned()
    } else if said.is_empty() {
        "nothing switched".to_owned()
    } else {
        said.iter().take(3).cloned().collect::<Vec<_>>().join("; ")
    };
    let windows = effect.windows;
    let data = json!({
        "deploy": facts(&deploy), "before": [windows.before_from, windows.before_to],
        "after": [windows.after_from, windows.after_to], "steps": steps,
    });
    Ok(Answer::new(format!("{}: {line}", name(&deploy)), data))
}

pub(super) async fn fingerprints(call: &Call<'_>) -> Result<Answer, ToolError> {
    let (deploy, effect, mut snapshot) = effect(call).await?;
    let mut wanted: Vec<(String, String, &'static str)> = Vec::new();
    for part in &effect.steps {
        let step = part.step.clone().unwrap_or_else(|| part.key.clone());
        for share in shares(&part.templates) {
            if (share.after - share.before).abs() >= SWITCHED {
                let what = if share.after > share.before {
                    "came"
                } else {
                    "went"
                };
                wanted.push((step.clone(), share.value.to_owned(), what));
            }
        }
    }
    let from = deploy.began_at();
    let first_seen = deploys::first_seen(&mut snapshot, call.project, from, effect.windows.after_to).await?;
    let mut templates = Vec::new();
    for (step, fingerprint, what) in wanted.iter().take(MAX_TEMPLATES) {
        let text = match storage::prompts::template(&mut snapshot, call.project, fingerprint).await {
            Ok(template) => Some(
                template
                    .canonical
                    .chars()
                    .take(MAX_TEMPLATE_CHARS)
                    .collect::<String>(),
            ),
            Err(storage::Error::NotFound) => None,
            Err(other) => return Err(other.into()),
        };
        templates.push(json!({ "step": step, "fingerprint": fingerprint, "what": what, "template": text }));
    }
    let line = if wanted.is_empty() {
        "the same templates before and after".to_owned()
    } else {
        let steps: Vec<&str> = wanted.iter().map(|(step, ..)| step.as_str()).collect();
        format!(
            "{} came or went, first in {}",
            domain::text::counted(wanted.len() as i64, "template"),
            steps.first().unwrap_or(&"")
        )
    };
    let new: Vec<Value> = first_seen
        .iter()
        .map(|seen| json!({ "what": seen.dimension, "value": seen.value, "at": seen.at }))
        .collect();
    Ok(Answer::new(
        format!("{}: {line}", name(&deploy)),
        json!({ "deploy": facts(&deploy), "templates": templates, "first_seen_since": new }),
    ))
}
