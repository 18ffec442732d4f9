//! One figure is the same wherever it is read: in the cells and the table of the overview, in the API and its CSV, on the
//! command line, on the page of a step, and in a count of what was sent.

use serde_json::{Value, json};

use crate::app::{TestApp, step};

const DAYS: i64 = 5;
const DAY_MICROS: i64 = 86_400_000_000;

/// Calls of the last days by two models and two steps: some fail, some have no price, some come twice, and the first day's
/// come last.
fn calls() -> Vec<Value> {
    let today = server::clock::now().day();
    let mut calls: Vec<Value> = (0..240_i64)
        .map(|n| {
            let mut call = step(&format!("run-{}", n / 2), &format!("s{n}"));
            let at = today.plus_micros((n % DAYS + 1 - DAYS) * DAY_MICROS - DAY_MICROS + n * 300_000_000);
            call["started_at"] = json!(at.to_string());
            call["model"] = json!(format!("model-{}", n % 3));
            call["step_name"] = json!(format!("step-{}", n % 2));
            call["latency_ms"] = json!(200 + n * 3);
            call["status_success"] = json!(n % 12 != 0);
            call["cost"] = if n % 40 == 7 {
                Value::Null
            } else {
                json!(0.001 * (n % 9 + 1) as f64)
            };
            call
        })
        .collect();
    calls.rotate_left(31);
    calls
}

/// What was sent, added up.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    calls: i64,
    errors: i64,
    cost_nano_usd: i64,
    tokens: i64,
}

fn sent(calls: &[Value], keep: impl Fn(&Value) -> bool) -> Figures {
    let calls: Vec<&Value> = calls.iter().filter(|call| keep(call)).collect();
    Figures {
        calls: calls.len() as i64,
        errors: calls
            .iter()
            .filter(|call| call["status_success"] == false)
            .count() as i64,
        cost_nano_usd: calls
            .iter()
            .filter_map(|call| Some((call["cost"].as_f64()? * 1e9).round() as i64))
            .sum(),
        tokens: calls.len() as i64 * 59,
    }
}

