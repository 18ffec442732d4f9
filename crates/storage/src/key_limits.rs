//! What the keys of each label may use, and what they used.

use domain::key_limit::{Amounts, KeyLimits, MostAmounts, Period};
use domain::{NanoUsd, ProjectId, Timestamp};
use serde_json::json;

use crate::audit::{self, Entry};
use crate::{Db, Error, Result, Scope, Snapshot};

/// The limits of a label and its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitedKey {
    pub project_id: ProjectId,
    pub label: String,
    pub limits: KeyLimits,
    /// What all processes used in the minute and in the month that begin then.
    pub used: [(Timestamp, Amounts); 2],
}

/// What a process counted of a label in the period that begins then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub project_id: ProjectId,
    pub label: String,
    pub period: Period,
    pub begin: Timestamp,
    pub amounts: Amounts,
}

/// Adds what a process counted, and says what is known of every limited label of all projects.
pub async fn exchange(db: &Db, mut counted: Vec<Use>) -> Result<Vec<LimitedKey>> {
    counted.sort_unstable_by(|a, b| {
        (a.project_id, &a.label, a.period.as_str()).cmp(&(b.project_id, &b.label, b.period.as_str()))
    });
    let mut tx = db.begin(Scope::All).await?;
    if !counted.is_empty() {
        sqlx::query!(
            "insert into key_usage as u (project_id, key_label, period, starts_at, requests, tokens, nano_usd)
             select c.* from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[],
               $7::bigint[]) as c (project_id, key_label, period, starts_at, requests, tokens, nano_usd)
             join key_limits l on l.project_id = c.project_id and l.key_label = c.key_label
             on conflict (project_id, key_label, period) do update set
               starts_at = greatest(u.starts_at, excluded.starts_at),
               requests = case when u.starts_at = excluded.starts_at then u.requests + excluded.requests
                 when u.starts_at < excluded.starts_at then excluded.requests else u.requests end,
               tokens = case when u.starts_at = excluded.starts_at then u.tokens + excluded.tokens
                 when u.starts_at < excluded.starts_at then excluded.tokens else u.tokens end,
               nano_usd = case when u.starts_at = excluded.starts_at then u.nano_usd + excluded.nano_usd
                 when u.starts_at < excluded.starts_at then excluded.nano_usd else u.nano_usd end",
            &counted.iter().map(|c| c.project_id.0).collect::<Vec<_>>(),
            &counted.iter().map(|c| c.label.as_str()).collect::<Vec<_>>() as _,
            &counted.iter().map(|c| c.period.as_str()).collect::<Vec<_>>() as _,
            &counted.iter().map(|c| c.begin.to_offset_date_time()).collect::<Vec<_>>(),
            &counted.iter().map(|c| c.amounts.requests).collect::<Vec<_>>(),
            &counted.iter().map(|c| c.amounts.tokens).collect::<Vec<_>>(),
            &counted.iter().map(|c| c.amounts.cost.0).collect::<Vec<_>>()
        )
        .execute(&mut *tx)
        .await?;
    }
    let rows = sqlx::query_as!(
        Row,
        "select l.project_id, l.key_label, l.minute_requests, l.minute_tokens, l.minute_nano_usd, l.month_requests,
           l.month_tokens, l.month_nano_usd, n.starts_at as \"minute_at?\", n.requests as \"in_minute_requests?\",
           n.tokens as \"in_minute_tokens?\", n.nano_usd as \"in_minute_nano_usd?\", m.starts_at as \"month_at?\",
           m.requests as \"in_month_requests?\", m.tokens as \"in_month_tokens?\", m.nano_usd as \"in_month_nano_usd?\"
         from key_limits l
         left join key_usage n on n.project_id = l.project_id and n.key_label = l.key_label and n.period = 'minute'
         left join key_usage m on m.project_id = l.project_id and m.key_label = l.key_label and m.period = 'month'"
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(LimitedKey::from).collect())
}

/// The limited labels of a project.
pub async fn list(snapshot: &mut Snapshot, project: ProjectId) -> Result<Vec<LimitedKey>> {
    let rows = sqlx::query_as!(
        Row,
        "select l.project_id, l.key_label, l.minute_requests, l.minute_tokens, l.minute_nano_usd, l.month_requests,
           l.month_tokens, l.month_nano_usd, n.starts_at as \"minute_at?\", n.requests as \"in_minute_requests?\",
           n.tokens as \"in_minute_tokens?\", n.nano_usd as \"in_minute_nano_usd?\", m.starts_at as \"month_at?\",
           m.requests as \"in_month_requests?\", m.tokens as \"in_month_tokens?\", m.nano_usd as \"in_month_nano_usd?\"
         from key_limits l
         left join key_usage n on n.project_id = l.project_id and n.key_label = l.key_label and n.period = 'minute'
         left join key_usage m on m.project_id = l.project_id and m.key_label = l.key_label and m.period = 'month'
         where l.project_id = $1 order by l.key_label",
        project.0
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows.into_iter().map(LimitedKey::from).collect())
}

