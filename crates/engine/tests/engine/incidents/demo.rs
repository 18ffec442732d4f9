//! The demo data: three deploys within two and a half hours, one of which switches a model.

use engine::incidents::attribution::VerdictKind;
use engine::incidents::decomposition::TermKind;
use engine::incidents::incident::{Amount, Decomposition};
use engine::incidents::rubric::Kind;
use engine::incidents::{Incident, Metric, Settings, Weights, Window, judge};

use super::made_up::{Call, Dice, HOUR, Project, USUAL, by_hour, on_day};

const SONNET: Call = Call {
    model: "sonnet",
    ms: 3_200.0,
    output: 900.0,
    ..USUAL
};

fn demo(seed: u64, days: i64) -> Window {
    let mut project = Project::new(seed);
    project.looked_at = on_day(21, 12, 0)..on_day(24, 0, 0);
    let switched = on_day(22, 14, 5);
    let mixed = move |dice: &mut Dice, at| {
        let sonnet = if at >= switched { 0.9 } else { 0.1 };
        if dice.unit() < sonnet { SONNET } else { USUAL }
    };
    for day in 1..=days {
        for hour in 0..24 {
            let from = on_day(day, hour, 0);
            let busy = if day >= 22 { 1.6 } else { 1.0 };
            project.hour(
                "prod-frontend",
                "summary",
                from,
                500.0 / 24.0 * busy * by_hour(from),
                mixed,
            );
            project.hour(
                "internal-tools",
                "lookup",
                from,
                220.0 / 24.0 * by_hour(from),
                |_, _| Call {
                    template: "bbbb",
                    ..SONNET
                },
            );
            project.hour("background-jobs", "digest", from, 140.0 / 24.0, |_, _| Call {
                template: "cccc",
                ..SONNET
            });
        }
    }
    project.deploy(
        1,
        "bump anthropic SDK to 0.45",
        on_day(22, 13, 30),
        on_day(22, 13, 35),
    );
    project.deploy(
        2,
        "switch summary endpoint to claude-sonnet",
        on_day(22, 14, 5),
        on_day(22, 14, 12),
    );
    project.deploy(3, "tidy README wording", on_day(22, 15, 50), on_day(22, 15, 53));
    project.window(on_day(days + 1, 0, 0))
}

fn judged(window: &Window) -> Vec<Incident> {
    judge(window, &Settings::default(), &Weights::shipped())
}

fn points(incident: &Incident, number: i64) -> f64 {
    incident
        .attributions
        .iter()
        .find(|of| of.pr_number == Some(number))
        .unwrap()
        .confidence()
}

fn check(incidents: &[Incident]) {
    let seen: Vec<_> = incidents
        .iter()
        .map(|of| (of.key.clone(), of.metric, of.onset.at))
        .collect();
    assert_eq!(incidents.len(), 1, "{seen:?}");
    let incident = &incidents[0];
    assert_eq!(
        (incident.key.as_deref(), incident.metric),
        (Some("prod-frontend"), Metric::Cost)
    );
    assert_eq!(incident.flagged_on, Some(on_day(22, 0, 0)));
    let onset = on_day(22, 13, 30)..on_day(22, 15, 30);
    assert!(onset.contains(&incident.onset.at), "{:?}", incident.onset.at);
    assert_eq!(
        incident.verdict.kind,
        VerdictKind::Deploy,
        "{}",
        incident.verdict.sentence
    );
    assert_eq!(incident.verdict.deploy_id.as_deref(), Some("deploy-2"));
    assert_eq!(
        (points(incident, 1), points(incident, 2), points(incident, 3)),
        (0.05, 0.55, 0.05)
    );
    let second = &incident.attributions[0];
    assert_eq!(
        second.points.as_ref().unwrap().kinds,
        [Kind::TimeWindow, Kind::ModelChange]
    );
    assert!(second.cleared_because.is_none());
    for cleared in &incident.attributions[1..] {
        assert!(cleared.cleared_because.is_some(), "{cleared:?}");
        assert!(cleared.probability < 0.1);
    }
}

#[test]
fn one_incident_of_one_key_is_the_second_deploys() {
    for seed in [1, 2, 3] {
        check(&judged(&demo(seed, 30)));
    }
}

#[test]
fn it_is_the_same_incident_while_it_goes_on() {
    check(&judged(&demo(1, 24)));
}

#[test]
fn the_parts_of_the_first_day_add_up_to_its_change() {
    let incident = &judged(&demo(1, 30))[0];
    let Decomposition::NanoUsd(terms) = &incident.decomposition else {
        panic!("not money")
    };
    let sum: i64 = terms.iter().map(|term| term.amount.0).sum();
    assert_eq!(Amount::Whole(sum), incident.delta());
    let part = |kind: TermKind| -> i64 {
        terms
            .iter()
            .filter(|term| term.kind == kind)
            .map(|term| term.amount.0)
            .sum()
    };
    assert!(part(TermKind::ModelSwitch) > part(TermKind::Volume), "{terms:?}");
    assert!(part(TermKind::Volume) > 0, "{terms:?}");
    assert_eq!(part(TermKind::Price), 0);
}

#[test]
fn the_volume_that_rose_at_midnight_is_beside_it() {
    let incident = &judged(&demo(1, 30))[0];
    let calls = incident
        .also_moved
        .iter()
        .find(|moved| moved.metric == Metric::Calls);
    if let Some(calls) = calls {
        let midnight = on_day(22, 0, 0);
        assert!(
            (calls.onset.micros() - midnight.micros()).abs() <= 6 * HOUR,
            "{calls:?}"
        );
    }
}
