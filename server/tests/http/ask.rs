//! Questions that are asked beside a page.

use serde_json::json;

use crate::app::{TestApp, step};
use crate::investigations::{Provider, answer_text, app_with, works};
use crate::people::{Answer, Browser};

/// Where a form led to.
fn led_to(answer: Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.location
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_beside_a_run_is_about_it_and_leads_back_to_it() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    app.store(step("r1", "s1")).await;
    let (_stop, _) = works(&app);
    // The drawer is closed until the address says so, and offers what can be asked.
    let (_, closed) = answer_text(&app, "/p/default/runs/r1").await;
    assert!(!closed.contains("class=\"drawer\""), "{closed}");
    let (_, open) = answer_text(&app, "/p/default/runs/r1?step=s1&ask=1").await;
    for part in [
        "class=\"drawer\"",
        "Which step of this run cost most?",
        "value=\"runs/r1?step=s1\"",
    ] {
        assert!(open.contains(part), "{part}: {open}");
    }

    provider.says("", &[("get_run", json!({ "run_id": "r1" }))]);
    provider.says("It has one step [1].", &[]);
    let asked = [
        ("page", "runs/r1"),
        ("beside", "runs/r1?step=s1"),
        ("text", "What is in this run?"),
        ("waits", "yes"),
    ];
    let answer = Browser::new(&app).post("/p/default/ask", &asked).await;
    let place = led_to(answer);
    let chat = place
        .strip_prefix("/p/default/runs/r1?step=s1&ask=")
        .unwrap_or_else(|| panic!("{place}"))
        .to_owned();
    let (_, page) = answer_text(&app, &place).await;
    for part in [
        "What is in this run?",
        "It has one step",
        "get_run",
        "class=\"panel-step",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let told = provider.asked().last().unwrap()["messages"].to_string();
    assert!(
        told.contains("runs/r1") && told.contains("what the page shows"),
        "{told}"
    );

    let deleted = Browser::new(&app)
        .post(
            &format!("/p/default/ask/{chat}/delete"),
            &[("beside", "runs/r1?step=s1")],
        )
        .await;
    assert_eq!(led_to(deleted), "/p/default/runs/r1?step=s1&ask=1");
    assert_eq!(app.get(&format!("/api/chats/{chat}")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_the_drawer_says_what_it_needs() {
    let app = TestApp::new().await;
    app.store(step("r1", "s1")).await;
    let (_, page) = answer_text(&app, "/p/default?range=7d&key=prod&ask=1").await;
    for part in [
        "Ask needs a model",
        "/p/default/settings/providers",
        "7 days, key prod",
        // What the model would be told: the window itself, and the filter.
        "value=\"?from=20",
        "&amp;key=prod\"",
        "value=\"?range=7d&amp;key=prod\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("How does the month end?"), "{page}");
    // No form leads to another site, nor to a page that has no drawer.
    for beside in ["//evil.example?", "settings/keys?"] {
        let asked = [("beside", beside), ("text", "Why?")];
        let answer = Browser::new(&app).post("/p/default/ask", &asked).await;
        let place = led_to(answer);
        assert!(place.starts_with("/p/default/ask?chat="), "{place}");
    }
}
