//! The forecast of a project and of each of its keys: with and without the last deploy, beside a budget.

use std::collections::BTreeMap;

use domain::series::BucketSums;
use domain::{Deploy, NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CostChange, DAY_MICROS, Exhaustion, Forecast, History, MonthEnd, Outlook, nano_usd};
use crate::compare::{Effect, Measure, Reading};
use crate::rollout::{COMPARED_DEPLOYS, RolloutEffect};

/// A key that spent nothing in the month is listed when it did in so many days before.
const LISTED_DAYS: i64 = 28;

/// How the month ends for a project, or for one of its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyForecast {
    /// The key's label; `None` for all of the project.
    pub key: Option<String>,
    /// When the month began.
    pub month_from: Timestamp,
    /// When the next one begins.
    pub month_to: Timestamp,
    /// Spent until now.
    pub spent: NanoUsd,
    /// How it ends; `None` when there is too little history.
    pub end: Option<MonthEnd>,
    /// How it would end had the latest deploy that changed the cost of a call not done so, from now on.
    pub without: Option<WithoutDeploy>,
    /// The budget of a month, where there is one.
    pub budget: Option<BudgetOutlook>,
}

/// The month without what a deploy changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutDeploy {
    /// Which deploy.
    pub deploy_id: String,
    /// What pages call it.
    pub deploy: String,
    /// How the month would end.
    pub month_end: Outlook,
}

/// A budget and when it is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetOutlook {
    /// What a month may cost.
    pub monthly: NanoUsd,
    /// It is used up now.
    pub is_used_up: bool,
    /// When it will be; `None` when there is too little history.
    pub exhaustion: Option<Exhaustion>,
}

/// The project first, then its keys, those that spent most in the month first, then those that are expected to. `rows` are days by key; of `rollouts`, the latest
/// first, the first one counts that clearly changed what a call costs; a budget without a key is the project's.
pub fn forecasts(
    rows: &[BucketSums],
    rollouts: &[(Deploy, RolloutEffect)],
    budgets: &[(Option<String>, NanoUsd)],
    now: Timestamp,
) -> Vec<KeyForecast> {
    let mut all = BTreeMap::new();
    let mut keys: BTreeMap<&str, BTreeMap<Timestamp, i64>> = BTreeMap::new();
    for row in rows {
        let Some(cost) = row.sums.cost_nano_usd else {
            continue;
        };
        let add = |days: &mut BTreeMap<Timestamp, i64>| {
            let day = days.entry(row.at.day()).or_insert(0);
            *day = day.saturating_add(cost.0);
        };
        add(&mut all);
        if let Some(key) = row.group.as_deref() {
            add(keys.entry(key).or_default());
        }
    }
    // A key with a budget is listed before it spends anything.
    for key in budgets.iter().filter_map(|(key, _)| key.as_deref()) {
        keys.entry(key).or_default();
    }
    let budget_of = |wanted: Option<&str>| {
        let found = budgets.iter().find(|(key, _)| key.as_deref() == wanted);
        found.map(|(_, monthly)| *monthly)
    };
    let mut found: Vec<KeyForecast> = keys
        .iter()
        .map(|(key, days)| {
            let forecast = one(Some(key), days, rollouts, budget_of(Some(key)), now);
            (days, forecast)
        })
        .filter(|(days, forecast)| forecast.budget.is_some() || spends(days, now))
        .map(|(_, forecast)| forecast)
        .collect();
    found.sort_by_key(|forecast| {
        let expected = forecast.end.map_or(NanoUsd(0), |end| end.month_end.expected);
        std::cmp::Reverse((forecast.spent, expected))
    });
    found.insert(0, one(None, &all, rollouts, budget_of(None), now));
    found
}

/// Whether a key spent anything in the month or in the [`LISTED_DAYS`] before now: on the first of a month nobody has spent
/// yet, and still everybody will.
fn spends(days: &BTreeMap<Timestamp, i64>, now: Timestamp) -> bool {
    let since = now.day().plus_micros(-LISTED_DAYS * DAY_MICROS).min(now.month());
    days.range(since..).any(|(_, cost)| *cost > 0)
}

