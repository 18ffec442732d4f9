//! Limiting what keys may use.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::key_limit::{KeyLimits, MostAmounts};
use domain::{NanoUsd, Role};

use super::{Failed, Fields, lead};
use crate::api::key_limits::replace;
use crate::auth::Visitor;
use crate::error::HttpResult;
use crate::state::AppState;

/// `POST /p/{slug}/settings/keys/limits`: sets the limits of a label; without any they are taken away.
pub(super) async fn save(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let page = format!("/p/{}/settings/keys", project.slug);
    let done = async {
        let limits = KeyLimits {
            minute: most(&fields, ["minute_requests", "minute_tokens", "minute_usd"])?,
            month: most(&fields, ["month_requests", "month_tokens", "month_usd"])?,
        };
        let label = fields.text("label");
        if !storage::keys::is_label(label) {
            return Err(Failed::Field("label"));
        }
        match replace(&state, project.id, &visitor.name_in_log(), label, &limits).await {
            Err(storage::Error::NotFound) => Err(Failed::Field("not_found")),
            done => Ok(done?),
        }?;
        Ok(format!("{page}?done=saved"))
    };
    let done = done.await;
    lead(&page, done)
}

/// Requests, tokens and dollars; an empty field is no limit.
fn most(fields: &Fields, [requests, tokens, usd]: [&str; 3]) -> Result<MostAmounts, Failed> {
    let number = |name: &str| match fields.text(name) {
        "" => Ok(None),
        text => text
            .replace([',', ' '], "")
            .parse::<i64>()
            .ok()
            .filter(|number| *number > 0)
            .map(Some)
            .ok_or(Failed::Field("key_limit")),
    };
    let cost = match fields.text(usd).trim_start_matches('$') {
        "" => None,
        text => Some(
            NanoUsd::parse_decimal(text)
                .filter(|cost| cost.0 > 0)
                .ok_or(Failed::Field("key_limit"))?,
        ),
    };
    Ok(MostAmounts {
        requests: number(requests)?,
        tokens: number(tokens)?,
        cost,
    })
}
