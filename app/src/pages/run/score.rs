//! The score of a step: which layer found what, with the evidence.

use domain::{Condition, Severity, StepSummary, Verdict, text};
use leptos::prelude::*;

use super::Page;
use crate::pages::anomalies::{FeedbackButtons, MuteForm, MuteOutcome};
use crate::ui::icon::Icon;

/// Points from which a step is critical.
const THRESHOLD: i32 = 100;
/// What each layer looks at.
pub(super) const LAYERS: [&str; 5] = ["hard failure", "contract", "shape", "performance", "statistics"];

/// Points of a step by layer, hardest first.
pub(super) fn by_layer(step: &StepSummary) -> Vec<(u8, i32)> {
    (1..=5)
        .map(|layer| (layer, points_of(&step.conditions, layer)))
        .filter(|(_, points)| *points > 0)
        .collect()
}

fn points_of(conditions: &[Condition], layer: u8) -> i32 {
    conditions
        .iter()
        .filter(|c| c.layer == layer)
        .fold(0, |sum, c| sum.saturating_add(c.points))
}

/// Score, layers and conditions of a step.
#[component]
pub(super) fn Score(page: Page, step: StepSummary) -> impl IntoView {
    let Some(score) = step.score else {
        return view! {
            <section class="ps" aria-label="Score">
                <p class="dim">"Not scored"</p>
            </section>
        }
        .into_any();
    };
    let (icon, class) = match step.severity {
        Severity::Critical => ("critical", "st-critical"),
        Severity::Warning => ("warning", "st-warn"),
        Severity::Ok => ("ok", "st-ok"),
    };
    let layers = by_layer(&step);
    let stopped = step
        .stopped_at_layer
        .map(|layer| view! { <span class="push dim">{format!("stopped after layer {layer}")}</span> });
    let bar = (!layers.is_empty()).then(|| {
        view! {
            <svg class="plot" height="30" role="img" aria-label=bar_label(&layers) inner_html=bar(&layers)></svg>
        }
    });
    let conditions = step
        .conditions
        .into_iter()
        .map(|found| condition(page, &step.step_id, found))
        .collect_view();
    view! {
        <section class="ps" aria-label="Score">
            <div class="score-big">
                <div class="row">
                    <span class="status strong">
                        <Icon name=icon class=class/>
                        "Score "
                        <span class="num">{score}</span>
                    </span>
                    <span class="dim">
                        {if score > 0 { format!("critical from {THRESHOLD}") } else { "nothing found".to_owned() }}
                    </span>
                    {stopped}
                </div>
                {bar}
            </div>
            <MuteOutcome slug=page.slug/>
            <ol class="conds">{conditions}</ol>
        </section>
    }
    .into_any()
}

fn condition(page: Page, step_id: &str, found: Condition) -> impl IntoView + use<> {
    let layer = found.layer.clamp(1, 5);
    let (slug, code) = (page.slug, found.code);
    let run_id = page.run.read_untracked().run().run_id.clone();
    let verdict = said(page, step_id, code);
    let step_id = step_id.to_owned();
    let evidence: Vec<String> = [("expected", &found.expected), ("observed", &found.observed)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(word, value)| format!("{word} {value}"))
        .collect();
    let sample = found.sample.map(|sample| {
        format!(
            "limit from {} ({}): p50 {}, p95 {}",
            text::counted(i64::from(sample.n), "step"),
            sample.window,
            sample.p50,
            sample.p95
        )
    });
    view! {
        <li class=format!("cond layer-{layer}")>
            <span class="cond-code">
                <b class="num">{format!("+{}", found.points)}</b>
                <span class="mono" title=found.name>{found.code}</span>
            </span>
            <div class="cond-say">
                <p><b>{found.message}</b></p>
                {(!evidence.is_empty()).then(|| view! { <p class="cond-ev">{evidence.join(", ")}</p> })}
                {sample.map(|sample| view! { <p class="cond-ev">{sample}</p> })}
            </div>
            <div class="cond-act">
                <FeedbackButtons slug run_id step_id code verdict small=true/>
                <MuteForm slug code is_muted=false/>
            </div>
        </li>
    }
}

/// What was said about a condition when the run was read.
fn said(page: Page, step_id: &str, code: u16) -> Option<Verdict> {
    let run = page.run.read_untracked();
    let said = run
        .view
        .feedback
        .iter()
        .find(|f| f.code == code && f.step_id == step_id);
    said.map(|said| said.verdict)
}

fn bar_label(layers: &[(u8, i32)]) -> String {
    let parts: Vec<String> = layers
        .iter()
        .map(|(layer, n)| format!("layer {layer}: {n} points"))
        .collect();
    format!("{}, threshold {THRESHOLD}", parts.join(", "))
}

/// The layers' points side by side, the threshold as a line, the end of the scale in figures.
fn bar(layers: &[(u8, i32)]) -> String {
    let sum: i32 = layers.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n));
    let whole = scale_end(sum);
    let percent = |points: i32| f64::from(points) / f64::from(whole) * 100.0;
    let mut out = String::from(r#"<rect class="track" y="4" width="100%" height="8"/>"#);
    let (mut so_far, mut label_free_from) = (0_i32, 0.0_f64);
    for (layer, points) in layers {
        let x = percent(so_far);
        let width = (percent(*points) - 0.3).max(0.3);
        out.push_str(&format!(
            r#"<rect class="layer-{layer}" x="{x:.2}%" y="4" width="{width:.2}%" height="8"/>"#
        ));
        // A label needs about a third of the panel; where there is no room the bar's own label says it.
        if x >= label_free_from && x < 60.0 {
            let name = LAYERS
                .get(usize::from(*layer).saturating_sub(1))
                .copied()
                .unwrap_or("other");
            out.push_str(&format!(
                r#"<text x="{x:.2}%" y="27">layer {layer}, {name} {points}</text>"#
            ));
            label_free_from = x + 32.0;
        }
        so_far = so_far.saturating_add(*points);
    }
    let at = percent(THRESHOLD);
    out.push_str(&format!(
        r#"<line class="thr" x1="{at:.2}%" x2="{at:.2}%" y1="0" y2="16"/><text x="100%" y="27" text-anchor="end">{whole}</text>"#
    ));
    out
}

/// The end of the scale: 150, or the next 50 above the sum.
fn scale_end(sum: i32) -> i32 {
    sum.saturating_add(49).div_euclid(50).saturating_mul(50).max(150)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_on_fifty() {
        let check = |sum: i32, expected: i32| assert_eq!(scale_end(sum), expected);
        check(0, 150);
        check(105, 150);
        check(151, 200);
        check(200, 200);
        check(i32::MAX, i32::MAX - 47);
    }

    #[test]
    fn bars_label_what_has_room() {
        let check = |layers: &[(u8, i32)], labels: usize| {
            assert_eq!(bar(layers).matches(">layer ").count(), labels, "{layers:?}");
        };
        check(&[(1, 200)], 1);
        check(&[(2, 50), (3, 55)], 2);
        check(&[(2, 10), (3, 10), (4, 10)], 1);
    }
}
