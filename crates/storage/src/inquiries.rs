//! Inquiries: questions that a model answers by looking things up. One is the investigation of an incident, or a message
//! of a chat. What happens is written down as it happens.

mod bounds;
mod pictures;

use domain::{InquiryEventKind, NanoUsd, ProjectId, Timestamp, WorkState};
use serde_json::{Value, json};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

pub use bounds::{
    MOST_AN_HOUR, MOST_CHATS, MOST_WAITING, TOO_MANY_AN_HOUR, TOO_MANY_CHATS, TOO_MANY_WAITING,
};
pub(crate) use bounds::{may_begin, may_have_another_chat, may_wait};

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Scope, Snapshot, Tx};

/// The most events of one inquiry that are read.
const MAX_EVENTS: i64 = 2_000;
/// Inquiries of one project that are worked at at a time, so that the questions of one keep those of others waiting less.
const MAX_OF_A_PROJECT: i64 = 2;
/// Where so many are under way, a project has one alone: what is left is for those that have none.
const CROWDED: i64 = 8;

/// What an inquiry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What caused this incident.
    Incident(Uuid),
    /// A message of this chat.
    Chat { chat_id: Uuid, question: String },
}

/// An inquiry as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    pub id: Uuid,
    pub subject: Subject,
    pub asked_at: Timestamp,
    /// Who: an e-mail, a key's label, `local`.
    pub asked_by: String,
    pub state: WorkState,
    /// How often somebody has begun to work at it.
    pub attempts: u32,
    pub finished_at: Option<Timestamp>,
    /// The model that answered last.
    pub model: Option<String>,
    /// Of the calls whose cost is known; `None` when nothing is.
    pub cost: Option<NanoUsd>,
}

#[derive(FromRow)]
struct Row {
    inquiry_id: Uuid,
    incident_id: Option<Uuid>,
    chat_id: Option<Uuid>,
    question: Option<String>,
    asked_at: OffsetDateTime,
    asked_by: String,
    state: String,
    attempts: i32,
    finished_at: Option<OffsetDateTime>,
    model: Option<String>,
    cost_nano_usd: Option<i64>,
}

impl From<Row> for Inquiry {
    fn from(row: Row) -> Self {
        Self {
            id: row.inquiry_id,
            subject: match (row.incident_id, row.chat_id) {
                (Some(incident), _) => Subject::Incident(incident),
                (None, chat) => Subject::Chat {
                    chat_id: chat.unwrap_or_default(),
                    question: row.question.unwrap_or_default(),
                },
            },
            asked_at: Timestamp::from_offset_date_time(row.asked_at),
            asked_by: row.asked_by,
            state: WorkState::parse(&row.state).unwrap_or(WorkState::Failed),
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            finished_at: row.finished_at.map(Timestamp::from_offset_date_time),
            model: row.model,
            cost: row.cost_nano_usd.map(NanoUsd),
        }
    }
}

/// Something that happened in an inquiry. What `data` holds is the business of who works at it.
#[derive(Clone, Debug, PartialEq)]
pub struct InquiryEvent {
    /// From 1 on, without gaps.
    pub seq: i32,
    pub at: Timestamp,
    pub kind: InquiryEventKind,
    pub data: Value,
}

