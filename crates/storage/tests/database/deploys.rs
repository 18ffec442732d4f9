//! What is named of what ran around a deploy, when there is more than a page has room for.

use storage::deploys;

use crate::support::{TestDatabase, at};

const FROM: &str = "2026-11-24T10:00:00Z";
const TO: &str = "2026-11-24T14:00:00Z";

#[tokio::test]
async fn the_deploys_own_release_is_among_those_that_ran() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    // The first has the fewest calls, and is not the earliest either.
    sqlx::query(
        "insert into release_hours (project_id, hour, release, key_label, step_name, model, calls, errors, unpriced,
           priced, metered_input, metered_output, timed, input, output, latency_us, cost_nano_usd, cost_squares)
         select $1, '2026-11-24T10:00:00Z'::timestamptz + make_interval(hours => (n = 0)::int),
           case when n = 0 then 'C4E2117A90' else 'release-' || n end, 'k', 'n', 'm', 1 + n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
         from generate_series(0, 149) n",
    )
    .bind(project.0)
    .execute(&mut database.superuser().await)
    .await
    .unwrap();
    let mut snapshot = database.snapshot(project).await;
    let found = deploys::releases(&mut snapshot, project, at(FROM), at(TO), "c4e2117")
        .await
        .unwrap();
    assert_eq!(found.len(), 100);
    assert_eq!(
        found[99].release, "C4E2117A90",
        "in the order of their first call"
    );
    let has = |release: &str| found.iter().any(|one| one.release == release);
    assert!(has("release-149") && has("release-51") && !has("release-50"));
}

#[tokio::test]
async fn what_free_text_makes_of_templates_crowds_nothing_out() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let mut owner = database.superuser().await;
    for insert in [
        "insert into prompt_texts (project_id, fingerprint, canonical, first_seen_at)
         select $1, decode(md5(n::text), 'hex'), '', '2026-11-24T10:00:00Z' from generate_series(1, 300) n",
        "insert into first_seen (project_id, dimension, value, at)
         select $1, dimension, 'new', '2026-11-24T11:00:00Z' from unnest(array['model', 'step', 'release']) dimension",
    ] {
        sqlx::query(insert)
            .bind(project.0)
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let mut snapshot = database.snapshot(project).await;
    let found = deploys::first_seen(&mut snapshot, project, at(FROM), at(TO))
        .await
        .unwrap();
    let of = |dimension: &str| found.iter().filter(|one| one.dimension == dimension).count();
    assert_eq!(
        (of("template"), of("model"), of("step"), of("release")),
        (25, 1, 1, 1)
    );
}
