//! Forecasts in words.

use domain::{NanoUsd, Timestamp};

use super::{KeyForecast, Outlook};

impl KeyForecast {
    /// What is expected, a sentence each: how the month ends, how without the last deploy, when the budget is used up.
    pub fn sentences(&self) -> Vec<String> {
        let month = month_name(self.month_from);
        let whose = self
            .key
            .as_ref()
            .map(|key| format!(" for {key}"))
            .unwrap_or_default();
        let mut out = Vec::new();
        match &self.end {
            Some(end) => out.push(format!(
                "{month} is expected to end at {}{whose}, of which {} are spent.",
                range(&end.month_end),
                self.spent.to_short()
            )),
            None => out.push(format!(
                "{} spent{whose} in {month}; too few days of calls to say how it ends.",
                self.spent.to_short()
            )),
        }
        if let Some(without) = &self.without {
            out.push(format!(
                "Were {} rolled back now, {month} would end at {}.",
                without.deploy,
                range(&without.month_end)
            ));
        }
        if let Some(budget) = &self.budget {
            let monthly = budget.monthly.to_short();
            out.push(match (budget.is_used_up, budget.exhaustion) {
                (true, _) => format!("The budget of {monthly}{whose} is used up."),
                (false, None) => format!("The budget of {monthly}{whose} is not used up."),
                (false, Some(exhaustion)) => match (exhaustion.expected, exhaustion.earliest) {
                    (Some(expected), Some(earliest)) if earliest < expected => format!(
                        "The budget of {monthly}{whose} is used up on {}, on {} at the earliest.",
                        date(expected),
                        date(earliest)
                    ),
                    (Some(expected), _) => {
                        format!("The budget of {monthly}{whose} is used up on {}.", date(expected))
                    }
                    (None, Some(earliest)) => format!(
                        "The budget of {monthly}{whose} is expected to outlast {month}; one time in ten it is used up \
                         by {}.",
                        date(earliest)
                    ),
                    (None, None) => format!("The budget of {monthly}{whose} outlasts {month}."),
                },
            });
        }
        out
    }
}

/// `$21.87 ($18.20 to $26.10, eight times in ten)`.
fn range(outlook: &Outlook) -> String {
    let text = |amount: NanoUsd| amount.to_short();
    format!(
        "{} ({} to {}, eight times in ten)",
        text(outlook.expected),
        text(outlook.low),
        text(outlook.high)
    )
}

/// `November`.
fn month_name(at: Timestamp) -> String {
    at.to_offset_date_time().month().to_string()
}

/// `24 Nov`.
fn date(at: Timestamp) -> String {
    domain::text::day_range(at, at)
}

#[cfg(test)]
mod tests {
    use super::super::{BudgetOutlook, Exhaustion, MonthEnd, WithoutDeploy};
    use super::*;

    #[test]
    fn forecasts_read_as_sentences() {
        let at = |text: &str| Timestamp::parse_rfc3339(&format!("2026-11-{text}T00:00:00Z")).unwrap();
        let dollars = |amount: i64| NanoUsd(amount * 1_000_000_000);
        let outlook = |amount: i64| Outlook {
            expected: dollars(amount),
            low: dollars(amount - 4),
            high: dollars(amount + 5),
        };
        let mut forecast = KeyForecast {
            key: Some("prod".to_owned()),
            month_from: at("01"),
            month_to: at("30"),
            spent: dollars(12),
            end: Some(MonthEnd {
                spent: dollars(12),
                month_end: outlook(30),
                days: 40,
            }),
            without: Some(WithoutDeploy {
                deploy_id: "pr-2".to_owned(),
                deploy: "PR 2".to_owned(),
                month_end: outlook(20),
            }),
            budget: Some(BudgetOutlook {
                monthly: dollars(25),
                is_used_up: false,
                exhaustion: Some(Exhaustion {
                    expected: Some(at("24")),
                    earliest: Some(at("21")),
                }),
            }),
        };
        assert_eq!(
            forecast.sentences(),
            [
                "November is expected to end at $30.00 ($26.00 to $35.00, eight times in ten) for prod, of which $12.00 are \
                 spent.",
                "Were PR 2 rolled back now, November would end at $20.00 ($16.00 to $25.00, eight times in ten).",
                "The budget of $25.00 for prod is used up on 24 Nov, on 21 Nov at the earliest.",
            ]
        );
        forecast.key = None;
        forecast.without = None;
        forecast.end = None;
        forecast.budget = Some(BudgetOutlook {
            monthly: dollars(12),
            is_used_up: true,
            exhaustion: None,
        });
        assert_eq!(
            forecast.sentences(),
            [
                "$12.00 spent in November; too few days of calls to say how it ends.",
                "The budget of $12.00 is used up.",
            ]
        );
    }
}
