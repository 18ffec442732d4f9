//! What receivers answer, tried on each kind of channel: what becomes of the alert, of the channel, and of what waits
//! behind it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::alert_receiver::{Planned, Receiver, planned};
use crate::alerts::{connect, put, telling_app};
use crate::app::{TestApp, step};
use crate::people::default_project;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Settings of a channel that speaks to `origin`, below a path.
fn settings(kind: &str, origin: &str, path: &str) -> Value {
    match kind {
        "slack" => json!({ "webhook_url": format!("{origin}/{path}") }),
        "sentry" => json!({
            "dsn": format!("{}/{path}/1", origin.replace("http://", "http://key@")), "tracing": false
        }),
        "webhook" => json!({ "url": format!("{origin}/{path}") }),
        _ => json!({
            "smtp_url": origin.replace("http://", "smtp://"), "from": "alerts@acme.dev", "to": ["ops@acme.dev"]
        }),
    }
}

/// A server that tells of critical steps and nothing else.
async fn severity_app() -> TestApp {
    let app = telling_app().await;
    let rules = json!({ "error_rate": { "on": false } });
    assert_eq!(put(&app, "/api/settings/alerts", rules).await.0, 200);
    app
}

/// A step with one condition, which is one alert in Sentry too.
async fn store_failed(app: &TestApp, name: &str) {
    let mut failed = step(&format!("run-{name}"), "s1");
    failed["step_name"] = json!(name);
    failed["status_success"] = json!(false);
    app.store(failed).await;
}

