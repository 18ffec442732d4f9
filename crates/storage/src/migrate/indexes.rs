//! Indexes of partitioned tables, built beside those who write. Postgres builds none of a partitioned table concurrently, so
//! a migration makes it `on only` the parent, which takes a moment, and the partitions get theirs here, one by one. What is
//! missing is seen from the catalogue: whoever is killed leaves the rest to the next start.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};
use tokio::time::sleep;

use crate::{Error, Result};

/// How often it is tried to attach an index, which waits for who reads or writes the partition, and lets everybody else
/// queue behind it meanwhile.
const ATTACH_ATTEMPTS: u32 = 20;
const ATTACH_TIMEOUT: &str = "set lock_timeout = '300ms'";
const ATTACH_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
/// Postgres cuts longer names.
const NAME_BYTES: usize = 63;

/// Builds and attaches what partitions lack of the indexes of their tables. Leaves it to another process that is at it.
pub(super) async fn build_missing(connection: &mut PgConnection) -> Result<()> {
    let missing: Vec<(String, String, String)> = sqlx::query_as(
        "select i.relname::text, pg_get_indexdef(i.oid), c.relname::text
         from pg_index x
         join pg_class i on i.oid = x.indexrelid and i.relkind = 'I'
         join pg_inherits h on h.inhparent = x.indrelid
         join pg_class c on c.oid = h.inhrelid and c.relkind = 'r'
         where not x.indisvalid and i.relnamespace = current_schema()::regnamespace
           and not exists (
             select from pg_inherits own join pg_index o on o.indexrelid = own.inhrelid
             where own.inhparent = i.oid and o.indrelid = c.oid)
         order by 1, 3",
    )
    .fetch_all(&mut *connection)
    .await?;
    if missing.is_empty() {
        return Ok(());
    }
    // Asked for and not waited for: a statement that waits would itself be waited for by the index that is being built.
    let is_ours: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtext('plumbline indexes'))")
        .fetch_one(&mut *connection)
        .await?;
    if !is_ours {
        return Ok(());
    }
    for (index, definition, partition) in missing {
        // Retention may have taken the partition away.
        if let Err(cause) = build(connection, &index, &definition, &partition).await
            && exists(connection, &partition).await?
        {
            return Err(cause);
        }
    }
    sqlx::query("select pg_advisory_unlock(hashtext('plumbline indexes'))")
        .execute(connection)
        .await?;
    Ok(())
}

async fn build(connection: &mut PgConnection, index: &str, definition: &str, partition: &str) -> Result<()> {
    let name = child_name(partition, index);
    let built: Option<bool> =
        sqlx::query_scalar("select indisvalid from pg_index where indexrelid = to_regclass($1)")
            .bind(quoted(&name))
            .fetch_optional(&mut *connection)
            .await?;
    connection.execute("set lock_timeout = 0").await?;
    // One that was being built when its process died holds nothing.
    if built == Some(false) {
        let drop = format!("drop index concurrently {}", quoted(&name));
        connection.execute(AssertSqlSafe(drop)).await?;
    }
    if built != Some(true) {
        let create = create_statement(definition, &name, partition);
        connection.execute(AssertSqlSafe(create)).await?;
    }
    connection.execute(ATTACH_TIMEOUT).await?;
    let attach = format!("alter index {} attach partition {}", quoted(index), quoted(&name));
    for attempt in 1..=ATTACH_ATTEMPTS {
        let attached = connection.execute(AssertSqlSafe(attach.clone())).await;
        let Err(cause) = attached.map_err(Error::from) else {
            return Ok(());
        };
        if !cause.is_lock_timeout() && !cause.is_collision() {
            return Err(cause);
        }
        // The last time it is left as it is, which is of use too; the next start attaches it.
        if attempt < ATTACH_ATTEMPTS {
            sleep(ATTACH_PAUSE).await;
        }
    }
    Ok(())
}

async fn exists(connection: &mut PgConnection, table: &str) -> Result<bool> {
    let exists = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(quoted(table))
        .fetch_one(connection)
        .await?;
    Ok(exists)
}

/// The statement that builds the index of a partition as its table's is defined.
fn create_statement(definition: &str, name: &str, partition: &str) -> String {
    let unique = if definition.starts_with("CREATE UNIQUE") {
        "unique "
    } else {
        ""
    };
    let what = definition.split_once(" USING ").map_or("", |(_head, what)| what);
    format!(
        "create {unique}index concurrently {} on {} using {what}",
        quoted(name),
        quoted(partition)
    )
}

/// What a partition's index is called.
fn child_name(partition: &str, index: &str) -> String {
    let mut name = format!("{partition}_{index}");
    // Names of tables and indexes are ASCII.
    name.truncate(NAME_BYTES);
    name
}

/// Names come from the catalogue, which only migrations write.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_gets_the_index_of_its_table() {
        let check = |definition: &str, expected: &str| {
            assert_eq!(
                create_statement(definition, "runs_2026w48_i", "runs_2026w48"),
                expected
            );
        };
        check(
            "CREATE INDEX i ON ONLY public.runs USING btree (a, b) WHERE (a IS NOT NULL)",
            "create index concurrently \"runs_2026w48_i\" on \"runs_2026w48\" using btree (a, b) WHERE (a IS NOT NULL)",
        );
        check(
            "CREATE UNIQUE INDEX i ON ONLY public.runs USING btree (a)",
            "create unique index concurrently \"runs_2026w48_i\" on \"runs_2026w48\" using btree (a)",
        );
        assert_eq!(
            child_name("runs_2026w48", "runs_user_idx"),
            "runs_2026w48_runs_user_idx"
        );
        assert_eq!(child_name("a", &"b".repeat(99)).len(), NAME_BYTES);
    }
}
