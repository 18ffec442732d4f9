//! Batches as the pipeline writes them, without what it works out: the storage tests' way in.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Condition, NewStep, ProjectId, Severity, StepKind, StepStatus, Timestamp, TokenUsage};
use serde_json::{Map, json};
use storage::ingest::{
    self, ConditionDay, LedgerEntry, Outcome, PromptText, Rollup, RollupKey, RunDelta, Seen, StepRow,
};
use storage::partitions::Weeks;
use storage::scoring::WantedRun;
use storage::{Db, Result};
use uuid::Uuid;

/// A step that says as little as possible.
pub(crate) fn step(run_id: &str, step_id: &str, started_at: Timestamp) -> NewStep {
    NewStep {
        run_id: run_id.to_owned(),
        step_id: step_id.to_owned(),
        parent_step_id: None,
        kind: StepKind::Llm,
        name: "answer".to_owned(),
        step_index: None,
        provider: Some("anthropic".to_owned()),
        request_model: None,
        model: Some("claude-haiku".to_owned()),
        started_at,
        ended_at: Some(started_at),
        latency_ms: Some(1.0),
        ttft_ms: None,
        status: StepStatus::Ok,
        error: None,
        error_class: None,
        stop_reason: None,
        service_tier: None,
        max_gap_ms: None,
        stream_incomplete: false,
        tokens: Default::default(),
        usage_details: Default::default(),
        web_searches: None,
        reported_cost: None,
        environment: None,
        release: None,
        session_id: None,
        user_id: None,
        tags: vec!["a, \"b\"\u{1f}".to_owned()],
        tool_name: None,
        attributes: Map::from_iter([("tier".to_owned(), json!("gold"))]),
        prompt_template: None,
        input: Some("question".to_owned()),
        output: Some("answer".to_owned()),
        events: Vec::new(),
    }
}

pub(crate) fn row<'a>(project_id: ProjectId, step: &'a NewStep, received_at: Timestamp) -> StepRow<'a> {
    StepRow {
        project_id,
        key_label: "k",
        received_at,
        partition_at: step.started_at,
        is_continued: false,
        waits_until: None,
        sequence: 0,
        rule_version: 2,
        other_series: None,
        release_is_other: false,
        step,
        sealed: None,
        tokens: TokenUsage::default(),
        usage_semantics: None,
        cost_nano_usd: None,
        cost_source: None,
        price_version: None,
        prompt_hash: Some(7),
        template_fingerprint: None,
        output_shape: None,
        score: Some(50),
        threshold: Some(100),
        severity: Severity::Warning,
        stopped_at_layer: None,
        conditions: vec![Condition {
            code: 2001,
            layer: 2,
            name: "json_contract_violation".to_owned(),
            points: 50,
            message: "broken".to_owned(),
            observed: "text".to_owned(),
            expected: "JSON".to_owned(),
            place: None,
            sample: None,
        }],
    }
}

/// One delta for each part of a run.
fn deltas(rows: &[StepRow<'_>], is_new: &[bool]) -> Vec<RunDelta> {
    let mut deltas: BTreeMap<(&str, Timestamp), RunDelta> = BTreeMap::new();
    for (row, _) in rows.iter().zip(is_new).filter(|(_, is_new)| **is_new) {
        let delta = deltas
            .entry((&row.step.run_id, row.partition_at))
            .or_insert_with(|| RunDelta {
                project_id: row.project_id,
                run_id: row.step.run_id.clone(),
                partition_at: row.partition_at,
                is_continued: row.is_continued,
                name: row.step.name.clone(),
                name_nested: false,
                name_at: row.step.started_at,
                name_step_id: row.step.step_id.clone(),
                started_at: row.step.started_at,
                ended_at: row.step.started_at,
                received_at: row.received_at,
                roots: 0,
                root_errors: 0,
                open: 0,
                waits_until: row.waits_until,
                key_label: row.key_label.to_owned(),
                environment: None,
                release: None,
                session_id: None,
                user_id: None,
                tags: row.step.tags.clone(),
                attributes: BTreeSet::new(),
                models: row.step.model.iter().cloned().collect(),
                step_names: vec![row.step.name.clone()],
                steps: 0,
                errors: 0,
                calls: 0,
                tokens: TokenUsage::default(),
                cost_nano_usd: None,
                unpriced: 0,
                priced: 0,
                score_max: row.score,
                score_sum: None,
                severity: row.severity,
                problem: None,
            });
        delta.started_at = delta.started_at.min(row.step.started_at);
        delta.ended_at = delta.ended_at.max(row.step.started_at);
        delta.roots += i32::from(row.step.parent_step_id.is_none());
        delta.steps += 1;
        delta.calls += i32::from(row.step.kind.is_model_call());
        let attributes = row.step.attributes.iter();
        delta
            .attributes
            .extend(attributes.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))));
        delta.score_sum = Some(delta.score_sum.unwrap_or(0) + i64::from(row.score.unwrap_or(0)));
    }
    deltas.into_values().collect()
}

