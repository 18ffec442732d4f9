//! The audit log: kept longer than projects, read in pages, each project its own.

use domain::Timestamp;
use domain::audit::AuditFilter;
use sqlx::Row as _;
use storage::audit::{self, Entry};

use crate::support::{TestDatabase, at, delete_project};

fn noon() -> Timestamp {
    at("2026-11-24T12:00:30Z")
}

#[tokio::test]
async fn the_log_outlives_its_project_and_is_read_in_pages() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let (project, other) = (database.project(1).await, database.project(2).await);
    let note = async |project, actor: &str, action: &str, at: Timestamp| {
        let entry = Entry::new(actor, action, "subject", serde_json::json!({}));
        audit::record(db, project, &entry, at).await.unwrap();
    };
    for minute in 0..5 {
        note(
            project,
            "mara@acme.dev",
            "key.make",
            noon().plus_micros(minute * 60_000_000),
        )
        .await;
    }
    note(other, "Noor@acme.dev", "keyring.make", noon()).await;
    let find = async |project: Option<domain::ProjectId>, filter: AuditFilter| {
        let mut snapshot = match project {
            Some(project) => db.snapshot(project).await.unwrap(),
            None => db.snapshot_of_everything().await.unwrap(),
        };
        audit::page(&mut snapshot, project, &filter, None, 100)
            .await
            .unwrap()
            .rows
            .len()
    };
    let all = AuditFilter::default;
    assert_eq!(find(Some(project), all()).await, 5);
    assert_eq!(find(None, all()).await, 6);
    let what = |what: &str| AuditFilter {
        what: what.to_owned(),
        ..all()
    };
    assert_eq!(find(None, what("key")).await, 5, "a group is no prefix");
    assert_eq!(find(None, what("key.make")).await, 5);
    let who = |who: &str| AuditFilter {
        who: who.to_owned(),
        ..all()
    };
    assert_eq!(find(None, who(" NOOR@")).await, 1);
    assert_eq!(find(None, who("%")).await, 0);
    let window = AuditFilter {
        from: Some(noon().plus_micros(60_000_000)),
        to: Some(noon().plus_micros(180_000_000)),
        ..all()
    };
    assert_eq!(find(Some(project), window).await, 2);

    delete_project(db, project).await.unwrap();
    let mut snapshot = db.snapshot_of_everything().await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = audit::page(&mut snapshot, None, &what("key"), cursor, 2)
            .await
            .unwrap();
        seen.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    drop(snapshot);
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.is_sorted_by(|a, b| a.at > b.at), "{seen:?}");
    assert!(
        seen.iter().all(|row| row.project.as_deref() == Some("project-1")),
        "{seen:?}"
    );

    let before = noon().plus_micros(120_000_000);
    // Two keys of one project, one of the other, the deletion and its job.
    assert_eq!(audit::delete_before(&database.options, before).await.unwrap(), 5);
    let rows = sqlx::query("select count(*) from audit_log where at < $1")
        .bind(before.to_offset_date_time())
        .fetch_one(&mut database.superuser().await)
        .await
        .unwrap();
    assert_eq!(rows.get::<i64, _>(0), 0);
}

#[tokio::test]
async fn a_project_reads_its_own_rows_alone() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let entry = Entry::new(
        "203.0.113.7",
        "sign_in.fail",
        "mara@acme.dev",
        serde_json::json!({}),
    );
    audit::record_of_server(db, &[entry], noon()).await.unwrap();
    let mut snapshot = db.snapshot(project).await.unwrap();
    // Asked for everything, a snapshot of one project shows nothing of the server.
    let rows = audit::page(&mut snapshot, None, &AuditFilter::default(), None, 10)
        .await
        .unwrap()
        .rows;
    assert_eq!(rows, []);
    let mut snapshot = db.snapshot_of_everything().await.unwrap();
    let rows = audit::page(&mut snapshot, None, &AuditFilter::default(), None, 10)
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn a_long_log_is_searched_part_by_part() {
    let database = TestDatabase::new().await;
    let db = &database.db;
    let project = database.project(1).await;
    let first = Entry::new("noor@acme.dev", "key.make", "subject", serde_json::json!({}));
    audit::record(db, project, &first, noon()).await.unwrap();
    let many = audit::SEARCHED_ROWS + 5;
    sqlx::query(
        "insert into audit_log (project_id, id, at, actor, action, subject, details)
         select $1, gen_random_uuid(), $2::timestamptz + n * interval '1 second', 'mara@acme.dev', 'key.make', 's', '{}'
         from generate_series(1, $3) n",
    )
    .bind(project.0)
    .bind(noon().to_offset_date_time())
    .bind(many)
    .execute(&mut database.superuser().await)
    .await
    .unwrap();
    let noor = AuditFilter {
        who: "noor@".to_owned(),
        ..AuditFilter::default()
    };
    for of in [Some(project), None] {
        let mut snapshot = match of {
            Some(project) => db.snapshot(project).await.unwrap(),
            None => db.snapshot_of_everything().await.unwrap(),
        };
        let newest = audit::page(&mut snapshot, of, &noor, None, 100).await.unwrap();
        assert!(newest.rows.is_empty() && newest.searched_in_part);
        let next = audit::page(&mut snapshot, of, &noor, newest.next, 100)
            .await
            .unwrap();
        assert_eq!(
            (next.rows.len(), next.searched_in_part, next.next),
            (1, false, None)
        );
    }
}
