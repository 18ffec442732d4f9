//! Accounts of people. Their passwords are their own: set where they accept an invitation, on their account page, and by
//! a link that whoever runs the server makes.

use domain::account::normalise_email;
use domain::{ProjectId, Role, Timestamp, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::error::OnConstraint as _;
use crate::{Db, Error, Result, Scope, Tx, live};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// What they sign in with, in lower case.
    pub email: String,
    /// What to call them.
    pub name: String,
    /// Whether they answer for the server: they see the whole audit log.
    pub is_instance_admin: bool,
}

/// A person who is to get an account.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    /// What they sign in with; compared in lower case.
    pub email: &'a str,
    /// What to call them.
    pub name: &'a str,
    /// The hash of their password, as PHC text.
    pub password_hash: &'a str,
}

/// How many accounts there are.
pub async fn count(db: &Db) -> Result<i64> {
    let mut tx = db.begin(Scope::All).await?;
    Ok(sqlx::query_scalar!("select count(*) as \"count!\" from users")
        .fetch_one(&mut *tx)
        .await?)
}

/// Makes an account without any project. `Error::Conflict("users_email_key")` when the address has one.
pub async fn create(db: &Db, user: NewUser<'_>, actor: &str, now: Timestamp) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    let user = create_within(&mut tx, user, actor, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(user)
}

/// Makes an account in the transaction that gives it something to do.
pub(crate) async fn create_within(
    tx: &mut Tx,
    user: NewUser<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<User> {
    let user = insert(tx, user, false, now).await?;
    let entry = Entry::new(actor, "account.make", &user.email, json!({ "name": user.name }));
    audit::record_of_server_within(tx, &entry, now).await?;
    Ok(user)
}

/// Makes the very first account, an admin of the server and of every project there is.
/// `Error::Conflict("users_exist")` when there is an account already.
pub async fn create_first(db: &Db, user: NewUser<'_>, actor: &str, now: Timestamp) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    // Two people may send the form at once: the second one waits here and then finds an account.
    sqlx::query!("select pg_advisory_xact_lock(hashtext('plumbline first account'))")
        .fetch_one(&mut *tx)
        .await?;
    let exists = sqlx::query_scalar!("select exists (select from users) as \"exists!\"")
        .fetch_one(&mut *tx)
        .await?;
    if exists {
        return Err(Error::Conflict("users_exist"));
    }
    let user = insert(&mut tx, user, true, now).await?;
    let projects = sqlx::query_scalar!(
        "insert into memberships (project_id, user_id, role, created_at)
         select project_id, $1, 'admin', $2 from projects where deleted_at is null returning project_id",
        user.id.0,
        now.to_offset_date_time()
    )
    .fetch_all(&mut *tx)
    .await?;
    let details = json!({ "name": user.name, "instance_admin": true });
    let entry = Entry::new(actor, "account.make", &user.email, details);
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    let entry = Entry::new(actor, "member.add", &user.email, json!({ "role": Role::Admin }));
    for project in projects {
        audit::record_within(&mut tx, ProjectId(project), &entry, now).await?;
    }
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(user)
}

async fn insert(tx: &mut Tx, user: NewUser<'_>, is_instance_admin: bool, now: Timestamp) -> Result<User> {
    let id = UserId(Uuid::now_v7());
    let email = normalise_email(user.email);
    sqlx::query!(
        "insert into users (user_id, email, name, password_hash, created_at, is_instance_admin)
         values ($1, $2, $3, $4, $5, $6)",
        id.0,
        email,
        user.name,
        user.password_hash,
        now.to_offset_date_time(),
        is_instance_admin
    )
    .execute(&mut **tx)
    .await
    .on_constraint("users_email_key")?;
    Ok(User {
        id,
        email,
        name: user.name.to_owned(),
        is_instance_admin,
    })
}

struct Row {
    user_id: Uuid,
    email: String,
    name: String,
    is_instance_admin: bool,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId(row.user_id),
            email: row.email,
            name: row.name,
            is_instance_admin: row.is_instance_admin,
        }
    }
}

