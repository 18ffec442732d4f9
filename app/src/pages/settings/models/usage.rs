//! What calls came to, by use and month.

use domain::{NanoUsd, text};
use leptos::prelude::*;

use crate::api::models::{ModelsView, UsageView};
use crate::context::use_slug;
use crate::ui::links::page_href;

/// The table of one month, and links to the others.
#[component]
pub(super) fn Usage(view: ModelsView) -> impl IntoView {
    let slug = use_slug();
    let shown = view.month.clone();
    let months = view
        .months
        .into_iter()
        .take(6)
        .map(|month| {
            let is_shown = (month == shown).then_some("page");
            let query = domain::filter::encode_query([("month", month.as_str())]);
            view! {
                <a class="btn sm" href=move || format!("{}?{query}", page_href(&slug.read(), "settings/providers")) aria-current=is_shown>
                    {month.clone()}
                </a>
            }
        })
        .collect_view();
    let total = view.usage.iter().fold(None, |sum: Option<UsageSum>, row| {
        Some(sum.unwrap_or_default().plus(row))
    });
    let rows = view.usage.into_iter().map(row).collect_view();
    let body = match total {
        None => view! { <p class="dim">"No calls in this month. Each call of Plumbline’s own is a run, labelled plumbline."</p> }.into_any(),
        Some(total) => view! {
            <div class="scroll-x" tabindex="0" role="region" aria-label="Calls, tokens and costs by feature">
                <table class="table">
                    <caption class="vh">"Calls, tokens and costs by feature"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Feature"</th>
                            <th class="hide-s" scope="col">"Models"</th>
                            <th class="n" scope="col">"Calls"</th>
                            <th class="n hide-s" scope="col">"Tokens in"</th>
                            <th class="n hide-s" scope="col">"out"</th>
                            <th class="n" scope="col">"Not made"</th>
                            <th class="n" scope="col">"Cost"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows}
                        <tr class="total">
                            <td class="main">{view.month.clone()}</td>
                            <td class="hide-s"></td>
                            <td class="n">{grouped(total.calls)}</td>
                            <td class="n hide-s">{text::short_count(total.input_tokens)}</td>
                            <td class="n hide-s">{text::short_count(total.output_tokens)}</td>
                            <td class="n">{grouped(total.not_made)}</td>
                            <td class="n t">{cost(total.cost, total.unpriced)}</td>
                        </tr>
                    </tbody>
                </table>
            </div>
        }
        .into_any(),
    };
    view! {
        <section class="cell" aria-labelledby="models-usage">
            <div class="head">
                <h2 id="models-usage">"Usage by feature"</h2>
                <span class="sub num">{format!("{}, UTC", view.month)}</span>
                <nav class="row" aria-label="Months">{months}</nav>
            </div>
            {body}
        </section>
    }
}

/// What all features came to.
#[derive(Default)]
struct UsageSum {
    calls: i64,
    input_tokens: i64,
    output_tokens: i64,
    not_made: i64,
    cost: i64,
    unpriced: i64,
}

impl UsageSum {
    fn plus(self, row: &UsageView) -> Self {
        Self {
            calls: self.calls + row.calls,
            input_tokens: self.input_tokens + row.input_tokens,
            output_tokens: self.output_tokens + row.output_tokens,
            not_made: self.not_made + row.not_made,
            cost: self.cost.saturating_add(row.cost.0),
            unpriced: self.unpriced + row.unpriced_calls,
        }
    }
}

fn row(usage: UsageView) -> impl IntoView {
    let mut models = usage.models;
    models.sort();
    models.dedup();
    let failed = (usage.failed > 0).then(|| {
        view! { " " <span class="badge" data-tone="bad">{format!("{} failed", grouped(usage.failed))}</span> }
    });
    view! {
        <tr>
            <td class="main">{usage.feature.label()}{failed}</td>
            <td class="hide-s">{models.join(", ")}</td>
            <td class="n">{grouped(usage.calls)}</td>
            <td class="n hide-s">{text::short_count(usage.input_tokens)}</td>
            <td class="n hide-s">{text::short_count(usage.output_tokens)}</td>
            <td class="n">{grouped(usage.not_made)}</td>
            <td class="n t">{cost(usage.cost.0, usage.unpriced_calls)}</td>
        </tr>
    }
}

fn grouped(count: i64) -> String {
    text::grouped(count.unsigned_abs())
}

/// What is known, and that there is more where some of it is not.
fn cost(known: i64, unpriced: i64) -> String {
    match (known, unpriced) {
        (known, 0) => NanoUsd(known).to_string(),
        (0, unpriced) => format!("unknown for {}", text::counted(unpriced, "call")),
        (known, unpriced) => format!(
            "{} and unknown for {}",
            NanoUsd(known),
            text::counted(unpriced, "call")
        ),
    }
}
