//! What the engine makes of the made-up month: one incident and the deploy that caused it, at whatever hour of whatever
//! day somebody seeds. Without a database; `tests/http/incidents.rs` has the whole way once.

use std::collections::{BTreeMap, HashMap};

use domain::{CostSource, NanoUsd, NewStep, Severity, StepStatus, Timestamp};
use engine::forecast::{Forecast, History as Spend};
use engine::incidents::attribution::VerdictKind;
use engine::incidents::window::{
    FirstSeen, MinuteRow, ModelRates, Novelty, ReleaseRow, Row, RunRow, SeriesName, Shipped, Sums, Window,
};
use engine::incidents::{Incident, Settings, Weights, judge_closely};
use engine::pricing::{PriceFile, PriceTable};
use engine::{History, Rules, fingerprint};

use super::{Amount, cascade};
use crate::pipeline::DerivedStep;
use crate::scoring::{RunBefore, score_step};

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;
/// Moments of seeding that an ordinary test judges: all weekdays, and half of the hours of a day.
const MOMENTS: i64 = 12;

/// What is worked out of a step.
#[derive(Clone)]
struct Known {
    derived: DerivedStep,
    is_anomaly: bool,
    shape: &'static str,
}

/// What is known of steps, once worked out: the runs of a date are the same whenever somebody seeds.
struct Pipeline {
    prices: PriceTable,
    rules: Rules,
    history: History,
    known: HashMap<(String, String, Option<String>), Known>,
}

impl Pipeline {
    fn new() -> Self {
        let shipped: PriceFile = serde_json::from_str(include_str!("../../../data/prices.json")).unwrap();
        Self {
            prices: PriceTable::new(shipped.prices),
            rules: Rules::default(),
            history: History::new(),
            known: HashMap::new(),
        }
    }

    fn known(&mut self, step: &NewStep) -> Known {
        let name = (step.run_id.clone(), step.step_id.clone(), step.model.clone());
        if let Some(known) = self.known.get(&name) {
            return known.clone();
        }
        let derived = DerivedStep::of(step, &self.prices);
        let before = RunBefore {
            same_calls: 1,
            cost: None,
        };
        let (score, record) = score_step(step, &derived, before, &self.history, &self.rules);
        self.history
            .insert(i64::try_from(self.known.len()).unwrap(), &record);
        let known = Known {
            derived,
            is_anomaly: score.severity > Severity::Ok,
            shape: score.output_shape.as_str(),
        };
        self.known.insert(name, known.clone());
        known
    }

    fn rates(&self, model: &str, at: Timestamp) -> Option<ModelRates> {
        let row = self.prices.find(None, model, at)?;
        let tokens = row.rates.tokens;
        let input = tokens.input?;
        Some(ModelRates {
            model: model.to_owned(),
            valid_from: row.valid_from,
            input,
            cache_read: tokens.cache_read.unwrap_or(input),
            cache_write: tokens.cache_write_5m.unwrap_or(input),
            output: tokens.output.unwrap_or(0),
            per_request: 0,
        })
    }
}

/// A month as hourly sums, and the minutes behind them.
#[derive(Default)]
struct Month {
    series: BTreeMap<SeriesName, u32>,
    hours: BTreeMap<(u32, Timestamp), Sums>,
    minutes: BTreeMap<(u32, Timestamp), MinuteRow>,
    runs: BTreeMap<(String, Timestamp), i64>,
    releases: BTreeMap<(String, String, String, String, Timestamp), ReleaseRow>,
    releases_seen: BTreeMap<String, Timestamp>,
}

