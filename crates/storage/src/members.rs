//! Who may do what in which project.

use domain::account::Member;
use domain::{Project, ProjectId, Role, Timestamp, UserId};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::users::{self, User};
use crate::{Db, Error, Result, Scope, Tx, live};

/// The constraint that a project keeps at least one admin.
pub const LAST_ADMIN: &str = "memberships_last_admin";

/// The people of a project, by name.
pub async fn list(db: &Db, project: ProjectId) -> Result<Vec<Member>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query!(
        "select u.user_id, u.email, u.name, m.role from memberships m join users u using (user_id)
         where m.project_id = $1 order by u.name, u.email",
        project.0
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Member {
            user_id: UserId(row.user_id),
            email: row.email,
            name: row.name,
            role: role(&row.role),
        })
        .collect())
}

/// The projects of a person and what they may do there, oldest first.
pub async fn of_user(db: &Db, user: UserId) -> Result<Vec<(Project, Role)>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query!(
        "select p.project_id, p.slug, p.name, m.role from memberships m join projects p using (project_id)
         where m.user_id = $1 and p.deleted_at is null order by p.created_at, p.project_id",
        user.0
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let project = Project {
                id: ProjectId(row.project_id),
                slug: row.slug,
                name: row.name,
            };
            (project, role(&row.role))
        })
        .collect())
}

/// Lets a person into a project. `Error::Conflict("memberships_pkey")` when they are in already.
pub async fn add(
    db: &Db,
    project: ProjectId,
    user: &User,
    role: Role,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    add_within(&mut tx, project, user.id, role, now).await?;
    let entry = Entry::new(actor, "member.add", &user.email, json!({ "role": role }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// Lets a person into a project in the transaction that made one of the two.
pub(crate) async fn add_within(
    tx: &mut Tx,
    project: ProjectId,
    user: UserId,
    role: Role,
    now: Timestamp,
) -> Result<()> {
    let done = sqlx::query!(
        "insert into memberships (project_id, user_id, role, created_at) values ($1, $2, $3, $4)
         on conflict (project_id, user_id) do nothing",
        project.0,
        user.0,
        role.as_str(),
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::Conflict("memberships_pkey"));
    }
    Ok(())
}

/// Changes what a member may do; invitations by who is no admin any more end. `Error::Conflict(LAST_ADMIN)` when no admin would be left.
pub async fn set_role(
    db: &Db,
    project: ProjectId,
    user: UserId,
    role: Role,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    if role != Role::Admin {
        keep_an_admin(&mut tx, project, user).await?;
    }
    let done = sqlx::query!(
        "update memberships set role = $3 where project_id = $1 and user_id = $2",
        project.0,
        user.0,
        role.as_str()
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let email = users::get_within(&mut tx, user).await?.email;
    if role != Role::Admin {
        users::end_invitations_within(&mut tx, project, &email).await?;
    }
    let entry = Entry::new(actor, "member.role", &email, json!({ "role": role }));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// Ends a person's access to a project, and the invitations they made. `Error::Conflict(LAST_ADMIN)` when no admin would be left.
pub async fn remove(db: &Db, project: ProjectId, user: UserId, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.project(project).await?;
    keep_an_admin(&mut tx, project, user).await?;
    let done = sqlx::query!(
        "delete from memberships where project_id = $1 and user_id = $2",
        project.0,
        user.0
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let email = users::get_within(&mut tx, user).await?.email;
    users::end_invitations_within(&mut tx, project, &email).await?;
    let entry = Entry::new(actor, "member.remove", &email, json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// Locks the admins of a project, so that two of them can't remove each other at once, and refuses when `user` is
/// the only one.
async fn keep_an_admin(tx: &mut Tx, project: ProjectId, user: UserId) -> Result<()> {
    let admins = sqlx::query_scalar!(
        "select user_id from memberships where project_id = $1 and role = 'admin' order by user_id for update",
        project.0
    )
    .fetch_all(&mut **tx)
    .await?;
    if admins == [user.0] {
        Err(Error::Conflict(LAST_ADMIN))
    } else {
        Ok(())
    }
}

/// A word that this version does not know gives no more than reading.
pub(crate) fn role(word: &str) -> Role {
    Role::parse(word).unwrap_or(Role::Viewer)
}
