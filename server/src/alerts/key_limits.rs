//! Which limits of keys are worth an alert: at 80 % of a month's and when it is used up, each once in a month.

use domain::alert::{AlertContent, AlertedKeyLimit, Trigger};
use domain::{ProjectId, Severity, Timestamp};
use serde_json::json;
use storage::Db;
use storage::alerts::{KeyLimitNews, NewAlert};

use super::plan::Plan;
use super::triggers::{spoken_to, summary_of};

/// Tells of limits of a project's keys, what was told before left aside. Returns how many alerts were written.
pub async fn look(
    db: &Db,
    project: ProjectId,
    news: Vec<KeyLimitNews>,
    now: Timestamp,
) -> storage::Result<usize> {
    let plan = Plan::read(db, project).await?;
    if plan.channels.is_empty() || !plan.settings.key_limits {
        return Ok(0);
    }
    let news: Vec<_> = news
        .into_iter()
        .map(|news| {
            let alerts = alerts_of(&plan, project, &news, now);
            (news, alerts)
        })
        .filter(|(_, alerts)| !alerts.is_empty())
        .collect();
    if news.is_empty() {
        return Ok(0);
    }
    storage::alerts::tell_key_limits(db, project, now.month(), news, now).await
}

fn alerts_of(plan: &Plan, project: ProjectId, news: &KeyLimitNews, now: Timestamp) -> Vec<NewAlert> {
    let trigger = Trigger::KeyLimit;
    let KeyLimitNews { key, reached } = news;
    let month: String = now.to_string().chars().take(7).collect();
    let (measure, percent) = (reached.measure.as_str(), reached.percent);
    let group_key = format!("{month} {measure} {} {percent} {key}", reached.limit);
    let subject = json!({ "key": key, "month": month, "measure": measure, "percent": percent });
    let severity = if percent >= 100 {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let content = AlertContent::KeyLimit(AlertedKeyLimit {
        key: key.clone(),
        measure: reached.measure,
        limit: reached.limit,
        used: reached.used,
        percent,
        month_from: now.month(),
        month_to: now.next_month(),
    });
    let of_channel = |channel| NewAlert {
        project_id: project,
        trigger,
        channel,
        group_key: group_key.clone(),
        quiet_s: plan.settings.quiet_s(trigger, channel),
        not_before: plan.quiet_until(trigger, channel, now),
        occurrences: 1,
        severity,
        summary: summary_of(&content),
        subject: subject.clone(),
        content: serde_json::to_value(&content).unwrap_or_default(),
    };
    spoken_to(plan, trigger).map(of_channel).collect()
}
