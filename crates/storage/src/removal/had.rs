//! What steps that go had a part in: read before they go, so that it can be counted again without them.

use std::collections::BTreeSet;

use domain::{ProjectId, Timestamp};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Going;
use crate::{Result, Tx, retention};

/// What the steps that go had a part in.
pub(super) struct Had {
    /// Hours of series.
    pub(super) hours: Vec<OffsetDateTime>,
    pub(super) series: Vec<Uuid>,
    /// Labels of keys, and the days.
    pub(super) labels: Vec<String>,
    pub(super) days: Vec<OffsetDateTime>,
    /// What was named: dimension and value.
    pub(super) named: BTreeSet<(String, String)>,
    pub(super) templates: Vec<Vec<u8>>,
}

impl Had {
    /// The first instant of the days, and the first after them.
    pub(super) fn bounds(&self) -> (OffsetDateTime, OffsetDateTime) {
        let end = |day: Option<&OffsetDateTime>| day.copied().unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (first, last) = (end(self.days.iter().min()), end(self.days.iter().max()));
        (first, last + Duration::days(1))
    }
}

/// Reads that, before they go.
pub(super) async fn had_by(tx: &mut Tx, going: &Going, now: Timestamp) -> Result<Had> {
    let counted_from = counted_from(tx, going.project, now).await?;
    let series = sqlx::query!(
        "select distinct o.hour, o.series_id
         from (
           select *, date_trunc('hour', started_at, 'UTC') as hour from steps
           where project_id = $1 and run_id = any ($2) and partition_at >= $3 and partition_at <= $4
             and ($5::text is null or user_id = $5) and started_at >= $6
         ) s
         join rollups o on o.project_id = $1 and o.hour = s.hour and (o.series_id = s.other_series
           or s.other_series is null and o.key_label = s.key_label and o.step_name = s.name
             and o.environment is not distinct from s.environment and o.model is not distinct from s.model
             and o.template_fingerprint is not distinct from s.template_fingerprint)
         order by 1, 2",
        going.project.0,
        &going.run_ids,
        going.from,
        going.to,
        going.of_user.as_deref(),
        counted_from
    )
    .fetch_all(&mut **tx)
    .await?;
    let named = sqlx::query!(
        "select distinct d.dimension as \"dimension!\", d.value as \"value!\"
         from steps s
         cross join lateral (
           values ('step', s.name), ('model', s.model), ('release', s.release), ('key', s.key_label)
         ) d (dimension, value)
         where s.project_id = $1 and s.run_id = any ($2) and s.partition_at >= $3 and s.partition_at <= $4
           and ($5::text is null or s.user_id = $5) and d.value is not null",
        going.project.0,
        &going.run_ids,
        going.from,
        going.to,
        going.of_user.as_deref()
    )
    .fetch_all(&mut **tx)
    .await?;
    let days = sqlx::query_scalar!(
        "select distinct date_trunc('day', s.started_at, 'UTC') as \"day!\" from steps s
         where s.project_id = $1 and s.run_id = any ($2) and s.partition_at >= $3 and s.partition_at <= $4
           and ($5::text is null or s.user_id = $5) and s.started_at >= $6",
        going.project.0,
        &going.run_ids,
        going.from,
        going.to,
        going.of_user.as_deref(),
        counted_from
    )
    .fetch_all(&mut **tx)
    .await?;
    let templates = sqlx::query_scalar!(
        "select distinct s.template_fingerprint as \"template!\" from steps s
         where s.project_id = $1 and s.run_id = any ($2) and s.partition_at >= $3 and s.partition_at <= $4
           and ($5::text is null or s.user_id = $5) and s.template_fingerprint is not null",
        going.project.0,
        &going.run_ids,
        going.from,
        going.to,
        going.of_user.as_deref()
    )
    .fetch_all(&mut **tx)
    .await?;
    let (labels, named): (Vec<_>, Vec<_>) = named
        .into_iter()
        .map(|row| (row.dimension, row.value))
        .partition(|(dimension, _)| dimension == "key");
    Ok(Had {
        hours: series.iter().map(|row| row.hour).collect(),
        series: series.iter().map(|row| row.series_id).collect(),
        labels: labels.into_iter().map(|(_, label)| label).collect(),
        days,
        named: named.into_iter().collect(),
        templates,
    })
}

/// The first day of which all steps are kept. Sums are kept longer than steps: those of a day before can't be counted again,
/// and stay as they are.
async fn counted_from(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<OffsetDateTime> {
    let run_days = sqlx::query_scalar!(
        "select retention_days from project_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let run_days = i64::from(run_days.unwrap_or(retention::DEFAULT.runs));
    Ok(now.day().to_offset_date_time() - Duration::days(run_days - 1))
}
