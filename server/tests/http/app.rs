//! A server per test: the real router on a port of its own, on a database of its own in a Postgres that all tests
//! of this binary share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use server::config::Config;
use server::database::Database;
use server::live::Numbered;
use server::state::AppState;
use storage::live::ChangeEvent;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) struct TestApp {
    pub(crate) origin: String,
    pub(crate) client: reqwest::Client,
    pub(crate) state: AppState,
    database_url: String,
    pub(crate) shutdown: CancellationToken,
    /// The data folder, of this server alone.
    pub(crate) data: std::path::PathBuf,
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with another configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(new_database().await, change).await
    }

    /// A second server on the same database, as another process would be.
    pub(crate) async fn another_process(&self) -> Self {
        Self::on(self.database_url.clone(), |_| {}).await
    }

    /// The same with another configuration.
    pub(crate) async fn another_process_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::on(self.database_url.clone(), change).await
    }

    async fn on(url: String, change: impl FnOnce(&mut Config)) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let data = std::env::temp_dir().join(format!("plumbline-data-{}", uuid::Uuid::now_v7().simple()));
        let mut config = Config {
            addr,
            database_url: Some(url.parse().unwrap()),
            data: data.clone(),
            ..Config::default()
        };
        change(&mut config);
        let config = Arc::new(config);
        let database = Database::start(&config).await.unwrap();
        let tasks = TaskTracker::new();
        let shutdown = CancellationToken::new();
        let state = AppState::start(Arc::clone(&config), &database, &tasks, shutdown.clone())
            .await
            .unwrap();
        storage::projects::ensure_default(&state.db, server::clock::now())
            .await
            .unwrap();
        let router = server::router::router(state.clone(), shutdown.clone());
        tasks.spawn(server::serving::serve(
            listener,
            state.clone(),
            router,
            shutdown.clone(),
        ));
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            origin: format!("http://{addr}"),
            client,
            state,
            database_url: url,
            data,
            shutdown,
        }
    }

    /// What the owner of the schema connects with.
    pub(crate) fn options(&self) -> storage::PgConnectOptions {
        self.database_url.parse().unwrap()
    }

    /// What a command of the program prints that works on the same database.
    pub(crate) fn command(&self, words: &[&str]) -> Vec<u8> {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_plumbline"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PLUMBLINE_")) {
            program.env_remove(name);
        }
        let done = program
            .args(words)
            .env("DATABASE_URL", &self.database_url)
            .env("PLUMBLINE_DATA", &self.data)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// The prices that a server brings in when it starts.
    pub(crate) async fn bring_in_shipped_prices(&self) {
        server::price_file::load_shipped(&self.state.db, server::clock::now())
            .await
            .unwrap();
        self.state.prices.invalidate_all();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The answer's status and JSON body; a body that is none is `null`.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.client.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.client.post(self.url(path)).json(body)).await
    }

    /// Returns when this server has heard everything that any process notified before.
    pub(crate) async fn hears_everything(&self) {
        let mut news = self.state.live.subscribe();
        let marker = uuid::Uuid::now_v7();
        let nobody = domain::ProjectId(marker);
        let heard = async {
            loop {
                // Until it listens, what is notified is lost.
                storage::live::notify_runs(&self.state.db, marker, nobody, &["marker"])
                    .await
                    .unwrap();
                let is_marker = |news: &Numbered| matches!(news.change, ChangeEvent::Runs { stored_by: Some(origin), .. } if origin == marker);
                let next = async { while !news.recv().await.is_ok_and(|news| is_marker(&news)) {} };
                if timeout(Duration::from_millis(200), next).await.is_ok() {
                    return;
                }
            }
        };
        timeout(TIMEOUT, heard)
            .await
            .unwrap_or_else(|_| panic!("this server hears nothing"));
    }

    /// Sends one step and asserts that it was stored.
    pub(crate) async fn store(&self, step: Value) -> String {
        let (status, body) = self.post("/ingest", &step).await;
        assert_eq!((status, &body["status"]), (200, &Value::from("stored")), "{body}");
        body["trace_id"].as_str().unwrap().to_owned()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
        std::fs::remove_dir_all(&self.data).ok();
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The smallest step that is accepted.
pub(crate) fn step(run_id: &str, step_id: &str) -> Value {
    serde_json::json!({
        "run_id": run_id, "step_id": step_id, "step_name": "classify-intent", "model": "claude-haiku-4-5",
        "prompt": "Answer yes or no: is this a refund request?", "output_code": "yes", "latency_ms": 640,
        "input_tokens": 48, "output_tokens": 11, "cost": 0.0014
    })
}

/// A copy of a database that has the schema and this time's weekly partitions, as a server's has after its first minute.
async fn new_database() -> String {
    test_postgres::database(async |url: String| {
        let options: storage::PgConnectOptions = url.parse().unwrap();
        storage::migrate(&options).await.unwrap();
        storage::partitions::maintain(&options, server::clock::now())
            .await
            .unwrap();
    })
    .await
}
