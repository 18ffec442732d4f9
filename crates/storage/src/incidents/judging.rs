//! What is to be judged, and writing down what was. Ingest only ever waits for one row, for as long as it takes to write it.

use domain::{IncidentEventKind, ProjectId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::{IncidentEvent, Row, StoredIncident};
use crate::alerts::{NewAlert, insert_within};
use crate::{Db, Result, Scope, Snapshot, Tx};

/// Projects that one look finds at most.
const MAX_DUE: i64 = 100;

/// The projects that have something to judge and that nobody judges, those that waited longest first.
pub async fn due(db: &Db, now: Timestamp) -> Result<Vec<ProjectId>> {
    let mut tx = db.begin(Scope::All).await?;
    let projects = sqlx::query_scalar!(
        "select j.project_id from incident_judging j join projects p on p.project_id = j.project_id
         where p.deleted_at is null and (j.changed_from is not null or j.judging_from is not null or j.again_at <= $1)
           and coalesce(j.not_before, '-infinity') <= $1 and coalesce(j.leased_until, '-infinity') <= $1
         order by j.judged_at nulls first, j.project_id limit $2",
        now.to_offset_date_time(),
        MAX_DUE
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(projects.into_iter().map(ProjectId).collect())
}

/// What is to be judged of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// From which hour on something changed.
    pub from: Timestamp,
    /// Another number than before: hours changed that were settled, or what was found is another.
    pub history: i64,
}

/// Takes what is to be judged of a project, until `until` or until it is written down. Hours before `settled` are those
/// that others may go on from without reading them again. `None` when somebody else judges it.
pub async fn take(
    db: &Db,
    project: ProjectId,
    lease: Uuid,
    now: Timestamp,
    until: Timestamp,
    settled: Timestamp,
) -> Result<Option<Taken>> {
    let mut tx = db.project(project).await?;
    let taken = sqlx::query!(
        "update incident_judging set judging_from = coalesce(least(judging_from, changed_from), again_at, $3),
           history = history + case when least(judging_from, changed_from) < $5 then 1 else 0 end,
           changed_from = null, again_at = null, lease = $2, leased_until = $4
         where project_id = $1 and coalesce(leased_until, '-infinity') <= $3
         returning judging_from as \"judging_from!\", history",
        project.0,
        lease,
        now.to_offset_date_time(),
        until.to_offset_date_time(),
        settled.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(taken.map(|row| Taken {
        from: Timestamp::from_offset_date_time(row.judging_from),
        history: row.history,
    }))
}

/// Before which hours a project is not judged, because it has too many; `None` where all of them are.
pub async fn left_out_before(snapshot: &mut Snapshot, project: ProjectId) -> Result<Option<Timestamp>> {
    let before = sqlx::query_scalar!(
        "select left_out_before from incident_judging where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?;
    Ok(before.flatten().map(Timestamp::from_offset_date_time))
}

/// Says that everything from an hour on is to be judged again.
pub(crate) async fn mark_changed(tx: &mut Tx, project: ProjectId, from: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into incident_judging as j (project_id, changed_from) values ($1, $2)
         on conflict (project_id) do update set changed_from = excluded.changed_from
           where j.changed_from is null or j.changed_from > excluded.changed_from",
        project.0,
        from.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An incident as it was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedIncident {
    pub key: Option<String>,
    pub step: Option<String>,
    pub metric: &'static str,
    pub status: &'static str,
    pub onset_at: Timestamp,
    pub onset_from: Timestamp,
    pub onset_to: Timestamp,
    pub opened_at: Timestamp,
    pub last_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub verdict: &'static str,
    pub deploy_id: Option<String>,
    pub release: Option<String>,
    pub null_cause: Option<&'static str>,
    pub probability: f64,
    pub candidates: Vec<Candidate>,
    /// All of it.
    pub judgement: Value,
}

/// A deploy that may have caused it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub deploy_id: Option<String>,
    pub release: Option<String>,
    pub sha: String,
    pub probability: f64,
    /// The rubric's, in hundredths.
    pub confidence_points: Option<i16>,
    pub is_cleared: bool,
}

/// When a project is looked at again.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    pub now: Timestamp,
    /// Not before, whatever changes.
    pub not_before: Timestamp,
    /// Even if nothing changes; `None` when only a change makes a difference.
    pub again_at: Option<Timestamp>,
    /// `None` when only the latest hours were judged.
    pub whole: Option<Whole>,
}

/// A judgement of everything.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// Hours before this were not read, because there are too many; `None` when all were.
    pub left_out_before: Option<Timestamp>,
    /// An incident opened, ended, or turned out to be none.
    pub is_other: bool,
}

/// A transaction that writes down what was judged.
#[derive(Debug)]
pub struct Judging {
    tx: Tx,
    project: ProjectId,
}

impl Judging {
    /// Begins to write; `None` when the lease is over and another process has it.
    pub async fn begin(db: &Db, project: ProjectId, lease: Uuid) -> Result<Option<Self>> {
        let mut tx = db.project(project).await?;
        // Two that both believe to have the lease write one after the other. Ingest does not wait for this.
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended($1::text || ' incidents', 0))::text as locked",
            project.to_string()
        )
        .fetch_one(&mut *tx)
        .await?;
        let is_ours = sqlx::query_scalar!(
            "select exists (select from incident_judging where project_id = $1 and lease = $2) as \"is_ours!\"",
            project.0,
            lease
        )
        .fetch_one(&mut *tx)
        .await?;
        Ok(is_ours.then_some(Self { tx, project }))
    }

    /// The stored incidents that went on then or later, the earliest first. Nobody changes them until the end.
    pub async fn stored_since(&mut self, since: Timestamp) -> Result<Vec<StoredIncident>> {
        let rows = sqlx::query_as!(
            Row,
            "select incident_id, status, settled, settled_at, acknowledged_at, key_label, step_name, metric, onset_at,
               onset_from, onset_to, opened_at, last_at, ended_at, verdict, deploy_id, null_cause, probability, answer,
               confirmed_deploy_id, judgement
             from incidents where project_id = $1 and last_at >= $2
             order by onset_at, incident_id for update",
            self.project.0,
            since.to_offset_date_time()
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(StoredIncident::from).collect())
    }

    /// Writes an incident under its id, new or not. What people said of it stays.
    pub async fn put(&mut self, id: Uuid, incident: &JudgedIncident, now: Timestamp) -> Result<()> {
        let time = Timestamp::to_offset_date_time;
        sqlx::query!(
            "insert into incidents (project_id, incident_id, onset_at, onset_from, onset_to, opened_at, last_at, ended_at,
               judged_at, probability, status, key_label, step_name, metric, verdict, deploy_id, release, null_cause,
               judgement)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
             on conflict (project_id, incident_id) do update set onset_at = excluded.onset_at,
               onset_from = excluded.onset_from, onset_to = excluded.onset_to, opened_at = excluded.opened_at,
               last_at = excluded.last_at, ended_at = excluded.ended_at, judged_at = excluded.judged_at,
               probability = excluded.probability, status = excluded.status, key_label = excluded.key_label,
               step_name = excluded.step_name, metric = excluded.metric, verdict = excluded.verdict,
               deploy_id = excluded.deploy_id, release = excluded.release, null_cause = excluded.null_cause,
               judgement = excluded.judgement",
            self.project.0,
            id,
            time(incident.onset_at),
            time(incident.onset_from),
            time(incident.onset_to),
            time(incident.opened_at),
            time(incident.last_at),
            incident.ended_at.map(time),
            time(now),
            incident.probability,
            incident.status,
            incident.key,
            incident.step,
            incident.metric,
            incident.verdict,
            incident.deploy_id,
            incident.release,
            incident.null_cause,
            incident.judgement
        )
        .execute(&mut *self.tx)
        .await?;
        sqlx::query!(
            "delete from attributions where project_id = $1 and incident_id = $2",
            self.project.0,
            id
        )
        .execute(&mut *self.tx)
        .await?;
        let candidates = &incident.candidates;
        sqlx::query!(
            "insert into attributions (project_id, incident_id, place, probability, confidence_points, is_cleared,
               deploy_id, release, sha)
             select $1, $2, place, probability, points, is_cleared, deploy_id, release, sha
             from unnest($3::float8[], $4::smallint[], $5::boolean[], $6::text[], $7::text[], $8::text[])
               with ordinality as a (probability, points, is_cleared, deploy_id, release, sha, place)",
            self.project.0,
            id,
            &candidates.iter().map(|candidate| candidate.probability).collect::<Vec<_>>(),
            &candidates.iter().map(|candidate| candidate.confidence_points).collect::<Vec<_>>() as _,
            &candidates.iter().map(|candidate| candidate.is_cleared).collect::<Vec<_>>(),
            &candidates.iter().map(|candidate| candidate.deploy_id.clone()).collect::<Vec<_>>() as _,
            &candidates.iter().map(|candidate| candidate.release.clone()).collect::<Vec<_>>() as _,
            &candidates.iter().map(|candidate| candidate.sha.clone()).collect::<Vec<_>>(),
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Writes into an incident's history that its verdict changed.
    pub async fn note_verdict(
        &mut self,
        id: Uuid,
        sentence: &str,
        deploy_id: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let event = IncidentEvent {
            at: now,
            kind: IncidentEventKind::Verdict,
            actor: "server".to_owned(),
            deploy_id: deploy_id.map(str::to_owned),
            note: Some(sentence.to_owned()),
        };
        add_event(&mut self.tx, self.project, id, &event).await
    }

    /// Writes alerts, which exist if and only if the judgement does.
    pub async fn tell(&mut self, mut alerts: Vec<NewAlert>, now: Timestamp) -> Result<()> {
        insert_within(&mut self.tx, &mut alerts, now).await
    }

    /// Deletes what turned out to be none.
    pub async fn remove(&mut self, id: Uuid) -> Result<()> {
        sqlx::query!(
            "delete from incidents where project_id = $1 and incident_id = $2",
            self.project.0,
            id
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Says that everything taken is judged, and commits. Answers the number of what is known from now on, as
    /// [`Taken::history`].
    pub async fn finish(mut self, finished: Finished) -> Result<i64> {
        let whole = finished.whole;
        let history = sqlx::query_scalar!(
            "update incident_judging set judging_from = null, lease = null, leased_until = null, not_before = $2,
               again_at = $3, judged_at = $4, history = history + case when $5 then 1 else 0 end,
               left_out_before = case when $6 then $7 else left_out_before end
             where project_id = $1
             returning history",
            self.project.0,
            finished.not_before.to_offset_date_time(),
            finished.again_at.map(Timestamp::to_offset_date_time),
            finished.now.to_offset_date_time(),
            whole.is_some_and(|whole| whole.is_other),
            whole.is_some(),
            whole
                .and_then(|whole| whole.left_out_before)
                .map(Timestamp::to_offset_date_time)
        )
        .fetch_one(&mut *self.tx)
        .await?;
        self.tx.commit().await?;
        Ok(history)
    }
}

pub(super) async fn add_event(
    tx: &mut Tx,
    project: ProjectId,
    id: Uuid,
    event: &IncidentEvent,
) -> Result<()> {
    sqlx::query!(
        "insert into incident_events (project_id, incident_id, event_id, at, kind, actor, deploy_id, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        project.0,
        id,
        Uuid::now_v7(),
        event.at.to_offset_date_time(),
        event.kind.as_str(),
        event.actor,
        event.deploy_id,
        event.note
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