fn one(
    key: Option<&str>,
    days: &BTreeMap<Timestamp, i64>,
    rollouts: &[(Deploy, RolloutEffect)],
    budget: Option<NanoUsd>,
    now: Timestamp,
) -> KeyForecast {
    let changed = rollouts.iter().find_map(|(deploy, moved)| {
        let effects = match key {
            None => &moved.effects,
            Some(key) => &moved.keys.iter().find(|part| part.key == key)?.effects,
        };
        Some((deploy, clear_change(effects)?))
    });
    let spend = days.iter().map(|(at, amount)| (*at, NanoUsd(*amount)));
    let mut history = History::new(spend, now);
    let spent = nano_usd(history.spent);
    if let Some((deploy, change)) = &changed {
        history = history.as_after(deploy.at(), change);
    }
    let forecast = Forecast::of(&history);
    KeyForecast {
        key: key.map(str::to_owned),
        month_from: now.month(),
        month_to: now.next_month(),
        spent,
        end: forecast.as_ref().map(Forecast::month_end),
        without: changed
            .zip(forecast.as_ref())
            .map(|((deploy, change), forecast)| WithoutDeploy {
                deploy_id: deploy.id.clone(),
                deploy: deploy.name(),
                month_end: forecast.without(&change),
            }),
        budget: budget.map(|monthly| BudgetOutlook {
            monthly,
            is_used_up: spent >= monthly,
            exhaustion: forecast.as_ref().map(|forecast| forecast.exhaustion(monthly)),
        }),
    }
}

/// What a call costs, where it hardly changed by chance.
fn clear_change(effects: &[Effect]) -> Option<CostChange> {
    let effect = effects
        .iter()
        .find(|effect| effect.measure == Measure::CostPerCall)?;
    let change = effect
        .change
        .filter(|_| effect.is_notable(COMPARED_DEPLOYS) && effect.reading != Reading::Unclear)?;
    Some(CostChange {
        estimate: change.estimate,
        low: change.low,
        high: change.high,
    })
}

#[cfg(test)]
mod tests {
    use domain::series::CallSums;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn the_project_is_the_sum_of_its_keys_and_a_budget_is_listed_before_it_is_spent() {
        let now = at("2026-11-16T00:00:00Z");
        let row = |day: i64, key: &str, dollars: i64| BucketSums {
            at: at("2026-10-01T00:00:00Z").plus_micros(day * DAY_MICROS),
            group: Some(key.to_owned()),
            sums: CallSums {
                cost_nano_usd: Some(NanoUsd(dollars * 1_000_000_000)),
                ..CallSums::default()
            },
        };
        let rows: Vec<BucketSums> = (0..46)
            .flat_map(|day| [row(day, "small", 1), row(day, "large", 9)])
            .collect();
        let budgets = [
            (None, NanoUsd(200_000_000_000)),
            (Some("new".to_owned()), NanoUsd(5_000_000_000)),
        ];
        let found = forecasts(&rows, &[], &budgets, now);
        let keys: Vec<_> = found.iter().map(|one| one.key.as_deref()).collect();
        assert_eq!(keys, [None, Some("large"), Some("small"), Some("new")]);
        assert_eq!(found[0].spent, NanoUsd(150_000_000_000));
        assert_eq!(found[1].spent, NanoUsd(135_000_000_000));
        assert_eq!(
            (found[0].month_from, found[0].month_to),
            (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"))
        );
        let budget = found[0].budget.unwrap();
        assert!(!budget.is_used_up);
        assert_eq!(
            budget.exhaustion.unwrap().expected,
            Some(at("2026-11-20T00:00:00Z"))
        );
        assert_eq!((found[3].end, found[3].spent), (None, NanoUsd(0)));
        assert_eq!(found[3].budget.unwrap().exhaustion, None);
        assert_eq!(found[0].without, None, "no deploy changed anything");
    }
    #[test]
    fn on_the_first_of_a_month_keys_are_forecast_from_the_month_before() {
        let dollars = |amount: i64| NanoUsd(amount * 1_000_000_000);
        let row = |date: &str, key: &str, amount: i64| BucketSums {
            at: at(&format!("{date}T00:00:00Z")),
            group: Some(key.to_owned()),
            sums: CallSums {
                cost_nano_usd: Some(dollars(amount)),
                ..CallSums::default()
            },
        };
        let mut rows = vec![row("2026-10-20", "retired", 50)];
        for day in 20..=30 {
            rows.push(row(&format!("2026-11-{day}"), "small", 1));
            rows.push(row(&format!("2026-11-{day}"), "large", 9));
        }
        let found = forecasts(&rows, &[], &[], at("2026-12-01T00:00:00Z"));
        let keys: Vec<_> = found.iter().map(|one| one.key.as_deref()).collect();
        assert_eq!(keys, [None, Some("large"), Some("small")]);
        assert_eq!(found[1].spent, NanoUsd(0));
        let expected = found[1].end.unwrap().month_end.expected;
        assert!((dollars(270)..dollars(290)).contains(&expected), "{expected:?}");
    }
}
