//! Defence in depth: whatever condition a statement forgets, Postgres shows a transaction only its own projects.
//!
//! The tables are read from the catalogue, so that a table added later is tested automatically.

use domain::ProjectId;
use sqlx::{AssertSqlSafe, PgConnection};
use storage::PgConnectOptions;
use storage::{Db, Scope};
use uuid::Uuid;

use crate::support::{TestDatabase, delete_project};

/// The server adds rows to it and takes none away.
const WRITTEN_ONCE: &str = "audit_log";

const A: ProjectId = ProjectId(Uuid::from_u128(0xa));
const B: ProjectId = ProjectId(Uuid::from_u128(0xb));

async fn strings(connection: &mut PgConnection, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(connection)
        .await
        .unwrap()
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(sql))
        .execute(connection)
        .await?
        .rows_affected())
}

async fn count(connection: &mut PgConnection, from: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {from}")))
        .fetch_one(connection)
        .await
}

/// Every table with a `project_id` that is not a partition of another.
async fn tenant_tables(connection: &mut PgConnection) -> Vec<String> {
    strings(
        connection,
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and a.attname = 'project_id' and not a.attisdropped order by 1",
    )
    .await
}

/// `insert into <table>` of a row with something in every column that must have a value.
async fn insert_statement(connection: &mut PgConnection, table: &str, project: ProjectId) -> String {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select a.attname::text, a.atttypid::regtype::text from pg_attribute a
         where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped
           and (a.attnotnull or a.attname = 'project_id')",
    )
    .bind(table)
    .fetch_all(connection)
    .await
    .unwrap();
    let value = |name: &str, column_type: &str| match column_type {
        _ if name == "project_id" => format!("'{}'", project.0),
        // An id or hash of its own for each project, where it has to be unique.
        "uuid" => format!("'{}'", project.0),
        "text" | "bytea" => format!("'{}'", project.0.simple()),
        "timestamp with time zone" => "'2026-11-24T12:00:00Z'".to_owned(),
        "text[]" | "jsonb" => "'{}'".to_owned(),
        "boolean" => "false".to_owned(),
        _ => "0".to_owned(),
    };
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(name, column_type)| value(name, column_type))
        .collect();
    format!(
        "insert into {table} ({}) values ({})",
        names.join(", "),
        values.join(", ")
    )
}

/// One row of A and one of B in every table; what the rows say is not the point, so nothing checks it.
async fn fill(connection: &mut PgConnection, tables: &[String]) {
    execute(connection, "set session_replication_role = replica".to_owned())
        .await
        .unwrap();
    let drops = strings(
        connection,
        "select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
         where contype = 'c' and connamespace = 'public'::regnamespace and coninhcount = 0",
    )
    .await;
    for drop in drops {
        execute(connection, drop).await.unwrap();
    }
    for table in tables {
        for project in [A, B] {
            let insert = insert_statement(connection, table, project).await;
            execute(connection, insert).await.unwrap();
        }
    }
}

/// A connection as the server has it, without a scope.
async fn app(options: &PgConnectOptions) -> PgConnection {
    use sqlx::ConnectOptions as _;
    let mut connection = options.connect().await.unwrap();
    execute(&mut connection, "set role plumbline_app".to_owned())
        .await
        .unwrap();
    connection
}

#[tokio::test]
async fn without_a_scope_nothing_is_seen_and_nothing_written() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let tables = tenant_tables(&mut owner).await;
    fill(&mut owner, &tables).await;
    let mut app = app(&database.options).await;
    for table in &tables {
        assert_eq!(count(&mut app, table).await.unwrap(), 0, "{table}");
        let deleted = execute(&mut app, format!("delete from {table}")).await;
        if table == WRITTEN_ONCE {
            assert!(deleted.is_err(), "{table}");
        } else {
            assert_eq!(deleted.unwrap(), 0, "{table}");
        }
        assert!(
            execute(&mut app, insert_statement(&mut owner, table, A).await)
                .await
                .is_err(),
            "{table}"
        );
    }
}

#[tokio::test]
async fn the_scope_of_one_project_never_reaches_another() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let tables = tenant_tables(&mut owner).await;
    assert!(tables.len() >= 17, "{tables:?}");
    fill(&mut owner, &tables).await;
    for table in &tables {
        check_table(&database.db, &mut owner, table).await;
    }
}

