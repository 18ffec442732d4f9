//! Weeks in which one thing happens.

use domain::Timestamp;
use engine::incidents::attribution::{NullCause, VerdictKind};
use engine::incidents::{
    Door, Incident, Metric, Settings, Status, Weights, judge, judge_closely, learning, movers, wanted_minutes,
};

use super::made_up::{Call, Dice, HOUR, Project, USUAL, by_hour, on_day};

/// Calls of a busy key in an hour, on average.
const BUSY: f64 = 60.0;

/// A key with two others beside it, `days` long, each call as `of` says; about as many as `busy` says of the time.
pub(super) fn weeks(
    seed: u64,
    days: i64,
    busy: impl Fn(Timestamp) -> f64,
    of: impl Fn(&mut Dice, Timestamp) -> Call + Copy,
) -> Project {
    let mut project = Project::new(seed);
    project.looked_at = on_day(days - 4, 0, 0)..on_day(days + 1, 0, 0);
    for day in 1..=days {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            project.hour("shop", "answer", from, BUSY * busy(from) * by_hour(from), of);
            project.hour("tools", "lookup", from, 20.0 * by_hour(from), |_, _| USUAL);
        }
    }
    project
}

fn judged(project: &Project, now: Timestamp) -> Vec<Incident> {
    judge(&project.window(now), &Settings::default(), &Weights::shipped())
}

fn only(incidents: &[Incident]) -> &Incident {
    let seen: Vec<_> = incidents
        .iter()
        .map(|of| {
            (
                of.key.clone(),
                of.step.clone(),
                of.metric,
                of.onset.at.to_string(),
            )
        })
        .collect();
    assert_eq!(incidents.len(), 1, "{seen:?}");
    &incidents[0]
}

fn usual(_: &mut Dice, _: Timestamp) -> Call {
    USUAL
}

#[test]
fn quiet_weeks_open_less_than_the_budget_allows() {
    // Six projects for four weeks: the budget is half an incident a week, twelve in all.
    let opened: Vec<_> = (10..16)
        .flat_map(|seed| judged(&weeks(seed, 28, |_| 1.0, usual), on_day(29, 0, 0)))
        .map(|of| (of.key, of.metric, of.door, of.onset.at.to_string()))
        .collect();
    assert!(opened.len() <= 2, "{opened:?}");
}

#[test]
fn a_few_calls_an_hour_of_which_some_fail_open_nothing() {
    // Failures come together: what a week says of their rate is off by as much as would matter.
    let mut opened = Vec::new();
    for seed in 200..220 {
        let (mut project, mut dice) = (Project::new(seed), Dice::new(seed + 77));
        for hour in 0..56 * 24 {
            let errors = if dice.unit() < 0.5 { 0.27 } else { 0.03 };
            let from = on_day(1, hour, 0);
            let failing = move |_: &mut Dice, _: Timestamp| Call { errors, ..USUAL };
            project.hour("desk", "answer", from, 3.0 * by_hour(from), failing);
        }
        let incidents = judged(&project, on_day(57, 0, 0));
        opened.extend(incidents.into_iter().map(|of| (of.metric, of.door, of.onset.at)));
    }
    assert!(opened.len() <= 1, "{opened:?}");
}

#[test]
fn a_week_with_a_quiet_weekend_opens_nothing_on_monday() {
    let busy = |at: Timestamp| {
        let day = at.micros().div_euclid(24 * HOUR);
        if (day + 4).rem_euclid(7) % 6 == 0 {
            0.3
        } else {
            1.0
        }
    };
    let project = weeks(20, 29, busy, usual);
    let opened = judged(&project, on_day(30, 0, 0));
    assert!(
        opened.iter().all(|of| of.onset.at < on_day(15, 0, 0)),
        "{opened:?}"
    );
}

