//! Sums of the overview worked out on the server: cells, the chart's parts, what is usual.

use std::collections::BTreeMap;

use domain::series::{BucketSums, Metric};
use domain::{ProjectId, SeriesFilter, Timestamp};
use engine::series::Sums;
use engine::usual_range::{REACH_DAYS, usual_ranges};
use storage::Snapshot;
use storage::series::{Span, series};

use super::{Cell, OverviewQuery, OverviewSpan, Part};
use crate::error::ApiError;

/// Series with a name of their own in the chart; the others are one.
const NAMED: usize = 7;

/// What was read, by group and bucket.
pub(crate) struct Table {
    /// By group, one for each bucket that has any.
    groups: BTreeMap<Option<String>, BTreeMap<usize, Sums>>,
    before: Sums,
    /// The window before is nothing to compare with when its first half has no call: the project only began.
    is_comparable: bool,
    buckets: usize,
}

impl Table {
    pub(crate) fn of(found: &[BucketSums], span: &OverviewSpan) -> Self {
        let mut table = Self {
            groups: BTreeMap::new(),
            before: Sums::default(),
            is_comparable: false,
            buckets: span.buckets().len(),
        };
        let half = (span.from.micros() - span.before_from.micros()) / 2;
        for bucket in found {
            if bucket.at < span.from {
                table.before.add_read(&bucket.sums);
                table.is_comparable |= bucket.at.micros() - span.before_from.micros() <= half;
                continue;
            }
            let place = (bucket.at.micros() - span.from.micros()) / span.bucket.micros();
            let group = table.groups.entry(bucket.group.clone()).or_default();
            group
                .entry(usize::try_from(place).unwrap_or(0))
                .or_default()
                .add_read(&bucket.sums);
        }
        table
    }

    pub(crate) fn is_comparable(&self) -> bool {
        self.is_comparable
    }

    pub(crate) fn unpriced(&self) -> i64 {
        let all = self.groups.values().flat_map(BTreeMap::values);
        all.map(|sums| sums.unpriced).sum()
    }

    /// Each metric of all calls, in the window and in the one before.
    pub(crate) fn cells(&self, metrics: &[Metric]) -> Vec<Cell> {
        let mut total = Sums::default();
        for sums in merged(self.groups.values()).values() {
            total.add(sums);
        }
        let before = self.is_comparable.then_some(&self.before);
        self.cells_of(metrics, before, &total)
    }

    /// Each metric of all calls, before and after a moment.
    pub(crate) fn cells_between(&self, metrics: &[Metric], before: &Sums, after: &Sums) -> Vec<Cell> {
        self.cells_of(metrics, Some(before), after)
    }

    fn cells_of(&self, metrics: &[Metric], before: Option<&Sums>, now: &Sums) -> Vec<Cell> {
        let all = merged(self.groups.values());
        let value = |sums: &Sums, metric: Metric| {
            let value = sums.value(metric).0.map(|value| value.as_f64());
            value.filter(|_| sums.calls > 0 || metric == Metric::Cost)
        };
        metrics
            .iter()
            .map(|metric| Cell {
                metric: *metric,
                now: value(now, *metric),
                before: before.and_then(|sums| value(sums, *metric)),
                buckets: self.row(&all, *metric),
            })
            .collect()
    }

    /// The metric of each group, the largest first, and of all that have no room together.
    pub(crate) fn parts(&self, metric: Metric) -> Vec<Part> {
        let weight = |rows: &BTreeMap<usize, Sums>| {
            // By what it adds up to; of rates and percentiles by the number of calls.
            let by = if metric.adds_up() { metric } else { Metric::Calls };
            let values = rows.values().filter_map(|sums| sums.value(by).0);
            values.map(|value| value.as_f64()).sum::<f64>()
        };
        let mut groups: Vec<_> = self
            .groups
            .iter()
            .map(|(name, rows)| (weight(rows), name, rows))
            .collect();
        groups.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let rest = if groups.len() > NAMED + 1 {
            groups.split_off(NAMED)
        } else {
            Vec::new()
        };
        let mut parts: Vec<Part> = groups
            .into_iter()
            .map(|(_, name, rows)| Part {
                name: name.clone(),
                others: 0,
                buckets: self.row(rows, metric),
                usual: Vec::new(),
            })
            .collect();
        if !rest.is_empty() {
            let others = rest.len();
            let rows = merged(rest.into_iter().map(|(_, _, rows)| rows));
            parts.push(Part {
                name: None,
                others,
                buckets: self.row(&rows, metric),
                usual: Vec::new(),
            });
        }
        parts.retain(|part| part.buckets.iter().any(Option::is_some));
        parts
    }

    fn row(&self, rows: &BTreeMap<usize, Sums>, metric: Metric) -> Vec<Option<f64>> {
        (0..self.buckets)
            .map(|bucket| {
                let sums = rows
                    .get(&bucket)
                    .filter(|sums| sums.calls > 0 || sums.cost.is_some())?;
                sums.value(metric).0.map(|value| value.as_f64())
            })
            .collect()
    }
}

fn merged<'a>(groups: impl Iterator<Item = &'a BTreeMap<usize, Sums>>) -> BTreeMap<usize, Sums> {
    let mut all: BTreeMap<usize, Sums> = BTreeMap::new();
    for rows in groups {
        for (bucket, sums) in rows {
            all.entry(*bucket).or_default().add(sums);
        }
    }
    all
}

/// What all calls of both sides of a moment did.
pub(crate) async fn sides(
    snapshot: &mut Snapshot,
    project: ProjectId,
    filter: &SeriesFilter,
    span: OverviewSpan,
    sides: [(Timestamp, Timestamp); 2],
) -> Result<[Sums; 2], ApiError> {
    let mut read = <[Sums; 2]>::default();
    for (sums, (from, to)) in read.iter_mut().zip(sides) {
        let bucket = span.bucket;
        for found in series(snapshot, project, filter, Span { from, to, bucket }, None, true).await? {
            sums.add_read(&found.sums);
        }
    }
    Ok(read)
}

/// Works out between what the values of a series usually lie.
pub(crate) async fn add_usual(
    snapshot: &mut Snapshot,
    project: ProjectId,
    query: &OverviewQuery,
    span: OverviewSpan,
    part: &mut Part,
) -> Result<(), ApiError> {
    let (true, 0, Some(name)) = (span.is_of_hours(), part.others, part.name.clone()) else {
        return Ok(());
    };
    let filter = query.filter.clone().with(query.by, Some(name));
    let read = Span {
        from: usual_from(span),
        to: span.to,
        bucket: span.bucket,
    };
    let latencies = query.metric.is_percentile();
    let found = series(snapshot, project, &filter, read, None, latencies).await?;
    let values: Vec<(Timestamp, f64)> = found
        .iter()
        .filter_map(|bucket| {
            let value = Sums::from(&bucket.sums).value(query.metric).0?;
            Some((bucket.at, value.as_f64()))
        })
        .collect();
    part.usual = usual_ranges(&values, &span.buckets(), span.bucket);
    Ok(())
}

/// From when on values say what is usual in a window.
pub(crate) fn usual_from(span: OverviewSpan) -> Timestamp {
    span.from.plus_micros(-REACH_DAYS * 86_400_000_000)
}
