//! A run as it is being made up: steps with times relative to its beginning.

use domain::step::ReportedTokens;
use domain::{NewStep, StepKind, StepStatus, Timestamp};
use serde_json::Map;

/// A model, and how quickly it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    provider: &'static str,
    name: &'static str,
    first_token_ms: u32,
    tokens_a_second: u32,
}

pub(super) const HAIKU: Model = Model {
    provider: "anthropic",
    name: "claude-haiku-4-5",
    first_token_ms: 340,
    tokens_a_second: 140,
};
pub(super) const SONNET: Model = Model {
    provider: "anthropic",
    name: "claude-sonnet-4-6",
    first_token_ms: 620,
    tokens_a_second: 75,
};
/// A model of the desk's own, for which nobody has a price.
pub(super) const OWN: Model = Model {
    provider: "in-house",
    name: "desk-digest-7b",
    first_token_ms: 900,
    tokens_a_second: 40,
};
pub(super) const EMBEDDING: Model = Model {
    provider: "openai",
    name: "text-embedding-3-small",
    first_token_ms: 120,
    tokens_a_second: 0,
};

impl Model {
    /// How long an answer of so many tokens usually takes, in milliseconds.
    pub(super) fn usual_ms(self, output_tokens: i64) -> f64 {
        let writing_ms = match self.tokens_a_second {
            0 => 0.0,
            a_second => output_tokens as f64 * 1_000.0 / f64::from(a_second),
        };
        f64::from(self.first_token_ms) + writing_ms
    }
}

/// Steps of one run, and what they have in common.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    /// The series the run belongs to.
    pub(super) key_label: &'static str,
    pub(super) steps: Vec<NewStep>,
    began: Timestamp,
    shared: NewStep,
}

impl Recording {
    pub(super) fn new(run_id: impl Into<String>, key_label: &'static str, began: Timestamp) -> Self {
        Self {
            key_label,
            steps: Vec::new(),
            began,
            shared: blank_step(run_id.into(), began),
        }
    }

    /// What every step added from now on says.
    pub(super) fn shared(&mut self) -> &mut NewStep {
        &mut self.shared
    }

    /// When the last step of all ended.
    pub(super) fn ended_at(&self) -> Timestamp {
        let ends = self.steps.iter().filter_map(|step| step.ended_at);
        ends.max().unwrap_or(self.began)
    }

    /// Adds a step; its id is its name, numbered where it occurs again.
    pub(super) fn step(
        &mut self,
        name: &str,
        kind: StepKind,
        parent: Option<&str>,
        (from_ms, to_ms): (f64, f64),
    ) -> &mut NewStep {
        let earlier = self.steps.iter().filter(|step| step.name == name).count();
        let started_at = self.began.plus_micros(micros(from_ms));
        let step = NewStep {
            step_id: if earlier == 0 {
                name.to_owned()
            } else {
                format!("{name}-{}", earlier + 1)
            },
            parent_step_id: parent.map(str::to_owned),
            kind,
            name: name.to_owned(),
            step_index: i32::try_from(self.steps.len()).ok(),
            tool_name: (kind == StepKind::Tool).then(|| name.to_owned()),
            started_at,
            ended_at: Some(self.began.plus_micros(micros(to_ms))),
            // As clocks measure it: whole microseconds.
            latency_ms: Some((micros(to_ms) - micros(from_ms)) as f64 / 1_000.0),
            ..self.shared.clone()
        };
        let place = self.steps.len();
        self.steps.push(step);
        &mut self.steps[place]
    }
}

fn micros(ms: f64) -> i64 {
    (ms * 1_000.0) as i64
}

/// A model's answer: what was asked, what came, and its tokens, which follow from the texts.
pub(super) fn answered<'a>(
    step: &'a mut NewStep,
    model: Model,
    prompt: &str,
    answer: &str,
) -> &'a mut NewStep {
    step.provider = Some(model.provider.to_owned());
    step.model = Some(model.name.to_owned());
    step.input = Some(prompt.to_owned());
    step.tokens.input = Some(tokens_of(prompt));
    if step.kind == StepKind::Embedding {
        return step;
    }
    step.output = Some(answer.to_owned());
    step.tokens.output = Some(tokens_of(answer));
    step.stop_reason = Some("end_turn".to_owned());
    let latency_ms = step.latency_ms.unwrap_or_default();
    let first_ms = f64::from(model.first_token_ms).min(latency_ms * 0.8);
    step.ttft_ms = Some(first_ms.round());
    step
}

/// A failure: nothing came back, and nobody bills for that.
pub(super) fn failed<'a>(step: &'a mut NewStep, class: &str, error: &str) -> &'a mut NewStep {
    step.status = StepStatus::Error;
    step.error = Some(error.to_owned());
    step.error_class = Some(class.to_owned());
    step.output = None;
    step.tokens = ReportedTokens::default();
    step.stop_reason = None;
    step.ttft_ms = None;
    step
}

/// What went into a tool and came out of it.
pub(super) fn called<'a>(step: &'a mut NewStep, input: &str, output: &str) -> &'a mut NewStep {
    step.input = Some(input.to_owned());
    step.output = Some(output.to_owned());
    step
}

/// About four characters of English are a token, and JSON takes more of them.
pub(super) fn tokens_of(text: &str) -> i64 {
    let characters = text.chars().count() as i64;
    let marks = text.chars().filter(|c| "{}[]\",:".contains(*c)).count() as i64;
    ((characters - marks) / 4 + marks / 2).max(1)
}

/// A chat as the SDK sends it.
pub(super) fn chat(system: &str, user: &str) -> String {
    serde_json::json!({ "system": system, "messages": [{ "role": "user", "content": user }] }).to_string()
}

fn blank_step(run_id: String, began: Timestamp) -> NewStep {
    NewStep {
        run_id,
        step_id: String::new(),
        parent_step_id: None,
        kind: StepKind::Other,
        name: String::new(),
        step_index: None,
        provider: None,
        request_model: None,
        model: None,
        started_at: began,
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
        tokens: ReportedTokens::default(),
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
