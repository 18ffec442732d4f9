//! The hours around an onset: what the incident's series did, and what other keys did meanwhile.

use std::collections::BTreeMap;

use domain::series::{Bucket, BucketSums, Metric as SeriesMetric, MetricUnit, SeriesBy, SeriesFilter};
use domain::{ProjectId, Timestamp};
use engine::incidents::decomposition::TermKind;
use engine::incidents::{Incident, Metric, words};
use engine::series::Sums;
use storage::Snapshot;
use storage::series::{Span, series};

use super::{Control, Panel};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Hours before and behind the onset.
const BEFORE_HOURS: i64 = 26;
const AFTER_HOURS: i64 = 22;
/// Days whose same hours are what is expected.
const BASELINE_DAYS: i64 = 7;

/// What the page shows of the hours.
pub(super) struct Found {
    pub(super) hours: (Timestamp, usize),
    pub(super) panels: Vec<Panel>,
    pub(super) controls: Vec<Control>,
    pub(super) controls_of: &'static str,
    pub(super) controls_unit: MetricUnit,
}

/// What is read off the sums of an hour.
type Value = fn(&Sums) -> Option<f64>;

/// A measure of an hour: what it is called, its unit, its value.
type Measure = (String, MetricUnit, Value);

type Hours = BTreeMap<Timestamp, Sums>;

pub(super) async fn read(
    snapshot: &mut Snapshot,
    project: ProjectId,
    incident: &Incident,
    now: Timestamp,
) -> storage::Result<Found> {
    let onset = incident.onset.at.hour();
    let from = onset.plus_micros(-BEFORE_HOURS * HOUR);
    let to = onset
        .plus_micros(AFTER_HOURS * HOUR)
        .min(now.hour().plus_micros(HOUR));
    let first_baseline = onset.day().plus_micros(-BASELINE_DAYS * DAY);
    let span = Span {
        from: from.min(first_baseline),
        to,
        bucket: Bucket::Hour,
    };
    let needs_latency = matches!(incident.metric, Metric::LatencyP95 | Metric::TtftP95);
    let filter = SeriesFilter {
        step: incident.step.clone(),
        ..SeriesFilter::default()
    };
    let by_key = series(
        snapshot,
        project,
        &filter,
        span,
        Some(SeriesBy::Key),
        needs_latency,
    )
    .await?;
    let keys = by_group(&by_key);
    let own = match &incident.key {
        Some(key) => keys.get(&Some(key.clone())).cloned().unwrap_or_default(),
        None => merged(keys.values()),
    };
    let count = usize::try_from((to.micros() - from.micros()) / HOUR).unwrap_or(0);
    let window = Window { from, count, onset };
    let mut panels: Vec<Panel> = measures(incident)
        .into_iter()
        .map(|measure| window.panel(measure, &own))
        .collect();
    if let Some(model) = switched_model(incident) {
        let of_key = SeriesFilter {
            key: incident.key.clone(),
            ..filter
        };
        let by_model = series(snapshot, project, &of_key, span, Some(SeriesBy::Model), false).await?;
        let models = by_group(&by_model);
        let all = merged(models.values());
        let part = models.get(&Some(model.clone())).cloned().unwrap_or_default();
        panels.truncate(2);
        panels.push(window.share(&model, &part, &all));
    }
    let (controls_of, controls_unit, value) = control_measure(incident.metric);
    let end = onset.plus_micros(DAY).min(to);
    let controls = keys
        .iter()
        .filter_map(|(key, hours)| {
            let key = key.clone()?;
            let mut after = Sums::default();
            let mut before = Sums::default();
            let mut hour = onset;
            while hour < end {
                if let Some(sums) = hours.get(&hour) {
                    after.add(sums);
                }
                for day in 1..=BASELINE_DAYS {
                    if let Some(sums) = hours
                        .get(&hour.plus_micros(-day * DAY))
                        .filter(|_| hour.plus_micros(-day * DAY) < onset)
                    {
                        before.add(sums);
                    }
                }
                hour = hour.plus_micros(HOUR);
            }
            Some(Control {
                before: value(&before),
                after: value(&after),
                calls: after.calls,
                is_own: incident.key.as_deref().is_none_or(|own| own == key),
                key,
            })
        })
        .collect();
    Ok(Found {
        hours: (from, count),
        panels,
        controls,
        controls_of,
        controls_unit,
    })
}

fn by_group(found: &[BucketSums]) -> BTreeMap<Option<String>, Hours> {
    let mut groups: BTreeMap<Option<String>, Hours> = BTreeMap::new();
    for bucket in found {
        let group = groups.entry(bucket.group.clone()).or_default();
        group.entry(bucket.at).or_default().add_read(&bucket.sums);
    }
    groups
}

fn merged<'a>(groups: impl Iterator<Item = &'a Hours>) -> Hours {
    let mut all = Hours::new();
    for (at, sums) in groups.flatten() {
        all.entry(*at).or_default().add(sums);
    }
    all
}

struct Window {
    from: Timestamp,
    count: usize,
    onset: Timestamp,
}

