//! What a link leaves out, taken away on the server. Every field is named here, so that a new one is thought of before it
//! can be shared.
//!
//! Names, times, sizes, costs and scores are what any link shows. What was said (prompts, answers, attributes, events,
//! errors) is shown, masked or removed.

use std::collections::BTreeMap;

use domain::run::Neighbours;
use domain::{
    Condition, Place, RunProblem, RunSummary, Share, ShareContent, StepEvent, StepSummary, Timestamp,
    UsageDetails,
};
use engine::masking::{is_plain_name, mask};
use serde_json::{Map, Value};

use crate::api::runs::RunView;
use crate::api::steps::{SentText, StepTexts};

/// Codes whose sentence and evidence consist of our own words and of figures. Those of the others quote what was said.
const FIGURES_ONLY: [u16; 31] = [
    1001, 1003, 1004, 1005, 1006, 1007, 1008, 1014, 3010, 3011, 4001, 4002, 4003, 4004, 4005, 4006, 4007,
    4008, 4009, 4010, 4011, 4012, 4013, 4014, 4016, 4017, 4018, 5001, 5002, 5003, 5004,
];
/// Why models stop, in the words of providers.
const STOP_REASONS: [&str; 12] = [
    "end_turn",
    "stop",
    "stop_sequence",
    "max_tokens",
    "length",
    "tool_use",
    "tool_calls",
    "function_call",
    "content_filter",
    "refusal",
    "pause_turn",
    "completed",
];
/// Kinds of errors, in the words of providers and of our own.
const ERROR_CLASSES: [&str; 13] = [
    "rate_limit_error",
    "overloaded_error",
    "authentication_error",
    "permission_error",
    "invalid_request_error",
    "not_found_error",
    "api_error",
    "billing_error",
    "timeout",
    "timeout_error",
    "server_error",
    "upstream_unreachable",
    "internal",
];
/// At which providers serve and bill.
const SERVICE_TIERS: [&str; 6] = [
    "standard",
    "standard_only",
    "batch",
    "flex",
    "priority",
    "default",
];

/// What a link shows of its run.
pub(super) fn of_run(now: Timestamp, run: RunSummary, steps: Vec<StepSummary>, share: &Share) -> RunView {
    RunView {
        now,
        run: summary(run, share),
        steps: steps.into_iter().map(|of_run| step(of_run, share)).collect(),
        // Who sent the same prompt as whom leads to no step's texts, and a long run is shown as far as its first steps.
        same_calls: BTreeMap::new(),
        part: None,
        neighbours: Neighbours::default(),
        deploy: None,
        feedback: Vec::new(),
    }
}

fn summary(run: RunSummary, share: &Share) -> RunSummary {
    let RunSummary {
        run_id: _,
        name,
        partition_at,
        started_at,
        ended_at,
        latency_ms,
        status,
        key_label,
        environment,
        release,
        session_id,
        user_id,
        tags,
        models,
        step_count,
        error_count,
        tokens,
        cost_nano_usd,
        unpriced_steps,
        score_max,
        severity,
        problem,
    } = run;
    let is_shown = share.content == ShareContent::Shown;
    let of_people = !share.leaves_out_people;
    RunSummary {
        // What opens it for members.
        run_id: String::new(),
        name,
        partition_at,
        started_at,
        ended_at,
        latency_ms,
        status,
        key_label: key(key_label, share),
        environment,
        release,
        session_id: session_id.filter(|_| of_people),
        user_id: user_id.filter(|_| of_people),
        tags: if of_people && is_shown { tags } else { Vec::new() },
        models,
        step_count,
        error_count,
        tokens,
        cost_nano_usd,
        unpriced_steps,
        score_max,
        severity,
        problem: problem.map(|problem| RunProblem {
            text: if is_shown {
                problem.text
            } else {
                problem.code.map(rule).unwrap_or_default()
            },
            ..problem
        }),
    }
}

fn step(of_run: StepSummary, share: &Share) -> StepSummary {
    let StepSummary {
        step_id,
        parent_step_id,
        name,
        kind,
        step_index,
        provider,
        model,
        request_model,
        started_at,
        ended_at,
        latency_ms,
        ttft_ms,
        status,
        error,
        error_class,
        stop_reason,
        service_tier,
        max_gap_ms,
        stream_incomplete,
        tokens,
        usage_semantics,
        usage_details,
        web_searches,
        price_version: _,
        template_fingerprint: _,
        cost_nano_usd,
        cost_source,
        reported_cost_nano_usd,
        key_label,
        environment,
        release,
        tool_name,
        score,
        threshold,
        severity,
        stopped_at_layer,
        conditions,
    } = of_run;
    let content = share.content;
    let word = |word: Option<String>, known: &[&str]| {
        word.filter(|word| content == ShareContent::Shown || known.contains(&word.as_str()))
    };
    StepSummary {
        step_id,
        parent_step_id,
        name,
        kind,
        step_index,
        provider,
        model,
        request_model,
        started_at,
        ended_at,
        latency_ms,
        ttft_ms,
        status,
        // Whoever guesses a text could see by its mask that it is right; what an error says is short.
        error: error.filter(|_| content == ShareContent::Shown),
        error_class: word(error_class, &ERROR_CLASSES),
        stop_reason: word(stop_reason, &STOP_REASONS),
        service_tier: word(service_tier, &SERVICE_TIERS),
        max_gap_ms,
        stream_incomplete,
        tokens,
        usage_semantics,
        // Its tools and places are words of whoever sent the step.
        usage_details: if content == ShareContent::Shown {
            usage_details
        } else {
            UsageDetails::default()
        },
        web_searches,
        // These lead to pages of the project, and a fingerprint tells whether a guessed prompt is right.
        price_version: None,
        template_fingerprint: None,
        cost_nano_usd,
        cost_source,
        reported_cost_nano_usd,
        key_label: key(key_label, share),
        environment,
        release,
        tool_name,
        score,
        threshold,
        severity,
        stopped_at_layer,
        conditions: conditions
            .into_iter()
            .map(|found| condition(found, content))
            .collect(),
    }
}

