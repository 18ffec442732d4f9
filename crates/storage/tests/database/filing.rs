//! Under which time steps are stored, and how long they stay.

use domain::{NewStep, ProjectId, RunFilter, Timestamp, Window};
use sqlx::AssertSqlSafe;
use storage::ingest;
use storage::partitions::{Maintained, delete_expired, is_due, maintain};
use test_postgres::Version;

use crate::batch::{row, step, write};
use crate::support::{TestDatabase, at};

/// A Tuesday.
const NOW: &str = "2026-11-24T12:00:00Z";
const DAY_MICROS: i64 = 86_400_000_000;

fn days_ago(days: i64) -> Timestamp {
    at(NOW).plus_micros(-days * DAY_MICROS)
}

async fn count(database: &TestDatabase, from: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {from}")))
        .fetch_one(&mut database.superuser().await)
        .await
        .unwrap()
}

/// Keeps texts for as long as runs.
async fn keep_texts(database: &TestDatabase, project: ProjectId) {
    sqlx::query(
        "insert into project_settings (project_id, retention_days, payload_retention_days, updated_at)
         values ($1, 90, 90, now())",
    )
    .bind(project.0)
    .execute(&mut database.superuser().await)
    .await
    .unwrap();
}

async fn in_default_partitions(database: &TestDatabase) -> i64 {
    let mut rows = 0;
    for table in [
        "runs",
        "steps",
        "step_payloads",
        "step_conditions",
        "rollups",
        "ledger",
    ] {
        rows += count(database, &format!("{table}_default")).await;
    }
    rows
}

async fn assert_sums_are_right(database: &TestDatabase, project: ProjectId) {
    let recount = storage::recount::recount(&database.db, project, at(NOW), |_| true)
        .await
        .unwrap();
    assert_eq!(
        (recount.wrong_runs, recount.wrong_hours),
        (vec![], vec![]),
        "totals and hours agree with the steps"
    );
}

/// Migrations, partitions, a batch and retention, with the rights that the owner of a managed database has.
async fn a_database_lives_with_an_ordinary_owner(database: TestDatabase) {
    let (is_superuser, owner): (bool, String) =
        sqlx::query_as("select rolsuper, rolname::text from pg_roles where rolname = current_user")
            .fetch_one(&mut database.owner().await)
            .await
            .unwrap();
    assert_eq!((is_superuser, owner.as_str()), (false, "owner"));
    let project = database.project(1).await;
    keep_texts(&database, project).await;
    maintain(&database.options, at(NOW)).await.unwrap();
    let steps = [step("r", "s", days_ago(0)), step("old", "s", days_ago(80))];
    assert_eq!(
        write(&database.db, project, &steps, at(NOW)).await.unwrap(),
        [true, true]
    );
    assert_eq!(in_default_partitions(&database).await, 0);
    assert_sums_are_right(&database, project).await;
    let later = at(NOW).plus_micros(20 * DAY_MICROS);
    maintain(&database.options, later).await.unwrap();
    delete_expired(&database.options, later).await.unwrap();
    assert_eq!(count(&database, "steps").await, 1, "one is past its 90 days");
}

#[tokio::test]
async fn an_owner_without_superuser_rights_is_enough() {
    a_database_lives_with_an_ordinary_owner(TestDatabase::new().await).await;
}

#[tokio::test]
async fn an_owner_without_superuser_rights_is_enough_in_the_newest_postgres() {
    a_database_lives_with_an_ordinary_owner(TestDatabase::of(Version::Newest).await).await;
}

#[tokio::test]
async fn history_finds_its_weeks_made() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    keep_texts(&database, project).await;
    maintain(&database.options, at(NOW)).await.unwrap();
    for week in (0..12).rev() {
        let steps: Vec<NewStep> = (0..7)
            .map(|day| step(&format!("{week} {day}"), "s", days_ago(week * 7 + day)))
            .collect();
        write(&database.db, project, &steps, at(NOW)).await.unwrap();
    }
    assert_eq!(in_default_partitions(&database).await, 0);
    assert!(
        !is_due(&database.options, at(NOW)).await.unwrap(),
        "nothing has to move"
    );
    let weeks = "pg_inherits where inhparent = 'steps'::regclass";
    assert!(count(&database, weeks).await > 12);
    assert_sums_are_right(&database, project).await;
}

