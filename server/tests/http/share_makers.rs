//! Who makes links to runs, by the form and by the API, and what is refused.

use domain::{Role, Scope, Timestamp};
use serde_json::json;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, default_project, key, person};

#[tokio::test(flavor = "multi_thread")]
async fn forms_make_and_revoke_without_script() {
    let app = TestApp::new().await;
    app.store(step("r/1", "s")).await;
    let browser = Browser::new(&app);
    let page = "/p/default/runs/r%2F1/share";
    assert!(
        browser
            .get("/p/default/runs/r%2F1")
            .await
            .text
            .contains(&format!("href=\"{page}\""))
    );
    let form = browser.get(page).await.text;
    assert!(
        form.contains("Create a link") && form.contains("No link yet"),
        "{form}"
    );

    let fields = [
        ("content", "removed"),
        ("without", "people"),
        ("without", "key"),
        ("days", "other"),
        ("other_days", "3"),
    ];
    let made = browser.post(page, &fields).await;
    assert!(made.location.starts_with(&format!("{page}?made=")), "{made:?}");
    let shown = browser.get(&made.location).await.text;
    let (_, rest) = shown.split_once("/s/").unwrap_or_else(|| panic!("{shown}"));
    let token: String = rest
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
        .collect();
    assert_eq!(token.len(), 43, "{token}");
    assert_eq!(browser.get(&format!("/s/{token}")).await.status, 200);
    let again = browser.get(&made.location).await.text;
    assert!(
        !again.contains(&token) && again.contains("was already shown"),
        "{again}"
    );

    let (_, list) = app.get("/api/shares").await;
    let share = &list["items"][0];
    assert_eq!(
        (&share["content"], &share["run_id"], &share["state"]),
        (&json!("removed"), &json!("r/1"), &json!("works"))
    );
    let days = |field: &str| Timestamp::parse_rfc3339(share[field].as_str().unwrap()).unwrap();
    assert_eq!(
        days("expires_at").ms_since(days("created_at")),
        3.0 * 86_400_000.0
    );
    let settings = browser.get("/p/default/settings/shares").await.text;
    assert!(
        settings.contains("1 works") || settings.contains(">1 works<"),
        "{settings}"
    );

    let revoke = format!("/p/default/shares/{}/revoke", share["id"].as_str().unwrap());
    let done = browser.post(&revoke, &[("back", "run")]).await;
    assert_eq!(done.location, format!("{page}?done=share_revoked"), "{done:?}");
    assert_eq!(browser.get(&format!("/s/{token}")).await.status, 404);

    for (wrong, code) in [
        ([("content", "all"), ("days", "7")], "share_content"),
        ([("content", "masked"), ("days", "0")], "share_days"),
        ([("content", "masked"), ("days", "366")], "share_days"),
    ] {
        let refused = browser.post(page, &wrong).await;
        assert_eq!(refused.location, format!("{page}?error={code}"));
        assert_ne!(browser.get(&refused.location).await.status, 500);
    }
    assert_eq!(
        browser.post("/p/default/runs/none/share", &fields).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_and_viewers_and_lesser_keys_do_not() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let default = default_project(&app).await;
    let reading = key(&app, &default, &[Scope::Read]).await.secret;
    person(&app, "mara@acme.dev", &[(&default, Role::Admin)]).await;
    person(&app, "noor@acme.dev", &[(&default, Role::Member)]).await;
    person(&app, "vic@acme.dev", &[(&default, Role::Viewer)]).await;
    let member = Browser::sign_in(&app, "noor@acme.dev").await;
    let viewer = Browser::sign_in(&app, "vic@acme.dev").await;
    let api = "/api/runs/r/shares";
    let fields = [("content", "masked"), ("days", "7")];
    let form = "/p/default/runs/r/share";

    assert_eq!(
        Answer::of(viewer.request("POST", api).json(&json!({})))
            .await
            .status,
        403
    );
    assert_eq!(viewer.post(form, &fields).await.status, 403);
    let keyed = Browser::new(&app)
        .request("POST", api)
        .bearer_auth(&reading)
        .json(&json!({}));
    assert_eq!(Answer::of(keyed).await.status, 403);
    let made = Answer::of(member.request("POST", api).json(&json!({}))).await;
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["share"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        viewer.get(api).await.json()["items"][0]["created_by"],
        "noor@acme.dev"
    );
    let revoked = viewer.post(&format!("/p/default/shares/{id}/revoke"), &[]).await;
    assert_eq!(revoked.status, 403);
    assert!(viewer.get(form).await.text.contains("your role is viewer"));
    let secret = viewer.get("/ui/shares/reveal?slug=default&made=x").await;
    assert_eq!(secret.status, 403, "{secret:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_that_are_none_are_refused() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    for (wish, status, field) in [
        (json!({ "content": "everything" }), 400, "body"),
        (json!({ "expires_in_days": 0 }), 400, "expires_in_days"),
        (json!({ "expires_in_days": 366 }), 400, "expires_in_days"),
        (json!({ "expires": 1 }), 400, "body"),
        (json!("masked"), 400, "body"),
    ] {
        let (found, answer) = app.post("/api/runs/r/shares", &wish).await;
        assert_eq!(
            (found, &answer["error"]["field"]),
            (status, &json!(field)),
            "{wish} {answer}"
        );
    }
    assert_eq!(app.post("/api/runs/none/shares", &json!({})).await.0, 404);
    assert_eq!(app.get("/api/runs/none/shares").await.0, 404);
    for id in ["x", "01890000-0000-7000-8000-000000000001"] {
        let url = app.url(&format!("/api/shares/{id}"));
        assert_eq!(crate::app::answer(app.client.delete(url)).await.0, 404);
    }
}
