//! What a detector would have found in the latest runs. Nothing of it is stored.

use domain::ProjectId;
use domain::detector::{Detector, JudgedRun, JudgedStep};
use engine::detectors::{Found, all_hold, is_sampled, judge, metadata_keys, wanted_texts};
use storage::Snapshot;

/// Of each text that rules look at, in characters.
const MAX_TEXT_CHARS: i32 = 1_000_000;
/// How much of all runs together is read and held before they are judged, in bytes; the run that passes it is the last.
const MAX_READ_BYTES: usize = 16 * 1024 * 1024;

/// What became of the latest runs.
#[derive(Debug, Default)]
pub struct Trial {
    /// So many were looked at.
    pub runs: u32,
    /// For so many the conditions hold.
    pub matching: u32,
    /// So many of those are in the sample, the latest first.
    pub sampled: Vec<JudgedRun>,
    /// What the rule found in them; of a detector that asks a model nothing is known.
    pub found: Vec<(String, Found)>,
    /// The runs were so large that fewer were looked at than asked for.
    pub is_cut: bool,
}

/// Tries a detector on the project's latest `runs` runs that have ended. Judges them once the connection is given back.
pub async fn try_detector(
    mut snapshot: Snapshot,
    project: ProjectId,
    detector: &Detector,
    runs: u32,
) -> storage::Result<Trial> {
    let definition = &detector.definition;
    let is_rule = definition.template.is_rule();
    let keys = metadata_keys(&definition.conditions);
    let mut trial = Trial::default();
    let mut sampled_texts = Vec::new();
    let mut left = MAX_READ_BYTES;
    for run_id in storage::detectors::latest_ids(&mut snapshot, project, i64::from(runs)).await? {
        if left == 0 {
            trial.is_cut = true;
            break;
        }
        let run = storage::detectors::read(&mut snapshot, project, &run_id, &keys).await?;
        left = left.saturating_sub(run.steps.iter().map(step_bytes).sum());
        if run.is_own {
            continue;
        }
        trial.runs += 1;
        if !all_hold(&definition.conditions, &run) {
            continue;
        }
        trial.matching += 1;
        if !is_sampled(&run_id, &detector.id.to_string(), detector.sample) {
            continue;
        }
        if is_rule {
            let wanted = wanted_texts(definition, &run);
            let texts =
                storage::detectors::texts(&mut snapshot, project, &run_id, &wanted, MAX_TEXT_CHARS).await?;
            let read = texts.iter().flat_map(|step| [&step.input, &step.output]);
            left = left.saturating_sub(read.flatten().map(String::len).sum());
            sampled_texts.push(texts);
        }
        trial.sampled.push(run);
    }
    drop(snapshot);
    if is_rule {
        let judged = trial
            .sampled
            .iter()
            .zip(&sampled_texts)
            .filter_map(|(run, texts)| {
                judge(definition, run, texts).map(|found| (run.summary.run_id.clone(), found))
            });
        trial.found = judged.collect();
    }
    Ok(trial)
}

/// What a step takes: what is held of it, and the input of a tool, which is read for its hash.
fn step_bytes(step: &JudgedStep) -> usize {
    let hashed = match step.input_hash {
        Some(_) => usize::try_from(step.text_bytes.0).unwrap_or(0),
        None => 0,
    };
    size_of::<JudgedStep>() + step.name.len() + step.error.as_deref().map_or(0, str::len) + hashed
}
