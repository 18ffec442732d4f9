//! Which model is for what, and what a month may cost.

use domain::{Feature, NanoUsd, WorkState};
use leptos::prelude::*;

use crate::api::models::ModelsView;
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;

/// The form of both.
#[component]
pub(super) fn Uses(view: ModelsView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let ids: Vec<String> = view
        .providers
        .iter()
        .map(|provider| provider.id.clone())
        .collect();
    let fields = Feature::ALL
        .iter()
        .map(|feature| {
            let chosen = view.uses.iter().find(|(of, _)| of == feature).map(|(_, choice)| choice.clone());
            view! { <Use feature=*feature ids=ids.clone() provider=chosen.as_ref().map(|c| c.provider.clone()) model=chosen.map(|c| c.model)/> }
        })
        .collect_view();
    let budget = view.budget.map(NanoUsd::to_decimal).unwrap_or_default();
    view! {
        <section class="cell" aria-labelledby="models-uses">
            <div class="head">
                <h2 id="models-uses">"Which model for what"</h2>
                <span class="sub">"what has none is done by rules, or not at all"</span>
            </div>
            {budget_words(&view)}
            <form class="form" method="post" action=move || format!("/p/{}/settings/providers/uses", slug.get())>
                <div class="uses-grid">{fields}</div>
                <div class="field">
                    <label for="field-models-budget">"Dollars a month, for all of them"</label>
                    <input class="input" id="field-models-budget" name="budget" inputmode="decimal" autocomplete="off" value=budget aria-describedby="hint-models-budget" disabled=is_locked/>
                    <p class="hint" id="hint-models-budget">
                        "Empty is no limit. A call that could pass it is not made and says so. Detectors and Ask stop at 92 %; the rest is kept for analyses and investigations."
                    </p>
                </div>
                <Submit label="Save uses and budget" variant="primary" locked/>
            </form>
        </section>
    }
}

#[component]
fn Use(feature: Feature, ids: Vec<String>, provider: Option<String>, model: Option<String>) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let word = feature.as_str();
    let (provider_id, model_id) = (format!("field-{word}-provider"), format!("field-{word}-model"));
    let (provider_for, model_for) = (provider_id.clone(), model_id.clone());
    let options = ids
        .into_iter()
        .map(|id| {
            let selected = provider.as_deref() == Some(id.as_str());
            view! { <option value=id.clone() selected=selected>{id.clone()}</option> }
        })
        .collect_view();
    view! {
        <fieldset>
            <legend class="label">{feature.label()}</legend>
            <div class="field">
                <label for=provider_for>"Provider"</label>
                <select class="input" id=provider_id name=format!("{word}_provider") disabled=is_locked>
                    <option value="">"off"</option>
                    {options}
                </select>
            </div>
            <div class="field">
                <label for=model_for>"Model"</label>
                <input class="input" id=model_id name=format!("{word}_model") autocomplete="off" maxlength="200" value=model.unwrap_or_default() disabled=is_locked/>
            </div>
        </fieldset>
    }
}

/// `$19.57 of $25.00 is used this month`
fn budget_words(view: &ModelsView) -> Option<AnyView> {
    let budget = view.budget?;
    let spent = view.spent;
    let share = if budget.0 > 0 {
        spent.0.saturating_mul(100) / budget.0
    } else {
        100
    };
    let tone = match share {
        ..80 => "info",
        80..100 => "warn",
        _ => "bad",
    };
    let icon = if tone == "info" { "info" } else { "warning" };
    let words = format!("{spent} of {budget} is used or reserved this month.");
    let refused: i64 = view.usage.iter().map(|usage| usage.not_made).sum();
    let refused = (refused > 0).then(|| {
        let calls = domain::text::counted(refused, "call");
        format!(" {calls} were {}.", WorkState::Refused.as_str())
    });
    Some(
        view! {
            <div class="notice" data-tone=tone role="status">
                <Icon name=icon/>
                <div>{words}{refused}</div>
            </div>
        }
        .into_any(),
    )
}
