//! Links by which people join a project. Nobody is added by anybody else: whoever holds the link accepts it, by making
//! an account for its address or by signing in to the one there is.

use domain::account::{Invitation, normalise_email};
use domain::{Project, ProjectId, Role, Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::users::{self, NewUser, User};
use crate::{Db, Error, Result, Scope, Tx, live, members};

/// An invitation that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewInvitation<'a> {
    /// Of the link's token.
    pub token_sha256: &'a [u8],
    /// Whom it is for; compared in lower case.
    pub email: &'a str,
    pub role: Role,
    pub expires_at: Timestamp,
}

/// The invitation behind a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundInvitation {
    pub project: Project,
    pub invitation: Invitation,
}

/// Makes an invitation; one that the address had for the project ends. `Error::Conflict("memberships_pkey")` for a
/// member of the project.
pub async fn make(
    db: &Db,
    project: ProjectId,
    new: NewInvitation<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<Invitation> {
    let invitation = Invitation {
        id: Uuid::now_v7(),
        email: normalise_email(new.email),
        role: new.role,
        invited_by: actor.to_owned(),
        created_at: now,
        expires_at: new.expires_at,
    };
    let mut tx = db.project(project).await?;
    let is_member = sqlx::query_scalar!(
        "select exists (select from memberships m join users u using (user_id)
           where m.project_id = $1 and u.email = $2) as \"is_member!\"",
        project.0,
        invitation.email
    )
    .fetch_one(&mut *tx)
    .await?;
    if is_member {
        return Err(Error::Conflict("memberships_pkey"));
    }
    sqlx::query!(
        "insert into invitations (project_id, invitation_id, token_sha256, created_at, expires_at, email, role, invited_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (project_id, email) do update set invitation_id = excluded.invitation_id,
           token_sha256 = excluded.token_sha256, created_at = excluded.created_at, expires_at = excluded.expires_at,
           role = excluded.role, invited_by = excluded.invited_by",
        project.0,
        invitation.id,
        new.token_sha256,
        now.to_offset_date_time(),
        new.expires_at.to_offset_date_time(),
        invitation.email,
        new.role.as_str(),
        actor
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "role": new.role, "expires_at": new.expires_at });
    let entry = Entry::new(actor, "invitation.make", &invitation.email, details);
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    Ok(invitation)
}

/// The invitations of a project that are open at `now`, newest first.
pub async fn list(db: &Db, project: ProjectId, now: Timestamp) -> Result<Vec<Invitation>> {
    let mut tx = db.project(project).await?;
    let rows = sqlx::query!(
        "select invitation_id, email, role, invited_by, created_at, expires_at from invitations
         where project_id = $1 and expires_at > $2 order by created_at desc, invitation_id desc",
        project.0,
        now.to_offset_date_time()
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Invitation {
            id: row.invitation_id,
            email: row.email,
            role: members::role(&row.role),
            invited_by: row.invited_by,
            created_at: Timestamp::from_offset_date_time(row.created_at),
            expires_at: Timestamp::from_offset_date_time(row.expires_at),
        })
        .collect())
}

/// Takes an invitation back.
pub async fn revoke(
    db: &Db,
    project: ProjectId,
    invitation: Uuid,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let email = sqlx::query_scalar!(
        "delete from invitations where project_id = $1 and invitation_id = $2 returning email",
        project.0,
        invitation
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound)?;
    let entry = Entry::new(actor, "invitation.revoke", &email, json!({}));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// What a link is for, as long as it is good at `now`.
pub async fn find(db: &Db, token_sha256: &[u8], now: Timestamp) -> Result<Option<FoundInvitation>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "select p.project_id, p.slug, p.name, i.invitation_id, i.email, i.role, i.invited_by, i.created_at, i.expires_at
         from invitations i join projects p using (project_id)
         where i.token_sha256 = $1 and i.expires_at > $2 and p.deleted_at is null",
        token_sha256,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| FoundInvitation {
        project: Project {
            id: ProjectId(row.project_id),
            slug: row.slug,
            name: row.name,
        },
        invitation: Invitation {
            id: row.invitation_id,
            email: row.email,
            role: members::role(&row.role),
            invited_by: row.invited_by,
            created_at: Timestamp::from_offset_date_time(row.created_at),
            expires_at: Timestamp::from_offset_date_time(row.expires_at),
        },
    }))
}

/// Accepts by making the account. `Error::NotFound` for a link that is not good any more, and
/// `Error::Conflict("users_email_key")` where the address has an account; the link is good still then.
pub async fn accept_as_new(
    db: &Db,
    token_sha256: &[u8],
    name: &str,
    password_hash: &str,
    now: Timestamp,
) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    let used = use_within(&mut tx, token_sha256, now).await?;
    let new = NewUser {
        email: &used.email,
        name,
        password_hash,
    };
    let user = users::create_within(&mut tx, new, &used.email, now).await?;
    join_within(&mut tx, &used, user.id, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(user)
}

/// Accepts with an account that exists. `Error::NotFound` for a link that is not good any more or is for another
/// address.
pub async fn accept(db: &Db, token_sha256: &[u8], user: UserId, now: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    let used = use_within(&mut tx, token_sha256, now).await?;
    if users::get_within(&mut tx, user).await?.email != used.email {
        return Err(Error::NotFound);
    }
    join_within(&mut tx, &used, user, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

/// What a link that is being used gives.
struct Used {
    project: ProjectId,
    email: String,
    role: Role,
    invited_by: String,
}

/// Takes the link away: of two that use it at once, one finds nothing.
async fn use_within(tx: &mut Tx, token_sha256: &[u8], now: Timestamp) -> Result<Used> {
    let row = sqlx::query!(
        "delete from invitations i using projects p
         where i.token_sha256 = $1 and i.expires_at > $2 and p.project_id = i.project_id and p.deleted_at is null
         returning i.project_id, i.email, i.role, i.invited_by",
        token_sha256,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Used {
        project: ProjectId(row.project_id),
        email: row.email,
        role: members::role(&row.role),
        invited_by: row.invited_by,
    })
}

async fn join_within(tx: &mut Tx, used: &Used, user: UserId, now: Timestamp) -> Result<()> {
    match members::add_within(tx, used.project, user, used.role, now).await {
        // In already by other means: the link is used up and changes nothing.
        Err(Error::Conflict(_)) => {}
        other => other?,
    }
    let details = json!({ "role": used.role, "invited_by": used.invited_by });
    let entry = Entry::new(&used.email, "invitation.accept", &used.email, details);
    audit::record_within(tx, used.project, &entry, now).await
}
