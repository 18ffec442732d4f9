//! What is recorded of a program: its spans, their fields and events, and how they belong together.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use plumbline_sdk::{
    Context, ExportError, Exporter, Span, SpanExt, Status, Trace, add_event, current_context, set_attributes,
    span, trace,
};
use serde_json::{Value, json};
use tracing::{Level, debug_span, error, info, info_span, instrument, warn};
use tracing_subscriber::prelude::*;

use crate::ingest_server::IngestServer;
use crate::program::{PATIENCE, options, said, traced};

/// What arrives of a program, by name.
fn steps_of(program: impl FnOnce()) -> std::collections::BTreeMap<String, Value> {
    let server = IngestServer::start();
    let (builder, warnings) = options(&server);
    let tracer = builder.build();
    traced(&tracer, program);
    assert!(tracer.flush(PATIENCE));
    assert_eq!(said(&warnings), Vec::<String>::new());
    server.by_name()
}

#[test]
fn spans_are_steps_of_one_run() {
    let steps = steps_of(|| {
        let run = trace!(
            "agent.handle_message",
            kind = "agent",
            session_id = "chat-1",
            attempt = 2_u64
        );
        run.in_scope(|| {
            add_event("request_received", json!({ "message_length": 5 }));
            span!("reasoning_loop").in_scope(|| {
                set_attributes(json!({ "temperature": 0.7 }));
                info!(tokens = 31, "reasoning_complete");
                let call = span!("draft", model = "m-1", prompt = "Hi", tags = "one");
                call.set("usage", json!({ "input_tokens": 3, "output_tokens": 2 }));
                call.set("output", "Hello");
            });
        });
    });
    let [run, reasoning, draft] =
        ["agent.handle_message", "reasoning_loop", "draft"].map(|name| &steps[name]);
    assert_eq!(steps.len(), 3);
    for step in [run, reasoning, draft] {
        assert_eq!(step["run_id"], run["run_id"]);
        assert_eq!(step["environment"], "test");
        assert_eq!(step["release"], "abc");
        assert_eq!(step["session_id"], "chat-1", "what is inside belongs to it too");
        assert!(step["latency_ms"].as_f64().unwrap() >= 0.0, "{step}");
    }
    assert_eq!(run["run_id"].as_str().unwrap().len(), 32);
    assert_eq!(run["kind"], "agent");
    assert_eq!(run.get("parent_step_id"), None);
    assert_eq!(run["attributes"], json!({ "attempt": 2 }));
    assert_eq!(run["events"][0]["name"], "request_received");
    assert_eq!(run["events"][0]["attributes"], json!({ "message_length": 5 }));
    assert_eq!(reasoning["kind"], "chain");
    assert_eq!(reasoning["parent_step_id"], run["step_id"]);
    assert_eq!(reasoning["attributes"], json!({ "temperature": 0.7 }));
    assert_eq!(reasoning["events"][0]["name"], "reasoning_complete");
    assert_eq!(reasoning["events"][0]["attributes"], json!({ "tokens": 31 }));
    assert_eq!(draft["parent_step_id"], reasoning["step_id"]);
    assert_eq!(draft["kind"], "llm");
    assert_eq!(draft["usage"], json!({ "input_tokens": 3, "output_tokens": 2 }));
    assert_eq!(
        (&draft["model"], &draft["prompt"], &draft["output_code"]),
        (&json!("m-1"), &json!("Hi"), &json!("Hello"))
    );
    assert_eq!(draft["tags"], json!(["one"]));
    assert_eq!(
        [run, reasoning, draft].map(|step| step["step_index"].as_u64()),
        [Some(0), Some(1), Some(2)]
    );
    assert!(run["started_at"].as_str().unwrap() <= draft["started_at"].as_str().unwrap());
}

#[test]
fn a_trace_begins_wherever_it_is_made() {
    let steps = steps_of(|| {
        trace!("outer").in_scope(|| {
            trace!("inner").in_scope(|| drop(span!("part")));
        });
        drop(span!("alone"));
    });
    let run_of = |name: &str| steps[name]["run_id"].as_str().unwrap().to_owned();
    assert_ne!(run_of("outer"), run_of("inner"));
    assert_eq!(run_of("part"), run_of("inner"));
    assert_eq!(steps["inner"].get("parent_step_id"), None);
    assert_ne!(run_of("alone"), run_of("outer"));
}

#[instrument(err, fields(kind = "tool"))]
fn fails(order: u32) -> Result<(), String> {
    Err(format!("order {order} is unknown"))
}

#[instrument(skip_all)]
async fn waits() {
    span!("inside").in_scope(|| ());
}

