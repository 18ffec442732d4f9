//! The picture of a provider's bill in Ask: read by a model, corrected, compared with the ledger.

use domain::Timestamp;
use serde_json::{Value, json};
use storage::bills::{self, Reading};
use uuid::Uuid;

use crate::app::{TestApp, step};
use crate::investigations::{Provider, answer_text, app_with, works};
use crate::people::{Answer, Browser, audit_log, deeds, default_project};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nmade up";
const BOUNDARY: &str = "----made-up";

/// Sends a form with a file as browsers do that run no script.
async fn send(app: &TestApp, fields: &[(&str, &str)], file: (&str, &[u8])) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let (file_name, bytes) = file;
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"picture\"; filename=\"{file_name}\"\r\n\
         content-type: image/png\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let request = Browser::new(app)
        .request("POST", "/p/default/ask/bill")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .header("accept", "text/html")
        .body(body);
    Answer::of(request).await
}

/// The chat that a form led to.
fn chat_in(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    let chat = answer.location.strip_prefix("/p/default/ask?chat=");
    chat.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// The question of a chat that has one, and how far the reading of its picture is.
async fn question_of(app: &TestApp, chat: &str) -> (Uuid, Option<Reading>) {
    let (status, body) = app.get(&format!("/api/chats/{chat}")).await;
    assert_eq!(status, 200, "{body}");
    let id: Uuid = body["messages"][0]["id"].as_str().unwrap().parse().unwrap();
    let project = default_project(app).await.id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let reading = bills::reading(&mut snapshot, project, id).await.unwrap();
    (id, reading)
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn costing(id: &str, at: Timestamp, cost: f64) -> Value {
    let mut step = step(id, id);
    step["model"] = "claude-own".into();
    step["started_at"] = at.to_string().into();
    step["cost"] = cost.into();
    step
}

fn report(days: &Value) -> Value {
    json!({ "sees_picture": true, "provider": "Anthropic", "currency": "USD", "days": days })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_is_read_corrected_and_compared_without_a_script() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let (_stop, _) = works(&app);
    let yesterday = server::clock::now().plus_micros(-86_400_000_000);
    let before = yesterday.plus_micros(-86_400_000_000);
    app.store(costing("r1", before, 20.28)).await;
    app.store(costing("r2", yesterday, 21.86)).await;
    let mut other = costing("r3", yesterday, 5.0);
    other["model"] = "gpt-own".into();
    app.store(other).await;

    let (_, page) = answer_text(&app, "/p/default/ask").await;
    for part in ["enctype=\"multipart/form-data\"", "type=\"file\"", "at most 3 MB"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // It misreads one day.
    let days = json!([
        { "day": day(yesterday), "amount": "72.27" },
        { "day": day(before), "amount": "20.28" },
    ]);
    provider.says("", &[("report_bill", report(&days))]);
    let sent = send(&app, &[("waits", "yes")], ("invoice-nov.png", PNG)).await;
    let chat = chat_in(&sent);
    let asked = provider.asked();
    let content = &asked.last().unwrap()["messages"][1]["content"];
    let url = content[1]["image_url"]["url"].as_str().unwrap_or_default();
    assert!(url.starts_with("data:image/png;base64,iVBORw0KGgpt"), "{content}");

    let (_, page) = answer_text(&app, &format!("/p/default/ask?chat={chat}")).await;
    for part in [
        "invoice-nov.png",
        "Read 2 days, $92.55 in all.",
        "value=\"72.27\"",
        "value=\"20.28\"",
        "value=\"claude\"",
        "Compare with the ledger",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("to the cent"),
        "nothing is compared before: {page}"
    );
    let (question, reading) = question_of(&app, &chat).await;
    assert_eq!(reading, Some(Reading::Done), "the picture is gone");

    let form = format!("/p/default/ask/{question}/bill");
    let (first, second) = (day(before), day(yesterday));
    let corrected = [
        ("chat", chat.as_str()),
        ("models", "claude"),
        ("day", &first),
        ("amount", "20.28"),
        ("day", &second),
        ("amount", "$22.27"),
        ("day", ""),
        ("amount", ""),
    ];
    let compared = Browser::new(&app).post(&form, &corrected).await;
    assert_eq!(chat_in(&compared), chat);
    let (_, page) = answer_text(&app, &format!("/p/default/ask?chat={chat}")).await;
    for part in [
        "1 of 2 days agrees to the cent.",
        "the bill has $0.4100 more than the ledger",
        "+$0.41",
        "$21.86",
        "Correct what was read",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let bad = [("chat", chat.as_str()), ("day", "14 Nov"), ("amount", "1")];
    assert_eq!(Browser::new(&app).post(&form, &bad).await.status, 400);

    // A later question is told of it.
    provider.says("The bill has 41 cents more.", &[]);
    let asked = [("chat", chat.as_str()), ("text", "Why?"), ("waits", "yes")];
    chat_in(&Browser::new(&app).post("/p/default/ask", &asked).await);
    let told = provider.asked().last().unwrap()["messages"].to_string();
    assert!(told.contains("$22.27, ledger $21.86"), "{told}");

    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    let done: Vec<&str> = deeds(&log).into_iter().map(|(_, action, _)| action).collect();
    assert!(done.contains(&"chat.compare_bill"), "{done:?}");
    let deleted = Browser::new(&app)
        .post(&format!("/p/default/ask/{chat}/delete"), &[])
        .await;
    assert_eq!(deleted.status, 303);
    let project = default_project(&app).await.id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let reading = bills::reading(&mut snapshot, project, question).await.unwrap();
    assert_eq!(reading, None, "what was read goes with the chat");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_sees_no_pictures_is_said_and_the_picture_is_not_kept() {
    let provider = Provider::start().await;
    let app = app_with(&provider).await;
    let (_stop, _) = works(&app);
    let blind = json!({ "sees_picture": false, "provider": "", "currency": "", "days": [] });
    let euros = json!({ "sees_picture": true, "provider": "", "currency": "EUR",
        "days": [{ "day": "2026-11-14", "amount": "1" }] });
    let cases = [
        (None, "unknown variant `image_url`"),
        (Some(("", vec![("report_bill", blind)])), "sees no picture"),
        (Some(("", vec![("report_bill", euros)])), "in EUR"),
        (Some(("A nice bill.", Vec::new())), "handed no figures over"),
    ];
    for (says, expected) in cases {
        match says {
            Some((text, calls)) => provider.says(text, &calls),
            None => provider.refuses(400, "unknown variant `image_url`, expected `text`"),
        }
        let chat = chat_in(&send(&app, &[("waits", "yes")], ("bill.png", PNG)).await);
        let (_, page) = answer_text(&app, &format!("/p/default/ask?chat={chat}")).await;
        assert!(page.contains(expected), "{expected}: {page}");
        assert!(!page.contains("Compare with the ledger"), "{page}");
        let (_, reading) = question_of(&app, &chat).await;
        assert_eq!(reading, Some(Reading::Gone), "{expected}");
    }
    let (_, chats) = app.get("/api/chats").await;
    let newest = chats["items"][0]["id"].as_str().unwrap();
    let (_, page) = answer_text(&app, &format!("/p/default/ask?chat={newest}")).await;
    assert!(page.contains("choose one that does for Ask"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_or_too_large_is_not_taken() {
    let app = TestApp::new().await;
    let large = [PNG, &vec![0_u8; 4 * 1024 * 1024]].concat();
    let beyond = [PNG, &vec![0_u8; 3 * 1024 * 1024]].concat();
    for (bytes, status) in [
        (&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], 400),
        (b"", 400),
        (&beyond, 400),
        (&large, 413),
    ] {
        let answer = send(&app, &[], ("bill.png", bytes)).await;
        assert_eq!(answer.status, status, "{} bytes: {answer:?}", bytes.len());
    }
    let plain = Browser::new(&app)
        .post("/p/default/ask/bill", &[("picture", "x")])
        .await;
    assert_eq!(plain.status, 400, "{plain:?}");
    let (_, chats) = app.get("/api/chats").await;
    assert_eq!(chats["items"], json!([]), "no chat was begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_wait_are_few() {
    let app = TestApp::new().await;
    // Nothing works at them.
    for _ in 0..bills::MOST_PICTURES {
        chat_in(&send(&app, &[], ("bill.png", PNG)).await);
    }
    let refused = send(&app, &[], ("bill.png", PNG)).await;
    assert_eq!(refused.status, 429, "{refused:?}");
}