impl Window {
    fn hours(&self) -> impl Iterator<Item = Timestamp> + '_ {
        (0..self.count).map(|hour| self.from.plus_micros(i64::try_from(hour).unwrap_or(0) * HOUR))
    }

    fn panel(&self, (title, unit, value): Measure, hours: &Hours) -> Panel {
        let observed = self
            .hours()
            .map(|hour| hours.get(&hour).and_then(value))
            .collect();
        Panel {
            title,
            unit,
            observed,
            expected: self.expected(|hour| hours.get(&hour).and_then(value)),
        }
    }

    fn share(&self, model: &str, part: &Hours, all: &Hours) -> Panel {
        let value = |hour: Timestamp| {
            let calls = all.get(&hour).map(|sums| sums.calls).filter(|calls| *calls > 0)?;
            let own = part.get(&hour).map_or(0, |sums| sums.calls);
            Some(own as f64 / calls as f64)
        };
        Panel {
            title: format!("Share of {model}"),
            unit: MetricUnit::Share,
            observed: self.hours().map(value).collect(),
            expected: self.expected(value),
        }
    }

    /// The least and the most of the same hour in the days before the onset's.
    fn expected(&self, value: impl Fn(Timestamp) -> Option<f64>) -> Vec<Option<(f64, f64)>> {
        let of_hour = |hour: Timestamp| {
            let in_day = hour.micros().rem_euclid(DAY);
            let values = (1..=BASELINE_DAYS)
                .map(|day| self.onset.day().plus_micros(in_day - day * DAY))
                .filter_map(&value);
            values.fold(None, |range: Option<(f64, f64)>, value| {
                Some(range.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
            })
        };
        self.hours().map(of_hour).collect()
    }
}

fn of(sums: &Sums, metric: SeriesMetric) -> Option<f64> {
    sums.value(metric).0.map(|value| value.as_f64())
}

fn per_call(tokens: Option<i64>, calls: i64) -> Option<f64> {
    tokens
        .filter(|_| calls > 0)
        .map(|tokens| tokens as f64 / calls as f64)
}

/// What the panels show, the incident's own metric first.
fn measures(incident: &Incident) -> Vec<Measure> {
    let calls: Measure = ("Calls per hour".to_owned(), MetricUnit::Calls, |sums| {
        Some(sums.calls as f64)
    });
    let cost: Measure = ("Cost per hour".to_owned(), MetricUnit::NanoUsd, |sums| {
        of(sums, SeriesMetric::Cost)
    });
    let each: Measure = ("Cost per call".to_owned(), MetricUnit::NanoUsd, |sums| {
        of(sums, SeriesMetric::CostPerCall)
    });
    let output: Measure = ("Output tokens per call".to_owned(), MetricUnit::Tokens, |sums| {
        per_call(sums.tokens.output, sums.calls)
    });
    let input: Measure = ("Input tokens per call".to_owned(), MetricUnit::Tokens, |sums| {
        per_call(sums.tokens.input(), sums.calls)
    });
    match incident.metric {
        Metric::Cost | Metric::Calls => vec![cost, calls, each],
        Metric::CostPerCall | Metric::CostPerRun => vec![each, output, input],
        Metric::LatencyP95 => {
            let own = (
                "Latency p95".to_owned(),
                MetricUnit::Ms,
                (|sums| of(sums, SeriesMetric::LatencyP95)) as Value,
            );
            vec![own, output, calls]
        }
        Metric::TtftP95 => {
            let own = (
                "First token p95".to_owned(),
                MetricUnit::Ms,
                (|sums| of(sums, SeriesMetric::TtftP95)) as Value,
            );
            vec![own, input, calls]
        }
        Metric::ErrorRate => {
            let own = (
                "Error rate".to_owned(),
                MetricUnit::Share,
                (|sums| of(sums, SeriesMetric::ErrorRate)) as Value,
            );
            vec![own, calls, each]
        }
        Metric::AnomalyRate | Metric::ShapeMix => {
            let own = (
                "Anomaly rate".to_owned(),
                MetricUnit::Share,
                (|sums| of(sums, SeriesMetric::AnomalyRate)) as Value,
            );
            vec![own, calls, output]
        }
        Metric::OutputTokens => vec![output, calls, each],
    }
}

/// The model that calls moved to, where that is what most of the change is.
fn switched_model(incident: &Incident) -> Option<String> {
    let parts = words::parts(&incident.decomposition);
    let largest = parts.iter().max_by(|a, b| a.amount.total_cmp(&b.amount))?;
    (largest.kind == TermKind::ModelSwitch && largest.amount > 0.0).then(|| largest.largest.model.clone())?
}

/// By what other keys are compared: of cost what a call costs, because their traffic is their own.
fn control_measure(metric: Metric) -> (&'static str, MetricUnit, Value) {
    match metric {
        Metric::Cost | Metric::CostPerCall | Metric::CostPerRun | Metric::Calls => {
            ("cost per call", MetricUnit::NanoUsd, |sums| {
                of(sums, SeriesMetric::CostPerCall)
            })
        }
        Metric::LatencyP95 => ("latency p95", MetricUnit::Ms, |sums| {
            of(sums, SeriesMetric::LatencyP95)
        }),
        Metric::TtftP95 => ("first token p95", MetricUnit::Ms, |sums| {
            of(sums, SeriesMetric::TtftP95)
        }),
        Metric::ErrorRate => ("error rate", MetricUnit::Share, |sums| {
            of(sums, SeriesMetric::ErrorRate)
        }),
        Metric::AnomalyRate | Metric::ShapeMix => ("anomaly rate", MetricUnit::Share, |sums| {
            of(sums, SeriesMetric::AnomalyRate)
        }),
        Metric::OutputTokens => ("output tokens per call", MetricUnit::Tokens, |sums| {
            per_call(sums.tokens.output, sums.calls)
        }),
    }
}
