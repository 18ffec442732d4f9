//! Every route of the server but the proxy's, in one list, grouped by who calls it.

pub mod openapi;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, any, on};
use axum::{Json, Router};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;

use crate::api::live as changes;
use crate::api::{
    alerts, analyses, audit, backtest, channels, chats, cost, deploys, detectors, encryption, findings,
    forecast, groups, health, hooks, incident_github, incident_settings, incidents, integrations,
    investigations, jobs, key_limits, ledger, mcp, models, payload, redaction, retention, runs, scoring,
    series, shares, skeleton, spans, stats, user_data, watcher,
};
use crate::error::{ErrorBody, ErrorDetails, ErrorReport, HttpError, unknown_route};
use crate::request_id::RequestId;
use crate::state::AppState;
use crate::{auth, forms, ingest, live, read_limits, site, web};

/// Declares routes once: `ROUTES` for tests that must reach each of them, the router itself, and the part of
/// `/api/openapi.json` that tells of them.
macro_rules! routes {
    ($($method:ident $path:literal => $module:ident::$handler:ident),+ $(,)?) => {
        /// Method and path of every route with a handler in this list.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),+];

        fn listed() -> Router<AppState> {
            Router::new()$(.route($path, on(MethodFilter::$method, $module::$handler)))+
        }

        /// What each of their handlers says of itself.
        #[derive(OpenApi)]
        #[openapi(paths($($module::$handler),+))]
        pub(crate) struct Documented;
    };
}

