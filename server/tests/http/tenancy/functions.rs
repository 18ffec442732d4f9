//! What pages call: every server function.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    DETECTOR_ID, FINDING_ID, INCIDENT_ID, assert_nothing_is_shown, fingerprint, server_with_two_projects,
};
use crate::people::{Answer, Browser};

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
