//! A closer look at the minutes around onsets and rollouts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{ProjectId, Timestamp};
use engine::incidents::Incident;
use engine::incidents::window::{FirstSeen, MinuteRow, Novelty, SeriesName};
use storage::Db;
use storage::incidents::StepMinute;

use super::super::{HOUR, JudgeError};
use super::{DAY, Read};

/// Hours around one onset that are read by the minute, and hours in all.
const MAX_ONSET_HOURS: i64 = 6;
const MAX_CLOSE_HOURS: usize = 48;
/// Calls of an hour up to which its steps are read, and of all such hours.
const MAX_CALLS_OF_HOUR: i64 = 50_000;
const MAX_CLOSE_CALLS: i64 = 200_000;

/// Reads the minutes around what was found, and what was first seen in them. False when there is nothing more to know.
pub(in super::super) async fn closer(
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
