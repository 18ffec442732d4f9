//! How a month ends, as programs read it.

use domain::{NanoUsd, Timestamp};
use engine::forecast::{KeyForecast, Outlook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Of the project, or of one key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ForecastItem {
    /// Label; null for all of the project.
    pub(crate) key: Option<String>,
    /// Until now, in dollars, as a decimal text.
    pub(crate) spent_usd: String,
    pub(crate) spent_nano_usd: NanoUsd,
    /// Null when there are fewer than three days with calls.
    pub(crate) month_end: Option<MonthEndAnswer>,
    /// The complete days that it rests on.
    pub(crate) days: u32,
    /// The month had the latest deploy that clearly changed what a call costs not done so, from now on; null when none did.
    pub(crate) without_deploy: Option<WithoutDeployAnswer>,
    /// Null without one.
    pub(crate) budget: Option<BudgetAnswer>,
    /// All of it in words.
    pub(crate) sentences: Vec<String>,
}

/// Eight months in ten end between low and high.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MonthEndAnswer {
    /// In dollars, as a decimal text.
    pub(crate) expected_usd: String,
    /// The same in billionths of a dollar.
    pub(crate) expected_nano_usd: NanoUsd,
    pub(crate) low_usd: String,
    pub(crate) low_nano_usd: NanoUsd,
    pub(crate) high_usd: String,
    pub(crate) high_nano_usd: NanoUsd,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct WithoutDeployAnswer {
    pub(crate) deploy_id: String,
    pub(crate) month_end: MonthEndAnswer,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BudgetAnswer {
    /// What a month may cost, in dollars, as a decimal text.
    pub(crate) monthly_usd: String,
    pub(crate) monthly_nano_usd: NanoUsd,
    pub(crate) is_used_up: bool,
    /// The day on which it will be; null when it is expected to outlast the month.
    pub(crate) used_up_on: Option<Timestamp>,
    /// One time in ten it is used up before that; null when nine in ten outlast the month.
    pub(crate) used_up_earliest: Option<Timestamp>,
}

impl From<&Outlook> for MonthEndAnswer {
    fn from(outlook: &Outlook) -> Self {
        Self {
            expected_usd: outlook.expected.to_decimal(),
            expected_nano_usd: outlook.expected,
            low_usd: outlook.low.to_decimal(),
            low_nano_usd: outlook.low,
            high_usd: outlook.high.to_decimal(),
            high_nano_usd: outlook.high,
        }
    }
}

impl From<KeyForecast> for ForecastItem {
    fn from(found: KeyForecast) -> Self {
        let exhaustion = found.budget.and_then(|budget| budget.exhaustion);
        Self {
            sentences: found.sentences(),
            spent_usd: found.spent.to_decimal(),
            spent_nano_usd: found.spent,
            month_end: found.end.as_ref().map(|end| MonthEndAnswer::from(&end.month_end)),
            days: found.end.map_or(0, |end| end.days),
            without_deploy: found.without.map(|without| WithoutDeployAnswer {
                deploy_id: without.deploy_id,
                month_end: MonthEndAnswer::from(&without.month_end),
            }),
            budget: found.budget.map(|budget| BudgetAnswer {
                monthly_usd: budget.monthly.to_decimal(),
                monthly_nano_usd: budget.monthly,
                is_used_up: budget.is_used_up,
                used_up_on: exhaustion.and_then(|exhaustion| exhaustion.expected),
                used_up_earliest: exhaustion.and_then(|exhaustion| exhaustion.earliest),
            }),
            key: found.key,
        }
    }
}