/// The alert of a step on a channel, once it was tried and, with `is_over`, nothing more is to come.
async fn tried(app: &TestApp, kind: &str, name: &str, is_over: bool) -> Value {
    let found = async {
        loop {
            let (_, list) = app
                .get(&format!("/api/alerts?kind={kind}&trigger=severity"))
                .await;
            let alert = list["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|alert| alert["subject"]["step"] == name)
                .cloned();
            if let Some(alert) = alert
                && alert["attempts"] != 0
                && alert["answer"].is_string()
                && (!is_over || alert["state"] != "waiting")
            {
                return alert;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(TIMEOUT, found)
        .await
        .unwrap_or_else(|_| panic!("{kind} was not told of {name}"))
}

async fn is_stopped(app: &TestApp, kind: &str) -> bool {
    let project = default_project(app).await.id;
    let mut snapshot = app.state.db.snapshot(project).await.unwrap();
    let waiting = storage::alerts::waiting(&mut snapshot, project).await.unwrap();
    waiting
        .iter()
        .find(|waiting| waiting.kind == kind)
        .unwrap()
        .is_stopped
}

/// Answers, and what they lead to.
struct Case {
    name: &'static str,
    answers: Vec<Planned>,
    state: &'static str,
    attempts: usize,
    /// What people read, a part of it.
    said: &'static str,
    /// The channels that take nothing more until somebody changes something.
    stopped: &'static [&'static str],
}

fn cases(elsewhere: &str) -> Vec<Case> {
    let case = |name, answers, state, attempts, said, stopped| Case {
        name,
        answers,
        state,
        attempts,
        said,
        stopped,
    };
    let slowly = Planned {
        after: Duration::from_millis(1_500),
        ..planned(200, "slow")
    };
    let redirect = Planned {
        headers: vec![("location", elsewhere.to_owned())],
        ..planned(302, "")
    };
    let later = Planned {
        headers: vec![("retry-after", "1".to_owned())],
        ..planned(429, "slow down")
    };
    let large = planned(200, &"x".repeat(10_000_000));
    let all: &[&str] = &["slack", "sentry", "webhook"];
    vec![
        case("taken", vec![planned(200, "ok")], "delivered", 1, "200 ok", &[]),
        case("slow", vec![slowly], "delivered", 1, "200 slow", &[]),
        case("limited", vec![later], "delivered", 2, "200 ok", &[]),
        case(
            "broken",
            vec![planned(500, "boom")],
            "delivered",
            2,
            "200 ok",
            &[],
        ),
        case(
            "bad",
            vec![planned(400, "invalid")],
            "failed",
            1,
            "400 invalid",
            &[],
        ),
        case("moved", vec![redirect], "failed", 1, "302", &[]),
        case("large", vec![large], "failed", 1, "more than 64 KiB", &[]),
        case(
            "forbidden",
            vec![planned(403, "no")],
            "failed",
            1,
            "403 no",
            &["slack", "sentry"],
        ),
        case(
            "missing",
            vec![planned(404, "none")],
            "failed",
            1,
            "404 none",
            all,
        ),
        case("gone", vec![planned(410, "over")], "failed", 1, "410 over", all),
    ]
}

async fn try_all(kind: &str) {
    let app = severity_app().await;
    let mut elsewhere = Receiver::answering(Vec::new()).await;
    for case in cases(&elsewhere.origin) {
        let name = case.name;
        let of_channel = format!("{kind}, {name}");
        let mut receiver = Receiver::answering(case.answers).await;
        connect(&app, kind, settings(kind, &receiver.origin, name)).await;
        store_failed(&app, name).await;
        let told = tried(&app, kind, name, true).await;
        assert_eq!(
            (&told["state"], &told["attempts"]),
            (&json!(case.state), &json!(case.attempts)),
            "{of_channel}: {told}"
        );
        let answer = told["answer"].as_str().unwrap();
        assert!(
            answer.contains(case.said) && answer.len() < 300,
            "{of_channel}: {answer}"
        );
        assert_eq!(
            is_stopped(&app, kind).await,
            case.stopped.contains(&kind),
            "{of_channel}"
        );
        // No more calls than attempts, each of this alert.
        let calls = receiver.rest();
        assert_eq!(calls.len(), case.attempts, "{of_channel}");
        assert!(calls.iter().all(|call| call.body.contains(name)), "{of_channel}");
    }
    assert_eq!(elsewhere.rest().len(), 0, "{kind} followed a redirect");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_means_the_same_to_every_channel_but_where_the_manual_says_otherwise() {
    // None of them keeps another one waiting.
    tokio::join!(try_all("slack"), try_all("sentry"), try_all("webhook"));
}

/// Takes connections, says `first`, and `again` twice a second for as long as somebody listens. Who speaks HTTP is asked
/// first: an answer before its question is none.
async fn dripping(is_asked: bool, first: &'static str, again: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    TaskTracker::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            TaskTracker::new().spawn(async move {
                if is_asked {
                    _ = stream.peek(&mut [0]).await.unwrap();
                }
                let mut ticks = interval(Duration::from_millis(500));
                let mut text = first;
                while stream.write_all(text.as_bytes()).await.is_ok() {
                    ticks.tick().await;
                    text = again;
                }
            });
        }
    });
    origin
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_answers_or_never_ends_is_given_up_after_twenty_seconds_and_tried_again() {
    // Connections are taken by the system, and nobody looks at them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_origin = format!("http://{}", silent.local_addr().unwrap());
    let endless_http = dripping(true, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", "x").await;
    let endless_smtp = dripping(false, "220-mail.acme.dev\r\n", "220-wait\r\n").await;
    let check = async |http: &str, smtp: &str| {
        let app = severity_app().await;
        let kinds = ["slack", "sentry", "webhook", "email"];
        for kind in kinds {
            let origin = if kind == "email" { smtp } else { http };
            connect(&app, kind, settings(kind, origin, "x")).await;
        }
        store_failed(&app, "nobody").await;
        for kind in kinds {
            let told = tried(&app, kind, "nobody", false).await;
            assert_eq!(told["state"], "waiting", "{kind}: {told}");
            let answer = told["answer"].as_str().unwrap();
            assert!(
                answer.contains("127.0.0.1 did not answer within 20 s"),
                "{kind}: {answer}"
            );
            assert!(!is_stopped(&app, kind).await, "{kind}");
        }
    };
    tokio::join!(
        check(&silent_origin, &silent_origin),
        check(&endless_http, &endless_smtp)
    );
    drop(silent);
}