#[test]
fn dearer_calls_are_one_incident_that_closes_when_they_are_over() {
    let dear = |_: &mut Dice, at: Timestamp| {
        let is_dear = at >= on_day(16, 9, 0) && at < on_day(17, 15, 0);
        Call {
            input: if is_dear { 12_000.0 } else { USUAL.input },
            ..USUAL
        }
    };
    let project = weeks(30, 20, |_| 1.0, dear);
    let incidents = judged(&project, on_day(21, 0, 0));
    let incident = only(&incidents);
    assert_eq!((incident.metric, incident.status), (Metric::Cost, Status::Closed));
    assert!(
        (incident.onset.at.micros() - on_day(16, 9, 0).micros()).abs() <= HOUR,
        "{}",
        incident.onset.at
    );
    assert!(
        (incident.last_at.micros() - on_day(17, 15, 0).micros()).abs() <= 2 * HOUR,
        "{}",
        incident.last_at
    );
    assert!(incident.opened_at <= on_day(16, 13, 0), "{}", incident.opened_at);
}

#[test]
fn what_stays_for_seven_days_becomes_normal_and_opens_nothing_again() {
    let dear = |_: &mut Dice, at: Timestamp| Call {
        input: if at >= on_day(15, 9, 0) {
            9_000.0
        } else {
            USUAL.input
        },
        ..USUAL
    };
    let project = weeks(40, 30, |_| 1.0, dear);
    let incidents = judged(&project, on_day(31, 0, 0));
    let incident = only(&incidents);
    assert_eq!(incident.status, Status::Accepted);
    assert_eq!(incident.ended_at, Some(on_day(23, 0, 0)));
    let early = judged(&project, on_day(20, 0, 0));
    assert_eq!(only(&early).status, Status::Open);
}

#[test]
fn a_burst_of_one_hour_is_seen_at_once_and_closed_as_one() {
    let slow = |_: &mut Dice, at: Timestamp| Call {
        input: if at >= on_day(18, 10, 0) && at < on_day(18, 11, 0) {
            40_000.0
        } else {
            USUAL.input
        },
        ..USUAL
    };
    let project = weeks(50, 19, |_| 1.0, slow);
    // It is seen while the hour runs, and not in the future.
    let now = on_day(18, 10, 55);
    assert!(only(&judged(&project, now)).opened_at <= now);
    let at_once = judged(&project, on_day(18, 11, 5));
    assert!(only(&at_once).is_provisional || only(&at_once).door == Door::ExtremeHour);
    let incidents = judged(&project, on_day(20, 0, 0));
    let incident = only(&incidents);
    assert_eq!(incident.status, Status::Closed);
    assert!(incident.last_at <= on_day(18, 12, 0), "{}", incident.last_at);
}

#[test]
fn slow_drift_is_no_incident() {
    let drifting = |_: &mut Dice, at: Timestamp| {
        let days = (at.micros() - on_day(1, 0, 0).micros()) as f64 / (24.0 * HOUR as f64);
        Call {
            output: 800.0 * (1.0 + 0.004 * days),
            ..USUAL
        }
    };
    let project = weeks(60, 28, |_| 1.0, drifting);
    assert!(judged(&project, on_day(29, 0, 0)).is_empty());
}

#[test]
fn of_three_deploys_in_an_hour_the_one_with_the_mechanism_is_named() {
    let edited = |_: &mut Dice, at: Timestamp| {
        if at >= on_day(16, 10, 25) {
            Call {
                template: "dddd",
                output: 2_000.0,
                ..USUAL
            }
        } else {
            USUAL
        }
    };
    let mut project = weeks(70, 18, |_| 1.0, edited);
    project.deploy(1, "update dependencies", on_day(16, 10, 2), on_day(16, 10, 6));
    project.deploy(2, "explain the answer", on_day(16, 10, 22), on_day(16, 10, 27));
    project.deploy(3, "fix typo", on_day(16, 10, 48), on_day(16, 10, 51));
    let incidents = judged(&project, on_day(19, 0, 0));
    let incident = only(&incidents);
    assert_eq!(
        incident.verdict.deploy_id.as_deref(),
        Some("deploy-2"),
        "{:?}",
        incident.attributions
    );
    assert_eq!(incident.verdict.kind, VerdictKind::Deploy);
    assert_eq!(incident.attributions.len(), 3);
    assert!(
        incident.attributions[1..]
            .iter()
            .all(|other| other.cleared_because.is_some())
    );
}

