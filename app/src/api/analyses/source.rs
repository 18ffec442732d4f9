//! What an analysis is written from: the run, its steps, the texts that matter, the deploys before it.

use std::collections::BTreeMap;

use domain::{Deploy, ProjectId, RunSummary, Severity, StepSummary};
use engine::analysis::{self, Link, Report, StepTexts};
use storage::Snapshot;
use storage::deploys::DeployFilter;

/// The most steps of a run that are looked at.
const MAX_STEPS: u32 = 20_000;
/// Of each text so many characters are read.
const MAX_TEXT_CHARS: i32 = 64 * 1024;
/// How long before a run a deploy may have to do with it, in microseconds.
const DEPLOYS_BEFORE_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;
const MAX_DEPLOYS: u32 = 8;

/// A run as it is analysed.
#[derive(Clone, Debug)]
pub struct RunSource {
    pub run: RunSummary,
    /// In the order of time.
    pub steps: Vec<StepSummary>,
    /// Of the steps that matter.
    pub texts: BTreeMap<String, StepTexts>,
    /// Of the week before, the latest first.
    pub deploys: Vec<Deploy>,
}

/// Reads a run. `NotFound` where there is none.
pub async fn read(snapshot: &mut Snapshot, project: ProjectId, run_id: &str) -> storage::Result<RunSource> {
    let run = storage::runs::get(snapshot, project, run_id).await?;
    // Where nothing is wrong, the run's own figures say all there is.
    let is_well = run.severity == Severity::Ok && run.error_count == 0;
    let limit = if is_well { 1 } else { MAX_STEPS };
    let steps = storage::steps::of_run(snapshot, project, run_id, limit).await?;
    let worth = analysis::worth_reading(&run, &steps);
    let texts = storage::steps::texts(snapshot, project, run_id, &worth, MAX_TEXT_CHARS).await?;
    let filter = DeployFilter {
        from: Some(run.started_at.plus_micros(-DEPLOYS_BEFORE_MICROS)),
        to: Some(run.ended_at),
        sha: None,
    };
    let deploys = storage::deploys::list(snapshot, project, &filter, None, MAX_DEPLOYS).await?;
    let texts = texts.into_iter().map(|texts| {
        let both = StepTexts {
            input: texts.input,
            output: texts.output,
        };
        (texts.step_id, both)
    });
    Ok(RunSource {
        run,
        steps,
        texts: texts.collect(),
        deploys: deploys.items,
    })
}

impl RunSource {
    /// The report by rules, with the links that it rests on.
    pub fn by_rules(&self) -> (Report, Vec<Link>) {
        let links = analysis::links(&self.steps, &self.texts);
        (analysis::report(&self.run, &self.steps, &links), links)
    }

    /// How many bytes of text are compared for it.
    pub fn text_bytes(&self) -> usize {
        let texts = self
            .texts
            .values()
            .flat_map(|texts| [&texts.input, &texts.output]);
        texts.flatten().map(String::len).sum()
    }
}
