//! Projects: the tenants. One that is being deleted is seen by nobody.

pub mod deletion;

use domain::{Project, ProjectId, Role, Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::OnConstraint as _;
use crate::{Db, Error, Result, Scope, live, members};

/// The word of the project that requests without a key act on.
pub const DEFAULT_SLUG: &str = "default";

/// A row of `projects`, for every query that reads one.
pub(crate) struct ProjectRow {
    pub(crate) project_id: Uuid,
    pub(crate) slug: String,
    pub(crate) name: String,
}

impl From<ProjectRow> for Project {
    fn from(row: ProjectRow) -> Self {
        Self {
            id: ProjectId(row.project_id),
            slug: row.slug,
            name: row.name,
        }
    }
}

/// All projects, oldest first.
pub async fn list(db: &Db) -> Result<Vec<Project>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query_as!(
        ProjectRow,
        "select project_id, slug, name from projects where deleted_at is null order by created_at, project_id"
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(Project::from).collect())
}

/// The project with this word in its addresses.
pub async fn by_slug(db: &Db, slug: &str) -> Result<Project> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query_as!(
        ProjectRow,
        "select project_id, slug, name from projects where slug = $1 and deleted_at is null",
        slug
    )
    .fetch_optional(&mut *tx)
    .await?;
    row.map(Project::from).ok_or(Error::NotFound)
}

pub async fn get(db: &Db, project: ProjectId) -> Result<Project> {
    let mut tx = db.project(project).await?;
    let row = sqlx::query_as!(
        ProjectRow,
        "select project_id, slug, name from projects where project_id = $1 and deleted_at is null",
        project.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    row.map(Project::from).ok_or(Error::NotFound)
}

/// Makes a project, with `admin` as its first member. `Error::Conflict("projects_slug_key")` when the word is taken.
pub async fn create(
    db: &Db,
    name: &str,
    slug: &str,
    admin: Option<UserId>,
    actor: &str,
    now: Timestamp,
) -> Result<Project> {
    let project = ProjectId(Uuid::now_v7());
    let mut tx = db.project(project).await?;
    sqlx::query!(
        "insert into projects (project_id, slug, name, created_at) values ($1, $2, $3, $4)",
        project.0,
        slug,
        name,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await
    .on_constraint("projects_slug_key")?;
    if let Some(user) = admin {
        members::add_within(&mut tx, project, user, Role::Admin, now).await?;
    }
    let entry = Entry::new(actor, "project.make", slug, json!({ "name": name }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(Project {
        id: project,
        slug: slug.to_owned(),
        name: name.to_owned(),
    })
}

/// Gives a project another name; its word stays.
pub async fn rename(db: &Db, project: &Project, name: &str, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project.id).await?;
    let done = sqlx::query!(
        "update projects set name = $2 where project_id = $1 and deleted_at is null",
        project.id.0,
        name
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let details = json!({ "from": project.name, "to": name });
    let entry = Entry::new(actor, "project.rename", &project.slug, details);
    audit::record_within(&mut tx, project.id, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// Makes the project `default` when there is no project at all, and returns it. Where people made projects of
/// their own and deleted that one, it returns the oldest.
pub async fn ensure_default(db: &Db, now: Timestamp) -> Result<Project> {
    let mut tx = db.begin(Scope::All).await?;
    // Two processes may start at once.
    sqlx::query!(
        "insert into projects (project_id, slug, name, created_at)
         select $1, $2, 'Default', $3 where not exists (select from projects where deleted_at is null)
         on conflict (slug) where deleted_at is null do nothing",
        Uuid::now_v7(),
        DEFAULT_SLUG,
        now.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    keyless(db).await?.ok_or(Error::NotFound)
}

/// The project of requests without a key: `default`, else the oldest.
pub async fn keyless(db: &Db) -> Result<Option<Project>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query_as!(
        ProjectRow,
        "select project_id, slug, name from projects where deleted_at is null
         order by slug <> $1, created_at, project_id limit 1",
        DEFAULT_SLUG
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(Project::from))
}
