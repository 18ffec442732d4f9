//! `plumbline prices` and `plumbline reprice`.

use serde_json::{Value, json};

use crate::program::Folder;

fn row(price_id: &str, model: &str, input: i64) -> Value {
    json!({
        "price_id": price_id, "provider": "basement", "model_match": "exact", "model": model,
        "valid_from": "2026-01-01T00:00:00Z", "rates": { "input": input }, "source": "https://example.com/prices"
    })
}

#[test]
fn prices_are_shipped_listed_and_replaced_by_a_whole_file() {
    let folder = Folder::new();
    let migrated = folder.run(&["migrate"]);
    assert!(
        migrated.code == 0 && migrated.stderr.contains(" added, 0 changed, 0 removed"),
        "{migrated:?}"
    );
    let again = folder.run(&["migrate"]);
    assert!(
        again.code == 0 && !again.stderr.contains("added"),
        "the same edition is not read again: {again:?}"
    );
    let listed = folder
        .run(&["prices", "list", "--model", "claude-haiku-4-5-20251001", "--json"])
        .json();
    let ids = |listed: &Value| -> Vec<String> {
        let items = listed["items"].as_array().unwrap();
        items
            .iter()
            .map(|row| row["price_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(
        ids(&listed)
            .iter()
            .any(|id| id.starts_with("anthropic/claude-haiku-4-5")),
        "{listed:#}"
    );

    let write = |rows: &[Value]| {
        let file = json!({ "version": "2026-01-02", "prices": rows }).to_string();
        std::fs::write(folder.path().join("own.json"), file).unwrap();
    };
    write(&[row("a", "private-7b", 1), row("b", "private-70b", -1)]);
    let refused = folder.run(&["prices", "import", "own.json"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.stderr.contains("Row 2 (b): A rate is below zero"),
        "{refused:?}"
    );
    assert!(
        !ids(&folder
            .run(&["prices", "list", "--model", "claude", "--json"])
            .json())
        .is_empty()
    );

    write(&[row("a", "private-7b", 1), row("b", "private-70b", 2)]);
    let imported = folder.run(&["prices", "import", "own.json", "--json"]).json();
    assert_eq!(
        (&imported["added"], &imported["changed"]),
        (&json!(2), &json!(0)),
        "{imported}"
    );
    assert!(imported["removed"].as_i64().unwrap() > 300, "{imported}");
    write(&[row("a", "private-7b", 5)]);
    let told = folder.run(&["prices", "import", "own.json", "--dry-run"]);
    assert!(
        told.stdout
            .contains("changed a: input $0.000000001 → $0.000000005")
            && told.stdout.contains("removed b: input $0.000000002")
            && told
                .stdout
                .contains("No recorded call is of a model whose price is another"),
        "{told:?}"
    );
    let changed = folder.run(&["prices", "import", "own.json", "--json"]).json();
    assert_eq!(
        (&changed["added"], &changed["changed"], &changed["removed"]),
        (&json!(0), &json!(1), &json!(1)),
        "{changed}"
    );
}

#[test]
fn repricing_reports_before_and_after() {
    let folder = Folder::new();
    let done = folder.run(&["reprice", "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let done = done.json();
    assert_eq!(
        (&done["state"], &done["all"]["steps"]),
        (&json!("done"), &json!(0)),
        "{done}"
    );
    let jobs = folder.run(&["jobs", "--json"]).json();
    let job = &jobs["items"][0];
    assert_eq!(
        (
            &job["kind"],
            &job["state"],
            &job["done"],
            &job["total"],
            &job["unit"]
        ),
        (
            &json!("reprice"),
            &json!("done"),
            &json!(0),
            &json!(0),
            &json!("steps")
        ),
        "{jobs:#}"
    );
    let listed = folder.run(&["jobs"]);
    assert!(listed.stdout.contains("0 of 0 steps"), "{listed:?}");
    assert_eq!(
        folder.run(&["reprice", "--cancel"]).code,
        4,
        "nothing is under way"
    );
    assert_eq!(folder.run(&["reprice", "--from", "yesterday"]).code, 2);
}
