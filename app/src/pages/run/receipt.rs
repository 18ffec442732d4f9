//! What a step used and what that cost.

use domain::{CostSource, StepSummary, text};
use leptos::prelude::*;

/// Tokens by bucket and the cost with its source. Unknown is said, never shown as 0.
#[component]
pub(super) fn Receipt(step: StepSummary) -> impl IntoView {
    let usage = step.tokens;
    let total = usage.total();
    if total.is_none() && step.cost_source.is_none() && step.reported_cost_nano_usd.is_none() {
        return ().into_any();
    }
    let count = |n: Option<i64>| match n {
        Some(n) => view! { <span>{text::grouped(n.unsigned_abs())}</span> }.into_any(),
        None => view! { <span class="none" title="Not reported">"–"</span> }.into_any(),
    };
    let rows = [
        ("Input, fresh", usage.input_fresh),
        ("Cache read", usage.cache_read),
        ("Cache write", usage.cache_write),
        ("Output", usage.output),
    ]
    .map(|(name, n)| view! { <tr><td>{name}</td><td class="n">{count(n)}</td><td></td></tr> });
    let reasoning = usage.reasoning.map(|n| {
        view! {
            <tr><td>"of it reasoning"</td><td class="n">{count(Some(n))}</td><td></td></tr>
        }
    });
    let source = match step.cost_source {
        Some(CostSource::Computed) => "computed from prices",
        Some(CostSource::Reported) => "as reported by the client",
        Some(CostSource::Unknown) => "no price for this model",
        None => "this kind of step costs nothing",
    };
    let cost = match (step.cost_nano_usd, step.cost_source) {
        (Some(cost), _) => view! { <span>{format!("${}", cost.to_decimal())}</span> }.into_any(),
        (None, Some(_)) => view! { <span class="unknown">"unknown"</span> }.into_any(),
        (None, None) => view! { <span class="none">"–"</span> }.into_any(),
    };
    let reported = step
        .reported_cost_nano_usd
        .filter(|_| step.cost_source != Some(CostSource::Reported))
        .map(|cost| {
            view! {
                <tr><td>"Reported by the client"</td><td></td><td class="n">{format!("${}", cost.to_decimal())}</td></tr>
            }
        });
    view! {
        <section class="ps" aria-label="Receipt">
            <div class="head"><h3>"Receipt"</h3><span class="sub">{source}</span></div>
            <table class="table compact receipt">
                <thead class="vh"><tr><th>"Bucket"</th><th>"Tokens"</th><th>"Cost"</th></tr></thead>
                <tbody>
                    {rows.into_iter().collect_view()}
                    {reasoning}
                    {reported}
                    <tr class="total">
                        <td class="main">"Cost"</td>
                        <td class="n">{count(total)}</td>
                        <td class="n main">{cost}</td>
                    </tr>
                </tbody>
            </table>
        </section>
    }
    .into_any()
}
