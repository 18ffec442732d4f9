//! `GET /api/runs/{id}/steps/{step}/payload`: what a step was given and gave.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use domain::StepPayload;
use serde::Deserialize;
use storage::Db;
use utoipa::{IntoParams, ToSchema};

use super::query::{InPath, Params, Reader};
use super::runs::absent;
use crate::error::{HttpError, HttpResult, NotFound, ReadErrors};

/// One of a step's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StepText {
    Input,
    Output,
    PromptTemplate,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PayloadParams {
    /// This text alone, byte for byte, as a file.
    #[param(inline)]
    text: Option<StepText>,
}

/// Texts, attributes and events of a step
#[utoipa::path(get, path = "/api/runs/{run_id}/steps/{step_id}/payload", operation_id = "get_step_payload",
    params(
        ("run_id" = String, Path, description = "The client's run id"),
        ("step_id" = String, Path, description = "The client's step id"),
        PayloadParams,
        Reader,
    ),
    responses(
        (status = 200, description = "The texts, or the one that was asked for", content(
            (StepPayload = "application/json"),
            (String = "text/plain"),
        )),
        NotFound,
        ReadErrors,
    ))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath((run_id, step_id)): InPath<(String, String)>,
    Params(params): Params<PayloadParams>,
) -> HttpResult<Response> {
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let payload = storage::steps::payload(&mut snapshot, caller.project_id, &run_id, &step_id)
        .await
        .map_err(|cause| absent(cause, "step"))?;
    let (text, name) = match params.text {
        None => return Ok(Json(payload).into_response()),
        Some(StepText::Input) => (payload.input, "input.txt"),
        Some(StepText::Output) => (payload.output, "output.txt"),
        Some(StepText::PromptTemplate) => (payload.prompt_template, "prompt_template.txt"),
    };
    let text = text.ok_or_else(|| HttpError::not_found("text"))?;
    // Never a page of ours, whatever it says.
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, text).into_response())
}
