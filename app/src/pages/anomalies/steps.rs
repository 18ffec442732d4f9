//! Anomalous steps: the latest few, or all of them page by page.

use domain::anomaly::{AnomalousStep, AnomalousSteps};
use domain::filter::encode_query;
use domain::{Severity, text};
use leptos::prelude::*;

use super::Page;
use crate::pages::cells::score_bar;
use crate::pages::conditions::FeedbackButtons;
use crate::ui::icon::Icon;
use crate::ui::links::run_href;
use crate::ui::time::Time;

/// The latest few, beside the counts.
#[component]
pub(super) fn Latest(page: Page, steps: AnomalousSteps, on_said: Callback<()>) -> impl IntoView {
    let query = page.query;
    let all = move || query.read().with(|query| query.as_list = true).to_href();
    view! {
        <section class="cell flush" id="latest" aria-labelledby="latest-title">
            <div class="head">
                <h2 id="latest-title">"Latest"</h2>
                <span class="sub">"by when the step began"</span>
                <a class="head-actions link" href=all>"All anomalous steps"</a>
            </div>
            {steps_table(page.slug, steps.items, Some(on_said))}
        </section>
    }
}

/// All of them, a page at a time.
#[component]
pub(super) fn StepList(page: Page, steps: AnomalousSteps) -> impl IntoView {
    let query = page.query;
    let back = move || query.read().with(|query| query.as_list = false).to_href();
    let newest = move || {
        query
            .read()
            .cursor
            .is_some()
            .then(|| query.read().with(|_| ()).to_href())
    };
    let older = steps.next_cursor.map(|cursor| {
        let href = move || {
            let next = query.read().with(|query| query.cursor = Some(cursor.clone()));
            next.to_href()
        };
        view! { <a class="btn" href=href>"Older steps"</a> }
    });
    let body = if steps.items.is_empty() {
        view! {
            <div class="state">
                <Icon name="filter"/>
                <b>"No step matches"</b>
                <p>"No such step began in this window."</p>
            </div>
        }
        .into_any()
    } else {
        steps_table(page.slug, steps.items, None).into_any()
    };
    view! {
        <section class="cell flush" aria-labelledby="steps-title">
            <div class="head">
                <h2 id="steps-title">"Anomalous steps"</h2>
                <span class="sub">{move || format!("{}, the latest first", query.read().period.label())}</span>
                <a class="head-actions link" href=back>"Codes and steps"</a>
            </div>
            {body}
            <div class="list-foot">
                {older}
                {move || newest().map(|href| view! { <a class="btn" href=href>"Newest"</a> })}
            </div>
        </section>
    }
}

/// Steps with their heaviest condition, and buttons that say whether it is real.
pub(crate) fn steps_table(
    slug: Memo<String>,
    steps: Vec<AnomalousStep>,
    on_said: Option<Callback<()>>,
) -> impl IntoView {
    let rows = steps
        .into_iter()
        .map(|step| row(slug, step, on_said))
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-label="Steps and their conditions">
            <table class="table rows bleed latest">
                <thead>
                    <tr>
                        <th class="c-sev" scope="col"><span class="vh">"Severity"</span></th>
                        <th class="w-time" scope="col">"Time"</th>
                        <th class="w-step" scope="col">"Step"</th>
                        <th scope="col">"Heaviest condition"</th>
                        <th class="w-score" scope="col">"Score"</th>
                        <th class="w-key hide-s" scope="col">"Key"</th>
                        <th class="w-fb" scope="col">"Is it real?"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn row(slug: Memo<String>, step: AnomalousStep, on_said: Option<Callback<()>>) -> impl IntoView {
    let (icon, class, word) = match step.severity {
        Severity::Critical => ("critical", "st-critical", "critical"),
        Severity::Warning => ("warning", "st-warn", "warning"),
        Severity::Ok => ("ok", "st-ok", "ok"),
    };
    let (run_id, step_id) = (step.run_id.clone(), step.step_id.clone());
    let href = move || {
        format!(
            "{}?{}",
            run_href(&slug.read(), &run_id),
            encode_query([("step", step_id.as_str())])
        )
    };
    let name = if step.name.trim().is_empty() {
        "unnamed step".to_owned()
    } else {
        step.name.clone()
    };
    let segments = by_layer(&step);
    let weight = segments
        .iter()
        .map(|(layer, n)| format!("layer {layer}: {n}"))
        .collect::<Vec<_>>()
        .join(", ");
    let more = step.conditions.len().saturating_sub(1);
    let condition = step.conditions.into_iter().next();
    let verdict = condition
        .as_ref()
        .and_then(|c| step.feedback.iter().find(|f| f.code == c.code))
        .map(|f| f.verdict);
    let said = condition.as_ref().map(|condition| {
        let message = text::first_line(&condition.message, 160);
        let title = condition.message.clone();
        view! {
            <span class="code-n">{condition.code.to_string()}</span>
            <span title=title>{message}</span>
            {(more > 0).then(|| view! { " " <span class="dim">{format!("and {more} more")}</span> })}
        }
    });
    let buttons = condition.map(|condition| {
        let (run_id, step_id, code) = (step.run_id, step.step_id, condition.code);
        view! { <FeedbackButtons slug run_id step_id code verdict on_said/> }
    });
    view! {
        <tr>
            <td class="c-sev" title=word><Icon name=icon class=class/><span class="vh">{word}</span></td>
            <td class="num w-time"><Time at=step.started_at/></td>
            <td class="main w-step" title=name.clone()><a href=href>{name.clone()}</a></td>
            <td class="t say">{said}</td>
            <td class="w-score">
                <span class="score" title=weight>{score_bar(&segments, step.threshold, 44)}<span class="num">{step.score}</span></span>
            </td>
            <td class="w-key hide-s" title=step.key_label.clone()>{step.key_label.clone()}</td>
            <td class="w-fb">{buttons}</td>
        </tr>
    }
}

fn by_layer(step: &AnomalousStep) -> Vec<(u8, i32)> {
    let of = |layer: u8| {
        let points = step
            .conditions
            .iter()
            .filter(|c| c.layer == layer)
            .map(|c| c.points);
        points.fold(0, i32::saturating_add)
    };
    (1..=5)
        .map(|layer| (layer, of(layer)))
        .filter(|(_, points)| *points > 0)
        .collect()
}
