//! Makes a key that the page shows in its command at once, or says who can.

use domain::{Role, Scope};
use leptos::prelude::*;

use crate::context::{use_may, use_page_request, use_slug};
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

/// A form for admins that makes a key and comes back to the page; a sentence for others.
#[component]
pub(crate) fn MakeKey(
    /// Why one is needed: a sentence.
    why: &'static str,
    /// What the key's label begins with; the page's time makes it one that no earlier key has.
    label: &'static str,
    button: &'static str,
    /// The page that shows the key, as the last part of its address.
    page: &'static str,
) -> impl IntoView {
    let slug = use_slug();
    let may = use_may(Role::Admin);
    let seconds = use_page_request().now.micros().div_euclid(1_000_000);
    move || {
        if !may.get() {
            return view! {
                <div class="notice">
                    <Icon name="lock"/>
                    <div>{why}" Only an admin of the project can create keys. Ask one for a key."</div>
                </div>
            }
            .into_any();
        }
        view! {
            <form class="notice" method="post" action=format!("/p/{}/settings/keys", slug.get())>
                <Icon name="key"/>
                <div>{why}</div>
                <input type="hidden" name="label" value=format!("{label}-{seconds}")/>
                {Scope::DEFAULT.iter().map(|scope| view! { <input type="hidden" name="scope" value=scope.as_str()/> }).collect_view()}
                <input type="hidden" name="next" value=page_href(&slug.get(), page)/>
                <span class="push"><Submit label=button/></span>
            </form>
        }
        .into_any()
    }
}
