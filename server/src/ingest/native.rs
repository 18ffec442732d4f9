//! The native body: what trace.ai's SDK sends, and more. See docs/ingest.md for the fields.

mod used;

use domain::{NewStep, StepEvent, StepKind, StepStatus, Timestamp, UsageDetails};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::MAX_BATCH_STEPS;
use super::field::Field;
use super::rejection::Rejection;
use crate::step_builder::{
    MAX_ATTRIBUTES_BYTES, MAX_EVENT_ATTRIBUTES_BYTES, MAX_EVENTS, MAX_TAGS, StepBuilder,
};
use used::reported_usage;

/// What a body does not say.
pub(super) struct Source {
    /// When it was received.
    pub(super) received_at: Timestamp,
    /// The id of a step that has none.
    pub(super) fallback_id: String,
}

#[derive(Deserialize)]
struct RawBatch<'a> {
    #[serde(borrow)]
    steps: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    at: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
}

/// Declares the fields of the body once: the struct serde fills, its reader by name, and what the API's description
/// says of each.
macro_rules! raw_step {
    ($($(#[$described:meta])* $name:ident: $type:ty),+ $(,)?) => {
        #[derive(Deserialize)]
        struct RawStep<'a> { $(#[serde(borrow)] $name: Option<&'a RawValue>),+ }

        impl<'a> RawStep<'a> {
            $(fn $name(&self) -> Field<'a> { Field { name: stringify!($name), raw: self.$name } })+
        }

        /// A step as it is sent.
        #[derive(ToSchema)]
        #[schema(as = NewStep)]
        #[expect(dead_code, reason = "only described")]
        pub(crate) struct StepBody { $($(#[$described])* $name: $type),+ }
    };
}

raw_step!(
    /// The run.
    #[schema(max_length = 256)]
    run_id: String,
    /// What the step does; the same name for the same kind of step, because limits and series are per name.
    step_name: String,
    /// The model that answered.
    model: String,
    /// The input: plain text, or `{"system": …, "messages": […]}` as an object or as a JSON string.
    prompt: TextOrJson,
    /// How long it took, in milliseconds; fractions are kept.
    latency_ms: f64,
    /// Position in the run as you count.
    step_index: Option<i32>,
    /// Input tokens, without cached ones unless `usage_semantics` says otherwise.
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    /// Only used to tell whether `output_tokens` contains the reasoning.
    total_tokens: Option<i64>,
    /// US dollars: what you believe the step cost. Shown beside the computed cost, and used where no price is known.
    cost: Option<Dollars>,
    /// Whether it worked. False makes the step, and as a top-level step the run, failed.
    #[schema(default = true)]
    status_success: Option<bool>,
    /// Its caller gave up before the end, which is no failure.
    #[schema(default = false)]
    aborted: Option<bool>,
    /// The error's text. It does not make a step fail by itself.
    error: Option<TextOrJson>,
    /// The output.
    output_code: Option<TextOrJson>,
    /// Another name for `step_id`.
    span_id: Option<String>,
    /// Another name for `parent_step_id`.
    parent_span_id: Option<String>,
    /// Identity within the run; made by the server where it is not sent.
    step_id: Option<String>,
    /// The step that contains this one. It may arrive later, or never.
    parent_step_id: Option<String>,
    /// When it began; the time of receipt less `latency_ms` where it is not sent.
    started_at: Option<Timestamp>,
    /// `llm` where it is not sent.
    kind: Option<StepKind>,
    /// `anthropic`, `openai`, …
    provider: Option<String>,
    /// Several runs of one conversation.
    session_id: Option<String>,
    /// For whom it ran.
    user_id: Option<String>,
    environment: Option<String>,
    /// The commit or version that ran.
    release: Option<String>,
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    /// Whatever else is worth keeping.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Map<String, Value>>,
    /// Points in time inside the step.
    #[schema(max_items = 1000)]
    events: Option<Vec<EventBody>>,
    /// Input tokens read from the prompt cache.
    cache_read_tokens: Option<i64>,
    /// Input tokens written to the prompt cache.
    cache_write_tokens: Option<i64>,
    /// The part of `cache_write_tokens` that is kept for an hour, which costs more.
    cache_write_1h_tokens: Option<i64>,
    /// Time to the first token, in milliseconds.
    ttft_ms: Option<f64>,
    /// The longest pause between two chunks of a stream, in milliseconds.
    max_gap_ms: Option<f64>,
    /// A stream ended without its final event.
    #[schema(default = false)]
    stream_incomplete: Option<bool>,
    /// The kind of error as one word to group by, for instance `rate_limit_error`.
    error_class: Option<String>,
    /// The tier at which the provider served the call: `standard`, `batch`, `flex`, `priority`.
    service_tier: Option<String>,
    /// Web searches that the provider made and bills by number.
    web_searches: Option<i64>,
    /// What else decides the cost: parts of the tokens by modality, tools, where the model ran.
    usage_details: Option<UsageDetails>,
    /// Why the model stopped, as the provider says it.
    stop_reason: Option<String>,
    /// The tool that a step of kind `tool` calls.
    tool_name: Option<String>,
    /// The prompt before its values were filled in.
    prompt_template: Option<TextOrJson>,
    /// Whether `input_tokens` contains the cached tokens; `exclusive` where it is not sent.
    usage_semantics: Option<UsageSemantics>,
    /// The usage object as the provider gave it; read where no token field is sent.
    #[schema(value_type = Option<Object>)]
    usage: Option<Map<String, Value>>,
    /// The model that was asked for, where another one answered.
    request_model: Option<String>,
);

/// A number of US dollars as JSON has it; read without becoming a float.
struct Dollars;

impl ToSchema for Dollars {}

impl PartialSchema for Dollars {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Number).into()
    }
}

/// A text of any length. An object or an array is taken as its JSON text.
struct TextOrJson;

impl ToSchema for TextOrJson {}

impl PartialSchema for TextOrJson {
    fn schema() -> RefOr<Schema> {
        let types = [Type::String, Type::Object, Type::Array];
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter(types))
            .description(Some(
                "A text of any length. An object or an array is taken as its JSON text.",
            ))
            .into()
    }
}

/// Whether input tokens contain the cached ones.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described; `used` reads it")]
enum UsageSemantics {
    /// As OpenAI counts.
    Inclusive,
    /// As Anthropic counts.
    Exclusive,
}

/// A point in time inside a step.
#[derive(ToSchema)]
#[schema(as = NewEvent)]
#[expect(dead_code, reason = "only described; `RawEvent` reads it")]
struct EventBody {
    name: String,
    /// The step's `started_at` where it is not sent.
    at: Option<Timestamp>,
    #[schema(value_type = Option<Object>)]
    attributes: Option<Map<String, Value>>,
}

pub(super) fn decode_body(bytes: &[u8], source: &Source) -> Result<NewStep, Rejection> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(|cause| Rejection::json(bytes, &cause))?;
    decode_step(raw, source)
}

