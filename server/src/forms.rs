//! What the plain HTML forms post to, a file per noun. Each handler does four things: authorise, parse, one storage call
//! that writes the audit row in the same transaction, redirect. It leads back to its page with `?error=` or `?done=`,
//! whose words the page knows, or onwards.

mod account;
mod alerts;
mod analyses;
mod bills;
mod budgets;
mod conditions;
mod demo;
mod detectors;
mod encryption;
mod fixes;
mod incident_settings;
mod incidents;
mod inquiries;
mod integrations;
mod invitations;
mod key_limits;
mod keys;
mod members;
mod models;
mod own_account;
mod prices;
mod projects;
mod redaction;
mod reprice;
mod retention;
mod scoring;
mod shares;
mod spans;
mod user_data;
mod watcher;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, FromRequest, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;
use tokio::time::timeout;

use crate::error::{HttpError, HttpResult};
use crate::plain_page::{self, Audience};
use crate::state::AppState;
use crate::web;

/// Far above what any form sends.
const MAX_FORM_BYTES: usize = 64 * 1024;
/// How long a form may take to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest name of a person or project, in characters.
const MAX_NAME_CHARS: usize = 100;

macro_rules! forms {
    ($($path:literal => $handler:path),+ $(,)?) => {
        /// Path of every form's POST.
        pub const FORM_PATHS: &[&str] = &[$($path),+];

        fn listed() -> Router<AppState> {
            Router::new()$(.route($path, post($handler)))+
        }
    };
}

#[rustfmt::skip]
forms!(
    "/login"                                              => account::login,
    "/logout"                                             => account::logout,
    "/setup"                                              => account::setup,
    "/theme"                                              => account::theme,
    "/invite"                                             => invitations::accept,
    "/reset"                                              => account::reset_password,
    "/account/password"                                   => own_account::change_password,
    "/account/sessions/end"                               => own_account::end_all_sessions,
    "/account/sessions/{id}/end"                          => own_account::end_session,
    "/account/remove"                                     => own_account::remove,
    "/projects"                                           => projects::create,
    "/p/{project}/conditions/feedback"                    => conditions::mark,
    "/p/{project}/conditions/mute"                        => conditions::mute,
    "/p/{project}/demo"                                   => demo::start,
    "/p/{project}/runs/{run}/share"                       => shares::make,
    "/p/{project}/runs/{run}/analysis"                    => analyses::start,
    "/p/{project}/shares/{id}/revoke"                     => shares::revoke,
    "/p/{project}/detectors"                              => detectors::create,
    "/p/{project}/detectors/{detector}"                       => detectors::change,
    "/p/{project}/detectors/{id}/switch"                  => detectors::switch,
    "/p/{project}/detectors/{id}/delete"                  => detectors::delete,
    "/p/{project}/findings/{id}/feedback"                 => detectors::mark,
    "/p/{project}/incidents/{id}/state"                   => incidents::change,
    "/p/{project}/incidents/{id}/investigation"           => inquiries::investigate,
    "/p/{project}/incidents/{id}/fix"                     => fixes::draft,
    "/p/{project}/incidents/{id}/issue"                   => fixes::issue,
    "/p/{project}/incidents/{id}/pull"                    => fixes::open,
    "/p/{project}/ask"                                    => inquiries::ask_in_chat,
    "/p/{project}/ask/bill"                               => bills::put,
    "/p/{project}/ask/{id}/bill"                          => bills::compare,
    "/p/{project}/ask/{id}/delete"                        => inquiries::delete_chat,
    "/p/{project}/demo/remove"                            => demo::remove,
    "/p/{project}/users/{user}/delete"                    => user_data::delete,
    "/p/{project}/settings/general"                       => projects::rename,
    "/p/{project}/settings/delete"                        => projects::delete,
    "/p/{project}/settings/keys"                          => keys::make,
    "/p/{project}/settings/keys/first"                    => keys::show_first,
    "/p/{project}/settings/keys/limits"                   => key_limits::save,
    "/p/{project}/settings/keys/{id}/revoke"              => keys::revoke,
    "/p/{project}/settings/spans"                         => spans::save,
    "/p/{project}/settings/scoring"                       => scoring::save,
    "/p/{project}/settings/incidents"                     => incident_settings::save,
    "/p/{project}/settings/watcher"                       => watcher::save,
    "/p/{project}/settings/integrations/github"           => integrations::save_github,
    "/p/{project}/settings/integrations/github/sync"      => integrations::sync_github,
    "/p/{project}/settings/integrations/github/remove"    => integrations::remove_github,
    "/p/{project}/settings/integrations/{kind}"           => alerts::save_channel,
    "/p/{project}/settings/integrations/{kind}/test"      => alerts::test,
    "/p/{project}/settings/integrations/{kind}/pause"     => alerts::pause,
    "/p/{project}/settings/integrations/{kind}/remove"    => alerts::remove,
    "/p/{project}/settings/alerts"                        => alerts::save,
    "/p/{project}/settings/alerts/{id}/resend"            => alerts::resend,
    "/p/{project}/settings/prices"                        => prices::save,
    "/p/{project}/settings/prices/delete"                 => prices::delete,
    "/p/{project}/settings/prices/reprice"                => reprice::start,
    "/p/{project}/settings/prices/reprice/{id}/cancel"    => reprice::cancel,
    "/p/{project}/settings/budgets"                       => budgets::set,
    "/p/{project}/settings/budgets/remove"                => budgets::remove,
    "/p/{project}/settings/providers"                     => models::save_provider,
    "/p/{project}/settings/providers/uses"                => models::save_uses,
    "/p/{project}/settings/providers/{id}/test"           => models::test_provider,
    "/p/{project}/settings/providers/{id}/remove"         => models::remove_provider,
    "/p/{project}/settings/encryption"                    => encryption::save,
    "/p/{project}/settings/redaction"                     => redaction::save,
    "/p/{project}/settings/retention"                     => retention::save,
    "/p/{project}/settings/members"                       => invitations::make,
    "/p/{project}/settings/members/invitations/{id}/revoke" => invitations::revoke,
    "/p/{project}/settings/members/{id}/role"             => members::set_role,
    "/p/{project}/settings/members/{id}/remove"           => members::remove,
);

