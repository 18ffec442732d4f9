//! The settings of a project. A new page is one line in [`PAGES`] and one in the router.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod budgets;
pub(crate) mod general;
pub(crate) mod incidents;
pub(crate) mod integrations;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod members;
pub(crate) mod models;
pub(crate) mod outbound;
pub(crate) mod prices;
pub(crate) mod providers;
pub(crate) mod redaction;
pub(crate) mod retention;
pub(crate) mod scoring;
pub(crate) mod shares;
pub(crate) mod watcher;

use domain::Role;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::context::{use_may, use_slug};
use crate::ui::form::FormOutcome;
use crate::ui::frame::{Crumbs, TopBar};
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

/// The pages: name, and part of the URL after `settings`.
const PAGES: &[(&str, &str)] = &[
    ("General", "settings"),
    ("Keys", "settings/keys"),
    ("Scoring", "settings/scoring"),
    ("Incidents", "settings/incidents"),
    ("Watcher", "settings/watcher"),
    ("Integrations", "settings/integrations"),
    ("Alerts", "settings/alerts"),
    ("Prices", "settings/prices"),
    ("Budgets", "settings/budgets"),
    ("Model providers", "settings/providers"),
    ("What leaves", "settings/outbound"),
    ("Redaction", "settings/redaction"),
    ("Retention", "settings/retention"),
    ("Members", "settings/members"),
    ("Shares", "settings/shares"),
    ("Ledger", "settings/ledger"),
    ("Audit", "settings/audit"),
];

/// Why a form can't be used; empty when it can. Controls stay visible and say why.
pub(crate) fn use_admin_lock() -> Signal<String> {
    let may = use_may(Role::Admin);
    Signal::derive(move || {
        if may.get() {
            String::new()
        } else {
            "Only an admin of the project can change this".to_owned()
        }
    })
}

/// One page of the settings: top bar, list of pages, content.
#[component]
pub(crate) fn SettingsPage(
    /// Its name, one of [`PAGES`].
    name: &'static str,
    /// What stands at the right of the top bar.
    #[prop(optional, into)]
    tools: ViewFnOnce,
    children: Children,
) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    // These have nothing to change.
    let is_locked =
        move || !["Ledger", "Audit", "Shares", "What leaves"].contains(&name) && !locked.read().is_empty();
    let links = PAGES
        .iter()
        .map(|(label, segment)| {
            view! {
                <li>
                    <a href=move || page_href(&slug.read(), segment) aria-current=(*label == name).then_some("page")>
                        <span>{*label}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Title text=format!("{name} · Settings")/>
        <TopBar tools=move || tools.run()>
            <Crumbs
                above=Signal::derive(move || ("Settings".to_owned(), page_href(&slug.read(), "settings")))
                title=name
            />
        </TopBar>
        <main id="main" class="page page-settings" tabindex="-1">
            <div class="side">
                <nav class="side-nav" aria-label="Settings">
                    <ul class="nav-list">{links}</ul>
                </nav>
                <div class="side-body">
                    <div class="outcome">
                        <FormOutcome/>
                        {move || is_locked().then(|| view! { <LockNotice reason=locked.get()/> })}
                    </div>
                    {children()}
                </div>
            </div>
        </main>
    }
}

/// Stands in the place of a page that only admins may see. On the server the answer's status says so, too.
#[component]
pub(crate) fn ForAdmins(
    /// What is for admins, as a sentence.
    title: &'static str,
    /// What they can see or change there.
    why: &'static str,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::error::ApiError::Forbidden { needs: Role::Admin }.with_status();
    view! {
        <section class="cell">
            <div class="state">
                <Icon name="lock"/>
                <b>{title}</b>
                <p>{why}</p>
            </div>
        </section>
    }
}

/// Says once, in words, why every form of the page is disabled.
#[component]
fn LockNotice(reason: String) -> impl IntoView {
    view! {
        <div class="notice" role="note">
            <Icon name="lock"/>
            <div>{reason}</div>
        </div>
    }
}
