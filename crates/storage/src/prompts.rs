//! Reading prompt templates: their use from the hourly sums, their texts.

use domain::{NanoUsd, ProjectId, PromptDay, PromptTemplate, PromptUse, Timestamp};

use crate::hours::whole_days;
use crate::{Error, Result, Snapshot};

/// What each step and model did with each template in `from..to`, busiest first, at most `limit` rows. `from` and `to`
/// are cut to whole hours.
pub async fn uses(
    snapshot: &mut Snapshot,
    project: ProjectId,
    from: Timestamp,
    to: Timestamp,
    limit: u32,
) -> Result<Vec<PromptUse>> {
    let (first_day, last_day) = whole_days(from.hour(), to);
    let rows = sqlx::query!(
        "select encode(r.template_fingerprint, 'hex') as \"fingerprint!\",
           coalesce(t.first_seen_at, min(r.first_hour)) as \"first_seen_at!\", r.step_name as \"step_name!\", r.model,
           sum(r.calls)::bigint as \"calls!\", sum(r.errors)::bigint as \"errors!\",
           sum(r.unpriced)::bigint as \"unpriced!\", sum(r.cost_nano_usd)::bigint as cost_nano_usd,
           max(r.last_hour) as \"last_hour!\"
         from (
           select template_fingerprint, step_name, model, calls, errors, unpriced, cost_nano_usd::numeric as cost_nano_usd,
             hour as first_hour, hour as last_hour
           from rollups
           where project_id = $1 and hour >= $2 and hour < $3 and (hour < $5 or hour >= $6)
             and template_fingerprint is not null
           union all
           select template_fingerprint, step_name, model, calls, errors, unpriced, cost_nano_usd, first_hour, last_hour
           from rollup_days
           where project_id = $1 and day >= $5 and day < $6 and template_fingerprint is not null
         ) r
         left join prompt_texts t on t.project_id = $1 and t.fingerprint = r.template_fingerprint
         group by r.template_fingerprint, t.first_seen_at, r.step_name, r.model
         order by sum(r.calls) desc, r.template_fingerprint, r.step_name, r.model
         limit $4",
        project.0,
        from.hour().to_offset_date_time(),
        to.to_offset_date_time(),
        i64::from(limit),
        first_day.to_offset_date_time(),
        last_day.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PromptUse {
            fingerprint: row.fingerprint,
            first_seen_at: Timestamp::from_offset_date_time(row.first_seen_at),
            step_name: row.step_name,
            model: row.model,
            calls: row.calls,
            errors: row.errors,
            unpriced: row.unpriced,
            cost_nano_usd: row.cost_nano_usd.map(NanoUsd),
            last_hour: Timestamp::from_offset_date_time(row.last_hour),
        })
        .collect())
}

/// The templates that begin with these hexadecimal digits; a whole fingerprint, or as many as a page shows.
/// `NotFound` when there is none.
pub async fn template(snapshot: &mut Snapshot, project: ProjectId, digits: &str) -> Result<PromptTemplate> {
    let (from, to) = prefix_bounds(digits).ok_or(Error::NotFound)?;
    let row = sqlx::query!(
        "select encode(fingerprint, 'hex') as \"fingerprint!\", canonical, first_seen_at
         from prompt_texts where project_id = $1 and fingerprint >= $2 and fingerprint <= $3
         order by fingerprint limit 1",
        project.0,
        from.as_slice(),
        to.as_slice()
    )
    .fetch_optional(&mut *snapshot)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(PromptTemplate {
        fingerprint: row.fingerprint,
        canonical: row.canonical,
        first_seen_at: Timestamp::from_offset_date_time(row.first_seen_at),
    })
}

/// Calls of one template in `from..to` by day and model, the days in order.
pub async fn days(
    snapshot: &mut Snapshot,
    project: ProjectId,
    fingerprint: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<PromptDay>> {
    let (fingerprint, _) = prefix_bounds(fingerprint).ok_or(Error::NotFound)?;
    let (first_day, last_day) = whole_days(from.hour(), to);
    let rows = sqlx::query!(
        "select date_trunc('day', r.at, 'UTC') as \"day!\", r.model, sum(r.calls)::bigint as \"calls!\"
         from (
           select hour as at, model, calls from rollups
           where project_id = $1 and hour >= $2 and hour < $3 and (hour < $5 or hour >= $6)
             and template_fingerprint = $4
           union all
           select day, model, calls from rollup_days
           where project_id = $1 and day >= $5 and day < $6 and template_fingerprint = $4
         ) r
         group by 1, 2
         order by 1, 2",
        project.0,
        from.hour().to_offset_date_time(),
        to.to_offset_date_time(),
        fingerprint.as_slice(),
        first_day.to_offset_date_time(),
        last_day.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PromptDay {
            day: Timestamp::from_offset_date_time(row.day),
            model: row.model,
            calls: row.calls,
        })
        .collect())
}

/// The fingerprint of these 64 hexadecimal digits; `None` for anything else.
pub(crate) fn fingerprint(digits: &str) -> Option<[u8; 32]> {
    let bounds = prefix_bounds(digits)?;
    (digits.len() == 64).then_some(bounds.0)
}

/// The first and the last fingerprint of 32 bytes that begin with these digits; `None` when they are not at least
/// eight hexadecimal digits.
fn prefix_bounds(digits: &str) -> Option<([u8; 32], [u8; 32])> {
    let digits = digits.as_bytes();
    if !(8..=64).contains(&digits.len()) {
        return None;
    }
    let (mut from, mut to) = ([0; 32], [0xff; 32]);
    for (i, digit) in digits.iter().enumerate() {
        let value = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        let (shift, keep) = if i % 2 == 0 { (4, 0x0f) } else { (0, 0xf0) };
        from[i / 2] = (from[i / 2] & keep) | (value << shift);
        to[i / 2] = (to[i / 2] & keep) | (value << shift);
    }
    Some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_spans_what_begins_with_it() {
        let check = |digits: &str, expected: Option<(&[u8], &[u8])>| {
            let bounds = prefix_bounds(digits);
            let heads = bounds.as_ref().map(|(from, to)| (&from[..5], &to[..5]));
            assert_eq!(heads, expected, "{digits}");
        };
        check(
            "0a1B2c3d",
            Some((&[0x0a, 0x1b, 0x2c, 0x3d, 0x00], &[0x0a, 0x1b, 0x2c, 0x3d, 0xff])),
        );
        check(
            "0a1b2c3d4",
            Some((&[0x0a, 0x1b, 0x2c, 0x3d, 0x40], &[0x0a, 0x1b, 0x2c, 0x3d, 0x4f])),
        );
        check("0a1b2c3", None);
        check("0a1b2c3g", None);
        check(&"f".repeat(65), None);
    }
}
