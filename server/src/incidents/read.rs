//! What a judgement rests on: hours, runs, releases, deploys and prices, and a closer look at the minutes around onsets
//! and rollouts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Deploy, NanoUsd, ProjectId, Timestamp};
use engine::Histogram;
use engine::incidents::Incident;
use engine::incidents::window::{
    FirstSeen, MinuteRow, Novelty, ReleaseRow, Row, RunRow, SeriesName, Shipped, Sums, Window,
};
use storage::deploys::{DeployFilter, MAX_PAGE};
use storage::incidents::{HourSums, StepMinute};
use storage::{Db, Snapshot};

use super::{HOUR, JudgeError, rates};
use crate::prices::Prices;

const DAY: i64 = 24 * HOUR;
/// What is judged again although nothing of it changed, so that an incident has one history: it is open for at most seven
/// days before it is accepted.
const JUDGED_MICROS: i64 = 10 * DAY;
/// What is read before that, to know what is usual.
const BASELINE_MICROS: i64 = 28 * DAY;
/// How much of that there has to be.
const LEAST_BASELINE_MICROS: i64 = 7 * DAY;
/// The longest history that is judged.
const MAX_JUDGED_MICROS: i64 = 360 * DAY;
/// Hours of series that are read at most, the latest first: some 150 MB in memory.
const MAX_ROWS: i64 = 200_000;
const MAX_RELEASE_ROWS: i64 = 50_000;
/// Pages of deploys, 500 each.
const MAX_DEPLOY_PAGES: usize = 8;
/// Releases are kept for two weeks; so is the first time that something was seen worth asking for.
const RELEASES_MICROS: i64 = 15 * DAY;
/// Hours around one onset that are read by the minute, and hours in all.
const MAX_ONSET_HOURS: i64 = 6;
const MAX_CLOSE_HOURS: usize = 48;
/// Calls of an hour up to which its steps are read, and of all such hours.
const MAX_CALLS_OF_HOUR: i64 = 50_000;
const MAX_CLOSE_CALLS: i64 = 200_000;

/// What was read.
pub(super) struct Read {
    pub(super) window: Window,
    /// Incidents that ended before are left as they are.
    pub(super) judged_from: Timestamp,
    /// The running hour has calls.
    pub(super) is_running: bool,
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
    let mut read = Read {
        window: Window {
            now,
            ..Window::default()
        },
        judged_from,
        is_running: false,
        names: HashMap::new(),
    };
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
    let runs = storage::incidents::runs_by_key(&mut snapshot, project, known_from, now).await?;
    read.window.runs = runs
        .into_iter()
        .map(|row| RunRow {
            key: row.key,
            hour: row.hour,
            runs: row.runs,
        })
        .collect();
    add_releases(&mut snapshot, project, &mut read.window).await?;
    read.window.deploys = deploys(&mut snapshot, project, known_from.plus_micros(-2 * DAY)).await?;
    let models: BTreeSet<String> = read.window.series.iter().map(|name| name.model.clone()).collect();
    read.window.rates = rates::rates(&prices, &models, known_from, now);
    Ok(read)
}

