//! What a link to set a new password leads to. Whoever runs the server makes it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::api::account::read_reset_link;
use crate::pages::account::NewPasswordField;
use crate::pages::invite::DeadLink;
use crate::ui::form::{FormOutcome, Submit};
use crate::ui::load::{Load, SkeletonRows};
use crate::ui::not_found::OuterPage;

#[component]
pub(crate) fn ResetPage() -> impl IntoView {
    let query = use_query_map();
    let token = Memo::new(move |_| query.read().get("token").unwrap_or_default());
    let email = Resource::new(move || token.get(), read_reset_link);
    view! {
        <Title text="New password"/>
        <OuterPage>
            <Load resource=email what="The link" skeleton=|| view! { <SkeletonRows rows=3/> } let:email>
                {match email {
                    Some(email) => view! { <NewPassword email token=token.get_untracked()/> }.into_any(),
                    None => view! { <DeadLink what="link"/> }.into_any(),
                }}
            </Load>
        </OuterPage>
    }
    .into_any()
}

#[component]
fn NewPassword(email: String, token: String) -> impl IntoView {
    view! {
        <form class="panel-form" method="post" action="/reset">
            <h1>"Set a new password"</h1>
            <p class="dim2">{format!("For {email}. Every browser is signed out by that.")}</p>
            <FormOutcome/>
            <input type="hidden" name="token" value=token/>
            <input type="hidden" autocomplete="username" value=email/>
            <NewPasswordField/>
            <Submit label="Set the password" variant="primary"/>
        </form>
    }
}