#[test]
fn functions_are_spans_and_errors_fail_them() {
    let steps = steps_of(|| {
        trace!("run").in_scope(|| fails(7).unwrap_err());
        span!("told").fail("out of stock");
        span!("warned").in_scope(|| warn!("nearly"));
        span!("worst").in_scope(|| error!(cause = "x", "it broke"));
    });
    let fails = &steps["fails"];
    assert_eq!(fails["kind"], "tool");
    assert_eq!(fails["attributes"], json!({ "order": 7 }));
    assert_eq!(fails["status_success"], false);
    assert_eq!(fails["error"], "order 7 is unknown");
    assert_eq!(fails["parent_step_id"], steps["run"]["step_id"]);
    assert_eq!(
        steps["run"].get("status_success"),
        None,
        "an error that is handled ends with its span"
    );
    assert_eq!(steps["told"]["error"], "out of stock");
    assert_eq!(steps["warned"].get("status_success"), None);
    assert_eq!(
        steps["warned"]["events"][0]["attributes"],
        json!({ "level": "WARN" })
    );
    assert_eq!(steps["worst"]["error"], "it broke");
}

#[test]
fn spans_follow_async_functions() {
    let steps = steps_of(|| {
        let run = trace!("run");
        let mut future = std::pin::pin!(tracing::Instrument::instrument(waits(), run));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_ready());
    });
    assert_eq!(steps["waits"]["parent_step_id"], steps["run"]["step_id"]);
    assert_eq!(steps["inside"]["parent_step_id"], steps["waits"]["step_id"]);
}

#[test]
fn threads_are_part_of_the_span_that_they_are_given() {
    const THREADS: usize = 8;
    const SPANS: usize = 500;
    let server = IngestServer::start();
    let (builder, _) = options(&server);
    let tracer = builder.build();
    let subscriber = tracing::Dispatch::new(tracing_subscriber::registry().with(tracer.layer()));
    let run = tracing::dispatcher::with_default(&subscriber, || trace!("run"));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                tracing::dispatcher::with_default(&subscriber, || {
                    for _ in 0..SPANS {
                        run.in_scope(|| span!("work").in_scope(|| add_event("done", json!({}))));
                    }
                });
            });
        }
    });
    drop(run);
    assert!(tracer.flush(PATIENCE));
    let steps = server.taken();
    assert_eq!(steps.len(), THREADS * SPANS + 1);
    let run = steps.iter().find(|step| step["step_name"] == "run").unwrap();
    let inside = |step: &&Value| step["parent_step_id"] == run["step_id"] && step["run_id"] == run["run_id"];
    assert_eq!(steps.iter().filter(inside).count(), THREADS * SPANS);
    let indexes: std::collections::BTreeSet<_> =
        steps.iter().map(|step| step["step_index"].as_u64()).collect();
    assert_eq!(indexes.len(), steps.len(), "each number once");
}

#[test]
fn finer_levels_are_passed_over() {
    let program = || {
        trace!("run").in_scope(|| {
            debug_span!("detail").in_scope(|| {
                tracing::debug!("too fine");
                drop(info_span!("part"));
            });
        });
    };
    let steps = steps_of(program);
    assert_eq!(steps.keys().collect::<Vec<_>>(), ["part", "run"]);
    assert_eq!(steps["part"]["parent_step_id"], steps["run"]["step_id"]);

    let server = IngestServer::start();
    let tracer = options(&server).0.max_level(Level::DEBUG).build();
    traced(&tracer, program);
    assert!(tracer.flush(PATIENCE));
    let steps = server.by_name();
    assert_eq!(steps["part"]["parent_step_id"], steps["detail"]["step_id"]);
    assert_eq!(steps["detail"]["events"][0]["name"], "too fine");
}

#[test]
fn a_trace_goes_on_in_another_process() {
    let mut header = None;
    let there = steps_of(|| {
        let run = trace!("caller");
        header = run.context().and_then(|context| context.traceparent());
        assert_eq!(run.in_scope(current_context), run.context());
        assert_eq!(current_context(), None);
    });
    let here = steps_of(|| {
        let context = Context::from_traceparent(&header.unwrap()).unwrap();
        let callee = span!("callee");
        callee.continue_from(&context);
        callee.in_scope(|| drop(span!("part")));
    });
    let caller = &there["caller"];
    assert_eq!(here["callee"]["run_id"], caller["run_id"]);
    assert_eq!(here["callee"]["parent_step_id"], caller["step_id"]);
    assert_eq!(here["part"]["run_id"], caller["run_id"]);
    assert_eq!(here["part"]["parent_step_id"], here["callee"]["step_id"]);
}

#[test]
fn a_panic_fails_the_spans_it_passes() {
    let steps = steps_of(|| {
        let result: thread::Result<()> = catch_unwind(|| {
            let _run = trace!("run").entered();
            let _part = span!("part").entered();
            panic!("on purpose");
        });
        result.unwrap_err();
        drop(span!("afterwards"));
    });
    for name in ["run", "part"] {
        assert_eq!(steps[name]["error"], "panicked");
    }
    assert_eq!(steps["afterwards"].get("status_success"), None);
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a Debug that panics")
    }
}

impl Exporter for Panics {
    fn export(&self, _: &Arc<Trace>) -> Result<(), ExportError> {
        panic!("an exporter that panics")
    }
}

