//! The usage objects of `data/usage.json`: each gives the buckets that stand beside it.

#[path = "../corpus/usage_rows.rs"]
mod usage_rows;

use usage_rows::{judged, rows};

#[test]
fn every_known_usage_object_gives_its_buckets() {
    let mut wrong = Vec::new();
    for row in rows() {
        assert!(
            row.source.starts_with("https://") || row.source == "made up",
            "{} has no source: {}",
            row.who,
            row.usage
        );
        let found = judged(&row);
        if found != row.expect {
            wrong.push(format!(
                "{}\n  found    {found:?}\n  expected {:?}",
                row.who, row.expect
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
