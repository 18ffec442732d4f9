use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// Days that spend what `dollars` says of each, counted from the first, up to `now`.
fn history(first: &str, now: &str, dollars: impl Fn(i64, Timestamp) -> f64) -> History {
    let (first, now) = (at(first), at(now));
    let days = (now.micros() - first.micros()) / DAY_MICROS + 1;
    let spend = (0..days).map(|day| {
        let at = first.plus_micros(day * DAY_MICROS);
        let share = ((now.micros() - at.micros()) as f64 / DAY_MICROS as f64).min(1.0);
        (at, nano_usd(dollars(day, at) * share * 1e9))
    });
    History::new(spend, now)
}

fn dollars(amount: NanoUsd) -> f64 {
    amount.0 as f64 / 1e9
}

#[track_caller]
fn near(actual: f64, expected: f64) {
    assert!(
        (actual / expected - 1.0).abs() < 0.01,
        "{actual} is not {expected}"
    );
}

#[test]
fn even_spend_goes_on() {
    let history = history("2026-10-01T00:00:00Z", "2026-11-16T00:00:00Z", |_, _| 10.0);
    let forecast = Forecast::of(&history).unwrap();
    let end = forecast.month_end();
    near(dollars(end.spent), 150.0);
    near(dollars(end.month_end.expected), 300.0);
    assert!(end.month_end.low < end.month_end.expected && end.month_end.expected < end.month_end.high);
    assert!(dollars(end.month_end.high) < 360.0, "{end:?}");
    assert_eq!(end.days, 46);
}

#[test]
fn weekends_are_not_averaged_away() {
    // 16 November 2026 is a Monday.
    let history = history("2026-08-31T00:00:00Z", "2026-11-16T12:00:00Z", |day, _| {
        if day % 7 >= 5 { 2.0 } else { 10.0 }
    });
    let forecast = Forecast::of(&history).unwrap();
    // Half of Monday, nine weekdays and four days of weekends... of which the 30th is a Monday.
    let rest = 5.0 + 4.0 * 10.0 + 2.0 * 2.0 + 5.0 * 10.0 + 2.0 * 2.0 + 10.0;
    let expected = dollars(forecast.month_end().spent) + rest;
    let end = dollars(forecast.month_end().month_end.expected);
    assert!((end / expected - 1.0).abs() < 0.04, "{end} is not {expected}");
}

#[test]
fn a_change_that_lasts_is_not_averaged_with_what_was_before() {
    let history = history("2026-10-01T00:00:00Z", "2026-11-16T00:00:00Z", |day, _| {
        if day < 40 { 10.0 } else { 30.0 }
    });
    let change = CostChange {
        estimate: 2.0,
        low: 1.8,
        high: 2.2,
    };
    let after = history.clone().as_after(at("2026-11-10T00:00:00Z"), &change);
    let end = Forecast::of(&after).unwrap().month_end();
    near(dollars(end.spent), 9.0 * 10.0 + 6.0 * 30.0);
    near(dollars(end.month_end.expected), dollars(end.spent) + 15.0 * 30.0);
    // Nobody has to say so: the days do.
    let unsaid = Forecast::of(&history).unwrap().month_end();
    near(
        dollars(unsaid.month_end.expected),
        dollars(end.month_end.expected),
    );
    // In the middle of a day there is some of both: 20 at 10, then 20 at 30 a day.
    let noon = history.as_after(at("2026-11-09T12:00:00Z"), &change);
    near(noon.days[39], 10.0 * 3.0 / 2.0 * 1e9);
}

#[test]
fn without_a_deploy_the_rest_costs_what_it_did_before() {
    let history = history("2026-10-01T00:00:00Z", "2026-11-16T00:00:00Z", |_, _| 10.0);
    let forecast = Forecast::of(&history).unwrap();
    let change = CostChange {
        estimate: 1.0,
        low: 0.9,
        high: 1.1,
    };
    let without = forecast.without(&change);
    near(dollars(without.expected), 150.0 + 75.0);
    let rest =
        |outlook: Outlook| (outlook.high.0 - outlook.low.0) as f64 / (outlook.expected.0 as f64 - 150e9);
    assert!(
        rest(without) > rest(forecast.month_end().month_end),
        "it is less sure"
    );
}

#[test]
fn a_budget_is_used_up_on_a_day_or_outlasts_the_month() {
    let history = history("2026-10-01T00:00:00Z", "2026-11-16T00:00:00Z", |_, _| 10.0);
    let forecast = Forecast::of(&history).unwrap();
    let check = |budget: i64, expected: Option<&str>| {
        let found = forecast.exhaustion(NanoUsd(budget * 1_000_000_000));
        assert_eq!(found.expected, expected.map(at), "{budget}");
        if found.expected.is_some() {
            assert!(
                found.earliest.is_some() && found.earliest <= found.expected,
                "{found:?}"
            );
        }
    };
    check(100, Some("2026-11-16T00:00:00Z"));
    check(205, Some("2026-11-21T00:00:00Z"));
    check(900, None);
    assert!(forecast.exhaustion(NanoUsd(310_000_000_000)).earliest.is_some());
    assert_eq!(forecast.exhaustion(NanoUsd(900_000_000_000)).earliest, None);
}

