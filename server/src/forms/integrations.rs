//! Connecting a project to GitHub, changing that, asking now, and removing it.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{Project, Role};
use storage::integrations::{self, GITHUB};

use super::{Failed, Fields, lead};
use crate::auth::Visitor;
use crate::auth::token::random_token;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::github::connection::{self, Draft, SaveError};
use crate::local_path::query_value;
use crate::state::AppState;

/// How much of a field goes back to the page: the address has to stay one.
const MAX_TYPED_CHARS: usize = 300;

fn page(project: &Project) -> String {
    format!("/p/{}/settings/integrations", project.slug)
}

/// `POST /p/{slug}/settings/integrations/github`: all of what is set. Secrets that are left empty stay as they are; a
/// webhook's secret is made where there is none, or another one is wanted. What can't be used goes back to the page as
/// it was typed, but for secrets.
pub(super) async fn save_github(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = page(project);
    match save(&state, &visitor, project, &fields).await {
        Ok(None) => lead(&page, Ok(format!("{page}?done=github_saved"))),
        Ok(Some(token)) => lead(&page, Ok(format!("{page}?done=github_saved&made={token}"))),
        Err(Failed::Field(code)) => lead(
            &page,
            Ok(format!("{page}?error={code}&{}#github-edit", typed(&fields))),
        ),
        Err(other) => lead(&page, Err(other)),
    }
}

/// Returns the token of the secret that was made, if one was.
async fn save(
    state: &AppState,
    visitor: &Visitor,
    project: &Project,
    fields: &Fields,
) -> Result<Option<String>, Failed> {
    let given = |name: &str| Some(fields.text(name)).filter(|text| !text.is_empty());
    let ticked = |name: &str| given(name).is_some();
    let sealed = integrations::sealed(&state.db, project.id, GITHUB, crate::github::WEBHOOK_SECRET).await?;
    let is_to_make = given("webhook_secret").is_none() && (sealed.is_none() || ticked("make_secret"));
    let no_randomness =
        || Failed::Refused(HttpError::internal(anyhow::anyhow!("no randomness for a secret")));
    let made = match is_to_make {
        true => Some(random_token().ok_or_else(no_randomness)?),
        false => None,
    };
    let draft = Draft {
        repository: fields.text("repository").to_owned(),
        api_url: fields.text("api_url").to_owned(),
        deployments: ticked("deployments"),
        environments: fields.text("environments").to_owned(),
        workflows: fields.text("workflows").to_owned(),
        branch: fields.text("branch").to_owned(),
        releases: ticked("releases"),
        is_paused: ticked("paused"),
        token: given("token").map(str::to_owned),
        webhook_secret: made
            .clone()
            .or_else(|| given("webhook_secret").map(str::to_owned)),
    };
    let actor = visitor.name_in_log();
    let saved = connection::save(
        &state.db,
        &state.secrets,
        &state.outbound,
        project.id,
        &draft,
        &actor,
    );
    saved.await.map_err(|cause| match cause {
        SaveError::Wrong(wrong) => Failed::Field(code_of(wrong.field)),
        SaveError::Database(cause) => cause.into(),
        SaveError::Randomness(cause) => Failed::Refused(HttpError::internal(cause)),
    })?;
    state.github_wake.notify_one();
    match made {
        Some(secret) => {
            let token = state.auth.reveal.put(project.id, secret);
            Ok(Some(token.ok_or_else(no_randomness)?))
        }
        None => Ok(None),
    }
}

/// The page's word for a field that is wrong.
fn code_of(field: &str) -> &'static str {
    match field {
        "repository" => "github_repository",
        "api_url" => "github_api_url",
        "environments" => "github_environments",
        "workflows" => "github_workflows",
        "branch" => "github_branch",
        "token" => "github_token",
        "webhook_secret" => "github_webhook_secret",
        _ => "github_deployments",
    }
}

/// What was typed, for the page to show again. Secrets are no part of addresses.
fn typed(fields: &Fields) -> String {
    const SHOWN: [&str; 8] = [
        "repository",
        "api_url",
        "deployments",
        "environments",
        "workflows",
        "branch",
        "releases",
        "paused",
    ];
    let pairs: Vec<String> = SHOWN
        .iter()
        .filter(|name| !fields.text(name).is_empty())
        .map(|name| {
            let value: String = fields.text(name).chars().take(MAX_TYPED_CHARS).collect();
            format!("{name}={}", query_value(&value))
        })
        .collect();
    pairs.join("&")
}

/// `POST /p/{slug}/settings/integrations/github/sync`: asks GitHub now.
pub(super) async fn sync_github(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    integrations::ask_now(
        &state.db,
        project.id,
        GITHUB,
        &visitor.name_in_log(),
        clock::now(),
    )
    .await?;
    state.github_wake.notify_one();
    Ok(Redirect::to(&format!("{}?done=github_sync", page(project))))
}

/// `POST /p/{slug}/settings/integrations/github/remove`
pub(super) async fn remove_github(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    integrations::remove(
        &state.db,
        project.id,
        GITHUB,
        &visitor.name_in_log(),
        clock::now(),
    )
    .await?;
    Ok(Redirect::to(&format!("{}?done=github_removed", page(project))))
}
