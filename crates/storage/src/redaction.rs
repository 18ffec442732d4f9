//! What a project hides before anything is stored, how much that was, and stored texts to try other settings on.

use domain::{ProjectId, Timestamp};
use serde_json::Value;

use crate::audit::{self, Entry};
use crate::payloads::{Field, Opener, TextPlace};
use crate::{Db, Error, Result, Snapshot, live};

/// What was hidden of one kind in one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiddenDay {
    /// The beginning of the day, in UTC.
    pub day: Timestamp,
    /// The word of a known kind, or the name of an own pattern.
    pub kind: String,
    /// Values.
    pub hidden: i64,
    /// Steps that had one.
    pub steps: i64,
}

/// The settings as they were stored; `None` where nothing is set.
pub async fn settings(snapshot: &mut Snapshot, project: ProjectId) -> Result<Option<Value>> {
    Ok(sqlx::query_scalar!(
        "select settings from redaction_settings where project_id = $1",
        project.0
    )
    .fetch_optional(&mut *snapshot)
    .await?)
}

/// Replaces the settings, writes down who did it, and tells every process. `NotFound` where the project is gone.
pub async fn save_settings(
    db: &Db,
    project: ProjectId,
    settings: &Value,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    let mut tx = db.project(project).await?;
    let saved = sqlx::query!(
        "insert into redaction_settings (project_id, changed_at, changed_by, settings)
         select $1, $2, $3, $4 from projects where project_id = $1 and deleted_at is null
         on conflict (project_id) do update set changed_at = excluded.changed_at, changed_by = excluded.changed_by,
           settings = excluded.settings",
        project.0,
        now.to_offset_date_time(),
        actor,
        settings
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if saved == 0 {
        return Err(Error::NotFound);
    }
    let entry = Entry::new(actor, "redaction.change", "redaction", settings.clone());
    audit::record_within(&mut tx, project, &entry, now).await?;
    tx.commit().await?;
    live::notify_settings(db, project).await
}

/// What was hidden since a day, the newest first.
pub async fn days(snapshot: &mut Snapshot, project: ProjectId, from: Timestamp) -> Result<Vec<HiddenDay>> {
    let rows = sqlx::query!(
        "select day, kind, hidden, steps from redaction_days
         where project_id = $1 and day >= $2 order by day desc, hidden desc, kind",
        project.0,
        from.to_offset_date_time()
    )
    .fetch_all(&mut *snapshot)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| HiddenDay {
            day: Timestamp::from_offset_date_time(row.day),
            kind: row.kind,
            hidden: row.hidden,
            steps: row.steps,
        })
        .collect())
}

/// The texts of each of the latest steps, at most `steps` of them and no more than `bytes` of all texts together.
/// Attributes are JSON.
pub async fn latest_texts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    steps: u32,
    bytes: i64,
) -> Result<Vec<Vec<String>>> {
    let rows = sqlx::query!(
        "with latest as materialized (
           select run_id, step_id, partition_at, sequence, name, error, session_id, user_id, attributes from steps
           where project_id = $1 and score is not null order by sequence desc limit $2
         ), sized as (
           select l.sequence, l.run_id, l.step_id, l.name, l.error, l.session_id, l.user_id, l.attributes::text as attributes,
             p.input, p.output, p.prompt_template, p.input_sealed, p.output_sealed, p.prompt_template_sealed,
             sum(coalesce(octet_length(p.input), octet_length(p.input_sealed), 0)::bigint
               + coalesce(octet_length(p.output), octet_length(p.output_sealed), 0)
               + coalesce(octet_length(p.prompt_template), octet_length(p.prompt_template_sealed), 0) + coalesce(octet_length(l.error), 0)
               + coalesce(octet_length(l.attributes::text), 0)) over (order by l.sequence desc, l.run_id, l.step_id) as bytes
           from latest l
           left join step_payloads p on p.project_id = $1 and p.run_id = l.run_id and p.step_id = l.step_id
             and p.partition_at = l.partition_at
         )
         select run_id as \"run_id!\", step_id as \"step_id!\", name as \"name?\", error as \"error?\", session_id as \"session_id?\",
           user_id as \"user_id?\", attributes as \"attributes?\", input as \"input?\", output as \"output?\",
           prompt_template as \"prompt_template?\", input_sealed as \"input_sealed?\",
           output_sealed as \"output_sealed?\", prompt_template_sealed as \"prompt_template_sealed?\"
         from sized where bytes <= $3::bigint order by sequence desc",
        project.0,
        i64::from(steps),
        bytes
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let is_sealed = rows.iter().any(|row| {
        row.input_sealed.is_some() || row.output_sealed.is_some() || row.prompt_template_sealed.is_some()
    });
    let opener = Opener::of(snapshot, project, is_sealed).await?;
    let opened = rows.into_iter().map(|row| -> Result<Vec<String>> {
        let at = |field| TextPlace {
            run_id: &row.run_id,
            step_id: &row.step_id,
            field,
        };
        let template = (row.prompt_template, row.prompt_template_sealed);
        let payloads = [
            opener.text(at(Field::Input), row.input, row.input_sealed.as_deref())?,
            opener.text(at(Field::Output), row.output, row.output_sealed.as_deref())?,
            opener.text(at(Field::PromptTemplate), template.0, template.1.as_deref())?,
        ];
        let words = [row.name, row.error, row.session_id, row.user_id, row.attributes];
        let texts = [Some(row.run_id)].into_iter().chain(words).chain(payloads);
        Ok(texts.flatten().collect())
    });
    opened.collect()
}
