use domain::{CostSource, NanoUsd, Severity, TokenUsage};
use uuid::Uuid;

use super::*;

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
const BEGUN: Timestamp = Timestamp::from_micros(1_764_500_000_000_000);

fn step(step_id: &str, parent: Option<&str>, kind: StepKind) -> StepSummary {
    StepSummary {
        step_id: step_id.to_owned(),
        parent_step_id: parent.map(str::to_owned),
        name: "plan".to_owned(),
        kind,
        step_index: None,
        provider: Some("anthropic".to_owned()),
        model: Some("claude-haiku-4-5-20251001".to_owned()),
        request_model: Some("claude-haiku-4-5".to_owned()),
        started_at: BEGUN.plus_micros(1_000_000),
        ended_at: Some(BEGUN.plus_micros(3_500_000)),
        latency_ms: Some(2_500.0),
        ttft_ms: Some(420.0),
        status: StepStatus::Ok,
        error: Some("canary-error-text".to_owned()),
        error_class: None,
        stop_reason: Some("end_turn".to_owned()),
        service_tier: None,
        max_gap_ms: None,
        stream_incomplete: false,
        tokens: TokenUsage {
            input_fresh: Some(100),
            cache_read: Some(40),
            cache_write: None,
            cache_write_1h: None,
            output: Some(20),
            reasoning: Some(5),
        },
        usage_semantics: None,
        usage_details: domain::UsageDetails::default(),
        web_searches: None,
        price_version: None,
        template_fingerprint: None,
        cost_nano_usd: Some(NanoUsd(1_400_000)),
        cost_source: Some(CostSource::Computed),
        reported_cost_nano_usd: None,
        key_label: "prod".to_owned(),
        environment: None,
        release: None,
        tool_name: None,
        score: Some(90),
        threshold: Some(70),
        severity: Severity::Critical,
        stopped_at_layer: None,
        conditions: Vec::new(),
    }
}

fn run(steps: &[StepSummary]) -> RunSummary {
    RunSummary {
        run_id: "r1".to_owned(),
        name: "answer".to_owned(),
        partition_at: BEGUN,
        started_at: BEGUN,
        ended_at: BEGUN.plus_micros(4_000_000),
        latency_ms: 4_000.0,
        status: RunStatus::Error,
        key_label: "prod".to_owned(),
        environment: None,
        release: Some("9be04a7".to_owned()),
        session_id: Some("conversation-1".to_owned()),
        user_id: None,
        tags: Vec::new(),
        models: Vec::new(),
        step_count: steps.len() as i64,
        error_count: 0,
        tokens: TokenUsage::default(),
        cost_nano_usd: None,
        unpriced_steps: 0,
        score_max: None,
        severity: Severity::Critical,
        problem: None,
    }
}

fn envelopes(format: &dyn TraceFormat, steps: &[StepSummary]) -> (Vec<Vec<Value>>, usize) {
    let run = run(steps);
    let traced = TracedRun {
        project: PROJECT,
        slug: "support",
        public_key: "abc",
        public_url: "https://plumbline.acme.dev",
        environment: Some("production"),
        run: &run,
        steps,
        now: BEGUN.plus_micros(9_000_000),
    };
    let (written, cut) = format.envelopes(&traced);
    let envelopes = written
        .iter()
        .map(|bytes| {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(!text.contains("canary"), "no texts of steps: {text}");
            let lines: Vec<&str> = text.trim_end().split('\n').collect();
            let item: Value = serde_json::from_str(lines[1]).unwrap();
            assert_eq!(
                (lines.len(), item["length"].as_u64()),
                (3, Some(lines[2].len() as u64))
            );
            assert!(lines[2].len() <= 1024 * 1024, "{}", lines[2].len());
            lines
                .iter()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        })
        .collect();
    (envelopes, cut)
}

