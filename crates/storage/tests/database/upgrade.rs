//! A database of an earlier schema is brought to this one while servers of the version before go on with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::{ProjectId, Timestamp};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use storage::{Db, LockMode, MigrationPlan, PgConnectOptions, Work, call_counts, jobs};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::TestDatabase;

/// The last migration that the version before knew.
const BEFORE: i64 = 20_261_121_090_300;
/// From this one on no migration lets those who record wait while a large table is read, or rewrites its rows.
const GENTLE_FROM: i64 = 20_261_130_130_000;
/// What has more on disk here grows with traffic.
const LARGE_BYTES: i64 = 100_000;
const PROJECT: Uuid = Uuid::from_u128(21);
const FILLED_RUNS: i64 = 500;
const STEPS_PER_RUN: i64 = 4;
const WRITERS: i64 = 3;
const READERS: usize = 2;
const TIMEOUT: Duration = Duration::from_secs(40);

/// A run and its steps, as the version before writes them: it names its columns and knows no others.
const WRITE: [&str; 3] = [
    "insert into run_keys (project_id, partition_at, run_id) values ($1, now(), $2)",
    "insert into runs (project_id, partition_at, started_at, ended_at, last_received_at, name_at, step_count, error_count,
       unpriced_steps, root_count, root_error_count, open_count, problem_rank, severity, name_nested, run_id, name,
       name_step_id, status, key_label, tags, models, step_names)
     select k.project_id, k.partition_at, k.partition_at, k.partition_at, k.partition_at, k.partition_at, 4, 0, 4, 4, 0, 0, 0,
       0, false, k.run_id, 'step', 's1', 'ok', 'key', '{}', '{}', '{step}'
     from run_keys k where k.project_id = $1 and k.run_id = $2",
    "insert into steps (project_id, partition_at, started_at, received_at, sequence, severity, run_id, step_id, kind, name,
       status, key_label)
     select k.project_id, k.partition_at, k.partition_at, k.partition_at, nextval('batches'), 0, k.run_id, 's' || n, 'llm',
       'step', 'ok', 'key'
     from run_keys k, generate_series(1, 4) n where k.project_id = $1 and k.run_id = $2",
];

/// Its list of runs, with their steps counted.
const READ: &str = "select count(*) from runs r join steps s using (project_id, partition_at, run_id)
                    where r.project_id = $1 and r.step_count > 0 and s.name = 'step' and s.release is null";

/// A connection as servers have it.
async fn server(options: &PgConnectOptions) -> PgConnection {
    let mut connection = options.connect().await.unwrap();
    connection
        .execute("set role plumbline_app; set plumbline.scope = 'all'")
        .await
        .unwrap();
    connection
}

