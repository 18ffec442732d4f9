//! Settings: every link to a run of the project.

use leptos::prelude::*;

use super::SettingsPage;
use crate::api::shares::list_shares;
use crate::context::use_slug;
use crate::pages::shares::Links;
use crate::ui::load::{Load, SkeletonRows};

#[component]
pub(crate) fn SharesPage() -> impl IntoView {
    let slug = use_slug();
    let list = Resource::new(move || slug.get(), |slug| list_shares(slug, String::new()));
    view! {
        <SettingsPage name="Shares">
            <Load resource=list what="The links" skeleton=|| view! { <SkeletonRows rows=3/> } let:list>
                <Links list of_all_runs=true/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}
