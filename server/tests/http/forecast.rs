//! How the month ends: from the demo's spend, and beside budgets.

use domain::{NanoUsd, Timestamp};
use engine::forecast::{CostChange, Forecast, History};
use serde_json::{Value, json};
use server::demo::{Amount, start};
use server::jobs::{Worked, Worker};

use crate::app::TestApp;
use crate::people::default_project;

const DAY_MICROS: i64 = 86_400_000_000;

async fn seeded(days: u32, runs_a_day: u32) -> TestApp {
    let app = TestApp::new().await;
    app.bring_in_shipped_prices().await;
    let project = default_project(&app).await.id;
    let amount = Amount {
        days,
        runs_a_day,
        until: server::clock::now(),
    };
    let job = start(&app.state.db, project, amount, "test").await.unwrap();
    let mut worker = Worker::new(app.state.db.clone());
    while worker.work(Some((project, job))).await.unwrap() == Worked::Chunk {}
    app
}

async fn form(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> String {
    let sent = app
        .client
        .post(app.url(path))
        .header("origin", &app.origin)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(
            form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish(),
        );
    let answer = sent.send().await.unwrap();
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_month_ends_near_what_was_forecast() {
    // With 100 runs a day there are dates on which no call lies between the first two deploys, and others on which the few
    // that do make the change look several times as large as it is.
    let app = seeded(30, 250).await;
    let now = server::clock::now();
    let from = now.plus_micros(-29 * DAY_MICROS).day();
    let path = format!("/api/series?metric=cost&bucket=1d&from={from}&to={}", now.day());
    let (_, series) = app.get(&path).await;
    let points = series["series"][0]["points"].as_array().unwrap();
    let spend: Vec<i64> = points.iter().map(|point| point[1].as_i64().unwrap()).collect();
    assert!(spend.len() >= 27, "{spend:?}");
    let (_, deploy) = app.get("/api/deploys/demo-pr-2").await;
    let live = Timestamp::parse_rfc3339(deploy["completed_at"].as_str().unwrap()).unwrap();
    let shift = usize::try_from((live.day().micros() - from.micros()) / DAY_MICROS).unwrap();

    // The days before the model was switched as the last days of a month, and all days as those of one.
    // Whether it ended within the interval is asked of many months, in `demo::story`: this one is another every day.
    let ask = |spend: &[i64], known: usize, change: Option<(usize, CostChange)>| {
        // A month that ends with the last of these days.
        let month_ends = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
        let first = month_ends.plus_micros(-DAY_MICROS * spend.len() as i64);
        let day = |place: usize| first.plus_micros(DAY_MICROS * place as i64);
        let days = spend[..known].iter().enumerate();
        let history = History::new(
            days.map(|(place, spent)| (day(place), NanoUsd(*spent))),
            day(known),
        );
        let history = match change {
            Some((place, change)) => history.as_after(
                day(place).plus_micros(live.micros() - live.day().micros()),
                &change,
            ),
            None => history,
        };
        let end = Forecast::of(&history).unwrap().month_end().month_end;
        let came: i64 = spend.iter().sum();
        let error = end.expected.0 as f64 / came as f64 - 1.0;
        assert!(
            error.abs() < 0.2,
            "asked after {known} of {} days: {error}",
            spend.len()
        );
    };
    for known in 8..shift {
        ask(&spend[..shift], known, None);
    }
    // What the API says the deploy changed.
    let effect = deploy["effects"].as_array().unwrap();
    let effect = effect
        .iter()
        .find(|effect| effect["measure"] == "cost_per_call")
        .unwrap();
    let part = |name: &str| effect["change"][name].as_f64().unwrap();
    let change = CostChange {
        estimate: part("estimate"),
        low: part("low"),
        high: part("high"),
    };
    // Traffic rose on the same day, which nobody can know before it is seen.
    for known in shift + 4..spend.len() - 1 {
        ask(&spend, known, Some((shift, change)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_are_set_and_the_forecast_names_the_deploy_that_costs() {
    // Fewer runs a day leave too few calls between the deploys of one afternoon to say which it was.
    let app = seeded(12, 600).await;
    let page = "/p/default/settings/budgets";
    for (fields, leads_to) in [
        (&[("label", ""), ("monthly", "$250")][..], "?done=saved"),
        (&[("label", "prod-frontend"), ("monthly", "0.50")], "?done=saved"),
        (&[("label", ""), ("monthly", "much")], "?error=budget"),
        (&[("label", ""), ("monthly", "0")], "?error=budget"),
        (&[("label", "a\u{7}b"), ("monthly", "5")], "?error=label"),
    ] {
        assert_eq!(
            form(&app, page, fields).await,
            format!("{page}{leads_to}"),
            "{fields:?}"
        );
    }
    let (status, forecast) = app.get("/api/forecast").await;
    assert_eq!(status, 200, "{forecast}");
    let items = forecast["items"].as_array().unwrap();
    let of = |key: Value| items.iter().find(|item| item["key"] == key).unwrap().clone();
    let (all, front) = (of(Value::Null), of(json!("prod-frontend")));
    assert_eq!(items[0], all, "the project comes first");
    let from = forecast["month_from"].as_str().unwrap();
    let (_, cost) = app.get(&format!("/api/cost?from={from}")).await;
    // In the first minutes of a month there is no call yet, of which a sum is unknown and what was spent is nothing.
    assert_eq!(
        all["spent_nano_usd"].as_i64(),
        Some(cost["cost_nano_usd"].as_i64().unwrap_or(0)),
        "the same figure everywhere"
    );
    assert_eq!(all["budget"]["monthly_usd"], "250");
    assert_eq!(front["budget"]["monthly_usd"], "0.5");
    assert_eq!(front["without_deploy"]["deploy_id"], "demo-pr-2", "{front}");
    let nano = |item: &Value, name: &str| item[name].as_i64().unwrap();
    let (end, without) = (&front["month_end"], &front["without_deploy"]["month_end"]);
    assert!(nano(without, "expected_nano_usd") <= nano(end, "expected_nano_usd"));
    assert!(nano(end, "low_nano_usd") <= nano(end, "expected_nano_usd"));
    assert!(nano(&front, "spent_nano_usd") <= nano(end, "low_nano_usd"));
    let tools = of(json!("internal-tools"));
    assert_eq!(
        tools["without_deploy"],
        Value::Null,
        "nothing changed there: {tools}"
    );

    let (_, one) = app.get("/api/forecast?key=internal-tools").await;
    // The same question, asked a moment later: what is expected moves with the time.
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    for same in ["key", "spent_nano_usd", "days", "budget"] {
        assert_eq!(one["items"][0][same], tools[same], "{one}");
    }
    let text = app
        .client
        .get(app.url(page))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for part in ["$250", "prod-frontend", "is expected to end at"] {
        assert!(text.contains(part), "{part}");
    }
    let overview = app
        .client
        .get(app.url("/p/default"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    // A cent may be passed between the two questions: the page says what was answered before it, or what is after it.
    let (_, later) = app.get("/api/forecast").await;
    let sentences = [&all, &later["items"][0]].map(|item| item["sentences"][0].as_str().unwrap());
    assert!(
        sentences.iter().any(|sentence| overview.contains(sentence)),
        "{sentences:?}"
    );
    assert_eq!(
        form(&app, &format!("{page}/remove"), &[("label", "prod-frontend")]).await,
        format!("{page}?done=budget_removed")
    );
    assert_eq!(
        form(&app, &format!("{page}/remove"), &[("label", "prod-frontend")]).await,
        format!("{page}?error=not_found")
    );
    let (_, audit) = app.get("/api/audit?what=budget").await;
    let actions: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].clone())
        .collect();
    assert_eq!(actions, ["budget.remove", "budget.set", "budget.set"]);
}