#[rustfmt::skip]
routes!(
    // programs that read, with a key of scope `read` or a session
    GET "/api/runs"                                  => runs::list,
    GET "/api/runs/{run_id}"                         => runs::get,
    GET "/api/runs/{run_id}/steps/{step_id}/payload" => payload::get,
    POST "/api/runs/{run_id}/analysis"               => analyses::start,
    GET "/api/runs/{run_id}/analysis"                => analyses::get,
    POST "/api/runs/{run_id}/shares"                 => shares::make,
    GET "/api/runs/{run_id}/shares"                  => shares::of_run,
    GET "/api/shares"                                => shares::list,
    DELETE "/api/shares/{id}"                        => shares::revoke,
    GET "/api/sessions"                              => groups::sessions,
    GET "/api/sessions/{session_id}"                 => groups::session,
    GET "/api/users"                                 => groups::users,
    GET "/api/users/{user_id}"                       => groups::user,
    GET "/api/users/{user_id}/export"                => user_data::export,
    DELETE "/api/users/{user_id}/data"               => user_data::delete,
    GET "/api/live"                                  => changes::events,
    GET "/api/ledger"                                => ledger::list,
    GET "/api/ledger/usage-shapes"                   => ledger::usage_shapes,
    GET "/api/ledger/stated-costs"                   => ledger::stated_costs,
    GET "/api/audit"                                 => audit::list,
    GET "/api/jobs"                                  => jobs::list,
    GET "/api/jobs/{job_id}"                         => jobs::get,
    POST "/api/jobs/{job_id}/cancel"                 => jobs::cancel,
    GET "/api/cost"                                  => cost::get,
    GET "/api/series"                                => series::get,
    GET "/api/forecast"                              => forecast::get,
    GET "/api/stats"                                 => stats::get,
    GET "/api/deploys"                               => deploys::list,
    GET "/api/deploys/{id}"                          => deploys::get,
    POST "/api/deploys"                              => deploys::record,
    DELETE "/api/deploys/{id}"                       => deploys::delete,
    GET "/api/incidents"                             => incidents::list,
    GET "/api/incidents/window"                      => incident_settings::history,
    GET "/api/incidents/{id}"                        => incidents::get,
    POST "/api/incidents/{id}/state"                 => incidents::change,
    POST "/api/incidents/{id}/investigation"         => investigations::start,
    GET "/api/incidents/{id}/investigation"          => investigations::get,
    POST "/api/incidents/{id}/github"                => incident_github::act,
    GET "/api/settings/watcher"                      => watcher::settings,
    PUT "/api/settings/watcher"                      => watcher::save_settings,
    GET "/api/chats"                                 => chats::list,
    POST "/api/chats"                                => chats::create,
    GET "/api/chats/{id}"                            => chats::get,
    DELETE "/api/chats/{id}"                         => chats::delete,
    POST "/api/chats/{id}/messages"                  => chats::message,
    GET "/api/attribution"                           => incidents::attribution,
    POST "/api/score"                                => scoring::score,
    GET "/api/thresholds"                            => scoring::thresholds,
    GET "/api/settings/scoring"                      => scoring::settings,
    PUT "/api/settings/scoring"                      => scoring::save_settings,
    GET "/api/settings/incidents"                    => incident_settings::settings,
    PUT "/api/settings/incidents"                    => incident_settings::save_settings,
    GET "/api/settings/integrations"                 => integrations::list,
    PUT "/api/settings/integrations/github"          => integrations::save_github,
    POST "/api/settings/integrations/github/sync"    => integrations::sync_github,
    DELETE "/api/settings/integrations/github"       => integrations::remove_github,
    PUT "/api/settings/integrations/{kind}"          => channels::save,
    DELETE "/api/settings/integrations/{kind}"       => channels::remove,
    POST "/api/settings/integrations/{kind}/test"    => channels::test,
    GET "/api/settings/models"                       => models::settings,
    PUT "/api/settings/models"                       => models::save,
    POST "/api/settings/models/{id}/test"            => models::test,
    GET "/api/settings/models/usage"                 => models::usage,
    GET "/api/settings/alerts"                       => alerts::settings,
    PUT "/api/settings/alerts"                       => alerts::save_settings,
    GET "/api/settings/key-limits"                   => key_limits::list,
    PUT "/api/settings/key-limits"                   => key_limits::save,
    GET "/api/settings/encryption"                   => encryption::settings,
    PUT "/api/settings/encryption"                   => encryption::save_settings,
    GET "/api/settings/redaction"                    => redaction::settings,
    PUT "/api/settings/redaction"                    => redaction::save_settings,
    GET "/api/settings/retention"                    => retention::settings,
    PUT "/api/settings/retention"                    => retention::save_settings,
    GET "/api/settings/spans"                        => spans::settings,
    PUT "/api/settings/spans"                        => spans::save_settings,
    GET "/api/alerts"                                => alerts::list,
    POST "/api/alerts/{id}/resend"                   => alerts::resend,
    GET "/api/detectors"                             => detectors::list,
    POST "/api/detectors"                            => detectors::create,
    GET "/api/detectors/{id}"                        => detectors::get,
    PUT "/api/detectors/{id}"                        => detectors::change,
    DELETE "/api/detectors/{id}"                     => detectors::delete,
    POST "/api/detectors/{id}/try"                   => detectors::try_it,
    GET "/api/findings"                              => findings::list,
    GET "/api/findings/{id}"                         => findings::get,
    POST "/api/findings/{id}/feedback"               => findings::mark,
    GET "/api/runs/{run_id}/skeleton"                => skeleton::get,
    GET "/api/backtest"                              => backtest::recording,
    POST "/mcp"                                      => mcp::message,
    GET "/api/openapi.json"                          => openapi::document,
    // those who sign what they send
    POST "/hooks/github"                             => hooks::github,
    // whoever runs the server
    GET "/healthz"                                   => health::healthz,
    GET "/readyz"                                    => health::readyz,
    GET "/metrics"                                   => health::metrics,
);

