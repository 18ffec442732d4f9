//! The watcher: looks at open incidents by itself, has each of them investigated once, and does what the project has set
//! for its severity: a line in the audit log, or an issue on GitHub.

use std::sync::Arc;
use std::time::Duration;

use domain::{IncidentStatus, ProjectId, Timestamp, WatchAction, WatchSeverity};
use engine::incidents::Incident;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::incidents::{IncidentFilter, StoredIncident};
use storage::watcher::{self, ACTOR};
use storage::{incidents, inquiries};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock;
use crate::github::connection::{NoRest, rest};
use crate::github::issues::{self, Issue};
use crate::incidents::answer::judgement;
use crate::tools::Toolbox;

/// How often it is looked whether a watcher is due.
const POLL_INTERVAL: Duration = Duration::from_secs(20);
/// Open incidents that are looked at.
const MAX_INCIDENTS: u32 = 200;
/// Issues that a watcher opens in a day; the rest waits.
const MAX_ISSUES_A_DAY: i64 = 10;
/// Incidents that a watcher acts on at one look.
const MAX_AT_ONCE: usize = 20;
const DAY_MICROS: i64 = 86_400_000_000;

/// What is done, by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WatchActions)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    /// From 10 standard deviations on.
    #[serde(default = "log")]
    pub critical: WatchAction,
    /// From 5 on.
    #[serde(default = "log")]
    pub high: WatchAction,
    /// Less, or it can't be said.
    #[serde(default = "log")]
    pub low: WatchAction,
}

const fn log() -> WatchAction {
    WatchAction::Log
}

impl Default for Actions {
    fn default() -> Self {
        Self {
            critical: log(),
            high: log(),
            low: log(),
        }
    }
}

impl Actions {
    /// As stored; what can't be read is only written down.
    pub fn stored(value: &Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    /// What is done with an incident of this severity.
    pub const fn of(self, severity: WatchSeverity) -> WatchAction {
        match severity {
            WatchSeverity::Critical => self.critical,
            WatchSeverity::High => self.high,
            WatchSeverity::Low => self.low,
        }
    }
}

/// How much an incident matters: by the deviation of its worst day.
pub fn severity(incident: &Incident) -> WatchSeverity {
    let sigmas = incident.days.iter().filter_map(|day| day.sigma);
    WatchSeverity::of_sigma(sigmas.max_by(f64::total_cmp))
}

/// What is acted on at one look. What has to wait, because issues enough were opened today, takes no place of what need
/// not.
fn chosen<T>(news: impl Iterator<Item = (T, WatchAction)>, mut issues_left: i64) -> Vec<(T, WatchAction)> {
    news.filter(|(_, action)| {
        if *action != WatchAction::Issue {
            return true;
        }
        issues_left -= 1;
        issues_left >= 0
    })
    .take(MAX_AT_ONCE)
    .collect()
}

/// What watching needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Watching {
    pub toolbox: Toolbox,
    /// How links begin that are followed from outside.
    pub origin: String,
    /// Notified when an incident is to be investigated.
    pub inquiries_wake: Arc<Notify>,
}

/// Looks whenever a project's watcher is due, until `shutdown`.
pub async fn run(watching: Watching, shutdown: CancellationToken) {
    loop {
        if let Err(cause) = watching.look_at_all(&shutdown).await {
            tracing::warn!(error = ?cause, "no watcher looks: the database does not answer");
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = sleep(POLL_INTERVAL) => {}
        }
    }
}

impl Watching {
    async fn look_at_all(&self, shutdown: &CancellationToken) -> storage::Result<()> {
        while !shutdown.is_cancelled() {
            let Some((project, actions)) = watcher::take_due(&self.toolbox.db, clock::now()).await? else {
                break;
            };
            self.look(project, Actions::stored(&actions), clock::now())
                .await?;
        }
        Ok(())
    }

