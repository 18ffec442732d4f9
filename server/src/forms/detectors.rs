//! Detectors made, changed, switched and deleted; findings marked.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::detector::DetectorDraft;
use domain::{Project, Role, Verdict};

use super::{Failed, Fields, lead};
use crate::api::detectors::{draft_of, parse_id, remove, replace, store_new};
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;

fn page(project: &Project) -> String {
    format!("/p/{}/detectors", project.slug)
}

/// `POST /p/{slug}/detectors`: makes one.
pub(super) async fn create(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let form = format!(
        "{}?new={}",
        page(project),
        domain::filter::percent_encode(fields.text("template"))
    );
    let done = match draft(&fields) {
        Err(failed) => Err(failed),
        Ok(draft) => match store_new(&state, project.id, &draft, &visitor.name_in_log()).await {
            Ok(id) => Ok(format!("{}/{id}?done=detector_made", page(project))),
            Err(refused) => Err(failed(refused)),
        },
    };
    lead(&form, done)
}

/// `POST /p/{slug}/detectors/{id}`: changes all of it.
pub(super) async fn change(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let id = parse_id(&id)?;
    let own = format!("{}/{id}", page(project));
    let done = match draft(&fields) {
        Err(failed) => Err(failed),
        Ok(draft) => match replace(&state, project.id, id, &draft, &visitor.name_in_log()).await {
            Ok(()) => Ok(format!("{own}?done=saved")),
            Err(refused) => Err(failed(refused)),
        },
    };
    lead(&own, done)
}

/// `POST /p/{slug}/detectors/{id}/switch` {on?}
pub(super) async fn switch(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let id = parse_id(&id)?;
    let mut snapshot = state.db.snapshot(project.id).await?;
    let stored = storage::detectors::get(&mut snapshot, project.id, id).await?;
    drop(snapshot);
    let enabled = !fields.text("on").is_empty();
    let draft = DetectorDraft {
        enabled,
        ..draft_of(stored)
    };
    replace(&state, project.id, id, &draft, &visitor.name_in_log()).await?;
    let done = if enabled { "detector_on" } else { "detector_off" };
    Ok(Redirect::to(&format!("{}/{id}?done={done}", page(project))))
}

/// `POST /p/{slug}/detectors/{id}/delete`
pub(super) async fn delete(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    remove(&state, project.id, parse_id(&id)?, &visitor.name_in_log()).await?;
    Ok(Redirect::to(&format!("{}?done=detector_deleted", page(project))))
}

/// Whether this is the list of all findings with its filters, as an address below the project.
fn is_list_of_findings(next: &str) -> bool {
    let is_address = next
        .chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '#' | '\\'));
    is_address && (next == "findings" || next.starts_with("findings?"))
}

/// `POST /p/{slug}/findings/{id}/feedback` {verdict?, next?}: a blank verdict takes it back. `next` is the page of the
/// project to go to.
pub(super) async fn mark(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Member)?;
    let id = id.parse().map_err(|_no_uuid| HttpError::not_found("finding"))?;
    let verdict = match fields.text("verdict") {
        "" => None,
        word => Some(
            Verdict::parse(word)
                .ok_or_else(|| HttpError::invalid("verdict", "verdict must be real or noise"))?,
        ),
    };
    let actor = visitor.name_in_log();
    storage::findings::mark(&state.db, project.id, id, verdict, &actor, clock::now()).await?;
    let back = match fields.text("next") {
        "list" => page(project),
        "" => format!("/p/{}/findings/{id}", project.slug),
        next if is_list_of_findings(next) => format!("/p/{}/{next}", project.slug),
        detector => format!("{}/{}", page(project), parse_id(detector)?),
    };
    Ok(Redirect::to(&back))
}

fn draft(fields: &Fields) -> Result<DetectorDraft, Failed> {
    let pairs = fields
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    DetectorDraft::from_form(pairs).map_err(|field| Failed::Field(word(field)))
}

fn failed(refused: HttpError) -> Failed {
    match (refused.code, refused.field.as_deref()) {
        ("invalid_field", Some(field)) => Failed::Field(word(field)),
        ("too_many", _) => Failed::Field("detectors_many"),
        _ => Failed::Refused(refused),
    }
}

/// The page's word for a field that is wrong.
fn word(field: &str) -> &'static str {
    match field {
        "name" => "detector_name",
        "prompt" => "detector_prompt",
        "schema" => "detector_schema",
        "required_step" => "detector_step",
        "every_run" => "detector_every_run",
        "sample_percent" => "detector_sample",
        "daily_cap_usd" => "detector_cap",
        "model" => "detector_model",
        _ => "detector_conditions",
    }
}
