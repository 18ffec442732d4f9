//! A span as a step.

use domain::step::ReportedTokens;
use domain::{NewStep, StepEvent, StepKind, StepStatus, Timestamp};
use engine::StepFacts;
use engine::usage::{self, Usage};
use serde_json::{Map, Value, json};

use crate::attributes::{self, parsed, text, word};
use crate::dialects::{
    CONTENT, FIRST_TOKEN, FIRST_TOKEN_AT, Field, INPUTS, KINDS, NO_CONTENT, OF_RESOURCE, OUTPUTS, PREFIXES,
    PROVIDER_PARTS, TAGS, USAGE_OBJECTS, WORDS,
};
use crate::documents;
use crate::messages::{self, Event, Said};
use crate::wire::{self, SPAN_ID_BYTES, Scope, Span, Status, TRACE_ID_BYTES};
use crate::{ReadSpan, Recorded};

/// Links of a span that are kept.
const MAX_LINKS: usize = 100;

/// Reads a span; `None` for one without valid ids.
pub(crate) fn read(
    span: Span,
    resource: &Map<String, Value>,
    scope: &Scope,
    received_at: Timestamp,
) -> Option<ReadSpan> {
    let run_id = id(&span.trace_id, TRACE_ID_BYTES)?;
    let step_id = id(&span.span_id, SPAN_ID_BYTES)?;
    let parent_step_id = id(&span.parent_span_id, SPAN_ID_BYTES).filter(|parent| *parent != step_id);
    let started_at = match span.start_time_unix_nano {
        0 => received_at,
        nanos => at(nanos),
    };
    let ended_at = (span.end_time_unix_nano != 0).then(|| at(span.end_time_unix_nano));
    let all = attributes::object(span.attributes);
    let is_of_a_model = is_of_a_model(&all) || span.events.iter().any(|event| messages::is_said(&event.name));
    let events: Vec<(StepEvent, bool)> = span
        .events
        .into_iter()
        .map(|event| {
            let is_said = messages::is_said(&event.name);
            (step_event(event, started_at), is_said)
        })
        .collect();
    let recorded = Recorded {
        run_id,
        step_id,
        parent_step_id,
        name: span.name,
        started_at,
        ended_at,
        attributes: all,
        status: span.status.unwrap_or_default(),
    };
    let beside = Beside {
        resource,
        scope,
        links: &span.links,
    };
    let step = step_of(recorded, events, &beside);
    Some(ReadSpan { step, is_of_a_model })
}

/// What stands beside a span's own attributes.
pub(crate) struct Beside<'a> {
    pub(crate) resource: &'a Map<String, Value>,
    pub(crate) scope: &'a Scope,
    pub(crate) links: &'a [wire::Link],
}

/// The step that a record is: what its attributes say, in whichever dialect. Of each event is told whether it is
/// something said.
pub(crate) fn step_of(recorded: Recorded, events: Vec<(StepEvent, bool)>, beside: &Beside<'_>) -> NewStep {
    let Recorded {
        started_at,
        ended_at,
        attributes: mut all,
        ..
    } = recorded;
    let said_in: Vec<Event<'_>> = events
        .iter()
        .filter(|(_, is_said)| *is_said)
        .map(|(event, _)| Event {
            name: &event.name,
            attributes: &event.attributes,
        })
        .collect();
    let used = used(&all);
    let kind = kind(&all, used.as_ref());
    let texts = texts(&all, kind, &said_in);
    let failure = failure(&recorded.status, &all, events.iter().map(|(event, _)| event));
    let words = Words {
        own: &all,
        resource: beside.resource,
    };
    let answered_by = words.of(Field::Model);
    let asked_for = words.of(Field::RequestModel);
    let model = answered_by.or_else(|| asked_for.clone());
    let latency_ms = ended_at.map(|ended_at| ended_at.ms_since(started_at));
    let usage = used.unwrap_or_default();
    let mut step = NewStep {
        run_id: recorded.run_id,
        step_id: recorded.step_id,
        parent_step_id: recorded.parent_step_id,
        kind,
        name: recorded.name,
        step_index: None,
        provider: words.of(Field::Provider).map(provider),
        request_model: asked_for.filter(|asked| Some(asked) != model.as_ref()),
        model,
        started_at,
        ended_at: ended_at.map(|ended_at| ended_at.max(started_at)),
        latency_ms,
        ttft_ms: first_token_ms(&all, started_at),
        status: match (&failure, ended_at) {
            (Some(_), _) => StepStatus::Error,
            (None, Some(_)) => StepStatus::Ok,
            (None, None) => StepStatus::Running,
        },
        error_class: words
            .of(Field::ErrorClass)
            .or_else(|| failure.as_ref()?.class.clone()),
        error: failure.and_then(|failure| failure.message),
        stop_reason: words.of(Field::StopReason),
        service_tier: usage.service_tier,
        max_gap_ms: None,
        stream_incomplete: false,
        tokens: usage.tokens,
        web_searches: usage.web_searches,
        usage_details: usage.details,
        reported_cost: usage.reported_cost,
        environment: words.of(Field::Environment),
        release: words.of(Field::Release),
        session_id: words.of(Field::Session),
        user_id: words.of(Field::User),
        tags: tags(&all),
        tool_name: words.of(Field::Tool),
        prompt_template: words.of(Field::Template),
        input: texts.input,
        output: texts.output,
        attributes: Map::new(),
        events: Vec::new(),
    };
    drop(said_in);
    keep_rest(&mut all, beside);
    if step.input.is_none() && step.kind.is_billable() {
        // Most instrumentations keep texts only when they are told to.
        all.insert(StepFacts::INPUT_NOT_KEPT.to_owned(), true.into());
        if step.output.is_none() {
            all.insert(StepFacts::OUTPUT_NOT_KEPT.to_owned(), true.into());
        }
    }
    step.attributes = all;
    let is_point = |(event, is_said): (StepEvent, bool)| (!is_said).then_some(event);
    step.events = events.into_iter().filter_map(is_point).collect();
    for event in &mut step.events {
        attributes::bound_event(&mut event.attributes);
    }
    step
}

