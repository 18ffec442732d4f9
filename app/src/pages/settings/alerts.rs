//! Settings: what is told to whom, and what was.

mod log;
mod message;
mod rules;

use domain::Role;
use domain::alert::{AlertSettings, AlertState};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::log::Log;
use self::message::Example;
use self::rules::Rules;
use super::{ForAdmins, SettingsPage};
use crate::api::alerts::{AlertsView, read_alerts};
use crate::context::{use_may, use_slug};
use crate::ui::load::{Load, SkeletonRows};

/// What the URL asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Only alerts of this state.
    state: Option<AlertState>,
    cursor: String,
    /// Settings that were typed and are to be previewed, as JSON.
    draft: String,
}

/// Rules, what a message says, and the delivery log; for admins.
#[component]
pub(crate) fn AlertsPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let may_see = use_may(Role::Admin);
    let asked = Memo::new(move |_| {
        let query = query.read();
        Asked {
            state: query.get("state").and_then(|word| AlertState::parse(&word)),
            cursor: query.get("cursor").unwrap_or_default(),
            draft: draft(&|name| query.get(name).unwrap_or_default()),
        }
    });
    let view = Resource::new(
        move || (slug.get(), asked.get()),
        |(slug, asked)| read_alerts(slug, asked.state, asked.cursor, asked.draft),
    );
    view! {
        <SettingsPage name="Alerts">
            {move || {
                if may_see.get() {
                    view! {
                        <Load resource=view what="The alerts" skeleton=|| view! { <SkeletonRows rows=12/> } let:view>
                            <Sections view asked=asked.get_untracked()/>
                        </Load>
                    }
                        .into_any()
                } else {
                    view! {
                        <ForAdmins
                            title="Alerts are for admins"
                            why="They say who is told of what in this project. An admin of the project can change that."
                        />
                    }
                        .into_any()
                }
            }}
        </SettingsPage>
    }
    .into_any()
}

/// The form as an address says it, as JSON; empty where it says none that can be.
fn draft(field: &dyn Fn(&str) -> String) -> String {
    let typed = AlertSettings::from_form(field).filter(|typed| typed.check().is_ok());
    typed
        .and_then(|typed| serde_json::to_string(&typed).ok())
        .unwrap_or_default()
}

#[component]
fn Sections(view: AlertsView, asked: Asked) -> impl IntoView {
    let (settings, connected, past) = (view.settings.clone(), view.connected.clone(), view.past.clone());
    view! {
        <Rules settings connected past/>
        <Example example=view.example.clone()/>
        <Log view asked/>
    }
}
