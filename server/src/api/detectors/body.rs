//! What is sent of a detector: all of it, or what is to change.

use domain::detector::{DetectorCondition, DetectorDraft, SampleRate, Template};
use domain::{ModelChoice, NanoUsd};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{HttpError, HttpResult};

/// A detector as it is to be; what is left out is as its template has it, or stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewDetector)]
pub(crate) struct DetectorBody {
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Needed of a new one.
    pub(super) template: Option<Template>,
    /// What a model is asked; the template's own where it is not sent.
    #[schema(max_length = 20_000)]
    prompt: Option<String>,
    /// A JSON schema: of the run's last output for the template `schema`, of `data` in the model's answer for others.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    schema: Option<Option<Value>>,
    /// The step that must not be missing, for the template `required_step`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    required_step: Option<Option<String>>,
    /// It judges runs for which all hold.
    #[schema(value_type = Option<Vec<Object>>, max_items = 20)]
    conditions: Option<Vec<DetectorCondition>>,
    /// Has to be true where there are no conditions.
    every_run: Option<bool>,
    /// How many of the matching runs it judges, by a hash of run and detector.
    #[schema(minimum = 0, maximum = 100)]
    sample_percent: Option<f64>,
    /// Dollars, as a number or a decimal text; null for no cap.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    daily_cap_usd: Option<Option<Dollars>>,
    enabled: Option<bool>,
    /// null for the model that the project's detectors use.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ModelChoice>)]
    model: Option<Option<ModelChoice>>,
}

/// What was sent, null as well.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An amount, exactly as it was written.
#[derive(Debug)]
struct Dollars(NanoUsd);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        NanoUsd::parse_decimal(text.trim())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("must be dollars, such as 0.50"))
    }
}

/// Reads a body; an error names the field.
pub(super) fn read_body(body: &[u8]) -> HttpResult<DetectorBody> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let sent: DetectorBody = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let field = path.split(['[', '.']).next().unwrap_or_default().to_owned();
        let cause = error.into_inner();
        match field.as_str() {
            "" | "?" => HttpError::invalid("body", format!("The detector can't be read: {cause}")),
            _ => HttpError::invalid(field.clone(), format!("{path}: {cause}")),
        }
    })?;
    if sent
        .sample_percent
        .is_some_and(|percent| SampleRate::from_percent(percent).is_none())
    {
        return Err(HttpError::invalid(
            "sample_percent",
            "sample_percent must be a number from 0 to 100",
        ));
    }
    Ok(sent)
}

impl DetectorBody {
    /// A detector with what was sent in place of what it had.
    pub(super) fn onto(self, mut draft: DetectorDraft) -> DetectorDraft {
        let definition = &mut draft.definition;
        if let Some(template) = self.template.filter(|template| *template != definition.template) {
            definition.template = template;
            // The prompt of another template says another thing.
            definition.prompt = template.prompt().to_owned();
        }
        if let Some(prompt) = self.prompt {
            definition.prompt = prompt;
        }
        if let Some(schema) = self.schema {
            definition.schema = schema;
        }
        if let Some(step) = self.required_step {
            definition.required_step = step;
        }
        if let Some(model) = self.model {
            definition.model = model;
        }
        if let Some(conditions) = self.conditions {
            draft.every_run = draft.every_run && conditions.is_empty() == definition.conditions.is_empty();
            definition.conditions = conditions;
        }
        if let Some(every_run) = self.every_run {
            draft.every_run = every_run;
        }
        if let Some(name) = self.name {
            draft.name = name;
        }
        if let Some(sample) = self.sample_percent.and_then(SampleRate::from_percent) {
            draft.sample = sample;
        }
        if let Some(cap) = self.daily_cap_usd {
            draft.daily_cap = cap.map(|dollars| dollars.0);
        }
        if let Some(enabled) = self.enabled {
            draft.enabled = enabled;
        }
        draft.tidied()
    }
}
