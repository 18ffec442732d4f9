//! How much each layer found.

use leptos::prelude::*;

use super::Page;
use super::sums::Sums;
use crate::models::anomalies_query::{Field, Period};

/// One line per layer: name, share, count, change.
#[component]
pub(super) fn Layers(page: Page, sums: Sums) -> impl IntoView {
    let query = page.query;
    let total = sums.all.now.max(1) as f64;
    let rows = sums
        .layers
        .iter()
        .zip(engine::codes::LAYERS)
        .zip(1_u8..)
        .map(|((pair, name), layer)| {
            let width = format!("{:.2}%", pair.now as f64 / total * 100.0);
            let href = move || {
                query
                    .read()
                    .with_field(Field::Layer, Some(&layer.to_string()))
                    .to_href()
            };
            let change = if pair.is_much_more() { "n w-n up" } else { "n w-n" };
            view! {
                <tr class=format!("layer-{layer}")>
                    <th class="w-lay" scope="row">
                        <a class="status" href=href data-noscroll>
                            <span class="swatch"></span>
                            <span class="main">{format!("{layer} {name}")}</span>
                        </a>
                    </th>
                    <td>
                        <svg class="bar" height="6" aria-hidden="true">
                            <rect class="track" width="100%" height="6"></rect>
                            <rect class="fill" width=width height="6"></rect>
                        </svg>
                    </td>
                    <td class="n t w-n">{domain::text::grouped(pair.now.unsigned_abs())}</td>
                    <td class=change>{pair.change()}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="by-layer">
            <div class="head">
                <h2 id="by-layer">"By layer"</h2>
                <span class="sub">{move || format!("count, change on {}", before_words(query.read().period))}</span>
            </div>
            <table class="table compact layers">
                <thead class="vh">
                    <tr><th>"Layer"</th><th>"Share"</th><th>"Count"</th><th>"Change"</th></tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

/// What the window is compared with.
pub(super) fn before_words(period: Period) -> &'static str {
    match period {
        Period::Day => "the 24 hours before",
        Period::Week => "the week before",
        Period::Month => "the 30 days before",
    }
}
