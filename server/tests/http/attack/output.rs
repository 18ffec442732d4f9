//! What a page becomes is in proportion to what it shows, whatever was stored.

use domain::{InquiryEventKind, WorkState};
use serde_json::{Value, json};

use crate::app::{TestApp, step};
use crate::people::{Answer, default_project};

/// Each byte of coloured JSON may be a line of its own, with a number and blanks before it.
const BYTES_PER_BYTE: usize = 160;
/// A page without texts.
const EMPTY_PAGE_BYTES: usize = 200_000;
/// What is shown of one text at most.
const SHOWN_BYTES: usize = 64 * 1024;
const SHOWN_IN_FULL_BYTES: usize = 1024 * 1024;
/// What of it is coloured: the rest has no markup of its own.
const COLOURED_BYTES: usize = 24 * 1024;

fn nested(n: usize) -> String {
    "[".repeat(n) + &"]".repeat(n)
}

async fn page_bytes(app: &TestApp, path: &str) -> usize {
    let answer = Answer::of(app.client.get(app.url(path))).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.text.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_step_becomes_a_page_out_of_proportion() {
    let app = TestApp::new().await;
    let keys: Vec<String> = (0..50_000).map(|n| format!("\"{n}\":0")).collect();
    let texts = [
        nested(12_000),
        nested(200_000),
        format!("{{{}}}", keys.join(",")),
        "x".repeat(2_000_000),
        "\u{301}".repeat(200_000),
        "<&>\"'".repeat(40_000),
        "\n".repeat(300_000),
    ];
    for (n, text) in texts.iter().enumerate() {
        let run = format!("r{n}");
        let mut sent = step(&run, "s");
        sent["output_code"] = text.as_str().into();
        sent["prompt"] = text.as_str().into();
        sent["prompt_template"] = text.as_str().into();
        app.store(sent).await;
        for (query, shown) in [
            ("", SHOWN_BYTES),
            ("&out=json&in=json", SHOWN_BYTES),
            ("&out=json&in=json&full=1", SHOWN_IN_FULL_BYTES),
        ] {
            let bytes = page_bytes(&app, &format!("/p/default/runs/{run}?step=s{query}")).await;
            let shown = text.len().min(shown);
            // Three texts, each in the page and in the data that the page's code takes over, where `<` is 6 bytes.
            let plain = 3 * 12 * shown.max(text.len().min(512 * 1024));
            let most = EMPTY_PAGE_BYTES + plain + 3 * BYTES_PER_BYTE * shown.min(COLOURED_BYTES);
            assert!(
                bytes <= most,
                "text {n}{query}: {} bytes became {bytes}, of at most {most}",
                text.len()
            );
        }
    }
}

/// The default view of a conversation was the worst: each tool's result was indented, whatever was to be cut.
#[tokio::test(flavor = "multi_thread")]
async fn all_parts_of_a_conversation_share_what_the_page_shows() {
    let app = TestApp::new().await;
    let results = |count: usize, text: &str| -> Value {
        let messages: Vec<Value> = (0..count)
            .flat_map(|n| {
                let call = json!({"id": n, "function": {"name": "find", "arguments": text}});
                [
                    json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                    json!({"role": "tool", "content": text}),
                ]
            })
            .collect();
        json!({ "messages": messages })
    };
    let chats = [
        ("one", results(1, &nested(12_000)), 3 * 1024 * 1024),
        ("ten", results(10, &nested(12_000)), 6 * 1024 * 1024),
        ("tiny", results(1_500, "{}"), 6 * 1024 * 1024),
        (
            "words",
            json!({ "messages": vec![json!({"role": "user", "content": "x"}); 20_000] }),
            6 * 1024 * 1024,
        ),
    ];
    for (run, chat, most) in &chats {
        let mut sent = step(run, "s");
        sent["prompt"] = chat.to_string().into();
        app.store(sent).await;
        let bytes = page_bytes(&app, &format!("/p/default/runs/{run}?step=s")).await;
        assert!(bytes < *most, "{run}: {bytes}");
        let full = page_bytes(&app, &format!("/p/default/runs/{run}?step=s&full=1")).await;
        assert!(full < 12 * 1024 * 1024, "{run} in full: {full}");
    }
    let page = Answer::of(app.client.get(app.url("/p/default/runs/tiny?step=s")))
        .await
        .text;
    assert!(page.contains("further messages not shown"), "it says so");
    let file = "/api/runs/tiny/steps/s/payload?project=default";
    assert!(
        page.contains(&format!("href=\"{file}&amp;text=input\"")),
        "and has a way to all of it"
    );
    let whole = Answer::of(app.client.get(app.url(&format!("{file}&text=input")))).await;
    assert_eq!(whole.text, chats[2].1.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_events_are_shown_in_part() {
    let app = TestApp::new().await;
    let mut sent = step("r", "s");
    let attributes: serde_json::Map<String, Value> =
        (0..20_000).map(|n| (format!("k{n}"), json!(0))).collect();
    sent["attributes"] = attributes.into();
    let details = json!({ "x": "y".repeat(15_000) });
    sent["events"] = (0..500)
        .map(|n| json!({ "name": format!("e{n}"), "attributes": details }))
        .collect();
    app.store(sent).await;
    let page = Answer::of(app.client.get(app.url("/p/default/runs/r?step=s")))
        .await
        .text;
    assert!(page.len() < 1024 * 1024, "{}", page.len());
    assert!(page.contains("The first 200 of 20000"), "it says how many");
    let full = page_bytes(&app, "/p/default/runs/r?step=s&full=1").await;
    assert!(full < 5 * 1024 * 1024, "{full}");
}

/// A run's page grows with its steps, however they hang together and whatever their names are.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_many_steps_is_a_page_in_proportion_to_them() {
    let app = TestApp::new().await;
    for (run, count) in [("small", 500), ("large", 1_000)] {
        let steps: Vec<Value> = (0..count)
            .map(|n| {
                let mut step = step(run, &format!("s{n}"));
                step["step_name"] = "\u{301}<".repeat(100).into();
                step["tags"] = (0..50)
                    .map(|tag| format!("{n}-{tag}-{}", "t".repeat(100)))
                    .collect();
                // Each hangs in the one before: as deep as it can be.
                if n > 0 {
                    step["parent_step_id"] = format!("s{}", n - 1).into();
                }
                step
            })
            .collect();
        let (status, body) = app.post("/ingest/batch", &json!({ "steps": steps })).await;
        assert_eq!(status, 200, "{body}");
    }
    for view in ["", "?view=table", "?view=groups", "?full=1"] {
        let small = page_bytes(&app, &format!("/p/default/runs/small{view}")).await;
        let large = page_bytes(&app, &format!("/p/default/runs/large{view}")).await;
        assert!(
            large < 2 * small + EMPTY_PAGE_BYTES,
            "{view}: {small} became {large}"
        );
        assert!(large < 10 * 1024 * 1024, "{view}: {large}");
    }
    for path in [
        "/p/default/runs",
        "/p/default/anomalies",
        "/p/default/prompts",
        "/api/runs",
    ] {
        let bytes = page_bytes(&app, path).await;
        assert!(bytes < 2 * 1024 * 1024, "{path}: {bytes}");
    }
}

/// A template's text may be 64 kB, and a page compares two of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_prompts_page_shows_the_beginning_of_its_texts_and_has_a_way_to_all_of_them() {
    let app = TestApp::new().await;
    let text = |word: &str| {
        format!(
            "{}{word} at the very end\n",
            format!("{word} <answer> politely.\n").repeat(2_000)
        )
    };
    for (n, word) in ["Always", "Never"].into_iter().enumerate() {
        let mut sent = step("r", &format!("s{n}"));
        sent["prompt_template"] = text(word).into();
        app.store(sent).await;
    }
    let list = Answer::of(app.client.get(app.url("/p/default/prompts")))
        .await
        .text;
    assert!(list.len() < EMPTY_PAGE_BYTES, "{}", list.len());
    let prompts: Vec<String> = list
        .split("href=\"/p/default/prompts/")
        .skip(1)
        .filter_map(|rest| rest.get(..8).map(str::to_owned))
        .collect();
    assert!(prompts.len() >= 2, "{list}");
    for (query, is_cut) in [("", true), ("?full=1", false)] {
        for before in ["", "before"] {
            let and = if query.is_empty() { "?" } else { "&" };
            let before = if before.is_empty() {
                String::new()
            } else {
                format!("{and}before={}", prompts[1])
            };
            let page = Answer::of(
                app.client
                    .get(app.url(&format!("/p/default/prompts/{}{query}{before}", prompts[0]))),
            )
            .await;
            assert_eq!(page.status, 200, "{query}{before}");
            assert_eq!(page.text.contains("at the very end"), !is_cut, "{query}{before}");
            assert_eq!(
                page.text.contains("of the text is shown"),
                is_cut,
                "it says so: {query}{before}"
            );
            assert_eq!(
                page.text.contains("full=1\" class=\"link\">Show all "),
                is_cut,
                "a way to all of it: {query}{before}"
            );
            if is_cut {
                assert!(
                    page.text.len() < 3 * EMPTY_PAGE_BYTES,
                    "{before}: {}",
                    page.text.len()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_detectors_comes_without_what_they_ask_their_models() {
    let app = TestApp::new().await;
    for n in 0..5 {
        let new = json!({
            "name": format!("detector {n}"), "template": "logic", "prompt": "asks-for-this ".repeat(1_400),
            "every_run": true, "enabled": false,
        });
        let (status, made) = app.post("/api/detectors", &new).await;
        assert_eq!(status, 200, "{made}");
    }
    let list = Answer::of(app.client.get(app.url("/p/default/detectors")))
        .await
        .text;
    assert!(list.contains("detector 4") && !list.contains("asks-for-this"));
}

/// What a provider answers may be megabytes, and a chat has many answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_chat_shows_the_beginning_of_long_answers_and_has_a_way_to_all_of_them() {
    let app = TestApp::new().await;
    let (db, project, now) = (
        &app.state.db,
        default_project(&app).await.id,
        server::clock::now(),
    );
    let chat = storage::chats::create(db, project, "", "test", now)
        .await
        .unwrap();
    for n in 0..12 {
        let question = format!("Question {n}?");
        storage::chats::ask(
            db,
            project,
            chat,
            (question.as_str(), "t"),
            "test",
            now.plus_micros(n),
        )
        .await
        .unwrap();
        let until = now.plus_micros(60_000_000);
        let taken = storage::inquiries::take(db, now, until).await.unwrap().unwrap();
        let said =
            json!({ "round": 1, "text": format!("{} the very end", "word ".repeat(60_000)), "by": "model" });
        let written = storage::inquiries::add_event(db, &taken, InquiryEventKind::Text, &said, now).await;
        assert!(written.unwrap());
        storage::inquiries::finish(db, &taken, WorkState::Done, now)
            .await
            .unwrap();
    }
    let page = Answer::of(app.client.get(app.url(&format!("/p/default/ask?chat={chat}"))))
        .await
        .text;
    assert!(page.len() < 2 * 1024 * 1024, "{}", page.len());
    assert!(page.contains("Question 11?") && !page.contains("the very end"));
    assert!(page.contains("the beginning of long answers"), "it says so");
    let whole = format!("/api/chats/{chat}?project=default");
    assert!(
        page.contains(&format!("href=\"{whole}\"")),
        "and has a way to all of it"
    );
    let all = app.get(&whole).await.1;
    assert_eq!(all["messages"].as_array().unwrap().len(), 12);
}
