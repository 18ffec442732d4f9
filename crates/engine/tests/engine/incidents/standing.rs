//! Hours that are judged alone: they say that everything has to be judged again whenever that would find something else.

use domain::Timestamp;
use engine::incidents::window::{SeriesName, Shipped};
use engine::incidents::{Incident, Settings, Since, Standing, Weights, Window, judge, judge_and_keep};
use proptest::prelude::*;

use super::corpus::weeks;
use super::made_up::{Call, Dice, Project, USUAL, by_hour, on_day};
use super::properties::window;

fn judged(window: &Window, now: Timestamp) -> Vec<Incident> {
    let window = Window {
        now,
        ..window.clone()
    };
    judge(&window, &Settings::default(), &Weights::shipped())
}

fn kept(window: &Window, now: Timestamp) -> (Vec<Incident>, Standing) {
    let window = Window {
        now,
        ..window.clone()
    };
    let (incidents, standing) = judge_and_keep(&window, &Settings::default(), &Weights::shipped());
    assert_eq!(
        incidents,
        judge(&window, &Settings::default(), &Weights::shipped())
    );
    (incidents, standing.unwrap())
}

/// What a server reads as of `now`: the latest hours and nothing else.
fn latest(standing: &Standing, window: &Window, now: Timestamp) -> Window {
    let from = standing.reads_from();
    Window {
        series: window.series.clone(),
        rows: window
            .rows
            .iter()
            .filter(|row| row.hour >= from && row.hour <= now)
            .cloned()
            .collect(),
        runs: window
            .runs
            .iter()
            .filter(|row| row.hour >= from && row.hour <= now)
            .cloned()
            .collect(),
        now,
        ..Window::default()
    }
}