impl Month {
    fn add(&mut self, key: &str, step: &NewStep, known: &Known) {
        let Some(model) = &step.model else { return };
        let template = known.derived.template.as_ref();
        let name = SeriesName {
            key: key.to_owned(),
            environment: step.environment.clone(),
            step: step.name.clone(),
            model: model.clone(),
            template: template.map(|hash| fingerprint::hex(hash)).unwrap_or_default(),
        };
        let next = u32::try_from(self.series.len()).unwrap();
        let series = *self.series.entry(name).or_insert(next);
        let (hour, minute) = (step.started_at.hour(), step.started_at.minute());
        let tokens = &known.derived.tokens;
        let cost = known.derived.cost.unwrap_or(NanoUsd(0));
        let square = i128::from(cost.0) * i128::from(cost.0);
        let output = tokens.output.unwrap_or(0);
        let errors = i64::from(step.status == StepStatus::Error);
        let micros = |ms: Option<f64>| ms.map(|ms| (ms * 1_000.0) as i64);
        let latency_us = micros(step.latency_ms);

        let sums = self.hours.entry((series, hour)).or_default();
        sums.calls += 1;
        sums.errors += errors;
        sums.anomalies += i64::from(known.is_anomaly);
        sums.unpriced += i64::from(known.derived.cost_source == Some(CostSource::Unknown));
        sums.input_fresh += tokens.input_fresh.unwrap_or(0);
        sums.cache_read += tokens.cache_read.unwrap_or(0);
        sums.output += output;
        sums.cost.0 += cost.0;
        sums.cost_squares += square;
        sums.output_squares += i128::from(output) * i128::from(output);
        latency_us.into_iter().for_each(|us| sums.latency_us.add(us));
        micros(step.ttft_ms)
            .into_iter()
            .for_each(|us| sums.ttft_us.add(us));
        *sums.shapes.entry(known.shape.to_owned()).or_default() += 1;

        let row = self.minutes.entry((series, minute)).or_default();
        (row.series, row.minute) = (series, minute);
        row.calls += 1;
        row.errors += errors;
        row.anomalies += i64::from(known.is_anomaly);
        row.cost.0 += cost.0;
        row.output += output;
        row.latency_us += latency_us.unwrap_or(0);

        let Some(release) = &step.release else { return };
        let seen = self
            .releases_seen
            .entry(release.clone())
            .or_insert(step.started_at);
        *seen = step.started_at.min(*seen);
        let name = (
            release.clone(),
            key.to_owned(),
            step.name.clone(),
            model.clone(),
            hour,
        );
        let row = self.releases.entry(name.clone()).or_default();
        (row.release, row.key, row.step, row.model, row.hour) = name;
        row.calls += 1;
        row.errors += errors;
        row.cost.0 += cost.0;
        row.cost_squares += square;
        row.output += output;
        row.latency_us += latency_us.unwrap_or(0);
    }
}

/// What a server says of a month that was seeded at a moment.
fn judged(pipeline: &mut Pipeline, runs_a_day: u32, until: Timestamp) -> Vec<Incident> {
    let days = Amount {
        days: 30,
        runs_a_day,
        until,
    }
    .days();
    let mut month = Month::default();
    for ago in (0..days.days).rev() {
        let mut recordings = days.recordings(ago);
        if ago == 0 {
            recordings.push(cascade::recording(until));
        }
        recordings.sort_by_key(|recording| recording.ended_at());
        for recording in recordings {
            let begun = recording.steps[0].started_at.hour();
            let key = recording.key_label;
            *month.runs.entry((key.to_owned(), begun)).or_default() += 1;
            for step in &recording.steps {
                month.add(key, step, &pipeline.known(step));
            }
        }
    }
    // As long as releases are kept.
    let since = until.plus_micros(-15 * 24 * HOUR_MICROS).day();
    let mut series: Vec<(SeriesName, u32)> = month.series.into_iter().collect();
    series.sort_by_key(|(_, at)| *at);
    let mut window = Window {
        series: series.into_iter().map(|(name, _)| name).collect(),
        now: until,
        ..Window::default()
    };
    for model in ["claude-haiku-4-5", "claude-sonnet-4-6", "text-embedding-3-small"] {
        window.rates.extend(pipeline.rates(model, until));
    }
    let rows = month.hours.into_iter();
    window.rows = rows
        .map(|((series, hour), sums)| Row { series, hour, sums })
        .collect();
    let runs = month.runs.into_iter();
    window.runs = runs
        .map(|((key, hour), runs)| RunRow { key, hour, runs })
        .collect();
    window.releases = month.releases.into_values().collect();
    window.releases.retain(|row| row.hour >= since);
    let seen = month.releases_seen.into_iter().filter(|(_, at)| *at >= since);
    window.first_seen = seen
        .map(|(value, at)| FirstSeen {
            what: Novelty::Release,
            value,
            key: String::new(),
            step: String::new(),
            at,
        })
        .collect();
    let deploys = days.deploys().into_iter();
    window.deploys = deploys
        .map(|record| Shipped {
            id: record.id.unwrap(),
            sha: record.sha,
            pr_number: record.pr_number,
            title: record.title.unwrap(),
            files: Vec::new(),
            environment: record.environment,
            started_at: record.started_at.unwrap(),
            completed_at: record.completed_at,
        })
        .collect();
    let minutes: Vec<MinuteRow> = month.minutes.into_values().collect();
    judge_closely(&window, &Settings::default(), &Weights::shipped(), |wanted| {
        let is_wanted = |row: &&MinuteRow| {
            let mut wanted = wanted.iter();
            wanted.any(|hours| row.minute >= hours.from && row.minute < hours.to)
        };
        minutes.iter().filter(is_wanted).cloned().collect()
    })
}

