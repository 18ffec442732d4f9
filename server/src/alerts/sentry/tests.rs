use axum::http::{HeaderMap, HeaderValue, StatusCode};
use domain::alert::{AlertedCondition, Trigger};
use domain::{StepKind, Timestamp};
use uuid::Uuid;

use super::*;

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));

fn message(run_id: &str, release: &str) -> Message {
    let step = AlertedStep {
        run_id: run_id.to_owned(),
        step_id: "s1".to_owned(),
        name: "parse-request".to_owned(),
        kind: StepKind::Llm,
        key: "prod-frontend".to_owned(),
        model: Some("claude-haiku-4-5".to_owned()),
        provider: Some("anthropic".to_owned()),
        environment: None,
        release: Some(release.to_owned()),
        severity: Severity::Critical,
        score: Some(140),
        threshold: Some(70),
        error: None,
        latency_ms: None,
        started_at: Timestamp::from_micros(1_764_500_000_500_000),
        conditions: vec![AlertedCondition {
            code: 2001,
            name: "json_contract_violation".to_owned(),
            points: 40,
            message: "The output is no JSON".to_owned(),
        }],
        more_conditions: 0,
    };
    Message {
        id: Uuid::from_u128(7),
        trigger: Trigger::Severity,
        created_at: Timestamp::from_micros(1_764_500_000_000_000),
        last_at: Timestamp::from_micros(1_764_500_000_000_000),
        occurrences: 3,
        summary: "Critical step parse-request".to_owned(),
        subject: json!({}),
        content: AlertContent::Step(Box::new(step)),
    }
}

fn parts(message: &Message) -> (Value, Value, Value) {
    let sending = Sending {
        slug: "support".to_owned(),
        project: "Acme support".to_owned(),
        public_url: "https://plumbline.acme.dev".to_owned(),
        now: Timestamp::from_micros(1_764_500_001_000_000),
    };
    let text = String::from_utf8(envelope(&sending, PROJECT, Some("production"), message)).unwrap();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!((lines.len(), lines[3]), (4, ""), "{text}");
    let item: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(item["length"], lines[2].len());
    (
        serde_json::from_str(lines[0]).unwrap(),
        item,
        serde_json::from_str(lines[2]).unwrap(),
    )
}

#[test]
fn an_envelope_holds_one_event_that_groups_by_step_and_code() {
    let (head, item, event) = parts(&message("r1", "9be04a7"));
    assert_eq!(head["event_id"], "00000000000000000000000000000007");
    assert_eq!(head["sent_at"], "2025-11-30T10:53:21Z");
    assert_eq!(item["type"], "event");
    assert_eq!(event["event_id"], head["event_id"]);
    assert_eq!(
        event["fingerprint"],
        json!(["plumbline", "support", "parse-request", "2001"])
    );
    assert_eq!(event["level"], "error");
    assert_eq!(
        event["logentry"]["formatted"],
        "parse-request: The output is no JSON"
    );
    assert_eq!(event["timestamp"], 1_764_500_000.5);
    assert_eq!(event["environment"], "production");
    assert_eq!(event["release"], "9be04a7");
    assert_eq!(event["tags"]["code"], "2001");
    assert_eq!(event["tags"]["model"], "claude-haiku-4-5");
    assert_eq!(
        event["extra"]["plumbline_url"],
        "https://plumbline.acme.dev/p/support/runs/r1?step=s1"
    );
    assert_eq!(event["extra"]["occurrences"], 3);
    assert!(event["message"].is_null(), "a bare message is refused");
}

#[test]
fn a_run_is_one_trace_whoever_sends_it() {
    let trace = |run: &str| parts(&message(run, "1")).2["contexts"]["trace"].clone();
    assert_eq!(trace("r1"), trace("r1"));
    assert_ne!(trace("r1")["trace_id"], trace("r2")["trace_id"]);
    assert_eq!(trace("r1")["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(trace("r1")["span_id"].as_str().unwrap().len(), 16);
}

#[test]
fn names_are_such_that_sentry_takes_them() {
    let (.., event) = parts(&message(&"r".repeat(500), "feature/x\ny"));
    assert_eq!(event["release"], "feature-x-y");
    assert!(event["tags"]["run"].as_str().unwrap().chars().count() <= MAX_TAG_CHARS);
    assert_eq!(sanitised(Some(" .. "), 10), None);
    assert_eq!(sanitised(Some(&"e".repeat(99)), 64).unwrap().len(), 64);
}

#[test]
fn answers_mean_what_sentry_says_they_mean() {
    let check = |status: u16, headers: &[(&'static str, &'static str)], expected: Verdict| {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        let reply = verdict(StatusCode::from_u16(status).unwrap(), &headers, b"{}", EVENTS);
        assert_eq!(reply.verdict, expected, "{status} {headers:?}");
    };
    check(200, &[], Verdict::Taken);
    check(401, &[], Verdict::Stopped);
    check(403, &[], Verdict::Stopped);
    check(400, &[], Verdict::Refused);
    check(413, &[], Verdict::Refused);
    check(503, &[], Verdict::TryAgain { after_s: None });
    check(429, &[], Verdict::TryAgain { after_s: Some(60) });
    check(
        429,
        &[("retry-after", "30")],
        Verdict::TryAgain { after_s: Some(30) },
    );
    check(
        429,
        &[(
            "x-sentry-rate-limits",
            "10:transaction:key, 2700:error;security:organization",
        )],
        Verdict::TryAgain { after_s: Some(2_700) },
    );
}

#[test]
fn a_limit_that_comes_with_success_holds_too() {
    let limit = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-sentry-rate-limits", HeaderValue::from_static(value));
        limit_s(&headers, EVENTS)
    };
    assert_eq!(limit("60::organization"), Some(60));
    assert_eq!(limit("60:transaction;span:key"), None);
    assert_eq!(limit("60:error:key, 90:default:key, 900:session:key"), Some(90));
    assert_eq!(limit("x:error:key,,:"), None);
}
