//! Settings: which models Plumbline asks, and which providers the calls of programs go on to.

use leptos::prelude::*;

use super::SettingsPage;
use super::models::Models;
use crate::api::projects::read_server_facts;
use crate::context::use_slug;
use crate::pages::connect::Addresses;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::{Load, SkeletonRows};

/// Plumbline's own models, then the base URLs to give to SDKs and where they lead.
#[component]
pub(crate) fn ProvidersPage() -> impl IntoView {
    let slug = use_slug();
    let facts = Resource::new(move || slug.get(), read_server_facts);
    view! {
        <SettingsPage name="Model providers">
            <Models/>
            <section class="cell flush">
                <div class="head">
                    <h2 id="providers-addresses">"Base URLs of the proxy"</h2>
                    <span class="sub">"give the SDK the base URL of this server; calls are forwarded to the provider unchanged"</span>
                </div>
                <Load resource=facts what="The addresses" skeleton=|| view! { <SkeletonRows rows=2/> } let:facts>
                    <Addresses facts/>
                </Load>
            </section>
            <section class="cell" aria-labelledby="providers-change">
                <div class="head"><h2 id="providers-change">"Changing where calls go"</h2></div>
                <p class="dim2 form-note">
                    "The operator of this server sets "<code>"PLUMBLINE_UPSTREAM_ANTHROPIC"</code>" and "
                    <code>"PLUMBLINE_UPSTREAM_OPENAI"</code>
                    ", or the keys of the same names in plumbline.toml. It can’t be changed here or by a request: otherwise a page could send your provider’s key elsewhere."
                </p>
                <div class="notice" data-tone="info">
                    <Icon name="lock"/>
                    <div>"Your program’s provider keys are sent with each call and forwarded. They are never stored, logged or shown. The keys above are for Plumbline’s own calls alone."</div>
                </div>
                <p class="dim2 form-note">
                    <a class="link" href=move || page_href(&slug.read(), "connect")>"Connect an app"</a>
                    " has programs to copy."
                </p>
            </section>
        </SettingsPage>
    }
    .into_any()
}
