//! A project's own prices and the form that adds one.

use engine::pricing::{CUSTOM, PriceRow};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::cells::{ExtraRates, From, RateCells, RateHeads, model_cell};
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;

/// The project's own prices; nothing while there are none.
#[component]
pub(super) fn OwnPrices(rows: Vec<PriceRow>) -> impl IntoView {
    if rows.is_empty() {
        return ().into_any();
    }
    let slug = use_slug();
    let locked = use_admin_lock();
    let rows = rows
        .into_iter()
        .map(|row| {
            let action = format!("/p/{}/settings/prices/delete", slug.get_untracked());
            view! {
                <tr>
                    <td class="wrap">
                        <div class="main">{model_cell(&row)}</div>
                        <div class="dim">{provider_words(&row)}</div>
                    </td>
                    <td class="num"><From row=row.clone()/></td>
                    <RateCells row=row.clone()/>
                    <td class="wrap besides"><ExtraRates row=row.clone()/></td>
                    <td class="n">
                        <details class="confirm">
                            <summary class="btn sm" data-variant="danger" aria-label=format!("Delete the price of {}", row.model)>"Delete…"</summary>
                            <form class="confirm-body" method="post" action=action>
                                <input type="hidden" name="price_id" value=row.price_id.clone()/>
                                <p>"New calls are priced by the shipped list again. Costs of past calls stay until history is re-priced."</p>
                                <Submit label="Delete the price" variant="danger" locked/>
                            </form>
                        </details>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="prices-own">"This project’s own prices"</h2>
                <span class="sub">"they take precedence over the shipped prices of the same provider"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="prices-own">
                <table class="table bleed prices">
                    <caption class="vh">"Own prices, in dollars per million tokens"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Model and provider"</th>
                            <th scope="col">"From"</th>
                            <RateHeads/>
                            <th scope="col">"Besides"</th>
                            <th scope="col"><span class="vh">"Actions"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// Whose calls a row is for.
fn provider_words(row: &PriceRow) -> String {
    if row.provider.eq_ignore_ascii_case(CUSTOM) {
        "any provider".to_owned()
    } else {
        row.provider.clone()
    }
}

/// A field of the form that may stay empty. The address says what was typed, when it comes back with an error.
#[component]
fn Typed(
    name: &'static str,
    label: &'static str,
    #[prop(optional)] placeholder: &'static str,
    #[prop(default = "text")] kind: &'static str,
    #[prop(default = "text")] keyboard: &'static str,
    #[prop(optional)] needed: bool,
) -> impl IntoView {
    let query = use_query_map();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let id = format!("field-{name}");
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type=kind
                inputmode=keyboard
                autocomplete="off"
                placeholder=placeholder
                required=needed
                value=move || query.read().get(name).unwrap_or_default()
                disabled=is_locked
                title=move || is_locked().then(|| locked.get())
            />
        </div>
    }
}

#[component]
pub(super) fn AddPrice() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let chosen = move |word: &'static str| query.read().get("model_match").as_deref() == Some(word);
    view! {
        <section class="cell" aria-labelledby="add-price">
            <div class="head">
                <h2 id="add-price">"Add a price"</h2>
                <span class="sub">"dollars per million tokens; replaces one of the same model and date"</span>
            </div>
            <form class="form form-grid" method="post" action=move || format!("/p/{}/settings/prices", slug.get())>
                <Typed name="model" label="Model" placeholder="my-model-7b" needed=true/>
                <div class="field">
                    <label for="field-model_match">"Compared"</label>
                    <select class="select" id="field-model_match" name="model_match" disabled=is_locked>
                        <option value="exact">"the exact name"</option>
                        <option value="prefix" selected=move || chosen("prefix")>"names that begin with it"</option>
                        <option value="regex" selected=move || chosen("regex")>"a regular expression"</option>
                    </select>
                </div>
                <Typed name="provider" label="Provider" placeholder="any provider"/>
                <Typed name="valid_from" label="From (UTC)" kind="date"/>
                <Typed name="input" label="Input" placeholder="0.15" keyboard="decimal" needed=true/>
                <Typed name="output" label="Output" placeholder="0.60" keyboard="decimal"/>
                <Typed name="cache_read" label="Cache read" placeholder="as input" keyboard="decimal"/>
                <Typed name="cache_write_5m" label="Cache write" placeholder="as input" keyboard="decimal"/>
                <Typed name="cache_write_1h" label="Cache write, 1 h" placeholder="as cache write" keyboard="decimal"/>
                <Typed name="web_search_per_1k" label="1,000 web searches" placeholder="as shipped" keyboard="decimal"/>
                <Typed name="context_window" label="Context window, tokens" placeholder="as shipped" keyboard="numeric"/>
                <div class="form-end"><Submit label="Save the price" variant="primary" locked/></div>
            </form>
            <p class="hint form-note">"Without a date it is valid from today. To apply it to past calls, enter an earlier date and re-price history below. Rates for other service tiers and large inputs are scaled from the shipped price of the model, if there is one."</p>
        </section>
    }
}
