//! What people do with an incident. Plain forms, so that they work without WASM.

use domain::{CauseAnswer, IncidentStatus, Role};
use leptos::prelude::*;

use crate::api::incidents::IncidentView;
use crate::context::use_may;
use crate::ui::icon::Icon;
use crate::ui::links::incident_href;
use crate::ui::menu::Menu;

/// One thing to do: a form with hidden fields and a button.
#[component]
fn Act(
    action: String,
    fields: Vec<(&'static str, String)>,
    label: String,
    icon: &'static str,
    #[prop(default = "")] variant: &'static str,
) -> impl IntoView {
    let hidden = fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    view! {
        <form method="post" action=action>
            {hidden}
            <button class="btn" type="submit" data-variant=(!variant.is_empty()).then_some(variant)>
                <Icon name=icon/>
                {label}
            </button>
        </form>
    }
}

/// The buttons of the top bar.
#[component]
pub(super) fn Actions(slug: String, view: IncidentView) -> impl IntoView {
    let may = use_may(Role::Member);
    if !may.get_untracked() {
        return ().into_any();
    }
    let action = format!("{}/state", incident_href(&slug, &view.id));
    let field = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    let acknowledge = (view.acknowledged_at.is_none() && view.status == IncidentStatus::Open).then(|| {
        view! { <Act action=action.clone() fields=field("acknowledge", "1") label="I look after it".to_owned() icon="check"/> }
    });
    let settle = match view.status {
        IncidentStatus::Open => view! {
            <Act action=action.clone() fields=field("status", "accepted") label="Accept as normal".to_owned() icon="eye"/>
            <Act action=action.clone() fields=field("status", "closed") label="Close".to_owned() icon="ok"/>
        }
        .into_any(),
        _ if view.is_settled => view! {
            <Act action=action.clone() fields=field("status", "open") label="Reopen".to_owned() icon="retry"/>
        }
        .into_any(),
        _ => ().into_any(),
    };
    let deploys = view
        .causes
        .iter()
        .filter_map(|cause| Some((cause.name.clone(), cause.deploy_id.clone()?)))
        .map(|(name, deploy)| {
            let action = action.clone();
            let label = format!("It was {}", domain::text::first_line(&name, 48));
            view! { <li><Act action fields=vec![("confirm", deploy)] label icon="check" variant="quiet"/></li> }
        })
        .collect_view();
    let refuse = (view.answer != Some(CauseAnswer::Refused)).then(|| {
        view! {
            <li>
                <Act action=action.clone() fields=field("refuse", "1") label="It was something else".to_owned() icon="x" variant="quiet"/>
            </li>
        }
    });
    view! {
        <div class="row wide-in inc-acts">{acknowledge}{settle}</div>
        <Menu summary=|| {
            view! {
                "What was it?"
                <Icon name="down" class="sm"/>
            }
        }>
            <ul class="menu-list inc-menu">{deploys}{refuse}</ul>
        </Menu>
    }
    .into_any()
}

/// The form of a note.
#[component]
pub(super) fn Notes(slug: String, id: String) -> impl IntoView {
    let may = use_may(Role::Member);
    may.get_untracked().then(|| {
        let action = format!("{}/state", incident_href(&slug, &id));
        view! {
            <section class="cell" aria-labelledby="note-title">
                <div class="head"><h2 id="note-title">"Write something down"</h2></div>
                <form class="inc-note" method="post" action=action>
                    <label class="vh" for="note">"Note"</label>
                    <textarea
                        class="input"
                        id="note"
                        name="note"
                        rows="3"
                        required=true
                        maxlength=domain::incident::MAX_NOTE_CHARS.to_string()
                    ></textarea>
                    <button class="btn" type="submit">"Add the note"</button>
                </form>
            </section>
        }
    })
}