/// Sets the limits of a label, or takes them away where nothing is limited. A label that had none begins with what its steps
/// used in this month. [`Error::NotFound`] when there is nothing to take away, or the project is gone.
pub async fn set(
    db: &Db,
    project: ProjectId,
    label: &str,
    limits: &KeyLimits,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let changed = if limits.is_none() {
        sqlx::query!(
            "delete from key_limits where project_id = $1 and key_label = $2",
            project.0,
            label
        )
        .execute(&mut *tx)
        .await?
        .rows_affected()
    } else {
        sqlx::query!(
            "insert into key_limits (project_id, key_label, minute_requests, minute_tokens, minute_nano_usd, month_requests,
               month_tokens, month_nano_usd)
             select $1, $2, $3, $4, $5, $6, $7, $8 from projects where project_id = $1 and deleted_at is null
             on conflict (project_id, key_label) do update set minute_requests = excluded.minute_requests,
               minute_tokens = excluded.minute_tokens, minute_nano_usd = excluded.minute_nano_usd,
               month_requests = excluded.month_requests, month_tokens = excluded.month_tokens,
               month_nano_usd = excluded.month_nano_usd",
            project.0,
            label,
            limits.minute.requests,
            limits.minute.tokens,
            limits.minute.cost.map(|cost| cost.0),
            limits.month.requests,
            limits.month.tokens,
            limits.month.cost.map(|cost| cost.0)
        )
        .execute(&mut *tx)
        .await?
        .rows_affected()
    };
    if changed == 0 {
        return Err(Error::NotFound);
    }
    if !limits.is_none() {
        sqlx::query!(
            "insert into key_usage (project_id, key_label, period, starts_at, requests, tokens, nano_usd)
             select $1, $2, 'month', $3, coalesce(sum(calls), 0)::bigint,
               coalesce(sum(coalesce(input_fresh, 0) + coalesce(cache_read, 0) + coalesce(cache_write, 0)
                 + coalesce(output, 0)), 0)::bigint,
               coalesce(sum(cost_nano_usd), 0)::bigint
             from rollups where project_id = $1 and key_label = $2 and hour >= $3
             on conflict (project_id, key_label, period) do nothing",
            project.0,
            label,
            now.month().to_offset_date_time()
        )
        .execute(&mut *tx)
        .await?;
    }
    let entry = Entry::new(actor, "key.limit", label, json!(limits));
    audit::record_within(&mut tx, project, &entry, now).await?;
    Ok(tx.commit().await?)
}

struct Row {
    project_id: uuid::Uuid,
    key_label: String,
    minute_requests: Option<i64>,
    minute_tokens: Option<i64>,
    minute_nano_usd: Option<i64>,
    month_requests: Option<i64>,
    month_tokens: Option<i64>,
    month_nano_usd: Option<i64>,
    minute_at: Option<time::OffsetDateTime>,
    in_minute_requests: Option<i64>,
    in_minute_tokens: Option<i64>,
    in_minute_nano_usd: Option<i64>,
    month_at: Option<time::OffsetDateTime>,
    in_month_requests: Option<i64>,
    in_month_tokens: Option<i64>,
    in_month_nano_usd: Option<i64>,
}

impl From<Row> for LimitedKey {
    fn from(row: Row) -> Self {
        let amounts = |requests: Option<i64>, tokens: Option<i64>, nano_usd: Option<i64>| Amounts {
            requests: requests.unwrap_or(0),
            tokens: tokens.unwrap_or(0),
            cost: NanoUsd(nano_usd.unwrap_or(0)),
        };
        let begin = |at: Option<time::OffsetDateTime>| {
            at.map_or_else(Timestamp::default, Timestamp::from_offset_date_time)
        };
        Self {
            project_id: ProjectId(row.project_id),
            label: row.key_label,
            limits: KeyLimits {
                minute: MostAmounts {
                    requests: row.minute_requests,
                    tokens: row.minute_tokens,
                    cost: row.minute_nano_usd.map(NanoUsd),
                },
                month: MostAmounts {
                    requests: row.month_requests,
                    tokens: row.month_tokens,
                    cost: row.month_nano_usd.map(NanoUsd),
                },
            },
            used: [
                (
                    begin(row.minute_at),
                    amounts(
                        row.in_minute_requests,
                        row.in_minute_tokens,
                        row.in_minute_nano_usd,
                    ),
                ),
                (
                    begin(row.month_at),
                    amounts(row.in_month_requests, row.in_month_tokens, row.in_month_nano_usd),
                ),
            ],
        }
    }
}
