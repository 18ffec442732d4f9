//! Taking runs that are due, so many at once and few of a project, until the server stops.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{ProjectId, Timestamp};
use storage::payloads::Unopened;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Judge;
use super::judge::{give_up, look_at};
use crate::clock;

/// Runs that one process is at at once. Most of the time they wait for models.
const MAX_UNDER_WAY: usize = 16;
/// Of these, runs of one project: others do not wait for its provider.
const MAX_OF_A_PROJECT: usize = 2;
/// Where so many are under way, a project has one alone: what is left is for those that have none.
const CROWDED: usize = MAX_UNDER_WAY / 2;
/// How long they are this process's. Should judging take longer, another process may look at them too; what is begun is
/// judged by one all the same.
const CLAIM_MICROS: i64 = 600 * 1_000_000;
/// How often a run is tried that can't be read, or at which the process dies; then it counts as one that failed.
const MAX_ATTEMPTS: i32 = 5;
/// How long after the first attempt it is tried again; twice as long after each one more.
const BACKOFF_MICROS: i64 = 60 * 1_000_000;
/// When a run is looked at again whose texts this server has no key for.
const SEALED_MICROS: i64 = 600 * 1_000_000;
const POLL_INTERVAL: Duration = Duration::from_secs(10);
const OUTAGE_PAUSE: Duration = Duration::from_secs(5);

/// Judges until `shutdown`. `wake` is notified when a run may be due soon.
pub async fn run(judge: Judge, wake: Arc<Notify>, shutdown: CancellationToken) {
    let mut under_way = UnderWay::default();
    while !shutdown.is_cancelled() {
        let pause = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            begun = under_way.begin_due(&judge, clock::now()) => match begun {
                Ok(_) => until_due(&judge.db).await,
                Err(cause) => {
                    tracing::warn!(error = ?cause, "no runs are judged: the database does not answer");
                    OUTAGE_PAUSE
                }
            },
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            Some(()) = under_way.next() => {}
            () = wake.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

async fn until_due(db: &storage::Db) -> Duration {
    let now = clock::now();
    match storage::detectors::next_due(db).await {
        Ok(Some(due)) if due > now => {
            let micros = u64::try_from(due.micros() - now.micros()).unwrap_or(0);
            Duration::from_micros(micros).min(POLL_INTERVAL)
        }
        _ => POLL_INTERVAL,
    }
}

/// Judges runs that are due at `now`, and returns when none of them is under way. Returns how many were looked at.
pub async fn judge_due(judge: &Judge, now: Timestamp) -> storage::Result<usize> {
    let mut under_way = UnderWay::default();
    let begun = under_way.begin_due(judge, now).await?;
    while under_way.next().await.is_some() {}
    Ok(begun)
}

/// Runs that are being judged. Given up, it leaves them to whoever takes them when the claim has run out.
#[derive(Default)]
struct UnderWay {
    judging: JoinSet<()>,
    projects: BTreeMap<Id, ProjectId>,
}

impl UnderWay {
    /// Begins with runs that are due at `now`, as many as may be under way. Returns how many.
    async fn begin_due(&mut self, judge: &Judge, now: Timestamp) -> storage::Result<usize> {
        let until = now.plus_micros(CLAIM_MICROS);
        let mut begun = 0;
        while self.projects.len() < MAX_UNDER_WAY {
            let busy = busy(self.projects.values().copied());
            let Some(queued) = storage::detectors::take(&judge.db, now, until, &busy).await? else {
                break;
            };
            let (judge, project) = (judge.clone(), queued.project_id);
            let task = self.judging.spawn(async move {
                let looked = if queued.attempts > MAX_ATTEMPTS {
                    give_up(&judge, &queued, now).await
                } else {
                    look_at(&judge, &queued, now).await
                };
                if let Err(storage::Error::Sealed(cause @ (Unopened::OtherKey | Unopened::NoKey))) = looked {
                    tracing::warn!(error = %cause, project.id = %project, "a run is not judged before its texts can be opened");
                    let due_at = now.plus_micros(SEALED_MICROS);
                    if let Err(cause) = storage::detectors::later(&judge.db, &queued, due_at).await {
                        tracing::debug!(error = ?cause, "it is tried again when the claim ends");
                    }
                } else if let Err(cause) = looked {
                    tracing::warn!(error = ?cause, project.id = %project, attempts = queued.attempts, "a run is not judged yet");
                    let due_at = now.plus_micros(backoff_micros(queued.attempts));
                    if let Err(cause) = storage::detectors::again(&judge.db, &queued, due_at).await {
                        tracing::debug!(error = ?cause, "it is tried again when the claim ends");
                    }
                }
            });
            self.projects.insert(task.id(), project);
            begun += 1;
        }
        Ok(begun)
    }

    /// Waits until one has ended; `None` when none is under way.
    async fn next(&mut self) -> Option<()> {
        let id = match self.judging.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(panicked) => panicked.id(),
        };
        self.projects.remove(&id);
        Some(())
    }
}

/// How long a run waits after so many attempts.
fn backoff_micros(attempts: i32) -> i64 {
    let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(6);
    BACKOFF_MICROS << doublings
}

/// The projects that have as many runs under way as they may, given the project of each run.
fn busy(under_way: impl Iterator<Item = ProjectId>) -> Vec<ProjectId> {
    let mut counts = BTreeMap::<ProjectId, usize>::new();
    for project in under_way {
        *counts.entry(project).or_default() += 1;
    }
    let most = match counts.values().sum::<usize>() {
        CROWDED.. => 1,
        _ => MAX_OF_A_PROJECT,
    };
    counts.retain(|_, count| *count >= most);
    counts.into_keys().collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_project_with_two_runs_under_way_is_busy_and_others_are_not() {
        let [slow, other] = [1, 2].map(|n| ProjectId(Uuid::from_u128(n)));
        assert!(busy([slow, other].into_iter()).is_empty());
        assert_eq!(busy([slow, other, slow].into_iter()), [slow]);
    }

    /// However many projects there are whose providers hang, one that has none under way gets the next place.
    #[test]
    fn projects_take_places_so_that_the_others_have_some() {
        let project = |n: usize| ProjectId(Uuid::from_u128(u128::try_from(n).unwrap()));
        let mut under_way = Vec::new();
        // Each has any number of runs that are due, and never lets one go.
        while under_way.len() < MAX_UNDER_WAY {
            let busy = busy(under_way.iter().copied());
            let next = (0..).map(project).find(|project| !busy.contains(project));
            under_way.push(next.unwrap());
        }
        let have_some: std::collections::BTreeSet<ProjectId> = under_way.iter().copied().collect();
        assert_eq!(
            have_some.len(),
            CROWDED / MAX_OF_A_PROJECT + MAX_UNDER_WAY - CROWDED
        );
    }
}
