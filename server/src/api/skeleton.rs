//! `GET /api/runs/{run_id}/skeleton`: a run as its drawing needs it, however many steps it has.

use axum::extract::{Request, State};
use axum::response::Response;
use domain::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use storage::Db;
use utoipa::{IntoParams, ToSchema};

use super::query::{InPath, Params, Reader};
use crate::error::{HttpError, HttpResult, NotFound, ReadErrors};

/// The most steps of a run that are sent.
const MAX_STEPS: u32 = 500_000;

/// A [`domain::skeleton::Skeleton`].
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
struct Bytes(#[expect(dead_code, reason = "only described")] Vec<u8>);

/// What of a run is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SkeletonParams {
    /// Only steps received from then on, in microseconds since 1970: a page that shows a run that goes on has the others
    #[serde(default, deserialize_with = "micros")]
    received_since: Option<i64>,
}

/// Parameters are texts.
fn micros<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let micros = text.parse();
    micros
        .map(Some)
        .map_err(|_not_a_number| D::Error::custom("must be a number of microseconds since 1970"))
}

/// A run's steps as its timeline reads them
#[utoipa::path(get, path = "/api/runs/{run_id}/skeleton", operation_id = "get_run_skeleton",
    params(("run_id" = String, Path, description = "The client's run id"), SkeletonParams, Reader),
    responses(
        (status = 200, content_type = "application/octet-stream", body = inline(Bytes),
            description = "Times, parents, names and figures of at most 500,000 steps, column by column, without texts; \
                the format is the timeline's own and changes with it"),
        NotFound,
        ReadErrors,
    ))]
pub(crate) async fn get(
    State(db): State<Db>,
    Reader(caller): Reader,
    InPath(run_id): InPath<String>,
    Params(params): Params<SkeletonParams>,
    request: Request,
) -> HttpResult<Response> {
    let (parts, _) = request.into_parts();
    let since = params.received_since.map(Timestamp::from_micros);
    let mut snapshot = db.snapshot(caller.project_id).await?;
    let skeleton =
        storage::steps::skeleton(&mut snapshot, caller.project_id, &run_id, since, MAX_STEPS).await?;
    if skeleton.steps.is_empty() {
        // Nothing new of a run, or no such run.
        storage::runs::get(&mut snapshot, caller.project_id, &run_id)
            .await
            .map_err(|cause| match cause {
                storage::Error::NotFound => HttpError::not_found("run"),
                other => other.into(),
            })?;
    }
    drop(snapshot);
    super::octets::compressed(parts, engine::skeleton_wire::encode(&skeleton)).await
}
