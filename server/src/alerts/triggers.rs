//! Which alerts a batch's steps make. Pure: what is set, the steps and the time come in, rows for the outbox go out.

use std::collections::BTreeMap;

use domain::alert::{
    AlertContent, AlertLevel, AlertedCondition, AlertedStep, Channel, IncidentMoment, LastSteps, Trigger,
};
use domain::text::first_line;
use domain::{ProjectId, Severity, StepStatus, Timestamp};
use serde_json::json;
use storage::alerts::NewAlert;
use storage::ingest::StepRow;

use super::plan::Plan;

/// Steps that began earlier are history that is sent late; nobody is to be told of it.
pub(super) const MAX_AGE_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Conditions that a message lists.
const MAX_CONDITIONS: usize = 8;
/// Of each text that a message shows, in characters.
const MAX_TEXT_CHARS: usize = 300;
/// Of each name.
const MAX_NAME_CHARS: usize = 120;

/// A new step, and the name under which it is counted, of which there is a bounded number.
#[derive(Clone, Copy, Debug)]
pub struct ToldStep<'a> {
    pub row: &'a StepRow<'a>,
    pub counted_name: &'a str,
}

impl ToldStep<'_> {
    fn has_failed(&self) -> bool {
        let step = self.row.step;
        step.status == StepStatus::Error || step.error.as_ref().is_some_and(|text| !text.trim().is_empty())
    }
}

/// Alerts that gather while a batch is looked at.
#[derive(Debug)]
pub struct Told {
    now: Timestamp,
    alerts: BTreeMap<(ProjectId, Trigger, Channel, String), NewAlert>,
}

impl Told {
    /// Nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            alerts: BTreeMap::new(),
        }
    }

    /// What has gathered, one of each project, trigger, channel and group.
    pub fn alerts(self) -> Vec<NewAlert> {
        self.alerts.into_values().collect()
    }

    /// One more occurrence; the first of a group is the one that is told.
    fn add(
        &mut self,
        plan: &Plan,
        of: &ToldStep<'_>,
        (trigger, channel): (Trigger, Channel),
        group: String,
        content: impl FnOnce() -> AlertContent,
    ) {
        let row = of.row;
        let now = self.now;
        let alert = self
            .alerts
            .entry((row.project_id, trigger, channel, group.clone()))
            .or_insert_with(|| {
                let content = content();
                NewAlert {
                    project_id: row.project_id,
                    trigger,
                    channel,
                    group_key: group,
                    quiet_s: plan.settings.quiet_s(trigger, channel),
                    not_before: plan.quiet_until(trigger, channel, now),
                    occurrences: 0,
                    severity: row.severity,
                    summary: summary_of(&content),
                    subject: json!({
                        "run_id": row.step.run_id, "step_id": row.step.step_id, "step": row.step.name
                    }),
                    content: serde_json::to_value(&content).unwrap_or_default(),
                }
            });
        alert.occurrences += 1;
    }
}