/// Leaves what is to stand beside the step: all but its texts, a few words of its resource, its links.
fn keep_rest(attributes: &mut Map<String, Value>, beside: &Beside<'_>) {
    let Beside {
        resource,
        scope,
        links: to,
    } = beside;
    attributes.retain(|key, _| !is_content(key));
    for key in OF_RESOURCE {
        if let Some(value) = resource.get(*key) {
            attributes.entry(*key).or_insert_with(|| value.clone());
        }
    }
    if !scope.name.is_empty() {
        attributes
            .entry("otel.scope.name")
            .or_insert_with(|| scope.name.clone().into());
    }
    if !to.is_empty() {
        attributes.insert("links".to_owned(), links(to));
    }
    attributes::bound(attributes);
}

/// Whether attributes are in a dialect of those who call models.
fn is_of_a_model(attributes: &Map<String, Value>) -> bool {
    attributes
        .keys()
        .any(|key| PREFIXES.iter().any(|prefix| key.starts_with(prefix)))
}

/// An id in lower-case hexadecimal; `None` for one of another length, or of zeros.
fn id(bytes: &[u8], length: usize) -> Option<String> {
    (bytes.len() == length && bytes.iter().any(|byte| *byte != 0)).then(|| hex::encode(bytes))
}

fn at(unix_nano: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(unix_nano / 1_000).unwrap_or(i64::MAX))
}

fn step_event(event: wire::Event, started_at: Timestamp) -> StepEvent {
    StepEvent {
        at: match event.time_unix_nano {
            0 => started_at,
            nanos => at(nanos),
        },
        name: event.name,
        attributes: attributes::object(event.attributes),
    }
}

/// What a span, or else its resource, says of a field.
struct Words<'a> {
    own: &'a Map<String, Value>,
    resource: &'a Map<String, Value>,
}

impl Words<'_> {
    fn of(&self, field: Field) -> Option<String> {
        let (_, names) = WORDS.iter().find(|(named, _)| *named == field)?;
        let in_map = |map: &Map<String, Value>| names.iter().find_map(|name| word(map.get(*name)?));
        in_map(self.own).or_else(|| in_map(self.resource))
    }
}

/// A provider's name, without the interface that the Vercel AI SDK appends.
fn provider(name: String) -> String {
    let name = name.to_ascii_lowercase();
    let part = PROVIDER_PARTS.iter().find_map(|part| name.strip_suffix(part));
    part.map(str::to_owned).unwrap_or(name)
}

fn used(attributes: &Map<String, Value>) -> Option<Usage> {
    let of_object = || {
        let objects = USAGE_OBJECTS.iter().filter_map(|name| attributes.get(*name));
        objects
            .map(parsed)
            .find_map(|object| usage::from_provider(&object))
    };
    usage::from_attributes(attributes)
        .or_else(of_object)
        .map(|used| with_cache_of_anthropic(used, attributes))
        .filter(Usage::is_within_bounds)
}

/// The Vercel AI SDK's input has the cache in it or not, by its version, and before 6 no word for what was written.
/// Beside it stands what Anthropic said. Its output is that of a stream's beginning and is not taken.
fn with_cache_of_anthropic(used: Usage, attributes: &Map<String, Value>) -> Usage {
    let is_call = attributes
        .get("ai.operationId")
        .and_then(Value::as_str)
        .is_some_and(|operation| operation.contains(".do"));
    let said = attributes
        .get("ai.response.providerMetadata")
        .filter(|_| is_call)
        .map(parsed)
        .and_then(|said| usage::from_provider(said.pointer("/anthropic/usage")?))
        .filter(|said| said.tokens.input.is_some());
    let Some(said) = said else { return used };
    Usage {
        tokens: ReportedTokens {
            output: used.tokens.output,
            reasoning: used.tokens.reasoning,
            total: None,
            ..said.tokens
        },
        details: said.details,
        web_searches: said.web_searches.or(used.web_searches),
        service_tier: said.service_tier.or_else(|| used.service_tier.clone()),
        ..used
    }
}

