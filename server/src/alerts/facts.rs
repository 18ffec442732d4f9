//! Facts of incidents, budgets and limits in words, the same in every channel.

use domain::alert::{AlertedBudget, AlertedIncident, AlertedKeyLimit, IncidentMoment};
use domain::{NanoUsd, Timestamp};

/// `Incident: prod-frontend, cost`.
pub(super) fn incident_title(incident: &AlertedIncident) -> String {
    let what = match incident.moment {
        IncidentMoment::Opened => "Incident",
        IncidentMoment::Attributed => "Cause found",
        IncidentMoment::Closed => "Closed",
        IncidentMoment::Withdrawn => "No incident after all",
    };
    format!("{what}: {}", incident.name)
}

pub(super) fn budget_title(budget: &AlertedBudget) -> &'static str {
    if budget.is_used_up {
        "Budget used up"
    } else {
        "Budget will be used up"
    }
}

/// `Key checkout: 80 % of its limit used`.
pub(super) fn key_limit_title(limit: &AlertedKeyLimit) -> String {
    match limit.percent {
        100.. => format!("Key {}: limit used up", limit.key),
        percent => format!("Key {}: {percent} % of its limit used", limit.key),
    }
}

/// What it means for who calls.
pub(super) fn key_limit_effect(limit: &AlertedKeyLimit) -> String {
    match limit.percent {
        100.. => format!("Its requests are refused with 429 until {}.", day(limit.month_to)),
        _ => format!(
            "When it is used up, its requests are refused with 429 until {}.",
            day(limit.month_to)
        ),
    }
}

/// `94 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `$13.14 a day`.
pub(super) fn a_day(amount: NanoUsd) -> String {
    format!("{amount} a day")
}

/// `2026-11-30 09:12 UTC`.
pub(super) fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    format!("{} {} UTC", part(0..10), part(11..16))
}

/// `2026-11-30`.
pub(super) fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