async fn write(connection: &mut PgConnection, run_id: &str) {
    let mut tx = connection.begin().await.unwrap();
    for statement in WRITE {
        let written = sqlx::query(statement).bind(PROJECT).bind(run_id);
        written.execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn count(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(READ)
        .bind(PROJECT)
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Workers of the version before, and how much each has done.
struct Load {
    tasks: JoinSet<()>,
    done: Arc<Vec<AtomicU64>>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    fn start(options: &PgConnectOptions) -> Self {
        let workers = WRITERS as usize + READERS;
        let done: Arc<Vec<AtomicU64>> = Arc::new((0..workers).map(|_| AtomicU64::new(0)).collect());
        let is_over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let (options, done, is_over) = (options.clone(), Arc::clone(&done), Arc::clone(&is_over));
            tasks.spawn(async move {
                let mut connection = server(&options).await;
                while !is_over.load(Ordering::SeqCst) {
                    let n = done[worker].load(Ordering::SeqCst);
                    if worker < WRITERS as usize {
                        write(&mut connection, &format!("w{worker}-{n}")).await;
                    } else {
                        let counted = count(&mut connection).await;
                        assert_eq!(counted % STEPS_PER_RUN, 0, "runs come whole");
                    }
                    done[worker].fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { tasks, done, is_over }
    }

    /// Waits until each worker has done so much more.
    async fn wait_for(&mut self, more: u64) {
        let begun = Instant::now();
        let now = |done: &AtomicU64| done.load(Ordering::SeqCst);
        let goals: Vec<u64> = self.done.iter().map(|done| now(done) + more).collect();
        while self.done.iter().zip(&goals).any(|(done, goal)| now(done) < *goal) {
            if let Some(ended) = self.tasks.try_join_next() {
                ended.unwrap();
            }
            assert!(begun.elapsed() < TIMEOUT, "the version before does not go on");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns how many runs were written.
    async fn finish(mut self) -> i64 {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let written = self.done.iter().take(WRITERS as usize);
        written
            .map(|done| i64::try_from(done.load(Ordering::SeqCst)).unwrap())
            .sum()
    }
}

fn assert_nobody_waits_long(plan: &MigrationPlan) {
    let is_large = |table: &String| {
        plan.table_bytes
            .get(table)
            .is_some_and(|bytes| *bytes > LARGE_BYTES)
    };
    let mut found = Vec::new();
    for migration in plan.pending.iter().filter(|one| one.version >= GENTLE_FROM) {
        for statement in &migration.statements {
            let locks = statement.locks.iter().flatten();
            for lock in locks.filter(|lock| is_large(&lock.table)) {
                let waits_long = lock.mode >= LockMode::Share && lock.work != Work::Moment;
                let rewrites_rows = lock.mode == LockMode::RowExclusive && lock.work == Work::Rows;
                if waits_long || rewrites_rows {
                    found.push((lock, &statement.sql));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Every partition has the indexes of its table, and no index is half built.
async fn assert_indexes_are_whole(options: &PgConnectOptions) {
    let mut owner = options.connect().await.unwrap();
    let half_built: Vec<String> =
        sqlx::query_scalar("select indexrelid::regclass::text from pg_index where not indisvalid")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert!(half_built.is_empty(), "{half_built:?}");
    for index in [
        "runs_session_idx",
        "runs_user_idx",
        "runs_grouped_idx",
        "runs_user_problem_idx",
    ] {
        let (partitions, indexes): (i64, i64) = sqlx::query_as(
            "select (select count(*) from pg_inherits where inhparent = 'runs'::regclass),
                    (select count(*) from pg_inherits where inhparent = to_regclass($1))",
        )
        .bind(index)
        .fetch_one(&mut owner)
        .await
        .unwrap();
        assert_eq!(indexes, partitions, "{index}");
    }
    owner.close().await.unwrap();
}

/// Does what the migrations asked for, as servers do it in the background.
async fn count_calls(db: &Db, options: &PgConnectOptions) {
    let an_hour_later = storage::probe(options)
        .await
        .unwrap()
        .now
        .plus_micros(7_200_000_000);
    while let Some(chunk) = jobs::take(db, &[call_counts::KIND], None, an_hour_later)
        .await
        .unwrap()
    {
        let received_from = chunk.job.arguments["received_from"].as_str();
        let received_from = received_from.map(|text| Timestamp::parse_rfc3339(text).unwrap());
        call_counts::count_chunk(chunk, received_from, an_hour_later)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_goes_on_while_a_database_is_upgraded() {
    let database = TestDatabase::new().await;
    let options = database.empty("upgraded").await;
    let migrator = sqlx::migrate!();
    let mut owner = options.connect().await.unwrap();
    migrator.run_to(BEFORE, &mut owner).await.unwrap();
    owner.close().await.unwrap();

    let mut old = server(&options).await;
    sqlx::query("insert into projects (project_id, slug, name, created_at) values ($1, 'old', 'Old', now())")
        .bind(PROJECT)
        .execute(&mut old)
        .await
        .unwrap();
    for n in 0..FILLED_RUNS {
        write(&mut old, &format!("filled-{n}")).await;
    }

    let before = storage::migration_state(&options).await.unwrap();
    let plan = storage::migration_plan(&options).await.unwrap();
    assert_eq!(plan.pending.len(), before.known - before.applied);
    assert!(plan.table_bytes["steps"] > 100_000, "{:?}", plan.table_bytes);
    assert!(
        !plan.table_bytes.contains_key("incidents"),
        "what is not there yet has no size"
    );
    assert_eq!(
        storage::migration_state(&options).await.unwrap(),
        before,
        "a plan changes nothing"
    );

    assert_nobody_waits_long(&plan);
    let mut load = Load::start(&options);
    load.wait_for(10).await;
    let applied = storage::migrate(&options).await.unwrap();
    assert_eq!(applied, plan.pending.len());
    // Until the last server is replaced, the version before works with the schema of this one.
    load.wait_for(10).await;
    let runs = FILLED_RUNS + load.finish().await;
    assert_eq!(count(&mut old).await, runs * STEPS_PER_RUN);
    let after = storage::migration_plan(&options).await.unwrap();
    assert!(after.pending.is_empty(), "{after:?}");
    assert_indexes_are_whole(&options).await;

    let db = Db::connect_lazy(options.clone(), 2);
    count_calls(&db, &options).await;
    let uncounted: i64 = sqlx::query_scalar("select count(*) from runs where call_count <> step_count")
        .fetch_one(&mut old)
        .await
        .unwrap();
    assert_eq!(
        uncounted, 0,
        "calls of every run, also of those that the version before wrote meanwhile"
    );
    let project = ProjectId(PROJECT);
    let mut snapshot = db.snapshot(project).await.unwrap();
    for run_id in ["filled-0", "w0-0"] {
        let run = storage::runs::get(&mut snapshot, project, run_id).await.unwrap();
        assert_eq!(run.step_count, STEPS_PER_RUN, "{run_id}");
    }
    drop(snapshot);
    db.close().await;
}
