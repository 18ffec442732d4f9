//! Who signs in with an OpenID Connect provider: which account that is, and which memberships their groups give.
//!
//! **Invariants:** an account belongs to the provider's subject and never to an e-mail address alone, except once, where
//! whoever runs the server allowed it; what groups gave is taken away with them, and nothing else is.

use domain::account::normalise_email;
use domain::{ProjectId, Role, Timestamp, UserId};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::users::{self, NewUser, User};
use crate::{Db, Error, Result, Scope, Tx, live, members};

/// Somebody whom the provider has just named.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// What people call the provider.
    pub provider: &'a str,
    pub issuer: &'a str,
    /// The provider's own name of the person.
    pub subject: &'a str,
    /// Their address, which the provider has verified.
    pub email: &'a str,
    /// What to call them.
    pub name: &'a str,
    /// Of a password that nobody knows, for an account that is made now.
    pub password_hash: &'a str,
    /// What their groups give.
    pub roles: &'a [(ProjectId, Role)],
    /// Of the sign-in that led here, which is good for one arrival.
    pub state_sha256: &'a [u8],
    /// When that sign-in is refused for its age.
    pub state_expires_at: Timestamp,
}

/// Why somebody whom the provider named is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The sign-in was completed before.
    Replayed,
    /// Their address belongs to an account that is not linked to them.
    NotLinked,
    /// No group of theirs, no invitation and no membership gives them anything here.
    NoAccess,
}

/// Whether the provider's subject has an account.
pub async fn is_known(db: &Db, issuer: &str, subject: &str) -> Result<bool> {
    let mut tx = db.begin(Scope::All).await?;
    Ok(sqlx::query_scalar!(
        "select exists (select from openid_identities where issuer = $1 and subject = $2) as \"is_known!\"",
        issuer,
        subject
    )
    .fetch_one(&mut *tx)
    .await?)
}

