//! Setting up the models that Plumbline asks: a provider at a time, then which model is for what, and the budget.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{Feature, ModelChoice, NanoUsd, Project, ProjectId, ProviderKind, Role};
use storage::models::Settings;

use super::{Failed, Fields, lead};
use crate::alerts::SecretText;
use crate::auth::Visitor;
use crate::error::{HttpError, HttpResult};
use crate::models::settings::{ModelsDraft, ProviderDraft, SaveError, save};
use crate::models::test::test;
use crate::state::AppState;

fn page(project: &Project) -> String {
    format!("/p/{}/settings/providers", project.slug)
}

/// What is set, as a draft that changes nothing.
async fn draft_of(state: &AppState, project: ProjectId) -> Result<ModelsDraft, Failed> {
    let mut snapshot = state.db.snapshot(project).await?;
    let Settings {
        providers,
        uses,
        budget,
        max_request_bytes,
    } = storage::models::settings(&mut snapshot, project).await?;
    Ok(ModelsDraft {
        providers: providers
            .into_iter()
            .map(|provider| ProviderDraft {
                id: provider.provider_id,
                kind: provider.kind,
                base_url: provider.base_url,
                api_key: None,
            })
            .collect(),
        uses,
        budget,
        max_request_bytes: Some(max_request_bytes),
    })
}

async fn keep(state: &AppState, project: ProjectId, draft: &ModelsDraft, actor: &str) -> Result<(), Failed> {
    let saved = save(&state.db, &state.secrets, &state.outbound, project, draft, actor).await;
    saved.map_err(|error| match error {
        SaveError::Wrong(wrong) => Failed::Field(match (wrong.field, wrong.code) {
            (_, "private_target") => "private_target",
            ("base_url", _) => "model_address",
            ("api_key", _) => "model_key",
            ("budget_usd", _) => "budget",
            ("uses", _) => "model",
            _ => "model_provider",
        }),
        SaveError::Randomness(cause) => Failed::Refused(HttpError::internal(cause)),
        SaveError::Database(cause) => cause.into(),
    })
}

/// `POST /p/{slug}/settings/providers`: one provider, new or changed. A key that is left empty stays as it is.
pub(super) async fn save_provider(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = page(project);
    let done = async {
        let kind = ProviderKind::parse(fields.text("kind")).ok_or(Failed::Field("model_provider"))?;
        let typed = fields.text("id");
        let id = if typed.is_empty() {
            kind.as_str().replace('_', "-")
        } else {
            typed.to_owned()
        };
        let given = |name: &str| Some(fields.text(name).to_owned()).filter(|text| !text.is_empty());
        let provider = ProviderDraft {
            id,
            kind,
            base_url: given("base_url"),
            api_key: given("api_key").map(SecretText),
        };
        let mut draft = draft_of(&state, project.id).await?;
        match draft.providers.iter_mut().find(|known| known.id == provider.id) {
            Some(known) => *known = provider,
            None => draft.providers.push(provider),
        }
        keep(&state, project.id, &draft, &visitor.name_in_log()).await?;
        Ok(format!("{page}?done=model_provider_saved"))
    };
    let done = done.await;
    lead(&page, done)
}

/// `POST /p/{slug}/settings/providers/{id}/remove`: the provider with its key, and the uses of its models.
pub(super) async fn remove_provider(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = page(project);
    let done = async {
        let mut draft = draft_of(&state, project.id).await?;
        if !draft.providers.iter().any(|provider| provider.id == id) {
            return Err(HttpError::not_found("provider").into());
        }
        draft.providers.retain(|provider| provider.id != id);
        draft.uses.retain(|(_, choice)| choice.provider != id);
        keep(&state, project.id, &draft, &visitor.name_in_log()).await?;
        Ok(format!("{page}?done=model_provider_removed"))
    };
    let done = done.await;
    lead(&page, done)
}

/// `POST /p/{slug}/settings/providers/{id}/test`: one tiny real call. What it was answered stands on the page then.
pub(super) async fn test_provider(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = page(project);
    let done = async {
        let model = Some(fields.text("model")).filter(|model| !model.is_empty());
        let tested = test(&state.models, project.id, &id, model, &visitor.name_in_log()).await;
        match tested {
            Err(storage::Error::NotFound) => Err(HttpError::not_found("provider").into()),
            Err(cause) => Err(cause.into()),
            Ok(None) => Err(Failed::Field("model_to_test")),
            Ok(Some(tested)) if tested.ok => Ok(format!("{page}?done=model_answered")),
            Ok(Some(_)) => Err(Failed::Field("model_refused")),
        }
    };
    let done = done.await;
    lead(&page, done)
}

/// `POST /p/{slug}/settings/providers/uses`: which model is for what, and what a month may cost.
pub(super) async fn save_uses(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = page(project);
    let done = async {
        let mut draft = draft_of(&state, project.id).await?;
        let mut uses = Vec::new();
        for feature in Feature::ALL {
            let provider = fields.text(&format!("{}_provider", feature.as_str()));
            let model = fields.text(&format!("{}_model", feature.as_str()));
            if provider.is_empty() || model.is_empty() {
                continue;
            }
            let choice = ModelChoice {
                provider: provider.to_owned(),
                model: model.to_owned(),
            };
            uses.push((*feature, choice));
        }
        draft.uses = uses;
        let budget = fields.text("budget").trim_start_matches('$');
        draft.budget = match budget {
            "" => None,
            budget => Some(NanoUsd::parse_decimal(budget).ok_or(Failed::Field("budget"))?),
        };
        keep(&state, project.id, &draft, &visitor.name_in_log()).await?;
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}
