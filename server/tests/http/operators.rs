//! What operators load into Prometheus and Grafana asks for figures that there are.

use std::collections::BTreeSet;

use crate::app::TestApp;

const RULES: &str = include_str!("../../../docs/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../docs/prometheus/grafana.json");

/// Every name of ours in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_part(c))
        .filter(|word| word.starts_with("plumbline_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_dashboard_ask_for_figures_that_are_served() {
    let app = TestApp::new().await;
    // What has no value yet is not said.
    app.state
        .metrics
        .job_failures
        .get_or_create(&[("kind", "reprice")])
        .inc();
    let served = app
        .client
        .get(app.url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    // What nobody has counted yet is announced all the same; a counter's figure ends with `_total`.
    let mut known = names(&served);
    for line in served.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        if kind == "counter" {
            known.insert(format!("{name}_total"));
        }
    }
    for (what, text) in [("alerts.yml", RULES), ("grafana.json", DASHBOARD)] {
        let asked = names(text);
        assert!(asked.len() > 8, "{what}: {asked:?}");
        let missing: Vec<_> = asked.difference(&known).collect();
        assert!(
            missing.is_empty(),
            "{what} asks for {missing:?}; there are {known:?}"
        );
    }
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    assert_eq!(dashboard["uid"], "plumbline");
    let shown = names(DASHBOARD);
    let left_out: Vec<_> = served
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split(' ').next().unwrap())
        .filter(|name| !shown.iter().any(|shown| shown.starts_with(name)))
        .collect();
    assert!(left_out.is_empty(), "the dashboard shows nothing of {left_out:?}");
}