    /// Looks at a project's open incidents, the oldest first, and acts on those that it has not acted on.
    pub async fn look(&self, project: ProjectId, actions: Actions, now: Timestamp) -> storage::Result<()> {
        let db = &self.toolbox.db;
        let mut snapshot = db.snapshot(project).await?;
        let open = IncidentFilter {
            status: Some(IncidentStatus::Open),
            ..IncidentFilter::default()
        };
        let mut found = incidents::list(&mut snapshot, project, &open, MAX_INCIDENTS).await?;
        found.reverse();
        let ids: Vec<Uuid> = found.iter().map(|stored| stored.id).collect();
        let known = watcher::acted_on(&mut snapshot, project, &ids).await?;
        let since = now.plus_micros(-DAY_MICROS);
        let issues = watcher::count_since(&mut snapshot, project, WatchAction::Issue, since).await?;
        drop(snapshot);
        let news = found
            .iter()
            .filter(|stored| !known.contains(&stored.id))
            .filter_map(|stored| {
                let incident = judgement(stored)?;
                let severity = severity(&incident);
                Some(((stored, incident, severity), actions.of(severity)))
            });
        let chosen = chosen(news, MAX_ISSUES_A_DAY.saturating_sub(issues));
        for ((stored, incident, severity), action) in chosen {
            // Written down before it is done: what dies in between is not done twice.
            if watcher::act(db, project, stored.id, (severity, action), now).await? {
                self.act(project, stored, &incident, (severity, action)).await?;
            }
        }
        Ok(())
    }

    async fn act(
        &self,
        project: ProjectId,
        stored: &StoredIncident,
        incident: &Incident,
        (severity, action): (WatchSeverity, WatchAction),
    ) -> storage::Result<()> {
        let db = &self.toolbox.db;
        inquiries::investigate(db, project, stored.id, ACTOR, clock::now()).await?;
        self.inquiries_wake.notify_one();
        tracing::info!(project.id = %project, incident.id = %stored.id, severity = severity.as_str(), action = action.as_str(), "the watcher acts on an incident");
        // Somebody may have opened one by the button.
        if action == WatchAction::Issue
            && storage::issues::claim(db, project, stored.id, clock::now()).await?
        {
            match self
                .open_issue(project, stored.id, incident, severity, ACTOR)
                .await
            {
                Ok(_) => {}
                Err(NoRest::Database(cause)) => return Err(cause),
                Err(cause) => {
                    storage::issues::release(db, project, stored.id).await?;
                    tracing::warn!(project.id = %project, incident.id = %stored.id, %cause, "the watcher could not open an issue");
                    watcher::record_failure(db, project, stored.id, &cause.to_string()).await?;
                }
            }
        }
        Ok(())
    }

    /// Opens an issue for an incident and writes the audit log.
    pub async fn open_issue(
        &self,
        project: ProjectId,
        id: Uuid,
        incident: &Incident,
        severity: WatchSeverity,
        actor: &str,
    ) -> Result<Issue, NoRest> {
        let toolbox = &self.toolbox;
        let mut rest = rest(&toolbox.db, &toolbox.secrets, &toolbox.outbound, project).await?;
        let slug = storage::projects::get(&toolbox.db, project).await?.slug;
        let page = format!("{}/p/{slug}/incidents/{id}", self.origin);
        let now = clock::now();
        let issue = issues::open(&mut rest, incident, severity, &page, now).await?;
        watcher::record_issue(&toolbox.db, project, id, (&issue.html_url, actor), now).await?;
        Ok(issue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_wait_keeps_nothing_else_waiting() {
        let news = (0..60).map(|number| {
            let action = if number < 50 {
                WatchAction::Issue
            } else {
                WatchAction::Log
            };
            (number, action)
        });
        let numbers = |issues_left: i64| -> Vec<i32> {
            let chosen = chosen(news.clone(), issues_left);
            chosen.into_iter().map(|(number, _)| number).collect()
        };
        assert_eq!(numbers(0), (50..60).collect::<Vec<_>>());
        assert_eq!(numbers(2), [0, 1, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
        assert_eq!(numbers(90), (0..20).collect::<Vec<_>>());
    }
}
