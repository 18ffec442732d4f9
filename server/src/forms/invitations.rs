//! Letting people into a project: a link is made, shown once, and accepted by whoever it was given to.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::account::is_email;
use domain::{Project, Role, Timestamp, UserId};
use storage::invitations::{self, FoundInvitation, NewInvitation};

use super::account::{checked_password_hash, with_cookie};
use super::{Failed, Fields, lead, on_conflict};
use crate::auth::token::{INVITATION_MICROS, random_token, token_sha256};
use crate::auth::{Client, Visitor};
use crate::clock;
use crate::error::{HttpError, HttpResult};
use crate::local_path::query_value;
use crate::state::AppState;

/// `POST /p/{slug}/settings/members` {email, role}: leads to the page that shows the link once. What is answered is
/// the same whether the address has an account or none.
pub(super) async fn make(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(slug): Path<String>,
    fields: Fields,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    if visitor.viewer.open {
        // The first account must be an admin, or there would be none.
        return Ok(Redirect::to("/setup"));
    }
    let page = format!("/p/{}/settings/members", project.slug);
    let done = make_link(&state, &visitor, project, &fields).await;
    lead(&page, done.map(|token| format!("{page}?invited={token}")))
}

/// Makes an invitation; returns the token under which its link is shown.
async fn make_link(
    state: &AppState,
    visitor: &Visitor,
    project: &Project,
    fields: &Fields,
) -> Result<String, Failed> {
    let now = clock::now();
    let role = Role::parse(fields.text("role")).ok_or(Failed::Field("role"))?;
    let email = fields.text("email");
    if !is_email(email) {
        return Err(Failed::Field("email"));
    }
    let no_randomness = || Failed::Refused(HttpError::internal(anyhow::anyhow!("no randomness for a token")));
    let token = random_token().ok_or_else(no_randomness)?;
    let new = NewInvitation {
        token_sha256: &token_sha256(&token),
        email,
        role,
        expires_at: now.plus_micros(INVITATION_MICROS),
    };
    let made = invitations::make(&state.db, project.id, new, &visitor.name_in_log(), now).await;
    on_conflict(made, "memberships_pkey", "email_exists")?;
    state.auth.reveal.put(project.id, token).ok_or_else(no_randomness)
}

/// `POST /p/{slug}/settings/members/invitations/{id}/revoke`
pub(super) async fn revoke(
    State(state): State<AppState>,
    visitor: Visitor,
    Path((slug, id)): Path<(String, String)>,
) -> HttpResult<Redirect> {
    let project = visitor.project(&slug, Role::Admin)?;
    let id = id
        .parse()
        .map_err(|_malformed| HttpError::not_found("invitation"))?;
    invitations::revoke(&state.db, project.id, id, &visitor.name_in_log(), clock::now()).await?;
    Ok(Redirect::to(&format!(
        "/p/{}/settings/members?done=uninvited",
        project.slug
    )))
}

/// `POST /invite` {token, how, name?, password?}: `how` is `new` for an account of one's own making, `sign_in` for the
/// one that the address has, or `accept` by whoever is signed in to that.
pub(super) async fn accept(
    State(state): State<AppState>,
    visitor: Visitor,
    client: Client,
    headers: HeaderMap,
    fields: Fields,
) -> HttpResult<Response> {
    let now = clock::now();
    let token = fields.text("token");
    let page = format!("/invite?token={}", query_value(token));
    let accepting = Accepting {
        state: &state,
        client: &client,
        fields: &fields,
        sha256: token_sha256(token),
        now,
    };
    match accepting.run(&visitor).await {
        Ok((location, Some(user))) => {
            let cookie = state.auth.sign_in(user, &headers, &client, now).await?;
            Ok(with_cookie(&location, cookie))
        }
        Ok((location, None)) => Ok(Redirect::to(&location).into_response()),
        Err(failed) => Ok(lead(&page, Err(failed))?.into_response()),
    }
}

struct Accepting<'a> {
    state: &'a AppState,
    client: &'a Client,
    fields: &'a Fields,
    sha256: [u8; 32],
    now: Timestamp,
}

impl Accepting<'_> {
    /// Where to go then, and who is to be signed in.
    async fn run(&self, visitor: &Visitor) -> Result<(String, Option<UserId>), Failed> {
        let found = invitations::find(&self.state.db, &self.sha256, self.now).await?;
        let found = found.ok_or(Failed::Field("link"))?;
        let location = format!("/p/{}", found.project.slug);
        let signs_in = match self.fields.text("how") {
            "accept" => {
                self.join(visitor.user_id()?).await?;
                None
            }
            "sign_in" => Some(self.sign_in(&found).await?),
            "new" => Some(self.make_account(&found).await?),
            _ => return Err(HttpError::invalid("how", "how is new, sign_in or accept").into()),
        };
        self.state.auth.invalidate();
        Ok((location, signs_in))
    }

    async fn sign_in(&self, found: &FoundInvitation) -> Result<UserId, Failed> {
        let password = self.fields.raw("password");
        let email = &found.invitation.email;
        let auth = &self.state.auth;
        let user = auth
            .check_password(email, password, self.client, self.now)
            .await?;
        let user = user.ok_or(Failed::Field("credentials"))?;
        self.join(user).await?;
        Ok(user)
    }

    async fn join(&self, user: UserId) -> Result<(), Failed> {
        match invitations::accept(&self.state.db, &self.sha256, user, self.now).await {
            // It was used meanwhile, or is for somebody else.
            Err(storage::Error::NotFound) => Err(Failed::Field("link")),
            other => Ok(other?),
        }
    }

    async fn make_account(&self, found: &FoundInvitation) -> Result<UserId, Failed> {
        self.state.auth.require_passwords()?;
        let name = self.fields.name("name")?;
        let about = [found.invitation.email.as_str(), name];
        let hash = checked_password_hash(&self.state.auth, self.fields.raw("password"), &about).await?;
        let made = invitations::accept_as_new(&self.state.db, &self.sha256, name, &hash, self.now).await;
        match made {
            Err(storage::Error::NotFound) => Err(Failed::Field("link")),
            other => Ok(on_conflict(other, "users_email_key", "has_account")?.id),
        }
    }
}
