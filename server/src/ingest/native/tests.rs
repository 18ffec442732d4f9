use domain::NanoUsd;
use domain::step::ReportedTokens;
use proptest::prelude::*;

use super::*;

const MINIMAL: &str = r#""run_id":"r","step_name":"s","model":"m","prompt":"p","latency_ms":640"#;

fn decode(body: &str) -> Result<NewStep, Rejection> {
    let received_at = Timestamp::parse_rfc3339("2026-11-21T09:00:00Z").unwrap();
    decode_body(
        body.as_bytes(),
        &Source {
            received_at,
            fallback_id: "made-up".to_owned(),
        },
    )
}

fn with(extra: &str) -> String {
    format!("{{{MINIMAL}{extra}}}")
}

#[test]
fn a_minimal_step() {
    let step = decode(&with("")).unwrap();
    assert_eq!((step.run_id.as_str(), step.step_id.as_str()), ("r", "made-up"));
    assert_eq!(step.started_at.to_string(), "2026-11-21T08:59:59.36Z");
    assert_eq!(step.ended_at.unwrap().to_string(), "2026-11-21T09:00:00Z");
    assert_eq!((step.kind, step.status), (StepKind::Llm, StepStatus::Ok));
    assert_eq!(step.tokens, ReportedTokens::default());
    assert_eq!((step.reported_cost, step.output.as_deref()), (None, None));
}

