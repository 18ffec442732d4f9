//! Of a user whose data is deleted no table knows anything, whoever dies meanwhile; what belongs to others stays as it is.

use domain::{InquiryEventKind, NewStep, ProjectId};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use storage::jobs::{self, JobState};
use storage::projects::deletion::LEGAL_HOLD;
use storage::retention::{self, DEFAULT};
use storage::user_data::{self, EncodeHistogram};
use storage::{Db, Error, chats, inquiries};
use uuid::Uuid;

use crate::batch;
use crate::support::{TestDatabase, at};

const NOW: &str = "2026-11-24T12:00:00Z";
/// The user, and what stands in everything of theirs.
const CANARY: &str = "canary-7f3a";
const NO_HISTOGRAM: EncodeHistogram<'static> = &|_| Vec::new();

fn step(run_id: &str, step_id: &str, user: Option<&str>) -> NewStep {
    let mut step = batch::step(run_id, step_id, at("2026-11-24T10:00:00Z"));
    step.user_id = user.map(str::to_owned);
    if user == Some(CANARY) {
        step.input = Some(format!("I am {CANARY}"));
        step.error = Some(format!("refused {CANARY}"));
        step.tags = vec![CANARY.to_owned()];
        step.attributes.insert("who".to_owned(), json!(CANARY));
    }
    step
}

/// Every row of every table that knows the text, as `table: row`.
async fn rows_with(owner: &mut PgConnection, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1",
    )
    .fetch_all(&mut *owner)
    .await
    .unwrap();
    assert!(tables.len() > 30, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let find =
            format!("select '{table}: ' || t::text from {table} t where strpos(t::text, $1) > 0 order by 1");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(find))
            .bind(text)
            .fetch_all(&mut *owner)
            .await
            .unwrap();
        found.extend(rows);
    }
    found
}

/// What says something of the run, in every table that does.
async fn say_something(
    database: &TestDatabase,
    owner: &mut PgConnection,
    project: ProjectId,
    run: &str,
    text: &str,
) {
    let (db, now) = (&database.db, at(NOW));
    let alert = Uuid::now_v7();
    for statement in [
        "insert into alerts (project_id, alert_id, created_at, last_at, due_at, occurrences, severity, is_open, trigger,
           channel, group_key, state, summary, subject, content)
         values ($1, $4, now(), now(), now(), 1, 2, false, 'severity', 'slack', $3, 'delivered', $3,
           jsonb_build_object('run_id', $2), jsonb_build_object('text', $3))",
        "insert into alert_attempts (project_id, alert_id, nth, latency_ms, at, answer)
         select $1, $4, 1, 5, now(), $3 where $2 <> ''",
        "insert into alert_groups (project_id, fired_at, quiet_until, quiet_s, trigger, channel, group_key)
         select $1, now(), now(), 60, 'severity', 'slack', $3 where $2 <> '' and $4::uuid is not null",
        "insert into findings (project_id, finding_id, detector_id, created_at, version, dropped_quotes, run_id, summary,
           data, evidence)
         values ($1, $4, $4, now(), 1, 0, $2, $3, '{}', '[]')",
        "insert into condition_feedback (project_id, run_id, step_id, code, verdict, actor, at)
         select $1, $2, 's1', 2001, 'noise', $3, now() where $4::uuid is not null",
        "insert into share_links (project_id, share_id, created_at, expires_at, leaves_out_people, leaves_out_key,
           token_sha256, run_id, content, created_by)
         values ($1, $4, now(), now(), false, false, sha256(convert_to($2, 'UTF8')), $2, 'shown', $3)",
    ] {
        sqlx::query(statement)
            .bind(project.0)
            .bind(run)
            .bind(text)
            .bind(alert)
            .execute(&mut *owner)
            .await
            .unwrap_or_else(|cause| panic!("{statement}: {cause}"));
    }
    let analysis = storage::analyses::start(db, project, run, "test", now)
        .await
        .unwrap();
    sqlx::query("update analyses set report = jsonb_build_object('said', $2::text), state = 'done' where analysis_id = $1")
        .bind(analysis)
        .bind(text)
        .execute(&mut *owner)
        .await
        .unwrap();
    let chat = chats::create(db, project, "", "test", now).await.unwrap();
    chats::ask(db, project, chat, (text, text), "test", now)
        .await
        .unwrap();
    let taken = inquiries::take(db, now, now.plus_micros(60_000_000))
        .await
        .unwrap()
        .unwrap();
    let data = json!({ "line": "a run", "content": format!("{{\"run_id\":\"{run}\"}}") });
    inquiries::add_event(db, &taken, InquiryEventKind::Tool, &data, now)
        .await
        .unwrap();
    sqlx::query("update inquiries set state = 'done' where inquiry_id = $1")
        .bind(taken.inquiry.id)
        .execute(&mut *owner)
        .await
        .unwrap();
    // What models were asked is recorded in runs of ours, which name nobody.
    for own_run in [
        format!("plumbline-analysis-{analysis}"),
        format!("plumbline-chat-{chat}"),
    ] {
        let mut asked = step(&own_run, "s1", None);
        asked.input = Some(format!("{run}: {text}"));
        batch::write(db, project, &[asked], now).await.unwrap();
    }
}