/// Adds the alerts of one project's steps, and says of each whether it failed.
pub(super) fn alerts_of(
    plan: &Plan,
    steps: &[ToldStep<'_>],
    last: &mut LastSteps,
    told: &mut Told,
) -> Vec<bool> {
    let mut went = Vec::with_capacity(steps.len());
    for step in steps {
        let row = step.row;
        let age = told.now.micros() - row.step.started_at.micros();
        if age > MAX_AGE_MICROS
            || !plan
                .settings
                .concerns(row.key_label, row.step.environment.as_deref())
        {
            continue;
        }
        let has_failed = step.has_failed();
        went.push(has_failed);
        last.push(has_failed);
        of_step(plan, step, has_failed, told);
        if has_failed && let Some(rate) = last.reaches(&plan.settings.error_rate) {
            let limit_percent = plan.settings.error_rate.percent;
            for channel in spoken_to(plan, Trigger::ErrorRate) {
                let of = (Trigger::ErrorRate, channel);
                told.add(plan, step, of, String::new(), || AlertContent::ErrorRate {
                    failed: rate.failed,
                    of: rate.of,
                    limit_percent,
                    step: Box::new(alerted(step, None)),
                });
            }
        }
    }
    went
}

/// A step is one message, however many conditions it has; in Sentry each of them is an event of its own.
fn of_step(plan: &Plan, step: &ToldStep<'_>, has_failed: bool, told: &mut Told) {
    let row = step.row;
    let is_severe = plan.settings.severity.has(row.severity);
    for channel in Channel::ALL
        .iter()
        .copied()
        .filter(|channel| plan.channels.contains(channel))
    {
        if channel == Channel::Sentry {
            let level = plan.sentry_level;
            if level.is_some_and(|level| level.has(row.severity))
                && plan.settings.speaks(Trigger::Severity, channel)
            {
                for condition in row.conditions.iter().filter(|condition| condition.points > 0) {
                    let group = format!("{} {}", condition.code, step.counted_name);
                    told.add(plan, step, (Trigger::Severity, channel), group, || {
                        AlertContent::Step(Box::new(alerted(step, Some(condition.code))))
                    });
                }
            }
            continue;
        }
        let trigger = if is_severe && plan.settings.speaks(Trigger::Severity, channel) {
            Trigger::Severity
        } else if has_failed && plan.settings.step_error && plan.settings.speaks(Trigger::StepError, channel)
        {
            Trigger::StepError
        } else {
            continue;
        };
        told.add(
            plan,
            step,
            (trigger, channel),
            step.counted_name.to_owned(),
            || AlertContent::Step(Box::new(alerted(step, None))),
        );
    }
}

/// The channels that a trigger speaks to.
pub(super) fn spoken_to(plan: &Plan, trigger: Trigger) -> impl Iterator<Item = Channel> {
    plan.channels
        .iter()
        .copied()
        .filter(move |channel| plan.settings.speaks(trigger, *channel))
        .filter(move |channel| *channel != Channel::Sentry || plan.sentry_level != Some(AlertLevel::Off))
}

/// The step as messages show it; `only` one of its conditions, or the heaviest.
fn alerted(of: &ToldStep<'_>, only: Option<u16>) -> AlertedStep {
    let (row, step) = (of.row, of.row.step);
    let name = |text: &Option<String>| text.as_deref().map(|text| first_line(text, MAX_NAME_CHARS));
    let mut conditions: Vec<&domain::Condition> = row
        .conditions
        .iter()
        .filter(|condition| only.is_none_or(|code| condition.code == code))
        .collect();
    conditions.sort_by_key(|condition| std::cmp::Reverse(condition.points));
    let more = conditions.len().saturating_sub(MAX_CONDITIONS);
    AlertedStep {
        run_id: step.run_id.clone(),
        step_id: step.step_id.clone(),
        name: first_line(&step.name, MAX_NAME_CHARS),
        kind: step.kind,
        key: row.key_label.to_owned(),
        model: name(&step.model),
        provider: name(&step.provider),
        environment: name(&step.environment),
        release: name(&step.release),
        severity: row.severity,
        score: row.score,
        threshold: row.threshold,
        error: step
            .error
            .as_deref()
            .filter(|text| !text.trim().is_empty())
            .map(|text| first_line(text, MAX_TEXT_CHARS)),
        latency_ms: step.latency_ms,
        started_at: step.started_at,
        conditions: conditions
            .into_iter()
            .take(MAX_CONDITIONS)
            .map(|condition| AlertedCondition {
                code: condition.code,
                name: condition.name.clone(),
                points: condition.points,
                message: first_line(&condition.message, MAX_TEXT_CHARS),
            })
            .collect(),
        more_conditions: u32::try_from(more).unwrap_or(u32::MAX),
    }
}

/// One line for lists.
pub(super) fn summary_of(content: &AlertContent) -> String {
    match content {
        AlertContent::Step(step) => {
            let what = match (step.severity, step.conditions.as_slice()) {
                (Severity::Critical, _) => "Critical step",
                (Severity::Warning, _) => "Warning of step",
                (Severity::Ok, _) => "Failed step",
            };
            format!("{what} {}, run {}", named(&step.name), short(&step.run_id))
        }
        AlertContent::ErrorRate { failed, of, .. } => {
            format!("{failed} of the last {of} steps failed")
        }
        AlertContent::Incident(incident) => {
            let what = match incident.moment {
                IncidentMoment::Opened => "Incident opened",
                IncidentMoment::Attributed => "Cause found",
                IncidentMoment::Closed => "Incident closed",
                IncidentMoment::Withdrawn => "No incident after all",
            };
            format!("{what}: {}", first_line(&incident.sentence, MAX_TEXT_CHARS))
        }
        AlertContent::Finding(finding) => format!(
            "{}: {}",
            first_line(&finding.detector, MAX_NAME_CHARS),
            first_line(&finding.summary, MAX_TEXT_CHARS)
        ),
        AlertContent::Budget(budget) => {
            let whose = budget
                .key
                .as_ref()
                .map_or_else(|| "The project".to_owned(), |key| first_line(key, MAX_NAME_CHARS));
            match (budget.is_used_up, budget.expected) {
                (false, Some(expected)) => format!(
                    "{whose} is expected to cost {expected} this month, above its budget of {}",
                    budget.monthly
                ),
                _ => format!(
                    "{whose} has cost {} this month, its budget is {}",
                    budget.spent, budget.monthly
                ),
            }
        }
        AlertContent::KeyLimit(limit) => format!(
            "The key {} has used {} of {} this month",
            first_line(&limit.key, MAX_NAME_CHARS),
            limit.measure.said(limit.used),
            limit.measure.said(limit.limit)
        ),
        AlertContent::IntegrationBroken { channel, answer } => {
            format!(
                "{} stopped: {}",
                channel.label(),
                first_line(answer, MAX_NAME_CHARS)
            )
        }
        AlertContent::Test { by } => format!("Test by {by}"),
    }
}

/// A step's name, for words.
pub(super) fn named(name: &str) -> &str {
    if name.trim().is_empty() {
        "without a name"
    } else {
        name
    }
}

/// A run's id, for words.
fn short(id: &str) -> String {
    first_line(domain::text::short_id(id), MAX_NAME_CHARS)
}

#[cfg(test)]
#[path = "triggers/tests.rs"]
mod tests;
