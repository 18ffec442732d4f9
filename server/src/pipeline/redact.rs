//! What is hidden in a batch, before anything else is worked out of it.

use std::collections::BTreeMap;

use domain::{ProjectId, Timestamp};
use storage::ingest::RedactionDay;
use tokio::task::yield_now;

use super::Submission;
use crate::blocking::{run_blocking_if_large, text_bytes};
use crate::redaction::{Redaction, hide};

/// Steps between two pauses, as for what is worked out of them.
const CHUNK_STEPS: usize = 16;

/// The submissions without what their projects hide; `None` where no project hides anything.
pub(super) async fn redacted(
    redaction: Option<&Redaction>,
    projects: &[ProjectId],
    submissions: &[Submission],
) -> storage::Result<Option<Vec<Submission>>> {
    let Some(redaction) = redaction else {
        return Ok(None);
    };
    let mut redactors = BTreeMap::new();
    for project in projects {
        let redactor = redaction.of(*project).await?;
        if !redactor.is_off() {
            redactors.insert(*project, redactor);
        }
    }
    if redactors.is_empty() {
        return Ok(None);
    }
    // What was sent is tried again where the batch fails, so it stays as it is.
    let mut left = submissions.to_vec();
    let mut done = 0_usize;
    for submission in &mut left {
        let Some(redactor) = redactors.get(&submission.project_id) else {
            continue;
        };
        submission
            .hidden
            .resize_with(submission.steps.len(), Default::default);
        for (step, hidden) in submission.steps.iter_mut().zip(&mut submission.hidden) {
            if done > 0 && done.is_multiple_of(CHUNK_STEPS) {
                yield_now().await;
            }
            done += 1;
            run_blocking_if_large(text_bytes(step), || hidden.add(&hide(redactor, step)));
        }
    }
    Ok(Some(left))
}

/// What was hidden in new steps, by day and kind.
pub(super) fn redaction_days(submissions: &[Submission], is_new: &[bool]) -> Vec<RedactionDay> {
    let mut sums: BTreeMap<(ProjectId, Timestamp, &str), (i64, i64)> = BTreeMap::new();
    let mut flags = is_new.iter();
    for submission in submissions {
        let day = submission.received_at.day();
        let own = flags.by_ref().take(submission.steps.len());
        // All flags are taken, also of submissions in which nothing was hidden.
        let own: Vec<bool> = own.copied().collect();
        for (hidden, is_new) in submission.hidden.iter().zip(own) {
            for (kind, values) in hidden.0.iter().filter(|_| is_new) {
                let sum = sums
                    .entry((submission.project_id, day, kind.as_str()))
                    .or_default();
                sum.0 += i64::try_from(*values).unwrap_or(i64::MAX);
                sum.1 += 1;
            }
        }
    }
    sums.into_iter()
        .map(|((project_id, day, kind), (hidden, steps))| RedactionDay {
            project_id,
            day,
            kind: kind.to_owned(),
            hidden,
            steps,
        })
        .collect()
}
