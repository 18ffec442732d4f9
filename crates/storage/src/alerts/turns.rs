//! Whose turn it is to deliver. A process takes a channel, not an alert: so messages keep their order, what a receiver
//! says about waiting holds for all that wait, and two processes never speak to one channel at once. A claim ends by
//! itself, so that what a dead process was at is taken up by another.

use domain::alert::{AlertState, Channel, Trigger};
use domain::{ProjectId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::insert_within;
use super::outbox::NewAlert;
use crate::{Db, Result, Scope, Tx};

const HOUR_MICROS: i64 = 3_600 * 1_000_000;

/// What became of a look at the channels.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// These are to be delivered.
    Claimed(Box<Claimed>),
    /// A channel has had its messages of this hour and was put off; there may be others.
    PutOff,
    /// Nothing is due, or others are at it.
    Nothing,
}

/// Alerts of one channel that this process is to deliver.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    pub project_id: ProjectId,
    /// The project's word in addresses.
    pub slug: String,
    /// The project's name.
    pub project_name: String,
    pub channel: Channel,
    /// What shows that the channel is still ours.
    pub claim: Uuid,
    pub options: Value,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// One, or several that are to be one message.
    pub alerts: Vec<ClaimedAlert>,
}

/// An alert that is to be delivered. It counts nothing any more.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedAlert {
    pub alert_id: Uuid,
    pub trigger: Trigger,
    pub created_at: Timestamp,
    pub last_at: Timestamp,
    pub occurrences: i64,
    /// Attempts, this one too.
    pub attempts: u32,
    pub summary: String,
    pub subject: Value,
    pub content: Value,
}

/// How much of what waits is taken at once.
#[derive(Clone, Copy, Debug)]
pub struct Digest {
    /// More alerts than this are one message.
    pub above: u32,
    /// At most so many.
    pub most: u32,
}