async fn check_table(db: &Db, owner: &mut PgConnection, table: &str) {
    let mut tx = db.project(A).await.unwrap();
    assert_eq!(count(&mut tx, table).await.unwrap(), 1, "{table}: own row");
    let others = format!("{table} where project_id = '{}'", B.0);
    assert_eq!(
        count(&mut tx, &others).await.unwrap(),
        0,
        "{table}: the other's row"
    );
    if table == WRITTEN_ONCE {
        drop(tx);
        return check_that_nothing_is_taken_away(db, owner, table).await;
    }
    assert_eq!(
        execute(&mut tx, format!("delete from {others}")).await.unwrap(),
        0,
        "{table}"
    );
    let update = format!(
        "update {table} set project_id = project_id where project_id = '{}'",
        B.0
    );
    assert_eq!(execute(&mut tx, update).await.unwrap(), 0, "{table}");
    assert_eq!(
        execute(&mut tx, format!("delete from {table}")).await.unwrap(),
        1,
        "{table}: own row only"
    );
    let as_other = insert_statement(owner, table, B).await;
    let refused = execute(&mut tx, as_other).await.unwrap_err().to_string();
    assert!(refused.contains("row-level security"), "{table}: {refused}");
    drop(tx);

    let mut tx = db.begin(Scope::Projects(&[A])).await.unwrap();
    let hand_over = format!("update {table} set project_id = '{}'", B.0);
    assert!(
        execute(&mut tx, hand_over).await.is_err(),
        "{table}: a row cannot be given to another project"
    );
    drop(tx);

    let mut tx = db.begin(Scope::All).await.unwrap();
    assert_eq!(
        count(&mut tx, table).await.unwrap(),
        2,
        "{table}: sign-in and maintenance see all"
    );
    assert_eq!(
        count(owner, table).await.unwrap(),
        2,
        "{table}: nothing of the above was committed"
    );
}

async fn check_that_nothing_is_taken_away(db: &Db, owner: &mut PgConnection, table: &str) {
    for statement in [
        format!("delete from {table}"),
        format!("update {table} set project_id = project_id"),
        format!("truncate {table}"),
        insert_statement(owner, table, B).await,
    ] {
        let mut tx = db.project(A).await.unwrap();
        assert!(execute(&mut tx, statement.clone()).await.is_err(), "{statement}");
    }
    let mut tx = db.begin(Scope::All).await.unwrap();
    assert_eq!(count(&mut tx, table).await.unwrap(), 2, "{table}");
}

#[tokio::test]
async fn the_scope_ends_with_its_transaction() {
    let database = TestDatabase::new().await;
    let project = database.project(0xa).await;
    let mut tx = database.db.project(project).await.unwrap();
    assert_eq!(count(&mut tx, "projects").await.unwrap(), 1);
    tx.commit().await.unwrap();
    // The pool gives the same connection again.
    let mut tx = database.db.project(B).await.unwrap();
    assert_eq!(count(&mut tx, "projects").await.unwrap(), 0);
}

#[tokio::test]
async fn the_server_owns_nothing_and_cannot_bypass_row_level_security() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let owned = strings(
        &mut owner,
        "select relname::text from pg_class where relowner = 'plumbline_app'::regrole
         union all select proname::text from pg_proc where proowner = 'plumbline_app'::regrole
         union all select datname::text from pg_database where datdba = 'plumbline_app'::regrole",
    )
    .await;
    assert_eq!(owned, Vec::<String>::new());
    let attributes: (bool, bool, bool) = sqlx::query_as(
        "select rolsuper, rolbypassrls, rolcanlogin from pg_roles where rolname = 'plumbline_app'",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(
        attributes,
        (false, false, false),
        "superuser, bypasses row-level security, can log in"
    );
    let open = strings(
        &mut owner,
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'project_id'
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    .await;
    assert_eq!(
        open,
        Vec::<String>::new(),
        "tables without forced row-level security"
    );

    // Partitions have no policy of their own, so they must not be reachable by name.
    storage::partitions::maintain(&database.options, crate::support::at("2026-11-24T12:00:00Z"))
        .await
        .unwrap();
    let partitions = strings(
        &mut owner,
        "select relname::text from pg_class where relispartition and relkind = 'r'",
    )
    .await;
    assert!(partitions.len() > 20, "{partitions:?}");
    let mut app = app(&database.options).await;
    for partition in partitions {
        let refused = count(&mut app, &partition).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{partition}: {refused}");
    }
}

#[tokio::test]
async fn a_deleted_project_leaves_nothing_behind() {
    let database = TestDatabase::new().await;
    let mut owner = database.superuser().await;
    let tables = tenant_tables(&mut owner).await;
    fill(&mut owner, &tables).await;
    execute(&mut owner, "set session_replication_role = origin".to_owned())
        .await
        .unwrap();
    delete_project(&database.db, A).await.unwrap();
    for table in tables.iter().filter(|table| *table != WRITTEN_ONCE) {
        assert_eq!(
            strings(&mut owner, &format!("select project_id::text from {table}")).await,
            [B.to_string()],
            "{table}"
        );
    }
    assert!(matches!(
        delete_project(&database.db, A).await,
        Err(storage::Error::NotFound)
    ));
}