/// It is filed by its receipt, and its sums lie where it believes to have been: past retention, until that takes them.
#[tokio::test]
async fn no_week_is_made_to_be_dropped() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    maintain(&database.options, at(NOW)).await.unwrap();
    // Nor one of texts, which are kept for 30 days.
    let steps = [step("old", "s", days_ago(400)), step("texts", "s", days_ago(60))];
    write(&database.db, project, &steps, at(NOW)).await.unwrap();
    let payload_weeks = "pg_inherits where inhparent = 'step_payloads'::regclass";
    assert_eq!(count(&database, payload_weeks).await, 5, "four and the default");
    assert!(!is_due(&database.options, at(NOW)).await.unwrap());
    let done = maintain(&database.options, at(NOW)).await.unwrap();
    assert_eq!(done, Maintained::default());
}

#[tokio::test]
async fn weeks_that_retention_deletes_at_once_are_not_made() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    maintain(&database.options, at(NOW)).await.unwrap();
    let weeks = "pg_inherits where inhparent = 'steps'::regclass";
    let before = count(&database, weeks).await;
    let steps = [
        step("old", "s", at("1999-12-31T00:00:00Z")),
        step("ahead", "s", at("9999-12-31T00:00:00Z")),
    ];
    write(&database.db, project, &steps, at(NOW)).await.unwrap();
    assert_eq!(count(&database, weeks).await, before);
    let filed: Vec<time::OffsetDateTime> =
        sqlx::query_scalar("select partition_at from steps order by run_id")
            .fetch_all(&mut database.superuser().await)
            .await
            .unwrap();
    assert_eq!(
        filed,
        [
            at(NOW).plus_micros(DAY_MICROS).to_offset_date_time(),
            at(NOW).to_offset_date_time()
        ],
        "neither expires at once nor stays for ever"
    );
    let last_hour = RunFilter {
        window: Window::LastMinutes(60),
        ..RunFilter::default()
    };
    let listed = storage::runs::list(
        &mut database.snapshot(project).await,
        project,
        &last_hour,
        at(NOW),
        None,
        10,
    )
    .await
    .unwrap();
    let listed: Vec<&str> = listed.items.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(
        listed,
        ["old"],
        "who believes in the year 9999 is not on top until then"
    );
    let later = at(NOW).plus_micros(100 * DAY_MICROS);
    maintain(&database.options, later).await.unwrap();
    delete_expired(&database.options, later).await.unwrap();
    for table in [
        "runs",
        "steps",
        "step_payloads",
        "step_conditions",
        "rollups",
        "run_keys",
    ] {
        assert_eq!(count(&database, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_run_that_goes_on_loses_what_is_old_and_nothing_else() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    // A thread of a chat, and every day somebody says something.
    for day in (0..200).rev() {
        let received_at = days_ago(day);
        let steps = [step("thread", &format!("{day:03}"), received_at)];
        assert_eq!(
            write(&database.db, project, &steps, received_at).await.unwrap(),
            [true]
        );
    }
    maintain(&database.options, at(NOW)).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    let run = storage::runs::get(&mut database.snapshot(project).await, project, "thread")
        .await
        .unwrap();
    let steps = storage::steps::of_run(&mut database.snapshot(project).await, project, "thread", 1_000)
        .await
        .unwrap();
    // A week goes as a whole: up to six days more are kept than 90.
    assert!((91..=97).contains(&steps.len()), "{} days are left", steps.len());
    assert_eq!(usize::try_from(run.step_count), Ok(steps.len()));
    assert_eq!((run.started_at, run.ended_at), (steps[0].started_at, days_ago(0)));
    assert!(steps.iter().all(|step| step.conditions.len() == 1));
    for (step_id, input) in [("000", true), ("030", true), ("037", false), ("090", false)] {
        let payload =
            storage::steps::payload(&mut database.snapshot(project).await, project, "thread", step_id)
                .await
                .unwrap();
        assert_eq!(
            payload.input.is_some(),
            input,
            "prompts are kept for 30 days: {step_id}"
        );
    }
    assert_sums_are_right(&database, project).await;
    // The key outlives the part it was made for, and goes with the last.
    let later = at(NOW).plus_micros(100 * DAY_MICROS);
    maintain(&database.options, later).await.unwrap();
    delete_expired(&database.options, later).await.unwrap();
    for table in ["run_keys", "runs", "steps"] {
        assert_eq!(count(&database, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_step_of_a_run_that_goes_on_is_stored_once() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let send = async |step_id: &str, started_at: &str, received_at: &str| {
        let steps = [step("prod", step_id, at(started_at))];
        let is_new = write(&database.db, project, &steps, at(received_at))
            .await
            .unwrap();
        is_new[0]
    };
    assert!(send("first", "2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z").await);
    // Sent when the second part had not begun yet, and again without a start when it had.
    assert!(send("a", "2026-11-21T11:59:59Z", "2026-11-21T11:59:59Z").await);
    assert!(!send("a", "2026-11-21T12:00:01Z", "2026-11-21T12:00:01Z").await);
    // The other way round: a start that was lost is told.
    assert!(send("b", "2026-11-21T12:00:05Z", "2026-11-21T12:00:05Z").await);
    assert!(!send("b", "2026-11-21T11:59:00Z", "2026-11-21T12:00:09Z").await);
    // By a clock that is 35 s ahead, in the third part before that begins; again without a start.
    assert!(send("c", "2026-11-22T12:00:05Z", "2026-11-22T11:59:30Z").await);
    assert!(!send("c", "2026-11-22T11:59:40Z", "2026-11-22T11:59:40Z").await);
    // With the same start it is known as long as it is kept.
    assert!(!send("a", "2026-11-21T11:59:59Z", "2026-12-20T00:00:00Z").await);
    let run = storage::runs::get(&mut database.snapshot(project).await, project, "prod")
        .await
        .unwrap();
    assert_eq!(run.step_count, 4);
    assert_sums_are_right(&database, project).await;
}

/// The run is gone, and its key is about to go, when another step of it comes.
#[tokio::test]
async fn a_key_that_a_batch_has_read_stays() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    write(
        &database.db,
        project,
        &[step("r", "old", days_ago(100))],
        days_ago(100),
    )
    .await
    .unwrap();
    let mut owner = database.superuser().await;
    for gone in ["delete from steps", "delete from runs"] {
        sqlx::query(gone).execute(&mut owner).await.unwrap();
    }
    let new = step("r", "new", days_ago(0));
    let mut rows = [row(project, &new, at(NOW))];
    let mut batch = ingest::begin(&database.db, &[project]).await.unwrap();
    ingest::file_runs(&mut batch, &mut rows).await.unwrap();
    delete_expired(&database.options, at(NOW)).await.unwrap();
    batch.commit().await.unwrap();
    assert_eq!(count(&database, "run_keys").await, 1);
    delete_expired(&database.options, at(NOW)).await.unwrap();
    assert_eq!(
        count(&database, "run_keys").await,
        0,
        "nothing came of that batch"
    );
}

/// Where its receipt files a step, the same step received on another day would be filed elsewhere.
#[tokio::test]
async fn a_step_that_its_receipt_filed_is_stored_once_whenever_it_comes_again() {
    let database = TestDatabase::new().await;
    let project = database.project(1).await;
    let send = async |step_id: &str, started_at: &str, received_at: &str| {
        let steps = [step("prod", step_id, at(started_at))];
        let is_new = write(&database.db, project, &steps, at(received_at))
            .await
            .unwrap();
        is_new[0]
    };
    assert!(send("first", "2026-09-01T12:00:00Z", "2026-09-01T12:00:00Z").await);
    // Older than 90 days.
    let old = "2026-05-01T12:00:00Z";
    assert!(send("old", old, "2026-09-02T12:00:00Z").await);
    for later in ["2026-09-02T13:00:00Z", "2026-09-05T12:00:00Z", NOW] {
        assert!(!send("old", old, later).await, "again at {later}");
    }
    // Stored in time, and beyond its 90 days when it comes again.
    assert!(send("late", "2026-09-10T12:00:00Z", "2026-09-10T12:00:00Z").await);
    assert!(!send("late", "2026-09-10T12:00:00Z", "2026-12-10T12:00:00Z").await);
    // Ahead by more than a day, then by less, then not any more.
    let ahead = "2026-09-20T12:00:00Z";
    assert!(send("ahead", ahead, "2026-09-12T12:00:00Z").await);
    for later in [
        "2026-09-15T12:00:00Z",
        "2026-09-20T00:00:00Z",
        "2026-09-23T12:00:00Z",
    ] {
        assert!(!send("ahead", ahead, later).await, "again at {later}");
    }
    // What was filed by its start before the project kept its runs for longer, and the other way round.
    sqlx::query(
        "insert into project_settings (project_id, retention_days, updated_at) values ($1, 365, now())",
    )
    .bind(project.0)
    .execute(&mut database.superuser().await)
    .await
    .unwrap();
    assert!(!send("old", old, "2026-09-25T12:00:00Z").await);
    let run = storage::runs::get(&mut database.snapshot(project).await, project, "prod")
        .await
        .unwrap();
    assert_eq!(run.step_count, 4);
    assert_sums_are_right(&database, project).await;
}