#[test]
fn traffic_alone_is_no_deploys_doing() {
    let busy = |at: Timestamp| if at >= on_day(16, 8, 0) { 4.0 } else { 1.0 };
    let mut project = weeks(80, 18, busy, usual);
    project.deploy(1, "switch the model", on_day(16, 6, 30), on_day(16, 6, 35));
    let incidents = judged(&project, on_day(18, 12, 0));
    let incident = only(&incidents);
    assert_eq!(incident.metric, Metric::Cost);
    assert_eq!(
        incident.verdict.kind,
        VerdictKind::NoDeploy,
        "{:?}",
        incident.attributions
    );
    assert_eq!(incident.verdict.null_cause, Some(NullCause::Traffic));
}

#[test]
fn a_new_price_is_no_deploys_doing() {
    let mut project = Project::new(90);
    project.price("haiku", on_day(16, 0, 0), 2_000_000_000, 10_000_000_000);
    for day in 1..=18 {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            project.hour("shop", "answer", from, BUSY * by_hour(from), |_, _| USUAL);
            project.hour("tools", "lookup", from, 20.0 * by_hour(from), |_, _| Call {
                model: "sonnet",
                ..USUAL
            });
        }
    }
    project.deploy(1, "tidy README", on_day(15, 23, 30), on_day(15, 23, 35));
    let incidents = judged(&project, on_day(18, 0, 0));
    let incident = only(&incidents);
    assert_eq!(
        incident.verdict.null_cause,
        Some(NullCause::Price),
        "{:?} {:?}",
        incident.verdict,
        incident.nulls
    );
}

#[test]
fn a_flat_history_alarms_by_the_daily_rule() {
    let project = {
        let mut project = Project::new(100);
        for day in 1..=12 {
            for hour in 0..24 {
                // As many calls each hour, far too few for evidence, but all of them dear.
                let calls = if day == 12 { 3 } else { 2 };
                for call in 0..calls {
                    let of = Call {
                        input: 60_000.0,
                        output: 3_000.0,
                        ..USUAL
                    };
                    project.call("shop", "answer", on_day(day, hour, call * 7), of);
                }
            }
        }
        project
    };
    let incidents = judged(&project, on_day(13, 0, 0));
    let incident = only(&incidents);
    assert_eq!(incident.flagged_on, Some(on_day(12, 0, 0)));
    assert!(incident.day().unwrap().sigma.unwrap() >= 2.5);
}

#[test]
fn days_without_data_are_no_fall_and_no_rise() {
    let mut project = Project::new(110);
    for day in (1..=10).chain(14..=24) {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            project.hour("shop", "answer", from, BUSY * by_hour(from), |_, _| USUAL);
        }
    }
    assert!(judged(&project, on_day(25, 0, 0)).is_empty());
}

#[test]
fn a_key_of_its_own_week_is_being_learned() {
    let mut project = Project::new(120);
    for hour in 0..20 {
        project.hour(
            "shop",
            "answer",
            on_day(1, hour, 0),
            if hour < 10 { 5.0 } else { 500.0 },
            |_, _| USUAL,
        );
    }
    let now = on_day(1, 20, 0);
    assert!(judged(&project, now).is_empty());
    let young = learning(&project.window(now));
    assert_eq!(young.len(), 1);
    assert_eq!(
        (young[0].key.as_str(), young[0].hours, young[0].needed),
        ("shop", 20, 24)
    );
    assert!(learning(&weeks(121, 3, |_| 1.0, usual).window(on_day(3, 0, 0))).is_empty());
}

#[test]
fn errors_of_one_step_are_its_incident() {
    let mut project = Project::new(130);
    let broken = |_: &mut Dice, at: Timestamp| Call {
        errors: if at >= on_day(16, 13, 0) { 0.15 } else { 0.01 },
        ..USUAL
    };
    for day in 1..=17 {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            project.hour("shop", "answer", from, BUSY * 4.0 * by_hour(from), |_, _| USUAL);
            project.hour("shop", "extract", from, BUSY * by_hour(from), broken);
        }
    }
    let incidents = judged(&project, on_day(17, 12, 0));
    let incident = only(&incidents);
    assert_eq!(
        (incident.key.as_deref(), incident.metric),
        (Some("shop"), Metric::ErrorRate)
    );
    assert!(
        (incident.onset.at.micros() - on_day(16, 13, 0).micros()).abs() <= HOUR,
        "{}",
        incident.onset.at
    );
}