/// One incident, on prod-frontend, that afternoon, named after PR 2; the two beside it are cleared.
fn assert_it_was_pr_2(incidents: &[Incident], until: Timestamp) {
    let told: Vec<_> = incidents
        .iter()
        .map(|of| (&of.key, &of.step, of.metric, &of.onset.at, &of.verdict))
        .collect();
    assert_eq!(incidents.len(), 1, "{until}: {told:#?}");
    let one = &incidents[0];
    assert_eq!(one.key.as_deref(), Some("prod-frontend"), "{until}: {told:#?}");
    let afternoon = until.plus_micros(-8 * 24 * HOUR_MICROS).day();
    let hours = (one.onset.at.micros() - afternoon.micros()) as f64 / HOUR_MICROS as f64;
    assert!((13.5..=15.0).contains(&hours), "{until}: {told:#?}");
    assert_eq!(one.verdict.kind, VerdictKind::Deploy, "{until}: {one:#?}");
    let of = |id: &str| {
        let own = one
            .attributions
            .iter()
            .find(|of| of.deploy_id.as_deref() == Some(id));
        own.map(|of| (of.confidence(), of.cleared_because.is_some()))
    };
    assert_eq!(
        ["demo-pr-1", "demo-pr-2", "demo-pr-3"].map(of),
        [Some((0.05, true)), Some((0.55, false)), Some((0.05, true))],
        "{until}: {one:#?}"
    );
}

#[test]
fn it_is_one_incident_and_pr_2_at_whatever_hour_of_whatever_weekday() {
    let first = Timestamp::parse_rfc3339("2026-11-23T00:17:00Z").unwrap();
    let mut pipeline = Pipeline::new();
    // 125 hours on is five weekdays and five hours on, so 168 moments are every hour of every weekday. They take minutes:
    // whoever changes the demo or what is judged asks for them all.
    let asked = option_env!("PLUMBLINE_DEMO_MOMENTS");
    let moments = asked.map_or(MOMENTS, |asked| asked.parse().unwrap());
    for moment in 0..moments {
        let until = first.plus_micros(moment * 125 * HOUR_MICROS);
        assert_it_was_pr_2(&judged(&mut pipeline, 320, until), until);
    }
}

/// What each whole day costs before anything ships.
fn spend_before_the_deploys(pipeline: &Pipeline, until: Timestamp) -> Vec<NanoUsd> {
    let days = Amount {
        days: 30,
        runs_a_day: 100,
        until,
    }
    .days();
    let mut spend: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for recording in (8..days.days).flat_map(|ago| days.recordings(ago)) {
        for step in &recording.steps {
            let cost = DerivedStep::of(step, &pipeline.prices).cost;
            *spend.entry(step.started_at.day()).or_default() += cost.unwrap_or(NanoUsd(0)).0;
        }
    }
    let first = until.plus_micros(-29 * DAY_MICROS).day();
    let shipping_day = until.plus_micros(-8 * DAY_MICROS).day();
    spend
        .range(first..shipping_day)
        .map(|(_, spent)| NanoUsd(*spent))
        .collect()
}

#[test]
fn months_end_within_the_interval_that_was_forecast() {
    let pipeline = Pipeline::new();
    let first = Timestamp::parse_rfc3339("2026-11-23T12:17:00Z").unwrap();
    let month_ends = Timestamp::parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
    let (mut asked, mut within) = (0, 0);
    for month in 0..6 {
        let spend = spend_before_the_deploys(&pipeline, first.plus_micros(month * 31 * DAY_MICROS));
        assert_eq!(spend.len(), 21);
        let day = |place: usize| month_ends.plus_micros(DAY_MICROS * (place as i64 - spend.len() as i64));
        let came: i64 = spend.iter().map(|spent| spent.0).sum();
        for known in 8..spend.len() {
            let days = spend[..known].iter().enumerate();
            let history = Spend::new(days.map(|(place, spent)| (day(place), *spent)), day(known));
            let end = Forecast::of(&history).unwrap().month_end().month_end;
            asked += 1;
            within += u32::from((end.low.0..=end.high.0).contains(&came));
        }
    }
    assert!(
        within * 10 >= asked * 7,
        "{within} of {asked} times the month ended within the interval"
    );
}
