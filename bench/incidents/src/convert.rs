//! What the generator recorded, as the engine reads it.

use std::collections::BTreeMap;

use domain::{NanoUsd, Timestamp};
use engine::Histogram;
use engine::incidents::WantedMinutes;
use engine::incidents::window::{
    FirstSeen, MinuteRow, ModelRates, Novelty, ReleaseRow, Row, RunRow, SeriesName, Shipped, Sums, Window,
};
use incident_generator::{Cell, Scenario};

const MINUTE: i64 = 60_000_000;

/// Minutes since 1970 as a time.
pub fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * MINUTE)
}

fn hour(hour: i64) -> Timestamp {
    at(hour * 60)
}

fn histogram(values: &[(i64, i64)]) -> Histogram {
    let mut histogram = Histogram::new();
    for (value, count) in values {
        histogram.add_times(*value, u64::try_from(*count).unwrap_or(0));
    }
    histogram
}

fn sums(cell: &Cell) -> Sums {
    let shapes: BTreeMap<String, i64> = ["json", "prose", "list"]
        .iter()
        .zip(cell.shapes)
        .filter(|(_, count)| *count > 0)
        .map(|(shape, count)| ((*shape).to_owned(), count))
        .collect();
    Sums {
        runs: 0,
        calls: cell.calls,
        errors: cell.errors,
        anomalies: cell.anomalies,
        unpriced: 0,
        input_fresh: cell.input_fresh,
        cache_read: cell.cache_read,
        cache_write: 0,
        output: cell.output,
        cost: NanoUsd(cell.cost_nano),
        cost_squares: cell.cost_squares,
        output_squares: cell.output_squares,
        latency_us: histogram(&cell.latency_us),
        ttft_us: histogram(&cell.first_us),
        shapes,
    }
}

/// The window of a scenario.
pub fn window(scenario: &Scenario) -> Window {
    let series = scenario.series.iter().map(|name| SeriesName {
        key: name.key.clone(),
        environment: Some(name.environment.clone()),
        step: name.step.clone(),
        model: name.model.clone(),
        template: name.template.clone(),
    });
    let rows = scenario.cells.iter().map(|(series, of, cell)| Row {
        series: *series as u32,
        hour: hour(*of),
        sums: sums(cell),
    });
    let releases = scenario
        .releases
        .iter()
        .map(|(release, key, step, model, of, cell)| ReleaseRow {
            release: release.clone(),
            key: key.clone(),
            step: step.clone(),
            model: model.clone(),
            hour: hour(*of),
            calls: cell.calls,
            errors: cell.errors,
            cost: NanoUsd(cell.cost_nano),
            cost_squares: cell.cost_squares,
            output: cell.output,
            latency_us: cell.latency_sum_us,
        });
    let novelty = |what: &str| match what {
        "template" => Novelty::Template,
        "model" => Novelty::Model,
        "release" => Novelty::Release,
        _ => Novelty::Step,
    };
    let rates = scenario.rates.iter().map(|rate| ModelRates {
        model: rate.model.to_owned(),
        valid_from: at(rate.from),
        input: rate.input,
        cache_read: rate.cache_read,
        cache_write: rate.input,
        output: rate.output,
        per_request: 0,
    });
    Window {
        series: series.collect(),
        rows: rows.collect(),
        runs: scenario
            .runs
            .iter()
            .map(|(key, of, runs)| RunRow {
                key: key.clone(),
                hour: hour(*of),
                runs: *runs,
            })
            .collect(),
        minutes: Vec::new(),
        releases: releases.collect(),
        first_seen: scenario
            .first_seen
            .iter()
            .map(|seen| FirstSeen {
                what: novelty(seen.what),
                value: seen.value.clone(),
                key: seen.key.clone(),
                step: seen.step.clone(),
                at: Timestamp::from_micros((seen.minute * MINUTE as f64) as i64),
            })
            .collect(),
        deploys: scenario
            .deploys
            .iter()
            .map(|deploy| Shipped {
                id: deploy.sha.clone(),
                sha: deploy.sha.clone(),
                pr_number: Some(deploy.number),
                title: deploy.title.clone(),
                files: Vec::new(),
                environment: deploy.environment.clone(),
                started_at: at(deploy.started),
                completed_at: Some(at(deploy.completed)),
            })
            .collect(),
        rates: rates.collect(),
        now: at(scenario.now),
    }
}

/// The minutes that a first judgement asks for.
pub fn minutes(scenario: &Scenario, wanted: &[WantedMinutes]) -> Vec<MinuteRow> {
    let is_wanted = |key: &str, at: Timestamp| {
        wanted.iter().any(|wanted| {
            wanted.key.as_deref().is_none_or(|own| own == key) && at >= wanted.from && at < wanted.to
        })
    };
    let rows = scenario.minutes.iter().filter_map(|(series, minute, cell)| {
        let key = &scenario.series.get(*series)?.key;
        is_wanted(key, at(*minute)).then(|| MinuteRow {
            series: *series as u32,
            minute: at(*minute),
            calls: cell.calls,
            errors: cell.errors,
            anomalies: cell.anomalies,
            cost: NanoUsd(cell.cost_nano),
            output: cell.output,
            latency_us: cell.latency_sum_us,
        })
    });
    rows.collect()
}
