//! The form of Settings → scoring: what it saves, refuses and keeps.

use domain::Role;
use serde_json::json;

use crate::app::{TestApp, step};
use crate::people::{Browser, audit_log, default_project, person};

const PAGE: &str = "/p/default/settings/scoring";

/// What the page sends when nothing was touched.
const UNTOUCHED: &[(&str, &str)] = &[
    ("mode", "dynamic"),
    ("threshold_kind", "fixed"),
    ("threshold", "100"),
    ("latency_ms", ""),
    ("tokens", ""),
    ("cost_usd", ""),
    ("extended", "on"),
];

fn with<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = UNTOUCHED
        .iter()
        .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_saves_what_the_api_shows_in_every_process() {
    let app = TestApp::new().await;
    let other = app.another_process().await;
    // Both have read the rules.
    app.store(step("before", "s")).await;
    other.get("/api/settings/scoring").await;
    let browser = Browser::new(&app);
    let fields = with(&[
        ("mode", "static"),
        ("threshold", "80"),
        ("latency_ms", "500"),
        ("cost_usd", "0.25"),
        ("listed", "2004"),
        ("points_2004", "60"),
        ("on", "2004"),
        ("listed", "4009"),
        ("points_4009", "15"),
    ]);
    let answer = browser.post(PAGE, &fields).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/p/default/settings/scoring?done=saved")
    );
    let (_, saved) = app.get("/api/settings/scoring").await;
    let expected = json!({
        "mode": "manual", "extended": true, "threshold": 80,
        "limits": { "latency_ms": 500.0, "tokens": null, "cost_usd": "0.25" },
        "muted": [4009], "points": { "2004": 60 }
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&saved[name], value, "{name}");
    }
    // The other process is notified, and scores by it.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while other.get("/api/settings/scoring").await.1 != saved {
        assert!(
            std::time::Instant::now() < deadline,
            "the other process still has the old rules"
        );
    }
    let mut wordy = step("after", "s");
    wordy["output_code"] = json!("Probably, but it depends on the order.");
    other.store(wordy).await;
    let (_, read) = other.get("/api/runs/after").await;
    assert_eq!(read["steps"][0]["severity"], "critical", "{read}");
    let page = browser.get(PAGE).await;
    assert!(
        page.text.contains("Saved") && page.text.contains("by local"),
        "who saved it stands on the page"
    );
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    assert_eq!(
        (log[0].action.as_str(), log[0].actor.as_str()),
        ("scoring.change", "local")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_comes_back_as_it_was_typed() {
    let app = TestApp::new().await;
    let browser = Browser::new(&app);
    let (_, before) = app.get("/api/settings/scoring").await;
    let check = async |name: &str, value: &str, message: &str| {
        let answer = browser
            .post(PAGE, &with(&[(name, value), ("tokens", "8000")]))
            .await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(answer.location.contains("error=scoring"), "{answer:?}");
        let page = browser.get(&answer.location).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains(message), "{name} does not say: {message}");
        assert!(
            page.text.contains(&format!("value=\"{value}\"")),
            "{name} lost what was typed"
        );
        assert!(
            page.text.contains("value=\"8000\""),
            "another field lost what was typed"
        );
        assert!(page.text.contains("aria-invalid=\"true\""));
        assert_eq!(
            app.get("/api/settings/scoring").await.1,
            before,
            "nothing may be saved"
        );
    };
    check("threshold", "0", "A whole number from 1 to 10000").await;
    check("latency_ms", "-5", "A number of milliseconds above 0").await;
    check("cost_usd", "cheap", "An amount in dollars above 0").await;
    check("points_2001", "9999", "A whole number from 0 to 1000").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_save_and_others_get_the_reason() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    person(&app, "admin@acme.dev", &[(&project, Role::Admin)]).await;
    person(&app, "viewer@acme.dev", &[(&project, Role::Viewer)]).await;
    person(&app, "member@acme.dev", &[(&project, Role::Member)]).await;
    for email in ["viewer@acme.dev", "member@acme.dev"] {
        let browser = Browser::sign_in(&app, email).await;
        let page = browser.get(PAGE).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("Only an admin of the project can change this"));
        assert_eq!(
            browser.post(PAGE, &with(&[("threshold", "60")])).await.status,
            403,
            "{email}"
        );
    }
    let admin = Browser::sign_in(&app, "admin@acme.dev").await;
    assert_eq!(admin.post(PAGE, &with(&[("threshold", "60")])).await.status, 303);
    let saved = admin.get("/api/settings/scoring").await.json();
    assert_eq!(saved["threshold"], 60);
    assert!(admin.get(PAGE).await.text.contains("by admin@acme.dev"));
}