fn since(standing: &Standing, window: &Window, now: Timestamp) -> Since {
    standing.since(&latest(standing, window, now), &Settings::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn hours_that_change_nothing_are_hours_after_which_a_judgement_finds_the_same(
        seed in 1u64..1_000,
        size in prop_oneof![Just(1.0), 1.2f64..4.0],
        onset in 2i64..24,
        kept_at in 0i64..22,
        turn in any::<prop::sample::Index>(),
    ) {
        let mut whole = window(seed, size, onset);
        // One that is known from the beginning: what begins later is not the hours' business.
        whole.deploys = vec![Shipped {
            id: "d".to_owned(),
            sha: "1234567".to_owned(),
            started_at: on_day(9, 20, 0),
            ..Shipped::default()
        }];
        let (before, standing) = kept(&whole, on_day(10, kept_at, 25));
        for hour in (kept_at..24).step_by(2) {
            let now = on_day(10, hour, 50);
            let mut recent = latest(&standing, &whole, now);
            let rows = recent.rows.len();
            if rows > 0 {
                recent.rows.rotate_left(turn.index(rows));
            }
            let found = judged(&whole, now);
            let said = standing.since(&recent, &Settings::default());
            if said == Since::Nothing {
                prop_assert_eq!(&found, &before, "at {}", now);
            }
            if before.is_empty() && !found.is_empty() {
                prop_assert_eq!(said, Since::Everything, "at {}: {:?}", now, found);
            }
        }
    }
}

fn usual(_: &mut Dice, _: Timestamp) -> Call {
    USUAL
}

#[test]
fn a_burst_is_seen_in_the_hour_in_which_it_happens() {
    let burst = |_: &mut Dice, at: Timestamp| Call {
        input: if at >= on_day(18, 10, 0) && at < on_day(18, 11, 0) {
            40_000.0
        } else {
            USUAL.input
        },
        ..USUAL
    };
    let window = weeks(50, 19, |_| 1.0, burst).window(on_day(18, 8, 30));
    let (before, standing) = kept(&window, on_day(18, 8, 30));
    assert!(before.is_empty());
    assert!(!standing.is_empty());
    assert_eq!(standing.reads_from(), on_day(18, 7, 0));
    assert_eq!(since(&standing, &window, on_day(18, 9, 55)), Since::Nothing);
    assert_eq!(since(&standing, &window, on_day(18, 10, 55)), Since::Everything);
}

#[test]
fn while_an_incident_goes_on_its_figures_move_and_its_end_is_seen() {
    let dear = |_: &mut Dice, at: Timestamp| {
        let is_dear = at >= on_day(16, 9, 0) && at < on_day(17, 6, 0);
        Call {
            input: if is_dear { 12_000.0 } else { USUAL.input },
            ..USUAL
        }
    };
    let window = weeks(30, 20, |_| 1.0, dear).window(on_day(17, 2, 30));
    let now = on_day(17, 2, 30);
    let (before, standing) = kept(&window, now);
    assert_eq!(before.len(), 1);
    assert_eq!(since(&standing, &window, now), Since::Figures);
    assert_eq!(since(&standing, &window, on_day(17, 23, 30)), Since::Everything);
}

#[test]
fn a_day_that_the_daily_rule_flags_is_seen_when_it_does() {
    let mut project = Project::new(100);
    let dear = Call {
        input: 60_000.0,
        output: 3_000.0,
        ..USUAL
    };
    for day in 1..=12 {
        for hour in 0..24 {
            let calls = if day == 12 && hour >= 6 { 4 } else { 2 };
            for call in 0..calls {
                project.call("shop", "answer", on_day(day, hour, call * 7), dear);
            }
        }
    }
    let window = project.window(on_day(12, 5, 30));
    let (before, standing) = kept(&window, on_day(12, 5, 30));
    assert!(before.is_empty(), "{before:?}");
    let late = on_day(12, 23, 30);
    assert!(!judged(&window, late).is_empty());
    assert_eq!(since(&standing, &window, late), Since::Everything);
}

#[test]
fn what_the_latest_hours_do_not_tell_is_left_to_a_judgement_of_everything() {
    let mut project = weeks(10, 16, |_| 1.0, usual);
    project.deploy(1, "planned", on_day(15, 12, 30), on_day(15, 12, 40));
    let window = project.window(on_day(15, 8, 30));
    let (_, standing) = kept(&window, on_day(15, 8, 30));
    let at = |hour: i64| on_day(15, hour, 20);
    assert_ne!(since(&standing, &window, at(10)), Since::Everything);
    // A deploy that was recorded ahead has begun; the next day has another baseline; a clock went back.
    for now in [at(13), on_day(16, 0, 10), on_day(15, 7, 0)] {
        assert_eq!(since(&standing, &window, now), Since::Everything, "{now}");
    }
    // Other settings.
    let strict = Settings {
        false_incidents_a_week: 3.0,
        ..Settings::default()
    };
    let recent = latest(&standing, &window, at(10));
    assert_eq!(standing.since(&recent, &strict), Since::Everything);
    // A step that is new.
    let mut with_step = recent;
    let series = with_step.rows[0].series as usize;
    with_step.series[series] = SeriesName {
        step: "brand-new".to_owned(),
        ..with_step.series[series].clone()
    };
    assert_eq!(
        standing.since(&with_step, &Settings::default()),
        Since::Everything
    );
}

#[test]
fn an_hour_in_which_nobody_called_is_a_gap_and_one_in_which_others_did_is_not() {
    let mut project = Project::new(7);
    for day in 1..=12 {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            let stops = day == 12 && hour >= 9;
            if !stops {
                project.hour("shop", "answer", from, 60.0 * by_hour(from), usual);
            }
            if !(stops && hour < 12) {
                project.hour("tools", "lookup", from, 20.0 * by_hour(from), usual);
            }
        }
    }
    let window = project.window(on_day(12, 8, 30));
    let (before, standing) = kept(&window, on_day(12, 8, 30));
    for hour in 9..20 {
        let now = on_day(12, hour, 40);
        if judged(&window, now) != before {
            assert_ne!(since(&standing, &window, now), Since::Nothing, "{now}");
        }
    }
}
