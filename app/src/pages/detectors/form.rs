//! The form of a detector, a new one or one that is changed. It works as a plain form: two empty rows take more conditions.

use domain::NanoUsd;
use domain::detector::{ConditionOp, DetectorCondition, DetectorDraft, Template};
use leptos::prelude::*;

use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;

/// Rows for conditions beyond those that there are.
const SPARE_ROWS: usize = 2;

/// All of a detector as a form that posts to `action`.
#[component]
pub(crate) fn DetectorForm(draft: DetectorDraft, action: String, submit: &'static str) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let template = draft.definition.template;
    let definition = draft.definition;
    let model = definition.model.clone();
    view! {
        <form class="form det-form" method="post" action=action>
            <input type="hidden" name="template" value=template.as_str()/>
            <div class="field">
                <label for="det-name">"Name"</label>
                <input class="input" id="det-name" name="name" value=draft.name required=true maxlength="200" autocomplete="off" disabled=is_locked/>
            </div>
            {needs(template, &definition, is_locked)}
            {model_fields(template, &definition.prompt, model, draft.daily_cap, is_locked)}
            <fieldset class="field">
                <legend class="label">"Judges runs for which all of these hold"</legend>
                {conditions(definition.conditions, is_locked)}
                <p class="hint">"model, environment, cost_usd, total_tokens, duration_ms, errors, or metadata.customer for what your steps carry; a value may be several with commas between them; leave a row empty to take it away"</p>
                <label class="row">
                    <input class="check" type="checkbox" name="every_run" value="on" checked=draft.every_run disabled=is_locked/>
                    "Without conditions: judge every run"
                </label>
            </fieldset>
            <div class="field">
                <label for="det-sample">"Sample, in percent"</label>
                <input class="input num w96" id="det-sample" name="sample_percent" type="number" min="0" max="100" step="0.0001" value=percent(draft.sample.percent()) required=true disabled=is_locked/>
                <p class="hint">"By a hash of the run, so that a run is always in or always out"</p>
            </div>
            <label class="row">
                <input class="switch" type="checkbox" role="switch" name="enabled" value="on" checked=draft.enabled aria-label="On" disabled=is_locked/>
                "On"
            </label>
            <Submit label=submit variant="primary" locked/>
        </form>
    }
}

/// What the rule needs.
fn needs(
    template: Template,
    definition: &domain::detector::Definition,
    is_locked: impl Fn() -> bool + Copy + Send + Sync + 'static,
) -> AnyView {
    let schema = definition
        .schema
        .as_ref()
        .map(|schema| serde_json::to_string_pretty(schema).unwrap_or_default())
        .unwrap_or_default();
    match template {
        Template::RequiredStep => view! {
            <div class="field">
                <label for="det-step">"Step that must not be missing"</label>
                <input class="input" id="det-step" name="required_step" required=true autocomplete="off" value=definition.required_step.clone().unwrap_or_default() disabled=is_locked/>
                <p class="hint">"By its name, or the name of its tool"</p>
            </div>
        }
        .into_any(),
        Template::RepeatedTool => view! {
            <p class="dim">"Finds a tool that was called three times or more with the same input. It asks no model and costs nothing."</p>
        }
        .into_any(),
        Template::SwallowedError => view! {
            <p class="dim">"Finds a step that failed and was not tried again in a run that succeeded all the same. It asks no model and costs nothing."</p>
        }
        .into_any(),
        Template::Schema => view! {
            <div class="field">
                <label for="det-schema">"JSON schema of the run’s last output"</label>
                <textarea class="input mono" id="det-schema" name="schema" required=true spellcheck="false" disabled=is_locked>{schema}</textarea>
            </div>
        }
        .into_any(),
        _ => view! {
            <div class="field">
                <label for="det-schema">"JSON schema of data in the answer"</label>
                <textarea class="input mono" id="det-schema" name="schema" spellcheck="false" disabled=is_locked>{schema}</textarea>
                <p class="hint">"May be empty: the answer has identified, summary, data and quotes in any case"</p>
            </div>
        }
        .into_any(),
    }
}

/// What a detector needs that asks a model.
fn model_fields(
    template: Template,
    prompt: &str,
    model: Option<domain::ModelChoice>,
    daily_cap: Option<NanoUsd>,
    is_locked: impl Fn() -> bool + Copy + Send + Sync + 'static,
) -> AnyView {
    if template.is_rule() {
        return ().into_any();
    }
    let (provider, model) = model
        .map(|choice| (choice.provider, choice.model))
        .unwrap_or_default();
    view! {
        <div class="field">
            <label for="det-prompt">"What to look for"</label>
            <textarea class="input" id="det-prompt" name="prompt" required=true maxlength="20000" disabled=is_locked>{prompt.to_owned()}</textarea>
            <p class="hint">"The run goes in as data below it. A quote that does not occur in the run is thrown away, and a finding without one is none."</p>
        </div>
        <div class="field">
            <label for="det-cap">"Stop judging at dollars a day"</label>
            <input class="input num w96" id="det-cap" name="daily_cap_usd" inputmode="decimal" autocomplete="off" value=daily_cap.map(NanoUsd::to_decimal).unwrap_or_default() disabled=is_locked/>
            <p class="hint">"Empty for no cap; the project’s budget for models holds in any case"</p>
        </div>
        <fieldset class="field">
            <legend class="label">"Model of its own"</legend>
            <span class="row">
                <input class="input" name="provider" aria-label="Provider’s id" placeholder="as set for detectors" autocomplete="off" value=provider disabled=is_locked/>
                <input class="input" name="model" aria-label="Model" placeholder="as set for detectors" autocomplete="off" value=model disabled=is_locked/>
            </span>
        </fieldset>
    }
    .into_any()
}

fn conditions(
    stored: Vec<DetectorCondition>,
    is_locked: impl Fn() -> bool + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let rows = stored.into_iter().map(Some).chain((0..SPARE_ROWS).map(|_| None));
    rows.enumerate()
        .map(|(nth, condition)| {
            let (field, op, value) = match condition {
                Some(condition) => (
                    condition.field.to_string(),
                    condition.op,
                    condition.texts().join(", "),
                ),
                None => (String::new(), ConditionOp::Is, String::new()),
            };
            let ops = ConditionOp::ALL
                .iter()
                .map(|own| {
                    view! { <option value=own.as_str() selected={*own == op}>{own.as_str()}</option> }
                })
                .collect_view();
            let number = nth + 1;
            view! {
                <div class="cond-row">
                    <input class="input" name="condition_field" aria-label=format!("Condition {number}: what") value=field autocomplete="off" disabled=is_locked/>
                    <select class="select" name="condition_op" aria-label=format!("Condition {number}: how") disabled=is_locked>{ops}</select>
                    <input class="input" name="condition_value" aria-label=format!("Condition {number}: value") value=value autocomplete="off" disabled=is_locked/>
                </div>
            }
        })
        .collect_view()
}

/// Without zeros at its end.
fn percent(percent: f64) -> String {
    format!("{percent}")
}
