//! Steps: as `/ingest` takes them, so that another server can be sent what this one has, or their figures.

use domain::{NanoUsd, StepStatus};
use serde_json::Value;

use super::sink::Sink;
use super::{Pages, known, read};
use crate::api::csv::field;
use crate::api::runs::{Run, RunWithSteps, Step};
use crate::api::step_lines::{add_texts, body_of};
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
