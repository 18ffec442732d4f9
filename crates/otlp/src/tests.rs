use domain::{NewStep, StepKind, StepStatus, Timestamp};
use engine::usage::normalise;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::{Any, AnyValue, ArrayValue, KeyValue, ResourceSpans, ScopeSpans, Span};

const RECEIVED_AT: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn any(value: &Value) -> AnyValue {
    let value = match value {
        Value::String(text) => Any::String(text.clone()),
        Value::Bool(yes) => Any::Bool(*yes),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Any::Int(integer),
            None => Any::Double(number.as_f64().unwrap()),
        },
        Value::Array(items) => Any::Array(ArrayValue {
            values: items.iter().map(any).collect(),
        }),
        other => panic!("{other}"),
    };
    AnyValue { value: Some(value) }
}

fn pairs(attributes: &Value) -> Vec<KeyValue> {
    let pair = |(key, value): (&String, &Value)| KeyValue {
        key: key.clone(),
        value: Some(any(value)),
    };
    attributes.as_object().unwrap().iter().map(pair).collect()
}

fn span(attributes: &Value) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "chat".to_owned(),
        start_time_unix_nano: 1_795_000_000_000_000_000,
        end_time_unix_nano: 1_795_000_000_640_000_000,
        attributes: pairs(attributes),
        ..Span::default()
    }
}

fn read_all(spans: Vec<Span>) -> ReadSpans {
    let of_scope = ScopeSpans { scope: None, spans };
    let of_resource = ResourceSpans {
        resource: None,
        scope_spans: vec![of_scope],
    };
    read(
        TracesData {
            resource_spans: vec![of_resource],
        },
        RECEIVED_AT,
    )
}

fn step(attributes: &Value) -> NewStep {
    step_of(span(attributes))
}

fn step_of(span: Span) -> NewStep {
    read_all(vec![span]).spans.remove(0).step
}

/// The same call (1,200 tokens in, of them 1,000 read from the cache; 90 out, of them 40 of reasoning) as every dialect
/// reports it.
#[test]
fn every_dialect_tells_the_same_call() {
    let check = |dialect: &str, attributes: Value| {
        let step = step(&attributes);
        assert_eq!(step.kind, StepKind::Llm, "{dialect}");
        assert_eq!(step.model.as_deref(), Some("gpt-4o-2024-08-06"), "{dialect}");
        assert_eq!(step.stop_reason.as_deref(), Some("stop"), "{dialect}");
        let (tokens, _) = normalise(&step.tokens);
        let found = (
            tokens.input_fresh,
            tokens.cache_read,
            tokens.output,
            tokens.reasoning,
        );
        assert_eq!(found, (Some(200), Some(1_000), Some(90), Some(40)), "{dialect}");
        assert_eq!(
            (step.session_id.as_deref(), step.user_id.as_deref()),
            (Some("s-1"), Some("u-1")),
            "{dialect}"
        );
    };
    check(
        "semantic conventions before 1.37",
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90,
            "gen_ai.usage.cache_read_input_tokens": 1000, "gen_ai.usage.reasoning_tokens": 40,
            "session.id": "s-1", "enduser.id": "u-1",
        }),
    );
    check(
        "semantic conventions 1.37 to 1.41",
        json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90,
            "gen_ai.usage.cache_read.input_tokens": 1000, "gen_ai.usage.reasoning.output_tokens": 40,
            "gen_ai.conversation.id": "s-1", "user.id": "u-1",
        }),
    );
    check(
        "OpenInference",
        json!({
            "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-2024-08-06", "llm.finish_reason": "stop",
            "llm.token_count.prompt": 1200, "llm.token_count.completion": 90, "llm.token_count.total": 1290,
            "llm.token_count.prompt_details.cache_read": 1000,
            "llm.token_count.completion_details.reasoning": 40, "session.id": "s-1", "user.id": "u-1",
        }),
    );
    check(
        "OpenLLMetry",
        json!({
            "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.usage.prompt_tokens": 1200, "gen_ai.usage.completion_tokens": 90,
            "llm.usage.total_tokens": 1290, "gen_ai.usage.cache_read_input_tokens": 1000,
            "gen_ai.usage.reasoning_tokens": 40, "traceloop.association.properties.session_id": "s-1",
            "traceloop.association.properties.user_id": "u-1",
        }),
    );
    check(
        "the Vercel AI SDK",
        json!({
            "ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-4o",
            "ai.model.provider": "openai.chat", "ai.response.model": "gpt-4o-2024-08-06",
            "ai.response.finishReason": "stop", "ai.usage.inputTokens": 1200, "ai.usage.outputTokens": 90,
            "ai.usage.totalTokens": 1290, "ai.usage.cachedInputTokens": 1000, "ai.usage.reasoningTokens": 40,
            "ai.telemetry.metadata.sessionId": "s-1", "ai.telemetry.metadata.userId": "u-1",
        }),
    );
    check(
        "Langfuse",
        json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ["stop"],
            "langfuse.observation.usage_details":
                "{\"input\":200,\"input_cached_tokens\":1000,\"output\":50,\"output_reasoning_tokens\":40,\"total\":1290}",
            "langfuse.session.id": "s-1", "langfuse.user.id": "u-1",
        }),
    );
    check(
        "Langfuse around OpenAI's client",
        json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ["stop"],
            "langfuse.observation.usage_details":
                "{\"completion_tokens\":90,\"prompt_tokens\":1200,\"total_tokens\":1290,\"completion_tokens_details\":{\"reasoning_tokens\":40},\"prompt_tokens_details\":{\"cached_tokens\":1000}}",
            "session.id": "s-1", "user.id": "u-1",
        }),
    );
    check(
        "TraceRoot",
        json!({
            "traceroot.span.type": "LLM", "traceroot.llm.model": "gpt-4o-2024-08-06", "llm.finish_reason": "stop",
            "traceroot.llm.usage":
                "{\"prompt_tokens\":1200,\"completion_tokens\":90,\"total_tokens\":1290,\"prompt_tokens_details\":{\"cached_tokens\":1000},\"completion_tokens_details\":{\"reasoning_tokens\":40}}",
            "traceroot.trace.session_id": "s-1", "traceroot.trace.user_id": "u-1",
        }),
    );
}

