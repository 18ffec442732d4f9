//! Links to a run: what they show and leave out, how they end, and that nobody learns which ones there were.

use domain::ShareContent;
use reqwest::header::{HeaderMap, SET_COOKIE};
use serde_json::{Value, json};
use server::auth::token::token_sha256;
use storage::shares::NewShare;

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, audit_log, deeds, default_project};

/// Stands in every field whose content a link may leave out.
pub(crate) const CANARY: &str = "canary-7f3a";

/// A step with the canary in whatever was said, and of whom.
pub(crate) fn telling_step(run_id: &str) -> Value {
    let mut told = step(run_id, "s1");
    for field in [
        "error",
        "error_class",
        "stop_reason",
        "service_tier",
        "session_id",
        "user_id",
    ] {
        told[field] = CANARY.into();
    }
    told["status_success"] = false.into();
    let conversation = json!([
        { "role": "system", "content": format!("Return JSON with the key \"{CANARY}\". {CANARY}") },
        { "role": "user", "content": [{ "type": "text", "text": CANARY }] },
        { "role": CANARY, "content": CANARY, "tool_calls": [{ "id": CANARY, "function": { "name": CANARY, "arguments": format!("{{\"{CANARY}\":\"{CANARY}\"}}") } }] }
    ]);
    told["prompt"] = conversation.to_string().into();
    told["output_code"] = format!("{{ \"{CANARY}\": [ \"{CANARY}\", 737373").into();
    told["prompt_template"] = format!("{CANARY} {{question}}").into();
    told["tags"] = json!([CANARY]);
    told["attributes"] =
        json!({ "http.url": CANARY, CANARY: CANARY, "deep": { "list": [CANARY, { CANARY: CANARY }] } });
    told["events"] = json!([{ "name": CANARY, "attributes": { "message": CANARY, CANARY: CANARY } }]);
    told
}

/// Another one that rules find things in: what they say quotes the answer.
fn found_step(run_id: &str) -> Value {
    let mut found = step(run_id, "s2");
    found["prompt"] = format!(
        "Answer with exactly one of: {CANARY}-a, {CANARY}-b. Return only JSON with the key \"{CANARY}\"."
    )
    .into();
    found["output_code"] = format!("{CANARY} {{{{undefined}}}} {CANARY} I cannot help with {CANARY}").into();
    found
}

pub(crate) async fn make(app: &TestApp, run_id: &str, wish: Value) -> Value {
    let (status, made) = app.post(&format!("/api/runs/{run_id}/shares"), &wish).await;
    assert_eq!(status, 200, "{made}");
    made
}

/// `/s/…` of a link that was made.
pub(crate) fn path_of(made: &Value) -> String {
    let url = made["url"].as_str().unwrap();
    url[url.find("/s/").unwrap()..].to_owned()
}