/// The forms' routes. They need [`crate::auth::viewer`] and [`crate::auth::guard::protect`] around them.
pub fn routes() -> Router<AppState> {
    listed()
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(from_fn(plain_page::for_people))
}

/// A path that only a form posts to, opened as a page: leads to the page that the form stands on, the nearest one above
/// it. Any other method is one that neither pages nor forms use.
pub(crate) async fn other_method(request: Request) -> Response {
    if *request.method() == Method::GET || *request.method() == Method::HEAD {
        return Redirect::to(&web::nearest_page(request.uri().path())).into_response();
    }
    let message = "This address is opened as a page (GET) or takes a form (POST), and nothing else";
    let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    Audience::of(request.headers(), request.extensions()).refuse(error)
}

/// What a form sent, in its order.
#[derive(Clone)]
struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a field as it was typed, empty when there is none.
    fn raw(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map_or("", |(_, value)| value)
    }

    /// The same without space around it.
    fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// Every value of a field.
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// A name of a person or project.
    fn name(&self, field: &str) -> Result<&str, Failed> {
        let name = self.text(field);
        let fits = !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS;
        if fits && !name.chars().any(char::is_control) {
            Ok(name)
        } else {
            Err(Failed::Field("name"))
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        let form = Form::<Vec<(String, String)>>::from_request(request, state);
        let Ok(form) = timeout(FORM_TIMEOUT, form).await else {
            let message = "The form took too long to arrive; send it again";
            return Err(HttpError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message));
        };
        form.map(|Form(fields)| Self(fields)).map_err(|rejection| {
            HttpError::new(rejection.status(), "invalid_form", "The form data is invalid")
        })
    }
}

/// Why a form was not done.
enum Failed {
    /// The word the page has an explanation for.
    Field(&'static str),
    /// Anything that the page can't explain.
    Refused(HttpError),
}

impl From<HttpError> for Failed {
    fn from(error: HttpError) -> Self {
        Self::Refused(error)
    }
}

impl From<storage::Error> for Failed {
    fn from(error: storage::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Where the form leads: where `done` says, or back to its `page` with the error.
fn lead(page: &str, done: Result<String, Failed>) -> HttpResult<Redirect> {
    match done {
        Ok(location) => Ok(Redirect::to(&location)),
        Err(Failed::Field(code)) => {
            let joint = if page.contains('?') { '&' } else { '?' };
            Ok(Redirect::to(&format!("{page}{joint}error={code}")))
        }
        Err(Failed::Refused(error)) => Err(error),
    }
}

/// Turns the named conflict into the page's word.
fn on_conflict<T>(result: storage::Result<T>, constraint: &str, code: &'static str) -> Result<T, Failed> {
    match result {
        Err(storage::Error::Conflict(found)) if found == constraint => Err(Failed::Field(code)),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let fields = [
            ("scope", "read"),
            ("name", " Mara "),
            ("scope", "ingest"),
            ("bad", "a\nb"),
        ];
        let fields = Fields(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        );
        assert_eq!(fields.text("name"), "Mara");
        assert_eq!(fields.raw("name"), " Mara ");
        assert_eq!(fields.text("missing"), "");
        assert_eq!(fields.all("scope").collect::<Vec<_>>(), ["read", "ingest"]);
        assert!(fields.name("name").is_ok());
        assert!(fields.name("bad").is_err());
        assert!(fields.name("missing").is_err());
    }
}
