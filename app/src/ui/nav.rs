//! The side bar: which project, where to, who.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::context::{use_project, use_slug, use_viewer};
use crate::theme::{Theme, choose_theme, use_theme};
use crate::ui::command::Overlays;
use crate::ui::icon::Icon;
use crate::ui::links::{PAGES, ask_href, is_within, page_href};
use crate::ui::load::query_suffix;
use crate::ui::menu::Menu;

#[component]
pub(crate) fn SideBar() -> impl IntoView {
    let overlays = Overlays::get();
    let slug = use_slug();
    view! {
        <nav class="nav" aria-label="Main">
            <div class="nav-in">
                <ProjectSwitcher/>
                <a
                    class="nav-search"
                    href=move || page_href(&slug.read(), "runs")
                    title="Commands (Ctrl K)"
                    on:click=move |event| {
                        event.prevent_default();
                        overlays.commands.set(true);
                    }
                >
                    <Icon name="search"/>
                    <span class="nav-text">"Search"</span>
                    <span class="keys" aria-hidden="true"><kbd>"Ctrl"</kbd><kbd>"K"</kbd></span>
                </a>
                <ul class="nav-list"><PageLinks foot=false/></ul>
                <ul class="nav-list nav-foot">
                    <PageLinks foot=true/>
                    <li><UserMenu/></li>
                </ul>
            </div>
        </nav>
    }
}

/// The links to the pages, at the top or at the foot.
#[component]
pub(crate) fn PageLinks(
    /// Those at the foot.
    foot: bool,
) -> impl IntoView {
    let slug = use_slug();
    let path = use_location().pathname;
    PAGES
        .iter()
        .filter(|page| page.foot == foot)
        .map(|page| {
            let href = move || page_href(&slug.read(), page.segment);
            // What is asked is about the page that it is asked on.
            let link = move || match page.segment {
                "ask" => ask_href(&slug.read(), &path.read()),
                _ => href(),
            };
            view! {
                <li>
                    <a
                        href=link
                        title=format!("{} (g {})", page.label, page.letter)
                        aria-current=move || {
                            // Every page lies below the overview.
                            let is_here = match page.segment {
                                "" => path.read().trim_end_matches('/') == href(),
                                _ => is_within(&path.read(), &href()),
                            };
                            is_here.then_some("page")
                        }
                    >
                        <Icon name=page.icon/>
                        <span class="nav-text">{page.label}</span>
                    </a>
                </li>
            }
        })
        .collect_view()
}

/// The project's name, unfolding the others.
#[component]
fn ProjectSwitcher() -> impl IntoView {
    let project = use_project();
    let name = move || {
        project
            .read()
            .as_ref()
            .map(|(project, _)| project.name.clone())
            .unwrap_or_default()
    };
    let role = move || {
        project
            .read()
            .as_ref()
            .map(|(_, role)| role.as_str())
            .unwrap_or_default()
    };
    view! {
        <Menu
            class="nav-switch"
            summary_class="nav-project"
            summary=move || {
                view! {
                    <Logo/>
                    <span class="vh">"Switch project, now "</span>
                    <span class="nav-text"><b>{name}</b><small>{role}</small></span>
                    <Icon name="down" class="dim"/>
                }
            }
        >
            <ProjectLinks/>
        </Menu>
    }
}

/// The links to the viewer's projects, and to a new one.
#[component]
pub(crate) fn ProjectLinks() -> impl IntoView {
    let viewer = use_viewer();
    let slug = use_slug();
    let may_create = viewer.open || viewer.user.is_some();
    let links = viewer
        .projects
        .into_iter()
        .map(|(project, _)| {
            let href = page_href(&project.slug, "");
            let is_current = move || (*slug.read() == project.slug).then_some("true");
            view! { <li><a href=href aria-current=is_current><span class="menu-text">{project.name}</span></a></li> }
        })
        .collect_view();
    view! {
        <p class="menu-h">"Projects"</p>
        <ul class="nav-list">
            {links}
            {may_create
                .then(|| {
                    view! { <li class="nav-gap"><a href="/projects/new"><Icon name="plus"/>"New project"</a></li> }
                })}
        </ul>
    }
}

/// Who is signed in, unfolding the theme, the help and the way out.
#[component]
fn UserMenu() -> impl IntoView {
    let viewer = use_viewer();
    let name = viewer
        .user
        .as_ref()
        .map_or_else(|| "Open access".to_owned(), |user| user.name.clone());
    let hint = viewer.user.as_ref().map_or_else(
        || "No account exists: anyone who reaches this address has full access".to_owned(),
        |user| user.email.clone(),
    );
    let initial = name
        .chars()
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    view! {
        <Menu
            class="user-menu"
            summary_class="nav-user"
            summary=move || {
                view! {
                    <span class="avatar" aria-hidden="true">{initial}</span>
                    <span class="nav-text" title=hint>{name}</span>
                    <span class="vh">", theme and sign-out"</span>
                }
            }
        >
            <UserMenuBody/>
        </Menu>
    }
}

/// Theme, help and the way out; also part of the phone's menu.
#[component]
pub(crate) fn UserMenuBody() -> impl IntoView {
    let overlays = Overlays::get();
    let viewer = use_viewer();
    view! {
        <ThemeSwitch/>
        <ul class="nav-list">
            <li>
                <button type="button" class="menu-button" on:click=move |_| overlays.help.set(true)>
                    <Icon name="help"/>
                    <span>"Keyboard"</span>
                    <span class="push keys" aria-hidden="true"><kbd>"?"</kbd></span>
                </button>
            </li>
            {match (viewer.user.is_some(), viewer.open) {
                (true, _) => {
                    view! {
                        <li><a href="/account"><Icon name="users"/>"Account"</a></li>
                        <li>
                            <form method="post" action="/logout">
                                <button type="submit" class="menu-button"><Icon name="out"/>"Sign out"</button>
                            </form>
                        </li>
                    }
                        .into_any()
                }
                (false, true) => {
                    view! { <li><a href="/setup"><Icon name="lock"/>"Set up accounts"</a></li> }.into_any()
                }
                (false, false) => view! { <li><a href="/login"><Icon name="lock"/>"Sign in"</a></li> }.into_any(),
            }}
        </ul>
    }
}

/// System, light or dark. A form, so that it works without WASM; with it, the page changes at once.
#[component]
fn ThemeSwitch() -> impl IntoView {
    let location = use_location();
    let theme = use_theme();
    let here = move || {
        format!(
            "{}{}",
            location.pathname.get(),
            query_suffix(&location.search.get())
        )
    };
    let buttons = Theme::ALL
        .into_iter()
        .map(|choice| {
            view! {
                <button
                    type="submit"
                    name="theme"
                    value=choice.as_str()
                    aria-pressed=move || if theme.get() == choice { "true" } else { "false" }
                    on:click=move |event| {
                        event.prevent_default();
                        choose_theme(theme, choice);
                    }
                >
                    {choice.label()}
                </button>
            }
        })
        .collect_view();
    view! {
        <form class="theme-switch" method="post" action="/theme">
            <span class="label" id="theme-label">"Theme"</span>
            <input type="hidden" name="next" value=here/>
            <div class="seg" role="group" aria-labelledby="theme-label">{buttons}</div>
        </form>
    }
}

/// The plumb line.
#[component]
pub(crate) fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
            <path class="logo-line" d="M8 0v6"></path>
            <path class="logo-bob" d="M8 16 4.3 9.2 8 5.8l3.7 3.4z"></path>
        </svg>
    }
}
