//! Projects are kept apart at every way into the server: each is, tried with the key and the session of someone
//! else. A way in that is missing from the tables below fails the test.

use std::collections::BTreeSet;

use domain::{Role, Scope};
use serde_json::{Value, json};
use storage::jobs::{self, NewJob};

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project, key, other_project, person, roles};

/// A text that only steps of the project `default` hold.
const CANARY: &str = "canary-7f3a";
const RUN: &str = "/api/runs/theirs";

/// What programs call, as `{}` of the list of routes.
enum Expect {
    /// Names an object of `default`: 404 for others.
    Hidden(&'static str),
    /// Names a job of `default`: 404 for others.
    Job(&'static str),
    /// Lists: others see their own, which is nothing; naming the project is 404.
    Own(&'static str),
    /// Adds up: others see the sum of their own, which is nothing; naming the project is 404.
    Sum(&'static str),
    /// Shows figures over time: others see none; naming the project is 404.
    Series(&'static str),
    /// Reads or changes what a project has once; naming another project's is 404.
    Settings,
    /// Works on what it is sent, with the settings of the caller's own project.
    Unnamed,
    /// The same for all projects.
    Public,
}

#[rustfmt::skip]
const PROGRAMS: &[(&str, Expect)] = &[
    ("GET /api/runs", Expect::Own("/api/runs")),
    ("GET /api/runs/{run_id}", Expect::Hidden(RUN)),
    ("GET /api/runs/{run_id}/steps/{step_id}/payload", Expect::Hidden("/api/runs/theirs/steps/s1/payload")),
    ("GET /api/ledger", Expect::Own("/api/ledger")),
    ("GET /api/jobs", Expect::Own("/api/jobs")),
    ("GET /api/jobs/{job_id}", Expect::Job("")),
    ("POST /api/jobs/{job_id}/cancel", Expect::Job("/cancel")),
    ("GET /api/cost", Expect::Sum("/api/cost?run=theirs")),
    ("GET /api/series", Expect::Series("/api/series?metric=calls&by=step")),
    ("GET /api/deploys", Expect::Own("/api/deploys")),
    ("GET /api/deploys/{id}", Expect::Hidden("/api/deploys/theirs")),
    ("POST /api/deploys", Expect::Settings),
    ("DELETE /api/deploys/{id}", Expect::Hidden("/api/deploys/theirs")),
    ("POST /api/score", Expect::Unnamed),
    ("GET /api/thresholds", Expect::Settings),
    ("GET /api/settings/scoring", Expect::Settings),
    ("PUT /api/settings/scoring", Expect::Settings),
    ("GET /api/audit", Expect::Settings),
    ("GET /api/backtest", Expect::Settings),
    ("GET /api/openapi.json", Expect::Public),
    ("GET /healthz", Expect::Public),
    ("GET /readyz", Expect::Public),
    ("GET /metrics", Expect::Public),
];

/// Server functions with the arguments they need beside the slug. GET has them in the query.
fn functions() -> Vec<(&'static str, Value)> {
    vec![
        (
            "/ui/anomalies/view",
            json!({ "query": {
                "filter": domain::ConditionFilter::default(), "period": "Week", "until": null, "split": "Layer",
                "as_table": false, "as_list": false, "cursor": null
            } }),
        ),
        ("/ui/anomalies/precision", json!({})),
        ("/ui/commands/runs", json!({ "text": "" })),
        ("/ui/keys/list", json!({})),
        ("/ui/keys/reveal", json!({ "made": "token" })),
        ("/ui/keys/first", json!({})),
        ("/ui/invitations/list", json!({})),
        ("/ui/invitations/reveal", json!({ "invited": "token" })),
        (
            "/ui/audit/list",
            json!({ "instance": "false", "who": "", "what": "", "from": "", "to": "", "cursor": "" }),
        ),
        ("/ui/ledger/minutes", json!({ "minutes": "60" })),
        ("/ui/members/list", json!({})),
        ("/ui/projects/server_facts", json!({})),
        ("/ui/projects/deleted", json!({})),
        ("/ui/scoring/view", json!({ "days": "30" })),
        (
            "/ui/overview/view",
            json!({ "query": {
                "range": { "Last": 43_200 }, "metric": "cost", "by": "key", "filter": domain::SeriesFilter::default(),
                "is_stacked": false, "as_table": false
            } }),
        ),
        (
            "/ui/deploys/list",
            json!({ "range": { "Last": 43_200 }, "cursor": null }),
        ),
        ("/ui/deploys/get", json!({ "deploy_id": "theirs" })),
        ("/ui/prompts/list", json!({ "minutes": "60" })),
        ("/ui/prices/list", json!({ "text": "" })),
        ("/ui/prices/reprices", json!({})),
        (
            "/ui/prompts/get",
            json!({ "fingerprint": fingerprint(), "minutes": "60" }),
        ),
        (
            "/ui/runs/view",
            json!({ "filter": domain::RunFilter::default(), "cursor": null }),
        ),
        (
            "/ui/runs/list",
            json!({ "filter": domain::RunFilter::default(), "cursor": null }),
        ),
        ("/ui/runs/get", json!({ "run_id": "theirs" })),
        (
            "/ui/steps/payload",
            json!({ "run_id": "theirs", "step_id": "s1", "full": true }),
        ),
    ]
}

/// Server functions that name no project: what links of one's own lead to, and one's own account.
const FUNCTIONS_OF_ONESELF: [(&str, u16); 3] = [
    ("/ui/invitations/get?token=none", 200),
    ("/ui/account/reset_link?token=none", 200),
    ("/ui/account/sessions", 401),
];

/// Forms that name a project, with what they would need to be done. `{id}` is a key's or a member's.
#[rustfmt::skip]
const FORMS: &[(&str, &[(&str, &str)])] = &[
    ("/p/{project}/conditions/feedback", &[("run", "theirs"), ("step", "s1"), ("code", "2004"), ("verdict", "real")]),
    ("/p/{project}/conditions/mute", &[("code", "2004"), ("muted", "1")]),
    ("/p/{project}/demo", &[]),
    ("/p/{project}/settings/general", &[("name", "Mine")]),
    ("/p/{project}/settings/delete", &[("confirm", "default")]),
    ("/p/{project}/settings/keys", &[("label", "mine"), ("scope", "read")]),
    ("/p/{project}/settings/keys/first", &[]),
    ("/p/{project}/settings/keys/{id}/revoke", &[]),
    ("/p/{project}/settings/prices", &[("model", "own"), ("input", "1")]),
    ("/p/{project}/settings/prices/delete", &[("price_id", "own/1")]),
    ("/p/{project}/settings/prices/reprice", &[]),
    ("/p/{project}/settings/prices/reprice/{id}/cancel", &[]),
    ("/p/{project}/settings/scoring", &[("threshold", "1")]),
    ("/p/{project}/settings/members", &[("email", "eve@acme.dev"), ("role", "admin")]),
    ("/p/{project}/settings/members/invitations/{id}/revoke", &[]),
    ("/p/{project}/settings/members/{id}/role", &[("role", "viewer")]),
    ("/p/{project}/settings/members/{id}/remove", &[]),
];
/// Forms that name none.
const FORMS_OF_ONESELF: [&str; 11] = [
    "/login",
    "/logout",
    "/setup",
    "/theme",
    "/projects",
    "/invite",
    "/reset",
    "/account/password",
    "/account/sessions/end",
    "/account/sessions/{id}/end",
    "/account/remove",
];

/// The template of that step's prompt.
fn fingerprint() -> String {
    let template = engine::fingerprint::fingerprints(CANARY, None).template;
    hex::encode(template)
}

/// The server with a run of `default`, and Eve, who is admin of `other`.
async fn server_with_two_projects() -> (TestApp, String) {
    let app = TestApp::new().await;
    let mut theirs = step("theirs", "s1");
    for field in ["step_name", "prompt", "output_code", "environment", "release"] {
        theirs[field] = CANARY.into();
    }
    app.store(theirs).await;
    let shipped = json!({ "id": "theirs", "sha": "c4e2117", "title": CANARY });
    assert_eq!(app.post("/api/deploys", &shipped).await.0, 200);
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let key = key(&app, &other, Scope::ALL).await;
    (app, key.secret)
}

fn assert_nothing_is_shown(what: &str, answer: &Answer) {
    assert!(
        !answer.text.contains(CANARY),
        "{what} shows another project: {answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_reach_their_own_project_only() {
    let listed: BTreeSet<String> = server::router::ROUTES
        .iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    let tried: BTreeSet<String> = PROGRAMS.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(
        tried, listed,
        "the table of this test and the list of routes differ"
    );

    let (app, eves_key) = server_with_two_projects().await;
    let job = NewJob {
        kind: "of no binary",
        deduplicated: false,
        arguments: &json!({}),
    };
    let default = default_project(&app).await.id;
    let job_id = jobs::start(&app.state.db, default, &job, "mara", server::clock::now())
        .await
        .unwrap();
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let anonymous = Browser::new(&app);
    for (route, expect) in PROGRAMS {
        let (method, template) = route.split_once(' ').unwrap();
        let body = match *route {
            "POST /api/deploys" => json!({ "sha": "9be04a7" }),
            _ => json!({}),
        };
        let call = |browser: &Browser<'_>, path: &str| browser.request(method, path).json(&body);
        let as_eve = async |path: &str| {
            let with_key = Answer::of(call(&anonymous, path).bearer_auth(&eves_key)).await;
            [with_key, Answer::of(call(&eve, path)).await]
        };
        let path = match expect {
            Expect::Public => {
                assert_nothing_is_shown(route, &anonymous.get(template).await);
                continue;
            }
            Expect::Unnamed => {
                assert_eq!(
                    Answer::of(call(&anonymous, template)).await.status,
                    401,
                    "{route}"
                );
                continue;
            }
            Expect::Settings => (*template).to_owned(),
            Expect::Job(after) => format!("/api/jobs/{job_id}{after}"),
            Expect::Hidden(path) => {
                assert!(
                    mara.get(path).await.text.contains(CANARY),
                    "{route} shows nothing at all"
                );
                for answer in as_eve(path).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                    assert_nothing_is_shown(route, &answer);
                }
                (*path).to_owned()
            }
            Expect::Sum(path) => {
                assert_eq!(
                    mara.get(path).await.json()["calls"],
                    1,
                    "{route} counts nothing at all"
                );
                for answer in as_eve(path).await {
                    let sum = answer.json();
                    assert_eq!(
                        (answer.status, &sum["calls"], &sum["cost_usd"], &sum["by_model"]),
                        (200, &json!(0), &Value::Null, &json!([])),
                        "{route} {answer:?}"
                    );
                }
                (*path).to_owned()
            }
            Expect::Series(path) => {
                let shown = mara.get(path).await;
                assert!(
                    shown.text.contains(CANARY),
                    "{route} shows nothing at all: {shown:?}"
                );
                for answer in as_eve(path).await {
                    assert_eq!(
                        (answer.status, &answer.json()["series"]),
                        (200, &json!([])),
                        "{route} {answer:?}"
                    );
                }
                (*path).to_owned()
            }
            Expect::Own(path) => {
                for answer in as_eve(path).await {
                    assert_eq!(
                        (answer.status, &answer.json()["items"]),
                        (200, &json!([])),
                        "{route} {answer:?}"
                    );
                }
                (*path).to_owned()
            }
        };
        let sign = if path.contains('?') { '&' } else { '?' };
        let by_name = format!("{path}{sign}project=default");
        let own = Answer::of(call(&mara, &by_name)).await;
        assert_eq!(own.status, 200, "{route} {own:?}");
        for answer in as_eve(&by_name).await {
            assert_eq!(answer.status, 404, "{route} {answer:?}");
            assert_nothing_is_shown(route, &answer);
        }
        assert_eq!(Answer::of(call(&anonymous, &path)).await.status, 401, "{route}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_sent_with_a_key_lands_in_the_keys_project() {
    let (app, eves_key) = server_with_two_projects().await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let before = mara.get(RUN).await.json();
    for path in ["/ingest", "/ingest/batch"] {
        let mut forged = step("theirs", "s1");
        forged["project_id"] = default_project(&app).await.id.to_string().into();
        forged["project"] = "default".into();
        let body = if path == "/ingest" {
            forged
        } else {
            json!({ "steps": [forged] })
        };
        Answer::of(app.client.post(app.url(path)).bearer_auth(&eves_key).json(&body)).await;
    }
    assert_eq!(mara.get(RUN).await.json(), before);
    let eves = Answer::of(app.client.get(app.url("/api/runs")).bearer_auth(&eves_key))
        .await
        .json();
    assert_eq!(eves["items"][0]["run_id"], "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_functions_answer_for_ones_own_projects_only() {
    let functions = functions();
    let registered: BTreeSet<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .filter(|path| path.starts_with("/ui/"))
        .collect();
    let of_oneself = FUNCTIONS_OF_ONESELF.map(|(url, _)| url.split('?').next().unwrap());
    let tried: BTreeSet<&str> = functions
        .iter()
        .map(|(path, _)| *path)
        .chain(of_oneself)
        .collect();
    assert_eq!(
        tried, registered,
        "the table of this test and the server functions differ"
    );

    let (app, eves_key) = server_with_two_projects().await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        let Some((_, arguments)) = functions.iter().find(|(known, _)| *known == path) else {
            continue;
        };
        let call = |browser: &Browser<'_>| {
            let mut arguments = arguments.clone();
            arguments["slug"] = "default".into();
            if method == axum::http::Method::GET {
                let query: Vec<String> = arguments
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
                    .collect();
                browser.request("GET", &format!("{path}?{}", query.join("&")))
            } else {
                browser.request("POST", path).json(&arguments)
            }
        };
        let own = Answer::of(call(&mara)).await;
        assert_eq!(own.status, 200, "{path} is not called as it wants to be: {own:?}");
        let check = async |browser: &Browser<'_>, key: Option<&str>, status: u16| {
            let request = call(browser);
            let answer = Answer::of(match key {
                Some(key) => request.bearer_auth(key),
                None => request,
            })
            .await;
            assert_eq!(answer.status, status, "{path} {answer:?}");
            assert_nothing_is_shown(path, &answer);
        };
        check(&eve, None, 404).await;
        check(&eve, Some(&eves_key), 401).await;
        check(&Browser::new(&app), None, 401).await;
        check(&Browser::new(&app), Some(&eves_key), 401).await;
    }
    for (url, anonymous) in FUNCTIONS_OF_ONESELF {
        assert_eq!(Browser::new(&app).get(url).await.status, anonymous, "{url}");
        let own = eve.get(url).await;
        assert_eq!(own.status, 200, "{url} {own:?}");
        assert!(!own.text.contains("mara@"), "{url} {own:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_live_changes_are_for_members_only() {
    let (app, eves_key) = server_with_two_projects().await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let pages: Vec<String> = server::web::page_paths()
        .filter(|path| path.starts_with("/p/"))
        .map(|path| {
            path.replace("{project}", "default")
                .replace("{run}", "theirs")
                .replace("{deploy}", "theirs")
                .replace("{fingerprint}", &fingerprint())
        })
        .collect();
    assert!(pages.len() > 3, "{pages:?}");
    for page in &pages {
        assert!(!page.contains('{'), "{page}: say what stands for this part");
        let own = mara.get(page).await;
        assert!(own.status < 400, "{page} {own:?}");
        let strangers = eve.get(page).await;
        assert_eq!(strangers.status, 404, "{page} {strangers:?}");
        assert_nothing_is_shown(page, &strangers);
        for anonymous in [
            Browser::new(&app).get(page).await,
            Answer::of(app.client.get(app.url(page)).bearer_auth(&eves_key)).await,
        ] {
            assert_eq!(anonymous.status, 303, "{page} {anonymous:?}");
            assert!(
                anonymous.location.starts_with("/login?next=/p/default"),
                "{anonymous:?}"
            );
        }
    }
    assert_eq!(eve.get("/live/default").await.status, 404);
    assert_eq!(Browser::new(&app).get("/live/default").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_change_ones_own_projects_only() {
    let listed: BTreeSet<&str> = server::forms::FORM_PATHS.iter().copied().collect();
    let tried: BTreeSet<&str> = FORMS
        .iter()
        .map(|(path, _)| *path)
        .chain(FORMS_OF_ONESELF)
        .collect();
    assert_eq!(
        tried, listed,
        "the tables of this test and the list of forms differ"
    );

    let (app, eves_key) = server_with_two_projects().await;
    let default = default_project(&app).await;
    let victim = key(&app, &default, Scope::DEFAULT).await;
    let mara = storage::users::by_email(&app.state.db, "mara@acme.dev")
        .await
        .unwrap()
        .unwrap()
        .0;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    for (path, fields) in FORMS {
        for slug in ["default", "other"] {
            let id = if path.contains("/keys/{id}") {
                victim.key.id.to_string()
            } else {
                mara.id.to_string()
            };
            // A form of one's own project must not reach another project's key or member either.
            if slug == "other" && !path.contains("{id}") {
                continue;
            }
            let path = path.replace("{project}", slug).replace("{id}", &id);
            let answer = eve.post(&path, fields).await;
            assert_eq!(answer.status, 404, "{path} {answer:?}");
        }
        let path = path
            .replace("{project}", "default")
            .replace("{id}", &victim.key.id.to_string());
        let anonymous = Browser::new(&app).post(&path, fields).await;
        assert_eq!(
            (anonymous.status, anonymous.location.as_str()),
            (303, "/login"),
            "{path}"
        );
        let with_key = Answer::of(Browser::new(&app).form(&path, fields).bearer_auth(&eves_key)).await;
        assert_eq!(
            (with_key.status, with_key.location.as_str()),
            (303, "/login"),
            "{path}"
        );
    }
    assert_eq!(default_project(&app).await, default);
    let keys = storage::keys::list(&app.state.db, default.id).await.unwrap();
    assert!(keys.len() == 1 && keys[0].revoked_at.is_none(), "{keys:?}");
    assert_eq!(
        roles(&app, &default).await.into_iter().collect::<Vec<_>>(),
        [("mara@acme.dev".to_owned(), Role::Admin)]
    );
}
