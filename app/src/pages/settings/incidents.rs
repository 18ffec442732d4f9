//! Settings: from when on a change is an incident.

pub(crate) mod draft;
mod preview;

use std::collections::BTreeMap;

use engine::incidents::Settings;
use leptos::prelude::*;

use self::draft::{IncidentsDraft, pairs, quiet_lines};
use self::preview::Preview;
use super::{SettingsPage, use_admin_lock};
use crate::api::incidents::read_incident_settings;
use crate::context::use_slug;
use crate::ui::form::Submit;
use crate::ui::load::Load;

/// A number of the form: its name, what it is called, its unit, and what it means.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// What the fields hold now.
type Typed = BTreeMap<&'static str, String>;

const LEAST: [Row; 6] = [
    ("cost", "Cost", "$ a day", "And by the part below"),
    (
        "relative",
        "Cost, cost per call, output tokens",
        "%",
        "Of what was",
    ),
    ("latency", "Latencies", "%", "Of what was"),
    ("latency_ms", "Latencies, at least", "ms", "Both have to hold"),
    ("rate", "Error and anomaly rate", "points", "2 is from 1 % to 3 %"),
    (
        "mix",
        "Shapes of outputs",
        "%",
        "Of the outputs that look otherwise",
    ),
];

const DAILY: [Row; 2] = [
    (
        "sigma",
        "Above the mean of 7 days",
        "sigma",
        "Standard deviations",
    ),
    ("daily_delta", "And by at least", "$", "A day"),
];

/// Sensitivity, minimum effects, quiet series, and what they would have opened.
#[component]
pub(crate) fn IncidentSettingsPage() -> impl IntoView {
    let slug = use_slug();
    let view = Resource::new(move || slug.get(), read_incident_settings);
    view! {
        <SettingsPage name="Incidents">
            <Load resource=view what="The settings" let:settings>
                <Rules settings/>
            </Load>
        </SettingsPage>
    }
    .into_any()
}

#[component]
fn Rules(settings: Settings) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = Signal::derive(move || !locked.read().is_empty());
    let quiet = quiet_lines(&settings);
    let values = pairs(&settings);
    let typed = RwSignal::new(values.iter().cloned().collect::<Typed>());
    typed.update_untracked(|typed| {
        typed.insert("quiet", quiet.clone());
    });
    let draft = Memo::new(move |_| {
        let typed = typed.read();
        let pairs = typed.iter().map(|(name, value)| (*name, value.as_str()));
        IncidentsDraft::from_pairs(pairs).settings()
    });
    let fields = move |rows: &[Row]| {
        let values = values.clone();
        rows.iter()
            .map(|&(name, label, unit, hint)| {
                let value = values.iter().find(|(own, _)| *own == name);
                let value = value.map(|(_, value)| value.clone()).unwrap_or_default();
                view! { <Number name label unit hint value typed is_locked/> }
            })
            .collect_view()
    };
    let (least, daily, sensitivity) = (
        fields(&LEAST),
        fields(&DAILY),
        settings.false_incidents_a_week.to_string(),
    );
    view! {
        <form
            class="form"
            method="post"
            action=move || format!("/p/{}/settings/incidents", slug.get())
        >
            <section class="cell" aria-labelledby="incidents-sensitivity">
                <div class="head">
                    <h2 id="incidents-sensitivity">"Sensitivity"</h2>
                    <span class="sub">"all series together"</span>
                </div>
                <Number
                    name="sensitivity"
                    label="Incidents that may come of nothing"
                    unit="a week"
                    hint="0.5 is one in two weeks. More finds smaller changes, and finds them sooner."
                    value=sensitivity
                    typed
                    is_locked
                />
                <Preview draft in_force=settings/>
            </section>
            <section class="cell" aria-labelledby="incidents-least">
                <div class="head">
                    <h2 id="incidents-least">"What matters"</h2>
                    <span class="sub">"smaller changes open nothing"</span>
                </div>
                {least}
            </section>
            <section class="cell" aria-labelledby="incidents-daily">
                <div class="head">
                    <h2 id="incidents-daily">"Daily rule"</h2>
                    <span class="sub">"of what a key costs"</span>
                </div>
                {daily}
            </section>
            <section class="cell" aria-labelledby="incidents-quiet">
                <div class="head">
                    <h2 id="incidents-quiet">"Quiet series"</h2>
                    <span class="sub">"they open nothing"</span>
                </div>
                <div class="field">
                    <label for="field-quiet">"One a line: a metric, or a key and a metric"</label>
                    <textarea
                        class="input"
                        id="field-quiet"
                        name="quiet"
                        rows="4"
                        spellcheck="false"
                        aria-describedby="hint-quiet"
                        disabled=move || is_locked.get()
                        on:input=move |event| {
                            typed
                                .update(|typed| {
                                    typed.insert("quiet", event_target_value(&event));
                                });
                        }
                    >
                        {quiet}
                    </textarea>
                    <p class="hint" id="hint-quiet">
                        "shape_mix, or prod-frontend: latency_p95. Metrics: cost, cost_per_call, latency_p95, ttft_p95, error_rate, output_tokens, anomaly_rate, shape_mix."
                    </p>
                </div>
                <Submit label="Save" variant="primary" locked/>
            </section>
        </form>
    }
}

#[component]
fn Number(
    name: &'static str,
    label: &'static str,
    unit: &'static str,
    hint: &'static str,
    value: String,
    typed: RwSignal<Typed>,
    is_locked: Signal<bool>,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=format!("field-{name}")>{label} " (" {unit} ")"</label>
            <input
                class="input num"
                id=format!("field-{name}")
                name=name
                inputmode="decimal"
                autocomplete="off"
                required=true
                value=value
                aria-describedby=format!("hint-{name}")
                disabled=move || is_locked.get()
                on:input=move |event| {
                    typed
                        .update(|typed| {
                            typed.insert(name, event_target_value(&event));
                        });
                }
            />
            <p class="hint" id=format!("hint-{name}")>{hint}</p>
        </div>
    }
}