/// Asks for the investigation of an incident, and writes the audit log. One that is under way is that one.
/// `NotFound` when there is no such incident; `Conflict` with [`TOO_MANY_AN_HOUR`] or [`TOO_MANY_WAITING`].
pub async fn investigate(
    db: &Db,
    project: ProjectId,
    incident: Uuid,
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    let mut tx = db.project(project).await?;
    // Two who ask at once ask one after the other.
    let is_there = sqlx::query_scalar!(
        "select incident_id from incidents where project_id = $1 and incident_id = $2 for update",
        project.0,
        incident
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() {
        return Err(Error::NotFound);
    }
    let under_way = sqlx::query_scalar!(
        "select inquiry_id from inquiries
         where project_id = $1 and incident_id = $2 and state in ('queued', 'running')",
        project.0,
        incident
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(id) = under_way {
        return Ok(id);
    }
    may_begin(&mut tx, project, actor, now).await?;
    may_wait(&mut tx, project).await?;
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into inquiries (project_id, inquiry_id, asked_at, asked_by, incident_id, state)
         values ($1, $2, $3, $4, $5, 'queued')",
        project.0,
        id,
        now.to_offset_date_time(),
        actor,
        incident
    )
    .execute(&mut *tx)
    .await?;
    let entry = Entry::new(
        actor,
        "incident.investigate",
        &incident.to_string(),
        json!({ "inquiry_id": id }),
    );
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Asks a question in a chat, within a transaction that has looked whether there is one. `Conflict` with
/// [`TOO_MANY_WAITING`].
pub(crate) async fn ask_within(
    tx: &mut Tx,
    project: ProjectId,
    (chat, question): (Uuid, &str),
    actor: &str,
    now: Timestamp,
) -> Result<Uuid> {
    may_wait(tx, project).await?;
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into inquiries (project_id, inquiry_id, asked_at, asked_by, chat_id, question, state)
         values ($1, $2, $3, $4, $5, $6, 'queued')",
        project.0,
        id,
        now.to_offset_date_time(),
        actor,
        chat,
        question
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// The latest investigation of an incident.
pub async fn latest_of_incident(
    snapshot: &mut Snapshot,
    project: ProjectId,
    incident: Uuid,
) -> Result<Option<Inquiry>> {
    let row = sqlx::query_as!(
        Row,
        "select inquiry_id, incident_id, chat_id, question, asked_at, asked_by, state, attempts, finished_at, model,
           cost_nano_usd
         from inquiries where project_id = $1 and incident_id = $2 order by asked_at desc, inquiry_id desc limit 1",
        project.0,
        incident
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(row.map(Inquiry::from))
}

/// The questions of a chat, the earliest first, at most `limit` of the latest.
pub async fn of_chat(
    snapshot: &mut Snapshot,
    project: ProjectId,
    chat: Uuid,
    limit: u32,
) -> Result<Vec<Inquiry>> {
    let rows = sqlx::query_as!(
        Row,
        "select inquiry_id, incident_id, chat_id, question, asked_at, asked_by, state, attempts, finished_at, model,
           cost_nano_usd
         from inquiries where project_id = $1 and chat_id = $2 order by asked_at desc, inquiry_id desc limit $3",
        project.0,
        chat,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().rev().map(Inquiry::from).collect())
}

/// One inquiry. `NotFound` when there is none.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, id: Uuid) -> Result<Inquiry> {
    let row = sqlx::query_as!(
        Row,
        "select inquiry_id, incident_id, chat_id, question, asked_at, asked_by, state, attempts, finished_at, model,
           cost_nano_usd
         from inquiries where project_id = $1 and inquiry_id = $2",
        project.0,
        id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(Inquiry::from).ok_or(Error::NotFound)
}

/// What happened in an inquiry after event `after`, the earliest first.
pub async fn events(
    snapshot: &mut Snapshot,
    project: ProjectId,
    id: Uuid,
    after: i32,
) -> Result<Vec<InquiryEvent>> {
    let rows = sqlx::query_as!(
        EventRow,
        "select seq, at, kind, data from inquiry_events
         where project_id = $1 and inquiry_id = $2 and seq > $3 order by seq limit $4",
        project.0,
        id,
        after,
        MAX_EVENTS
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().filter_map(EventRow::event).collect())
}

/// As [`events`], without what tools answered to the model: far more than all the rest, and never shown.
pub async fn shown_events(
    snapshot: &mut Snapshot,
    project: ProjectId,
    id: Uuid,
    after: i32,
) -> Result<Vec<InquiryEvent>> {
    let rows = sqlx::query_as!(
        EventRow,
        "select seq, at, kind, data - 'content' as \"data!\" from inquiry_events
         where project_id = $1 and inquiry_id = $2 and seq > $3 order by seq limit $4",
        project.0,
        id,
        after,
        MAX_EVENTS
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().filter_map(EventRow::event).collect())
}

struct EventRow {
    seq: i32,
    at: OffsetDateTime,
    kind: String,
    data: Value,
}

impl EventRow {
    /// None where a later version wrote it, of a kind that this one does not know.
    fn event(self) -> Option<InquiryEvent> {
        Some(InquiryEvent {
            seq: self.seq,
            at: Timestamp::from_offset_date_time(self.at),
            kind: InquiryEventKind::parse(&self.kind)?,
            data: self.data,
        })
    }
}

/// An inquiry that this process is to work at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub project_id: ProjectId,
    /// What shows that it is still ours.
    pub lease: Uuid,
    pub inquiry: Inquiry,
}

/// Takes the inquiry that has waited longest, or that a dead process has left, until `until`. Those of a project wait for
/// each other where it has enough of them under way: two, and one where there are many of all projects.
pub async fn take(db: &Db, now: Timestamp, until: Timestamp) -> Result<Option<Taken>> {
    let mut tx = db.begin(Scope::All).await?;
    let lease = Uuid::now_v7();
    let row = sqlx::query!(
        "update inquiries i set state = 'running', lease = $1, leased_until = $3, attempts = attempts + 1
         where (i.project_id, i.inquiry_id) = (
           select d.project_id, d.inquiry_id from inquiries d join projects p on p.project_id = d.project_id
           where d.state in ('queued', 'running') and (d.leased_until is null or d.leased_until <= $2)
             and p.deleted_at is null and d.project_id not in (
               select r.project_id from inquiries r where r.state = 'running' and r.leased_until > $2
               group by r.project_id
               having count(*) >= case when (select count(*) from inquiries u
                                             where u.state = 'running' and u.leased_until > $2) < $5::bigint
                                  then $4::bigint else 1::bigint end)
           order by d.asked_at, d.inquiry_id limit 1 for update of d skip locked)
         returning project_id, inquiry_id, incident_id, chat_id, question, asked_at, asked_by, state, attempts,
           finished_at, model, cost_nano_usd",
        lease,
        now.to_offset_date_time(),
        until.to_offset_date_time(),
        MAX_OF_A_PROJECT,
        CROWDED
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| Taken {
        project_id: ProjectId(row.project_id),
        lease,
        inquiry: Inquiry::from(Row {
            inquiry_id: row.inquiry_id,
            incident_id: row.incident_id,
            chat_id: row.chat_id,
            question: row.question,
            asked_at: row.asked_at,
            asked_by: row.asked_by,
            state: row.state,
            attempts: row.attempts,
            finished_at: row.finished_at,
            model: row.model,
            cost_nano_usd: row.cost_nano_usd,
        }),
    }))
}

/// Goes on until `until`. False where the lease is lost: another process took over, or it was deleted.
pub async fn keep(db: &Db, taken: &Taken, until: Timestamp) -> Result<bool> {
    let mut tx = db.project(taken.project_id).await?;
    let kept = sqlx::query!(
        "update inquiries set leased_until = $4 where project_id = $1 and inquiry_id = $2 and lease = $3",
        taken.project_id.0,
        taken.inquiry.id,
        taken.lease,
        until.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(kept.rows_affected() > 0)
}

/// Writes down what happened. False where the lease is lost, and nothing is written.
pub async fn add_event(
    db: &Db,
    taken: &Taken,
    kind: InquiryEventKind,
    data: &Value,
    now: Timestamp,
) -> Result<bool> {
    let mut tx = db.project(taken.project_id).await?;
    let added = sqlx::query!(
        "insert into inquiry_events (project_id, inquiry_id, seq, at, kind, data)
         select i.project_id, i.inquiry_id,
           coalesce((select max(seq) from inquiry_events e where e.project_id = $1 and e.inquiry_id = $2), 0) + 1, $4, $5,
           $6
         from inquiries i where i.project_id = $1 and i.inquiry_id = $2 and i.lease = $3 for update of i",
        taken.project_id.0,
        taken.inquiry.id,
        taken.lease,
        now.to_offset_date_time(),
        kind.as_str(),
        data
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(added.rows_affected() > 0)
}

/// Notes what a call of the model was answered by, and what it cost.
pub async fn add_cost(db: &Db, taken: &Taken, model: &str, cost: Option<NanoUsd>) -> Result<()> {
    let mut tx = db.project(taken.project_id).await?;
    sqlx::query!(
        "update inquiries set model = $4,
           cost_nano_usd = case when $5::bigint is null then cost_nano_usd else coalesce(cost_nano_usd, 0) + $5 end
         where project_id = $1 and inquiry_id = $2 and lease = $3",
        taken.project_id.0,
        taken.inquiry.id,
        taken.lease,
        model,
        cost.map(|cost| cost.0)
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// It is over, or waits for the next process (`queued`). What is over has no picture any more.
pub async fn finish(db: &Db, taken: &Taken, state: WorkState, now: Timestamp) -> Result<()> {
    let mut tx = db.project(taken.project_id).await?;
    let finished_at = state.is_over().then(|| now.to_offset_date_time());
    let finished = sqlx::query!(
        "update inquiries set state = $4, finished_at = $5, lease = null, leased_until = null
         where project_id = $1 and inquiry_id = $2 and lease = $3",
        taken.project_id.0,
        taken.inquiry.id,
        taken.lease,
        state.as_str(),
        finished_at
    )
    .execute(&mut *tx)
    .await?;
    if state.is_over() && finished.rows_affected() > 0 {
        pictures::forget(&mut tx, taken.project_id, taken.inquiry.id).await?;
    }
    Ok(tx.commit().await?)
}