#[test]
fn quiet_metrics_open_nothing() {
    let dear = |_: &mut Dice, at: Timestamp| Call {
        errors: if at >= on_day(15, 9, 0) { 0.3 } else { 0.01 },
        ..USUAL
    };
    let project = weeks(140, 17, |_| 1.0, dear);
    let window = project.window(on_day(17, 0, 0));
    let quiet = Settings {
        quiet: vec![
            (Some("shop".to_owned()), Metric::ErrorRate),
            (None, Metric::AnomalyRate),
        ],
        ..Settings::default()
    };
    assert!(judge(&window, &quiet, &Weights::shipped()).is_empty());
    assert_eq!(judge(&window, &Settings::default(), &Weights::shipped()).len(), 1);
}

#[test]
fn a_decrease_moves_and_opens_nothing() {
    let cheap = |_: &mut Dice, at: Timestamp| Call {
        output: if at >= on_day(16, 9, 0) {
            250.0
        } else {
            USUAL.output
        },
        ..USUAL
    };
    let project = weeks(150, 17, |_| 1.0, cheap);
    let now = on_day(17, 9, 10);
    let of_shop = |incident: &Incident| incident.key.as_deref() == Some("shop");
    assert!(!judged(&project, now).iter().any(of_shop));
    let moved = movers(&project.window(now), &Settings::default());
    let of = |metric: Metric| {
        moved
            .iter()
            .find(|moved| moved.key == "shop" && moved.step.is_none() && moved.metric == metric)
            .map(|moved| moved.change)
    };
    let (tokens, cost) = (
        of(Metric::OutputTokens).unwrap(),
        of(Metric::CostPerCall).unwrap(),
    );
    assert!(
        (-0.75..-0.6).contains(&tokens) && (-0.5..-0.2).contains(&cost),
        "{moved:?}"
    );
    assert!(moved.iter().all(|moved| moved.key == "shop"), "{moved:?}");
    assert!(movers(&project.window(on_day(16, 9, 0)), &Settings::default()).is_empty());
}

#[test]
fn minutes_say_which_of_two_deploys_of_an_hour_it_was() {
    // No template, no model, no release says who it was: only when calls became slow and dear.
    let dear = |_: &mut Dice, at: Timestamp| Call {
        output: if at >= on_day(16, 10, 31) {
            2_400.0
        } else {
            USUAL.output
        },
        ..USUAL
    };
    let mut project = weeks(160, 17, |_| 2.0, dear);
    project.deploy(1, "update dependencies", on_day(16, 10, 3), on_day(16, 10, 6));
    project.deploy(2, "new release", on_day(16, 10, 30), on_day(16, 10, 33));
    let mut window = project.window(on_day(17, 12, 0));
    let all = std::mem::take(&mut window.minutes);
    let (settings, weights) = (Settings::default(), Weights::shipped());
    let hourly = judge(&window, &settings, &weights);
    let asked = wanted_minutes(&window, &hourly);
    assert!(
        asked
            .iter()
            .any(|hours| hours.from <= on_day(16, 10, 0) && hours.to > on_day(16, 10, 0)),
        "{asked:?}"
    );
    let close = judge_closely(&window, &settings, &weights, |_| all.clone());
    window.minutes = all;
    assert_eq!(judge(&window, &settings, &weights), close);
    let incident = only(&close);
    assert!(
        (incident.onset.at.micros() - on_day(16, 10, 31).micros()).abs() <= 5 * HOUR / 60,
        "{:?}",
        incident.onset.at
    );
    let width = |of: &Incident| of.onset.to.micros() - of.onset.from.micros();
    assert!(width(incident) < width(only(&hourly)));
    let likely = |of: &Incident, id: &str| {
        let mut all = of.attributions.iter();
        all.find(|of| of.deploy_id.as_deref() == Some(id))
            .unwrap()
            .probability
    };
    assert!(
        likely(incident, "deploy-2") > 2.0 * likely(incident, "deploy-1"),
        "{:?}",
        incident.attributions
    );
}
