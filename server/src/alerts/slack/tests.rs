use axum::http::StatusCode;
use domain::alert::{AlertContent, AlertedCondition, AlertedStep, Channel, Trigger};
use domain::{Severity, StepKind, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn sending() -> Sending {
    Sending {
        slug: "support".to_owned(),
        project: "Acme <support> & co".to_owned(),
        public_url: "https://plumbline.acme.dev".to_owned(),
        now: Timestamp::from_micros(1_764_500_000_000_000),
    }
}

fn step(name: &str) -> AlertedStep {
    AlertedStep {
        run_id: "run/1 <x>".to_owned(),
        step_id: "s&1".to_owned(),
        name: name.to_owned(),
        kind: StepKind::Llm,
        key: "prod-frontend".to_owned(),
        model: Some("claude-haiku-4-5".to_owned()),
        provider: None,
        environment: Some("production".to_owned()),
        release: Some("9be04a7".to_owned()),
        severity: Severity::Critical,
        score: Some(140),
        threshold: Some(70),
        error: Some("<!channel> boom & bust".to_owned()),
        latency_ms: Some(1_200.0),
        started_at: Timestamp::from_micros(1_764_500_000_000_000),
        conditions: vec![AlertedCondition {
            code: 1001,
            name: "status_failure".to_owned(),
            points: 100,
            message: "It failed <@U123>".to_owned(),
        }],
        more_conditions: 0,
    }
}

fn message(content: AlertContent) -> Message {
    Message {
        id: Uuid::from_u128(7),
        trigger: Trigger::Severity,
        created_at: Timestamp::from_micros(1_764_500_000_000_000),
        last_at: Timestamp::from_micros(1_764_500_030_000_000),
        occurrences: 1,
        summary: super::super::triggers::summary_of(&content),
        subject: json!({}),
        content,
    }
}

fn of(name: &str) -> Message {
    message(AlertContent::Step(Box::new(step(name))))
}

/// Every text of a message, with the most characters that Slack takes there.
fn texts(body: &Value) -> Vec<(String, usize)> {
    let mut texts = vec![(body["text"].as_str().unwrap().to_owned(), 3_000)];
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    for block in blocks {
        let max = if block["type"] == "header" { 150 } else { 3_000 };
        texts.extend(block["text"]["text"].as_str().map(|text| (text.to_owned(), max)));
        for field in block["fields"].as_array().into_iter().flatten() {
            texts.push((field["text"].as_str().unwrap().to_owned(), 2_000));
        }
        assert!(
            block["fields"]
                .as_array()
                .is_none_or(|fields| (1..=10).contains(&fields.len()))
        );
    }
    texts
}

#[test]
fn a_message_says_what_how_bad_and_where() {
    let body = body(&sending(), &[of("generate-response")]);
    let all = body.to_string();
    for part in [
        "Critical: generate-response",
        "*1001* status_failure +100",
        "140 points, critical from 70",
        "prod-frontend",
        "claude-haiku-4-5",
        "9be04a7",
        "<https://plumbline.acme.dev/p/support/runs/run%2F1%20%3Cx%3E?step=s%261|Open the step>",
    ] {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert!(
        body["text"]
            .as_str()
            .unwrap()
            .starts_with("Critical: generate-response (Acme &lt;support&gt; &amp; co)")
    );
    assert_eq!(body["unfurl_links"], false);
}

#[test]
fn hostile_texts_mention_nobody_and_stay_within_the_limits() {
    for name in [
        "<!channel> <https://evil|click> & *bold*",
        &"&".repeat(400),
        &"😀".repeat(400),
        "",
    ] {
        let mut hostile = step(name);
        hostile.error = Some(name.repeat(10));
        hostile.conditions = vec![
            AlertedCondition {
                code: 1001,
                name: "<!here>".to_owned(),
                points: 100,
                message: "<!everyone> ".repeat(30),
            };
            8
        ];
        let message = message(AlertContent::Step(Box::new(hostile)));
        let body = body(&sending(), &[message]);
        for (text, max) in texts(&body) {
            assert!(text.chars().count() <= max && !text.is_empty(), "{text}");
        }
        for block in body["blocks"].as_array().unwrap() {
            let marked = [&block["text"]]
                .into_iter()
                .chain(block["fields"].as_array().into_iter().flatten());
            for text in marked.filter(|text| text["type"] == "mrkdwn") {
                let text = text["text"].as_str().unwrap();
                let links = text.matches("<https://plumbline.acme.dev/").count();
                assert_eq!(text.matches('<').count(), links, "{text}");
                assert!(!text.ends_with("&am…") && !text.ends_with("&…"), "{text}");
            }
        }
    }
}

#[test]
fn several_alerts_are_one_list() {
    let mut second = of("parse|request");
    second.occurrences = 4;
    let few = body(&sending(), &[of("a"), second]);
    let text = few["blocks"][1]["text"]["text"].as_str().unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("parse¦request") && text.contains("×4"), "{text}");
    let many: Vec<Message> = (0..60).map(|_| of(&"n".repeat(100))).collect();
    let body = body(&sending(), &many);
    for (text, max) in texts(&body) {
        assert!(text.chars().count() <= max, "{text}");
    }
    let told = body["blocks"][1]["text"]["text"]
        .as_str()
        .unwrap()
        .lines()
        .count();
    assert_eq!(
        body["blocks"][2]["elements"][0]["text"],
        format!("and {} more", 60 - told)
    );
}

#[test]
fn what_was_counted_is_said() {
    let mut counted = of("a");
    counted.occurrences = 3;
    let body = body(&sending(), &[counted]);
    let last = body["blocks"].as_array().unwrap().last().unwrap();
    assert_eq!(
        last["elements"][0]["text"],
        "3 times from 10:53:20 to 10:53:50 UTC"
    );
}

#[test]
fn other_triggers_have_words_of_their_own() {
    let rate = AlertContent::ErrorRate {
        failed: 6,
        of: 20,
        limit_percent: 25,
        step: Box::new(step("a")),
    };
    let all = body(&sending(), &[message(rate)]).to_string();
    assert!(
        all.contains("Error rate 30 %") && all.contains("6 of the last 20 steps failed"),
        "{all}"
    );
    let broken = AlertContent::IntegrationBroken {
        channel: Channel::Sentry,
        answer: "403 <project> disabled".to_owned(),
    };
    let all = body(&sending(), &[message(broken)]).to_string();
    assert!(
        all.contains("Sentry stopped") && all.contains("403 &lt;project&gt; disabled"),
        "{all}"
    );
    let test = AlertContent::Test {
        by: "mara@acme.dev".to_owned(),
    };
    let all = body(&sending(), &[message(test)]).to_string();
    assert!(
        all.contains("mara@acme.dev sent this test") && all.contains("/p/support/settings/integrations"),
        "{all}"
    );
}

#[test]
fn answers_mean_what_slack_says_they_mean() {
    let check = |status: u16, retry_after: Option<&str>, body: &str, expected: Verdict, answer: &str| {
        let reply = verdict(
            StatusCode::from_u16(status).unwrap(),
            retry_after,
            body.as_bytes(),
        );
        assert_eq!(
            (reply.verdict, reply.answer.as_str()),
            (expected, answer),
            "{status}"
        );
    };
    check(200, None, "ok", Verdict::Taken, "200 ok");
    check(
        400,
        None,
        "invalid_payload",
        Verdict::Refused,
        "400 invalid_payload",
    );
    check(403, None, "invalid_token", Verdict::Stopped, "403 invalid_token");
    check(404, None, "no_service", Verdict::Stopped, "404 no_service");
    check(
        410,
        None,
        "channel_is_archived",
        Verdict::Stopped,
        "410 channel_is_archived",
    );
    check(
        429,
        Some("30"),
        "",
        Verdict::TryAgain { after_s: Some(30) },
        "429",
    );
    check(
        500,
        None,
        "rollup_error",
        Verdict::TryAgain { after_s: None },
        "500 rollup_error",
    );
    check(302, None, "", Verdict::Refused, "302");
}

#[test]
fn incidents_and_budgets_stay_within_the_limits_too() {
    use domain::NanoUsd;
    use domain::alert::{AlertedBudget, AlertedDeploy, AlertedIncident, AlertedKeyLimit, IncidentMoment};
    use domain::key_limit::Measure;
    for name in ["prod-frontend", "<!channel> | &", &"😀".repeat(400)] {
        let incident = AlertedIncident {
            incident_id: Uuid::from_u128(9),
            moment: IncidentMoment::Opened,
            name: name.to_owned(),
            key: None,
            step: None,
            metric: "cost".to_owned(),
            sentence: format!("PR 2 “{name}” raised the cost, $4.26 → $17.40 a day."),
            probability: 0.94,
            deploy: Some(AlertedDeploy {
                deploy_id: Some("d/1".to_owned()),
                name: name.to_owned(),
                title: name.repeat(20),
            }),
            evidence: Some(name.repeat(20)),
            nano_usd_a_day: Some(NanoUsd(13_140_000_000)),
            onset_at: Timestamp::from_micros(1_764_500_000_000_000),
            ended_at: None,
        };
        let budget = AlertedBudget {
            key: Some(name.to_owned()),
            monthly: NanoUsd(50_000_000_000),
            spent: NanoUsd(12_000_000_000),
            is_used_up: false,
            expected: Some(NanoUsd(61_000_000_000)),
            used_up_on: Some(Timestamp::from_micros(1_764_500_000_000_000)),
            month_from: Timestamp::from_micros(1_764_500_000_000_000),
        };
        let limit = AlertedKeyLimit {
            key: name.to_owned(),
            measure: Measure::Dollars,
            limit: 50_000_000_000,
            used: 41_000_000_000,
            percent: 80,
            month_from: Timestamp::from_micros(1_764_500_000_000_000),
            month_to: Timestamp::from_micros(1_767_200_000_000_000),
        };
        for content in [
            AlertContent::Incident(Box::new(incident.clone())),
            AlertContent::Budget(budget),
            AlertContent::KeyLimit(limit),
        ] {
            let body = body(&sending(), &[message(content)]);
            for (text, max) in texts(&body) {
                assert!(text.chars().count() <= max && !text.is_empty(), "{text}");
                // A header is plain text, in which nothing is marked up.
                assert!(max == MAX_HEADER_CHARS || !text.contains("<!"), "{text}");
            }
        }
        let all = body(&sending(), &[message(AlertContent::Incident(Box::new(incident)))]).to_string();
        for part in [
            "94 %",
            "$13.14 a day",
            "2025-11-30 10:53 UTC",
            "/p/support/incidents/00000000-0000-0000-0000-000000000009|Open the incident>",
        ] {
            assert!(all.contains(part), "{part} in {all}");
        }
    }
}
