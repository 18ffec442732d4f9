use domain::{NanoUsd, StepEvent, StepKind, StepStatus, Timestamp};
use serde_json::json;

use super::*;

fn step() -> NewStep {
    NewStep {
        run_id: "r".to_owned(),
        step_id: "s".to_owned(),
        parent_step_id: None,
        kind: StepKind::Llm,
        name: "classify".to_owned(),
        step_index: None,
        provider: None,
        request_model: None,
        model: Some("m".to_owned()),
        started_at: Timestamp::default(),
        ended_at: None,
        latency_ms: None,
        ttft_ms: None,
        status: StepStatus::Ok,
        error: None,
        error_class: None,
        stop_reason: None,
        service_tier: None,
        max_gap_ms: None,
        stream_incomplete: false,
        tokens: domain::step::ReportedTokens::default(),
        usage_details: domain::UsageDetails::default(),
        web_searches: None,
        reported_cost: None,
        environment: None,
        release: None,
        session_id: None,
        user_id: None,
        tags: Vec::new(),
        tool_name: None,
        attributes: Map::new(),
        prompt_template: None,
        input: None,
        output: None,
        events: Vec::new(),
    }
}

fn event(name: &str) -> StepEvent {
    StepEvent {
        at: Timestamp::default(),
        name: name.to_owned(),
        attributes: Map::new(),
    }
}

/// What is rejected with the name of its field is taken with something left out by the other way.
#[test]
fn what_is_rejected_is_also_cut() {
    let check = |field: &str, change: &dyn Fn(&mut NewStep), is_cut: &dyn Fn(&NewStep) -> bool| {
        let mut step = step();
        change(&mut step);
        let rejected = StepBuilder::new(step.clone()).or_reject().unwrap_err();
        assert_eq!(rejected.field, field, "{rejected:?}");
        let cut = StepBuilder::new(step).or_cut();
        assert!(is_cut(&cut), "{field}: {cut:?}");
        assert!(StepBuilder::new(cut).or_reject().is_ok(), "{field}");
    };
    // Two bytes each: a cut in the middle of one would be no text.
    let long = || format!("x{}", "é".repeat(256));
    let cut = |word: &str| word.len() == 511 && word.ends_with('é');
    check("step_name", &|s| s.name = long(), &|s| cut(&s.name));
    type Word = fn(&mut NewStep) -> &mut Option<String>;
    let optional: [(&str, Word); 11] = [
        ("model", |s| &mut s.model),
        ("request_model", |s| &mut s.request_model),
        ("provider", |s| &mut s.provider),
        ("error_class", |s| &mut s.error_class),
        ("stop_reason", |s| &mut s.stop_reason),
        ("service_tier", |s| &mut s.service_tier),
        ("environment", |s| &mut s.environment),
        ("release", |s| &mut s.release),
        ("session_id", |s| &mut s.session_id),
        ("user_id", |s| &mut s.user_id),
        ("tool_name", |s| &mut s.tool_name),
    ];
    for (field, word) in optional {
        check(field, &|s| *word(s) = Some(long()), &|s| {
            word(&mut s.clone()).as_deref().is_some_and(cut)
        });
    }
    check("tags", &|s| s.tags = vec![long()], &|s| cut(&s.tags[0]));
    let many_tags = |s: &mut NewStep| s.tags = (0..60).map(|n| n.to_string()).collect();
    check("tags", &many_tags, &|s| s.tags.len() == 50);
    check("events.name", &|s| s.events = vec![event(&long())], &|s| {
        cut(&s.events[0].name)
    });
    check("events", &|s| s.events = vec![event("e"); 1_001], &|s| {
        s.events.len() == 1_000
    });
    check("input_tokens", &|s| s.tokens.input = Some(i64::MIN), &|s| {
        s.tokens.input.is_none()
    });
    check(
        "web_searches",
        &|s| s.web_searches = Some(1_000_000_000_001),
        &|s| s.web_searches.is_none(),
    );
    check("cost", &|s| s.reported_cost = Some(NanoUsd(i64::MAX)), &|s| {
        s.reported_cost.is_none()
    });
}

#[test]
fn ids_are_never_cut() {
    let check = |run_id: &str, parent: &str, rejected: Option<&str>, run: &str, kept: Option<&str>| {
        let step = NewStep {
            run_id: run_id.to_owned(),
            parent_step_id: Some(parent.to_owned()),
            ..step()
        };
        let field = StepBuilder::new(step.clone()).or_reject().err();
        assert_eq!(field.map(|invalid| invalid.field), rejected, "{run_id}");
        let cut = StepBuilder::new(step).or_cut();
        assert_eq!((cut.run_id.as_str(), cut.parent_step_id.as_deref()), (run, kept));
    };
    let (longest, too_long) = ("x".repeat(256), "x".repeat(257));
    check(&longest, "p", None, &longest, Some("p"));
    check(&too_long, "p", Some("run_id"), "s", Some("p"));
    check(" ", "p", Some("run_id"), "s", Some("p"));
    check("r", &too_long, Some("parent_step_id"), "r", None);
}

#[test]
fn nothing_holds_a_nul() {
    let step = NewStep {
        name: "a\0".to_owned(),
        input: Some("\0".to_owned()),
        attributes: Map::from_iter([("k\0".to_owned(), json!({ "a": ["\0"] }))]),
        ..step()
    };
    let cleaned = StepBuilder::new(step.clone()).or_reject().unwrap();
    assert_eq!(cleaned.name, "a\u{fffd}");
    assert_eq!(cleaned.input.as_deref(), Some("\u{fffd}"));
    assert_eq!(
        Value::Object(cleaned.attributes.clone()),
        json!({ "k\u{fffd}": { "a": ["\u{fffd}"] } })
    );
    assert_eq!(StepBuilder::new(step).or_cut(), cleaned);
}

#[test]
fn blank_words_are_absent_and_a_blank_name_is_not() {
    let step = NewStep {
        name: " ".to_owned(),
        model: Some(String::new()),
        session_id: Some(" ".to_owned()),
        tags: ["b", " ", "a", "b"].map(str::to_owned).to_vec(),
        ..step()
    };
    let step = StepBuilder::new(step).or_reject().unwrap();
    assert_eq!((step.name.as_str(), step.model.as_deref()), (" ", Some("")));
    assert_eq!(step.session_id, None);
    assert_eq!(step.tags, ["a", "b"]);
}

#[test]
fn all_of_a_long_error_is_an_attribute_whatever_stood_there() {
    let whole = "é".repeat(3_000);
    let step = NewStep {
        error: Some(whole.clone()),
        attributes: Map::from_iter([("error".to_owned(), json!("the client's own"))]),
        ..step()
    };
    let step = StepBuilder::new(step).or_reject().unwrap();
    let shown = step.error.unwrap();
    assert_eq!(
        (shown.len(), shown.ends_with('…')),
        (4_096 + '…'.len_utf8(), true)
    );
    assert_eq!(step.attributes["error"], whole);
}