#[test]
fn a_run_is_a_transaction_whose_spans_are_calls_to_models() {
    let steps = [
        step("s1", None, StepKind::Agent),
        step("s2", Some("s1"), StepKind::Llm),
        step("s3", Some("lost"), StepKind::Tool),
    ];
    let (found, cut) = envelopes(&Transaction, &steps);
    assert_eq!((found.len(), cut), (1, 0));
    let (head, item, body) = (&found[0][0], &found[0][1], &found[0][2]);
    assert_eq!(
        (&item["type"], &head["event_id"]),
        (&json!("transaction"), &body["event_id"])
    );
    assert_eq!(head["trace"]["trace_id"], body["contexts"]["trace"]["trace_id"]);
    assert_eq!(
        (&body["transaction"], &body["release"], &body["environment"]),
        (&json!("answer"), &json!("9be04a7"), &json!("production"))
    );
    assert_eq!(body["contexts"]["trace"]["status"], "internal_error");
    let spans = body["spans"].as_array().unwrap();
    assert_eq!(spans[0]["parent_span_id"], body["contexts"]["trace"]["span_id"]);
    assert_eq!(spans[1]["parent_span_id"], spans[0]["span_id"]);
    assert_eq!(
        spans[2]["parent_span_id"], body["contexts"]["trace"]["span_id"],
        "its parent is not there"
    );
    let call = &spans[1];
    assert_eq!(
        (&call["op"], &call["description"]),
        (&json!("gen_ai.chat"), &json!("chat claude-haiku-4-5"))
    );
    assert_eq!(
        (call["start_timestamp"].as_f64(), call["timestamp"].as_f64()),
        (Some(1_764_500_001.0), Some(1_764_500_003.5))
    );
    let data = &call["data"];
    for (name, expected) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("anthropic")),
        ("gen_ai.system", json!("anthropic")),
        ("gen_ai.request.model", json!("claude-haiku-4-5")),
        ("gen_ai.response.model", json!("claude-haiku-4-5-20251001")),
        ("gen_ai.usage.input_tokens", json!(140)),
        ("gen_ai.usage.output_tokens", json!(20)),
        ("gen_ai.usage.cache_read.input_tokens", json!(40)),
        ("gen_ai.usage.cache_creation.input_tokens", Value::Null),
        ("gen_ai.usage.reasoning.output_tokens", json!(5)),
        ("gen_ai.cost.total_tokens", json!(0.0014)),
        ("gen_ai.conversation.id", json!("conversation-1")),
        ("gen_ai.response.time_to_first_chunk", json!(0.42)),
        ("plumbline.score", json!(90)),
    ] {
        assert_eq!(data[name], expected, "{name} in {data:#}");
    }
    // The same again is the same.
    assert_eq!(envelopes(&Transaction, &steps).0, found);
}

#[test]
fn spans_say_the_same_with_their_types_under_the_same_ids() {
    let steps = [step("s1", None, StepKind::Llm)];
    let transaction = envelopes(&Transaction, &steps).0.remove(0).remove(2);
    let (found, _) = envelopes(&Spans, &steps);
    let (head, item, items) = (&found[0][0], &found[0][1], &found[0][2]["items"]);
    assert_eq!((&item["type"], &item["item_count"]), (&json!("span"), &json!(2)));
    assert_eq!(item["content_type"], "application/vnd.sentry.items.span.v2+json");
    assert_eq!(head["trace"]["public_key"], "abc");
    assert!(head["event_id"].is_null());
    assert_eq!(
        (&items[0]["is_segment"], &items[1]["is_segment"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(items[1]["span_id"], transaction["spans"][0]["span_id"]);
    assert_eq!(items[1]["parent_span_id"], items[0]["span_id"]);
    assert_eq!(items[0]["trace_id"], transaction["contexts"]["trace"]["trace_id"]);
    let attributes = &items[1]["attributes"];
    assert_eq!(
        attributes["gen_ai.usage.input_tokens"],
        json!({ "type": "integer", "value": 140 })
    );
    assert_eq!(
        attributes["sentry.op"],
        json!({ "type": "string", "value": "gen_ai.chat" })
    );
    assert_eq!(attributes["sentry.segment.name"]["value"], "answer");
}

#[test]
fn a_run_that_is_too_large_is_cut_or_spread_over_envelopes() {
    let many: Vec<StepSummary> = (0..2_500)
        .map(|n| step(&format!("s{n}"), None, StepKind::Llm))
        .collect();
    let (found, cut) = envelopes(&Transaction, &many);
    let spans = found[0][2]["spans"].as_array().unwrap().len();
    assert!(spans > 500 && spans + cut == 2_500, "{spans} {cut}");
    assert_eq!(
        found[0][2]["contexts"]["trace"]["data"]["plumbline.steps_left_out"],
        cut
    );
    let (found, cut) = envelopes(&Spans, &many);
    let spans: usize = found
        .iter()
        .map(|envelope| envelope[2]["items"].as_array().unwrap().len())
        .sum();
    assert_eq!((spans, cut), (2_501, 0));
    assert!(found.len() >= 3);
}

#[test]
fn the_format_is_the_projects() {
    assert_eq!(format_of(&json!({ "format": "spans" })).category(), "span");
    assert_eq!(
        format_of(&json!({ "format": "transaction" })).category(),
        "transaction"
    );
    assert_eq!(format_of(&json!({})).category(), "transaction");
}
