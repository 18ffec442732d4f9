//! Incidents as they are stored, and what people do with them. Judging them is the business of `incidents/judging.rs`.

mod judging;
mod settings;
mod window;

use domain::{CauseAnswer, IncidentChange, IncidentEventKind, IncidentStatus, ProjectId, Timestamp};
use serde_json::{Value, json};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Snapshot, Tx};

pub(crate) use judging::mark_changed;
pub use judging::{Candidate, Finished, JudgedIncident, Judging, Taken, Whole, due, left_out_before, take};
pub use settings::{Answers, answers, save_settings, settings};
pub use window::{
    HourSums, ReleaseHourSums, RunHour, StepMinute, hours, minutes, release_hours, releases_first_seen,
    runs_by_key,
};

/// An incident as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIncident {
    pub id: Uuid,
    /// How it stands: what people set it to, else what was judged.
    pub status: IncidentStatus,
    /// What people set it to.
    pub settled: Option<IncidentStatus>,
    /// When they did.
    pub settled_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    /// The key's label; `None` where one model moved on all keys at once.
    pub key: Option<String>,
    pub step: Option<String>,
    /// The word of the engine.
    pub metric: String,
    pub onset_at: Timestamp,
    pub onset_from: Timestamp,
    pub onset_to: Timestamp,
    pub opened_at: Timestamp,
    /// The end of its last hour.
    pub last_at: Timestamp,
    /// When it was closed or accepted, by the judgement or by people.
    pub ended_at: Option<Timestamp>,
    /// The kind of the verdict, in the engine's word.
    pub verdict: String,
    /// The deploy that it names.
    pub deploy_id: Option<String>,
    pub null_cause: Option<String>,
    pub probability: f64,
    /// What people say of it.
    pub answer: Option<CauseAnswer>,
    pub confirmed_deploy_id: Option<String>,
    /// What was judged, whole. What it holds is the engine's business.
    pub judgement: Value,
}

#[derive(FromRow)]
struct Row {
    incident_id: Uuid,
    status: String,
    settled: Option<String>,
    settled_at: Option<OffsetDateTime>,
    acknowledged_at: Option<OffsetDateTime>,
    key_label: Option<String>,
    step_name: Option<String>,
    metric: String,
    onset_at: OffsetDateTime,
    onset_from: OffsetDateTime,
    onset_to: OffsetDateTime,
    opened_at: OffsetDateTime,
    last_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    verdict: String,
    deploy_id: Option<String>,
    null_cause: Option<String>,
    probability: f64,
    answer: Option<String>,
    confirmed_deploy_id: Option<String>,
    judgement: Value,
}

impl From<Row> for StoredIncident {
    fn from(row: Row) -> Self {
        let time = Timestamp::from_offset_date_time;
        let settled = row.settled.as_deref().and_then(IncidentStatus::parse);
        let settled_at = row.settled_at.map(time);
        Self {
            id: row.incident_id,
            status: settled
                .or_else(|| IncidentStatus::parse(&row.status))
                .unwrap_or(IncidentStatus::Closed),
            settled,
            settled_at,
            acknowledged_at: row.acknowledged_at.map(time),
            key: row.key_label,
            step: row.step_name,
            metric: row.metric,
            onset_at: time(row.onset_at),
            onset_from: time(row.onset_from),
            onset_to: time(row.onset_to),
            opened_at: time(row.opened_at),
            last_at: time(row.last_at),
            ended_at: settled_at.or(row.ended_at.map(time)),
            verdict: row.verdict,
            deploy_id: row.deploy_id,
            null_cause: row.null_cause,
            probability: row.probability,
            answer: row.answer.as_deref().and_then(CauseAnswer::parse),
            confirmed_deploy_id: row.confirmed_deploy_id,
            judgement: row.judgement,
        }
    }
}

/// Which incidents. Every field narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Those that went on then or later.
    pub since: Option<Timestamp>,
    /// Those that began before.
    pub until: Option<Timestamp>,
    pub status: Option<IncidentStatus>,
    pub key: Option<String>,
    pub metric: Option<String>,
    /// Those that this deploy is named for, by the verdict or by people.
    pub deploy_id: Option<String>,
}

/// The latest first, at most `limit`.
pub async fn list(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &IncidentFilter,
    limit: u32,
) -> Result<Vec<StoredIncident>> {
    let rows = sqlx::query_as!(
        Row,
        "select incident_id, status, settled, settled_at, acknowledged_at, key_label, step_name, metric, onset_at,
           onset_from, onset_to, opened_at, last_at, ended_at, verdict, deploy_id, null_cause, probability, answer,
           confirmed_deploy_id, judgement
         from incidents
         where project_id = $1 and last_at >= coalesce($2::timestamptz, '-infinity')
           and onset_at < coalesce($3::timestamptz, 'infinity')
           and ($4::text is null or coalesce(settled, status) = $4)
           and ($5::text is null or key_label = $5) and ($6::text is null or metric = $6)
           and ($7::text is null or case answer when 'confirmed' then confirmed_deploy_id when 'refused' then null
             else deploy_id end = $7)
         order by onset_at desc, incident_id desc limit $8",
        project.0,
        filter.since.map(Timestamp::to_offset_date_time),
        filter.until.map(Timestamp::to_offset_date_time),
        filter.status.map(IncidentStatus::as_str),
        filter.key,
        filter.metric,
        filter.deploy_id,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(StoredIncident::from).collect())
}