#[test]
fn too_little_history_says_nothing() {
    assert!(
        Forecast::of(&history(
            "2026-11-14T00:00:00Z",
            "2026-11-16T12:00:00Z",
            |_, _| 5.0
        ))
        .is_none()
    );
    assert!(
        Forecast::of(&history(
            "2026-11-13T00:00:00Z",
            "2026-11-16T12:00:00Z",
            |_, _| 5.0
        ))
        .is_some()
    );
    assert!(Forecast::of(&History::new([], at("2026-11-16T12:00:00Z"))).is_none());
}

#[test]
fn days_without_calls_spend_nothing_and_time_before_the_first_call_is_no_day() {
    let now = at("2026-11-16T00:00:00Z");
    let one = (at("2026-11-10T00:00:00Z"), NanoUsd(7_000_000_000));
    let history = History::new([one], now);
    assert_eq!(history.days, [7e9, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(history.first, one.0);
}

/// A tenth up or down, without an end.
fn noise(day: i64) -> f64 {
    [1.08, 0.9, 1.03, 1.1, 0.95, 0.88, 1.06, 1.0, 1.0][(day % 9) as usize]
}

/// What the rest of November is expected to cost on the midnight of the 16th, as dollars of each of its fifteen days:
/// low, expected, high.
fn rest_of_november(spend: impl Fn(i64) -> f64) -> [f64; 3] {
    let history = history("2026-10-01T00:00:00Z", "2026-11-16T00:00:00Z", |day, _| {
        spend(day)
    });
    let end = Forecast::of(&history).unwrap().month_end();
    let Outlook { expected, low, high } = end.month_end;
    [low, expected, high].map(|amount| (dollars(amount) - dollars(end.spent)) / 15.0)
}

#[test]
fn a_level_that_changed_is_forecast_from_the_days_since() {
    let check = |before: f64, after: f64, days: i64| {
        let [low, expected, high] =
            rest_of_november(|day| noise(day) * if day < 46 - days { before } else { after });
        assert!(
            (expected / after - 1.0).abs() < 0.08,
            "{before} to {after}: {expected}"
        );
        assert!(low < after && after < high, "{low} to {high}");
        // What was before makes it no less sure.
        assert!(high < after * 1.25 && low > after * 0.8, "{low} to {high}");
    };
    check(10.0, 20.0, 6);
    check(20.0, 10.0, 8);
    check(10.0, 30.0, 21);
    check(10.0, 10.0, 6);
}

#[test]
fn one_dear_day_is_not_what_days_cost_and_the_last_one_may_be_the_first_of_more() {
    let [_, expected, high] = rest_of_november(|day| if day == 40 { 50.0 } else { 10.0 });
    assert!((9.7..10.3).contains(&expected), "{expected}");
    assert!(high < 12.0, "{high}");
    let [low, expected, high] = rest_of_november(|day| if day == 45 { 30.0 } else { 10.0 });
    assert!((9.7..10.7).contains(&expected), "{expected}");
    assert!(low > 8.0 && high > 28.0, "{low} to {high}");
}

#[test]
fn steady_growth_goes_on_and_chance_is_no_growth() {
    let growing = |day: i64| 10.0 * 1.01_f64.powi(day as i32);
    let came = (46..61).map(growing).sum::<f64>() / 15.0;
    let [low, expected, high] = rest_of_november(growing);
    assert!(
        expected > growing(46) && expected < came,
        "{expected} of {came}: damped"
    );
    assert!(low < came && came < high, "{low} to {high}");
    let [_, expected, _] = rest_of_november(|day| 10.0 * noise(day));
    assert!((9.5..10.5).contains(&expected), "{expected}");
}

#[test]
fn weekends_without_a_call_hide_no_shift() {
    // The first of October 2026 is a Thursday.
    let is_weekend = |day: i64| (day + 3) % 7 >= 5;
    let history = history("2026-08-27T00:00:00Z", "2026-11-16T00:00:00Z", |day, _| {
        if is_weekend(day) {
            0.0
        } else if day < 74 {
            10.0
        } else {
            30.0
        }
    });
    let end = Forecast::of(&history).unwrap().month_end();
    // From Monday the 16th to Monday the 30th.
    let expected = dollars(end.spent) + 11.0 * 30.0;
    let found = dollars(end.month_end.expected);
    assert!((found / expected - 1.0).abs() < 0.05, "{found} is not {expected}");
}

#[test]
fn the_first_quiet_weekends_are_no_new_level() {
    // From a Monday on.
    for until in ["2026-11-09", "2026-11-10", "2026-11-16", "2026-11-23"] {
        let until = format!("{until}T00:00:00Z");
        let history = history("2026-11-02T00:00:00Z", &until, |day, _| {
            if day % 7 >= 5 { 2.0 } else { 10.0 }
        });
        let settled = Settled::of(&history);
        let level = history::Level::of(&settled.history, settled.since).unwrap();
        let weekday = dollars(nano_usd(level.on(at("2026-11-25T00:00:00Z"))));
        assert!(weekday > 8.0, "{until}: {weekday}");
    }
}
