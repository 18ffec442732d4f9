//! What a judgement rests on: hours, runs, releases, deploys and prices.

mod closer;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Deploy, NanoUsd, ProjectId, Timestamp};
use engine::Histogram;
use engine::incidents::window::{
    FirstSeen, Novelty, ReleaseRow, Row, RunRow, SeriesName, Shipped, Sums, Window,
};
use storage::deploys::{DeployFilter, MAX_PAGE};
use storage::incidents::HourSums;
use storage::{Db, Snapshot};

pub(super) use closer::closer;

use super::{HOUR, JudgeError, rates};
use crate::prices::Prices;

const DAY: i64 = 24 * HOUR;
/// What is judged again although nothing of it changed, so that an incident has one history: it is open for at most seven
/// days before it is accepted.
const JUDGED_MICROS: i64 = 10 * DAY;
/// What is read before that, to know what is usual.
const BASELINE_MICROS: i64 = 28 * DAY;
/// How much of that there has to be.
pub(super) const LEAST_BASELINE_MICROS: i64 = 7 * DAY;
/// The longest history that is judged.
const MAX_JUDGED_MICROS: i64 = 360 * DAY;
/// Hours of series that are read at most, the latest first: some 150 MB in memory.
const MAX_ROWS: i64 = 200_000;
/// Those of two or three hours that are judged alone; more are left to a judgement of everything.
const MAX_RECENT_ROWS: i64 = 50_000;
const MAX_RELEASE_ROWS: i64 = 50_000;
/// Pages of deploys, 500 each.
const MAX_DEPLOY_PAGES: usize = 8;
/// Releases are kept for two weeks; so is the first time that something was seen worth asking for.
const RELEASES_MICROS: i64 = 15 * DAY;

/// What was read.
pub(super) struct Read {
    pub(super) window: Window,
    /// Incidents that ended before are left as they are.
    pub(super) judged_from: Timestamp,
    /// The running hour has calls.
    pub(super) is_running: bool,
    /// Hours before this were not read, because there are too many.
    pub(super) left_out_before: Option<Timestamp>,
    names: HashMap<SeriesName, u32>,
}

/// Reads what is needed to judge everything since `changed_from`, as of one moment.
pub(super) async fn window(
    db: &Db,
    project: ProjectId,
    changed_from: Timestamp,
    now: Timestamp,
) -> Result<Read, JudgeError> {
    let prices = Prices::new(db.clone()).of(project).await?;
    let mut snapshot = db.snapshot(project).await?;
    let mut judged_from = changed_from
        .min(now.plus_micros(-JUDGED_MICROS))
        .max(now.plus_micros(-MAX_JUDGED_MICROS))
        .day();
    let begin = judged_from.plus_micros(-BASELINE_MICROS);
    let mut read = Read::of(now);
    // The latest day first, until there is enough.
    let mut from = now.day();
    let mut to = now.hour().plus_micros(HOUR);
    let mut room = MAX_ROWS;
    let mut known_from = to;
    while from >= begin {
        let hours = storage::incidents::hours(&mut snapshot, project, from, to, room + 1).await?;
        room -= i64::try_from(hours.len()).unwrap_or(i64::MAX);
        if room < 0 {
            // Not all of this day: none of it.
            judged_from = judged_from
                .max(known_from.plus_micros(LEAST_BASELINE_MICROS))
                .min(now.plus_micros(-DAY).day());
            read.left_out_before = Some(to);
            break;
        }
        if !hours.is_empty() {
            known_from = from;
        }
        read.is_running |= hours.iter().any(|sums| sums.hour >= now.hour());
        read.add(hours);
        to = from;
        from = from.plus_micros(-DAY);
    }
    read.judged_from = judged_from;
    read.add_runs(&mut snapshot, project, known_from).await?;
    add_releases(&mut snapshot, project, &mut read.window).await?;
    read.window.deploys = deploys(&mut snapshot, project, known_from.plus_micros(-2 * DAY)).await?;
    let models: BTreeSet<String> = read.window.series.iter().map(|name| name.model.clone()).collect();
    read.window.rates = rates::rates(&prices, &models, known_from, now);
    Ok(read)
}

