//! The tables and partitions of a database, as what is copied one by one.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, FromRow};

use super::MoveError;
use crate::Result;
use crate::migrate::MOVE_TABLE;

/// A table without partitions, or one partition of a table.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Part {
    /// Its name in the database.
    pub name: String,
    /// The table that it is a partition of, or itself.
    pub table: String,
    /// On disk, with indexes.
    pub bytes: i64,
    /// Quoted where that is needed, in the order of the alphabet: that of a table depends on its history.
    columns: Vec<String>,
    /// The columns of its primary key, in their order; empty without one.
    key: Vec<String>,
}

impl Part {
    pub(super) fn column_list(&self) -> String {
        self.columns.join(", ")
    }

    /// The statement that sends its rows.
    pub(super) fn copy_out(&self) -> String {
        let order = if self.key.is_empty() {
            String::new()
        } else {
            format!(" order by {}", self.key.join(", "))
        };
        format!(
            "copy (select {} from only {}{order}) to stdout",
            self.column_list(),
            quoted(&self.name)
        )
    }

    /// The statement that counts its rows and adds up 64 bits of a hash of each. Hash functions of Postgres' own may differ
    /// between versions; SHA-256 does not.
    pub(super) fn sum(&self) -> String {
        format!(
            "select count(*), coalesce(sum(('x' || encode(substring(sha256(convert_to(row({})::text, 'UTF8')) from 1 for 8), \
             'hex'))::bit(64)::bigint), 0)::text from only {}",
            self.column_list(),
            quoted(&self.name)
        )
    }
}

/// A name as it stands in a statement. Names come from the catalogue, which only migrations write.
pub(super) fn quoted(name: impl AsRef<str>) -> String {
    format!("\"{}\"", name.as_ref().replace('"', "\"\""))
}

/// The tables that have parts, in the order of these.
pub(super) fn tables(parts: &[Part]) -> Vec<&str> {
    let mut tables: Vec<&str> = Vec::new();
    for part in parts {
        if !tables.contains(&part.table.as_str()) {
            tables.push(&part.table);
        }
    }
    tables
}

/// All parts, what is referred to before what refers to it.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = sqlx::query_as(
        "select c.relname::text as \"name\", coalesce(p.relname, c.relname)::text as \"table\",
           pg_total_relation_size(c.oid) as \"bytes\",
           array(select quote_ident(a.attname) from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attname) as \"columns\",
           array(select quote_ident(a.attname) from pg_index i
             cross join unnest(i.indkey::int2[]) with ordinality k (attnum, nth)
             join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
             where i.indrelid = c.oid and i.indisprimary order by k.nth) as \"key\"
         from pg_class c
         left join pg_inherits h on h.inhrelid = c.oid
         left join pg_class p on p.oid = h.inhparent
         where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
           and c.relname::text <> all(array['_sqlx_migrations', $1::text])
           and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
             and d.deptype = 'e')
         order by 2, 1",
    )
    .bind(MOVE_TABLE)
    .fetch_all(&mut *connection)
    .await?;
    let references: Vec<(String, String)> = sqlx::query_as(
        "select distinct o.relname::text, t.relname::text
         from pg_constraint f join pg_class o on o.oid = f.conrelid join pg_class t on t.oid = f.confrelid
         where f.contype = 'f' and f.conparentid = 0 and o.oid <> t.oid
           and o.relnamespace = current_schema()::regnamespace",
    )
    .fetch_all(connection)
    .await?;
    let order: Vec<String> = in_order(tables(&parts), &references)
        .into_iter()
        .map(str::to_owned)
        .collect();
    // Stable: the partitions of a table stay in the order of their names.
    parts.sort_by_key(|part| order.iter().position(|table| *table == part.table));
    Ok(parts)
}

/// The tables so that each comes behind those that it refers to, else as they are. Those of a ring come last.
fn in_order<'a>(tables: Vec<&'a str>, references: &[(String, String)]) -> Vec<&'a str> {
    let mut ordered: Vec<&str> = Vec::new();
    let mut waiting = tables;
    while !waiting.is_empty() {
        let (blocked, free): (Vec<&str>, Vec<&str>) = waiting.iter().copied().partition(|table| {
            references
                .iter()
                .any(|(from, to)| from == *table && waiting.contains(&to.as_str()))
        });
        if free.is_empty() {
            ordered.extend(blocked);
            break;
        }
        ordered.extend(free);
        waiting = blocked;
    }
    ordered
}

/// Makes the weekly partitions of the source in the target, where they are missing.
pub(super) async fn make_weeks(source: &mut PgConnection, target: &mut PgConnection) -> Result<()> {
    let weeks: Vec<(String, String, String)> = sqlx::query_as(
        "select p.table_name, p.time_column, ((w.ends_at at time zone 'UTC')::date - 7)::text
         from partitioned_tables p cross join lateral week_partitions(p.table_name) w order by 1, 3",
    )
    .fetch_all(source)
    .await?;
    for (table, time_column, week) in weeks {
        sqlx::query("select create_week_partition($1, $2, $3::text::date)")
            .bind(table)
            .bind(time_column)
            .bind(week)
            .execute(&mut *target)
            .await?;
    }
    Ok(())
}

/// Drops the weeks that an attempt before made in the target and that the source no longer has: rows of their time lie
/// outside every week there, and would be refused here.
pub(super) async fn drop_others(source: &[Part], target: &mut PgConnection) -> Result<()> {
    for part in read(target).await? {
        if part.name != part.table && !source.iter().any(|other| other.name == part.name) {
            let drop = format!("drop table {}", quoted(&part.name));
            target.execute(AssertSqlSafe(drop)).await?;
        }
    }
    Ok(())
}

/// Whether each part of the source has its counterpart in the target.
pub(super) fn compare(source: &[Part], target: &[Part]) -> Result<(), MoveError> {
    for part in source {
        let fits = target
            .iter()
            .any(|other| other.name == part.name && other.columns == part.columns);
        if !fits {
            return Err(MoveError::OtherShape(part.name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_comes_first() {
        let check = |references: &[(&str, &str)], expected: &[&str]| {
            let references: Vec<(String, String)> = references
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect();
            assert_eq!(in_order(vec!["a", "b", "c"], &references), expected);
        };
        check(&[], &["a", "b", "c"]);
        check(&[("a", "c"), ("b", "c")], &["c", "a", "b"]);
        check(&[("a", "b"), ("b", "c")], &["c", "b", "a"]);
        check(&[("a", "elsewhere")], &["a", "b", "c"]);
        check(&[("a", "b"), ("b", "a")], &["c", "a", "b"]);
    }

    #[test]
    fn rows_are_sent_in_the_order_of_their_key() {
        let mut part = Part {
            name: "steps_2026w48".to_owned(),
            table: "steps".to_owned(),
            bytes: 0,
            columns: vec!["name".to_owned(), "run_id".to_owned()],
            key: vec!["run_id".to_owned()],
        };
        assert_eq!(
            part.copy_out(),
            "copy (select name, run_id from only \"steps_2026w48\" order by run_id) to stdout"
        );
        part.key.clear();
        assert_eq!(
            part.copy_out(),
            "copy (select name, run_id from only \"steps_2026w48\") to stdout"
        );
    }
}