/// The text between two others, after a third.
fn between<'a>(text: &'a str, after: &str, from: &str, to: &str) -> &'a str {
    let start = text.find(after).unwrap_or_else(|| panic!("{after} is missing"));
    let rest = &text[start..];
    let start = rest.find(from).unwrap() + from.len();
    &rest[start..start + rest[start..].find(to).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_is_the_same_wherever_it_is_read() {
    let app = TestApp::new().await;
    let calls = calls();
    for part in calls.chunks(50) {
        app.post("/ingest/batch", &json!({ "steps": part })).await;
        app.post("/ingest/batch", &json!({ "steps": &part[..5] })).await;
    }
    let expected = sent(&calls, |_| true);
    let failed = expected.errors as f64 / expected.calls as f64;
    let today = server::clock::now().day();
    let (from, to) = (
        today.plus_micros(-(DAYS + 1) * DAY_MICROS).to_string(),
        today.plus_micros(DAY_MICROS).to_string(),
    );
    let window = format!("from={from}&to={to}");

    // Before and after the histograms of the days are worked out.
    for _ in 0..2 {
        // The API, in one bucket a day and in one an hour, and as CSV.
        for bucket in ["1d", "1h"] {
            let sum = async |metric: &str| {
                let path = format!("/api/series?metric={metric}&bucket={bucket}&{window}");
                let (_, answer) = app.get(&path).await;
                let points = answer["series"][0]["points"].as_array().unwrap();
                points.iter().filter_map(|point| point[1].as_i64()).sum::<i64>()
            };
            assert_eq!(sum("calls").await, expected.calls);
            assert_eq!(sum("cost").await, expected.cost_nano_usd);
            assert_eq!(sum("tokens").await, expected.tokens);
        }
        let csv = app.url(&format!(
            "/api/series?metric=cost&bucket=1d&format=csv&by=step&{window}"
        ));
        let csv = app.client.get(csv).send().await.unwrap().text().await.unwrap();
        let of_csv: i64 = csv
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(2).unwrap().parse::<i64>().unwrap())
            .sum();
        assert_eq!(of_csv, expected.cost_nano_usd);
        let (_, cost) = app.get(&format!("/api/cost?{window}")).await;
        assert_eq!(cost["cost_nano_usd"], json!(expected.cost_nano_usd));

        // The overview: its cells, and its table.
        let page = async |path: &str| {
            let answer = app.client.get(app.url(path)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            // Marks between texts are for the browser that attaches.
            answer.text().await.unwrap().replace("<!>", "")
        };
        let overview = page(&format!("/p/default?metric=calls&view=table&{window}")).await;
        let dollars = domain::NanoUsd(expected.cost_nano_usd).to_decimal();
        assert!(
            overview.contains(&format!("title=\"Calls: {}\"", expected.calls)),
            "the cell of calls"
        );
        assert!(overview.contains(&format!(
            "title=\"Cost: ${dollars}; nobody has a price for 6 steps more\""
        )));
        assert!(overview.contains(&format!("title=\"Error rate: {:.3} %\"", failed * 100.0)));
        assert!(overview.contains(&format!(
            "title=\"Tokens: {}\"",
            domain::text::grouped(expected.tokens as u64)
        )));
        let table = between(&overview, "ch-table", "<tbody>", "</tbody>");
        let in_table: i64 = table
            .split("<td class=\"n t\">")
            .skip(1)
            .map(|cell| cell.split('<').next().unwrap().parse::<i64>().unwrap())
            .sum();
        assert_eq!(in_table, expected.calls);

        // The pages of a step, a key and a model.
        let of_step = sent(&calls, |call| call["step_name"] == "step-1");
        let of_model = sent(&calls, |call| call["model"] == "model-2");
        for (path, expected) in [
            ("steps/step-1", &of_step),
            ("models/model-2", &of_model),
            ("keys/default", &expected),
        ] {
            let page = page(&format!("/p/default/{path}?{window}")).await;
            let facts = between(&page, "run-facts", ">", "</dl>");
            let of = |name: &str| between(facts, &format!("<dt>{name}</dt>"), "<dd>", "<").to_owned();
            assert_eq!(of("Calls"), expected.calls.to_string(), "{path}");
            assert_eq!(
                of("Cost"),
                domain::NanoUsd(expected.cost_nano_usd).to_short(),
                "{path}"
            );
        }

        // The command line.
        let program = app.command(&["stats", "--days", "6", "--json"]);
        let stats: Value = serde_json::from_slice(&program).unwrap();
        let total = &stats["total"];
        let tokens: i64 = ["input_fresh", "cache_read", "cache_write", "output"]
            .iter()
            .filter_map(|part| total["tokens"][part].as_i64())
            .sum();
        assert_eq!(
            (&total["calls"], &total["cost_nano_usd"], tokens),
            (
                &json!(expected.calls),
                &json!(expected.cost_nano_usd),
                expected.tokens
            ),
            "{stats}"
        );
        assert!((total["error_rate"].as_f64().unwrap() - failed).abs() < 1e-9);
        // A percentile is one of all calls, not of a day's.
        let (_, p95) = app
            .get(&format!("/api/series?metric=latency_p95&bucket=1d&{window}"))
            .await;
        assert_eq!(p95["unit"], "ms");

        server::day_histograms::sum_up(&app.state.db, server::clock::now(), &app.shutdown)
            .await
            .unwrap();
    }

    // And a recount of everything agrees.
    let project = storage::projects::by_slug(&app.state.db, "default")
        .await
        .unwrap();
    let agree = server::pipeline::histograms_agree;
    let recount = storage::recount::recount(&app.state.db, project.id, server::clock::now(), agree)
        .await
        .unwrap();
    assert_eq!(
        (
            recount.steps,
            recount.wrong_runs.as_slice(),
            recount.wrong_hours.as_slice()
        ),
        (expected.calls, &[][..], &[][..])
    );
}
