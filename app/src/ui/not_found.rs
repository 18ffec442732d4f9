//! The page for addresses that lead nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::context::use_viewer;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::nav::Logo;

/// Says so, with a way back.
#[component]
pub(crate) fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::error::ApiError::NotFound.with_status();
    let viewer = use_viewer();
    let home = viewer
        .projects
        .first()
        .map_or_else(|| "/".to_owned(), |(project, _)| page_href(&project.slug, "runs"));
    view! {
        <Title text="Not found"/>
        <OuterPage>
            <div class="state">
                <Icon name="search"/>
                <h1>"Nothing is at this address"</h1>
                <p>"It may have been deleted, or belong to a project you have no access to."</p>
                <a class="btn" href=home>"Go to the runs"</a>
            </div>
        </OuterPage>
    }
    .into_any()
}

/// A page outside any project: the name above, one panel in the middle.
#[component]
pub(crate) fn OuterPage(children: Children) -> impl IntoView {
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="outer">
            <header class="outer-top"><a class="brand" href="/"><Logo/><b>"Plumbline"</b></a></header>
            <main id="main" class="outer-main" tabindex="-1">{children()}</main>
        </div>
    }
}
