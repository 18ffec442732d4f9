//! The texts of steps, whether they are stored sealed or not.

use std::collections::HashMap;

use domain::{ProjectId, StepEvent, StepPayload, Timestamp};
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use sqlx::types::Json;
use time::OffsetDateTime;

use crate::payloads::{Field, Opener, TextPlace};
use crate::{Error, Result, Snapshot};

/// The texts, attributes and events of one step. Where two parts of a run have a step of this id, that of the earlier
/// one, which [`of_run`] lists first.
pub async fn payload(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_id: &str,
) -> Result<StepPayload> {
    let row = sqlx::query!(
        "select p.input as \"input?\", p.output as \"output?\", p.prompt_template as \"prompt_template?\",
           p.input_sealed as \"input_sealed?\", p.output_sealed as \"output_sealed?\",
           p.prompt_template_sealed as \"prompt_template_sealed?\", s.attributes as \"attributes: Json<Map<String, Value>>\", s.partition_at
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         left join step_payloads p on p.project_id = s.project_id and p.run_id = s.run_id and p.step_id = s.step_id
           and p.partition_at = s.partition_at
         where k.project_id = $1 and k.run_id = $2 and s.step_id = $3
         order by s.started_at, s.step_index nulls first, s.partition_at limit 1",
        project.0,
        run_id,
        step_id
    )
    .fetch_optional(&mut *snapshot)
    .await?
    .ok_or(Error::NotFound)?;
    let events = sqlx::query!(
        "select e.at, e.name, e.ordinal, e.attributes_sealed, e.attributes as \"attributes: Json<Map<String, Value>>\"
         from step_events e
         where e.project_id = $1 and e.run_id = $2 and e.step_id = $3 and e.partition_at = $4
         order by e.at, e.ordinal",
        project.0,
        run_id,
        step_id,
        row.partition_at
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let of_step = [&row.input_sealed, &row.output_sealed, &row.prompt_template_sealed];
    let of_events = events.iter().map(|event| &event.attributes_sealed);
    let is_sealed = of_step.into_iter().chain(of_events).any(Option::is_some);
    let opener = Opener::of(snapshot, project, is_sealed).await?;
    let at = |field| TextPlace {
        run_id,
        step_id,
        field,
    };
    let opened = events.into_iter().map(|e| -> Result<StepEvent> {
        let place = at(Field::EventAttributes(e.ordinal));
        let plain = e.attributes.map(|json| json.0);
        Ok(StepEvent {
            at: Timestamp::from_offset_date_time(e.at),
            name: e.name,
            attributes: opener.attributes(place, plain, e.attributes_sealed.as_deref())?,
        })
    });
    let events = opened.collect::<Result<Vec<_>>>()?;
    Ok(StepPayload {
        input: opener.text(at(Field::Input), row.input, row.input_sealed.as_deref())?,
        output: opener.text(at(Field::Output), row.output, row.output_sealed.as_deref())?,
        prompt_template: opener.text(
            at(Field::PromptTemplate),
            row.prompt_template,
            row.prompt_template_sealed.as_deref(),
        )?,
        attributes: row.attributes.map(|json| json.0).unwrap_or_default(),
        events,
    })
}

/// What these steps of a run were given and gave, by step id, each text up to `max_chars` characters. Steps without
/// texts are left out.
pub async fn texts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_ids: &[String],
    max_chars: i32,
) -> Result<Vec<StepTexts>> {
    let rows = sqlx::query!(
        "select s.step_id, s.partition_at, left(p.input, $4) as \"input?\", left(p.output, $4) as \"output?\",
           (p.input_sealed is not null or p.output_sealed is not null) as \"is_sealed!\"
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         join step_payloads p on p.project_id = s.project_id and p.run_id = s.run_id and p.step_id = s.step_id
           and p.partition_at = s.partition_at
         where k.project_id = $1 and k.run_id = $2 and s.step_id = any($3)",
        project.0,
        run_id,
        step_ids,
        max_chars
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let sealed = rows
        .iter()
        .filter(|row| row.is_sealed)
        .map(|row| (row.step_id.clone(), row.partition_at))
        .collect();
    let mut opened = sealed_beginnings(snapshot, project, run_id, sealed, max_chars).await?;
    let texts = rows.into_iter().map(|row| {
        let place = (row.step_id, row.partition_at);
        let (input, output) = opened.remove(&place).unwrap_or_default();
        StepTexts {
            step_id: place.0,
            input: row.input.or(input),
            output: row.output.or(output),
        }
    });
    Ok(texts.collect())
}

/// What a step was given and gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepTexts {
    pub step_id: String,
    pub input: Option<String>,
    pub output: Option<String>,
}

