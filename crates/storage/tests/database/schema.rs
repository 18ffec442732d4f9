//! The batch writer fills the columns that the tables have.

use std::collections::BTreeSet;

use storage::ingest::WRITTEN;

use crate::support::TestDatabase;

#[tokio::test]
async fn every_column_is_written_as_it_is() {
    let database = TestDatabase::new().await;
    let mut superuser = database.superuser().await;
    for (table, columns) in WRITTEN {
        let there: Vec<(String, String)> = sqlx::query_as(
            "select attname::text, atttypid::regtype::text from pg_attribute
             where attrelid = $1::regclass and attnum > 0 and not attisdropped",
        )
        .bind(table)
        .fetch_all(&mut superuser)
        .await
        .unwrap();
        let mut written = BTreeSet::new();
        for column in columns {
            let sql_type: String = sqlx::query_scalar("select to_regtype($1)::text")
                .bind(column.sql_type)
                .fetch_one(&mut superuser)
                .await
                .unwrap();
            let is_first = written.insert((column.name.to_owned(), sql_type));
            assert!(is_first, "{table}.{} is written twice", column.name);
        }
        assert_eq!(written, there.into_iter().collect(), "{table}");
    }
}