/// Finds, links or makes the account of an arrival, and gives it what its groups and its invitations give. What groups
/// gave before and give no more is taken away, also where the person is then turned away.
pub async fn arrive(db: &Db, arrival: Arrival<'_>, now: Timestamp) -> Result<Result<User, Turned>> {
    let mut tx = db.begin(Scope::All).await?;
    let done = arrive_within(&mut tx, arrival, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(done)
}

async fn arrive_within(tx: &mut Tx, arrival: Arrival<'_>, now: Timestamp) -> Result<Result<User, Turned>> {
    let used = sqlx::query!(
        "insert into openid_states (state_sha256, expires_at) values ($1, $2) on conflict (state_sha256) do nothing",
        arrival.state_sha256,
        arrival.state_expires_at.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    if used.rows_affected() == 0 {
        return Ok(Err(Turned::Replayed));
    }
    let email = normalise_email(arrival.email);
    let found = match linked(tx, arrival, now).await? {
        Some(user) => Some(user),
        None => match unlinked(tx, &email).await? {
            Some((user, Some(until))) if until > now => {
                link(tx, arrival, &user, now).await?;
                Some(user)
            }
            Some(_) => return Ok(Err(Turned::NotLinked)),
            None => None,
        },
    };
    let user = if let Some(user) = found {
        user
    } else {
        if arrival.roles.is_empty() && !is_invited(tx, &email, now).await? {
            return Ok(Err(Turned::NoAccess));
        }
        let new = NewUser {
            email: &email,
            name: arrival.name,
            password_hash: arrival.password_hash,
        };
        let user = users::create_within(tx, new, &email, now).await?;
        link(tx, arrival, &user, now).await?;
        user
    };
    // First: what a person gave stays what it is, whatever groups give.
    accept_invitations(tx, &email, &user, now).await?;
    follow_groups(tx, arrival, &user, now).await?;
    let is_member = sqlx::query_scalar!(
        "select exists (select from memberships where user_id = $1) as \"is_member!\"",
        user.id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    if !is_member && !user.is_instance_admin {
        users::end_sessions_within(tx, user.id, None).await?;
        return Ok(Err(Turned::NoAccess));
    }
    Ok(Ok(user))
}

/// The account of the provider's subject.
async fn linked(tx: &mut Tx, arrival: Arrival<'_>, now: Timestamp) -> Result<Option<User>> {
    let user = sqlx::query_scalar!(
        "update openid_identities set last_sign_in_at = $3 where issuer = $1 and subject = $2 returning user_id",
        arrival.issuer,
        arrival.subject,
        now.to_offset_date_time()
    )
    .fetch_optional(&mut **tx)
    .await?;
    match user {
        Some(user) => Ok(Some(users::get_within(tx, UserId(user)).await?)),
        None => Ok(None),
    }
}

/// The account of an address, and until when it may be linked.
async fn unlinked(tx: &mut Tx, email: &str) -> Result<Option<(User, Option<Timestamp>)>> {
    let row = sqlx::query!(
        "select user_id, openid_link_until from users where email = $1 for update",
        email
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let user = users::get_within(tx, UserId(row.user_id)).await?;
    Ok(Some((
        user,
        row.openid_link_until.map(Timestamp::from_offset_date_time),
    )))
}

async fn link(tx: &mut Tx, arrival: Arrival<'_>, user: &User, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "insert into openid_identities (issuer, subject, user_id, created_at, last_sign_in_at)
         values ($1, $2, $3, $4, $4)",
        arrival.issuer,
        arrival.subject,
        user.id.0,
        now.to_offset_date_time()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update users set openid_link_until = null where user_id = $1",
        user.id.0
    )
    .execute(&mut **tx)
    .await?;
    let details = json!({ "provider": arrival.provider, "subject": arrival.subject });
    let entry = Entry::new(&user.email, "account.link", &user.email, details);
    audit::record_of_server_within(tx, &entry, now).await
}

/// Makes the memberships that came from groups those that the groups give now. One that people gave stays as it is.
async fn follow_groups(tx: &mut Tx, arrival: Arrival<'_>, user: &User, now: Timestamp) -> Result<()> {
    let rows = sqlx::query!(
        "select project_id, role, from_openid from memberships where user_id = $1 order by project_id for update",
        user.id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let given = |project: ProjectId| {
        let found = arrival.roles.iter().find(|(given, _)| *given == project);
        found.map(|(_, role)| *role)
    };
    for row in rows.iter().filter(|row| row.from_openid) {
        let project = ProjectId(row.project_id);
        let had = members::role(&row.role);
        let Some(role) = given(project).filter(|role| *role != had) else {
            if given(project).is_none() {
                sqlx::query!(
                    "delete from memberships where project_id = $1 and user_id = $2",
                    project.0,
                    user.id.0
                )
                .execute(&mut **tx)
                .await?;
                users::end_invitations_within(tx, project, &user.email).await?;
                note(tx, arrival, "member.remove", project, user, None, now).await?;
            }
            continue;
        };
        sqlx::query!(
            "update memberships set role = $3 where project_id = $1 and user_id = $2",
            project.0,
            user.id.0,
            role.as_str()
        )
        .execute(&mut **tx)
        .await?;
        if role != Role::Admin {
            users::end_invitations_within(tx, project, &user.email).await?;
        }
        note(tx, arrival, "member.role", project, user, Some(role), now).await?;
    }
    for (project, role) in arrival.roles {
        if rows.iter().any(|row| row.project_id == project.0) {
            continue;
        }
        sqlx::query!(
            "insert into memberships (project_id, user_id, role, created_at, from_openid)
             select project_id, $2, $3, $4, true from projects where project_id = $1 and deleted_at is null
             on conflict (project_id, user_id) do nothing",
            project.0,
            user.id.0,
            role.as_str(),
            now.to_offset_date_time()
        )
        .execute(&mut **tx)
        .await?;
        note(tx, arrival, "member.add", *project, user, Some(*role), now).await?;
    }
    Ok(())
}

/// Writes down what the groups changed.
async fn note(
    tx: &mut Tx,
    arrival: Arrival<'_>,
    action: &str,
    project: ProjectId,
    user: &User,
    role: Option<Role>,
    now: Timestamp,
) -> Result<()> {
    let details = match role {
        Some(role) => json!({ "role": role, "by_groups_of": arrival.provider }),
        None => json!({ "by_groups_of": arrival.provider }),
    };
    let entry = Entry::new(&user.email, action, &user.email, details);
    audit::record_within(tx, project, &entry, now).await
}

async fn is_invited(tx: &mut Tx, email: &str, now: Timestamp) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from invitations i join projects p using (project_id)
           where i.email = $1 and i.expires_at > $2 and p.deleted_at is null) as \"is_invited!\"",
        email,
        now.to_offset_date_time()
    )
    .fetch_one(&mut **tx)
    .await?)
}

/// The provider says whose address it is, which is what the link of an invitation shows.
async fn accept_invitations(tx: &mut Tx, email: &str, user: &User, now: Timestamp) -> Result<()> {
    let rows = sqlx::query!(
        "delete from invitations i using projects p
         where i.email = $1 and i.expires_at > $2 and p.project_id = i.project_id and p.deleted_at is null
         returning i.project_id, i.role, i.invited_by",
        email,
        now.to_offset_date_time()
    )
    .fetch_all(&mut **tx)
    .await?;
    for row in rows {
        let (project, role) = (ProjectId(row.project_id), members::role(&row.role));
        match members::add_within(tx, project, user.id, role, now).await {
            // In already. What a group gave becomes what a person gave; else the invitation is used up and changes nothing.
            Err(Error::Conflict(_)) => {
                let taken = sqlx::query!(
                    "update memberships set role = $3, from_openid = false
                     where project_id = $1 and user_id = $2 and from_openid",
                    project.0,
                    user.id.0,
                    role.as_str()
                )
                .execute(&mut **tx)
                .await?;
                if taken.rows_affected() == 0 {
                    continue;
                }
            }
            other => other?,
        }
        let details = json!({ "role": role, "invited_by": row.invited_by });
        let entry = Entry::new(&user.email, "invitation.accept", &user.email, details);
        audit::record_within(tx, project, &entry, now).await?;
    }
    Ok(())
}