fn kind(attributes: &Map<String, Value>, used: Option<&Usage>) -> StepKind {
    let named = KINDS.iter().find_map(|(attribute, words)| {
        let said = attributes.get(*attribute)?.as_str()?;
        let (_, kind) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(said))?;
        Some(*kind)
    });
    // The Vercel AI SDK's outer spans say the same operation as the call within.
    let has_model = || {
        WORDS.iter().any(|(field, names)| {
            matches!(field, Field::Model | Field::RequestModel)
                && names.iter().any(|name| attributes.contains_key(*name))
        })
    };
    named.unwrap_or_else(|| {
        if has_model() || used.is_some() {
            StepKind::Llm
        } else {
            StepKind::Other
        }
    })
}

struct Texts {
    input: Option<String>,
    output: Option<String>,
}

/// What went in and what came back. Calls of models, and agents that tell a conversation, have messages; other steps
/// have whatever they were called with.
fn texts(attributes: &Map<String, Value>, kind: StepKind, events: &[Event<'_>]) -> Texts {
    let named = |names: &[&str]| names.iter().find_map(|name| text(attributes.get(*name)?));
    let said = match kind {
        StepKind::Llm | StepKind::Agent | StepKind::Chain => messages::said(attributes, events),
        _ => Said::default(),
    };
    let input = match kind {
        StepKind::Embedding => documents::embedded(attributes),
        _ => messages::request(&said.asked, said.tools),
    };
    let output = match kind {
        StepKind::Retrieval => documents::found(attributes),
        _ => messages::answer(&said.answered),
    };
    let output = output.or_else(|| match kind {
        // Vectors are no text.
        StepKind::Embedding => None,
        _ => named(OUTPUTS),
    });
    Texts {
        input: input
            .or_else(|| named(INPUTS))
            .or_else(|| named(&["gen_ai.prompt", "ai.prompt"])),
        output: output.or_else(|| named(&["gen_ai.completion"])),
    }
}

struct Failure {
    class: Option<String>,
    message: Option<String>,
}

/// What went wrong: the span's status says whether, its exception says what.
fn failure<'e>(
    status: &Status,
    attributes: &Map<String, Value>,
    events: impl Iterator<Item = &'e StepEvent>,
) -> Option<Failure> {
    let level = attributes
        .get("langfuse.observation.level")
        .and_then(Value::as_str);
    let failed =
        status.code == Status::ERROR || level.is_some_and(|level| level.eq_ignore_ascii_case("error"));
    if !failed {
        return None;
    }
    let exception = events.filter(|event| event.name == "exception").last();
    let of_exception = |key: &str| exception.and_then(|event| word(event.attributes.get(key)?));
    let own = |key: &str| attributes.get(key).and_then(word);
    let said = Some(status.message.clone()).filter(|message| !message.trim().is_empty());
    Some(Failure {
        class: of_exception("exception.type"),
        message: said
            .or_else(|| own("langfuse.observation.status_message"))
            .or_else(|| of_exception("exception.message"))
            .or_else(|| own("exception.message"))
            .or_else(|| own("error.message")),
    })
}

fn first_token_ms(attributes: &Map<String, Value>, started_at: Timestamp) -> Option<f64> {
    let told = FIRST_TOKEN.iter().find_map(|(name, unit_ms)| {
        let value = attributes.get(*name)?;
        Some(value.as_f64().or_else(|| value.as_str()?.parse().ok())? * unit_ms)
    });
    let at = || {
        let text = attributes.get(FIRST_TOKEN_AT)?.as_str()?;
        let at = Timestamp::parse_rfc3339(text.trim_matches('"'))?;
        Some(at.ms_since(started_at))
    };
    told.or_else(at).filter(|ms| ms.is_finite() && *ms >= 0.0)
}

fn tags(attributes: &Map<String, Value>) -> Vec<String> {
    let lists = TAGS.iter().filter_map(|name| attributes.get(*name));
    lists
        .flat_map(|list| match parsed(list) {
            Value::Array(tags) => tags.iter().filter_map(word).collect(),
            other => word(&other).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}

fn links(links: &[wire::Link]) -> Value {
    let link = |link: &wire::Link| json!({"trace_id": hex::encode(&link.trace_id), "span_id": hex::encode(&link.span_id)});
    links.iter().take(MAX_LINKS).map(link).collect()
}

/// Whether an attribute is a text of the step, or another form of one.
fn is_content(key: &str) -> bool {
    let is_named = |name: &str| match name.ends_with('.') {
        true => key.starts_with(name),
        false => key == name,
    };
    CONTENT.iter().any(|name| is_named(name)) && !NO_CONTENT.contains(&key)
}
