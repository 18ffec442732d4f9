//! The dashboard: the one file that mounts `app`.

pub mod compression;
mod deadline;
pub(crate) mod share_page;
mod turn;

use std::sync::{Arc, OnceLock};

use app::{
    ApiError, App, CurrentSession, LinkHash, OneTimeSecrets, OpenedShare, PageRequest, RulesInForce,
    ServerFacts, SiteUrls, Theme, UpstreamCalls, Viewer, shell,
};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use leptos::context::{provide_context, use_context};
use leptos::server_fn::error::FromServerFnError as _;
use leptos_axum::{AxumRouteListing, LeptosRoutes as _, ResponseOptions, generate_route_list};

use crate::auth::{self, Visitor, cookie};
use crate::clock;
use crate::proxy::api::Provider;
use crate::request_id::RequestId;
use crate::state::AppState;

pub use deadline::within_deadline;
pub use turn::in_turn;

/// How the paths of all server functions begin.
pub(crate) const SERVER_FUNCTIONS: &str = "/ui/";

/// All pages and server functions. Needs the `Viewer` that `auth`'s middleware finds out.
pub fn routes(state: &AppState) -> Router<AppState> {
    let context = page_context(state);
    // Whoever holds a link is nobody: that page has a handler of its own.
    let pages = page_routes()
        .iter()
        .filter(|route| route.path() != share_page::PATH);
    Router::new()
        .route("/ui/{*function}", any(server_function))
        .leptos_routes_with_context(state, pages.cloned().collect(), context, shell)
        .layer(from_fn_with_state(state.clone(), share_page::functions))
        .layer(from_fn(without_way_back))
}

/// Every page's route, generated once per process: while leptos generates the list, a flag of the whole process keeps
/// resources from loading, and one that is first polled meanwhile waits for ever (leptos-rs/leptos#4773). The first
/// router of a process is built before anything is served, so the flag is never up during a render.
fn page_routes() -> &'static [AxumRouteListing] {
    static ROUTES: OnceLock<Vec<AxumRouteListing>> = OnceLock::new();
    ROUTES.get_or_init(|| generate_route_list(App))
}

/// The page at a path or the nearest one above it, `/` at the latest.
pub(crate) fn nearest_page(path: &str) -> String {
    let matches = |pattern: &str, path: &str| {
        let pattern: Vec<&str> = pattern.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        pattern.len() == path.len()
            && pattern.iter().zip(&path).all(|(pattern, part)| {
                pattern == part || (pattern.starts_with(['{', ':']) && !part.is_empty())
            })
    };
    let is_page = |path: &str| page_routes().iter().any(|route| matches(route.path(), path));
    let mut above = path;
    while let Some((shorter, _)) = above.rsplit_once('/') {
        if is_page(above) {
            return above.to_owned();
        }
        above = shorter;
    }
    "/".to_owned()
}

/// The path of every page, with `{name}`s in it. Tests ask here: generating the list again would stop the pages of other
/// tests.
pub fn page_paths() -> impl Iterator<Item = &'static str> {
    page_routes().iter().map(AxumRouteListing::path)
}

/// A path that no route has: the page that says so.
pub async fn not_found(State(state): State<AppState>, request: Request) -> Response {
    render(&state, request).await
}

/// The page at the request's path, for whoever its extensions name.
async fn render(state: &AppState, request: Request) -> Response {
    let context = page_context(state);
    leptos_axum::render_app_async_with_context(context, shell)(request)
        .await
        .into_response()
}

/// A server function that no page calls; those that pages do have routes of their own.
async fn server_function(State(state): State<AppState>, request: Request) -> Response {
    let context = page_context(&state);
    leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response()
}

/// The answer to a server function for which there is no turn, written the way the pages' code reads errors.
pub(crate) fn busy_function(status: StatusCode) -> Response {
    let retry_after = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
    (status, retry_after, ApiError::Busy.ser()).into_response()
}