/// Takes a channel with alerts that are due, until `until`. `digest` says of which channel more than a few are one
/// message.
pub async fn claim(
    db: &Db,
    digest: fn(Channel) -> Option<Digest>,
    now: Timestamp,
    until: Timestamp,
) -> Result<Turn> {
    let mut tx = db.begin(Scope::All).await?;
    let kinds: Vec<String> = Channel::ALL
        .iter()
        .map(|channel| channel.as_str().to_owned())
        .collect();
    let found = sqlx::query!(
        "select i.project_id, i.kind, i.options, i.failures, i.hour_began_at, i.hour_messages, p.slug, p.name
         from integrations i join projects p on p.project_id = i.project_id
         where i.kind = any ($1) and i.due_at <= $2 and i.paused_at is null and p.deleted_at is null
           and (i.stopped_at is null or i.stopped_at < i.updated_at)
           and exists (
             select from alerts a
             where a.project_id = i.project_id and a.channel = i.kind and a.state = 'waiting' and a.due_at <= $2)
         order by i.due_at, i.project_id limit 1 for update of i skip locked",
        &kinds,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else {
        return Ok(Turn::Nothing);
    };
    let Some(channel) = Channel::parse(&found.kind) else {
        return Ok(Turn::Nothing);
    };
    let project_id = ProjectId(found.project_id);
    narrow(&mut tx, project_id).await?;
    let hour_ends = found
        .hour_began_at
        .map(|at| Timestamp::from_offset_date_time(at).plus_micros(HOUR_MICROS))
        .filter(|end| *end > now);
    let had = u32::try_from(found.hour_messages).unwrap_or(u32::MAX);
    if let Some(end) = hour_ends
        && had >= channel.max_messages_per_hour()
    {
        sqlx::query!(
            "update integrations set due_at = $3 where project_id = $1 and kind = $2",
            project_id.0,
            found.kind,
            end.to_offset_date_time()
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        return Ok(Turn::PutOff);
    }
    let claim = Uuid::now_v7();
    sqlx::query!(
        "update integrations set claim = $3, due_at = $4, last_attempt_at = $5,
           hour_began_at = case when $6 then hour_began_at else $5 end,
           hour_messages = case when $6 then hour_messages + 1 else 1 end
         where project_id = $1 and kind = $2",
        project_id.0,
        found.kind,
        claim,
        until.to_offset_date_time(),
        now.to_offset_date_time(),
        hour_ends.is_some()
    )
    .execute(&mut *tx)
    .await?;
    let alerts = take_alerts(&mut tx, project_id, channel, digest(channel), now).await?;
    tx.commit().await?;
    Ok(Turn::Claimed(Box::new(Claimed {
        project_id,
        slug: found.slug,
        project_name: found.name,
        channel,
        claim,
        options: found.options,
        failures: u32::try_from(found.failures).unwrap_or(0),
        alerts,
    })))
}

/// What follows concerns one project, and the transaction may see no other from here on.
async fn narrow(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sqlx::query!(
        "select set_config('plumbline.scope', $1, true)",
        project.to_string()
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// The alerts that are due, the longest first: one, or all that are one message. From here on they count nothing more,
/// and what comes is quiet for as long as it is after any message.
async fn take_alerts(
    tx: &mut Tx,
    project: ProjectId,
    channel: Channel,
    digest: Option<Digest>,
    now: Timestamp,
) -> Result<Vec<ClaimedAlert>> {
    let (above, most) = digest.map_or((0, 1), |digest| (i64::from(digest.above), i64::from(digest.most)));
    let due = sqlx::query!(
        "select alert_id, trigger, group_key
         from (
           select alert_id, trigger, group_key, row_number() over (order by due_at, alert_id) as place,
             count(*) over () as due
           from (
             select alert_id, trigger, group_key, due_at from alerts
             where project_id = $1 and channel = $2 and state = 'waiting' and due_at <= $3
             order by due_at, alert_id limit $5) d) d
         where place = 1 or due > $4",
        project.0,
        channel.as_str(),
        now.to_offset_date_time(),
        above,
        most
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut ids = Vec::with_capacity(due.len());
    let mut groups = Vec::with_capacity(due.len());
    for row in due {
        ids.push(row.alert_id);
        groups.push((row.trigger, row.group_key));
    }
    let (triggers, group_keys): (Vec<String>, Vec<String>) = groups.into_iter().unzip();
    // In the order in which a batch that causes alerts locks: the groups by their keys, then the alerts.
    sqlx::query!(
        "select trigger from alert_groups
         where project_id = $1 and channel = $2
           and (trigger, group_key) in (select * from unnest($3::text[], $4::text[]))
         order by trigger collate \"C\", group_key collate \"C\" for update",
        project.0,
        channel.as_str(),
        &triggers,
        &group_keys
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = sqlx::query!(
        "with taken as (
           update alerts set is_open = false, attempts = attempts + 1
           where project_id = $1 and alert_id = any ($4) and state = 'waiting'
           returning alert_id, trigger, group_key, created_at, last_at, occurrences, attempts, summary, subject, content
         ), quiet as (
           update alert_groups g set quiet_until = greatest(g.quiet_until, $3::timestamptz + make_interval(secs => g.quiet_s))
           from taken t
           where g.project_id = $1 and g.channel = $2 and g.trigger = t.trigger and g.group_key = t.group_key
         )
         select alert_id, trigger, created_at, last_at, occurrences, attempts, summary, subject, content
         from taken order by created_at, alert_id",
        project.0,
        channel.as_str(),
        now.to_offset_date_time(),
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ClaimedAlert {
            alert_id: row.alert_id,
            trigger: Trigger::parse(&row.trigger).unwrap_or(Trigger::Test),
            created_at: Timestamp::from_offset_date_time(row.created_at),
            last_at: Timestamp::from_offset_date_time(row.last_at),
            occurrences: row.occurrences,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            summary: row.summary,
            subject: row.subject,
            content: row.content,
        })
        .collect())
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again then.
    Retry(Timestamp),
    /// This message was refused; others may be taken.
    Refused,
    /// The receiver takes nothing any more.
    Stopped,
}

/// What is known after an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    pub outcome: Outcome,
    /// What was answered, for people.
    pub answer: String,
    /// How long it took, in milliseconds.
    pub latency_ms: i32,
    /// When the channel may be spoken to again.
    pub next_at: Timestamp,
    /// What the other channels are told.
    pub tell: Vec<NewAlert>,
}

/// Writes down how an attempt ended, and lets go of the channel. Nothing is written of a claim that is lost: whoever has
/// it now delivers again.
pub async fn finish(db: &Db, claimed: &Claimed, done: &Delivered, now: Timestamp) -> Result<()> {
    let mut tx = db.project(claimed.project_id).await?;
    let (project, at) = (claimed.project_id.0, now.to_offset_date_time());
    let is_ok = done.outcome == Outcome::Delivered;
    let is_failure = matches!(done.outcome, Outcome::Retry(_) | Outcome::Stopped);
    let kept = sqlx::query!(
        "update integrations set claim = null, due_at = $4,
           last_ok_at = case when $5 then $6 else last_ok_at end,
           last_error = case when $5 then null else $7 end,
           failures = case when $8 then failures + 1 else 0 end,
           stopped_at = case when $9 then $6 else stopped_at end
         where project_id = $1 and kind = $2 and claim = $3",
        project,
        claimed.channel.as_str(),
        claimed.claim,
        done.next_at.to_offset_date_time(),
        is_ok,
        at,
        done.answer,
        is_failure,
        done.outcome == Outcome::Stopped
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if kept == 0 {
        return Ok(());
    }
    let ids: Vec<Uuid> = claimed.alerts.iter().map(|alert| alert.alert_id).collect();
    let (state, due_at) = match done.outcome {
        Outcome::Delivered => (AlertState::Delivered, now),
        Outcome::Retry(due_at) => (AlertState::Waiting, due_at),
        Outcome::Refused | Outcome::Stopped => (AlertState::Failed, now),
    };
    sqlx::query!(
        "with done as (
           update alerts set state = $3, answer = $4, due_at = $5, done_at = case when $3 <> 'waiting' then $6::timestamptz end
           where project_id = $1 and alert_id = any ($2) and state = 'waiting'
           returning alert_id, attempts)
         insert into alert_attempts (project_id, alert_id, nth, latency_ms, at, answer)
         select $1, alert_id, attempts, $7, $6, $4 from done
         on conflict (project_id, alert_id, nth) do nothing",
        project,
        &ids,
        state.as_str(),
        done.answer,
        due_at.to_offset_date_time(),
        at,
        done.latency_ms
    )
    .execute(&mut *tx)
    .await?;
    let mut tell = done.tell.clone();
    insert_within(&mut tx, &mut tell, now).await?;
    Ok(tx.commit().await?)
}

/// Writes down what a test was answered: one that was taken lets a stopped channel go on.
pub async fn note_test(
    db: &Db,
    project: ProjectId,
    channel: Channel,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "update integrations set last_attempt_at = $4, last_error = $3,
           last_ok_at = case when $3::text is null then $4 else last_ok_at end,
           failures = case when $3::text is null then 0 else failures end,
           due_at = case when $3::text is null and claim is null then $4 else due_at end,
           stopped_at = case when $3::text is null then null else stopped_at end
         where project_id = $1 and kind = $2",
        project.0,
        channel.as_str(),
        error,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// When the next alert may be delivered, also one that somebody is at.
pub async fn next_due(db: &Db) -> Result<Option<Timestamp>> {
    let mut tx = db.begin(Scope::All).await?;
    let due = sqlx::query_scalar!(
        "select min(greatest(a.due_at, i.due_at)) as due
         from integrations i
         join projects p on p.project_id = i.project_id and p.deleted_at is null
         join lateral (
           select due_at from alerts
           where project_id = i.project_id and channel = i.kind and state = 'waiting'
           order by due_at limit 1
         ) a on true
         where i.paused_at is null and (i.stopped_at is null or i.stopped_at < i.updated_at)"
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(due.map(Timestamp::from_offset_date_time))
}

/// Gives up alerts that wait since before `paused_before` for a channel that is paused or gone, or since before
/// `stopped_before` for one that takes nothing. Returns how many.
pub async fn drop_forgotten(
    db: &Db,
    paused_before: Timestamp,
    stopped_before: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    let mut tx = db.begin(Scope::All).await?;
    let dropped = sqlx::query!(
        "update alerts a set state = 'dropped', is_open = false, done_at = $3,
           answer = case when i.kind is null then 'The channel was removed'
             when i.paused_at is not null then 'Paused for too long' else 'Not deliverable for too long' end
         from alerts w left join integrations i on i.project_id = w.project_id and i.kind = w.channel
         where a.project_id = w.project_id and a.alert_id = w.alert_id and w.state = 'waiting' and a.state = 'waiting'
           and (i.kind is null or w.created_at < $2 or (i.paused_at is not null and w.created_at < $1))",
        paused_before.to_offset_date_time(),
        stopped_before.to_offset_date_time(),
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(dropped)
}

/// Deletes alerts that were done before `before`, but for those of projects on legal hold, and what is known of quiet that
/// ended before; a bounded number, so that it is called until it returns 0.
pub async fn delete_expired(db: &Db, before: Timestamp) -> Result<u64> {
    const ROWS: i64 = 5_000;
    let mut tx = db.begin(Scope::All).await?;
    let alerts = sqlx::query_scalar!(
        "with gone as (
           delete from alerts where (project_id, alert_id) in (
             select a.project_id, a.alert_id from alerts a where a.done_at < $1 and not exists (
               select from project_settings s where s.project_id = a.project_id and s.held_at is not null)
             order by a.done_at limit $2)
           returning project_id, alert_id
         ), attempts as (
           delete from alert_attempts t using gone g where t.project_id = g.project_id and t.alert_id = g.alert_id
         )
         select count(*) as \"alerts!\" from gone",
        before.to_offset_date_time(),
        ROWS
    )
    .fetch_one(&mut *tx)
    .await?;
    let groups = sqlx::query!(
        "delete from alert_groups where (project_id, trigger, channel, group_key) in (
           select project_id, trigger, channel, group_key from alert_groups where quiet_until < $1
           order by quiet_until limit $2 for update skip locked)",
        before.to_offset_date_time(),
        ROWS
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(u64::try_from(alerts).unwrap_or(0) + groups)
}
