//! What several spans tell of counts once, in whichever order they come.

use otlp::wire::{Any, Span};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::otlp::{call, export, fall_quiet, pair, run_id, span};

/// An agent that sums up what its calls used.
fn agent(id: u8, parent: u8, input: i64, output: i64) -> Span {
    let text = |key: &str, value: &str| pair(key, Any::String(value.to_owned()));
    let attributes = vec![
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.request.model", "gpt-4o"),
        pair("gen_ai.usage.input_tokens", Any::Int(input)),
        pair("gen_ai.usage.output_tokens", Any::Int(output)),
    ];
    span(id, parent, "invoke_agent", attributes)
}

fn plain(id: u8, parent: u8) -> Span {
    span(id, parent, "work", Vec::new())
}

async fn run(app: &TestApp) -> Value {
    app.get(&format!("/api/runs/{}", run_id())).await.1
}

fn sums(read: &Value) -> (Value, Value, Value) {
    let run = &read["run"];
    (
        run["tokens"]["input_fresh"].clone(),
        run["tokens"]["output"].clone(),
        run["cost_usd"].clone(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_repeats_its_calls_counts_nothing() {
    let spans = || {
        vec![
            call(4, 3, 1_000, 100),
            call(5, 3, 2_000, 100),
            plain(3, 2),
            agent(2, 1, 3_000, 200),
            agent(1, 0, 3_000, 200),
        ]
    };
    let expected = (json!(3_000), json!(200), json!("0.0095"));
    // All at once, and each alone in the order in which they end.
    let together = TestApp::new().await;
    together.bring_in_shipped_prices().await;
    export(&together, spans()).await;
    let read = run(&together).await;
    assert_eq!(sums(&read), expected);
    let outer = read["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["parent_step_id"].is_null())
        .unwrap();
    assert_eq!(
        (&outer["tokens"]["input_fresh"], &outer["cost_usd"]),
        (&Value::Null, &Value::Null)
    );
    let path = format!("/api/runs/{}/steps/{}/payload", run_id(), "01".repeat(8));
    let said = together.get(&path).await.1;
    assert_eq!(
        said["attributes"]["gen_ai.usage.input_tokens"], 3_000,
        "what it says stays"
    );

    let apart = TestApp::new().await;
    apart.bring_in_shipped_prices().await;
    for span in spans() {
        export(&apart, vec![span]).await;
    }
    assert_eq!(sums(&run(&apart).await), expected);
    // Again, as after a retry.
    export(&apart, spans()).await;
    assert_eq!(sums(&run(&apart).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_calls_are_not_seen_counts() {
    let app = TestApp::new().await;
    export(&app, vec![plain(2, 1), agent(1, 0, 3_000, 200)]).await;
    let read = run(&app).await;
    assert_eq!(
        (
            &read["run"]["tokens"]["input_fresh"],
            &read["run"]["tokens"]["output"]
        ),
        (&json!(3_000), &json!(200))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_after_its_agent_is_not_counted_again() {
    let app = TestApp::new().await;
    export(&app, vec![agent(1, 0, 1_000, 100)]).await;
    export(&app, vec![plain(2, 1), call(3, 2, 1_000, 100)]).await;
    let (input, output, _) = sums(&run(&app).await);
    assert_eq!((input, output), (json!(1_000), json!(100)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_of_a_provider_counts_once() {
    let app = TestApp::new().await;
    let with_answer = |id, answer: &str| {
        let mut span = call(id, 1, 1_000, 100);
        span.attributes
            .push(pair("gen_ai.response.id", Any::String(answer.to_owned())));
        span
    };
    // Two instrumentations watch one call, and neither lies in the other.
    export(
        &app,
        vec![
            with_answer(2, "chatcmpl-1"),
            with_answer(3, "chatcmpl-1"),
            with_answer(4, "chatcmpl-2"),
        ],
    )
    .await;
    export(&app, vec![with_answer(5, "chatcmpl-2"), plain(1, 0)]).await;
    let (input, output, _) = sums(&run(&app).await);
    assert_eq!((input, output), (json!(2_000), json!(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_contain_each_other_are_kept() {
    let app = TestApp::new().await;
    export(&app, vec![call(1, 2, 10, 1), call(2, 1, 10, 1), call(3, 3, 5, 1)]).await;
    assert_eq!(run(&app).await["run"]["step_count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_lives_until_its_root_has_ended_and_takes_what_is_late() {
    let app = TestApp::new().await;
    export(&app, vec![call(2, 1, 10, 1)]).await;
    assert_eq!(run(&app).await["run"]["status"], "running", "its root is missing");
    export(&app, vec![plain(1, 0)]).await;
    fall_quiet(&app).await;
    assert_eq!(run(&app).await["run"]["status"], "ok");
    export(&app, vec![call(3, 1, 10, 1), call(4, 200, 10, 1), plain(5, 0)]).await;
    let read = run(&app).await;
    assert_eq!(
        (&read["run"]["step_count"], &read["run"]["tokens"]["input_fresh"]),
        (&json!(5), &json!(30))
    );
}
