//! What calls cost by our prices, beside what the client, a gateway or the provider said they cost.

use domain::StatedCost;
use engine::pricing;
use leptos::prelude::*;

use crate::models::cost_words::signed_percent;
use crate::pages::ledger_sums;
use crate::ui::links::page_href;
use crate::ui::time::Time;

/// A row for each model and provider, those furthest apart first. Nothing where no cost was stated.
#[component]
pub(super) fn Stated(costs: Vec<StatedCost>, slug: String) -> impl IntoView {
    if costs.is_empty() {
        return ().into_any();
    }
    let rows = costs
        .into_iter()
        .map(|row| {
            let href = format!(
                "{}/{}",
                page_href(&slug, "runs"),
                domain::filter::percent_encode(&row.run_id)
            );
            let drift = match pricing::drift(row.computed_nano_usd, row.stated_nano_usd) {
                Some(permille) => {
                    view! { <span class="badge" data-tone="warn">{signed_percent(permille)}</span> }
                        .into_any()
                }
                None => "within 1 %".into_any(),
            };
            view! {
                <tr>
                    <td class="main">{row.model}</td>
                    <td>{row.provider}</td>
                    <td class="n">{ledger_sums::figure(row.calls)}</td>
                    <td class="n">{format!("${}", row.computed_nano_usd.to_decimal())}</td>
                    <td class="n">{format!("${}", row.stated_nano_usd.to_decimal())}</td>
                    <td class="n">{drift}</td>
                    <td class="num"><a class="link" href=href><Time at=row.last_at/></a></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="cell flush">
            <div class="head">
                <h2 id="stated-costs">"Costs that were stated as well"</h2>
                <span class="sub">"The computed cost counts; a difference is a price, a discount or a usage that one side has otherwise. Of very many calls the latest 50,000"</span>
            </div>
            <div class="scroll-x" tabindex="0" role="region" aria-labelledby="stated-costs">
                <table class="table bleed">
                    <caption class="vh">"Computed and stated costs by model and provider, those furthest apart first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Model"</th>
                            <th scope="col">"Provider"</th>
                            <th scope="col" class="n">"Calls"</th>
                            <th scope="col" class="n">"Computed"</th>
                            <th scope="col" class="n">"Stated"</th>
                            <th scope="col" class="n">"Difference"</th>
                            <th scope="col">"Last"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
