//! Projects are kept apart at every way into the server: each is, tried with the key and the session of someone
//! else. A way in that is missing from the tables below fails the test.

use std::collections::BTreeSet;

use domain::{Role, Scope};
use serde_json::{Value, json};
use storage::jobs::{self, NewJob};

use crate::app::{TestApp, step};
use crate::detectors::put_finding;
use crate::incidents::put_incident;
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
    /// Changes something that one project has: 404 for others.
    Changes(&'static str),
    /// Asks for a sha: others' is unknown; naming the project is 404.
    Sha(&'static str),
    /// Lists: others see their own, which is nothing; naming the project is 404.
    Own(&'static str),
    /// Adds up: others see the sum of their own, which is nothing; naming the project is 404.
    Sum(&'static str),
    /// Shows figures over time: others see none; naming the project is 404.
    Series(&'static str),
    /// Reads or changes what a project has once; naming another project's is 404.
    Settings,
    /// Tells what changes, without an end; naming the project is 404.
    Stream,
    /// The same, of one connection.
    Connection(&'static str),
    /// Names a link to the run of `default`: 404 for others.
    Share,
    /// Names the alert of a test that was sent before: 404 for others.
    Alert,
    /// Names the chat of `default`: 404 for others.
    Chat(&'static str),
    /// The same, and its answer comes for as long as somebody works at it.
    ChatStream(&'static str),
    /// Needs something elsewhere to be done: 404 for others.
    Elsewhere(&'static str),
    /// Works on what it is sent, with the settings of the caller's own project.
    Unnamed,
    /// The same for all projects.
    Public,
}

const INCIDENT: &str = "/api/incidents/01890000-0000-7000-8000-000000000001";
const INCIDENT_ID: &str = "01890000-0000-7000-8000-000000000001";
const DETECTOR: &str = "/api/detectors/01890000-0000-7000-8000-00000000000d";
const DETECTOR_ID: &str = "01890000-0000-7000-8000-00000000000d";
const FINDING: &str = "/api/findings/01890000-0000-7000-8000-00000000000f";
const FINDING_ID: &str = "01890000-0000-7000-8000-00000000000f";

#[rustfmt::skip]
const PROGRAMS: &[(&str, Expect)] = &[
    ("GET /api/runs", Expect::Own("/api/runs")),
    ("GET /api/runs/{run_id}", Expect::Hidden(RUN)),
    ("GET /api/runs/{run_id}/steps/{step_id}/payload", Expect::Hidden("/api/runs/theirs/steps/s1/payload")),
    ("POST /api/runs/{run_id}/analysis", Expect::Changes("/api/runs/theirs/analysis")),
    ("GET /api/runs/{run_id}/analysis", Expect::Changes("/api/runs/theirs/analysis")),
    ("POST /api/runs/{run_id}/shares", Expect::Changes("/api/runs/theirs/shares")),
    ("GET /api/runs/{run_id}/shares", Expect::Changes("/api/runs/theirs/shares")),
    ("GET /api/sessions", Expect::Own("/api/sessions")),
    ("GET /api/sessions/{session_id}", Expect::Hidden("/api/sessions/theirs")),
    ("GET /api/users", Expect::Own("/api/users")),
    ("GET /api/users/{user_id}", Expect::Hidden("/api/users/theirs")),
    ("GET /api/users/{user_id}/export", Expect::Hidden("/api/users/theirs/export")),
    ("GET /api/shares", Expect::Own("/api/shares")),
    ("DELETE /api/shares/{id}", Expect::Share),
    ("GET /api/live", Expect::Stream),
    ("GET /api/ledger", Expect::Own("/api/ledger")),
    ("GET /api/ledger/usage-shapes", Expect::Own("/api/ledger/usage-shapes")),
    ("GET /api/ledger/stated-costs", Expect::Own("/api/ledger/stated-costs")),
    ("GET /api/jobs", Expect::Own("/api/jobs")),
    ("GET /api/jobs/{job_id}", Expect::Job("")),
    ("POST /api/jobs/{job_id}/cancel", Expect::Job("/cancel")),
    ("GET /api/cost", Expect::Sum("/api/cost?run=theirs")),
    ("GET /api/series", Expect::Series("/api/series?metric=calls&by=step")),
    ("GET /api/attribution", Expect::Sha("/api/attribution?sha=c4e2117")),
    ("GET /api/forecast", Expect::Settings),
    ("GET /api/stats", Expect::Own("/api/stats")),
    ("GET /api/deploys", Expect::Own("/api/deploys")),
    ("GET /api/deploys/{id}", Expect::Hidden("/api/deploys/theirs")),
    ("POST /api/deploys", Expect::Settings),
    ("DELETE /api/deploys/{id}", Expect::Hidden("/api/deploys/theirs")),
    ("GET /api/detectors", Expect::Own("/api/detectors")),
    ("POST /api/detectors", Expect::Settings),
    ("GET /api/detectors/{id}", Expect::Hidden(DETECTOR)),
    ("PUT /api/detectors/{id}", Expect::Changes(DETECTOR)),
    ("POST /api/detectors/{id}/try", Expect::Changes("/api/detectors/01890000-0000-7000-8000-00000000000d/try")),
    ("GET /api/findings", Expect::Own("/api/findings")),
    ("GET /api/findings/{id}", Expect::Hidden(FINDING)),
    ("POST /api/findings/{id}/feedback", Expect::Changes("/api/findings/01890000-0000-7000-8000-00000000000f/feedback")),
    ("DELETE /api/detectors/{id}", Expect::Hidden(DETECTOR)),
    ("GET /api/incidents", Expect::Own("/api/incidents")),
    ("GET /api/incidents/window", Expect::Settings),
    ("GET /api/incidents/{id}", Expect::Hidden(INCIDENT)),
    ("POST /api/incidents/{id}/state", Expect::Changes("/api/incidents/01890000-0000-7000-8000-000000000001/state")),
    ("POST /api/incidents/{id}/investigation", Expect::Changes("/api/incidents/01890000-0000-7000-8000-000000000001/investigation")),
    ("GET /api/incidents/{id}/investigation", Expect::Hidden("/api/incidents/01890000-0000-7000-8000-000000000001/investigation")),
    ("POST /api/incidents/{id}/github", Expect::Elsewhere("/api/incidents/01890000-0000-7000-8000-000000000001/github")),
    ("GET /api/settings/watcher", Expect::Settings),
    ("PUT /api/settings/watcher", Expect::Settings),
    ("GET /api/chats", Expect::Own("/api/chats")),
    ("POST /api/chats", Expect::Settings),
    ("GET /api/chats/{id}", Expect::Chat("")),
    ("POST /api/chats/{id}/messages", Expect::ChatStream("/messages")),
    ("DELETE /api/chats/{id}", Expect::Chat("")),
    ("POST /mcp", Expect::Settings),
    ("POST /hooks/github", Expect::Public),
    ("POST /api/score", Expect::Unnamed),
    ("GET /api/thresholds", Expect::Settings),
    ("GET /api/settings/scoring", Expect::Settings),
    ("PUT /api/settings/scoring", Expect::Settings),
    ("GET /api/settings/incidents", Expect::Settings),
    ("PUT /api/settings/incidents", Expect::Settings),
    ("GET /api/settings/models", Expect::Settings),
    ("PUT /api/settings/models", Expect::Settings),
    ("POST /api/settings/models/{id}/test", Expect::Connection("/api/settings/models/p1/test?model=m")),
    ("GET /api/settings/models/usage", Expect::Settings),
    ("GET /api/settings/integrations", Expect::Settings),
    ("PUT /api/settings/integrations/github", Expect::Settings),
    ("POST /api/settings/integrations/github/sync", Expect::Settings),
    ("DELETE /api/settings/integrations/github", Expect::Settings),
    ("PUT /api/settings/integrations/{kind}", Expect::Connection("/api/settings/integrations/slack")),
    ("POST /api/settings/integrations/{kind}/test", Expect::Connection("/api/settings/integrations/slack/test")),
    ("GET /api/settings/key-limits", Expect::Settings),
    ("PUT /api/settings/key-limits", Expect::Settings),
    ("GET /api/settings/redaction", Expect::Settings),
    ("PUT /api/settings/redaction", Expect::Settings),
    ("GET /api/settings/retention", Expect::Settings),
    ("PUT /api/settings/retention", Expect::Settings),
    ("GET /api/settings/spans", Expect::Settings),
    ("PUT /api/settings/spans", Expect::Settings),
    ("GET /api/settings/alerts", Expect::Settings),
    ("PUT /api/settings/alerts", Expect::Settings),
    ("GET /api/alerts", Expect::Own("/api/alerts")),
    ("POST /api/alerts/{id}/resend", Expect::Alert),
    ("DELETE /api/settings/integrations/{kind}", Expect::Connection("/api/settings/integrations/slack")),
    ("GET /api/audit", Expect::Settings),
    ("GET /api/runs/{run_id}/skeleton", Expect::Hidden("/api/runs/theirs/skeleton")),
    ("GET /api/backtest", Expect::Settings),
    ("GET /api/openapi.json", Expect::Public),
    ("GET /healthz", Expect::Public),
    ("GET /readyz", Expect::Public),
    ("GET /metrics", Expect::Public),
    // Last: it takes away what the others look for.
    ("DELETE /api/users/{user_id}/data", Expect::Changes("/api/users/theirs/data")),
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
        ("/ui/alerts/channels", json!({})),
        (
            "/ui/alerts/view",
            json!({ "state": "failed", "cursor": "", "draft": "" }),
        ),
        ("/ui/keys/limits", json!({})),
        ("/ui/retention/view", json!({})),
        ("/ui/outbound/view", json!({})),
        ("/ui/redaction/view", json!({ "draft": "" })),
        ("/ui/alerts/secret", json!({ "made": "token" })),
        ("/ui/commands/runs", json!({ "text": "" })),
        ("/ui/analyses/get", json!({ "run_id": "theirs" })),
        ("/ui/models/view", json!({ "month": "" })),
        ("/ui/integrations/github", json!({})),
        ("/ui/integrations/secret", json!({ "made": "token" })),
        ("/ui/forecast/view", json!({})),
        ("/ui/projects/demo_data", json!({})),
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
        ("/ui/ledger/usage_shapes", json!({ "minutes": "60" })),
        ("/ui/ledger/stated_costs", json!({ "minutes": "60" })),
        ("/ui/members/list", json!({})),
        ("/ui/projects/server_facts", json!({})),
        ("/ui/projects/deleted", json!({})),
        ("/ui/projects/keeps_plain_spans", json!({})),
        ("/ui/scoring/view", json!({ "days": "30" })),
        ("/ui/overview/view", json!({ "query": overview_query() })),
        (
            "/ui/scope/view",
            json!({ "by": "step", "name": "theirs", "query": overview_query() }),
        ),
        (
            "/ui/deploys/list",
            json!({ "range": { "Last": 43_200 }, "cursor": null }),
        ),
        ("/ui/deploys/get", json!({ "deploy_id": "theirs" })),
        ("/ui/detectors/list", json!({})),
        (
            "/ui/detectors/get",
            json!({ "detector_id": DETECTOR_ID, "try_it": true }),
        ),
        ("/ui/findings/get", json!({ "finding_id": FINDING_ID })),
        (
            "/ui/findings/list",
            json!({ "wish": { "detector": null, "mark": null, "days": null, "cursor": null } }),
        ),
        ("/ui/findings/of-run", json!({ "run_id": "theirs" })),
        ("/ui/incidents/list", json!({ "days": 90 })),
        ("/ui/incidents/settings", json!({})),
        ("/ui/chats/read", json!({ "chat": "" })),
        ("/ui/watcher/view", json!({})),
        ("/ui/incidents/get", json!({ "incident_id": INCIDENT_ID })),
        ("/ui/prompts/list", json!({ "minutes": "60" })),
        ("/ui/prices/list", json!({ "text": "" })),
        ("/ui/prices/reprices", json!({})),
        (
            "/ui/prompts/get",
            json!({ "fingerprint": fingerprint(), "query": overview_query(), "full": false }),
        ),
        (
            "/ui/runs/view",
            json!({ "filter": domain::RunFilter::default(), "cursor": null }),
        ),
        (
            "/ui/runs/compare",
            json!({ "wish": { "first": "theirs", "second": "theirs", "step": "s1", "of_input": false } }),
        ),
        ("/ui/shares/list", json!({ "run_id": "theirs" })),
        ("/ui/shares/reveal", json!({ "made": "token" })),
        (
            "/ui/runs/list",
            json!({ "filter": domain::RunFilter::default(), "cursor": null }),
        ),
        (
            "/ui/groups/view",
            json!({ "wish": {
                "grouping": "session", "filter": domain::RunFilter::default(), "order": "latest", "cursor": null
            } }),
        ),
        ("/ui/groups/session", json!({ "session_id": "theirs", "page": 1 })),
        ("/ui/groups/user", json!({ "user_id": "theirs" })),
        ("/ui/runs/get", json!({ "run_id": "theirs" })),
        ("/ui/runs/receipt", json!({ "run_id": "theirs" })),
        ("/ui/steps/get", json!({ "run_id": "theirs", "step_id": "s1" })),
        (
            "/ui/steps/flow",
            json!({ "run_id": "theirs", "step_id": "s1", "earlier": [], "later": [] }),
        ),
        (
            "/ui/steps/earlier",
            json!({ "run_id": "theirs", "step_id": "s1", "compared": "output" }),
        ),
        (
            "/ui/steps/search",
            json!({ "run_id": "theirs", "step_id": "s1", "sought": "canary" }),
        ),
        (
            "/ui/steps/payload",
            json!({ "run_id": "theirs", "step_id": "s1", "full": true }),
        ),
    ]
}

/// What the pages over a window of time are asked with.
fn overview_query() -> Value {
    json!({
        "range": { "Last": 43_200 }, "metric": "cost", "by": "key", "filter": domain::SeriesFilter::default(),
        "is_stacked": false, "as_table": false
    })
}

/// Server functions that name no project: what links of one's own lead to, and one's own account.
const FUNCTIONS_OF_ONESELF: [(&str, u16); 5] = [
    ("/ui/shares/opened?token=none", 404),
    ("/ui/shares/opened_step?token=none&step_id=s1&full=true", 404),
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
    ("/p/{project}/detectors", &[("name", "mine"), ("template", "repeated_tool"), ("every_run", "on")]),
    ("/p/{project}/detectors/{detector}", &[("name", "mine"), ("template", "repeated_tool"), ("every_run", "on")]),
    ("/p/{project}/detectors/{id}/switch", &[("on", "on")]),
    ("/p/{project}/detectors/{id}/delete", &[]),
    ("/p/{project}/findings/{id}/feedback", &[("verdict", "real")]),
    ("/p/{project}/incidents/{id}/state", &[("acknowledge", "1")]),
    ("/p/{project}/incidents/{id}/investigation", &[]),
    ("/p/{project}/incidents/{id}/fix", &[]),
    ("/p/{project}/incidents/{id}/pull", &[("fix", "01890000-0000-7000-8000-000000000001")]),
    ("/p/{project}/ask", &[("text", "what is it?")]),
    ("/p/{project}/ask/{id}/delete", &[]),
    ("/p/{project}/demo/remove", &[]),
    ("/p/{project}/users/{user}/delete", &[("confirm", "theirs")]),
    ("/p/{project}/runs/{run}/share", &[("content", "shown"), ("days", "7")]),
    ("/p/{project}/runs/{run}/analysis", &[]),
    ("/p/{project}/shares/{id}/revoke", &[]),
    ("/p/{project}/settings/budgets", &[("label", "mine"), ("monthly", "5")]),
    ("/p/{project}/settings/budgets/remove", &[("label", "mine")]),
    ("/p/{project}/settings/general", &[("name", "Mine")]),
    ("/p/{project}/settings/spans", &[]),
    ("/p/{project}/settings/delete", &[("confirm", "default")]),
    ("/p/{project}/settings/keys", &[("label", "mine"), ("scope", "read")]),
    ("/p/{project}/settings/keys/first", &[]),
    ("/p/{project}/settings/keys/limits", &[("label", "mine"), ("month_requests", "5")]),
    ("/p/{project}/settings/keys/{id}/revoke", &[]),
    ("/p/{project}/settings/watcher", &[("on", "on"), ("interval_min", "60"), ("critical", "log"), ("high", "log"), ("low", "log")]),
    ("/p/{project}/settings/integrations/github", &[("repository", "acme/support"), ("deployments", "on")]),
    ("/p/{project}/settings/integrations/github/sync", &[]),
    ("/p/{project}/settings/integrations/github/remove", &[]),
    ("/p/{project}/settings/integrations/{kind}", &[("webhook_url", "https://slack.invalid/x")]),
    ("/p/{project}/settings/integrations/{kind}/test", &[]),
    ("/p/{project}/settings/integrations/{kind}/pause", &[("paused", "on")]),
    ("/p/{project}/settings/integrations/{kind}/remove", &[]),
    ("/p/{project}/settings/alerts", &[("severity", "off")]),
    ("/p/{project}/settings/alerts/{id}/resend", &[]),
    ("/p/{project}/settings/prices", &[("model", "own"), ("input", "1")]),
    ("/p/{project}/settings/prices/delete", &[("price_id", "own/1")]),
    ("/p/{project}/settings/prices/reprice", &[]),
    ("/p/{project}/settings/prices/reprice/{id}/cancel", &[]),
    ("/p/{project}/settings/scoring", &[("threshold", "1")]),
    ("/p/{project}/settings/incidents", &[("sensitivity", "1")]),
    ("/p/{project}/settings/providers", &[("kind", "anthropic"), ("api_key", "sk-0123456789ab")]),
    ("/p/{project}/settings/providers/uses", &[("budget", "5")]),
    ("/p/{project}/settings/providers/{id}/test", &[("model", "m")]),
    ("/p/{project}/settings/providers/{id}/remove", &[]),
    ("/p/{project}/settings/redaction", &[("email", "mask")]),
    ("/p/{project}/settings/retention", &[("runs", "1"), ("payloads", "1")]),
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
    for field in ["session_id", "user_id"] {
        theirs[field] = "theirs".into();
    }
    for field in ["step_name", "prompt", "output_code", "environment", "release"] {
        theirs[field] = CANARY.into();
    }
    app.store(theirs).await;
    let shipped = json!({ "id": "theirs", "sha": "c4e2117", "title": CANARY });
    assert_eq!(app.post("/api/deploys", &shipped).await.0, 200);
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    put_incident(&app, default.id, INCIDENT_ID, CANARY).await;
    put_finding(&app, default.id, (DETECTOR_ID, FINDING_ID), CANARY).await;
    let (db, now) = (&app.state.db, server::clock::now());
    let incident = INCIDENT_ID.parse().unwrap();
    storage::inquiries::investigate(db, default.id, incident, CANARY, now)
        .await
        .unwrap();
    storage::chats::create(db, default.id, CANARY, "mara", now)
        .await
        .unwrap();
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
            "POST /api/incidents/{id}/state" => json!({ "acknowledge": true }),
            "POST /api/detectors" => {
                json!({ "name": "mine", "template": "repeated_tool", "every_run": true })
            }
            "POST /api/findings/{id}/feedback" => json!({ "verdict": "real" }),
            "POST /api/chats/{id}/messages" => json!({ "text": "what is it?" }),
            "POST /api/incidents/{id}/github" => json!({ "action": "issue" }),
            "PUT /api/settings/watcher" => json!({ "on": false }),
            "PUT /api/settings/retention" => json!({ "runs_days": 30, "payloads_days": 30 }),
            "PUT /api/settings/key-limits" => json!({ "label": "default", "month": { "requests": 9 } }),
            "POST /mcp" => json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }),
            "PUT /api/settings/integrations/github" => json!({ "repository": "acme/support" }),
            "PUT /api/settings/models" => json!({
                "providers": [{ "id": "p1", "kind": "anthropic", "base_url": "https://models.invalid/v1" }]
            }),
            // A name that nobody has.
            "PUT /api/settings/integrations/{kind}" => json!({ "webhook_url": "https://slack.invalid/x" }),
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
            Expect::Stream => {
                for answer in as_eve(&format!("{template}?project=default")).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                }
                let refused = Answer::of(call(&anonymous, template)).await;
                assert_eq!(refused.status, 401, "{route}");
                continue;
            }
            Expect::Settings => (*template).to_owned(),
            Expect::Connection(path) => (*path).to_owned(),
            Expect::Alert => {
                let told = mara.get("/api/alerts?project=default").await.json();
                let path = format!("/api/alerts/{}/resend", told["items"][0]["id"].as_str().unwrap());
                for answer in as_eve(&path).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                }
                path
            }
            Expect::Share => {
                let made = mara.get("/api/shares?project=default").await.json();
                let path = format!("/api/shares/{}", made["items"][0]["id"].as_str().unwrap());
                for answer in as_eve(&path).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                }
                path
            }
            Expect::Elsewhere(path) => {
                for answer in as_eve(path).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                    assert_nothing_is_shown(route, &answer);
                }
                assert_eq!(Answer::of(call(&anonymous, path)).await.status, 401, "{route}");
                continue;
            }
            Expect::Chat(after) | Expect::ChatStream(after) => {
                let known = mara.get("/api/chats?project=default").await.json();
                let path = format!("/api/chats/{}{after}", known["items"][0]["id"].as_str().unwrap());
                for answer in as_eve(&path).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                    assert_nothing_is_shown(route, &answer);
                }
                if matches!(expect, Expect::ChatStream(_)) {
                    continue;
                }
                path
            }
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
            Expect::Changes(path) => {
                for answer in as_eve(path).await {
                    assert_eq!(answer.status, 404, "{route} {answer:?}");
                }
                (*path).to_owned()
            }
            Expect::Sha(path) => {
                assert!(
                    mara.get(path).await.text.contains(CANARY),
                    "{route} shows nothing at all"
                );
                for answer in as_eve(path).await {
                    assert_eq!(
                        (answer.status, &answer.json()["matched"]),
                        (200, &json!(false)),
                        "{route} {answer:?}"
                    );
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
        assert!([200, 202, 204].contains(&own.status), "{route} {own:?}");
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
        // What a link opens does not depend on who opens it.
        let expected = if anonymous == 404 { 404 } else { 200 };
        assert_eq!(own.status, expected, "{url} {own:?}");
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
                .replace("{session}", "theirs")
                .replace("{user}", "theirs")
                .replace("{incident}", INCIDENT_ID)
                .replace("{detector}", DETECTOR_ID)
                .replace("{finding}", FINDING_ID)
                .replace("{name}", "theirs")
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
        let path = path.replace("{detector}", "{id}");
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
            let path = path.replace("{kind}", "slack").replace("{run}", "theirs");
            let path = path.replace("{project}", slug).replace("{id}", &id);
            let answer = eve.post(&path, fields).await;
            assert_eq!(answer.status, 404, "{path} {answer:?}");
        }
        let path = path
            .replace("{project}", "default")
            .replace("{kind}", "slack")
            .replace("{run}", "theirs")
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