/// Middleware of pages and server functions: server_fn leads browsers that post a form back to where they came from,
/// which any web site can say and learn from. Ours are called by the pages' code alone.
async fn without_way_back(mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(SERVER_FUNCTIONS) {
        for name in [header::ACCEPT, header::REFERER] {
            request.headers_mut().remove(name);
        }
    }
    next.run(request).await
}

/// What every page and server function finds in its leptos context.
fn page_context(state: &AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    let state = state.clone();
    let urls = site_urls();
    let facts = ServerFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: state.database.to_string(),
        data_folder: state.config.data.display().to_string(),
        upstream_anthropic: state.config.upstream_anthropic.to_string(),
        upstream_openai: state.config.upstream_openai.to_string(),
        openid_issuer: state
            .config
            .openid
            .as_ref()
            .map(|openid| openid.issuer.clone())
            .unwrap_or_default(),
    };
    let secrets = {
        let reveal = Arc::clone(&state.auth.reveal);
        OneTimeSecrets::new(
            {
                let reveal = Arc::clone(&reveal);
                move |project, token| reveal.take(project, token)
            },
            move |project| reveal.has_first(project),
        )
    };
    let in_force = {
        let scoring = state.scoring.clone();
        RulesInForce::new(move |project| {
            let scoring = scoring.clone();
            async move {
                let project = scoring.of(project).await?;
                let project = project.lock();
                let recent = project.history.recent.steps().copied().collect();
                Ok((project.rules.clone(), recent))
            }
        })
    };
    move || {
        let parts = use_context::<Parts>();
        provide_context(state.db.clone());
        provide_context(urls.clone());
        provide_context(facts.clone());
        provide_context(UpstreamCalls {
            anthropic: state.upstreams.of(Provider::Anthropic).last_call(),
            openai: state.upstreams.of(Provider::OpenAi).last_call(),
        });
        provide_context(secrets.clone());
        provide_context(LinkHash(auth::token::token_sha256));
        provide_context(in_force.clone());
        if let Some(parts) = &parts {
            provide_context(parts.extensions.get::<Viewer>().cloned().unwrap_or_default());
            if let Some(session) = parts.extensions.get::<Visitor>().and_then(Visitor::session) {
                provide_context(CurrentSession(session));
            }
            if let Some(opened) = parts.extensions.get::<OpenedShare>() {
                provide_context(opened.clone());
            }
            provide_context(theme(parts));
            provide_context(page_request(&state, parts));
        }
        if let (Some(options), Some(nonce)) = (use_context::<ResponseOptions>(), leptos::nonce::use_nonce()) {
            for (name, value) in page_headers(&nonce) {
                options.insert_header(name, value);
            }
        }
    }
}

fn page_headers(nonce: &str) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    if let Ok(policy) = HeaderValue::from_str(&auth::headers::content_security_policy(nonce)) {
        headers.push((header::CONTENT_SECURITY_POLICY, policy));
    }
    headers
}

fn site_urls() -> SiteUrls {
    let urls = crate::site::urls();
    SiteUrls {
        css: urls.css,
        js: urls.js,
        wasm: urls.wasm,
        favicon: urls.favicon,
        font: urls.font,
    }
}

fn theme(parts: &Parts) -> Theme {
    cookie::get(&parts.headers, "plumbline_theme").map_or(Theme::System, |word| Theme::parse(&word))
}

/// Where visitors reach the server, as links to it begin.
pub(crate) fn origin(state: &AppState, headers: &HeaderMap) -> String {
    match &state.config.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            format!(
                "http://{}",
                host.map_or_else(|| state.config.addr.to_string(), str::to_owned)
            )
        }
    }
}

fn page_request(state: &AppState, parts: &Parts) -> PageRequest {
    let request_id = parts
        .extensions
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    PageRequest {
        now: clock::now(),
        live_position: state.live.position().to_string(),
        origin: origin(state, &parts.headers),
        request_id,
    }
}
