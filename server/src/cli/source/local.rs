//! The local database behind the routes of the API, called without a network.

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{Request, Response};
use axum::routing::get;
use domain::Project;
use serde_json::Value;
use storage::live::Listener;
use storage::{Db, PgConnectOptions};
use tower::ServiceExt as _;

use super::events::{Changes, LocalChanges};
use super::{OnPart, Source, answered, pour};
use crate::api::query::Readers;
use crate::api::{cost, deploys, forecast, payload, runs, series, stats, user_data};
use crate::auth::Caller;
use crate::cli::{Exit, opening_payloads, project};
use crate::config::Config;
use crate::database::Database;
use crate::error::ErrorReport;

/// Statements at a time, and the one that listens.
const CONNECTIONS: u32 = 2;

/// What the handlers of reads need.
#[derive(Clone)]
struct Reads {
    db: Db,
    caller: Caller,
}

impl FromRef<Reads> for Db {
    fn from_ref(reads: &Reads) -> Self {
        reads.db.clone()
    }
}

impl FromRef<Reads> for Readers {
    fn from_ref(reads: &Reads) -> Self {
        Self::Operator(reads.caller.clone())
    }
}

/// One project of the local database.
pub(in crate::cli) struct Local {
    router: Router,
    project: Project,
    options: PgConnectOptions,
    /// How people reach the server that belongs to the database.
    origin: String,
}

/// Opens the database, does `work` with the project called `slug` and closes it again, however the work ended.
pub(super) async fn with_local<T>(
    config: &Config,
    slug: Option<&str>,
    work: impl AsyncFnOnce(&Source) -> Result<T, Exit>,
) -> Result<T, Exit> {
    let database = Database::open(config).await?;
    let db = opening_payloads(Db::connect_lazy(database.options(), CONNECTIONS), config);
    let outcome = async {
        let project = project(&db, slug).await?;
        let reads = Reads {
            db: db.clone(),
            caller: Caller {
                project_id: project.id,
                key_label: "local".to_owned(),
                key_id: None,
            },
        };
        let local = Local {
            router: router(reads),
            project,
            options: database.options(),
            origin: config
                .public_url
                .clone()
                .unwrap_or_else(|| format!("http://{}", config.addr)),
        };
        Box::pin(work(&Source::Local(local))).await
    }
    .await;
    db.close().await;
    database.stop().await?;
    outcome
}

/// The routes that commands read, as the server has them.
fn router(reads: Reads) -> Router {
    Router::new()
        .route("/api/runs", get(runs::list))
        .route("/api/runs/{run_id}", get(runs::get))
        .route("/api/runs/{run_id}/steps/{step_id}/payload", get(payload::get))
        .route("/api/users/{user_id}/export", get(user_data::export))
        .route("/api/stats", get(stats::get))
        .route("/api/series", get(series::get))
        .route("/api/cost", get(cost::get))
        .route("/api/forecast", get(forecast::get))
        .route("/api/deploys", get(deploys::list))
        .route("/api/deploys/{id}", get(deploys::get))
        .with_state(reads)
}

impl Local {
    pub(super) async fn get(&self, target: &str) -> Result<Value, Exit> {
        self.whole(self.response(target).await?).await
    }

    /// The answer at `path`, a part at a time.
    pub(super) async fn pour(&self, path: &str, each: OnPart<'_>) -> Result<(), Exit> {
        let response = self.response(path).await?;
        if response.status().is_success() {
            return pour(response.into_body(), each).await;
        }
        self.whole(response).await.map(drop)
    }

    async fn response(&self, target: &str) -> Result<Response<Body>, Exit> {
        let request = Request::get(target).body(Body::empty())?;
        let Ok(response) = self.router.clone().oneshot(request).await;
        Ok(response)
    }

    async fn whole(&self, response: Response<Body>) -> Result<Value, Exit> {
        let status = response.status();
        let cause = response
            .extensions()
            .get::<std::sync::Arc<ErrorReport>>()
            .filter(|_| status.is_server_error())
            .and_then(|report| report.cause.as_ref().map(|cause| format!("{cause:#}")));
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        answered(status, &body).map_err(|exit| match (exit, cause) {
            // Whoever asks here also reads the log.
            (Exit::Failed(refused), Some(cause)) => Exit::Failed(refused.context(cause)),
            (exit, _) => exit,
        })
    }

    pub(super) async fn changes(&self) -> Result<Changes, Exit> {
        let listener = Listener::connect(&self.options).await?;
        Ok(Changes::Local(LocalChanges::new(listener, self.project.id)))
    }

    pub(super) fn project(&self) -> &str {
        &self.project.slug
    }

    pub(super) fn pages(&self) -> String {
        format!("{}/p/{}", self.origin, self.project.slug)
    }
}
