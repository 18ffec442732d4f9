//! The run to begin with: an agent whose answer fails three times because of what its first step left out.
//!
//! `parse-request` stops in the middle of its JSON; `enrich-context` gets the half of it, waits and answers `null`;
//! `generate-response` wants to read `entities` of that. Beside it an agent asks the same question seventeen times.

use domain::{StepEvent, StepKind, Timestamp};
use serde_json::{Map, json};

use super::CASCADE_RUN;
use super::desk::{ENRICH, PARSE, PLAN, PLANNER, RESPOND};
use super::recording::{EMBEDDING, HAIKU, Recording, SONNET, answered, called, chat, failed};

const MESSAGE: &str = "Hi, order A-1042 arrived with one keyboard (KB-88) instead of two. I would like my money back for the missing one.";
/// Ends inside the array: two brackets stay open.
const BROKEN: &str = r#"{
  "intent": "refund",
  "entities": [
    { "type": "order", "id": "A-1042" },
    { "type": "item", "sku": "KB-88", "qty": 2 }"#;
const READING_NOTHING: &str = "TypeError: Cannot read properties of null (reading 'entities')\n    at generateResponse (answer.ts:88:31)\n    at async answerTicket (answer.ts:41:17)";

const CASCADE_KEY: &str = "support-agent";
const ROOT: &str = "resolve-ticket";
const GATHER: &str = "gather-context";
const TRIAGE: &str = "triage";
const ANSWER: &str = "answer-ticket";
const LASTS_MS: f64 = 38_640.0;
/// How long before `now` it ended.
const ENDED_AGO_MS: f64 = 96_000.0;
/// How often the agent asks the same.
const SAME_QUESTIONS: u32 = 17;

pub(super) fn recording(now: Timestamp) -> Recording {
    let began = now.plus_micros(-((ENDED_AGO_MS + LASTS_MS) * 1_000.0) as i64);
    // A key of its own: one bad run of a quiet hour is no change of what internal-tools usually does.
    let mut run = Recording::new(CASCADE_RUN, CASCADE_KEY, began);
    let shared = run.shared();
    shared.environment = Some("production".to_owned());
    shared.release = Some("9be04a7".to_owned());
    shared.session_id = Some("s-4c1f90".to_owned());
    shared.user_id = Some("u-2093".to_owned());
    shared.tags = vec!["agent".to_owned(), "refund".to_owned()];

    let root = run.step(ROOT, StepKind::Agent, None, (0.0, LASTS_MS));
    called(root, MESSAGE, "");
    failed(root, "TypeError", "generate-response failed three times");
    let step = run.step("guard-input", StepKind::Guardrail, Some(ROOT), (30.0, 214.0));
    called(step, MESSAGE, r#"{"allowed":true}"#);
    let step = run.step("plan", StepKind::Llm, Some(ROOT), (226.0, 3_366.0));
    answered(step, SONNET, &chat(PLANNER, MESSAGE), PLAN);
    step.tokens.cache_read = Some(2_048);
    gather(&mut run);
    triage(&mut run);
    answer(&mut run);
    run
}

fn gather(run: &mut Recording) {
    run.step(GATHER, StepKind::Chain, Some(ROOT), (3_380.0, 13_402.0));
    let step = run.step(
        "embed-question",
        StepKind::Embedding,
        Some(GATHER),
        (3_396.0, 3_562.0),
    );
    answered(step, EMBEDDING, MESSAGE, "");
    let step = run.step("search-kb", StepKind::Retrieval, Some(GATHER), (3_574.0, 4_428.0));
    called(step, MESSAGE, r#"{"passages":[4,1,7,2]}"#);
    for (shard, from_ms, to_ms) in [
        (0, 3_580.0, 3_902.0),
        (1, 3_580.0, 4_424.0),
        (2, 3_582.0, 4_011.0),
        (3, 3_584.0, 3_760.0),
    ] {
        let step = run.step(
            &format!("kb.shard-{shard}"),
            StepKind::Tool,
            Some("search-kb"),
            (from_ms, to_ms),
        );
        called(
            step,
            &json!({ "shard": shard, "top": 4 }).to_string(),
            r#"{"found":4}"#,
        );
    }
    let step = run.step("crm.lookup", StepKind::Tool, Some(GATHER), (3_574.0, 4_183.0));
    called(
        step,
        r#"{"user":"u-2093"}"#,
        r#"{"customer":"known","since":2021}"#,
    );
    let passages = "Passage 4: missing parts are sent again or paid back.\nPassage 1: refunds arrive within a week.\nPassage 7: keyboards are in stock.\nPassage 2: lamps travel by road.";
    let step = run.step("rank-passages", StepKind::Llm, Some(GATHER), (4_440.0, 6_104.0));
    let prompt = chat(
        "You order passages by how well they answer a question.",
        &format!("{MESSAGE}\n\n{passages}"),
    );
    answered(
        step,
        HAIKU,
        &prompt,
        "Passages 4, 1 and 7 answer it best, in this order. Passage 2 has nothing to do with it.",
    );
    let wanted = r#"{"order":"A-1042"}"#;
    let step = run.step("orders.fetch", StepKind::Tool, Some(GATHER), (6_120.0, 8_404.0));
    called(step, wanted, "");
    failed(step, "upstream_unavailable", "503 from orders-api");
    step.attributes = attributes(&[("http.response.status_code", json!(503))]);
    let step = run.step("orders.fetch", StepKind::Tool, Some(GATHER), (10_404.0, 13_388.0));
    called(
        step,
        wanted,
        r#"{"order":"A-1042","lines":[{"sku":"KB-88","ordered":2,"sent":1}]}"#,
    );
    step.events = vec![StepEvent {
        at: step.started_at,
        name: "retry".to_owned(),
        attributes: attributes(&[("attempt", json!(2)), ("waited_ms", json!(2_000))]),
    }];
}

fn triage(run: &mut Recording) {
    const SYSTEM: &str = "You decide what happens next on a ticket.";
    run.step(TRIAGE, StepKind::Agent, Some(ROOT), (13_420.0, 27_080.0));
    let step = run.step("decide-next", StepKind::Llm, Some(TRIAGE), (13_440.0, 15_022.0));
    let prompt = chat(
        SYSTEM,
        &format!("The order has two keyboards, the parcel had one.\n{MESSAGE}"),
    );
    answered(
        step,
        SONNET,
        &prompt,
        "Ask the orders service when the second keyboard was sent, before anything is promised.",
    );
    step.tokens.cache_read = Some(2_048);
    let prompt = chat(SYSTEM, &format!("When was the second keyboard sent?\n{MESSAGE}"));
    for question in 0..SAME_QUESTIONS {
        let from_ms = 15_040.0 + f64::from(question) * 656.0;
        let step = run.step(
            "decide-next",
            StepKind::Llm,
            Some(TRIAGE),
            (from_ms, from_ms + 640.0),
        );
        answered(
            step,
            SONNET,
            &prompt,
            "The orders service does not say. Ask it once more for order A-1042.",
        );
        step.tokens.cache_read = Some(2_048);
    }
    let step = run.step("handoff", StepKind::Tool, Some(TRIAGE), (26_196.0, 27_062.0));
    called(step, r#"{"to":"answer-ticket"}"#, r#"{"ok":true}"#);
}

fn answer(run: &mut Recording) {
    let step = run.step(ANSWER, StepKind::Chain, Some(ROOT), (27_096.0, 38_604.0));
    failed(step, "TypeError", "generate-response failed three times");
    let step = run.step("parse-request", StepKind::Llm, Some(ANSWER), (27_120.0, 28_480.0));
    answered(step, HAIKU, &chat(PARSE, MESSAGE), BROKEN);
    step.ttft_ms = Some(412.0);
    step.prompt_template = Some(format!("{PARSE}\n\n{{{{message}}}}"));
    let step = run.step(
        "enrich-context",
        StepKind::Llm,
        Some(ANSWER),
        (28_498.0, 34_898.0),
    );
    answered(
        step,
        HAIKU,
        &chat(ENRICH, &format!("The request:\n{BROKEN}")),
        "null",
    );
    let prompt = chat(RESPOND, &format!("{MESSAGE}\n\nContext: null"));
    for (attempt, from_ms, to_ms) in [
        (1, 34_920.0, 35_641.0),
        (2, 36_141.0, 36_832.0),
        (3, 37_332.0, 37_911.0),
    ] {
        let step = run.step("generate-response", StepKind::Llm, Some(ANSWER), (from_ms, to_ms));
        answered(step, SONNET, &prompt, "");
        failed(step, "TypeError", READING_NOTHING);
        step.attributes = attributes(&[("attempt", json!(attempt))]);
    }
    let step = run.step(
        "notify-oncall",
        StepKind::Tool,
        Some(ANSWER),
        (37_930.0, 38_590.0),
    );
    called(
        step,
        r#"{"ticket":"A-1042","why":"no reply could be written"}"#,
        r#"{"ok":true}"#,
    );
}

fn attributes(pairs: &[(&str, serde_json::Value)]) -> Map<String, serde_json::Value> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
