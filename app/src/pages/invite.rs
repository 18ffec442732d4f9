//! What an invitation's link leads to. The page is the same whether its address has an account or none, so that who
//! made the link learns nothing by opening it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::api::invitations::{InvitationView, read_invitation};
use crate::context::use_viewer;
use crate::pages::account::NewPasswordField;
use crate::pages::login::ProviderLink;
use crate::ui::form::{Field, FormOutcome, Submit};
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::not_found::OuterPage;

#[component]
pub(crate) fn InvitePage() -> impl IntoView {
    let query = use_query_map();
    let token = Memo::new(move |_| query.read().get("token").unwrap_or_default());
    let invitation = Resource::new(move || token.get(), read_invitation);
    view! {
        <Title text="Invitation"/>
        <OuterPage>
            <Load resource=invitation what="The invitation" skeleton=|| view! { <SkeletonRows rows=4/> } let:found>
                {match found {
                    Some(view) => view! { <Accept view token=token.get_untracked()/> }.into_any(),
                    None => view! { <DeadLink what="invitation"/> }.into_any(),
                }}
            </Load>
        </OuterPage>
    }
    .into_any()
}

/// A link that is not good any more, or never was.
#[component]
pub(crate) fn DeadLink(
    /// What it was: `invitation`.
    what: &'static str,
) -> impl IntoView {
    view! {
        <div class="state">
            <Icon name="link"/>
            <h1>"This link is not good any more"</h1>
            <p>{format!("The {what} was used, replaced or taken back, or its time is over. Ask for a new one.")}</p>
            <a class="btn" href="/">"Go to the start"</a>
        </div>
    }
}

#[component]
fn Accept(view: InvitationView, token: String) -> impl IntoView {
    let InvitationView { project, invitation } = view;
    let email = invitation.email;
    let is_for = |user: &crate::context::ViewerUser| user.email == email;
    let viewer = use_viewer();
    let ways_in = viewer.ways_in;
    let provider = ways_in.provider.filter(|_| viewer.user.is_none());
    let by_provider = provider.map(|provider| {
        let words = format!("{provider} signs you in. With this address there you are in the project then.");
        view! {
            <section class="panel-form">
                <p>{words}</p>
                <ProviderLink provider next="/".to_owned()/>
            </section>
        }
    });
    let ways = match viewer.user {
        Some(user) if is_for(&user) => view! { <AcceptSignedIn token/> }.into_any(),
        Some(user) => view! { <SignedInAsAnother own=user.email/> }.into_any(),
        None if ways_in.passwords_off => ().into_any(),
        None => view! { <TwoWays token email=email.clone()/> }.into_any(),
    };
    view! {
        <div class="account">
            <section class="panel-form">
                <h1>{format!("Join {project}")}</h1>
                <p class="dim2">
                    {format!("{} invites {email} as {}.", invitation.invited_by, invitation.role.as_str())}
                </p>
                <FormOutcome/>
            </section>
            {by_provider}
            {ways}
        </div>
    }
}

#[component]
fn AcceptSignedIn(token: String) -> impl IntoView {
    view! {
        <form class="panel-form" method="post" action="/invite">
            <input type="hidden" name="token" value=token/>
            <input type="hidden" name="how" value="accept"/>
            <p>"You are signed in with that address."</p>
            <Submit label="Join the project" variant="primary"/>
        </form>
    }
}

#[component]
fn SignedInAsAnother(own: String) -> impl IntoView {
    view! {
        <form class="panel-form" method="post" action="/logout">
            <p>{format!("You are signed in as {own}. Sign out and open the link again to accept it.")}</p>
            <Submit label="Sign out"/>
        </form>
    }
}

#[component]
fn TwoWays(token: String, email: String) -> impl IntoView {
    view! {
        <form class="panel-form" method="post" action="/invite" aria-labelledby="invite-new">
            <h2 id="invite-new">"I am new here"</h2>
            <input type="hidden" name="token" value=token.clone()/>
            <input type="hidden" name="how" value="new"/>
            <input type="hidden" autocomplete="username" value=email.clone()/>
            <Field name="name" label="Your name" autocomplete="name"/>
            <NewPasswordField/>
            <Submit label="Make my account and join" variant="primary"/>
        </form>
        <form class="panel-form" method="post" action="/invite" aria-labelledby="invite-known">
            <h2 id="invite-known">"I have an account with this address"</h2>
            <input type="hidden" name="token" value=token/>
            <input type="hidden" name="how" value="sign_in"/>
            <input type="hidden" autocomplete="username" value=email/>
            <Field name="password" label="Password" kind="password" autocomplete="current-password"/>
            <Submit label="Sign in and join"/>
        </form>
    }
}
