//! The frame around every page of a project: side bar, top bar, what floats above, keys.

use leptos::prelude::*;
use leptos_router::components::{Outlet, Redirect};
use leptos_router::hooks::{use_location, use_navigate};

use crate::context::{use_project, use_slug, use_viewer};
use crate::keyboard::{KeyCommand, use_commands};
use crate::ui::command::{CommandMenu, HelpOverlay, Overlays};
use crate::ui::icon::Icon;
use crate::ui::links::{PAGES, is_below, page_href};
use crate::ui::load::query_suffix;
use crate::ui::menu::Menu;
use crate::ui::nav::{PageLinks, ProjectLinks, SideBar, UserMenuBody};
use crate::ui::not_found::NotFoundPage;

/// The id of the field that `/` puts the cursor into.
pub(crate) const FILTER_ID: &str = "filter";

/// Side bar and page. Pages bring their own [`TopBar`] and `<main id="main">`.
#[component]
pub(crate) fn Frame() -> impl IntoView {
    let overlays = Overlays::provide();
    let slug = use_slug();
    let project = use_project();
    let viewer = use_viewer();
    let location = use_location();
    go_by_keys(slug, overlays);
    // The run page needs the width; there the side bar is a rail.
    let rail = move || is_below(&location.pathname.read(), &page_href(&slug.read(), "runs"));
    let known = Memo::new(move |_| project.read().is_some());
    let signed_out = viewer.user.is_none() && !viewer.open;
    move || {
        if known.get() {
            view! {
                <a class="skip" href="#main">"Skip to content"</a>
                <div class="app" data-nav=move || rail().then_some("rail")>
                    <SideBar/>
                    <Outlet/>
                </div>
                <CommandMenu/>
                <HelpOverlay/>
            }
            .into_any()
        } else if signed_out {
            view! { <Redirect path=login_href(&location.pathname.get_untracked(), &location.search.get_untracked())/> }
                .into_any()
        } else {
            view! { <NotFoundPage/> }.into_any()
        }
    }
}

/// The login page, leading back here afterwards.
pub(crate) fn login_href(path: &str, query: &str) -> String {
    let next = format!("{path}{}", query_suffix(query));
    format!("/login?next={}", domain::filter::percent_encode(&next))
}

/// Title at the left, tools at the right.
#[component]
pub(crate) fn TopBar(
    /// What stands at the right.
    #[prop(optional, into)]
    tools: ViewFnOnce,
    /// The title: an `h1`, or `.crumbs` with an `h1`.
    children: Children,
) -> impl IntoView {
    view! {
        <header class="topbar">
            <Menu
                class="navmenu"
                summary_class="btn icon"
                label="Menu"
                summary=|| view! { <Icon name="menu"/> }
            >
                <ul class="nav-list"><PageLinks foot=false/><PageLinks foot=true/></ul>
                <ProjectLinks/>
                <UserMenuBody/>
            </Menu>
            {children()}
            <div class="top-tools">{tools.run()}</div>
        </header>
    }
}

/// `Settings › Keys`: links to what lies above, then the title.
#[component]
pub(crate) fn Crumbs(
    /// The page above: its name and address.
    #[prop(into)]
    above: Signal<(String, String)>,
    #[prop(into)] title: Signal<String>,
) -> impl IntoView {
    view! {
        <div class="crumbs">
            <a href=move || above.get().1>{move || above.get().0}</a>
            <Icon name="right" class="sm"/>
            <h1>{title}</h1>
        </div>
    }
}

/// Keys that work on every page.
fn go_by_keys(slug: Memo<String>, overlays: Overlays) {
    let navigate = use_navigate();
    use_commands(move |command| match command {
        KeyCommand::Commands => {
            overlays.commands.update(|open| *open = !*open);
            true
        }
        KeyCommand::Help => {
            overlays.help.set(true);
            true
        }
        KeyCommand::Filter => focus(FILTER_ID),
        KeyCommand::GoTo(letter) => match PAGES.iter().find(|page| page.letter == letter) {
            Some(page) => {
                navigate(
                    &page_href(&slug.get_untracked(), page.segment),
                    Default::default(),
                );
                true
            }
            None => false,
        },
    });
}

/// Puts the cursor into the element with this id. False when the page has none.
pub(crate) fn focus(id: &str) -> bool {
    #[cfg(target_arch = "wasm32")]
    {
        use wasm_bindgen::JsCast;
        document()
            .get_element_by_id(id)
            .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok())
            .is_some_and(|element| element.focus().is_ok())
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _only_in_the_browser = id;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_leads_back() {
        let check = |path: &str, query: &str, expected: &str| assert_eq!(login_href(path, query), expected);
        check("/p/acme/runs", "", "/login?next=%2Fp%2Facme%2Fruns");
        check(
            "/p/acme/runs",
            "?status=error",
            "/login?next=%2Fp%2Facme%2Fruns%3Fstatus%3Derror",
        );
    }
}
