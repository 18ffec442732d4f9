//! The scoring of one batch: its steps count from the moment they are scored, and only for as long as they are going to
//! be stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ProjectId;
use storage::ingest::{self, BatchTx, FiledRuns, StepRow};
use storage::scoring::WantedRun;

use super::{Pending, Project, Scoring};
use crate::derived_step::DerivedStep;

/// A batch's projects, with the steps of each that were scored. Unless it is settled, dropping it undoes them.
#[derive(Debug)]
pub struct BatchScoring<'a> {
    scoring: &'a Scoring,
    projects: BTreeMap<ProjectId, (Arc<Project>, Vec<Pending>)>,
    /// From here on it is unknown whether the steps are stored, should this be dropped.
    is_committing: bool,
}

impl Scoring {
    /// Reads what is due of the projects of a batch.
    pub async fn batch(&self, projects: &[ProjectId]) -> storage::Result<BatchScoring<'_>> {
        let mut known = BTreeMap::new();
        for id in projects {
            known.insert(*id, (self.of(*id).await?, Vec::new()));
        }
        Ok(BatchScoring {
            scoring: self,
            projects: known,
            is_committing: false,
        })
    }
}

impl BatchScoring<'_> {
    /// Runs that have steps already, and that this process does not know, or no longer: what they did is read.
    pub async fn read_runs(&mut self, batch: &mut BatchTx, runs: &FiledRuns) -> storage::Result<()> {
        for (project, run_id) in &runs.created {
            if let Some((project, _)) = self.projects.get(project) {
                project.lock().begin_run(run_id);
            }
        }
        let is_unknown = |(project, run_id): &&(ProjectId, String)| {
            let project = self.projects.get(project);
            project.is_some_and(|(project, _)| !project.lock().knows_run(run_id))
        };
        let unknown: Vec<WantedRun<'_>> = runs
            .known
            .iter()
            .filter(is_unknown)
            .map(|(project_id, run_id)| WantedRun {
                project_id: *project_id,
                run_id,
                except_step_id: None,
            })
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for done in ingest::runs_done(batch, &unknown).await? {
            if let Some((project, _)) = self.projects.get(&done.project_id) {
                project.lock().record_run(&done);
            }
        }
        Ok(())
    }

    /// Scores the new steps in the order in which they arrived. A duplicate is not scored again: it would count twice
    /// in the history.
    pub fn score(&mut self, rows: &mut [StepRow<'_>], derived: &[DerivedStep], looks_new: &[bool]) {
        for ((row, derived), looks_new) in rows.iter_mut().zip(derived).zip(looks_new) {
            let project = self.projects.get_mut(&row.project_id);
            let Some((project, steps)) = project.filter(|_| *looks_new) else {
                continue;
            };
            let Some((score, pending)) = project.lock().score_next(row.sequence, row.step, derived) else {
                continue;
            };
            steps.push(pending);
            row.score = Some(score.total);
            row.threshold = Some(score.threshold);
            row.severity = score.severity;
            row.stopped_at_layer = score.stopped_at_layer;
            row.output_shape = Some(score.output_shape.as_str());
            row.conditions = score.conditions;
        }
    }

    /// The commit is under way: should it fail, it may have come about all the same.
    pub fn committing(&mut self) {
        self.is_committing = true;
    }

    /// The batch is committed. Another one may have stored some of the steps before: those of this one are not.
    pub fn settle(mut self, is_new: &[bool]) {
        let is_stored = |step: &&Pending| is_new.get(step.nth_of_batch()).copied().unwrap_or(false);
        for (id, (project, steps)) in std::mem::take(&mut self.projects) {
            {
                let mut scoring = project.lock();
                let (stored, raced): (Vec<_>, Vec<_>) = steps.iter().partition(is_stored);
                scoring.confirm(stored);
                scoring.undo(raced);
            }
            self.scoring.weigh(id, &project);
        }
    }
}

impl Drop for BatchScoring<'_> {
    fn drop(&mut self) {
        for (project, steps) in self.projects.values() {
            let mut scoring = project.lock();
            scoring.undo(steps);
            if self.is_committing {
                scoring.request_reload();
            }
        }
    }
}
