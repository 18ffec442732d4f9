//! Settings: the models that Plumbline itself asks. Providers with keys of one's own, which model is for what, the
//! month's budget, and what calls came to.

mod provider;
mod usage;
mod uses;

use domain::ProviderKind;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::provider::{AddProvider, ProviderRow};
use self::usage::Usage;
use self::uses::Uses;
use crate::api::models::{ModelsView, read_models};
use crate::context::use_slug;
use crate::ui::load::{Load, SkeletonRows};

/// All of it.
#[component]
pub(super) fn Models() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let month = Memo::new(move |_| query.read().get("month").unwrap_or_default());
    let models = Resource::new(
        move || (slug.get(), month.get()),
        |(slug, month)| read_models(slug, month),
    );
    view! {
        <Load resource=models what="The providers" skeleton=|| view! { <SkeletonRows rows=9/> } let:view>
            <Sections view/>
        </Load>
    }
}

#[component]
fn Sections(view: ModelsView) -> impl IntoView {
    let models: Vec<(String, Vec<String>)> = view
        .providers
        .iter()
        .map(|provider| {
            let mut models: Vec<String> = view
                .uses
                .iter()
                .filter(|(_, choice)| choice.provider == provider.id)
                .map(|(_, choice)| choice.model.clone())
                .collect();
            models.sort();
            models.dedup();
            (provider.id.clone(), models)
        })
        .collect();
    let rows = view
        .providers
        .iter()
        .zip(&models)
        .map(|(provider, (_, models))| view! { <ProviderRow provider=provider.clone() models=models.clone()/> })
        .collect_view();
    let missing = ProviderKind::ALL
        .iter()
        .filter(|kind| {
            **kind == ProviderKind::OpenAiCompatible
                || view.providers.iter().all(|provider| provider.kind != **kind)
        })
        .map(|kind| view! { <AddProvider kind=*kind/> })
        .collect_view();
    view! {
        <section class="cell flush integs" aria-labelledby="models-providers">
            <div class="head">
                <h2 id="models-providers">"Providers"</h2>
                <span class="sub">"keys are encrypted; only the last four characters are shown again; without any, rules still analyse"</span>
            </div>
            {rows}
            {missing}
        </section>
        <Uses view=view.clone()/>
        <Usage view/>
    }
}
