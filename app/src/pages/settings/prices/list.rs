//! The shipped prices.

use domain::{NanoUsd, text};
use engine::pricing::PriceRow;
use leptos::prelude::*;

use super::own::model_cell;
use crate::api::prices::{MAX_SHOWN, PricesView};
use crate::context::use_slug;
use crate::ui::icon::Icon;
use crate::ui::nav::page_href;
use crate::ui::time::Time;

/// The headings of [`RateCells`].
#[component]
pub(super) fn RateHeads() -> impl IntoView {
    view! {
        <th scope="col" class="n">"Input"</th>
        <th scope="col" class="n">"Output"</th>
        <th scope="col" class="n">"Cache read"</th>
        <th scope="col" class="n">"Cache write"</th>
        <th scope="col" class="n">"for 1 h"</th>
    }
}

/// The five rates of a row, in dollars per million tokens.
#[component]
pub(super) fn RateCells(row: PriceRow) -> impl IntoView {
    let rates = row.rates.tokens;
    [
        rates.input,
        rates.output,
        rates.cache_read,
        rates.cache_write_5m,
        rates.cache_write_1h,
    ]
    .map(|rate| match rate {
        Some(rate) => view! { <td class="n">{format!("${}", NanoUsd(rate).to_decimal())}</td> }.into_any(),
        None => view! { <td class="n"><span class="none">"–"</span></td> }.into_any(),
    })
    .into_iter()
    .collect_view()
}

/// What else a row holds: tiers, service tiers, fees.
fn besides(row: &PriceRow) -> String {
    let mut parts: Vec<String> = row
        .rates
        .tiers
        .iter()
        .map(|tier| {
            format!(
                "other above {} tokens",
                text::short_count(tier.above_input_tokens)
            )
        })
        .collect();
    parts.extend(row.rates.service_tiers.keys().cloned());
    parts.extend(
        row.rates
            .web_search_per_1k
            .map(|rate| format!("web search ${} per 1,000", NanoUsd(rate).to_decimal())),
    );
    parts.extend(
        row.rates
            .per_request
            .map(|rate| format!("${} per call", NanoUsd(rate).to_decimal())),
    );
    parts.extend(
        row.context_window
            .map(|tokens| format!("window {}", text::short_count(tokens))),
    );
    parts.join(", ")
}

/// The rows that hold what was typed, with where each comes from.
#[component]
pub(super) fn ShippedPrices(view: PricesView, text: String) -> impl IntoView {
    let slug = use_slug();
    let count = |n: usize| text::counted(i64::try_from(n).unwrap_or(i64::MAX), "row");
    let edition = view
        .edition
        .map(|edition| format!(", edition {edition}"))
        .unwrap_or_default();
    let sub = format!("{}{edition}, dollars per million tokens", count(view.total));
    let note = match view.found {
        0 => None,
        n if n > MAX_SHOWN => Some(format!(
            "{MAX_SHOWN} of {} are shown; type a model to find the others.",
            count(n)
        )),
        _ => None,
    };
    let is_empty = view.shipped.is_empty();
    let rows = view
        .shipped
        .into_iter()
        .map(|row| {
            view! {
                <tr>
                    <td>{row.provider.clone()}</td>
                    <td class="main">{model_cell(&row)}</td>
                    <td class="num"><Time at=row.valid_from/></td>
                    <RateCells row=row.clone()/>
                    <td>{besides(&row)}</td>
                    <td class="source">{row.source}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="prices-shipped">"Shipped prices"</h2>
                <span class="sub">{sub}</span>
                <form class="push row" method="get" action=page_href(&slug.get_untracked(), "settings/prices")>
                    <label class="vh" for="field-q">"Provider or model"</label>
                    <input class="input" id="field-q" type="search" name="q" value=text.clone() placeholder="Provider or model"/>
                    <button class="btn" type="submit">"Find"</button>
                </form>
            </div>
            {note.map(|note| view! { <p class="dim cut-note cell-note">{note}</p> })}
            {if is_empty {
                view! {
                    <div class="state">
                        <Icon name="search"/>
                        <b>"No shipped price fits “"{text}"”"</b>
                        <p>"Add one of your own above, or load a newer list: plumbline prices import FILE."</p>
                        <a class="btn" href=page_href(&slug.get_untracked(), "settings/prices")>"Show all"</a>
                    </div>
                }
                    .into_any()
            } else {
                view! {
                    <div class="scroll-x" tabindex="0" role="region" aria-labelledby="prices-shipped">
                        <table class="table bleed prices">
                            <caption class="vh">"Shipped prices, in dollars per million tokens"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Provider"</th>
                                    <th scope="col">"Model"</th>
                                    <th scope="col">"From"</th>
                                    <RateHeads/>
                                    <th scope="col">"Besides"</th>
                                    <th scope="col">"Source"</th>
                                </tr>
                            </thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </div>
                }
                    .into_any()
            }}
        </section>
    }
    .into_any()
}
