//! Muting a code where it annoys, and what was muted a moment ago.

use domain::Role;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::code_name;
use crate::context::use_may;
use crate::query_string;
use crate::ui::icon::Icon;

/// Parameters that say what a form did; links and forms leave them behind.
const OUTCOMES: [&str; 2] = ["muted", "unmuted"];

/// The address of the page as it is, without what forms have said: where a form comes back to.
pub(super) fn use_here() -> Signal<String> {
    let location = use_location();
    Signal::derive(move || {
        let pairs = query_string::pairs(&location.search.read());
        let kept = pairs
            .iter()
            .filter(|(name, _)| !OUTCOMES.contains(&name.as_str()));
        let query = domain::filter::encode_query(kept.map(|(name, value)| (name.as_str(), value.as_str())));
        let path = location.pathname.read();
        if query.is_empty() {
            path.clone()
        } else {
            format!("{path}?{query}")
        }
    })
}

/// A button that mutes a code, or undoes it. Nothing for those who may not.
#[component]
pub(crate) fn MuteForm(
    /// The project's word in the URL.
    slug: Memo<String>,
    code: u16,
    /// Whether it is muted now.
    is_muted: bool,
    /// The word on the button; the symbol alone where there is none.
    #[prop(optional)]
    label: Option<&'static str>,
) -> impl IntoView {
    let may = use_may(Role::Admin);
    let here = use_here();
    let name = code_name(code);
    let title = if is_muted {
        format!("Unmute {code} {name}: new steps are scored by it again")
    } else {
        format!("Mute {code} {name}: new steps are no longer scored by it")
    };
    let (icon, class) = match (is_muted, label) {
        (true, None) => ("eye", "btn sm icon"),
        (false, None) => ("bell", "btn sm icon"),
        _ => ("retry", "btn sm"),
    };
    move || {
        may.get().then(|| {
            view! {
                <form method="post" action=move || format!("/p/{}/conditions/mute", slug.get())>
                    <input type="hidden" name="code" value=code.to_string()/>
                    <input type="hidden" name="muted" value=if is_muted { "0" } else { "1" }/>
                    <input type="hidden" name="next" value=move || here.get()/>
                    <button
                        class=class
                        type="submit"
                        data-variant=label.is_none().then_some("quiet")
                        title=title.clone()
                        aria-label=label.is_none().then(|| title.clone())
                    >
                        {match label {
                            Some(label) => label.into_any(),
                            None => view! { <Icon name=icon/> }.into_any(),
                        }}
                    </button>
                </form>
            }
        })
    }
}

/// What was muted a moment ago, and the way back.
#[component]
pub(crate) fn MuteOutcome(
    /// The project's word in the URL.
    slug: Memo<String>,
) -> impl IntoView {
    let search = use_location().search;
    let done = Memo::new(move |_| {
        let pairs = query_string::pairs(&search.read());
        let (name, value) = pairs
            .iter()
            .rev()
            .find(|(name, _)| OUTCOMES.contains(&name.as_str()))?;
        let code: u16 = value.parse().ok()?;
        engine::codes::find(code).map(|_| (code, name == "muted"))
    });
    move || {
        done.get().map(|(code, is_muted)| {
            let said = if is_muted {
                " is muted. New steps are no longer scored by it; stored steps do not change."
            } else {
                " is no longer muted. New steps are scored by it again."
            };
            view! {
                <div class="outcome">
                    <div class="notice" data-tone="info" role="status">
                        <Icon name="check"/>
                        <div><b>{format!("{code} {}", code_name(code))}</b>{said}</div>
                        <span class="push"><MuteForm slug code is_muted label="Undo"/></span>
                    </div>
                </div>
            }
        })
    }
}
