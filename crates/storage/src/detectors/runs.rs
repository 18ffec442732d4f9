//! Reading a run as detectors see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use domain::detector::{JudgedRun, JudgedStep, StepTexts};
use domain::{NanoUsd, ProjectId, StepKind, StepStatus, Timestamp};
use serde_json::Value;

use crate::payloads::Field;
use crate::steps::{sealed_beginnings, sealed_hashes};
use crate::{Result, Snapshot};

/// Steps of a run that detectors look at.
pub const MAX_STEPS: u32 = 20_000;
/// Of each error, in characters.
const MAX_ERROR_CHARS: i32 = 2_000;
/// Different values of metadata that conditions look at.
const MAX_VALUES: i64 = 500;

/// A run without its texts, and what its steps carry under `metadata_keys`, by themselves or within `metadata`.
pub async fn read(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    metadata_keys: &[String],
) -> Result<JudgedRun> {
    let summary = crate::runs::get(snapshot, project, run_id).await?;
    let rows = sqlx::query!(
        "select s.step_id, s.parent_step_id, s.name, s.kind, s.status, s.tool_name, left(s.error, $4) as error,
           s.started_at, s.ended_at, s.cost_nano_usd, s.score,
           case when s.kind = 'tool' then encode(sha256(convert_to(p.input, 'UTF8')), 'hex') end as input_hash,
           (s.kind = 'tool' and p.input_sealed is not null) as \"is_input_sealed!\", s.partition_at,
           coalesce(octet_length(p.input), octet_length(p.input_sealed), 0) as \"input_bytes!\",
           coalesce(octet_length(p.output), octet_length(p.output_sealed), 0) as \"output_bytes!\",
           coalesce(s.attributes ->> 'source' = 'plumbline', false) as \"is_own!\"
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         left join step_payloads p on p.project_id = s.project_id and p.run_id = s.run_id and p.step_id = s.step_id
           and p.partition_at = s.partition_at
         where k.project_id = $1 and k.run_id = $2
         order by s.started_at, s.step_index nulls first, s.step_id, s.partition_at
         limit $3",
        project.0,
        run_id,
        i64::from(MAX_STEPS),
        MAX_ERROR_CHARS
    )
    .fetch_all(&mut *snapshot)
    .await?;
    let sealed = rows.iter().filter(|row| row.is_input_sealed);
    let sealed = sealed
        .map(|row| (row.step_id.clone(), row.partition_at))
        .collect();
    let hashes: BTreeMap<_, [u8; 32]> = sealed_hashes(snapshot, project, run_id, sealed, Field::Input)
        .await?
        .into_iter()
        .map(|(step_id, partition_at, hash)| ((step_id, partition_at), hash))
        .collect();
    let metadata = metadata(snapshot, project, run_id, metadata_keys).await?;
    Ok(JudgedRun {
        is_own: rows.iter().any(|row| row.is_own),
        steps: rows
            .into_iter()
            .map(|row| JudgedStep {
                input_hash: row.input_hash.or_else(|| {
                    let hash = hashes.get(&(row.step_id.clone(), row.partition_at));
                    hash.map(|hash| hexadecimal(hash))
                }),
                step_id: row.step_id,
                parent_step_id: row.parent_step_id,
                name: row.name,
                kind: StepKind::parse(&row.kind).unwrap_or(StepKind::Other),
                status: StepStatus::parse(&row.status).unwrap_or(StepStatus::Error),
                tool_name: row.tool_name,
                error: row.error,
                started_at: Timestamp::from_offset_date_time(row.started_at),
                ended_at: row.ended_at.map(Timestamp::from_offset_date_time),
                text_bytes: (row.input_bytes.into(), row.output_bytes.into()),
                cost_nano_usd: row.cost_nano_usd.map(NanoUsd),
                score: row.score,
            })
            .collect(),
        summary,
        metadata,
    })
}

/// As Postgres' `encode` writes it.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

async fn metadata(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    keys: &[String],
) -> Result<BTreeMap<String, Vec<Value>>> {
    let mut by_key: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    if keys.is_empty() {
        return Ok(by_key);
    }
    let rows = sqlx::query!(
        "select distinct w.key as \"key!\", coalesce(s.attributes -> w.key, s.attributes -> 'metadata' -> w.key) as \"value!\"
         from unnest($3::text[]) as w (key)
         join runs k on k.project_id = $1 and k.run_id = $2
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         where coalesce(s.attributes -> w.key, s.attributes -> 'metadata' -> w.key) is not null
         limit $4",
        project.0,
        run_id,
        keys,
        MAX_VALUES
    )
    .fetch_all(&mut *snapshot)
    .await?;
    for row in rows {
        by_key.entry(row.key).or_default().push(row.value);
    }
    Ok(by_key)
}

/// The texts of these steps of a run, by start, each cut at `max_chars`.
pub async fn texts(
    snapshot: &mut Snapshot,
    project: ProjectId,
    run_id: &str,
    step_ids: &[String],
    max_chars: i32,
) -> Result<Vec<StepTexts>> {
    if step_ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "select s.step_id, s.partition_at, coalesce(nullif(s.tool_name, ''), s.name) as \"step!\",
           left(p.input, $4) as input, left(p.output, $4) as output, left(s.error, $4) as error,
           (p.input_sealed is not null or p.output_sealed is not null) as \"is_sealed!\"
         from runs k
         join steps s on s.project_id = k.project_id and s.run_id = k.run_id and s.partition_at = k.partition_at
         left join step_payloads p on p.project_id = s.project_id and p.run_id = s.run_id and p.step_id = s.step_id
           and p.partition_at = s.partition_at
         where k.project_id = $1 and k.run_id = $2 and s.step_id = any($3)
         order by s.started_at, s.step_index nulls first, s.step_id, s.partition_at",
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
            step: row.step,
            input: row.input.or(input),
            output: row.output.or(output),
            error: row.error,
        }
    });
    Ok(texts.collect())
}

/// The latest runs that have ended, the latest first.
pub async fn latest_ids(snapshot: &mut Snapshot, project: ProjectId, limit: i64) -> Result<Vec<String>> {
    let mut run_ids = sqlx::query_scalar!(
        "select run_id from runs where project_id = $1 and step_count > 0 and status <> 'running'
         order by partition_at desc, run_id desc limit $2",
        project.0,
        limit
    )
    .fetch_all(&mut *snapshot)
    .await?;
    // One that goes on for days has a row for each.
    let mut seen = BTreeSet::new();
    run_ids.retain(|run_id| seen.insert(run_id.clone()));
    Ok(run_ids)
}