/// The server but for the proxy. Event streams end with `shutdown`.
pub fn router(state: AppState, shutdown: CancellationToken) -> Router {
    // Pages, what they call, what their forms post to: all know who is looking.
    let events_and_forms = Router::new()
        .route("/live/{slug}", on(MethodFilter::GET, live::events))
        .merge(forms::routes())
        .layer(from_fn_with_state(state.clone(), auth::viewer));
    let pages = web::routes(&state)
        .fallback(web::not_found)
        .layer(from_fn_with_state(state.clone(), web::in_turn))
        .layer(from_fn_with_state(state.clone(), auth::viewer))
        .layer(from_fn_with_state(state.clone(), web::within_deadline))
        .layer(web::compression::layer())
        .layer(from_fn(web::compression::for_own_pages));
    // Whoever holds a link is nobody: no session, no key, no sign-in.
    let shared = web::share_page::routes()
        .layer(from_fn_with_state(state.clone(), web::in_turn))
        .layer(from_fn_with_state(state.clone(), web::within_deadline))
        .layer(web::compression::layer())
        .layer(from_fn(web::compression::for_own_pages));
    let people = events_and_forms
        .merge(pages)
        .merge(auth::openid::routes())
        .merge(shared)
        .method_not_allowed_fallback(forms::other_method);
    listed()
        .layer(from_fn_with_state(state.clone(), read_limits::of_programs))
        .merge(ingest::routes())
        .method_not_allowed_fallback(wrong_method)
        .route("/api", any(unknown_route))
        .route("/api/", any(unknown_route))
        .route("/api/{*unknown}", any(unknown_route))
        .merge(people)
        .layer(from_fn_with_state(state.clone(), auth::guard::protect))
        .layer(from_fn(ingest::otlp::in_their_words))
        .layer(from_fn(site::serve))
        .layer(from_fn_with_state(state.clone(), auth::headers::secure))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), with_request_id))
        .layer(from_fn_with_state(shutdown, end_streams))
        .with_state(state)
}

async fn wrong_method() -> HttpError {
    let message = "This route does not support this method; GET /api/openapi.json lists the methods";
    HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// Ends event streams, which would otherwise never end, as soon as the server is to stop.
async fn end_streams(State(shutdown): State<CancellationToken>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(shutdown.cancelled_owned())))
}

/// Gives each request an id, logs its error once, and puts the id into the error's body.
async fn with_request_id(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().simple().to_string();
    // The last twelve digits are random; the first say only when.
    let id = id[20..].to_owned();
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = web::share_page::without_token(request.uri().path()).to_owned();
    let started = std::time::Instant::now();
    let mut response = next.run(request).await;
    let status = response.status();
    if let Some(counter) = state.metrics.responses.get(usize::from(status.as_u16() / 100)) {
        counter.inc();
    }
    let report = response.extensions_mut().remove::<Arc<ErrorReport>>();
    let elapsed_ms = started.elapsed().as_secs_f64() * 1_000.0;
    if let Some(report) = &report {
        if status.is_server_error() {
            let cause = report
                .cause
                .as_ref()
                .map(|cause| format!("{cause:#}"))
                .unwrap_or_default();
            tracing::error!(request_id = id, %method, path, status = status.as_u16(), code = report.code, cause, elapsed_ms, "request failed");
        } else {
            tracing::debug!(request_id = id, %method, path, status = status.as_u16(), code = report.code, "request refused");
        }
        let error = ErrorDetails {
            code: report.code,
            message: report.message.clone(),
            field: report.field.clone(),
            request_id: id.clone(),
        };
        let (parts, _) = response.into_parts();
        let mut answer = Json(ErrorBody { error }).into_response();
        *answer.status_mut() = parts.status;
        for (name, value) in parts.headers {
            if let Some(name) = name
                && ![CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING].contains(&name)
            {
                answer.headers_mut().insert(name, value);
            }
        }
        response = answer;
    } else {
        tracing::debug!(request_id = id, %method, path, status = status.as_u16(), elapsed_ms, "request");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default();
    HttpError::internal(anyhow::anyhow!("panic: {what}")).into_response()
}