/// Both ways in which a browser gets at the run of a link: the page, and what its code asks for.
async fn everything(app: &TestApp, path: &str) -> Vec<(String, Answer)> {
    let token = &path["/s/".len()..];
    let mut answers = Vec::new();
    for url in [
        path.to_owned(),
        format!("{path}?step=s1"),
        format!("{path}?step=s1&in=raw&out=json&full=1"),
        format!("{path}?step=s1&in=json"),
        format!("{path}?step=s2&in=raw"),
        format!("{path}?view=table&colour=score"),
        format!("/ui/shares/opened?token={token}"),
        format!("/ui/shares/opened_step?token={token}&step_id=s1&full=true"),
        format!("/ui/shares/opened_step?token={token}&step_id=s2&full=false"),
    ] {
        let answer = Browser::new(app).get(&url).await;
        assert_eq!(answer.status, 200, "{url} {answer:?}");
        answers.push((url, answer));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_masked_or_removed_never_leaves_the_server() {
    let app = TestApp::new().await;
    app.store(telling_step("told")).await;
    app.store(found_step("told")).await;
    let (_, run) = app.get("/api/runs/told").await;
    let quoting = run["steps"][1]["conditions"].to_string();
    assert!(quoting.contains(CANARY), "no rule quotes the answer: {quoting}");

    for content in ["masked", "removed"] {
        let made = make(&app, "told", json!({ "content": content })).await;
        for (url, answer) in everything(&app, &path_of(&made)).await {
            let text = &answer.text;
            assert!(
                !text.contains(CANARY) && !text.contains("737373"),
                "{content} {url} {text}"
            );
            assert!(!text.contains("told"), "{content} {url} names the run's id");
            for (name, value) in &answer.headers {
                assert!(
                    !value.to_str().unwrap().contains(CANARY),
                    "{content} {url} {name}"
                );
            }
        }
    }

    // The shape is there, and figures are.
    let masked = path_of(&make(&app, "told", json!({})).await);
    let page = Browser::new(&app)
        .get(&format!("{masked}?step=s1&out=raw&in=raw"))
        .await
        .text;
    assert!(
        page.contains("classify-intent") && page.contains("claude-haiku-4-5"),
        "{page}"
    );
    assert!(page.contains("xxxxxx-0x0x"), "{page}");
    let removed = path_of(&make(&app, "told", json!({ "content": "removed" })).await);
    let page = Browser::new(&app).get(&format!("{removed}?step=s1")).await.text;
    assert!(
        !page.contains("xxxxxx") && page.contains("are left out of this link"),
        "{page}"
    );

    // What is shown is the same as for members, but for whom it was.
    let shown = path_of(&make(&app, "told", json!({ "content": "shown" })).await);
    let page = Browser::new(&app)
        .get(&format!("{shown}?step=s1&in=raw"))
        .await
        .text;
    assert!(
        page.contains(CANARY) && !page.contains("<dt>User<") && !page.contains("<dt>Key<"),
        "{page}"
    );
    let wish = json!({ "content": "shown", "without_people": false, "without_key": false });
    let with_people = path_of(&make(&app, "told", wish).await);
    let page = Browser::new(&app).get(&with_people).await.text;
    assert!(page.contains("<dt>User<") && page.contains("<dt>Key<"), "{page}");
}

/// What of an answer could tell one from another.
fn look(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let told = |headers: &HeaderMap| {
        let mut headers: Vec<(String, String)> = headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        headers
    };
    (answer.status, answer.text.clone(), told(&answer.headers))
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_expired_and_revoked_look_the_same() {
    let app = TestApp::new().await;
    app.store(step("a", "s")).await;
    let db = &app.state.db;
    let project = default_project(&app).await.id;

    let expired = format!("/s/{}", "E".repeat(43));
    let now = server::clock::now();
    let new = NewShare {
        token_sha256: &token_sha256(&expired["/s/".len()..]),
        run_id: "a",
        content: ShareContent::Shown,
        leaves_out_people: false,
        leaves_out_key: false,
        expires_at: now.plus_micros(-1),
    };
    storage::shares::make(db, project, new, "test", now)
        .await
        .unwrap();
    let revoked = make(&app, "a", json!({})).await;
    let id = revoked["share"]["id"].as_str().unwrap();
    let (status, answer) = crate::app::answer(app.client.delete(app.url(&format!("/api/shares/{id}")))).await;
    assert_eq!((status, &answer["revoked"]), (200, &json!(true)), "{answer}");
    let good = make(&app, "a", json!({})).await;

    let wrong = format!("/s/{}", "A".repeat(43));
    let mut looks = Vec::new();
    let dead = [
        wrong,
        expired,
        path_of(&revoked),
        "/s/x".to_owned(),
        "/s/%FF%FE".to_owned(),
    ];
    for path in &dead {
        let browser = Browser::new(&app);
        for query in ["", "?step=s&full=1"] {
            // One that is good in between: these are no guesses.
            assert_eq!(browser.get(&path_of(&good)).await.status, 200);
            let answer = Answer::of(
                browser
                    .request("GET", &format!("{path}{query}"))
                    .header("accept", "text/html"),
            )
            .await;
            assert_eq!(answer.status, 404, "{path} {answer:?}");
            assert!(answer.text.contains("This link opens nothing"), "{answer:?}");
            looks.push(look(&answer));
        }
        assert_eq!(browser.get(&path_of(&good)).await.status, 200);
        let token = &path["/s/".len()..];
        for function in ["opened", "opened_step"] {
            let url = format!("/ui/shares/{function}?token={token}&step_id=s&full=false");
            assert_eq!(browser.get(&url).await.status, 404, "{url}");
        }
    }
    assert!(looks.windows(2).all(|pair| pair[0] == pair[1]), "{looks:#?}");

    // A project that is deleted ends its links at once.
    storage::projects::deletion::start(db, project, "test", server::clock::now())
        .await
        .unwrap();
    let answer = Browser::new(&app).get(&path_of(&good)).await;
    assert_eq!(look(&answer), looks[0], "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_kept_from_caches_search_engines_and_previews() {
    let app = TestApp::new().await;
    app.store(step("previewed", "s")).await;
    let path = path_of(&make(&app, "previewed", json!({ "content": "shown" })).await);
    let answer = Browser::new(&app).get(&path).await;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex, nofollow, noarchive"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    assert!(!answer.headers.contains_key(SET_COOKIE), "{answer:?}");
    let (head, _) = answer.text.split_once("</head>").unwrap();
    assert!(
        head.contains("og:title") && head.contains("A shared run"),
        "{head}"
    );
    assert!(head.contains(r#"name="robots""#), "{head}");
    for told in ["classify-intent", "refund", "claude-haiku", "previewed"] {
        assert!(!head.contains(told), "a preview says {told}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openings_are_counted_and_the_first_is_written_down() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let made = make(&app, "r", json!({ "expires_in_days": 30 })).await;
    let path = path_of(&made);
    let token = &path["/s/".len()..];
    let id = made["share"]["id"].as_str().unwrap();
    let browser = Browser::new(&app);
    browser.get(&path).await;
    browser.get(&path).await;
    // From one part of the page to another, and what only looks whether it is there.
    Answer::of(
        browser
            .request("GET", &format!("{path}?step=s"))
            .header("sec-fetch-site", "same-origin"),
    )
    .await;
    Answer::of(browser.request("HEAD", &path)).await;
    browser.get(&format!("/ui/shares/opened?token={token}")).await;

    let (_, list) = app.get("/api/runs/r/shares").await;
    assert_eq!(list["items"][0]["open_count"], 2, "{list}");
    assert!(list["items"][0]["last_opened_at"].is_string(), "{list}");
    assert!(!list.to_string().contains(token), "{list}");
    assert_eq!(app.get("/api/shares").await.1["items"], list["items"]);

    for _ in 0..2 {
        let url = app.url(&format!("/api/shares/{id}"));
        assert_eq!(crate::app::answer(app.client.delete(url)).await.0, 200);
    }
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    let about: Vec<_> = deeds(&log)
        .into_iter()
        .filter(|(_, action, _)| action.starts_with("share."))
        .collect();
    assert_eq!(
        about,
        [
            ("default", "share.make", id),
            ("share link", "share.open", id),
            ("default", "share.revoke", id)
        ]
    );
    let details = format!("{log:?}");
    assert!(!details.contains(token), "{details}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_its_run() {
    let app = TestApp::new().await;
    app.store(step("r", "s")).await;
    let path = path_of(&make(&app, "r", json!({ "expires_in_days": 365 })).await);
    assert_eq!(Browser::new(&app).get(&path).await.status, 200);
    // Retention drops what it lies in.
    let in_ten_years = server::clock::now().plus_micros(3_653 * 86_400 * 1_000_000);
    storage::partitions::maintain(&app.options(), in_ten_years)
        .await
        .unwrap();
    assert_eq!(app.get("/api/runs/r").await.0, 404);
    assert_eq!(Browser::new(&app).get(&path).await.status, 404);
}
