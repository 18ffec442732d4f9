//! L3: the audit log was shown nowhere, lacked the sign-ins, and went with its project.

use domain::{Role, Scope};

use crate::app::TestApp;
use crate::people::{
    Answer, Browser, PASSWORD, audit_log, deeds, default_project, key, other_project, person,
};

const SETUP: [(&str, &str); 4] = [
    ("name", "Mara"),
    ("email", "mara@acme.dev"),
    ("password", PASSWORD),
    ("project", "Acme"),
];

/// A server whose first account is Mara's, and her browser.
async fn set_up(app: &TestApp) -> Browser<'_> {
    let mut mara = Browser::new(app);
    mara.cookie = mara.post("/setup", &SETUP).await.cookie().unwrap();
    mara
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_people_do_is_written_down() {
    let app = TestApp::new().await;
    let mara = set_up(&app).await;
    let anonymous = Browser::new(&app);
    anonymous
        .post(
            "/login",
            &[("email", "Mara@acme.dev"), ("password", "wrong horse")],
        )
        .await;
    anonymous
        .post("/login", &[("email", "my secret password"), ("password", "x")])
        .await;
    let made = mara
        .post(
            "/p/default/settings/keys",
            &[("label", "prod"), ("scope", "ingest")],
        )
        .await;
    let shown = mara.get(&made.location).await.text;
    let at = shown.find("pl_live_").unwrap();
    let prefix = shown[at..at + 12].to_owned();
    mara.post("/projects", &[("name", "Other")]).await;
    mara.post("/logout", &[]).await;

    let server: Vec<_> = audit_log(&app, None)
        .await
        .into_iter()
        .filter(|row| row.project.is_none())
        .collect();
    assert_eq!(
        deeds(&server),
        [
            ("local", "account.make", "mara@acme.dev"),
            ("mara@acme.dev", "sign_in", "mara@acme.dev"),
            ("127.0.0.1", "sign_in.fail", "mara@acme.dev"),
            ("127.0.0.1", "sign_in.fail", "(not an e-mail address)"),
            ("mara@acme.dev", "session.sign_out", "mara@acme.dev"),
        ]
    );
    let default = default_project(&app).await;
    let log = audit_log(&app, Some(&default)).await;
    assert_eq!(
        deeds(&log),
        [
            ("local", "member.add", "mara@acme.dev"),
            ("local", "project.rename", "default"),
            ("server", "key.make", "default"),
            ("mara@acme.dev", "key.make", "prod"),
            ("mara@acme.dev", "key.reveal", prefix.as_str()),
        ]
    );
    let other = storage::projects::by_slug(&app.state.db, "other").await.unwrap();
    let log = audit_log(&app, Some(&other)).await;
    assert_eq!(
        deeds(&log),
        [
            ("mara@acme.dev", "project.make", "other"),
            ("server", "key.make", "default"),
        ]
    );
    let everything = format!("{:?}", audit_log(&app, None).await);
    for secret in ["wrong horse", "my secret", PASSWORD, &shown[at..at + 57]] {
        assert!(!everything.contains(secret), "{secret}: {everything}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_does_not_fill_the_log() {
    let app = TestApp::new().await;
    person(
        &app,
        "mara@acme.dev",
        &[(&default_project(&app).await, Role::Admin)],
    )
    .await;
    let browser = Browser::new(&app);
    for n in 0..300 {
        let email = format!("not an address {n}");
        browser
            .post("/login", &[("email", &email), ("password", "x")])
            .await;
    }
    let shutdown = tokio_util::sync::CancellationToken::new();
    shutdown.cancel();
    app.state.auth.clone().run_usage_flush(shutdown).await;
    let log = audit_log(&app, None).await;
    let failures: Vec<_> = log.iter().filter(|row| row.action == "sign_in.fail").collect();
    // An hour may begin in between.
    assert!((201..=301).contains(&failures.len()), "{}", failures.len());
    let counted: u64 = failures
        .iter()
        .map(|row| row.details["count"].as_u64().unwrap_or(1))
        .sum();
    assert_eq!(counted, 300, "each is counted once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_a_page_an_answer_and_a_file() {
    let app = TestApp::new().await;
    let mara = set_up(&app).await;
    let default = default_project(&app).await;
    for n in 0..120 {
        let entry = storage::audit::Entry::new(
            "noor@acme.dev",
            "key.make",
            &format!("=k{n}"),
            serde_json::json!({}),
        );
        let at = server::clock::now();
        storage::audit::record(&app.state.db, default.id, &entry, at)
            .await
            .unwrap();
    }
    let page = mara.get("/p/default/settings/audit?who=noor").await.text;
    assert!(
        page.contains("=k119") && !page.contains("=k19<") && page.contains("Earlier"),
        "{page}"
    );
    let (_, rest) = page.split_once("cursor=").unwrap();
    let cursor = rest.split('"').next().unwrap();
    let earlier = mara
        .get(&format!("/p/default/settings/audit?who=noor&cursor={cursor}"))
        .await
        .text;
    assert!(
        earlier.contains("=k19<") && !earlier.contains("=k20<") && !earlier.contains("Earlier"),
        "{earlier}"
    );
    let none = mara.get("/p/default/settings/audit?what=price").await.text;
    assert!(none.contains("No row of the audit log fits"), "{none}");

    let first = mara
        .get("/api/audit?project=default&who=noor&limit=100")
        .await
        .json();
    assert_eq!(first["items"].as_array().unwrap().len(), 100);
    let next = first["next_cursor"].as_str().unwrap();
    let second = mara
        .get(&format!(
            "/api/audit?project=default&who=noor&limit=100&cursor={next}"
        ))
        .await
        .json();
    assert_eq!(
        (second["items"].as_array().unwrap().len(), &second["next_cursor"]),
        (20, &serde_json::Value::Null)
    );
    let file = mara
        .get("/api/audit?project=default&format=csv&what=key&limit=10")
        .await;
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    assert!(
        file.headers.contains_key("x-next-cursor"),
        "it says that it is cut"
    );
    assert_eq!(file.text.lines().count(), 11);
    assert!(file.text.contains("\"'=k119\""), "no formula: {}", file.text);
    for wrong in [
        "cursor=x",
        "limit=0",
        "limit=10001",
        "from=x",
        "format=xml",
        "instance=x",
    ] {
        assert_eq!(
            mara.get(&format!("/api/audit?{wrong}")).await.status,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_what() {
    let app = TestApp::new().await;
    let mara = set_up(&app).await;
    let (default, other) = (default_project(&app).await, other_project(&app).await);
    person(&app, "noor@acme.dev", &[(&default, Role::Member)]).await;
    person(&app, "eve@acme.dev", &[(&other, Role::Admin)]).await;
    let noor = Browser::sign_in(&app, "noor@acme.dev").await;
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    // Sign-ins say when and where people work: that is for who answers for the server.
    let server = "/p/other/settings/audit?scope=server";
    assert!(!eve.get(server).await.text.contains("mara@acme.dev"));
    assert_eq!(eve.get("/api/audit?instance=true").await.status, 403);
    let own = eve.get("/api/audit?project=other").await.json();
    let own: Vec<&str> = own["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(own, ["member.add", "project.make"]);
    let page = noor.get("/p/default/settings/audit").await.text;
    assert!(
        page.contains("The audit log is for admins") && !page.contains("member.add"),
        "{page}"
    );
    assert_eq!(noor.get("/api/audit?project=default").await.status, 403);
    let all = mara.get("/p/default/settings/audit?scope=server").await.text;
    assert!(all.contains("sign_in") && all.contains("eve@acme.dev"), "{all}");
    let rows = mara.get("/api/audit?instance=true&what=sign_in").await.json();
    assert!(rows["items"].as_array().unwrap().len() >= 3, "{rows}");

    let read = key(&app, &default, &[Scope::Read]).await.secret;
    let admin = key(&app, &default, &[Scope::Admin]).await.secret;
    let get = async |path: &str, key: &str| {
        Answer::of(app.client.get(app.url(path)).bearer_auth(key))
            .await
            .status
    };
    assert_eq!(get("/api/audit", &read).await, 403);
    assert_eq!(get("/api/audit", &admin).await, 200);
    assert_eq!(get("/api/audit?project=other", &admin).await, 404);
    assert_eq!(get("/api/audit?instance=true", &admin).await, 403);
    assert_eq!(
        Browser::new(&app).get("/api/audit?instance=true").await.status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_outlives_its_project() {
    let app = TestApp::new().await;
    let mara = set_up(&app).await;
    mara.post("/projects", &[("name", "Gone")]).await;
    let gone = mara.post("/p/gone/settings/delete", &[("confirm", "gone")]).await;
    assert_eq!(gone.location, "/?done=deleted");
    let project = storage::projects::deletion::under_way(&app.state.db, None)
        .await
        .unwrap();
    assert_eq!(project.len(), 1);
    while let Some(chunk) = storage::jobs::take(
        &app.state.db,
        &[storage::projects::deletion::KIND],
        None,
        server::clock::now(),
    )
    .await
    .unwrap()
    {
        storage::projects::deletion::delete_chunk(chunk, server::clock::now())
            .await
            .unwrap();
    }
    assert_eq!(
        storage::projects::deletion::under_way(&app.state.db, None)
            .await
            .unwrap(),
        []
    );
    // A new project with the same word does not inherit it.
    mara.post("/projects", &[("name", "Gone")]).await;
    let own = mara.get("/api/audit?project=gone&what=project").await.json();
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
    let all = mara.get("/api/audit?instance=true&what=project").await.json();
    let actions: Vec<(&str, &str)> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["project"] == "gone")
        .map(|row| (row["actor"].as_str().unwrap(), row["action"].as_str().unwrap()))
        .collect();
    assert_eq!(
        actions,
        [
            ("mara@acme.dev", "project.make"),
            ("mara@acme.dev", "project.delete"),
            ("mara@acme.dev", "project.make")
        ]
    );
}
