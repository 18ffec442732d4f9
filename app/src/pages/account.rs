//! One's own account: password, where one is signed in, and the way out. Plain forms, without any project around.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Redirect;

use crate::api::account::{SessionView, own_sessions};
use crate::context::{ViewerUser, use_viewer};
use crate::ui::form::{Field, FormOutcome, Submit};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::not_found::OuterPage;
use crate::ui::time::Time;

#[component]
pub(crate) fn AccountPage() -> impl IntoView {
    let viewer = use_viewer();
    match viewer.user {
        Some(user) => view! { <Account user/> }.into_any(),
        None if viewer.open => view! { <Redirect path="/setup"/> }.into_any(),
        None => view! { <Redirect path="/login?next=%2Faccount"/> }.into_any(),
    }
}

#[component]
fn Account(user: ViewerUser) -> impl IntoView {
    let sessions = Resource::new(|| (), |()| own_sessions());
    let of_server = user
        .is_instance_admin
        .then(|| view! { <p class="hint">"You are an admin of this server: you see the audit log of all of it."</p> });
    // Both ask for the password.
    let own =
        (!use_viewer().ways_in.passwords_off).then(|| view! { <OwnPassword email=user.email.clone()/> });
    view! {
        <Title text="Account"/>
        <OuterPage>
            <div class="account">
                <section class="panel-form">
                    <h1>{user.name.clone()}</h1>
                    <p class="dim2">{user.email.clone()}</p>
                    {of_server}
                    <FormOutcome/>
                </section>
                <section class="panel-form">
                    <h2 id="account-sessions">"Where you are signed in"</h2>
                    <Load resource=sessions what="Your sessions" skeleton=|| view! { <SkeletonRows rows=2/> } let:sessions>
                        <Sessions sessions/>
                    </Load>
                    <form method="post" action="/account/sessions/end">
                        <Submit label="Sign out everywhere"/>
                    </form>
                </section>
                {own}
            </div>
        </OuterPage>
    }
}

#[component]
fn OwnPassword(email: String) -> impl IntoView {
    view! {
        <form class="panel-form" method="post" action="/account/password">
            <h2>"Change the password"</h2>
            <input type="hidden" autocomplete="username" value=email/>
            <Field name="current" label="Current password" kind="password" autocomplete="current-password"/>
            <NewPasswordField/>
            <p class="hint">"Every other browser is signed out by that."</p>
            <Submit label="Change the password" variant="primary"/>
        </form>
        <details class="panel-form confirm">
            <summary class="btn" data-variant="danger">"Remove your account…"</summary>
            <form class="form" method="post" action="/account/remove">
                <h2>"Remove your account"</h2>
                <p class="dim2">
                    "Your access to every project ends at once. What you did stays in the audit log. The only admin of a project, or of this server, can’t go before there is another one."
                </p>
                <Field
                    name="current"
                    id="remove-current"
                    label="Current password"
                    kind="password"
                    autocomplete="current-password"
                />
                <Submit label="Remove my account" variant="danger"/>
            </form>
        </details>
    }
}

/// A new password, wherever one is chosen.
#[component]
pub(crate) fn NewPasswordField(#[prop(default = "new-password")] id: &'static str) -> impl IntoView {
    view! {
        <Field
            name="password"
            id
            label="New password"
            kind="password"
            autocomplete="new-password"
            min_chars=domain::account::MIN_PASSWORD_CHARS as u32
            hint="10 characters or more, and not a common one: several unrelated words are good"
        />
    }
}

#[component]
fn Sessions(sessions: Vec<SessionView>) -> impl IntoView {
    let rows = sessions
        .into_iter()
        .map(|SessionView { session, is_current }| {
            let end = if is_current {
                view! { <span class="badge" data-tone="line">"this browser"</span> }.into_any()
            } else {
                view! {
                    <form method="post" action=format!("/account/sessions/{}/end", session.id)>
                        <button class="btn sm" aria-label=format!("Sign out {} at {}", session.browser, session.address)>
                            "Sign out"
                        </button>
                    </form>
                }
                .into_any()
            };
            view! {
                <tr>
                    <td class="main">{session.browser}</td>
                    <td class="mono">{session.address}</td>
                    <td class="num"><Time at=session.created_at/></td>
                    <td class="num"><Time at=session.last_seen_at/></td>
                    <td class="n">{end}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-labelledby="account-sessions">
            <table class="table">
                <caption class="vh">"Browsers in which you are signed in"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Browser"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"Signed in"</th>
                        <th scope="col">"Last used"</th>
                        <th scope="col"><span class="vh">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}