/// The object `rules` that stands beside a step's own fields in a body of `/api/score`.
pub(super) fn rules_of_body(bytes: &[u8]) -> Result<Option<Map<String, Value>>, Rejection> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        rules: Option<&'a RawValue>,
    }
    let body: Body<'_> = serde_json::from_slice(bytes).map_err(|cause| Rejection::json(bytes, &cause))?;
    let rules = Field {
        name: "rules",
        raw: body.rules,
    };
    Ok(if body.rules.is_some() {
        Some(rules.object(MAX_ATTRIBUTES_BYTES)?)
    } else {
        None
    })
}

/// Splits a body `{"steps": […]}` into its steps, unread.
pub(super) fn split_batch(bytes: &[u8]) -> Result<Vec<&RawValue>, Rejection> {
    let whole: &RawValue = serde_json::from_slice(bytes).map_err(|cause| Rejection::json(bytes, &cause))?;
    let not_a_batch = || Rejection::field("steps", "The body must be {\"steps\": […]}".to_owned());
    let batch: RawBatch<'_> = parse_object(whole).map_err(|_other_shape| not_a_batch())?;
    let steps = Field {
        name: "steps",
        raw: batch.steps,
    };
    if batch.steps.is_none() {
        return Err(not_a_batch());
    }
    let steps = steps.items(usize::MAX)?;
    if steps.len() > MAX_BATCH_STEPS {
        let message = format!("steps must have at most {MAX_BATCH_STEPS} items");
        return Err(Rejection {
            steps: steps.len(),
            ..Rejection::field("steps", message)
        });
    }
    Ok(steps)
}

/// Reads a struct from an object; serde would take a list of its fields in order as well.
fn parse_object<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, serde_json::Error> {
    if !raw.get().starts_with('{') {
        return Err(serde::de::Error::custom("not an object"));
    }
    serde_json::from_str(raw.get())
}

