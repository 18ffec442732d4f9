//! What happens to incidents by itself.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::{Role, WatchAction};
use serde_json::json;
use storage::watcher::{self, Watcher};

use super::{Failed, Fields, lead};
use crate::api::watcher::is_interval;
use crate::auth::Visitor;
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::state::AppState;
use crate::watcher::Actions;

/// `POST /p/{slug}/settings/watcher` {on?, interval_min, critical, high, low}
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/watcher", project.slug);
    let done = async {
        let interval_min = fields.text("interval_min").parse::<i32>().ok();
        let interval_min = interval_min
            .filter(is_interval)
            .ok_or(Failed::Field("watcher_interval"))?;
        let action = |severity: &'static str| {
            WatchAction::parse(fields.text(severity))
                .ok_or_else(|| HttpError::invalid(severity, format!("{severity} must be log or issue")))
        };
        let actions = Actions {
            critical: action("critical")?,
            high: action("high")?,
            low: action("low")?,
        };
        let wanted = Watcher {
            is_on: !fields.text("on").is_empty(),
            interval_min,
            actions: json!(actions),
        };
        let actor = visitor.name_in_log();
        watcher::save(&state.db, project.id, &wanted, &actor, clock::now()).await?;
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}
