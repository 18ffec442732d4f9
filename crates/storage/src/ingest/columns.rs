//! What the batch writer inserts, column by column: name, type and value of each stand once. One `unnest` of a thousand
//! rows costs as much as a few single inserts.
//!
//! A list of fifty columns is not checked by `sqlx::query!`, which wants each of them written down four times; a test
//! compares the lists with the schema instead.

use std::sync::LazyLock;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub sql_type: &'static str,
}

/// The most hashes that a list of them keeps, the least ones: whatever the order in which they come, the same are kept.
pub(crate) const MAX_HASHES: i32 = 256;

/// An insert on its way to being executed.
pub(super) type Insert<'q> = Query<'q, Postgres, PgArguments>;

/// The statement that inserts these columns, each bound as one array.
pub(super) fn insert_into(table: &str, columns: &[Column], conflict: &str) -> String {
    let (names, rows) = (names(columns), rows(columns));
    format!("insert into {table} ({names}) {rows} {conflict}")
}

/// The columns' names, in order.
pub(super) fn names(columns: &[Column]) -> String {
    join(columns, |_, column| column.name.to_owned())
}

/// The statement whose rows are the columns, each bound as one array. JSON travels as text, and so do lists, because an
/// array of arrays is flattened by `unnest`; a list of numbers is one of texts whose hashes are stored.
pub(super) fn rows(columns: &[Column]) -> String {
    let names = names(columns);
    let values = join(columns, |_, Column { name, sql_type }| {
        match *sql_type {
        "jsonb" | "numeric" => format!("{name}::{sql_type} as {name}"),
        "text[]" => format!("array(select jsonb_array_elements_text({name}::jsonb)) as {name}"),
        "int4[]" => format!(
            "(select array_agg(h) from (select distinct hashtext(t) as h
              from jsonb_array_elements_text({name}::jsonb) t order by h limit {MAX_HASHES}) hashes) as {name}"
        ),
        _ => (*name).to_owned(),
    }
    });
    let arrays = join(columns, |i, column| match column.sql_type {
        "jsonb" | "numeric" | "text[]" | "int4[]" => format!("${}::text[]", i + 1),
        sql_type => format!("${}::{sql_type}[]", i + 1),
    });
    format!("select {values} from unnest({arrays}) as incoming ({names})")
}

pub(super) fn join(columns: &[Column], text: impl Fn(usize, &Column) -> String) -> String {
    let texts: Vec<String> = columns.iter().enumerate().map(|(i, c)| text(i, c)).collect();
    texts.join(", ")
}

/// A statement put together once, whose parameters are the columns of its rows.
pub(super) fn insert(statement: &'static LazyLock<String>) -> Insert<'static> {
    sqlx::query(statement.as_str())
}

/// A JSON object; `None` for the empty one, which is not worth a column.
pub(super) fn json_object(map: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
    if map.is_empty() { None } else { json(map) }
}

/// Counts by name; `None` for none.
pub(super) fn json_counts(counts: &std::collections::BTreeMap<String, i64>) -> Option<String> {
    if counts.is_empty() { None } else { json(counts) }
}

pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

/// Declares the columns of an insert and the function that binds them, in the same order, for a slice of rows.
macro_rules! columns {
    ($columns:ident, $bind:ident<$q:lifetime>, |$row:ident: $row_type:ty| {
        $($name:ident: $sql_type:literal = $value:expr),+ $(,)?
    }) => {
        pub(super) const $columns: &[crate::ingest::columns::Column] = &[$(
            crate::ingest::columns::Column { name: stringify!($name), sql_type: $sql_type }
        ),+];

        fn $bind<$q>(
            query: crate::ingest::columns::Insert<$q>,
            rows: &$q [$row_type],
        ) -> crate::ingest::columns::Insert<$q> {
            query$(.bind(rows.iter().map(|$row| $value).collect::<Vec<_>>()))+
        }
    };
}
pub(super) use columns;
