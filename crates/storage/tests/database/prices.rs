//! Shipped prices and a project's own.

use serde_json::json;
use storage::prices::{NewOverride, StoredPrice, edition, of_project, replace_shipped, save_override};

use crate::support::{TestDatabase, at};

fn shipped(price_id: &str, input: i64) -> StoredPrice {
    StoredPrice {
        price_id: price_id.to_owned(),
        project_own: false,
        provider: "acme".to_owned(),
        model_match: "exact".to_owned(),
        model: price_id.to_owned(),
        valid_from: at("2026-01-01T00:00:00Z"),
        rates: json!({ "input": input }),
        context_window: None,
        source: "https://example.com".to_owned(),
    }
}

#[tokio::test]
async fn an_edition_replaces_another_whole_and_only_a_newer_one_by_itself() {
    let database = TestDatabase::new().await;
    let (db, now) = (&database.db, at("2026-11-21T12:00:00Z"));
    assert_eq!(edition(db).await.unwrap(), None);
    let check =
        async |version: &str, rows: &[StoredPrice], only_if_newer: bool, expected: Option<[i64; 3]>| {
            let replaced = replace_shipped(db, version, rows, only_if_newer, now)
                .await
                .unwrap();
            assert_eq!(
                replaced.map(|r| [r.added, r.changed, r.removed]),
                expected,
                "{version}"
            );
        };
    check(
        "2026-02-01",
        &[shipped("a", 1), shipped("b", 1)],
        true,
        Some([2, 0, 0]),
    )
    .await;
    check("2026-02-01", &[shipped("c", 1)], true, None).await;
    check("2026-01-01", &[shipped("c", 1)], true, None).await;
    check(
        "2026-03-01",
        &[shipped("a", 1), shipped("b", 2), shipped("c", 1)],
        true,
        Some([1, 1, 0]),
    )
    .await;
    check("2026-01-01", &[shipped("b", 2)], false, Some([0, 0, 2])).await;
    assert_eq!(edition(db).await.unwrap().as_deref(), Some("2026-01-01"));
    let both = tokio::join!(
        replace_shipped(db, "2026-04-01", &[], true, now),
        replace_shipped(db, "2026-04-01", &[], true, now)
    );
    let done = [both.0.unwrap(), both.1.unwrap()];
    assert_eq!(
        done.iter().flatten().count(),
        1,
        "one of two processes does it: {done:?}"
    );
}

#[tokio::test]
async fn a_project_writes_its_own_prices_and_no_others() {
    let database = TestDatabase::new().await;
    let (a, b) = (database.project(0xa).await, database.project(0xb).await);
    let (db, now) = (&database.db, at("2026-11-21T12:00:00Z"));
    replace_shipped(db, "1", &[shipped("gpt", 1)], false, now)
        .await
        .unwrap();
    let own = |input: i64| NewOverride {
        provider: "acme".to_owned(),
        model_match: "exact".to_owned(),
        model: "GPT".to_owned(),
        valid_from: now,
        rates: json!({ "input": input }),
        context_window: None,
        source: String::new(),
    };
    let first = save_override(db, a, &own(1), "mara", now).await.unwrap();
    let second = save_override(db, a, &own(2), "mara", now).await.unwrap();
    assert_ne!(
        first, second,
        "what was computed with the old rates must not seem computed with the new ones"
    );
    let ids = async |project| -> Vec<String> {
        of_project(&mut db.snapshot(project).await.unwrap(), project)
            .await
            .unwrap()
            .into_iter()
            .map(|price| price.price_id)
            .collect()
    };
    assert_eq!(ids(a).await, ["gpt".to_owned(), second.clone()]);
    assert_eq!(ids(b).await, ["gpt"]);
    let strangers = storage::prices::delete_override(db, b, &second, "eve", now).await;
    assert!(matches!(strangers, Err(storage::Error::NotFound)));
    let shipped_row = storage::prices::delete_override(db, a, "gpt", "mara", now).await;
    assert!(matches!(shipped_row, Err(storage::Error::NotFound)));

    let mut tx = db.project(a).await.unwrap();
    for statement in [
        "delete from prices where project_id is null",
        "update prices set rates = '{}' where project_id is null",
    ] {
        let done = sqlx::query(statement).execute(&mut *tx).await.unwrap();
        assert_eq!(done.rows_affected(), 0, "{statement}");
    }
    let forged = sqlx::query(
        "insert into prices (price_id, provider, model_match, model, valid_from, rates, source)
         values ('x', 'acme', 'exact', 'x', now(), '{}', '')",
    )
    .execute(&mut *tx)
    .await;
    assert!(forged.unwrap_err().to_string().contains("row-level security"));
}
