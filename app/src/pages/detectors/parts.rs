//! What the pages of detectors share: findings as rows, how often people called them real, what a detector judges.

use domain::Verdict;
use domain::detector::{Detector, Finding};
use domain::text::short_id;
use leptos::prelude::*;

use crate::api::detectors::Sums;
use crate::context::use_may;
use crate::ui::icon::Icon;
use crate::ui::links::{finding_href, page_href, run_href};
use crate::ui::time::Time;

/// Findings, a row each, with buttons to mark them. `back` is where a mark leads: `list`, a detector's id, or nothing for the
/// finding itself.
pub(crate) fn findings_table(slug: &str, findings: Vec<Finding>, back: &str) -> AnyView {
    if findings.is_empty() {
        return view! { <p class="dim">"Nothing was found yet. Runs are judged a few seconds after they end."</p> }
            .into_any();
    }
    let rows = findings
        .into_iter()
        .map(|finding| row(slug, finding, back))
        .collect_view();
    view! {
        <div class="scroll-x" tabindex="0" role="region" aria-label="Findings and their quotes">
            <table class="table rows bleed fnd">
                <thead>
                    <tr>
                        <th class="fd-t" scope="col">"When"</th>
                        <th class="fd-r" scope="col">"Run"</th>
                        <th class="fd-d" scope="col">"Detector"</th>
                        <th scope="col">"What it found"</th>
                        <th class="fd-b" scope="col">"Is it real?"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn row(slug: &str, finding: Finding, back: &str) -> impl IntoView + use<> {
    let id = finding.id.to_string();
    let name = run_name(&finding);
    view! {
        <tr>
            <td class="num fd-t"><Time at=finding.created_at/></td>
            <td class="main fd-r">
                <a href=run_href(slug, &finding.run_id)>{name}</a>
                " "
                <span class="mono dim">{short_id(&finding.run_id).to_owned()}</span>
            </td>
            <td class="fd-d">{finding.detector}</td>
            <td class="t fd-q"><a href=finding_href(slug, &id)>{finding.summary}</a></td>
            <td class="fd-b"><Mark slug=slug.to_owned() id verdict=finding.feedback back=back.to_owned()/></td>
        </tr>
    }
}

/// A run's name; the beginning of its id where it has none.
pub(crate) fn run_name(finding: &Finding) -> String {
    if finding.run_name.trim().is_empty() {
        "run".to_owned()
    } else {
        finding.run_name.clone()
    }
}

/// What people say of a finding, and the buttons to say it.
#[component]
pub(crate) fn Mark(slug: String, id: String, verdict: Option<Verdict>, back: String) -> impl IntoView {
    let may = use_may(domain::Role::Member);
    let action = format!("{}/feedback", finding_href(&slug, &id));
    let said = verdict.map(|verdict| {
        let (icon, class) = match verdict {
            Verdict::Real => ("check", "st-ok"),
            Verdict::Noise => ("x", "st-dim"),
        };
        view! { <span class="status"><Icon name=icon class=class/>{verdict.as_str()}</span> }
    });
    let pressed = move |own: Verdict| if verdict == Some(own) { "true" } else { "false" };
    view! {
        <form class="row" method="post" action=action>
            <input type="hidden" name="next" value=back/>
            {said}
            <button class="btn sm" type="submit" name="verdict" value="real" aria-pressed=pressed(Verdict::Real) disabled=move || !may.get()>
                <Icon name="check"/>
                "Real"
            </button>
            <button class="btn sm" type="submit" name="verdict" value="noise" aria-pressed=pressed(Verdict::Noise) disabled=move || !may.get()>
                <Icon name="x"/>
                "Noise"
            </button>
        </form>
    }
}

/// How many of the marked findings are real.
pub(crate) fn precision(sums: &Sums) -> AnyView {
    let Some(precision) = sums.precision() else {
        return view! { <span class="none">"not marked"</span> }.into_any();
    };
    let class = if precision < 0.5 { "p-low" } else { "p-ok" };
    let bar = format!(
        r#"<rect class="track" width="100%" height="6"/><rect class="{class}" width="{:.1}%" height="6"/>"#,
        precision * 100.0
    );
    let title = format!("{} marked real, {} noise", sums.real, sums.noise);
    view! {
        <span class="prec" title=title>
            <svg class="bar" height="6" aria-hidden="true" inner_html=bar></svg>
            <span class="num">{percent(precision)}</span>
            <span class="dim num">{format!("of {}", sums.real + sums.noise)}</span>
        </span>
    }
    .into_any()
}

/// `88 %`.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

/// Bars of so many values, the highest as high as the drawing.
pub(crate) fn bars(values: &[i64], height: f64) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let each = 100.0 / values.len().max(1) as f64;
    values
        .iter()
        .enumerate()
        .map(|(nth, value)| {
            let high = (*value as f64 / most * (height - 2.0)).max(1.0);
            format!(
                r#"<rect x="{:.2}%" width="{:.2}%" y="{:.1}" height="{high:.1}"/>"#,
                nth as f64 * each,
                each * 0.72,
                height - high
            )
        })
        .collect()
}

/// Which runs a detector judges, in words: `model contains haiku and errors > 0`.
pub(crate) fn judges(detector: &Detector) -> String {
    let conditions = &detector.definition.conditions;
    if conditions.is_empty() {
        return "any run".to_owned();
    }
    let words: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    words.join(" and ")
}

/// Where all detectors are.
pub(crate) fn list_href(slug: &str) -> String {
    page_href(slug, "detectors")
}
