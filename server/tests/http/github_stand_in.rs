//! A stand-in of GitHub's REST API, as far as a sync asks it: pages with `Link`, `ETag` and 304, limits of calls,
//! failures. It refuses what the real one refuses: a call without `User-Agent`, a wrong token, a page of more than 100.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::task::TaskTracker;

pub(crate) const TOKEN: &str = "ghp_0123456789canarycanary";
pub(crate) const REPOSITORY: &str = "acme/support";

/// The API and what lies behind it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct GithubStandIn {
    pub(crate) origin: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    origin: String,
    /// Newest first, as all lists.
    deployments: Vec<Value>,
    states: BTreeMap<u64, Vec<Value>>,
    runs: Vec<Value>,
    releases: Vec<Value>,
    pulls: BTreeMap<String, Vec<Value>>,
    tags: BTreeMap<String, String>,
    /// What comes instead of the next answers.
    refusals: Vec<Refusal>,
    /// After so many calls the limit is reached.
    calls_left: Option<u32>,
    largest_page: usize,
    hangs: bool,
    asked: Vec<Asked>,
}

/// An answer that is no success.
#[derive(Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

/// A question and how it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) status: u16,
    /// What was sent along, as JSON.
    pub(crate) body: Value,
}

impl GithubStandIn {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner {
            origin: origin.clone(),
            largest_page: 100,
            ..Inner::default()
        }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await.ok() });
        Self { origin, inner }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap())
    }

    /// A deployment to production, with its states, the latest first.
    pub(crate) fn deploy(&self, id: u64, sha: &str, created_at: &str, states: &[(&str, &str)]) {
        let deployment = json!({
            "id": id, "node_id": "x", "sha": sha, "ref": "main", "task": "deploy", "environment": "production",
            "description": null, "creator": { "login": "jonas", "id": 1 }, "created_at": created_at,
            "updated_at": states.first().map_or(created_at, |(_, at)| at),
            "statuses_url": "https://api.github.com/x", "payload": {}
        });
        let states = states.iter().map(|(state, at)| {
            json!({ "id": 1, "state": state, "created_at": at, "updated_at": at, "description": "", "environment": "production",
                    "target_url": "", "log_url": format!("https://github.com/acme/support/actions/runs/{id}"),
                    "environment_url": "" })
        });
        let states = states.collect();
        self.with(|inner| {
            inner.deployments.retain(|known| known["id"] != id);
            inner.deployments.push(deployment);
            inner
                .deployments
                .sort_by_key(|one| std::cmp::Reverse(one["id"].as_u64()));
            inner.states.insert(id, states);
        });
    }

    pub(crate) fn run(&self, run: Value) {
        self.with(|inner| {
            inner.runs.retain(|known| known["id"] != run["id"]);
            inner.runs.push(run);
            inner
                .runs
                .sort_by_key(|one| std::cmp::Reverse(one["id"].as_u64()));
        });
    }

    pub(crate) fn release(&self, release: Value, sha: &str) {
        self.with(|inner| {
            inner
                .tags
                .insert(release["tag_name"].as_str().unwrap().to_owned(), sha.to_owned());
            inner.releases.insert(0, release);
        });
    }

    pub(crate) fn pull(&self, sha: &str, number: i64, title: &str) {
        let pull = json!({
            "number": number, "title": title, "state": "closed", "merged_at": "2026-11-12T13:00:00Z",
            "html_url": format!("https://github.com/acme/support/pull/{number}"), "user": { "login": "mara" }
        });
        self.with(|inner| inner.pulls.insert(sha.to_owned(), vec![pull]));
    }

    /// The next answers are these.
    pub(crate) fn refuse(&self, refusals: &[Refusal]) {
        self.with(|inner| inner.refusals = refusals.to_vec());
    }

    /// After so many calls the limit is reached, which ends in ten minutes.
    pub(crate) fn allow(&self, calls: Option<u32>) {
        self.with(|inner| inner.calls_left = calls);
    }

    /// No page is larger, whatever is asked for.
    pub(crate) fn small_pages(&self, largest: usize) {
        self.with(|inner| inner.largest_page = largest);
    }

    /// Nothing is answered any more.
    pub(crate) fn hang(&self, hangs: bool) {
        self.with(|inner| inner.hangs = hangs);
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.with(|inner| std::mem::take(&mut inner.asked))
    }
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response<Body> {
    if inner.lock().unwrap().hangs {
        return std::future::pending().await;
    }
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let request = Request::from_parts(parts, Body::empty());
    let mut inner = inner.lock().unwrap();
    let path = request.uri().path_and_query().unwrap().to_string();
    let response = respond(&mut inner, &request);
    inner.asked.push(Asked {
        path,
        status: response.status().as_u16(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    response
}

fn refused(status: u16, headers: &[(&'static str, String)], body: &Value) -> Response<Body> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body.to_string())).unwrap()
}

fn respond(inner: &mut Inner, request: &Request) -> Response<Body> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
    if header("user-agent").is_none() {
        return refused(
            403,
            &[],
            &json!({ "message": "Request forbidden by administrative rules." }),
        );
    }
    if header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refused(401, &[], &json!({ "message": "Bad credentials" }));
    }
    if !inner.refusals.is_empty() {
        let refusal = inner.refusals.remove(0);
        return refused(refusal.status, &refusal.headers, &refusal.body);
    }
    let reset = (server::clock::now().micros() / 1_000_000 + 600).to_string();
    if inner.calls_left == Some(0) {
        let headers = [
            ("x-ratelimit-remaining", "0".to_owned()),
            ("x-ratelimit-reset", reset),
        ];
        let message = "API rate limit exceeded for user ID 1.";
        return refused(403, &headers, &json!({ "message": message }));
    }
    let Some(body) = body_of(inner, request) else {
        return refused(404, &[], &json!({ "message": "Not Found" }));
    };
    let (text, link) = body;
    let etag = format!("W/\"{}\"", hex::encode(Sha256::digest(text.as_bytes())));
    let is_known = header("if-none-match") == Some(&etag);
    // 304 costs nothing.
    if let Some(left) = inner.calls_left.as_mut().filter(|_| !is_known) {
        *left -= 1;
    }
    let mut response = Response::builder()
        .status(if is_known {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        })
        .header("content-type", "application/json; charset=utf-8")
        .header("etag", etag)
        .header("x-ratelimit-remaining", "4000");
    if let Some(link) = link {
        response = response.header("link", link);
    }
    let body = if is_known { Body::empty() } else { Body::from(text) };
    response.body(body).unwrap()
}

/// The body and its header `Link`; `None` where there is nothing.
fn body_of(inner: &Inner, request: &Request) -> Option<(String, Option<String>)> {
    let path = request.uri().path();
    let rest = path.strip_prefix(&format!("/repos/{REPOSITORY}"))?;
    let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
    let object = |value: &Value| Some((value.to_string(), None));
    match parts.as_slice() {
        ["deployments"] => page(inner, request, &inner.deployments, |page| json!(page)),
        ["deployments", id] => object(inner.deployments.iter().find(|one| one["id"] == number(id))?),
        ["deployments", id, "statuses"] => {
            let states = inner.states.get(&id.parse::<u64>().ok()?)?;
            page(inner, request, states, |page| json!(page))
        }
        ["actions", "workflows", file, "runs"] => {
            let path = format!(".github/workflows/{file}");
            let branch = query(request, "branch");
            let of_file: Vec<Value> = inner
                .runs
                .iter()
                .filter(|run| run["path"] == path.as_str())
                .filter(|run| {
                    branch
                        .as_ref()
                        .is_none_or(|branch| run["head_branch"] == branch.as_str())
                })
                .cloned()
                .collect();
            page(
                inner,
                request,
                &of_file,
                |page| json!({ "total_count": of_file.len(), "workflow_runs": page }),
            )
        }
        ["actions", "runs", id, "attempts", attempt] => object(
            inner
                .runs
                .iter()
                .find(|run| run["id"] == number(id) && run["run_attempt"] == number(attempt))?,
        ),
        ["issues"] if request.method() == axum::http::Method::POST => {
            let html_url = format!("https://github.com/{REPOSITORY}/issues/41");
            object(&json!({ "number": 41, "html_url": html_url }))
        }
        [""] => object(&json!({ "full_name": REPOSITORY, "default_branch": "main" })),
        ["git", "ref", "heads", "main"] => object(&json!({ "object": { "type": "commit", "sha": "ba5e" } })),
        ["git", "refs"] if request.method() == axum::http::Method::POST => {
            object(&json!({ "ref": "refs/heads/new" }))
        }
        ["pulls"] if request.method() == axum::http::Method::POST => {
            let html_url = format!("https://github.com/{REPOSITORY}/pull/42");
            object(&json!({ "number": 42, "html_url": html_url }))
        }
        ["pulls", "2"] => object(&json!({
            "number": 2, "title": "switch summary endpoint to claude-sonnet", "user": { "login": "jonas" },
            "merged_at": "2026-11-12T14:00:00Z", "merge_commit_sha": "c4e2117", "body": "Better summaries"
        })),
        ["pulls", "2", "files"] => object(&json!([{
            "filename": "config/models.json", "status": "modified", "additions": 1, "deletions": 1,
            "patch": "-  \"summary\": \"claude-haiku-4-5\"\n+  \"summary\": \"claude-sonnet-4-6\""
        }])),
        // `{"summary": "claude-sonnet-4-6"}`, in lines as GitHub sends it.
        ["contents", "config", "models.json"] => object(&json!({
            "type": "file", "encoding": "base64", "size": 32, "sha": "b10b",
            "content": "eyJzdW1tYXJ5IjogImNsYXVkZS1z\nb25uZXQtNC02In0=\n"
        })),
        ["releases"] => page(inner, request, &inner.releases, |page| json!(page)),
        ["commits", sha, "pulls"] => {
            let none = Vec::new();
            let pulls = inner.pulls.get(*sha).unwrap_or(&none);
            page(inner, request, pulls, |page| json!(page))
        }
        ["commits", reference] => {
            let tag = reference.strip_prefix("refs%2Ftags%2F")?;
            let sha = inner.tags.get(tag)?;
            object(&json!({ "sha": sha, "commit": { "message": "x" } }))
        }
        _ => None,
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn query(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

fn page(
    inner: &Inner,
    request: &Request,
    all: &[Value],
    write: impl FnOnce(&[Value]) -> Value,
) -> Option<(String, Option<String>)> {
    let asked: usize = query(request, "per_page").map_or(30, |text| text.parse().unwrap());
    assert!(asked <= 100, "GitHub has no such pages");
    let size = asked.min(inner.largest_page);
    let number: usize = query(request, "page").map_or(1, |text| text.parse().unwrap());
    let begin = ((number - 1) * size).min(all.len());
    let end = (begin + size).min(all.len());
    // As GitHub, under another path than was asked.
    let link = (end < all.len()).then(|| {
        let path = request.uri().path();
        let branch = query(request, "branch").map_or(String::new(), |branch| format!("&branch={branch}"));
        let address = |page: usize| format!("<{}{path}?per_page={size}&page={page}{branch}>", inner.origin);
        format!(
            "{}; rel=\"next\", {}; rel=\"last\"",
            address(number + 1),
            address(all.len().div_ceil(size))
        )
    });
    Some((write(&all[begin..end]).to_string(), link))
}