/// A hash of what each step of a run answered, by step id; only of the first `limit` steps, and of none without an answer.
/// The same answer has the same hash, stored sealed or not.
pub async fn answer_hashes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    limit: u32,
) -> Result<HashMap<String, [u8; 16]>> {
    let rows = sqlx::query!(
        "select s.step_id, s.partition_at, substring(sha256(convert_to(p.output, 'UTF8')) for 16) as hash
         from (
           select s.project_id, s.run_id, s.step_id, s.partition_at
           from runs k
           join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
           where k.project_id = $1 and k.run_id = $2
           order by s.started_at, s.step_index nulls first, s.step_id, s.partition_at limit $3) s
         join step_payloads p on p.project_id = s.project_id and p.run_id = s.run_id and p.step_id = s.step_id
           and p.partition_at = s.partition_at
         where p.output is not null or p.output_sealed is not null",
        project.0,
        run_id,
        i64::from(limit)
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let mut hashes = HashMap::with_capacity(rows.len());
    let mut sealed = Vec::new();
    for row in rows {
        match row.hash {
            None => sealed.push((row.step_id, row.partition_at)),
            Some(hash) => {
                if let Ok(hash) = hash.try_into() {
                    hashes.insert(row.step_id, hash);
                }
            }
        }
    }
    for (step_id, _, hash) in sealed_hashes(snapshot, project, run_id, sealed, Field::Output).await? {
        let [first, ..] = hash.as_chunks::<16>().0 else {
            continue;
        };
        hashes.insert(step_id, *first);
    }
    Ok(hashes)
}

/// The beginnings of what a step was given and of what it gave.
type Beginnings = (Option<String>, Option<String>);

/// The beginnings of the sealed texts of these steps of a run, by step and its `partition_at`; opened one step after the
/// other, as in [`sealed_hashes`].
pub(crate) async fn sealed_beginnings(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    steps: Vec<(String, OffsetDateTime)>,
    max_chars: i32,
) -> Result<HashMap<(String, OffsetDateTime), Beginnings>> {
    let mut texts = HashMap::with_capacity(steps.len());
    if steps.is_empty() {
        return Ok(texts);
    }
    let opener = Opener::of(snapshot, project, true).await?;
    let (step_ids, partition_ats): (Vec<String>, Vec<OffsetDateTime>) = steps.into_iter().unzip();
    let mut rows = sqlx::query!(
        "select p.step_id, p.partition_at, p.input_sealed, p.output_sealed
         from unnest($3::text[], $4::timestamptz[]) as w (step_id, partition_at)
         join step_payloads p on p.project_id = $1 and p.run_id = $2 and p.step_id = w.step_id
           and p.partition_at = w.partition_at",
        project.0,
        run_id,
        &step_ids,
        &partition_ats
    )
    .fetch(&mut *snapshot);
    while let Some(row) = rows.try_next().await? {
        let open = |field, sealed: Option<&[u8]>| {
            let place = TextPlace {
                run_id,
                step_id: &row.step_id,
                field,
            };
            opener.beginning(place, None, sealed, max_chars)
        };
        let input = open(Field::Input, row.input_sealed.as_deref())?;
        let output = open(Field::Output, row.output_sealed.as_deref())?;
        texts.insert((row.step_id, row.partition_at), (input, output));
    }
    Ok(texts)
}

/// SHA-256 of sealed texts of a run, by step id, opened one after the other: all of a run's at once may be gigabytes.
pub(crate) async fn sealed_hashes(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    steps: Vec<(String, OffsetDateTime)>,
    field: Field,
) -> Result<Vec<(String, OffsetDateTime, [u8; 32])>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let opener = Opener::of(snapshot, project, true).await?;
    let (step_ids, partition_ats): (Vec<String>, Vec<OffsetDateTime>) = steps.into_iter().unzip();
    let mut rows = sqlx::query!(
        "select p.step_id, p.partition_at, case when $5 then p.input_sealed else p.output_sealed end as sealed
         from unnest($3::text[], $4::timestamptz[]) as w (step_id, partition_at)
         join step_payloads p on p.project_id = $1 and p.run_id = $2 and p.step_id = w.step_id
           and p.partition_at = w.partition_at",
        project.0,
        run_id,
        &step_ids,
        &partition_ats,
        field == Field::Input
    )
    .fetch(&mut *snapshot);
    let mut hashes = Vec::with_capacity(step_ids.len());
    while let Some(row) = rows.try_next().await? {
        let place = TextPlace {
            run_id,
            step_id: &row.step_id,
            field,
        };
        if let Some(text) = opener.text(place, None, row.sealed.as_deref())? {
            hashes.push((
                row.step_id,
                row.partition_at,
                Sha256::digest(text.as_bytes()).into(),
            ));
        }
    }
    Ok(hashes)
}