/// Reads the hours of all series since `from`, as of `now`. `None` when there are too many of them.
pub(super) async fn hours_since(
    db: &Db,
    project: ProjectId,
    from: Timestamp,
    now: Timestamp,
) -> Result<Option<Read>, JudgeError> {
    let mut snapshot = db.snapshot(project).await?;
    let to = now.hour().plus_micros(HOUR);
    let hours = storage::incidents::hours(&mut snapshot, project, from, to, MAX_RECENT_ROWS + 1).await?;
    if i64::try_from(hours.len()).unwrap_or(i64::MAX) > MAX_RECENT_ROWS {
        return Ok(None);
    }
    let mut read = Read::of(now);
    read.is_running = hours.iter().any(|sums| sums.hour >= now.hour());
    read.add(hours);
    read.add_runs(&mut snapshot, project, from).await?;
    Ok(Some(read))
}

impl Read {
    fn of(now: Timestamp) -> Self {
        Self {
            window: Window {
                now,
                ..Window::default()
            },
            judged_from: now,
            is_running: false,
            left_out_before: None,
            names: HashMap::new(),
        }
    }

    async fn add_runs(
        &mut self,
        snapshot: &mut Snapshot,
        project: ProjectId,
        from: Timestamp,
    ) -> Result<(), JudgeError> {
        let runs = storage::incidents::runs_by_key(snapshot, project, from, self.window.now).await?;
        self.window.runs.extend(runs.into_iter().map(|row| RunRow {
            key: row.key,
            hour: row.hour,
            runs: row.runs,
        }));
        Ok(())
    }

    fn add(&mut self, hours: Vec<HourSums>) {
        for hour in hours {
            let name = SeriesName {
                key: hour.key,
                environment: hour.environment,
                step: hour.step,
                model: hour.model,
                template: hour.template.unwrap_or_default(),
            };
            let series = self.series(name);
            let decoded = |bytes: &[u8]| Histogram::decode(bytes).unwrap_or_default();
            let shapes: BTreeMap<String, i64> = serde_json::from_value(hour.shapes).unwrap_or_default();
            self.window.rows.push(Row {
                series,
                hour: hour.hour,
                sums: Sums {
                    runs: 0,
                    calls: hour.calls,
                    errors: hour.errors,
                    anomalies: hour.anomalies,
                    unpriced: hour.unpriced,
                    input_fresh: hour.input_fresh,
                    cache_read: hour.cache_read,
                    cache_write: hour.cache_write,
                    output: hour.output,
                    cost: hour.cost,
                    cost_squares: hour.cost_squares,
                    output_squares: hour.output_squares,
                    latency_us: decoded(&hour.latency_us),
                    ttft_us: decoded(&hour.ttft_us),
                    shapes,
                },
            });
        }
    }

    fn series(&mut self, name: SeriesName) -> u32 {
        if let Some(series) = self.names.get(&name) {
            return *series;
        }
        let series = u32::try_from(self.window.series.len()).unwrap_or(u32::MAX);
        self.window.series.push(name.clone());
        self.names.insert(name, series);
        series
    }
}

async fn add_releases(
    snapshot: &mut Snapshot,
    project: ProjectId,
    window: &mut Window,
) -> Result<(), JudgeError> {
    let since = window.now.plus_micros(-RELEASES_MICROS).day();
    let rows =
        storage::incidents::release_hours(snapshot, project, since, window.now, MAX_RELEASE_ROWS).await?;
    window.releases = rows
        .into_iter()
        .map(|row| ReleaseRow {
            release: row.release,
            key: row.key,
            step: row.step,
            model: row.model,
            hour: row.hour,
            calls: row.calls,
            errors: row.errors,
            cost: NanoUsd(row.cost.0),
            cost_squares: row.cost_squares,
            output: row.output,
            latency_us: row.latency_us,
        })
        .collect();
    let first_seen = storage::incidents::releases_first_seen(snapshot, project, since).await?;
    window.first_seen = first_seen
        .into_iter()
        .map(|(value, at)| FirstSeen {
            what: Novelty::Release,
            value,
            key: String::new(),
            step: String::new(),
            at,
        })
        .collect();
    Ok(())
}

async fn deploys(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
) -> Result<Vec<Shipped>, JudgeError> {
    let filter = DeployFilter {
        from: Some(from),
        ..DeployFilter::default()
    };
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_DEPLOY_PAGES {
        let page = storage::deploys::list(snapshot, project, &filter, cursor.as_deref(), MAX_PAGE).await?;
        found.extend(page.items.into_iter().filter(Deploy::went_live).map(shipped));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

fn shipped(deploy: Deploy) -> Shipped {
    Shipped {
        started_at: deploy.began_at(),
        completed_at: deploy.completed_at,
        id: deploy.id,
        sha: deploy.sha,
        pr_number: deploy.pr_number,
        title: deploy.title.unwrap_or_default(),
        files: Vec::new(),
        environment: deploy.environment,
    }
}
