//! What a message says, by the last one.

use domain::alert::{AlertContent, AlertedStep};
use domain::{Severity, Timestamp};
use leptos::prelude::*;

use crate::context::use_slug;
use crate::ui::links::page_href;
use crate::ui::time::Time;

/// The last alert about a step, as its channels tell it.
#[component]
pub(super) fn Example(example: Option<(AlertContent, Timestamp)>) -> impl IntoView {
    let card = match example {
        Some((AlertContent::Step(step), at)) => {
            let title = title(&step);
            view! { <Card title step=*step at/> }.into_any()
        }
        Some((AlertContent::ErrorRate { failed, of, step, .. }, at)) => {
            view! { <Card title=format!("{failed} of the last {of} steps failed") step=*step at/> }.into_any()
        }
        _ => view! { <p class="dim">"As soon as a step is worth telling, its message stands here."</p> }
            .into_any(),
    };
    view! {
        <section class="cell" aria-labelledby="alerts-example">
            <div class="head">
                <h2 id="alerts-example">"What a message says"</h2>
                <span class="sub">"by the last one"</span>
            </div>
            {card}
        </section>
    }
}

fn title(step: &AlertedStep) -> String {
    let what = match step.severity {
        Severity::Critical => "Critical",
        Severity::Warning => "Warning",
        Severity::Ok => "Failed",
    };
    format!("{what}: {}", step.name)
}

#[component]
fn Card(title: String, step: AlertedStep, at: Timestamp) -> impl IntoView {
    let slug = use_slug();
    let encoded = domain::filter::percent_encode;
    let path = format!("runs/{}?step={}", encoded(&step.run_id), encoded(&step.step_id));
    let facts = [
        ("Step", Some(step.name.clone())),
        ("Run", Some(step.run_id.clone())),
        ("Key", Some(step.key.clone())),
        ("Model", step.model.clone()),
        ("Environment", step.environment.clone()),
        ("Release", step.release.clone()),
    ];
    let facts = facts
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .map(|(label, value)| view! { <dt>{label}</dt><dd>{value}</dd> })
        .collect_view();
    let conditions = step
        .conditions
        .iter()
        .map(|condition| {
            let (code, points) = (condition.code.to_string(), format!("+{}", condition.points));
            let message = condition.message.clone();
            view! { <li><b class="num">{code}</b>" "<span class="num dim">{points}</span>" "{message}</li> }
        })
        .collect_view();
    let error = step
        .error
        .clone()
        .map(|error| view! { <p class="mono dim2">{error}</p> });
    view! {
        <div class="msgcard">
            <div class="row">
                <b>{title}</b>
                <span class="push dim num"><Time at/></span>
            </div>
            <dl class="kv">{facts}</dl>
            <ul class="msg-conditions">{conditions}</ul>
            {error}
            <p><a class="link" href=move || page_href(&slug.read(), &path)>"Open the step"</a></p>
        </div>
    }
}