/// The person with this address and the hash of their password.
pub async fn by_email(db: &Db, email: &str) -> Result<Option<(User, String)>> {
    let mut tx = db.begin(Scope::All).await?;
    let row = sqlx::query!(
        "select user_id, email, name, is_instance_admin, password_hash from users where email = $1",
        normalise_email(email)
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(row.map(|row| {
        let user = User {
            id: UserId(row.user_id),
            email: row.email,
            name: row.name,
            is_instance_admin: row.is_instance_admin,
        };
        (user, row.password_hash)
    }))
}

pub async fn get(db: &Db, user: UserId) -> Result<User> {
    let mut tx = db.begin(Scope::All).await?;
    get_within(&mut tx, user).await
}

pub(crate) async fn get_within(tx: &mut Tx, user: UserId) -> Result<User> {
    let row = sqlx::query_as!(
        Row,
        "select user_id, email, name, is_instance_admin from users where user_id = $1",
        user.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(row.into())
}

/// An account, with the words of the projects that the person is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: User,
    pub created_at: Timestamp,
    pub projects: Vec<String>,
}

/// All accounts, by address.
pub async fn list(db: &Db) -> Result<Vec<Account>> {
    let mut tx = db.begin(Scope::All).await?;
    let rows = sqlx::query!(
        "select u.user_id, u.email, u.name, u.is_instance_admin, u.created_at,
           array(select p.slug from memberships m join projects p using (project_id)
             where m.user_id = u.user_id and p.deleted_at is null order by p.slug) as \"projects!\"
         from users u order by u.email"
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Account {
            user: User {
                id: UserId(row.user_id),
                email: row.email,
                name: row.name,
                is_instance_admin: row.is_instance_admin,
            },
            created_at: Timestamp::from_offset_date_time(row.created_at),
            projects: row.projects,
        })
        .collect())
}

/// How a password comes to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordChange<'a> {
    /// The person changes it; the session with this token goes on.
    Own { kept_session: &'a [u8] },
    /// Whoever runs the server sets it.
    ByCommand { actor: &'a str },
}

/// Sets a password, given by its hash, and ends the person's sessions and the link to reset it.
pub async fn set_password(
    db: &Db,
    user: &User,
    password_hash: &str,
    how: PasswordChange<'_>,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    let (kept, entry) = match how {
        PasswordChange::Own { kept_session } => (
            Some(kept_session),
            Entry::new(&user.email, "password.change", &user.email, json!({})),
        ),
        PasswordChange::ByCommand { actor } => {
            (None, Entry::new(actor, "password.reset", &user.email, json!({})))
        }
    };
    set_password_within(&mut tx, user.id, password_hash, kept, entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await
}

pub(crate) async fn set_password_within(
    tx: &mut Tx,
    user: UserId,
    password_hash: &str,
    kept_session: Option<&[u8]>,
    mut entry: Entry,
    now: Timestamp,
) -> Result<()> {
    let done = sqlx::query!(
        "update users set password_hash = $2 where user_id = $1",
        user.0,
        password_hash
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let ended = end_sessions_within(tx, user, kept_session).await?;
    sqlx::query!("delete from password_resets where user_id = $1", user.0)
        .execute(&mut **tx)
        .await?;
    if let Value::Object(details) = &mut entry.details {
        details.insert("sessions_ended".to_owned(), ended.into());
    }
    audit::record_of_server_within(tx, &entry, now).await
}

/// Why an account stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indispensable {
    /// It is the only admin of the server.
    InstanceAdmin,
    /// It is the only admin of these projects.
    AdminOf(Vec<String>),
}

/// Removes an account: sessions and memberships go with it, what the person did stays in the audit log. Refused where
/// nobody would be left to answer for the server or, unless `even_if_admin`, for a project.
pub async fn remove(
    db: &Db,
    user: &User,
    even_if_admin: bool,
    actor: &str,
    now: Timestamp,
) -> Result<Result<(), Indispensable>> {
    let mut tx = db.begin(Scope::All).await?;
    if is_only_instance_admin(&mut tx, user.id).await? {
        return Ok(Err(Indispensable::InstanceAdmin));
    }
    let needed = admin_alone_of(&mut tx, user.id).await?;
    if !needed.is_empty() && !even_if_admin {
        return Ok(Err(Indispensable::AdminOf(needed)));
    }
    let projects = sqlx::query_scalar!(
        "delete from memberships where user_id = $1 returning project_id",
        user.id.0
    )
    .fetch_all(&mut *tx)
    .await?;
    for project in projects.into_iter().map(ProjectId) {
        end_invitations_within(&mut tx, project, &user.email).await?;
        let entry = Entry::new(
            actor,
            "member.remove",
            &user.email,
            json!({ "account": "removed" }),
        );
        audit::record_within(&mut tx, project, &entry, now).await?;
    }
    let done = sqlx::query!("delete from users where user_id = $1", user.id.0)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "account.remove", &user.email, json!({}));
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(Ok(()))
}

