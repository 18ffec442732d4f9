//! What a project's watcher does by itself, and the incidents that it acted on.

use domain::{ProjectId, Timestamp, WatchAction, WatchSeverity, WorkState};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Result, Scope, Snapshot, issues};

/// What the audit log calls the watcher.
pub const ACTOR: &str = "watcher";

/// What is set of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Watcher {
    pub is_on: bool,
    /// Minutes between two looks.
    pub interval_min: i32,
    /// By severity what is done. What it holds is the business of who acts.
    pub actions: Value,
}

/// The watcher of a project: what is set, by whom, and when it looks next.
#[derive(Clone, Debug, PartialEq)]
pub struct WatcherStatus {
    pub watcher: Watcher,
    pub changed_at: Timestamp,
    pub changed_by: String,
    pub due_at: Timestamp,
}

/// An incident that a watcher acted on, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchedIncident {
    pub incident_id: Uuid,
    pub at: Timestamp,
    pub severity: WatchSeverity,
    pub action: WatchAction,
    /// The issue that was opened for it last.
    pub issue_url: Option<String>,
    /// Why the watcher could open none, in words for people.
    pub failure: Option<String>,
    /// How its latest investigation stands; `None` where there is none any more.
    pub investigation: Option<WorkState>,
    /// What the incident was judged to be; `None` where it was taken back.
    pub judgement: Option<Value>,
}

/// What a project has set, and how its watcher stands; `None` where it never did.
pub async fn status(snapshot: &mut Snapshot, project: ProjectId) -> Result<Option<WatcherStatus>> {
    let row = sqlx::query!(
        "select is_on, interval_min, actions, changed_at, changed_by, due_at from watchers where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(|row| WatcherStatus {
        watcher: Watcher {
            is_on: row.is_on,
            interval_min: row.interval_min,
            actions: row.actions,
        },
        changed_at: Timestamp::from_offset_date_time(row.changed_at),
        changed_by: row.changed_by,
        due_at: Timestamp::from_offset_date_time(row.due_at),
    }))
}

/// The incidents that a watcher acted on, the latest first, at most `limit`.
pub async fn latest(snapshot: &mut Snapshot, project: ProjectId, limit: u32) -> Result<Vec<WatchedIncident>> {
    let rows = sqlx::query!(
        "select w.incident_id, w.at, w.severity, w.action, w.issue_url, w.failure,
           (select q.state from inquiries q where q.project_id = w.project_id and q.incident_id = w.incident_id
            order by q.asked_at desc, q.inquiry_id desc limit 1) as \"investigation?\",
           i.judgement as \"judgement?\"
         from watched_incidents w
           left join incidents i on i.project_id = w.project_id and i.incident_id = w.incident_id
         where w.project_id = $1 order by w.at desc, w.incident_id desc limit $2",
        project.0,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WatchedIncident {
            incident_id: row.incident_id,
            at: Timestamp::from_offset_date_time(row.at),
            severity: WatchSeverity::parse(&row.severity).unwrap_or(WatchSeverity::Low),
            action: WatchAction::parse(&row.action).unwrap_or(WatchAction::Log),
            issue_url: row.issue_url,
            failure: row.failure,
            investigation: row.investigation.as_deref().and_then(WorkState::parse),
            judgement: row.judgement,
        })
        .collect())
}

/// What a project has set; `None` where it never did.
pub async fn settings(snapshot: &mut Snapshot, project: ProjectId) -> Result<Option<Watcher>> {
    let row = sqlx::query!(
        "select is_on, interval_min, actions from watchers where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(|row| Watcher {
        is_on: row.is_on,
        interval_min: row.interval_min,
        actions: row.actions,
    }))
}

