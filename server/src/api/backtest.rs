//! `GET /api/backtest`: the steps of the last days as a back-test in the browser needs them.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::response::Response;
use domain::StepStatus;
use engine::Rules;
use engine::backtest::{Mark, Recording, Series, Step, StepText};
use engine::codes::CONTEXT_NEAR_FULL;
use serde::Deserialize;
use storage::backtest::{StoredStep, StoredSteps};
use utoipa::{IntoParams, ToSchema};

use super::query::{Bounded, Params, Reader};
use super::scoring::rules_in_force;
use crate::clock;
use crate::error::{HttpResult, ReadErrors};
use crate::state::AppState;

/// A [`Recording`].
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Bytes(#[expect(dead_code, reason = "only described")] Vec<u8>);

/// The most steps of a window; of more only the newest are sent.
const MAX_STEPS: usize = 50_000;
const DAY_MICROS: i64 = 86_400 * 1_000_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WindowParams {
    /// How many days.
    #[serde(default)]
    #[param(inline)]
    days: Bounded<30, 90>,
}

/// The steps of the last days as the back-test of Settings → Scoring reads them
#[utoipa::path(get, path = "/api/backtest", operation_id = "backtest", params(WindowParams, Reader),
    responses(
        (status = 200, content_type = "application/octet-stream", body = inline(Bytes),
            description = "Figures, codes and some texts of at most the newest 50,000 scored steps, column by column; \
                the format is the back-test's own and changes with it"),
        ReadErrors,
    ))]
pub(crate) async fn recording(
    State(state): State<AppState>,
    Reader(caller): Reader,
    Params(WindowParams { days: Bounded(days) }): Params<WindowParams>,
    request: Request,
) -> HttpResult<Response> {
    let (parts, _) = request.into_parts();
    let mut snapshot = state.db.snapshot(caller.project_id).await?;
    let from = clock::now().plus_micros(-i64::from(days) * DAY_MICROS);
    let rules = rules_in_force(&state, caller.project_id).await?;
    let stored = storage::backtest::steps(&mut snapshot, caller.project_id, from, MAX_STEPS).await?;
    drop(snapshot);
    // A megabyte of figures. Reads are worked out on threads that serve no other request.
    let bytes = recording_of(stored, &rules).encode();
    super::octets::compressed(parts, bytes).await
}

fn recording_of(stored: StoredSteps, rules: &Rules) -> Recording {
    let mut recording = Recording {
        lead_in: stored.lead_in as u32,
        steps_in_window: u64::try_from(stored.steps_in_window).unwrap_or(0),
        ..Recording::default()
    };
    let mut runs = Places::default();
    let mut keys = Places::default();
    let mut series = Places::default();
    let statuses: Vec<StepStatus> = stored.steps.iter().map(|step| step.status).collect();
    for step in stored.steps {
        let figures = figures(&step, rules);
        let run = runs.of(&mut recording.runs, step.run_id.clone(), step.run_id);
        let key = keys.of(&mut recording.keys, step.key_label.clone(), step.key_label);
        let named = Series {
            step_name: step.name,
            model: step.model,
        };
        let series = series.of(&mut recording.series, (named.clone(), step.template), named);
        recording.steps.push(Step {
            run,
            key,
            series,
            ..figures
        });
    }
    recording.texts = stored
        .texts
        .into_iter()
        .map(|text| StepText {
            step: text.step as u32,
            status: statuses
                .get(text.step)
                .map_or("", |status| status.as_str())
                .to_owned(),
            prompt: text.input,
            output: text.output,
            error: text.error,
            stop_reason: text.stop_reason,
            stream_incomplete: text.stream_incomplete,
        })
        .collect();
    recording
}

/// Numbers things in the order in which they first come.
struct Places<K>(BTreeMap<K, u32>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Places<K> {
    fn of<T>(&mut self, things: &mut Vec<T>, key: K, thing: T) -> u32 {
        *self.0.entry(key).or_insert_with(|| {
            things.push(thing);
            things.len() as u32 - 1
        })
    }
}

fn figures(step: &StoredStep, rules: &Rules) -> Step {
    let us = |ms: Option<f64>| {
        ms.filter(|ms| ms.is_finite())
            .map(|ms| (ms * 1_000.0).round() as i64)
    };
    let own_points = rules.points_of(&CONTEXT_NEAR_FULL);
    Step {
        at_ms: step.started_at.micros().div_euclid(1_000),
        kind: step.kind,
        is_failed: step.status == StepStatus::Error,
        has_output: step.has_output,
        severity: step.severity,
        mark: step
            .marked_real
            .map(|real| if real { Mark::Real } else { Mark::Noise }),
        latency_us: us(step.latency_ms),
        ttft_us: us(step.ttft_ms),
        max_gap_us: us(step.max_gap_ms),
        input_tokens: step.input_tokens,
        cache_read_tokens: step.cache_read_tokens,
        output_tokens: step.output_tokens,
        reasoning_tokens: step.reasoning_tokens,
        cost_nano_usd: step.cost_nano_usd,
        stopped_at_layer: step.stopped_at_layer,
        extra_points: step
            .context_points
            .map_or(0, |points| points.saturating_sub(own_points).max(0)),
        codes: step.codes.clone(),
        ..Step::default()
    }
}