fn key(label: String, share: &Share) -> String {
    if share.leaves_out_key {
        String::new()
    } else {
        label
    }
}

/// When a rule fires, in our own words.
fn rule(code: u16) -> String {
    engine::codes::find(code).map_or_else(String::new, |code| code.fires.to_owned())
}

fn condition(found: Condition, content: ShareContent) -> Condition {
    let Condition {
        code,
        layer,
        name,
        points,
        message,
        observed,
        expected,
        place,
        sample,
    } = found;
    let is_shown = content == ShareContent::Shown;
    let says_it = is_shown || FIGURES_ONLY.contains(&code);
    Condition {
        code,
        layer,
        name,
        points,
        message: if says_it { message } else { rule(code) },
        observed: if says_it { observed } else { String::new() },
        expected: if says_it { expected } else { String::new() },
        // A pointer names keys; bytes are as many in a masked text.
        place: place.filter(|place| match content {
            ShareContent::Shown => true,
            ShareContent::Masked => matches!(place, Place::Bytes { .. }),
            ShareContent::Removed => false,
        }),
        sample,
    }
}

/// What a link shows of a step's texts.
pub(super) fn of_texts(texts: StepTexts, content: ShareContent) -> StepTexts {
    let StepTexts {
        input,
        output,
        prompt_template,
        attributes,
        attribute_count,
        events,
        event_count,
        price: _,
    } = texts;
    let nothing = StepTexts {
        input: None,
        output: None,
        prompt_template: None,
        attributes: Map::new(),
        attribute_count: 0,
        events: Vec::new(),
        event_count: 0,
        // What the project pays is its own.
        price: None,
    };
    match content {
        ShareContent::Removed => nothing,
        ShareContent::Masked => StepTexts {
            input: input.map(masked),
            output: output.map(masked),
            prompt_template: prompt_template.map(masked),
            attributes: masked_fields(attributes),
            attribute_count,
            events: events.into_iter().map(masked_event).collect(),
            event_count,
            ..nothing
        },
        ShareContent::Shown => StepTexts {
            input,
            output,
            prompt_template,
            attributes,
            attribute_count,
            events,
            event_count,
            ..nothing
        },
    }
}

/// Words of which one is in each name under which programs send sessions, users and tags along: `session.id`,
/// `langfuse.user.id`, `gen_ai.conversation.id`. Signs and case are left aside.
const OF_PEOPLE: [&str; 8] = [
    "session",
    "userid",
    "enduser",
    "genaiuser",
    "conversationid",
    "chatid",
    "threadid",
    "tags",
];

/// Takes away the attributes that say who it was for: what the head of the run leaves out is among them once more.
pub(super) fn without_people(texts: &mut StepTexts) {
    let before = texts.attributes.len();
    strip_people(&mut texts.attributes);
    texts.attribute_count -= before - texts.attributes.len();
    for event in &mut texts.events {
        strip_people(&mut event.attributes);
    }
}

fn strip_people(fields: &mut Map<String, Value>) {
    fields.retain(|name, value| {
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let letters = letters.to_ascii_lowercase();
        if let Value::Object(inner) = value {
            strip_people(inner);
        }
        !OF_PEOPLE.iter().any(|word| letters.contains(word))
    });
}

fn masked(text: SentText) -> SentText {
    let SentText {
        text,
        // Where it begins within JSON is not known, so nothing of it would surely be masked.
        tail: _,
        total_bytes,
        is_without_media,
    } = text;
    SentText {
        text: mask(&text),
        tail: String::new(),
        total_bytes,
        is_without_media,
    }
}

fn masked_event(event: StepEvent) -> StepEvent {
    let StepEvent { at, name, attributes } = event;
    StepEvent {
        at,
        name: masked_name(name),
        attributes: masked_fields(attributes),
    }
}

fn masked_fields(fields: Map<String, Value>) -> Map<String, Value> {
    fields
        .into_iter()
        .map(|(name, value)| (masked_name(name), masked_value(value)))
        .collect()
}

fn masked_name(name: String) -> String {
    if is_plain_name(&name) { name } else { mask(&name) }
}

fn masked_value(value: Value) -> Value {
    match value {
        Value::String(text) => mask(&text).into(),
        other => {
            let text = mask(&other.to_string());
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
    }
}

#[cfg(test)]
mod tests;
