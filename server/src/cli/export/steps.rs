//! Steps: as `/ingest` takes them, so that another server can be sent what this one has, or their figures.

use domain::{NanoUsd, StepPayload, StepStatus, UsageDetails};
use serde_json::{Map, Value, json};

use super::sink::Sink;
use super::{Pages, known, read};
use crate::api::csv::field;
use crate::api::runs::{Run, RunWithSteps, Step};
use crate::cli::source::{Pairs, Source};
use crate::cli::{Exit, output, runs};

/// How a step is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON with its texts.
    Ingest,
    /// JSON without them.
    Figures,
    Csv,
}

pub(super) async fn export(
    source: &Source,
    filter: Pairs<'static>,
    form: Form,
    sink: &mut Sink,
) -> Result<(), Exit> {
    if form == Form::Csv {
        sink.line(
            "run_id,step_id,parent_step_id,step_name,kind,model,status,severity,started_at,latency_ms,ttft_ms,key,\
             environment,release,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,cost_usd,score,error",
        )?;
    }
    let (mut running, mut cut) = (0_u64, 0_u64);
    let mut pages = Pages::new(filter);
    while let Some(items) = pages.next(source).await? {
        for item in items {
            let run: Run = read(item)?;
            let path = runs::path(&run.run_id);
            let found = match source.get::<RunWithSteps>(&path, &Vec::new()).await {
                // It was deleted meanwhile.
                Err(Exit::NotFound(_)) => continue,
                found => found?,
            };
            cut += u64::from(found.run.step_count > i64::try_from(found.steps.len()).unwrap_or(i64::MAX));
            for step in &found.steps {
                if form == Form::Csv {
                    sink.line(&csv_of_step(&found.run, step))?;
                    continue;
                }
                if step.status == StepStatus::Running {
                    running += 1;
                    continue;
                }
                let mut body = body_of(&found.run, step);
                if form == Form::Ingest {
                    let step_id = domain::filter::percent_encode(&step.step_id);
                    let path = format!("{path}/steps/{step_id}/payload");
                    add_texts(&mut body, source.get(&path, &Vec::new()).await?);
                }
                sink.line(&Value::Object(body).to_string())?;
            }
        }
    }
    if running > 0 {
        output::note(&format!("{running} steps have not ended yet and were left out"));
    }
    if cut > 0 {
        output::note(&format!("of {cut} runs only the first 20,000 steps were written"));
        return Err(Exit::FailedAsReported);
    }
    Ok(())
}

/// The step without its texts, under the names of `/ingest`. What is not known is left out.
fn body_of(run: &Run, step: &Step) -> Map<String, Value> {
    let tokens = &step.tokens;
    let fields = [
        ("run_id", json!(run.run_id)),
        ("step_id", json!(step.step_id)),
        ("parent_step_id", json!(step.parent_step_id)),
        ("step_name", json!(step.name)),
        ("step_index", json!(step.step_index)),
        ("kind", json!(step.kind)),
        ("provider", json!(step.provider)),
        ("model", json!(step.model.as_deref().unwrap_or_default())),
        ("request_model", json!(step.request_model)),
        ("started_at", json!(step.started_at)),
        ("latency_ms", json!(step.latency_ms.unwrap_or(0.0))),
        ("ttft_ms", json!(step.ttft_ms)),
        ("max_gap_ms", json!(step.max_gap_ms)),
        ("status_success", json!(step.status != StepStatus::Error)),
        ("aborted", json!(step.status == StepStatus::Aborted)),
        ("stream_incomplete", json!(step.stream_incomplete)),
        ("error", json!(step.error)),
        ("error_class", json!(step.error_class)),
        ("stop_reason", json!(step.stop_reason)),
        ("service_tier", json!(step.service_tier)),
        ("input_tokens", json!(tokens.input_fresh)),
        ("cache_read_tokens", json!(tokens.cache_read)),
        ("cache_write_tokens", json!(tokens.cache_write)),
        ("cache_write_1h_tokens", json!(tokens.cache_write_1h)),
        ("output_tokens", json!(tokens.output)),
        ("reasoning_tokens", json!(tokens.reasoning)),
        ("web_searches", json!(step.web_searches)),
        ("usage_details", details(&step.usage_details)),
        ("cost", decimal(step.reported_cost_usd.as_deref())),
        ("environment", json!(step.environment)),
        ("release", json!(step.release)),
        ("session_id", json!(run.session_id)),
        ("user_id", json!(run.user_id)),
        ("tags", json!(run.tags)),
        ("tool_name", json!(step.tool_name)),
    ];
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// What was used beside the buckets; null where that is nothing.
fn details(details: &UsageDetails) -> Value {
    if details.is_empty() {
        Value::Null
    } else {
        json!(details)
    }
}

/// Dollars as the number that `/ingest` reads.
fn decimal(dollars: Option<&str>) -> Value {
    let number = dollars.and_then(|text| serde_json::from_str::<serde_json::Number>(text).ok());
    number.map_or(Value::Null, Value::Number)
}

fn add_texts(body: &mut Map<String, Value>, payload: StepPayload) {
    body.insert("prompt".to_owned(), json!(payload.input.unwrap_or_default()));
    for (name, text) in [
        ("output_code", payload.output),
        ("prompt_template", payload.prompt_template),
    ] {
        if let Some(text) = text {
            body.insert(name.to_owned(), json!(text));
        }
    }
    if !payload.attributes.is_empty() {
        body.insert("attributes".to_owned(), Value::Object(payload.attributes));
    }
    if !payload.events.is_empty() {
        body.insert("events".to_owned(), json!(payload.events));
    }
}

fn csv_of_step(run: &Run, step: &Step) -> String {
    let text = |text: &Option<String>| field(text.as_deref().unwrap_or_default());
    [
        field(&run.run_id),
        field(&step.step_id),
        text(&step.parent_step_id),
        field(&step.name),
        step.kind.as_str().to_owned(),
        text(&step.model),
        step.status.as_str().to_owned(),
        step.severity.as_str().to_owned(),
        step.started_at.to_string(),
        known(step.latency_ms),
        known(step.ttft_ms),
        field(&step.key),
        text(&step.environment),
        text(&step.release),
        known(step.tokens.input_fresh),
        known(step.tokens.cache_read),
        known(step.tokens.cache_write),
        known(step.tokens.output),
        step.cost_nano_usd.map(NanoUsd::to_decimal).unwrap_or_default(),
        known(step.score),
        text(&step.error),
    ]
    .join(",")
}
