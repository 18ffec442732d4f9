//! A call as a step of ours, through the pipeline like any other, so that it is priced and shown as the calls of programs
//! are.

use domain::{Feature, NanoUsd, NewStep, ProjectId, ProviderKind, StepKind, StepStatus, Timestamp};
use engine::pricing::PriceTable;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::request::{Part, Request};
use super::send::Asked;
use super::wire::{recorded, recorded_part};
use super::{Models, OwnRun, budget};
use crate::auth::Caller;
use crate::clock;
use crate::pipeline::{DerivedStep, Submission};
use crate::step_builder::StepBuilder;

/// The label under which steps of ours stand among those of keys.
pub(super) const LABEL: &str = "plumbline";

/// A call that was made.
pub(super) struct Made<'a> {
    pub(super) project: ProjectId,
    pub(super) run: &'a OwnRun,
    pub(super) feature: Feature,
    pub(super) kind: ProviderKind,
    pub(super) requested_model: &'a str,
    pub(super) request: &'a Request,
    pub(super) started_at: Timestamp,
    pub(super) asked: &'a Asked,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recorded {
    pub(super) input_tokens: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    pub(super) cost: Option<NanoUsd>,
}

/// What a call came to, and the step that it is to be.
pub(super) fn step(made: &Made<'_>, prices: &PriceTable) -> (Recorded, Submission) {
    let step = StepBuilder::new(new_step(made)).or_cut();
    let derived = DerivedStep::of(&step, prices);
    // A request that was refused used nothing; one that nobody answered may have been worked at.
    let may_be_billed = matches!(
        made.asked.error_class.as_deref(),
        Some("timeout" | "disconnected")
    );
    let used_nothing = made.asked.result.is_err()
        && derived.usage_semantics.is_none()
        && !made.asked.heard.has_begun()
        && !may_be_billed;
    let recorded = Recorded {
        input_tokens: derived.tokens.input(),
        output_tokens: derived.tokens.output,
        cost: derived.cost.or(used_nothing.then_some(NanoUsd(0))),
    };
    let caller = Caller {
        project_id: made.project,
        key_label: LABEL.to_owned(),
        key_id: None,
    };
    let submission = Submission::new(&caller, clock::now(), vec![step], Vec::new());
    (recorded, submission)
}

/// Records a call. One that can't be written is said in the log: the answer is there all the same.
pub(super) async fn submit(models: &Models, project: ProjectId, submission: Submission) {
    if let Err(cause) = models.pipeline.submit(submission).await {
        tracing::warn!(project.id = %project, error = ?cause, "a call of ours to a model is not recorded as a step");
    }
}

fn new_step(made: &Made<'_>) -> NewStep {
    let asked = made.asked;
    let heard = &asked.heard;
    let used = engine::usage::from_provider(&heard.usage).filter(engine::usage::Usage::is_within_bounds);
    let used = used.unwrap_or_default();
    let model = heard
        .model
        .clone()
        .unwrap_or_else(|| made.requested_model.to_owned());
    let mut attributes = Map::new();
    attributes.insert("source".to_owned(), "plumbline".into());
    attributes.insert("feature".to_owned(), made.feature.as_str().into());
    if asked.attempts > 1 {
        attributes.insert("attempts".to_owned(), asked.attempts.into());
    }
    let latency_micros = i64::try_from(asked.latency.as_micros()).unwrap_or(i64::MAX);
    // Waits for a busy provider lie before it.
    let ended_at = clock::now();
    let started_at = ended_at.plus_micros(-latency_micros).max(made.started_at);
    NewStep {
        run_id: made.run.run_id.clone(),
        step_id: Uuid::now_v7().to_string(),
        parent_step_id: None,
        kind: StepKind::Llm,
        name: made.run.name.clone(),
        step_index: None,
        provider: budget::seller(made.kind).map(str::to_owned),
        request_model: Some(made.requested_model.to_owned()).filter(|asked| *asked != model),
        model: Some(model),
        started_at,
        ended_at: Some(ended_at),
        latency_ms: Some(asked.latency.as_secs_f64() * 1_000.0),
        ttft_ms: asked.first_token.map(|first| first.as_secs_f64() * 1_000.0),
        status: match asked.result {
            Ok(()) => StepStatus::Ok,
            Err(_) => StepStatus::Error,
        },
        error: asked.result.as_ref().err().map(ToString::to_string),
        error_class: asked.error_class.clone(),
        stop_reason: heard.stop.as_ref().map(|(_, word)| word.clone()),
        service_tier: used.service_tier,
        max_gap_ms: None,
        stream_incomplete: asked.result.is_err() && heard.has_begun() && !heard.is_complete,
        tokens: used.tokens,
        usage_details: used.details,
        web_searches: used.web_searches,
        reported_cost: used.reported_cost,
        environment: None,
        release: None,
        session_id: None,
        user_id: None,
        tags: vec![LABEL.to_owned()],
        tool_name: None,
        attributes,
        prompt_template: None,
        input: Some(recorded(made.request).to_string()),
        output: output(&heard.parts().unwrap_or_default()),
        events: Vec::new(),
    }
}

/// The answer's text, or the message it is where it calls tools.
fn output(parts: &[Part]) -> Option<String> {
    match parts {
        [] => None,
        [Part::Text(text)] => Some(text.clone()),
        _ => {
            let content: Vec<Value> = parts.iter().map(recorded_part).collect();
            Some(json!({ "role": "assistant", "content": content }).to_string())
        }
    }
}