/// Sets it, and writes the audit log. It looks at once.
pub async fn save(db: &Db, project: ProjectId, watcher: &Watcher, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into watchers (project_id, changed_at, changed_by, due_at, is_on, interval_min, actions)
         values ($1, $2, $3, $2, $4, $5, $6)
         on conflict (project_id) do update set changed_at = excluded.changed_at, changed_by = excluded.changed_by,
           due_at = excluded.due_at, is_on = excluded.is_on, interval_min = excluded.interval_min,
           actions = excluded.actions",
        project.0,
        now.to_offset_date_time(),
        actor,
        watcher.is_on,
        watcher.interval_min,
        watcher.actions
    )
    .execute(&mut *tx)
    .await?;
    let details =
        json!({ "on": watcher.is_on, "interval_min": watcher.interval_min, "actions": watcher.actions });
    let entry = Entry::new(actor, "watcher.settings", ACTOR, details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// A project whose watcher is to look now; its next look is an interval from now. `None` where none is due.
pub async fn take_due(db: &Db, now: Timestamp) -> Result<Option<(ProjectId, Value)>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "update watchers w set due_at = $1::timestamptz + make_interval(mins => w.interval_min)
         where w.project_id = (
           select d.project_id from watchers d join projects p on p.project_id = d.project_id
           where d.is_on and d.due_at <= $1 and p.deleted_at is null
           order by d.due_at limit 1 for update of d skip locked)
         returning project_id, actions",
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| (ProjectId(row.project_id), row.actions)))
}

/// Of these incidents those that it has acted on.
pub async fn acted_on(snapshot: &mut Snapshot, project: ProjectId, incidents: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select incident_id from watched_incidents where project_id = $1 and incident_id = any($2)",
        project.0,
        incidents
    )
    .fetch_all(&mut *snapshot)
    .await?)
}

/// How often it did `action` since then.
pub async fn count_since(
    snapshot: &mut Snapshot,
    project: ProjectId,
    action: WatchAction,
    since: Timestamp,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "select count(*) as \"count!\" from watched_incidents where project_id = $1 and action = $2 and at >= $3",
        project.0,
        action.as_str(),
        since.to_offset_date_time()
    )
    .fetch_one(&mut *snapshot)
    .await?)
}

/// Writes down, here and in the audit log, that it acts on an incident. False where it has before: nothing is to be done.
pub async fn act(
    db: &Db,
    project: ProjectId,
    incident: Uuid,
    (severity, action): (WatchSeverity, WatchAction),
    now: Timestamp,
) -> Result<bool> {
    let mut tx = db.project(project).await?;
    let is_first = sqlx::query!(
        "insert into watched_incidents (project_id, incident_id, at, severity, action) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
        project.0,
        incident,
        now.to_offset_date_time(),
        severity.as_str(),
        action.as_str()
    )
    .execute(&mut *tx)
    .await?
    .rows_affected()
        > 0;
    if is_first {
        let details = json!({ "severity": severity, "action": action });
        let entry = Entry::new(ACTOR, "watcher.act", &incident.to_string(), details);
        audit::record_within(&mut tx, project, &entry, now).await?;
    }
    tx.commit().await?;
    Ok(is_first)
}

/// Writes down why no issue could be opened for an incident that a watcher acted on.
pub async fn record_failure(db: &Db, project: ProjectId, incident: Uuid, failure: &str) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update watched_incidents set failure = $3 where project_id = $1 and incident_id = $2",
        project.0,
        incident,
        failure
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Writes down, in the audit log too, what somebody did on GitHub for an incident.
pub async fn record_issue(
    db: &Db,
    project: ProjectId,
    incident: Uuid,
    (url, actor): (&str, &str),
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update watched_incidents set issue_url = $3, failure = null where project_id = $1 and incident_id = $2",
        project.0,
        incident,
        url
    )
    .execute(&mut *tx)
    .await?;
    issues::record_within(&mut tx, project, incident, (url, actor), now).await?;
    let entry = Entry::new(
        actor,
        "incident.issue",
        &incident.to_string(),
        json!({ "url": url }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}
