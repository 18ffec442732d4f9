//! The score of a step: which layer found what, with the evidence.

use domain::{Condition, NanoUsd, Sample, Severity, StepSummary, Verdict, text};
use leptos::prelude::*;

use super::Page;
use crate::pages::conditions::{FeedbackButtons, MuteForm, MuteOutcome};
use crate::ui::icon::Icon;

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
    let critical_from = critical_from(score, step.threshold);
    let stopped = step
        .stopped_at_layer
        .map(|layer| view! { <span class="push dim">{format!("stopped after layer {layer}")}</span> });
    let bar = (!layers.is_empty()).then(|| {
        view! {
            <svg
                class="plot"
                height="30"
                role="img"
                aria-label=bar_label(&layers, step.threshold)
                inner_html=bar(&layers, step.threshold)
            ></svg>
            {legend(&layers)}
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
                    <span class="dim">{critical_from}</span>
                    {stopped}
                </div>
                {bar}
            </div>
            {page.shared.is_none().then(|| view! { <MuteOutcome slug=page.slug/> })}
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
    let sample = found.sample.map(|sample| sample_words(code, &sample));
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
            {page.shared.is_none().then(|| view! {
                <div class="cond-act">
                    <FeedbackButtons slug run_id step_id code verdict small=true/>
                    <MuteForm slug code is_muted=false/>
                </div>
            })}
        </li>
    }
}

/// Which steps set the limit or the band of a code, and what is usual among them.
fn sample_words(code: u16, sample: &Sample) -> String {
    let figure = |value: f64| match code {
        4001 | 5001 => text::duration(value),
        // Calls cost so little that a rounded price says nothing.
        4003 | 5003 => format!("${}", NanoUsd(value.round() as i64).to_decimal()),
        _ => text::counted(value.round() as i64, "token"),
    };
    let what = if (5_000..6_000).contains(&code) {
        "band"
    } else {
        "limit"
    };
    format!(
        "{what} from {} ({}): p50 {}, p95 {}",
        text::counted(i64::from(sample.n), "step"),
        sample.window,
        figure(sample.p50),
        figure(sample.p95)
    )
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

/// From where the step would have been critical, where that is known.
fn critical_from(score: i32, threshold: Option<i32>) -> Option<String> {
    match threshold {
        _ if score <= 0 => Some("nothing found".to_owned()),
        threshold => threshold.map(|threshold| format!("critical from {threshold}")),
    }
}

fn bar_label(layers: &[(u8, i32)], threshold: Option<i32>) -> String {
    let parts = layers
        .iter()
        .map(|(layer, n)| format!("layer {layer}: {n} points"));
    let threshold = threshold.map(|threshold| format!("threshold {threshold}"));
    parts.chain(threshold).collect::<Vec<_>>().join(", ")
}

/// The layers' points side by side, the threshold as a line, threshold and end of the scale in figures.
fn bar(layers: &[(u8, i32)], threshold: Option<i32>) -> String {
    let sum: i32 = layers.iter().fold(0, |sum, (_, n)| sum.saturating_add(*n));
    let whole = scale_end(sum.max(threshold.unwrap_or(0)));
    let percent = |points: i32| f64::from(points) / f64::from(whole) * 100.0;
    let mut out = String::from(r#"<rect class="track" y="4" width="100%" height="8"/>"#);
    let mut so_far = 0_i32;
    for (layer, points) in layers {
        let x = percent(so_far);
        let width = (percent(*points) - 0.3).max(0.3);
        out.push_str(&format!(
            r#"<rect class="layer-{layer}" x="{x:.2}%" y="4" width="{width:.2}%" height="8"/>"#
        ));
        so_far = so_far.saturating_add(*points);
    }
    if let Some(threshold) = threshold {
        let at = percent(threshold);
        out.push_str(&format!(
            r#"<line class="thr" x1="{at:.2}%" x2="{at:.2}%" y1="0" y2="16"/>"#
        ));
        // At the ends of the scale it would stand on top of their figures.
        if (6.0..=88.0).contains(&at) {
            out.push_str(&format!(
                r#"<text x="{at:.2}%" y="27" text-anchor="middle">{threshold}</text>"#
            ));
        }
    }
    out.push_str(&format!(
        r#"<text y="27">0</text><text x="100%" y="27" text-anchor="end">{whole}</text>"#
    ));
    out
}

/// Each layer of the bar with its name and points.
fn legend(layers: &[(u8, i32)]) -> impl IntoView + use<> {
    let items: Vec<_> = layers
        .iter()
        .map(|(layer, points)| {
            view! { <span class=format!("layer-{layer}")><span class="swatch"></span>{legend_text(*layer, *points)}</span> }
        })
        .collect();
    view! { <p class="legend score-legend">{items}</p> }
}

/// `layer 5, statistics 70`.
fn legend_text(layer: u8, points: i32) -> String {
    let name = LAYERS
        .get(usize::from(layer).saturating_sub(1))
        .copied()
        .unwrap_or("other");
    format!("layer {layer}, {name} {points}")
}

/// The end of the scale: 150, or the next 50 above the sum.
fn scale_end(sum: i32) -> i32 {
    sum.saturating_add(49).div_euclid(50).saturating_mul(50).max(150)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_reads_in_the_unit_of_its_code() {
        let check = |code: u16, p50: f64, p95: f64, expected: &str| {
            let sample = Sample {
                n: 200,
                p50,
                p95,
                window: "recent ones".to_owned(),
            };
            assert_eq!(sample_words(code, &sample), expected);
        };
        check(
            5001,
            779.139,
            1_065.517_95,
            "band from 200 steps (recent ones): p50 779 ms, p95 1.07 s",
        );
        check(
            5003,
            209_000.0,
            238_100.0,
            "band from 200 steps (recent ones): p50 $0.000209, p95 $0.0002381",
        );
        check(
            5002,
            1_412.5,
            2_001.0,
            "band from 200 steps (recent ones): p50 1,413 tokens, p95 2,001 tokens",
        );
        check(
            4001,
            900.0,
            3_200.0,
            "limit from 200 steps (recent ones): p50 900 ms, p95 3.20 s",
        );
    }

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
    fn every_layer_of_the_bar_is_named_in_its_legend() {
        let owner = Owner::new();
        let html = owner.with(|| legend(&[(4, 20), (5, 70)]).to_html());
        for expected in ["layer 4, performance 20", "layer 5, statistics 70"] {
            assert!(html.contains(expected), "{html}");
        }
    }

    #[test]
    fn the_line_is_at_the_threshold_the_step_was_scored_by() {
        let check = |points: i32, threshold: Option<i32>, line: Option<&str>, said: Option<&str>| {
            let svg = bar(&[(2, points)], threshold);
            let found = svg.split(r#"class="thr" x1=""#).nth(1);
            assert_eq!(found.and_then(|rest| rest.split('"').next()), line, "{svg}");
            assert_eq!(critical_from(points, threshold).as_deref(), said);
        };
        check(50, Some(50), Some("33.33%"), Some("critical from 50"));
        check(50, Some(100), Some("66.67%"), Some("critical from 100"));
        check(50, Some(400), Some("100.00%"), Some("critical from 400"));
        check(50, None, None, None);
        check(0, None, None, Some("nothing found"));
        assert_eq!(
            bar_label(&[(2, 50)], Some(50)),
            "layer 2: 50 points, threshold 50"
        );
        assert_eq!(bar_label(&[(2, 50)], None), "layer 2: 50 points");
    }
}