#[test]
fn kinds() {
    let check = |attributes: Value, kind: StepKind| assert_eq!(step(&attributes).kind, kind, "{attributes}");
    check(json!({"gen_ai.operation.name": "execute_tool"}), StepKind::Tool);
    check(
        json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}),
        StepKind::Agent,
    );
    check(
        json!({"gen_ai.operation.name": "embeddings"}),
        StepKind::Embedding,
    );
    check(
        json!({"openinference.span.kind": "RETRIEVER"}),
        StepKind::Retrieval,
    );
    check(json!({"openinference.span.kind": "llm"}), StepKind::Llm);
    check(json!({"traceloop.span.kind": "workflow"}), StepKind::Chain);
    check(
        json!({"langfuse.observation.type": "guardrail"}),
        StepKind::Guardrail,
    );
    check(json!({"traceroot.span.type": "AGENT"}), StepKind::Agent);
    check(
        json!({"ai.operationId": "ai.generateText", "ai.model.id": "m"}),
        StepKind::Agent,
    );
    check(json!({"ai.operationId": "ai.toolCall"}), StepKind::Tool);
    check(json!({"gen_ai.request.model": "m"}), StepKind::Llm);
    check(json!({"http.request.method": "GET"}), StepKind::Other);
}

#[test]
fn texts_of_tools_documents_and_embeddings() {
    let check = |attributes: Value, input: Option<&str>, output: Option<&str>| {
        let step = step(&attributes);
        assert_eq!(
            (step.input.as_deref(), step.output.as_deref()),
            (input, output),
            "{attributes}"
        );
        assert!(
            step.attributes
                .keys()
                .all(|key| !key.contains("value") && !key.contains("result")),
            "{step:?}"
        );
    };
    check(
        json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": "{\"a\":1}", "gen_ai.tool.call.result": "2"}),
        Some("{\"a\":1}"),
        Some("2"),
    );
    check(
        json!({"ai.operationId": "ai.toolCall", "ai.toolCall.args": "{}", "ai.toolCall.result": "\"wet\""}),
        Some("{}"),
        Some("\"wet\""),
    );
    check(
        json!({"openinference.span.kind": "RETRIEVER", "input.value": "coats", "output.value": "raw",
            "retrieval.documents.0.document.content": "A coat.", "retrieval.documents.0.document.score": 0.5}),
        Some("coats"),
        Some("[{\"content\":\"A coat.\",\"score\":0.5}]"),
    );
    check(
        json!({"openinference.span.kind": "EMBEDDING", "embedding.embeddings.0.embedding.text": "coat",
            "embedding.embeddings.0.embedding.vector": [0.1, 0.2]}),
        Some("coat"),
        None,
    );
    check(
        json!({"traceloop.span.kind": "task", "traceloop.entity.input": "{\"args\":[1]}", "traceloop.entity.output": "3"}),
        Some("{\"args\":[1]}"),
        Some("3"),
    );
}

