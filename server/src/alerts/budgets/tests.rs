use domain::NanoUsd;
use engine::forecast::{BudgetOutlook, MonthEnd, Outlook};

use super::*;

#[test]
fn a_budget_is_told_when_it_is_used_up_or_going_to_be() {
    let month = Timestamp::parse_rfc3339("2026-11-01T00:00:00Z").unwrap();
    let check = |spent: i64, expected: Option<i64>, budget: Option<i64>, told: Option<Trigger>| {
        let end = expected.map(|expected| MonthEnd {
            spent: NanoUsd(spent),
            month_end: Outlook {
                expected: NanoUsd(expected),
                low: NanoUsd(spent),
                high: NanoUsd(expected * 2),
            },
            days: 12,
        });
        let forecast = KeyForecast {
            key: None,
            month_from: month,
            month_to: month.next_month(),
            spent: NanoUsd(spent),
            end,
            without: None,
            budget: budget.map(|monthly| BudgetOutlook {
                monthly: NanoUsd(monthly),
                is_used_up: spent >= monthly,
                exhaustion: None,
            }),
        };
        let found = news_of(&forecast).map(|(news, _)| news.trigger);
        assert_eq!(found, told, "{spent} {expected:?} {budget:?}");
    };
    check(10, Some(40), Some(50), None);
    check(10, Some(50), Some(50), Some(Trigger::BudgetForecast));
    check(50, Some(90), Some(50), Some(Trigger::BudgetReached));
    check(50, None, Some(50), Some(Trigger::BudgetReached));
    check(10, None, Some(50), None);
    check(10, Some(40), None, None);
}
