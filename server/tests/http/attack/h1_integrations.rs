//! A token for GitHub goes to no address but the one that it was entered for.

use serde_json::{Value, json};

use crate::alerts::put;
use crate::app::TestApp;
use crate::people::{Browser, audit_log, default_project};

const PATH: &str = "/api/settings/integrations/github";
const TOKEN: &str = "github_pat_canary1234";

async fn shown_token(app: &TestApp, change: Value) -> Value {
    let (status, saved) = put(app, PATH, change).await;
    assert_eq!(status, 200, "{saved}");
    saved["secret_last4"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_drops_the_token() {
    let app = TestApp::new().await;
    let begun = json!({ "repository": "acme/support", "token": TOKEN, "paused": true });
    assert_eq!(shown_token(&app, begun).await, "1234");
    // The same address keeps it, however it is written.
    for same in [
        json!({ "branch": "main" }),
        json!({ "api_url": "https://api.github.com/" }),
        json!({ "api_url": "" }),
    ] {
        assert_eq!(shown_token(&app, same.clone()).await, "1234", "{same}");
    }
    for other in [
        "https://github.attacker.example",
        "https://api.github.com:8443",
        "https://api.github.com/attacker",
    ] {
        assert_eq!(shown_token(&app, json!({ "api_url": other })).await, Value::Null);
        let dropped = &audit_log(&app, Some(&default_project(&app).await)).await[0];
        assert_eq!(dropped.details["secrets_changed"], json!(["token"]), "{other}");
        let with_token = json!({ "api_url": other, "token": TOKEN });
        assert_eq!(shown_token(&app, with_token).await, "1234", "{other}");
    }
    // The form does as the API does.
    let fields = [
        ("repository", "acme/support"),
        ("api_url", "https://github.attacker.example"),
        ("deployments", "on"),
        ("paused", "on"),
    ];
    let form = "/p/default/settings/integrations/github";
    let saved = Browser::new(&app).post(form, &fields).await;
    assert!(saved.location.contains("done=github_saved"), "{saved:?}");
    let (_, list) = app.get("/api/settings/integrations").await;
    let connections = list["items"].as_array().unwrap();
    let github = connections.iter().find(|one| one["kind"] == "github").unwrap();
    assert_eq!(github["secret_last4"], Value::Null, "{github}");
}
