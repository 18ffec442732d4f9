//! What elsewhere quotes or names runs that go: alerts, chats, investigations, analyses of other runs.

use std::collections::BTreeMap;

use domain::OwnRunKind;
use serde_json::Value;
use uuid::Uuid;

use crate::removal::Going;
use crate::{Result, Tx, detectors};

/// An id of fewer bytes is looked for in quotes alone: `a1` stands in many texts. So is one of letters or of digits alone
/// with fewer than twice as many, and one of letters that a sentence may have.
const MIN_BARE_BYTES: usize = 4;
/// Ids that say nothing of anybody, and words of many texts.
const WORDS: [&str; 6] = [
    "anonymous",
    "customer",
    "operator",
    "unknown",
    "nobody",
    "default",
];

/// What is looked for in texts.
struct Names {
    /// As they stand there, to find the texts that may have one.
    texts: Vec<String>,
    /// Regular expressions that find each of them as a word of its own: `user-1` is not `user-10`.
    patterns: Vec<String>,
}

/// Deletes it. A chat goes as a whole: what was said later builds on what was said before. Adds the runs of Plumbline's own
/// in which models were asked about what goes: its texts are in them.
pub(super) async fn delete(
    tx: &mut Tx,
    going: &Going,
    user: &str,
    rows: &mut BTreeMap<String, i64>,
    own_runs: &mut Vec<String>,
) -> Result<()> {
    let project = going.project.0;
    own_runs.extend(runs_about(tx, going).await?);
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
    let names = Names::of(going.run_ids.iter().map(String::as_str).chain([user]));
    // A text is made of the JSON once, not once for each name, and a pattern tried where its text stands: Postgres would
    // begin with the patterns, and compile each of them each time.
    let analyses = sqlx::query_scalar!(
        "delete from analyses a
         using analyses r cross join lateral (select r.report::text as said offset 0) t
         where a.project_id = $1 and r.project_id = $1 and r.analysis_id = a.analysis_id and exists (
           select from unnest($2::text[], $3::text[]) n (text, pattern)
           where case when strpos(t.said, n.text) > 0 then t.said ~ n.pattern else false end)
         returning a.analysis_id",
        project,
        &names.texts,
        &names.patterns
    )
    .fetch_all(&mut **tx)
    .await?;
    let fixes = sqlx::query_scalar!(
        "delete from incident_fixes a
         using incident_fixes r cross join lateral (select r.draft::text as said offset 0) t
         where a.project_id = $1 and r.project_id = $1 and r.fix_id = a.fix_id and exists (
           select from unnest($2::text[], $3::text[]) n (text, pattern)
           where case when strpos(t.said, n.text) > 0 then t.said ~ n.pattern else false end)
         returning a.fix_id",
        project,
        &names.texts,
        &names.patterns
    )
    .fetch_all(&mut **tx)
    .await?;
    let citing = sqlx::query!(
        "select i.inquiry_id, i.chat_id from inquiries i
         where i.project_id = $1 and (
           exists (
             select from unnest($2::text[], $3::text[]) n (text, pattern)
             where case when strpos(i.question, n.text) > 0 then i.question ~ n.pattern else false end)
           or exists (
             select from inquiry_events e cross join lateral (select e.data::text as said offset 0) t
             where e.project_id = $1 and e.inquiry_id = i.inquiry_id and exists (
               select from unnest($2::text[], $3::text[]) n (text, pattern)
               where case when strpos(t.said, n.text) > 0 then t.said ~ n.pattern else false end)))",
        project,
        &names.texts,
        &names.patterns
    )
    .fetch_all(&mut **tx)
    .await?;
    let chats: Vec<Uuid> = citing.iter().filter_map(|row| row.chat_id).collect();
    let inquiries: Vec<Uuid> = citing
        .iter()
        .filter(|row| row.chat_id.is_none())
        .map(|row| row.inquiry_id)
        .collect();
    own_runs.extend(analyses.iter().map(|id| OwnRunKind::Analysis.run_id(id)));
    own_runs.extend(fixes.iter().map(|id| OwnRunKind::Fix.run_id(id)));
    own_runs.extend(chats.iter().map(|id| OwnRunKind::Chat.run_id(id)));
    own_runs.extend(inquiries.iter().map(|id| OwnRunKind::Investigation.run_id(id)));
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
    let count = |ids: &[Uuid]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
    let (analyses, fixes) = (count(&analyses), count(&fixes));
    for (table, more) in [
        ("alerts", u64::try_from(alerts).unwrap_or(0)),
        ("analyses", analyses),
        ("chats", chats),
        ("fixes", fixes),
        ("investigations", investigations),
    ] {
        if more > 0 {
            *rows.entry(table.to_owned()).or_default() += i64::try_from(more).unwrap_or(i64::MAX);
        }
    }
    Ok(())
}

