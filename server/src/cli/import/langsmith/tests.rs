use domain::{NanoUsd, StepKind, StepStatus};
use engine::usage::normalise;

use super::*;

const FIXTURE: &str = include_str!("../../../../tests/cli/import/langsmith.jsonl");
const ROOT: &str = "6a000000-0000-7000-8000-000000000001";

#[test]
fn runs_are_nested_steps_with_their_tokens_cost_errors_sessions_and_users() {
    assert!(is_record(&records::first(FIXTURE).unwrap()));
    let steps = steps(FIXTURE).unwrap();
    let [chain, call, tool] = steps.as_slice() else {
        panic!("{steps:#?}");
    };
    let kinds = steps.iter().map(|step| step.kind).collect::<Vec<_>>();
    assert_eq!(kinds, [StepKind::Chain, StepKind::Llm, StepKind::Tool]);
    assert!(steps.iter().all(|step| step.run_id == ROOT));
    // The tool's parent is told by its place in the order alone.
    let parents = steps.iter().map(|step| step.parent_step_id.as_deref());
    assert_eq!(parents.collect::<Vec<_>>(), [None, Some(ROOT), Some(ROOT)]);
    // The id of LangSmith's project is no session.
    assert_eq!(chain.session_id.as_deref(), Some("s-7"));
    assert_eq!(chain.user_id.as_deref(), Some("u-3"));
    assert_eq!(chain.release.as_deref(), Some("4f2a91c"));
    assert_eq!(chain.environment.as_deref(), Some("production"));
    assert_eq!(chain.tags, ["beta"]);
    assert_eq!(chain.input.as_deref(), Some("Where is my order?"));
    assert_eq!(chain.output.as_deref(), Some("On its way."));
    // It only adds up what the call in it used.
    assert_eq!((normalise(&chain.tokens).1, chain.reported_cost), (None, None));
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
    assert_eq!(call.reported_cost, NanoUsd::parse_decimal("0.0042"));
    assert_eq!((call.latency_ms, call.ttft_ms), (Some(2_000.0), Some(400.0)));
    assert_eq!(call.model.as_deref(), Some("house-model-1-2026-11-01"));
    assert_eq!(call.request_model.as_deref(), Some("house-model-1"));
    assert_eq!(call.provider.as_deref(), Some("openai"));
    assert_eq!(call.stop_reason.as_deref(), Some("stop"));
    let asked: Value = serde_json::from_str(call.input.as_deref().unwrap()).unwrap();
    assert_eq!(
        asked["messages"],
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my order?"}])
    );
    assert_eq!(call.output.as_deref(), Some("On its way."));
    assert_eq!(tool.status, StepStatus::Error);
    assert_eq!(tool.error.as_deref(), Some("the shop did not answer"));
    assert_eq!(tool.input.as_deref(), Some("{\"order\": 4711}"));
}

fn one(more: Value) -> Value {
    let mut run = json!({"id": "r", "run_type": "llm", "start_time": "2026-11-20T09:00:00", "name": "n"});
    for (name, value) in more.as_object().unwrap() {
        run[name] = value.clone();
    }
    run
}

fn read(more: Value) -> NewStep {
    steps(&one(more).to_string()).unwrap().remove(0)
}

#[test]
fn a_wrapped_client_and_what_langsmith_counted_are_read() {
    let wrapped = read(json!({
        "end_time": "2026-11-20T09:00:01Z",
        "inputs": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
        "outputs": {"model": "gpt-4o-2024-08-06", "choices": [{"finish_reason": "length", "message": {"role": "assistant", "content": "ho"}}]},
        "prompt_tokens": 30, "completion_tokens": 5, "prompt_token_details": {"cache_read": 10},
    }));
    assert_eq!(wrapped.run_id, "r");
    assert_eq!(wrapped.output.as_deref(), Some("ho"));
    assert_eq!(wrapped.model.as_deref(), Some("gpt-4o-2024-08-06"));
    assert_eq!(wrapped.stop_reason.as_deref(), Some("length"));
    let (tokens, _) = normalise(&wrapped.tokens);
    assert_eq!(
        (tokens.input_fresh, tokens.cache_read, tokens.output),
        (Some(20), Some(10), Some(5))
    );
    let unknown =
        read(json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "total_cost": null}));
    assert_eq!(
        (normalise(&unknown.tokens).1, unknown.reported_cost),
        (None, None)
    );
    assert_eq!((unknown.status, unknown.ended_at), (StepStatus::Running, None));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let check = |change: Value, expected: &str| {
        let problem = steps(&format!("{}\n\n{}\n", one(json!({})), one(change))).unwrap_err();
        assert_eq!(problem, format!("line 3: {expected}"));
    };
    check(json!({"id": null}), "it has no id");
    check(json!({"id": 5}), "id must be a text");
    check(json!({"run_type": null}), "it has no run_type");
    check(json!({"start_time": null}), "it has no start_time");
    check(json!({"end_time": "later"}), "end_time must be a time");
    check(json!({"parent_run_id": "p"}), "it has no trace_id");
    check(json!({"error": {"a": 1}}), "error must be a text");
    assert_eq!(steps("[]").unwrap_err(), "there are no runs in it");
    // Odd texts are no reason to lose a call.
    for odd in [
        json!({"inputs": {"messages": 3}, "outputs": []}),
        json!({"inputs": {"messages": [[["human", "hi"]]]}, "outputs": {"generations": [[]]}}),
        json!({"inputs": "{", "outputs": {"choices": {}}, "extra": 7, "tags": "one"}),
        json!({"dotted_order": "...", "prompt_tokens": -1, "completion_tokens": "x", "total_cost": {}}),
    ] {
        assert_eq!(read(odd.clone()).run_id, "r", "{odd}");
    }
}