pub(super) fn decode_step(raw: &RawValue, source: &Source) -> Result<NewStep, Rejection> {
    let raw: RawStep<'_> = parse_object(raw).map_err(|cause| {
        // The text of serde's error for a repeated field; every other failure here is another JSON type.
        let repeated = cause
            .to_string()
            .split('`')
            .nth(1)
            .filter(|_| cause.to_string().starts_with("duplicate"))
            .map(str::to_owned);
        Rejection {
            message: match &repeated {
                Some(field) => format!("duplicate field {field}"),
                None => "A step must be a JSON object".to_owned(),
            },
            field: repeated,
            reason: "invalid_field",
            steps: 1,
        }
    })?;
    let run_id = raw.run_id().required(raw.run_id().text()?)?;
    let name = raw.step_name().required(raw.step_name().text()?)?;
    let model = raw.model().required(raw.model().text()?)?;
    let input = raw.prompt().required(raw.prompt().body()?)?;
    let latency_ms = raw.latency_ms().required(raw.latency_ms().number()?)?;
    let mut attributes = raw.attributes().object(MAX_ATTRIBUTES_BYTES)?;
    let usage = reported_usage(&raw, &mut attributes)?;
    let step_id = either(raw.step_id(), raw.span_id())?.unwrap_or_else(|| source.fallback_id.clone());
    let parent_step_id = either(raw.parent_step_id(), raw.parent_span_id())?;
    let elapsed_micros = (latency_ms.max(0.0) * 1_000.0) as i64;
    let started_at = raw
        .started_at()
        .time()?
        .unwrap_or_else(|| source.received_at.plus_micros(elapsed_micros.saturating_neg()));
    let succeeded = raw.status_success().boolean()?.unwrap_or(true);
    let aborted = raw.aborted().boolean()?.unwrap_or(false);
    let step = NewStep {
        kind: raw
            .kind()
            .one_of(StepKind::ALL, StepKind::parse, StepKind::as_str)?
            .unwrap_or(StepKind::Llm),
        name,
        step_index: step_index(raw.step_index())?,
        provider: raw.provider().word()?,
        request_model: raw.request_model().word()?,
        model: Some(model),
        started_at,
        ended_at: Some(started_at.plus_micros(elapsed_micros)),
        latency_ms: Some(latency_ms),
        ttft_ms: raw.ttft_ms().number()?,
        status: match (succeeded, aborted) {
            (false, _) => StepStatus::Error,
            (true, true) => StepStatus::Aborted,
            (true, false) => StepStatus::Ok,
        },
        error: raw.error().body()?,
        error_class: raw.error_class().word()?,
        stop_reason: raw.stop_reason().word()?,
        service_tier: raw.service_tier().word()?.or(usage.service_tier),
        max_gap_ms: raw.max_gap_ms().number()?,
        stream_incomplete: raw.stream_incomplete().boolean()?.unwrap_or(false),
        tokens: usage.tokens,
        usage_details: usage.details,
        web_searches: raw.web_searches().integer()?.or(usage.web_searches),
        reported_cost: raw.cost().money()?.or(usage.reported_cost),
        environment: raw.environment().word()?,
        release: raw.release().word()?,
        session_id: raw.session_id().word()?,
        user_id: raw.user_id().word()?,
        tags: tags(raw.tags())?,
        tool_name: raw.tool_name().word()?,
        attributes,
        prompt_template: raw.prompt_template().body()?,
        input: Some(input),
        output: raw.output_code().body()?,
        events: events(raw.events(), started_at)?,
        run_id,
        step_id,
        parent_step_id,
    };
    Ok(StepBuilder::new(step).or_reject()?)
}

/// A field that has two names.
fn either(ours: Field<'_>, theirs: Field<'_>) -> Result<Option<String>, Rejection> {
    match (ours.word()?, theirs.word()?) {
        (Some(a), Some(b)) if a != b => Err(Rejection::field(
            ours.name,
            format!("{} and {} differ; send one of them", ours.name, theirs.name),
        )),
        (a, b) => Ok(a.or(b)),
    }
}

fn step_index(field: Field<'_>) -> Result<Option<i32>, Rejection> {
    let Some(index) = field.integer()? else {
        return Ok(None);
    };
    i32::try_from(index)
        .map(Some)
        .map_err(|_too_large| Rejection::field(field.name, format!("{} must fit 32 bits", field.name)))
}

fn tags(field: Field<'_>) -> Result<Vec<String>, Rejection> {
    let mut tags = Vec::new();
    for raw in field.items(MAX_TAGS)? {
        let tag = Field {
            name: "tags",
            raw: Some(raw),
        };
        tags.extend(tag.text()?);
    }
    Ok(tags)
}

fn events(field: Field<'_>, started_at: Timestamp) -> Result<Vec<StepEvent>, Rejection> {
    field
        .items(MAX_EVENTS)?
        .into_iter()
        .map(|raw| {
            let event: RawEvent<'_> = parse_object(raw).map_err(|_other_shape| {
                Rejection::field("events", "Each of events must be an object".to_owned())
            })?;
            let name = Field {
                name: "events.name",
                raw: event.name,
            };
            Ok(StepEvent {
                name: name.required(name.text()?)?,
                at: Field {
                    name: "events.at",
                    raw: event.at,
                }
                .time()?
                .unwrap_or(started_at),
                attributes: Field {
                    name: "events.attributes",
                    raw: event.attributes,
                }
                .object(MAX_EVENT_ATTRIBUTES_BYTES)?,
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "native/tests.rs"]
mod tests;
