use domain::alert::{AlertSettings, Channel};
use engine::incidents::attribution::{Verdict, VerdictKind};
use engine::incidents::incident::{Amount, Decomposition, IncidentDay};
use engine::incidents::onset::Onset;
use engine::incidents::{Door, Status};

use super::*;

const HOUR_MICROS: i64 = 3_600_000_000;
const NOON: Timestamp = Timestamp::from_micros(1_764_504_000_000_000);

fn incident(metric: Metric) -> Incident {
    Incident {
        key: Some("prod-frontend".to_owned()),
        step: None,
        model: None,
        metric,
        status: Status::Open,
        is_provisional: false,
        door: Door::Evidence,
        onset: Onset {
            at: NOON,
            from: NOON,
            to: NOON,
            parts: Vec::new(),
        },
        opened_at: NOON,
        last_at: NOON.plus_micros(6 * HOUR_MICROS),
        ended_at: None,
        flaps: 0,
        flagged_on: None,
        days: vec![IncidentDay {
            date: NOON.day(),
            actual: Amount::Whole(5_000_000_000),
            baseline: Amount::Whole(2_000_000_000),
            sigma: None,
            samples: 100,
        }],
        decomposition: Decomposition::None,
        also_moved: Vec::new(),
        verdict: Verdict {
            kind: VerdictKind::Unclear,
            deploy_id: None,
            release: None,
            null_cause: None,
            probability: 0.3,
            sentence: "It is unclear.".to_owned(),
            weights_version: "0".to_owned(),
        },
        attributions: Vec::new(),
        nulls: Vec::new(),
    }
}

#[test]
fn what_a_day_costs_more_goes_by_the_hours_since_it_began() {
    let check = |metric: Metric, last_hour: i64, expected: Option<i64>| {
        let mut incident = incident(metric);
        incident.last_at = NOON.plus_micros(last_hour * HOUR_MICROS);
        assert_eq!(
            nano_usd_a_day(&incident).map(|amount| amount.0),
            expected,
            "{metric:?} {last_hour}"
        );
    };
    // $3 within six hours are $12 a day.
    check(Metric::Cost, 6, Some(12_000_000_000));
    // What came after that day is none of it.
    check(Metric::Cost, 60, Some(6_000_000_000));
    check(Metric::CostPerCall, 12, Some(600_000_000_000));
    check(Metric::LatencyP95, 6, None);
}

#[test]
fn history_and_other_keys_are_told_to_nobody() {
    let check = |change: fn(&mut AlertSettings), hours_later: i64, expected: &[Channel]| {
        let mut settings = AlertSettings::default();
        change(&mut settings);
        let told_to = IncidentAlerts {
            project: ProjectId(Uuid::from_u128(1)),
            plan: Plan {
                settings,
                channels: vec![Channel::Slack, Channel::Sentry, Channel::Webhook],
                sentry_level: None,
                traces: false,
            },
        };
        let incident = incident(Metric::Cost);
        let news = IncidentNews {
            id: Uuid::from_u128(7),
            moment: IncidentMoment::Opened,
            incident: &incident,
        };
        let now = incident.last_at.plus_micros(hours_later * HOUR_MICROS);
        let told = told_to.alerts(&[news], now);
        let channels: Vec<Channel> = told.iter().map(|alert| alert.channel).collect();
        assert_eq!(channels, expected);
    };
    let all = [Channel::Slack, Channel::Sentry, Channel::Webhook];
    check(|_| {}, 1, &all);
    check(|_| {}, 25, &[]);
    check(|settings| settings.incidents = false, 1, &[]);
    check(|settings| settings.only_keys = vec!["batch".to_owned()], 1, &[]);
    check(
        |settings| settings.only_keys = vec!["prod-frontend".to_owned()],
        1,
        &all,
    );
    check(
        |settings| settings.routes.incidents.slack = false,
        1,
        &[Channel::Sentry, Channel::Webhook],
    );
}
