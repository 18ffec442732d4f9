//! Judging the latest hours alone, and saying what a judgement leaves out.

use domain::Timestamp;
use serde_json::{Value, json};
use server::incidents::{Judged, Standings, judge_changes};
use storage::incidents::{Finished, Judging, Whole};

use crate::app::{TestApp, step};
use crate::incidents::{items, put_incident};
use crate::people::{Browser, default_project};

const DAY_MICROS: i64 = 86_400_000_000;

/// Five steps of one key, each called once an hour for nine days up to an hour.
async fn store_quiet_days(app: &TestApp, until: Timestamp) {
    let mut steps = Vec::new();
    for hour in 0..9 * 24 {
        let at = until.plus_micros(-hour * 3_600_000_000);
        for name in ["plan", "look-up", "answer", "check", "send"] {
            let mut one = step(&format!("{name}-{hour}"), "s");
            one["step_name"] = json!(name);
            one["started_at"] = json!(at.to_string());
            steps.push(one);
        }
    }
    for part in steps.chunks(500) {
        let (status, body) = app.post("/ingest/batch", &json!({ "steps": part })).await;
        assert_eq!((status, &body["stored"]), (200, &json!(part.len())), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn later_hours_of_a_day_are_judged_alone_until_something_opens() {
    let app = TestApp::new().await;
    let db = &app.state.db;
    let project = default_project(&app).await.id;
    // Yesterday at half past ten.
    let yesterday = server::clock::now().plus_micros(-DAY_MICROS).day();
    let now = yesterday.plus_micros(630 * 60_000_000);
    let later = |minutes: i64| now.plus_micros(minutes * 60_000_000);
    store_quiet_days(&app, later(-70)).await;
    let mut standings = Standings::default();
    let mut judge = async |minutes: i64| {
        let judged = judge_changes(db, project, later(minutes), &mut standings).await;
        judged.unwrap()
    };
    assert_eq!(judge(0).await, Judged::Whole);

    let send = async |run: &str, minutes: i64, cost: f64| {
        let mut one = step(run, "s");
        one["step_name"] = json!("answer");
        one["started_at"] = json!(later(minutes).to_string());
        one["cost"] = json!(cost);
        app.store(one).await;
    };
    send("usual", 1, 0.0014).await;
    assert_eq!(judge(2).await, Judged::Hours);
    let due = storage::incidents::due(db, later(10)).await.unwrap();
    assert!(due.is_empty(), "it is judged");
    assert!(items(&app, "/api/incidents").await.is_empty());

    // Another process, which judged nothing of it yet, judges all of it and finds the same.
    let elsewhere = judge_changes(db, project, later(4), &mut Standings::default()).await;
    assert_eq!(elsewhere.unwrap(), Judged::Whole);
    send("usual-2", 5, 0.0014).await;
    assert_eq!(judge(6).await, Judged::Hours);

    // Late data of a day that is over: what is usual may be another.
    send("late", -3 * 24 * 60, 0.0014).await;
    assert_eq!(judge(8).await, Judged::Whole);
    assert_eq!(judge(10).await, Judged::Hours);

    for n in 0..60 {
        send(&format!("dear-{n}"), 11, 5.0).await;
    }
    assert_eq!(judge(12).await, Judged::Whole);
    assert!(!items(&app, "/api/incidents").await.is_empty());
    // Its figures move once an hour.
    send("dear-more", 13, 5.0).await;
    assert_eq!(judge(14).await, Judged::Hours);
    assert_eq!(judge(14 + 60).await, Judged::Whole);
    // The next day has a baseline of its own.
    assert_eq!(judge(24 * 60).await, Judged::Whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_that_are_too_many_to_judge_are_said() {
    const ID: &str = "01890000-0000-7000-8000-000000000004";
    let app = TestApp::new().await;
    let db = &app.state.db;
    let project = default_project(&app).await.id;
    app.store(step("r", "s")).await;
    let (_, all) = app.get("/api/incidents").await;
    assert_eq!(all["left_out_before"], Value::Null);
    put_incident(&app, project, ID, "prod-frontend").await;
    let now = server::clock::now();
    let lease = uuid::Uuid::now_v7();
    storage::incidents::take(db, project, lease, now, now.plus_micros(60_000_000), now)
        .await
        .unwrap();
    let judging = Judging::begin(db, project, lease).await.unwrap().unwrap();
    let before = now.day().plus_micros(-4 * DAY_MICROS);
    let whole = Whole {
        left_out_before: Some(before),
        is_other: false,
    };
    let finished = Finished {
        now,
        not_before: now,
        again_at: None,
        whole: Some(whole),
    };
    judging.finish(finished).await.unwrap();
    let (_, some) = app.get("/api/incidents").await;
    assert_eq!(some["left_out_before"], json!(before));
    let page = Browser::new(&app).get("/p/default/incidents").await.text;
    assert!(
        page.contains("more hours of series than are read at once"),
        "{page}"
    );
}
