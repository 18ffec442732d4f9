//! A database that is not of this version: whatever would use it refuses it, and changes nothing.

use crate::given_postgres;
use crate::program::Folder;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_edited_migrations_is_refused_untouched() {
    let folder = Folder::new();
    let postgres = given_postgres(&folder).await;
    let url = postgres.url();
    let environment = [("DATABASE_URL", url.as_str())];
    let migrated = folder.run_with(&["migrate"], &environment);
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let edit = "update _sqlx_migrations set checksum = decode('00', 'hex') where version = 20261121090100";
    postgres.query(edit).await.unwrap();
    let refused_by_all = || {
        for arguments in [
            &["--addr", "127.0.0.1:0", "serve"][..],
            &["keys", "list"],
            &["migrate"],
            &["migrate", "--plan"],
        ] {
            let refused = folder.run_with(arguments, &environment);
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(
                refused
                    .stderr
                    .contains("the migration 20261121090100 in the database is another one"),
                "{refused:?}"
            );
        }
    };
    refused_by_all();
    // Nor is one brought further that would be.
    let behind = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    postgres.query(behind).await.unwrap();
    refused_by_all();
    let doctor = folder.run_with(&["doctor", "--json"], &environment);
    assert_eq!(
        (doctor.code, doctor.check("schema")["status"].as_str()),
        (1, Some("fail")),
        "{doctor:?}"
    );
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_that_a_start_before_did_not_finish_are_built_by_the_next() {
    let folder = Folder::new();
    let postgres = given_postgres(&folder).await;
    let url = postgres.url();
    let environment = [("DATABASE_URL", url.as_str())];
    let migrated = folder.run_with(&["migrate"], &environment);
    assert_eq!(migrated.code, 0, "{migrated:?}");
    // As migrations leave it, before its partitions have theirs.
    let definition = postgres
        .query("select pg_get_indexdef('runs_user_idx'::regclass)")
        .await
        .unwrap()[0][0]
        .clone()
        .unwrap();
    assert!(definition.contains(" ON ONLY "), "{definition}");
    postgres.query("drop index runs_user_idx").await.unwrap();
    postgres.query(&definition).await.unwrap();
    let half_built = "select count(*) from pg_index where not indisvalid";
    assert_eq!(
        postgres.query(half_built).await.unwrap()[0][0].as_deref(),
        Some("1")
    );
    let again = folder.run_with(&["migrate"], &environment);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(
        postgres.query(half_built).await.unwrap()[0][0].as_deref(),
        Some("0")
    );
    postgres.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused_untouched() {
    let folder = Folder::new();
    let postgres = given_postgres(&folder).await;
    let url = postgres.url();
    let environment = [("DATABASE_URL", url.as_str())];
    let migrated = folder.run_with(&["migrate"], &environment);
    assert_eq!(migrated.code, 0, "{migrated:?}");
    let statement = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                     values (29991231000000, 'from the future', true, '', 0)";
    postgres.query(statement).await.unwrap();
    for arguments in [
        &["--addr", "127.0.0.1:0", "serve"][..],
        &["keys", "list"],
        &["migrate"],
    ] {
        let refused = folder.run_with(arguments, &environment);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(
            refused.stderr.contains("newer version of Plumbline"),
            "{refused:?}"
        );
    }
    let doctor = folder.run_with(&["doctor", "--json"], &environment);
    assert_eq!(
        (doctor.code, doctor.check("schema")["status"].as_str()),
        (1, Some("fail")),
        "{doctor:?}"
    );
    postgres.stop().await.unwrap();
}
