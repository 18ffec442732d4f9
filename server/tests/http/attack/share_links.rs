//! Whoever holds a link to a run has that run and nothing else, and nobody finds another one by trying.

use domain::Role;
use serde_json::json;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project, person};
use crate::shares::{make, path_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_its_run_and_nothing_else() {
    let app = TestApp::new().await;
    let mut other = step("other-run", "s");
    other["step_name"] = "secret-step".into();
    app.store(other).await;
    app.store(step("mine", "s")).await;
    let made = make(&app, "mine", json!({ "content": "shown" })).await;
    let path = path_of(&made);
    let token = path["/s/".len()..].to_owned();
    let default = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;

    let holder = Browser {
        app: &app,
        cookie: format!("plumbline_session={token}"),
    };
    let page = holder.get(&path).await;
    assert_eq!(page.status, 200, "{page:?}");
    // Nothing on it leads into the project or knows of it.
    for told in ["/p/", "default", "mara@", "other-run", "secret-step", "01890000"] {
        assert!(!page.text.contains(told), "the page says {told}: {}", page.text);
    }
    // The token is neither a key nor a session, wherever it is shown.
    for (method, url) in [
        ("GET", "/api/runs"),
        ("GET", "/api/runs/mine"),
        ("GET", "/api/runs/mine/steps/s/payload"),
        ("GET", "/api/shares"),
        ("POST", "/api/runs/mine/shares"),
        ("GET", "/api/live"),
        ("GET", "/metrics"),
    ] {
        for request in [
            holder.request(method, url),
            holder.request(method, url).bearer_auth(&token),
            holder.request(method, &format!("{url}?token={token}")),
        ] {
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 401, "{method} {url} {answer:?}");
        }
    }
    for url in [
        format!("/p/default/runs/mine?token={token}"),
        format!("{path}/"),
        format!("{path}/runs"),
        format!("{path}/../../p/default/runs"),
        "/s/".to_owned(),
        "/s".to_owned(),
    ] {
        let answer = holder.get(&url).await;
        assert!(
            answer.status == 303 && answer.location.starts_with("/login"),
            "{url} {answer:?}"
        );
    }
    for url in [
        format!("/ui/runs/get?token={token}"),
        format!("/ui/shares/list?slug=default&run_id=mine&token={token}"),
        format!("/ui/shares/reveal?slug=default&made=x&token={token}"),
        format!("/live/default?token={token}"),
    ] {
        let answer = holder.get(&url).await;
        assert!(matches!(answer.status, 303 | 401 | 405), "{url} {answer:?}");
    }
    // Another run's step by the link of this one.
    let step = |run: &str| {
        format!("/ui/shares/opened_step?token={token}&step_id=s&full=true&run_id={run}&slug=default")
    };
    assert!(!holder.get(&step("other-run")).await.text.contains("secret-step"));
    // Only looking is possible.
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = Answer::of(holder.request(method, &path)).await;
        assert_eq!(answer.status, 405, "{method} {answer:?}");
    }
    // Who is signed in sees by a link what everybody sees.
    let mara = Browser::sign_in(&app, "mara@acme.dev").await;
    let hers = mara.get(&path).await;
    assert!(
        hers.status == 200 && !hers.text.contains("mara@") && !hers.text.contains("/p/"),
        "{hers:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_wait_longer_each_time_whatever_they_are() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let good = path_of(&make(&app, "r", json!({})).await);
    let browser = Browser::new(&app);
    for n in 0..5 {
        assert_eq!(browser.get(&format!("/s/guess-{n}")).await.status, 404);
    }
    let refused = [
        browser.get("/s/guess-6").await,
        browser.get("/ui/shares/opened?token=guess-7").await,
    ];
    for answer in &refused {
        assert_eq!(answer.status, 429, "{answer:?}");
    }
    assert!(refused[0].headers.contains_key("retry-after"), "{refused:?}");
    // Whoever has one that is good does not wait for what others try.
    assert_eq!(browser.get(&good).await.status, 200);
    // Signing in is counted apart.
    let default = default_project(&app).await;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    Browser::sign_in(&app, "mara@acme.dev").await;
}
