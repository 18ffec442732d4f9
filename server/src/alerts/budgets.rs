//! Which budgets are worth an alert: used up, or going to be by the forecast. Each is told once in a month.

use domain::alert::{AlertContent, AlertedBudget, Trigger};
use domain::{ProjectId, Severity, Timestamp};
use engine::forecast::KeyForecast;
use serde_json::json;
use storage::Db;
use storage::alerts::{BudgetNews, NewAlert};

use super::plan::Plan;
use super::triggers::{spoken_to, summary_of};

/// Looks at a project's budgets, after its spend changed. Returns how many alerts were written.
pub async fn look(db: &Db, project: ProjectId, now: Timestamp) -> storage::Result<usize> {
    let plan = Plan::read(db, project).await?;
    if plan.channels.is_empty() || !plan.settings.budgets {
        return Ok(0);
    }
    let month_from = now.month();
    let mut snapshot = db.snapshot(project).await?;
    let budgets = storage::budgets::list(&mut snapshot, project).await?;
    let told = storage::alerts::told_budgets(&mut snapshot, project, month_from).await?;
    // Of a budget that is used up there is nothing more to tell.
    let is_done = |budget: &storage::budgets::Budget| {
        told.iter().any(|told| {
            told.trigger == Trigger::BudgetReached && told.key == budget.key && told.monthly == budget.monthly
        })
    };
    if budgets.iter().all(is_done) {
        return Ok(0);
    }
    let forecasts = app::forecasts(&mut snapshot, project, now).await?;
    drop(snapshot);
    let news: Vec<_> = forecasts
        .iter()
        .filter_map(news_of)
        .filter(|(news, _)| !told.contains(news))
        .map(|(news, budget)| {
            let alerts = alerts_of(&plan, project, news.trigger, budget, now);
            (news, alerts)
        })
        .filter(|(_, alerts)| !alerts.is_empty())
        .collect();
    if news.is_empty() {
        return Ok(0);
    }
    storage::alerts::tell_budgets(db, project, month_from, news, now).await
}

/// What there is to tell of a budget, if anything.
fn news_of(forecast: &KeyForecast) -> Option<(BudgetNews, AlertedBudget)> {
    let budget = forecast.budget?;
    let expected = forecast.end.map(|end| end.month_end.expected);
    let trigger = if budget.is_used_up {
        Trigger::BudgetReached
    } else if expected.is_some_and(|expected| expected >= budget.monthly) {
        Trigger::BudgetForecast
    } else {
        return None;
    };
    let news = BudgetNews {
        trigger,
        key: forecast.key.clone(),
        monthly: budget.monthly,
    };
    let alerted = AlertedBudget {
        key: forecast.key.clone(),
        monthly: budget.monthly,
        spent: forecast.spent,
        is_used_up: budget.is_used_up,
        expected,
        used_up_on: budget.exhaustion.and_then(|exhaustion| exhaustion.expected),
        month_from: forecast.month_from,
    };
    Some((news, alerted))
}

fn alerts_of(
    plan: &Plan,
    project: ProjectId,
    trigger: Trigger,
    budget: AlertedBudget,
    now: Timestamp,
) -> Vec<NewAlert> {
    let month: String = budget.month_from.to_string().chars().take(7).collect();
    let subject = json!({ "key": budget.key, "month": month, "monthly_usd": budget.monthly.to_decimal() });
    let group_key = format!(
        "{month} {} {}",
        budget.monthly.to_decimal(),
        budget.key.as_deref().unwrap_or_default()
    );
    let severity = if budget.is_used_up {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let content = AlertContent::Budget(budget);
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

#[cfg(test)]
#[path = "budgets/tests.rs"]
mod tests;
