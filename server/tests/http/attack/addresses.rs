//! Addresses that only forms post to are no dead ends, and none changes anything when it is opened.

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project};

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_a_form_opened_as_a_page_leads_to_its_page() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let browser = Browser::new(&app);
    for path in server::forms::FORM_PATHS {
        let names_one = path.contains("{id}") || path.contains("{user}");
        let path = path
            .replace("{project}", "default")
            .replace("{run}", "r")
            .replace("{user}", "nobody")
            .replace("{id}", "00000000-0000-0000-0000-000000000000");
        for accept in ["text/html", "*/*"] {
            let answer = Answer::of(browser.request("GET", &path).header("accept", accept)).await;
            assert!(matches!(answer.status, 200 | 302 | 303), "{path} {answer:?}");
            if answer.status != 200 {
                let page = browser.get(&answer.location).await;
                // The page of one thing that does not exist says so.
                let is_page = matches!(page.status, 200 | 302 | 303) || (names_one && page.status == 404);
                assert!(is_page, "{path} leads to {} {}", answer.location, page.status);
            }
        }
    }
    let leads = [
        ("/p/default/settings/general", "/p/default/settings"),
        ("/p/default/settings/delete", "/p/default/settings"),
        ("/p/default/settings/keys/x/revoke", "/p/default/settings/keys"),
        (
            "/p/default/settings/prices/reprice/7/cancel",
            "/p/default/settings/prices",
        ),
        ("/p/default/conditions/mute", "/p/default"),
        ("/logout", "/"),
    ];
    for (path, page) in leads {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.location.as_str()), (303, page), "{path}");
    }
    assert_eq!(default_project(&app).await.name, "Default");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_nothing_uses_is_refused_in_words() {
    let app = TestApp::new().await;
    for path in ["/p/default/runs", "/p/default/settings/general", "/login"] {
        for (accept, words) in [("text/html", "<h1>"), ("*/*", "method_not_allowed")] {
            let request = Browser::new(&app)
                .request("DELETE", path)
                .header("accept", accept)
                .header("origin", &app.origin);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 405, "{path}");
            assert!(answer.text.contains(words), "{path} {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_read_may_be_kept_by_a_cache() {
    let app = TestApp::new().await;
    for path in [
        "/api/runs",
        "/api/none",
        "/p/default/runs",
        "/healthz",
        "/metrics",
        "/login",
    ] {
        let answer = Browser::new(&app).get(path).await;
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_makes_no_project() {
    let app = TestApp::new().await;
    let project = default_project(&app).await;
    let now = server::clock::now();
    let job = storage::projects::deletion::start(&app.state.db, project.id, "test", now)
        .await
        .unwrap();
    while let Some(chunk) = storage::jobs::take(
        &app.state.db,
        &[storage::projects::deletion::KIND],
        Some((project.id, job)),
        now,
    )
    .await
    .unwrap()
    {
        storage::projects::deletion::delete_chunk(chunk, now)
            .await
            .unwrap();
    }
    app.state.auth.invalidate();
    for path in ["/api/runs", "/api/ledger", "/", "/p/default/runs"] {
        Browser::new(&app).get(path).await;
    }
    assert!(storage::projects::list(&app.state.db).await.unwrap().is_empty());
}
