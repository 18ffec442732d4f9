//! Settings: what tokens cost, which models have no price, and pricing history again.

mod cells;
mod list;
mod own;
mod reprice;

use domain::{UnpricedModel, text};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use self::list::ShippedPrices;
use self::own::{AddPrice, OwnPrices};
use self::reprice::Reprice;
use super::SettingsPage;
use crate::api::prices::{PricesView, list_prices};
use crate::context::use_slug;
use crate::ui::icon::Icon;
use crate::ui::load::{Load, SkeletonRows};

/// Models without a price first, then the project's own prices, history, and the shipped list.
#[component]
pub(crate) fn PricesPage() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let text = Memo::new(move |_| query.read().get("q").unwrap_or_default());
    let prices = Resource::new(
        move || (slug.get(), text.get()),
        |(slug, text)| list_prices(slug, text),
    );
    view! {
        <SettingsPage name="Prices">
            <Load resource=prices what="The prices" skeleton=|| view! { <SkeletonRows rows=12/> } let:view>
                <Before view/>
            </Load>
            <AddPrice/>
            <Reprice/>
            <Load resource=prices what="The shipped prices" let:view>
                <ShippedPrices view text=text.get_untracked()/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Before(view: PricesView) -> impl IntoView {
    view! {
        <Unpriced models=view.unpriced/>
        <OwnPrices rows=view.own/>
    }
}

/// The models whose calls have no price, each with the way to add one.
#[component]
fn Unpriced(models: Vec<UnpricedModel>) -> impl IntoView {
    let slug = use_slug();
    if models.is_empty() {
        return view! {
            <section class="cell">
                <div class="verdict" data-tone="ok">
                    <h2>"Every call of the last 90 days has a price"</h2>
                    <p>"A call without a price has an unknown cost, never $0, and is listed here."</p>
                </div>
            </section>
        }
        .into_any();
    }
    let calls: i64 = models.iter().map(|model| model.calls).sum();
    let count = i64::try_from(models.len()).unwrap_or(i64::MAX);
    let links = models
        .into_iter()
        .map(|model| {
            let name = model_words(&model.model);
            let href = add_href(&slug.get_untracked(), &model.model);
            view! {
                <li>
                    <Icon name="warning" class="st-warn"/>
                    <span>
                        <b>{name}</b>
                        " "
                        <span class="dim num">{text::counted(model.calls, "call")}</span>
                        " "
                        <a class="link" href=href>"Add a price"</a>
                    </span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell">
            <div class="verdict" data-tone="plain">
                <h2>{format!("{} of {} have no price", text::counted(calls, "call"), text::counted(count, "model"))}</h2>
                <p>"Their cost is unknown, and sums that include them say so. Add a price, then re-price history."</p>
            </div>
            <ul class="problems">{links}</ul>
        </section>
    }
    .into_any()
}

/// A model's name, or words for its absence.
fn model_words(model: &str) -> String {
    if model.is_empty() {
        "calls without a model name".to_owned()
    } else {
        model.to_owned()
    }
}

/// Where a price for a model is added.
pub(crate) fn add_href(slug: &str, model: &str) -> String {
    format!(
        "{}?model={}#add-price",
        crate::ui::links::page_href(slug, "settings/prices"),
        domain::filter::percent_encode(model)
    )
}

/// Says above a list of runs which models have no price.
#[component]
pub(crate) fn UnpricedBanner(models: Vec<UnpricedModel>) -> impl IntoView {
    let slug = use_slug();
    let calls: i64 = models.iter().map(|model| model.calls).sum();
    let mut models = models.into_iter();
    let Some(first) = models.next() else {
        return ().into_any();
    };
    let others = i64::try_from(models.len()).unwrap_or(i64::MAX);
    let more = (others > 0).then(|| format!(" and {}", text::counted(others, "other model")));
    let name = model_words(&first.model);
    let href = move || add_href(&slug.read(), &first.model);
    view! {
        <div class="notice unpriced" data-tone="warn" role="note">
            <Icon name="warning"/>
            <div>
                <b>{name}</b>
                {more}
                " without a price: the cost of "
                {text::counted(calls, "call")}
                " is unknown."
            </div>
            <a class="btn sm push" href=href>"Add a price"</a>
        </div>
    }
    .into_any()
}
