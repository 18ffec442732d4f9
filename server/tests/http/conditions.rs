//! Conditions over time, what people say about them, and muting a code.

use std::collections::BTreeMap;

use domain::anomaly::BucketSpan;
use domain::{ConditionFilter, Role, Severity, Timestamp};
use serde_json::{Value, json};
use storage::anomalies::{self, ByName};

use crate::app::{TestApp, step};
use crate::people::{Answer, Browser, audit_log, deeds, default_project, key, other_project, person};

/// A step with the conditions 2004 and 3014, which began `hours` before `now`.
fn wordy(run_id: &str, step_id: &str, now: Timestamp, hours: i64) -> Value {
    let mut wordy = step(run_id, step_id);
    wordy["output_code"] = json!("Probably, but it depends on the order.");
    wordy["started_at"] = json!(now.plus_micros(-hours * 3_600_000_000).to_string());
    wordy
}

/// The last `days` days.
fn last_days(now: Timestamp, days: i64, bucket_hours: u32) -> BucketSpan {
    let to = now.day().plus_micros(86_400_000_000);
    BucketSpan {
        from: to.plus_micros(-days * 86_400_000_000),
        to,
        bucket_hours,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_the_stored_conditions() {
    let app = TestApp::new().await;
    let now = server::clock::now();
    let (models, names) = (
        ["claude-haiku-4-5", "gpt-4o-mini", ""],
        ["classify-intent", "answer", "parse"],
    );
    for n in 0..60_usize {
        let mut sent = wordy(&format!("r{}", n / 4), &format!("s{n}"), now, (n as i64 / 4) * 17);
        sent["model"] = json!(models[n % 3]);
        sent["step_name"] = json!(names[n % 2]);
        if n % 5 == 0 {
            sent["output_code"] = json!("yes");
        }
        if n % 7 == 0 {
            sent["error"] = json!("timeout");
        }
        app.store(sent).await;
    }
    let (db, project) = (&app.state.db, default_project(&app).await.id);
    let filters = [
        ConditionFilter::default(),
        ConditionFilter {
            layer: Some(3),
            ..ConditionFilter::default()
        },
        ConditionFilter {
            code: Some(2004),
            step: Some("answer".to_owned()),
            ..ConditionFilter::default()
        },
        ConditionFilter {
            model: Some("gpt-4o-mini".to_owned()),
            ..ConditionFilter::default()
        },
        ConditionFilter {
            key: Some("nobody".to_owned()),
            ..ConditionFilter::default()
        },
    ];
    // Days come from other sums than hours.
    let both = filters.iter().flat_map(|filter| [(filter, 24), (filter, 12)]);
    for (filter, bucket_hours) in both {
        let span = last_days(now, 14, bucket_hours);
        let bucket_micros = i64::from(bucket_hours) * 3_600_000_000;
        let middle = span.start_of(span.count() / 2);
        let page = anomalies::latest(
            &mut db.snapshot(project).await.unwrap(),
            project,
            filter,
            span,
            None,
            200,
        )
        .await
        .unwrap();
        assert_eq!(page.next_cursor, None);
        let mut by_code: BTreeMap<(u32, u16), i64> = BTreeMap::new();
        let mut by_name: BTreeMap<(u32, String), i64> = BTreeMap::new();
        let mut by_severity: BTreeMap<(u32, Severity), i64> = BTreeMap::new();
        let mut cells: BTreeMap<(u16, String), (i64, i64)> = BTreeMap::new();
        for step in &page.items {
            let bucket = ((step.started_at.micros() - span.from.micros()) / bucket_micros) as u32;
            if step.conditions.iter().any(|c| filter.has_code(c.code)) {
                *by_severity.entry((bucket, step.severity)).or_default() += 1;
            }
            for condition in step.conditions.iter().filter(|c| filter.has_code(c.code)) {
                *by_code.entry((bucket, condition.code)).or_default() += 1;
                let model = step.model.clone().unwrap_or_default();
                *by_name.entry((bucket, model)).or_default() += 1;
                let cell = cells.entry((condition.code, step.name.clone())).or_default();
                *(if step.started_at >= middle {
                    &mut cell.0
                } else {
                    &mut cell.1
                }) += 1;
            }
        }
        let counts = anomalies::counts(
            &mut db.snapshot(project).await.unwrap(),
            project,
            filter,
            span,
            ByName::Model,
        )
        .await
        .unwrap();
        let counted: BTreeMap<_, _> = counts
            .by_code
            .iter()
            .map(|c| ((c.bucket, c.code), c.count))
            .collect();
        assert_eq!(counted, by_code, "{filter:?}");
        let counted: BTreeMap<_, _> = counts
            .by_name
            .iter()
            .map(|c| ((c.bucket, c.name.clone()), c.count))
            .collect();
        assert_eq!(counted, by_name, "{filter:?}");
        let counted: BTreeMap<_, _> = counts
            .cells
            .iter()
            .map(|c| ((c.code, c.step.clone()), (c.now, c.before)))
            .collect();
        assert_eq!(counted, cells, "{filter:?}");
        let severities =
            anomalies::severities(&mut db.snapshot(project).await.unwrap(), project, filter, span)
                .await
                .unwrap();
        let counted: BTreeMap<_, _> = severities
            .iter()
            .map(|s| ((s.bucket, s.severity), s.count))
            .collect();
        assert_eq!(counted, by_severity, "{filter:?}");
        if filter.code == Some(2004) {
            let found = anomalies::templates(
                &mut db.snapshot(project).await.unwrap(),
                project,
                filter,
                span,
                (2004, "answer"),
            )
            .await
            .unwrap();
            let total: i64 = by_code.values().sum();
            assert_eq!(found.iter().map(|t| t.count).sum::<i64>(), total);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_steps_follow_one_another_without_gap_or_repetition() {
    let app = TestApp::new().await;
    let now = server::clock::now();
    for n in 0..23_i64 {
        app.store(wordy(&format!("r.{}", n / 5), &format!("s{n}"), now, n / 5))
            .await;
    }
    let project = default_project(&app).await.id;
    let (filter, span) = (ConditionFilter::default(), last_days(now, 4, 24));
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = anomalies::latest(
            &mut app.state.db.snapshot(project).await.unwrap(),
            project,
            &filter,
            span,
            cursor.as_deref(),
            4,
        )
        .await
        .unwrap();
        seen.extend(
            page.items
                .into_iter()
                .map(|step| (step.started_at, step.run_id, step.step_id)),
        );
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let mut expected = seen.clone();
    expected.sort_by(|a, b| b.cmp(a));
    expected.dedup();
    assert_eq!((seen.len(), &seen), (23, &expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_step_comes_first_whatever_its_run_and_its_id() {
    let app = TestApp::new().await;
    let now = server::clock::now();
    // The run that began first also has the latest step.
    for (run_id, step_id, hours) in [
        ("long", "z-first", 5),
        ("short", "s", 3),
        ("long", "a-last", 1),
        ("long", "b", 30),
    ] {
        app.store(wordy(run_id, step_id, now, hours)).await;
    }
    let project = default_project(&app).await.id;
    let filter = ConditionFilter::default();
    let mut seen = Vec::new();
    let span = BucketSpan {
        from: now.plus_micros(-24 * 3_600_000_000),
        to: now,
        bucket_hours: 1,
    };
    let mut cursor: Option<String> = None;
    loop {
        let page = anomalies::latest(
            &mut app.state.db.snapshot(project).await.unwrap(),
            project,
            &filter,
            span,
            cursor.as_deref(),
            2,
        )
        .await
        .unwrap();
        seen.extend(page.items.into_iter().map(|step| step.step_id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        ["a-last", "s", "z-first"],
        "b began before the window, its run did not"
    );
}

/// Every kind of caller, and a step with conditions.
async fn people(app: &TestApp) -> (Browser<'_>, Browser<'_>, Browser<'_>) {
    app.store(wordy("theirs", "s1", server::clock::now(), 0)).await;
    let (default, other) = (default_project(app).await, other_project(app).await);
    for (email, project, role) in [
        ("vera@acme.dev", &default, Role::Viewer),
        ("mila@acme.dev", &default, Role::Member),
        ("adam@acme.dev", &default, Role::Admin),
        ("eve@acme.dev", &other, Role::Admin),
    ] {
        person(app, email, &[(project, role)]).await;
    }
    (
        Browser::sign_in(app, "vera@acme.dev").await,
        Browser::sign_in(app, "mila@acme.dev").await,
        Browser::sign_in(app, "adam@acme.dev").await,
    )
}

const MARK: &str = "/p/default/conditions/feedback";
const MUTE: &str = "/p/default/conditions/mute";

fn verdict(word: &str) -> [(&str, &str); 5] {
    [
        ("run", "theirs"),
        ("step", "s1"),
        ("code", "2004"),
        ("verdict", word),
        ("next", "/p/default/anomalies?code=2004"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn members_say_what_is_real_and_take_it_back() {
    let app = TestApp::new().await;
    let (viewer, member, _) = people(&app).await;
    let project = default_project(&app).await.id;
    let said = async || {
        let said = storage::feedback::of_run(
            &mut app.state.db.snapshot(project).await.unwrap(),
            project,
            "theirs",
        )
        .await
        .unwrap();
        said.iter()
            .map(|f| (f.code, f.verdict.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(viewer.post(MARK, &verdict("real")).await.status, 403);
    assert_eq!(said().await, []);

    let answer = member.post(MARK, &verdict("real")).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/p/default/anomalies?code=2004")
    );
    assert_eq!(said().await, [(2004, "real")]);
    member.post(MARK, &verdict("noise")).await;
    assert_eq!(said().await, [(2004, "noise")]);
    let since = server::clock::now().plus_micros(-60_000_000);
    let precision = storage::feedback::precision_by_code(
        &mut app.state.db.snapshot(project).await.unwrap(),
        project,
        since,
    )
    .await
    .unwrap();
    assert_eq!(
        (
            precision.len(),
            precision[0].code,
            precision[0].real,
            precision[0].noise
        ),
        (1, 2004, 0, 1)
    );
    let page = member.get("/p/default/anomalies").await.text;
    assert!(page.contains("0 marked real, 1 noise"), "the share is shown");
    member.post(MARK, &verdict("none")).await;
    assert_eq!(said().await, []);
    // Twice is no mistake: another page may have done it.
    assert_eq!(member.post(MARK, &verdict("none")).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_about_a_condition_that_exists() {
    let app = TestApp::new().await;
    let (_, member, _) = people(&app).await;
    let check = async |field: &str, value: &str, status: u16| {
        let fields = verdict("real").map(|(name, old)| (name, if name == field { value } else { old }));
        let answer = member.post(MARK, &fields).await;
        assert_eq!(answer.status, status, "{field}={value} {answer:?}");
    };
    check("run", "nobody", 404).await;
    check("step", "s2", 404).await;
    check("code", "1001", 404).await;
    check("code", "9999", 400).await;
    check("code", "", 400).await;
    check("verdict", "maybe", 400).await;
    check("next", "https://evil.example/", 303).await;
    let fields =
        verdict("real").map(|(name, old)| (name, if name == "next" { "//evil.example" } else { old }));
    assert_eq!(member.post(MARK, &fields).await.location, "/p/default/anomalies");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_mutes_a_code_and_undoes_it() {
    let app = TestApp::new().await;
    let (_, member, admin) = people(&app).await;
    let muting = |muted: &'static str| {
        [
            ("code", "2004"),
            ("muted", muted),
            ("next", "/p/default/runs/theirs?step=s1"),
        ]
    };
    let key = key(&app, &default_project(&app).await, domain::Scope::ALL)
        .await
        .secret;
    let codes = async |run_id: &str| {
        let sent = wordy(run_id, "s1", server::clock::now(), 0);
        let request = app.client.post(app.url("/ingest")).bearer_auth(&key).json(&sent);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let read = admin
            .get(&format!("/api/runs/{run_id}?project=default"))
            .await
            .json();
        let conditions = read["steps"][0]["conditions"].as_array().unwrap().clone();
        conditions
            .iter()
            .map(|c| c["code"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(member.post(MUTE, &muting("1")).await.status, 403);
    let answer = admin.post(MUTE, &muting("1")).await;
    assert_eq!(
        (answer.status, answer.location.as_str()),
        (303, "/p/default/runs/theirs?step=s1&muted=2004")
    );
    let page = admin.get(&answer.location).await.text;
    assert!(
        page.contains("is muted. New steps are no longer scored by it"),
        "it is said"
    );
    // The rules in memory are forgotten at once.
    assert_eq!(codes("muted").await, [3014]);
    let settings = admin.get("/api/settings/scoring?project=default").await.json();
    assert_eq!(settings["muted"], json!([2004]));

    let answer = admin.post(MUTE, &muting("0")).await;
    assert!(answer.location.ends_with("&unmuted=2004"), "{answer:?}");
    let settings = admin.get("/api/settings/scoring?project=default").await.json();
    assert_eq!(settings["muted"], json!([]));
    let log = audit_log(&app, Some(&default_project(&app).await)).await;
    let mut done = deeds(&log);
    done.retain(|(_, action, _)| action.starts_with("code."));
    assert_eq!(
        done,
        [
            ("adam@acme.dev", "code.mute", "2004"),
            ("adam@acme.dev", "code.unmute", "2004")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_about_conditions_come_from_this_site() {
    let app = TestApp::new().await;
    let (_, _, admin) = people(&app).await;
    for (path, fields) in [
        (MARK, verdict("real").to_vec()),
        (MUTE, vec![("code", "2004"), ("muted", "1")]),
    ] {
        let form = admin
            .form(path, &fields)
            .header("sec-fetch-site", "cross-site")
            .header("origin", "https://evil.example");
        assert_eq!(Answer::of(form).await.status, 403, "{path}");
    }
    let eve = Browser::sign_in(&app, "eve@acme.dev").await;
    assert_eq!(eve.post(MARK, &verdict("real")).await.status, 404);
    assert_eq!(
        eve.post(MUTE, &[("code", "2004"), ("muted", "1")]).await.status,
        404
    );
    // Through one's own project neither: the condition is not there.
    assert_eq!(
        eve.post("/p/other/conditions/feedback", &verdict("real"))
            .await
            .status,
        404
    );
    assert_eq!(
        admin.get("/api/settings/scoring?project=default").await.json()["muted"],
        json!([])
    );
}
