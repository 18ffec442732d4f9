//! Histograms of whole days, worked out from those of their hours. They are a copy, made once a day is over: whatever adds
//! a call to a day takes its histogram away in the same statement (`counts.rs`), and readers take the hours of a day that
//! has one missing. So they are never wrong, only sometimes not there yet.

use std::collections::BTreeSet;

use domain::{ProjectId, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::counts::lock_counts;
use crate::hours::DAY_MICROS;
use crate::{Db, Result, Scope, Snapshot};

/// The projects with a day before `before` that has no histogram yet.
pub async fn projects_to_sum_up(db: &Db, before: Timestamp) -> Result<Vec<ProjectId>> {
    let mut tx = db.begin(Scope::All).await?;
    let projects = sqlx::query_scalar!(
        "select distinct d.project_id from rollup_days d
         join projects p on p.project_id = d.project_id and p.deleted_at is null
         where d.latency_us is null and d.day < $1",
        before.day().to_offset_date_time()
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(projects.into_iter().map(ProjectId).collect())
}

/// Works out the histograms of the latest day before `before` that lacks any, and answers which day that was; `None` when
/// there is none. `merge` makes one histogram of several, all of them encoded. Batches of the project wait meanwhile, so
/// that nothing is added to the day between reading its hours and writing its histograms.
pub async fn sum_up_latest(
    db: &Db,
    project: ProjectId,
    before: Timestamp,
    merge: impl Fn(&[Vec<u8>]) -> Vec<u8>,
) -> Result<Option<Timestamp>> {
    let mut tx = db.project(project).await?;
    let day = sqlx::query_scalar!(
        "select max(day) from rollup_days where project_id = $1 and latency_us is null and day < $2",
        project.0,
        before.day().to_offset_date_time()
    )
    .fetch_one(&mut *tx)
    .await?;
    let Some(day) = day else {
        return Ok(None);
    };
    lock_counts(&mut tx, &[project.0]).await?;
    let rows = sqlx::query!(
        "select d.series_id, array_agg(r.latency_us) filter (where r.latency_us <> '') as latency,
           array_agg(r.ttft_us) filter (where r.ttft_us <> '') as ttft
         from rollup_days d
         left join rollups r on r.project_id = $1 and r.hour >= $2 and r.hour < $2::timestamptz + interval '1 day'
           and r.series_id = d.series_id
         where d.project_id = $1 and d.day = $2 and d.latency_us is null
         group by d.series_id",
        project.0,
        day
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut series: Vec<Uuid> = Vec::with_capacity(rows.len());
    let (mut latencies, mut ttfts) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        series.push(row.series_id);
        latencies.push(merge(&row.latency.unwrap_or_default()));
        ttfts.push(merge(&row.ttft.unwrap_or_default()));
    }
    sqlx::query!(
        "update rollup_days d set latency_us = s.latency_us, ttft_us = s.ttft_us
         from unnest($3::uuid[], $4::bytea[], $5::bytea[]) as s (series_id, latency_us, ttft_us)
         where d.project_id = $1 and d.day = $2 and d.series_id = s.series_id",
        project.0,
        day,
        &series,
        &latencies,
        &ttfts
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(Timestamp::from_offset_date_time(day)))
}

/// How many of the days of all series have their histograms, and how many days there are.
pub async fn progress(db: &Db) -> Result<(i64, i64)> {
    let mut tx = db.begin(Scope::All).await?;
    let row =
        sqlx::query!("select count(latency_us) as \"summed_up!\", count(*) as \"days!\" from rollup_days")
            .fetch_one(&mut *tx)
            .await?;
    Ok((row.summed_up, row.days))
}

/// A stretch of time.
pub(crate) type Stretch = (Timestamp, Timestamp);

/// What is to be read from days, and what from hours.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretches {
    /// Whole days that have their histograms.
    pub(crate) days: Vec<Stretch>,
    /// All else, from the beginning of an hour to that of another.
    pub(crate) hours: Vec<Stretch>,
}

impl Stretches {
    /// Cuts a window of whole hours. `open` are the days without histograms.
    pub(crate) fn of((from, to): Stretch, open: &BTreeSet<Timestamp>) -> Self {
        let mut cut = Self::default();
        let mut at = from;
        while at < to {
            let next = at.day().plus_micros(DAY_MICROS).min(to);
            let is_whole = at.day() == at && next == at.plus_micros(DAY_MICROS);
            let stretches = if is_whole && !open.contains(&at) {
                &mut cut.days
            } else {
                &mut cut.hours
            };
            match stretches.last_mut() {
                Some(last) if last.1 == at => last.1 = next,
                _ => stretches.push((at, next)),
            }
            at = next;
        }
        cut
    }
}

/// The days of a window that have no histograms.
pub(crate) async fn open_days(
    snapshot: &mut Snapshot,
    project: ProjectId,
    (from, to): Stretch,
) -> Result<BTreeSet<Timestamp>> {
    let days = sqlx::query_scalar!(
        "select distinct day from rollup_days
         where project_id = $1 and day >= $2 and day < $3 and latency_us is null",
        project.0,
        from.day().to_offset_date_time(),
        to.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(days.into_iter().map(Timestamp::from_offset_date_time).collect())
}

/// The beginnings and ends of stretches, as statements take them.
pub(crate) fn bounds(stretches: &[Stretch]) -> (Vec<OffsetDateTime>, Vec<OffsetDateTime>) {
    stretches
        .iter()
        .map(|(from, to)| (from.to_offset_date_time(), to.to_offset_date_time()))
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_are_read_as_days_unless_they_are_open() {
        let at = |text: &str| Timestamp::parse_rfc3339(&format!("2026-11-{text}:00:00Z")).unwrap();
        let stretches = |found: &[(&str, &str)]| -> Vec<Stretch> {
            found.iter().map(|(from, to)| (at(from), at(to))).collect()
        };
        let check = |from: &str, to: &str, open: &[&str], days: &[(&str, &str)], hours: &[(&str, &str)]| {
            let open = open.iter().map(|day| at(day)).collect();
            let expected = Stretches {
                days: stretches(days),
                hours: stretches(hours),
            };
            assert_eq!(
                Stretches::of((at(from), at(to)), &open),
                expected,
                "{from} to {to}"
            );
        };
        check("20T00", "23T00", &[], &[("20T00", "23T00")], &[]);
        check("20T05", "20T09", &[], &[], &[("20T05", "20T09")]);
        check(
            "20T05",
            "23T09",
            &[],
            &[("21T00", "23T00")],
            &[("20T05", "21T00"), ("23T00", "23T09")],
        );
        check(
            "20T05",
            "23T00",
            &["20T00", "22T00"],
            &[("21T00", "22T00")],
            &[("20T05", "21T00"), ("22T00", "23T00")],
        );
        check("20T00", "20T00", &[], &[], &[]);
    }
}
