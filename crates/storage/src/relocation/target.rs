//! A first look at the database that everything is to be moved into.

use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;

use super::connect;
use crate::Result;
use crate::migrate::MOVE_TABLE;

/// What is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Nothing.
    Empty,
    /// What an earlier attempt copied: so many parts.
    Unfinished { copied: i64 },
    /// Something else.
    InUse,
}

/// What a database says of itself, as far as a move needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub state: TargetState,
    /// Whom we are there.
    pub user: String,
    /// How it keeps texts, as `UTF8`.
    pub encoding: String,
    /// Whether we may make tables in it.
    pub may_create: bool,
    /// Whether we may act as the role that servers act as, or make it.
    pub may_act: bool,
}

/// Looks at the target. Changes nothing.
pub async fn target(options: &PgConnectOptions) -> Result<Target> {
    let mut connection = connect(options).await?;
    let (user, encoding, may_create, may_act): (String, String, bool, bool) = sqlx::query_as(
        "select current_user::text, getdatabaseencoding()::text,
           coalesce(has_schema_privilege(current_schema(), 'create'), false),
           coalesce((select me.rolsuper or me.rolcreaterole or exists (
             select from pg_roles app where app.rolname = 'plumbline_app' and pg_has_role(me.oid, app.oid, 'member'))
             from pg_roles me where me.rolname = current_user), false)",
    )
    .fetch_one(&mut connection)
    .await?;
    let begun: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(MOVE_TABLE)
        .fetch_one(&mut connection)
        .await?;
    let state = if begun {
        let copied = sqlx::query_scalar("select count(*) from database_move")
            .fetch_one(&mut connection)
            .await?;
        TargetState::Unfinished { copied }
    } else {
        // What an extension brought is nobody's data.
        let is_used: bool = sqlx::query_scalar(
            "select exists (select from pg_class c where c.relnamespace = current_schema()::regnamespace
               and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
               and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
                 and d.deptype = 'e'))",
        )
        .fetch_one(&mut connection)
        .await?;
        match is_used {
            true => TargetState::InUse,
            false => TargetState::Empty,
        }
    };
    connection.close().await?;
    Ok(Target {
        state,
        user,
        encoding,
        may_create,
        may_act,
    })
}
