use domain::{StepKind, StepStatus, Timestamp};
use engine::usage::normalise;

use super::*;

const FIXTURE: &str = include_str!("../../../../tests/cli/import/langfuse.json");

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn a_page_of_traces_is_nested_steps_with_their_tokens_cost_errors_sessions_and_users() {
    assert!(is_record(&records::first(FIXTURE).unwrap()));
    let steps = steps(FIXTURE).unwrap();
    let [agent, call, tool, event] = steps.as_slice() else {
        panic!("{steps:#?}");
    };
    let kinds = steps.iter().map(|step| step.kind).collect::<Vec<_>>();
    assert_eq!(
        kinds,
        [StepKind::Agent, StepKind::Llm, StepKind::Tool, StepKind::Other]
    );
    let parents = steps.iter().map(|step| step.parent_step_id.as_deref());
    assert_eq!(
        parents.collect::<Vec<_>>(),
        [None, Some("obs-agent"), Some("obs-call"), Some("gone")]
    );
    for step in &steps {
        assert_eq!(step.run_id, "lf-trace-1");
        assert_eq!(step.session_id.as_deref(), Some("s-7"));
        assert_eq!(step.user_id.as_deref(), Some("u-3"));
        assert_eq!(step.environment.as_deref(), Some("production"));
        assert_eq!(step.release.as_deref(), Some("4f2a91c"));
        assert_eq!(step.tags, ["beta"]);
    }
    assert_eq!(agent.input.as_deref(), Some("Where is my order?"));
    // Zeros of a step that used nothing are no figures.
    assert_eq!(normalise(&agent.tokens).1, None);
    assert_eq!(agent.reported_cost, None);
    let (tokens, _) = normalise(&call.tokens);
    assert_eq!(
        (
            tokens.input_fresh,
            tokens.cache_read,
            tokens.output,
            tokens.reasoning
        ),
        (Some(200), Some(1_000), Some(90), Some(40))
    );
    assert_eq!(call.reported_cost, domain::NanoUsd::parse_decimal("0.0042"));
    assert_eq!((call.latency_ms, call.ttft_ms), (Some(2_000.0), Some(400.0)));
    assert_eq!(call.model.as_deref(), Some("house-model-1"));
    let asked: Value = serde_json::from_str(call.input.as_deref().unwrap()).unwrap();
    assert_eq!(asked["messages"][1]["content"], "Where is my order?");
    assert_eq!(call.output.as_deref(), Some("On its way."));
    assert_eq!(call.attributes["langfuse.observation.metadata.attempt"], json!(1));
    assert_eq!(tool.status, StepStatus::Error);
    assert_eq!(tool.error.as_deref(), Some("the shop did not answer"));
    assert_eq!(event.ended_at, Some(at("2026-11-20T09:00:03.1Z")));
}

#[test]
fn rows_of_an_export_to_blob_storage_are_the_same_in_snake_case() {
    let trace = json!({"id": "t", "timestamp": "2026-11-20 09:00:00.000000", "name": "n", "session_id": "s", "user_id": "u"});
    let call = json!({
        "id": "o", "trace_id": "t", "type": "GENERATION", "name": "chat", "start_time": "2026-11-20 09:00:00.000000",
        "end_time": "2026-11-20 09:00:01.000000", "environment": "default", "level": "DEFAULT",
        "provided_model_name": "m", "input": "[{\"role\":\"user\",\"content\":\"hi\"}]", "output": "ho",
        "usage_details": {"input": 3, "output": 2, "total": 5}, "total_cost": "0.001", "parent_observation_id": "",
    });
    let unfinished = json!({"id": "p", "trace_id": "t", "type": "SPAN", "start_time": "2026-11-20 09:00:00Z", "parent_observation_id": "p"});
    // Whatever comes first.
    let steps = steps(&format!("{call}\n{trace}\n{unfinished}\n")).unwrap();
    let [call, unfinished] = steps.as_slice() else {
        panic!("{steps:#?}");
    };
    assert_eq!(call.started_at, at("2026-11-20T09:00:00Z"));
    assert_eq!(
        (call.session_id.as_deref(), call.user_id.as_deref()),
        (Some("s"), Some("u"))
    );
    assert_eq!(
        (call.environment.as_deref(), call.parent_step_id.as_deref()),
        (None, None)
    );
    assert_eq!(call.model.as_deref(), Some("m"));
    assert_eq!(call.tokens.input, Some(3));
    assert_eq!(call.reported_cost, domain::NanoUsd::parse_decimal("0.001"));
    assert!(
        call.input.as_deref().unwrap().contains("messages"),
        "{:?}",
        call.input
    );
    // A step in itself is in nothing.
    assert_eq!(
        (
            unfinished.status,
            unfinished.ended_at,
            unfinished.parent_step_id.as_deref()
        ),
        (StepStatus::Running, None, None)
    );
}

#[test]
fn a_download_of_a_trace_has_it_beside_its_observations() {
    let download = json!({
        "trace": {"id": "t", "sessionId": "s", "timestamp": "2026-11-20T09:00:00Z"},
        "observations": [{"id": "o", "type": "SPAN", "startTime": "2026-11-20T09:00:00Z", "endTime": "2026-11-20T09:00:01Z"}],
    });
    let steps = steps(&format!("{download:#}")).unwrap();
    assert_eq!((steps.len(), steps[0].run_id.as_str()), (1, "t"));
    assert_eq!(steps[0].session_id.as_deref(), Some("s"));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let good = json!({"id": "o", "traceId": "t", "type": "SPAN", "startTime": "2026-11-20T09:00:00Z"});
    let check = |change: Value, expected: &str| {
        let mut bad = good.clone();
        for (name, value) in change.as_object().unwrap() {
            bad[name] = value.clone();
        }
        let problem = steps(&format!("{good}\n{bad}\n")).unwrap_err();
        assert_eq!(problem, format!("line 2: {expected}"));
    };
    check(json!({"id": null}), "it has no id");
    check(json!({"id": 7}), "id must be a text");
    check(json!({"id": " "}), "it has no id");
    check(
        json!({"id": "x".repeat(300)}),
        "id must be at most 256 bytes long",
    );
    check(json!({"traceId": null}), "it has no traceId or trace_id");
    check(
        json!({"startTime": "soon"}),
        "startTime or start_time must be a time",
    );
    check(json!({"startTime": null}), "it has no startTime or start_time");
    check(json!({"endTime": []}), "endTime or end_time must be a time");
    check(json!({"name": {}}), "name must be a text");
    let problem = |text: &str| steps(text).unwrap_err();
    assert_eq!(problem("[]"), "there are no observations in it");
    assert_eq!(
        problem("{\"a\":1}"),
        "line 1: it is neither a trace nor an observation of Langfuse"
    );
    let alone = json!({"id": "t", "timestamp": "2026-11-20T09:00:00Z", "observations": ["o"]});
    assert!(problem(&alone.to_string()).starts_with("there are no observations in it, only traces (1)"));
    let odd = json!({"id": "t", "timestamp": "2026-11-20T09:00:00Z", "observations": [3]});
    assert_eq!(
        problem(&format!("\n{odd}")),
        "line 2: observations must be a list of objects"
    );
}
