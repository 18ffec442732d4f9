//! The delivery log.

use domain::alert::{Alert, AlertAttempt, AlertCursor, AlertState, Channel, Trigger};
use domain::{ProjectId, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot};

/// Which alerts are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlertPage {
    pub state: Option<AlertState>,
    pub channel: Option<Channel>,
    pub trigger: Option<Trigger>,
    pub cursor: Option<AlertCursor>,
    pub limit: u32,
}

/// The alerts after the cursor, newest first.
pub async fn page(snapshot: &mut Snapshot, project: ProjectId, page: &AlertPage) -> Result<Vec<Alert>> {
    let after = page.cursor.unwrap_or(AlertCursor {
        created_at: Timestamp::from_micros(i64::MAX),
        id: Uuid::max(),
    });
    let rows = sqlx::query!(
        "select alert_id, trigger, channel, subject, summary, occurrences, state, attempts, answer, created_at, due_at,
           done_at
         from alerts
         where project_id = $1 and (created_at, alert_id) < ($2, $3) and ($4::text is null or state = $4)
           and ($5::text is null or channel = $5) and ($6::text is null or trigger = $6)
         order by created_at desc, alert_id desc limit $7",
        project.0,
        after.created_at.to_offset_date_time(),
        after.id,
        page.state.map(AlertState::as_str),
        page.channel.map(Channel::as_str),
        page.trigger.map(Trigger::as_str),
        i64::from(page.limit)
    )
    .fetch_all(snapshot)
    .await?;
    let alerts = rows.into_iter().map(|row| {
        let is_done = row.done_at.is_some();
        Alert {
            id: row.alert_id,
            trigger: Trigger::parse(&row.trigger).unwrap_or(Trigger::Test),
            channel: Channel::parse(&row.channel).unwrap_or(Channel::Webhook),
            subject: row.subject,
            summary: row.summary,
            occurrences: row.occurrences,
            state: AlertState::parse(&row.state).unwrap_or(AlertState::Failed),
            attempts: row.attempts,
            answer: row.answer,
            created_at: Timestamp::from_offset_date_time(row.created_at),
            due_at: (!is_done).then(|| Timestamp::from_offset_date_time(row.due_at)),
            done_at: row.done_at.map(Timestamp::from_offset_date_time),
        }
    });
    Ok(alerts.collect())
}

/// The attempts of alerts, the first first.
pub async fn attempts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    alerts: &[Uuid],
) -> Result<Vec<(Uuid, AlertAttempt)>> {
    let rows = sqlx::query!(
        "select alert_id, at, latency_ms, answer from alert_attempts
         where project_id = $1 and alert_id = any ($2) order by alert_id, nth",
        project.0,
        alerts
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let attempt = AlertAttempt {
                at: Timestamp::from_offset_date_time(row.at),
                latency_ms: row.latency_ms,
                answer: row.answer,
            };
            (row.alert_id, attempt)
        })
        .collect())
}

/// The last attempt of each channel, in the days that the log is kept.
pub async fn last_attempts(
    snapshot: &mut Snapshot,
    project: ProjectId,
) -> Result<Vec<(String, AlertAttempt)>> {
    let rows = sqlx::query!(
        "select i.kind, t.at, t.latency_ms, t.answer
         from integrations i
         join lateral (
           select a.alert_id from alerts a
           where a.project_id = $1 and a.channel = i.kind and a.attempts > 0
           order by a.created_at desc, a.alert_id desc limit 1
         ) a on true
         join lateral (
           select at, latency_ms, answer from alert_attempts
           where project_id = $1 and alert_id = a.alert_id order by nth desc limit 1
         ) t on true
         where i.project_id = $1",
        project.0
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let attempt = AlertAttempt {
                at: Timestamp::from_offset_date_time(row.at),
                latency_ms: row.latency_ms,
                answer: row.answer,
            };
            (row.kind, attempt)
        })
        .collect())
}

/// What the last alert about steps says, and when it was made.
pub async fn latest_content(
    snapshot: &mut Snapshot,
    project: ProjectId,
) -> Result<Option<(serde_json::Value, Timestamp)>> {
    let row = sqlx::query!(
        "select content, created_at from alerts
         where project_id = $1 and trigger in ('severity', 'step_error', 'error_rate')
         order by created_at desc, alert_id desc limit 1",
        project.0
    )
    .fetch_optional(snapshot)
    .await?;
    Ok(row.map(|row| (row.content, Timestamp::from_offset_date_time(row.created_at))))
}

/// How many alerts there are of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub waiting: i64,
    pub delivered: i64,
    pub failed: i64,
    pub dropped: i64,
}

/// How many alerts of each state were made since `from`.
pub async fn counts(snapshot: &mut Snapshot, project: ProjectId, from: Timestamp) -> Result<Counts> {
    let counts = sqlx::query_as!(
        Counts,
        "select count(*) filter (where state = 'waiting') as \"waiting!\",
           count(*) filter (where state = 'delivered') as \"delivered!\",
           count(*) filter (where state = 'failed') as \"failed!\",
           count(*) filter (where state = 'dropped') as \"dropped!\"
         from alerts where project_id = $1 and created_at >= $2",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_one(snapshot)
    .await?;
    Ok(counts)
}

/// What waits for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub kind: String,
    /// It takes nothing any more, until it is set up anew or a test is taken.
    pub is_stopped: bool,
    pub waiting: i64,
}

/// How many alerts wait for each connection of a project.
pub async fn waiting(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<Waiting>> {
    let rows = sqlx::query_as!(
        Waiting,
        "select i.kind, coalesce(i.stopped_at >= i.updated_at, false) as \"is_stopped!\",
           (select count(*) from alerts a where a.project_id = $1 and a.channel = i.kind and a.state = 'waiting')
             as \"waiting!\"
         from integrations i where i.project_id = $1",
        project.0
    )
    .fetch_all(snapshot)
    .await?;
    Ok(rows)
}

/// Delivers an alert once more, under the same id. `NotFound` where there is none, or its channel is gone; nothing
/// changes where it waits already.
pub async fn resend(db: &Db, project: ProjectId, alert: Uuid, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    let found = sqlx::query!(
        "select a.state, a.channel, a.summary from alerts a
         join integrations i on i.project_id = a.project_id and i.kind = a.channel
         where a.project_id = $1 and a.alert_id = $2 for update of a",
        project.0,
        alert
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    if found.state == AlertState::Waiting.as_str() {
        return Ok(());
    }
    sqlx::query!(
        "update alerts set state = 'waiting', done_at = null, due_at = $3 where project_id = $1 and alert_id = $2",
        project.0,
        alert,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "channel": found.channel, "summary": found.summary });
    let entry = Entry::new(actor, "alert.resend", &alert.to_string(), details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}