/// Does the job to its end; a first chunk is taken by a process that dies. Returns how many chunks it took.
async fn work(db: &Db, project: ProjectId, job: Uuid) -> usize {
    let take = || jobs::take(db, &[user_data::KIND], Some((project, job)), at(NOW));
    drop(take().await.unwrap().unwrap());
    let mut chunks = 0;
    loop {
        // The dropped transaction is rolled back a moment later.
        let Some(chunk) = take().await.unwrap() else {
            let state = jobs::get(db, project, job).await.unwrap().state;
            if state.is_open() {
                continue;
            }
            return chunks;
        };
        user_data::delete_chunk(chunk, NO_HISTOGRAM, at(NOW))
            .await
            .unwrap();
        chunks += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_user_is_in_any_table_and_others_stay_as_they_are() {
    let database = TestDatabase::new().await;
    let (db, mut owner) = (&database.db, database.superuser().await);
    let (project, other) = (database.project(1).await, database.project(2).await);
    storage::partitions::maintain(&database.options, at(NOW))
        .await
        .unwrap();
    let theirs = [
        step("their-run-1", "s1", Some(CANARY)),
        // Nobody else is named in the run: this is theirs too.
        step("their-run-1", "s2", None),
        step("their-run-2", "s1", Some(CANARY)),
    ];
    let own = [
        step("own-run-1", "s1", Some("mara")),
        step("own-run-2", "s1", None),
    ];
    let both = [
        step("both-run-1", "s1", Some("mara")),
        step("both-run-1", "s2", Some(CANARY)),
    ];
    for steps in [&theirs[..], &own, &both] {
        batch::write(db, project, steps, at(NOW)).await.unwrap();
    }
    // The same id in another project is another user.
    batch::write(db, other, &theirs[..1], at(NOW)).await.unwrap();
    say_something(&database, &mut owner, project, "their-run-1", CANARY).await;
    say_something(&database, &mut owner, project, "own-run-1", "hers").await;
    let elsewhere = rows_with(&mut owner, &other.to_string()).await;
    let hers = rows_with(&mut owner, "own-run-1").await;
    assert!(hers.len() > 8, "{hers:#?}");
    let left = async |owner: &mut PgConnection| {
        let found = rows_with(owner, CANARY).await.into_iter();
        found
            .filter(|row| !row.contains(&other.to_string()))
            .collect::<Vec<_>>()
    };
    assert!(left(&mut owner).await.len() > 12);

    let start = |user: &'static str| user_data::start(db, project, user, "mara@acme.dev", at(NOW));
    let nobody = start("nobody").await;
    assert!(matches!(nobody, Err(Error::NotFound)), "{nobody:?}");
    retention::set(db, project, DEFAULT, true, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let held = start(CANARY).await;
    assert!(matches!(held, Err(Error::Conflict(LEGAL_HOLD))), "{held:?}");
    retention::set(db, project, DEFAULT, false, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let job = start(CANARY).await.unwrap();
    assert_eq!(start(CANARY).await.unwrap(), job, "it is under way");
    assert!(work(db, project, job).await > 1);

    assert_eq!(left(&mut owner).await, Vec::<String>::new());
    for run in ["their-run-1", "their-run-2"] {
        let found = rows_with(&mut owner, run).await;
        // Who acted on the run stays written down.
        let found: Vec<_> = found
            .iter()
            .filter(|row| !row.contains(&other.to_string()) && !row.starts_with("audit_log"))
            .collect();
        assert_eq!(found, Vec::<&String>::new(), "{run}");
    }
    assert_eq!(rows_with(&mut owner, "own-run-1").await, hers);
    assert_eq!(rows_with(&mut owner, &other.to_string()).await, elsewhere);
    let mut snapshot = database.snapshot(project).await;
    let steps = storage::steps::of_run(&mut snapshot, project, "both-run-1", 10)
        .await
        .unwrap();
    let ids: Vec<&str> = steps.iter().map(|step| step.step_id.as_str()).collect();
    assert_eq!(ids, ["s1"], "of a run of several, theirs alone");
    let run = storage::runs::get(&mut snapshot, project, "both-run-1")
        .await
        .unwrap();
    assert_eq!((run.step_count, run.tags.len()), (1, 0));

    let receipts = user_data::receipts(&mut snapshot, project, 10).await.unwrap();
    let receipt = receipts.first().unwrap();
    assert_eq!(receipt.user_sha256, user_data::user_sha256(CANARY));
    assert_eq!(
        (receipt.requested_by.as_str(), receipt.finished_at),
        ("mara@acme.dev", Some(at(NOW)))
    );
    for (table, rows) in [
        ("steps", 6),
        ("step_payloads", 6),
        ("runs", 4),
        ("findings", 1),
        ("analyses", 1),
        ("chats", 1),
        ("alerts", 1),
        ("share_links", 1),
        ("condition_feedback", 1),
    ] {
        assert_eq!(receipt.rows.get(table), Some(&rows), "{table} {:?}", receipt.rows);
    }
    let logged = rows_with(&mut owner, &receipt.user_sha256).await;
    for action in ["user.delete,", "user.deleted,"] {
        let is_logged = logged
            .iter()
            .any(|row| row.starts_with("audit_log") && row.contains(action));
        assert!(is_logged, "{action} {logged:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_somebody_with_a_longer_id_stays() {
    let database = TestDatabase::new().await;
    let (db, project) = (&database.db, database.project(1).await);
    batch::write(db, project, &[step("run-1", "s1", Some("customer-1"))], at(NOW))
        .await
        .unwrap();
    let questions = [
        "Why did customer-1 fail?",
        "(customer-1)",
        "What of run-1?",
        "Why did customer-10 fail?",
        "Why did my-customer-1 fail?",
        "What of run-1-b, and of run-11?",
    ];
    let mut stays = Vec::new();
    for (n, question) in questions.into_iter().enumerate() {
        let chat = chats::create(db, project, "", "test", at(NOW)).await.unwrap();
        chats::ask(db, project, chat, (question, "t"), "test", at(NOW))
            .await
            .unwrap();
        if n > 2 {
            stays.push(chat);
        }
    }
    let job = user_data::start(db, project, "customer-1", "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    work(db, project, job).await;
    let mut owner = database.superuser().await;
    let mut left: Vec<Uuid> = sqlx::query_scalar("select chat_id from chats")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    left.sort();
    stays.sort();
    assert_eq!(left, stays);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_a_deletion_that_is_under_way() {
    let database = TestDatabase::new().await;
    let (db, project) = (&database.db, database.project(1).await);
    batch::write(db, project, &[step("r", "s1", Some(CANARY))], at(NOW))
        .await
        .unwrap();
    let job = user_data::start(db, project, CANARY, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    retention::set(db, project, DEFAULT, true, "mara@acme.dev", at(NOW))
        .await
        .unwrap();
    let chunk = jobs::take(db, &[user_data::KIND], Some((project, job)), at(NOW))
        .await
        .unwrap()
        .unwrap();
    user_data::delete_chunk(chunk, NO_HISTOGRAM, at(NOW))
        .await
        .unwrap();
    let ended = jobs::get(db, project, job).await.unwrap();
    assert_eq!(ended.state, JobState::Cancelled);
    assert!(ended.error.unwrap().contains("legal hold"));
    let mut snapshot = database.snapshot(project).await;
    let steps = storage::steps::of_run(&mut snapshot, project, "r", 10)
        .await
        .unwrap();
    assert_eq!(steps.len(), 1, "nothing of it was deleted");
}
