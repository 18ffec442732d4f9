//! Pricing history again: what it would change, how far it is, what it changed.

use domain::{NanoUsd, text};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::Deserialize;

use crate::api::prices::{RepriceView, list_reprices};
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;
use crate::ui::load::Load;
use crate::ui::time::Time;

/// How often a job that is under way is looked at, in milliseconds.
#[cfg(target_arch = "wasm32")]
const POLL_INTERVAL_MS: u32 = 1_000;

/// What a job came to so far, over all models and by model.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Totals {
    #[serde(flatten)]
    all: Sum,
    models: std::collections::BTreeMap<String, Sum>,
}

/// Steps that can cost something, and what they cost.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Sum {
    steps: i64,
    changed: i64,
    before_nano_usd: Option<NanoUsd>,
    after_nano_usd: Option<NanoUsd>,
    unpriced_before: i64,
    unpriced_after: i64,
}

/// The form, and the latest jobs.
#[component]
pub(super) fn Reprice() -> impl IntoView {
    let slug = use_slug();
    let query = use_query_map();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let jobs = Resource::new(move || slug.get(), list_reprices);
    look_while_it_works(jobs);
    view! {
        <section class="cell" aria-labelledby="reprice">
            <div class="head">
                <h2 id="reprice">"Re-price history"</h2>
                <span class="sub">"each past call at the price of its date; runs, lists and sums are updated as it goes"</span>
            </div>
            <form class="row form-row" method="post" action=move || format!("/p/{}/settings/prices/reprice", slug.get())>
                <label class="vh" for="field-reprice-model">"Only this model"</label>
                <input
                    class="input"
                    id="field-reprice-model"
                    name="model"
                    autocomplete="off"
                    placeholder="all models"
                    value=move || query.read().get("priced").unwrap_or_default()
                    disabled=is_locked
                />
                <button class="btn" type="submit" name="preview" value="1" disabled=is_locked title=move || is_locked().then(|| locked.get())>
                    "Preview"
                </button>
                <Submit label="Re-price" variant="primary" locked/>
            </form>
            <Load resource=jobs what="Past re-pricings" let:jobs>
                <Jobs jobs/>
            </Load>
        </section>
    }
}

/// Reads again every second while something is under way.
fn look_while_it_works(jobs: Resource<Result<Vec<RepriceView>, crate::error::ApiError>>) {
    #[cfg(target_arch = "wasm32")]
    Effect::new(move |_| {
        let is_open = jobs.with(|jobs| matches!(jobs, Some(Ok(jobs)) if jobs.iter().any(|job| job.is_open)));
        if is_open {
            leptos::task::spawn_local(async move {
                gloo_timers::future::TimeoutFuture::new(POLL_INTERVAL_MS).await;
                jobs.refetch();
            });
        }
    });
    #[cfg(not(target_arch = "wasm32"))]
    let _only_in_the_browser = jobs;
}

#[component]
fn Jobs(jobs: Vec<RepriceView>) -> impl IntoView {
    if jobs.is_empty() {
        return view! { <p class="dim">"No re-pricing yet. A preview shows what would change and changes nothing."</p> }.into_any();
    }
    let items = jobs
        .into_iter()
        .map(|job| view! { <JobItem job/> })
        .collect_view();
    view! { <ol class="jobs">{items}</ol> }.into_any()
}

