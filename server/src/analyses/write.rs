//! Writing one analysis: read the run, ask the model, hold what it says to the data.

use app::read_run_source;
use domain::{Feature, NanoUsd, OwnRunKind, WorkState};
use engine::analysis;
use storage::analyses::{Claimed, Outcome};

use super::prompt;
use crate::blocking::run_blocking_if_large;
use crate::models::fence::fenced;
use crate::models::{ModelError, Models, OwnRun, Stop, call};

/// What a model is told of a run, in bytes: a small model's window holds it, with the answer.
const MAX_CONTEXT_BYTES: usize = 60_000;

/// The analysis, or why there is none.
pub(super) async fn written(models: &Models, claimed: &Claimed) -> Outcome {
    match attempt(models, claimed).await {
        Ok(outcome) => outcome,
        Err(error) => {
            if let ModelError::Database(cause) = &error {
                tracing::warn!(project.id = %claimed.project_id, error = ?cause, "an analysis was not written");
            }
            Outcome {
                state: error.state(),
                model: None,
                report: None,
                error: Some(error.to_string()),
                cost: None,
            }
        }
    }
}

async fn attempt(models: &Models, claimed: &Claimed) -> Result<Outcome, ModelError> {
    let project = claimed.project_id;
    let run = {
        let mut snapshot = models.db.snapshot(project).await?;
        match read_run_source(&mut snapshot, project, &claimed.run_id).await {
            Err(storage::Error::NotFound) => {
                return Err(ModelError::Refused(
                    "The run is gone; retention has deleted it".to_owned(),
                ));
            }
            found => found?,
        }
    };
    let fence: analysis::Fence = fenced;
    let (rules, context, evidence) = run_blocking_if_large(run.text_bytes(), || {
        let (rules, links) = run.by_rules();
        let context = analysis::context(
            &run.run,
            &run.steps,
            (links.as_slice(), &run.texts),
            &run.deploys,
            &rules,
            (MAX_CONTEXT_BYTES, fence),
        );
        let evidence = analysis::evidence(&run.run, &run.steps, &run.texts, &run.deploys);
        (rules, context, evidence)
    });
    let own = OwnRun::about(OwnRunKind::Analysis, claimed.analysis_id);
    let request = prompt::request(&context);
    let reply = call(models, project, Feature::Analysis, &own, &request, &|_| {}).await?;
    let handed = reply.calls().find(|(_, name, _)| *name == prompt::TOOL);
    let report =
        handed.and_then(|(_, _, arguments)| prompt::report(arguments, &evidence, &rules, context.steps_read));
    let cost = reply.cost_nano_usd.map(NanoUsd);
    let Some(report) = report else {
        let why = match reply.stop {
            Stop::Length => "The model's answer was cut off at its limit; try again, or choose another model",
            Stop::Refused => "The model declined to answer",
            Stop::Done | Stop::Calls => {
                "The model did not hand over an analysis; try again, or choose another model"
            }
        };
        return Ok(Outcome {
            state: WorkState::Failed,
            model: Some(reply.model),
            report: None,
            error: Some(why.to_owned()),
            cost,
        });
    };
    Ok(Outcome {
        state: WorkState::Done,
        model: Some(reply.model.clone()),
        report: serde_json::to_value(&report).ok(),
        error: None,
        cost,
    })
}
