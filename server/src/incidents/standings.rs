//! How projects stood when all of each was judged last, in this process: as long as nobody changed what came before,
//! later hours of the day are judged alone.

use std::collections::HashMap;

use domain::{ProjectId, Timestamp};
use engine::incidents::{Since, Standing, Weights};
use storage::Db;
use storage::incidents::Taken;
use tokio::task::spawn_blocking;

use super::{By, JudgeError, read};

/// Metrics and hours of series that are kept of all projects together, a kilobyte or two each.
const MAX_KEPT: usize = 60_000;
/// A project with fewer hours of series is judged as a whole in no time.
const LEAST_ROWS: usize = 1_000;

/// What is kept between judgements. It is never needed: without it, all of a project is judged.
#[derive(Debug, Default)]
pub struct Standings {
    kept: HashMap<ProjectId, Kept>,
}

#[derive(Debug)]
struct Kept {
    standing: Standing,
    /// What was known then.
    history: i64,
    /// What people's answers had made of the weights.
    weights: Weights,
    judged_at: Timestamp,
    used_at: Timestamp,
}

/// What the latest hours said.
pub(super) struct Hours {
    /// The running hour has calls.
    pub(super) is_running: bool,
    /// How many hours of series were read.
    pub(super) rows: usize,
}

impl Standings {
    /// Judges the hours that came since a project was judged as a whole. `None` where it has to be judged as a whole
    /// again: something opened or closed, what came before is another, or an hour has passed in which figures moved.
    pub(super) async fn judge_hours(
        &mut self,
        db: &Db,
        project: ProjectId,
        taken: Taken,
        by: &By,
        now: Timestamp,
    ) -> Result<Option<Hours>, JudgeError> {
        let kept = self.kept.remove(&project);
        let Some(kept) = kept.filter(|kept| kept.history == taken.history && kept.weights == by.weights)
        else {
            return Ok(None);
        };
        let Some(recent) = read::hours_since(db, project, kept.standing.reads_from(), now).await? else {
            return Ok(None);
        };
        let hours = Hours {
            is_running: recent.is_running,
            rows: recent.window.rows.len(),
        };
        let (window, settings) = (recent.window, by.settings.clone());
        let judging = spawn_blocking(move || {
            let since = kept.standing.since(&window, &settings);
            (kept, since)
        });
        let (kept, since) = judging.await?;
        let is_enough = match since {
            Since::Nothing => true,
            Since::Figures => kept.judged_at.hour() == now.hour(),
            Since::Everything => false,
        };
        if !is_enough {
            return Ok(None);
        }
        self.kept.insert(project, Kept { used_at: now, ..kept });
        Ok(Some(hours))
    }

    /// Keeps how a project stood, when it is large enough to be worth it, and forgets those that were not asked for
    /// longest.
    pub(super) fn keep(
        &mut self,
        project: ProjectId,
        standing: Standing,
        rows: usize,
        (history, weights): (i64, Weights),
        now: Timestamp,
    ) {
        if rows < LEAST_ROWS {
            return;
        }
        self.kept.insert(
            project,
            Kept {
                standing,
                history,
                weights,
                judged_at: now,
                used_at: now,
            },
        );
        let mut all: usize = self.kept.values().map(|kept| kept.standing.size()).sum();
        while all > MAX_KEPT {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used_at);
            let Some(oldest) = oldest.map(|(project, _)| *project) else {
                break;
            };
            if let Some(kept) = self.kept.remove(&oldest) {
                all -= kept.standing.size();
            }
        }
    }
}