#[test]
fn what_is_not_known_is_kept() {
    let step = step(
        &json!({"gen_ai.request.model": "m", "my.own": 5, "gen_ai.prompt.name": "greeting",
        "gen_ai.input.messages": "[]"}),
    );
    assert_eq!(step.attributes["my.own"], 5);
    assert_eq!(step.attributes["gen_ai.prompt.name"], "greeting");
    assert!(!step.attributes.contains_key("gen_ai.input.messages"));
}

#[test]
fn headers_of_calls_are_not_kept() {
    let step = step(
        &json!({"gen_ai.request.model": "m", "gen_ai.headers": "{'x-key': 'secret'}",
        "ai.request.headers.authorization": "Bearer secret"}),
    );
    assert!(!format!("{step:?}").contains("secret"));
}

#[test]
fn failures_and_times() {
    let mut failed = span(&json!({"error.type": "rate_limit"}));
    failed.status = Some(wire::Status {
        code: 2,
        message: String::new(),
    });
    failed.events.push(wire::Event {
        name: "exception".to_owned(),
        time_unix_nano: 0,
        attributes: pairs(&json!({"exception.type": "RateLimitError", "exception.message": "slow down"})),
    });
    let step = step_of(failed);
    assert_eq!(step.status, StepStatus::Error);
    assert_eq!(step.error.as_deref(), Some("slow down"));
    assert_eq!(step.error_class.as_deref(), Some("rate_limit"));
    assert_eq!(step.events.len(), 1);
    assert_eq!(step.latency_ms, Some(640.0));

    let mut open = span(&json!({}));
    open.end_time_unix_nano = 0;
    let step = step_of(open);
    assert_eq!(
        (step.status, step.ended_at, step.latency_ms),
        (StepStatus::Running, None, None)
    );

    let mut timeless = span(&json!({}));
    (timeless.start_time_unix_nano, timeless.end_time_unix_nano) = (0, 0);
    assert_eq!(step_of(timeless).started_at, RECEIVED_AT);

    let mut backwards = span(&json!({}));
    backwards.end_time_unix_nano = backwards.start_time_unix_nano - 5_000_000;
    let step = step_of(backwards);
    assert_eq!(
        (step.latency_ms, step.ended_at),
        (Some(-5.0), Some(step.started_at))
    );

    let mut far = span(&json!({}));
    far.end_time_unix_nano = u64::MAX;
    assert!(step_of(far).latency_ms.is_some());
}

#[test]
fn spans_without_ids_are_counted() {
    let with = |trace_id: Vec<u8>, span_id: Vec<u8>| Span {
        trace_id,
        span_id,
        ..span(&json!({}))
    };
    let spans = vec![
        with(vec![1; 16], vec![1; 8]),
        with(vec![0; 16], vec![1; 8]),
        with(vec![1; 16], vec![0; 8]),
        with(vec![1; 8], vec![1; 8]),
        with(vec![], vec![]),
    ];
    let read = read_all(spans);
    assert_eq!((read.spans.len(), read.without_ids), (1, 4));
    assert_eq!(read.spans[0].step.run_id, "01".repeat(16));
    assert_eq!(read.spans[0].step.step_id, "01".repeat(8));
}