/// Writes a batch; says for each step whether it was new.
pub(crate) async fn write(
    db: &Db,
    project: ProjectId,
    steps: &[NewStep],
    received_at: Timestamp,
) -> Result<Vec<bool>> {
    let mut rows: Vec<StepRow<'_>> = steps.iter().map(|step| row(project, step, received_at)).collect();
    Weeks::new(db).prepare(&rows).await?;
    let mut batch = ingest::begin(db, &[project]).await?;
    let runs = ingest::file_runs(&mut batch, &mut rows).await?;
    for (nth, row) in rows.iter_mut().enumerate() {
        row.sequence = runs.sequence(nth);
    }
    let looks_new = ingest::find_new(&mut batch, &rows, &runs).await?;
    let wanted = runs.known.iter().map(|(project_id, run_id)| WantedRun {
        project_id: *project_id,
        run_id,
        except_step_id: None,
    });
    ingest::runs_done(&mut batch, &wanted.collect::<Vec<_>>()).await?;
    let is_new = ingest::insert_steps(&mut batch, &rows, &looks_new).await?;
    let text = PromptText {
        project_id: project,
        fingerprint: [7; 32],
        canonical: "You answer",
        seen_at: received_at,
    };
    ingest::keep_prompt_texts(&mut batch, &mut vec![text]).await?;
    ingest::add_to_runs(&mut batch, &mut deltas(&rows, &is_new)).await?;
    let began = rows.iter().map(|row| row.step.started_at.min(received_at)).min();
    let seen = [("model", "claude-haiku"), ("step", "answer")].map(|(dimension, value)| Seen {
        project_id: project,
        dimension,
        value,
        at: began.unwrap_or(received_at),
    });
    ingest::keep_first_seen(&mut batch, &seen).await?;
    let mut hours: BTreeMap<RollupKey, Rollup> = BTreeMap::new();
    for (row, _) in rows.iter().zip(&is_new).filter(|(_, is_new)| **is_new) {
        let key = RollupKey {
            project_id: project,
            hour: row.step.started_at.hour(),
            series_id: Uuid::from_u128(1),
        };
        let rollup = hours.entry(key).or_insert_with(|| Rollup {
            key_label: row.key_label.to_owned(),
            step_name: row.step.name.clone(),
            model: row.step.model.clone(),
            ..Rollup::default()
        });
        rollup.calls += 1;
        rollup.anomalies += 1;
        *rollup.conditions.entry("2001".to_owned()).or_default() += 1;
    }
    let new: Vec<(RollupKey, Rollup)> = hours.into_iter().collect();
    let stored = ingest::lock_rollups(&mut batch, &new).await?;
    let merged: Vec<_> = new
        .into_iter()
        .filter_map(|(key, mut rollup)| {
            let before = stored.get(&key)?;
            rollup.calls += before.calls;
            rollup.anomalies += before.anomalies;
            for (code, count) in &before.conditions {
                *rollup.conditions.entry(code.clone()).or_default() += count;
            }
            Some((key, rollup))
        })
        .collect();
    ingest::write_rollups(&mut batch, &merged).await?;
    let mut days: BTreeMap<(Timestamp, u16), ConditionDay> = BTreeMap::new();
    for (row, _) in rows.iter().zip(&is_new).filter(|(_, is_new)| **is_new) {
        // The condition, its layer, and any at all.
        for code in [0, 2, 2001] {
            let day = days
                .entry((row.step.started_at.day(), code))
                .or_insert_with(|| ConditionDay {
                    project_id: project,
                    day: row.step.started_at.day(),
                    code,
                    key_label: row.key_label.to_owned(),
                    step_name: row.step.name.clone(),
                    model: row.step.model.clone().unwrap_or_default(),
                    ok: 0,
                    warning: 0,
                    critical: 0,
                });
            day.warning += 1;
        }
    }
    ingest::add_to_condition_days(&mut batch, &days.into_values().collect::<Vec<_>>()).await?;
    let mut entries = [
        (Outcome::Stored, is_new.iter().filter(|is_new| **is_new).count()),
        (
            Outcome::Duplicate,
            is_new.iter().filter(|is_new| !**is_new).count(),
        ),
    ]
    .map(|(outcome, steps)| LedgerEntry {
        project_id: project,
        minute: received_at.minute(),
        key_label: "k",
        outcome,
        steps: i64::try_from(steps).unwrap(),
    });
    ingest::add_to_ledger(&mut batch, &mut entries).await?;
    batch.commit().await?;
    Ok(is_new)
}
