//! The shipped prices.

use domain::text;
use leptos::prelude::*;

use super::cells::{ExtraRates, From, RateCells, RateHeads, model_cell};
use crate::api::prices::{MAX_SHOWN, PricesView};
use crate::context::use_slug;
use crate::ui::icon::Icon;
use crate::ui::links::{page_href, web_address};

/// The host of an address, for a link that is short.
fn host(source: &str) -> &str {
    let rest = source.split_once("://").map_or(source, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    host.strip_prefix("www.").unwrap_or(host)
}

/// Where a price comes from: a link where that is an address, else the words.
fn source_link(source: &str) -> AnyView {
    match web_address(source) {
        Some(address) => view! {
            <a class="link" href=address.to_owned() rel="external noreferrer" target="_blank">{host(source).to_owned()}</a>
        }
        .into_any(),
        None => source.to_owned().into_any(),
    }
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
            "{MAX_SHOWN} of {} are shown; enter a model to find the others.",
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
                    <td class="wrap">
                        <div class="main">{model_cell(&row)}</div>
                        <div class="dim">
                            {row.provider.clone()} ", "
                            {source_link(&row.source)}
                        </div>
                    </td>
                    <td class="num"><From row=row.clone()/></td>
                    <RateCells row=row.clone()/>
                    <td class="wrap besides"><ExtraRates row/></td>
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
                        <b>"No shipped price matches “"{text}"”"</b>
                        <p>"Add your own price above, or import a newer list: plumbline prices import FILE."</p>
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
                                    <th scope="col">"Model, provider and source"</th>
                                    <th scope="col">"From"</th>
                                    <RateHeads/>
                                    <th scope="col">"Besides"</th>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_its_host() {
        let check = |source: &str, expected: &str| assert_eq!(host(source), expected);
        check("https://www.example.com/pricing", "example.com");
        check("example.com/pricing", "example.com");
    }
}
