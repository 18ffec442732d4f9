//! A metric over time, some weeks at a time.

use domain::Timestamp;
use domain::series::{Bucket, Metric, SeriesBy};
use serde_json::json;

use super::sink::Sink;
use crate::api::csv::field;
use crate::api::series::SeriesAnswer;
use crate::cli::Exit;
use crate::cli::source::{Pairs, Source};
use crate::clock;

const DAY_MICROS: i64 = 86_400_000_000;
/// Without a beginning, the last thirty days.
const DEFAULT_DAYS: i64 = 30;

/// Which metric, by what, how fine.
pub(super) struct Asked {
    pub(super) metric: Metric,
    pub(super) by: Option<SeriesBy>,
    pub(super) bucket: Bucket,
}

pub(super) async fn export(
    source: &Source,
    filter: &Pairs<'_>,
    asked: &Asked,
    is_csv: bool,
    sink: &mut Sink,
) -> Result<(), Exit> {
    let (from, to, narrowed) = window(filter)?;
    let (metric, unit) = (asked.metric.as_str(), asked.metric.unit().as_str());
    let group = asked.by.map(SeriesBy::as_str);
    if is_csv {
        let group = group.map(|group| format!("{group},")).unwrap_or_default();
        sink.line(&format!("at,{group}{metric}_{unit},calls"))?;
    }
    let step = match asked.bucket {
        Bucket::Day => 366 * DAY_MICROS,
        _ => 31 * DAY_MICROS,
    };
    let mut begin = asked.bucket.start_of(from);
    while begin < to {
        let end = begin.plus_micros(step).min(to);
        let mut pairs = narrowed.clone();
        pairs.push(("metric", metric.to_owned()));
        pairs.push(("bucket", asked.bucket.as_str().to_owned()));
        pairs.push(("from", begin.to_string()));
        pairs.push(("to", end.to_string()));
        pairs.extend(group.map(|group| ("by", group.to_owned())));
        let answer: SeriesAnswer = source.get("/api/series", &pairs).await?;
        // In the order of time, whatever the groups.
        let mut points: Vec<_> = answer
            .series
            .iter()
            .flat_map(|one| {
                one.points
                    .iter()
                    .map(|point| (point.0, one.of.name(), point.1, point.2))
            })
            .collect();
        points.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        for (at, name, value, calls) in points {
            if is_csv {
                let name = group.map(|_| format!("{},", field(name.unwrap_or_default())));
                let value = value.map(|value| json!(value).to_string()).unwrap_or_default();
                sink.line(&format!("{at},{}{value},{calls}", name.unwrap_or_default()))?;
            } else {
                let mut point =
                    json!({ "at": at, "metric": metric, "unit": unit, "value": value, "calls": calls });
                if let Some(group) = group {
                    point[group] = json!(name);
                }
                sink.line(&point.to_string())?;
            }
        }
        begin = end;
    }
    Ok(())
}

/// The window, and what else narrows. A series knows fewer filters than a list of runs.
fn window(filter: &Pairs<'_>) -> Result<(Timestamp, Timestamp, Pairs<'static>), Exit> {
    let now = clock::now();
    let (mut from, mut to) = (None, now);
    let mut narrowed = Pairs::new();
    for (name, value) in filter {
        match *name {
            "from" => from = Timestamp::parse_rfc3339(value),
            "to" => to = Timestamp::parse_rfc3339(value).unwrap_or(now),
            "key" => narrowed.push(("key", value.clone())),
            "model" => narrowed.push(("model", value.clone())),
            "step" => narrowed.push(("step", value.clone())),
            "environment" => narrowed.push(("environment", value.clone())),
            _ => {
                return Err(Exit::Usage(format!(
                    "a series is narrowed by --label, --model, --step, --environment, --from and --to, not by {name}"
                )));
            }
        }
    }
    let from = from.unwrap_or_else(|| to.plus_micros(-DEFAULT_DAYS * DAY_MICROS));
    if from >= to {
        return Err(Exit::Usage("--from must lie before --to".to_owned()));
    }
    Ok((from, to, narrowed))
}