/// One incident. `NotFound` when there is none.
pub async fn get(snapshot: &mut Snapshot, project: ProjectId, id: Uuid) -> Result<StoredIncident> {
    let row = sqlx::query_as!(
        Row,
        "select incident_id, status, settled, settled_at, acknowledged_at, key_label, step_name, metric, onset_at,
           onset_from, onset_to, opened_at, last_at, ended_at, verdict, deploy_id, null_cause, probability, answer,
           confirmed_deploy_id, judgement
         from incidents where project_id = $1 and incident_id = $2",
        project.0,
        id
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    row.map(StoredIncident::from).ok_or(Error::NotFound)
}

/// How many are open.
pub async fn count_open(snapshot: &mut Snapshot, project: ProjectId) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "select count(*) as \"count!\" from incidents where project_id = $1 and coalesce(settled, status) = 'open'",
        project.0
    )
    .fetch_one(&mut *snapshot)
    .await?)
}

/// Those with a deploy of this sha among their candidates, the latest first. `sha` is lower case, short or full.
pub async fn with_candidate(
    snapshot: &mut Snapshot,
    project: ProjectId,
    sha: &str,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<StoredIncident>> {
    let rows = sqlx::query_as!(
        Row,
        "select incident_id, status, settled, settled_at, acknowledged_at, key_label, step_name, metric, onset_at,
           onset_from, onset_to, opened_at, last_at, ended_at, verdict, deploy_id, null_cause, probability, answer,
           confirmed_deploy_id, judgement
         from incidents i
         where project_id = $1 and last_at >= $3 and exists (
           select from attributions a
           where a.project_id = $1 and a.incident_id = i.incident_id and a.sha <> ''
             and (starts_with(a.sha, $2) or starts_with($2, a.sha)))
         order by onset_at desc, incident_id desc limit $4",
        project.0,
        sha,
        since.to_offset_date_time(),
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(StoredIncident::from).collect())
}

/// Something that happened to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentEvent {
    pub at: Timestamp,
    pub kind: IncidentEventKind,
    /// Who: an e-mail, a key's label, `local`, or `server`.
    pub actor: String,
    pub deploy_id: Option<String>,
    pub note: Option<String>,
}

/// What happened to an incident, the earliest first.
pub async fn events(snapshot: &mut Snapshot, project: ProjectId, id: Uuid) -> Result<Vec<IncidentEvent>> {
    let rows = sqlx::query!(
        "select at, kind, actor, deploy_id, note from incident_events
         where project_id = $1 and incident_id = $2 order by at, event_id limit 1000",
        project.0,
        id
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(IncidentEvent {
                at: Timestamp::from_offset_date_time(row.at),
                kind: IncidentEventKind::parse(&row.kind)?,
                actor: row.actor,
                deploy_id: row.deploy_id,
                note: row.note,
            })
        })
        .collect())
}

/// Does what people want with an incident, all of it or nothing, and writes it into its history and the audit log.
/// `NotFound` when there is no such incident, or a deploy that is to be confirmed does not exist.
pub async fn change(
    db: &Db,
    project: ProjectId,
    id: Uuid,
    changes: &[IncidentChange],
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let is_there = sqlx::query_scalar!(
        "select incident_id from incidents where project_id = $1 and incident_id = $2 for update",
        project.0,
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    if is_there.is_none() {
        return Err(Error::NotFound);
    }
    for change in changes {
        apply(&mut tx, project, id, change, now).await?;
        let event = IncidentEvent {
            at: now,
            kind: change.kind(),
            actor: actor.to_owned(),
            deploy_id: match change {
                IncidentChange::Confirm(deploy) => Some(deploy.clone()),
                _ => None,
            },
            note: match change {
                IncidentChange::Note(note) => Some(note.clone()),
                _ => None,
            },
        };
        judging::add_event(&mut tx, project, id, &event).await?;
        let details = json!({ "deploy_id": event.deploy_id });
        let action = format!("incident.{}", event.kind.as_str());
        let entry = Entry::new(actor, &action, &id.to_string(), details);
        audit::record_within(&mut tx, project, &entry, now).await?;
    }
    Ok(tx.commit().await?)
}

async fn apply(
    tx: &mut Tx,
    project: ProjectId,
    id: Uuid,
    change: &IncidentChange,
    now: Timestamp,
) -> Result<()> {
    let at = now.to_offset_date_time();
    match change {
        IncidentChange::Note(_) => Ok(()),
        IncidentChange::Acknowledge => {
            sqlx::query!(
                "update incidents set acknowledged_at = coalesce(acknowledged_at, $3)
                 where project_id = $1 and incident_id = $2",
                project.0,
                id,
                at
            )
            .execute(&mut **tx)
            .await?;
            Ok(())
        }
        IncidentChange::Settle(status) => {
            let settled = (*status != IncidentStatus::Open).then(|| status.as_str());
            sqlx::query!(
                "update incidents set settled = $3,
                   settled_at = case when $3::text is not null then $4::timestamptz end
                 where project_id = $1 and incident_id = $2",
                project.0,
                id,
                settled,
                at
            )
            .execute(&mut **tx)
            .await?;
            Ok(())
        }
        IncidentChange::Confirm(deploy) => {
            let known = sqlx::query_scalar!(
                "select deploy_id from deploys where project_id = $1 and deploy_id = $2",
                project.0,
                deploy
            )
            .fetch_optional(&mut **tx)
            .await?;
            if known.is_none() {
                return Err(Error::NotFound);
            }
            answer(tx, project, id, CauseAnswer::Confirmed, Some(deploy)).await
        }
        IncidentChange::Refuse => answer(tx, project, id, CauseAnswer::Refused, None).await,
    }
}

async fn answer(
    tx: &mut Tx,
    project: ProjectId,
    id: Uuid,
    answer: CauseAnswer,
    deploy_id: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "update incidents set answer = $3, confirmed_deploy_id = $4 where project_id = $1 and incident_id = $2",
        project.0,
        id,
        answer.as_str(),
        deploy_id
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