#[test]
fn every_mistake_names_its_field() {
    let check = |body: &str, reason: &str, field: Option<&str>| {
        let rejection = decode(body).unwrap_err();
        assert_eq!(
            (rejection.reason, rejection.field.as_deref()),
            (reason, field),
            "{body}"
        );
    };
    check("", "invalid_json", None);
    check("{", "invalid_json", None);
    check("{} {}", "invalid_json", None);
    check("\"\\ud800\"", "invalid_field", None);
    check("[]", "invalid_field", None);
    check("null", "invalid_field", None);
    for missing in ["run_id", "step_name", "model", "prompt", "latency_ms"] {
        let body = with("").replace(&format!("\"{missing}\""), "\"other\"");
        check(&body, "missing_field", Some(missing));
        let value = if missing == "latency_ms" {
            "640"
        } else {
            &format!("\"{}\"", &missing[..1])
        };
        let body = with("").replace(&format!("\"{missing}\":{value}"), &format!("\"{missing}\":null"));
        check(&body, "missing_field", Some(missing));
    }
    check(
        &with("").replace("\"r\"", "\"  \""),
        "invalid_field",
        Some("run_id"),
    );
    check(&with("").replace("\"r\"", "5"), "invalid_field", Some("run_id"));
    check(
        &with("").replace("\"r\"", &format!("\"{}\"", "x".repeat(257))),
        "invalid_field",
        Some("run_id"),
    );
    check(
        &with("").replace("640", "\"640\""),
        "invalid_field",
        Some("latency_ms"),
    );
    check(
        &with("").replace("640", "1e999"),
        "invalid_field",
        Some("latency_ms"),
    );
    check(&with(r#","run_id":"again""#), "invalid_field", Some("run_id"));
    check(
        &with(r#","input_tokens":1.5"#),
        "invalid_field",
        Some("input_tokens"),
    );
    check(&with(r#","cost":"cheap""#), "invalid_field", Some("cost"));
    check(&with(r#","cost":1e30"#), "invalid_field", Some("cost"));
    check(
        &with(r#","status_success":"yes""#),
        "invalid_field",
        Some("status_success"),
    );
    check(&with(r#","kind":"robot""#), "invalid_field", Some("kind"));
    check(
        &with(r#","started_at":"yesterday""#),
        "invalid_field",
        Some("started_at"),
    );
    check(
        &with(r#","step_index":9999999999"#),
        "invalid_field",
        Some("step_index"),
    );
    check(
        &with(r#","step_id":"a","span_id":"b""#),
        "invalid_field",
        Some("step_id"),
    );
    check(&with(r#","tags":"red""#), "invalid_field", Some("tags"));
    check(&with(r#","attributes":[1]"#), "invalid_field", Some("attributes"));
    check(
        &with(r#","events":[{"at":"2026-11-21T09:00:00Z"}]"#),
        "missing_field",
        Some("events.name"),
    );
    check(
        &with(r#","events":[{"name":"x","at":"noon"}]"#),
        "invalid_field",
        Some("events.at"),
    );
    check(
        &with(r#","usage_semantics":"net""#),
        "invalid_field",
        Some("usage_semantics"),
    );
    let deep = format!(r#","attributes":{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    check(&with(&deep), "invalid_field", Some("attributes"));
}

#[test]
fn what_is_odd_but_true_is_kept() {
    let check = |extra: &str, expected: fn(&NewStep) -> bool| {
        let body = with(extra);
        assert!(expected(&decode(&body).unwrap()), "{body}");
    };
    check(r#","input_tokens":-5"#, |s| s.tokens.input == Some(-5));
    check(r#","cost":-0.0014"#, |s| {
        s.reported_cost == Some(NanoUsd(-1_400_000))
    });
    check(r#","cost":1.4e-3"#, |s| {
        s.reported_cost == Some(NanoUsd(1_400_000))
    });
    check(r#","span_id":"a","step_id":"a""#, |s| s.step_id == "a");
    check(r#","step_id":"  ""#, |s| s.step_id == "made-up");
    check(r#","parent_span_id":"a""#, |s| {
        s.parent_step_id.as_deref() == Some("a")
    });
    check(r#","output_code":{"a":1}"#, |s| {
        s.output.as_deref() == Some(r#"{"a":1}"#)
    });
    check(r#","output_code":"a\u0000b""#, |s| {
        s.output.as_deref() == Some("a\u{fffd}b")
    });
    check(r#","attributes":{"a\u0000":"\u0000"}"#, |s| {
        s.attributes["a\u{fffd}"] == "\u{fffd}"
    });
    check(r#","status_success":false"#, |s| s.status == StepStatus::Error);
    check(r#","error":"late""#, |s| {
        s.status == StepStatus::Ok && s.error.as_deref() == Some("late")
    });
    check(r#","tags":["b","a","b",""]"#, |s| s.tags == ["a", "b"]);
    check(r#","unknown":[[[]]]"#, |s| s.attributes.is_empty());
    check(r#","started_at":"1969-01-01T00:00:00Z""#, |s| {
        s.started_at.micros() < 0
    });
}

#[test]
fn a_negative_or_endless_latency_never_ends_before_it_began() {
    for latency in ["-5", "-1e300", "1e300", "0"] {
        let step = decode(&with("").replace("640", latency)).unwrap();
        assert!(step.ended_at.unwrap() >= step.started_at, "{latency}");
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in any::<Vec<u8>>()) {
        let source = Source { received_at: Timestamp::default(), fallback_id: String::new() };
        let _any_answer = decode_body(&body, &source);
        let _any_answer = split_batch(&body);
    }

    #[test]
    fn no_value_in_any_field_panics(
        field in "(run_id|step_name|model|prompt|latency_ms|step_index|cost|started_at|tags|attributes|events|kind)",
        value in "(-?[0-9]{1,30}(\\.[0-9]{1,5})?(e[0-9]{1,3})?|null|true|\"[ -!#-\\[\\]-~]{0,20}\"|\\[\\]|\\{\\}|\\[\\{\\}\\])",
    ) {
        let body = with("").replacen('{', &format!("{{\"{field}\":{value},"), 1);
        let _any_answer = decode(&body);
        let body = with(&format!(",\"x_{field}\":{value}")).replace(&format!("x_{field}"), &field);
        let _any_answer = decode(&body);
    }
}
