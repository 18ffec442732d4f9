//! What programs call: every route of the API.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use storage::jobs::{self, NewJob};

use super::{CANARY, RUN, assert_nothing_is_shown, server_with_two_projects};
use crate::people::{Answer, Browser, default_project};

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
const DETECTOR: &str = "/api/detectors/01890000-0000-7000-8000-00000000000d";
const FINDING: &str = "/api/findings/01890000-0000-7000-8000-00000000000f";

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
    ("GET /api/settings/encryption", Expect::Settings),
    ("PUT /api/settings/encryption", Expect::Settings),
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
            "PUT /api/settings/encryption" => json!({ "payloads": false }),
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