#[component]
fn JobItem(job: RepriceView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let totals: Totals = job
        .result
        .clone()
        .and_then(|result| serde_json::from_value(result).ok())
        .unwrap_or_default();
    let (icon, class) = match job.state.as_str() {
        "done" => ("ok", "st-ok"),
        "failed" => ("x", "st-bad"),
        "cancelled" => ("paused", "dim"),
        _ => ("running", "st-accent"),
    };
    let what = match (&job.model, job.is_preview) {
        (Some(model), true) => format!("Preview for {model}"),
        (Some(model), false) => format!("{model} re-priced"),
        (None, true) => "Preview for all models".to_owned(),
        (None, false) => "All models re-priced".to_owned(),
    };
    let progress = job.is_open.then(|| {
        let total = job.total.unwrap_or(0);
        let permille = if total > 0 { (i128::from(job.done) * 1_000 / i128::from(total)).clamp(0, 1_000) } else { 0 };
        let words = if total > 0 {
            format!("{} of {}", text::grouped(job.done.unsigned_abs()), text::counted(total, "step"))
        } else {
            "waiting to start".to_owned()
        };
        view! {
            <progress max="1000" value=permille.to_string() aria-label="Steps checked">{words.clone()}</progress>
            <span class="num dim">{words}</span>
            <form method="post" action=format!("/p/{}/settings/prices/reprice/{}/cancel", slug.get_untracked(), job.job_id)>
                <Submit label="Cancel" locked/>
            </form>
            <a class="link" rel="external" href=format!("{}#reprice", page_href(&slug.get_untracked(), "settings/prices"))>"Refresh"</a>
        }
    });
    let sentence = (totals.all.steps > 0).then(|| view! { <p>{sentence(&totals.all, job.is_preview)}</p> });
    let models = by_model(&totals);
    view! {
        <li class="job" data-state=job.state.clone()>
            <div class="row">
                <Icon name=icon class=class/>
                <b>{what}</b>
                <span class="dim">{job.state.clone()}", "<Time at=job.finished_at.unwrap_or(job.created_at)/></span>
                {progress}
            </div>
            {job.error.map(|error| view! { <p class="st-bad">{error}</p> })}
            {sentence}
            {models}
        </li>
    }
}

/// `12 of 340 calls would change: $1.2000 + unknown becomes $1.4400.`
fn sentence(sum: &Sum, is_preview: bool) -> String {
    let would = if is_preview { "would change" } else { "changed" };
    format!(
        "{} of {} {would}: {} {} {}.",
        text::grouped(sum.changed.unsigned_abs()),
        text::counted(sum.steps, "call"),
        cost(sum.before_nano_usd, sum.unpriced_before),
        if is_preview { "would become" } else { "became" },
        cost(sum.after_nano_usd, sum.unpriced_after),
    )
}

fn cost(known: Option<NanoUsd>, unpriced: i64) -> String {
    match (known, unpriced) {
        (Some(cost), 0) => cost.to_short(),
        (Some(cost), _) => format!("{} + unknown", cost.to_short()),
        (None, _) => "unknown".to_owned(),
    }
}

fn by_model(totals: &Totals) -> Option<impl IntoView + use<>> {
    let changed: Vec<_> = totals
        .models
        .iter()
        .filter(|(_, sum)| sum.changed > 0)
        .map(|(model, sum)| {
            let model = if model.is_empty() {
                "no model named".to_owned()
            } else {
                model.clone()
            };
            view! {
                <tr>
                    <td class="main mono">{model}</td>
                    <td class="n">{text::grouped(sum.changed.unsigned_abs())}</td>
                    <td class="n">{cost(sum.before_nano_usd, sum.unpriced_before)}</td>
                    <td class="n">{cost(sum.after_nano_usd, sum.unpriced_after)}</td>
                </tr>
            }
        })
        .collect();
    (!changed.is_empty()).then(|| {
        view! {
            <details>
                <summary class="fold">"By model"</summary>
                <table class="table compact">
                    <thead>
                        <tr>
                            <th scope="col">"Model"</th>
                            <th scope="col" class="n">"Calls changed"</th>
                            <th scope="col" class="n">"Before"</th>
                            <th scope="col" class="n">"After"</th>
                        </tr>
                    </thead>
                    <tbody>{changed}</tbody>
                </table>
            </details>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_before_and_after() {
        let check =
            |sum: Sum, is_preview: bool, expected: &str| assert_eq!(sentence(&sum, is_preview), expected);
        let sum = Sum {
            steps: 340,
            changed: 12,
            before_nano_usd: Some(NanoUsd(1_200_000_000)),
            after_nano_usd: Some(NanoUsd(1_440_000_000)),
            unpriced_before: 12,
            unpriced_after: 0,
        };
        check(
            sum.clone(),
            true,
            "12 of 340 calls would change: $1.20 + unknown would become $1.44.",
        );
        check(
            sum,
            false,
            "12 of 340 calls changed: $1.20 + unknown became $1.44.",
        );
        let unknown = Sum {
            steps: 1,
            unpriced_before: 1,
            unpriced_after: 1,
            ..Sum::default()
        };
        check(unknown, false, "0 of 1 call changed: unknown became unknown.");
    }
}
