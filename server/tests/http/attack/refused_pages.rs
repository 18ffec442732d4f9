//! A page that is refused says no word of what it would have shown, neither as text nor as the data that the page's code
//! takes over; and a page that is not refused says so by its status.

use domain::Role;
use serde_json::json;

use crate::alerts::{connect, put};
use crate::app::TestApp;
use crate::people::{Browser, default_project, person};

/// Settings pages that are for admins, as the API has them.
const FOR_ADMINS: [&str; 4] = ["alerts", "audit", "integrations", "redaction"];
/// Words of the settings that stand in one of those pages.
const THEIRS: [&str; 4] = [
    "acme/hidden-repository",
    "slack.hidden.invalid",
    "settings-actor@hidden.invalid",
    "hiddencanary",
];
/// Last characters of keys, which admins alone see.
const TAILS: [&str; 3] = ["ZQXW", "ZQYV", "ZQKJ"];

#[tokio::test(flavor = "multi_thread")]
async fn refused_settings_pages_say_nothing_of_what_they_would_show() {
    let app = TestApp::new().await;
    let github =
        json!({ "repository": "acme/hidden-repository", "token": "github_pat_canaryZQXW", "paused": true });
    let (status, saved) = put(&app, "/api/settings/integrations/github", github).await;
    assert_eq!(status, 200, "{saved}");
    let slack = json!({ "webhook_url": "https://slack.hidden.invalid/services/T0/B0/canaryZQYV" });
    connect(&app, "slack", slack).await;
    let models = json!({ "providers": [{ "id": "p1", "kind": "anthropic", "api_key": "sk-ant-canary-0123456789ZQKJ" }] });
    let (status, saved) = put(&app, "/api/settings/models", models).await;
    assert_eq!(status, 200, "{saved}");
    let redaction = json!({ "own": [{ "name": "hiddencanary", "pattern": "hidden-canary-pattern-[0-9]+", "treatment": "mask" }] });
    let (status, saved) = put(&app, "/api/settings/redaction", redaction).await;
    assert_eq!(status, 200, "{saved}");
    let project = default_project(&app).await;
    let entry = storage::audit::Entry::new(
        "settings-actor@hidden.invalid",
        "key.reveal",
        "pl_live_x",
        json!({}),
    );
    storage::audit::record(&app.state.db, project.id, &entry, server::clock::now())
        .await
        .unwrap();
    for (email, role) in [
        ("mara@acme.dev", Role::Admin),
        ("noor@acme.dev", Role::Member),
        ("eve@acme.dev", Role::Viewer),
    ] {
        person(&app, email, &[(&project, role)]).await;
    }
    let pages: Vec<String> = server::web::page_paths()
        .filter(|path| path.contains("/settings"))
        .map(|path| path.replace("{project}", "default"))
        .collect();
    assert!(pages.len() > 10, "{pages:?}");

    // An admin sees every word, so that each of them is looked for where it stands.
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let mut seen = String::new();
    for page in &pages {
        let answer = mara.get(page).await;
        assert_eq!(answer.status, 200, "{page}");
        seen.push_str(&answer.text);
    }
    for word in THEIRS.iter().chain(&TAILS) {
        assert!(seen.contains(word), "{word} stands nowhere");
    }

    for email in ["noor@acme.dev", "eve@acme.dev"] {
        let browser = Browser::sign_in(&app, email).await;
        for page in &pages {
            // An address that speaks of secrets does not make it another page.
            let answer = browser.get(&format!("{page}?made=x&signing=x&invited=x")).await;
            let is_for_admins = page
                .rsplit_once('/')
                .is_some_and(|(_, last)| FOR_ADMINS.contains(&last));
            let expected = if is_for_admins { 403 } else { 200 };
            assert_eq!(answer.status, expected, "{email} {page}");
            let shown = |word: &&&str| answer.text.contains(**word);
            assert_eq!(TAILS.iter().find(shown), None, "{email} {page}");
            if is_for_admins {
                assert_eq!(THEIRS.iter().find(shown), None, "{email} {page}");
            }
        }
    }
}
