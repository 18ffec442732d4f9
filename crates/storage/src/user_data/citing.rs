//! What elsewhere quotes or names runs that go: alerts, chats, investigations, analyses of other runs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::removal::Going;
use crate::{Result, Tx};

/// An id of fewer bytes is looked for in quotes alone: `1` stands in every text.
const MIN_BARE_BYTES: usize = 8;

/// Deletes it. A chat goes as a whole: what was said later builds on what was said before.
pub(super) async fn delete(
    tx: &mut Tx,
    going: &Going,
    user: &str,
    rows: &mut BTreeMap<String, i64>,
) -> Result<()> {
    let project = going.project.0;
    let alerts = sqlx::query_scalar!(
        "with gone as (
           delete from alerts
           where project_id = $1
             and (subject ->> 'run_id' = any ($2) or jsonb_path_query_array(content, '$.**.run_id') ?| $2::text[])
           returning alert_id, trigger, channel, group_key
         ), attempts as (
           delete from alert_attempts a using gone g where a.project_id = $1 and a.alert_id = g.alert_id
         ), quiet as (
           delete from alert_groups q using gone g
           where q.project_id = $1 and q.trigger = g.trigger and q.channel = g.channel and q.group_key = g.group_key
         )
         select count(*) as \"alerts!\" from gone",
        project,
        &going.run_ids
    )
    .fetch_one(&mut **tx)
    .await?;
    let named: Vec<String> = going
        .run_ids
        .iter()
        .map(String::as_str)
        .chain([user])
        .flat_map(as_written)
        .collect();
    let analyses = sqlx::query!(
        "delete from analyses a where a.project_id = $1 and exists (
           select from unnest($2::text[]) n (text) where strpos(a.report::text, n.text) > 0)",
        project,
        &named
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    let citing = sqlx::query!(
        "select i.inquiry_id, i.chat_id from inquiries i
         where i.project_id = $1 and exists (
           select from unnest($2::text[]) n (text)
           where strpos(i.question, n.text) > 0 or exists (
             select from inquiry_events e
             where e.project_id = $1 and e.inquiry_id = i.inquiry_id and strpos(e.data::text, n.text) > 0))",
        project,
        &named
    )
    .fetch_all(&mut **tx)
    .await?;
    let chats: Vec<_> = citing.iter().filter_map(|row| row.chat_id).collect();
    let inquiries: Vec<_> = citing
        .iter()
        .filter(|row| row.chat_id.is_none())
        .map(|row| row.inquiry_id)
        .collect();
    let chats = sqlx::query!(
        "delete from chats where project_id = $1 and chat_id = any ($2)",
        project,
        &chats
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    let investigations = sqlx::query!(
        "delete from inquiries where project_id = $1 and inquiry_id = any ($2)",
        project,
        &inquiries
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    for (table, more) in [
        ("alerts", u64::try_from(alerts).unwrap_or(0)),
        ("analyses", analyses),
        ("chats", chats),
        ("investigations", investigations),
    ] {
        if more > 0 {
            *rows.entry(table.to_owned()).or_default() += i64::try_from(more).unwrap_or(i64::MAX);
        }
    }
    Ok(())
}

/// How an id stands in recorded JSON, and in JSON that is a text of it.
fn as_written(id: &str) -> Vec<String> {
    let quoted = Value::from(id).to_string();
    let bare = quoted.trim_matches('"');
    if bare.len() >= MIN_BARE_BYTES {
        vec![bare.to_owned()]
    } else {
        vec![quoted.clone(), format!("\"{bare}\\\"")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_is_looked_for_in_quotes() {
        assert_eq!(as_written("customer-7"), ["customer-7"]);
        assert_eq!(as_written("u1"), ["\"u1\"", "\"u1\\\""]);
        let nested = Value::from(Value::from("u1").to_string()).to_string();
        assert!(
            as_written("u1").iter().any(|text| nested.contains(text)),
            "{nested}"
        );
    }
}
