//! Rows turned into columns, because one `unnest` insert of a thousand rows costs as much as a few single ones.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::StepRow;
use crate::{Result, Tx};

/// A row with the time its run is filed under.
pub(super) struct Filed<'a> {
    pub(super) index: usize,
    pub(super) row: &'a StepRow<'a>,
    pub(super) run_at: OffsetDateTime,
}

/// One column of all rows.
fn column<'a, T>(rows: &[&'a Filed<'a>], value: impl Fn(&'a Filed<'a>) -> T) -> Vec<T> {
    rows.iter().map(|filed| value(filed)).collect()
}

/// Inserts the steps; answers the positions of those that were new, in ascending order.
pub(super) async fn insert_steps(tx: &mut Tx, filed: &[Filed<'_>]) -> Result<Vec<usize>> {
    let rows: Vec<&Filed<'_>> = filed.iter().collect();
    let text = |value: for<'r> fn(&'r StepRow<'r>) -> Option<&'r str>| column(&rows, move |f| value(f.row));
    let count = |value: fn(&StepRow<'_>) -> Option<i64>| column(&rows, move |f| value(f.row));
    let inserted = sqlx::query!(
        "insert into steps (project_id, run_id, step_id, run_at, parent_step_id, kind, name, step_index, provider,
           model, request_model, started_at, ended_at, received_at, latency_ms, ttft_ms, status, error, stop_reason,
           input_fresh, cache_read, cache_write, output, reasoning, usage_semantics, cost_nano_usd,
           reported_cost_nano_usd, cost_source, price_version, key_label, environment, release, session_id, user_id,
           tool_name, prompt_fingerprint, template_fingerprint, output_shape, score, severity, stopped_at_layer,
           attributes, error_class, service_tier, max_gap_ms, stream_incomplete, web_searches, cache_write_1h,
           threshold, arrival, other_series)
         select project_id, run_id, step_id, run_at, parent_step_id, kind, name, step_index, provider,
           model, request_model, started_at, ended_at, received_at, latency_ms, ttft_ms, status, error, stop_reason,
           input_fresh, cache_read, cache_write, output, reasoning, usage_semantics, cost_nano_usd,
           reported_cost_nano_usd, cost_source, price_version, key_label, environment, release, session_id, user_id,
           tool_name, prompt_fingerprint, template_fingerprint, output_shape, score, severity, stopped_at_layer,
           attributes::jsonb, error_class, service_tier, max_gap_ms, stream_incomplete, web_searches, cache_write_1h,
           threshold, arrival, other_series
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
           $8::int[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[],
           $14::timestamptz[], $15::float8[], $16::float8[], $17::text[], $18::text[], $19::text[], $20::bigint[],
           $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::text[], $26::bigint[], $27::bigint[],
           $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[], $35::text[],
           $36::bytea[], $37::bytea[], $38::text[], $39::int[], $40::smallint[], $41::smallint[], $42::text[],
           $43::text[], $44::text[], $45::float8[], $46::bool[], $47::bigint[], $48::bigint[], $49::int[], $50::bigint[],
           $51::uuid[])
           as incoming (project_id, run_id, step_id, run_at, parent_step_id, kind, name, step_index, provider,
             model, request_model, started_at, ended_at, received_at, latency_ms, ttft_ms, status, error,
             stop_reason, input_fresh, cache_read, cache_write, output, reasoning, usage_semantics, cost_nano_usd,
             reported_cost_nano_usd, cost_source, price_version, key_label, environment, release, session_id,
             user_id, tool_name, prompt_fingerprint, template_fingerprint, output_shape, score, severity,
             stopped_at_layer, attributes, error_class, service_tier, max_gap_ms, stream_incomplete, web_searches,
             cache_write_1h, threshold, arrival, other_series)
         on conflict (project_id, run_id, step_id, run_at) do nothing
         returning project_id, run_id, step_id",
        &column(&rows, |f| f.row.project_id.0),
        &text(|r| Some(&r.step.run_id)) as _,
        &text(|r| Some(&r.step.step_id)) as _,
        &column(&rows, |f| f.run_at),
        &text(|r| r.step.parent_step_id.as_deref()) as _,
        &text(|r| Some(r.step.kind.as_str())) as _,
        &text(|r| Some(&r.step.name)) as _,
        &column(&rows, |f| f.row.step.step_index) as _,
        &text(|r| r.step.provider.as_deref()) as _,
        &text(|r| r.step.model.as_deref()) as _,
        &text(|r| r.step.request_model.as_deref()) as _,
        &column(&rows, |f| f.row.step.started_at.to_offset_date_time()),
        &column(&rows, |f| f.row.step.ended_at.map(|at| at.to_offset_date_time())) as _,
        &column(&rows, |f| f.row.received_at.to_offset_date_time()),
        &column(&rows, |f| f.row.step.latency_ms) as _,
        &column(&rows, |f| f.row.step.ttft_ms) as _,
        &text(|r| Some(r.step.status.as_str())) as _,
        &text(|r| r.step.error.as_deref()) as _,
        &text(|r| r.step.stop_reason.as_deref()) as _,
        &count(|r| r.tokens.input_fresh) as _,
        &count(|r| r.tokens.cache_read) as _,
        &count(|r| r.tokens.cache_write) as _,
        &count(|r| r.tokens.output) as _,
        &count(|r| r.tokens.reasoning) as _,
        &text(|r| r.usage_semantics) as _,
        &count(|r| r.cost_nano_usd.map(|cost| cost.0)) as _,
        &count(|r| r.step.reported_cost.map(|cost| cost.0)) as _,
        &text(|r| r.cost_source.map(|source| source.as_str())) as _,
        &text(|r| r.price_version.as_deref()) as _,
        &text(|r| Some(r.key_label)) as _,
        &text(|r| r.step.environment.as_deref()) as _,
        &text(|r| r.step.release.as_deref()) as _,
        &text(|r| r.step.session_id.as_deref()) as _,
        &text(|r| r.step.user_id.as_deref()) as _,
        &text(|r| r.step.tool_name.as_deref()) as _,
        &column(&rows, |f| f.row.prompt_fingerprint.as_deref()) as _,
        &column(&rows, |f| f.row.template_fingerprint.as_deref()) as _,
        &text(|r| r.output_shape) as _,
        &column(&rows, |f| f.row.score) as _,
        &column(&rows, |f| f.row.severity as i16),
        &column(&rows, |f| f.row.stopped_at_layer.map(i16::from)) as _,
        &column(&rows, |f| json_text(&f.row.step.attributes)) as _,
        &text(|r| r.step.error_class.as_deref()) as _,
        &text(|r| r.step.service_tier.as_deref()) as _,
        &column(&rows, |f| f.row.step.max_gap_ms) as _,
        &column(&rows, |f| f.row.step.stream_incomplete.then_some(true)) as _,
        &count(|r| r.step.web_searches) as _,
        &count(|r| r.tokens.cache_write_1h) as _,
        &column(&rows, |f| f.row.threshold) as _,
        &column(&rows, |f| f.row.arrival),
        &column(&rows, |f| f.row.other_series) as _,
    )
    .fetch_all(&mut **tx)
    .await?;
    let positions: HashMap<_, _> = filed
        .iter()
        .enumerate()
        .map(|(i, f)| {
            (
                (
                    f.row.project_id.0,
                    f.row.step.run_id.as_str(),
                    f.row.step.step_id.as_str(),
                ),
                i,
            )
        })
        .collect();
    let mut new: Vec<usize> = inserted
        .iter()
        .filter_map(|row| {
            positions
                .get(&(row.project_id, row.run_id.as_str(), row.step_id.as_str()))
                .copied()
        })
        .collect();
    new.sort_unstable();
    Ok(new)
}

pub(super) async fn insert_payloads(tx: &mut Tx, stored: &[&Filed<'_>]) -> Result<()> {
    let rows: Vec<&Filed<'_>> = stored
        .iter()
        .copied()
        .filter(|f| {
            let step = &f.row.step;
            step.input.is_some() || step.output.is_some() || step.prompt_template.is_some()
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into step_payloads (project_id, run_id, step_id, run_at, input, output, prompt_template)
         select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])",
        &column(&rows, |f| f.row.project_id.0),
        &column(&rows, |f| f.row.step.run_id.as_str()) as _,
        &column(&rows, |f| f.row.step.step_id.as_str()) as _,
        &column(&rows, |f| f.run_at),
        &column(&rows, |f| f.row.step.input.as_deref()) as _,
        &column(&rows, |f| f.row.step.output.as_deref()) as _,
        &column(&rows, |f| f.row.step.prompt_template.as_deref()) as _,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn insert_events(tx: &mut Tx, stored: &[&Filed<'_>]) -> Result<()> {
    let events: Vec<_> = stored
        .iter()
        .flat_map(|f| {
            f.row
                .step
                .events
                .iter()
                .enumerate()
                .map(move |(ordinal, event)| (*f, ordinal, event))
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into step_events (project_id, run_id, step_id, run_at, ordinal, at, name, attributes)
         select project_id, run_id, step_id, run_at, ordinal, at, name, attributes::jsonb
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::int[], $6::timestamptz[], $7::text[],
           $8::text[]) as incoming (project_id, run_id, step_id, run_at, ordinal, at, name, attributes)",
        &events.iter().map(|(f, ..)| f.row.project_id.0).collect::<Vec<_>>(),
        &events.iter().map(|(f, ..)| f.row.step.run_id.as_str()).collect::<Vec<_>>() as _,
        &events.iter().map(|(f, ..)| f.row.step.step_id.as_str()).collect::<Vec<_>>() as _,
        &events.iter().map(|(f, ..)| f.run_at).collect::<Vec<_>>(),
        &events.iter().map(|(_, ordinal, _)| i32::try_from(*ordinal).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
        &events.iter().map(|(.., event)| event.at.to_offset_date_time()).collect::<Vec<_>>(),
        &events.iter().map(|(.., event)| event.name.as_str()).collect::<Vec<_>>() as _,
        &events.iter().map(|(.., event)| json_text(&event.attributes)).collect::<Vec<_>>() as _,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn insert_conditions(tx: &mut Tx, stored: &[&Filed<'_>]) -> Result<()> {
    let found: Vec<_> = stored
        .iter()
        .flat_map(|f| f.row.conditions.iter().map(move |condition| (*f, condition)))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into step_conditions (project_id, run_id, step_id, run_at, code, layer, points, message, observed,
           expected, place, sample, rule_version)
         select project_id, run_id, step_id, run_at, code, layer, points, message, observed, expected, place::jsonb,
           sample::jsonb, rule_version
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::smallint[], $6::smallint[], $7::int[],
           $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::int[])
           as incoming (project_id, run_id, step_id, run_at, code, layer, points, message, observed, expected, place,
             sample, rule_version)
         on conflict do nothing",
        &found.iter().map(|(f, _)| f.row.project_id.0).collect::<Vec<_>>(),
        &found.iter().map(|(f, _)| f.row.step.run_id.as_str()).collect::<Vec<_>>() as _,
        &found.iter().map(|(f, _)| f.row.step.step_id.as_str()).collect::<Vec<_>>() as _,
        &found.iter().map(|(f, _)| f.run_at).collect::<Vec<_>>(),
        &found.iter().map(|(_, c)| i16::try_from(c.code).unwrap_or(i16::MAX)).collect::<Vec<_>>(),
        &found.iter().map(|(_, c)| i16::from(c.layer)).collect::<Vec<_>>(),
        &found.iter().map(|(_, c)| c.points).collect::<Vec<_>>(),
        &found.iter().map(|(_, c)| c.message.as_str()).collect::<Vec<_>>() as _,
        &found.iter().map(|(_, c)| c.observed.as_str()).collect::<Vec<_>>() as _,
        &found.iter().map(|(_, c)| c.expected.as_str()).collect::<Vec<_>>() as _,
        &found.iter().map(|(_, c)| c.place.as_ref().and_then(|p| serde_json::to_string(p).ok())).collect::<Vec<_>>() as _,
        &found.iter().map(|(_, c)| c.sample.as_ref().and_then(|s| serde_json::to_string(s).ok())).collect::<Vec<_>>() as _,
        &found.iter().map(|(f, _)| i32::from(f.row.rule_version)).collect::<Vec<_>>(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The text of a JSON object; `None` for the empty one, which is not worth a column.
fn json_text(map: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
    if map.is_empty() {
        None
    } else {
        serde_json::to_string(map).ok()
    }
}
