//! Writing alerts. What comes while a trigger is quiet about the same thing is counted in one alert, which is due when
//! the quiet ends.

use domain::alert::{AlertState, Channel, Trigger};
use domain::{ProjectId, Severity, Timestamp};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Db, Result};

/// Something worth telling to one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAlert {
    pub project_id: ProjectId,
    pub trigger: Trigger,
    pub channel: Channel,
    /// What is coalesced: a step's name. Bounded by the caller.
    pub group_key: String,
    /// How long the trigger is quiet about it afterwards, in seconds.
    pub quiet_s: u32,
    /// Not before; for quiet hours.
    pub not_before: Option<Timestamp>,
    pub occurrences: i64,
    pub severity: Severity,
    pub summary: String,
    pub subject: Value,
    pub content: Value,
}

type Key<'a> = (ProjectId, &'static str, &'static str, &'a str);

fn key(alert: &NewAlert) -> Key<'_> {
    let (trigger, channel) = (alert.trigger.as_str(), alert.channel.as_str());
    (alert.project_id, trigger, channel, &alert.group_key)
}

/// Writes alerts, one of each project, trigger, channel and group, in the transaction that caused them: one statement,
/// none where there are none. Rows are locked in the order of their keys.
pub(crate) async fn insert_within(
    tx: &mut PgConnection,
    alerts: &mut [NewAlert],
    now: Timestamp,
) -> Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    alerts.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    let ids: Vec<Uuid> = alerts.iter().map(|_| Uuid::now_v7()).collect();
    let not_before = |alert: &NewAlert| alert.not_before.map(Timestamp::to_offset_date_time);
    sqlx::query!(
        "with incoming as (
           select project_id, alert_id, trigger, channel, group_key, quiet_s, not_before, occurrences, severity, summary,
             subject::jsonb as subject, content::jsonb as content
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[],
             $8::bigint[], $9::smallint[], $10::text[], $11::text[], $12::text[])
             as incoming (project_id, alert_id, trigger, channel, group_key, quiet_s, not_before, occurrences, severity,
               summary, subject, content)
         ), held as (
           insert into alert_groups as g (project_id, fired_at, quiet_until, quiet_s, trigger, channel, group_key)
           select project_id, $13::timestamptz, $13 + make_interval(secs => quiet_s), quiet_s, trigger, channel, group_key
           from incoming
           on conflict (project_id, trigger, channel, group_key) do update set
             fired_at = case when g.quiet_until <= excluded.fired_at then excluded.fired_at else g.fired_at end,
             quiet_until = case when g.quiet_until <= excluded.fired_at then excluded.quiet_until else g.quiet_until end,
             quiet_s = excluded.quiet_s
           returning project_id, trigger, channel, group_key, fired_at, quiet_until
         )
         insert into alerts as a (project_id, alert_id, created_at, last_at, due_at, occurrences, severity, is_open,
           trigger, channel, group_key, state, summary, subject, content)
         select i.project_id, i.alert_id, $13, $13,
           greatest(case when h.fired_at = $13 then $13 else h.quiet_until end, i.not_before),
           i.occurrences, i.severity, true, i.trigger, i.channel, i.group_key, 'waiting', i.summary, i.subject, i.content
         from incoming i
         join held h on h.project_id = i.project_id and h.trigger = i.trigger and h.channel = i.channel
           and h.group_key = i.group_key
         on conflict (project_id, trigger, channel, group_key) where is_open do update set
           occurrences = a.occurrences + excluded.occurrences, last_at = excluded.last_at",
        &alerts.iter().map(|alert| alert.project_id.0).collect::<Vec<_>>(),
        &ids,
        &alerts.iter().map(|alert| alert.trigger.as_str()).collect::<Vec<_>>() as _,
        &alerts.iter().map(|alert| alert.channel.as_str()).collect::<Vec<_>>() as _,
        &alerts.iter().map(|alert| alert.group_key.as_str()).collect::<Vec<_>>() as _,
        &alerts
            .iter()
            .map(|alert| i32::try_from(alert.quiet_s).unwrap_or(i32::MAX))
            .collect::<Vec<_>>(),
        &alerts.iter().map(not_before).collect::<Vec<_>>() as _,
        &alerts.iter().map(|alert| alert.occurrences).collect::<Vec<_>>(),
        &alerts.iter().map(|alert| number(alert.severity)).collect::<Vec<_>>(),
        &alerts.iter().map(|alert| alert.summary.as_str()).collect::<Vec<_>>() as _,
        &alerts.iter().map(|alert| alert.subject.to_string()).collect::<Vec<_>>(),
        &alerts.iter().map(|alert| alert.content.to_string()).collect::<Vec<_>>(),
        now.to_offset_date_time()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes down an alert that was sent by hand, past the outbox, with what was answered.
pub async fn record_done(
    db: &Db,
    alert: &NewAlert,
    alert_id: Uuid,
    state: AlertState,
    (answer, latency_ms): (&str, i32),
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(alert.project_id).await?;
    sqlx::query!(
        "with done as (
         insert into alerts (project_id, alert_id, created_at, last_at, due_at, done_at, occurrences, attempts, severity,
           is_open, trigger, channel, group_key, state, summary, answer, subject, content)
         select $1, $2, $3, $3, $3, $3, $4, 1, $5, false, $6, $7, $8, $9, $10, $11, $12, $13
         where exists (select from projects where project_id = $1 and deleted_at is null)
         returning alert_id)
         insert into alert_attempts (project_id, alert_id, nth, latency_ms, at, answer)
         select $1, alert_id, 1, $14, $3, $11 from done",
        alert.project_id.0,
        alert_id,
        now.to_offset_date_time(),
        alert.occurrences,
        number(alert.severity),
        alert.trigger.as_str(),
        alert.channel.as_str(),
        alert.group_key,
        state.as_str(),
        alert.summary,
        answer,
        alert.subject,
        alert.content,
        latency_ms
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

fn number(severity: Severity) -> i16 {
    match severity {
        Severity::Ok => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    }
}
