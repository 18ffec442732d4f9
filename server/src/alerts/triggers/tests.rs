use domain::alert::{AlertLevel, AlertSettings};
use domain::{Condition, NewStep, TokenUsage};
use serde_json::Value;
use uuid::Uuid;

use super::*;

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
const NOW: Timestamp = Timestamp::from_micros(1_764_500_000_000_000);

fn new_step(name: &str, change: impl FnOnce(&mut Value)) -> NewStep {
    let mut step = json!({
        "run_id": "r1", "step_id": "s1", "parent_step_id": null, "kind": "llm", "name": name, "step_index": null,
        "provider": null, "request_model": null, "model": "m", "started_at": NOW, "ended_at": null, "latency_ms": 5.0,
        "ttft_ms": null, "status": "ok", "error": null, "error_class": null, "stop_reason": null, "service_tier": null,
        "max_gap_ms": null, "stream_incomplete": false, "tokens": {}, "web_searches": null, "reported_cost": null,
        "environment": "production", "release": null, "session_id": null, "user_id": null, "tags": [],
        "tool_name": null, "attributes": {}, "prompt_template": null, "input": null, "output": null, "events": []
    });
    change(&mut step);
    serde_json::from_value(step).unwrap()
}

fn row<'a>(step: &'a NewStep, severity: Severity, codes: &[u16]) -> StepRow<'a> {
    StepRow {
        project_id: PROJECT,
        key_label: "prod",
        received_at: NOW,
        partition_at: NOW,
        is_continued: false,
        waits_until: None,
        sequence: 0,
        step,
        sealed: None,
        tokens: TokenUsage::default(),
        usage_semantics: None,
        cost_nano_usd: None,
        cost_source: None,
        price_version: None,
        prompt_hash: None,
        template_fingerprint: None,
        other_series: None,
        release_is_other: false,
        output_shape: None,
        score: Some(90),
        threshold: Some(70),
        severity,
        stopped_at_layer: None,
        conditions: codes
            .iter()
            .map(|code| Condition {
                code: *code,
                layer: (code / 1_000) as u8,
                name: "n".to_owned(),
                points: i32::from(*code % 1_000) + 10,
                message: "wrong".to_owned(),
                observed: String::new(),
                expected: String::new(),
                place: None,
                sample: None,
            })
            .collect(),
        rule_version: 1,
    }
}

fn plan(channels: &[Channel], change: impl FnOnce(&mut AlertSettings)) -> Plan {
    let mut settings = AlertSettings::default();
    change(&mut settings);
    Plan {
        settings,
        channels: channels.to_vec(),
        sentry_level: Some(AlertLevel::Critical),
        traces: false,
    }
}

fn told(plan: &Plan, rows: &[StepRow<'_>]) -> Vec<NewAlert> {
    let steps: Vec<ToldStep<'_>> = rows
        .iter()
        .map(|row| ToldStep {
            row,
            counted_name: &row.step.name,
        })
        .collect();
    let mut told = Told::new(NOW);
    alerts_of(plan, &steps, &mut LastSteps::default(), &mut told);
    told.alerts()
}

fn words(alerts: &[NewAlert]) -> Vec<(&str, &str, &str, i64)> {
    alerts
        .iter()
        .map(|alert| {
            (
                alert.trigger.as_str(),
                alert.channel.as_str(),
                alert.group_key.as_str(),
                alert.occurrences,
            )
        })
        .collect()
}

#[test]
fn a_critical_step_is_one_message_and_each_of_its_codes_an_event() {
    let (bad, fine) = (new_step("parse", |_| {}), new_step("parse", |_| {}));
    let rows = [
        row(&bad, Severity::Critical, &[2001, 3002]),
        row(&fine, Severity::Ok, &[]),
        row(&bad, Severity::Critical, &[2001]),
    ];
    let plan = plan(&[Channel::Slack, Channel::Sentry], |_| {});
    assert_eq!(
        words(&told(&plan, &rows)),
        [
            ("severity", "slack", "parse", 2),
            ("severity", "sentry", "2001 parse", 2),
            ("severity", "sentry", "3002 parse", 1),
        ]
    );
}

#[test]
fn a_failed_step_is_told_where_its_severity_is_not() {
    let failed = new_step("parse", |step| step["status"] = json!("error"));
    let rows = [row(&failed, Severity::Critical, &[1001])];
    let of = |change: fn(&mut AlertSettings)| {
        let plan = plan(&[Channel::Webhook], change);
        words(&told(&plan, &rows))
            .iter()
            .map(|alert| alert.0.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(|_| {}), ["severity"]);
    assert_eq!(of(|settings| settings.severity = AlertLevel::Off), ["step_error"]);
    assert_eq!(
        of(|settings| {
            settings.severity = AlertLevel::Off;
            settings.step_error = false;
        }),
        [""; 0]
    );
    assert_eq!(
        of(|settings| settings.routes.severity.webhook = false),
        ["step_error"]
    );
}

#[test]
fn too_many_failures_are_told_once() {
    let failed = new_step("parse", |step| step["error"] = json!("boom"));
    let rows: Vec<StepRow<'_>> = (0..6).map(|_| row(&failed, Severity::Ok, &[])).collect();
    let plan = plan(&[Channel::Slack], |settings| settings.step_error = false);
    let alerts = told(&plan, &rows);
    assert_eq!(words(&alerts), [("error_rate", "slack", "", 2)]);
    assert_eq!(alerts[0].quiet_s, 300);
    assert_eq!(alerts[0].summary, "5 of the last 5 steps failed");
}

#[test]
fn what_is_none_of_their_business_is_not_told() {
    let old = new_step("parse", |step| step["started_at"] = json!("2025-11-20T00:00:00Z"));
    let staging = new_step("parse", |step| step["environment"] = json!("staging"));
    let rows = [
        row(&old, Severity::Critical, &[1001]),
        row(&staging, Severity::Critical, &[1001]),
    ];
    let plan = plan(&[Channel::Slack, Channel::Sentry], |settings| {
        settings.only_environments = vec!["production".to_owned()];
    });
    assert_eq!(told(&plan, &rows), []);
}

#[test]
fn quiet_hours_put_off_what_people_read() {
    let bad = new_step("parse", |_| {});
    let rows = [row(&bad, Severity::Critical, &[2001])];
    let plan = plan(&[Channel::Slack, Channel::Sentry], |settings| {
        settings.quiet =
            serde_json::from_value(json!({"days": "every_day", "from": "00:00", "to": "00:00"})).unwrap();
    });
    let alerts = told(&plan, &rows);
    assert!(alerts[0].not_before.is_some_and(|end| end > NOW));
    assert_eq!(alerts[1].not_before, None);
}

#[test]
fn texts_are_cut_before_they_are_stored() {
    let long = new_step(&"n".repeat(400), |step| {
        step["error"] = json!("e".repeat(100_000))
    });
    let codes: Vec<u16> = (2001..2031).collect();
    let alerts = told(
        &plan(&[Channel::Slack], |_| {}),
        &[row(&long, Severity::Critical, &codes)],
    );
    assert!(alerts[0].content.to_string().len() < 4_000);
    assert_eq!(
        alerts[0].content["conditions"].as_array().unwrap().len(),
        MAX_CONDITIONS
    );
    assert_eq!(alerts[0].content["more_conditions"], 22);
}
