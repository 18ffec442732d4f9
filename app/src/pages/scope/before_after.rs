//! Before and after the latest deploy, for the page's calls alone.

use leptos::prelude::*;

use crate::api::scope::{ComparedDeploy, ScopeView};
use crate::models::rollout_words::deploy_name;
use crate::pages::effects::measures_table;
use crate::pages::time_window::Page;
use crate::ui::links::deploy_href;
use crate::ui::time::Time;

/// Every measure on both sides of it.
#[component]
pub(super) fn BeforeAfter(page: Page, view: ScopeView) -> impl IntoView {
    let Some(ComparedDeploy {
        deploy,
        effects,
        switched,
    }) = view.latest
    else {
        let why = if view.compared == 0 {
            "No deploy of this window went live."
        } else {
            "No deploy of this window has calls both before and after it."
        };
        return view! {
            <section class="cell" aria-labelledby="measures-title">
                <div class="head"><h2 id="measures-title">"Before and after the latest deploy"</h2></div>
                <p class="dim">{why}</p>
            </section>
        }
        .into_any();
    };
    let href = deploy_href(&page.slug.read_untracked(), &deploy.id);
    let switched = switched.map(|switched| format!("; {switched}"));
    view! {
        <section class="cell flush" aria-labelledby="measures-title">
            <div class="head">
                <h2 id="measures-title">"Before and after the latest deploy"</h2>
                <span class="sub">
                    <a class="link" href=href>{deploy_name(&deploy)}</a>
                    ", live since "
                    <Time at=deploy.at()/>
                    ", up to 48 h on either side"
                    {switched}
                </span>
            </div>
            {measures_table(&effects)}
        </section>
    }
    .into_any()
}
