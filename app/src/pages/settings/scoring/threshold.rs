//! From how many points a step is critical.

use engine::codes::LAYERS;
use engine::limits::MIN_SAMPLE;
use engine::{RecentSteps, Rules, Threshold};
use leptos::prelude::*;

use super::{Filled, Page};
use crate::api::scoring::ScoringView;

/// The choice between a fixed and a dynamic threshold, and the order of the layers.
#[component]
pub(super) fn ThresholdChoice(page: Page, view: StoredValue<ScoringView>, filled: Filled) -> impl IntoView {
    let (now, has) = view.with_value(|view| {
        let mut recent = RecentSteps::default();
        view.recent.iter().for_each(|step| recent.push(*step));
        let dynamic = Rules {
            threshold: Threshold::Dynamic,
            ..Rules::default()
        };
        (engine::limits::threshold(&recent, &dynamic), recent.len())
    });
    let form = move || view.with_value(|view| page.form(&view.rules));
    let is_dynamic = move || form().is_dynamic_threshold;
    let choose = move |dynamic: bool| {
        view.with_value(|view| page.edit(&view.rules, |draft| draft.is_dynamic_threshold = dynamic));
    };
    let is_locked = move || !page.locked.read().is_empty();
    let problem = move || filled.problems.read().get("threshold").copied();
    let points = move || form().threshold;
    let dynamic_text =
        format!("p95 of the last 100 totals, kept between 50 and 100. Needs {MIN_SAMPLE} steps; has {has}.");
    let layers = LAYERS
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let layer = index + 1;
            view! {
                <li class=format!("layer-{layer}")>
                    <span class="swatch"></span>
                    {*name}
                    <span class="push dim">{format!("layer {layer}")}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="cell">
            <div class="head"><h2 id="threshold-head">"Threshold"</h2></div>
            <div class="opts" role="radiogroup" aria-labelledby="threshold-head">
                <div class="opt">
                    <input
                        class="radio"
                        type="radio"
                        id="threshold-fixed"
                        name="threshold_kind"
                        value="fixed"
                        checked=!untrack(is_dynamic)
                        prop:checked=move || !is_dynamic()
                        disabled=is_locked
                        on:change=move |_| choose(false)
                    />
                    <span>
                        <span class="row">
                            <label for="threshold-fixed"><b>"Fixed at"</b></label>
                            <input
                                class="input num pts"
                                name="threshold"
                                aria-label="Fixed threshold in points"
                                value=untrack(points)
                                prop:value=points
                                inputmode="numeric"
                                autocomplete="off"
                                aria-invalid=move || problem().map(|_| "true")
                                aria-describedby=move || problem().map(|_| "problem-threshold")
                                disabled=is_locked
                                on:input=move |event| {
                                    let text = event_target_value(&event).trim().to_owned();
                                    view.with_value(|view| page.edit(&view.rules, |draft| draft.threshold = text));
                                }
                            />
                        </span>
                        <small>"100 is the default: the sum of one layer 1 hit."</small>
                        {move || {
                            problem()
                                .map(|message| view! { <small class="st-bad problem" id="problem-threshold">{message}</small> })
                        }}
                    </span>
                </div>
                <label class="opt">
                    <input
                        class="radio"
                        type="radio"
                        name="threshold_kind"
                        value="dynamic"
                        checked=untrack(is_dynamic)
                        prop:checked=is_dynamic
                        disabled=is_locked
                        on:change=move |_| choose(true)
                    />
                    <span>
                        <b>{format!("Dynamic, {now} now")}</b>
                        <small>{dynamic_text}</small>
                    </span>
                </label>
            </div>
            <div class="head gap"><h2>"Layers run in order"</h2></div>
            <ol class="lay-list">{layers}</ol>
            <p class="dim small">"After each layer scoring stops once the sum reaches the threshold."</p>
        </section>
    }
}