impl Read {
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

/// Reads the minutes around what was found, and what was first seen in them. False when there is nothing more to know.
pub(super) async fn closer(
    db: &Db,
    project: ProjectId,
    read: &mut Read,
    incidents: &[Incident],
) -> Result<bool, JudgeError> {
    let wanted = hours_to_read(read, incidents);
    if wanted.is_empty() {
        return Ok(false);
    }
    let mut snapshot = db.snapshot(project).await?;
    let mut minutes: Vec<StepMinute> = Vec::new();
    for hour in &wanted {
        minutes.extend(storage::incidents::minutes(&mut snapshot, project, &[*hour]).await?);
    }
    drop(snapshot);
    let seen = first_seen(read, &minutes);
    read.window.first_seen.extend(seen);
    for minute in minutes {
        let name = SeriesName {
            key: minute.key,
            environment: minute.environment,
            step: minute.step,
            model: minute.model,
            template: minute.template.unwrap_or_default(),
        };
        // What the hours count as another series is left to them.
        if let Some(series) = read.names.get(&name) {
            read.window.minutes.push(MinuteRow {
                series: *series,
                minute: minute.minute,
                calls: minute.calls,
                errors: minute.errors,
                anomalies: minute.anomalies,
                cost: minute.cost,
                output: minute.output,
                latency_us: minute.latency_us,
            });
        }
    }
    Ok(true)
}

/// The hours in which incidents may have begun and in which their candidates were rolled out, the earliest first.
fn hours_to_read(read: &Read, incidents: &[Incident]) -> BTreeSet<Timestamp> {
    let mut calls: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for row in &read.window.rows {
        let sum = calls.entry(row.hour).or_default();
        *sum = sum.saturating_add(row.sums.calls);
    }
    let mut wanted = BTreeSet::new();
    let mut room = MAX_CLOSE_CALLS;
    let mut add = |from: Timestamp, to: Timestamp| {
        let mut hour = from.hour();
        while hour <= to && wanted.len() < MAX_CLOSE_HOURS {
            let of_hour = calls.get(&hour).copied().unwrap_or(0);
            if of_hour > 0 && of_hour <= MAX_CALLS_OF_HOUR.min(room) && wanted.insert(hour) {
                room -= of_hour;
            }
            hour = hour.plus_micros(HOUR);
        }
    };
    let judged = incidents
        .iter()
        .filter(|incident| incident.last_at >= read.judged_from);
    for incident in judged.rev() {
        let onset = &incident.onset;
        for candidate in &incident.attributions {
            let (from, to) = candidate.rolled_out;
            add(from, to.min(from.plus_micros(HOUR)));
            add(to, to);
        }
        add(
            onset.from,
            onset.to.min(onset.from.plus_micros(MAX_ONSET_HOURS * HOUR)),
        );
    }
    wanted
}

/// Steps, models and templates whose first hour is one of those that were read by the minute.
fn first_seen(read: &Read, minutes: &[StepMinute]) -> Vec<FirstSeen> {
    type Place = (Novelty, String, String, String);
    let mut first_hours: HashMap<Place, Timestamp> = HashMap::new();
    let places = |key: &str, step: &str, model: &str, template: &str| -> Vec<Place> {
        let of = |what, value: &str| (what, value.to_owned(), key.to_owned(), step.to_owned());
        let mut places = vec![of(Novelty::Step, step), of(Novelty::Model, model)];
        if !template.is_empty() {
            places.push(of(Novelty::Template, template));
        }
        places
    };
    let mut earliest: Option<Timestamp> = None;
    for row in &read.window.rows {
        let Some(name) = read.window.series.get(row.series as usize) else {
            continue;
        };
        earliest = Some(earliest.map_or(row.hour, |known| known.min(row.hour)));
        for place in places(&name.key, &name.step, &name.model, &name.template) {
            first_hours
                .entry(place)
                .and_modify(|known| *known = (*known).min(row.hour))
                .or_insert(row.hour);
        }
    }
    // What was there on the first day that is known may have been there before.
    let Some(since) = earliest.map(|hour| hour.plus_micros(DAY)) else {
        return Vec::new();
    };
    let mut seen: BTreeMap<Place, Timestamp> = BTreeMap::new();
    for minute in minutes {
        let template = minute.template.as_deref().unwrap_or_default();
        for place in places(&minute.key, &minute.step, &minute.model, template) {
            let first = first_hours.get(&place).copied();
            if first.is_some_and(|first| first >= since && first == minute.first_at.hour()) {
                seen.entry(place)
                    .and_modify(|known| *known = (*known).min(minute.first_at))
                    .or_insert(minute.first_at);
            }
        }
    }
    seen.into_iter()
        .map(|((what, value, key, step), at)| FirstSeen {
            what,
            value,
            key,
            step,
            at,
        })
        .collect()
}