/// Makes a person an admin of the server, or takes that away. Refused for the only one.
pub async fn set_instance_admin(
    db: &Db,
    user: &User,
    is_instance_admin: bool,
    actor: &str,
    now: Timestamp,
) -> Result<Result<(), Indispensable>> {
    let mut tx = db.begin(Scope::All).await?;
    if !is_instance_admin && is_only_instance_admin(&mut tx, user.id).await? {
        return Ok(Err(Indispensable::InstanceAdmin));
    }
    sqlx::query!(
        "update users set is_instance_admin = $2 where user_id = $1",
        user.id.0,
        is_instance_admin
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "instance_admin": is_instance_admin });
    let entry = Entry::new(actor, "account.change", &user.email, details);
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    tx.commit().await?;
    live::notify_access(db).await?;
    Ok(Ok(()))
}

/// The links that a person who leaves a project made for it, and those made for them, lead nowhere any more.
pub(crate) async fn end_invitations_within(tx: &mut Tx, project: ProjectId, email: &str) -> Result<()> {
    sqlx::query!(
        "delete from invitations where project_id = $1 and (invited_by = $2 or email = $2)",
        project.0,
        email
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets the next sign-in at the provider with the account's address, up to `until`, be linked to the account.
pub async fn allow_link(db: &Db, user: &User, until: Timestamp, actor: &str, now: Timestamp) -> Result<()> {
    let mut tx = db.begin(Scope::All).await?;
    sqlx::query!(
        "update users set openid_link_until = $2 where user_id = $1",
        user.id.0,
        until.to_offset_date_time()
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "may_be_linked_until": until });
    let entry = Entry::new(actor, "account.change", &user.email, details);
    audit::record_of_server_within(&mut tx, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Locks the admins of the server, so that two can't leave at once.
async fn is_only_instance_admin(tx: &mut Tx, user: UserId) -> Result<bool> {
    let admins =
        sqlx::query_scalar!("select user_id from users where is_instance_admin order by user_id for update")
            .fetch_all(&mut **tx)
            .await?;
    Ok(admins == [user.0])
}

/// Locks the admins of the person's projects, and names the projects that have no other one.
async fn admin_alone_of(tx: &mut Tx, user: UserId) -> Result<Vec<String>> {
    let admins = sqlx::query!(
        "select p.slug, m.user_id from memberships m join projects p using (project_id)
         where m.role = 'admin' and p.deleted_at is null
           and m.project_id in (select project_id from memberships where user_id = $1 and role = 'admin')
         order by m.project_id, m.user_id for update of m",
        user.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut alone: Vec<String> = admins
        .iter()
        .filter(|admin| admins.iter().filter(|other| other.slug == admin.slug).count() == 1)
        .map(|admin| admin.slug.clone())
        .collect();
    alone.sort_unstable();
    Ok(alone)
}

/// Ends a person's sessions but the one with the token `kept`; returns how many.
pub(crate) async fn end_sessions_within(tx: &mut Tx, user: UserId, kept: Option<&[u8]>) -> Result<u64> {
    let done = sqlx::query!(
        "delete from web_sessions where user_id = $1 and ($2::bytea is null or token_sha256 <> $2)",
        user.0,
        kept
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected())
}