#[test]
fn nothing_of_ours_reaches_the_caller() {
    let server = IngestServer::start();
    let (builder, warnings) = options(&server);
    let tracer = builder
        .redact(|span| {
            assert_ne!(span.name, "unlucky", "a hook that panics");
            Some(span)
        })
        .exporter(Panics)
        .build();
    traced(&tracer, || {
        span!("described", value = ?Panics).in_scope(|| info!(value = ?Panics, "event"));
        drop(span!("unlucky"));
    });
    assert!(tracer.flush(PATIENCE));
    let steps = server.by_name();
    assert_eq!(steps.keys().collect::<Vec<_>>(), ["described"]);
    assert_eq!(
        steps["described"]["attributes"],
        json!({ "value": "[unreadable]" })
    );
    let said = said(&warnings);
    assert_eq!(said.len(), 2, "each once: {said:?}");
    assert!(
        said.iter()
            .any(|message| message.contains("redaction hook panicked")),
        "{said:?}"
    );
    assert!(
        said.iter()
            .any(|message| message.contains("not exported: it panicked")),
        "{said:?}"
    );

    let tracer = options(&server)
        .0
        .on_warning(|_| panic!("nobody to tell"))
        .max_queue_steps(0)
        .build();
    traced(&tracer, || drop(span!("dropped")));
    assert_eq!(tracer.stats().dropped, 1);
}

#[test]
fn the_hook_decides_what_is_recorded() {
    let server = IngestServer::start();
    let kept: Arc<Mutex<Vec<Arc<Trace>>>> = Arc::default();
    struct Keep(Arc<Mutex<Vec<Arc<Trace>>>>);
    impl Exporter for Keep {
        fn export(&self, trace: &Arc<Trace>) -> Result<(), ExportError> {
            self.0.lock().unwrap().push(Arc::clone(trace));
            Ok(())
        }
    }
    let hide = |mut span: Span| {
        if span.name == "secret" {
            return None;
        }
        if span.attributes.contains_key("prompt") {
            span.attributes.insert("prompt".to_owned(), json!("[hidden]"));
        }
        Some(span)
    };
    let tracer = options(&server)
        .0
        .redact(hide)
        .exporter(Keep(Arc::clone(&kept)))
        .build();
    traced(&tracer, || {
        trace!("run").in_scope(|| {
            drop(span!("secret"));
            drop(span!("call", model = "m", prompt = "my card is 4111"));
        });
    });
    assert!(tracer.flush(PATIENCE));
    let steps = server.by_name();
    assert_eq!(steps.keys().collect::<Vec<_>>(), ["call", "run"]);
    assert_eq!(steps["call"]["prompt"], "[hidden]");
    let kept = kept.lock().unwrap();
    let [trace] = kept.as_slice() else {
        panic!("{} traces", kept.len());
    };
    assert_eq!(trace.spans.len(), 2, "exporters see no more than the server");
    assert_eq!(trace.spans[0].attributes["prompt"], "[hidden]");
    assert_eq!(trace.spans[1].status, Status::Ok);
    assert_eq!(trace.metadata["release"], "abc");
}

#[test]
fn where_nobody_listens_nothing_happens() {
    let server = IngestServer::start();
    let tracer = options(&server).0.enabled(false).build();
    traced(&tracer, || {
        let run = trace!("run");
        run.set("a", 1);
        run.fail("x");
        assert_eq!(run.context(), None);
    });
    // And without a subscriber.
    let run = trace!("run");
    run.set("a", 1);
    run.continue_from(
        &Context::from_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap(),
    );
    add_event("e", Value::Null);
    set_attributes(json!([1]));
    drop(run);
    assert!(tracer.flush(Duration::from_secs(1)));
    assert_eq!(server.taken(), Vec::<Value>::new());
}

#[test]
fn a_providers_json_fills_a_step() {
    let steps = steps_of(|| {
        let step = span!("answer");
        step.set_request(
            &json!({ "model": "claude-haiku", "messages": [{ "role": "user", "content": "Hi" }] }),
        );
        step.set_answer(&json!({
            "id": "msg_1", "type": "message", "model": "claude-haiku-4-5", "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": "Hello" }], "usage": { "input_tokens": 3, "output_tokens": 1 }
        }));
        let step = span!("else", provider = "groq");
        step.set_answer(&json!({ "choices": [{ "message": { "content": "Hi" } }] }));
    });
    let step = &steps["answer"];
    for (field, expected) in [
        ("kind", json!("llm")),
        ("provider", json!("anthropic")),
        ("model", json!("claude-haiku-4-5")),
        ("output_code", json!("Hello")),
        ("stop_reason", json!("end_turn")),
        ("usage", json!({ "input_tokens": 3, "output_tokens": 1 })),
        (
            "prompt",
            json!({ "model": "claude-haiku", "messages": [{ "role": "user", "content": "Hi" }] }),
        ),
        ("attributes", json!({ "gen_ai.response.id": "msg_1" })),
    ] {
        assert_eq!(step[field], expected, "{field}");
    }
    assert_eq!(steps["else"]["provider"], "groq");
    // Of a panic in the middle nothing is left over.
    assert!(catch_unwind(AssertUnwindSafe(|| span!("later").set_answer(&Value::Null))).is_ok());
}