/// The runs of Plumbline's own in which models judged or analysed these.
async fn runs_about(tx: &mut Tx, going: &Going) -> Result<Vec<String>> {
    let (project, run_ids) = (going.project.0, &going.run_ids);
    let judged = sqlx::query!(
        "select detector_id, version, run_id from judgements where project_id = $1 and run_id = any ($2)",
        project,
        run_ids
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut own_runs: Vec<String> = judged
        .iter()
        .map(|judged| detectors::own_run_id(judged.detector_id, judged.version, &judged.run_id))
        .collect();
    let named = sqlx::query_scalar!(
        "select judged_in as \"run_id!\" from findings
         where project_id = $1 and run_id = any ($2) and judged_in is not null",
        project,
        run_ids
    )
    .fetch_all(&mut **tx)
    .await?;
    own_runs.extend(named);
    let analyses = sqlx::query_scalar!(
        "select analysis_id from analyses where project_id = $1 and run_id = any ($2)",
        project,
        run_ids
    )
    .fetch_all(&mut **tx)
    .await?;
    own_runs.extend(analyses.iter().map(|id| OwnRunKind::Analysis.run_id(id)));
    Ok(own_runs)
}

impl Names {
    fn of<'a>(ids: impl Iterator<Item = &'a str>) -> Self {
        let texts: Vec<String> = ids.flat_map(as_written).collect();
        Self {
            patterns: texts.iter().map(|text| pattern(text)).collect(),
            texts,
        }
    }
}

/// How an id stands in recorded JSON, and in JSON that is a text of it: bare, unless it could be a word or a number of
/// something else.
fn as_written(id: &str) -> Vec<String> {
    let quoted = Value::from(id).to_string();
    let bare = quoted.trim_matches('"');
    let is_of_one_kind =
        bare.chars().all(char::is_alphabetic) || bare.bytes().all(|byte| byte.is_ascii_digit());
    let least = if is_of_one_kind {
        2 * MIN_BARE_BYTES
    } else {
        MIN_BARE_BYTES
    };
    if bare.len() >= least && !WORDS.contains(&bare) {
        vec![bare.to_owned()]
    } else {
        vec![quoted.clone(), format!("\"{bare}\\\"")]
    }
}

/// Finds the text where no word goes on before or behind it. Behind an escape of JSON a word begins as well, and beside
/// letters of scripts that have no blanks.
fn pattern(text: &str) -> String {
    let escaped = text.chars().fold(String::new(), |mut escaped, c| {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    });
    if text.starts_with('"') {
        return escaped;
    }
    format!(r"(^|[^A-Za-z0-9_-]|\\[bfnrt]){escaped}($|[^A-Za-z0-9_-])")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_is_looked_for_in_quotes() {
        assert_eq!(as_written("customer-7"), ["customer-7"]);
        assert_eq!(as_written("u1"), ["\"u1\"", "\"u1\\\""]);
        assert_eq!(as_written("anonymous").len(), 2, "a word");
        assert_eq!(as_written("123456").len(), 2, "a number of something");
        assert_eq!(as_written("48213377"), ["48213377"]);
        assert_eq!(as_written("MaraSchmidt"), ["MaraSchmidt"]);
        let nested = Value::from(Value::from("u1").to_string()).to_string();
        assert!(
            as_written("u1").iter().any(|text| nested.contains(text)),
            "{nested}"
        );
    }
}