#[test]
fn which_spans_are_of_those_who_call_models() {
    let check = |attributes: Value, expected: bool| {
        assert_eq!(
            read_all(vec![span(&attributes)]).spans[0].is_of_a_model,
            expected,
            "{attributes}"
        );
    };
    check(json!({"http.request.method": "GET", "session.id": "s"}), false);
    check(json!({"gen_ai.operation.name": "chat"}), true);
    check(json!({"openinference.span.kind": "CHAIN"}), true);
    check(json!({"db.system": "postgresql"}), false);
    check(json!({}), false);
}

#[test]
fn attributes_are_bounded() {
    let mut many: serde_json::Map<String, Value> = (0..10_000)
        .map(|n| (format!("key.{n:05}"), json!("v".repeat(50))))
        .collect();
    many.insert("a.text".to_owned(), json!("x".repeat(5 * 1024 * 1024)));
    let step = step(&Value::Object(many));
    assert!(serde_json::to_string(&step.attributes).unwrap().len() < 256 * 1024);
    assert!(step.attributes["attributes_left_out"].as_u64().unwrap() > 1_000);
    let text = step.attributes["a.text"].as_str().unwrap();
    assert!(text.len() < 20_000 && text.ends_with('…'));
}

proptest! {
    #[test]
    fn any_key_and_text_is_read(keys in prop::collection::vec("(llm|gen_ai|ai)\\.(input_messages|prompt|completion|usage|tools)(\\.[0-9a-z]{1,3}){0,20}", 0..20), text in "\\PC{0,60}") {
        let attributes: serde_json::Map<String, Value> = keys.into_iter().map(|key| (key, json!(text))).collect();
        let read = read_all(vec![span(&Value::Object(attributes))]);
        prop_assert_eq!(read.spans.len(), 1);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(proptest::num::u8::ANY, 0..400)) {
        for data in [wire::of_protobuf(&bytes), wire::of_json(&bytes)].into_iter().flatten() {
            read(data, RECEIVED_AT);
        }
    }
}

/// However long a resource's words are, each span's copy of them is short.
#[test]
fn what_spans_share_is_short() {
    let long = "s".repeat(1_000_000);
    let of_resource = ResourceSpans {
        resource: Some(crate::wire::Resource {
            attributes: pairs(&json!({ "session.id": long, "service.name": long, "host.ip": [long] })),
        }),
        scope_spans: vec![ScopeSpans {
            scope: None,
            spans: vec![span(&json!({ "gen_ai.request.model": "gpt-4o" }))],
        }],
    };
    let data = TracesData {
        resource_spans: vec![of_resource],
    };
    let step = read(data, RECEIVED_AT).spans.remove(0).step;
    assert!(step.session_id.unwrap().len() < 300);
    assert!(serde_json::to_string(&step.attributes).unwrap().len() < 2_000);
}

/// Before its sixth version the Vercel AI SDK says nothing of what was written to the cache, and counts what was read
/// from it beside its input; Anthropic's own object stands beside.
#[test]
fn what_anthropic_says_of_the_cache_is_believed_beside_the_vercel_sdk() {
    let step = step(&json!({
        "ai.operationId": "ai.streamText.doStream", "ai.model.id": "claude-sonnet-4-5",
        "ai.usage.inputTokens": 4, "ai.usage.cachedInputTokens": 0, "ai.usage.outputTokens": 104,
        "ai.usage.totalTokens": 108,
        "ai.response.providerMetadata":
            r#"{"anthropic":{"usage":{"input_tokens":4,"cache_creation_input_tokens":2183,"cache_read_input_tokens":3000,"output_tokens":1}}}"#,
    }));
    let (tokens, _) = normalise(&step.tokens);
    assert_eq!(
        (
            tokens.input_fresh,
            tokens.cache_read,
            tokens.cache_write,
            tokens.output
        ),
        (Some(4), Some(3_000), Some(2_183), Some(104))
    );
}
