//! Webhooks: whose they are, and that each is heard once.

use domain::deploy::DeployReport;
use domain::{ProjectId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use super::lock_project;
use crate::deploys::{self, Applied};
use crate::{Db, Result, Scope};

/// How long it is known that a webhook was heard: longer than anybody sends one again.
const KEPT_MICROS: i64 = 7 * 86_400_000_000;

/// A project that may be meant by a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Hooked {
    pub project_id: ProjectId,
    pub options: Value,
    pub is_paused: bool,
    /// What its webhooks are signed with, as it is stored.
    pub sealed: Vec<u8>,
}

/// The projects that are connected to `remote` and have the secret `name`, the longest connected first.
pub async fn by_remote(db: &Db, kind: &str, name: &str, remote: &str, limit: u32) -> Result<Vec<Hooked>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query_as!(
        Row,
        "select i.project_id, i.options, i.paused_at is not null as \"is_paused!\", s.sealed
         from integrations i
         join projects p on p.project_id = i.project_id
         join integration_secrets s on s.project_id = i.project_id and s.kind = i.kind and s.name = $2
         where i.kind = $1 and i.remote = $3 and p.deleted_at is null
         order by i.created_at, i.project_id limit $4",
        kind,
        name,
        remote,
        i64::from(limit)
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(Hooked::from).collect())
}

/// The project `slug`, where it has the secret `name` and is connected to `remote`, if that is said.
pub async fn by_slug(
    db: &Db,
    kind: &str,
    name: &str,
    slug: &str,
    remote: Option<&str>,
) -> Result<Option<Hooked>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query_as!(
        Row,
        "select i.project_id, i.options, i.paused_at is not null as \"is_paused!\", s.sealed
         from projects p
         join integrations i on i.project_id = p.project_id and i.kind = $1
         join integration_secrets s on s.project_id = i.project_id and s.kind = i.kind and s.name = $2
         where p.slug = $3 and p.deleted_at is null and ($4::text is null or i.remote = $4)",
        kind,
        name,
        slug,
        remote
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(Hooked::from))
}

struct Row {
    project_id: Uuid,
    options: Value,
    is_paused: bool,
    sealed: Vec<u8>,
}

impl From<Row> for Hooked {
    fn from(row: Row) -> Self {
        Self {
            project_id: ProjectId(row.project_id),
            options: row.options,
            is_paused: row.is_paused,
            sealed: row.sealed,
        }
    }
}

/// A webhook.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub kind: &'a str,
    /// The sender's id of it; the same when it is sent again.
    pub id: &'a str,
    /// What it is about, for people.
    pub event: &'a str,
    /// Whether the connection is to be asked at once.
    pub asks: bool,
}

/// What became of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was heard before.
    Before,
    /// What it said of a deploy, if anything.
    Now(Option<Applied>),
}

/// Hears a webhook: notes it, and writes what it says of a deploy, in one transaction. `NotFound` where the project is
/// gone.
pub async fn hear(
    db: &Db,
    project: ProjectId,
    delivery: Delivery<'_>,
    report: Option<DeployReport>,
    actor: &str,
    now: Timestamp,
) -> Result<Heard> {
    let mut tx = db.project(project).await?;
    // As deploys are locked, so that two never wait for each other.
    deploys::lock(&mut tx, project).await?;
    lock_project(&mut tx, project).await?;
    let at = now.to_offset_date_time();
    let noted = sqlx::query!(
        "insert into webhook_deliveries (project_id, received_at, kind, delivery_id) values ($1, $2, $3, $4)
         on conflict (project_id, kind, delivery_id) do nothing",
        project.0,
        at,
        delivery.kind,
        delivery.id
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    sqlx::query!(
        "update integrations set last_event_at = $3, last_event = $4,
           due_at = case when $5 and claim is null then least(due_at, $3) else due_at end
         where project_id = $1 and kind = $2",
        project.0,
        delivery.kind,
        at,
        delivery.event,
        delivery.asks
    )
    .execute(&mut *tx)
    .await?;
    let heard = if noted == 0 {
        Heard::Before
    } else {
        sqlx::query!(
            "delete from webhook_deliveries where project_id = $1 and received_at < $2",
            project.0,
            now.plus_micros(-KEPT_MICROS).to_offset_date_time()
        )
        .execute(&mut *tx)
        .await?;
        Heard::Now(match report {
            Some(report) => deploys::apply_within(&mut tx, project, report, actor, now).await?,
            None => None,
        })
    };
    tx.commit().await?;
    Ok(heard)
}
