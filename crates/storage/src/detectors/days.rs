//! What became of judgements, by day.

use domain::{NanoUsd, ProjectId, Timestamp};
use uuid::Uuid;

use crate::{Db, Result, Snapshot};

/// A day of one version of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorDay {
    pub detector_id: Uuid,
    pub version: i32,
    pub day: Timestamp,
    pub judged: i64,
    pub found: i64,
    pub failed: i64,
    /// Not judged: the cap of the day was reached.
    pub capped: i64,
    /// Not judged: the project's budget was used up.
    pub refused: i64,
    pub retried: i64,
    pub dropped_quotes: i64,
    /// Of judgements whose cost is known.
    pub cost: NanoUsd,
    pub unpriced: i64,
}

/// The days since `from` of all detectors, or of one, by day.
pub async fn days(
    snapshot: &mut Snapshot,
    project: ProjectId,
    detector: Option<Uuid>,
    from: Timestamp,
) -> Result<Vec<DetectorDay>> {
    let rows = sqlx::query!(
        "select detector_id, version, day, judged, found, failed, capped, refused, retried, dropped_quotes, cost, unpriced
         from detector_days
         where project_id = $1 and day >= $2 and ($3::uuid is null or detector_id = $3)
         order by day, detector_id, version",
        project.0,
        from.day().to_offset_date_time(),
        detector
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DetectorDay {
            detector_id: row.detector_id,
            version: row.version,
            day: Timestamp::from_offset_date_time(row.day),
            judged: row.judged,
            found: row.found,
            failed: row.failed,
            capped: row.capped,
            refused: row.refused,
            retried: row.retried,
            dropped_quotes: row.dropped_quotes,
            cost: NanoUsd(row.cost),
            unpriced: row.unpriced,
        })
        .collect())
}

/// What a detector has cost on a day, over all of its versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub cost: NanoUsd,
    /// The dearest judgement.
    pub dearest: NanoUsd,
    /// Judgements of which no cost is known.
    pub unpriced: i64,
}

/// What a detector has cost on the day of `now`.
pub async fn spent_on(db: &Db, project: ProjectId, detector: Uuid, now: Timestamp) -> Result<Spent> {
    let mut tx = db.project(project).await?;
    let row = sqlx::query!(
        "select coalesce(sum(cost), 0)::bigint as \"cost!\", coalesce(max(dearest), 0) as \"dearest!\",
           coalesce(sum(unpriced), 0)::bigint as \"unpriced!\"
         from detector_days where project_id = $1 and detector_id = $2 and day = $3",
        project.0,
        detector,
        now.day().to_offset_date_time()
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(Spent {
        cost: NanoUsd(row.cost),
        dearest: NanoUsd(row.dearest),
        unpriced: row.unpriced,
    })
}
